/* The kernel over a vector of squared distances, once for all instruction sets. A file
 * kernel_<set>.c defines
 *
 *     LANES                          doubles of a vector, a divisor of CGM_LANES
 *     vector                         by GCC's vector extension: + - * / and comparisons
 *     bits                           uint64_t in as many lanes
 *     broadcast(x)                   x in all lanes
 *     multiply_add(a, b, c)          a·b + c, fused where the processor can
 *     smaller(a, b), larger(a, b)    b in lanes where one of both is NaN
 *     load_first(from, count, rest)  the first count < LANES lanes from memory, rest in the others
 *     store_first(to, count, v)      the first count < LANES lanes alone
 *     look_up(table, n)              table[n mod 16] in each lane
 *
 * and the shape of register tiles: ROWS (ROWS_OF_TWO with two features) times VECTORS of columns;
 * then it includes kernel_scores.h. */
#ifndef CGM_KERNEL_VECTORS_H
#define CGM_KERNEL_VECTORS_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel_operations.h"

#define INLINE static inline __attribute__((always_inline))
/* Loops over the parts of a tile, whose arrays become registers only when no loop is left. */
#define UNROLLED _Pragma("GCC unroll 16")

/* Largest number of vectors that are evaluated at a time. */
enum { MOST_AT_A_TIME = 8 };

/* Packed coordinates are the points' divided by ℓ and multiplied by √(log2(e)/2) (kernel.c), so
 * that k(x, y) = 2^-q with q their squared distance. */
#define LOG2_E 1.44269504088896340736
#define LN_2 0.69314718055994530942
/* From this q on the kernel counts as exactly 0; powers and their factors below are normal numbers.
 */
#define EXPONENT_LIMIT 1000.0
/* The same for cgm_kernel_exponential, whose smallest results are normal numbers. */
#define EXPONENTIAL_LIMIT 1021.0
/* The same for a rational quadratic, far from where squares overflow. */
#define RATIONAL_LIMIT 1e300
/* Adding such a number leaves a multiple of 1/16, or an integer, in the lowest bits of the sum. */
#define ROUND_SIXTEENTHS 0x1.8p48
#define ROUND_INTEGER 0x1.8p52

/* 2^-r on [-1/32, 1/32] as a multiple of a polynomial of degree 7 in s = r - 25/16, by four steps:
 *
 *     t = s² + c3,  t' = t s + c2,  t'' = t' s + c1,  t'' t' + c0
 *
 * Its five free numbers match the first five derivatives at 0; about this shift, and few others,
 * the sixth is met to a thousandth as well, so that Horner's scheme would need a step more. Minimax
 * under the condition of no error at 0: relative error at most 3.7e-15, on average -4.5e-16
 * (4.1e-15 and -1.1e-15 as it is computed), and both terms of a step have one sign. The multiple
 * stands in the table of powers; times the polynomial at 0, fused or not, it is 1 to within 1e-17.
 */
#define SHORT_SHIFT (25.0 / 16.0)
static const double short_polynomial[] = {-1078.6503435473385, 368.97226598436407,
                                          -92.45914716176772, 43.724174096584996};

/* Minimax polynomial of 2^-r on [-1/2, 1/2], relative error 2.2e-16; exactly 1 at 0. */
static const double long_polynomial[] = {
    1.0000000000000000661,     -0.6931471805599497751,      0.24022650695908767759,
    -0.055504108664458830977,  0.0096181291080346008406,    -0.0013333558228561828376,
    0.00015403529961122491032, -0.000015252658116373508718, 1.3215662838157789268e-6,
    -1.0208537936474793714e-7, 7.0372784827439363237e-9};

/* Bits of t·2^(j/16) less j << 48, with t the multiple of the short polynomial: adding n << 48 with
 * n = 16 i + j makes them those of t·2^(i + j/16). */
static const uint64_t powers[16] = {
    0xbee4235e082ef824, 0xbee4079d6b99861e, 0xbee3f5f7c987efe5, 0xbee3eedfab055eab,
    0xbee3f2ccab4447b6, 0xbee4023bb117cf54, 0xbee41daf2af89698, 0xbee445af4db1cb26,
    0xbee47aca55d49725, 0xbee4bd94cc1164cb, 0xbee50ea9cc97cd70, 0xbee53755a8cfc02d,
    0xbee4ef21409ef914, 0xbee4af0fff571dd9, 0xbee4777e1f991b9a, 0xbee448cbf15ad28e};

typedef vector unaligned_vector __attribute__((aligned(sizeof(double)), may_alias));

INLINE vector load(const double *from)
{
    return *(const unaligned_vector *)from;
}

INLINE void store(double *to, vector v)
{
    *(unaligned_vector *)to = v;
}

INLINE vector where(bits mask, vector yes, vector no)
{
    return (vector)((mask & (bits)yes) | (~mask & (bits)no));
}

/* A product that is rounded only when it is added to something. */
typedef struct product {
    vector a, b;
} product;

INLINE vector add_product(product p, vector to)
{
    return multiply_add(p.a, p.b, to);
}

/* ---- the kernel at squared distances ---- */

/* 2^-q for 0 ≤ q ≤ EXPONENT_LIMIT: q = n/16 + r, |r| ≤ 1/32, with 2^(-n/16) from a table and 2^-r
 * from a polynomial. Several at a time, step by step: each step waits for the one before. */
INLINE void exp2_bounded(int count, const vector *q, product *k)
{
    vector steps[MOST_AT_A_TIME]; /* -n in their lowest bits */
    vector s[MOST_AT_A_TIME];
    vector t[MOST_AT_A_TIME];
    UNROLLED for (int a = 0; a < count; a++)
    {
        steps[a] = ROUND_SIXTEENTHS - q[a];
    }
    UNROLLED for (int a = 0; a < count; a++)
    {
        s[a] = q[a] + (steps[a] - (ROUND_SIXTEENTHS + SHORT_SHIFT));
        t[a] = multiply_add(s[a], s[a], broadcast(short_polynomial[3]));
    }
    UNROLLED for (int a = 0; a < count; a++)
    {
        t[a] = multiply_add(t[a], s[a], broadcast(short_polynomial[2]));
    }
    UNROLLED for (int a = 0; a < count; a++)
    {
        k[a].b = multiply_add(t[a], s[a], broadcast(short_polynomial[1]));
    }
    UNROLLED for (int a = 0; a < count; a++)
    {
        k[a].b = multiply_add(k[a].b, t[a], broadcast(short_polynomial[0]));
        k[a].a = (vector)(look_up(powers, (bits)steps[a]) + ((bits)steps[a] << 48));
    }
}

/* Infinite and NaN count as far. */
INLINE vector bounded(vector q, double limit)
{
    return smaller(q, broadcast(limit));
}

/* 0 instead of a factor where q has reached the limit. */
INLINE vector zero_from_limit(vector q, vector factor)
{
    return (vector)((bits)(q < EXPONENT_LIMIT) & (bits)factor);
}

INLINE vector exp2_negative(vector q)
{
    const vector near = bounded(q, EXPONENT_LIMIT);
    product k;
    exp2_bounded(1, &near, &k);
    return zero_from_limit(near, k.a) * k.b;
}

/* log2 of p ≥ 1 by its series on [√½, √2): 2/ln 2 · atanh(f), f = (m − 1)/(m + 1), |f| ≤ 0.1716. */
INLINE vector log2_from_one(vector p)
{
    /* Exponent of p / √½: leaves a mantissa centred on 1. */
    const bits shift = ((bits)p - UINT64_C(0x3fe6a09e667f3bcd)) >> 52;
    const vector m = (vector)((bits)p - (shift << 52));
    /* An integer becomes a double by standing in the mantissa of 2^52. */
    const vector exponent = (vector)(shift | UINT64_C(0x4330000000000000)) - 0x1p52;
    const vector f = (m - 1.0) / (m + 1.0);
    const vector g = f * f;
    vector series = broadcast(1.0 / 21.0);
    for (int k = 19; k > 0; k -= 2) {
        series = multiply_add(series, g, broadcast(1.0 / k));
    }
    return multiply_add(2.0 * LOG2_E * f, series, exponent);
}

/* The terms (1 + s/a)^-a for a = 0.1, 1, 10 with s = r²/(2ℓ²) ≥ 0, and their derivative by -s. */
INLINE vector rational(vector s, vector *derivative)
{
    const vector by_tenth = 1.0 / multiply_add(broadcast(10.0), s, broadcast(1.0));
    const vector by_ten = 1.0 / multiply_add(broadcast(0.1), s, broadcast(1.0));
    const vector power2 = by_ten * by_ten;
    const vector power4 = power2 * power2;
    const vector tenth =
        exp2_negative(0.1 * log2_from_one(multiply_add(broadcast(10.0), s, broadcast(1.0))));
    const vector one = 1.0 / (1.0 + s);
    const vector ten = power4 * power4 * power2;
    *derivative = tenth * by_tenth + one * one + ten * by_ten;
    return tenth + one + ten;
}

INLINE vector se_sum(vector q, vector *slope)
{
    const vector near = bounded(q, 100.0 * EXPONENT_LIMIT);
    const vector narrow = exp2_negative(near * 100.0);
    const vector middle = exp2_negative(near);
    const vector wide = exp2_negative(near * 0.01);
    *slope =
        near * multiply_add(broadcast(100.0), narrow, multiply_add(broadcast(0.01), wide, middle));
    return narrow + middle + wide;
}

/* The arithmetic goes on with a number that harms nothing where the kernel is 0. */
INLINE vector rq(vector q, vector *slope)
{
    const bits is_near = (bits)(q < RATIONAL_LIMIT);
    const vector near = where(is_near, q, broadcast(0.0));
    vector derivative;
    const vector k = rational(LN_2 * near, &derivative);
    *slope = near * derivative;
    return where(is_near, k, broadcast(0.0));
}

/* k at squared distances q in packed units, and -∂k/∂q / ln 2 times q, which is 0 where k is. What
 * nobody asks for the compiler leaves out. All se below the limit (all_near) are spared the look
 * whether they are. */
INLINE void evaluate(cgm_kernel_type type, bool all_near, int count, const vector *q, product *k,
                     vector *slope)
{
    if (type == CGM_KERNEL_SE) {
        vector near[MOST_AT_A_TIME];
        UNROLLED for (int a = 0; a < count; a++)
        {
            near[a] = all_near ? q[a] : bounded(q[a], EXPONENT_LIMIT);
        }
        exp2_bounded(count, near, k);
        UNROLLED for (int a = 0; a < count; a++)
        {
            k[a].a = all_near ? k[a].a : zero_from_limit(near[a], k[a].a);
            slope[a] = k[a].a * k[a].b * near[a];
        }
        return;
    }
    UNROLLED for (int a = 0; a < count; a++)
    {
        k[a].a = broadcast(1.0);
        k[a].b = type == CGM_KERNEL_RQ ? rq(q[a], &slope[a]) : se_sum(q[a], &slope[a]);
    }
}

/* exp(-z) for z ≥ 0. Products and sums are rounded one by one: the same bits everywhere. */
INLINE vector exponential(vector z)
{
    const vector q = z * LOG2_E;
    const vector near = bounded(q, EXPONENTIAL_LIMIT);
    const vector rounded = ROUND_INTEGER - near;
    const vector r = near + (rounded - ROUND_INTEGER);
    vector p = broadcast(long_polynomial[10]);
    UNROLLED for (int k = 9; k >= 0; k--)
    {
        p = p * r + long_polynomial[k];
    }
    const vector power = (vector)((bits)p + ((bits)rounded << 52));
    return where((bits)(q < EXPONENTIAL_LIMIT), power, broadcast(0.0));
}

#endif
