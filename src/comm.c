#include "cgm/comm.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgm/text.h"
#include "comm_counters.h"

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

cgm_status cgm_agree(cgm_comm *comm, cgm_status status)
{
    struct {
        int status;
        int rank;
    } vote = {(int)status, comm->rank};
    const int64_t since = comm_nanoseconds();
    MPI_Allreduce(MPI_IN_PLACE, &vote, 1, MPI_2INT, MPI_MAXLOC, comm->world);
    comm_count_waiting(comm, since);
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

void cgm_comm_broadcast(cgm_comm *comm, void *data, size_t bytes, int root)
{
    char *next = data;
    for (size_t left = bytes; left > 0;) {
        size_t piece = left < COMM_PIECE_BYTES ? left : COMM_PIECE_BYTES;
        const int64_t since = comm_nanoseconds();
        MPI_Bcast(next, cgm_int((int64_t)piece), MPI_BYTE, root, comm->world);
        comm_count_waiting(comm, since);
        next += piece;
        left -= piece;
    }
    bool alone = comm->size == 1;
    comm_count_bytes(comm, !alone && comm->rank == root ? bytes : 0,
                     comm->rank == root ? 0 : bytes);
}

/* Reductions go in pieces, for the int count and to bound MPI's temporary buffers. */
static void reduce_in_place(cgm_comm *comm, void *values, int64_t count, size_t size,
                            MPI_Datatype type, MPI_Op op)
{
    const int64_t piece_count = (int64_t)(COMM_PIECE_BYTES / 64 / size);
    char *next = values;
    for (int64_t left = count; left > 0;) {
        int64_t piece = left < piece_count ? left : piece_count;
        const int64_t since = comm_nanoseconds();
        MPI_Allreduce(MPI_IN_PLACE, next, cgm_int(piece), type, op, comm->world);
        comm_count_waiting(comm, since);
        next += (size_t)piece * size;
        left -= piece;
    }
    if (comm->size > 1) {
        comm_count_bytes(comm, (size_t)count * size, (size_t)count * size);
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
    const int64_t since = comm_nanoseconds();
    MPI_Gather(mine, count, MPI_BYTE, all, count, MPI_BYTE, root, comm->world);
    comm_count_waiting(comm, since);
    if (comm->rank == root) {
        comm_count_bytes(comm, 0, bytes * (size_t)(comm->size - 1));
    } else {
        comm_count_bytes(comm, bytes, 0);
    }
}

void cgm_comm_exchange(cgm_comm *comm, const void *send, size_t send_bytes, int to, void *receive,
                       size_t receive_bytes, int from)
{
    size_t sent = 0;
    size_t received = 0;
    do {
        size_t out = send_bytes - sent < COMM_PIECE_BYTES ? send_bytes - sent : COMM_PIECE_BYTES;
        size_t in = receive_bytes - received < COMM_PIECE_BYTES ? receive_bytes - received
                                                                : COMM_PIECE_BYTES;
        const int64_t since = comm_nanoseconds();
        MPI_Sendrecv((const char *)send + sent, cgm_int((int64_t)out), MPI_BYTE,
                     out > 0 ? to : MPI_PROC_NULL, 0, (char *)receive + received,
                     cgm_int((int64_t)in), MPI_BYTE, in > 0 ? from : MPI_PROC_NULL, 0, comm->world,
                     MPI_STATUS_IGNORE);
        comm_count_waiting(comm, since);
        sent += out;
        received += in;
    } while (sent < send_bytes || received < receive_bytes);
    if (to != comm->rank) {
        comm_count_bytes(comm, send_bytes, 0);
    }
    if (from != comm->rank) {
        comm_count_bytes(comm, 0, receive_bytes);
    }
}

/* One message a piece, sent or received. */
static void start_pieces(cgm_comm *comm, cgm_exchange *exchange, void *data, size_t bytes, int peer,
                         bool sends)
{
    char *next = data;
    for (size_t left = bytes; left > 0;) {
        const size_t piece = left < COMM_PIECE_BYTES ? left : COMM_PIECE_BYTES;
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
        comm_count_bytes(comm, send_bytes, 0);
    }
    if (from != comm->rank) {
        comm_count_bytes(comm, 0, receive_bytes);
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
    const int64_t since = comm_nanoseconds();
    MPI_Status *volatile none = MPI_STATUSES_IGNORE; /* as above */
    MPI_Waitall(exchange->n_requests, exchange->requests, none);
    comm_count_waiting(comm, since);
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
    const int64_t since = comm_nanoseconds();
    MPI_Barrier(comm->world);
    comm_count_waiting(comm, since);
}
