#include "projection_covariance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/accumulator.h"
#include "cgm/kernel.h"

/* A panel of the matrix while it is added up: some rows, from their diagonal on. */
typedef struct panel {
    const cgm_shard *shard;
    const cgm_features *features;
    int64_t first, n_rows;
    double *block;         /* [CGM_BLOCK_POINTS][n_features] points in units of the ranges */
    double *product;       /* [n_rows][n_features - first] of a block */
    cgm_accumulator *sums; /* [n_rows][n_features - first] */
} panel;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Local points from row on, features from the panel's first on, less their means and over their
 * ranges: at most 1 in magnitude, as the accumulators need it. */
static void load_block(const panel *of, int64_t row, int64_t count)
{
    const int64_t d = of->shard->n_features;
    for (int64_t i = 0; i < count; i++) {
        const double *point = of->shard->points + (row + i) * d;
        double *to = of->block + i * d;
        for (int64_t f = of->first; f < d; f++) {
            const double range = of->features->range[f];
            to[f] = range > 0.0 ? (point[f] - of->features->mean[f]) / range : 0.0;
        }
    }
}

static void add_block(const panel *of, int64_t row, int64_t count)
{
    const int64_t d = of->shard->n_features;
    const int64_t columns = d - of->first;
    load_block(of, row, count);
    cgm_dense_multiply_columns(of->n_rows, columns, count, of->block + of->first,
                               of->block + of->first, d, of->product);
    for (int64_t i = 0; i < of->n_rows; i++) {
        for (int64_t j = i; j < columns; j++) {
            cgm_accumulator_add(&of->sums[i * columns + j], of->product[i * columns + j]);
        }
    }
}

/* Collective. */
static void add_up(cgm_comm *comm, const panel *of)
{
    const cgm_shard *shard = of->shard;
    const int64_t count = of->n_rows * (shard->n_features - of->first);
    memset(of->sums, 0, (size_t)count * sizeof *of->sums);
    for (int64_t s = 0; s < shard->n_shares; s++) {
        const int64_t end = shard->share_first[s + 1];
        for (int64_t row = shard->share_first[s]; row < end; row += CGM_BLOCK_POINTS) {
            add_block(of, row, least(end - row, CGM_BLOCK_POINTS));
        }
    }
    cgm_accumulator_reduce(comm, of->sums, count);
}

/* From a panel's sums to rows and columns of the matrix. */
static void store(const panel *of, double widest, double *matrix)
{
    const int64_t d = of->shard->n_features;
    const cgm_features *features = of->features;
    for (int64_t i = of->first; i < of->first + of->n_rows; i++) {
        const double row_unit = features->range[i] / features->scale[i] / widest;
        for (int64_t j = i; j < d; j++) {
            const double unit = features->range[j] / features->scale[j] / widest;
            const double sum =
                cgm_accumulator_value(&of->sums[(i - of->first) * (d - of->first) + j - of->first]);
            matrix[i * d + j] = sum / (double)(of->shard->n_points - 1) * row_unit * unit;
            matrix[j * d + i] = matrix[i * d + j];
        }
    }
}

static double find_widest(const cgm_features *features)
{
    double widest = 0.0;
    for (int64_t f = 0; f < features->n_features; f++) {
        widest = fmax(widest, features->range[f] / features->scale[f]);
    }
    return widest > 0.0 ? widest : 1.0;
}

cgm_status projection_covariance_measure(cgm_comm *comm, const cgm_shard *shard,
                                         const cgm_features *features,
                                         projection_covariance *covariance)
{
    const int64_t d = shard->n_features;
    const int64_t rows = least(d, PROJECTION_PANEL);
    *covariance = (projection_covariance){.n_features = d, .widest = find_widest(features)};
    panel of = {.shard = shard, .features = features};
    of.block = cgm_alloc(comm, CGM_BLOCK_POINTS * d, sizeof *of.block);
    of.product = cgm_alloc(comm, rows * d, sizeof *of.product);
    of.sums = cgm_alloc(comm, rows * d, sizeof *of.sums);
    bool refused = of.block == NULL || of.product == NULL || of.sums == NULL;
    cgm_status status = cgm_agree(comm, refused ? CGM_ERR_MEMORY : CGM_OK);
    if (status == CGM_OK) {
        status = cgm_shared_create(comm, (size_t)(d * d) * sizeof(double), &covariance->memory);
    }
    covariance->matrix = covariance->memory.data;
    for (; of.first < d && status == CGM_OK; of.first += rows) {
        of.n_rows = least(d - of.first, rows);
        add_up(comm, &of);
        if (comm->node_rank == 0) {
            store(&of, covariance->widest, covariance->matrix);
        }
    }
    if (status == CGM_OK) {
        cgm_shared_sync(comm, &covariance->memory);
    }
    free(of.block);
    free(of.product);
    free(of.sums);
    return status;
}

static void fill(const void *state, int64_t first_row, int64_t n_rows, int64_t first_column,
                 int64_t n_columns, double *entries)
{
    const projection_covariance *covariance = state;
    for (int64_t i = 0; i < n_rows; i++) {
        memcpy(entries + i * n_columns,
               covariance->matrix + (first_row + i) * covariance->n_features + first_column,
               (size_t)n_columns * sizeof *entries);
    }
}

cgm_symmetric projection_covariance_entries(const projection_covariance *covariance)
{
    return (cgm_symmetric){covariance->n_features, covariance, fill};
}

void projection_covariance_destroy(projection_covariance *covariance)
{
    cgm_shared_destroy(&covariance->memory);
    *covariance = (projection_covariance){0};
}
