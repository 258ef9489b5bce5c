/* Derivatives of the generative network's losses against difference quotients. */
// ranks: 1 2
#include <math.h>
#include <stdlib.h>

#include "../src/gan_network.h"
#include "cgm/tolerance.h"
#include "harness.h"
#include "samples.h"

enum { ROWS = 7 };

static void fill_rows(const cgm_gan_network *network, cgm_gan_space *space)
{
    const cgm_rng rng = {1, 2, CGM_RNG_GAN_LATENT};
    for (int64_t i = 0; i < ROWS; i++) {
        for (int64_t f = 0; f < network->n_features; f++) {
            space->real[i * network->n_features + f] =
                network->scale[f] > 0.0 ? 4.0 * sample_number(5, (uint64_t)(3 * i + f)) - 2.0 : 0.0;
        }
        space->classes[i] = network->n_classes > 0 ? i % network->n_classes : 0;
        cgm_gan_fill_input(network, &rng, (uint64_t)i, 0, space->classes[i],
                           space->generated + i * network->generator.n_inputs);
    }
}

/* The loss that parameter k belongs to. */
static double loss_at(const cgm_gan_network *network, double *parameters, int64_t k, double change,
                      double penalty, cgm_gan_space *space)
{
    const double before = parameters[k];
    parameters[k] += change;
    const cgm_gan_losses losses =
        cgm_gan_differentiate(network, parameters, penalty, ROWS, space, NULL);
    parameters[k] = before;
    return k < cgm_perceptron_parameters(&network->generator) ? losses.generator
                                                              : losses.discriminator;
}

static void check_derivatives(cgm_comm *comm, const cgm_gan_network *network, double penalty)
{
    const double change = 1e-6;
    const int64_t count = cgm_gan_parameters(network);
    cgm_gan_space space;
    double *parameters = calloc((size_t)count * 3, sizeof *parameters);
    assert_all_ranks(comm, parameters != NULL);
    assert_all_ranks(comm, cgm_gan_space_create(comm, network, ROWS, &space) == CGM_OK);
    double *gradient = parameters + count;
    double *quotients = gradient + count;
    cgm_gan_initialise(network, 9, parameters);
    for (int64_t k = 0; k < count; k++) { /* biases too */
        parameters[k] += 0.2 * sample_number(6, (uint64_t)k) - 0.1;
    }
    fill_rows(network, &space);
    double largest = 0.0;
    for (int64_t k = 0; k < count; k++) {
        const double more = loss_at(network, parameters, k, change, penalty, &space);
        const double less = loss_at(network, parameters, k, -change, penalty, &space);
        quotients[k] = (more - less) / (2.0 * change);
        largest = fmax(largest, fabs(quotients[k]));
    }
    cgm_gan_differentiate(network, parameters, penalty, ROWS, &space, gradient);
    assert_close_array(comm, gradient, quotients, count, 0.0, CGM_TEST_GAN_DERIVATIVE * largest);
    cgm_gan_space_destroy(&space);
    free(parameters);
}

/* Both losses; with a penalty, whose derivative is of second order; networks of no to three hidden
 * layers, with and without classes, with a constant feature. */
static void test_derivatives(void **state)
{
    cgm_comm *comm = *state;
    double mean[3] = {0.0, 1.0, 2.0};
    double scale[3] = {1.0, 0.0, 3.0};
    for (int64_t hidden = 0; hidden <= 3; hidden++) {
        for (int64_t classes = 0; classes <= 3; classes += 3) {
            const cgm_gan_network network = {
                3,    2,    classes, {2 + classes, 5, hidden, 3}, {3 + classes, 5, hidden, 1},
                mean, scale};
            check_derivatives(comm, &network, 0.0);
            check_derivatives(comm, &network, 0.7);
        }
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_derivatives),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
