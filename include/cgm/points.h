/**
 * @file points.h
 * Points and their labels in a group of an HDF5 file, the form in which parties, the pool and test
 * points come (INTERFACE.md, "Input"): <group>/data and, optionally, <group>/labels. Validation
 * lives here, once.
 */
#ifndef CGM_POINTS_H
#define CGM_POINTS_H

#include <stdbool.h>
#include <stdint.h>

#include "cgm/h5.h"

/** Largest magnitude of a coordinate: the square of a larger one is not far from overflow. */
#define CGM_POINTS_LARGEST 1e150

/** Rows of points and labels of one group. */
typedef struct cgm_points_shape {
    int64_t n_points;   /**< >= 1 */
    int64_t n_features; /**< >= 1 */
    bool has_labels;
} cgm_points_shape;

/**
 * Check types and shapes of <group>/data and <group>/labels.  Local.
 * @param[in] group  "" for the root
 * @return CGM_OK, CGM_ERR_INPUT (missing, wrong rank or type, no points, no features, labels of
 * another length), CGM_ERR_MEMORY
 */
cgm_status cgm_points_describe(const cgm_h5_file *file, const char *group, cgm_points_shape *shape);

/**
 * Read rows first .. first + n_rows - 1 and check every value.  Local.
 * @param[in]  shape   from cgm_points_describe
 * @param[out] points  [n_rows][n_features] row-major, finite, |value| <= CGM_POINTS_LARGEST
 * @param[out] labels  [n_rows]; not touched, and may be NULL, without labels
 * @return CGM_OK, CGM_ERR_INPUT (the message names row and column), CGM_ERR_MEMORY
 */
cgm_status cgm_points_read(const cgm_h5_file *file, const char *group,
                           const cgm_points_shape *shape, int64_t first, int64_t n_rows,
                           double *points, int64_t *labels);

/**
 * What rows first .. first + n_rows - 1 contribute to the checksum of n_points points and their
 * labels (or NULL), whatever file they came from.  Local.  The checksum is the sum over all rows.
 * @param[in] points, labels  of those rows alone
 */
uint64_t cgm_points_checksum(const double *points, const int64_t *labels, int64_t first,
                             int64_t n_rows, int64_t n_points, int64_t n_features);

#endif
