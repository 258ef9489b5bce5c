#include "features_file.h"

#include <stdlib.h>

#define GROUP "/features"

static bool is_there(const cgm_features *features)
{
    return features->scaling != CGM_SCALE_NONE || features->n_components > 0;
}

void features_file_put(cgm_writer *to, const cgm_features *features)
{
    const int64_t d = features->n_features;
    const int64_t k = features->n_components;
    if (!is_there(features)) {
        return;
    }
    cgm_writer_put_array(to, GROUP "/mean", CGM_H5_DOUBLE, d, features->mean);
    cgm_writer_put_array(to, GROUP "/scale", CGM_H5_DOUBLE, d, features->scale);
    if (k > 0) {
        const int64_t dims[2] = {k, d};
        const int64_t whitened = features->whiten;
        const int64_t pool_projected = features->pool_projected;
        cgm_writer_put_rows(to, GROUP "/components", CGM_H5_DOUBLE, 2, dims, 0,
                            to->comm->rank == 0 ? k : 0, features->components);
        cgm_writer_put_array(to, GROUP "/explained_variance", CGM_H5_DOUBLE, k,
                             features->explained_variance);
        cgm_writer_put_attribute(to, GROUP, "total_variance", CGM_H5_DOUBLE,
                                 &features->total_variance);
        cgm_writer_put_attribute(to, GROUP, "whitened", CGM_H5_INT64, &whitened);
        cgm_writer_put_attribute(to, GROUP, "pool_projected", CGM_H5_INT64, &pool_projected);
    }
}

int64_t features_file_words(const cgm_features *features)
{
    /* Beside the numbers, what HDF5 keeps of each object. */
    return is_there(features)
               ? (features->n_components + 2) * features->n_features + features->n_components + 4096
               : 0;
}

cgm_status features_file_write(cgm_h5_file *file, const cgm_features *features)
{
    const int64_t d = features->n_features;
    const int64_t k = features->n_components;
    const int64_t whitened = features->whiten;
    const int64_t pool_projected = features->pool_projected;
    const int64_t dims[2] = {k, d};
    const struct {
        const char *path;
        int rank;
        const int64_t *dims;
        const double *numbers;
    } parts[] = {
        {GROUP "/mean", 1, &d, features->mean},
        {GROUP "/scale", 1, &d, features->scale},
        {GROUP "/components", 2, dims, features->components},
        {GROUP "/explained_variance", 1, &k, features->explained_variance},
    };
    const int n_parts = !is_there(features) ? 0 : k > 0 ? 4 : 2;
    cgm_status status = CGM_OK;
    for (int p = 0; p < n_parts && status == CGM_OK; p++) {
        status = cgm_h5_write(file, parts[p].path, CGM_H5_DOUBLE, parts[p].rank, parts[p].dims, 0,
                              parts[p].dims[0], parts[p].numbers);
    }
    if (status == CGM_OK && k > 0) {
        status = cgm_h5_write_attribute(file, GROUP, "total_variance", CGM_H5_DOUBLE,
                                        &features->total_variance);
    }
    if (status == CGM_OK && k > 0) {
        status = cgm_h5_write_attribute(file, GROUP, "whitened", CGM_H5_INT64, &whitened);
    }
    if (status == CGM_OK && k > 0) {
        status =
            cgm_h5_write_attribute(file, GROUP, "pool_projected", CGM_H5_INT64, &pool_projected);
    }
    return status;
}

/* ---- reading ---- */

/* Numbers of a dataset of one dimension or, with rows > 0, of two. */
static cgm_status read_numbers(const cgm_h5_file *file, const char *path, int64_t rows,
                               int64_t columns, double **numbers)
{
    cgm_h5_info info;
    cgm_status status = cgm_h5_describe(file, path, NULL, &info);
    if (status != CGM_OK) {
        return status;
    }
    const int rank = rows > 0 ? 2 : 1;
    if (info.rank != rank || info.dims[rank - 1] != columns || (rows > 0 && info.dims[0] != rows)) {
        return cgm_fail(file->comm, CGM_ERR_INPUT,
                        "file '%s', dataset '%s': its size is not that of %lld features; it is "
                        "damaged, or of other points",
                        file->path, path, (long long)columns);
    }
    *numbers = cgm_h5_read(file, path, NULL, CGM_H5_DOUBLE, NULL);
    return *numbers != NULL ? CGM_OK : file->comm->error.status;
}

static cgm_status count_components(const cgm_h5_file *file, cgm_features *features)
{
    cgm_h5_kind kind = CGM_H5_MISSING;
    cgm_h5_info info;
    cgm_status status = cgm_h5_find(file, GROUP "/components", &kind);
    if (status != CGM_OK || kind == CGM_H5_MISSING) {
        return status;
    }
    status = cgm_h5_describe(file, GROUP "/explained_variance", NULL, &info);
    features->n_components = status == CGM_OK ? info.count : 0;
    if (status == CGM_OK && info.count < 1) {
        status = cgm_fail(file->comm, CGM_ERR_INPUT,
                          "file '%s', dataset '" GROUP "/explained_variance': it has no element; "
                          "it is damaged",
                          file->path);
    }
    return status;
}

static cgm_status read_projection(const cgm_h5_file *file, cgm_features *features)
{
    const int64_t k = features->n_components;
    int64_t whitened = 0;
    int64_t pool_projected = 0;
    cgm_status status =
        read_numbers(file, GROUP "/components", k, features->n_features, &features->components);
    if (status == CGM_OK) {
        status =
            read_numbers(file, GROUP "/explained_variance", 0, k, &features->explained_variance);
    }
    if (status == CGM_OK) {
        status = cgm_h5_read_scalar(file, GROUP, "total_variance", CGM_H5_DOUBLE,
                                    &features->total_variance);
    }
    if (status == CGM_OK) {
        status = cgm_h5_read_scalar(file, GROUP, "whitened", CGM_H5_INT64, &whitened);
    }
    if (status == CGM_OK) {
        status = cgm_h5_read_scalar(file, GROUP, "pool_projected", CGM_H5_INT64, &pool_projected);
    }
    features->whiten = whitened != 0;
    features->pool_projected = pool_projected != 0;
    return status;
}

cgm_status features_file_read(const cgm_h5_file *file, int64_t n_features, cgm_features *features)
{
    *features = (cgm_features){0};
    cgm_h5_kind kind;
    cgm_status status = cgm_h5_find(file, GROUP "/scale", &kind);
    if (status != CGM_OK || kind == CGM_H5_MISSING) {
        return status;
    }
    features->scaling = CGM_SCALE_STANDARD;
    features->n_features = n_features;
    status = read_numbers(file, GROUP "/mean", 0, n_features, &features->mean);
    if (status == CGM_OK) {
        status = read_numbers(file, GROUP "/scale", 0, n_features, &features->scale);
    }
    if (status == CGM_OK) {
        status = count_components(file, features);
    }
    return status == CGM_OK && features->n_components > 0 ? read_projection(file, features)
                                                          : status;
}
