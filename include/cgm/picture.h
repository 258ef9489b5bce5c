/**
 * @file picture.h
 * A picture of the parties' data that shows no record: how many points lie in each cell of a coarse
 * grid, in the unit of the input. It is part of the results and what `cgm report` draws from.
 *
 * Axes are the features themselves, of up to 2; the two leading principal components of all
 * parties' points together, up to 64 features; above, the two features of the largest variance. Of
 * projected features they are the first two coordinates (projection.h), whitened or not.
 * Points beyond the edges are left out: an edge lies where at least CGM_PICTURE_LEAST points are
 * beyond it or in the outermost of 512 strips inside it, so that it tells no record's value either.
 */
#ifndef CGM_PICTURE_H
#define CGM_PICTURE_H

#include "cgm/features.h"
#include "cgm/shard.h"

enum {
    CGM_PICTURE_AXES = 2,
    CGM_PICTURE_PARTIES = 8,     /**< parties shown at most, beside all together */
    CGM_PICTURE_LEAST = 5,       /**< a cell with fewer points counts as empty */
    CGM_PICTURE_COMPONENTS = 64, /**< most features that principal components are taken of */
    CGM_PICTURE_STRIPS = 512,    /**< of an axis, in which its edges are looked for */
    CGM_PICTURE_POINTS = 10,     /**< of all parties, without which there is no picture: those that
                                    the edges of an axis need */
    CGM_PICTURE_AXIS = 32        /**< room for the name of an axis */
};

/** The same on every rank; zeroed: there are too few points to show any. */
typedef struct cgm_picture {
    int64_t n_axes;                                /**< 1 or 2; 0: no picture */
    int64_t n_features;                            /**< of the rows that rewards consist of */
    char axes[CGM_PICTURE_AXES][CGM_PICTURE_AXIS]; /**< `feature 0` (counted from 0), `pc1` */
    double *projection; /**< [n_axes][n_features]: a coordinate is projection · (point − mean) */
    double *mean;       /**< [n_features]; 0 where axes are features */
    double low[CGM_PICTURE_AXES], high[CGM_PICTURE_AXES]; /**< edges */
    int64_t bins;                                         /**< cells of an axis, all equally wide */
    int64_t n_cells;                                      /**< bins, or bins² */
    int64_t n_shown; /**< parties shown: all, or those of the largest and of the smallest φ */
    int64_t party[CGM_PICTURE_PARTIES];
    int64_t *counts; /**< [n_shown + 1][n_cells], the last row of all parties together; cell
                        first·bins + second of two axes. 0 or at least CGM_PICTURE_LEAST */
} cgm_picture;

/**
 * Choose the axes and count.  Collective; none where shards are sealed; three passes over the
 * parties' points, one more for each pair of features where principal components are taken.  The
 * same bits at every number of ranks.
 * @param[in]  features  what was done to the points of the shard, which is undone here
 * @param[out] picture   the pair is cgm_picture_destroy, after errors too
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY, CGM_ERR_BUG
 */
cgm_status cgm_picture_draw(cgm_comm *comm, const cgm_shard *shard, const cgm_features *features,
                            const double *phi, cgm_picture *picture);

/** Local. Cells of an axis: as many as leave some points in each, of a party's while few parties
 * are shown, else of all together. */
int64_t cgm_picture_bins(const cgm_shard *shard, int64_t n_features);

/** Local. The coordinate of a point, as rewards hold them, on an axis. */
double cgm_picture_coordinate(const cgm_picture *picture, const double *point, int64_t axis);

/** Local. Accepts a zeroed struct. */
void cgm_picture_destroy(cgm_picture *picture);

#endif
