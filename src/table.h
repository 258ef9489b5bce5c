/**
 * @file table.h
 * A table as text in cells, filled once and shown on a terminal or on a page. Internal. All
 * functions are Local. When memory is refused the table keeps what it has and says so in `failed`.
 */
#ifndef CGM_TABLE_H
#define CGM_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { CGM_TABLE_COLUMNS = 12, CGM_TABLE_TEXT = 256 };

typedef struct cgm_table_column {
    char group[32]; /**< heading above that of this and of all columns beside it with the same
                       group, or empty */
    char heading[32];
    const char *format; /**< of a double, for cgm_table_set_number; borrowed */
    int width;          /**< on a terminal; 0: the last column, whose text is wrapped */
    bool is_text;       /**< left-aligned */
} cgm_table_column;

/** What a row is. */
typedef enum cgm_table_row_kind {
    CGM_TABLE_BODY,
    CGM_TABLE_SECTION, /**< one text across all columns, above the rows that follow */
    CGM_TABLE_TOTAL    /**< stands out from those above it */
} cgm_table_row_kind;

typedef struct cgm_table_row {
    cgm_table_row_kind kind;
    char *cells[CGM_TABLE_COLUMNS]; /**< NULL: empty */
} cgm_table_row;

typedef struct cgm_table {
    char title[CGM_TABLE_TEXT]; /**< for a page */
    int n_columns;              /**< the first has the rows' labels */
    cgm_table_column columns[CGM_TABLE_COLUMNS];
    int64_t n_rows, room;
    cgm_table_row *rows;
    int n_notes;
    char notes[4][CGM_TABLE_TEXT];
    bool failed;
} cgm_table;

/** An empty table without columns. The pair is cgm_table_destroy. */
void cgm_table_begin(cgm_table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void cgm_table_add_column(cgm_table *table, const cgm_table_column *column);

/** A row whose label is a text. */
void cgm_table_add_row(cgm_table *table, cgm_table_row_kind kind, const char *label);

/** The cell of the last row in a column, cut at CGM_TABLE_TEXT. */
void cgm_table_set(cgm_table *table, int column, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** As cgm_table_set, of any length. */
void cgm_table_set_text(cgm_table *table, int column, const char *text);

/** A number by the column's format; - where it is missing. */
void cgm_table_set_number(cgm_table *table, int column, double number);

/** A line below the table. */
void cgm_table_add_note(cgm_table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** On a terminal: headings, rows, notes; an empty line before. */
void cgm_table_print(const cgm_table *table, FILE *stream);

/** Accepts a zeroed struct. */
void cgm_table_destroy(cgm_table *table);

#endif
