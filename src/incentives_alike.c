#include "incentives_alike.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/tolerance.h"

static bool are_close(double a, double b)
{
    return fabs(a - b) <= CGM_ALIKE * fmax(fabs(a), fabs(b));
}

/* Equal size, t and S_ii, which every rank knows. */
static bool may_be_alike(const cgm_kernel_sums *sums, int64_t i, int64_t j)
{
    return sums->party_points[i] == sums->party_points[j] &&
           are_close(sums->reference_sums[i], sums->reference_sums[j]) &&
           are_close(sums->own_sums[i], sums->own_sums[j]);
}

/* Equal S_ik for every third party as well: no coalition tells them apart. */
static bool are_rows_alike(int64_t n, const double *row_i, const double *row_j, int64_t i,
                           int64_t j)
{
    bool alike = true;
    for (int64_t k = 0; k < n && alike; k++) {
        alike = k == i || k == j || are_close(row_i[k], row_j[k]);
    }
    return alike;
}

/* Which rank holds row i of S. */
static int holder_of(const cgm_comm *comm, const cgm_kernel_sums *sums, int64_t i)
{
    int holder = 0;
    while (holder < comm->size - 1 && i >= sums->first_row[holder + 1]) {
        holder++;
    }
    return holder;
}

/* Work space of the search for parties that are alike. */
typedef struct alike_search {
    double *row;      /* [n] of S, of the party that others are compared with */
    int64_t *others;  /* [n] parties that may be like it */
    int64_t *matches; /* [n] whether they are */
} alike_search;

/* Parties after first without one that they are like, which may be like first. */
static int64_t list_others(const cgm_kernel_sums *sums, const int64_t *alike, int64_t first,
                           int64_t *others)
{
    int64_t count = 0;
    for (int64_t i = first + 1; i < sums->n_parties; i++) {
        if (alike[i] == i && may_be_alike(sums, first, i)) {
            others[count++] = i;
        }
    }
    return count;
}

/* Compare count parties with first, each where its row is, and tell all ranks.  Collective. */
static void compare_others(cgm_comm *comm, const cgm_kernel_sums *sums, int64_t first,
                           int64_t count, alike_search *search, int64_t *alike)
{
    const int64_t n = sums->n_parties;
    const int holder = holder_of(comm, sums, first);
    if (comm->rank == holder) {
        memcpy(search->row, cgm_kernel_sums_row(comm, sums, first),
               (size_t)n * sizeof *search->row);
    }
    cgm_comm_broadcast(comm, search->row, (size_t)n * sizeof *search->row, holder);
    for (int64_t k = 0; k < count; k++) {
        const int64_t i = search->others[k];
        search->matches[k] =
            comm->rank == holder_of(comm, sums, i) &&
            are_rows_alike(n, search->row, cgm_kernel_sums_row(comm, sums, i), first, i);
    }
    cgm_comm_sum(comm, search->matches, count);
    for (int64_t k = 0; k < count; k++) {
        const int64_t i = search->others[k];
        alike[i] = search->matches[k] > 0 ? first : alike[i];
    }
}

cgm_status cgm_alike_find(cgm_comm *comm, const cgm_kernel_sums *sums, int64_t *alike)
{
    const int64_t n = sums->n_parties;
    alike_search search = {.row = cgm_alloc(comm, n, sizeof *search.row),
                           .others = cgm_alloc(comm, n, sizeof *search.others),
                           .matches = cgm_alloc(comm, n, sizeof *search.matches)};
    const bool refused = search.row == NULL || search.others == NULL || search.matches == NULL;
    const cgm_status status = cgm_agree(comm, refused ? CGM_ERR_MEMORY : CGM_OK);
    for (int64_t i = 0; i < n && status == CGM_OK; i++) {
        alike[i] = i;
    }
    /* All ranks list the same parties, from numbers that are the same everywhere. */
    for (int64_t first = 0; first < n && status == CGM_OK; first++) {
        const int64_t count =
            alike[first] == first ? list_others(sums, alike, first, search.others) : 0;
        if (count > 0) {
            compare_others(comm, sums, first, count, &search, alike);
        }
    }
    free(search.row);
    free(search.others);
    free(search.matches);
    return status;
}
