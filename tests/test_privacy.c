// Noise for differential privacy: its calibration against published figures and an integral, its
// distribution, and an audit of what is released. The operating system's random numbers have no
// seed: a correct program fails a statistical test here with probability 10^-6.
// without: valgrind
#define _GNU_SOURCE /* syscall */
#include "harness.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cgm/privacy.h"
#include "cgm/rng.h"
#include "cgm/tolerance.h"

/* ---- calibration ---- */

static const struct {
    double epsilon, delta, ratio;
} table[] = {
    {0.1, 1e-5, 30.749566131977}, {0.5, 1e-5, 7.0318266755825}, {1.0, 1e-5, 3.7306316348159},
    {4.0, 1e-5, 1.0811618495202}, {0.1, 1e-6, 36.304690426196}, {0.5, 1e-6, 8.0576184807250},
    {1.0, 1e-6, 4.2246788893268}, {4.0, 1e-6, 1.1935185871580},
};

static void test_published_calibration(void **state)
{
    cgm_comm *comm = *state;
    for (size_t k = 0; k < sizeof table / sizeof table[0]; k++) {
        const double found = cgm_privacy_sigma(table[k].epsilon, table[k].delta, 1.0);
        assert_close(comm, found, table[k].ratio, 0.0, CGM_TEST_CALIBRATION);
        const double scaled = cgm_privacy_sigma(table[k].epsilon, table[k].delta, 2.0 / 300.0);
        assert_close(comm, scaled, found * 2.0 / 300.0, CGM_TEST_CALIBRATION, 0.0);
    }
}

/* δ of noise σ/Δ = ratio as an integral that nothing cancels in: by μ = 1/ratio its derivative is
 * the normal density at μ/2 − ε/μ. Simpson's rule. */
static double delta_of(double epsilon, double ratio)
{
    enum { STEPS = 20000 };
    double sum = 0.0;
    for (int k = 1; k <= STEPS; k++) {
        const double mu = k / (ratio * STEPS);
        const double at = 0.5 * mu - epsilon / mu;
        const double weight = k == STEPS ? 1.0 : k % 2 == 0 ? 2.0 : 4.0;
        sum += weight * exp(-0.5 * at * at);
    }
    return sum / (3.0 * STEPS * ratio * sqrt(2.0 * M_PI));
}

static void test_calibration_is_tight(void **state)
{
    cgm_comm *comm = *state;
    const double epsilons[] = {0.02, 0.3, 1.0, 7.0, 60.0, 900.0};
    const double deltas[] = {0.4, 1e-3, 1e-6, 1e-9};
    for (int e = 0; e < 6; e++) {
        for (int d = 0; d < 4; d++) {
            const double ratio = cgm_privacy_sigma(epsilons[e], deltas[d], 1.0);
            assert_close(comm, delta_of(epsilons[e], ratio), deltas[d], CGM_TEST_DELTA, 0.0);
        }
    }
}

static void test_calibration_at_the_edges(void **state)
{
    cgm_comm *comm = *state;
    assert_all_ranks(comm, cgm_privacy_sigma(INFINITY, 1e-6, 1.0) == 0.0);
    assert_all_ranks(comm, cgm_privacy_sigma(1.0, 1e-6, 0.0) == 0.0);
    /* Where δ cannot be told from rounding, enough is what Φ(−εσ/Δ) <= δ asks for. */
    const double tiny = cgm_privacy_sigma(1e-6, 1e-300, 1.0);
    assert_all_ranks(comm, tiny > 1e6 && tiny < 38e6);
    const double refused[][3] = {{0.0, 1e-6, 1.0},   {-1.0, 1e-6, 1.0}, {1.0, 0.0, 1.0},
                                 {1.0, 1.0, 1.0},    {NAN, 1e-6, 1.0},  {1.0, NAN, 1.0},
                                 {1.0, 1e-6, -1e-9}, {1.0, 1e-6, NAN},  {1.0, 1e-6, INFINITY}};
    for (int k = 0; k < 9; k++) {
        assert_all_ranks(comm,
                         isnan(cgm_privacy_sigma(refused[k][0], refused[k][1], refused[k][2])));
    }
}

/* ---- random numbers that fail ---- */

typedef enum trouble { NO_TROUBLE, PIECES, NOTHING } trouble;

static trouble random_trouble;
static int n_calls;

/* In place of the C library's. PIECES: interrupted every other time, and a few bytes at once;
 * NOTHING: none any more after the first bytes. */
ssize_t getrandom(void *buffer, size_t size, unsigned flags)
{
    n_calls++;
    if ((random_trouble == PIECES && n_calls % 2 == 0) ||
        (random_trouble == NOTHING && n_calls > 3)) {
        errno = random_trouble == PIECES ? EINTR : ENOSYS;
        return -1;
    }
    const size_t part = random_trouble == NO_TROUBLE || size < 99 ? size : 99;
    return syscall(SYS_getrandom, buffer, part, flags);
}

static cgm_status release_in(trouble how, cgm_comm *comm, double sigma, int64_t n, double *values)
{
    random_trouble = how;
    n_calls = 0;
    comm->error = (cgm_error){.status = CGM_OK};
    const cgm_status status = cgm_privacy_release(comm, sigma, n, values);
    random_trouble = NO_TROUBLE;
    return status;
}

enum { N_FEW = 1000 };

static void test_failing_random_numbers(void **state)
{
    cgm_comm *comm = *state;
    double values[N_FEW] = {0.0};
    assert_all_ranks(comm, release_in(PIECES, comm, 1.0, N_FEW, values) == CGM_OK);
    double squares = 0.0;
    for (int k = 0; k < N_FEW; k++) {
        squares += values[k] * values[k] / N_FEW;
    }
    /* 4.9 standard deviations. */
    assert_close(comm, squares, 1.0, 0.0, 4.9 * sqrt(2.0 / N_FEW));
    for (int k = 0; k < N_FEW; k++) {
        values[k] = 0.25;
    }
    assert_all_ranks(comm, release_in(NOTHING, comm, 1.0, N_FEW, values) == CGM_ERR_INPUT);
    assert_all_ranks(comm, strstr(comm->error.message, "random numbers") != NULL &&
                               strstr(comm->error.message, strerror(ENOSYS)) != NULL);
    bool empty = true;
    for (int k = 0; k < N_FEW; k++) {
        empty = empty && values[k] == 0.0;
    }
    assert_all_ranks(comm, empty);
}

static void test_arguments(void **state)
{
    cgm_comm *comm = *state;
    double values[3] = {0.1, -1e300, 5e-324};
    assert_all_ranks(comm, release_in(NOTHING, comm, 0.0, 3, values) == CGM_OK);
    assert_all_ranks(comm, values[0] == 0.1 && values[1] == -1e300 && values[2] == 5e-324);
    assert_all_ranks(comm, release_in(NO_TROUBLE, comm, 1.0, 0, values) == CGM_OK);
    const double sigmas[] = {NAN, -1.0, INFINITY};
    for (int k = 0; k < 3; k++) {
        values[0] = 0.1;
        assert_all_ranks(comm, release_in(NO_TROUBLE, comm, sigmas[k], 3, values) == CGM_ERR_BUG);
        assert_all_ranks(comm, values[0] == 0.0 && values[1] == 0.0);
    }
    const double unfit[] = {NAN, INFINITY, 1e300};
    for (int k = 0; k < 3; k++) {
        values[0] = 0.1;
        values[2] = unfit[k];
        assert_all_ranks(comm, release_in(NO_TROUBLE, comm, 0.5, 3, values) == CGM_ERR_INPUT);
        assert_all_ranks(comm, values[0] == 0.0 && values[2] == 0.0);
    }
    /* Noise of any size, also where the grid is below the smallest normal number. */
    const double sizes[] = {1e-300, 1e-30, 1e30, 1e300};
    for (int k = 0; k < 4; k++) {
        values[0] = 0.0;
        assert_all_ranks(comm, release_in(NO_TROUBLE, comm, sizes[k], 1, values) == CGM_OK);
        assert_all_ranks(comm, isfinite(values[0]) && fabs(values[0]) < 6.0 * sizes[k] &&
                                   fabs(values[0]) > 1e-7 * sizes[k]);
    }
}

/* ---- distribution ---- */

enum { N_NOISE = 120000, N_VECTOR = 8, N_LOW = 16 };

/* Of all ranks one after the other, N_VECTOR at a time. */
static double *draw_noise(cgm_comm *comm, double sigma, double centre)
{
    double *noise = calloc(N_NOISE, sizeof *noise);
    int64_t *offset = calloc((size_t)comm->size + 1, sizeof *offset);
    assert_all_ranks(comm, noise != NULL && offset != NULL);
    for (int r = 0; r <= comm->size; r++) {
        offset[r] = (int64_t)N_NOISE / N_VECTOR * r / comm->size * N_VECTOR;
    }
    bool good = true;
    for (int64_t k = offset[comm->rank]; k < offset[comm->rank + 1]; k += N_VECTOR) {
        for (int c = 0; c < N_VECTOR; c++) {
            noise[k + c] = centre;
        }
        good = cgm_privacy_release(comm, sigma, N_VECTOR, noise + k) == CGM_OK && good;
    }
    assert_all_ranks(comm, good);
    cgm_comm_all_gather(comm, noise, offset, sizeof *noise);
    free(offset);
    return noise;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Kolmogorov and Smirnov's statistic of sorted numbers against a normal distribution. */
static double distance_to_normal(int64_t n, const double *sorted, double sigma)
{
    double largest = 0.0;
    for (int64_t k = 0; k < n; k++) {
        const double p = 0.5 * erfc(-sorted[k] / sigma * M_SQRT1_2);
        largest = fmax(largest, fmax(p - (double)k / (double)n, (double)(k + 1) / (double)n - p));
    }
    return largest * sqrt((double)n);
}

static void test_distribution(void **state)
{
    cgm_comm *comm = *state;
    const double sigma = 0.0173;
    double *noise = draw_noise(comm, sigma, 0.0);
    /* All are multiples of the grid, and their last bits are as good as any other. */
    const double grid = ldexp(1.0, ilogb(sigma) - 39);
    int64_t low[N_LOW] = {0};
    bool on_grid = true;
    for (int64_t k = 0; k < N_NOISE; k++) {
        const double steps = noise[k] / grid;
        on_grid = on_grid && steps == rint(steps);
        low[(int64_t)steps & (N_LOW - 1)]++;
    }
    assert_all_ranks(comm, on_grid);
    double chi_square = 0.0;
    for (int k = 0; k < N_LOW; k++) {
        const double off = (double)low[k] - (double)N_NOISE / N_LOW;
        chi_square += off * off / ((double)N_NOISE / N_LOW);
    }
    assert_all_ranks(comm, chi_square < 56.5); /* 15 degrees of freedom */
    qsort(noise, N_NOISE, sizeof *noise, compare);
    /* Of 10^12 places: 0.004 coincidences are to be expected. */
    int64_t n_same = 0;
    for (int64_t k = 1; k < N_NOISE; k++) {
        n_same += noise[k] == noise[k - 1];
    }
    assert_all_ranks(comm, n_same < 3);
    assert_all_ranks(comm, distance_to_normal(N_NOISE, noise, sigma) < 2.70);
    /* It would be seen if the noise were a few percent off. */
    assert_all_ranks(comm, distance_to_normal(N_NOISE, noise, 0.93 * sigma) > 2.70);
    free(noise);
}

/* Standard normal if a[k] and a[k + lag] are independent: of the numbers and of their squares. */
static bool is_uncorrelated(const double *noise, double sigma, int64_t lag)
{
    double products = 0.0;
    double squares = 0.0;
    for (int64_t k = 0; k + lag < N_NOISE; k++) {
        const double x = noise[k] / sigma;
        const double y = noise[k + lag] / sigma;
        products += x * y;
        squares += 0.5 * (x * x - 1.0) * (y * y - 1.0);
    }
    const double unit = sqrt((double)(N_NOISE - lag));
    return fabs(products) < 5.4 * unit && fabs(squares) < 5.4 * unit;
}

/* Coordinates of a vector, vectors of a rank, and ranks. 5.4 standard deviations are passed with
 * probability 7·10^-8 by each of 12 numbers. */
static void test_independence(void **state)
{
    cgm_comm *comm = *state;
    double *noise = draw_noise(comm, 3.0, 0.0);
    const int64_t lags[] = {1, 2, 5, N_VECTOR, 10 * N_VECTOR, N_NOISE / N_VECTOR / 5 * N_VECTOR};
    for (int k = 0; k < 6; k++) {
        assert_all_ranks(comm, is_uncorrelated(noise, 3.0, lags[k]));
    }
    const int64_t share = (int64_t)N_NOISE / N_VECTOR / comm->size * N_VECTOR;
    assert_all_ranks(comm, comm->size == 1 || is_uncorrelated(noise, 3.0, share));
    free(noise);
}

/* Which numbers can come out does not depend on what went in. */
static void test_same_grid_for_all_values(void **state)
{
    cgm_comm *comm = *state;
    const double centres[] = {0.0, 1.0 / 3.0, -0.7123456789, 1e-13, 77.7};
    const double grid = 0x1p-39; /* of σ = 1.3 */
    for (int c = 0; c < 5; c++) {
        double values[N_FEW];
        int n_fine = 0;
        bool on_grid = true;
        for (int k = 0; k < N_FEW; k++) {
            values[k] = centres[c];
        }
        assert_all_ranks(comm, cgm_privacy_release(comm, 1.3, N_FEW, values) == CGM_OK);
        for (int k = 0; k < N_FEW; k++) {
            const double steps = values[k] / grid;
            on_grid = on_grid && steps == rint(steps);
            n_fine += steps / 2.0 != rint(steps / 2.0);
        }
        assert_all_ranks(comm, on_grid);
        assert_all_ranks(comm, abs(n_fine - N_FEW / 2) < 4.9 * sqrt(N_FEW) / 2.0);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_calibration),
        cmocka_unit_test(test_calibration_is_tight),
        cmocka_unit_test(test_calibration_at_the_edges),
        cmocka_unit_test(test_failing_random_numbers),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_distribution),
        cmocka_unit_test(test_independence),
        cmocka_unit_test(test_same_grid_for_all_values),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
