/**
 * @file fuzz.h
 * What the fuzz targets have in common. A target is a file fuzz_NAME.c with LLVMFuzzerTestOneInput:
 * one input, of which nothing is known, through one reader of the program. Linked with libFuzzer it
 * is a fuzzer (make fuzz), with replay.c a test that runs inputs kept in corpus/NAME.
 *
 * There is one rank. What a target finds wrong itself it says by abort().
 */
#ifndef CGM_TESTS_FUZZ_H
#define CGM_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "cgm/comm.h"

/** Separates the parts of an input that has several: no UTF-8 has this byte. */
enum { FUZZ_SEPARATOR = 0xff };

/** Room for the path of a file of an input. */
enum { FUZZ_PATH = 256 };

/** A part of an input. */
typedef struct fuzz_part {
    const uint8_t *data;
    size_t size;
} fuzz_part;

/** Local. Once, before the first input: MPI as a single rank, no text on stdout. */
int LLVMFuzzerInitialize(int *argc, char ***argv);

/** Local. One input. @return 0 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Local. The only rank, without the record of a failure. */
cgm_comm *fuzz_comm(void);

/** Local. The part before the next separator, which rest then begins behind. */
fuzz_part fuzz_next(fuzz_part *rest);

/** Local. The part as a text that ends, allocated. */
char *fuzz_text(fuzz_part part);

/** Local. A path of this process's own, in TMPDIR or in memory. */
void fuzz_path(char path[FUZZ_PATH], const char *name);

/** Local. A file with this content, which the caller removes. */
void fuzz_write(const char *path, fuzz_part content);

#endif
