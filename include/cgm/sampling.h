/**
 * @file sampling.h
 * Weighted sampling of the parties' synthetic rewards from the pool (MATH.md §6).
 */
#ifndef CGM_SAMPLING_H
#define CGM_SAMPLING_H

#include <stdbool.h>
#include <stdint.h>

#include "cgm/kernel_sums.h"
#include "cgm/reward_lp.h"
#include "cgm/rng.h"

/** Proposals of a draw by rejection before it falls back to the inverse CDF; both are exact. */
enum { CGM_SAMPLING_PROPOSALS = 1024 };

/** The packed pool with what all chains of a rank share. */
typedef struct cgm_sampling_pool {
    const cgm_kernel *kernel;
    int64_t n_candidates; /**< g */
    int64_t n_reference;  /**< n */
    int64_t n_blocks;
    cgm_block *blocks;            /**< packed pool, one copy a node */
    const double *candidate_sums; /**< u [n_candidates] */
    cgm_shared memory;
} cgm_sampling_pool;

/** One party's synthetic data growing at one inverse temperature. */
typedef struct cgm_chain {
    const cgm_sampling_pool *pool;
    double inv_temp;  /**< β, 0 .. INFINITY */
    double target;    /**< r_i */
    int64_t patience; /**< draws without a new maximum of v before giving up */
    cgm_rng proposal;
    cgm_rng inverse;

    int64_t n_own;        /**< |Y| = points of the party and its rewards so far */
    double own_sum;       /**< σ_YY */
    double reference_sum; /**< σ_YT */
    double value;         /**< v(Y) */
    double *affinity;     /**< a [n_candidates] Σ_{y∈Y} k(c, y) */
    double *mask;         /**< [n_candidates] 0, or INFINITY for a taken candidate */
    double *row; /**< [CGM_BLOCK_POINTS] kernel row of the last candidate, a block at a time */
    double *block_weight; /**< [n_blocks] of the inverse CDF */
    double low, high;     /**< min and max of w over candidates not taken */

    int64_t n_draws;
    int64_t *indices;   /**< [n_draws] candidates in draw order; capacity n_candidates */
    double *values;     /**< [n_draws] v after each draw */
    double best;        /**< largest v so far, the start included */
    int64_t best_draws; /**< draws at which it was met first */
    bool reached;
} cgm_chain;

/** Chooses the next candidate; the sampler's own or, in tests, one that replays recorded uniform
 * numbers. */
typedef int64_t (*cgm_pick)(cgm_chain *chain, void *state);

/** Rewards of all parties at one inverse temperature. */
typedef struct cgm_reward_set {
    double inv_temp;
    int64_t
        *offsets; /**< [n_parties + 1] rows of each party among all rewards, same on every rank */
    double *start_value; /**< [n_parties] v before the first draw */
    int64_t *draws;   /**< [n_parties] made, those beyond the maximum of a party that stopped short
                         included */
    int64_t *reached; /**< [n_parties] 0 or 1 */
    int64_t *indices; /**< rows of the pool in draw order: the rows of this rank's parties only */
    double *values;   /**< v after each draw, same rows */
} cgm_reward_set;

typedef struct cgm_sampling {
    int64_t n_sets;
    cgm_reward_set *sets;
} cgm_sampling;

/** Collective over the node. Packs the pool for sampling. The pair is cgm_sampling_pool_destroy.
 * CGM_OK, CGM_ERR_MEMORY. */
cgm_status cgm_sampling_pool_create(cgm_comm *comm, const cgm_candidates *candidates,
                                    const cgm_kernel *kernel, const cgm_kernel_sums *sums,
                                    cgm_sampling_pool *pool);
void cgm_sampling_pool_destroy(cgm_sampling_pool *pool);

/**
 * Start a chain at a party's own data.  Local.
 * @param[in] affinity  [n_candidates] Σ_{y∈D_i} k(c, y), copied
 * @param[in] own_sum, reference_sum  S_ii and t_i
 */
cgm_status cgm_chain_create(cgm_comm *comm, const cgm_sampling_pool *pool, const double *affinity,
                            double own_sum, double reference_sum, int64_t n_own, double inv_temp,
                            double target, double patience, uint64_t seed, const char *name,
                            cgm_chain *chain);
void cgm_chain_destroy(cgm_chain *chain);

/** Local. Draw by rejection with the inverse CDF as fallback; greedy for β = ∞. state is not used.
 */
int64_t cgm_chain_pick(cgm_chain *chain, void *state);

/** Local. At most proposals attempts by rejection; -1 when all were refused. */
int64_t cgm_chain_pick_rejection(cgm_chain *chain, int64_t proposals);

/**
 * The first candidate, in pool order among those not taken, whose cumulative probability exceeds
 * uniform.  Local. Cost O(g).
 */
int64_t cgm_chain_pick_inverse(cgm_chain *chain, double uniform);

/** Local. Add a candidate to Y: one kernel row, O(g d). Updates value, best, low and high. */
void cgm_chain_add(cgm_comm *comm, cgm_chain *chain, int64_t candidate);

/** Local. Draw until the target is reached, patience is used up or the pool is (MATH.md §6). */
void cgm_chain_run(cgm_comm *comm, cgm_chain *chain, cgm_pick pick, void *state);

/** Local. Σ_{y∈Y} k(c, y) over a party's points [n_points][n_features] for all candidates. affinity
 * [n_candidates]. */
cgm_status cgm_sampling_affinity(cgm_comm *comm, const cgm_sampling_pool *pool,
                                 const double *points, int64_t n_points, double *affinity);

/**
 * Rewards of all parties at every inverse temperature, each rank drawing for the parties at home on
 * it.  Collective.
 * @param[in]  inv_temp  [n_inv_temp] β, 0 .. INFINITY
 * @param[in]  patience  fraction of the pool without a new maximum
 * @param[out] sampling  owned by the caller; the pair is cgm_sampling_destroy
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY.  Cost O(g d) a draw.
 */
cgm_status cgm_sampling_draw(cgm_comm *comm, const cgm_shard *shard,
                             const cgm_candidates *candidates, const cgm_kernel *kernel,
                             const cgm_kernel_sums *sums, const cgm_reward *reward,
                             const double *inv_temp, int64_t n_inv_temp, double patience,
                             uint64_t seed, cgm_sampling *sampling);

/** Local. Accepts a zeroed struct. */
void cgm_sampling_destroy(cgm_sampling *sampling);

#endif
