/**
 * @file lengthscale.h
 * The choice of the lengthscale (MATH.md §3).
 */
#ifndef CGM_LENGTHSCALE_H
#define CGM_LENGTHSCALE_H

#include <stdbool.h>

#include "cgm/pairs.h"

typedef enum cgm_lengthscale_rule {
    CGM_LENGTHSCALE_NONNEGATIVE,
    CGM_LENGTHSCALE_GIVEN
} cgm_lengthscale_rule;

typedef struct cgm_lengthscale {
    cgm_lengthscale_rule rule;
    double value;      /**< ℓ, in the points' unit */
    int64_t passes;    /**< passes over the points it took */
    bool always_valid; /**< no ℓ down to the floor violates the condition: value is the floor */
} cgm_lengthscale;

/** Spread of the reference set T, from one pass over its points. */
typedef struct cgm_spread {
    double *centre;   /**< [n_features] middle of the range of each feature */
    double deviation; /**< sd: root of the mean over features of the variance over T */
} cgm_spread;

/** Collective. The same bits on every rank, at every number of ranks. CGM_OK, CGM_ERR_MEMORY. */
cgm_status cgm_spread_measure(cgm_comm *comm, const cgm_layout *layout, const cgm_shard *shard,
                              const cgm_candidates *candidates, cgm_spread *spread);

/** Local. Accepts a zeroed struct. */
void cgm_spread_destroy(cgm_spread *spread);

/**
 * Values v({i}) of all parties at one lengthscale, with their slopes.  Collective; one pass over
 * parties × T. MATH.md §2, §3.
 * @param[out] values  [n_parties] v({i})
 * @param[out] slopes  [n_parties] ∂v({i})/∂(log ℓ)
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY
 */
cgm_status cgm_lengthscale_evaluate(cgm_comm *comm, const cgm_layout *layout,
                                    const cgm_shard *shard, const cgm_candidates *candidates,
                                    const cgm_kernel *kernel, double *values, double *slopes);

/**
 * The smallest ℓ above which no party's own value is negative, MATH.md §3 `nonnegative`.
 * Collective.
 * @param[in,out] kernel  type and centre stand; lengthscale is set to the choice
 * @param[out]    choice  value, passes, always_valid
 * @return the same code on every rank: CGM_OK, CGM_ERR_INPUT (no lengthscale satisfies the
 * condition), CGM_ERR_MEMORY
 */
cgm_status cgm_lengthscale_choose(cgm_comm *comm, const cgm_layout *layout, const cgm_shard *shard,
                                  const cgm_candidates *candidates, double deviation,
                                  cgm_kernel *kernel, cgm_lengthscale *choice);

#endif
