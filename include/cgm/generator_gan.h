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

#include "cgm/comm.h"
#include "cgm/model.h"
#include "cgm/shard.h"

typedef struct cgm_gan_options {
    int64_t hidden;       /**< units of a hidden layer, >= 1 */
    int64_t layers;       /**< hidden layers of each network, >= 0 */
    int64_t latent;       /**< normal numbers that a point is generated from, >= 1 */
    int64_t steps;        /**< >= 0; 0: an untrained generator */
    int64_t batch;        /**< points a step, >= 1 */
    double learning_rate; /**< > 0 */
    bool balanced; /**< candidates of all classes alike, not in their shares of the parties' points
                    */
} cgm_gan_options;

/**
 * Train the network.  Collective.
 * The same bits at any number of ranks and threads (where ranks run on processors of one kind);
 * they depend on the parties' names, points and labels, on options and seed. Derivatives at points
 * leave their rank as sums over a step's batch alone: 16 bytes a parameter, step and rank.
 * Memory of a rank: some 100 bytes a parameter. Features that are constant stay so; derivatives and
 * candidates are finite whatever the data.
 * @param[in]  shard  points as candidates shall be drawn; labels [if any] are the classes
 * @param[out] model  the pair is model->destroy(model->state); zeroed after an error
 * @return the same code on every rank: CGM_OK, CGM_ERR_INPUT (labels of too many classes),
 *         CGM_ERR_MEMORY
 */
cgm_status cgm_gan_train(cgm_comm *comm, const cgm_shard *shard, const cgm_gan_options *options,
                         uint64_t seed, cgm_model *model);

#endif
