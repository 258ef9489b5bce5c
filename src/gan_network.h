/**
 * @file gan_network.h
 * The two networks of a conditional generative adversarial network, and the derivatives of their
 * losses (generator_gan.h). Internal; all functions are Local.
 *
 * Both see points in units of the deviation of each feature of all parties' points, and the class
 * as one input a class. For rows of real points x and of generated points x' = G(z, c) of the same
 * classes c the losses are, with s(t) = log(1 + e^t) and γ the penalty,
 *
 *     discriminator   Σ s(D(x', c) − D(x, c)) + γ/2 (|∂D/∂x|² + |∂D/∂x'|²)
 *     generator       Σ s(D(x, c) − D(x', c))
 *
 * (relativistic pairs with zero-centred gradient penalties on both sides: Huang, Gokaslan,
 * Kuleshov, Tompkin, NeurIPS 2024).
 */
#ifndef CGM_GAN_NETWORK_H
#define CGM_GAN_NETWORK_H

#include "cgm/generator_gan.h"
#include "cgm/rng.h"
#include "perceptron.h"

/** Rows that are worked on together: part of what results mean bit for bit. */
enum { CGM_GAN_BLOCK = 64 };

/** Zeroed: none. Parameters are kept apart: the generator's, then the discriminator's. */
typedef struct cgm_gan_network {
    int64_t n_features;
    int64_t n_latent;
    int64_t n_classes;            /**< 0: without labels */
    cgm_perceptron generator;     /**< latent numbers and classes to features */
    cgm_perceptron discriminator; /**< features and classes to one number */
    double *mean;                 /**< [n_features] a point is mean + scale·output */
    double *scale;                /**< [n_features] 0 where a feature is constant */
} cgm_gan_network;

/** Work space of one thread for so many rows. */
typedef struct cgm_gan_space {
    double *real;             /**< [n_rows][n_features] points in units of scale */
    int64_t *classes;         /**< [n_rows] */
    double *generated;        /**< the generator's trace of rows; its layer 0 is filled in */
    double *generator_slopes; /**< the same */
    double *judged;           /**< the discriminator's trace of twice the rows, real ones first */
    double *slopes;           /**< the same */
    double *tangents;         /**< the same */
    double *units;            /**< [2 n_rows] */
} cgm_gan_space;

/** Sums over rows. */
typedef struct cgm_gan_losses {
    double discriminator;
    double generator;
} cgm_gan_losses;

/** Local. Networks of that shape; mean and scale are left out.
 * @param[in] n_classes  0: without labels */
cgm_gan_network cgm_gan_network_of(const cgm_gan_options *options, int64_t n_features,
                                   int64_t n_classes);

/** Local. Parameters of both networks. */
int64_t cgm_gan_parameters(const cgm_gan_network *network);

/** The parameters before training [cgm_gan_parameters]: normal weights that keep the size of what
 * passes through a layer, biases 0. */
void cgm_gan_initialise(const cgm_gan_network *network, uint64_t seed, double *parameters);

/** Local. Numbers that the arrays of a work space have room for. */
int64_t cgm_gan_space_numbers(const cgm_gan_network *network, int64_t n_rows);

/** Local. CGM_OK, CGM_ERR_MEMORY; the pair is cgm_gan_space_destroy, after errors too. */
cgm_status cgm_gan_space_create(cgm_comm *comm, const cgm_gan_network *network, int64_t n_rows,
                                cgm_gan_space *space);

/** Local. Accepts a zeroed struct. */
void cgm_gan_space_destroy(cgm_gan_space *space);

/** A row of the generator's input: normal numbers (a, b) of a stream, and the class.
 * @param[out] input  [n_latent + n_classes] */
void cgm_gan_fill_input(const cgm_gan_network *network, const cgm_rng *rng, uint64_t a, uint64_t b,
                        int64_t class, double *input);

/** A party's point in units of scale. */
void cgm_gan_standardise(const cgm_gan_network *network, const double *point, double *standard);

/** From layer 0 of space->generated, of so many rows, to points in units of scale: they are the
 * last layer, which is returned. */
double *cgm_gan_generate(const cgm_gan_network *network, const double *parameters, int64_t rows,
                         cgm_gan_space *space);

/**
 * The derivatives of both losses, added up over rows: of the generator's by its parameters and of
 * the discriminator's by its.
 * @param[in]  space     real, classes and layer 0 of generated are filled in, of so many rows
 * @param[out] gradient  [cgm_gan_parameters], or NULL: the losses alone
 */
cgm_gan_losses cgm_gan_differentiate(const cgm_gan_network *network, const double *parameters,
                                     double penalty, int64_t rows, cgm_gan_space *space,
                                     double *gradient);

#endif
