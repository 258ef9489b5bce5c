/* The authors' own trajectories: with the uniform numbers their draws consumed, the same candidates
 * are picked, by the program's own update, value and stop. Only the pick differs from a run. */
// ranks: 1 3
// timeout: 400
// without: asan valgrind
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "cgm/sampling.h"
#include "cgm/tolerance.h"
#include "harness.h"

/* A recorded trajectory. */
typedef struct trajectory {
    int64_t n_draws;
    int64_t *indices;
    double *values; /* [n_draws + 1], the start first */
    double *uniform;
    double target;
} trajectory;

static cgm_status read_trajectory(const test_case *golden, const char *path, trajectory *recorded)
{
    char name[512];
    cgm_h5_info info = {0};
    snprintf(name, sizeof name, "%s/u", path);
    recorded->uniform = cgm_h5_read(&golden->file, name, NULL, CGM_H5_DOUBLE, &info);
    snprintf(name, sizeof name, "%s/indices", path);
    recorded->indices = cgm_h5_read(&golden->file, name, NULL, CGM_H5_INT64, NULL);
    snprintf(name, sizeof name, "%s/mus", path);
    recorded->values = cgm_h5_read(&golden->file, name, NULL, CGM_H5_DOUBLE, NULL);
    recorded->n_draws = info.count;
    if (recorded->uniform == NULL || recorded->indices == NULL || recorded->values == NULL) {
        return CGM_ERR_INPUT;
    }
    return cgm_h5_read_scalar(&golden->file, path, "target", CGM_H5_DOUBLE, &recorded->target);
}

/* Does the chain follow the record to its end and stop there? */
static bool follows(const cgm_chain *chain, const trajectory *recorded)
{
    bool same = chain->n_draws == recorded->n_draws;
    for (int64_t k = 0; same && k < recorded->n_draws; k++) {
        same = chain->indices[k] == recorded->indices[k] &&
               fabs(chain->values[k] - recorded->values[k + 1]) <= CGM_TEST_REPLAY_VALUE;
    }
    return same;
}

/* What a party's chains start with. */
typedef struct replayed {
    const test_case *golden;
    const cgm_sampling_pool *pool;
    int64_t party;
    const double *affinity; /* [n_candidates] */
    double *weights;        /* [n_blocks] */
} replayed;

/* Draws with the recorded uniform numbers until the chain ends, and one draw more than recorded at
 * the most. */
static cgm_status draw_recorded(cgm_comm *comm, const replayed *from, const trajectory *recorded,
                                cgm_chain *chain)
{
    cgm_status status = CGM_OK;
    while (status == CGM_OK && !cgm_chain_is_finished(chain) &&
           chain->n_draws <= recorded->n_draws) {
        const bool beyond = chain->n_draws == recorded->n_draws;
        const double uniform = beyond ? 0.5 : recorded->uniform[chain->n_draws];
        cgm_chain_weights(chain, from->weights);
        status = cgm_chain_add(comm, chain, cgm_chain_locate(chain, from->weights, uniform));
    }
    return status;
}

static bool replay(cgm_comm *comm, const replayed *from, const char *condition, int inv_temp)
{
    char path[256];
    trajectory recorded = {0};
    cgm_chain chain = {0};
    const cgm_kernel_sums *sums = &from->golden->sums;
    snprintf(path, sizeof path, "/output/sampling/%s/inv_temp_%d/party_%d", condition, inv_temp,
             (int)from->party);
    bool same = read_trajectory(from->golden, path, &recorded) == CGM_OK &&
                cgm_chain_create(comm, from->pool, &chain) == CGM_OK;
    if (same) {
        const cgm_chain_start start = {.own_sum = sums->own_sums[from->party],
                                       .reference_sum = sums->reference_sums[from->party],
                                       .n_own = sums->party_points[from->party],
                                       .inv_temp = inv_temp,
                                       .target = recorded.target,
                                       .patience = 0.1,
                                       .name = "unused"};
        memcpy(chain.affinity, from->affinity,
               (size_t)from->pool->n_candidates * sizeof *chain.affinity);
        cgm_chain_begin(&chain, &start);
        cgm_chain_sweep(comm, &chain, NULL);
        same = fabs(chain.value - recorded.values[0]) <= CGM_TEST_REPLAY_VALUE &&
               draw_recorded(comm, from, &recorded, &chain) == CGM_OK && follows(&chain, &recorded);
    }
    if (!same) {
        print_message("%s leaves the record\n", path);
    }
    cgm_chain_destroy(&chain);
    free(recorded.uniform);
    free(recorded.indices);
    free(recorded.values);
    return same;
}

/* Each rank replays the parties at home on it. */
static void check_case(cgm_comm *comm, const char *name, bool individual_too)
{
    test_case golden;
    cgm_sampling_pool pool;
    case_open(comm, name, "/output/lengthscale", NULL, &golden);
    case_sums(comm, &golden);
    assert_all_ranks(comm, cgm_sampling_pool_create(comm, &golden.candidates, &golden.kernel,
                                                    &golden.sums, &pool) == CGM_OK);
    const cgm_shard *shard = &golden.shard;
    double *affinity = malloc((size_t)pool.n_candidates * sizeof *affinity);
    double *weights = malloc((size_t)pool.n_blocks * sizeof *weights);
    bool same = affinity != NULL && weights != NULL && shard->whole;
    for (int64_t local = 0; same && local < shard->n_shares; local++) {
        const int64_t first = shard->share_first[local];
        const replayed from = {&golden, &pool, shard->share_party[local], affinity, weights};
        memset(affinity, 0, (size_t)pool.n_candidates * sizeof *affinity);
        same = cgm_sampling_add_affinity(comm, &pool, shard->points + first * shard->n_features,
                                         shard->share_first[local + 1] - first, affinity) == CGM_OK;
        for (int inv_temp = 1; inv_temp <= 8; inv_temp *= 2) {
            same &= replay(comm, &from, "stable", inv_temp);
            if (individual_too) {
                same &= replay(comm, &from, "all", inv_temp);
            }
        }
    }
    assert_all_ranks(comm, same);
    free(affinity);
    free(weights);
    case_close(&golden);
}

static void test_tiny5(void **state)
{
    check_case(*state, "golden/tiny5.h5", true);
}

static void test_tiny5u(void **state)
{
    check_case(*state, "golden/tiny5u.h5", true);
}

static void test_small5f(void **state)
{
    check_case(*state, "golden/small5f.h5", true);
}

static void test_small5fu(void **state)
{
    check_case(*state, "golden/small5fu.h5", true);
}

static void test_paper5(void **state)
{
    check_case(*state, "golden/paper5.h5", false);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiny5),   cmocka_unit_test(test_tiny5u),
        cmocka_unit_test(test_small5f), cmocka_unit_test(test_small5fu),
        cmocka_unit_test(test_paper5),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
