/* Records what leaves a rank through MPI: preloaded into cgm, a shared object of its own. In the
 * directory CGM_LEAKS it writes, for rank R, sent.R, the bytes of all messages, of a rank's part in
 * collectives, of its writes through MPI-IO and of windows that others can read, one after the
 * other; calls.R, a line `offset bytes function` of each; and opened.R, the HDF5 files that it
 * opened. Nothing is recorded that stays on its rank. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <dlfcn.h>
#include <fcntl.h>
#include <mpi.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOWS_MAX = 256, PATH_BYTES = 4200 };

/* Memory that others can read, and a hash of what was recorded of it last. */
typedef struct window {
    MPI_Win window;
    const void *base;
    size_t bytes;
    bool shared; /* by the ranks of a node, who all write where they like */
    uint64_t seen;
} window;

static struct {
    FILE *sent, *calls, *opened;
    int64_t offset;
    window windows[WINDOWS_MAX];
    int n_windows;
} record;

/* ---- files ---- */

static void give_up(const char *why)
{
    fprintf(stderr, "leaks: %s\n", why);
    abort();
}

static FILE *create(const char *kind, int rank)
{
    const char *directory = getenv("CGM_LEAKS");
    char path[PATH_BYTES];
    if (directory == NULL) {
        give_up("CGM_LEAKS is not set");
    }
    snprintf(path, sizeof path, "%s/%s.%d", directory, kind, rank);
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        give_up("cannot write into CGM_LEAKS");
    }
    return file;
}

static void flush(void)
{
    fflush(record.sent);
    fflush(record.calls);
    fflush(record.opened);
}

static void begin(void)
{
    int rank;
    PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
    record.sent = create("sent", rank);
    record.calls = create("calls", rank);
    record.opened = create("opened", rank);
}

static void keep(const char *call, const void *data, size_t bytes)
{
    if (bytes == 0) {
        return;
    }
    if (fwrite(data, 1, bytes, record.sent) != bytes) {
        give_up("cannot write what was sent");
    }
    fprintf(record.calls, "%lld %zu %s\n", (long long)record.offset, bytes, call);
    record.offset += (int64_t)bytes;
}

/* As MPI packs it: of predefined types, as it lies in memory. */
static void keep_typed(const char *call, const void *data, int count, MPI_Datatype type)
{
    int room = 0;
    int used = 0;
    if (data == MPI_IN_PLACE || count <= 0) {
        return;
    }
    PMPI_Pack_size(count, type, MPI_COMM_SELF, &room);
    char *packed = malloc((size_t)room + 1);
    if (packed == NULL) {
        give_up("no memory");
    }
    PMPI_Pack(data, count, type, packed, room, &used, MPI_COMM_SELF);
    keep(call, packed, (size_t)used);
    free(packed);
}

static bool is_alone(MPI_Comm comm)
{
    int size;
    PMPI_Comm_size(comm, &size);
    return size == 1;
}

static bool is_me(MPI_Comm comm, int rank)
{
    int own;
    PMPI_Comm_rank(comm, &own);
    return own == rank;
}

static const void *at(const void *data, int64_t elements, MPI_Datatype type)
{
    MPI_Aint low;
    MPI_Aint extent;
    PMPI_Type_get_extent(type, &low, &extent);
    return (const char *)data + elements * extent;
}

/* ---- start and end, files that are opened ---- */

int MPI_Init_thread(int *argc, char ***argv, int required, int *provided)
{
    const int code = PMPI_Init_thread(argc, argv, required, provided);
    begin();
    return code;
}

int MPI_Init(int *argc, char ***argv)
{
    const int code = PMPI_Init(argc, argv);
    begin();
    return code;
}

int MPI_Finalize(void)
{
    flush();
    return PMPI_Finalize();
}

int MPI_Abort(MPI_Comm comm, int code)
{
    flush();
    return PMPI_Abort(comm, code);
}

typedef int open_function(const char *path, int flags, ...);

static int open_as(const char *name, const char *path, int flags, unsigned mode)
{
    open_function *original;
    void *symbol = dlsym(RTLD_NEXT, name);
    memcpy(&original, &symbol, sizeof original);
    const size_t length = strlen(path);
    if (record.opened != NULL && length > 3 && strcmp(path + length - 3, ".h5") == 0) {
        fprintf(record.opened, "%s\n", path);
    }
    return original(path, flags, mode);
}

#define OPEN(function)                                                                             \
    int function(const char *path, int flags, ...)                                                 \
    {                                                                                              \
        va_list rest;                                                                              \
        va_start(rest, flags);                                                                     \
        const unsigned mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, unsigned) : 0;   \
        va_end(rest);                                                                              \
        return open_as(#function, path, flags, mode);                                              \
    }
OPEN(open)
OPEN(open64)

/* ---- from one rank to another ---- */

#define SEND(function)                                                                             \
    int MPI_##function(const void *data, int count, MPI_Datatype type, int to, int tag,            \
                       MPI_Comm comm)                                                              \
    {                                                                                              \
        if (!is_me(comm, to)) {                                                                    \
            keep_typed(#function, data, count, type);                                              \
        }                                                                                          \
        return PMPI_##function(data, count, type, to, tag, comm);                                  \
    }
SEND(Send)
SEND(Ssend)
SEND(Bsend)
SEND(Rsend)

#define SEND_LATER(function)                                                                       \
    int MPI_##function(const void *data, int count, MPI_Datatype type, int to, int tag,            \
                       MPI_Comm comm, MPI_Request *request)                                        \
    {                                                                                              \
        if (!is_me(comm, to)) {                                                                    \
            keep_typed(#function, data, count, type);                                              \
        }                                                                                          \
        return PMPI_##function(data, count, type, to, tag, comm, request);                         \
    }
SEND_LATER(Isend)
SEND_LATER(Issend)
SEND_LATER(Ibsend)
SEND_LATER(Irsend)

int MPI_Sendrecv(const void *data, int count, MPI_Datatype type, int to, int tag, void *received,
                 int n_received, MPI_Datatype received_type, int from, int received_tag,
                 MPI_Comm comm, MPI_Status *status)
{
    if (!is_me(comm, to)) {
        keep_typed("Sendrecv", data, count, type);
    }
    return PMPI_Sendrecv(data, count, type, to, tag, received, n_received, received_type, from,
                         received_tag, comm, status);
}

/* ---- collectives: what this rank puts in ---- */

int MPI_Bcast(void *data, int count, MPI_Datatype type, int root, MPI_Comm comm)
{
    if (is_me(comm, root) && !is_alone(comm)) {
        keep_typed("Bcast", data, count, type);
    }
    return PMPI_Bcast(data, count, type, root, comm);
}

int MPI_Reduce(const void *data, void *result, int count, MPI_Datatype type, MPI_Op op, int root,
               MPI_Comm comm)
{
    if (!is_me(comm, root)) {
        keep_typed("Reduce", data, count, type);
    }
    return PMPI_Reduce(data, result, count, type, op, root, comm);
}

#define REDUCE_FOR_ALL(function)                                                                   \
    int MPI_##function(const void *data, void *result, int count, MPI_Datatype type, MPI_Op op,    \
                       MPI_Comm comm)                                                              \
    {                                                                                              \
        if (!is_alone(comm)) {                                                                     \
            keep_typed(#function, data == MPI_IN_PLACE ? result : data, count, type);              \
        }                                                                                          \
        return PMPI_##function(data, result, count, type, op, comm);                               \
    }
REDUCE_FOR_ALL(Allreduce)
REDUCE_FOR_ALL(Scan)
REDUCE_FOR_ALL(Exscan)

int MPI_Gather(const void *data, int count, MPI_Datatype type, void *all, int n_each,
               MPI_Datatype all_type, int root, MPI_Comm comm)
{
    if (!is_me(comm, root)) {
        keep_typed("Gather", data, count, type);
    }
    return PMPI_Gather(data, count, type, all, n_each, all_type, root, comm);
}

int MPI_Gatherv(const void *data, int count, MPI_Datatype type, void *all, const int *counts,
                const int *places, MPI_Datatype all_type, int root, MPI_Comm comm)
{
    if (!is_me(comm, root)) {
        keep_typed("Gatherv", data, count, type);
    }
    return PMPI_Gatherv(data, count, type, all, counts, places, all_type, root, comm);
}

int MPI_Allgather(const void *data, int count, MPI_Datatype type, void *all, int n_each,
                  MPI_Datatype all_type, MPI_Comm comm)
{
    int rank;
    PMPI_Comm_rank(comm, &rank);
    if (!is_alone(comm) && data == MPI_IN_PLACE) {
        keep_typed("Allgather", at(all, (int64_t)rank * n_each, all_type), n_each, all_type);
    } else if (!is_alone(comm)) {
        keep_typed("Allgather", data, count, type);
    }
    return PMPI_Allgather(data, count, type, all, n_each, all_type, comm);
}

int MPI_Allgatherv(const void *data, int count, MPI_Datatype type, void *all, const int *counts,
                   const int *places, MPI_Datatype all_type, MPI_Comm comm)
{
    int rank;
    PMPI_Comm_rank(comm, &rank);
    if (!is_alone(comm) && data == MPI_IN_PLACE) {
        keep_typed("Allgatherv", at(all, places[rank], all_type), counts[rank], all_type);
    } else if (!is_alone(comm)) {
        keep_typed("Allgatherv", data, count, type);
    }
    return PMPI_Allgatherv(data, count, type, all, counts, places, all_type, comm);
}

int MPI_Scatterv(const void *data, const int *counts, const int *places, MPI_Datatype type,
                 void *part, int n_part, MPI_Datatype part_type, int root, MPI_Comm comm)
{
    int size;
    PMPI_Comm_size(comm, &size);
    for (int r = 0; is_me(comm, root) && r < size; r++) {
        if (r != root) {
            keep_typed("Scatterv", at(data, places[r], type), counts[r], type);
        }
    }
    return PMPI_Scatterv(data, counts, places, type, part, n_part, part_type, root, comm);
}

int MPI_Alltoall(const void *data, int count, MPI_Datatype type, void *all, int n_each,
                 MPI_Datatype all_type, MPI_Comm comm)
{
    int size;
    PMPI_Comm_size(comm, &size);
    if (size > 1) {
        keep_typed("Alltoall", data == MPI_IN_PLACE ? all : data, count * size, type);
    }
    return PMPI_Alltoall(data, count, type, all, n_each, all_type, comm);
}

/* ---- files that are written together ---- */

#define WRITE(function)                                                                            \
    int MPI_##function(MPI_File file, MPI_Offset offset, const void *data, int count,              \
                       MPI_Datatype type, MPI_Status *status)                                      \
    {                                                                                              \
        keep_typed(#function, data, count, type);                                                  \
        return PMPI_##function(file, offset, data, count, type, status);                           \
    }
WRITE(File_write_at)
WRITE(File_write_at_all)

/* Collective reading moves a file's bytes between ranks, unseen from here. */
int MPI_File_read_at_all(MPI_File file, MPI_Offset offset, void *data, int count, MPI_Datatype type,
                         MPI_Status *status)
{
    fprintf(record.calls, "%lld 0 File_read_at_all\n", (long long)record.offset);
    return PMPI_File_read_at_all(file, offset, data, count, type, status);
}

/* ---- windows ---- */

static void add_window(MPI_Win handle, const void *base, size_t bytes, bool shared)
{
    if (record.n_windows == WINDOWS_MAX) {
        give_up("too many windows");
    }
    record.windows[record.n_windows++] = (window){handle, base, bytes, shared, 0};
}

static uint64_t hash(uint64_t start, const void *data, size_t bytes)
{
    const unsigned char *byte = data;
    for (size_t k = 0; k < bytes; k++) {
        start = (start ^ byte[k]) * 0x100000001b3;
    }
    return start;
}

/* Of a window that the ranks of a node share, all parts: this rank may have written any. */
static void keep_window(MPI_Win handle, const char *call)
{
    for (int k = 0; k < record.n_windows; k++) {
        window *open = &record.windows[k];
        if (open->window != handle) {
            continue;
        }
        MPI_Group group;
        int n_parts = 1;
        PMPI_Win_get_group(handle, &group);
        PMPI_Group_size(group, &n_parts);
        PMPI_Group_free(&group);
        const bool alone = n_parts == 1;
        for (int part = 0; part < (open->shared ? n_parts : 1) && !alone; part++) {
            MPI_Aint bytes = (MPI_Aint)open->bytes;
            void *base = NULL;
            int unit;
            if (open->shared) {
                PMPI_Win_shared_query(handle, part, &bytes, &unit, &base);
            }
            const void *from = open->shared ? base : open->base;
            const uint64_t now = hash((uint64_t)part + 1, from, (size_t)bytes);
            if (bytes > 0 && (open->shared || now != open->seen)) {
                keep(call, from, (size_t)bytes);
                open->seen = now;
            }
        }
    }
}

int MPI_Win_allocate(MPI_Aint bytes, int unit, MPI_Info info, MPI_Comm comm, void *base,
                     MPI_Win *handle)
{
    const int code = PMPI_Win_allocate(bytes, unit, info, comm, base, handle);
    if (code == MPI_SUCCESS) {
        add_window(*handle, *(void **)base, (size_t)bytes, false);
    }
    return code;
}

int MPI_Win_allocate_shared(MPI_Aint bytes, int unit, MPI_Info info, MPI_Comm comm, void *base,
                            MPI_Win *handle)
{
    const int code = PMPI_Win_allocate_shared(bytes, unit, info, comm, base, handle);
    if (code == MPI_SUCCESS) {
        add_window(*handle, *(void **)base, (size_t)bytes, true);
    }
    return code;
}

int MPI_Win_create(void *base, MPI_Aint bytes, int unit, MPI_Info info, MPI_Comm comm,
                   MPI_Win *handle)
{
    const int code = PMPI_Win_create(base, bytes, unit, info, comm, handle);
    add_window(*handle, base, (size_t)bytes, false);
    return code;
}

int MPI_Win_sync(MPI_Win handle)
{
    keep_window(handle, "Win_sync");
    return PMPI_Win_sync(handle);
}

int MPI_Win_lock_all(int assertion, MPI_Win handle)
{
    keep_window(handle, "Win_lock_all");
    return PMPI_Win_lock_all(assertion, handle);
}

int MPI_Win_unlock_all(MPI_Win handle)
{
    keep_window(handle, "Win_unlock_all");
    return PMPI_Win_unlock_all(handle);
}

int MPI_Win_fence(int assertion, MPI_Win handle)
{
    keep_window(handle, "Win_fence");
    return PMPI_Win_fence(assertion, handle);
}

int MPI_Win_free(MPI_Win *handle)
{
    for (int k = 0; k < record.n_windows; k++) {
        if (record.windows[k].window == *handle) {
            record.windows[k] = record.windows[--record.n_windows];
            break;
        }
    }
    return PMPI_Win_free(handle);
}

int MPI_Put(const void *data, int count, MPI_Datatype type, int to, MPI_Aint place, int n_there,
            MPI_Datatype type_there, MPI_Win handle)
{
    keep_typed("Put", data, count, type);
    return PMPI_Put(data, count, type, to, place, n_there, type_there, handle);
}

int MPI_Accumulate(const void *data, int count, MPI_Datatype type, int to, MPI_Aint place,
                   int n_there, MPI_Datatype type_there, MPI_Op op, MPI_Win handle)
{
    keep_typed("Accumulate", data, count, type);
    return PMPI_Accumulate(data, count, type, to, place, n_there, type_there, op, handle);
}

int MPI_Fetch_and_op(const void *data, void *before, MPI_Datatype type, int to, MPI_Aint place,
                     MPI_Op op, MPI_Win handle)
{
    keep_typed("Fetch_and_op", data, 1, type);
    return PMPI_Fetch_and_op(data, before, type, to, place, op, handle);
}
