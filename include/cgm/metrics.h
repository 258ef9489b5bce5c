/**
 * @file metrics.h
 * What is reported about the rewards (MATH.md §7): measures of every party's points before
 * (D_i) and after (D_i ∪ R_i) at every inverse temperature, and how they go with α.
 */
#ifndef CGM_METRICS_H
#define CGM_METRICS_H

#include <stdint.h>

#include "cgm/comm.h"
#include "cgm/downstream.h"

struct cgm_run;

/** What can be asked for; a selection is a set of these bits. */
typedef enum cgm_metric {
    CGM_METRIC_MMD2 = 1 << 0,
    CGM_METRIC_KL = 1 << 1,
    CGM_METRIC_WASSERSTEIN2 = 1 << 2,
    CGM_METRIC_IMBALANCE = 1 << 3,
    CGM_METRIC_DOWNSTREAM = 1 << 4,
    CGM_METRIC_PRIVACY = 1 << 5,
    CGM_METRIC_SIGNIFICANCE = 1 << 6
} cgm_metric;
enum {
    CGM_N_METRICS = 7,
    CGM_METRICS_NONE = 0,
    CGM_METRICS_ALL = (1 << 6) - 1, /**< everything but significance */
    /** Those that take points of several parties together. */
    CGM_METRICS_OF_OTHERS =
        CGM_METRIC_KL | CGM_METRIC_DOWNSTREAM | CGM_METRIC_PRIVACY | CGM_METRIC_SIGNIFICANCE
};

/** Columns of the table of a β, one number a party; named as their datasets. */
typedef enum cgm_metric_column {
    CGM_MMD2_BEFORE,
    CGM_MMD2_AFTER,
    CGM_KL_BEFORE,
    CGM_KL_AFTER,
    CGM_WASSERSTEIN2_BEFORE,
    CGM_WASSERSTEIN2_AFTER,
    CGM_IMBALANCE_BEFORE,
    CGM_IMBALANCE_AFTER,
    CGM_DOWNSTREAM_OTHERS_BEFORE,
    CGM_DOWNSTREAM_OTHERS_AFTER,
    CGM_DOWNSTREAM_TEST_BEFORE,
    CGM_DOWNSTREAM_TEST_AFTER,
    CGM_PRIVACY_COPIES, /**< share of points at distance 0 from another party's record */
    CGM_PRIVACY_RATIO,  /**< of quantiles (quantiles.h); INFINITY over 0, 1 of 0 and 0 */
    CGM_PRIVACY_CLOSE,  /**< share of points nearer than the held-out points' quantile */
    CGM_P_VALUE_BEFORE,
    CGM_P_VALUE_AFTER,
    CGM_KL_EXCLUDED_BEFORE, /**< points with δ_k = 0, added up over k; missing where KL has m < 7 */
    CGM_KL_EXCLUDED_AFTER,
    CGM_N_REWARDS,
    CGM_METRIC_COLUMNS
} cgm_metric_column;

/** One β. */
typedef struct cgm_metric_set {
    double inv_temp;
    double *columns[CGM_METRIC_COLUMNS];    /**< [n_parties], NaN: missing; NULL: not selected */
    double correlation[CGM_METRIC_COLUMNS]; /**< Pearson's with α over parties; NaN: missing */
} cgm_metric_set;

/** The same on every rank. */
typedef struct cgm_metrics {
    unsigned selected; /**< of cgm_metric */
    int64_t n_parties;
    int64_t n_sets;
    cgm_metric_set *sets;
    double mean_correlation[CGM_METRIC_COLUMNS]; /**< over β; NaN: missing */
    double se_correlation[CGM_METRIC_COLUMNS];   /**< sd/√(number of β); NaN: missing */
    double *beta_n_rewards; /**< [n_parties] correlation of β with the number of rewards, or NULL */
    double *beta_mmd2_after; /**< [n_parties] and with MMD² after, or NULL */
    cgm_downstream_extent downstream;
    double *values; /**< behind all columns */
} cgm_metrics;

/** Local. The word of a metric in options: bit number k. */
const char *cgm_metric_name(int k);

/** Local. The name of a column's dataset. */
const char *cgm_metric_column_name(cgm_metric_column column);

/** Local. The metric that a column belongs to, 0: it is always there. */
unsigned cgm_metric_of_column(cgm_metric_column column);

/**
 * All selected measures.  Collective.  Where shards are sealed those of CGM_METRICS_OF_OTHERS stay
 * missing.
 * @param[in]  run      sampling stands
 * @param[out] metrics  the pair is cgm_metrics_destroy, after errors too
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY
 */
cgm_status cgm_metrics_measure(cgm_comm *comm, const struct cgm_run *run, cgm_metrics *metrics);

/** Local. Pearson's correlation of x and y [count] over the places where both are numbers; NaN
 * where one is constant or fewer than two are left. */
double cgm_metrics_correlation(const double *x, const double *y, int64_t count);

/** Local. Accepts a zeroed struct. */
void cgm_metrics_destroy(cgm_metrics *metrics);

#endif
