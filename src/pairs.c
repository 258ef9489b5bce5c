#include "cgm/pairs.h"

#include <stdlib.h>
#include <string.h>

#include "cgm/log.h"

/* One walk round the ring, as this rank sees it. */
typedef struct ring_walk {
    cgm_comm *comm;
    const cgm_layout *layout;
    const cgm_pair_visitor *visitor;
    cgm_packed home;
    cgm_packed guest;   /* blocks that are at home on the rank met in this step */
    double *buffers[2]; /* coordinates of guest, and of the guest to come */
    cgm_progress progress;
    double points_done; /* points squared, of this rank's share */
    double points_total;
} ring_walk;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t blocks_of(int64_t n_points)
{
    return (n_points + CGM_BLOCK_POINTS - 1) / CGM_BLOCK_POINTS;
}

static int64_t party_points_of(const cgm_layout *layout, int rank)
{
    int64_t points = 0;
    for (int64_t i = layout->first_party[rank]; i < layout->first_party[rank + 1]; i++) {
        points += layout->party_points[i];
    }
    return points;
}

static int64_t points_of(const cgm_layout *layout, int rank)
{
    return party_points_of(layout, rank) + layout->first_candidate[rank + 1] -
           layout->first_candidate[rank];
}

/* The number of points to which all ranks can be filled up with candidates: ranks whose parties
 * hold more than that get none. */
static double fill_level(const cgm_layout *layout, int size)
{
    double level = 0.0;
    for (bool changed = true; changed;) {
        double filled = (double)layout->n_candidates;
        int64_t ranks = 0;
        for (int r = 0; r < size; r++) {
            double points = (double)party_points_of(layout, r);
            if (level == 0.0 || points < level) {
                filled += points;
                ranks++;
            }
        }
        if (ranks == 0) {
            break; /* nothing to fill up with */
        }
        double next = filled / (double)ranks;
        changed = next != level;
        level = next;
    }
    return level;
}

cgm_status cgm_layout_create(cgm_comm *comm, const cgm_shard *shard,
                             const cgm_candidates *candidates, cgm_layout *layout)
{
    *layout = (cgm_layout){.n_parties = shard->n_parties,
                           .n_features = shard->n_features,
                           .n_candidates = candidates->n_points,
                           .party_points = shard->party_points,
                           .first_party = shard->first_party};
    layout->first_candidate = cgm_alloc(comm, comm->size + 1, sizeof *layout->first_candidate);
    if (layout->first_candidate == NULL) {
        return CGM_ERR_MEMORY;
    }
    const double level = fill_level(layout, comm->size);
    double until = 0.0;
    for (int r = 0; r < comm->size; r++) {
        double room = level - (double)party_points_of(layout, r);
        until += room > 0.0 ? room : 0.0;
        int64_t blocks = (int64_t)(until / CGM_BLOCK_POINTS + 0.5);
        layout->first_candidate[r + 1] = least(blocks * CGM_BLOCK_POINTS, layout->n_candidates);
    }
    layout->first_candidate[comm->size] = layout->n_candidates;
    return CGM_OK;
}

void cgm_layout_destroy(cgm_layout *layout)
{
    free(layout->first_candidate);
    *layout = (cgm_layout){0};
}

/* Append the blocks of points first .. first + n_points - 1 of an owner. */
static void append_blocks(cgm_packed *packed, int64_t n_features, int64_t owner, int64_t first,
                          int64_t n_points)
{
    for (int64_t done = 0; done < n_points; done += CGM_BLOCK_POINTS) {
        cgm_block *block = &packed->blocks[packed->n_blocks++];
        *block = (cgm_block){.owner = owner,
                             .first = first + done,
                             .n_points = least(n_points - done, CGM_BLOCK_POINTS)};
        block->stride = (block->n_points + CGM_LANES - 1) / CGM_LANES * CGM_LANES;
        block->coordinates = NULL;
        packed->n_doubles += n_features * block->stride;
    }
}

/* The blocks at home on a rank, without coordinates: parties in order, then the pool's slice. */
static void list_blocks(const cgm_layout *layout, int rank, cgm_packed *packed)
{
    packed->n_blocks = 0;
    packed->n_doubles = 0;
    for (int64_t i = layout->first_party[rank]; i < layout->first_party[rank + 1]; i++) {
        append_blocks(packed, layout->n_features, i, 0, layout->party_points[i]);
    }
    append_blocks(packed, layout->n_features, layout->n_parties, layout->first_candidate[rank],
                  layout->first_candidate[rank + 1] - layout->first_candidate[rank]);
}

/* Number of blocks at home on the rank that has most of them. */
static int64_t most_blocks(const cgm_layout *layout, int size)
{
    int64_t most = 0;
    for (int r = 0; r < size; r++) {
        int64_t blocks = blocks_of(layout->first_candidate[r + 1] - layout->first_candidate[r]);
        for (int64_t i = layout->first_party[r]; i < layout->first_party[r + 1]; i++) {
            blocks += blocks_of(layout->party_points[i]);
        }
        most = blocks > most ? blocks : most;
    }
    return most;
}

/* Let the listed blocks lie one after the other in coordinates. */
static void place_blocks(cgm_packed *packed, int64_t n_features, double *coordinates)
{
    packed->coordinates = coordinates;
    for (int64_t b = 0; b < packed->n_blocks; b++) {
        packed->blocks[b].coordinates = coordinates;
        coordinates += n_features * packed->blocks[b].stride;
    }
}

static cgm_status walk_create(ring_walk *walk, const cgm_shard *shard,
                              const cgm_candidates *candidates, const cgm_kernel *kernel)
{
    cgm_comm *comm = walk->comm;
    const cgm_layout *layout = walk->layout;
    const int64_t capacity = most_blocks(layout, comm->size);
    walk->home.blocks = cgm_alloc(comm, capacity, sizeof(cgm_block));
    walk->guest.blocks = cgm_alloc(comm, capacity, sizeof(cgm_block));
    if (walk->home.blocks == NULL || walk->guest.blocks == NULL) {
        return CGM_ERR_MEMORY;
    }
    int64_t largest = 0;
    for (int r = 0; r < comm->size && comm->size > 1; r++) {
        list_blocks(layout, r, &walk->guest);
        largest = walk->guest.n_doubles > largest ? walk->guest.n_doubles : largest;
    }
    list_blocks(layout, comm->rank, &walk->home);
    walk->home.coordinates = cgm_alloc(comm, walk->home.n_doubles, sizeof(double));
    walk->buffers[0] = cgm_alloc(comm, largest, sizeof(double));
    walk->buffers[1] = cgm_alloc(comm, largest, sizeof(double));
    if (walk->home.coordinates == NULL || walk->buffers[0] == NULL || walk->buffers[1] == NULL) {
        return CGM_ERR_MEMORY;
    }
    place_blocks(&walk->home, layout->n_features, walk->home.coordinates);
    for (int64_t b = 0; b < walk->home.n_blocks; b++) {
        cgm_block *block = &walk->home.blocks[b];
        const double *points = candidates->points;
        int64_t row = block->first;
        if (block->owner < layout->n_parties) {
            points = shard->points;
            row += shard->local_first[block->owner - layout->first_party[comm->rank]];
        }
        cgm_kernel_pack(kernel, points + row * layout->n_features, block);
    }
    return CGM_OK;
}

static void walk_destroy(ring_walk *walk)
{
    free(walk->home.blocks);
    free(walk->home.coordinates);
    free(walk->guest.blocks);
    free(walk->buffers[0]);
    free(walk->buffers[1]);
}

static bool precedes(const cgm_block *a, const cgm_block *b)
{
    return a->owner != b->owner ? a->owner < b->owner : a->first < b->first;
}

/* Blocks a, at home here, with blocks b of rank home. When both ranks hold both sets (half way
 * round an even ring) each takes every other pair, by the places of the two blocks. */
static void visit_blocks(ring_walk *walk, const cgm_packed *others, int home, bool shared)
{
    const cgm_pair_visitor *visitor = walk->visitor;
    const int64_t pool = walk->layout->n_parties;
    const bool same = others == &walk->home;
    const int64_t mine = walk->comm->rank < home ? 0 : 1;
    for (int64_t i = 0; i < walk->home.n_blocks; i++) {
        const cgm_block *a = &walk->home.blocks[i];
        for (int64_t j = same ? i : 0; j < others->n_blocks; j++) {
            const cgm_block *b = &others->blocks[j];
            if ((shared && (i + j) % 2 != mine) ||
                (visitor->skip_pool_pairs && a->owner == pool && b->owner == pool)) {
                continue;
            }
            if (precedes(b, a)) {
                visitor->pair(visitor->state, b, home, a, walk->comm->rank);
            } else {
                visitor->pair(visitor->state, a, walk->comm->rank, b, home);
            }
            if (!visitor->distances_only) {
                walk->comm->counters.kernel_evaluations += a->n_points * b->n_points;
            }
        }
        double points = same || shared ? 0.5 : 1.0;
        points *= (double)a->n_points * (double)points_of(walk->layout, home);
        walk->points_done += points;
        cgm_progress_report(walk->comm, &walk->progress, walk->points_done, walk->points_total);
    }
}

/* Points squared of this rank's share, for progress lines alone. */
static double share_of(const ring_walk *walk)
{
    const int size = walk->comm->size;
    double home = (double)points_of(walk->layout, walk->comm->rank);
    double share = 0.5 * home * home;
    for (int step = 1; step <= size / 2; step++) {
        int met = (walk->comm->rank - step + size) % size;
        share += (2 * step == size ? 0.5 : 1.0) * home * (double)points_of(walk->layout, met);
    }
    return share;
}

cgm_status cgm_pairs_visit(cgm_comm *comm, const cgm_layout *layout, const cgm_shard *shard,
                           const cgm_candidates *candidates, const cgm_kernel *kernel,
                           const cgm_pair_visitor *visitor)
{
    ring_walk walk = {.comm = comm, .layout = layout, .visitor = visitor};
    cgm_status status = cgm_agree(comm, walk_create(&walk, shard, candidates, kernel));
    if (status != CGM_OK) {
        walk_destroy(&walk);
        return status;
    }
    const int size = comm->size;
    const int right = (comm->rank + 1) % size;
    const int left = (comm->rank - 1 + size) % size;
    walk.progress = cgm_progress_start(comm, visitor->label);
    walk.points_total = share_of(&walk);
    visit_blocks(&walk, &walk.home, comm->rank, false);

    const double *travelling = walk.home.coordinates;
    int64_t travelling_doubles = walk.home.n_doubles;
    for (int step = 1; step <= size / 2; step++) {
        const int met = (comm->rank - step + size) % size;
        double *arriving = walk.buffers[step % 2];
        list_blocks(layout, met, &walk.guest);
        cgm_comm_exchange(comm, travelling, (size_t)travelling_doubles * sizeof(double), right,
                          arriving, (size_t)walk.guest.n_doubles * sizeof(double), left);
        place_blocks(&walk.guest, layout->n_features, arriving);
        visit_blocks(&walk, &walk.guest, met, 2 * step == size);
        if (visitor->met != NULL) {
            visitor->met(visitor->state, met, (comm->rank + step) % size);
        }
        travelling = arriving;
        travelling_doubles = walk.guest.n_doubles;
    }
    walk_destroy(&walk);
    return CGM_OK;
}
