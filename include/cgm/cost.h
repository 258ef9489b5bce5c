/**
 * @file cost.h
 * `cgm check`: validate input and options and say what the run will need, without running it.
 */
#ifndef CGM_COST_H
#define CGM_COST_H

#include "cgm/config.h"
#include "cgm/generator.h"
#include "cgm/shard.h"

/** Kernel evaluations over all ranks, as the stages count them (timer.h). Doubles: exact up to
 * 2^53. */
typedef struct cgm_cost_work {
    double kernel_sums;
    double lengthscale_pass; /**< one pass of the choice of the lengthscale */
    double sampling_start;   /**< all parties, whatever the number of β */
    double draw;             /**< one draw of one party */
} cgm_cost_work;

/** Local. Exact; the same on every rank. */
cgm_cost_work cgm_cost_count(const cgm_shard *shard, const cgm_candidates *candidates);

/**
 * Read and validate the input, measure for a moment how fast this machine evaluates the kernel,
 * then print the resolved options, sizes, kernel evaluations by stage, memory a rank, a range for
 * the time, and the lines of a batch script that follow. Collective.  @return the same code on
 * every rank, as cgm_pipeline_run would return it for its input
 */
cgm_status cgm_cost_check(cgm_comm *comm, const cgm_config *config);

#endif
