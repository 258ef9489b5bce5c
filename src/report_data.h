/**
 * @file report_data.h
 * What a report shows of a run: filled from a result file, or from the run itself. Internal to the
 * report. All functions are Local.
 */
#ifndef CGM_REPORT_DATA_H
#define CGM_REPORT_DATA_H

#include "cgm/h5.h"
#include "cgm/metrics.h"
#include "cgm/picture.h"

struct cgm_run;

/** One β. */
typedef struct cgm_report_set {
    double inv_temp;
    const char *group;      /**< of its rewards in the file; NULL from a run */
    const int64_t *offsets; /**< [n_parties + 1] rows of each party among all rewards */
    const double *start_value, *realised;      /**< [n_parties] v of a party's data, without its
                                                  reward and with it */
    const int64_t *draws, *reached;            /**< [n_parties] */
    const double *columns[CGM_METRIC_COLUMNS]; /**< [n_parties], or NULL */
    double correlation[CGM_METRIC_COLUMNS];    /**< with α; NaN: missing */
} cgm_report_set;

typedef struct cgm_report_incentive {
    const char *name;
    bool holds;
    double violation, realised;
    const char *detail;
} cgm_report_incentive;

/** Of all ranks; seconds and bytes. */
typedef struct cgm_report_stage {
    const char *name;
    double min, mean, max;
    int64_t slowest_rank;
    int64_t kernel_evaluations, bytes_sent, bytes_received, peak_memory;
} cgm_report_stage;

/** Everything is borrowed from the run, or owned by `kept`. */
typedef struct cgm_report_data {
    cgm_h5_file file; /**< open, for what is too large to keep; zeroed from a run */
    const char *path;

    const char *version, *git, *command, *options, *hosts, *instruction_set, *started, *finished;
    const char *reused, *status;
    uint64_t seed, input_checksum, result_checksum;
    int64_t mpi_size, threads;

    int64_t n_parties;
    char *const *names;      /**< [n_parties] */
    const int64_t *n_points; /**< [n_parties] */
    int64_t total_points, n_candidates;
    int64_t n_features; /**< of the parties' points */
    int64_t n_stored;   /**< of rows of the pool and of rewards, if these are coordinates */
    bool has_labels;

    int64_t n_components; /**< 0: features were not projected, and what follows has no meaning */
    bool whitened, pool_projected;
    const double *explained_variance; /**< [n_components] */
    double total_variance;

    const char *kernel_type, *lengthscale_rule;
    int64_t n_lengthscales;
    const double *lengthscales; /**< [n_lengthscales] 1 or one a feature */
    int64_t passes;
    bool always_valid, sufficient_condition;
    bool sufficient_unknown; /**< sufficient_condition was not looked at */
    int64_t marginals, monotone_violations;
    double worst_marginal;

    const double *reference_sums;                    /**< t [n_parties] */
    const double *single, *ceiling, *stable, *lower; /**< [n_parties] */
    double grand;

    const double *phi, *alpha; /**< [n_parties] */
    /** Standard errors where values come from embeddings [n_parties], or NULL. */
    const double *single_error, *ceiling_error, *phi_error, *alpha_error;
    double grand_error;
    int64_t embedding_features;
    const char *method, *semivalue;
    double error_estimate, efficiency_gap;
    int64_t nodes;

    const double *r; /**< [n_parties] */
    const char *condition, *reward_status, *binding;
    double v_star, rho, total_violation;
    char *const *lost; /**< [n_parties], or NULL */

    int64_t n_sets;
    cgm_report_set *sets; /**< ascending in β from a file */
    double mean_correlation[CGM_METRIC_COLUMNS], se_correlation[CGM_METRIC_COLUMNS];
    const double *beta_n_rewards, *beta_mmd2_after; /**< [n_parties], or NULL */

    int64_t n_incentives;
    cgm_report_incentive *incentives;

    int64_t n_warnings;
    char *const *warning_codes;
    char *const *warning_texts;

    int64_t n_stages;
    cgm_report_stage *stages;

    const cgm_picture *picture; /**< NULL: none */

    int64_t n_kept, kept_room;
    void **kept; /**< memory to be freed */
} cgm_report_data;

/**
 * Read a result file, which stays open.  comm and path are borrowed.
 * @param[out] data  the pair is cgm_report_data_destroy, after errors too
 * @return CGM_OK, CGM_ERR_INPUT (no result, or a damaged one: sizes that do not fit each other),
 * CGM_ERR_MEMORY
 */
cgm_status cgm_report_read(cgm_comm *comm, const char *path, cgm_report_data *data);

/** Of a run on rank 0, whose stages so far are collected; it must outlive data. As cgm_report_read,
 * CGM_ERR_MEMORY at worst. */
cgm_status cgm_report_of_run(cgm_comm *comm, const struct cgm_run *run, cgm_report_data *data);

/** Leave memory to data, also when that fails: NULL then. memory may be NULL. */
void *cgm_report_keep(cgm_report_data *data, void *memory);

/** Zeroed memory that data owns; NULL and CGM_ERR_MEMORY recorded. */
void *cgm_report_alloc(cgm_comm *comm, cgm_report_data *data, int64_t count, size_t size);

/** Accepts a zeroed struct. */
void cgm_report_data_destroy(cgm_report_data *data);

/* ---- what is looked up ---- */

/** Points in the reward of a party at a β. */
int64_t cgm_report_rewards(const cgm_report_set *set, int64_t party);

/** Share of the variance of all features that the components have; 0 where there is none. */
double cgm_report_explained(const cgm_report_data *data);

/** Whether all points of T are the same, and k of any two of them κ. */
bool cgm_report_all_equal(const cgm_report_data *data);

/** Whether any number of a column of a β is there. */
bool cgm_report_has_column(const cgm_report_data *data, const cgm_report_set *set,
                           cgm_metric_column column);

/** v after each draw, or points [count][n_features], of rows first .. first + count - 1 of the
 * rewards at a β, from the file. */
cgm_status cgm_report_read_values(const cgm_report_data *data, const cgm_report_set *set,
                                  int64_t first, int64_t count, double *values);
cgm_status cgm_report_read_points(const cgm_report_data *data, const cgm_report_set *set,
                                  int64_t first, int64_t count, double *points);

/** Walk over the options. section and key are not ended by a null character.
 * @param[in,out] at  the options at first, then where the next line begins
 * @return false at the end */
typedef struct cgm_report_option {
    int section_length, key_length, value_length;
    const char *section, *key, *value;
} cgm_report_option;
bool cgm_report_next_option(const char **at, cgm_report_option *option);

#endif
