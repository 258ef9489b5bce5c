#include "gan_training.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/kernel.h"

/* Sums beside those of the parameters. */
enum { LOSSES = 2 };
/* Weight γ of the gradient penalty. */
#define PENALTY 0.2
/* Adam's decay of the mean square, and what keeps its division finite. */
#define SQUARE_DECAY 0.99
#define ADAM_FLOOR 1e-8
/* The steps' size is held over this part of them, then falls to 0 in a straight line. */
#define HELD_PART 0.5
/* The generator is averaged over this part of all steps, but no more than that of those done. */
#define AVERAGED_PART 0.02
#define AVERAGED_PART_DONE 0.1
/* Largest term of an exact sum, and the largest sum: derivatives beyond are cut off. */
#define LARGEST_TERM 0x1p17
#define LARGEST_SUM 0x1p30

/* ---- the batch ---- */

/* The first row of a batch that is a later party's than the one before which there are so many
 * points. offset: a number of 0 .. 1, of the step */
static int64_t batch_row(const cgm_gan_training *training, int64_t points, double offset)
{
    const double part = (double)points / (double)training->shard->n_points;
    return (int64_t)floor((double)training->options->batch * part + offset);
}

static double step_offset(const cgm_gan_training *training)
{
    const cgm_rng rng = {training->seed, 0, CGM_RNG_GAN_BATCH};
    uint64_t words[4];
    cgm_rng_words(&rng, (uint64_t)training->step, 0, 1, words);
    return cgm_rng_uniform(words[0]);
}

static uint64_t stream_of(const cgm_gan_training *training, int64_t party)
{
    return cgm_rng_hash(training->shard->names[party]);
}

/* Point number of a party for row number of its rows of a batch: one from each of so many equal
 * parts of its points, in their order. */
static int64_t choose_point(const cgm_gan_training *training, int64_t party, int64_t batch_rows,
                            int64_t row)
{
    const int64_t points = training->shard->party_points[party];
    const cgm_rng rng = {training->seed, stream_of(training, party), CGM_RNG_GAN_BATCH};
    uint64_t words[4];
    cgm_rng_words(&rng, (uint64_t)training->step, (uint64_t)row, 0, words);
    const double at = ((double)row + cgm_rng_uniform(words[0])) / (double)batch_rows;
    const int64_t point = (int64_t)(at * (double)points);
    return point < points ? point : points - 1;
}

/* Cuts a share's rows of the batch into leaves. */
static void list_share(cgm_gan_training *training, int64_t share, int64_t batch_rows)
{
    const cgm_shard *shard = training->shard;
    const int64_t party = shard->share_party[share];
    const int64_t begin = shard->share_offset[share];
    const int64_t end = begin + shard->share_first[share + 1] - shard->share_first[share];
    cgm_gan_leaf *leaf = NULL;
    int64_t segment = -1;
    for (int64_t row = 0; row < batch_rows; row++) {
        const int64_t point = choose_point(training, party, batch_rows, row);
        if (point < begin || point >= end) {
            continue;
        }
        if (leaf == NULL || point / CGM_BLOCK_POINTS != segment || leaf->n_rows == CGM_GAN_BLOCK) {
            leaf = &training->leaves[training->n_leaves++];
            *leaf = (cgm_gan_leaf){share, batch_rows, row, 0};
            segment = point / CGM_BLOCK_POINTS;
        }
        leaf->n_rows++;
    }
}

static void list_leaves(cgm_gan_training *training)
{
    const cgm_shard *shard = training->shard;
    const double offset = step_offset(training);
    training->n_leaves = 0;
    for (int64_t k = 0; k < shard->n_shares; k++) {
        const int64_t *before = training->points_before + shard->share_party[k];
        const int64_t first = batch_row(training, before[0], offset);
        list_share(training, k, batch_row(training, before[1], offset) - first);
    }
}

/* ---- derivatives ---- */

/* What stands in a leaf: real points, their classes, and what a point is generated from beside each
 * of them. */
static void fill_leaf(const cgm_gan_training *training, const cgm_gan_leaf *leaf,
                      cgm_gan_space *space)
{
    const cgm_shard *shard = training->shard;
    const cgm_gan_network *network = training->network;
    const int64_t party = shard->share_party[leaf->share];
    const int64_t place = shard->share_first[leaf->share] - shard->share_offset[leaf->share];
    const cgm_rng rng = {training->seed, stream_of(training, party), CGM_RNG_GAN_LATENT};
    for (int64_t i = 0; i < leaf->n_rows; i++) {
        const int64_t row = leaf->first + i;
        const int64_t at = place + choose_point(training, party, leaf->batch_rows, row);
        cgm_gan_standardise(network, shard->points + at * network->n_features,
                            space->real + i * network->n_features);
        space->classes[i] =
            shard->has_labels ? cgm_gan_classes_of(training->classes, shard->labels[at]) : 0;
        cgm_gan_fill_input(network, &rng, (uint64_t)training->step, (uint64_t)row,
                           space->classes[i], space->generated + i * network->generator.n_inputs);
    }
}

/* Within ±limit; what is no number moves nothing. */
static inline double bounded(double term, double limit)
{
    const double below = term > limit ? limit : term;
    const double both = below < -limit ? -limit : below;
    return isnan(both) ? 0.0 : both;
}

static void add_leaf(cgm_gan_training *training, const cgm_gan_leaf *leaf)
{
    const int thread = omp_get_thread_num();
    const int64_t count = training->n_parameters;
    double *terms = training->terms + thread * (count + LOSSES);
    cgm_gan_space *space = &training->spaces[thread];
    fill_leaf(training, leaf, space);
    const cgm_gan_losses losses = cgm_gan_differentiate(training->network, training->parameters,
                                                        PENALTY, leaf->n_rows, space, terms);
    terms[count] = losses.discriminator;
    terms[count + 1] = losses.generator;
    const double part = 1.0 / (double)training->options->batch;
    const double limit = fmin(LARGEST_TERM, part * LARGEST_SUM);
    for (int64_t k = 0; k < count + LOSSES; k++) {
        terms[k] = bounded(part * terms[k], limit);
    }
#pragma omp critical
    cgm_accumulators_add(training->sums, 0, count + LOSSES, terms);
}

/* ---- the step ---- */

/* Collective. The sums of all ranks' leaves; on how many ranks a pause is due. */
static int64_t add_up(cgm_comm *comm, cgm_gan_training *training, bool due)
{
    const int64_t count = training->n_parameters + LOSSES;
    int64_t *n_due = training->sums.high + 2 * count;
    *n_due = due;
    memset(training->sums.high, 0, (size_t)(2 * count) * sizeof *training->sums.high);
#pragma omp parallel for schedule(dynamic) num_threads(training->n_threads)
    for (int64_t k = 0; k < training->n_leaves; k++) {
        add_leaf(training, &training->leaves[k]);
    }
    for (int64_t k = 0; k < count; k++) {
        cgm_accumulators_normalise(training->sums, k);
    }
    cgm_comm_sum(comm, training->sums.high, 2 * count + 1);
    return *n_due;
}

/* Adam (Kingma and Ba, 2015) without inertia: its mean of the derivatives is that of one step, as
 * suits two networks that chase each other. Nothing but plain arithmetic, so that all ranks keep
 * the same parameters whatever they run on. */
static void move(cgm_gan_training *training)
{
    const double done = (double)training->step / (double)training->options->steps;
    const double left = done < HELD_PART ? 1.0 : (1.0 - done) / (1.0 - HELD_PART);
    const double rate = left * training->options->learning_rate;
    training->decayed *= SQUARE_DECAY;
    for (int64_t k = 0; k < training->n_parameters; k++) {
        const double slope = cgm_accumulators_value(training->sums, k);
        double *square = &training->squares[k];
        *square += (1.0 - SQUARE_DECAY) * (slope * slope - *square);
        training->parameters[k] -=
            rate * slope / (sqrt(*square / (1.0 - training->decayed)) + ADAM_FLOOR);
    }
}

static void follow(cgm_gan_training *training)
{
    const int64_t count = cgm_perceptron_parameters(&training->network->generator);
    const double span = fmin(AVERAGED_PART * (double)training->options->steps,
                             AVERAGED_PART_DONE * (double)training->step);
    const double weight = 1.0 / (1.0 + span);
    for (int64_t k = 0; k < count; k++) {
        training->average[k] += weight * (training->parameters[k] - training->average[k]);
    }
}

int64_t cgm_gan_training_step(cgm_comm *comm, cgm_gan_training *training, bool due)
{
    const int64_t count = training->n_parameters;
    list_leaves(training);
    const int64_t n_due = add_up(comm, training, due);
    training->losses = (cgm_gan_losses){cgm_accumulators_value(training->sums, count),
                                        cgm_accumulators_value(training->sums, count + 1)};
    move(training);
    follow(training);
    training->step++;
    return n_due;
}

/* ---- */

static cgm_status allocate(cgm_comm *comm, cgm_gan_training *training)
{
    const int64_t count = training->n_parameters;
    const int64_t generator = cgm_perceptron_parameters(&training->network->generator);
    const int64_t threads = training->n_threads;
    training->parameters = cgm_alloc_aligned(comm, count);
    training->average = cgm_alloc_aligned(comm, generator);
    training->squares = cgm_alloc_aligned(comm, count);
    training->points_before =
        cgm_alloc(comm, training->shard->n_parties + 1, sizeof *training->points_before);
    training->sums.high = cgm_alloc(comm, 2 * (count + LOSSES) + 1, sizeof *training->sums.high);
    training->leaves = cgm_alloc(comm, training->options->batch + 1, sizeof *training->leaves);
    training->spaces = cgm_alloc(comm, threads, sizeof *training->spaces);
    training->terms = cgm_alloc_aligned(comm, threads * (count + LOSSES));
    if (training->parameters == NULL || training->average == NULL || training->squares == NULL ||
        training->points_before == NULL || training->sums.high == NULL ||
        training->leaves == NULL || training->spaces == NULL || training->terms == NULL) {
        return CGM_ERR_MEMORY;
    }
    training->sums.low = training->sums.high + count + LOSSES;
    cgm_status status = CGM_OK;
    for (int64_t k = 0; k < threads && status == CGM_OK; k++) {
        status = cgm_gan_space_create(comm, training->network, CGM_GAN_BLOCK, &training->spaces[k]);
    }
    return status;
}

cgm_status cgm_gan_training_create(cgm_comm *comm, const cgm_shard *shard,
                                   const cgm_gan_network *network, const cgm_gan_classes *classes,
                                   const cgm_gan_options *options, uint64_t seed,
                                   cgm_gan_training *training)
{
    *training = (cgm_gan_training){.shard = shard,
                                   .network = network,
                                   .classes = classes,
                                   .options = options,
                                   .seed = seed,
                                   .n_parameters = cgm_gan_parameters(network),
                                   .decayed = 1.0,
                                   .n_threads = comm->threads};
    cgm_status status = cgm_agree(comm, allocate(comm, training));
    if (status != CGM_OK) {
        return status;
    }
    for (int64_t i = 0; i < shard->n_parties; i++) {
        training->points_before[i + 1] = training->points_before[i] + shard->party_points[i];
    }
    /* The mathematical library of another machine may round differently. */
    cgm_gan_initialise(network, seed, training->parameters);
    cgm_comm_broadcast(comm, training->parameters,
                       (size_t)training->n_parameters * sizeof *training->parameters, 0);
    memcpy(training->average, training->parameters,
           (size_t)cgm_perceptron_parameters(&network->generator) * sizeof *training->average);
    return CGM_OK;
}

void cgm_gan_training_destroy(cgm_gan_training *training)
{
    free(training->parameters);
    free(training->average);
    free(training->squares);
    free(training->points_before);
    free(training->sums.high);
    free(training->leaves);
    for (int k = 0; training->spaces != NULL && k < training->n_threads; k++) {
        cgm_gan_space_destroy(&training->spaces[k]);
    }
    free(training->spaces);
    free(training->terms);
    *training = (cgm_gan_training){0};
}
