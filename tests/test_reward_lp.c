/* The reward program: by hand, against an exhaustive search over its vertices, relaxed against the
 * convex function that it minimises, and in its corners. */
// timeout: 120
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../src/reward_closed_form.h"
#include "cases.h"
#include "cgm/reward_lp.h"
#include "cgm/rng.h"
#include "cgm/tolerance.h"
#include "games.h"
#include "harness.h"

enum { PARTIES_MAX = 6, RANDOM_PROGRAMS = 1000 };

/* A program given by its numbers alone: under `individual` nothing else enters. */
typedef struct program {
    int64_t n_parties;
    double alpha[PARTIES_MAX];
    double ceiling[PARTIES_MAX];
    double single[PARTIES_MAX];
    int64_t tie[PARTIES_MAX];
    int64_t sizes[PARTIES_MAX];
    double party_sums[PARTIES_MAX * PARTIES_MAX];
    double reference_sums[PARTIES_MAX];
} program;

static char *const names[] = {"a", "b", "c", "d", "e", "f"};

static cgm_status solve(cgm_comm *comm, program *p, bool strict, cgm_reward *reward)
{
    cgm_kernel_sums sums = {.n_parties = p->n_parties,
                            .n_reference = 10,
                            .party_points = p->sizes,
                            .reference_sums = p->reference_sums};
    cgm_values values = {.single = p->single, .ceiling = p->ceiling};
    cgm_shapley shapley = {.alpha = p->alpha, .tie = p->tie};
    for (int64_t i = 0; i < p->n_parties; i++) {
        p->sizes[i] = 1;
        p->tie[i] = 0;
        for (int64_t j = 0; j < p->n_parties; j++) {
            p->tie[i] += p->alpha[j] < p->alpha[i];
        }
    }
    game_share_rows(comm, p->party_sums, &sums);
    const cgm_status status = cgm_reward_solve(comm, names, &sums, &values, &shapley,
                                               CGM_REWARD_INDIVIDUAL, strict, reward);
    game_forget_rows(&sums);
    return status;
}

/* α = 1, ½; ceilings .5, .5; lower .1, .35: v* = .5 and .5·½^ρ ≥ .35. */
static void test_by_hand(void **state)
{
    cgm_comm *comm = *state;
    program p = {.n_parties = 2, .alpha = {1.0, 0.5}, .ceiling = {0.5, 0.5}, .single = {0.1, 0.35}};
    cgm_reward reward;
    assert_all_ranks(comm, solve(comm, &p, true, &reward) == CGM_OK);
    const double expected[] = {0.5, 0.35};
    assert_close(comm, reward.v_star, 0.5, 0.0, CGM_TEST_REWARD);
    assert_close(comm, reward.rho, log(0.5 / 0.35) / log(2.0), 0.0, CGM_TEST_REWARD);
    assert_close_array(comm, reward.r, expected, 2, 0.0, CGM_TEST_REWARD);
    assert_all_ranks(comm, strstr(reward.binding, "'a' can be raised to at most 0.5") != NULL &&
                               strstr(reward.binding, "'b' must get at least 0.35") != NULL);
    assert_same_on_all_ranks(comm, reward.r, 2 * sizeof(double));
    cgm_reward_destroy(&reward);
}

static void test_full_fairness(void **state)
{
    cgm_comm *comm = *state;
    program p = {.n_parties = 2, .alpha = {0.5, 1.0}, .ceiling = {0.6, 0.4}, .single = {0.1, 0.1}};
    cgm_reward reward;
    assert_all_ranks(comm, solve(comm, &p, true, &reward) == CGM_OK);
    const double expected[] = {0.2, 0.4};
    assert_close(comm, reward.rho, 1.0, 0.0, CGM_TEST_REWARD);
    assert_close_array(comm, reward.r, expected, 2, 0.0, CGM_TEST_REWARD);
    cgm_reward_destroy(&reward);
}

/* A party whose φ counts as zero keeps its own value; the other two tie. */
static void test_zero_and_tied(void **state)
{
    cgm_comm *comm = *state;
    program p = {.n_parties = 3,
                 .alpha = {1.0, 0.0, 1.0},
                 .ceiling = {0.5, 0.9, 0.45},
                 .single = {0.1, 0.05, 0.2}};
    cgm_reward reward;
    assert_all_ranks(comm, solve(comm, &p, true, &reward) == CGM_OK);
    const double expected[] = {0.45, 0.05, 0.45};
    assert_close_array(comm, reward.r, expected, 3, 0.0, CGM_TEST_REWARD);
    assert_close(comm, reward.rho, 1.0, 0.0, CGM_TEST_REWARD);
    assert_all_ranks(comm, reward.r[0] == reward.r[2] && reward.status == CGM_REWARD_OPTIMAL);
    cgm_reward_destroy(&reward);
}

static void test_no_contribution(void **state)
{
    cgm_comm *comm = *state;
    program p = {.n_parties = 2, .ceiling = {0.5, 0.5}, .single = {0.1, 0.2}};
    cgm_reward reward;
    assert_all_ranks(comm, solve(comm, &p, true, &reward) == CGM_OK);
    assert_all_ranks(comm, reward.status == CGM_REWARD_NO_CONTRIBUTION);
    assert_all_ranks(comm, isnan(reward.v_star) && isnan(reward.rho));
    assert_close_array(comm, reward.r, p.single, 2, 0.0, 0.0);
    cgm_reward_destroy(&reward);
}

static void test_one_party(void **state)
{
    cgm_comm *comm = *state;
    program p = {.n_parties = 1, .alpha = {1.0}, .ceiling = {0.7}, .single = {0.6}};
    cgm_reward reward;
    assert_all_ranks(comm, solve(comm, &p, true, &reward) == CGM_OK);
    assert_close(comm, reward.rho, 1.0, 0.0, CGM_TEST_REWARD);
    assert_close(comm, reward.v_star, 0.7, 0.0, CGM_TEST_REWARD);
    cgm_reward_destroy(&reward);
}

/* `b` must get .5, which needs v* ≥ .5, while `a`, whose share is larger, cannot be raised above
 * .4. */
static void test_conflict_is_named(void **state)
{
    cgm_comm *comm = *state;
    program p = {.n_parties = 3,
                 .alpha = {1.0, 0.5, 0.7},
                 .ceiling = {0.4, 0.6, 0.6},
                 .single = {0.1, 0.5, 0.1}};
    cgm_reward reward;
    assert_all_ranks(comm, solve(comm, &p, true, &reward) == CGM_ERR_LP);
    const char *message = comm->error.message;
    assert_all_ranks(comm, strstr(message, "'a' can be raised to at most 0.4") != NULL);
    assert_all_ranks(comm, strstr(message, "'b' must get at least 0.5") != NULL);
    comm->error = (cgm_error){0};
    cgm_reward_destroy(&reward);
}

/* The same conflict relaxed, by hand: at ρ = 0, v* = .4 and `b` gets that: e = log(.5/.4); any
 * ρ > 0 lowers what `b` gets. */
static void test_relaxed_by_hand(void **state)
{
    cgm_comm *comm = *state;
    program p = {.n_parties = 3,
                 .alpha = {1.0, 0.5, 0.7},
                 .ceiling = {0.4, 0.6, 0.6},
                 .single = {0.1, 0.5, 0.1}};
    cgm_reward reward;
    assert_all_ranks(comm, solve(comm, &p, false, &reward) == CGM_OK);
    assert_all_ranks(comm, reward.status == CGM_REWARD_RELAXED);
    assert_close(comm, reward.total_violation, log(0.5 / 0.4), 0.0, 2.0 * CGM_TEST_REWARD);
    const double expected[] = {0.4, 0.4, 0.4};
    assert_close_array(comm, reward.r, expected, 3, 0.0, 2.0 * CGM_TEST_REWARD);
    assert_all_ranks(comm, strstr(reward.binding, "'a' can be raised to at most 0.4") != NULL);
    assert_all_ranks(comm, reward.lost[0][0] == '\0' && reward.lost[2][0] == '\0');
    assert_all_ranks(comm, strstr(reward.lost[1], "individual rationality: 0.4") != NULL);
    assert_all_ranks(comm, strstr(reward.lost[1], "less than 0.5 by 0.1") != NULL);
    assert_same_on_all_ranks(comm, reward.r, 3 * sizeof(double));
    cgm_reward_destroy(&reward);
}

/* `a` must get .499 though `b` gets at most .3, which needs ρ ≥ log(.499/.3)/log 2 = .73; `c` must
 * get .29, which with `b`'s ceiling allows ρ ≤ log(.3/.29)/log 2 = .05: both pairs are named. */
static void test_two_pairs_in_conflict(void **state)
{
    cgm_comm *comm = *state;
    program p = {.n_parties = 3,
                 .alpha = {1.0, 0.5, 0.25},
                 .ceiling = {0.5, 0.3, 0.5},
                 .single = {0.499, 0.1, 0.29}};
    cgm_reward reward;
    assert_all_ranks(comm, solve(comm, &p, true, &reward) == CGM_ERR_LP);
    const char *message = comm->error.message;
    assert_all_ranks(comm, strstr(message, "'b' can be raised to at most 0.3 and party 'c' must "
                                           "get at least 0.29; party 'b'") != NULL);
    assert_all_ranks(comm, strstr(message, "'a' must get at least 0.499") != NULL);
    comm->error = (cgm_error){0};
    cgm_reward_destroy(&reward);
}

/* Largest log v* at a given ρ; −∞ where no log v* satisfies all rows. */
static double best_at(const program *p, double rho)
{
    double low = -INFINITY;
    double high = INFINITY;
    for (int64_t i = 0; i < p->n_parties; i++) {
        const double share = rho * log(p->alpha[i]);
        high = fmin(high, log(p->ceiling[i]) - share);
        low = fmax(low, log(fmax(p->single[i], CGM_VALUE_FLOOR)) - share);
    }
    return low <= high + 1e-13 ? high : -INFINITY;
}

/* The optimum lies at a ρ where two rows meet, or at 0 or 1. */
static bool search_vertices(const program *p, double *log_v_star, double *rho)
{
    double line_value[2 * PARTIES_MAX];
    double line_slope[2 * PARTIES_MAX];
    for (int64_t i = 0; i < p->n_parties; i++) {
        line_value[2 * i] = log(p->ceiling[i]);
        line_value[2 * i + 1] = log(fmax(p->single[i], CGM_VALUE_FLOOR));
        line_slope[2 * i] = line_slope[2 * i + 1] = log(p->alpha[i]);
    }
    *log_v_star = best_at(p, 0.0);
    *rho = 0.0;
    for (int64_t a = 0; a < 2 * p->n_parties; a++) {
        for (int64_t b = 0; b <= 2 * p->n_parties; b++) {
            double at = 1.0;
            if (b < 2 * p->n_parties) {
                at = (line_value[a] - line_value[b]) / (line_slope[a] - line_slope[b]);
            }
            if (!(at >= 0.0 && at <= 1.0)) {
                continue;
            }
            const double value = best_at(p, at);
            if (value > *log_v_star + 1e-13 || (value > *log_v_star - 1e-13 && at > *rho)) {
                *log_v_star = value;
                *rho = at;
            }
        }
    }
    return *log_v_star > -INFINITY;
}

/* ---- the relaxed program, as a function of ρ alone ---- */

/* At any ρ the violations are least, and the second objective is best, at the largest log v* that
 * the ceilings allow. */
static double log_v_star_at(const program *p, double rho)
{
    double high = INFINITY;
    for (int64_t i = 0; i < p->n_parties; i++) {
        high = fmin(high, log(p->ceiling[i]) - rho * log(p->alpha[i]));
    }
    return high;
}

/* Convex and piecewise linear in ρ: a sum of max(0, lower − a concave function − a linear one). */
static double violation_at(const program *p, double rho)
{
    const double log_v_star = log_v_star_at(p, rho);
    double sum = 0.0;
    for (int64_t i = 0; i < p->n_parties; i++) {
        const double lower = log(fmax(p->single[i], CGM_VALUE_FLOOR));
        sum += fmax(0.0, lower - log_v_star - rho * log(p->alpha[i]));
    }
    return sum;
}

static double second_objective_at(const program *p, double rho)
{
    return log_v_star_at(p, rho) + CGM_LP_RHO_WEIGHT * rho;
}

static int compare_numbers(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Between neighbouring ones of these both functions are linear: 0, 1, and where a ceiling's line
 * crosses another's or a lower bound's. */
static int64_t find_breakpoints(const program *p, double *at)
{
    int64_t count = 0;
    at[count++] = 0.0;
    at[count++] = 1.0;
    for (int64_t i = 0; i < p->n_parties; i++) {
        for (int64_t j = 0; j < p->n_parties; j++) {
            const double spread = log(p->alpha[i]) - log(p->alpha[j]);
            const double others[] = {p->ceiling[j], fmax(p->single[j], CGM_VALUE_FLOOR)};
            for (int k = 0; k < 2; k++) {
                const double rho = (log(p->ceiling[i]) - log(others[k])) / spread;
                if (rho > 0.0 && rho < 1.0) {
                    at[count++] = rho;
                }
            }
        }
    }
    qsort(at, (size_t)count, sizeof *at, compare_numbers);
    return count;
}

/* The part of [from, to], where the violation is linear, in which it is at most so much. */
static bool clip_segment(const program *p, double most, double *from, double *to)
{
    const double at_from = violation_at(p, *from) - most;
    const double at_to = violation_at(p, *to) - most;
    if (at_from > 0.0 && at_to > 0.0) {
        return false;
    }
    const double crossing = *from + (*to - *from) * at_from / (at_from - at_to);
    if (at_from > 0.0) {
        *from = crossing;
    } else if (at_to > 0.0) {
        *to = crossing;
    }
    return true;
}

/* Least violation and, with the slack, the best second objective. */
static void search_relaxed(const program *p, double *violation, double *objective)
{
    double at[2 + 2 * PARTIES_MAX * PARTIES_MAX];
    const int64_t count = find_breakpoints(p, at);
    *violation = INFINITY;
    for (int64_t k = 0; k < count; k++) {
        *violation = fmin(*violation, violation_at(p, at[k]));
    }
    *objective = -INFINITY;
    for (int64_t k = 0; k + 1 < count; k++) {
        double from = at[k];
        double to = at[k + 1];
        if (clip_segment(p, *violation + CGM_LP_SLACK, &from, &to)) {
            *objective = fmax(*objective, second_objective_at(p, from));
            *objective = fmax(*objective, second_objective_at(p, to));
        }
    }
}

static void check_relaxed(cgm_comm *comm, const program *p, const cgm_reward *reward)
{
    double violation;
    double objective;
    search_relaxed(p, &violation, &objective);
    assert_all_ranks(comm, violation > 0.0 && reward->status == CGM_REWARD_RELAXED);
    assert_close(comm, reward->total_violation, violation, 0.0, CGM_LP_SLACK + CGM_TEST_REWARD);
    assert_close(comm, log(reward->v_star) + CGM_LP_RHO_WEIGHT * reward->rho, objective, 0.0,
                 CGM_TEST_REWARD);
    for (int64_t i = 0; i < p->n_parties; i++) {
        const double gap = p->single[i] - reward->r[i];
        assert_all_ranks(comm, reward->r[i] <= p->ceiling[i] * (1.0 + 1e-14));
        assert_all_ranks(comm, (reward->lost[i][0] != '\0') ==
                                   (gap > (CGM_INCENTIVE + CGM_LP_SLACK) * p->single[i]));
    }
}

static void make_random(uint64_t k, program *p)
{
    const cgm_rng rng = {11, k, CGM_RNG_SIMULATE};
    *p = (program){0};
    uint64_t words[4];
    cgm_rng_words(&rng, 99, 0, 0, words);
    p->n_parties = 2 + (int64_t)(words[0] % (PARTIES_MAX - 1));
    for (int64_t i = 0; i < p->n_parties; i++) {
        cgm_rng_words(&rng, (uint64_t)i, 0, 0, words);
        p->alpha[i] = i == 0 ? 1.0 : 0.02 + 0.97 * cgm_rng_uniform(words[0]);
        p->ceiling[i] = 0.45 + 0.1 * cgm_rng_uniform(words[1]);
        p->single[i] = p->ceiling[i] * pow(cgm_rng_uniform(words[2]), 0.3) - 0.02;
    }
}

static void test_random_programs(void **state)
{
    cgm_comm *comm = *state;
    int64_t feasible = 0;
    for (uint64_t k = 0; k < RANDOM_PROGRAMS; k++) {
        program p;
        cgm_reward reward;
        double log_v_star;
        double rho;
        make_random(k, &p);
        const bool expected = search_vertices(&p, &log_v_star, &rho);
        assert_all_ranks(comm, solve(comm, &p, false, &reward) == CGM_OK);
        if (expected) {
            assert_all_ranks(comm, reward.status == CGM_REWARD_OPTIMAL && reward.lost == NULL);
            feasible++;
            assert_close(comm, reward.v_star, exp(log_v_star), 0.0, CGM_TEST_REWARD);
            assert_close(comm, reward.rho, rho, 0.0, CGM_TEST_REWARD);
        } else {
            check_relaxed(comm, &p, &reward);
        }
        cgm_reward_destroy(&reward);
    }
    /* Both outcomes occur often enough to mean something. */
    assert_all_ranks(comm, feasible > RANDOM_PROGRAMS / 10 &&
                               feasible < RANDOM_PROGRAMS - RANDOM_PROGRAMS / 10);
}

/* v(P_i) of `stable` by hand: two parties that share nothing, S = I, t = (6, 7), n = 10. */
static void test_stable_bound(void **state)
{
    cgm_comm *comm = *state;
    const int64_t sizes[] = {1, 1};
    double party_sums[] = {1.0, 0.0, 0.0, 1.0};
    double reference_sums[] = {6.0, 7.0};
    double single[] = {0.2, 0.4};
    double ceiling[] = {0.9, 0.9};
    double alpha[] = {0.5, 1.0};
    int64_t tie[] = {0, 1};
    cgm_kernel_sums sums = {
        .n_parties = 2, .n_reference = 10, .party_points = sizes, .reference_sums = reference_sums};
    cgm_values values = {.single = single, .ceiling = ceiling};
    cgm_shapley shapley = {.alpha = alpha, .tie = tie};
    cgm_reward reward;
    game_share_rows(comm, party_sums, &sums);
    assert_all_ranks(comm, cgm_reward_solve(comm, names, &sums, &values, &shapley,
                                            CGM_REWARD_STABLE, true, &reward) == CGM_OK);
    game_forget_rows(&sums);
    /* v({a}) = 2·6/10 − 1 = .2; v({a, b}) = 2·13/20 − 2/4 = .8. */
    const double stable[] = {0.2, 0.8};
    assert_close_array(comm, reward.stable, stable, 2, 0.0, CGM_TEST_VALUES);
    assert_close_array(comm, reward.lower, stable, 2, 0.0, CGM_TEST_VALUES);
    /* v* = .9 at ρ with .9·½^ρ ≥ .2, so ρ = 1. */
    assert_close(comm, reward.r[0], 0.45, 0.0, CGM_TEST_REWARD);
    assert_close(comm, reward.r[1], 0.9, 0.0, CGM_TEST_REWARD);
    cgm_reward_destroy(&reward);
}

/* v(P_i) of many parties, tied ones among them, by definition; S on several ranks. */
static void test_stable_by_definition(void **state)
{
    cgm_comm *comm = *state;
    enum { N = 150, CLASSES = 60 };
    test_game game;
    int64_t sizes[N];
    double phi[N];
    double alpha[N];
    int64_t tie[N];
    char *many[N];
    double expected[N];
    game_mixed_sizes(N, 1e3, 12, sizes);
    game_create(comm, N, sizes, 12, &game);
    for (int i = 0; i < N; i++) {
        tie[i] = (i * 37 + i * i) % CLASSES;
        phi[i] = 1.0 + (double)tie[i];
        alpha[i] = phi[i] / CLASSES;
        many[i] = names[i % PARTIES_MAX];
    }
    double *square = case_party_sums(comm, &game.sums);
    for (int i = 0; i < N; i++) {
        bool member[N];
        for (int j = 0; j < N; j++) {
            member[j] = tie[j] <= tie[i];
        }
        expected[i] = game_value(&game.sums, square, member);
    }
    const cgm_shapley shapley = {.phi = phi, .alpha = alpha, .tie = tie};
    cgm_reward reward;
    assert_all_ranks(comm, cgm_reward_solve(comm, many, &game.sums, &game.values, &shapley,
                                            CGM_REWARD_STABLE, false, &reward) == CGM_OK);
    assert_close_array(comm, reward.stable, expected, N, 0.0, CGM_TEST_VALUES);
    assert_same_on_all_ranks(comm, reward.stable, sizeof expected);
    cgm_reward_destroy(&reward);
    free(square);
    game_destroy(&game);
}

/* Of many rows, bounded the same as by a look at every pair. */
static void test_bounds_by_every_pair(void **state)
{
    cgm_comm *comm = *state;
    enum { ROWS = 200 };
    for (uint64_t k = 0; k < 200; k++) {
        const cgm_rng rng = {13, k, CGM_RNG_SIMULATE};
        cgm_reward_row rows[ROWS];
        for (int64_t i = 0; i < ROWS; i++) {
            uint64_t words[4];
            cgm_rng_words(&rng, (uint64_t)i, 0, 0, words);
            const double ceiling = log(0.3 + 0.3 * cgm_rng_uniform(words[1]));
            rows[i] = (cgm_reward_row){i, log(1e-3 * (double)(1 + words[0] % 1000)), ceiling,
                                       ceiling + log(cgm_rng_uniform(words[2])) / (double)(k + 1)};
        }
        double upper = 1.0;
        double lower = 0.0;
        double equal = INFINITY;
        for (int64_t i = 0; i < ROWS; i++) {
            for (int64_t j = 0; j < ROWS; j++) {
                const double spread = rows[j].log_alpha - rows[i].log_alpha;
                const double room = rows[j].log_ceiling - rows[i].log_lower;
                upper = spread > 0.0 ? fmin(upper, room / spread) : upper;
                lower = spread < 0.0 ? fmax(lower, room / spread) : lower;
                equal = spread == 0.0 ? fmin(equal, room) : equal;
            }
        }
        cgm_closed_form_sort(rows, ROWS);
        const cgm_closed_form form = cgm_closed_form_solve(rows, ROWS);
        assert_close(comm, form.upper.rho, upper, CGM_TEST_VALUES, 0.0);
        assert_close(comm, form.lower.rho, lower, CGM_TEST_VALUES, 0.0);
        assert_all_ranks(comm, form.equal.rho == equal);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relaxed_by_hand),
        cmocka_unit_test(test_two_pairs_in_conflict),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_full_fairness),
        cmocka_unit_test(test_zero_and_tied),
        cmocka_unit_test(test_no_contribution),
        cmocka_unit_test(test_one_party),
        cmocka_unit_test(test_conflict_is_named),
        cmocka_unit_test(test_random_programs),
        cmocka_unit_test(test_stable_bound),
        cmocka_unit_test(test_stable_by_definition),
        cmocka_unit_test(test_bounds_by_every_pair),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
