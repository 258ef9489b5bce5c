// What becomes of a process in which HDF5 crashes or goes round for ever. This program has HDF5
// functions of its own that do so, in place of the library's.
// ranks: 1
// without: asan valgrind
#define _GNU_SOURCE /* syscall */
#include "harness.h"

#include <hdf5.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgm/h5.h"

typedef enum misdeed { SEGMENTATION, BUS, DIVISION, ABORT, OVERFLOW, LOOP } misdeed;

/* In the child alone. */
static misdeed deed;

static int overflow(const volatile char *caller)
{
    volatile char room[4096];
    room[0] = *caller;
    return room[0] == 1 ? 0 : room[0] + overflow(room) + room[1];
}

/* In place of HDF5's, which cgm_h5_list calls for attributes. */
herr_t H5Aiterate2(hid_t object, H5_index_t index, H5_iter_order_t order, hsize_t *next,
                   H5A_operator2_t operate, void *data)
{
    (void)object, (void)index, (void)order, (void)next, (void)operate, (void)data;
    switch (deed) {
    case SEGMENTATION:
        return raise(SIGSEGV);
    case BUS:
        return raise(SIGBUS);
    case DIVISION:
        return raise(SIGFPE);
    case ABORT:
        abort();
    case OVERFLOW:
        return overflow("");
    case LOOP:
        for (volatile int k = 0;;) {
            k = !k;
        }
    }
    return 0;
}

/* In place of the C library's: time passes faster here. */
int setitimer(__itimer_which_t which, const struct itimerval *asked, struct itimerval *before)
{
    struct itimerval given = *asked;
    given.it_value.tv_usec = given.it_value.tv_sec * 1000;
    given.it_value.tv_sec = 0;
    return (int)syscall(SYS_setitimer, which, &given, before);
}

static void write_file(cgm_comm *comm, const char *path)
{
    cgm_h5_file file;
    remove(path);
    assert_all_ranks(comm, cgm_h5_create(comm, path, false, &file) == CGM_OK);
    assert_all_ranks(comm, cgm_h5_finish(&file) == CGM_OK);
}

/* What the child prints, and how it ends. */
static int read_in_child(cgm_comm *comm, const char *path, misdeed what, char *text, size_t room)
{
    int ends[2];
    assert_all_ranks(comm, pipe(ends) == 0);
    pid_t child = fork();
    if (child == 0) {
        cgm_h5_file file;
        cgm_h5_texts names;
        deed = what;
        dup2(ends[1], STDERR_FILENO);
        alarm(30);
        cgm_h5_open(comm, path, &file);
        cgm_h5_list(&file, "/", true, &names);
        _exit(EXIT_SUCCESS);
    }
    close(ends[1]);
    size_t used = 0;
    for (ssize_t got = 1; got > 0 && used<room - 1; used += got> 0 ? (size_t)got : 0) {
        got = read(ends[0], text + used, room - 1 - used);
    }
    text[used] = '\0';
    close(ends[0]);
    int state = 0;
    waitpid(child, &state, 0);
    return WIFEXITED(state) ? WEXITSTATUS(state) : -WTERMSIG(state);
}

static void test_one_line(void **state)
{
    cgm_comm *comm = *state;
    static const misdeed deeds[] = {SEGMENTATION, BUS, DIVISION, ABORT, OVERFLOW, LOOP};
    char path[128];
    char text[4096];
    char expected[1024];
    /* The name has what would clear a terminal. */
    snprintf(path, sizeof path, "/tmp/cgm-test-guard-\x1b[2J\xc2\x9b-%lld.h5", (long long)getpid());
    write_file(comm, path);
    for (size_t k = 0; k < sizeof deeds / sizeof deeds[0]; k++) {
        int code = read_in_child(comm, path, deeds[k], text, sizeof text);
        snprintf(expected, sizeof expected,
                 "cgm: error: file '/tmp/cgm-test-guard-?[2J\?\?-%lld.h5': HDF5 %s while reading "
                 "this file; it is damaged, restore it from a copy (rank 0 on %s)\n",
                 (long long)getpid(), deeds[k] == LOOP ? "does not come to an end" : "crashed",
                 comm->host);
        assert_int_equal(code, CGM_ERR_INPUT);
        assert_string_equal(text, expected);
    }
    remove(path);
}

/* Elsewhere a crash is what it was before. */
static void test_handlers_are_restored(void **state)
{
    cgm_comm *comm = *state;
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGVTALRM};
    char path[64];
    cgm_h5_file file;
    cgm_h5_info info;
    struct sigaction before[6];
    struct itimerval timer;
    snprintf(path, sizeof path, "/tmp/cgm-test-guard-%lld.h5", (long long)getpid());
    write_file(comm, path);
    for (int k = 0; k < 6; k++) {
        sigaction(signals[k], NULL, &before[k]);
    }
    assert_all_ranks(comm, cgm_h5_open(comm, path, &file) == CGM_OK);
    assert_all_ranks(comm, cgm_h5_describe(&file, "/none", NULL, &info) == CGM_ERR_INPUT);
    for (int k = 0; k < 6; k++) {
        struct sigaction now;
        sigaction(signals[k], NULL, &now);
        assert_all_ranks(comm, now.sa_handler == before[k].sa_handler);
    }
    getitimer(ITIMER_VIRTUAL, &timer);
    assert_all_ranks(comm, timer.it_value.tv_sec == 0 && timer.it_value.tv_usec == 0);
    cgm_h5_close(&file);
    comm->error = (cgm_error){.status = CGM_OK};
    remove(path);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_line),
        cmocka_unit_test(test_handlers_are_restored),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
