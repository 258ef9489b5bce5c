/**
 * @file pipeline.h
 * A run from input to output: the order of the stages and the struct they share.
 */
#ifndef CGM_PIPELINE_H
#define CGM_PIPELINE_H

#include "cgm/checkpoint.h"
#include "cgm/coalition.h"
#include "cgm/config.h"
#include "cgm/diagnostics.h"
#include "cgm/features.h"
#include "cgm/generator.h"
#include "cgm/incentives.h"
#include "cgm/kernel_sums.h"
#include "cgm/lengthscale.h"
#include "cgm/metrics.h"
#include "cgm/pairs.h"
#include "cgm/projection.h"
#include "cgm/reuse.h"
#include "cgm/reward_lp.h"
#include "cgm/sampling.h"
#include "cgm/shapley.h"
#include "cgm/shard.h"
#include "cgm/spread.h"
#include "cgm/testset.h"
#include "cgm/timer.h"
#include "cgm/warnings.h"

/** What the stages read and add to, each its own part. */
typedef struct cgm_run {
    const cgm_config *config;
    const char *command; /**< the command line, for the record */
    char started[32];    /**< UTC, ISO 8601 */
    double started_at;   /**< cgm_timer_now */
    cgm_checkpoint checkpoint;
    cgm_reuse reuse;
    cgm_timer timer;
    uint64_t input_checksum;

    cgm_shard shard;
    cgm_candidates candidates;
    cgm_testset testset;
    cgm_features features;
    cgm_spread spread;
    cgm_kernel kernel;
    cgm_lengthscale lengthscale;
    cgm_kernel_sums sums;
    cgm_values values;
    cgm_diagnostics diagnostics;
    cgm_shapley shapley;
    cgm_reward reward;
    cgm_sampling sampling;
    cgm_incentives incentives;
    cgm_metrics metrics;
    cgm_warnings warnings;
    bool already_complete; /**< output.file holds this very run: nothing was computed */
} cgm_run;

/**
 * `cgm run`: all stages, output and report.  Collective.
 * @return the same code on every rank
 */
cgm_status cgm_pipeline_run(cgm_comm *comm, const cgm_config *config, const char *command);

/**
 * The input alone, as `cgm run` reads and checks it: shard, candidates, input_checksum.
 * Collective.
 * @param[in,out] run  config stands, all else is zero; the pair is cgm_pipeline_release, after
 * errors too
 * @return the same code on every rank
 */
cgm_status cgm_pipeline_read(cgm_comm *comm, cgm_run *run);

/** Collective over the node (shared memory). Frees what the stages added. Accepts a zeroed struct.
 */
void cgm_pipeline_release(cgm_run *run);

#endif
