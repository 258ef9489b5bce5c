/* Kernel sums across ranks against plain double loops, with several blocks a party, parties of one
 * point, and more ranks than parties. */
#include <math.h>
#include <stdlib.h>

#include "cases.h"
#include "cgm/tolerance.h"
#include "harness.h"

/* All points of a made-up case in the order of T. */
static double *gather_points(const int64_t *sizes, int64_t n_parties, int64_t n_candidates,
                             int64_t n_features, int64_t *n_points)
{
    *n_points = n_candidates;
    for (int64_t i = 0; i < n_parties; i++) {
        *n_points += sizes[i];
    }
    double *points = malloc((size_t)(*n_points * n_features) * sizeof *points);
    int64_t row = 0;
    for (int64_t owner = 0; owner <= n_parties; owner++) {
        const int64_t count = owner < n_parties ? sizes[owner] : n_candidates;
        for (int64_t i = 0; i < count; i++) {
            case_point(owner, i, n_features, points + row++ * n_features);
        }
    }
    return points;
}

static int64_t owner_of(const int64_t *sizes, int64_t n_parties, int64_t row)
{
    int64_t owner = 0;
    while (owner < n_parties && row >= sizes[owner]) {
        row -= sizes[owner++];
    }
    return owner;
}

/* Sums by owner [n_parties + 1]² and of every candidate with T, from the definition. */
static void sum_plainly(const int64_t *sizes, int64_t n_parties, int64_t n_candidates, int64_t d,
                        double lengthscale, double *by_owner, double *candidate_sums)
{
    int64_t n;
    double *points = gather_points(sizes, n_parties, n_candidates, d, &n);
    const int64_t owners = n_parties + 1;
    for (int64_t a = 0; a < n; a++) {
        const int64_t i = owner_of(sizes, n_parties, a);
        double row_sum = 0.0;
        for (int64_t b = 0; b < n; b++) {
            double squared = 0.0;
            for (int64_t f = 0; f < d; f++) {
                const double difference = points[a * d + f] - points[b * d + f];
                squared += difference * difference;
            }
            const double k = exp(-0.5 * squared / (lengthscale * lengthscale));
            by_owner[i * owners + owner_of(sizes, n_parties, b)] += k;
            row_sum += k;
        }
        if (i == n_parties) {
            candidate_sums[a - (n - n_candidates)] = row_sum;
        }
    }
    free(points);
}

static void check_case(cgm_comm *comm, int64_t n_parties, const int64_t *sizes, int64_t d,
                       int64_t n_candidates, double lengthscale)
{
    test_case made;
    case_make(comm, n_parties, sizes, d, n_candidates, lengthscale, &made);
    case_sums(comm, &made);
    const int64_t owners = n_parties + 1;
    double *by_owner = calloc((size_t)(owners * owners), sizeof *by_owner);
    double *candidate_sums = calloc((size_t)n_candidates, sizeof *candidate_sums);
    sum_plainly(sizes, n_parties, n_candidates, d, lengthscale, by_owner, candidate_sums);
    const cgm_kernel_sums *sums = &made.sums;
    const double relative = CGM_TEST_SUMS_RELATIVE;
    const double absolute = CGM_TEST_SUMS_ABSOLUTE;
    for (int64_t i = 0; i < n_parties; i++) {
        const double *expected = by_owner + i * owners;
        double reference = expected[n_parties];
        for (int64_t j = 0; j < n_parties; j++) {
            reference += expected[j];
        }
        assert_close_array(comm, sums->party_sums + i * n_parties, expected, n_parties, relative,
                           absolute);
        assert_close(comm, sums->reference_sums[i], reference, relative, absolute);
        assert_close(comm, sums->party_candidate_sums[i], expected[n_parties], relative, absolute);
    }
    assert_close(comm, sums->candidate_sum, by_owner[owners * owners - 1], relative, absolute);
    assert_close_array(comm, sums->candidate_sums, candidate_sums, n_candidates, relative,
                       absolute);
    assert_same_on_all_ranks(comm, sums->party_sums,
                             (size_t)(n_parties * n_parties) * sizeof(double));
    assert_same_on_all_ranks(comm, sums->candidate_sums, (size_t)n_candidates * sizeof(double));
    free(by_owner);
    free(candidate_sums);
    case_close(&made);
}

static void test_unequal_parties_of_several_blocks(void **state)
{
    check_case(*state, 3, (int64_t[]){700, 1, 1100}, 3, 1300, 0.3);
}

static void test_many_small_parties(void **state)
{
    check_case(*state, 9, (int64_t[]){1, 2, 3, 4, 5, 6, 7, 8, 9}, 2, 37, 0.2);
}

static void test_one_party(void **state)
{
    check_case(*state, 1, (int64_t[]){600}, 1, 700, 0.1);
}

static void test_one_candidate(void **state)
{
    check_case(*state, 2, (int64_t[]){20, 30}, 5, 1, 0.5);
}

/* The work of all ranks together is the pairs of blocks, whatever the number of ranks. */
static void test_every_pair_is_evaluated_once(void **state)
{
    cgm_comm *comm = *state;
    test_case made;
    case_make(comm, 2, (int64_t[]){600, 100}, 2, 1100, 0.3, &made);
    comm->counters = (cgm_counters){0};
    case_sums(comm, &made);
    /* Blocks of 512 + 88, 100 and 512 + 512 + 76 points; a block with itself is a full square. */
    const int64_t blocks[] = {512, 88, 100, 512, 512, 76};
    int64_t expected = 0;
    for (int i = 0; i < 6; i++) {
        for (int j = i; j < 6; j++) {
            expected += blocks[i] * blocks[j];
        }
    }
    int64_t evaluations = comm->counters.kernel_evaluations;
    cgm_comm_sum(comm, &evaluations, 1);
    assert_all_ranks(comm, evaluations == expected);
    case_close(&made);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unequal_parties_of_several_blocks),
        cmocka_unit_test(test_many_small_parties),
        cmocka_unit_test(test_one_party),
        cmocka_unit_test(test_one_candidate),
        cmocka_unit_test(test_every_pair_is_evaluated_once),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
