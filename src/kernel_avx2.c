/* The kernel's loops for AVX2 with FMA. The compiler gets its flags for this file only. */
#include "kernel_operations.h"

#if defined __AVX2__ && defined __FMA__
#include <immintrin.h>

enum { LANES = 4, ROWS = 4, ROWS_OF_TWO = 2, VECTORS = 2 };
typedef __m256d vector;
typedef uint64_t bits __attribute__((vector_size(sizeof(vector))));

static inline vector broadcast(double x)
{
    return _mm256_set1_pd(x);
}

static inline vector multiply_add(vector a, vector b, vector c)
{
    return _mm256_fmadd_pd(a, b, c);
}

static inline vector smaller(vector a, vector b)
{
    return _mm256_min_pd(a, b);
}

static inline vector larger(vector a, vector b)
{
    return _mm256_max_pd(a, b);
}

static inline bool any_smaller(vector a, vector b)
{
    return _mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_LT_OQ)) != 0;
}

static inline __m256i first_lanes(int64_t count)
{
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3));
}

static inline vector load_first(const double *from, int64_t count, vector rest)
{
    const __m256i mask = first_lanes(count);
    return _mm256_blendv_pd(rest, _mm256_maskload_pd(from, mask), _mm256_castsi256_pd(mask));
}

static inline void store_first(double *to, int64_t count, vector v)
{
    _mm256_maskstore_pd(to, first_lanes(count), v);
}

/* Permutations reach eight 32-bit words: four of them fetch the upper and the lower halves of the
 * first and of the last eight entries. */
static inline bits look_up(const uint64_t *table, bits n)
{
    const __m256i lower = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
    __m256i halves[4];
    for (int k = 0; k < 4; k++) {
        halves[k] = _mm256_permutevar8x32_epi32(
            _mm256_loadu_si256((const __m256i *)(table + 4 * k)), lower);
    }
    const __m256i low[2] = {_mm256_permute2x128_si256(halves[0], halves[1], 0x20),
                            _mm256_permute2x128_si256(halves[2], halves[3], 0x20)};
    const __m256i high[2] = {_mm256_permute2x128_si256(halves[0], halves[1], 0x31),
                             _mm256_permute2x128_si256(halves[2], halves[3], 0x31)};
    const __m256i index = _mm256_shuffle_epi32((__m256i)n, 0xa0);
    __m256d entry[2];
    for (int k = 0; k < 2; k++) {
        entry[k] = _mm256_castsi256_pd(
            _mm256_blend_epi32(_mm256_permutevar8x32_epi32(low[k], index),
                               _mm256_permutevar8x32_epi32(high[k], index), 0xaa));
    }
    const __m256i last = _mm256_slli_epi64((__m256i)n, 60); /* bit 3 becomes the sign */
    return (bits)_mm256_blendv_pd(entry[0], entry[1], _mm256_castsi256_pd(last));
}

#include "kernel_scores.h"

const kernel_operations kernel_avx2 = KERNEL_OPERATIONS;
#endif
