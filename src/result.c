#include "cgm/result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/provenance.h"
#include "cgm/rng.h"

cgm_h5_type cgm_result_type(cgm_h5_class type_class)
{
    return type_class == CGM_H5_FLOAT      ? CGM_H5_DOUBLE
           : type_class == CGM_H5_UNSIGNED ? CGM_H5_UINT64
                                           : CGM_H5_INT64;
}

/* ---- what counts ---- */

bool cgm_result_has_object(const char *path)
{
    return strcmp(path, "/timings") != 0 && strncmp(path, "/timings/", 9) != 0;
}

bool cgm_result_has_attribute(const char *path, const char *attribute)
{
    if (strcmp(path, "/") == 0) {
        return strcmp(attribute, "schema") == 0 || strcmp(attribute, "seed") == 0 ||
               strcmp(attribute, "status") == 0;
    }
    bool is_passes = strcmp(path, "/kernel") == 0 && strcmp(attribute, "passes") == 0;
    return cgm_result_has_object(path) && !is_passes;
}

/* ---- contributions ---- */

uint64_t cgm_result_checksum_rows(const char *path, int rank, const int64_t *dims, int64_t first,
                                  int64_t n_rows, const void *data)
{
    const int64_t columns = rank > 1 ? dims[1] : 1;
    return cgm_result_has_object(path)
               ? cgm_checksum_words(cgm_rng_hash(path), first * columns, data, n_rows * columns)
               : 0;
}

uint64_t cgm_result_checksum_shape(const char *path, int rank, const int64_t *dims)
{
    return cgm_result_has_object(path) ? cgm_checksum_words(~cgm_rng_hash(path), 0, dims, rank) : 0;
}

uint64_t cgm_result_checksum_texts(const char *path, int64_t count, char *const *texts)
{
    if (!cgm_result_has_object(path)) {
        return 0;
    }
    const uint64_t tag = cgm_rng_hash(path);
    uint64_t sum = cgm_checksum_words(~tag, 0, &count, 1);
    for (int64_t k = 0; k < count; k++) {
        sum += cgm_checksum_text(tag + (uint64_t)k, texts[k]);
    }
    return sum;
}

uint64_t cgm_result_checksum_attribute(const char *path, const char *attribute, bool is_text,
                                       const void *value)
{
    if (!cgm_result_has_attribute(path, attribute)) {
        return 0;
    }
    /* The rotation tells attribute and path apart from each other and from a dataset. */
    const uint64_t name = cgm_rng_hash(attribute);
    const uint64_t tag = cgm_rng_hash(path) + (name << 1 | name >> 63);
    return is_text ? cgm_checksum_text(tag, value) : cgm_checksum_words(tag, 0, value, 1);
}

/* ---- a whole file ---- */

/* The sum over what one of several readers reads of a file. */
typedef struct reading {
    const cgm_h5_file *file;
    int64_t part, parts;
    int64_t pieces; /* of all datasets so far */
    uint64_t sum;
} reading;

/* Readers take pieces in turn. */
static cgm_status add_numbers(reading *from, const char *path, const cgm_h5_info *info)
{
    from->sum += from->part == 0 ? cgm_result_checksum_shape(path, info->rank, info->dims) : 0;
    if (info->count == 0) {
        return CGM_OK;
    }
    const int64_t columns = info->count / info->dims[0];
    const int64_t most = columns < CGM_RESULT_PIECE ? CGM_RESULT_PIECE / columns : 1;
    const int64_t piece = most < info->dims[0] ? most : info->dims[0];
    const cgm_h5_type type = cgm_result_type(info->type_class);
    uint64_t *data = cgm_alloc(from->file->comm, piece * columns, sizeof *data);
    cgm_status status = data != NULL ? CGM_OK : CGM_ERR_MEMORY;
    for (int64_t first = 0; first < info->dims[0] && status == CGM_OK; first += piece) {
        if (from->pieces++ % from->parts != from->part) {
            continue;
        }
        int64_t n_rows = info->dims[0] - first < piece ? info->dims[0] - first : piece;
        status = cgm_h5_read_rows(from->file, path, type, first, n_rows, columns, data);
        if (status == CGM_OK) {
            from->sum +=
                cgm_result_checksum_rows(path, info->rank, info->dims, first, n_rows, data);
        }
    }
    free(data);
    return status;
}

static cgm_status add_dataset(reading *from, const char *path)
{
    const cgm_h5_file *file = from->file;
    cgm_h5_info info;
    cgm_status status = cgm_h5_describe(file, path, NULL, &info);
    if (status != CGM_OK) {
        return status;
    }
    if (info.type_class != CGM_H5_STRING) {
        if (info.rank < 1 || info.rank > 2) {
            return cgm_fail(file->comm, CGM_ERR_INPUT,
                            "file '%s', '%s': a result holds no datasets of rank %d", file->path,
                            path, info.rank);
        }
        return add_numbers(from, path, &info);
    }
    if (from->part != 0) {
        return CGM_OK;
    }
    cgm_h5_texts texts;
    status = cgm_h5_read_texts(file, path, NULL, &texts);
    if (status == CGM_OK) {
        from->sum += cgm_result_checksum_texts(path, texts.count, texts.text);
        cgm_h5_texts_destroy(&texts);
    }
    return status;
}

static cgm_status add_attribute(reading *from, const char *path, const char *name)
{
    const cgm_h5_file *file = from->file;
    cgm_h5_info info;
    cgm_status status = cgm_h5_describe(file, path, name, &info);
    if (status != CGM_OK) {
        return status;
    }
    if (info.type_class != CGM_H5_STRING) {
        uint64_t word;
        status = cgm_h5_read_scalar(file, path, name, cgm_result_type(info.type_class), &word);
        if (status == CGM_OK) {
            from->sum += cgm_result_checksum_attribute(path, name, false, &word);
        }
        return status;
    }
    cgm_h5_texts texts;
    status = cgm_h5_read_texts(file, path, name, &texts);
    if (status == CGM_OK && texts.count == 1) {
        from->sum += cgm_result_checksum_attribute(path, name, true, texts.text[0]);
    }
    cgm_h5_texts_destroy(&texts);
    return status;
}

static cgm_status add_attributes(reading *from, const char *path)
{
    cgm_h5_texts names;
    cgm_status status = cgm_h5_list(from->file, path, true, &names);
    for (int64_t k = 0; k < names.count && status == CGM_OK; k++) {
        status = add_attribute(from, path, names.text[k]);
    }
    cgm_h5_texts_destroy(&names);
    return status;
}

/* What does not count is read all the same: it is part of a whole file. */
static cgm_status add_object(reading *from, const char *path, int depth)
{
    const cgm_h5_file *file = from->file;
    cgm_h5_kind kind;
    cgm_status status = cgm_h5_find(file, path, &kind);
    if (status == CGM_OK && from->part == 0) {
        status = add_attributes(from, path);
    }
    if (status != CGM_OK || kind != CGM_H5_GROUP) {
        return status == CGM_OK ? add_dataset(from, path) : status;
    }
    if (depth == CGM_RESULT_DEPTH) {
        return cgm_fail(file->comm, CGM_ERR_INPUT,
                        "file '%s': the groups of a result are not nested so deeply", file->path);
    }
    cgm_h5_texts names;
    status = cgm_h5_list(file, path, false, &names);
    for (int64_t k = 0; k < names.count && status == CGM_OK; k++) {
        const char *parent = strcmp(path, "/") == 0 ? "" : path;
        size_t bytes = strlen(parent) + strlen(names.text[k]) + 2;
        char *child = cgm_alloc(file->comm, (int64_t)bytes, 1);
        if (child == NULL) {
            status = CGM_ERR_MEMORY;
            break;
        }
        snprintf(child, bytes, "%s/%s", parent, names.text[k]);
        status = add_object(from, child, depth + 1);
        free(child);
    }
    cgm_h5_texts_destroy(&names);
    return status;
}

cgm_status cgm_result_checksum(const cgm_h5_file *file, int64_t part, int64_t parts,
                               uint64_t *checksum)
{
    reading from = {.file = file, .part = part, .parts = parts};
    cgm_status status = add_object(&from, "/", 0);
    *checksum = from.sum;
    return status;
}
