#include "cgm/sampling.h"

#include <stdlib.h>
#include <string.h>

#include "cgm/coalition.h"
#include "cgm/log.h"
#include "cgm/sampling_team.h"
#include "sampling_drawing.h"

/* Blocks that a rank's part should have at the least: a sweep over fewer takes no longer than
 * telling the others about it. */
enum { TEAM_BLOCKS = 16 };
/* Blocks times chains of a sweep beside which telling the others hardly counts. */
enum { SWEEP_BLOCKS = 480 };
/* Chains that a team should have for each that it advances at a time: then teams end about
 * together, though some chains take twice as many draws as others. */
enum { CHAINS_EACH = 4 };
/* A part of so many bytes stays in a core's cache while chains are drawn one after the other. */
enum { CACHE_BYTES = 1 << 20 };

/* ---- the plan ---- */

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value > high ? high : value < low ? low : value;
}

/* Does all that the draws of a chain read stay in a core's cache? Coordinates, u and the affinities
 * of one chain. */
static bool fits_cache(const cgm_candidates *candidates, int64_t ranks)
{
    const int64_t doubles = (candidates->n_features + 2) * (candidates->n_points / ranks);
    return doubles * (int64_t)sizeof(double) <= CACHE_BYTES;
}

/* Ranks of a team. Small teams tell each other less; but there is nobody to help a team whose
 * chains are long, so teams are made larger where chains are few. A power of two suits reductions
 * and nodes. */
static int64_t team_size(int size, int64_t n_parties, int64_t n_chains, int64_t n_blocks)
{
    const int64_t wanted = (int64_t)CHAINS_EACH * CGM_TEAM_CHAINS * size / n_chains;
    const int64_t most = n_blocks * CGM_TEAM_CHAINS / SWEEP_BLOCKS;
    int64_t ranks = 1;
    while (2 * ranks <= wanted && 2 * ranks <= most) {
        ranks *= 2;
    }
    const int64_t busy = clamp(n_blocks / TEAM_BLOCKS, 1, size > n_parties ? size / n_parties : 1);
    return clamp(ranks > busy ? ranks : busy, 1, size);
}

cgm_sampling_plan cgm_sampling_plan_for(int size, int64_t n_parties, int64_t n_inv_temp,
                                        const cgm_candidates *candidates)
{
    const int64_t blocks = (candidates->n_points + CGM_BLOCK_POINTS - 1) / CGM_BLOCK_POINTS;
    const int64_t all = n_parties * n_inv_temp;
    const int64_t ranks = candidates->sliced ? size : team_size(size, n_parties, all, blocks);
    const int64_t teams = size / ranks;
    cgm_sampling_plan plan = {.n_teams = (int)teams, .n_chains = 1, .by_chain = teams > n_parties};
    if (ranks > 1 || !fits_cache(candidates, ranks)) {
        /* Together, as long as enough tasks are left for the teams to end at the same time. */
        const int64_t chains = all / (teams > 1 ? CHAINS_EACH * teams : 1);
        const int64_t task = plan.by_chain ? 1 : n_inv_temp;
        plan.n_chains = clamp(chains > task ? chains : task, 1, CGM_TEAM_CHAINS);
    }
    return plan;
}

cgm_sampling_plan cgm_sampling_plan_at_home(int size, int64_t n_inv_temp,
                                            const cgm_candidates *candidates)
{
    cgm_sampling_plan plan = {.n_teams = size, .n_chains = 1, .at_home = true};
    if (!fits_cache(candidates, 1)) {
        plan.n_chains = clamp(n_inv_temp, 1, CGM_TEAM_CHAINS);
    }
    return plan;
}

/* ---- who draws for whom ---- */

typedef struct party_length {
    double length;
    int64_t party;
} party_length;

static int compare_lengths(const void *a, const void *b)
{
    const party_length *x = a;
    const party_length *y = b;
    if (x->length != y->length) {
        return x->length > y->length ? -1 : 1;
    }
    return x->party < y->party ? -1 : x->party > y->party;
}

static bool is_kept(const party_drawing *d, int64_t party)
{
    const int64_t *first = d->shard->first_party + d->comm->rank;
    return party >= first[0] && party < first[1];
}

/* Parties that will take long come first, so that none of them is left at the end: those with many
 * points that are far from their targets. */
static cgm_status order_parties(party_drawing *d)
{
    const int64_t n = d->shard->n_parties;
    party_length *lengths = cgm_alloc(d->comm, n, sizeof *lengths);
    d->order = cgm_alloc(d->comm, n, sizeof *d->order);
    bool complete = lengths != NULL && d->order != NULL;
    for (int64_t i = 0; i < n && complete; i++) {
        const double size = (double)d->sums->party_points[i];
        const double value =
            cgm_coalition_formula(d->sums->n_reference, size, d->sums->reference_sums[i],
                                  cgm_kernel_sums_start(d->sums, i));
        const double gap = d->reward->r[i] - value;
        lengths[i] = (party_length){gap > 0.0 ? size * gap : 0.0, i};
    }
    if (complete) {
        qsort(lengths, (size_t)n, sizeof *lengths, compare_lengths);
        for (int64_t k = 0; k < n; k++) {
            if (!d->plan->at_home || is_kept(d, lengths[k].party)) {
                d->order[d->n_ordered++] = lengths[k].party;
            }
        }
    }
    free(lengths);
    return complete ? CGM_OK : CGM_ERR_MEMORY;
}

/* The next task for this team, whoever else is drawing; -1 when none is left. A rank that has
 * failed takes the rest from everybody. */
static int64_t next_task(party_drawing *d)
{
    int64_t task = -1;
    if (d->plan->at_home) {
        return d->status == CGM_OK && d->n_taken < d->n_tasks ? d->n_taken : -1;
    }
    if (d->ranks.rank == 0) {
        const int64_t count = d->status == CGM_OK ? 1 : d->n_tasks;
        task = cgm_window_add(d->comm, &d->tasks, 0, count);
        task = d->status == CGM_OK && task < d->n_tasks ? task : -1;
    }
    if (d->ranks.size > 1) {
        cgm_comm_broadcast(&d->ranks, &task, sizeof task, 0);
    }
    return task;
}

/* Takes the next task, if there is one. */
static void take_task(party_drawing *d)
{
    const int64_t task = d->exhausted ? -1 : next_task(d);
    const int64_t sets = d->rules->n_inv_temp;
    d->exhausted = task < 0;
    if (task >= 0) {
        d->n_taken = task + 1;
        d->party = d->order[d->plan->by_chain ? task / sets : task];
        d->set = d->plan->by_chain ? task % sets : 0;
        d->end_set = d->plan->by_chain ? d->set + 1 : sets;
        d->start_stands = false;
    }
}

/* The next chain to start, in party and set; false when none is left. */
static bool next_chain(party_drawing *d)
{
    do {
        d->set += d->set < d->end_set;
        if (d->set == d->end_set) {
            take_task(d);
        }
    } while (d->set < d->end_set && drawing_is_finished(d, d->set, d->party));
    return d->set < d->end_set;
}

/* ---- one chain ---- */

/* Rows first .. first + count - 1 of the party's points, from the ranks at home to them. */
static void fetch_points(party_drawing *d, int64_t first, int64_t count)
{
    const cgm_shard *shard = d->shard;
    const size_t row_bytes = (size_t)shard->n_features * sizeof(double);
    for (int64_t i = 0; i < d->party; i++) {
        first += shard->party_points[i];
    }
    int home = 0;
    for (int64_t done = 0; done < count;) {
        while (shard->first_point[home + 1] <= first + done) {
            home++;
        }
        const int64_t place = first + done - shard->first_point[home];
        const int64_t held = shard->first_point[home + 1] - (first + done);
        const int64_t piece = held < count - done ? held : count - done;
        double *rows = d->rows + done * shard->n_features;
        if (home == d->comm->rank) {
            memcpy(rows, shard->points + place * shard->n_features, (size_t)piece * row_bytes);
        } else {
            cgm_window_get(d->comm, &d->points, home, (size_t)place * row_bytes,
                           (size_t)piece * row_bytes, rows);
        }
        done += piece;
    }
}

void drawing_note(party_drawing *d, cgm_status status)
{
    d->status = d->status != CGM_OK ? d->status : status;
}

/* a_c of the party's own data. */
static void make_start(party_drawing *d)
{
    const int64_t points = d->shard->party_points[d->party];
    memset(d->start, 0, (size_t)(d->pool.end - d->pool.first) * sizeof *d->start);
    for (int64_t first = 0; first < points; first += CGM_BLOCK_POINTS) {
        const int64_t left = points - first;
        const int64_t count = left < CGM_BLOCK_POINTS ? left : CGM_BLOCK_POINTS;
        fetch_points(d, first, count);
        drawing_note(d, cgm_sampling_add_affinity(&d->ranks, &d->pool, d->rows, count, d->start));
    }
    d->start_stands = true;
}

static void keep_reward(party_drawing *d, const cgm_team_chain *slot)
{
    if (d->ranks.rank == 0) {
        drawing_note(d, drawn_rows_keep(d->comm, &slot->chain, slot->set, slot->party, &d->drawn,
                                        d->sampling));
    }
}

/* Start the next chain in a slot, unless it ends where it starts. */
static void start_chain(party_drawing *d, int64_t k)
{
    cgm_team_chain *slot = &d->team.slots[k];
    const cgm_chain_start start = {.own_sum = cgm_kernel_sums_start(d->sums, d->party),
                                   .reference_sum = d->sums->reference_sums[d->party],
                                   .n_own = d->sums->party_points[d->party],
                                   .inv_temp = d->rules->inv_temp[d->set],
                                   .target = d->reward->r[d->party],
                                   .patience = d->rules->patience,
                                   .seed = d->rules->seed,
                                   .name = d->shard->names[d->party]};
    slot->party = d->party;
    slot->set = d->set;
    drawing_give(d, slot);
    cgm_chain_begin(&slot->chain, &start);
    if (cgm_chain_is_finished(&slot->chain)) {
        keep_reward(d, slot);
        return;
    }
    if (!d->start_stands) {
        make_start(d);
    }
    memcpy(slot->chain.affinity, d->start, (size_t)(d->pool.end - d->pool.first) * sizeof(double));
    cgm_team_enter(&d->team, k);
}

/* ---- all chains ---- */

static void fill_slots(party_drawing *d)
{
    for (int64_t k = 0; k < d->team.n_slots; k++) {
        while (!d->team.slots[k].live && next_chain(d)) {
            start_chain(d, k);
        }
    }
}

static void retire_finished(party_drawing *d)
{
    for (int64_t k = 0; k < d->team.n_slots; k++) {
        cgm_team_chain *slot = &d->team.slots[k];
        if (slot->live && cgm_chain_is_finished(&slot->chain)) {
            keep_reward(d, slot);
            slot->live = false;
        }
    }
}

static cgm_team_wish wish_of(const party_drawing *d)
{
    const cgm_pause *pause = d->course->pause;
    if (d->status != CGM_OK) {
        return CGM_TEAM_GIVE_UP;
    }
    return pause != NULL && pause->due(d->comm, pause->state) ? CGM_TEAM_PAUSE : CGM_TEAM_GO_ON;
}

/* Until no task is left or the team pauses, which may go on later; or a rank of the team fails:
 * then the whole team ends here. Returns whether there is something to go on with. */
static bool draw_tasks(party_drawing *d)
{
    fill_slots(d);
    for (int64_t live = cgm_team_count(&d->team); live > 0; live = cgm_team_count(&d->team)) {
        cgm_team_sweep(&d->team);
        const cgm_team_wish wish = cgm_team_choose(&d->team, wish_of(d));
        if (wish != CGM_TEAM_GO_ON) {
            return wish == CGM_TEAM_PAUSE;
        }
        drawing_note(d, cgm_team_take(&d->team));
        drawing_note(d, drawing_check(d));
        retire_finished(d);
        fill_slots(d);
        cgm_progress_report(d->comm, &d->progress, (double)(d->n_taken - 1), (double)d->n_tasks);
    }
    return false;
}

/* Teams draw; if any of them pauses, all that was drawn is kept once they all pause or have ended.
 */
static cgm_status draw_with_pauses(party_drawing *d)
{
    for (;;) {
        int64_t paused = draw_tasks(d);
        cgm_status status = cgm_agree(d->comm, d->status);
        if (status != CGM_OK || d->course->pause == NULL) {
            return status;
        }
        cgm_comm_sum(d->comm, &paused, 1);
        if (paused == 0) {
            return CGM_OK;
        }
        status = drawing_keep(d);
        if (status != CGM_OK) {
            return status;
        }
    }
}

/* ---- set-up ---- */

static cgm_status sampling_create(cgm_comm *comm, const cgm_kernel_sums *sums,
                                  const cgm_sampling_rules *rules, cgm_sampling *sampling)
{
    const int64_t n = sums->n_parties;
    *sampling = (cgm_sampling){.sets = cgm_alloc(comm, rules->n_inv_temp, sizeof(cgm_reward_set))};
    if (sampling->sets == NULL) {
        return CGM_ERR_MEMORY;
    }
    sampling->n_sets = rules->n_inv_temp;
    for (int64_t s = 0; s < sampling->n_sets; s++) {
        cgm_reward_set *set = &sampling->sets[s];
        set->inv_temp = rules->inv_temp[s];
        set->offsets = cgm_alloc(comm, n + 1, sizeof(int64_t));
        set->start_value = cgm_alloc(comm, n, sizeof(double));
        set->draws = cgm_alloc(comm, n, sizeof(int64_t));
        set->reached = cgm_alloc(comm, n, sizeof(int64_t));
        if (set->offsets == NULL || set->start_value == NULL || set->draws == NULL ||
            set->reached == NULL) {
            return CGM_ERR_MEMORY;
        }
        for (int64_t i = 0; i < n; i++) {
            set->start_value[i] =
                cgm_coalition_formula(sums->n_reference, (double)sums->party_points[i],
                                      sums->reference_sums[i], cgm_kernel_sums_start(sums, i));
        }
    }
    return CGM_OK;
}

/* Memory of this rank alone. */
static cgm_status allocate(party_drawing *d)
{
    const int64_t part = d->pool.end - d->pool.first;
    d->start = cgm_alloc(d->comm, part, sizeof *d->start);
    d->rows = cgm_alloc(d->comm, CGM_BLOCK_POINTS * d->shard->n_features, sizeof *d->rows);
    if (d->start == NULL || d->rows == NULL) {
        return CGM_ERR_MEMORY;
    }
    cgm_status status = cgm_team_create(&d->ranks, &d->pool, d->plan->n_chains, &d->team);
    if (status == CGM_OK) {
        status = drawn_rows_create(d->comm, d->shard->n_parties, d->rules->n_inv_temp, &d->drawn);
    }
    return status == CGM_OK ? order_parties(d) : status;
}

/* Tasks are counted and points are read by ranks that the rank concerned knows nothing of. */
static cgm_status open_windows(party_drawing *d)
{
    cgm_comm *comm = d->comm;
    const bool alone = comm->size == 1 || d->plan->at_home;
    const size_t bytes =
        alone ? 0 : (size_t)(d->shard->n_local_points * d->shard->n_features) * sizeof(double);
    cgm_status status = cgm_window_create(comm, comm->rank == 0 ? sizeof(int64_t) : 0, &d->tasks);
    if (status == CGM_OK) {
        status = cgm_window_create(comm, bytes, &d->points);
    }
    if (status == CGM_OK) {
        if (bytes > 0) {
            memcpy(d->points.memory, d->shard->points, bytes);
        }
        cgm_window_open(comm, &d->points);
        cgm_window_open(comm, &d->tasks);
    }
    return status;
}

static void release(party_drawing *d)
{
    drawn_rows_destroy(&d->drawn);
    cgm_team_destroy(&d->team);
    cgm_window_destroy(&d->points);
    cgm_window_destroy(&d->tasks);
    cgm_window_destroy(&d->given);
    free(d->given_first);
    free(d->order);
    free(d->start);
    free(d->rows);
}

/* With the pool packed: draws, and hands the rewards over. */
static cgm_status draw_in_teams(party_drawing *d)
{
    cgm_comm *comm = d->comm;
    cgm_comm_split(comm, (int)((int64_t)comm->rank * d->plan->n_teams / comm->size), &d->ranks);
    if (!d->pool.sliced) {
        cgm_sampling_pool_share(&d->pool, d->ranks.rank, d->ranks.size);
    }
    cgm_status status = allocate(d);
    d->n_tasks = d->n_ordered * (d->plan->by_chain ? d->rules->n_inv_temp : 1);
    cgm_comm_absorb(comm, &d->ranks);
    status = cgm_agree(comm, status);
    if (status == CGM_OK) {
        status = open_windows(d);
    }
    if (status == CGM_OK) {
        status = drawing_begin(d);
    }
    if (status == CGM_OK) {
        status = draw_with_pauses(d);
    }
    cgm_comm_join(comm, &d->ranks);
    if (status == CGM_OK) {
        status = drawn_rows_hand_over(comm, d->shard, &d->drawn, d->sampling);
    }
    return status;
}

cgm_status cgm_sampling_draw_planned(cgm_comm *comm, const cgm_shard *shard,
                                     const cgm_candidates *candidates, const cgm_kernel *kernel,
                                     const cgm_kernel_sums *sums, const cgm_reward *reward,
                                     const cgm_sampling_rules *rules, const cgm_sampling_plan *plan,
                                     const cgm_sampling_course *course, cgm_sampling *sampling)
{
    static const cgm_sampling_course straight = {NULL, NULL};
    party_drawing d = {.comm = comm,
                       .shard = shard,
                       .sums = sums,
                       .reward = reward,
                       .rules = rules,
                       .plan = plan,
                       .course = course != NULL ? course : &straight,
                       .sampling = sampling,
                       .progress = cgm_progress_start(comm, "sampling")};
    cgm_status status = cgm_agree(comm, sampling_create(comm, sums, rules, sampling));
    if (status == CGM_OK) {
        status = cgm_sampling_pool_create(comm, candidates, kernel, sums, &d.pool);
    }
    if (status == CGM_OK) {
        status = draw_in_teams(&d);
    }
    release(&d);
    return status;
}

cgm_status cgm_sampling_draw(cgm_comm *comm, const cgm_shard *shard,
                             const cgm_candidates *candidates, const cgm_kernel *kernel,
                             const cgm_kernel_sums *sums, const cgm_reward *reward,
                             const double *inv_temp, int64_t n_inv_temp, double patience,
                             uint64_t seed, const cgm_sampling_course *course,
                             cgm_sampling *sampling)
{
    const cgm_sampling_rules rules = {inv_temp, n_inv_temp, patience, seed};
    const cgm_sampling_plan plan =
        shard->sealed ? cgm_sampling_plan_at_home(comm->size, n_inv_temp, candidates)
                      : cgm_sampling_plan_for(comm->size, shard->n_parties, n_inv_temp, candidates);
    return cgm_sampling_draw_planned(comm, shard, candidates, kernel, sums, reward, &rules, &plan,
                                     course, sampling);
}

void cgm_sampling_destroy(cgm_sampling *sampling)
{
    for (int64_t s = 0; s < sampling->n_sets; s++) {
        cgm_reward_set *set = &sampling->sets[s];
        free(set->offsets);
        free(set->start_value);
        free(set->draws);
        free(set->reached);
        free(set->indices);
        free(set->values);
    }
    free(sampling->sets);
    *sampling = (cgm_sampling){0};
}
