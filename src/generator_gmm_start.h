/**
 * @file generator_gmm_start.h
 * Where mixtures start: among cells of points that are close to each other, of which ranks know
 * their numbers and means alone. Internal.
 */
#ifndef CGM_GENERATOR_GMM_START_H
#define CGM_GENERATOR_GMM_START_H

#include "generator_gmm_points.h"

/** Cells of points, as many in a dense region as their number asks for, each of
 * gmm_least_points or more. The same on every rank. */
typedef struct gmm_cells {
    int64_t n_cells;
    int64_t n_features;
    double *counts; /* [n_cells] points */
    double *means;  /* [n_cells][n_features] */
} gmm_cells;

/**
 * Cut the points into cells: each is cut in two at its mean in the feature of its largest variance,
 * again and again, until there are several for each centre or none can be cut. A cut that would
 * leave too few points on one side is moved to the other: it is the number of points above that
 * ranks add up first. Of sealed points no cell is told, as a rank may hold one point of it alone:
 * cells are then made up, normally distributed as all points together are.  Collective.
 * @param[in]  most   centres that will be chosen of them
 * @param[out] cells  the pair is gmm_cells_destroy, after errors too
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY.  Cost O(points · n_features ·
 *         log(most)) over all ranks.
 */
cgm_status gmm_cells_create(cgm_comm *comm, const gmm_points *points, int64_t most,
                            gmm_cells *cells);

/** Local. Accepts a zeroed struct. */
void gmm_cells_destroy(gmm_cells *cells);

/**
 * Choose centres among the means of cells by k-means++: each next one is the best of
 * CGM_GMM_TRIALS that are drawn with probability proportional to points times squared distance
 * from the nearest centre so far.  Collective; rank 0 chooses.
 * @param[in]  stream   of random numbers: what tells classes apart
 * @param[in]  start    which of several choices
 * @param[out] centres  [most][n_features], the same on every rank; centres 0 .. k − 1 are what k
 *                      of them would be
 * @param[out] n_found  fewer than most when there are not so many different cells
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY
 */
cgm_status gmm_choose_centres(cgm_comm *comm, const gmm_cells *cells, uint64_t seed,
                              uint64_t stream, int64_t start, int64_t most, double *centres,
                              int64_t *n_found);

#endif
