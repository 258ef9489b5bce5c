/**
 * @file metrics_moments.h
 * Means and scatter of groups of points: T, parties' data, rewards. The same bits on every rank, at
 * every number of ranks. Internal to the metrics.
 */
#ifndef CGM_METRICS_MOMENTS_H
#define CGM_METRICS_MOMENTS_H

#include "metrics_rewards.h"

/** Moments of some groups, of coordinates z = (x − mean of T)·2^-exponent, which are about 1. */
typedef struct group_moments {
    int64_t n_groups;
    double *counts; /**< [n_groups] points */
    double *means;  /**< [n_groups][n_features] */
    double *scatters; /**< [n_groups][n_features][n_features] Σ (z − mean)(z − mean)ᵀ, symmetric */
} group_moments;

/** Local. The exponent of z: that of T's overall standard deviation. */
int moments_exponent(const cgm_run *run);

/** Moments of T, one group.  Collective.  Cost O(n d²) shared among the ranks.
 * @param[out] moments  the pair is moments_destroy, after errors too
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY */
cgm_status moments_of_reference(cgm_comm *comm, const cgm_run *run, group_moments *moments);

/** As moments_of_reference for parties first .. end - 1, [end - first][1 + n_sets] groups: a
 * party's data, and its reward of each set.  Collective. */
cgm_status moments_of_parties(cgm_comm *comm, const cgm_run *run, const reward_rows *rows,
                              int64_t first, int64_t end, group_moments *moments);

/** Local. Bytes that a group takes while its moments are summed up. */
int64_t moments_bytes(int64_t n_features);

/** Local. Accepts a zeroed struct. */
void moments_destroy(group_moments *moments);

#endif
