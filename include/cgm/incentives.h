/**
 * @file incentives.h
 * The certificate: which incentives the rewards give to collaborate, checked on the values that
 * were promised (MATH.md §5, "Certificate").
 */
#ifndef CGM_INCENTIVES_H
#define CGM_INCENTIVES_H

#include <stdbool.h>
#include <stdint.h>

#include "cgm/coalition.h"
#include "cgm/reward_lp.h"
#include "cgm/sampling.h"
#include "cgm/shapley.h"
#include "cgm/shard.h"

/** Rows of the certificate, in the order of the output. */
typedef enum cgm_incentive {
    CGM_NON_NEGATIVITY,
    CGM_INDIVIDUAL_RATIONALITY,
    CGM_STABILITY,
    CGM_FEASIBILITY,
    CGM_WEAK_EFFICIENCY,
    CGM_USELESSNESS,
    CGM_SYMMETRY,
    CGM_STRICT_DESIRABILITY,
    CGM_STRICT_MONOTONICITY,
    CGM_GROUP_WELFARE,
    CGM_N_INCENTIVES
} cgm_incentive;

/** Room for a row's detail: two names of parties, each cut to 200 bytes, and numbers. */
enum { CGM_INCENTIVE_DETAIL = 640 };

typedef struct cgm_incentive_row {
    bool holds;       /**< on r, within CGM_INCENTIVE */
    double violation; /**< largest on r, in units of v; 0 when it holds, and also where equality is
                         what violates a strict inequality */
    double realised;  /**< largest on the values reached, worst over β; NaN without any. The last
                         draw overshoots r, so that this is no judgement */
    char
        detail[CGM_INCENTIVE_DETAIL]; /**< the party or pair that comes closest, with its numbers */
} cgm_incentive_row;

typedef struct cgm_incentives {
    int64_t n_sets;   /**< number of β */
    double *realised; /**< [n_sets][n_parties] v of a party's data with its reward */
    cgm_incentive_row rows[CGM_N_INCENTIVES];
} cgm_incentives;

/** Local. The name of a row, as the output spells it. */
const char *cgm_incentive_name(cgm_incentive incentive);

/**
 * The values that all parties reached, at every β.  Collective.
 * @param[out] incentives  n_sets and realised; the pair is cgm_incentives_destroy
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY
 */
cgm_status cgm_incentives_gather(cgm_comm *comm, const cgm_shard *shard,
                                 const cgm_sampling *sampling, cgm_incentives *incentives);

/**
 * Fill in all rows.  Collective; rank 0 works, but for the comparison of rows of S where they are.
 * @param[in]     names       [n_parties] for the details
 * @param[in,out] incentives  n_sets and realised stand (0 and NULL: nothing was drawn)
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY.  Cost O(N log N) on rank 0, O(2^N
 * N²) at worst up to CGM_ENUMERATE_MAX parties, and on all ranks O(N²) comparisons of three
 * numbers.
 */
cgm_status cgm_incentives_certify(cgm_comm *comm, char *const *names, const cgm_kernel_sums *sums,
                                  const cgm_values *values, const cgm_shapley *shapley,
                                  const cgm_reward *reward, cgm_incentives *incentives);

/** Local. Accepts a zeroed struct. */
void cgm_incentives_destroy(cgm_incentives *incentives);

#endif
