#include "cgm/features.h"

#include <stdlib.h>

#include "cgm/spread.h"

void cgm_features_apply(const cgm_features *features, int64_t n_points, int64_t n_features,
                        const double *from, double *to)
{
    for (int64_t i = 0; i < n_points; i++) {
        for (int64_t f = 0; f < n_features; f++) {
            const int64_t k = i * n_features + f;
            to[k] = (from[k] - features->mean[f]) / features->scale[f];
        }
    }
}

void cgm_features_invert(const cgm_features *features, int64_t n_points, int64_t n_features,
                         const double *from, double *to)
{
    for (int64_t i = 0; i < n_points; i++) {
        for (int64_t f = 0; f < n_features; f++) {
            const int64_t k = i * n_features + f;
            to[k] = features->mean[f] + features->scale[f] * from[k];
        }
    }
}

/* The scaled pool in memory of its own; where the node shares it, each of its ranks fills a part.
 */
cgm_status cgm_features_apply_to_pool(cgm_comm *comm, const cgm_features *features,
                                      cgm_candidates *candidates)
{
    const int64_t held = candidates->held_end - candidates->held_first;
    const int64_t d = candidates->n_features;
    int64_t first = 0;
    int64_t end = held;
    double *scaled;
    if (candidates->sliced) {
        scaled = cgm_alloc(comm, held * d, sizeof(double));
        cgm_status status = cgm_agree(comm, scaled == NULL ? CGM_ERR_MEMORY : CGM_OK);
        if (status != CGM_OK) {
            free(scaled);
            return status;
        }
    } else {
        cgm_status status = cgm_shared_create(comm, (size_t)(held * d) * sizeof(double),
                                              &candidates->scaled_memory);
        if (status != CGM_OK) {
            return status;
        }
        scaled = candidates->scaled_memory.data;
        first = held * comm->node_rank / comm->node_size;
        end = held * (comm->node_rank + 1) / comm->node_size;
    }
    cgm_features_apply(features, end - first, d, candidates->original + first * d,
                       scaled + first * d);
    if (!candidates->sliced) {
        cgm_shared_sync(comm, &candidates->scaled_memory);
    }
    candidates->points = scaled;
    return CGM_OK;
}

/* In place, by every node's first rank. */
static void scale_testset(cgm_comm *comm, const cgm_features *features, cgm_testset *testset)
{
    if (comm->node_rank == 0) {
        cgm_features_apply(features, testset->n_points, testset->n_features, testset->points,
                           testset->points);
    }
    cgm_shared_sync(comm, &testset->points_memory);
}

/* mean and scale from the parties' spread. */
static cgm_status fit(cgm_comm *comm, const cgm_spread *spread, int64_t n_features,
                      cgm_features *features)
{
    features->mean = cgm_alloc(comm, n_features, sizeof(double));
    features->scale = cgm_alloc(comm, n_features, sizeof(double));
    if (features->mean == NULL || features->scale == NULL) {
        return CGM_ERR_MEMORY;
    }
    const bool standard = features->scaling == CGM_SCALE_STANDARD;
    for (int64_t f = 0; f < n_features; f++) {
        const double scale = standard ? spread->deviation[f] : spread->range[f];
        features->mean[f] = standard ? spread->mean[f] : spread->low[f];
        features->scale[f] = scale > 0.0 ? scale : 1.0;
    }
    return CGM_OK;
}

cgm_status cgm_features_scale(cgm_comm *comm, cgm_features_scaling scaling, cgm_shard *shard,
                              cgm_candidates *candidates, cgm_testset *testset,
                              cgm_features *features)
{
    *features = (cgm_features){.scaling = scaling, .n_features = shard->n_features};
    if (scaling == CGM_SCALE_NONE) {
        return CGM_OK;
    }
    cgm_spread spread;
    cgm_status status = cgm_spread_measure(comm, shard, NULL, &spread);
    if (status == CGM_OK) {
        status = cgm_agree(comm, fit(comm, &spread, shard->n_features, features));
    }
    if (status == CGM_OK) {
        cgm_features_apply(features, shard->n_local_points, shard->n_features, shard->points,
                           shard->points);
        if (testset->n_points > 0) {
            scale_testset(comm, features, testset);
        }
        const bool is_there = candidates->first != NULL;
        status = is_there ? cgm_features_apply_to_pool(comm, features, candidates) : CGM_OK;
    }
    cgm_spread_destroy(&spread);
    return status;
}

void cgm_features_destroy(cgm_features *features)
{
    free(features->mean);
    free(features->scale);
    free(features->range);
    free(features->components);
    free(features->explained_variance);
    *features = (cgm_features){0};
}
