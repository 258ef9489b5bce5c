#include <math.h>
#include <stdlib.h>

#include "cgm/accumulator.h"
#include "cgm/pool.h"
#include "metrics_parts.h"
#include "metrics_rewards.h"
#include "neighbours.h"

/* Neighbours k = FIRST .. LAST are looked at. A list of squared distances begins with the point's
 * own, which is 0 and so the smallest: place k is the k-th neighbour's. */
enum { FIRST = 2, LAST = CGM_NEAREST - 1, N_NEIGHBOURS = LAST - FIRST + 1 };
/* Points that a rank looks for at a time among those of the parties, on average. */
enum { BATCH_POINTS = 1 << 18 };

/* Queries and what was found of each. */
typedef struct lists {
    neighbour_points queries;
    double *nearest; /* [padded queries][CGM_NEAREST] in the layout of cgm_kernel_nearest */
} lists;

typedef struct divergence {
    cgm_comm *comm;
    const cgm_run *run;
    cgm_metrics *metrics;
    cgm_kernel kernel;
    double *origin; /* [d] zeros */
    reward_rows rows;
    int64_t n_sums;        /* of a party: its data, and with the reward of each set */
    lists in_all;          /* this rank's points, then its rows.candidates, in T */
    int64_t first, end;    /* parties of the batch */
    lists in_own;          /* points of those parties, data and rewards, in the same; see own_key */
    double *least;         /* [end - first][n_sums][N_NEIGHBOURS] smallest ν² that is not 0 */
    cgm_accumulator *sums; /* of ln(ν/δ) */
    int64_t *excluded;     /* points with δ = 0 */
} divergence;

/* Y of a party and a set, or of its data alone (sum 0), as far as its points are on this rank. */
typedef struct members {
    int64_t party, sum;
    int64_t first_point, n_points; /* of the party's data, among this rank's */
    int64_t first_row, end_row;    /* of the party */
} members;

static int64_t least_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- lists ---- */

static cgm_status lists_create(cgm_comm *comm, const cgm_kernel *kernel, int64_t n_points,
                               int64_t n_owners, lists *made)
{
    const int64_t padded = n_points + CGM_LANES * n_owners;
    cgm_status status =
        neighbour_points_create(comm, kernel, n_points, n_owners, true, &made->queries);
    made->nearest = cgm_alloc_aligned(comm, padded * CGM_NEAREST);
    for (int64_t k = 0; k < padded * CGM_NEAREST && made->nearest != NULL; k++) {
        made->nearest[k] = INFINITY;
    }
    return made->nearest != NULL ? status : CGM_ERR_MEMORY;
}

static void lists_destroy(lists *of)
{
    neighbour_points_destroy(&of->queries);
    free(of->nearest);
    *of = (lists){0};
}

static double *lists_of_block(const lists *of, int64_t b)
{
    const neighbour_points *queries = &of->queries;
    const int64_t place = queries->blocks[b].coordinates - queries->blocks[0].coordinates;
    return of->nearest + place / queries->kernel->n_features * CGM_NEAREST;
}

/* Squared distance k of an owner's query number `query`; its blocks are full but for the last. */
static double distance_at(const double *of_owner, int64_t query, int k)
{
    const int64_t block = query / CGM_BLOCK_POINTS;
    return of_owner[block * CGM_BLOCK_POINTS * CGM_NEAREST +
                    cgm_kernel_place(CGM_NEAREST, query % CGM_BLOCK_POINTS, k)];
}

/* The lists of an owner's queries, NULL if it has none. */
static const double *lists_of_owner(const lists *of, int64_t owner)
{
    const int64_t at = neighbour_points_find(&of->queries, owner);
    const bool has = at < of->queries.n_segments && of->queries.segments[at].owner == owner;
    return has ? lists_of_block(of, of->queries.segments[at].first) : NULL;
}

static int64_t meet_segment(const lists *of, int64_t b, const cgm_block *rows,
                            const cgm_segment *segment)
{
    const cgm_block *columns = &of->queries.blocks[b];
    const cgm_tile tile = {rows, segment, columns, 0};
    cgm_kernel_nearest(of->queries.kernel, &tile, lists_of_block(of, b));
    return segment->n_points * columns->n_points;
}

static int64_t meet_everybody(void *state, int64_t b, const neighbour_points *references)
{
    int64_t evaluations = 0;
    for (int64_t k = 0; k < references->n_blocks; k++) {
        const cgm_block *rows = &references->blocks[k];
        const cgm_segment all = {.n_points = rows->n_points};
        evaluations += meet_segment(state, b, rows, &all);
    }
    return evaluations;
}

static int64_t meet_own(void *state, int64_t b, const neighbour_points *references)
{
    const lists *of = state;
    const int64_t owner = of->queries.blocks[b].segments->owner;
    int64_t evaluations = 0;
    for (int64_t k = neighbour_points_find(references, owner);
         k < references->n_segments && references->segments[k].owner == owner; k++) {
        const cgm_segment *segment = &references->segments[k];
        evaluations += meet_segment(of, b, &references->blocks[segment->first], segment);
    }
    return evaluations;
}

/* ---- neighbours in T ---- */

static cgm_status list_queries(divergence *of)
{
    const cgm_shard *shard = &of->run->shard;
    const int64_t count = shard->n_local_points + of->rows.n_candidates;
    cgm_status status = lists_create(of->comm, &of->kernel, count, 1, &of->in_all);
    if (status == CGM_OK) {
        neighbour_points_add(&of->in_all.queries, 0, shard->points, shard->n_local_points);
        for (int64_t k = 0; k < of->rows.n_candidates; k++) {
            neighbour_points_add(&of->in_all.queries, 0,
                                 reward_point(of->run, of->rows.candidates[k]), 1);
        }
    }
    return status;
}

/* What travels: this rank's points, and its slice of the pool where others cannot read that. */
static cgm_status list_references(divergence *of, neighbour_points *references)
{
    const cgm_shard *shard = &of->run->shard;
    const cgm_candidates *pool = &of->run->candidates;
    const int64_t slice = pool->sliced ? cgm_candidates_count(pool, of->comm->rank) : 0;
    cgm_status status = neighbour_points_create(
        of->comm, &of->kernel, shard->n_local_points + slice, 1, false, references);
    if (status == CGM_OK) {
        neighbour_points_add(references, 0, shard->points, shard->n_local_points);
        neighbour_points_add(references, 0, pool->points, slice);
    }
    return status;
}

static cgm_status look_in_all(divergence *of)
{
    const cgm_candidates *candidates = &of->run->candidates;
    neighbour_points references = {0};
    const neighbour_search search = {&of->in_all.queries, &of->in_all, meet_everybody,
                                     "metrics, neighbours of all"};
    cgm_status status = list_queries(of);
    if (status == CGM_OK) {
        status = list_references(of, &references);
    }
    status = cgm_agree(of->comm, status);
    if (status == CGM_OK && !candidates->sliced) {
        status = cgm_pool_pack(of->comm, candidates, of->run->shard.n_parties, &of->kernel);
    }
    if (status == CGM_OK) {
        status = neighbours_meet_all(of->comm, &search, &references);
    }
    if (status == CGM_OK && !candidates->sliced) {
        const neighbour_points pool = {.n_blocks = candidates->pool->n_blocks,
                                       .blocks = candidates->pool->blocks};
        neighbours_meet(of->comm, &search, &pool);
    }
    neighbour_points_destroy(&references);
    return status;
}

/* ---- neighbours in Y ---- */

/* Y is looked at in two parts. Under key sum 0 all points of data and rewards look among a party's
 * data, once for all sets; under key sum 1 + s those of Y look among the reward of set s. */
static int64_t own_key(const divergence *of, int64_t party, int64_t sum)
{
    return (party - of->first) * of->n_sums + sum;
}

static int compare_parties(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static members members_of(const divergence *of, int64_t party, int64_t sum)
{
    const cgm_shard *shard = &of->run->shard;
    members found = {.party = party,
                     .sum = sum,
                     .first_row = reward_rows_first(&of->rows, party),
                     .end_row = reward_rows_first(&of->rows, party + 1)};
    const int64_t *share = bsearch(&party, shard->share_party, (size_t)shard->n_shares,
                                   sizeof *shard->share_party, compare_parties);
    if (share != NULL) {
        const int64_t *first = shard->share_first + (share - shard->share_party);
        found.first_point = first[0];
        found.n_points = first[1] - first[0];
    }
    return found;
}

static bool is_candidate_new(const divergence *of, const members *at, int64_t row)
{
    const reward_row *rows = of->rows.rows;
    return row == at->first_row || rows[row].candidate != rows[row - 1].candidate;
}

/* Does Y of these members hold the row; data: as one that looks among the data? */
static bool is_member(const divergence *of, const members *at, int64_t row)
{
    return at->sum == 0 ? is_candidate_new(of, at, row) : of->rows.rows[row].set == at->sum - 1;
}

static bool has_reward(const divergence *of, int64_t party, int64_t sum)
{
    return sum > 0 && reward_size(of->run, sum - 1, party) > 0;
}

/* Queries, or references: then data under key sum 0, and rewards under the others. */
static void add_members(const divergence *of, const members *at, bool references,
                        neighbour_points *to)
{
    const cgm_shard *shard = &of->run->shard;
    const int64_t key = own_key(of, at->party, at->sum);
    if (!references || at->sum == 0) {
        neighbour_points_add(to, key, shard->points + at->first_point * shard->n_features,
                             at->n_points);
    }
    for (int64_t k = at->first_row; k < at->end_row && (!references || at->sum > 0); k++) {
        if (is_member(of, at, k)) {
            neighbour_points_add(to, key, reward_point(of->run, of->rows.rows[k].candidate), 1);
        }
    }
}

static void add_batch(const divergence *of, bool references, neighbour_points *to)
{
    for (int64_t i = of->first; i < of->end; i++) {
        for (int64_t sum = 0; sum < of->n_sums; sum++) {
            if (sum == 0 || has_reward(of, i, sum)) {
                const members at = members_of(of, i, sum);
                add_members(of, &at, references, to);
            }
        }
    }
}

/* Upper bounds of the points and owners of the batch on this rank. */
static int64_t batch_points(const divergence *of)
{
    int64_t count = 0;
    for (int64_t i = of->first; i < of->end; i++) {
        const members at = members_of(of, i, 0);
        count += of->n_sums * at.n_points + 2 * (at.end_row - at.first_row);
    }
    return count;
}

static cgm_status look_in_own(divergence *of)
{
    const int64_t most = batch_points(of);
    const int64_t owners = least_of((of->end - of->first) * of->n_sums, most);
    neighbour_points references = {0};
    cgm_status status = lists_create(of->comm, &of->kernel, most, owners, &of->in_own);
    if (status == CGM_OK) {
        status = neighbour_points_create(of->comm, &of->kernel, most, owners, false, &references);
    }
    status = cgm_agree(of->comm, status);
    if (status == CGM_OK) {
        const neighbour_search search = {&of->in_own.queries, &of->in_own, meet_own,
                                         "metrics, neighbours of their own"};
        add_batch(of, false, &of->in_own.queries);
        add_batch(of, true, &references);
        status = neighbours_meet_all(of->comm, &search, &references);
    }
    neighbour_points_destroy(&references);
    return status;
}

/* ---- sums over Y ---- */

/* A point of Y: its numbers among the queries of both kinds. */
typedef struct place {
    int64_t in_all;    /* among all queries */
    int64_t in_data;   /* under key sum 0 */
    int64_t in_reward; /* under its set's */
} place;

/* Calls with every point of Y on this rank. */
static void visit_members(const divergence *of, int64_t party, int64_t sum,
                          void (*visit)(const divergence *of, int64_t slot, place at))
{
    const members at = members_of(of, party, sum);
    const int64_t slot = own_key(of, party, sum) * N_NEIGHBOURS;
    for (int64_t p = 0; p < at.n_points; p++) {
        visit(of, slot, (place){at.first_point + p, p, p});
    }
    int64_t in_data = at.n_points - 1;
    int64_t in_reward = at.n_points;
    for (int64_t k = at.first_row; k < at.end_row && sum > 0; k++) {
        in_data += is_candidate_new(of, &at, k);
        if (is_member(of, &at, k)) {
            const int64_t candidate = reward_rows_find(&of->rows, of->rows.rows[k].candidate);
            visit(of, slot,
                  (place){of->run->shard.n_local_points + candidate, in_data, in_reward++});
        }
    }
}

static void find_least(const divergence *of, int64_t slot, place at)
{
    double *least = of->least + slot;
    for (int k = 0; k < N_NEIGHBOURS; k++) {
        const double squared = distance_at(of->in_all.nearest, at.in_all, FIRST + k);
        least[k] = squared > 0.0 && squared < least[k] ? squared : least[k];
    }
}

/* The smallest of two lists together. reward may be NULL: there is none. */
static void merge(const double *data, int64_t in_data, const double *reward, int64_t in_reward,
                  double merged[CGM_NEAREST])
{
    int a = 0;
    int b = 0;
    for (int k = 0; k < CGM_NEAREST; k++) {
        const double from_data = data != NULL ? distance_at(data, in_data, a) : INFINITY;
        const double from_reward = reward != NULL ? distance_at(reward, in_reward, b) : INFINITY;
        merged[k] = fmin(from_data, from_reward);
        a += from_data <= from_reward;
        b += from_data > from_reward;
    }
}

/* ln(ν/δ) = (ln ν² − ln δ²)/2 */
static void add_point(const divergence *of, int64_t slot, place at)
{
    const int64_t key = slot / N_NEIGHBOURS;
    const int64_t data = key - key % of->n_sums;
    double own[CGM_NEAREST];
    merge(lists_of_owner(&of->in_own, data), at.in_data,
          key != data ? lists_of_owner(&of->in_own, key) : NULL, at.in_reward, own);
    for (int k = 0; k < N_NEIGHBOURS; k++) {
        const double squared = distance_at(of->in_all.nearest, at.in_all, FIRST + k);
        const double least = of->least[slot + k];
        if (own[FIRST + k] == 0.0) {
            of->excluded[slot + k]++;
        } else if (isfinite(least)) {
            cgm_accumulator_add(&of->sums[slot + k],
                                0.5 * (log(squared > 0.0 ? squared : least) - log(own[FIRST + k])));
        }
    }
}

/* Points of Y. */
static double points_of(const divergence *of, int64_t party, int64_t sum)
{
    const int64_t own = of->run->shard.party_points[party];
    return (double)(own + (sum > 0 ? reward_size(of->run, sum - 1, party) : 0));
}

static void visit_batch(const divergence *of,
                        void (*visit)(const divergence *of, int64_t slot, place at))
{
    for (int64_t i = of->first; i < of->end; i++) {
        for (int64_t sum = 0; sum < of->n_sums; sum++) {
            if (points_of(of, i, sum) > LAST && (sum == 0 || has_reward(of, i, sum))) {
                visit_members(of, i, sum, visit);
            }
        }
    }
}

static cgm_status sum_batch(divergence *of)
{
    const int64_t count = (of->end - of->first) * of->n_sums * N_NEIGHBOURS;
    of->least = cgm_alloc(of->comm, count, sizeof *of->least);
    of->sums = cgm_alloc(of->comm, count, sizeof *of->sums);
    of->excluded = cgm_alloc(of->comm, count, sizeof *of->excluded);
    const bool refused = of->least == NULL || of->sums == NULL || of->excluded == NULL;
    cgm_status status = cgm_agree(of->comm, refused ? CGM_ERR_MEMORY : CGM_OK);
    if (status == CGM_OK) {
        for (int64_t k = 0; k < count; k++) {
            of->least[k] = INFINITY;
        }
        visit_batch(of, find_least);
        cgm_comm_min(of->comm, of->least, count);
        visit_batch(of, add_point);
        cgm_accumulator_reduce(of->comm, of->sums, count);
        cgm_comm_sum(of->comm, of->excluded, count);
    }
    return status;
}

/* ---- the divergence ---- */

/* Mean over those k of which any point is left; missing where there is none. */
static double divergence_of(const divergence *of, int64_t slot, double m)
{
    const double n = (double)of->run->sums.n_reference;
    double sum = 0.0;
    double neighbours = 0.0;
    for (int k = 0; k < N_NEIGHBOURS; k++) {
        const double left = m - (double)of->excluded[slot + k];
        if (left > 0.0 && isfinite(of->least[slot + k])) {
            sum += (double)of->kernel.n_features *
                       (cgm_accumulator_value(&of->sums[slot + k]) / left) +
                   log(n / (m - 1.0));
            neighbours += 1.0;
        }
    }
    return sum / neighbours;
}

static void fill_column(const divergence *of, int64_t party, int64_t sum, double *value,
                        double *excluded)
{
    const int64_t slot = own_key(of, party, sum) * N_NEIGHBOURS;
    const double m = points_of(of, party, sum);
    if (m > LAST) {
        *value = divergence_of(of, slot, m);
        *excluded = 0.0;
        for (int k = 0; k < N_NEIGHBOURS; k++) {
            *excluded += (double)of->excluded[slot + k];
        }
    }
}

static void fill_in(const divergence *of)
{
    for (int64_t s = 0; s < of->metrics->n_sets; s++) {
        double *const *columns = of->metrics->sets[s].columns;
        for (int64_t i = of->first; i < of->end; i++) {
            const int64_t after = has_reward(of, i, 1 + s) ? 1 + s : 0;
            fill_column(of, i, 0, &columns[CGM_KL_BEFORE][i], &columns[CGM_KL_EXCLUDED_BEFORE][i]);
            fill_column(of, i, after, &columns[CGM_KL_AFTER][i],
                        &columns[CGM_KL_EXCLUDED_AFTER][i]);
        }
    }
}

/* Parties from of->first on whose points fit. */
static int64_t batch_end(const divergence *of)
{
    const cgm_shard *shard = &of->run->shard;
    const double most = (double)BATCH_POINTS * (double)of->comm->size;
    double points = 0.0;
    int64_t end = of->first;
    while (end < shard->n_parties && (end == of->first || points <= most)) {
        points += (double)(of->n_sums * shard->party_points[end]) +
                  2.0 * (double)reward_rows_of_party(of->run, end);
        end++;
    }
    return end;
}

static void release_batch(divergence *of)
{
    lists_destroy(&of->in_own);
    free(of->least);
    free(of->sums);
    free(of->excluded);
    of->least = NULL;
    of->sums = NULL;
    of->excluded = NULL;
}

static cgm_status measure(divergence *of)
{
    cgm_status status = look_in_all(of);
    for (; of->first < of->run->shard.n_parties && status == CGM_OK; of->first = of->end) {
        of->end = batch_end(of);
        status = look_in_own(of);
        if (status == CGM_OK) {
            status = sum_batch(of);
        }
        if (status == CGM_OK) {
            fill_in(of);
        }
        release_batch(of);
    }
    return status;
}

cgm_status metrics_measure_kl(cgm_comm *comm, const cgm_run *run, cgm_metrics *metrics)
{
    const reward_shares shares = {.own_work = run->shard.n_local_points};
    divergence of = {.comm = comm, .run = run, .metrics = metrics, .n_sums = 1 + metrics->n_sets};
    of.origin = cgm_alloc(comm, run->shard.n_features, sizeof *of.origin);
    cgm_status status = cgm_agree(comm, of.origin != NULL ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        of.kernel = cgm_kernel_of_distances(run->shard.n_features, run->spread.overall, of.origin,
                                            run->kernel.instruction_set);
        status = reward_rows_spread(comm, run, &shares, &of.rows);
    }
    if (status == CGM_OK) {
        status = measure(&of);
    }
    lists_destroy(&of.in_all);
    reward_rows_destroy(&of.rows);
    free(of.origin);
    return status;
}
