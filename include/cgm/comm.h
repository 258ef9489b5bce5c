/**
 * @file comm.h
 * The ranks of a run: who they are, how they agree on a failure, and the few ways in which they
 * exchange data.
 *
 * All MPI of the program goes through here (h5.c hands the communicator to HDF5), so that the bytes
 * moved are counted in one place. An error that MPI itself reports aborts the job:
 * MPI_ERRORS_ARE_FATAL stays in force.
 */
#ifndef CGM_COMM_H
#define CGM_COMM_H

#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cgm/status.h"

/** Work and traffic of this rank since the start; timer.c takes differences a stage. */
typedef struct cgm_counters {
    int64_t kernel_evaluations;
    int64_t bytes_sent;
    int64_t bytes_received;
    int64_t waiting; /**< nanoseconds inside calls that other ranks must answer */
} cgm_counters;

/** The ranks of a run as this rank sees them. Passed to every function that can fail or that
 * communicates. */
typedef struct cgm_comm {
    MPI_Comm world; /**< all ranks of the run */
    MPI_Comm node;  /**< the ranks that share memory with this one */
    int rank;
    int size;
    int node_rank;
    int node_size;
    char host[256];
    cgm_error error;          /**< first cause recorded here, or the one agreed on */
    cgm_counters counters;    /**< of this rank */
    bool has_notified;        /**< since notices were settled */
    int64_t unserved_work;    /**< evaluations since MPI was last let in */
    double progress_interval; /**< seconds between lines of log.h; 0 = none */
    int threads;              /**< of this rank, >= 1 */
} cgm_comm;

/** Most messages of an exchange, of 1 GiB each. */
enum { CGM_EXCHANGE_PIECES = 256 };

/** An exchange of buffers that is under way; zeroed: none. */
typedef struct cgm_exchange {
    MPI_Request requests[CGM_EXCHANGE_PIECES]; /**< sent and received */
    int n_requests;
} cgm_exchange;

/** Memory that the ranks of a node share: one copy a node, readable and writable by all of them. */
typedef struct cgm_shared {
    void *data;
    size_t bytes;
    MPI_Win window;
} cgm_shared;

/** Memory of every rank that all others can read, and add to, without its taking part (MPI's
 * one-sided communication). */
typedef struct cgm_window {
    void *memory; /**< this rank's */
    bool open;
    MPI_Win window;
} cgm_window;

/** Collective over world. Fills comm; the pair is cgm_comm_destroy. MPI must be initialised. */
void cgm_comm_create(MPI_Comm world, cgm_comm *comm);

/** Collective. Frees what cgm_comm_create made. */
void cgm_comm_destroy(cgm_comm *comm);

/**
 * The ranks of one colour as ranks of their own, in the same order.  Collective.
 * @param[in]  colour  >= 0; ranks of one colour must follow each other
 * @param[out] part    the pair is cgm_comm_join
 */
void cgm_comm_split(cgm_comm *comm, int colour, cgm_comm *part);

/** Local. Traffic, work and the cause of a failure in part become comm's, until which comm cannot
 * vote on it. */
void cgm_comm_absorb(cgm_comm *comm, cgm_comm *part);

/** Collective over part. Absorbs it and frees what cgm_comm_split made. */
void cgm_comm_join(cgm_comm *comm, cgm_comm *part);

/** Local. Count kernel evaluations; now and then lets MPI serve other ranks' cgm_window_get and
 * _add, which wait for a rank that works for long without communicating. */
void cgm_comm_count_work(cgm_comm *comm, int64_t evaluations);

/**
 * Record the cause of a failure.  Local.
 * The first cause stays: a later one is usually its consequence.  Control characters in the text
 * become '?', so that names read from files cannot move the terminal's cursor.
 * @return status, so that `return cgm_fail(comm, CGM_ERR_INPUT, ...)` reads as it acts
 */
cgm_status cgm_fail(cgm_comm *comm, cgm_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/**
 * Vote on a status.  Collective.
 * Must stand before every collective whose precondition can fail on one rank alone.  The largest
 * status wins, of several ranks the lowest; the winner's message is broadcast.
 * @return the same status on every rank
 */
cgm_status cgm_agree(cgm_comm *comm, cgm_status status);

/** Bytes of a cache line, and of the widest vectors: where the kernel's arrays should begin. */
enum { CGM_ALIGNMENT = 64 };

/** Local. Zeroed memory for count × size bytes; NULL and CGM_ERR_MEMORY recorded if refused. Never
 * NULL for count = 0. */
void *cgm_alloc(cgm_comm *comm, int64_t count, size_t size);

/** Local. As cgm_alloc, doubles that begin at a multiple of CGM_ALIGNMENT bytes. */
double *cgm_alloc_aligned(cgm_comm *comm, int64_t count);

/** Local. A count as MPI or LAPACK wants it; a count that does not fit in an int is a bug and
 * aborts. */
int cgm_int(int64_t count);

/** Collective. Broadcast bytes of any size from root. */
void cgm_comm_broadcast(cgm_comm *comm, void *data, size_t bytes, int root);

/** Collective. Element-wise sum over ranks in place, exact by being integer; overflow is the
 * caller's to exclude. */
void cgm_comm_sum(cgm_comm *comm, int64_t *values, int64_t count);

/** Collective. Element-wise sum modulo 2^64 over ranks in place. */
void cgm_comm_sum_unsigned(cgm_comm *comm, uint64_t *values, int64_t count);

/** Collective. Element-wise union of bits over ranks in place. */
void cgm_comm_or(cgm_comm *comm, uint64_t *words, int64_t count);

/** Collective. Element-wise minimum or maximum over ranks in place; independent of order. */
void cgm_comm_min(cgm_comm *comm, double *values, int64_t count);
void cgm_comm_max(cgm_comm *comm, double *values, int64_t count);

/**
 * Every rank contributes a segment and receives all of them.  Collective.
 * @param[in,out] data    the whole array; this rank's segment is filled in before the call
 * @param[in]     offset  [size + 1] first element of each rank's segment; offset[size] is the
 * length
 * @param[in]     element bytes of an element
 */
void cgm_comm_all_gather(cgm_comm *comm, void *data, const int64_t *offset, size_t element);

/** Collective. Every rank contributes bytes bytes; root receives them in rank order (all of size ×
 * bytes), others pass NULL. */
void cgm_comm_gather(cgm_comm *comm, const void *mine, void *all, size_t bytes, int root);

/**
 * Send one buffer to a rank and receive another from a rank (sizes may differ, either may be 0).
 * Collective over the ranks named: every send needs its receive.  Buffers must not overlap.
 */
void cgm_comm_exchange(cgm_comm *comm, const void *send, size_t send_bytes, int to, void *receive,
                       size_t receive_bytes, int from);

/**
 * As cgm_comm_exchange, but returns at once; both buffers stay as they are until the end.
 * Collective over the ranks named.  exchange must not be under way.
 */
void cgm_exchange_start(cgm_comm *comm, cgm_exchange *exchange, const void *send, size_t send_bytes,
                        int to, void *receive, size_t receive_bytes, int from);

/** Local. Lets the library move what is under way; to be called now and then. */
void cgm_exchange_poll(cgm_exchange *exchange);

/** Local. Waits until both buffers are free and filled. Accepts a zeroed struct. */
void cgm_exchange_finish(cgm_comm *comm, cgm_exchange *exchange);

/**
 * Let all other ranks know that something has come up, without their waiting for it.  Local; once
 * between two calls of cgm_comm_settle_notices.
 */
void cgm_comm_notify(cgm_comm *comm);

/** Local. Has another rank called cgm_comm_notify? Costs a fraction of a microsecond. */
bool cgm_comm_is_notified(cgm_comm *comm);

/** Collective. Takes in all notices. @return whether there was any, the same on every rank */
bool cgm_comm_settle_notices(cgm_comm *comm);

/** Collective. Waits for all ranks. */
void cgm_comm_barrier(cgm_comm *comm);

/** Local. Whether so many bytes more may be mapped. */
bool cgm_can_map(size_t bytes);

/**
 * Allocate memory shared by the ranks of a node, from a multiple of CGM_ALIGNMENT bytes on.
 * Collective.
 * Contents are undefined until written; call cgm_shared_sync between writing and reading by another
 * rank.
 * @return the same code on every rank: CGM_OK or CGM_ERR_MEMORY
 */
cgm_status cgm_shared_create(cgm_comm *comm, size_t bytes, cgm_shared *shared);

/** Collective over the node. Everything written by ranks of the node before is seen by all of them
 * after. */
void cgm_shared_sync(cgm_comm *comm, cgm_shared *shared);

/**
 * Every rank contributes a segment, every node receives all of them in memory its ranks share.
 * Collective.
 * @param[in]  mine    this rank's segment, private memory
 * @param[out] shared  the whole array
 * @param[in]  offset  [size + 1] first element of each rank's segment
 * @param[in]  element bytes of an element
 * @return the same code on every rank: CGM_OK or CGM_ERR_MEMORY
 */
cgm_status cgm_shared_all_gather(cgm_comm *comm, cgm_shared *shared, const void *mine,
                                 const int64_t *offset, size_t element);

/** Collective over the node. Accepts a zeroed struct, which stands for NULL. */
void cgm_shared_destroy(cgm_shared *shared);

/**
 * Allocate zeroed memory that other ranks will reach.  Collective.
 * Memory that exists already cannot be made a window: Open MPI 4.1 has no component for that where
 * shared memory is without single copy (MPI_ERR_WIN).
 * @param[in] bytes  of this rank's part; may differ from rank to rank
 * @return the same code on every rank: CGM_OK or CGM_ERR_MEMORY
 */
cgm_status cgm_window_create(cgm_comm *comm, size_t bytes, cgm_window *window);

/** Collective. What every rank wrote into its own part before is what others read after. */
void cgm_window_open(cgm_comm *comm, cgm_window *window);

/** Local. Copy bytes from a rank's part; the target must not write there any more. */
void cgm_window_get(cgm_comm *comm, const cgm_window *window, int rank, size_t offset, size_t bytes,
                    void *data);

/** Local. Add to the integer at the start of a rank's part, in one step that no other can come
 * between. @return its value before */
int64_t cgm_window_add(cgm_comm *comm, const cgm_window *window, int rank, int64_t by);

/** Collective. Waits for all ranks. Accepts a zeroed struct. */
void cgm_window_destroy(cgm_window *window);

#endif
