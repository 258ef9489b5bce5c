#include <stdlib.h>
#include <string.h>

#include "cgm/sampling.h"

cgm_status cgm_sampling_partial_create(cgm_comm *comm, int64_t n_chains,
                                       cgm_sampling_partial *partial)
{
    *partial = (cgm_sampling_partial){.n_chains = n_chains};
    int64_t **counts[] = {&partial->finished, &partial->draws, &partial->reached, &partial->n_rows,
                          &partial->first_row};
    bool complete = true;
    for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
        *counts[k] = cgm_alloc(comm, n_chains, sizeof(int64_t));
        complete = complete && *counts[k] != NULL;
    }
    return complete ? CGM_OK : CGM_ERR_MEMORY;
}

cgm_status cgm_sampling_partial_allocate(cgm_comm *comm, int64_t n_rows,
                                         cgm_sampling_partial *partial)
{
    partial->indices = cgm_alloc(comm, n_rows, sizeof *partial->indices);
    partial->values = cgm_alloc(comm, n_rows, sizeof *partial->values);
    return partial->indices != NULL && partial->values != NULL ? CGM_OK : CGM_ERR_MEMORY;
}

/* Rows of the parties kept by ranks before this one, and by this one, at one inverse temperature.
 */
static void count_rows(const cgm_shard *shard, const cgm_reward_set *set, int rank, int64_t *first,
                       int64_t *count)
{
    *first = set->offsets[shard->first_party[rank]];
    *count = set->offsets[shard->first_party[rank + 1]] - *first;
}

/* Numbers rows through: rank by rank, inverse temperature by inverse temperature, party by party.
 */
static void number_rows(const cgm_comm *comm, const cgm_shard *shard, const cgm_sampling *sampling,
                        cgm_sampling_partial *partial)
{
    const int64_t n = shard->n_parties;
    int64_t next = 0;
    for (int r = 0; r < comm->size; r++) {
        partial->first_local = r == comm->rank ? next : partial->first_local;
        for (int64_t s = 0; s < sampling->n_sets; s++) {
            const int64_t *offsets = sampling->sets[s].offsets;
            for (int64_t i = shard->first_party[r]; i < shard->first_party[r + 1]; i++) {
                partial->n_rows[s * n + i] = offsets[i + 1] - offsets[i];
                partial->first_row[s * n + i] = next;
                next += partial->n_rows[s * n + i];
            }
        }
        partial->n_local = r == comm->rank ? next - partial->first_local : partial->n_local;
    }
    partial->total_rows = next;
}

cgm_status cgm_sampling_whole(cgm_comm *comm, const cgm_shard *shard, const cgm_sampling *sampling,
                              cgm_sampling_partial *partial)
{
    const int64_t n = shard->n_parties;
    int64_t n_rows = 0;
    for (int64_t s = 0; s < sampling->n_sets; s++) {
        int64_t first;
        int64_t count;
        count_rows(shard, &sampling->sets[s], comm->rank, &first, &count);
        n_rows += count;
    }
    cgm_status status = cgm_sampling_partial_create(comm, sampling->n_sets * n, partial);
    if (status == CGM_OK) {
        status = cgm_sampling_partial_allocate(comm, n_rows, partial);
    }
    status = cgm_agree(comm, status);
    if (status != CGM_OK) {
        return status;
    }
    number_rows(comm, shard, sampling, partial);
    int64_t place = 0;
    for (int64_t s = 0; s < sampling->n_sets; s++) {
        const cgm_reward_set *set = &sampling->sets[s];
        int64_t first;
        int64_t count;
        count_rows(shard, set, comm->rank, &first, &count);
        if (count > 0) {
            memcpy(partial->indices + place, set->indices, (size_t)count * sizeof *set->indices);
            memcpy(partial->values + place, set->values, (size_t)count * sizeof *set->values);
        }
        place += count;
        for (int64_t i = 0; i < n; i++) {
            partial->finished[s * n + i] = 1;
            partial->draws[s * n + i] = set->draws[i];
            partial->reached[s * n + i] = set->reached[i];
        }
    }
    return CGM_OK;
}

void cgm_sampling_partial_destroy(cgm_sampling_partial *partial)
{
    free(partial->finished);
    free(partial->draws);
    free(partial->reached);
    free(partial->n_rows);
    free(partial->first_row);
    free(partial->indices);
    free(partial->values);
    *partial = (cgm_sampling_partial){0};
}
