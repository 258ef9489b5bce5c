#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report_figures.h"
#include "report_tables.h"

/* Synthetic points of a panel at most; panels beside each other. */
enum { POINTS_MOST = 300, PANEL_COLUMNS = 3, PANEL_HEIGHT = 290 };

/* Synthetic points of a panel, on the picture's axes. */
typedef struct cloud {
    int64_t count;
    double at[CGM_PICTURE_AXES][POINTS_MOST];
} cloud;

/* What a figure at one β is drawn from. */
typedef struct view {
    cgm_figures *to;
    const cgm_picture *picture;
    const cgm_report_set *set;
    int64_t n_panels; /* the parties shown, then all together if there is more than one */
    cloud *clouds;    /* [n_panels] */
    double *point;    /* [n_stored] */
} view;

/* The party of a panel; -1: all together. */
static int64_t party_of(const view *of, int64_t panel)
{
    return panel < of->picture->n_shown ? of->picture->party[panel] : -1;
}

/* Chosen evenly over the rewards of a party, or of all. */
static void read_cloud(view *of, int64_t panel)
{
    const int64_t party = party_of(of, panel);
    const int64_t n = of->to->data->n_parties;
    const int64_t first = party >= 0 ? of->set->offsets[party] : 0;
    const int64_t count = of->set->offsets[party >= 0 ? party + 1 : n] - first;
    cloud *points = &of->clouds[panel];
    points->count = count < POINTS_MOST ? count : POINTS_MOST;
    for (int64_t k = 0; k < points->count && of->to->status == CGM_OK; k++) {
        const int64_t row = first + (2 * k + 1) * count / (2 * points->count);
        of->to->status = cgm_report_read_points(of->to->data, of->set, row, 1, of->point);
        for (int64_t a = 0; a < of->picture->n_axes && of->to->status == CGM_OK; a++) {
            points->at[a][k] = cgm_picture_coordinate(of->picture, of->point, a);
        }
    }
}

/* The edges of the picture, and synthetic points beyond them, up to half its width. */
static cgm_figure_range range_of(const view *of, int64_t axis)
{
    const double low = of->picture->low[axis];
    const double high = of->picture->high[axis];
    cgm_figure_range range = {low, high};
    for (int64_t p = 0; p < of->n_panels; p++) {
        cgm_figure_widen(&range, of->clouds[p].at[axis], of->clouds[p].count);
    }
    range.low = fmax(range.low, low - 0.5 * (high - low));
    range.high = fmin(range.high, high + 0.5 * (high - low));
    cgm_figure_pad(&range, 0.02);
    return range;
}

static double edge(const cgm_picture *picture, int64_t axis, int64_t bin)
{
    return picture->low[axis] +
           (picture->high[axis] - picture->low[axis]) * (double)bin / (double)picture->bins;
}

/* The shade of a count, from 1 to CGM_PLOT_SHADES; 0: none. */
static int shade_of(int64_t count, int64_t most)
{
    return count > 0 ? 1 + (int)((CGM_PLOT_SHADES - 1) * sqrt((double)count / (double)most)) : 0;
}

/* Cells of one shade, those above each other of one column in one piece. boxes [n_cells] */
static void draw_shade(cgm_plot *plot, const cgm_picture *picture, const int64_t *counts,
                       int64_t most, int shade, double (*boxes)[4])
{
    int64_t n = 0;
    for (int64_t column = 0; column < picture->bins; column++) {
        const int64_t *cells = counts + column * picture->bins;
        for (int64_t bin = 0; bin < picture->bins; bin++) {
            const int64_t from = bin;
            while (bin < picture->bins && shade_of(cells[bin], most) == shade) {
                bin++;
            }
            if (bin > from) {
                boxes[n][0] = edge(picture, 0, column);
                boxes[n][1] = edge(picture, 0, column + 1);
                boxes[n][2] = edge(picture, 1, from);
                boxes[n][3] = edge(picture, 1, bin);
                n++;
            }
        }
    }
    cgm_plot_boxes(plot, (cgm_plot_colour)(CGM_PLOT_SHADE + shade - 1), n,
                   (const double(*)[4])boxes);
}

static void draw_cells(cgm_plot *plot, const cgm_picture *picture, const int64_t *counts,
                       double (*boxes)[4])
{
    int64_t most = 1;
    for (int64_t k = 0; k < picture->n_cells; k++) {
        most = counts[k] > most ? counts[k] : most;
    }
    for (int shade = 1; shade <= CGM_PLOT_SHADES; shade++) {
        draw_shade(plot, picture, counts, most, shade, boxes);
    }
}

static const cgm_plot_style point_style = {.colour = CGM_PLOT_FIRST + 1, .marker = 0, .size = 0.32};

/* Of one axis: shares of the points in each part, the synthetic ones as steps. */
static double share_most(const view *of, int64_t panel, double *data, double *synthetic)
{
    const cgm_picture *picture = of->picture;
    const cloud *points = &of->clouds[panel];
    const int64_t *counts = picture->counts + panel * picture->n_cells;
    double total = 0.0;
    double most = 0.0;
    for (int64_t k = 0; k < picture->bins; k++) {
        total += (double)counts[k];
        synthetic[k] = 0.0;
    }
    for (int64_t k = 0; k < points->count; k++) {
        const double place = (points->at[0][k] - picture->low[0]) /
                             (picture->high[0] - picture->low[0]) * (double)picture->bins;
        if (place >= 0.0 && place < (double)picture->bins) {
            synthetic[(int64_t)place] += 1.0 / (double)points->count;
        }
    }
    for (int64_t k = 0; k < picture->bins; k++) {
        data[k] = total > 0.0 ? (double)counts[k] / total : 0.0;
        most = fmax(most, fmax(data[k], synthetic[k]));
    }
    return most;
}

static void draw_shares(cgm_plot *plot, const cgm_picture *picture, const double *data,
                        const double *synthetic, double (*boxes)[4], double *steps)
{
    double *x = steps;
    double *y = steps + 2 * picture->bins;
    for (int64_t k = 0; k < picture->bins; k++) {
        boxes[k][0] = edge(picture, 0, k);
        boxes[k][1] = edge(picture, 0, k + 1);
        boxes[k][2] = 0.0;
        boxes[k][3] = data[k];
        x[2 * k] = boxes[k][0];
        x[2 * k + 1] = boxes[k][1];
        y[2 * k] = synthetic[k];
        y[2 * k + 1] = synthetic[k];
    }
    cgm_plot_boxes(plot, CGM_PLOT_SHADE + 2, picture->bins, (const double(*)[4])boxes);
    const cgm_plot_style line = {.colour = CGM_PLOT_FIRST + 1, .size = 1.6};
    cgm_plot_line(plot, &line, 2 * picture->bins, x, y);
}

/* Points in the cells that are shown. */
static int64_t count_shown(const cgm_picture *picture, int64_t panel)
{
    int64_t count = 0;
    for (int64_t k = 0; k < picture->n_cells; k++) {
        count += picture->counts[panel * picture->n_cells + k];
    }
    return count;
}

/* work: boxes [n_cells][4], then 6·bins numbers */
static void draw_panel(cgm_plot *plot, const view *of, int64_t number, double *work)
{
    const cgm_picture *picture = of->picture;
    const int64_t party = party_of(of, number);
    const bool flat = picture->n_axes == 1;
    const bool is_bottom = number + PANEL_COLUMNS >= of->n_panels;
    char name[4 * CGM_FIGURE_NAME + 1] = "all parties";
    char title[4 * CGM_FIGURE_NAME + 64];
    if (party >= 0) {
        cgm_figure_cut(of->to->data->names[party], name);
    }
    snprintf(title, sizeof title, "%s: %lld of %lld points", name,
             (long long)count_shown(picture, number),
             (long long)(party >= 0 ? of->to->data->n_points[party] : of->to->data->total_points));
    double(*boxes)[4] = (double(*)[4])work;
    double *rest = work + 4 * picture->n_cells;
    const double most = flat ? share_most(of, number, rest, rest + picture->bins) : 0.0;
    const cgm_figure_range x = range_of(of, 0);
    const cgm_figure_range y =
        flat ? (cgm_figure_range){0.0, most > 0.0 ? 1.1 * most : 1.0} : range_of(of, 1);
    const char *y_label = flat ? "share" : picture->axes[1];
    cgm_plot_panel panel = {.title = title,
                            .x_label = is_bottom ? picture->axes[0] : NULL,
                            .y_label = number % PANEL_COLUMNS == 0 ? y_label : NULL,
                            .x_low = x.low,
                            .x_high = x.high,
                            .y_low = y.low,
                            .y_high = y.high};
    cgm_figure_place(plot, number, PANEL_COLUMNS, CGM_FIGURE_WIDTH / PANEL_COLUMNS, PANEL_HEIGHT,
                     &panel);
    cgm_plot_begin_panel(plot, &panel);
    if (flat) {
        draw_shares(plot, picture, rest, rest + picture->bins, boxes, rest + 2 * picture->bins);
        return;
    }
    draw_cells(plot, picture, picture->counts + number * picture->n_cells, boxes);
    const cloud *points = &of->clouds[number];
    cgm_plot_points(plot, &point_style, points->count, points->at[0], points->at[1]);
}

static void draw_figure(view *of, const char *name)
{
    const cgm_picture *picture = of->picture;
    double *work = cgm_alloc(of->to->comm, 4 * picture->n_cells + 6 * picture->bins, sizeof *work);
    if (work == NULL) {
        of->to->status = CGM_ERR_MEMORY;
        return;
    }
    const int64_t rows = (of->n_panels + PANEL_COLUMNS - 1) / PANEL_COLUMNS;
    cgm_plot plot;
    cgm_plot_begin(&plot, CGM_FIGURE_WIDTH, PANEL_HEIGHT * (int)rows);
    for (int64_t p = 0; p < of->n_panels; p++) {
        draw_panel(&plot, of, p, work);
    }
    free(work);
    char beta[CGM_FIGURE_BETA];
    char title[64];
    char description[256];
    char caption[512];
    cgm_figure_name_beta(of->set, beta);
    snprintf(title, sizeof title, "Data and rewards at %s", beta);
    snprintf(description, sizeof description,
             "%lld panels, one a party%s: where its data lie, in shades, and its synthetic "
             "points%s.",
             (long long)of->n_panels, of->n_panels > picture->n_shown ? " and one of all" : "",
             picture->n_axes > 1 ? ", as dots" : ", as a line");
    snprintf(
        caption, sizeof caption,
        picture->n_axes > 1
            ? "Where a party’s data lie (the darker, the more; each panel by itself, and above "
              "it how many points are in the cells shown) and the synthetic points that it is "
              "paid (dots; of more than %d, some chosen evenly)."
            : "Shares of a party’s points in each part of the axis (blue) and of the "
              "synthetic points that it is paid (line; of more than %d, some chosen evenly).",
        POINTS_MOST);
    fprintf(of->to->page, "<h3>%s</h3>\n", beta);
    cgm_figure_end(of->to, &plot, name, title, description, caption, NULL);
}

static void picture_beta(cgm_figures *to, int64_t b, const char *name)
{
    const cgm_picture *picture = to->data->picture;
    view of = {.to = to, .picture = picture, .set = &to->data->sets[b]};
    of.n_panels = picture->n_shown + (to->data->n_parties > 1);
    of.clouds = cgm_alloc(to->comm, of.n_panels, sizeof *of.clouds);
    of.point = cgm_alloc(to->comm, to->data->n_stored, sizeof *of.point);
    if (of.clouds == NULL || of.point == NULL) {
        to->status = CGM_ERR_MEMORY;
    }
    for (int64_t p = 0; p < of.n_panels && to->status == CGM_OK; p++) {
        read_cloud(&of, p);
    }
    if (to->status == CGM_OK) {
        draw_figure(&of, name);
    }
    free(of.clouds);
    free(of.point);
}

/* At the smallest β shown and at the largest. */
void cgm_figure_points(cgm_figures *to)
{
    const int64_t n_betas = cgm_report_shown_betas(to->data);
    if (to->data->picture == NULL || n_betas == 0) {
        return;
    }
    picture_beta(to, 0, "figure-points");
    if (n_betas > 1 && to->status == CGM_OK) {
        picture_beta(to, n_betas - 1, "figure-points-last");
    }
}
