#include "cgm/log.h"

#include <stdio.h>

#include "cgm/timer.h"

cgm_progress cgm_progress_start(const cgm_comm *comm, const char *label)
{
    double now = cgm_timer_now();
    return (cgm_progress){label, comm->progress_interval, now, now};
}

void cgm_progress_report(const cgm_comm *comm, cgm_progress *progress, double done, double total)
{
    if (comm->rank != 0 || progress->interval <= 0.0) {
        return;
    }
    double now = cgm_timer_now();
    if (now - progress->last < progress->interval) {
        return;
    }
    progress->last = now;
    double percent = total > 0.0 ? 100.0 * done / total : 100.0;
    printf("%s: %.0f %% of this rank's share, %.0f s\n", progress->label, percent,
           now - progress->started);
    fflush(stdout);
}
