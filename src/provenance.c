#include "cgm/provenance.h"

#include <mpi.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cgm/dense.h"
#include "cgm/downstream.h"
#include "cgm/h5.h"
#include "cgm/kernel.h"
#include "cgm/reward_lp.h"

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif
#ifndef CGM_VERSION
#define CGM_VERSION "0.1.0"
#endif
#ifndef CGM_GIT
#define CGM_GIT "unknown"
#endif
#ifndef CGM_CC_FLAGS
#define CGM_CC_FLAGS "unknown"
#endif

const char *cgm_version(void)
{
    return CGM_VERSION;
}

const char *cgm_git_revision(void)
{
    return CGM_GIT;
}

void cgm_provenance_print(FILE *stream)
{
    char mpi[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    MPI_Get_library_version(mpi, &length);
    mpi[strcspn(mpi, "\n")] = '\0';
    char scalapack[32];
    cgm_dense_scalapack_version(scalapack);
    char svm[32];
    cgm_downstream_library_version(svm);

    fprintf(stream, "cgm %s\n", cgm_version());
    fprintf(stream, "git:              %s\n", cgm_git_revision());
    fprintf(stream, "compiler:         %s\n", COMPILER);
    fprintf(stream, "flags:            %s\n", CGM_CC_FLAGS);
    fprintf(stream, "instruction sets:");
    /* Those that this processor has. */
    for (int set = CGM_PORTABLE; set <= (int)cgm_instruction_set_best(); set++) {
        fprintf(stream, " %s", cgm_instruction_set_name((cgm_instruction_set)set));
    }
    fputc('\n', stream);
    fprintf(stream, "MPI:              %s\n", mpi);
    fprintf(stream, "BLAS:             %s\n", cgm_dense_blas_version());
    fprintf(stream, "ScaLAPACK:        %s\n", scalapack);
    fprintf(stream, "HDF5:             %s\n", cgm_h5_version());
    fprintf(stream, "GLPK:             %s\n", cgm_reward_library_version());
    fprintf(stream, "LIBSVM:           %s\n", svm);
}

void cgm_provenance_time(char text[32])
{
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

char *cgm_provenance_command(cgm_comm *comm, const char *name, int n_arguments, char **arguments)
{
    char *line = NULL;
    size_t bytes;
    FILE *stream = open_memstream(&line, &bytes);
    if (stream != NULL) {
        fprintf(stream, "cgm %s", name);
        for (int k = 0; k < n_arguments; k++) {
            fprintf(stream, " %s", arguments[k]);
        }
    }
    if (stream == NULL || fclose(stream) != 0) {
        free(line);
        cgm_fail(comm, CGM_ERR_MEMORY, "no memory for the command line");
        return NULL;
    }
    return line;
}

/* Finaliser of splitmix64: every bit of the input changes every bit of the output half the time. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* The position is spread by an odd constant and mixed on its own first: word and position that
 * change together must not cancel. */
static uint64_t word_checksum(uint64_t tag, uint64_t position, uint64_t word)
{
    return mix(word ^ mix(tag + (position + 1) * UINT64_C(0x9e3779b97f4a7c15)));
}

uint64_t cgm_checksum_words(uint64_t tag, int64_t first, const void *words, int64_t count)
{
    uint64_t sum = 0;
    for (int64_t k = 0; k < count; k++) {
        uint64_t word;
        memcpy(&word, (const char *)words + (size_t)k * sizeof word, sizeof word);
        sum += word_checksum(tag, (uint64_t)(first + k), word);
    }
    return sum;
}

uint64_t cgm_checksum_text(uint64_t tag, const char *text)
{
    size_t length = strlen(text);
    uint64_t sum = word_checksum(tag, 0, length);
    for (size_t k = 0; k < length; k += sizeof(uint64_t)) {
        uint64_t word = 0;
        size_t left = length - k;
        memcpy(&word, text + k, left < sizeof word ? left : sizeof word);
        sum += word_checksum(tag, 1 + k / sizeof word, word);
    }
    return sum;
}
