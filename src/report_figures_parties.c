#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "report_figures.h"
#include "report_tables.h"

/* Parts of a histogram, points of a curve. */
enum { HISTOGRAM_PARTS = 36, CURVE_POINTS = 101 };
/* Pixels that a letter takes, on average. */
#define LETTER 7.2
/* Where a logarithmic axis of numbers ends: in the place of none. */
#define NO_POINTS 0.5

/* ---- rewards against contributions ---- */

/* r = α^ρ v*, the curve that all rewards lie on. */
static void draw_curve(cgm_plot *plot, const cgm_report_data *data, double from)
{
    double x[CURVE_POINTS];
    double y[CURVE_POINTS];
    for (int k = 0; k < CURVE_POINTS; k++) {
        x[k] = from + (1.0 - from) * k / (CURVE_POINTS - 1);
        y[k] = x[k] > 0.0 ? pow(x[k], data->rho) * data->v_star : NAN;
    }
    const cgm_plot_style style = {.colour = CGM_PLOT_MUTED, .dash = 1, .size = 1.2};
    cgm_plot_line(plot, &style, CURVE_POINTS, x, y);
}

static void draw_marked(cgm_plot *plot, const cgm_figures *to, const double *values, double size)
{
    for (int64_t k = 0; k < to->n_marked; k++) {
        const int64_t i = to->marked[k];
        const cgm_plot_style style = cgm_figure_style(k, size);
        cgm_plot_points(plot, &style, 1, &to->data->alpha[i], &values[i]);
    }
}

static void draw_values(cgm_plot *plot, const cgm_figures *to, const cgm_party_order *order,
                        int64_t count, cgm_figure_range alphas, double *work)
{
    const cgm_report_data *data = to->data;
    const int64_t n = data->n_parties;
    cgm_figure_range values = CGM_FIGURE_NOTHING;
    cgm_figure_widen(&values, data->single, n);
    cgm_figure_widen(&values, data->r, n);
    cgm_figure_widen(&values, data->ceiling, n);
    cgm_figure_pad(&values, 0.05);
    cgm_plot_panel panel = {.title = "Reward r by contribution",
                            .x_label = "contribution α",
                            .y_label = "value",
                            .x_low = alphas.low,
                            .x_high = alphas.high,
                            .y_low = values.low,
                            .y_high = values.high};
    cgm_figure_place(plot, 0, 2, CGM_FIGURE_WIDTH / 2, plot->height, &panel);
    cgm_plot_begin_panel(plot, &panel);
    double *x = work;
    double *y = work + n;
    if (to->few) {
        const cgm_plot_style span = {.colour = CGM_PLOT_SHADE + 2, .size = 5.0};
        cgm_plot_spans(plot, &span, n, data->alpha, data->single, data->ceiling);
    } else {
        const cgm_plot_style own = {.colour = CGM_PLOT_SHADE + 3, .size = 0.25};
        const cgm_plot_style reward = {.colour = CGM_PLOT_INK, .size = 0.25};
        cgm_figure_cloud(order, count, data->single, x, y);
        cgm_plot_points(plot, &own, count, x, y);
        cgm_figure_cloud(order, count, data->r, x, y);
        cgm_plot_points(plot, &reward, count, x, y);
    }
    draw_curve(plot, data, fmax(alphas.low, 0.0));
    draw_marked(plot, to, data->r, to->few ? 0.85 : 0.7);
}

/* Numbers of synthetic points at each β. */
static void draw_numbers(cgm_plot *plot, const cgm_figures *to, const cgm_party_order *order,
                         int64_t count, cgm_figure_range alphas, double *work)
{
    const cgm_report_data *data = to->data;
    double *x = work;
    double *y = work + data->n_parties;
    double most = 1.0;
    const bool logarithmic = !to->few;
    const int64_t n_betas = cgm_report_shown_betas(data);
    for (int64_t b = 0; b < n_betas; b++) {
        for (int64_t i = 0; i < data->n_parties; i++) {
            most = fmax(most, (double)cgm_report_rewards(&data->sets[b], i));
        }
    }
    cgm_plot_panel panel = {.title = "Number of synthetic points by contribution",
                            .x_label = "contribution α",
                            .y_label = "points",
                            .x_low = alphas.low,
                            .x_high = alphas.high,
                            .y_low = logarithmic ? NO_POINTS : 0.0,
                            .y_high = logarithmic ? 1.5 * most : 1.06 * most,
                            .logarithmic = logarithmic};
    cgm_figure_place(plot, 1, 2, CGM_FIGURE_WIDTH / 2, plot->height, &panel);
    cgm_plot_begin_panel(plot, &panel);
    for (int64_t b = 0; b < n_betas; b++) {
        for (int64_t k = 0; k < count; k++) {
            x[k] = order[k].alpha;
            y[k] = (double)cgm_report_rewards(&data->sets[b], order[k].party);
            y[k] = logarithmic ? fmax(y[k], 1.1 * NO_POINTS) : y[k];
        }
        cgm_plot_style style = cgm_figure_beta_style(b, to->few ? 0.75 : 0.3);
        cgm_plot_points(plot, &style, count, x, y);
        style.size = 1.0;
        if (to->few) {
            cgm_plot_line(plot, &style, count, x, y);
        }
    }
}

static void reward_legend(const cgm_figures *to)
{
    fputs("<div class=\"legends\">\n", to->page);
    cgm_figure_party_legend(to);
    cgm_figure_beta_legend(to);
    fputs("</div>\n", to->page);
}

void cgm_figure_rewards(cgm_figures *to)
{
    const cgm_report_data *data = to->data;
    int64_t count = 0;
    cgm_party_order *order = cgm_figure_order(data, &count);
    double *work = malloc((size_t)data->n_parties * 2 * sizeof *work);
    if (order == NULL || work == NULL) {
        free(order);
        free(work);
        to->n_missing++;
        return;
    }
    cgm_figure_range alphas = {INFINITY, 1.0};
    cgm_figure_widen(&alphas, data->alpha, data->n_parties);
    /* From 0 unless that would be mostly empty. */
    alphas.low = alphas.low > 0.5 ? alphas.low : fmin(alphas.low, 0.0);
    cgm_figure_pad(&alphas, 0.04);
    cgm_plot plot;
    cgm_plot_begin(&plot, CGM_FIGURE_WIDTH, 400);
    draw_values(&plot, to, order, count, alphas, work);
    draw_numbers(&plot, to, order, count, alphas, work);
    const double correlation = cgm_metrics_correlation(data->alpha, data->r, data->n_parties);
    char description[256];
    snprintf(description, sizeof description,
             "Two scatter plots over alpha, of %lld parties: rewards r, whose correlation with "
             "alpha is %.3f, and numbers of synthetic points at %lld values of beta.",
             (long long)data->n_parties, correlation, (long long)cgm_report_shown_betas(data));
    cgm_figure_end(
        to, &plot, "figure-rewards", "Rewards against contributions", description,
        to->few ? "Left: the reward r of each party on the curve r = α<sup>ρ</sup> v* "
                  "(dashed); the bar behind it reaches from the value of the party’s own "
                  "data up to what the pool can raise it to. Right: the number of synthetic "
                  "points that a party is paid, at each β."
                : "Left: the reward r of each party (dark) on the curve r = α<sup>ρ</sup> v* "
                  "(dashed), and the value of its own data (blue). Right: the number of "
                  "synthetic points that a party is paid, at each β, on a logarithmic axis at "
                  "whose lower end are those of none.",
        reward_legend);
    free(order);
    free(work);
}

/* ---- Shapley values ---- */

/* Bars of one unit each, from the top down, with names at their left and values at their end. */
static void draw_bars(cgm_plot *plot, const cgm_report_data *data, const cgm_party_order *order,
                      int64_t count, cgm_figure_range values)
{
    const double width = values.high - values.low;
    for (int64_t k = 0; k < count; k++) {
        const int64_t i = order[k].party;
        const double phi = data->phi[i];
        const double y = (double)k + 1.0;
        const double box[1][4] = {{fmin(phi, 0.0), fmax(phi, 0.0), y - 0.34, y + 0.34}};
        char name[4 * CGM_FIGURE_NAME + 1];
        char value[64];
        cgm_plot_boxes(plot, CGM_PLOT_FIRST, isfinite(phi), box);
        cgm_figure_cut(data->names[i], name);
        snprintf(value, sizeof value, "%.4g", phi);
        cgm_plot_label(plot, values.low - 0.01 * width, y, CGM_PLOT_RIGHT, CGM_PLOT_INK, name);
        cgm_plot_label(plot, fmax(phi, 0.0) + 0.006 * width, y, CGM_PLOT_LEFT, CGM_PLOT_MUTED,
                       value);
    }
}

static void draw_ordered(cgm_plot *plot, const cgm_report_data *data, const cgm_party_order *order,
                         int64_t count)
{
    cgm_figure_range values = {0.0, 0.0};
    cgm_figure_widen(&values, data->phi, data->n_parties);
    values.high += 0.1 * (values.high - values.low);
    int64_t longest = 0;
    for (int64_t k = 0; k < count; k++) {
        char name[4 * CGM_FIGURE_NAME + 1];
        cgm_figure_cut(data->names[order[k].party], name);
        const int64_t columns = cgm_columns_count(name);
        longest = columns > longest ? columns : longest;
    }
    cgm_plot_panel panel = {.left = 24.0 + LETTER * (double)longest,
                            .right = CGM_FIGURE_WIDTH - CGM_FIGURE_RIGHT,
                            .bottom = CGM_FIGURE_BOTTOM,
                            .top = plot->height - 8,
                            .x_label = "φ",
                            .x_low = values.low,
                            .x_high = values.high > values.low ? values.high : 1.0,
                            .y_low = 0.4,
                            .y_high = (double)count + 0.6,
                            .hide_y_tics = true};
    values.high = panel.x_high;
    cgm_plot_begin_panel(plot, &panel);
    draw_bars(plot, data, order, count, values);
}

/* How φ is distributed, with three quantiles. */
static void draw_histogram(cgm_plot *plot, const cgm_report_data *data, double *work)
{
    const int64_t n = data->n_parties;
    cgm_figure_range values = CGM_FIGURE_NOTHING;
    double counts[HISTOGRAM_PARTS] = {0.0};
    double boxes[HISTOGRAM_PARTS][4];
    double quantiles[CGM_REPORT_QUANTILES];
    double most = 1.0;
    cgm_figure_widen(&values, data->phi, n);
    cgm_figure_pad(&values, 0.01);
    const double part = (values.high - values.low) / HISTOGRAM_PARTS;
    for (int64_t i = 0; i < n; i++) {
        if (isfinite(data->phi[i]) && part > 0.0) {
            const int64_t k = (int64_t)((data->phi[i] - values.low) / part);
            counts[k < HISTOGRAM_PARTS ? k : HISTOGRAM_PARTS - 1] += 1.0;
        }
    }
    for (int k = 0; k < HISTOGRAM_PARTS; k++) {
        const double left = values.low + k * part;
        boxes[k][0] = left + 0.06 * part;
        boxes[k][1] = left + 0.94 * part;
        boxes[k][2] = 0.0;
        boxes[k][3] = counts[k];
        most = fmax(most, counts[k]);
    }
    cgm_plot_panel panel = {.left = CGM_FIGURE_LEFT,
                            .right = CGM_FIGURE_WIDTH - CGM_FIGURE_RIGHT,
                            .bottom = CGM_FIGURE_BOTTOM,
                            .top = plot->height - 12,
                            .x_label = "φ",
                            .y_label = "parties",
                            .x_low = values.low,
                            .x_high = values.high,
                            .y_high = 1.15 * most};
    cgm_plot_begin_panel(plot, &panel);
    cgm_plot_boxes(plot, CGM_PLOT_FIRST, HISTOGRAM_PARTS, (const double(*)[4])boxes);
    cgm_report_quantiles(data->phi, n, work, quantiles);
    static const int shown[] = {1, 3, 5};
    static const char *const words[] = {"5 %", "median", "95 %"};
    for (int q = 0; q < 3; q++) {
        const double x = quantiles[shown[q]];
        const double low = 0.0;
        const double high = 1.08 * most;
        const cgm_plot_style style = {.colour = CGM_PLOT_FIRST + 1, .dash = 1, .size = 1.4};
        cgm_plot_spans(plot, &style, 1, &x, &low, &high);
        cgm_plot_label(plot, x, 1.12 * most, CGM_PLOT_CENTRE, CGM_PLOT_INK, words[q]);
    }
}

void cgm_figure_shapley(cgm_figures *to)
{
    const cgm_report_data *data = to->data;
    const bool efficient = strcmp(data->semivalue, "shapley") == 0;
    int64_t count = 0;
    cgm_party_order *order = cgm_figure_order(data, &count);
    double *work = malloc((size_t)data->n_parties * sizeof *work);
    if (order == NULL || work == NULL) {
        free(order);
        free(work);
        to->n_missing++;
        return;
    }
    cgm_plot plot;
    cgm_plot_begin(&plot, CGM_FIGURE_WIDTH, to->few ? (int)(62 + 24 * data->n_parties) : 300);
    if (to->few) {
        draw_ordered(&plot, data, order, count);
    } else {
        draw_histogram(&plot, data, work);
    }
    char description[256];
    const int64_t first = order[count - 1].party;
    const int64_t last = order[0].party;
    snprintf(description, sizeof description, "%s of %lld parties, from %.4g down to %.4g.",
             to->few ? "Bars in order of size" : "Histogram", (long long)data->n_parties,
             data->phi[first], data->phi[last]);
    char caption[512];
    snprintf(caption, sizeof caption, "%s φ of the parties%s%s.",
             efficient ? "Shapley values" : "Semivalues",
             to->few ? ", in order" : ": how many have which, with three quantiles",
             efficient ? "; they add up to the value of all parties’ data together" : "");
    cgm_figure_end(to, &plot, "figure-shapley",
                   efficient ? "Shapley values of the parties" : "Semivalues of the parties",
                   description, caption, NULL);
    free(order);
    free(work);
}
