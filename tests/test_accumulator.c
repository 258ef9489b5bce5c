/* The exact accumulator against 128-bit integers in units of 2^-64. */
#include "harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/accumulator.h"

typedef __int128 units;

enum { N_TERMS = 20000 };

/* Uniform on [0, 1) from a 64-bit linear congruential generator. */
static double next_uniform(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*state >> 11) * 0x1p-53;
}

/* Not cmocka's allocator: what a failing test leaves allocated there ends the whole program. */
static double *allocate_terms(void)
{
    double *terms = malloc(N_TERMS * sizeof *terms);
    assert_non_null(terms);
    return terms;
}

/* Both signs, sizes from 2^-80 to 2^40. */
static void fill_signed(double *terms, int64_t count, uint64_t seed)
{
    for (int64_t k = 0; k < count; k++) {
        double sign = next_uniform(&seed) < 0.5 ? -1 : 1;
        int exponent = (int)(next_uniform(&seed) * 120) - 80;
        terms[k] = sign * ldexp(0.5 + 0.5 * next_uniform(&seed), exponent);
    }
}

static units units_of(double term)
{
    return (units)rint(ldexp(term, 64));
}

static units units_of_all(const double *terms, int64_t count)
{
    units sum = 0;
    for (int64_t k = 0; k < count; k++) {
        sum += units_of(terms[k]);
    }
    return sum;
}

static units units_held(const cgm_accumulator *sum)
{
    return sum->limb[0] + sum->limb[1] * ((units)1 << 32) + sum->limb[2] * ((units)1 << 64);
}

static bool same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

/* The accumulator's value is the double nearest to expected, or a neighbour of it. */
static bool is_rounded(const cgm_accumulator *sum, units expected)
{
    double nearest = ldexp((double)expected, -64);
    double value = cgm_accumulator_value(sum);
    return value >= nextafter(nearest, -INFINITY) && value <= nextafter(nearest, INFINITY);
}

static cgm_accumulator sum_of(const double *terms, int64_t count)
{
    cgm_accumulator sum = {{0}};
    for (int64_t k = 0; k < count; k++) {
        cgm_accumulator_add(&sum, terms[k]);
    }
    return sum;
}

static void test_zero(void **state)
{
    (void)state;
    cgm_accumulator sum = {{0}};
    assert_true(same_bits(cgm_accumulator_value(&sum), 0.0));
    cgm_accumulator_add(&sum, 0.0);
    cgm_accumulator_add(&sum, -0.0);
    assert_true(same_bits(cgm_accumulator_value(&sum), 0.0));
}

static void test_one_term_is_kept(void **state)
{
    (void)state;
    const double terms[] = {1.0,     -1.0,       0.1,      -0.1,          1.0 / 3,
                            -1e-10,  1e-10,      -3e-13,   0x1p-64,       -0x1p-64,
                            0x1p-63, 123456.789, -98765.4, 0x1.8p61 + 2., -0x1.fffffffffffffp61};
    for (size_t k = 0; k < sizeof terms / sizeof terms[0]; k++) {
        cgm_accumulator sum = sum_of(&terms[k], 1);
        assert_true(units_held(&sum) == units_of(terms[k]));
        assert_true(is_rounded(&sum, units_of(terms[k])));
    }
}

static void test_positive_terms_are_exact(void **state)
{
    (void)state;
    double *terms = allocate_terms();
    uint64_t seed = 1;
    for (int64_t k = 0; k < N_TERMS; k++) {
        terms[k] = 250000 * next_uniform(&seed);
    }
    cgm_accumulator sum = sum_of(terms, N_TERMS);
    assert_true(units_held(&sum) == units_of_all(terms, N_TERMS));
    assert_true(is_rounded(&sum, units_of_all(terms, N_TERMS)));
    free(terms);
}

static void test_signed_terms_are_exact(void **state)
{
    (void)state;
    double *terms = allocate_terms();
    fill_signed(terms, N_TERMS, 2);
    cgm_accumulator sum = sum_of(terms, N_TERMS);
    assert_true(units_held(&sum) == units_of_all(terms, N_TERMS));
    assert_true(is_rounded(&sum, units_of_all(terms, N_TERMS)));
    free(terms);
}

/* Sums side by side hold what single ones do. */
static void test_sums_side_by_side(void **state)
{
    (void)state;
    enum { SUMS = 37, ROUNDS = 50 };
    int64_t high[SUMS + 1] = {0};
    int64_t low[SUMS + 1] = {0};
    cgm_accumulator single[SUMS] = {{{0}}};
    const cgm_accumulators sums = {high, low};
    uint64_t seed = 7;
    for (int round = 0; round < ROUNDS; round++) {
        double terms[SUMS];
        for (int k = 0; k < SUMS; k++) {
            terms[k] = ldexp(next_uniform(&seed), k % 3 == 0 ? 10 : -30 * (k % 3));
            terms[k] *= k % 2 == 0 ? 1.0 : cos((double)round);
            cgm_accumulator_add(&single[k], terms[k]);
        }
        cgm_accumulators_add(sums, 1, SUMS, terms);
    }
    assert_true(high[0] == 0 && low[0] == 0);
    for (int k = 0; k < SUMS; k++) {
        const double expected = cgm_accumulator_value(&single[k]);
        assert_true(same_bits(cgm_accumulators_value(sums, k + 1), expected));
    }
}

/* Terms of either sign, each to a sum of its own, as one by one; one of them cannot be held. */
static void test_each_to_its_own(void **state)
{
    (void)state;
    enum { SUMS = 50 };
    cgm_accumulator each[SUMS] = {{{0}}};
    cgm_accumulator single[SUMS] = {{{0}}};
    double *terms = allocate_terms();
    fill_signed(terms, N_TERMS, 11);
    for (int64_t k = 0; k < N_TERMS; k += SUMS) {
        cgm_accumulator_add_each(each, terms + k, SUMS);
        for (int64_t i = 0; i < SUMS; i++) {
            cgm_accumulator_add(&single[i], terms[k + i]);
        }
    }
    for (int64_t i = 0; i < SUMS; i++) {
        assert_true(cgm_accumulator_value(&each[i]) == cgm_accumulator_value(&single[i]));
    }
    terms[7] = -0x1p62;
    cgm_accumulator_add_each(each, terms, SUMS);
    cgm_accumulator_add_each(each, terms + SUMS, SUMS);
    assert_true(isnan(cgm_accumulator_value(&each[7])));
    assert_true(isfinite(cgm_accumulator_value(&each[6])));
    free(terms);
}

static void test_threads_add_to_one_sum(void **state)
{
    (void)state;
    double *terms = allocate_terms();
    fill_signed(terms, N_TERMS, 3);
    cgm_accumulator sum = {{0}};
#pragma omp parallel for num_threads(4)
    for (int64_t k = 0; k < N_TERMS; k++) {
        cgm_accumulator_add_shared(&sum, terms[k]);
    }
    assert_true(units_held(&sum) == units_of_all(terms, N_TERMS));
    cgm_accumulator_add_shared(&sum, NAN);
    cgm_accumulator_add_shared(&sum, 1.0);
    assert_true(isnan(cgm_accumulator_value(&sum)));
    free(terms);
}

static void test_order_does_not_matter(void **state)
{
    (void)state;
    double *terms = allocate_terms();
    fill_signed(terms, N_TERMS, 3);
    cgm_accumulator first = sum_of(terms, N_TERMS);
    uint64_t seed = 4;
    for (int round = 0; round < 5; round++) {
        for (int64_t k = N_TERMS - 1; k > 0; k--) {
            int64_t other = (int64_t)(next_uniform(&seed) * (double)(k + 1));
            double kept = terms[k];
            terms[k] = terms[other];
            terms[other] = kept;
        }
        cgm_accumulator sum = sum_of(terms, N_TERMS);
        assert_true(same_bits(cgm_accumulator_value(&sum), cgm_accumulator_value(&first)));
    }
    free(terms);
}

static void test_tiny_terms_round_to_the_unit(void **state)
{
    (void)state;
    const double below_half[] = {0x1p-66, -0x1p-66, 1e-300, -1e-300, 0x1p-1074, -0x1p-1074};
    cgm_accumulator sum = sum_of(below_half, 6);
    assert_true(units_held(&sum) == 0);
    const double above_half[] = {0x1.8p-65, -0x1.8p-65, 0x1.8p-65};
    sum = sum_of(above_half, 3);
    assert_true(units_held(&sum) == 1);
    assert_true(same_bits(cgm_accumulator_value(&sum), 0x1p-64));
}

static void test_small_rest_of_large_terms(void **state)
{
    (void)state;
    const double terms[] = {0x1p61, 3e-7, 0x1p60, -0x1p61, -1e-6, -0x1p60};
    cgm_accumulator sum = sum_of(terms, 6);
    assert_true(units_held(&sum) == units_of(3e-7) + units_of(-1e-6));
    assert_true(is_rounded(&sum, units_of(3e-7) + units_of(-1e-6)));
}

static void test_many_terms_do_not_overflow(void **state)
{
    (void)state;
    const int64_t count = 3000000;
    const double term = 1 - 0x1p-53;
    cgm_accumulator sum = {{0}};
    for (int64_t k = 0; k < count; k++) {
        cgm_accumulator_add(&sum, term);
    }
    assert_true(units_held(&sum) == count * units_of(term));
    assert_true(is_rounded(&sum, count * units_of(term)));
}

static void test_what_cannot_be_held_is_nan_for_good(void **state)
{
    (void)state;
    const double bad[] = {NAN, INFINITY, -INFINITY, 0x1p62, -0x1p62, 1e300};
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        const double terms[] = {1.5, bad[k], 2.5, -bad[k], 1e18, 1e18, 1e18};
        cgm_accumulator sum = sum_of(terms, 7);
        assert_true(isnan(cgm_accumulator_value(&sum)));
        cgm_accumulator sound = sum_of(terms, 1);
        cgm_accumulator_merge(&sound, &sum);
        assert_true(isnan(cgm_accumulator_value(&sound)));
        cgm_accumulator_merge(&sum, &sum);
        assert_true(isnan(cgm_accumulator_value(&sum)));
    }
}

static void test_merge_is_exact(void **state)
{
    (void)state;
    double *terms = allocate_terms();
    fill_signed(terms, N_TERMS, 5);
    units expected = units_of_all(terms, N_TERMS);
    cgm_accumulator whole = {{0}};
    for (int64_t first = 0; first < N_TERMS; first += 777) {
        int64_t count = N_TERMS - first < 777 ? N_TERMS - first : 777;
        cgm_accumulator part = sum_of(terms + first, count);
        cgm_accumulator_merge(&whole, &part);
    }
    assert_true(units_held(&whole) == expected);
    cgm_accumulator_merge(&whole, &whole);
    assert_true(units_held(&whole) == 2 * expected);
    free(terms);
}

static void test_reduce_equals_one_rank(void **state)
{
    cgm_comm *comm = *state;
    enum { N_SUMS = 5 };
    double *terms = allocate_terms();
    cgm_accumulator sums[N_SUMS] = {{{0}}};
    double values[N_SUMS];
    bool exact = true;
    for (int i = 0; i < N_SUMS; i++) {
        fill_signed(terms, N_TERMS, 10 + (uint64_t)i);
        for (int64_t k = comm->rank; k < N_TERMS; k += comm->size) {
            cgm_accumulator_add(&sums[i], terms[k]);
        }
    }
    cgm_accumulator_reduce(comm, sums, N_SUMS);
    for (int i = 0; i < N_SUMS; i++) {
        fill_signed(terms, N_TERMS, 10 + (uint64_t)i);
        cgm_accumulator alone = sum_of(terms, N_TERMS);
        values[i] = cgm_accumulator_value(&sums[i]);
        exact = exact && units_held(&sums[i]) == units_of_all(terms, N_TERMS) &&
                same_bits(values[i], cgm_accumulator_value(&alone));
    }
    assert_all_ranks(comm, exact);
    assert_same_on_all_ranks(comm, values, sizeof values);
    free(terms);
}

static void test_reduce_keeps_nan_of_any_rank(void **state)
{
    cgm_comm *comm = *state;
    cgm_accumulator sums[4] = {{{0}}};
    for (int i = 0; i < 4; i++) {
        cgm_accumulator_add(&sums[i], -1.25);
    }
    if (comm->rank == comm->size - 1) {
        cgm_accumulator_add(&sums[1], NAN);
    }
    cgm_accumulator_add(&sums[2], INFINITY);
    cgm_accumulator_reduce(comm, sums, 4);
    assert_all_ranks(comm, isnan(cgm_accumulator_value(&sums[1])));
    assert_all_ranks(comm, isnan(cgm_accumulator_value(&sums[2])));
    assert_all_ranks(comm, same_bits(cgm_accumulator_value(&sums[0]), -1.25 * comm->size));
    assert_all_ranks(comm, same_bits(cgm_accumulator_value(&sums[3]), -1.25 * comm->size));
    cgm_accumulator_reduce(comm, sums, 0);
    assert_all_ranks(comm, isnan(cgm_accumulator_value(&sums[1])));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zero),
        cmocka_unit_test(test_one_term_is_kept),
        cmocka_unit_test(test_positive_terms_are_exact),
        cmocka_unit_test(test_signed_terms_are_exact),
        cmocka_unit_test(test_sums_side_by_side),
        cmocka_unit_test(test_threads_add_to_one_sum),
        cmocka_unit_test(test_order_does_not_matter),
        cmocka_unit_test(test_tiny_terms_round_to_the_unit),
        cmocka_unit_test(test_small_rest_of_large_terms),
        cmocka_unit_test(test_many_terms_do_not_overflow),
        cmocka_unit_test(test_what_cannot_be_held_is_nan_for_good),
        cmocka_unit_test(test_each_to_its_own),
        cmocka_unit_test(test_merge_is_exact),
        cmocka_unit_test(test_reduce_equals_one_rank),
        cmocka_unit_test(test_reduce_keeps_nan_of_any_rank),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
