/**
 * @file embedding_products.h
 * Products of embeddings, of all frequencies or of a batch of them; internal to the embeddings.
 */
#ifndef CGM_EMBEDDING_PRODUCTS_H
#define CGM_EMBEDDING_PRODUCTS_H

#include "cgm/embedding.h"

/** Frequencies first .. first + count - 1 of every component. */
typedef struct embedding_batch {
    int64_t first;
    int64_t count;
} embedding_batch;

/** Local. How many batches there are, of at least one frequency each. */
int embedding_count_batches(const cgm_frequencies *frequencies);

/** Local. Batch b: whole orthogonal blocks, where there are as many. */
embedding_batch embedding_batch_of(const cgm_frequencies *frequencies, int b);

/** Local. What is taken off every product of two points' embeddings, of all frequencies: the mean
 * error of the pool's with itself. */
double embedding_level(const cgm_embedding *embedding, int64_t n_candidates);

/**
 * Everything of sums but u, from the means and the pool.  Collective.
 * @param[in]     batch  of frequencies, which alone are used; -1: all
 * @param[in,out] sums   with room (kernel_sums_create)
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY
 */
cgm_status embedding_party_sums(cgm_comm *comm, const cgm_shard *shard,
                                const cgm_embedding *embedding, int batch, cgm_kernel_sums *sums);

#endif
