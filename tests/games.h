/**
 * @file games.h
 * Made-up games for tests: kernel sums of parties whose points all lie in one place each, so that
 * any sizes cost nothing.
 */
#ifndef CGM_TESTS_GAMES_H
#define CGM_TESTS_GAMES_H

#include <stdbool.h>

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

/**
 * Another S and t for the same parties, and what follows from them.  Collective.
 * @param[in] square          [n_parties][n_parties] S, whole on every rank
 * @param[in] reference_sums  [n_parties] t
 */
void game_replace(cgm_comm *comm, const double *square, const double *reference_sums,
                  test_game *game);

/** v(Q) of the parties with member[i], by its definition in long double (MATH.md §2); 0 of the
 * empty one.  Local.
 * @param[in] square  [n_parties][n_parties] S */
double game_value(const cgm_kernel_sums *sums, const double *square, const bool *member);

/**
 * The part of the kernel sums that follows from a whole S, for tests that make one up.  Collective.
 * @param[in] square  [n_parties][n_parties] S on every rank, borrowed
 * @param[in,out] sums  n_parties stands; first_row, party_sums, own_sums and row_totals are set;
 * the pair is game_forget_rows
 */
void game_share_rows(cgm_comm *comm, double *square, cgm_kernel_sums *sums);
void game_forget_rows(cgm_kernel_sums *sums);

/** n sizes log-uniform on 1 .. largest. */
void game_mixed_sizes(int64_t n_parties, double largest, uint64_t seed, int64_t *sizes);

/** The sizes 5, 6, ... n + 4 in random order. */
void game_distinct_sizes(int64_t n_parties, uint64_t seed, int64_t *sizes);

#endif
