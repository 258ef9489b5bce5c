#include "cgm/sampling.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/log.h"
#include "cgm/tolerance.h"

/* ---- the pool ---- */

/* Memory of the packed pool in doubles, and its blocks when blocks is not NULL. */
static int64_t list_pool_blocks(const cgm_candidates *candidates, cgm_block *blocks,
                                double *coordinates)
{
    int64_t used = 0;
    for (int64_t first = 0; first < candidates->n_points; first += CGM_BLOCK_POINTS) {
        int64_t count = candidates->n_points - first;
        count = count < CGM_BLOCK_POINTS ? count : CGM_BLOCK_POINTS;
        const int64_t stride = (count + CGM_LANES - 1) / CGM_LANES * CGM_LANES;
        if (blocks != NULL) {
            blocks[first / CGM_BLOCK_POINTS] = (cgm_block){.first = first,
                                                           .n_points = count,
                                                           .stride = stride,
                                                           .coordinates = coordinates + used};
        }
        used += candidates->n_features * stride;
    }
    return used;
}

cgm_status cgm_sampling_pool_create(cgm_comm *comm, const cgm_candidates *candidates,
                                    const cgm_kernel *kernel, const cgm_kernel_sums *sums,
                                    cgm_sampling_pool *pool)
{
    *pool = (cgm_sampling_pool){.kernel = kernel,
                                .n_candidates = candidates->n_points,
                                .n_reference = sums->n_reference,
                                .candidate_sums = sums->candidate_sums};
    pool->n_blocks = (pool->n_candidates + CGM_BLOCK_POINTS - 1) / CGM_BLOCK_POINTS;
    pool->blocks = cgm_alloc(comm, pool->n_blocks, sizeof(cgm_block));
    cgm_status status = cgm_agree(comm, pool->blocks == NULL ? CGM_ERR_MEMORY : CGM_OK);
    if (status == CGM_OK) {
        const size_t bytes = (size_t)list_pool_blocks(candidates, NULL, NULL) * sizeof(double);
        status = cgm_shared_create(comm, bytes, &pool->memory);
    }
    if (status != CGM_OK) {
        return status;
    }
    list_pool_blocks(candidates, pool->blocks, pool->memory.data);
    for (int64_t b = comm->node_rank; b < pool->n_blocks; b += comm->node_size) {
        cgm_kernel_pack(kernel, candidates->points + pool->blocks[b].first * candidates->n_features,
                        &pool->blocks[b]);
    }
    cgm_shared_sync(comm, &pool->memory);
    return CGM_OK;
}

void cgm_sampling_pool_destroy(cgm_sampling_pool *pool)
{
    free(pool->blocks);
    cgm_shared_destroy(&pool->memory);
    *pool = (cgm_sampling_pool){0};
}

cgm_status cgm_sampling_affinity(cgm_comm *comm, const cgm_sampling_pool *pool,
                                 const double *points, int64_t n_points, double *affinity)
{
    const int64_t d = pool->kernel->n_features;
    double row_sums[CGM_BLOCK_POINTS];
    double column_sums[CGM_BLOCK_POINTS];
    cgm_block own = {.coordinates = cgm_alloc(comm, d * CGM_BLOCK_POINTS, sizeof(double))};
    if (own.coordinates == NULL) {
        return CGM_ERR_MEMORY;
    }
    memset(affinity, 0, (size_t)pool->n_candidates * sizeof(double));
    for (int64_t first = 0; first < n_points; first += CGM_BLOCK_POINTS) {
        own.n_points = n_points - first < CGM_BLOCK_POINTS ? n_points - first : CGM_BLOCK_POINTS;
        own.stride = (own.n_points + CGM_LANES - 1) / CGM_LANES * CGM_LANES;
        cgm_kernel_pack(pool->kernel, points + first * d, &own);
        for (int64_t b = 0; b < pool->n_blocks; b++) {
            const cgm_block *block = &pool->blocks[b];
            cgm_kernel_tile(pool->kernel, &own, block, row_sums, column_sums);
            for (int64_t c = 0; c < block->n_points; c++) {
                affinity[block->first + c] += column_sums[c];
            }
        }
    }
    comm->counters.kernel_evaluations += n_points * pool->n_candidates;
    free(own.coordinates);
    return CGM_OK;
}

/* ---- one chain ---- */

/* v(Y) from the running sums (MATH.md §2, with Y for the coalition). */
static double current_value(const cgm_chain *chain)
{
    return cgm_coalition_formula(chain->pool->n_reference, (double)chain->n_own,
                                 chain->reference_sum, chain->own_sum);
}

/* w_c = (m+1) u_c / n − a_c: an increasing affine image of the gain of candidate c (MATH.md §6). */
static double score_factor(const cgm_chain *chain)
{
    return (double)(chain->n_own + 1) / (double)chain->pool->n_reference;
}

static double score_of(const cgm_chain *chain, int64_t candidate)
{
    return score_factor(chain) * chain->pool->candidate_sums[candidate] -
           chain->affinity[candidate];
}

/* Add row to the affinities of a block and bring the extremes of w up to date. Extremes are kept in
 * lanes, so that the compiler can keep them in vector registers; they do not depend on the order.
 */
static void update_block(const cgm_chain *chain, const cgm_block *block, const double *restrict row,
                         double *restrict low, double *restrict high)
{
    const double factor = score_factor(chain);
    const double *restrict u = chain->pool->candidate_sums + block->first;
    const double *restrict mask = chain->mask + block->first;
    double *restrict a = chain->affinity + block->first;
    const int64_t whole = block->n_points / CGM_LANES * CGM_LANES;
    for (int64_t c = 0; c < whole; c += CGM_LANES) {
        for (int l = 0; l < CGM_LANES; l++) {
            a[c + l] += row[c + l];
            const double w = factor * u[c + l] - a[c + l];
            const double from_below = w + mask[c + l];
            const double from_above = w - mask[c + l];
            low[l] = from_below < low[l] ? from_below : low[l];
            high[l] = from_above > high[l] ? from_above : high[l];
        }
    }
    for (int64_t c = whole; c < block->n_points; c++) {
        a[c] += row[c];
        const double w = factor * u[c] - a[c];
        low[0] = w + mask[c] < low[0] ? w + mask[c] : low[0];
        high[0] = w - mask[c] > high[0] ? w - mask[c] : high[0];
    }
}

/* One pass over the pool: with the kernel row of point of from, or without any when from is NULL.
 */
static void update_scores(cgm_chain *chain, const cgm_block *from, int64_t point)
{
    double low[CGM_LANES];
    double high[CGM_LANES];
    for (int l = 0; l < CGM_LANES; l++) {
        low[l] = INFINITY;
        high[l] = -INFINITY;
    }
    memset(chain->row, 0, CGM_BLOCK_POINTS * sizeof(double));
    for (int64_t b = 0; b < chain->pool->n_blocks; b++) {
        const cgm_block *block = &chain->pool->blocks[b];
        if (from != NULL) {
            cgm_kernel_row(chain->pool->kernel, from, point, block, chain->row);
        }
        update_block(chain, block, chain->row, low, high);
    }
    chain->low = INFINITY;
    chain->high = -INFINITY;
    for (int l = 0; l < CGM_LANES; l++) {
        chain->low = fmin(chain->low, low[l]);
        chain->high = fmax(chain->high, high[l]);
    }
}

cgm_status cgm_chain_create(cgm_comm *comm, const cgm_sampling_pool *pool, const double *affinity,
                            double own_sum, double reference_sum, int64_t n_own, double inv_temp,
                            double target, double patience, uint64_t seed, const char *name,
                            cgm_chain *chain)
{
    const int64_t g = pool->n_candidates;
    const uint64_t stream = cgm_rng_hash(name);
    *chain = (cgm_chain){.pool = pool,
                         .inv_temp = inv_temp,
                         .target = target,
                         .proposal = {seed, stream, CGM_RNG_PROPOSAL},
                         .inverse = {seed, stream, CGM_RNG_INVERSE},
                         .n_own = n_own,
                         .own_sum = own_sum,
                         .reference_sum = reference_sum};
    /* A tenth of 70 is 7, though 0.1 · 70 in doubles lies just above. */
    const double exact = patience * (double)g * (1.0 - 4.0 * DBL_EPSILON);
    chain->patience = (int64_t)fmax(1.0, ceil(exact));
    chain->affinity = cgm_alloc(comm, g, sizeof(double));
    chain->mask = cgm_alloc(comm, g, sizeof(double));
    chain->row = cgm_alloc(comm, CGM_BLOCK_POINTS, sizeof(double));
    chain->block_weight = cgm_alloc(comm, pool->n_blocks, sizeof(double));
    chain->indices = cgm_alloc(comm, g, sizeof(int64_t));
    chain->values = cgm_alloc(comm, g, sizeof(double));
    if (chain->affinity == NULL || chain->mask == NULL || chain->row == NULL ||
        chain->block_weight == NULL || chain->indices == NULL || chain->values == NULL) {
        return CGM_ERR_MEMORY;
    }
    memcpy(chain->affinity, affinity, (size_t)g * sizeof(double));
    chain->value = current_value(chain);
    chain->best = chain->value;
    update_scores(chain, NULL, 0);
    return CGM_OK;
}

void cgm_chain_destroy(cgm_chain *chain)
{
    free(chain->affinity);
    free(chain->mask);
    free(chain->row);
    free(chain->block_weight);
    free(chain->indices);
    free(chain->values);
    *chain = (cgm_chain){0};
}

/* Is the spread of the scores no more than rounding, so that all candidates count as equal? */
static bool scores_equal(const cgm_chain *chain)
{
    const double largest = fmax(fabs(chain->low), fabs(chain->high));
    const double ulp = nextafter(largest, INFINITY) - largest;
    return chain->high - chain->low <= CGM_SPREAD_ULPS * ulp;
}

/* β(1 − Δ̄_c) ≥ 0: candidate c has probability ∝ exp of its negative. */
static double exponent_of(const cgm_chain *chain, bool equal, int64_t candidate)
{
    if (equal) {
        return 0.0;
    }
    const double share = (score_of(chain, candidate) - chain->low) / (chain->high - chain->low);
    return chain->inv_temp * fmax(0.0, 1.0 - share);
}

static bool is_taken(const cgm_chain *chain, int64_t candidate)
{
    return chain->mask[candidate] != 0.0;
}

/* β as a counter: its bits, so that every β has numbers of its own. */
static uint64_t inv_temp_counter(const cgm_chain *chain)
{
    uint64_t bits;
    memcpy(&bits, &chain->inv_temp, sizeof bits);
    return bits;
}

int64_t cgm_chain_pick_rejection(cgm_chain *chain, int64_t proposals)
{
    const bool equal = scores_equal(chain);
    const uint64_t beta = inv_temp_counter(chain);
    const double g = (double)chain->pool->n_candidates;
    for (int64_t k = 0; k < proposals; k++) {
        uint64_t words[4];
        cgm_rng_words(&chain->proposal, beta, (uint64_t)chain->n_draws, (uint64_t)k, words);
        const int64_t candidate = (int64_t)(cgm_rng_uniform(words[0]) * g);
        if (is_taken(chain, candidate)) {
            continue;
        }
        const double exponent = exponent_of(chain, equal, candidate);
        const double uniform = cgm_rng_uniform(words[1]);
        double probability = 1.0 - exponent; /* exp(-z) ≥ 1 - z spares most exponentials */
        if (uniform >= probability) {
            cgm_kernel_exponential(&exponent, &probability, 1);
        }
        if (uniform < probability) {
            return candidate;
        }
    }
    return -1;
}

/* Weight of every candidate of a block, 0 for taken ones, in pool order. */
static void block_weights(const cgm_chain *chain, bool equal, const cgm_block *block,
                          double *weights)
{
    for (int64_t c = 0; c < block->n_points; c++) {
        weights[c] = exponent_of(chain, equal, block->first + c);
    }
    cgm_kernel_exponential(weights, weights, block->n_points);
    for (int64_t c = 0; c < block->n_points; c++) {
        weights[c] = is_taken(chain, block->first + c) ? 0.0 : weights[c];
    }
}

int64_t cgm_chain_pick_inverse(cgm_chain *chain, double uniform)
{
    const cgm_sampling_pool *pool = chain->pool;
    const bool equal = scores_equal(chain);
    double total = 0.0;
    for (int64_t b = 0; b < pool->n_blocks; b++) {
        double sum = 0.0;
        block_weights(chain, equal, &pool->blocks[b], chain->row);
        for (int64_t c = 0; c < pool->blocks[b].n_points; c++) {
            sum += chain->row[c];
        }
        chain->block_weight[b] = sum;
        total += sum;
    }
    const double threshold = uniform * total;
    double below = 0.0;
    int64_t chosen = 0;
    while (chosen < pool->n_blocks - 1 && !(below + chain->block_weight[chosen] > threshold)) {
        below += chain->block_weight[chosen++];
    }
    /* Rounding may put the threshold just beyond the last block with any weight. */
    while (chosen > 0 && chain->block_weight[chosen] == 0.0) {
        chosen--;
    }
    const cgm_block *block = &pool->blocks[chosen];
    block_weights(chain, equal, block, chain->row);
    double sum = 0.0;
    int64_t last = -1;
    for (int64_t c = 0; c < block->n_points; c++) {
        if (chain->row[c] > 0.0) {
            last = block->first + c;
            sum += chain->row[c];
            if (below + sum > threshold) {
                break;
            }
        }
    }
    return last;
}

/* The candidate with the largest score, of several the first. */
static int64_t pick_greedy(const cgm_chain *chain)
{
    int64_t best = -1;
    double largest = -INFINITY;
    for (int64_t c = 0; c < chain->pool->n_candidates; c++) {
        if (!is_taken(chain, c) && score_of(chain, c) > largest) {
            largest = score_of(chain, c);
            best = c;
        }
    }
    return best;
}

int64_t cgm_chain_pick(cgm_chain *chain, void *state)
{
    (void)state;
    if (isinf(chain->inv_temp)) {
        return pick_greedy(chain);
    }
    int64_t candidate = cgm_chain_pick_rejection(chain, CGM_SAMPLING_PROPOSALS);
    if (candidate < 0) {
        uint64_t words[4];
        cgm_rng_words(&chain->inverse, inv_temp_counter(chain), (uint64_t)chain->n_draws, 0, words);
        candidate = cgm_chain_pick_inverse(chain, cgm_rng_uniform(words[0]));
    }
    return candidate;
}

void cgm_chain_add(cgm_comm *comm, cgm_chain *chain, int64_t candidate)
{
    const cgm_sampling_pool *pool = chain->pool;
    const cgm_block *block = &pool->blocks[candidate / CGM_BLOCK_POINTS];
    chain->own_sum += 2.0 * chain->affinity[candidate] + cgm_kernel_diagonal(pool->kernel);
    chain->reference_sum += pool->candidate_sums[candidate];
    chain->n_own++;
    chain->mask[candidate] = INFINITY;
    chain->value = current_value(chain);
    chain->indices[chain->n_draws] = candidate;
    chain->values[chain->n_draws] = chain->value;
    chain->n_draws++;
    if (chain->value > chain->best) {
        chain->best = chain->value;
        chain->best_draws = chain->n_draws;
    }
    update_scores(chain, block, candidate - block->first);
    comm->counters.kernel_evaluations += pool->n_candidates;
}

void cgm_chain_run(cgm_comm *comm, cgm_chain *chain, cgm_pick pick, void *state)
{
    const double enough = chain->target - CGM_TARGET_REACHED * fabs(chain->target);
    for (;;) {
        chain->reached = chain->value >= enough;
        if (chain->reached || chain->n_draws - chain->best_draws >= chain->patience ||
            chain->n_draws == chain->pool->n_candidates) {
            return;
        }
        cgm_chain_add(comm, chain, pick(chain, state));
    }
}

/* ---- all parties ---- */

/* What the parties of one rank share while they draw. */
typedef struct party_drawing {
    cgm_comm *comm;
    const cgm_shard *shard;
    const cgm_kernel_sums *sums;
    const cgm_reward *reward;
    const cgm_sampling_pool *pool;
    double patience;
    uint64_t seed;
    cgm_progress progress;
} party_drawing;

/* Append the reward of a finished chain to its set: the prefix that ends at the largest value, or
 * all of it when the target is reached (MATH.md §6). */
static cgm_status keep_reward(cgm_comm *comm, const cgm_chain *chain, int64_t party,
                              int64_t n_before, cgm_reward_set *set)
{
    const int64_t count = chain->reached ? chain->n_draws : chain->best_draws;
    const size_t total = (size_t)(n_before + count);
    int64_t *indices = realloc(set->indices, (total + 1) * sizeof *indices);
    set->indices = indices != NULL ? indices : set->indices;
    double *values = realloc(set->values, (total + 1) * sizeof *values);
    set->values = values != NULL ? values : set->values;
    if (indices == NULL || values == NULL) {
        return cgm_fail(comm, CGM_ERR_MEMORY, "no memory for %zu synthetic points", total);
    }
    memcpy(indices + n_before, chain->indices, (size_t)count * sizeof *indices);
    memcpy(values + n_before, chain->values, (size_t)count * sizeof *values);
    set->offsets[party + 1] = count; /* a count until all ranks know all counts */
    set->draws[party] = chain->n_draws;
    set->reached[party] = chain->reached;
    return CGM_OK;
}

/* One party at every inverse temperature. affinity [n_candidates] is its start; kept [n_sets] rows
 * that this rank holds so far. */
static cgm_status draw_party(party_drawing *drawing, int64_t local, const double *affinity,
                             cgm_sampling *sampling, int64_t *kept)
{
    cgm_comm *comm = drawing->comm;
    const cgm_kernel_sums *sums = drawing->sums;
    const int64_t party = drawing->shard->first_party[comm->rank] + local;
    const int64_t parties = drawing->shard->n_local_parties;
    cgm_status status = CGM_OK;
    for (int64_t s = 0; s < sampling->n_sets && status == CGM_OK; s++) {
        cgm_reward_set *set = &sampling->sets[s];
        cgm_chain chain = {0};
        status = cgm_chain_create(comm, drawing->pool, affinity,
                                  sums->party_sums[party * sums->n_parties + party],
                                  sums->reference_sums[party], sums->party_points[party],
                                  set->inv_temp, drawing->reward->r[party], drawing->patience,
                                  drawing->seed, drawing->shard->names[party], &chain);
        if (status == CGM_OK) {
            set->start_value[party] = chain.value;
            cgm_chain_run(comm, &chain, cgm_chain_pick, NULL);
            status = keep_reward(comm, &chain, party, kept[s], set);
            kept[s] += set->offsets[party + 1];
        }
        cgm_chain_destroy(&chain);
        cgm_progress_report(comm, &drawing->progress, (double)(local * sampling->n_sets + s + 1),
                            (double)(parties * sampling->n_sets));
    }
    return status;
}

static cgm_status draw_local_parties(party_drawing *drawing, cgm_sampling *sampling)
{
    cgm_comm *comm = drawing->comm;
    const cgm_shard *shard = drawing->shard;
    const cgm_sampling_pool *pool = drawing->pool;
    double *affinity = cgm_alloc(comm, pool->n_candidates, sizeof(double));
    int64_t *kept = cgm_alloc(comm, sampling->n_sets, sizeof(int64_t));
    cgm_status status = affinity == NULL || kept == NULL ? CGM_ERR_MEMORY : CGM_OK;
    for (int64_t local = 0; local < shard->n_local_parties && status == CGM_OK; local++) {
        const int64_t first = shard->local_first[local];
        status = cgm_sampling_affinity(comm, pool, shard->points + first * shard->n_features,
                                       shard->local_first[local + 1] - first, affinity);
        if (status == CGM_OK) {
            status = draw_party(drawing, local, affinity, sampling, kept);
        }
    }
    free(affinity);
    free(kept);
    return status;
}

static cgm_status sampling_create(cgm_comm *comm, int64_t n_parties, const double *inv_temp,
                                  int64_t n_inv_temp, cgm_sampling *sampling)
{
    *sampling = (cgm_sampling){.sets = cgm_alloc(comm, n_inv_temp, sizeof(cgm_reward_set))};
    if (sampling->sets == NULL) {
        return CGM_ERR_MEMORY;
    }
    sampling->n_sets = n_inv_temp;
    for (int64_t s = 0; s < n_inv_temp; s++) {
        cgm_reward_set *set = &sampling->sets[s];
        set->inv_temp = inv_temp[s];
        set->offsets = cgm_alloc(comm, n_parties + 1, sizeof(int64_t));
        set->start_value = cgm_alloc(comm, n_parties, sizeof(double));
        set->draws = cgm_alloc(comm, n_parties, sizeof(int64_t));
        set->reached = cgm_alloc(comm, n_parties, sizeof(int64_t));
        if (set->offsets == NULL || set->start_value == NULL || set->draws == NULL ||
            set->reached == NULL) {
            return CGM_ERR_MEMORY;
        }
    }
    return CGM_OK;
}

/* Every rank learns about every party; counts become offsets. */
static void share_results(cgm_comm *comm, const cgm_shard *shard, cgm_sampling *sampling)
{
    for (int64_t s = 0; s < sampling->n_sets; s++) {
        cgm_reward_set *set = &sampling->sets[s];
        cgm_comm_all_gather(comm, set->offsets + 1, shard->first_party, sizeof(int64_t));
        cgm_comm_all_gather(comm, set->start_value, shard->first_party, sizeof(double));
        cgm_comm_all_gather(comm, set->draws, shard->first_party, sizeof(int64_t));
        cgm_comm_all_gather(comm, set->reached, shard->first_party, sizeof(int64_t));
        for (int64_t i = 0; i < shard->n_parties; i++) {
            set->offsets[i + 1] += set->offsets[i];
        }
    }
}

cgm_status cgm_sampling_draw(cgm_comm *comm, const cgm_shard *shard,
                             const cgm_candidates *candidates, const cgm_kernel *kernel,
                             const cgm_kernel_sums *sums, const cgm_reward *reward,
                             const double *inv_temp, int64_t n_inv_temp, double patience,
                             uint64_t seed, cgm_sampling *sampling)
{
    cgm_sampling_pool pool = {0};
    cgm_status status =
        cgm_agree(comm, sampling_create(comm, shard->n_parties, inv_temp, n_inv_temp, sampling));
    if (status == CGM_OK) {
        status = cgm_sampling_pool_create(comm, candidates, kernel, sums, &pool);
    }
    if (status == CGM_OK) {
        party_drawing own = {comm,  shard,    sums, reward,
                             &pool, patience, seed, cgm_progress_start(comm, "sampling")};
        status = cgm_agree(comm, draw_local_parties(&own, sampling));
    }
    if (status == CGM_OK) {
        share_results(comm, shard, sampling);
    }
    cgm_sampling_pool_destroy(&pool);
    return status;
}

void cgm_sampling_destroy(cgm_sampling *sampling)
{
    for (int64_t s = 0; s < sampling->n_sets; s++) {
        cgm_reward_set *set = &sampling->sets[s];
        free(set->offsets);
        free(set->start_value);
        free(set->draws);
        free(set->reached);
        free(set->indices);
        free(set->values);
    }
    free(sampling->sets);
    *sampling = (cgm_sampling){0};
}
