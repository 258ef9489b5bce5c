#include "cgm/kernel_sums.h"

#include <stdlib.h>
#include <string.h>

#include "cgm/accumulator.h"

/* The sums while they grow on this rank. */
typedef struct growing_sums {
    cgm_comm *comm;
    const cgm_layout *layout;
    const cgm_kernel *kernel;
    cgm_accumulator *party_sums;           /* [N(N+1)/2] S, i ≤ j */
    cgm_accumulator *party_candidate_sums; /* [N + 1] X, then Γ */
    cgm_accumulator *home_candidate_sums;  /* [slice] u of the candidates at home here */
    cgm_accumulator *guest_candidate_sums; /* [longest slice] u of the candidates met */
    cgm_accumulator *arriving;             /* [slice] contributions to u from another rank */
    double row_sums[CGM_BLOCK_POINTS];
    double column_sums[CGM_BLOCK_POINTS];
} growing_sums;

static int64_t triangle_index(int64_t n, int64_t i, int64_t j)
{
    int64_t low = i < j ? i : j;
    int64_t high = i < j ? j : i;
    return low * n - low * (low - 1) / 2 + high - low;
}

static int64_t slice_of(const cgm_layout *layout, int rank)
{
    return layout->first_candidate[rank + 1] - layout->first_candidate[rank];
}

/* Add one number a candidate to the u of a block of the pool at home on rank home. */
static void add_candidate_sums(growing_sums *sums, const cgm_block *block, int home,
                               const double *terms)
{
    cgm_accumulator *u =
        home == sums->comm->rank ? sums->home_candidate_sums : sums->guest_candidate_sums;
    u += block->first - sums->layout->first_candidate[home];
    for (int64_t c = 0; c < block->n_points; c++) {
        cgm_accumulator_add(&u[c], terms[c]);
    }
}

static void add_pair(void *state, const cgm_block *a, int home_a, const cgm_block *b, int home_b)
{
    growing_sums *sums = state;
    const int64_t n = sums->layout->n_parties;
    const bool same = a == b;
    double total = cgm_kernel_tile(sums->kernel, a, b, sums->row_sums, sums->column_sums);
    if (a->owner == b->owner && !same) {
        total *= 2.0; /* each unordered pair of blocks is met once */
    }
    if (a->owner < n && b->owner < n) {
        cgm_accumulator_add(&sums->party_sums[triangle_index(n, a->owner, b->owner)], total);
        return;
    }
    cgm_accumulator_add(&sums->party_candidate_sums[a->owner], total);
    if (a->owner == n) {
        add_candidate_sums(sums, a, home_a, sums->row_sums);
    }
    if (!same) {
        add_candidate_sums(sums, b, home_b, sums->column_sums);
    }
}

/* Partial sums of the candidates just met go home; those of this rank's candidates come in. */
static void return_partial_sums(void *state, int home, int evaluator)
{
    growing_sums *sums = state;
    const int64_t guests = slice_of(sums->layout, home);
    const int64_t own = slice_of(sums->layout, sums->comm->rank);
    cgm_comm_exchange(sums->comm, sums->guest_candidate_sums,
                      (size_t)guests * sizeof(cgm_accumulator), home, sums->arriving,
                      (size_t)own * sizeof(cgm_accumulator), evaluator);
    for (int64_t c = 0; c < own; c++) {
        cgm_accumulator_merge(&sums->home_candidate_sums[c], &sums->arriving[c]);
    }
    memset(sums->guest_candidate_sums, 0, (size_t)guests * sizeof(cgm_accumulator));
}

static cgm_status growing_create(growing_sums *sums)
{
    const cgm_layout *layout = sums->layout;
    cgm_comm *comm = sums->comm;
    int64_t longest = 0;
    for (int r = 0; r < comm->size; r++) {
        longest = slice_of(layout, r) > longest ? slice_of(layout, r) : longest;
    }
    const int64_t n = layout->n_parties;
    const int64_t own = slice_of(layout, comm->rank);
    sums->party_sums = cgm_alloc(comm, n * (n + 1) / 2, sizeof(cgm_accumulator));
    sums->party_candidate_sums = cgm_alloc(comm, n + 1, sizeof(cgm_accumulator));
    sums->home_candidate_sums = cgm_alloc(comm, own, sizeof(cgm_accumulator));
    sums->guest_candidate_sums =
        cgm_alloc(comm, comm->size > 1 ? longest : 0, sizeof(cgm_accumulator));
    sums->arriving = cgm_alloc(comm, comm->size > 1 ? own : 0, sizeof(cgm_accumulator));
    return sums->party_sums == NULL || sums->party_candidate_sums == NULL ||
                   sums->home_candidate_sums == NULL || sums->guest_candidate_sums == NULL ||
                   sums->arriving == NULL
               ? CGM_ERR_MEMORY
               : CGM_OK;
}

static void growing_destroy(growing_sums *sums)
{
    free(sums->party_sums);
    free(sums->party_candidate_sums);
    free(sums->home_candidate_sums);
    free(sums->guest_candidate_sums);
    free(sums->arriving);
}

/* From accumulators that are whole on every rank to doubles: t is added up exactly too (MATH.md
 * §2). */
static void convert_party_sums(const growing_sums *growing, cgm_kernel_sums *sums)
{
    const int64_t n = sums->n_parties;
    for (int64_t i = 0; i < n; i++) {
        cgm_accumulator reference = growing->party_candidate_sums[i];
        for (int64_t j = 0; j < n; j++) {
            const cgm_accumulator *s = &growing->party_sums[triangle_index(n, i, j)];
            sums->party_sums[i * n + j] = cgm_accumulator_value(s);
            cgm_accumulator_merge(&reference, s);
        }
        sums->reference_sums[i] = cgm_accumulator_value(&reference);
        sums->party_candidate_sums[i] = cgm_accumulator_value(&growing->party_candidate_sums[i]);
    }
    sums->candidate_sum = cgm_accumulator_value(&growing->party_candidate_sums[n]);
}

static cgm_status sums_create(cgm_comm *comm, const cgm_layout *layout, const cgm_kernel *kernel,
                              cgm_kernel_sums *sums)
{
    const int64_t n = layout->n_parties;
    *sums = (cgm_kernel_sums){.n_parties = n,
                              .n_candidates = layout->n_candidates,
                              .n_reference = layout->n_candidates,
                              .party_points = layout->party_points,
                              .diagonal = cgm_kernel_diagonal(kernel)};
    for (int64_t i = 0; i < n; i++) {
        sums->n_reference += layout->party_points[i];
    }
    sums->party_sums = cgm_alloc(comm, n * n, sizeof(double));
    sums->reference_sums = cgm_alloc(comm, n, sizeof(double));
    sums->party_candidate_sums = cgm_alloc(comm, n, sizeof(double));
    bool refused = sums->party_sums == NULL || sums->reference_sums == NULL ||
                   sums->party_candidate_sums == NULL;
    cgm_status status = cgm_agree(comm, refused ? CGM_ERR_MEMORY : CGM_OK);
    if (status == CGM_OK) {
        status = cgm_shared_create(comm, (size_t)layout->n_candidates * sizeof(double),
                                   &sums->candidate_memory);
        sums->candidate_sums = sums->candidate_memory.data;
    }
    return status;
}

/* u of this rank's slice as doubles, then every node's copy of the whole. */
static cgm_status gather_candidate_sums(growing_sums *growing, cgm_kernel_sums *sums)
{
    cgm_comm *comm = growing->comm;
    const int64_t own = slice_of(growing->layout, comm->rank);
    double *slice = cgm_alloc(comm, own, sizeof(double));
    cgm_status status = cgm_agree(comm, slice == NULL ? CGM_ERR_MEMORY : CGM_OK);
    if (status == CGM_OK) {
        for (int64_t c = 0; c < own; c++) {
            slice[c] = cgm_accumulator_value(&growing->home_candidate_sums[c]);
        }
        status = cgm_shared_all_gather(comm, &sums->candidate_memory, slice,
                                       growing->layout->first_candidate, sizeof(double));
    }
    free(slice);
    return status;
}

cgm_status cgm_kernel_sums_compute(cgm_comm *comm, const cgm_layout *layout, const cgm_shard *shard,
                                   const cgm_candidates *candidates, const cgm_kernel *kernel,
                                   cgm_kernel_sums *sums)
{
    growing_sums growing = {.comm = comm, .layout = layout, .kernel = kernel};
    const cgm_pair_visitor visitor = {
        .state = &growing, .pair = add_pair, .met = return_partial_sums, .label = "kernel sums"};
    cgm_status status = sums_create(comm, layout, kernel, sums);
    if (status == CGM_OK) {
        status = cgm_agree(comm, growing_create(&growing));
    }
    if (status == CGM_OK) {
        status = cgm_pairs_visit(comm, layout, shard, candidates, kernel, &visitor);
    }
    if (status == CGM_OK) {
        const int64_t n = layout->n_parties;
        cgm_accumulator_reduce(comm, growing.party_sums, n * (n + 1) / 2);
        cgm_accumulator_reduce(comm, growing.party_candidate_sums, n + 1);
        convert_party_sums(&growing, sums);
        status = gather_candidate_sums(&growing, sums);
    }
    growing_destroy(&growing);
    return status;
}

void cgm_kernel_sums_destroy(cgm_kernel_sums *sums)
{
    free(sums->party_sums);
    free(sums->reference_sums);
    free(sums->party_candidate_sums);
    cgm_shared_destroy(&sums->candidate_memory);
    *sums = (cgm_kernel_sums){0};
}
