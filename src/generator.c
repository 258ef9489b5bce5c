#include "cgm/generator.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cgm/kernel.h"
#include "cgm/points.h"
#include "cgm/pool.h"

#define GROUP "/candidates"

/* What the pool is, on rank 0. */
static cgm_status describe_pool(cgm_comm *comm, const char *path, int64_t n_features,
                                cgm_points_shape *shape)
{
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
        status = cgm_points_describe(&file, GROUP, shape);
    }
    cgm_h5_close(&file);
    if (status != CGM_OK) {
        return status;
    }
    if (shape->n_features != n_features) {
        return cgm_fail(comm, CGM_ERR_INPUT,
                        "file '%s', dataset '" GROUP "/data': its points have %lld features "
                        "(columns), those of the parties have %lld",
                        path, (long long)shape->n_features, (long long)n_features);
    }
    return CGM_OK;
}

cgm_status cgm_candidates_describe(cgm_comm *comm, const char *path, int64_t n_features,
                                   cgm_candidates_shape *shape)
{
    cgm_points_shape found = {0};
    cgm_status status =
        cgm_agree(comm, comm->rank == 0 ? describe_pool(comm, path, n_features, &found) : CGM_OK);
    if (status == CGM_OK) {
        cgm_comm_broadcast(comm, &found, sizeof found, 0);
        *shape = (cgm_candidates_shape){found.n_points, found.has_labels};
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
    *candidates = (cgm_candidates){.n_points = shape->n_points,
                                   .n_features = shard->n_features,
                                   .n_original_features = shard->n_features,
                                   .has_labels = shape->has_labels,
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
    const size_t row_bytes = (size_t)shard->n_features * sizeof *candidates->original;
    status = allocate_rows(comm, candidates, row_bytes, &candidates->points_memory,
                           &candidates->original);
    candidates->points = candidates->original;
    if (status == CGM_OK && shape->has_labels) {
        status = allocate_rows(comm, candidates, sizeof *candidates->labels,
                               &candidates->labels_memory, &candidates->labels);
    }
    return status;
}

/* This rank's part of the rows that it or its node holds. */
static cgm_status read_part(cgm_comm *comm, const char *path, cgm_candidates *candidates)
{
    int64_t first = candidates->held_first;
    int64_t end = candidates->held_end;
    if (!candidates->sliced) {
        first = candidates->n_points * comm->node_rank / comm->node_size;
        end = candidates->n_points * (comm->node_rank + 1) / comm->node_size;
    }
    if (first == end) {
        return CGM_OK;
    }
    const cgm_points_shape shape = {candidates->n_points, candidates->n_features,
                                    candidates->has_labels};
    const int64_t place = first - candidates->held_first;
    cgm_h5_file file;
    cgm_status status = cgm_h5_open(comm, path, &file);
    if (status == CGM_OK) {
        status = cgm_points_read(&file, GROUP, &shape, first, end - first,
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
    if (!candidates->sliced) {
        cgm_shared_sync(comm, &candidates->points_memory);
        if (shape.has_labels) {
            cgm_shared_sync(comm, &candidates->labels_memory);
        }
    }
    const int64_t first = candidates->first[comm->rank];
    const int64_t place = first - candidates->held_first;
    candidates->checksum = cgm_points_checksum(
        candidates->original + place * candidates->n_features,
        shape.has_labels ? candidates->labels + place : NULL, first,
        candidates->first[comm->rank + 1] - first, shape.n_points, candidates->n_features);
    cgm_comm_sum_unsigned(comm, &candidates->checksum, 1);
    return CGM_OK;
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
