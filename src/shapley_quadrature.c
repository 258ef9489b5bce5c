#include "shapley_quadrature.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "careful_sum.h"
#include "cgm/accumulator.h"
#include "cgm/dense.h"
#include "cgm/tolerance.h"
#include "shapley_grid.h"

/* Nodes that are evaluated together, and refinements of the step before the search for the asked
 * tolerance ends (MATH.md §4b). */
enum { CHUNK_NODES = 256, REFINEMENTS = 4, BETA_REFINEMENTS = 6 };
#define FIRST_STEP 0.25
#define STEP_FACTOR 0.7
/* A node whose probability of an empty coalition of the others is below exp(-50) adds nothing. */
#define SKIP_LOG (-50.0)
/* p_j is at least this, so that its logarithm is a number where τ = 1 and e^{-u m} underflows. */
#define LEAST_P 1e-300
/* Terms of B enter an exact sum scaled by a power of two that leaves 2^12 of its range to terms of
 * either sign beyond the sum of S, and keeps 2^-114 of that sum. */
enum { SCALE_EXPONENT = 50 };

/* The game as the quadrature sees it. q_j depends on m_j alone: parties of one size share a column,
 * unless that would leave at least half as many columns as parties; then every party is one, and
 * the rows of S are used where they are. */
typedef struct column_game {
    const cgm_kernel_sums *sums;
    const cgm_semivalue *semivalue;
    int holder;         /* the rank that holds all rows, as of few parties; -1: several do */
    int64_t first_row;  /* of S, held here */
    int64_t n_rows;     /* held here */
    int64_t n_columns;  /* K, or N */
    double *sizes;      /* [n_columns] m */
    double *counts;     /* [n_columns] parties of the column */
    double *linear;     /* [n_columns] Σ t_j over them */
    double *diagonal;   /* [n_columns] Σ S_jj over them */
    int64_t *column_of; /* [n_parties] */
    int64_t *rows;      /* [n_rows] the rows held here, counted from the first, column by column */
    double *collapsed;  /* [n_rows][n_columns] Σ_j S_ij over the parties of a column, or NULL */
    const double *s;    /* collapsed, or the rows of S */
    cgm_grid_extent extent;
    double scale; /* of terms of B */
} column_game;

/* A node of the grid with what the parties' numbers make of it. */
typedef struct node {
    cgm_grid_node at;
    double log_prod; /* Σ ln p_j */
    double linear;   /* A */
    double diagonal; /* E */
    bool matters;
} node;

/* Work space of a chunk; its columns are nodes. */
typedef struct chunk_space {
    double *q;                /* [n_columns][CHUNK_NODES] */
    double *y;                /* [n_rows][CHUNK_NODES] S q */
    cgm_accumulator *squares; /* [CHUNK_NODES] B, scaled */
    cgm_careful_sum *phi;     /* [n_rows] */
} chunk_space;

static int compare_doubles(const void *left, const void *right)
{
    const double a = *(const double *)left;
    const double b = *(const double *)right;
    return (a > b) - (a < b);
}

/* sizes [n_parties] in ascending order, repeated ones dropped: their number is returned. */
static int64_t find_distinct(double *sizes, int64_t n_parties)
{
    qsort(sizes, (size_t)n_parties, sizeof *sizes, compare_doubles);
    int64_t count = 0;
    for (int64_t i = 0; i < n_parties; i++) {
        if (count == 0 || sizes[i] > sizes[count - 1]) {
            sizes[count++] = sizes[i];
        }
    }
    return count;
}

/* Which column every party belongs to. */
static void assign_columns(column_game *game)
{
    const cgm_kernel_sums *sums = game->sums;
    const int64_t n = sums->n_parties;
    for (int64_t i = 0; i < n; i++) {
        game->sizes[i] = (double)sums->party_points[i];
    }
    const int64_t distinct = find_distinct(game->sizes, n);
    game->extent.n_parties = n;
    game->extent.smallest = game->sizes[0];
    game->extent.largest = game->sizes[distinct - 1];
    const bool collapse = 2 * distinct <= n;
    game->n_columns = collapse ? distinct : n;
    for (int64_t i = 0; i < n; i++) {
        const double size = (double)sums->party_points[i];
        if (collapse) {
            const double *found =
                bsearch(&size, game->sizes, (size_t)distinct, sizeof(double), compare_doubles);
            game->column_of[i] = found - game->sizes;
        } else {
            game->sizes[i] = size;
            game->column_of[i] = i;
        }
    }
}

/* What the columns add up to, which every rank needs. */
static void add_up_columns(column_game *game)
{
    const cgm_kernel_sums *sums = game->sums;
    double total = 0.0;
    for (int64_t i = 0; i < sums->n_parties; i++) {
        const int64_t k = game->column_of[i];
        game->counts[k] += 1.0;
        game->linear[k] += sums->reference_sums[i];
        game->diagonal[k] += sums->own_sums[i];
        game->extent.total_points += (double)sums->party_points[i];
        total += sums->row_totals[i];
    }
    int exponent = 0;
    frexp(total, &exponent);
    game->scale = ldexp(1.0, SCALE_EXPONENT - exponent);
}

/* The rows held here in the order of their columns. first [n_columns + 1] is work space. */
static void sort_rows(column_game *game, int64_t *first)
{
    const int64_t *column_of = game->column_of + game->first_row;
    for (int64_t i = 0; i < game->n_rows; i++) {
        first[column_of[i] + 1]++;
    }
    for (int64_t k = 0; k < game->n_columns; k++) {
        first[k + 1] += first[k];
    }
    for (int64_t i = 0; i < game->n_rows; i++) {
        game->rows[first[column_of[i]]++] = i;
    }
}

/* The columns of S added up by size. */
static void collapse_rows(column_game *game)
{
    const int64_t n = game->sums->n_parties;
    for (int64_t i = 0; i < game->n_rows; i++) {
        const double *row = game->sums->party_sums + i * n;
        double *sum = game->collapsed + i * game->n_columns;
        for (int64_t j = 0; j < n; j++) {
            sum[game->column_of[j]] += row[j];
        }
    }
    game->s = game->collapsed;
}

/* The one rank with rows, or -1. */
static int find_holder(const cgm_comm *comm, const cgm_kernel_sums *sums)
{
    int holder = -1;
    for (int r = 0; r < comm->size; r++) {
        if (sums->first_row[r + 1] - sums->first_row[r] == sums->n_parties) {
            holder = r;
        }
    }
    return holder;
}

/* Local. */
static cgm_status game_create(cgm_comm *comm, column_game *game)
{
    const cgm_kernel_sums *sums = game->sums;
    const int64_t n = sums->n_parties;
    game->holder = find_holder(comm, sums);
    game->first_row = sums->first_row[comm->rank];
    game->n_rows = sums->first_row[comm->rank + 1] - game->first_row;
    game->s = sums->party_sums;
    game->sizes = cgm_alloc(comm, n, sizeof(double));
    game->counts = cgm_alloc(comm, n, sizeof(double));
    game->linear = cgm_alloc(comm, n, sizeof(double));
    game->diagonal = cgm_alloc(comm, n, sizeof(double));
    game->column_of = cgm_alloc(comm, n, sizeof(int64_t));
    game->rows = cgm_alloc(comm, game->n_rows, sizeof(int64_t));
    int64_t *first = cgm_alloc(comm, n + 1, sizeof(int64_t));
    if (game->sizes == NULL || game->counts == NULL || game->linear == NULL ||
        game->diagonal == NULL || game->column_of == NULL || game->rows == NULL || first == NULL) {
        free(first);
        return CGM_ERR_MEMORY;
    }
    assign_columns(game);
    add_up_columns(game);
    sort_rows(game, first);
    free(first);
    if (game->n_columns < n) {
        game->collapsed = cgm_alloc(comm, game->n_rows * game->n_columns, sizeof(double));
        if (game->collapsed == NULL) {
            return CGM_ERR_MEMORY;
        }
        collapse_rows(game);
    }
    return CGM_OK;
}

static void game_destroy(column_game *game)
{
    free(game->sizes);
    free(game->counts);
    free(game->linear);
    free(game->diagonal);
    free(game->column_of);
    free(game->rows);
    free(game->collapsed);
}

/* p of a party of m points, from e = e^{-u m}. */
static double chance(const cgm_grid_node *at, double e)
{
    return fmax(at->one_minus_tau + at->tau * e, LEAST_P);
}

/* Σ ln p, A and E at a node, and whether it matters: Σ ln p − min ln p only falls as parties are
 * added, so the first that brings it below the limit decides. */
static void measure_node(const column_game *game, node *found)
{
    const cgm_grid_node *at = &found->at;
    cgm_careful_sum log_prod = {0.0, 0.0};
    double least = 0.0;
    for (int64_t k = 0; k < game->n_columns; k++) {
        const double e = exp(-at->u * game->sizes[k]);
        const double p = chance(at, e);
        const double q = at->tau * e / p;
        const double log_p = log(p);
        cgm_careful_add(&log_prod, game->counts[k] * log_p);
        least = fmin(least, log_p);
        if (log_prod.sum - least < SKIP_LOG) {
            return;
        }
        found->linear += q * game->linear[k];
        found->diagonal += q * (1.0 - q) * game->diagonal[k];
    }
    found->log_prod = cgm_careful_value(&log_prod);
    found->matters = true;
}

/* The nodes that matter, in order; returns their number.  Local. */
static int64_t measure_alone(const column_game *game, const cgm_grid *grid, node *nodes)
{
    int64_t kept = 0;
    for (int64_t k = 0; k < grid->n_nodes; k++) {
        nodes[kept] = (node){.at = grid->nodes[k]};
        measure_node(game, &nodes[kept]);
        kept += nodes[kept].matters;
    }
    return kept;
}

/* The same by all ranks for all of them.  Collective. Every rank measures every size-th node,
 * because neighbours cost alike. dealt [n_nodes], first [size + 1]: work space, node k is
 * dealt[first[k % size] + k/size]. */
static int64_t measure_together(cgm_comm *comm, const column_game *game, const cgm_grid *grid,
                                node *nodes, node *dealt, int64_t *first)
{
    const int64_t n_nodes = grid->n_nodes;
    const int64_t size = comm->size;
    for (int64_t r = 0; r < size; r++) {
        first[r + 1] = first[r] + (n_nodes - r + size - 1) / size;
    }
    for (int64_t k = comm->rank; k < n_nodes; k += size) {
        node *mine = &dealt[first[comm->rank] + k / size];
        mine->at = grid->nodes[k];
        measure_node(game, mine);
    }
    cgm_comm_all_gather(comm, dealt, first, sizeof *dealt);
    int64_t kept = 0;
    for (int64_t k = 0; k < n_nodes; k++) {
        const node *found = &dealt[first[k % size] + k / size];
        if (found->matters) {
            nodes[kept++] = *found;
        }
    }
    return kept;
}

/* q by column; 0 at the nodes that the last chunk lacks. */
static void fill_q(const column_game *game, const node *nodes, int64_t count, double *q)
{
    memset(q, 0, (size_t)(game->n_columns * CHUNK_NODES) * sizeof *q);
    for (int64_t k = 0; k < game->n_columns; k++) {
        for (int64_t c = 0; c < count; c++) {
            const double e = exp(-nodes[c].at.u * game->sizes[k]);
            q[k * CHUNK_NODES + c] = nodes[c].at.tau * e / chance(&nodes[c].at, e);
        }
    }
}

/* y = S q of the rows held here, and what they add to B = qᵀy. A panel of rows is multiplied and
 * added up by itself, its sum exactly, so that no bit depends on which rank holds it. For the sake
 * of that, and because S is where it is needed, this is not ScaLAPACK's pdgemm, however many sizes
 * there are: nothing but B, CHUNK_NODES numbers, would have to move between ranks anyway. */
static void multiply_rows(const column_game *game, chunk_space *space)
{
    memset(space->squares, 0, CHUNK_NODES * sizeof *space->squares);
    for (int64_t first = 0; first < game->n_rows; first += CGM_ROW_PANEL) {
        const int64_t rest = game->n_rows - first;
        const int64_t count = rest < CGM_ROW_PANEL ? rest : CGM_ROW_PANEL;
        double *y = space->y + first * CHUNK_NODES;
        double sum[CHUNK_NODES] = {0.0};
        cgm_dense_multiply(count, CHUNK_NODES, game->n_columns, game->s + first * game->n_columns,
                           space->q, y);
        for (int64_t i = 0; i < count; i++) {
            const int64_t column = game->column_of[game->first_row + first + i];
            const double *q = space->q + column * CHUNK_NODES;
            for (int64_t c = 0; c < CHUNK_NODES; c++) {
                sum[c] += q[c] * y[i * CHUNK_NODES + c];
            }
        }
        for (int64_t c = 0; c < CHUNK_NODES; c++) {
            cgm_accumulator_add(&space->squares[c], sum[c] * game->scale);
        }
    }
}

/* What the parties of one column have in common at the nodes of a chunk, and the nodes' totals. */
typedef struct column_view {
    double factor; /* 2/n */
    const double *q;
    double e[CHUNK_NODES];
    double less[CHUNK_NODES];   /* 1 − e */
    double others[CHUNK_NODES]; /* weight · Π_{-i} */
    double u[CHUNK_NODES];
    double linear[CHUNK_NODES];
    double square[CHUNK_NODES];
    double diagonal[CHUNK_NODES];
} column_view;

static void view_nodes(const column_game *game, const node *nodes, int64_t count,
                       const chunk_space *space, column_view *view)
{
    view->factor = 2.0 / (double)game->sums->n_reference;
    for (int64_t c = 0; c < count; c++) {
        view->u[c] = nodes[c].at.u;
        view->linear[c] = nodes[c].linear;
        view->diagonal[c] = nodes[c].diagonal;
        view->square[c] = cgm_accumulator_value(&space->squares[c]) / game->scale;
    }
}

static void view_column(const column_game *game, const node *nodes, int64_t count,
                        const chunk_space *space, int64_t column, column_view *view)
{
    view->q = space->q + column * CHUNK_NODES;
    for (int64_t c = 0; c < count; c++) {
        const double exponent = -nodes[c].at.u * game->sizes[column];
        view->e[c] = exp(exponent);
        view->less[c] = -expm1(exponent);
        view->others[c] =
            nodes[c].at.weight * exp(nodes[c].log_prod - log(chance(&nodes[c].at, view->e[c])));
    }
}

/* Σ over the chunk's nodes of weight · (with_i − without_i) for a party with t, S_ii and y. Their
 * difference is written as what the party adds minus what it thins out of the others' value v:
 * with_i and without_i themselves are about N times larger than it. */
static double integrate_party(const column_view *view, int64_t count, double t, double s,
                              const double *y)
{
    double term[CHUNK_NODES];
    const double *q = view->q;
    const double factor = view->factor;
    for (int64_t c = 0; c < count; c++) {
        const double u = view->u[c];
        const double linear = view->linear[c] - q[c] * t;
        const double square = view->square[c] - 2.0 * q[c] * y[c] + q[c] * q[c] * s;
        const double diagonal = view->diagonal[c] - q[c] * (1.0 - q[c]) * s;
        const double v = factor * linear - u * (square + diagonal);
        const double added = factor * t - u * (s + 2.0 * (y[c] - q[c] * s));
        term[c] = view->others[c] * (view->e[c] * added - view->less[c] * v);
    }
    /* Apart from their sum, whose order is fixed, the terms are vector code. */
    double total = 0.0;
    for (int64_t c = 0; c < count; c++) {
        total += term[c];
    }
    return total;
}

/* What a chunk of nodes adds to φ of the rows held here.  Collective, but for a holder of all. */
static void integrate_chunk(cgm_comm *comm, const column_game *game, const node *nodes,
                            int64_t count, chunk_space *space)
{
    const cgm_kernel_sums *sums = game->sums;
    fill_q(game, nodes, count, space->q);
    multiply_rows(game, space);
    if (game->holder < 0) {
        cgm_accumulator_reduce(comm, space->squares, CHUNK_NODES);
    }
    column_view view = {.q = space->q};
    view_nodes(game, nodes, count, space, &view);
    int64_t column = -1;
    for (int64_t k = 0; k < game->n_rows; k++) {
        const int64_t row = game->rows[k];
        const int64_t i = game->first_row + row;
        if (game->column_of[i] != column) {
            column = game->column_of[i];
            view_column(game, nodes, count, space, column, &view);
        }
        cgm_careful_add(&space->phi[row],
                        integrate_party(&view, count, sums->reference_sums[i], sums->own_sums[i],
                                        space->y + row * CHUNK_NODES));
    }
}

/* Local. */
static cgm_status chunk_create(cgm_comm *comm, const column_game *game, chunk_space *space)
{
    space->q = cgm_alloc(comm, game->n_columns * CHUNK_NODES, sizeof(double));
    space->y = cgm_alloc(comm, game->n_rows * CHUNK_NODES, sizeof(double));
    space->squares = cgm_alloc(comm, CHUNK_NODES, sizeof(cgm_accumulator));
    space->phi = cgm_alloc(comm, game->n_rows, sizeof(cgm_careful_sum));
    return space->q == NULL || space->y == NULL || space->squares == NULL || space->phi == NULL
               ? CGM_ERR_MEMORY
               : CGM_OK;
}

static void chunk_destroy(chunk_space *space)
{
    free(space->q);
    free(space->y);
    free(space->squares);
    free(space->phi);
}

/* The integral over the nodes of a grid that matter: phi [n_parties], the same bits at every number
 * of ranks.  Collective. */
static void integrate_nodes(cgm_comm *comm, const column_game *game, const node *nodes,
                            int64_t n_nodes, chunk_space *space, double *phi)
{
    memset(space->phi, 0, (size_t)game->n_rows * sizeof *space->phi);
    for (int64_t first = 0; first < n_nodes; first += CHUNK_NODES) {
        const int64_t rest = n_nodes - first;
        integrate_chunk(comm, game, nodes + first, rest < CHUNK_NODES ? rest : CHUNK_NODES, space);
    }
    for (int64_t i = 0; i < game->n_rows; i++) {
        phi[game->first_row + i] = cgm_careful_value(&space->phi[i]);
    }
    cgm_comm_all_gather(comm, phi, game->sums->first_row, sizeof *phi);
}

/* One grid. */
static cgm_status integrate_grid(cgm_comm *comm, const column_game *game, double step,
                                 double offset, chunk_space *space, double *phi, int64_t *n_kept,
                                 double *weight_sum)
{
    cgm_grid grid;
    cgm_status status = cgm_grid_create(comm, game->semivalue, &game->extent, step, offset, &grid);
    if (status != CGM_OK) {
        return status;
    }
    node *nodes = cgm_alloc(comm, grid.n_nodes, sizeof *nodes);
    node *dealt = cgm_alloc(comm, grid.n_nodes, sizeof *dealt);
    int64_t *first = cgm_alloc(comm, comm->size + 1, sizeof *first);
    const bool refused = nodes == NULL || dealt == NULL || first == NULL;
    status = cgm_agree(comm, refused ? CGM_ERR_MEMORY : CGM_OK);
    if (status == CGM_OK) {
        int64_t kept = 0;
        if (game->holder < 0) {
            kept = measure_together(comm, game, &grid, nodes, dealt, first);
        } else if (comm->rank == game->holder) {
            /* Of few parties the messages would take longer than the work. */
            kept = measure_alone(game, &grid, nodes);
        }
        integrate_nodes(comm, game, nodes, kept, space, phi);
        if (game->holder >= 0) {
            cgm_comm_broadcast(comm, &kept, sizeof kept, game->holder);
        }
        *n_kept += kept;
        *weight_sum = grid.weight_sum;
    }
    free(nodes);
    free(dealt);
    free(first);
    cgm_grid_destroy(&grid);
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
static cgm_status integrate(cgm_comm *comm, const column_game *game, double tolerance, double grand,
                            chunk_space *space, double *other, cgm_shapley *shapley)
{
    const int64_t n = game->sums->n_parties;
    const bool beta = game->semivalue->kind == CGM_SEMIVALUE_BETA;
    double step = FIRST_STEP;
    bool accurate = false;
    for (int k = 0; k <= (beta ? BETA_REFINEMENTS : REFINEMENTS) && !accurate; k++) {
        double weights[2];
        shapley->nodes = 0;
        cgm_status status = integrate_grid(comm, game, step, 0.0, space, shapley->phi,
                                           &shapley->nodes, &weights[0]);
        if (status == CGM_OK) {
            status = integrate_grid(comm, game, step, 0.5 * step, space, other, &shapley->nodes,
                                    &weights[1]);
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
    column_game game = {.sums = sums, .semivalue = semivalue};
    chunk_space space = {0};
    double *other = cgm_alloc(comm, sums->n_parties, sizeof(double));
    cgm_status status = other == NULL ? CGM_ERR_MEMORY : game_create(comm, &game);
    if (status == CGM_OK) {
        status = chunk_create(comm, &game, &space);
    }
    status = cgm_agree(comm, status);
    if (status == CGM_OK) {
        status = integrate(comm, &game, tolerance, grand, &space, other, shapley);
    }
    chunk_destroy(&space);
    game_destroy(&game);
    free(other);
    return status;
}
