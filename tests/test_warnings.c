/* Every warning where its condition holds, and none on a run that nothing is wrong with. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/pipeline.h"
#include "cgm/tolerance.h"
#include "harness.h"

enum { PARTIES = 7, FEATURES = 3 };

/* What a run consists of, as far as the warnings look at it. */
typedef struct made_run {
    cgm_config config;
    cgm_reward_set set;
    cgm_metric_set measured;
    double columns[CGM_METRIC_COLUMNS][PARTIES];
    char *names[PARTIES];
    char *lost[PARTIES];
    int64_t sizes[PARTIES];
    double range[FEATURES];
    double lengthscales[FEATURES];
    double row_totals[PARTIES];
    double party_candidate_sums[PARTIES];
    double single[PARTIES];
    double ceiling[PARTIES];
    double phi[PARTIES];
    double alpha[PARTIES];
    int64_t reached[PARTIES];
    cgm_run run;
} made_run;

/* Ten points a party, kernel .5 between all different points and to the pool, κ = 1. */
static void make_run(made_run *made)
{
    static char *const names[PARTIES] = {"a", "b", "c", "d", "e", "f", "g"};
    *made = (made_run){.config = {.shapley_tolerance = 1e-12}, .range = {1.0, 0.0, 9.0}};
    for (int i = 0; i < PARTIES; i++) {
        made->names[i] = names[i];
        made->lost[i] = i == 1 ? "stability: 0.5 is less than 0.6 by 0.1" : "";
        made->sizes[i] = 10;
        made->row_totals[i] = 0.5 * 90.0 + 10.0 + (PARTIES - 1) * 0.5 * 100.0;
        made->party_candidate_sums[i] = 0.5 * 10.0 * 100.0;
        made->single[i] = 0.2;
        made->ceiling[i] = 0.3;
        made->phi[i] = 0.1;
        made->alpha[i] = 1.0;
        made->reached[i] = 1;
    }
    made->measured = (cgm_metric_set){.inv_temp = 4.0};
    made->set = (cgm_reward_set){.inv_temp = 4.0, .reached = made->reached};
    cgm_run *run = &made->run;
    run->config = &made->config;
    run->shard = (cgm_shard){.n_parties = PARTIES, .n_features = FEATURES, .names = made->names};
    run->spread.range = made->range;
    run->sums = (cgm_kernel_sums){.n_parties = PARTIES,
                                  .n_candidates = 100,
                                  .party_points = made->sizes,
                                  .diagonal = 1.0,
                                  .row_totals = made->row_totals,
                                  .party_candidate_sums = made->party_candidate_sums};
    run->values = (cgm_values){.single = made->single, .ceiling = made->ceiling};
    run->shapley = (cgm_shapley){.method = CGM_SHAPLEY_QUADRATURE,
                                 .phi = made->phi,
                                 .alpha = made->alpha,
                                 .error_estimate = 1e-14};
    run->reward = (cgm_reward){.status = CGM_REWARD_OPTIMAL, .binding = "why"};
    run->sampling = (cgm_sampling){.n_sets = 1, .sets = &made->set};
    run->candidates = (cgm_candidates){.n_points = 100000};
    run->metrics = (cgm_metrics){.n_sets = 1, .sets = &made->measured};
}

/* Exactly this one, and its text holds that; NULL: none at all. */
static void assert_warning(cgm_comm *comm, const made_run *made, const char *code, const char *part)
{
    cgm_warnings warnings;
    assert_all_ranks(comm, cgm_warnings_collect(comm, &made->run, &warnings) == CGM_OK);
    for (int64_t k = 0; k < warnings.count; k++) {
        print_message("%s: %s\n", warnings.code[k], warnings.text[k]);
    }
    assert_all_ranks(comm, warnings.count == (code != NULL));
    if (code != NULL) {
        assert_all_ranks(comm, strcmp(warnings.code[0], code) == 0);
        assert_all_ranks(comm, strstr(warnings.text[0], part) != NULL);
        assert_same_on_all_ranks(comm, warnings.text[0], strlen(warnings.text[0]) + 1);
    }
    cgm_warnings_destroy(&warnings);
}

static void test_none(void **state)
{
    made_run made;
    make_run(&made);
    assert_warning(*state, &made, NULL, NULL);
}

/* A constant feature has no scale; scaled features and a lengthscale a feature need no warning. */
static void test_scales_differ(void **state)
{
    made_run made;
    make_run(&made);
    made.range[2] = 11.0;
    assert_warning(*state, &made, "scales_differ", "feature 2 has a range of 11 and feature 0");
    made.config.scaling = CGM_SCALE_STANDARD;
    assert_warning(*state, &made, NULL, NULL);
    made.config.scaling = CGM_SCALE_NONE;
    made.run.kernel.feature_lengthscales = made.lengthscales;
    assert_warning(*state, &made, NULL, NULL);
}

/* Projected features: what counts is the raw ones' scale, and components that do not vary. */
static void test_projection(void **state)
{
    made_run made;
    make_run(&made);
    double variance[] = {2.0, 1.0, 0.5};
    double range[] = {1.0, 1.0, 3.0, 2.0, 30.0};
    made.range[2] = 100.0;
    made.run.features = (cgm_features){
        .n_components = 3, .n_features = 5, .range = range, .explained_variance = variance};
    made.run.kernel.feature_lengthscales = made.lengthscales;
    assert_warning(*state, &made, "scales_differ", "feature 4 has a range of 30 and feature 0");
    range[4] = 1.5;
    assert_warning(*state, &made, NULL, NULL);
    variance[2] = variance[1] = 0.0;
    assert_warning(*state, &made, "zero_variance",
                   "vary in 1 directions only, so that 2 of 3 components");
}

static void test_always_valid(void **state)
{
    made_run made;
    make_run(&made);
    made.run.lengthscale = (cgm_lengthscale){.value = 0.01, .always_valid = true};
    assert_warning(*state, &made, "always_valid", "down to 0.01");
}

static void test_pool_far_from_data(void **state)
{
    made_run made;
    make_run(&made);
    made.ceiling[2] = made.ceiling[5] = 0.1;
    assert_warning(*state, &made, "pool_far_from_data", "2 of 7 parties worth less");
    make_run(&made);
    for (int i = 0; i < PARTIES; i++) {
        made.party_candidate_sums[i] = 0.04 * 10.0 * 100.0;
    }
    assert_warning(*state, &made, "pool_far_from_data",
                   "is 0.04 on average, between points of the "
                   "parties 0.5");
    for (int i = 0; i < PARTIES; i++) {
        made.party_candidate_sums[i] = 0.06 * 10.0 * 100.0;
    }
    assert_warning(*state, &made, NULL, NULL);
}

/* What was enumerated cannot be refined. */
static void test_shapley_not_converged(void **state)
{
    made_run made;
    make_run(&made);
    made.run.shapley.error_estimate = 1e-12;
    assert_warning(*state, &made, "shapley_not_converged", "known to 1e-12 only");
    made.run.shapley.method = CGM_SHAPLEY_ENUMERATE;
    assert_warning(*state, &made, NULL, NULL);
}

/* At most five are named. */
static void test_zero_contribution(void **state)
{
    made_run made;
    make_run(&made);
    made.alpha[1] = made.alpha[4] = 0.0;
    assert_warning(*state, &made, "zero_contribution", "2 of 7 parties have");
    assert_warning(*state, &made, "zero_contribution", ": 'b', 'e'; ");
    for (int i = 1; i < PARTIES; i++) {
        made.alpha[i] = 0.0;
    }
    assert_warning(*state, &made, "zero_contribution", ": 'b', 'c', 'd', 'e', 'f', ...; ");
}

static void test_no_contribution(void **state)
{
    made_run made;
    make_run(&made);
    memset(made.alpha, 0, sizeof made.alpha);
    made.run.reward.status = CGM_REWARD_NO_CONTRIBUTION;
    assert_warning(*state, &made, "no_contribution", "no rewards, as why");
}

static void test_relaxed(void **state)
{
    made_run made;
    make_run(&made);
    made.run.reward.status = CGM_REWARD_RELAXED;
    made.run.reward.lost = made.lost;
    made.run.reward.total_violation = 0.25;
    assert_warning(*state, &made, "relaxed",
                   "why; it was relaxed by 0.25 in all, and /reward/lost "
                   "tells what 1 of 7 parties lose");
}

static void test_target_not_reached(void **state)
{
    made_run made;
    make_run(&made);
    made.reached[0] = made.reached[6] = 0;
    assert_warning(*state, &made, "target_not_reached", "at inverse temperature 4, 2 of 7 parties");
}

/* 10,000 points a reward, no nearer to anybody than those of the pool; c got none. */
static void measure_privacy(made_run *made)
{
    for (int c = CGM_PRIVACY_COPIES; c <= CGM_N_REWARDS; c++) {
        made->measured.columns[c] = made->columns[c];
    }
    for (int i = 0; i < PARTIES; i++) {
        made->columns[CGM_PRIVACY_COPIES][i] = i == 2 ? NAN : 0.0;
        made->columns[CGM_PRIVACY_RATIO][i] = i == 2 ? NAN : 1.0;
        made->columns[CGM_PRIVACY_CLOSE][i] = i == 2 ? NAN : 0.05;
        made->columns[CGM_N_REWARDS][i] = i == 2 ? 0.0 : 10000.0;
    }
}

static void test_privacy_copies(void **state)
{
    made_run made;
    make_run(&made);
    measure_privacy(&made);
    assert_warning(*state, &made, NULL, NULL);
    made.columns[CGM_PRIVACY_COPIES][0] = made.columns[CGM_PRIVACY_COPIES][6] = 1e-4;
    assert_warning(*state, &made, "privacy_copies",
                   "at inverse temperature 4, the rewards of 2 of 7");
    assert_warning(*state, &made, "privacy_copies", "records: 'a', 'g'; ");
}

/* Both ways of being too close; neither counts in so few points that it is chance. */
static void test_privacy_close(void **state)
{
    made_run made;
    make_run(&made);
    measure_privacy(&made);
    made.columns[CGM_PRIVACY_CLOSE][1] = 0.11;
    assert_warning(*state, &made, "privacy_close", "1 of 7 parties lie closer");
    assert_warning(*state, &made, "privacy_close", "trained on: 'b'; ");
    made.columns[CGM_N_REWARDS][1] = 100.0;
    assert_warning(*state, &made, NULL, NULL);
    made.columns[CGM_PRIVACY_CLOSE][1] = 0.07;
    made.columns[CGM_PRIVACY_RATIO][1] = 0.7;
    assert_warning(*state, &made, NULL, NULL);
    made.columns[CGM_N_REWARDS][1] = 10000.0;
    assert_warning(*state, &made, "privacy_close", "trained on: 'b'; ");
    made.run.testset.n_points = 100;
    assert_warning(*state, &made, NULL, NULL);
}

/* Up to the limits nothing is said. */
static void test_downstream(void **state)
{
    made_run made;
    make_run(&made);
    const cgm_downstream_extent all = {
        .n_measured = PARTIES, .most = 60, .training = 60, .others = 60, .test = 60};
    cgm_downstream_extent *extent = &made.run.metrics.downstream;
    *extent = all;
    assert_warning(*state, &made, NULL, NULL);
    extent->training = 61;
    assert_warning(*state, &made, "downstream_subsampled", "training sets have up to 61,");
    *extent = all;
    extent->others = 61;
    assert_warning(*state, &made, "downstream_subsampled", "the other parties 61 and /test 60");
    *extent = all;
    extent->test = 61;
    assert_warning(*state, &made, "downstream_subsampled", "at most 60 points");
    *extent = all;
    extent->n_measured = PARTIES - 1;
    assert_warning(*state, &made, "downstream_parties", "trained for 6 of 7 parties");
    *extent = all;
    extent->refused = 2;
    assert_warning(*state, &made, "downstream_classes", "2 downstream models");
}

/* A network that has learned what there is to learn, of three classes. */
typedef struct made_network {
    cgm_gan_outcome outcome; /* the state of a model begins with it */
    cgm_gan_class classes[3];
} made_network;

static void make_network(made_run *made, made_network *network)
{
    make_run(made);
    *network = (made_network){
        .outcome = {.n_features = FEATURES, .n_classes = 3, .mmd2 = 0.001, .untrained = 0.1},
        .classes = {{.label = -4, .n_points = 90, .only_party = -1},
                    {.label = 0, .n_points = 4, .only_party = -1},
                    {.label = 7, .n_points = 906, .only_party = -1}}};
    network->outcome.classes = network->classes;
    made->config.generator_type = CGM_GENERATOR_GAN;
    made->config.gan.batch = 1000;
    made->run.shard.n_points = 1000;
    made->run.model.state = network;
}

static void test_network(void **state)
{
    made_run made;
    made_network network;
    make_network(&made, &network);
    assert_warning(*state, &made, NULL, NULL);
    network.outcome.mmd2 = 0.0101;
    assert_warning(*state, &made, "network_far_from_data", "no closer to the parties' points than");
    network.outcome.mmd2 = network.outcome.untrained = 0.0;
    assert_warning(*state, &made, NULL, NULL);
    make_network(&made, &network);
    made.config.gan.batch = 1001;
    assert_warning(*state, &made, "network_of_few_points", "have 1000 points, fewer than the 1001");
    make_network(&made, &network);
    network.outcome.n_constant = 2;
    assert_warning(*state, &made, "network_of_constant_features", "2 of 3 features are the same");
}

/* Where no feature varies all classes are one place, which is said once. */
static void test_classes_of_network(void **state)
{
    made_run made;
    made_network network;
    make_network(&made, &network);
    network.classes[2].only_party = 6;
    assert_warning(*state, &made, "network_class_of_one_party",
                   "of 1 of 3 classes (the first: 7, with 906 points, all of party g)");
    network.classes[0].only_party = 0;
    assert_warning(*state, &made, "network_class_of_one_party",
                   "of 2 of 3 classes (the first: -4, with 90 points, all of party a)");
    make_network(&made, &network);
    network.classes[1].n_points = 3;
    assert_warning(*state, &made, "network_class_of_few_points",
                   "of 1 of 3 classes (the first: 0, with 3 points)");
    network.classes[1].is_one_place = true;
    assert_warning(*state, &made, "network_class_in_one_place",
                   "of 1 of 3 classes (the first: 0, with 3 points)");
    for (int k = 0; k < 3; k++) {
        network.classes[k].n_points = 300;
        network.classes[k].is_one_place = true;
    }
    network.outcome.n_constant = FEATURES;
    assert_warning(*state, &made, "network_of_constant_features", "which are all one point");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_scales_differ),
        cmocka_unit_test(test_projection),
        cmocka_unit_test(test_always_valid),
        cmocka_unit_test(test_pool_far_from_data),
        cmocka_unit_test(test_shapley_not_converged),
        cmocka_unit_test(test_zero_contribution),
        cmocka_unit_test(test_no_contribution),
        cmocka_unit_test(test_relaxed),
        cmocka_unit_test(test_target_not_reached),
        cmocka_unit_test(test_privacy_copies),
        cmocka_unit_test(test_privacy_close),
        cmocka_unit_test(test_downstream),
        cmocka_unit_test(test_network),
        cmocka_unit_test(test_classes_of_network),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
