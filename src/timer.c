#include "cgm/timer.h"

#include <math.h>
#include <sys/resource.h>
#include <time.h>

double cgm_timer_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int64_t peak_memory(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    /* Linux counts in KiB. */
    return (int64_t)usage.ru_maxrss * 1024;
}

void cgm_timer_start(cgm_timer *timer, const cgm_comm *comm, const char *name)
{
    timer->stages[timer->n_stages].name = name;
    timer->counters = comm->counters;
    timer->started = cgm_timer_now();
}

void cgm_timer_stop(cgm_timer *timer, const cgm_comm *comm)
{
    cgm_stage_time *stage = &timer->stages[timer->n_stages];
    const cgm_counters *before = &timer->counters;
    stage->seconds = cgm_timer_now() - timer->started;
    stage->work = (cgm_counters){
        .kernel_evaluations = comm->counters.kernel_evaluations - before->kernel_evaluations,
        .bytes_sent = comm->counters.bytes_sent - before->bytes_sent,
        .bytes_received = comm->counters.bytes_received - before->bytes_received,
        .waiting = comm->counters.waiting - before->waiting,
    };
    stage->peak_memory = peak_memory();
    /* The last place is used again rather than overrun: the stage table is fixed and shorter. */
    if (timer->n_stages < CGM_TIMER_STAGES - 1) {
        timer->n_stages++;
    }
}

static void collect_stage(cgm_comm *comm, cgm_stage_time *stage)
{
    /* Nanoseconds, because only integers are summed over ranks. */
    int64_t sums[5] = {(int64_t)llround(stage->seconds * 1e9), stage->work.kernel_evaluations,
                       stage->work.bytes_sent, stage->work.bytes_received, stage->work.waiting};
    cgm_comm_sum(comm, sums, 5);
    stage->mean = 1e-9 * (double)sums[0] / (double)comm->size;
    stage->total_work = (cgm_counters){sums[1], sums[2], sums[3], sums[4]};

    double largest[2] = {stage->seconds, (double)stage->peak_memory};
    cgm_comm_max(comm, largest, 2);
    stage->max = largest[0];
    stage->largest_peak_memory = (int64_t)largest[1];

    double slowest = stage->seconds == stage->max ? (double)comm->rank : (double)comm->size;
    double smallest[2] = {stage->seconds, slowest};
    cgm_comm_min(comm, smallest, 2);
    stage->min = smallest[0];
    stage->slowest_rank = (int64_t)smallest[1];
}

void cgm_timer_collect(cgm_comm *comm, cgm_timer *timer)
{
    for (int64_t k = 0; k < timer->n_stages; k++) {
        collect_stage(comm, &timer->stages[k]);
    }
}
