#include "embedding_points.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/dense.h"
#include "embedding_operations.h"

/* Points and frequencies of a tile of phases: both shapes of products depend on the points of a
 * block and on F alone. */
enum { TILE_POINTS = 64, TILE_FREQUENCIES = 256 };

/* What a thread works in. */
typedef struct space {
    double *centred; /* [TILE_POINTS][n_features] */
    double *phases;  /* [TILE_POINTS][TILE_FREQUENCIES] */
    double *omega;   /* [TILE_FREQUENCIES][n_features], filled up with zeros */
    double *cosines; /* [TILE_FREQUENCIES] */
    double *sines;   /* [TILE_FREQUENCIES] */
} space;

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t space_doubles(int64_t n_features)
{
    return (TILE_POINTS + TILE_FREQUENCIES) * n_features +
           (TILE_POINTS + 2) * (int64_t)TILE_FREQUENCIES;
}

static space space_of(const embedding_work *work, int thread)
{
    const int64_t d = work->frequencies->n_features;
    double *at = work->space + thread * space_doubles(d);
    space own = {.phases = at, .cosines = at + (int64_t)TILE_POINTS * TILE_FREQUENCIES};
    own.sines = own.cosines + TILE_FREQUENCIES;
    own.centred = own.sines + TILE_FREQUENCIES;
    own.omega = own.centred + TILE_POINTS * d;
    return own;
}

double embedding_work_bytes(int64_t n_features, int64_t threads)
{
    return (double)(threads * space_doubles(n_features)) * (double)sizeof(double);
}

cgm_status embedding_work_create(cgm_comm *comm, const cgm_kernel *kernel,
                                 const cgm_frequencies *frequencies, embedding_work *work)
{
    *work = (embedding_work){.comm = comm,
                             .frequencies = frequencies,
                             .centre = kernel->centre,
                             .instruction_set = kernel->instruction_set};
    work->space = cgm_alloc_aligned(comm, comm->threads * space_doubles(frequencies->n_features));
    work->overflow = cgm_alloc(comm, 1, sizeof *work->overflow);
    return work->space != NULL && work->overflow != NULL ? CGM_OK : CGM_ERR_MEMORY;
}

cgm_status embedding_work_check(const embedding_work *work)
{
    return *work->overflow == 0
               ? CGM_OK
               : cgm_fail(work->comm, CGM_ERR_INPUT,
                          "values.exchange = embeddings: coordinates of points divided by the "
                          "lengthscale are too large to be numbers; rescale the features");
}

void embedding_work_destroy(embedding_work *work)
{
    free(work->space);
    free(work->overflow);
    *work = (embedding_work){0};
}

/* ---- chunks: frequencies of one component, those of a tile ---- */

typedef struct chunk {
    int64_t count;   /* frequencies */
    int64_t columns; /* the same, filled up */
    int64_t row;     /* the first one, among all components' */
    int64_t cosine;  /* number of the first one's cosine */
    int64_t sine;
} chunk;

static int64_t chunks_of_component(const cgm_frequencies *frequencies)
{
    return (frequencies->n_frequencies + TILE_FREQUENCIES - 1) / TILE_FREQUENCIES;
}

static int64_t count_chunks(const cgm_frequencies *frequencies)
{
    return frequencies->n_components * chunks_of_component(frequencies);
}

static chunk chunk_of(const cgm_frequencies *frequencies, int64_t k)
{
    const int64_t component = k / chunks_of_component(frequencies);
    const int64_t all = frequencies->n_frequencies;
    const int64_t first = k % chunks_of_component(frequencies) * TILE_FREQUENCIES;
    chunk of = {.count = smaller(all - first, TILE_FREQUENCIES),
                .row = component * all + first,
                .cosine = 2 * component * all + first};
    of.columns = (of.count + EMBEDDING_LANES - 1) / EMBEDDING_LANES * EMBEDDING_LANES;
    of.sine = of.cosine + all;
    return of;
}

static void take_chunk(const embedding_work *work, const chunk *of, const space *own)
{
    const int64_t d = work->frequencies->n_features;
    memcpy(own->omega, work->frequencies->scaled + of->row * d,
           (size_t)(of->count * d) * sizeof(double));
    memset(own->omega + of->count * d, 0, (size_t)((of->columns - of->count) * d) * sizeof(double));
}

/* A phase that is no number has no cosine. */
static void note_overflow(const embedding_work *work, const double *phases, int64_t count)
{
    for (int64_t k = 0; k < count; k++) {
        if (!isfinite(phases[k])) {
#pragma omp atomic write
            *work->overflow = 1;
        }
    }
}

/* Phases of some points; what works with them. */
static const embedding_operations *make_phases(const embedding_work *work, const chunk *of,
                                               const space *own, int64_t n_points,
                                               const double *points)
{
    const int64_t d = work->frequencies->n_features;
    for (int64_t i = 0; i < n_points; i++) {
        for (int64_t f = 0; f < d; f++) {
            own->centred[i * d + f] = points[i * d + f] - work->centre[f];
        }
    }
    cgm_dense_multiply_by_transposed(n_points, of->columns, d, own->centred, own->omega,
                                     own->phases);
    int64_t n_large = 0;
    for (int64_t k = 0; k < n_points * of->columns; k++) {
        n_large += !(fabs(own->phases[k]) < EMBEDDING_PHASE);
    }
    if (n_large > 0) {
        note_overflow(work, own->phases, n_points * of->columns);
        return &embedding_slow;
    }
#ifdef __x86_64__
    static const embedding_operations *const sets[CGM_INSTRUCTION_SETS] = {
        &embedding_portable, &embedding_avx2, &embedding_avx512};
    return sets[work->instruction_set];
#else
    return &embedding_portable;
#endif
}

/* Sums over points first .. first + count - 1, one block, of a chunk. */
static void sum_block(const embedding_work *work, const chunk *of, const space *own, int64_t count,
                      const double *points, bool slopes)
{
    const int64_t d = work->frequencies->n_features;
    memset(own->cosines, 0, TILE_FREQUENCIES * sizeof(double));
    memset(own->sines, 0, TILE_FREQUENCIES * sizeof(double));
    for (int64_t i = 0; i < count; i += TILE_POINTS) {
        const int64_t rows = smaller(count - i, TILE_POINTS);
        const embedding_operations *operations = make_phases(work, of, own, rows, points + i * d);
        (slopes ? operations->slopes : operations->sums)(rows, of->columns, own->phases,
                                                         own->cosines, own->sines);
    }
}

/* Adds to sums, or where slopes is given the derivatives to slopes. */
static void add_all(const embedding_work *work, int64_t n_points, const double *points,
                    cgm_accumulators sums, cgm_accumulator *slopes)
{
    const int64_t d = work->frequencies->n_features;
    const int64_t n_chunks = count_chunks(work->frequencies);
#pragma omp parallel num_threads(work->comm->threads)
    {
        const space own = space_of(work, omp_get_thread_num());
#pragma omp for schedule(static)
        for (int64_t k = 0; k < n_chunks; k++) {
            const chunk of = chunk_of(work->frequencies, k);
            take_chunk(work, &of, &own);
            for (int64_t i = 0; i < n_points; i += CGM_BLOCK_POINTS) {
                sum_block(work, &of, &own, smaller(n_points - i, CGM_BLOCK_POINTS), points + i * d,
                          slopes != NULL);
                if (slopes != NULL) {
                    cgm_accumulator_add_each(slopes + of.cosine, own.cosines, of.count);
                    cgm_accumulator_add_each(slopes + of.sine, own.sines, of.count);
                } else {
                    cgm_accumulators_add(sums, of.cosine, of.count, own.cosines);
                    cgm_accumulators_add(sums, of.sine, of.count, own.sines);
                }
            }
        }
    }
    cgm_comm_count_work(work->comm, n_points * work->frequencies->n_components *
                                        work->frequencies->n_frequencies);
}

void embedding_add_points(const embedding_work *work, int64_t n_points, const double *points,
                          cgm_accumulators sums)
{
    add_all(work, n_points, points, sums, NULL);
}

void embedding_add_slopes(const embedding_work *work, int64_t n_points, const double *points,
                          cgm_accumulator *sums)
{
    add_all(work, n_points, points, (cgm_accumulators){0}, sums);
}

void embedding_multiply_points(const embedding_work *work, int64_t n_points, const double *points,
                               const double *weights, double *products)
{
    const int64_t d = work->frequencies->n_features;
    const int64_t n_chunks = count_chunks(work->frequencies);
    memset(products, 0, (size_t)n_points * sizeof *products);
#pragma omp parallel num_threads(work->comm->threads)
    {
        const space own = space_of(work, omp_get_thread_num());
#pragma omp for schedule(static)
        for (int64_t i = 0; i < n_points; i += CGM_BLOCK_POINTS) {
            const int64_t count = smaller(n_points - i, CGM_BLOCK_POINTS);
            for (int64_t k = 0; k < n_chunks; k++) {
                const chunk of = chunk_of(work->frequencies, k);
                take_chunk(work, &of, &own);
                memset(own.cosines, 0, TILE_FREQUENCIES * sizeof(double));
                memset(own.sines, 0, TILE_FREQUENCIES * sizeof(double));
                memcpy(own.cosines, weights + of.cosine, (size_t)of.count * sizeof(double));
                memcpy(own.sines, weights + of.sine, (size_t)of.count * sizeof(double));
                for (int64_t j = i; j < i + count; j += TILE_POINTS) {
                    const int64_t rows = smaller(i + count - j, TILE_POINTS);
                    make_phases(work, &of, &own, rows, points + j * d)
                        ->products(rows, of.columns, own.phases, own.cosines, own.sines,
                                   products + j);
                }
            }
        }
    }
    cgm_comm_count_work(work->comm, n_points * work->frequencies->n_components *
                                        work->frequencies->n_frequencies);
}

const double *embedding_pool_slice(const cgm_comm *comm, const cgm_candidates *candidates,
                                   int64_t *n_points)
{
    const int64_t first = candidates->first[comm->rank];
    *n_points = candidates->first[comm->rank + 1] - first;
    return candidates->points + (first - candidates->held_first) * candidates->n_features;
}
