/**
 * @file kernel_sums_growing.h
 * The kernel sums while they grow on a rank; internal to kernel_sums.c and kernel_sums_finish.c.
 */
#ifndef CGM_KERNEL_SUMS_GROWING_H
#define CGM_KERNEL_SUMS_GROWING_H

#include <omp.h>

#include "cgm/kernel_sums.h"

/**
 * Where parties are whole (shard.h) a rank grows the rows of S of its own parties, and after each
 * meeting hands over what belongs to the rows of the rank it met. Otherwise there are fewer parties
 * than ranks: every rank grows all rows, and they are reduced in the end. */
typedef struct growing_sums {
    cgm_comm *comm;
    const cgm_shard *shard;
    const cgm_candidates *candidates;
    const cgm_kernel *kernel;
    int64_t first, end;                    /* rows that grow here */
    cgm_accumulator *party_sums;           /* [end - first][N] */
    cgm_accumulator *party_candidate_sums; /* [N + 1] X, then Γ */
    int64_t n_layers;                      /* of u */
    cgm_accumulators home_candidate_sums;  /* [n_layers][slice] of the candidates at home here */
    cgm_accumulators guest_candidate_sums; /* [n_layers][slice] of the candidates met */
    cgm_units units;
    omp_lock_t *locks; /* [n_locks] of u, a block of the pool each */
    int64_t n_locks;
    cgm_accumulator *leaving;  /* [PIECE] */
    cgm_accumulator *arriving; /* [PIECE] */
} growing_sums;

/** Local. S of parties i, whose row grows here, and j. */
static inline cgm_accumulator *growing_entry(const growing_sums *sums, int64_t i, int64_t j)
{
    return &sums->party_sums[(i - sums->first) * sums->shard->n_parties + j];
}

/** Local. The other one of two rows that both grow here. */
void growing_mirror(const growing_sums *sums);

/** Room for results.  Collective.  CGM_OK, CGM_ERR_MEMORY. */
cgm_status kernel_sums_create(cgm_comm *comm, const cgm_shard *shard,
                              const cgm_candidates *candidates, const cgm_kernel *kernel,
                              cgm_kernel_sums *sums);

/** Exact sums become doubles, each on the ranks that hold it.  Collective.  Takes what it can of
 * growing.  CGM_OK, CGM_ERR_MEMORY. */
cgm_status kernel_sums_finish(growing_sums *growing, cgm_kernel_sums *sums);

#endif
