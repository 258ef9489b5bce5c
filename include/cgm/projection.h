/**
 * @file projection.h
 * Raw features projected on the principal components of all parties' points (features.type = pca).
 *
 * With mean and, if they are scaled first, scale of every feature a point x becomes C((x −
 * mean)/scale), the rows of C being the leading unit eigenvectors of the covariance matrix, and
 * each of these numbers is divided by its standard deviation when it is to be whitened. Of a
 * component the largest number in magnitude is positive, of several as large the first. One whose
 * variance may be rounding alone has no direction: it is 0, and so are all points in it.
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
 * stay in candidates->original.
 * @param[out] features  owned by the caller; the pair is cgm_features_destroy, after errors too
 * @return the same code on every rank: CGM_OK, CGM_ERR_USAGE (too many components), CGM_ERR_INPUT
 *         (a point lies too far off), CGM_ERR_MEMORY, CGM_ERR_BUG (no convergence).  Cost n
 * d²/ranks multiplications, d² n/CGM_BLOCK_POINTS/ranks exact additions, and the eigenproblem; 8 d²
 *         bytes a node.
 */
cgm_status cgm_projection_apply(cgm_comm *comm, const cgm_projection_rules *rules, cgm_shard *shard,
                                cgm_candidates *candidates, cgm_testset *testset,
                                cgm_features *features);

#endif
