/* libhdf5 trusts what it reads: a damaged file can make it crash, overflow its stack or go round
 * for ever. Reading in a child process would contain that, but a process that has initialised MPI
 * must not fork on every network, and all data would be copied once more. So around HDF5's calls
 * alone signals that would end the process without a word end it with the one line that an error
 * is, and with its exit code; mpirun ends the other ranks. What such a call did to memory before it
 * crashed is no concern then. Everywhere else the handlers stay as they were: a crash there is a
 * bug of ours. */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "cgm/text.h"
#include "h5_common.h"

/* Seconds of computing that reading the description of a dataset may take, and slowest rate at
 * which its data are decompressed and converted: both are far from what sound files need. */
enum { SECONDS_MAX = 60, BYTES_A_SECOND = 1 << 20 };
enum { LINE_BYTES = 4096, STACK_BYTES = 1 << 16 };

static const int signals[CGM_H5_SIGNALS] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGVTALRM};

/* A handler is told the signal and nothing else, so what it says and stands on has to be at hand.
 * Written by the one thread that calls HDF5. */
static struct {
    char beginning[LINE_BYTES]; /* of the line, up to what happened */
    char end[LINE_BYTES];
    int rank;
} says;
static _Alignas(64) char handler_stack[STACK_BYTES]; /* the stack itself may have overflowed */

static void put(const char *text)
{
    ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
    (void)ignored;
}

static void end_process(int signal)
{
    /* Ranks that read the same file crash together: the lowest has its say, and mpirun ends the
     * others while they wait. */
    const int tenths = says.rank < 20 ? 5 * says.rank : 100;
    nanosleep(&(struct timespec){tenths / 10, tenths % 10 * 100000000L}, NULL);
    put(says.beginning);
    put(signal == SIGVTALRM ? "does not come to an end" : "crashed");
    put(says.end);
    _exit(CGM_ERR_INPUT);
}

/* As one line that cannot move the terminal's cursor. */
static void make_printable(char *text)
{
    while (*text != '\0') {
        const size_t bytes = cgm_text_printable(text);
        if (bytes == 0) {
            *text = '?';
        }
        text += bytes > 0 ? bytes : 1;
    }
}

void cgm_h5_guard_enter(const cgm_h5_file *file, int64_t bytes, cgm_h5_guard *guard)
{
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    /* There a crash is to be seen with its stack. */
    (void)file, (void)bytes, (void)guard, (void)end_process, (void)make_printable;
    (void)signals, (void)handler_stack;
#else
    says.rank = file->comm->rank;
    snprintf(says.beginning, sizeof says.beginning, "cgm: error: file '%s': HDF5 ", file->path);
    make_printable(says.beginning);
    snprintf(says.end, sizeof says.end,
             " while reading this file; it is damaged, restore it from a copy (rank %d on %s)\n",
             file->comm->rank, file->comm->host);
    const stack_t stack = {.ss_sp = handler_stack, .ss_size = sizeof handler_stack};
    sigaltstack(&stack, &guard->stack);
    struct sigaction action = {.sa_handler = end_process, .sa_flags = SA_ONSTACK};
    sigfillset(&action.sa_mask);
    for (int k = 0; k < CGM_H5_SIGNALS; k++) {
        sigaction(signals[k], &action, &guard->actions[k]);
    }
    const time_t seconds = SECONDS_MAX + bytes / BYTES_A_SECOND;
    setitimer(ITIMER_VIRTUAL, &(struct itimerval){.it_value = {.tv_sec = seconds}}, &guard->timer);
#endif
}

void cgm_h5_guard_leave(const cgm_h5_guard *guard)
{
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    (void)guard;
#else
    setitimer(ITIMER_VIRTUAL, &guard->timer, NULL);
    for (int k = 0; k < CGM_H5_SIGNALS; k++) {
        sigaction(signals[k], &guard->actions[k], NULL);
    }
    sigaltstack(&guard->stack, NULL);
#endif
}
