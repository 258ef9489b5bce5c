/**
 * @file generator_gmm_gaussian.h
 * One Gaussian: from sums of products of coordinates, and to the coefficients of its logarithm.
 * Internal. All functions are Local; products stand in the order 1, x_f, x_f·x_g with g >= f.
 */
#ifndef CGM_GENERATOR_GMM_GAUSSIAN_H
#define CGM_GENERATOR_GMM_GAUSSIAN_H

#include <stdbool.h>
#include <stdint.h>

#include "cgm/dense.h"

typedef struct gmm_gaussian {
    double *mean;       /* [n] */
    double *covariance; /* [n][n] */
    double *factor;     /* [n][n]: row f is the f-th column of L, covariance = L·Lᵀ */
} gmm_gaussian;

/** Doubles of the work space for n features. */
static inline int64_t gmm_gaussian_work(int64_t n)
{
    return n * n + n;
}

/**
 * The likeliest Gaussian whose variance is nowhere below the least.
 * @param[in] sums   weighted, of the products of all points; sums[0] > 0
 * @param[in] least  [n] variance in each feature, and in directions between them accordingly
 * @return whether it would have been below
 */
bool gmm_take_moments(cgm_comm *comm, int64_t n, const double *sums, const double *least,
                      gmm_gaussian *of, double *work);

/** ln(weight · density) as a linear combination of the products. */
void gmm_score_gaussian(int64_t n, double weight, const gmm_gaussian *of, double *coefficients,
                        double *work);

#endif
