/**
 * @file generator_gmm_points.h
 * The points that a mixture is fitted to, as this rank holds them. Internal to generator_gmm.c,
 * generator_gmm_start.c, generator_gmm_fit.c.
 */
#ifndef CGM_GENERATOR_GMM_POINTS_H
#define CGM_GENERATOR_GMM_POINTS_H

#include "cgm/generator_gmm.h"
#include "cgm/shard.h"
#include "cgm/spread.h"

/** The class's points of one segment of a party (kernel.h), at least one: the unit whose sums are
 * added up exactly, which no number of ranks changes. */
typedef struct gmm_block {
    int64_t party;
    int64_t first; /* of the class's points on this rank */
    int64_t n_points;
} gmm_block;

/** Points of one class, scaled: coordinate = (x − centre) / scale. */
typedef struct gmm_points {
    bool sealed; /* sums over few of them must not be told (shard.h) */
    int64_t label;
    int64_t n_features; /* those that vary over the points of all classes */
    int64_t n_points;   /* on all ranks */
    int64_t n_local;
    int64_t n_blocks;
    gmm_block *blocks;
    double *coordinates; /* block after block, each [n_features][n_points of the block] */
    int64_t *rows;       /* [n_local] number among its party's points */
    double *centre;      /* [n_features] */
    double *scale;       /* [n_features] > 0 */
    double *least;       /* [n_features] least variance of a component, in the scaled unit */
} gmm_points;

/** Local. Points that a cell or component has at the least: a covariance of fewer is singular but
 * for its least variance, and a mean of few tells of each of them. */
static inline int64_t gmm_least_points(int64_t n_features)
{
    return n_features + 1 > CGM_GMM_LEAST_POINTS ? n_features + 1 : CGM_GMM_LEAST_POINTS;
}

/** Local. The features that vary. which [n_features of the shard] @return their number */
int64_t gmm_varying_features(const cgm_spread *spread, int64_t n_features, int64_t *which);

/**
 * Copy and scale the points of a class.  Collective.
 * @param[in]  spread   of all parties' points
 * @param[in]  which    [n_which] the features that vary
 * @param[out] points   the pair is gmm_points_destroy, after errors too
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY
 */
cgm_status gmm_points_create(cgm_comm *comm, const cgm_shard *shard, const cgm_spread *spread,
                             const int64_t *which, int64_t n_which, int64_t label,
                             gmm_points *points);

/** Local. Coordinates of a block's first feature. */
static inline double *gmm_block_coordinates(const gmm_points *points, const gmm_block *block)
{
    return points->coordinates + block->first * points->n_features;
}

/** Local. Accepts a zeroed struct. */
void gmm_points_destroy(gmm_points *points);

#endif
