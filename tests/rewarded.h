/**
 * @file rewarded.h
 * Runs for the tests of the measures: a case and rewards that the test makes up.
 */
#ifndef CGM_TESTS_REWARDED_H
#define CGM_TESTS_REWARDED_H

#include "cases.h"
#include "cgm/pipeline.h"

typedef struct rewarded_run {
    cgm_config config;
    cgm_run run;   /**< shard, candidates, spread, kernel and sums are those of the case; a test may
                      add test points */
    double *alpha; /**< [n_parties] zeros, for the test to fill in */
} rewarded_run;

/** Collective. No rewards yet. The case must stay. */
void rewarded_begin(cgm_comm *comm, const test_case *from, unsigned selected, int64_t n_sets,
                    const double *inv_temp, rewarded_run *made);

/** Collective. The next reward: of each set in order, and in it of each party in order.
 * @param[in] indices  [count] the same on every rank
 * @param[in] value    v after the last of them; unused without any */
void rewarded_add(cgm_comm *comm, rewarded_run *made, int64_t set, int64_t party,
                  const int64_t *indices, int64_t count, double value);

/** Collective. Measures, once or again. */
void rewarded_measure(cgm_comm *comm, rewarded_run *made);

/** Local. A column of a set. */
const double *rewarded_column(const rewarded_run *made, int64_t set, cgm_metric_column column);

/** Local. */
void rewarded_end(rewarded_run *made);

#endif
