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
    double progress_interval; /**< seconds between lines of log.h; 0 = none */
} cgm_comm;

/** Memory that the ranks of a node share: one copy a node, readable and writable by all of them. */
typedef struct cgm_shared {
    void *data;
    size_t bytes;
    MPI_Win window;
} cgm_shared;

/** Collective over world. Fills comm; the pair is cgm_comm_destroy. MPI must be initialised. */
void cgm_comm_create(MPI_Comm world, cgm_comm *comm);

/** Collective. Frees what cgm_comm_create made. */
void cgm_comm_destroy(cgm_comm *comm);

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

/** Local. Zeroed memory for count × size bytes; NULL and CGM_ERR_MEMORY recorded if refused. Never
 * NULL for count = 0. */
void *cgm_alloc(cgm_comm *comm, int64_t count, size_t size);

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

/** Collective. Waits for all ranks. */
void cgm_comm_barrier(cgm_comm *comm);

/**
 * Allocate memory shared by the ranks of a node.  Collective.
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

#endif
