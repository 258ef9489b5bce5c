#include "cgm/accumulator.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* The integer limb of a sum that met a term it cannot hold. Sums of terms that it can hold stay
 * within ±2^62. */
#define POISON INT64_MIN

static bool is_poisoned(const cgm_accumulator *sum)
{
    return sum->limb[2] < -((int64_t)1 << 62);
}

void cgm_accumulator_add(cgm_accumulator *sum, double term)
{
    if (!(fabs(term) < 0x1p62) || is_poisoned(sum)) {
        sum->limb[2] = POISON;
        return;
    }
    /* trunc, not floor: the rest of a small negative term above -1 would not be a double. */
    double whole = trunc(term);
    double high = (term - whole) * 0x1p32;
    double high_whole = trunc(high);
    sum->limb[2] += (int64_t)whole;
    sum->limb[1] += (int64_t)high_whole;
    sum->limb[0] += (int64_t)nearbyint((high - high_whole) * 0x1p32);
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
