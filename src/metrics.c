#include "cgm/metrics.h"

#include <math.h>
#include <stdlib.h>

#include "careful_sum.h"
#include "cgm/pipeline.h"
#include "cgm/significance.h"
#include "metrics_parts.h"

/* ---- names ---- */

static const char *const metric_names[CGM_N_METRICS] = {
    "mmd2", "kl", "wasserstein2", "imbalance", "downstream", "privacy", "significance"};

typedef struct column_kind {
    const char *name;
    unsigned metric;
} column_kind;

static const column_kind kinds[CGM_METRIC_COLUMNS] = {
    [CGM_MMD2_BEFORE] = {"mmd2_before", CGM_METRIC_MMD2},
    [CGM_MMD2_AFTER] = {"mmd2_after", CGM_METRIC_MMD2},
    [CGM_KL_BEFORE] = {"kl_before", CGM_METRIC_KL},
    [CGM_KL_AFTER] = {"kl_after", CGM_METRIC_KL},
    [CGM_WASSERSTEIN2_BEFORE] = {"wasserstein2_before", CGM_METRIC_WASSERSTEIN2},
    [CGM_WASSERSTEIN2_AFTER] = {"wasserstein2_after", CGM_METRIC_WASSERSTEIN2},
    [CGM_IMBALANCE_BEFORE] = {"imbalance_before", CGM_METRIC_IMBALANCE},
    [CGM_IMBALANCE_AFTER] = {"imbalance_after", CGM_METRIC_IMBALANCE},
    [CGM_DOWNSTREAM_OTHERS_BEFORE] = {"downstream_others_before", CGM_METRIC_DOWNSTREAM},
    [CGM_DOWNSTREAM_OTHERS_AFTER] = {"downstream_others_after", CGM_METRIC_DOWNSTREAM},
    [CGM_DOWNSTREAM_TEST_BEFORE] = {"downstream_test_before", CGM_METRIC_DOWNSTREAM},
    [CGM_DOWNSTREAM_TEST_AFTER] = {"downstream_test_after", CGM_METRIC_DOWNSTREAM},
    [CGM_PRIVACY_COPIES] = {"privacy_copies", CGM_METRIC_PRIVACY},
    [CGM_PRIVACY_RATIO] = {"privacy_ratio", CGM_METRIC_PRIVACY},
    [CGM_PRIVACY_CLOSE] = {"privacy_close", CGM_METRIC_PRIVACY},
    [CGM_P_VALUE_BEFORE] = {"p_value_before", CGM_METRIC_SIGNIFICANCE},
    [CGM_P_VALUE_AFTER] = {"p_value_after", CGM_METRIC_SIGNIFICANCE},
    [CGM_KL_EXCLUDED_BEFORE] = {"kl_excluded_before", CGM_METRIC_KL},
    [CGM_KL_EXCLUDED_AFTER] = {"kl_excluded_after", CGM_METRIC_KL},
    [CGM_N_REWARDS] = {"n_rewards", 0},
};

const char *cgm_metric_name(int k)
{
    return metric_names[k];
}

const char *cgm_metric_column_name(cgm_metric_column column)
{
    return kinds[column].name;
}

unsigned cgm_metric_of_column(cgm_metric_column column)
{
    return kinds[column].metric;
}

/* ---- correlations ---- */

double cgm_metrics_correlation(const double *x, const double *y, int64_t count)
{
    cgm_careful_sum means[2] = {{0}};
    int64_t n = 0;
    for (int64_t i = 0; i < count; i++) {
        if (isfinite(x[i]) && isfinite(y[i])) {
            cgm_careful_add(&means[0], x[i]);
            cgm_careful_add(&means[1], y[i]);
            n++;
        }
    }
    const double mean_x = cgm_careful_value(&means[0]) / (double)n;
    const double mean_y = cgm_careful_value(&means[1]) / (double)n;
    double xx = 0.0;
    double xy = 0.0;
    double yy = 0.0;
    bool x_varies = false;
    bool y_varies = false;
    int64_t first = -1;
    for (int64_t i = 0; i < count; i++) {
        if (isfinite(x[i]) && isfinite(y[i])) {
            first = first < 0 ? i : first;
            x_varies = x_varies || x[i] != x[first];
            y_varies = y_varies || y[i] != y[first];
            xx += (x[i] - mean_x) * (x[i] - mean_x);
            xy += (x[i] - mean_x) * (y[i] - mean_y);
            yy += (y[i] - mean_y) * (y[i] - mean_y);
        }
    }
    /* A constant's mean may be off by a rounding, and its variance with it. */
    return x_varies && y_varies ? xy / sqrt(xx * yy) : NAN;
}

static void correlate_set(const double *alpha, int64_t n_parties, cgm_metric_set *set)
{
    for (int c = 0; c < CGM_METRIC_COLUMNS; c++) {
        set->correlation[c] = set->columns[c] == NULL
                                  ? NAN
                                  : cgm_metrics_correlation(alpha, set->columns[c], n_parties);
    }
}

/* Mean and standard error over β of the correlations that are numbers. */
static void correlate_sets(cgm_metrics *metrics)
{
    for (int c = 0; c < CGM_METRIC_COLUMNS; c++) {
        double sum = 0.0;
        double squares = 0.0;
        double n = 0.0;
        for (int64_t s = 0; s < metrics->n_sets; s++) {
            const double value = metrics->sets[s].correlation[c];
            sum += isfinite(value) ? value : 0.0;
            n += isfinite(value) ? 1.0 : 0.0;
        }
        const double mean = sum / n;
        for (int64_t s = 0; s < metrics->n_sets; s++) {
            const double value = metrics->sets[s].correlation[c];
            squares += isfinite(value) ? (value - mean) * (value - mean) : 0.0;
        }
        metrics->mean_correlation[c] = n > 0.0 ? mean : NAN;
        metrics->se_correlation[c] = n > 1.0 ? sqrt(squares / (n - 1.0)) / sqrt(n) : NAN;
    }
}

/* Of every party, over β: with one of the columns. work [2][n_sets] */
static void correlate_betas(const cgm_metrics *metrics, cgm_metric_column column, double *work,
                            double *result)
{
    for (int64_t i = 0; i < metrics->n_parties; i++) {
        for (int64_t s = 0; s < metrics->n_sets; s++) {
            work[s] = metrics->sets[s].inv_temp;
            work[metrics->n_sets + s] = metrics->sets[s].columns[column][i];
        }
        result[i] = cgm_metrics_correlation(work, work + metrics->n_sets, metrics->n_sets);
    }
}

static cgm_status correlate(cgm_comm *comm, const double *alpha, cgm_metrics *metrics)
{
    for (int64_t s = 0; s < metrics->n_sets; s++) {
        correlate_set(alpha, metrics->n_parties, &metrics->sets[s]);
    }
    correlate_sets(metrics);
    if (metrics->n_sets < 2) {
        return CGM_OK;
    }
    double *work = cgm_alloc(comm, 2 * metrics->n_sets, sizeof *work);
    if (cgm_agree(comm, work == NULL ? CGM_ERR_MEMORY : CGM_OK) != CGM_OK) {
        free(work);
        return CGM_ERR_MEMORY;
    }
    correlate_betas(metrics, CGM_N_REWARDS, work, metrics->beta_n_rewards);
    if (metrics->beta_mmd2_after != NULL) {
        correlate_betas(metrics, CGM_MMD2_AFTER, work, metrics->beta_mmd2_after);
    }
    free(work);
    return CGM_OK;
}

/* ---- all of them ---- */

static bool is_wanted(unsigned selected, int column)
{
    return kinds[column].metric == 0 || (kinds[column].metric & selected) != 0;
}

/* One allocation; every number is missing until it is measured. */
static cgm_status allocate(cgm_comm *comm, const cgm_run *run, cgm_metrics *metrics)
{
    const int64_t n = run->shard.n_parties;
    const int64_t n_sets = run->sampling.n_sets;
    const int64_t count = (n_sets * CGM_METRIC_COLUMNS + 2) * n;
    *metrics = (cgm_metrics){.selected = run->config->metrics, .n_parties = n, .n_sets = n_sets};
    metrics->sets = cgm_alloc(comm, n_sets, sizeof *metrics->sets);
    metrics->values = cgm_alloc(comm, count, sizeof *metrics->values);
    bool refused = metrics->sets == NULL || metrics->values == NULL;
    cgm_status status = cgm_agree(comm, refused ? CGM_ERR_MEMORY : CGM_OK);
    if (status != CGM_OK) {
        return status;
    }
    for (int64_t k = 0; k < count; k++) {
        metrics->values[k] = NAN;
    }
    double *next = metrics->values;
    for (int64_t s = 0; s < n_sets; s++) {
        metrics->sets[s].inv_temp = run->sampling.sets[s].inv_temp;
        for (int c = 0; c < CGM_METRIC_COLUMNS; c++, next += n) {
            metrics->sets[s].columns[c] = is_wanted(metrics->selected, c) ? next : NULL;
        }
    }
    metrics->beta_n_rewards = n_sets > 1 ? next : NULL;
    metrics->beta_mmd2_after =
        n_sets > 1 && (metrics->selected & CGM_METRIC_MMD2) != 0 ? next + n : NULL;
    return CGM_OK;
}

static void count_rewards(const cgm_run *run, cgm_metrics *metrics)
{
    for (int64_t s = 0; s < metrics->n_sets; s++) {
        const int64_t *offsets = run->sampling.sets[s].offsets;
        for (int64_t i = 0; i < metrics->n_parties; i++) {
            metrics->sets[s].columns[CGM_N_REWARDS][i] = (double)(offsets[i + 1] - offsets[i]);
        }
    }
}

cgm_status cgm_metrics_measure(cgm_comm *comm, const cgm_run *run, cgm_metrics *metrics)
{
    *metrics = (cgm_metrics){0};
    if (run->config->metrics == CGM_METRICS_NONE) {
        return CGM_OK;
    }
    /* A measure fills in its columns of all sets. Collective. */
    static const struct {
        cgm_metric metric;
        cgm_status (*measure)(cgm_comm *comm, const cgm_run *run, cgm_metrics *metrics);
    } measures[] = {
        {CGM_METRIC_MMD2, metrics_measure_mmd2},
        {CGM_METRIC_KL, metrics_measure_kl},
        {CGM_METRIC_WASSERSTEIN2, metrics_measure_wasserstein2},
        {CGM_METRIC_IMBALANCE, metrics_measure_imbalance},
        {CGM_METRIC_PRIVACY, metrics_measure_privacy},
        {CGM_METRIC_DOWNSTREAM, cgm_downstream_measure},
        {CGM_METRIC_SIGNIFICANCE, cgm_significance_measure},
    };
    cgm_status status = allocate(comm, run, metrics);
    if (status == CGM_OK) {
        count_rewards(run, metrics);
    }
    for (size_t k = 0; k < sizeof measures / sizeof measures[0] && status == CGM_OK; k++) {
        const bool possible =
            !run->shard.sealed || (measures[k].metric & CGM_METRICS_OF_OTHERS) == 0;
        if (possible && (measures[k].metric & metrics->selected) != 0) {
            status = measures[k].measure(comm, run, metrics);
        }
    }
    return status == CGM_OK ? correlate(comm, run->shapley.alpha, metrics) : status;
}

void cgm_metrics_destroy(cgm_metrics *metrics)
{
    free(metrics->sets);
    free(metrics->values);
    *metrics = (cgm_metrics){0};
}
