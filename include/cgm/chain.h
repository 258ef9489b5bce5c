/**
 * @file chain.h
 * One party's synthetic data growing at one inverse temperature (MATH.md §6), as one rank sees it:
 * a rank holds the affinities of a part of the pool. What is said here is local; sampling_team.h
 * brings the parts together.
 */
#ifndef CGM_CHAIN_H
#define CGM_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "cgm/kernel_sums.h"
#include "cgm/rng.h"

/** The packed pool, and the run of its blocks that is this rank's part in all chains. */
typedef struct cgm_sampling_pool {
    const cgm_kernel *kernel;
    int64_t n_candidates; /**< g */
    int64_t n_reference;  /**< n */
    int64_t n_blocks;
    const cgm_block *blocks; /**< [n_blocks]; without coordinates where they are not held here */
    bool sliced;             /**< coordinates are held of the part alone */

    int64_t first_block, end_block;
    int64_t first, end;           /**< candidates of the part */
    const double *candidate_sums; /**< u [end - first] of the part */
} cgm_sampling_pool;

/** A proposed candidate and the uniform number that decides on it. */
typedef struct cgm_proposal {
    int64_t candidate;
    double uniform;
} cgm_proposal;

/** What the bookkeeping of a draw needs to know of a candidate. */
typedef struct cgm_candidate_sums {
    double affinity; /**< a_c, -INFINITY for one that is taken or not of this rank's part */
    double sum;      /**< u_c */
} cgm_candidate_sums;

/** Where a chain begins, and its rules. */
typedef struct cgm_chain_start {
    double own_sum;       /**< σ_YY = S_ii */
    double reference_sum; /**< σ_YT = t_i */
    int64_t n_own;        /**< m_i */
    double inv_temp;      /**< β, 0 .. INFINITY */
    double target;        /**< r_i */
    double patience;      /**< fraction of the pool without a new maximum of v before giving up */
    uint64_t seed;
    const char *name; /**< of the party: its random numbers' stream */
} cgm_chain_start;

typedef struct cgm_chain {
    const cgm_sampling_pool *pool;
    double inv_temp;
    double target;
    int64_t patience; /**< draws */
    cgm_rng proposal;
    cgm_rng inverse;

    int64_t n_own;        /**< |Y| = points of the party and its rewards so far */
    double own_sum;       /**< σ_YY */
    double reference_sum; /**< σ_YT */
    double value;         /**< v(Y) */
    double *affinity;     /**< a [candidates of the part] Σ_{y∈Y} k(c, y), NaN for a taken one */
    cgm_extremes extremes; /**< of w over candidates not taken: of the part while the pool is swept,
                              then of the whole pool */

    int64_t n_draws;
    int64_t capacity;   /**< of indices and values */
    int64_t *indices;   /**< [n_draws] candidates in draw order, as far as there is room */
    double *values;     /**< [n_draws] v after each draw, as far as there is room */
    double best;        /**< largest v so far, the start included */
    int64_t best_draws; /**< draws at which it was met first */
    bool reached;
} cgm_chain;

/**
 * Pack the pool for sampling; all that this rank holds becomes its part.  Collective over the node.
 * @param[in,out] candidates  their packed form is what pool refers to, and must stay
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY
 */
cgm_status cgm_sampling_pool_create(cgm_comm *comm, const cgm_candidates *candidates,
                                    const cgm_kernel *kernel, const cgm_kernel_sums *sums,
                                    cgm_sampling_pool *pool);

/** Local. Cut the part down to rank's of size even ones, whole blocks. */
void cgm_sampling_pool_share(cgm_sampling_pool *pool, int rank, int size);

/**
 * Add Σ_{y} k(c, y) over points [n_points][n_features] to the affinities of the part.  Local.
 * Bits depend on where points are cut into calls, so they start at a multiple of CGM_BLOCK_POINTS
 * of their party's.  Cost n_points · part · d.
 * @param[in,out] affinity  [candidates of the part]
 * @return CGM_OK, CGM_ERR_MEMORY
 */
cgm_status cgm_sampling_add_affinity(cgm_comm *comm, const cgm_sampling_pool *pool,
                                     const double *points, int64_t n_points, double *affinity);

/** Local. Room for a chain's affinities. CGM_OK, CGM_ERR_MEMORY. */
cgm_status cgm_chain_create(cgm_comm *comm, const cgm_sampling_pool *pool, cgm_chain *chain);

/** Local. Accepts a zeroed struct. */
void cgm_chain_destroy(cgm_chain *chain);

/** Local. Begin at a party's own data; affinities are the caller's to fill in. May be called again
 * for another party. */
void cgm_chain_begin(cgm_chain *chain, const cgm_chain_start *start);

/** Local. Is the target reached, patience used up or the pool (MATH.md §6)? Sets reached. */
bool cgm_chain_is_finished(cgm_chain *chain);

/** Local. Draws that are the reward: all when the target is reached, else those up to the largest
 * value. */
int64_t cgm_chain_reward(const cgm_chain *chain);

/** Local. Room for one more draw in indices and values. CGM_OK, CGM_ERR_MEMORY. */
cgm_status cgm_chain_reserve(cgm_comm *comm, cgm_chain *chain);

/** Local. The chain's part in a sweep, with no score seen yet: a point (packed, or NULL for none)
 * is to be added to the affinities of the part. */
cgm_score cgm_chain_score(const cgm_chain *chain, const double *point);

/** Local. Sweep blocks first .. end - 1 of the part for some chains at once: add their points and
 * widen their extremes. Threads may sweep different blocks, each with scores of its own. */
void cgm_sampling_pool_score(const cgm_sampling_pool *pool, int64_t first, int64_t end,
                             int64_t n_scores, cgm_score *scores);

/** Local. A sweep of one chain over all blocks of the part. */
void cgm_chain_sweep(cgm_comm *comm, cgm_chain *chain, const double *point);

/** Local. Proposal number `number` of the chain's next draw. */
cgm_proposal cgm_chain_propose(const cgm_chain *chain, int64_t number);

/** Local. What this rank knows of a candidate. */
cgm_candidate_sums cgm_chain_look_up(const cgm_chain *chain, int64_t candidate);

/** Local. Is a proposal accepted? Needs the whole pool's extremes. */
bool cgm_chain_accepts(const cgm_chain *chain, const cgm_proposal *proposal,
                       cgm_candidate_sums sums);

/** Local. The uniform number of the inverse CDF for the next draw. */
double cgm_chain_inverse_uniform(const cgm_chain *chain);

/** Local. Sum of the weights exp(−β(1 − Δ̄)) of each block of the part. weights [n_blocks], the
 * others' are not touched. */
void cgm_chain_weights(const cgm_chain *chain, double *weights);

/**
 * The first candidate, in pool order among those not taken, whose cumulative probability exceeds
 * uniform.  Local.
 * @param[in] weights  [n_blocks] of all blocks
 * @return -1 when it lies outside this rank's part
 */
int64_t cgm_chain_locate(const cgm_chain *chain, const double *weights, double uniform);

/** Local. The candidate of the part with the largest score, of several the first; -1 and -INFINITY
 * when all are taken. */
int64_t cgm_chain_greedy(const cgm_chain *chain, double *score);

/** Local. Move a candidate into Y: sums, value and best; its kernel row is the next sweep's to add.
 */
void cgm_chain_take(cgm_chain *chain, int64_t candidate, cgm_candidate_sums sums);

/**
 * Take a candidate and sweep, where the part is the whole pool.  Local.  One kernel row, O(g d).
 * @return CGM_OK, CGM_ERR_MEMORY
 */
cgm_status cgm_chain_add(cgm_comm *comm, cgm_chain *chain, int64_t candidate);

#endif
