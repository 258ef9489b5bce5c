/**
 * @file shapley.h
 * Shapley values, exactly, for any number of parties (MATH.md §4).
 */
#ifndef CGM_SHAPLEY_H
#define CGM_SHAPLEY_H

#include <stdint.h>

#include "cgm/coalition.h"

typedef enum cgm_shapley_method {
    CGM_SHAPLEY_AUTO,
    CGM_SHAPLEY_ENUMERATE,
    CGM_SHAPLEY_QUADRATURE
} cgm_shapley_method;

typedef struct cgm_shapley {
    cgm_shapley_method method; /**< the one used */
    double *phi;               /**< [n_parties] φ */
    double *alpha; /**< [n_parties] φ / max φ; 0 where φ counts as zero; equal where φ is tied */
    int64_t *tie;  /**< [n_parties] class of tied φ the party is in, ascending in φ */
    double error_estimate; /**< bound of the error of every φ */
    double efficiency_gap; /**< |Σφ − v(N)| */
    int64_t nodes;         /**< quadrature nodes, both grids; coalitions when enumerated */
} cgm_shapley;

/**
 * Shapley values of all parties.  Collective.
 * @param[in]  method     auto: enumeration up to CGM_ENUMERATE_MAX parties, quadrature above
 * @param[in]  tolerance  relative to max |φ|: the quadrature is refined while its error estimate is
 * larger
 * @param[out] shapley    the same bits on every rank; owned by the caller; the pair is
 * cgm_shapley_destroy
 * @return the same code on every rank: CGM_OK, CGM_ERR_USAGE (enumeration asked for too many
 * parties), CGM_ERR_MEMORY.  Cost: enumeration O(2^N N); quadrature O(N·K·nodes / ranks) for K
 * distinct sizes, 2,000 to 9,000 nodes.
 */
cgm_status cgm_shapley_compute(cgm_comm *comm, const cgm_kernel_sums *sums,
                               const cgm_values *values, cgm_shapley_method method,
                               double tolerance, cgm_shapley *shapley);

/** Local. Accepts a zeroed struct. */
void cgm_shapley_destroy(cgm_shapley *shapley);

#endif
