/**
 * @file log.h
 * Lines about work that takes long, from rank 0, every so many seconds (run.progress).
 */
#ifndef CGM_LOG_H
#define CGM_LOG_H

#include "cgm/comm.h"

/** State of the progress lines of one stage on this rank. */
typedef struct cgm_progress {
    const char *label;
    double interval; /**< seconds; 0 = no lines */
    double started;
    double last;
} cgm_progress;

/** Local. A stage begins. */
cgm_progress cgm_progress_start(const cgm_comm *comm, const char *label);

/** Local. done of total units of this rank's share are finished; prints on rank 0 when the interval
 * has passed. */
void cgm_progress_report(const cgm_comm *comm, cgm_progress *progress, double done, double total);

#endif
