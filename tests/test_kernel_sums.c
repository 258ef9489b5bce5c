/* Kernel sums across ranks against plain double loops, with several blocks a party, parties of one
 * point, and more ranks than parties. */
// ranks: 1 2 3 5 7 8 16
// without: valgrind
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

typedef void case_maker(cgm_comm *comm, int64_t n_parties, const int64_t *sizes, int64_t d,
                        int64_t n_candidates, double lengthscale, test_case *made);

static void check_sums(cgm_comm *comm, case_maker *make, int64_t n_parties, const int64_t *sizes,
                       int64_t d, int64_t n_candidates, double lengthscale)
{
    test_case made;
    make(comm, n_parties, sizes, d, n_candidates, lengthscale, &made);
    case_sums(comm, &made);
    const int64_t owners = n_parties + 1;
    double *by_owner = calloc((size_t)(owners * owners), sizeof *by_owner);
    double *candidate_sums = calloc((size_t)n_candidates, sizeof *candidate_sums);
    sum_plainly(sizes, n_parties, n_candidates, d, lengthscale, by_owner, candidate_sums);
    const cgm_kernel_sums *sums = &made.sums;
    const double relative = CGM_TEST_SUMS_RELATIVE;
    const double absolute = CGM_TEST_SUMS_ABSOLUTE;
    double *party_sums = case_party_sums(comm, sums);
    for (int64_t i = 0; i < n_parties; i++) {
        const double *expected = by_owner + i * owners;
        double total = 0.0;
        for (int64_t j = 0; j < n_parties; j++) {
            total += expected[j];
        }
        assert_close_array(comm, party_sums + i * n_parties, expected, n_parties, relative,
                           absolute);
        assert_all_ranks(comm, sums->own_sums[i] == party_sums[i * n_parties + i]);
        assert_close(comm, sums->row_totals[i], total, relative, absolute);
        assert_close(comm, sums->reference_sums[i], total + expected[n_parties], relative,
                     absolute);
        assert_close(comm, sums->party_candidate_sums[i], expected[n_parties], relative, absolute);
    }
    assert_close(comm, sums->candidate_sum, by_owner[owners * owners - 1], relative, absolute);
    assert_close_array(comm, sums->candidate_sums, candidate_sums + sums->held_first,
                       sums->held_end - sums->held_first, relative, absolute);
    free(by_owner);
    free(candidate_sums);
    free(party_sums);
    case_close(&made);
}

static void check_case(cgm_comm *comm, int64_t n_parties, const int64_t *sizes, int64_t d,
                       int64_t n_candidates, double lengthscale)
{
    check_sums(comm, case_make, n_parties, sizes, d, n_candidates, lengthscale);
    check_sums(comm, case_make_sliced, n_parties, sizes, d, n_candidates, lengthscale);
}

/* The bits of all ranks and threads together against those of a rank that is alone. */
static void check_bits(cgm_comm *comm, int threads, case_maker *make, int64_t n_parties,
                       const int64_t *sizes, int64_t d, int64_t n_candidates)
{
    cgm_comm self;
    test_case made;
    test_case alone;
    comm->threads = threads;
    make(comm, n_parties, sizes, d, n_candidates, 0.3, &made);
    case_sums(comm, &made);
    comm->threads = 1;
    cgm_comm_create(MPI_COMM_SELF, &self);
    case_make(&self, n_parties, sizes, d, n_candidates, 0.3, &alone);
    case_sums(&self, &alone);
    const cgm_kernel_sums *sums = &made.sums;
    const size_t bytes = (size_t)n_parties * sizeof(double);
    double *party_sums = case_party_sums(comm, sums);
    bool same = memcmp(party_sums, alone.sums.party_sums, bytes * (size_t)n_parties) == 0 &&
                memcmp(sums->own_sums, alone.sums.own_sums, bytes) == 0 &&
                memcmp(sums->row_totals, alone.sums.row_totals, bytes) == 0 &&
                memcmp(sums->reference_sums, alone.sums.reference_sums, bytes) == 0 &&
                memcmp(sums->party_candidate_sums, alone.sums.party_candidate_sums, bytes) == 0 &&
                sums->candidate_sum == alone.sums.candidate_sum &&
                memcmp(sums->candidate_sums, alone.sums.candidate_sums + sums->held_first,
                       (size_t)(sums->held_end - sums->held_first) * sizeof(double)) == 0;
    assert_all_ranks(comm, same);
    free(party_sums);
    case_close(&made);
    case_close(&alone);
    cgm_comm_destroy(&self);
}

static void test_same_bits_at_every_number_of_ranks_and_threads(void **state)
{
    enum { MANY = 150 };
    int64_t sizes[MANY];
    for (int64_t i = 0; i < MANY; i++) {
        sizes[i] = 1 + i * 37 % 23 + (i == 90 ? 700 : 0);
    }
    for (int threads = 1; threads <= 3; threads += 2) {
        check_bits(*state, threads, case_make, MANY, sizes, 2, 1500);
        check_bits(*state, threads, case_make_sliced, MANY, sizes, 2, 1500);
        check_bits(*state, threads, case_make, 3, (int64_t[]){1700, 20, 600}, 3, 1100);
        check_bits(*state, threads, case_make_sliced, 3, (int64_t[]){1700, 20, 600}, 3, 1100);
    }
}

static void test_unequal_parties_of_several_blocks(void **state)
{
    check_case(*state, 3, (int64_t[]){700, 1, 1100}, 3, 1300, 0.3);
}

/* Rows that grow on one rank are held by another: all panels' points are those of a few parties. */
static void test_rows_move(void **state)
{
    enum { MANY = 200 };
    int64_t sizes[MANY];
    for (int64_t i = 0; i < MANY; i++) {
        sizes[i] = i < 10 ? 60 : 1;
    }
    check_case(*state, MANY, sizes, 2, 100, 0.3);
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
        cmocka_unit_test(test_rows_move),
        cmocka_unit_test(test_same_bits_at_every_number_of_ranks_and_threads),
        cmocka_unit_test(test_one_party),
        cmocka_unit_test(test_one_candidate),
        cmocka_unit_test(test_every_pair_is_evaluated_once),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
