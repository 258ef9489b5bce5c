/* Kernel sums, values, Shapley values and rewards against the authors' own numbers, and the
 * certificates of the rewards. */
// timeout: 480
// without: asan valgrind
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "cgm/coalition.h"
#include "cgm/incentives.h"
#include "cgm/reward_lp.h"
#include "cgm/shapley.h"
#include "cgm/tolerance.h"
#include "harness.h"

static const cgm_semivalue shapley_value = {CGM_SEMIVALUE_SHAPLEY, 1.0, 1.0};

/* actual against /output/<name>. */
static void compare(cgm_comm *comm, const test_case *golden, const char *name, const double *actual,
                    int64_t count, double relative, double absolute)
{
    char path[256];
    snprintf(path, sizeof path, "/output/%s", name);
    double *expected = case_read(comm, golden, path, NULL);
    assert_close_array(comm, actual, expected, count, relative, absolute);
    free(expected);
}

static void compare_sums(cgm_comm *comm, const test_case *golden)
{
    const cgm_kernel_sums *sums = &golden->sums;
    const int64_t n = sums->n_parties;
    const double relative = CGM_TEST_SUMS_RELATIVE;
    const double absolute = CGM_TEST_SUMS_ABSOLUTE;
    double *party_sums = case_party_sums(comm, sums);
    compare(comm, golden, "blocks/S", party_sums, n * n, relative, absolute);
    free(party_sums);
    compare(comm, golden, "blocks/T", sums->reference_sums, n, relative, absolute);
    compare(comm, golden, "blocks/DC", sums->party_candidate_sums, n, relative, absolute);
    compare(comm, golden, "blocks/CC", &sums->candidate_sum, 1, relative, absolute);
    compare(comm, golden, "blocks/kTG", sums->candidate_sums, sums->n_candidates, relative,
            absolute);
}

/* Nothing is violated but, where it was not asked for, stability. */
static void check_certificate(cgm_comm *comm, const test_case *golden, const cgm_values *values,
                              const cgm_shapley *shapley, const cgm_reward *reward)
{
    cgm_incentives incentives = {0};
    assert_all_ranks(comm, cgm_incentives_certify(comm, golden->shard.names, &golden->sums, values,
                                                  shapley, reward, &incentives) == CGM_OK);
    for (int k = 0; k < CGM_N_INCENTIVES; k++) {
        const cgm_incentive_row *row = &incentives.rows[k];
        const bool asked = k != CGM_STABILITY || reward->condition == CGM_REWARD_STABLE;
        assert_all_ranks(comm, !asked || (row->holds && row->violation == 0.0));
        assert_all_ranks(comm, isnan(row->realised));
    }
    assert_same_on_all_ranks(comm, incentives.rows, sizeof incentives.rows);
}

static void compare_rewards(cgm_comm *comm, const test_case *golden, const cgm_values *values,
                            const cgm_shapley *shapley, cgm_reward_condition condition)
{
    const int64_t n = golden->sums.n_parties;
    const char *group = condition == CGM_REWARD_STABLE ? "lp/stable" : "lp/all";
    char name[64];
    cgm_reward reward;
    assert_all_ranks(comm, cgm_reward_solve(comm, golden->shard.names, &golden->sums, values,
                                            shapley, condition, true, &reward) == CGM_OK);
    snprintf(name, sizeof name, "%s/v_star", group);
    compare(comm, golden, name, &reward.v_star, 1, 0.0, CGM_TEST_REWARD);
    snprintf(name, sizeof name, "%s/rho", group);
    compare(comm, golden, name, &reward.rho, 1, 0.0, CGM_TEST_REWARD);
    snprintf(name, sizeof name, "%s/r", group);
    compare(comm, golden, name, reward.r, n, 0.0, CGM_TEST_REWARD);
    compare(comm, golden, "v_Ci", reward.stable, n, 0.0, CGM_TEST_VALUES);
    assert_same_on_all_ranks(comm, reward.r, (size_t)n * sizeof(double));
    check_certificate(comm, golden, values, shapley, &reward);
    cgm_reward_destroy(&reward);
}

static void check_case(cgm_comm *comm, const char *name)
{
    test_case golden;
    cgm_values values;
    cgm_shapley shapley;
    case_open(comm, name, "/output/lengthscale", NULL, &golden);
    case_sums(comm, &golden);
    compare_sums(comm, &golden);
    const int64_t n = golden.sums.n_parties;
    assert_all_ranks(comm, cgm_values_compute(comm, &golden.sums, &values) == CGM_OK);
    compare(comm, &golden, "v_i", values.single, n, 0.0, CGM_TEST_VALUES);
    compare(comm, &golden, "v_max", values.ceiling, n, 0.0, CGM_TEST_VALUES);
    compare(comm, &golden, "v_N", &values.grand, 1, 0.0, CGM_TEST_VALUES);
    /* Rank 0 alone holds the coalitions. */
    int64_t coalitions = comm->rank == 0 ? (int64_t)1 << n : 0;
    compare(comm, &golden, "v", values.coalitions, coalitions, 0.0, CGM_TEST_VALUES);
    const cgm_shapley_method methods[] = {CGM_SHAPLEY_QUADRATURE, CGM_SHAPLEY_ENUMERATE};
    for (int k = 0; k < 2; k++) {
        assert_all_ranks(comm, cgm_shapley_compute(comm, &golden.sums, &values, methods[k],
                                                   &shapley_value, CGM_TEST_QUADRATURE,
                                                   &shapley) == CGM_OK);
        compare(comm, &golden, "phi", shapley.phi, n, 0.0, CGM_TEST_VALUES);
        compare(comm, &golden, "alpha", shapley.alpha, n, 0.0, CGM_TEST_VALUES);
        assert_same_on_all_ranks(comm, shapley.phi, (size_t)n * sizeof(double));
        if (methods[k] == CGM_SHAPLEY_ENUMERATE) {
            compare_rewards(comm, &golden, &values, &shapley, CGM_REWARD_STABLE);
            compare_rewards(comm, &golden, &values, &shapley, CGM_REWARD_INDIVIDUAL);
        }
        cgm_shapley_destroy(&shapley);
    }
    cgm_values_destroy(&values);
    case_close(&golden);
}

static void test_tiny5(void **state)
{
    check_case(*state, "golden/tiny5.h5");
}

static void test_tiny5u(void **state)
{
    check_case(*state, "golden/tiny5u.h5");
}

static void test_small5f(void **state)
{
    check_case(*state, "golden/small5f.h5");
}

static void test_small5fu(void **state)
{
    check_case(*state, "golden/small5fu.h5");
}

static void test_paper5(void **state)
{
    check_case(*state, "golden/paper5.h5");
}

/* small5's stable program has no solution: party 2's coalition is worth more than the pool can give
 * it. The error names that party, on every rank. */
static void check_strict(cgm_comm *comm, const test_case *golden, const cgm_values *values,
                         const cgm_shapley *shapley)
{
    cgm_reward reward;
    assert_all_ranks(comm,
                     cgm_reward_solve(comm, golden->shard.names, &golden->sums, values, shapley,
                                      CGM_REWARD_STABLE, true, &reward) == CGM_ERR_LP);
    const char *message = comm->error.message;
    assert_all_ranks(comm,
                     strstr(message, "party '2' can be raised to at most 0.51753667") != NULL);
    assert_all_ranks(comm, strstr(message, "party '2' must get at least 0.51761979") != NULL);
    comm->error = (cgm_error){0};
    cgm_reward_destroy(&reward);
}

/* The same relaxed: the lower bounds give way by 1.6e-4 in all; what party 2 loses is stability. */
static void check_relaxed(cgm_comm *comm, const test_case *golden, const cgm_values *values,
                          const cgm_shapley *shapley)
{
    const double expected[] = {0.4880077, 0.5037878, 0.5175367, 0.4822023, 0.5144146};
    cgm_reward reward;
    assert_all_ranks(comm, cgm_reward_solve(comm, golden->shard.names, &golden->sums, values,
                                            shapley, CGM_REWARD_STABLE, false, &reward) == CGM_OK);
    assert_all_ranks(comm, reward.status == CGM_REWARD_RELAXED);
    assert_close(comm, reward.total_violation, 1.605923e-4, 0.0, CGM_TEST_RELAXED);
    assert_close(comm, reward.rho, 0.0743349, 0.0, CGM_TEST_RELAXED);
    assert_close(comm, reward.v_star, 0.5175367, 0.0, CGM_TEST_RELAXED);
    assert_close_array(comm, reward.r, expected, 5, 0.0, CGM_TEST_RELAXED);
    assert_all_ranks(comm, strstr(reward.binding, "party '2' must get at least") != NULL);
    assert_all_ranks(comm, strstr(reward.lost[2], "stability: 0.51753667 is less than "
                                                  "0.51761979 by 8.31e-05") == reward.lost[2]);
    assert_same_on_all_ranks(comm, reward.r, 5 * sizeof(double));
    cgm_reward_destroy(&reward);
}

static void test_infeasible_program(void **state)
{
    cgm_comm *comm = *state;
    test_case golden;
    cgm_values values;
    cgm_shapley shapley;
    case_open(comm, "golden/small5.h5", "/output/lengthscale", NULL, &golden);
    case_sums(comm, &golden);
    assert_all_ranks(comm, cgm_values_compute(comm, &golden.sums, &values) == CGM_OK);
    assert_all_ranks(comm,
                     cgm_shapley_compute(comm, &golden.sums, &values, CGM_SHAPLEY_AUTO,
                                         &shapley_value, CGM_TEST_QUADRATURE, &shapley) == CGM_OK);
    check_strict(comm, &golden, &values, &shapley);
    check_relaxed(comm, &golden, &values, &shapley);
    compare_rewards(comm, &golden, &values, &shapley, CGM_REWARD_INDIVIDUAL);
    cgm_shapley_destroy(&shapley);
    cgm_values_destroy(&values);
    case_close(&golden);
}

/* The other kernels at lengthscale 1: S, t and v of all coalitions of tiny5. */
static void check_kernel(cgm_comm *comm, cgm_kernel_type type, const char *group)
{
    test_case golden;
    cgm_values values;
    char name[64];
    case_open(comm, "golden/tiny5.h5", "/output/lengthscale", NULL, &golden);
    golden.kernel.type = type;
    golden.kernel.lengthscale = 1.0;
    case_sums(comm, &golden);
    const int64_t n = golden.sums.n_parties;
    assert_all_ranks(comm, cgm_values_compute(comm, &golden.sums, &values) == CGM_OK);
    snprintf(name, sizeof name, "kernels/%s/S", group);
    double *party_sums = case_party_sums(comm, &golden.sums);
    compare(comm, &golden, name, party_sums, n * n, CGM_TEST_SUMS_RELATIVE, CGM_TEST_SUMS_ABSOLUTE);
    free(party_sums);
    snprintf(name, sizeof name, "kernels/%s/T", group);
    compare(comm, &golden, name, golden.sums.reference_sums, n, CGM_TEST_SUMS_RELATIVE,
            CGM_TEST_SUMS_ABSOLUTE);
    snprintf(name, sizeof name, "kernels/%s/v", group);
    compare(comm, &golden, name, values.coalitions, comm->rank == 0 ? (int64_t)1 << n : 0, 0.0,
            CGM_TEST_VALUES);
    cgm_values_destroy(&values);
    case_close(&golden);
}

static void test_kernels_at_lengthscale_one(void **state)
{
    check_kernel(*state, CGM_KERNEL_SE, "se_ls1");
    check_kernel(*state, CGM_KERNEL_SE_SUM, "se_sum_ls1");
    check_kernel(*state, CGM_KERNEL_RQ, "rq_ls1");
}

/* α of real data at a given lengthscale, computed independently in double precision. */
static void check_real(cgm_comm *comm, const char *name)
{
    test_case golden;
    cgm_values values;
    cgm_shapley shapley;
    case_open(comm, name, "/", "expected_lengthscale", &golden);
    case_sums(comm, &golden);
    assert_all_ranks(comm, cgm_values_compute(comm, &golden.sums, &values) == CGM_OK);
    assert_all_ranks(comm,
                     cgm_shapley_compute(comm, &golden.sums, &values, CGM_SHAPLEY_AUTO,
                                         &shapley_value, CGM_TEST_QUADRATURE, &shapley) == CGM_OK);
    double *expected = case_read(comm, &golden, "/", "expected_alpha");
    assert_close_array(comm, shapley.alpha, expected, golden.sums.n_parties, 0.0,
                       CGM_TEST_REAL_ALPHA);
    free(expected);
    cgm_shapley_destroy(&shapley);
    cgm_values_destroy(&values);
    case_close(&golden);
}

static void test_lendingclub_equaldisjoint(void **state)
{
    check_real(*state, "data/lendingclub_grade_equaldisjoint.h5");
}

static void test_lendingclub_unequal(void **state)
{
    check_real(*state, "data/lendingclub_grade_unequal.h5");
}

static void test_fashion_equaldisjoint_small(void **state)
{
    check_real(*state, "data/fashion_pca8_equaldisjoint_small.h5");
}

static void test_fashion_unequal_small(void **state)
{
    check_real(*state, "data/fashion_pca8_unequal_small.h5");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiny5),
        cmocka_unit_test(test_tiny5u),
        cmocka_unit_test(test_small5f),
        cmocka_unit_test(test_small5fu),
        cmocka_unit_test(test_paper5),
        cmocka_unit_test(test_infeasible_program),
        cmocka_unit_test(test_kernels_at_lengthscale_one),
        cmocka_unit_test(test_lendingclub_equaldisjoint),
        cmocka_unit_test(test_lendingclub_unequal),
        cmocka_unit_test(test_fashion_equaldisjoint_small),
        cmocka_unit_test(test_fashion_unequal_small),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
