/**
 * @file games.h
 * Made-up games for tests: kernel sums of parties whose points all lie in one place each, so that
 * any sizes cost nothing.
 */
#ifndef CGM_TESTS_GAMES_H
#define CGM_TESTS_GAMES_H

#include "cgm/coalition.h"
#include "cgm/kernel_sums.h"

/** Sizes, sums and values of a game; sizes is what sums borrows. */
typedef struct test_game {
    int64_t *sizes;
    cgm_kernel_sums sums;
    cgm_values values;
} test_game;

/**
 * Parties at random places of the unit square with a pool of 100 points.  Collective.
 * @param[in] sizes  [n_parties] copied
 * @param[in] seed   of the places
 */
void game_create(cgm_comm *comm, int64_t n_parties, const int64_t *sizes, uint64_t seed,
                 test_game *game);
void game_destroy(test_game *game);

/** n sizes log-uniform on 1 .. largest. */
void game_mixed_sizes(int64_t n_parties, double largest, uint64_t seed, int64_t *sizes);

#endif
