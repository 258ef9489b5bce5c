#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "h5_common.h"

/* A transfer takes at most so many bytes of a rank, or one row: it bounds what rows that are made
 * as they are written take, and what MPI-IO takes for its own buffers. */
#define PIECE_BYTES ((int64_t)1 << 25)

/* Longest path of a dataset that is written. */
enum { PATH_BYTES = 256 };

#define UNWRITABLE "this cannot be written; is there room and quota on the file system?"

/* Writing in parallel, one rank's failure is everybody's; elsewhere a rank is on its own. */
static cgm_status settle(const cgm_h5_file *file, cgm_status status)
{
    return file->parallel ? cgm_agree(file->comm, status) : status;
}

/* Times would tell two files of the same content apart. */
static void forget_times(hid_t creation)
{
    H5Pset_obj_track_times(creation, false);
}

/* What the MPI library allocates and maps when it opens a file, at the most. */
enum { OPEN_BYTES = 16 << 20 };

/* MPI gives no reason why a file cannot be opened: is it that some rank is out of memory? */
static bool is_memory_short(const cgm_h5_file *file)
{
    void *memory = file->id <= 0 ? malloc(OPEN_BYTES) : NULL;
    int64_t ranks = file->id <= 0 && memory == NULL;
    free(memory);
    if (file->parallel) {
        cgm_comm_sum(file->comm, &ranks, 1);
    }
    return ranks > 0;
}

cgm_status cgm_h5_create(cgm_comm *comm, const char *path, bool parallel, cgm_h5_file *file)
{
    *file =
        (cgm_h5_file){.comm = comm, .path = path, .failure = CGM_ERR_OUTPUT, .parallel = parallel};
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    hid_t properties = H5Pcreate(H5P_FILE_ACCESS);
    /* Before the format of HDF5 1.8 an attribute (the command, the hosts) ended at 64 KiB. */
    H5Pset_libver_bounds(properties, H5F_LIBVER_V18, H5F_LIBVER_LATEST);
    if (parallel) {
        H5Pset_fapl_mpio(properties, comm->world, MPI_INFO_NULL);
        H5Pset_coll_metadata_write(properties, true);
    }
    hid_t creation = H5Pcreate(H5P_FILE_CREATE);
    forget_times(creation);
    file->id = H5Fcreate(path, H5F_ACC_TRUNC, creation, properties);
    cgm_h5_drop(creation);
    cgm_h5_drop(properties);
    cgm_status status = CGM_OK;
    if (is_memory_short(file)) {
        status = cgm_fail(comm, CGM_ERR_MEMORY,
                          "no memory to create file '%s'; use more nodes or fewer ranks a node, or "
                          "ask for more memory a rank",
                          path);
    } else if (file->id <= 0) {
        status = cgm_fail(comm, file->failure, "file '%s' cannot be created; %s", path,
                          parallel ? "is its directory on a file system that all nodes share?"
                                   : "does its directory exist, and may you write to it?");
    }
    return settle(file, status);
}

cgm_status cgm_h5_finish(cgm_h5_file *file)
{
    /* HDF5 crashes at exit after a close that failed, and hangs if a flush fails on some ranks
     * alone. One writer can tell in advance: its file is lost, without it the close succeeds. */
    cgm_status status = CGM_OK;
    bool alone = !file->parallel || file->comm->size == 1;
    if (alone && file->id > 0 && H5Fflush(file->id, H5F_SCOPE_GLOBAL) < 0) {
        status = cgm_h5_fail(file, "/", NULL, UNWRITABLE);
        status = truncate(file->path, 0) == 0 ? status : file->failure;
    }
    if (file->id > 0 && H5Fclose(file->id) < 0) {
        status = cgm_h5_fail(file, "/", NULL, UNWRITABLE);
    }
    status = settle(file, status);
    *file = (cgm_h5_file){0};
    return status;
}

/* Rows that this rank writes: as they stand in memory, or made piece by piece. */
typedef struct row_source {
    int64_t first, n_rows;
    const char *data; /* or NULL: make fills buffer */
    cgm_h5_make make;
    void *state;
    char *buffer; /* [rows of a piece] */
} row_source;

/* A dataset while it is written. */
typedef struct dataset {
    hid_t id;
    hid_t type;
    int64_t n_rows;
    int64_t row_bytes;
    int64_t piece_rows;
} dataset;

/* Transfers of a large dataset are collective, and MPI-IO makes large writes of them; of a small
 * one each rank writes its own rows, as agreeing would take longer. */
static bool is_collective(const cgm_h5_file *file, const dataset *to)
{
    return file->parallel && to->n_rows > to->piece_rows;
}

/* Where they are collective all ranks take as many as the one with most rows needs. */
static int64_t count_pieces(const cgm_h5_file *file, const dataset *to, const row_source *rows)
{
    const int64_t mine = (rows->n_rows + to->piece_rows - 1) / to->piece_rows;
    double pieces = (double)mine;
    if (is_collective(file, to)) {
        cgm_comm_max(file->comm, &pieces, 1);
    }
    return (int64_t)pieces;
}

/* Piece by piece; in a collective one a rank takes part with the rows of its own that are left. */
static herr_t write_rows(const cgm_h5_file *file, const dataset *to, const row_source *rows)
{
    hid_t transfer = H5Pcreate(H5P_DATASET_XFER);
    if (is_collective(file, to)) {
        H5Pset_dxpl_mpio(transfer, H5FD_MPIO_COLLECTIVE);
    }
    const int64_t pieces = count_pieces(file, to, rows);
    herr_t code = 0;
    for (int64_t k = 0; k < pieces; k++) {
        const int64_t done = k * to->piece_rows;
        const int64_t left = done < rows->n_rows ? rows->n_rows - done : 0;
        const int64_t count = left < to->piece_rows ? left : to->piece_rows;
        const char *next = rows->data != NULL ? rows->data : rows->buffer;
        if (count > 0 && rows->data != NULL) {
            next += done * to->row_bytes;
        } else if (count > 0 && rows->make != NULL) {
            rows->make(rows->state, rows->first + done, count, rows->buffer);
        }
        hid_t space = H5Dget_space(to->id);
        hid_t memory = cgm_h5_select_rows(space, rows->first + done, count);
        /* After a failure too: the other ranks wait in this collective. */
        if (H5Dwrite(to->id, to->type, memory, space, transfer, next) < 0) {
            code = -1;
        }
        cgm_h5_drop(memory);
        cgm_h5_drop(space);
    }
    cgm_h5_drop(transfer);
    return code;
}

/* Creates the groups above path that do not exist yet. */
static bool create_groups(const cgm_h5_file *file, const char *path)
{
    char group[PATH_BYTES];
    bool created = snprintf(group, sizeof group, "%s", path) < PATH_BYTES;
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_char_encoding(links, H5T_CSET_UTF8);
    hid_t creation = H5Pcreate(H5P_GROUP_CREATE);
    forget_times(creation);
    for (char *end = strchr(group + 1, '/'); end != NULL && created; end = strchr(end + 1, '/')) {
        *end = '\0';
        if (H5Lexists(file->id, group, H5P_DEFAULT) <= 0) {
            hid_t id = H5Gcreate2(file->id, group, links, creation, H5P_DEFAULT);
            created = id > 0;
            cgm_h5_drop(id);
        }
        *end = '/';
    }
    cgm_h5_drop(creation);
    cgm_h5_drop(links);
    return created;
}

static hid_t create_dataset(const cgm_h5_file *file, const char *path, hid_t type, int rank,
                            const hsize_t *extent)
{
    hid_t space = H5Screate_simple(rank, extent, NULL);
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_char_encoding(links, H5T_CSET_UTF8);
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    /* Every row is written once: filling the dataset first would only double the traffic. */
    H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER);
    forget_times(creation);
    hid_t id = H5Dcreate2(file->id, path, type, space, links, creation, H5P_DEFAULT);
    cgm_h5_drop(creation);
    cgm_h5_drop(links);
    cgm_h5_drop(space);
    return id;
}

/* Room for a piece of rows that are made, if they are. */
static cgm_status create_buffer(const cgm_h5_file *file, const dataset *to, row_source *rows)
{
    if (rows->data != NULL) {
        return CGM_OK;
    }
    const int64_t count = rows->n_rows < to->piece_rows ? rows->n_rows : to->piece_rows;
    rows->buffer = cgm_alloc(file->comm, count, (size_t)to->row_bytes);
    return rows->buffer != NULL ? CGM_OK : CGM_ERR_MEMORY;
}

static cgm_status write_dataset(cgm_h5_file *file, const char *path, hid_t type, int rank,
                                const int64_t *dims, row_source *rows)
{
    const bool created = create_groups(file, path);
    const hsize_t extent[2] = {(hsize_t)dims[0], rank > 1 ? (hsize_t)dims[1] : 1};
    dataset to = {.id = created ? create_dataset(file, path, type, rank, extent) : 0,
                  .type = type,
                  .n_rows = dims[0],
                  .row_bytes = (int64_t)(H5Tget_size(type) * extent[1])};
    to.piece_rows = to.row_bytes > 0 && to.row_bytes < PIECE_BYTES ? PIECE_BYTES / to.row_bytes : 1;
    cgm_status status = to.id > 0 ? CGM_OK : cgm_h5_fail(file, path, NULL, UNWRITABLE);
    if (status == CGM_OK) {
        status = create_buffer(file, &to, rows);
    }
    status = settle(file, status);
    if (status == CGM_OK && to.n_rows > 0 && to.row_bytes > 0) {
        if (write_rows(file, &to, rows) < 0) {
            status = cgm_h5_fail(file, path, NULL, UNWRITABLE);
        }
        status = settle(file, status);
    }
    free(rows->buffer);
    cgm_h5_drop(to.id);
    return status;
}

cgm_status cgm_h5_write(cgm_h5_file *file, const char *path, cgm_h5_type type, int rank,
                        const int64_t *dims, int64_t first, int64_t n_rows, const void *data)
{
    row_source rows = {.first = first, .n_rows = n_rows, .data = data};
    return write_dataset(file, path, cgm_h5_number_type(type), rank, dims, &rows);
}

cgm_status cgm_h5_write_made(cgm_h5_file *file, const char *path, cgm_h5_type type, int rank,
                             const int64_t *dims, int64_t first, int64_t n_rows, cgm_h5_make make,
                             void *state)
{
    row_source rows = {.first = first, .n_rows = n_rows, .make = make, .state = state};
    return write_dataset(file, path, cgm_h5_number_type(type), rank, dims, &rows);
}

/* Fixed length, padded with zeros: strings of variable length cannot be written in parallel. */
static hid_t text_type(size_t bytes)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, bytes > 0 ? bytes : 1);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

cgm_status cgm_h5_write_texts(cgm_h5_file *file, const char *path, int64_t count,
                              char *const *texts)
{
    size_t bytes = 1;
    for (int64_t k = 0; k < count; k++) {
        size_t length = strlen(texts[k]);
        bytes = length > bytes ? length : bytes;
    }
    char *padded = cgm_alloc(file->comm, count, bytes);
    cgm_status status = settle(file, padded != NULL ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        for (int64_t k = 0; k < count; k++) {
            memcpy(padded + (size_t)k * bytes, texts[k], strlen(texts[k]));
        }
        hid_t type = text_type(bytes);
        int64_t mine = !file->parallel || file->comm->rank == 0 ? count : 0;
        row_source rows = {.n_rows = mine, .data = padded};
        status = write_dataset(file, path, type, 1, &count, &rows);
        cgm_h5_drop(type);
    }
    free(padded);
    return status;
}

cgm_status cgm_h5_write_attribute(cgm_h5_file *file, const char *path, const char *name,
                                  cgm_h5_type type, const void *value)
{
    hid_t stored =
        type == CGM_H5_TEXT ? text_type(strlen(value)) : H5Tcopy(cgm_h5_number_type(type));
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate_by_name(file->id, path, name, stored, space, H5P_DEFAULT,
                                        H5P_DEFAULT, H5P_DEFAULT);
    cgm_status status = CGM_OK;
    if (attribute <= 0 || H5Awrite(attribute, stored, value) < 0) {
        status = cgm_h5_fail(file, path, name, UNWRITABLE);
    }
    cgm_h5_drop(attribute);
    cgm_h5_drop(space);
    cgm_h5_drop(stored);
    return settle(file, status);
}
