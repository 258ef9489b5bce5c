#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static cgm_comm only_rank;

/* Of the leak checker, if there is one: what MPI allocates at its start it keeps. */
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

static void need(bool condition, const char *what)
{
    if (!condition) {
        perror(what);
        exit(EXIT_FAILURE);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    /* libFuzzer's and the sanitizers' own handlers say what crashed. */
    setenv("OMPI_MCA_opal_signal", "", 1);
    setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    if (__lsan_disable != NULL) {
        __lsan_disable();
    }
    MPI_Init(argc, argv);
    cgm_comm_create(MPI_COMM_WORLD, &only_rank);
    if (__lsan_enable != NULL) {
        __lsan_enable();
    }
    need(freopen("/dev/null", "w", stdout) != NULL, "/dev/null");
    return 0;
}

cgm_comm *fuzz_comm(void)
{
    only_rank.error = (cgm_error){.status = CGM_OK};
    return &only_rank;
}

fuzz_part fuzz_next(fuzz_part *rest)
{
    const uint8_t *end = rest->size > 0 ? memchr(rest->data, FUZZ_SEPARATOR, rest->size) : NULL;
    const fuzz_part part = {rest->data, end != NULL ? (size_t)(end - rest->data) : rest->size};
    const size_t used = part.size + (end != NULL);
    *rest = (fuzz_part){rest->data + used, rest->size - used};
    return part;
}

char *fuzz_text(fuzz_part part)
{
    char *text = calloc(part.size + 1, 1);
    need(text != NULL, "memory");
    if (part.size > 0) {
        memcpy(text, part.data, part.size);
    }
    return text;
}

void fuzz_path(char path[FUZZ_PATH], const char *name)
{
    const char *directory = getenv("TMPDIR");
    int length = snprintf(path, FUZZ_PATH, "%s/cgm-fuzz-%lld-%s",
                          directory != NULL ? directory : "/dev/shm", (long long)getpid(), name);
    need(length > 0 && length < FUZZ_PATH, "a long TMPDIR");
}

void fuzz_write(const char *path, fuzz_part content)
{
    FILE *file = fopen(path, "wb");
    need(file != NULL && fwrite(content.data, 1, content.size, file) == content.size, path);
    need(fclose(file) == 0, path);
}
