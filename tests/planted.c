#include "planted.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cgm/rng.h"
#include "harness.h"

/* ---- points ---- */

static void draw_normal(int64_t party, int64_t row, double normal[2])
{
    const cgm_rng rng = {3, (uint64_t)party, CGM_RNG_SIMULATE};
    uint64_t words[4];
    cgm_rng_words(&rng, (uint64_t)row, 0, 0, words);
    cgm_rng_normal(words, normal);
}

/* A correlated Gaussian, far from 0. */
void planted_make_correlated(int64_t party, int64_t row, double point[PLANTED_FEATURES],
                             int64_t *label)
{
    double normal[2];
    draw_normal(party, row, normal);
    point[0] = 1e3 + 2.0 * normal[0];
    point[1] = -5.0 + 0.3 * normal[0] + 0.01 * normal[1];
    *label = 0;
}

/* Three round clusters of equally many points; they are the labels, too, but for party 1, which has
 * nothing of the last one. */
void planted_make_clusters(int64_t party, int64_t row, double point[PLANTED_FEATURES],
                           int64_t *label)
{
    double normal[2];
    draw_normal(party, row, normal);
    *label = party == 1 ? row % 2 : row % 3;
    point[0] = 10.0 * (double)*label + normal[0];
    point[1] = *label == 1 ? 15.0 + normal[1] : normal[1];
}

/* Two clusters that overlap. */
void planted_make_overlapping(int64_t party, int64_t row, double point[PLANTED_FEATURES],
                              int64_t *label)
{
    double normal[2];
    draw_normal(party, row, normal);
    *label = row % 5 < 2;
    point[0] = *label == 1 ? 1.5 + 0.7 * normal[0] : normal[0];
    point[1] = normal[1] + 0.8 * normal[0];
}

void planted_make_outliers(int64_t party, int64_t row, double point[PLANTED_FEATURES],
                           int64_t *label)
{
    draw_normal(party, row, point);
    *label = party == 0 && row < 2;
    if (*label == 1) {
        point[0] = 50.0;
        point[1] = 50.0 + 0.1 * (double)row;
    }
}

/* A millionth of the points' spread is all of theirs but one's. */
void planted_make_far(int64_t party, int64_t row, double point[PLANTED_FEATURES], int64_t *label)
{
    draw_normal(party, row, point);
    *label = 0;
    if (party == 0 && row == 3) {
        point[0] = 1e6;
        point[1] = -1e6;
    }
}

/* Class 1 is a line. */
void planted_make_collinear(int64_t party, int64_t row, double point[PLANTED_FEATURES],
                            int64_t *label)
{
    draw_normal(party, row, point);
    *label = row % 2;
    point[1] = *label == 1 ? 2.0 * point[0] : point[1];
}

static void overlap_in_unit(int64_t party, int64_t row, int exponent,
                            double point[PLANTED_FEATURES], int64_t *label)
{
    planted_make_overlapping(party, row, point, label);
    point[0] = ldexp(point[0], exponent);
    point[1] = ldexp(point[1], exponent);
}

void planted_make_huge(int64_t party, int64_t row, double point[PLANTED_FEATURES], int64_t *label)
{
    overlap_in_unit(party, row, PLANTED_EXPONENT, point, label);
}

void planted_make_tiny(int64_t party, int64_t row, double point[PLANTED_FEATURES], int64_t *label)
{
    overlap_in_unit(party, row, -PLANTED_EXPONENT, point, label);
}

void planted_make_too_huge(int64_t party, int64_t row, double point[PLANTED_FEATURES],
                           int64_t *label)
{
    overlap_in_unit(party, row, 520, point, label);
}

void planted_make_too_tiny(int64_t party, int64_t row, double point[PLANTED_FEATURES],
                           int64_t *label)
{
    overlap_in_unit(party, row, -520, point, label);
}

/* A feature of a few values, on which a component could shrink without end. */
void planted_make_discrete(int64_t party, int64_t row, double point[PLANTED_FEATURES],
                           int64_t *label)
{
    planted_make_overlapping(party, row, point, label);
    point[0] = floor(2.0 * point[0]);
}

/* One feature never changes; the other is constant in class 7, of which there is one point. */
void planted_make_constant(int64_t party, int64_t row, double point[PLANTED_FEATURES],
                           int64_t *label)
{
    planted_make_correlated(party, row, point, label);
    point[0] = 0.1;
    *label = party == 0 && row == 5 ? 7 : -2;
}

void planted_make_same(int64_t party, int64_t row, double point[PLANTED_FEATURES], int64_t *label)
{
    (void)party;
    (void)row;
    point[0] = 0.1;
    point[1] = -1e5;
    *label = 3;
}

void planted_make_many_labels(int64_t party, int64_t row, double point[PLANTED_FEATURES],
                              int64_t *label)
{
    planted_make_correlated(party, row, point, label);
    *label = 1000 * party + row;
}

/* ---- shards ---- */

void planted_fill(cgm_comm *comm, const planted *of, cgm_shard *shard)
{
    const size_t n = (size_t)of->n_parties;
    *shard = (cgm_shard){.n_parties = of->n_parties,
                         .n_features = PLANTED_FEATURES,
                         .has_labels = of->has_labels,
                         .names = calloc(n, sizeof(char *)),
                         .party_points = calloc(n, sizeof(int64_t)),
                         .checksums = calloc(n, sizeof(uint64_t))};
    for (int64_t i = 0; i < of->n_parties; i++) {
        shard->names[i] = calloc(1, 32);
        snprintf(shard->names[i], 32, "party%d", (int)i + 1);
        shard->party_points[i] = of->sizes[i];
        shard->n_points += of->sizes[i];
    }
    assert_all_ranks(comm, cgm_shard_place(comm, false, shard) == CGM_OK);
    const size_t local = (size_t)shard->n_local_points;
    shard->points = calloc(local + 1, PLANTED_FEATURES * sizeof(double));
    shard->labels = of->has_labels ? calloc(local + 1, sizeof(int64_t)) : NULL;
    for (int64_t k = 0; k < shard->n_shares; k++) {
        for (int64_t i = shard->share_first[k]; i < shard->share_first[k + 1]; i++) {
            const int64_t row = shard->share_offset[k] + i - shard->share_first[k];
            int64_t label;
            of->make(shard->share_party[k], row, shard->points + i * PLANTED_FEATURES, &label);
            if (of->has_labels) {
                shard->labels[i] = label;
            }
        }
    }
}

/* Trains on what was planted; the state of the model. */
const cgm_gmm *planted_train(cgm_comm *comm, const planted *of, const cgm_gmm_options *options,
                             cgm_model *model)
{
    cgm_shard shard;
    planted_fill(comm, of, &shard);
    assert_all_ranks(comm, cgm_gmm_train(comm, &shard, options, CGM_SHARE_POOL, 1, NULL, model) ==
                               CGM_OK);
    cgm_shard_destroy(&shard);
    return model->state;
}

cgm_gmm_options planted_options(int64_t components)
{
    return (cgm_gmm_options){.components = components, .max_iterations = 200, .tolerance = 1e-6};
}
