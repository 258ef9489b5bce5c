#include "games.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

void game_distinct_sizes(int64_t n_parties, uint64_t seed, int64_t *sizes)
{
    for (int64_t i = 0; i < n_parties; i++) {
        const int64_t j = (int64_t)(uniform_number(seed, (uint64_t)i, 3) * (double)(i + 1));
        sizes[i] = sizes[j];
        sizes[j] = 5 + i;
    }
}

static void sums_create(cgm_comm *comm, int64_t n, const int64_t *sizes, test_game *game)
{
    *game = (test_game){.sizes = calloc((size_t)n, sizeof(int64_t))};
    cgm_kernel_sums *sums = &game->sums;
    *sums = (cgm_kernel_sums){.n_parties = n,
                              .n_candidates = POOL,
                              .n_reference = POOL,
                              .party_points = game->sizes,
                              .diagonal = 1.0,
                              .first_row = calloc((size_t)comm->size + 1, sizeof(int64_t)),
                              .own_sums = calloc((size_t)n, sizeof(double)),
                              .row_totals = calloc((size_t)n, sizeof(double)),
                              .reference_sums = calloc((size_t)n, sizeof(double)),
                              .party_candidate_sums = calloc((size_t)n, sizeof(double))};
    assert_all_ranks(comm, game->sizes != NULL && sums->first_row != NULL &&
                               sums->own_sums != NULL && sums->row_totals != NULL &&
                               sums->reference_sums != NULL && sums->party_candidate_sums != NULL);
    cgm_kernel_sums_share_rows(n, comm->size, sums->first_row);
    const int64_t rows = sums->first_row[comm->rank + 1] - sums->first_row[comm->rank];
    sums->party_sums = calloc((size_t)(rows * n) + 1, sizeof(double));
    assert_all_ranks(comm, sums->party_sums != NULL);
    for (int64_t i = 0; i < n; i++) {
        game->sizes[i] = sizes[i];
        sums->n_reference += sizes[i];
    }
}

/* This rank's rows of S, of its totals and diagonal, and X. place [n][2] */
static void fill_rows(const cgm_comm *comm, const double *place, cgm_kernel_sums *sums)
{
    const int64_t n = sums->n_parties;
    const int64_t *sizes = sums->party_points;
    for (int64_t i = sums->first_row[comm->rank]; i < sums->first_row[comm->rank + 1]; i++) {
        double *row = sums->party_sums + (i - sums->first_row[comm->rank]) * n;
        double mean = 0.0;
        long double total = 0.0L;
        for (int64_t j = 0; j < n; j++) {
            const double dx = place[2 * i] - place[2 * j];
            const double dy = place[2 * i + 1] - place[2 * j + 1];
            const double k = exp(-(dx * dx + dy * dy));
            mean += k / (double)n;
            row[j] = k * (double)sizes[i] * (double)sizes[j];
            total += row[j];
        }
        sums->row_totals[i] = (double)total;
        sums->own_sums[i] = row[i];
        sums->party_candidate_sums[i] = (double)sizes[i] * POOL * mean;
    }
}

void game_create(cgm_comm *comm, int64_t n_parties, const int64_t *sizes, uint64_t seed,
                 test_game *game)
{
    sums_create(comm, n_parties, sizes, game);
    cgm_kernel_sums *sums = &game->sums;
    double *place = malloc((size_t)n_parties * 2 * sizeof *place);
    assert_all_ranks(comm, place != NULL);
    for (int64_t i = 0; i < n_parties; i++) {
        place[2 * i] = uniform_number(seed, (uint64_t)i, 1);
        place[2 * i + 1] = uniform_number(seed, (uint64_t)i, 2);
    }
    fill_rows(comm, place, sums);
    free(place);
    cgm_comm_all_gather(comm, sums->row_totals, sums->first_row, sizeof(double));
    cgm_comm_all_gather(comm, sums->own_sums, sums->first_row, sizeof(double));
    cgm_comm_all_gather(comm, sums->party_candidate_sums, sums->first_row, sizeof(double));
    for (int64_t i = 0; i < n_parties; i++) {
        const double mean = sums->party_candidate_sums[i] / ((double)sizes[i] * POOL);
        sums->reference_sums[i] = sums->row_totals[i] + sums->party_candidate_sums[i];
        sums->candidate_sum += POOL * POOL * mean / (double)n_parties;
    }
    assert_all_ranks(comm, cgm_values_compute(comm, sums, &game->values) == CGM_OK);
}

/* S_ii and row totals of a whole S. */
static void add_up_rows(const double *square, cgm_kernel_sums *sums)
{
    const int64_t n = sums->n_parties;
    for (int64_t i = 0; i < n; i++) {
        long double total = 0.0L;
        for (int64_t j = 0; j < n; j++) {
            total += square[i * n + j];
        }
        sums->own_sums[i] = square[i * n + i];
        sums->row_totals[i] = (double)total;
    }
}

void game_replace(cgm_comm *comm, const double *square, const double *reference_sums,
                  test_game *game)
{
    cgm_kernel_sums *sums = &game->sums;
    const int64_t n = sums->n_parties;
    const int64_t first = sums->first_row[comm->rank];
    const int64_t end = sums->first_row[comm->rank + 1];
    memcpy(sums->party_sums, square + first * n, (size_t)((end - first) * n) * sizeof *square);
    memcpy(sums->reference_sums, reference_sums, (size_t)n * sizeof *reference_sums);
    add_up_rows(square, sums);
    cgm_values_destroy(&game->values);
    assert_all_ranks(comm, cgm_values_compute(comm, sums, &game->values) == CGM_OK);
}

void game_share_rows(cgm_comm *comm, double *square, cgm_kernel_sums *sums)
{
    const int64_t n = sums->n_parties;
    sums->first_row = calloc((size_t)comm->size + 1, sizeof(int64_t));
    sums->own_sums = calloc((size_t)n, sizeof(double));
    sums->row_totals = calloc((size_t)n, sizeof(double));
    assert_all_ranks(comm,
                     sums->first_row != NULL && sums->own_sums != NULL && sums->row_totals != NULL);
    cgm_kernel_sums_share_rows(n, comm->size, sums->first_row);
    sums->party_sums = square + sums->first_row[comm->rank] * n;
    add_up_rows(square, sums);
}

void game_forget_rows(cgm_kernel_sums *sums)
{
    free(sums->first_row);
    free(sums->own_sums);
    free(sums->row_totals);
}

double game_value(const cgm_kernel_sums *sums, const double *square, const bool *member)
{
    const int64_t n = sums->n_parties;
    long double size = 0.0L;
    long double linear = 0.0L;
    long double quadratic = 0.0L;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < n && member[i]; j++) {
            quadratic += member[j] ? square[i * n + j] : 0.0;
        }
        size += member[i] ? sums->party_points[i] : 0;
        linear += member[i] ? sums->reference_sums[i] : 0.0;
    }
    return size > 0.0L ? (double)(2.0L * linear / ((long double)sums->n_reference * size) -
                                  quadratic / (size * size))
                       : 0.0;
}

void game_destroy(test_game *game)
{
    cgm_values_destroy(&game->values);
    free(game->sums.first_row);
    free(game->sums.party_sums);
    free(game->sums.own_sums);
    free(game->sums.row_totals);
    free(game->sums.reference_sums);
    free(game->sums.party_candidate_sums);
    free(game->sizes);
}
