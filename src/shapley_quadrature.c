#include "shapley_quadrature.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "careful_sum.h"
#include "cgm/dense.h"
#include "cgm/tolerance.h"

/* Nodes that are evaluated together, by one rank, and refinements of the step before the search for
 * the asked tolerance ends (MATH.md §4b). */
enum { CHUNK_NODES = 256, REFINEMENTS = 4, BETA_REFINEMENTS = 6 };
#define FIRST_STEP 0.25
#define STEP_FACTOR 0.7
/* How far the grids reach in their own coordinates: where the τ grid of the Shapley value ends,
 * where that of a beta density does by its exponent, and where the u grid ends. */
#define GRID_REACH 3.7
#define BETA_REACH 40.0
#define U_REACH 45.0
/* A node whose probability of an empty coalition of the others is below exp(-50) adds nothing. */
#define SKIP_LOG (-50.0)

/* The game with the columns of S collapsed by distinct size: q_j depends on m_j alone. */
typedef struct collapsed_game {
    const cgm_kernel_sums *sums;
    const cgm_semivalue *semivalue;
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

static cgm_status collapse(cgm_comm *comm, collapsed_game *game)
{
    const cgm_kernel_sums *sums = game->sums;
    const int64_t n = sums->n_parties;
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

/* One node of the integral over τ, the probability that another party is in. */
typedef struct tau_node {
    double tau;
    double one_minus_tau; /* its own number: 1 - τ would lose digits near 1 */
    double weight;
} tau_node;

/* ln of 1/(1 + e^-z), without overflow at either end. */
static double log_logistic(double z)
{
    return z >= 0.0 ? -log1p(exp(-z)) : z - log1p(exp(z));
}

/* Node number k of the τ grid; false beyond its end. Weights are multiplied in logs, because a beta
 * density overflows where τ or 1 − τ underflows (MATH.md §4, "Semivalues"). */
static bool find_tau(const cgm_semivalue *semivalue, int64_t n_parties, double step, double offset,
                     int64_t k, tau_node *found)
{
    if (semivalue->kind == CGM_SEMIVALUE_BANZHAF) {
        *found = (tau_node){0.5, 0.5, 1.0};
        return k == 0;
    }
    const double log_n = log((double)n_parties);
    const double a = semivalue->a;
    const double b = semivalue->b;
    double start = -GRID_REACH;
    double end = log_n + GRID_REACH;
    if (semivalue->kind == CGM_SEMIVALUE_BETA) {
        start = -log(BETA_REACH / fmin(b, 1.0));
        end = log_n + log(BETA_REACH / fmin(a, 1.0));
    }
    const double x = start + offset + step * (double)k;
    const double z = x - log_n - exp(-x) + exp(x - log_n);
    const double log_tau = log_logistic(z);
    const double log_rest = log_logistic(-z);
    /* Large logarithms that nearly cancel: in double their rounding would show in the weights. */
    const double log_beta = (double)(lgammal(a) + lgammal(b) - lgammal(a + b));
    const double log_weight = b * log_tau + a * log_rest - log_beta;
    *found = (tau_node){exp(log_tau), exp(log_rest),
                        step * (1.0 + exp(-x) + exp(x - log_n)) * exp(log_weight)};
    return x < end + step;
}

/* Nodes of one grid; nodes may be NULL to count them. Both integrals are doubly exponential at
 * their ends, so that the trapezoidal rule converges geometrically. weight_sum: that of the τ grid,
 * 1 but for its error. */
static int64_t list_nodes(const collapsed_game *game, double step, double offset, node *nodes,
                          double *weight_sum)
{
    const double smallest = game->sizes[0];
    const double largest = game->sizes[game->n_sizes - 1];
    int64_t count = 0;
    tau_node at;
    *weight_sum = 0.0;
    for (int64_t k = 0; find_tau(game->semivalue, game->sums->n_parties, step, offset, k, &at);
         k++) {
        const double u_scale = 1.0 / (at.tau * game->total_points + largest);
        const double end = log(U_REACH / (u_scale * smallest));
        *weight_sum += at.weight;
        for (int64_t b = 0;; b++) {
            const double s = -GRID_REACH + offset + step * (double)b;
            if (s >= end + step) {
                break;
            }
            if (nodes != NULL) {
                const double u = u_scale * exp(s - exp(-s));
                nodes[count] =
                    (node){at.tau, at.one_minus_tau, u, at.weight * step * u * (1.0 + exp(-s))};
            }
            count++;
        }
    }
    return count;
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
                                 double offset, double *phi, int64_t *n_kept, double *weight_sum)
{
    const int64_t n = game->sums->n_parties;
    const int64_t n_nodes = list_nodes(game, step, offset, NULL, weight_sum);
    const int64_t n_chunks = (n_nodes + CHUNK_NODES - 1) / CHUNK_NODES;
    chunk_space space = {0};
    node *nodes = cgm_alloc(comm, n_nodes, sizeof(node));
    double *parts = cgm_alloc(comm, n_chunks * n, sizeof(double));
    int64_t *first_chunk = cgm_alloc(comm, comm->size + 1, sizeof(int64_t));
    cgm_status status = chunk_create(comm, game, &space);
    bool refused = nodes == NULL || parts == NULL || first_chunk == NULL;
    status = cgm_agree(comm, refused ? CGM_ERR_MEMORY : status);
    if (status == CGM_OK) {
        list_nodes(game, step, offset, nodes, weight_sum);
        for (int r = 0; r <= comm->size; r++) {
            first_chunk[r] = n_chunks * r / comm->size;
        }
        int64_t kept = evaluate_chunks(game, nodes, n_nodes, first_chunk[comm->rank],
                                       first_chunk[comm->rank + 1], &space, parts);
        cgm_comm_sum(comm, &kept, 1);
        cgm_comm_all_gather(comm, parts, first_chunk, (size_t)n * sizeof(double));
        *n_kept += kept;
        for (int64_t i = 0; i < n; i++) {
            cgm_careful_sum total = {0.0, 0.0};
            for (int64_t chunk = 0; chunk < n_chunks; chunk++) {
                cgm_careful_add(&total, parts[chunk * n + i]);
            }
            phi[i] = cgm_careful_value(&total);
        }
    }
    free(nodes);
    free(parts);
    free(first_chunk);
    free(space.e);
    return status;
}

/* Is the result good enough: by its error estimate and, for the Shapley value, by efficiency. */
static bool is_accurate(const cgm_semivalue *semivalue, int64_t n, const double *phi, double error,
                        double tolerance, double grand)
{
    if (error > tolerance * cgm_largest_magnitude(phi, n)) {
        return false;
    }
    double magnitude;
    const double gap = cgm_efficiency_gap(phi, n, grand, &magnitude);
    return semivalue->kind != CGM_SEMIVALUE_SHAPLEY || gap <= CGM_EFFICIENCY * magnitude;
}

/* Two grids, shifted by half a step against each other: their mean is the result, their difference
 * the error estimate. Refined until that meets the tolerance. other [n_parties] is work space. */
static cgm_status integrate(cgm_comm *comm, const collapsed_game *game, double tolerance,
                            double grand, double *other, cgm_shapley *shapley)
{
    const int64_t n = game->sums->n_parties;
    const bool beta = game->semivalue->kind == CGM_SEMIVALUE_BETA;
    double step = FIRST_STEP;
    bool accurate = false;
    for (int k = 0; k <= (beta ? BETA_REFINEMENTS : REFINEMENTS) && !accurate; k++) {
        double weights[2];
        shapley->nodes = 0;
        cgm_status status =
            integrate_grid(comm, game, step, 0.0, shapley->phi, &shapley->nodes, &weights[0]);
        if (status == CGM_OK) {
            status =
                integrate_grid(comm, game, step, 0.5 * step, other, &shapley->nodes, &weights[1]);
        }
        if (status != CGM_OK) {
            return status;
        }
        double difference = 0.0;
        for (int64_t i = 0; i < n; i++) {
            difference = fmax(difference, fabs(shapley->phi[i] - other[i]));
            shapley->phi[i] = 0.5 * (shapley->phi[i] + other[i]);
        }
        /* The weights of a probability add up to 1: a check that costs nothing. */
        const double lost = fabs(0.5 * (weights[0] + weights[1]) - 1.0);
        const double largest = cgm_largest_magnitude(shapley->phi, n);
        shapley->error_estimate = fmax(0.5 * difference, CGM_SHAPLEY_ROUNDING * largest);
        if (beta) {
            shapley->error_estimate += lost * largest;
        }
        accurate = is_accurate(game->semivalue, n, shapley->phi, shapley->error_estimate, tolerance,
                               grand);
        step *= STEP_FACTOR;
    }
    return CGM_OK;
}

cgm_status cgm_shapley_integrate(cgm_comm *comm, const cgm_kernel_sums *sums,
                                 const cgm_semivalue *semivalue, double grand, double tolerance,
                                 cgm_shapley *shapley)
{
    collapsed_game game = {.sums = sums, .semivalue = semivalue};
    double *other = cgm_alloc(comm, sums->n_parties, sizeof(double));
    cgm_status status = collapse(comm, &game);
    status = cgm_agree(comm, other == NULL ? CGM_ERR_MEMORY : status);
    if (status == CGM_OK) {
        status = integrate(comm, &game, tolerance, grand, other, shapley);
    }
    collapsed_destroy(&game);
    free(other);
    return status;
}
