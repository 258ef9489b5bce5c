/* Cosines and sines without instructions that a processor may lack, and for phases of any size. */
#include <math.h>

#include "embedding_operations.h"

enum { LANES = 2 };
#define NAME embedding_portable
#include "embedding_loops.h"

static void add_sums_slowly(int64_t rows, int64_t columns, const double *phases, double *cosines,
                            double *sines)
{
    for (int64_t k = 0; k < rows * columns; k++) {
        cosines[k % columns] += cos(phases[k]);
        sines[k % columns] += sin(phases[k]);
    }
}

static void add_slopes_slowly(int64_t rows, int64_t columns, const double *phases, double *cosines,
                              double *sines)
{
    for (int64_t k = 0; k < rows * columns; k++) {
        cosines[k % columns] += phases[k] * sin(phases[k]);
        sines[k % columns] -= phases[k] * cos(phases[k]);
    }
}

static void add_products_slowly(int64_t rows, int64_t columns, const double *phases,
                                const double *cosine_weights, const double *sine_weights,
                                double *results)
{
    for (int64_t k = 0; k < rows * columns; k++) {
        results[k / columns] += cos(phases[k]) * cosine_weights[k % columns] +
                                sin(phases[k]) * sine_weights[k % columns];
    }
}

const embedding_operations embedding_slow = {add_sums_slowly, add_slopes_slowly,
                                             add_products_slowly};
