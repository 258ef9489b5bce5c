#include "gan_classes.h"

#include <stdlib.h>
#include <string.h>

static int compare_labels(const void *left, const void *right)
{
    const int64_t a = *(const int64_t *)left;
    const int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* labels [count] in ascending order, repeated ones dropped: their number is returned. */
static int64_t find_distinct(int64_t *labels, int64_t count)
{
    int64_t distinct = 0;
    qsort(labels, (size_t)count, sizeof *labels, compare_labels);
    for (int64_t i = 0; i < count; i++) {
        if (distinct == 0 || labels[i] != labels[distinct - 1]) {
            labels[distinct++] = labels[i];
        }
    }
    return distinct;
}

static cgm_status refuse(cgm_comm *comm, int64_t count)
{
    return cgm_fail(comm, CGM_ERR_INPUT,
                    "the parties' labels are of %lld classes or more; generator.type = gan takes "
                    "at most %d",
                    (long long)count, CGM_GAN_CLASSES_MAX);
}

/* All ranks' distinct labels, on every rank. own [n_own] */
static cgm_status gather(cgm_comm *comm, const int64_t *own, int64_t n_own,
                         cgm_gan_classes *classes)
{
    int64_t *offset = cgm_alloc(comm, comm->size + 1, sizeof *offset);
    cgm_status status = cgm_agree(comm, offset == NULL ? CGM_ERR_MEMORY : CGM_OK);
    if (status == CGM_OK) {
        offset[comm->rank + 1] = n_own;
        cgm_comm_sum(comm, offset, comm->size + 1);
        for (int r = 0; r < comm->size; r++) {
            offset[r + 1] += offset[r];
        }
        classes->labels = cgm_alloc(comm, offset[comm->size], sizeof *classes->labels);
        status = cgm_agree(comm, classes->labels == NULL ? CGM_ERR_MEMORY : CGM_OK);
    }
    if (status == CGM_OK) {
        memcpy(classes->labels + offset[comm->rank], own, (size_t)n_own * sizeof *own);
        cgm_comm_all_gather(comm, classes->labels, offset, sizeof *classes->labels);
        classes->count = find_distinct(classes->labels, offset[comm->size]);
    }
    free(offset);
    return status;
}

static cgm_status find_labels(cgm_comm *comm, const cgm_shard *shard, cgm_gan_classes *classes)
{
    int64_t *own = cgm_alloc(comm, shard->n_local_points, sizeof *own);
    int64_t n_own = 0;
    cgm_status status = CGM_ERR_MEMORY;
    if (own != NULL) {
        memcpy(own, shard->labels, (size_t)shard->n_local_points * sizeof *own);
        n_own = find_distinct(own, shard->n_local_points);
        status = n_own <= CGM_GAN_CLASSES_MAX ? CGM_OK : refuse(comm, n_own);
    }
    status = cgm_agree(comm, status);
    if (status == CGM_OK) {
        status = gather(comm, own, n_own, classes);
    }
    free(own);
    if (status == CGM_OK && classes->count > CGM_GAN_CLASSES_MAX) {
        status = refuse(comm, classes->count);
    }
    return status;
}

cgm_status cgm_gan_classes_find(cgm_comm *comm, const cgm_shard *shard, cgm_gan_classes *classes)
{
    *classes = (cgm_gan_classes){0};
    if (!shard->has_labels) {
        return CGM_OK;
    }
    cgm_status status = find_labels(comm, shard, classes);
    if (status != CGM_OK) {
        return status;
    }
    classes->points = cgm_alloc(comm, classes->count, sizeof *classes->points);
    classes->portions = cgm_alloc(comm, classes->count + 1, sizeof *classes->portions);
    const bool refused = classes->points == NULL || classes->portions == NULL;
    status = cgm_agree(comm, refused ? CGM_ERR_MEMORY : CGM_OK);
    if (status != CGM_OK) {
        return status;
    }
    for (int64_t i = 0; i < shard->n_local_points; i++) {
        classes->points[cgm_gan_classes_of(classes, shard->labels[i])]++;
    }
    cgm_comm_sum(comm, classes->points, classes->count);
    int64_t points = 0;
    for (int64_t k = 0; k < classes->count; k++) {
        points += classes->points[k];
        classes->portions[k + 1] = (double)points / (double)shard->n_points;
    }
    return CGM_OK;
}

int64_t cgm_gan_classes_of(const cgm_gan_classes *classes, int64_t label)
{
    const int64_t *found =
        bsearch(&label, classes->labels, (size_t)classes->count, sizeof label, compare_labels);
    return found - classes->labels;
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
    free(classes->labels);
    free(classes->points);
    free(classes->portions);
    *classes = (cgm_gan_classes){0};
}
