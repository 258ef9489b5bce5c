/**
 * @file gan_training.h
 * Training of a conditional generative adversarial network by all ranks together
 * (generator_gan.h). Internal.
 *
 * A step looks at a batch of points that is shared out over the parties in proportion to their
 * points. Each rank differentiates the losses over the rows of the batch that are at home with it,
 * a leaf at a time: rows of one party that follow each other inside a segment of CGM_BLOCK_POINTS
 * of its points, at most CGM_GAN_BLOCK. Leaves depend on the parties alone, and their derivatives
 * are added up exactly, so that the parameters have the same bits at any number of ranks and
 * threads. Nothing of a point but its part in these sums leaves its rank.
 */
#ifndef CGM_GAN_TRAINING_H
#define CGM_GAN_TRAINING_H

#include "cgm/accumulator.h"
#include "cgm/generator_gan.h"
#include "gan_classes.h"
#include "gan_network.h"

/** Rows of a batch that are worked on together. */
typedef struct cgm_gan_leaf {
    int64_t share;      /**< of the shard */
    int64_t batch_rows; /**< of its party */
    int64_t first;      /**< counted in them */
    int64_t n_rows;
} cgm_gan_leaf;

/** Arrays of parameters have n_parameters numbers, the same on every rank. */
typedef struct cgm_gan_training {
    const cgm_shard *shard;
    const cgm_gan_network *network;
    const cgm_gan_classes *classes;
    const cgm_gan_options *options;
    uint64_t seed;
    int64_t n_parameters; /**< of both networks */
    int64_t step;         /**< steps that are done */
    double *parameters;
    double *average;        /**< the generator's, averaged over the last steps */
    double *squares;        /**< of the derivatives, averaged (Adam) */
    double decayed;         /**< what part of squares is still what it was at first */
    cgm_gan_losses losses;  /**< of the last step, a row of its batch */
    int64_t *points_before; /**< [n_parties + 1] points of the parties before */
    cgm_accumulators sums;  /**< [n_parameters + 2] derivatives and losses; low follows high, and
                               then the number of ranks that were told to be due */
    int64_t n_leaves;
    cgm_gan_leaf *leaves; /**< [options->batch + 1] this rank's of a step */
    int n_threads;
    cgm_gan_space *spaces; /**< [n_threads] */
    double *terms;         /**< [n_threads][n_parameters + 2] of a leaf */
} cgm_gan_training;

/**
 * Parameters before the first step.  Collective.
 * @param[in]  shard .. options  must outlive the training
 * @param[out] training          the pair is cgm_gan_training_destroy, after errors too
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY
 */
cgm_status cgm_gan_training_create(cgm_comm *comm, const cgm_shard *shard,
                                   const cgm_gan_network *network, const cgm_gan_classes *classes,
                                   const cgm_gan_options *options, uint64_t seed,
                                   cgm_gan_training *training);

/** Collective. One step. Sends 16 bytes a parameter.
 * @param[in] due  a pause is due on this rank
 * @return on how many ranks one is; the same on every rank */
int64_t cgm_gan_training_step(cgm_comm *comm, cgm_gan_training *training, bool due);

/** Local. Accepts a zeroed struct. */
void cgm_gan_training_destroy(cgm_gan_training *training);

#endif
