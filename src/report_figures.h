/**
 * @file report_figures.h
 * The figures of a page, each with its caption and legend. Internal to the report. All functions
 * are Local.
 */
#ifndef CGM_REPORT_FIGURES_H
#define CGM_REPORT_FIGURES_H

#include "report_data.h"
#include "report_plots.h"

/** Parties that have marks of their own in a figure; of more, those of the largest and of the
 * smallest φ have, before the distribution of all. */
enum { CGM_FIGURE_PARTIES = 30, CGM_FIGURE_LARGEST = 4, CGM_FIGURE_SMALLEST = 4 };
/** Columns of a name in a figure; pixels of its width, and of what axes take at a panel's edges. */
enum {
    CGM_FIGURE_NAME = 20,
    CGM_FIGURE_WIDTH = 1000,
    CGM_FIGURE_LEFT = 66,
    CGM_FIGURE_RIGHT = 16,
    CGM_FIGURE_BOTTOM = 50,
    CGM_FIGURE_TOP = 36
};

/** A page's figures while it is written. */
typedef struct cgm_figures {
    cgm_comm *comm;
    const cgm_report_data *data;
    FILE *page;
    int64_t n_marked; /**< parties with marks of their own */
    int64_t marked[CGM_FIGURE_PARTIES];
    bool few;          /**< these are all */
    int64_t n_drawn;   /**< figures */
    int64_t n_missing; /**< that could not be drawn */
    bool no_gnuplot;   /**< because there is no gnuplot */
    cgm_status status; /**< of reading the result */
} cgm_figures;

/** Begin with a page. */
void cgm_figures_begin(cgm_comm *comm, const cgm_report_data *data, FILE *page,
                       cgm_figures *figures);

/* Each writes a figure into the page, or nothing: then it is missing. */
void cgm_figure_rewards(cgm_figures *to);
void cgm_figure_shapley(cgm_figures *to);
void cgm_figure_draws(cgm_figures *to);
void cgm_figure_points(cgm_figures *to);
void cgm_figure_measures(cgm_figures *to);
void cgm_figure_stages(cgm_figures *to);

/* ---- what they are made of ---- */

/** The style of the marked party of a number; of the β of a number, in other colours and hollow. */
cgm_plot_style cgm_figure_style(int64_t k, double size);
cgm_plot_style cgm_figure_beta_style(int64_t b, double size);

/** The place in a figure of panel k of so many columns of panels, from the upper left corner:
 * cells of a width and height, less what axes need. */
void cgm_figure_place(const cgm_plot *plot, int64_t k, int64_t columns, int width, int height,
                      cgm_plot_panel *panel);

/** The drawn figure: svg, then a legend and a caption.
 * @param[in] name         a word
 * @param[in] title        what it is, foreign text allowed
 * @param[in] description  what is to be seen, for those who do not see it
 * @param[in] caption      HTML that is sound
 * @param[in] legend       writes what stands below it, or NULL */
void cgm_figure_end(cgm_figures *to, cgm_plot *plot, const char *name, const char *title,
                    const char *description, const char *caption,
                    void (*legend)(const cgm_figures *));

void cgm_figure_party_legend(const cgm_figures *to);
void cgm_figure_beta_legend(const cgm_figures *to);
void cgm_figure_measure_legend(const cgm_figures *to);

/** β = its value. */
enum { CGM_FIGURE_BETA = 32 };
void cgm_figure_name_beta(const cgm_report_set *set, char text[CGM_FIGURE_BETA]);

/** A name cut to CGM_FIGURE_NAME columns. */
void cgm_figure_cut(const char *name, char text[4 * CGM_FIGURE_NAME + 1]);

/** Marks of what was before. */
extern const cgm_plot_style cgm_figure_before;

/** Parties in ascending α, or of many every so manieth; the first and the last are among them.
 * @return [count], which the caller frees, or NULL */
typedef struct cgm_party_order {
    double alpha;
    int64_t party;
} cgm_party_order;
cgm_party_order *cgm_figure_order(const cgm_report_data *data, int64_t *count);

/** Numbers of the parties of an order, or NaN without any: x is α. */
void cgm_figure_cloud(const cgm_party_order *order, int64_t count, const double *values, double *x,
                      double *y);

/** Widens a range to hold finite numbers. */
typedef struct cgm_figure_range {
    double low, high;
} cgm_figure_range;
#define CGM_FIGURE_NOTHING                                                                         \
    {                                                                                              \
        INFINITY, -INFINITY                                                                        \
    }
void cgm_figure_widen(cgm_figure_range *range, const double *values, int64_t count);
/** Some room around it. */
void cgm_figure_pad(cgm_figure_range *range, double share);

#endif
