/**
 * @file stop.h
 * When a run should come to a safe point: to keep what it has done every so often, and to end
 * there, because a signal asks for it or its time is nearly up.
 *
 * SIGUSR1 asks for a stop (a batch system sends it before the time limit, mpirun passes it on to
 * all ranks); so does SIGTERM, as far as the launcher gives time. A signal that reaches one rank
 * alone is told to the others by a message each, which they look for where they stand.
 */
#ifndef CGM_STOP_H
#define CGM_STOP_H

#include <stdbool.h>

#include "cgm/comm.h"

/** Zeroed: nothing is ever due. */
typedef struct cgm_stop {
    bool watching;
    double interval;  /**< seconds between safe points that are wanted */
    double last;      /**< when the last one was; seconds, cgm_timer_now */
    double deadline;  /**< when the run has to have ended; INFINITY: never */
    double slack;     /**< that a stop is asked for before the deadline */
    double next_look; /**< when due looks again */
    bool due;
} cgm_stop;

/** Local. Note SIGUSR1 from now on: before MPI is there, so that it cannot end the process. */
void cgm_stop_expect(void);

/** Local. Watch clock and signals from now on. started: of the run, cgm_timer_now. */
void cgm_stop_watch(cgm_stop *stop, double started, double interval, double max_hours);

/** Local. Should this rank come to a safe point? Cheap enough to be asked between two tiles. */
bool cgm_stop_due(cgm_comm *comm, cgm_stop *stop);

/**
 * At a safe point: shall the run end here?  Collective.  The next safe point is an interval away.
 * @return the same on every rank
 */
bool cgm_stop_wanted(cgm_comm *comm, cgm_stop *stop);

/** Local. A safe point has passed: keeping took so many seconds, which the next one before the
 * deadline must leave time for. */
void cgm_stop_passed(cgm_stop *stop, double seconds);

#endif
