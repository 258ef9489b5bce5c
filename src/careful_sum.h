/**
 * @file careful_sum.h
 * Sums that keep the digits that plain addition loses. Internal.
 */
#ifndef CGM_CAREFUL_SUM_H
#define CGM_CAREFUL_SUM_H

#include <math.h>

/** A growing sum (Neumaier); zeroed: empty. Its value is sum + lost. */
typedef struct cgm_careful_sum {
    double sum;
    double lost;
} cgm_careful_sum;

/** Local. */
static inline void cgm_careful_add(cgm_careful_sum *total, double term)
{
    double sum = total->sum + term;
    total->lost +=
        fabs(total->sum) >= fabs(term) ? (total->sum - sum) + term : (term - sum) + total->sum;
    total->sum = sum;
}

/** Local. */
static inline double cgm_careful_value(const cgm_careful_sum *total)
{
    return total->sum + total->lost;
}

#endif
