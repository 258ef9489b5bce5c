/**
 * @file cost.h
 * `cgm check`: validate input and options and say what the run will need, without running it.
 */
#ifndef CGM_COST_H
#define CGM_COST_H

#include "cgm/config.h"

/**
 * Read and validate the input, then print the resolved options, sizes, kernel evaluations by stage
 * and memory a rank. Collective.  @return the same code on every rank, as cgm_pipeline_run would
 * return it for its input
 */
cgm_status cgm_cost_check(cgm_comm *comm, const cgm_config *config);

#endif
