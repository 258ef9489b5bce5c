/**
 * @file shapley_grid.h
 * The grid of the quadrature of Shapley values and other semivalues (MATH.md §4b). Internal to the
 * Shapley stage.
 */
#ifndef CGM_SHAPLEY_GRID_H
#define CGM_SHAPLEY_GRID_H

#include "cgm/shapley.h"

/** All that the grid depends on of a game. */
typedef struct cgm_grid_extent {
    int64_t n_parties;
    double smallest;     /**< min m */
    double largest;      /**< max m */
    double total_points; /**< M */
} cgm_grid_extent;

typedef struct cgm_grid_node {
    double tau;
    double one_minus_tau; /**< its own number: 1 - τ would lose digits near 1 */
    double u;
    double weight;
} cgm_grid_node;

typedef struct cgm_grid {
    int64_t n_nodes;
    cgm_grid_node *nodes; /**< [n_nodes] */
    double weight_sum;    /**< of the τ grid, 1 but for its error */
} cgm_grid;

/** Local. As cgm_grid_create, by this rank for itself. */
cgm_status cgm_grid_list(cgm_comm *comm, const cgm_semivalue *semivalue,
                         const cgm_grid_extent *extent, double step, double offset, cgm_grid *grid);

/**
 * List the nodes of one grid.  Collective; rank 0 does it for all, so that no rank can count them
 * differently.
 * @param[in]  semivalue  shapley, banzhaf or beta
 * @param[in]  offset     of both axes, 0 .. step
 * @param[out] grid       the same on every rank; the pair is cgm_grid_destroy
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY
 */
cgm_status cgm_grid_create(cgm_comm *comm, const cgm_semivalue *semivalue,
                           const cgm_grid_extent *extent, double step, double offset,
                           cgm_grid *grid);

/** Local. Accepts a zeroed struct. */
void cgm_grid_destroy(cgm_grid *grid);

#endif
