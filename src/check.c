#include "cgm/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cgm/cost.h"
#include "cgm/labels.h"
#include "cgm/output.h"
#include "cgm/pipeline.h"
#include "cgm/points.h"
#include "cgm/projection.h"
#include "cgm/rng.h"

/* Passes over the points that the choice of the lengthscale takes (MATH.md §3: 4 to 7 were seen),
 * and those of them that go down the ladder. */
enum { PASSES_LEAST = 4, PASSES_MOST = 9, LADDERS_LEAST = 1, LADDERS_MOST = 3 };
/* Iterations that a mixture takes; at the most generator.max_iterations. */
enum { ITERATIONS_LEAST = 5 };
/* Draws of a party at one β as a share of the pool: a guess at the least; the most is the pool. */
#define DRAWS_LEAST 0.01
/* A draw also updates scores and may try many proposals: so many times its kernel evaluations. */
#define DRAW_OVERHEAD 2.0
/* Seconds of measuring, and seconds at the least for what is not counted: start, input, output. */
#define MEASURE_SECONDS 0.2
#define FIXED_SECONDS 30.0
/* Multiply-adds of matrix products that a rank does in a second: fast and slow. */
#define FAST_PRODUCTS 2e10
#define SLOW_PRODUCTS 2e9
/* Bytes a second between ranks that the upper end counts with: those of a slow network. */
#define SLOW_NETWORK 1e8
/* What a rank takes without any data (libraries, MPI), the least that is asked for beside it, and
 * the headroom above what is known, in MiB and as a factor. */
#define BASE_MIB 64.0
#define LEAST_MIB 128.0
#define HEADROOM 1.25
/* A pool of more bytes than these is not read, only described; rows are read so many bytes at a
 * time. */
#define POOL_BYTES_MOST ((int64_t)1 << 32)
#define PIECE_BYTES ((int64_t)1 << 25)

/* What was found before the run, and the model of it with the fewest and with the most passes and
 * draws. */
typedef struct forecast {
    const cgm_config *config;
    cgm_shard shard;
    cgm_candidates_shape pool;
    int64_t *first_candidate; /* [size + 1] */
    bool sliced;              /* a rank holds its own slice of the pool alone */
    bool pool_read;           /* and all its values are sound */
    int64_t *draws;           /* [n_inv_temp][n_parties] */
    double *candidates;       /* [n_parties] different ones of its rewards */
    int64_t n_test;           /* points of no party */
    int64_t n_classes;        /* that a generative model tells apart */
    cgm_cost_class *classes;  /* [n_classes] of mixtures */
    cgm_cost least, most;
    double speed; /* evaluations a second of a rank */
} forecast;

/* Lower and upper end. */
typedef struct range {
    double low;
    double high;
} range;

/* ---- input ---- */

/* This rank's part of the pool, piece by piece, for its errors alone. */
static cgm_status validate_pool(cgm_comm *comm, const forecast *of)
{
    const int64_t d = of->pool.n_features;
    const cgm_points_shape shape = {of->pool.n_points, d, of->pool.has_labels};
    const int64_t row_bytes = d * (int64_t)sizeof(double);
    const int64_t most = row_bytes < PIECE_BYTES ? PIECE_BYTES / row_bytes : 1;
    const int64_t end = of->first_candidate[comm->rank + 1];
    int64_t first = of->first_candidate[comm->rank];
    if (first == end) {
        return CGM_OK;
    }
    const int64_t room = end - first < most ? end - first : most;
    double *points = cgm_alloc(comm, room * d, sizeof *points);
    int64_t *labels = cgm_alloc(comm, room, sizeof *labels);
    cgm_h5_file file = {0};
    cgm_status status = CGM_ERR_MEMORY;
    if (points != NULL && labels != NULL) {
        status = cgm_h5_open(comm, cgm_pipeline_pool_path(of->config), &file);
    }
    for (; first < end && status == CGM_OK; first += room) {
        const int64_t rows = end - first < room ? end - first : room;
        status = cgm_points_read(&file, "/candidates", &shape, first, rows, points, labels);
    }
    cgm_h5_close(&file);
    free(points);
    free(labels);
    return status;
}

static bool is_generated(const forecast *of)
{
    return of->config->generator_type != CGM_GENERATOR_FILE;
}

/* Classes of about equally many points. */
static cgm_status list_classes(cgm_comm *comm, forecast *of)
{
    int64_t *labels;
    cgm_status status = cgm_labels_find(comm, &of->shard, &labels, &of->n_classes);
    if (status != CGM_OK) {
        return status;
    }
    free(labels);
    of->classes = cgm_alloc(comm, of->n_classes, sizeof *of->classes);
    status = cgm_agree(comm, of->classes != NULL ? CGM_OK : CGM_ERR_MEMORY);
    for (int64_t c = 0; c < of->n_classes && status == CGM_OK; c++) {
        of->classes[c].n_points = (of->shard.n_points + of->n_classes - 1) / of->n_classes;
    }
    return status;
}

/* Of points as generator and kernel see them. */
static int64_t features_seen(const forecast *of)
{
    const int64_t k = cgm_config_components(of->config);
    return k > 0 ? k : of->shard.n_features;
}

/* The pool in its file, or what it will be. */
static cgm_status describe_pool(cgm_comm *comm, forecast *of)
{
    if (!is_generated(of)) {
        const char *path = cgm_pipeline_pool_path(of->config);
        cgm_status status = cgm_candidates_describe(comm, path, of->shard.n_features, &of->pool);
        return status == CGM_OK ? cgm_projection_check_shape(
                                      comm, path, cgm_config_components(of->config), &of->pool)
                                : status;
    }
    of->pool = (cgm_candidates_shape){.n_points = of->config->generator_size,
                                      .has_labels = of->shard.has_labels,
                                      .is_projected = cgm_config_components(of->config) > 0,
                                      .n_features = features_seen(of)};
    return list_classes(comm, of);
}

static cgm_status count_tests(cgm_comm *comm, const char *path, int64_t n_features, void *state,
                              int64_t *found)
{
    cgm_status status = cgm_testset_count(comm, path, n_features, found);
    *(int64_t *)state = *found;
    return status;
}

static cgm_status read_input(cgm_comm *comm, forecast *of)
{
    cgm_status status = cgm_pipeline_read_parties(comm, of->config, &of->shard);
    if (status == CGM_OK) {
        status = describe_pool(comm, of);
    }
    if (status == CGM_OK) {
        status = cgm_pipeline_look_for_tests(comm, of->config, of->shard.n_features, count_tests,
                                             &of->n_test);
    }
    if (status == CGM_OK && of->config->features_type == CGM_FEATURES_PCA) {
        status = cgm_agree(comm, cgm_projection_check(comm, of->config->n_components,
                                                      of->shard.n_features, of->shard.n_points));
    }
    if (status != CGM_OK) {
        return status;
    }
    of->sliced = cgm_candidates_are_sliced(comm, cgm_pipeline_placement(of->config), &of->pool,
                                           of->pool.n_features);
    of->first_candidate = cgm_alloc(comm, comm->size + 1, sizeof *of->first_candidate);
    of->draws = cgm_alloc(comm, of->config->n_inv_temp * of->shard.n_parties, sizeof *of->draws);
    of->candidates = cgm_alloc(comm, of->shard.n_parties, sizeof *of->candidates);
    const bool complete =
        of->first_candidate != NULL && of->draws != NULL && of->candidates != NULL;
    status = cgm_agree(comm, complete ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        cgm_candidates_slice(comm->size, &of->shard, of->pool.n_points, of->first_candidate);
        const double bytes =
            (double)of->pool.n_points * (double)of->pool.n_features * sizeof(double);
        of->pool_read = is_generated(of) || bytes <= (double)POOL_BYTES_MOST;
        const bool reads = of->pool_read && !is_generated(of);
        status = cgm_agree(comm, reads ? validate_pool(comm, of) : CGM_OK);
    }
    return status;
}

/* ---- the model at both ends ---- */

/* Every start takes so many iterations. */
static void assume_iterations(forecast *of, int64_t iterations)
{
    const int64_t d = features_seen(of);
    for (int64_t c = 0; c < of->n_classes; c++) {
        cgm_cost_class *class = &of->classes[c];
        int64_t sizes[CGM_GMM_SIZES_MAX];
        const int n_sizes = cgm_gmm_sizes(of->config->gmm.components, class->n_points, d, sizes);
        class->passes = 0.0;
        class->component_passes = 0.0;
        class->starts = 0.0;
        class->start_components = 0.0;
        class->n_components = (double)sizes[n_sizes - 1];
        for (int s = 0; s < n_sizes; s++) {
            const int64_t starts = cgm_gmm_starts(sizes[s]);
            const int64_t passes = sizes[s] == 1 ? 1 : starts * (iterations + 1);
            if (sizes[s] > 1) {
                class->starts += (double)starts;
                class->start_components += (double)(starts * sizes[s]);
            }
            class->passes += (double)passes;
            class->component_passes += (double)(passes * sizes[s]);
        }
    }
}

static cgm_status count(cgm_comm *comm, forecast *of, int64_t passes, int64_t ladders, double draws,
                        cgm_cost *cost)
{
    struct stat state;
    const char *path = of->config->input_parties;
    for (int64_t k = 0; k < of->config->n_inv_temp * of->shard.n_parties; k++) {
        of->draws[k] = (int64_t)ceil(draws * (double)of->pool.n_points);
    }
    cgm_cost_rewards rewards = {.points = of->draws};
    cgm_cost_expect_rewards(&of->shard, of->config->n_inv_temp, of->pool.n_points, &rewards,
                            of->candidates);
    const bool embedded = of->config->exchange == CGM_VALUES_EMBEDDINGS;
    const int64_t rungs = embedded ? CGM_EMBEDDING_RUNGS : CGM_LADDER_RUNGS;
    const cgm_cost_run run = {
        .size = comm->size,
        .config = of->config,
        .shard = &of->shard,
        .files = stat(path, &state) != 0 || S_ISDIR(state.st_mode),
        .n_candidates = of->pool.n_points,
        .first_candidate = of->first_candidate,
        .sliced = of->sliced,
        .is_pool_projected = of->pool.is_projected,
        .has_candidate_labels = of->pool.has_labels,
        .search = {passes, rungs * ladders + 2 * (passes - ladders), passes - ladders},
        .n_classes = of->n_classes,
        .classes = of->classes,
        .draws = of->draws,
        .rewards = rewards,
        .n_test = of->n_test,
    };
    return cgm_cost_count(comm, &run, cost);
}

static cgm_status count_both(cgm_comm *comm, forecast *of)
{
    const bool search = of->config->lengthscale_rule == CGM_LENGTHSCALE_NONNEGATIVE;
    /* A pass with embeddings goes down fewer rungs. */
    const bool embedded = of->config->exchange == CGM_VALUES_EMBEDDINGS;
    const int64_t ladders[2] = {LADDERS_LEAST * (embedded ? 2 : 1),
                                LADDERS_MOST * (embedded ? 2 : 1)};
    const int64_t passes = PASSES_MOST + (embedded ? LADDERS_MOST : 0);
    assume_iterations(of, ITERATIONS_LEAST);
    cgm_status status =
        count(comm, of, search ? PASSES_LEAST : 0, ladders[0], DRAWS_LEAST, &of->least);
    if (status == CGM_OK) {
        assume_iterations(of, of->config->gmm.max_iterations);
        status = count(comm, of, search ? passes : 0, ladders[1], 1.0, &of->most);
    }
    return cgm_agree(comm, status);
}

/* ---- speed ---- */

/* Evaluations a second of the slowest rank while all of them work. Collective. */
static cgm_status measure_speed(cgm_comm *comm, forecast *of)
{
    const int64_t d = features_seen(of);
    const cgm_rng rng = {of->config->seed, cgm_rng_hash("speed"), CGM_RNG_SIMULATE};
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
    const cgm_kernel kernel = {.type = of->config->kernel_type,
                               .instruction_set = cgm_instruction_set_best(),
                               .n_features = d,
                               .lengthscale = sqrt((double)d / 6.0),
                               .centre = points};
    cgm_block blocks[2];
    const cgm_segment segment = {.n_points = CGM_BLOCK_POINTS};
    for (int b = 0; b < 2; b++) {
        blocks[b] = (cgm_block){.n_points = CGM_BLOCK_POINTS,
                                .stride = CGM_BLOCK_POINTS,
                                .n_segments = 1,
                                .segments = &segment,
                                .coordinates = points + (2 + b) * block_doubles};
        cgm_kernel_pack(&kernel, points + b * block_doubles, &segment, &blocks[b]);
    }
    double row_sums[CGM_BLOCK_POINTS];
    double column_sums[CGM_BLOCK_POINTS];
    double tiles = 0.0;
    double seconds = 0.0;
    cgm_comm_barrier(comm);
    const double started = cgm_timer_now();
    while (seconds < MEASURE_SECONDS) {
        cgm_kernel_rows_and_columns(&kernel, &blocks[0], &blocks[1], row_sums, column_sums);
        tiles += 1.0;
        seconds = cgm_timer_now() - started;
    }
    of->speed = tiles * CGM_BLOCK_POINTS * CGM_BLOCK_POINTS / seconds;
    cgm_comm_min(comm, &of->speed, 1);
    free(points);
    return CGM_OK;
}

/* All ranks together, or the one with most. */
typedef struct extent {
    double all;
    double busiest;
} extent;

static extent evaluations_of(const cgm_cost *cost, cgm_cost_stage stage)
{
    extent found = {0};
    for (int r = 0; r < cost->size; r++) {
        const double mine = cgm_cost_of(cost, stage, r)->kernel_evaluations;
        found.all += mine;
        found.busiest = fmax(found.busiest, mine);
    }
    return found;
}

static extent bytes_of(const cgm_cost *cost, cgm_cost_stage stage)
{
    extent found = {0};
    for (int r = 0; r < cost->size; r++) {
        const cgm_cost_work *work = cgm_cost_of(cost, stage, r);
        found.all += work->bytes_sent;
        found.busiest = fmax(found.busiest, fmax(work->bytes_sent, work->bytes_received));
    }
    return found;
}

/* Seconds of a rank in a stage, without waiting for messages. */
static double rank_seconds(const cgm_cost_work *work, double speed, double products)
{
    return (work->kernel_evaluations + work->distances) / speed + work->multiply_adds / products;
}

/* Ranks wait for the busiest one of each stage. */
static range estimate_seconds(const forecast *of)
{
    range seconds = {0.0, FIXED_SECONDS};
    for (int k = 0; k < CGM_COST_STAGES; k++) {
        const cgm_cost_stage stage = (cgm_cost_stage)k;
        const double overhead = stage == CGM_COST_SAMPLING ? DRAW_OVERHEAD : 1.0;
        range busiest = {0.0, 0.0};
        for (int r = 0; r < of->most.size; r++) {
            busiest.low = fmax(busiest.low, rank_seconds(cgm_cost_of(&of->least, stage, r),
                                                         of->speed, FAST_PRODUCTS));
            busiest.high = fmax(busiest.high, rank_seconds(cgm_cost_of(&of->most, stage, r),
                                                           of->speed, SLOW_PRODUCTS));
        }
        seconds.low += busiest.low;
        seconds.high += overhead * busiest.high + bytes_of(&of->most, stage).busiest / SLOW_NETWORK;
    }
    return seconds;
}

/* ---- memory ---- */

/* Bytes of the rank that needs most, in a stage. */
static double own_memory_of(const cgm_cost *cost, cgm_cost_stage stage)
{
    double most = 0.0;
    for (int r = 0; r < cost->size; r++) {
        most = fmax(most, cgm_cost_of(cost, stage, r)->own_memory);
    }
    return most;
}

/* At any time: of a rank, and what its node's ranks share. */
typedef struct memory {
    double own;
    double shared;
} memory;

static memory largest_memory(const forecast *of)
{
    memory most = {0};
    for (int k = 0; k < CGM_COST_STAGES; k++) {
        most.own = fmax(most.own, own_memory_of(&of->most, (cgm_cost_stage)k));
        most.shared =
            fmax(most.shared, cgm_cost_of(&of->most, (cgm_cost_stage)k, 0)->shared_memory);
    }
    return most;
}

/* ---- printing ---- */

static void print_count(const char *what, int64_t value)
{
    printf("  %-44s %19lld\n", what, (long long)value);
}

static void print_input(const cgm_comm *comm, const forecast *of)
{
    const cgm_shard *shard = &of->shard;
    puts("input");
    print_count("parties", shard->n_parties);
    print_count("points", shard->n_points);
    print_count("features", shard->n_features);
    if (of->config->features_type == CGM_FEATURES_PCA) {
        print_count("components that they are projected on", of->config->n_components);
    }
    print_count("candidates", of->pool.n_points);
    printf("  %-44s %19s\n", "candidates come from",
           is_generated(of) ? cgm_generator_name(of->config->generator_type) : "a file");
    print_count("test points", of->n_test);
    printf("  %-44s %19s\n", "labels of points", shard->has_labels ? "yes" : "no");
    printf("  %-44s %19s\n", "labels of candidates", of->pool.has_labels ? "yes" : "no");
    print_count("ranks", comm->size);
    if (!of->pool_read) {
        puts("  (the pool is large: its shape was checked, its values were not read; one that is\n"
             "  not finite stops the run when it reads it)");
    }
}

/* One number, or both ends where they differ. */
static void print_range(double low, double high, int width, int digits)
{
    char text[64];
    if (low == high) {
        snprintf(text, sizeof text, "%.*g", digits, high);
    } else {
        snprintf(text, sizeof text, "%.*g .. %.*g", digits, low, digits, high);
    }
    printf(" %*s", width, text);
}

static void print_work(const forecast *of)
{
    puts("\nwork: all ranks together; and of the rank that has most, at most");
    printf("  %-12s %28s %12s %20s %10s %8s\n", "stage", "kernel evaluations", "a rank", "MB sent",
           "a rank", "MiB");
    for (int k = 0; k < CGM_COST_STAGES; k++) {
        const cgm_cost_stage stage = (cgm_cost_stage)k;
        const extent low = evaluations_of(&of->least, stage);
        const extent high = evaluations_of(&of->most, stage);
        printf("  %-12s", cgm_cost_stage_name(stage));
        print_range(low.all, high.all, 28, 7);
        print_range(high.busiest, high.busiest, 12, 6);
        print_range(1e-6 * bytes_of(&of->least, stage).all, 1e-6 * bytes_of(&of->most, stage).all,
                    20, 4);
        printf(" %10.4g %8.1f\n", 1e-6 * bytes_of(&of->most, stage).busiest,
               own_memory_of(&of->most, stage) / 1048576.0);
    }
    if (of->config->lengthscale_rule == CGM_LENGTHSCALE_NONNEGATIVE) {
        printf("  (assumed: %d to %d passes over the points to choose the lengthscale)\n",
               PASSES_LEAST, PASSES_MOST);
    }
    if (of->config->generator_type == CGM_GENERATOR_GMM) {
        printf("  (assumed: classes of equally many points, and %d to %lld iterations for each "
               "mixture)\n",
               ITERATIONS_LEAST, (long long)of->config->gmm.max_iterations);
    }
    printf("  (assumed: %.0f %% of the pool to all of it drawn for every party and inverse "
           "temperature;\n"
           "  how many a reward takes is not known before, nor which candidates several of them\n"
           "  hold: evaluations of the metrics are for those that chance would give)\n",
           100.0 * DRAWS_LEAST);
}

static void print_mib(const char *what, double bytes)
{
    printf("  %-44s %16.2f MiB\n", what, bytes / 1048576.0);
}

static void print_memory(const cgm_comm *comm, const memory *need)
{
    puts("\nmemory, at most");
    print_mib("a rank of its own", need->own);
    print_mib("a node, shared by its ranks", need->shared);
    print_mib("a node like the first one, together", need->shared + comm->node_size * need->own);
    printf("  (beside it about %.0f MiB a rank for the program and its libraries)\n", BASE_MIB);
}

/* A node's memory is asked for by rank: each takes its part of what they share. */
static void print_batch(const cgm_comm *comm, const memory *need, double seconds)
{
    const double bytes = need->own + need->shared / comm->node_size;
    const double mib = BASE_MIB + fmax(LEAST_MIB, ceil(HEADROOM * bytes / 1048576.0));
    const double minutes = 5.0 * ceil(seconds / 300.0);
    const double hours = floor(minutes / 60.0);
    printf("\nfor a batch script, with %d ranks a node as here\n", comm->node_size);
    printf("#SBATCH --ntasks=%d\n", comm->size);
    printf("#SBATCH --mem-per-cpu=%.0fM\n", mib);
    printf("#SBATCH --time=%02.0f:%02.0f:00\n", hours, minutes - 60.0 * hours);
}

static void print_check(const cgm_comm *comm, const forecast *of, const char *options)
{
    const memory need = largest_memory(of);
    const range seconds = estimate_seconds(of);
    printf("options\n\n%s\n", options);
    print_input(comm, of);
    print_work(of);
    print_memory(comm, &need);
    puts("\ntime");
    printf("  %-44s %19.4g\n", "evaluations a second and rank, measured here", of->speed);
    printf("  %-44s %19.3g .. %.3g\n", "seconds", seconds.low, seconds.high);
    printf(
        "  (the upper end includes a draw costing twice its evaluations, a network of %.0f MB a\n"
        "  second and rank, and %.0f s for all else)\n",
        1e-6 * SLOW_NETWORK, FIXED_SECONDS);
    print_batch(comm, &need, seconds.high);
}

static cgm_status check_run(cgm_comm *comm, forecast *of)
{
    cgm_status status = read_input(comm, of);
    if (status == CGM_OK) {
        status = cgm_party_files_check(comm, of->config, &of->shard, false);
    }
    if (status == CGM_OK) {
        status = count_both(comm, of);
    }
    if (status == CGM_OK) {
        status = measure_speed(comm, of);
    }
    if (status != CGM_OK) {
        return status;
    }
    char *options = cgm_config_text(comm, of->config, false);
    if (options != NULL && comm->rank == 0) {
        print_check(comm, of, options);
    }
    status = cgm_agree(comm, options != NULL ? CGM_OK : CGM_ERR_MEMORY);
    free(options);
    return status;
}

static cgm_status forecast_run(cgm_comm *comm, const cgm_config *config)
{
    forecast of = {.config = config};
    cgm_status status = cgm_output_check(comm, config);
    if (status == CGM_OK) {
        status = cgm_party_files_check_directory(comm, config);
    }
    if (status == CGM_OK) {
        status = check_run(comm, &of);
    }
    cgm_cost_destroy(&of.least);
    cgm_cost_destroy(&of.most);
    cgm_shard_destroy(&of.shard);
    free(of.first_candidate);
    free(of.draws);
    free(of.candidates);
    free(of.classes);
    return status;
}

cgm_status cgm_check(cgm_comm *comm, int n_arguments, char **arguments)
{
    cgm_config config;
    cgm_status status = cgm_config_load(comm, n_arguments, arguments, &config);
    if (status == CGM_OK) {
        status = forecast_run(comm, &config);
        cgm_config_destroy(&config);
    }
    return status;
}
