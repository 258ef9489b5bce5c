#include "harness.h"

#include <limits.h>
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgm/dense.h"

enum { MESSAGE_MAX = 1024 };

/* cmocka tells nobody which tests were skipped, and a test function has no way to return it. */
static int64_t n_skipped;

/* All ranks fail with the message of the lowest rank that has one, or none does. */
static void fail_together(MPI_Comm world, const char *message, const char *file, int line)
{
    int rank;
    int size;
    MPI_Comm_rank(world, &rank);
    MPI_Comm_size(world, &size);
    int first = message != NULL ? rank : INT_MAX;
    MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, world);
    if (first == INT_MAX) {
        return;
    }
    char text[MESSAGE_MAX] = "";
    if (rank == first) {
        snprintf(text, sizeof text, "%s", message);
    }
    MPI_Bcast(text, sizeof text, MPI_CHAR, first, world);
    if (rank == 0) {
        print_error("rank %d of %d: %s\n", first, size, text);
    }
    _fail(file, line);
}

void harness_assert(cgm_comm *comm, bool holds, const char *what, const char *file, int line)
{
    fail_together(comm->world, holds ? NULL : what, file, line);
}

void harness_assert_close(cgm_comm *comm, const double *actual, const double *expected,
                          int64_t count, double relative, double absolute, const char *what,
                          const char *file, int line)
{
    int64_t worst = -1;
    double worst_excess = 0;
    for (int64_t k = 0; k < count; k++) {
        if ((isnan(actual[k]) && isnan(expected[k])) || actual[k] == expected[k]) {
            continue;
        }
        double allowed = fmax(relative * fabs(expected[k]), absolute);
        double difference = fabs(actual[k] - expected[k]);
        double excess = allowed > 0 ? difference / allowed : INFINITY;
        excess = isfinite(difference) ? excess : INFINITY;
        if (excess > 1 && excess > worst_excess) {
            worst = k;
            worst_excess = excess;
        }
    }
    char text[MESSAGE_MAX];
    if (worst >= 0) {
        double allowed = fmax(relative * fabs(expected[worst]), absolute);
        snprintf(text, sizeof text,
                 "%s[%lld] of %lld is %.17g, expected %.17g: %.3g apart, %.3g allowed", what,
                 (long long)worst, (long long)count, actual[worst], expected[worst],
                 fabs(actual[worst] - expected[worst]), allowed);
    }
    fail_together(comm->world, worst >= 0 ? text : NULL, file, line);
}

void harness_assert_close_number(cgm_comm *comm, double actual, double expected, double relative,
                                 double absolute, const char *what, const char *file, int line)
{
    harness_assert_close(comm, &actual, &expected, 1, relative, absolute, what, file, line);
}

void harness_assert_same(cgm_comm *comm, const void *data, size_t bytes, const char *what,
                         const char *file, int line)
{
    unsigned char *root = malloc(bytes > 0 ? bytes : 1);
    assert_non_null(root);
    memcpy(root, data, bytes);
    MPI_Bcast(root, cgm_int((int64_t)bytes), MPI_BYTE, 0, comm->world);
    bool same = memcmp(root, data, bytes) == 0;
    free(root);
    char text[MESSAGE_MAX];
    snprintf(text, sizeof text, "%s differs from rank 0's", what);
    fail_together(comm->world, same ? NULL : text, file, line);
}

void harness_skip(const char *why)
{
    n_skipped++;
    print_message("skipped: %s\n", why);
    skip();
}

void harness_shared(char *path, size_t size, const char *name)
{
    const char *directory = getenv("CGM_SHARED");
    int length = snprintf(path, size, "%s/%s", directory != NULL ? directory : "../shared", name);
    int readable = length > 0 && (size_t)length < size && access(path, R_OK) == 0;
    MPI_Allreduce(MPI_IN_PLACE, &readable, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
    if (readable) {
        return;
    }
    char why[MESSAGE_MAX];
    snprintf(why, sizeof why, "no file '%s'; set CGM_SHARED to the directory of the test data",
             path);
    const char *required = getenv("CGM_REQUIRE_SHARED");
    if (required != NULL && strcmp(required, "1") == 0) {
        fail_msg("%s", why);
    }
    harness_skip(why);
}

/* Sends this rank's stdout into a file of its own; returns the descriptor to restore it. */
static int hide_output(FILE *hidden)
{
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    dup2(fileno(hidden), STDOUT_FILENO);
    return saved;
}

static void show_output(FILE *hidden, int saved, bool wanted, int rank)
{
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    rewind(hidden);
    char line[MESSAGE_MAX];
    while (wanted && fgets(line, sizeof line, hidden) != NULL) {
        fprintf(stderr, "rank %d: %s", rank, line);
    }
    fclose(hidden);
}

static int64_t run_group(cgm_comm *comm, const char *name, const struct CMUnitTest *tests,
                         size_t count)
{
    struct CMUnitTest *with_state = calloc(count, sizeof *with_state);
    FILE *hidden = comm->rank == 0 ? NULL : tmpfile();
    if (with_state == NULL || (comm->rank != 0 && hidden == NULL)) {
        fprintf(stderr, "%s: no memory or no temporary file\n", name);
        MPI_Abort(comm->world, EXIT_FAILURE);
    }
    memcpy(with_state, tests, count * sizeof *with_state);
    for (size_t k = 0; k < count; k++) {
        with_state[k].initial_state = comm;
    }
    /* TAP goes to stdout alone, so that stderr stays open to sanitizers and MPI on every rank. */
    cmocka_set_message_output(CM_OUTPUT_TAP);
    int saved = hidden != NULL ? hide_output(hidden) : -1;
    int64_t failed = _cmocka_run_group_tests(name, with_state, count, NULL, NULL);
    if (hidden != NULL) {
        show_output(hidden, saved, failed > 0, comm->rank);
    }
    free(with_state);
    return failed;
}

int harness_main(int argc, char **argv, const struct CMUnitTest *tests, size_t count)
{
    MPI_Init(&argc, &argv);
    cgm_comm comm;
    cgm_comm_create(MPI_COMM_WORLD, &comm);
    cgm_dense_initialise();
    int64_t failed = run_group(&comm, argv[0], tests, count);
    MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT64_T, MPI_MAX, comm.world);
    if (comm.rank == 0) {
        printf("tests: %lld passed, %lld failed, %lld skipped\n",
               (long long)count - (long long)failed - (long long)n_skipped, (long long)failed,
               (long long)n_skipped);
    }
    cgm_comm_destroy(&comm);
    MPI_Finalize();
    return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
