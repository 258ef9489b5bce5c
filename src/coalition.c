#include "cgm/coalition.h"

#include <stdlib.h>
#include <string.h>

#include "careful_sum.h"

double cgm_coalition_formula(int64_t n_reference, double size, double linear, double quadratic)
{
    return 2.0 * linear / ((double)n_reference * size) - quadratic / (size * size);
}

/* v(D_i ∪ G), the most that the pool can raise party i to (MATH.md §2). */
static double ceiling_of(const cgm_kernel_sums *sums, int64_t i, double candidate_reference_sum)
{
    double size = (double)(sums->party_points[i] + sums->n_candidates);
    double linear = sums->reference_sums[i] + candidate_reference_sum;
    double quadratic =
        sums->own_sums[i] + 2.0 * sums->party_candidate_sums[i] + sums->candidate_sum;
    return cgm_coalition_formula(sums->n_reference, size, linear, quadratic);
}

/* All coalitions by bit mask, each from the one without its lowest party. Never subtracts: running
 * sums that do lose digits (MATH.md §4a). square [N][N]: S; coalitions [2^N]; scratch [3 · 2^N]. */
static void enumerate_coalitions(const cgm_kernel_sums *sums, const double *square,
                                 double *coalitions, double *scratch)
{
    const int64_t n = sums->n_parties;
    const size_t count = (size_t)1 << n;
    double *size = scratch;
    double *linear = scratch + count;
    double *quadratic = scratch + 2 * count;
    coalitions[0] = 0.0;
    for (size_t mask = 1; mask < count; mask++) {
        int64_t lowest = 0;
        while ((mask >> lowest & 1) == 0) {
            lowest++;
        }
        const size_t rest = mask & (mask - 1);
        const double *row = square + lowest * n;
        double cross = 0.0;
        for (int64_t j = lowest + 1; j < n; j++) {
            cross += (rest >> j & 1) != 0 ? row[j] : 0.0;
        }
        size[mask] = size[rest] + (double)sums->party_points[lowest];
        linear[mask] = linear[rest] + sums->reference_sums[lowest];
        quadratic[mask] = quadratic[rest] + row[lowest] + 2.0 * cross;
        coalitions[mask] =
            cgm_coalition_formula(sums->n_reference, size[mask], linear[mask], quadratic[mask]);
    }
}

/* v(N), from what every rank knows of S. */
static double grand_value(const cgm_kernel_sums *sums)
{
    double size = 0.0;
    cgm_careful_sum linear = {0.0, 0.0};
    cgm_careful_sum quadratic = {0.0, 0.0};
    for (int64_t i = 0; i < sums->n_parties; i++) {
        size += (double)sums->party_points[i];
        cgm_careful_add(&linear, sums->reference_sums[i]);
        cgm_careful_add(&quadratic, sums->row_totals[i]);
    }
    return cgm_coalition_formula(sums->n_reference, size, cgm_careful_value(&linear),
                                 cgm_careful_value(&quadratic));
}

/* Local. */
static cgm_status fill_values(cgm_comm *comm, const cgm_kernel_sums *sums, cgm_values *values)
{
    const int64_t n = sums->n_parties;
    values->single = cgm_alloc(comm, n, sizeof(double));
    values->ceiling = cgm_alloc(comm, n, sizeof(double));
    if (values->single == NULL || values->ceiling == NULL) {
        return CGM_ERR_MEMORY;
    }
    double candidate_reference_sum = sums->candidate_sum; /* t_G */
    for (int64_t i = 0; i < n; i++) {
        candidate_reference_sum += sums->party_candidate_sums[i];
    }
    for (int64_t i = 0; i < n; i++) {
        values->single[i] = cgm_coalition_formula(sums->n_reference, (double)sums->party_points[i],
                                                  sums->reference_sums[i], sums->own_sums[i]);
        values->ceiling[i] = ceiling_of(sums, i, candidate_reference_sum);
    }
    values->grand = grand_value(sums);
    return CGM_OK;
}

/* Collective. All coalitions of few parties on rank 0, which may not hold any row of S. */
static cgm_status fill_coalitions(cgm_comm *comm, const cgm_kernel_sums *sums, cgm_values *values)
{
    const int64_t n = sums->n_parties;
    const int64_t count = comm->rank == 0 ? (int64_t)1 << n : 0;
    const int64_t first = sums->first_row[comm->rank];
    const int64_t end = sums->first_row[comm->rank + 1];
    double *square = cgm_alloc(comm, n * n, sizeof(double));
    double *coalitions = cgm_alloc(comm, count, sizeof(double));
    double *scratch = cgm_alloc(comm, 3 * count, sizeof(double));
    const bool refused = square == NULL || coalitions == NULL || scratch == NULL;
    const cgm_status status = cgm_agree(comm, refused ? CGM_ERR_MEMORY : CGM_OK);
    if (status == CGM_OK) {
        memcpy(square + first * n, sums->party_sums, (size_t)((end - first) * n) * sizeof *square);
        cgm_comm_all_gather(comm, square, sums->first_row, (size_t)n * sizeof *square);
        if (comm->rank == 0) {
            enumerate_coalitions(sums, square, coalitions, scratch);
            values->coalitions = coalitions;
            coalitions = NULL;
        }
    }
    free(square);
    free(coalitions);
    free(scratch);
    return status;
}

cgm_status cgm_values_compute(cgm_comm *comm, const cgm_kernel_sums *sums, cgm_values *values)
{
    *values = (cgm_values){0};
    cgm_status status = cgm_agree(comm, fill_values(comm, sums, values));
    if (status == CGM_OK && sums->n_parties <= CGM_ENUMERATE_MAX) {
        status = fill_coalitions(comm, sums, values);
    }
    return status;
}

void cgm_values_destroy(cgm_values *values)
{
    free(values->single);
    free(values->ceiling);
    free(values->coalitions);
    *values = (cgm_values){0};
}
