/* Cosines and sines of many phases, once for all instruction sets: a set's file defines LANES and
 * NAME. Products and sums are never fused, so that all sets give the same bits. */
#ifndef CGM_EMBEDDING_LOOPS_H
#define CGM_EMBEDDING_LOOPS_H

#include "embedding_operations.h"

typedef double vector __attribute__((vector_size(LANES * sizeof(double))));
typedef int64_t whole __attribute__((vector_size(LANES * sizeof(int64_t))));

enum { GROUP = EMBEDDING_LANES / LANES };
_Static_assert(EMBEDDING_LANES % LANES == 0, "a group of columns is a number of vectors");

static inline vector broadcast(double x)
{
    vector v = {0.0};
    for (int k = 0; k < LANES; k++) {
        v[k] = x;
    }
    return v;
}

static inline vector load(const double *from)
{
    vector v;
    memcpy(&v, from, sizeof v);
    return v;
}

static inline void store(double *to, vector v)
{
    memcpy(to, &v, sizeof v);
}

static inline vector choose(whole first, vector a, vector b)
{
    return (vector)((first & (whole)a) | (~first & (whole)b));
}

/* Both of a phase below EMBEDDING_PHASE: π/2 is taken off in three parts, the first two of so few
 * bits that their multiples are exact; what is left, at most π/4, goes into the polynomials of
 * fdlibm. The error is that of one rounding or two. */
static inline void cosine_and_sine(vector phase, vector *cosine, vector *sine)
{
    const vector shift = broadcast(0x1.8p52);
    const vector shifted = phase * 0x1.45f306dc9c883p-1 + shift;
    const whole quarter = (whole)shifted; /* its last bits are the number of quarter turns */
    const vector turns = shifted - shift;
    const vector x = ((phase - turns * 0x1.921fb544p+0) - turns * 0x1.0b4611a6p-34) -
                     turns * 0x1.3198a2e037073p-69;
    const vector z = x * x;
    vector s = z * 1.58969099521155010221e-10 - 2.50507602534068634195e-08;
    s = s * z + 2.75573137070700676789e-06;
    s = s * z - 1.98412698298579493134e-04;
    s = s * z + 8.33333333332248946124e-03;
    s = s * z - 1.66666666666666324348e-01;
    s = s * z * x + x;
    vector c = z * -1.13596475577881948265e-11 + 2.08757232129817482790e-09;
    c = c * z - 2.75573143513906633035e-07;
    c = c * z + 2.48015872894767294178e-05;
    c = c * z - 1.38888888888741095749e-03;
    c = c * z + 4.16666666666666019037e-02;
    c = (c * z - 0.5) * z + 1.0;
    const whole swapped = -(quarter & 1);
    *sine = (vector)((whole)choose(swapped, c, s) ^ ((quarter & 2) << 62));
    *cosine = (vector)((whole)choose(swapped, s, c) ^ (((quarter + 1) & 2) << 62));
}

static void add_sums(int64_t rows, int64_t columns, const double *phases, double *cosines,
                     double *sines)
{
    for (int64_t f = 0; f < columns; f += LANES) {
        vector cosine_sum = load(cosines + f);
        vector sine_sum = load(sines + f);
        for (int64_t i = 0; i < rows; i++) {
            vector cosine;
            vector sine;
            cosine_and_sine(load(phases + i * columns + f), &cosine, &sine);
            cosine_sum += cosine;
            sine_sum += sine;
        }
        store(cosines + f, cosine_sum);
        store(sines + f, sine_sum);
    }
}

static void add_slopes(int64_t rows, int64_t columns, const double *phases, double *cosines,
                       double *sines)
{
    for (int64_t f = 0; f < columns; f += LANES) {
        vector cosine_sum = load(cosines + f);
        vector sine_sum = load(sines + f);
        for (int64_t i = 0; i < rows; i++) {
            const vector phase = load(phases + i * columns + f);
            vector cosine;
            vector sine;
            cosine_and_sine(phase, &cosine, &sine);
            cosine_sum += phase * sine;
            sine_sum -= phase * cosine;
        }
        store(cosines + f, cosine_sum);
        store(sines + f, sine_sum);
    }
}

static void add_products(int64_t rows, int64_t columns, const double *phases,
                         const double *cosine_weights, const double *sine_weights, double *results)
{
    for (int64_t i = 0; i < rows; i++) {
        vector sums[GROUP] = {{0.0}};
        for (int64_t f = 0; f < columns; f += EMBEDDING_LANES) {
            for (int k = 0; k < GROUP; k++) {
                const int64_t at = f + k * LANES;
                vector cosine;
                vector sine;
                cosine_and_sine(load(phases + i * columns + at), &cosine, &sine);
                sums[k] += cosine * load(cosine_weights + at) + sine * load(sine_weights + at);
            }
        }
        double lanes[EMBEDDING_LANES];
        memcpy(lanes, sums, sizeof lanes);
        for (int k = EMBEDDING_LANES / 2; k > 0; k /= 2) {
            for (int j = 0; j < k; j++) {
                lanes[j] += lanes[j + k];
            }
        }
        results[i] += lanes[0];
    }
}

const embedding_operations NAME = {add_sums, add_slopes, add_products};

#endif
