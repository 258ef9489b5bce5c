#include <stdlib.h>
#include <string.h>

#include "sampling_drawing.h"

/* ---- what an earlier run drew ---- */

bool drawing_is_finished(const party_drawing *d, int64_t set, int64_t party)
{
    const cgm_sampling_partial *begin = d->course->begin;
    return begin != NULL && begin->finished[set * d->shard->n_parties + party] != 0;
}

static int keeper_of(const party_drawing *d, int64_t party)
{
    int rank = 0;
    while (d->shard->first_party[rank + 1] <= party) {
        rank++;
    }
    return rank;
}

/* Finished chains of the parties kept here. */
static cgm_status keep_finished(party_drawing *d)
{
    const cgm_sampling_partial *begin = d->course->begin;
    const int64_t *first = d->shard->first_party + d->comm->rank;
    cgm_status status = CGM_OK;
    for (int64_t k = 0; k < begin->n_chains && status == CGM_OK; k++) {
        const int64_t party = k % d->shard->n_parties;
        if (begin->finished[k] != 0 && party >= first[0] && party < first[1]) {
            status = drawn_rows_keep_given(d->comm, begin, k, &d->drawn, d->sampling);
        }
    }
    return status;
}

static bool has_begun_chains(const cgm_sampling_partial *begin)
{
    bool has = false;
    for (int64_t k = 0; k < begin->n_chains; k++) {
        has = has || (begin->finished[k] == 0 && begin->n_rows[k] > 0);
    }
    return has;
}

/* Rows of chains that were begun, for whoever goes on with them. */
static cgm_status lay_open(party_drawing *d)
{
    cgm_comm *comm = d->comm;
    const cgm_sampling_partial *begin = d->course->begin;
    const size_t bytes = (size_t)begin->n_local * sizeof(int64_t);
    d->given_first = cgm_alloc(comm, comm->size + 1, sizeof *d->given_first);
    cgm_status status = cgm_agree(comm, d->given_first != NULL ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        d->given_first[comm->rank] = begin->first_local;
        cgm_comm_sum(comm, d->given_first, comm->size + 1);
        d->given_first[comm->size] = begin->total_rows;
        status = cgm_window_create(comm, 2 * bytes, &d->given);
    }
    if (status == CGM_OK) {
        if (bytes > 0) {
            memcpy(d->given.memory, begin->indices, bytes);
            memcpy((char *)d->given.memory + bytes, begin->values, bytes);
        }
        cgm_window_open(comm, &d->given);
    }
    return status;
}

cgm_status drawing_begin(party_drawing *d)
{
    if (d->course->begin == NULL) {
        return CGM_OK;
    }
    cgm_status status = cgm_agree(d->comm, keep_finished(d));
    return status == CGM_OK && has_begun_chains(d->course->begin) ? lay_open(d) : status;
}

/* Draws of a chain that was begun, from the rank that keeps its party. */
static void fetch_given(party_drawing *d, int64_t chain, const cgm_team_chain *slot)
{
    const cgm_sampling_partial *begin = d->course->begin;
    const int keeper = keeper_of(d, chain % d->shard->n_parties);
    const int64_t held = d->given_first[keeper + 1] - d->given_first[keeper];
    const int64_t place = begin->first_row[chain] - d->given_first[keeper];
    const size_t bytes = (size_t)slot->n_given * sizeof *slot->given;
    cgm_window_get(d->comm, &d->given, keeper, (size_t)place * sizeof *slot->given, bytes,
                   slot->given);
    cgm_window_get(d->comm, &d->given, keeper, (size_t)(held + place) * sizeof *slot->given, bytes,
                   slot->given_values);
}

static void take_back(cgm_team_chain *slot)
{
    free(slot->given);
    free(slot->given_values);
    slot->given = NULL;
    slot->given_values = NULL;
    slot->n_given = 0;
}

void drawing_give(party_drawing *d, cgm_team_chain *slot)
{
    const cgm_sampling_partial *begin = d->course->begin;
    const int64_t chain = slot->set * d->shard->n_parties + slot->party;
    const int64_t rows = begin != NULL ? begin->n_rows[chain] : 0;
    take_back(slot);
    if (rows == 0) {
        return;
    }
    slot->given = cgm_alloc(d->comm, rows, sizeof *slot->given);
    slot->given_values = cgm_alloc(d->comm, rows, sizeof *slot->given_values);
    int64_t refused = slot->given == NULL || slot->given_values == NULL;
    if (d->ranks.size > 1) {
        cgm_comm_sum(&d->ranks, &refused, 1);
    }
    if (refused > 0) {
        take_back(slot);
        drawing_note(d, cgm_fail(d->comm, CGM_ERR_MEMORY, "no memory for draws made before"));
        return;
    }
    slot->n_given = rows;
    if (d->ranks.rank == 0) {
        fetch_given(d, chain, slot);
    }
    const size_t bytes = (size_t)rows * sizeof *slot->given;
    cgm_comm_broadcast(&d->ranks, slot->given, bytes, 0);
    cgm_comm_broadcast(&d->ranks, slot->given_values, bytes, 0);
}

cgm_status drawing_check(party_drawing *d)
{
    for (int64_t k = 0; k < d->team.n_slots; k++) {
        const cgm_team_chain *slot = &d->team.slots[k];
        const int64_t draws = slot->chain.n_draws;
        if (slot->live && draws <= slot->n_given &&
            slot->chain.value != slot->given_values[draws - 1]) {
            return cgm_fail(d->comm, CGM_ERR_BUG,
                            "draw %lld of party '%s' has another value than when it was drawn "
                            "first; please report this, and remove the checkpoint",
                            (long long)draws, d->shard->names[slot->party]);
        }
    }
    return CGM_OK;
}

/* ---- what is kept for a later run ---- */

/* The draws of an unfinished chain: those made now, or before where that was further. */
typedef struct chain_rows {
    int64_t count;
    const int64_t *indices;
    const double *values;
} chain_rows;

static chain_rows rows_of_slot(const cgm_team_chain *slot)
{
    if (slot->chain.n_draws >= slot->n_given) {
        return (chain_rows){slot->chain.n_draws, slot->chain.indices, slot->chain.values};
    }
    return (chain_rows){slot->n_given, slot->given, slot->given_values};
}

/* The slot with a chain on this rank, if this is the rank of its team that has the draws. */
static const cgm_team_chain *slot_of(const party_drawing *d, int64_t chain)
{
    for (int64_t k = 0; k < d->team.n_slots && d->ranks.rank == 0; k++) {
        const cgm_team_chain *slot = &d->team.slots[k];
        if (slot->live && slot->set * d->shard->n_parties + slot->party == chain) {
            return slot;
        }
    }
    return NULL;
}

/* What this rank has of a chain. untouched: no rank has gone on with it. */
static chain_rows rows_here(const party_drawing *d, int64_t chain, bool untouched)
{
    const cgm_sampling_partial *begin = d->course->begin;
    const int64_t n = d->shard->n_parties;
    if (d->drawn.kept[chain] != 0) {
        const int64_t first = d->drawn.first[chain];
        return (chain_rows){d->sampling->sets[chain / n].offsets[chain % n + 1],
                            d->drawn.indices + first, d->drawn.values + first};
    }
    const cgm_team_chain *slot = slot_of(d, chain);
    if (slot != NULL) {
        return rows_of_slot(slot);
    }
    if (untouched && begin != NULL && keeper_of(d, chain % n) == d->comm->rank) {
        const int64_t first = begin->first_row[chain] - begin->first_local;
        return (chain_rows){begin->n_rows[chain], begin->indices + first, begin->values + first};
    }
    return (chain_rows){0, NULL, NULL};
}

/* Which chains are finished, and which are with a rank, in one array: both on every rank. */
static void share_whereabouts(const party_drawing *d, int64_t *held, cgm_sampling_partial *partial)
{
    for (int64_t k = 0; k < partial->n_chains; k++) {
        partial->finished[k] = d->drawn.kept[k];
        held[k] = d->drawn.kept[k] != 0 || slot_of(d, k) != NULL;
    }
    cgm_comm_sum(d->comm, partial->finished, partial->n_chains);
    cgm_comm_sum(d->comm, held, partial->n_chains);
}

/* Counts of all chains, and where their rows stand. offsets [size + 1] is work space. */
static void share_counts(const party_drawing *d, const int64_t *held, int64_t *offsets,
                         cgm_sampling_partial *partial)
{
    cgm_comm *comm = d->comm;
    const int64_t n = d->shard->n_parties;
    for (int64_t k = 0; k < partial->n_chains; k++) {
        const bool kept = d->drawn.kept[k] != 0;
        const cgm_reward_set *set = &d->sampling->sets[k / n];
        partial->n_rows[k] = rows_here(d, k, held[k] == 0).count;
        partial->draws[k] = kept ? set->draws[k % n] : partial->n_rows[k];
        partial->reached[k] = kept ? set->reached[k % n] : 0;
        partial->n_local += partial->n_rows[k];
    }
    offsets[comm->rank + 1] = partial->n_local;
    cgm_comm_sum(comm, offsets, comm->size + 1);
    for (int r = 0; r < comm->size; r++) {
        offsets[r + 1] += offsets[r];
    }
    partial->first_local = offsets[comm->rank];
    partial->total_rows = offsets[comm->size];
    int64_t next = partial->first_local;
    for (int64_t k = 0; k < partial->n_chains; k++) {
        partial->first_row[k] = partial->n_rows[k] > 0 ? next : 0;
        next += partial->n_rows[k];
    }
    int64_t *const counts[] = {partial->n_rows, partial->draws, partial->reached,
                               partial->first_row};
    for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
        cgm_comm_sum(comm, counts[k], partial->n_chains);
    }
}

static void copy_rows(const party_drawing *d, const int64_t *held, cgm_sampling_partial *partial)
{
    int64_t next = 0;
    for (int64_t k = 0; k < partial->n_chains; k++) {
        const chain_rows rows = rows_here(d, k, held[k] == 0);
        if (rows.count > 0) {
            const size_t bytes = (size_t)rows.count * sizeof *rows.indices;
            memcpy(partial->indices + next, rows.indices, bytes);
            memcpy(partial->values + next, rows.values, bytes);
        }
        next += rows.count;
    }
}

cgm_status drawing_keep(party_drawing *d)
{
    cgm_comm *comm = d->comm;
    const cgm_pause *pause = d->course->pause;
    cgm_sampling_partial partial;
    const int64_t n_chains = d->rules->n_inv_temp * d->shard->n_parties;
    int64_t *held = cgm_alloc(comm, n_chains, sizeof *held);
    int64_t *offsets = cgm_alloc(comm, comm->size + 1, sizeof *offsets);
    bool complete = cgm_sampling_partial_create(comm, n_chains, &partial) == CGM_OK;
    complete = complete && held != NULL && offsets != NULL;
    cgm_status status = cgm_agree(comm, complete ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        share_whereabouts(d, held, &partial);
        share_counts(d, held, offsets, &partial);
        status = cgm_agree(comm, cgm_sampling_partial_allocate(comm, partial.n_local, &partial));
    }
    if (status == CGM_OK) {
        copy_rows(d, held, &partial);
        status = pause->keep(comm, pause->state, &partial);
    }
    cgm_sampling_partial_destroy(&partial);
    free(offsets);
    free(held);
    return status;
}
