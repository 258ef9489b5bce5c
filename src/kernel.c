#include "cgm/kernel.h"

#include <float.h>
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

/* log2 of p ≥ 1 by its series on [√½, √2): 2/ln 2 · atanh(f), f = (m − 1)/(m + 1), |f| ≤ 0.1716. */
static inline double log2_from_one(double p)
{
    uint64_t bits;
    memcpy(&bits, &p, sizeof bits);
    /* Exponent of p / √½: leaves a mantissa centred on 1. */
    const uint64_t shift = (bits - UINT64_C(0x3fe6a09e667f3bcd)) >> 52;
    bits -= shift << 52;
    double m;
    memcpy(&m, &bits, sizeof m);
    /* An integer becomes a double by standing in the mantissa of 2^52. */
    uint64_t exponent_bits = shift | UINT64_C(0x4330000000000000);
    double exponent;
    memcpy(&exponent, &exponent_bits, sizeof exponent);
    const double f = (m - 1.0) / (m + 1.0);
    const double g = f * f;
    double series = 1.0 / 21.0;
    series = series * g + 1.0 / 19.0;
    series = series * g + 1.0 / 17.0;
    series = series * g + 1.0 / 15.0;
    series = series * g + 1.0 / 13.0;
    series = series * g + 1.0 / 11.0;
    series = series * g + 1.0 / 9.0;
    series = series * g + 1.0 / 7.0;
    series = series * g + 1.0 / 5.0;
    series = series * g + 1.0 / 3.0;
    series = series * g + 1.0;
    return (exponent - 0x1p52) + 2.0 * LOG2_E * f * series;
}

/* (1 + s/a)^-a for a = 0.1, 1, 10 with s = r²/(2ℓ²) ≥ 0 finite. */
static inline double rq_tenth(double s)
{
    return exp2_negative(0.1 * log2_from_one(1.0 + 10.0 * s));
}

static inline double rq_one(double s)
{
    return 1.0 / (1.0 + s);
}

static inline double rq_ten(double s)
{
    const double p = 1.0 + 0.1 * s;
    const double p2 = p * p;
    const double p4 = p2 * p2;
    return 1.0 / (p4 * p4 * p2);
}

/* Padded points, and those whose squared distance overflows, are infinitely far: there k = 0. For
 * them the arithmetic goes on with a number that harms nothing. */
static inline double finite_or_zero(double q)
{
    return q <= DBL_MAX ? q : 0.0;
}

/* From squared distances in packed units to kernel values, in place. */
static void evaluate(const cgm_kernel *kernel, int64_t count, double *restrict k)
{
    switch (kernel->type) {
    case CGM_KERNEL_SE:
        for (int64_t j = 0; j < count; j++) {
            k[j] = exp2_negative(k[j]);
        }
        return;
    case CGM_KERNEL_SE_SUM:
        for (int64_t j = 0; j < count; j++) {
            const double q = k[j];
            k[j] = exp2_negative(q * 100.0) + exp2_negative(q) + exp2_negative(q * 0.01);
        }
        return;
    case CGM_KERNEL_RQ:
        for (int64_t j = 0; j < count; j++) {
            const double q = k[j];
            const double s = LN_2 * finite_or_zero(q);
            const double sum = rq_tenth(s) + rq_one(s) + rq_ten(s);
            k[j] = q <= DBL_MAX ? sum : 0.0;
        }
        return;
    }
}

/* k·2 ln 2·q: the derivative of an exponential by log ℓ; 0 where it is 0, though q may be infinite.
 */
static inline double se_slope(double k, double q)
{
    return 2.0 * LN_2 * k * (q < LARGEST_EXPONENT ? q : LARGEST_EXPONENT);
}

/* As evaluate, with ∂k/∂(log ℓ) beside it. */
static void evaluate_slope(const cgm_kernel *kernel, int64_t count, double *restrict k,
                           double *restrict slope)
{
    switch (kernel->type) {
    case CGM_KERNEL_SE:
        for (int64_t j = 0; j < count; j++) {
            const double q = k[j];
            k[j] = exp2_negative(q);
            slope[j] = se_slope(k[j], q);
        }
        return;
    case CGM_KERNEL_SE_SUM:
        for (int64_t j = 0; j < count; j++) {
            const double q = k[j];
            const double narrow = exp2_negative(q * 100.0);
            const double middle = exp2_negative(q);
            const double wide = exp2_negative(q * 0.01);
            k[j] = narrow + middle + wide;
            slope[j] = se_slope(narrow, q * 100.0) + se_slope(middle, q) + se_slope(wide, q * 0.01);
        }
        return;
    case CGM_KERNEL_RQ:
        for (int64_t j = 0; j < count; j++) {
            const double q = k[j];
            const double s = LN_2 * finite_or_zero(q);
            const double tenth = rq_tenth(s);
            const double one = rq_one(s);
            const double ten = rq_ten(s);
            const double by_s = tenth / (1.0 + 10.0 * s) + one * one + ten / (1.0 + 0.1 * s);
            k[j] = q <= DBL_MAX ? tenth + one + ten : 0.0;
            slope[j] = q <= DBL_MAX ? 2.0 * s * by_s : 0.0;
        }
        return;
    }
}

const char *cgm_kernel_name(cgm_kernel_type type)
{
    static const char *const names[] = {"se", "se_sum", "rq"};
    return names[type];
}

double cgm_kernel_diagonal(const cgm_kernel *kernel)
{
    return kernel->type == CGM_KERNEL_SE ? 1.0 : 3.0;
}

void cgm_kernel_pack(const cgm_kernel *kernel, const double *points, cgm_block *block)
{
    const double *by_feature = kernel->feature_lengthscales;
    for (int64_t f = 0; f < kernel->n_features; f++) {
        const double scale =
            PACK_SCALE / (by_feature != NULL ? by_feature[f] : kernel->lengthscale);
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
        evaluate(kernel, b->stride, k);
        for (int64_t j = 0; j < b->stride; j++) {
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
    double slopes[CGM_BLOCK_POINTS];
    double total = 0.0;
    double total_slope = 0.0;
    for (int64_t i = 0; i < a->n_points; i++) {
        double lanes[CGM_LANES] = {0.0};
        double slope_lanes[CGM_LANES] = {0.0};
        squared_distances(kernel, a, i, b, k);
        evaluate_slope(kernel, b->stride, k, slopes);
        add_lanes(k, b->stride, lanes);
        add_lanes(slopes, b->stride, slope_lanes);
        total += sum_lanes(lanes);
        total_slope += sum_lanes(slope_lanes);
    }
    *slope = total_slope;
    return total;
}

/* The next rung of the ladder from this one's k (`se`) or squared distances (others). */
static void descend(const cgm_kernel *kernel, int64_t count, double *restrict k, double *restrict q)
{
    if (kernel->type == CGM_KERNEL_SE) {
        for (int64_t j = 0; j < count; j++) {
            k[j] *= k[j];
        }
        return;
    }
    for (int64_t j = 0; j < count; j++) {
        q[j] *= 2.0;
        k[j] = q[j];
    }
    evaluate(kernel, count, k);
}

void cgm_kernel_ladder(const cgm_kernel *kernel, const cgm_block *a, const cgm_block *b,
                       int n_rungs, double *sums)
{
    double q[CGM_BLOCK_POINTS];
    double k[CGM_BLOCK_POINTS];
    memset(sums, 0, (size_t)n_rungs * sizeof *sums);
    for (int64_t i = 0; i < a->n_points; i++) {
        squared_distances(kernel, a, i, b, q);
        memcpy(k, q, (size_t)b->stride * sizeof *k);
        evaluate(kernel, b->stride, k);
        for (int rung = 0; rung < n_rungs; rung++) {
            double lanes[CGM_LANES] = {0.0};
            add_lanes(k, b->stride, lanes);
            sums[rung] += sum_lanes(lanes);
            if (rung + 1 < n_rungs) {
                descend(kernel, b->stride, k, q);
            }
        }
    }
}

void cgm_kernel_distances(const cgm_kernel *kernel, const cgm_block *a, const cgm_block *b,
                          double *least, double *most)
{
    double q[CGM_BLOCK_POINTS];
    for (int64_t i = 0; i < a->n_points; i++) {
        squared_distances(kernel, a, i, b, q);
        for (int64_t j = 0; j < b->n_points; j++) {
            if (a != b || i != j) {
                *least = q[j] < *least ? q[j] : *least;
                *most = q[j] > *most ? q[j] : *most;
            }
        }
    }
}

double cgm_kernel_at(const cgm_kernel *kernel, double squared_distance)
{
    double k = squared_distance;
    evaluate(kernel, 1, &k);
    return k;
}

void cgm_kernel_row(const cgm_kernel *kernel, const cgm_block *a, int64_t point, const cgm_block *b,
                    double *row)
{
    squared_distances(kernel, a, point, b, row);
    evaluate(kernel, b->stride, row);
}

void cgm_kernel_exponential(const double *z, double *result, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        result[i] = exp2_negative(z[i] * LOG2_E);
    }
}
