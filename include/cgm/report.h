/**
 * @file report.h
 * What a run prints, 100 columns wide, on stdout of rank 0: header and tables; and `cgm report`,
 * which shows a result again: as the same tables, as JSON, or as a page to look at.
 */
#ifndef CGM_REPORT_H
#define CGM_REPORT_H

#include <stdio.h>

#include "cgm/pipeline.h"

/** Collective. Run header, before the work: program, version, host, ranks, date, input sizes, main
 * options. */
void cgm_report_header(cgm_comm *comm, const cgm_run *run, FILE *stream);

/**
 * Collective. After the work: lengthscale, Shapley and LP lines, the table of parties (points, v,
 * φ, α, r), that of rewards (for each β, number of synthetic points and value reached), measures of
 * the rewards, the certificate, stage timings (min, mean, max, slowest rank) and warnings.
 */
void cgm_report_results(cgm_comm *comm, const cgm_run *run, FILE *stream);

/** Collective. The model that the pool was drawn from, where it was not read. */
void cgm_report_generator(cgm_comm *comm, const cgm_run *run, FILE *stream);

/**
 * `cgm report`: show a result.  Collective; rank 0 works.
 * @param[in] arguments  [n_arguments] RESULT.h5 [--html FILE] [--json]
 * @return the same code on every rank: CGM_OK, CGM_ERR_USAGE, CGM_ERR_INPUT (no result, or a
 * damaged one), CGM_ERR_OUTPUT (FILE exists or cannot be written), CGM_ERR_MEMORY
 */
cgm_status cgm_report(cgm_comm *comm, int n_arguments, char **arguments);

/** Local. */
void cgm_report_print_help(FILE *stream);

#endif
