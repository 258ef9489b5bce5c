/**
 * @file accumulator.h
 * Exact sums of doubles in fixed point, so that a sum is the same bits in whatever order, on
 * whatever rank or thread, before or after a restart its terms were added (ARCHITECTURE:
 * "Bitwise").
 */
#ifndef CGM_ACCUMULATOR_H
#define CGM_ACCUMULATOR_H

#include <stdint.h>

#include "cgm/comm.h"

/** Words an accumulator consists of: an array of accumulators may be summed over ranks as an array
 * of int64. */
enum { CGM_LIMBS = 3 };

/**
 * limb[2] + limb[1]·2^-32 + limb[0]·2^-64. The limbs carry nothing into each other while adding, so
 * that adding them separately (here or in an integer reduction) is exact; 2^31 terms fit between
 * two normalisations.
 */
typedef struct cgm_accumulator {
    int64_t limb[CGM_LIMBS];
} cgm_accumulator;

/**
 * Add term, rounded to the unit 2^-64.  Local.
 * |term| < 2^62; a larger or non-finite one makes the accumulator's value NaN for good.
 */
void cgm_accumulator_add(cgm_accumulator *sum, double term);

/** As cgm_accumulator_add, terms[k] to sums[k]. */
void cgm_accumulator_add_each(cgm_accumulator *sums, const double *terms, int64_t count);

/** As cgm_accumulator_add, by several threads at a time. */
void cgm_accumulator_add_shared(cgm_accumulator *sum, double term);

/** Local. sum += other, exactly; a NaN stays one. */
void cgm_accumulator_merge(cgm_accumulator *sum, const cgm_accumulator *other);

/** Local. The sum, correctly rounded to double within one unit in the last place. */
double cgm_accumulator_value(const cgm_accumulator *sum);

/** Words that an accumulator is kept as in a file: whole units of 1, and of 2^-64 beside them. */
enum { CGM_KEPT_WORDS = 2 };

/** Local. The one form of a sum of whatever history; back again. A NaN stays one. */
void cgm_accumulator_keep(const cgm_accumulator *sum, int64_t words[CGM_KEPT_WORDS]);
cgm_accumulator cgm_accumulator_from_kept(const int64_t words[CGM_KEPT_WORDS]);

/** Collective. Sum element-wise over all ranks, in place, the same bits on every rank. */
void cgm_accumulator_reduce(cgm_comm *comm, cgm_accumulator *sums, int64_t count);

/** Many sums of small terms that grow side by side: sum k is high[k]·2^-32 + low[k]·2^-64. Arrays
 * of both may be added up element by element, here or on other ranks. */
typedef struct cgm_accumulators {
    int64_t *high;
    int64_t *low;
} cgm_accumulators;

/** Local. Adds terms[k] to sum first + k.  |term| < 2^18, less than 2^13 terms of that size or as
 * many more as they are smaller; sums within ±2^31. */
void cgm_accumulators_add(cgm_accumulators sums, int64_t first, int64_t count, const double *terms);

/** Local. Bring sum k into the one form with 0 <= low < 2^32. */
void cgm_accumulators_normalise(cgm_accumulators sums, int64_t k);

/** Local. Sum k, correctly rounded to double within one unit in the last place. */
double cgm_accumulators_value(cgm_accumulators sums, int64_t k);

#endif
