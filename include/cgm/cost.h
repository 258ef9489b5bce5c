/**
 * @file cost.h
 * What a run costs, stage by stage and rank by rank: kernel evaluations and bytes sent and received
 * as the run itself counts them (timer.h), and an estimate of the memory it takes.
 *
 * The model walks the way of the data as the stages do (the ring of pairs.c, the exchanges of
 * kernel_sums.c, ...) from sizes alone. What depends on the data's values, the passes of the choice
 * of the lengthscale and of the mixtures and the draws of every reward, is given to it: with the
 * numbers of a run it counts what that run counted, and so it does for the measures if it knows
 * what rewards hold. The exception are bytes of the sampling, where ranks take parties as they come
 * free, and of the measures: there the model has what is to be expected. It leaves out what only
 * parties that are exactly alike, or a quadrature that has to be refined, make a run send, what
 * ScaLAPACK sends by itself, and the few texts of the output.
 */
#ifndef CGM_COST_H
#define CGM_COST_H

#include "cgm/config.h"
#include "cgm/shard.h"

/** Stages of the pipeline that cost something, in its order. */
typedef enum cgm_cost_stage {
    CGM_COST_INPUT,
    CGM_COST_FEATURES,
    CGM_COST_GENERATOR,
    CGM_COST_LENGTHSCALE,
    CGM_COST_KERNEL_SUMS,
    CGM_COST_COALITION,
    CGM_COST_DIAGNOSTICS,
    CGM_COST_SHAPLEY,
    CGM_COST_REWARD,
    CGM_COST_SAMPLING,
    CGM_COST_PICTURE,
    CGM_COST_INCENTIVES,
    CGM_COST_METRICS,
    CGM_COST_OUTPUT,
    CGM_COST_STAGES
} cgm_cost_stage;

/** What rewards hold. */
typedef struct cgm_cost_rewards {
    const int64_t *points;    /**< [n_inv_temp of config][n_parties] of each */
    const double *candidates; /**< [n_parties] different ones over all inverse temperatures */
    double different;         /**< over all parties */
} cgm_cost_rewards;

/** What one rank does in one stage. Doubles: exact up to 2^53. */
typedef struct cgm_cost_work {
    double kernel_evaluations;
    double distances;     /**< pairs of points of which only the distance is measured */
    double multiply_adds; /**< of matrix products */
    double bytes_sent;
    double bytes_received;
    double own_memory;    /**< bytes of the rank, at most at a time during the stage */
    double shared_memory; /**< bytes that the ranks of its node share */
} cgm_cost_work;

/** The search for the lengthscale (lengthscale.h). */
typedef struct cgm_cost_search {
    int64_t passes; /**< over the points */
    int64_t series; /**< of values or slopes of all parties, over all passes */
    int64_t trials; /**< lengthscales that rank 0 chose for all */
} cgm_cost_search;

/** The training of a class's mixture (generator_gmm.h). */
typedef struct cgm_cost_class {
    int64_t n_points;
    double n_components;
    double starts;
    double start_components;
    double passes;
    double component_passes;
} cgm_cost_class;

/** A run as the model sees it. All is borrowed. */
typedef struct cgm_cost_run {
    int size; /**< ranks */
    const cgm_config *config;
    const cgm_shard *shard; /**< names, sizes and placement; points are not looked at */
    bool files;             /**< one file a party */
    int64_t n_candidates;
    const int64_t *first_candidate; /**< [size + 1] slices of the pool */
    bool sliced;
    bool is_pool_projected; /**< it is stored as coordinates on components */
    bool has_candidate_labels;
    cgm_cost_search search;
    int64_t n_classes;             /**< that a generative model tells apart; 1 without labels */
    const cgm_cost_class *classes; /**< [n_classes] of mixtures */
    const int64_t *draws;          /**< [n_inv_temp of config][n_parties] */
    cgm_cost_rewards rewards;
    int64_t n_test; /**< points of no party */
} cgm_cost_run;

/** The result: [CGM_COST_STAGES][size] */
typedef struct cgm_cost {
    int size;
    cgm_cost_work *work;
} cgm_cost;

/**
 * What rewards of rewards->points hold when every candidate is as likely as any other.  Local.
 * @param[out] candidates  [n_parties] becomes rewards->candidates
 */
void cgm_cost_expect_rewards(const cgm_shard *shard, int64_t n_inv_temp, int64_t n_candidates,
                             cgm_cost_rewards *rewards, double *candidates);

/** Local. The stage's name in the pipeline and in /timings. */
const char *cgm_cost_stage_name(cgm_cost_stage stage);

/**
 * Count what a run costs.  Local; only the memory of comm is used, so that the number of ranks may
 * be another than that of this program.  Time O(N + points/CGM_BLOCK_POINTS + ranks²).
 * @param[out] cost  the pair is cgm_cost_destroy
 * @return CGM_OK, CGM_ERR_MEMORY
 */
cgm_status cgm_cost_count(cgm_comm *comm, const cgm_cost_run *run, cgm_cost *cost);

/** Local. Accepts a zeroed struct. */
void cgm_cost_destroy(cgm_cost *cost);

/** Local. A rank's work in a stage. */
const cgm_cost_work *cgm_cost_of(const cgm_cost *cost, cgm_cost_stage stage, int rank);

/**
 * What a search that ended at a lengthscale after so many passes consisted of.  Local.  MATH.md §3:
 * down the ladder, then trials: ends of the bracket that the ladder leaves in doubt, and inside it.
 * @param[in] deviation      sd of T (spread.h)
 * @param[in] rungs_of_pass  at the most: CGM_LADDER_RUNGS, or with embeddings CGM_EMBEDDING_RUNGS
 */
cgm_cost_search cgm_cost_search_of(int64_t passes, double lengthscale, double deviation,
                                   int64_t n_features, int64_t rungs_of_pass);

#endif
