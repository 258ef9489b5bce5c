/**
 * @file h5.h
 * HDF5, the format of all files of data: reading (serial), writing (serial, or by all ranks through
 * MPI-IO), and walking over what a file holds. The only door to the library.
 *
 * Objects are named by their path in the file. A value is a dataset (attribute NULL) or an
 * attribute of the object at the path. Links inside a file are followed; whatever leads out of it
 * (external links, external or virtual storage) is an error and nothing outside is opened. HDF5
 * prints nothing itself: an error is one line that names file and object.
 *
 * A file may be damaged, or made to do harm. A value whose shape promises more than a file of that
 * size can hold is refused before memory is allocated for it, a file that is cut off while it is
 * read is noticed. Where HDF5 itself crashes or does not come to an end in reading a file, the
 * process ends with one error line and CGM_ERR_INPUT, and mpirun ends the job.
 *
 * Reading functions are Local and return CGM_OK, CGM_ERR_INPUT or CGM_ERR_MEMORY. Writing functions
 * return CGM_OK, CGM_ERR_OUTPUT or CGM_ERR_MEMORY; on a file created as parallel they are
 * Collective and return the same code on every rank, on another they are Local.
 */
#ifndef CGM_H5_H
#define CGM_H5_H

#include <stdbool.h>
#include <stdint.h>

#include "cgm/comm.h"

/** Largest number of dimensions, HDF5's own limit. */
enum { CGM_H5_RANK_MAX = 32 };

/** Types in memory; CGM_H5_TEXT is for attributes alone: a const char *. */
typedef enum cgm_h5_type {
    CGM_H5_DOUBLE,
    CGM_H5_INT64,
    CGM_H5_UINT64,
    CGM_H5_INT32,
    CGM_H5_TEXT
} cgm_h5_type;

/** What the elements of a value in a file are; CGM_H5_OTHER: none of what this program reads. */
typedef enum cgm_h5_class {
    CGM_H5_FLOAT,
    CGM_H5_INTEGER,
    CGM_H5_UNSIGNED,
    CGM_H5_STRING,
    CGM_H5_OTHER
} cgm_h5_class;

/** What stands at a path. */
typedef enum cgm_h5_kind { CGM_H5_MISSING, CGM_H5_GROUP, CGM_H5_DATASET } cgm_h5_kind;

/** Type and shape of a value. */
typedef struct cgm_h5_info {
    cgm_h5_class type_class;
    int64_t element_bytes; /**< in the file */
    int rank;              /**< number of dimensions; 0: a scalar */
    int64_t dims[CGM_H5_RANK_MAX];
    int64_t count; /**< of elements */
} cgm_h5_info;

/** An open file; zeroed: none. */
typedef struct cgm_h5_file {
    int64_t id;         /**< HDF5's handle, > 0 */
    cgm_comm *comm;     /**< borrowed; takes the record of a failure */
    const char *path;   /**< borrowed: must live as long as the file is open */
    cgm_status failure; /**< what a failure counts as: CGM_ERR_INPUT or CGM_ERR_OUTPUT */
    bool parallel;
    int64_t bytes; /**< its size when it was opened for reading */
} cgm_h5_file;

/** Texts read from a file: names of objects, or the elements of a value of strings. */
typedef struct cgm_h5_texts {
    int64_t count;
    char **text; /**< [count] */
} cgm_h5_texts;

/** Local. Version of HDF5, static; the library itself stops a program whose headers were another's.
 */
const char *cgm_h5_version(void);

/* ---- reading ---- */

/** Local. Open for reading. comm and path are borrowed. The pair is cgm_h5_close. */
cgm_status cgm_h5_open(cgm_comm *comm, const char *path, cgm_h5_file *file);

/** Local. Close a file opened by cgm_h5_open. Accepts a zeroed struct. */
void cgm_h5_close(cgm_h5_file *file);

/** Local. What stands at path; a path that does not exist is no error. */
cgm_status cgm_h5_find(const cgm_h5_file *file, const char *path, cgm_h5_kind *kind);

/** Local. Names of the members of the group at path or, if asked, of the attributes of the object
 * there, in the order of their bytes. The pair is cgm_h5_texts_destroy. */
cgm_status cgm_h5_list(const cgm_h5_file *file, const char *path, bool attributes,
                       cgm_h5_texts *names);

/** Local. Accepts a zeroed struct. */
void cgm_h5_texts_destroy(cgm_h5_texts *texts);

/** Local. Type and shape of a value, which must exist. */
cgm_status cgm_h5_describe(const cgm_h5_file *file, const char *path, const char *attribute,
                           cgm_h5_info *info);

/**
 * Read all numbers of a value, of any shape.  Local.
 * @param[in]  attribute  NULL for a dataset
 * @param[in]  type       of the numbers in memory; integers only from a value of integers
 * @param[out] info       type and shape in the file; may be NULL
 * @return row-major, allocated, the caller frees it; NULL and the cause recorded
 */
void *cgm_h5_read(const cgm_h5_file *file, const char *path, const char *attribute,
                  cgm_h5_type type, cgm_h5_info *info);

/** Local. Read a value that has exactly one element into *value. */
cgm_status cgm_h5_read_scalar(const cgm_h5_file *file, const char *path, const char *attribute,
                              cgm_h5_type type, void *value);

/** Local. Read all strings of a value, of fixed or variable length. The pair is
 * cgm_h5_texts_destroy. */
cgm_status cgm_h5_read_texts(const cgm_h5_file *file, const char *path, const char *attribute,
                             cgm_h5_texts *texts);

/**
 * Read rows first .. first + n_rows - 1 (the first dimension) of a dataset of numbers.  Local.
 * @param[in]  type     of data in memory
 * @param[in]  columns  elements of a row: what there is room for. Other rows, or fewer, are an
 *                      error: another program may write to the file.
 * @param[out] data     [n_rows][columns] row-major, owned by the caller
 */
cgm_status cgm_h5_read_rows(const cgm_h5_file *file, const char *path, cgm_h5_type type,
                            int64_t first, int64_t n_rows, int64_t columns, void *data);

/* ---- writing ---- */

/**
 * Create a file for writing.  Local, or Collective if parallel.  The pair is cgm_h5_finish.
 * An existing file is emptied and keeps its mode.
 * @param[in] parallel  false: only the caller writes; true: all ranks write together
 * @param[in] comm, path  borrowed
 */
cgm_status cgm_h5_create(cgm_comm *comm, const char *path, bool parallel, cgm_h5_file *file);

/** Flush and close a file that was written, also after an error. Accepts a zeroed struct. */
cgm_status cgm_h5_finish(cgm_h5_file *file);

/**
 * Create a dataset of numbers, with the groups above it that do not exist yet, and write this
 * rank's rows of it.
 * @param[in] rank, dims  the whole dataset, the same on every rank; rank 1 or 2, dims may be 0
 * @param[in] first       first row that this rank writes
 * @param[in] n_rows      number of rows that this rank writes, 0 allowed; all ranks together write
 *                        every row once
 * @param[in] data        [n_rows][…] row-major
 */
cgm_status cgm_h5_write(cgm_h5_file *file, const char *path, cgm_h5_type type, int rank,
                        const int64_t *dims, int64_t first, int64_t n_rows, const void *data);

/** Makes rows first .. first + n_rows - 1 of a dataset, row-major.  Local. */
typedef void (*cgm_h5_make)(void *state, int64_t first, int64_t n_rows, void *rows);

/** As cgm_h5_write, of rows that are made in order as they are written, so many at a time that a
 * rank's memory stays bounded (32 MiB, or one row). */
cgm_status cgm_h5_write_made(cgm_h5_file *file, const char *path, cgm_h5_type type, int rank,
                             const int64_t *dims, int64_t first, int64_t n_rows, cgm_h5_make make,
                             void *state);

/** Create a 1-D dataset of texts and write it (in parallel: rank 0 does). texts are the same on
 * every rank. */
cgm_status cgm_h5_write_texts(cgm_h5_file *file, const char *path, int64_t count,
                              char *const *texts);

/**
 * Write a scalar attribute of an existing object.
 * @param[in] value  the number, or the text itself; the same on every rank
 */
cgm_status cgm_h5_write_attribute(cgm_h5_file *file, const char *path, const char *name,
                                  cgm_h5_type type, const void *value);

#endif
