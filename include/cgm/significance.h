/**
 * @file significance.h
 * Whether a party's points Y could be a random part of the reference set T: the kernel two-sample
 * test of Y against T ∖ Y (Gretton, Fukumizu, Harchaoui, Sriperumbudur 2009, "A fast, consistent
 * kernel two-sample test").
 *
 * With m points in Y and n in T the statistic is m(n − m)/n times the biased MMD² of the two. If
 * both are drawn from one distribution it is distributed, for many points, as Σ λ_l z_l², z_l
 * independent standard normal and λ_l the eigenvalues of the centred kernel. Their estimates come
 * from points of T, which is Y and T ∖ Y together whoever's Y it is: one matrix serves all parties.
 */
#ifndef CGM_SIGNIFICANCE_H
#define CGM_SIGNIFICANCE_H

#include "cgm/dense.h"
#include "cgm/kernel_sums.h"
#include "cgm/metrics.h"

/** Significant digits of a p-value: the last digits of eigenvalues, which depend on the number of
 * ranks above CGM_LAPACK_MOST points, do not show in so few. */
enum { CGM_P_VALUE_DIGITS = 6 };

/** Local. Σ k(x, y) over all pairs of points of T. */
double cgm_significance_reference_total(const cgm_kernel_sums *sums);

/**
 * The statistic for a part Y of T.  Local.
 * @param[in] total  Σ k over T × T
 * @param[in] n, m   points of T and of Y
 * @param[in] value  v(Y) (MATH.md §2), which is total/n² less the biased MMD² of Y and T
 * @return >= 0; what may be rounding alone is 0; NaN where Y is all of T
 */
double cgm_significance_statistic(double total, int64_t n, int64_t m, double value);

/**
 * Eigenvalues λ of the centred Gram matrix of points, divided by their number.  Collective.
 * @param[in]  points  [n_points][n_features of kernel], the same on every rank
 * @param[out] values  [n_points] descending, >= 0, the same bits on every rank; with LAPACK at
 *                     every number of ranks
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY, CGM_ERR_BUG (no convergence).  Cost
 *         as cgm_dense_leading's without vectors, and 2 n_points² kernel evaluations.
 */
cgm_status cgm_significance_spectrum(cgm_comm *comm, const cgm_kernel *kernel, int64_t n_points,
                                     const double *points, cgm_eigensolver solver, double *values);

/** Local. P(Σ λ_l z_l² >= statistic), to CGM_P_VALUE_DIGITS digits; NaN for a statistic that is
 * missing. values [n_values] descending, >= 0. */
double cgm_significance_p_value(int64_t n_values, const double *values, double statistic);

/**
 * The columns of CGM_METRIC_SIGNIFICANCE.  Collective.
 * The spectrum is that of at most metrics.significance_points points of T, chosen by the seed.
 * @param[in] run  sampling and incentives stand
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY, CGM_ERR_BUG
 */
cgm_status cgm_significance_measure(cgm_comm *comm, const struct cgm_run *run,
                                    cgm_metrics *metrics);

#endif
