#include "cgm/kernel.h"

#include <math.h>
#include <string.h>

/* Packed coordinates are the points' divided by ℓ and multiplied by √(log2(e)/2), so that
 * k(x, y) = 2^-q with q their squared distance. */
#define PACK_SCALE 0.84932180028801904272
#define LOG2_E 1.44269504088896340736
#define LN_2 0.69314718055994530942
/* Beyond this q the kernel counts as exactly 0: 2^-1022 is the smallest normal number. */
#define LARGEST_EXPONENT 1021.0
/* Adding this number leaves q rounded to an integer in the lowest bits of the sum. */
#define ROUNDING 0x1.8p52

/* Minimax polynomial of 2^-r on [-1/2, 1/2], relative error 2.2e-16; exactly 1 at 0. */
static const double exp2_coefficients[] = {
    1.0000000000000000661,     -0.6931471805599497751,      0.24022650695908767759,
    -0.055504108664458830977,  0.0096181291080346008406,    -0.0013333558228561828376,
    0.00015403529961122491032, -0.000015252658116373508718, 1.3215662838157789268e-6,
    -1.0208537936474793714e-7, 7.0372784827439363237e-9};

/* 2^-q for q ≥ 0; 0 beyond LARGEST_EXPONENT, infinity and NaN included. Written without branches so
 * that the compiler turns the loops around it into vector code. */
static inline double exp2_negative(double q)
{
    const double *c = exp2_coefficients;
    double in_range = q < LARGEST_EXPONENT ? q : LARGEST_EXPONENT;
    double rounded = ROUNDING - in_range;
    double r = in_range + (rounded - ROUNDING);
    double p = c[10];
    p = p * r + c[9];
    p = p * r + c[8];
    p = p * r + c[7];
    p = p * r + c[6];
    p = p * r + c[5];
    p = p * r + c[4];
    p = p * r + c[3];
    p = p * r + c[2];
    p = p * r + c[1];
    p = p * r + c[0];
    uint64_t exponent;
    uint64_t bits;
    memcpy(&exponent, &rounded, sizeof exponent);
    memcpy(&bits, &p, sizeof bits);
    bits += exponent << 52;
    memcpy(&p, &bits, sizeof p);
    return q < LARGEST_EXPONENT ? p : 0.0;
}

/* Sum of lanes that were added up side by side, always in this order. */
static double sum_lanes(const double lanes[CGM_LANES])
{
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
           ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

static void add_lanes(const double *restrict values, int64_t count, double lanes[CGM_LANES])
{
    for (int64_t j = 0; j < count; j += CGM_LANES) {
        for (int l = 0; l < CGM_LANES; l++) {
            lanes[l] += values[j + l];
        }
    }
}

/* q between one point of a and all of b, padded points included. */
static void squared_distances(const cgm_kernel *kernel, const cgm_block *a, int64_t point,
                              const cgm_block *b, double *restrict q)
{
    const double first = a->coordinates[point];
    const double *restrict y = b->coordinates;
    for (int64_t j = 0; j < b->stride; j++) {
        double difference = first - y[j];
        q[j] = difference * difference;
    }
    for (int64_t f = 1; f < kernel->n_features; f++) {
        const double x = a->coordinates[f * a->stride + point];
        y = b->coordinates + f * b->stride;
        for (int64_t j = 0; j < b->stride; j++) {
            double difference = x - y[j];
            q[j] += difference * difference;
        }
    }
}

double cgm_kernel_diagonal(const cgm_kernel *kernel)
{
    (void)kernel;
    return 1.0;
}

void cgm_kernel_pack(const cgm_kernel *kernel, const double *points, cgm_block *block)
{
    const double scale = PACK_SCALE / kernel->lengthscale;
    for (int64_t f = 0; f < kernel->n_features; f++) {
        double *row = block->coordinates + f * block->stride;
        for (int64_t i = 0; i < block->n_points; i++) {
            row[i] = (points[i * kernel->n_features + f] - kernel->centre[f]) * scale;
        }
        for (int64_t i = block->n_points; i < block->stride; i++) {
            row[i] = INFINITY;
        }
    }
}

double cgm_kernel_tile(const cgm_kernel *kernel, const cgm_block *a, const cgm_block *b,
                       double *restrict row_sums, double *restrict column_sums)
{
    double k[CGM_BLOCK_POINTS];
    double total = 0.0;
    memset(column_sums, 0, (size_t)b->stride * sizeof *column_sums);
    for (int64_t i = 0; i < a->n_points; i++) {
        double lanes[CGM_LANES] = {0.0};
        squared_distances(kernel, a, i, b, k);
        for (int64_t j = 0; j < b->stride; j++) {
            k[j] = exp2_negative(k[j]);
            column_sums[j] += k[j];
        }
        add_lanes(k, b->stride, lanes);
        row_sums[i] = sum_lanes(lanes);
        total += row_sums[i];
    }
    return total;
}

double cgm_kernel_slope(const cgm_kernel *kernel, const cgm_block *a, const cgm_block *b,
                        double *slope)
{
    double k[CGM_BLOCK_POINTS];
    double kq[CGM_BLOCK_POINTS];
    double total = 0.0;
    double total_slope = 0.0;
    for (int64_t i = 0; i < a->n_points; i++) {
        double lanes[CGM_LANES] = {0.0};
        double slope_lanes[CGM_LANES] = {0.0};
        squared_distances(kernel, a, i, b, k);
        for (int64_t j = 0; j < b->stride; j++) {
            /* Where the kernel is 0 the slope is, though q may be infinite. */
            double q = k[j] < LARGEST_EXPONENT ? k[j] : LARGEST_EXPONENT;
            k[j] = exp2_negative(k[j]);
            kq[j] = k[j] * q;
        }
        add_lanes(k, b->stride, lanes);
        add_lanes(kq, b->stride, slope_lanes);
        total += sum_lanes(lanes);
        total_slope += sum_lanes(slope_lanes);
    }
    *slope = 2.0 * LN_2 * total_slope;
    return total;
}

void cgm_kernel_ladder(const cgm_kernel *kernel, const cgm_block *a, const cgm_block *b,
                       int n_rungs, double *sums)
{
    double k[CGM_BLOCK_POINTS];
    memset(sums, 0, (size_t)n_rungs * sizeof *sums);
    for (int64_t i = 0; i < a->n_points; i++) {
        squared_distances(kernel, a, i, b, k);
        for (int64_t j = 0; j < b->stride; j++) {
            k[j] = exp2_negative(k[j]);
        }
        for (int rung = 0; rung < n_rungs; rung++) {
            double lanes[CGM_LANES] = {0.0};
            add_lanes(k, b->stride, lanes);
            sums[rung] += sum_lanes(lanes);
            for (int64_t j = 0; j < b->stride; j++) {
                k[j] *= k[j];
            }
        }
    }
}

void cgm_kernel_row(const cgm_kernel *kernel, const cgm_block *a, int64_t point, const cgm_block *b,
                    double *row)
{
    squared_distances(kernel, a, point, b, row);
    for (int64_t j = 0; j < b->stride; j++) {
        row[j] = exp2_negative(row[j]);
    }
}

void cgm_kernel_exponential(const double *z, double *result, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        result[i] = exp2_negative(z[i] * LOG2_E);
    }
}
