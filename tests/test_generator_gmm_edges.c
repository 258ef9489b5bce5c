// Gaussian mixtures of degenerate points, and a pause in their training.
//
// ranks: 1 2 3 5
// without: valgrind
#include "harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/tolerance.h"
#include "planted.h"

/* ---- degenerate points ---- */

/* Nothing but numbers, in the mixtures and in what is drawn from them. */
static void check_finite(cgm_comm *comm, const cgm_model *model)
{
    const cgm_gmm *gmm = model->state;
    bool finite = true;
    for (int64_t k = 0; k < 4 * gmm->n_components; k++) {
        finite = finite && isfinite(gmm->covariances[k]) && isfinite(gmm->factors[k]) &&
                 isfinite(gmm->means[k / 2]) && isfinite(gmm->weights[k / 4]);
    }
    for (int64_t c = 0; c < gmm->n_classes; c++) {
        finite = finite && isfinite(gmm->classes[c].log_likelihood) &&
                 isfinite(gmm->classes[c].criterion) && gmm->classes[c].n_components > 0;
    }
    double points[2 * 200];
    int64_t labels[200];
    model->draw(model->state, 9, 0, 200, points, gmm->has_labels ? labels : NULL);
    for (int k = 0; k < 400; k++) {
        finite = finite && isfinite(points[k]);
    }
    assert_all_ranks(comm, finite);
}

/* A constant feature stays what it is; a class of one point keeps to it; one is missing in a party.
 */
static void test_constant_features(void **state)
{
    cgm_comm *comm = *state;
    const planted of = {2, (const int64_t[]){540, 30}, planted_make_constant, true};
    const cgm_gmm_options options = planted_options(0);
    cgm_model model;
    const cgm_gmm *gmm = planted_train(comm, &of, &options, &model);
    check_finite(comm, &model);
    assert_all_ranks(comm, gmm->n_classes == 2 && gmm->classes[0].label == -2 &&
                               gmm->classes[1].label == 7 && gmm->classes[1].n_points == 1);
    assert_all_ranks(comm, gmm->classes[1].is_scarce && !gmm->classes[0].is_scarce &&
                               gmm->classes[1].n_components == 1);
    const int64_t single = gmm->classes[1].first_component;
    double point[2];
    int64_t label;
    planted_make_constant(0, 5, point, &label);
    assert_close_array(comm, gmm->means + 2 * single, point, 2, CGM_TEST_MIXTURE, 0.0);
    double drawn[2 * 100];
    int64_t labels[100];
    model.draw(model.state, 4, 0, 100, drawn, labels);
    for (int k = 0; k < 100; k++) {
        assert_all_ranks(comm, drawn[2 * k] == 0.1 && (labels[k] == -2 || labels[k] == 7));
    }
    model.destroy(model.state);
}

static void test_few_points(void **state)
{
    cgm_comm *comm = *state;
    const planted same = {2, (const int64_t[]){40, 600}, planted_make_same, true};
    cgm_gmm_options options = planted_options(3);
    cgm_model model;
    const cgm_gmm *gmm = planted_train(comm, &same, &options, &model);
    check_finite(comm, &model);
    assert_all_ranks(comm, gmm->n_components == 1 && gmm->classes[0].is_short);
    double drawn[2];
    int64_t label;
    model.draw(model.state, 1, 12345, 1, drawn, &label);
    assert_all_ranks(comm, drawn[0] == 0.1 && drawn[1] == -1e5 && label == 3);
    model.destroy(model.state);

    const planted few = {3, (const int64_t[]){1, 1, 1}, planted_make_correlated, false};
    options.components = 7;
    gmm = planted_train(comm, &few, &options, &model);
    check_finite(comm, &model);
    assert_all_ranks(comm, gmm->n_components == 1 && gmm->classes[0].is_short);
    model.destroy(model.state);

    const planted one = {1, (const int64_t[]){1}, planted_make_correlated, true};
    options.components = 0;
    gmm = planted_train(comm, &one, &options, &model);
    check_finite(comm, &model);
    assert_all_ranks(comm, gmm->n_components == 1 && gmm->classes[0].is_scarce);
    model.destroy(model.state);

    const planted discrete = {2, (const int64_t[]){30, 700}, planted_make_discrete, false};
    options.components = 12;
    planted_train(comm, &discrete, &options, &model);
    check_finite(comm, &model);
    model.destroy(model.state);
}

/* A component of two points would be likelier than anything, and mean nothing. */
static void test_outliers(void **state)
{
    cgm_comm *comm = *state;
    const planted of = {2, (const int64_t[]){600, 200}, planted_make_outliers, false};
    const cgm_gmm_options options = planted_options(0);
    cgm_model model;
    const cgm_gmm *gmm = planted_train(comm, &of, &options, &model);
    check_finite(comm, &model);
    for (int64_t k = 0; k < gmm->n_components; k++) {
        assert_all_ranks(comm, gmm->weights[k] * 800.0 > 2.5);
    }
    model.destroy(model.state);
}

/* Beside a single point all others are narrow: that is told, and the point is no component. */
static void test_far_outlier(void **state)
{
    cgm_comm *comm = *state;
    const planted of = {2, (const int64_t[]){600, 200}, planted_make_far, false};
    for (int64_t components = 0; components <= 8; components += 4) {
        const cgm_gmm_options options = planted_options(components);
        cgm_model model;
        const cgm_gmm *gmm = planted_train(comm, &of, &options, &model);
        check_finite(comm, &model);
        assert_all_ranks(comm, gmm->classes[0].is_widened);
        assert_all_ranks(comm, components == 0 || gmm->n_components == components);
        for (int64_t k = 0; k < gmm->n_components; k++) {
            assert_all_ranks(comm, fabs(gmm->means[2 * k]) < 5e5);
        }
        model.destroy(model.state);
    }
}

/* Candidates of a class on a line stay close to it. */
static void test_collinear_class(void **state)
{
    cgm_comm *comm = *state;
    const planted of = {3, (const int64_t[]){400, 7, 300}, planted_make_collinear, true};
    for (int64_t components = 0; components <= 3; components += 3) {
        const cgm_gmm_options options = planted_options(components);
        cgm_model model;
        const cgm_gmm *gmm = planted_train(comm, &of, &options, &model);
        check_finite(comm, &model);
        assert_all_ranks(comm, gmm->n_classes == 2 && gmm->classes[1].is_widened);
        assert_all_ranks(comm, components != 0 || !gmm->classes[0].is_widened);
        double drawn[2 * 300];
        int64_t labels[300];
        model.draw(model.state, 4, 0, 300, drawn, labels);
        for (int k = 0; k < 300; k++) {
            /* Least deviations, of 1 and of 1.6, in each feature. */
            const double off = fabs(drawn[2 * k + 1] - 2.0 * drawn[2 * k]);
            assert_all_ranks(comm, labels[k] == 0 ||
                                       off < 6.0 * sqrt(CGM_GMM_LEAST_VARIANCE) * (2.0 + 1.6));
        }
        model.destroy(model.state);
    }
}

/* Another unit makes no difference, but where squares are no numbers. */
static void test_units(void **state)
{
    cgm_comm *comm = *state;
    planted_point *const makes[] = {planted_make_huge, planted_make_tiny};
    planted_point *const refused[] = {planted_make_too_huge, planted_make_too_tiny};
    planted of = {2, (const int64_t[]){300, 520}, planted_make_overlapping, false};
    const cgm_gmm_options options = planted_options(2);
    cgm_model plain;
    const cgm_gmm *expected = planted_train(comm, &of, &options, &plain);
    for (int m = 0; m < 2; m++) {
        const int exponent = m == 0 ? PLANTED_EXPONENT : -PLANTED_EXPONENT;
        cgm_model model;
        of.make = makes[m];
        const cgm_gmm *gmm = planted_train(comm, &of, &options, &model);
        check_finite(comm, &model);
        assert_all_ranks(comm, gmm->n_components == 2);
        for (int64_t k = 0; k < 4; k++) {
            const double mean = ldexp(expected->means[k], exponent);
            assert_close(comm, gmm->means[k], mean, CGM_TEST_MIXTURE, 0.0);
        }
        for (int64_t k = 0; k < 8; k++) {
            const double covariance = ldexp(expected->covariances[k], 2 * exponent);
            assert_close(comm, gmm->covariances[k], covariance, CGM_TEST_MIXTURE, 0.0);
        }
        model.destroy(model.state);

        cgm_shard shard;
        of.make = refused[m];
        planted_fill(comm, &of, &shard);
        assert_all_ranks(comm, cgm_gmm_train(comm, &shard, &options, CGM_SHARE_POOL, 1, NULL,
                                             &model) == CGM_ERR_INPUT);
        assert_all_ranks(comm, strstr(comm->error.message, "features.scale") != NULL);
        comm->error = (cgm_error){.status = CGM_OK};
        model.destroy(model.state);
        cgm_shard_destroy(&shard);
    }
    plain.destroy(plain.state);
}

static void test_too_many_labels(void **state)
{
    cgm_comm *comm = *state;
    const planted of = {2, (const int64_t[]){900, 200}, planted_make_many_labels, true};
    const cgm_gmm_options options = planted_options(1);
    cgm_shard shard;
    cgm_model model;
    planted_fill(comm, &of, &shard);
    assert_all_ranks(comm, cgm_gmm_train(comm, &shard, &options, CGM_SHARE_POOL, 1, NULL, &model) ==
                               CGM_ERR_INPUT);
    assert_all_ranks(comm, strstr(comm->error.message, "labels") != NULL);
    comm->error = (cgm_error){.status = CGM_OK};
    model.destroy(model.state);
    cgm_shard_destroy(&shard);
}

/* ---- a pause ---- */

typedef struct stop_after {
    int64_t passes;
} stop_after;

static bool is_due(cgm_comm *comm, void *state)
{
    stop_after *left = state;
    return comm->rank == comm->size - 1 && --left->passes == 0;
}

static cgm_status stop_here(cgm_comm *comm, void *state, const void *partial)
{
    (void)comm;
    (void)state;
    return partial == NULL ? CGM_STOPPED : CGM_ERR_BUG;
}

/* One rank is due; all end. */
static void test_pause(void **state)
{
    cgm_comm *comm = *state;
    const planted of = {2, (const int64_t[]){600, 700}, planted_make_overlapping, false};
    const cgm_gmm_options options = planted_options(3);
    for (int64_t passes = 1; passes < 60; passes += 19) {
        stop_after left = {passes};
        const cgm_pause pause = {&left, is_due, stop_here};
        cgm_shard shard;
        cgm_model model;
        planted_fill(comm, &of, &shard);
        assert_all_ranks(comm, cgm_gmm_train(comm, &shard, &options, CGM_SHARE_POOL, 1, &pause,
                                             &model) == CGM_STOPPED);
        model.destroy(model.state);
        cgm_shard_destroy(&shard);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant_features), cmocka_unit_test(test_few_points),
        cmocka_unit_test(test_outliers),          cmocka_unit_test(test_far_outlier),
        cmocka_unit_test(test_collinear_class),   cmocka_unit_test(test_units),
        cmocka_unit_test(test_too_many_labels),   cmocka_unit_test(test_pause),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
