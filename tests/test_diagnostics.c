/* Scaling of features, and the diagnostics of the values: by hand and by plain loops. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "cgm/diagnostics.h"
#include "cgm/features.h"
#include "cgm/rng.h"
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
        cgm_testset none = {0};
        cgm_spread after;
        make_scaled_case(comm, &made);
        const double first = made.candidates.points[0];
        assert_all_ranks(comm, cgm_features_scale(comm, scalings[k], &made.shard, &made.candidates,
                                                  &none, &features) == CGM_OK);
        assert_all_ranks(comm, cgm_spread_measure(comm, &made.shard, NULL, &after) == CGM_OK);
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
    assert_all_ranks(comm,
                     cgm_diagnostics_measure(comm, &made->shard, &made->candidates, &made->kernel,
                                             &made->sums, &values, 1, &found) == CGM_OK);
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
    double *square = case_party_sums(comm, &made.sums);
    int64_t violations = 0;
    double worst = INFINITY;
    for (int mask = 0; mask < 16; mask++) {
        for (int i = 0; i < 4; i++) {
            bool member[4];
            for (int j = 0; j < 4; j++) {
                member[j] = (mask >> j & 1) != 0;
            }
            if (!member[i]) {
                const double before = game_value(&made.sums, square, member);
                member[i] = true;
                const double marginal = game_value(&made.sums, square, member) - before;
                violations += marginal < 0.0;
                worst = fmin(worst, marginal);
            }
        }
    }
    free(square);
    const cgm_diagnostics found = measure(comm, &made);
    assert_all_ranks(comm, found.marginals == 4 * 8);
    assert_all_ranks(comm, found.monotone_violations == violations);
    assert_close(comm, found.worst_marginal, worst, 0.0, CGM_TEST_VALUES);
    case_close(&made);
}

/* The marginals along the orders that the program draws, one party after another. */
static cgm_diagnostics walk_orders(const cgm_kernel_sums *sums, const double *square,
                                   int64_t n_orders)
{
    enum { MOST = 150 };
    const int64_t n = sums->n_parties;
    cgm_diagnostics found = {.worst_marginal = INFINITY};
    for (int64_t number = 0; number < n_orders; number++) {
        const cgm_rng rng = {1, (uint64_t)number, CGM_RNG_ORDER};
        int64_t order[MOST];
        double cross[MOST] = {0.0};
        for (int64_t i = 0; i < n; i++) {
            uint64_t words[4];
            cgm_rng_words(&rng, (uint64_t)i, 0, 0, words);
            const int64_t j = (int64_t)(cgm_rng_uniform(words[0]) * (double)(i + 1));
            order[i] = order[j];
            order[j] = i;
        }
        double size = 0.0;
        double linear = 0.0;
        double quadratic = 0.0;
        double before = 0.0;
        for (int64_t k = 0; k < n; k++) {
            const double *row = square + order[k] * n;
            size += (double)sums->party_points[order[k]];
            linear += sums->reference_sums[order[k]];
            quadratic += row[order[k]] + 2.0 * cross[order[k]];
            const double value = cgm_coalition_formula(sums->n_reference, size, linear, quadratic);
            found.marginals++;
            found.monotone_violations += value < before;
            found.worst_marginal = fmin(found.worst_marginal, value - before);
            before = value;
            for (int64_t j = 0; j < n; j++) {
                cross[j] += row[j];
            }
        }
    }
    return found;
}

/* Above 20 parties along 1000 orders, S on one rank or on several: the same numbers as walking each
 * order party by party. */
static void test_monotonicity_of_many_parties(void **state)
{
    cgm_comm *comm = *state;
    const int64_t counts[] = {25, 150};
    for (int k = 0; k < 2; k++) {
        test_case made;
        int64_t sizes[150];
        game_mixed_sizes(counts[k], 40.0, 3, sizes);
        case_make(comm, counts[k], sizes, 2, 100, 0.2, &made);
        case_sums(comm, &made);
        double *square = case_party_sums(comm, &made.sums);
        const cgm_diagnostics expected = walk_orders(&made.sums, square, 1000);
        const cgm_diagnostics found = measure(comm, &made);
        assert_all_ranks(comm, found.marginals == 1000 * counts[k]);
        assert_all_ranks(comm, found.monotone_violations == expected.monotone_violations &&
                                   found.worst_marginal == expected.worst_marginal);
        assert_all_ranks(comm, found.monotone_violations > 0 &&
                                   found.monotone_violations < found.marginals);
        free(square);
        case_close(&made);
    }
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
