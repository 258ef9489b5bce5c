/* The kernel's loops, compiled for each instruction set that this processor has: sums against long
 * double, and what they must not depend on, bit for bit. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/tolerance.h"
#include "samples.h"

enum { FEW_RUNGS = 3 };

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

/* Sums over the rows of a segment, or over all columns, in long double. */
typedef struct exact_sums {
    double rows[CGM_BLOCK_POINTS];
    double columns[CGM_BLOCK_POINTS];
    double slopes[CGM_BLOCK_POINTS];
} exact_sums;

static void sum_exactly(const cgm_kernel *kernel, const sample *a, const cgm_segment *segment,
                        const sample *b, exact_sums *sums)
{
    const int64_t d = kernel->n_features;
    memset(sums, 0, sizeof *sums);
    long double rows[CGM_BLOCK_POINTS] = {0.0L};
    for (int64_t j = 0; j < b->block.n_points; j++) {
        long double column = 0.0L;
        long double column_slope = 0.0L;
        for (int64_t i = segment->begin; i < segment->begin + segment->n_points; i++) {
            long double slope;
            const long double k =
                exact_kernel(kernel, a->points + i * d, b->points + j * d, &slope);
            rows[i] += k;
            column += k;
            column_slope += slope;
        }
        sums->columns[j] = (double)column;
        sums->slopes[j] = (double)column_slope;
    }
    for (int64_t i = 0; i < a->block.n_points; i++) {
        sums->rows[i] = (double)rows[i];
    }
}

#define assert_sums(comm, actual, expected, count)                                                 \
    assert_close_array(comm, actual, expected, count, CGM_TEST_SUMS_RELATIVE,                      \
                       CGM_TEST_SUMS_ABSOLUTE)

/* One tile against sums in long double, from a segment of the columns on. */
static void check_tile(cgm_comm *comm, const cgm_kernel *kernel, sample *a, sample *b,
                       const cgm_tile *tile)
{
    const int64_t begin = tile->columns->segments[tile->first_segment].begin;
    const int64_t count = b->block.n_points - begin;
    exact_sums exact;
    double sums[CGM_BLOCK_POINTS];
    double slopes[CGM_BLOCK_POINTS];
    double ladder[FEW_RUNGS * CGM_BLOCK_POINTS];
    sum_exactly(kernel, a, tile->row_segment, b, &exact);
    cgm_kernel_columns(kernel, tile, sums);
    assert_sums(comm, sums + begin, exact.columns + begin, count);
    cgm_kernel_slopes(kernel, tile, sums, slopes);
    assert_sums(comm, sums + begin, exact.columns + begin, count);
    assert_sums(comm, slopes + begin, exact.slopes + begin, count);
    cgm_kernel_ladder(kernel, tile, FEW_RUNGS, ladder);
    for (int rung = 0; rung < FEW_RUNGS; rung++) {
        cgm_kernel at = *kernel;
        at.lengthscale = kernel->lengthscale * pow(0.5, 0.5 * rung);
        sum_exactly(&at, a, tile->row_segment, b, &exact);
        assert_sums(comm, ladder + rung * CGM_BLOCK_POINTS + begin, exact.columns + begin, count);
    }
}

/* Whole blocks, and one row, against sums in long double. */
static void check_blocks(cgm_comm *comm, const cgm_kernel *kernel, sample *a, sample *b)
{
    const cgm_segment all = {.n_points = a->block.n_points};
    exact_sums exact;
    double rows[CGM_BLOCK_POINTS];
    double columns[CGM_BLOCK_POINTS];
    sum_exactly(kernel, a, &all, b, &exact);
    cgm_kernel_rows_and_columns(kernel, &a->block, &b->block, rows, columns);
    assert_sums(comm, rows, exact.rows, a->block.n_points);
    assert_sums(comm, columns, exact.columns, b->block.n_points);
    for (int64_t j = b->block.n_points; j < b->block.stride; j++) {
        assert_all_ranks(comm, columns[j] == 0.0);
    }
    const cgm_segment last = {.n_points = 1, .begin = a->block.n_points - 1};
    const cgm_tile tile = {&a->block, &last, &b->block, 0};
    sum_exactly(kernel, a, &last, b, &exact);
    cgm_kernel_columns(kernel, &tile, columns);
    assert_sums(comm, columns, exact.columns, b->block.n_points);
    for (int64_t j = b->block.n_points; j < b->block.stride; j++) {
        assert_all_ranks(comm, columns[j] == 0.0);
    }
}

static void check_shape(cgm_comm *comm, cgm_kernel_type type, int64_t n_features, int64_t n_a,
                        int64_t n_b, int64_t segment_points)
{
    cgm_kernel kernel = sample_kernel(type, n_features, CGM_PORTABLE);
    sample *a = sample_create(comm, &kernel, n_a, segment_points, 2);
    sample *b = sample_create(comm, &kernel, n_b, segment_points, 3);
    for (; kernel.instruction_set <= cgm_instruction_set_best(); kernel.instruction_set++) {
        const cgm_tile tile = {&a->block, &a->segments[a->block.n_segments - 1], &b->block,
                               b->block.n_segments / 2};
        check_tile(comm, &kernel, a, b, &tile);
        check_blocks(comm, &kernel, a, b);
    }
    sample_destroy(a);
    sample_destroy(b);
}

static void test_tiles_of_all_shapes(void **state)
{
    const int64_t features[] = {1, 2, 3, 9};
    const int64_t points[] = {1, 7, 8, 9, 57, 140};
    for (size_t t = 0; t < 3; t++) {
        for (size_t f = 0; f < 4; f++) {
            for (size_t k = 0; k < 6; k++) {
                check_shape(*state, sample_types[t], features[f], points[k], points[5 - k], 13);
            }
        }
        check_shape(*state, sample_types[t], 2, 69, CGM_BLOCK_POINTS, CGM_BLOCK_POINTS);
        check_shape(*state, sample_types[t], 2, CGM_BLOCK_POINTS, 40, CGM_BLOCK_POINTS);
    }
}

static void test_many_features(void **state)
{
    check_shape(*state, CGM_KERNEL_SE, 128, 70, 57, 66);
    check_shape(*state, CGM_KERNEL_SE, 129, 9, 41, 9);
    check_shape(*state, CGM_KERNEL_SE, SAMPLE_FEATURES, 70, 57, 66);
    check_shape(*state, CGM_KERNEL_RQ, SAMPLE_FEATURES, 9, 41, 9);
}

/* Squaring doubles the relative error of the first exponential from rung to rung. */
static void test_long_ladder(void **state)
{
    cgm_comm *comm = *state;
    cgm_kernel kernel = sample_kernel(CGM_KERNEL_SE, 3, CGM_PORTABLE);
    kernel.lengthscale = 4.0;
    sample *s = sample_create(comm, &kernel, 100, 100, 2);
    const cgm_tile tile = {&s->block, s->segments, &s->block, 0};
    static double ladder[CGM_LADDER_RUNGS * CGM_BLOCK_POINTS];
    for (; kernel.instruction_set <= cgm_instruction_set_best(); kernel.instruction_set++) {
        cgm_kernel_ladder(&kernel, &tile, CGM_LADDER_RUNGS, ladder);
        for (int rung = 0; rung < CGM_LADDER_RUNGS; rung++) {
            exact_sums exact;
            cgm_kernel at = kernel;
            at.lengthscale = kernel.lengthscale * pow(0.5, 0.5 * rung);
            sum_exactly(&at, s, s->segments, s, &exact);
            assert_close_array(comm, ladder + rung * CGM_BLOCK_POINTS, exact.columns, 100,
                               CGM_TEST_EVALUATION * pow(2.0, rung), 0.0);
        }
    }
    sample_destroy(s);
}

/* ---- distances ---- */

static void check_distances(cgm_comm *comm, const cgm_kernel *kernel, const sample *a,
                            const sample *b)
{
    const cgm_tile tile = {&a->block, &a->segments[0], &b->block, 0};
    double least[CGM_BLOCK_POINTS];
    double most[CGM_BLOCK_POINTS];
    double expected_least[CGM_BLOCK_POINTS];
    double expected_most[CGM_BLOCK_POINTS];
    double x[SAMPLE_FEATURES], y[SAMPLE_FEATURES];
    for (int64_t j = 0; j < b->block.n_points; j++) {
        expected_least[j] = INFINITY;
        expected_most[j] = -INFINITY;
        cgm_kernel_point(kernel, &b->block, j, y);
        for (int64_t i = 0; i < a->segments[0].n_points; i++) {
            double q = 0.0;
            cgm_kernel_point(kernel, &a->block, i, x);
            for (int64_t f = 0; f < kernel->n_features; f++) {
                q += (x[f] - y[f]) * (x[f] - y[f]);
            }
            if (a != b || i != j) {
                expected_least[j] = fmin(q, expected_least[j]);
                expected_most[j] = fmax(q, expected_most[j]);
            }
        }
    }
    cgm_kernel_distances(kernel, &tile, least, most);
    assert_close_array(comm, least, expected_least, b->block.n_points, CGM_TEST_EVALUATION, 0.0);
    assert_close_array(comm, most, expected_most, b->block.n_points, CGM_TEST_EVALUATION, 0.0);
}

static void test_distances(void **state)
{
    cgm_comm *comm = *state;
    const int64_t features[] = {1, 3, 130};
    for (int f = 0; f < 3; f++) {
        cgm_kernel kernel = sample_kernel(CGM_KERNEL_SE, features[f], CGM_PORTABLE);
        sample *a = sample_create(comm, &kernel, 75, 50, 2);
        sample *b = sample_create(comm, &kernel, 61, 61, 3);
        sample *one = sample_create(comm, &kernel, 1, 1, 4);
        for (; kernel.instruction_set <= cgm_instruction_set_best(); kernel.instruction_set++) {
            check_distances(comm, &kernel, a, b);
            check_distances(comm, &kernel, a, a);
            check_distances(comm, &kernel, one, one);
        }
        sample_destroy(a);
        sample_destroy(b);
        sample_destroy(one);
    }
}

/* ---- what results must not depend on ---- */

/* Everything that a tile gives for its columns, one after the other. */
enum { RESULTS = 4 + FEW_RUNGS };

static void compute_all(const cgm_kernel *kernel, const cgm_tile *tile,
                        double results[RESULTS][CGM_BLOCK_POINTS])
{
    double sums[CGM_BLOCK_POINTS];
    memset(results, 0, RESULTS * sizeof results[0]);
    cgm_kernel_columns(kernel, tile, results[0]);
    cgm_kernel_slopes(kernel, tile, sums, results[1]);
    cgm_kernel_distances(kernel, tile, results[2], results[3]);
    cgm_kernel_ladder(kernel, tile, FEW_RUNGS, results[4]);
}

/* Columns first .. first + count - 1 of one tile are bit for bit those from 0 on of another. */
static bool same_columns(double a[RESULTS][CGM_BLOCK_POINTS], int64_t first,
                         double b[RESULTS][CGM_BLOCK_POINTS], int64_t count)
{
    bool same = true;
    for (int r = 0; r < RESULTS; r++) {
        same = same && memcmp(a[r] + first, b[r], (size_t)count * sizeof(double)) == 0;
    }
    return same;
}

/* The same rows at another place of another block against the same columns in other lanes, beside
 * other points, in a block of another size. */
static void check_independence(cgm_comm *comm, const cgm_kernel *kernel, int64_t row_shift,
                               int64_t column_shift)
{
    enum { N_ROWS = 71, N_COLUMNS = 45 };
    static double here[RESULTS][CGM_BLOCK_POINTS];
    static double there[RESULTS][CGM_BLOCK_POINTS];
    const int64_t d = kernel->n_features;
    sample *a = sample_create(comm, kernel, N_ROWS, N_ROWS, 2);
    sample *b = sample_create(comm, kernel, N_COLUMNS, N_COLUMNS, 3);
    sample *c = sample_create(comm, kernel, N_ROWS + row_shift, N_ROWS + row_shift, 4);
    sample *e = sample_create(comm, kernel, N_COLUMNS + 2 * column_shift, 1, 5);
    memcpy(c->points + row_shift * d, a->points, (size_t)(N_ROWS * d) * sizeof(double));
    memcpy(e->points + column_shift * d, b->points, (size_t)(N_COLUMNS * d) * sizeof(double));
    sample_pack(kernel, c);
    sample_pack(kernel, e);
    const cgm_segment moved = {.n_points = N_ROWS, .begin = row_shift};
    const cgm_tile first = {&a->block, a->segments, &b->block, 0};
    const cgm_tile second = {&c->block, &moved, &e->block, 0};
    const cgm_tile from_segment = {&c->block, &moved, &e->block, column_shift};
    compute_all(kernel, &first, here);
    compute_all(kernel, &second, there);
    assert_all_ranks(comm, same_columns(there, column_shift, here, N_COLUMNS));
    compute_all(kernel, &from_segment, there);
    assert_all_ranks(comm, same_columns(there, column_shift, here, N_COLUMNS));
    sample_destroy(a);
    sample_destroy(b);
    sample_destroy(c);
    sample_destroy(e);
}

static void test_columns_depend_on_rows_and_point_alone(void **state)
{
    const int64_t features[] = {1, 2, 9, 140};
    const int64_t shifts[] = {1, 3, 8, 37};
    for (int t = 0; t < 3; t++) {
        for (int f = 0; f < 4; f++) {
            cgm_kernel kernel = sample_kernel(sample_types[t], features[f], CGM_PORTABLE);
            for (; kernel.instruction_set <= cgm_instruction_set_best(); kernel.instruction_set++) {
                for (int k = 0; k < 4; k++) {
                    check_independence(*state, &kernel, shifts[k], shifts[3 - k]);
                }
            }
        }
    }
}

static void check_sets(cgm_comm *comm, cgm_kernel_type type, int64_t n_features)
{
    enum { N_ROWS = 300, N_COLUMNS = 301 };
    static double results[CGM_INSTRUCTION_SETS][RESULTS + 2][CGM_BLOCK_POINTS];
    cgm_kernel kernel = sample_kernel(type, n_features, CGM_PORTABLE);
    sample *a = sample_create(comm, &kernel, N_ROWS, N_ROWS, 2);
    sample *b = sample_create(comm, &kernel, N_COLUMNS, N_COLUMNS, 3);
    const cgm_tile tile = {&a->block, a->segments, &b->block, 0};
    const cgm_instruction_set best = cgm_instruction_set_best();
    for (; kernel.instruction_set <= best; kernel.instruction_set++) {
        double(*mine)[CGM_BLOCK_POINTS] = results[kernel.instruction_set];
        compute_all(&kernel, &tile, mine);
        cgm_kernel_rows_and_columns(&kernel, &a->block, &b->block, mine[RESULTS],
                                    mine[RESULTS + 1]);
        for (int r = 0; r < RESULTS + 2; r++) {
            assert_close_array(comm, mine[r], results[CGM_PORTABLE][r],
                               r == RESULTS ? N_ROWS : N_COLUMNS, CGM_TEST_INSTRUCTION_SETS, 0.0);
        }
    }
    if (best == CGM_AVX512) {
        assert_all_ranks(comm,
                         memcmp(results[CGM_AVX2], results[CGM_AVX512], sizeof results[0]) == 0);
    }
    sample_destroy(a);
    sample_destroy(b);
}

static void test_instruction_sets_agree(void **state)
{
    for (int t = 0; t < 3; t++) {
        check_sets(*state, sample_types[t], 1);
        check_sets(*state, sample_types[t], 5);
        check_sets(*state, sample_types[t], 200);
    }
}

/* ---- packing ---- */

/* Shifting all points moves no kernel value: packing subtracts the centre before it scales. */
static void test_far_from_the_origin(void **state)
{
    cgm_comm *comm = *state;
    const double shift = 0x1p30;
    const double near_centre[] = {0.5, 0.5};
    const double far_centre[] = {shift + 0.5, shift + 0.5};
    cgm_kernel kernel = {.n_features = 2, .lengthscale = 0.1, .centre = near_centre};
    sample *s = sample_create(comm, &kernel, 100, 100, 4);
    for (; kernel.instruction_set <= cgm_instruction_set_best(); kernel.instruction_set++) {
        const cgm_tile tile = {&s->block, s->segments, &s->block, 0};
        double near[CGM_BLOCK_POINTS], far[CGM_BLOCK_POINTS];
        for (int k = 0; k < 200; k++) {
            s->points[k] = nearbyint(s->points[k] * 0x1p20) * 0x1p-20; /* shifts are exact */
        }
        kernel.centre = near_centre;
        sample_pack(&kernel, s);
        cgm_kernel_columns(&kernel, &tile, near);
        for (int k = 0; k < 200; k++) {
            s->points[k] += shift;
        }
        kernel.centre = far_centre;
        sample_pack(&kernel, s);
        cgm_kernel_columns(&kernel, &tile, far);
        assert_all_ranks(comm, memcmp(near, far, 100 * sizeof near[0]) == 0);
        for (int k = 0; k < 200; k++) {
            s->points[k] -= shift;
        }
    }
    sample_destroy(s);
}

/* Distances whose squares overflow give 0, coincident points exactly κ. */
static void test_extreme_distances(void **state)
{
    cgm_comm *comm = *state;
    const double centre[] = {0.0};
    double points[] = {-1e150, 1e150, 1e150, 0.0};
    const cgm_segment segment = {.n_points = 4};
    for (int t = 0; t < 3; t++) {
        cgm_kernel kernel = {
            .type = sample_types[t], .n_features = 1, .lengthscale = 1e-150, .centre = centre};
        double coordinates[8];
        cgm_block block = {.n_points = 4,
                           .stride = 8,
                           .coordinates = coordinates,
                           .n_segments = 1,
                           .segments = &segment};
        cgm_kernel_pack(&kernel, points, &segment, &block);
        const double one = cgm_kernel_diagonal(&kernel);
        const double expected[8] = {one, 2.0 * one, 2.0 * one, one};
        for (; kernel.instruction_set <= cgm_instruction_set_best(); kernel.instruction_set++) {
            double rows[8], columns[8];
            cgm_kernel_rows_and_columns(&kernel, &block, &block, rows, columns);
            assert_all_ranks(comm, memcmp(rows, expected, 4 * sizeof rows[0]) == 0);
            assert_all_ranks(comm, memcmp(columns, expected, sizeof expected) == 0);
        }
    }
}

/* A lengthscale a feature is the same as one lengthscale of points divided by them. */
static void test_lengthscale_a_feature(void **state)
{
    cgm_comm *comm = *state;
    const double centre[] = {0.0, 0.0, 0.0};
    const double lengthscales[] = {0.2, 0.5, 3.0};
    const cgm_kernel one = {.n_features = 3, .lengthscale = 1.0, .centre = centre};
    cgm_kernel each = one;
    each.feature_lengthscales = lengthscales;
    double sums[2][CGM_BLOCK_POINTS];
    sample *s = sample_create(comm, &each, 100, 100, 4);
    const cgm_tile tile = {&s->block, s->segments, &s->block, 0};
    cgm_kernel_columns(&each, &tile, sums[0]);
    for (int k = 0; k < 300; k++) {
        s->points[k] /= lengthscales[k % 3];
    }
    sample_pack(&one, s);
    cgm_kernel_columns(&one, &tile, sums[1]);
    assert_close_array(comm, sums[0], sums[1], 100, CGM_TEST_PRESCALED, 0.0);
    sample_destroy(s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiles_of_all_shapes),
        cmocka_unit_test(test_many_features),
        cmocka_unit_test(test_long_ladder),
        cmocka_unit_test(test_distances),
        cmocka_unit_test(test_columns_depend_on_rows_and_point_alone),
        cmocka_unit_test(test_instruction_sets_agree),
        cmocka_unit_test(test_far_from_the_origin),
        cmocka_unit_test(test_extreme_distances),
        cmocka_unit_test(test_lengthscale_a_feature),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
