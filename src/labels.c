#include "cgm/labels.h"

#include <stdlib.h>
#include <string.h>

/* Adds a label to an ascending list without repetition, of which there is room for one more than
 * CGM_LABELS_MAX. */
static void insert_label(int64_t label, int64_t *labels, int64_t *count)
{
    int64_t low = 0;
    int64_t high = *count;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (labels[middle] < label) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if ((low < *count && labels[low] == label) || *count > CGM_LABELS_MAX) {
        return;
    }
    memmove(labels + low + 1, labels + low, (size_t)(*count - low) * sizeof *labels);
    labels[low] = label;
    ++*count;
}

/* The lists of all ranks become one. own, labels have room for one more than CGM_LABELS_MAX;
 * first [size + 1] and all [size][CGM_LABELS_MAX + 1] are work space */
static void merge_labels(cgm_comm *comm, const int64_t *own, int64_t n_own, int64_t *first,
                         int64_t *all, int64_t *labels, int64_t *n_labels)
{
    const int64_t room = CGM_LABELS_MAX + 1;
    for (int r = 0; r <= comm->size; r++) {
        first[r] = r * (room + 1);
    }
    all[first[comm->rank]] = n_own;
    memcpy(all + first[comm->rank] + 1, own, (size_t)n_own * sizeof *own);
    cgm_comm_all_gather(comm, all, first, sizeof *all);
    *n_labels = 0;
    for (int r = 0; r < comm->size; r++) {
        for (int64_t k = 0; k < all[first[r]]; k++) {
            insert_label(all[first[r] + 1 + k], labels, n_labels);
        }
    }
}

cgm_status cgm_labels_find(cgm_comm *comm, const cgm_shard *shard, int64_t **found,
                           int64_t *n_labels)
{
    const int64_t room = CGM_LABELS_MAX + 2;
    int64_t *labels = cgm_alloc(comm, room, sizeof *labels);
    int64_t *own = cgm_alloc(comm, room, sizeof *own);
    int64_t *first = cgm_alloc(comm, comm->size + 1, sizeof *first);
    int64_t *all = cgm_alloc(comm, comm->size * room, sizeof *all);
    const bool complete = labels != NULL && own != NULL && first != NULL && all != NULL;
    cgm_status status = cgm_agree(comm, complete ? CGM_OK : CGM_ERR_MEMORY);
    *n_labels = 1;
    if (status == CGM_OK && shard->has_labels) {
        int64_t n_own = 0;
        for (int64_t i = 0; i < shard->n_local_points; i++) {
            insert_label(shard->labels[i], own, &n_own);
        }
        merge_labels(comm, own, n_own, first, all, labels, n_labels);
        if (*n_labels > CGM_LABELS_MAX) {
            status = cgm_agree(
                comm, cgm_fail(comm, CGM_ERR_INPUT,
                               "the parties' points have more than %d different labels, too many "
                               "for a generative model of each class; number the classes, or "
                               "leave the labels out",
                               CGM_LABELS_MAX));
        }
    }
    free(own);
    free(first);
    free(all);
    *found = status == CGM_OK ? labels : NULL;
    if (status != CGM_OK) {
        free(labels);
    }
    return status;
}
