/* Measures of the authors' own rewards against the authors' own measures. */
// ranks: 1 2 5
// timeout: 120
// without: asan valgrind
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/tolerance.h"
#include "harness.h"
#include "rewarded.h"

enum { N_SETS = 4 };
static const double inv_temp[N_SETS] = {1.0, 2.0, 4.0, 8.0};

/* Our columns and the authors' names. */
static const struct {
    cgm_metric_column before, after;
    const char *name;
} columns[] = {
    {CGM_MMD2_BEFORE, CGM_MMD2_AFTER, "mmd_unbiased"},
    {CGM_KL_BEFORE, CGM_KL_AFTER, "dkl"},
    {CGM_WASSERSTEIN2_BEFORE, CGM_WASSERSTEIN2_AFTER, "wasserstein2"},
    {CGM_IMBALANCE_BEFORE, CGM_IMBALANCE_AFTER, "imbalance"},
    {CGM_METRIC_COLUMNS, CGM_N_REWARDS, "num_rewards"},
};
enum { N_COLUMNS = sizeof columns / sizeof columns[0] };

/* The number of rewards of one party at one inverse temperature is what the authors' measures were
 * taken of. */
static void take_rewards(cgm_comm *comm, const test_case *golden, const char *condition,
                         rewarded_run *made)
{
    char path[256];
    for (int64_t s = 0; s < N_SETS; s++) {
        snprintf(path, sizeof path, "/output/metrics/%s/inv_temp_%g/num_rewards", condition,
                 inv_temp[s]);
        double *counts = case_read(comm, golden, path, NULL);
        for (int64_t i = 0; i < golden->shard.n_parties; i++) {
            const int64_t count = (int64_t)counts[i];
            snprintf(path, sizeof path, "/output/sampling/%s/inv_temp_%g/party_%d/mus", condition,
                     inv_temp[s], (int)i);
            double *values = case_read(comm, golden, path, NULL);
            snprintf(path, sizeof path, "/output/sampling/%s/inv_temp_%g/party_%d/indices",
                     condition, inv_temp[s], (int)i);
            int64_t *indices = cgm_h5_read(&golden->file, path, NULL, CGM_H5_INT64, NULL);
            assert_all_ranks(comm, indices != NULL);
            rewarded_add(comm, made, s, i, indices, count, values[count]);
            free(values);
            free(indices);
        }
        free(counts);
    }
}

/* What differs most, for whoever wants to know. */
static void show_error(const char *what, const double *actual, const double *expected,
                       int64_t count)
{
    double worst = 0.0;
    for (int64_t k = 0; k < count; k++) {
        worst = fmax(worst, fabs(actual[k] - expected[k]));
    }
    print_message("%s: %.1e\n", what, worst);
}

static void compare(cgm_comm *comm, const test_case *golden, const char *name, const double *actual,
                    int64_t count)
{
    char path[256];
    snprintf(path, sizeof path, "/output/metrics/%s", name);
    double *expected = case_read(comm, golden, path, NULL);
    show_error(path, actual, expected, count);
    assert_close_array(comm, actual, expected, count, 0.0, CGM_TEST_METRICS);
    free(expected);
}

static void compare_set(cgm_comm *comm, const test_case *golden, const char *condition,
                        const rewarded_run *made, int64_t s)
{
    const int64_t n = golden->shard.n_parties;
    char name[128];
    for (int c = 0; c < N_COLUMNS; c++) {
        const char *is_after = columns[c].after == CGM_N_REWARDS ? "" : "_after";
        snprintf(name, sizeof name, "%s/inv_temp_%g/%s%s", condition, inv_temp[s], columns[c].name,
                 is_after);
        compare(comm, golden, name, rewarded_column(made, s, columns[c].after), n);
        snprintf(name, sizeof name, "%s/inv_temp_%g/corr_alpha_%s%s", condition, inv_temp[s],
                 columns[c].name, is_after);
        compare(comm, golden, name, &made->run.metrics.sets[s].correlation[columns[c].after], 1);
        if (columns[c].before != CGM_METRIC_COLUMNS) {
            snprintf(name, sizeof name, "%s_before", columns[c].name);
            compare(comm, golden, name, rewarded_column(made, s, columns[c].before), n);
        }
    }
}

static void check_condition(cgm_comm *comm, const test_case *golden, const char *condition)
{
    const int64_t n = golden->shard.n_parties;
    const unsigned selected =
        CGM_METRIC_MMD2 | CGM_METRIC_KL | CGM_METRIC_WASSERSTEIN2 | CGM_METRIC_IMBALANCE;
    char name[128];
    rewarded_run made;
    rewarded_begin(comm, golden, selected, N_SETS, inv_temp, &made);
    double *alpha = case_read(comm, golden, "/output/alpha", NULL);
    memcpy(made.alpha, alpha, (size_t)n * sizeof *alpha);
    free(alpha);
    take_rewards(comm, golden, condition, &made);
    rewarded_measure(comm, &made);
    for (int64_t s = 0; s < N_SETS; s++) {
        compare_set(comm, golden, condition, &made, s);
    }
    snprintf(name, sizeof name, "%s/corr_inv_temp_num_rewards", condition);
    compare(comm, golden, name, made.run.metrics.beta_n_rewards, n);
    snprintf(name, sizeof name, "%s/corr_inv_temp_mmd_unbiased_after", condition);
    compare(comm, golden, name, made.run.metrics.beta_mmd2_after, n);
    rewarded_end(&made);
}

static void check_case(cgm_comm *comm, const char *name, bool individual_too)
{
    test_case golden;
    case_open(comm, name, "/output/lengthscale", NULL, &golden);
    case_sums(comm, &golden);
    check_condition(comm, &golden, "stable");
    if (individual_too) {
        check_condition(comm, &golden, "all");
    }
    case_close(&golden);
}

static void test_tiny5(void **state)
{
    check_case(*state, "golden/tiny5.h5", true);
}

static void test_tiny5u(void **state)
{
    check_case(*state, "golden/tiny5u.h5", true);
}

static void test_small5f(void **state)
{
    check_case(*state, "golden/small5f.h5", true);
}

static void test_small5fu(void **state)
{
    check_case(*state, "golden/small5fu.h5", true);
}

static void test_paper5(void **state)
{
    check_case(*state, "golden/paper5.h5", false);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiny5),   cmocka_unit_test(test_tiny5u),
        cmocka_unit_test(test_small5f), cmocka_unit_test(test_small5fu),
        cmocka_unit_test(test_paper5),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
