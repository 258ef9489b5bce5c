/* Rewards do not depend on the ranks: at any number of them, however they are put into teams, and
 * with a sliced pool, they are bit for bit those of a rank alone. */
// ranks: 1 2 3 5 8 16
// timeout: 240
// without: valgrind
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "cgm/coalition.h"
#include "cgm/sampling.h"
#include "cgm/sampling_team.h"
#include "cgm/tolerance.h"
#include "harness.h"

enum { DIMENSIONS = 2, PARTIES_MOST = 40 };

/* β = 1e5 refuses more proposals than there are, as a rule. */
static const double inv_temps[] = {0.0, 2.0, 8.0, 1e5, INFINITY};
enum { N_INV_TEMP = sizeof inv_temps / sizeof inv_temps[0] };

/* A made-up game: parties and pool, and targets from out of reach down to met at the start. */
typedef struct game {
    int64_t n_parties;
    int64_t sizes[PARTIES_MOST];
    int64_t n_candidates;
    double patience;
} game;

static void make_targets(const cgm_kernel_sums *sums, double *r)
{
    for (int64_t i = 0; i < sums->n_parties; i++) {
        const double single =
            cgm_coalition_formula(sums->n_reference, (double)sums->party_points[i],
                                  sums->reference_sums[i], sums->own_sums[i]);
        const double step[] = {1.0, 0.05, 0.01, 0.0, 0.002};
        r[i] = single + step[i % 5];
    }
}

/* What a game yields on some ranks, rows of all parties on every one of them. */
static void play(cgm_comm *comm, const game *g, bool sliced, const cgm_sampling_plan *plan,
                 cgm_sampling *sampling)
{
    test_case made;
    double r[PARTIES_MOST];
    const cgm_reward reward = {.r = r};
    const cgm_sampling_rules rules = {inv_temps, N_INV_TEMP, g->patience, 7};
    if (sliced) {
        case_make_sliced(comm, g->n_parties, g->sizes, DIMENSIONS, g->n_candidates, 0.25, &made);
    } else {
        case_make(comm, g->n_parties, g->sizes, DIMENSIONS, g->n_candidates, 0.25, &made);
    }
    case_sums(comm, &made);
    make_targets(&made.sums, r);
    const cgm_sampling_plan own =
        cgm_sampling_plan_for(comm->size, g->n_parties, N_INV_TEMP, &made.candidates);
    assert_all_ranks(comm, cgm_sampling_draw_planned(comm, &made.shard, &made.candidates,
                                                     &made.kernel, &made.sums, &reward, &rules,
                                                     plan != NULL ? plan : &own, NULL,
                                                     sampling) == CGM_OK);
    int64_t *first = calloc((size_t)comm->size + 1, sizeof *first);
    for (int64_t s = 0; s < N_INV_TEMP; s++) {
        cgm_reward_set *set = &sampling->sets[s];
        for (int rank = 0; rank <= comm->size; rank++) {
            first[rank] = set->offsets[made.shard.first_party[rank]];
        }
        const int64_t mine = first[comm->rank + 1] - first[comm->rank];
        const size_t total = (size_t)first[comm->size];
        int64_t *indices = calloc(total + 1, sizeof *indices);
        double *values = calloc(total + 1, sizeof *values);
        memcpy(indices + first[comm->rank], set->indices, (size_t)mine * sizeof *indices);
        memcpy(values + first[comm->rank], set->values, (size_t)mine * sizeof *values);
        cgm_comm_all_gather(comm, indices, first, sizeof *indices);
        cgm_comm_all_gather(comm, values, first, sizeof *values);
        free(set->indices);
        free(set->values);
        set->indices = indices;
        set->values = values;
    }
    free(first);
    case_close(&made);
}

static bool same_bytes(const void *a, const void *b, size_t count)
{
    return memcmp(a, b, count * 8) == 0;
}

static bool same_rewards(const cgm_sampling *a, const cgm_sampling *b, int64_t n_parties)
{
    bool same = true;
    const size_t n = (size_t)n_parties;
    for (int64_t s = 0; s < N_INV_TEMP && same; s++) {
        const cgm_reward_set *x = &a->sets[s];
        const cgm_reward_set *y = &b->sets[s];
        same = same_bytes(x->offsets, y->offsets, n + 1) && same_bytes(x->draws, y->draws, n) &&
               same_bytes(x->reached, y->reached, n) &&
               same_bytes(x->start_value, y->start_value, n) &&
               same_bytes(x->indices, y->indices, (size_t)x->offsets[n]) &&
               same_bytes(x->values, y->values, (size_t)x->offsets[n]);
    }
    return same;
}

/* The game with a rank alone, which draws for one chain after the other; rank 0 has it. */
static void play_alone(cgm_comm *comm, const game *g, cgm_sampling *alone)
{
    const cgm_sampling_plan plan = {.n_teams = 1, .n_chains = 1};
    *alone = (cgm_sampling){0};
    if (comm->rank == 0) {
        cgm_comm self;
        cgm_comm_create(MPI_COMM_SELF, &self);
        play(&self, g, false, &plan, alone);
        cgm_comm_destroy(&self);
    }
}

static void check_plan(cgm_comm *comm, const game *g, bool sliced, const cgm_sampling_plan *plan,
                       const cgm_sampling *alone)
{
    cgm_sampling sampling;
    play(comm, g, sliced, plan, &sampling);
    assert_same_on_all_ranks(comm, sampling.sets[1].values,
                             (size_t)sampling.sets[1].offsets[g->n_parties] * sizeof(double));
    assert_all_ranks(comm, comm->rank != 0 || same_rewards(&sampling, alone, g->n_parties));
    cgm_sampling_destroy(&sampling);
}

/* At every β at least so many draws are made for all parties. */
static bool is_long(const cgm_sampling *sampling, const game *g, int64_t least)
{
    bool is_long = true;
    for (int64_t s = 0; s < N_INV_TEMP; s++) {
        int64_t draws = 0;
        for (int64_t i = 0; i < g->n_parties; i++) {
            draws += sampling->sets[s].draws[i];
        }
        is_long = is_long && draws >= least;
    }
    return is_long;
}

static void check_game(cgm_comm *comm, const game *g, int64_t draws)
{
    cgm_sampling alone;
    play_alone(comm, g, &alone);
    assert_all_ranks(comm, comm->rank != 0 || is_long(&alone, g, draws));
    check_plan(comm, g, false, NULL, &alone);
    check_plan(comm, g, true, NULL, &alone);
    const cgm_sampling_plan plans[] = {
        {.n_teams = 1, .n_chains = 5},
        {.n_teams = (comm->size + 1) / 2, .n_chains = CGM_TEAM_CHAINS, .by_chain = true},
        {.n_teams = (comm->size + 2) / 3, .n_chains = 2},
        {.n_teams = comm->size, .n_chains = 3},
        {.n_teams = comm->size, .n_chains = 1, .by_chain = true},
    };
    for (size_t k = 0; k < sizeof plans / sizeof plans[0]; k++) {
        check_plan(comm, g, false, &plans[k], &alone);
    }
    cgm_sampling_destroy(&alone);
}

static void test_three_parties(void **state)
{
    const game g = {3, {50, 600, 7}, 1500, 0.05};
    check_game(*state, &g, 100);
}

static void test_twenty_parties(void **state)
{
    game g = {.n_parties = 20, .n_candidates = 700, .patience = 0.04};
    for (int64_t i = 0; i < g.n_parties; i++) {
        g.sizes[i] = 3 + i * i % 17;
    }
    g.sizes[4] = 1100;
    check_game(*state, &g, 250);
}

static void test_many_parties(void **state)
{
    game g = {.n_parties = PARTIES_MOST, .n_candidates = 130, .patience = 0.05};
    for (int64_t i = 0; i < g.n_parties; i++) {
        g.sizes[i] = 1 + i * 31 % 29;
    }
    check_game(*state, &g, 250);
}

/* A pool shorter than the number of ranks, used up by every chain. */
static void test_tiny_pool(void **state)
{
    const game g = {2, {4, 9}, 5, 1.0};
    check_game(*state, &g, 6);
}

/* One party at 0 and candidates at 1, 2, 4 with ℓ = 1. T has n = 4 points. By hand, with factor
 * (m+1)/n: w = .5056 .8033 .5731 before the first draw, .4551 and .7244 before the second. */
static void test_by_hand(void **state)
{
    cgm_comm *comm = *state;
    const double places[] = {1.0, 2.0, 4.0};
    const int64_t order[] = {1, 2, 0};
    const double e1 = exp(-0.5);
    const double e2 = exp(-2.0);
    const double e3 = exp(-4.5);
    const double e4 = exp(-8.0);
    const double u[] = {e1 + 1.0 + e1 + e3, e2 + e1 + 1.0 + e2, e4 + e3 + e2 + 1.0};
    const double t = 1.0 + e1 + e2 + e4;
    const double values[] = {
        2.0 * (t + u[1]) / 8.0 - (2.0 + 2.0 * e2) / 4.0,
        2.0 * (t + u[1] + u[2]) / 12.0 - (3.0 + 4.0 * e2 + 2.0 * e4) / 9.0,
        2.0 * (t + u[0] + u[1] + u[2]) / 16.0 -
            (4.0 + 4.0 * e1 + 4.0 * e2 + 2.0 * e3 + 2.0 * e4) / 16.0,
    };
    test_case made;
    cgm_sampling sampling;
    double target = INFINITY;
    const double greedy = INFINITY;
    const cgm_reward reward = {.r = &target};
    case_make(comm, 1, (int64_t[]){1}, 1, 3, 1.0, &made);
    if (made.shard.n_local_points > 0) {
        made.shard.points[0] = 0.0;
    }
    if (comm->node_rank == 0) {
        memcpy(made.candidates.points, places, sizeof places);
    }
    cgm_shared_sync(comm, &made.candidates.points_memory);
    case_sums(comm, &made);
    assert_all_ranks(comm, cgm_sampling_draw(comm, &made.shard, &made.candidates, &made.kernel,
                                             &made.sums, &reward, &greedy, 1, 1.0, 1, NULL,
                                             &sampling) == CGM_OK);
    const cgm_reward_set *set = &sampling.sets[0];
    const bool kept = made.shard.first_party[comm->rank + 1] > made.shard.first_party[comm->rank];
    const int64_t best = values[0] >= values[1] && values[0] >= values[2] ? 1
                         : values[1] >= values[2]                         ? 2
                                                                          : 3;
    assert_all_ranks(comm, set->draws[0] == 3 && !set->reached[0] && set->offsets[1] == best);
    assert_all_ranks(comm, !kept || memcmp(set->indices, order, (size_t)best * 8) == 0);
    assert_close_array(comm, set->values, values, kept ? best : 0, CGM_TEST_FRESH_RELATIVE,
                       CGM_TEST_FRESH_ABSOLUTE);
    cgm_sampling_destroy(&sampling);
    case_close(&made);
}

/* A rank of a team that gives up takes the others with it, and its error is everybody's. */
static void test_giving_up(void **state)
{
    cgm_comm *comm = *state;
    test_case made;
    cgm_comm ranks;
    cgm_sampling_pool pool;
    cgm_team team;
    const int last = comm->size - 1;
    case_make(comm, 1, (int64_t[]){30}, DIMENSIONS, 900, 0.25, &made);
    case_sums(comm, &made);
    cgm_comm_split(comm, 0, &ranks);
    assert_all_ranks(comm, cgm_sampling_pool_create(comm, &made.candidates, &made.kernel,
                                                    &made.sums, &pool) == CGM_OK);
    cgm_sampling_pool_share(&pool, ranks.rank, ranks.size);
    assert_all_ranks(comm, cgm_team_create(&ranks, &pool, 1, &team) == CGM_OK);
    const cgm_chain_start start = {
        .n_own = 1, .inv_temp = 1.0, .target = INFINITY, .patience = 1.0, .name = "party1"};
    cgm_chain_begin(&team.slots[0].chain, &start);
    cgm_team_enter(&team, 0);
    cgm_team_sweep(&team);
    const cgm_team_wish wish = comm->rank == last ? CGM_TEAM_GIVE_UP : CGM_TEAM_GO_ON;
    assert_all_ranks(comm, cgm_team_choose(&team, wish) == CGM_TEAM_GIVE_UP);
    assert_all_ranks(comm, cgm_team_choose(&team, CGM_TEAM_GO_ON) == CGM_TEAM_GO_ON &&
                               team.slots[0].candidate >= 0);
    assert_same_on_all_ranks(comm, &team.slots[0].candidate, sizeof team.slots[0].candidate);
    if (comm->rank == last) {
        cgm_fail(&ranks, CGM_ERR_MEMORY, "no memory");
    }
    cgm_team_destroy(&team);
    cgm_comm_join(comm, &ranks);
    assert_all_ranks(comm, cgm_agree(comm, comm->rank == last ? CGM_ERR_MEMORY : CGM_OK) ==
                               CGM_ERR_MEMORY);
    assert_all_ranks(comm,
                     comm->error.rank == last && strcmp(comm->error.message, "no memory") == 0);
    comm->error = (cgm_error){0};
    case_close(&made);
}

/* What a rank puts into its window is what others read, and every number is counted once. */
static void test_windows(void **state)
{
    cgm_comm *comm = *state;
    cgm_window memory;
    cgm_window count;
    const int64_t words = 3 + comm->rank;
    assert_all_ranks(comm, cgm_window_create(comm, (size_t)words * 8, &memory) == CGM_OK);
    assert_all_ranks(comm, cgm_window_create(comm, comm->rank == 0 ? 8 : 0, &count) == CGM_OK);
    for (int64_t k = 0; k < words; k++) {
        ((int64_t *)memory.memory)[k] = 1000 * comm->rank + k;
    }
    cgm_window_open(comm, &memory);
    cgm_window_open(comm, &count);
    bool right = true;
    int64_t taken[2] = {0, 0};
    for (int64_t next = cgm_window_add(comm, &count, 0, 1); next < 50;
         next = cgm_window_add(comm, &count, 0, 1)) {
        const int target = (int)(next % comm->size);
        int64_t found[2];
        cgm_window_get(comm, &memory, target, 8 * (size_t)(1 + target), sizeof found, found);
        right = right && found[0] == 1000 * target + 1 + target && found[1] == found[0] + 1;
        taken[0]++;
        taken[1] += next;
    }
    cgm_comm_sum(comm, taken, 2);
    assert_all_ranks(comm, right && taken[0] == 50 && taken[1] == 49 * 25);
    cgm_window_destroy(&memory);
    cgm_window_destroy(&count);
}

/* Every rank looks up candidates of all slices, some of them twice, and as many as it likes. */
static void test_points(void **state)
{
    cgm_comm *comm = *state;
    test_case made;
    const int64_t n_candidates = 1800;
    const int64_t n_rows = comm->rank == 1 ? 0 : 50 + 10 * comm->rank;
    case_make_sliced(comm, 1, (int64_t[]){30}, DIMENSIONS, n_candidates, 0.25, &made);
    const int64_t held = made.candidates.held_end - made.candidates.held_first;
    made.candidates.has_labels = true;
    made.candidates.labels = calloc((size_t)held + 1, sizeof(int64_t));
    int64_t *indices = calloc((size_t)n_rows + 1, sizeof *indices);
    int64_t *labels = calloc((size_t)n_rows + 1, sizeof *labels);
    double *points = calloc((size_t)n_rows * DIMENSIONS + 1, sizeof *points);
    bool right =
        made.candidates.labels != NULL && indices != NULL && labels != NULL && points != NULL;
    assert_all_ranks(comm, right);
    for (int64_t c = 0; c < held; c++) {
        made.candidates.labels[c] = 3 * (made.candidates.held_first + c) - 7;
    }
    for (int64_t k = 0; k < n_rows; k++) {
        indices[k] = (k / 2 * 641 + comm->rank) % n_candidates;
    }
    assert_all_ranks(comm, cgm_sampling_points(comm, &made.candidates, indices, n_rows, points,
                                               labels) == CGM_OK);
    for (int64_t k = 0; k < n_rows; k++) {
        double point[DIMENSIONS];
        case_point(1, indices[k], DIMENSIONS, point);
        right = right && memcmp(point, points + k * DIMENSIONS, sizeof point) == 0 &&
                labels[k] == 3 * indices[k] - 7;
    }
    assert_all_ranks(comm, right);
    free(indices);
    free(labels);
    free(points);
    case_close(&made);
}

static cgm_sampling_plan plan_of(int size, int64_t n_parties, int64_t n_candidates, bool sliced)
{
    const cgm_candidates candidates = {.n_points = n_candidates, .n_features = 8, .sliced = sliced};
    return cgm_sampling_plan_for(size, n_parties, 4, &candidates);
}

static void test_plan(void **state)
{
    (void)state;
    /* A rank a party, one chain after the other: the pool fits in a cache. */
    cgm_sampling_plan plan = plan_of(2, 300, 2000, false);
    assert_true(plan.n_teams == 2 && plan.n_chains == 1 && !plan.by_chain);
    /* It does not fit: some chains at a time, more where a team has many. */
    plan = plan_of(16, 300, 1000000, false);
    assert_true(plan.n_teams == 16 && plan.n_chains == CGM_TEAM_CHAINS && !plan.by_chain);
    /* Few chains a rank: larger teams, as long as a sweep takes longer than a reduction. */
    plan = plan_of(16, 60, 1000000, false);
    assert_true(plan.n_teams == 8 && plan.n_chains == 7 && !plan.by_chain);
    plan = plan_of(1024, 256, 1000000, false);
    assert_true(plan.n_teams == 32 && plan.n_chains == CGM_TEAM_CHAINS && !plan.by_chain);
    plan = plan_of(1024, 256, 200000, false);
    assert_true(plan.n_teams == 256 && plan.n_chains == 4 && !plan.by_chain);
    plan = plan_of(1, 20, 1000000, false);
    assert_true(plan.n_teams == 1 && plan.n_chains == CGM_TEAM_CHAINS);
    /* More ranks than parties: teams where the pool is long, else single chains. */
    plan = plan_of(16, 5, 1000000, false);
    assert_true(plan.n_teams == 1 && plan.n_chains == CGM_TEAM_CHAINS && !plan.by_chain);
    plan = plan_of(16, 5, 50000, false);
    assert_true(plan.n_teams == 5 && plan.n_chains == 4 && !plan.by_chain);
    plan = plan_of(16, 5, 2000, false);
    assert_true(plan.n_teams == 16 && plan.n_chains == 1 && plan.by_chain);
    /* Slices: all ranks together. */
    plan = plan_of(16, 300, 2000, true);
    assert_true(plan.n_teams == 1 && plan.n_chains == CGM_TEAM_CHAINS && !plan.by_chain);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan),           cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_tiny_pool),      cmocka_unit_test(test_three_parties),
        cmocka_unit_test(test_twenty_parties), cmocka_unit_test(test_many_parties),
        cmocka_unit_test(test_points),         cmocka_unit_test(test_giving_up),
        cmocka_unit_test(test_windows),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
