/**
 * @file rng.h
 * Random numbers as a function of what they are for: counter-based (Philox 4×64), keyed by the seed
 * and a stream, so that they do not depend on ranks, on the order of work or on a party's place in
 * the list.
 */
#ifndef CGM_RNG_H
#define CGM_RNG_H

#include <stdint.h>

/** What a stream of random numbers is for: part of every counter, so that no two uses share
 * numbers. */
typedef enum cgm_rng_purpose {
    CGM_RNG_PROPOSAL = 1,       /**< weighted sampling: proposed candidate and acceptance */
    CGM_RNG_INVERSE = 2,        /**< weighted sampling: uniform number of the inverse CDF */
    CGM_RNG_SIMULATE = 3,       /**< simulated input */
    CGM_RNG_ORDER = 4,          /**< orders of the parties for diagnostics */
    CGM_RNG_SUBSAMPLE = 5,      /**< choice of points for the median distance */
    CGM_RNG_SIGNIFICANCE = 6,   /**< and for the test of significance */
    CGM_RNG_DOWNSTREAM = 12,    /**< choice of points and parties for downstream models */
    CGM_RNG_GAN_WEIGHTS = 16,   /**< generative network: parameters before training */
    CGM_RNG_GAN_BATCH = 17,     /**< its training: points of a step */
    CGM_RNG_GAN_LATENT = 18,    /**< its training: what is generated beside them */
    CGM_RNG_GAN_MEASURE = 19,   /**< its measure: directions, and the sample */
    CGM_RNG_GAN_CANDIDATE = 20, /**< candidates drawn from it */
    CGM_RNG_CENTRES = 24,       /**< choice of points that mixtures start from */
    CGM_RNG_CANDIDATE = 25,     /**< candidates drawn from a mixture */
    CGM_RNG_FREQUENCY = 32,     /**< embeddings: directions of frequencies */
    CGM_RNG_LENGTH = 33,        /**< their lengths, of orthogonal ones */
    CGM_RNG_SHAPE = 34,         /**< what rational quadratic kernels mix frequencies of */
    CGM_RNG_CELL = 35,          /**< made-up cells that mixtures of sealed points start from */
    CGM_RNG_POOL = 36           /**< embeddings: blocks of the pool that are taken together */
} cgm_rng_purpose;

/** A stream: all numbers of one seed, name and purpose. */
typedef struct cgm_rng {
    uint64_t seed;
    uint64_t stream;
    cgm_rng_purpose purpose;
} cgm_rng;

/** Local. The stream of a name (a party's, say): 64-bit FNV-1a of its bytes. */
uint64_t cgm_rng_hash(const char *name);

/** Local. The generator itself, Philox4x64-10: four words that depend on key and counter alone. */
void cgm_rng_block(const uint64_t key[2], const uint64_t counter[4], uint64_t words[4]);

/** Local. Four independent 64-bit words of a stream for the counter (a, b, c). */
void cgm_rng_words(const cgm_rng *rng, uint64_t a, uint64_t b, uint64_t c, uint64_t words[4]);

/** Local. A word as a double uniform on [0, 1): the top 53 bits. */
double cgm_rng_uniform(uint64_t word);

/** Local. Two words as two independent standard normal numbers (Box-Muller). */
void cgm_rng_normal(const uint64_t words[2], double normal[2]);

#endif
