/**
 * @file pool.h
 * The candidate pool in packed form (kernel.h): blocks of consecutive candidates, one copy a node,
 * or a slice a rank where the candidates are sliced.
 */
#ifndef CGM_POOL_H
#define CGM_POOL_H

#include "cgm/generator.h"
#include "cgm/kernel.h"

/** Block b holds candidates b·CGM_BLOCK_POINTS and on; one segment, whose owner is the pool. */
typedef struct cgm_pool {
    int64_t n_candidates;
    int64_t n_features;
    int64_t n_blocks;
    cgm_block *blocks;     /**< [n_blocks]; coordinates are NULL where they are not held here */
    cgm_segment *segments; /**< [n_blocks] */
    int64_t first_block, end_block; /**< held here: all, or those of this rank's slice */
    cgm_shared memory;              /**< of coordinates, one copy a node */
    double *own;                    /**< of coordinates, this rank's slice */
} cgm_pool;

/**
 * Pack the candidates for a kernel, again if they are packed for another.  Collective over the
 * node; a rank packs a part.
 * @param[in,out] candidates  their pool is filled; it lives as long as they do
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY
 */
cgm_status cgm_pool_pack(cgm_comm *comm, const cgm_candidates *candidates, int64_t n_parties,
                         const cgm_kernel *kernel);

/** Collective over the node. Frees what packing made. */
void cgm_pool_destroy(cgm_pool *pool);

#endif
