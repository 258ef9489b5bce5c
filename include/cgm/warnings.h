/**
 * @file warnings.h
 * Doubtful conditions of a run that ended well, each with what to do about it.
 */
#ifndef CGM_WARNINGS_H
#define CGM_WARNINGS_H

#include <stdint.h>

#include "cgm/comm.h"

struct cgm_run;

typedef struct cgm_warnings {
    int64_t count;
    char **code; /**< [count] a word for programs */
    char **text; /**< [count] a sentence for people */
} cgm_warnings;

/**
 * Look at everything that the stages left in the run.  Collective.
 * @param[out] warnings  the same on every rank; the pair is cgm_warnings_destroy
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY
 */
cgm_status cgm_warnings_collect(cgm_comm *comm, const struct cgm_run *run, cgm_warnings *warnings);

/** As cgm_warnings_collect, at the generative model alone.  Collective. */
cgm_status cgm_warnings_of_generator(cgm_comm *comm, const struct cgm_run *run,
                                     cgm_warnings *warnings);

/** Local. Accepts a zeroed struct. */
void cgm_warnings_destroy(cgm_warnings *warnings);

#endif
