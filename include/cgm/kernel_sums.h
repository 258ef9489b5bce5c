/**
 * @file kernel_sums.h
 * Sums of the kernel over all pairs of points of two parties (MATH.md §2). They fix the value of
 * every coalition without another pass over the points.
 */
#ifndef CGM_KERNEL_SUMS_H
#define CGM_KERNEL_SUMS_H

#include <stdint.h>

#include "cgm/pairs.h"

/** Rows of S are shared among the ranks in panels of so many: what is computed from a panel does
 * not depend on the number of ranks. */
enum { CGM_ROW_PANEL = 64 };

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
    double *row_totals; /**< Σ_j S_ij [n_parties], added exactly */
    double *reference_sums;       /**< t [n_parties] */
    double *party_candidate_sums; /**< X [n_parties] */
    double candidate_sum;         /**< Γ */

    int64_t held_first, held_end; /**< candidates whose u this rank can read: all, or its slice */
    double *candidate_sums;       /**< u [held_end - held_first] */
    cgm_shared candidate_memory;  /**< of u, one copy a node, unless the candidates are sliced */
    double *candidate_slice;      /**< of u, when they are */
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

/** Local. Row i of S, which this rank must hold. */
const double *cgm_kernel_sums_row(const cgm_comm *comm, const cgm_kernel_sums *sums, int64_t i);

/** Local. How n_parties rows are shared among size ranks. first_row [size + 1] */
void cgm_kernel_sums_share_rows(int64_t n_parties, int size, int64_t *first_row);

/** Collective over the node (shared memory). Accepts a zeroed struct. */
void cgm_kernel_sums_destroy(cgm_kernel_sums *sums);

#endif
