#include "cgm/shapley.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/dense.h"
#include "cgm/tolerance.h"

/* Nodes that are evaluated together, by one rank, and refinements of the step before the search for
 * the asked tolerance ends (MATH.md §4b). */
enum { CHUNK_NODES = 256, REFINEMENTS = 4 };
#define FIRST_STEP 0.25
#define STEP_FACTOR 0.7
/* Half-width of the τ grid in its own coordinate, and where the u grid ends. */
#define GRID_REACH 3.7
#define U_REACH 45.0
/* A node whose probability of an empty coalition of the others is below exp(-50) adds nothing. */
#define SKIP_LOG (-50.0)

/* A sum that keeps the digits that plain addition loses (Neumaier). */
typedef struct careful_sum {
    double sum;
    double lost;
} careful_sum;

static void careful_add(careful_sum *total, double term)
{
    double sum = total->sum + term;
    total->lost +=
        fabs(total->sum) >= fabs(term) ? (total->sum - sum) + term : (term - sum) + total->sum;
    total->sum = sum;
}

static double largest_magnitude(const double *values, int64_t count)
{
    double largest = 0.0;
    for (int64_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs(values[i]));
    }
    return largest;
}

/* ---- enumeration (MATH.md §4a) ---- */

/* coalitions [2^n_parties] → phi [n_parties]. */
static void enumerate_shapley(int64_t n_parties, const double *coalitions, double *phi)
{
    double weight[CGM_ENUMERATE_MAX]; /* |Q|! (N - |Q| - 1)! / N! by |Q| */
    double binomial = 1.0;            /* (N - 1 over |Q|), exact up to 20 parties */
    for (int64_t c = 0; c < n_parties; c++) {
        weight[c] = 1.0 / ((double)n_parties * binomial);
        binomial = binomial * (double)(n_parties - 1 - c) / (double)(c + 1);
    }
    const size_t count = (size_t)1 << n_parties;
    for (int64_t i = 0; i < n_parties; i++) {
        const size_t own = (size_t)1 << i;
        careful_sum total = {0.0, 0.0};
        for (size_t mask = 0; mask < count; mask++) {
            if ((mask & own) == 0) {
                int members = __builtin_popcountll(mask);
                careful_add(&total, weight[members] * (coalitions[mask | own] - coalitions[mask]));
            }
        }
        phi[i] = total.sum + total.lost;
    }
}

/* ---- quadrature (MATH.md §4b) ---- */

/* The game with the columns of S collapsed by distinct size: q_j depends on m_j alone. */
typedef struct collapsed_game {
    const cgm_kernel_sums *sums;
    int64_t n_sizes;      /* K */
    double *sizes;        /* [n_sizes] ascending */
    double *counts;       /* [n_sizes] parties of that size */
    int64_t *size_of;     /* [n_parties] index into sizes */
    double *sums_by_size; /* [n_parties][n_sizes] Σ_j S_ij over parties j of a size */
    double total_points;  /* M */
} collapsed_game;

typedef struct node {
    double tau;
    double one_minus_tau;
    double u;
    double weight;
} node;

/* Work space of a chunk; columns are nodes. */
typedef struct chunk_space {
    double *e;        /* [n_sizes][CHUNK_NODES] exp(-u m) */
    double *p;        /* [n_sizes][CHUNK_NODES] */
    double *q;        /* [n_sizes][CHUNK_NODES] */
    double *y;        /* [n_parties][CHUNK_NODES] S q */
    double *log_prod; /* [CHUNK_NODES] Σ ln p_j */
    double *linear;   /* [CHUNK_NODES] A */
    double *square;   /* [CHUNK_NODES] B */
    double *diagonal; /* [CHUNK_NODES] E */
} chunk_space;

static int compare_doubles(const void *left, const void *right)
{
    const double a = *(const double *)left;
    const double b = *(const double *)right;
    return (a > b) - (a < b);
}

static cgm_status collapse(cgm_comm *comm, const cgm_kernel_sums *sums, collapsed_game *game)
{
    const int64_t n = sums->n_parties;
    *game = (collapsed_game){.sums = sums};
    game->sizes = cgm_alloc(comm, n, sizeof(double));
    game->counts = cgm_alloc(comm, n, sizeof(double));
    game->size_of = cgm_alloc(comm, n, sizeof(int64_t));
    if (game->sizes == NULL || game->counts == NULL || game->size_of == NULL) {
        return CGM_ERR_MEMORY;
    }
    for (int64_t i = 0; i < n; i++) {
        game->sizes[i] = (double)sums->party_points[i];
        game->total_points += game->sizes[i];
    }
    qsort(game->sizes, (size_t)n, sizeof(double), compare_doubles);
    for (int64_t i = 0; i < n; i++) {
        if (game->n_sizes == 0 || game->sizes[i] > game->sizes[game->n_sizes - 1]) {
            game->sizes[game->n_sizes++] = game->sizes[i];
        }
    }
    game->sums_by_size = cgm_alloc(comm, n * game->n_sizes, sizeof(double));
    if (game->sums_by_size == NULL) {
        return CGM_ERR_MEMORY;
    }
    for (int64_t i = 0; i < n; i++) {
        const double size = (double)sums->party_points[i];
        const double *found =
            bsearch(&size, game->sizes, (size_t)game->n_sizes, sizeof(double), compare_doubles);
        game->size_of[i] = found - game->sizes;
        game->counts[game->size_of[i]] += 1.0;
    }
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < n; j++) {
            game->sums_by_size[i * game->n_sizes + game->size_of[j]] += sums->party_sums[i * n + j];
        }
    }
    return CGM_OK;
}

static void collapsed_destroy(collapsed_game *game)
{
    free(game->sizes);
    free(game->counts);
    free(game->size_of);
    free(game->sums_by_size);
}

/* Nodes of one grid; nodes may be NULL to count them. Both integrals are doubly exponential at
 * their ends, so that the trapezoidal rule converges geometrically. */
static int64_t list_nodes(const collapsed_game *game, double step, double offset, node *nodes)
{
    const double log_n = log((double)game->sums->n_parties);
    const double smallest = game->sizes[0];
    const double largest = game->sizes[game->n_sizes - 1];
    int64_t count = 0;
    for (int64_t a = 0;; a++) {
        const double x = -GRID_REACH + offset + step * (double)a;
        if (x >= log_n + GRID_REACH + step) {
            return count;
        }
        const double z = x - log_n - exp(-x) + exp(x - log_n);
        const double tau = 1.0 / (1.0 + exp(-z));
        const double one_minus_tau = 1.0 / (1.0 + exp(z));
        const double tau_weight = step * tau * one_minus_tau * (1.0 + exp(-x) + exp(x - log_n));
        const double u_scale = 1.0 / (tau * game->total_points + largest);
        const double end = log(U_REACH / (u_scale * smallest));
        for (int64_t b = 0;; b++) {
            const double s = -GRID_REACH + offset + step * (double)b;
            if (s >= end + step) {
                break;
            }
            if (nodes != NULL) {
                const double u = u_scale * exp(s - exp(-s));
                nodes[count] =
                    (node){tau, one_minus_tau, u, tau_weight * step * u * (1.0 + exp(-s))};
            }
            count++;
        }
    }
}

/* e, p, q by size and Σ ln p; returns the number of nodes that matter and sets the weight of the
 * others to 0. nodes [count] */
static int64_t evaluate_probabilities(const collapsed_game *game, node *nodes, int64_t count,
                                      chunk_space *space)
{
    int64_t kept = 0;
    for (int64_t c = 0; c < count; c++) {
        double log_prod = 0.0;
        double least = 0.0;
        for (int64_t k = 0; k < game->n_sizes; k++) {
            const int64_t at = k * CHUNK_NODES + c;
            space->e[at] = exp(-nodes[c].u * game->sizes[k]);
            space->p[at] = nodes[c].one_minus_tau + nodes[c].tau * space->e[at];
            space->p[at] = fmax(space->p[at], 1e-300);
            space->q[at] = nodes[c].tau * space->e[at] / space->p[at];
            const double log_p = log(space->p[at]);
            log_prod += game->counts[k] * log_p;
            least = fmin(least, log_p);
        }
        space->log_prod[c] = log_prod;
        if (log_prod - least < SKIP_LOG) {
            nodes[c].weight = 0.0;
        } else {
            kept++;
        }
    }
    return kept;
}

/* A, B and E of every node, over all parties. */
static void evaluate_totals(const collapsed_game *game, int64_t count, chunk_space *space)
{
    const cgm_kernel_sums *sums = game->sums;
    const int64_t n = sums->n_parties;
    memset(space->linear, 0, CHUNK_NODES * sizeof(double));
    memset(space->square, 0, CHUNK_NODES * sizeof(double));
    memset(space->diagonal, 0, CHUNK_NODES * sizeof(double));
    for (int64_t j = 0; j < n; j++) {
        const double *q = space->q + game->size_of[j] * CHUNK_NODES;
        const double *y = space->y + j * CHUNK_NODES;
        const double t = sums->reference_sums[j];
        const double s = sums->party_sums[j * n + j];
        for (int64_t c = 0; c < count; c++) {
            space->linear[c] += q[c] * t;
            space->square[c] += q[c] * y[c];
            space->diagonal[c] += q[c] * (1.0 - q[c]) * s;
        }
    }
}

/* Σ over the chunk's nodes of weight · (with_i − without_i). */
static double integrate_party(const collapsed_game *game, const node *nodes, int64_t count,
                              const chunk_space *space, int64_t i)
{
    const cgm_kernel_sums *sums = game->sums;
    const int64_t n = sums->n_parties;
    const int64_t at = game->size_of[i] * CHUNK_NODES;
    const double *e = space->e + at;
    const double *p = space->p + at;
    const double *q = space->q + at;
    const double *y = space->y + i * CHUNK_NODES;
    const double t = sums->reference_sums[i];
    const double s = sums->party_sums[i * n + i];
    const double factor = 2.0 / (double)sums->n_reference;
    double total = 0.0;
    for (int64_t c = 0; c < count; c++) {
        if (nodes[c].weight == 0.0) {
            continue;
        }
        const double others = exp(space->log_prod[c] - log(p[c])); /* Π_{-i} */
        const double linear = space->linear[c] - q[c] * t;
        const double square = space->square[c] - 2.0 * q[c] * y[c] + q[c] * q[c] * s;
        const double diagonal = space->diagonal[c] - q[c] * (1.0 - q[c]) * s;
        const double u = nodes[c].u;
        const double with =
            others * e[c] *
            (factor * (t + linear) - u * (s + 2.0 * (y[c] - q[c] * s) + square + diagonal));
        const double without = others * (factor * linear - u * (square + diagonal));
        total += nodes[c].weight * (with - without);
    }
    return total;
}

static cgm_status chunk_create(cgm_comm *comm, const collapsed_game *game, chunk_space *space)
{
    const int64_t by_size = game->n_sizes * CHUNK_NODES;
    const int64_t by_party = game->sums->n_parties * CHUNK_NODES;
    space->e = cgm_alloc(comm, 3 * by_size + by_party + 4 * CHUNK_NODES, sizeof(double));
    if (space->e == NULL) {
        return CGM_ERR_MEMORY;
    }
    space->p = space->e + by_size;
    space->q = space->p + by_size;
    space->y = space->q + by_size;
    space->log_prod = space->y + by_party;
    space->linear = space->log_prod + CHUNK_NODES;
    space->square = space->linear + CHUNK_NODES;
    space->diagonal = space->square + CHUNK_NODES;
    return CGM_OK;
}

/* This rank's chunks of a grid. parts [n_chunks][n_parties]: the rows of its chunks are filled. */
static int64_t evaluate_chunks(const collapsed_game *game, node *nodes, int64_t n_nodes,
                               int64_t first_chunk, int64_t end_chunk, chunk_space *space,
                               double *parts)
{
    const int64_t n = game->sums->n_parties;
    int64_t kept = 0;
    for (int64_t chunk = first_chunk; chunk < end_chunk; chunk++) {
        node *first = nodes + chunk * CHUNK_NODES;
        int64_t count = n_nodes - chunk * CHUNK_NODES;
        count = count < CHUNK_NODES ? count : CHUNK_NODES;
        kept += evaluate_probabilities(game, first, count, space);
        cgm_dense_multiply(n, CHUNK_NODES, game->n_sizes, game->sums_by_size, space->q, space->y);
        evaluate_totals(game, count, space);
        for (int64_t i = 0; i < n; i++) {
            parts[chunk * n + i] = integrate_party(game, first, count, space, i);
        }
    }
    return kept;
}

/* One grid: phi [n_parties], the same bits at every number of ranks because each chunk has one
 * owner and chunks are added in order. */
static cgm_status integrate_grid(cgm_comm *comm, const collapsed_game *game, double step,
                                 double offset, double *phi, int64_t *n_kept)
{
    const int64_t n = game->sums->n_parties;
    const int64_t n_nodes = list_nodes(game, step, offset, NULL);
    const int64_t n_chunks = (n_nodes + CHUNK_NODES - 1) / CHUNK_NODES;
    chunk_space space = {0};
    node *nodes = cgm_alloc(comm, n_nodes, sizeof(node));
    double *parts = cgm_alloc(comm, n_chunks * n, sizeof(double));
    int64_t *first_chunk = cgm_alloc(comm, comm->size + 1, sizeof(int64_t));
    cgm_status status = chunk_create(comm, game, &space);
    bool refused = nodes == NULL || parts == NULL || first_chunk == NULL;
    status = cgm_agree(comm, refused ? CGM_ERR_MEMORY : status);
    if (status == CGM_OK) {
        list_nodes(game, step, offset, nodes);
        for (int r = 0; r <= comm->size; r++) {
            first_chunk[r] = n_chunks * r / comm->size;
        }
        int64_t kept = evaluate_chunks(game, nodes, n_nodes, first_chunk[comm->rank],
                                       first_chunk[comm->rank + 1], &space, parts);
        cgm_comm_sum(comm, &kept, 1);
        cgm_comm_all_gather(comm, parts, first_chunk, (size_t)n * sizeof(double));
        *n_kept += kept;
        for (int64_t i = 0; i < n; i++) {
            careful_sum total = {0.0, 0.0};
            for (int64_t chunk = 0; chunk < n_chunks; chunk++) {
                careful_add(&total, parts[chunk * n + i]);
            }
            phi[i] = total.sum + total.lost;
        }
    }
    free(nodes);
    free(parts);
    free(first_chunk);
    free(space.e);
    return status;
}

static double efficiency_gap(const double *phi, int64_t n, double grand, double *magnitude)
{
    careful_sum total = {0.0, 0.0};
    *magnitude = 0.0;
    for (int64_t i = 0; i < n; i++) {
        careful_add(&total, phi[i]);
        *magnitude += fabs(phi[i]);
    }
    return fabs(total.sum + total.lost - grand);
}

/* Two grids, shifted by half a step against each other: their mean is the result, their difference
 * the error estimate. Refined until that meets the tolerance. other [n_parties] is work space. */
static cgm_status integrate(cgm_comm *comm, const collapsed_game *game, double tolerance,
                            double grand, double *other, cgm_shapley *shapley)
{
    const int64_t n = game->sums->n_parties;
    double step = FIRST_STEP;
    for (int k = 0; k <= REFINEMENTS; k++, step *= STEP_FACTOR) {
        shapley->nodes = 0;
        cgm_status status = integrate_grid(comm, game, step, 0.0, shapley->phi, &shapley->nodes);
        if (status == CGM_OK) {
            status = integrate_grid(comm, game, step, 0.5 * step, other, &shapley->nodes);
        }
        if (status != CGM_OK) {
            return status;
        }
        double difference = 0.0;
        for (int64_t i = 0; i < n; i++) {
            difference = fmax(difference, fabs(shapley->phi[i] - other[i]));
            shapley->phi[i] = 0.5 * (shapley->phi[i] + other[i]);
        }
        const double largest = largest_magnitude(shapley->phi, n);
        shapley->error_estimate = fmax(0.5 * difference, CGM_SHAPLEY_ROUNDING * largest);
        double magnitude;
        double gap = efficiency_gap(shapley->phi, n, grand, &magnitude);
        if (shapley->error_estimate <= tolerance * largest && gap <= CGM_EFFICIENCY * magnitude) {
            break;
        }
    }
    return CGM_OK;
}

static cgm_status compute_quadrature(cgm_comm *comm, const cgm_kernel_sums *sums, double grand,
                                     double tolerance, cgm_shapley *shapley)
{
    collapsed_game game = {0};
    double *other = cgm_alloc(comm, sums->n_parties, sizeof(double));
    cgm_status status = collapse(comm, sums, &game);
    status = cgm_agree(comm, other == NULL ? CGM_ERR_MEMORY : status);
    if (status == CGM_OK) {
        status = integrate(comm, &game, tolerance, grand, other, shapley);
    }
    collapsed_destroy(&game);
    free(other);
    return status;
}

/* ---- shares ---- */

typedef struct ranked_party {
    double phi;
    int64_t party;
} ranked_party;

static int compare_ranked(const void *left, const void *right)
{
    const ranked_party *a = left;
    const ranked_party *b = right;
    if (a->phi != b->phi) {
        return a->phi < b->phi ? -1 : 1;
    }
    return (a->party > b->party) - (a->party < b->party);
}

/* Classes of tied φ, closed transitively in sorted order, and α of each class from its largest φ
 * (MATH.md §5). order [n_parties] is work space. */
static void assign_shares(int64_t n, ranked_party *order, cgm_shapley *shapley)
{
    for (int64_t i = 0; i < n; i++) {
        order[i] = (ranked_party){shapley->phi[i], i};
    }
    qsort(order, (size_t)n, sizeof *order, compare_ranked);
    const double largest = order[n - 1].phi;
    const double tied = CGM_TIED_SHAPLEY * fabs(largest);
    const double zero =
        fmax(CGM_ZERO_SHAPLEY * largest, CGM_ZERO_SHAPLEY_ERRORS * shapley->error_estimate);
    int64_t class_number = 0;
    for (int64_t first = 0; first < n; class_number++) {
        int64_t end = first + 1;
        while (end < n && order[end].phi - order[end - 1].phi <= tied) {
            end++;
        }
        const double phi = order[end - 1].phi;
        for (int64_t k = first; k < end; k++) {
            shapley->tie[order[k].party] = class_number;
            shapley->alpha[order[k].party] = phi <= zero ? 0.0 : phi / largest;
        }
        first = end;
    }
}

static cgm_status shapley_create(cgm_comm *comm, int64_t n, cgm_shapley *shapley)
{
    *shapley = (cgm_shapley){0};
    shapley->phi = cgm_alloc(comm, n, sizeof(double));
    shapley->alpha = cgm_alloc(comm, n, sizeof(double));
    shapley->tie = cgm_alloc(comm, n, sizeof(int64_t));
    return shapley->phi == NULL || shapley->alpha == NULL || shapley->tie == NULL ? CGM_ERR_MEMORY
                                                                                  : CGM_OK;
}

cgm_status cgm_shapley_compute(cgm_comm *comm, const cgm_kernel_sums *sums,
                               const cgm_values *values, cgm_shapley_method method,
                               double tolerance, cgm_shapley *shapley)
{
    const int64_t n = sums->n_parties;
    cgm_status status = shapley_create(comm, n, shapley);
    ranked_party *order = cgm_alloc(comm, n, sizeof(ranked_party));
    status = order == NULL ? CGM_ERR_MEMORY : status;
    if (status == CGM_OK && method == CGM_SHAPLEY_ENUMERATE && n > CGM_ENUMERATE_MAX) {
        status =
            cgm_fail(comm, CGM_ERR_USAGE,
                     "shapley.method = enumerate takes at most %d parties, there are %lld; use "
                     "auto or quadrature",
                     CGM_ENUMERATE_MAX, (long long)n);
    }
    status = cgm_agree(comm, status);
    bool enumerate =
        method == CGM_SHAPLEY_ENUMERATE || (method == CGM_SHAPLEY_AUTO && n <= CGM_ENUMERATE_MAX);
    if (status == CGM_OK && (enumerate || n == 1)) {
        shapley->method = enumerate ? CGM_SHAPLEY_ENUMERATE : CGM_SHAPLEY_QUADRATURE;
        shapley->nodes = (int64_t)1 << n;
        if (comm->rank == 0) {
            enumerate_shapley(n, values->coalitions, shapley->phi);
        }
        cgm_comm_broadcast(comm, shapley->phi, (size_t)n * sizeof(double), 0);
        shapley->error_estimate = CGM_SHAPLEY_ROUNDING * largest_magnitude(shapley->phi, n);
    } else if (status == CGM_OK) {
        shapley->method = CGM_SHAPLEY_QUADRATURE;
        status = compute_quadrature(comm, sums, values->grand, tolerance, shapley);
    }
    if (status == CGM_OK) {
        double magnitude;
        shapley->efficiency_gap = efficiency_gap(shapley->phi, n, values->grand, &magnitude);
        assign_shares(n, order, shapley);
    }
    free(order);
    return status;
}

void cgm_shapley_destroy(cgm_shapley *shapley)
{
    free(shapley->phi);
    free(shapley->alpha);
    free(shapley->tie);
    *shapley = (cgm_shapley){0};
}
