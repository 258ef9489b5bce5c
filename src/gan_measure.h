/**
 * @file gan_measure.h
 * How far a generative network's points are from the parties' (generator_gan.h). Internal.
 *
 * MMD², half of it of all points and half the mean over the classes of that within them, unbiased,
 * under a sum of squared-exponential kernels of several lengthscales in units of each feature's
 * deviation, seen through a fixed number of random directions (MATH.md §8). So parties' points
 * enter by sums of cosines and sines alone, once: none moves, and a measurement costs the same
 * however many there are. Its error is relative to MMD² itself, some percent, and the same for all
 * networks that are measured.
 */
#ifndef CGM_GAN_MEASURE_H
#define CGM_GAN_MEASURE_H

#include "cgm/accumulator.h"
#include "cgm/shard.h"
#include "gan_classes.h"
#include "gan_network.h"

/** Random directions, and points of the sample by which a network is measured. */
enum { CGM_GAN_DIRECTIONS = 512, CGM_GAN_SAMPLE = 2048 };

typedef struct cgm_gan_measure {
    const cgm_gan_network *network;
    const cgm_gan_classes *classes;
    uint64_t seed;
    int64_t n_points;   /**< the parties' */
    int64_t n_groups;   /**< classes, or 1 without labels */
    double *directions; /**< [n_features][CGM_GAN_DIRECTIONS] */
    double *parties; /**< [n_groups][2 CGM_GAN_DIRECTIONS] mean embeddings of the parties' points,
                          the same on every rank */
    double *sampled; /**< the same of the sample last measured */
    int64_t *points; /**< [n_groups] the parties' */
    int64_t *counts; /**< [n_groups] of the sample */
    cgm_accumulators sums; /**< [n_groups][2 CGM_GAN_DIRECTIONS]; low follows high */
    double *work;          /**< [CGM_GAN_BLOCK][n_features + CGM_GAN_DIRECTIONS] */
    cgm_gan_space space;   /**< for CGM_GAN_BLOCK rows */
} cgm_gan_measure;

/**
 * Choose the directions and embed the parties' points.  Collective.  Cost O(n·CGM_GAN_DIRECTIONS·d)
 * over all ranks.
 * @param[in]  network, classes  must outlive the measure
 * @param[in]  pause             looked at after every block of points; may be NULL
 * @param[out] measure           the pair is cgm_gan_measure_destroy, after errors too
 * @return the same code on every rank: CGM_OK, CGM_STOPPED, CGM_ERR_OUTPUT, CGM_ERR_MEMORY
 */
cgm_status cgm_gan_measure_create(cgm_comm *comm, const cgm_shard *shard,
                                  const cgm_gan_network *network, const cgm_gan_classes *classes,
                                  uint64_t seed, const cgm_pause *pause, cgm_gan_measure *measure);

/** Collective. MMD² of a sample of CGM_GAN_SAMPLE points, always from the same latent numbers and
 * in the classes' shares, to the parties' points; the same on every rank. The ranks share the work.
 * @param[in] parameters  the generator's */
double cgm_gan_measure_network(cgm_comm *comm, cgm_gan_measure *measure, const double *parameters);

/** Local. Accepts a zeroed struct. */
void cgm_gan_measure_destroy(cgm_gan_measure *measure);

#endif
