#include "cost_model.h"

#include <math.h>

#include "cgm/accumulator.h"
#include "cgm/kernel.h"

/* ---- what is at home where ---- */

static double padded(int64_t n_points)
{
    const int64_t vectors = (n_points + CGM_LANES - 1) / CGM_LANES;
    return (double)(vectors * CGM_LANES);
}

/* A block of the parties while segments are put into it. */
typedef struct open_block {
    int64_t number;
    int64_t n_segments;
    int64_t n_points;
    double begins; /* Σ over segments of points times begin */
} open_block;

static void close_block(const cgm_cost_model *of, open_block *block, cgm_cost_home *to)
{
    const double points = (double)block->n_points;
    to->party_columns[block->number % 2] += points;
    to->party_squares += points * points;
    to->party_diagonal += points * points - block->begins;
    to->packed += padded(block->n_points) * (double)of->n_features;
    *block = (open_block){.number = block->number + (block->n_points > 0)};
}

/* Cuts rows first .. end - 1 of a party into segments, and packs these into blocks as pairs.c does.
 */
static void add_share(const cgm_cost_model *of, int64_t first, int64_t end, open_block *block,
                      cgm_cost_home *to)
{
    for (; first < end; first += CGM_BLOCK_POINTS) {
        const int64_t count = end - first < CGM_BLOCK_POINTS ? end - first : CGM_BLOCK_POINTS;
        if (block->n_points + count > CGM_BLOCK_POINTS) {
            close_block(of, block, to);
        }
        to->party_rows[(block->number + block->n_segments++) % 2] += (double)count;
        to->n_segments++;
        block->begins += (double)count * (double)block->n_points;
        block->n_points += count;
    }
}

/* Blocks of the pool are full but for the last of all. */
static void add_slice(const cgm_cost_model *of, int64_t first, int64_t end, int64_t n_party_blocks,
                      cgm_cost_home *to)
{
    const double features = (double)of->n_features;
    int64_t number = 0;
    to->pool = (double)(end - first);
    for (; first < end; first += CGM_BLOCK_POINTS, number++) {
        const int64_t count = end - first < CGM_BLOCK_POINTS ? end - first : CGM_BLOCK_POINTS;
        to->pool_blocks[(n_party_blocks + number) % 2] += (double)count;
        to->pool_squares += (double)count * (double)count;
        to->travelling += of->run->sliced ? padded(count) * features : 0.0;
    }
}

void cgm_cost_list_homes(cgm_cost_model *of)
{
    const cgm_shard *shard = of->shard;
    int64_t party = 0;
    int64_t party_first = 0; /* in all parties' points */
    for (int r = 0; r < of->run->size; r++) {
        cgm_cost_home *to = &of->homes[r];
        open_block block = {0};
        const int64_t first = shard->first_point[r];
        const int64_t end = shard->first_point[r + 1];
        while (party < shard->n_parties && party_first < end) {
            const int64_t party_end = party_first + shard->party_points[party];
            const int64_t from = first > party_first ? first : party_first;
            const int64_t until = end < party_end ? end : party_end;
            if (from < until) {
                add_share(of, from - party_first, until - party_first, &block, to);
            }
            if (party_end > end) {
                break; /* the next rank has more of it */
            }
            party_first = party_end;
            party++;
        }
        close_block(of, &block, to);
        to->points = (double)(end - first);
        to->travelling = to->packed;
        const int64_t *slice = of->run->first_candidate + r;
        add_slice(of, slice[0], slice[1], block.number, to);
        of->largest = fmax(of->largest, to->travelling);
        of->longest = fmax(of->longest, to->pool);
    }
    of->packed_pool = padded(of->run->n_candidates) * (double)of->n_features;
}

/* ---- communication, as comm.c counts it ---- */

double cgm_cost_candidate_layers(const cgm_cost_model *of)
{
    return (double)cgm_candidate_layers_count(of->shard->n_parties, of->run->n_candidates);
}

void cgm_cost_broadcast(cgm_cost_model *of, int root, double bytes)
{
    for (int r = 0; r < of->run->size && of->run->size > 1; r++) {
        of->work[r].bytes_sent += r == root ? bytes : 0.0;
        of->work[r].bytes_received += r == root ? 0.0 : bytes;
    }
}

void cgm_cost_reduction(cgm_cost_model *of, double bytes)
{
    for (int r = 0; r < of->run->size && of->run->size > 1; r++) {
        of->work[r].bytes_sent += bytes;
        of->work[r].bytes_received += bytes;
    }
}

void cgm_cost_accumulators(cgm_cost_model *of, double count)
{
    /* Whether any of them is poisoned, then their limbs. */
    cgm_cost_reduction(of, (double)sizeof(int64_t) + count * (double)sizeof(cgm_accumulator));
}

void cgm_cost_gather(cgm_cost_model *of, double bytes)
{
    for (int r = 0; r < of->run->size; r++) {
        of->work[r].bytes_sent += r == 0 ? 0.0 : bytes;
        of->work[r].bytes_received += r == 0 ? bytes * (of->run->size - 1) : 0.0;
    }
}

void cgm_cost_all_gather(cgm_cost_model *of, const int64_t *first, double element)
{
    const int size = of->run->size;
    const double all = (double)(first[size] - first[0]) * element;
    for (int r = 0; r < size && size > 1; r++) {
        const double own = (double)(first[r + 1] - first[r]) * element;
        of->work[r].bytes_sent += own;
        of->work[r].bytes_received += all - own;
    }
}

/* ---- the ring of pairs.c ---- */

static double home_evaluations(const cgm_cost_home *at, bool skip_pool_pairs)
{
    double sum = at->party_diagonal + 0.5 * (at->points * at->points - at->party_squares) +
                 at->points * at->pool;
    if (!skip_pool_pairs) {
        sum += 0.5 * (at->pool * at->pool + at->pool_squares);
    }
    return sum;
}

/* Row segments times column blocks of equal parity (0) or of different parity (1). */
static double every_other(const double rows[2], const double columns[2], int parity)
{
    return rows[0] * columns[parity] + rows[1] * columns[1 - parity];
}

/* What rank does of its points with those of the rank met, half of it if half. */
static double guest_evaluations(const cgm_cost_model *of, int rank, int met, bool half,
                                bool skip_pool_pairs)
{
    const cgm_cost_home *a = &of->homes[rank < met ? rank : met];
    const cgm_cost_home *b = &of->homes[rank < met ? met : rank];
    if (!half) {
        return a->points * (b->points + b->pool) + b->points * a->pool +
               (skip_pool_pairs ? 0.0 : a->pool * b->pool);
    }
    /* The home of the rows takes those of equal parity. */
    const int with_a = rank < met ? 0 : 1;
    const int with_b = 1 - with_a;
    double sum = every_other(a->party_rows, b->party_columns, with_a) +
                 every_other(a->party_rows, b->pool_blocks, with_a) +
                 every_other(b->party_rows, a->pool_blocks, with_b);
    if (!skip_pool_pairs) {
        sum += every_other(a->pool_blocks, b->pool_blocks, with_a);
    }
    return sum;
}

void cgm_cost_ring(cgm_cost_model *of, double passes, bool skip_pool_pairs, bool counted,
                   cgm_cost_hand_over *after_step)
{
    const int size = of->run->size;
    for (int r = 0; r < size; r++) {
        cgm_cost_work *work = &of->work[r];
        double evaluations = home_evaluations(&of->homes[r], skip_pool_pairs);
        for (int step = 1; step <= size / 2; step++) {
            const int met = (r - step + size) % size;
            const int carried = (r - step + 1 + size) % size;
            evaluations += guest_evaluations(of, r, met, 2 * step == size, skip_pool_pairs);
            work->bytes_sent += passes * sizeof(double) * of->homes[carried].travelling;
            work->bytes_received += passes * sizeof(double) * of->homes[met].travelling;
            if (after_step != NULL) {
                after_step(of, r, met, (r + step) % size);
            }
        }
        *(counted ? &work->kernel_evaluations : &work->distances) += passes * evaluations;
    }
}
