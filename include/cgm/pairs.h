/**
 * @file pairs.h
 * Every unordered pair of blocks of the reference set T once, somewhere: parties' shards and slices
 * of the pool travel round a ring of ranks (ARCHITECTURE: "Bitwise", the unit of work).
 *
 * Each rank is home to the blocks of its own parties and of a slice of the pool, sized so that all
 * ranks have about the same number of points. In step s a rank meets the blocks of the rank s
 * places before it; after half the ring every pair has met. Who evaluates a pair depends on the
 * pair and on the number of ranks alone.
 */
#ifndef CGM_PAIRS_H
#define CGM_PAIRS_H

#include <stdbool.h>
#include <stdint.h>

#include "cgm/comm.h"
#include "cgm/generator.h"
#include "cgm/kernel.h"
#include "cgm/shard.h"

/** Where blocks are at home; the same on every rank. */
typedef struct cgm_layout {
    int64_t n_parties;
    int64_t n_features;
    int64_t n_candidates;
    const int64_t *party_points; /**< [n_parties], borrowed from the shard */
    const int64_t *first_party;  /**< [size + 1], borrowed from the shard */
    int64_t *first_candidate;    /**< [size + 1] pool slices, whole blocks but for the last */
} cgm_layout;

/** The blocks at home on one rank, packed. */
typedef struct cgm_packed {
    int64_t n_blocks;
    cgm_block *blocks;
    double *coordinates; /**< one allocation behind all blocks */
    int64_t n_doubles;
} cgm_packed;

/** What is done with the pairs. Callbacks are Local. */
typedef struct cgm_pair_visitor {
    void *state;
    /** One pair of blocks in the order of T, whoever evaluates it, because a tile rounds
     * differently from its transpose. home_a and home_b are the ranks that the blocks are at home
     * on, one of them this one; a == b for a block with itself. */
    void (*pair)(void *state, const cgm_block *a, int home_a, const cgm_block *b, int home_b);
    /** Called after each step with the rank that was met; may communicate (every rank calls it).
     * May be NULL. */
    void (*met)(void *state, int home, int evaluator);
    bool skip_pool_pairs; /**< leave out candidates × candidates */
    bool distances_only;  /**< the pairs do not count as kernel evaluations */
    const char *label;    /**< for progress lines */
} cgm_pair_visitor;

/** Local on every rank, same result. CGM_ERR_MEMORY possible; the caller votes. */
cgm_status cgm_layout_create(cgm_comm *comm, const cgm_shard *shard,
                             const cgm_candidates *candidates, cgm_layout *layout);
void cgm_layout_destroy(cgm_layout *layout);

/**
 * Pack this rank's blocks and walk the ring.  Collective.
 * Cost O(n² d / ranks) time, O(n d / ranks) memory and O(n d) bytes sent a rank.
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY
 */
cgm_status cgm_pairs_visit(cgm_comm *comm, const cgm_layout *layout, const cgm_shard *shard,
                           const cgm_candidates *candidates, const cgm_kernel *kernel,
                           const cgm_pair_visitor *visitor);

#endif
