/* The loops of the kernel over register tiles of ROWS rows times VECTORS vectors of columns, once
 * for all instruction sets (kernel_vectors.h says what a set's file defines); kernel_scores.h goes
 * on from here.
 *
 * A column's sum is added up row after row, a squared distance feature after feature: tiles decide
 * what is in registers at a time, never the order in which something is added. So lanes, strips,
 * remainders and tile shapes do not show in results. */
#ifndef CGM_KERNEL_LOOPS_H
#define CGM_KERNEL_LOOPS_H

#include <stdbool.h>
#ifdef __SSE__
#include <xmmintrin.h>
#endif

#include "kernel_vectors.h"

enum {
    /* Rows and features that are worked on at a time: their coordinates stay in the caches while
     * they are used again and again. */
    STRIP_ROWS = 64,
    STRIP_FEATURES = 128,
    /* Rows from which on a tile is worth a look at its columns beforehand. */
    LEAST_ROWS = 64,
    MOST_VECTORS = 4
};
_Static_assert(CGM_LANES % LANES == 0, "a group of points is a number of vectors");
_Static_assert(VECTORS *LANES % CGM_LANES == 0, "a tile is a number of groups of points");

/* ---- register tiles ---- */

typedef enum operation { COLUMNS, ROWS_AND_COLUMNS, SLOPES, LADDER, DISTANCES, NEAREST } operation;

/* What code for a tile is made for: constants where it is called, so that it is compiled for each.
 */
typedef struct shape {
    operation op;
    cgm_kernel_type type;
    int rows;
    int vectors;
    int n_features; /* or 0: any */
    bool all_near;  /* no squared distance reaches the limit (kernel_vectors.h) */
} shape;

/* Squared distances of a tile: of each vector of columns to the rows. */
typedef vector tile_distances[MOST_VECTORS][MOST_AT_A_TIME];

/* Adds feature f to the squared distances of rows x[a] and vectors y[b] of columns; x_step: from a
 * row's feature to its next. */
INLINE void add_feature(int n_rows, int n_vectors, const double *const *x, int64_t x_step,
                        const double *const *y, int64_t f, tile_distances q)
{
    vector columns[MOST_VECTORS];
    UNROLLED for (int b = 0; b < n_vectors; b++)
    {
        columns[b] = load(y[b] + f * CGM_LANES);
    }
    UNROLLED for (int a = 0; a < n_rows; a++)
    {
        const vector row = broadcast(x[a][f * x_step]);
        UNROLLED for (int b = 0; b < n_vectors; b++)
        {
            const vector difference = columns[b] - row;
            q[b][a] = multiply_add(difference, difference, q[b][a]);
        }
    }
}

/* ---- what becomes of the squared distances ---- */

/* One segment or block of rows against the columns of a block. Results of columns are read and
 * written where they stand: a tile is long enough for that to cost nothing. */
typedef struct work {
    const cgm_kernel *kernel;
    const cgm_block *rows;
    const cgm_block *columns;
    int64_t first_row, end_row;
    int64_t first_column; /* a multiple of CGM_LANES */
    int n_rungs;
    double *results[2]; /* [columns->stride], or laid out like n_rungs features of the columns */
    double (*row_lanes)[CGM_LANES]; /* [rows->n_points] a row's sum, split by the columns' lanes */
} work;

INLINE void finish_columns(const work *w, shape s, int64_t column, tile_distances q)
{
    UNROLLED for (int b = 0; b < s.vectors; b++)
    {
        double *sums = w->results[0] + column + b * LANES;
        product k[MOST_AT_A_TIME];
        vector slope[MOST_AT_A_TIME];
        evaluate(s.type, s.all_near, s.rows, q[b], k, slope);
        vector sum = load(sums);
        UNROLLED for (int a = 0; a < s.rows; a++)
        {
            sum = add_product(k[a], sum);
        }
        store(sums, sum);
    }
}

INLINE void finish_rows_and_columns(const work *w, shape s, int64_t row, int64_t column,
                                    tile_distances q)
{
    UNROLLED for (int b = 0; b < s.vectors; b++)
    {
        const int64_t lane = b * LANES % CGM_LANES;
        double *sums = w->results[0] + column + b * LANES;
        product k[MOST_AT_A_TIME];
        vector slope[MOST_AT_A_TIME];
        evaluate(s.type, s.all_near, s.rows, q[b], k, slope);
        vector sum = load(sums);
        UNROLLED for (int a = 0; a < s.rows; a++)
        {
            double *lanes = w->row_lanes[row + a] + lane;
            store(lanes, add_product(k[a], load(lanes)));
            sum = add_product(k[a], sum);
        }
        store(sums, sum);
    }
}

INLINE void finish_slopes(const work *w, shape s, int64_t column, tile_distances q)
{
    UNROLLED for (int b = 0; b < s.vectors; b++)
    {
        double *sums = w->results[0] + column + b * LANES;
        double *slopes = w->results[1] + column + b * LANES;
        product k[MOST_AT_A_TIME];
        vector slope[MOST_AT_A_TIME];
        evaluate(s.type, s.all_near, s.rows, q[b], k, slope);
        vector sum = load(sums);
        vector slope_sum = load(slopes);
        UNROLLED for (int a = 0; a < s.rows; a++)
        {
            sum = add_product(k[a], sum);
            slope_sum = slope_sum + slope[a];
        }
        store(sums, sum);
        store(slopes, slope_sum);
    }
}

/* An se is squared from rung to rung, of the others q is doubled. The sums of a column's rungs
 * stand together: a multiple of 4096 bytes apart, loads would wait for stores that do not concern
 * them. */
INLINE void finish_ladder(const work *w, shape s, int64_t column, tile_distances q)
{
    UNROLLED for (int b = 0; b < s.vectors; b++)
    {
        double *sums = w->results[0] + kernel_place(w->n_rungs, column + b * LANES);
        vector k[MOST_AT_A_TIME];
        for (int rung = 0; rung < w->n_rungs; rung++, sums += CGM_LANES) {
            vector sum = load(sums);
            if (s.type != CGM_KERNEL_SE || rung == 0) {
                product p[MOST_AT_A_TIME];
                vector slope[MOST_AT_A_TIME];
                evaluate(s.type, s.all_near, s.rows, q[b], p, slope);
                UNROLLED for (int a = 0; a < s.rows; a++)
                {
                    k[a] = p[a].a * p[a].b;
                    q[b][a] = q[b][a] + q[b][a];
                }
            } else {
                UNROLLED for (int a = 0; a < s.rows; a++)
                {
                    k[a] = k[a] * k[a];
                }
            }
            UNROLLED for (int a = 0; a < s.rows; a++)
            {
                sum = sum + k[a];
            }
            store(sums, sum);
        }
    }
}

/* A point's distance to itself becomes NaN, which is neither below nor above anything. */
INLINE vector without_itself(const work *w, int64_t row, int64_t column, vector q)
{
    if (w->rows != w->columns || row < column || row >= column + LANES) {
        return q;
    }
    double lanes[LANES];
    store(lanes, q);
    lanes[row - column] = NAN;
    return load(lanes);
}

INLINE void finish_distances(const work *w, shape s, int64_t row, int64_t column, tile_distances q)
{
    UNROLLED for (int b = 0; b < s.vectors; b++)
    {
        double *least = w->results[0] + column + b * LANES;
        double *most = w->results[1] + column + b * LANES;
        vector low = load(least);
        vector high = load(most);
        UNROLLED for (int a = 0; a < s.rows; a++)
        {
            const vector other = without_itself(w, row + a, column + b * LANES, q[b][a]);
            low = smaller(other, low);
            high = larger(other, high);
        }
        store(least, low);
        store(most, high);
    }
}

/* Some rows' squared distances to a vector of columns into the lists of these. */
static __attribute__((noinline)) void insert(double *list, const double (*squared)[LANES], int rows)
{
    for (int a = 0; a < rows; a++) {
        vector rest = load(squared[a]);
        UNROLLED for (int k = 0; k < CGM_NEAREST; k++)
        {
            const vector kept = load(list + k * CGM_LANES);
            store(list + k * CGM_LANES, smaller(rest, kept));
            rest = larger(rest, kept);
        }
    }
}

/* After the first rows hardly any is nearer than the last of a list. */
INLINE void finish_nearest(const work *w, shape s, int64_t column, tile_distances q)
{
    UNROLLED for (int b = 0; b < s.vectors; b++)
    {
        double *list = w->results[0] + kernel_place(CGM_NEAREST, column + b * LANES);
        vector least = q[b][0];
        UNROLLED for (int a = 1; a < s.rows; a++)
        {
            least = smaller(q[b][a], least);
        }
        if (__builtin_expect(any_smaller(least, load(list + (CGM_NEAREST - 1) * CGM_LANES)), 0)) {
            double squared[MOST_AT_A_TIME][LANES];
            UNROLLED for (int a = 0; a < s.rows; a++)
            {
                store(squared[a], q[b][a]);
            }
            insert(list, (const double(*)[LANES])squared, s.rows);
        }
    }
}

INLINE void finish(const work *w, shape s, int64_t row, int64_t column, tile_distances q)
{
    switch (s.op) {
    case COLUMNS:
        finish_columns(w, s, column, q);
        return;
    case ROWS_AND_COLUMNS:
        finish_rows_and_columns(w, s, row, column, q);
        return;
    case SLOPES:
        finish_slopes(w, s, column, q);
        return;
    case LADDER:
        finish_ladder(w, s, column, q);
        return;
    case DISTANCES:
        finish_distances(w, s, row, column, q);
        return;
    case NEAREST:
        finish_nearest(w, s, column, q);
        return;
    }
}

/* ---- walking over tiles ---- */

/* The tile of some rows and columns over features begin .. end - 1. Squared distances over more
 * than STRIP_FEATURES features wait in parked until they are complete. */
INLINE void visit_tile(const work *w, shape s, int64_t row, int64_t column, int64_t begin,
                       int64_t end, double (*parked)[MOST_VECTORS * LANES])
{
    const int64_t d = s.n_features > 0 ? s.n_features : w->kernel->n_features;
    const double *x[MOST_AT_A_TIME];
    const double *y[MOST_VECTORS];
    tile_distances q;
    UNROLLED for (int b = 0; b < s.vectors; b++)
    {
        y[b] = w->columns->coordinates + kernel_place(d, column + b * LANES);
    }
    UNROLLED for (int a = 0; a < s.rows; a++)
    {
        x[a] = w->rows->coordinates + kernel_place(d, row + a);
        UNROLLED for (int b = 0; b < s.vectors; b++)
        {
            q[b][a] = begin > 0 ? load(&parked[a][b * LANES]) : broadcast(0.0);
        }
    }
    UNROLLED for (int f = 0; f < s.n_features; f++)
    {
        add_feature(s.rows, s.vectors, x, CGM_LANES, y, f, q);
    }
    for (int64_t f = begin; s.n_features == 0 && f < end; f++) {
        add_feature(s.rows, s.vectors, x, CGM_LANES, y, f, q);
    }
    if (end == d) {
        finish(w, s, row, column, q);
        return;
    }
    UNROLLED for (int a = 0; a < s.rows; a++)
    {
        UNROLLED for (int b = 0; b < s.vectors; b++)
        {
            store(&parked[a][b * LANES], q[b][a]);
        }
    }
}

/* Some columns against a strip of rows. */
INLINE void visit_strip(const work *w, shape s, int64_t first_row, int64_t end_row, int64_t column)
{
    _Alignas(64) double parked[STRIP_ROWS][MOST_VECTORS * LANES];
    const int64_t d = s.n_features > 0 ? s.n_features : w->kernel->n_features;
    shape one_row = s;
    one_row.rows = 1;
    for (int64_t begin = 0; begin < d; begin += STRIP_FEATURES) {
        const int64_t end = begin + STRIP_FEATURES < d ? begin + STRIP_FEATURES : d;
        int64_t row = first_row;
        for (; row + s.rows <= end_row; row += s.rows) {
            visit_tile(w, s, row, column, begin, end, parked + (row - first_row));
        }
        for (; row < end_row; row++) {
            visit_tile(w, one_row, row, column, begin, end, parked + (row - first_row));
        }
    }
}

INLINE void visit(const work *w, shape s)
{
    shape one_vector = s;
    one_vector.vectors = 1;
    for (int64_t row = w->first_row; row < w->end_row; row += STRIP_ROWS) {
        const int64_t end = row + STRIP_ROWS < w->end_row ? row + STRIP_ROWS : w->end_row;
        int64_t column = w->first_column;
        for (; column + s.vectors * LANES <= w->columns->stride; column += s.vectors * LANES) {
            visit_strip(w, s, row, end, column);
        }
        for (; column < w->columns->stride; column += LANES) {
            visit_strip(w, one_vector, row, end, column);
        }
    }
}

/* The largest squared distance of a point's to the centre, infinite with padded lanes. */
INLINE double farthest(const cgm_block *block, int64_t d, int64_t first, int64_t end)
{
    vector most = broadcast(0.0);
    for (int64_t i = first / CGM_LANES * CGM_LANES; i < end; i += LANES) {
        const double *x = block->coordinates + kernel_place(d, i);
        vector squared = broadcast(0.0);
        for (int64_t f = 0; f < d; f++) {
            const vector coordinate = load(x + f * CGM_LANES);
            squared = multiply_add(coordinate, coordinate, squared);
        }
        most = larger(squared, most);
    }
    double result = 0.0;
    for (int l = 0; l < LANES; l++) {
        result = most[l] > result ? most[l] : result;
    }
    return result;
}

/* Two points with no more than this to the centre are nearer than the limit: |x - y|² ≤ 2|x|² +
 * 2|y|², with room for rounding. */
#define NEAR (0.24 * EXPONENT_LIMIT)

/* Does no squared distance reach the limit? A look at columns pays with many rows only. */
static bool is_all_near(const work *w)
{
    const int64_t d = w->kernel->n_features;
    if (w->end_row - w->first_row < LEAST_ROWS) {
        return false;
    }
    return farthest(w->rows, d, w->first_row, w->end_row) <= NEAR &&
           farthest(w->columns, d, w->first_column, w->columns->stride) <= NEAR;
}

/* Code for each operation and type, each in a function of its own, as it fills the registers. The
 * long types have enough to do at a time with one row. Few features are not worth a loop. */
#define DEFINE_VISIT(name, op, type, rows, n_features, all_near)                                   \
    static __attribute__((noinline)) void name(const work *w)                                      \
    {                                                                                              \
        visit(w, (shape){op, type, rows, VECTORS, n_features, all_near});                          \
    }

#define DEFINE_VISITS_OF_SE(name, op, all_near)                                                    \
    DEFINE_VISIT(name##_of_two, op, CGM_KERNEL_SE, ROWS_OF_TWO, 2, all_near)                       \
    DEFINE_VISIT(name##_of_four, op, CGM_KERNEL_SE, ROWS, 4, all_near)                             \
    DEFINE_VISIT(name##_of_any, op, CGM_KERNEL_SE, ROWS, 0, all_near)                              \
    static void name(const work *w)                                                                \
    {                                                                                              \
        switch (w->kernel->n_features) {                                                           \
        case 2:                                                                                    \
            name##_of_two(w);                                                                      \
            return;                                                                                \
        case 4:                                                                                    \
            name##_of_four(w);                                                                     \
            return;                                                                                \
        default:                                                                                   \
            name##_of_any(w);                                                                      \
        }                                                                                          \
    }

#define DEFINE_VISITS(name, op)                                                                    \
    DEFINE_VISITS_OF_SE(name##_se_near, op, true)                                                  \
    DEFINE_VISITS_OF_SE(name##_se_far, op, false)                                                  \
    DEFINE_VISIT(name##_se_sum, op, CGM_KERNEL_SE_SUM, 1, 0, false)                                \
    DEFINE_VISIT(name##_rq, op, CGM_KERNEL_RQ, 1, 0, false)                                        \
    static void name##_se(const work *w)                                                           \
    {                                                                                              \
        (is_all_near(w) ? name##_se_near : name##_se_far)(w);                                      \
    }                                                                                              \
    static void name(const work *w)                                                                \
    {                                                                                              \
        static void (*const of_type[])(const work *) = {name##_se, name##_se_sum, name##_rq};      \
        of_type[w->kernel->type](w);                                                               \
    }

DEFINE_VISITS(visit_columns, COLUMNS)
DEFINE_VISITS(visit_rows_and_columns, ROWS_AND_COLUMNS)
DEFINE_VISITS(visit_slopes, SLOPES)
DEFINE_VISITS(visit_ladder, LADDER)
DEFINE_VISIT(visit_distances, DISTANCES, CGM_KERNEL_SE, ROWS, 0, false)
DEFINE_VISITS_OF_SE(visit_nearest, NEAREST, false)

static work work_of_tile(const cgm_kernel *kernel, const cgm_tile *tile, double *result,
                         double *second_result)
{
    const cgm_segment *rows = tile->row_segment;
    return (work){.kernel = kernel,
                  .rows = tile->rows,
                  .columns = tile->columns,
                  .first_row = rows->begin,
                  .end_row = rows->begin + rows->n_points,
                  .first_column =
                      tile->columns->segments[tile->first_segment].begin / CGM_LANES * CGM_LANES,
                  .results = {result, second_result}};
}

/* ---- the operations ---- */

static void fill(double *values, int64_t count, double with)
{
    for (int64_t k = 0; k < count; k++) {
        values[k] = with;
    }
}

static void columns(const cgm_kernel *kernel, const cgm_tile *tile, double *column_sums)
{
    const work w = work_of_tile(kernel, tile, column_sums, NULL);
    fill(column_sums, tile->columns->stride, 0.0);
    visit_columns(&w);
}

/* Sum of lanes that were added up side by side, always in this order. */
static double sum_lanes(const double lanes[CGM_LANES])
{
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
           ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

static void rows_and_columns(const cgm_kernel *kernel, const cgm_block *row_block,
                             const cgm_block *column_block, double *row_sums, double *column_sums)
{
    _Alignas(64) double row_lanes[CGM_BLOCK_POINTS][CGM_LANES];
    const work w = {.kernel = kernel,
                    .rows = row_block,
                    .columns = column_block,
                    .end_row = row_block->n_points,
                    .results = {column_sums},
                    .row_lanes = row_lanes};
    fill(column_sums, column_block->stride, 0.0);
    fill(row_lanes[0], row_block->n_points * CGM_LANES, 0.0);
    visit_rows_and_columns(&w);
    for (int64_t i = 0; i < row_block->n_points; i++) {
        row_sums[i] = sum_lanes(row_lanes[i]);
    }
}

static void slopes(const cgm_kernel *kernel, const cgm_tile *tile, double *column_sums,
                   double *slope_sums)
{
    const work w = work_of_tile(kernel, tile, column_sums, slope_sums);
    fill(column_sums, tile->columns->stride, 0.0);
    fill(slope_sums, tile->columns->stride, 0.0);
    visit_slopes(&w);
    for (int64_t j = w.first_column; j < tile->columns->stride; j++) {
        slope_sums[j] *= 2.0 * LN_2;
    }
}

#ifdef __SSE__
/* Denormal operands and results count as 0. */
static unsigned int flush_denormals(void)
{
    const unsigned int mode = _mm_getcsr();
    _mm_setcsr(mode | 0x8040U);
    return mode;
}

static void restore_denormals(unsigned int mode)
{
    _mm_setcsr(mode);
}
#else
static unsigned int flush_denormals(void)
{
    return 0;
}

static void restore_denormals(unsigned int mode)
{
    (void)mode;
}
#endif

static void ladder(const cgm_kernel *kernel, const cgm_tile *tile, int n_rungs, double *column_sums)
{
    _Alignas(64) double sums[CGM_BLOCK_POINTS * CGM_LADDER_RUNGS];
    const int64_t stride = tile->columns->stride;
    work w = work_of_tile(kernel, tile, sums, NULL);
    w.n_rungs = n_rungs;
    fill(sums, n_rungs * stride, 0.0);
    /* Squares of squares soon are denormal numbers, on which processors lose time. */
    const unsigned int mode = flush_denormals();
    visit_ladder(&w);
    restore_denormals(mode);
    for (int rung = 0; rung < n_rungs; rung++) {
        for (int64_t j = 0; j < stride; j++) {
            column_sums[rung * CGM_BLOCK_POINTS + j] =
                sums[kernel_place(n_rungs, j) + rung * CGM_LANES];
        }
    }
}

static void distances(const cgm_kernel *kernel, const cgm_tile *tile, double *least, double *most)
{
    const work w = work_of_tile(kernel, tile, least, most);
    fill(least, tile->columns->stride, INFINITY);
    fill(most, tile->columns->stride, -INFINITY);
    visit_distances(&w);
}

static void nearest(const cgm_kernel *kernel, const cgm_tile *tile, double *nearest_distances)
{
    const work w = work_of_tile(kernel, tile, nearest_distances, NULL);
    visit_nearest(&w);
}

#endif
