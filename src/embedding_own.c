#include <stdlib.h>

#include "cgm/accumulator.h"
#include "cgm/embedding.h"

/* A party's points, packed: a block for each segment, as kernel sums have it, so that the sum is
 * theirs to the last bit. */
typedef struct own_blocks {
    const cgm_kernel *kernel;
    int64_t n_blocks;
    cgm_block *blocks;     /* [n_blocks] */
    cgm_segment *segments; /* [n_blocks] */
    double *coordinates;
} own_blocks;

static void own_blocks_destroy(own_blocks *of)
{
    free(of->blocks);
    free(of->segments);
    free(of->coordinates);
    *of = (own_blocks){0};
}

static cgm_status pack(cgm_comm *comm, const cgm_kernel *kernel, int64_t party, int64_t n_points,
                       const double *points, own_blocks *of)
{
    const int64_t d = kernel->n_features;
    const int64_t count = (n_points + CGM_BLOCK_POINTS - 1) / CGM_BLOCK_POINTS;
    *of = (own_blocks){.kernel = kernel,
                       .n_blocks = count,
                       .blocks = cgm_alloc(comm, count, sizeof *of->blocks),
                       .segments = cgm_alloc(comm, count, sizeof *of->segments),
                       .coordinates = cgm_alloc_aligned(comm, count * CGM_BLOCK_POINTS * d)};
    if (of->blocks == NULL || of->segments == NULL || of->coordinates == NULL) {
        return CGM_ERR_MEMORY;
    }
    for (int64_t b = 0; b < count; b++) {
        const int64_t first = b * CGM_BLOCK_POINTS;
        const int64_t left = n_points - first;
        const int64_t n = left < CGM_BLOCK_POINTS ? left : CGM_BLOCK_POINTS;
        of->segments[b] = (cgm_segment){party, first, n, 0};
        of->blocks[b] = (cgm_block){.n_points = n,
                                    .stride = (n + CGM_LANES - 1) / CGM_LANES * CGM_LANES,
                                    .coordinates = of->coordinates + first * d,
                                    .n_segments = 1,
                                    .segments = &of->segments[b]};
        cgm_kernel_pack(kernel, points + first * d, &of->segments[b], &of->blocks[b]);
        cgm_kernel_look(kernel, &of->blocks[b]);
    }
    return CGM_OK;
}

/* Each pair of segments once, those of two different ones in both orders. */
static double sum_pairs(cgm_comm *comm, const own_blocks *of)
{
    cgm_accumulator sum = {{0}};
#pragma omp parallel for schedule(dynamic) num_threads(comm->threads)
    for (int64_t a = 0; a < of->n_blocks; a++) {
        for (int64_t b = a; b < of->n_blocks; b++) {
            _Alignas(CGM_ALIGNMENT) double columns[CGM_BLOCK_POINTS];
            const cgm_tile tile = {&of->blocks[a], &of->segments[a], &of->blocks[b], 0};
            cgm_kernel_columns(of->kernel, &tile, columns);
            const double total = cgm_kernel_segment_sum(&of->segments[b], columns);
            cgm_accumulator_add_shared(&sum, a == b ? total : 2.0 * total);
        }
    }
    return cgm_accumulator_value(&sum);
}

/* Sums of this rank's parties. own_sums [n_parties] */
static cgm_status sum_own(cgm_comm *comm, const cgm_shard *shard, const cgm_kernel *kernel,
                          double *own_sums)
{
    cgm_status status = CGM_OK;
    for (int64_t k = 0; k < shard->n_shares && status == CGM_OK; k++) {
        const int64_t first = shard->share_first[k];
        const int64_t count = shard->share_first[k + 1] - first;
        own_blocks blocks;
        status = pack(comm, kernel, shard->share_party[k], count,
                      shard->points + first * shard->n_features, &blocks);
        if (status == CGM_OK) {
            own_sums[shard->share_party[k]] = sum_pairs(comm, &blocks);
            cgm_comm_count_work(comm, count * count / 2);
        }
        own_blocks_destroy(&blocks);
    }
    return status;
}

cgm_status cgm_embedding_own_sums(cgm_comm *comm, const cgm_shard *shard, const cgm_kernel *kernel,
                                  cgm_kernel_sums *sums)
{
    double *own_sums = cgm_alloc(comm, shard->n_parties, sizeof *own_sums);
    cgm_status status = own_sums != NULL ? sum_own(comm, shard, kernel, own_sums) : CGM_ERR_MEMORY;
    status = cgm_agree(comm, status);
    if (status == CGM_OK) {
        cgm_comm_all_gather(comm, own_sums, shard->first_party, sizeof *own_sums);
        sums->start_sums = own_sums;
    } else {
        free(own_sums);
    }
    return status;
}
