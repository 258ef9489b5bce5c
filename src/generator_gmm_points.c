#include "generator_gmm_points.h"

#include <math.h>
#include <stdlib.h>

#include "cgm/accumulator.h"
#include "cgm/kernel.h"
#include "cgm/tolerance.h"

int64_t gmm_varying_features(const cgm_spread *spread, int64_t n_features, int64_t *which)
{
    int64_t count = 0;
    for (int64_t f = 0; f < n_features; f++) {
        if (spread->range[f] > 0.0 && spread->deviation[f] > 0.0) {
            which[count++] = f;
        }
    }
    return count;
}

/* ---- the class's points ---- */

static bool is_of_class(const cgm_shard *shard, int64_t row, int64_t label)
{
    return !shard->has_labels || shard->labels[row] == label;
}

/* Numbers of local rows of a class, share by share and segment by segment, and the blocks that they
 * make; of both only how many there are while there is no room for them. local [n_local] */
static void list_rows(const cgm_shard *shard, int64_t label, int64_t *local, gmm_points *points)
{
    points->n_local = 0;
    points->n_blocks = 0;
    for (int64_t k = 0; k < shard->n_shares; k++) {
        const int64_t count = shard->share_first[k + 1] - shard->share_first[k];
        gmm_block block = {.party = shard->share_party[k]};
        for (int64_t i = 0; i < count; i++) {
            /* Shares begin with a segment. */
            block =
                i % CGM_BLOCK_POINTS == 0 ? (gmm_block){block.party, points->n_local, 0} : block;
            if (!is_of_class(shard, shard->share_first[k] + i, label)) {
                continue;
            }
            points->n_blocks += block.n_points++ == 0;
            if (local != NULL) {
                points->rows[points->n_local] = shard->share_offset[k] + i;
                points->blocks[points->n_blocks - 1] = block;
                local[points->n_local] = shard->share_first[k] + i;
            }
            points->n_local++;
        }
    }
}

/* In units of the deviation of all points. local [n_local] */
static void copy_points(const cgm_shard *shard, const cgm_spread *spread, const int64_t *which,
                        const int64_t *local, gmm_points *points)
{
    for (int64_t b = 0; b < points->n_blocks; b++) {
        const gmm_block *block = &points->blocks[b];
        double *coordinates = gmm_block_coordinates(points, block);
        for (int64_t f = 0; f < points->n_features; f++) {
            const int64_t from = which[f];
            for (int64_t i = 0; i < block->n_points; i++) {
                const double x = shard->points[local[block->first + i] * shard->n_features + from];
                coordinates[f * block->n_points + i] =
                    (x - spread->mean[from]) / spread->deviation[from];
            }
        }
    }
}

/* ---- their scale ---- */

/* Means over the class of the coordinates or, with means, of their squared difference from those.
 * result [n_features]; sums [n_features] is work space */
static void average(cgm_comm *comm, const gmm_points *points, const double *means,
                    cgm_accumulator *sums, double *result)
{
    for (int64_t f = 0; f < points->n_features; f++) {
        sums[f] = (cgm_accumulator){{0}};
        for (int64_t b = 0; b < points->n_blocks; b++) {
            const gmm_block *block = &points->blocks[b];
            const double *x = gmm_block_coordinates(points, block) + f * block->n_points;
            double sum = 0.0;
            for (int64_t i = 0; i < block->n_points; i++) {
                sum += means == NULL ? x[i] : (x[i] - means[f]) * (x[i] - means[f]);
            }
            cgm_accumulator_add(&sums[f], sum);
        }
    }
    cgm_accumulator_reduce(comm, sums, points->n_features);
    for (int64_t f = 0; f < points->n_features; f++) {
        result[f] = cgm_accumulator_value(&sums[f]) / (double)points->n_points;
    }
}

/* From units of all points to those of the class. means and scales [n_features] in the former;
 * scales comes in as variances. */
static void rescale(const cgm_spread *spread, const int64_t *which, const double *means,
                    double *scales, gmm_points *points)
{
    for (int64_t f = 0; f < points->n_features; f++) {
        const int64_t from = which[f];
        scales[f] = fmax(sqrt(scales[f]), CGM_GMM_LEAST_SCALE);
        points->centre[f] = spread->mean[from] + spread->deviation[from] * means[f];
        points->scale[f] = spread->deviation[from] * scales[f];
        points->least[f] = CGM_GMM_LEAST_VARIANCE / (scales[f] * scales[f]);
    }
    for (int64_t b = 0; b < points->n_blocks; b++) {
        const gmm_block *block = &points->blocks[b];
        double *x = gmm_block_coordinates(points, block);
        for (int64_t f = 0; f < points->n_features; f++) {
            for (int64_t i = 0; i < block->n_points; i++, x++) {
                *x = (*x - means[f]) / scales[f];
            }
        }
    }
}

/* ---- all of it ---- */

static cgm_status allocate(cgm_comm *comm, gmm_points *points, int64_t **local)
{
    const int64_t n = points->n_local;
    const int64_t d = points->n_features;
    points->blocks = cgm_alloc(comm, points->n_blocks, sizeof *points->blocks);
    points->rows = cgm_alloc(comm, n, sizeof *points->rows);
    points->coordinates = cgm_alloc_aligned(comm, n * d);
    points->centre = cgm_alloc(comm, 3 * d, sizeof *points->centre);
    *local = cgm_alloc(comm, n, sizeof **local);
    const bool complete = points->blocks != NULL && points->rows != NULL &&
                          points->coordinates != NULL && points->centre != NULL && *local != NULL;
    if (complete) {
        points->scale = points->centre + d;
        points->least = points->scale + d;
    }
    return complete ? CGM_OK : CGM_ERR_MEMORY;
}

cgm_status gmm_points_create(cgm_comm *comm, const cgm_shard *shard, const cgm_spread *spread,
                             const int64_t *which, int64_t n_which, int64_t label,
                             gmm_points *points)
{
    *points = (gmm_points){.sealed = shard->sealed, .label = label, .n_features = n_which};
    list_rows(shard, label, NULL, points);
    int64_t *local;
    cgm_status status = allocate(comm, points, &local);
    double *means = cgm_alloc(comm, 2 * n_which, sizeof *means);
    cgm_accumulator *sums = cgm_alloc(comm, n_which, sizeof *sums);
    status = cgm_agree(comm, means == NULL || sums == NULL ? CGM_ERR_MEMORY : status);
    if (status == CGM_OK) {
        list_rows(shard, label, local, points);
        copy_points(shard, spread, which, local, points);
        points->n_points = points->n_local;
        cgm_comm_sum(comm, &points->n_points, 1);
        average(comm, points, NULL, sums, means);
        average(comm, points, means, sums, means + n_which);
        rescale(spread, which, means, means + n_which, points);
    }
    free(local);
    free(means);
    free(sums);
    return status;
}

void gmm_points_destroy(gmm_points *points)
{
    free(points->blocks);
    free(points->rows);
    free(points->coordinates);
    free(points->centre);
    *points = (gmm_points){0};
}
