#include "report_reader.h"

#include <stdlib.h>

void cgm_reader_damaged(cgm_reader *from, const char *path, const char *what)
{
    from->status = cgm_fail(from->comm, CGM_ERR_INPUT, "file '%s', '%s': %s; the result is damaged",
                            from->data->path, path, what);
}

/* Numbers of 8 bytes of a dataset of one dimension, or of two with columns > 0. count [rows], or
 * CGM_READER_ANY. */
const void *cgm_reader_take_array(cgm_reader *from, const char *path, cgm_h5_type type,
                                  int64_t count, int64_t columns, int64_t *found)
{
    if (from->status != CGM_OK) {
        return NULL;
    }
    cgm_h5_info info;
    void *array = cgm_h5_read(&from->data->file, path, NULL, type, &info);
    if (array == NULL) {
        from->status = from->comm->error.status;
        return NULL;
    }
    const int rank = columns > 0 ? 2 : 1;
    const bool fits = info.rank == rank && (count == CGM_READER_ANY || info.dims[0] == count) &&
                      (columns <= 0 || info.dims[1] == columns);
    array = cgm_report_keep(from->data, array);
    if (array == NULL) {
        from->status = cgm_fail(from->comm, CGM_ERR_MEMORY, "no memory for a report");
    } else if (!fits) {
        cgm_reader_damaged(from, path, "its size does not go with the rest");
    }
    if (found != NULL) {
        *found = info.dims[0];
    }
    return from->status == CGM_OK ? array : NULL;
}

const double *cgm_reader_take_doubles(cgm_reader *from, const char *path, int64_t count)
{
    return cgm_reader_take_array(from, path, CGM_H5_DOUBLE, count, 0, NULL);
}

const int64_t *cgm_reader_take_integers(cgm_reader *from, const char *path, int64_t count)
{
    return cgm_reader_take_array(from, path, CGM_H5_INT64, count, 0, NULL);
}

/* Texts of a dataset. */
char *const *cgm_reader_take_texts(cgm_reader *from, const char *path, int64_t count,
                                   int64_t *found)
{
    cgm_h5_texts texts = {0};
    if (from->status == CGM_OK) {
        from->status = cgm_h5_read_texts(&from->data->file, path, NULL, &texts);
    }
    if (from->status != CGM_OK) {
        return NULL;
    }
    const int64_t n_texts = texts.count;
    /* A list of its own where there are none: what follows may ask for it. */
    char **list = cgm_report_keep(from->data, calloc((size_t)n_texts + 1, sizeof *list));
    for (int64_t k = 0; k < n_texts && list != NULL; k++) {
        list[k] = cgm_report_keep(from->data, texts.text[k]);
        texts.text[k] = NULL;
        if (list[k] == NULL) {
            list = NULL;
        }
    }
    cgm_h5_texts_destroy(&texts);
    if (list == NULL) {
        from->status = cgm_fail(from->comm, CGM_ERR_MEMORY, "no memory for a report");
    } else if (count != CGM_READER_ANY && n_texts != count) {
        cgm_reader_damaged(from, path, "its size does not go with the rest");
    }
    if (found != NULL) {
        *found = n_texts;
    }
    return list;
}

/* A text attribute; an empty one where it has no element. */
const char *cgm_reader_take_text(cgm_reader *from, const char *path, const char *attribute)
{
    cgm_h5_texts texts = {0};
    if (from->status == CGM_OK) {
        from->status = cgm_h5_read_texts(&from->data->file, path, attribute, &texts);
    }
    if (from->status != CGM_OK || texts.count == 0) {
        return "";
    }
    const char *text = cgm_report_keep(from->data, texts.text[0]);
    texts.text[0] = NULL;
    cgm_h5_texts_destroy(&texts);
    if (text == NULL) {
        from->status = cgm_fail(from->comm, CGM_ERR_MEMORY, "no memory for a report");
        return "";
    }
    return text;
}

/* An attribute of 8 bytes. */
void cgm_reader_take_number(cgm_reader *from, const char *path, const char *attribute,
                            cgm_h5_type type, void *value)
{
    if (from->status == CGM_OK) {
        from->status = cgm_h5_read_scalar(&from->data->file, path, attribute, type, value);
    }
}

bool cgm_reader_is_there(cgm_reader *from, const char *path)
{
    cgm_h5_kind kind = CGM_H5_MISSING;
    if (from->status == CGM_OK) {
        from->status = cgm_h5_find(&from->data->file, path, &kind);
    }
    return kind != CGM_H5_MISSING;
}
