#include "embedding_pool.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/accumulator.h"
#include "cgm/rng.h"

/* Offsets at which blocks are taken together, beside 0. */
enum { OFFSETS = 4 };

/* Blocks of the pool and which of them are taken together. */
typedef struct blocks {
    int64_t n_points, count;
    int n_offsets;
    int64_t offsets[OFFSETS + 1]; /* the first one is 0 */
} blocks;

static bool is_among(const blocks *of, int64_t offset)
{
    bool found = false;
    for (int k = 0; k < of->n_offsets; k++) {
        found = found || of->offsets[k] == offset;
    }
    return found;
}

static blocks choose_blocks(int64_t n_points, uint64_t seed)
{
    const cgm_rng rng = {seed, 0, CGM_RNG_POOL};
    blocks of = {.n_points = n_points,
                 .count = (n_points + CGM_BLOCK_POINTS - 1) / CGM_BLOCK_POINTS,
                 .n_offsets = 1};
    const int64_t others = of.count - 1;
    for (uint64_t draw = 0; of.n_offsets <= OFFSETS && of.n_offsets <= others; draw++) {
        uint64_t words[4];
        cgm_rng_words(&rng, draw, 0, 0, words);
        const int64_t drawn = 1 + (int64_t)(cgm_rng_uniform(words[0]) * (double)others);
        const int64_t offset = others <= OFFSETS ? of.n_offsets : drawn;
        if (offset <= others && !is_among(&of, offset)) {
            of.offsets[of.n_offsets++] = offset;
        }
    }
    return of;
}

static int64_t points_of(const blocks *of, int64_t block)
{
    return (of->n_points - block + of->count - 1) / of->count;
}

double embedding_pool_pairs(int64_t n_candidates, uint64_t seed, int size, int rank)
{
    const blocks of = choose_blocks(n_candidates, seed);
    double pairs = 0.0;
    for (int64_t b = rank; b < of.count; b += size) {
        for (int k = 0; k < of.n_offsets; k++) {
            pairs +=
                (double)points_of(&of, b) * (double)points_of(&of, (b + of.offsets[k]) % of.count);
        }
    }
    return pairs;
}

int embedding_pool_sums(int64_t n_candidates)
{
    return choose_blocks(n_candidates, 0).n_offsets;
}

/* ---- pairs of blocks ---- */

/* A block at a time: points in a row, and packed. */
static int64_t block_doubles(int64_t n_features)
{
    return 2 * (int64_t)CGM_BLOCK_POINTS * n_features;
}

double embedding_pool_bytes(int64_t n_features, int64_t threads)
{
    return (double)(threads * 2 * block_doubles(n_features)) * (double)sizeof(double);
}

static void pack(const blocks *of, const cgm_candidates *candidates, const cgm_kernel *kernel,
                 int64_t b, double *space, cgm_segment *segment, cgm_block *block)
{
    const int64_t d = kernel->n_features;
    const int64_t n = points_of(of, b);
    double *packed = space + CGM_BLOCK_POINTS * d;
    for (int64_t k = 0; k < n; k++) {
        memcpy(space + k * d, candidates->points + (b + k * of->count) * d,
               (size_t)d * sizeof *space);
    }
    *segment = (cgm_segment){0, 0, n, 0};
    *block = (cgm_block){.n_points = n,
                         .stride = (n + CGM_LANES - 1) / CGM_LANES * CGM_LANES,
                         .coordinates = packed,
                         .n_segments = 1,
                         .segments = segment};
    cgm_kernel_pack(kernel, space, segment, block);
    cgm_kernel_look(kernel, block);
}

/* Sums over block b and those at the offsets from it: sums, slopes [n_offsets]; or slopes NULL. */
static void add_block(const blocks *of, const cgm_candidates *candidates, const cgm_kernel *kernel,
                      int64_t b, double *space, cgm_accumulator *sums, cgm_accumulator *slopes)
{
    _Alignas(CGM_ALIGNMENT) double columns[CGM_BLOCK_POINTS];
    _Alignas(CGM_ALIGNMENT) double changes[CGM_BLOCK_POINTS];
    cgm_segment segments[2];
    cgm_block both[2];
    pack(of, candidates, kernel, b, space, &segments[0], &both[0]);
    for (int k = 0; k < of->n_offsets; k++) {
        pack(of, candidates, kernel, (b + of->offsets[k]) % of->count,
             space + block_doubles(kernel->n_features), &segments[1], &both[1]);
        const cgm_tile tile = {&both[0], &segments[0], &both[1], 0};
        if (slopes != NULL) {
            cgm_kernel_slopes(kernel, &tile, columns, changes);
            cgm_accumulator_add_shared(&slopes[k], cgm_kernel_segment_sum(&segments[1], changes));
        } else {
            cgm_kernel_columns(kernel, &tile, columns);
        }
        cgm_accumulator_add_shared(&sums[k], cgm_kernel_segment_sum(&segments[1], columns));
    }
}

/* ---- all of them ---- */

/* Of the offsets' sums, for each of which there are others/n of them. error, or NULL */
static double add_up(const blocks *of, const cgm_accumulator *sums, double *error)
{
    const double n = (double)(of->n_offsets - 1);
    const double others = (double)(of->count - 1);
    double mean = 0.0;
    double squares = 0.0;
    for (int k = 1; k < of->n_offsets; k++) {
        mean += cgm_accumulator_value(&sums[k]) / n;
    }
    for (int k = 1; k < of->n_offsets; k++) {
        const double off = cgm_accumulator_value(&sums[k]) - mean;
        squares += off * off;
    }
    if (error != NULL) {
        *error = n < others ? others * sqrt(squares / (n - 1.0) / n * (1.0 - n / others)) : 0.0;
    }
    return cgm_accumulator_value(&sums[0]) + others * mean;
}

cgm_status embedding_sum_pool(cgm_comm *comm, const cgm_candidates *candidates,
                              const cgm_kernel *kernel, uint64_t seed, bool slopes,
                              embedding_pool_sum *sum)
{
    const blocks of = choose_blocks(candidates->n_points, seed);
    const int64_t room = 2 * block_doubles(kernel->n_features);
    const int series = slopes ? 2 : 1;
    cgm_accumulator sums[2 * (OFFSETS + 1)] = {{{0}}};
    cgm_accumulator *changes = slopes ? sums + of.n_offsets : NULL;
    double *space = cgm_alloc_aligned(comm, comm->threads * room);
    cgm_status status = cgm_agree(comm, space != NULL ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
#pragma omp parallel for schedule(dynamic) num_threads(comm->threads)
        for (int64_t b = comm->rank; b < of.count; b += comm->size) {
            add_block(&of, candidates, kernel, b, space + omp_get_thread_num() * room, sums,
                      changes);
        }
        cgm_comm_count_work(
            comm, (int64_t)embedding_pool_pairs(of.n_points, seed, comm->size, comm->rank));
        cgm_accumulator_reduce(comm, sums, series * of.n_offsets);
        sum->value = add_up(&of, sums, &sum->error);
        sum->slope = slopes ? add_up(&of, changes, NULL) : 0.0;
    }
    free(space);
    return status;
}
