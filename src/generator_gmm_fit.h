/**
 * @file generator_gmm_fit.h
 * Expectation maximisation for the mixture of one class. Internal.
 *
 * A Gaussian's logarithm is linear in the products 1, x_f, x_f·x_g of a point's coordinates, and
 * what the next one takes is their weighted sums. So a pass is, block by block, one matrix product
 * from products to logarithms, exponentials, and one product from weights to sums. These sums are
 * all that leaves a rank (generator_gmm.h).
 */
#ifndef CGM_GENERATOR_GMM_FIT_H
#define CGM_GENERATOR_GMM_FIT_H

#include "cgm/generator_gmm.h"
#include "generator_gmm_points.h"

/** A mixture of scaled points. One allocation behind all arrays. */
typedef struct gmm_mixture {
    int64_t n_features;
    int64_t n_components;
    double *weights;       /* [n_components] */
    double *means;         /* [n_components][n_features] */
    double *covariances;   /* [n_components][n_features][n_features] */
    double *factors;       /* the same: row f is the f-th column of L, covariance = L·Lᵀ */
    double log_likelihood; /* mean over the points */
    int64_t iterations;
    bool converged;
    int64_t n_scarce;  /* components that hold less than gmm_least_points, in parts: their means and
                          covariances stay as they last were with as many */
    int64_t n_widened; /* components that would be narrower than the least variance */
} gmm_mixture;

/** What fits of one class share, of as many components as most at a time. */
typedef struct gmm_fit gmm_fit;

/** Collective.  The pair is gmm_fit_destroy.
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY */
cgm_status gmm_fit_create(cgm_comm *comm, const gmm_points *points, const cgm_gmm_options *options,
                          const cgm_pause *pause, int64_t most, gmm_fit **fit);

/** Local. Accepts NULL. */
void gmm_fit_destroy(gmm_fit *fit);

/** Local. Room for most components. @return CGM_OK, CGM_ERR_MEMORY */
cgm_status gmm_mixture_create(cgm_comm *comm, int64_t n_features, int64_t most,
                              gmm_mixture *mixture);

/** Local. Accepts a zeroed struct. */
void gmm_mixture_destroy(gmm_mixture *mixture);

/**
 * A mixture that starts from centres, until it has converged or max_iterations are done.
 * Collective.
 * @param[in]  centres  [n_components][n_features]
 * @param[out] mixture  numbers are rank 0's alone until gmm_mixture_share; has room for them
 * @return the same code on every rank: CGM_OK, or what the pause's keep returned
 */
cgm_status gmm_fit_from(gmm_fit *fit, const double *centres, int64_t n_components,
                        gmm_mixture *mixture);

/** Local. What the class says of starts and passes becomes what was done so far. */
void gmm_fit_count(const gmm_fit *fit, cgm_gmm_class *class);

/** Local. Whether a is better than b of the same size: fewer of its components are scarce, or it is
 * likelier. */
bool gmm_mixture_is_better(const gmm_mixture *a, const gmm_mixture *b);

/** Collective. What rank 0 has becomes known to all. */
void gmm_mixture_share(cgm_comm *comm, gmm_mixture *mixture);

#endif
