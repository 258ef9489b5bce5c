/**
 * @file embedding_operations.h
 * What is done with tiles of phases, by every instruction set; internal to the embeddings. All sets
 * give the same bits.
 */
#ifndef CGM_EMBEDDING_OPERATIONS_H
#define CGM_EMBEDDING_OPERATIONS_H

#include <stdint.h>
#include <string.h>

/** Columns of a tile are a multiple of this. */
enum { EMBEDDING_LANES = 8 };
/** Phases of these operations are smaller in magnitude. */
#define EMBEDDING_PHASE 0x1p20

/** phases [rows][columns], frequencies in columns. */
typedef struct embedding_operations {
    /** cosines[f] += Σ_i cos p_if, sines[f] += Σ_i sin p_if; row by row. */
    void (*sums)(int64_t rows, int64_t columns, const double *phases, double *cosines,
                 double *sines);
    /** Their derivatives by log ℓ, to which phases are inversely proportional: cosines[f] += Σ_i
     * p_if sin p_if, sines[f] −= Σ_i p_if cos p_if. */
    void (*slopes)(int64_t rows, int64_t columns, const double *phases, double *cosines,
                   double *sines);
    /** results[i] += Σ_f (cos p_if · cosine_weights[f] + sin p_if · sine_weights[f]) */
    void (*products)(int64_t rows, int64_t columns, const double *phases,
                     const double *cosine_weights, const double *sine_weights, double *results);
} embedding_operations;

extern const embedding_operations embedding_portable;
extern const embedding_operations embedding_avx2;
extern const embedding_operations embedding_avx512;
/** For phases of any magnitude, by the mathematical library. */
extern const embedding_operations embedding_slow;

#endif
