#include "gan_measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/dense.h"

/* Numbers of an embedding: a cosine and a sine a direction. */
enum { NUMBERS = 2 * CGM_GAN_DIRECTIONS };
/* Lengthscales of the kernels, of which each has the same number of directions: so many times the
 * root of twice the number of features, the distance of two points of a normal distribution. */
enum { SCALES = 3 };
static const double scales[SCALES] = {0.125, 0.25, 0.5};

static void choose_directions(const cgm_gan_measure *measure)
{
    const int64_t d = measure->network->n_features;
    const cgm_rng rng = {measure->seed, 1, CGM_RNG_GAN_MEASURE};
    for (int64_t f = 0; f < d; f++) {
        for (int64_t k = 0; k < CGM_GAN_DIRECTIONS; k += 2) {
            uint64_t words[4];
            double normal[2];
            cgm_rng_words(&rng, (uint64_t)f, (uint64_t)k, 0, words);
            cgm_rng_normal(words, normal);
            for (int64_t j = 0; j < 2; j++) {
                const double lengthscale = scales[(k + j) % SCALES] * sqrt(2.0 * (double)d);
                measure->directions[f * CGM_GAN_DIRECTIONS + k + j] = normal[j] / lengthscale;
            }
        }
    }
}

/* Adds the embeddings of rows, at most CGM_GAN_BLOCK, in units of scale. groups [rows] */
static void embed(const cgm_gan_measure *measure, int64_t rows, const double *points,
                  const int64_t *groups)
{
    const double size = 1.0 / sqrt((double)CGM_GAN_DIRECTIONS);
    double *angles = measure->work + CGM_GAN_BLOCK * measure->network->n_features;
    double numbers[NUMBERS];
    cgm_dense_multiply(rows, CGM_GAN_DIRECTIONS, measure->network->n_features, points,
                       measure->directions, angles);
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t k = 0; k < CGM_GAN_DIRECTIONS; k++) {
            double angle = angles[i * CGM_GAN_DIRECTIONS + k];
            angle = isfinite(angle) ? angle : 0.0;
            numbers[2 * k] = size * cos(angle);
            numbers[2 * k + 1] = size * sin(angle);
        }
        cgm_accumulators_add(measure->sums, groups[i] * NUMBERS, NUMBERS, numbers);
    }
}

/* Collective. From the ranks' sums to means [n_groups][NUMBERS]; the sums are emptied. */
static void average(cgm_comm *comm, const cgm_gan_measure *measure, const int64_t *counts,
                    double *means)
{
    const int64_t count = measure->n_groups * NUMBERS;
    for (int64_t k = 0; k < count; k++) {
        cgm_accumulators_normalise(measure->sums, k);
    }
    cgm_comm_sum(comm, measure->sums.high, 2 * count);
    for (int64_t k = 0; k < count; k++) {
        const int64_t points = counts[k / NUMBERS];
        means[k] = points > 0 ? cgm_accumulators_value(measure->sums, k) / (double)points : 0.0;
    }
    memset(measure->sums.high, 0, (size_t)(2 * count) * sizeof *measure->sums.high);
}

/* ---- the parties' points ---- */

/* Rows first .. end - 1 of this rank, all of one share. */
static void embed_rows(const cgm_shard *shard, int64_t first, int64_t end,
                       const cgm_gan_measure *measure)
{
    const int64_t d = shard->n_features;
    int64_t groups[CGM_GAN_BLOCK];
    for (int64_t i = first; i < end; i++) {
        cgm_gan_standardise(measure->network, shard->points + i * d,
                            measure->work + (i - first) * d);
        groups[i - first] =
            shard->has_labels ? cgm_gan_classes_of(measure->classes, shard->labels[i]) : 0;
    }
    embed(measure, end - first, measure->work, groups);
}

/* How far a rank is with the points of its shares. */
typedef struct place {
    int64_t share;
    int64_t row; /* of the rank */
} place;

/* Embeds this rank's points from there on until none is left or, after a block at the least, a
 * pause is due: true. Blocks begin where a share does, at a multiple of CGM_GAN_BLOCK of its
 * party's points: they do not depend on ranks. */
static bool embed_until_due(cgm_comm *comm, const cgm_shard *shard, const cgm_pause *pause,
                            const cgm_gan_measure *measure, place *at)
{
    while (at->share < shard->n_shares) {
        const int64_t end = shard->share_first[at->share + 1];
        const int64_t next = at->row + CGM_GAN_BLOCK < end ? at->row + CGM_GAN_BLOCK : end;
        embed_rows(shard, at->row, next, measure);
        at->row = next;
        at->share += next == end;
        if (pause != NULL && at->share < shard->n_shares && pause->due(comm, pause->state)) {
            return true;
        }
    }
    return false;
}

static cgm_status embed_parties(cgm_comm *comm, const cgm_shard *shard, const cgm_pause *pause,
                                const cgm_gan_measure *measure)
{
    place at = {0, 0};
    cgm_status status = CGM_OK;
    int64_t paused = 1;
    while (paused > 0 && status == CGM_OK) {
        paused = embed_until_due(comm, shard, pause, measure, &at);
        cgm_comm_sum(comm, &paused, 1);
        status = paused > 0 ? pause->keep(comm, pause->state, NULL) : CGM_OK;
    }
    if (status == CGM_OK) {
        average(comm, measure, measure->points, measure->parties);
    }
    return status;
}

/* ---- a network's sample ---- */

static int64_t group_of_sample(const cgm_gan_measure *measure, int64_t number)
{
    const double at = ((double)number + 0.5) / (double)CGM_GAN_SAMPLE;
    return measure->classes->count > 0
               ? cgm_gan_classes_at(measure->classes, measure->classes->portions, at)
               : 0;
}

static void embed_sample(cgm_comm *comm, cgm_gan_measure *measure, const double *parameters)
{
    const cgm_gan_network *network = measure->network;
    const cgm_rng rng = {measure->seed, 0, CGM_RNG_GAN_MEASURE};
    for (int64_t first = comm->rank * CGM_GAN_BLOCK; first < CGM_GAN_SAMPLE;
         first += comm->size * CGM_GAN_BLOCK) {
        for (int64_t i = 0; i < CGM_GAN_BLOCK; i++) {
            measure->space.classes[i] = group_of_sample(measure, first + i);
            cgm_gan_fill_input(network, &rng, (uint64_t)(first + i), 0, measure->space.classes[i],
                               measure->space.generated + i * network->generator.n_inputs);
        }
        const double *points =
            cgm_gan_generate(network, parameters, CGM_GAN_BLOCK, &measure->space);
        embed(measure, CGM_GAN_BLOCK, points, measure->space.classes);
    }
    average(comm, measure, measure->counts, measure->sampled);
}

/* What the mean embedding of n points has too much in its square by its own noise. */
static double excess(const double *mean, int64_t n)
{
    double square = 0.0;
    for (int64_t k = 0; k < NUMBERS; k++) {
        square += mean[k] * mean[k];
    }
    return n > 1 ? (1.0 - square) / (double)(n - 1) : 0.0;
}

double cgm_gan_measure_network(cgm_comm *comm, cgm_gan_measure *measure, const double *parameters)
{
    embed_sample(comm, measure, parameters);
    double *whole = measure->work; /* Σ share·difference */
    double within = 0.0;
    double all = 0.0;
    memset(whole, 0, NUMBERS * sizeof *whole);
    for (int64_t g = 0; g < measure->n_groups; g++) {
        const double *party = measure->parties + g * NUMBERS;
        const double *sample = measure->sampled + g * NUMBERS;
        const int64_t points = measure->points[g];
        const double share = (double)points / (double)measure->n_points;
        if (measure->counts[g] == 0) {
            continue; /* too few of the class for the sample to hold any */
        }
        double square = 0.0;
        for (int64_t k = 0; k < NUMBERS; k++) {
            const double difference = party[k] - sample[k];
            square += difference * difference;
            whole[k] += share * difference;
        }
        const double noise = excess(party, points) + excess(sample, measure->counts[g]);
        within += share * (square - noise);
        all -= share * share * noise;
    }
    for (int64_t k = 0; k < NUMBERS; k++) {
        all += whole[k] * whole[k];
    }
    return 0.5 * (all + within);
}

/* ---- */

cgm_status cgm_gan_measure_create(cgm_comm *comm, const cgm_shard *shard,
                                  const cgm_gan_network *network, const cgm_gan_classes *classes,
                                  uint64_t seed, const cgm_pause *pause, cgm_gan_measure *measure)
{
    const int64_t d = network->n_features;
    *measure = (cgm_gan_measure){.network = network,
                                 .classes = classes,
                                 .seed = seed,
                                 .n_points = shard->n_points,
                                 .n_groups = classes->count > 0 ? classes->count : 1};
    const int64_t numbers = measure->n_groups * NUMBERS;
    measure->directions = cgm_alloc_aligned(comm, d * CGM_GAN_DIRECTIONS);
    measure->parties = cgm_alloc(comm, numbers, sizeof(double));
    measure->sampled = cgm_alloc(comm, numbers, sizeof(double));
    measure->points = cgm_alloc(comm, measure->n_groups, sizeof(int64_t));
    measure->counts = cgm_alloc(comm, measure->n_groups, sizeof(int64_t));
    measure->sums.high = cgm_alloc(comm, 2 * numbers, sizeof(int64_t));
    measure->work = cgm_alloc_aligned(comm, CGM_GAN_BLOCK * (d + CGM_GAN_DIRECTIONS));
    const bool complete = measure->directions != NULL && measure->parties != NULL &&
                          measure->sampled != NULL && measure->points != NULL &&
                          measure->counts != NULL && measure->sums.high != NULL &&
                          measure->work != NULL;
    cgm_status status = complete ? CGM_OK : CGM_ERR_MEMORY;
    if (status == CGM_OK) {
        status = cgm_gan_space_create(comm, network, CGM_GAN_BLOCK, &measure->space);
    }
    status = cgm_agree(comm, status);
    if (status == CGM_OK) {
        measure->sums.low = measure->sums.high + numbers;
        measure->points[0] = shard->n_points;
        for (int64_t k = 0; k < classes->count; k++) {
            measure->points[k] = classes->list[k].n_points;
        }
        for (int64_t i = 0; i < CGM_GAN_SAMPLE; i++) {
            measure->counts[group_of_sample(measure, i)]++;
        }
        choose_directions(measure);
        status = embed_parties(comm, shard, pause, measure);
    }
    return status;
}

void cgm_gan_measure_destroy(cgm_gan_measure *measure)
{
    free(measure->directions);
    free(measure->parties);
    free(measure->sampled);
    free(measure->points);
    free(measure->counts);
    free(measure->sums.high);
    free(measure->work);
    cgm_gan_space_destroy(&measure->space);
    *measure = (cgm_gan_measure){0};
}
