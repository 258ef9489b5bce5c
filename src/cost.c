#include "cgm/cost.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cgm/accumulator.h"
#include "cgm/output.h"
#include "cgm/pipeline.h"
#include "cgm/rng.h"

/* Passes over the points that the choice of the lengthscale takes (MATH.md §3: 4 to 7 were seen).
 */
enum { PASSES_LEAST = 5, PASSES_MOST = 9 };
/* Draws of a party at one β as a share of the pool: a guess at the least; the most is the pool. */
#define DRAWS_LEAST 0.01
/* A draw also updates scores and may try many proposals: so many times its kernel evaluations. */
#define DRAW_OVERHEAD 2.0
/* Seconds of measuring, and seconds at the least for what is not counted: start, input, output. */
#define MEASURE_SECONDS 0.2
#define FIXED_SECONDS 30.0
/* What a rank takes without any data (libraries, MPI), the least that is asked for beside it, and
 * the headroom above what is known, in MiB and as a factor. */
#define BASE_MIB 64.0
#define LEAST_MIB 128.0
#define HEADROOM 1.25

/* Bytes: the most that any rank needs of its own, and what the ranks of a node share. */
typedef struct memory {
    double points;
    double packed;
    double candidate_sums;
    double party_sums;
    double chain;
    double result;
    double coalitions; /* on rank 0 alone */
    double shared_pool;
} memory;

/* Lower and upper end. */
typedef struct range {
    double low;
    double high;
} range;

/* ---- work ---- */

/* Σ over blocks of their points squared: a block with itself is evaluated as the full square. */
static double block_squares(int64_t n_points)
{
    int64_t full = n_points / CGM_BLOCK_POINTS;
    double rest = (double)(n_points % CGM_BLOCK_POINTS);
    return (double)full * CGM_BLOCK_POINTS * CGM_BLOCK_POINTS + rest * rest;
}

cgm_cost_work cgm_cost_count(const cgm_shard *shard, const cgm_candidates *candidates)
{
    double points = (double)shard->n_points;
    double pool = (double)candidates->n_points;
    double squares = 0.0;
    for (int64_t i = 0; i < shard->n_parties; i++) {
        squares += block_squares(shard->party_points[i]);
    }
    double all = points + pool;
    /* The pool's slices are whole blocks, so that its blocks do not depend on the ranks. */
    double pool_squares = block_squares(candidates->n_points);
    return (cgm_cost_work){
        .kernel_sums = 0.5 * (all * all + squares + pool_squares),
        .lengthscale_pass = 0.5 * (points * points + squares) + points * pool,
        .sampling_start = points * pool,
        .draw = pool,
    };
}

static range count_passes(const cgm_config *config)
{
    return config->lengthscale_rule == CGM_LENGTHSCALE_NONNEGATIVE
               ? (range){PASSES_LEAST, PASSES_MOST}
               : (range){0.0, 0.0};
}

/* Draws of one party at one β. */
static range count_draws(const cgm_run *run)
{
    double pool = (double)run->candidates.n_points;
    return (range){ceil(DRAWS_LEAST * pool), pool};
}

static int64_t most_parties(const cgm_comm *comm, const cgm_shard *shard)
{
    int64_t most = 0;
    for (int r = 0; r < comm->size; r++) {
        int64_t parties = shard->first_party[r + 1] - shard->first_party[r];
        most = parties > most ? parties : most;
    }
    return most;
}

static int64_t most_points(const cgm_comm *comm, const cgm_shard *shard)
{
    int64_t most = 0;
    for (int r = 0; r < comm->size; r++) {
        int64_t points = 0;
        for (int64_t i = shard->first_party[r]; i < shard->first_party[r + 1]; i++) {
            points += shard->party_points[i];
        }
        most = points > most ? points : most;
    }
    return most;
}

/* ---- speed ---- */

/* Evaluations a second of the slowest rank while all of them work. Collective. */
static cgm_status measure_speed(cgm_comm *comm, const cgm_run *run, double *speed)
{
    const int64_t d = run->shard.n_features;
    const cgm_rng rng = {run->config->seed, cgm_rng_hash("speed"), CGM_RNG_SIMULATE};
    const int64_t block_doubles = d * CGM_BLOCK_POINTS;
    /* Two blocks of points, and the same packed. */
    double *points = cgm_alloc(comm, 4 * block_doubles, sizeof *points);
    cgm_status status = cgm_agree(comm, points != NULL ? CGM_OK : CGM_ERR_MEMORY);
    if (status != CGM_OK) {
        free(points);
        return status;
    }
    for (int64_t k = 0; k < 2 * block_doubles; k++) {
        uint64_t words[4];
        cgm_rng_words(&rng, (uint64_t)k, 0, 0, words);
        points[k] = cgm_rng_uniform(words[0]);
    }
    /* Points of the unit cube at about the distance of a lengthscale, where exp takes longest. */
    const cgm_kernel kernel = {.type = run->config->kernel_type,
                               .n_features = d,
                               .lengthscale = sqrt((double)d / 6.0),
                               .centre = points};
    cgm_block blocks[2];
    for (int b = 0; b < 2; b++) {
        blocks[b] = (cgm_block){.n_points = CGM_BLOCK_POINTS,
                                .stride = CGM_BLOCK_POINTS,
                                .coordinates = points + (2 + b) * block_doubles};
        cgm_kernel_pack(&kernel, points + b * block_doubles, &blocks[b]);
    }
    double row_sums[CGM_BLOCK_POINTS];
    double column_sums[CGM_BLOCK_POINTS];
    double tiles = 0.0;
    double seconds = 0.0;
    cgm_comm_barrier(comm);
    const double started = cgm_timer_now();
    while (seconds < MEASURE_SECONDS) {
        cgm_kernel_tile(&kernel, &blocks[0], &blocks[1], row_sums, column_sums);
        tiles += 1.0;
        seconds = cgm_timer_now() - started;
    }
    *speed = tiles * CGM_BLOCK_POINTS * CGM_BLOCK_POINTS / seconds;
    cgm_comm_min(comm, speed, 1);
    free(points);
    return CGM_OK;
}

/* Pairs are shared evenly; parties draw where they are at home, so that the rank with most of them
 * is waited for. */
static range estimate_seconds(const cgm_comm *comm, const cgm_run *run, const cgm_cost_work *work,
                              double speed)
{
    const range passes = count_passes(run->config);
    const range draws = count_draws(run);
    const double pool = (double)run->candidates.n_points;
    const double chains =
        (double)(most_parties(comm, &run->shard) * run->config->n_inv_temp) * work->draw;
    const double start = (double)most_points(comm, &run->shard) * pool;
    /* The diagnostics of the kernel go over the parties' pairs once more. */
    const double low = work->kernel_sums + (passes.low + 1.0) * work->lengthscale_pass;
    const double high = work->kernel_sums + (passes.high + 1.0) * work->lengthscale_pass;
    return (range){(low / comm->size + start + draws.low * chains) / speed,
                   (high / comm->size + start + DRAW_OVERHEAD * draws.high * chains) / speed +
                       FIXED_SECONDS};
}

/* ---- memory ---- */

static double largest_of(double a, double b)
{
    return a > b ? a : b;
}

/* Most points at home on a rank with its slice of the pool, and longest slice. */
static void largest_home(const cgm_comm *comm, const cgm_run *run, double *home, double *slice)
{
    const cgm_layout *layout = &run->layout;
    *home = 0.0;
    *slice = 0.0;
    for (int r = 0; r < comm->size; r++) {
        double candidates = (double)(layout->first_candidate[r + 1] - layout->first_candidate[r]);
        double points = candidates;
        for (int64_t i = layout->first_party[r]; i < layout->first_party[r + 1]; i++) {
            points += (double)layout->party_points[i];
        }
        *home = largest_of(*home, points);
        *slice = largest_of(*slice, candidates);
    }
}

static memory count_memory(const cgm_comm *comm, const cgm_run *run)
{
    const double row = (double)run->shard.n_features * sizeof(double);
    const double point_label = run->shard.has_labels ? sizeof(int64_t) : 0.0;
    const double pool_label = run->candidates.has_labels ? sizeof(int64_t) : 0.0;
    const double n = (double)run->shard.n_parties;
    const double pool = (double)run->candidates.n_points;
    const double scaled = run->config->scaling != CGM_SCALE_NONE ? row : 0.0;
    const double sets = (double)run->config->n_inv_temp;
    const double rewards = count_draws(run).high * (double)most_parties(comm, &run->shard);
    double home;
    double slice;
    largest_home(comm, run, &home, &slice);
    /* With other ranks there are two buffers for blocks that travel, and accumulators for the
     * candidates met and for what comes back. */
    const double copies = comm->size > 1 ? 3.0 : 1.0;
    return (memory){
        .points = (double)most_points(comm, &run->shard) * (row + point_label),
        .packed = copies * home * row,
        .candidate_sums = copies * slice * sizeof(cgm_accumulator) + slice * sizeof(double),
        .party_sums = n * n * sizeof(double) + 0.5 * n * (n + 1.0) * sizeof(cgm_accumulator),
        /* Start, affinity, mask, indices and values. */
        .chain = pool * 5.0 * sizeof(double),
        /* Indices and values at every β; points and labels while one β is written. */
        .result = rewards * (2.0 * sets * sizeof(double) + row + sizeof(int64_t)),
        .coalitions = run->shard.n_parties <= CGM_ENUMERATE_MAX
                          ? 4.0 * sizeof(double) * (double)((int64_t)1 << run->shard.n_parties)
                          : 0.0,
        /* As read, scaled, packed; u. */
        .shared_pool = pool * (2.0 * row + scaled + sizeof(double) + pool_label),
    };
}

static double rank_bytes(const memory *need)
{
    return need->points + need->packed + need->candidate_sums + need->party_sums + need->chain +
           need->result;
}

/* ---- printing ---- */

static void print_range(const char *what, range values)
{
    if (values.low == values.high) {
        printf("  %-44s %19.0f\n", what, values.low);
    } else {
        printf("  %-44s %19.0f .. %.0f\n", what, values.low, values.high);
    }
}

static void print_input(const cgm_comm *comm, const cgm_run *run)
{
    const cgm_shard *shard = &run->shard;
    puts("input");
    printf("  %-44s %19lld\n", "parties", (long long)shard->n_parties);
    printf("  %-44s %19lld\n", "points", (long long)shard->n_points);
    printf("  %-44s %19lld\n", "features", (long long)shard->n_features);
    printf("  %-44s %19lld\n", "candidates", (long long)run->candidates.n_points);
    printf("  %-44s %19s\n", "labels of points", shard->has_labels ? "yes" : "no");
    printf("  %-44s %19s\n", "labels of candidates", run->candidates.has_labels ? "yes" : "no");
    printf("  %-44s %19d\n", "ranks", comm->size);
}

static void print_work(const cgm_run *run, const cgm_cost_work *work)
{
    const range passes = count_passes(run->config);
    const range draws = count_draws(run);
    const double chains = (double)(run->shard.n_parties * run->config->n_inv_temp) * work->draw;
    puts("\nkernel evaluations, all ranks together");
    print_range("kernel sums", (range){work->kernel_sums, work->kernel_sums});
    print_range("one pass of the choice of the lengthscale",
                (range){work->lengthscale_pass, work->lengthscale_pass});
    print_range("passes", passes);
    print_range("choice of the lengthscale",
                (range){passes.low * work->lengthscale_pass, passes.high * work->lengthscale_pass});
    print_range("start of the sampling", (range){work->sampling_start, work->sampling_start});
    print_range("one draw of one party", (range){work->draw, work->draw});
    print_range("draws of a party at one inverse temperature", draws);
    print_range("sampling", (range){work->sampling_start + draws.low * chains,
                                    work->sampling_start + draws.high * chains});
    puts(
        "  (how many draws a reward takes is not known before: assumed are 1 % of the pool to all\n"
        "  of it, for every party and inverse temperature)");
}

static void print_mib(const char *what, double bytes)
{
    printf("  %-44s %16.2f MiB\n", what, bytes / 1048576.0);
}

static void print_memory(const cgm_comm *comm, const memory *need)
{
    const double rank = rank_bytes(need);
    puts("\nmemory of the rank that needs most, at most");
    print_mib("its parties' points", need->points);
    print_mib("packed points", need->packed);
    print_mib("sums of the candidates (u)", need->candidate_sums);
    print_mib("sums of the parties (S)", need->party_sums);
    print_mib("sampling: affinity, mask, indices, values", need->chain);
    print_mib("rewards, if all of the pool is drawn", need->result);
    print_mib("a rank, together", rank);
    print_mib("coalitions, on rank 0 beside it", need->coalitions);
    puts("memory of a node, shared by its ranks");
    print_mib("candidates", need->shared_pool);
    print_mib("a node like the first one, together",
              need->shared_pool + need->coalitions + comm->node_size * rank);
    printf("  (beside it about %.0f MiB a rank for the program and its libraries)\n", BASE_MIB);
}

/* A node's memory is asked for by rank: each takes its part of what they share. */
static void print_batch(const cgm_comm *comm, const memory *need, double seconds)
{
    const double bytes = rank_bytes(need) + need->coalitions + need->shared_pool / comm->node_size;
    const double mib = BASE_MIB + largest_of(LEAST_MIB, ceil(HEADROOM * bytes / 1048576.0));
    const double minutes = 5.0 * ceil(seconds / 300.0);
    const double hours = floor(minutes / 60.0);
    printf("\nfor a batch script, with %d ranks a node as here\n", comm->node_size);
    printf("#SBATCH --ntasks=%d\n", comm->size);
    printf("#SBATCH --mem-per-cpu=%.0fM\n", mib);
    printf("#SBATCH --time=%02.0f:%02.0f:00\n", hours, minutes - 60.0 * hours);
}

static void print_check(const cgm_comm *comm, const cgm_run *run, const char *options, double speed)
{
    const cgm_cost_work work = cgm_cost_count(&run->shard, &run->candidates);
    const memory need = count_memory(comm, run);
    const range seconds = estimate_seconds(comm, run, &work, speed);
    printf("options\n\n%s\n", options);
    print_input(comm, run);
    print_work(run, &work);
    print_memory(comm, &need);
    puts("\ntime");
    printf("  %-44s %19.4g\n", "evaluations a second and rank, measured here", speed);
    printf("  %-44s %19.3g .. %.3g\n", "seconds", seconds.low, seconds.high);
    puts("  (the upper end includes a draw costing twice its evaluations, and 30 s for all else)");
    print_batch(comm, &need, seconds.high);
}

static cgm_status check_run(cgm_comm *comm, cgm_run *run)
{
    double speed = 0.0;
    cgm_status status = cgm_pipeline_read(comm, run);
    if (status == CGM_OK) {
        status = measure_speed(comm, run, &speed);
    }
    if (status != CGM_OK) {
        return status;
    }
    char *options = cgm_config_text(comm, run->config, false);
    if (options != NULL && comm->rank == 0) {
        print_check(comm, run, options, speed);
    }
    status = cgm_agree(comm, options != NULL ? CGM_OK : CGM_ERR_MEMORY);
    free(options);
    return status;
}

cgm_status cgm_cost_check(cgm_comm *comm, const cgm_config *config)
{
    cgm_run run = {.config = config};
    cgm_status status = cgm_output_check(comm, config);
    if (status == CGM_OK) {
        status = check_run(comm, &run);
    }
    cgm_pipeline_release(&run);
    return status;
}
