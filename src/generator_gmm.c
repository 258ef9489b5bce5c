#include "cgm/generator_gmm.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/labels.h"
#include "cgm/log.h"
#include "cgm/tolerance.h"
#include "generator_gmm_fit.h"
#include "generator_gmm_model.h"
#include "generator_gmm_points.h"
#include "generator_gmm_start.h"

/* Room for what a progress line says of a class. */
enum { LABEL_ROOM = 96 };

/* ---- sizes ---- */

int cgm_gmm_sizes(int64_t components, int64_t n_points, int64_t n_features,
                  int64_t sizes[CGM_GMM_SIZES_MAX])
{
    static const int64_t tried[CGM_GMM_SIZES_MAX] = {1, 2, 3, 4, 6, 8, 12, 16};
    int count = 0;
    if (components > 0) {
        sizes[count++] = components;
        return count;
    }
    while (count < CGM_GMM_SIZES_MAX &&
           (count == 0 || tried[count] * (n_features + 1) <= n_points)) {
        sizes[count] = tried[count];
        count++;
    }
    return count;
}

int64_t cgm_gmm_products(int64_t n_features)
{
    return 1 + n_features + n_features * (n_features + 1) / 2;
}

/* Numbers that a mixture of so many components is determined by. */
static double parameters_of(int64_t n_components, int64_t n_features)
{
    return (double)(n_components * cgm_gmm_products(n_features) - 1);
}

int cgm_gmm_starts(int64_t n_components)
{
    return n_components > 1 ? CGM_GMM_STARTS : 1;
}

/* ---- the mixture of one class ---- */

/* Centres that a fit starts from. */
typedef struct start {
    double *centres; /* [count][n_features of the points] */
    int64_t count;
} start;

/* What the mixtures of all classes have in common. */
typedef struct training {
    cgm_comm *comm;
    const cgm_shard *shard;
    const cgm_gmm_options *options;
    cgm_class_share share;
    uint64_t seed;
    const cgm_pause *pause;
    cgm_spread spread;
    int64_t n_varying;
    int64_t *varying; /* [n_varying] features */
    cgm_progress progress;
    char label[LABEL_ROOM];
    cgm_gmm *gmm;
    int64_t room; /* components that its arrays have room for */
} training;

static void exchange(gmm_mixture mixtures[2])
{
    const gmm_mixture first = mixtures[0];
    mixtures[0] = mixtures[1];
    mixtures[1] = first;
}

static double criterion_of(const gmm_points *points, const gmm_mixture *mixture)
{
    const double n = (double)points->n_points;
    return -2.0 * n * mixture->log_likelihood +
           parameters_of(mixture->n_components, points->n_features) * log(n);
}

static void tell(training *of, int64_t c, int64_t n_components, double done)
{
    snprintf(of->label, sizeof of->label, "generator, class %lld of %lld, %lld components",
             (long long)c + 1, (long long)of->gmm->n_classes, (long long)n_components);
    of->progress.label = of->label;
    cgm_progress_report(of->comm, &of->progress, (double)c + done, (double)of->gmm->n_classes);
}

/* Whether two starts of a size are from the same centres, in whatever order. */
static bool are_same(const gmm_points *points, const start *a, const start *b, int64_t size)
{
    const size_t bytes = (size_t)points->n_features * sizeof *a->centres;
    for (int64_t i = 0; i < size; i++) {
        bool found = false;
        for (int64_t j = 0; j < size && !found; j++) {
            found = memcmp(a->centres + i * points->n_features, b->centres + j * points->n_features,
                           bytes) == 0;
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

static bool was_tried(const gmm_points *points, const start *starts, int s, int64_t size)
{
    bool found = false;
    for (int before = 0; before < s && !found; before++) {
        found = are_same(points, &starts[s], &starts[before], size);
    }
    return found;
}

/* The best mixture of a size, from whichever start. mixtures [2] are room for it, which comes
 * first, and another. */
static cgm_status fit_size(gmm_fit *fit, const gmm_points *points, const start *starts,
                           int64_t size, gmm_mixture mixtures[2])
{
    const int count = cgm_gmm_starts(size);
    for (int s = 0; s < count; s++) {
        if (was_tried(points, starts, s, size)) {
            continue;
        }
        cgm_status status = gmm_fit_from(fit, starts[s].centres, size, &mixtures[s > 0]);
        if (status != CGM_OK) {
            return status;
        }
        if (s > 0 && gmm_mixture_is_better(&mixtures[1], &mixtures[0])) {
            exchange(mixtures);
        }
    }
    return CGM_OK;
}

/* Fits all sizes and keeps the best one, first of mixtures [3], which every rank then has. */
static cgm_status choose_mixture(training *of, int64_t c, const gmm_points *points, gmm_fit *fit,
                                 const int64_t *sizes, int n_sizes, const start *starts,
                                 gmm_mixture mixtures[3])
{
    cgm_gmm_class *class = &of->gmm->classes[c];
    int64_t before = 0;
    class->criterion = INFINITY;
    for (int s = 0; s < n_sizes; s++) {
        const int64_t size = sizes[s] < starts[0].count ? sizes[s] : starts[0].count;
        if (size == before) {
            break; /* there are no more cells */
        }
        before = size;
        tell(of, c, size, (double)s / n_sizes);
        cgm_status status = fit_size(fit, points, starts, size, mixtures + 1);
        if (status != CGM_OK) {
            return status;
        }
        const double criterion = criterion_of(points, &mixtures[1]);
        if (s == 0 || mixtures[1].n_scarce < mixtures[0].n_scarce ||
            (mixtures[1].n_scarce == mixtures[0].n_scarce && criterion < class->criterion)) {
            exchange(mixtures);
            class->criterion = criterion;
        }
    }
    gmm_mixture_share(of->comm, &mixtures[0]);
    return CGM_OK;
}

static void describe_class(const training *of, const gmm_points *points, const gmm_mixture *mixture,
                           int64_t n_centres, cgm_gmm_class *class)
{
    double log_scale = 0.0;
    for (int64_t f = 0; f < points->n_features; f++) {
        log_scale += log(points->scale[f]);
    }
    class->n_points = points->n_points;
    class->iterations = mixture->iterations;
    class->converged = mixture->converged;
    class->log_likelihood = mixture->log_likelihood - log_scale;
    class->criterion += 2.0 * (double)points->n_points * log_scale;
    class->is_scarce = points->n_points <= of->shard->n_features;
    class->is_short = of->options->components > n_centres;
    class->is_widened = mixture->n_widened > 0;
}

/* Appends a class's mixture, in the features' unit. The arrays have room for it. */
static void append_mixture(const training *of, const gmm_points *points, const gmm_mixture *mixture,
                           cgm_gmm_class *class)
{
    cgm_gmm *gmm = of->gmm;
    const int64_t d = gmm->n_features;
    const int64_t n = points->n_features;
    class->first_component = gmm->n_components;
    class->n_components = mixture->n_components;
    for (int64_t k = 0; k < mixture->n_components; k++) {
        const int64_t c = gmm->n_components++;
        double *mean = gmm->means + c * d;
        gmm->weights[c] = mixture->weights[k];
        for (int64_t f = 0; f < d; f++) {
            mean[f] = of->spread.centre[f]; /* of a constant feature, its value */
        }
        for (int64_t f = 0; f < n; f++) {
            const int64_t row = of->varying[f];
            mean[row] = points->centre[f] + points->scale[f] * mixture->means[k * n + f];
            for (int64_t g = 0; g < n; g++) {
                const int64_t place = (c * d + row) * d + of->varying[g];
                const int64_t from = (k * n + f) * n + g;
                gmm->covariances[place] =
                    points->scale[f] * points->scale[g] * mixture->covariances[from];
                gmm->factors[place] = points->scale[g] * mixture->factors[from];
            }
        }
    }
}

/* Room for so many more components, at least twice what there was. */
static cgm_status grow(training *of, int64_t more)
{
    cgm_gmm *gmm = of->gmm;
    const int64_t d = gmm->n_features;
    const struct {
        double **array;
        int64_t size;
    } arrays[] = {{&gmm->weights, 1},
                  {&gmm->until, 1},
                  {&gmm->means, d},
                  {&gmm->covariances, d * d},
                  {&gmm->factors, d * d}};
    if (gmm->n_components + more <= of->room) {
        return CGM_OK;
    }
    const int64_t room =
        2 * of->room > gmm->n_components + more ? 2 * of->room : gmm->n_components + more;
    for (size_t k = 0; k < sizeof arrays / sizeof arrays[0]; k++) {
        double *larger = cgm_alloc(of->comm, room * arrays[k].size, sizeof *larger);
        if (larger == NULL) {
            return CGM_ERR_MEMORY;
        }
        if (*arrays[k].array != NULL) {
            memcpy(larger, *arrays[k].array,
                   (size_t)(gmm->n_components * arrays[k].size) * sizeof *larger);
        }
        free(*arrays[k].array);
        *arrays[k].array = larger;
    }
    of->room = room;
    return CGM_OK;
}

/* Room for the centres and for three mixtures of as many components as most. */
static cgm_status make_room(cgm_comm *comm, int64_t n_features, int64_t most,
                            start starts[CGM_GMM_STARTS], gmm_mixture mixtures[3])
{
    cgm_status status = CGM_OK;
    for (int k = 0; k < CGM_GMM_STARTS && status == CGM_OK; k++) {
        starts[k].centres = cgm_alloc(comm, most * n_features, sizeof *starts[k].centres);
        status = starts[k].centres != NULL ? CGM_OK : CGM_ERR_MEMORY;
    }
    for (int k = 0; k < 3 && status == CGM_OK; k++) {
        status = gmm_mixture_create(comm, n_features, most, &mixtures[k]);
    }
    return status;
}

static cgm_status fit_class(training *of, int64_t c, const gmm_points *points, gmm_fit *fit,
                            const int64_t *sizes, int n_sizes)
{
    cgm_comm *comm = of->comm;
    const int64_t most = sizes[n_sizes - 1];
    start starts[CGM_GMM_STARTS] = {{0}};
    gmm_mixture mixtures[3] = {{0}};
    cgm_gmm_class *class = &of->gmm->classes[c];
    cgm_status status =
        cgm_agree(comm, make_room(comm, points->n_features, most, starts, mixtures));
    gmm_cells cells = {0};
    starts[0].count = 1; /* of one component, the mean of all points, 0 */
    if (status == CGM_OK && most > 1) {
        status = gmm_cells_create(comm, points, most, &cells);
    }
    for (int k = 0; k < CGM_GMM_STARTS && most > 1 && status == CGM_OK; k++) {
        status = gmm_choose_centres(comm, &cells, of->seed, (uint64_t) class->label, k, most,
                                    starts[k].centres, &starts[k].count);
    }
    if (status == CGM_OK) {
        status = choose_mixture(of, c, points, fit, sizes, n_sizes, starts, mixtures);
    }
    if (status == CGM_OK) {
        describe_class(of, points, &mixtures[0], starts[0].count, class);
        gmm_fit_count(fit, class);
        status = cgm_agree(comm, grow(of, mixtures[0].n_components));
    }
    if (status == CGM_OK) {
        append_mixture(of, points, &mixtures[0], class);
    }
    gmm_cells_destroy(&cells);
    for (int k = 0; k < CGM_GMM_STARTS; k++) {
        free(starts[k].centres);
    }
    for (int k = 0; k < 3; k++) {
        gmm_mixture_destroy(&mixtures[k]);
    }
    return status;
}

static cgm_status train_class(training *of, int64_t c)
{
    cgm_comm *comm = of->comm;
    gmm_points points;
    gmm_fit *fit = NULL;
    int64_t sizes[CGM_GMM_SIZES_MAX];
    cgm_status status = gmm_points_create(comm, of->shard, &of->spread, of->varying, of->n_varying,
                                          of->gmm->classes[c].label, &points);
    if (status == CGM_OK) {
        const int n_sizes =
            cgm_gmm_sizes(of->options->components, points.n_points, of->shard->n_features, sizes);
        status = gmm_fit_create(comm, &points, of->options, of->pause, sizes[n_sizes - 1], &fit);
        if (status == CGM_OK) {
            status = fit_class(of, c, &points, fit, sizes, n_sizes);
        }
    }
    gmm_fit_destroy(fit);
    gmm_points_destroy(&points);
    return status;
}

/* ---- training ---- */

/* A covariance is in the square of the features' unit, and so must have room in a double. */
static cgm_status check_variances(const training *of)
{
    cgm_comm *comm = of->comm;
    for (int64_t k = 0; k < of->n_varying && comm->rank == 0; k++) {
        const double deviation = of->spread.deviation[of->varying[k]];
        const double least = CGM_GMM_LEAST_VARIANCE * deviation * deviation;
        if (!isfinite((double)of->shard->n_points * deviation * deviation) || least < DBL_MIN) {
            return cgm_fail(comm, CGM_ERR_INPUT,
                            "column %lld has a standard deviation of %g, and its square is no "
                            "number for a mixture; use features.scale = standard",
                            (long long)of->varying[k] + 1, deviation);
        }
    }
    return CGM_OK;
}

/* The classes, without their mixtures. */
static cgm_status list_classes(training *of)
{
    cgm_gmm *gmm = of->gmm;
    int64_t *labels = NULL;
    cgm_status status = cgm_labels_find(of->comm, of->shard, &labels, &gmm->n_classes);
    if (status == CGM_OK) {
        gmm->classes = cgm_alloc(of->comm, gmm->n_classes, sizeof *gmm->classes);
        status = cgm_agree(of->comm, gmm->classes == NULL ? CGM_ERR_MEMORY : CGM_OK);
    }
    for (int64_t c = 0; c < gmm->n_classes && status == CGM_OK; c++) {
        gmm->classes[c].label = labels[c];
    }
    free(labels);
    return status;
}

static cgm_status train(training *of)
{
    cgm_comm *comm = of->comm;
    cgm_status status = cgm_spread_measure(comm, of->shard, NULL, &of->spread);
    of->varying = cgm_alloc(comm, of->shard->n_features, sizeof *of->varying);
    status = cgm_agree(comm, of->varying == NULL ? CGM_ERR_MEMORY : status);
    if (status == CGM_OK) {
        of->n_varying = gmm_varying_features(&of->spread, of->shard->n_features, of->varying);
        status = cgm_agree(comm, check_variances(of));
    }
    if (status == CGM_OK) {
        status = list_classes(of);
    }
    for (int64_t c = 0; c < of->gmm->n_classes && status == CGM_OK; c++) {
        status = train_class(of, c);
    }
    if (status == CGM_OK) {
        gmm_share_candidates(of->share, of->shard->n_points, of->gmm);
    }
    cgm_spread_destroy(&of->spread);
    free(of->varying);
    return status;
}

cgm_status cgm_gmm_train(cgm_comm *comm, const cgm_shard *shard, const cgm_gmm_options *options,
                         cgm_class_share share, uint64_t seed, const cgm_pause *pause,
                         cgm_model *model)
{
    *model = (cgm_model){0};
    cgm_gmm *gmm = cgm_alloc(comm, 1, sizeof *gmm);
    cgm_status status = cgm_agree(comm, gmm == NULL ? CGM_ERR_MEMORY : CGM_OK);
    if (status != CGM_OK) {
        free(gmm);
        return status;
    }
    *gmm = (cgm_gmm){.n_features = shard->n_features, .has_labels = shard->has_labels};
    training of = {.comm = comm,
                   .shard = shard,
                   .options = options,
                   .share = share,
                   .seed = seed,
                   .pause = pause,
                   .progress = cgm_progress_start(comm, "generator"),
                   .gmm = gmm};
    status = train(&of);
    gmm_describe_model(gmm, model);
    return status;
}
