#include "gan_classes.h"

#include <math.h>
#include <stdlib.h>

#include "cgm/labels.h"
#include "cgm/points.h"

/* The label is what a class begins with. */
static int compare_labels(const void *left, const void *right)
{
    const int64_t a = *(const int64_t *)left;
    const int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static cgm_status list_classes(cgm_comm *comm, const cgm_shard *shard, cgm_gan_classes *classes)
{
    int64_t *labels = NULL;
    cgm_status status = cgm_labels_find(comm, shard, &labels, &classes->count);
    if (status == CGM_OK) {
        classes->list = cgm_alloc(comm, classes->count, sizeof *classes->list);
        classes->portions = cgm_alloc(comm, classes->count + 1, sizeof *classes->portions);
        const bool refused = classes->list == NULL || classes->portions == NULL;
        status = cgm_agree(comm, refused ? CGM_ERR_MEMORY : CGM_OK);
    }
    for (int64_t k = 0; k < classes->count && status == CGM_OK; k++) {
        classes->list[k].label = labels[k];
    }
    free(labels);
    return status;
}

/* Numbers of every class whose least over all points is wanted: of the party and of a point's
 * checksum, so that no coordinate is told, and of their opposites. */
enum { BOUNDS = 4 };

/* As a number that a double holds. */
static double checksum_of(const double *point, int64_t n_features)
{
    return (double)(cgm_points_checksum(point, NULL, 0, 1, 1, n_features) >> 11);
}

/* bounds [count][BOUNDS] */
static void lower_bounds(const cgm_shard *shard, const cgm_gan_classes *classes, double *bounds)
{
    const int64_t d = shard->n_features;
    for (int64_t k = 0; k < shard->n_shares; k++) {
        const double party = (double)shard->share_party[k];
        for (int64_t i = shard->share_first[k]; i < shard->share_first[k + 1]; i++) {
            const int64_t class = cgm_gan_classes_of(classes, shard->labels[i]);
            const double place = checksum_of(shard->points + i * d, d);
            double *of_class = bounds + class * BOUNDS;
            classes->list[class].n_points++;
            of_class[0] = fmin(of_class[0], party);
            of_class[1] = fmin(of_class[1], -party);
            of_class[2] = fmin(of_class[2], place);
            of_class[3] = fmin(of_class[3], -place);
        }
    }
}

static void describe_class(const double bounds[BOUNDS], cgm_gan_class *class)
{
    class->only_party = bounds[0] == -bounds[1] ? (int64_t)bounds[0] : -1;
    class->is_one_place = bounds[2] == -bounds[3];
}

/* Collective. Points of every class, who has them and where they are. */
static cgm_status describe_classes(cgm_comm *comm, const cgm_shard *shard, cgm_gan_classes *classes)
{
    double *bounds = cgm_alloc(comm, classes->count * BOUNDS, sizeof *bounds);
    int64_t *points = cgm_alloc(comm, classes->count, sizeof *points);
    cgm_status status = cgm_agree(comm, bounds == NULL || points == NULL ? CGM_ERR_MEMORY : CGM_OK);
    if (status == CGM_OK) {
        for (int64_t k = 0; k < classes->count * BOUNDS; k++) {
            bounds[k] = INFINITY;
        }
        lower_bounds(shard, classes, bounds);
        for (int64_t k = 0; k < classes->count; k++) {
            points[k] = classes->list[k].n_points;
        }
        cgm_comm_min(comm, bounds, classes->count * BOUNDS);
        cgm_comm_sum(comm, points, classes->count);
        int64_t until = 0;
        for (int64_t k = 0; k < classes->count; k++) {
            until += points[k];
            classes->list[k].n_points = points[k];
            classes->portions[k + 1] = (double)until / (double)shard->n_points;
            describe_class(bounds + k * BOUNDS, &classes->list[k]);
        }
    }
    free(bounds);
    free(points);
    return status;
}

cgm_status cgm_gan_classes_find(cgm_comm *comm, const cgm_shard *shard, cgm_gan_classes *classes)
{
    *classes = (cgm_gan_classes){0};
    if (!shard->has_labels) {
        return CGM_OK;
    }
    cgm_status status = list_classes(comm, shard, classes);
    return status == CGM_OK ? describe_classes(comm, shard, classes) : status;
}

int64_t cgm_gan_classes_of(const cgm_gan_classes *classes, int64_t label)
{
    const cgm_gan_class *found = bsearch(&label, classes->list, (size_t)classes->count,
                                         sizeof *classes->list, compare_labels);
    return found - classes->list;
}

int64_t cgm_gan_classes_at(const cgm_gan_classes *classes, const double *portions, double at)
{
    int64_t low = 0;
    int64_t high = classes->count - 1;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (at < portions[middle + 1]) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

void cgm_gan_classes_destroy(cgm_gan_classes *classes)
{
    free(classes->list);
    free(classes->portions);
    *classes = (cgm_gan_classes){0};
}
