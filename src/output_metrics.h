/* The groups of a result that hold the measures of the rewards (metrics.h). Internal to output.c.
 */
#ifndef CGM_OUTPUT_METRICS_H
#define CGM_OUTPUT_METRICS_H

#include "cgm/metrics.h"
#include "writer.h"

/* Collective. /metrics and /metrics/beta_<beta>: a dataset [n_parties] a column, and what is
 * correlated. Nothing where nothing was selected. */
void output_put_metrics(cgm_writer *to, const cgm_metrics *metrics);

#endif
