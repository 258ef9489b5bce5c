/**
 * @file party_run.h
 * Runs with one file a party, for the tests of those files: eight parties, with names that are no
 * names of files.
 */
#ifndef CGM_TESTS_PARTY_RUN_H
#define CGM_TESTS_PARTY_RUN_H

#include "cgm/h5.h"
#include "harness.h"

/** Parties, features, candidates. */
enum { N_PARTIES = 8, D = 2, POOL = 150, PATH_BYTES = 512 };

/** Points of each party: all different and more than the pool has, so that no index or count of
 * candidates is such a number. */
extern const int64_t party_sizes[N_PARTIES];

/** In natural order, as a run has them. */
extern const char *const party_names[N_PARTIES];

/** Options that most tests run with. */
#define REWARDS "[reward]\ncondition = individual\n[sampling]\ninv_temp = 2, inf\n"

/** Files of one test, in a directory of their own. */
typedef struct party_run {
    char home[64];
    char data[PATH_BYTES];
    char options[PATH_BYTES];
    char result[PATH_BYTES];
    char parties[PATH_BYTES]; /**< output.party_dir */
    char own[PATH_BYTES];     /**< the data of one party, for verify */
} party_run;

/** Collective. Names the files and writes the input. The pair is party_run_remove. */
void party_run_begin(cgm_comm *comm, party_run *files);

/** Collective. */
void party_run_remove(cgm_comm *comm, const party_run *files);

/** Local. Points [n][D] and labels [n] of a party, or of the pool for N_PARTIES. */
void party_run_points(int party, int64_t n, double *points, int64_t *labels);

/** Local, on one rank. Writes a party's data as it keeps them itself. */
bool party_run_write_own(cgm_comm *comm, const party_run *files, int party);

/** Local. */
void party_run_file(const party_run *files, int party, char path[PATH_BYTES]);

/** Collective. `cgm run` with these lines of options besides those that name the files; the cause
 * stays in comm->error. */
cgm_status party_run_with(cgm_comm *comm, const party_run *files, const char *options);

/** Collective. `cgm verify`; the cause stays in comm->error. */
cgm_status party_run_verify(cgm_comm *comm, const char *result, const char *party, const char *own);

#endif
