#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "cgm/comm.h"
#include "comm_counters.h"

/* What ranks wrote into a window before is there for all of them after. */
static void synchronise(cgm_comm *comm, MPI_Comm ranks, MPI_Win window)
{
    MPI_Win_sync(window);
    const int64_t since = comm_nanoseconds();
    MPI_Barrier(ranks);
    comm_count_waiting(comm, since);
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

bool cgm_can_map(size_t bytes)
{
    void *probe = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return probe != MAP_FAILED && munmap(probe, bytes) == 0;
}

/* Whether every rank may map a window of which its node holds so many bytes. Of Open MPI's ranks
 * one that may not gives up inside MPI_Win_allocate, and leaves the others waiting there. */
static cgm_status check_room(cgm_comm *comm, int64_t node_bytes)
{
    const size_t own_records = (size_t)1 << 22; /* what the library maps with it */
    long long most = 0;
    if (!is_file_allowed(comm, (size_t)node_bytes, &most)) {
        cgm_fail(comm, CGM_ERR_MEMORY,
                 "no memory for %lld bytes that the ranks of a node share, as files may have at "
                 "most %lld bytes; raise that limit (ulimit -f)",
                 (long long)node_bytes, most);
        return cgm_agree(comm, CGM_ERR_MEMORY);
    }
    if (!cgm_can_map((size_t)node_bytes + own_records)) {
        cgm_fail(comm, CGM_ERR_MEMORY,
                 "no memory for %lld bytes that the ranks of a node share; ask for more memory a "
                 "rank",
                 (long long)node_bytes);
        return cgm_agree(comm, CGM_ERR_MEMORY);
    }
    return cgm_agree(comm, CGM_OK);
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
        const size_t piece = bytes - done < COMM_PIECE_BYTES ? bytes - done : COMM_PIECE_BYTES;
        const int count = cgm_int((int64_t)piece);
        MPI_Get((char *)data + done, count, MPI_BYTE, rank, (MPI_Aint)(offset + done), count,
                MPI_BYTE, window->window);
        done += piece;
    }
    const int64_t since = comm_nanoseconds();
    MPI_Win_flush(rank, window->window);
    comm_count_waiting(comm, since);
    comm_count_bytes(comm, 0, bytes);
}

int64_t cgm_window_add(cgm_comm *comm, const cgm_window *window, int rank, int64_t by)
{
    int64_t before;
    MPI_Fetch_and_op(&by, &before, MPI_INT64_T, rank, 0, MPI_SUM, window->window);
    const int64_t since = comm_nanoseconds();
    MPI_Win_flush(rank, window->window);
    comm_count_waiting(comm, since);
    if (rank != comm->rank) {
        comm_count_bytes(comm, sizeof by, sizeof before);
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
