/* Accuracies of whole runs against models that LIBSVM alone trains and tests on points that are
 * chosen here by plain loops. */
// ranks: 1 2 3 5
// timeout: 120
// without: valgrind
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "cgm/pipeline.h"
#include "cgm/rng.h"
#include "harness.h"
#include "svm_oracle.h"

enum { MOST_PARTIES = 60, MOST_BETAS = 2 };

/* What a run consists of, as far as downstream models look at it. Owners are the parties, the pool
 * and /test, in this order. */
typedef struct made_run {
    recipe made;
    test_case points;
    cgm_config config;
    cgm_run run;
    cgm_reward_set sets[MOST_BETAS];
    double alpha[MOST_PARTIES];
} made_run;

static int64_t rewards_of(int64_t party, int64_t beta)
{
    return party == 1 && beta == 0 ? 0 : 30 + 11 * party + 170 * beta;
}

/* The candidate that a party's reward number k is. */
static int64_t reward_of(const made_run *of, int64_t party, int64_t beta, int64_t k)
{
    return (97 * party + 311 * beta + 3 * k) % of->run.candidates.n_points;
}

static void make_labels(made_run *made, const cgm_comm *comm)
{
    cgm_shard *shard = &made->run.shard;
    shard->has_labels = true;
    shard->labels = calloc((size_t)shard->n_local_points + 1, 8);
    for (int64_t k = 0; k < shard->n_shares; k++) {
        for (int64_t at = shard->share_first[k]; at < shard->share_first[k + 1]; at++) {
            const int64_t row = shard->share_offset[k] + at - shard->share_first[k];
            recipe_point(&made->made, shard->share_party[k], row,
                         shard->points + at * shard->n_features);
            shard->labels[at] = recipe_label(&made->made, shard->share_party[k], row);
        }
    }
    cgm_candidates *pool = &made->run.candidates;
    pool->has_labels = true;
    pool->labels = calloc((size_t)(pool->held_end - pool->held_first) + 1, 8);
    for (int64_t row = pool->held_first; row < pool->held_end; row++) {
        const int64_t at = row - pool->held_first;
        pool->labels[at] = recipe_label(&made->made, shard->n_parties, row);
        if (pool->sliced || comm->node_rank == 0) {
            recipe_point(&made->made, shard->n_parties, row, pool->points + at * pool->n_features);
        }
    }
}

static void make_rewards(made_run *made, const cgm_comm *comm, int64_t n_betas)
{
    const cgm_shard *shard = &made->run.shard;
    for (int64_t s = 0; s < n_betas; s++) {
        cgm_reward_set *set = &made->sets[s];
        set->inv_temp = (double)(1 + s);
        set->offsets = calloc((size_t)shard->n_parties + 1, 8);
        for (int64_t i = 0; i < shard->n_parties; i++) {
            set->offsets[i + 1] = set->offsets[i] + rewards_of(i, s);
        }
        const int64_t first = set->offsets[shard->first_party[comm->rank]];
        set->indices = calloc((size_t)set->offsets[shard->n_parties] + 1, 8);
        for (int64_t i = shard->first_party[comm->rank]; i < shard->first_party[comm->rank + 1];
             i++) {
            for (int64_t k = 0; k < rewards_of(i, s); k++) {
                set->indices[set->offsets[i] - first + k] = reward_of(made, i, s, k);
            }
        }
    }
    made->run.sampling = (cgm_sampling){.n_sets = n_betas, .sets = made->sets};
}

static void make_run(cgm_comm *comm, const recipe *of, int64_t n_parties, const int64_t *sizes,
                     int64_t n_betas, int64_t n_tested, bool sliced, made_run *made)
{
    *made = (made_run){.made = *of};
    (sliced ? case_make_sliced : case_make)(comm, n_parties, sizes, of->n_features, 1500, 1.0,
                                            &made->points);
    made->run.shard = made->points.shard;
    made->run.candidates = made->points.candidates;
    made->run.kernel = made->points.kernel;
    make_labels(made, comm);
    cgm_comm_barrier(comm);
    make_rewards(made, comm, n_betas);
    svm_points tested = svm_points_make(of, n_parties + 1, n_tested);
    made->run.testset = (cgm_testset){.n_points = n_tested,
                                      .n_features = of->n_features,
                                      .has_labels = n_tested > 0,
                                      .points = tested.memory,
                                      .labels = tested.set.labels};
    free(tested.set.points);
    made->run.candidates.original = NULL; /* perhaps in other features than all the rest */
    made->config =
        (cgm_config){.metrics = CGM_METRIC_DOWNSTREAM, .downstream_points = 20000, .seed = 1};
    made->run.config = &made->config;
    made->run.shapley.alpha = made->alpha;
}

static void remove_run(made_run *made)
{
    free(made->run.shard.labels);
    free(made->run.candidates.labels);
    free(made->run.testset.points);
    free(made->run.testset.labels);
    for (int64_t s = 0; s < made->run.sampling.n_sets; s++) {
        free(made->sets[s].offsets);
        free(made->sets[s].indices);
    }
    case_close(&made->points);
}

/* The pair is cgm_metrics_destroy. */
static cgm_metrics measure(cgm_comm *comm, const made_run *made)
{
    cgm_metrics metrics;
    assert_all_ranks(comm, cgm_metrics_measure(comm, &made->run, &metrics) == CGM_OK);
    return metrics;
}

/* A ticket and what it is of. */
typedef struct lot {
    uint64_t ticket;
    int64_t owner, row;
} lot;

static int compare_lots(const void *left, const void *right)
{
    const lot *a = left;
    const lot *b = right;
    return a->ticket < b->ticket ? -1 : a->ticket > b->ticket;
}

static lot draw_lot(const made_run *made, const char *name, uint64_t kind, int64_t owner,
                    int64_t number, int64_t row)
{
    const cgm_rng rng = {made->config.seed, cgm_rng_hash(name), CGM_RNG_DOWNSTREAM};
    uint64_t words[4];
    cgm_rng_words(&rng, (uint64_t)number, kind, 0, words);
    return (lot){words[0], owner, row};
}

static int compare_places(const void *left, const void *right)
{
    const lot *a = left;
    const lot *b = right;
    return a->owner != b->owner ? (a->owner < b->owner ? -1 : 1) : a->row < b->row ? -1 : 1;
}

/* The points of lots, or of those with the lowest tickets; rewards keep the order of their draws,
 * which their rows have. */
static svm_points take_lots(const made_run *made, lot *lots, int64_t count)
{
    const int64_t most = made->config.downstream_points;
    svm_points taken = svm_points_create(count, made->made.n_features);
    if (count > most) {
        qsort(lots, (size_t)count, sizeof *lots, compare_lots);
        count = most;
        qsort(lots, (size_t)count, sizeof *lots, compare_places);
    }
    for (int64_t k = 0; k < count; k++) {
        const int64_t n_parties = made->run.shard.n_parties;
        const int64_t row = lots[k].row % 1000000;
        svm_points_add_made(&taken, &made->made,
                            lots[k].owner == INT64_MAX ? n_parties : lots[k].owner, row);
    }
    return taken;
}

/* beta < 0: before */
static svm_points training_set(const made_run *made, int64_t party, int64_t beta)
{
    const cgm_shard *shard = &made->run.shard;
    const int64_t own = shard->party_points[party];
    const int64_t rewards = beta < 0 ? 0 : rewards_of(party, beta);
    lot *lots = calloc((size_t)(own + rewards), sizeof *lots);
    for (int64_t k = 0; k < own + rewards; k++) {
        const int64_t draw = k - own;
        lots[k] = draw < 0 ? draw_lot(made, shard->names[party], 0, party, k, k)
                           : draw_lot(made, shard->names[party], 1, INT64_MAX, draw,
                                      1000000 * draw + reward_of(made, party, beta, draw));
    }
    svm_points taken = take_lots(made, lots, own + rewards);
    free(lots);
    return taken;
}

static svm_points other_points(const made_run *made, int64_t party)
{
    const cgm_shard *shard = &made->run.shard;
    lot *lots = calloc((size_t)shard->n_points, sizeof *lots);
    int64_t n = 0;
    for (int64_t i = 0; i < shard->n_parties; i++) {
        for (int64_t row = 0; row < shard->party_points[i] && i != party; row++) {
            lots[n++] = draw_lot(made, shard->names[i], 0, i, row, row);
        }
    }
    svm_points taken = take_lots(made, lots, n);
    free(lots);
    return taken;
}

static svm_points test_points(const made_run *made)
{
    const int64_t n = made->run.testset.n_points;
    lot *lots = calloc((size_t)n + 1, sizeof *lots);
    for (int64_t row = 0; row < n; row++) {
        lots[row] = draw_lot(made, "/test", 2, made->run.shard.n_parties + 1, row, row);
    }
    svm_points taken = take_lots(made, lots, n);
    free(lots);
    return taken;
}

/* All accuracies of a party. */
static void check_party(cgm_comm *comm, const made_run *made, const cgm_metrics *metrics,
                        int64_t party)
{
    svm_points others = other_points(made, party);
    svm_points tested = test_points(made);
    for (int64_t s = -1; s < metrics->n_sets; s++) {
        svm_points training = training_set(made, party, s);
        const double expected[2] = {oracle_accuracy(&training, &others),
                                    oracle_accuracy(&training, &tested)};
        svm_points_destroy(&training);
        for (int64_t t = s < 0 ? 0 : s; t <= (s < 0 ? metrics->n_sets - 1 : s); t++) {
            double *const *columns = metrics->sets[t].columns;
            const double found[2] = {
                columns[CGM_DOWNSTREAM_OTHERS_BEFORE + (s >= 0)][party],
                columns[CGM_DOWNSTREAM_TEST_BEFORE + (s >= 0)][party],
            };
            assert_close_array(comm, found, expected, 2, 0.0, 0.0);
        }
    }
    svm_points_destroy(&others);
    svm_points_destroy(&tested);
}

static const recipe blurred = {3, 4, 2.0, 0.0, 5};

/* Parties smaller and larger than a block of points, on fewer and on more ranks than there are
 * parties; the pool whole and in slices; threads. */
static void test_against_libsvm(void **state)
{
    cgm_comm *comm = *state;
    const int threads = comm->threads;
    for (int c = 0; c < 2; c++) {
        made_run made;
        make_run(comm, &blurred, 3, (int64_t[]){90, 610, 530}, 2, 200, c == 1, &made);
        comm->threads = c == 1 ? 3 : threads;
        cgm_metrics metrics = measure(comm, &made);
        comm->threads = threads;
        const cgm_downstream_extent *extent = &metrics.downstream;
        assert_all_ranks(comm, extent->n_measured == 3 && extent->training == 610 + 211);
        assert_all_ranks(comm, extent->others == 1140 && extent->test == 200);
        assert_all_ranks(comm, extent->refused == 0 && extent->most == 20000);
        for (int64_t i = 0; i < 3; i++) {
            check_party(comm, &made, &metrics, i);
        }
        cgm_metrics_destroy(&metrics);
        remove_run(&made);
    }
}

/* Of too many points those with the lowest tickets, wherever they are. */
static void test_subsamples(void **state)
{
    cgm_comm *comm = *state;
    double first[3] = {0.0};
    for (int c = 0; c < 3; c++) {
        made_run made;
        make_run(comm, &blurred, 3, (int64_t[]){90, 610, 530}, 2, 200, c == 1, &made);
        made.config.downstream_points = c == 2 ? 700 : 120;
        made.config.seed = c == 1 ? 2 : 1;
        cgm_metrics metrics = measure(comm, &made);
        for (int64_t i = 0; i < 3; i++) {
            check_party(comm, &made, &metrics, i);
        }
        const double *column = metrics.sets[1].columns[CGM_DOWNSTREAM_OTHERS_AFTER];
        if (c == 0) {
            memcpy(first, column, sizeof first);
        }
        assert_all_ranks(comm, (memcmp(first, column, sizeof first) == 0) == (c == 0));
        cgm_metrics_destroy(&metrics);
        remove_run(&made);
    }
}

/* Fifty of sixty, by the seed and their names. */
static void test_many_parties(void **state)
{
    cgm_comm *comm = *state;
    int64_t sizes[MOST_PARTIES];
    lot lots[MOST_PARTIES];
    made_run made;
    for (int64_t i = 0; i < MOST_PARTIES; i++) {
        sizes[i] = 10 + i % 7;
    }
    make_run(comm, &blurred, MOST_PARTIES, sizes, 1, 50, false, &made);
    made.config.downstream_points = 200;
    cgm_metrics metrics = measure(comm, &made);
    for (int64_t i = 0; i < MOST_PARTIES; i++) {
        lots[i] = draw_lot(&made, made.run.shard.names[i], 3, i, 0, 0);
    }
    qsort(lots, MOST_PARTIES, sizeof *lots, compare_lots);
    for (int64_t k = 0; k < MOST_PARTIES; k++) {
        const int64_t i = lots[k].owner;
        for (int c = CGM_DOWNSTREAM_OTHERS_BEFORE; c <= CGM_DOWNSTREAM_TEST_AFTER; c++) {
            assert_all_ranks(comm, isnan(metrics.sets[0].columns[c][i]) == (k >= 50));
        }
    }
    assert_all_ranks(comm, metrics.downstream.n_measured == 50);
    check_party(comm, &made, &metrics, lots[0].owner);
    check_party(comm, &made, &metrics, lots[49].owner);
    cgm_metrics_destroy(&metrics);
    remove_run(&made);
}

/* Classes far from each other, and a fifth of the test points with another one's label. */
static void test_known_shares(void **state)
{
    cgm_comm *comm = *state;
    const recipe apart = {2, 3, 0.1, 0.0, 1};
    made_run made;
    make_run(comm, &apart, 2, (int64_t[]){60, 700}, 1, 100, false, &made);
    for (int64_t k = 0; k < 100; k += 5) {
        made.run.testset.labels[k] = (made.run.testset.labels[k] + 1) % 3;
    }
    cgm_metrics metrics = measure(comm, &made);
    const double all[2] = {1.0, 1.0};
    const double most[2] = {0.8, 0.8};
    for (int after = 0; after < 2; after++) {
        double *const *columns = metrics.sets[0].columns;
        assert_close_array(comm, columns[CGM_DOWNSTREAM_OTHERS_BEFORE + after], all, 2, 0.0, 0.0);
        assert_close_array(comm, columns[CGM_DOWNSTREAM_TEST_BEFORE + after], most, 2, 0.0, 0.0);
    }
    cgm_metrics_destroy(&metrics);
    remove_run(&made);
}

/* Which columns of a party are numbers, by bits in their order. */
static unsigned numbers_of(const cgm_metrics *metrics, int64_t party)
{
    unsigned found = 0;
    for (int c = 0; c < 4; c++) {
        const double value = metrics->sets[0].columns[CGM_DOWNSTREAM_OTHERS_BEFORE + c][party];
        found |= (unsigned)!isnan(value) << c;
    }
    return found;
}

static void test_missing(void **state)
{
    enum { OTHERS_BEFORE = 1, OTHERS_AFTER = 2, TEST_BEFORE = 4, TEST_AFTER = 8 };
    cgm_comm *comm = *state;
    const struct {
        int64_t n_parties, n_tested;
        bool labels, pool_labels, test_labels;
        unsigned expected;
    } cases[] = {
        {2, 30, true, true, true, 15},
        {2, 30, false, true, true, 0},
        {2, 30, true, false, true, OTHERS_BEFORE | TEST_BEFORE},
        {2, 30, true, true, false, OTHERS_BEFORE | OTHERS_AFTER},
        {2, 0, true, true, false, OTHERS_BEFORE | OTHERS_AFTER},
        {1, 30, true, true, true, TEST_BEFORE | TEST_AFTER},
        {1, 0, true, true, false, 0},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        made_run made;
        make_run(comm, &blurred, cases[c].n_parties, (int64_t[]){50, 40}, 1, cases[c].n_tested,
                 c % 2 == 1, &made);
        made.run.shard.has_labels = cases[c].labels;
        made.run.candidates.has_labels = cases[c].pool_labels;
        made.run.testset.has_labels = cases[c].test_labels;
        cgm_metrics metrics = measure(comm, &made);
        for (int64_t i = 0; i < cases[c].n_parties; i++) {
            assert_all_ranks(comm, numbers_of(&metrics, i) == cases[c].expected);
        }
        assert_all_ranks(comm, (metrics.downstream.n_measured > 0) == cases[c].labels);
        if (c == 0) { /* party 1 has no rewards */
            double *const *columns = metrics.sets[0].columns;
            assert_all_ranks(comm, columns[CGM_DOWNSTREAM_TEST_AFTER][1] ==
                                       columns[CGM_DOWNSTREAM_TEST_BEFORE][1]);
        }
        cgm_metrics_destroy(&metrics);
        remove_run(&made);
    }
}

/* A label of its own for every point is none to learn from. */
static void test_too_many_classes(void **state)
{
    cgm_comm *comm = *state;
    made_run made;
    make_run(comm, &blurred, 2, (int64_t[]){CGM_DOWNSTREAM_CLASSES + 1, 40}, 1, 30, false, &made);
    cgm_shard *shard = &made.run.shard;
    for (int64_t k = 0; k < shard->n_shares; k++) {
        for (int64_t at = shard->share_first[k]; at < shard->share_first[k + 1]; at++) {
            if (shard->share_party[k] == 0) {
                shard->labels[at] = shard->share_offset[k] + at - shard->share_first[k];
            }
        }
    }
    cgm_metrics metrics = measure(comm, &made);
    assert_all_ranks(comm, numbers_of(&metrics, 0) == 0 && numbers_of(&metrics, 1) == 15);
    assert_all_ranks(comm, metrics.downstream.refused == 2);
    cgm_metrics_destroy(&metrics);
    remove_run(&made);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_libsvm), cmocka_unit_test(test_subsamples),
        cmocka_unit_test(test_many_parties),   cmocka_unit_test(test_known_shares),
        cmocka_unit_test(test_missing),        cmocka_unit_test(test_too_many_classes),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
