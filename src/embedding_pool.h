/**
 * @file embedding_pool.h
 * The pool's kernel with itself, without an embedding; internal to the embeddings.
 */
#ifndef CGM_EMBEDDING_POOL_H
#define CGM_EMBEDDING_POOL_H

#include "cgm/generator.h"
#include "cgm/kernel.h"

/** Γ = Σ k over all pairs of candidates, or an estimate of it. */
typedef struct embedding_pool_sum {
    double value;
    double slope; /**< ∂Γ/∂(log ℓ), where it is asked for */
    double error; /**< standard error of value; 0: all pairs were evaluated */
} embedding_pool_sum;

/**
 * Γ from the pairs of some of the pool's blocks.  Collective.  Candidate c is in block c mod B, so
 * that each block is like the pool as a whole in whatever order that comes. Block b is taken with
 * itself and with blocks b + o, for a few offsets o drawn by the seed from 1 .. B − 1, for which
 * all others stand: on average over the seeds that is Γ, and as every candidate is in equally many
 * pairs it is far closer than as many pairs drawn at random. Small pools have no other offsets.
 * @param[in]  candidates  whole on every node
 * @param[out] sum         the same bits at every number of ranks and threads
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY.  Cost O(g·d) shared among the ranks
 */
cgm_status embedding_sum_pool(cgm_comm *comm, const cgm_candidates *candidates,
                              const cgm_kernel *kernel, uint64_t seed, bool slopes,
                              embedding_pool_sum *sum);

/** Local. Pairs that a rank evaluates there. */
double embedding_pool_pairs(int64_t n_candidates, uint64_t seed, int size, int rank);

/** Local. Exact sums that are reduced there, and as many of slopes. */
int embedding_pool_sums(int64_t n_candidates);

/** Local. Bytes of work space. */
double embedding_pool_bytes(int64_t n_features, int64_t threads);

#endif
