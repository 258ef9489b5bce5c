// Gaussian mixtures: closed forms, what was planted, an iteration by brute force, draws, and the
// same bits at any number of ranks and threads.
//
// ranks: 1 2 3 5
// timeout: 120
// without: valgrind
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgm/h5.h"
#include "cgm/simulate.h"
#include "cgm/tolerance.h"
#include "planted.h"

#define TWO_PI 6.283185307179586476925

/* ---- brute force ---- */

/* All points of a class, or of all for label < 0: x, y, x, y, ...; the caller frees them. */
static double *list_points(const planted *of, int64_t label, int64_t *count)
{
    int64_t total = 0;
    for (int64_t i = 0; i < of->n_parties; i++) {
        total += of->sizes[i];
    }
    double *points = calloc((size_t)total, PLANTED_FEATURES * sizeof *points);
    *count = 0;
    for (int64_t i = 0; i < of->n_parties; i++) {
        for (int64_t row = 0; row < of->sizes[i]; row++) {
            int64_t own;
            of->make(i, row, points + *count * PLANTED_FEATURES, &own);
            *count += label < 0 || own == label;
        }
    }
    return points;
}

/* ln of weight · density of a component of two features. */
static double log_part(const cgm_gmm *gmm, int64_t c, const double *point)
{
    const double *mean = gmm->means + c * PLANTED_FEATURES;
    const double *covariance = gmm->covariances + c * PLANTED_FEATURES * PLANTED_FEATURES;
    const double determinant = covariance[0] * covariance[3] - covariance[1] * covariance[2];
    const double x = point[0] - mean[0];
    const double y = point[1] - mean[1];
    const double square =
        (covariance[3] * x * x - 2.0 * covariance[1] * x * y + covariance[0] * y * y) / determinant;
    return log(gmm->weights[c]) - 0.5 * (square + log(determinant)) - log(TWO_PI);
}

/* Of a class; parts [n_components] of each component in the density at the point. */
static double log_density(const cgm_gmm *gmm, const cgm_gmm_class *class, const double *point,
                          double *parts)
{
    double largest = -INFINITY;
    for (int64_t k = 0; k < class->n_components; k++) {
        parts[k] = log_part(gmm, class->first_component + k, point);
        largest = fmax(largest, parts[k]);
    }
    double sum = 0.0;
    for (int64_t k = 0; k < class->n_components; k++) {
        parts[k] = exp(parts[k] - largest);
        sum += parts[k];
    }
    for (int64_t k = 0; k < class->n_components; k++) {
        parts[k] /= sum;
    }
    return largest + log(fmax(sum, 1.0)); /* the largest is 1 */
}

enum { COMPONENTS = 8 };

/* Moments of each component's parts: weight, mean, covariance, in two passes. */
static void
take_moments(const cgm_gmm *gmm, const double *points, int64_t count,
             double moments[COMPONENTS][1 + PLANTED_FEATURES + PLANTED_FEATURES * PLANTED_FEATURES])
{
    const cgm_gmm_class *class = &gmm->classes[0];
    double parts[COMPONENTS];
    memset(moments, 0, COMPONENTS * sizeof moments[0]);
    for (int64_t i = 0; i < count; i++) {
        const double *x = points + i * PLANTED_FEATURES;
        log_density(gmm, class, x, parts);
        for (int64_t k = 0; k < class->n_components; k++) {
            moments[k][0] += parts[k];
            moments[k][1] += parts[k] * x[0];
            moments[k][2] += parts[k] * x[1];
        }
    }
    for (int64_t k = 0; k < class->n_components; k++) {
        moments[k][1] /= moments[k][0];
        moments[k][2] /= moments[k][0];
    }
    for (int64_t i = 0; i < count; i++) {
        const double *x = points + i * PLANTED_FEATURES;
        log_density(gmm, class, x, parts);
        for (int64_t k = 0; k < class->n_components; k++) {
            const double off[2] = {x[0] - moments[k][1], x[1] - moments[k][2]};
            for (int f = 0; f < 4; f++) {
                moments[k][3 + f] += parts[k] * off[f / 2] * off[f % 2] / moments[k][0];
            }
        }
    }
    for (int64_t k = 0; k < class->n_components; k++) {
        moments[k][0] /= (double)count;
    }
}

/* ---- closed forms ---- */

/* Of one component: mean and covariance of the points, and the likelihood that follows. */
static void test_one_component(void **state)
{
    cgm_comm *comm = *state;
    const planted of = {2, (const int64_t[]){1300, 200}, planted_make_correlated, false};
    const cgm_gmm_options options = planted_options(1);
    cgm_model model;
    const cgm_gmm *gmm = planted_train(comm, &of, &options, &model);
    int64_t count;
    double *points = list_points(&of, -1, &count);
    double moments[COMPONENTS][7];
    assert_all_ranks(comm, gmm->n_components == 1 && gmm->n_classes == 1 && !gmm->has_labels);
    take_moments(gmm, points, count, moments);
    assert_close_array(comm, gmm->means, moments[0] + 1, 2, CGM_TEST_MIXTURE, 0.0);
    assert_close_array(comm, gmm->covariances, moments[0] + 3, 4, CGM_TEST_MIXTURE, 0.0);
    const double determinant = moments[0][3] * moments[0][6] - moments[0][4] * moments[0][5];
    assert_close(comm, gmm->classes[0].log_likelihood, -log(TWO_PI) - 0.5 * log(determinant) - 1.0,
                 CGM_TEST_MIXTURE, 0.0);
    assert_close(comm, gmm->classes[0].criterion,
                 -2.0 * (double)count * gmm->classes[0].log_likelihood + 5.0 * log((double)count),
                 CGM_TEST_MIXTURE, 0.0);
    free(points);
    model.destroy(model.state);
}

/* After the start an iteration is one of the textbook's, and the likelihood is that of the mixture
 * that is returned. */
static void test_iteration(void **state)
{
    cgm_comm *comm = *state;
    const planted of = {2, (const int64_t[]){600, 700}, planted_make_overlapping, false};
    cgm_gmm_options options = planted_options(3);
    options.tolerance = 1e-12;
    cgm_model models[2];
    const cgm_gmm *gmm[2];
    for (int m = 0; m < 2; m++) {
        options.max_iterations = 11 + m;
        gmm[m] = planted_train(comm, &of, &options, &models[m]);
        assert_all_ranks(comm, gmm[m]->classes[0].iterations == options.max_iterations &&
                                   !gmm[m]->classes[0].converged);
    }
    int64_t count;
    double *points = list_points(&of, -1, &count);
    double moments[COMPONENTS][7];
    double parts[COMPONENTS];
    take_moments(gmm[0], points, count, moments);
    for (int64_t k = 0; k < 3; k++) {
        assert_close_array(comm, gmm[1]->weights + k, moments[k], 1, CGM_TEST_ITERATION, 0.0);
        assert_close_array(comm, gmm[1]->means + 2 * k, moments[k] + 1, 2, 0.0, CGM_TEST_ITERATION);
        assert_close_array(comm, gmm[1]->covariances + 4 * k, moments[k] + 3, 4, 0.0,
                           CGM_TEST_ITERATION);
    }
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++) {
        sum += log_density(gmm[0], &gmm[0]->classes[0], points + i * PLANTED_FEATURES, parts);
    }
    assert_close(comm, gmm[0]->classes[0].log_likelihood, sum / (double)count, CGM_TEST_ITERATION,
                 0.0);
    free(points);
    models[0].destroy(models[0].state);
    models[1].destroy(models[1].state);
}

/* Also where a component is kept from shrinking any further. */
static void test_likelihood_rises(void **state)
{
    cgm_comm *comm = *state;
    planted_point *const makes[] = {planted_make_overlapping, planted_make_discrete};
    for (int m = 0; m < 2; m++) {
        const planted of = {2, (const int64_t[]){300, 520}, makes[m], false};
        cgm_gmm_options options = planted_options(3);
        options.tolerance = 1e-15;
        double before = -INFINITY;
        for (options.max_iterations = 1; options.max_iterations <= 21;
             options.max_iterations += 4) {
            cgm_model model;
            const cgm_gmm *gmm = planted_train(comm, &of, &options, &model);
            const double now = gmm->classes[0].log_likelihood;
            assert_all_ranks(comm, now >= before - CGM_TEST_ITERATION);
            before = now;
            model.destroy(model.state);
        }
    }
}

/* ---- what was planted ---- */

/* The Gaussians of the simulated ratings, each a class: means within three standard errors. */
static void test_recovery(void **state)
{
    cgm_comm *comm = *state;
    char path[64];
    int64_t process = getpid();
    cgm_comm_broadcast(comm, &process, sizeof process, 0);
    snprintf(path, sizeof path, "/tmp/cgm-test-gmm-%lld.h5", (long long)process);
    char *arguments[] = {"--out", path, "--points=1000", "--candidates=1", "--seed=1"};
    assert_all_ranks(comm, cgm_simulate(comm, 5, arguments) == CGM_OK);
    cgm_shard shard;
    cgm_h5_file file;
    assert_all_ranks(comm, cgm_shard_read(comm, path, &shard) == CGM_OK);
    assert_all_ranks(comm, cgm_h5_open(comm, path, &file) == CGM_OK);
    double *means = cgm_h5_read(&file, "/means", NULL, CGM_H5_DOUBLE, NULL);
    assert_all_ranks(comm, means != NULL);
    cgm_h5_close(&file);
    const cgm_gmm_options options = planted_options(0);
    cgm_model model;
    assert_all_ranks(comm, cgm_gmm_train(comm, &shard, &options, CGM_SHARE_POOL, 1, NULL, &model) ==
                               CGM_OK);
    const cgm_gmm *gmm = model.state;
    assert_all_ranks(comm, gmm->n_classes == 5 && gmm->n_components == 5);
    for (int64_t c = 0; c < 5; c++) {
        const double variance = 1.0 / 200.0;
        const double n = (double)gmm->classes[c].n_points;
        assert_all_ranks(comm, gmm->classes[c].label == c && gmm->classes[c].n_components == 1);
        assert_close_array(comm, gmm->means + 2 * c, means + 2 * c, 2, 0.0,
                           CGM_TEST_MEAN_ERRORS * sqrt(variance / n));
        const double expected[4] = {variance, 0.0, 0.0, variance};
        assert_close_array(comm, gmm->covariances + 4 * c, expected, 4, 0.0,
                           4.5 * variance * sqrt(2.0 / n));
    }
    free(means);
    cgm_shard_destroy(&shard);
    model.destroy(model.state);
    cgm_comm_barrier(comm);
    if (comm->rank == 0) {
        remove(path);
    }
}

/* As many components as clusters, where they are. */
static void test_planted_number(void **state)
{
    cgm_comm *comm = *state;
    const planted of = {3, (const int64_t[]){600, 50, 601}, planted_make_clusters, false};
    const cgm_gmm_options options = planted_options(0);
    cgm_model model;
    const cgm_gmm *gmm = planted_train(comm, &of, &options, &model);
    assert_all_ranks(comm, gmm->n_components == 3 && gmm->classes[0].converged);
    for (int cluster = 0; cluster < 3; cluster++) {
        const double expected[2] = {10.0 * cluster, cluster == 1 ? 15.0 : 0.0};
        int64_t nearest = 0;
        for (int64_t k = 1; k < 3; k++) {
            const bool nearer =
                fabs(gmm->means[2 * k] - expected[0]) < fabs(gmm->means[2 * nearest] - expected[0]);
            nearest = nearer ? k : nearest;
        }
        assert_close_array(comm, gmm->means + 2 * nearest, expected, 2, 0.0, 4.5 / sqrt(400.0));
    }
    model.destroy(model.state);
}

/* ---- the same bits ---- */

static void compare_mixtures(cgm_comm *comm, const cgm_gmm *a, const cgm_gmm *b)
{
    const size_t n = (size_t)a->n_components;
    const size_t bytes = sizeof(double);
    assert_all_ranks(comm, a->n_classes == b->n_classes && a->n_components == b->n_components);
    assert_all_ranks(comm, memcmp(a->weights, b->weights, n * bytes) == 0);
    assert_all_ranks(comm, memcmp(a->means, b->means, 2 * n * bytes) == 0);
    assert_all_ranks(comm, memcmp(a->covariances, b->covariances, 4 * n * bytes) == 0);
    assert_all_ranks(comm, memcmp(a->factors, b->factors, 4 * n * bytes) == 0);
    assert_all_ranks(comm, memcmp(a->until, b->until, n * bytes) == 0);
    for (int64_t c = 0; c < a->n_classes; c++) {
        assert_all_ranks(comm, a->classes[c].label == b->classes[c].label &&
                                   a->classes[c].iterations == b->classes[c].iterations &&
                                   a->classes[c].log_likelihood == b->classes[c].log_likelihood);
    }
}

/* Of all ranks together, of each rank alone with all points, and of three threads, which share
 * passes over many points only. */
static void test_same_bits(void **state)
{
    cgm_comm *comm = *state;
    const planted cases[] = {{2, (const int64_t[]){1700, 90}, planted_make_overlapping, false},
                             {3, (const int64_t[]){900, 40, 601}, planted_make_clusters, true},
                             {1, (const int64_t[]){1100}, planted_make_discrete, true},
                             {2, (const int64_t[]){9000, 17000}, planted_make_overlapping, false}};
    for (int k = 0; k < 4; k++) {
        cgm_gmm_options options = planted_options(k == 1 ? 0 : k == 3 ? 8 : 4);
        options.max_iterations = k == 3 ? 2 : 200;
        cgm_model models[3];
        const cgm_gmm *together = planted_train(comm, &cases[k], &options, &models[0]);
        comm->threads = 3;
        const cgm_gmm *threaded = planted_train(comm, &cases[k], &options, &models[1]);
        comm->threads = 1;
        cgm_comm alone;
        cgm_comm_split(comm, comm->rank, &alone);
        const cgm_gmm *single = planted_train(&alone, &cases[k], &options, &models[2]);
        cgm_comm_join(comm, &alone);
        compare_mixtures(comm, together, threaded);
        compare_mixtures(comm, together, single);
        for (int m = 0; m < 3; m++) {
            models[m].destroy(models[m].state);
        }
    }
}

/* ---- draws ---- */

enum { DRAWS = 100000 };

/* Moments of what is drawn from one component, within four and a half standard errors. */
static void test_draws(void **state)
{
    cgm_comm *comm = *state;
    const planted of = {2, (const int64_t[]){1300, 200}, planted_make_correlated, false};
    const cgm_gmm_options options = planted_options(1);
    cgm_model model;
    const cgm_gmm *gmm = planted_train(comm, &of, &options, &model);
    double *points = calloc(DRAWS, PLANTED_FEATURES * sizeof *points);
    model.draw(model.state, 7, 0, DRAWS, points, NULL);
    double moments[5] = {0.0};
    for (int64_t i = 0; i < DRAWS; i++) {
        const double off[2] = {points[2 * i] - gmm->means[0], points[2 * i + 1] - gmm->means[1]};
        const double terms[5] = {off[0], off[1], off[0] * off[0], off[0] * off[1], off[1] * off[1]};
        for (int k = 0; k < 5; k++) {
            moments[k] += terms[k] / DRAWS;
        }
    }
    const double *s = gmm->covariances;
    const double expected[5] = {0.0, 0.0, s[0], s[1], s[3]};
    const double variances[5] = {s[0], s[3], 2.0 * s[0] * s[0], s[0] * s[3] + s[1] * s[1],
                                 2.0 * s[3] * s[3]};
    for (int k = 0; k < 5; k++) {
        assert_close(comm, moments[k], expected[k], 0.0, 4.5 * sqrt(variances[k] / DRAWS));
    }
    free(points);
    model.destroy(model.state);
}

/* Shares of the classes, and any slice as in the whole. */
static void test_slices_and_shares(void **state)
{
    cgm_comm *comm = *state;
    const planted of = {2, (const int64_t[]){601, 400}, planted_make_clusters, true};
    const double pool[3] = {401.0 / 1001.0, 400.0 / 1001.0, 200.0 / 1001.0};
    for (int balanced = 0; balanced < 2; balanced++) {
        const cgm_gmm_options options = planted_options(2);
        cgm_shard shard;
        cgm_model model;
        planted_fill(comm, &of, &shard);
        assert_all_ranks(comm, cgm_gmm_train(comm, &shard, &options,
                                             balanced ? CGM_SHARE_BALANCED : CGM_SHARE_POOL, 1,
                                             NULL, &model) == CGM_OK);
        cgm_shard_destroy(&shard);
        const cgm_gmm *gmm = model.state;
        double *points = calloc(2 * DRAWS, PLANTED_FEATURES * sizeof *points);
        int64_t *labels = calloc(2 * DRAWS, sizeof *labels);
        model.draw(model.state, 5, 0, DRAWS, points, labels);
        double counts[3] = {0.0};
        for (int64_t i = 0; i < DRAWS; i++) {
            counts[labels[i]] += 1.0 / DRAWS;
        }
        for (int c = 0; c < 3; c++) {
            const double share = balanced ? 1.0 / 3.0 : pool[c];
            assert_close(comm, gmm->classes[c].share, share, CGM_TEST_MIXTURE, 0.0);
            assert_close(comm, counts[c], share, 0.0, 4.5 * sqrt(share * (1.0 - share) / DRAWS));
        }
        for (int64_t first = 3 * comm->rank; first < DRAWS; first += 997 * (first + 1)) {
            const int64_t count = DRAWS - first < 500 ? DRAWS - first : 500;
            model.draw(model.state, 5, first, count, points + 2 * DRAWS, labels + DRAWS);
            assert_int_equal(memcmp(points + 2 * first, points + 2 * DRAWS,
                                    (size_t)(2 * count) * sizeof *points),
                             0);
            assert_int_equal(memcmp(labels + first, labels + DRAWS, (size_t)count * sizeof *labels),
                             0);
        }
        /* Another seed draws others. */
        model.draw(model.state, 6, 0, 1, points + 2 * DRAWS, labels + DRAWS);
        assert_all_ranks(comm, points[2 * DRAWS] != points[0]);
        free(points);
        free(labels);
        model.destroy(model.state);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_component),
        cmocka_unit_test(test_iteration),
        cmocka_unit_test(test_likelihood_rises),
        cmocka_unit_test(test_recovery),
        cmocka_unit_test(test_planted_number),
        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_draws),
        cmocka_unit_test(test_slices_and_shares),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
