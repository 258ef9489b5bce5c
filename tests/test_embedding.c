/* Kernel sums from random Fourier features: against the authors' numbers, closed forms and the
 * exact sums, as random numbers whose means and variances are known. Seeds are fixed. */
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

static const cgm_semivalue shapley_value = {CGM_SEMIVALUE_SHAPLEY, 1.0, 1.0};

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
    const int best = cgm_instruction_set_best();
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
    const int best = cgm_instruction_set_best();
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

/* ---- made-up embeddings ---- */

/* The sums of a case by embeddings of one seed, with noise. */
static void embed_with(cgm_comm *comm, test_case *data, int64_t frequencies, bool orthogonal,
                       double epsilon, uint64_t seed, cgm_embedding *embedding)
{
    cgm_kernel_sums_destroy(&data->sums);
    const cgm_embedding_options options = {frequencies, orthogonal, epsilon, 1e-6, seed};
    assert_all_ranks(comm, cgm_embedding_create(comm, &data->shard, data->kernel.type, &options,
                                                embedding) == CGM_OK);
    assert_all_ranks(comm,
                     cgm_embedding_measure(comm, &data->shard, &data->kernel, embedding) == CGM_OK);
    assert_all_ranks(comm, cgm_embedding_sums(comm, &data->shard, &data->candidates, &data->kernel,
                                              embedding, &data->sums) == CGM_OK);
}

static void embed(cgm_comm *comm, test_case *data, int64_t frequencies, bool orthogonal,
                  uint64_t seed, cgm_embedding *embedding)
{
    embed_with(comm, data, frequencies, orthogonal, (double)INFINITY, seed, embedding);
}

/* Means over seeds of numbers that are known, and of their squared differences. */
typedef struct sample {
    int64_t count;
    double *expected;
    double *sum;
    double *squares;
    double n;
} sample;

static sample sample_of(cgm_comm *comm, const double *expected, int64_t count)
{
    double *room = calloc((size_t)(3 * count), sizeof *room);
    assert_all_ranks(comm, room != NULL);
    memcpy(room, expected, (size_t)count * sizeof *room);
    return (sample){count, room, room + count, room + 2 * count, 0.0};
}

static void add_sample(sample *to, const double *values)
{
    for (int64_t k = 0; k < to->count; k++) {
        const double difference = values[k] - to->expected[k];
        to->sum[k] += difference;
        to->squares[k] += difference * difference;
    }
    to->n += 1.0;
}

/* No mean is more than 4.5 of its standard errors away from what is known; then frees it. */
static void check_sample(cgm_comm *comm, sample *of)
{
    double worst = 0.0;
    for (int64_t k = 0; k < of->count; k++) {
        const double mean = of->sum[k] / of->n;
        const double variance = of->squares[k] / of->n - mean * mean;
        worst = fmax(worst, fabs(mean) / sqrt(variance / (of->n - 1.0)));
    }
    free(of->expected);
    assert_all_ranks(comm, worst < 4.5);
}

/* ---- unbiased ---- */

enum { SEEDS = 200, FREQUENCIES = 48 };

/* S, v of all coalitions and φ, if they are known, over seeds. */
static void check_unbiased(cgm_comm *comm, test_case *data, const double *party_sums,
                           const double *coalitions, const double *phi)
{
    const int64_t n = data->shard.n_parties;
    sample of_sums = sample_of(comm, party_sums, n * n);
    sample of_values = sample_of(comm, coalitions, coalitions != NULL ? 1 << n : 0);
    sample of_phi = sample_of(comm, phi, phi != NULL ? n : 0);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        cgm_embedding embedding;
        cgm_values values;
        cgm_shapley shapley;
        embed(comm, data, FREQUENCIES, true, seed, &embedding);
        assert_all_ranks(comm, cgm_values_compute(comm, &data->sums, &values) == CGM_OK);
        assert_all_ranks(comm, cgm_shapley_compute(comm, &data->sums, &values, CGM_SHAPLEY_AUTO,
                                                   &shapley_value, 1e-12, &shapley) == CGM_OK);
        double *sums = case_party_sums(comm, &data->sums);
        double all[1 << 5] = {0.0};
        memcpy(all, values.coalitions != NULL ? values.coalitions : all,
               comm->rank == 0 ? sizeof all : 0);
        cgm_comm_broadcast(comm, all, sizeof all, 0);
        add_sample(&of_sums, sums);
        add_sample(&of_values, all);
        add_sample(&of_phi, shapley.phi);
        free(sums);
        cgm_shapley_destroy(&shapley);
        cgm_values_destroy(&values);
        cgm_embedding_destroy(&embedding);
    }
    of_values.expected[0] = of_values.count > 0 ? 0.0 : of_values.expected[0];
    if (of_values.count > 0) { /* v(∅) = 0 has no variance */
        assert_true(of_values.squares[0] == 0.0);
        of_values.squares[0] = 1.0;
    }
    check_sample(comm, &of_sums);
    check_sample(comm, &of_values);
    check_sample(comm, &of_phi);
}

static void test_unbiased(void **state)
{
    cgm_comm *comm = *state;
    test_case data;
    case_open(comm, "golden/tiny5.h5", "/output/lengthscale", NULL, &data);
    double *party_sums = case_read(comm, &data, "/output/blocks/S", NULL);
    double *values = case_read(comm, &data, "/output/v", NULL);
    double *phi = case_read(comm, &data, "/output/phi", NULL);
    check_unbiased(comm, &data, party_sums, values, phi);
    free(party_sums);
    free(values);
    free(phi);
    case_close(&data);
}

static void check_kernel(cgm_comm *comm, cgm_kernel_type type, const char *sums, const char *values)
{
    test_case data;
    case_open(comm, "golden/tiny5.h5", "/output/lengthscale", NULL, &data);
    data.kernel.type = type;
    data.kernel.lengthscale = 1.0;
    double *party_sums = case_read(comm, &data, sums, NULL);
    double *all = case_read(comm, &data, values, NULL);
    check_unbiased(comm, &data, party_sums, all, NULL);
    free(party_sums);
    free(all);
    case_close(&data);
}

static void test_kernels(void **state)
{
    check_kernel(*state, CGM_KERNEL_SE, "/output/kernels/se_ls1/S", "/output/kernels/se_ls1/v");
    check_kernel(*state, CGM_KERNEL_SE_SUM, "/output/kernels/se_sum_ls1/S",
                 "/output/kernels/se_sum_ls1/v");
    check_kernel(*state, CGM_KERNEL_RQ, "/output/kernels/rq_ls1/S", "/output/kernels/rq_ls1/v");
}

/* A lengthscale a feature, against the exact sums. */
static void test_lengthscale_by_feature(void **state)
{
    static const int64_t sizes[] = {40, 25, 33};
    static const double lengthscales[] = {0.3, 1.5, 0.8};
    cgm_comm *comm = *state;
    test_case data;
    case_make_sealed(comm, 3, sizes, 3, 60, 1.0, &data);
    data.kernel.feature_lengthscales = lengthscales;
    test_case exact;
    case_make(comm, 3, sizes, 3, 60, 1.0, &exact);
    exact.kernel.feature_lengthscales = lengthscales;
    case_sums(comm, &exact);
    double *party_sums = case_party_sums(comm, &exact.sums);
    check_unbiased(comm, &data, party_sums, NULL, NULL);
    free(party_sums);
    case_close(&exact);
    case_close(&data);
}

/* ---- how large errors are ---- */

/* Root mean square error over seeds of k of two points at distance 1, ℓ = 1, in 8 dimensions. */
static double error_of_kernel(cgm_comm *comm, int64_t frequencies, bool orthogonal)
{
    enum { TRIALS = 2000, DIMENSIONS = 8 };
    const double exact = exp(-0.5);
    double sum = 0.0;
    for (uint64_t seed = 0; seed < TRIALS; seed++) {
        cgm_frequencies drawn;
        assert_all_ranks(comm, cgm_frequencies_draw(comm, CGM_KERNEL_SE, DIMENSIONS, frequencies,
                                                    orthogonal, seed, &drawn) == CGM_OK);
        double estimate = 0.0;
        for (int64_t f = 0; f < frequencies; f++) {
            double phase = 0.0; /* along the diagonal */
            for (int64_t k = 0; k < DIMENSIONS; k++) {
                phase += drawn.base[f * DIMENSIONS + k] / sqrt((double)DIMENSIONS);
            }
            estimate += cos(phase) / (double)frequencies;
        }
        sum += (estimate - exact) * (estimate - exact) / TRIALS;
        cgm_frequencies_destroy(&drawn);
    }
    return sqrt(sum);
}

/* Var cos(ωᵀx) = (1 − k²)²/2. Of 2000 squared errors the mean's root is known to some 1.6 %; 4.5
 * times that is allowed. */
static void test_error_of_kernel(void **state)
{
    cgm_comm *comm = *state;
    const double one = (1.0 - exp(-1.0)) / sqrt(2.0);
    const double plain = error_of_kernel(comm, 20, false);
    const double orthogonal = error_of_kernel(comm, 20, true);
    const double fine = error_of_kernel(comm, 320, false);
    assert_all_ranks(comm, fabs(plain / (one / sqrt(20.0)) - 1.0) < 0.072);
    assert_all_ranks(comm, fabs(fine / (one / sqrt(320.0)) - 1.0) < 0.072);
    assert_all_ranks(comm, orthogonal < 0.65 * plain);
}

/* Error bars, squared, are what squared errors are on average: both over seeds. */
static void check_error_bars(cgm_comm *comm, bool orthogonal)
{
    enum { TRIALS = 100, BARS = 5 };
    static const int64_t sizes[] = {30, 50, 40};
    test_case data;
    case_make_sealed(comm, 3, sizes, 2, 80, 0.5, &data);
    test_case exact;
    case_make(comm, 3, sizes, 2, 80, 0.5, &exact);
    case_sums(comm, &exact);
    cgm_values known;
    cgm_shapley known_phi;
    assert_all_ranks(comm, cgm_values_compute(comm, &exact.sums, &known) == CGM_OK);
    assert_all_ranks(comm, cgm_shapley_compute(comm, &exact.sums, &known, CGM_SHAPLEY_AUTO,
                                               &shapley_value, 1e-12, &known_phi) == CGM_OK);
    double bars[BARS] = {0.0};
    double errors[BARS] = {0.0};
    for (uint64_t seed = 0; seed < TRIALS; seed++) {
        cgm_embedding of;
        cgm_values values;
        cgm_shapley shapley;
        embed(comm, &data, 64, orthogonal, seed, &of);
        assert_all_ranks(comm, cgm_values_compute(comm, &data.sums, &values) == CGM_OK);
        assert_all_ranks(comm, cgm_shapley_compute(comm, &data.sums, &values, CGM_SHAPLEY_AUTO,
                                                   &shapley_value, 1e-12, &shapley) == CGM_OK);
        assert_all_ranks(comm, cgm_embedding_errors(comm, &data.shard, &data.sums, &values,
                                                    &shapley, CGM_SHAPLEY_AUTO, &shapley_value,
                                                    1e-12, &of) == CGM_OK);
        for (int64_t i = 0; i < 3; i++) {
            const double found[BARS] = {of.single_error[i], of.ceiling_error[i], of.phi_error[i],
                                        of.grand_error, of.alpha_error[i]};
            const double missed[BARS] = {
                values.single[i] - known.single[i], values.ceiling[i] - known.ceiling[i],
                shapley.phi[i] - known_phi.phi[i], values.grand - known.grand,
                shapley.alpha[i] - known_phi.alpha[i]};
            for (int k = 0; k < BARS; k++) {
                bars[k] += found[k] * found[k];
                errors[k] += missed[k] * missed[k];
            }
        }
        cgm_shapley_destroy(&shapley);
        cgm_values_destroy(&values);
        cgm_embedding_destroy(&of);
    }
    /* 100 squared errors are known to 14 % of their mean, where they are of normal numbers and
     * parties' go together; errors of α are ratios. */
    for (int k = 0; k < BARS; k++) {
        assert_all_ranks(comm, bars[k] > 0.5 * errors[k] && bars[k] < 1.8 * errors[k]);
    }
    cgm_shapley_destroy(&known_phi);
    cgm_values_destroy(&known);
    case_close(&exact);
    case_close(&data);
}

static void test_error_bars(void **state)
{
    check_error_bars(*state, false);
    check_error_bars(*state, true);
}

/* ---- noise ---- */

/* As many frequencies as suit the noise. */
static void test_frequencies_under_noise(void **state)
{
    static const int64_t sizes[] = {1000, 5000, 800};
    cgm_comm *comm = *state;
    test_case data;
    case_make_sealed(comm, 3, sizes, 2, 80, 0.5, &data);
    cgm_embedding_options options = {0, true, (double)INFINITY, 1e-6, 1};
    assert_int_equal(cgm_embedding_frequencies(&data.shard, CGM_KERNEL_SE, &options), 4096);
    assert_true(cgm_embedding_sigma(CGM_KERNEL_SE, &options, 800) == 0.0);
    options.epsilon = 1.0;
    /* MATH.md §8: σ/Δ = 4.2246788893268 at (1, 1e-6), with Δ = 2/800 or 2√3/800. */
    const double sigma = 4.2246788893268 * 2.0 / 800.0;
    assert_close(comm, cgm_embedding_sigma(CGM_KERNEL_SE, &options, 800), sigma, 1e-9, 0.0);
    assert_close(comm, cgm_embedding_sigma(CGM_KERNEL_RQ, &options, 800), sqrt(3.0) * sigma, 1e-9,
                 0.0);
    assert_int_equal(cgm_embedding_frequencies(&data.shard, CGM_KERNEL_SE, &options),
                     (int64_t)floor(0.05 / (sigma * sigma)));
    options.epsilon = 0.01;
    assert_int_equal(cgm_embedding_frequencies(&data.shard, CGM_KERNEL_SE, &options), 64);
    options.n_frequencies = 5;
    assert_int_equal(cgm_embedding_frequencies(&data.shard, CGM_KERNEL_SE, &options), 5);
    case_close(&data);
}

/* Over releases of the same embeddings: sums are on average what they are without noise, and values
 * scatter as far as is foretold. No seed repeats the noise: limits are 6 standard errors, which one
 * run in 10^7 exceeds. */
static void check_noise(cgm_comm *comm, cgm_kernel_type type)
{
    enum { RELEASES = 250, N = 3 };
    static const int64_t sizes[] = {300, 200, 240};
    const double epsilon = 2.0;
    test_case data;
    cgm_embedding of;
    case_make_sealed(comm, N, sizes, 2, 100, 0.4, &data);
    data.kernel.type = type;
    embed(comm, &data, 32, true, 4, &of);
    double *clean = case_party_sums(comm, &data.sums);
    cgm_embedding_destroy(&of);
    double sums[N * N] = {0.0};
    double squares[N * N] = {0.0};
    double values[2][N] = {{0.0}};
    double foretold[N] = {0.0};
    for (int k = 0; k < RELEASES; k++) {
        cgm_values noisy;
        cgm_shapley shapley;
        embed_with(comm, &data, 32, true, epsilon, 4, &of);
        assert_all_ranks(comm, cgm_values_compute(comm, &data.sums, &noisy) == CGM_OK);
        assert_all_ranks(comm, cgm_shapley_compute(comm, &data.sums, &noisy, CGM_SHAPLEY_AUTO,
                                                   &shapley_value, 1e-12, &shapley) == CGM_OK);
        assert_all_ranks(comm, cgm_embedding_errors(comm, &data.shard, &data.sums, &noisy, &shapley,
                                                    CGM_SHAPLEY_AUTO, &shapley_value, 1e-12,
                                                    &of) == CGM_OK);
        double *all = case_party_sums(comm, &data.sums);
        for (int j = 0; j < N * N; j++) {
            const double difference = all[j] - clean[j];
            sums[j] += difference;
            squares[j] += difference * difference;
        }
        for (int i = 0; i < N; i++) {
            values[0][i] += noisy.single[i];
            values[1][i] += noisy.single[i] * noisy.single[i];
            foretold[i] += of.noise_error[i] * of.noise_error[i] / RELEASES;
        }
        free(all);
        cgm_shapley_destroy(&shapley);
        cgm_values_destroy(&noisy);
        cgm_embedding_destroy(&of);
    }
    for (int j = 0; j < N * N; j++) {
        const double mean = sums[j] / RELEASES;
        const double error = sqrt((squares[j] / RELEASES - mean * mean) / (RELEASES - 1.0));
        assert_all_ranks(comm, error > 0.0 && fabs(mean) < 6.0 * error);
    }
    for (int i = 0; i < N; i++) {
        const double mean = values[0][i] / RELEASES;
        const double variance = values[1][i] / RELEASES - mean * mean;
        /* Known to 9 % from 250 releases. */
        assert_all_ranks(comm, fabs(variance / foretold[i] - 1.0) < 6.0 * 0.09);
    }
    free(clean);
    case_close(&data);
}

static void test_noise(void **state)
{
    check_noise(*state, CGM_KERNEL_SE);
    check_noise(*state, CGM_KERNEL_SE_SUM);
}

/* ---- what does not depend on chance ---- */

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
    int64_t sizes[70];
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

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cosines),
        cmocka_unit_test(test_operations),
        cmocka_unit_test(test_frequencies),
        cmocka_unit_test(test_unbiased),
        cmocka_unit_test(test_kernels),
        cmocka_unit_test(test_lengthscale_by_feature),
        cmocka_unit_test(test_error_of_kernel),
        cmocka_unit_test(test_error_bars),
        cmocka_unit_test(test_frequencies_under_noise),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_own_sums),
        cmocka_unit_test(test_single_values),
        cmocka_unit_test(test_consistency),
        cmocka_unit_test(test_sealed_spread),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
