/**
 * @file lengthscale_median.h
 * The median distance between the parties' points. Internal to the choice of the lengthscale.
 */
#ifndef CGM_LENGTHSCALE_MEDIAN_H
#define CGM_LENGTHSCALE_MEDIAN_H

#include "cgm/shard.h"

/** Above so many points of all parties together a seeded sample of as many is used. */
enum { CGM_MEDIAN_POINTS = 5000 };

/**
 * Median Euclidean distance over pairs of points of all parties (MATH.md §3 `median`); of an even
 * number of pairs the mean of the two middle ones; 0 of less than two points.  Collective.  The
 * same bits on every rank, at every number of ranks.
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY.  Cost O(points² d / ranks).
 */
cgm_status cgm_median_distance(cgm_comm *comm, const cgm_shard *shard, uint64_t seed,
                               double *median);

#endif
