/**
 * @file reward_closed_form.h
 * The reward program in closed form: the check on GLPK and the names of what binds (MATH.md §5).
 * Internal to the reward stage.
 */
#ifndef CGM_REWARD_CLOSED_FORM_H
#define CGM_REWARD_CLOSED_FORM_H

#include <stdint.h>

/** One row of the program: a party with α > 0. */
typedef struct cgm_reward_row {
    int64_t party;
    double log_alpha;
    double log_ceiling;
    double log_lower;
} cgm_reward_row;

/** Two rows that bound ρ together: one party's ceiling against another's lower bound. */
typedef struct cgm_reward_pair {
    double rho;
    int64_t ceiling_row; /**< -1: no pair, the bound 0 ≤ ρ ≤ 1 itself */
    int64_t lower_row;
} cgm_reward_pair;

typedef struct cgm_closed_form {
    cgm_reward_pair upper; /**< ρ ≤ upper.rho */
    cgm_reward_pair lower; /**< ρ ≥ lower.rho */
    cgm_reward_pair
        equal; /**< equal α: rho is the worst log ceiling − log lower, negative in conflict */
    double log_v_star;
} cgm_closed_form;

/** Local. Rows ascending in α, as the functions below want them. */
void cgm_closed_form_sort(cgm_reward_row *rows, int64_t count);

/**
 * Every ceiling against every lower bound: for α_j > α_i an upper bound of ρ, for α_j < α_i a lower
 * one, for equal α a condition without ρ.  Local.  Cost O(N) for each of a few steps.
 * @param[in] rows  [count] sorted, count > 0
 */
cgm_closed_form cgm_closed_form_solve(const cgm_reward_row *rows, int64_t count);

/** Local. By how much the closed form is feasible: negative = infeasible. */
double cgm_closed_form_room(const cgm_closed_form *form);

#endif
