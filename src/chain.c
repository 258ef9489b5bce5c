#include "cgm/chain.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/coalition.h"
#include "cgm/pool.h"
#include "cgm/tolerance.h"

/* ---- the pool ---- */

static void set_part(cgm_sampling_pool *pool, int64_t first_block, int64_t end_block)
{
    const int64_t end = end_block * CGM_BLOCK_POINTS;
    const int64_t first = first_block * CGM_BLOCK_POINTS;
    pool->first_block = first_block;
    pool->end_block = end_block;
    if (first_block == end_block) {
        pool->end = pool->first;
        return;
    }
    pool->candidate_sums += first - pool->first;
    pool->first = first;
    pool->end = end < pool->n_candidates ? end : pool->n_candidates;
}

cgm_status cgm_sampling_pool_create(cgm_comm *comm, const cgm_candidates *candidates,
                                    const cgm_kernel *kernel, const cgm_kernel_sums *sums,
                                    cgm_sampling_pool *pool)
{
    const cgm_pool *packed = candidates->pool;
    *pool = (cgm_sampling_pool){.kernel = kernel,
                                .n_candidates = candidates->n_points,
                                .n_reference = sums->n_reference,
                                .sliced = candidates->sliced,
                                .first = candidates->held_first,
                                .candidate_sums = sums->candidate_sums};
    cgm_status status = cgm_pool_pack(comm, candidates, sums->n_parties, kernel);
    if (status == CGM_OK) {
        pool->n_blocks = packed->n_blocks;
        pool->blocks = packed->blocks;
        set_part(pool, packed->first_block, packed->end_block);
    }
    return status;
}

void cgm_sampling_pool_share(cgm_sampling_pool *pool, int rank, int size)
{
    const int64_t before = pool->first_block;
    const int64_t count = pool->end_block - before;
    set_part(pool, before + count * rank / size, before + count * (rank + 1) / size);
}

/* Points in packed form as the rows of tiles. */
typedef struct packed_rows {
    cgm_block block;
    cgm_segment segment;
} packed_rows;

static void add_rows(const cgm_sampling_pool *pool, const packed_rows *rows, int64_t b,
                     double *affinity)
{
    _Alignas(CGM_ALIGNMENT) double column_sums[CGM_BLOCK_POINTS];
    const cgm_block *block = &pool->blocks[b];
    const cgm_tile tile = {&rows->block, &rows->segment, block, 0};
    double *own = affinity + (b * CGM_BLOCK_POINTS - pool->first);
    cgm_kernel_columns(pool->kernel, &tile, column_sums);
    for (int64_t c = 0; c < block->n_points; c++) {
        own[c] += column_sums[c];
    }
}

cgm_status cgm_sampling_add_affinity(cgm_comm *comm, const cgm_sampling_pool *pool,
                                     const double *points, int64_t n_points, double *affinity)
{
    const int64_t d = pool->kernel->n_features;
    packed_rows rows = {.block.coordinates = cgm_alloc_aligned(comm, d * CGM_BLOCK_POINTS),
                        .block.n_segments = 1};
    if (rows.block.coordinates == NULL) {
        return CGM_ERR_MEMORY;
    }
    rows.block.segments = &rows.segment;
    for (int64_t first = 0; first < n_points; first += CGM_BLOCK_POINTS) {
        const int64_t left = n_points - first;
        rows.block.n_points = left < CGM_BLOCK_POINTS ? left : CGM_BLOCK_POINTS;
        rows.block.stride = (rows.block.n_points + CGM_LANES - 1) / CGM_LANES * CGM_LANES;
        rows.segment.n_points = rows.block.n_points;
        cgm_kernel_pack(pool->kernel, points + first * d, &rows.segment, &rows.block);
        for (int64_t b = pool->first_block; b < pool->end_block; b++) {
            add_rows(pool, &rows, b, affinity);
            cgm_comm_count_work(comm, rows.block.n_points * pool->blocks[b].n_points);
        }
    }
    free(rows.block.coordinates);
    return CGM_OK;
}

/* ---- the life of a chain ---- */

/* v(Y) from the running sums (MATH.md §2, with Y for the coalition). */
static double current_value(const cgm_chain *chain)
{
    return cgm_coalition_formula(chain->pool->n_reference, (double)chain->n_own,
                                 chain->reference_sum, chain->own_sum);
}

cgm_status cgm_chain_create(cgm_comm *comm, const cgm_sampling_pool *pool, cgm_chain *chain)
{
    *chain = (cgm_chain){.pool = pool};
    chain->affinity = cgm_alloc_aligned(comm, pool->end - pool->first);
    return chain->affinity != NULL ? CGM_OK : CGM_ERR_MEMORY;
}

void cgm_chain_destroy(cgm_chain *chain)
{
    free(chain->affinity);
    free(chain->indices);
    free(chain->values);
    *chain = (cgm_chain){0};
}

void cgm_chain_begin(cgm_chain *chain, const cgm_chain_start *start)
{
    const uint64_t stream = cgm_rng_hash(start->name);
    chain->inv_temp = start->inv_temp;
    chain->target = start->target;
    /* A tenth of 70 is 7, though 0.1 · 70 in doubles lies just above. */
    const double exact =
        start->patience * (double)chain->pool->n_candidates * (1.0 - 4.0 * DBL_EPSILON);
    chain->patience = (int64_t)fmax(1.0, ceil(exact));
    chain->proposal = (cgm_rng){start->seed, stream, CGM_RNG_PROPOSAL};
    chain->inverse = (cgm_rng){start->seed, stream, CGM_RNG_INVERSE};
    chain->n_own = start->n_own;
    chain->own_sum = start->own_sum;
    chain->reference_sum = start->reference_sum;
    chain->value = current_value(chain);
    chain->n_draws = 0;
    chain->best = chain->value;
    chain->best_draws = 0;
    chain->reached = false;
}

bool cgm_chain_is_finished(cgm_chain *chain)
{
    const double enough = chain->target - CGM_TARGET_REACHED * fabs(chain->target);
    chain->reached = chain->value >= enough;
    return chain->reached || chain->n_draws - chain->best_draws >= chain->patience ||
           chain->n_draws == chain->pool->n_candidates;
}

int64_t cgm_chain_reward(const cgm_chain *chain)
{
    return chain->reached ? chain->n_draws : chain->best_draws;
}

cgm_status cgm_chain_reserve(cgm_comm *comm, cgm_chain *chain)
{
    if (chain->n_draws < chain->capacity) {
        return CGM_OK;
    }
    const int64_t capacity = chain->capacity > 0 ? 2 * chain->capacity : CGM_BLOCK_POINTS;
    const size_t count = (size_t)capacity;
    int64_t *indices = realloc(chain->indices, count * sizeof *indices);
    chain->indices = indices != NULL ? indices : chain->indices;
    double *values = realloc(chain->values, count * sizeof *values);
    chain->values = values != NULL ? values : chain->values;
    if (indices == NULL || values == NULL) {
        return cgm_fail(comm, CGM_ERR_MEMORY, "no memory for %zu draws; use more nodes", count);
    }
    chain->capacity = capacity;
    return CGM_OK;
}

void cgm_chain_take(cgm_chain *chain, int64_t candidate, cgm_candidate_sums sums)
{
    const cgm_sampling_pool *pool = chain->pool;
    chain->own_sum += 2.0 * sums.affinity + cgm_kernel_diagonal(pool->kernel);
    chain->reference_sum += sums.sum;
    chain->n_own++;
    chain->value = current_value(chain);
    if (candidate >= pool->first && candidate < pool->end) {
        chain->affinity[candidate - pool->first] = NAN;
    }
    if (chain->n_draws < chain->capacity) {
        chain->indices[chain->n_draws] = candidate;
        chain->values[chain->n_draws] = chain->value;
    }
    chain->n_draws++;
    if (chain->value > chain->best) {
        chain->best = chain->value;
        chain->best_draws = chain->n_draws;
    }
}

/* ---- scores ---- */

/* w_c = (m+1) u_c / n − a_c: an increasing affine image of the gain of candidate c (MATH.md §6). */
static double score_factor(const cgm_chain *chain)
{
    return (double)(chain->n_own + 1) / (double)chain->pool->n_reference;
}

cgm_score cgm_chain_score(const cgm_chain *chain, const double *point)
{
    return (cgm_score){.point = point,
                       .factor = score_factor(chain),
                       .affinity = chain->affinity,
                       .extremes = {INFINITY, -INFINITY}};
}

void cgm_sampling_pool_score(const cgm_sampling_pool *pool, int64_t first, int64_t end,
                             int64_t n_scores, cgm_score *scores)
{
    const double *sums = pool->candidate_sums + (first - pool->first_block) * CGM_BLOCK_POINTS;
    for (int64_t k = 0; k < n_scores; k++) {
        scores[k].affinity += (first - pool->first_block) * CGM_BLOCK_POINTS;
    }
    for (int64_t b = first; b < end; b++) {
        cgm_kernel_score(pool->kernel, &pool->blocks[b], sums, n_scores, scores);
        sums += pool->blocks[b].n_points;
        for (int64_t k = 0; k < n_scores; k++) {
            scores[k].affinity += pool->blocks[b].n_points;
        }
    }
}

void cgm_chain_sweep(cgm_comm *comm, cgm_chain *chain, const double *point)
{
    const cgm_sampling_pool *pool = chain->pool;
    cgm_score score = cgm_chain_score(chain, point);
    cgm_sampling_pool_score(pool, pool->first_block, pool->end_block, 1, &score);
    chain->extremes = score.extremes;
    cgm_comm_count_work(comm, point != NULL ? pool->end - pool->first : 0);
}

/* Is the spread of the scores no more than rounding, so that all candidates count as equal? */
static bool scores_equal(const cgm_chain *chain)
{
    const cgm_extremes *w = &chain->extremes;
    const double largest = fmax(fabs(w->low), fabs(w->high));
    const double ulp = nextafter(largest, INFINITY) - largest;
    return w->high - w->low <= CGM_SPREAD_ULPS * ulp;
}

/* β(1 − Δ̄_c) ≥ 0: a candidate has probability ∝ exp of its negative. */
static double exponent_of(const cgm_chain *chain, cgm_candidate_sums sums)
{
    const cgm_extremes *w = &chain->extremes;
    const double score = score_factor(chain) * sums.sum - sums.affinity;
    return chain->inv_temp * fmax(0.0, 1.0 - (score - w->low) / (w->high - w->low));
}

cgm_candidate_sums cgm_chain_look_up(const cgm_chain *chain, int64_t candidate)
{
    const cgm_sampling_pool *pool = chain->pool;
    const int64_t place = candidate - pool->first;
    if (candidate < pool->first || candidate >= pool->end || isnan(chain->affinity[place])) {
        return (cgm_candidate_sums){-INFINITY, -INFINITY};
    }
    return (cgm_candidate_sums){chain->affinity[place], pool->candidate_sums[place]};
}

/* ---- by rejection ---- */

/* β as a counter: its bits, so that every β has numbers of its own. */
static uint64_t inv_temp_counter(const cgm_chain *chain)
{
    uint64_t bits;
    memcpy(&bits, &chain->inv_temp, sizeof bits);
    return bits;
}

cgm_proposal cgm_chain_propose(const cgm_chain *chain, int64_t number)
{
    uint64_t words[4];
    cgm_rng_words(&chain->proposal, inv_temp_counter(chain), (uint64_t)chain->n_draws,
                  (uint64_t)number, words);
    const double g = (double)chain->pool->n_candidates;
    return (cgm_proposal){(int64_t)(cgm_rng_uniform(words[0]) * g), cgm_rng_uniform(words[1])};
}

bool cgm_chain_accepts(const cgm_chain *chain, const cgm_proposal *proposal,
                       cgm_candidate_sums sums)
{
    if (isinf(sums.affinity)) {
        return false;
    }
    const double exponent = scores_equal(chain) ? 0.0 : exponent_of(chain, sums);
    double probability = 1.0 - exponent; /* exp(-z) ≥ 1 - z spares most exponentials */
    if (proposal->uniform >= probability) {
        cgm_kernel_exponential(&exponent, &probability, 1);
    }
    return proposal->uniform < probability;
}

/* ---- by the inverse CDF ---- */

double cgm_chain_inverse_uniform(const cgm_chain *chain)
{
    uint64_t words[4];
    cgm_rng_words(&chain->inverse, inv_temp_counter(chain), (uint64_t)chain->n_draws, 0, words);
    return cgm_rng_uniform(words[0]);
}

/* Weight of every candidate of a block of the part, 0 for taken ones, in pool order. */
static void block_weights(const cgm_chain *chain, int64_t block, double *weights)
{
    const cgm_sampling_pool *pool = chain->pool;
    const int64_t count = pool->blocks[block].n_points;
    const int64_t place = block * CGM_BLOCK_POINTS - pool->first;
    const double *affinity = chain->affinity + place;
    const bool equal = scores_equal(chain);
    for (int64_t c = 0; c < count; c++) {
        const cgm_candidate_sums sums = {affinity[c], pool->candidate_sums[place + c]};
        weights[c] = equal || isnan(affinity[c]) ? 0.0 : exponent_of(chain, sums);
    }
    cgm_kernel_exponential(weights, weights, count);
    for (int64_t c = 0; c < count; c++) {
        weights[c] = isnan(affinity[c]) ? 0.0 : weights[c];
    }
}

void cgm_chain_weights(const cgm_chain *chain, double *weights)
{
    double row[CGM_BLOCK_POINTS];
    for (int64_t b = chain->pool->first_block; b < chain->pool->end_block; b++) {
        double sum = 0.0;
        block_weights(chain, b, row);
        for (int64_t c = 0; c < chain->pool->blocks[b].n_points; c++) {
            sum += row[c];
        }
        weights[b] = sum;
    }
}

/* The candidate of a block at which the sum from below on passes the threshold, or its last. */
static int64_t locate_in_block(const cgm_chain *chain, int64_t block, double below,
                               double threshold)
{
    double row[CGM_BLOCK_POINTS];
    double sum = 0.0;
    int64_t last = -1;
    block_weights(chain, block, row);
    for (int64_t c = 0; c < chain->pool->blocks[block].n_points; c++) {
        if (row[c] > 0.0) {
            last = block * CGM_BLOCK_POINTS + c;
            sum += row[c];
            if (below + sum > threshold) {
                break;
            }
        }
    }
    return last;
}

int64_t cgm_chain_locate(const cgm_chain *chain, const double *weights, double uniform)
{
    const cgm_sampling_pool *pool = chain->pool;
    double total = 0.0;
    for (int64_t b = 0; b < pool->n_blocks; b++) {
        total += weights[b];
    }
    const double threshold = uniform * total;
    double below = 0.0;
    int64_t chosen = 0;
    while (chosen < pool->n_blocks - 1 && !(below + weights[chosen] > threshold)) {
        below += weights[chosen++];
    }
    /* Rounding may put the threshold just beyond the last block with any weight. */
    while (chosen > 0 && weights[chosen] == 0.0) {
        chosen--;
    }
    const bool here = chosen >= pool->first_block && chosen < pool->end_block;
    return here ? locate_in_block(chain, chosen, below, threshold) : -1;
}

/* ---- the best one ---- */

int64_t cgm_chain_greedy(const cgm_chain *chain, double *score)
{
    const cgm_sampling_pool *pool = chain->pool;
    const double factor = score_factor(chain);
    int64_t best = -1;
    *score = -INFINITY;
    for (int64_t c = 0; c < pool->end - pool->first; c++) {
        const double w = factor * pool->candidate_sums[c] - chain->affinity[c];
        if (w > *score) { /* false for NaN */
            *score = w;
            best = pool->first + c;
        }
    }
    return best;
}

cgm_status cgm_chain_add(cgm_comm *comm, cgm_chain *chain, int64_t candidate)
{
    const cgm_sampling_pool *pool = chain->pool;
    double *point = cgm_alloc(comm, pool->kernel->n_features, sizeof *point);
    cgm_status status = point != NULL ? cgm_chain_reserve(comm, chain) : CGM_ERR_MEMORY;
    if (status == CGM_OK) {
        cgm_kernel_point(pool->kernel, &pool->blocks[candidate / CGM_BLOCK_POINTS],
                         candidate % CGM_BLOCK_POINTS, point);
        cgm_chain_take(chain, candidate, cgm_chain_look_up(chain, candidate));
        cgm_chain_sweep(comm, chain, point);
    }
    free(point);
    return status;
}
