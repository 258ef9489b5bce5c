#include "cgm/diagnostics.h"

#include <math.h>
#include <stdlib.h>

#include "cgm/rng.h"

/* Orders of the parties whose sums are gathered together. */
enum { ORDERS_BATCH = 64 };

/* ---- the sufficient condition ---- */

/* Extreme squared distances of every party, in packed units. */
typedef struct distances {
    const cgm_kernel *kernel;
    int64_t n_parties;
    double *nearest_own;   /* [n_parties] between two different points of the party */
    double *farthest_rest; /* [n_parties] from a point of the party to one of T without it */
} distances;

static void measure_tile(void *state, const cgm_tile *tile, const cgm_meeting *meeting)
{
    (void)meeting;
    distances *extremes = state;
    const int64_t owner = tile->row_segment->owner;
    double least[CGM_BLOCK_POINTS];
    double most[CGM_BLOCK_POINTS];
    cgm_kernel_distances(extremes->kernel, tile, least, most);
#pragma omp critical
    for (int64_t k = tile->first_segment; k < tile->columns->n_segments; k++) {
        const cgm_segment *segment = &tile->columns->segments[k];
        double nearest = INFINITY;
        double farthest = -INFINITY;
        for (int64_t c = segment->begin; c < segment->begin + segment->n_points; c++) {
            nearest = fmin(nearest, least[c]);
            farthest = fmax(farthest, most[c]);
        }
        if (segment->owner == owner) {
            extremes->nearest_own[owner] = fmin(extremes->nearest_own[owner], nearest);
            continue;
        }
        double *rest = extremes->farthest_rest;
        rest[owner] = fmax(rest[owner], farthest);
        if (segment->owner < extremes->n_parties) {
            rest[segment->owner] = fmax(rest[segment->owner], farthest);
        }
    }
}

/* k(x, y) ≥ (n − 2m)/(2m(n − m)) · (κ + (m − 1)η) for all x ∈ D_i, y ∈ T ∖ D_i, with η the largest
 * kernel value of two different points of D_i: then v({i}) ≥ 0 (MATH.md §3). */
static bool condition_holds(const cgm_kernel *kernel, const cgm_kernel_sums *sums, int64_t party,
                            const distances *extremes)
{
    const double n = (double)sums->n_reference;
    const double m = (double)sums->party_points[party];
    const double smallest = cgm_kernel_at(kernel, extremes->farthest_rest[party]);
    double own = sums->diagonal;
    if (m > 1.0) {
        own += (m - 1.0) * cgm_kernel_at(kernel, extremes->nearest_own[party]);
    }
    return smallest >= (n - 2.0 * m) / (2.0 * m * (n - m)) * own;
}

static cgm_status measure_condition(cgm_comm *comm, const cgm_shard *shard,
                                    const cgm_candidates *candidates, const cgm_kernel *kernel,
                                    const cgm_kernel_sums *sums, bool *holds)
{
    const int64_t n = shard->n_parties;
    double *both = cgm_alloc(comm, 2 * n, sizeof(double));
    cgm_status status = cgm_agree(comm, both == NULL ? CGM_ERR_MEMORY : CGM_OK);
    if (status != CGM_OK) {
        free(both);
        return status;
    }
    distances extremes = {kernel, n, both, both + n};
    for (int64_t i = 0; i < n; i++) {
        extremes.nearest_own[i] = INFINITY;
        extremes.farthest_rest[i] = -INFINITY;
    }
    const cgm_pair_visitor visitor = {.state = &extremes,
                                      .tile = measure_tile,
                                      .skip_pool_pairs = true,
                                      .distances_only = true,
                                      .label = "diagnostics"};
    status = cgm_pairs_visit(comm, shard, candidates, kernel, &visitor);
    if (status == CGM_OK) {
        cgm_comm_min(comm, extremes.nearest_own, n);
        cgm_comm_max(comm, extremes.farthest_rest, n);
        *holds = true;
        for (int64_t i = 0; i < n; i++) {
            *holds = *holds && condition_holds(kernel, sums, i, &extremes);
        }
    }
    free(both);
    return status;
}

/* ---- monotonicity ---- */

static void count_marginal(double marginal, cgm_diagnostics *diagnostics)
{
    diagnostics->marginals++;
    diagnostics->monotone_violations += marginal < 0.0;
    diagnostics->worst_marginal = fmin(diagnostics->worst_marginal, marginal);
}

/* Every coalition with every party outside it. */
static void count_all(const cgm_values *values, int64_t n_parties, cgm_diagnostics *diagnostics)
{
    for (size_t mask = 0; mask < (size_t)1 << n_parties; mask++) {
        for (int64_t i = 0; i < n_parties; i++) {
            const size_t own = (size_t)1 << i;
            if ((mask & own) == 0) {
                count_marginal(values->coalitions[mask | own] - values->coalitions[mask],
                               diagnostics);
            }
        }
    }
}

/* A random order of the parties, a function of the seed and its number alone (Fisher and Yates). */
static void shuffle(uint64_t seed, int64_t number, int64_t n_parties, int64_t *order)
{
    const cgm_rng rng = {seed, (uint64_t)number, CGM_RNG_ORDER};
    for (int64_t i = 0; i < n_parties; i++) {
        uint64_t words[4];
        cgm_rng_words(&rng, (uint64_t)i, 0, 0, words);
        const int64_t j = (int64_t)(cgm_rng_uniform(words[0]) * (double)(i + 1));
        order[i] = order[j];
        order[j] = i;
    }
}

/* A batch of orders. */
typedef struct order_batch {
    int64_t *order; /* [ORDERS_BATCH][n_parties] */
    int64_t *place; /* [n_parties][ORDERS_BATCH] of a party in an order, counted from 0 */
    double *cross;  /* [n_parties][ORDERS_BATCH] Σ S_ij over the parties j before i in an order */
} order_batch;

/* Σ_{j before i} S_ij for the rows i held here, added up party by party as they joined. Row by row,
 * so that a row serves all orders while it is in the cache. */
static void add_before(const cgm_comm *comm, const cgm_kernel_sums *sums, int64_t count,
                       const order_batch *batch)
{
    const int64_t n = sums->n_parties;
    for (int64_t i = sums->first_row[comm->rank]; i < sums->first_row[comm->rank + 1]; i++) {
        const double *row = cgm_kernel_sums_row(comm, sums, i);
        for (int64_t number = 0; number < count; number++) {
            const int64_t *order = batch->order + number * n;
            const int64_t before = batch->place[i * ORDERS_BATCH + number];
            double cross = 0.0;
            for (int64_t k = 0; k < before; k++) {
                cross += row[order[k]];
            }
            batch->cross[i * ORDERS_BATCH + number] = cross;
        }
    }
}

/* Orders first .. first + count − 1 and the places of the parties in them. */
static void draw_orders(uint64_t seed, int64_t first, int64_t count, int64_t n_parties,
                        order_batch *batch)
{
    for (int64_t number = 0; number < count; number++) {
        int64_t *order = batch->order + number * n_parties;
        shuffle(seed, first + number, n_parties, order);
        for (int64_t k = 0; k < n_parties; k++) {
            batch->place[order[k] * ORDERS_BATCH + number] = k;
        }
    }
}

/* The marginals along one order of the batch, party after party. */
static void count_order(const cgm_kernel_sums *sums, const order_batch *batch, int64_t number,
                        cgm_diagnostics *diagnostics)
{
    const int64_t n = sums->n_parties;
    double size = 0.0;
    double linear = 0.0;
    double quadratic = 0.0;
    double before = 0.0;
    for (int64_t k = 0; k < n; k++) {
        const int64_t i = batch->order[number * n + k];
        size += (double)sums->party_points[i];
        linear += sums->reference_sums[i];
        quadratic += sums->own_sums[i] + 2.0 * batch->cross[i * ORDERS_BATCH + number];
        const double value = cgm_coalition_formula(sums->n_reference, size, linear, quadratic);
        count_marginal(value - before, diagnostics);
        before = value;
    }
}

/* Every rank adds up its rows along every order; of what is gathered from all, each rank counts
 * every size-th order.  Collective. */
static void count_batches(cgm_comm *comm, const cgm_kernel_sums *sums, uint64_t seed,
                          int64_t n_orders, order_batch *batch, cgm_diagnostics *diagnostics)
{
    const int64_t n = sums->n_parties;
    for (int64_t first = 0; first < n_orders; first += ORDERS_BATCH) {
        const int64_t rest = n_orders - first;
        const int64_t count = rest < ORDERS_BATCH ? rest : ORDERS_BATCH;
        draw_orders(seed, first, count, n, batch);
        add_before(comm, sums, count, batch);
        cgm_comm_all_gather(comm, batch->cross, sums->first_row, ORDERS_BATCH * sizeof(double));
        for (int64_t k = comm->rank; k < count; k += comm->size) {
            count_order(sums, batch, k, diagnostics);
        }
    }
}

/* Collective. */
static cgm_status count_orders(cgm_comm *comm, const cgm_kernel_sums *sums, uint64_t seed,
                               cgm_diagnostics *diagnostics)
{
    const int64_t n = sums->n_parties;
    const double affordable = 2e9 / ((double)n * (double)n);
    const int64_t n_orders = affordable < 1000.0 ? (int64_t)ceil(affordable) : 1000;
    order_batch batch = {.order = cgm_alloc(comm, ORDERS_BATCH * n, sizeof(int64_t)),
                         .place = cgm_alloc(comm, ORDERS_BATCH * n, sizeof(int64_t)),
                         .cross = cgm_alloc(comm, ORDERS_BATCH * n, sizeof(double))};
    const bool refused = batch.order == NULL || batch.place == NULL || batch.cross == NULL;
    const cgm_status status = cgm_agree(comm, refused ? CGM_ERR_MEMORY : CGM_OK);
    if (status == CGM_OK) {
        count_batches(comm, sums, seed, n_orders, &batch, diagnostics);
    }
    free(batch.order);
    free(batch.place);
    free(batch.cross);
    return status;
}

cgm_status cgm_diagnostics_measure(cgm_comm *comm, const cgm_shard *shard,
                                   const cgm_candidates *candidates, const cgm_kernel *kernel,
                                   const cgm_kernel_sums *sums, const cgm_values *values,
                                   uint64_t seed, cgm_diagnostics *diagnostics)
{
    *diagnostics =
        (cgm_diagnostics){.sufficient_unknown = shard->sealed, .worst_marginal = INFINITY};
    cgm_status status = shard->sealed ? CGM_OK
                                      : measure_condition(comm, shard, candidates, kernel, sums,
                                                          &diagnostics->sufficient_condition);
    if (status != CGM_OK) {
        return status;
    }
    if (sums->n_parties > CGM_ENUMERATE_MAX) {
        status = count_orders(comm, sums, seed, diagnostics);
    } else if (comm->rank == 0) {
        count_all(values, sums->n_parties, diagnostics);
    }
    if (status == CGM_OK) {
        cgm_comm_sum(comm, &diagnostics->monotone_violations, 1);
        cgm_comm_sum(comm, &diagnostics->marginals, 1);
        cgm_comm_min(comm, &diagnostics->worst_marginal, 1);
    }
    return status;
}
