/* Random Fourier features: cosines, frequencies, and what ranks make of them together. */
// ranks: 1 2 3 5
// timeout: 120
// without: valgrind
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../src/embedding_operations.h"
#include "cases.h"
#include "cgm/embedding.h"
#include "cgm/tolerance.h"
#include "harness.h"

/* ---- cosines and sines ---- */

enum { ROWS = 3, COLUMNS = 256 };

static const embedding_operations *const sets[CGM_INSTRUCTION_SETS] = {&embedding_portable,
#ifdef __x86_64__
                                                                       &embedding_avx2,
                                                                       &embedding_avx512
#endif
};

static void test_cosines(void **state)
{
    cgm_comm *comm = *state;
    static double phases[COLUMNS];
    static double results[CGM_INSTRUCTION_SETS][2][COLUMNS];
    const int best = (int)cgm_instruction_set_best();
    double worst = 0.0;
    for (double size = 1e-3; size < EMBEDDING_PHASE; size *= 3.7) {
        for (int64_t k = 0; k < COLUMNS; k++) {
            phases[k] = size * (2.0 * (double)k / (COLUMNS - 1.0) - 1.0) + 1e-3 * size;
        }
        phases[0] = 0.0;
        memset(results, 0, sizeof results);
        for (int set = 0; set <= best; set++) {
            sets[set]->sums(1, COLUMNS, phases, results[set][0], results[set][1]);
            assert_memory_equal(results[set], results[0], sizeof results[0]);
        }
        for (int64_t k = 0; k < COLUMNS; k++) {
            worst = fmax(worst, fabs(results[0][0][k] - cos(phases[k])));
            worst = fmax(worst, fabs(results[0][1][k] - sin(phases[k])));
        }
    }
    assert_all_ranks(comm, worst < CGM_TEST_COSINE);
}

/* Sums, derivatives and products of some rows, and those for phases of any size beside them. */
static void test_operations(void **state)
{
    cgm_comm *comm = *state;
    static double phases[ROWS * COLUMNS];
    static double weights[2][COLUMNS];
    const int best = (int)cgm_instruction_set_best();
    for (int64_t k = 0; k < ROWS * COLUMNS; k++) {
        phases[k] = 0.01 * (double)(k * k % 7919) - 30.0;
        weights[k % 2][k % COLUMNS] = 1.0 / (1.0 + (double)(k % 17));
    }
    double expected[ROWS] = {0.0};
    embedding_slow.products(ROWS, COLUMNS, phases, weights[0], weights[1], expected);
    for (int set = 0; set <= best; set++) {
        double products[ROWS] = {0.0};
        double sums[2][2][COLUMNS] = {{{0.0}}};
        sets[set]->products(ROWS, COLUMNS, phases, weights[0], weights[1], products);
        assert_close_array(comm, products, expected, ROWS, CGM_TEST_EMBEDDING, CGM_TEST_EMBEDDING);
        for (int k = 0; k < 2; k++) {
            const embedding_operations *by = k == 0 ? sets[set] : &embedding_slow;
            by->sums(ROWS, COLUMNS, phases, sums[k][0], sums[k][1]);
        }
        assert_close_array(comm, sums[0][0], sums[1][0], 2 * COLUMNS, 0.0, CGM_TEST_EMBEDDING);
        memset(sums, 0, sizeof sums);
        for (int k = 0; k < 2; k++) {
            const embedding_operations *by = k == 0 ? sets[set] : &embedding_slow;
            by->slopes(ROWS, COLUMNS, phases, sums[k][0], sums[k][1]);
        }
        assert_close_array(comm, sums[0][0], sums[1][0], 2 * COLUMNS, CGM_TEST_EMBEDDING,
                           CGM_TEST_EMBEDDING);
    }
}

/* ---- frequencies ---- */

/* Moments of normal frequencies, the first of each orthogonal block like any other; and how far the
 * rows of a block are from being at right angles. */
static void check_normal(cgm_comm *comm, bool orthogonal)
{
    const int64_t count = 12000;
    const int64_t d = 5;
    cgm_frequencies drawn;
    assert_all_ranks(comm, cgm_frequencies_draw(comm, CGM_KERNEL_SE, d, count, orthogonal, 11,
                                                &drawn) == CGM_OK);
    assert_same_on_all_ranks(comm, drawn.base, (size_t)(count * d) * sizeof(double));
    double mean = 0.0;
    double square = 0.0;
    double fourth = 0.0;
    double angle = 0.0;
    const double n = (double)(count * d);
    for (int64_t k = 0; k < count * d; k++) {
        const double x = drawn.base[k];
        mean += x / n;
        square += x * x / n;
        fourth += x * x * x * x / n;
    }
    for (int64_t f = 0; f + 1 < count; f += d) {
        double product = 0.0;
        for (int64_t k = 0; k < d; k++) {
            product += drawn.base[f * d + k] * drawn.base[(f + 1) * d + k];
        }
        angle = fmax(angle, fabs(product));
    }
    cgm_frequencies_destroy(&drawn);
    /* Variances of the moments of n normal numbers: 1, 2, 96 over n; 4.5 of their roots. */
    assert_all_ranks(comm, fabs(mean) < 4.5 * sqrt(1.0 / n));
    assert_all_ranks(comm, fabs(square - 1.0) < 4.5 * sqrt(2.0 / n));
    assert_all_ranks(comm, fabs(fourth - 3.0) < 4.5 * sqrt(96.0 / n));
    assert_all_ranks(comm, orthogonal == (angle < 1e-12));
}

static void test_frequencies(void **state)
{
    check_normal(*state, false);
    check_normal(*state, true);
}

static void embed(cgm_comm *comm, test_case *data, int64_t frequencies, bool orthogonal,
                  uint64_t seed, cgm_embedding *embedding)
{
    case_embed(comm, data, frequencies, orthogonal, (double)INFINITY, seed, embedding);
}

/* ---- sums ---- */

/* The sums that rewards start from are the kernel sums', to the last bit; several segments. */
static void test_own_sums(void **state)
{
    static const int64_t sizes[] = {700, 3, 1100};
    cgm_comm *comm = *state;
    test_case data;
    case_make_sealed(comm, 3, sizes, 2, 50, 0.4, &data);
    test_case exact;
    case_make(comm, 3, sizes, 2, 50, 0.4, &exact);
    case_sums(comm, &exact);
    assert_all_ranks(comm,
                     cgm_embedding_own_sums(comm, &data.shard, &data.kernel, &data.sums) == CGM_OK);
    assert_all_ranks(comm,
                     memcmp(data.sums.start_sums, exact.sums.own_sums, 3 * sizeof(double)) == 0);
    case_close(&exact);
    case_close(&data);
}

/* Values in search of the lengthscale are those of the sums, and slopes those of differences. */
static void check_single_values(cgm_comm *comm, cgm_kernel_type type)
{
    static const int64_t sizes[] = {600, 40};
    const double step = 1e-4;
    test_case data;
    cgm_embedding embedding;
    cgm_values known;
    case_make_sealed(comm, 2, sizes, 3, 90, 0.7, &data);
    data.kernel.type = type;
    embed(comm, &data, 40, true, 3, &embedding);
    assert_all_ranks(comm, cgm_values_compute(comm, &data.sums, &known) == CGM_OK);
    double values[2][2];
    double slopes[2];
    for (int side = 0; side < 2; side++) {
        cgm_kernel kernel = data.kernel;
        kernel.lengthscale *= exp(side == 0 ? -step : step);
        assert_all_ranks(comm, cgm_embedding_single_values(comm, &data.shard, &data.candidates,
                                                           &kernel, &embedding.frequencies,
                                                           values[side], NULL) == CGM_OK);
    }
    const double differences[2] = {0.5 * (values[1][0] - values[0][0]) / step,
                                   0.5 * (values[1][1] - values[0][1]) / step};
    assert_all_ranks(comm, cgm_embedding_single_values(comm, &data.shard, &data.candidates,
                                                       &data.kernel, &embedding.frequencies,
                                                       values[0], slopes) == CGM_OK);
    assert_close_array(comm, values[0], known.single, 2, CGM_TEST_EMBEDDING, CGM_TEST_EMBEDDING);
    assert_close_array(comm, slopes, differences, 2, 0.0, 100.0 * step * step);
    cgm_values_destroy(&known);
    cgm_embedding_destroy(&embedding);
    case_close(&data);
}

static void test_single_values(void **state)
{
    check_single_values(*state, CGM_KERNEL_SE);
    check_single_values(*state, CGM_KERNEL_SE_SUM);
    check_single_values(*state, CGM_KERNEL_RQ);
}

/* S is symmetric to the last bit, also across panels; t is what its row and X add up to; u is what
 * they say of candidates. Phases far beyond what is fast. */
static void check_consistency(cgm_comm *comm, int64_t n, double lengthscale)
{
    int64_t sizes[70] = {0};
    for (int64_t i = 0; i < n; i++) {
        sizes[i] = 2 + i % 3;
    }
    test_case data;
    cgm_embedding embedding;
    case_make_sealed(comm, n, sizes, 2, 130, lengthscale, &data);
    embed(comm, &data, 50, true, 9, &embedding);
    double *all = case_party_sums(comm, &data.sums);
    double rows = 0.0;
    double candidates = 0.0;
    for (int64_t i = 0; i < n; i++) {
        double row = data.sums.party_candidate_sums[i];
        for (int64_t j = 0; j < n; j++) {
            assert_true(all[i * n + j] == all[j * n + i]);
            row += all[i * n + j];
        }
        rows = fmax(rows, fabs(row - data.sums.reference_sums[i]));
        candidates += data.sums.party_candidate_sums[i];
    }
    double total = 0.0;
    for (int64_t c = 0; c < 130; c++) {
        total += data.sums.candidate_sums[c - data.sums.held_first];
    }
    assert_all_ranks(comm, rows < CGM_TEST_EMBEDDING * (double)data.sums.n_reference);
    assert_close(comm, total, candidates + data.sums.candidate_sum, CGM_TEST_EMBEDDING,
                 CGM_TEST_EMBEDDING);
    free(all);
    cgm_embedding_destroy(&embedding);
    case_close(&data);
}

static void test_consistency(void **state)
{
    check_consistency(*state, 70, 0.5);
    check_consistency(*state, 5, 1e-9);
}

/* Where features lie is found without any coordinate, up to what may not be told. */
static void test_sealed_spread(void **state)
{
    static const int64_t sizes[] = {90, 31, 60};
    cgm_comm *comm = *state;
    test_case sealed;
    test_case open;
    case_make_sealed(comm, 3, sizes, 3, 40, 1.0, &sealed);
    case_make(comm, 3, sizes, 3, 40, 1.0, &open);
    assert_close_array(comm, sealed.spread.mean, open.spread.mean, 3, CGM_TEST_EMBEDDING, 0.0);
    assert_close_array(comm, sealed.spread.deviation, open.spread.deviation, 3, CGM_TEST_EMBEDDING,
                       0.0);
    assert_close(comm, sealed.spread.overall, open.spread.overall, CGM_TEST_EMBEDDING, 0.0);
    assert_memory_equal(sealed.spread.pool_centre, open.spread.pool_centre, 3 * sizeof(double));
    for (int f = 0; f < 3; f++) {
        int exponent;
        assert_true(frexp(sealed.spread.range[f], &exponent) == 0.5);
    }
    case_close(&sealed);
    case_close(&open);
}

/* All ranks together have what each of them computes alone, to the last bit. */
static void check_same_bits(cgm_comm *comm, cgm_kernel_type type)
{
    static const int64_t sizes[] = {700, 3, 530, 40};
    const size_t g = 1100;
    test_case data;
    test_case alone;
    cgm_embedding embedding;
    cgm_comm solo;
    case_make_sealed(comm, 4, sizes, 3, (int64_t)g, 0.6, &data);
    data.kernel.type = type;
    embed(comm, &data, 300, true, 7, &embedding);
    double *together = case_party_sums(comm, &data.sums);
    cgm_embedding_destroy(&embedding);
    cgm_comm_split(comm, comm->rank, &solo);
    case_make_sealed(&solo, 4, sizes, 3, (int64_t)g, 0.6, &alone);
    alone.kernel.type = type;
    embed(&solo, &alone, 300, true, 7, &embedding);
    cgm_embedding_destroy(&embedding);
    const cgm_kernel_sums *a = &data.sums;
    const cgm_kernel_sums *b = &alone.sums;
    const bool same = memcmp(together, b->party_sums, 16 * sizeof(double)) == 0 &&
                      memcmp(a->reference_sums, b->reference_sums, 4 * sizeof(double)) == 0 &&
                      memcmp(a->candidate_sums, b->candidate_sums, g * sizeof(double)) == 0 &&
                      a->candidate_sum == b->candidate_sum;
    case_close(&alone);
    cgm_comm_join(comm, &solo);
    assert_all_ranks(comm, same);
    free(together);
    case_close(&data);
}

static void test_same_bits(void **state)
{
    check_same_bits(*state, CGM_KERNEL_SE);
    check_same_bits(*state, CGM_KERNEL_RQ);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cosines),       cmocka_unit_test(test_operations),
        cmocka_unit_test(test_frequencies),   cmocka_unit_test(test_own_sums),
        cmocka_unit_test(test_single_values), cmocka_unit_test(test_consistency),
        cmocka_unit_test(test_same_bits),     cmocka_unit_test(test_sealed_spread),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
