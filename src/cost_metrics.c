#include <math.h>

#include "cgm/accumulator.h"
#include "cgm/kernel.h"
#include "cgm/metrics.h"
#include "cost_model.h"
#include "metrics_moments.h"
#include "metrics_rewards.h"
#include "quantiles.h"

/* Points that a rank looks for at a time, and bytes of moments that are summed up at a time
 * (metrics_kl.c, metrics_wasserstein.c). */
#define BATCH_POINTS 262144.0
#define BATCH_BYTES 16777216.0
/* A point's nearest records, and its sorted distances (metrics_privacy.c). */
#define RECORD_BYTES 24.0
#define SORTED_BYTES 24.0

static bool is_wanted(const cgm_cost_model *of, unsigned metric)
{
    const bool possible = !cgm_cost_is_embedded(of) || (metric & CGM_METRICS_OF_OTHERS) == 0;
    return possible && (of->run->config->metrics & metric) != 0;
}

static double reward_points(const cgm_cost_model *of, int64_t set, int64_t party)
{
    return (double)of->run->rewards.points[set * of->shard->n_parties + party];
}

/* Over all parties and inverse temperatures. */
static double all_reward_points(const cgm_cost_model *of)
{
    double sum = 0.0;
    for (int64_t k = 0; k < of->run->config->n_inv_temp * of->shard->n_parties; k++) {
        sum += (double)of->run->rewards.points[k];
    }
    return sum;
}

void cgm_cost_expect_rewards(const cgm_shard *shard, int64_t n_inv_temp, int64_t n_candidates,
                             cgm_cost_rewards *rewards, double *candidates)
{
    const double pool = (double)n_candidates;
    double left_by_all = pool;
    for (int64_t i = 0; i < shard->n_parties; i++) {
        double left = pool;
        for (int64_t s = 0; s < n_inv_temp; s++) {
            left *= 1.0 - (double)rewards->points[s * shard->n_parties + i] / pool;
        }
        candidates[i] = pool - left;
        left_by_all *= left / pool;
    }
    rewards->candidates = candidates;
    rewards->different = pool - left_by_all;
}

/* ---- who looks for what ---- */

/* What a rank with so much work of its own takes of work that all are filled up with. own NULL:
 * none. */
static double filled(const cgm_cost_model *of, int rank, bool own, double work)
{
    double level = 0.0;
    for (bool changed = true; changed;) {
        double sum = work;
        double ranks = 0.0;
        for (int r = 0; r < of->run->size; r++) {
            const double points = own ? of->homes[r].points : 0.0;
            if (level == 0.0 || points < level) {
                sum += points;
                ranks += 1.0;
            }
        }
        const double next = ranks > 0.0 ? sum / ranks : level;
        changed = next != level;
        level = next;
    }
    return fmax(level - (own ? of->homes[rank].points : 0.0), 0.0);
}

/* A rank's part of something of the pool: that of its slice, or what makes ranks even. */
static double share(const cgm_cost_model *of, int rank, bool own, double work)
{
    return of->run->sliced ? work * of->homes[rank].pool / (double)of->run->n_candidates
                           : filled(of, rank, own, work);
}

static bool is_privacy_measured(const cgm_cost_model *of)
{
    return is_wanted(of, CGM_METRIC_PRIVACY) && of->shard->n_parties > 1 &&
           all_reward_points(of) > 0.0;
}

/* Points whose nearest records a rank looks for. */
static double privacy_queries(const cgm_cost_model *of, int rank)
{
    const double test = (double)of->run->n_test;
    return test > 0.0 ? test / of->run->size + share(of, rank, false, of->run->rewards.different)
                      : share(of, rank, false, (double)of->run->n_candidates);
}

/* ---- evaluations ---- */

/* Points of rewards and data look among their party's data, and among each reward. */
static void count_own(cgm_cost_model *of)
{
    const cgm_shard *shard = of->shard;
    const cgm_cost_rewards *rewards = &of->run->rewards;
    double of_candidates = 0.0;
    double party_first = 0.0;
    int first = 0;
    for (int64_t i = 0; i < shard->n_parties; i++) {
        const double m = (double)shard->party_points[i];
        double references = m;
        of_candidates += rewards->candidates[i] * m;
        for (int64_t s = 0; s < of->run->config->n_inv_temp; s++) {
            const double points = reward_points(of, s, i);
            references += points;
            of_candidates += points * points;
        }
        for (int r = first; r < of->run->size; r++) {
            const double begin = fmax(party_first, (double)shard->first_point[r]);
            const double end = fmin(party_first + m, (double)shard->first_point[r + 1]);
            of->work[r].kernel_evaluations += fmax(end - begin, 0.0) * references;
            first = (double)shard->first_point[r + 1] <= party_first ? r + 1 : first;
            if ((double)shard->first_point[r] >= party_first + m) {
                break;
            }
        }
        party_first += m;
    }
    for (int r = 0; r < of->run->size; r++) {
        const double part = share(of, r, true, rewards->different) / fmax(rewards->different, 1.0);
        of->work[r].kernel_evaluations += part * of_candidates;
    }
}

static void count_kl(cgm_cost_model *of)
{
    const double all = (double)(of->shard->n_points + of->run->n_candidates);
    for (int r = 0; r < of->run->size; r++) {
        const double queries = of->homes[r].points + share(of, r, true, of->run->rewards.different);
        of->work[r].kernel_evaluations += queries * all;
    }
    count_own(of);
}

static void count_privacy(cgm_cost_model *of)
{
    for (int r = 0; r < of->run->size; r++) {
        of->work[r].kernel_evaluations += privacy_queries(of, r) * (double)of->shard->n_points;
    }
}

/* ---- bytes ---- */

/* References of every rank go round all of them: points of its parties, and so many more. */
static void count_journey(cgm_cost_model *of, bool slices, double more)
{
    const int size = of->run->size;
    const double point = (double)of->n_features * sizeof(double);
    double all = 0.0;
    for (int r = 0; r < size; r++) {
        all += (of->homes[r].points + (slices ? of->homes[r].pool : 0.0) + more / size) * point;
    }
    for (int r = 0; r < size && size > 1; r++) {
        const cgm_cost_home *own = &of->homes[r];
        const cgm_cost_home *next = &of->homes[(r + 1) % size];
        of->work[r].bytes_sent +=
            all - (next->points + (slices ? next->pool : 0.0) + more / size) * point;
        of->work[r].bytes_received +=
            all - (own->points + (slices ? own->pool : 0.0) + more / size) * point;
    }
}

/* Rows of rewards, from the ranks that keep the parties, once for every measure. */
static void count_rows(cgm_cost_model *of)
{
    const int size = of->run->size;
    const double elsewhere = all_reward_points(of) / size * (1.0 - 1.0 / size);
    for (int r = 0; r < size; r++) {
        of->work[r].bytes_sent += elsewhere * sizeof(reward_row);
        of->work[r].bytes_received += elsewhere * sizeof(reward_row);
    }
    if (!of->run->sliced) {
        cgm_cost_reduction(of, (double)of->run->n_candidates / 8.0);
    }
}

static double groups(const cgm_cost_model *of)
{
    return (double)(of->shard->n_parties * (1 + of->run->config->n_inv_temp));
}

static void count_moments(cgm_cost_model *of)
{
    const double d = (double)of->n_features;
    cgm_cost_accumulators(of, (groups(of) + 1.0) * (d + d * (d + 1.0) / 2.0));
    cgm_cost_reduction(of, groups(of) * sizeof(double));
}

void cgm_cost_count_metrics(cgm_cost_model *of)
{
    const int64_t n = of->shard->n_parties;
    const int64_t n_sets = of->run->config->n_inv_temp;
    if (is_wanted(of, CGM_METRIC_MMD2)) {
        count_rows(of);
        cgm_cost_accumulators(of, (double)(n * n_sets));
    }
    if (is_wanted(of, CGM_METRIC_KL)) {
        count_rows(of);
        count_kl(of);
        count_journey(of, of->run->sliced, 0.0);
        count_journey(of, false, all_reward_points(of));
    }
    if (is_wanted(of, CGM_METRIC_WASSERSTEIN2)) {
        count_rows(of);
        count_moments(of);
    }
    if (is_wanted(of, CGM_METRIC_IMBALANCE) && of->shard->has_labels) {
        count_rows(of);
    }
    if (is_privacy_measured(of)) {
        count_rows(of);
        count_privacy(of);
        count_journey(of, false, 0.0);
        cgm_cost_reduction(of, quantiles_bytes(n * n_sets) + quantiles_bytes(n));
    }
    if (is_wanted(of, CGM_METRIC_SIGNIFICANCE)) {
        cgm_cost_count_significance(of);
    }
}

/* ---- memory ---- */

/* Packed references of the rank, of one that is met, and of one to come. */
static double journey_bytes(const cgm_cost_model *of, int rank, bool slices, double more)
{
    const double others = of->run->size > 2 ? 2.0 : of->run->size > 1 ? 1.0 : 0.0;
    double largest = 0.0;
    for (int r = 0; r < of->run->size; r++) {
        largest = fmax(largest, of->homes[r].points + (slices ? of->homes[r].pool : 0.0));
    }
    const double own = of->homes[rank].points + (slices ? of->homes[rank].pool : 0.0);
    return (own + others * largest + (1.0 + others) * more / of->run->size) *
           (double)of->n_features * sizeof(double);
}

static double kl_bytes(const cgm_cost_model *of, int rank)
{
    const double query = (double)(of->n_features + CGM_NEAREST) * sizeof(double);
    const double points = of->homes[rank].points;
    const double rewards = all_reward_points(of);
    const double in_all = points + share(of, rank, true, of->run->rewards.different);
    const double in_own =
        points * (1.0 + (double)of->run->config->n_inv_temp) + 2.0 * rewards / of->run->size;
    const double batch = fmin(in_own, BATCH_POINTS);
    return in_all * query +
           fmax(journey_bytes(of, rank, of->run->sliced, 0.0),
                batch * query + journey_bytes(of, rank, false, fmin(rewards, BATCH_POINTS)));
}

static double privacy_bytes(const cgm_cost_model *of, int rank)
{
    const double point = (double)of->n_features * sizeof(double);
    return privacy_queries(of, rank) * (point + RECORD_BYTES + SORTED_BYTES) +
           journey_bytes(of, rank, false, 0.0);
}

static double moments_of_batch(const cgm_cost_model *of)
{
    const double of_group = (double)moments_bytes(of->n_features);
    return fmin(groups(of) * of_group,
                fmax(BATCH_BYTES, (1.0 + (double)of->run->config->n_inv_temp) * of_group));
}

double cgm_cost_metrics_memory(const cgm_cost_model *of, int rank)
{
    double most = 0.0;
    if (is_wanted(of, CGM_METRIC_KL)) {
        most = fmax(most, kl_bytes(of, rank));
    }
    if (is_privacy_measured(of)) {
        most = fmax(most, privacy_bytes(of, rank));
    }
    if (is_wanted(of, CGM_METRIC_WASSERSTEIN2)) {
        most = fmax(most, moments_of_batch(of));
    }
    if (is_wanted(of, CGM_METRIC_SIGNIFICANCE)) {
        most = fmax(most, cgm_cost_significance_memory(of, rank));
    }
    /* Rows and the candidates that they name; columns. */
    const double rows = all_reward_points(of) / of->run->size;
    return most + rows * (2.0 * sizeof(reward_row) + sizeof(int64_t)) +
           groups(of) * CGM_METRIC_COLUMNS * sizeof(double);
}
