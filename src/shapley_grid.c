#include "shapley_grid.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* How far the grids reach in their own coordinates: where the τ grid of the Shapley value ends,
 * where that of a beta density does by its exponent, and where the u grid ends. */
#define GRID_REACH 3.7
#define BETA_REACH 40.0
#define U_REACH 45.0

/* One node of the integral over τ, the probability that another party is in. */
typedef struct tau_node {
    double tau;
    double one_minus_tau;
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

/* Nodes of one grid; grid->nodes may be NULL to count them. Both integrals are doubly exponential
 * at their ends, so that the trapezoidal rule converges geometrically. */
static void list_nodes(const cgm_semivalue *semivalue, const cgm_grid_extent *extent, double step,
                       double offset, cgm_grid *grid)
{
    int64_t count = 0;
    tau_node at;
    grid->weight_sum = 0.0;
    for (int64_t k = 0; find_tau(semivalue, extent->n_parties, step, offset, k, &at); k++) {
        const double u_scale = 1.0 / (at.tau * extent->total_points + extent->largest);
        const double end = log(U_REACH / (u_scale * extent->smallest));
        grid->weight_sum += at.weight;
        for (int64_t b = 0;; b++) {
            const double s = -GRID_REACH + offset + step * (double)b;
            if (s >= end + step) {
                break;
            }
            if (grid->nodes != NULL) {
                const double u = u_scale * exp(s - exp(-s));
                grid->nodes[count] = (cgm_grid_node){at.tau, at.one_minus_tau, u,
                                                     at.weight * step * u * (1.0 + exp(-s))};
            }
            count++;
        }
    }
    grid->n_nodes = count;
}

cgm_status cgm_grid_list(cgm_comm *comm, const cgm_semivalue *semivalue,
                         const cgm_grid_extent *extent, double step, double offset, cgm_grid *grid)
{
    *grid = (cgm_grid){0};
    list_nodes(semivalue, extent, step, offset, grid);
    grid->nodes = cgm_alloc(comm, grid->n_nodes, sizeof *grid->nodes);
    if (grid->nodes == NULL) {
        return CGM_ERR_MEMORY;
    }
    list_nodes(semivalue, extent, step, offset, grid);
    return CGM_OK;
}

cgm_status cgm_grid_create(cgm_comm *comm, const cgm_semivalue *semivalue,
                           const cgm_grid_extent *extent, double step, double offset,
                           cgm_grid *grid)
{
    *grid = (cgm_grid){0};
    if (comm->rank == 0) {
        list_nodes(semivalue, extent, step, offset, grid);
    }
    /* Nobody has nodes yet. */
    cgm_comm_broadcast(comm, grid, sizeof *grid, 0);
    grid->nodes = cgm_alloc(comm, grid->n_nodes, sizeof *grid->nodes);
    const cgm_status status = cgm_agree(comm, grid->nodes == NULL ? CGM_ERR_MEMORY : CGM_OK);
    if (status != CGM_OK) {
        cgm_grid_destroy(grid);
        return status;
    }
    if (comm->rank == 0) {
        list_nodes(semivalue, extent, step, offset, grid);
    }
    cgm_comm_broadcast(comm, grid->nodes, (size_t)grid->n_nodes * sizeof *grid->nodes, 0);
    return CGM_OK;
}

void cgm_grid_destroy(cgm_grid *grid)
{
    free(grid->nodes);
    *grid = (cgm_grid){0};
}
