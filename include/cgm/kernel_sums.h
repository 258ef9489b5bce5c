/**
 * @file kernel_sums.h
 * Sums of the kernel over all pairs of points of two parties (MATH.md §2). They fix the value of
 * every coalition without another pass over the points.
 */
#ifndef CGM_KERNEL_SUMS_H
#define CGM_KERNEL_SUMS_H

#include <stdint.h>

#include "cgm/accumulator.h"
#include "cgm/pairs.h"

/** Rows of S are shared among the ranks in panels of so many: what is computed from a panel does
 * not depend on the number of ranks. */
enum { CGM_ROW_PANEL = 64 };

/**
 * u in parts, exactly, so that a later run can take over those that did not change: candidates ×
 * candidates is layer 0; with few parties each party × candidates is a layer, otherwise all parties
 * together are one.  Shared among the ranks as the candidates are.
 */
typedef struct cgm_candidate_layers {
    int64_t n_layers;
    int64_t n_total;       /**< candidates, g */
    int64_t first;         /**< of this rank's slice */
    int64_t n_candidates;  /**< of this rank's slice */
    cgm_accumulators sums; /**< [n_layers][n_candidates] */
} cgm_candidate_layers;

/** Local. The layers of a number of parties: 2, or one a party and that of the candidates. */
int64_t cgm_candidate_layers_count(int64_t n_parties, int64_t n_candidates);

/** Kernel sums half-way, as they are kept and gone on from: exact sums over the units that are
 * done. */
typedef struct cgm_partial_sums {
    cgm_units units;
    int64_t n_parties;
    int64_t first_row, end_row;  /**< rows of S that this rank has, each on one rank */
    cgm_accumulator *party_sums; /**< [end_row - first_row][n_parties] whole rows, symmetric */
    cgm_accumulator *party_candidate_sums; /**< [n_parties + 1] X, then Γ; on rank 0 */
    cgm_candidate_layers layers;           /**< this rank's slice */
} cgm_partial_sums;

/** What kernel sums begin with; NULL in its place: nothing. */
typedef struct cgm_sums_source {
    void *state;
    /** Fill in what is done and its sums, into arrays that are there and hold zeros.  Collective.
     * @return the same code on every rank */
    cgm_status (*fill)(cgm_comm *comm, void *state, cgm_partial_sums *partial);
} cgm_sums_source;

/** Results of MATH.md §2, at every number of ranks the same bits. S and u are shared among the
 * ranks, all else is whole on every rank. */
typedef struct cgm_kernel_sums {
    int64_t n_parties;
    int64_t n_candidates;
    int64_t n_reference;         /**< n = Σ m_i + g */
    const int64_t *party_points; /**< [n_parties] m_i, borrowed from the shard */
    double diagonal;             /**< κ */

    int64_t *first_row; /**< [size + 1] rank r holds rows first_row[r] .. first_row[r + 1] - 1 of S;
                           whole panels but for the last */
    double *party_sums; /**< those rows of S, [rows held here][n_parties] */
    double *own_sums;   /**< S_ii [n_parties] */
    double *start_sums; /**< [n_parties] S_ii that rewards start from, where own_sums are not exact
                           (embedding.h); or NULL */
    double *row_totals; /**< Σ_j S_ij [n_parties], added exactly */
    double *reference_sums;       /**< t [n_parties] */
    double *party_candidate_sums; /**< X [n_parties] */
    double candidate_sum;         /**< Γ */

    int64_t held_first, held_end; /**< candidates whose u this rank can read: all, or its slice */
    double *candidate_sums;       /**< u [held_end - held_first] */
    cgm_shared candidate_memory;  /**< of u, one copy a node, unless the candidates are sliced */
    double *candidate_slice;      /**< of u, when they are */
    cgm_candidate_layers layers;  /**< what u was added up from */
} cgm_kernel_sums;

/**
 * Evaluate and reduce the kernel sums of all parties.  Collective.
 *
 * @param[in]  kernel  kernel and lengthscale, in the points' unit
 * @param[out] sums    owned by the caller; the pair is cgm_kernel_sums_destroy
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY.  Cost O(n² d / ranks) time, O(n d /
 * ranks + N² / ranks + g) memory.
 */
cgm_status cgm_kernel_sums_compute(cgm_comm *comm, const cgm_shard *shard,
                                   const cgm_candidates *candidates, const cgm_kernel *kernel,
                                   cgm_kernel_sums *sums);

/**
 * As cgm_kernel_sums_compute, but what source fills in is not evaluated again, and when a pause is
 * due a cgm_partial_sums is kept.  Collective.
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY, or what source or pause returned
 */
cgm_status cgm_kernel_sums_complete(cgm_comm *comm, const cgm_shard *shard,
                                    const cgm_candidates *candidates, const cgm_kernel *kernel,
                                    const cgm_sums_source *source, const cgm_pause *pause,
                                    cgm_kernel_sums *sums);

/** Local. Row i of S, which this rank must hold. */
const double *cgm_kernel_sums_row(const cgm_comm *comm, const cgm_kernel_sums *sums, int64_t i);

/** Local. S_ii of a party that its reward starts from: exact. */
double cgm_kernel_sums_start(const cgm_kernel_sums *sums, int64_t party);

/** Local. How n_parties rows are shared among size ranks. first_row [size + 1] */
void cgm_kernel_sums_share_rows(int64_t n_parties, int size, int64_t *first_row);

/** Collective over the node (shared memory). Accepts a zeroed struct. */
void cgm_kernel_sums_destroy(cgm_kernel_sums *sums);

#endif
