/* Scaling of features, and the diagnostics of the values: by hand and by plain loops. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "cgm/diagnostics.h"
#include "cgm/features.h"
#include "cgm/tolerance.h"
#include "games.h"
#include "harness.h"

enum { FEATURES = 3 };

/* Two parties and a pool whose features differ in scale; the third is constant. */
static void make_scaled_case(cgm_comm *comm, test_case *made)
{
    case_make(comm, 2, (int64_t[]){300, 700}, FEATURES, 600, 1.0, made);
    for (int64_t k = 0; k < made->shard.n_local_points; k++) {
        made->shard.points[FEATURES * k] *= 1000.0;
        made->shard.points[FEATURES * k + 2] = 5.0;
    }
}

static void test_scaling(void **state)
{
    cgm_comm *comm = *state;
    const cgm_features_scaling scalings[] = {CGM_SCALE_STANDARD, CGM_SCALE_MINMAX};
    for (int k = 0; k < 2; k++) {
        test_case made;
        cgm_features features;
        cgm_spread after;
        make_scaled_case(comm, &made);
        const double first = made.candidates.points[0];
        assert_all_ranks(comm, cgm_features_scale(comm, scalings[k], &made.layout, &made.shard,
                                                  &made.candidates, &features) == CGM_OK);
        assert_all_ranks(comm, cgm_spread_measure(comm, &made.layout, &made.shard, NULL, &after) ==
                                   CGM_OK);
        const double zero[] = {0.0, 0.0, 0.0};
        const double one[] = {1.0, 1.0, 0.0}; /* a constant feature stays constant, at 0 */
        const bool standard = scalings[k] == CGM_SCALE_STANDARD;
        assert_close_array(comm, standard ? after.mean : after.low, zero, FEATURES, 0.0,
                           CGM_TEST_VALUES);
        assert_close_array(comm, standard ? after.deviation : after.range, one, FEATURES, 0.0,
                           CGM_TEST_VALUES);
        assert_all_ranks(comm, made.candidates.original[0] == first);
        assert_all_ranks(comm, made.candidates.points[0] ==
                                   (first - features.mean[0]) / features.scale[0]);
        assert_same_on_all_ranks(comm, features.scale, FEATURES * sizeof(double));
        cgm_spread_destroy(&after);
        cgm_features_destroy(&features);
        case_close(&made);
    }
}

static cgm_diagnostics measure(cgm_comm *comm, test_case *made)
{
    cgm_values values;
    cgm_diagnostics found;
    assert_all_ranks(comm, cgm_values_compute(comm, &made->sums, &values) == CGM_OK);
    assert_all_ranks(comm, cgm_diagnostics_measure(comm, &made->layout, &made->shard,
                                                   &made->candidates, &made->kernel, &made->sums,
                                                   &values, 1, &found) == CGM_OK);
    assert_same_on_all_ranks(comm, &found, sizeof found);
    cgm_values_destroy(&values);
    return found;
}

/* The authors' condition by plain loops over the points of a made-up case. */
static bool condition_plainly(const int64_t *sizes, int64_t n_parties, int64_t pool, int64_t d,
                              double lengthscale)
{
    bool holds = true;
    double n = (double)pool;
    for (int64_t i = 0; i < n_parties; i++) {
        n += (double)sizes[i];
    }
    for (int64_t i = 0; i < n_parties; i++) {
        double largest_own = 0.0;
        double smallest = INFINITY;
        for (int64_t a = 0; a < sizes[i]; a++) {
            for (int64_t owner = 0; owner <= n_parties; owner++) {
                const int64_t count = owner < n_parties ? sizes[owner] : pool;
                for (int64_t b = 0; b < count; b++) {
                    double x[FEATURES];
                    double y[FEATURES];
                    double squared = 0.0;
                    case_point(i, a, d, x);
                    case_point(owner, b, d, y);
                    for (int64_t f = 0; f < d; f++) {
                        squared += (x[f] - y[f]) * (x[f] - y[f]);
                    }
                    const double k = exp(-0.5 * squared / (lengthscale * lengthscale));
                    if (owner != i) {
                        smallest = fmin(smallest, k);
                    } else if (a != b) {
                        largest_own = fmax(largest_own, k);
                    }
                }
            }
        }
        const double m = (double)sizes[i];
        holds = holds &&
                smallest >= (n - 2.0 * m) / (2.0 * m * (n - m)) * (1.0 + (m - 1.0) * largest_own);
    }
    return holds;
}

static void test_sufficient_condition(void **state)
{
    cgm_comm *comm = *state;
    const int64_t sizes[] = {9, 1, 12};
    bool both[2] = {false, false};
    for (double lengthscale = 0.1; lengthscale < 20.0; lengthscale *= 1.5) {
        test_case made;
        case_make(comm, 3, sizes, 2, 30, lengthscale, &made);
        case_sums(comm, &made);
        const bool expected = condition_plainly(sizes, 3, 30, 2, lengthscale);
        assert_all_ranks(comm, measure(comm, &made).sufficient_condition == expected);
        both[expected] = true;
        case_close(&made);
    }
    assert_all_ranks(comm, both[0] && both[1]);
}

static void test_monotonicity_of_few_parties(void **state)
{
    cgm_comm *comm = *state;
    test_case made;
    case_make(comm, 4, (int64_t[]){10, 20, 30, 40}, 2, 100, 0.2, &made);
    case_sums(comm, &made);
    int64_t violations = 0;
    double worst = INFINITY;
    for (int mask = 0; mask < 16; mask++) {
        for (int i = 0; i < 4; i++) {
            bool member[4];
            for (int j = 0; j < 4; j++) {
                member[j] = (mask >> j & 1) != 0;
            }
            if (!member[i]) {
                const double before = cgm_coalition_value(&made.sums, member);
                member[i] = true;
                const double marginal = cgm_coalition_value(&made.sums, member) - before;
                violations += marginal < 0.0;
                worst = fmin(worst, marginal);
            }
        }
    }
    const cgm_diagnostics found = measure(comm, &made);
    assert_all_ranks(comm, found.marginals == 4 * 8);
    assert_all_ranks(comm, found.monotone_violations == violations);
    assert_close(comm, found.worst_marginal, worst, 0.0, CGM_TEST_VALUES);
    case_close(&made);
}

/* Above 20 parties along orders: 1000 orders of 25 parties, the same at any number of ranks. */
static void test_monotonicity_of_many_parties(void **state)
{
    cgm_comm *comm = *state;
    enum { N = 25 };
    test_case made;
    int64_t sizes[N];
    game_mixed_sizes(N, 40.0, 3, sizes);
    case_make(comm, N, sizes, 2, 100, 0.2, &made);
    case_sums(comm, &made);
    const cgm_diagnostics found = measure(comm, &made);
    assert_all_ranks(comm, found.marginals == 1000 * N);
    assert_all_ranks(comm,
                     found.monotone_violations > 0 && found.monotone_violations < found.marginals);
    assert_all_ranks(comm, found.worst_marginal < 0.0 && found.worst_marginal > -1.0);
    case_close(&made);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scaling),
        cmocka_unit_test(test_sufficient_condition),
        cmocka_unit_test(test_monotonicity_of_few_parties),
        cmocka_unit_test(test_monotonicity_of_many_parties),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
