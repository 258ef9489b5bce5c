/**
 * @file embedding_points.h
 * Sums of cosines and sines over points; internal to the embeddings.
 */
#ifndef CGM_EMBEDDING_POINTS_H
#define CGM_EMBEDDING_POINTS_H

#include "cgm/accumulator.h"
#include "cgm/embedding.h"

/** What every function here needs, and work space for the threads of this rank. */
typedef struct embedding_work {
    cgm_comm *comm;
    const cgm_frequencies *frequencies; /* scaled */
    const double *centre;               /* [n_features] what is subtracted; no product shows it */
    cgm_instruction_set instruction_set;
    double *space;     /* of every thread */
    int64_t *overflow; /* 1: some phase was not finite */
} embedding_work;

/** Local. The pair is embedding_work_destroy, after errors too. CGM_OK, CGM_ERR_MEMORY. */
cgm_status embedding_work_create(cgm_comm *comm, const cgm_kernel *kernel,
                                 const cgm_frequencies *frequencies, embedding_work *work);
void embedding_work_destroy(embedding_work *work);

/** Local. CGM_ERR_INPUT if a phase of any point was not finite: then its sums mean nothing. */
cgm_status embedding_work_check(const embedding_work *work);

/** Local. Bytes of a rank's work space. */
double embedding_work_bytes(int64_t n_features, int64_t threads);

/**
 * Add the cosines and sines of points [n_points][n_features] to exact sums, in blocks of
 * CGM_BLOCK_POINTS.  Local, by all threads.
 * @param[in,out] sums  [numbers], not divided by √F
 */
void embedding_add_points(const embedding_work *work, int64_t n_points, const double *points,
                          cgm_accumulators sums);

/** As embedding_add_points, the derivatives by log ℓ.  sums [numbers] */
void embedding_add_slopes(const embedding_work *work, int64_t n_points, const double *points,
                          cgm_accumulator *sums);

/** Local, by all threads. Σ over numbers of weights times the cosines and sines of each of some
 * points: products [n_points]. */
void embedding_multiply_points(const embedding_work *work, int64_t n_points, const double *points,
                               const double *weights, double *products);

/** Local. Rows of the pool that this rank accounts for: points [n][n_features]. */
const double *embedding_pool_slice(const cgm_comm *comm, const cgm_candidates *candidates,
                                   int64_t *n_points);

#endif
