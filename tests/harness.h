/**
 * @file harness.h
 * cmocka under mpirun. A failing cmocka assert leaves by longjmp: on one rank alone it leaves the
 * others waiting in their next collective. So ranks vote first and fail together.
 *
 * A test finds the ranks in its state: `cgm_comm *comm = *state;`. Asserts of cmocka itself are
 * safe where every rank computes the same from the same. Allocate with malloc, not with
 * test_malloc: what a failing test leaves allocated there ends the whole program.
 *
 * Comment lines of a test's source tell the runner how to run it:
 *     // ranks: 1 3                instead of its default list
 *     // timeout: 120              seconds a run, default 60
 *     // without: asan valgrind   checkers under which it is not run
 */
#ifndef CGM_TESTS_HARNESS_H
#define CGM_TESTS_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cgm/comm.h"

/**
 * The whole main of a test program.  Collective.
 * Initialises MPI, the ranks and BLAS, runs the tests with the ranks as their state, and prints on
 * rank 0 the line `tests: N passed, N failed, N skipped`, where a test failed if it did so on any
 * rank. Rank 0 speaks; another rank's cmocka output appears only if a test failed there.
 * @return the exit code, the same on every rank
 */
int harness_main(int argc, char **argv, const struct CMUnitTest *tests, size_t count);

/** Collective. Fails on every rank unless condition holds on every rank; the message names the
 * first rank where it does not. */
#define assert_all_ranks(comm, condition)                                                          \
    harness_assert((comm), (condition), #condition, __FILE__, __LINE__)

/**
 * Collective. Every actual[k] is within relative·|expected[k]| or absolute of expected[k], on every
 * rank; NaN is close to NaN only. The message names the worst index.
 */
#define assert_close_array(comm, actual, expected, count, relative, absolute)                      \
    harness_assert_close((comm), (actual), (expected), (count), (relative), (absolute), #actual,   \
                         __FILE__, __LINE__)

/** Collective. As assert_close_array for one number. */
#define assert_close(comm, actual, expected, relative, absolute)                                   \
    harness_assert_close_number((comm), (actual), (expected), (relative), (absolute), #actual,     \
                                __FILE__, __LINE__)

/** Collective. The bytes are the same on every rank as on rank 0. */
#define assert_same_on_all_ranks(comm, data, bytes)                                                \
    harness_assert_same((comm), (data), (bytes), #data, __FILE__, __LINE__)

/**
 * Full path of a file of the shared test data: below the directory CGM_SHARED, by default
 * ../shared.  Collective. Where the file is missing the test is skipped on all ranks together, or
 * fails with CGM_REQUIRE_SHARED=1.
 * @param[in] name  such as golden/tiny5.h5
 */
void harness_shared(char *path, size_t size, const char *name);

/** Collective. Skip the running test on all ranks, saying why: with CGM_REQUIRE_SHARED=1 the runner
 * counts it as failed. */
void harness_skip(const char *why);

/* What the macros above expand to. */
void harness_assert(cgm_comm *comm, bool holds, const char *what, const char *file, int line);
void harness_assert_close(cgm_comm *comm, const double *actual, const double *expected,
                          int64_t count, double relative, double absolute, const char *what,
                          const char *file, int line);
void harness_assert_close_number(cgm_comm *comm, double actual, double expected, double relative,
                                 double absolute, const char *what, const char *file, int line);
void harness_assert_same(cgm_comm *comm, const void *data, size_t bytes, const char *what,
                         const char *file, int line);

#endif
