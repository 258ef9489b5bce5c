/* Runs a target on the files named, each in a process of its own, and counts those that end well:
 * with no crash, in time, and if not with 0 then with the one error line that a crash of HDF5 is
 * turned into. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

enum { SECONDS_MAX = 100, BYTES_MAX = 1 << 20 };

static uint8_t content[BYTES_MAX];

static bool read_input(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    *size = file != NULL ? fread(content, 1, sizeof content, file) : 0;
    bool good = file != NULL && ferror(file) == 0;
    if (file != NULL) {
        fclose(file);
    }
    return good;
}

/* Whether the input's process ends as it should. */
static bool run_input(size_t size)
{
    pid_t child = fork();
    if (child == 0) {
        alarm(SECONDS_MAX);
        LLVMFuzzerTestOneInput(content, size);
        _exit(EXIT_SUCCESS);
    }
    int state = 0;
    while (waitpid(child, &state, 0) < 0 && errno == EINTR) {
    }
    return child > 0 && WIFEXITED(state) &&
           (WEXITSTATUS(state) == EXIT_SUCCESS || WEXITSTATUS(state) == CGM_ERR_INPUT);
}

int main(int argc, char **argv)
{
    int passed = 0;
    int failed = 0;
    LLVMFuzzerInitialize(&argc, &argv);
    for (int k = 1; k < argc; k++) {
        size_t size;
        bool good = read_input(argv[k], &size) && run_input(size);
        passed += good;
        failed += !good;
        if (!good) {
            fprintf(stderr, "not ok: %s %s\n", argv[0], argv[k]);
        }
    }
    fprintf(stderr, "%d passed, %d failed\n", passed, failed);
    MPI_Finalize();
    return failed == 0 && passed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
