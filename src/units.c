#include "cgm/units.h"

#include <stdlib.h>

enum { WORD_BITS = 64 };

static int64_t segments_of(int64_t points)
{
    return (points + CGM_BLOCK_POINTS - 1) / CGM_BLOCK_POINTS;
}

/* Bits before that of the pair (row, row). */
static int64_t row_start(const cgm_units *units, int64_t row)
{
    return row * units->n_segments - row * (row - 1) / 2;
}

cgm_status cgm_units_create(cgm_comm *comm, const cgm_shard *shard, int64_t n_candidates,
                            cgm_units *units)
{
    const int64_t n = shard->n_parties;
    *units = (cgm_units){.n_owners = n + 1};
    units->first_segment = cgm_alloc(comm, n + 2, sizeof *units->first_segment);
    if (units->first_segment == NULL) {
        return CGM_ERR_MEMORY;
    }
    for (int64_t i = 0; i <= n; i++) {
        const int64_t points = i < n ? shard->party_points[i] : n_candidates;
        units->first_segment[i + 1] = units->first_segment[i] + segments_of(points);
    }
    units->n_segments = units->first_segment[n + 1];
    units->n_words = (row_start(units, units->n_segments) + WORD_BITS - 1) / WORD_BITS;
    units->done = cgm_alloc(comm, units->n_words, sizeof *units->done);
    return units->done != NULL ? CGM_OK : CGM_ERR_MEMORY;
}

void cgm_units_destroy(cgm_units *units)
{
    free(units->first_segment);
    free(units->done);
    *units = (cgm_units){0};
}

int64_t cgm_units_segment(const cgm_units *units, const cgm_segment *segment)
{
    return units->first_segment[segment->owner] + segment->first / CGM_BLOCK_POINTS;
}

void cgm_units_mark(cgm_units *units, int64_t row, int64_t first, int64_t end)
{
    const int64_t start = row_start(units, row) - row;
    for (int64_t bit = start + first; bit < start + end;) {
        const int64_t offset = bit % WORD_BITS;
        const int64_t left = start + end - bit;
        const int64_t count = left < WORD_BITS - offset ? left : WORD_BITS - offset;
        const uint64_t mask = (~UINT64_C(0) >> (WORD_BITS - count)) << offset;
        uint64_t *word = &units->done[bit / WORD_BITS];
#pragma omp atomic
        *word |= mask;
        bit += count;
    }
}

void cgm_units_mark_owners(cgm_units *units, int64_t a, int64_t b)
{
    for (int64_t row = units->first_segment[a]; row < units->first_segment[a + 1]; row++) {
        const int64_t first = units->first_segment[b];
        cgm_units_mark(units, row, first > row ? first : row, units->first_segment[b + 1]);
    }
}

int64_t cgm_units_find(const cgm_units *units, int64_t row, int64_t first, int64_t end, bool done)
{
    const int64_t start = row_start(units, row) - row;
    for (int64_t bit = start + first; bit < start + end;) {
        uint64_t word;
#pragma omp atomic read
        word = units->done[bit / WORD_BITS];
        word = (done ? word : ~word) >> (bit % WORD_BITS);
        if (word != 0) {
            const int64_t found = bit + __builtin_ctzll(word) - start;
            return found < end ? found : end;
        }
        bit += WORD_BITS - bit % WORD_BITS;
    }
    return end;
}

bool cgm_units_complete(const cgm_units *units)
{
    for (int64_t row = 0; row < units->n_segments; row++) {
        if (cgm_units_find(units, row, row, units->n_segments, false) < units->n_segments) {
            return false;
        }
    }
    return true;
}

void cgm_units_share(cgm_comm *comm, cgm_units *units)
{
    cgm_comm_or(comm, units->done, units->n_words);
}
