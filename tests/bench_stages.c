/* Evaluations a second of one core in the passes other than kernel sums, and candidates a second in
 * a sweep of draws, at 8 features: what a simulated cluster takes for its cores' work
 * (tests/simgrid.sh). Started by tests/bench.sh:
 *
 *     bench_stages SECONDS    each line is a name, a unit and REPEATS values */
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/kernel.h"
#include "cgm/rng.h"
#include "cgm/sampling_team.h"
#include "cgm/timer.h"

/* Blocks of all points, about the paper's 10^6 candidates; of those whose pairs are evaluated; and
 * of a part of the pool that stays in a core's cache. */
enum { FEATURES = 8, BLOCKS = 1954, PAIR_BLOCKS = 24, CACHED_BLOCKS = 12, REPEATS = 5 };

typedef struct bench {
    cgm_kernel kernel;
    double *points;   /* [BLOCKS·CGM_BLOCK_POINTS][FEATURES] */
    double *packed;   /* the same */
    double *sums;     /* [BLOCKS·CGM_BLOCK_POINTS] u */
    double *affinity; /* [CGM_TEAM_CHAINS][BLOCKS·CGM_BLOCK_POINTS] */
    cgm_segment segments[BLOCKS];
    cgm_block blocks[BLOCKS];
    double sum; /* of what was computed, so that it has to be */
} bench;

static double *allocate(int64_t count)
{
    double *memory = aligned_alloc(64, (size_t)(count + 7) / 8 * 64);
    if (memory == NULL) {
        fprintf(stderr, "bench_stages: no memory\n");
        exit(EXIT_FAILURE);
    }
    return memory;
}

static void pack(bench *at)
{
    for (int64_t b = 0; b < BLOCKS; b++) {
        cgm_kernel_pack(&at->kernel, at->points + b * CGM_BLOCK_POINTS * FEATURES, &at->segments[b],
                        &at->blocks[b]);
    }
}

static void bench_create(bench *at)
{
    const int64_t count = (int64_t)BLOCKS * CGM_BLOCK_POINTS;
    const cgm_rng rng = {1, cgm_rng_hash("bench"), CGM_RNG_SIMULATE};
    at->points = allocate(count * FEATURES);
    at->packed = allocate(count * FEATURES);
    at->sums = allocate(count);
    at->affinity = allocate(count * CGM_TEAM_CHAINS);
    at->sum = 0.0;
    at->kernel = (cgm_kernel){.type = CGM_KERNEL_SE,
                              .instruction_set = cgm_instruction_set_best(),
                              .n_features = FEATURES,
                              .lengthscale = sqrt(FEATURES / 6.0),
                              .centre = at->points};
    for (int64_t k = 0; k < count * FEATURES; k++) {
        uint64_t words[4];
        cgm_rng_words(&rng, (uint64_t)k, 0, 0, words);
        at->points[k] = cgm_rng_uniform(words[0]);
        at->sums[k % count] = 1.0 + at->points[k];
        at->affinity[k] = at->points[k];
    }
    for (int64_t b = 0; b < BLOCKS; b++) {
        at->segments[b] = (cgm_segment){b, 0, CGM_BLOCK_POINTS, 0};
        at->blocks[b] = (cgm_block){.n_points = CGM_BLOCK_POINTS,
                                    .stride = CGM_BLOCK_POINTS,
                                    .coordinates = at->packed + b * FEATURES * CGM_BLOCK_POINTS,
                                    .n_segments = 1,
                                    .segments = &at->segments[b]};
    }
    pack(at);
}

static void bench_destroy(bench *at)
{
    free(at->points);
    free(at->packed);
    free(at->sums);
    free(at->affinity);
}

/* ---- what is measured: each returns what it has done ---- */

static double pass(bench *at, void (*visit)(bench *at, const cgm_tile *tile))
{
    for (int64_t a = 0; a < PAIR_BLOCKS; a++) {
        for (int64_t b = 0; b < PAIR_BLOCKS; b++) {
            const cgm_tile tile = {&at->blocks[a], &at->segments[a], &at->blocks[b], 0};
            visit(at, &tile);
        }
    }
    return (double)PAIR_BLOCKS * PAIR_BLOCKS * CGM_BLOCK_POINTS * CGM_BLOCK_POINTS;
}

static void visit_slopes(bench *at, const cgm_tile *tile)
{
    _Alignas(CGM_ALIGNMENT) double columns[CGM_BLOCK_POINTS];
    _Alignas(CGM_ALIGNMENT) double slopes[CGM_BLOCK_POINTS];
    cgm_kernel_slopes(&at->kernel, tile, columns, slopes);
    at->sum += columns[0] + slopes[0];
}

static void visit_ladder(bench *at, const cgm_tile *tile)
{
    _Alignas(CGM_ALIGNMENT) double columns[CGM_LADDER_RUNGS * CGM_BLOCK_POINTS];
    cgm_kernel_ladder(&at->kernel, tile, CGM_LADDER_RUNGS, columns);
    at->sum += columns[0];
}

static void visit_distances(bench *at, const cgm_tile *tile)
{
    double least[CGM_BLOCK_POINTS];
    double most[CGM_BLOCK_POINTS];
    cgm_kernel_distances(&at->kernel, tile, least, most);
    at->sum += most[0];
}

static double pass_slopes(bench *at)
{
    return pass(at, visit_slopes);
}

static double pass_ladder(bench *at)
{
    return pass(at, visit_ladder);
}

static double pass_distances(bench *at)
{
    return pass(at, visit_distances);
}

static double pass_pack(bench *at)
{
    pack(at);
    return (double)BLOCKS * CGM_BLOCK_POINTS;
}

static double pass_look(bench *at)
{
    for (int64_t b = 0; b < BLOCKS; b++) {
        cgm_kernel_look(&at->kernel, &at->blocks[b]);
        at->sum += at->blocks[b].all_near;
    }
    return (double)BLOCKS * CGM_BLOCK_POINTS;
}

/* A sweep for some chains over the first so many blocks; candidates. */
static double sweep(bench *at, int64_t n_blocks, int64_t n_chains)
{
    cgm_score scores[CGM_TEAM_CHAINS];
    const int64_t count = (int64_t)BLOCKS * CGM_BLOCK_POINTS;
    for (int64_t k = 0; k < n_chains; k++) {
        scores[k] = (cgm_score){
            at->packed + k * FEATURES, 1.0, at->affinity + k * count, {INFINITY, -INFINITY}};
    }
    for (int64_t b = 0; b < n_blocks; b++) {
        cgm_kernel_score(&at->kernel, &at->blocks[b], at->sums + b * CGM_BLOCK_POINTS, n_chains,
                         scores);
        for (int64_t k = 0; k < n_chains; k++) {
            scores[k].affinity += CGM_BLOCK_POINTS;
        }
    }
    at->sum += scores[0].extremes.high;
    return (double)(n_blocks * CGM_BLOCK_POINTS);
}

static double sweep_cached_1(bench *at)
{
    return sweep(at, CACHED_BLOCKS, 1);
}

static double sweep_cached_8(bench *at)
{
    return sweep(at, CACHED_BLOCKS, CGM_TEAM_CHAINS);
}

static double sweep_streamed_1(bench *at)
{
    return sweep(at, BLOCKS, 1);
}

static double sweep_streamed_8(bench *at)
{
    return sweep(at, BLOCKS, CGM_TEAM_CHAINS);
}

static const struct {
    const char *name;
    const char *unit;
    double (*run)(bench *at);
} measured[] = {
    {"slopes_d8", "evaluations/s", pass_slopes},
    {"ladder_d8", "evaluations/s", pass_ladder},
    {"distances_d8", "evaluations/s", pass_distances},
    {"pack_d8", "points/s", pass_pack},
    {"look_d8", "points/s", pass_look},
    {"score_cached_1_d8", "candidates/s", sweep_cached_1},
    {"score_cached_8_d8", "candidates/s", sweep_cached_8},
    {"score_streamed_1_d8", "candidates/s", sweep_streamed_1},
    {"score_streamed_8_d8", "candidates/s", sweep_streamed_8},
};
enum { MEASURED = sizeof measured / sizeof measured[0] };

/* Done a second over so many seconds, in whole passes. */
static double measure(bench *at, int what, double seconds)
{
    double done = 0.0;
    double elapsed = 0.0;
    const double started = cgm_timer_now();
    while (elapsed < seconds) {
        done += measured[what].run(at);
        elapsed = cgm_timer_now() - started;
    }
    return done / elapsed;
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    const double seconds = argc > 1 ? strtod(argv[1], NULL) : 0.2;
    static bench at;
    static double values[MEASURED][REPEATS];
    bench_create(&at);
    /* In turns, so that what else the machine does falls on all of them alike. */
    for (int r = 0; r < REPEATS; r++) {
        for (int what = 0; what < MEASURED; what++) {
            values[what][r] = measure(&at, what, seconds);
        }
    }
    for (int what = 0; what < MEASURED; what++) {
        printf("%s\t%s", measured[what].name, measured[what].unit);
        for (int r = 0; r < REPEATS; r++) {
            printf("\t%.6g", values[what][r]);
        }
        putchar('\n');
    }
    const bool finite = isfinite(at.sum);
    bench_destroy(&at);
    MPI_Finalize();
    return finite ? EXIT_SUCCESS : EXIT_FAILURE;
}
