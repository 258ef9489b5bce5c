/**
 * @file features.h
 * Scaling of raw features before anything is computed from them.
 */
#ifndef CGM_FEATURES_H
#define CGM_FEATURES_H

#include "cgm/pairs.h"
#include "cgm/testset.h"

typedef enum cgm_features_scaling {
    CGM_SCALE_NONE,
    CGM_SCALE_STANDARD, /**< mean 0, standard deviation 1 over all parties' points */
    CGM_SCALE_MINMAX    /**< 0 .. 1 over all parties' points */
} cgm_features_scaling;

/** What features are made of. */
typedef enum cgm_features_type {
    CGM_FEATURES_PLAIN,
    CGM_FEATURES_PCA /**< the principal components of all parties' points (projection.h) */
} cgm_features_type;

/** What was done to every feature: x becomes (x − mean)/scale, and is projected then, or not. */
typedef struct cgm_features {
    cgm_features_scaling scaling;
    double *mean;  /**< [n_features]; NULL with neither scaling nor projection */
    double *scale; /**< [n_features] > 0; 1 for a feature that is constant over the parties, or not
                      scaled */

    int64_t n_features; /**< as read, before a projection; set with either of the two */

    int64_t n_components; /**< 0: not projected, and nothing below is there */
    bool whiten;          /**< each component was divided by its standard deviation */
    bool pool_projected;  /**< the pool is stored as coordinates on the components, and rewards
                             with it; else as read, with n_features */
    double *range;        /**< [n_features] of the parties' points, neither scaled nor projected */
    double *components;   /**< [n_components][n_features] rows of unit length, or 0 */
    double *explained_variance; /**< [n_components] descending, n − 1 in the denominator */
    double total_variance;      /**< of all features */
} cgm_features;

/**
 * Fit the scaling on all parties together and apply it to their points, to the pool and to the test
 * points.  Collective.
 * The pool's points as read stay in candidates->original: rewards are paid in the unit the data
 * came in. A pool that is only announced is left to cgm_candidates_draw.
 * @param[out] features  owned by the caller; the pair is cgm_features_destroy
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY.  The same bits at every number of
 *         ranks.
 */
cgm_status cgm_features_scale(cgm_comm *comm, cgm_features_scaling scaling, cgm_shard *shard,
                              cgm_candidates *candidates, cgm_testset *testset,
                              cgm_features *features);

/** Local. Apply a scaling to points [n_points][n_features], from and to may be the same. */
void cgm_features_apply(const cgm_features *features, int64_t n_points, int64_t n_features,
                        const double *from, double *to);

/** Local. The other way round: x becomes mean + scale·x. from and to may be the same. */
void cgm_features_invert(const cgm_features *features, int64_t n_points, int64_t n_features,
                         const double *from, double *to);

/**
 * The pool as the kernel sees it, from candidates->original.  Collective.
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY
 */
cgm_status cgm_features_apply_to_pool(cgm_comm *comm, const cgm_features *features,
                                      cgm_candidates *candidates);

/** Local. Accepts a zeroed struct. */
void cgm_features_destroy(cgm_features *features);

#endif
