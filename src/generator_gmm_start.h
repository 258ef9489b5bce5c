/**
 * @file generator_gmm_start.h
 * Where mixtures start: points far from each other. Internal.
 */
#ifndef CGM_GENERATOR_GMM_START_H
#define CGM_GENERATOR_GMM_START_H

#include "generator_gmm_points.h"

/**
 * Choose centres by k-means++: each next one is the best of four points that were drawn with
 * probability proportional to the squared distance from the nearest centre so far.  Collective.
 * A point is drawn when E/w is least over all of them, where w is that squared distance and E a
 * standard exponential number of the seed, the party's name and the point's number: it is the same
 * point wherever the others are. Centres 0 .. k − 1 are what k of them would be.
 * @param[in]  start    which of several choices
 * @param[out] centres  [most][n_features], the same on every rank
 * @param[out] n_found  fewer than most when there are not so many different points
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY.  Cost O(points · most · n_features)
 *         over all ranks.
 */
cgm_status gmm_choose_centres(cgm_comm *comm, const cgm_shard *shard, const gmm_points *points,
                              uint64_t seed, int64_t start, int64_t most, double *centres,
                              int64_t *n_found);

#endif
