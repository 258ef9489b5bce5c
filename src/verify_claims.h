/**
 * @file verify_claims.h
 * What a result, or the party's own file of it (output.party_dir), says of one party, and the
 * party's own data, read and checked for sizes. Internal to `verify`. All functions are Local and
 * return CGM_OK, CGM_ERR_INPUT or CGM_ERR_MEMORY.
 */
#ifndef CGM_VERIFY_CLAIMS_H
#define CGM_VERIFY_CLAIMS_H

#include "cgm/features.h"
#include "cgm/kernel.h"
#include "cgm/points.h"

/** Room for the path of a dataset. */
enum { CGM_CLAIMS_PATH = 320 };

/** The party's own data, as in its file. */
typedef struct cgm_own_data {
    const char *path; /**< of the file, borrowed */
    cgm_points_shape shape;
    double *points;
    int64_t *labels;
} cgm_own_data;

/** What the result says of the party, whatever β. */
typedef struct cgm_claims {
    const char *name; /**< of the party, borrowed */
    int64_t n_parties;
    int64_t party; /**< its index */
    int64_t n_points;
    uint64_t checksum;
    double single;
    double alpha;
    double v_star;
    double rho;
    double target;        /**< r_i */
    double reference_sum; /**< t_i */
    int64_t n_reference;
    int64_t n_candidates;   /**< g, or in a party's file, which does not say, what it is below */
    double *candidate_sums; /**< u [n_candidates], or NULL in a party's file */
    bool embedded;          /**< values come from embeddings, not from points */
    bool contributed;       /**< the reward program had a solution and the party a place in it */
    cgm_features features;
    cgm_kernel kernel;    /**< its centre is for the caller to set */
    double *lengthscales; /**< [1 or as many as the kernel sees features] */
} cgm_claims;

/** The reward at one β as the result has it. */
typedef struct cgm_claimed_reward {
    char group[CGM_CLAIMS_PATH]; /**< where it stands */
    int64_t first;               /**< row of the party's first point */
    int64_t count;
    int64_t n_features;     /**< of the party's data, or components of a projected pool */
    double *points;         /**< [count][n_features] */
    int64_t *indices;       /**< [count] */
    double *values;         /**< [count] */
    double *candidate_sums; /**< [count] u of each point; NaN where its index is outside the pool */
    double start_value;
    double target;
    int64_t reached;
} cgm_claimed_reward;

/**
 * Read both. The party's file is its own alone, with /data, or an input file with
 * /parties/NAME/data. name and own_path are borrowed. The pairs are cgm_claims_destroy and
 * cgm_own_data_destroy, after errors too. CGM_ERR_INPUT also when no party has the name, the
 * message names the nearest.
 */
cgm_status cgm_claims_read(const cgm_h5_file *result, const char *name, const char *own_path,
                           cgm_claims *says, cgm_own_data *own);
void cgm_claims_destroy(cgm_claims *says);
void cgm_own_data_destroy(cgm_own_data *own);

/** set is the name of the group in /sampling. The pair is cgm_claimed_reward_destroy, after errors
 * too. */
cgm_status cgm_claimed_reward_read(const cgm_h5_file *result, const char *set,
                                   const cgm_claims *says, const cgm_own_data *own,
                                   cgm_claimed_reward *reward);
void cgm_claimed_reward_destroy(cgm_claimed_reward *reward);

#endif
