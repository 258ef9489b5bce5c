/**
 * @file config.h
 * The options: one table gives the INI reader, the command line, --help, validation and the echo.
 */
#ifndef CGM_CONFIG_H
#define CGM_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cgm/comm.h"
#include "cgm/dense.h"
#include "cgm/embedding.h"
#include "cgm/features.h"
#include "cgm/generator.h"
#include "cgm/generator_gan.h"
#include "cgm/generator_gmm.h"
#include "cgm/kernel.h"
#include "cgm/lengthscale.h"
#include "cgm/metrics.h"
#include "cgm/reward_lp.h"
#include "cgm/shapley.h"

/** Machine code of the kernel evaluation: a set, or the best one that all ranks' processors have.
 */
typedef enum cgm_instruction_choice {
    CGM_INSTRUCTIONS_PORTABLE = CGM_PORTABLE,
    CGM_INSTRUCTIONS_AVX2 = CGM_AVX2,
    CGM_INSTRUCTIONS_AVX512 = CGM_AVX512,
    CGM_INSTRUCTIONS_AUTO
} cgm_instruction_choice;

/** Resolved options of a run; the same on every rank. Strings and arrays are owned by the struct.
 */
typedef struct cgm_config {
    char *input_parties;
    char *input_candidates; /**< empty: the file of input_parties */
    cgm_kernel_type kernel_type;
    cgm_lengthscale_rule lengthscale_rule;
    double *lengthscales;   /**< [n_lengthscales] > 0 when the rule is CGM_LENGTHSCALE_GIVEN */
    int64_t n_lengthscales; /**< 1, or one a feature */
    cgm_features_scaling scaling;
    cgm_generator_type generator_type;
    int64_t generator_size; /**< candidates to draw, >= 1 */
    bool generator_save;    /**< the pool that was drawn is part of the output */
    cgm_class_share class_share;
    cgm_gmm_options gmm;
    cgm_gan_options gan;
    cgm_features_type features_type;
    int64_t n_components; /**< of features_type CGM_FEATURES_PCA; >= 1 */
    bool whiten;
    cgm_eigensolver eigensolver;
    cgm_values_exchange exchange;
    int64_t embedding_features; /**< random frequencies; 0: as many as suit the noise */
    bool orthogonal;            /**< in orthogonal blocks */
    double epsilon;             /**< > 0; INFINITY: no differential privacy, no noise */
    double delta;               /**< (0, 0.5] */
    cgm_shapley_method shapley_method;
    cgm_semivalue semivalue;
    double shapley_tolerance;
    cgm_reward_condition reward_condition;
    bool reward_strict; /**< an infeasible program is an error */
    double *inv_temp;   /**< [n_inv_temp] 0 .. INFINITY, no value twice */
    int64_t n_inv_temp;
    double patience;             /**< (0, 1] */
    unsigned metrics;            /**< a set of cgm_metric */
    int64_t downstream_points;   /**< most points that a downstream model is trained or tested on */
    int64_t significance_points; /**< most points of the significance test's Gram matrix */
    char *output_file;
    bool output_overwrite;
    char *party_dir;            /**< "none": no such files */
    char *checkpoint_file;      /**< "none": no checkpoints */
    double checkpoint_interval; /**< seconds, > 0 */
    double max_hours;           /**< > 0; INFINITY: no limit */
    char *reuse;                /**< an earlier result; "none": all is computed */
    uint64_t seed;
    double progress; /**< seconds, 0 = no lines */
    int64_t threads; /**< of each rank, >= 1 */
    cgm_pool_placement pool_placement;
    cgm_instruction_choice instruction_set;
} cgm_config;

/**
 * Read CONFIG.ini on rank 0, apply --section.key=VALUE, validate, broadcast.  Collective.
 * @param[in]  arguments  [n_arguments] what follows the sub-command: CONFIG.ini and the overrides,
 * in any order
 * @param[out] config     the pair is cgm_config_destroy
 * @return the same code on every rank: CGM_OK, CGM_ERR_USAGE, CGM_ERR_MEMORY.  The message names
 * the file and line, or the argument, the accepted values and, for an unknown key, the nearest
 * known one.
 */
cgm_status cgm_config_load(cgm_comm *comm, int n_arguments, char **arguments, cgm_config *config);

/** Local. Accepts a zeroed struct. */
void cgm_config_destroy(cgm_config *config);

/**
 * All resolved options as INI text that can be used as a config again.  Local.
 * @param[in] results_only  leave out keys that cannot change the results (output.*, run.progress)
 * @return allocated text, the caller frees it; NULL and CGM_ERR_MEMORY recorded
 */
char *cgm_config_text(cgm_comm *comm, const cgm_config *config, bool results_only);

/** The first line in which two texts of options differ. */
typedef struct cgm_config_difference {
    int section_length, old_length, new_length;
    const char *section, *old, *new; /**< in the texts; not ended by a null character */
} cgm_config_difference;

/** Local. Components that features are projected on; 0: they are not. */
int64_t cgm_config_components(const cgm_config *config);

/** Local. Of two different texts by cgm_config_text. */
cgm_config_difference cgm_config_compare(const char *old, const char *new);

/** Local. The option table as help text: key, default, accepted values, what it does; 100 columns
 * at most. */
void cgm_config_print_help(FILE *stream);

#endif
