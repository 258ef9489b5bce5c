#include "cgm/spread.h"

#include <math.h>
#include <stdlib.h>

#include "cgm/accumulator.h"
#include "cgm/tolerance.h"

/* The rows that this rank accounts for: its parties' and its slice of the pool. */
typedef struct own_rows {
    int64_t n_features;
    const double *points[2];
    int64_t n_points[2];
} own_rows;

static own_rows own_rows_of(const cgm_comm *comm, const cgm_shard *shard,
                            const cgm_candidates *candidates)
{
    own_rows rows = {.n_features = shard->n_features,
                     .points = {shard->points, NULL},
                     .n_points = {shard->n_local_points, 0}};
    if (candidates != NULL) {
        const int64_t first = candidates->first[comm->rank];
        rows.points[1] = candidates->points + (first - candidates->held_first) * shard->n_features;
        rows.n_points[1] = candidates->first[comm->rank + 1] - first;
    }
    return rows;
}

/* Widens extremes, the negative of the smallest and the largest value of each feature, by one of
 * both parts of the rows, over all ranks. extremes [2][n_features] */
static void widen_range(cgm_comm *comm, const own_rows *rows, int part, double *extremes)
{
    const int64_t d = rows->n_features;
    for (int64_t k = 0; k < rows->n_points[part] * d; k++) {
        const double value = rows->points[part][k];
        double *low = &extremes[k % d];
        double *high = low + d;
        *low = fmax(*low, -value);
        *high = fmax(*high, value);
    }
    cgm_comm_max(comm, extremes, 2 * d);
}

static double middle(const double *extremes, int64_t d, int64_t f)
{
    return -extremes[f] + 0.5 * (extremes[d + f] + extremes[f]);
}

/* low, range and centres; the pool comes first. extremes [2][n_features] is work space. */
static void measure_range(cgm_comm *comm, const own_rows *rows, bool has_pool, double *extremes,
                          cgm_spread *spread)
{
    const int64_t d = rows->n_features;
    for (int64_t f = 0; f < 2 * d; f++) {
        extremes[f] = -INFINITY;
    }
    widen_range(comm, rows, 1, extremes);
    for (int64_t f = 0; f < d && has_pool; f++) {
        spread->pool_centre[f] = middle(extremes, d, f);
    }
    widen_range(comm, rows, 0, extremes);
    for (int64_t f = 0; f < d; f++) {
        spread->low[f] = -extremes[f];
        spread->range[f] = extremes[d + f] - spread->low[f];
        spread->centre[f] = spread->low[f] + 0.5 * spread->range[f];
        spread->pool_centre[f] = has_pool ? spread->pool_centre[f] : spread->centre[f];
    }
}

/* Sums of (x - centre)/range, or of its squared difference from means, by feature, exactly: every
 * term lies in [-1, 1]. terms [n_features] is work space. */
static void sum_features(cgm_comm *comm, const own_rows *rows, const cgm_spread *spread,
                         const double *means, double *terms, cgm_accumulator *sums)
{
    const int64_t d = rows->n_features;
    for (int64_t f = 0; f < d; f++) {
        sums[f] = (cgm_accumulator){{0}};
    }
    for (int part = 0; part < 2; part++) {
        const double *point = rows->points[part];
        for (int64_t i = 0; i < rows->n_points[part]; i++, point += d) {
            for (int64_t f = 0; f < d; f++) {
                double term = 0.0;
                if (spread->range[f] > 0.0) {
                    term = (point[f] - spread->centre[f]) / spread->range[f];
                }
                terms[f] = means == NULL ? term : (term - means[f]) * (term - means[f]);
            }
            cgm_accumulator_add_each(sums, terms, d);
        }
    }
    cgm_accumulator_reduce(comm, sums, d);
}

/* mean and deviation, in two passes so that no digits cancel; then the overall deviation. means
 * [2][n_features] is work space. */
static void measure_moments(cgm_comm *comm, const own_rows *rows, int64_t n_points, double *means,
                            cgm_accumulator *sums, cgm_spread *spread)
{
    const int64_t d = rows->n_features;
    const double n = (double)n_points;
    sum_features(comm, rows, spread, NULL, means + d, sums);
    for (int64_t f = 0; f < d; f++) {
        means[f] = cgm_accumulator_value(&sums[f]) / n;
        spread->mean[f] = spread->centre[f] + means[f] * spread->range[f];
    }
    sum_features(comm, rows, spread, means, means + d, sums);
    double widest = 0.0;
    for (int64_t f = 0; f < d; f++) {
        spread->deviation[f] = spread->range[f] * sqrt(cgm_accumulator_value(&sums[f]) / n);
        widest = fmax(widest, spread->range[f]);
    }
    double variance = 0.0; /* in units of the widest range, so that no square overflows */
    for (int64_t f = 0; f < d && widest > 0.0; f++) {
        const double part = spread->range[f] / widest;
        variance += part * part * cgm_accumulator_value(&sums[f]) / n;
    }
    spread->overall = widest * sqrt(variance / (double)d);
}

/* ---- sealed shards ---- */

/* range becomes the least powers of two that no point is as far from centre as, over all ranks: of
 * a coordinate they tell its magnitude alone. 0: every point is at the centre. */
static void bound_range(cgm_comm *comm, const own_rows *rows, const double *centre, double *range)
{
    const int64_t d = rows->n_features;
    for (int64_t f = 0; f < d; f++) {
        range[f] = 0.0;
    }
    for (int part = 0; part < 2; part++) {
        for (int64_t k = 0; k < rows->n_points[part] * d; k++) {
            const double distance = fabs(rows->points[part][k] - centre[k % d]);
            int exponent;
            frexp(distance, &exponent);
            if (distance > 0.0) {
                range[k % d] = fmax(range[k % d], ldexp(1.0, exponent));
            }
        }
    }
    cgm_comm_max(comm, range, d);
}

/* Features that are constant but for the rounding of their mean are constant. */
static void drop_constant(int64_t d, cgm_spread *spread)
{
    for (int64_t f = 0; f < d; f++) {
        if (spread->range[f] <= CGM_CONSTANT_FEATURE * fabs(spread->mean[f])) {
            spread->range[f] = 0.0;
            spread->deviation[f] = 0.0;
        }
    }
}

/* As measure_range and measure_moments, from sums over the parties' points and from the pool's
 * extremes: about the middle of the pool first, then about the mean. */
static void measure_sealed(cgm_comm *comm, const own_rows *rows, int64_t n_points, bool has_pool,
                           double *work, cgm_accumulator *sums, cgm_spread *spread)
{
    const int64_t d = rows->n_features;
    for (int64_t f = 0; f < 2 * d; f++) {
        work[f] = -INFINITY;
    }
    widen_range(comm, rows, 1, work);
    for (int64_t f = 0; f < d; f++) {
        spread->pool_centre[f] = has_pool ? middle(work, d, f) : 0.0;
        spread->centre[f] = spread->pool_centre[f];
    }
    bound_range(comm, rows, spread->centre, spread->range);
    measure_moments(comm, rows, n_points, work, sums, spread);
    for (int64_t f = 0; f < d; f++) {
        spread->centre[f] = spread->mean[f];
    }
    bound_range(comm, rows, spread->centre, spread->range);
    drop_constant(d, spread);
    measure_moments(comm, rows, n_points, work, sums, spread);
    for (int64_t f = 0; f < d; f++) {
        spread->low[f] = spread->mean[f] - spread->range[f];
        spread->pool_centre[f] = has_pool ? spread->pool_centre[f] : spread->mean[f];
    }
}

cgm_status cgm_spread_measure(cgm_comm *comm, const cgm_shard *shard,
                              const cgm_candidates *candidates, cgm_spread *spread)
{
    const int64_t d = shard->n_features;
    *spread = (cgm_spread){.low = cgm_alloc(comm, 6 * d, sizeof(double))};
    double *work = cgm_alloc(comm, 2 * d, sizeof(double));
    cgm_accumulator *sums = cgm_alloc(comm, d, sizeof(cgm_accumulator));
    bool refused = spread->low == NULL || work == NULL || sums == NULL;
    cgm_status status = cgm_agree(comm, refused ? CGM_ERR_MEMORY : CGM_OK);
    if (status == CGM_OK) {
        spread->range = spread->low + d;
        spread->centre = spread->range + d;
        spread->mean = spread->centre + d;
        spread->deviation = spread->mean + d;
        spread->pool_centre = spread->deviation + d;
        const own_rows rows = own_rows_of(comm, shard, candidates);
        const int64_t pool = candidates != NULL ? candidates->n_points : 0;
        if (shard->sealed) {
            measure_sealed(comm, &rows, shard->n_points + pool, pool > 0, work, sums, spread);
        } else {
            measure_range(comm, &rows, pool > 0, work, spread);
            measure_moments(comm, &rows, shard->n_points + pool, work, sums, spread);
        }
    }
    free(work);
    free(sums);
    return status;
}

void cgm_spread_destroy(cgm_spread *spread)
{
    free(spread->low);
    *spread = (cgm_spread){0};
}
