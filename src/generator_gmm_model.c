#include "generator_gmm_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/rng.h"
#include "writer.h"

/* ---- drawing ---- */

void gmm_share_candidates(cgm_class_share share, int64_t n_points, cgm_gmm *gmm)
{
    double until = 0.0;
    for (int64_t c = 0; c < gmm->n_classes; c++) {
        cgm_gmm_class *class = &gmm->classes[c];
        class->share = share == CGM_SHARE_BALANCED ? 1.0 / (double)gmm->n_classes
                                                   : (double)class->n_points / (double)n_points;
        double within = 0.0;
        for (int64_t k = 0; k < class->n_components; k++) {
            within += gmm->weights[class->first_component + k];
            gmm->until[class->first_component + k] = until + class->share * fmin(within, 1.0);
        }
        until += class->share;
        gmm->until[class->first_component + class->n_components - 1] = until;
    }
    gmm->until[gmm->n_components - 1] = 1.0;
}

static int64_t find_component(const cgm_gmm *gmm, double uniform)
{
    int64_t low = 0;
    int64_t high = gmm->n_components - 1;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (uniform < gmm->until[middle]) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static int64_t label_of(const cgm_gmm *gmm, int64_t component)
{
    int64_t low = 0;
    int64_t high = gmm->n_classes;
    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        if (gmm->classes[middle].first_component <= component) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return gmm->classes[low].label;
}

/* mean + L·e, e standard normal, column by column of L. */
static void draw_point(const cgm_gmm *gmm, const cgm_rng *rng, int64_t candidate, int64_t component,
                       double *point)
{
    const int64_t d = gmm->n_features;
    const double *columns = gmm->factors + component * d * d;
    double normal[4];
    memcpy(point, gmm->means + component * d, (size_t)d * sizeof *point);
    for (int64_t f = 0; f < d; f++) {
        if (f % 4 == 0) {
            uint64_t words[4];
            cgm_rng_words(rng, (uint64_t)candidate, (uint64_t)(1 + f / 4), 0, words);
            cgm_rng_normal(words, normal);
            cgm_rng_normal(words + 2, normal + 2);
        }
        const double *column = columns + f * d;
        const double e = normal[f % 4];
        for (int64_t g = f; g < d; g++) {
            point[g] += column[g] * e;
        }
    }
}

static void draw(const void *state, uint64_t seed, int64_t first, int64_t count, double *points,
                 int64_t *labels)
{
    const cgm_gmm *gmm = state;
    const cgm_rng rng = {seed, cgm_rng_hash("candidates"), CGM_RNG_CANDIDATE};
    for (int64_t k = 0; k < count; k++) {
        uint64_t words[4];
        cgm_rng_words(&rng, (uint64_t)(first + k), 0, 0, words);
        const int64_t component = find_component(gmm, cgm_rng_uniform(words[0]));
        draw_point(gmm, &rng, first + k, component, points + k * gmm->n_features);
        if (labels != NULL) {
            labels[k] = label_of(gmm, component);
        }
    }
}

/* ---- output ---- */

/* One number of every class. */
static void put_classes(cgm_writer *to, const cgm_gmm *gmm)
{
    enum { INTEGERS = 9, REALS = 3 };
    static const char *const integers[INTEGERS] = {
        "/generator/class_points",     "/generator/first_component", "/generator/components",
        "/generator/iterations",       "/generator/converged",       "/generator/starts",
        "/generator/start_components", "/generator/passes",          "/generator/component_passes"};
    static const char *const reals[REALS] = {"/generator/class_share", "/generator/log_likelihood",
                                             "/generator/criterion"};
    const int64_t n = gmm->n_classes;
    int64_t *whole = cgm_alloc(to->comm, (INTEGERS + 1) * n, sizeof *whole);
    double *real = cgm_alloc(to->comm, REALS * n, sizeof *real);
    if (cgm_writer_agree(to, whole != NULL && real != NULL)) {
        for (int64_t c = 0; c < n; c++) {
            const cgm_gmm_class *class = &gmm->classes[c];
            const int64_t numbers[INTEGERS + 1] = {class->n_points,         class->first_component,
                                                   class->n_components,     class->iterations,
                                                   class->converged,        class->starts,
                                                   class->start_components, class->passes,
                                                   class->component_passes, class->label};
            const double others[REALS] = {class->share, class->log_likelihood, class->criterion};
            for (int k = 0; k <= INTEGERS; k++) {
                whole[k * n + c] = numbers[k];
            }
            for (int k = 0; k < REALS; k++) {
                real[k * n + c] = others[k];
            }
        }
        if (gmm->has_labels) {
            cgm_writer_put_array(to, "/generator/label", CGM_H5_INT64, n, whole + INTEGERS * n);
        }
        for (int k = 0; k < INTEGERS; k++) {
            cgm_writer_put_array(to, integers[k], CGM_H5_INT64, n, whole + k * n);
        }
        for (int k = 0; k < REALS; k++) {
            cgm_writer_put_array(to, reals[k], CGM_H5_DOUBLE, n, real + k * n);
        }
    }
    free(whole);
    free(real);
}

static void put(const void *state, struct cgm_writer *to)
{
    const cgm_gmm *gmm = state;
    const int64_t d = gmm->n_features;
    const int64_t means[2] = {gmm->n_components, d};
    const int64_t covariances[2] = {gmm->n_components * d, d};
    const bool first = to->comm->rank == 0;
    put_classes(to, gmm);
    cgm_writer_put_array(to, "/generator/weights", CGM_H5_DOUBLE, gmm->n_components, gmm->weights);
    cgm_writer_put_rows(to, "/generator/means", CGM_H5_DOUBLE, 2, means, 0, first ? means[0] : 0,
                        gmm->means);
    cgm_writer_put_rows(to, "/generator/covariances", CGM_H5_DOUBLE, 2, covariances, 0,
                        first ? covariances[0] : 0, gmm->covariances);
}

static void destroy(void *state)
{
    cgm_gmm *gmm = state;
    if (gmm == NULL) {
        return;
    }
    free(gmm->classes);
    free(gmm->weights);
    free(gmm->means);
    free(gmm->covariances);
    free(gmm->factors);
    free(gmm->until);
    free(gmm);
}

void gmm_describe_model(cgm_gmm *gmm, cgm_model *model)
{
    const int64_t d = gmm->n_features;
    *model = (cgm_model){.has_labels = gmm->has_labels,
                         .state = gmm,
                         .put_words =
                             16 * gmm->n_classes + gmm->n_components * (1 + d + d * d) + (1 << 13),
                         .draw = draw,
                         .put = put,
                         .destroy = destroy};
}
