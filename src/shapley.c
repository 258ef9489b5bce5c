#include "cgm/shapley.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "careful_sum.h"
#include "cgm/text.h"
#include "cgm/tolerance.h"
#include "shapley_quadrature.h"

const char *cgm_semivalue_name(cgm_semivalue_kind kind)
{
    static const char *const names[] = {"shapley", "banzhaf", "leave_one_out", "beta"};
    return names[kind];
}

void cgm_semivalue_text(const cgm_semivalue *semivalue, char text[CGM_SEMIVALUE_TEXT])
{
    const char *name = cgm_semivalue_name(semivalue->kind);
    if (semivalue->kind != CGM_SEMIVALUE_BETA) {
        snprintf(text, CGM_SEMIVALUE_TEXT, "%s", name);
        return;
    }
    char a[CGM_TEXT_NUMBER];
    char b[CGM_TEXT_NUMBER];
    cgm_text_from_double(semivalue->a, a);
    cgm_text_from_double(semivalue->b, b);
    snprintf(text, CGM_SEMIVALUE_TEXT, "%s:%s,%s", name, a, b);
}

double cgm_largest_magnitude(const double *values, int64_t count)
{
    double largest = 0.0;
    for (int64_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs(values[i]));
    }
    return largest;
}

double cgm_efficiency_gap(const double *phi, int64_t count, double grand, double *magnitude)
{
    cgm_careful_sum total = {0.0, 0.0};
    *magnitude = 0.0;
    for (int64_t i = 0; i < count; i++) {
        cgm_careful_add(&total, phi[i]);
        *magnitude += fabs(phi[i]);
    }
    return fabs(cgm_careful_value(&total) - grand);
}

/* Weight of a coalition of the others by its size, 0 .. n_parties − 1: ∫ τ^c (1 − τ)^(N−1−c) of the
 * semivalue's density, B(b + c, a + N − 1 − c)/B(a, b) for beta:a,b, of which shapley is beta:1,1.
 * As products, which lose no digits (MATH.md §4). */
static void fill_weights(const cgm_semivalue *semivalue, int64_t n_parties, double *weight)
{
    const double a = semivalue->a;
    const double b = semivalue->b;
    const double others = (double)(n_parties - 1);
    weight[0] = 1.0;
    for (int64_t k = 0; k < n_parties - 1; k++) {
        weight[0] *= (a + (double)k) / (a + b + (double)k);
    }
    for (int64_t c = 0; c < n_parties - 1; c++) {
        weight[c + 1] = weight[c] * (b + (double)c) / (a + others - 1.0 - (double)c);
    }
    for (int64_t c = 0; c < n_parties; c++) {
        if (semivalue->kind == CGM_SEMIVALUE_BANZHAF) {
            weight[c] = ldexp(1.0, -cgm_int(n_parties - 1));
        } else if (semivalue->kind == CGM_SEMIVALUE_LEAVE_ONE_OUT) {
            weight[c] = c == n_parties - 1 ? 1.0 : 0.0;
        }
    }
}

/* coalitions [2^n_parties] → phi [n_parties] (MATH.md §4a). */
static void enumerate_semivalue(const cgm_semivalue *semivalue, int64_t n_parties,
                                const double *coalitions, double *phi)
{
    double weight[CGM_ENUMERATE_MAX];
    fill_weights(semivalue, n_parties, weight);
    const size_t count = (size_t)1 << n_parties;
    for (int64_t i = 0; i < n_parties; i++) {
        const size_t own = (size_t)1 << i;
        cgm_careful_sum total = {0.0, 0.0};
        for (size_t mask = 0; mask < count; mask++) {
            if ((mask & own) == 0) {
                const int members = __builtin_popcountll(mask);
                cgm_careful_add(&total,
                                weight[members] * (coalitions[mask | own] - coalitions[mask]));
            }
        }
        phi[i] = cgm_careful_value(&total);
    }
}

/* φ_i = v(N) − v(N ∖ i) of more parties than are enumerated: one party's row out of the sums over
 * all, which are added carefully because little is left of them. */
static void leave_one_out(const cgm_kernel_sums *sums, double grand, double *phi)
{
    const int64_t n = sums->n_parties;
    double size = 0.0;
    cgm_careful_sum linear = {0.0, 0.0};
    cgm_careful_sum quadratic = {0.0, 0.0};
    for (int64_t i = 0; i < n; i++) {
        size += (double)sums->party_points[i];
        cgm_careful_add(&linear, sums->reference_sums[i]);
        cgm_careful_add(&quadratic, sums->row_totals[i]);
    }
    for (int64_t i = 0; i < n; i++) {
        cgm_careful_sum rest_linear = linear;
        cgm_careful_sum rest = quadratic;
        cgm_careful_add(&rest_linear, -sums->reference_sums[i]);
        cgm_careful_add(&rest, -2.0 * sums->row_totals[i]);
        cgm_careful_add(&rest, sums->own_sums[i]);
        phi[i] = grand -
                 cgm_coalition_formula(sums->n_reference, size - (double)sums->party_points[i],
                                       cgm_careful_value(&rest_linear), cgm_careful_value(&rest));
    }
}

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

/* Values on rank 0, from the coalitions or directly, and their broadcast. */
static void compute_on_root(cgm_comm *comm, const cgm_kernel_sums *sums, const cgm_values *values,
                            const cgm_semivalue *semivalue, cgm_shapley *shapley)
{
    const int64_t n = sums->n_parties;
    if (comm->rank == 0) {
        if (n <= CGM_ENUMERATE_MAX) {
            enumerate_semivalue(semivalue, n, values->coalitions, shapley->phi);
        } else {
            leave_one_out(sums, values->grand, shapley->phi);
        }
    }
    cgm_comm_broadcast(comm, shapley->phi, (size_t)n * sizeof(double), 0);
    shapley->error_estimate = CGM_SHAPLEY_ROUNDING * cgm_largest_magnitude(shapley->phi, n);
    if (semivalue->kind == CGM_SEMIVALUE_LEAVE_ONE_OUT) {
        /* Differences of nearly equal values carry those values' rounding. */
        shapley->error_estimate =
            fmax(shapley->error_estimate, CGM_LEAVE_ONE_OUT_ROUNDING * fabs(values->grand));
    }
}

cgm_status cgm_shapley_compute(cgm_comm *comm, const cgm_kernel_sums *sums,
                               const cgm_values *values, cgm_shapley_method method,
                               const cgm_semivalue *semivalue, double tolerance,
                               cgm_shapley *shapley)
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
    shapley->semivalue = *semivalue;
    const bool few = n <= CGM_ENUMERATE_MAX;
    const bool enumerate = method == CGM_SHAPLEY_ENUMERATE || (method == CGM_SHAPLEY_AUTO && few);
    if (status == CGM_OK) {
        shapley->method = enumerate ? CGM_SHAPLEY_ENUMERATE : CGM_SHAPLEY_QUADRATURE;
        if (enumerate || n == 1 || semivalue->kind == CGM_SEMIVALUE_LEAVE_ONE_OUT) {
            shapley->nodes = few ? (int64_t)1 << n : n;
            compute_on_root(comm, sums, values, semivalue, shapley);
        } else {
            status =
                cgm_shapley_integrate(comm, sums, semivalue, values->grand, tolerance, shapley);
        }
    }
    if (status == CGM_OK) {
        double magnitude;
        shapley->efficiency_gap = cgm_efficiency_gap(shapley->phi, n, values->grand, &magnitude);
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
