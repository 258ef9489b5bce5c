/* Eigenproblems, by LAPACK and by ScaLAPACK over several ranks: against closed forms, against each
 * other, and by the equation itself. */
// ranks: 1 2 3 4 5
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/dense.h"
#include "cgm/rng.h"
#include "cgm/tolerance.h"
#include "harness.h"

static const cgm_eigensolver solvers[] = {CGM_EIGEN_LAPACK, CGM_EIGEN_SCALAPACK};
enum { N_SOLVERS = sizeof solvers / sizeof solvers[0] };

/* Sizes around the blocks that a matrix is dealt out in, with ranks that get nothing. */
static const int64_t sizes[] = {1, 2, 63, 64, 65, 200};
enum { N_SIZES = sizeof sizes / sizeof sizes[0] };

/* ---- matrices by their entries ---- */

typedef double entry_function(int64_t n, int64_t i, int64_t j);

typedef struct test_matrix {
    int64_t n;
    entry_function *entry;
} test_matrix;

/* Half the second differences of a line, whose ends are held. */
static double second_difference(int64_t n, int64_t i, int64_t j)
{
    (void)n;
    return i == j ? 1.0 : llabs(i - j) == 1 ? -0.5 : 0.0;
}

/* Independent numbers, of a size that keeps eigenvalues of the order of 1. */
static double noise(int64_t n, int64_t i, int64_t j)
{
    const cgm_rng rng = {3, (uint64_t)n, CGM_RNG_SIMULATE};
    uint64_t words[4];
    cgm_rng_words(&rng, (uint64_t)(i < j ? i : j), (uint64_t)(i < j ? j : i), 0, words);
    return (cgm_rng_uniform(words[0]) - 0.5) / sqrt((double)n);
}

/* Of rank 1: all eigenvalues but one are 0. */
static double ones(int64_t n, int64_t i, int64_t j)
{
    (void)i;
    (void)j;
    return 1.0 / (double)n;
}

static void fill(const void *state, int64_t first_row, int64_t n_rows, int64_t first_column,
                 int64_t n_columns, double *entries)
{
    const test_matrix *of = state;
    for (int64_t i = 0; i < n_rows; i++) {
        for (int64_t j = 0; j < n_columns; j++) {
            entries[i * n_columns + j] = of->entry(of->n, first_row + i, first_column + j);
        }
    }
}

/* The whole of it; the caller frees it. */
static double *whole(const test_matrix *of)
{
    double *a = malloc((size_t)(of->n * of->n) * sizeof *a);
    for (int64_t i = 0; i < of->n; i++) {
        for (int64_t j = 0; j < of->n; j++) {
            a[i * of->n + j] = of->entry(of->n, i, j);
        }
    }
    return a;
}

/* ---- what a solution must be ---- */

/* |A v − λ v| and |v·v' − [v = v']|, at most, over count eigenvectors. */
static double defect(const test_matrix *of, int64_t count, const double *values,
                     const double *vectors)
{
    const int64_t n = of->n;
    double *a = whole(of);
    double worst = 0.0;
    for (int64_t k = 0; k < count; k++) {
        const double *v = vectors + k * n;
        for (int64_t i = 0; i < n; i++) {
            double image = -values[k] * v[i];
            for (int64_t j = 0; j < n; j++) {
                image += a[i * n + j] * v[j];
            }
            worst = fmax(worst, fabs(image));
        }
        for (int64_t other = 0; other <= k; other++) {
            double product = other == k ? -1.0 : 0.0;
            for (int64_t i = 0; i < n; i++) {
                product += v[i] * vectors[other * n + i];
            }
            worst = fmax(worst, fabs(product));
        }
    }
    free(a);
    return worst;
}

/* Solves for the leading eigenvectors, and again for eigenvalues alone; checks both. values [n] */
static void solve(cgm_comm *comm, const test_matrix *of, cgm_eigensolver solver, int64_t count,
                  double *values)
{
    const int64_t n = of->n;
    const cgm_symmetric matrix = {n, of, fill};
    double *vectors = malloc((size_t)(count * n + 1) * sizeof *vectors);
    double *alone = malloc((size_t)n * sizeof *alone);
    assert_all_ranks(comm,
                     cgm_dense_leading(comm, &matrix, solver, count, values, vectors) == CGM_OK);
    assert_all_ranks(comm, cgm_dense_leading(comm, &matrix, solver, 0, alone, NULL) == CGM_OK);
    assert_close_array(comm, alone, values, n, 0.0, CGM_TEST_EIGEN);
    assert_all_ranks(comm, defect(of, count, values, vectors) < CGM_TEST_EIGEN);
    assert_same_on_all_ranks(comm, values, (size_t)n * sizeof *values);
    assert_same_on_all_ranks(comm, vectors, (size_t)(count * n) * sizeof *vectors);
    free(vectors);
    free(alone);
}

/* ---- tests ---- */

/* 1 − cos(kπ/(n + 1)), k = 1 .. n, ascending in k. */
static double second_difference_value(int64_t n, int64_t k)
{
    const double pi = acos(-1.0);
    return 1.0 - cos((double)k * pi / (double)(n + 1));
}

static void test_closed_form(void **state)
{
    cgm_comm *comm = *state;
    for (int s = 0; s < N_SIZES; s++) {
        const int64_t n = sizes[s];
        const test_matrix of = {n, second_difference};
        double values[200];
        double expected[200];
        for (int64_t k = 0; k < n; k++) {
            expected[k] = second_difference_value(n, n - k);
        }
        for (int which = 0; which < N_SOLVERS; which++) {
            solve(comm, &of, solvers[which], n < 5 ? n : 5, values);
            assert_close_array(comm, values, expected, n, 0.0, CGM_TEST_EIGEN);
        }
    }
}

/* Eigenvectors too: sin(ikπ/(n + 1)), up to sign. */
static void test_local(void **state)
{
    cgm_comm *comm = *state;
    enum { N = 40 };
    const double pi = acos(-1.0);
    const test_matrix of = {N, second_difference};
    double *a = whole(&of);
    double values[N];
    double worst = 0.0;
    assert_all_ranks(comm, cgm_dense_eigen(comm, N, a, values) == CGM_OK);
    for (int64_t k = 0; k < N; k++) {
        worst = fmax(worst, fabs(values[k] - second_difference_value(N, k + 1)));
        const double sign = a[k * N] > 0.0 ? 1.0 : -1.0;
        for (int64_t i = 0; i < N; i++) {
            const double expected =
                sqrt(2.0 / (N + 1)) * sin((double)((i + 1) * (k + 1)) * pi / (N + 1));
            worst = fmax(worst, fabs(sign * a[k * N + i] - expected));
        }
    }
    free(a);
    assert_all_ranks(comm, worst < CGM_TEST_EIGEN);
}

/* ScaLAPACK against LAPACK's own answer, where no closed form is known; all eigenvectors. */
static void test_against_lapack(void **state)
{
    cgm_comm *comm = *state;
    for (int s = 0; s < N_SIZES; s++) {
        const int64_t n = sizes[s];
        const test_matrix of = {n, noise};
        double *a = whole(&of);
        double ascending[200];
        double expected[200];
        double values[200];
        assert_all_ranks(comm, cgm_dense_eigen(comm, n, a, ascending) == CGM_OK);
        for (int64_t k = 0; k < n; k++) {
            expected[k] = ascending[n - 1 - k];
        }
        for (int which = 0; which < N_SOLVERS; which++) {
            solve(comm, &of, solvers[which], n, values);
            assert_close_array(comm, values, expected, n, 0.0, CGM_TEST_EIGEN);
        }
        free(a);
    }
}

static void test_rank_one(void **state)
{
    cgm_comm *comm = *state;
    const test_matrix of = {200, ones};
    const double expected[200] = {1.0};
    double values[200];
    for (int which = 0; which < N_SOLVERS; which++) {
        solve(comm, &of, solvers[which], 3, values);
        assert_close_array(comm, values, expected, of.n, 0.0, CGM_TEST_EIGEN);
    }
}

/* LAPACK gives the bits of a rank that is alone; which of both is taken depends on the size. */
static void test_choice(void **state)
{
    cgm_comm *comm = *state;
    const test_matrix of = {130, noise};
    const cgm_symmetric matrix = {of.n, &of, fill};
    double values[2][130];
    double *vectors[2];
    double *a = whole(&of);
    double ascending[130];
    for (int k = 0; k < 2; k++) {
        vectors[k] = malloc((size_t)of.n * sizeof(double));
        assert_all_ranks(comm, cgm_dense_leading(comm, &matrix,
                                                 k == 0 ? CGM_EIGEN_AUTO : CGM_EIGEN_LAPACK, 1,
                                                 values[k], vectors[k]) == CGM_OK);
    }
    assert_all_ranks(comm, memcmp(values[0], values[1], sizeof values[0]) == 0);
    assert_all_ranks(comm, memcmp(vectors[0], vectors[1], (size_t)of.n * sizeof(double)) == 0);
    assert_all_ranks(comm, cgm_dense_eigen(comm, of.n, a, ascending) == CGM_OK);
    assert_all_ranks(comm, ascending[of.n - 1] == values[0][0]);
    assert_all_ranks(comm,
                     memcmp(a + (of.n - 1) * of.n, vectors[0], (size_t)of.n * sizeof(double)) == 0);
    free(a);
    free(vectors[0]);
    free(vectors[1]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closed_form),    cmocka_unit_test(test_local),
        cmocka_unit_test(test_against_lapack), cmocka_unit_test(test_rank_one),
        cmocka_unit_test(test_choice),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
