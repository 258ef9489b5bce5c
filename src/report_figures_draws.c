#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report_figures.h"
#include "report_tables.h"

/* Points of a line, marks on it, and numbers of draws at which all parties are looked at. */
enum { LINE_POINTS = 160, LINE_MARKS = 4, BAND_POINTS = 80 };
enum { PANEL_HEIGHT = 300 };

/* v of a party's data as its reward grows. */
typedef struct trajectory {
    int64_t count; /* of points of the line */
    double x[LINE_POINTS + 1];
    double y[LINE_POINTS + 1];
} trajectory;

/* All values of a party's reward, in memory that the caller frees; NULL: see to->status. */
static double *read_party(cgm_figures *to, const cgm_report_set *set, int64_t party)
{
    const int64_t count = cgm_report_rewards(set, party);
    double *values = cgm_alloc(to->comm, count, sizeof *values);
    to->status = values == NULL
                     ? CGM_ERR_MEMORY
                     : cgm_report_read_values(to->data, set, set->offsets[party], count, values);
    if (to->status != CGM_OK) {
        free(values);
        values = NULL;
    }
    return values;
}

/* v after a number of draws, or the last one. */
static double value_after(const cgm_report_set *set, int64_t party, const double *values,
                          int64_t draws)
{
    const int64_t count = cgm_report_rewards(set, party);
    const int64_t last = draws < count ? draws : count;
    return last > 0 ? values[last - 1] : set->start_value[party];
}

static void fill_trajectory(const cgm_report_set *set, int64_t party, const double *values,
                            trajectory *line)
{
    const int64_t count = cgm_report_rewards(set, party);
    const int64_t parts = count < LINE_POINTS ? count : LINE_POINTS;
    line->count = parts + 1;
    for (int64_t k = 0; k <= parts; k++) {
        const int64_t draws = parts > 0 ? k * count / parts : 0;
        line->x[k] = (double)draws;
        line->y[k] = value_after(set, party, values, draws);
    }
}

/* The line of a marked party, with marks on it, and its target. */
static void draw_party(cgm_plot *plot, cgm_figures *to, const cgm_report_set *set, int64_t number,
                       double right)
{
    const int64_t party = to->marked[number];
    double *values = read_party(to, set, party);
    if (values == NULL) {
        return;
    }
    trajectory line;
    fill_trajectory(set, party, values, &line);
    free(values);
    cgm_plot_style style = cgm_figure_style(number, 1.5);
    const double ends[2] = {0.0, right};
    const double target[2] = {to->data->r[party], to->data->r[party]};
    style.dash = 2;
    style.size = 0.9;
    cgm_plot_line(plot, &style, 2, ends, target);
    style.dash = 0;
    style.size = 1.5;
    cgm_plot_line(plot, &style, line.count, line.x, line.y);
    double x[LINE_MARKS];
    double y[LINE_MARKS];
    for (int k = 0; k < LINE_MARKS; k++) {
        const int64_t place = (line.count - 1) * (k + 1) / LINE_MARKS;
        x[k] = line.x[place];
        y[k] = line.y[place];
    }
    style.size = 0.75;
    cgm_plot_points(plot, &style, LINE_MARKS, x, y);
}

/* Quantiles over all parties of v after so many draws, where those that have ended keep their last
 * value. by_draws [BAND_POINTS][n_parties], work [n_parties] */
static void draw_bands(cgm_plot *plot, cgm_figures *to, const cgm_report_set *set, double right,
                       double *by_draws, double *work)
{
    const int64_t n = to->data->n_parties;
    double x[BAND_POINTS];
    double quantiles[CGM_REPORT_QUANTILES][BAND_POINTS];
    for (int k = 0; k < BAND_POINTS; k++) {
        x[k] = right * k / (BAND_POINTS - 1);
    }
    for (int64_t i = 0; i < n && to->status == CGM_OK; i++) {
        double *values = read_party(to, set, i);
        for (int k = 0; k < BAND_POINTS && values != NULL; k++) {
            by_draws[k * n + i] = value_after(set, i, values, (int64_t)x[k]);
        }
        free(values);
    }
    if (to->status != CGM_OK) {
        return;
    }
    for (int k = 0; k < BAND_POINTS; k++) {
        double all[CGM_REPORT_QUANTILES];
        cgm_report_quantiles(by_draws + k * n, n, work, all);
        for (int q = 0; q < CGM_REPORT_QUANTILES; q++) {
            quantiles[q][k] = all[q];
        }
    }
    cgm_plot_area(plot, CGM_PLOT_SHADE + 1, BAND_POINTS, x, quantiles[1], quantiles[5]);
    cgm_plot_area(plot, CGM_PLOT_SHADE + 2, BAND_POINTS, x, quantiles[2], quantiles[4]);
    const cgm_plot_style median = {.colour = CGM_PLOT_INK, .size = 1.6, .dash = 1};
    cgm_plot_line(plot, &median, BAND_POINTS, x, quantiles[3]);
}

/* Where the axis ends: with the longest reward, but of many parties where nearly all have ended and
 * twice as far. work [2][n_parties] */
static double axis_end(const cgm_figures *to, const cgm_report_set *set, double *work)
{
    const int64_t n = to->data->n_parties;
    double quantiles[CGM_REPORT_QUANTILES];
    double most = 1.0;
    for (int64_t i = 0; i < n; i++) {
        const double count = (double)cgm_report_rewards(set, i);
        most = fmax(most, count);
        if (!to->few) {
            work[i] = count;
        }
    }
    if (!to->few) {
        cgm_report_quantiles(work, n, work + n, quantiles);
        most = fmin(most, fmax(2.0 * quantiles[5], 1.0));
    }
    return most;
}

/* Values from where parties begin to where they end, or are to. */
static cgm_figure_range value_range(const cgm_report_data *data)
{
    cgm_figure_range values = CGM_FIGURE_NOTHING;
    for (int64_t b = 0; b < cgm_report_shown_betas(data); b++) {
        cgm_figure_widen(&values, data->sets[b].start_value, data->n_parties);
        cgm_figure_widen(&values, data->sets[b].realised, data->n_parties);
    }
    cgm_figure_widen(&values, data->r, data->n_parties);
    cgm_figure_pad(&values, 0.04);
    return values;
}

static void draw_beta(cgm_plot *plot, cgm_figures *to, int64_t b, int64_t columns, double *work)
{
    const cgm_report_data *data = to->data;
    const cgm_report_set *set = &data->sets[b];
    const cgm_figure_range values = value_range(data);
    const double right = axis_end(to, set, work);
    char title[CGM_FIGURE_BETA];
    cgm_figure_name_beta(set, title);
    cgm_plot_panel panel = {.title = title,
                            .x_label = "synthetic points",
                            .y_label = b % columns == 0 ? "v" : NULL,
                            .x_high = right,
                            .y_low = values.low,
                            .y_high = values.high};
    cgm_figure_place(plot, b, columns, (int)(CGM_FIGURE_WIDTH / columns), PANEL_HEIGHT, &panel);
    cgm_plot_begin_panel(plot, &panel);
    if (!to->few) {
        draw_bands(plot, to, set, right, work, work + BAND_POINTS * data->n_parties);
    }
    for (int64_t k = 0; k < to->n_marked && to->status == CGM_OK; k++) {
        draw_party(plot, to, set, k, right);
    }
}

void cgm_figure_draws(cgm_figures *to)
{
    const cgm_report_data *data = to->data;
    const int64_t n_betas = cgm_report_shown_betas(data);
    const int64_t columns = n_betas == 4 ? 2 : n_betas < 1 ? 1 : n_betas;
    const int64_t room = to->few ? 1 : (BAND_POINTS + 1) * data->n_parties;
    double *work = cgm_alloc(to->comm, room, sizeof *work);
    if (work == NULL) {
        to->status = CGM_ERR_MEMORY;
        return;
    }
    cgm_plot plot;
    cgm_plot_begin(&plot, CGM_FIGURE_WIDTH,
                   PANEL_HEIGHT * (int)((n_betas + columns - 1) / columns));
    for (int64_t b = 0; b < n_betas && to->status == CGM_OK; b++) {
        draw_beta(&plot, to, b, columns, work);
    }
    free(work);
    char description[256];
    snprintf(description, sizeof description,
             "Lines of the value v of a party's data as synthetic points are added, in a panel for "
             "each of %lld values of beta, with the target of each party.",
             (long long)n_betas);
    cgm_figure_end(to, &plot, "figure-draws", "Values as rewards grow", description,
                   to->few ? "The value v of each party’s data as synthetic points are added to "
                             "them, at each β. Dotted: the target r at which it ends."
                           : "The value v of the parties’ data as synthetic points are added to "
                             "them, at each β: half of all parties are in the dark band, 90 % in "
                             "the light one, and the median is dashed; parties that have their "
                             "reward keep its value. Lines: the parties of the largest and of the "
                             "smallest φ, with their targets (dotted); those of the "
                             "longest rewards go on beyond the axis.",
                   cgm_figure_party_legend);
}
