/**
 * @file report_reader.h
 * Values of a result file on their way into a report. Internal to report_read.c and
 * report_read_sets.c. All functions are Local; after a failure nothing more is read, and what is
 * returned has no meaning.
 */
#ifndef CGM_REPORT_READER_H
#define CGM_REPORT_READER_H

#include "report_data.h"

typedef struct cgm_reader {
    cgm_comm *comm;
    cgm_report_data *data;
    cgm_status status;
} cgm_reader;

/** In place of a number of elements. */
enum { CGM_READER_ANY = -1 };

/** What is wrong with a value that was read. */
void cgm_reader_damaged(cgm_reader *from, const char *path, const char *what);

/**
 * Numbers of 8 bytes of a dataset of one dimension or, with columns > 0, of two.
 * @param[in]  count  rows, or CGM_READER_ANY
 * @param[out] found  rows, or NULL
 * @return owned by the report
 */
const void *cgm_reader_take_array(cgm_reader *from, const char *path, cgm_h5_type type,
                                  int64_t count, int64_t columns, int64_t *found);
const double *cgm_reader_take_doubles(cgm_reader *from, const char *path, int64_t count);
const int64_t *cgm_reader_take_integers(cgm_reader *from, const char *path, int64_t count);

/** Texts of a dataset, as cgm_reader_take_array. */
char *const *cgm_reader_take_texts(cgm_reader *from, const char *path, int64_t count,
                                   int64_t *found);

/** A text attribute, owned by the report; an empty text where it has no element. */
const char *cgm_reader_take_text(cgm_reader *from, const char *path, const char *attribute);

/** An attribute of 8 bytes. */
void cgm_reader_take_number(cgm_reader *from, const char *path, const char *attribute,
                            cgm_h5_type type, void *value);

bool cgm_reader_is_there(cgm_reader *from, const char *path);

/** Rewards and their measures at all β (report_read_sets.c). */
void cgm_reader_read_sets(cgm_reader *from);

#endif
