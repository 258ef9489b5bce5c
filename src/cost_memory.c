#include <math.h>

#include "catalogue.h"
#include "cgm/accumulator.h"
#include "cgm/coalition.h"
#include "cgm/kernel.h"
#include "cgm/sampling.h"
#include "cost_model.h"
#include "projection_covariance.h"

/* Names and their places in the heap. */
#define NAME_BYTES 48.0
/* Accumulators that are handed over at a time (kernel_sums.c). */
#define PIECE 65536.0
/* A candidate's sum while it grows (kernel_sums.c); nodes evaluated together and what a grid's node
 * takes in all (shapley_quadrature.c); orders looked at together (diagnostics.c); a party in the
 * linear program (reward_lp.c). */
#define CANDIDATE_SUM_BYTES 16.0
#define CHUNK_NODES 256.0
#define NODE_BYTES 160.0
#define NODES 6000.0
#define ORDERS_BATCH 64.0
#define PROGRAM_BYTES 1024.0

/* What stays of earlier stages, and what a stage takes beside it. */
typedef struct bytes {
    double own;
    double shared;
} bytes;

static double row_bytes(const cgm_cost_model *of)
{
    return (double)of->shard->n_features * sizeof(double);
}

/* Something of so many bytes a candidate: one copy a node, or a slice a rank. */
static bytes of_pool(const cgm_cost_model *of, int rank, double candidate)
{
    const double all = (double)of->run->n_candidates;
    return of->run->sliced ? (bytes){of->homes[rank].pool * candidate, 0.0}
                           : (bytes){0.0, all * candidate};
}

static void add(bytes *to, bytes more)
{
    to->own += more.own;
    to->shared += more.shared;
}

static bool is_generated(const cgm_cost_model *of)
{
    return of->run->config->generator_type != CGM_GENERATOR_FILE;
}

static bytes keep_pool(const cgm_cost_model *of, int rank)
{
    return of_pool(of, rank,
                   (double)of->n_stored * sizeof(double) +
                       (of->run->has_candidate_labels ? sizeof(int64_t) : 0.0));
}

static bytes keep_input(const cgm_cost_model *of, int rank)
{
    const double point = row_bytes(of) + (of->shard->has_labels ? sizeof(int64_t) : 0.0);
    bytes kept = is_generated(of) ? (bytes){0.0, 0.0} : keep_pool(of, rank);
    kept.shared += (double)of->run->n_test * point;
    kept.own += of->homes[rank].points * point +
                (double)of->shard->n_parties * (NAME_BYTES + 3.0 * sizeof(int64_t));
    return kept;
}

/* A point as the kernel sees it. */
static double point_bytes(const cgm_cost_model *of)
{
    return (double)of->n_features * sizeof(double);
}

static bool is_projected(const cgm_cost_model *of)
{
    return of->run->config->features_type == CGM_FEATURES_PCA;
}

/* The pool as the kernel sees it, where it is stored otherwise. */
static bytes keep_seen(const cgm_cost_model *of, int rank)
{
    const bool apart =
        is_projected(of) ? !of->run->is_pool_projected : of->run->config->scaling != CGM_SCALE_NONE;
    return apart ? of_pool(of, rank, point_bytes(of)) : (bytes){0.0, 0.0};
}

/* Projected points of the parties take the place of those as read. */
static double keep_projected(const cgm_cost_model *of, int rank)
{
    return of->homes[rank].points * (point_bytes(of) - row_bytes(of));
}

/* Projected points beside those as read; blocks of points, and a panel of the covariance matrix;
 * the matrix, which the ranks of a node share, and its eigenproblem. */
static bytes beside_projection(const cgm_cost_model *of, int rank)
{
    const cgm_config *config = of->run->config;
    const int64_t d = of->shard->n_features;
    if (!is_projected(of)) {
        return (bytes){0.0, 0.0};
    }
    const double panel = fmin((double)d, PROJECTION_PANEL) * (double)d;
    const double entries = (double)cgm_dense_entries(d, config->eigensolver, of->run->size, rank);
    return (bytes){
        of->homes[rank].points * point_bytes(of) + 2.0 * CGM_BLOCK_POINTS * row_bytes(of) +
            panel * (double)(sizeof(double) + sizeof(cgm_accumulator)) +
            (4.0 * entries + (2.0 * (double)of->n_features + 8.0) * (double)d) * sizeof(double),
        (double)d * row_bytes(of)};
}

/* The pool that is drawn, and scaled. */
static bytes keep_drawn(const cgm_cost_model *of, int rank)
{
    bytes kept = keep_pool(of, rank);
    add(&kept, keep_seen(of, rank));
    return kept;
}

/* The packed pool, from the first walk round the ring on. */
static bytes keep_packed(const cgm_cost_model *of, int rank)
{
    bytes kept = of_pool(of, rank, point_bytes(of));
    kept.own += (double)of->run->n_candidates / CGM_BLOCK_POINTS *
                (double)(sizeof(cgm_block) + sizeof(cgm_segment));
    return kept;
}

/* S, t, X and the like, u and what it was added up from. */
static bytes keep_sums(const cgm_cost_model *of, int rank)
{
    const double n = (double)of->shard->n_parties;
    bytes kept = of_pool(of, rank, sizeof(double));
    if (cgm_cost_is_embedded(of)) {
        kept.shared += cgm_cost_means_bytes(of);
    } else {
        kept.own += of->homes[rank].pool * cgm_cost_candidate_layers(of) * CANDIDATE_SUM_BYTES;
    }
    kept.own += ((double)(of->held[rank + 1] - of->held[rank]) * n + 4.0 * n) * sizeof(double);
    return kept;
}

/* Packed points of this rank, and of one that is met, and of one to come. */
static double ring_bytes(const cgm_cost_model *of, int rank)
{
    const double buffers = of->run->size > 3 ? 2.0 : of->run->size > 1 ? 1.0 : 0.0;
    double segments = 0.0;
    for (int r = 0; r < of->run->size; r++) {
        segments = fmax(segments, of->homes[r].n_segments);
    }
    const double lists = 2.0 * (segments + of->longest / CGM_BLOCK_POINTS) *
                         (double)(sizeof(cgm_segment) + sizeof(cgm_block));
    return (of->homes[rank].travelling + buffers * of->largest) * sizeof(double) + lists;
}

static double lengthscale_bytes(const cgm_cost_model *of, int rank)
{
    const double n = (double)of->shard->n_parties;
    if (cgm_cost_is_embedded(of)) {
        return cgm_cost_embedded_search_bytes(of, rank);
    }
    return ring_bytes(of, rank) +
           CGM_LADDER_RUNGS * n * (2.0 * sizeof(cgm_accumulator) + sizeof(double)) +
           8.0 * n * sizeof(double);
}

/* S as accumulators, then as doubles both where rows grew and where they are held: of these the
 * larger, less the rows that are kept. */
static double kernel_sums_bytes(const cgm_cost_model *of, int rank)
{
    if (cgm_cost_is_embedded(of)) {
        return cgm_cost_embedded_sums_bytes(of, rank);
    }
    const double n = (double)of->shard->n_parties;
    const int64_t *first = of->shard->first_party;
    const double rows = of->shard->whole ? (double)(first[rank + 1] - first[rank]) : n;
    const double held = (double)(of->held[rank + 1] - of->held[rank]);
    const bool alone = of->run->size == 1;
    const double grown = rows * n * sizeof(cgm_accumulator);
    const double moved = (rows + held) * n * sizeof(double);
    return ring_bytes(of, rank) + fmax(grown, moved) - held * n * sizeof(double) +
           (n + (alone ? 0.0 : 2.0 * PIECE)) * sizeof(cgm_accumulator) +
           (alone ? 0.0 : of->longest) * cgm_cost_candidate_layers(of) * CANDIDATE_SUM_BYTES;
}

static bool are_few(const cgm_cost_model *of)
{
    return of->shard->n_parties <= CGM_ENUMERATE_MAX;
}

/* All coalitions, on rank 0. */
static double coalitions(const cgm_cost_model *of, int rank)
{
    const bool has = are_few(of) && rank == 0;
    return has ? sizeof(double) * ldexp(1.0, (int)of->shard->n_parties) : 0.0;
}

static double coalition_bytes(const cgm_cost_model *of, int rank)
{
    const double n = (double)of->shard->n_parties;
    return are_few(of) ? n * n * sizeof(double) + 3.0 * coalitions(of, rank) : 0.0;
}

static double diagnostics_bytes(const cgm_cost_model *of, int rank)
{
    const double n = (double)of->shard->n_parties;
    const double orders = are_few(of) ? 0.0 : 3.0 * ORDERS_BATCH * n * sizeof(double);
    const double ring = cgm_cost_is_embedded(of) ? 0.0 : ring_bytes(of, rank);
    return fmax(ring + 2.0 * n * sizeof(double), orders);
}

/* At most: every size its own, or half of them alike and the columns of S collapsed. */
static double shapley_bytes(const cgm_cost_model *of, int rank)
{
    const double n = (double)of->shard->n_parties;
    const double rows = (double)(of->held[rank + 1] - of->held[rank]);
    const double nodes = NODES * NODE_BYTES;
    const double errors = cgm_cost_is_embedded(of) ? cgm_cost_embedded_errors_bytes(of, rank) : 0.0;
    return are_few(of)
               ? errors
               : ((n + rows) * CHUNK_NODES + 0.5 * rows * n) * sizeof(double) + nodes + errors;
}

/* Rewards of the parties that a rank keeps, as indices and values. */
static double kept_rewards(const cgm_cost_model *of, int rank, double row)
{
    const int64_t n = of->shard->n_parties;
    double rows = 0.0;
    for (int64_t s = 0; s < of->run->config->n_inv_temp; s++) {
        for (int64_t i = of->shard->first_party[rank]; i < of->shard->first_party[rank + 1]; i++) {
            rows += (double)of->run->draws[s * n + i];
        }
    }
    return rows * row;
}

/* The part of the pool that the chains of a team go over, points that others fetch, and what was
 * drawn, before it is handed over. */
static double sampling_bytes(const cgm_cost_model *of, int rank)
{
    const cgm_candidates pool = {
        .n_points = of->run->n_candidates, .n_features = of->n_features, .sliced = of->run->sliced};
    const bool embedded = cgm_cost_is_embedded(of);
    const cgm_sampling_plan plan =
        embedded ? cgm_sampling_plan_at_home(of->run->size, of->run->config->n_inv_temp, &pool)
                 : cgm_sampling_plan_for(of->run->size, of->shard->n_parties,
                                         of->run->config->n_inv_temp, &pool);
    const double part = of->run->sliced ? of->homes[rank].pool
                                        : (double)pool.n_points * plan.n_teams / of->run->size;
    double drawn = 0.0;
    for (int r = 0; r < of->run->size; r++) {
        drawn += kept_rewards(of, r, 2.0 * sizeof(double)) / plan.n_teams;
    }
    const bool open = of->run->size > 1 && !embedded;
    const double points = open ? of->homes[rank].points * point_bytes(of) : 0.0;
    return ((double)plan.n_chains + 1.0) * part * sizeof(double) + points + 2.0 * drawn;
}

/* Points and labels of the rewards at one β. */
static double output_bytes(const cgm_cost_model *of, int rank)
{
    return kept_rewards(of, rank, (double)(of->n_stored + 1) * sizeof(double)) /
           (double)of->run->config->n_inv_temp;
}

/* The stage that packs the pool. */
static int pack_stage(const cgm_cost_model *of, bool search)
{
    return cgm_cost_is_embedded(of) ? CGM_COST_SAMPLING
           : search                 ? CGM_COST_LENGTHSCALE
                                    : CGM_COST_KERNEL_SUMS;
}

void cgm_cost_count_memory(const cgm_cost_model *of, cgm_cost_work *work)
{
    const int size = of->run->size;
    const double n = (double)of->shard->n_parties;
    const bool search = of->run->config->lengthscale_rule == CGM_LENGTHSCALE_NONNEGATIVE;
    for (int r = 0; r < size; r++) {
        bytes kept = keep_input(of, r);
        const bytes projection = beside_projection(of, r);
        double beside[CGM_COST_STAGES] = {
            [CGM_COST_INPUT] = n * (2.0 * NAME_BYTES + (double)sizeof(cgm_place)),
            [CGM_COST_FEATURES] = projection.own,
            [CGM_COST_GENERATOR] = cgm_cost_generator_bytes(of, r),
            [CGM_COST_LENGTHSCALE] = search ? lengthscale_bytes(of, r) : 0.0,
            [CGM_COST_KERNEL_SUMS] = kernel_sums_bytes(of, r),
            [CGM_COST_COALITION] = coalition_bytes(of, r),
            [CGM_COST_DIAGNOSTICS] = diagnostics_bytes(of, r),
            [CGM_COST_SHAPLEY] = shapley_bytes(of, r),
            [CGM_COST_REWARD] = r == 0 ? n * PROGRAM_BYTES : 0.0,
            [CGM_COST_SAMPLING] = sampling_bytes(of, r),
            [CGM_COST_METRICS] = cgm_cost_metrics_memory(of, r),
            [CGM_COST_OUTPUT] = output_bytes(of, r),
        };
        for (int k = 0; k < CGM_COST_STAGES; k++) {
            kept.own += k == CGM_COST_FEATURES + 1 ? keep_projected(of, r) : 0.0;
            if (k == CGM_COST_FEATURES && !is_generated(of)) {
                add(&kept, keep_seen(of, r));
            } else if (k == CGM_COST_GENERATOR && is_generated(of)) {
                add(&kept, keep_drawn(of, r));
            } else if (k == pack_stage(of, search)) {
                add(&kept, keep_packed(of, r));
            }
            if (k == CGM_COST_LENGTHSCALE && cgm_cost_is_embedded(of)) {
                kept.own += cgm_cost_frequency_bytes(of);
            }
            if (k == CGM_COST_KERNEL_SUMS) {
                add(&kept, keep_sums(of, r));
            } else if (k == CGM_COST_COALITION) {
                kept.own += coalitions(of, r);
            } else if (k == CGM_COST_SAMPLING) {
                kept.own += kept_rewards(of, r, 2.0 * sizeof(double));
            }
            work[k * size + r].own_memory = kept.own + beside[k];
            work[k * size + r].shared_memory =
                kept.shared + (k == CGM_COST_FEATURES ? projection.shared : 0.0);
        }
    }
}
