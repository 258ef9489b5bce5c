#include "generator_gmm_start.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/accumulator.h"
#include "cgm/generator_gmm.h"
#include "cgm/rng.h"
#include "cgm/tolerance.h"

/* Rounds of cutting at the most: what a cut is moved by halves with each of them. */
enum { ROUNDS_MOST = 60 };

/* ---- cells ---- */

/* Cells while they are cut, and the points that they consist of. */
typedef struct cutting {
    cgm_comm *comm;
    const gmm_points *points;
    int64_t n_cells;
    int64_t n_moments;     /* 1, x_f, x_f² */
    int32_t *cell;         /* [n_local] of each point */
    cgm_accumulator *sums; /* [n_cells][n_moments] */
    double *moments;       /* the same: number of points, means, variances */
    int64_t *feature;      /* [n_cells] that a cell is cut in; -1: not any more */
    double *cuts;          /* [n_cells] where */
    double *steps;         /* [n_cells] what the cut was last moved by; 0: it is at the mean */
    int64_t *above;        /* [n_cells] points above the cut */
    int32_t *upper;        /* [n_cells] what the part above the cut becomes */
} cutting;

/* Sums of every cell over all ranks, and what follows from them. */
static void measure_cells(cutting *of)
{
    const gmm_points *points = of->points;
    const int64_t d = points->n_features;
    const int64_t n_sums = of->n_cells * of->n_moments;
    double *terms = of->moments; /* of one point, until all are summed */
    memset(of->sums, 0, (size_t)n_sums * sizeof *of->sums);
    for (int64_t b = 0; b < points->n_blocks; b++) {
        const gmm_block *block = &points->blocks[b];
        const double *x = gmm_block_coordinates(points, block);
        for (int64_t i = 0; i < block->n_points; i++) {
            terms[0] = 1.0;
            for (int64_t f = 0; f < d; f++) {
                const double value = x[f * block->n_points + i];
                terms[1 + f] = value;
                terms[1 + d + f] = value * value;
            }
            cgm_accumulator_add_each(of->sums + of->cell[block->first + i] * of->n_moments, terms,
                                     of->n_moments);
        }
    }
    cgm_accumulator_reduce(of->comm, of->sums, n_sums);
    for (int64_t s = 0; s < n_sums; s++) {
        of->moments[s] = cgm_accumulator_value(&of->sums[s]);
    }
    for (int64_t c = 0; c < of->n_cells; c++) {
        double *moments = of->moments + c * of->n_moments;
        for (int64_t f = 0; f < d; f++) {
            moments[1 + f] /= moments[0];
            moments[1 + d + f] = moments[1 + d + f] / moments[0] - moments[1 + f] * moments[1 + f];
        }
    }
}

/* The feature of the largest variance; -1 if the points do not differ beyond rounding. */
static int64_t choose_feature(const cutting *of, int64_t c)
{
    const int64_t d = of->points->n_features;
    const double *moments = of->moments + c * of->n_moments;
    const double least = 2.0 * (double)gmm_least_points(d);
    int64_t chosen = -1;
    double largest = 0.0;
    for (int64_t f = 0; f < d && moments[0] >= least; f++) {
        const double variance = moments[1 + d + f];
        const double rounding = CGM_GMM_SAME_POINT * moments[1 + f] * moments[1 + f];
        if (variance > largest && variance > rounding) {
            chosen = f;
            largest = variance;
        }
    }
    return chosen;
}

static bool is_above(const cutting *of, const gmm_block *block, int64_t i)
{
    const int32_t cell = of->cell[block->first + i];
    const int64_t f = of->feature[cell];
    const double *x = gmm_block_coordinates(of->points, block);
    return f >= 0 && x[f * block->n_points + i] > of->cuts[cell];
}

/* Points above the cuts, on all ranks. */
static void count_above(cutting *of)
{
    const gmm_points *points = of->points;
    memset(of->above, 0, (size_t)of->n_cells * sizeof *of->above);
    for (int64_t b = 0; b < points->n_blocks; b++) {
        const gmm_block *block = &points->blocks[b];
        for (int64_t i = 0; i < block->n_points; i++) {
            of->above[of->cell[block->first + i]] += is_above(of, block, i);
        }
    }
    cgm_comm_sum(of->comm, of->above, of->n_cells);
}

/* Moves a cut that leaves too few points on one side, first by half of what all points are within
 * of their mean, then by half of that. */
static void move_cut(cutting *of, int64_t c, bool up)
{
    const double *moments = of->moments + c * of->n_moments;
    const int64_t f = of->feature[c];
    const double widest = sqrt(moments[0] * moments[1 + of->points->n_features + f]);
    of->steps[c] = 0.5 * (of->steps[c] > 0.0 ? of->steps[c] : widest);
    of->cuts[c] += up ? of->steps[c] : -of->steps[c];
}

/* Cuts the cells that can be: no sum is ever formed over a part of too few points.
 * @return the number of new cells; *n_moved: of cuts that a next round may do better with */
static int64_t cut_cells(cutting *of, int64_t *n_moved)
{
    const gmm_points *points = of->points;
    const int64_t least = gmm_least_points(points->n_features);
    const int64_t before = of->n_cells;
    *n_moved = 0;
    for (int64_t c = 0; c < before; c++) {
        of->feature[c] = choose_feature(of, c);
        if (of->feature[c] >= 0 && of->steps[c] == 0.0) {
            of->cuts[c] = of->moments[c * of->n_moments + 1 + of->feature[c]];
        }
    }
    count_above(of);
    for (int64_t c = 0; c < before; c++) {
        const int64_t below = (int64_t)of->moments[c * of->n_moments] - of->above[c];
        if (of->feature[c] < 0) {
            continue;
        }
        if (of->above[c] >= least && below >= least) {
            of->steps[c] = 0.0;
            of->steps[of->n_cells] = 0.0;
            of->upper[c] = (int32_t)of->n_cells++;
        } else {
            move_cut(of, c, below < least);
            of->feature[c] = -1;
            ++*n_moved;
        }
    }
    for (int64_t b = 0; b < points->n_blocks; b++) {
        const gmm_block *block = &points->blocks[b];
        for (int64_t i = 0; i < block->n_points; i++) {
            if (is_above(of, block, i)) {
                int32_t *cell = &of->cell[block->first + i];
                *cell = of->upper[*cell];
            }
        }
    }
    return of->n_cells - before;
}

static void keep_cells(const cutting *of, gmm_cells *cells)
{
    const int64_t d = of->points->n_features;
    cells->n_cells = of->n_cells;
    for (int64_t c = 0; c < of->n_cells; c++) {
        const double *moments = of->moments + c * of->n_moments;
        cells->counts[c] = moments[0];
        memcpy(cells->means + c * d, moments + 1, (size_t)d * sizeof(double));
    }
}

static cgm_status allocate(cutting *of, int64_t room, gmm_cells *cells)
{
    cgm_comm *comm = of->comm;
    of->cell = cgm_alloc(comm, of->points->n_local, sizeof *of->cell);
    of->sums = cgm_alloc(comm, room * of->n_moments, sizeof *of->sums);
    of->moments = cgm_alloc(comm, room * of->n_moments, sizeof *of->moments);
    of->feature = cgm_alloc(comm, room, sizeof *of->feature);
    of->cuts = cgm_alloc(comm, room, sizeof *of->cuts);
    of->steps = cgm_alloc(comm, room, sizeof *of->steps);
    of->above = cgm_alloc(comm, room, sizeof *of->above);
    of->upper = cgm_alloc(comm, room, sizeof *of->upper);
    cells->counts = cgm_alloc(comm, room, sizeof *cells->counts);
    cells->means = cgm_alloc(comm, room * cells->n_features, sizeof *cells->means);
    const bool complete = of->cell != NULL && of->sums != NULL && of->moments != NULL &&
                          of->feature != NULL && of->cuts != NULL && of->steps != NULL &&
                          of->above != NULL && of->upper != NULL && cells->counts != NULL &&
                          cells->means != NULL;
    return complete ? CGM_OK : CGM_ERR_MEMORY;
}

/* Cells of equally many points at normally distributed places, of which all points together have
 * mean 0 and variance 1 in every feature. */
static cgm_status make_up_cells(cgm_comm *comm, const gmm_points *points, int64_t wanted,
                                gmm_cells *cells)
{
    const int64_t d = points->n_features;
    const int64_t count = points->n_points < wanted ? points->n_points : wanted;
    const cgm_rng rng = {0, (uint64_t)points->label, CGM_RNG_CELL};
    cells->counts = cgm_alloc(comm, count, sizeof *cells->counts);
    cells->means = cgm_alloc(comm, count * d, sizeof *cells->means);
    bool complete = cells->counts != NULL && cells->means != NULL;
    for (int64_t k = 0; complete && k < count * d; k++) {
        uint64_t words[4];
        double normal[2];
        cgm_rng_words(&rng, (uint64_t)(k / d), (uint64_t)(k % d), 0, words);
        cgm_rng_normal(words, normal);
        cells->means[k] = normal[0];
    }
    for (int64_t c = 0; complete && c < count; c++) {
        cells->counts[c] = (double)points->n_points / (double)count;
        cells->n_cells = count;
    }
    return cgm_agree(comm, complete ? CGM_OK : CGM_ERR_MEMORY);
}

cgm_status gmm_cells_create(cgm_comm *comm, const gmm_points *points, int64_t most,
                            gmm_cells *cells)
{
    const int64_t wanted = most * CGM_GMM_CELLS;
    cutting of = {
        .comm = comm, .points = points, .n_cells = 1, .n_moments = 1 + 2 * points->n_features};
    *cells = (gmm_cells){.n_features = points->n_features};
    if (points->sealed) {
        return make_up_cells(comm, points, wanted, cells);
    }
    cgm_status status = cgm_agree(comm, allocate(&of, 2 * wanted, cells));
    if (status == CGM_OK) {
        measure_cells(&of);
        int64_t moved = 1;
        for (int k = 0; k < ROUNDS_MOST && of.n_cells < wanted && moved > 0; k++) {
            const int64_t added = cut_cells(&of, &moved);
            if (added > 0) {
                measure_cells(&of);
                moved += added;
            }
        }
        keep_cells(&of, cells);
    }
    free(of.cell);
    free(of.sums);
    free(of.moments);
    free(of.feature);
    free(of.cuts);
    free(of.steps);
    free(of.above);
    free(of.upper);
    return status;
}

void gmm_cells_destroy(gmm_cells *cells)
{
    free(cells->counts);
    free(cells->means);
    *cells = (gmm_cells){0};
}

/* ---- centres ---- */

static double square_distance(const gmm_cells *cells, int64_t a, int64_t b)
{
    const double *x = cells->means + a * cells->n_features;
    const double *y = cells->means + b * cells->n_features;
    double sum = 0.0;
    for (int64_t f = 0; f < cells->n_features; f++) {
        sum += (x[f] - y[f]) * (x[f] - y[f]);
    }
    return sum;
}

/* The cell at a share of the sum of all weights; one of weight 0 is none. */
static int64_t find_cell(const double *weights, int64_t count, double total, double share)
{
    int64_t found = 0;
    double sum = 0.0;
    for (int64_t c = 0; c < count && (sum <= share * total || weights[found] == 0.0); c++) {
        found = weights[c] > 0.0 ? c : found;
        sum += weights[c];
    }
    return found;
}

/* What would be left of the sum of points times squared distance. */
static double measure_rest(const gmm_cells *cells, const double *nearest, int64_t centre)
{
    double sum = 0.0;
    for (int64_t c = 0; c < cells->n_cells; c++) {
        sum += cells->counts[c] * fmin(nearest[c], square_distance(cells, c, centre));
    }
    return sum;
}

/* On rank 0. nearest, weights [n_cells] are work space */
static int64_t choose(const gmm_cells *cells, const cgm_rng *rng, int64_t start, int64_t most,
                      double *nearest, double *weights, double *centres)
{
    const int64_t d = cells->n_features;
    int64_t found = 0;
    for (; found < most; found++) {
        double total = 0.0;
        for (int64_t c = 0; c < cells->n_cells; c++) {
            weights[c] = cells->counts[c] * (found > 0 ? nearest[c] : 1.0);
            total += weights[c];
        }
        if (!(total > 0.0)) {
            break; /* every cell is a centre */
        }
        uint64_t words[CGM_GMM_TRIALS];
        cgm_rng_words(rng, (uint64_t)start, (uint64_t)found, 0, words);
        int64_t best = find_cell(weights, cells->n_cells, total, cgm_rng_uniform(words[0]));
        double rest = found > 0 ? measure_rest(cells, nearest, best) : 0.0;
        for (int t = 1; t < CGM_GMM_TRIALS && found > 0; t++) {
            const int64_t other =
                find_cell(weights, cells->n_cells, total, cgm_rng_uniform(words[t]));
            const double left = measure_rest(cells, nearest, other);
            best = left < rest ? other : best;
            rest = fmin(left, rest);
        }
        memcpy(centres + found * d, cells->means + best * d, (size_t)d * sizeof *centres);
        for (int64_t c = 0; c < cells->n_cells; c++) {
            const double square = square_distance(cells, c, best);
            nearest[c] = found > 0 ? fmin(nearest[c], square) : square;
        }
    }
    return found;
}

cgm_status gmm_choose_centres(cgm_comm *comm, const gmm_cells *cells, uint64_t seed,
                              uint64_t stream, int64_t start, int64_t most, double *centres,
                              int64_t *n_found)
{
    const cgm_rng rng = {seed, stream, CGM_RNG_CENTRES};
    double *work = cgm_alloc(comm, 2 * cells->n_cells, sizeof *work);
    cgm_status status = cgm_agree(comm, work != NULL ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK && comm->rank == 0) {
        *n_found = choose(cells, &rng, start, most, work, work + cells->n_cells, centres);
    }
    if (status == CGM_OK) {
        cgm_comm_broadcast(comm, n_found, sizeof *n_found, 0);
        cgm_comm_broadcast(comm, centres, (size_t)(most * cells->n_features) * sizeof *centres, 0);
    }
    free(work);
    return status;
}
