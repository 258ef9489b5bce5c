/**
 * @file report.h
 * What a run prints: header, table of parties, stage timings, 100 columns wide, on stdout of rank
 * 0.
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
 * φ, α, r and, for each β, number of synthetic points and value reached), stage timings (min, mean,
 * max, slowest rank).
 */
void cgm_report_results(cgm_comm *comm, const cgm_run *run, FILE *stream);

/** Collective. The model that the pool was drawn from, where it was not read. */
void cgm_report_generator(cgm_comm *comm, const cgm_run *run, FILE *stream);

#endif
