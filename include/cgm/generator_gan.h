/**
 * @file generator_gan.h
 * A small conditional generative adversarial network, trained by all ranks on the parties' points
 * without moving one: the pool's model for generator.type = gan (model.h).
 *
 * Generator and discriminator are multilayer perceptrons with leaky ReLUs that see points in units
 * of each feature's mean and deviation over all parties, and, where there are labels, the class.
 * The losses compare a real and a generated point of the same class (relativistic pairs) and
 * penalise the discriminator's gradient at both (Huang, Gokaslan, Kuleshov, Tompkin, NeurIPS 2024);
 * Adam moves both networks at once. The generator is averaged over the last steps; now and then it
 * is measured by the MMD² of a fixed sample to the parties' points, and the best one is kept.
 */
#ifndef CGM_GENERATOR_GAN_H
#define CGM_GENERATOR_GAN_H

#include <stdbool.h>
#include <stdint.h>

#include "cgm/model.h"
#include "cgm/pause.h"
#include "cgm/shard.h"

typedef struct cgm_gan_options {
    int64_t hidden;       /**< units of a hidden layer, >= 1 */
    int64_t layers;       /**< hidden layers of each network, >= 0 */
    int64_t latent;       /**< normal numbers that a point is generated from, >= 1 */
    int64_t steps;        /**< >= 0; 0: an untrained generator */
    int64_t batch;        /**< points a step, >= 1 */
    double learning_rate; /**< > 0 */
} cgm_gan_options;

/** A class of the parties' points. */
typedef struct cgm_gan_class {
    int64_t label;
    int64_t n_points;
    int64_t only_party; /**< the one that has all of them, or -1: several have */
    bool is_one_place;  /**< they are all the same */
} cgm_gan_class;

/** What has become of a training; the state of its cgm_model begins with it. The same on every
 * rank. */
typedef struct cgm_gan_outcome {
    int64_t n_features;
    int64_t n_constant;      /**< features */
    int64_t n_parameters[2]; /**< of generator and discriminator */
    int64_t n_classes;       /**< 0: without labels */
    const cgm_gan_class *classes;
    int64_t step;     /**< after which the generator was the best: 0 .. options->steps */
    double mmd2;      /**< its MMD² to the parties' points in the program's own measure, which is
                           unbiased and so may be below 0 */
    double untrained; /**< the same before the first step */
} cgm_gan_outcome;

/**
 * Train the network.  Collective.
 * The same bits at any number of ranks and threads (where ranks run on processors of one kind);
 * they depend on the parties' names, points and labels, on options and seed. Each party's
 * discriminator and generator derivatives are taken on its own points; what is combined over
 * parties, weighted by points, are exact sums. A binary tree over the parties would need one order
 * for all to get the same bits; an exact sum has none, and any rank may add up what it holds first.
 * Derivatives leave their rank as sums over a step's batch alone: 16 bytes a parameter, step and
 * rank. Memory of a rank: some 100 bytes a parameter. Features that are constant stay so;
 * derivatives and candidates are finite whatever the data.
 * @param[in]  shard  points as candidates shall be drawn; labels [if any] are the classes
 * @param[in]  pause  looked at after every step, and while points are embedded;
 *                    nothing is handed over to be kept. May be NULL
 * @param[out] model  state begins with a cgm_gan_outcome; the pair is model->destroy; zeroed after
 *                    an error
 * @return the same code on every rank: CGM_OK, CGM_ERR_INPUT (labels of too many classes),
 *         CGM_STOPPED, CGM_ERR_OUTPUT, CGM_ERR_MEMORY
 */
cgm_status cgm_gan_train(cgm_comm *comm, const cgm_shard *shard, const cgm_gan_options *options,
                         cgm_class_share share, uint64_t seed, const cgm_pause *pause,
                         cgm_model *model);

/** Local. How often the generator is measured in a training of so many steps. */
int64_t cgm_gan_measurements(int64_t steps);

#endif
