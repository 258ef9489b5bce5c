#include "cgm/pool.h"

#include <stdlib.h>

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Doubles of the coordinates of blocks first .. end - 1; lays them out from coordinates on unless
 * that is NULL. */
static int64_t place_blocks(cgm_pool *pool, int64_t first, int64_t end, double *coordinates)
{
    int64_t used = 0;
    for (int64_t b = first; b < end; b++) {
        pool->blocks[b].coordinates = coordinates != NULL ? coordinates + used : NULL;
        used += pool->n_features * pool->blocks[b].stride;
    }
    return used;
}

static cgm_status list_blocks(cgm_comm *comm, const cgm_candidates *candidates, int64_t n_parties,
                              cgm_pool *pool)
{
    pool->n_candidates = candidates->n_points;
    pool->n_features = candidates->n_features;
    pool->n_blocks = (pool->n_candidates + CGM_BLOCK_POINTS - 1) / CGM_BLOCK_POINTS;
    pool->blocks = cgm_alloc(comm, pool->n_blocks, sizeof *pool->blocks);
    pool->segments = cgm_alloc(comm, pool->n_blocks, sizeof *pool->segments);
    if (pool->blocks == NULL || pool->segments == NULL) {
        return CGM_ERR_MEMORY;
    }
    for (int64_t b = 0; b < pool->n_blocks; b++) {
        const int64_t first = b * CGM_BLOCK_POINTS;
        const int64_t count = least(pool->n_candidates - first, CGM_BLOCK_POINTS);
        pool->segments[b] = (cgm_segment){n_parties, first, count, 0};
        pool->blocks[b] = (cgm_block){.n_points = count,
                                      .stride = (count + CGM_LANES - 1) / CGM_LANES * CGM_LANES,
                                      .n_segments = 1,
                                      .segments = &pool->segments[b]};
    }
    pool->first_block = candidates->held_first / CGM_BLOCK_POINTS;
    pool->end_block = candidates->held_first == candidates->held_end
                          ? pool->first_block
                          : (candidates->held_end + CGM_BLOCK_POINTS - 1) / CGM_BLOCK_POINTS;
    return CGM_OK;
}

static cgm_status create(cgm_comm *comm, const cgm_candidates *candidates, int64_t n_parties,
                         cgm_pool *pool)
{
    cgm_status status = cgm_agree(comm, list_blocks(comm, candidates, n_parties, pool));
    if (status != CGM_OK) {
        return status;
    }
    const int64_t doubles = place_blocks(pool, pool->first_block, pool->end_block, NULL);
    double *coordinates;
    if (candidates->sliced) {
        pool->own = cgm_alloc_aligned(comm, doubles);
        status = cgm_agree(comm, pool->own == NULL ? CGM_ERR_MEMORY : CGM_OK);
        coordinates = pool->own;
    } else {
        status = cgm_shared_create(comm, (size_t)doubles * sizeof(double), &pool->memory);
        coordinates = pool->memory.data;
    }
    if (status == CGM_OK) {
        place_blocks(pool, pool->first_block, pool->end_block, coordinates);
    }
    return status;
}

cgm_status cgm_pool_pack(cgm_comm *comm, const cgm_candidates *candidates, int64_t n_parties,
                         const cgm_kernel *kernel)
{
    cgm_pool *pool = candidates->pool;
    if (candidates->n_points == 0) {
        return CGM_OK;
    }
    if (pool->blocks == NULL) {
        cgm_status status = create(comm, candidates, n_parties, pool);
        if (status != CGM_OK) {
            return status;
        }
    }
    if (!candidates->sliced) {
        cgm_shared_sync(comm, &pool->memory); /* nobody reads what was packed before any more */
    }
    const int64_t step = candidates->sliced ? 1 : comm->node_size;
    const int64_t mine = candidates->sliced ? 0 : comm->node_rank;
    for (int64_t b = pool->first_block + mine; b < pool->end_block; b += step) {
        const int64_t row = pool->segments[b].first - candidates->held_first;
        cgm_kernel_pack(kernel, candidates->points + row * pool->n_features, &pool->segments[b],
                        &pool->blocks[b]);
    }
    if (!candidates->sliced) {
        cgm_shared_sync(comm, &pool->memory);
    }
    for (int64_t b = pool->first_block; b < pool->end_block; b++) {
        cgm_kernel_look(kernel, &pool->blocks[b]);
    }
    return CGM_OK;
}

void cgm_pool_destroy(cgm_pool *pool)
{
    free(pool->blocks);
    free(pool->segments);
    free(pool->own);
    cgm_shared_destroy(&pool->memory);
    *pool = (cgm_pool){0};
}
