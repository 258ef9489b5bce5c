/**
 * @file downstream.h
 * What a model learns from a party's points before (D_i) and after (D_i ∪ R_i): the accuracy of a
 * support vector machine on points that it was not trained on (MATH.md §7).
 *
 * C = 1, radial kernel exp(−γ|x − y|²) with γ = 1/(d · mean feature variance of the training set),
 * trained by LIBSVM for each pair of classes, which then vote. Points that are all the same have no
 * variance; nothing depends on γ then, as dual coefficients add up to 0, and it is 1.
 */
#ifndef CGM_DOWNSTREAM_H
#define CGM_DOWNSTREAM_H

#include "cgm/kernel.h"

struct cgm_run;
struct cgm_metrics;
struct svm_model;
struct svm_node;

/** Most classes that a model is trained for: each pair of them takes a training. */
enum { CGM_DOWNSTREAM_CLASSES = 1000 };
/** Most parties for which models are trained; of more, as many are chosen by the seed. */
enum { CGM_DOWNSTREAM_PARTIES = 50 };

/** Points somewhere in memory, and their labels. */
typedef struct cgm_labelled {
    int64_t n_points;
    const double **points; /**< [n_points] each [n_features] */
    int64_t *labels;       /**< [n_points] */
} cgm_labelled;

/** A trained model. Points are centred and divided by √(d · mean feature variance) for LIBSVM,
 * whose γ is 1 then; the training set must outlive the model. */
typedef struct cgm_downstream_model {
    int64_t n_features;
    int64_t n_classes;
    int64_t *classes;      /**< [n_classes] their labels, ascending */
    double *centre;        /**< [n_features] mean of the training set */
    cgm_kernel kernel;     /**< exp(−γ|x − y|²): se with γ = 1/(2ℓ²) */
    struct svm_model *svm; /**< LIBSVM's, with classes 0 .. n_classes - 1; NULL of one class, and of
                              more than CGM_DOWNSTREAM_CLASSES */
    struct svm_node *nodes; /**< [points of the training set][n_features + 1] that it refers to */
    double *support;        /**< [support vectors][n_features] packed (kernel.h) */
} cgm_downstream_model;

/** What was measured, for those who are to know that it was not all. */
typedef struct cgm_downstream_extent {
    int64_t n_measured; /**< parties; 0: nothing was measured */
    int64_t most;       /**< metrics.downstream_points */
    int64_t training;   /**< points of the largest training set, however many were used */
    int64_t others;     /**< points of other parties, of the party with the most; 0: none */
    int64_t test;       /**< points of /test; 0: none with labels */
    int64_t refused;    /**< models not trained, as they would have too many classes */
} cgm_downstream_extent;

/** Local. LIBSVM's version. */
void cgm_downstream_library_version(char text[32]);

/**
 * Train a model.  Local; by several threads at a time, each with a comm of its own.
 * @param[in]  set    at least one point; classes are in the order of their labels, and points of a
 *                    class in the order given
 * @param[out] model  the pair is cgm_downstream_model_destroy, after errors too
 * @return CGM_OK, CGM_ERR_MEMORY.  Cost: between n_points and n_points³ kernel evaluations, as a
 *         rule its square; 16(n_features + 1) bytes a point, LIBSVM's cache of at most 256 MiB, and
 *         16 bytes a point and class. LIBSVM does not look whether it is given the memory that it
 *         asks for: whether so much can be had is tried before.
 */
cgm_status cgm_downstream_train(cgm_comm *comm, const cgm_labelled *set, int64_t n_features,
                                cgm_instruction_set instruction_set, cgm_downstream_model *model);

/**
 * The labels that a model gives to points.  Local; by several threads at a time, each with a comm
 * of its own.  Those of LIBSVM's svm_predict, decision by decision and vote by vote, but with
 * kernel.h's evaluations and matrix products.
 * @param[in]  model      of at most CGM_DOWNSTREAM_CLASSES classes
 * @param[out] predicted  [set->n_points]
 * @return CGM_OK, CGM_ERR_MEMORY.  Cost O(n_points · support vectors · (n_features + n_classes)).
 */
cgm_status cgm_downstream_predict(cgm_comm *comm, const cgm_downstream_model *model,
                                  const cgm_labelled *set, int64_t *predicted);

/** Local. Accepts a zeroed struct. */
void cgm_downstream_model_destroy(cgm_downstream_model *model);

/**
 * The columns CGM_DOWNSTREAM_* of every β, and metrics->downstream.  Collective.
 *
 * A model is trained once for D_i and once a β for D_i ∪ R_i, on one rank each, and tested on the
 * other parties' data and on /test. Of more than metrics.downstream_points points of a training
 * set, of the others or of /test that many are used: those with the lowest of random numbers that
 * depend on the seed, the party's name and the number of the point alone. Missing: all without
 * labels, `after` of a pool without labels, `others` of a single party, `test` without labelled
 * /test, parties that are not measured, models of too many classes.
 *
 * @param[in] run  sampling stands
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY.  Beside what training takes, of
 *         every thread at a time: 8(n_features + 2) bytes a point that is used, one copy a node.
 */
cgm_status cgm_downstream_measure(cgm_comm *comm, const struct cgm_run *run,
                                  struct cgm_metrics *metrics);

#endif
