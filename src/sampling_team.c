#include "cgm/sampling_team.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* Proposals that a team looks at in its first reduction, at the least. */
enum { PROPOSALS_LEAST = 8 };
/* Blocks from which on a sweep is worth waking threads for. */
enum { THREAD_BLOCKS = 32 };

static int64_t largest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Words that any reduction of a slot may carry: extremes and proposals, block weights, or a
 * candidate. */
static int64_t slot_words(const cgm_sampling_pool *pool)
{
    return largest(2 + 2 * CGM_SAMPLING_PROPOSALS,
                   largest(pool->n_blocks, 2 + pool->kernel->n_features));
}

cgm_status cgm_team_create(cgm_comm *comm, cgm_sampling_pool *pool, int64_t n_slots, cgm_team *team)
{
    const int64_t d = pool->kernel->n_features;
    *team = (cgm_team){.comm = comm, .pool = pool, .most_proposals = CGM_SAMPLING_PROPOSALS};
    team->slots = cgm_alloc(comm, n_slots, sizeof *team->slots);
    team->points = cgm_alloc(comm, n_slots * d, sizeof(double));
    team->proposals = cgm_alloc(comm, n_slots * CGM_SAMPLING_PROPOSALS, sizeof *team->proposals);
    team->words = cgm_alloc(comm, 1 + n_slots * slot_words(pool), sizeof(double));
    if (team->slots == NULL || team->points == NULL || team->proposals == NULL ||
        team->words == NULL) {
        return CGM_ERR_MEMORY;
    }
    team->n_slots = n_slots;
    cgm_status status = CGM_OK;
    for (int64_t k = 0; k < n_slots && status == CGM_OK; k++) {
        team->slots[k].point = team->points + k * d;
        status = cgm_chain_create(comm, pool, &team->slots[k].chain);
    }
    return status;
}

void cgm_team_destroy(cgm_team *team)
{
    for (int64_t k = 0; k < team->n_slots; k++) {
        cgm_chain_destroy(&team->slots[k].chain);
        free(team->slots[k].given);
        free(team->slots[k].given_values);
    }
    free(team->slots);
    free(team->points);
    free(team->proposals);
    free(team->words);
    *team = (cgm_team){0};
}

void cgm_team_enter(cgm_team *team, int64_t slot)
{
    team->slots[slot].live = true;
    team->slots[slot].moved = false;
    team->slots[slot].ahead = PROPOSALS_LEAST;
}

int64_t cgm_team_count(const cgm_team *team)
{
    int64_t count = 0;
    for (int64_t k = 0; k < team->n_slots; k++) {
        count += team->slots[k].live;
    }
    return count;
}

/* One thread at a time adds what these blocks' scores reach to to the chains' extremes. */
static void sweep_blocks(cgm_team *team, int64_t first, int64_t end)
{
    cgm_score scores[CGM_TEAM_CHAINS];
    int64_t n = 0;
    for (int64_t k = 0; k < team->n_slots; k++) {
        const cgm_team_chain *slot = &team->slots[k];
        if (slot->live) {
            scores[n++] = cgm_chain_score(&slot->chain, slot->moved ? slot->point : NULL);
        }
    }
    cgm_sampling_pool_score(team->pool, first, end, n, scores);
    n = 0;
#pragma omp critical
    for (int64_t k = 0; k < team->n_slots; k++) {
        cgm_team_chain *slot = &team->slots[k];
        if (slot->live) {
            cgm_extremes *all = &slot->chain.extremes;
            all->low = fmin(all->low, scores[n].extremes.low);
            all->high = fmax(all->high, scores[n].extremes.high);
            n++;
        }
    }
}

/* An even run of blocks on every thread. */
static void sweep_by_threads(cgm_team *team)
{
    const int64_t first = team->pool->first_block;
    const int64_t count = team->pool->end_block - first;
#pragma omp parallel num_threads(team->comm->threads)
    {
        const int64_t threads = omp_get_num_threads();
        const int64_t thread = omp_get_thread_num();
        sweep_blocks(team, first + count * thread / threads,
                     first + count * (thread + 1) / threads);
    }
}

void cgm_team_sweep(cgm_team *team)
{
    const cgm_sampling_pool *pool = team->pool;
    int64_t rows = 0;
    for (int64_t k = 0; k < team->n_slots; k++) {
        team->slots[k].chain.extremes = (cgm_extremes){INFINITY, -INFINITY};
        rows += team->slots[k].live && team->slots[k].moved;
    }
    if (team->comm->threads > 1 && pool->end_block - pool->first_block >= THREAD_BLOCKS) {
        sweep_by_threads(team);
    } else {
        sweep_blocks(team, pool->first_block, pool->end_block);
    }
    cgm_comm_count_work(team->comm, rows * (pool->end - pool->first));
}

/* ---- what the ranks of a team tell each other ---- */

/* Element-wise maximum over the team: of what one rank knows and the others have -INFINITY for,
 * that.
 */
static void reduce(cgm_team *team, int64_t count)
{
    if (team->comm->size > 1 && count > 0) {
        cgm_comm_max(team->comm, team->words, count);
    }
}

static bool is_open(const cgm_team_chain *slot)
{
    return slot->live && slot->candidate < 0;
}

static bool is_greedy(const cgm_team_chain *slot)
{
    return isinf(slot->chain.inv_temp);
}

static cgm_proposal *proposals_of(const cgm_team *team, const cgm_team_chain *slot)
{
    return team->proposals + (slot - team->slots) * CGM_SAMPLING_PROPOSALS;
}

/* How many proposals to look at next. A lone rank asks for one at a time: nobody has to wait. */
static int64_t round_length(const cgm_team *team, const cgm_team_chain *slot)
{
    if (!is_open(slot) || is_greedy(slot)) {
        return 0;
    }
    int64_t count = team->comm->size == 1 ? 1 : largest(slot->ahead, 3 * slot->tried);
    count = least(count, CGM_SAMPLING_PROPOSALS);
    return least(count, team->most_proposals - slot->tried);
}

/* The next count proposals, and what this rank knows of the candidates. */
static void put_proposals(cgm_team *team, const cgm_team_chain *slot, int64_t count, double *words)
{
    cgm_proposal *proposals = proposals_of(team, slot);
    for (int64_t k = 0; k < count; k++) {
        proposals[k] = cgm_chain_propose(&slot->chain, slot->tried + k);
        const cgm_candidate_sums sums = cgm_chain_look_up(&slot->chain, proposals[k].candidate);
        words[2 * k] = sums.affinity;
        words[2 * k + 1] = sums.sum;
    }
}

/* The first proposal that is accepted becomes the choice. */
static void judge_proposals(cgm_team *team, cgm_team_chain *slot, int64_t count,
                            const double *words)
{
    const cgm_proposal *proposals = proposals_of(team, slot);
    for (int64_t k = 0; k < count; k++) {
        const cgm_candidate_sums sums = {words[2 * k], words[2 * k + 1]};
        slot->tried++;
        if (cgm_chain_accepts(&slot->chain, &proposals[k], sums)) {
            slot->candidate = proposals[k].candidate;
            slot->sums = sums;
            return;
        }
    }
}

/* Extremes of the whole pool, first proposals, and the strongest wish. */
static cgm_team_wish first_round(cgm_team *team, cgm_team_wish wish)
{
    int64_t counts[CGM_TEAM_CHAINS] = {0};
    int64_t n = 0;
    team->words[n++] = wish;
    for (int64_t k = 0; k < team->n_slots; k++) {
        cgm_team_chain *slot = &team->slots[k];
        const int64_t draws = slot->chain.n_draws;
        slot->candidate = draws < slot->n_given ? slot->given[draws] : -1;
        slot->sums.affinity = NAN;
        slot->tried = 0;
        counts[k] = round_length(team, slot);
        if (slot->live) {
            team->words[n] = -slot->chain.extremes.low;
            team->words[n + 1] = slot->chain.extremes.high;
            put_proposals(team, slot, counts[k], team->words + n + 2);
            n += 2 + 2 * counts[k];
        }
    }
    reduce(team, n);
    wish = (cgm_team_wish)team->words[0];
    if (wish != CGM_TEAM_GO_ON) {
        return wish;
    }
    n = 1;
    for (int64_t k = 0; k < team->n_slots; k++) {
        cgm_team_chain *slot = &team->slots[k];
        if (slot->live) {
            slot->chain.extremes = (cgm_extremes){-team->words[n], team->words[n + 1]};
            judge_proposals(team, slot, counts[k], team->words + n + 2);
            n += 2 + 2 * counts[k];
        }
    }
    return wish;
}

/* More proposals for the chains that need them. @return whether there were any */
static bool next_round(cgm_team *team)
{
    int64_t counts[CGM_TEAM_CHAINS] = {0};
    int64_t n = 0;
    for (int64_t k = 0; k < team->n_slots; k++) {
        counts[k] = round_length(team, &team->slots[k]);
        put_proposals(team, &team->slots[k], counts[k], team->words + n);
        n += 2 * counts[k];
    }
    if (n == 0) {
        return false;
    }
    reduce(team, n);
    n = 0;
    for (int64_t k = 0; k < team->n_slots; k++) {
        judge_proposals(team, &team->slots[k], counts[k], team->words + n);
        n += 2 * counts[k];
    }
    return true;
}

/* ---- where proposals do not decide ---- */

/* What decides on a chain that is still open: the score of the part's best candidate, which is
 * noted, or the weights of its blocks. @return number of words */
static int64_t put_weights(const cgm_team *team, cgm_team_chain *slot, double *words)
{
    if (is_greedy(slot)) {
        slot->candidate = cgm_chain_greedy(&slot->chain, words);
        slot->sums.sum = words[0];
        return 1;
    }
    for (int64_t b = 0; b < team->pool->n_blocks; b++) {
        words[b] = -INFINITY;
    }
    cgm_chain_weights(&slot->chain, words);
    return team->pool->n_blocks;
}

/* The candidate if it is of this rank's part, else -1. @return number of words */
static int64_t locate(const cgm_team *team, cgm_team_chain *slot, const double *words)
{
    if (is_greedy(slot)) {
        slot->candidate = slot->sums.sum == words[0] ? slot->candidate : -1;
        return 1;
    }
    const double uniform = cgm_chain_inverse_uniform(&slot->chain);
    slot->candidate = cgm_chain_locate(&slot->chain, words, uniform);
    return team->pool->n_blocks;
}

/* Choose for the chains that are still open: by the inverse CDF, or the best candidate. */
static void search(cgm_team *team)
{
    bool open[CGM_TEAM_CHAINS] = {false};
    int64_t n = 0;
    for (int64_t k = 0; k < team->n_slots; k++) {
        open[k] = is_open(&team->slots[k]);
        n += open[k] ? put_weights(team, &team->slots[k], team->words + n) : 0;
    }
    if (n == 0) {
        return;
    }
    reduce(team, n);
    n = 0;
    for (int64_t k = 0; k < team->n_slots; k++) {
        n += open[k] ? locate(team, &team->slots[k], team->words + n) : 0;
    }
    n = 0;
    for (int64_t k = 0; k < team->n_slots; k++) {
        /* Of several that are equally good the first: the largest of the negated numbers. */
        const int64_t candidate = team->slots[k].candidate;
        team->words[n] = candidate < 0 ? -INFINITY : -(double)candidate;
        n += open[k];
    }
    reduce(team, n);
    n = 0;
    for (int64_t k = 0; k < team->n_slots; k++) {
        if (open[k]) {
            team->slots[k].candidate = (int64_t)-team->words[n++];
        }
    }
}

/* ---- what is needed of the chosen ---- */

static bool is_asked(const cgm_team *team, const cgm_team_chain *slot)
{
    return slot->live && (team->pool->sliced || isnan(slot->sums.affinity));
}

static void read_point(const cgm_team *team, int64_t candidate, double *point)
{
    cgm_kernel_point(team->pool->kernel, &team->pool->blocks[candidate / CGM_BLOCK_POINTS],
                     candidate % CGM_BLOCK_POINTS, point);
}

/* Sums of candidates that no proposal brought, and coordinates of those that another rank holds. */
static void look_up(cgm_team *team)
{
    const cgm_sampling_pool *pool = team->pool;
    const int64_t d = pool->sliced ? pool->kernel->n_features : 0;
    int64_t n = 0;
    for (int64_t k = 0; k < team->n_slots; k++) {
        const cgm_team_chain *slot = &team->slots[k];
        if (is_asked(team, slot)) {
            const cgm_candidate_sums sums = cgm_chain_look_up(&slot->chain, slot->candidate);
            double *words = team->words + n;
            words[0] = sums.affinity;
            words[1] = sums.sum;
            for (int64_t f = 0; f < d; f++) {
                words[2 + f] = -INFINITY;
            }
            if (d > 0 && slot->candidate >= pool->first && slot->candidate < pool->end) {
                read_point(team, slot->candidate, words + 2);
            }
            n += 2 + d;
        }
    }
    reduce(team, n);
    n = 0;
    for (int64_t k = 0; k < team->n_slots; k++) {
        cgm_team_chain *slot = &team->slots[k];
        if (is_asked(team, slot)) {
            slot->sums = (cgm_candidate_sums){team->words[n], team->words[n + 1]};
            memcpy(slot->point, team->words + n + 2, (size_t)d * sizeof(double));
            n += 2 + d;
        }
    }
}

cgm_team_wish cgm_team_choose(cgm_team *team, cgm_team_wish wish)
{
    wish = first_round(team, wish);
    if (wish != CGM_TEAM_GO_ON) {
        for (int64_t k = 0; k < team->n_slots; k++) {
            team->slots[k].moved = false; /* the sweep has added the point */
        }
        return wish;
    }
    while (next_round(team)) {
    }
    search(team);
    look_up(team);
    return wish;
}

cgm_status cgm_team_take(cgm_team *team)
{
    cgm_status status = CGM_OK;
    for (int64_t k = 0; k < team->n_slots; k++) {
        cgm_team_chain *slot = &team->slots[k];
        if (!slot->live) {
            continue;
        }
        if (team->comm->rank == 0 && status == CGM_OK) {
            status = cgm_chain_reserve(team->comm, &slot->chain);
        }
        if (!team->pool->sliced) {
            read_point(team, slot->candidate, slot->point);
        }
        cgm_chain_take(&slot->chain, slot->candidate, slot->sums);
        slot->moved = true;
        slot->ahead = least(largest(2 * slot->tried, PROPOSALS_LEAST), CGM_SAMPLING_PROPOSALS);
    }
    return status;
}
