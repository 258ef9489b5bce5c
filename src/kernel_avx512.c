/* The kernel's loops for AVX-512 (F alone). The compiler gets its flag for this file only. */
#include "kernel_operations.h"

#ifdef __AVX512F__
#include <immintrin.h>

enum { LANES = 8, ROWS = 4, ROWS_OF_TWO = 4, VECTORS = 4 };
typedef __m512d vector;
typedef uint64_t bits __attribute__((vector_size(sizeof(vector))));

static inline vector broadcast(double x)
{
    return _mm512_set1_pd(x);
}

static inline vector multiply_add(vector a, vector b, vector c)
{
    return _mm512_fmadd_pd(a, b, c);
}

static inline vector smaller(vector a, vector b)
{
    return _mm512_min_pd(a, b);
}

static inline vector larger(vector a, vector b)
{
    return _mm512_max_pd(a, b);
}

static inline bool any_smaller(vector a, vector b)
{
    return _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ) != 0;
}

static inline __mmask8 first_lanes(int64_t count)
{
    return (__mmask8)((1U << count) - 1U);
}

static inline vector load_first(const double *from, int64_t count, vector rest)
{
    return _mm512_mask_loadu_pd(rest, first_lanes(count), from);
}

static inline void store_first(double *to, int64_t count, vector v)
{
    _mm512_mask_storeu_pd(to, first_lanes(count), v);
}

/* One permutation of two registers. */
static inline bits look_up(const uint64_t *table, bits n)
{
    const __m512i low = _mm512_loadu_si512(table);
    const __m512i high = _mm512_loadu_si512(table + 8);
    return (bits)_mm512_permutex2var_epi64(low, (__m512i)n, high);
}

#include "kernel_scores.h"

const kernel_operations kernel_avx512 = KERNEL_OPERATIONS;
#endif
