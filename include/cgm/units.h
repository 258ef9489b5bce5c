/**
 * @file units.h
 * Which pairs of points of T have been evaluated, in the unit of work that does not depend on ranks
 * (ARCHITECTURE: "Bitwise"): pairs of segments, that is of a party's points, or the pool's, cut
 * into pieces of CGM_BLOCK_POINTS from its start. A pass over the pairs that stops half-way, or
 * that begins with what an earlier run has done, keeps account of it here.
 */
#ifndef CGM_UNITS_H
#define CGM_UNITS_H

#include <stdbool.h>
#include <stdint.h>

#include "cgm/comm.h"
#include "cgm/kernel.h"
#include "cgm/shard.h"

/** Zeroed: no account is kept. One bit a pair of segments a <= b, a's row after a's row. */
typedef struct cgm_units {
    int64_t n_owners;       /**< parties, then the pool */
    int64_t *first_segment; /**< [n_owners + 1] segments are numbered through in the order of T */
    int64_t n_segments;
    int64_t n_words;
    uint64_t *done; /**< [n_words] what this rank knows to be done */
} cgm_units;

/**
 * Nothing is done.  Local.  Memory n_segments² / 16 bytes.
 * @param[out] units  the pair is cgm_units_destroy
 * @return CGM_OK, CGM_ERR_MEMORY
 */
cgm_status cgm_units_create(cgm_comm *comm, const cgm_shard *shard, int64_t n_candidates,
                            cgm_units *units);

/** Local. Accepts a zeroed struct. */
void cgm_units_destroy(cgm_units *units);

/** Local. The number of a segment. */
int64_t cgm_units_segment(const cgm_units *units, const cgm_segment *segment);

/** Local. Pairs of segment row with first .. end - 1, row <= first, are done. By several threads at
 * a time. */
void cgm_units_mark(cgm_units *units, int64_t row, int64_t first, int64_t end);

/** Local. All pairs of segments of owner a with those of owner b, a <= b, are done. */
void cgm_units_mark_owners(cgm_units *units, int64_t a, int64_t b);

/** Local. The first of segments first .. end whose pair with row is done, or is not done; end if
 * there is none before it. */
int64_t cgm_units_find(const cgm_units *units, int64_t row, int64_t first, int64_t end, bool done);

/** Local. Is every pair done? */
bool cgm_units_complete(const cgm_units *units);

/** Collective. Every rank learns what all of them have done. */
void cgm_units_share(cgm_comm *comm, cgm_units *units);

#endif
