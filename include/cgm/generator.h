/**
 * @file generator.h
 * The candidate pool G (MATH.md §1): synthetic points drawn from the generative model; here read
 * from a file.
 */
#ifndef CGM_GENERATOR_H
#define CGM_GENERATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "cgm/comm.h"

/** The pool, one copy a node in memory its ranks share. */
typedef struct cgm_candidates {
    int64_t n_points; /**< g */
    int64_t n_features;
    bool has_labels;
    uint64_t checksum;
    double *original; /**< [n_points][n_features] row-major, finite, |value| <= 1e150, as read */
    double *points;   /**< the same, or scaled (features.h) */
    int64_t *labels;  /**< [n_points], or NULL */
    cgm_shared points_memory;
    cgm_shared scaled_memory; /**< of points when they are scaled */
    cgm_shared labels_memory;
} cgm_candidates;

/**
 * Read the pool from /candidates/data and, if present, /candidates/labels of an HDF5 file.
 * Collective. The first rank of each node reads; errors are agreed on by all.
 * @param[in] n_features  what the parties have; another number is an input error
 * @return the same code on every rank: CGM_OK, CGM_ERR_INPUT, CGM_ERR_MEMORY
 */
cgm_status cgm_candidates_read(cgm_comm *comm, const char *path, int64_t n_features,
                               cgm_candidates *candidates);

/** Collective over the node (shared memory). Accepts a zeroed struct. */
void cgm_candidates_destroy(cgm_candidates *candidates);

#endif
