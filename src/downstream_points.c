#include "downstream_points.h"

#include <stdlib.h>
#include <string.h>

#include "cgm/rng.h"

/* ---- tickets ---- */

/* What a ticket is of: part of its counter. */
typedef enum ticket_kind { OF_POINT, OF_REWARD, OF_TEST, OF_PARTY } ticket_kind;

static cgm_rng rng_of(const cgm_run *run, const char *name)
{
    return (cgm_rng){run->config->seed, cgm_rng_hash(name), CGM_RNG_DOWNSTREAM};
}

static uint64_t ticket_of(const cgm_rng *rng, ticket_kind kind, int64_t number)
{
    uint64_t words[4];
    cgm_rng_words(rng, (uint64_t)number, kind, 0, words);
    return words[0];
}

static int compare_tickets(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left;
    const uint64_t b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

/* The highest ticket among the most lowest ones. Orders the tickets. */
static uint64_t bar_of(uint64_t *tickets, int64_t count, int64_t most)
{
    if (count <= most) {
        return UINT64_MAX;
    }
    qsort(tickets, (size_t)count, sizeof *tickets, compare_tickets);
    return tickets[most - 1];
}

/* ---- which ---- */

static cgm_status choose_parties(cgm_comm *comm, downstream_points *all)
{
    const cgm_shard *shard = &all->run->shard;
    const int64_t n = shard->n_parties;
    all->measured = cgm_alloc(comm, n, sizeof *all->measured);
    uint64_t *tickets = cgm_alloc(comm, 2 * n, sizeof *tickets);
    if (all->measured == NULL || tickets == NULL) {
        free(tickets);
        return CGM_ERR_MEMORY;
    }
    for (int64_t i = 0; i < n; i++) {
        const cgm_rng rng = rng_of(all->run, shard->names[i]);
        tickets[i] = tickets[n + i] = ticket_of(&rng, OF_PARTY, 0);
    }
    const uint64_t bar = bar_of(tickets + n, n, CGM_DOWNSTREAM_PARTIES);
    for (int64_t i = 0; i < n; i++) {
        if (tickets[i] <= bar) {
            all->measured[all->n_measured++] = i;
        }
    }
    free(tickets);
    return CGM_OK;
}

static bool is_kept_here(const cgm_comm *comm, const cgm_shard *shard, int64_t party)
{
    return party >= shard->first_party[comm->rank] && party < shard->first_party[comm->rank + 1];
}

/* Rewards of measured party k at inverse temperature number s. */
static int64_t count_rewards(const downstream_points *all, int64_t k, int64_t s)
{
    const int64_t *offsets = all->run->sampling.sets[s].offsets;
    return offsets[all->measured[k] + 1] - offsets[all->measured[k]];
}

/* tickets: room for all points of the set */
static uint64_t training_bar(const downstream_points *all, int64_t k, int64_t set,
                             uint64_t *tickets)
{
    const cgm_shard *shard = &all->run->shard;
    const int64_t own = shard->party_points[all->measured[k]];
    const int64_t rewards = set > 0 ? count_rewards(all, k, set - 1) : 0;
    const cgm_rng rng = rng_of(all->run, shard->names[all->measured[k]]);
    for (int64_t row = 0; row < own; row++) {
        tickets[row] = ticket_of(&rng, OF_POINT, row);
    }
    for (int64_t row = 0; row < rewards; row++) {
        tickets[own + row] = ticket_of(&rng, OF_REWARD, row);
    }
    return bar_of(tickets, own + rewards, all->run->config->downstream_points);
}

/* A party's keeper finds those of its training sets. */
static cgm_status find_training_bars(cgm_comm *comm, downstream_points *all)
{
    const cgm_shard *shard = &all->run->shard;
    const int64_t n_bars = all->n_measured * all->n_sets;
    int64_t most = 0;
    for (int64_t k = 0; k < all->n_measured; k++) {
        for (int64_t s = 0; s < all->n_sets && is_kept_here(comm, shard, all->measured[k]); s++) {
            const int64_t count =
                shard->party_points[all->measured[k]] + (s > 0 ? count_rewards(all, k, s - 1) : 0);
            most = count > most ? count : most;
        }
    }
    uint64_t *tickets = cgm_alloc(comm, most, sizeof *tickets);
    all->training_bars = cgm_alloc(comm, n_bars, sizeof *all->training_bars);
    bool refused = tickets == NULL || all->training_bars == NULL;
    cgm_status status = cgm_agree(comm, refused ? CGM_ERR_MEMORY : CGM_OK);
    for (int64_t b = 0; b < n_bars && status == CGM_OK; b++) {
        const int64_t k = b / all->n_sets;
        if (is_kept_here(comm, shard, all->measured[k])) {
            all->training_bars[b] = training_bar(all, k, b % all->n_sets, tickets);
        }
    }
    if (status == CGM_OK) {
        cgm_comm_sum_unsigned(comm, all->training_bars, n_bars);
    }
    free(tickets);
    return status;
}

/* Tickets of this rank's points, [n_local_points]. */
static void draw_tickets(const cgm_run *run, uint64_t *tickets)
{
    const cgm_shard *shard = &run->shard;
    for (int64_t k = 0; k < shard->n_shares; k++) {
        const cgm_rng rng = rng_of(run, shard->names[shard->share_party[k]]);
        for (int64_t row = shard->share_first[k]; row < shard->share_first[k + 1]; row++) {
            tickets[row] =
                ticket_of(&rng, OF_POINT, shard->share_offset[k] + row - shard->share_first[k]);
        }
    }
}

/* How many of count tickets in order are at most bar. */
static int64_t count_up_to(const uint64_t *ordered, int64_t count, uint64_t bar)
{
    int64_t low = 0;
    int64_t high = count;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (ordered[middle] <= bar) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* How many points at home here that are not the party's have tickets up to bar. */
static int64_t count_others(const cgm_shard *shard, const uint64_t *tickets,
                            const uint64_t *ordered, int64_t party, uint64_t bar)
{
    int64_t count = count_up_to(ordered, shard->n_local_points, bar);
    for (int64_t k = 0; k < shard->n_shares; k++) {
        const bool own = shard->share_party[k] == party;
        for (int64_t row = shard->share_first[k]; own && row < shard->share_first[k + 1]; row++) {
            count -= tickets[row] <= bar;
        }
    }
    return count;
}

/* The lowest bars up to which there are enough points of others, raised bit by bit over all ranks;
 * the highest where there never are enough. ordered: tickets in order; counts [n_measured] is work
 * space */
static void raise_others_bars(cgm_comm *comm, downstream_points *all, const uint64_t *tickets,
                              const uint64_t *ordered, int64_t *counts)
{
    const cgm_shard *shard = &all->run->shard;
    const int64_t most = all->run->config->downstream_points;
    memset(all->others_bars, 0, (size_t)all->n_measured * sizeof *all->others_bars);
    for (int bit = 63; bit >= 0; bit--) {
        const uint64_t step = UINT64_C(1) << bit;
        for (int64_t k = 0; k < all->n_measured; k++) {
            counts[k] = count_others(shard, tickets, ordered, all->measured[k],
                                     all->others_bars[k] + (step - 1));
        }
        cgm_comm_sum(comm, counts, all->n_measured);
        for (int64_t k = 0; k < all->n_measured; k++) {
            all->others_bars[k] += counts[k] < most ? step : 0;
        }
    }
}

/* tickets: of this rank's points */
static cgm_status search_others_bars(cgm_comm *comm, downstream_points *all,
                                     const uint64_t *tickets)
{
    const cgm_shard *shard = &all->run->shard;
    const int64_t n = shard->n_local_points;
    uint64_t *ordered = cgm_alloc(comm, n, sizeof *ordered);
    int64_t *counts = cgm_alloc(comm, all->n_measured, sizeof *counts);
    bool refused = ordered == NULL || counts == NULL;
    cgm_status status = cgm_agree(comm, refused ? CGM_ERR_MEMORY : CGM_OK);
    if (status == CGM_OK) {
        memcpy(ordered, tickets, (size_t)n * sizeof *ordered);
        qsort(ordered, (size_t)n, sizeof *ordered, compare_tickets);
        raise_others_bars(comm, all, tickets, ordered, counts);
    }
    free(ordered);
    free(counts);
    return status;
}

static cgm_status find_others_bars(cgm_comm *comm, downstream_points *all, const uint64_t *tickets)
{
    const cgm_shard *shard = &all->run->shard;
    bool too_many = false;
    all->others_bars = cgm_alloc(comm, all->n_measured, sizeof *all->others_bars);
    cgm_status status = cgm_agree(comm, all->others_bars == NULL ? CGM_ERR_MEMORY : CGM_OK);
    for (int64_t k = 0; k < all->n_measured && status == CGM_OK; k++) {
        const int64_t others = shard->n_points - shard->party_points[all->measured[k]];
        too_many = too_many || others > all->run->config->downstream_points;
        all->others_bars[k] = UINT64_MAX;
    }
    return too_many ? search_others_bars(comm, all, tickets) : status;
}

/* ---- the parties' points ---- */

/* The highest ticket with which a party's points are of use to anybody. */
static uint64_t useful_bar(const downstream_points *all, int64_t party)
{
    uint64_t bar = 0;
    for (int64_t k = 0; k < all->n_measured; k++) {
        const uint64_t own =
            all->measured[k] == party ? all->training_bars[k * all->n_sets] : all->others_bars[k];
        bar = own > bar ? own : bar;
    }
    return bar;
}

/* This rank's points of use into rows and points; or, where these are NULL, how many there are of
 * each party into counts [n_parties]. @return their number */
static int64_t collect_points(const downstream_points *all, const uint64_t *tickets,
                              int64_t *counts, downstream_row *rows, double *points)
{
    const cgm_shard *shard = &all->run->shard;
    const int64_t d = shard->n_features;
    int64_t n = 0;
    for (int64_t k = 0; k < shard->n_shares; k++) {
        const uint64_t bar = useful_bar(all, shard->share_party[k]);
        for (int64_t row = shard->share_first[k]; row < shard->share_first[k + 1]; row++) {
            if (tickets[row] > bar) {
                continue;
            }
            if (rows != NULL) {
                rows[n] = (downstream_row){shard->labels[row], tickets[row]};
                memcpy(points + n * d, shard->points + row * d, (size_t)d * sizeof *points);
            } else {
                counts[shard->share_party[k]]++;
            }
            n++;
        }
    }
    return n;
}

/* From numbers of rows, counted by any ranks in first[k + 1], to first rows. first [count + 1] */
static void add_up(cgm_comm *comm, int64_t *first, int64_t count)
{
    cgm_comm_sum(comm, first, count + 1);
    for (int64_t k = 0; k < count; k++) {
        first[k + 1] += first[k];
    }
}

/* Rows of each rank from the number of this one's. offset [size + 1] */
static void find_offsets(cgm_comm *comm, int64_t mine, int64_t *offset)
{
    memset(offset, 0, (size_t)(comm->size + 1) * sizeof *offset);
    offset[comm->rank + 1] = mine;
    add_up(comm, offset, comm->size);
}

/* Every rank's segments to memory of every node. */
static cgm_status share(cgm_comm *comm, const int64_t *offset, const void *mine, size_t element,
                        cgm_shared *shared)
{
    cgm_status status = cgm_shared_create(comm, (size_t)offset[comm->size] * element, shared);
    return status == CGM_OK ? cgm_shared_all_gather(comm, shared, mine, offset, element) : status;
}

static cgm_status share_points(cgm_comm *comm, downstream_points *all, const uint64_t *tickets,
                               int64_t *offset)
{
    const cgm_shard *shard = &all->run->shard;
    const size_t row_bytes = (size_t)shard->n_features * sizeof(double);
    all->first = cgm_alloc(comm, shard->n_parties + 1, sizeof *all->first);
    int64_t n = all->first != NULL ? collect_points(all, tickets, all->first + 1, NULL, NULL) : 0;
    downstream_row *rows = cgm_alloc(comm, n, sizeof *rows);
    double *points = cgm_alloc(comm, n, row_bytes);
    bool complete = rows != NULL && points != NULL && all->first != NULL;
    cgm_status status = cgm_agree(comm, complete ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        collect_points(all, tickets, NULL, rows, points);
        find_offsets(comm, n, offset);
        add_up(comm, all->first, shard->n_parties);
        status = share(comm, offset, rows, sizeof *rows, &all->rows_memory);
    }
    if (status == CGM_OK) {
        status = share(comm, offset, points, row_bytes, &all->points_memory);
    }
    all->rows = all->rows_memory.data;
    all->points = all->points_memory.data;
    free(rows);
    free(points);
    return status;
}

/* ---- rewards ---- */

/* Candidates that rewards taken of the parties kept here name, by party and β, and how many of each
 * there are. counts [n_measured · β], indices: or NULL. @return their number */
static int64_t collect_rewards(const cgm_comm *comm, const downstream_points *all, int64_t *counts,
                               int64_t *indices)
{
    const cgm_shard *shard = &all->run->shard;
    const int64_t n_inv_temp = all->n_sets - 1;
    int64_t n = 0;
    for (int64_t b = 0; b < all->n_measured * n_inv_temp; b++) {
        const int64_t k = b / n_inv_temp;
        const int64_t party = all->measured[k];
        if (!is_kept_here(comm, shard, party)) {
            continue;
        }
        const cgm_reward_set *set = &all->run->sampling.sets[b % n_inv_temp];
        const int64_t first = set->offsets[party] - set->offsets[shard->first_party[comm->rank]];
        const cgm_rng rng = rng_of(all->run, shard->names[party]);
        const uint64_t bar = all->training_bars[k * all->n_sets + 1 + b % n_inv_temp];
        for (int64_t row = 0; row < count_rewards(all, k, b % n_inv_temp); row++) {
            if (ticket_of(&rng, OF_REWARD, row) <= bar) {
                if (indices != NULL) {
                    indices[n] = set->indices[first + row];
                } else {
                    counts[b]++;
                }
                n++;
            }
        }
    }
    return n;
}

/* This rank's part of the rewards, n rows, to all. */
static cgm_status share_rewards(cgm_comm *comm, downstream_points *all, const int64_t *offset,
                                int64_t n)
{
    cgm_candidates pool = all->run->candidates;
    pool.original = pool.points; /* as the parties' points are: in the features computed with */
    pool.n_original_features = pool.n_features;
    const size_t row_bytes = (size_t)pool.n_features * sizeof(double);
    int64_t *indices = cgm_alloc(comm, n, sizeof *indices);
    int64_t *labels = cgm_alloc(comm, n, sizeof *labels);
    double *points = cgm_alloc(comm, n, row_bytes);
    bool complete = indices != NULL && labels != NULL && points != NULL;
    cgm_status status = cgm_agree(comm, complete ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        collect_rewards(comm, all, NULL, indices);
        status = cgm_sampling_points(comm, &pool, indices, n, points, labels);
    }
    if (status == CGM_OK) {
        status = share(comm, offset, points, row_bytes, &all->reward_points_memory);
    }
    if (status == CGM_OK) {
        status = share(comm, offset, labels, sizeof *labels, &all->reward_labels_memory);
    }
    all->reward_points = all->reward_points_memory.data;
    all->reward_labels = all->reward_labels_memory.data;
    free(indices);
    free(labels);
    free(points);
    return status;
}

/* Without labels of the pool there is nothing to learn from rewards. */
static cgm_status gather_rewards(cgm_comm *comm, downstream_points *all, int64_t *offset)
{
    const int64_t count = all->n_measured * (all->n_sets - 1);
    all->first_reward = cgm_alloc(comm, count + 1, sizeof *all->first_reward);
    cgm_status status = cgm_agree(comm, all->first_reward == NULL ? CGM_ERR_MEMORY : CGM_OK);
    if (status != CGM_OK || !all->run->candidates.has_labels) {
        return status;
    }
    const int64_t mine = collect_rewards(comm, all, all->first_reward + 1, NULL);
    find_offsets(comm, mine, offset);
    add_up(comm, all->first_reward, count);
    return offset[comm->size] > 0 ? share_rewards(comm, all, offset, mine) : CGM_OK;
}

/* ---- sets of points ---- */

static cgm_status labelled_create(cgm_comm *comm, int64_t most, cgm_labelled *points)
{
    *points = (cgm_labelled){.points = cgm_alloc(comm, most, sizeof *points->points)};
    points->labels = cgm_alloc(comm, most, sizeof *points->labels);
    return points->points == NULL || points->labels == NULL ? CGM_ERR_MEMORY : CGM_OK;
}

static void add_point(cgm_labelled *to, const double *point, int64_t label)
{
    to->points[to->n_points] = point;
    to->labels[to->n_points++] = label;
}

static void add_rows(const downstream_points *all, int64_t first, int64_t end, uint64_t bar,
                     cgm_labelled *to)
{
    for (int64_t row = first; row < end; row++) {
        if (all->rows[row].ticket <= bar) {
            add_point(to, all->points + row * all->run->shard.n_features, all->rows[row].label);
        }
    }
}

static cgm_status choose_test(cgm_comm *comm, downstream_points *all)
{
    const cgm_testset *test = &all->run->testset;
    const int64_t n = test->has_labels ? test->n_points : 0;
    uint64_t *tickets = cgm_alloc(comm, 2 * n, sizeof *tickets);
    cgm_status status = labelled_create(comm, n, &all->test);
    if (tickets == NULL || status != CGM_OK) {
        free(tickets);
        return CGM_ERR_MEMORY;
    }
    const cgm_rng rng = rng_of(all->run, "/test");
    for (int64_t row = 0; row < n; row++) {
        tickets[row] = tickets[n + row] = ticket_of(&rng, OF_TEST, row);
    }
    const uint64_t bar = bar_of(tickets + n, n, all->run->config->downstream_points);
    for (int64_t row = 0; row < n; row++) {
        if (tickets[row] <= bar) {
            add_point(&all->test, test->points + row * test->n_features, test->labels[row]);
        }
    }
    free(tickets);
    return CGM_OK;
}

int64_t downstream_points_count(const downstream_points *all, int64_t k, int64_t set)
{
    const int64_t *reward = all->first_reward + k * (all->n_sets - 1) + set - 1;
    const uint64_t bar = all->training_bars[k * all->n_sets + set];
    int64_t count = set > 0 ? reward[1] - reward[0] : 0;
    for (int64_t row = all->first[all->measured[k]]; row < all->first[all->measured[k] + 1];
         row++) {
        count += all->rows[row].ticket <= bar;
    }
    return count;
}

cgm_status downstream_points_train(cgm_comm *comm, const downstream_points *all, int64_t k,
                                   int64_t set, cgm_labelled *points)
{
    const int64_t d = all->run->shard.n_features;
    const int64_t party = all->measured[k];
    cgm_status status = labelled_create(comm, downstream_points_count(all, k, set), points);
    if (status != CGM_OK) {
        return status;
    }
    add_rows(all, all->first[party], all->first[party + 1],
             all->training_bars[k * all->n_sets + set], points);
    if (set > 0) {
        const int64_t *reward = all->first_reward + k * (all->n_sets - 1) + set - 1;
        for (int64_t row = reward[0]; row < reward[1]; row++) {
            add_point(points, all->reward_points + row * d, all->reward_labels[row]);
        }
    }
    return CGM_OK;
}

cgm_status downstream_points_others(cgm_comm *comm, const downstream_points *all, int64_t k,
                                    cgm_labelled *points)
{
    const int64_t party = all->measured[k];
    const int64_t n_rows = all->first[all->run->shard.n_parties];
    cgm_status status = labelled_create(comm, n_rows, points);
    if (status == CGM_OK) {
        add_rows(all, 0, all->first[party], all->others_bars[k], points);
        add_rows(all, all->first[party + 1], n_rows, all->others_bars[k], points);
    }
    return status;
}

/* ---- all of them ---- */

static cgm_status gather(cgm_comm *comm, downstream_points *all, uint64_t *tickets, int64_t *offset)
{
    draw_tickets(all->run, tickets);
    cgm_status status = find_training_bars(comm, all);
    if (status == CGM_OK) {
        status = find_others_bars(comm, all, tickets);
    }
    if (status == CGM_OK) {
        status = share_points(comm, all, tickets, offset);
    }
    if (status == CGM_OK) {
        status = gather_rewards(comm, all, offset);
    }
    return status;
}

cgm_status downstream_points_gather(cgm_comm *comm, const cgm_run *run, downstream_points *all)
{
    *all = (downstream_points){.run = run, .n_sets = run->sampling.n_sets + 1};
    uint64_t *tickets = cgm_alloc(comm, run->shard.n_local_points, sizeof *tickets);
    int64_t *offset = cgm_alloc(comm, comm->size + 1, sizeof *offset);
    cgm_status status = choose_parties(comm, all);
    if (status == CGM_OK) {
        status = choose_test(comm, all);
    }
    bool refused = tickets == NULL || offset == NULL || status != CGM_OK;
    status = cgm_agree(comm, refused ? CGM_ERR_MEMORY : CGM_OK);
    if (status == CGM_OK) {
        status = gather(comm, all, tickets, offset);
    }
    free(tickets);
    free(offset);
    return status;
}

void downstream_points_destroy(downstream_points *all)
{
    cgm_shared_destroy(&all->rows_memory);
    cgm_shared_destroy(&all->points_memory);
    cgm_shared_destroy(&all->reward_points_memory);
    cgm_shared_destroy(&all->reward_labels_memory);
    free(all->measured);
    free(all->training_bars);
    free(all->others_bars);
    free(all->first);
    free(all->first_reward);
    free(all->test.points);
    free(all->test.labels);
    *all = (downstream_points){0};
}
