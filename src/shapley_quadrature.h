/**
 * @file shapley_quadrature.h
 * Shapley values and other semivalues of any number of parties by quadrature (MATH.md §4b).
 * Internal to the Shapley stage.
 */
#ifndef CGM_SHAPLEY_QUADRATURE_H
#define CGM_SHAPLEY_QUADRATURE_H

#include "cgm/shapley.h"

/**
 * Integrate over coalition density τ and u.  Collective.
 * @param[in]     semivalue  shapley, banzhaf or beta
 * @param[in]     grand      v(N), for the check of efficiency
 * @param[in,out] shapley    phi [n_parties] is allocated; phi, error_estimate and nodes are filled
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY
 */
cgm_status cgm_shapley_integrate(cgm_comm *comm, const cgm_kernel_sums *sums,
                                 const cgm_semivalue *semivalue, double grand, double tolerance,
                                 cgm_shapley *shapley);

/** Local. Largest |value|. */
double cgm_largest_magnitude(const double *values, int64_t count);

/** Local. |Σφ − v(N)| and Σ|φ|. */
double cgm_efficiency_gap(const double *phi, int64_t count, double grand, double *magnitude);

#endif
