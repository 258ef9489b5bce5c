/**
 * @file pause.h
 * How work that takes long comes to a stop half-way, in a state that can be kept and gone on from.
 *
 * A stage asks now and then, without talking to anybody, whether a pause is due. If so it lets its
 * ranks come to a point where what is done fits together, and hands that over to be kept. Which
 * file it is kept in, and whether the run goes on after it, is not the stage's business
 * (checkpoint.h).
 */
#ifndef CGM_PAUSE_H
#define CGM_PAUSE_H

#include <stdbool.h>

#include "cgm/comm.h"

/** NULL in its place: there are no pauses. */
typedef struct cgm_pause {
    void *state;
    /** Is a pause due?  Local, a fraction of a microsecond, by the thread that speaks to MPI; on
     * all ranks within a moment of each other, and true until keep was called. comm: all ranks. */
    bool (*due)(cgm_comm *comm, void *state);
    /**
     * Keep what is done.  Collective over all ranks, also by those that were not due.
     * @param[in] partial  what the stage says it hands over, canonical: it does not depend on which
     *                     rank did what
     * @return the same code on every rank: CGM_OK (go on), CGM_STOPPED (leave: it is kept),
     *         CGM_ERR_OUTPUT, CGM_ERR_MEMORY
     */
    cgm_status (*keep)(cgm_comm *comm, void *state, const void *partial);
} cgm_pause;

#endif
