#include "bench_plain.h"

#include <math.h>

#include "cgm/timer.h"

void plain_columns(int64_t n_features, int64_t n_rows, const double *rows, int64_t n_columns,
                   const double *columns, double *restrict sums, double *restrict work)
{
    for (int64_t i = 0; i < n_rows; i++) {
        for (int64_t j = 0; j < n_columns; j++) {
            const double difference = rows[i] - columns[j];
            work[j] = difference * difference;
        }
        for (int64_t f = 1; f < n_features; f++) {
            const double x = rows[f * n_rows + i];
            const double *restrict y = columns + f * n_columns;
            for (int64_t j = 0; j < n_columns; j++) {
                const double difference = x - y[j];
                work[j] += difference * difference;
            }
        }
        for (int64_t j = 0; j < n_columns; j++) {
            sums[j] += exp(-0.5 * work[j]);
        }
    }
}

#ifdef __AVX512F__
enum { VECTOR_BYTES = 64 };
#elif defined __AVX__
enum { VECTOR_BYTES = 32 };
#else
enum { VECTOR_BYTES = 16 };
#endif
typedef double vector __attribute__((vector_size(VECTOR_BYTES)));

/* Twelve chains hide the latency of a unit of four cycles, twice over for two units. */
enum { CHAINS = 12, ROUNDS = 1 << 16 };

double plain_peak_fma(double seconds)
{
    vector chain[CHAINS];
    const vector factor = {0.5};
    const vector term = {0.25};
    for (int k = 0; k < CHAINS; k++) {
        chain[k] = term * (double)k;
    }
    double done = 0.0;
    const double started = cgm_timer_now();
    double elapsed = 0.0;
    while (elapsed < seconds) {
        for (int64_t round = 0; round < ROUNDS; round++) {
            for (int k = 0; k < CHAINS; k++) {
                chain[k] = chain[k] * factor + term;
            }
        }
        done += (double)CHAINS * ROUNDS * (VECTOR_BYTES / (int)sizeof(double));
        elapsed = cgm_timer_now() - started;
    }
    vector total = chain[0];
    for (int k = 1; k < CHAINS; k++) {
        total += chain[k];
    }
    /* Looked at, so that none of it can be left out. */
    volatile double seen = total[0];
    (void)seen;
    return done / elapsed;
}
