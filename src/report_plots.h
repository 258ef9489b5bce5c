/**
 * @file report_plots.h
 * Figures by gnuplot, which is a program of its own: a script goes into it and SVG comes out, both
 * in files without a name. Internal to the report; the only door to gnuplot. All functions are
 * Local.
 *
 * Colours are roles; report_svg.h makes them follow the page. Texts may come from anywhere: they
 * reach gnuplot as quoted strings that it takes as they are.
 */
#ifndef CGM_REPORT_PLOTS_H
#define CGM_REPORT_PLOTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/** What a colour is for: seven for series, by which those who do not see colours tell less than by
 * markers and dashes; text, axes, grid; shades, from the faintest. */
typedef enum cgm_plot_colour {
    CGM_PLOT_FIRST,
    CGM_PLOT_INK = 7,
    CGM_PLOT_MUTED,
    CGM_PLOT_GRID,
    CGM_PLOT_SHADE,
    CGM_PLOT_COLOURS = CGM_PLOT_SHADE + 5
} cgm_plot_colour;
enum { CGM_PLOT_SERIES = 7, CGM_PLOT_MARKERS = 6, CGM_PLOT_DASHES = 5, CGM_PLOT_SHADES = 5 };

/** A colour as a page knows it, on light and on dark ground. */
typedef struct cgm_plot_ink {
    const char *name;  /**< of the variable in the page's style */
    const char *light; /**< #rrggbb, no two alike: what the script says */
    const char *dark;
} cgm_plot_ink;
extern const cgm_plot_ink cgm_plot_inks[CGM_PLOT_COLOURS];

typedef struct cgm_plot_style {
    cgm_plot_colour colour;
    int marker;  /**< 0 .. CGM_PLOT_MARKERS - 1 */
    bool hollow; /**< of the marker */
    int dash;    /**< 0 (none) .. CGM_PLOT_DASHES - 1 */
    double size; /**< of the marker, or width of the line */
} cgm_plot_style;

/** Dashes as SVG writes them; empty for none. */
extern const char *const cgm_plot_dashes[CGM_PLOT_DASHES];

/** Axes somewhere in a figure. */
typedef struct cgm_plot_panel {
    double left, right, bottom, top;       /**< inner edges in pixels from the lower left corner */
    const char *title, *x_label, *y_label; /**< NULL: none */
    double x_low, x_high, y_low, y_high;   /**< finite */
    bool hide_x_tics, hide_y_tics;
    bool logarithmic; /**< y, whose range is positive */
} cgm_plot_panel;

/** A figure while it is described. */
typedef struct cgm_plot {
    int width, height; /**< pixels */
    FILE *script;      /**< NULL: could not be made */
    char *commands;    /**< what is plotted in the panel at hand */
    size_t commands_bytes;
    FILE *stream; /**< to commands */
    int64_t n_blocks, n_series;
    bool in_panel;
} cgm_plot;

typedef enum cgm_plot_outcome {
    CGM_PLOT_DRAWN,
    CGM_PLOT_NO_GNUPLOT, /**< there is no such program */
    CGM_PLOT_FAILED
} cgm_plot_outcome;

/** The pair is cgm_plot_finish. */
void cgm_plot_begin(cgm_plot *plot, int width, int height);

/** The panel in which all follows up to the next one. Ranges of no width are widened. */
void cgm_plot_begin_panel(cgm_plot *plot, const cgm_plot_panel *panel);

/* What is not finite is left out. */
void cgm_plot_points(cgm_plot *plot, const cgm_plot_style *style, int64_t n, const double *x,
                     const double *y);
void cgm_plot_line(cgm_plot *plot, const cgm_plot_style *style, int64_t n, const double *x,
                   const double *y);
/** From (x, low) to (x, high). */
void cgm_plot_spans(cgm_plot *plot, const cgm_plot_style *style, int64_t n, const double *x,
                    const double *low, const double *high);
/** Between two curves. */
void cgm_plot_area(cgm_plot *plot, cgm_plot_colour colour, int64_t n, const double *x,
                   const double *low, const double *high);
/** Filled rectangles, boxes [n][4]: left, right, bottom, top. */
void cgm_plot_boxes(cgm_plot *plot, cgm_plot_colour colour, int64_t n, const double (*boxes)[4]);

/** A text in the coordinates of the panel. */
typedef enum cgm_plot_align { CGM_PLOT_LEFT, CGM_PLOT_RIGHT, CGM_PLOT_CENTRE } cgm_plot_align;
void cgm_plot_label(cgm_plot *plot, double x, double y, cgm_plot_align align,
                    cgm_plot_colour colour, const char *text);

/**
 * Let gnuplot draw the figure.
 * @param[out] svg  the document, which the caller frees; NULL unless drawn
 */
cgm_plot_outcome cgm_plot_finish(cgm_plot *plot, char **svg);

#endif
