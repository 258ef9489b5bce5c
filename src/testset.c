#include "cgm/testset.h"

#include "cgm/points.h"

#define GROUP "/test"

/* What there is, on rank 0; no points: nothing. */
static cgm_status describe(cgm_comm *comm, const char *path, int64_t n_features,
                           cgm_points_shape *shape)
{
    cgm_h5_file file;
    cgm_h5_kind kind = CGM_H5_MISSING;
    cgm_status status = cgm_h5_open(comm, path, &file);
    if (status == CGM_OK) {
        status = cgm_h5_find(&file, GROUP, &kind);
    }
    if (status == CGM_OK && kind != CGM_H5_MISSING) {
        status = cgm_points_describe(&file, GROUP, shape);
        if (status == CGM_OK && shape->n_features != n_features) {
            status = cgm_fail(comm, CGM_ERR_INPUT,
                              "file '%s', dataset '" GROUP "/data': its points have %lld features "
                              "(columns), those of the parties have %lld",
                              path, (long long)shape->n_features, (long long)n_features);
        }
    }
    cgm_h5_close(&file);
    return status;
}

static cgm_status allocate(cgm_comm *comm, const cgm_points_shape *shape, cgm_testset *testset)
{
    const size_t row = (size_t)shape->n_features * sizeof *testset->points;
    cgm_status status =
        cgm_shared_create(comm, (size_t)shape->n_points * row, &testset->points_memory);
    if (status == CGM_OK && shape->has_labels) {
        status = cgm_shared_create(comm, (size_t)shape->n_points * sizeof *testset->labels,
                                   &testset->labels_memory);
    }
    if (status == CGM_OK) {
        testset->points = testset->points_memory.data;
        testset->labels = testset->labels_memory.data;
    }
    return status;
}

/* Every node's first rank. */
static cgm_status read_all(cgm_comm *comm, const char *path, const cgm_points_shape *shape,
                           cgm_testset *testset)
{
    cgm_h5_file file;
    cgm_status status = cgm_h5_open(comm, path, &file);
    if (status == CGM_OK) {
        status = cgm_points_read(&file, GROUP, shape, 0, shape->n_points, testset->points,
                                 testset->labels);
    }
    cgm_h5_close(&file);
    return status;
}

/* The same on every rank. */
static cgm_status describe_to_all(cgm_comm *comm, const char *path, int64_t n_features,
                                  cgm_points_shape *shape)
{
    *shape = (cgm_points_shape){0};
    cgm_status status =
        cgm_agree(comm, comm->rank == 0 ? describe(comm, path, n_features, shape) : CGM_OK);
    if (status == CGM_OK) {
        cgm_comm_broadcast(comm, shape, sizeof *shape, 0);
    }
    return status;
}

cgm_status cgm_testset_count(cgm_comm *comm, const char *path, int64_t n_features,
                             int64_t *n_points)
{
    cgm_points_shape shape;
    cgm_status status = describe_to_all(comm, path, n_features, &shape);
    *n_points = shape.n_points;
    return status;
}

cgm_status cgm_testset_read(cgm_comm *comm, const char *path, int64_t n_features,
                            cgm_testset *testset)
{
    *testset = (cgm_testset){0};
    cgm_points_shape shape;
    cgm_status status = describe_to_all(comm, path, n_features, &shape);
    if (status != CGM_OK || shape.n_points == 0) {
        return status;
    }
    status = allocate(comm, &shape, testset);
    if (status == CGM_OK) {
        const bool reads = comm->node_rank == 0;
        status = cgm_agree(comm, reads ? read_all(comm, path, &shape, testset) : CGM_OK);
    }
    if (status != CGM_OK) {
        return status;
    }
    cgm_shared_sync(comm, &testset->points_memory);
    if (shape.has_labels) {
        cgm_shared_sync(comm, &testset->labels_memory);
    }
    testset->n_points = shape.n_points;
    testset->n_features = shape.n_features;
    testset->has_labels = shape.has_labels;
    testset->checksum = cgm_points_checksum(testset->points, testset->labels, 0, shape.n_points,
                                            shape.n_points, shape.n_features);
    return CGM_OK;
}

void cgm_testset_destroy(cgm_testset *testset)
{
    cgm_shared_destroy(&testset->points_memory);
    cgm_shared_destroy(&testset->labels_memory);
    *testset = (cgm_testset){0};
}
