#include "cgm/pairs.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/log.h"
#include "cgm/pool.h"

/* Blocks at home on one rank: those of its parties, then those of its slice of the pool. */
typedef struct packed {
    int64_t n_blocks;
    int64_t n_party_blocks;
    cgm_block *blocks;
    cgm_segment *segments; /* of the parties' blocks */
    int64_t n_doubles;     /* of coordinates that travel */
} packed;

/* One walk round the ring, as this rank sees it. */
typedef struct ring_walk {
    cgm_comm *comm;
    const cgm_shard *shard;
    const cgm_candidates *candidates;
    const cgm_pair_visitor *visitor;
    cgm_units *units;
    const cgm_pause *pause;
    bool pausing; /* the tiles that are left stay undone */
    packed home;
    packed guest;        /* blocks that are at home on the rank met in this step */
    double *own;         /* coordinates that this rank sends */
    double *buffers[2];  /* coordinates of guest, and of the guest to come */
    int64_t *travelling; /* [size] doubles of coordinates that each rank sends round */
    cgm_exchange exchange;
    cgm_progress progress;
    double points_done; /* points squared, of this rank's share */
    double points_total;
} ring_walk;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t cgm_pairs_points(const cgm_shard *shard, int rank)
{
    return shard->first_point[rank + 1] - shard->first_point[rank];
}

static int64_t points_of(const ring_walk *walk, int rank)
{
    return cgm_pairs_points(walk->shard, rank) + cgm_candidates_count(walk->candidates, rank);
}

/* ---- the blocks of a rank ---- */

/* Adds a segment to the last block, or to a new one where it does not fit. */
static void append_segment(packed *to, int64_t n_segments, cgm_segment segment)
{
    cgm_block *block = to->n_blocks > 0 ? &to->blocks[to->n_blocks - 1] : NULL;
    if (block == NULL || block->n_points + segment.n_points > CGM_BLOCK_POINTS) {
        block = &to->blocks[to->n_blocks++];
        *block = (cgm_block){.segments = &to->segments[n_segments]};
    }
    segment.begin = block->n_points;
    to->segments[n_segments] = segment;
    block->n_segments++;
    block->n_points += segment.n_points;
    block->stride = (block->n_points + CGM_LANES - 1) / CGM_LANES * CGM_LANES;
}

/* The parties' blocks at home on a rank, without coordinates. */
static void list_party_blocks(const cgm_shard *shard, int rank, packed *to)
{
    int64_t n_segments = 0;
    int64_t party_end = 0; /* in all parties' points */
    to->n_blocks = 0;
    for (int64_t i = 0; i < shard->n_parties; i++) {
        const int64_t party_first = party_end;
        party_end += shard->party_points[i];
        int64_t first = shard->first_point[rank] - party_first;
        first = first > 0 ? first : 0;
        const int64_t end = least(shard->first_point[rank + 1], party_end) - party_first;
        for (; first < end; first += CGM_BLOCK_POINTS) {
            const int64_t count = least(end - first, CGM_BLOCK_POINTS);
            append_segment(to, n_segments++, (cgm_segment){i, first, count, 0});
        }
        if (party_end >= shard->first_point[rank + 1]) {
            break;
        }
    }
    to->n_party_blocks = to->n_blocks;
}

/* The slice of the pool behind them, in memory that the node shares unless it travels too. */
static void list_pool_blocks(const cgm_candidates *candidates, int rank, packed *to)
{
    const int64_t first = candidates->first[rank] / CGM_BLOCK_POINTS;
    for (int64_t b = first; b * CGM_BLOCK_POINTS < candidates->first[rank + 1]; b++) {
        to->blocks[to->n_blocks++] = candidates->pool->blocks[b];
    }
}

/* Lets the blocks that travel lie one after the other in coordinates. */
static void place_blocks(const ring_walk *walk, packed *to, double *coordinates)
{
    const int64_t end = walk->candidates->sliced ? to->n_blocks : to->n_party_blocks;
    to->n_doubles = 0;
    for (int64_t b = 0; b < end; b++) {
        to->blocks[b].coordinates = coordinates != NULL ? coordinates + to->n_doubles : NULL;
        to->n_doubles += walk->shard->n_features * to->blocks[b].stride;
    }
}

static void list_blocks(const ring_walk *walk, int rank, double *coordinates, packed *to)
{
    list_party_blocks(walk->shard, rank, to);
    if (cgm_candidates_count(walk->candidates, rank) > 0) {
        list_pool_blocks(walk->candidates, rank, to);
    }
    place_blocks(walk, to, coordinates);
}

/* Upper bounds over all ranks. */
static int64_t most_segments(const ring_walk *walk)
{
    int64_t most = 0;
    for (int r = 0; r < walk->comm->size; r++) {
        const int64_t points = cgm_pairs_points(walk->shard, r);
        most = points > most ? points : most;
    }
    /* Every point of its own party, or every party of less than a block with a rest. */
    return least(most, most / CGM_BLOCK_POINTS + walk->shard->n_parties);
}

static int64_t most_pool_blocks(const ring_walk *walk)
{
    int64_t most = 0;
    for (int r = 0; r < walk->comm->size; r++) {
        const int64_t blocks = cgm_candidates_count(walk->candidates, r) / CGM_BLOCK_POINTS + 1;
        most = blocks > most ? blocks : most;
    }
    return most;
}

static cgm_status packed_create(const ring_walk *walk, packed *made)
{
    const int64_t segments = most_segments(walk);
    made->segments = cgm_alloc(walk->comm, segments, sizeof(cgm_segment));
    made->blocks = cgm_alloc(walk->comm, segments + most_pool_blocks(walk), sizeof(cgm_block));
    return made->segments == NULL || made->blocks == NULL ? CGM_ERR_MEMORY : CGM_OK;
}

/* Packs the parties' points, and where the pool travels copies this rank's slice behind them. */
static void fill_home(ring_walk *walk, const cgm_kernel *kernel)
{
    const cgm_shard *shard = walk->shard;
    const double *next = shard->points;
    list_blocks(walk, walk->comm->rank, walk->own, &walk->home);
    for (int64_t b = 0; b < walk->home.n_party_blocks; b++) {
        cgm_block *block = &walk->home.blocks[b];
        for (int64_t k = 0; k < block->n_segments; k++) {
            cgm_kernel_pack(kernel, next, &block->segments[k], block);
            next += block->segments[k].n_points * shard->n_features;
        }
    }
    const int64_t first = walk->candidates->first[walk->comm->rank] / CGM_BLOCK_POINTS;
    for (int64_t b = walk->home.n_party_blocks; walk->candidates->sliced && b < walk->home.n_blocks;
         b++) {
        const cgm_block *block = &walk->home.blocks[b];
        memcpy(block->coordinates,
               walk->candidates->pool->blocks[first + b - walk->home.n_party_blocks].coordinates,
               (size_t)(shard->n_features * block->stride) * sizeof(double));
    }
}

static cgm_status walk_create(ring_walk *walk)
{
    cgm_comm *comm = walk->comm;
    if (packed_create(walk, &walk->home) != CGM_OK || packed_create(walk, &walk->guest) != CGM_OK) {
        return CGM_ERR_MEMORY;
    }
    walk->travelling = cgm_alloc(comm, comm->size, sizeof *walk->travelling);
    if (walk->travelling == NULL) {
        return CGM_ERR_MEMORY;
    }
    int64_t largest = 0;
    for (int r = 0; r < comm->size; r++) {
        list_blocks(walk, r, NULL, &walk->guest);
        walk->travelling[r] = walk->guest.n_doubles;
        largest = walk->guest.n_doubles > largest ? walk->guest.n_doubles : largest;
    }
    /* One buffer for each step that others' points are there, up to two. */
    walk->own = cgm_alloc_aligned(comm, walk->travelling[comm->rank]);
    walk->buffers[0] = cgm_alloc_aligned(comm, comm->size > 1 ? largest : 0);
    walk->buffers[1] = cgm_alloc_aligned(comm, comm->size > 3 ? largest : 0);
    return walk->own == NULL || walk->buffers[0] == NULL || walk->buffers[1] == NULL
               ? CGM_ERR_MEMORY
               : CGM_OK;
}

static void walk_destroy(ring_walk *walk)
{
    free(walk->home.blocks);
    free(walk->home.segments);
    free(walk->guest.blocks);
    free(walk->guest.segments);
    free(walk->own);
    free(walk->buffers[0]);
    free(walk->buffers[1]);
    free(walk->travelling);
}

/* ---- tiles ---- */

/* What a pair of blocks that was visited adds to the progress, and a chance for messages that are
 * under way; both by the thread that speaks to MPI. */
static void report(ring_walk *walk, const cgm_block *rows, const cgm_block *columns)
{
    const double points = (double)rows->n_points * (double)columns->n_points;
#pragma omp atomic
    walk->points_done += points;
    if (omp_get_thread_num() == 0) {
        cgm_exchange_poll(&walk->exchange);
        double done;
#pragma omp atomic read
        done = walk->points_done;
        cgm_progress_report(walk->comm, &walk->progress, done, walk->points_total);
        if (walk->pause != NULL && walk->pause->due(walk->comm, walk->pause->state)) {
#pragma omp atomic write
            walk->pausing = true;
        }
    }
}

static bool is_pausing(const ring_walk *walk)
{
    bool pausing;
#pragma omp atomic read
    pausing = walk->pausing;
    return pausing;
}

/* One tile, on any thread. Returns the kernel evaluations. */
static int64_t visit_tile(const ring_walk *walk, const cgm_tile *tile, const cgm_meeting *meeting)
{
    walk->visitor->tile(walk->visitor->state, tile, meeting);
    return tile->row_segment->n_points *
           (tile->columns->n_points - tile->columns->segments[tile->first_segment].begin);
}

/* What of a tile is not done yet: as an earlier walk may have packed small parties otherwise, that
 * may be any of its segments. */
static int64_t visit_undone(const ring_walk *walk, const cgm_tile *tile, const cgm_meeting *meeting)
{
    cgm_units *units = walk->units;
    const cgm_segment *segments = tile->columns->segments;
    const int64_t row = cgm_units_segment(units, tile->row_segment);
    const int64_t first = cgm_units_segment(units, &segments[tile->first_segment]);
    const int64_t end = first + tile->columns->n_segments - tile->first_segment;
    int64_t evaluations = 0;
    for (int64_t at = cgm_units_find(units, row, first, end, false); at < end;) {
        const int64_t until = cgm_units_find(units, row, at, end, true);
        cgm_tile part = *tile;
        cgm_block columns = *tile->columns;
        part.first_segment = tile->first_segment + at - first;
        if (until < end) {
            columns.n_segments = tile->first_segment + until - first;
            columns.n_points = segments[columns.n_segments].begin;
            part.columns = &columns;
        }
        evaluations += visit_tile(walk, &part, meeting);
        cgm_units_mark(units, row, at, until);
        at = cgm_units_find(units, row, until, end, false);
    }
    return evaluations;
}

/* All segments of one block, or every other one, against another block. Local, on any thread.
 * Returns the kernel evaluations. */
static int64_t visit_blocks(const ring_walk *walk, const cgm_block *rows, const cgm_block *columns,
                            const cgm_meeting *meeting, int64_t first, int64_t step)
{
    int64_t evaluations = 0;
    for (int64_t k = first; k < rows->n_segments; k += step) {
        const cgm_tile tile = {rows, &rows->segments[k], columns, rows == columns ? k : 0};
        evaluations += walk->units != NULL ? visit_undone(walk, &tile, meeting)
                                           : visit_tile(walk, &tile, meeting);
    }
    return evaluations;
}

/* Blocks of one list against blocks of another; of the same list, each pair once. When two ranks
 * hold both lists (half way round an even ring) each takes every other tile. */
typedef struct block_range {
    const packed *rows;
    const packed *columns;
    int64_t first_row, end_row;
    int64_t first_column, end_column;
    cgm_meeting meeting;
    bool half;
} block_range;

/* Threads take pairs of blocks as they come: who adds to a sum, and when, does not show in it. */
static void visit_range(ring_walk *walk, const block_range *range)
{
    const bool same = range->rows == range->columns && range->first_row == range->first_column;
    const int64_t mine = walk->comm->rank == range->meeting.home_rows ? 0 : 1;
    int64_t evaluations = 0;
#pragma omp parallel for collapse(2) schedule(dynamic) num_threads(walk->comm->threads)            \
    reduction(+ : evaluations)
    for (int64_t a = range->first_row; a < range->end_row; a++) {
        for (int64_t b = range->first_column; b < range->end_column; b++) {
            if ((same && b < a) || is_pausing(walk)) {
                continue;
            }
            const cgm_block *rows = &range->rows->blocks[a];
            const cgm_block *columns = &range->columns->blocks[b];
            evaluations += visit_blocks(walk, rows, columns, &range->meeting,
                                        range->half ? (a + b + mine) % 2 : 0, range->half ? 2 : 1);
            report(walk, rows, columns);
        }
    }
    if (!walk->visitor->distances_only) {
        walk->comm->counters.kernel_evaluations += evaluations;
    }
}

/* This rank's points among themselves. */
static void visit_home(ring_walk *walk)
{
    const packed *home = &walk->home;
    const int64_t parties = home->n_party_blocks;
    block_range range = {.rows = home,
                         .columns = home,
                         .end_row = parties,
                         .end_column = parties,
                         .meeting = {walk->comm->rank, walk->comm->rank}};
    visit_range(walk, &range);
    range.first_column = parties;
    range.end_column = home->n_blocks;
    visit_range(walk, &range);
    if (!walk->visitor->skip_pool_pairs) {
        range.first_row = parties;
        range.end_row = home->n_blocks;
        visit_range(walk, &range);
    }
}

/* This rank's points with those of the rank met. Rows come first in T: parties in order, then the
 * pool. */
static void visit_guest(ring_walk *walk, int met, bool half)
{
    const int rank = walk->comm->rank;
    const bool first = rank < met;
    const packed *a = first ? &walk->home : &walk->guest; /* earlier in T, parties and pool alike */
    const packed *b = first ? &walk->guest : &walk->home;
    const cgm_meeting a_to_b = {first ? rank : met, first ? met : rank};
    const cgm_meeting b_to_a = {a_to_b.home_columns, a_to_b.home_rows};
    const block_range ranges[] = {
        {a, b, 0, a->n_party_blocks, 0, b->n_blocks, a_to_b, half},
        {b, a, 0, b->n_party_blocks, a->n_party_blocks, a->n_blocks, b_to_a, half},
        {a, b, a->n_party_blocks, a->n_blocks, b->n_party_blocks, b->n_blocks, a_to_b, half},
    };
    for (int k = 0; k < (walk->visitor->skip_pool_pairs ? 2 : 3); k++) {
        visit_range(walk, &ranges[k]);
    }
}

/* Points squared of this rank's share, for progress lines alone. */
static double share_of(const ring_walk *walk)
{
    const int size = walk->comm->size;
    double home = (double)points_of(walk, walk->comm->rank);
    double share = 0.5 * home * home;
    for (int step = 1; step <= size / 2; step++) {
        int met = (walk->comm->rank - step + size) % size;
        share += (2 * step == size ? 0.5 : 1.0) * home * (double)points_of(walk, met);
    }
    return share;
}

/* Messages travel while tiles are evaluated: each step's points go on, and the next ones come in,
 * while this rank works on what it has. */
static void walk_ring(ring_walk *walk)
{
    cgm_comm *comm = walk->comm;
    const int size = comm->size;
    const int steps = size / 2;
    const double *travelling = walk->own;
    int64_t travelling_doubles = walk->home.n_doubles;
    for (int step = 0; step <= steps; step++) {
        const int met = (comm->rank - step + size) % size;
        double *arriving = walk->buffers[step % 2];
        int64_t arriving_doubles = 0;
        if (step < steps) {
            arriving_doubles = walk->travelling[(met - 1 + size) % size];
            cgm_exchange_start(comm, &walk->exchange, travelling,
                               (size_t)travelling_doubles * sizeof(double), (comm->rank + 1) % size,
                               arriving, (size_t)arriving_doubles * sizeof(double),
                               (comm->rank - 1 + size) % size);
        }
        if (step == 0) {
            visit_home(walk);
        } else {
            visit_guest(walk, met, 2 * step == size);
        }
        if (step < steps) {
            cgm_exchange_finish(comm, &walk->exchange);
            list_blocks(walk, (met - 1 + size) % size, arriving, &walk->guest);
        }
        if (step > 0 && walk->visitor->met != NULL) {
            walk->visitor->met(walk->visitor->state, met, (comm->rank + step) % size);
        }
        travelling = arriving;
        travelling_doubles = arriving_doubles;
    }
}

cgm_status cgm_pairs_visit_undone(cgm_comm *comm, const cgm_shard *shard,
                                  const cgm_candidates *candidates, const cgm_kernel *kernel,
                                  const cgm_pair_visitor *visitor, cgm_units *units,
                                  const cgm_pause *pause, bool *complete)
{
    ring_walk walk = {.comm = comm,
                      .shard = shard,
                      .candidates = candidates,
                      .visitor = visitor,
                      .units = units->n_words > 0 ? units : NULL,
                      .pause = pause};
    cgm_status status = cgm_pool_pack(comm, candidates, shard->n_parties, kernel);
    if (status == CGM_OK) {
        status = cgm_agree(comm, walk_create(&walk));
    }
    if (status == CGM_OK) {
        fill_home(&walk, kernel);
        walk.progress = cgm_progress_start(comm, visitor->label);
        walk.points_total = share_of(&walk);
        walk_ring(&walk);
    }
    walk_destroy(&walk);
    *complete = true;
    if (status == CGM_OK && pause != NULL) {
        int64_t pausing = walk.pausing;
        cgm_comm_sum(comm, &pausing, 1);
        *complete = pausing == 0;
    }
    return status;
}

cgm_status cgm_pairs_visit(cgm_comm *comm, const cgm_shard *shard, const cgm_candidates *candidates,
                           const cgm_kernel *kernel, const cgm_pair_visitor *visitor)
{
    cgm_units none = {0};
    bool complete;
    return cgm_pairs_visit_undone(comm, shard, candidates, kernel, visitor, &none, NULL, &complete);
}
