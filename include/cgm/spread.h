/**
 * @file spread.h
 * Where points lie, feature by feature: their range, mean and standard deviation.
 */
#ifndef CGM_SPREAD_H
#define CGM_SPREAD_H

#include "cgm/pairs.h"

/** Of every feature, in its own unit. One allocation behind all arrays. */
typedef struct cgm_spread {
    double *low;         /**< [n_features] smallest value */
    double *range;       /**< [n_features] largest less smallest value */
    double *centre;      /**< [n_features] middle of the range */
    double *pool_centre; /**< [n_features] middle of the candidates' range, which no party has a
                            part in; without candidates the same as centre */
    double *mean;        /**< [n_features] */
    double *deviation;   /**< [n_features] standard deviation, of all points (not less one) */
    double overall;      /**< sd: root of the mean over features of the variance (MATH.md §3) */
} cgm_spread;

/**
 * Measure the reference set T, or the parties' points alone.  Collective.  Two passes over the
 * points; the same bits on every rank, at every number of ranks.
 * Where shards are sealed no point's coordinate is told: range is then a power of two that bounds
 * distances from the mean, centre the mean, and pool_centre the middle of the pool's range as ever.
 * @param[in]  candidates  NULL: the parties alone
 * @param[out] spread      owned by the caller; the pair is cgm_spread_destroy
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY
 */
cgm_status cgm_spread_measure(cgm_comm *comm, const cgm_shard *shard,
                              const cgm_candidates *candidates, cgm_spread *spread);

/** Local. Accepts a zeroed struct. */
void cgm_spread_destroy(cgm_spread *spread);

#endif
