// The picture of the parties' data: counts, edges and axes by plain loops and by hand, nothing that
// tells of fewer than five points, and the same bits on any number of ranks.
// ranks: 1 2 3 5
#include "harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "cgm/features.h"
#include "cgm/picture.h"
#include "cgm/tolerance.h"
#include "samples.h"

enum { FEATURES_MOST = 80, PARTIES_MOST = 12 };

/* Points of a test: of party i, row k. */
typedef void point_of(int64_t party, int64_t row, int64_t n_features, double *point);

static void fill(test_case *made, point_of *point)
{
    const cgm_shard *shard = &made->shard;
    for (int64_t k = 0; k < shard->n_shares; k++) {
        for (int64_t i = shard->share_first[k]; i < shard->share_first[k + 1]; i++) {
            point(shard->share_party[k], shard->share_offset[k] + i - shard->share_first[k],
                  shard->n_features, shard->points + i * shard->n_features);
        }
    }
}

static void make(cgm_comm *comm, int64_t n_parties, const int64_t *sizes, int64_t n_features,
                 point_of *point, test_case *made)
{
    case_make(comm, n_parties, sizes, n_features, 10, 1.0, made);
    fill(made, point);
}

static void draw(cgm_comm *comm, const test_case *made, const cgm_features *features,
                 const double *phi, cgm_picture *picture)
{
    const cgm_features none = {.scaling = CGM_SCALE_NONE};
    assert_all_ranks(comm, cgm_picture_draw(comm, &made->shard, features != NULL ? features : &none,
                                            phi, picture) == CGM_OK);
}

static const double falling[PARTIES_MOST] = {12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1};

/* Clusters that overlap, one a party, each with two points far from all. */
static void cluster_point(int64_t party, int64_t row, int64_t n_features, double *point)
{
    for (int64_t f = 0; f < n_features; f++) {
        const uint64_t at = (uint64_t)(row * n_features + f);
        point[f] = (double)((party % 3) * (f + 1)) + 3.0 * sample_number((uint64_t)party, at);
        point[f] += row == 0 ? 50.0 : row == 1 ? -50.0 : 0.0;
    }
}

/* ---- counts ---- */

/* Cells by plain loops over all points. counts [n_parties][n_cells] */
static void count_plainly(const cgm_picture *picture, point_of *point, int64_t n_parties,
                          const int64_t *sizes, int64_t *counts)
{
    for (int64_t i = 0; i < n_parties; i++) {
        for (int64_t k = 0; k < sizes[i]; k++) {
            double x[FEATURES_MOST];
            int64_t cell = 0;
            bool inside = true;
            point(i, k, picture->n_features, x);
            for (int64_t a = 0; a < picture->n_axes; a++) {
                const double at = cgm_picture_coordinate(picture, x, a);
                const double width = picture->high[a] - picture->low[a];
                inside = inside && at >= picture->low[a] && at <= picture->high[a];
                const int64_t bin =
                    (int64_t)((at - picture->low[a]) / width * (double)picture->bins);
                cell = cell * picture->bins + (bin < picture->bins ? bin : picture->bins - 1);
            }
            if (inside) {
                counts[i * picture->n_cells + cell]++;
            }
        }
    }
}

/* What may be told of all in a cell where parties have so many points and some are shown. */
static int64_t tell_of_all(const cgm_picture *picture, int64_t n_parties, const int64_t *counts,
                           int64_t cell)
{
    int64_t total = 0;
    int64_t told = 0;
    for (int64_t i = 0; i < n_parties; i++) {
        const int64_t count = counts[i * picture->n_cells + cell];
        bool shown = false;
        for (int64_t k = 0; k < picture->n_shown; k++) {
            shown = shown || picture->party[k] == i;
        }
        total += count;
        told += shown && count >= 5 ? count : 0;
    }
    return picture->n_shown < n_parties && total - told >= 5 ? total : told;
}

/* seen: adds how many counts were told, how many of 4 were not, and in how many cells less was told
 * of all than they have. */
static void compare_counts(cgm_comm *comm, const cgm_picture *picture, point_of *point,
                           int64_t n_parties, const int64_t *sizes, int64_t seen[3])
{
    const int64_t n_cells = picture->n_cells;
    int64_t *counts = calloc((size_t)(n_parties * n_cells), sizeof *counts);
    count_plainly(picture, point, n_parties, sizes, counts);
    for (int64_t cell = 0; cell < n_cells; cell++) {
        for (int64_t k = 0; k < picture->n_shown; k++) {
            const int64_t count = counts[picture->party[k] * n_cells + cell];
            assert_all_ranks(comm, picture->counts[k * n_cells + cell] == (count < 5 ? 0 : count));
            seen[0] += count >= 5;
            seen[1] += count == 4;
        }
        int64_t total = 0;
        for (int64_t i = 0; i < n_parties; i++) {
            total += counts[i * n_cells + cell];
        }
        const int64_t told = tell_of_all(picture, n_parties, counts, cell);
        assert_all_ranks(comm, picture->counts[picture->n_shown * n_cells + cell] == told);
        seen[2] += total >= 5 && told < total;
    }
    free(counts);
}

static void test_counts_of_few_parties(void **state)
{
    cgm_comm *comm = *state;
    const int64_t sizes[] = {600, 400, 4};
    test_case made;
    cgm_picture picture;
    make(comm, 3, sizes, 2, cluster_point, &made);
    draw(comm, &made, NULL, falling, &picture);
    assert_all_ranks(comm, picture.n_axes == 2 && picture.n_shown == 3);
    assert_all_ranks(comm, picture.n_cells == picture.bins * picture.bins);
    assert_all_ranks(comm, strcmp(picture.axes[0], "feature 0") == 0);
    assert_all_ranks(comm, strcmp(picture.axes[1], "feature 1") == 0);
    int64_t seen[3] = {0};
    compare_counts(comm, &picture, cluster_point, 3, sizes, seen);
    assert_all_ranks(comm, seen[0] > 0 && seen[1] > 0 && seen[2] > 0);
    /* Nearly all points of the two large parties are in the picture, and none of the third's 4. */
    int64_t sums[4] = {0};
    for (int64_t k = 0; k < 4 * picture.n_cells; k++) {
        sums[k / picture.n_cells] += picture.counts[k];
    }
    assert_all_ranks(comm, sums[0] > 400 && sums[0] < 600);
    assert_all_ranks(comm, sums[1] > 200 && sums[1] < 400);
    assert_all_ranks(comm, sums[2] == 0 && sums[3] == sums[0] + sums[1]);
    cgm_picture_destroy(&picture);
    case_close(&made);
}

static void test_counts_of_many_parties(void **state)
{
    cgm_comm *comm = *state;
    const int64_t sizes[PARTIES_MOST] = {300, 9, 50, 20, 40, 30, 60, 12, 100, 25, 3, 70};
    const double phi[PARTIES_MOST] = {1, 5, 2, 9, 3, 9, 0, -1, 4, 6, 8, 7};
    const int64_t expected[] = {3, 5, 10, 11, 2, 0, 6, 7};
    int64_t seen[3] = {0};
    for (int64_t d = 1; d <= 3; d++) {
        test_case made;
        cgm_picture picture;
        make(comm, PARTIES_MOST, sizes, d, cluster_point, &made);
        draw(comm, &made, NULL, phi, &picture);
        assert_all_ranks(comm, picture.n_shown == 8);
        assert_all_ranks(comm, memcmp(picture.party, expected, sizeof expected) == 0);
        assert_all_ranks(comm, picture.n_axes == (d < 2 ? 1 : 2));
        compare_counts(comm, &picture, cluster_point, PARTIES_MOST, sizes, seen);
        cgm_picture_destroy(&picture);
        case_close(&made);
    }
    assert_all_ranks(comm, seen[0] > 0 && seen[1] > 0 && seen[2] > 0);
}

/* Hand data: 20 points of one party on four places of an axis. */
static void place_point(int64_t party, int64_t row, int64_t n_features, double *point)
{
    static const double places[] = {0.0, 1.0, 2.0, 3.0};
    static const int64_t counts[] = {6, 4, 3, 7};
    int64_t place = 0;
    (void)party;
    (void)n_features;
    for (int64_t rows = row; rows >= counts[place]; place++) {
        rows -= counts[place];
    }
    point[0] = places[place];
}

static void test_counts_by_hand(void **state)
{
    cgm_comm *comm = *state;
    test_case made;
    cgm_picture picture;
    make(comm, 1, (int64_t[]){20}, 1, place_point, &made);
    draw(comm, &made, NULL, falling, &picture);
    assert_all_ranks(comm, picture.n_axes == 1 && picture.bins == 8 && picture.n_shown == 1);
    /* Six and seven points are told, in the first and in the last part; four and three are not. */
    const int64_t expected[] = {6, 0, 0, 0, 0, 0, 0, 7};
    assert_all_ranks(comm, memcmp(picture.counts, expected, sizeof expected) == 0);
    assert_all_ranks(comm, memcmp(picture.counts + 8, expected, sizeof expected) == 0);
    assert_all_ranks(comm, picture.low[0] <= 0.0 && picture.low[0] > -0.1);
    assert_all_ranks(comm, picture.high[0] >= 3.0 && picture.high[0] < 3.1);
    cgm_picture_destroy(&picture);
    case_close(&made);
}

/* ---- edges ---- */

/* Fewer than five points lie beyond an edge, and at least five with the strip inside it. */
static void test_edges_tell_no_record(void **state)
{
    cgm_comm *comm = *state;
    const int64_t sizes[] = {300, 200, 100};
    test_case made;
    cgm_picture picture;
    make(comm, 3, sizes, 2, cluster_point, &made);
    draw(comm, &made, NULL, falling, &picture);
    for (int64_t a = 0; a < 2; a++) {
        double sum = 0.0;
        double squares = 0.0;
        int64_t beyond[4] = {0};
        for (int pass = 0; pass < 2; pass++) {
            const double deviation = sqrt(squares / 600.0);
            const double strip = 12.0 * deviation / CGM_PICTURE_STRIPS * (1.0 + 1e-9);
            for (int64_t i = 0; i < 3; i++) {
                for (int64_t k = 0; k < sizes[i]; k++) {
                    double x[2];
                    cluster_point(i, k, 2, x);
                    sum += pass == 0 ? x[a] : 0.0;
                    beyond[0] += pass == 1 && x[a] < picture.low[a];
                    beyond[1] += pass == 1 && x[a] <= picture.low[a] + strip;
                    beyond[2] += pass == 1 && x[a] > picture.high[a];
                    beyond[3] += pass == 1 && x[a] >= picture.high[a] - strip;
                }
            }
            for (int64_t i = 0; i < 3 && pass == 0; i++) {
                for (int64_t k = 0; k < sizes[i]; k++) {
                    double x[2];
                    cluster_point(i, k, 2, x);
                    squares += (x[a] - sum / 600.0) * (x[a] - sum / 600.0);
                }
            }
        }
        assert_all_ranks(comm, beyond[0] < 5 && beyond[1] >= 5);
        assert_all_ranks(comm, beyond[2] < 5 && beyond[3] >= 5);
        /* Not out to the three far points on either side. */
        assert_all_ranks(comm, picture.low[a] > -20.0 && picture.high[a] < 20.0);
    }
    cgm_picture_destroy(&picture);
    case_close(&made);
}

static void equal_point(int64_t party, int64_t row, int64_t n_features, double *point)
{
    (void)party;
    for (int64_t f = 0; f < n_features; f++) {
        point[f] = f == 0 ? 7.0 : (double)(row % 10);
    }
}

static void test_few_points_and_equal_ones(void **state)
{
    cgm_comm *comm = *state;
    test_case made;
    cgm_picture picture;
    make(comm, 2, (int64_t[]){5, 4}, 2, cluster_point, &made);
    draw(comm, &made, NULL, falling, &picture);
    assert_all_ranks(comm, picture.n_axes == 0 && picture.counts == NULL);
    cgm_picture_destroy(&picture);
    case_close(&made);
    make(comm, 2, (int64_t[]){100, 100}, 2, equal_point, &made);
    draw(comm, &made, NULL, falling, &picture);
    assert_all_ranks(comm, picture.low[0] <= 7.0 && picture.high[0] >= 7.0);
    assert_all_ranks(comm, picture.low[0] < picture.high[0]);
    int64_t all = 0;
    for (int64_t cell = 0; cell < picture.n_cells; cell++) {
        all += picture.counts[2 * picture.n_cells + cell];
    }
    assert_all_ranks(comm, all == 200);
    cgm_picture_destroy(&picture);
    case_close(&made);
}

/* ---- axes ---- */

/* Far along (0.6, 0.8, 0), less far along (0, 0, -1), around a mean of (5, 6, 7); symmetric, so
 * that the components are these. */
static void slanted_point(int64_t party, int64_t row, int64_t n_features, double *point)
{
    const double along = (row & 1) != 0 ? 10.0 : -10.0;
    const double across = (row & 2) != 0 ? 2.0 : -2.0;
    (void)party;
    (void)n_features;
    point[0] = 5.0 + 0.6 * along;
    point[1] = 6.0 + 0.8 * along;
    point[2] = 7.0 - across;
}

static void test_known_components(void **state)
{
    cgm_comm *comm = *state;
    test_case made;
    cgm_picture picture;
    make(comm, 2, (int64_t[]){64, 32}, 3, slanted_point, &made);
    draw(comm, &made, NULL, falling, &picture);
    const double expected[] = {0.6, 0.8, 0.0, 0.0, 0.0, 1.0};
    const double mean[] = {5.0, 6.0, 7.0};
    assert_close_array(comm, picture.projection, expected, 6, 0.0, CGM_TEST_VALUES);
    assert_close_array(comm, picture.mean, mean, 3, CGM_TEST_VALUES, 0.0);
    assert_all_ranks(comm, strcmp(picture.axes[0], "pc1") == 0);
    assert_all_ranks(comm, strcmp(picture.axes[1], "pc2") == 0);
    /* 24 points in each of four corners. */
    int64_t cells = 0;
    for (int64_t cell = 0; cell < picture.n_cells; cell++) {
        const int64_t count = picture.counts[2 * picture.n_cells + cell];
        assert_all_ranks(comm, count == 0 || count == 24);
        cells += count > 0;
    }
    assert_all_ranks(comm, cells == 4);
    cgm_picture_destroy(&picture);
    case_close(&made);
}

/* The covariance of all points by plain loops, [d][d]. */
static void covariance_plainly(point_of *point, int64_t n_parties, const int64_t *sizes, int64_t d,
                               double *covariance)
{
    double mean[FEATURES_MOST] = {0.0};
    double n = 0.0;
    double x[FEATURES_MOST];
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < n_parties; i++) {
            for (int64_t k = 0; k < sizes[i]; k++) {
                point(i, k, d, x);
                n += pass == 0;
                for (int64_t f = 0; f < d; f++) {
                    mean[f] += pass == 0 ? x[f] : 0.0;
                    for (int64_t g = 0; g < d && pass == 1; g++) {
                        covariance[f * d + g] += (x[f] - mean[f]) * (x[g] - mean[g]) / n;
                    }
                }
            }
        }
        for (int64_t f = 0; f < d && pass == 0; f++) {
            mean[f] /= n;
        }
    }
}

/* The projection consists of eigenvectors, and what is left without them varies less. */
static void test_leading_components(void **state)
{
    cgm_comm *comm = *state;
    enum { D = 5 };
    const int64_t sizes[] = {200, 300, 100};
    test_case made;
    cgm_picture picture;
    double covariance[D * D] = {0.0};
    double values[2];
    make(comm, 3, sizes, D, cluster_point, &made);
    draw(comm, &made, NULL, falling, &picture);
    covariance_plainly(cluster_point, 3, sizes, D, covariance);
    for (int a = 0; a < 2; a++) {
        const double *v = picture.projection + (ptrdiff_t)a * D;
        double product[D];
        double scaled[D];
        double norm = 0.0;
        values[a] = 0.0;
        for (int f = 0; f < D; f++) {
            product[f] = 0.0;
            for (int g = 0; g < D; g++) {
                product[f] += covariance[f * D + g] * v[g];
            }
            values[a] += v[f] * product[f];
            norm += v[f] * v[f];
        }
        for (int f = 0; f < D; f++) {
            scaled[f] = values[a] * v[f];
        }
        assert_close(comm, norm, 1.0, CGM_TEST_VALUES, 0.0);
        assert_close_array(comm, product, scaled, D, 0.0, CGM_TEST_VALUES * covariance[D * D - 1]);
    }
    /* The largest eigenvalue of the rest, by powers. */
    double x[D] = {0.3, -0.5, 0.7, 0.2, -0.1};
    double largest = 0.0;
    for (int round = 0; round < 500; round++) {
        double next[D] = {0.0};
        double norm = 0.0;
        for (int f = 0; f < D; f++) {
            for (int g = 0; g < D; g++) {
                double rest = covariance[f * D + g];
                for (int a = 0; a < 2; a++) {
                    rest -=
                        values[a] * picture.projection[a * D + f] * picture.projection[a * D + g];
                }
                next[f] += rest * x[g];
            }
            norm += next[f] * next[f];
        }
        largest = sqrt(norm);
        for (int f = 0; f < D; f++) {
            x[f] = next[f] / largest;
        }
    }
    assert_all_ranks(comm, values[0] >= values[1] && values[1] > largest && largest > 0.0);
    cgm_picture_destroy(&picture);
    case_close(&made);
}

/* LAPACK leaves signs open; here the largest entry of each component is positive. */
static void test_signs_of_components(void **state)
{
    cgm_comm *comm = *state;
    for (int64_t d = 3; d < 11; d++) {
        test_case made;
        cgm_picture picture;
        make(comm, 3, (int64_t[]){40, 30, 50}, d, cluster_point, &made);
        draw(comm, &made, NULL, falling, &picture);
        for (int64_t a = 0; a < 2; a++) {
            double largest = 0.0;
            for (int64_t f = 0; f < d; f++) {
                const double entry = picture.projection[a * d + f];
                largest = fabs(entry) > fabs(largest) ? entry : largest;
            }
            assert_all_ranks(comm, largest > 0.0);
        }
        cgm_picture_destroy(&picture);
        case_close(&made);
    }
}

/* Features 41 and 66 vary most. */
static void wide_point(int64_t party, int64_t row, int64_t n_features, double *point)
{
    for (int64_t f = 0; f < n_features; f++) {
        point[f] = sample_number((uint64_t)party, (uint64_t)(row * n_features + f));
        point[f] *= f == 66 ? 3.0 : f == 41 ? 2.0 : 1.0;
    }
}

static void test_widest_features(void **state)
{
    cgm_comm *comm = *state;
    test_case made;
    cgm_picture picture;
    const int64_t sizes[] = {60, 50};
    make(comm, 2, sizes, 70, wide_point, &made);
    draw(comm, &made, NULL, falling, &picture);
    assert_all_ranks(comm, strcmp(picture.axes[0], "feature 41") == 0);
    assert_all_ranks(comm, strcmp(picture.axes[1], "feature 66") == 0);
    double x[FEATURES_MOST];
    wide_point(1, 7, 70, x);
    assert_all_ranks(comm, cgm_picture_coordinate(&picture, x, 0) == x[41]);
    assert_all_ranks(comm, cgm_picture_coordinate(&picture, x, 1) == x[66]);
    cgm_picture_destroy(&picture);
    case_close(&made);
}

/* ---- units, ranks ---- */

/* Scaled features, and a picture in the unit of the input all the same. */
static void test_unit_of_the_input(void **state)
{
    cgm_comm *comm = *state;
    const int64_t sizes[] = {300, 250, 100};
    for (int64_t d = 2; d <= 3; d++) {
        test_case plain;
        test_case scaled;
        cgm_features features;
        cgm_testset none = {0};
        cgm_picture expected;
        cgm_picture picture;
        make(comm, 3, sizes, d, cluster_point, &plain);
        make(comm, 3, sizes, d, cluster_point, &scaled);
        assert_all_ranks(comm, cgm_features_scale(comm, CGM_SCALE_STANDARD, &scaled.shard,
                                                  &scaled.candidates, &none, &features) == CGM_OK);
        draw(comm, &plain, NULL, falling, &expected);
        draw(comm, &scaled, &features, falling, &picture);
        assert_close_array(comm, picture.low, expected.low, 2, CGM_TEST_VALUES, CGM_TEST_VALUES);
        assert_close_array(comm, picture.high, expected.high, 2, CGM_TEST_VALUES, CGM_TEST_VALUES);
        assert_close_array(comm, picture.projection, expected.projection, 2 * d, 0.0,
                           CGM_TEST_VALUES);
        assert_all_ranks(comm, memcmp(picture.counts, expected.counts,
                                      (size_t)(4 * picture.n_cells) * sizeof(int64_t)) == 0);
        cgm_features_destroy(&features);
        cgm_picture_destroy(&picture);
        cgm_picture_destroy(&expected);
        case_close(&plain);
        case_close(&scaled);
    }
}

static bool same_bits(const cgm_picture *a, const cgm_picture *b)
{
    const size_t axes = (size_t)a->n_axes;
    const size_t d = (size_t)a->n_features;
    const size_t cells = (size_t)((a->n_shown + 1) * a->n_cells);
    return a->n_axes == b->n_axes && a->bins == b->bins && a->n_shown == b->n_shown &&
           memcmp(a->axes, b->axes, sizeof a->axes) == 0 &&
           memcmp(a->party, b->party, sizeof a->party) == 0 &&
           memcmp(a->low, b->low, sizeof a->low) == 0 &&
           memcmp(a->high, b->high, sizeof a->high) == 0 &&
           memcmp(a->mean, b->mean, d * sizeof(double)) == 0 &&
           memcmp(a->projection, b->projection, axes * d * sizeof(double)) == 0 &&
           memcmp(a->counts, b->counts, cells * sizeof(int64_t)) == 0;
}

/* Parties spread over several ranks, or several on a rank, against one rank alone. */
static void test_same_bits_on_one_rank(void **state)
{
    cgm_comm *comm = *state;
    static const int64_t sizes[PARTIES_MOST] = {1500, 700, 600, 20, 30, 40, 50, 60, 70, 80, 90, 9};
    const struct {
        int64_t n_parties, n_features;
    } cases[] = {{1, 2}, {2, 1}, {3, 7}, {12, 3}, {12, 70}};
    cgm_comm alone;
    cgm_comm_create(MPI_COMM_SELF, &alone);
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        test_case spread;
        test_case whole;
        cgm_picture picture;
        cgm_picture expected;
        make(comm, cases[k].n_parties, sizes, cases[k].n_features, cluster_point, &spread);
        make(&alone, cases[k].n_parties, sizes, cases[k].n_features, cluster_point, &whole);
        draw(comm, &spread, NULL, falling, &picture);
        draw(&alone, &whole, NULL, falling, &expected);
        assert_all_ranks(comm, same_bits(&picture, &expected));
        cgm_picture_destroy(&picture);
        cgm_picture_destroy(&expected);
        case_close(&spread);
        case_close(&whole);
    }
    cgm_comm_destroy(&alone);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_of_few_parties),
        cmocka_unit_test(test_counts_of_many_parties),
        cmocka_unit_test(test_counts_by_hand),
        cmocka_unit_test(test_edges_tell_no_record),
        cmocka_unit_test(test_few_points_and_equal_ones),
        cmocka_unit_test(test_known_components),
        cmocka_unit_test(test_leading_components),
        cmocka_unit_test(test_signs_of_components),
        cmocka_unit_test(test_widest_features),
        cmocka_unit_test(test_unit_of_the_input),
        cmocka_unit_test(test_same_bits_on_one_rank),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
