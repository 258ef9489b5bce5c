#include "cgm/points.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/provenance.h"
#include "cgm/rng.h"

/* group/name, allocated; NULL when there is no memory. */
static char *member_path(cgm_comm *comm, const char *group, const char *name)
{
    size_t bytes = strlen(group) + strlen(name) + 2;
    char *path = cgm_alloc(comm, (int64_t)bytes, 1);
    if (path != NULL) {
        snprintf(path, bytes, "%s/%s", group, name);
    }
    return path;
}

static cgm_status check_data(const cgm_h5_file *file, const char *path, const cgm_h5_info *info)
{
    if (info->rank != 2) {
        return cgm_fail(file->comm, CGM_ERR_INPUT,
                        "file '%s', dataset '%s': its rank is %d; points need rank 2, [points]"
                        "[features]",
                        file->path, path, info->rank);
    }
    if (info->type_class != CGM_H5_FLOAT ||
        (info->element_bytes != 4 && info->element_bytes != 8)) {
        return cgm_fail(file->comm, CGM_ERR_INPUT,
                        "file '%s', dataset '%s': its type is not float32 or float64; convert it",
                        file->path, path);
    }
    if (info->dims[0] == 0) {
        return cgm_fail(
            file->comm, CGM_ERR_INPUT,
            "file '%s', dataset '%s': it has no points, at least one is needed; leave an "
            "empty party out",
            file->path, path);
    }
    if (info->dims[1] == 0) {
        return cgm_fail(file->comm, CGM_ERR_INPUT,
                        "file '%s', dataset '%s': its points have no features", file->path, path);
    }
    return CGM_OK;
}

static cgm_status check_labels(const cgm_h5_file *file, const char *path, int64_t n_points)
{
    cgm_h5_info info;
    cgm_status status = cgm_h5_describe(file, path, NULL, &info);
    if (status != CGM_OK) {
        return status;
    }
    if (info.rank != 1) {
        return cgm_fail(file->comm, CGM_ERR_INPUT,
                        "file '%s', dataset '%s': its rank is %d; labels need rank 1", file->path,
                        path, info.rank);
    }
    if (info.type_class != CGM_H5_INTEGER && info.type_class != CGM_H5_UNSIGNED) {
        return cgm_fail(file->comm, CGM_ERR_INPUT,
                        "file '%s', dataset '%s': its type is not integer; number the classes",
                        file->path, path);
    }
    if (info.dims[0] != n_points) {
        return cgm_fail(file->comm, CGM_ERR_INPUT,
                        "file '%s', dataset '%s': there are %lld labels for %lld points",
                        file->path, path, (long long)info.dims[0], (long long)n_points);
    }
    return CGM_OK;
}

static cgm_status describe_labels(const cgm_h5_file *file, const char *group,
                                  cgm_points_shape *shape)
{
    char *path = member_path(file->comm, group, "labels");
    if (path == NULL) {
        return CGM_ERR_MEMORY;
    }
    cgm_h5_kind kind;
    cgm_status status = cgm_h5_find(file, path, &kind);
    shape->has_labels = kind != CGM_H5_MISSING;
    if (status == CGM_OK && shape->has_labels) {
        status = check_labels(file, path, shape->n_points);
    }
    free(path);
    return status;
}

cgm_status cgm_points_describe(const cgm_h5_file *file, const char *group, cgm_points_shape *shape)
{
    *shape = (cgm_points_shape){0};
    char *path = member_path(file->comm, group, "data");
    if (path == NULL) {
        return CGM_ERR_MEMORY;
    }
    cgm_h5_info info;
    cgm_status status = cgm_h5_describe(file, path, NULL, &info);
    if (status == CGM_OK) {
        status = check_data(file, path, &info);
    }
    free(path);
    if (status != CGM_OK) {
        return status;
    }
    shape->n_points = info.dims[0];
    shape->n_features = info.dims[1];
    return describe_labels(file, group, shape);
}

static const char *value_name(double value, char number[32])
{
    if (isnan(value)) {
        return "NaN";
    }
    if (isinf(value)) {
        return value > 0 ? "Inf" : "-Inf";
    }
    snprintf(number, 32, "%g", value);
    return number;
}

static cgm_status check_values(const cgm_h5_file *file, const char *path, int64_t first,
                               int64_t n_rows, int64_t n_features, const double *points)
{
    for (int64_t k = 0; k < n_rows * n_features; k++) {
        /* False for NaN as well. */
        if (fabs(points[k]) <= CGM_POINTS_LARGEST) {
            continue;
        }
        char number[32];
        const int64_t row = first + k / n_features;
        return cgm_fail(file->comm, CGM_ERR_INPUT,
                        "file '%s', dataset '%s', row %lld, column %lld (counted from 0): the "
                        "value is %s; %s",
                        file->path, path, (long long)row, (long long)(k % n_features),
                        value_name(points[k], number),
                        isfinite(points[k])
                            ? "its square would overflow, rescale the data (largest magnitude "
                              "1e150)"
                            : "repair or remove the point");
    }
    return CGM_OK;
}

cgm_status cgm_points_read(const cgm_h5_file *file, const char *group,
                           const cgm_points_shape *shape, int64_t first, int64_t n_rows,
                           double *points, int64_t *labels)
{
    char *data_path = member_path(file->comm, group, "data");
    char *label_path = member_path(file->comm, group, "labels");
    cgm_status status = data_path != NULL && label_path != NULL ? CGM_OK : CGM_ERR_MEMORY;
    if (status == CGM_OK) {
        status = cgm_h5_read_rows(file, data_path, CGM_H5_DOUBLE, first, n_rows, shape->n_features,
                                  points);
    }
    if (status == CGM_OK) {
        status = check_values(file, data_path, first, n_rows, shape->n_features, points);
    }
    if (status == CGM_OK && shape->has_labels) {
        status = cgm_h5_read_rows(file, label_path, CGM_H5_INT64, first, n_rows, 1, labels);
    }
    free(data_path);
    free(label_path);
    return status;
}

uint64_t cgm_points_checksum(const double *points, const int64_t *labels, int64_t first,
                             int64_t n_rows, int64_t n_points, int64_t n_features)
{
    const int64_t shape[2] = {n_points, n_features};
    uint64_t sum =
        cgm_checksum_words(cgm_rng_hash("data"), first * n_features, points, n_rows * n_features);
    if (first == 0 && n_rows > 0) {
        sum += cgm_checksum_words(cgm_rng_hash("shape"), 0, shape, 2);
    }
    if (labels != NULL) {
        sum += cgm_checksum_words(cgm_rng_hash("labels"), first, labels, n_rows);
    }
    return sum;
}
