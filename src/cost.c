#include "cgm/cost.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "catalogue.h"
#include "cgm/accumulator.h"
#include "cgm/coalition.h"
#include "cgm/incentives.h"
#include "cgm/kernel.h"
#include "cgm/kernel_sums.h"
#include "cgm/picture.h"
#include "cgm/pipeline.h"
#include "cgm/points.h"
#include "cgm/reward_lp.h"
#include "cgm/sampling.h"
#include "cost_model.h"
#include "lengthscale_median.h"
#include "projection_covariance.h"
#include "shapley_grid.h"

/* What travels in the choice of the median (lengthscale_median.c): a ticket, and the counts of one
 * digit of all distances. */
enum { TICKET_BYTES = 24, DIGITS = 4, DIGIT_BYTES = (1 << 16) * 8 };
/* A candidate's sum on its way to the rank that it is at home on: two limbs (kernel_sums.c). */
enum { CANDIDATE_SUM_BYTES = 2 * sizeof(int64_t) };
/* Orders of the parties that are looked at together, and how many are (diagnostics.c). */
enum { ORDERS_BATCH = 64, ORDERS_MOST = 1000 };
#define ORDERS_WORK 2e9
/* The first two grids of the quadrature, its nodes as ranks exchange them, and those that are
 * evaluated together (shapley_quadrature.c). */
#define GRID_STEP 0.25
enum { NODE_BYTES = 64, CHUNK_NODES = 256 };
#define SKIP_LOG (-50.0)
#define LEAST_P 1e-300
/* Multiplications of a matrix's eigenvectors, over its rows and entries. */
#define EIGENVECTORS_WORK 4.5
/* Proposals that a team looks at together, at the least (sampling_team.c). */
enum { PROPOSALS = 8 };

/* ---- the stages ---- */

void cgm_cost_count_spread(cgm_cost_model *of, double d)
{
    cgm_cost_reduction(of, 2.0 * d * sizeof(double)); /* of the pool */
    cgm_cost_reduction(of, (cgm_cost_is_embedded(of) ? 1.0 : 2.0) * d * sizeof(double));
    cgm_cost_accumulators(of, d);
    cgm_cost_accumulators(of, d);
    if (cgm_cost_is_embedded(of)) { /* about the mean again */
        cgm_cost_reduction(of, d * sizeof(double));
        cgm_cost_accumulators(of, d);
        cgm_cost_accumulators(of, d);
    }
}

/* Path of a party's own file: that of the directory, a pattern without its last part, the name. */
static double path_bytes(const cgm_config *config, const char *name)
{
    const char *path = config->input_parties;
    const char *slash = strrchr(path, '/');
    const bool pattern = strpbrk(path, "*?[") != NULL;
    size_t directory = pattern ? (slash != NULL ? (size_t)(slash - path) : 0) : strlen(path);
    return (double)(directory + 1 + strlen(name) + strlen(".h5"));
}

static void count_input(cgm_cost_model *of)
{
    const cgm_shard *shard = of->shard;
    const double n = (double)shard->n_parties;
    double texts = 2.0 * n;
    for (int64_t i = 0; i < shard->n_parties; i++) {
        texts += (double)strlen(shard->names[i]);
        texts += of->run->files ? path_bytes(of->run->config, shard->names[i]) : 0.0;
    }
    cgm_cost_broadcast(of, 0, 3.0 * sizeof(int64_t) + texts + n * sizeof(cgm_place));
    if (of->run->files) {
        cgm_cost_all_gather(of, shard->first_party, sizeof(cgm_place));
    }
    cgm_cost_reduction(of, n * sizeof(uint64_t));
    if (of->run->config->generator_type == CGM_GENERATOR_FILE) {
        cgm_cost_broadcast(of, 0, sizeof(cgm_candidates_shape));
        if (cgm_pipeline_placement(of->run->config) == CGM_POOL_AUTO) {
            cgm_cost_reduction(of, sizeof(int64_t)); /* is there room for a copy a node? */
        }
        cgm_cost_reduction(of, sizeof(uint64_t));
    } else {
        cgm_cost_broadcast(of, 0, sizeof(bool)); /* are the parties in one file? */
    }
    cgm_cost_broadcast(of, 0, sizeof(cgm_points_shape)); /* of the test points */
    cgm_cost_broadcast(of, 0, sizeof(bool));
}

/* Panels of the covariance matrix, its eigenvectors, and points times these. */
static void count_projection(cgm_cost_model *of)
{
    const cgm_config *config = of->run->config;
    const int64_t d = of->shard->n_features;
    const double components = (double)(d * of->n_features);
    double entries = 0.0;
    for (int64_t first = 0; first < d; first += PROJECTION_PANEL) {
        const int64_t rows = d - first < PROJECTION_PANEL ? d - first : PROJECTION_PANEL;
        cgm_cost_accumulators(of, (double)(rows * (d - first)));
        entries += (double)(rows * (d - first));
    }
    for (int r = 0; r < of->run->size; r++) {
        const double mine = (double)cgm_dense_entries(d, config->eigensolver, of->run->size, r);
        of->work[r].multiply_adds +=
            of->homes[r].points * (entries + components) +
            (of->run->is_pool_projected ? 0.0 : of->homes[r].pool) * components +
            EIGENVECTORS_WORK * (double)d * mine;
    }
    if (cgm_dense_is_shared(d, config->eigensolver)) {
        cgm_cost_reduction(of, components * sizeof(double));
    } else {
        cgm_cost_broadcast(of, 0, components * sizeof(double));
    }
    cgm_cost_broadcast(of, 0, (double)d * sizeof(double));
}

static void count_features(cgm_cost_model *of)
{
    const cgm_config *config = of->run->config;
    if (config->scaling != CGM_SCALE_NONE || config->features_type == CGM_FEATURES_PCA) {
        cgm_cost_count_spread(of, (double)of->shard->n_features);
    }
    if (config->features_type == CGM_FEATURES_PCA) {
        count_projection(of);
    }
}

static void count_median(cgm_cost_model *of)
{
    const cgm_shard *shard = of->shard;
    const double all = (double)shard->n_points;
    const double chosen = fmin(all, CGM_MEDIAN_POINTS);
    const double point = (double)of->n_features * sizeof(double);
    if (all > chosen) {
        cgm_cost_gather(of, chosen * TICKET_BYTES);
        cgm_cost_broadcast(of, 0, TICKET_BYTES);
    }
    cgm_cost_reduction(of, (of->run->size + 1.0) * sizeof(int64_t));
    for (int r = 0; r < of->run->size && of->run->size > 1; r++) {
        /* Which points are chosen is random: on average every rank's share of them. */
        const double own = chosen * of->homes[r].points / all;
        of->work[r].bytes_sent += own * point;
        of->work[r].bytes_received += (chosen - own) * point;
    }
    const bool even = fmod(chosen * (chosen - 1.0) / 2.0, 2.0) == 0.0;
    if (chosen > 1.0) {
        cgm_cost_reduction(of, (even ? 2.0 : 1.0) * DIGITS * DIGIT_BYTES);
    }
}

static void count_lengthscale(cgm_cost_model *of)
{
    const cgm_cost_search *search = &of->run->search;
    cgm_cost_reduction(of, sizeof(double)); /* which instruction set? */
    cgm_cost_count_spread(of, (double)of->n_features);
    if (cgm_cost_is_embedded(of)) {
        cgm_cost_count_embedded_search(of);
    } else if (of->run->config->lengthscale_rule == CGM_LENGTHSCALE_MEDIAN) {
        count_median(of);
    } else if (of->run->config->lengthscale_rule == CGM_LENGTHSCALE_NONNEGATIVE) {
        const double n = (double)of->shard->n_parties;
        cgm_cost_ring(of, (double)search->passes, true, true, NULL);
        cgm_cost_reduction(of, (double)search->passes * sizeof(int64_t) +
                                   2.0 * (double)search->series * n * sizeof(cgm_accumulator));
        cgm_cost_broadcast(of, 0, (double)search->trials * sizeof(double));
    }
}

/* Partial sums of candidates and, between whole parties, of S. */
static void hand_over_sums(cgm_cost_model *of, int rank, int met, int met_by)
{
    const int64_t *first = of->shard->first_party;
    const double own = (double)(first[rank + 1] - first[rank]);
    cgm_cost_work *work = &of->work[rank];
    const double candidate = cgm_cost_candidate_layers(of) * CANDIDATE_SUM_BYTES;
    work->bytes_sent += of->homes[met].pool * candidate;
    work->bytes_received += of->homes[rank].pool * candidate;
    if (of->shard->whole) {
        const double out = own * (double)(first[met + 1] - first[met]);
        const double in = own * (double)(first[met_by + 1] - first[met_by]);
        work->bytes_sent += out * sizeof(cgm_accumulator);
        work->bytes_received += in * sizeof(cgm_accumulator);
    }
}

static double overlap(const int64_t *a, const int64_t *b)
{
    const int64_t first = a[0] > b[0] ? a[0] : b[0];
    const int64_t end = a[1] < b[1] ? a[1] : b[1];
    return end > first ? (double)(end - first) : 0.0;
}

/* Rows of S that are held by another rank than they grew on. */
static void count_moved_rows(cgm_cost_model *of)
{
    const int64_t *held = of->held;
    const int64_t *grown = of->shard->first_party;
    const double row = (double)of->shard->n_parties * sizeof(double);
    for (int r = 0; r < of->run->size; r++) {
        const double stay = overlap(&grown[r], &held[r]);
        of->work[r].bytes_sent += row * ((double)(grown[r + 1] - grown[r]) - stay);
        of->work[r].bytes_received += row * ((double)(held[r + 1] - held[r]) - stay);
    }
}

static void count_kernel_sums(cgm_cost_model *of)
{
    const double n = (double)of->shard->n_parties;
    if (cgm_cost_is_embedded(of)) {
        cgm_cost_count_embedded_sums(of);
        return;
    }
    cgm_cost_ring(of, 1.0, false, true, hand_over_sums);
    if (!of->run->sliced) {
        cgm_cost_all_gather(of, of->run->first_candidate, sizeof(double));
    }
    cgm_cost_accumulators(of, n + 1.0);
    if (of->shard->whole) {
        count_moved_rows(of);
        cgm_cost_all_gather(of, of->shard->first_party, 4.0 * sizeof(double));
    } else {
        cgm_cost_accumulators(of, n * n);
    }
}

static bool are_few(const cgm_cost_model *of)
{
    return of->shard->n_parties <= CGM_ENUMERATE_MAX;
}

static void count_coalition(cgm_cost_model *of)
{
    if (are_few(of)) {
        cgm_cost_all_gather(of, of->held, (double)of->shard->n_parties * sizeof(double));
    }
}

static void count_diagnostics(cgm_cost_model *of)
{
    const double n = (double)of->shard->n_parties;
    if (!cgm_cost_is_embedded(of)) {
        cgm_cost_ring(of, 1.0, true, false, NULL);
        cgm_cost_reduction(of, 2.0 * n * sizeof(double));
    }
    if (!are_few(of)) {
        const double orders = fmin(ceil(ORDERS_WORK / (n * n)), ORDERS_MOST);
        const double batches = ceil(orders / ORDERS_BATCH);
        cgm_cost_all_gather(of, of->held, batches * ORDERS_BATCH * sizeof(double));
    }
    cgm_cost_reduction(of, 2.0 * sizeof(int64_t) + sizeof(double));
}

/* Sizes of the parties, and how many have each. */
typedef struct size_classes {
    int64_t count;
    double *size;
    double *parties;
} size_classes;

static int compare_sizes(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* In memory of 2 N numbers at found->size, which the caller frees. */
static void list_sizes(const cgm_shard *shard, size_classes *found)
{
    const int64_t n = shard->n_parties;
    for (int64_t i = 0; i < n; i++) {
        found->size[i] = (double)shard->party_points[i];
    }
    qsort(found->size, (size_t)n, sizeof *found->size, compare_sizes);
    found->parties = found->size + n;
    for (int64_t i = 0; i < n; i++) {
        if (found->count == 0 || found->size[found->count - 1] != found->size[i]) {
            found->size[found->count++] = found->size[i];
        }
        found->parties[found->count - 1] += 1.0;
    }
}

/* Whether the quadrature takes a node: Σ ln p − min ln p (MATH.md §4b). */
static bool does_matter(const cgm_grid_node *at, const size_classes *sizes)
{
    double sum = 0.0;
    double least = 0.0;
    for (int64_t k = 0; k < sizes->count && sum - least >= SKIP_LOG; k++) {
        const double log_p =
            log(fmax(at->one_minus_tau + at->tau * exp(-at->u * sizes->size[k]), LEAST_P));
        sum += sizes->parties[k] * log_p;
        least = fmin(least, log_p);
    }
    return sum - least >= SKIP_LOG;
}

static void count_grid(cgm_cost_model *of, const size_classes *sizes, double offset)
{
    const int size = of->run->size;
    const cgm_grid_extent extent = {.n_parties = of->shard->n_parties,
                                    .smallest = sizes->size[0],
                                    .largest = sizes->size[sizes->count - 1],
                                    .total_points = (double)of->shard->n_points};
    cgm_grid grid;
    of->status =
        cgm_grid_list(of->comm, &of->run->config->semivalue, &extent, GRID_STEP, offset, &grid);
    if (of->status != CGM_OK) {
        return;
    }
    cgm_cost_broadcast(of, 0, sizeof(int64_t) + sizeof(double));
    cgm_cost_broadcast(of, 0, (double)grid.n_nodes * sizeof(cgm_grid_node));
    for (int r = 0; r < size && size > 1; r++) {
        const int64_t own = (grid.n_nodes - r + size - 1) / size;
        of->work[r].bytes_sent += (double)own * NODE_BYTES;
        of->work[r].bytes_received += (double)(grid.n_nodes - own) * NODE_BYTES;
    }
    int64_t kept = 0;
    for (int64_t k = 0; k < grid.n_nodes; k++) {
        kept += does_matter(&grid.nodes[k], sizes);
    }
    for (int64_t done = 0; done < kept; done += CHUNK_NODES) {
        cgm_cost_accumulators(of, CHUNK_NODES);
    }
    /* Parties of a size share a column, unless there are too many sizes for it to be worth while.
     */
    const int64_t n = of->shard->n_parties;
    const double columns = (double)(2 * sizes->count < n ? sizes->count : n);
    for (int r = 0; r < size; r++) {
        of->work[r].multiply_adds +=
            (double)(of->held[r + 1] - of->held[r]) * columns * (double)kept;
    }
    cgm_cost_all_gather(of, of->held, sizeof(double));
    cgm_grid_destroy(&grid);
}

/* The two grids of the first step, which is fine enough as a rule. */
static void count_quadrature(cgm_cost_model *of)
{
    size_classes sizes = {0};
    sizes.size = cgm_alloc(of->comm, 2 * of->shard->n_parties, sizeof *sizes.size);
    of->status = sizes.size != NULL ? CGM_OK : CGM_ERR_MEMORY;
    if (of->status == CGM_OK) {
        list_sizes(of->shard, &sizes);
        count_grid(of, &sizes, 0.0);
    }
    if (of->status == CGM_OK) {
        count_grid(of, &sizes, 0.5 * GRID_STEP);
    }
    free(sizes.size);
}

static void count_shapley_once(cgm_cost_model *of)
{
    const cgm_config *config = of->run->config;
    const int64_t n = of->shard->n_parties;
    const bool enumerated = config->shapley_method == CGM_SHAPLEY_ENUMERATE ||
                            (config->shapley_method == CGM_SHAPLEY_AUTO && are_few(of));
    if (enumerated || n == 1 || config->semivalue.kind == CGM_SEMIVALUE_LEAVE_ONE_OUT) {
        cgm_cost_broadcast(of, 0, (double)n * sizeof(double));
    } else {
        count_quadrature(of);
    }
}

static void count_shapley(cgm_cost_model *of)
{
    count_shapley_once(of);
    if (cgm_cost_is_embedded(of) && of->status == CGM_OK) {
        cgm_cost_count_embedded_errors(of, count_coalition, count_shapley_once);
    }
}

static void count_reward(cgm_cost_model *of)
{
    const cgm_reward *reward = NULL; /* for sizes alone */
    const double n = (double)of->shard->n_parties;
    cgm_cost_all_gather(of, of->held, sizeof(double));
    cgm_cost_broadcast(of, 0, 2.0 * n * sizeof(double));
    cgm_cost_broadcast(of, 0,
                       3.0 * sizeof(double) + sizeof reward->status + sizeof reward->binding);
}

/* What all chains take together. */
typedef struct chains {
    double draws;
    double sweeps; /* over the pool: the last draw of a chain needs none after it */
    double starts; /* points of parties whose own sums are evaluated, every time they are */
} chains;

static chains count_chains(const cgm_cost_model *of, bool by_chain)
{
    const int64_t n = of->shard->n_parties;
    chains all = {0};
    for (int64_t i = 0; i < n; i++) {
        double starts = 0.0;
        for (int64_t s = 0; s < of->run->config->n_inv_temp; s++) {
            const double draws = (double)of->run->draws[s * n + i];
            all.draws += draws;
            all.sweeps += fmax(draws - 1.0, 0.0);
            starts += draws > 0.0;
        }
        starts = by_chain ? starts : fmin(starts, 1.0);
        all.starts += starts * (double)of->shard->party_points[i];
    }
    return all;
}

/* Teams take tasks as they come free: what depends on who draws for whom is what a rank has to
 * expect when everybody draws equally much and points and rewards are spread evenly. */
static void count_sampling(cgm_cost_model *of)
{
    if (cgm_cost_is_embedded(of)) {
        cgm_cost_count_embedded_sampling(of);
        return;
    }
    const int size = of->run->size;
    const cgm_config *config = of->run->config;
    const double n = (double)of->shard->n_parties;
    const double sets = (double)config->n_inv_temp;
    const cgm_candidates pool = {
        .n_points = of->run->n_candidates, .n_features = of->n_features, .sliced = of->run->sliced};
    const cgm_sampling_plan plan =
        cgm_sampling_plan_for(size, of->shard->n_parties, config->n_inv_temp, &pool);
    const chains all = count_chains(of, plan.by_chain);
    const double d = (double)of->n_features;
    const double elsewhere = 1.0 - 1.0 / size;
    const double teams = plan.n_teams;
    const double tasks = n * (plan.by_chain ? sets : 1.0) + teams;
    for (int r = 0; r < size; r++) {
        cgm_cost_work *work = &of->work[r];
        work->kernel_evaluations +=
            (all.starts + all.sweeps) * (double)of->run->n_candidates / size;
        const double points = all.starts / teams * d * sizeof(double) * elsewhere;
        const double rewards = 2.0 * sizeof(double) * all.draws / size * elsewhere;
        const double counter = r > 0 ? sizeof(int64_t) * tasks / size : 0.0;
        work->bytes_received += points + rewards + counter;
        work->bytes_sent += rewards + counter;
        if (plan.n_teams < size) {
            const double words = 2.0 + 2.0 * PROPOSALS + 1.0 / (double)plan.n_chains +
                                 (of->run->sliced ? 2.0 + d : 0.0);
            work->bytes_sent += all.draws / teams * words * sizeof(double);
            work->bytes_received += all.draws / teams * words * sizeof(double);
        }
    }
    cgm_cost_reduction(of, 4.0 * sets * n * sizeof(int64_t));
}

static void count_picture(cgm_cost_model *of)
{
    const double axes = fmin((double)of->n_features, CGM_PICTURE_AXES);
    const double shown = fmin((double)of->shard->n_parties, CGM_PICTURE_PARTIES);
    const double bins = (double)cgm_picture_bins(of->shard, of->n_features);
    if (of->shard->n_points < CGM_PICTURE_POINTS || cgm_cost_is_embedded(of)) {
        return;
    }
    cgm_cost_count_spread(of, (double)of->n_features);
    if (of->run->config->features_type == CGM_FEATURES_PLAIN && of->n_features > CGM_PICTURE_AXES &&
        of->n_features <= CGM_PICTURE_COMPONENTS) {
        const double d = (double)of->n_features;
        cgm_cost_accumulators(of, d * (d + 1.0) / 2.0);
        cgm_cost_broadcast(of, 0, (d * d + d) * sizeof(double));
    }
    cgm_cost_reduction(of, axes * (CGM_PICTURE_STRIPS + 2.0) * sizeof(int64_t));
    cgm_cost_reduction(of, (shown + 1.0) * pow(bins, axes) * sizeof(int64_t));
}

static void count_incentives(cgm_cost_model *of)
{
    const cgm_incentives *incentives = NULL; /* for sizes alone */
    const double n = (double)of->shard->n_parties;
    cgm_cost_reduction(of, (double)of->run->config->n_inv_temp * n * sizeof(double));
    cgm_cost_broadcast(of, 0, sizeof incentives->rows);
}

/* Points of rewards from the slices that hold them, and what every rank adds to /timings. */
static void count_output(cgm_cost_model *of)
{
    const int size = of->run->size;
    const chains all = count_chains(of, false);
    const double row = (double)of->n_stored * sizeof(double) +
                       (of->run->has_candidate_labels ? sizeof(int64_t) : 0.0);
    for (int r = 0; r < size && of->run->sliced; r++) {
        const double rows = all.draws / size * (1.0 - 1.0 / size);
        of->work[r].bytes_sent += rows * (sizeof(int64_t) + row);
        of->work[r].bytes_received += rows * (sizeof(int64_t) + row);
    }
    cgm_cost_gather(of, 5.0 * CGM_COST_STAGES * sizeof(int64_t));
}

/* ---- the model ---- */

/* In the order of cgm_cost_stage. */
static const struct {
    const char *name;
    void (*count)(cgm_cost_model *of);
} stages[] = {
    {"input", count_input},
    {"features", count_features},
    {"generator", cgm_cost_count_generator},
    {"lengthscale", count_lengthscale},
    {"kernel_sums", count_kernel_sums},
    {"coalition", count_coalition},
    {"diagnostics", count_diagnostics},
    {"shapley", count_shapley},
    {"reward_lp", count_reward},
    {"sampling", count_sampling},
    {"picture", count_picture},
    {"incentives", count_incentives},
    {"metrics", cgm_cost_count_metrics},
    {"output", count_output},
};

const char *cgm_cost_stage_name(cgm_cost_stage stage)
{
    return stages[stage].name;
}

cgm_status cgm_cost_count(cgm_comm *comm, const cgm_cost_run *run, cgm_cost *cost)
{
    *cost = (cgm_cost){.size = run->size};
    const int64_t components = cgm_config_components(run->config);
    const int64_t d = run->shard->n_features;
    cgm_cost_model model = {.run = run,
                            .shard = run->shard,
                            .n_features = components > 0 ? components : d,
                            .n_stored = run->is_pool_projected ? components : d,
                            .comm = comm};
    model.homes = cgm_alloc(comm, run->size, sizeof *model.homes);
    model.held = cgm_alloc(comm, run->size + 1, sizeof *model.held);
    cost->work = cgm_alloc(comm, (int64_t)CGM_COST_STAGES * run->size, sizeof *cost->work);
    const bool complete = model.homes != NULL && model.held != NULL && cost->work != NULL;
    if (complete) {
        cgm_kernel_sums_share_rows(run->shard->n_parties, run->size, model.held);
        cgm_cost_list_homes(&model);
        for (int k = 0; k < CGM_COST_STAGES; k++) {
            model.work = cost->work + k * run->size;
            stages[k].count(&model);
        }
        cgm_cost_count_memory(&model, cost->work);
    }
    free(model.homes);
    free(model.held);
    return complete ? model.status : CGM_ERR_MEMORY;
}

void cgm_cost_destroy(cgm_cost *cost)
{
    free(cost->work);
    *cost = (cgm_cost){0};
}

const cgm_cost_work *cgm_cost_of(const cgm_cost *cost, cgm_cost_stage stage, int rank)
{
    return &cost->work[(int)stage * cost->size + rank];
}

/* Rungs of a ladder from top down that lie above floor (lengthscale.c). */
static int64_t count_rungs(double top, double floor)
{
    int64_t rungs = 0;
    while (ldexp(rungs % 2 == 0 ? top : top * M_SQRT1_2, -(int)(rungs / 2)) > floor) {
        rungs++;
    }
    return rungs;
}

cgm_cost_search cgm_cost_search_of(int64_t passes, double lengthscale, double deviation,
                                   int64_t n_features, int64_t rungs_of_pass)
{
    const double floor = fmin(0.01, 1e-3 * deviation);
    const double first_top = 16.0 * deviation * sqrt((double)n_features);
    /* A top rung that violates the condition ends its ladder's first pass, and is doubled. */
    int64_t ladders = 0;
    while (lengthscale > ldexp(first_top, (int)ladders)) {
        ladders++;
    }
    const double top = ldexp(first_top, (int)ladders);
    int64_t series = rungs_of_pass * ladders;
    const int64_t rungs = count_rungs(top, floor);
    const bool always_valid = lengthscale == floor;
    /* The rung that violates, or the last one. */
    const int64_t last = always_valid ? rungs - 1 : count_rungs(top, lengthscale * (1.0 - 1e-9));
    for (int64_t first = 0; first <= last; first += rungs_of_pass) {
        ladders++;
        series += rungs - first < rungs_of_pass ? rungs - first : rungs_of_pass;
    }
    const int64_t slopes = passes - ladders;
    return (cgm_cost_search){passes, series + 2 * slopes, slopes};
}
