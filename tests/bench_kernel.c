/* Kernel evaluations a second of one core, sustained over all pairs of a set of points, packing
 * included, beside the peak of its multiply-adds and a plain loop, and what part that is of the
 * limit, peak / (d + 6). Started by tests/bench.sh, which explains what it prints:
 *
 *     bench_kernel SECONDS    each line is a name, a unit and REPEATS values
 *     bench_kernel name       of the instruction set alone */
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_plain.h"
#include "cgm/kernel.h"
#include "cgm/rng.h"
#include "cgm/timer.h"

/* Blocks of a set, 25,088 points. AVX2 is measured beside the best set up to so many features. */
enum { BLOCKS = 49, AVX2_FEATURES = 8, REPEATS = 5 };

/* Points of one dimension, as they are read and as they are packed. */
typedef struct bench {
    int64_t n_features;
    int64_t n_blocks;
    cgm_kernel kernel;
    double *points;     /* [n_blocks·CGM_BLOCK_POINTS][n_features] */
    double *by_feature; /* [n_blocks][n_features][CGM_BLOCK_POINTS], for the plain loop */
    double *packed;
    cgm_segment segments[BLOCKS];
    cgm_block blocks[BLOCKS];
    double sum; /* of what was computed, so that it has to be */
} bench;

static double *allocate(int64_t count)
{
    double *memory = aligned_alloc(64, (size_t)(count + 7) / 8 * 64);
    if (memory == NULL) {
        fprintf(stderr, "bench_kernel: no memory\n");
        exit(EXIT_FAILURE);
    }
    return memory;
}

static void bench_create(int64_t d, bench *at)
{
    *at = (bench){.n_features = d, .n_blocks = BLOCKS};
    const int64_t count = at->n_blocks * CGM_BLOCK_POINTS * d;
    at->points = allocate(count);
    at->by_feature = allocate(count);
    at->packed = allocate(count);
    const cgm_rng rng = {1, cgm_rng_hash("bench"), CGM_RNG_SIMULATE};
    /* Uniform points of the unit cube at about a lengthscale from each other. */
    at->kernel = (cgm_kernel){.type = CGM_KERNEL_SE,
                              .instruction_set = cgm_instruction_set_best(),
                              .n_features = d,
                              .lengthscale = sqrt((double)d / 6.0),
                              .centre = at->points};
    for (int64_t k = 0; k < count; k++) {
        uint64_t words[4];
        cgm_rng_words(&rng, (uint64_t)k, 0, 0, words);
        at->points[k] = cgm_rng_uniform(words[0]);
        const int64_t block = k / d / CGM_BLOCK_POINTS;
        const int64_t place = k / d % CGM_BLOCK_POINTS;
        at->by_feature[(block * d + k % d) * CGM_BLOCK_POINTS + place] =
            at->points[k] / at->kernel.lengthscale;
    }
    for (int64_t b = 0; b < at->n_blocks; b++) {
        at->segments[b] = (cgm_segment){b, 0, CGM_BLOCK_POINTS, 0};
        at->blocks[b] = (cgm_block){.n_points = CGM_BLOCK_POINTS,
                                    .stride = CGM_BLOCK_POINTS,
                                    .coordinates = at->packed + b * d * CGM_BLOCK_POINTS,
                                    .n_segments = 1,
                                    .segments = &at->segments[b]};
    }
}

static void bench_destroy(bench *at)
{
    free(at->points);
    free(at->by_feature);
    free(at->packed);
}

/* All pairs of blocks once, by what the program does for parties and, with both sums, for the pool;
 * returns evaluations. */
static double pass(bench *at, bool both)
{
    _Alignas(CGM_ALIGNMENT) double columns[CGM_BLOCK_POINTS];
    _Alignas(CGM_ALIGNMENT) double rows[CGM_BLOCK_POINTS];
    double done = 0.0;
    for (int64_t b = 0; b < at->n_blocks; b++) {
        cgm_kernel_pack(&at->kernel, at->points + b * CGM_BLOCK_POINTS * at->n_features,
                        &at->segments[b], &at->blocks[b]);
    }
    for (int64_t a = 0; a < at->n_blocks; a++) {
        for (int64_t b = a; b < at->n_blocks; b++) {
            const cgm_tile tile = {&at->blocks[a], &at->segments[a], &at->blocks[b], 0};
            if (both && a != b) {
                cgm_kernel_rows_and_columns(&at->kernel, tile.rows, tile.columns, rows, columns);
            } else {
                cgm_kernel_columns(&at->kernel, &tile, columns);
            }
            at->sum += columns[0];
            done += (double)CGM_BLOCK_POINTS * CGM_BLOCK_POINTS;
        }
    }
    return done;
}

static double plain_pass(bench *at)
{
    double columns[CGM_BLOCK_POINTS] = {0.0};
    double work[CGM_BLOCK_POINTS];
    const int64_t stride = at->n_features * CGM_BLOCK_POINTS;
    for (int64_t b = 1; b < at->n_blocks; b++) {
        plain_columns(at->n_features, CGM_BLOCK_POINTS, at->by_feature, CGM_BLOCK_POINTS,
                      at->by_feature + b * stride, columns, work);
    }
    at->sum += columns[0];
    return (double)(at->n_blocks - 1) * CGM_BLOCK_POINTS * CGM_BLOCK_POINTS;
}

/* What is measured in turns. */
enum { COLUMNS, BOTH_SUMS, PLAIN, PEAK, COLUMNS_AVX2, MEASURED };

/* Evaluations a second over so many seconds, in whole passes; multiply-adds for PEAK. */
static double measure(bench *at, int what, double seconds)
{
    if (what == PEAK) {
        return plain_peak_fma(seconds);
    }
    const cgm_instruction_set best = at->kernel.instruction_set;
    double done = 0.0;
    double elapsed = 0.0;
    at->kernel.instruction_set = what == COLUMNS_AVX2 ? CGM_AVX2 : best;
    const double started = cgm_timer_now();
    while (elapsed < seconds) {
        done += what == PLAIN ? plain_pass(at) : pass(at, what == BOTH_SUMS);
        elapsed = cgm_timer_now() - started;
    }
    at->kernel.instruction_set = best;
    return done / elapsed;
}

static void print(const char *what, int64_t d, const char *unit, const double *values)
{
    printf("%s_d%lld\t%s", what, (long long)d, unit);
    for (int k = 0; k < REPEATS; k++) {
        printf("\t%.6g", values[k]);
    }
    putchar('\n');
}

/* In turns, so that what else the machine does falls on all of them alike. */
static void measure_dimension(int64_t d, double seconds)
{
    static const char *const names[] = {"columns", "rows_and_columns", "plain", "peak_fma",
                                        "columns_avx2"};
    const bool with_avx2 = d <= AVX2_FEATURES && cgm_instruction_set_best() >= CGM_AVX2;
    const int measured = with_avx2 ? MEASURED : COLUMNS_AVX2;
    double values[MEASURED][REPEATS];
    double share[REPEATS];
    bench at;
    bench_create(d, &at);
    for (int r = 0; r < REPEATS; r++) {
        for (int what = 0; what < measured; what++) {
            values[what][r] = measure(&at, what, seconds);
        }
        share[r] = values[COLUMNS][r] * (double)(d + 6) / values[PEAK][r];
    }
    for (int what = 0; what < measured; what++) {
        print(names[what], d, what == PEAK ? "fma/s" : "evaluations/s", values[what]);
    }
    print("of_limit", d, "share", share);
    if (!isfinite(at.sum)) {
        fprintf(stderr, "bench_kernel: a sum is not finite\n");
        exit(EXIT_FAILURE);
    }
    bench_destroy(&at);
}

int main(int argc, char **argv)
{
    static const int64_t dimensions[] = {2, 4, 8, 32, 128, 784};
    if (argc > 1 && strcmp(argv[1], "name") == 0) {
        puts(cgm_instruction_set_name(cgm_instruction_set_best()));
        return EXIT_SUCCESS;
    }
    MPI_Init(&argc, &argv);
    const double seconds = argc > 1 ? strtod(argv[1], NULL) : 0.2;
    for (size_t k = 0; k < sizeof dimensions / sizeof dimensions[0]; k++) {
        measure_dimension(dimensions[k], seconds);
    }
    MPI_Finalize();
    return EXIT_SUCCESS;
}
