/**
 * @file report_svg.h
 * A figure of gnuplot's inside a page: elements and attributes that a figure needs and no others,
 * colours that follow the page, names of its own, and words for those who do not see it. Internal
 * to the report. All functions are Local.
 */
#ifndef CGM_REPORT_SVG_H
#define CGM_REPORT_SVG_H

#include "report_plots.h"

/**
 * Write a figure.
 * @param[in] svg    as gnuplot wrote it
 * @param[in] name   of the figure, a word: what it gives names to begins with it
 * @param[in] title, description  what it shows; foreign text is escaped
 * @return false, and nothing that counts as a figure: it is not what gnuplot writes
 */
bool cgm_svg_write(FILE *page, const char *svg, const char *name, const char *title,
                   const char *description);

/** The line and the marker of a series, for a legend. */
void cgm_svg_write_swatch(FILE *page, const cgm_plot_style *style, bool line, bool marker);

/** Text or the value of an attribute of HTML; what no page may hold becomes U+FFFD. */
void cgm_html_write(FILE *page, const char *text);

#endif
