/* The kernel's loops without instructions that a processor may lack: two lanes, which SSE2 and NEON
 * have. */
#include <math.h>

#include "kernel_operations.h"

enum { LANES = 2, ROWS = 1, ROWS_OF_TWO = 1, VECTORS = 4 };
typedef double vector __attribute__((vector_size(LANES * sizeof(double))));
typedef uint64_t bits __attribute__((vector_size(sizeof(vector))));

static inline vector broadcast(double x)
{
    return (vector){x, x};
}

/* A call of fma where the processor has no such instruction would take longer than all the rest. */
static inline vector multiply_add(vector a, vector b, vector c)
{
#ifdef FP_FAST_FMA
    return (vector){fma(a[0], b[0], c[0]), fma(a[1], b[1], c[1])};
#else
    return a * b + c;
#endif
}

static inline vector choose(bits first, vector a, vector b)
{
    return (vector)((first & (bits)a) | (~first & (bits)b));
}

static inline vector smaller(vector a, vector b)
{
    return choose((bits)(a < b), a, b);
}

static inline vector larger(vector a, vector b)
{
    return choose((bits)(a > b), a, b);
}

static inline bool any_smaller(vector a, vector b)
{
    return a[0] < b[0] || a[1] < b[1];
}

static inline vector load_first(const double *from, int64_t count, vector rest)
{
    return (vector){from[0], count > 1 ? from[1] : rest[1]};
}

static inline void store_first(double *to, int64_t count, vector v)
{
    for (int64_t l = 0; l < count; l++) {
        to[l] = v[l];
    }
}

static inline bits look_up(const uint64_t *table, bits n)
{
    return (bits){table[n[0] % 16], table[n[1] % 16]};
}

#include "kernel_scores.h"

const kernel_operations kernel_portable = KERNEL_OPERATIONS;
