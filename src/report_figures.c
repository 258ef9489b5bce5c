#include "report_figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "report_svg.h"
#include "report_tables.h"
#include "selection.h"

/* Points of a cloud of all parties, at most. */
enum { CLOUD_MOST = 2000 };

/* ---- common parts ---- */

void cgm_figures_begin(cgm_comm *comm, const cgm_report_data *data, FILE *page,
                       cgm_figures *figures)
{
    *figures = (cgm_figures){.comm = comm, .data = data, .page = page};
    figures->few = data->n_parties <= CGM_FIGURE_PARTIES;
    figures->n_marked =
        cgm_selection_choose(data->phi, data->n_parties, CGM_FIGURE_PARTIES, CGM_FIGURE_LARGEST,
                             CGM_FIGURE_SMALLEST, figures->marked);
}

cgm_plot_style cgm_figure_style(int64_t k, double size)
{
    return (cgm_plot_style){.colour = (cgm_plot_colour)(k % CGM_PLOT_SERIES),
                            .marker = (int)(k % CGM_PLOT_MARKERS),
                            .dash = (int)(k % CGM_PLOT_DASHES),
                            .size = size};
}

cgm_plot_style cgm_figure_beta_style(int64_t b, double size)
{
    cgm_plot_style style = cgm_figure_style(b, size);
    style.colour = (cgm_plot_colour)((b + 3) % CGM_PLOT_SERIES);
    style.hollow = true;
    return style;
}

void cgm_figure_place(const cgm_plot *plot, int64_t k, int64_t columns, int width, int height,
                      cgm_plot_panel *panel)
{
    const double x = (double)(k % columns) * width;
    const int64_t row = k / columns;
    const double y = plot->height - (double)row * height;
    panel->left = x + CGM_FIGURE_LEFT;
    panel->right = x + width - CGM_FIGURE_RIGHT;
    panel->top = y - CGM_FIGURE_TOP;
    panel->bottom = y - height + CGM_FIGURE_BOTTOM;
}

void cgm_figure_end(cgm_figures *to, cgm_plot *plot, const char *name, const char *title,
                    const char *description, const char *caption,
                    void (*legend)(const cgm_figures *))
{
    char *svg;
    const cgm_plot_outcome outcome = cgm_plot_finish(plot, &svg);
    to->no_gnuplot = to->no_gnuplot || outcome == CGM_PLOT_NO_GNUPLOT;
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = outcome == CGM_PLOT_DRAWN ? open_memstream(&text, &bytes) : NULL;
    bool drawn = stream != NULL && cgm_svg_write(stream, svg, name, title, description);
    drawn = (stream == NULL || fclose(stream) == 0) && drawn;
    if (drawn) {
        fprintf(to->page, "<figure id=\"%s\">\n", name);
        fwrite(text, 1, bytes, to->page);
        if (legend != NULL) {
            legend(to);
        }
        fprintf(to->page, "<figcaption>%s</figcaption>\n</figure>\n", caption);
    }
    to->n_drawn += drawn;
    to->n_missing += !drawn;
    free(text);
    free(svg);
}

void cgm_figure_name_beta(const cgm_report_set *set, char text[CGM_FIGURE_BETA])
{
    /* The blanks are not to be broken at. */
    if (isinf(set->inv_temp)) {
        snprintf(text, CGM_FIGURE_BETA, "β = ∞");
    } else {
        snprintf(text, CGM_FIGURE_BETA, "β = %g", set->inv_temp);
    }
}

void cgm_figure_cut(const char *name, char text[4 * CGM_FIGURE_NAME + 1])
{
    FILE *stream = fmemopen(text, 4 * CGM_FIGURE_NAME + 1, "w");
    text[0] = '\0';
    if (stream != NULL) {
        cgm_columns_print(stream, name, CGM_FIGURE_NAME);
        fclose(stream);
    }
}

void cgm_figure_widen(cgm_figure_range *range, const double *values, int64_t count)
{
    for (int64_t k = 0; k < count; k++) {
        if (isfinite(values[k])) {
            range->low = fmin(range->low, values[k]);
            range->high = fmax(range->high, values[k]);
        }
    }
}

void cgm_figure_pad(cgm_figure_range *range, double share)
{
    if (!(range->low <= range->high)) {
        *range = (cgm_figure_range){0.0, 1.0};
    }
    const double room = share * (range->high - range->low);
    range->low -= room;
    range->high += room;
}

/* ---- legends ---- */

static void begin_legend(const cgm_figures *to, const char *what)
{
    fprintf(to->page, "<ul class=\"legend\" aria-label=\"%s\">\n", what);
}

static void add_legend(const cgm_figures *to, const cgm_plot_style *style, bool line,
                       const char *before, const char *text)
{
    fputs("<li>", to->page);
    cgm_svg_write_swatch(to->page, style, line, true);
    fprintf(to->page, "%s%s</li>\n", before, text);
}

static void add_betas(const cgm_figures *to, bool line, const char *before)
{
    for (int64_t b = 0; b < cgm_report_shown_betas(to->data); b++) {
        const cgm_plot_style style = cgm_figure_beta_style(b, 1.0);
        char beta[CGM_FIGURE_BETA];
        cgm_figure_name_beta(&to->data->sets[b], beta);
        add_legend(to, &style, line, before, beta);
    }
}

void cgm_figure_party_legend(const cgm_figures *to)
{
    begin_legend(to, "Parties");
    for (int64_t k = 0; k < to->n_marked; k++) {
        const cgm_plot_style style = cgm_figure_style(k, 1.0);
        fputs("<li>", to->page);
        cgm_svg_write_swatch(to->page, &style, false, true);
        fputs("<bdi>", to->page);
        cgm_html_write(to->page, to->data->names[to->marked[k]]);
        fputs("</bdi></li>\n", to->page);
    }
    if (!to->few) {
        fputs("<li class=\"note\">those of the largest and of the smallest φ</li>\n", to->page);
    }
    fputs("</ul>\n", to->page);
}

void cgm_figure_beta_legend(const cgm_figures *to)
{
    begin_legend(to, "Values of β");
    add_betas(to, to->few, "");
    fputs("</ul>\n", to->page);
}

const cgm_plot_style cgm_figure_before = {
    .colour = CGM_PLOT_MUTED, .marker = 0, .hollow = false, .size = 0.6};

void cgm_figure_measure_legend(const cgm_figures *to)
{
    begin_legend(to, "Before and after");
    add_legend(to, &cgm_figure_before, false, "before", "");
    add_betas(to, false, "after, ");
    fputs("</ul>\n", to->page);
}

/* ---- clouds of all parties ---- */

static int compare_alpha(const void *a, const void *b)
{
    const cgm_party_order *x = a;
    const cgm_party_order *y = b;
    if (x->alpha != y->alpha) {
        return x->alpha < y->alpha ? -1 : 1;
    }
    return (x->party > y->party) - (x->party < y->party);
}

cgm_party_order *cgm_figure_order(const cgm_report_data *data, int64_t *count)
{
    const int64_t n = data->n_parties;
    cgm_party_order *order = malloc((size_t)n * sizeof *order);
    if (order == NULL) {
        return NULL;
    }
    for (int64_t i = 0; i < n; i++) {
        order[i] = (cgm_party_order){data->alpha[i], i};
    }
    qsort(order, (size_t)n, sizeof *order, compare_alpha);
    *count = n < CLOUD_MOST ? n : CLOUD_MOST;
    for (int64_t k = 0; k < *count && n > CLOUD_MOST; k++) {
        order[k] = order[llround((double)k * (double)(n - 1) / (double)(CLOUD_MOST - 1))];
    }
    return order;
}

void cgm_figure_cloud(const cgm_party_order *order, int64_t count, const double *values, double *x,
                      double *y)
{
    for (int64_t k = 0; k < count; k++) {
        x[k] = order[k].alpha;
        y[k] = values != NULL ? values[order[k].party] : NAN;
    }
}
