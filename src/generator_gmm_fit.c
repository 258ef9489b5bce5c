#include "generator_gmm_fit.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/accumulator.h"
#include "cgm/dense.h"
#include "cgm/kernel.h"
#include "generator_gmm_gaussian.h"

/* Points whose products are formed together, at the most; doubles that these should not exceed, so
 * that they stay in a cache; points at the least. */
enum { CHUNK_MOST = CGM_BLOCK_POINTS, CHUNK_DOUBLES = 1 << 18, CHUNK_LEAST = 8 };
/* Multiply-adds of a pass from which on threads share it: about 0.1 ms. */
enum { THREAD_WORK = 1 << 20 };
/* Doubles that the products of all points of a rank may take. */
enum { KEPT_DOUBLES = 1 << 23 };
/* Factors of sums of exponentials between two logarithms: each at most CGM_GMM_COMPONENTS_MAX. */
enum { LOG_GROUP = 64 };

/* What one thread works with. */
typedef struct work {
    double *products; /* [n_products][chunk] */
    double *scores;   /* [most][chunk] */
    double *parts;    /* [most][chunk] */
    double *largest;  /* [chunk] */
    double *totals;   /* [chunk] */
    double *block;    /* [most][n_products] sums of a chunk */
    cgm_accumulator *sums;
} work;

struct gmm_fit {
    cgm_comm *comm;
    const gmm_points *points;
    const cgm_gmm_options *options;
    const cgm_pause *pause;
    int64_t most;
    int64_t n_products;
    int64_t chunk;
    double *products;      /* of all points, chunk by chunk; NULL: there is no room for them */
    double *coefficients;  /* [n_components][terms of the pass] of the logarithms */
    cgm_accumulator *sums; /* as a pass leaves them */
    double *values;        /* [most][n_products] */
    double *gaussian;      /* work space of generator_gmm_gaussian.h */
    work *threads;         /* [comm->threads] */
    cgm_gmm_class done;    /* its counts of starts and passes */
};

/* What a pass is to do. */
typedef struct pass {
    int64_t n_components;
    int64_t terms; /* products that logarithms are made of */
    int64_t kept;  /* products that are summed up, n_components each */
    bool hard;     /* a point belongs to one component */
} pass;

/* ---- expectation ---- */

/* The first n_terms products of n points of a block from place on. */
static void form_products(const gmm_points *points, const gmm_block *block, int64_t place,
                          int64_t n, int64_t n_terms, double *products)
{
    const double *x = gmm_block_coordinates(points, block) + place;
    const int64_t d = points->n_features;
    for (int64_t i = 0; i < n; i++) {
        products[i] = 1.0;
    }
    for (int64_t f = 0; f < d; f++) {
        memcpy(products + (1 + f) * n, x + f * block->n_points, (size_t)n * sizeof *products);
    }
    if (n_terms == 1 + d) {
        return;
    }
    double *next = products + (1 + d) * n;
    for (int64_t f = 0; f < d; f++) {
        const double *a = products + (1 + f) * n;
        for (int64_t g = f; g < d; g++, next += n) {
            const double *b = products + (1 + g) * n;
            for (int64_t i = 0; i < n; i++) {
                next[i] = a[i] * b[i];
            }
        }
    }
}

static void find_largest(const double *scores, int64_t k, int64_t n, double *largest)
{
    memcpy(largest, scores, (size_t)n * sizeof *largest);
    for (int64_t c = 1; c < k; c++) {
        const double *score = scores + c * n;
        for (int64_t i = 0; i < n; i++) {
            largest[i] = score[i] > largest[i] ? score[i] : largest[i];
        }
    }
}

/* Each point's parts in the components, which sum to 1, from their logarithms. Returns the sum of
 * the logarithms of the density. */
static double share_softly(work *at, int64_t k, int64_t n)
{
    for (int64_t c = 0; c < k; c++) {
        double *score = at->scores + c * n;
        for (int64_t i = 0; i < n; i++) {
            score[i] = at->largest[i] - score[i];
        }
    }
    cgm_kernel_exponential(at->scores, at->parts, k * n);
    memcpy(at->totals, at->parts, (size_t)n * sizeof *at->totals);
    for (int64_t c = 1; c < k; c++) {
        for (int64_t i = 0; i < n; i++) {
            at->totals[i] += at->parts[c * n + i];
        }
    }
    double sum = 0.0;
    for (int64_t first = 0; first < n; first += LOG_GROUP) {
        double product = 1.0;
        for (int64_t i = first; i < n && i < first + LOG_GROUP; i++) {
            product *= at->totals[i];
            sum += at->largest[i];
        }
        sum += log(product);
    }
    for (int64_t c = 0; c < k; c++) {
        for (int64_t i = 0; i < n; i++) {
            at->parts[c * n + i] /= at->totals[i];
        }
    }
    return sum;
}

/* Each point to the first component of the largest score. Returns the sum of these. */
static double share_hard(work *at, int64_t k, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) {
        int64_t c = 0;
        while (at->scores[c * n + i] != at->largest[i]) {
            c++;
        }
        for (int64_t other = 0; other < k; other++) {
            at->parts[other * n + i] = other == c ? 1.0 : 0.0;
        }
        sum += at->largest[i];
    }
    return sum;
}

static void add_block(const gmm_fit *fit, const pass *of, const gmm_block *block, work *at)
{
    const int64_t k = of->n_components;
    const int64_t formed = of->terms > of->kept ? of->terms : of->kept;
    for (int64_t place = 0; place < block->n_points; place += fit->chunk) {
        const int64_t left = block->n_points - place;
        const int64_t n = left < fit->chunk ? left : fit->chunk;
        const double *products = at->products;
        if (fit->products != NULL) {
            products = fit->products + (block->first + place) * fit->n_products;
        } else {
            form_products(fit->points, block, place, n, formed, at->products);
        }
        cgm_dense_multiply(k, n, of->terms, fit->coefficients, products, at->scores);
        find_largest(at->scores, k, n, at->largest);
        const double sum = of->hard ? share_hard(at, k, n) : share_softly(at, k, n);
        cgm_dense_multiply_by_transposed(k, of->kept, n, at->parts, products, at->block);
        cgm_accumulator_add_each(at->sums, at->block, k * of->kept);
        cgm_accumulator_add(&at->sums[k * of->kept], sum);
    }
}

/* One pass over all points: sums of the products that are kept in fit->values, on every rank.
 * objective: the mean of what add_block sums beside them. */
static cgm_status run_pass(gmm_fit *fit, const pass *of, double *objective)
{
    cgm_comm *comm = fit->comm;
    const int64_t n_values = of->n_components * of->kept;
    const int64_t n_sums = n_values + 2; /* the objective, and ranks where a pause is due */
    const cgm_pause *pause = fit->pause;
    for (int t = 0; t < comm->threads; t++) {
        memset(fit->threads[t].sums, 0, (size_t)n_sums * sizeof(cgm_accumulator));
    }
    const int64_t multiply_adds = fit->points->n_local * of->n_components * (of->terms + of->kept);
#pragma omp parallel for schedule(dynamic)                                                         \
    num_threads(comm->threads) if (multiply_adds >= THREAD_WORK)
    for (int64_t b = 0; b < fit->points->n_blocks; b++) {
        add_block(fit, of, &fit->points->blocks[b], &fit->threads[omp_get_thread_num()]);
    }
    memset(fit->sums, 0, (size_t)n_sums * sizeof *fit->sums);
    for (int t = 0; t < comm->threads; t++) {
        for (int64_t s = 0; s < n_sums; s++) {
            cgm_accumulator_merge(&fit->sums[s], &fit->threads[t].sums[s]);
        }
    }
    if (pause != NULL && pause->due(comm, pause->state)) {
        cgm_accumulator_add(&fit->sums[n_values + 1], 1.0);
    }
    cgm_accumulator_reduce(comm, fit->sums, n_sums);
    for (int64_t s = 0; s < n_values; s++) {
        fit->values[s] = cgm_accumulator_value(&fit->sums[s]);
    }
    *objective = cgm_accumulator_value(&fit->sums[n_values]) / (double)fit->points->n_points;
    return cgm_accumulator_value(&fit->sums[n_values + 1]) > 0.0
               ? pause->keep(comm, pause->state, NULL)
               : CGM_OK;
}

/* ---- k-means ---- */

/* Of −|x − centre|²/2 + |x|²/2. */
static void score_centres(gmm_fit *fit, const double *centres, int64_t k)
{
    const int64_t d = fit->points->n_features;
    for (int64_t c = 0; c < k; c++) {
        const double *centre = centres + c * d;
        double *coefficient = fit->coefficients + c * (1 + d);
        coefficient[0] = 0.0;
        for (int64_t f = 0; f < d; f++) {
            coefficient[0] -= 0.5 * centre[f] * centre[f];
            coefficient[1 + f] = centre[f];
        }
    }
}

/* Moves centres to the means of the points that are nearest to them, and sums all products over
 * the clusters of points that then are. More rounds do not lead to better mixtures. */
static cgm_status cluster(gmm_fit *fit, int64_t k, double *centres)
{
    const int64_t d = fit->points->n_features;
    pass step = {.n_components = k, .terms = 1 + d, .kept = 1 + d, .hard = true};
    double unused;
    cgm_status status = CGM_OK;
    if (k > 1) {
        score_centres(fit, centres, k);
        status = run_pass(fit, &step, &unused);
    }
    for (int64_t c = 0; c < k && k > 1; c++) {
        const double *sums = fit->values + c * (1 + d);
        for (int64_t f = 0; f < d && sums[0] >= (double)gmm_least_points(d); f++) {
            centres[c * d + f] = sums[1 + f] / sums[0];
        }
    }
    if (status == CGM_OK) {
        score_centres(fit, centres, k);
        step.kept = fit->n_products;
        status = run_pass(fit, &step, &unused);
    }
    return status;
}

/* ---- maximisation, on rank 0 ---- */

static gmm_gaussian gaussian_of(const gmm_mixture *mixture, int64_t c)
{
    const int64_t d = mixture->n_features;
    return (gmm_gaussian){mixture->means + c * d, mixture->covariances + c * d * d,
                          mixture->factors + c * d * d};
}

/* Whether a component holds too few points, in parts, for a mean and a covariance of its own. One
 * component has all points. */
static bool is_scarce(const gmm_fit *fit, int64_t n_components, int64_t c)
{
    const double least = (double)gmm_least_points(fit->points->n_features);
    return n_components > 1 && fit->values[c * fit->n_products] < least;
}

/* The mixture that the sums ask for, on rank 0. A scarce component takes its weight alone, and
 * stays where it is: the likelihood rises all the same. */
static void maximise(gmm_fit *fit, gmm_mixture *mixture)
{
    mixture->n_widened = 0;
    for (int64_t c = 0; c < mixture->n_components && fit->comm->rank == 0; c++) {
        const double *sums = fit->values + c * fit->n_products;
        mixture->weights[c] = sums[0] / (double)fit->points->n_points;
        if (!is_scarce(fit, mixture->n_components, c)) {
            gmm_gaussian gaussian = gaussian_of(mixture, c);
            mixture->n_widened += gmm_take_moments(fit->comm, mixture->n_features, sums,
                                                   fit->points->least, &gaussian, fit->gaussian);
        }
    }
}

/* The coefficients of a mixture, which rank 0 works out for all: no rank then depends on how its
 * own machine rounds. Collective. */
static void score_mixture(gmm_fit *fit, const gmm_mixture *mixture)
{
    const int64_t k = mixture->n_components;
    for (int64_t c = 0; c < k && fit->comm->rank == 0; c++) {
        const gmm_gaussian gaussian = gaussian_of(mixture, c);
        gmm_score_gaussian(mixture->n_features, mixture->weights[c], &gaussian,
                           fit->coefficients + c * fit->n_products, fit->gaussian);
    }
    cgm_comm_broadcast(fit->comm, fit->coefficients,
                       (size_t)(k * fit->n_products) * sizeof *fit->coefficients, 0);
}

/* ---- a fit ---- */

/* A component that k-means left with too few points is as wide as all of them. */
static void begin(const double *centres, gmm_mixture *mixture)
{
    const int64_t d = mixture->n_features;
    const int64_t k = mixture->n_components;
    memcpy(mixture->means, centres, (size_t)(k * d) * sizeof *centres);
    memset(mixture->covariances, 0, (size_t)(k * d * d) * sizeof *mixture->covariances);
    memset(mixture->factors, 0, (size_t)(k * d * d) * sizeof *mixture->factors);
    for (int64_t f = 0; f < k * d; f++) {
        mixture->covariances[f * d + f % d] = 1.0;
        mixture->factors[f * d + f % d] = 1.0;
    }
}

/* What the last pass says of a mixture, which is the one that the pass was of. */
static void note_pass(const gmm_fit *fit, gmm_mixture *mixture)
{
    mixture->n_scarce = 0;
    for (int64_t c = 0; c < mixture->n_components; c++) {
        mixture->n_scarce += is_scarce(fit, mixture->n_components, c);
    }
}

/* Iterations until the likelihood gains too little, or max_iterations are done. The likelihood is
 * always that of the mixture as it is. */
static cgm_status iterate(gmm_fit *fit, gmm_mixture *mixture)
{
    const pass step = {
        .n_components = mixture->n_components, .terms = fit->n_products, .kept = fit->n_products};
    double before = -INFINITY;
    for (;;) {
        score_mixture(fit, mixture);
        fit->done.passes++;
        fit->done.component_passes += mixture->n_components;
        cgm_status status = run_pass(fit, &step, &mixture->log_likelihood);
        if (status != CGM_OK) {
            return status;
        }
        note_pass(fit, mixture);
        /* Moments alone make the best of one. */
        mixture->converged = mixture->n_components == 1 ||
                             mixture->log_likelihood - before < fit->options->tolerance;
        if (mixture->converged || mixture->iterations >= fit->options->max_iterations) {
            return CGM_OK;
        }
        before = mixture->log_likelihood;
        mixture->iterations++;
        maximise(fit, mixture);
    }
}

cgm_status gmm_fit_from(gmm_fit *fit, const double *centres, int64_t n_components,
                        gmm_mixture *mixture)
{
    mixture->n_components = n_components;
    mixture->iterations = 0;
    begin(centres, mixture);
    fit->done.starts += n_components > 1;
    fit->done.start_components += n_components > 1 ? n_components : 0;
    cgm_status status = cluster(fit, n_components, mixture->means);
    if (status == CGM_OK) {
        maximise(fit, mixture);
        status = iterate(fit, mixture);
    }
    return status;
}

bool gmm_mixture_is_better(const gmm_mixture *a, const gmm_mixture *b)
{
    return a->n_scarce != b->n_scarce ? a->n_scarce < b->n_scarce
                                      : a->log_likelihood > b->log_likelihood;
}

void gmm_fit_count(const gmm_fit *fit, cgm_gmm_class *class)
{
    class->starts = fit->done.starts;
    class->start_components = fit->done.start_components;
    class->passes = fit->done.passes;
    class->component_passes = fit->done.component_passes;
}

void gmm_mixture_share(cgm_comm *comm, gmm_mixture *mixture)
{
    const int64_t k = mixture->n_components;
    const int64_t d = mixture->n_features;
    cgm_comm_broadcast(comm, &mixture->n_widened, sizeof mixture->n_widened, 0);
    cgm_comm_broadcast(comm, mixture->weights, (size_t)k * sizeof(double), 0);
    cgm_comm_broadcast(comm, mixture->means, (size_t)(k * d) * sizeof(double), 0);
    cgm_comm_broadcast(comm, mixture->covariances, (size_t)(k * d * d) * sizeof(double), 0);
    cgm_comm_broadcast(comm, mixture->factors, (size_t)(k * d * d) * sizeof(double), 0);
}

/* ---- memory ---- */

cgm_status gmm_mixture_create(cgm_comm *comm, int64_t n_features, int64_t most,
                              gmm_mixture *mixture)
{
    const int64_t d = n_features;
    *mixture = (gmm_mixture){.n_features = d};
    mixture->weights = cgm_alloc(comm, most * (1 + d + 2 * d * d), sizeof(double));
    if (mixture->weights == NULL) {
        return CGM_ERR_MEMORY;
    }
    mixture->means = mixture->weights + most;
    mixture->covariances = mixture->means + most * d;
    mixture->factors = mixture->covariances + most * d * d;
    return CGM_OK;
}

void gmm_mixture_destroy(gmm_mixture *mixture)
{
    free(mixture->weights);
    *mixture = (gmm_mixture){0};
}

static bool create_work(gmm_fit *fit, work *at)
{
    const int64_t chunk = fit->chunk;
    const int64_t doubles = (fit->n_products + 2 * fit->most + 2) * chunk;
    at->products = cgm_alloc_aligned(fit->comm, doubles + fit->most * fit->n_products);
    at->sums = cgm_alloc(fit->comm, fit->most * fit->n_products + 2, sizeof *at->sums);
    if (at->products == NULL || at->sums == NULL) {
        return false;
    }
    at->scores = at->products + fit->n_products * chunk;
    at->parts = at->scores + fit->most * chunk;
    at->largest = at->parts + fit->most * chunk;
    at->totals = at->largest + chunk;
    at->block = at->totals + chunk;
    return true;
}

static cgm_status allocate(gmm_fit *fit)
{
    cgm_comm *comm = fit->comm;
    const int64_t n_values = fit->most * fit->n_products;
    fit->coefficients = cgm_alloc(comm, n_values, sizeof *fit->coefficients);
    fit->values = cgm_alloc(comm, n_values, sizeof *fit->values);
    fit->sums = cgm_alloc(comm, n_values + 2, sizeof *fit->sums);
    fit->gaussian =
        cgm_alloc(comm, gmm_gaussian_work(fit->points->n_features), sizeof *fit->gaussian);
    fit->threads = cgm_alloc(comm, comm->threads, sizeof *fit->threads);
    bool complete = fit->coefficients != NULL && fit->values != NULL && fit->sums != NULL &&
                    fit->gaussian != NULL && fit->threads != NULL;
    for (int t = 0; t < comm->threads && complete; t++) {
        complete = create_work(fit, &fit->threads[t]);
    }
    return complete ? CGM_OK : CGM_ERR_MEMORY;
}

/* Forms the products of all points once, where there is room: a pass over few components takes
 * hardly longer than to form them. */
static cgm_status keep_products(gmm_fit *fit)
{
    const gmm_points *points = fit->points;
    if (points->n_local > KEPT_DOUBLES / fit->n_products) {
        return CGM_OK;
    }
    fit->products = cgm_alloc_aligned(fit->comm, points->n_local * fit->n_products);
    if (fit->products == NULL) {
        return CGM_ERR_MEMORY;
    }
    for (int64_t b = 0; b < points->n_blocks; b++) {
        const gmm_block *block = &points->blocks[b];
        for (int64_t place = 0; place < block->n_points; place += fit->chunk) {
            const int64_t left = block->n_points - place;
            form_products(points, block, place, left < fit->chunk ? left : fit->chunk,
                          fit->n_products,
                          fit->products + (block->first + place) * fit->n_products);
        }
    }
    return CGM_OK;
}

cgm_status gmm_fit_create(cgm_comm *comm, const gmm_points *points, const cgm_gmm_options *options,
                          const cgm_pause *pause, int64_t most, gmm_fit **created)
{
    gmm_fit *fit = cgm_alloc(comm, 1, sizeof *fit);
    cgm_status status = CGM_ERR_MEMORY;
    if (fit != NULL) {
        *fit = (gmm_fit){
            .comm = comm, .points = points, .options = options, .pause = pause, .most = most};
        fit->n_products = cgm_gmm_products(points->n_features);
        const int64_t room = CHUNK_DOUBLES / fit->n_products;
        fit->chunk = room > CHUNK_MOST ? CHUNK_MOST : room < CHUNK_LEAST ? CHUNK_LEAST : room;
        status = allocate(fit);
        status = status == CGM_OK ? keep_products(fit) : status;
    }
    *created = fit;
    return cgm_agree(comm, status);
}

void gmm_fit_destroy(gmm_fit *fit)
{
    if (fit == NULL) {
        return;
    }
    for (int t = 0; fit->threads != NULL && t < fit->comm->threads; t++) {
        free(fit->threads[t].products);
        free(fit->threads[t].sums);
    }
    free(fit->products);
    free(fit->coefficients);
    free(fit->values);
    free(fit->sums);
    free(fit->gaussian);
    free(fit->threads);
    free(fit);
}
