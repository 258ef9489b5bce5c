/**
 * @file reward_lp.h
 * The reward values r: a linear program in (log v*, ρ) (MATH.md §5).
 */
#ifndef CGM_REWARD_LP_H
#define CGM_REWARD_LP_H

#include <stdbool.h>
#include <stdint.h>

#include "cgm/coalition.h"
#include "cgm/shapley.h"

typedef enum cgm_reward_condition { CGM_REWARD_STABLE, CGM_REWARD_INDIVIDUAL } cgm_reward_condition;
typedef enum cgm_reward_status {
    CGM_REWARD_OPTIMAL,
    CGM_REWARD_RELAXED, /**< the conditions contradict each other: the lower bounds gave way */
    CGM_REWARD_NO_CONTRIBUTION
} cgm_reward_status;

typedef struct cgm_reward {
    cgm_reward_condition condition;
    cgm_reward_status status;
    double v_star;  /**< NaN without contribution */
    double rho;     /**< NaN without contribution */
    double *r;      /**< [n_parties] target value; v_i for a party whose φ counts as zero */
    double *stable; /**< [n_parties] v(P_i) */
    double *lower;  /**< [n_parties] the lower bound that was asked for */
    char binding[CGM_MESSAGE_MAX]; /**< the pair of parties that bounds ρ, or that is in conflict,
                                      in words */
    double total_violation; /**< Σe, by which log r falls short of the log lower bounds in all */
    char **lost; /**< [n_parties] the incentives a party loses and by how much, empty when none;
                    NULL unless relaxed */
} cgm_reward;

/**
 * Solve for the rewards on rank 0 and broadcast them; v(P_i) come from the ranks that hold S.
 * Collective.
 * Where no rewards satisfy all conditions, the lower bounds give way as little as possible in all
 * (relaxed); the ceilings never do.
 * @param[in]  names   [n_parties] for messages
 * @param[in]  strict  contradicting conditions are an error
 * @param[out] reward  the same bits on every rank; owned by the caller; the pair is
 * cgm_reward_destroy
 * @return the same code on every rank: CGM_OK, CGM_ERR_LP (strict and infeasible; the message names
 * the parties in conflict), CGM_ERR_MEMORY, CGM_ERR_BUG (GLPK and the closed form disagree, or GLPK
 * finds no relaxed rewards).  Cost O(N² / ranks), and GLPK on rank 0.
 */
cgm_status cgm_reward_solve(cgm_comm *comm, char *const *names, const cgm_kernel_sums *sums,
                            const cgm_values *values, const cgm_shapley *shapley,
                            cgm_reward_condition condition, bool strict, cgm_reward *reward);

/**
 * Local. How much a value falls short of what it must be at least: threshold − value, 0 within the
 * tolerance of the conditions (CGM_INCENTIVE of the threshold; for relaxed rewards also the slack
 * that the program had).
 */
double cgm_reward_shortfall(cgm_reward_status status, double value, double threshold);

/** Local. Accepts a zeroed struct. */
void cgm_reward_destroy(cgm_reward *reward);

/** Local. Words for the enumerators, as options and output spell them. */
const char *cgm_reward_condition_name(cgm_reward_condition condition);
const char *cgm_reward_status_name(cgm_reward_status status);

/** Local. GLPK's version, owned by GLPK. */
const char *cgm_reward_library_version(void);

#endif
