/**
 * @file model.h
 * A trained generative model as the pool is drawn from it (generator.h), whichever kind it is.
 */
#ifndef CGM_MODEL_H
#define CGM_MODEL_H

#include <stdbool.h>
#include <stdint.h>

struct cgm_writer;

/** How often a class is drawn. */
typedef enum cgm_class_share {
    CGM_SHARE_POOL,    /**< as in the points of all parties together */
    CGM_SHARE_BALANCED /**< as often as any other */
} cgm_class_share;

/** The same on every rank. Candidate number c is a function of the model, the seed and c alone, so
 * that any rank can draw any slice of the pool. */
typedef struct cgm_model {
    bool has_labels;
    void *state;
    int64_t put_words; /**< of 8 bytes, more than put writes */
    /** Candidates first .. first + count - 1.  Local; by several threads at a time.
     * @param[out] points  [count][n_features] row-major, finite, in the features it was trained on
     * @param[out] labels  [count], or NULL where has_labels is false */
    void (*draw)(const void *state, uint64_t seed, int64_t first, int64_t count, double *points,
                 int64_t *labels);
    /** Puts the parameters below /generator of a file.  Collective. */
    void (*put)(const void *state, struct cgm_writer *to);
    /** Local. */
    void (*destroy)(void *state);
} cgm_model;

#endif
