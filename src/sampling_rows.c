#include "sampling_rows.h"

#include <stdlib.h>
#include <string.h>

cgm_status drawn_rows_create(cgm_comm *comm, int64_t n_parties, int64_t n_sets, drawn_rows *drawn)
{
    *drawn = (drawn_rows){.n_parties = n_parties, .n_sets = n_sets};
    drawn->first = cgm_alloc(comm, n_sets * n_parties, sizeof *drawn->first);
    drawn->kept = cgm_alloc(comm, n_sets * n_parties, sizeof *drawn->kept);
    drawn->drawer = cgm_alloc(comm, n_sets * n_parties, sizeof *drawn->drawer);
    return drawn->first != NULL && drawn->kept != NULL && drawn->drawer != NULL ? CGM_OK
                                                                                : CGM_ERR_MEMORY;
}

void drawn_rows_destroy(drawn_rows *drawn)
{
    free(drawn->indices);
    free(drawn->values);
    free(drawn->first);
    free(drawn->kept);
    free(drawn->drawer);
    *drawn = (drawn_rows){0};
}

static cgm_status make_room(cgm_comm *comm, int64_t count, drawn_rows *drawn)
{
    if (drawn->n_rows + count <= drawn->capacity) {
        return CGM_OK;
    }
    const int64_t capacity = 2 * drawn->capacity + count;
    int64_t *indices = realloc(drawn->indices, (size_t)capacity * sizeof *indices);
    drawn->indices = indices != NULL ? indices : drawn->indices;
    double *values = realloc(drawn->values, (size_t)capacity * sizeof *values);
    drawn->values = values != NULL ? values : drawn->values;
    if (indices == NULL || values == NULL) {
        return cgm_fail(comm, CGM_ERR_MEMORY, "no memory for %lld synthetic points; use more nodes",
                        (long long)capacity);
    }
    drawn->capacity = capacity;
    return CGM_OK;
}

/* Appends a reward, and notes what is known of it. */
static cgm_status append(cgm_comm *comm, int64_t place, int64_t count, const int64_t *indices,
                         const double *values, drawn_rows *drawn, cgm_sampling *sampling)
{
    cgm_status status = make_room(comm, count, drawn);
    if (status != CGM_OK) {
        return status;
    }
    drawn->first[place] = drawn->n_rows;
    drawn->kept[place] = 1;
    drawn->drawer[place] = comm->rank;
    for (int64_t k = 0; k < count; k++) {
        drawn->indices[drawn->n_rows] = indices[k];
        drawn->values[drawn->n_rows] = values[k];
        drawn->n_rows++;
    }
    /* A count until all ranks know all counts. */
    sampling->sets[place / drawn->n_parties].offsets[place % drawn->n_parties + 1] = count;
    return CGM_OK;
}

cgm_status drawn_rows_keep(cgm_comm *comm, const cgm_chain *chain, int64_t set, int64_t party,
                           drawn_rows *drawn, cgm_sampling *sampling)
{
    cgm_reward_set *rewards = &sampling->sets[set];
    rewards->draws[party] = chain->n_draws;
    rewards->reached[party] = chain->reached;
    return append(comm, set * drawn->n_parties + party, cgm_chain_reward(chain), chain->indices,
                  chain->values, drawn, sampling);
}

cgm_status drawn_rows_keep_given(cgm_comm *comm, const cgm_sampling_partial *begin, int64_t place,
                                 drawn_rows *drawn, cgm_sampling *sampling)
{
    cgm_reward_set *rewards = &sampling->sets[place / drawn->n_parties];
    const int64_t first = begin->first_row[place] - begin->first_local;
    rewards->draws[place % drawn->n_parties] = begin->draws[place];
    rewards->reached[place % drawn->n_parties] = begin->reached[place];
    return append(comm, place, begin->n_rows[place], begin->indices + first, begin->values + first,
                  drawn, sampling);
}

/* One rank alone has each number, the others 0. */
static void share_numbers(cgm_comm *comm, drawn_rows *drawn, cgm_sampling *sampling)
{
    const int64_t n = drawn->n_parties;
    cgm_comm_sum(comm, drawn->drawer, drawn->n_sets * n);
    for (int64_t s = 0; s < drawn->n_sets; s++) {
        cgm_reward_set *set = &sampling->sets[s];
        cgm_comm_sum(comm, set->offsets + 1, n);
        cgm_comm_sum(comm, set->draws, n);
        cgm_comm_sum(comm, set->reached, n);
        for (int64_t i = 0; i < n; i++) {
            set->offsets[i + 1] += set->offsets[i];
        }
    }
}

/* The rewards that one rank drew of the parties that another keeps. */
typedef struct parcel {
    const cgm_shard *shard;
    const drawn_rows *drawn;
    cgm_sampling *sampling;
    int drawer;
    int keeper;
} parcel;

/* What is done with the rewards of a parcel: by party, words is where they stand in it. */
typedef void (*parcel_visit)(const parcel *of, int64_t set, int64_t party, int64_t count,
                             int64_t *words);

/* Passes over the rewards of a parcel in order, or, without visit, only counts its words: an index
 * and a value a row. */
static int64_t visit_parcel(const parcel *of, parcel_visit visit, int64_t *words)
{
    int64_t n = 0;
    for (int64_t s = 0; s < of->drawn->n_sets; s++) {
        const int64_t *offsets = of->sampling->sets[s].offsets;
        const int64_t *drawer = of->drawn->drawer + s * of->drawn->n_parties;
        const int64_t end = of->shard->first_party[of->keeper + 1];
        for (int64_t i = of->shard->first_party[of->keeper]; i < end; i++) {
            const int64_t count = offsets[i + 1] - offsets[i];
            if (drawer[i] == of->drawer) {
                if (visit != NULL) {
                    visit(of, s, i, count, words + n);
                }
                n += 2 * count;
            }
        }
    }
    return n;
}

static void pack_rows(const parcel *of, int64_t set, int64_t party, int64_t count, int64_t *words)
{
    const drawn_rows *drawn = of->drawn;
    const int64_t first = drawn->first[set * drawn->n_parties + party];
    if (count > 0) {
        memcpy(words, drawn->indices + first, (size_t)count * sizeof *words);
        memcpy(words + count, drawn->values + first, (size_t)count * sizeof *words);
    }
}

static void unpack_rows(const parcel *of, int64_t set, int64_t party, int64_t count, int64_t *words)
{
    cgm_reward_set *kept = &of->sampling->sets[set];
    const int64_t first = kept->offsets[party] - kept->offsets[of->shard->first_party[of->keeper]];
    memcpy(kept->indices + first, words, (size_t)count * sizeof *words);
    memcpy(kept->values + first, words + count, (size_t)count * sizeof *words);
}

/* Every rank hands its parcels to the others, one a step. out, in: room for the largest. */
static void exchange_parcels(cgm_comm *comm, const parcel *base, int64_t *out, int64_t *in)
{
    for (int shift = 0; shift < comm->size; shift++) {
        parcel to = *base;
        parcel from = *base;
        to.drawer = from.keeper = comm->rank;
        to.keeper = (comm->rank + shift) % comm->size;
        from.drawer = (comm->rank - shift + comm->size) % comm->size;
        const size_t n_out = (size_t)visit_parcel(&to, pack_rows, out);
        const size_t n_in = (size_t)visit_parcel(&from, NULL, NULL);
        if (shift > 0) {
            cgm_comm_exchange(comm, out, n_out * sizeof *out, to.keeper, in, n_in * sizeof *in,
                              from.drawer);
        }
        visit_parcel(&from, unpack_rows, shift > 0 ? in : out);
    }
}

/* Words of the largest parcel that this rank sends (keeper varies) or receives. */
static int64_t largest_parcel(const cgm_comm *comm, const parcel *base, bool sent)
{
    int64_t most = 0;
    for (int r = 0; r < comm->size; r++) {
        parcel one = *base;
        one.drawer = sent ? comm->rank : r;
        one.keeper = sent ? r : comm->rank;
        const int64_t words = visit_parcel(&one, NULL, NULL);
        most = words > most ? words : most;
    }
    return most;
}

cgm_status drawn_rows_hand_over(cgm_comm *comm, const cgm_shard *shard, drawn_rows *drawn,
                                cgm_sampling *sampling)
{
    share_numbers(comm, drawn, sampling);
    const parcel base = {.shard = shard, .drawn = drawn, .sampling = sampling};
    int64_t *out = cgm_alloc(comm, largest_parcel(comm, &base, true), sizeof *out);
    int64_t *in = cgm_alloc(comm, largest_parcel(comm, &base, false), sizeof *in);
    bool complete = out != NULL && in != NULL;
    for (int64_t s = 0; s < sampling->n_sets; s++) {
        cgm_reward_set *set = &sampling->sets[s];
        const int64_t rows = set->offsets[shard->first_party[comm->rank + 1]] -
                             set->offsets[shard->first_party[comm->rank]];
        set->indices = cgm_alloc(comm, rows, sizeof *set->indices);
        set->values = cgm_alloc(comm, rows, sizeof *set->values);
        complete = complete && set->indices != NULL && set->values != NULL;
    }
    cgm_status status = cgm_agree(comm, complete ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        exchange_parcels(comm, &base, out, in);
    }
    free(out);
    free(in);
    return status;
}
