/* Kernel sums from random Fourier features are random numbers: their means against the authors'
 * numbers and the exact sums, their errors against closed forms and error bars. Seeds are fixed. */
// ranks: 1
// timeout: 120
// without: asan valgrind
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "cgm/embedding.h"
#include "cgm/tolerance.h"
#include "harness.h"

static const cgm_semivalue shapley_value = {CGM_SEMIVALUE_SHAPLEY, 1.0, 1.0};

/* ---- samples ---- */

static void embed(cgm_comm *comm, test_case *data, int64_t frequencies, bool orthogonal,
                  uint64_t seed, cgm_embedding *embedding)
{
    case_embed(comm, data, frequencies, orthogonal, (double)INFINITY, seed, embedding);
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
    if (count > 0) {
        memcpy(room, expected, (size_t)count * sizeof *room);
    }
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

/* Images, for which sums over the shards are exact. */
static void open_images(cgm_comm *comm, test_case *data, double **party_sums, cgm_values *values,
                        cgm_shapley *shapley)
{
    case_open(comm, "data/fashion_pca8_equaldisjoint_small.h5", "/", "expected_lengthscale", data);
    case_sums(comm, data);
    assert_all_ranks(comm, cgm_values_compute(comm, &data->sums, values) == CGM_OK);
    assert_all_ranks(comm, cgm_shapley_compute(comm, &data->sums, values, CGM_SHAPLEY_AUTO,
                                               &shapley_value, 1e-12, shapley) == CGM_OK);
    *party_sums = case_party_sums(comm, &data->sums);
}

static void test_images(void **state)
{
    cgm_comm *comm = *state;
    test_case data;
    double *party_sums;
    cgm_values values;
    cgm_shapley shapley;
    open_images(comm, &data, &party_sums, &values, &shapley);
    check_unbiased(comm, &data, party_sums, values.coalitions, shapley.phi);
    free(party_sums);
    cgm_shapley_destroy(&shapley);
    cgm_values_destroy(&values);
    case_close(&data);
}

/* ---- how large errors are ---- */

/* Root mean square error of the parties' values over seeds. */
static double error_of_values(cgm_comm *comm, test_case *data, int64_t frequencies, bool orthogonal,
                              int n_seeds, const double *single)
{
    const int64_t n = data->shard.n_parties;
    double sum = 0.0;
    for (int seed = 0; seed < n_seeds; seed++) {
        cgm_embedding embedding;
        cgm_values values;
        embed(comm, data, frequencies, orthogonal, (uint64_t)seed, &embedding);
        assert_all_ranks(comm, cgm_values_compute(comm, &data->sums, &values) == CGM_OK);
        for (int64_t i = 0; i < n; i++) {
            const double off = values.single[i] - single[i];
            sum += off * off / (double)(n * n_seeds);
        }
        cgm_values_destroy(&values);
        cgm_embedding_destroy(&embedding);
    }
    return sqrt(sum);
}

/* Of 16 times the frequencies errors are a quarter. The root of a mean of 100 squares, of parties
 * whose errors go together, is known to 7 %, so that of a ratio 4.5 times 10 % is allowed. */
static void test_error_of_values(void **state)
{
    enum { TRIALS = 100, FEW = 48, MANY = 768 };
    cgm_comm *comm = *state;
    test_case data;
    double *party_sums;
    cgm_values values;
    cgm_shapley shapley;
    open_images(comm, &data, &party_sums, &values, &shapley);
    for (int orthogonal = 0; orthogonal <= 1; orthogonal++) {
        const double few =
            error_of_values(comm, &data, FEW, orthogonal != 0, TRIALS, values.single);
        const double many =
            error_of_values(comm, &data, MANY, orthogonal != 0, TRIALS, values.single);
        assert_all_ranks(comm, fabs(log(few / many / 4.0)) < 0.45);
    }
    free(party_sums);
    cgm_shapley_destroy(&shapley);
    cgm_values_destroy(&values);
    case_close(&data);
}

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

/* Γ from some of the pool's blocks is right on average, and as far off as it says: 40 squared
 * errors of sums over 4 offsets are known to some 25 % of their mean. Of a small pool it is exact.
 */
static void test_pool(void **state)
{
    enum { TRIALS = 40 };
    static const int64_t sizes[] = {1, 1};
    cgm_comm *comm = *state;
    double sums[3] = {0.0}; /* of errors, of their squares, and of what they should be */
    for (int64_t g = 130; g <= 6500; g *= 50) {
        test_case data;
        test_case exact;
        case_make(comm, 2, sizes, 2, g, 0.1, &exact);
        case_sums(comm, &exact);
        case_make_sealed(comm, 2, sizes, 2, g, 0.1, &data);
        for (uint64_t seed = 0; seed < (g < 1000 ? 1 : TRIALS); seed++) {
            cgm_embedding embedding;
            embed(comm, &data, 1, true, seed, &embedding);
            const double off = embedding.pool_sum / exact.sums.candidate_sum - 1.0;
            const double bar = embedding.pool_sum_error / exact.sums.candidate_sum;
            assert_all_ranks(comm, g > 1000 || (fabs(off) < CGM_TEST_EMBEDDING && bar == 0.0));
            sums[0] += g < 1000 ? 0.0 : off;
            sums[1] += g < 1000 ? 0.0 : off * off;
            sums[2] += bar * bar;
            cgm_embedding_destroy(&embedding);
        }
        case_close(&data);
        case_close(&exact);
    }
    assert_all_ranks(comm, fabs(sums[0]) < 4.5 * sqrt(sums[1]));
    assert_all_ranks(comm, sums[1] > 0.4 * sums[2] && sums[1] < 2.5 * sums[2]);
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

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unbiased),
        cmocka_unit_test(test_kernels),
        cmocka_unit_test(test_lengthscale_by_feature),
        cmocka_unit_test(test_images),
        cmocka_unit_test(test_error_of_values),
        cmocka_unit_test(test_error_of_kernel),
        cmocka_unit_test(test_pool),
        cmocka_unit_test(test_error_bars),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
