#include "cgm/coalition.h"

#include <math.h>
#include <stdlib.h>

double cgm_coalition_formula(int64_t n_reference, double size, double linear, double quadratic)
{
    return 2.0 * linear / ((double)n_reference * size) - quadratic / (size * size);
}

double cgm_coalition_value(const cgm_kernel_sums *sums, const bool *member)
{
    const int64_t n = sums->n_parties;
    double size = 0.0;
    double linear = 0.0;
    double quadratic = 0.0;
    for (int64_t i = 0; i < n; i++) {
        if (!member[i]) {
            continue;
        }
        double row = 0.0;
        for (int64_t j = 0; j < n; j++) {
            row += member[j] ? sums->party_sums[i * n + j] : 0.0;
        }
        size += (double)sums->party_points[i];
        linear += sums->reference_sums[i];
        quadratic += row;
    }
    return size > 0.0 ? cgm_coalition_formula(sums->n_reference, size, linear, quadratic) : 0.0;
}

/* v(D_i ∪ G), the most that the pool can raise party i to (MATH.md §2). */
static double ceiling_of(const cgm_kernel_sums *sums, int64_t i, double candidate_reference_sum)
{
    double size = (double)(sums->party_points[i] + sums->n_candidates);
    double linear = sums->reference_sums[i] + candidate_reference_sum;
    double quadratic = sums->party_sums[i * sums->n_parties + i] +
                       2.0 * sums->party_candidate_sums[i] + sums->candidate_sum;
    return cgm_coalition_formula(sums->n_reference, size, linear, quadratic);
}

/* All coalitions by bit mask, each from the one without its lowest party. Never subtracts: running
 * sums that do lose digits (MATH.md §4a). coalitions [2^N]; scratch [3 · 2^N]. */
static void enumerate_coalitions(const cgm_kernel_sums *sums, double *coalitions, double *scratch)
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
        const double *row = sums->party_sums + lowest * n;
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

static cgm_status fill_values(cgm_comm *comm, const cgm_kernel_sums *sums, cgm_values *values)
{
    const int64_t n = sums->n_parties;
    values->single = cgm_alloc(comm, n, sizeof(double));
    values->ceiling = cgm_alloc(comm, n, sizeof(double));
    bool *everybody = cgm_alloc(comm, n, sizeof(bool));
    if (values->single == NULL || values->ceiling == NULL || everybody == NULL) {
        free(everybody);
        return CGM_ERR_MEMORY;
    }
    double candidate_reference_sum = sums->candidate_sum; /* t_G */
    for (int64_t i = 0; i < n; i++) {
        candidate_reference_sum += sums->party_candidate_sums[i];
        everybody[i] = true;
    }
    for (int64_t i = 0; i < n; i++) {
        values->single[i] =
            cgm_coalition_formula(sums->n_reference, (double)sums->party_points[i],
                                  sums->reference_sums[i], sums->party_sums[i * n + i]);
        values->ceiling[i] = ceiling_of(sums, i, candidate_reference_sum);
    }
    values->grand = cgm_coalition_value(sums, everybody);
    free(everybody);
    if (comm->rank != 0 || n > CGM_ENUMERATE_MAX) {
        return CGM_OK;
    }
    const int64_t count = (int64_t)1 << n;
    values->coalitions = cgm_alloc(comm, count, sizeof(double));
    double *scratch = cgm_alloc(comm, 3 * count, sizeof(double));
    if (values->coalitions == NULL || scratch == NULL) {
        free(scratch);
        return CGM_ERR_MEMORY;
    }
    enumerate_coalitions(sums, values->coalitions, scratch);
    free(scratch);
    return CGM_OK;
}

cgm_status cgm_values_compute(cgm_comm *comm, const cgm_kernel_sums *sums, cgm_values *values)
{
    *values = (cgm_values){0};
    return cgm_agree(comm, fill_values(comm, sums, values));
}

void cgm_values_destroy(cgm_values *values)
{
    free(values->single);
    free(values->ceiling);
    free(values->coalitions);
    *values = (cgm_values){0};
}
