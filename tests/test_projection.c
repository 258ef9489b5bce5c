/* Principal components: against eigenvectors known by hand, and against LAPACK's of a covariance
 * matrix made by plain loops over all points; points that do not vary. */
// ranks: 1 2 3 4 5
// without: valgrind
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "cgm/dense.h"
#include "cgm/projection.h"
#include "cgm/tolerance.h"
#include "harness.h"

/* ---- made-up points ---- */

enum { MOST_FEATURES = 70, N_TEST = 37 };

/* The point of a party, of the pool or, beyond that, of the test points. */
typedef void point_function(int64_t party, int64_t row, int64_t n_features, double *point);

/* Neighbouring features go together, and every feature has a range of its own. */
static void mixed(int64_t party, int64_t row, int64_t d, double *point)
{
    double uniform[MOST_FEATURES];
    case_point(party, row, d, uniform);
    for (int64_t f = 0; f < d; f++) {
        const double neighbour = f > 0 ? uniform[f - 1] : 0.0;
        point[f] = (1.0 + 0.3 * (double)f) * (uniform[f] + 0.7 * neighbour) + 10.0 * (double)f +
                   0.05 * (double)party;
    }
}

typedef struct made_case {
    test_case data;
    cgm_testset testset;
    cgm_features features;
} made_case;

static void fill(point_function *point, int64_t party, int64_t first, int64_t count, int64_t d,
                 double *points)
{
    for (int64_t i = 0; i < count; i++) {
        point(party, first + i, d, points + i * d);
    }
}

/* Parties, pool and test points by point. */
static void make(cgm_comm *comm, int64_t n_parties, const int64_t *sizes, int64_t d,
                 int64_t n_candidates, bool sliced, point_function *point, made_case *made)
{
    *made = (made_case){.testset = {.n_points = N_TEST, .n_features = d}};
    (sliced ? case_make_sliced : case_make)(comm, n_parties, sizes, d, n_candidates, 1.0,
                                            &made->data);
    cgm_shard *shard = &made->data.shard;
    for (int64_t k = 0; k < shard->n_shares; k++) {
        fill(point, shard->share_party[k], shard->share_offset[k],
             shard->share_first[k + 1] - shard->share_first[k], d,
             shard->points + shard->share_first[k] * d);
    }
    cgm_candidates *pool = &made->data.candidates;
    assert_all_ranks(comm, cgm_shared_create(comm, (size_t)(N_TEST * d) * sizeof(double),
                                             &made->testset.points_memory) == CGM_OK);
    made->testset.points = made->testset.points_memory.data;
    if (sliced || comm->node_rank == 0) {
        fill(point, n_parties, pool->held_first, pool->held_end - pool->held_first, d,
             pool->original);
    }
    if (comm->node_rank == 0) {
        fill(point, n_parties + 1, 0, N_TEST, d, made->testset.points);
    }
    if (!sliced) {
        cgm_shared_sync(comm, &pool->points_memory);
    }
    cgm_shared_sync(comm, &made->testset.points_memory);
}

static cgm_status apply(cgm_comm *comm, const cgm_projection_rules *rules, made_case *made)
{
    comm->error = (cgm_error){.status = CGM_OK};
    return cgm_projection_apply(comm, rules, &made->data.shard, &made->data.candidates,
                                &made->testset, &made->features);
}

static void discard(made_case *made)
{
    cgm_features_destroy(&made->features);
    cgm_testset_destroy(&made->testset);
    case_close(&made->data);
}

/* ---- by plain loops ---- */

typedef struct oracle {
    int64_t d;
    double mean[MOST_FEATURES];
    double scale[MOST_FEATURES];
    double *vectors; /* [d][d] ascending in the variances */
    double values[MOST_FEATURES];
} oracle;

static double *all_points(int64_t n_parties, const int64_t *sizes, int64_t d, point_function *point,
                          int64_t *n)
{
    *n = 0;
    for (int64_t i = 0; i < n_parties; i++) {
        *n += sizes[i];
    }
    double *points = calloc((size_t)(*n * d), sizeof *points);
    int64_t first = 0;
    for (int64_t i = 0; i < n_parties; i++) {
        fill(point, i, 0, sizes[i], d, points + first * d);
        first += sizes[i];
    }
    return points;
}

static void measure_scale(cgm_features_scaling scaling, const double *points, int64_t n, oracle *of)
{
    const int64_t d = of->d;
    for (int64_t f = 0; f < d; f++) {
        double low = INFINITY;
        double high = -INFINITY;
        double sum = 0.0;
        double squares = 0.0;
        for (int64_t i = 0; i < n; i++) {
            low = fmin(low, points[i * d + f]);
            high = fmax(high, points[i * d + f]);
            sum += points[i * d + f];
        }
        of->mean[f] = sum / (double)n;
        for (int64_t i = 0; i < n; i++) {
            squares += pow(points[i * d + f] - of->mean[f], 2.0);
        }
        of->scale[f] = scaling == CGM_SCALE_STANDARD ? sqrt(squares / (double)n)
                       : scaling == CGM_SCALE_MINMAX ? high - low
                                                     : 1.0;
    }
}

static void solve_plainly(cgm_comm *comm, cgm_features_scaling scaling, int64_t n_parties,
                          const int64_t *sizes, point_function *point, oracle *of)
{
    const int64_t d = of->d;
    int64_t n;
    double *points = all_points(n_parties, sizes, d, point, &n);
    measure_scale(scaling, points, n, of);
    of->vectors = calloc((size_t)(d * d), sizeof *of->vectors);
    for (int64_t i = 0; i < n; i++) {
        double off[MOST_FEATURES];
        for (int64_t f = 0; f < d; f++) {
            off[f] = (points[i * d + f] - of->mean[f]) / of->scale[f];
        }
        for (int64_t k = 0; k < d * d; k++) {
            of->vectors[k] += off[k / d] * off[k % d] / (double)(n - 1);
        }
    }
    assert_all_ranks(comm, cgm_dense_eigen(comm, d, of->vectors, of->values) == CGM_OK);
    free(points);
}

/* Component k, whose largest number is positive. */
static void component_of(const oracle *of, int64_t k, double *component)
{
    const double *vector = of->vectors + (of->d - 1 - k) * of->d;
    int64_t largest = 0;
    for (int64_t f = 1; f < of->d; f++) {
        largest = fabs(vector[f]) > fabs(vector[largest]) ? f : largest;
    }
    for (int64_t f = 0; f < of->d; f++) {
        component[f] = vector[largest] < 0.0 ? -vector[f] : vector[f];
    }
}

/* A point in the components. */
static void project_plainly(const oracle *of, const cgm_projection_rules *rules,
                            const double *point, double *projected)
{
    for (int64_t k = 0; k < rules->n_components; k++) {
        double component[MOST_FEATURES];
        component_of(of, k, component);
        projected[k] = 0.0;
        for (int64_t f = 0; f < of->d; f++) {
            projected[k] += component[f] * (point[f] - of->mean[f]) / of->scale[f];
        }
        projected[k] /= rules->whiten ? sqrt(of->values[of->d - 1 - k]) : 1.0;
    }
}

/* Largest difference of points from those projected plainly. */
static double points_off(const oracle *of, const cgm_projection_rules *rules, point_function *point,
                         int64_t party, int64_t first, int64_t count, const double *points)
{
    double worst = 0.0;
    for (int64_t i = 0; i < count; i++) {
        double raw[MOST_FEATURES];
        double expected[MOST_FEATURES];
        point(party, first + i, of->d, raw);
        project_plainly(of, rules, raw, expected);
        for (int64_t k = 0; k < rules->n_components; k++) {
            worst = fmax(worst, fabs(points[i * rules->n_components + k] - expected[k]));
        }
    }
    return worst;
}

static void check_fit(cgm_comm *comm, const cgm_projection_rules *rules, const oracle *of,
                      const cgm_features *features)
{
    const int64_t d = of->d;
    double total = 0.0;
    for (int64_t k = 0; k < d; k++) {
        total += of->values[k];
    }
    assert_close_array(comm, features->mean, of->mean, d, CGM_TEST_COMPONENTS, 0.0);
    assert_close_array(comm, features->scale, of->scale, d, CGM_TEST_COMPONENTS, 0.0);
    assert_close(comm, features->total_variance, total, CGM_TEST_COMPONENTS, 0.0);
    for (int64_t k = 0; k < rules->n_components; k++) {
        double expected[MOST_FEATURES];
        component_of(of, k, expected);
        assert_close_array(comm, features->components + k * d, expected, d, 0.0,
                           CGM_TEST_COMPONENTS);
        assert_close(comm, features->explained_variance[k], of->values[d - 1 - k],
                     CGM_TEST_COMPONENTS, 0.0);
    }
    assert_same_on_all_ranks(comm, features->components,
                             (size_t)(rules->n_components * d) * sizeof(double));
    assert_same_on_all_ranks(comm, features->explained_variance,
                             (size_t)rules->n_components * sizeof(double));
}

/* ---- tests ---- */

/* Everything that a projection leaves behind against plain loops. */
static void check_case(cgm_comm *comm, const cgm_projection_rules *rules, int64_t n_parties,
                       const int64_t *sizes, int64_t d, bool sliced)
{
    made_case made;
    oracle of = {.d = d};
    make(comm, n_parties, sizes, d, 700, sliced, mixed, &made);
    solve_plainly(comm, rules->scaling, n_parties, sizes, mixed, &of);
    assert_all_ranks(comm, apply(comm, rules, &made) == CGM_OK);
    check_fit(comm, rules, &of, &made.features);

    const cgm_shard *shard = &made.data.shard;
    const cgm_candidates *pool = &made.data.candidates;
    const int64_t held = pool->held_end - pool->held_first;
    double worst = 0.0;
    for (int64_t k = 0; k < shard->n_shares; k++) {
        const int64_t first = shard->share_first[k];
        worst = fmax(worst, points_off(&of, rules, mixed, shard->share_party[k],
                                       shard->share_offset[k], shard->share_first[k + 1] - first,
                                       shard->points + first * rules->n_components));
    }
    worst =
        fmax(worst, points_off(&of, rules, mixed, n_parties, pool->held_first, held, pool->points));
    worst =
        fmax(worst, points_off(&of, rules, mixed, n_parties + 1, 0, N_TEST, made.testset.points));
    const double unit = rules->whiten ? 1.0 : sqrt(of.values[d - 1]);
    assert_all_ranks(comm, worst <= CGM_TEST_COMPONENTS * unit);
    assert_all_ranks(comm, shard->n_features == rules->n_components &&
                               pool->n_features == rules->n_components &&
                               made.testset.n_features == rules->n_components);
    bool original = pool->n_original_features == d;
    for (int64_t c = 0; c < held && original; c++) {
        double raw[MOST_FEATURES];
        mixed(n_parties, pool->held_first + c, d, raw);
        original = memcmp(raw, pool->original + c * d, (size_t)d * sizeof *raw) == 0;
    }
    assert_all_ranks(comm, original);
    free(of.vectors);
    discard(&made);
}

static void test_against_plain_loops(void **state)
{
    const int64_t sizes[] = {600, 30, 1100};
    const cgm_eigensolver solvers[] = {CGM_EIGEN_LAPACK, CGM_EIGEN_SCALAPACK};
    for (int s = 0; s < 2; s++) {
        const cgm_projection_rules few = {CGM_SCALE_NONE, 3, true, solvers[s]};
        const cgm_projection_rules scaled = {CGM_SCALE_STANDARD, 2, false, solvers[s]};
        const cgm_projection_rules all = {CGM_SCALE_MINMAX, 5, true, solvers[s]};
        check_case(*state, &few, 3, sizes, 6, false);
        check_case(*state, &scaled, 3, sizes, 6, true);
        check_case(*state, &all, 2, sizes, 5, false);
    }
}

/* More features than a block of the matrix has, and more than there are ranks' parties. */
static void test_many_features(void **state)
{
    const int64_t sizes[] = {900};
    const cgm_projection_rules lapack = {CGM_SCALE_NONE, 4, true, CGM_EIGEN_LAPACK};
    const cgm_projection_rules scalapack = {CGM_SCALE_NONE, 4, true, CGM_EIGEN_SCALAPACK};
    check_case(*state, &lapack, 1, sizes, MOST_FEATURES, true);
    check_case(*state, &scalapack, 1, sizes, MOST_FEATURES, false);
}

/* Four points on two lines through (5, −2) that cross at a right angle, 2 away in the direction
 * (0.6, 0.8) and 1 in the direction (0.8, −0.6). */
static void crossed(int64_t party, int64_t row, int64_t d, double *point)
{
    (void)party;
    (void)d;
    const double sign = row % 2 == 0 ? 1.0 : -1.0;
    const bool along = row % 4 < 2;
    point[0] = 5.0 + sign * (along ? 2.0 * 0.6 : 0.8);
    point[1] = -2.0 + sign * (along ? 2.0 * 0.8 : -0.6);
}

static void test_by_hand(void **state)
{
    cgm_comm *comm = *state;
    enum { N = 12 };
    for (int whiten = 0; whiten < 2; whiten++) {
        made_case made;
        const cgm_projection_rules rules = {CGM_SCALE_NONE, 2, whiten != 0, CGM_EIGEN_AUTO};
        const double components[] = {0.6, 0.8, 0.8, -0.6};
        const double variances[] = {24.0 / (N - 1), 6.0 / (N - 1)};
        const double middle[] = {5.0, -2.0};
        make(comm, 2, (int64_t[]){4, 8}, 2, 16, false, crossed, &made);
        assert_all_ranks(comm, apply(comm, &rules, &made) == CGM_OK);
        assert_close_array(comm, made.features.components, components, 4, 0.0, CGM_TEST_EIGEN);
        assert_close_array(comm, made.features.explained_variance, variances, 2, 0.0,
                           CGM_TEST_EIGEN);
        assert_close_array(comm, made.features.mean, middle, 2, 0.0, CGM_TEST_EIGEN);
        double expected[8] = {2.0, 0.0, -2.0, 0.0, 0.0, 1.0, 0.0, -1.0};
        for (int k = 0; k < 8 && whiten; k++) {
            expected[k] /= sqrt(variances[k % 2]);
        }
        assert_close_array(comm, made.data.candidates.points, expected, 8, 0.0, CGM_TEST_EIGEN);
        discard(&made);
    }
}

/* Two numbers, one of them twice, and one that is the same for all parties but not in the pool. */
static void flat(int64_t party, int64_t row, int64_t d, double *point)
{
    double uniform[MOST_FEATURES];
    case_point(party, row, d, uniform);
    point[0] = uniform[0];
    point[1] = 3.0 * uniform[1];
    point[2] = uniform[0];
    point[3] = party < 2 ? 0.1 : uniform[3];
}

static void same(int64_t party, int64_t row, int64_t d, double *point)
{
    (void)party;
    (void)row;
    for (int64_t f = 0; f < d; f++) {
        point[f] = 0.3 * (double)f;
    }
}

/* Components from number varying on are 0, in all points, and nothing is missing. */
static void check_flat(cgm_comm *comm, point_function *point, int64_t varying,
                       const cgm_projection_rules *rules)
{
    made_case made;
    const int64_t k = rules->n_components;
    make(comm, 2, (int64_t[]){40, 70}, 4, 50, true, point, &made);
    assert_all_ranks(comm, apply(comm, rules, &made) == CGM_OK);
    bool good = true;
    for (int64_t c = 0; c < k; c++) {
        double norm = 0.0;
        for (int64_t f = 0; f < 4; f++) {
            norm += pow(made.features.components[c * 4 + f], 2.0);
        }
        good = good && (c < varying ? fabs(norm - 1.0) < CGM_TEST_EIGEN : norm == 0.0) &&
               (made.features.explained_variance[c] > 0.0) == (c < varying);
    }
    const double *const all[] = {made.data.shard.points, made.data.candidates.points,
                                 made.testset.points};
    const int64_t counts[] = {made.data.shard.n_local_points,
                              made.data.candidates.held_end - made.data.candidates.held_first,
                              N_TEST};
    for (int part = 0; part < 3; part++) {
        for (int64_t p = 0; p < counts[part] * k; p++) {
            const double value = all[part][p];
            good = good && (p % k < varying ? isfinite(value) : value == 0.0);
        }
    }
    assert_all_ranks(comm, good);
    discard(&made);
}

static void test_no_variance(void **state)
{
    const cgm_eigensolver solvers[] = {CGM_EIGEN_LAPACK, CGM_EIGEN_SCALAPACK};
    const cgm_features_scaling scalings[] = {CGM_SCALE_NONE, CGM_SCALE_STANDARD, CGM_SCALE_MINMAX};
    for (int s = 0; s < 2; s++) {
        for (int c = 0; c < 3; c++) {
            const cgm_projection_rules rules = {scalings[c], 4, c != 2, solvers[s]};
            check_flat(*state, flat, 2, &rules);
            check_flat(*state, same, 0, &rules);
        }
    }
}

static void test_refusals(void **state)
{
    cgm_comm *comm = *state;
    made_case made;
    const cgm_projection_rules rules = {CGM_SCALE_NONE, 4, true, CGM_EIGEN_AUTO};
    make(comm, 2, (int64_t[]){40, 70}, 3, 50, false, mixed, &made);
    assert_all_ranks(comm, apply(comm, &rules, &made) == CGM_ERR_USAGE);
    assert_all_ranks(comm, strstr(comm->error.message, "components = 4") != NULL &&
                               strstr(comm->error.message, "3 features") != NULL);
    discard(&made);
    make(comm, 2, (int64_t[]){1, 3}, 5, 50, false, mixed, &made);
    assert_all_ranks(comm, apply(comm, &rules, &made) == CGM_ERR_USAGE);
    assert_all_ranks(comm, strstr(comm->error.message, "4 points") != NULL);
    discard(&made);
    comm->error = (cgm_error){.status = CGM_OK};
}

/* Parties all but in one place, and a candidate at the other end of the numbers. */
static void far_off(int64_t party, int64_t row, int64_t d, double *point)
{
    case_point(party, row, d, point);
    for (int64_t f = 0; f < d; f++) {
        point[f] *= party < 2 ? 1e-20 : 1.0;
    }
    if (party == 2 && row == 7) {
        point[0] = 1e150;
    }
}

static void test_far_candidate(void **state)
{
    cgm_comm *comm = *state;
    for (int sliced = 0; sliced < 2; sliced++) {
        made_case made;
        const cgm_projection_rules rules = {CGM_SCALE_NONE, 2, true, CGM_EIGEN_AUTO};
        make(comm, 2, (int64_t[]){40, 70}, 2, 50, sliced != 0, far_off, &made);
        assert_all_ranks(comm, apply(comm, &rules, &made) == CGM_ERR_INPUT);
        assert_all_ranks(comm, strstr(comm->error.message, "candidates, row 7") != NULL);
        discard(&made);
    }
    comm->error = (cgm_error){.status = CGM_OK};
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_plain_loops),
        cmocka_unit_test(test_many_features),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_no_variance),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_far_candidate),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
