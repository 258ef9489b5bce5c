/**
 * @file timer.h
 * Wall time, work and traffic by stage, and their spread over the ranks.
 */
#ifndef CGM_TIMER_H
#define CGM_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "cgm/comm.h"

enum { CGM_TIMER_STAGES = 32 };

/** One stage on this rank and, after cgm_timer_collect, over all ranks. Times in seconds. */
typedef struct cgm_stage_time {
    const char *name;
    double seconds;        /**< this rank */
    cgm_counters work;     /**< this rank */
    int64_t peak_memory;   /**< this rank, bytes: the process's largest resident size until the
                              stage's end */
    double min, mean, max; /**< over ranks */
    int64_t slowest_rank;
    cgm_counters total_work;     /**< over ranks */
    int64_t largest_peak_memory; /**< over ranks */
} cgm_stage_time;

typedef struct cgm_timer {
    int64_t n_stages;
    cgm_stage_time stages[CGM_TIMER_STAGES];
    double started;        /**< of the running stage */
    cgm_counters counters; /**< at its start */
} cgm_timer;

/** Local. Seconds on a clock that only runs forward. */
double cgm_timer_now(void);

/** Local. */
void cgm_timer_start(cgm_timer *timer, const cgm_comm *comm, const char *name);
void cgm_timer_stop(cgm_timer *timer, const cgm_comm *comm);

/** Collective. Fills min, mean, max, slowest_rank and the totals of the stages that ended so far.
 */
void cgm_timer_collect(cgm_comm *comm, cgm_timer *timer);

#endif
