/**
 * @file pairs.h
 * Every unordered pair of points of the reference set T once, somewhere: parties' points travel
 * round a ring of ranks past slices of the pool (ARCHITECTURE: "Bitwise", the unit of work).
 *
 * Each rank is home to its shard and to a slice of the pool, so that all ranks have about the same
 * number of points. In step s a rank meets the points of the rank s places before it; after half
 * the ring every pair has met. Who evaluates a pair depends on the pair and on the number of ranks
 * alone, and what is evaluated does not depend on that at all: a row segment against columns.
 */
#ifndef CGM_PAIRS_H
#define CGM_PAIRS_H

#include <stdbool.h>
#include <stdint.h>

#include "cgm/comm.h"
#include "cgm/generator.h"
#include "cgm/kernel.h"
#include "cgm/pause.h"
#include "cgm/shard.h"
#include "cgm/units.h"

/** Where a tile's points are at home: one of both is this rank. */
typedef struct cgm_meeting {
    int home_rows;
    int home_columns;
} cgm_meeting;

/** What is done with the pairs. Callbacks are Local but for met. */
typedef struct cgm_pair_visitor {
    void *state;
    /** One tile: rows come before columns in T, or are the columns' first segment themselves (then
     * each pair of two of its points is met twice, and each point with itself).  Called by several
     * threads at a time. */
    void (*tile)(void *state, const cgm_tile *tile, const cgm_meeting *meeting);
    /** Called after each step with the rank that was met, and the rank that met this one; may
     * communicate (every rank calls it).  May be NULL. */
    void (*met)(void *state, int met, int met_by);
    bool skip_pool_pairs; /**< leave out candidates × candidates */
    bool distances_only;  /**< the pairs do not count as kernel evaluations */
    const char *label;    /**< for progress lines */
} cgm_pair_visitor;

/**
 * Pack the points and walk the ring.  Collective.  Leaves the pool packed for the kernel.
 * Cost O(n² d / ranks) time, O(n d / ranks) memory and O(n d) bytes sent a rank, of which the
 * pool's part only where it is sliced.
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY
 */
cgm_status cgm_pairs_visit(cgm_comm *comm, const cgm_shard *shard, const cgm_candidates *candidates,
                           const cgm_kernel *kernel, const cgm_pair_visitor *visitor);

/**
 * As cgm_pairs_visit, but pairs that are done already are left out, and the walk ends early when a
 * pause is due: whoever notices leaves out its tiles from then on, and all go on round the ring, so
 * that sums which travel are whole at the end.  Collective.
 * @param[in,out] units     zeroed: all pairs are visited; else those visited are marked, each rank
 *                          knowing its own and what all ranks knew before
 * @param[in]     pause     NULL: none; needs units
 * @param[out]    complete  whether no pair is left, the same on every rank
 */
cgm_status cgm_pairs_visit_undone(cgm_comm *comm, const cgm_shard *shard,
                                  const cgm_candidates *candidates, const cgm_kernel *kernel,
                                  const cgm_pair_visitor *visitor, cgm_units *units,
                                  const cgm_pause *pause, bool *complete);

/** Local. Points of parties at home on a rank. */
int64_t cgm_pairs_points(const cgm_shard *shard, int rank);

#endif
