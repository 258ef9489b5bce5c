#include "cgm/stop.h"

#include <math.h>
#include <signal.h>
#include <string.h>

#include "cgm/timer.h"

/* Seconds between two looks at messages and signals. */
#define LOOK 0.02
/* Of the time that a run has, and at most in seconds, what is left for its stop. */
#define SLACK_PART 0.02
#define SLACK_MOST 60.0
/* Times as long as a checkpoint took so far the next one may take. */
#define SLACK_CHECKPOINTS 3.0

static volatile sig_atomic_t asked_to_stop;

static void note_signal(int number)
{
    (void)number;
    asked_to_stop = 1;
}

static void expect(int number)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = note_signal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

void cgm_stop_expect(void)
{
    expect(SIGUSR1);
}

void cgm_stop_watch(cgm_stop *stop, double started, double interval, double max_hours)
{
    expect(SIGTERM);
    const double seconds = 3600.0 * max_hours;
    *stop = (cgm_stop){.watching = true,
                       .interval = interval,
                       .last = cgm_timer_now(),
                       .deadline = started + seconds,
                       .slack = fmin(SLACK_PART * seconds, SLACK_MOST)};
}

static bool is_late(const cgm_stop *stop)
{
    return cgm_timer_now() >= stop->deadline - stop->slack;
}

bool cgm_stop_due(cgm_comm *comm, cgm_stop *stop)
{
    if (stop->due || !stop->watching) {
        return stop->due;
    }
    const double now = cgm_timer_now();
    if (now < stop->next_look) {
        return false;
    }
    stop->next_look = now + LOOK;
    if (asked_to_stop && !comm->has_notified) {
        cgm_comm_notify(comm);
    }
    stop->due = asked_to_stop || now - stop->last >= stop->interval || is_late(stop) ||
                cgm_comm_is_notified(comm);
    return stop->due;
}

bool cgm_stop_wanted(cgm_comm *comm, cgm_stop *stop)
{
    if (!stop->watching) {
        return false;
    }
    cgm_comm_settle_notices(comm);
    int64_t ranks = asked_to_stop || is_late(stop);
    cgm_comm_sum(comm, &ranks, 1);
    stop->last = cgm_timer_now();
    stop->due = false;
    return ranks > 0;
}

void cgm_stop_passed(cgm_stop *stop, double seconds)
{
    stop->slack = fmax(stop->slack, SLACK_CHECKPOINTS * seconds);
    stop->last = cgm_timer_now();
}
