#include "import_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cgm/points.h"
#include "cgm/shard.h"
#include "cgm/text.h"

/* Different texts that a label may take. */
enum { LABELS_MAX = 10000 };

/* ---- lists of texts ---- */

/* Puts a copy of text at position, before what stands there. */
static cgm_status insert_text(cgm_comm *comm, cgm_text_list *list, int64_t position,
                              const char *text)
{
    if (list->count == list->room) {
        int64_t room = 2 * list->room + 16;
        char **larger = realloc(list->text, (size_t)room * sizeof *larger);
        if (larger == NULL) {
            return cgm_fail(comm, CGM_ERR_MEMORY, "no memory for %lld texts", (long long)room);
        }
        list->text = larger;
        list->room = room;
    }
    const size_t bytes = strlen(text) + 1;
    char *copy = cgm_alloc(comm, (int64_t)bytes, 1);
    if (copy == NULL) {
        return CGM_ERR_MEMORY;
    }
    memcpy(copy, text, bytes);
    char **place = list->text + position;
    memmove(place + 1, place, (size_t)(list->count - position) * sizeof *place);
    *place = copy;
    list->count++;
    return CGM_OK;
}

void cgm_text_list_destroy(cgm_text_list *list)
{
    for (int64_t k = 0; k < list->count; k++) {
        free(list->text[k]);
    }
    free(list->text);
    *list = (cgm_text_list){0};
}

/* Where text stands in a sorted list, or would. */
static int64_t find_text(const cgm_text_list *sorted, const char *text, bool *found)
{
    int64_t low = 0;
    int64_t high = sorted->count;
    *found = false;
    while (low < high && !*found) {
        int64_t middle = low + (high - low) / 2;
        int order = cgm_shard_compare_names(text, sorted->text[middle]);
        *found = order == 0;
        high = order < 0 ? middle : high;
        low = order > 0 ? middle + 1 : low;
        low = *found ? middle : low;
    }
    return low;
}

/* ---- cells ---- */

typedef enum cell_kind { CELL_NUMBER, CELL_LARGE, CELL_MISSING, CELL_TEXT } cell_kind;

static cell_kind read_cell(const char *cell, double *value)
{
    static const char *const missing[] = {"", "NA", "N/A", "?", "NaN", "null"};
    for (size_t k = 0; k < sizeof missing / sizeof missing[0]; k++) {
        if (strcasecmp(cell, missing[k]) == 0) {
            return CELL_MISSING;
        }
    }
    if (cgm_text_to_double(cell, value)) {
        return fabs(*value) <= CGM_POINTS_LARGEST ? CELL_NUMBER : CELL_LARGE;
    }
    /* What strtod takes whole and the strict reading does not is too large for a double. */
    char *end;
    double number = strtod(cell, &end);
    return *end == '\0' && isinf(number) ? CELL_LARGE : CELL_TEXT;
}

cgm_status cgm_import_fail(const cgm_import_rows *in, const char *what)
{
    return cgm_fail(in->comm, CGM_ERR_INPUT, "file '%s', line %lld: %s", in->path,
                    (long long)in->record_line, what);
}

/* A name of a column as messages show it: where the header line is missing in truth, names are the
 * party's data. */
static const char *shown_name(const char *name)
{
    return name[0] != '\0' && strchr("0123456789+-.", name[0]) != NULL ? "(a number)" : name;
}

static cgm_status fail_at_cell(const cgm_import_rows *in, int64_t column, const char *cell,
                               const char *what)
{
    const cgm_import_table *table = in->table;
    const char *name = table->has_header ? shown_name(table->header.text[column]) : NULL;
    return cgm_fail(in->comm, CGM_ERR_INPUT,
                    "file '%s', line %lld, column %lld%s%.128s%s: '%.64s' %s", in->path,
                    (long long)in->record_line, (long long)column + 1, name != NULL ? " ('" : "",
                    name != NULL ? name : "", name != NULL ? "')" : "", cell, what);
}

static cgm_status take_feature(cgm_import_rows *in, int64_t column, const char *cell)
{
    double value = 0.0;
    switch (read_cell(cell, &value)) {
    case CELL_MISSING:
        return fail_at_cell(in, column, cell, "is a missing value; fill it in or remove the row");
    case CELL_LARGE:
        return fail_at_cell(in, column, cell,
                            "is infinite or too large; rescale the data (largest magnitude 1e150)");
    case CELL_TEXT:
        /* A whole row is not shown. */
        return strpbrk(cell, ";\t") != NULL && in->table->n_columns == 1
                   ? cgm_import_fail(in, "the row is no number; columns are separated by commas")
                   : fail_at_cell(in, column, cell,
                                  "is not a number; encode it as one, or remove the column");
    case CELL_NUMBER:
        break;
    }
    const cgm_import_table *table = in->table;
    if (in->points != NULL) {
        int64_t feature = column - (table->label >= 0 && column > table->label);
        in->points[in->n_points * cgm_import_features(table) + feature] = value;
    }
    return CGM_OK;
}

/* The first reading collects the texts, the second turns labels into numbers. */
static cgm_status take_label(cgm_import_rows *in, const char *cell)
{
    cgm_import_table *table = in->table;
    double unused;
    int64_t number = 0;
    if (read_cell(cell, &unused) == CELL_MISSING) {
        return fail_at_cell(in, table->label, cell,
                            "is a missing label; fill it in or remove the row");
    }
    bool whole = cgm_text_to_int64(cell, &number);
    bool found;
    if (in->labels != NULL && table->labels_are_whole) {
        in->labels[in->n_points] = number;
        return CGM_OK;
    }
    int64_t position = find_text(&table->label_texts, cell, &found);
    if (in->labels != NULL) {
        in->labels[in->n_points] = position;
        return CGM_OK;
    }
    table->labels_are_whole = table->labels_are_whole && whole;
    table->too_many_labels =
        table->too_many_labels || (!found && table->label_texts.count == LABELS_MAX);
    if (table->too_many_labels && !table->labels_are_whole) {
        return fail_at_cell(in, table->label, cell,
                            "is one of more than 10000 different texts; is this the label column?");
    }
    return found || table->too_many_labels
               ? CGM_OK
               : insert_text(in->comm, &table->label_texts, position, cell);
}

static cgm_status take_cell(cgm_import_rows *in, int64_t column, const char *cell)
{
    const cgm_import_table *table = in->table;
    if (column >= table->n_columns) {
        return CGM_OK; /* counted, and refused at the record's end */
    }
    if (in->points != NULL && in->n_points >= in->capacity) {
        return cgm_import_fail(in, "the file has grown while it was read");
    }
    return column == table->label ? take_label(in, cell) : take_feature(in, column, cell);
}

int64_t cgm_import_features(const cgm_import_table *table)
{
    return table->n_columns - (table->label >= 0);
}

/* ---- records ---- */

/* A header has a cell that is text: a point with missing values is no header. */
static bool is_header(const cgm_text_list *cells)
{
    double unused;
    for (int64_t k = 0; k < cells->count; k++) {
        if (read_cell(cells->text[k], &unused) == CELL_TEXT) {
            return true;
        }
    }
    return false;
}

static cgm_status find_label_column(const cgm_import_rows *in)
{
    cgm_import_table *table = in->table;
    const char *wanted = table->label_column;
    const cgm_text_list *header = &table->header;
    for (int64_t k = 0; k < header->count; k++) {
        if (strcmp(header->text[k], wanted) == 0) {
            if (table->label >= 0) {
                return fail_at_cell(in, k, wanted, "is the name of two columns; rename one");
            }
            table->label = k;
        }
    }
    if (table->label < 0 && table->has_header) {
        return cgm_fail(in->comm, CGM_ERR_INPUT,
                        "file '%s': no column has the name '%.128s' of --label-column (did you "
                        "mean '%.128s'?)",
                        in->path, wanted,
                        shown_name(cgm_text_nearest(wanted, header->text, (size_t)header->count,
                                                    sizeof header->text[0])));
    }
    return table->label >= 0
               ? CGM_OK
               : cgm_import_fail(in, "there is no header line for --label-column to name a "
                                     "column of; add one");
}

/* The first file's first record decides on columns, header and label column. */
static cgm_status settle_columns(cgm_import_rows *in, bool header)
{
    cgm_import_table *table = in->table;
    table->first_path = in->path;
    table->n_columns = in->first.count;
    table->has_header = header;
    for (int64_t k = 0; k < in->first.count && header; k++) {
        const char *name = in->first.text[k];
        cgm_status status = insert_text(in->comm, &table->header, k, name);
        if (status == CGM_OK && name[0] == '\0') {
            status = fail_at_cell(in, k, name,
                                  "is no name; name the column, or remove it if it holds only row "
                                  "numbers");
        }
        if (status != CGM_OK) {
            return status;
        }
    }
    cgm_status status = table->label_column[0] != '\0' ? find_label_column(in) : CGM_OK;
    if (status == CGM_OK && cgm_import_features(table) == 0) {
        status = cgm_import_fail(in, "there is no column of features beside the labels");
    }
    return status;
}

static cgm_status compare_columns(const cgm_import_rows *in, bool header)
{
    const cgm_import_table *table = in->table;
    const char *here = in->path;
    const char *there = table->first_path;
    if (header != table->has_header) {
        return cgm_fail(in->comm, CGM_ERR_INPUT,
                        "file '%s' has a header line, file '%s' has none; all files need the same",
                        header ? here : there, header ? there : here);
    }
    for (int64_t k = 0; k < in->first.count && k < table->n_columns && header; k++) {
        if (strcmp(in->first.text[k], table->header.text[k]) != 0) {
            return cgm_fail(
                in->comm, CGM_ERR_INPUT,
                "files '%s' and '%s': column %lld is '%.128s' in one and '%.128s' in the "
                "other; all files need the same header line",
                there, here, (long long)k + 1, shown_name(table->header.text[k]),
                shown_name(in->first.text[k]));
        }
    }
    if (in->first.count != table->n_columns) {
        int64_t fewer = in->first.count < table->n_columns ? in->first.count : table->n_columns;
        return cgm_fail(in->comm, CGM_ERR_INPUT,
                        "files '%s' and '%s': %lld and %lld columns, column %lld is in one alone; "
                        "all files need the same",
                        there, here, (long long)table->n_columns, (long long)in->first.count,
                        (long long)fewer + 1);
    }
    return CGM_OK;
}

/* Header or point, now that the file's first record is complete. */
static cgm_status end_first_record(cgm_import_rows *in)
{
    const bool header = is_header(&in->first);
    cgm_status status =
        in->table->n_columns == 0 ? settle_columns(in, header) : compare_columns(in, header);
    for (int64_t k = 0; k < in->first.count && status == CGM_OK && !header; k++) {
        status = take_cell(in, k, in->first.text[k]);
    }
    in->n_points = header ? 0 : 1;
    in->first_done = true;
    return status;
}

cgm_status cgm_import_cell(cgm_import_rows *in, const char *cell)
{
    const int64_t column = in->column++;
    return in->first_done ? take_cell(in, column, cell)
                          : insert_text(in->comm, &in->first, in->first.count, cell);
}

cgm_status cgm_import_end_record(cgm_import_rows *in)
{
    const int64_t columns = in->column;
    in->column = 0;
    if (!in->first_done) {
        return end_first_record(in);
    }
    if (columns != in->table->n_columns) {
        return cgm_fail(in->comm, CGM_ERR_INPUT,
                        "file '%s', line %lld: the row has %lld columns, the first one has %lld",
                        in->path, (long long)in->record_line, (long long)columns,
                        (long long)in->table->n_columns);
    }
    in->n_points++;
    return CGM_OK;
}
