/**
 * @file projection.h
 * Raw features projected on the principal components of all parties' points (features.type = pca).
 *
 * With mean and scale of every feature (1 unless they are scaled first) a point x becomes z = C((x
 * − mean)/scale)/unit, the rows of C being the leading unit eigenvectors of the covariance matrix,
 * and unit the standard deviation of each of these numbers when they are to be whitened, else 1.
 * The way back, to the nearest point that the components span, is x = mean + scale·Cᵀ(unit·z). Of a
 * component the largest number in magnitude is positive, of several as large the first. One whose
 * variance may be rounding alone has no direction: it is 0, and so are all points in it.
 *
 * Rewards consist of rows of the pool as it is stored. A pool that came in the features of the
 * parties' points is stored like that, and projected for the kernel alone. One that is drawn from a
 * model of the projected points is stored as these coordinates, in a file too: a run takes it from
 * there if the file's /features are what it has fitted itself.
 */
#ifndef CGM_PROJECTION_H
#define CGM_PROJECTION_H

#include "cgm/dense.h"
#include "cgm/features.h"

typedef struct cgm_projection_rules {
    cgm_features_scaling scaling; /**< before it */
    int64_t n_components;
    bool whiten;
    cgm_eigensolver solver; /**< LAPACK: the same bits at every number of ranks */
} cgm_projection_rules;

/** Local. Can so many components be had? CGM_OK, CGM_ERR_USAGE. */
cgm_status cgm_projection_check(cgm_comm *comm, int64_t n_components, int64_t n_features,
                                int64_t n_points);

/**
 * Fit scaling and components on all parties together, and project their points, the pool and the
 * test points.  Collective.
 * Points and n_features of all three are those of the projection then; the pool's points as read
 * stay in candidates->original. A pool that is announced only, or projected already, is left as it
 * is: what fits it to the features is cgm_candidates_draw or cgm_projection_check_pool.
 * @param[out] features  owned by the caller; the pair is cgm_features_destroy, after errors too
 * @return the same code on every rank: CGM_OK, CGM_ERR_USAGE (too many components), CGM_ERR_INPUT
 *         (a point lies too far off), CGM_ERR_MEMORY, CGM_ERR_BUG (no convergence).  Cost n
 * d²/ranks multiplications, d² n/CGM_BLOCK_POINTS/ranks exact additions, and the eigenproblem; 8 d²
 *         bytes a node.
 */
cgm_status cgm_projection_apply(cgm_comm *comm, const cgm_projection_rules *rules, cgm_shard *shard,
                                cgm_candidates *candidates, cgm_testset *testset,
                                cgm_features *features);

/**
 * Project points [n_points][n_features] of one owner to [n_points][n_components], as those of the
 * run were.  Local.
 * @param[in] owner  whom a message is to name
 * @return CGM_OK, CGM_ERR_INPUT (a point lies too far off), CGM_ERR_MEMORY
 */
cgm_status cgm_projection_points(cgm_comm *comm, const cgm_features *features, const char *owner,
                                 int64_t n_points, const double *from, double *to);

/** Local. What a component's numbers were divided by: their standard deviation, or 1. */
double cgm_projection_unit(const cgm_features *features, int64_t component);

/**
 * Whether a pool that is stored in a file as coordinates on components, or is not, goes with the
 * options.  Collective.
 * @param[in] n_components  of the options; 0: features are not projected
 * @return the same code on every rank: CGM_OK, CGM_ERR_INPUT (other components, or none)
 */
cgm_status cgm_projection_check_shape(cgm_comm *comm, const char *path, int64_t n_components,
                                      const cgm_candidates_shape *shape);

/**
 * Whether the coordinates in a file are those on the components that were fitted.  Collective.  By
 * LAPACK that is bit for bit; by ScaLAPACK, where components depend on the number of ranks, to
 * CGM_SAME_COMPONENT.
 * @param[in] path  has a pool that is projected
 * @return the same code on every rank: CGM_OK, CGM_ERR_INPUT (they are others), CGM_ERR_MEMORY
 */
cgm_status cgm_projection_check_pool(cgm_comm *comm, const char *path,
                                     const cgm_projection_rules *rules,
                                     const cgm_features *features);

#endif
