#include <stdlib.h>
#include <string.h>

#include "kernel_sums_growing.h"

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void cgm_kernel_sums_share_rows(int64_t n_parties, int size, int64_t *first_row)
{
    const int64_t panels = (n_parties + CGM_ROW_PANEL - 1) / CGM_ROW_PANEL;
    for (int r = 0; r <= size; r++) {
        first_row[r] = smaller(panels * r / size * CGM_ROW_PANEL, n_parties);
    }
}

const double *cgm_kernel_sums_row(const cgm_comm *comm, const cgm_kernel_sums *sums, int64_t i)
{
    return sums->party_sums + (i - sums->first_row[comm->rank]) * sums->n_parties;
}

double cgm_kernel_sums_start(const cgm_kernel_sums *sums, int64_t party)
{
    return sums->start_sums != NULL ? sums->start_sums[party] : sums->own_sums[party];
}

/* Rows that grew here as doubles, in place; their totals and diagonal. grown [N][4] own sum, row
 * total, t and X of every party, 0 for those of other ranks. t is the exact sum of the doubles S_ij
 * and X_i (MATH.md §2), so that it follows from them. */
static void convert_rows(const growing_sums *growing, char *rows, double *grown)
{
    const int64_t n = growing->shard->n_parties;
    for (int64_t i = growing->first; i < growing->end; i++) {
        cgm_accumulator total = {{0}};
        for (int64_t j = 0; j < n; j++) {
            const cgm_accumulator term = *growing_entry(growing, i, j);
            const double value = cgm_accumulator_value(&term);
            cgm_accumulator_add(&total, value);
            /* A double takes less room than an accumulator: what is overwritten was read. */
            memcpy(rows, &value, sizeof value);
            rows += sizeof value;
            grown[4 * i] = i == j ? value : grown[4 * i];
        }
        grown[4 * i + 1] = cgm_accumulator_value(&total);
        grown[4 * i + 3] = cgm_accumulator_value(&growing->party_candidate_sums[i]);
        cgm_accumulator_add(&total, grown[4 * i + 3]);
        grown[4 * i + 2] = cgm_accumulator_value(&total);
    }
}

/* Rows of S from the ranks that they grew on to those that hold them, shift by shift round the
 * ring. from [size + 1] */
static void move_rows(cgm_comm *comm, const int64_t *from, const double *rows,
                      const cgm_kernel_sums *sums)
{
    const int64_t n = sums->n_parties;
    const int64_t *to = sums->first_row;
    for (int shift = 0; shift < comm->size; shift++) {
        const int receiver = (comm->rank + shift) % comm->size;
        const int sender = (comm->rank - shift + comm->size) % comm->size;
        int64_t range[2][2];
        for (int k = 0; k < 2; k++) {
            const int source = k == 0 ? comm->rank : sender;
            const int target = k == 0 ? receiver : comm->rank;
            const int64_t first = from[source] > to[target] ? from[source] : to[target];
            const int64_t end = smaller(from[source + 1], to[target + 1]);
            range[k][0] = first;
            range[k][1] = end > first ? end - first : 0;
        }
        const double *out = rows + (range[0][1] > 0 ? range[0][0] - from[comm->rank] : 0) * n;
        double *in = sums->party_sums + (range[1][1] > 0 ? range[1][0] - to[comm->rank] : 0) * n;
        const size_t row_bytes = (size_t)n * sizeof(double);
        if (shift == 0) {
            memcpy(in, out, (size_t)range[0][1] * row_bytes);
        } else {
            cgm_comm_exchange(comm, out, (size_t)range[0][1] * row_bytes, receiver, in,
                              (size_t)range[1][1] * row_bytes, sender);
        }
    }
}

/* S as rows of doubles, each on the rank that holds it. Takes growing->party_sums. */
static cgm_status spread_rows(growing_sums *growing, double *grown, cgm_kernel_sums *sums)
{
    cgm_comm *comm = growing->comm;
    const int64_t n = sums->n_parties;
    const int64_t held = sums->first_row[comm->rank + 1] - sums->first_row[comm->rank];
    const int64_t n_grown = growing->end - growing->first;
    convert_rows(growing, (char *)growing->party_sums, grown);
    /* Gives back what accumulators took more than doubles do. */
    const size_t bytes = (size_t)(n_grown * n) * sizeof(double);
    double *rows = realloc(growing->party_sums, bytes > 0 ? bytes : 1);
    rows = rows != NULL ? rows : (double *)growing->party_sums;
    growing->party_sums = NULL;
    const int64_t *from = growing->shard->first_party;
    bool in_place = growing->shard->whole;
    for (int r = 0; r <= comm->size; r++) {
        in_place = in_place && from[r] == sums->first_row[r];
    }
    if (in_place) {
        sums->party_sums = rows;
        return CGM_OK;
    }
    sums->party_sums = cgm_alloc(comm, held * n, sizeof(double));
    cgm_status status = cgm_agree(comm, sums->party_sums == NULL ? CGM_ERR_MEMORY : CGM_OK);
    if (status == CGM_OK && growing->shard->whole) {
        move_rows(comm, from, rows, sums);
    } else if (status == CGM_OK) {
        memcpy(sums->party_sums, rows + sums->first_row[comm->rank] * n,
               (size_t)(held * n) * sizeof(double));
    }
    free(rows);
    return status;
}

static cgm_status finish_party_sums(growing_sums *growing, cgm_kernel_sums *sums)
{
    cgm_comm *comm = growing->comm;
    const int64_t n = sums->n_parties;
    double *grown = cgm_alloc(comm, 4 * n, sizeof(double));
    cgm_status status = cgm_agree(comm, grown == NULL ? CGM_ERR_MEMORY : CGM_OK);
    if (status == CGM_OK) {
        growing_mirror(growing);
        cgm_accumulator_reduce(comm, growing->party_candidate_sums, n + 1);
        sums->candidate_sum = cgm_accumulator_value(&growing->party_candidate_sums[n]);
        if (!growing->shard->whole) {
            cgm_accumulator_reduce(comm, growing->party_sums, n * n);
        }
        status = spread_rows(growing, grown, sums);
    }
    if (status == CGM_OK && growing->shard->whole) {
        cgm_comm_all_gather(comm, grown, growing->shard->first_party, 4 * sizeof(double));
    }
    for (int64_t i = 0; i < n && status == CGM_OK; i++) {
        sums->own_sums[i] = grown[4 * i];
        sums->row_totals[i] = grown[4 * i + 1];
        sums->reference_sums[i] = grown[4 * i + 2];
        sums->party_candidate_sums[i] = grown[4 * i + 3];
    }
    free(grown);
    return status;
}

cgm_status kernel_sums_create(cgm_comm *comm, const cgm_shard *shard,
                              const cgm_candidates *candidates, const cgm_kernel *kernel,
                              cgm_kernel_sums *sums)
{
    const int64_t n = shard->n_parties;
    *sums = (cgm_kernel_sums){.n_parties = n,
                              .n_candidates = candidates->n_points,
                              .n_reference = shard->n_points + candidates->n_points,
                              .party_points = shard->party_points,
                              .diagonal = cgm_kernel_diagonal(kernel),
                              .held_first = candidates->held_first,
                              .held_end = candidates->held_end};
    sums->first_row = cgm_alloc(comm, comm->size + 1, sizeof(int64_t));
    sums->own_sums = cgm_alloc(comm, n, sizeof(double));
    sums->row_totals = cgm_alloc(comm, n, sizeof(double));
    sums->reference_sums = cgm_alloc(comm, n, sizeof(double));
    sums->party_candidate_sums = cgm_alloc(comm, n, sizeof(double));
    const int64_t slice = candidates->sliced ? cgm_candidates_count(candidates, comm->rank) : 0;
    sums->candidate_slice = cgm_alloc(comm, slice, sizeof(double));
    bool refused = sums->first_row == NULL || sums->own_sums == NULL || sums->row_totals == NULL ||
                   sums->reference_sums == NULL || sums->party_candidate_sums == NULL ||
                   sums->candidate_slice == NULL;
    cgm_status status = cgm_agree(comm, refused ? CGM_ERR_MEMORY : CGM_OK);
    if (status != CGM_OK) {
        return status;
    }
    cgm_kernel_sums_share_rows(n, comm->size, sums->first_row);
    sums->candidate_sums = sums->candidate_slice;
    if (!candidates->sliced) {
        status = cgm_shared_create(comm, (size_t)candidates->n_points * sizeof(double),
                                   &sums->candidate_memory);
        sums->candidate_sums = sums->candidate_memory.data;
    }
    return status;
}

/* u of a candidate; its layers are left in the one form that stands for each sum. */
static double sum_layers(cgm_accumulators sums, int64_t n_layers, int64_t stride, int64_t candidate)
{
    cgm_accumulator total = {{0}};
    for (int64_t k = candidate; k < n_layers * stride; k += stride) {
        cgm_accumulators_normalise(sums, k);
        total.limb[1] += sums.high[k];
        total.limb[0] += sums.low[k];
    }
    return cgm_accumulator_value(&total);
}

/* u of this rank's slice as doubles, then every node's copy of the whole. */
static cgm_status finish_candidate_sums(growing_sums *growing, cgm_kernel_sums *sums)
{
    cgm_comm *comm = growing->comm;
    const cgm_candidates *candidates = growing->candidates;
    const int64_t own = cgm_candidates_count(candidates, comm->rank);
    double *slice = sums->candidate_slice;
    if (!candidates->sliced) {
        slice = cgm_alloc(comm, own, sizeof(double));
        if (cgm_agree(comm, slice == NULL ? CGM_ERR_MEMORY : CGM_OK) != CGM_OK) {
            free(slice);
            return CGM_ERR_MEMORY;
        }
    }
    for (int64_t c = 0; c < own; c++) {
        slice[c] = sum_layers(growing->home_candidate_sums, growing->n_layers, own, c);
    }
    sums->layers =
        (cgm_candidate_layers){growing->n_layers, candidates->n_points,
                               candidates->first[comm->rank], own, growing->home_candidate_sums};
    growing->home_candidate_sums = (cgm_accumulators){NULL, NULL};
    if (candidates->sliced) {
        return CGM_OK;
    }
    cgm_status status = cgm_shared_all_gather(comm, &sums->candidate_memory, slice,
                                              candidates->first, sizeof(double));
    free(slice);
    return status;
}

cgm_status kernel_sums_finish(growing_sums *growing, cgm_kernel_sums *sums)
{
    cgm_status status = finish_candidate_sums(growing, sums);
    return status == CGM_OK ? finish_party_sums(growing, sums) : status;
}

void cgm_kernel_sums_destroy(cgm_kernel_sums *sums)
{
    free(sums->first_row);
    free(sums->party_sums);
    free(sums->own_sums);
    free(sums->start_sums);
    free(sums->row_totals);
    free(sums->reference_sums);
    free(sums->party_candidate_sums);
    free(sums->candidate_slice);
    free(sums->layers.sums.high);
    cgm_shared_destroy(&sums->candidate_memory);
    *sums = (cgm_kernel_sums){0};
}
