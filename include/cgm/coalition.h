/**
 * @file coalition.h
 * The value of a coalition, minus its biased MMD² to the reference set up to a constant (MATH.md
 * §2).
 */
#ifndef CGM_COALITION_H
#define CGM_COALITION_H

#include <stdint.h>

#include "cgm/kernel_sums.h"

/** Up to so many parties every coalition is evaluated. */
enum { CGM_ENUMERATE_MAX = 20 };

/** Values that follow from the kernel sums alone. */
typedef struct cgm_values {
    double *single;     /**< [n_parties] v({i}) */
    double *ceiling;    /**< [n_parties] v(D_i ∪ G) */
    double grand;       /**< v(N) */
    double *coalitions; /**< [2^n_parties] by bit mask (bit i = party i) on rank 0; NULL elsewhere
                           and above CGM_ENUMERATE_MAX parties */
} cgm_values;

/** Local. v of a coalition of size > 0 points with linear sum Σt and quadratic sum Σ S_ij (MATH.md
 * §2).
 */
double cgm_coalition_formula(int64_t n_reference, double size, double linear, double quadratic);

/** Collective. Fills values, owned by the caller; the pair is cgm_values_destroy. CGM_OK,
 * CGM_ERR_MEMORY. */
cgm_status cgm_values_compute(cgm_comm *comm, const cgm_kernel_sums *sums, cgm_values *values);

/** Local. Accepts a zeroed struct. */
void cgm_values_destroy(cgm_values *values);

#endif
