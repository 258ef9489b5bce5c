/**
 * @file writer.h
 * Puts objects into a file that all ranks write together, and adds up the checksum that the file
 * must have when it is read back (result.h). Internal.
 *
 * All functions are Collective; after a failure nothing more is put, and status tells of it.
 */
#ifndef CGM_WRITER_H
#define CGM_WRITER_H

#include "cgm/h5.h"

typedef struct cgm_writer {
    cgm_comm *comm;
    cgm_h5_file *file;
    uint64_t checksum; /* this rank's contribution, until cgm_writer_total */
    cgm_status status; /* the same on every rank */
} cgm_writer;

/** Rows first .. first + n_rows - 1 from this rank; numbers of 8 bytes. */
void cgm_writer_put_rows(cgm_writer *to, const char *path, cgm_h5_type type, int rank,
                         const int64_t *dims, int64_t first, int64_t n_rows, const void *data);

/** As cgm_writer_put_rows, of rows that are made piece by piece. */
void cgm_writer_put_made(cgm_writer *to, const char *path, cgm_h5_type type, int rank,
                         const int64_t *dims, int64_t first, int64_t n_rows, cgm_h5_make make,
                         void *state);

/** A small array that rank 0 holds, or every rank. */
void cgm_writer_put_array(cgm_writer *to, const char *path, cgm_h5_type type, int64_t count,
                          const void *data);

/** The same texts on every rank. */
void cgm_writer_put_texts(cgm_writer *to, const char *path, int64_t count, char *const *texts);

/** value: a number of 8 bytes or a text, the same on every rank. */
void cgm_writer_put_attribute(cgm_writer *to, const char *path, const char *name, cgm_h5_type type,
                              const void *value);

/** A text attribute of the root that is rank 0's alone (time, command): the others' is not looked
 * at. */
void cgm_writer_put_record(cgm_writer *to, const char *name, const char *text);

/** Votes on memory that every rank needs; after it all ranks go on, or none. */
bool cgm_writer_agree(cgm_writer *to, bool complete);

/** The checksum of all ranks. */
void cgm_writer_total(cgm_writer *to);

#endif
