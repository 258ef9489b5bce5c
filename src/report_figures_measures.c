#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "report_figures.h"
#include "report_tables.h"

/* ---- measures ---- */

static void draw_measure(cgm_plot *plot, const cgm_figures *to, const cgm_report_measure *measure,
                         const cgm_party_order *order, int64_t count, double *work)
{
    const cgm_report_data *data = to->data;
    const int64_t n_betas = cgm_report_shown_betas(data);
    double *x = work;
    double *y = work + data->n_parties;
    if (measure->before < CGM_METRIC_COLUMNS) {
        cgm_plot_style style = cgm_figure_before;
        style.size = to->few ? 0.7 : 0.3;
        cgm_figure_cloud(order, count, data->sets[0].columns[measure->before], x, y);
        cgm_plot_points(plot, &style, count, x, y);
    }
    for (int64_t b = 0; b < n_betas; b++) {
        const cgm_plot_style style = cgm_figure_beta_style(b, to->few ? 0.75 : 0.3);
        cgm_figure_cloud(order, count, data->sets[b].columns[measure->after], x, y);
        cgm_plot_points(plot, &style, count, x, y);
    }
}

static cgm_figure_range measure_range(const cgm_report_data *data,
                                      const cgm_report_measure *measure)
{
    cgm_figure_range values = CGM_FIGURE_NOTHING;
    for (int64_t b = 0; b < cgm_report_shown_betas(data); b++) {
        const cgm_report_set *set = &data->sets[b];
        const double *after = set->columns[measure->after];
        const double *before =
            measure->before < CGM_METRIC_COLUMNS ? set->columns[measure->before] : NULL;
        cgm_figure_widen(&values, after, after != NULL ? data->n_parties : 0);
        cgm_figure_widen(&values, before, before != NULL ? data->n_parties : 0);
    }
    cgm_figure_pad(&values, 0.06);
    return values;
}

/* Panels of the measures that there are; what was left out of one is none to look at. */
static bool is_pictured(const cgm_report_data *data, const cgm_report_measure *measure)
{
    return measure->after != CGM_KL_EXCLUDED_AFTER && cgm_report_has_measure(data, measure);
}

static void draw_measures(cgm_plot *plot, const cgm_figures *to, int64_t columns, int height,
                          const cgm_party_order *order, int64_t count, double *work)
{
    const cgm_report_data *data = to->data;
    cgm_figure_range alphas = {INFINITY, 1.0};
    cgm_figure_widen(&alphas, data->alpha, data->n_parties);
    alphas.low = alphas.low > 0.5 ? alphas.low : fmin(alphas.low, 0.0);
    cgm_figure_pad(&alphas, 0.05);
    int64_t place = 0;
    for (int k = 0; k < cgm_report_n_measures; k++) {
        const cgm_report_measure *measure = &cgm_report_measures[k];
        if (!is_pictured(data, measure)) {
            continue;
        }
        const cgm_figure_range values = measure_range(data, measure);
        cgm_plot_panel panel = {.title = measure->brief,
                                .x_label = "contribution α",
                                .x_low = alphas.low,
                                .x_high = alphas.high,
                                .y_low = values.low,
                                .y_high = values.high};
        cgm_figure_place(plot, place++, columns, (int)(CGM_FIGURE_WIDTH / columns), height, &panel);
        cgm_plot_begin_panel(plot, &panel);
        draw_measure(plot, to, measure, order, count, work);
    }
}

void cgm_figure_measures(cgm_figures *to)
{
    const cgm_report_data *data = to->data;
    int64_t count = 0;
    int64_t panels = 0;
    for (int k = 0; k < cgm_report_n_measures; k++) {
        panels += is_pictured(data, &cgm_report_measures[k]);
    }
    cgm_party_order *order = panels > 0 ? cgm_figure_order(data, &count) : NULL;
    double *work = malloc((size_t)data->n_parties * 2 * sizeof *work);
    if (order == NULL || work == NULL) {
        free(order);
        free(work);
        to->n_missing += panels > 0;
        return;
    }
    const int64_t columns = panels < 3 ? panels : panels == 4 ? 2 : 3;
    const int height = 250;
    cgm_plot plot;
    cgm_plot_begin(&plot, CGM_FIGURE_WIDTH, height * (int)((panels + columns - 1) / columns));
    draw_measures(&plot, to, columns, height, order, count, work);
    char description[256];
    snprintf(description, sizeof description,
             "Scatter plots of %lld measures over alpha, before the rewards and after them; the "
             "correlations are in the table below.",
             (long long)panels);
    cgm_figure_end(
        to, &plot, "figure-measures", "Measures before and after", description,
        "Each measure of the parties’ data over α, before the rewards (grey dots) and with "
        "them, at each β.",
        cgm_figure_measure_legend);
    free(order);
    free(work);
}

/* ---- stages ---- */

void cgm_figure_stages(cgm_figures *to)
{
    const cgm_report_data *data = to->data;
    double most = 0.0;
    for (int64_t k = 0; k < data->n_stages; k++) {
        most = fmax(most, isfinite(data->stages[k].max) ? data->stages[k].max : 0.0);
    }
    const double right = most > 0.0 ? 1.12 * most : 1.0;
    cgm_plot plot;
    cgm_plot_begin(&plot, CGM_FIGURE_WIDTH, (int)(62 + 22 * data->n_stages));
    cgm_plot_panel panel = {.left = 120,
                            .right = CGM_FIGURE_WIDTH - CGM_FIGURE_RIGHT,
                            .bottom = CGM_FIGURE_BOTTOM,
                            .top = plot.height - 8,
                            .x_label = "seconds",
                            .x_high = right,
                            .y_low = 0.4,
                            .y_high = (double)data->n_stages + 0.6,
                            .hide_y_tics = true};
    cgm_plot_begin_panel(&plot, &panel);
    for (int64_t k = 0; k < data->n_stages; k++) {
        const cgm_report_stage *stage = &data->stages[k];
        const double y = (double)(data->n_stages - k);
        const double boxes[2][4] = {{0.0, stage->max, y - 0.32, y + 0.32},
                                    {0.0, stage->mean, y - 0.32, y + 0.32}};
        char name[4 * CGM_FIGURE_NAME + 1];
        char value[64];
        cgm_plot_boxes(&plot, CGM_PLOT_SHADE + 2, 1, &boxes[0]);
        cgm_plot_boxes(&plot, CGM_PLOT_FIRST, 1, &boxes[1]);
        cgm_figure_cut(stage->name, name);
        snprintf(value, sizeof value, "%.3g s", stage->max);
        cgm_plot_label(&plot, -0.01 * right, y, CGM_PLOT_RIGHT, CGM_PLOT_INK, name);
        cgm_plot_label(&plot, stage->max + 0.006 * right, y, CGM_PLOT_LEFT, CGM_PLOT_MUTED, value);
    }
    char description[256];
    snprintf(description, sizeof description,
             "Bars of the seconds of %lld stages; the longest takes %.3g s.",
             (long long)data->n_stages, most);
    cgm_figure_end(to, &plot, "figure-stages", "Seconds of the stages", description,
                   "Seconds of each stage: the mean over the ranks (dark) and the slowest rank "
                   "(light, with its number).",
                   NULL);
}
