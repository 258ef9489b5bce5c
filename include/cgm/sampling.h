/**
 * @file sampling.h
 * Weighted sampling of the parties' synthetic rewards from the pool (MATH.md §6).
 */
#ifndef CGM_SAMPLING_H
#define CGM_SAMPLING_H

#include <stdbool.h>
#include <stdint.h>

#include "cgm/chain.h"
#include "cgm/pause.h"
#include "cgm/reward_lp.h"

/** Rewards of all parties at one inverse temperature. */
typedef struct cgm_reward_set {
    double inv_temp;
    int64_t
        *offsets; /**< [n_parties + 1] rows of each party among all rewards, same on every rank */
    double *start_value; /**< [n_parties] v before the first draw */
    int64_t *draws;   /**< [n_parties] made, those beyond the maximum of a party that stopped short
                         included */
    int64_t *reached; /**< [n_parties] 0 or 1 */
    int64_t *indices; /**< rows of the pool in draw order: of the parties that this rank keeps */
    double *values;   /**< v after each draw, same rows */
} cgm_reward_set;

typedef struct cgm_sampling {
    int64_t n_sets;
    cgm_reward_set *sets;
} cgm_sampling;

/** Sampling half-way, as it is kept and gone on from: what was drawn. Chain s · n_parties + i is
 * party i's at inverse temperature number s. What is counted is the same on every rank; rows are
 * numbered through over ranks, each chain's in one piece, on one rank. */
typedef struct cgm_sampling_partial {
    int64_t n_chains;
    int64_t *finished;  /**< [n_chains] 0 or 1 */
    int64_t *draws;     /**< [n_chains] draws made */
    int64_t *reached;   /**< [n_chains] 0 or 1, of finished chains */
    int64_t *n_rows;    /**< [n_chains] of a finished chain its reward, else all that it drew */
    int64_t *first_row; /**< [n_chains] its first row, counted over all ranks */
    int64_t total_rows; /**< of all ranks */
    int64_t first_local,
        n_local;      /**< rows of this rank: first_local .. first_local + n_local - 1 */
    int64_t *indices; /**< [n_local] candidates in draw order */
    double *values;   /**< [n_local] v after each draw */
} cgm_sampling_partial;

/** How a sampling may begin and be interrupted; NULL in its place: from the start, and not. */
typedef struct cgm_sampling_course {
    const cgm_sampling_partial *begin; /**< or NULL; the rows of a chain are on the rank that keeps
                                          its party, and ranks' rows follow each other */
    const cgm_pause *pause;            /**< keeps a cgm_sampling_partial; or NULL */
} cgm_sampling_course;

/** What is drawn. */
typedef struct cgm_sampling_rules {
    const double *inv_temp; /**< [n_inv_temp] β, 0 .. INFINITY */
    int64_t n_inv_temp;
    double patience; /**< fraction of the pool without a new maximum */
    uint64_t seed;
} cgm_sampling_rules;

/** Who draws it: no result depends on that. Teams of ranks take tasks as they come free. */
typedef struct cgm_sampling_plan {
    int n_teams;      /**< 1 .. ranks; teams are as even as may be, ranks in order */
    int64_t n_chains; /**< that a team advances together, 1 .. CGM_TEAM_CHAINS */
    bool by_chain;    /**< a task is a party at one β, not at all of them */
    bool at_home; /**< every rank is a team and draws for the parties that it keeps, whose points
                     stay there */
} cgm_sampling_plan;

/**
 * The plan that suits a number of ranks.  Local.
 * - A sliced pool is drawn from by all ranks together.
 * - Up to as many ranks as parties, each rank draws for a party on its own.
 * - More ranks form teams, as far as the pool is long enough that a rank's part is worth a message
 * a draw; where it is not, they draw for a party at different β.
 */
cgm_sampling_plan cgm_sampling_plan_for(int size, int64_t n_parties, int64_t n_inv_temp,
                                        const cgm_candidates *candidates);

/** Local. The plan for sealed shards (shard.h): every rank draws for its own parties alone. The
 * pool must not be sliced. */
cgm_sampling_plan cgm_sampling_plan_at_home(int size, int64_t n_inv_temp,
                                            const cgm_candidates *candidates);

/**
 * Rewards of all parties at every inverse temperature.  Collective.
 * @param[in]  course    or NULL
 * @param[out] sampling  owned by the caller; the pair is cgm_sampling_destroy
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY, or what the pause returned.  Cost
 * O(g d) a draw, shared by a team; 8 bytes a candidate of a rank's part and chain that it advances,
 * and the rewards.
 */
cgm_status cgm_sampling_draw_planned(cgm_comm *comm, const cgm_shard *shard,
                                     const cgm_candidates *candidates, const cgm_kernel *kernel,
                                     const cgm_kernel_sums *sums, const cgm_reward *reward,
                                     const cgm_sampling_rules *rules, const cgm_sampling_plan *plan,
                                     const cgm_sampling_course *course, cgm_sampling *sampling);

/** As cgm_sampling_draw_planned, by cgm_sampling_plan_for or, where shards are sealed,
 * cgm_sampling_plan_at_home.  Collective. */
cgm_status cgm_sampling_draw(cgm_comm *comm, const cgm_shard *shard,
                             const cgm_candidates *candidates, const cgm_kernel *kernel,
                             const cgm_kernel_sums *sums, const cgm_reward *reward,
                             const double *inv_temp, int64_t n_inv_temp, double patience,
                             uint64_t seed, const cgm_sampling_course *course,
                             cgm_sampling *sampling);

/**
 * The candidates that rewards name: each rank asks for its own, and answers what others ask of its
 * slice.  Collective.
 * @param[in]  indices  [n_rows] rows of the pool
 * @param[out] points   [n_rows][n_original_features] as they were read
 * @param[out] labels   [n_rows], or NULL on every rank
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY
 */
cgm_status cgm_sampling_points(cgm_comm *comm, const cgm_candidates *candidates,
                               const int64_t *indices, int64_t n_rows, double *points,
                               int64_t *labels);

/**
 * All chains of a sampling that has ended, as they are kept.  Collective.
 * @param[out] partial  the pair is cgm_sampling_partial_destroy, after errors too
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY
 */
cgm_status cgm_sampling_whole(cgm_comm *comm, const cgm_shard *shard, const cgm_sampling *sampling,
                              cgm_sampling_partial *partial);

/** Local. Room for counts of chains, zeroed; and for rows of this rank. The pair of both is
 * cgm_sampling_partial_destroy, after errors too. CGM_OK, CGM_ERR_MEMORY. */
cgm_status cgm_sampling_partial_create(cgm_comm *comm, int64_t n_chains,
                                       cgm_sampling_partial *partial);
cgm_status cgm_sampling_partial_allocate(cgm_comm *comm, int64_t n_rows,
                                         cgm_sampling_partial *partial);

/** Local. Accepts a zeroed struct. */
void cgm_sampling_partial_destroy(cgm_sampling_partial *partial);

/** Local. Accepts a zeroed struct. */
void cgm_sampling_destroy(cgm_sampling *sampling);

#endif
