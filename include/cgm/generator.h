/**
 * @file generator.h
 * The candidate pool G (MATH.md §1): synthetic points drawn from the generative model, read from a
 * file or drawn here.
 */
#ifndef CGM_GENERATOR_H
#define CGM_GENERATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "cgm/comm.h"
#include "cgm/model.h"
#include "cgm/shard.h"

struct cgm_features;

/** Where the pool comes from: a file, or a model that is trained on all parties' points. */
typedef enum cgm_generator_type {
    CGM_GENERATOR_FILE,
    CGM_GENERATOR_GMM, /**< generator_gmm.h */
    CGM_GENERATOR_GAN  /**< generator_gan.h */
} cgm_generator_type;

/** Where the pool shall lie; auto: as one copy a node takes or does not take too much of it. */
typedef enum cgm_pool_placement { CGM_POOL_AUTO, CGM_POOL_NODE, CGM_POOL_RANKS } cgm_pool_placement;

/** The pool: one copy a node in memory its ranks share, or, where that would not fit, in slices,
 * one a rank. */
typedef struct cgm_candidates {
    int64_t n_points;            /**< g */
    int64_t n_features;          /**< of points */
    int64_t n_original_features; /**< of original: more, if the features were projected */
    bool has_labels;
    bool is_projected; /**< original is coordinates on components already (projection.h) */
    bool sliced;       /**< a rank holds its own slice alone */
    uint64_t checksum;
    int64_t
        *first; /**< [size + 1] the slice that rank r is home to: whole blocks but for the last */
    int64_t held_first, held_end; /**< rows that this rank can read: all, or its own slice */
    double *original; /**< [held_end - held_first][n_original_features] row-major, finite, |value|
                         <= 1e150, as stored: as read, or drawn and brought back to the unit of the
                         input, or drawn among projected features. Rewards consist of its rows */
    double *points;   /**< the same, or scaled (features.h), or projected (projection.h) */
    int64_t *labels;  /**< [held_end - held_first], or NULL */
    cgm_shared points_memory;
    cgm_shared scaled_memory; /**< of points when they are scaled or projected */
    cgm_shared labels_memory;
    struct cgm_pool *pool; /**< the packed form, filled in by pool.h */
} cgm_candidates;

/** What the pool is before it is read or drawn. */
typedef struct cgm_candidates_shape {
    int64_t n_points;
    bool has_labels;
    bool is_projected;  /**< rows are coordinates on components, as /features of the file says */
    int64_t n_features; /**< of a row in its file; 0: those of the parties' points */
} cgm_candidates_shape;

/**
 * Look at /candidates of an HDF5 file.  Collective.
 * @param[in] n_features  what the parties have; another number is an input error, unless the file
 *                        says by /features that its pool is projected
 * @return the same code on every rank: CGM_OK, CGM_ERR_INPUT, CGM_ERR_MEMORY
 */
cgm_status cgm_candidates_describe(cgm_comm *comm, const char *path, int64_t n_features,
                                   cgm_candidates_shape *shape);

/** Local. Slices of the pool, whole blocks, that bring all of size ranks as close to the same
 * number of points as may be, their parties' included. first [size + 1] */
void cgm_candidates_slice(int size, const cgm_shard *shard, int64_t n_candidates, int64_t *first);

/**
 * Whether a rank shall hold its own slice of the pool alone.  Collective.
 * Automatically it does when the pool, as read and packed, would take more than a part of some
 * node's memory, or of the file system that holds what its ranks share.
 */
bool cgm_candidates_are_sliced(cgm_comm *comm, cgm_pool_placement placement,
                               const cgm_candidates_shape *shape, int64_t n_features);

/**
 * Slice the pool over the ranks, so that all have about the same number of points with their
 * parties', and make room for it.  Collective.
 * @param[in]  sliced      a rank holds its own slice alone
 * @param[out] candidates  without content; the pair is cgm_candidates_destroy, after errors too
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY
 */
cgm_status cgm_candidates_create(cgm_comm *comm, const cgm_shard *shard,
                                 const cgm_candidates_shape *shape, bool sliced,
                                 cgm_candidates *candidates);

/**
 * Read the pool from /candidates/data and, if present, /candidates/labels of an HDF5 file.
 * Collective.  The ranks of a node read a part each; errors are agreed on by all.
 * @return the same code on every rank: CGM_OK, CGM_ERR_INPUT, CGM_ERR_MEMORY
 */
cgm_status cgm_candidates_read(cgm_comm *comm, const char *path, const cgm_shard *shard,
                               cgm_pool_placement placement, cgm_candidates *candidates);

/** Local. The word for a type in options and output. */
const char *cgm_generator_name(cgm_generator_type type);

/** Local. Note the shape of a pool that will be drawn; it has no content, and first is NULL, until
 * cgm_candidates_draw. */
void cgm_candidates_announce(const cgm_candidates_shape *shape, int64_t n_features,
                             cgm_candidates *candidates);

/**
 * Draw the pool from a model, each candidate by its number.  Collective.  The ranks of a node draw
 * a part each, in blocks that threads share.
 * Points are drawn among the features that the model was trained on. Of scaled features they are
 * brought back to the unit of the input, which original holds; points are those scaled again, so
 * that they are to the last bit what a run has that reads this pool from a file. Coordinates on
 * components are left as they are: what the components do not span is lost, and no point of the
 * input's features is the right one.
 * @param[in]     features    what was done to the features of the parties' points
 * @param[in,out] candidates  announced
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY
 */
cgm_status cgm_candidates_draw(cgm_comm *comm, const cgm_model *model, uint64_t seed,
                               const cgm_shard *shard, cgm_pool_placement placement,
                               const struct cgm_features *features, cgm_candidates *candidates);

/** Local. Candidates of the slice that a rank is home to. */
int64_t cgm_candidates_count(const cgm_candidates *candidates, int rank);

/** Collective over the node (shared memory). Accepts a zeroed struct. */
void cgm_candidates_destroy(cgm_candidates *candidates);

#endif
