/**
 * @file metrics_rewards.h
 * Rewards as the measures see them: row by row on the rank that accounts for the candidate, where
 * its point, label and sum can be read, instead of on the rank that keeps the party. Internal to
 * the metrics.
 */
#ifndef CGM_METRICS_REWARDS_H
#define CGM_METRICS_REWARDS_H

#include "cgm/pipeline.h"

/** The reward of a party at an inverse temperature holds a candidate. */
typedef struct reward_row {
    int64_t party;
    int64_t candidate;
    int64_t set; /**< number of the inverse temperature */
} reward_row;

/** What this rank accounts for: a run of the pool, and the rewards' rows in it. */
typedef struct reward_rows {
    int64_t first, end; /**< candidates; multiples of 64, or all of a slice */
    int64_t n_rows;
    reward_row *rows; /**< by party, candidate, set */
    int64_t n_candidates;
    int64_t *candidates; /**< [n_candidates] that any reward holds, each once, ascending */
} reward_rows;

/** Who accounts for what, where every rank can read all of the pool: no result depends on it. */
typedef struct reward_shares {
    int64_t own_work; /**< of this rank beside the candidates, in candidates */
    bool all;         /**< all candidates make work, not only those that rewards hold */
} reward_shares;

/**
 * Spread the rows of all rewards, so that every rank has about the same work.  Collective.
 * @param[out] rows  the pair is reward_rows_destroy, after errors too
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY
 */
cgm_status reward_rows_spread(cgm_comm *comm, const cgm_run *run, const reward_shares *shares,
                              reward_rows *rows);

/** Local. Place of a candidate among candidates, which holds it. */
int64_t reward_rows_find(const reward_rows *rows, int64_t candidate);

/** Local. The first row of a party or of one after it. */
int64_t reward_rows_first(const reward_rows *rows, int64_t party);

/** Local. Points of all rewards of a party, over all sets and ranks. */
int64_t reward_rows_of_party(const cgm_run *run, int64_t party);

/** Local. Points of a reward. */
int64_t reward_size(const cgm_run *run, int64_t set, int64_t party);

/** Local. A candidate that this rank accounts for, as the kernel sees it: [n_features] */
const double *reward_point(const cgm_run *run, int64_t candidate);

/** Local. Accepts a zeroed struct. */
void reward_rows_destroy(reward_rows *rows);

#endif
