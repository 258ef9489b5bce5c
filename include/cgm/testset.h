/**
 * @file testset.h
 * Real points of no party, `/test` of the input (INTERFACE.md, "Input"): what rewards are judged
 * by and nothing is fitted on.
 */
#ifndef CGM_TESTSET_H
#define CGM_TESTSET_H

#include <stdbool.h>
#include <stdint.h>

#include "cgm/comm.h"

/** The points, one copy a node; zeroed: the input has none. */
typedef struct cgm_testset {
    int64_t n_points;
    int64_t n_features;
    bool has_labels;
    uint64_t checksum; /**< 0 where there are none */
    double *points;  /**< [n_points][n_features] row-major, as read until features.h changes them */
    int64_t *labels; /**< [n_points], or NULL */
    cgm_shared points_memory;
    cgm_shared labels_memory;
} cgm_testset;

/**
 * How many points /test of an HDF5 file has; 0: there is none.  Collective.
 * @return the same code on every rank: CGM_OK, CGM_ERR_INPUT, CGM_ERR_MEMORY
 */
cgm_status cgm_testset_count(cgm_comm *comm, const char *path, int64_t n_features,
                             int64_t *n_points);

/**
 * Read /test/data and, if present, /test/labels of an HDF5 file, where there are any.  Collective.
 * The first rank of a node reads for it.
 * @param[in]  path        the file that holds the pool too
 * @param[in]  n_features  what the parties have; another number is an input error
 * @param[out] testset     the pair is cgm_testset_destroy, after errors too
 * @return the same code on every rank: CGM_OK, CGM_ERR_INPUT, CGM_ERR_MEMORY
 */
cgm_status cgm_testset_read(cgm_comm *comm, const char *path, int64_t n_features,
                            cgm_testset *testset);

/** Collective over the node (shared memory). Accepts a zeroed struct. */
void cgm_testset_destroy(cgm_testset *testset);

#endif
