/**
 * @file metrics_parts.h
 * The measures of metrics.h that need sums, moments and distances, each in a source file of its
 * own. All are Collective, fill in their columns of all sets with the same bits on every rank and
 * at every number of ranks, and return the same code on every rank: CGM_OK, CGM_ERR_MEMORY.
 * Internal to metrics.c. MATH.md §7.
 */
#ifndef CGM_METRICS_PARTS_H
#define CGM_METRICS_PARTS_H

#include "cgm/pipeline.h"

/** Unbiased MMD² to T, from the kernel sums and the chains' values: no evaluation. */
cgm_status metrics_measure_mmd2(cgm_comm *comm, const cgm_run *run, cgm_metrics *metrics);

/** (1/K) Σ p_k² over the K classes that any label names. */
cgm_status metrics_measure_imbalance(cgm_comm *comm, const cgm_run *run, cgm_metrics *metrics);

/** Squared Wasserstein-2 distance to T of Gaussian fits.  Cost O(n d²) and O(d³) a party and set,
 * shared among the ranks; memory O(d²) and a batch of sums. */
cgm_status metrics_measure_wasserstein2(cgm_comm *comm, const cgm_run *run, cgm_metrics *metrics);

/** Kullback-Leibler divergence from T by nearest neighbours.  Distances of points and different
 * candidates of rewards to n points, and of rewards to their party's points, shared among the
 * ranks; memory O(d) a point. */
cgm_status metrics_measure_kl(cgm_comm *comm, const cgm_run *run, cgm_metrics *metrics);

/** Distances of rewards to records of other parties, against those of held-out points.  Distances
 * of different candidates of rewards and held-out points to the parties' points. */
cgm_status metrics_measure_privacy(cgm_comm *comm, const cgm_run *run, cgm_metrics *metrics);

/** Points of a party and its reward. */
static inline double metrics_points(const cgm_run *run, const cgm_metrics *metrics, int64_t set,
                                    int64_t party)
{
    return (double)run->shard.party_points[party] +
           metrics->sets[set].columns[CGM_N_REWARDS][party];
}

#endif
