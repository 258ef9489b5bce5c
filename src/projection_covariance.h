/**
 * @file projection_covariance.h
 * The covariance matrix of all parties' raw features. Internal to projection.c.
 *
 * A party's points are cut into blocks from its start; a block's product is one of fixed shape on
 * whichever rank, and products are added up exactly, so that the matrix is the same bits at every
 * number of ranks.
 */
#ifndef CGM_PROJECTION_COVARIANCE_H
#define CGM_PROJECTION_COVARIANCE_H

#include "cgm/dense.h"
#include "cgm/features.h"

typedef struct projection_covariance {
    int64_t n_features;
    double widest;     /**< largest range of a scaled feature: the matrix is in units of its square,
                          so that nothing overflows; 1 if no feature varies */
    double *matrix;    /**< [n_features][n_features], one copy a node */
    cgm_shared memory; /**< of it */
} projection_covariance;

/** Rows of the matrix that are added up at a time. */
enum { PROJECTION_PANEL = 4 * CGM_DENSE_BLOCK };

/**
 * Measure it, with n − 1 for the number of points.  Collective.
 * @param[in]  features    mean, scale and range stand
 * @param[out] covariance  the pair is projection_covariance_destroy, after errors too
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY
 */
cgm_status projection_covariance_measure(cgm_comm *comm, const cgm_shard *shard,
                                         const cgm_features *features,
                                         projection_covariance *covariance);

/** Local. The matrix by its entries, as long as it stands. */
cgm_symmetric projection_covariance_entries(const projection_covariance *covariance);

/** Collective over the node (shared memory). Accepts a zeroed struct. */
void projection_covariance_destroy(projection_covariance *covariance);

#endif
