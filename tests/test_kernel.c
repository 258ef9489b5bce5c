/* The kernel's exponential against libm over its whole range, and tiles against plain sums. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/kernel.h"
#include "cgm/rng.h"
#include "cgm/tolerance.h"
#include "harness.h"

enum { SAMPLES = 200000, LARGEST_FEATURES = 9 };

static double uniform_number(uint64_t stream, uint64_t k)
{
    const cgm_rng rng = {7, stream, CGM_RNG_SIMULATE};
    uint64_t words[4];
    cgm_rng_words(&rng, k, 0, 0, words);
    return cgm_rng_uniform(words[0]);
}

static void test_exponential_over_its_range(void **state)
{
    cgm_comm *comm = *state;
    bool close = true;
    for (uint64_t k = 0; k < SAMPLES; k++) {
        /* Exponents from denormal to the last that counts, dense in the logarithm. */
        const double z = exp(-740.0 + 746.5 * uniform_number(1, k));
        double result;
        cgm_kernel_exponential(&z, &result, 1);
        const long double exact = expl(-(long double)z);
        const long double error = fabsl((long double)result - exact) / exact;
        close = close && (error <= CGM_TEST_EXPONENTIAL * (1.0L + (long double)z) || z > 707.0);
    }
    assert_all_ranks(comm, close);
}

static void test_exponential_at_its_ends(void **state)
{
    cgm_comm *comm = *state;
    const double z[] = {0.0, 5e-324, 1e-300, 708.0, 1e300, INFINITY};
    const double expected[] = {1.0, 1.0, 1.0, 0.0, 0.0, 0.0};
    double result[6];
    cgm_kernel_exponential(z, result, 6);
    assert_all_ranks(comm, memcmp(result, expected, sizeof expected) == 0);
}

/* A block of points whose coordinates are uniform on [0, spread), and those points. */
static cgm_block make_block(cgm_comm *comm, const cgm_kernel *kernel, int64_t n_points,
                            double spread, uint64_t stream, double **points)
{
    const int64_t d = kernel->n_features;
    cgm_block block = {.n_points = n_points, .stride = (n_points + 7) / 8 * 8};
    *points = cgm_alloc(comm, n_points * d, sizeof(double));
    block.coordinates = cgm_alloc(comm, block.stride * d, sizeof(double));
    assert_all_ranks(comm, *points != NULL && block.coordinates != NULL);
    for (int64_t k = 0; k < n_points * d; k++) {
        (*points)[k] = spread * uniform_number(stream, (uint64_t)k);
    }
    cgm_kernel_pack(kernel, *points, &block);
    return block;
}

static long double exact_kernel(const cgm_kernel *kernel, const double *x, const double *y,
                                long double *slope)
{
    long double squared = 0.0L;
    for (int64_t f = 0; f < kernel->n_features; f++) {
        const long double difference = (long double)x[f] - (long double)y[f];
        squared += difference * difference;
    }
    const long double ratio = squared / ((long double)kernel->lengthscale * kernel->lengthscale);
    const long double scales[] = {0.1L, 1.0L, 10.0L};
    const int terms = kernel->type == CGM_KERNEL_SE ? 1 : 3;
    long double k = 0.0L;
    *slope = 0.0L;
    for (int t = 0; t < terms; t++) {
        /* Rational quadratic: (1 + r²/(2aℓ²))^-a; squared exponential at ℓ times a. */
        const long double a = terms == 1 ? 1.0L : scales[t];
        if (kernel->type == CGM_KERNEL_RQ) {
            const long double base = 1.0L + ratio / (2.0L * a);
            k += powl(base, -a);
            *slope += ratio * powl(base, -a - 1.0L);
        } else {
            k += expl(-0.5L * ratio / (a * a));
            *slope += expl(-0.5L * ratio / (a * a)) * ratio / (a * a);
        }
    }
    return k;
}

/* One shape: tile, row, slope and ladder against sums in long double. */
static void check_shape(cgm_comm *comm, cgm_kernel_type type, int64_t n_features, int64_t n_a,
                        int64_t n_b)
{
    const double centre[LARGEST_FEATURES] = {0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5};
    cgm_kernel kernel = {
        .type = type, .n_features = n_features, .lengthscale = 0.31, .centre = centre};
    double *x;
    double *y;
    cgm_block a = make_block(comm, &kernel, n_a, 1.0, 2, &x);
    cgm_block b = make_block(comm, &kernel, n_b, 1.0, 3, &y);
    double rows[CGM_BLOCK_POINTS];
    double columns[CGM_BLOCK_POINTS];
    double expected_rows[CGM_BLOCK_POINTS] = {0.0};
    double expected_columns[CGM_BLOCK_POINTS] = {0.0};
    double row[CGM_BLOCK_POINTS];
    double slope;
    double ladder[CGM_LADDER_RUNGS];
    long double expected = 0.0L;
    long double expected_slope = 0.0L;
    const double total = cgm_kernel_tile(&kernel, &a, &b, rows, columns);
    const double slope_total = cgm_kernel_slope(&kernel, &a, &b, &slope);
    cgm_kernel_ladder(&kernel, &a, &b, CGM_LADDER_RUNGS, ladder);
    bool row_equal = true;
    for (int64_t i = 0; i < n_a; i++) {
        cgm_kernel_row(&kernel, &a, i, &b, row);
        for (int64_t j = 0; j < n_b; j++) {
            long double k_slope;
            long double k = exact_kernel(&kernel, x + i * n_features, y + j * n_features, &k_slope);
            expected += k;
            expected_slope += k_slope;
            expected_rows[i] += (double)k;
            expected_columns[j] += (double)k;
            row_equal = row_equal && fabs(row[j] - (double)k) < CGM_TEST_SUMS_RELATIVE;
        }
    }
    const double relative = CGM_TEST_SUMS_RELATIVE;
    const double absolute = CGM_TEST_SUMS_ABSOLUTE;
    assert_all_ranks(comm, row_equal);
    assert_close(comm, total, (double)expected, relative, absolute);
    assert_close(comm, slope_total, (double)expected, relative, absolute);
    assert_close(comm, slope, (double)expected_slope, relative, absolute);
    assert_close_array(comm, rows, expected_rows, n_a, relative, absolute);
    assert_close_array(comm, columns, expected_columns, n_b, relative, absolute);
    for (int rung = 0; rung < CGM_LADDER_RUNGS; rung++) {
        cgm_kernel at = kernel;
        at.lengthscale = kernel.lengthscale * pow(0.5, 0.5 * rung);
        cgm_kernel_pack(&at, x, &a);
        cgm_kernel_pack(&at, y, &b);
        const double normal = cgm_kernel_tile(&at, &a, &b, rows, columns);
        /* Each squaring doubles the relative error of the first exponential. */
        assert_close(comm, ladder[rung], normal, relative, absolute);
    }
    free(x);
    free(y);
    free(a.coordinates);
    free(b.coordinates);
}

static void test_tiles_of_all_shapes(void **state)
{
    const int64_t features[] = {1, 2, 3, 4, 9};
    const int64_t points[] = {1, 7, 8, 9, 57, 512};
    const cgm_kernel_type types[] = {CGM_KERNEL_SE, CGM_KERNEL_SE_SUM, CGM_KERNEL_RQ};
    for (size_t t = 0; t < 3; t++) {
        for (size_t f = 0; f < 5; f++) {
            for (size_t k = 0; k < 6; k++) {
                check_shape(*state, types[t], features[f], points[k], points[5 - k]);
            }
        }
    }
}

/* Shifting all points moves no kernel value: packing subtracts the centre before it scales. */
static void test_far_from_the_origin(void **state)
{
    cgm_comm *comm = *state;
    const double near_centre[] = {0.5, 0.5};
    const double shift = 0x1p30;
    const double far_centre[] = {shift + 0.5, shift + 0.5};
    cgm_kernel near = {.n_features = 2, .lengthscale = 0.1, .centre = near_centre};
    cgm_kernel far = {.n_features = 2, .lengthscale = 0.1, .centre = far_centre};
    double rows[CGM_BLOCK_POINTS];
    double columns[CGM_BLOCK_POINTS];
    double *points;
    cgm_block block = make_block(comm, &near, 100, 1.0, 4, &points);
    for (int k = 0; k < 200; k++) {
        points[k] = nearbyint(points[k] * 0x1p20) * 0x1p-20; /* so that the shift is exact */
    }
    cgm_kernel_pack(&near, points, &block);
    const double at_origin = cgm_kernel_tile(&near, &block, &block, rows, columns);
    for (int k = 0; k < 200; k++) {
        points[k] += shift;
    }
    cgm_kernel_pack(&far, points, &block);
    const double shifted = cgm_kernel_tile(&far, &block, &block, rows, columns);
    assert_all_ranks(comm, at_origin == shifted);
    free(points);
    free(block.coordinates);
}

/* Distances whose squares overflow give 0, coincident points exactly 1. */
static void check_extremes(cgm_comm *comm, cgm_kernel_type type)
{
    const double centre[] = {0.0};
    const double points[] = {-1e150, 1e150, 1e150, 0.0};
    cgm_kernel kernel = {.type = type, .n_features = 1, .lengthscale = 1e-150, .centre = centre};
    double coordinates[8];
    double rows[8];
    double columns[8];
    cgm_block block = {.n_points = 4, .stride = 8, .coordinates = coordinates};
    cgm_kernel_pack(&kernel, points, &block);
    const double one = cgm_kernel_diagonal(&kernel);
    const double expected[] = {one, 2.0 * one, 2.0 * one, one};
    assert_all_ranks(comm, cgm_kernel_tile(&kernel, &block, &block, rows, columns) == 6.0 * one);
    assert_all_ranks(comm, memcmp(rows, expected, sizeof expected) == 0);
}

static void test_extreme_distances(void **state)
{
    check_extremes(*state, CGM_KERNEL_SE);
    check_extremes(*state, CGM_KERNEL_SE_SUM);
    check_extremes(*state, CGM_KERNEL_RQ);
}

/* A lengthscale a feature is the same as one lengthscale of points divided by them. */
static void test_lengthscale_a_feature(void **state)
{
    cgm_comm *comm = *state;
    const double centre[] = {0.0, 0.0, 0.0};
    const double lengthscales[] = {0.2, 0.5, 3.0};
    cgm_kernel one = {.n_features = 3, .lengthscale = 1.0, .centre = centre};
    cgm_kernel each = {.n_features = 3,
                       .lengthscale = 1.0,
                       .feature_lengthscales = lengthscales,
                       .centre = centre};
    double rows[2][CGM_BLOCK_POINTS];
    double columns[CGM_BLOCK_POINTS];
    double *points;
    cgm_block block = make_block(comm, &each, 100, 1.0, 4, &points);
    cgm_kernel_tile(&each, &block, &block, rows[0], columns);
    for (int k = 0; k < 300; k++) {
        points[k] /= lengthscales[k % 3];
    }
    cgm_kernel_pack(&one, points, &block);
    cgm_kernel_tile(&one, &block, &block, rows[1], columns);
    assert_close_array(comm, rows[0], rows[1], 100, CGM_TEST_PRESCALED, 0.0);
    free(points);
    free(block.coordinates);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exponential_over_its_range),
        cmocka_unit_test(test_exponential_at_its_ends),
        cmocka_unit_test(test_tiles_of_all_shapes),
        cmocka_unit_test(test_far_from_the_origin),
        cmocka_unit_test(test_extreme_distances),
        cmocka_unit_test(test_lengthscale_a_feature),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
