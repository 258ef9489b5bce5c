/* The certificate: every row where it holds and where a planted violation breaks it. test_golden.c
 * has the certificates of the golden cases. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../src/incentives_alike.h"
#include "cgm/incentives.h"
#include "cgm/rng.h"
#include "cgm/tolerance.h"
#include "games.h"
#include "harness.h"

enum { PARTIES = 3, MANY = 22 };

static const cgm_semivalue shapley_value = {CGM_SEMIVALUE_SHAPLEY, 1.0, 1.0};

/* A game by its numbers alone. Parties a < b < c, and an additive game, in which every coalition
 * is worth the sum of its members: c is more desirable than b, and b than a. */
typedef struct sketch {
    int64_t n;
    int64_t sizes[MANY];
    double party_sums[MANY * MANY];
    double reference_sums[MANY];
    double single[MANY];
    double ceiling[MANY];
    double coalitions[1 << PARTIES];
    double phi[MANY];
    double alpha[MANY];
    int64_t tie[MANY];
    double r[MANY];
    double stable[MANY];
    double realised[2 * MANY];
    char *names[MANY];
    cgm_reward reward;
    cgm_semivalue semivalue;
} sketch;

static void add_up_coalitions(sketch *s)
{
    for (int mask = 0; mask < 1 << PARTIES; mask++) {
        s->coalitions[mask] = 0.0;
        for (int i = 0; i < PARTIES; i++) {
            s->coalitions[mask] += (mask >> i & 1) != 0 ? s->single[i] : 0.0;
        }
    }
}

/* Everything holds: r lies between own values and ceilings, grows with α, and the largest is v*. */
static void make_sketch(sketch *s)
{
    static const double value[PARTIES] = {0.1, 0.2, 0.3};
    static char *const names[PARTIES] = {"a", "b", "c"};
    *s = (sketch){.n = PARTIES, .semivalue = shapley_value};
    for (int i = 0; i < PARTIES; i++) {
        s->sizes[i] = 10 + i;
        s->reference_sums[i] = 1.0 + i;
        for (int j = 0; j < PARTIES; j++) {
            s->party_sums[i * PARTIES + j] = i == j ? 2.0 : 1.0;
        }
        s->single[i] = value[i];
        s->stable[i] = value[i] + 0.05;
        s->ceiling[i] = 0.9;
        s->phi[i] = value[i];
        s->alpha[i] = value[i] / 0.3;
        s->tie[i] = i;
        s->r[i] = 0.6 * s->alpha[i];
        s->realised[i] = s->realised[PARTIES + i] = s->r[i];
        s->names[i] = names[i];
    }
    add_up_coalitions(s);
    s->reward = (cgm_reward){.status = CGM_REWARD_OPTIMAL, .v_star = 0.6, .rho = 1.0};
}

static void certify(cgm_comm *comm, sketch *s, cgm_incentives *incentives)
{
    cgm_kernel_sums sums = {.n_parties = s->n,
                            .n_reference = 100,
                            .party_points = s->sizes,
                            .reference_sums = s->reference_sums};
    /* As in a run, rank 0 alone has the coalitions. */
    cgm_values values = {.single = s->single,
                         .ceiling = s->ceiling,
                         .coalitions = comm->rank == 0 ? s->coalitions : NULL};
    cgm_shapley shapley = {
        .semivalue = s->semivalue, .phi = s->phi, .alpha = s->alpha, .tie = s->tie};
    game_share_rows(comm, s->party_sums, &sums);
    s->reward.r = s->r;
    s->reward.stable = s->stable;
    *incentives = (cgm_incentives){.n_sets = 2, .realised = s->realised};
    assert_all_ranks(comm, cgm_incentives_certify(comm, s->names, &sums, &values, &shapley,
                                                  &s->reward, incentives) == CGM_OK);
    assert_same_on_all_ranks(comm, incentives->rows, sizeof incentives->rows);
    game_forget_rows(&sums);
}

/* All rows hold but those named; expected violation of the first, and what its detail says. */
static void assert_broken(cgm_comm *comm, sketch *s, const cgm_incentive *broken, int n_broken,
                          double violation, const char *detail)
{
    cgm_incentives incentives;
    certify(comm, s, &incentives);
    for (int k = 0; k < CGM_N_INCENTIVES; k++) {
        bool expected = true;
        for (int b = 0; b < n_broken; b++) {
            expected = expected && broken[b] != (cgm_incentive)k;
        }
        if (incentives.rows[k].holds != expected) {
            print_message("%s: %s\n", cgm_incentive_name((cgm_incentive)k),
                          incentives.rows[k].detail);
        }
        assert_all_ranks(comm, incentives.rows[k].holds == expected);
        assert_all_ranks(comm, !expected || incentives.rows[k].violation == 0.0);
    }
    if (n_broken > 0) {
        const cgm_incentive_row *row = &incentives.rows[broken[0]];
        assert_close(comm, row->violation, violation, 0.0, 1e-12);
        if (strstr(row->detail, detail) == NULL) {
            print_message("%s\n", row->detail);
        }
        assert_all_ranks(comm, strstr(row->detail, detail) != NULL);
    }
}

#define BROKEN(...)                                                                                \
    (const cgm_incentive[]){__VA_ARGS__},                                                          \
        (int)(sizeof((cgm_incentive[]){__VA_ARGS__}) / sizeof(cgm_incentive))

static void test_all_hold(void **state)
{
    cgm_comm *comm = *state;
    sketch s;
    make_sketch(&s);
    assert_broken(comm, &s, NULL, 0, 0.0, "");
}

/* A party of negative value that the pool does nothing for. */
static void test_non_negativity(void **state)
{
    sketch s;
    make_sketch(&s);
    s.single[0] = s.stable[0] = s.phi[0] = s.r[0] = -0.01;
    s.alpha[0] = 0.0;
    add_up_coalitions(&s);
    assert_broken(*state, &s, BROKEN(CGM_NON_NEGATIVITY), 0.01, "party 'a': -0.01, at least 0");
}

static void test_individual_rationality(void **state)
{
    sketch s;
    make_sketch(&s);
    s.r[1] = 0.2 - 0.03;
    s.r[0] = 0.15;
    assert_broken(*state, &s, BROKEN(CGM_INDIVIDUAL_RATIONALITY, CGM_STABILITY), 0.03,
                  "party 'b': 0.17, own value 0.2");
}

static void test_stability(void **state)
{
    sketch s;
    make_sketch(&s);
    s.stable[2] = 0.65;
    assert_broken(*state, &s, BROKEN(CGM_STABILITY), 0.05, "party 'c': 0.6, its coalition's 0.65");
    /* Within the tolerance it holds, beyond it does not. */
    s.stable[2] = 0.6 * (1.0 + 0.5 * CGM_INCENTIVE);
    assert_broken(*state, &s, NULL, 0, 0.0, "");
    s.stable[2] = 0.6 * (1.0 + 2.0 * CGM_INCENTIVE);
    assert_broken(*state, &s, BROKEN(CGM_STABILITY), 1.2e-9, "party 'c'");
}

static void test_feasibility(void **state)
{
    sketch s;
    make_sketch(&s);
    s.ceiling[1] = 0.38;
    assert_broken(*state, &s, BROKEN(CGM_FEASIBILITY), 0.02, "party 'b': 0.4, ceiling 0.38");
}

static void test_weak_efficiency(void **state)
{
    sketch s;
    make_sketch(&s);
    s.reward.v_star = 0.63;
    assert_broken(*state, &s, BROKEN(CGM_WEAK_EFFICIENCY), 0.03, "party 'c': 0.6, v* 0.63");
    s.reward.v_star = 0.59;
    assert_broken(*state, &s, BROKEN(CGM_WEAK_EFFICIENCY), 0.01, "party 'c': 0.6, v* 0.59");
}

/* a contributes nothing: it may keep its own value, but neither get more nor outdo b or c. */
static void test_uselessness(void **state)
{
    cgm_comm *comm = *state;
    sketch s;
    make_sketch(&s);
    s.alpha[0] = s.phi[0] = 0.0;
    s.r[0] = s.single[0];
    s.stable[0] = 0.1;
    assert_broken(comm, &s, NULL, 0, 0.0, "");
    s.r[0] = 0.15;
    assert_broken(comm, &s, BROKEN(CGM_USELESSNESS), 0.05, "party 'a': 0.15, own value 0.1");
    s.r[0] = 0.1;
    s.r[1] = 0.07;
    s.single[1] = s.stable[1] = 0.06;
    s.coalitions[1 << 1] = 0.3;
    assert_broken(comm, &s, BROKEN(CGM_USELESSNESS, CGM_STRICT_DESIRABILITY), 0.03,
                  "party 'a': 0.1, party 'b': 0.07");
}

/* a and c alike but for rounding; b differs from both in its sum with c alone. */
static void test_symmetry(void **state)
{
    cgm_comm *comm = *state;
    sketch s;
    make_sketch(&s);
    s.sizes[2] = s.sizes[0];
    s.reference_sums[2] = s.reference_sums[0] * (1.0 + 1e-15);
    assert_broken(comm, &s, BROKEN(CGM_SYMMETRY), 0.4, "party 'a': 0.2, party 'c': 0.6");
    s.party_sums[2 * PARTIES + 1] = s.party_sums[1 * PARTIES + 2] = 1.0 + 1e-9;
    assert_broken(comm, &s, NULL, 0, 0.0, "");
    s.party_sums[2 * PARTIES + 1] = s.party_sums[1 * PARTIES + 2] = 1.0;
    s.r[0] = s.r[2] = 0.6;
    s.single[0] = s.single[2] = 0.2;
    s.stable[0] = 0.3;
    s.r[1] = 0.55;
    s.single[1] = 0.1;
    add_up_coalitions(&s);
    assert_broken(comm, &s, NULL, 0, 0.0, "");
}

static void test_strict_desirability(void **state)
{
    cgm_comm *comm = *state;
    sketch s;
    make_sketch(&s);
    s.r[1] = s.r[0] = 0.3; /* equal rewards are a violation of size 0 */
    assert_broken(comm, &s, BROKEN(CGM_STRICT_DESIRABILITY), 0.0, "party 'b': 0.3, party 'a': 0.3");
    s.r[0] = 0.33;
    assert_broken(comm, &s, BROKEN(CGM_STRICT_DESIRABILITY), 0.03,
                  "party 'b': 0.3, party 'a': 0.33");
    /* One coalition in which a adds more than b does, and b is owed nothing beyond a. */
    s.coalitions[1 << 0 | 1 << 2] = 0.51;
    assert_broken(comm, &s, NULL, 0, 0.0, "");
    /* More, but only by rounding, in every coalition. */
    make_sketch(&s);
    s.single[1] = s.single[0] * (1.0 + 1e-13);
    s.r[1] = s.r[0] = 0.3;
    add_up_coalitions(&s);
    assert_broken(comm, &s, NULL, 0, 0.0, "");
}

static void test_strict_monotonicity(void **state)
{
    cgm_comm *comm = *state;
    sketch s;
    make_sketch(&s);
    s.reward.rho = 0.0;
    assert_broken(comm, &s, BROKEN(CGM_STRICT_MONOTONICITY), 0.0, "rho is 0");
    s.reward.rho = 0.5;
    s.semivalue.kind = CGM_SEMIVALUE_LEAVE_ONE_OUT;
    assert_broken(comm, &s, BROKEN(CGM_STRICT_MONOTONICITY), 0.0, "leave_one_out");
}

static void test_group_welfare_has_no_threshold(void **state)
{
    cgm_comm *comm = *state;
    sketch s;
    cgm_incentives incentives;
    make_sketch(&s);
    s.realised[PARTIES] = 0.1;
    certify(comm, &s, &incentives);
    const cgm_incentive_row *row = &incentives.rows[CGM_GROUP_WELFARE];
    assert_all_ranks(comm, row->holds && row->violation == 0.0 && row->realised == 0.0);
    assert_all_ranks(comm, strstr(row->detail, "sum of r 1.2, 0.444444 of the ceilings' sum 2.7; "
                                               "reached 1.1") != NULL);
}

/* What was reached stands beside what was promised and is no judgement; the worst β counts. */
static void test_realised_is_beside(void **state)
{
    cgm_comm *comm = *state;
    sketch s;
    cgm_incentives incentives;
    make_sketch(&s);
    s.realised[1] = 0.18;
    s.realised[PARTIES + 1] = 0.19;
    certify(comm, &s, &incentives);
    assert_all_ranks(comm, incentives.rows[CGM_INDIVIDUAL_RATIONALITY].holds);
    assert_close(comm, incentives.rows[CGM_INDIVIDUAL_RATIONALITY].realised, 0.02, 0.0, 1e-12);
    assert_close(comm, incentives.rows[CGM_STABILITY].realised, 0.07, 0.0, 1e-12);
    assert_close(comm, incentives.rows[CGM_STRICT_DESIRABILITY].realised, 0.02, 0.0, 1e-12);
}

static void test_no_contribution(void **state)
{
    cgm_comm *comm = *state;
    sketch s;
    make_sketch(&s);
    s.reward.status = CGM_REWARD_NO_CONTRIBUTION;
    s.reward.v_star = s.reward.rho = NAN;
    for (int i = 0; i < PARTIES; i++) {
        s.alpha[i] = 0.0;
        s.r[i] = s.single[i];
    }
    assert_broken(comm, &s, NULL, 0, 0.0, "");
    cgm_incentives incentives;
    certify(comm, &s, &incentives);
    assert_all_ranks(comm, strstr(incentives.rows[CGM_STABILITY].detail, "no rewards") != NULL);
    s.r[1] = 0.1;
    assert_broken(comm, &s, BROKEN(CGM_INDIVIDUAL_RATIONALITY), 0.1, "party 'b'");
}

/* Relaxed: the program used its slack, and that is no violation; a real one is. */
static void test_relaxed(void **state)
{
    cgm_comm *comm = *state;
    sketch s;
    make_sketch(&s);
    s.reward.status = CGM_REWARD_RELAXED;
    s.stable[2] = 0.6 * (1.0 + 1.5 * CGM_LP_SLACK);
    assert_broken(comm, &s, NULL, 0, 0.0, "");
    s.stable[2] = 0.61;
    assert_broken(comm, &s, BROKEN(CGM_STABILITY), 0.01, "party 'c'");
}

/* More parties than are enumerated: by φ and v, and not at all by leave-one-out. */
static void test_many_parties(void **state)
{
    cgm_comm *comm = *state;
    sketch s = {.n = MANY, .semivalue = shapley_value};
    for (int i = 0; i < MANY; i++) {
        s.names[i] = i == 4 ? "four" : i == 5 ? "five" : "another";
        s.sizes[i] = 1 + i;
        s.single[i] = 0.01 * i;
        s.ceiling[i] = 0.9;
        s.phi[i] = 1.0 + i;
        s.alpha[i] = s.phi[i] / MANY;
        s.tie[i] = i;
        s.r[i] = s.realised[i] = s.realised[MANY + i] = 0.6 * s.alpha[i];
    }
    s.reward = (cgm_reward){.status = CGM_REWARD_OPTIMAL, .v_star = 0.6, .rho = 1.0};
    assert_broken(comm, &s, NULL, 0, 0.0, "");
    const double kept = s.r[4];
    s.r[4] = s.r[5] + 0.001;
    assert_broken(comm, &s, BROKEN(CGM_STRICT_DESIRABILITY), 0.001, "sufficient");
    assert_broken(comm, &s, BROKEN(CGM_STRICT_DESIRABILITY), 0.001, "party 'five'");
    /* Alone, four is worth more than five: neither is more desirable. */
    s.single[4] = 0.051;
    assert_broken(comm, &s, NULL, 0, 0.0, "");
    s.r[4] = kept;
    s.semivalue.kind = CGM_SEMIVALUE_LEAVE_ONE_OUT;
    assert_broken(comm, &s, BROKEN(CGM_STRICT_DESIRABILITY, CGM_STRICT_MONOTONICITY), 0.0,
                  "cannot be shown");
}

/* Many parties in few places: those of one place and size are alike, on whatever rank their rows
 * are. Two that differ in their sum with a single party are not. */
static void test_alike_on_several_ranks(void **state)
{
    cgm_comm *comm = *state;
    enum { N = 200, PLACES = 7, ODD = 150 };
    int64_t sizes[N];
    int64_t alike[N];
    double t[N];
    double *square = calloc(N * N, sizeof *square);
    assert_all_ranks(comm, square != NULL);
    for (int i = 0; i < N; i++) {
        sizes[i] = 10 + i % 2;
        t[i] = 500.0 * (double)sizes[i] * (double)(1 + i % PLACES);
        for (int j = 0; j < N; j++) {
            const int apart = i % PLACES - j % PLACES;
            square[i * N + j] =
                exp(-(double)(apart * apart)) * (double)((10 + i % 2) * (10 + j % 2));
        }
    }
    square[ODD * N + 3] *= 1.0 + 1e-9;
    square[3 * N + ODD] = square[ODD * N + 3];
    cgm_kernel_sums sums = {.n_parties = N, .party_points = sizes, .reference_sums = t};
    game_share_rows(comm, square, &sums);
    assert_all_ranks(comm, cgm_alike_find(comm, &sums, alike) == CGM_OK);
    for (int i = 0; i < N; i++) {
        const bool odd = i == ODD || i == 3;
        assert_all_ranks(comm, alike[i] == (odd                     ? i
                                            : i % (2 * PLACES) == 3 ? 3 + 2 * PLACES
                                                                    : i % (2 * PLACES)));
    }
    game_forget_rows(&sums);
    free(square);
}

/* Strict desirability beyond enumeration against a look at every pair, with ties in φ and v. */
static void test_desirability_by_every_pair(void **state)
{
    cgm_comm *comm = *state;
    int64_t holding = 0;
    for (uint64_t number = 0; number < 50; number++) {
        sketch s = {.n = MANY, .semivalue = shapley_value};
        const cgm_rng rng = {17, number, CGM_RNG_SIMULATE};
        for (int i = 0; i < MANY; i++) {
            uint64_t words[4];
            cgm_rng_words(&rng, (uint64_t)i, 0, 0, words);
            s.names[i] = "party";
            s.sizes[i] = 1 + i;
            s.tie[i] = (int64_t)(words[0] % 10);
            s.phi[i] = s.alpha[i] = 0.1 * (double)(s.tie[i] + 1);
            s.single[i] = 0.01 * (double)(words[1] % 10);
            s.ceiling[i] = 0.9;
            s.r[i] = s.realised[i] = s.realised[MANY + i] =
                s.alpha[i] * (0.5 + 0.01 * (double)number * cgm_rng_uniform(words[2]));
        }
        s.reward = (cgm_reward){.status = CGM_REWARD_OPTIMAL, .v_star = 0.6, .rho = 1.0};
        double gap = -INFINITY;
        for (int i = 0; i < MANY; i++) {
            for (int j = 0; j < MANY; j++) {
                if (s.tie[i] > s.tie[j] && s.single[i] >= s.single[j]) {
                    gap = fmax(gap, s.r[j] - s.r[i]);
                }
            }
        }
        cgm_incentives incentives;
        certify(comm, &s, &incentives);
        const cgm_incentive_row *row = &incentives.rows[CGM_STRICT_DESIRABILITY];
        assert_all_ranks(comm, row->holds == (gap < 0.0) && row->violation == fmax(gap, 0.0));
        holding += gap < 0.0;
    }
    assert_all_ranks(comm, holding > 5 && holding < 45);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_hold),
        cmocka_unit_test(test_non_negativity),
        cmocka_unit_test(test_individual_rationality),
        cmocka_unit_test(test_stability),
        cmocka_unit_test(test_feasibility),
        cmocka_unit_test(test_weak_efficiency),
        cmocka_unit_test(test_uselessness),
        cmocka_unit_test(test_symmetry),
        cmocka_unit_test(test_strict_desirability),
        cmocka_unit_test(test_strict_monotonicity),
        cmocka_unit_test(test_group_welfare_has_no_threshold),
        cmocka_unit_test(test_realised_is_beside),
        cmocka_unit_test(test_no_contribution),
        cmocka_unit_test(test_relaxed),
        cmocka_unit_test(test_many_parties),
        cmocka_unit_test(test_alike_on_several_ranks),
        cmocka_unit_test(test_desirability_by_every_pair),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
