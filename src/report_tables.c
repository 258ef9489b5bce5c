#include "report_tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "selection.h"

/* Columns of labels and names on a terminal; β in a table of one measure. */
enum { NAME_COLUMNS = 20, STAGE_COLUMNS = 14, INCENTIVE_COLUMNS = 23, MEASURE_COLUMNS = 26 };

/* ---- parties ---- */

typedef struct shown_parties {
    int64_t count;
    int64_t party[CGM_REPORT_ROWS];
} shown_parties;

static shown_parties choose_shown(const cgm_report_data *data)
{
    shown_parties shown = {.count = 0};
    shown.count = cgm_selection_choose(data->phi, data->n_parties, CGM_REPORT_ROWS,
                                       CGM_REPORT_LARGEST, CGM_REPORT_SMALLEST, shown.party);
    return shown;
}

static int compare_numbers(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static const double shares[CGM_REPORT_QUANTILES] = {0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0};
static const char *const share_names[CGM_REPORT_QUANTILES] = {
    "smallest", "5 %", "25 %", "median", "75 %", "95 %", "largest"};

void cgm_report_quantiles(const double *values, int64_t count, double *work,
                          double quantiles[CGM_REPORT_QUANTILES])
{
    int64_t n = 0;
    for (int64_t i = 0; i < count; i++) {
        work[n] = values[i];
        n += !isnan(values[i]);
    }
    if (n > 0) {
        qsort(work, (size_t)n, sizeof *work, compare_numbers);
    }
    for (int q = 0; q < CGM_REPORT_QUANTILES; q++) {
        quantiles[q] = n > 0 ? work[llround(shares[q] * (double)(n - 1))] : NAN;
    }
}

/* A number of party i for a column of a table. */
typedef double party_number(const cgm_report_data *data, const void *about, int column, int64_t i);

/* Rows of quantiles below a table that does not show all parties. */
static void add_quantiles(const cgm_report_data *data, party_number *number, const void *about,
                          cgm_table *table)
{
    const int64_t n = data->n_parties;
    if (n <= CGM_REPORT_ROWS) {
        return;
    }
    double quantiles[CGM_TABLE_COLUMNS][CGM_REPORT_QUANTILES] = {{0.0}};
    char text[CGM_TABLE_TEXT];
    double *values = malloc((size_t)n * 2 * sizeof *values);
    if (values == NULL) {
        table->failed = true;
        return;
    }
    for (int c = 1; c < table->n_columns; c++) {
        for (int64_t i = 0; i < n; i++) {
            values[i] = number(data, about, c, i);
        }
        cgm_report_quantiles(values, n, values + n, quantiles[c]);
    }
    free(values);
    snprintf(text, sizeof text, "over all %lld parties, each column by itself:", (long long)n);
    cgm_table_add_row(table, CGM_TABLE_SECTION, text);
    for (int q = 0; q < CGM_REPORT_QUANTILES; q++) {
        cgm_table_add_row(table, CGM_TABLE_BODY, share_names[q]);
        for (int c = 1; c < table->n_columns; c++) {
            cgm_table_set_number(table, c, quantiles[c][q]);
        }
    }
}

static void add_subset_note(const cgm_report_data *data, cgm_table *table)
{
    if (data->n_parties > CGM_REPORT_ROWS) {
        cgm_table_add_note(table,
                           "(of %lld parties the %d of the largest and the %d of the smallest phi; "
                           "all are in the result)",
                           (long long)data->n_parties, CGM_REPORT_LARGEST, CGM_REPORT_SMALLEST);
    }
}

/* All rows of a table of numbers of parties. */
static void add_parties(const cgm_report_data *data, party_number *number, const void *about,
                        cgm_table *table)
{
    const shown_parties shown = choose_shown(data);
    for (int64_t k = 0; k < shown.count; k++) {
        const int64_t i = shown.party[k];
        cgm_table_add_row(table, CGM_TABLE_BODY, data->names[i]);
        for (int c = 1; c < table->n_columns; c++) {
            cgm_table_set_number(table, c, number(data, about, c, i));
        }
    }
    add_quantiles(data, number, about, table);
    add_subset_note(data, table);
}

static void add_name_column(cgm_table *table, const char *heading)
{
    cgm_table_column column = {.width = NAME_COLUMNS, .is_text = true};
    snprintf(column.heading, sizeof column.heading, "%s", heading);
    cgm_table_add_column(table, &column);
}

static double party_column(const cgm_report_data *data, const void *about, int column, int64_t i)
{
    (void)about;
    const double *const columns[] = {data->single, data->ceiling, data->phi, data->alpha, data->r};
    return column == 1 ? (double)data->n_points[i] : columns[column - 2][i];
}

void cgm_report_table_parties(const cgm_report_data *data, cgm_table *table)
{
    static const cgm_table_column columns[] = {
        {.heading = "points", .format = "%.0f", .width = 11},
        {.heading = "v", .format = "%.6g", .width = 12},
        {.heading = "ceiling", .format = "%.6g", .width = 12},
        {.heading = "phi", .format = "%.6g", .width = 12},
        {.heading = "alpha", .format = "%.6f", .width = 9},
        {.heading = "r", .format = "%.6g", .width = 12},
    };
    cgm_table_begin(table, "Parties: value v of their own data, what the pool can raise it to, "
                           "phi, its share alpha of the largest, reward r");
    add_name_column(table, "party");
    for (size_t c = 0; c < sizeof columns / sizeof columns[0]; c++) {
        cgm_table_add_column(table, &columns[c]);
    }
    add_parties(data, party_column, NULL, table);
}

static double error_column(const cgm_report_data *data, const void *about, int column, int64_t i)
{
    (void)about;
    const double *const columns[] = {data->single_error, data->ceiling_error, data->phi_error,
                                     data->alpha_error};
    return columns[column - 1][i];
}

void cgm_report_table_errors(const cgm_report_data *data, cgm_table *table)
{
    static const cgm_table_column columns[] = {
        {.heading = "s.e. of v", .format = "%.2g", .width = 12},
        {.heading = "of ceiling", .format = "%.2g", .width = 12},
        {.heading = "of phi", .format = "%.2g", .width = 12},
        {.heading = "of alpha", .format = "%.2g", .width = 12},
    };
    cgm_table_begin(table,
                    "Standard errors of values that come from embeddings of %lld frequencies",
                    (long long)data->embedding_features);
    add_name_column(table, "party");
    for (size_t c = 0; c < sizeof columns / sizeof columns[0]; c++) {
        cgm_table_add_column(table, &columns[c]);
    }
    add_parties(data, error_column, NULL, table);
    cgm_table_add_note(table,
                       "(from the scatter over independent batches of frequencies; of v of "
                       "all parties together %.2g)",
                       data->grand_error);
}

/* ---- rewards ---- */

int64_t cgm_report_shown_betas(const cgm_report_data *data)
{
    return data->n_sets < CGM_REPORT_BETAS ? data->n_sets : CGM_REPORT_BETAS;
}

static void add_beta_note(const cgm_report_data *data, cgm_table *table)
{
    if (data->n_sets > CGM_REPORT_BETAS) {
        cgm_table_add_note(table, "(the first %d of %lld values of beta; all are in the result)",
                           CGM_REPORT_BETAS, (long long)data->n_sets);
    }
}

/* For each β the number of synthetic points, and v with them. */
static double reward_column(const cgm_report_data *data, const void *about, int column, int64_t i)
{
    (void)about;
    const cgm_report_set *set = &data->sets[(column - 1) / 2];
    return column % 2 == 1 ? (double)cgm_report_rewards(set, i) : set->realised[i];
}

/* A mark that the target was not reached, in a place that is blank otherwise. */
static bool add_reward_row(const cgm_report_data *data, int64_t i, cgm_table *table)
{
    bool all_reached = true;
    cgm_table_add_row(table, CGM_TABLE_BODY, data->names[i]);
    for (int64_t b = 0; b < cgm_report_shown_betas(data); b++) {
        const cgm_report_set *set = &data->sets[b];
        const bool reached = set->reached[i] != 0;
        const int column = 1 + 2 * (int)b;
        all_reached = all_reached && reached;
        cgm_table_set(table, column, "%lld", (long long)cgm_report_rewards(set, i));
        cgm_table_set(table, column + 1, "%.5g%c", set->realised[i], reached ? ' ' : '*');
    }
    return all_reached;
}

void cgm_report_table_rewards(const cgm_report_data *data, cgm_table *table)
{
    cgm_table_begin(table, "Synthetic points of each party, and value v of its data with them");
    add_name_column(table, "party");
    for (int64_t b = 0; b < cgm_report_shown_betas(data); b++) {
        cgm_table_column number = {.heading = "number", .format = "%.0f", .width = 7};
        cgm_table_column value = {.heading = "v ", .format = "%.5g ", .width = 10};
        snprintf(number.group, sizeof number.group, "beta %g", data->sets[b].inv_temp);
        snprintf(value.group, sizeof value.group, "beta %g", data->sets[b].inv_temp);
        cgm_table_add_column(table, &number);
        cgm_table_add_column(table, &value);
    }
    const shown_parties shown = choose_shown(data);
    bool all_reached = true;
    for (int64_t k = 0; k < shown.count; k++) {
        all_reached = add_reward_row(data, shown.party[k], table) && all_reached;
    }
    add_quantiles(data, reward_column, NULL, table);
    if (!all_reached) {
        cgm_table_add_note(table, "* target r not reached: the reward ends at the largest v found");
    }
    add_subset_note(data, table);
    add_beta_note(data, table);
}

/* ---- measures ---- */

#define NONE CGM_METRIC_COLUMNS
const cgm_report_measure cgm_report_measures[] = {
    {"mmd2", "Squared MMD to the data of all", "squared MMD", CGM_MMD2_BEFORE, CGM_MMD2_AFTER},
    {"kl", "Kullback-Leibler divergence to the data of all", "KL divergence", CGM_KL_BEFORE,
     CGM_KL_AFTER},
    {"kl_excluded", "Points left out of the Kullback-Leibler divergence", "left out of KL",
     CGM_KL_EXCLUDED_BEFORE, CGM_KL_EXCLUDED_AFTER},
    {"wasserstein2", "Squared Wasserstein distance to the data of all",
     "squared Wasserstein distance", CGM_WASSERSTEIN2_BEFORE, CGM_WASSERSTEIN2_AFTER},
    {"imbalance", "Class imbalance", "class imbalance", CGM_IMBALANCE_BEFORE, CGM_IMBALANCE_AFTER},
    {"downstream_others", "Accuracy of a classifier on the other parties' data",
     "accuracy, other parties' data", CGM_DOWNSTREAM_OTHERS_BEFORE, CGM_DOWNSTREAM_OTHERS_AFTER},
    {"downstream_test", "Accuracy of a classifier on the test points", "accuracy, test points",
     CGM_DOWNSTREAM_TEST_BEFORE, CGM_DOWNSTREAM_TEST_AFTER},
    {"p_value", "P-value of the test against the data of all", "p-value", CGM_P_VALUE_BEFORE,
     CGM_P_VALUE_AFTER},
    {"privacy_copies", "Share of synthetic points that are copies of a record", "share of copies",
     NONE, CGM_PRIVACY_COPIES},
    {"privacy_ratio",
     "Distance of synthetic points to the nearest record, over that of held-out "
     "points",
     "distance ratio", NONE, CGM_PRIVACY_RATIO},
    {"privacy_close", "Share of synthetic points nearer to a record than held-out points are",
     "share of close points", NONE, CGM_PRIVACY_CLOSE},
};
const int cgm_report_n_measures = sizeof cgm_report_measures / sizeof cgm_report_measures[0];

static const double *column_of(const cgm_report_set *set, cgm_metric_column column)
{
    return column < CGM_METRIC_COLUMNS ? set->columns[column] : NULL;
}

bool cgm_report_has_measure(const cgm_report_data *data, const cgm_report_measure *measure)
{
    for (int64_t s = 0; s < data->n_sets; s++) {
        if ((measure->before != NONE &&
             cgm_report_has_column(data, &data->sets[s], measure->before)) ||
            cgm_report_has_column(data, &data->sets[s], measure->after)) {
            return true;
        }
    }
    return false;
}

bool cgm_report_has_measures(const cgm_report_data *data)
{
    for (int k = 0; k < cgm_report_n_measures; k++) {
        if (cgm_report_has_measure(data, &cgm_report_measures[k])) {
            return true;
        }
    }
    return false;
}

/* The column of a measure before, which is the same at every β, or after at the one of a number. */
static double measure_column(const cgm_report_data *data, const void *about, int column, int64_t i)
{
    const cgm_report_measure *measure = about;
    const int first_after = measure->before == NONE ? 1 : 2;
    const double *values = column < first_after
                               ? column_of(&data->sets[0], measure->before)
                               : column_of(&data->sets[column - first_after], measure->after);
    return values != NULL ? values[i] : NAN;
}

void cgm_report_table_measure(const cgm_report_data *data, const cgm_report_measure *measure,
                              cgm_table *table)
{
    const bool has_before = measure->before != NONE;
    cgm_table_begin(table, "%s", measure->words);
    add_name_column(table, measure->name);
    if (has_before) {
        cgm_table_add_column(
            table, &(cgm_table_column){.heading = "before", .format = "%.6g", .width = 12});
    }
    for (int64_t b = 0; b < cgm_report_shown_betas(data); b++) {
        cgm_table_column after = {.heading = "after", .format = "%.6g", .width = 12};
        snprintf(after.group, sizeof after.group, "beta %g", data->sets[b].inv_temp);
        cgm_table_add_column(table, &after);
    }
    add_parties(data, measure_column, measure, table);
    cgm_table_add_row(table, CGM_TABLE_TOTAL, "corr. with alpha");
    for (int c = 1; c < table->n_columns; c++) {
        const int set = c - 1 - has_before;
        const double correlation = set < 0 ? data->sets[0].correlation[measure->before]
                                           : data->sets[set].correlation[measure->after];
        if (isnan(correlation)) {
            cgm_table_set_text(table, c, "-");
        } else {
            cgm_table_set(table, c, "%.4f", correlation);
        }
    }
    add_beta_note(data, table);
}

void cgm_report_table_correlations(const cgm_report_data *data, cgm_table *table)
{
    const bool several = data->n_sets > 1;
    const int64_t n_betas = cgm_report_shown_betas(data);
    cgm_table_begin(table, "Correlation of measures with alpha over the parties");
    cgm_table_add_column(table, &(cgm_table_column){.heading = "correlation with alpha",
                                                    .width = MEASURE_COLUMNS,
                                                    .is_text = true});
    for (int64_t b = 0; b < n_betas; b++) {
        cgm_table_column column = {.format = "%.4f", .width = 10};
        snprintf(column.heading, sizeof column.heading, "beta %g", data->sets[b].inv_temp);
        cgm_table_add_column(table, &column);
    }
    if (several) {
        cgm_table_add_column(
            table, &(cgm_table_column){
                       .group = "over beta", .heading = "mean", .format = "%.4f", .width = 10});
        cgm_table_add_column(
            table, &(cgm_table_column){
                       .group = "over beta", .heading = "s.e.", .format = "%.4f", .width = 10});
    }
    for (int k = 0; k < CGM_METRIC_COLUMNS; k++) {
        const cgm_metric_column column = (cgm_metric_column)k;
        bool any = false;
        for (int64_t s = 0; s < data->n_sets; s++) {
            any = any || cgm_report_has_column(data, &data->sets[s], column);
        }
        if (!any) {
            continue;
        }
        cgm_table_add_row(table, CGM_TABLE_BODY, cgm_metric_column_name(column));
        for (int64_t b = 0; b < n_betas; b++) {
            cgm_table_set_number(table, 1 + (int)b, data->sets[b].correlation[k]);
        }
        if (several) {
            cgm_table_set_number(table, 1 + (int)n_betas, data->mean_correlation[k]);
            cgm_table_set_number(table, 2 + (int)n_betas, data->se_correlation[k]);
        }
    }
    if (several) {
        cgm_table_add_note(table,
                           "(s.e.: standard error of the mean over %lld values of beta; - "
                           "where a measure is the same for all parties)",
                           (long long)data->n_sets);
    }
}

static double along_column(const cgm_report_data *data, const void *about, int column, int64_t i)
{
    (void)about;
    const double *first =
        data->beta_n_rewards != NULL ? data->beta_n_rewards : data->beta_mmd2_after;
    return column == 1 ? first[i] : data->beta_mmd2_after[i];
}

bool cgm_report_compares_betas(const cgm_report_data *data)
{
    return data->beta_n_rewards != NULL || data->beta_mmd2_after != NULL;
}

void cgm_report_table_along_beta(const cgm_report_data *data, cgm_table *table)
{
    cgm_table_begin(table, "Correlation of beta, over its values, with measures of a party");
    add_name_column(table, "corr. with beta");
    if (data->beta_n_rewards != NULL) {
        cgm_table_add_column(
            table, &(cgm_table_column){.heading = "n_rewards", .format = "%.4f", .width = 12});
    }
    if (data->beta_mmd2_after != NULL) {
        cgm_table_add_column(
            table, &(cgm_table_column){.heading = "mmd2_after", .format = "%.4f", .width = 12});
    }
    add_parties(data, along_column, NULL, table);
}

/* ---- certificate and timings ---- */

void cgm_report_table_incentives(const cgm_report_data *data, cgm_table *table)
{
    static const cgm_table_column columns[] = {
        {.heading = "incentive", .width = INCENTIVE_COLUMNS, .is_text = true},
        {.heading = "holds", .width = 5, .is_text = true},
        {.heading = "violation", .format = "%.3g", .width = 10},
        {.heading = "realised", .format = "%.3g", .width = 10},
        {.heading = "closest", .width = 0, .is_text = true},
    };
    cgm_table_begin(table, "Incentives that the rewards r give; beside them, the largest violation "
                           "by the values reached");
    for (size_t c = 0; c < sizeof columns / sizeof columns[0]; c++) {
        cgm_table_add_column(table, &columns[c]);
    }
    for (int64_t k = 0; k < data->n_incentives; k++) {
        const cgm_report_incentive *row = &data->incentives[k];
        cgm_table_add_row(table, CGM_TABLE_BODY, row->name);
        cgm_table_set_text(table, 1, row->holds ? "yes" : "NO");
        cgm_table_set_number(table, 2, row->violation);
        cgm_table_set_number(table, 3, row->realised);
        cgm_table_set_text(table, 4, row->detail);
    }
}

static double total_seconds(const cgm_report_data *data)
{
    double total = 0.0;
    for (int64_t k = 0; k < data->n_stages; k++) {
        total += data->stages[k].max;
    }
    return total;
}

void cgm_report_table_stages(const cgm_report_data *data, cgm_table *table)
{
    static const cgm_table_column columns[] = {
        {.heading = "stage", .width = STAGE_COLUMNS, .is_text = true},
        {.heading = "min s", .format = "%.3f", .width = 9},
        {.heading = "mean s", .format = "%.3f", .width = 9},
        {.heading = "max s", .format = "%.3f", .width = 9},
        {.heading = "slowest", .width = 7},
        {.heading = "share", .format = "%.1f%%", .width = 6},
        {.heading = "evaluations", .format = "%.4g", .width = 12},
        {.heading = "sent MB", .format = "%.4g", .width = 9},
        {.heading = "peak MB", .format = "%.4g", .width = 9},
    };
    const double total = total_seconds(data);
    cgm_table_begin(table, "Stages: seconds over the ranks, kernel evaluations and bytes of all of "
                           "them, largest memory of one");
    for (size_t c = 0; c < sizeof columns / sizeof columns[0]; c++) {
        cgm_table_add_column(table, &columns[c]);
    }
    for (int64_t k = 0; k < data->n_stages; k++) {
        const cgm_report_stage *stage = &data->stages[k];
        cgm_table_add_row(table, CGM_TABLE_BODY, stage->name);
        cgm_table_set_number(table, 1, stage->min);
        cgm_table_set_number(table, 2, stage->mean);
        cgm_table_set_number(table, 3, stage->max);
        cgm_table_set(table, 4, "%lld", (long long)stage->slowest_rank);
        cgm_table_set_number(table, 5, total > 0.0 ? 100.0 * stage->max / total : 0.0);
        cgm_table_set_number(table, 6, (double)stage->kernel_evaluations);
        cgm_table_set_number(table, 7, 1e-6 * (double)stage->bytes_sent);
        cgm_table_set_number(table, 8, 1e-6 * (double)stage->peak_memory);
    }
    cgm_table_add_row(table, CGM_TABLE_TOTAL, "total");
    cgm_table_set_number(table, 3, total);
    cgm_table_add_note(table, "(of each rank: /timings/rank_* of the result)");
}
