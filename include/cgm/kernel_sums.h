/**
 * @file kernel_sums.h
 * Sums of the kernel over all pairs of points of two parties (MATH.md §2). They fix the value of
 * every coalition without another pass over the points.
 */
#ifndef CGM_KERNEL_SUMS_H
#define CGM_KERNEL_SUMS_H

#include <stdint.h>

#include "cgm/pairs.h"

/** Results of MATH.md §2; the same bits on every rank, at every number of ranks. */
typedef struct cgm_kernel_sums {
    int64_t n_parties;
    int64_t n_candidates;
    int64_t n_reference;          /**< n = Σ m_i + g */
    const int64_t *party_points;  /**< [n_parties] m_i, borrowed from the shard */
    double diagonal;              /**< κ */
    double *party_sums;           /**< S [n_parties][n_parties] */
    double *reference_sums;       /**< t [n_parties] */
    double *party_candidate_sums; /**< X [n_parties] */
    double candidate_sum;         /**< Γ */
    double *candidate_sums;       /**< u [n_candidates], one copy a node */
    cgm_shared candidate_memory;
} cgm_kernel_sums;

/**
 * Evaluate and reduce the kernel sums of all parties.  Collective.
 *
 * @param[in]  kernel  kernel and lengthscale, in the points' unit
 * @param[out] sums    owned by the caller; the pair is cgm_kernel_sums_destroy
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY.  Cost O(n² d / ranks) time, O(n d /
 * ranks + N² + g) memory.
 */
cgm_status cgm_kernel_sums_compute(cgm_comm *comm, const cgm_layout *layout, const cgm_shard *shard,
                                   const cgm_candidates *candidates, const cgm_kernel *kernel,
                                   cgm_kernel_sums *sums);

/** Collective over the node (shared memory). Accepts a zeroed struct. */
void cgm_kernel_sums_destroy(cgm_kernel_sums *sums);

#endif
