#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/dense.h"
#include "cgm/embedding.h"
#include "cgm/rng.h"

/* Kernels that are summed, at most; what each of them is at lengthscale 1 (MATH.md §1). */
enum { COMPONENTS_MOST = 3 };
static const double scales[COMPONENTS_MOST] = {0.1, 1.0, 10.0}; /* lengthscales of se_sum */
static const double shapes[COMPONENTS_MOST] = {0.1, 1.0, 10.0}; /* a of rq */

/* n numbers that are independent and normal, a function of stream and row alone. */
static void draw_normals(const cgm_rng *rng, int64_t row, int64_t n, double *normals)
{
    for (int64_t k = 0; k < n; k += 4) {
        uint64_t words[4];
        double four[4];
        cgm_rng_words(rng, (uint64_t)row, (uint64_t)(k / 4), 0, words);
        cgm_rng_normal(words, four);
        cgm_rng_normal(words + 2, four + 2);
        for (int64_t j = k; j < n && j < k + 4; j++) {
            normals[j] = four[j - k];
        }
    }
}

/* A number of the distribution Gamma(shape) by the method of Marsaglia and Tsang, which for shapes
 * below 1 draws from the one above and takes a uniform number to the power of 1/shape. */
static double draw_gamma(const cgm_rng *rng, int64_t row, double shape)
{
    const double larger = shape < 1.0 ? shape + 1.0 : shape;
    const double d = larger - 1.0 / 3.0;
    const double c = 1.0 / sqrt(9.0 * d);
    uint64_t words[4];
    uint64_t attempt = 0;
    double drawn;
    do {
        double normal[2];
        cgm_rng_words(rng, (uint64_t)row, attempt++, 0, words);
        cgm_rng_normal(words, normal);
        const double x = normal[0];
        const double root = 1.0 + c * x;
        const double v = root * root * root;
        const double uniform = 1.0 - cgm_rng_uniform(words[2]);
        drawn = v > 0.0 && log(uniform) < 0.5 * x * x + d * (1.0 - v + log(v)) ? d * v : 0.0;
    } while (drawn == 0.0);
    const double uniform = 1.0 - cgm_rng_uniform(words[3]);
    return shape < 1.0 ? drawn * pow(uniform, 1.0 / shape) : drawn;
}

static double length_of(const double *vector, int64_t n)
{
    double square = 0.0;
    for (int64_t k = 0; k < n; k++) {
        square += vector[k] * vector[k];
    }
    return sqrt(square);
}

/* The rows of random rotations, each as long as a vector of normal numbers. rotation [d][d] */
static cgm_status draw_orthogonal(cgm_comm *comm, uint64_t seed, int64_t component, int64_t count,
                                  int64_t d, double *rotation, double *omega)
{
    const cgm_rng directions = {seed, (uint64_t)component, CGM_RNG_FREQUENCY};
    const cgm_rng lengths = {seed, (uint64_t)component, CGM_RNG_LENGTH};
    cgm_status status = CGM_OK;
    for (int64_t f = 0; f < count && status == CGM_OK; f++) {
        if (f % d == 0) {
            for (int64_t k = 0; k < d; k++) {
                draw_normals(&directions, f + k, d, rotation + k * d);
            }
            status = cgm_dense_rotation(comm, d, rotation);
        }
        draw_normals(&lengths, f, d, omega + f * d);
        const double length = length_of(omega + f * d, d);
        for (int64_t k = 0; k < d; k++) {
            omega[f * d + k] = length * rotation[f % d * d + k];
        }
    }
    return status;
}

/* Frequencies of a component at lengthscale 1. */
static cgm_status draw_component(cgm_comm *comm, cgm_kernel_type type, uint64_t seed,
                                 int64_t component, const cgm_frequencies *to, double *rotation)
{
    const int64_t d = to->n_features;
    const int64_t count = to->n_frequencies;
    const cgm_rng directions = {seed, (uint64_t)component, CGM_RNG_FREQUENCY};
    const cgm_rng mixed = {seed, (uint64_t)component, CGM_RNG_SHAPE};
    double *omega = to->base + component * count * d;
    cgm_status status = CGM_OK;
    if (to->orthogonal) {
        status = draw_orthogonal(comm, seed, component, count, d, rotation, omega);
    }
    for (int64_t f = 0; f < count && status == CGM_OK; f++) {
        if (!to->orthogonal) {
            draw_normals(&directions, f, d, omega + f * d);
        }
        double factor = 1.0;
        if (type == CGM_KERNEL_SE_SUM) {
            factor = 1.0 / scales[component];
        } else if (type == CGM_KERNEL_RQ) {
            const double shape = shapes[component];
            factor = sqrt(draw_gamma(&mixed, f, shape) / shape);
        }
        for (int64_t k = 0; k < d; k++) {
            omega[f * d + k] *= factor;
        }
    }
    return status;
}

/* On rank 0 alone: another machine's mathematical library might round otherwise. */
static cgm_status draw_all(cgm_comm *comm, cgm_kernel_type type, uint64_t seed,
                           const cgm_frequencies *to)
{
    const int64_t d = to->n_features;
    double *rotation = cgm_alloc(comm, to->orthogonal ? d * d : 0, sizeof *rotation);
    cgm_status status = rotation != NULL ? CGM_OK : CGM_ERR_MEMORY;
    for (int64_t c = 0; c < to->n_components && status == CGM_OK; c++) {
        status = draw_component(comm, type, seed, c, to, rotation);
    }
    free(rotation);
    return status;
}

cgm_status cgm_frequencies_draw(cgm_comm *comm, cgm_kernel_type type, int64_t n_features,
                                int64_t n_frequencies, bool orthogonal, uint64_t seed,
                                cgm_frequencies *frequencies)
{
    *frequencies = (cgm_frequencies){.n_components = type == CGM_KERNEL_SE ? 1 : COMPONENTS_MOST,
                                     .n_frequencies = n_frequencies,
                                     .n_features = n_features,
                                     .orthogonal = orthogonal,
                                     .seed = seed};
    const int64_t count = frequencies->n_components * n_frequencies * n_features;
    frequencies->base = cgm_alloc(comm, count, sizeof(double));
    frequencies->scaled = cgm_alloc(comm, count, sizeof(double));
    bool complete = frequencies->base != NULL && frequencies->scaled != NULL;
    cgm_status status = cgm_agree(comm, complete ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        const bool first = comm->rank == 0;
        status = cgm_agree(comm, first ? draw_all(comm, type, seed, frequencies) : CGM_OK);
    }
    if (status == CGM_OK) {
        cgm_comm_broadcast(comm, frequencies->base, (size_t)count * sizeof(double), 0);
    }
    return status;
}

void cgm_frequencies_scale(const cgm_kernel *kernel, cgm_frequencies *frequencies)
{
    const int64_t d = frequencies->n_features;
    const int64_t rows = frequencies->n_components * frequencies->n_frequencies;
    for (int64_t k = 0; k < rows * d; k++) {
        const double *by_feature = kernel->feature_lengthscales;
        frequencies->scaled[k] =
            frequencies->base[k] / (by_feature != NULL ? by_feature[k % d] : kernel->lengthscale);
    }
}

int64_t cgm_frequencies_numbers(const cgm_frequencies *frequencies)
{
    return 2 * frequencies->n_components * frequencies->n_frequencies;
}

void cgm_frequencies_destroy(cgm_frequencies *frequencies)
{
    free(frequencies->base);
    free(frequencies->scaled);
    *frequencies = (cgm_frequencies){0};
}
