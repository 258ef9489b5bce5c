#include "cgm/generator_gan.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/log.h"
#include "cgm/points.h"
#include "cgm/spread.h"
#include "gan_measure.h"
#include "gan_training.h"
#include "writer.h"

/* How often the averaged generator is measured, beside before the first step and after the last,
 * and the least steps between two times. */
enum { MEASUREMENTS = 50, LEAST_STEPS = 50 };
/* Room for a line about progress. */
enum { LABEL_ROOM = 160 };

/* Work space of draw for one thread. */
typedef struct drawer {
    omp_lock_t lock;
    cgm_gan_space space;
} drawer;

/* What a model is, the same on every rank. */
typedef struct gan_model {
    cgm_gan_outcome outcome;
    cgm_gan_network network;
    cgm_gan_classes classes;
    double *portions;   /* [classes.count + 1] shares in the candidates, added up */
    double *parameters; /* the generator's */
    int n_drawers;
    drawer *drawers;
} gan_model;

/* ---- drawing ---- */

/* A free work space; where there are more threads than of them, one that others leave soon. */
static drawer *take_drawer(const gan_model *model)
{
    for (int k = 0; k < model->n_drawers; k++) {
        if (omp_test_lock(&model->drawers[k].lock) != 0) {
            return &model->drawers[k];
        }
    }
    omp_set_lock(&model->drawers[0].lock);
    return &model->drawers[0];
}

/* All candidates of a block, in units of scale: always whole blocks, so that no candidate depends
 * on what else is drawn. Fills space->classes. */
static const double *draw_block(const gan_model *model, uint64_t seed, int64_t block,
                                cgm_gan_space *space)
{
    const cgm_gan_network *network = &model->network;
    const cgm_rng rng = {seed, 0, CGM_RNG_GAN_CANDIDATE};
    for (int64_t i = 0; i < CGM_GAN_BLOCK; i++) {
        const uint64_t number = (uint64_t)(block * CGM_GAN_BLOCK + i);
        uint64_t words[4];
        cgm_rng_words(&rng, number, 1, 0, words);
        space->classes[i] =
            network->n_classes > 0
                ? cgm_gan_classes_at(&model->classes, model->portions, cgm_rng_uniform(words[0]))
                : 0;
        cgm_gan_fill_input(network, &rng, number, 0, space->classes[i],
                           space->generated + i * network->generator.n_inputs);
    }
    return cgm_gan_generate(network, model->parameters, CGM_GAN_BLOCK, space);
}

/* From units of scale; whatever the network says, a candidate is a number. */
static void place_point(const cgm_gan_network *network, const double *standard, double *point)
{
    for (int64_t f = 0; f < network->n_features; f++) {
        const double value = network->mean[f] + network->scale[f] * standard[f];
        point[f] = fmin(fmax(value, -CGM_POINTS_LARGEST), CGM_POINTS_LARGEST);
    }
}

static void draw(const void *state, uint64_t seed, int64_t first, int64_t count, double *points,
                 int64_t *labels)
{
    const gan_model *model = state;
    const int64_t d = model->network.n_features;
    drawer *own = take_drawer(model);
    for (int64_t block = first / CGM_GAN_BLOCK; block * CGM_GAN_BLOCK < first + count; block++) {
        const double *drawn = draw_block(model, seed, block, &own->space);
        for (int64_t i = 0; i < CGM_GAN_BLOCK; i++) {
            const int64_t place = block * CGM_GAN_BLOCK + i - first;
            if (place < 0 || place >= count) {
                continue;
            }
            place_point(&model->network, drawn + i * d, points + place * d);
            if (labels != NULL) {
                labels[place] = model->classes.list[own->space.classes[i]].label;
            }
        }
    }
    omp_unset_lock(&own->lock);
}

/* ---- output ---- */

static void put_map(const gan_model *model, int64_t layer, cgm_writer *to)
{
    const cgm_perceptron_map map = cgm_perceptron_map_of(&model->network.generator, layer);
    const int64_t dims[2] = {map.inputs, map.outputs};
    char path[64];
    snprintf(path, sizeof path, "/generator/weights_%lld", (long long)layer);
    cgm_writer_put_rows(to, path, CGM_H5_DOUBLE, 2, dims, 0, to->comm->rank == 0 ? dims[0] : 0,
                        model->parameters + map.weights);
    snprintf(path, sizeof path, "/generator/biases_%lld", (long long)layer);
    cgm_writer_put_array(to, path, CGM_H5_DOUBLE, map.outputs, model->parameters + map.biases);
}

/* Numbers of every class, under the names that mixtures have for them. */
static void put_classes(const gan_model *model, cgm_writer *to)
{
    const int64_t count = model->classes.count;
    int64_t *numbers = cgm_alloc(to->comm, 2 * count, sizeof *numbers);
    double *shares = cgm_alloc(to->comm, count, sizeof *shares);
    if (cgm_writer_agree(to, numbers != NULL && shares != NULL)) {
        for (int64_t k = 0; k < count; k++) {
            numbers[k] = model->classes.list[k].label;
            numbers[count + k] = model->classes.list[k].n_points;
            shares[k] = model->portions[k + 1] - model->portions[k];
        }
        cgm_writer_put_array(to, "/generator/label", CGM_H5_INT64, count, numbers);
        cgm_writer_put_array(to, "/generator/class_points", CGM_H5_INT64, count, numbers + count);
        cgm_writer_put_array(to, "/generator/class_share", CGM_H5_DOUBLE, count, shares);
    }
    free(numbers);
    free(shares);
}

static void put(const void *state, cgm_writer *to)
{
    const gan_model *model = state;
    const cgm_gan_network *network = &model->network;
    for (int64_t layer = 0; layer <= network->generator.n_hidden; layer++) {
        put_map(model, layer, to);
    }
    cgm_writer_put_array(to, "/generator/mean", CGM_H5_DOUBLE, network->n_features, network->mean);
    cgm_writer_put_array(to, "/generator/scale", CGM_H5_DOUBLE, network->n_features,
                         network->scale);
    if (network->n_classes > 0) {
        put_classes(model, to);
    }
    cgm_writer_put_attribute(to, "/generator", "latent", CGM_H5_INT64, &network->n_latent);
    cgm_writer_put_attribute(to, "/generator", "step", CGM_H5_INT64, &model->outcome.step);
    cgm_writer_put_attribute(to, "/generator", "mmd2", CGM_H5_DOUBLE, &model->outcome.mmd2);
    cgm_writer_put_attribute(to, "/generator", "mmd2_untrained", CGM_H5_DOUBLE,
                             &model->outcome.untrained);
}

/* ---- life ---- */

static void destroy(void *state)
{
    gan_model *model = state;
    if (model == NULL) {
        return;
    }
    for (int k = 0; k < model->n_drawers; k++) {
        omp_destroy_lock(&model->drawers[k].lock);
        cgm_gan_space_destroy(&model->drawers[k].space);
    }
    free(model->drawers);
    free(model->network.mean);
    free(model->network.scale);
    free(model->portions);
    free(model->parameters);
    cgm_gan_classes_destroy(&model->classes);
    free(model);
}

static cgm_status create_drawers(cgm_comm *comm, gan_model *model)
{
    cgm_status status = CGM_OK;
    model->drawers = cgm_alloc(comm, comm->threads, sizeof *model->drawers);
    if (model->drawers == NULL) {
        return CGM_ERR_MEMORY;
    }
    for (; model->n_drawers < comm->threads && status == CGM_OK; model->n_drawers++) {
        drawer *next = &model->drawers[model->n_drawers];
        omp_init_lock(&next->lock);
        status = cgm_gan_space_create(comm, &model->network, CGM_GAN_BLOCK, &next->space);
    }
    return status;
}

static void describe(gan_model *model)
{
    const cgm_gan_network *network = &model->network;
    cgm_gan_outcome *outcome = &model->outcome;
    *outcome =
        (cgm_gan_outcome){.n_features = network->n_features,
                          .n_parameters = {cgm_perceptron_parameters(&network->generator),
                                           cgm_perceptron_parameters(&network->discriminator)},
                          .n_classes = model->classes.count,
                          .classes = model->classes.list};
    for (int64_t f = 0; f < network->n_features; f++) {
        outcome->n_constant += !(network->scale[f] > 0.0);
    }
}

/* Local. Shapes, units and room, once the classes are known. */
static cgm_status prepare(cgm_comm *comm, const cgm_spread *spread, int64_t n_features,
                          const cgm_gan_options *options, cgm_class_share share, gan_model *model)
{
    cgm_gan_network *network = &model->network;
    const int64_t n_classes = model->classes.count;
    *network = cgm_gan_network_of(options, n_features, n_classes);
    network->mean = cgm_alloc(comm, n_features, sizeof *network->mean);
    network->scale = cgm_alloc(comm, n_features, sizeof *network->scale);
    model->portions = cgm_alloc(comm, n_classes + 1, sizeof *model->portions);
    model->parameters = cgm_alloc_aligned(comm, cgm_perceptron_parameters(&network->generator));
    if (network->mean == NULL || network->scale == NULL || model->portions == NULL ||
        model->parameters == NULL) {
        return CGM_ERR_MEMORY;
    }
    memcpy(network->mean, spread->mean, (size_t)n_features * sizeof *network->mean);
    memcpy(network->scale, spread->deviation, (size_t)n_features * sizeof *network->scale);
    for (int64_t k = 1; k <= n_classes; k++) {
        model->portions[k] = share == CGM_SHARE_BALANCED ? (double)k / (double)n_classes
                                                         : model->classes.portions[k];
    }
    describe(model);
    return create_drawers(comm, model);
}

/* ---- training ---- */

/* Measures the averaged generator and keeps it where it is the best so far. */
static double look(cgm_comm *comm, const cgm_gan_training *training, cgm_gan_measure *measure,
                   gan_model *model)
{
    const int64_t count = cgm_perceptron_parameters(&model->network.generator);
    const double measured = cgm_gan_measure_network(comm, measure, training->average);
    cgm_gan_outcome *outcome = &model->outcome;
    if (training->step == 0) {
        outcome->untrained = measured;
    }
    if (training->step == 0 || measured < outcome->mmd2) {
        outcome->mmd2 = measured;
        outcome->step = training->step;
        memcpy(model->parameters, training->average, (size_t)count * sizeof *model->parameters);
    }
    return measured;
}

/* Steps from one measurement to the next. */
static int64_t interval_of(int64_t steps)
{
    const int64_t often = steps / MEASUREMENTS;
    return often > LEAST_STEPS ? often : LEAST_STEPS;
}

int64_t cgm_gan_measurements(int64_t steps)
{
    const int64_t every = interval_of(steps);
    return 1 + steps / every + (steps % every > 0);
}

static cgm_status train(cgm_comm *comm, cgm_gan_training *training, cgm_gan_measure *measure,
                        const cgm_pause *pause, gan_model *model)
{
    const int64_t steps = training->options->steps;
    const int64_t every = interval_of(steps);
    char label[LABEL_ROOM] = "generative network";
    cgm_progress progress = cgm_progress_start(comm, label);
    double measured = look(comm, training, measure, model);
    cgm_status status = CGM_OK;
    while (training->step < steps && status == CGM_OK) {
        const bool due = pause != NULL && pause->due(comm, pause->state);
        const int64_t n_due = cgm_gan_training_step(comm, training, due);
        if (training->step % every == 0 || training->step == steps) {
            measured = look(comm, training, measure, model);
        }
        snprintf(label, sizeof label,
                 "generative network, losses %.4f and %.4f, MMD² %.2e, at best %.2e",
                 training->losses.discriminator, training->losses.generator, measured,
                 model->outcome.mmd2);
        cgm_progress_report(comm, &progress, (double)training->step, (double)steps);
        status = n_due > 0 ? pause->keep(comm, pause->state, NULL) : CGM_OK;
    }
    return status;
}

static cgm_status build(cgm_comm *comm, const cgm_shard *shard, const cgm_gan_options *options,
                        cgm_class_share share, uint64_t seed, const cgm_pause *pause,
                        gan_model *model)
{
    cgm_spread spread = {0};
    cgm_gan_measure measure = {0};
    cgm_gan_training training = {0};
    cgm_status status = cgm_gan_classes_find(comm, shard, &model->classes);
    if (status == CGM_OK) {
        status = cgm_spread_measure(comm, shard, NULL, &spread);
    }
    if (status == CGM_OK) {
        status = cgm_agree(comm, prepare(comm, &spread, shard->n_features, options, share, model));
    }
    if (status == CGM_OK) {
        status = cgm_gan_measure_create(comm, shard, &model->network, &model->classes, seed, pause,
                                        &measure);
    }
    if (status == CGM_OK) {
        status = cgm_gan_training_create(comm, shard, &model->network, &model->classes, options,
                                         seed, &training);
    }
    if (status == CGM_OK) {
        status = train(comm, &training, &measure, pause, model);
    }
    cgm_gan_training_destroy(&training);
    cgm_gan_measure_destroy(&measure);
    cgm_spread_destroy(&spread);
    return status;
}

cgm_status cgm_gan_train(cgm_comm *comm, const cgm_shard *shard, const cgm_gan_options *options,
                         cgm_class_share share, uint64_t seed, const cgm_pause *pause,
                         cgm_model *model)
{
    *model = (cgm_model){0};
    gan_model *state = cgm_alloc(comm, 1, sizeof *state);
    cgm_status status = cgm_agree(comm, state == NULL ? CGM_ERR_MEMORY : CGM_OK);
    if (status == CGM_OK) {
        status = build(comm, shard, options, share, seed, pause, state);
    }
    if (status != CGM_OK) {
        destroy(state);
        return status;
    }
    *model = (cgm_model){.has_labels = shard->has_labels,
                         .state = state,
                         .put_words = cgm_perceptron_parameters(&state->network.generator) +
                                      2 * shard->n_features + 3 * state->classes.count + (1 << 13),
                         .draw = draw,
                         .put = put,
                         .destroy = destroy};
    return CGM_OK;
}
