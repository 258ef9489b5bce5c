#include "gan_network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

cgm_gan_network cgm_gan_network_of(const cgm_gan_options *options, int64_t n_features,
                                   int64_t n_classes)
{
    return (cgm_gan_network){
        .n_features = n_features,
        .n_latent = options->latent,
        .n_classes = n_classes,
        .generator = {options->latent + n_classes, options->hidden, options->layers, n_features},
        .discriminator = {n_features + n_classes, options->hidden, options->layers, 1}};
}

int64_t cgm_gan_parameters(const cgm_gan_network *network)
{
    return cgm_perceptron_parameters(&network->generator) +
           cgm_perceptron_parameters(&network->discriminator);
}

/* ---- before training ---- */

/* inputs: how many of a unit's inputs are not 0 at a time. */
static void fill_weights(const cgm_rng *rng, uint64_t layer, double inputs, int64_t count,
                         double *weights)
{
    const double slope = CGM_PERCEPTRON_SLOPE;
    const double size = sqrt(2.0 / ((1.0 + slope * slope) * inputs));
    for (int64_t k = 0; k < count; k += 2) {
        uint64_t words[4];
        double normal[2];
        cgm_rng_words(rng, layer, (uint64_t)k, 0, words);
        cgm_rng_normal(words, normal);
        weights[k] = size * normal[0];
        if (k + 1 < count) {
            weights[k + 1] = size * normal[1];
        }
    }
}

static void initialise(const cgm_perceptron *shape, const cgm_rng *rng, int64_t n_classes,
                       double *parameters)
{
    for (int64_t l = 0; l <= shape->n_hidden; l++) {
        const cgm_perceptron_map map = cgm_perceptron_map_of(shape, l);
        const int64_t idle = l == 0 && n_classes > 0 ? n_classes - 1 : 0;
        fill_weights(rng, (uint64_t)l, (double)(map.inputs - idle), map.inputs * map.outputs,
                     parameters + map.weights);
        memset(parameters + map.biases, 0, (size_t)map.outputs * sizeof *parameters);
    }
}

void cgm_gan_initialise(const cgm_gan_network *network, uint64_t seed, double *parameters)
{
    const cgm_rng generator = {seed, 0, CGM_RNG_GAN_WEIGHTS};
    const cgm_rng discriminator = {seed, 1, CGM_RNG_GAN_WEIGHTS};
    initialise(&network->generator, &generator, network->n_classes, parameters);
    initialise(&network->discriminator, &discriminator, network->n_classes,
               parameters + cgm_perceptron_parameters(&network->generator));
}

/* ---- work space ---- */

int64_t cgm_gan_space_numbers(const cgm_gan_network *network, int64_t n_rows)
{
    return n_rows * (network->n_features + 3 + 2 * cgm_perceptron_trace_units(&network->generator) +
                     6 * cgm_perceptron_trace_units(&network->discriminator));
}

cgm_status cgm_gan_space_create(cgm_comm *comm, const cgm_gan_network *network, int64_t n_rows,
                                cgm_gan_space *space)
{
    const int64_t generator = n_rows * cgm_perceptron_trace_units(&network->generator);
    const int64_t discriminator = 2 * n_rows * cgm_perceptron_trace_units(&network->discriminator);
    *space = (cgm_gan_space){
        .real = cgm_alloc_aligned(comm, n_rows * network->n_features),
        .classes = cgm_alloc(comm, n_rows, sizeof *space->classes),
        .generated = cgm_alloc_aligned(comm, generator),
        .generator_slopes = cgm_alloc_aligned(comm, generator),
        .judged = cgm_alloc_aligned(comm, discriminator),
        .slopes = cgm_alloc_aligned(comm, discriminator),
        .tangents = cgm_alloc_aligned(comm, discriminator),
        .units = cgm_alloc_aligned(comm, 2 * n_rows),
    };
    const bool complete = space->real != NULL && space->classes != NULL &&
                          space->generated != NULL && space->generator_slopes != NULL &&
                          space->judged != NULL && space->slopes != NULL &&
                          space->tangents != NULL && space->units != NULL;
    return complete ? CGM_OK : CGM_ERR_MEMORY;
}

void cgm_gan_space_destroy(cgm_gan_space *space)
{
    free(space->real);
    free(space->classes);
    free(space->generated);
    free(space->generator_slopes);
    free(space->judged);
    free(space->slopes);
    free(space->tangents);
    free(space->units);
    *space = (cgm_gan_space){0};
}

/* ---- points ---- */

static void fill_class(int64_t n_classes, int64_t class, double *inputs)
{
    for (int64_t k = 0; k < n_classes; k++) {
        inputs[k] = k == class ? 1.0 : 0.0;
    }
}

void cgm_gan_fill_input(const cgm_gan_network *network, const cgm_rng *rng, uint64_t a, uint64_t b,
                        int64_t class, double *input)
{
    for (int64_t k = 0; k < network->n_latent; k += 4) {
        uint64_t words[4];
        double normal[4];
        cgm_rng_words(rng, a, b, (uint64_t)(k / 4), words);
        cgm_rng_normal(words, normal);
        cgm_rng_normal(words + 2, normal + 2);
        for (int64_t j = k; j < k + 4 && j < network->n_latent; j++) {
            input[j] = normal[j - k];
        }
    }
    fill_class(network->n_classes, class, input + network->n_latent);
}

void cgm_gan_standardise(const cgm_gan_network *network, const double *point, double *standard)
{
    for (int64_t f = 0; f < network->n_features; f++) {
        const double scale = network->scale[f];
        standard[f] = scale > 0.0 ? (point[f] - network->mean[f]) / scale : 0.0;
    }
}

/* numbers [rows][n_features]: a constant feature is 0 in units of scale, whatever the network
 * says. */
static void drop_constants(const cgm_gan_network *network, int64_t rows, double *numbers)
{
    const int64_t d = network->n_features;
    for (int64_t k = 0; k < rows * d; k++) {
        numbers[k] = network->scale[k % d] > 0.0 ? numbers[k] : 0.0;
    }
}

double *cgm_gan_generate(const cgm_gan_network *network, const double *parameters, int64_t rows,
                         cgm_gan_space *space)
{
    const cgm_perceptron *shape = &network->generator;
    cgm_perceptron_forward(shape, parameters, rows, space->generated);
    double *points = cgm_perceptron_layer(shape, rows, space->generated, shape->n_hidden + 1);
    drop_constants(network, rows, points);
    return points;
}

/* ---- losses ---- */

/* log(1 + e^t) and its derivative, for t of any size. */
static double soft_plus(double t)
{
    return fmax(t, 0.0) + log1p(exp(-fabs(t)));
}

static double soft_step(double t)
{
    const double e = exp(-fabs(t));
    return (t >= 0.0 ? 1.0 : e) / (1.0 + e);
}

/* Real points before generated ones of the same classes, as the discriminator sees them. */
static void fill_judged(const cgm_gan_network *network, int64_t rows, const double *points,
                        cgm_gan_space *space)
{
    const int64_t d = network->n_features;
    const int64_t inputs = network->discriminator.n_inputs;
    for (int64_t i = 0; i < 2 * rows; i++) {
        const double *from = i < rows ? space->real + i * d : points + (i - rows) * d;
        memcpy(space->judged + i * inputs, from, (size_t)d * sizeof *from);
        fill_class(network->n_classes, space->classes[i % rows], space->judged + i * inputs + d);
    }
}

/* The discriminator's outputs, and their own derivatives by its inputs in layer 0 of slopes. */
static void judge(const cgm_gan_network *network, const double *parameters, int64_t rows,
                  cgm_gan_space *space)
{
    const cgm_perceptron *shape = &network->discriminator;
    cgm_perceptron_forward(shape, parameters, 2 * rows, space->judged);
    double *last = cgm_perceptron_layer(shape, 2 * rows, space->slopes, shape->n_hidden + 1);
    for (int64_t i = 0; i < 2 * rows; i++) {
        last[i] = 1.0;
    }
    cgm_perceptron_backward(shape, parameters, 2 * rows, space->judged, space->slopes);
    for (int64_t i = 0; i < 2 * rows; i++) { /* classes are no direction to move in */
        double *slope = space->slopes + i * shape->n_inputs;
        drop_constants(network, 1, slope);
        memset(slope + network->n_features, 0, (size_t)network->n_classes * sizeof *slope);
    }
}

/* Both losses; units becomes the discriminator's derivative by each output. */
static cgm_gan_losses compare(const cgm_gan_network *network, double penalty, int64_t rows,
                              cgm_gan_space *space)
{
    const cgm_perceptron *shape = &network->discriminator;
    const double *output =
        cgm_perceptron_layer(shape, 2 * rows, space->judged, shape->n_hidden + 1);
    cgm_gan_losses losses = {0.0, 0.0};
    for (int64_t i = 0; i < rows; i++) {
        const double lead = output[i] - output[rows + i];
        losses.discriminator += soft_plus(-lead);
        losses.generator += soft_plus(lead);
        space->units[i] = -soft_step(-lead);
        space->units[rows + i] = soft_step(-lead);
    }
    double squares = 0.0;
    for (int64_t k = 0; k < 2 * rows * shape->n_inputs; k++) {
        squares += space->slopes[k] * space->slopes[k];
    }
    losses.discriminator += 0.5 * penalty * squares;
    return losses;
}

/* Through the discriminator's derivative by the generated points. */
static void differentiate_generator(const cgm_gan_network *network, const double *parameters,
                                    int64_t rows, cgm_gan_space *space, double *gradient)
{
    const cgm_perceptron *shape = &network->generator;
    const int64_t d = network->n_features;
    const int64_t inputs = network->discriminator.n_inputs;
    double *last = cgm_perceptron_layer(shape, rows, space->generator_slopes, shape->n_hidden + 1);
    for (int64_t i = 0; i < rows; i++) {
        const double by_output = space->units[rows + i] - 1.0; /* of s(lead) */
        for (int64_t f = 0; f < d; f++) {
            last[i * d + f] = by_output * space->slopes[(rows + i) * inputs + f];
        }
    }
    cgm_perceptron_backward(shape, parameters, rows, space->generated, space->generator_slopes);
    for (int64_t i = 0; i < rows; i++) {
        space->tangents[i] = 1.0;
    }
    cgm_perceptron_gradient(shape, rows, space->generated, space->tangents, space->generator_slopes,
                            gradient);
}

/* A weight's derivative is Σ (unit·value + γ·tangent)·slope, the loss's and the penalty's at once.
 */
static void differentiate_discriminator(const cgm_gan_network *network, const double *parameters,
                                        double penalty, int64_t rows, cgm_gan_space *space,
                                        double *gradient)
{
    const cgm_perceptron *shape = &network->discriminator;
    memcpy(space->tangents, space->slopes,
           (size_t)(2 * rows * shape->n_inputs) * sizeof *space->tangents);
    cgm_perceptron_tangent(shape, parameters, 2 * rows, space->judged, space->tangents);
    for (int64_t l = 0; l <= shape->n_hidden; l++) {
        const int64_t count = cgm_perceptron_units(shape, l);
        double *restrict values = cgm_perceptron_layer(shape, 2 * rows, space->judged, l);
        const double *restrict tangents = cgm_perceptron_layer(shape, 2 * rows, space->tangents, l);
        for (int64_t i = 0; i < 2 * rows; i++) {
            for (int64_t k = i * count; k < (i + 1) * count; k++) {
                values[k] = space->units[i] * values[k] + penalty * tangents[k];
            }
        }
    }
    cgm_perceptron_gradient(shape, 2 * rows, space->judged, space->units, space->slopes, gradient);
}

cgm_gan_losses cgm_gan_differentiate(const cgm_gan_network *network, const double *parameters,
                                     double penalty, int64_t rows, cgm_gan_space *space,
                                     double *gradient)
{
    const int64_t split = cgm_perceptron_parameters(&network->generator);
    const double *points = cgm_gan_generate(network, parameters, rows, space);
    fill_judged(network, rows, points, space);
    judge(network, parameters + split, rows, space);
    const cgm_gan_losses losses = compare(network, penalty, rows, space);
    if (gradient != NULL) {
        differentiate_generator(network, parameters, rows, space, gradient);
        differentiate_discriminator(network, parameters + split, penalty, rows, space,
                                    gradient + split);
    }
    return losses;
}
