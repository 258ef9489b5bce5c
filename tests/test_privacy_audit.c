// An audit of the release of a mean embedding: from outputs alone, a lower bound of the ε that it
// has at the claimed δ (as in Jagielski, Ullman & Oprea 2020, "Auditing differentially private
// machine learning"). It must not exceed the claimed ε, and must where the noise is not what it
// should be. The random numbers have no seed: a claim that holds is doubted with probability 10^-6.
// ranks: 1 3
// without: asan valgrind
#include "harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/privacy.h"

/* Of an embedding by half as many frequencies, of a party of so many points; and runs with each of
 * the two neighbours, of all ranks together, fewer for what is wrong in a big way. */
enum { N_NUMBERS = 4, N_PARTY = 10, N_RUNS = 100000, N_FEW = 5000 };

/* Of each of the two bounds of a probability. */
static const double error_rate = 5e-7;

/* ---- what is released ---- */

/* Means of two parties that differ in one point, in the one's place the point opposite: no two
 * embeddings are further apart. */
static void make_neighbours(double means[2][N_NUMBERS])
{
    memset(means, 0, 2 * sizeof means[0]);
    for (int point = 0; point < N_PARTY; point++) {
        for (int k = 0; k < N_NUMBERS; k++) {
            const double angle = 1.7 * point * (k / 2 + 1) + 0.3 * (k / 2);
            const double length = sqrt(2.0 / N_NUMBERS);
            const double z = length * (k % 2 == 0 ? cos(angle) : sin(angle));
            means[0][k] += z / N_PARTY;
            means[1][k] += (point == 0 ? -z : z) / N_PARTY;
        }
    }
}

typedef cgm_status release_function(cgm_comm *comm, double sigma, int64_t n, double *values);

static cgm_status release_half(cgm_comm *comm, double sigma, int64_t n, double *values)
{
    return cgm_privacy_release(comm, 0.5 * sigma, n, values);
}

/* One number goes out as it is. */
static cgm_status release_but_one(cgm_comm *comm, double sigma, int64_t n, double *values)
{
    return cgm_privacy_release(comm, sigma, n - 1, values + 1);
}

/* All numbers get the same noise. */
static cgm_status release_together(cgm_comm *comm, double sigma, int64_t n, double *values)
{
    double noise = 0.0;
    const cgm_status status = cgm_privacy_release(comm, sigma, 1, &noise);
    for (int64_t k = 0; k < n; k++) {
        values[k] += noise;
    }
    return status;
}

/* This rank's share of the runs: even ones choose the event, odd ones judge it. */
typedef struct outputs {
    int64_t total; /* of all ranks */
    int64_t count;
    double (*of[2])[N_NUMBERS];
} outputs;

static void collect(cgm_comm *comm, release_function *release, double sigma, outputs *seen)
{
    double means[2][N_NUMBERS];
    make_neighbours(means);
    seen->count =
        (int64_t)N_RUNS * (comm->rank + 1) / comm->size - (int64_t)N_RUNS * comm->rank / comm->size;
    bool good = true;
    for (int side = 0; side < 2; side++) {
        seen->of[side] = calloc((size_t)seen->count, sizeof *seen->of[side]);
        assert_all_ranks(comm, seen->of[side] != NULL);
        for (int64_t run = 0; run < seen->count; run++) {
            double *values = seen->of[side][run];
            memcpy(values, means[side], sizeof means[side]);
            good = release(comm, sigma, N_NUMBERS, values) == CGM_OK && good;
        }
    }
    assert_all_ranks(comm, good);
}

/* ---- the direction in which the neighbours are told apart best ---- */

enum { N_MOMENTS = 2 * N_NUMBERS + N_NUMBERS * N_NUMBERS };

/* Sums over the runs that choose: both sides' outputs, and products of outputs less the side's true
 * mean; of all ranks. */
static void measure_moments(cgm_comm *comm, const outputs *seen, double *moments)
{
    double means[2][N_NUMBERS];
    make_neighbours(means);
    double *all = calloc((size_t)comm->size, N_MOMENTS * sizeof *all);
    int64_t *offset = calloc((size_t)comm->size + 1, sizeof *offset);
    assert_all_ranks(comm, all != NULL && offset != NULL);
    double *mine = all + (ptrdiff_t)comm->rank * N_MOMENTS;
    for (int side = 0; side < 2; side++) {
        for (int64_t run = 0; run < seen->count; run += 2) {
            const double *y = seen->of[side][run];
            for (int k = 0; k < N_NUMBERS; k++) {
                mine[side * N_NUMBERS + k] += 2.0 * y[k] / (double)seen->total;
                for (int j = 0; j < N_NUMBERS; j++) {
                    mine[(2 + k) * N_NUMBERS + j] +=
                        (y[k] - means[side][k]) * (y[j] - means[side][j]) / (double)seen->total;
                }
            }
        }
    }
    for (int r = 0; r <= comm->size; r++) {
        offset[r] = r;
    }
    cgm_comm_all_gather(comm, all, offset, N_MOMENTS * sizeof *all);
    memset(moments, 0, N_MOMENTS * sizeof *moments);
    for (int r = 0; r < comm->size; r++) {
        for (int k = 0; k < N_MOMENTS; k++) {
            moments[k] += all[r * N_MOMENTS + k];
        }
    }
    free(all);
    free(offset);
}

/* Fisher's discriminant: covariance^-1 (difference of the means), by elimination. A number without
 * noise gets a little variance. Scaled so that its values have variance 1. */
static void find_direction(cgm_comm *comm, const outputs *seen, double sigma, double *direction)
{
    double moments[N_MOMENTS];
    measure_moments(comm, seen, moments);
    double rows[N_NUMBERS][N_NUMBERS + 1];
    for (int k = 0; k < N_NUMBERS; k++) {
        memcpy(rows[k], moments + (2 + k) * N_NUMBERS, N_NUMBERS * sizeof *moments);
        rows[k][k] += 1e-9 * sigma * sigma;
        rows[k][N_NUMBERS] = moments[N_NUMBERS + k] - moments[k];
    }
    for (int k = 0; k < N_NUMBERS; k++) {
        for (int i = 0; i < N_NUMBERS; i++) {
            const double factor = i == k ? 0.0 : rows[i][k] / rows[k][k];
            for (int j = k; j <= N_NUMBERS; j++) {
                rows[i][j] -= factor * rows[k][j];
            }
        }
    }
    double distance = 0.0;
    for (int k = 0; k < N_NUMBERS; k++) {
        direction[k] = rows[k][N_NUMBERS] / rows[k][k];
        distance += direction[k] * (moments[N_NUMBERS + k] - moments[k]);
    }
    for (int k = 0; k < N_NUMBERS; k++) {
        direction[k] /= sqrt(distance);
    }
}

/* ---- the bound ---- */

/* Probability of at most `hits` of n events of probability p. */
static double binomial_tail(int64_t n, int64_t hits, double p)
{
    const double log_term = lgamma((double)n + 1.0) - lgamma((double)hits + 1.0) -
                            lgamma((double)(n - hits) + 1.0) + (double)hits * log(p) +
                            (double)(n - hits) * log1p(-p);
    double part = 1.0; /* of the first term */
    double sum = 1.0;
    for (int64_t j = hits; j > 0 && part > 1e-17 * sum; j--) {
        part *= (double)j / (double)(n - j + 1) * (1.0 - p) / p;
        sum += part;
    }
    return exp(log_term) * sum;
}

/* Clopper and Pearson's upper bound of a probability. */
static double upper_bound(int64_t n, int64_t hits)
{
    double low = hits < n ? (double)hits / (double)n : 1.0;
    double high = 1.0;
    for (int k = 0; k < 50; k++) {
        const double middle = 0.5 * (low + high);
        *(middle < 1.0 && binomial_tail(n, hits, middle) > error_rate ? &low : &high) = middle;
    }
    return high;
}

/* An upper bound that is good enough to choose by. */
static double quick_bound(int64_t n, int64_t hits)
{
    const double deviations = 4.9;
    const double share = (double)hits / (double)n;
    return fmin(1.0, share + deviations * sqrt(share * (1.0 - share) / (double)n) +
                         deviations * deviations / (2.0 * (double)n));
}

/* Of an event that happened so often in n runs with a party, and with its neighbour. */
static double epsilon_bound(double (*bound)(int64_t n, int64_t hits), int64_t n, int64_t often,
                            int64_t seldom, double delta)
{
    const double likely = 1.0 - bound(n, n - often);
    return likely > delta ? log((likely - delta) / bound(n, seldom)) : 0.0;
}

/* Events are values of the discriminant beyond one of so many places on each side of the middle. */
enum { N_PLACES = 120 };
static const double spacing = 0.05;

/* beyond[half][direction][side][place] */
typedef int64_t hits[2][2][2][N_PLACES + 1];

static void count_events(cgm_comm *comm, const outputs *seen, const double *direction, hits beyond)
{
    double means[2][N_NUMBERS];
    make_neighbours(means);
    memset(beyond, 0, sizeof(hits));
    for (int side = 0; side < 2; side++) {
        for (int64_t run = 0; run < seen->count; run++) {
            double value = 0.0;
            for (int k = 0; k < N_NUMBERS; k++) {
                value +=
                    direction[k] * (seen->of[side][run][k] - 0.5 * (means[0][k] + means[1][k]));
            }
            const double last = fmin(fabs(value) / spacing, N_PLACES);
            for (int place = 0; place <= (int)last; place++) {
                beyond[run % 2][value > 0.0][side][place]++;
            }
        }
    }
    cgm_comm_sum(comm, (int64_t *)beyond, sizeof(hits) / sizeof(int64_t));
}

/* A lower bound of the ε of a release that claims (ε, δ). */
static double audit(cgm_comm *comm, const char *name, release_function *release, int64_t runs,
                    double epsilon, double delta)
{
    static hits beyond;
    double direction[N_NUMBERS];
    outputs seen = {.total = runs};
    const double sigma = cgm_privacy_sigma(epsilon, delta, 2.0 / N_PARTY);
    collect(comm, release, sigma, &seen);
    find_direction(comm, &seen, sigma, direction);
    count_events(comm, &seen, direction, beyond);
    free(seen.of[0]);
    free(seen.of[1]);
    double best = -1.0;
    double bound = 0.0;
    for (int d = 0; d < 2; d++) {
        for (int place = 0; place <= N_PLACES; place++) {
            const int64_t *choosing[] = {beyond[0][d][1 - d], beyond[0][d][d]};
            const int64_t *judging[] = {beyond[1][d][1 - d], beyond[1][d][d]};
            const double found =
                epsilon_bound(quick_bound, runs / 2, choosing[1][place], choosing[0][place], delta);
            if (found > best) {
                best = found;
                bound = epsilon_bound(upper_bound, runs / 2, judging[1][place], judging[0][place],
                                      delta);
            }
        }
    }
    print_message("%s: at least %.3f, claimed %g, at delta %g\n", name, bound, epsilon, delta);
    return bound;
}

/* ---- tests ---- */

static void test_neighbours_are_as_far_as_can_be(void **state)
{
    cgm_comm *comm = *state;
    double means[2][N_NUMBERS];
    make_neighbours(means);
    double square = 0.0;
    for (int k = 0; k < N_NUMBERS; k++) {
        square += (means[1][k] - means[0][k]) * (means[1][k] - means[0][k]);
    }
    assert_close(comm, sqrt(square), 2.0 / N_PARTY, 1e-14, 0.0);
}

static void test_bounds(void **state)
{
    cgm_comm *comm = *state;
    /* Without an event (1 − p)^n = error rate. */
    assert_close(comm, upper_bound(1000, 0), 1.0 - pow(error_rate, 1e-3), 1e-12, 0.0);
    assert_close(comm, upper_bound(1000, 999), pow(1.0 - error_rate, 1e-3), 1e-12, 0.0);
    assert_all_ranks(comm, upper_bound(1000, 1000) == 1.0);
    assert_close(comm, binomial_tail(4, 2, 0.5), 11.0 / 16.0, 1e-14, 0.0);
}

static void test_claims_hold(void **state)
{
    cgm_comm *comm = *state;
    const double claims[][2] = {{1.0, 1e-5}, {4.0, 1e-6}, {1.0, 0.01}, {0.3, 0.1}};
    for (int k = 0; k < 4; k++) {
        const double bound =
            audit(comm, "as shipped", cgm_privacy_release, N_RUNS, claims[k][0], claims[k][1]);
        assert_all_ranks(comm, bound <= claims[k][0]);
        /* Noise that is too much could not be told from a blind audit. */
        assert_all_ranks(comm, claims[k][1] < 0.01 || bound > 0.3 * claims[k][0]);
    }
}

static void test_what_is_wrong_is_caught(void **state)
{
    cgm_comm *comm = *state;
    assert_all_ranks(comm, audit(comm, "half the noise", release_half, N_RUNS, 1.0, 0.01) > 1.0);
    assert_all_ranks(comm, audit(comm, "one bare number", release_but_one, N_FEW, 1.0, 1e-5) > 1.0);
    assert_all_ranks(comm, audit(comm, "one noise", release_together, N_FEW, 1.0, 1e-5) > 1.0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neighbours_are_as_far_as_can_be),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_claims_hold),
        cmocka_unit_test(test_what_is_wrong_is_caught),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
