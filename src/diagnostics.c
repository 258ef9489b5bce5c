#include "cgm/diagnostics.h"

#include <math.h>
#include <stdlib.h>

#include "cgm/rng.h"

/* ---- the sufficient condition ---- */

/* Extreme squared distances of every party, in packed units. */
typedef struct distances {
    const cgm_kernel *kernel;
    int64_t n_parties;
    double *nearest_own;   /* [n_parties] between two different points of the party */
    double *farthest_rest; /* [n_parties] from a point of the party to one of T without it */
} distances;

static void measure_pair(void *state, const cgm_block *a, int home_a, const cgm_block *b,
                         int home_b)
{
    (void)home_a, (void)home_b;
    distances *extremes = state;
    double least = INFINITY;
    double most = -INFINITY;
    cgm_kernel_distances(extremes->kernel, a, b, &least, &most);
    if (a->owner == b->owner) {
        double *nearest = &extremes->nearest_own[a->owner];
        *nearest = fmin(*nearest, least);
        return;
    }
    for (int side = 0; side < 2; side++) {
        const int64_t owner = side == 0 ? a->owner : b->owner;
        if (owner < extremes->n_parties) {
            extremes->farthest_rest[owner] = fmax(extremes->farthest_rest[owner], most);
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

static cgm_status measure_condition(cgm_comm *comm, const cgm_layout *layout,
                                    const cgm_shard *shard, const cgm_candidates *candidates,
                                    const cgm_kernel *kernel, const cgm_kernel_sums *sums,
                                    bool *holds)
{
    const int64_t n = layout->n_parties;
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
                                      .pair = measure_pair,
                                      .skip_pool_pairs = true,
                                      .distances_only = true,
                                      .label = "diagnostics"};
    status = cgm_pairs_visit(comm, layout, shard, candidates, kernel, &visitor);
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

/* The marginals along one order, party after party. cross [n_parties] is work space: Σ_{j∈Q} S_ij.
 */
static void count_order(const cgm_kernel_sums *sums, const int64_t *order, double *cross,
                        cgm_diagnostics *diagnostics)
{
    const int64_t n = sums->n_parties;
    double size = 0.0;
    double linear = 0.0;
    double quadratic = 0.0;
    double before = 0.0;
    for (int64_t i = 0; i < n; i++) {
        cross[i] = 0.0;
    }
    for (int64_t k = 0; k < n; k++) {
        const int64_t i = order[k];
        const double *row = sums->party_sums + i * n;
        size += (double)sums->party_points[i];
        linear += sums->reference_sums[i];
        quadratic += row[i] + 2.0 * cross[i];
        const double value = cgm_coalition_formula(sums->n_reference, size, linear, quadratic);
        count_marginal(value - before, diagnostics);
        before = value;
        for (int64_t j = 0; j < n; j++) {
            cross[j] += row[j];
        }
    }
}

/* Each rank takes every size-th order. */
static cgm_status count_orders(cgm_comm *comm, const cgm_kernel_sums *sums, uint64_t seed,
                               cgm_diagnostics *diagnostics)
{
    const int64_t n = sums->n_parties;
    const double affordable = 2e9 / ((double)n * (double)n);
    const int64_t n_orders = affordable < 1000.0 ? (int64_t)ceil(affordable) : 1000;
    int64_t *order = cgm_alloc(comm, n, sizeof(int64_t));
    double *cross = cgm_alloc(comm, n, sizeof(double));
    cgm_status status = order == NULL || cross == NULL ? CGM_ERR_MEMORY : CGM_OK;
    for (int64_t k = comm->rank; k < n_orders && status == CGM_OK; k += comm->size) {
        shuffle(seed, k, n, order);
        count_order(sums, order, cross, diagnostics);
    }
    free(order);
    free(cross);
    return status;
}

cgm_status cgm_diagnostics_measure(cgm_comm *comm, const cgm_layout *layout, const cgm_shard *shard,
                                   const cgm_candidates *candidates, const cgm_kernel *kernel,
                                   const cgm_kernel_sums *sums, const cgm_values *values,
                                   uint64_t seed, cgm_diagnostics *diagnostics)
{
    *diagnostics = (cgm_diagnostics){.worst_marginal = INFINITY};
    cgm_status status = measure_condition(comm, layout, shard, candidates, kernel, sums,
                                          &diagnostics->sufficient_condition);
    if (status != CGM_OK) {
        return status;
    }
    if (sums->n_parties > CGM_ENUMERATE_MAX) {
        status = count_orders(comm, sums, seed, diagnostics);
    } else if (comm->rank == 0) {
        count_all(values, sums->n_parties, diagnostics);
    }
    status = cgm_agree(comm, status);
    if (status == CGM_OK) {
        cgm_comm_sum(comm, &diagnostics->monotone_violations, 1);
        cgm_comm_sum(comm, &diagnostics->marginals, 1);
        cgm_comm_min(comm, &diagnostics->worst_marginal, 1);
    }
    return status;
}
