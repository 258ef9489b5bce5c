#include <math.h>

#include "cgm/generator_gan.h"
#include "cost_model.h"
#include "gan_measure.h"
#include "gan_network.h"
#include "gan_training.h"

/* Numbers of an embedding (gan_measure.c). */
enum { NUMBERS = 2 * CGM_GAN_DIRECTIONS };
/* Multiply-adds that take as long as: a parameter in a leaf, which is added exactly and stands in
 * matrices of few rows; a parameter's move, and all that a step does with its sum beside; a cosine
 * or sine of an embedding and its sum. */
#define LEAF_PRODUCTS 30.0
#define MOVE_PRODUCTS 40.0
#define WAVE_PRODUCTS 150.0

static cgm_gan_network network_of(const cgm_cost_model *of)
{
    return cgm_gan_network_of(&of->run->config->gan, of->n_features,
                              of->shard->has_labels ? of->run->n_classes : 0);
}

/* Of the classes, or of all points. */
static double groups_of(const cgm_cost_model *of)
{
    return of->shard->has_labels ? (double)of->run->n_classes : 1.0;
}

/* Leaves of a step's batch at home on a rank, about: rows of one segment, at most CGM_GAN_BLOCK. */
static double count_leaves(const cgm_cost_model *of, int rank)
{
    const double batch = (double)of->run->config->gan.batch;
    const double rows = batch * of->homes[rank].points / (double)of->shard->n_points;
    return fmin(rows, of->homes[rank].n_segments + rows / CGM_GAN_BLOCK);
}

static void count_products(cgm_cost_model *of, const cgm_gan_network *network, double measurements)
{
    const cgm_gan_options *options = &of->run->config->gan;
    const double generator = (double)cgm_perceptron_parameters(&network->generator);
    const double discriminator = (double)cgm_perceptron_parameters(&network->discriminator);
    const double steps = (double)options->steps;
    const double embedding =
        CGM_GAN_DIRECTIONS * (double)network->n_features + NUMBERS * WAVE_PRODUCTS;
    const double sample = (generator + embedding) * CGM_GAN_SAMPLE / of->run->size;
    for (int r = 0; r < of->run->size; r++) {
        const double share = of->homes[r].points / (double)of->shard->n_points;
        /* Forwards, backwards, and by the parameters; of the discriminator, of a real and of a
         * generated point, along a direction too. */
        const double row = 3.0 * generator + 2.0 * 4.0 * discriminator;
        const double sums =
            (generator + discriminator) * (LEAF_PRODUCTS * count_leaves(of, r) + MOVE_PRODUCTS);
        of->work[r].multiply_adds += steps * (share * (double)options->batch * row + sums) +
                                     of->homes[r].points * embedding + measurements * sample;
    }
}

void cgm_cost_count_network(cgm_cost_model *of)
{
    const cgm_gan_options *options = &of->run->config->gan;
    const cgm_gan_network network = network_of(of);
    const double parameters = (double)cgm_gan_parameters(&network);
    const double measurements = (double)cgm_gan_measurements(options->steps);
    const double classes = (double)network.n_classes;
    if (of->shard->has_labels) {
        /* Of a class, the bounds of its parties and checksums, and its points. */
        cgm_cost_reduction(of, classes * 4.0 * sizeof(double));
        cgm_cost_reduction(of, classes * sizeof(int64_t));
    }
    cgm_cost_broadcast(of, 0, parameters * sizeof(double));
    /* The embeddings of the parties' points, all of them, and of every sample. */
    cgm_cost_reduction(of, sizeof(int64_t));
    cgm_cost_reduction(of, (1.0 + measurements) * groups_of(of) * 2.0 * NUMBERS * sizeof(int64_t));
    /* Derivatives, both losses, and whether a pause is due. */
    cgm_cost_reduction(of,
                       (double)options->steps * (2.0 * (parameters + 2.0) + 1.0) * sizeof(int64_t));
    count_products(of, &network, measurements);
}

double cgm_cost_network_bytes(const cgm_cost_model *of)
{
    const cgm_gan_options *options = &of->run->config->gan;
    const cgm_gan_network network = network_of(of);
    const double threads = (double)of->run->config->threads;
    const double generator = (double)cgm_perceptron_parameters(&network.generator);
    const double parameters = (double)cgm_gan_parameters(&network);
    const double groups = groups_of(of);
    const double d = (double)network.n_features;
    const double spaces =
        (2.0 * threads + 1.0) * (double)cgm_gan_space_numbers(&network, CGM_GAN_BLOCK);
    const double measure =
        CGM_GAN_DIRECTIONS * d + 4.0 * groups * NUMBERS + CGM_GAN_BLOCK * (d + CGM_GAN_DIRECTIONS);
    const double classes = 4.0 * groups;
    return ((4.0 + threads) * parameters + 2.0 * generator + spaces + measure + classes +
            (double)of->shard->n_parties) *
               sizeof(double) +
           (double)options->batch * sizeof(cgm_gan_leaf);
}
