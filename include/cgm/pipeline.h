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
#include "cgm/embedding.h"
#include "cgm/features.h"
#include "cgm/generator.h"
#include "cgm/incentives.h"
#include "cgm/kernel_sums.h"
#include "cgm/lengthscale.h"
#include "cgm/metrics.h"
#include "cgm/pairs.h"
#include "cgm/picture.h"
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
    cgm_model model; /**< that the pool was drawn from, where it was not read */
    cgm_spread spread;
    cgm_kernel kernel;
    cgm_lengthscale lengthscale;
    cgm_embedding embedding; /**< zeroed unless values come from embeddings */
    cgm_kernel_sums sums;
    cgm_values values;
    cgm_diagnostics diagnostics;
    cgm_shapley shapley;
    cgm_reward reward;
    cgm_sampling sampling;
    cgm_picture picture;
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

/** Read the parties as values.exchange wants it.  Collective.  As cgm_shard_read or
 * cgm_shard_read_sealed. */
cgm_status cgm_pipeline_read_parties(cgm_comm *comm, const cgm_config *config, cgm_shard *shard);

/** Local. Where the pool shall lie: where points stay, a rank draws its own parties' rewards, from
 * all of the pool. */
cgm_pool_placement cgm_pipeline_placement(const cgm_config *config);

/** Local. The file that a pool is read from: input.candidates, or that of the parties. */
const char *cgm_pipeline_pool_path(const cgm_config *config);

/**
 * The input alone, as `cgm run` reads and checks it: shard, candidates (announced, where they will
 * be drawn), testset, input_checksum.  Collective.
 * @param[in,out] run  config stands, all else is zero; the pair is cgm_pipeline_release, after
 * errors too
 * @return the same code on every rank
 */
cgm_status cgm_pipeline_read(cgm_comm *comm, cgm_run *run);

/**
 * As cgm_pipeline_read, then all that `cgm run` does until the pool is there: features, model,
 * candidates.  Collective.  config must choose a generator.
 */
cgm_status cgm_pipeline_generate(cgm_comm *comm, cgm_run *run);

/** Looks for test points in a file.  Collective.
 * @param[out] found  how many there are */
typedef cgm_status cgm_test_look(cgm_comm *comm, const char *path, int64_t n_features, void *state,
                                 int64_t *found);

/**
 * Look for /test where it may be: in the file of the pool, or else in that of the parties, if they
 * are in one.  Collective.
 * @return the same code on every rank: CGM_OK, also where there is none, or what look returned
 */
cgm_status cgm_pipeline_look_for_tests(cgm_comm *comm, const cgm_config *config, int64_t n_features,
                                       cgm_test_look *look, void *state);

/** Collective over the node (shared memory). Frees what the stages added. Accepts a zeroed struct.
 */
void cgm_pipeline_release(cgm_run *run);

#endif
