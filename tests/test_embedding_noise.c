/* Noise in embeddings: how much there is, and what becomes of sums and values. */
// ranks: 1
// timeout: 120
// without: asan valgrind
#include <math.h>
#include <stdlib.h>

#include "cases.h"
#include "cgm/embedding.h"
#include "cgm/tolerance.h"
#include "harness.h"

static const cgm_semivalue shapley_value = {CGM_SEMIVALUE_SHAPLEY, 1.0, 1.0};

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
    case_embed(comm, &data, 32, true, (double)INFINITY, 4, &of);
    double *clean = case_party_sums(comm, &data.sums);
    cgm_embedding_destroy(&of);
    double sums[N * N] = {0.0};
    double squares[N * N] = {0.0};
    double values[2][N] = {{0.0}};
    double foretold[N] = {0.0};
    for (int k = 0; k < RELEASES; k++) {
        cgm_values noisy;
        cgm_shapley shapley;
        case_embed(comm, &data, 32, true, epsilon, 4, &of);
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

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frequencies_under_noise),
        cmocka_unit_test(test_noise),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
