/* The measures against plain loops over made-up points: coincident ones, parties of one point and
 * parties that are spread over several ranks, a pool in slices; and what is missing where. */
// ranks: 1 2 3 5 7
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/tolerance.h"
#include "harness.h"
#include "plain.h"
#include "rewarded.h"

enum {
    MEASURED = CGM_METRIC_MMD2 | CGM_METRIC_KL | CGM_METRIC_WASSERSTEIN2 | CGM_METRIC_IMBALANCE |
               CGM_METRIC_PRIVACY
};
static const double inv_temp[PLAIN_SETS] = {1.0, 2.0, INFINITY};

/* The case with these points and labels. */
static void make_case(cgm_comm *comm, const plain *all, bool sliced, test_case *made)
{
    int64_t sizes[8];
    for (int64_t i = 0; i < all->n_parties; i++) {
        sizes[i] = all->first[i + 1] - all->first[i];
    }
    (sliced ? case_make_sliced : case_make)(comm, all->n_parties, sizes, PLAIN_D,
                                            all->n_points - all->pool, PLAIN_LENGTHSCALE, made);
    cgm_shard *shard = &made->shard;
    cgm_candidates *pool = &made->candidates;
    const int64_t held = pool->held_end - pool->held_first;
    shard->has_labels = pool->has_labels = true;
    shard->labels = calloc((size_t)shard->n_local_points + 1, sizeof(int64_t));
    pool->labels = calloc((size_t)held + 1, sizeof(int64_t));
    for (int64_t k = 0; k < shard->n_shares; k++) {
        const int64_t place = shard->share_first[k];
        const int64_t count = shard->share_first[k + 1] - place;
        const int64_t from = all->first[shard->share_party[k]] + shard->share_offset[k];
        memcpy(shard->points + place * PLAIN_D, all->points + from * PLAIN_D,
               (size_t)(count * PLAIN_D) * sizeof(double));
        memcpy(shard->labels + place, all->labels + from, (size_t)count * sizeof(int64_t));
    }
    const int64_t from = all->pool + pool->held_first;
    memcpy(pool->labels, all->labels + from, (size_t)held * sizeof(int64_t));
    cgm_comm_barrier(comm);
    if (sliced || comm->node_rank == 0) {
        memcpy(pool->points, all->points + from * PLAIN_D,
               (size_t)(held * PLAIN_D) * sizeof(double));
    }
    if (!sliced) {
        cgm_shared_sync(comm, &pool->points_memory);
    }
    cgm_spread_destroy(&made->spread);
    assert_all_ranks(comm,
                     cgm_spread_measure(comm, shard, &made->candidates, &made->spread) == CGM_OK);
    made->kernel.centre = made->spread.pool_centre;
    case_sums(comm, made);
}

static void close_case(test_case *made)
{
    if (!made->candidates.sliced) {
        free(made->candidates.labels);
    }
    case_close(made);
}

/* ---- comparing ---- */

/* What plain loops find. */
typedef struct expectation {
    double values[PLAIN_SETS][PLAIN_PARTIES]; /* v of Y */
    double columns[PLAIN_SETS][PLAIN_PARTIES][CGM_METRIC_COLUMNS];
} expectation;

/* In the columns of a party and a set, where before and after stand side by side. */
static void expect(const plain *all, const plain_points *t, double t_square, int64_t party,
                   int64_t set, int after, double *value, double *columns)
{
    const plain_points y = plain_points_of(all, party, set);
    columns[CGM_MMD2_BEFORE + after] = plain_mmd2(all, t, t_square, &y, value);
    columns[CGM_KL_BEFORE + after] = plain_kl(all, t, &y, &columns[CGM_KL_EXCLUDED_BEFORE + after]);
    columns[CGM_WASSERSTEIN2_BEFORE + after] = plain_wasserstein2(all, t, &y);
    columns[CGM_IMBALANCE_BEFORE + after] = plain_imbalance(all, &y);
    free(y.numbers);
}

/* On rank 0, for all. */
static expectation *expect_all(cgm_comm *comm, const plain *all)
{
    expectation *expected = calloc(1, sizeof *expected);
    const plain_points t = plain_points_of_all(all);
    const double t_square = comm->rank == 0 ? plain_kernel(all, &t, &t) : 0.0;
    for (int64_t i = 0; i < all->n_parties && comm->rank == 0; i++) {
        double value;
        double *first = expected->columns[0][i];
        expect(all, &t, t_square, i, -1, 0, &value, first);
        for (int64_t s = 0; s < all->n_sets; s++) {
            double *columns = expected->columns[s][i];
            memcpy(columns, first, sizeof expected->columns[s][i]);
            expect(all, &t, t_square, i, s, 1, &expected->values[s][i], columns);
            plain_privacy(all, i, s, &columns[CGM_PRIVACY_COPIES]);
            columns[CGM_N_REWARDS] = (double)all->n_rewards[s][i];
        }
    }
    free(t.numbers);
    cgm_comm_broadcast(comm, expected, sizeof *expected, 0);
    return expected;
}

static bool is_as_expected(const rewarded_run *made, int64_t set, int64_t party, int column,
                           double expected)
{
    const double actual = rewarded_column(made, set, (cgm_metric_column)column)[party];
    const bool close = isnan(expected)
                           ? isnan(actual)
                           : actual == expected || fabs(actual - expected) <= CGM_TEST_METRICS;
    if (!close) {
        print_message("set %d, party %d, %s: %.15g, not %.15g\n", (int)set, (int)party,
                      cgm_metric_column_name((cgm_metric_column)column), actual, expected);
    }
    return close;
}

static void assert_measure(cgm_comm *comm, const rewarded_run *made, int64_t set, int64_t party,
                           int column, double expected)
{
    assert_all_ranks(comm, is_as_expected(made, set, party, column, expected));
}

/* All columns that there are. */
static void compare_all(cgm_comm *comm, const plain *all, const expectation *expected,
                        const rewarded_run *made)
{
    bool close = true;
    for (int64_t s = 0; s < all->n_sets; s++) {
        for (int64_t i = 0; i < all->n_parties; i++) {
            for (int c = 0; c < CGM_METRIC_COLUMNS; c++) {
                if (rewarded_column(made, s, (cgm_metric_column)c) != NULL) {
                    close &= is_as_expected(made, s, i, c, expected->columns[s][i][c]);
                }
            }
        }
    }
    assert_all_ranks(comm, close);
}

/* A run whose rewards are the plain ones. */
static void begin_run(cgm_comm *comm, const plain *all, const expectation *expected,
                      unsigned selected, const test_case *from, rewarded_run *made)
{
    rewarded_begin(comm, from, selected, all->n_sets, inv_temp, made);
    for (int64_t s = 0; s < all->n_sets; s++) {
        for (int64_t i = 0; i < all->n_parties; i++) {
            rewarded_add(comm, made, s, i, all->rewards[s][i], all->n_rewards[s][i],
                         expected->values[s][i]);
        }
    }
    made->run.testset = (cgm_testset){
        .n_points = all->test != NULL ? PLAIN_TEST : 0, .n_features = PLAIN_D, .points = all->test};
}

/* With threads the same bits. */
static void check_threads(cgm_comm *comm, rewarded_run *made)
{
    const cgm_metrics first = made->run.metrics;
    const int64_t count = first.n_sets * CGM_METRIC_COLUMNS * first.n_parties;
    made->run.metrics = (cgm_metrics){0};
    comm->threads = 2;
    rewarded_measure(comm, made);
    comm->threads = 1;
    assert_all_ranks(
        comm, memcmp(first.values, made->run.metrics.values, (size_t)count * sizeof(double)) == 0);
    free(first.values);
    free(first.sets);
}

/* With one copy of the pool a node and with slices. */
static void check(cgm_comm *comm, const plain *all)
{
    expectation *expected = expect_all(comm, all);
    for (int sliced = 0; sliced < 2; sliced++) {
        test_case from;
        rewarded_run made;
        make_case(comm, all, sliced == 1, &from);
        begin_run(comm, all, expected, MEASURED, &from, &made);
        rewarded_measure(comm, &made);
        compare_all(comm, all, expected, &made);
        if (comm->size <= 2) { /* threads that wait take time from those of other ranks */
            check_threads(comm, &made);
        }
        rewarded_end(&made);
        close_case(&from);
    }
    free(expected);
}

/* ---- the tests ---- */

/* Parties of one point and of six and seven, rewards of all sizes that lap over each other. */
static void few_parties(int64_t steps, bool test, plain *all)
{
    const int64_t sizes[] = {9, 7, 30, 1, 6, 1};
    const int64_t counts[PLAIN_SETS][6] = {
        {5, 0, 20, 3, 1, 0}, {40, 2, 0, 6, 8, 1}, {1, 700, 3, 0, 0, 30}};
    plain_make(6, sizes, 1301, steps, PLAIN_SETS, all);
    for (int64_t s = 0; s < PLAIN_SETS; s++) {
        for (int64_t i = 0; i < 6; i++) {
            plain_reward(all, s, i, 37 * i + 5 * s, 1 + i % 3, counts[s][i]);
        }
    }
    if (test) {
        plain_test(all);
    }
}

static void test_points_apart(void **state)
{
    plain all;
    few_parties(0, true, &all);
    check(*state, &all);
    plain_destroy(&all);
}

/* Many coincide, in a party, with others and with the pool: distances of 0 everywhere. */
static void test_coincident_points(void **state)
{
    plain all;
    few_parties(12, false, &all);
    check(*state, &all);
    plain_destroy(&all);
}

/* Parties of several blocks, which more ranks share; nobody gets anything at the first β. */
static void test_spread_parties(void **state)
{
    const int64_t sizes[] = {600, 520};
    plain all;
    plain_make(2, sizes, 523, 40, 2, &all);
    plain_reward(&all, 0, 0, 0, 1, 0);
    plain_reward(&all, 0, 1, 0, 1, 0);
    plain_reward(&all, 1, 0, 100, 2, 80);
    plain_reward(&all, 1, 1, 300, 1, 250);
    check(*state, &all);
    plain_destroy(&all);
}

static void test_single_party(void **state)
{
    const int64_t sizes[] = {40};
    plain all;
    plain_make(1, sizes, 100, 0, 1, &all);
    plain_reward(&all, 0, 0, 3, 7, 20);
    check(*state, &all);
    plain_destroy(&all);
}

/* All in one place: nothing can be said of neighbours, and rewards are no nearer than others. */
static void test_one_place(void **state)
{
    cgm_comm *comm = *state;
    const int64_t sizes[] = {8, 9};
    test_case from;
    rewarded_run made;
    plain all;
    plain_make(2, sizes, 20, 0, 1, &all);
    for (int64_t k = 0; k < all.n_points * PLAIN_D; k++) {
        all.points[k] = 0.3;
    }
    plain_reward(&all, 0, 0, 0, 1, 4);
    plain_reward(&all, 0, 1, 0, 1, 0);
    make_case(comm, &all, false, &from);
    expectation *expected = expect_all(comm, &all);
    begin_run(comm, &all, expected, MEASURED, &from, &made);
    rewarded_measure(comm, &made);
    assert_measure(comm, &made, 0, 0, CGM_KL_BEFORE, NAN);
    assert_measure(comm, &made, 0, 0, CGM_KL_AFTER, NAN);
    assert_measure(comm, &made, 0, 0, CGM_KL_EXCLUDED_BEFORE, 5.0 * 8.0);
    assert_measure(comm, &made, 0, 0, CGM_KL_EXCLUDED_AFTER, 5.0 * 12.0);
    assert_measure(comm, &made, 0, 0, CGM_MMD2_AFTER, 0.0);
    assert_measure(comm, &made, 0, 0, CGM_WASSERSTEIN2_AFTER, 0.0);
    assert_measure(comm, &made, 0, 0, CGM_PRIVACY_COPIES, 1.0);
    assert_measure(comm, &made, 0, 0, CGM_PRIVACY_RATIO, 1.0);
    assert_measure(comm, &made, 0, 0, CGM_PRIVACY_CLOSE, 0.0);
    assert_measure(comm, &made, 0, 1, CGM_PRIVACY_COPIES, NAN);
    rewarded_end(&made);
    close_case(&from);
    free(expected);
    plain_destroy(&all);
}

/* Labels of nobody; of the parties alone, who know their classes as long as they get nothing. */
static void test_missing_labels(void **state)
{
    cgm_comm *comm = *state;
    plain all;
    test_case from;
    rewarded_run made;
    few_parties(0, false, &all);
    make_case(comm, &all, false, &from);
    expectation *expected = expect_all(comm, &all);
    begin_run(comm, &all, expected, CGM_METRIC_IMBALANCE, &from, &made);
    for (int parties = 0; parties < 2; parties++) {
        made.run.shard.has_labels = parties == 1;
        made.run.candidates.has_labels = false;
        rewarded_measure(comm, &made);
        for (int64_t s = 0; s < all.n_sets; s++) {
            const double *before = rewarded_column(&made, s, CGM_IMBALANCE_BEFORE);
            const double *after = rewarded_column(&made, s, CGM_IMBALANCE_AFTER);
            for (int64_t i = 0; i < all.n_parties; i++) {
                const bool known = parties == 1 && all.n_rewards[s][i] == 0;
                assert_all_ranks(comm, isnan(before[i]) == (parties == 0));
                assert_all_ranks(comm, known ? after[i] == before[i] : isnan(after[i]));
            }
        }
        assert_all_ranks(comm, rewarded_column(&made, 0, CGM_KL_AFTER) == NULL);
    }
    rewarded_end(&made);
    close_case(&from);
    free(expected);
    plain_destroy(&all);
}

/* The set c ± a_f e_f has the mean c and a diagonal covariance, and so has T, as centres differ in
 * one feature alone. Far from the origin and narrow beside the distance of the parties. */
static void test_diagonal_covariances(void **state)
{
    cgm_comm *comm = *state;
    const int64_t sizes[] = {4, 4};
    const double width[3][PLAIN_D] = {{0.01, 2.0}, {1.0, 0.5}, {3.0, 1.0}};
    const double centre[3] = {1000.0, 1010.0, 1004.0}; /* of both parties and the pool */
    test_case from;
    rewarded_run made;
    plain all;
    plain_make(2, sizes, 4, 0, 1, &all);
    for (int64_t p = 0; p < all.n_points; p++) {
        const int64_t f = p % 4 / 2;
        all.points[p * PLAIN_D] = centre[p / 4];
        all.points[p * PLAIN_D + 1] = 5.0;
        all.points[p * PLAIN_D + f] += p % 2 == 0 ? width[p / 4][f] : -width[p / 4][f];
    }
    plain_reward(&all, 0, 0, 0, 1, 4);
    plain_reward(&all, 0, 1, 0, 1, 0);
    make_case(comm, &all, false, &from);
    expectation *expected = expect_all(comm, &all);
    begin_run(comm, &all, expected, MEASURED, &from, &made);
    rewarded_measure(comm, &made);
    const double mean = (1000.0 + 1010.0 + 1004.0) / 3.0;
    double squares[PLAIN_D] = {0.0};
    double distance[2] = {(1000.0 - mean) * (1000.0 - mean), (1002.0 - mean) * (1002.0 - mean)};
    for (int k = 0; k < 3; k++) {
        squares[0] += 4.0 * (centre[k] - mean) * (centre[k] - mean);
    }
    for (int f = 0; f < PLAIN_D; f++) {
        double both = f == 0 ? 8.0 * 2.0 * 2.0 : 0.0; /* centres 1000 and 1004 */
        for (int k = 0; k < 3; k++) {
            squares[f] += 2.0 * width[k][f] * width[k][f];
            both += k != 1 ? 2.0 * width[k][f] * width[k][f] : 0.0;
        }
        const double t = sqrt(squares[f] / 11.0);
        const double before = sqrt(2.0 * width[0][f] * width[0][f] / 3.0);
        const double after = sqrt(both / 7.0);
        distance[0] += (before - t) * (before - t);
        distance[1] += (after - t) * (after - t);
    }
    assert_measure(comm, &made, 0, 0, CGM_WASSERSTEIN2_BEFORE, distance[0]);
    assert_measure(comm, &made, 0, 0, CGM_WASSERSTEIN2_AFTER, distance[1]);
    rewarded_end(&made);
    close_case(&from);
    free(expected);
    plain_destroy(&all);
}

/* A candidate that is another party's record is a copy; one that is the party's own is none. */
static void test_planted_copy(void **state)
{
    cgm_comm *comm = *state;
    test_case from;
    rewarded_run made;
    plain all;
    few_parties(0, true, &all);
    free(all.rewards[2][2]);
    plain_reward(&all, 2, 2, 5, 1, 3);
    memcpy(all.points + (all.pool + 5) * PLAIN_D, all.points + (all.first[2] + 11) * PLAIN_D,
           PLAIN_D * sizeof(double));
    memcpy(all.points + (all.pool + 6) * PLAIN_D, all.points + all.first[0] * PLAIN_D,
           PLAIN_D * sizeof(double));
    make_case(comm, &all, true, &from);
    expectation *expected = expect_all(comm, &all);
    begin_run(comm, &all, expected, MEASURED, &from, &made);
    rewarded_measure(comm, &made);
    /* Candidate 5 is party 2's record and 6 party 0's: both get both, at the second and at the
     * third β. */
    assert_measure(comm, &made, 0, 0, CGM_PRIVACY_COPIES, 0.0);
    assert_measure(comm, &made, 1, 0, CGM_PRIVACY_COPIES, 1.0 / 40.0);
    assert_measure(comm, &made, 2, 2, CGM_PRIVACY_COPIES, 1.0 / 3.0);
    compare_all(comm, &all, expected, &made);
    rewarded_end(&made);
    close_case(&from);
    free(expected);
    plain_destroy(&all);
}

/* By hand: 5.5/√(5 · 8.75). What is no number has no part in it. */
static void test_correlation(void **state)
{
    cgm_comm *comm = *state;
    const double x[] = {1.0, 2.0, 3.0, 4.0};
    const double y[] = {1.0, 3.0, 2.0, 5.0};
    const double missing_x[] = {1.0, NAN, 2.0, 3.0, INFINITY, 4.0};
    const double missing_y[] = {1.0, 8.0, 3.0, 2.0, 8.0, 5.0};
    const double constant[] = {0.1, 0.1, 0.1, 0.1}; /* whose mean rounds to another number */
    const double one_left[] = {NAN, NAN, 1.0, NAN};
    const double expected = 5.5 / sqrt(5.0 * 8.75);
    assert_close(comm, cgm_metrics_correlation(x, y, 4), expected, 0.0, CGM_TEST_VALUES);
    assert_close(comm, cgm_metrics_correlation(missing_x, missing_y, 6), expected, 0.0,
                 CGM_TEST_VALUES);
    assert_close(comm, cgm_metrics_correlation(x, x, 4), 1.0, 0.0, CGM_TEST_VALUES);
    assert_all_ranks(comm, isnan(cgm_metrics_correlation(x, constant, 4)));
    assert_all_ranks(comm, isnan(cgm_metrics_correlation(constant, y, 3)));
    assert_all_ranks(comm, isnan(cgm_metrics_correlation(x, one_left, 4)));
    assert_all_ranks(comm, isnan(cgm_metrics_correlation(x, y, 0)));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_points_apart),   cmocka_unit_test(test_coincident_points),
        cmocka_unit_test(test_spread_parties), cmocka_unit_test(test_single_party),
        cmocka_unit_test(test_one_place),      cmocka_unit_test(test_missing_labels),
        cmocka_unit_test(test_planted_copy),   cmocka_unit_test(test_diagonal_covariances),
        cmocka_unit_test(test_correlation),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
