#include "cgm/generator.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cgm/features.h"
#include "cgm/kernel.h"
#include "cgm/points.h"
#include "cgm/pool.h"

#define GROUP "/candidates"

const char *cgm_generator_name(cgm_generator_type type)
{
    static const char *const names[] = {"file", "gmm", "gan"};
    return names[type];
}

/* Whether the pool consists of coordinates on components. */
static cgm_status find_projection(const cgm_h5_file *file, bool *is_projected)
{
    cgm_h5_kind kind = CGM_H5_MISSING;
    int64_t projected = 0;
    cgm_status status = cgm_h5_find(file, "/features/components", &kind);
    if (status == CGM_OK && kind != CGM_H5_MISSING) {
        status = cgm_h5_read_scalar(file, "/features", "pool_projected", CGM_H5_INT64, &projected);
    }
    *is_projected = projected != 0;
    return status;
}

static cgm_status check_columns(cgm_comm *comm, const char *path, int64_t found, int64_t expected)
{
    if (found != expected) {
        return cgm_fail(comm, CGM_ERR_INPUT,
                        "file '%s', dataset '" GROUP "/data': its points have %lld features "
                        "(columns), those of the parties have %lld",
                        path, (long long)found, (long long)expected);
    }
    return CGM_OK;
}

/* What the pool is, on rank 0. */
static cgm_status describe_pool(cgm_comm *comm, const char *path, int64_t n_features,
                                cgm_candidates_shape *shape)
{
    cgm_points_shape found = {0};
    struct stat state;
    if (stat(path, &state) != 0 || !S_ISREG(state.st_mode)) {
        return cgm_fail(comm, CGM_ERR_INPUT,
                        "'%s' is no file to read the pool of candidates from; input.candidates "
                        "must name the HDF5 file with '" GROUP "/data'",
                        path);
    }
    cgm_h5_file file;
    cgm_h5_kind kind = CGM_H5_MISSING;
    cgm_status status = cgm_h5_open(comm, path, &file);
    if (status == CGM_OK) {
        status = cgm_h5_find(&file, GROUP "/data", &kind);
    }
    if (status == CGM_OK && kind == CGM_H5_MISSING) {
        status = cgm_fail(comm, CGM_ERR_INPUT,
                          "file '%s' has no dataset '" GROUP "/data', the pool of candidates; if "
                          "the pool is in another file, name it by input.candidates",
                          path);
    }
    if (status == CGM_OK) {
        status = cgm_points_describe(&file, GROUP, &found);
    }
    if (status == CGM_OK) {
        status = find_projection(&file, &shape->is_projected);
    }
    cgm_h5_close(&file);
    if (status != CGM_OK) {
        return status;
    }
    shape->n_points = found.n_points;
    shape->n_features = found.n_features;
    shape->has_labels = found.has_labels;
    return shape->is_projected ? CGM_OK : check_columns(comm, path, found.n_features, n_features);
}

cgm_status cgm_candidates_describe(cgm_comm *comm, const char *path, int64_t n_features,
                                   cgm_candidates_shape *shape)
{
    *shape = (cgm_candidates_shape){0};
    cgm_status status =
        cgm_agree(comm, comm->rank == 0 ? describe_pool(comm, path, n_features, shape) : CGM_OK);
    if (status == CGM_OK) {
        cgm_comm_broadcast(comm, shape, sizeof *shape, 0);
    }
    return status;
}

/* Part of a node's memory, and of its shared memory, that the pool may take. */
#define MEMORY_PART 0.25
#define SHARED_PART 0.75
/* Where Open MPI and MPICH keep what the ranks of a node share. */
#define SHARED_MEMORY "/dev/shm"

static bool fits_node(double bytes)
{
    const double memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    struct statvfs state;
    const bool known = statvfs(SHARED_MEMORY, &state) == 0;
    const double room = known ? (double)state.f_bavail * (double)state.f_frsize : INFINITY;
    return bytes <= MEMORY_PART * memory && bytes <= SHARED_PART * room;
}

bool cgm_candidates_are_sliced(cgm_comm *comm, cgm_pool_placement placement,
                               const cgm_candidates_shape *shape, int64_t n_features)
{
    if (placement != CGM_POOL_AUTO) {
        return placement == CGM_POOL_RANKS;
    }
    /* As read, scaled and packed; labels and u. */
    const double words = (double)shape->n_points * (double)(3 * n_features + 2);
    int64_t nodes_without_room = !fits_node(words * sizeof(double));
    cgm_comm_sum(comm, &nodes_without_room, 1);
    return nodes_without_room > 0;
}

/* The number of points to which all ranks can be filled up with candidates: ranks whose parties
 * hold more than that get none. */
static double fill_level(const cgm_shard *shard, int64_t n_candidates, int size)
{
    double level = 0.0;
    for (bool changed = true; changed;) {
        double filled = (double)n_candidates;
        int64_t ranks = 0;
        for (int r = 0; r < size; r++) {
            double points = (double)(shard->first_point[r + 1] - shard->first_point[r]);
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

void cgm_candidates_slice(int size, const cgm_shard *shard, int64_t n_candidates, int64_t *first)
{
    const double level = fill_level(shard, n_candidates, size);
    double until = 0.0;
    first[0] = 0;
    for (int r = 0; r < size; r++) {
        double room = level - (double)(shard->first_point[r + 1] - shard->first_point[r]);
        until += room > 0.0 ? room : 0.0;
        int64_t end = (int64_t)(until / CGM_BLOCK_POINTS + 0.5) * CGM_BLOCK_POINTS;
        first[r + 1] = end < n_candidates ? end : n_candidates;
    }
    first[size] = n_candidates;
}

/* Memory for rows of bytes each: one copy a node, or this rank's slice. */
static cgm_status allocate_rows(cgm_comm *comm, const cgm_candidates *candidates, size_t bytes,
                                cgm_shared *memory, void *rows)
{
    const int64_t count = candidates->held_end - candidates->held_first;
    void *found;
    cgm_status status;
    if (candidates->sliced) {
        found = cgm_alloc(comm, count, bytes);
        status = cgm_agree(comm, found == NULL ? CGM_ERR_MEMORY : CGM_OK);
    } else {
        status = cgm_shared_create(comm, (size_t)count * bytes, memory);
        found = memory->data;
    }
    memcpy(rows, &found, sizeof found);
    return status;
}

cgm_status cgm_candidates_create(cgm_comm *comm, const cgm_shard *shard,
                                 const cgm_candidates_shape *shape, bool sliced,
                                 cgm_candidates *candidates)
{
    const int64_t d = shape->n_features > 0 ? shape->n_features : shard->n_features;
    *candidates = (cgm_candidates){.n_points = shape->n_points,
                                   .n_features = d,
                                   .n_original_features = d,
                                   .has_labels = shape->has_labels,
                                   .is_projected = shape->is_projected,
                                   .sliced = sliced};
    candidates->first = cgm_alloc(comm, comm->size + 1, sizeof *candidates->first);
    candidates->pool = cgm_alloc(comm, 1, sizeof *candidates->pool);
    bool refused = candidates->first == NULL || candidates->pool == NULL;
    cgm_status status = cgm_agree(comm, refused ? CGM_ERR_MEMORY : CGM_OK);
    if (status != CGM_OK) {
        return status;
    }
    cgm_candidates_slice(comm->size, shard, shape->n_points, candidates->first);
    candidates->held_first = sliced ? candidates->first[comm->rank] : 0;
    candidates->held_end = sliced ? candidates->first[comm->rank + 1] : shape->n_points;
    const size_t row_bytes = (size_t)d * sizeof *candidates->original;
    status = allocate_rows(comm, candidates, row_bytes, &candidates->points_memory,
                           &candidates->original);
    candidates->points = candidates->original;
    if (status == CGM_OK && shape->has_labels) {
        status = allocate_rows(comm, candidates, sizeof *candidates->labels,
                               &candidates->labels_memory, &candidates->labels);
    }
    return status;
}

/* Rows that this rank fills in of those that it or its node holds. */
typedef struct rows {
    int64_t first, end;
} rows;

static rows rows_to_fill(const cgm_comm *comm, const cgm_candidates *candidates)
{
    if (candidates->sliced) {
        return (rows){candidates->held_first, candidates->held_end};
    }
    return (rows){candidates->n_points * comm->node_rank / comm->node_size,
                  candidates->n_points * (comm->node_rank + 1) / comm->node_size};
}

/* Once all rows are filled in: shows them to the node, and computes the checksum. */
static void finish_rows(cgm_comm *comm, cgm_candidates *candidates)
{
    if (!candidates->sliced) {
        cgm_shared_sync(comm, &candidates->points_memory);
        if (candidates->has_labels) {
            cgm_shared_sync(comm, &candidates->labels_memory);
        }
    }
    const int64_t first = candidates->first[comm->rank];
    const int64_t place = first - candidates->held_first;
    candidates->checksum = cgm_points_checksum(
        candidates->original + place * candidates->n_features,
        candidates->has_labels ? candidates->labels + place : NULL, first,
        candidates->first[comm->rank + 1] - first, candidates->n_points, candidates->n_features);
    cgm_comm_sum_unsigned(comm, &candidates->checksum, 1);
}

static cgm_status read_part(cgm_comm *comm, const char *path, cgm_candidates *candidates)
{
    const rows part = rows_to_fill(comm, candidates);
    if (part.first == part.end) {
        return CGM_OK;
    }
    const cgm_points_shape shape = {candidates->n_points, candidates->n_features,
                                    candidates->has_labels};
    const int64_t place = part.first - candidates->held_first;
    cgm_h5_file file;
    cgm_status status = cgm_h5_open(comm, path, &file);
    if (status == CGM_OK) {
        status = cgm_points_read(&file, GROUP, &shape, part.first, part.end - part.first,
                                 candidates->original + place * candidates->n_features,
                                 candidates->has_labels ? candidates->labels + place : NULL);
    }
    cgm_h5_close(&file);
    return status;
}

cgm_status cgm_candidates_read(cgm_comm *comm, const char *path, const cgm_shard *shard,
                               cgm_pool_placement placement, cgm_candidates *candidates)
{
    *candidates = (cgm_candidates){0};
    cgm_candidates_shape shape;
    cgm_status status = cgm_candidates_describe(comm, path, shard->n_features, &shape);
    if (status == CGM_OK) {
        const bool sliced = cgm_candidates_are_sliced(comm, placement, &shape, shard->n_features);
        status = cgm_candidates_create(comm, shard, &shape, sliced, candidates);
    }
    if (status == CGM_OK) {
        status = cgm_agree(comm, read_part(comm, path, candidates));
    }
    if (status != CGM_OK) {
        cgm_candidates_destroy(candidates);
        return status;
    }
    finish_rows(comm, candidates);
    return CGM_OK;
}

void cgm_candidates_announce(const cgm_candidates_shape *shape, int64_t n_features,
                             cgm_candidates *candidates)
{
    *candidates = (cgm_candidates){
        .n_points = shape->n_points, .n_features = n_features, .has_labels = shape->has_labels};
}

static int64_t blocks_of(int64_t n_points)
{
    return (n_points + CGM_BLOCK_POINTS - 1) / CGM_BLOCK_POINTS;
}

/* As a file of points holds them: an outlier of a model may lie beyond. */
static void limit_values(double *points, int64_t count)
{
    for (int64_t k = 0; k < count; k++) {
        points[k] = fmin(fmax(points[k], -CGM_POINTS_LARGEST), CGM_POINTS_LARGEST);
    }
}

/* scaled: of features that were scaled alone, and go back to the unit of the input. */
static void draw_part(cgm_comm *comm, const cgm_model *model, uint64_t seed, bool scaled,
                      const cgm_features *features, cgm_candidates *candidates)
{
    const rows part = rows_to_fill(comm, candidates);
    const int64_t d = candidates->n_features;
    const int64_t n_blocks = blocks_of(part.end - part.first);
#pragma omp parallel for schedule(dynamic) num_threads(comm->threads)
    for (int64_t b = 0; b < n_blocks; b++) {
        const int64_t first = part.first + b * CGM_BLOCK_POINTS;
        const int64_t left = part.end - first;
        const int64_t count = left < CGM_BLOCK_POINTS ? left : CGM_BLOCK_POINTS;
        const int64_t place = first - candidates->held_first;
        double *points = candidates->original + place * d;
        model->draw(model->state, seed, first, count, points,
                    candidates->has_labels ? candidates->labels + place : NULL);
        if (scaled) {
            cgm_features_invert(features, count, d, points, points);
        }
        limit_values(points, count * d);
    }
}

cgm_status cgm_candidates_draw(cgm_comm *comm, const cgm_model *model, uint64_t seed,
                               const cgm_shard *shard, cgm_pool_placement placement,
                               const cgm_features *features, cgm_candidates *candidates)
{
    const bool projected = features->n_components > 0;
    const bool scaled = features->scaling != CGM_SCALE_NONE && !projected;
    const cgm_candidates_shape shape = {.n_points = candidates->n_points,
                                        .has_labels = model->has_labels,
                                        .is_projected = projected,
                                        .n_features = shard->n_features};
    const bool sliced = cgm_candidates_are_sliced(comm, placement, &shape, shard->n_features);
    cgm_status status = cgm_candidates_create(comm, shard, &shape, sliced, candidates);
    if (status != CGM_OK) {
        return status;
    }
    draw_part(comm, model, seed, scaled, features, candidates);
    finish_rows(comm, candidates);
    return scaled ? cgm_features_apply_to_pool(comm, features, candidates) : CGM_OK;
}

int64_t cgm_candidates_count(const cgm_candidates *candidates, int rank)
{
    return candidates->first[rank + 1] - candidates->first[rank];
}

void cgm_candidates_destroy(cgm_candidates *candidates)
{
    if (candidates->pool != NULL) {
        cgm_pool_destroy(candidates->pool);
    }
    free(candidates->pool);
    free(candidates->first);
    if (candidates->sliced) {
        if (candidates->points != candidates->original) {
            free(candidates->points);
        }
        free(candidates->original);
        free(candidates->labels);
    }
    cgm_shared_destroy(&candidates->points_memory);
    cgm_shared_destroy(&candidates->scaled_memory);
    cgm_shared_destroy(&candidates->labels_memory);
    *candidates = (cgm_candidates){0};
}
