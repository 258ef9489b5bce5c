/**
 * @file neighbours.h
 * Points that are looked for among the points of all ranks: queries stay where they are, references
 * travel round the ranks, so that each query meets each reference once. Internal to the metrics.
 */
#ifndef CGM_NEIGHBOURS_H
#define CGM_NEIGHBOURS_H

#include "cgm/kernel.h"

/** Packed points of one rank, each with a number that says whose it is; ascending. */
typedef struct neighbour_points {
    const cgm_kernel *kernel; /**< that packs them; NULL for those of another rank */
    bool apart;               /**< a block holds points of one owner */
    int64_t n_points;
    int64_t n_blocks;
    cgm_block *blocks;
    int64_t n_segments;
    cgm_segment *segments; /**< [n_segments] first: the block that it is in */
    int64_t n_doubles;     /**< of all blocks' coordinates, which follow each other */
    int64_t room;          /**< segments that there is room for, in front of the coordinates */
    double *memory;        /**< segments, then coordinates */
} neighbour_points;

/** A search. */
typedef struct neighbour_search {
    const neighbour_points *queries;
    void *state;
    /** Block b of the queries meets references.  Local, called by several threads at a time.
     * @return evaluations */
    int64_t (*meet)(void *state, int64_t b, const neighbour_points *references);
    const char *label; /**< for progress lines */
} neighbour_search;

/**
 * Room for points.  Local.
 * @param[in]  kernel    borrowed (cgm_kernel_of_distances)
 * @param[in]  n_points  at the most
 * @param[in]  n_owners  at the most
 * @param[in]  apart     a block holds points of one owner
 * @param[out] points    the pair is neighbour_points_destroy, after errors too
 * @return CGM_OK, CGM_ERR_MEMORY.  Memory O(n_points · n_features).
 */
cgm_status neighbour_points_create(cgm_comm *comm, const cgm_kernel *kernel, int64_t n_points,
                                   int64_t n_owners, bool apart, neighbour_points *points);

/** Local. Add points [count][n_features] of an owner; owners come in ascending order. */
void neighbour_points_add(neighbour_points *to, int64_t owner, const double *points, int64_t count);

/** Local. Accepts a zeroed struct. */
void neighbour_points_destroy(neighbour_points *points);

/** Local. The first segment of an owner or of one after it. */
int64_t neighbour_points_find(const neighbour_points *points, int64_t owner);

/** Local. Queries of this rank meet references that it can read. */
void neighbours_meet(cgm_comm *comm, const neighbour_search *search,
                     const neighbour_points *references);

/**
 * Queries of every rank meet the references of all ranks.  Collective.  What is sent and received
 * by a rank is all ranks' references; two of them are held at a time beside the rank's own.
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY
 */
cgm_status neighbours_meet_all(cgm_comm *comm, const neighbour_search *search,
                               const neighbour_points *references);

#endif
