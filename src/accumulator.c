#include "cgm/accumulator.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The integer limb of a sum that met a term it cannot hold. Sums of terms that it can hold stay
 * within ±2^62. */
#define POISON INT64_MIN
#define TERM_LIMIT 0x1p62

static bool is_poisoned(const cgm_accumulator *sum)
{
    return sum->limb[2] < -((int64_t)1 << 62);
}

/* Adding one of these numbers to a much smaller one leaves the latter, rounded to the unit in the
 * last place of the sum, as an integer in its lowest bits. */
#define ROUND_TO_1 0x1.8p52
#define ROUND_TO_2_32 0x1.8p20
#define ROUND_TO_2_64 0x1.8p-12

static inline int64_t bits_of(double number)
{
    int64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

/* The term in units of the limbs: each takes the nearest whole number of what is left. */
static inline void split(double term, int64_t parts[CGM_LIMBS])
{
    if (fabs(term) >= 0x1p50) { /* no bit of it lies below the units of the two higher limbs */
        parts[2] = (int64_t)trunc(term);
        parts[1] = (int64_t)((term - trunc(term)) * 0x1p32);
        parts[0] = 0;
        return;
    }
    const double whole = term + ROUND_TO_1;
    const double rest = term - (whole - ROUND_TO_1);
    const double high = rest + ROUND_TO_2_32;
    const double low = (rest - (high - ROUND_TO_2_32)) + ROUND_TO_2_64;
    parts[2] = bits_of(whole) - bits_of(ROUND_TO_1);
    parts[1] = bits_of(high) - bits_of(ROUND_TO_2_32);
    parts[0] = bits_of(low) - bits_of(ROUND_TO_2_64);
}

void cgm_accumulator_add(cgm_accumulator *sum, double term)
{
    if (!(fabs(term) < TERM_LIMIT) || is_poisoned(sum)) {
        sum->limb[2] = POISON;
        return;
    }
    int64_t parts[CGM_LIMBS];
    split(term, parts);
    for (int k = 0; k < CGM_LIMBS; k++) {
        sum->limb[k] += parts[k];
    }
}

void cgm_accumulator_add_each(cgm_accumulator *sums, const double *terms, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        if (!(fabs(terms[i]) < TERM_LIMIT)) {
            sums[i].limb[2] = POISON;
            continue;
        }
        int64_t parts[CGM_LIMBS];
        split(terms[i], parts);
        for (int k = 0; k < CGM_LIMBS; k++) {
            sums[i].limb[k] += parts[k]; /* leaves a poisoned one poisoned */
        }
    }
}

void cgm_accumulator_add_shared(cgm_accumulator *sum, double term)
{
    if (!(fabs(term) < TERM_LIMIT)) {
#pragma omp atomic write
        sum->limb[2] = POISON; /* what others add leaves it poisoned */
        return;
    }
    int64_t parts[CGM_LIMBS];
    split(term, parts);
    for (int k = 0; k < CGM_LIMBS; k++) {
#pragma omp atomic
        sum->limb[k] += parts[k];
    }
}

void cgm_accumulators_add(cgm_accumulators sums, int64_t first, int64_t count, const double *terms)
{
    int64_t *restrict high_sums = sums.high + first;
    int64_t *restrict low_sums = sums.low + first;
    const double *restrict term = terms;
    for (int64_t k = 0; k < count; k++) {
        const double high = term[k] + ROUND_TO_2_32;
        const double low = (term[k] - (high - ROUND_TO_2_32)) + ROUND_TO_2_64;
        high_sums[k] += bits_of(high) - bits_of(ROUND_TO_2_32);
        low_sums[k] += bits_of(low) - bits_of(ROUND_TO_2_64);
    }
}

double cgm_accumulators_value(cgm_accumulators sums, int64_t k)
{
    const cgm_accumulator sum = {{sums.low[k], sums.high[k], 0}};
    return cgm_accumulator_value(&sum);
}

void cgm_accumulator_merge(cgm_accumulator *sum, const cgm_accumulator *other)
{
    if (is_poisoned(sum) || is_poisoned(other)) {
        sum->limb[2] = POISON;
        return;
    }
    for (int k = 0; k < CGM_LIMBS; k++) {
        sum->limb[k] += other->limb[k];
    }
}

/* floor(x / 2^32) for either sign, which >> does not promise. */
static int64_t carry_of(int64_t limb)
{
    const int64_t base = (int64_t)1 << 32;
    return limb / base - (limb % base < 0);
}

/* Bring the lower limbs into 0 .. 2^32 - 1. */
static void normalise(cgm_accumulator *sum)
{
    for (int k = 0; k < CGM_LIMBS - 1; k++) {
        int64_t carry = carry_of(sum->limb[k]);
        sum->limb[k] -= carry * ((int64_t)1 << 32);
        sum->limb[k + 1] += carry;
    }
}

void cgm_accumulators_normalise(cgm_accumulators sums, int64_t k)
{
    const int64_t carry = carry_of(sums.low[k]);
    sums.low[k] -= carry * ((int64_t)1 << 32);
    sums.high[k] += carry;
}

void cgm_accumulator_keep(const cgm_accumulator *sum, int64_t words[CGM_KEPT_WORDS])
{
    cgm_accumulator copy = *sum;
    if (is_poisoned(sum)) {
        copy = (cgm_accumulator){{0, 0, POISON}};
    } else {
        normalise(&copy);
    }
    const uint64_t fraction = ((uint64_t)copy.limb[1] << 32) | (uint64_t)copy.limb[0];
    words[0] = copy.limb[2];
    memcpy(&words[1], &fraction, sizeof fraction);
}

cgm_accumulator cgm_accumulator_from_kept(const int64_t words[CGM_KEPT_WORDS])
{
    uint64_t fraction;
    memcpy(&fraction, &words[1], sizeof fraction);
    return (cgm_accumulator){
        {(int64_t)(fraction & UINT32_MAX), (int64_t)(fraction >> 32), words[0]}};
}

double cgm_accumulator_value(const cgm_accumulator *sum)
{
    if (is_poisoned(sum)) {
        return NAN;
    }
    cgm_accumulator magnitude = *sum;
    normalise(&magnitude);
    bool negative = magnitude.limb[2] < 0;
    if (negative) {
        /* The lower limbs count upwards from a negative integer part: take the sign out first, or
         * a small negative sum would lose its digits against that integer. */
        for (int k = 0; k < CGM_LIMBS; k++) {
            magnitude.limb[k] = -magnitude.limb[k];
        }
        normalise(&magnitude);
    }
    uint64_t fraction = ((uint64_t)magnitude.limb[1] << 32) | (uint64_t)magnitude.limb[0];
    double value = (double)magnitude.limb[2] + (double)fraction * 0x1p-64;
    return negative ? -value : value;
}

/* Collective. Is the accumulator poisoned on any rank? */
static bool is_poisoned_anywhere(cgm_comm *comm, const cgm_accumulator *sum)
{
    int64_t ranks = is_poisoned(sum);
    cgm_comm_sum(comm, &ranks, 1);
    return ranks > 0;
}

void cgm_accumulator_reduce(cgm_comm *comm, cgm_accumulator *sums, int64_t count)
{
    int64_t poisoned = 0;
    for (int64_t i = 0; i < count; i++) {
        poisoned += is_poisoned(&sums[i]);
    }
    cgm_comm_sum(comm, &poisoned, 1);
    for (int64_t i = 0; i < count; i++) {
        if (poisoned > 0 && is_poisoned_anywhere(comm, &sums[i])) {
            /* The poison itself would wrap round in the sum; no normalised sum has a negative
             * lowest limb. */
            sums[i] = (cgm_accumulator){{-1, 0, 0}};
        } else {
            normalise(&sums[i]);
        }
    }
    if (count > 0) {
        cgm_comm_sum(comm, &sums[0].limb[0], count * CGM_LIMBS);
    }
    for (int64_t i = 0; i < count; i++) {
        if (sums[i].limb[0] < 0) {
            sums[i].limb[2] = POISON;
        }
    }
}
