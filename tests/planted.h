/**
 * @file planted.h
 * Points of two features from known distributions, at home on the ranks as the program would place
 * them, and the mixtures of them.
 */
#ifndef CGM_TESTS_PLANTED_H
#define CGM_TESTS_PLANTED_H

#include "cgm/generator_gmm.h"

enum { PLANTED_FEATURES = 2 };

/** A point of a party and row, with a label. */
typedef void planted_point(int64_t party, int64_t row, double point[PLANTED_FEATURES],
                           int64_t *label);

/** A correlated Gaussian, far from 0. */
planted_point planted_make_correlated;
/** Three round clusters of equally many points, at (0, 0), (10, 15), (20, 0); they are the labels,
 * too. Party 1 has nothing of the last one. */
planted_point planted_make_clusters;
/** Two clusters that overlap. */
planted_point planted_make_overlapping;
/** A round cluster, and two points close to each other and far from it. */
planted_point planted_make_outliers;
/** A round cluster, and one point that is a million times as far. */
planted_point planted_make_far;
/** A round cluster is class 0; the points of class 1 lie on the line y = 2x. */
planted_point planted_make_collinear;
/** The overlapping clusters in other units: times two to the power of PLANTED_EXPONENT, which is
 * about 1e150, and divided by it; and where a square is no normal double any more. */
enum { PLANTED_EXPONENT = 498 };
planted_point planted_make_huge;
planted_point planted_make_tiny;
planted_point planted_make_too_huge;
planted_point planted_make_too_tiny;
/** The overlapping clusters with a feature of a few values, on which a component could shrink
 * without end. */
planted_point planted_make_discrete;
/** The first feature never changes; of class 7 there is one point, all others are class -2. */
planted_point planted_make_constant;
/** The same point again and again, (0.1, -1e5). */
planted_point planted_make_same;
/** Every point has a label of its own. */
planted_point planted_make_many_labels;

typedef struct planted {
    int64_t n_parties;
    const int64_t *sizes; /**< [n_parties] */
    planted_point *make;
    bool has_labels;
} planted;

/** Collective. The pair is cgm_shard_destroy. */
void planted_fill(cgm_comm *comm, const planted *of, cgm_shard *shard);

/** Collective. Trains on what was planted. @return the state of the model */
const cgm_gmm *planted_train(cgm_comm *comm, const planted *of, const cgm_gmm_options *options,
                             cgm_model *model);

/** Local. The defaults of a run. */
cgm_gmm_options planted_options(int64_t components);

#endif
