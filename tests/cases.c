#include "cases.h"

#include <stdio.h>
#include <stdlib.h>

#include "cgm/rng.h"
#include "harness.h"

/* What the stages need beyond the points. */
static void measure(cgm_comm *comm, test_case *case_data)
{
    assert_all_ranks(comm, cgm_layout_create(comm, &case_data->shard, &case_data->candidates,
                                             &case_data->layout) == CGM_OK);
    assert_all_ranks(comm,
                     cgm_spread_measure(comm, &case_data->layout, &case_data->shard,
                                        &case_data->candidates, &case_data->spread) == CGM_OK);
    case_data->kernel = (cgm_kernel){.type = CGM_KERNEL_SE,
                                     .n_features = case_data->shard.n_features,
                                     .centre = case_data->spread.centre};
}

void case_open(cgm_comm *comm, const char *name, const char *lengthscale, const char *attribute,
               test_case *case_data)
{
    *case_data = (test_case){0};
    harness_shared(case_data->path, sizeof case_data->path, name);
    assert_all_ranks(comm, cgm_h5_open(comm, case_data->path, &case_data->file) == CGM_OK);
    assert_all_ranks(comm, cgm_shard_read(comm, case_data->path, &case_data->shard) == CGM_OK);
    assert_all_ranks(comm, cgm_candidates_read(comm, case_data->path, case_data->shard.n_features,
                                               &case_data->candidates) == CGM_OK);
    measure(comm, case_data);
    case_data->kernel.lengthscale = case_number(comm, case_data, lengthscale, attribute);
}

void case_point(int64_t party, int64_t row, int64_t n_features, double *point)
{
    const cgm_rng rng = {5, (uint64_t)party, CGM_RNG_SIMULATE};
    for (int64_t f = 0; f < n_features; f++) {
        uint64_t words[4];
        cgm_rng_words(&rng, (uint64_t)row, (uint64_t)f, 0, words);
        point[f] = cgm_rng_uniform(words[0]);
    }
}

static void fill_points(int64_t party, int64_t count, int64_t n_features, double *points)
{
    for (int64_t i = 0; i < count; i++) {
        case_point(party, i, n_features, points + i * n_features);
    }
}

/* This rank's share of the made-up parties. */
static void make_shard(cgm_comm *comm, int64_t n_parties, const int64_t *sizes, int64_t n_features,
                       cgm_shard *shard)
{
    const size_t n = (size_t)n_parties;
    shard->n_parties = n_parties;
    shard->n_features = n_features;
    shard->names = calloc(n, sizeof(char *));
    shard->party_points = calloc(n, sizeof(int64_t));
    shard->checksums = calloc(n, sizeof(uint64_t));
    shard->first_party = calloc((size_t)comm->size + 1, sizeof(int64_t));
    shard->local_first = calloc(n + 1, sizeof(int64_t));
    for (int64_t i = 0; i < n_parties; i++) {
        const int64_t home = (2 * i + 1) * comm->size / (2 * n_parties);
        for (int64_t r = home; r < comm->size; r++) {
            shard->first_party[r + 1] = i + 1;
        }
        shard->names[i] = calloc(1, 32);
        snprintf(shard->names[i], 32, "party%d", (int)i + 1);
        shard->party_points[i] = sizes[i];
        shard->n_points += sizes[i];
        if (home == comm->rank) {
            shard->n_local_points += sizes[i];
            shard->local_first[++shard->n_local_parties] = shard->n_local_points;
        }
    }
    const size_t values = (size_t)(shard->n_local_points * n_features);
    shard->points = calloc(values > 0 ? values : 1, sizeof(double));
    for (int64_t i = 0; i < shard->n_local_parties; i++) {
        fill_points(shard->first_party[comm->rank] + i,
                    shard->local_first[i + 1] - shard->local_first[i], n_features,
                    shard->points + shard->local_first[i] * n_features);
    }
}

void case_make(cgm_comm *comm, int64_t n_parties, const int64_t *sizes, int64_t n_features,
               int64_t n_candidates, double lengthscale, test_case *case_data)
{
    *case_data = (test_case){0};
    make_shard(comm, n_parties, sizes, n_features, &case_data->shard);
    cgm_candidates *pool = &case_data->candidates;
    const size_t bytes = (size_t)(n_candidates * n_features) * sizeof(double);
    assert_all_ranks(comm, cgm_shared_create(comm, bytes, &pool->points_memory) == CGM_OK);
    pool->n_points = n_candidates;
    pool->n_features = n_features;
    pool->original = pool->points_memory.data;
    pool->points = pool->original;
    if (comm->node_rank == 0) {
        fill_points(n_parties, n_candidates, n_features, pool->points);
    }
    cgm_shared_sync(comm, &pool->points_memory);
    measure(comm, case_data);
    case_data->kernel.lengthscale = lengthscale;
}

void case_sums(cgm_comm *comm, test_case *case_data)
{
    assert_all_ranks(comm, cgm_kernel_sums_compute(comm, &case_data->layout, &case_data->shard,
                                                   &case_data->candidates, &case_data->kernel,
                                                   &case_data->sums) == CGM_OK);
}

double *case_read(cgm_comm *comm, const test_case *case_data, const char *path,
                  const char *attribute)
{
    double *data = cgm_h5_read(&case_data->file, path, attribute, CGM_H5_DOUBLE, NULL);
    assert_all_ranks(comm, data != NULL);
    return data;
}

double case_number(cgm_comm *comm, const test_case *case_data, const char *path,
                   const char *attribute)
{
    double *data = case_read(comm, case_data, path, attribute);
    double number = data[0];
    free(data);
    return number;
}

void case_close(test_case *case_data)
{
    cgm_kernel_sums_destroy(&case_data->sums);
    cgm_spread_destroy(&case_data->spread);
    cgm_layout_destroy(&case_data->layout);
    cgm_candidates_destroy(&case_data->candidates);
    cgm_shard_destroy(&case_data->shard);
    cgm_h5_close(&case_data->file);
}
