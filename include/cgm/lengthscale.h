/**
 * @file lengthscale.h
 * The choice of the lengthscale (MATH.md §3).
 */
#ifndef CGM_LENGTHSCALE_H
#define CGM_LENGTHSCALE_H

#include <stdbool.h>

#include "cgm/accumulator.h"
#include "cgm/pairs.h"

/** Rungs of the ladder in a pass with embeddings, where each costs the same: as many as a cubic
 * goes through. */
enum { CGM_EMBEDDING_RUNGS = 4 };

typedef enum cgm_lengthscale_rule {
    CGM_LENGTHSCALE_NONNEGATIVE,
    CGM_LENGTHSCALE_MEDIAN,
    CGM_LENGTHSCALE_GIVEN
} cgm_lengthscale_rule;

typedef struct cgm_lengthscale {
    cgm_lengthscale_rule rule;
    double value;      /**< ℓ, in the points' unit; NaN with one a feature */
    int64_t passes;    /**< passes over the points it took */
    bool always_valid; /**< no ℓ down to the floor violates the condition: value is the floor */
} cgm_lengthscale;

/** The search half-way, as it is kept and gone on from: what finished passes found, and the exact
 * sums of the pass under way over the units that are done. */
typedef struct cgm_lengthscale_partial {
    int64_t n_values;
    double *values; /**< [n_values] of the passes in order, the same on every rank */
    int64_t n_sums;
    cgm_accumulator *sums; /**< [n_sums] on rank 0 */
    cgm_units units;
} cgm_lengthscale_partial;

/** How a search may begin and be interrupted; zeroed: from the start, and not. */
typedef struct cgm_lengthscale_course {
    const cgm_lengthscale *known;         /**< chosen by an earlier run by the same rule; or NULL */
    const cgm_lengthscale_partial *begin; /**< or NULL */
    const cgm_pause *pause;               /**< keeps a cgm_lengthscale_partial; or NULL */
    struct cgm_frequencies *frequencies;  /**< values come from embeddings by them; or NULL */
} cgm_lengthscale_course;

/** Local. The word for a rule in options and output. */
const char *cgm_lengthscale_rule_name(cgm_lengthscale_rule rule);

/**
 * Values v({i}) of all parties at one lengthscale, with their slopes.  Collective; one pass over
 * parties × T. MATH.md §2, §3.
 * @param[out] values  [n_parties] v({i})
 * @param[out] slopes  [n_parties] ∂v({i})/∂(log ℓ)
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY
 */
cgm_status cgm_lengthscale_evaluate(cgm_comm *comm, const cgm_shard *shard,
                                    const cgm_candidates *candidates, const cgm_kernel *kernel,
                                    double *values, double *slopes);

/**
 * Choose the lengthscale by a rule (MATH.md §3).  Collective.
 * @param[in]     deviation  sd of T (spread.h)
 * @param[in]     given      [n_given] for CGM_LENGTHSCALE_GIVEN: one number, or one a feature; must
 *                           outlive the kernel
 * @param[in]     seed       of the points that the median is taken over
 * @param[in]     course     or NULL
 * @param[in,out] kernel     type and centre stand; lengthscale or feature_lengthscales are set
 * @param[out]    choice     rule, value, passes, always_valid
 * @return the same code on every rank: CGM_OK, CGM_ERR_USAGE (wrong number of numbers),
 *         CGM_ERR_INPUT (no lengthscale satisfies the condition; the median is 0), CGM_ERR_MEMORY,
 *         or what pause returned
 */
cgm_status cgm_lengthscale_choose(cgm_comm *comm, const cgm_shard *shard,
                                  const cgm_candidates *candidates, double deviation,
                                  cgm_lengthscale_rule rule, const double *given, int64_t n_given,
                                  uint64_t seed, const cgm_lengthscale_course *course,
                                  cgm_kernel *kernel, cgm_lengthscale *choice);

#endif
