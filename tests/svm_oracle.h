/**
 * @file svm_oracle.h
 * Made-up labelled points, and what LIBSVM alone makes of them, one point after the other: for the
 * tests of downstream models.
 */
#ifndef CGM_TESTS_SVM_ORACLE_H
#define CGM_TESTS_SVM_ORACLE_H

#include <svm.h>

#include "cgm/downstream.h"

/** Largest number of features. */
enum { SVM_FEATURES = 8 };

/** Classes on a grid, each as wide as spread. */
typedef struct recipe {
    int64_t n_features;
    int64_t n_classes;
    double spread;
    double offset;      /**< of all coordinates */
    int64_t label_step; /**< labels are multiples of it */
} recipe;

/** A set of points that owns its memory. */
typedef struct svm_points {
    cgm_labelled set;
    double *memory; /**< [set.n_points][n_features] */
    int64_t n_features;
} svm_points;

/** A model of points as they are, with gamma as it is defined. */
typedef struct oracle {
    struct svm_model *model;
    struct svm_node *nodes;
    struct svm_node **rows;
    double *y;
    int64_t *classes;
    int64_t n_classes;
} oracle;

/** Local. A number on [0, 1) that belongs to a point. */
double recipe_number(int64_t owner, int64_t row, int64_t which);

/** Local. Label and coordinates [n_features] of an owner's point. */
int64_t recipe_label(const recipe *of, int64_t owner, int64_t row);
void recipe_point(const recipe *of, int64_t owner, int64_t row, double *point);

/** Local. An empty set with room for so many points. The pair is svm_points_destroy. */
svm_points svm_points_create(int64_t most, int64_t n_features);

/** Local. */
void svm_points_destroy(svm_points *all);

/** Local. Copies a point. */
void svm_points_add(svm_points *to, const double *point, int64_t label);
void svm_points_add_made(svm_points *to, const recipe *of, int64_t owner, int64_t row);

/** Local. The first count points of an owner. The pair is svm_points_destroy. */
svm_points svm_points_make(const recipe *of, int64_t owner, int64_t count);

/** Local. A point as LIBSVM takes it. nodes [n_features + 1] */
void oracle_fill_nodes(const double *point, int64_t n_features, struct svm_node *nodes);

/** Local. Trains on points of several classes, not all the same. The pair is oracle_destroy. */
oracle oracle_train(const svm_points *from);

/** Local. The label that svm_predict gives to a point. */
int64_t oracle_predict(const oracle *by, const double *point, int64_t n_features);

/** Local. */
void oracle_destroy(oracle *made);

/** Local. Trained on some points, the share of right labels of others; NaN of none. */
double oracle_accuracy(const svm_points *training, const svm_points *tested);

#endif
