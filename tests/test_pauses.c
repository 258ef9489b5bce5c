/* Kernel sums and rewards that grow with pauses, or are stopped and begun again with what was kept,
 * are bit for bit those that grew in one go; what is done is not evaluated again. */
// ranks: 1 2 3 5 8
// timeout: 120
// without: valgrind
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "cgm/coalition.h"
#include "cgm/sampling.h"
#include "cgm/sampling_team.h"
#include "harness.h"

enum { PARTIES = 5, DIMENSIONS = 3, CANDIDATES = 2100, N_INV_TEMP = 3 };

static const int64_t sizes[PARTIES] = {700, 30, 1100, 1, 520};
static const double inv_temps[N_INV_TEMP] = {1.0, 8.0, INFINITY};

/* A pause that is due every so many looks, and what it is handed. */
typedef struct interruption {
    int64_t every, looks, pauses;
    int64_t stop_at; /* the pause that ends the run; 0: none */
    void (*look_at)(cgm_comm *comm, struct interruption *at, const void *partial);
    const cgm_shard *shard;
    cgm_partial_sums sums;       /* kept */
    cgm_sampling_partial chains; /* kept */
} interruption;

static bool is_due(cgm_comm *comm, void *state)
{
    (void)comm;
    interruption *at = state;
    return ++at->looks % at->every == 0;
}

static cgm_status keep(cgm_comm *comm, void *state, const void *partial)
{
    interruption *at = state;
    at->pauses++;
    if (at->pauses != at->stop_at) {
        return CGM_OK;
    }
    at->look_at(comm, at, partial);
    return CGM_STOPPED;
}

static void *copy(const void *from, size_t bytes)
{
    void *to = malloc(bytes + 1);
    memcpy(to, from, bytes);
    return to;
}

static void make(cgm_comm *comm, bool sliced, test_case *made)
{
    if (sliced) {
        case_make_sliced(comm, PARTIES, sizes, DIMENSIONS, CANDIDATES, 0.3, made);
    } else {
        case_make(comm, PARTIES, sizes, DIMENSIONS, CANDIDATES, 0.3, made);
    }
}

/* ---- kernel sums ---- */

static void copy_sums(cgm_comm *comm, interruption *at, const void *partial)
{
    (void)comm;
    const cgm_partial_sums *from = partial;
    const size_t rows = (size_t)((from->end_row - from->first_row) * PARTIES);
    const size_t layers = (size_t)(from->layers.n_layers * from->layers.n_candidates);
    at->sums = *from;
    at->sums.units.done =
        copy(from->units.done, (size_t)from->units.n_words * sizeof *from->units.done);
    at->sums.party_sums = copy(from->party_sums, rows * sizeof *from->party_sums);
    at->sums.party_candidate_sums =
        copy(from->party_candidate_sums, (PARTIES + 1) * sizeof(cgm_accumulator));
    at->sums.layers.sums.high = copy(from->layers.sums.high, layers * sizeof(int64_t));
    at->sums.layers.sums.low = copy(from->layers.sums.low, layers * sizeof(int64_t));
}

static cgm_status fill(cgm_comm *comm, void *state, cgm_partial_sums *partial)
{
    (void)comm;
    interruption *at = state;
    const cgm_partial_sums *from = &at->sums;
    const size_t rows = (size_t)((from->end_row - from->first_row) * PARTIES);
    const size_t layers = (size_t)(from->layers.n_layers * from->layers.n_candidates);
    memcpy(partial->units.done, from->units.done,
           (size_t)from->units.n_words * sizeof *from->units.done);
    memcpy(partial->party_sums, from->party_sums, rows * sizeof *from->party_sums);
    memcpy(partial->party_candidate_sums, from->party_candidate_sums,
           (PARTIES + 1) * sizeof(cgm_accumulator));
    memcpy(partial->layers.sums.high, from->layers.sums.high, layers * sizeof(int64_t));
    memcpy(partial->layers.sums.low, from->layers.sums.low, layers * sizeof(int64_t));
    free(from->units.done);
    free(from->party_sums);
    free(from->party_candidate_sums);
    free(from->layers.sums.high);
    free(from->layers.sums.low);
    return CGM_OK;
}

static bool same_sums(cgm_comm *comm, const cgm_kernel_sums *a, const cgm_kernel_sums *b)
{
    const size_t rows = (size_t)(a->first_row[comm->rank + 1] - a->first_row[comm->rank]);
    const size_t held = (size_t)(a->held_end - a->held_first);
    const size_t words = sizeof(double);
    return memcmp(a->party_sums, b->party_sums, rows * PARTIES * words) == 0 &&
           memcmp(a->reference_sums, b->reference_sums, PARTIES * words) == 0 &&
           memcmp(a->party_candidate_sums, b->party_candidate_sums, PARTIES * words) == 0 &&
           memcmp(a->candidate_sums, b->candidate_sums, held * words) == 0 &&
           memcmp(&a->candidate_sum, &b->candidate_sum, words) == 0;
}

/* Stops at each pause of a number of them in turn; evaluations of all runs together. */
static void check_sums(cgm_comm *comm, bool sliced, int threads, int64_t every)
{
    test_case made;
    cgm_kernel_sums sums;
    make(comm, sliced, &made);
    comm->threads = threads;
    const int64_t before = comm->counters.kernel_evaluations;
    case_sums(comm, &made);
    const int64_t at_once = comm->counters.kernel_evaluations - before;
    interruption at = {.every = every, .look_at = copy_sums, .stop_at = 1};
    const cgm_pause pause = {&at, is_due, keep};
    const cgm_sums_source source = {&at, fill};
    cgm_status status = CGM_STOPPED;
    int64_t stops = 0;
    int64_t evaluations = -comm->counters.kernel_evaluations;
    for (; status == CGM_STOPPED && stops < 1000; stops++) {
        at.looks = 0;
        at.pauses = 0;
        at.stop_at = 1 + stops % 2; /* every other run goes on once before it stops */
        /* Looks at pairs that are done count: a run must get further than the one before. */
        at.every++;
        status = cgm_kernel_sums_complete(comm, &made.shard, &made.candidates, &made.kernel,
                                          stops > 0 ? &source : NULL, &pause, &sums);
        comm->error = (cgm_error){0};
        if (status == CGM_STOPPED) {
            cgm_kernel_sums_destroy(&sums);
        }
    }
    evaluations += comm->counters.kernel_evaluations;
    /* Of several threads the one that looks may happen to get no tile. */
    assert_all_ranks(comm, status == CGM_OK && (stops > 1 || threads > 1));
    assert_all_ranks(comm, same_sums(comm, &made.sums, &sums));
    int64_t both[2] = {evaluations, at_once};
    cgm_comm_sum(comm, both, 2);
    assert_all_ranks(comm, both[0] == both[1]);
    comm->threads = 1;
    cgm_kernel_sums_destroy(&sums);
    case_close(&made);
}

static void test_kernel_sums(void **state)
{
    cgm_comm *comm = *state;
    check_sums(comm, false, 1, 1);
    check_sums(comm, true, 1, 1);
    check_sums(comm, false, 3, 1);
}

/* ---- rewards ---- */

/* Rows of all ranks, then those of the parties that this rank keeps, as a run begins with them. */
static void copy_chains(cgm_comm *comm, interruption *at, const void *partial)
{
    const cgm_sampling_partial *from = partial;
    int64_t *first = calloc((size_t)comm->size + 1, sizeof *first);
    first[comm->rank] = from->first_local;
    cgm_comm_sum(comm, first, comm->size);
    first[comm->size] = from->total_rows;
    int64_t *indices = calloc((size_t)from->total_rows + 1, sizeof *indices);
    double *values = calloc((size_t)from->total_rows + 1, sizeof *values);
    if (from->n_local > 0) {
        const size_t bytes = (size_t)from->n_local * sizeof *indices;
        memcpy(indices + first[comm->rank], from->indices, bytes);
        memcpy(values + first[comm->rank], from->values, bytes);
    }
    cgm_comm_all_gather(comm, indices, first, sizeof *indices);
    cgm_comm_all_gather(comm, values, first, sizeof *values);
    cgm_sampling_partial *to = &at->chains;
    cgm_sampling_partial_create(comm, from->n_chains, to);
    cgm_sampling_partial_allocate(comm, from->total_rows, to);
    const size_t counts = (size_t)from->n_chains * sizeof(int64_t);
    memcpy(to->finished, from->finished, counts);
    memcpy(to->draws, from->draws, counts);
    memcpy(to->reached, from->reached, counts);
    memcpy(to->n_rows, from->n_rows, counts);
    int64_t next = 0;
    for (int r = 0; r < comm->size; r++) {
        to->first_local = r == comm->rank ? next : to->first_local;
        for (int64_t k = 0; k < from->n_chains; k++) {
            const int64_t party = k % PARTIES;
            if (party < at->shard->first_party[r] || party >= at->shard->first_party[r + 1]) {
                continue;
            }
            if (r == comm->rank && from->n_rows[k] > 0) {
                const size_t bytes = (size_t)from->n_rows[k] * sizeof *indices;
                memcpy(to->indices + to->n_local, indices + from->first_row[k], bytes);
                memcpy(to->values + to->n_local, values + from->first_row[k], bytes);
                to->n_local += from->n_rows[k];
            }
            to->first_row[k] = next;
            next += from->n_rows[k];
        }
    }
    to->total_rows = next;
    free(first);
    free(indices);
    free(values);
}

static bool same_rewards(cgm_comm *comm, const cgm_shard *shard, const cgm_sampling *a,
                         const cgm_sampling *b)
{
    bool same = true;
    for (int64_t s = 0; s < N_INV_TEMP && same; s++) {
        const cgm_reward_set *x = &a->sets[s];
        const cgm_reward_set *y = &b->sets[s];
        const size_t rows = (size_t)(x->offsets[shard->first_party[comm->rank + 1]] -
                                     x->offsets[shard->first_party[comm->rank]]);
        same = memcmp(x->offsets, y->offsets, (PARTIES + 1) * sizeof *x->offsets) == 0 &&
               memcmp(x->draws, y->draws, PARTIES * sizeof *x->draws) == 0 &&
               memcmp(x->reached, y->reached, PARTIES * sizeof *x->reached) == 0 &&
               memcmp(x->indices, y->indices, rows * sizeof *x->indices) == 0 &&
               memcmp(x->values, y->values, rows * sizeof *x->values) == 0;
    }
    return same;
}

static void check_rewards(cgm_comm *comm, bool sliced, const cgm_sampling_plan *plan, int64_t every)
{
    test_case made;
    double r[PARTIES];
    const cgm_reward reward = {.r = r};
    const cgm_sampling_rules rules = {inv_temps, N_INV_TEMP, 0.02, 7};
    make(comm, sliced, &made);
    case_sums(comm, &made);
    for (int64_t i = 0; i < PARTIES; i++) {
        r[i] = cgm_coalition_formula(made.sums.n_reference, (double)sizes[i],
                                     made.sums.reference_sums[i], made.sums.own_sums[i]) +
               (i == 1 ? 0.0 : 0.02);
    }
    cgm_sampling at_once;
    assert_all_ranks(comm, cgm_sampling_draw_planned(comm, &made.shard, &made.candidates,
                                                     &made.kernel, &made.sums, &reward, &rules,
                                                     plan, NULL, &at_once) == CGM_OK);
    interruption at = {.every = every, .look_at = copy_chains, .shard = &made.shard};
    const cgm_pause pause = {&at, is_due, keep};
    cgm_sampling sampling;
    cgm_status status = CGM_STOPPED;
    int64_t stops = 0;
    for (; status == CGM_STOPPED && stops < 1000; stops++) {
        cgm_sampling_partial begin = at.chains;
        at.chains = (cgm_sampling_partial){0};
        const cgm_sampling_course course = {stops > 0 ? &begin : NULL, &pause};
        at.looks = 0;
        at.pauses = 0;
        at.stop_at = 1 + stops % 3;
        /* Chains are made again up to where they were: a run must get further than that. */
        at.every += 20;
        status = cgm_sampling_draw_planned(comm, &made.shard, &made.candidates, &made.kernel,
                                           &made.sums, &reward, &rules, plan, &course, &sampling);
        comm->error = (cgm_error){0};
        cgm_sampling_partial_destroy(&begin);
        if (status == CGM_STOPPED) {
            cgm_sampling_destroy(&sampling);
        }
    }
    assert_all_ranks(comm, status == CGM_OK && stops > 1);
    assert_all_ranks(comm, same_rewards(comm, &made.shard, &at_once, &sampling));
    cgm_sampling_destroy(&sampling);
    cgm_sampling_destroy(&at_once);
    case_close(&made);
}

static void test_rewards(void **state)
{
    cgm_comm *comm = *state;
    const cgm_sampling_plan plans[] = {
        {.n_teams = 1, .n_chains = 5},
        {.n_teams = (comm->size + 1) / 2, .n_chains = CGM_TEAM_CHAINS, .by_chain = true},
        {.n_teams = comm->size, .n_chains = 2},
    };
    for (size_t k = 0; k < sizeof plans / sizeof plans[0]; k++) {
        check_rewards(comm, false, &plans[k], 7);
    }
    check_rewards(comm, true, &plans[0], 11);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernel_sums),
        cmocka_unit_test(test_rewards),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
