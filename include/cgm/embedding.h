/**
 * @file embedding.h
 * Kernel sums without moving a point (MATH.md §8): every party's mean of random Fourier features,
 * z(x) = F^-½ [cos ωᵀx, sin ωᵀx] for F frequencies ω, leaves its rank, and nothing else of its
 * points does. E z(x)ᵀz(y) = k(x, y), so that sums of k over two parties are products of their
 * means.
 */
#ifndef CGM_EMBEDDING_H
#define CGM_EMBEDDING_H

#include <stdbool.h>
#include <stdint.h>

#include "cgm/coalition.h"
#include "cgm/kernel_sums.h"
#include "cgm/pause.h"
#include "cgm/shapley.h"

/** What ranks tell each other of their parties' points. */
typedef enum cgm_values_exchange {
    CGM_VALUES_SHARDS,    /**< the points: values are exact */
    CGM_VALUES_EMBEDDINGS /**< mean embeddings */
} cgm_values_exchange;

/** Frequencies of each component where none are asked for and nothing is added to embeddings. */
enum {
    CGM_EMBEDDING_FREQUENCIES = 4096,
    CGM_EMBEDDING_FREQUENCIES_LEAST = 64, /**< whatever the noise */
    CGM_EMBEDDING_FREQUENCIES_MAX = 1 << 20
};
/** Batches of frequencies, which error bars come from. */
enum { CGM_EMBEDDING_BATCHES = 16 };

/** Random frequencies of a kernel: one component, or three where it is a sum of three. The same
 * bits on every rank. */
typedef struct cgm_frequencies {
    int64_t n_components;
    int64_t n_frequencies; /**< F, of each component */
    int64_t n_features;
    bool orthogonal;
    uint64_t seed;
    double *base;   /**< [n_components][n_frequencies][n_features] ω at lengthscale 1 */
    double *scaled; /**< the same at that of cgm_frequencies_scale */
} cgm_frequencies;

/**
 * Draw frequencies: counter-based, by seed, component and number.  Collective; rank 0 draws.
 * `se`: normal; `rq`: normal times √λ with λ ~ Gamma(a, rate a), a = 0.1, 1, 10. Orthogonal ones
 * come in blocks of n_features: the rows of a random rotation, each as long as a normal vector of
 * its own; of the last block as many as are needed.
 * @param[out] frequencies  the pair is cgm_frequencies_destroy, after errors too
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY.  Cost O(F d²) on rank 0 and O(F d)
 * bytes a rank.
 */
cgm_status cgm_frequencies_draw(cgm_comm *comm, cgm_kernel_type type, int64_t n_features,
                                int64_t n_frequencies, bool orthogonal, uint64_t seed,
                                cgm_frequencies *frequencies);

/** Local. Divide by the kernel's lengthscale, or by one a feature. */
void cgm_frequencies_scale(const cgm_kernel *kernel, cgm_frequencies *frequencies);

/** Local. Numbers of an embedding: a cosine and a sine of every frequency of every component. */
int64_t cgm_frequencies_numbers(const cgm_frequencies *frequencies);

/** Local. Accepts a zeroed struct. */
void cgm_frequencies_destroy(cgm_frequencies *frequencies);

/** Embeddings of all parties and of the pool, and how well they are known to give the values. */
typedef struct cgm_embedding {
    cgm_frequencies frequencies;
    int64_t n_parties;
    int64_t n_numbers; /**< of an embedding: [component][cosines, sines][frequency] */
    double *sigma;     /**< [n_parties] deviation of the noise that was added to each number */
    double *means;     /**< [n_parties][n_numbers] as they left their ranks; one copy a node */
    cgm_shared means_memory;
    double *pool;          /**< [n_numbers] Σ z over the candidates */
    double pool_sum;       /**< Γ, from pairs of candidates */
    double pool_sum_error; /**< standard error of it; 0: from all pairs */
    double level;          /**< by what products of pairs of points are too large there */

    /* Standard errors; NaN where there is a single batch. */
    double *single_error;  /**< [n_parties] of v({i}) */
    double *ceiling_error; /**< [n_parties] of v(D_i ∪ G) */
    double *phi_error;     /**< [n_parties] */
    double *alpha_error;   /**< [n_parties] */
    double grand_error;    /**< of v(N) */
    double *noise_error;   /**< [n_parties] what of single_error noise alone is expected to make */
} cgm_embedding;

typedef struct cgm_embedding_options {
    int64_t n_frequencies; /**< 0: as many as suit the noise */
    bool orthogonal;
    double epsilon, delta; /**< differential privacy of each party's mean; INFINITY: no noise */
    uint64_t seed;
} cgm_embedding_options;

/** Local. The deviation of the noise that a party's mean takes: of m points, when one of them is
 * replaced the mean moves by at most 2 √κ/m (MATH.md §8). */
double cgm_embedding_sigma(cgm_kernel_type type, const cgm_embedding_options *options,
                           int64_t n_points);

/** Local. F: asked for, or 4096 without noise; under it more frequencies are not better, and there
 * are max(64, min(4096, ⌊0.05/max σ²⌋)). */
int64_t cgm_embedding_frequencies(const cgm_shard *shard, cgm_kernel_type type,
                                  const cgm_embedding_options *options);

/**
 * Make room, find how much noise there will be, and draw the frequencies.  Collective.
 * @param[out] embedding  the pair is cgm_embedding_destroy, after errors too
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY
 */
cgm_status cgm_embedding_create(cgm_comm *comm, const cgm_shard *shard, cgm_kernel_type type,
                                const cgm_embedding_options *options, cgm_embedding *embedding);

/**
 * The parties' means at the kernel's lengthscale.  Collective.  Every party is whole on the rank
 * that read it (shard.h, sealed); there its mean is completed from exact sums over fixed blocks of
 * its points, noise is added, and only then is it told to the others: the same bits at every number
 * of ranks and threads, where no noise is added.
 * @param[in]     pause      nothing is handed over: what is half done is lost where a run ends; or
 *                           NULL
 * @param[in,out] embedding  created; sigma stands
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY, CGM_ERR_INPUT (a coordinate over the
 * lengthscale is not finite), or what the pause returned.  Cost O(points·F·(d + a cosine)) shared
 * among the ranks, N numbers of the embedding sent.
 */
cgm_status cgm_embedding_measure(cgm_comm *comm, const cgm_shard *shard, const cgm_kernel *kernel,
                                 const cgm_pause *pause, cgm_embedding *embedding);

/**
 * As cgm_embedding_measure, with means that an earlier run told.  Collective.
 * @param[in] first_party  [size + 1] those of each rank
 * @param[in] means        of this rank's parties, [parties][n_numbers]
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY
 */
cgm_status cgm_embedding_take_means(cgm_comm *comm, const int64_t *first_party, const double *means,
                                    cgm_embedding *embedding);

/**
 * Kernel sums from the means and the pool.  Collective.  S_ij = m_i m_j μ_iᵀμ_j; of S_ii what noise
 * adds on average is taken off. Two passes over the pool. The pool is no secret: Γ comes from pairs
 * of its points, and what its embedding errs by, a pair, is taken off every sum. Its mean over the
 * frequencies is 0, so that sums are right on average as before; but parties' and pool's points are
 * much alike, and so are their errors. Distances between embeddings remain what they are.
 * @param[in]     pause      as above, but the means, which others know by now, must be kept; or
 * NULL
 * @param[in,out] embedding  means stand; pool is filled in
 * @param[out]    sums       as cgm_kernel_sums_compute, without layers; the pair is
 *                           cgm_kernel_sums_destroy, after errors too
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY, CGM_ERR_INPUT.  Cost O(g·F·(d + a
 * cosine) + N²F) shared among the ranks.
 */
cgm_status cgm_embedding_sums(cgm_comm *comm, const cgm_shard *shard,
                              const cgm_candidates *candidates, const cgm_kernel *kernel,
                              const cgm_pause *pause, cgm_embedding *embedding,
                              cgm_kernel_sums *sums);

/**
 * Standard errors of values and Shapley values.  Collective.  All are linear in the sums, and the
 * sums are means over independent batches of frequencies: their scatter over the batches is the
 * error of the mean, noise included. Where orthogonal blocks are fewer than batches, batches cut
 * them, whose parts hold each other's errors down: then the error is on the large side.
 * @param[in]     sums, values, shapley  of all frequencies
 * What noise makes of v({i}) alone follows from σ (MATH.md §8).
 * @param[in,out] embedding              the errors are filled in
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY, CGM_ERR_USAGE.  Cost that of
 * coalition and Shapley values once a batch, and O(N²F) in all.
 */
cgm_status cgm_embedding_errors(cgm_comm *comm, const cgm_shard *shard, const cgm_kernel_sums *sums,
                                const cgm_values *values, const cgm_shapley *shapley,
                                cgm_shapley_method method, const cgm_semivalue *semivalue,
                                double tolerance, cgm_embedding *embedding);

/**
 * The sums that rewards start from: Σ k over all pairs of points of a party, exactly, by the rank
 * that has them.  Collective.
 * @param[in,out] sums  start_sums is filled in
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY.  Cost Σ O(m_i² d) shared among the
 * ranks as parties are.
 */
cgm_status cgm_embedding_own_sums(cgm_comm *comm, const cgm_shard *shard, const cgm_kernel *kernel,
                                  cgm_kernel_sums *sums);

/**
 * v({i}) of all parties at the kernel's lengthscale from embeddings alone, and its slope.
 * Collective; one reduction of an embedding, or two.  MATH.md §3, §8.
 * @param[in,out] frequencies  become those of the kernel's lengthscale
 * @param[out]    values       [n_parties]
 * @param[out]    slopes       [n_parties] ∂v({i})/∂(log ℓ), or NULL
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY, CGM_ERR_INPUT
 */
cgm_status cgm_embedding_single_values(cgm_comm *comm, const cgm_shard *shard,
                                       const cgm_candidates *candidates, const cgm_kernel *kernel,
                                       cgm_frequencies *frequencies, double *values,
                                       double *slopes);

/** Collective over the node (shared memory). Accepts a zeroed struct. */
void cgm_embedding_destroy(cgm_embedding *embedding);

#endif
