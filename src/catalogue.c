#include "catalogue.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cgm/shard.h"
#include "cgm/text.h"

/* A party while the catalogue is being sorted. */
typedef struct entry {
    char *name;
    char *file;
    cgm_place place;
} entry;

static int compare_entries(const void *a, const void *b)
{
    return cgm_shard_compare_names(((const entry *)a)->name, ((const entry *)b)->name);
}

static void free_texts(char **texts, int64_t count)
{
    for (int64_t k = 0; texts != NULL && k < count; k++) {
        free(texts[k]);
    }
    free(texts);
}

void cgm_catalogue_destroy(cgm_catalogue *all)
{
    free_texts(all->names, all->count);
    free_texts(all->files, all->count);
    free(all->places);
    *all = (cgm_catalogue){0};
}

static char *copy_text(cgm_comm *comm, const char *text, size_t length)
{
    char *copy = cgm_alloc(comm, (int64_t)length + 1, 1);
    if (copy != NULL) {
        memcpy(copy, text, length);
    }
    return copy;
}

static cgm_status allocate_catalogue(cgm_comm *comm, int64_t count, cgm_catalogue *all)
{
    all->count = count;
    all->names = cgm_alloc(comm, count, sizeof *all->names);
    all->files = cgm_alloc(comm, count, sizeof *all->files);
    all->places = cgm_alloc(comm, count, sizeof *all->places);
    bool complete = all->names != NULL && all->files != NULL && all->places != NULL;
    return complete ? CGM_OK : CGM_ERR_MEMORY;
}

bool cgm_catalogue_is_name(const char *name)
{
    size_t length = 0;
    for (size_t bytes = 1; bytes > 0 && length <= CGM_PARTY_NAME_MAX; length += bytes) {
        bytes = name[length] == '/' ? 0 : cgm_text_printable(name + length);
    }
    return length > 0 && length <= CGM_PARTY_NAME_MAX && name[length] == '\0' &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static cgm_status check_names(cgm_comm *comm, const char *path, const cgm_catalogue *all)
{
    for (int64_t i = 0; i < all->count; i++) {
        if (!cgm_catalogue_is_name(all->names[i])) {
            return cgm_fail(comm, CGM_ERR_INPUT, "'%s': the name '%.64s' cannot be used; %s", path,
                            all->names[i], CGM_PARTY_NAME_RULE);
        }
    }
    return CGM_OK;
}

static cgm_status sort_catalogue(cgm_comm *comm, const char *path, cgm_catalogue *all)
{
    entry *entries = cgm_alloc(comm, all->count, sizeof *entries);
    if (entries == NULL) {
        return CGM_ERR_MEMORY;
    }
    for (int64_t i = 0; i < all->count; i++) {
        entries[i] = (entry){all->names[i], all->files[i], all->places[i]};
    }
    qsort(entries, (size_t)all->count, sizeof *entries, compare_entries);
    cgm_status status = CGM_OK;
    for (int64_t i = 0; i < all->count; i++) {
        all->names[i] = entries[i].name;
        all->files[i] = entries[i].file;
        all->places[i] = entries[i].place;
        if (i > 0 && status == CGM_OK && strcmp(all->names[i - 1], all->names[i]) == 0) {
            status = cgm_fail(comm, CGM_ERR_INPUT, "'%s': two parties have the name '%s' (%s%s%s)",
                              path, all->names[i],
                              all->storage == CGM_STORED_FILES ? all->files[i - 1] : "/packed/name",
                              all->storage == CGM_STORED_FILES ? ", " : "",
                              all->storage == CGM_STORED_FILES ? all->files[i] : "");
        }
    }
    free(entries);
    return status;
}

/* ---- one file with all parties, on rank 0 ---- */

cgm_status cgm_catalogue_describe(const cgm_h5_file *file, const char *group, cgm_place *where)
{
    cgm_points_shape shape;
    cgm_status status = cgm_points_describe(file, group, &shape);
    *where = (cgm_place){0, shape.n_points, shape.n_features, shape.has_labels};
    return status;
}

char *cgm_catalogue_group(cgm_comm *comm, cgm_storage storage, const char *name)
{
    const char *parent = storage == CGM_STORED_GROUPS   ? "/parties/"
                         : storage == CGM_STORED_PACKED ? "/packed"
                                                        : "";
    const char *child = storage == CGM_STORED_GROUPS ? name : "";
    size_t bytes = strlen(parent) + strlen(child) + 1;
    char *group = cgm_alloc(comm, (int64_t)bytes, 1);
    if (group != NULL) {
        snprintf(group, bytes, "%s%s", parent, child);
    }
    return group;
}

static cgm_status list_groups(const cgm_h5_file *file, cgm_catalogue *all)
{
    cgm_comm *comm = file->comm;
    cgm_h5_texts names;
    cgm_status status = cgm_h5_list(file, "/parties", false, &names);
    if (status == CGM_OK) {
        status = allocate_catalogue(comm, names.count, all);
    }
    for (int64_t i = 0; i < names.count && status == CGM_OK; i++) {
        char *group = cgm_catalogue_group(comm, CGM_STORED_GROUPS, names.text[i]);
        all->names[i] = copy_text(comm, names.text[i], strlen(names.text[i]));
        all->files[i] = copy_text(comm, "", 0);
        status = group != NULL && all->names[i] != NULL && all->files[i] != NULL ? CGM_OK
                                                                                 : CGM_ERR_MEMORY;
        if (status == CGM_OK) {
            status = cgm_catalogue_describe(file, group, &all->places[i]);
        }
        free(group);
    }
    cgm_h5_texts_destroy(&names);
    return status;
}

/* offsets[i] .. offsets[i + 1] - 1 are the rows of party i and cover all rows in turn. */
static cgm_status check_offsets(const cgm_h5_file *file, const int64_t *offsets, int64_t n_offsets,
                                const cgm_h5_texts *names, int64_t n_points)
{
    if (n_offsets != names->count + 1) {
        return cgm_fail(file->comm, CGM_ERR_INPUT,
                        "file '%s', dataset '/packed/offsets': it has %lld elements; the %lld "
                        "names of /packed/name need one more than there are names",
                        file->path, (long long)n_offsets, (long long)names->count);
    }
    for (int64_t i = 0; i < names->count; i++) {
        if (offsets[i] >= offsets[i + 1]) {
            return cgm_fail(file->comm, CGM_ERR_INPUT,
                            "file '%s', dataset '/packed/offsets', row %lld (counted from 0): "
                            "party '%s' has no points, as the next offset is no larger",
                            file->path, (long long)i, names->text[i]);
        }
    }
    if (offsets[0] != 0 || offsets[names->count] != n_points) {
        return cgm_fail(file->comm, CGM_ERR_INPUT,
                        "file '%s', dataset '/packed/offsets': it must run from 0 to the %lld rows "
                        "of /packed/data, and runs from %lld to %lld",
                        file->path, (long long)n_points, (long long)offsets[0],
                        (long long)offsets[names->count]);
    }
    return CGM_OK;
}

static cgm_status fill_packed(const cgm_h5_file *file, const int64_t *offsets,
                              const cgm_h5_texts *names, const cgm_points_shape *shape,
                              cgm_catalogue *all)
{
    cgm_status status = allocate_catalogue(file->comm, names->count, all);
    for (int64_t i = 0; i < names->count && status == CGM_OK; i++) {
        all->names[i] = copy_text(file->comm, names->text[i], strlen(names->text[i]));
        all->files[i] = copy_text(file->comm, "", 0);
        all->places[i] = (cgm_place){offsets[i], offsets[i + 1] - offsets[i], shape->n_features,
                                     shape->has_labels};
        status = all->names[i] != NULL && all->files[i] != NULL ? CGM_OK : CGM_ERR_MEMORY;
    }
    return status;
}

static cgm_status list_packed(const cgm_h5_file *file, cgm_catalogue *all)
{
    cgm_points_shape shape;
    cgm_status status = cgm_points_describe(file, "/packed", &shape);
    if (status != CGM_OK) {
        return status;
    }
    cgm_h5_texts names;
    status = cgm_h5_read_texts(file, "/packed/name", NULL, &names);
    if (status != CGM_OK) {
        return status;
    }
    cgm_h5_info info;
    int64_t *offsets = cgm_h5_read(file, "/packed/offsets", NULL, CGM_H5_INT64, &info);
    status = offsets != NULL ? check_offsets(file, offsets, info.count, &names, shape.n_points)
                             : file->comm->error.status;
    if (status == CGM_OK) {
        status = fill_packed(file, offsets, &names, &shape, all);
    }
    free(offsets);
    cgm_h5_texts_destroy(&names);
    return status;
}

static cgm_status list_file(cgm_comm *comm, const char *path, cgm_catalogue *all)
{
    cgm_h5_file file;
    cgm_status status = cgm_h5_open(comm, path, &file);
    cgm_h5_kind groups = CGM_H5_MISSING;
    cgm_h5_kind packed = CGM_H5_MISSING;
    if (status == CGM_OK) {
        status = cgm_h5_find(&file, "/parties", &groups);
    }
    if (status == CGM_OK) {
        status = cgm_h5_find(&file, "/packed", &packed);
    }
    if (status == CGM_OK && (groups == CGM_H5_MISSING) == (packed == CGM_H5_MISSING)) {
        status =
            cgm_fail(comm, CGM_ERR_INPUT,
                     groups == CGM_H5_MISSING
                         ? "file '%s' has neither /parties nor /packed; if it holds one party, "
                           "input.parties must be the directory or a pattern of such files"
                         : "file '%s' has both /parties and /packed; remove one of them",
                     path);
    }
    if (status == CGM_OK) {
        all->storage = groups != CGM_H5_MISSING ? CGM_STORED_GROUPS : CGM_STORED_PACKED;
        status =
            all->storage == CGM_STORED_GROUPS ? list_groups(&file, all) : list_packed(&file, all);
    }
    if (status == CGM_OK && all->count == 0) {
        status = cgm_fail(comm, CGM_ERR_INPUT, "file '%s': there are no parties in it", path);
    }
    cgm_h5_close(&file);
    return status;
}

/* ---- one file a party: names on rank 0, contents on the rank that is the party's home ---- */

static bool is_regular(const char *path)
{
    struct stat state;
    return stat(path, &state) == 0 && S_ISREG(state.st_mode);
}

/* A pattern for glob() of the files named *.h5 or *.hdf5, allocated; dir itself is taken literally.
 */
static char *directory_pattern(cgm_comm *comm, const char *directory, const char *extension)
{
    size_t bytes = 2 * strlen(directory) + strlen(extension) + 3;
    char *pattern = cgm_alloc(comm, (int64_t)bytes, 1);
    if (pattern == NULL) {
        return NULL;
    }
    char *end = pattern;
    for (const char *c = directory; *c != '\0'; c++) {
        if (strchr("*?[]\\", *c) != NULL) {
            *end++ = '\\';
        }
        *end++ = *c;
    }
    snprintf(end, bytes - (size_t)(end - pattern), "/*%s", extension);
    return pattern;
}

/* The files that match, hidden ones and what is no regular file left out. */
static cgm_status fill_files(cgm_comm *comm, const char *path, const glob_t *found,
                             cgm_catalogue *all)
{
    all->storage = CGM_STORED_FILES;
    cgm_status status = allocate_catalogue(comm, (int64_t)found->gl_pathc, all);
    all->count = 0;
    for (size_t k = 0; k < found->gl_pathc && status == CGM_OK; k++) {
        const char *file = found->gl_pathv[k];
        if (!is_regular(file)) {
            continue;
        }
        const char *slash = strrchr(file, '/');
        const char *name = slash != NULL ? slash + 1 : file;
        const char *dot = strrchr(name, '.');
        size_t length = dot != NULL && dot != name ? (size_t)(dot - name) : strlen(name);
        all->names[all->count] = copy_text(comm, name, length);
        all->files[all->count] = copy_text(comm, file, strlen(file));
        status = all->names[all->count] != NULL && all->files[all->count] != NULL ? CGM_OK
                                                                                  : CGM_ERR_MEMORY;
        all->count++;
    }
    if (status == CGM_OK && all->count == 0) {
        status = cgm_fail(comm, CGM_ERR_INPUT,
                          "'%s': there are no parties there; a directory needs files *.h5 or "
                          "*.hdf5, a pattern must match files",
                          path);
    }
    return status;
}

static cgm_status list_files(cgm_comm *comm, const char *path, bool directory, cgm_catalogue *all)
{
    char *first = directory ? directory_pattern(comm, path, ".h5") : NULL;
    char *second = directory ? directory_pattern(comm, path, ".hdf5") : NULL;
    if (directory && (first == NULL || second == NULL)) {
        free(first);
        free(second);
        return CGM_ERR_MEMORY;
    }
    glob_t found = {0};
    int code = glob(directory ? first : path, GLOB_ERR, NULL, &found);
    if (directory && (code == 0 || code == GLOB_NOMATCH)) {
        code = glob(second, GLOB_ERR | GLOB_APPEND, NULL, &found);
    }
    cgm_status status = CGM_OK;
    if (code != 0 && code != GLOB_NOMATCH) {
        status = cgm_fail(comm, code == GLOB_NOSPACE ? CGM_ERR_MEMORY : CGM_ERR_INPUT,
                          "'%s' cannot be listed; check its permissions", path);
    }
    if (status == CGM_OK) {
        status = fill_files(comm, path, &found, all);
    }
    globfree(&found);
    free(first);
    free(second);
    return status;
}

static cgm_status make_catalogue(cgm_comm *comm, const char *path, cgm_catalogue *all)
{
    struct stat state;
    bool exists = stat(path, &state) == 0;
    cgm_status status = CGM_OK;
    if (exists ? S_ISDIR(state.st_mode) : strpbrk(path, "*?[") != NULL) {
        status = list_files(comm, path, exists, all);
    } else {
        status = list_file(comm, path, all);
    }
    if (status == CGM_OK) {
        status = check_names(comm, path, all);
    }
    return status == CGM_OK ? sort_catalogue(comm, path, all) : status;
}

/* ---- the same catalogue on every rank ---- */

static size_t catalogue_bytes(const cgm_catalogue *all)
{
    size_t bytes = 0;
    for (int64_t i = 0; i < all->count; i++) {
        bytes += strlen(all->names[i]) + strlen(all->files[i]) + 2;
    }
    return bytes;
}

/* Names and files one after the other, each with its end. */
static void join_texts(const cgm_catalogue *all, char *joined)
{
    char *end = joined;
    for (int64_t i = 0; i < all->count; i++) {
        end = stpcpy(end, all->names[i]) + 1;
        end = stpcpy(end, all->files[i]) + 1;
    }
}

static cgm_status split_texts(cgm_comm *comm, const char *joined, cgm_catalogue *all)
{
    const char *next = joined;
    for (int64_t i = 0; i < all->count; i++) {
        all->names[i] = copy_text(comm, next, strlen(next));
        next += strlen(next) + 1;
        all->files[i] = copy_text(comm, next, strlen(next));
        next += strlen(next) + 1;
        if (all->names[i] == NULL || all->files[i] == NULL) {
            return CGM_ERR_MEMORY;
        }
    }
    return CGM_OK;
}

static cgm_status broadcast_catalogue(cgm_comm *comm, cgm_catalogue *all)
{
    int64_t header[3] = {all->storage, all->count, (int64_t)catalogue_bytes(all)};
    cgm_comm_broadcast(comm, header, sizeof header, 0);
    cgm_status status = CGM_OK;
    if (comm->rank != 0) {
        all->storage = (cgm_storage)header[0];
        status = allocate_catalogue(comm, header[1], all);
    }
    char *joined = cgm_alloc(comm, header[2], 1);
    if (joined == NULL) {
        status = CGM_ERR_MEMORY;
    }
    status = cgm_agree(comm, status);
    if (status == CGM_OK) {
        if (comm->rank == 0) {
            join_texts(all, joined);
        }
        cgm_comm_broadcast(comm, joined, (size_t)header[2], 0);
        cgm_comm_broadcast(comm, all->places, (size_t)all->count * sizeof *all->places, 0);
        status = cgm_agree(comm, comm->rank != 0 ? split_texts(comm, joined, all) : CGM_OK);
    }
    free(joined);
    return status;
}

cgm_status cgm_catalogue_create(cgm_comm *comm, const char *path, cgm_catalogue *all)
{
    *all = (cgm_catalogue){0};
    cgm_status status = cgm_agree(comm, comm->rank == 0 ? make_catalogue(comm, path, all) : CGM_OK);
    return status == CGM_OK ? broadcast_catalogue(comm, all) : status;
}
