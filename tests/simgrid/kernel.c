/* The kernel without evaluations: each function owes the seconds that the evaluations would take,
 * and gives sums as of a mean value, so that stages find what they look for. A party's points have
 * a mean squared distance of 2·OWN in the kernel's unit to each other, and of 2·OTHER to all else:
 * v of a party crosses zero as with real data. */
#include "cgm/kernel.h"

#include <math.h>

#include "cgm/dense.h"
#include "cgm/embedding.h"
#include "cgm/pairs.h"
#include "costs.h"

#define OWN 0.35
#define OTHER 0.65
/* Half of the width of the scores: of a choice in the middle, exp(-β/2) is accepted. */
#define SCORE_WIDTH 1.0

/* Mean values at ℓ, ℓ/√2, … and their slopes by log ℓ at ℓ, kept for the ℓ asked for last. */
typedef struct means {
    double lengthscale;
    double own[CGM_LADDER_RUNGS], other[CGM_LADDER_RUNGS];
    double own_slope, other_slope;
} means;

static const means *means_at(double lengthscale)
{
    static means kept;
    if (kept.lengthscale != lengthscale) {
        kept.lengthscale = lengthscale;
        double reciprocal = 1.0 / (lengthscale * lengthscale);
        for (int r = 0; r < CGM_LADDER_RUNGS; r++, reciprocal *= 2.0) {
            kept.own[r] = exp(-OWN * reciprocal);
            kept.other[r] = exp(-OTHER * reciprocal);
        }
        const double factor = 2.0 / (lengthscale * lengthscale);
        kept.own_slope = factor * OWN * kept.own[0];
        kept.other_slope = factor * OTHER * kept.other[0];
    }
    return &kept;
}

const char *cgm_instruction_set_name(cgm_instruction_set set)
{
    (void)set;
    return "simulated";
}

cgm_instruction_set cgm_instruction_set_best(void)
{
    return CGM_PORTABLE;
}

double cgm_kernel_diagonal(const cgm_kernel *kernel)
{
    (void)kernel;
    return 1.0;
}

void cgm_kernel_pack(const cgm_kernel *kernel, const double *points, const cgm_segment *segment,
                     cgm_block *block)
{
    (void)kernel, (void)points, (void)block;
    sim_owe((double)segment->n_points * sim_rate.pack);
}

void cgm_kernel_look(const cgm_kernel *kernel, cgm_block *block)
{
    (void)kernel;
    sim_owe((double)block->n_points * sim_rate.look);
}

void cgm_kernel_point(const cgm_kernel *kernel, const cgm_block *block, int64_t place,
                      double *point)
{
    (void)kernel, (void)block, (void)place;
    point[0] = 0.0;
}

/* Evaluations of a tile. */
static double evaluations(const cgm_tile *tile)
{
    const cgm_block *columns = tile->columns;
    return (double)tile->row_segment->n_points *
           (double)(columns->n_points - columns->segments[tile->first_segment].begin);
}

/* What a point of a segment gets from all rows of a tile: at its first point, which stands for all
 * in cgm_kernel_segment_sum. */
static void fill(const cgm_tile *tile, double own, double other, double *column_sums)
{
    const double rows = (double)tile->row_segment->n_points;
    for (int64_t k = tile->first_segment; k < tile->columns->n_segments; k++) {
        const cgm_segment *segment = &tile->columns->segments[k];
        column_sums[segment->begin] =
            rows * (segment->owner == tile->row_segment->owner ? own : other);
    }
}

static void repeat(const cgm_block *block, double *sums)
{
    for (int64_t k = 1; k < block->n_points; k++) {
        sums[k] = sums[0];
    }
}

/* A party's points, or the pool: sums of the pool's are needed one by one. */
void cgm_kernel_columns(const cgm_kernel *kernel, const cgm_tile *tile, double *column_sums)
{
    sim_owe(evaluations(tile) * sim_rate.columns);
    if (sim_is_sampling) {
        /* Affinities are zeros: all chains begin with the same memory. */
        fill(tile, 0.0, 0.0, column_sums);
    } else {
        const means *at = means_at(kernel->lengthscale);
        fill(tile, at->own[0], at->other[0], column_sums);
    }
    if (tile->columns->n_segments == 1) {
        repeat(tile->columns, column_sums);
    }
}

double cgm_kernel_segment_sum(const cgm_segment *segment, const double *column_sums)
{
    return (double)segment->n_points * column_sums[segment->begin];
}

void cgm_kernel_rows_and_columns(const cgm_kernel *kernel, const cgm_block *rows,
                                 const cgm_block *columns, double *row_sums, double *column_sums)
{
    const double mean = means_at(kernel->lengthscale)->own[0];
    sim_owe((double)rows->n_points * (double)columns->n_points * sim_rate.both);
    row_sums[0] = (double)columns->n_points * mean;
    column_sums[0] = (double)rows->n_points * mean;
    repeat(rows, row_sums);
    repeat(columns, column_sums);
}

void cgm_kernel_slopes(const cgm_kernel *kernel, const cgm_tile *tile, double *column_sums,
                       double *slope_sums)
{
    const means *at = means_at(kernel->lengthscale);
    sim_owe(evaluations(tile) * sim_rate.slopes);
    fill(tile, at->own[0], at->other[0], column_sums);
    fill(tile, at->own_slope, at->other_slope, slope_sums);
}

void cgm_kernel_ladder(const cgm_kernel *kernel, const cgm_tile *tile, int n_rungs,
                       double *column_sums)
{
    const means *at = means_at(kernel->lengthscale);
    const double step = (sim_rate.ladder - sim_rate.columns) / (CGM_LADDER_RUNGS - 1);
    sim_owe(evaluations(tile) * (sim_rate.columns + (n_rungs - 1) * step));
    for (int r = 0; r < n_rungs; r++) {
        fill(tile, at->own[r], at->other[r], column_sums + (int64_t)r * CGM_BLOCK_POINTS);
    }
}

/* Extremes would have to be looked for point by point: the visitor who does is left out. */
static void visit_distances(void *state, const cgm_tile *tile, const cgm_meeting *meeting)
{
    (void)state, (void)meeting;
    sim_owe(evaluations(tile) * sim_rate.distances);
}

cgm_status sim_pairs_visit(cgm_comm *comm, const cgm_shard *shard, const cgm_candidates *candidates,
                           const cgm_kernel *kernel, const cgm_pair_visitor *visitor)
{
    cgm_pair_visitor blind = *visitor;
    blind.tile = visit_distances;
    return cgm_pairs_visit(comm, shard, candidates, kernel, &blind);
}

void cgm_kernel_distances(const cgm_kernel *kernel, const cgm_tile *tile, double *least,
                          double *most)
{
    (void)kernel, (void)least, (void)most;
    visit_distances(NULL, tile, NULL);
}

double cgm_kernel_at(const cgm_kernel *kernel, double squared_distance)
{
    (void)kernel;
    return exp(-squared_distance);
}

void cgm_kernel_score(const cgm_kernel *kernel, const cgm_block *block,
                      const double *candidate_sums, int64_t n_scores, cgm_score *scores)
{
    sim_score(candidate_sums, block->n_points, kernel->n_features, n_scores);
    for (int64_t k = 0; k < n_scores; k++) {
        const double middle = scores[k].factor * candidate_sums[0];
        scores[k].extremes = (cgm_extremes){middle - 0.5 * SCORE_WIDTH, middle + 0.5 * SCORE_WIDTH};
    }
}

void cgm_kernel_exponential(const double *z, double *result, int64_t count)
{
    for (int64_t k = 0; k < count; k++) {
        result[k] = exp(-z[k]);
    }
}

/* What of dense.c the stages need; small as long as parties are alike in size. */
void cgm_dense_multiply(int64_t rows, int64_t columns, int64_t inner, const double *a,
                        const double *b, double *c)
{
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < columns; j++) {
            double sum = 0.0;
            for (int64_t k = 0; k < inner; k++) {
                sum += a[i * inner + k] * b[k * columns + j];
            }
            c[i * columns + j] = sum;
        }
    }
}

/* The search for a lengthscale knows of values from embeddings, which are not simulated. */
cgm_status cgm_embedding_single_values(cgm_comm *comm, const cgm_shard *shard,
                                       const cgm_candidates *candidates, const cgm_kernel *kernel,
                                       cgm_frequencies *frequencies, double *values, double *slopes)
{
    (void)shard, (void)candidates, (void)kernel, (void)frequencies, (void)values, (void)slopes;
    return cgm_fail(comm, CGM_ERR_BUG, "embeddings are not simulated");
}
