#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "cgm/comm.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "cgm/text.h"

/* A message of MPI is counted by int: larger ones go in pieces of this size. */
#define PIECE_BYTES ((size_t)1 << 30)
/* Evaluations between two chances for MPI to serve other ranks: some ten microseconds. */
enum { SERVE_EVALUATIONS = 1 << 16 };
/* Messages with data have tag 0. */
enum { NOTICE_TAG = 1 };

void cgm_comm_create(MPI_Comm world, cgm_comm *comm)
{
    *comm = (cgm_comm){.world = world, .threads = 1};
    MPI_Comm_rank(world, &comm->rank);
    MPI_Comm_size(world, &comm->size);
    MPI_Comm_split_type(world, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &comm->node);
    MPI_Comm_rank(comm->node, &comm->node_rank);
    MPI_Comm_size(comm->node, &comm->node_size);
    if (gethostname(comm->host, sizeof comm->host - 1) != 0) {
        snprintf(comm->host, sizeof comm->host, "unknown");
    }
}

void cgm_comm_destroy(cgm_comm *comm)
{
    MPI_Comm_free(&comm->node);
}

void cgm_comm_split(cgm_comm *comm, int colour, cgm_comm *part)
{
    MPI_Comm ranks;
    MPI_Comm_split(comm->world, colour, comm->rank, &ranks);
    cgm_comm_create(ranks, part);
    part->threads = comm->threads;
    part->progress_interval = comm->progress_interval;
}

void cgm_comm_absorb(cgm_comm *comm, cgm_comm *part)
{
    comm->counters.kernel_evaluations += part->counters.kernel_evaluations;
    comm->counters.bytes_sent += part->counters.bytes_sent;
    comm->counters.bytes_received += part->counters.bytes_received;
    comm->counters.waiting += part->counters.waiting;
    if (comm->error.status == CGM_OK && part->error.status != CGM_OK) {
        comm->error = part->error;
        comm->error.rank += comm->rank - part->rank;
    }
    part->counters = (cgm_counters){0};
}

void cgm_comm_join(cgm_comm *comm, cgm_comm *part)
{
    cgm_comm_absorb(comm, part);
    cgm_comm_destroy(part);
    MPI_Comm_free(&part->world);
}

void cgm_comm_count_work(cgm_comm *comm, int64_t evaluations)
{
    comm->counters.kernel_evaluations += evaluations;
    comm->unserved_work += evaluations;
    if (comm->unserved_work >= SERVE_EVALUATIONS) {
        int ignored;
        MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, comm->world, &ignored, MPI_STATUS_IGNORE);
        comm->unserved_work = 0;
    }
}

cgm_status cgm_fail(cgm_comm *comm, cgm_status status, const char *format, ...)
{
    if (comm->error.status != CGM_OK) {
        return comm->error.status;
    }
    cgm_error *error = &comm->error;
    error->status = status;
    error->rank = comm->rank;
    snprintf(error->host, sizeof error->host, "%s", comm->host);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    for (char *c = error->message; *c != '\0';) {
        size_t length = cgm_text_printable(c);
        if (length == 0) {
            *c = '?';
        }
        c += length > 0 ? length : 1;
    }
    return status;
}

static int64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void count_waiting(cgm_comm *comm, int64_t since)
{
    comm->counters.waiting += nanoseconds() - since;
}

cgm_status cgm_agree(cgm_comm *comm, cgm_status status)
{
    struct {
        int status;
        int rank;
    } vote = {(int)status, comm->rank};
    const int64_t since = nanoseconds();
    MPI_Allreduce(MPI_IN_PLACE, &vote, 1, MPI_2INT, MPI_MAXLOC, comm->world);
    count_waiting(comm, since);
    if (vote.status == CGM_OK) {
        return CGM_OK;
    }
    if (vote.rank == comm->rank && comm->error.status == CGM_OK) {
        cgm_fail(comm, status, "a failure without a recorded cause; please report this");
    }
    cgm_comm_broadcast(comm, &comm->error, sizeof comm->error, vote.rank);
    return (cgm_status)vote.status;
}

static void fail_memory(cgm_comm *comm, int64_t count, size_t size)
{
    cgm_fail(comm, CGM_ERR_MEMORY,
             "no memory for %lld items of %zu bytes; use more nodes or fewer ranks a node, or ask "
             "for more memory a rank",
             (long long)count, size);
}

static bool is_countable(int64_t count, size_t size)
{
    return count >= 0 && (size == 0 || (uint64_t)count <= PTRDIFF_MAX / size);
}

void *cgm_alloc(cgm_comm *comm, int64_t count, size_t size)
{
    void *memory = NULL;
    if (is_countable(count, size)) {
        memory = calloc(count > 0 ? (size_t)count : 1, size > 0 ? size : 1);
    }
    if (memory == NULL) {
        fail_memory(comm, count, size);
    }
    return memory;
}

double *cgm_alloc_aligned(cgm_comm *comm, int64_t count)
{
    void *memory = NULL;
    if (is_countable(count, sizeof(double)) &&
        posix_memalign(&memory, CGM_ALIGNMENT, (size_t)(count > 0 ? count : 1) * sizeof(double)) !=
            0) {
        memory = NULL;
    }
    if (memory == NULL) {
        fail_memory(comm, count, sizeof(double));
    } else {
        memset(memory, 0, (size_t)count * sizeof(double));
    }
    return memory;
}

int cgm_int(int64_t count)
{
    if (count < INT_MIN || count > INT_MAX) {
        fprintf(stderr, "cgm: bug: the count %lld does not fit in an int\n", (long long)count);
        MPI_Abort(MPI_COMM_WORLD, CGM_ERR_BUG);
    }
    return (int)count;
}

static void count_bytes(cgm_comm *comm, size_t sent, size_t received)
{
    comm->counters.bytes_sent += (int64_t)sent;
    comm->counters.bytes_received += (int64_t)received;
}

void cgm_comm_broadcast(cgm_comm *comm, void *data, size_t bytes, int root)
{
    char *next = data;
    for (size_t left = bytes; left > 0;) {
        size_t piece = left < PIECE_BYTES ? left : PIECE_BYTES;
        const int64_t since = nanoseconds();
        MPI_Bcast(next, cgm_int((int64_t)piece), MPI_BYTE, root, comm->world);
        count_waiting(comm, since);
        next += piece;
        left -= piece;
    }
    bool alone = comm->size == 1;
    count_bytes(comm, !alone && comm->rank == root ? bytes : 0, comm->rank == root ? 0 : bytes);
}

/* Reductions go in pieces, for the int count and to bound MPI's temporary buffers. */
static void reduce_in_place(cgm_comm *comm, void *values, int64_t count, size_t size,
                            MPI_Datatype type, MPI_Op op)
{
    const int64_t piece_count = (int64_t)(PIECE_BYTES / 64 / size);
    char *next = values;
    for (int64_t left = count; left > 0;) {
        int64_t piece = left < piece_count ? left : piece_count;
        const int64_t since = nanoseconds();
        MPI_Allreduce(MPI_IN_PLACE, next, cgm_int(piece), type, op, comm->world);
        count_waiting(comm, since);
        next += (size_t)piece * size;
        left -= piece;
    }
    if (comm->size > 1) {
        count_bytes(comm, (size_t)count * size, (size_t)count * size);
    }
}

void cgm_comm_sum(cgm_comm *comm, int64_t *values, int64_t count)
{
    reduce_in_place(comm, values, count, sizeof *values, MPI_INT64_T, MPI_SUM);
}

void cgm_comm_sum_unsigned(cgm_comm *comm, uint64_t *values, int64_t count)
{
    reduce_in_place(comm, values, count, sizeof *values, MPI_UINT64_T, MPI_SUM);
}

void cgm_comm_or(cgm_comm *comm, uint64_t *words, int64_t count)
{
    reduce_in_place(comm, words, count, sizeof *words, MPI_UINT64_T, MPI_BOR);
}

void cgm_comm_min(cgm_comm *comm, double *values, int64_t count)
{
    reduce_in_place(comm, values, count, sizeof *values, MPI_DOUBLE, MPI_MIN);
}

void cgm_comm_max(cgm_comm *comm, double *values, int64_t count)
{
    reduce_in_place(comm, values, count, sizeof *values, MPI_DOUBLE, MPI_MAX);
}

void cgm_comm_all_gather(cgm_comm *comm, void *data, const int64_t *offset, size_t element)
{
    for (int root = 0; root < comm->size; root++) {
        size_t bytes = (size_t)(offset[root + 1] - offset[root]) * element;
        cgm_comm_broadcast(comm, (char *)data + (size_t)offset[root] * element, bytes, root);
    }
}

void cgm_comm_gather(cgm_comm *comm, const void *mine, void *all, size_t bytes, int root)
{
    int count = cgm_int((int64_t)bytes);
    const int64_t since = nanoseconds();
    MPI_Gather(mine, count, MPI_BYTE, all, count, MPI_BYTE, root, comm->world);
    count_waiting(comm, since);
    if (comm->rank == root) {
        count_bytes(comm, 0, bytes * (size_t)(comm->size - 1));
    } else {
        count_bytes(comm, bytes, 0);
    }
}

void cgm_comm_exchange(cgm_comm *comm, const void *send, size_t send_bytes, int to, void *receive,
                       size_t receive_bytes, int from)
{
    size_t sent = 0;
    size_t received = 0;
    do {
        size_t out = send_bytes - sent < PIECE_BYTES ? send_bytes - sent : PIECE_BYTES;
        size_t in = receive_bytes - received < PIECE_BYTES ? receive_bytes - received : PIECE_BYTES;
        const int64_t since = nanoseconds();
        MPI_Sendrecv((const char *)send + sent, cgm_int((int64_t)out), MPI_BYTE,
                     out > 0 ? to : MPI_PROC_NULL, 0, (char *)receive + received,
                     cgm_int((int64_t)in), MPI_BYTE, in > 0 ? from : MPI_PROC_NULL, 0, comm->world,
                     MPI_STATUS_IGNORE);
        count_waiting(comm, since);
        sent += out;
        received += in;
    } while (sent < send_bytes || received < receive_bytes);
    if (to != comm->rank) {
        count_bytes(comm, send_bytes, 0);
    }
    if (from != comm->rank) {
        count_bytes(comm, 0, receive_bytes);
    }
}

/* One message a piece, sent or received. */
static void start_pieces(cgm_comm *comm, cgm_exchange *exchange, void *data, size_t bytes, int peer,
                         bool sends)
{
    char *next = data;
    for (size_t left = bytes; left > 0;) {
        const size_t piece = left < PIECE_BYTES ? left : PIECE_BYTES;
        if (exchange->n_requests == CGM_EXCHANGE_PIECES) {
            fprintf(stderr, "cgm: bug: %zu bytes are too many for one exchange\n", bytes);
            MPI_Abort(MPI_COMM_WORLD, CGM_ERR_BUG);
        }
        MPI_Request *request = &exchange->requests[exchange->n_requests++];
        const int count = cgm_int((int64_t)piece);
        if (sends) {
            MPI_Isend(next, count, MPI_BYTE, peer, 0, comm->world, request);
        } else {
            MPI_Irecv(next, count, MPI_BYTE, peer, 0, comm->world, request);
        }
        next += piece;
        left -= piece;
    }
}

void cgm_exchange_start(cgm_comm *comm, cgm_exchange *exchange, const void *send, size_t send_bytes,
                        int to, void *receive, size_t receive_bytes, int from)
{
    exchange->n_requests = 0;
    start_pieces(comm, exchange, receive, receive_bytes, from, false);
    start_pieces(comm, exchange, (void *)send, send_bytes, to, true);
    if (to != comm->rank) {
        count_bytes(comm, send_bytes, 0);
    }
    if (from != comm->rank) {
        count_bytes(comm, 0, receive_bytes);
    }
}

void cgm_exchange_poll(cgm_exchange *exchange)
{
    int done;
    /* In MPICH that is the address 1, which gcc takes for an array of no bytes. */
    MPI_Status *volatile none = MPI_STATUSES_IGNORE;
    MPI_Testall(exchange->n_requests, exchange->requests, &done, none);
}

void cgm_exchange_finish(cgm_comm *comm, cgm_exchange *exchange)
{
    const int64_t since = nanoseconds();
    MPI_Status *volatile none = MPI_STATUSES_IGNORE; /* as above */
    MPI_Waitall(exchange->n_requests, exchange->requests, none);
    count_waiting(comm, since);
    exchange->n_requests = 0;
}

/* Empty messages: a rank looks for them where it stands, and nobody has to answer. */
void cgm_comm_notify(cgm_comm *comm)
{
    comm->has_notified = true;
    for (int r = 0; r < comm->size; r++) {
        if (r != comm->rank) {
            MPI_Request request;
            MPI_Isend(NULL, 0, MPI_BYTE, r, NOTICE_TAG, comm->world, &request);
            MPI_Request_free(&request);
        }
    }
}

bool cgm_comm_is_notified(cgm_comm *comm)
{
    int found;
    MPI_Iprobe(MPI_ANY_SOURCE, NOTICE_TAG, comm->world, &found, MPI_STATUS_IGNORE);
    return found != 0;
}

bool cgm_comm_settle_notices(cgm_comm *comm)
{
    int64_t notices = comm->has_notified;
    cgm_comm_sum(comm, &notices, 1);
    for (int64_t k = comm->has_notified; k < notices; k++) {
        MPI_Recv(NULL, 0, MPI_BYTE, MPI_ANY_SOURCE, NOTICE_TAG, comm->world, MPI_STATUS_IGNORE);
    }
    comm->has_notified = false;
    return notices > 0;
}

void cgm_comm_barrier(cgm_comm *comm)
{
    const int64_t since = nanoseconds();
    MPI_Barrier(comm->world);
    count_waiting(comm, since);
}

/* What ranks wrote into a window before is there for all of them after. */
static void synchronise(cgm_comm *comm, MPI_Comm ranks, MPI_Win window)
{
    MPI_Win_sync(window);
    const int64_t since = nanoseconds();
    MPI_Barrier(ranks);
    count_waiting(comm, since);
    MPI_Win_sync(window);
}

/* Ranks of a node share memory through a file. */
static bool is_file_allowed(const cgm_comm *comm, size_t bytes, long long *most)
{
    const size_t own_records = (size_t)1 << 20; /* what the library keeps in it */
    struct rlimit limit;
    if (comm->node_size == 1 || getrlimit(RLIMIT_FSIZE, &limit) != 0) {
        return true;
    }
    *most = (long long)limit.rlim_cur;
    return limit.rlim_cur == RLIM_INFINITY || bytes + own_records <= limit.rlim_cur;
}

/* Whether every rank may map a window of which its node holds so many bytes. Of Open MPI's ranks
 * one that may not gives up inside MPI_Win_allocate, and leaves the others waiting there. */
static cgm_status check_room(cgm_comm *comm, int64_t node_bytes)
{
    const size_t own_records = (size_t)1 << 22; /* what the library maps with it */
    const size_t bytes = (size_t)node_bytes + own_records;
    long long most = 0;
    if (!is_file_allowed(comm, (size_t)node_bytes, &most)) {
        cgm_fail(comm, CGM_ERR_MEMORY,
                 "no memory for %lld bytes that the ranks of a node share, as files may have at "
                 "most %lld bytes; raise that limit (ulimit -f)",
                 (long long)node_bytes, most);
        return cgm_agree(comm, CGM_ERR_MEMORY);
    }
    void *probe = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (probe == MAP_FAILED) {
        cgm_fail(comm, CGM_ERR_MEMORY,
                 "no memory for %lld bytes that the ranks of a node share; ask for more memory a "
                 "rank",
                 (long long)node_bytes);
    } else {
        munmap(probe, bytes);
    }
    return cgm_agree(comm, probe == MAP_FAILED ? CGM_ERR_MEMORY : CGM_OK);
}

cgm_status cgm_shared_create(cgm_comm *comm, size_t bytes, cgm_shared *shared)
{
    *shared = (cgm_shared){.window = MPI_WIN_NULL, .bytes = bytes};
    cgm_status room = check_room(comm, (int64_t)bytes);
    if (room != CGM_OK) {
        return room;
    }
    MPI_Aint mine = comm->node_rank == 0 ? (MPI_Aint)(bytes + CGM_ALIGNMENT) : 0;
    /* A window that the node cannot hold is the user's to know, not a reason to abort. */
    MPI_Comm_set_errhandler(comm->node, MPI_ERRORS_RETURN);
    void *base = NULL;
    int code = MPI_Win_allocate_shared(mine, 1, MPI_INFO_NULL, comm->node, &base, &shared->window);
    MPI_Comm_set_errhandler(comm->node, MPI_ERRORS_ARE_FATAL);
    cgm_status status = CGM_OK;
    if (code != MPI_SUCCESS) {
        shared->window = MPI_WIN_NULL;
        status = cgm_fail(comm, CGM_ERR_MEMORY,
                          "no %zu bytes of memory shared by the ranks of a node; ask for more "
                          "memory a node or enlarge its /dev/shm",
                          bytes);
    }
    status = cgm_agree(comm, status);
    if (status != CGM_OK) {
        cgm_shared_destroy(shared);
        return status;
    }
    MPI_Aint size;
    int unit;
    char *start;
    MPI_Win_shared_query(shared->window, 0, &size, &unit, &start);
    /* The library maps whole pages: the same step is right on every rank. */
    shared->data = start + (CGM_ALIGNMENT - (uintptr_t)start % CGM_ALIGNMENT) % CGM_ALIGNMENT;
    MPI_Win_lock_all(MPI_MODE_NOCHECK, shared->window);
    return CGM_OK;
}

void cgm_shared_sync(cgm_comm *comm, cgm_shared *shared)
{
    synchronise(comm, comm->node, shared->window);
}

cgm_status cgm_shared_all_gather(cgm_comm *comm, cgm_shared *shared, const void *mine,
                                 const int64_t *offset, size_t element)
{
    int64_t longest = 0;
    for (int r = 0; r < comm->size; r++) {
        longest = offset[r + 1] - offset[r] > longest ? offset[r + 1] - offset[r] : longest;
    }
    char *segment = cgm_alloc(comm, longest, element);
    cgm_status status = cgm_agree(comm, segment == NULL ? CGM_ERR_MEMORY : CGM_OK);
    for (int root = 0; root < comm->size && status == CGM_OK; root++) {
        size_t bytes = (size_t)(offset[root + 1] - offset[root]) * element;
        if (root == comm->rank) {
            memcpy(segment, mine, bytes);
        }
        cgm_comm_broadcast(comm, segment, bytes, root);
        if (comm->node_rank == 0) {
            memcpy((char *)shared->data + (size_t)offset[root] * element, segment, bytes);
        }
    }
    free(segment);
    if (status == CGM_OK) {
        cgm_shared_sync(comm, shared);
    }
    return status;
}

void cgm_shared_destroy(cgm_shared *shared)
{
    if (shared->data != NULL) {
        MPI_Win_unlock_all(shared->window);
    }
    /* A zeroed struct holds no window, and neither does one whose allocation failed. */
    if (shared->bytes > 0 && shared->window != MPI_WIN_NULL) {
        MPI_Win_free(&shared->window);
    }
    *shared = (cgm_shared){.window = MPI_WIN_NULL};
}

cgm_status cgm_window_create(cgm_comm *comm, size_t bytes, cgm_window *window)
{
    *window = (cgm_window){.window = MPI_WIN_NULL};
    /* MPICH 4.0 looks for a rank's part in the wrong place where the parts before it are no
     * multiples of 16 bytes. */
    const size_t whole = (bytes + CGM_ALIGNMENT - 1) / CGM_ALIGNMENT * CGM_ALIGNMENT;
    int64_t node_bytes = (int64_t)whole;
    MPI_Allreduce(MPI_IN_PLACE, &node_bytes, 1, MPI_INT64_T, MPI_SUM, comm->node);
    cgm_status room = check_room(comm, node_bytes);
    if (room != CGM_OK) {
        return room;
    }
    /* Memory that cannot be had is the user's to know, not a reason to abort. */
    MPI_Comm_set_errhandler(comm->world, MPI_ERRORS_RETURN);
    int code = MPI_Win_allocate((MPI_Aint)whole, 1, MPI_INFO_NULL, comm->world, &window->memory,
                                &window->window);
    MPI_Comm_set_errhandler(comm->world, MPI_ERRORS_ARE_FATAL);
    cgm_status status = CGM_OK;
    if (code != MPI_SUCCESS) {
        window->window = MPI_WIN_NULL;
        status = cgm_fail(comm, CGM_ERR_MEMORY,
                          "no %zu bytes of memory that other ranks can read; ask for more memory a "
                          "node or enlarge its /dev/shm%s",
                          bytes,
                          comm->node_size < comm->size ? ", or let the MPI library serve windows "
                                                         "between hosts (Open MPI: OMPI_MCA_osc)"
                                                       : "");
    }
    status = cgm_agree(comm, status);
    if (status != CGM_OK) {
        cgm_window_destroy(window);
        return status;
    }
    MPI_Win_lock_all(MPI_MODE_NOCHECK, window->window);
    window->open = true;
    if (bytes > 0) {
        memset(window->memory, 0, bytes);
    }
    return CGM_OK;
}

void cgm_window_open(cgm_comm *comm, cgm_window *window)
{
    synchronise(comm, comm->world, window->window);
}

void cgm_window_get(cgm_comm *comm, const cgm_window *window, int rank, size_t offset, size_t bytes,
                    void *data)
{
    if (rank == comm->rank) {
        memcpy(data, (const char *)window->memory + offset, bytes);
        return;
    }
    for (size_t done = 0; done < bytes;) {
        const size_t piece = bytes - done < PIECE_BYTES ? bytes - done : PIECE_BYTES;
        const int count = cgm_int((int64_t)piece);
        MPI_Get((char *)data + done, count, MPI_BYTE, rank, (MPI_Aint)(offset + done), count,
                MPI_BYTE, window->window);
        done += piece;
    }
    const int64_t since = nanoseconds();
    MPI_Win_flush(rank, window->window);
    count_waiting(comm, since);
    count_bytes(comm, 0, bytes);
}

int64_t cgm_window_add(cgm_comm *comm, const cgm_window *window, int rank, int64_t by)
{
    int64_t before;
    MPI_Fetch_and_op(&by, &before, MPI_INT64_T, rank, 0, MPI_SUM, window->window);
    const int64_t since = nanoseconds();
    MPI_Win_flush(rank, window->window);
    count_waiting(comm, since);
    if (rank != comm->rank) {
        count_bytes(comm, sizeof by, sizeof before);
    }
    return before;
}

void cgm_window_destroy(cgm_window *window)
{
    if (window->open) {
        MPI_Win_unlock_all(window->window);
        MPI_Win_free(&window->window);
    }
    *window = (cgm_window){.window = MPI_WIN_NULL};
}
