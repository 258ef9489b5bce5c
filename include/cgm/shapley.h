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

/** How a party's marginal contributions are weighted (MATH.md §4, "Semivalues"). */
typedef enum cgm_semivalue_kind {
    CGM_SEMIVALUE_SHAPLEY,
    CGM_SEMIVALUE_BANZHAF,
    CGM_SEMIVALUE_LEAVE_ONE_OUT,
    CGM_SEMIVALUE_BETA
} cgm_semivalue_kind;

/** beta:a,b has density τ^(b−1) (1 − τ)^(a−1)/B(a, b); a = b = 1 for the others. */
typedef struct cgm_semivalue {
    cgm_semivalue_kind kind;
    double a, b; /**< 0.05 .. 100 */
} cgm_semivalue;

/** Local. The word for a kind in options and output. */
const char *cgm_semivalue_name(cgm_semivalue_kind kind);

/** Room for the text of a semivalue. */
enum { CGM_SEMIVALUE_TEXT = 80 };

/** Local. The semivalue as options spell it: a word, or beta:a,b. */
void cgm_semivalue_text(const cgm_semivalue *semivalue, char text[CGM_SEMIVALUE_TEXT]);

/** φ is whatever the semivalue makes it; α, ties and everything after follow from φ alike. */
typedef struct cgm_shapley {
    cgm_semivalue semivalue;
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
 * @param[in]  semivalue  leave_one_out is computed directly whatever the method
 * @param[in]  tolerance  relative to max |φ|: the quadrature is refined while its error estimate is
 * larger
 * @param[out] shapley    the same bits on every rank; owned by the caller; the pair is
 * cgm_shapley_destroy
 * @return the same code on every rank: CGM_OK, CGM_ERR_USAGE (enumeration asked for too many
 * parties), CGM_ERR_MEMORY.  Cost: enumeration O(2^N N); quadrature O(N·K·nodes / ranks) for K
 * distinct sizes, 2,000 to 9,000 nodes; memory beside S at most half of this rank's rows of it
 * again.
 */
cgm_status cgm_shapley_compute(cgm_comm *comm, const cgm_kernel_sums *sums,
                               const cgm_values *values, cgm_shapley_method method,
                               const cgm_semivalue *semivalue, double tolerance,
                               cgm_shapley *shapley);

/** Local. Accepts a zeroed struct. */
void cgm_shapley_destroy(cgm_shapley *shapley);

#endif
