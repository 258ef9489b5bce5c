#include "table.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"

void cgm_table_begin(cgm_table *table, const char *format, ...)
{
    *table = (cgm_table){.n_rows = 0};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(table->title, sizeof table->title, format, arguments);
    va_end(arguments);
}

void cgm_table_add_column(cgm_table *table, const cgm_table_column *column)
{
    assert(table->n_columns < CGM_TABLE_COLUMNS);
    table->columns[table->n_columns++] = *column;
}

void cgm_table_add_row(cgm_table *table, cgm_table_row_kind kind, const char *label)
{
    if (table->n_rows == table->room && !table->failed) {
        const int64_t room = 2 * table->room + 16;
        cgm_table_row *larger = realloc(table->rows, (size_t)room * sizeof *larger);
        table->failed = larger == NULL;
        table->rows = larger != NULL ? larger : table->rows;
        table->room = larger != NULL ? room : table->room;
    }
    if (!table->failed) {
        table->rows[table->n_rows++] = (cgm_table_row){.kind = kind};
        cgm_table_set_text(table, 0, label);
    }
}

void cgm_table_set_text(cgm_table *table, int column, const char *text)
{
    if (table->failed) {
        return;
    }
    char **cell = &table->rows[table->n_rows - 1].cells[column];
    free(*cell);
    *cell = strdup(text);
    table->failed = *cell == NULL;
}

void cgm_table_set(cgm_table *table, int column, const char *format, ...)
{
    char text[CGM_TABLE_TEXT];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    cgm_table_set_text(table, column, text);
}

void cgm_table_set_number(cgm_table *table, int column, double number)
{
    char text[CGM_TABLE_TEXT];
    snprintf(text, sizeof text, table->columns[column].format, number);
    cgm_table_set_text(table, column, isnan(number) ? "-" : text);
}

void cgm_table_add_note(cgm_table *table, const char *format, ...)
{
    const int most = sizeof table->notes / sizeof table->notes[0];
    if (table->n_notes == most) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(table->notes[table->n_notes++], CGM_TABLE_TEXT, format, arguments);
    va_end(arguments);
}

/* ---- on a terminal ---- */

/* A heading above several columns stands over their right end. */
static void print_groups(const cgm_table *table, FILE *stream)
{
    bool any = false;
    for (int c = 0; c < table->n_columns; c++) {
        any = any || table->columns[c].group[0] != '\0';
    }
    if (!any) {
        return;
    }
    int width = 0;
    for (int c = 0; c < table->n_columns; c++) {
        const char *group = table->columns[c].group;
        const bool last = c + 1 == table->n_columns;
        width += table->columns[c].width + (c > 0);
        if (last || strcmp(group, table->columns[c + 1].group) != 0) {
            cgm_columns_print_right(stream, group, width);
            width = 0;
        }
    }
    fputc('\n', stream);
}

static void print_headings(const cgm_table *table, FILE *stream)
{
    for (int c = 0; c < table->n_columns; c++) {
        const cgm_table_column *column = &table->columns[c];
        fputs(c > 0 ? " " : "", stream);
        if (column->is_text && column->width > 0) {
            cgm_columns_print_left(stream, column->heading, column->width);
        } else if (column->is_text) {
            fputs(column->heading, stream);
        } else {
            cgm_columns_print_right(stream, column->heading, column->width);
        }
    }
    fputc('\n', stream);
}

static void print_row(const cgm_table *table, const cgm_table_row *row, FILE *stream)
{
    int64_t indent = 0;
    for (int c = 0; c < table->n_columns; c++) {
        const cgm_table_column *column = &table->columns[c];
        const char *cell = row->cells[c] != NULL ? row->cells[c] : "";
        fputs(c > 0 ? " " : "", stream);
        indent += c > 0;
        if (column->is_text && column->width == 0) {
            cgm_columns_print_wrapped(stream, indent, cell);
            return;
        }
        if (column->is_text) {
            cgm_columns_print_left(stream, cell, column->width);
        } else {
            cgm_columns_print_right(stream, cell, column->width);
        }
        indent += column->width;
    }
    fputc('\n', stream);
}

void cgm_table_print(const cgm_table *table, FILE *stream)
{
    fputc('\n', stream);
    print_groups(table, stream);
    print_headings(table, stream);
    for (int64_t k = 0; k < table->n_rows; k++) {
        if (table->rows[k].kind == CGM_TABLE_SECTION) {
            cgm_columns_print_wrapped(stream, 0, table->rows[k].cells[0]);
        } else {
            print_row(table, &table->rows[k], stream);
        }
    }
    for (int k = 0; k < table->n_notes; k++) {
        cgm_columns_print_wrapped(stream, 0, table->notes[k]);
    }
    if (table->failed) {
        fputs("(there was no memory for more)\n", stream);
    }
}

void cgm_table_destroy(cgm_table *table)
{
    for (int64_t k = 0; k < table->n_rows; k++) {
        for (int c = 0; c < table->n_columns; c++) {
            free(table->rows[k].cells[c]);
        }
    }
    free(table->rows);
    *table = (cgm_table){.n_rows = 0};
}
