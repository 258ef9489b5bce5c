/**
 * @file result.h
 * What counts as *results* in a result file (INTERFACE.md, "Output") and their checksum: what two
 * runs must have in common whatever their ranks, threads and restarts, and what a file must still
 * hold when it is read back.
 */
#ifndef CGM_RESULT_H
#define CGM_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "cgm/h5.h"

/** Groups of a result lie two deep; a file whose links go round in a circle has no end. */
enum { CGM_RESULT_DEPTH = 16 };
/** Elements of a dataset read at a time. */
enum { CGM_RESULT_PIECE = 1 << 20 };

/** Local. The type of 8 bytes that holds numbers of a class without loss. */
cgm_h5_type cgm_result_type(cgm_h5_class type_class);

/** Local. Whether the object at path, with all below it, belongs to the results. */
bool cgm_result_has_object(const char *path);

/** Local. Whether the attribute of an object of the results belongs to them. */
bool cgm_result_has_attribute(const char *path, const char *attribute);

/**
 * Contributions to the checksum, each 0 when the object does not belong to the results.  Local.
 * They are added modulo 2^64 over the objects of a file and, for rows, over whoever holds some.
 */

/** Rows first .. first + n_rows - 1 of a dataset of 8-byte numbers, row-major. rank <= 2. */
uint64_t cgm_result_checksum_rows(const char *path, int rank, const int64_t *dims, int64_t first,
                                  int64_t n_rows, const void *data);
/** Shape of a dataset of numbers: added once. */
uint64_t cgm_result_checksum_shape(const char *path, int rank, const int64_t *dims);
/** A whole 1-D dataset of texts. */
uint64_t cgm_result_checksum_texts(const char *path, int64_t count, char *const *texts);
/** A scalar attribute: the number of 8 bytes, or the text. */
uint64_t cgm_result_checksum_attribute(const char *path, const char *attribute, bool is_text,
                                       const void *value);

/**
 * Read a result file and compute the checksum of what it holds.  Local.
 * @param[in]  part, parts  several readers may share the file: this one reads part of them, 0 of 1
 *                          is alone
 * @param[out] checksum     what this part contributes: the checksum is their sum modulo 2^64
 * @return CGM_OK, CGM_ERR_INPUT (something cannot be read, or no result holds such a thing),
 * CGM_ERR_MEMORY.  Cost: reads its part of the file once, in pieces.
 */
cgm_status cgm_result_checksum(const cgm_h5_file *file, int64_t part, int64_t parts,
                               uint64_t *checksum);

#endif
