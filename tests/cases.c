#include "cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/rng.h"
#include "harness.h"

/* What the stages need beyond the points. */
static void measure(cgm_comm *comm, test_case *case_data)
{
    assert_all_ranks(comm, cgm_spread_measure(comm, &case_data->shard, &case_data->candidates,
                                              &case_data->spread) == CGM_OK);
    case_data->kernel = (cgm_kernel){.type = CGM_KERNEL_SE,
                                     .instruction_set = cgm_instruction_set_best(),
                                     .n_features = case_data->shard.n_features,
                                     .centre = case_data->spread.pool_centre};
}

void case_open(cgm_comm *comm, const char *name, const char *lengthscale, const char *attribute,
               test_case *case_data)
{
    *case_data = (test_case){0};
    harness_shared(case_data->path, sizeof case_data->path, name);
    assert_all_ranks(comm, cgm_h5_open(comm, case_data->path, &case_data->file) == CGM_OK);
    assert_all_ranks(comm, cgm_shard_read(comm, case_data->path, &case_data->shard) == CGM_OK);
    assert_all_ranks(comm, cgm_candidates_read(comm, case_data->path, &case_data->shard,
                                               CGM_POOL_NODE, &case_data->candidates) == CGM_OK);
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

static void fill_points(int64_t party, int64_t first, int64_t count, int64_t n_features,
                        double *points)
{
    for (int64_t i = 0; i < count; i++) {
        case_point(party, first + i, n_features, points + i * n_features);
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
    for (int64_t i = 0; i < n_parties; i++) {
        shard->names[i] = calloc(1, 32);
        snprintf(shard->names[i], 32, "party%d", (int)i + 1);
        shard->party_points[i] = sizes[i];
        shard->n_points += sizes[i];
    }
    assert_all_ranks(comm, cgm_shard_place(comm, false, shard) == CGM_OK);
    const size_t values = (size_t)(shard->n_local_points * n_features);
    shard->points = calloc(values > 0 ? values : 1, sizeof(double));
    for (int64_t k = 0; k < shard->n_shares; k++) {
        fill_points(shard->share_party[k], shard->share_offset[k],
                    shard->share_first[k + 1] - shard->share_first[k], n_features,
                    shard->points + shard->share_first[k] * n_features);
    }
}

static void make_case(cgm_comm *comm, int64_t n_parties, const int64_t *sizes, int64_t n_features,
                      int64_t n_candidates, bool sliced, bool sealed, double lengthscale,
                      test_case *case_data)
{
    *case_data = (test_case){.shard = {.sealed = sealed}};
    make_shard(comm, n_parties, sizes, n_features, &case_data->shard);
    cgm_candidates *pool = &case_data->candidates;
    const cgm_candidates_shape shape = {.n_points = n_candidates};
    assert_all_ranks(comm, cgm_candidates_create(comm, &case_data->shard, &shape, sliced, pool) ==
                               CGM_OK);
    if (sliced || comm->node_rank == 0) {
        fill_points(n_parties, pool->held_first, pool->held_end - pool->held_first, n_features,
                    pool->original);
    }
    if (!sliced) {
        cgm_shared_sync(comm, &pool->points_memory);
    }
    measure(comm, case_data);
    case_data->kernel.lengthscale = lengthscale;
}

void case_make(cgm_comm *comm, int64_t n_parties, const int64_t *sizes, int64_t n_features,
               int64_t n_candidates, double lengthscale, test_case *case_data)
{
    make_case(comm, n_parties, sizes, n_features, n_candidates, false, false, lengthscale,
              case_data);
}

void case_make_sealed(cgm_comm *comm, int64_t n_parties, const int64_t *sizes, int64_t n_features,
                      int64_t n_candidates, double lengthscale, test_case *case_data)
{
    make_case(comm, n_parties, sizes, n_features, n_candidates, false, true, lengthscale,
              case_data);
}

void case_make_sliced(cgm_comm *comm, int64_t n_parties, const int64_t *sizes, int64_t n_features,
                      int64_t n_candidates, double lengthscale, test_case *case_data)
{
    make_case(comm, n_parties, sizes, n_features, n_candidates, true, false, lengthscale,
              case_data);
}

void case_sums(cgm_comm *comm, test_case *case_data)
{
    assert_all_ranks(comm, cgm_kernel_sums_compute(comm, &case_data->shard, &case_data->candidates,
                                                   &case_data->kernel, &case_data->sums) == CGM_OK);
}

void case_embed(cgm_comm *comm, test_case *case_data, int64_t n_frequencies, bool orthogonal,
                double epsilon, uint64_t seed, cgm_embedding *embedding)
{
    const cgm_embedding_options options = {n_frequencies, orthogonal, epsilon, 1e-6, seed};
    cgm_kernel_sums_destroy(&case_data->sums);
    assert_all_ranks(comm, cgm_embedding_create(comm, &case_data->shard, case_data->kernel.type,
                                                &options, embedding) == CGM_OK);
    assert_all_ranks(comm, cgm_embedding_measure(comm, &case_data->shard, &case_data->kernel, NULL,
                                                 embedding) == CGM_OK);
    assert_all_ranks(comm, cgm_embedding_sums(comm, &case_data->shard, &case_data->candidates,
                                              &case_data->kernel, NULL, embedding,
                                              &case_data->sums) == CGM_OK);
}

double *case_party_sums(cgm_comm *comm, const cgm_kernel_sums *sums)
{
    const int64_t n = sums->n_parties;
    double *all = calloc((size_t)(n * n), sizeof(double));
    assert_all_ranks(comm, all != NULL);
    const int64_t first = sums->first_row[comm->rank];
    const int64_t rows = sums->first_row[comm->rank + 1] - first;
    memcpy(all + first * n, sums->party_sums, (size_t)(rows * n) * sizeof(double));
    cgm_comm_all_gather(comm, all, sums->first_row, (size_t)n * sizeof(double));
    return all;
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
    cgm_candidates_destroy(&case_data->candidates);
    cgm_shard_destroy(&case_data->shard);
    cgm_h5_close(&case_data->file);
}
