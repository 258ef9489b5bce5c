/**
 * @file import_table.h
 * What the rows of CSV files mean, once they are cut into cells: header, features, labels. Internal
 * to the import.
 */
#ifndef CGM_IMPORT_TABLE_H
#define CGM_IMPORT_TABLE_H

#include <stdbool.h>

#include "cgm/comm.h"

/** A list of texts that grows. */
typedef struct cgm_text_list {
    int64_t count;
    int64_t room;
    char **text; /**< [count] */
} cgm_text_list;

/** What all files have in common. */
typedef struct cgm_import_table {
    const char *label_column; /**< its name, empty without labels; borrowed */
    const char *first_path;   /**< the file that decided on the columns; borrowed */
    int64_t n_columns;        /**< 0: no file has been looked at yet */
    bool has_header;
    cgm_text_list header;      /**< [n_columns], or none */
    int64_t label;             /**< column of the labels, -1 without */
    bool labels_are_whole;     /**< every label so far is a whole number */
    bool too_many_labels;      /**< for label_texts: only whole numbers may be so many */
    cgm_text_list label_texts; /**< in natural order, each once */
} cgm_import_table;

/** The rows of one file while it is read. */
typedef struct cgm_import_rows {
    cgm_comm *comm;
    cgm_import_table *table;
    const char *path;    /**< borrowed */
    int64_t record_line; /**< line on which the record began, from 1 */
    int64_t column;      /**< of the next cell */
    bool first_done;     /**< the file's first record is complete */
    cgm_text_list first; /**< its cells: header or point, which only the whole record tells */
    int64_t n_points;
    int64_t capacity; /**< of points and labels */
    double *points;   /**< [capacity][n_features]; NULL: only check and count, collect labels */
    int64_t *labels;  /**< [capacity], or NULL */
} cgm_import_rows;

/** Local. Columns that are not the labels. */
int64_t cgm_import_features(const cgm_import_table *table);

/**
 * Take the next cell of a record, or the record's end.  Local.
 * @return CGM_OK, CGM_ERR_INPUT (the message names file, line and column), CGM_ERR_MEMORY
 */
cgm_status cgm_import_cell(cgm_import_rows *rows, const char *cell);
cgm_status cgm_import_end_record(cgm_import_rows *rows);

/** Local. A failure of the record that is being read. */
cgm_status cgm_import_fail(const cgm_import_rows *rows, const char *what);

/** Local. Accepts a zeroed struct. */
void cgm_text_list_destroy(cgm_text_list *list);

#endif
