#include "output_metrics.h"

#include <stdio.h>

/* Room for a path, or for the name of an attribute. */
enum { NAME_ROOM = 96 };

static void put_set(cgm_writer *to, const cgm_metrics *metrics, const cgm_metric_set *set)
{
    char group[NAME_ROOM / 2];
    char name[NAME_ROOM];
    snprintf(group, sizeof group, "/metrics/beta_%g", set->inv_temp);
    for (cgm_metric_column c = 0; c < CGM_METRIC_COLUMNS; c++) {
        if (set->columns[c] != NULL) {
            snprintf(name, sizeof name, "%s/%s", group, cgm_metric_column_name(c));
            cgm_writer_put_array(to, name, CGM_H5_DOUBLE, metrics->n_parties, set->columns[c]);
        }
    }
    for (cgm_metric_column c = 0; c < CGM_METRIC_COLUMNS; c++) {
        if (set->columns[c] != NULL) {
            snprintf(name, sizeof name, "correlation_%s", cgm_metric_column_name(c));
            cgm_writer_put_attribute(to, group, name, CGM_H5_DOUBLE, &set->correlation[c]);
        }
    }
}

/* What takes several β. */
static void put_over_betas(cgm_writer *to, const cgm_metrics *metrics)
{
    char name[NAME_ROOM];
    for (cgm_metric_column c = 0; c < CGM_METRIC_COLUMNS; c++) {
        if (metrics->sets[0].columns[c] != NULL) {
            snprintf(name, sizeof name, "mean_correlation_%s", cgm_metric_column_name(c));
            cgm_writer_put_attribute(to, "/metrics", name, CGM_H5_DOUBLE,
                                     &metrics->mean_correlation[c]);
            snprintf(name, sizeof name, "se_correlation_%s", cgm_metric_column_name(c));
            cgm_writer_put_attribute(to, "/metrics", name, CGM_H5_DOUBLE,
                                     &metrics->se_correlation[c]);
        }
    }
    cgm_writer_put_array(to, "/metrics/correlation_beta_n_rewards", CGM_H5_DOUBLE,
                         metrics->n_parties, metrics->beta_n_rewards);
    if (metrics->beta_mmd2_after != NULL) {
        cgm_writer_put_array(to, "/metrics/correlation_beta_mmd2_after", CGM_H5_DOUBLE,
                             metrics->n_parties, metrics->beta_mmd2_after);
    }
}

void output_put_metrics(cgm_writer *to, const cgm_metrics *metrics)
{
    for (int64_t s = 0; s < metrics->n_sets; s++) {
        put_set(to, metrics, &metrics->sets[s]);
    }
    if (metrics->n_sets > 1) {
        put_over_betas(to, metrics);
    }
}
