#include "cgm/rng.h"

#include <Random123/philox.h>
#include <math.h>

uint64_t cgm_rng_hash(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const char *c = name; *c != '\0'; c++) {
        hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
    }
    return hash;
}

void cgm_rng_block(const uint64_t key[2], const uint64_t counter[4], uint64_t words[4])
{
    philox4x64_ctr_t in = {{counter[0], counter[1], counter[2], counter[3]}};
    philox4x64_key_t by = {{key[0], key[1]}};
    philox4x64_ctr_t out = philox4x64(in, by);
    for (int k = 0; k < 4; k++) {
        words[k] = out.v[k];
    }
}

void cgm_rng_words(const cgm_rng *rng, uint64_t a, uint64_t b, uint64_t c, uint64_t words[4])
{
    const uint64_t key[2] = {rng->seed, rng->stream};
    const uint64_t counter[4] = {a, b, c, (uint64_t)rng->purpose};
    cgm_rng_block(key, counter, words);
}

double cgm_rng_uniform(uint64_t word)
{
    return (double)(word >> 11) * 0x1p-53;
}

void cgm_rng_normal(const uint64_t words[2], double normal[2])
{
    const double two_pi = 6.283185307179586476925;
    /* (0, 1], so that the logarithm is finite. */
    double radius = sqrt(-2.0 * log(1.0 - cgm_rng_uniform(words[0])));
    double angle = two_pi * cgm_rng_uniform(words[1]);
    normal[0] = radius * cos(angle);
    normal[1] = radius * sin(angle);
}
