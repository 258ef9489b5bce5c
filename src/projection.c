#include "cgm/projection.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/points.h"
#include "cgm/spread.h"
#include "cgm/tolerance.h"
#include "projection_covariance.h"

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

cgm_status cgm_projection_check(cgm_comm *comm, int64_t n_components, int64_t n_features,
                                int64_t n_points)
{
    if (n_components > n_features) {
        return cgm_fail(comm, CGM_ERR_USAGE,
                        "features.components = %lld: the points have %lld features; give no more "
                        "components than that",
                        (long long)n_components, (long long)n_features);
    }
    if (n_components > n_points - 1) {
        return cgm_fail(comm, CGM_ERR_USAGE,
                        "features.components = %lld: the parties have %lld points together, which "
                        "vary in at most one direction less; give no more components than that",
                        (long long)n_components, (long long)n_points);
    }
    return CGM_OK;
}

/* ---- what is fitted ---- */

static cgm_status allocate(cgm_comm *comm, const cgm_shard *shard, const cgm_spread *spread,
                           const cgm_projection_rules *rules, cgm_features *features)
{
    const int64_t d = shard->n_features;
    features->mean = cgm_alloc(comm, d, sizeof(double));
    features->scale = cgm_alloc(comm, d, sizeof(double));
    features->range = cgm_alloc(comm, d, sizeof(double));
    features->components = cgm_alloc(comm, rules->n_components * d, sizeof(double));
    features->explained_variance = cgm_alloc(comm, rules->n_components, sizeof(double));
    if (features->mean == NULL || features->scale == NULL || features->range == NULL ||
        features->components == NULL || features->explained_variance == NULL) {
        return CGM_ERR_MEMORY;
    }
    for (int64_t f = 0; f < d; f++) {
        const double scale = rules->scaling == CGM_SCALE_STANDARD ? spread->deviation[f]
                             : rules->scaling == CGM_SCALE_MINMAX ? spread->range[f]
                                                                  : 1.0;
        features->mean[f] = spread->mean[f];
        features->scale[f] = scale > 0.0 ? scale : 1.0;
        features->range[f] = spread->range[f];
    }
    return CGM_OK;
}

/* The sign that makes the largest number positive; as large are those that rounding may tell
 * apart, and of these the first counts. */
static void orient(int64_t d, double *component)
{
    double largest = 0.0;
    for (int64_t f = 0; f < d; f++) {
        largest = fmax(largest, fabs(component[f]));
    }
    int64_t first = 0;
    while (fabs(component[first]) < (1.0 - CGM_EQUAL_MAGNITUDE) * largest) {
        first++;
    }
    const double sign = component[first] < 0.0 ? -1.0 : 1.0;
    for (int64_t f = 0; f < d; f++) {
        component[f] *= sign;
    }
}

/* Collective. Components and their variances; widest: the unit of the covariance matrix. */
static cgm_status find_components(cgm_comm *comm, const cgm_symmetric *matrix, double widest,
                                  const cgm_projection_rules *rules, cgm_features *features)
{
    const int64_t d = matrix->n;
    double *values = cgm_alloc(comm, d, sizeof *values);
    cgm_status status = cgm_agree(comm, values != NULL ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        status = cgm_dense_leading(comm, matrix, rules->solver, rules->n_components, values,
                                   features->components);
    }
    for (int64_t k = 0; k < d && status == CGM_OK; k++) {
        features->total_variance += fmax(values[k], 0.0) * widest * widest;
    }
    for (int64_t k = 0; k < rules->n_components && status == CGM_OK; k++) {
        double *component = features->components + k * d;
        const bool varies = values[k] > CGM_ZERO_VARIANCE * values[0];
        features->explained_variance[k] = varies ? values[k] * widest * widest : 0.0;
        if (varies) {
            orient(d, component);
        } else {
            memset(component, 0, (size_t)d * sizeof *component);
        }
    }
    free(values);
    return status;
}

/* Collective. */
static cgm_status fit(cgm_comm *comm, const cgm_projection_rules *rules, const cgm_shard *shard,
                      cgm_features *features)
{
    cgm_spread spread;
    projection_covariance covariance = {0};
    cgm_status status = cgm_spread_measure(comm, shard, NULL, &spread);
    if (status == CGM_OK) {
        status = cgm_agree(comm, allocate(comm, shard, &spread, rules, features));
    }
    if (status == CGM_OK) {
        status = projection_covariance_measure(comm, shard, features, &covariance);
    }
    if (status == CGM_OK) {
        const cgm_symmetric matrix = projection_covariance_entries(&covariance);
        status = find_components(comm, &matrix, covariance.widest, rules, features);
    }
    projection_covariance_destroy(&covariance);
    cgm_spread_destroy(&spread);
    return status;
}

double cgm_projection_unit(const cgm_features *features, int64_t component)
{
    const double variance = features->explained_variance[component];
    return features->whiten && variance > 0.0 ? sqrt(variance) : 1.0;
}

/* ---- points projected ---- */

/* Points go through it CGM_BLOCK_POINTS at a time, from an owner's start: a product's last digits
 * may depend on how many rows it has. */
typedef struct projector {
    cgm_comm *comm;
    const cgm_features *features;
    int64_t n_components;
    double *loadings; /* [n_features][n_components] components, divided by deviations */
    double *block;    /* [CGM_BLOCK_POINTS][n_features] */
} projector;

static cgm_status create_projector(cgm_comm *comm, const cgm_features *features, projector *by)
{
    const int64_t d = features->n_features;
    const int64_t k = features->n_components;
    *by = (projector){.comm = comm, .features = features, .n_components = k};
    by->loadings = cgm_alloc(comm, d * k, sizeof(double));
    by->block = cgm_alloc(comm, CGM_BLOCK_POINTS * d, sizeof(double));
    if (by->loadings == NULL || by->block == NULL) {
        return CGM_ERR_MEMORY;
    }
    for (int64_t c = 0; c < k; c++) {
        const double deviation = cgm_projection_unit(features, c);
        for (int64_t f = 0; f < d; f++) {
            by->loadings[f * k + c] = features->components[c * d + f] / deviation;
        }
    }
    return CGM_OK;
}

static void destroy_projector(projector *by)
{
    free(by->loadings);
    free(by->block);
}

/* Points from [n_points][n_features] to [n_points][n_components]; first: the number of the first
 * one, among those of owner. */
static cgm_status project(const projector *by, const char *owner, int64_t first, int64_t n_points,
                          const double *from, double *to)
{
    const int64_t d = by->features->n_features;
    const int64_t k = by->n_components;
    for (int64_t done = 0; done < n_points; done += CGM_BLOCK_POINTS) {
        const int64_t count = least(n_points - done, CGM_BLOCK_POINTS);
        cgm_features_apply(by->features, count, d, from + done * d, by->block);
        cgm_dense_multiply(count, k, d, by->block, by->loadings, to + done * k);
        for (int64_t p = done * k; p < (done + count) * k; p++) {
            /* False for NaN as well. */
            if (!(fabs(to[p]) <= CGM_POINTS_LARGEST)) {
                const int64_t row = first + p / k;
                return cgm_fail(by->comm, CGM_ERR_INPUT,
                                "%s, row %lld (counted from 0): the point lies too far from those "
                                "of the parties to be projected; repair or remove it",
                                owner, (long long)row);
            }
        }
    }
    return CGM_OK;
}

static cgm_status project_shard(const projector *by, cgm_shard *shard)
{
    const int64_t d = shard->n_features;
    const int64_t k = by->n_components;
    double *points = cgm_alloc(by->comm, shard->n_local_points, (size_t)k * sizeof *points);
    cgm_status status = points != NULL ? CGM_OK : CGM_ERR_MEMORY;
    for (int64_t s = 0; s < shard->n_shares && status == CGM_OK; s++) {
        const int64_t first = shard->share_first[s];
        char owner[256];
        snprintf(owner, sizeof owner, "party '%.200s'", shard->names[shard->share_party[s]]);
        status = project(by, owner, shard->share_offset[s], shard->share_first[s + 1] - first,
                         shard->points + first * d, points + first * k);
    }
    if (status != CGM_OK) {
        free(points);
        return status;
    }
    free(shard->points);
    shard->points = points;
    shard->n_features = k;
    return CGM_OK;
}

/* Collective. In memory of its own; where the node shares it, each of its ranks fills in some
 * blocks. */
static cgm_status project_pool(const projector *by, cgm_candidates *candidates)
{
    cgm_comm *comm = by->comm;
    const int64_t held = candidates->held_end - candidates->held_first;
    const int64_t blocks = (held + CGM_BLOCK_POINTS - 1) / CGM_BLOCK_POINTS;
    const int64_t k = by->n_components;
    int64_t first = 0;
    int64_t end = held;
    cgm_status status;
    double *points;
    if (candidates->sliced) {
        points = cgm_alloc(comm, held, (size_t)k * sizeof *points);
        status = cgm_agree(comm, points != NULL ? CGM_OK : CGM_ERR_MEMORY);
    } else {
        status = cgm_shared_create(comm, (size_t)(held * k) * sizeof *points,
                                   &candidates->scaled_memory);
        points = candidates->scaled_memory.data;
        first = blocks * comm->node_rank / comm->node_size * CGM_BLOCK_POINTS;
        end = least(blocks * (comm->node_rank + 1) / comm->node_size * CGM_BLOCK_POINTS, held);
    }
    if (status == CGM_OK) {
        status = cgm_agree(
            comm, project(by, "the pool of candidates", candidates->held_first + first, end - first,
                          candidates->original + first * candidates->n_original_features,
                          points + first * k));
    }
    if (status != CGM_OK) {
        if (candidates->sliced) {
            free(points);
        }
        return status;
    }
    if (!candidates->sliced) {
        cgm_shared_sync(comm, &candidates->scaled_memory);
    }
    candidates->points = points;
    candidates->n_features = k;
    return CGM_OK;
}

/* Collective. By every node's first rank. */
static cgm_status project_testset(const projector *by, cgm_testset *testset)
{
    cgm_comm *comm = by->comm;
    const int64_t k = by->n_components;
    cgm_shared memory = {0};
    cgm_status status =
        cgm_shared_create(comm, (size_t)(testset->n_points * k) * sizeof(double), &memory);
    if (status == CGM_OK) {
        const bool works = comm->node_rank == 0;
        status = cgm_agree(comm, works ? project(by, "the test points", 0, testset->n_points,
                                                 testset->points, memory.data)
                                       : CGM_OK);
    }
    if (status != CGM_OK) {
        cgm_shared_destroy(&memory);
        return status;
    }
    cgm_shared_sync(comm, &memory);
    cgm_shared_destroy(&testset->points_memory);
    testset->points_memory = memory;
    testset->points = memory.data;
    testset->n_features = k;
    return CGM_OK;
}

cgm_status cgm_projection_points(cgm_comm *comm, const cgm_features *features, const char *owner,
                                 int64_t n_points, const double *from, double *to)
{
    projector by;
    cgm_status status = create_projector(comm, features, &by);
    if (status == CGM_OK) {
        status = project(&by, owner, 0, n_points, from, to);
    }
    destroy_projector(&by);
    return status;
}

cgm_status cgm_projection_apply(cgm_comm *comm, const cgm_projection_rules *rules, cgm_shard *shard,
                                cgm_candidates *candidates, cgm_testset *testset,
                                cgm_features *features)
{
    const bool is_there = candidates->first != NULL;
    *features = (cgm_features){.scaling = rules->scaling,
                               .n_features = shard->n_features,
                               .n_components = rules->n_components,
                               .whiten = rules->whiten,
                               .pool_projected = !is_there || candidates->is_projected};
    projector by = {0};
    cgm_status status = cgm_agree(
        comm, cgm_projection_check(comm, rules->n_components, shard->n_features, shard->n_points));
    if (status == CGM_OK) {
        status = fit(comm, rules, shard, features);
    }
    if (status == CGM_OK) {
        status = cgm_agree(comm, create_projector(comm, features, &by));
    }
    if (status == CGM_OK) {
        status = cgm_agree(comm, project_shard(&by, shard));
    }
    if (status == CGM_OK && testset->n_points > 0) {
        status = project_testset(&by, testset);
    }
    if (status == CGM_OK && !features->pool_projected) {
        status = project_pool(&by, candidates);
    }
    destroy_projector(&by);
    return status;
}
