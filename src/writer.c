#include "writer.h"

#include <stdlib.h>
#include <string.h>

#include "cgm/result.h"

void cgm_writer_put_rows(cgm_writer *to, const char *path, cgm_h5_type type, int rank,
                         const int64_t *dims, int64_t first, int64_t n_rows, const void *data)
{
    if (to->status != CGM_OK) {
        return;
    }
    to->status = cgm_h5_write(to->file, path, type, rank, dims, first, n_rows, data);
    to->checksum += cgm_result_checksum_rows(path, rank, dims, first, n_rows, data);
    if (to->comm->rank == 0) {
        to->checksum += cgm_result_checksum_shape(path, rank, dims);
    }
}

/* Rows that are made, with their part of the checksum. */
typedef struct made_rows {
    cgm_writer *to;
    const char *path;
    int rank;
    const int64_t *dims;
    cgm_h5_make make;
    void *state;
} made_rows;

static void make_and_add(void *state, int64_t first, int64_t n_rows, void *rows)
{
    const made_rows *made = state;
    made->make(made->state, first, n_rows, rows);
    made->to->checksum +=
        cgm_result_checksum_rows(made->path, made->rank, made->dims, first, n_rows, rows);
}

void cgm_writer_put_made(cgm_writer *to, const char *path, cgm_h5_type type, int rank,
                         const int64_t *dims, int64_t first, int64_t n_rows, cgm_h5_make make,
                         void *state)
{
    if (to->status != CGM_OK) {
        return;
    }
    made_rows made = {to, path, rank, dims, make, state};
    to->status =
        cgm_h5_write_made(to->file, path, type, rank, dims, first, n_rows, make_and_add, &made);
    if (to->comm->rank == 0) {
        to->checksum += cgm_result_checksum_shape(path, rank, dims);
    }
}

void cgm_writer_put_array(cgm_writer *to, const char *path, cgm_h5_type type, int64_t count,
                          const void *data)
{
    cgm_writer_put_rows(to, path, type, 1, &count, 0, to->comm->rank == 0 ? count : 0, data);
}

void cgm_writer_put_texts(cgm_writer *to, const char *path, int64_t count, char *const *texts)
{
    if (to->status != CGM_OK) {
        return;
    }
    to->status = cgm_h5_write_texts(to->file, path, count, texts);
    if (to->comm->rank == 0) {
        to->checksum += cgm_result_checksum_texts(path, count, texts);
    }
}

void cgm_writer_put_attribute(cgm_writer *to, const char *path, const char *name, cgm_h5_type type,
                              const void *value)
{
    if (to->status != CGM_OK) {
        return;
    }
    to->status = cgm_h5_write_attribute(to->file, path, name, type, value);
    if (to->comm->rank == 0) {
        to->checksum += cgm_result_checksum_attribute(path, name, type == CGM_H5_TEXT, value);
    }
}

void cgm_writer_put_record(cgm_writer *to, const char *name, const char *text)
{
    cgm_comm *comm = to->comm;
    int64_t bytes = comm->rank == 0 ? (int64_t)strlen(text) + 1 : 0;
    cgm_comm_broadcast(comm, &bytes, sizeof bytes, 0);
    char *copy = cgm_alloc(comm, bytes, 1);
    cgm_status status = cgm_agree(comm, copy != NULL ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        if (comm->rank == 0) {
            memcpy(copy, text, (size_t)bytes);
        }
        cgm_comm_broadcast(comm, copy, (size_t)bytes, 0);
        cgm_writer_put_attribute(to, "/", name, CGM_H5_TEXT, copy);
    } else if (to->status == CGM_OK) {
        to->status = status;
    }
    free(copy);
}

bool cgm_writer_agree(cgm_writer *to, bool complete)
{
    cgm_status status = cgm_agree(to->comm, complete ? CGM_OK : CGM_ERR_MEMORY);
    if (to->status == CGM_OK) {
        to->status = status;
    }
    return status == CGM_OK;
}

void cgm_writer_total(cgm_writer *to)
{
    cgm_comm_sum_unsigned(to->comm, &to->checksum, 1);
}
