#include "option.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "cgm/text.h"

/* Longest path that is taken. */
enum { PATH_MAX_BYTES = 4096 };

static void *field(const cgm_option *row, void *target)
{
    return (char *)target + row->offset;
}

static const void *const_field(const cgm_option *row, const void *target)
{
    return (const char *)target + row->offset;
}

static cgm_status read_word(cgm_comm *comm, const cgm_option *row, const char *value, void *target)
{
    (void)comm;
    for (int k = 0; row->words[k] != NULL; k++) {
        if (strcmp(value, row->words[k]) == 0) {
            if (row->offset != CGM_NO_FIELD) {
                memcpy(field(row, target), &k, sizeof k);
            }
            return CGM_OK;
        }
    }
    return CGM_ERR_USAGE;
}

static void write_word(const cgm_option *row, const void *target, FILE *stream)
{
    int k = 0;
    if (row->offset != CGM_NO_FIELD) {
        memcpy(&k, const_field(row, target), sizeof k);
    }
    fputs(row->words[k], stream);
}

const char *const cgm_option_truth_words[] = {"false", "true", NULL};

static cgm_status read_truth(cgm_comm *comm, const cgm_option *row, const char *value, void *target)
{
    (void)comm;
    bool truth = strcmp(value, cgm_option_truth_words[true]) == 0;
    if (!truth && strcmp(value, cgm_option_truth_words[false]) != 0) {
        return CGM_ERR_USAGE;
    }
    *(bool *)field(row, target) = truth;
    return CGM_OK;
}

static void write_truth(const cgm_option *row, const void *target, FILE *stream)
{
    fputs(cgm_option_truth_words[*(const bool *)const_field(row, target)], stream);
}

/* A path must come back the same from the INI text that the result file keeps: no control
 * characters, no blank at an end, and no ';' where INI begins a comment. */
static bool survives_ini(const char *value)
{
    size_t length = strlen(value);
    bool blank = true;
    for (size_t k = 0; k < length; k++) {
        if (iscntrl((unsigned char)value[k]) || (blank && value[k] == ';')) {
            return false;
        }
        blank = value[k] == ' ';
    }
    return length == 0 || (length < PATH_MAX_BYTES && value[0] != ' ' && !blank);
}

static cgm_status read_path(cgm_comm *comm, const cgm_option *row, const char *value, void *target)
{
    bool may_be_empty = row->initial != NULL && row->initial[0] == '\0';
    if (!survives_ini(value) || (value[0] == '\0' && !may_be_empty)) {
        return CGM_ERR_USAGE;
    }
    char *copy = cgm_alloc(comm, (int64_t)strlen(value) + 1, 1);
    if (copy == NULL) {
        return CGM_ERR_MEMORY;
    }
    memcpy(copy, value, strlen(value));
    *(char **)field(row, target) = copy;
    return CGM_OK;
}

static void write_path(const cgm_option *row, const void *target, FILE *stream)
{
    fputs(*(char *const *)const_field(row, target), stream);
}

bool cgm_option_in_range(const cgm_option *row, const char *value, double *number)
{
    return cgm_text_to_double(value, number) && *number <= row->high &&
           (*number > row->low || (row->low_closed && *number == row->low));
}

void cgm_option_write_number(double number, FILE *stream)
{
    char text[CGM_TEXT_NUMBER];
    cgm_text_from_double(number, text);
    fputs(text, stream);
}

static cgm_status read_number(cgm_comm *comm, const cgm_option *row, const char *value,
                              void *target)
{
    (void)comm;
    return cgm_option_in_range(row, value, field(row, target)) ? CGM_OK : CGM_ERR_USAGE;
}

static void write_number(const cgm_option *row, const void *target, FILE *stream)
{
    cgm_option_write_number(*(const double *)const_field(row, target), stream);
}

static cgm_status read_unsigned(cgm_comm *comm, const cgm_option *row, const char *value,
                                void *target)
{
    (void)comm;
    return cgm_text_to_uint64(value, field(row, target)) ? CGM_OK : CGM_ERR_USAGE;
}

static void write_unsigned(const cgm_option *row, const void *target, FILE *stream)
{
    fprintf(stream, "%llu", (unsigned long long)*(const uint64_t *)const_field(row, target));
}

static cgm_status read_integer(cgm_comm *comm, const cgm_option *row, const char *value,
                               void *target)
{
    (void)comm;
    int64_t *number = field(row, target);
    bool accepted = cgm_text_to_int64(value, number) && (double)*number >= row->low &&
                    (double)*number <= row->high;
    return accepted ? CGM_OK : CGM_ERR_USAGE;
}

static void write_integer(const cgm_option *row, const void *target, FILE *stream)
{
    fprintf(stream, "%lld", (long long)*(const int64_t *)const_field(row, target));
}

const cgm_option_kind cgm_option_word = {read_word, write_word};
const cgm_option_kind cgm_option_truth = {read_truth, write_truth};
const cgm_option_kind cgm_option_flag = {read_truth, write_truth};
const cgm_option_kind cgm_option_path = {read_path, write_path};
const cgm_option_kind cgm_option_number = {read_number, write_number};
const cgm_option_kind cgm_option_unsigned = {read_unsigned, write_unsigned};
const cgm_option_kind cgm_option_integer = {read_integer, write_integer};

static const char *accepted_values(const cgm_option *row, char text[256])
{
    if (row->accepted != NULL) {
        return row->accepted;
    }
    size_t used = 0;
    for (int k = 0; row->words[k] != NULL; k++) {
        used += (size_t)snprintf(text + used, 256 - used, "%s%s", k > 0 ? ", " : "", row->words[k]);
    }
    return text;
}

cgm_status cgm_option_set(cgm_comm *comm, const cgm_option *row, const char *where,
                          const char *value, void *target)
{
    cgm_status status = row->kind->read(comm, row, value, target);
    if (status == CGM_ERR_USAGE) {
        char text[256];
        cgm_fail(comm, status, "%s: %s does not accept '%.256s'; accepted: %s", where, row->name,
                 value, accepted_values(row, text));
    }
    return status;
}

void cgm_option_print(const cgm_option *row, FILE *stream)
{
    char text[256];
    fprintf(stream, "  %-22s default %-13s accepted: %s\n", row->name,
            row->initial == NULL ? "-" : row->initial, accepted_values(row, text));
    for (const char *line = row->help; *line != '\0'; line += *line == '\n') {
        int length = (int)strcspn(line, "\n");
        fprintf(stream, "      %.*s\n", length, line);
        line += length;
    }
}

int cgm_option_find(const cgm_option *rows, int n_rows, const char *name)
{
    for (int k = 0; k < n_rows; k++) {
        if (strcmp(name, rows[k].name) == 0) {
            return k;
        }
    }
    return -1;
}

/* Reads the option at given[*next] and moves on behind its value. */
static cgm_status take_one(cgm_comm *comm, const cgm_option *rows, int n_rows, int n_arguments,
                           char **given, int *next, bool *taken, void *target)
{
    const char *argument = given[(*next)++];
    char where[320];
    snprintf(where, sizeof where, "argument '%.256s'", argument);
    char name[64];
    size_t length = strcspn(argument, "=");
    snprintf(name, sizeof name, "%.*s", length < sizeof name ? (int)length : (int)sizeof name,
             argument);
    int k = cgm_option_find(rows, n_rows, name);
    if (k < 0) {
        return cgm_fail(comm, CGM_ERR_USAGE, "%s: unknown option (did you mean %s?)", where,
                        cgm_text_nearest(name, rows, (size_t)n_rows, sizeof rows[0]));
    }
    if (taken[k]) {
        return cgm_fail(comm, CGM_ERR_USAGE, "%s: %s is given twice; remove one", where, name);
    }
    const char *value = argument[length] == '=' ? argument + length + 1 : NULL;
    if (value == NULL && rows[k].kind == &cgm_option_flag) {
        value = cgm_option_truth_words[true];
    }
    if (value == NULL && *next < n_arguments) {
        value = given[(*next)++];
    }
    if (value == NULL) {
        return cgm_fail(comm, CGM_ERR_USAGE, "%s: no value; write %s VALUE", where, name);
    }
    taken[k] = true;
    return cgm_option_set(comm, &rows[k], where, value, target);
}

cgm_status cgm_option_take(cgm_comm *comm, const cgm_option *rows, int n_rows, int n_arguments,
                           char **given, void *target, char **rest, int *n_rest)
{
    assert(n_rows <= CGM_OPTION_ROWS_MAX);
    bool taken[CGM_OPTION_ROWS_MAX] = {false};
    cgm_status status = CGM_OK;
    int others = 0;
    for (int next = 0; next < n_arguments && status == CGM_OK;) {
        if (rest != NULL && strncmp(given[next], "--", 2) != 0) {
            rest[others++] = given[next++];
        } else {
            status = take_one(comm, rows, n_rows, n_arguments, given, &next, taken, target);
        }
    }
    for (int k = 0; k < n_rows && status == CGM_OK; k++) {
        if (taken[k]) {
            continue;
        }
        status = rows[k].initial == NULL
                     ? cgm_fail(comm, CGM_ERR_USAGE, "%s is required: write %s VALUE", rows[k].name,
                                rows[k].name)
                     : cgm_option_set(comm, &rows[k], "default", rows[k].initial, target);
    }
    if (rest != NULL) {
        *n_rest = others;
    }
    return status;
}
