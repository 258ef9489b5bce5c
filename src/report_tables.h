/**
 * @file report_tables.h
 * The tables of a report, for terminal and page alike, and all of it on a terminal. Internal to the
 * report. All functions are Local.
 */
#ifndef CGM_REPORT_TABLES_H
#define CGM_REPORT_TABLES_H

#include "report_data.h"
#include "table.h"

/** Parties that tables show all of, and of more those of the largest and of the smallest φ. */
enum {
    CGM_REPORT_ROWS = 50,
    CGM_REPORT_LARGEST = 10,
    CGM_REPORT_SMALLEST = 5,
    CGM_REPORT_BETAS = 4, /**< values of β in a table or figure */
    CGM_REPORT_QUANTILES = 7
};

/** A measure before and after; before is CGM_METRIC_COLUMNS where there is no such column. */
typedef struct cgm_report_measure {
    const char *name;  /**< as the datasets of the result begin */
    const char *words; /**< for people */
    const char *brief; /**< for a figure */
    cgm_metric_column before, after;
} cgm_report_measure;
extern const cgm_report_measure cgm_report_measures[];
extern const int cgm_report_n_measures;

/** Whether a measure has any number at any β. */
bool cgm_report_has_measure(const cgm_report_data *data, const cgm_report_measure *measure);

/** Values of β shown: of more than there is room for, the first ones. */
int64_t cgm_report_shown_betas(const cgm_report_data *data);

/** Smallest, 5 %, 25 %, median, 75 %, 95 % and largest of the values that are there. work [count];
 * all NaN without any. */
void cgm_report_quantiles(const double *values, int64_t count, double *work,
                          double quantiles[CGM_REPORT_QUANTILES]);

/* Each fills a table whose pair is cgm_table_destroy. */
void cgm_report_table_parties(const cgm_report_data *data, cgm_table *table);

/** Standard errors of what the table of parties has; only where values come from embeddings. */
void cgm_report_table_errors(const cgm_report_data *data, cgm_table *table);
void cgm_report_table_rewards(const cgm_report_data *data, cgm_table *table);
void cgm_report_table_measure(const cgm_report_data *data, const cgm_report_measure *measure,
                              cgm_table *table);
void cgm_report_table_correlations(const cgm_report_data *data, cgm_table *table);
void cgm_report_table_along_beta(const cgm_report_data *data, cgm_table *table);
void cgm_report_table_incentives(const cgm_report_data *data, cgm_table *table);
void cgm_report_table_stages(const cgm_report_data *data, cgm_table *table);

/** Whether there are measures at all, and any that compare values of β. */
bool cgm_report_has_measures(const cgm_report_data *data);
bool cgm_report_compares_betas(const cgm_report_data *data);

/** What was computed, in lines, then all tables, warnings, and where the results are; with origin,
 * before it what the run itself said before it began. */
void cgm_report_print(const cgm_report_data *data, bool origin, FILE *stream);

/** How many parties, points, features and candidates there are, in lines. */
void cgm_report_print_sizes(int64_t n_parties, const int64_t *party_points, int64_t n_features,
                            bool has_labels, FILE *stream);
void cgm_report_print_candidates(int64_t n_candidates, const char *options, FILE *stream);

void cgm_report_print_warnings(int64_t n_warnings, char *const *texts, FILE *stream);

/** The options that decide most, of all of them as INI text. */
void cgm_report_print_options(const char *options, FILE *stream);

#endif
