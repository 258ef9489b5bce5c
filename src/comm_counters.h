/**
 * @file comm_counters.h
 * What communication counts of itself: time that is waited, and bytes; and how large a message may
 * be. Internal to comm.c and comm_window.c; all functions are Local.
 */
#ifndef CGM_COMM_COUNTERS_H
#define CGM_COMM_COUNTERS_H

#include <time.h>

#include "cgm/comm.h"

/** A message of MPI is counted by int: larger ones go in pieces of this size. */
#define COMM_PIECE_BYTES ((size_t)1 << 30)

static inline int64_t comm_nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline void comm_count_waiting(cgm_comm *comm, int64_t since)
{
    comm->counters.waiting += comm_nanoseconds() - since;
}

static inline void comm_count_bytes(cgm_comm *comm, size_t sent, size_t received)
{
    comm->counters.bytes_sent += (int64_t)sent;
    comm->counters.bytes_received += (int64_t)received;
}

#endif
