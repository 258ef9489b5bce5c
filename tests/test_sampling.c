/* Weighted sampling: the distribution of every way to draw against its definition, the running sums
 * against fresh ones, and each way a chain ends. */
// timeout: 300
// without: asan valgrind
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "cgm/sampling.h"
#include "cgm/sampling_team.h"
#include "cgm/tolerance.h"
#include "harness.h"

enum { POOL = 300, OWN = 40, DIMENSIONS = 2, DRAWS = 1000000 };

/* The first of two parties, its pool, and a chain that starts at its data, on every rank alone. */
typedef struct setting {
    test_case made;
    cgm_comm self;
    cgm_sampling_pool pool;
    cgm_team team;
    cgm_chain *chain; /* the team's only one */
} setting;

static void setting_create(cgm_comm *comm, double inv_temp, double target, double patience,
                           setting *s)
{
    double points[OWN * DIMENSIONS];
    case_make(comm, 2, (int64_t[]){OWN, 60}, DIMENSIONS, POOL, 0.25, &s->made);
    case_sums(comm, &s->made);
    cgm_comm_create(MPI_COMM_SELF, &s->self);
    assert_all_ranks(comm, cgm_sampling_pool_create(comm, &s->made.candidates, &s->made.kernel,
                                                    &s->made.sums, &s->pool) == CGM_OK);
    assert_all_ranks(comm, cgm_team_create(&s->self, &s->pool, 1, &s->team) == CGM_OK);
    for (int64_t i = 0; i < OWN; i++) {
        case_point(0, i, DIMENSIONS, points + i * DIMENSIONS);
    }
    s->chain = &s->team.slots[0].chain;
    const cgm_chain_start start = {.own_sum = s->made.sums.own_sums[0],
                                   .reference_sum = s->made.sums.reference_sums[0],
                                   .n_own = OWN,
                                   .inv_temp = inv_temp,
                                   .target = target,
                                   .patience = patience,
                                   .seed = 1,
                                   .name = "party1"};
    cgm_chain_begin(s->chain, &start);
    assert_all_ranks(comm, cgm_sampling_add_affinity(&s->self, &s->pool, points, OWN,
                                                     s->chain->affinity) == CGM_OK);
    cgm_team_enter(&s->team, 0);
    cgm_team_sweep(&s->team);
}

static void setting_destroy(setting *s)
{
    cgm_team_destroy(&s->team);
    cgm_comm_destroy(&s->self);
    case_close(&s->made);
}

/* The candidate of the next draw, which is not taken yet. */
static int64_t choose(setting *s)
{
    return cgm_team_choose(&s->team, CGM_TEAM_GO_ON) == CGM_TEAM_GO_ON ? s->team.slots[0].candidate
                                                                       : -1;
}

static void take(setting *s)
{
    assert_true(cgm_team_take(&s->team) == CGM_OK);
    cgm_team_sweep(&s->team);
}

static void run(setting *s)
{
    while (!cgm_chain_is_finished(s->chain)) {
        choose(s);
        take(s);
    }
}

static double kernel_of(const double *x, const double *y)
{
    double squared = 0.0;
    for (int f = 0; f < DIMENSIONS; f++) {
        squared += (x[f] - y[f]) * (x[f] - y[f]);
    }
    return exp(-0.5 * squared / (0.25 * 0.25));
}

/* v of the party's points with the first n_draws of its draws and, if extra ≥ 0, one candidate
 * more: from the points, by the definition of the biased MMD² (MATH.md §2). */
static double fresh_value(const setting *s, int64_t n_draws, int64_t extra)
{
    double points[(OWN + POOL + 1) * DIMENSIONS];
    int64_t m = OWN;
    for (int64_t i = 0; i < OWN; i++) {
        case_point(0, i, DIMENSIONS, points + i * DIMENSIONS);
    }
    for (int64_t k = 0; k < n_draws; k++) {
        case_point(2, s->chain->indices[k], DIMENSIONS, points + m++ * DIMENSIONS);
    }
    if (extra >= 0) {
        case_point(2, extra, DIMENSIONS, points + m++ * DIMENSIONS);
    }
    double own = 0.0;
    double reference = 0.0;
    const int64_t sizes[] = {OWN, 60, POOL};
    for (int64_t a = 0; a < m; a++) {
        const double *x = points + a * DIMENSIONS;
        for (int64_t b = 0; b < m; b++) {
            own += kernel_of(x, points + b * DIMENSIONS);
        }
        for (int64_t owner = 0; owner < 3; owner++) {
            for (int64_t b = 0; b < sizes[owner]; b++) {
                double y[DIMENSIONS];
                case_point(owner, b, DIMENSIONS, y);
                reference += kernel_of(x, y);
            }
        }
    }
    const double n = OWN + 60 + POOL;
    return 2.0 * reference / (n * (double)m) - own / ((double)m * (double)m);
}

/* P(c) by its definition: gains in value, scaled to [0, 1] over the candidates not taken. */
static void exact_probabilities(const setting *s, double *probability)
{
    double gain[POOL];
    double low = INFINITY;
    double high = -INFINITY;
    double total = 0.0;
    for (int64_t c = 0; c < POOL; c++) {
        gain[c] = NAN;
        bool taken = false;
        for (int64_t k = 0; k < s->chain->n_draws; k++) {
            taken = taken || s->chain->indices[k] == c;
        }
        if (!taken) {
            gain[c] = fresh_value(s, s->chain->n_draws, c);
            low = fmin(low, gain[c]);
            high = fmax(high, gain[c]);
        }
    }
    for (int64_t c = 0; c < POOL; c++) {
        probability[c] = 0.0;
        if (!isnan(gain[c])) {
            probability[c] = exp(s->chain->inv_temp * (gain[c] - low) / (high - low));
        }
        total += probability[c];
    }
    for (int64_t c = 0; c < POOL; c++) {
        probability[c] /= total;
    }
}

/* Upper quantile of χ² at CGM_TEST_SIGNIFICANCE = 1e-4 (Wilson and Hilferty). */
static double chi_square_limit(double freedom)
{
    const double normal_quantile = 3.719016485455709;
    const double part = 2.0 / (9.0 * freedom);
    return freedom * pow(1.0 - part + normal_quantile * sqrt(part), 3.0);
}

/* A million draws from where the chain stands, each with a seed of its own, shared among the ranks.
 */
static void check_distribution(cgm_comm *comm, setting *s)
{
    double probability[POOL];
    int64_t count[POOL] = {0};
    exact_probabilities(s, probability);
    for (int64_t k = comm->rank; k < DRAWS; k += comm->size) {
        s->chain->proposal.seed = (uint64_t)k;
        s->chain->inverse.seed = (uint64_t)k;
        count[choose(s)]++;
    }
    cgm_comm_sum(comm, count, POOL);
    double statistic = 0.0;
    double freedom = -1.0;
    bool none_taken = true;
    for (int64_t c = 0; c < POOL; c++) {
        const double expected = probability[c] * DRAWS;
        if (expected == 0.0) {
            none_taken = none_taken && count[c] == 0;
            continue;
        }
        freedom += 1.0;
        statistic += ((double)count[c] - expected) * ((double)count[c] - expected) / expected;
    }
    assert_all_ranks(comm, none_taken);
    assert_all_ranks(comm, freedom == (double)(POOL - 1 - s->chain->n_draws));
    assert_all_ranks(comm, statistic < chi_square_limit(freedom));
}

/* From the first draw and, with the candidates taken so far left out, after a hundred. A draw by
 * rejection gives up after so many proposals. */
static void check_path(cgm_comm *comm, int64_t proposals, double inv_temp)
{
    setting s;
    setting_create(comm, inv_temp, INFINITY, 1.0, &s);
    s.team.most_proposals = proposals;
    check_distribution(comm, &s);
    s.chain->proposal.seed = 1;
    s.chain->inverse.seed = 1;
    for (int k = 0; k < 100; k++) {
        choose(&s);
        take(&s);
    }
    check_distribution(comm, &s);
    setting_destroy(&s);
}

static void test_rejection(void **state)
{
    check_path(*state, INT64_MAX, 4.0);
}

static void test_rejection_at_infinite_temperature(void **state)
{
    check_path(*state, INT64_MAX, 0.0);
}

static void test_inverse(void **state)
{
    check_path(*state, 0, 4.0);
}

static void test_rejection_with_fallback(void **state)
{
    check_path(*state, 2, 2.0);
}

static void test_draw_as_shipped(void **state)
{
    check_path(*state, CGM_SAMPLING_PROPOSALS, 1.0);
}

/* β = ∞ takes the best candidate each time, by the definition of the gain. */
static void test_greedy_takes_the_best(void **state)
{
    cgm_comm *comm = *state;
    setting s;
    setting_create(comm, INFINITY, INFINITY, 1.0, &s);
    for (int k = 0; k < 20; k++) {
        const int64_t pick = choose(&s);
        const double value = fresh_value(&s, s.chain->n_draws, pick);
        bool best = true;
        for (int64_t c = comm->rank; c < POOL; c += comm->size) {
            bool taken = false;
            for (int64_t j = 0; j < s.chain->n_draws; j++) {
                taken = taken || s.chain->indices[j] == c;
            }
            best = best && (taken || fresh_value(&s, s.chain->n_draws, c) <=
                                         value + CGM_TEST_FRESH_ABSOLUTE);
        }
        assert_all_ranks(comm, best);
        take(&s);
    }
    setting_destroy(&s);
}

/* The running value against a fresh evaluation at every draw until the pool is used up. */
static void test_running_value(void **state)
{
    cgm_comm *comm = *state;
    setting s;
    setting_create(comm, 1.0, INFINITY, 1.0, &s);
    assert_close(comm, s.chain->value, fresh_value(&s, 0, -1), CGM_TEST_FRESH_RELATIVE,
                 CGM_TEST_FRESH_ABSOLUTE);
    run(&s);
    assert_all_ranks(comm, s.chain->n_draws == POOL && !s.chain->reached);
    bool close = true;
    for (int64_t k = comm->rank; k < POOL; k += 7 * comm->size) {
        const double fresh = fresh_value(&s, k + 1, -1);
        close = close && fabs(s.chain->values[k] - fresh) <=
                             CGM_TEST_FRESH_RELATIVE * fabs(fresh) + CGM_TEST_FRESH_ABSOLUTE;
    }
    assert_all_ranks(comm, close);
    bool seen[POOL] = {false};
    for (int64_t k = 0; k < POOL; k++) {
        assert_false(seen[s.chain->indices[k]]);
        seen[s.chain->indices[k]] = true;
    }
    setting_destroy(&s);
}

static void test_target_ends_the_chain(void **state)
{
    cgm_comm *comm = *state;
    setting s;
    setting_create(comm, 1.0, 0.0, 1.0, &s);
    s.chain->target =
        0.5 * (s.chain->value + s.made.sums.party_candidate_sums[0] / (double)(OWN * POOL));
    const double target = s.chain->target;
    run(&s);
    assert_all_ranks(comm, s.chain->reached && s.chain->n_draws > 0);
    assert_all_ranks(comm, s.chain->values[s.chain->n_draws - 1] >= target);
    assert_all_ranks(comm, s.chain->n_draws == 1 || s.chain->values[s.chain->n_draws - 2] < target);
    setting_destroy(&s);
}

static void test_target_met_at_the_start(void **state)
{
    cgm_comm *comm = *state;
    setting s;
    setting_create(comm, 1.0, -1.0, 1.0, &s);
    s.chain->target = s.chain->value;
    run(&s);
    assert_all_ranks(comm, s.chain->reached && s.chain->n_draws == 0);
    setting_destroy(&s);
}

/* A chain without hope ends after ⌈0.1·g⌉ draws without a new maximum. */
static void test_patience_ends_the_chain(void **state)
{
    cgm_comm *comm = *state;
    setting s;
    setting_create(comm, 0.0, INFINITY, 0.1, &s);
    run(&s);
    double best =
        s.made.sums.reference_sums[0] * 2.0 / (400.0 * OWN) - s.made.sums.own_sums[0] / (OWN * OWN);
    int64_t best_draws = 0;
    for (int64_t k = 0; k < s.chain->n_draws; k++) {
        if (s.chain->values[k] > best) {
            best = s.chain->values[k];
            best_draws = k + 1;
        }
    }
    assert_all_ranks(comm, !s.chain->reached && s.chain->n_draws < POOL);
    assert_all_ranks(comm, s.chain->best == best && s.chain->best_draws == best_draws);
    assert_all_ranks(comm, s.chain->n_draws - best_draws == 30);
    setting_destroy(&s);
}

/* When all candidates are the same point no score stands out: the draw is uniform over those not
 * taken, and the greedy one takes the first. */
static void test_identical_candidates(void **state)
{
    cgm_comm *comm = *state;
    setting s;
    setting_create(comm, 4.0, INFINITY, 1.0, &s);
    for (int64_t c = 0; c < POOL; c++) {
        s.chain->affinity[c] = s.chain->affinity[0];
        if (comm->node_rank == 0) {
            s.made.sums.candidate_sums[c] = s.made.sums.candidate_sums[0];
        }
    }
    cgm_shared_sync(comm, &s.made.sums.candidate_memory);
    s.chain->affinity[0] = NAN;
    cgm_team_sweep(&s.team);
    int64_t count[POOL] = {0};
    for (int64_t k = comm->rank; k < DRAWS; k += comm->size) {
        s.chain->proposal.seed = (uint64_t)k;
        count[choose(&s)]++;
    }
    cgm_comm_sum(comm, count, POOL);
    double statistic = 0.0;
    const double expected = (double)DRAWS / (POOL - 1);
    for (int64_t c = 1; c < POOL; c++) {
        statistic += ((double)count[c] - expected) * ((double)count[c] - expected) / expected;
    }
    assert_all_ranks(comm, count[0] == 0 && statistic < chi_square_limit(POOL - 2));
    s.chain->inv_temp = INFINITY;
    assert_all_ranks(comm, choose(&s) == 1);
    setting_destroy(&s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rejection),
        cmocka_unit_test(test_rejection_at_infinite_temperature),
        cmocka_unit_test(test_inverse),
        cmocka_unit_test(test_rejection_with_fallback),
        cmocka_unit_test(test_draw_as_shipped),
        cmocka_unit_test(test_greedy_takes_the_best),
        cmocka_unit_test(test_running_value),
        cmocka_unit_test(test_target_ends_the_chain),
        cmocka_unit_test(test_target_met_at_the_start),
        cmocka_unit_test(test_patience_ends_the_chain),
        cmocka_unit_test(test_identical_candidates),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
