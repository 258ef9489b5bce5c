#include "cgm/diff.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/h5.h"
#include "cgm/result.h"
#include "cgm/shard.h"
#include "cgm/text.h"

/* The comparison of two files; it ends at the first difference. */
typedef struct comparison {
    cgm_comm *comm;
    cgm_h5_file a;
    cgm_h5_file b;
    bool different;
    char line[CGM_MESSAGE_MAX]; /* the difference in words */
} comparison;

/* ---- the first difference in words ---- */

/* Records the difference: where, and what the format says. */
__attribute__((format(printf, 4, 5))) static cgm_status
report(comparison *files, const char *path, const char *attribute, const char *format, ...)
{
    files->different = true;
    const size_t room = sizeof files->line;
    int used = snprintf(files->line, room, "%s%s%s", path, attribute != NULL ? "@" : "",
                        attribute != NULL ? attribute : "");
    if (used >= 0 && (size_t)used < room) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(files->line + used, room - (size_t)used, format, arguments);
        va_end(arguments);
    }
    return CGM_OK;
}

static void format_number(cgm_h5_class type, const uint64_t *word, char text[32])
{
    double real;
    memcpy(&real, word, sizeof real);
    if (type == CGM_H5_FLOAT) {
        snprintf(text, 32, "%.17g", real);
    } else if (type == CGM_H5_UNSIGNED) {
        snprintf(text, 32, "%" PRIu64, *word);
    } else {
        snprintf(text, 32, "%" PRId64, (int64_t)*word);
    }
}

/* Index of an element in brackets, one pair a dimension; nothing for a scalar. */
static void format_index(const cgm_h5_info *info, int64_t element, char *text, size_t room)
{
    int64_t below = info->count;
    size_t used = 0;
    text[0] = '\0';
    for (int k = 0; k < info->rank && used < room; k++) {
        below /= info->dims[k];
        used += (size_t)snprintf(text + used, room - used, "[%" PRId64 "]", element / below);
        element %= below;
    }
}

static void format_shape(const cgm_h5_info *info, char *text, size_t room)
{
    size_t used = 0;
    snprintf(text, room, "a scalar");
    for (int k = 0; k < info->rank && used < room; k++) {
        used += (size_t)snprintf(text + used, room - used, "[%" PRId64 "]", info->dims[k]);
    }
}

static cgm_status report_element(comparison *files, const char *path, const char *attribute,
                                 const cgm_h5_info *info, int64_t element, const char *a,
                                 const char *b)
{
    char index[128];
    format_index(info, element, index, sizeof index);
    return report(files, path, attribute, "%s: %s and %s", index, a, b);
}

/* ---- values ---- */

/* Compares numbers as words, so that NaN equals the same NaN and 0 is not -0; true at a difference.
 */
static bool compare_words(comparison *files, const char *path, const char *attribute,
                          const cgm_h5_info *info, int64_t first, const uint64_t *a,
                          const uint64_t *b, int64_t count)
{
    for (int64_t k = 0; k < count; k++) {
        if (a[k] != b[k]) {
            char in_a[32];
            char in_b[32];
            format_number(info->type_class, &a[k], in_a);
            format_number(info->type_class, &b[k], in_b);
            report_element(files, path, attribute, info, first + k, in_a, in_b);
            return true;
        }
    }
    return false;
}

/* An attribute, or a scalar: read whole. */
static cgm_status compare_whole(comparison *files, const char *path, const char *attribute,
                                const cgm_h5_info *info)
{
    cgm_h5_type type = cgm_result_type(info->type_class);
    uint64_t *a = cgm_h5_read(&files->a, path, attribute, type, NULL);
    uint64_t *b = cgm_h5_read(&files->b, path, attribute, type, NULL);
    cgm_status status = a != NULL && b != NULL ? CGM_OK : files->comm->error.status;
    if (status == CGM_OK) {
        compare_words(files, path, attribute, info, 0, a, b, info->count);
    }
    free(a);
    free(b);
    return status;
}

/* An array: read some rows at a time. */
static cgm_status compare_rows(comparison *files, const char *path, const cgm_h5_info *info)
{
    if (info->count == 0) {
        return CGM_OK;
    }
    const int64_t row = info->count / info->dims[0];
    const int64_t piece = row < CGM_RESULT_PIECE ? CGM_RESULT_PIECE / row : 1;
    const cgm_h5_type type = cgm_result_type(info->type_class);
    uint64_t *a = cgm_alloc(files->comm, piece * row, sizeof *a);
    uint64_t *b = cgm_alloc(files->comm, piece * row, sizeof *b);
    cgm_status status = a != NULL && b != NULL ? CGM_OK : CGM_ERR_MEMORY;
    bool same = true;
    for (int64_t first = 0; first < info->dims[0] && status == CGM_OK && same; first += piece) {
        int64_t n_rows = info->dims[0] - first < piece ? info->dims[0] - first : piece;
        status = cgm_h5_read_rows(&files->a, path, type, first, n_rows, row, a);
        if (status == CGM_OK) {
            status = cgm_h5_read_rows(&files->b, path, type, first, n_rows, row, b);
        }
        if (status == CGM_OK) {
            same = !compare_words(files, path, NULL, info, first * row, a, b, n_rows * row);
        }
    }
    free(a);
    free(b);
    return status;
}

static cgm_status compare_texts(comparison *files, const char *path, const char *attribute,
                                const cgm_h5_info *info)
{
    cgm_h5_texts a;
    cgm_h5_texts b;
    cgm_status status = cgm_h5_read_texts(&files->a, path, attribute, &a);
    if (status != CGM_OK) {
        return status;
    }
    status = cgm_h5_read_texts(&files->b, path, attribute, &b);
    for (int64_t k = 0; status == CGM_OK && k < a.count && !files->different; k++) {
        if (strcmp(a.text[k], b.text[k]) != 0) {
            report_element(files, path, attribute, info, k, a.text[k], b.text[k]);
        }
    }
    cgm_h5_texts_destroy(&a);
    cgm_h5_texts_destroy(&b);
    return status;
}

/* Texts are padded to the longest of their dataset, so their length is no difference in itself. */
static bool same_type(const cgm_h5_info *a, const cgm_h5_info *b)
{
    return a->type_class == b->type_class &&
           (a->type_class == CGM_H5_STRING || a->element_bytes == b->element_bytes);
}

static bool same_shape(const cgm_h5_info *a, const cgm_h5_info *b)
{
    /* A scalar and an empty value have no dimensions, but not the same count. */
    return a->rank == b->rank && a->count == b->count &&
           memcmp(a->dims, b->dims, sizeof a->dims) == 0;
}

static cgm_status compare_values(comparison *files, const char *path, const char *attribute)
{
    cgm_h5_info a;
    cgm_h5_info b;
    cgm_status status = cgm_h5_describe(&files->a, path, attribute, &a);
    if (status == CGM_OK) {
        status = cgm_h5_describe(&files->b, path, attribute, &b);
    }
    if (status != CGM_OK) {
        return status;
    }
    if (!same_type(&a, &b)) {
        return report(files, path, attribute, ": types differ");
    }
    if (!same_shape(&a, &b)) {
        char in_a[128];
        char in_b[128];
        format_shape(&a, in_a, sizeof in_a);
        format_shape(&b, in_b, sizeof in_b);
        return report(files, path, attribute, ": shapes differ, %s and %s", in_a, in_b);
    }
    if (a.type_class == CGM_H5_STRING) {
        return compare_texts(files, path, attribute, &a);
    }
    if (a.type_class == CGM_H5_OTHER || a.element_bytes > 8) {
        return cgm_fail(files->comm, CGM_ERR_INPUT,
                        "file '%s', '%s': a result holds no values of this type", files->a.path,
                        path);
    }
    return attribute != NULL || a.rank == 0 ? compare_whole(files, path, attribute, &a)
                                            : compare_rows(files, path, &a);
}

/* ---- the walk ---- */

static int compare_names(const void *a, const void *b)
{
    return cgm_shard_compare_names(*(char *const *)a, *(char *const *)b);
}

/* Names of the members or attributes of an object in both files, in natural order. */
static cgm_status list_both(comparison *files, const char *path, bool attributes, cgm_h5_texts *a,
                            cgm_h5_texts *b)
{
    *b = (cgm_h5_texts){0};
    cgm_status status = cgm_h5_list(&files->a, path, attributes, a);
    if (status == CGM_OK) {
        status = cgm_h5_list(&files->b, path, attributes, b);
    }
    if (status == CGM_OK && a->count > 0) {
        qsort(a->text, (size_t)a->count, sizeof *a->text, compare_names);
    }
    if (status == CGM_OK && b->count > 0) {
        qsort(b->text, (size_t)b->count, sizeof *b->text, compare_names);
    }
    return status;
}

static cgm_status compare_objects(comparison *files, const char *path, int depth);

/* A member or attribute that is in both files, or in one alone. */
static cgm_status compare_member(comparison *files, const char *path, const char *name,
                                 bool attribute, int missing, int depth)
{
    const char *only_in = missing < 0 ? files->a.path : files->b.path;
    if (attribute) {
        if (!cgm_result_has_attribute(path, name)) {
            return CGM_OK;
        }
        return missing != 0 ? report(files, path, name, " is only in '%s'", only_in)
                            : compare_values(files, path, name);
    }
    size_t bytes = strlen(path) + strlen(name) + 2;
    char *child = cgm_alloc(files->comm, (int64_t)bytes, 1);
    if (child == NULL) {
        return CGM_ERR_MEMORY;
    }
    snprintf(child, bytes, "%s/%s", strcmp(path, "/") == 0 ? "" : path, name);
    cgm_status status = CGM_OK;
    if (cgm_result_has_object(child)) {
        status = missing != 0 ? report(files, child, NULL, " is only in '%s'", only_in)
                              : compare_objects(files, child, depth + 1);
    }
    free(child);
    return status;
}

/* Merges the two lists of names. */
static cgm_status compare_members(comparison *files, const char *path, bool attributes, int depth)
{
    cgm_h5_texts a;
    cgm_h5_texts b;
    cgm_status status = list_both(files, path, attributes, &a, &b);
    int64_t i = 0;
    int64_t j = 0;
    while (status == CGM_OK && !files->different && (i < a.count || j < b.count)) {
        /* Negative: the next name is in a alone; positive: in b alone. */
        int missing = i == a.count   ? 1
                      : j == b.count ? -1
                                     : cgm_shard_compare_names(a.text[i], b.text[j]);
        const char *name = missing <= 0 ? a.text[i] : b.text[j];
        i += missing <= 0;
        j += missing >= 0;
        status = compare_member(files, path, name, attributes, missing, depth);
    }
    cgm_h5_texts_destroy(&a);
    cgm_h5_texts_destroy(&b);
    return status;
}

static cgm_status compare_objects(comparison *files, const char *path, int depth)
{
    if (depth > CGM_RESULT_DEPTH) {
        return cgm_fail(files->comm, CGM_ERR_INPUT,
                        "file '%s': the groups of a result are not nested so deeply ('%s')",
                        files->a.path, path);
    }
    cgm_h5_kind a;
    cgm_h5_kind b;
    cgm_status status = cgm_h5_find(&files->a, path, &a);
    if (status == CGM_OK) {
        status = cgm_h5_find(&files->b, path, &b);
    }
    if (status != CGM_OK) {
        return status;
    }
    if (a != b) {
        return report(files, path, NULL, ": a group in one file, a dataset in the other");
    }
    status = compare_members(files, path, true, depth);
    if (status == CGM_OK && !files->different) {
        status = a == CGM_H5_GROUP ? compare_members(files, path, false, depth)
                                   : compare_values(files, path, NULL);
    }
    return status;
}

/* ---- the command ---- */

static cgm_status open_result(cgm_comm *comm, const char *path, cgm_h5_file *file)
{
    cgm_status status = cgm_h5_open(comm, path, file);
    if (status != CGM_OK) {
        return status;
    }
    cgm_comm probe = *comm;
    cgm_h5_file same = *file;
    same.comm = &probe;
    int64_t schema;
    if (cgm_h5_read_scalar(&same, "/", "schema", CGM_H5_INT64, &schema) != CGM_OK) {
        return cgm_fail(comm, CGM_ERR_INPUT, "file '%s' is not a result of cgm", path);
    }
    return CGM_OK;
}

static cgm_status compare_files(cgm_comm *comm, char **paths, bool *different)
{
    comparison files = {.comm = comm};
    cgm_status status = open_result(comm, paths[0], &files.a);
    if (status == CGM_OK) {
        status = open_result(comm, paths[1], &files.b);
    }
    if (status == CGM_OK) {
        status = compare_objects(&files, "/", 0);
    }
    cgm_h5_close(&files.a);
    cgm_h5_close(&files.b);
    if (status == CGM_OK) {
        fputs(files.different ? "different: " : "the same results", stdout);
        /* Names and texts come from files: they must not move the terminal's cursor. */
        for (const char *text = files.line; *text != '\0';) {
            text = cgm_text_print(stdout, text);
        }
        putchar('\n');
    }
    *different = files.different;
    return status;
}

cgm_status cgm_diff(cgm_comm *comm, int n_arguments, char **arguments)
{
    if (n_arguments != 2) {
        return cgm_agree(
            comm, cgm_fail(comm, CGM_ERR_USAGE, "diff takes two result files: cgm diff A.h5 B.h5"));
    }
    bool different = false;
    bool first = comm->rank == 0;
    cgm_status status =
        cgm_agree(comm, first ? compare_files(comm, arguments, &different) : CGM_OK);
    /* A difference is an answer, not a failure: it is told to the ranks beside the vote. */
    cgm_comm_broadcast(comm, &different, sizeof different, 0);
    return status == CGM_OK && different ? CGM_DIFFERENT : status;
}
