/**
 * @file provenance.h
 * Where a result comes from: version, compiler, libraries, and checksums that do not depend on the
 * partition.
 */
#ifndef CGM_PROVENANCE_H
#define CGM_PROVENANCE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cgm/comm.h"

/** Local. Static strings fixed at build time. */
const char *cgm_version(void);
const char *cgm_git_revision(void);

/** Local. `cgm --version`: compiler, flags, git, instruction sets, versions of MPI, BLAS,
 * ScaLAPACK, HDF5, GLPK, LIBSVM. */
void cgm_provenance_print(FILE *stream);

/** Local. The command line, for the record; allocated, the caller frees it; NULL and CGM_ERR_MEMORY
 * recorded. */
char *cgm_provenance_command(cgm_comm *comm, const char *name, int n_arguments, char **arguments);

/** Local. UTC now as ISO 8601, 20 characters and the end. */
void cgm_provenance_time(char text[32]);

/**
 * Contribution of a run of 8-byte words to a checksum.  Local.
 * The checksum of a sequence is Σ_k mix(word_k, tag, first + k) mod 2^64: any partition of the
 * sequence, in any order, gives the same sum.
 * @param[in] tag    what the sequence is (a hash of its name), so that equal data under two names
 * differ
 * @param[in] first  position of the first word in the whole sequence
 */
uint64_t cgm_checksum_words(uint64_t tag, int64_t first, const void *words, int64_t count);

/** Local. Contribution of a text: its bytes, padded with zeros to words, and its length. */
uint64_t cgm_checksum_text(uint64_t tag, const char *text);

#endif
