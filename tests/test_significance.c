/* The kernel two-sample test: its distribution against closed forms, its spectrum against LAPACK's
 * of a matrix made by plain loops, its size and power on draws, and the p-values of whole runs. */
// ranks: 1 2 4 5
// without: asan valgrind
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/weighted_squares.h"
#include "cgm/rng.h"
#include "cgm/significance.h"
#include "cgm/tolerance.h"
#include "party_run.h"
#include "samples.h"

/* ---- the distribution ---- */

static bool is_tail(int64_t n, const double *weights, double x, double expected)
{
    const double found = weighted_squares_tail(n, weights, x);
    if (fabs(found - expected) <= CGM_TEST_TAIL * expected) {
        return true;
    }
    print_message("%d weights at %g: %.17g, expected %.17g\n", (int)n, x, found, expected);
    return false;
}

static const double places[] = {1e-9, 1e-4, 0.03, 0.4, 0.9, 1.0, 1.0001, 1.2, 2.0, 7.0, 60.0};
enum { N_PLACES = sizeof places / sizeof places[0] };

/* Equal weights: chi-square, of one degree of freedom erfc(√(x/2)), of 2k a sum of k terms. */
static void test_equal_weights(void **state)
{
    cgm_comm *comm = *state;
    bool good = true;
    const double scales[] = {1.0, 1e-7};
    for (int s = 0; s < 2; s++) {
        double weights[1000];
        for (int k = 0; k < 1000; k++) {
            weights[k] = scales[s];
        }
        for (int p = 0; p < N_PLACES; p++) {
            const double x = places[p];
            good = is_tail(1, weights, x * scales[s], erfc(sqrt(0.5 * x))) && good;
            for (int pairs = 1; pairs <= 500; pairs = 3 * pairs + (pairs > 100)) {
                const double half = 0.5 * x * 2.0 * pairs;
                double term = exp(-half);
                double expected = 0.0;
                for (int j = 0; j < pairs; j++) {
                    expected += term;
                    term *= half / (j + 1);
                }
                /* The sum is no oracle where its first term vanishes. */
                if (half < 600.0) {
                    good = is_tail(2 * pairs, weights, 2.0 * half * scales[s], expected) && good;
                }
            }
        }
    }
    assert_all_ranks(comm, good);
}

/* Pairs of equal weights: a sum of exponentials. */
static void test_pairs_of_weights(void **state)
{
    cgm_comm *comm = *state;
    enum { PAIRS = 4 };
    const double distinct[PAIRS] = {1.0, 0.3, 0.05, 1e-6};
    double weights[2 * PAIRS + 1] = {0.0};
    for (int k = 0; k < 2 * PAIRS; k++) {
        weights[k] = distinct[k / 2];
    }
    bool good = true;
    for (int p = 0; p < N_PLACES; p++) {
        double expected = 0.0;
        for (int a = 0; a < PAIRS; a++) {
            double factor = 1.0;
            for (int b = 0; b < PAIRS; b++) {
                factor *= b == a ? 1.0 : distinct[a] / (distinct[a] - distinct[b]);
            }
            expected += factor * exp(-0.5 * places[p] / distinct[a]);
        }
        /* A weight of 0 changes nothing. */
        good = is_tail(2 * PAIRS + 1, weights, places[p], expected) && good;
    }
    assert_all_ranks(comm, good);
}

static void test_p_values_at_the_edges(void **state)
{
    cgm_comm *comm = *state;
    const double weights[] = {1.0, 0.5};
    const double none[] = {0.0, 0.0};
    assert_all_ranks(comm, cgm_significance_p_value(2, weights, 0.0) == 1.0);
    assert_all_ranks(comm, isnan(cgm_significance_p_value(2, weights, NAN)));
    assert_all_ranks(comm, cgm_significance_p_value(2, none, 0.0) == 1.0);
    assert_all_ranks(comm, cgm_significance_p_value(2, none, 1.0) == 0.0);
    assert_all_ranks(comm, cgm_significance_p_value(2, weights, 1e5) == 0.0);
    assert_all_ranks(comm, cgm_significance_p_value(1, weights, 4.0) == 0.0455003);
    assert_all_ranks(comm, isnan(cgm_significance_statistic(25.0, 5, 5, 0.5)));
    assert_all_ranks(comm, cgm_significance_statistic(25.0, 5, 2, 1.0 - 1e-15) == 0.0);
    assert_close(comm, cgm_significance_statistic(25.0, 5, 2, 0.7), 0.3 * 10.0 / 3.0, CGM_TEST_TAIL,
                 0.0);
}

/* ---- points, their matrix and their statistic by plain loops ---- */

/* exp(−½ |x − y|²/ℓ²) over all pairs; the caller frees it. */
static double *plain_kernels(const double *points, int64_t n, int64_t d, double lengthscale)
{
    double *kernels = malloc((size_t)(n * n) * sizeof *kernels);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j <= i; j++) {
            double squared = 0.0;
            for (int64_t f = 0; f < d; f++) {
                const double off = points[i * d + f] - points[j * d + f];
                squared += off * off;
            }
            const double k = exp(-0.5 * squared / (lengthscale * lengthscale));
            kernels[i * n + j] = k;
            kernels[j * n + i] = k;
        }
    }
    return kernels;
}

/* Eigenvalues of (I − 11ᵀ/n) K (I − 11ᵀ/n)/n by LAPACK on rank 0, descending, not below 0. kernels
 * is lost. */
static void plain_spectrum(cgm_comm *comm, int64_t n, double *kernels, double *values)
{
    double *means = calloc((size_t)n, sizeof *means);
    double *ascending = malloc((size_t)n * sizeof *ascending);
    double grand = 0.0;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < n; j++) {
            means[i] += kernels[i * n + j] / (double)n;
        }
        grand += means[i] / (double)n;
    }
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < n; j++) {
            kernels[i * n + j] = (kernels[i * n + j] - means[i] - means[j] + grand) / (double)n;
        }
    }
    assert_all_ranks(comm,
                     comm->rank != 0 || cgm_dense_eigen(comm, n, kernels, ascending) == CGM_OK);
    cgm_comm_broadcast(comm, ascending, (size_t)n * sizeof *ascending, 0);
    for (int64_t k = 0; k < n; k++) {
        values[k] = fmax(ascending[n - 1 - k], 0.0);
    }
    free(means);
    free(ascending);
}

/* m(n − m)/n times the biased MMD² of the points that are in against the others. */
static double plain_statistic(const double *kernels, int64_t n, const bool *in)
{
    double sums[2][2] = {{0.0}};
    double counts[2] = {0.0};
    for (int64_t i = 0; i < n; i++) {
        counts[in[i]] += 1.0;
        for (int64_t j = 0; j < n; j++) {
            sums[in[i]][in[j]] += kernels[i * n + j];
        }
    }
    const double a = counts[0];
    const double b = counts[1];
    const double mmd2 = sums[0][0] / (a * a) + sums[1][1] / (b * b) - 2.0 * sums[0][1] / (a * b);
    return a * b / (a + b) * mmd2;
}

/* Normal points, the first n_shifted of them further right. */
static void draw_points(uint64_t stream, int64_t n, int64_t d, int64_t n_shifted, double by,
                        double *points)
{
    const cgm_rng rng = {11, stream, CGM_RNG_SIMULATE};
    for (int64_t k = 0; k < n * d; k += 2) {
        uint64_t words[4];
        double pair[2];
        cgm_rng_words(&rng, (uint64_t)k, 0, 0, words);
        cgm_rng_normal(words, pair);
        memcpy(points + k, pair, sizeof pair);
    }
    for (int64_t i = 0; i < n_shifted; i++) {
        points[i * d] += by;
    }
}

static const double origin[4];

static cgm_kernel kernel_of(int64_t d, double lengthscale)
{
    return (cgm_kernel){.type = CGM_KERNEL_SE,
                        .n_features = d,
                        .lengthscale = lengthscale,
                        .centre = origin,
                        .instruction_set = cgm_instruction_set_best()};
}

/* ---- spectrum, size and power ---- */

static void check_spectrum(cgm_comm *comm, int64_t n, double lengthscale)
{
    enum { MOST = 300, FEATURES = 4 };
    static const cgm_eigensolver solvers[] = {CGM_EIGEN_LAPACK, CGM_EIGEN_SCALAPACK};
    double points[MOST * FEATURES];
    double expected[MOST];
    double values[MOST];
    draw_points(1, n, FEATURES, 0, 0.0, points);
    double *kernels = plain_kernels(points, n, FEATURES, lengthscale);
    plain_spectrum(comm, n, kernels, expected);
    free(kernels);
    const cgm_kernel kernel = kernel_of(FEATURES, lengthscale);
    for (int s = 0; s < 2; s++) {
        assert_all_ranks(comm, cgm_significance_spectrum(comm, &kernel, n, points, solvers[s],
                                                         values) == CGM_OK);
        assert_close_array(comm, values, expected, n, 0.0, CGM_TEST_EIGEN);
        assert_same_on_all_ranks(comm, values, (size_t)n * sizeof *values);
    }
}

static void test_spectrum(void **state)
{
    check_spectrum(*state, 2, 1.0);
    check_spectrum(*state, 65, 0.1);
    check_spectrum(*state, 300, 1.5);
}

/* Points that are all the same have no spectrum, and nothing differs from them by chance. */
static void test_equal_points(void **state)
{
    cgm_comm *comm = *state;
    double points[2 * 100];
    double values[100];
    for (int k = 0; k < 200; k++) {
        points[k] = 0.3;
    }
    const cgm_kernel kernel = kernel_of(2, 1.0);
    assert_all_ranks(comm, cgm_significance_spectrum(comm, &kernel, 100, points, CGM_EIGEN_AUTO,
                                                     values) == CGM_OK);
    for (int k = 0; k < 100; k++) {
        assert_all_ranks(comm, values[k] == 0.0);
    }
}

/* The p-value of N_PART of N_DRAWN points, whose spectrum comes from all of them. */
enum { N_DRAWN = 240, N_PART = 50 };

static double p_value_of_draw(cgm_comm *alone, uint64_t stream, double shift)
{
    double points[2 * N_DRAWN];
    double values[N_DRAWN];
    bool in[N_DRAWN] = {false};
    draw_points(stream, N_DRAWN, 2, N_PART, shift, points);
    const cgm_kernel kernel = kernel_of(2, 1.0);
    if (cgm_significance_spectrum(alone, &kernel, N_DRAWN, points, CGM_EIGEN_LAPACK, values) !=
        CGM_OK) {
        return NAN;
    }
    double *kernels = plain_kernels(points, N_DRAWN, 2, 1.0);
    for (int64_t i = 0; i < N_PART; i++) {
        in[i] = true;
    }
    const double statistic = plain_statistic(kernels, N_DRAWN, in);
    free(kernels);
    return cgm_significance_p_value(N_DRAWN, values, statistic);
}

/* How many of some draws have p-values from 0 to below each limit; ranks take turns. */
static void count_below(cgm_comm *comm, int draws, uint64_t stream, double shift, int n_limits,
                        const double *limits, int64_t *counts)
{
    cgm_comm alone;
    cgm_comm_split(comm, comm->rank, &alone);
    memset(counts, 0, (size_t)n_limits * sizeof *counts);
    for (int k = comm->rank; k < draws; k += comm->size) {
        const double p = p_value_of_draw(&alone, stream + (uint64_t)k, shift);
        for (int l = 0; l < n_limits; l++) {
            counts[l] += p >= 0.0 && p < limits[l];
        }
    }
    cgm_comm_join(comm, &alone);
    cgm_comm_sum(comm, counts, n_limits);
}

/* At 5 % a test of that size rejects 4 to 18 of 200 draws from one distribution with probability
 * 98.7 %: the seed is fixed, so that a right one fails always, if at all. Below 0.5 are 75 to 125
 * with probability 99.97 %. */
static void test_size(void **state)
{
    cgm_comm *comm = *state;
    const double limits[] = {0.05, 0.5, 1.1};
    int64_t counts[3];
    count_below(comm, 200, 1000, 0.0, 3, limits, counts);
    print_message("of 200 draws, p below 0.05: %d, below 0.5: %d\n", (int)counts[0],
                  (int)counts[1]);
    assert_all_ranks(comm, counts[0] >= 4 && counts[0] <= 18);
    assert_all_ranks(comm, counts[1] >= 75 && counts[1] <= 125);
    assert_all_ranks(comm, counts[2] == 200);
}

static void test_power(void **state)
{
    cgm_comm *comm = *state;
    const double limit = 1e-4;
    int64_t rejected;
    count_below(comm, 10, 5000, 1.5, 1, &limit, &rejected);
    assert_all_ranks(comm, rejected == 10);
}

/* ---- whole runs ---- */

enum { ALL_PARTIES = 151 + 157 + 163 + 167 + 173 + 179 + 181 + 191, ALL = ALL_PARTIES + POOL };

static void read_rows(cgm_comm *comm, const cgm_h5_file *file, const char *path, cgm_h5_type type,
                      int64_t count, void *numbers)
{
    assert_all_ranks(comm, cgm_h5_read_rows(file, path, type, 0, count, 1, numbers) == CGM_OK);
}

/* Before and after at one β, from the points of the input and the rows of the rewards. */
static void check_set(cgm_comm *comm, const cgm_h5_file *file, const char *set,
                      const double *kernels, const double *spectrum)
{
    char path[PATH_BYTES];
    int64_t offsets[N_PARTIES + 1];
    int64_t indices[N_PARTIES * POOL];
    double found[2][N_PARTIES];
    double expected[2][N_PARTIES];
    snprintf(path, sizeof path, "/sampling/%s/offsets", set);
    read_rows(comm, file, path, CGM_H5_INT64, N_PARTIES + 1, offsets);
    snprintf(path, sizeof path, "/sampling/%s/indices", set);
    read_rows(comm, file, path, CGM_H5_INT64, offsets[N_PARTIES], indices);
    snprintf(path, sizeof path, "/metrics/%s/p_value_before", set);
    read_rows(comm, file, path, CGM_H5_DOUBLE, N_PARTIES, found[0]);
    snprintf(path, sizeof path, "/metrics/%s/p_value_after", set);
    read_rows(comm, file, path, CGM_H5_DOUBLE, N_PARTIES, found[1]);
    int64_t first = 0;
    for (int i = 0; i < N_PARTIES; i++) {
        static bool in[ALL];
        memset(in, 0, sizeof in);
        for (int64_t k = 0; k < party_sizes[i]; k++) {
            in[first + k] = true;
        }
        first += party_sizes[i];
        expected[0][i] = cgm_significance_p_value(ALL, spectrum, plain_statistic(kernels, ALL, in));
        for (int64_t k = offsets[i]; k < offsets[i + 1]; k++) {
            in[ALL_PARTIES + indices[k]] = true;
        }
        expected[1][i] = cgm_significance_p_value(ALL, spectrum, plain_statistic(kernels, ALL, in));
    }
    assert_all_ranks(comm, offsets[N_PARTIES] > 0);
    assert_close_array(comm, found[0], expected[0], N_PARTIES, CGM_TEST_P_VALUE, 0.0);
    assert_close_array(comm, found[1], expected[1], N_PARTIES, CGM_TEST_P_VALUE, 0.0);
}

/* All points of T, which are more than LAPACK is given: the p-values of ScaLAPACK's eigenvalues. */
static void test_run(void **state)
{
    cgm_comm *comm = *state;
    party_run files = {.home = ""};
    cgm_h5_file file;
    double lengthscale = 0.0;
    double *points = malloc(ALL * D * sizeof *points);
    double *spectrum = malloc(ALL * sizeof *spectrum);
    int64_t *labels = malloc(ALL * sizeof *labels);
    party_run_begin(comm, &files);
    assert_all_ranks(
        comm, party_run_with(comm, &files, REWARDS "[metrics]\nselect = significance\n") == CGM_OK);
    assert_all_ranks(comm, cgm_h5_open(comm, files.result, &file) == CGM_OK);
    assert_all_ranks(comm, cgm_h5_read_scalar(&file, "/kernel/lengthscale", NULL, CGM_H5_DOUBLE,
                                              &lengthscale) == CGM_OK);
    int64_t first = 0;
    for (int i = 0; i <= N_PARTIES; i++) {
        const int64_t count = i < N_PARTIES ? party_sizes[i] : POOL;
        party_run_points(i, count, points + first * D, labels);
        first += count;
    }
    double *kernels = plain_kernels(points, ALL, D, lengthscale);
    double *copy = malloc(sizeof(double) * ALL * ALL);
    memcpy(copy, kernels, sizeof(double) * ALL * ALL);
    plain_spectrum(comm, ALL, copy, spectrum);
    check_set(comm, &file, "beta_2", kernels, spectrum);
    check_set(comm, &file, "beta_inf", kernels, spectrum);
    cgm_h5_close(&file);
    party_run_remove(comm, &files);
    free(copy);
    free(kernels);
    free(points);
    free(spectrum);
    free(labels);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_weights),
        cmocka_unit_test(test_pairs_of_weights),
        cmocka_unit_test(test_p_values_at_the_edges),
        cmocka_unit_test(test_spectrum),
        cmocka_unit_test(test_equal_points),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_power),
        cmocka_unit_test(test_run),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
