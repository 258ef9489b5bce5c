#include "cgm/generator.h"

#include <sys/stat.h>

#include "cgm/points.h"

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

static cgm_status read_pool(cgm_comm *comm, const char *path, const cgm_points_shape *shape,
                            cgm_candidates *candidates)
{
    cgm_h5_file file;
    cgm_status status = cgm_h5_open(comm, path, &file);
    if (status == CGM_OK) {
        status = cgm_points_read(&file, GROUP, shape, 0, shape->n_points, candidates->points,
                                 candidates->labels);
    }
    cgm_h5_close(&file);
    return status;
}

/* Memory for the pool, one copy a node. */
static cgm_status allocate_pool(cgm_comm *comm, const cgm_points_shape *shape,
                                cgm_candidates *candidates)
{
    const size_t n_points = (size_t)shape->n_points;
    cgm_status status =
        cgm_shared_create(comm, n_points * (size_t)shape->n_features * sizeof *candidates->points,
                          &candidates->points_memory);
    if (status == CGM_OK && shape->has_labels) {
        status = cgm_shared_create(comm, n_points * sizeof *candidates->labels,
                                   &candidates->labels_memory);
    }
    candidates->original = candidates->points_memory.data;
    candidates->points = candidates->original;
    candidates->labels = candidates->labels_memory.data;
    return status;
}

cgm_status cgm_candidates_read(cgm_comm *comm, const char *path, int64_t n_features,
                               cgm_candidates *candidates)
{
    *candidates = (cgm_candidates){0};
    cgm_points_shape shape = {0};
    cgm_status status =
        cgm_agree(comm, comm->rank == 0 ? describe_pool(comm, path, n_features, &shape) : CGM_OK);
    if (status != CGM_OK) {
        return status;
    }
    cgm_comm_broadcast(comm, &shape, sizeof shape, 0);
    candidates->n_points = shape.n_points;
    candidates->n_features = shape.n_features;
    candidates->has_labels = shape.has_labels;
    status = allocate_pool(comm, &shape, candidates);
    if (status == CGM_OK) {
        bool reads = comm->node_rank == 0;
        status = cgm_agree(comm, reads ? read_pool(comm, path, &shape, candidates) : CGM_OK);
    }
    if (status != CGM_OK) {
        cgm_candidates_destroy(candidates);
        return status;
    }
    cgm_shared_sync(comm, &candidates->points_memory);
    if (shape.has_labels) {
        cgm_shared_sync(comm, &candidates->labels_memory);
    }
    if (comm->rank == 0) {
        candidates->checksum = cgm_points_checksum(candidates->points, candidates->labels,
                                                   shape.n_points, shape.n_features);
    }
    cgm_comm_broadcast(comm, &candidates->checksum, sizeof candidates->checksum, 0);
    return CGM_OK;
}

void cgm_candidates_destroy(cgm_candidates *candidates)
{
    cgm_shared_destroy(&candidates->points_memory);
    cgm_shared_destroy(&candidates->scaled_memory);
    cgm_shared_destroy(&candidates->labels_memory);
    *candidates = (cgm_candidates){0};
}
