/* Training of the generative network: the same bits at any number of ranks and threads, a made-up
 * distribution that is learned, classes in their shares, and data at the edge. */
// ranks: 1 2 3 5
// timeout: 120
// without: valgrind
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/tolerance.h"
#include "gan_toys.h"
#include "harness.h"

/* Every label of this rank's points becomes one. */
static void set_labels(test_case *made, int64_t label)
{
    for (int64_t i = 0; i < made->shard.n_local_points; i++) {
        made->shard.labels[i] = label;
    }
}

/* ---- the same bits ---- */

/* All ranks together, which share a party's points where there are more of them than parties,
 * against the first alone and against the others, and with several threads. */
static void check_same_bits(cgm_comm *comm, int64_t n_parties, const int64_t *sizes)
{
    enum { COUNT = 100 };
    cgm_comm part;
    test_case whole;
    test_case own;
    cgm_gan_options options = toy_options;
    options.hidden = 16;
    options.steps = 60;
    toy_open(comm, n_parties, sizes, &whole);
    toy_drawing together = toy_train_and_draw(comm, &whole, &options, CGM_SHARE_POOL, COUNT);
    cgm_comm_split(comm, comm->rank > 0, &part);
    toy_open(&part, n_parties, sizes, &own);
    toy_drawing apart = toy_train_and_draw(&part, &own, &options, CGM_SHARE_POOL, COUNT);
    part.threads = 3;
    toy_drawing threaded = toy_train_and_draw(&part, &own, &options, CGM_SHARE_POOL, COUNT);
    options.steps = 0;
    toy_drawing untrained = toy_train_and_draw(&part, &own, &options, CGM_SHARE_POOL, COUNT);
    const size_t bytes = (size_t)(COUNT * TOY_FEATURES) * sizeof(double);
    assert_all_ranks(comm, memcmp(together.points, apart.points, bytes) == 0);
    assert_all_ranks(comm, memcmp(threaded.points, apart.points, bytes) == 0);
    assert_all_ranks(comm, memcmp(together.labels, apart.labels, COUNT * sizeof(int64_t)) == 0);
    assert_all_ranks(comm, memcmp(untrained.points, apart.points, bytes) != 0);
    toy_discard(&together);
    toy_discard(&apart);
    toy_discard(&threaded);
    toy_discard(&untrained);
    case_close(&own);
    cgm_comm_join(comm, &part);
    case_close(&whole);
}

static void test_same_bits_at_any_number_of_ranks(void **state)
{
    cgm_comm *comm = *state;
    check_same_bits(comm, 5, (int64_t[]){700, 30, 1, 1300, 520});
    check_same_bits(comm, 2, (int64_t[]){600, 1900});
}

/* ---- candidates ---- */

/* χ² of the candidates' labels against shares; its upper quantile at CGM_TEST_SIGNIFICANCE = 1e-4
 * is 15.137 for one degree of freedom. */
static void test_classes_have_their_shares(void **state)
{
    cgm_comm *comm = *state;
    enum { COUNT = 20000 };
    test_case made;
    toy_open(comm, 2, (int64_t[]){300, 200}, &made);
    int64_t minus = 0;
    for (int64_t i = 0; i < made.shard.n_local_points; i++) {
        minus += made.shard.labels[i] == -3;
    }
    cgm_comm_sum(comm, &minus, 1);
    for (int k = 0; k < 2; k++) {
        cgm_gan_options options = toy_options;
        options.steps = 0;
        toy_drawing drawn = toy_train_and_draw(comm, &made, &options,
                                               k == 1 ? CGM_SHARE_BALANCED : CGM_SHARE_POOL, COUNT);
        const double expected = COUNT * (k == 1 ? 0.5 : (double)minus / 500.0);
        double found = 0.0;
        bool known = true;
        for (int64_t i = 0; i < COUNT; i++) {
            found += drawn.labels[i] == -3 ? 1.0 : 0.0;
            known = known && (drawn.labels[i] == -3 || drawn.labels[i] == 8);
        }
        const double off = found - expected;
        assert_all_ranks(comm, known);
        assert_all_ranks(comm, off * off * (1.0 / expected + 1.0 / (COUNT - expected)) < 15.137);
        toy_discard(&drawn);
    }
    case_close(&made);
}

/* ---- learning ---- */

/* k of two points of the toy, in which a class is a distance of its own. */
static double toy_kernel(const double *x, int64_t x_label, const double *y, int64_t y_label)
{
    const double first = (x[0] - y[0]) / 2.0;
    const double second = (x[1] - y[1]) / 0.1;
    return x_label == y_label ? exp(-0.5 * (first * first + second * second)) : 0.0;
}

static double toy_sum(const toy_drawing *a, const toy_drawing *b)
{
    double sum = 0.0;
    for (int64_t i = 0; i < a->count; i++) {
        for (int64_t j = 0; j < b->count; j++) {
            sum += a == b && i == j ? 0.0
                                    : toy_kernel(a->points + i * TOY_FEATURES, a->labels[i],
                                                 b->points + j * TOY_FEATURES, b->labels[j]);
        }
    }
    return sum;
}

/* Unbiased MMD² by plain loops. */
static double toy_distance(const toy_drawing *a, const toy_drawing *b)
{
    const double n = (double)a->count;
    const double m = (double)b->count;
    return toy_sum(a, a) / (n * (n - 1.0)) + toy_sum(b, b) / (m * (m - 1.0)) -
           2.0 * toy_sum(a, b) / (n * m);
}

/* Points that nobody has seen, and what two networks draw, before and after training. */
static void test_distribution_is_learned(void **state)
{
    cgm_comm *comm = *state;
    enum { COUNT = 1000 };
    test_case made;
    toy_open(comm, 3, (int64_t[]){600, 200, 400}, &made);
    cgm_gan_options options = {
        .hidden = 32, .layers = 2, .latent = 4, .steps = 0, .batch = 128, .learning_rate = 1e-2};
    toy_drawing untrained = toy_train_and_draw(comm, &made, &options, CGM_SHARE_POOL, COUNT);
    options.steps = 300;
    toy_drawing trained = toy_train_and_draw(comm, &made, &options, CGM_SHARE_POOL, COUNT);
    toy_drawing fresh = {COUNT, calloc(COUNT * TOY_FEATURES, sizeof(double)),
                         calloc(COUNT, sizeof(int64_t))};
    assert_all_ranks(comm, fresh.points != NULL && fresh.labels != NULL);
    for (int64_t i = 0; i < COUNT; i++) {
        toy_point(77, (uint64_t)i, fresh.points + i * TOY_FEATURES, &fresh.labels[i]);
    }
    const double before = toy_distance(&untrained, &fresh);
    const double after = toy_distance(&trained, &fresh);
    assert_all_ranks(comm, after < CGM_TEST_GAN_LEARNED * before);
    toy_discard(&untrained);
    toy_discard(&trained);
    toy_discard(&fresh);
    case_close(&made);
}

/* ---- data at the edge ---- */

/* One class; a class of one point, which other parties lack; no labels; fewer points than a batch,
 * and but one; a layer of one unit, and none. */
static void test_few_points_and_classes(void **state)
{
    cgm_comm *comm = *state;
    test_case made;
    cgm_gan_options options = toy_options;
    toy_open(comm, 2, (int64_t[]){20, 10}, &made);
    set_labels(&made, 7);
    toy_drawing drawn = toy_train_and_draw(comm, &made, &options, CGM_SHARE_POOL, 10);
    assert_all_ranks(comm, drawn.labels[0] == 7 && drawn.labels[9] == 7);
    toy_discard(&drawn);
    if (made.shard.first_point[comm->rank] == 0 && made.shard.n_local_points > 0) {
        made.shard.labels[0] = INT64_MIN;
    }
    drawn = toy_train_and_draw(comm, &made, &options, CGM_SHARE_BALANCED, 100);
    int64_t rare = 0;
    for (int64_t i = 0; i < 100; i++) {
        rare += drawn.labels[i] == INT64_MIN;
    }
    assert_all_ranks(comm, rare > 20 && rare < 80);
    toy_discard(&drawn);
    toy_drop_labels(&made);
    options.hidden = 1;
    drawn = toy_train_and_draw(comm, &made, &options, CGM_SHARE_POOL, 10);
    toy_discard(&drawn);
    case_close(&made);

    double point[TOY_FEATURES];
    int64_t label;
    toy_open(comm, 1, (int64_t[]){1}, &made);
    toy_point(0, 0, point, &label);
    options.layers = 0;
    drawn = toy_train_and_draw(comm, &made, &options, CGM_SHARE_POOL, 10);
    assert_all_ranks(comm, memcmp(drawn.points, point, sizeof point) == 0);
    assert_all_ranks(comm, drawn.labels[0] == label);
    toy_discard(&drawn);
    case_close(&made);
}

/* Coordinates as large as they may be, and steps that no network survives: candidates are numbers.
 */
static void test_candidates_are_finite(void **state)
{
    cgm_comm *comm = *state;
    test_case made;
    cgm_gan_options options = toy_options;
    toy_open(comm, 2, (int64_t[]){20, 10}, &made);
    for (int64_t i = 0; i < made.shard.n_local_points; i++) {
        made.shard.points[i * TOY_FEATURES] *= 1e148;
    }
    toy_drawing drawn = toy_train_and_draw(comm, &made, &options, CGM_SHARE_POOL, 10);
    toy_discard(&drawn);
    options.learning_rate = 1e200;
    drawn = toy_train_and_draw(comm, &made, &options, CGM_SHARE_POOL, 10);
    toy_discard(&drawn);
    case_close(&made);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits_at_any_number_of_ranks),
        cmocka_unit_test(test_classes_have_their_shares),
        cmocka_unit_test(test_distribution_is_learned),
        cmocka_unit_test(test_few_points_and_classes),
        cmocka_unit_test(test_candidates_are_finite),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
