#include "plain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"

enum { NEIGHBOURS = 6 };

/* ---- making it up ---- */

/* On a grid of so many steps points coincide; 0: none. */
static void make_point(int64_t owner, int64_t row, int64_t steps, double *point)
{
    case_point(owner, row, PLAIN_D, point);
    for (int f = 0; f < PLAIN_D && steps > 0; f++) {
        point[f] = floor(point[f] * (double)steps) / (double)steps;
    }
}

static int64_t make_label(int64_t owner, int64_t row)
{
    static const int64_t labels[] = {-3, 0, 1, 7, INT64_MAX};
    return labels[(owner + row / 2 + row * row) % 5];
}

void plain_make(int64_t n_parties, const int64_t *sizes, int64_t n_candidates, int64_t steps,
                int64_t n_sets, plain *all)
{
    *all = (plain){.n_parties = n_parties, .n_sets = n_sets};
    all->first = calloc((size_t)n_parties + 1, sizeof *all->first);
    for (int64_t i = 0; i < n_parties; i++) {
        all->first[i + 1] = all->first[i] + sizes[i];
    }
    all->pool = all->first[n_parties];
    all->n_points = all->pool + n_candidates;
    all->points = calloc((size_t)(all->n_points * PLAIN_D), sizeof *all->points);
    all->labels = calloc((size_t)all->n_points, sizeof *all->labels);
    for (int64_t i = 0; i <= n_parties; i++) {
        const int64_t end = i < n_parties ? all->first[i + 1] : all->n_points;
        for (int64_t p = all->first[i]; p < end; p++) {
            make_point(i, p - all->first[i], steps, all->points + p * PLAIN_D);
            all->labels[p] = make_label(i, p - all->first[i]);
        }
    }
}

/* Different candidates, every `step` from one on. */
void plain_reward(plain *all, int64_t set, int64_t party, int64_t from, int64_t step, int64_t count)
{
    const int64_t g = all->n_points - all->pool;
    int64_t *indices = calloc((size_t)count + 1, sizeof *indices);
    for (int64_t k = 0; k < count; k++) {
        indices[k] = (from + k * step) % g; /* step has no divisor in common with g */
    }
    all->rewards[set][party] = indices;
    all->n_rewards[set][party] = count;
}

void plain_test(plain *all)
{
    all->test = calloc(PLAIN_TEST * PLAIN_D, sizeof *all->test);
    for (int64_t k = 0; k < PLAIN_TEST; k++) {
        make_point(99, k, 0, all->test + k * PLAIN_D);
    }
}

void plain_destroy(plain *all)
{
    for (int64_t s = 0; s < all->n_sets; s++) {
        for (int64_t i = 0; i < all->n_parties; i++) {
            free(all->rewards[s][i]);
        }
    }
    free(all->first);
    free(all->points);
    free(all->labels);
    free(all->test);
}

/* ---- plain loops ---- */

plain_points plain_points_of(const plain *all, int64_t party, int64_t set)
{
    const int64_t own = all->first[party + 1] - all->first[party];
    const int64_t rewards = set >= 0 ? all->n_rewards[set][party] : 0;
    plain_points found = {own + rewards, calloc((size_t)(own + rewards), sizeof(int64_t))};
    for (int64_t k = 0; k < found.count; k++) {
        found.numbers[k] =
            k < own ? all->first[party] + k : all->pool + all->rewards[set][party][k - own];
    }
    return found;
}

plain_points plain_points_of_all(const plain *all)
{
    plain_points found = {all->n_points, calloc((size_t)all->n_points, sizeof(int64_t))};
    for (int64_t k = 0; k < found.count; k++) {
        found.numbers[k] = k;
    }
    return found;
}

static double squared_distance(const double *x, const double *y)
{
    double sum = 0.0;
    for (int f = 0; f < PLAIN_D; f++) {
        sum += (x[f] - y[f]) * (x[f] - y[f]);
    }
    return sum;
}

double plain_kernel(const plain *all, const plain_points *a, const plain_points *b)
{
    double sum = 0.0;
    for (int64_t i = 0; i < a->count; i++) {
        for (int64_t j = 0; j < b->count; j++) {
            sum += exp(-0.5 *
                       squared_distance(all->points + a->numbers[i] * PLAIN_D,
                                        all->points + b->numbers[j] * PLAIN_D) /
                       (0.2 * 0.2));
        }
    }
    return sum;
}

/* MMD² to T, and the value of the points (MATH.md §6) in *value. */
double plain_mmd2(const plain *all, const plain_points *t, double t_square, const plain_points *y,
                  double *value)
{
    const double m = (double)y->count;
    const double n = (double)t->count;
    const double own = plain_kernel(all, y, y);
    const double cross = plain_kernel(all, y, t);
    *value = 2.0 * cross / (n * m) - own / (m * m);
    return m < 2.0 ? NAN
                   : (own - m) / (m * (m - 1.0)) + (t_square - n) / (n * (n - 1.0)) -
                         2.0 * cross / (m * n);
}

/* Distances of a point to its nearest neighbours among others, in T's numbering. */
static void nearest_of(const plain *all, int64_t point, const plain_points *among,
                       double nearest[NEIGHBOURS])
{
    for (int k = 0; k < NEIGHBOURS; k++) {
        nearest[k] = INFINITY;
    }
    for (int64_t j = 0; j < among->count; j++) {
        if (among->numbers[j] == point) {
            continue;
        }
        double distance = sqrt(squared_distance(all->points + point * PLAIN_D,
                                                all->points + among->numbers[j] * PLAIN_D));
        for (int k = 0; k < NEIGHBOURS; k++) {
            const double kept = nearest[k];
            nearest[k] = fmin(kept, distance);
            distance = fmax(kept, distance);
        }
    }
}

double plain_kl(const plain *all, const plain_points *t, const plain_points *y, double *excluded)
{
    *excluded = NAN;
    if (y->count < 7) {
        return NAN;
    }
    double(*in_t)[NEIGHBOURS] = calloc((size_t)y->count, sizeof *in_t);
    double(*in_y)[NEIGHBOURS] = calloc((size_t)y->count, sizeof *in_y);
    for (int64_t j = 0; j < y->count; j++) {
        nearest_of(all, y->numbers[j], t, in_t[j]);
        nearest_of(all, y->numbers[j], y, in_y[j]);
    }
    double total = 0.0;
    double used = 0.0;
    *excluded = 0.0;
    for (int k = 1; k < NEIGHBOURS; k++) {
        double least = INFINITY;
        double sum = 0.0;
        double count = 0.0;
        for (int64_t j = 0; j < y->count; j++) {
            least = in_t[j][k] > 0.0 ? fmin(least, in_t[j][k]) : least;
        }
        for (int64_t j = 0; j < y->count; j++) {
            if (in_y[j][k] > 0.0) {
                sum += log((in_t[j][k] > 0.0 ? in_t[j][k] : least) / in_y[j][k]);
                count += 1.0;
            }
        }
        *excluded += (double)y->count - count;
        if (count > 0.0 && isfinite(least)) {
            total += PLAIN_D * sum / count + log((double)t->count / ((double)y->count - 1.0));
            used += 1.0;
        }
    }
    free(in_t);
    free(in_y);
    return total / used;
}

/* Mean, and covariance as xx, xy, yy. */
static void fit(const plain *all, const plain_points *points, double mean[PLAIN_D],
                double covariance[3])
{
    memset(covariance, 0, 3 * sizeof(double));
    memset(mean, 0, PLAIN_D * sizeof(double));
    for (int64_t k = 0; k < points->count * PLAIN_D; k++) {
        mean[k % PLAIN_D] += all->points[points->numbers[k / PLAIN_D] * PLAIN_D + k % PLAIN_D] /
                             (double)points->count;
    }
    for (int64_t k = 0; k < points->count; k++) {
        const double x = all->points[points->numbers[k] * PLAIN_D] - mean[0];
        const double y = all->points[points->numbers[k] * PLAIN_D + 1] - mean[1];
        const double divisor = fmax((double)points->count - 1.0, 1.0);
        covariance[0] += x * x / divisor;
        covariance[1] += x * y / divisor;
        covariance[2] += y * y / divisor;
    }
}

/* In the plane √a + √b of the eigenvalues is √(trace + 2 √determinant). */
double plain_wasserstein2(const plain *all, const plain_points *t, const plain_points *y)
{
    double mean_t[PLAIN_D];
    double mean_y[PLAIN_D];
    double a[3];
    double b[3];
    fit(all, t, mean_t, a);
    fit(all, y, mean_y, b);
    const double trace = a[0] * b[0] + 2.0 * a[1] * b[1] + a[2] * b[2];
    /* Of two points, or of points on a line, it is 0, and rounding would not be. */
    const double area = b[0] * b[2] - b[1] * b[1];
    const double determinant =
        area > 1e-13 * b[0] * b[2] ? (a[0] * a[2] - a[1] * a[1]) * area : 0.0;
    return squared_distance(mean_t, mean_y) + a[0] + a[2] + b[0] + b[2] -
           2.0 * sqrt(trace + 2.0 * sqrt(determinant));
}

/* Five labels are used, all of them. */
double plain_imbalance(const plain *all, const plain_points *y)
{
    double pairs = 0.0; /* of equal labels */
    for (int64_t a = 0; a < y->count; a++) {
        for (int64_t b = 0; b < y->count; b++) {
            pairs += all->labels[y->numbers[a]] == all->labels[y->numbers[b]];
        }
    }
    return pairs / (double)(y->count * y->count) / 5.0;
}

static double to_others(const plain *all, int64_t party, const double *point)
{
    double least = INFINITY;
    for (int64_t p = 0; p < all->pool; p++) {
        if (p < all->first[party] || p >= all->first[party + 1]) {
            least = fmin(least, sqrt(squared_distance(point, all->points + p * PLAIN_D)));
        }
    }
    return least;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The 5 % quantile, between two of the numbers in their order. */
static double plain_quantile(double *numbers, int64_t count)
{
    qsort(numbers, (size_t)count, sizeof *numbers, compare_doubles);
    const double h = 0.05 * (double)(count - 1);
    const int64_t below = (int64_t)h;
    const int64_t above = below + 1 < count ? below + 1 : below;
    return numbers[below] + (h - (double)below) * (numbers[above] - numbers[below]);
}

/* copies, ratio, close */
void plain_privacy(const plain *all, int64_t party, int64_t set, double result[3])
{
    const int64_t count = all->n_rewards[set][party];
    const int64_t n_held_out = all->test != NULL ? PLAIN_TEST : all->n_points - all->pool;
    const double *held_out = all->test != NULL ? all->test : all->points + all->pool * PLAIN_D;
    result[0] = result[1] = result[2] = NAN;
    if (count == 0 || all->n_parties == 1) {
        return;
    }
    double *near = calloc((size_t)count, sizeof *near);
    double *far = calloc((size_t)n_held_out, sizeof *far);
    for (int64_t k = 0; k < n_held_out; k++) {
        far[k] = to_others(all, party, held_out + k * PLAIN_D);
    }
    const double limit = plain_quantile(far, n_held_out);
    result[0] = result[2] = 0.0;
    for (int64_t k = 0; k < count; k++) {
        near[k] = to_others(all, party,
                            all->points + (all->pool + all->rewards[set][party][k]) * PLAIN_D);
        result[0] += (near[k] == 0.0) / (double)count;
        result[2] += (near[k] < limit) / (double)count;
    }
    const double quantile = plain_quantile(near, count);
    result[1] = quantile == limit ? 1.0 : quantile / limit;
    free(near);
    free(far);
}
