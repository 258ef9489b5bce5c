/**
 * @file weighted_squares.h
 * The distribution of Σ w_k z_k², z_k independent standard normal. Internal to significance.c.
 */
#ifndef CGM_WEIGHTED_SQUARES_H
#define CGM_WEIGHTED_SQUARES_H

#include <stdint.h>

/**
 * P(Σ w_k z_k² > x) by integrating the moment generating function along a parabola through its
 * saddle point.  Local.
 * Relative error below 1e-12 however small the result is, beside its 1e-16; 0 below 1e-300 or so.
 * Cost n plus about 150 times the number of weights that are not much smaller than the largest.
 * @param[in] weights  [n] >= 0, descending, the first > 0
 * @param[in] x        > 0
 */
double weighted_squares_tail(int64_t n, const double *weights, double x);

#endif
