/**
 * @file gan_toys.h
 * Made-up parties for the tests of the generative network, and what it draws from them.
 */
#ifndef CGM_TESTS_GAN_TOYS_H
#define CGM_TESTS_GAN_TOYS_H

#include "cases.h"
#include "cgm/generator_gan.h"

enum { TOY_FEATURES = 2 };

/** A network that is trained in no time. */
extern const cgm_gan_options toy_options;

/** Candidates, and the labels that they have. */
typedef struct toy_drawing {
    int64_t count;
    double *points;
    int64_t *labels; /**< of 0 where there are none */
} toy_drawing;

/** Local. A point of a distribution that no normal one fits: class -3 lies in two places, class 8
 * in one, in features of unlike units. */
void toy_point(uint64_t stream, uint64_t row, double *point, int64_t *label);

/** Collective. Parties of such points, at home on the ranks as the program would place them. The
 * pair is case_close. */
void toy_open(cgm_comm *comm, int64_t n_parties, const int64_t *sizes, test_case *made);

/** Local. Parties without labels. */
void toy_drop_labels(test_case *made);

/** Collective. Candidates first .. first + count - 1 of seed 4. The pair is toy_discard. */
toy_drawing toy_draw(cgm_comm *comm, const cgm_model *model, int64_t n_features, int64_t first,
                     int64_t count);

/** Collective. Trains a network with seed 3 and draws its first candidates: numbers, and the same
 * on every rank. */
toy_drawing toy_train_and_draw(cgm_comm *comm, const test_case *made,
                               const cgm_gan_options *options, cgm_class_share share,
                               int64_t count);

/** Local. */
void toy_discard(toy_drawing *made);

#endif
