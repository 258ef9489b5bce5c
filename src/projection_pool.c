#include <math.h>

#include "cgm/projection.h"
#include "cgm/tolerance.h"
#include "features_file.h"

#define REMEDY "make the pool with the options and the parties of this run (cgm generate)"

cgm_status cgm_projection_check_shape(cgm_comm *comm, const char *path, int64_t n_components,
                                      const cgm_candidates_shape *shape)
{
    if (!shape->is_projected) {
        return CGM_OK;
    }
    cgm_status status = CGM_OK;
    if (n_components == 0) {
        status = cgm_fail(comm, CGM_ERR_INPUT,
                          "file '%s': its candidates are coordinates on principal components, as "
                          "/features says; set features.type = pca, or give another pool",
                          path);
    } else if (n_components != shape->n_features) {
        status = cgm_fail(comm, CGM_ERR_INPUT,
                          "file '%s': its candidates are coordinates on %lld principal components, "
                          "features.components is %lld; make both the same",
                          path, (long long)shape->n_features, (long long)n_components);
    }
    return cgm_agree(comm, status);
}

/* False for NaN as well. */
static bool are_close(const double *a, const double *b, int64_t count, double most)
{
    for (int64_t k = 0; k < count; k++) {
        if (!(fabs(a[k] - b[k]) <= most)) {
            return false;
        }
    }
    return true;
}

static cgm_status compare(cgm_comm *comm, const char *path, const cgm_features *said,
                          const cgm_features *found, double tolerance)
{
    const int64_t d = found->n_features;
    const int64_t k = found->n_components;
    const char *what = NULL;
    const double largest = found->explained_variance[0];
    if (said->n_components != k) {
        what = "their number";
    } else if (said->whiten != found->whiten) {
        what = "the whitening";
    } else if (!are_close(said->mean, found->mean, d, 0.0)) {
        what = "the means";
    } else if (!are_close(said->scale, found->scale, d, 0.0)) {
        what = "the scales";
    } else if (!are_close(said->explained_variance, found->explained_variance, k,
                          tolerance * largest)) {
        what = "the variances";
    } else if (!are_close(said->components, found->components, k * d, tolerance)) {
        what = "the components";
    }
    if (what == NULL) {
        return CGM_OK;
    }
    return cgm_fail(comm, CGM_ERR_INPUT,
                    "file '%s': its candidates are coordinates on other principal components than "
                    "those of the parties' points (%s in /features differ); " REMEDY,
                    path, what);
}

cgm_status cgm_projection_check_pool(cgm_comm *comm, const char *path,
                                     const cgm_projection_rules *rules,
                                     const cgm_features *features)
{
    cgm_status status = CGM_OK;
    if (comm->rank == 0) {
        const bool shared = cgm_dense_is_shared(features->n_features, rules->solver);
        cgm_h5_file file;
        cgm_features said = {0};
        status = cgm_h5_open(comm, path, &file);
        if (status == CGM_OK) {
            status = features_file_read(&file, features->n_features, &said);
        }
        if (status == CGM_OK) {
            status = compare(comm, path, &said, features, shared ? CGM_SAME_COMPONENT : 0.0);
        }
        cgm_features_destroy(&said);
        cgm_h5_close(&file);
    }
    return cgm_agree(comm, status);
}
