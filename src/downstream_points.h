/* The points that downstream models are trained on and tested on (downstream.h), of as many parties
 * and in such numbers as the limits allow. Internal. */
#ifndef CGM_DOWNSTREAM_POINTS_H
#define CGM_DOWNSTREAM_POINTS_H

#include "cgm/pipeline.h"

/* A party's point as it is known beside its coordinates. */
typedef struct downstream_row {
    int64_t label;
    uint64_t ticket; /* random: of too many points those with the lowest are taken */
} downstream_row;

/* The same on every rank; points and labels one copy a node. Number k of the measured parties is
 * party measured[k]; training set 0 of a party is D_i, training set 1 + s is D_i ∪ R_i at inverse
 * temperature number s. */
typedef struct downstream_points {
    const cgm_run *run;
    int64_t n_measured;
    int64_t *measured; /* [n_measured] ascending */
    int64_t n_sets;    /* training sets of a party */

    uint64_t *training_bars; /* [n_measured][n_sets] highest ticket that is taken */
    uint64_t *others_bars;   /* [n_measured] of other parties' points */

    int64_t *first;       /* [n_parties + 1] rows of each party */
    downstream_row *rows; /* points of the parties that are of use, in their order */
    double *points;       /* [rows][n_features] */
    cgm_shared rows_memory, points_memory;

    int64_t *first_reward; /* [n_measured · (n_sets - 1) + 1] rewards taken by party and β */
    double *reward_points;
    int64_t *reward_labels;
    cgm_shared reward_points_memory, reward_labels_memory;

    cgm_labelled test; /* of /test, taken */
} downstream_points;

/* Collective. Points and labels are needed: the parties have some. The pair is
 * downstream_points_destroy, after errors too. CGM_OK, CGM_ERR_MEMORY. */
cgm_status downstream_points_gather(cgm_comm *comm, const cgm_run *run, downstream_points *all);

/* Local. Number of points of a training set. */
int64_t downstream_points_count(const downstream_points *all, int64_t k, int64_t set);

/* Local. The training set, or the points of other parties that measured party k is tested on. Its
 * arrays are the caller's to free, after errors too. CGM_OK, CGM_ERR_MEMORY. */
cgm_status downstream_points_train(cgm_comm *comm, const downstream_points *all, int64_t k,
                                   int64_t set, cgm_labelled *points);
cgm_status downstream_points_others(cgm_comm *comm, const downstream_points *all, int64_t k,
                                    cgm_labelled *points);

/* Collective over the node (shared memory). Accepts a zeroed struct. */
void downstream_points_destroy(downstream_points *all);

#endif
