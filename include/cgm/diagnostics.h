/**
 * @file diagnostics.h
 * What is reported about the values of coalitions and never enforced (MATH.md §3, "Diagnostics").
 */
#ifndef CGM_DIAGNOSTICS_H
#define CGM_DIAGNOSTICS_H

#include <stdbool.h>
#include <stdint.h>

#include "cgm/coalition.h"
#include "cgm/pairs.h"

typedef struct cgm_diagnostics {
    bool sufficient_condition; /**< the authors' condition for v({i}) ≥ 0 holds for all parties */
    bool sufficient_unknown;   /**< it was not looked at: shards are sealed, and it takes distances
                                  between points of different parties */
    int64_t monotone_violations; /**< (Q, i) with v(Q ∪ i) < v(Q), of those looked at */
    int64_t marginals;     /**< number of (Q, i) looked at: all up to CGM_ENUMERATE_MAX parties,
                                else those along seeded orders */
    double worst_marginal; /**< smallest v(Q ∪ i) − v(Q) of those */
} cgm_diagnostics;

/**
 * Measure all diagnostics.  Collective.  One pass over the distances of parties × T; up to
 * CGM_ENUMERATE_MAX parties O(2^N N), else O(N²) for each of min(1000, 2·10⁹/N²) orders, over
 * ranks.
 * @param[out] diagnostics  the same bits on every rank
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY
 */
cgm_status cgm_diagnostics_measure(cgm_comm *comm, const cgm_shard *shard,
                                   const cgm_candidates *candidates, const cgm_kernel *kernel,
                                   const cgm_kernel_sums *sums, const cgm_values *values,
                                   uint64_t seed, cgm_diagnostics *diagnostics);

#endif
