#include <math.h>

#include "cgm/accumulator.h"
#include "cgm/generator_gmm.h"
#include "cgm/labels.h"
#include "cgm/pipeline.h"
#include "cost_model.h"

/* Doubles that the products of all points of a rank may take, and of a chunk of them; points of a
 * chunk (generator_gmm_fit.c). */
#define KEPT_DOUBLES 8388608.0
#define CHUNK_DOUBLES 262144.0
#define CHUNK_LEAST 8.0

/* Cells of points, whose number doubles with each round, and the centres chosen among them. */
static void count_centres(cgm_cost_model *of, int64_t most)
{
    const double d = (double)of->n_features;
    int64_t cells = 1;
    cgm_cost_accumulators(of, 1.0 + 2.0 * d);
    while (cells < most * CGM_GMM_CELLS) {
        cgm_cost_reduction(of, (double)cells * sizeof(int64_t));
        cells *= 2;
        cgm_cost_accumulators(of, (double)cells * (1.0 + 2.0 * d));
    }
    cgm_cost_broadcast(of, 0,
                       CGM_GMM_STARTS * (sizeof(int64_t) + (double)most * d * sizeof(double)));
}

/* So many passes, over which there are so many sums. */
static void count_passes(cgm_cost_model *of, double passes, double sums)
{
    cgm_cost_reduction(of, passes * (sizeof(int64_t) + 2.0 * sizeof(cgm_accumulator)) +
                               sums * sizeof(cgm_accumulator));
}

static void count_class(cgm_cost_model *of, const cgm_cost_class *class)
{
    const double d = (double)of->n_features;
    const double products = (double)cgm_gmm_products(of->n_features);
    int64_t sizes[CGM_GMM_SIZES_MAX];
    const int n_sizes =
        cgm_gmm_sizes(of->run->config->gmm.components, class->n_points, of->n_features, sizes);
    const int64_t most = sizes[n_sizes - 1];
    cgm_cost_reduction(of, sizeof(int64_t));
    cgm_cost_accumulators(of, d);
    cgm_cost_accumulators(of, d);
    if (most > 1) {
        count_centres(of, most);
    }
    if (sizes[0] == 1) {
        count_passes(of, 1.0, products);
    }
    /* Clusters of points: their means, then the moments of those around the means. */
    count_passes(of, 2.0 * class->starts, class->start_components * (1.0 + d + products));
    /* Coefficients from rank 0, and sums. */
    cgm_cost_broadcast(of, 0, class->component_passes * products * sizeof(double));
    count_passes(of, class->passes, class->component_passes * products);
    cgm_cost_broadcast(
        of, 0, class->n_components * (1.0 + d + 2.0 * d * d) * sizeof(double) + sizeof(int64_t));
    for (int r = 0; r < of->run->size; r++) {
        const double share = of->homes[r].points / (double)of->shard->n_points;
        of->work[r].multiply_adds +=
            2.0 * class->component_passes * products * (double)class->n_points * share;
    }
}

/* What ranks have of the labels. */
static void count_labels(cgm_cost_model *of)
{
    const double bytes = (CGM_LABELS_MAX + 2.0) * sizeof(int64_t);
    for (int r = 0; r < of->run->size && of->run->size > 1; r++) {
        of->work[r].bytes_sent += bytes;
        of->work[r].bytes_received += bytes * (of->run->size - 1);
    }
}

void cgm_cost_count_generator(cgm_cost_model *of)
{
    const cgm_config *config = of->run->config;
    if (config->generator_type == CGM_GENERATOR_FILE) {
        return;
    }
    cgm_cost_count_spread(of, (double)of->n_features);
    if (of->shard->has_labels) {
        count_labels(of);
    }
    if (config->generator_type == CGM_GENERATOR_GAN) {
        cgm_cost_count_network(of);
    } else {
        for (int64_t c = 0; c < of->run->n_classes; c++) {
            count_class(of, &of->run->classes[c]);
        }
    }
    if (cgm_pipeline_placement(config) == CGM_POOL_AUTO) {
        cgm_cost_reduction(of, sizeof(int64_t)); /* is there room for a copy a node? */
    }
    cgm_cost_reduction(of, sizeof(uint64_t));
}

static double mixture_bytes(const cgm_cost_model *of, int rank)
{
    const int64_t d = of->n_features;
    const double products = (double)cgm_gmm_products(d);
    const double threads = (double)of->run->config->threads;
    double most = 0.0;
    for (int64_t c = 0; c < of->run->n_classes; c++) {
        const cgm_cost_class *class = &of->run->classes[c];
        int64_t sizes[CGM_GMM_SIZES_MAX];
        const int n_sizes =
            cgm_gmm_sizes(of->run->config->gmm.components, class->n_points, d, sizes);
        const double k = (double)sizes[n_sizes - 1];
        const double local = fmin((double)class->n_points, of->homes[rank].points);
        const double chunk =
            fmin(fmax(CHUNK_DOUBLES / products, CHUNK_LEAST), (double)CGM_BLOCK_POINTS);
        const double kept = local * products <= KEPT_DOUBLES ? local * products : 0.0;
        const double values = k * products;
        const double work = chunk * (products + 2.0 * k) + values;
        const double doubles = local * ((double)d + 2.0) + kept + 2.0 * values + threads * work +
                               6.0 * k * (double)(d * d);
        most = fmax(most, doubles * sizeof(double) +
                              (threads + 1.0) * values * (double)sizeof(cgm_accumulator));
    }
    return most;
}

double cgm_cost_generator_bytes(const cgm_cost_model *of, int rank)
{
    switch (of->run->config->generator_type) {
    case CGM_GENERATOR_GMM:
        return mixture_bytes(of, rank);
    case CGM_GENERATOR_GAN:
        return cgm_cost_network_bytes(of);
    default:
        return 0.0;
    }
}
