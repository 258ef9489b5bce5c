/**
 * @file sampling_drawing.h
 * What a team works on while it draws; internal to sampling.c and sampling_resume.c.
 */
#ifndef CGM_SAMPLING_DRAWING_H
#define CGM_SAMPLING_DRAWING_H

#include "cgm/log.h"
#include "cgm/sampling_team.h"
#include "sampling_rows.h"

typedef struct party_drawing {
    cgm_comm *comm;
    const cgm_shard *shard;
    const cgm_kernel_sums *sums;
    const cgm_reward *reward;
    const cgm_sampling_rules *rules;
    const cgm_sampling_plan *plan;
    const cgm_sampling_course *course;
    cgm_sampling *sampling;
    cgm_progress progress;

    cgm_comm ranks; /* of this rank's team */
    cgm_sampling_pool pool;
    cgm_team team;
    drawn_rows drawn;
    cgm_status status; /* of this rank */

    cgm_window tasks;  /* on rank 0: how many are taken */
    cgm_window points; /* every rank's share of the parties' points */
    cgm_window given;  /* every rank's rows of chains that an earlier run began: indices, values */
    int64_t *given_first; /* [size + 1] first row of each rank, if there are such rows */
    int64_t *order;       /* [n_ordered] parties as they are offered */
    int64_t n_ordered;
    int64_t n_tasks;
    int64_t n_taken; /* of all, as far as this rank knows */

    int64_t party;        /* of the task whose chains are started now */
    int64_t set, end_set; /* its chains that are not started yet */
    bool exhausted;       /* there is no task after it */
    double *start;        /* [candidates of the part] a_c of the party's own data */
    bool start_stands;    /* start is that of this party */
    double *rows;         /* [CGM_BLOCK_POINTS][n_features] of its points */
} party_drawing;

/** Local. The first failure of this rank stays. */
void drawing_note(party_drawing *d, cgm_status status);

/** Begin with what an earlier run drew: finished chains are kept, rows of the others are laid open
 * to all ranks.  Collective.  CGM_OK, CGM_ERR_MEMORY. */
cgm_status drawing_begin(party_drawing *d);

/** Local. Has an earlier run finished the chain of a party at an inverse temperature? */
bool drawing_is_finished(const party_drawing *d, int64_t set, int64_t party);

/** Collective over the team. The draws that an earlier run made for a slot's chain become those
 * that it begins with. */
void drawing_give(party_drawing *d, cgm_team_chain *slot);

/** Local. Did the draws just made again give the values that they gave before? CGM_OK,
 * CGM_ERR_BUG. */
cgm_status drawing_check(party_drawing *d);

/** All that was drawn so far is kept.  Collective over all ranks.  What the pause returned, or
 * CGM_ERR_MEMORY. */
cgm_status drawing_keep(party_drawing *d);

#endif
