/**
 * @file report_json.h
 * A report as one JSON document. Internal to the report.
 */
#ifndef CGM_REPORT_JSON_H
#define CGM_REPORT_JSON_H

#include <stdio.h>

#include "report_data.h"

/** Local. Everything that a report shows, of all parties and at every β. Missing numbers are null,
 * infinite ones "inf" and "-inf"; bytes that are no UTF-8 become U+FFFD. */
void cgm_report_write_json(const cgm_report_data *data, FILE *stream);

#endif
