/**
 * @file plain.h
 * The measures of rewards by plain loops over all points (MATH.md §7), for the tests: points of the
 * plane, a Gaussian kernel.
 */
#ifndef CGM_TESTS_PLAIN_H
#define CGM_TESTS_PLAIN_H

#include <stdint.h>

/** Features; most sets and parties; test points. */
enum { PLAIN_D = 2, PLAIN_SETS = 3, PLAIN_PARTIES = 8, PLAIN_TEST = 41 };
#define PLAIN_LENGTHSCALE 0.2

/** Everything, on every rank. Points are those of T: parties' in order, then the pool's. */
typedef struct plain {
    int64_t n_parties, n_sets, n_points;
    int64_t pool;    /**< the first candidate */
    int64_t *first;  /**< [n_parties + 1] of each party */
    double *points;  /**< [n_points][PLAIN_D] */
    int64_t *labels; /**< [n_points], five different ones */
    double *test;    /**< [PLAIN_TEST][PLAIN_D], or NULL */
    int64_t *rewards[PLAIN_SETS][PLAIN_PARTIES];
    int64_t n_rewards[PLAIN_SETS][PLAIN_PARTIES];
} plain;

/** Some of the points. */
typedef struct plain_points {
    int64_t count;
    int64_t *numbers; /**< [count] in T; the caller frees them */
} plain_points;

/** Local. Points of parties and pool, which coincide often on a grid of so many steps; 0: never.
 * No rewards, no test points. */
void plain_make(int64_t n_parties, const int64_t *sizes, int64_t n_candidates, int64_t steps,
                int64_t n_sets, plain *all);

/** Local. A reward: every step-th candidate from one on, round the pool, whose size has no divisor
 * in common with step. */
void plain_reward(plain *all, int64_t set, int64_t party, int64_t from, int64_t step,
                  int64_t count);

/** Local. Test points that coincide with no others. */
void plain_test(plain *all);

/** Local. */
void plain_destroy(plain *all);

/** Local. Y: a party's points and its reward, or with set < 0 its points alone. */
plain_points plain_points_of(const plain *all, int64_t party, int64_t set);

/** Local. T */
plain_points plain_points_of_all(const plain *all);

/** Local. Σ k */
double plain_kernel(const plain *all, const plain_points *a, const plain_points *b);

/** Local. Unbiased MMD² of Y to T.
 * @param[in]  t_square  Σ_{T,T} k
 * @param[out] value     of Y (MATH.md §6) */
double plain_mmd2(const plain *all, const plain_points *t, double t_square, const plain_points *y,
                  double *value);

/** Local. The divergence, and how many points were left out of means. */
double plain_kl(const plain *all, const plain_points *t, const plain_points *y, double *excluded);

/** Local. */
double plain_wasserstein2(const plain *all, const plain_points *t, const plain_points *y);

/** Local. */
double plain_imbalance(const plain *all, const plain_points *y);

/** Local. Copies, ratio, close. */
void plain_privacy(const plain *all, int64_t party, int64_t set, double result[3]);

#endif
