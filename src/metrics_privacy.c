#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/tolerance.h"
#include "metrics_parts.h"
#include "metrics_rewards.h"
#include "neighbours.h"
#include "quantiles.h"

/* The nearest record of a point: enough to know, for any party, the nearest one of another. */
typedef struct nearest_record {
    double squared; /* to the nearest record of all */
    double other;   /* to the nearest one of a party but that */
    int64_t party;
} nearest_record;

/* Points whose nearest records are looked for: different candidates of rewards, then points that
 * nobody has, or without those the whole of this rank's part of the pool, which is both. */
typedef struct privacy {
    cgm_comm *comm;
    const cgm_run *run;
    cgm_metrics *metrics;
    cgm_kernel kernel;
    double *origin; /* [d] zeros */
    reward_rows rows;
    bool has_test;
    int64_t first_held_out, n_held_out; /* among queries */
    neighbour_points queries;
    nearest_record *nearest; /* [n_queries] */
} privacy;

/* Numbers one group after the other, ascending in each. */
typedef struct sorted_groups {
    int64_t *first; /* [n_groups + 1] */
    double *numbers;
} sorted_groups;

/* ---- nearest records ---- */

static void note(nearest_record *of, int64_t party, double squared)
{
    if (party == of->party || squared < of->squared) {
        of->other = party == of->party ? of->other : of->squared;
        of->squared = fmin(squared, of->squared);
        of->party = party;
    } else {
        of->other = fmin(squared, of->other);
    }
}

static int64_t meet_records(void *state, int64_t b, const neighbour_points *records)
{
    const privacy *of = state;
    const cgm_block *columns = &of->queries.blocks[b];
    double least[CGM_BLOCK_POINTS];
    double most[CGM_BLOCK_POINTS];
    int64_t evaluations = 0;
    for (int64_t k = 0; k < records->n_segments; k++) {
        const cgm_segment *segment = &records->segments[k];
        const cgm_tile tile = {&records->blocks[segment->first], segment, columns, 0};
        cgm_kernel_distances(&of->kernel, &tile, least, most);
        for (int64_t c = 0; c < columns->n_points; c++) {
            note(&of->nearest[b * CGM_BLOCK_POINTS + c], segment->owner, least[c]);
        }
        evaluations += segment->n_points * columns->n_points;
    }
    return evaluations;
}

/* This rank's part of the points that nobody has. */
static void share_test(const privacy *of, int64_t *first, int64_t *end)
{
    const int64_t n = of->run->testset.n_points;
    *first = n * of->comm->rank / of->comm->size;
    *end = n * (of->comm->rank + 1) / of->comm->size;
}

static cgm_status list_queries(privacy *of)
{
    const cgm_testset *test = &of->run->testset;
    int64_t first = of->rows.first;
    int64_t end = of->rows.end;
    if (of->has_test) {
        share_test(of, &first, &end);
        of->first_held_out = of->rows.n_candidates;
    }
    of->n_held_out = end - first;
    const int64_t count = of->first_held_out + of->n_held_out;
    cgm_status status =
        neighbour_points_create(of->comm, &of->kernel, count, 1, true, &of->queries);
    of->nearest = cgm_alloc(of->comm, count, sizeof *of->nearest);
    if (status != CGM_OK || of->nearest == NULL) {
        return CGM_ERR_MEMORY;
    }
    for (int64_t k = 0; k < of->first_held_out; k++) {
        neighbour_points_add(&of->queries, 0, reward_point(of->run, of->rows.candidates[k]), 1);
    }
    if (of->n_held_out > 0) {
        neighbour_points_add(&of->queries, 0,
                             of->has_test ? test->points + first * test->n_features
                                          : reward_point(of->run, first),
                             of->n_held_out);
    }
    for (int64_t k = 0; k < count; k++) {
        of->nearest[k] = (nearest_record){INFINITY, INFINITY, -1};
    }
    return CGM_OK;
}

static cgm_status list_records(privacy *of, neighbour_points *records)
{
    const cgm_shard *shard = &of->run->shard;
    cgm_status status = neighbour_points_create(of->comm, &of->kernel, shard->n_local_points,
                                                shard->n_shares, false, records);
    for (int64_t k = 0; k < shard->n_shares && status == CGM_OK; k++) {
        const int64_t first = shard->share_first[k];
        neighbour_points_add(records, shard->share_party[k],
                             shard->points + first * shard->n_features,
                             shard->share_first[k + 1] - first);
    }
    return status;
}

static cgm_status look_for_records(privacy *of)
{
    neighbour_points records = {0};
    const neighbour_search search = {&of->queries, of, meet_records, "metrics, nearest records"};
    cgm_status status = list_queries(of);
    if (status == CGM_OK) {
        status = list_records(of, &records);
    }
    status = cgm_agree(of->comm, status);
    if (status == CGM_OK) {
        status = neighbours_meet_all(of->comm, &search, &records);
    }
    neighbour_points_destroy(&records);
    return status;
}

/* ---- distances of held-out points ---- */

/* Of a group, a party: distances of all held-out points to the nearest record of any other party.
 * They are the distances to the nearest record of all, but for the points whose nearest record is
 * the party's own. */
typedef struct held_out {
    double *all;           /* [n] ascending */
    int64_t n;             /* on this rank */
    sorted_groups nearest; /* by the party of the nearest record: distances to that */
    sorted_groups other;   /* and to the nearest one of another */
} held_out;

static cgm_status sorted_create(cgm_comm *comm, int64_t n_groups, int64_t n, sorted_groups *made)
{
    made->first = cgm_alloc(comm, n_groups + 1, sizeof *made->first);
    made->numbers = cgm_alloc(comm, n, sizeof *made->numbers);
    return made->first == NULL || made->numbers == NULL ? CGM_ERR_MEMORY : CGM_OK;
}

static void sorted_destroy(sorted_groups *of)
{
    free(of->first);
    free(of->numbers);
}

/* Counts become first places; place must be called for every number then, and sort at the end. */
static void sorted_begin(sorted_groups *of, int64_t n_groups)
{
    for (int64_t k = 0; k < n_groups; k++) {
        of->first[k + 1] += of->first[k];
    }
}

static void sorted_place(sorted_groups *of, int64_t group, double number)
{
    of->numbers[of->first[group]++] = number;
}

static void sorted_sort(sorted_groups *of, int64_t n_groups)
{
    /* Placing moved each first to the next one's. */
    for (int64_t k = n_groups; k > 0; k--) {
        of->first[k] = of->first[k - 1];
    }
    of->first[0] = 0;
    for (int64_t k = 0; k < n_groups; k++) {
        quantiles_sort(of->numbers + of->first[k], of->first[k + 1] - of->first[k]);
    }
}

static int64_t sorted_count(const sorted_groups *of, int64_t group, double x)
{
    return quantiles_count(of->numbers + of->first[group], of->first[group + 1] - of->first[group],
                           x);
}

static int64_t count_held_out(const void *state, int64_t party, double x)
{
    const held_out *of = state;
    return quantiles_count(of->all, of->n, x) - sorted_count(&of->nearest, party, x) +
           sorted_count(&of->other, party, x);
}

static void sort_held_out(const privacy *of, held_out *to)
{
    const int64_t n_parties = of->run->shard.n_parties;
    const nearest_record *points = of->nearest + of->first_held_out;
    for (int64_t k = 0; k < to->n; k++) {
        to->nearest.first[points[k].party + 1]++;
        to->other.first[points[k].party + 1]++;
    }
    sorted_begin(&to->nearest, n_parties);
    sorted_begin(&to->other, n_parties);
    for (int64_t k = 0; k < to->n; k++) {
        to->all[k] = sqrt(points[k].squared);
        sorted_place(&to->nearest, points[k].party, to->all[k]);
        sorted_place(&to->other, points[k].party, sqrt(points[k].other));
    }
    quantiles_sort(to->all, to->n);
    sorted_sort(&to->nearest, n_parties);
    sorted_sort(&to->other, n_parties);
}

/* quantiles [n_parties] */
static cgm_status measure_held_out(const privacy *of, double *quantiles)
{
    cgm_comm *comm = of->comm;
    const int64_t n_parties = of->run->shard.n_parties;
    const int64_t total = of->has_test ? of->run->testset.n_points : of->run->candidates.n_points;
    held_out to = {.n = of->n_held_out, .all = cgm_alloc(comm, of->n_held_out, sizeof(double))};
    int64_t *sizes = cgm_alloc(comm, n_parties, sizeof *sizes);
    bool refused = to.all == NULL || sizes == NULL;
    refused = sorted_create(comm, n_parties, to.n, &to.nearest) != CGM_OK || refused;
    refused = sorted_create(comm, n_parties, to.n, &to.other) != CGM_OK || refused;
    cgm_status status = cgm_agree(comm, refused ? CGM_ERR_MEMORY : CGM_OK);
    if (status == CGM_OK) {
        for (int64_t i = 0; i < n_parties; i++) {
            sizes[i] = total;
        }
        sort_held_out(of, &to);
        const number_groups groups = {n_parties, sizes, &to, count_held_out};
        status = quantiles_find(comm, &groups, CGM_CLOSE_QUANTILE, quantiles);
    }
    free(to.all);
    free(sizes);
    sorted_destroy(&to.nearest);
    sorted_destroy(&to.other);
    return status;
}

/* ---- distances of rewards ---- */

static int64_t count_reward(const void *state, int64_t group, double x)
{
    return sorted_count(state, group, x);
}

/* To the nearest record of a party other than that of the row. */
static double distance_of(const privacy *of, const reward_row *row)
{
    const int64_t query = of->has_test ? reward_rows_find(&of->rows, row->candidate)
                                       : row->candidate - of->rows.first;
    const nearest_record *found = &of->nearest[query];
    return sqrt(found->party == row->party ? found->other : found->squared);
}

/* Groups are [n_parties][n_sets]. */
static void sort_rewards(const privacy *of, sorted_groups *to)
{
    const int64_t n_sets = of->metrics->n_sets;
    const int64_t n_groups = of->metrics->n_parties * n_sets;
    for (int64_t k = 0; k < of->rows.n_rows; k++) {
        const reward_row *row = &of->rows.rows[k];
        to->first[row->party * n_sets + row->set + 1]++;
    }
    sorted_begin(to, n_groups);
    for (int64_t k = 0; k < of->rows.n_rows; k++) {
        const reward_row *row = &of->rows.rows[k];
        sorted_place(to, row->party * n_sets + row->set, distance_of(of, row));
    }
    sorted_sort(to, n_groups);
}

/* No nearer than held-out points where both quantiles are 0. */
static double ratio(double reward, double held_out_points)
{
    return reward == held_out_points ? 1.0 : reward / held_out_points;
}

/* What is known of all groups. [n_groups], but held_out [n_parties] */
typedef struct findings {
    int64_t *sizes;
    int64_t *counts; /* [2][n_groups] copies, and points nearer than the held-out quantile */
    double *quantiles;
    double *held_out;
} findings;

static void fill_in(const privacy *of, const findings *found)
{
    const int64_t n_sets = of->metrics->n_sets;
    const int64_t n_groups = of->metrics->n_parties * n_sets;
    for (int64_t k = 0; k < n_groups; k++) {
        double *const *columns = of->metrics->sets[k % n_sets].columns;
        const int64_t i = k / n_sets;
        if (found->sizes[k] > 0) {
            const double size = (double)found->sizes[k];
            columns[CGM_PRIVACY_COPIES][i] = (double)found->counts[k] / size;
            columns[CGM_PRIVACY_CLOSE][i] = (double)found->counts[n_groups + k] / size;
            columns[CGM_PRIVACY_RATIO][i] = ratio(found->quantiles[k], found->held_out[i]);
        }
    }
}

static cgm_status compare(const privacy *of, const sorted_groups *rewards, const findings *found)
{
    const int64_t n_sets = of->metrics->n_sets;
    const int64_t n_groups = of->metrics->n_parties * n_sets;
    for (int64_t k = 0; k < n_groups; k++) {
        found->sizes[k] = reward_size(of->run, k % n_sets, k / n_sets);
    }
    const number_groups groups = {n_groups, found->sizes, rewards, count_reward};
    cgm_status status = quantiles_find(of->comm, &groups, CGM_CLOSE_QUANTILE, found->quantiles);
    if (status == CGM_OK) {
        status = measure_held_out(of, found->held_out);
    }
    if (status == CGM_OK) {
        for (int64_t k = 0; k < n_groups; k++) {
            /* Nearer is less: at most the next smaller number. */
            const double limit = nextafter(found->held_out[k / n_sets], -INFINITY);
            found->counts[k] = sorted_count(rewards, k, 0.0);
            found->counts[n_groups + k] = sorted_count(rewards, k, limit);
        }
        cgm_comm_sum(of->comm, found->counts, 2 * n_groups);
        fill_in(of, found);
    }
    return status;
}

static cgm_status measure_rewards(const privacy *of)
{
    cgm_comm *comm = of->comm;
    const int64_t n_groups = of->metrics->n_parties * of->metrics->n_sets;
    sorted_groups rewards = {0};
    const findings found = {
        .sizes = cgm_alloc(comm, n_groups, sizeof(int64_t)),
        .counts = cgm_alloc(comm, 2 * n_groups, sizeof(int64_t)),
        .quantiles = cgm_alloc(comm, n_groups, sizeof(double)),
        .held_out = cgm_alloc(comm, of->metrics->n_parties, sizeof(double)),
    };
    bool refused = found.sizes == NULL || found.counts == NULL || found.quantiles == NULL ||
                   found.held_out == NULL;
    refused = sorted_create(comm, n_groups, of->rows.n_rows, &rewards) != CGM_OK || refused;
    cgm_status status = cgm_agree(comm, refused ? CGM_ERR_MEMORY : CGM_OK);
    if (status == CGM_OK) {
        sort_rewards(of, &rewards);
        status = compare(of, &rewards, &found);
    }
    free(found.sizes);
    free(found.counts);
    free(found.quantiles);
    free(found.held_out);
    sorted_destroy(&rewards);
    return status;
}

/* ---- all of it ---- */

static bool are_all_empty(const cgm_run *run)
{
    int64_t points = 0;
    for (int64_t s = 0; s < run->sampling.n_sets; s++) {
        points += run->sampling.sets[s].offsets[run->shard.n_parties];
    }
    return points == 0;
}

cgm_status metrics_measure_privacy(cgm_comm *comm, const cgm_run *run, cgm_metrics *metrics)
{
    if (run->shard.n_parties < 2 || are_all_empty(run)) {
        return CGM_OK;
    }
    privacy of = {
        .comm = comm, .run = run, .metrics = metrics, .has_test = run->testset.n_points > 0};
    const reward_shares shares = {.all = !of.has_test};
    of.origin = cgm_alloc(comm, run->shard.n_features, sizeof *of.origin);
    cgm_status status = cgm_agree(comm, of.origin != NULL ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        of.kernel = cgm_kernel_of_distances(run->shard.n_features, run->spread.overall, of.origin,
                                            run->kernel.instruction_set);
        status = reward_rows_spread(comm, run, &shares, &of.rows);
    }
    if (status == CGM_OK) {
        status = look_for_records(&of);
    }
    if (status == CGM_OK) {
        status = measure_rewards(&of);
    }
    neighbour_points_destroy(&of.queries);
    reward_rows_destroy(&of.rows);
    free(of.nearest);
    free(of.origin);
    return status;
}
