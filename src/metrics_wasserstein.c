#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/dense.h"
#include "cgm/tolerance.h"
#include "metrics_moments.h"
#include "metrics_parts.h"

/* Bytes of the moments that are summed up at a time, unless one party needs more. */
enum { BATCH_BYTES = 1 << 24 };

/* The Gaussian fit of T, and room for that of Y. [d][d] but for values. */
typedef struct fits {
    cgm_comm *comm;
    int64_t d;
    group_moments reference;
    double *root; /* √Σ of T */
    double *both; /* √Σ Σ_Y √Σ */
    double *work;
    double *values; /* [d] */
} fits;

static double trace(const double *scatter, int64_t d, double count)
{
    double sum = 0.0;
    for (int64_t f = 0; f < d; f++) {
        sum += scatter[f * d + f];
    }
    return sum / count;
}

/* Covariances are less one point; of a single one it is zero. */
static double divisor(double points)
{
    return points > 1.0 ? points - 1.0 : 1.0;
}

/* ---- T ---- */

/* root = Σ √λ v vᵀ */
static cgm_status take_root(fits *of)
{
    const int64_t d = of->d;
    for (int64_t k = 0; k < d * d; k++) {
        of->work[k] = of->reference.scatters[k] / divisor(of->reference.counts[0]);
    }
    cgm_status status = cgm_dense_eigen(of->comm, d, of->work, of->values);
    if (status != CGM_OK) {
        return status;
    }
    for (int64_t k = 0; k < d; k++) {
        const double factor = pow(fmax(of->values[k], 0.0), 0.25);
        for (int64_t f = 0; f < d; f++) {
            of->work[k * d + f] *= factor;
            of->both[f * d + k] = of->work[k * d + f];
        }
    }
    cgm_dense_multiply(d, d, d, of->both, of->work, of->root);
    return CGM_OK;
}

static cgm_status fits_create(cgm_comm *comm, const cgm_run *run, fits *of)
{
    const int64_t d = run->shard.n_features;
    *of = (fits){.comm = comm, .d = d};
    cgm_status status = moments_of_reference(comm, run, &of->reference);
    if (status != CGM_OK) {
        return status;
    }
    of->root = cgm_alloc(comm, d * d, sizeof(double));
    of->both = cgm_alloc(comm, d * d, sizeof(double));
    of->work = cgm_alloc(comm, d * d, sizeof(double));
    of->values = cgm_alloc(comm, d, sizeof(double));
    const bool refused =
        of->root == NULL || of->both == NULL || of->work == NULL || of->values == NULL;
    return cgm_agree(comm, refused ? CGM_ERR_MEMORY : take_root(of));
}

static void fits_destroy(fits *of)
{
    moments_destroy(&of->reference);
    free(of->root);
    free(of->both);
    free(of->work);
    free(of->values);
}

/* ---- Y ---- */

/* Y's moments from those of its two parts, in work and values: sums of what is never negative, in
 * which no digits cancel. */
static double unite(fits *of, const group_moments *parts, int64_t data, int64_t reward)
{
    const int64_t d = of->d;
    const double a = parts->counts[data];
    const double b = data != reward ? parts->counts[reward] : 0.0;
    const double *mean_a = parts->means + data * d;
    const double *mean_b = parts->means + reward * d;
    const double between = a * b / (a + b);
    for (int64_t f = 0; f < d; f++) {
        of->values[f] = (a * mean_a[f] + b * mean_b[f]) / (a + b);
        for (int64_t g = 0; g < d; g++) {
            const int64_t at = f * d + g;
            of->work[at] = parts->scatters[data * d * d + at];
            if (b > 0.0) {
                of->work[at] += parts->scatters[reward * d * d + at] +
                                between * ((mean_a[f] - mean_b[f]) * (mean_a[g] - mean_b[g]));
            }
        }
    }
    return a + b;
}

/* |μ₁−μ₂|² + tr Σ₁ + tr Σ₂ − 2 Σ √eig(√Σ₁ Σ₂ √Σ₁). */
static cgm_status measure(fits *of, const group_moments *parts, int64_t data, int64_t reward,
                          double *distance)
{
    const int64_t d = of->d;
    const double count = divisor(unite(of, parts, data, reward));
    double sum = trace(of->reference.scatters, d, divisor(of->reference.counts[0])) +
                 trace(of->work, d, count);
    for (int64_t f = 0; f < d; f++) {
        const double difference = of->values[f] - of->reference.means[f];
        sum += difference * difference;
    }
    for (int64_t k = 0; k < d * d; k++) {
        of->work[k] /= count;
    }
    cgm_dense_multiply(d, d, d, of->root, of->work, of->both);
    cgm_dense_multiply(d, d, d, of->both, of->root, of->work);
    cgm_status status = cgm_dense_eigen(of->comm, d, of->work, of->values);
    const double zero = CGM_EIGEN_ROUNDINGS * (double)d * DBL_EPSILON * of->values[d - 1];
    for (int64_t k = 0; k < d && status == CGM_OK; k++) {
        sum -= of->values[k] > zero ? 2.0 * sqrt(of->values[k]) : 0.0;
    }
    *distance = fmax(sum, 0.0);
    return status;
}

/* Ranks take the groups of a batch in turn. distances [groups of all parties] */
static cgm_status measure_batch(fits *of, const group_moments *parts, int64_t n_sums,
                                int64_t first_group, double *distances)
{
    for (int64_t k = of->comm->rank; k < parts->n_groups; k += of->comm->size) {
        cgm_status status = measure(of, parts, k / n_sums * n_sums, k, &distances[first_group + k]);
        if (status != CGM_OK) {
            return status;
        }
    }
    return CGM_OK;
}

/* ---- all parties ---- */

/* What each rank has found becomes known to all. */
static void share(cgm_comm *comm, double *values, int64_t count, uint64_t *words)
{
    memcpy(words, values, (size_t)count * sizeof *values);
    cgm_comm_or(comm, words, count);
    memcpy(values, words, (size_t)count * sizeof *values);
}

static void fill_in(const cgm_run *run, const double *distances, cgm_metrics *metrics)
{
    const int exponent = 2 * moments_exponent(run);
    const int64_t n_sums = 1 + metrics->n_sets;
    for (int64_t s = 0; s < metrics->n_sets; s++) {
        double *const *columns = metrics->sets[s].columns;
        for (int64_t i = 0; i < metrics->n_parties; i++) {
            columns[CGM_WASSERSTEIN2_BEFORE][i] = ldexp(distances[i * n_sums], exponent);
            columns[CGM_WASSERSTEIN2_AFTER][i] = ldexp(distances[i * n_sums + 1 + s], exponent);
        }
    }
}

/* distances [n_parties][1 + n_sets], in units of z */
static cgm_status measure_all(cgm_comm *comm, const cgm_run *run, const reward_rows *rows,
                              double *distances)
{
    const int64_t n = run->shard.n_parties;
    const int64_t n_sums = 1 + run->sampling.n_sets;
    const int64_t fitting = BATCH_BYTES / (moments_bytes(run->shard.n_features) * n_sums);
    const int64_t batch = fitting < 1 ? 1 : fitting;
    fits of;
    cgm_status status = fits_create(comm, run, &of);
    for (int64_t first = 0; first < n && status == CGM_OK; first += batch) {
        const int64_t end = first + batch < n ? first + batch : n;
        group_moments parts;
        status = moments_of_parties(comm, run, rows, first, end, &parts);
        if (status == CGM_OK) {
            status = cgm_agree(comm, measure_batch(&of, &parts, n_sums, first * n_sums, distances));
        }
        moments_destroy(&parts);
    }
    fits_destroy(&of);
    return status;
}

cgm_status metrics_measure_wasserstein2(cgm_comm *comm, const cgm_run *run, cgm_metrics *metrics)
{
    const int64_t count = metrics->n_parties * (1 + metrics->n_sets);
    const reward_shares shares = {0};
    reward_rows rows;
    cgm_status status = reward_rows_spread(comm, run, &shares, &rows);
    if (status == CGM_OK) {
        double *distances = cgm_alloc(comm, count, sizeof *distances);
        uint64_t *words = cgm_alloc(comm, count, sizeof *words);
        const bool complete = distances != NULL && words != NULL;
        status = cgm_agree(comm, complete ? CGM_OK : CGM_ERR_MEMORY);
        if (status == CGM_OK) {
            status = measure_all(comm, run, &rows, distances);
        }
        if (status == CGM_OK) {
            share(comm, distances, count, words);
            fill_in(run, distances, metrics);
        }
        free(distances);
        free(words);
    }
    reward_rows_destroy(&rows);
    return status;
}
