#include "games.h"

#include <math.h>
#include <stdlib.h>

#include "cgm/rng.h"
#include "harness.h"

enum { POOL = 100 };

static double uniform_number(uint64_t seed, uint64_t k, uint64_t which)
{
    const cgm_rng rng = {seed, which, CGM_RNG_SIMULATE};
    uint64_t words[4];
    cgm_rng_words(&rng, k, 0, 0, words);
    return cgm_rng_uniform(words[0]);
}

void game_mixed_sizes(int64_t n_parties, double largest, uint64_t seed, int64_t *sizes)
{
    for (int64_t i = 0; i < n_parties; i++) {
        sizes[i] = (int64_t)pow(largest, uniform_number(seed, (uint64_t)i, 3));
    }
}

void game_create(cgm_comm *comm, int64_t n_parties, const int64_t *sizes, uint64_t seed,
                 test_game *game)
{
    const int64_t n = n_parties;
    cgm_kernel_sums *sums = &game->sums;
    *game = (test_game){.sizes = calloc((size_t)n, sizeof(int64_t))};
    *sums = (cgm_kernel_sums){.n_parties = n,
                              .n_candidates = POOL,
                              .n_reference = POOL,
                              .party_points = game->sizes,
                              .diagonal = 1.0};
    sums->party_sums = calloc((size_t)(n * n), sizeof(double));
    sums->reference_sums = calloc((size_t)n, sizeof(double));
    sums->party_candidate_sums = calloc((size_t)n, sizeof(double));
    assert_all_ranks(comm, game->sizes != NULL && sums->party_sums != NULL &&
                               sums->reference_sums != NULL && sums->party_candidate_sums != NULL);
    for (int64_t i = 0; i < n; i++) {
        game->sizes[i] = sizes[i];
        sums->n_reference += sizes[i];
    }
    for (int64_t i = 0; i < n; i++) {
        const double x = uniform_number(seed, (uint64_t)i, 1);
        const double y = uniform_number(seed, (uint64_t)i, 2);
        double mean = 0.0;
        for (int64_t j = 0; j < n; j++) {
            const double dx = x - uniform_number(seed, (uint64_t)j, 1);
            const double dy = y - uniform_number(seed, (uint64_t)j, 2);
            const double k = exp(-(dx * dx + dy * dy));
            mean += k / (double)n;
            sums->party_sums[i * n + j] = k * (double)sizes[i] * (double)sizes[j];
            sums->reference_sums[i] += sums->party_sums[i * n + j];
        }
        sums->party_candidate_sums[i] = (double)sizes[i] * POOL * mean;
        sums->reference_sums[i] += sums->party_candidate_sums[i];
        sums->candidate_sum += POOL * POOL * mean / (double)n;
    }
    assert_all_ranks(comm, cgm_values_compute(comm, sums, &game->values) == CGM_OK);
}

void game_destroy(test_game *game)
{
    cgm_values_destroy(&game->values);
    free(game->sums.party_sums);
    free(game->sums.reference_sums);
    free(game->sums.party_candidate_sums);
    free(game->sizes);
}
