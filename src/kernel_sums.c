#include <stdlib.h>
#include <string.h>

#include "kernel_sums_growing.h"

/* Accumulators that travel at a time: bounds what is kept beside the sums. */
enum { PIECE = 1 << 16 };
/* Locks that threads share for the blocks of the pool. */
enum { LOCKS = 256 };
/* What layers of u, one a party, may take in all. */
enum { LAYER_BYTES = 1 << 25 };

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- tiles ---- */

static void add_term(const growing_sums *sums, cgm_accumulator *sum, double term)
{
    if (sums->comm->threads > 1) {
        cgm_accumulator_add_shared(sum, term);
    } else {
        cgm_accumulator_add(sum, term);
    }
}

/* S of two parties, i not after j in T: in row i where that grows here, otherwise in row j. The
 * other one of two rows that both grow here is filled in the end. */
static void add_party_sum(const growing_sums *sums, int64_t i, int64_t j, double term)
{
    const bool grows = i >= sums->first && i < sums->end;
    add_term(sums, grows ? growing_entry(sums, i, j) : growing_entry(sums, j, i), term);
}

void growing_mirror(const growing_sums *sums)
{
    for (int64_t i = sums->first; i < sums->end; i++) {
        for (int64_t j = i + 1; j < sums->end; j++) {
            *growing_entry(sums, j, i) = *growing_entry(sums, i, j);
        }
    }
}

int64_t cgm_candidate_layers_count(int64_t n_parties, int64_t n_candidates)
{
    const double bytes = 2.0 * sizeof(int64_t) * (double)(n_parties + 1) * (double)n_candidates;
    return bytes <= LAYER_BYTES ? n_parties + 1 : 2;
}

/* Add one number a candidate, of pairs with the points of an owner, to the u of a block of the pool
 * at home on rank home. */
static void add_candidate_sums(const growing_sums *sums, const cgm_segment *segment, int home,
                               int64_t owner, const double *terms)
{
    const bool own = home == sums->comm->rank;
    const int64_t layer =
        owner == sums->shard->n_parties ? 0 : smaller(owner + 1, sums->n_layers - 1);
    omp_lock_t *lock = &sums->locks[segment->first / CGM_BLOCK_POINTS % sums->n_locks];
    omp_set_lock(lock);
    cgm_accumulators_add(own ? sums->home_candidate_sums : sums->guest_candidate_sums,
                         layer * cgm_candidates_count(sums->candidates, home) + segment->first -
                             sums->candidates->first[home],
                         segment->n_points, terms);
    omp_unset_lock(lock);
}

/* Two different blocks of the pool: the only pairs whose sums are needed on both sides. */
static void add_pool_pair(const growing_sums *sums, const cgm_tile *tile,
                          const cgm_meeting *meeting)
{
    _Alignas(CGM_ALIGNMENT) double row_sums[CGM_BLOCK_POINTS];
    _Alignas(CGM_ALIGNMENT) double column_sums[CGM_BLOCK_POINTS];
    cgm_kernel_rows_and_columns(sums->kernel, tile->rows, tile->columns, row_sums, column_sums);
    const double total = cgm_kernel_segment_sum(tile->columns->segments, column_sums);
    add_term(sums, &sums->party_candidate_sums[sums->shard->n_parties], 2.0 * total);
    const int64_t pool = sums->shard->n_parties;
    add_candidate_sums(sums, tile->row_segment, meeting->home_rows, pool, row_sums);
    add_candidate_sums(sums, tile->columns->segments, meeting->home_columns, pool, column_sums);
}

static void add_tile(void *state, const cgm_tile *tile, const cgm_meeting *meeting)
{
    const growing_sums *sums = state;
    const int64_t pool = sums->shard->n_parties;
    const int64_t owner = tile->row_segment->owner;
    if (owner == pool && tile->rows != tile->columns) {
        add_pool_pair(sums, tile, meeting);
        return;
    }
    _Alignas(CGM_ALIGNMENT) double column_sums[CGM_BLOCK_POINTS];
    cgm_kernel_columns(sums->kernel, tile, column_sums);
    for (int64_t k = tile->first_segment; k < tile->columns->n_segments; k++) {
        const cgm_segment *segment = &tile->columns->segments[k];
        const double total = cgm_kernel_segment_sum(segment, column_sums);
        if (segment->owner == pool) {
            add_term(sums, &sums->party_candidate_sums[owner], total);
            add_candidate_sums(sums, segment, meeting->home_columns, owner,
                               column_sums + segment->begin);
        } else {
            /* Two segments of a party meet once, and count in both orders. */
            const bool twice = segment->owner == owner && segment != tile->row_segment;
            add_party_sum(sums, owner, segment->owner, twice ? 2.0 * total : total);
        }
    }
}

/* ---- what goes to other ranks after a meeting ---- */

/* Pairs of a party of this rank and one of another, numbered the same on both. */
typedef struct party_pairs {
    int64_t first_own, first_other;
    int64_t columns; /* parties of the higher rank: the lower one's are the rows */
    int64_t count;
    bool own_rows;
} party_pairs;

static party_pairs pairs_with(const growing_sums *sums, int other)
{
    const int64_t *first = sums->shard->first_party;
    const int rank = sums->comm->rank;
    const int64_t own_count = first[rank + 1] - first[rank];
    const int64_t other_count = first[other + 1] - first[other];
    return (party_pairs){first[rank], first[other], rank < other ? other_count : own_count,
                         own_count * other_count, rank < other};
}

/* S of pair number at, in the row of this rank's party. */
static cgm_accumulator *pair_entry(const growing_sums *sums, const party_pairs *pairs, int64_t at)
{
    const int64_t row = at / pairs->columns;
    const int64_t column = at % pairs->columns;
    return growing_entry(sums, pairs->first_own + (pairs->own_rows ? row : column),
                         pairs->first_other + (pairs->own_rows ? column : row));
}

/* What this rank added to S for its own parties and those met goes to the rows of the latter; what
 * another rank added for this one's parties comes in. Half way round an even ring both are the same
 * rank: a piece is copied before it is added to. */
static void hand_over_party_sums(growing_sums *sums, int met, int met_by)
{
    const party_pairs out = pairs_with(sums, met);
    const party_pairs in = pairs_with(sums, met_by);
    for (int64_t done = 0; done < out.count || done < in.count; done += PIECE) {
        const int64_t n_out = out.count > done ? smaller(out.count - done, PIECE) : 0;
        const int64_t n_in = in.count > done ? smaller(in.count - done, PIECE) : 0;
        for (int64_t k = 0; k < n_out; k++) {
            sums->leaving[k] = *pair_entry(sums, &out, done + k);
        }
        cgm_comm_exchange(sums->comm, sums->leaving, (size_t)n_out * sizeof(cgm_accumulator), met,
                          sums->arriving, (size_t)n_in * sizeof(cgm_accumulator), met_by);
        for (int64_t k = 0; k < n_in; k++) {
            cgm_accumulator_merge(pair_entry(sums, &in, done + k), &sums->arriving[k]);
        }
    }
}

/* Partial sums of the candidates just met go home; those of this rank's candidates come in, where
 * the accumulators of parties have their piece of memory for it. */
static void hand_over_array(growing_sums *sums, int64_t *guests, int64_t n_guests, int met,
                            int64_t *own, int64_t n_own, int met_by)
{
    const int64_t piece = (int64_t)PIECE * CGM_LIMBS;
    int64_t *arriving = sums->arriving->limb;
    for (int64_t done = 0; done < n_guests || done < n_own; done += piece) {
        const int64_t n_out = n_guests > done ? smaller(n_guests - done, piece) : 0;
        const int64_t n_in = n_own > done ? smaller(n_own - done, piece) : 0;
        cgm_comm_exchange(sums->comm, guests + (n_out > 0 ? done : 0),
                          (size_t)n_out * sizeof *guests, met, arriving,
                          (size_t)n_in * sizeof *arriving, met_by);
        for (int64_t c = 0; c < n_in; c++) {
            own[done + c] += arriving[c];
        }
    }
    memset(guests, 0, (size_t)n_guests * sizeof *guests);
}

static void hand_over_candidate_sums(growing_sums *sums, int met, int met_by)
{
    const int64_t guests = sums->n_layers * cgm_candidates_count(sums->candidates, met);
    const int64_t own = sums->n_layers * cgm_candidates_count(sums->candidates, sums->comm->rank);
    hand_over_array(sums, sums->guest_candidate_sums.high, guests, met,
                    sums->home_candidate_sums.high, own, met_by);
    hand_over_array(sums, sums->guest_candidate_sums.low, guests, met,
                    sums->home_candidate_sums.low, own, met_by);
}

static void hand_over(void *state, int met, int met_by)
{
    growing_sums *sums = state;
    hand_over_candidate_sums(sums, met, met_by);
    if (sums->shard->whole) {
        hand_over_party_sums(sums, met, met_by);
    }
}

/* Both limbs of count sums in one allocation. */
static bool allocate_sums(cgm_comm *comm, int64_t count, cgm_accumulators *sums)
{
    sums->high = cgm_alloc(comm, 2 * count, sizeof(int64_t));
    sums->low = sums->high != NULL ? sums->high + count : NULL;
    return sums->high != NULL;
}

static cgm_status growing_create(growing_sums *sums)
{
    cgm_comm *comm = sums->comm;
    const int64_t n = sums->shard->n_parties;
    const bool alone = comm->size == 1;
    int64_t longest = 0;
    for (int r = 0; r < comm->size; r++) {
        const int64_t slice = cgm_candidates_count(sums->candidates, r);
        longest = slice > longest ? slice : longest;
    }
    sums->first = sums->shard->whole ? sums->shard->first_party[comm->rank] : 0;
    sums->end = sums->shard->whole ? sums->shard->first_party[comm->rank + 1] : n;
    const size_t bytes = sizeof(cgm_accumulator);
    sums->party_sums = cgm_alloc(comm, (sums->end - sums->first) * n, bytes);
    sums->party_candidate_sums = cgm_alloc(comm, n + 1, bytes);
    sums->leaving = cgm_alloc(comm, alone ? 0 : PIECE, bytes);
    sums->arriving = cgm_alloc(comm, alone ? 0 : PIECE, bytes);
    sums->locks = cgm_alloc(comm, LOCKS, sizeof *sums->locks);
    sums->n_layers = cgm_candidate_layers_count(n, sums->candidates->n_points);
    const int64_t own = sums->n_layers * cgm_candidates_count(sums->candidates, comm->rank);
    const int64_t guests = alone ? 0 : sums->n_layers * longest;
    bool complete = allocate_sums(comm, own, &sums->home_candidate_sums) &&
                    allocate_sums(comm, guests, &sums->guest_candidate_sums) &&
                    sums->party_sums != NULL && sums->party_candidate_sums != NULL &&
                    sums->leaving != NULL && sums->arriving != NULL && sums->locks != NULL;
    if (!complete) {
        return CGM_ERR_MEMORY;
    }
    for (; sums->n_locks < LOCKS; sums->n_locks++) {
        omp_init_lock(&sums->locks[sums->n_locks]);
    }
    return CGM_OK;
}

static void growing_destroy(growing_sums *sums)
{
    for (int64_t k = 0; k < sums->n_locks; k++) {
        omp_destroy_lock(&sums->locks[k]);
    }
    free(sums->locks);
    free(sums->party_sums);
    free(sums->party_candidate_sums);
    free(sums->home_candidate_sums.high);
    free(sums->guest_candidate_sums.high);
    free(sums->leaving);
    free(sums->arriving);
    cgm_units_destroy(&sums->units);
}

/* ---- half-way ---- */

/* Of two ranks that both have a row with the sum of a pair, does this one, which has party i, hand
 * over its sum to the other, home to party j? Of two that hand over to each other the lower one. */
static bool hands_over(const growing_sums *sums, int other)
{
    const int size = sums->comm->size;
    const int steps = (sums->comm->rank - other + size) % size;
    return 2 * steps == size ? sums->comm->rank < other : 2 * steps < size;
}

/* Sums on one rank alone: ranks other than 0 have nothing. */
static void move_to_first(const growing_sums *sums, cgm_accumulator *all, int64_t count)
{
    cgm_accumulator_reduce(sums->comm, all, count);
    if (sums->comm->rank != 0) {
        memset(all, 0, (size_t)count * sizeof *all);
    }
}

/* After a walk: whole rows of S, each on one rank, and X on rank 0. u is at home already. */
static void settle(growing_sums *sums)
{
    const int64_t n = sums->shard->n_parties;
    if (!sums->shard->whole) {
        move_to_first(sums, sums->party_sums, n * n);
    }
    growing_mirror(sums);
    move_to_first(sums, sums->party_candidate_sums, n + 1);
    cgm_units_share(sums->comm, &sums->units);
}

/* Before a walk, which adds what a rank hands over to what the other one has: each sum stands once.
 */
static void prepare(const growing_sums *sums)
{
    const int64_t *first = sums->shard->first_party;
    for (int other = 0; other < sums->comm->size && sums->shard->whole; other++) {
        if (other == sums->comm->rank || hands_over(sums, other)) {
            continue;
        }
        for (int64_t i = sums->first; i < sums->end; i++) {
            memset(growing_entry(sums, i, first[other]), 0,
                   (size_t)(first[other + 1] - first[other]) * sizeof(cgm_accumulator));
        }
    }
}

static cgm_partial_sums partial_of(const growing_sums *sums)
{
    const cgm_comm *comm = sums->comm;
    const bool rows = sums->shard->whole || comm->rank == 0;
    return (cgm_partial_sums){
        .units = sums->units,
        .n_parties = sums->shard->n_parties,
        .first_row = sums->first,
        .end_row = rows ? sums->end : sums->first,
        .party_sums = sums->party_sums,
        .party_candidate_sums = sums->party_candidate_sums,
        .layers = {.n_layers = sums->n_layers,
                   .n_total = sums->candidates->n_points,
                   .first = sums->candidates->first[comm->rank],
                   .n_candidates = cgm_candidates_count(sums->candidates, comm->rank),
                   .sums = sums->home_candidate_sums},
    };
}

static cgm_status begin(growing_sums *sums, const cgm_sums_source *source, const cgm_pause *pause)
{
    cgm_status status = growing_create(sums);
    if (status == CGM_OK && (source != NULL || pause != NULL)) {
        status =
            cgm_units_create(sums->comm, sums->shard, sums->candidates->n_points, &sums->units);
    }
    status = cgm_agree(sums->comm, status);
    if (status == CGM_OK && source != NULL) {
        cgm_partial_sums partial = partial_of(sums);
        status = source->fill(sums->comm, source->state, &partial);
    }
    return status;
}

/* Walks until all pairs are done; what is done is kept between two walks. */
static cgm_status grow(growing_sums *sums, const cgm_pause *pause)
{
    const cgm_pair_visitor visitor = {
        .state = sums, .tile = add_tile, .met = hand_over, .label = "kernel sums"};
    for (;;) {
        bool complete;
        if (sums->units.n_words > 0) {
            prepare(sums);
        }
        cgm_status status =
            cgm_pairs_visit_undone(sums->comm, sums->shard, sums->candidates, sums->kernel,
                                   &visitor, &sums->units, pause, &complete);
        if (status != CGM_OK || complete) {
            return status;
        }
        settle(sums);
        const cgm_partial_sums partial = partial_of(sums);
        status = pause->keep(sums->comm, pause->state, &partial);
        if (status != CGM_OK) {
            return status;
        }
    }
}

cgm_status cgm_kernel_sums_complete(cgm_comm *comm, const cgm_shard *shard,
                                    const cgm_candidates *candidates, const cgm_kernel *kernel,
                                    const cgm_sums_source *source, const cgm_pause *pause,
                                    cgm_kernel_sums *sums)
{
    growing_sums growing = {
        .comm = comm, .shard = shard, .candidates = candidates, .kernel = kernel};
    cgm_status status = kernel_sums_create(comm, shard, candidates, kernel, sums);
    if (status == CGM_OK) {
        status = begin(&growing, source, pause);
    }
    if (status == CGM_OK) {
        status = grow(&growing, pause);
    }
    if (status == CGM_OK) {
        status = kernel_sums_finish(&growing, sums);
    }
    growing_destroy(&growing);
    return status;
}

cgm_status cgm_kernel_sums_compute(cgm_comm *comm, const cgm_shard *shard,
                                   const cgm_candidates *candidates, const cgm_kernel *kernel,
                                   cgm_kernel_sums *sums)
{
    return cgm_kernel_sums_complete(comm, shard, candidates, kernel, NULL, NULL, sums);
}
