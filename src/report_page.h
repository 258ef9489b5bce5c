/**
 * @file report_page.h
 * A report as a page for a browser: one file in the syntax of XHTML that needs nothing else and
 * loads nothing. Internal to the report. All functions are Local.
 */
#ifndef CGM_REPORT_PAGE_H
#define CGM_REPORT_PAGE_H

#include "report_data.h"
#include "table.h"

#include <stdio.h>

/** CGM_OK, or CGM_ERR_OUTPUT: something stands at path, or it cannot be written. */
cgm_status cgm_report_check_page(cgm_comm *comm, const char *path);

/**
 * Write the page under a temporary name and rename it.
 * @param[in] said  where to tell what was written and what is missing, or NULL
 * @return CGM_OK, CGM_ERR_OUTPUT, CGM_ERR_INPUT (the result cannot be read to its end),
 * CGM_ERR_MEMORY.  On error no file is left.
 */
cgm_status cgm_report_write_page(cgm_comm *comm, cgm_report_data *data, const char *path,
                                 FILE *said);

/** The style of all pages. */
void cgm_report_write_style(FILE *page);

/** What was found, in sentences. */
void cgm_report_write_summary(const cgm_report_data *data, FILE *page);

/** A table with its notes. */
void cgm_report_write_table(const cgm_table *table, FILE *page);

#endif
