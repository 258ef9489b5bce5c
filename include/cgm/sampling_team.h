/**
 * @file sampling_team.h
 * The draws of several chains by a team of ranks that share the pool (MATH.md §6). All chains of a
 * team advance together: one draw each, then one sweep over the pool for all. What is drawn does
 * not depend on the team.
 */
#ifndef CGM_SAMPLING_TEAM_H
#define CGM_SAMPLING_TEAM_H

#include "cgm/chain.h"

/** Proposals of a draw by rejection before it falls back to the inverse CDF; both are exact. */
enum { CGM_SAMPLING_PROPOSALS = 1024 };
/** Most chains that a team advances together. */
enum { CGM_TEAM_CHAINS = 8 };

/** A chain, and the draw that is being made for it: the same on every rank of the team. */
typedef struct cgm_team_chain {
    cgm_chain chain;
    bool live;
    int64_t set;   /**< whose chain it is: number of β */
    int64_t party; /**< and party */

    int64_t tried;           /**< proposals looked at */
    int64_t ahead;           /**< proposals to begin with, by what the last draw took */
    int64_t candidate;       /**< chosen, -1 as long as none is */
    cgm_candidate_sums sums; /**< of the one chosen; affinity NaN as long as they are not known */
    double *point;           /**< [n_features] packed, of the candidate taken last */
    bool moved;              /**< point is the next sweep's to add */

    int64_t n_given; /**< draws that an earlier run has made: they are made again as they were */
    int64_t *given;  /**< [n_given] candidates, allocated; the team frees them */
    double *given_values; /**< [n_given] v after each of them, the same */
} cgm_team_chain;

/** What a rank wants its team to do next; of several ranks the strongest counts. */
typedef enum cgm_team_wish { CGM_TEAM_GO_ON, CGM_TEAM_PAUSE, CGM_TEAM_GIVE_UP } cgm_team_wish;

typedef struct cgm_team {
    cgm_comm *comm; /**< the ranks of the team */
    cgm_sampling_pool *pool;
    int64_t most_proposals; /**< of a draw by rejection, CGM_SAMPLING_PROPOSALS */
    int64_t n_slots;
    cgm_team_chain *slots;   /**< [n_slots] */
    double *points;          /**< [n_slots][n_features] */
    cgm_proposal *proposals; /**< [n_slots][CGM_SAMPLING_PROPOSALS] */
    double *words;           /**< what one reduction carries */
} cgm_team;

/**
 * Make room for chains.  Local.
 * @param[in]  comm  the ranks of the team, each with its own part of pool; both must stay
 * @param[out] team  without live chains; the pair is cgm_team_destroy
 * @return CGM_OK, CGM_ERR_MEMORY
 */
cgm_status cgm_team_create(cgm_comm *comm, cgm_sampling_pool *pool, int64_t n_slots,
                           cgm_team *team);

/** Local. Accepts a zeroed struct. */
void cgm_team_destroy(cgm_team *team);

/** Local. A slot's chain, begun and with affinities in place, is live from now on. */
void cgm_team_enter(cgm_team *team, int64_t slot);

/** Local. Number of live chains. */
int64_t cgm_team_count(const cgm_team *team);

/** Local. One pass over this rank's part for all live chains: adds the kernel rows of the
 * candidates taken last. */
void cgm_team_sweep(cgm_team *team);

/**
 * Choose a candidate for every live chain, after a sweep.  Collective over the team; one reduction
 * as a rule.
 * @return the strongest wish in the team; unless it is to go on nothing is chosen, and the sweep
 * will be made again
 */
cgm_team_wish cgm_team_choose(cgm_team *team, cgm_team_wish wish);

/**
 * Take the candidates chosen.  Local.
 * @return CGM_OK; CGM_ERR_MEMORY (on the team's first rank, which keeps the draws)
 */
cgm_status cgm_team_take(cgm_team *team);

#endif
