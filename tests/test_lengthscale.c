/* The lengthscale that the search chooses: against the authors' bisection, and against its
 * definition on made-up points. */
// timeout: 480
// without: asan valgrind
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "cgm/tolerance.h"
#include "harness.h"

static cgm_lengthscale choose(cgm_comm *comm, const test_case *input, cgm_kernel *kernel)
{
    cgm_lengthscale choice;
    *kernel = input->kernel;
    assert_all_ranks(comm,
                     cgm_lengthscale_choose(comm, &input->shard, &input->candidates,
                                            input->spread.overall, CGM_LENGTHSCALE_NONNEGATIVE,
                                            NULL, 0, 1, NULL, kernel, &choice) == CGM_OK);
    assert_all_ranks(comm, kernel->lengthscale == choice.value);
    assert_same_on_all_ranks(comm, &choice.value, sizeof choice.value);
    return choice;
}

/* The smallest v({i}) at a lengthscale. */
static double worst_value(cgm_comm *comm, const test_case *input, double lengthscale)
{
    const int64_t n = input->shard.n_parties;
    double *values = malloc((size_t)n * sizeof *values);
    double *slopes = malloc((size_t)n * sizeof *slopes);
    cgm_kernel kernel = input->kernel;
    kernel.lengthscale = lengthscale;
    assert_all_ranks(comm, cgm_lengthscale_evaluate(comm, &input->shard, &input->candidates,
                                                    &kernel, values, slopes) == CGM_OK);
    double worst = INFINITY;
    for (int64_t i = 0; i < n; i++) {
        worst = fmin(worst, values[i]);
    }
    free(values);
    free(slopes);
    return worst;
}

/* The condition holds at the choice, as evaluated, and fails just below. */
static void check_condition(cgm_comm *comm, const test_case *input, double chosen)
{
    assert_all_ranks(comm, worst_value(comm, input, chosen) >= 0.0);
    const double below = chosen * (1.0 - CGM_TEST_LENGTHSCALE_FAILS);
    assert_all_ranks(comm, worst_value(comm, input, below) < 0.0);
}

static void check_golden(cgm_comm *comm, const char *name)
{
    test_case golden;
    cgm_kernel kernel;
    case_open(comm, name, "/output/lengthscale", NULL, &golden);
    const double theirs = golden.kernel.lengthscale;
    const cgm_lengthscale choice = choose(comm, &golden, &kernel);
    assert_all_ranks(comm, !choice.always_valid);
    assert_all_ranks(comm, choice.value <= theirs);
    assert_all_ranks(comm, choice.value >= theirs - CGM_TEST_LENGTHSCALE_BELOW);
    check_condition(comm, &golden, choice.value);
    case_close(&golden);
}

static void test_tiny5(void **state)
{
    check_golden(*state, "golden/tiny5.h5");
}

static void test_tiny5u(void **state)
{
    check_golden(*state, "golden/tiny5u.h5");
}

static void test_small5f(void **state)
{
    check_golden(*state, "golden/small5f.h5");
}

static void test_small5fu(void **state)
{
    check_golden(*state, "golden/small5fu.h5");
}

static void test_paper5(void **state)
{
    check_golden(*state, "golden/paper5.h5");
}

/* A made-up case whose first party lies in a corner: the search ends at a crossing. Every rung
 * above, evaluated afresh, is valid. */
static void test_made_up_points(void **state)
{
    cgm_comm *comm = *state;
    test_case made;
    cgm_kernel kernel;
    case_make(comm, 3, (int64_t[]){40, 500, 700}, 3, 900, 1.0, &made);
    for (int64_t k = 0;
         k < made.shard.n_local_points && made.shard.first_party[comm->rank] == 0 && k < 40; k++) {
        for (int f = 0; f < 3; f++) {
            made.shard.points[3 * k + f] *= 0.2;
        }
    }
    const cgm_lengthscale choice = choose(comm, &made, &kernel);
    assert_all_ranks(comm, !choice.always_valid);
    check_condition(comm, &made, choice.value);
    for (double at = choice.value; at < 20.0; at *= 1.3) {
        assert_all_ranks(comm, worst_value(comm, &made, at) >= 0.0);
    }
    case_close(&made);
}

/* The slope against a central difference of the values. */
static void test_slopes(void **state)
{
    cgm_comm *comm = *state;
    enum { N = 3 };
    test_case made;
    double values[3][N];
    double slopes[3][N];
    case_make(comm, N, (int64_t[]){40, 50, 70}, 2, 90, 0.3, &made);
    const double step = 1e-4;
    for (int k = 0; k < 3; k++) {
        cgm_kernel kernel = made.kernel;
        kernel.lengthscale = 0.3 * exp(step * (k - 1));
        assert_all_ranks(comm, cgm_lengthscale_evaluate(comm, &made.shard, &made.candidates,
                                                        &kernel, values[k], slopes[k]) == CGM_OK);
    }
    for (int i = 0; i < N; i++) {
        const double difference = (values[2][i] - values[0][i]) / (2.0 * step);
        /* The error of a central difference is of order step². */
        assert_close(comm, slopes[1][i], difference, 0.0, 10.0 * step * step);
    }
    case_close(&made);
}

/* One party that is most of the reference set is worth something at every lengthscale. */
static void test_always_valid(void **state)
{
    cgm_comm *comm = *state;
    test_case made;
    cgm_kernel kernel;
    case_make(comm, 1, (int64_t[]){200}, 2, 50, 1.0, &made);
    const cgm_lengthscale choice = choose(comm, &made, &kernel);
    assert_all_ranks(comm, choice.always_valid);
    assert_close(comm, choice.value, 1e-3 * made.spread.overall, 1e-12, 0.0);
    case_close(&made);
}

/* Without any spread every lengthscale gives the same kernel: 1. */
static void test_coincident_points(void **state)
{
    cgm_comm *comm = *state;
    test_case made;
    cgm_kernel kernel;
    case_make(comm, 2, (int64_t[]){5, 6}, 2, 7, 1.0, &made);
    for (int64_t k = 0; k < 2 * made.shard.n_local_points; k++) {
        made.shard.points[k] = 3.25;
    }
    for (int64_t k = 0; k < 14 && comm->node_rank == 0; k++) {
        made.candidates.points[k] = 3.25;
    }
    cgm_shared_sync(comm, &made.candidates.points_memory);
    cgm_spread_destroy(&made.spread);
    assert_all_ranks(comm, cgm_spread_measure(comm, &made.shard, &made.candidates, &made.spread) ==
                               CGM_OK);
    assert_all_ranks(comm, made.spread.overall == 0.0 && made.spread.centre[0] == 3.25);
    const cgm_lengthscale choice = choose(comm, &made, &kernel);
    assert_all_ranks(comm, choice.value == 1.0 && choice.passes == 0);
    case_close(&made);
}

/* The deviation by its definition, two features of different scale. */
static void test_spread(void **state)
{
    cgm_comm *comm = *state;
    test_case made;
    case_make(comm, 2, (int64_t[]){300, 700}, 2, 600, 1.0, &made);
    const int64_t sizes[] = {300, 700, 600};
    double mean[2] = {0.0, 0.0};
    double variance[2] = {0.0, 0.0};
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t owner = 0; owner < 3; owner++) {
            for (int64_t k = 0; k < sizes[owner]; k++) {
                double x[2];
                case_point(owner, k, 2, x);
                for (int f = 0; f < 2; f++) {
                    mean[f] += pass == 0 ? x[f] / 1600.0 : 0.0;
                    variance[f] += pass == 1 ? (x[f] - mean[f]) * (x[f] - mean[f]) / 1600.0 : 0.0;
                }
            }
        }
    }
    assert_close(comm, made.spread.overall, sqrt(0.5 * (variance[0] + variance[1])),
                 CGM_TEST_SUMS_RELATIVE, 0.0);
    case_close(&made);
}

/* The median distance between the parties' points, against the authors' and across a seeded choice
 * of 5000 of more points. */
static void test_median(void **state)
{
    cgm_comm *comm = *state;
    test_case golden;
    case_open(comm, "golden/tiny5.h5", "/output/median_heuristic", NULL, &golden);
    cgm_kernel kernel = golden.kernel;
    cgm_lengthscale choice;
    assert_all_ranks(comm, cgm_lengthscale_choose(comm, &golden.shard, &golden.candidates,
                                                  golden.spread.overall, CGM_LENGTHSCALE_MEDIAN,
                                                  NULL, 0, 1, NULL, &kernel, &choice) == CGM_OK);
    assert_close(comm, choice.value, golden.kernel.lengthscale, CGM_TEST_MEDIAN, 0.0);
    assert_all_ranks(comm, kernel.lengthscale == choice.value && choice.passes == 0);
    case_close(&golden);
}

/* A sample of the points of the unit square: near the square's own median distance, 0.5120; the
 * same on every rank, another for another seed. */
static void test_median_of_a_sample(void **state)
{
    cgm_comm *comm = *state;
    test_case made;
    double medians[2];
    case_make(comm, 3, (int64_t[]){4000, 1, 3000}, 2, 10, 1.0, &made);
    for (int k = 0; k < 2; k++) {
        cgm_kernel kernel = made.kernel;
        cgm_lengthscale choice;
        assert_all_ranks(comm,
                         cgm_lengthscale_choose(comm, &made.shard, &made.candidates,
                                                made.spread.overall, CGM_LENGTHSCALE_MEDIAN, NULL,
                                                0, (uint64_t)k, NULL, &kernel, &choice) == CGM_OK);
        medians[k] = choice.value;
    }
    assert_close(comm, medians[0], 0.5120, 0.0, 0.02);
    assert_all_ranks(comm, medians[0] != medians[1]);
    assert_same_on_all_ranks(comm, medians, sizeof medians);
    case_close(&made);
}

/* Numbers: one for all features, or one each; any other count is an error of the options. */
static void test_given_numbers(void **state)
{
    cgm_comm *comm = *state;
    test_case made;
    const double given[] = {0.25, 0.5, 0.75};
    case_make(comm, 1, (int64_t[]){10}, 2, 10, 1.0, &made);
    for (int64_t n = 1; n <= 3; n++) {
        cgm_kernel kernel = made.kernel;
        cgm_lengthscale choice;
        const cgm_status status =
            cgm_lengthscale_choose(comm, &made.shard, &made.candidates, made.spread.overall,
                                   CGM_LENGTHSCALE_GIVEN, given, n, 1, NULL, &kernel, &choice);
        assert_all_ranks(comm, status == (n <= 2 ? CGM_OK : CGM_ERR_USAGE));
        assert_all_ranks(comm, n != 1 || kernel.lengthscale == 0.25);
        assert_all_ranks(comm, n != 2 || kernel.feature_lengthscales == given);
    }
    comm->error = (cgm_error){0};
    case_close(&made);
}

/* The sum of three squared exponentials has a crossing too; the rational quadratic has none. */
static void test_other_kernels(void **state)
{
    cgm_comm *comm = *state;
    test_case made;
    cgm_kernel kernel;
    case_make(comm, 3, (int64_t[]){40, 300, 400}, 2, 500, 1.0, &made);
    for (int64_t k = 0;
         k < 40 && made.shard.first_party[comm->rank] == 0 && k < made.shard.n_local_points; k++) {
        made.shard.points[2 * k] *= 0.1;
        made.shard.points[2 * k + 1] *= 0.1;
    }
    made.kernel.type = CGM_KERNEL_SE_SUM;
    cgm_lengthscale choice = choose(comm, &made, &kernel);
    assert_all_ranks(comm, !choice.always_valid);
    check_condition(comm, &made, choice.value);
    case_close(&made);
    case_make(comm, 1, (int64_t[]){60}, 2, 50, 1.0, &made);
    made.kernel.type = CGM_KERNEL_RQ;
    choice = choose(comm, &made, &kernel);
    assert_all_ranks(comm, choice.always_valid && worst_value(comm, &made, choice.value) >= 0.0);
    case_close(&made);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiny5),
        cmocka_unit_test(test_tiny5u),
        cmocka_unit_test(test_small5f),
        cmocka_unit_test(test_small5fu),
        cmocka_unit_test(test_paper5),
        cmocka_unit_test(test_made_up_points),
        cmocka_unit_test(test_slopes),
        cmocka_unit_test(test_always_valid),
        cmocka_unit_test(test_coincident_points),
        cmocka_unit_test(test_spread),
        cmocka_unit_test(test_median),
        cmocka_unit_test(test_median_of_a_sample),
        cmocka_unit_test(test_given_numbers),
        cmocka_unit_test(test_other_kernels),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
