#include "cgm/shard.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "catalogue.h"

int cgm_shard_compare_names(const char *a, const char *b)
{
    const char *x = a;
    const char *y = b;
    while (*x != '\0' && *y != '\0') {
        if (!isdigit((unsigned char)*x) || !isdigit((unsigned char)*y)) {
            if (*x != *y) {
                return (unsigned char)*x < (unsigned char)*y ? -1 : 1;
            }
            x++;
            y++;
            continue;
        }
        x += strspn(x, "0");
        y += strspn(y, "0");
        size_t n_x = strspn(x, "0123456789");
        size_t n_y = strspn(y, "0123456789");
        int order = n_x == n_y ? strncmp(x, y, n_x) : n_x < n_y ? -1 : 1;
        if (order != 0) {
            return order;
        }
        x += n_x;
        y += n_y;
    }
    if (*x != *y) {
        return *x == '\0' ? -1 : 1;
    }
    /* Names that differ in leading zeros alone. */
    return strcmp(a, b);
}

/* Party i lives on rank ⌊(2i+1)·P/(2N)⌋: contiguous, even, and spread out when ranks outnumber
 * parties. */
static void assign_parties(const cgm_comm *comm, int64_t n_parties, int64_t *first_party)
{
    for (int64_t i = 0; i < n_parties; i++) {
        first_party[(2 * i + 1) * comm->size / (2 * n_parties) + 1]++;
    }
    for (int r = 0; r < comm->size; r++) {
        first_party[r + 1] += first_party[r];
    }
}

/* Looks into the files of this rank's own parties only, and gathers what all ranks found. */
static cgm_status describe_files(cgm_comm *comm, const int64_t *first_party, cgm_catalogue *all)
{
    cgm_status status = CGM_OK;
    for (int64_t i = first_party[comm->rank]; i < first_party[comm->rank + 1]; i++) {
        cgm_h5_file file;
        status = cgm_h5_open(comm, all->files[i], &file);
        if (status == CGM_OK) {
            status = cgm_catalogue_describe(&file, "", &all->places[i]);
        }
        cgm_h5_close(&file);
        if (status != CGM_OK) {
            break;
        }
    }
    status = cgm_agree(comm, status);
    if (status == CGM_OK) {
        cgm_comm_all_gather(comm, all->places, first_party, sizeof *all->places);
    }
    return status;
}

/* The same on every rank, which all hold the same catalogue. */
static cgm_status check_places(cgm_comm *comm, const char *path, const cgm_catalogue *all)
{
    for (int64_t i = 1; i < all->count; i++) {
        const cgm_place *a = &all->places[0];
        const cgm_place *b = &all->places[i];
        if (a->n_features != b->n_features) {
            return cgm_fail(comm, CGM_ERR_INPUT,
                            "'%s': party '%s' has %lld features (columns of data), party '%s' has "
                            "%lld; all parties need the same",
                            path, all->names[0], (long long)a->n_features, all->names[i],
                            (long long)b->n_features);
        }
        if (a->has_labels != b->has_labels) {
            return cgm_fail(comm, CGM_ERR_INPUT,
                            "'%s': party '%s' has labels, party '%s' has none; all parties need "
                            "them, or none",
                            path, all->names[a->has_labels ? 0 : i],
                            all->names[a->has_labels ? i : 0]);
        }
    }
    return CGM_OK;
}

/* Takes names and sizes from the catalogue, and makes room for this rank's points. */
static cgm_status prepare_shard(cgm_comm *comm, cgm_catalogue *all, cgm_shard *shard)
{
    const int64_t first = shard->first_party[comm->rank];
    shard->n_parties = all->count;
    shard->n_features = all->places[0].n_features;
    shard->has_labels = all->places[0].has_labels;
    shard->n_local_parties = shard->first_party[comm->rank + 1] - first;
    shard->names = all->names;
    all->names = NULL;
    shard->party_points = cgm_alloc(comm, all->count, sizeof *shard->party_points);
    shard->checksums = cgm_alloc(comm, all->count, sizeof *shard->checksums);
    shard->local_first = cgm_alloc(comm, shard->n_local_parties + 1, sizeof *shard->local_first);
    if (shard->party_points == NULL || shard->checksums == NULL || shard->local_first == NULL) {
        return CGM_ERR_MEMORY;
    }
    for (int64_t i = 0; i < all->count; i++) {
        shard->party_points[i] = all->places[i].n_points;
        shard->n_points += all->places[i].n_points;
    }
    for (int64_t k = 0; k < shard->n_local_parties; k++) {
        shard->local_first[k + 1] = shard->local_first[k] + all->places[first + k].n_points;
    }
    shard->n_local_points = shard->local_first[shard->n_local_parties];
    const size_t row_bytes = (size_t)shard->n_features * sizeof *shard->points;
    shard->points = cgm_alloc(comm, shard->n_local_points, row_bytes);
    if (shard->has_labels) {
        shard->labels = cgm_alloc(comm, shard->n_local_points, sizeof *shard->labels);
    }
    bool complete = shard->points != NULL && (shard->labels != NULL || !shard->has_labels);
    return complete ? CGM_OK : CGM_ERR_MEMORY;
}

/* Reads local party k. */
static cgm_status read_party(const cgm_h5_file *file, const cgm_catalogue *all, int64_t k,
                             cgm_shard *shard)
{
    const int64_t i = shard->first_party[file->comm->rank] + k;
    const cgm_place *where = &all->places[i];
    const cgm_points_shape shape = {where->n_points, shard->n_features, shard->has_labels};
    double *points = shard->points + shard->local_first[k] * shard->n_features;
    int64_t *labels = shard->has_labels ? shard->labels + shard->local_first[k] : NULL;
    char *group = cgm_catalogue_group(file->comm, all->storage, shard->names[i]);
    if (group == NULL) {
        return CGM_ERR_MEMORY;
    }
    cgm_status status =
        cgm_points_read(file, group, &shape, where->first_row, where->n_points, points, labels);
    free(group);
    if (status == CGM_OK) {
        shard->checksums[i] =
            cgm_points_checksum(points, labels, where->n_points, shard->n_features);
    }
    return status;
}

static cgm_status read_parties(cgm_comm *comm, const char *path, const cgm_catalogue *all,
                               cgm_shard *shard)
{
    cgm_h5_file file = {0};
    cgm_status status = CGM_OK;
    for (int64_t k = 0; k < shard->n_local_parties && status == CGM_OK; k++) {
        if (k == 0 || all->storage == CGM_STORED_FILES) {
            cgm_h5_close(&file);
            const char *own = all->files[shard->first_party[comm->rank] + k];
            status = cgm_h5_open(comm, all->storage == CGM_STORED_FILES ? own : path, &file);
        }
        if (status == CGM_OK) {
            status = read_party(&file, all, k, shard);
        }
    }
    cgm_h5_close(&file);
    return status;
}

static cgm_status read_shard(cgm_comm *comm, const char *path, cgm_catalogue *all, cgm_shard *shard)
{
    cgm_status status = cgm_catalogue_create(comm, path, all);
    if (status != CGM_OK) {
        return status;
    }
    shard->first_party = cgm_alloc(comm, comm->size + 1, sizeof *shard->first_party);
    status = cgm_agree(comm, shard->first_party != NULL ? CGM_OK : CGM_ERR_MEMORY);
    if (status != CGM_OK) {
        return status;
    }
    assign_parties(comm, all->count, shard->first_party);
    if (all->storage == CGM_STORED_FILES) {
        status = describe_files(comm, shard->first_party, all);
    }
    if (status == CGM_OK) {
        status = cgm_agree(comm, check_places(comm, path, all));
    }
    if (status == CGM_OK) {
        status = cgm_agree(comm, prepare_shard(comm, all, shard));
    }
    if (status == CGM_OK) {
        status = cgm_agree(comm, read_parties(comm, path, all, shard));
    }
    if (status == CGM_OK) {
        cgm_comm_all_gather(comm, shard->checksums, shard->first_party, sizeof *shard->checksums);
    }
    return status;
}

cgm_status cgm_shard_read(cgm_comm *comm, const char *path, cgm_shard *shard)
{
    *shard = (cgm_shard){0};
    cgm_catalogue all = {0};
    cgm_status status = read_shard(comm, path, &all, shard);
    cgm_catalogue_destroy(&all);
    if (status != CGM_OK) {
        cgm_shard_destroy(shard);
    }
    return status;
}

void cgm_shard_destroy(cgm_shard *shard)
{
    for (int64_t i = 0; shard->names != NULL && i < shard->n_parties; i++) {
        free(shard->names[i]);
    }
    free(shard->names);
    free(shard->party_points);
    free(shard->checksums);
    free(shard->first_party);
    free(shard->local_first);
    free(shard->points);
    free(shard->labels);
    *shard = (cgm_shard){0};
}
