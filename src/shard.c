#include "cgm/shard.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "catalogue.h"
#include "cgm/kernel.h"

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

/* ---- which rank is home to what ---- */

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* Before sizes are known: each rank's number of parties, or each party's number of ranks, is even.
 * first_party [size + 1] */
static void place_by_count(int size, int64_t n_parties, int64_t *first_party)
{
    first_party[0] = 0;
    for (int r = 0; r < size; r++) {
        first_party[r + 1] =
            n_parties >= size ? n_parties * (r + 1) / size : r * n_parties / size + 1;
    }
}

/* Whole parties on every rank, at least one: each cut is the one closest to an even share of the
 * points. */
static void place_whole(int size, cgm_shard *shard)
{
    int64_t party = 0;
    double before = 0.0;
    for (int r = 1; r < size; r++) {
        const double even = (double)shard->n_points * r / size;
        while (party < shard->n_parties - 1 &&
               before + 0.5 * (double)shard->party_points[party] <= even) {
            before += (double)shard->party_points[party++];
        }
        shard->first_party[r] =
            clamp(party, shard->first_party[r - 1] + 1, shard->n_parties - (size - r));
    }
    shard->first_party[size] = shard->n_parties;
}

/* The party that has most points for each rank of its group; of several the first. */
static int64_t most_crowded(const cgm_shard *shard, const int64_t *group)
{
    int64_t found = 0;
    for (int64_t i = 1; i < shard->n_parties; i++) {
        if (shard->party_points[i] * group[found] > shard->party_points[found] * group[i]) {
            found = i;
        }
    }
    return found;
}

/* A group of ranks for every party, the first of them its keeper. group [n_parties] */
static void place_groups(int size, int64_t *group, cgm_shard *shard)
{
    for (int64_t i = 0; i < shard->n_parties; i++) {
        group[i] = 1;
    }
    for (int64_t spare = size - shard->n_parties; spare > 0; spare--) {
        group[most_crowded(shard, group)]++;
    }
    int r = 0;
    for (int64_t i = 0; i < shard->n_parties; i++) {
        for (int64_t k = 0; k < group[i]; k++) {
            shard->first_party[++r] = i + 1;
        }
    }
}

/* From keepers to points: a party's segments are shared evenly by the ranks of its group, which is
 * its keeper alone where there are no more ranks than parties; sealed ones all stay there. */
static void place_points(int size, cgm_shard *shard)
{
    int64_t first = 0; /* of the party, in all points */
    int keeper = 0;
    for (int64_t i = 0; i < shard->n_parties; i++) {
        const int64_t points = shard->party_points[i];
        const int64_t segments = (points + CGM_BLOCK_POINTS - 1) / CGM_BLOCK_POINTS;
        while (shard->first_party[keeper + 1] <= i) {
            keeper++;
        }
        int end = keeper + 1;
        while (end < size && shard->first_party[end + 1] == i + 1) {
            end++;
        }
        for (int r = keeper; r < end; r++) {
            const int64_t until = segments * (r - keeper + 1) / (end - keeper) * CGM_BLOCK_POINTS;
            const bool all = shard->sealed || until > points;
            shard->first_point[r + 1] = first + (all ? points : until);
        }
        first += points;
    }
}

/* This rank's shares, or their number alone while there is no room for them. */
static void list_shares(int rank, cgm_shard *shard)
{
    const int64_t home_first = shard->first_point[rank];
    const int64_t home_end = shard->first_point[rank + 1];
    int64_t first = 0;
    shard->n_shares = 0;
    for (int64_t i = 0; i < shard->n_parties && first < home_end; i++) {
        const int64_t end = first + shard->party_points[i];
        const int64_t begin = first > home_first ? first : home_first;
        const int64_t until = end < home_end ? end : home_end;
        if (begin < until) {
            if (shard->share_party != NULL) {
                shard->share_party[shard->n_shares] = i;
                shard->share_offset[shard->n_shares] = begin - first;
                shard->share_first[shard->n_shares + 1] = until - home_first;
            }
            shard->n_shares++;
        }
        first = end;
    }
    shard->n_local_points = home_end - home_first;
}

cgm_status cgm_shard_place(cgm_comm *comm, bool by_count, cgm_shard *shard)
{
    const int64_t n = shard->n_parties;
    int64_t *group = cgm_alloc(comm, n, sizeof *group);
    shard->whole = n >= comm->size || shard->sealed;
    shard->first_party = cgm_alloc(comm, comm->size + 1, sizeof *shard->first_party);
    shard->first_point = cgm_alloc(comm, comm->size + 1, sizeof *shard->first_point);
    bool complete = group != NULL && shard->first_party != NULL && shard->first_point != NULL;
    if (complete) {
        if (by_count) {
            place_by_count(comm->size, n, shard->first_party);
        } else if (n >= comm->size) {
            place_whole(comm->size, shard);
        } else {
            place_groups(comm->size, group, shard);
        }
        place_points(comm->size, shard);
        list_shares(comm->rank, shard);
        const int64_t count = shard->n_shares;
        shard->share_party = cgm_alloc(comm, count, sizeof *shard->share_party);
        shard->share_offset = cgm_alloc(comm, count, sizeof *shard->share_offset);
        shard->share_first = cgm_alloc(comm, count + 1, sizeof *shard->share_first);
        complete =
            shard->share_party != NULL && shard->share_offset != NULL && shard->share_first != NULL;
    }
    if (complete) {
        list_shares(comm->rank, shard);
    }
    free(group);
    return complete ? CGM_OK : CGM_ERR_MEMORY;
}

/* ---- reading ---- */

/* Looks into each party's file on the rank that will keep it, so that a rank opens its own parties'
 * files alone, and gathers what all ranks found. */
static cgm_status describe_files(cgm_comm *comm, cgm_catalogue *all)
{
    int64_t *first = cgm_alloc(comm, comm->size + 1, sizeof *first);
    cgm_status status = cgm_agree(comm, first != NULL ? CGM_OK : CGM_ERR_MEMORY);
    if (status != CGM_OK) {
        return status;
    }
    place_by_count(comm->size, all->count, first);
    for (int64_t i = first[comm->rank]; i < first[comm->rank + 1]; i++) {
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
        cgm_comm_all_gather(comm, all->places, first, sizeof *all->places);
    }
    free(first);
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
    shard->n_parties = all->count;
    shard->n_features = all->places[0].n_features;
    shard->has_labels = all->places[0].has_labels;
    shard->names = all->names;
    all->names = NULL;
    shard->party_points = cgm_alloc(comm, all->count, sizeof *shard->party_points);
    shard->checksums = cgm_alloc(comm, all->count, sizeof *shard->checksums);
    if (shard->party_points == NULL || shard->checksums == NULL) {
        return CGM_ERR_MEMORY;
    }
    for (int64_t i = 0; i < all->count; i++) {
        shard->party_points[i] = all->places[i].n_points;
        shard->n_points += all->places[i].n_points;
    }
    cgm_status status = cgm_shard_place(comm, all->storage == CGM_STORED_FILES, shard);
    if (status != CGM_OK) {
        return status;
    }
    const size_t row_bytes = (size_t)shard->n_features * sizeof *shard->points;
    shard->points = cgm_alloc(comm, shard->n_local_points, row_bytes);
    if (shard->has_labels) {
        shard->labels = cgm_alloc(comm, shard->n_local_points, sizeof *shard->labels);
    }
    bool complete = shard->points != NULL && (shard->labels != NULL || !shard->has_labels);
    return complete ? CGM_OK : CGM_ERR_MEMORY;
}

/* Reads share k, and adds what it contributes to its party's checksum. */
static cgm_status read_share(const cgm_h5_file *file, const cgm_catalogue *all, int64_t k,
                             cgm_shard *shard)
{
    const int64_t i = shard->share_party[k];
    const cgm_place *where = &all->places[i];
    const cgm_points_shape shape = {where->n_points, shard->n_features, shard->has_labels};
    const int64_t rows = shard->share_first[k + 1] - shard->share_first[k];
    double *points = shard->points + shard->share_first[k] * shard->n_features;
    int64_t *labels = shard->has_labels ? shard->labels + shard->share_first[k] : NULL;
    char *group = cgm_catalogue_group(file->comm, all->storage, shard->names[i]);
    if (group == NULL) {
        return CGM_ERR_MEMORY;
    }
    cgm_status status = cgm_points_read(
        file, group, &shape, where->first_row + shard->share_offset[k], rows, points, labels);
    free(group);
    if (status == CGM_OK) {
        shard->checksums[i] = cgm_points_checksum(points, labels, shard->share_offset[k], rows,
                                                  where->n_points, shard->n_features);
    }
    return status;
}

static cgm_status read_shares(cgm_comm *comm, const char *path, const cgm_catalogue *all,
                              cgm_shard *shard)
{
    cgm_h5_file file = {0};
    cgm_status status = CGM_OK;
    for (int64_t k = 0; k < shard->n_shares && status == CGM_OK; k++) {
        if (k == 0 || all->storage == CGM_STORED_FILES) {
            cgm_h5_close(&file);
            const char *own = all->files[shard->share_party[k]];
            status = cgm_h5_open(comm, all->storage == CGM_STORED_FILES ? own : path, &file);
        }
        if (status == CGM_OK) {
            status = read_share(&file, all, k, shard);
        }
    }
    cgm_h5_close(&file);
    return status;
}

static cgm_status refuse_one_file(cgm_comm *comm, const char *path)
{
    return cgm_fail(comm, CGM_ERR_INPUT,
                    "values.exchange = embeddings needs a file of its own for each party: of '%s' "
                    "a rank would read other parties' points; give a directory or a glob",
                    path);
}

static cgm_status read_shard(cgm_comm *comm, const char *path, cgm_catalogue *all, cgm_shard *shard)
{
    cgm_status status = cgm_catalogue_create(comm, path, all);
    if (status == CGM_OK && shard->sealed && all->storage != CGM_STORED_FILES) {
        status = cgm_agree(comm, refuse_one_file(comm, path));
    }
    if (status == CGM_OK && all->storage == CGM_STORED_FILES) {
        status = describe_files(comm, all);
    }
    if (status == CGM_OK) {
        status = cgm_agree(comm, check_places(comm, path, all));
    }
    if (status == CGM_OK) {
        status = cgm_agree(comm, prepare_shard(comm, all, shard));
    }
    if (status == CGM_OK) {
        status = cgm_agree(comm, read_shares(comm, path, all, shard));
    }
    if (status == CGM_OK) {
        cgm_comm_sum_unsigned(comm, shard->checksums, shard->n_parties);
    }
    return status;
}

static cgm_status read_all(cgm_comm *comm, const char *path, cgm_shard *shard)
{
    cgm_catalogue all = {0};
    cgm_status status = read_shard(comm, path, &all, shard);
    cgm_catalogue_destroy(&all);
    if (status != CGM_OK) {
        cgm_shard_destroy(shard);
    }
    return status;
}

cgm_status cgm_shard_read(cgm_comm *comm, const char *path, cgm_shard *shard)
{
    *shard = (cgm_shard){0};
    return read_all(comm, path, shard);
}

cgm_status cgm_shard_read_sealed(cgm_comm *comm, const char *path, cgm_shard *shard)
{
    *shard = (cgm_shard){.sealed = true};
    return read_all(comm, path, shard);
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
    free(shard->first_point);
    free(shard->share_party);
    free(shard->share_offset);
    free(shard->share_first);
    free(shard->points);
    free(shard->labels);
    *shard = (cgm_shard){0};
}
