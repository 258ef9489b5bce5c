/**
 * @file generator_gmm.h
 * A Gaussian mixture of the parties' points, one for each class where they have labels, fitted by
 * expectation maximisation on all ranks. What is reduced are sums over points, exactly, so that the
 * mixture is the same bits at every number of ranks and threads.
 *
 * No point is sent. What leaves a rank, and is known to all once it is summed up over all ranks:
 * - the least and the largest value of each feature, its sum and that of squared differences
 *   (spread.h): a value at either end is one of some point; the labels that occur;
 * - of each class: number of points, and in each feature the sum of coordinates and that of their
 *   squared differences from the mean;
 * - of cells of its points: how many there are, and sums of coordinates and of their squares. A
 * cell has at least CGM_GMM_LEAST_POINTS points, of all ranks together;
 * - of clusters and components: sums of 1, x_f, x_f·x_g over the points, each weighted by its part
 *   in the component, and the sum of their log-likelihoods.
 * Rank 0 sends centres, coefficients and mixtures, which it works out from these.
 *
 * A sum over few points tells of them, and one over a single point is that point. So it is for a
 * rank that has one point of a class, in what it adds to the sum; for all, where a class has one
 * point, or a component holds little but one. This is not differential privacy.
 */
#ifndef CGM_GENERATOR_GMM_H
#define CGM_GENERATOR_GMM_H

#include "cgm/model.h"
#include "cgm/pause.h"
#include "cgm/shard.h"

/** Largest number of components of a mixture. */
enum { CGM_GMM_COMPONENTS_MAX = 1000 };

typedef struct cgm_gmm_options {
    int64_t components; /**< of each class; 0: chosen by the Bayesian information criterion */
    int64_t max_iterations;
    double tolerance; /**< least gain of the mean log-likelihood that another iteration is for */
} cgm_gmm_options;

/** The mixture of a class, or of all points where there are no labels. */
typedef struct cgm_gmm_class {
    int64_t label; /**< 0 without labels */
    int64_t n_points;
    double share; /**< of the candidates */
    int64_t first_component;
    int64_t n_components;
    int64_t iterations;       /**< that raised the likelihood of the mixture chosen */
    int64_t starts;           /**< of several components, of any mixture that was tried */
    int64_t start_components; /**< over these, the sum of their components */
    int64_t passes; /**< over the points for the likelihood of any mixture that was tried */
    int64_t component_passes; /**< over these, the sum of their components */
    bool converged;
    bool is_scarce;        /**< fewer points than a covariance of full rank needs */
    bool is_short;         /**< fewer cells of points than components were asked for */
    bool is_widened;       /**< a component would be narrower than the least variance */
    double log_likelihood; /**< mean over the class's points, natural logarithm, of the density over
                              those features that are not constant, in their unit */
    double criterion;      /**< −2 log-likelihood of all points + parameters · log n_points */
} cgm_gmm_class;

/** A trained mixture; the state of its cgm_model. The same bits on every rank. */
typedef struct cgm_gmm {
    int64_t n_features;
    bool has_labels;
    int64_t n_classes;
    cgm_gmm_class *classes; /**< [n_classes] by ascending label */
    int64_t n_components;   /**< of all classes, one after the other */
    double *weights;        /**< [n_components] sum to 1 over a class */
    double *means;          /**< [n_components][n_features] */
    double *covariances; /**< [n_components][n_features][n_features]; rows and columns of constant
                            features are 0 */
    double *factors;     /**< [n_components][n_features][n_features]: L of covariance = L·Lᵀ,
                            transposed: row f is the f-th column of L */
    double *until;       /**< [n_components] share of the candidates of it and all before */
} cgm_gmm;

/**
 * Fit the mixtures.  Collective.
 *
 * Of each class: points scaled by their mean and standard deviation; cells of points that
 * are close to each other; centres by k-means++ among the means of cells (greedy, four trials), a
 * round of k-means, and expectation maximisation, all this four times. The likeliest is taken,
 * before it one with fewer components of less than max(n_features + 1, CGM_GMM_LEAST_POINTS)
 * points; such a component changes its weight alone. Where a covariance would be below
 * CGM_GMM_LEAST_VARIANCE in some direction, in units of the variance of all points in each feature,
 * it is the likeliest that is not. With components = 0 sizes 1, 2, 3, 4, 6, 8, 12, 16 are fitted,
 * as far as there are n_features + 1 points a component, and the criterion chooses.
 * @param[in]  shard  points in the features to be modelled
 * @param[in]  pause  looked at after every pass; nothing is handed over to be kept. May be NULL
 * @param[out] model  state is a cgm_gmm; the pair is model->destroy, after errors too unless it is
 *                    NULL
 * @return the same code on every rank: CGM_OK, CGM_ERR_INPUT (more than CGM_LABELS_MAX labels; a
 *         variance that is no normal double), CGM_STOPPED, CGM_ERR_OUTPUT, CGM_ERR_MEMORY.  A pass
 *         costs O(points · components · n_features²) over all ranks.
 */
cgm_status cgm_gmm_train(cgm_comm *comm, const cgm_shard *shard, const cgm_gmm_options *options,
                         cgm_class_share share, uint64_t seed, const cgm_pause *pause,
                         cgm_model *model);

/** Local. The sizes that are tried: their number; all of them into sizes, unless that is NULL.
 * @param[in] components  0, or the only size
 * @param[in] n_points    of the class */
enum { CGM_GMM_SIZES_MAX = 8 };
int cgm_gmm_sizes(int64_t components, int64_t n_points, int64_t n_features,
                  int64_t sizes[CGM_GMM_SIZES_MAX]);

/** Local. How many starts of a size there are: CGM_GMM_STARTS, or one. */
enum { CGM_GMM_STARTS = 4 };
int cgm_gmm_starts(int64_t n_components);

/** Points of a cell, and those that a component moves with, at the least. */
enum { CGM_GMM_LEAST_POINTS = 5 };
/** Centres are chosen among cells of points, so many for each; cells that are drawn for one, of
 * which the best is taken. */
enum { CGM_GMM_CELLS = 4, CGM_GMM_TRIALS = 4 };
/** Local. Products of a point's coordinates that a mixture's sums are of: 1, x_f, x_f·x_g. */
int64_t cgm_gmm_products(int64_t n_features);

#endif
