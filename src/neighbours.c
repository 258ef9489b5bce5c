#include "neighbours.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "cgm/log.h"

/* Doubles that a segment takes in front of the coordinates. */
enum { SEGMENT_DOUBLES = sizeof(cgm_segment) / sizeof(double) };

/* What others must know of a rank's references to receive them. */
typedef struct extent {
    int64_t room;
    int64_t n_segments;
    int64_t n_doubles;
} extent;

/* References on their way, as this rank sees them. */
typedef struct journey {
    cgm_comm *comm;
    extent *extents;        /* [size] */
    neighbour_points guest; /* blocks of the rank whose references are here */
    double *buffers[2];     /* of guest, and of the guest to come */
    cgm_exchange exchange;
    cgm_progress progress;
    double points_done; /* references that were met */
    double points_total;
} journey;

/* ---- points ---- */

/* An even number, so that coordinates begin where lines of the cache do. */
static int64_t segments_room(int64_t n_points, int64_t n_owners)
{
    return (n_points / CGM_BLOCK_POINTS + n_owners + 2) / 2 * 2;
}

static void lay_out(neighbour_points *points, double *memory)
{
    points->memory = memory;
    points->segments = (cgm_segment *)(void *)memory;
}

static double *coordinates_of(const neighbour_points *points)
{
    return points->memory + points->room * SEGMENT_DOUBLES;
}

cgm_status neighbour_points_create(cgm_comm *comm, const cgm_kernel *kernel, int64_t n_points,
                                   int64_t n_owners, bool apart, neighbour_points *points)
{
    *points = (neighbour_points){
        .kernel = kernel, .apart = apart, .room = segments_room(n_points, n_owners)};
    const int64_t padded = n_points + CGM_LANES * (apart ? n_owners : 1);
    const int64_t doubles = points->room * SEGMENT_DOUBLES + padded * kernel->n_features;
    lay_out(points, cgm_alloc_aligned(comm, doubles));
    points->blocks = cgm_alloc(comm, points->room, sizeof *points->blocks);
    return points->memory == NULL || points->blocks == NULL ? CGM_ERR_MEMORY : CGM_OK;
}

void neighbour_points_destroy(neighbour_points *points)
{
    free(points->memory);
    free(points->blocks);
    *points = (neighbour_points){0};
}

static cgm_segment *begin_segment(neighbour_points *to, int64_t owner)
{
    cgm_block *block = to->n_blocks > 0 ? &to->blocks[to->n_blocks - 1] : NULL;
    if (block == NULL || block->n_points == CGM_BLOCK_POINTS || to->apart) {
        block = &to->blocks[to->n_blocks++];
        *block = (cgm_block){.coordinates = coordinates_of(to) + to->n_doubles,
                             .segments = &to->segments[to->n_segments]};
    }
    cgm_segment *segment = &to->segments[to->n_segments++];
    *segment = (cgm_segment){owner, to->n_blocks - 1, 0, block->n_points};
    block->n_segments++;
    return segment;
}

void neighbour_points_add(neighbour_points *to, int64_t owner, const double *points, int64_t count)
{
    const int64_t d = to->kernel->n_features;
    while (count > 0) {
        cgm_segment *segment = to->n_segments > 0 ? &to->segments[to->n_segments - 1] : NULL;
        if (segment == NULL || segment->owner != owner ||
            to->blocks[to->n_blocks - 1].n_points == CGM_BLOCK_POINTS) {
            segment = begin_segment(to, owner);
        }
        cgm_block *block = &to->blocks[to->n_blocks - 1];
        const int64_t room = CGM_BLOCK_POINTS - block->n_points;
        const cgm_segment part = {owner, 0, count < room ? count : room, block->n_points};
        to->n_doubles -= block->stride * d;
        block->n_points += part.n_points;
        block->stride = (block->n_points + CGM_LANES - 1) / CGM_LANES * CGM_LANES;
        to->n_doubles += block->stride * d;
        segment->n_points += part.n_points;
        to->n_points += part.n_points;
        cgm_kernel_pack(to->kernel, points, &part, block);
        points += part.n_points * d;
        count -= part.n_points;
    }
}

int64_t neighbour_points_find(const neighbour_points *points, int64_t owner)
{
    int64_t low = 0;
    int64_t high = points->n_segments;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (points->segments[middle].owner < owner) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* ---- a meeting ---- */

/* Whose messages move meanwhile; journey may be NULL. */
static void meet(cgm_comm *comm, const neighbour_search *search, const neighbour_points *references,
                 journey *under_way)
{
    const neighbour_points *queries = search->queries;
    int64_t evaluations = 0;
    int64_t done = 0; /* blocks, by the thread that speaks to MPI alone */
#pragma omp parallel for schedule(dynamic) num_threads(comm->threads) reduction(+ : evaluations)
    for (int64_t b = 0; b < queries->n_blocks; b++) {
        evaluations += search->meet(search->state, b, references);
        if (under_way != NULL && omp_get_thread_num() == 0) {
            done++;
            const double part =
                fmin(1.0, (double)(done * comm->threads) / (double)queries->n_blocks);
            cgm_exchange_poll(&under_way->exchange);
            cgm_progress_report(comm, &under_way->progress,
                                under_way->points_done + part * (double)references->n_points,
                                under_way->points_total);
        }
    }
    comm->counters.kernel_evaluations += evaluations;
}

void neighbours_meet(cgm_comm *comm, const neighbour_search *search,
                     const neighbour_points *references)
{
    meet(comm, search, references, NULL);
}

/* ---- all ranks ---- */

static int64_t doubles_of(const extent *of)
{
    return of->room * SEGMENT_DOUBLES + of->n_doubles;
}

/* The blocks of another rank's points, which are in memory. */
static void list_guest(const extent *of, int64_t n_features, double *memory,
                       neighbour_points *guest)
{
    lay_out(guest, memory);
    guest->room = of->room;
    guest->n_segments = of->n_segments;
    guest->n_doubles = of->n_doubles;
    guest->n_blocks = 0;
    guest->n_points = 0;
    double *next = coordinates_of(guest);
    cgm_block *block = NULL;
    for (int64_t k = 0; k < guest->n_segments; k++) {
        cgm_segment *segment = &guest->segments[k];
        if (segment->begin == 0) {
            next += block != NULL ? block->stride * n_features : 0;
            block = &guest->blocks[guest->n_blocks++];
            *block = (cgm_block){.coordinates = next, .segments = segment};
        }
        block->n_segments++;
        block->n_points += segment->n_points;
        block->stride = (block->n_points + CGM_LANES - 1) / CGM_LANES * CGM_LANES;
        guest->n_points += segment->n_points;
    }
}

static cgm_status journey_create(journey *made, const neighbour_points *own)
{
    cgm_comm *comm = made->comm;
    int64_t *places = cgm_alloc(comm, comm->size + 1, sizeof *places);
    made->extents = cgm_alloc(comm, comm->size, sizeof *made->extents);
    const bool complete = places != NULL && made->extents != NULL;
    cgm_status status = cgm_agree(comm, complete ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        for (int r = 0; r <= comm->size; r++) {
            places[r] = r;
        }
        made->extents[comm->rank] = (extent){own->room, own->n_segments, own->n_doubles};
        cgm_comm_all_gather(comm, made->extents, places, sizeof *made->extents);
    }
    free(places);
    if (status != CGM_OK) {
        return status;
    }
    int64_t most = 0;
    int64_t most_segments = 0;
    for (int r = 0; r < comm->size; r++) {
        const extent *of = &made->extents[r];
        most = doubles_of(of) > most ? doubles_of(of) : most;
        most_segments = of->n_segments > most_segments ? of->n_segments : most_segments;
        made->points_total += (double)of->n_doubles / (double)own->kernel->n_features;
    }
    made->guest.blocks = cgm_alloc(comm, most_segments, sizeof *made->guest.blocks);
    made->buffers[0] = cgm_alloc_aligned(comm, comm->size > 1 ? most : 0);
    made->buffers[1] = cgm_alloc_aligned(comm, comm->size > 2 ? most : 0);
    const bool refused =
        made->guest.blocks == NULL || made->buffers[0] == NULL || made->buffers[1] == NULL;
    return cgm_agree(comm, refused ? CGM_ERR_MEMORY : CGM_OK);
}

/* In step s the references of the rank s places before are here; they go on, and the next ones
 * arrive, while the queries meet them. */
static void travel(journey *of, const neighbour_search *search, const neighbour_points *own)
{
    cgm_comm *comm = of->comm;
    const int size = comm->size;
    const neighbour_points *here = own;
    for (int step = 0; step < size; step++) {
        const int home = (comm->rank - step + size) % size;
        const int next = (home - 1 + size) % size;
        double *arriving = of->buffers[step % 2];
        if (step < size - 1) {
            cgm_exchange_start(comm, &of->exchange, here->memory,
                               (size_t)doubles_of(&of->extents[home]) * sizeof(double),
                               (comm->rank + 1) % size, arriving,
                               (size_t)doubles_of(&of->extents[next]) * sizeof(double),
                               (comm->rank - 1 + size) % size);
        }
        meet(comm, search, here, of);
        of->points_done += (double)here->n_points;
        if (step < size - 1) {
            cgm_exchange_finish(comm, &of->exchange);
            list_guest(&of->extents[next], own->kernel->n_features, arriving, &of->guest);
            here = &of->guest;
        }
    }
}

cgm_status neighbours_meet_all(cgm_comm *comm, const neighbour_search *search,
                               const neighbour_points *references)
{
    journey made = {.comm = comm, .progress = cgm_progress_start(comm, search->label)};
    cgm_status status = journey_create(&made, references);
    if (status == CGM_OK) {
        travel(&made, search, references);
    }
    free(made.extents);
    free(made.guest.blocks);
    free(made.buffers[0]);
    free(made.buffers[1]);
    return status;
}
