#include "cgm/h5.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "h5_common.h"

#define QUOTE(text) #text
#define QUOTE_VALUE(text) QUOTE(text)

#define UNREADABLE                                                                                 \
    "this cannot be read; the file is damaged or needs a filter that is not installed"

/* Most bytes that deflate makes of one. */
enum { DEFLATE_GAIN = 1032 };

/* More elements than any machine holds: products with numbers of parties or of ranks stay within an
 * int64_t. */
#define COUNT_MAX ((int64_t)1 << 48)

/* Bytes of a name that messages show. */
enum { NAME_SHOWN = 400 };

/* A value while it is read: a dataset or an attribute. */
typedef struct source {
    hid_t object;
    hid_t attribute; /* 0 for a dataset */
    hid_t type;
    hid_t space;
    int64_t gain; /* most bytes of the value that a byte of the file stands for */
    double chunk; /* elements that HDF5 reads at a time; 0: any number */
    cgm_h5_info info;
} source;

const char *cgm_h5_version(void)
{
    return QUOTE_VALUE(H5_VERS_MAJOR.H5_VERS_MINOR.H5_VERS_RELEASE);
}

cgm_status cgm_h5_fail(const cgm_h5_file *file, const char *path, const char *attribute,
                       const char *what)
{
    const char *separator = attribute != NULL ? "', attribute '" : "";
    return cgm_fail(file->comm, file->failure, "file '%s', '%.*s%s%.*s': %s", file->path,
                    NAME_SHOWN, path, separator, NAME_SHOWN, attribute != NULL ? attribute : "",
                    what);
}

hid_t cgm_h5_number_type(cgm_h5_type type)
{
    return type == CGM_H5_DOUBLE   ? H5T_NATIVE_DOUBLE
           : type == CGM_H5_INT64  ? H5T_NATIVE_INT64
           : type == CGM_H5_UINT64 ? H5T_NATIVE_UINT64
                                   : H5T_NATIVE_INT32;
}

void cgm_h5_drop(hid_t id)
{
    if (id > 0) {
        H5Idec_ref(id);
    }
}

/* ---- reading ---- */

/* As it is now. */
static int64_t file_bytes(const cgm_h5_file *file)
{
    int *descriptor;
    struct stat state = {.st_size = 0};
    bool known = H5Fget_vfd_handle(file->id, H5P_DEFAULT, (void **)&descriptor) >= 0 &&
                 fstat(*descriptor, &state) == 0;
    return known ? (int64_t)state.st_size : 0;
}

/* After stat, by its errno. */
static cgm_status refuse_missing(cgm_comm *comm, const cgm_h5_file *file)
{
    return cgm_fail(comm, file->failure, "file '%s' cannot be opened: %s", file->path,
                    strerror(errno));
}

cgm_status cgm_h5_open(cgm_comm *comm, const char *path, cgm_h5_file *file)
{
    *file = (cgm_h5_file){.comm = comm, .path = path, .failure = CGM_ERR_INPUT};
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    struct stat state;
    if (stat(path, &state) != 0) {
        return refuse_missing(comm, file);
    }
    if (!S_ISREG(state.st_mode)) {
        return cgm_fail(comm, file->failure, "'%s' is not a regular file", path);
    }
    cgm_h5_guard guard;
    cgm_h5_guard_enter(file, 0, &guard);
    file->id = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    htri_t format = file->id > 0 ? 1 : H5Fis_hdf5(path);
    cgm_h5_guard_leave(&guard);
    if (file->id > 0) {
        file->bytes = file_bytes(file);
        return CGM_OK;
    }
    if (format < 0 && stat(path, &state) != 0) {
        return refuse_missing(comm, file); /* it has gone since */
    }
    return cgm_fail(comm, file->failure, "file '%s' %s", path,
                    format > 0    ? "cannot be opened: it is damaged or still being written"
                    : format == 0 ? "is not an HDF5 file"
                                  : "cannot be read; check its permissions");
}

void cgm_h5_close(cgm_h5_file *file)
{
    if (file->id > 0) {
        cgm_h5_guard guard;
        cgm_h5_guard_enter(file, 0, &guard);
        cgm_h5_drop(file->id);
        cgm_h5_guard_leave(&guard);
    }
    *file = (cgm_h5_file){0};
}

/* Called by HDF5 before it follows a link to another file. */
static herr_t refuse_external(const char *parent_file, const char *parent_group,
                              const char *child_file, const char *child_object, unsigned *flags,
                              hid_t list, void *refused)
{
    (void)parent_file, (void)parent_group, (void)child_file, (void)child_object;
    (void)flags, (void)list;
    *(bool *)refused = true;
    return -1;
}

/* Opens the object at path; *object stays invalid, without an error, when there is none. */
static cgm_status open_object(const cgm_h5_file *file, const char *path, hid_t *object)
{
    bool refused = false;
    cgm_h5_guard guard;
    cgm_h5_guard_enter(file, 0, &guard);
    hid_t properties = H5Pcreate(H5P_LINK_ACCESS);
    H5Pset_elink_cb(properties, refuse_external, &refused);
    *object = H5Oopen(file->id, path, properties);
    cgm_h5_drop(properties);
    cgm_h5_guard_leave(&guard);
    if (refused) {
        return cgm_h5_fail(file, path, NULL,
                           "an external link leads there; copy the data into this file");
    }
    return CGM_OK;
}

static void close_source(const cgm_h5_file *file, source *from)
{
    cgm_h5_guard guard;
    cgm_h5_guard_enter(file, 0, &guard);
    cgm_h5_drop(from->space);
    cgm_h5_drop(from->type);
    cgm_h5_drop(from->attribute);
    cgm_h5_drop(from->object);
    cgm_h5_guard_leave(&guard);
    *from = (source){0};
}

static cgm_status open_existing(const cgm_h5_file *file, const char *path, hid_t *object)
{
    cgm_status status = open_object(file, path, object);
    if (status == CGM_OK && *object <= 0) {
        status = cgm_h5_fail(file, path, NULL, "there is no such dataset or group");
    }
    return status;
}

cgm_status cgm_h5_find(const cgm_h5_file *file, const char *path, cgm_h5_kind *kind)
{
    *kind = CGM_H5_MISSING;
    hid_t object;
    cgm_status status = open_object(file, path, &object);
    if (object <= 0) {
        return status;
    }
    *kind = H5Iget_type(object) == H5I_GROUP ? CGM_H5_GROUP : CGM_H5_DATASET;
    close_source(file, &(source){.object = object});
    return status;
}

/* Appends a copy of a text; false when there is no memory for it. */
static bool append_text(cgm_h5_texts *texts, const char *text)
{
    /* Room doubles whenever the count is a power of two. */
    if ((texts->count & (texts->count - 1)) == 0) {
        size_t room = texts->count == 0 ? 1 : 2 * (size_t)texts->count;
        char **larger = realloc(texts->text, room * sizeof *larger);
        if (larger == NULL) {
            return false;
        }
        texts->text = larger;
    }
    texts->text[texts->count] = strdup(text);
    return texts->text[texts->count++] != NULL;
}

/* Names while they are listed. */
typedef struct listing {
    cgm_h5_texts *names;
    int64_t room; /* bytes: together names are no longer than the file that holds them */
} listing;

static herr_t append_name(listing *list, const char *name)
{
    const int64_t bytes = (int64_t)strlen(name) + 1;
    if (bytes > list->room || !append_text(list->names, name)) {
        return -1;
    }
    list->room -= bytes;
    return 0;
}

static herr_t append_link(hid_t group, const char *name, const H5L_info_t *info, void *list)
{
    (void)group, (void)info;
    return append_name(list, name);
}

static herr_t append_attribute(hid_t object, const char *name, const H5A_info_t *info, void *list)
{
    (void)object, (void)info;
    return append_name(list, name);
}

cgm_status cgm_h5_list(const cgm_h5_file *file, const char *path, bool attributes,
                       cgm_h5_texts *names)
{
    *names = (cgm_h5_texts){0};
    source from = {0};
    cgm_status status = open_existing(file, path, &from.object);
    if (status != CGM_OK) {
        return status;
    }
    const H5_index_t by_name = H5_INDEX_NAME;
    listing list = {names, file->bytes};
    hsize_t next = 0;
    cgm_h5_guard guard;
    cgm_h5_guard_enter(file, file->bytes, &guard);
    herr_t code =
        attributes ? H5Aiterate2(from.object, by_name, H5_ITER_INC, &next, append_attribute, &list)
                   : H5Literate(from.object, by_name, H5_ITER_INC, &next, append_link, &list);
    cgm_h5_guard_leave(&guard);
    close_source(file, &from);
    if (code < 0) {
        status = cgm_h5_fail(file, path, NULL, "its members cannot be listed");
        cgm_h5_texts_destroy(names);
    }
    return status;
}

void cgm_h5_texts_destroy(cgm_h5_texts *texts)
{
    for (int64_t k = 0; k < texts->count; k++) {
        free(texts->text[k]);
    }
    free(texts->text);
    *texts = (cgm_h5_texts){0};
}

/* What is wrong with how a dataset is stored, or NULL. A dataset may keep its numbers in files of
 * any name: those are not opened. */
static const char *look_at_storage(source *from)
{
    hid_t creation = H5Dget_create_plist(from->object);
    H5D_layout_t layout = H5Pget_layout(creation);
    const char *wrong = layout < 0 ? UNREADABLE : NULL;
    if (layout == H5D_VIRTUAL || H5Pget_external_count(creation) > 0) {
        wrong = "its data lie in other files, which are not opened; copy the data into this file";
    }
    if (layout == H5D_CHUNKED) {
        hsize_t chunk[CGM_H5_RANK_MAX];
        int rank = H5Pget_chunk(creation, CGM_H5_RANK_MAX, chunk);
        from->chunk = 1.0;
        for (int k = 0; k < rank; k++) {
            from->chunk *= (double)chunk[k];
        }
        from->gain = DEFLATE_GAIN;
    }
    int n_deflates = 0;
    for (unsigned k = 0; wrong == NULL && (int)k < H5Pget_nfilters(creation); k++) {
        unsigned flags;
        size_t none = 0;
        n_deflates +=
            H5Pget_filter2(creation, k, &flags, &none, NULL, 0, NULL, NULL) == H5Z_FILTER_DEFLATE;
    }
    if (n_deflates > 1) {
        wrong = "it is compressed more than once; compress it once or not at all";
    }
    cgm_h5_drop(creation);
    return wrong;
}

static cgm_h5_class type_class(hid_t type)
{
    H5T_class_t stored = H5Tget_class(type);
    cgm_h5_class integer = H5Tget_sign(type) == H5T_SGN_NONE ? CGM_H5_UNSIGNED : CGM_H5_INTEGER;
    return stored == H5T_INTEGER  ? integer
           : stored == H5T_FLOAT  ? CGM_H5_FLOAT
           : stored == H5T_STRING ? CGM_H5_STRING
                                  : CGM_H5_OTHER;
}

/* What is wrong with type and shape, or NULL. A file that is small and promises much must cost no
 * memory to refuse. */
static const char *inspect(const cgm_h5_file *file, source *from)
{
    cgm_h5_info *info = &from->info;
    *info = (cgm_h5_info){.type_class = type_class(from->type),
                          .element_bytes = (int64_t)H5Tget_size(from->type),
                          .count = H5Sget_simple_extent_type(from->space) != H5S_NULL};
    hsize_t dims[CGM_H5_RANK_MAX];
    info->rank = H5Sget_simple_extent_dims(from->space, dims, NULL);
    if (info->rank < 0 || info->element_bytes == 0) {
        return UNREADABLE;
    }
    for (int k = 0; k < info->rank; k++) {
        if (dims[k] > COUNT_MAX || (dims[k] > 0 && info->count > COUNT_MAX / (int64_t)dims[k])) {
            return "its shape is impossibly large";
        }
        info->dims[k] = (int64_t)dims[k];
        info->count *= info->dims[k];
    }
    const double most = (double)file->bytes * (double)from->gain / (double)info->element_bytes;
    return info->count > 0 && ((double)info->count > most || from->chunk > most)
               ? "its shape does not fit the file: there is not so much data in it"
               : NULL;
}

/* Opens what describes a value; what is wrong with it, or NULL. Calls HDF5 alone. */
static const char *open_parts(source *from, const char *attribute)
{
    from->gain = 1;
    if (attribute != NULL) {
        from->attribute = H5Aopen(from->object, attribute, H5P_DEFAULT);
        from->type = H5Aget_type(from->attribute);
        from->space = H5Aget_space(from->attribute);
        return from->attribute > 0 ? NULL : "there is no such attribute";
    }
    if (H5Iget_type(from->object) != H5I_DATASET) {
        return "this is not a dataset";
    }
    const char *wrong = look_at_storage(from);
    if (wrong == NULL) {
        from->type = H5Dget_type(from->object);
        from->space = H5Dget_space(from->object);
    }
    return wrong;
}

static cgm_status open_source(const cgm_h5_file *file, const char *path, const char *attribute,
                              source *from)
{
    *from = (source){0};
    cgm_status status = open_existing(file, path, &from->object);
    if (status != CGM_OK) {
        return status;
    }
    cgm_h5_guard guard;
    cgm_h5_guard_enter(file, 0, &guard);
    const char *wrong = open_parts(from, attribute);
    cgm_h5_guard_leave(&guard);
    if (wrong == NULL) {
        wrong = inspect(file, from);
    }
    if (wrong != NULL) {
        close_source(file, from);
        status = cgm_h5_fail(file, path, attribute, wrong);
    }
    return status;
}

cgm_status cgm_h5_describe(const cgm_h5_file *file, const char *path, const char *attribute,
                           cgm_h5_info *info)
{
    source from;
    cgm_status status = open_source(file, path, attribute, &from);
    if (status == CGM_OK) {
        *info = from.info;
        close_source(file, &from);
    }
    return status;
}

/* Reads a whole value, or of a dataset what is selected in from->space into memory. HDF5 takes what
 * was cut off the file since it was opened for zeros. */
static cgm_status transfer(const cgm_h5_file *file, const source *from, hid_t type, hid_t memory,
                           hid_t properties, void *data)
{
    const int64_t elements =
        memory == H5S_ALL ? from->info.count : (int64_t)H5Sget_simple_extent_npoints(memory);
    cgm_h5_guard guard;
    cgm_h5_guard_enter(file, elements * from->info.element_bytes, &guard);
    herr_t code = from->attribute > 0
                      ? H5Aread(from->attribute, type, data)
                      : H5Dread(from->object, type, memory,
                                memory == H5S_ALL ? H5S_ALL : from->space, properties, data);
    cgm_h5_guard_leave(&guard);
    return code >= 0 && file_bytes(file) >= file->bytes ? CGM_OK : file->failure;
}

static bool is_convertible(cgm_h5_class stored, cgm_h5_type type)
{
    return stored == CGM_H5_INTEGER || stored == CGM_H5_UNSIGNED ||
           (stored == CGM_H5_FLOAT && type == CGM_H5_DOUBLE);
}

void *cgm_h5_read(const cgm_h5_file *file, const char *path, const char *attribute,
                  cgm_h5_type type, cgm_h5_info *info)
{
    source from;
    if (open_source(file, path, attribute, &from) != CGM_OK) {
        return NULL;
    }
    void *data = NULL;
    if (!is_convertible(from.info.type_class, type)) {
        cgm_h5_fail(file, path, attribute,
                    type == CGM_H5_DOUBLE ? "these are no numbers" : "these are no integers");
    } else {
        data = cgm_alloc(file->comm, from.info.count, H5Tget_size(cgm_h5_number_type(type)));
    }
    if (data != NULL && from.info.count > 0 &&
        transfer(file, &from, cgm_h5_number_type(type), H5S_ALL, H5P_DEFAULT, data) != CGM_OK) {
        cgm_h5_fail(file, path, attribute, UNREADABLE);
        free(data);
        data = NULL;
    }
    if (info != NULL) {
        *info = from.info;
    }
    close_source(file, &from);
    return data;
}

cgm_status cgm_h5_read_scalar(const cgm_h5_file *file, const char *path, const char *attribute,
                              cgm_h5_type type, void *value)
{
    cgm_h5_info info;
    void *data = cgm_h5_read(file, path, attribute, type, &info);
    if (data == NULL) {
        return file->comm->error.status;
    }
    cgm_status status = CGM_OK;
    if (info.count == 1) {
        memcpy(value, data, H5Tget_size(cgm_h5_number_type(type)));
    } else {
        status = cgm_h5_fail(file, path, attribute, "it has not exactly one element");
    }
    free(data);
    return status;
}

/* Memory for texts of variable length, of which a damaged file may name the same one over and over.
 */
static void *allocate_text(size_t bytes, void *room)
{
    int64_t *left = room;
    if (bytes > (size_t)*left) {
        return NULL;
    }
    *left -= (int64_t)bytes;
    return malloc(bytes);
}

static void free_text(void *text, void *room)
{
    (void)room;
    free(text);
}

/* Reads all strings into the elements of buffer, bytes each, and copies them. */
static cgm_status copy_texts(const cgm_h5_file *file, const source *from, hid_t type, bool variable,
                             size_t bytes, char *buffer, cgm_h5_texts *texts)
{
    int64_t room = file->bytes;
    hid_t properties = H5Pcreate(H5P_DATASET_XFER);
    H5Pset_vlen_mem_manager(properties, allocate_text, &room, free_text, NULL);
    cgm_status status = transfer(file, from, type, H5S_ALL, properties, buffer);
    for (int64_t k = 0; k < from->info.count && status == CGM_OK; k++) {
        const char *text = buffer + (size_t)k * bytes;
        if (variable) {
            memcpy(&text, buffer + (size_t)k * bytes, sizeof text);
        }
        status = append_text(texts, text != NULL ? text : "") ? CGM_OK : CGM_ERR_MEMORY;
    }
    if (variable) {
        H5Dvlen_reclaim(type, from->space, properties, buffer);
    }
    cgm_h5_drop(properties);
    return status;
}

static cgm_status read_texts(const cgm_h5_file *file, const source *from, cgm_h5_texts *texts)
{
    bool variable = H5Tis_variable_str(from->type) > 0;
    size_t bytes = variable ? sizeof(char *) : H5Tget_size(from->type) + 1;
    char *buffer = cgm_alloc(file->comm, from->info.count, bytes);
    if (buffer == NULL) {
        return CGM_ERR_MEMORY;
    }
    hid_t type = H5Tcopy(from->type);
    if (!variable) {
        H5Tset_size(type, bytes);
        H5Tset_strpad(type, H5T_STR_NULLTERM);
    }
    cgm_status status = copy_texts(file, from, type, variable, bytes, buffer, texts);
    cgm_h5_drop(type);
    free(buffer);
    return status;
}

cgm_status cgm_h5_read_texts(const cgm_h5_file *file, const char *path, const char *attribute,
                             cgm_h5_texts *texts)
{
    *texts = (cgm_h5_texts){0};
    source from;
    cgm_status status = open_source(file, path, attribute, &from);
    if (status != CGM_OK) {
        return status;
    }
    if (from.info.type_class != CGM_H5_STRING) {
        status = cgm_h5_fail(file, path, attribute, "these are no strings");
    } else if (attribute != NULL && from.info.count > 1) {
        status = cgm_h5_fail(file, path, attribute, "it has not exactly one element");
    } else if (from.info.count > 0) {
        status = read_texts(file, &from, texts);
    }
    close_source(file, &from);
    if (status != CGM_OK) {
        /* Says something only if no cause is recorded yet. */
        cgm_h5_fail(file, path, attribute, UNREADABLE);
        cgm_h5_texts_destroy(texts);
    }
    return status;
}

hid_t cgm_h5_select_rows(hid_t space, int64_t first, int64_t n_rows)
{
    hsize_t dims[CGM_H5_RANK_MAX] = {0};
    hsize_t start[CGM_H5_RANK_MAX] = {0};
    H5Sget_simple_extent_dims(space, dims, NULL);
    start[0] = (hsize_t)first;
    dims[0] = (hsize_t)n_rows;
    if (n_rows == 0) {
        H5Sselect_none(space);
    } else {
        H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, dims, NULL);
    }
    hsize_t count = (hsize_t)H5Sget_select_npoints(space);
    return H5Screate_simple(1, &count, NULL);
}

cgm_status cgm_h5_read_rows(const cgm_h5_file *file, const char *path, cgm_h5_type type,
                            int64_t first, int64_t n_rows, int64_t columns, void *data)
{
    source from;
    cgm_status status = open_source(file, path, NULL, &from);
    if (status != CGM_OK) {
        return status;
    }
    const int64_t rows = from.info.rank > 0 ? from.info.dims[0] : 0;
    if (from.info.rank < 1 || !is_convertible(from.info.type_class, type)) {
        status = cgm_h5_fail(file, path, NULL, "this is no array of the numbers expected");
    } else if (n_rows > rows - first || rows * columns != from.info.count) {
        status =
            cgm_h5_fail(file, path, NULL,
                        "its rows are not those expected; is another program writing to the file?");
    } else if (n_rows > 0) {
        hid_t memory = cgm_h5_select_rows(from.space, first, n_rows);
        if (transfer(file, &from, cgm_h5_number_type(type), memory, H5P_DEFAULT, data) != CGM_OK) {
            status = cgm_h5_fail(file, path, NULL, UNREADABLE);
        }
        cgm_h5_drop(memory);
    }
    close_source(file, &from);
    return status;
}
