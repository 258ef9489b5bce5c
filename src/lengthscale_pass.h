/**
 * @file lengthscale_pass.h
 * One pass over parties × T in search of the lengthscale; internal to lengthscale.c.
 */
#ifndef CGM_LENGTHSCALE_PASS_H
#define CGM_LENGTHSCALE_PASS_H

#include "cgm/lengthscale.h"

/** The search for the lengthscale and what its passes need. */
typedef struct cgm_lengthscale_search {
    cgm_comm *comm;
    const cgm_shard *shard;
    const cgm_candidates *candidates;
    const cgm_lengthscale_course *course;
    cgm_kernel kernel;
    int64_t passes;
    int64_t n_values, capacity;
    double *values; /* [n_values] of all passes so far */
} cgm_lengthscale_search;

/** Local. ℓ after so many steps down a ladder of √2 from top. */
double cgm_lengthscale_rung(double top, int64_t rung);

/**
 * v({i}) of all parties at the kernel's lengthscale and, on a ladder, at the rungs below it, or
 * beside its slope ∂v({i})/∂(log ℓ).  Collective.  What an earlier run found is not found again.
 * @param[out] values  [n_series][n_parties]
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY, or what the pause returned
 */
cgm_status cgm_lengthscale_pass(cgm_lengthscale_search *search, int n_series, bool ladder,
                                double *values);

#endif
