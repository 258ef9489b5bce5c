/**
 * @file privacy.h
 * Differential privacy of vectors that leave a party (MATH.md §8): how much Gaussian noise a
 * guarantee takes, and the release of a vector with it.
 *
 * Two databases are neighbours if one record of the party is replaced; the sensitivity is the
 * largest Euclidean distance between the vectors of two neighbours.
 */
#ifndef CGM_PRIVACY_H
#define CGM_PRIVACY_H

#include <stdint.h>

#include "cgm/comm.h"

/**
 * Smallest deviation σ of Gaussian noise, a coordinate, that makes the release of a vector
 * (ε, δ)-differentially private: with Δ = sensitivity
 *     Φ(Δ/2σ − εσ/Δ) − e^ε Φ(−Δ/2σ − εσ/Δ) <= δ
 * (Balle & Wang 2018, "Improving the Gaussian mechanism for differential privacy: analytical
 * calibration and optimal denoising", theorem 8).  Local.  Errs upwards.
 * @param[in] epsilon      > 0; INFINITY: no guarantee and no noise
 * @param[in] delta        between 0 and 1, both excluded
 * @param[in] sensitivity  >= 0, finite
 * @return σ >= 0; NaN, which cgm_privacy_release refuses, for arguments out of range
 */
double cgm_privacy_sigma(double epsilon, double delta, double sensitivity);

/**
 * Add independent Gaussian noise to each value, of random numbers from the operating system: no
 * seed repeats them.  Local.
 *
 * The bits of a sum of floating-point numbers betray the summands (Mironov 2012, "On significance
 * of the least significant bits for differential privacy"; for Gaussian noise Jin, McMurtry,
 * Rubinstein & Ohrimenko 2022, "Are we there yet?"). So values are rounded to a grid of
 * 2^-40 .. 2^-39 σ and get noise of the discrete Gaussian distribution on that grid, sampled with
 * integers, without rounding (Canonne, Kamath & Steinke 2020, "The discrete Gaussian for
 * differential privacy"). The noise is larger than σ by one part in a million, which makes up for
 * neighbours that rounding moves apart, as long as √n σ / sensitivity < 10^5. How long the sampling
 * takes depends on the noise.
 *
 * @param[in]     sigma   deviation, finite; 0 leaves the values alone
 * @param[in,out] values  [n]; multiples of the grid after it, all 0 after an error
 * @return CGM_OK; CGM_ERR_INPUT (a value is not finite or beyond 2^80 σ; the system gives no random
 * numbers); CGM_ERR_BUG (sigma is negative, infinite or NaN).  Cost about 1 µs a value.
 */
cgm_status cgm_privacy_release(cgm_comm *comm, double sigma, int64_t n, double *values);

#endif
