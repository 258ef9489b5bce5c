#include "reward_closed_form.h"

#include <math.h>
#include <stdlib.h>

static int compare_rows(const void *left, const void *right)
{
    const cgm_reward_row *a = left;
    const cgm_reward_row *b = right;
    if (a->log_alpha != b->log_alpha) {
        return a->log_alpha < b->log_alpha ? -1 : 1;
    }
    return (a->party > b->party) - (a->party < b->party);
}

void cgm_closed_form_sort(cgm_reward_row *rows, int64_t count)
{
    qsort(rows, (size_t)count, sizeof *rows, compare_rows);
}

/* Of all pairs with α_j > α_i (sign 1: upper bounds of ρ) or α_j < α_i (−1: lower ones) the one of
 * ceiling j and lower bound i that rho violates most; no pair if none. rows are sorted. */
static cgm_reward_pair most_violated(const cgm_reward_row *rows, int64_t count, int sign,
                                     double rho)
{
    cgm_reward_pair worst = {rho, -1, -1};
    double least = 0.0;
    int64_t highest = -1; /* lower bound among those passed */
    int64_t passed = 0;
    for (int64_t k = 0; k < count; k++) {
        const int64_t j = sign > 0 ? k : count - 1 - k;
        for (;; passed++) {
            const int64_t i = sign > 0 ? passed : count - 1 - passed;
            if (rows[i].log_alpha == rows[j].log_alpha) {
                break;
            }
            if (highest < 0 || rows[i].log_lower - rho * rows[i].log_alpha >
                                   rows[highest].log_lower - rho * rows[highest].log_alpha) {
                highest = i;
            }
        }
        if (highest >= 0) {
            const double room = rows[j].log_ceiling - rows[highest].log_lower -
                                rho * (rows[j].log_alpha - rows[highest].log_alpha);
            if (room < least) {
                least = room;
                worst = (cgm_reward_pair){rho, j, highest};
            }
        }
    }
    return worst;
}

/* The least upper (sign 1) or largest lower bound of ρ beyond its own: Newton's method on a concave
 * function, piecewise linear in ρ, comes to its end in a few steps. */
static cgm_reward_pair tightest(const cgm_reward_row *rows, int64_t count, int sign, double rho)
{
    cgm_reward_pair bound = {rho, -1, -1};
    for (;;) {
        cgm_reward_pair next = most_violated(rows, count, sign, bound.rho);
        if (next.ceiling_row < 0) {
            return bound;
        }
        const cgm_reward_row *ceiling = &rows[next.ceiling_row];
        const cgm_reward_row *lower = &rows[next.lower_row];
        next.rho =
            (ceiling->log_ceiling - lower->log_lower) / (ceiling->log_alpha - lower->log_alpha);
        if (!(sign * next.rho < sign * bound.rho)) {
            return bound;
        }
        bound = next;
    }
}

/* The pair of equal α with the least room, which no ρ changes. */
static cgm_reward_pair tightest_equal(const cgm_reward_row *rows, int64_t count)
{
    cgm_reward_pair worst = {INFINITY, -1, -1};
    for (int64_t first = 0; first < count;) {
        int64_t ceiling = first;
        int64_t lower = first;
        int64_t end = first;
        for (; end < count && rows[end].log_alpha == rows[first].log_alpha; end++) {
            ceiling = rows[end].log_ceiling < rows[ceiling].log_ceiling ? end : ceiling;
            lower = rows[end].log_lower > rows[lower].log_lower ? end : lower;
        }
        const double room = rows[ceiling].log_ceiling - rows[lower].log_lower;
        if (room < worst.rho) {
            worst = (cgm_reward_pair){room, ceiling, lower};
        }
        first = end;
    }
    return worst;
}

cgm_closed_form cgm_closed_form_solve(const cgm_reward_row *rows, int64_t count)
{
    cgm_closed_form form = {.upper = tightest(rows, count, 1, 1.0),
                            .lower = tightest(rows, count, -1, 0.0),
                            .equal = tightest_equal(rows, count),
                            .log_v_star = INFINITY};
    for (int64_t i = 0; i < count; i++) {
        form.log_v_star =
            fmin(form.log_v_star, rows[i].log_ceiling - form.upper.rho * rows[i].log_alpha);
    }
    return form;
}

double cgm_closed_form_room(const cgm_closed_form *form)
{
    return fmin(form->equal.rho, fmin(form->upper.rho, form->upper.rho - form->lower.rho));
}
