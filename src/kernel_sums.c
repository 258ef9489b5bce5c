#include "cgm/kernel_sums.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/accumulator.h"

/* Accumulators that travel at a time: bounds what is kept beside the sums. */
enum { PIECE = 1 << 16 };
/* Locks that threads share for the blocks of the pool. */
enum { LOCKS = 256 };

/* The sums while they grow on this rank.
 *
 * Where parties are whole (shard.h) a rank grows the rows of S of its own parties, and after each
 * meeting hands over what belongs to the rows of the rank it met. Otherwise there are fewer parties
 * than ranks: every rank grows all rows, and they are reduced in the end. */
typedef struct growing_sums {
    cgm_comm *comm;
    const cgm_shard *shard;
    const cgm_candidates *candidates;
    const cgm_kernel *kernel;
    int64_t first, end;                    /* rows that grow here */
    cgm_accumulator *party_sums;           /* [end - first][N] */
    cgm_accumulator *party_candidate_sums; /* [N + 1] X, then Γ */
    cgm_accumulators home_candidate_sums;  /* [slice] u of the candidates at home here */
    cgm_accumulators guest_candidate_sums; /* [longest slice] u of the candidates met */
    omp_lock_t *locks;                     /* [n_locks] of u, a block of the pool each */
    int64_t n_locks;
    cgm_accumulator *leaving;  /* [PIECE] */
    cgm_accumulator *arriving; /* [PIECE] */
} growing_sums;

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- tiles ---- */

static cgm_accumulator *entry(const growing_sums *sums, int64_t i, int64_t j)
{
    return &sums->party_sums[(i - sums->first) * sums->shard->n_parties + j];
}

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
    add_term(sums, grows ? entry(sums, i, j) : entry(sums, j, i), term);
}

static void mirror_party_sums(const growing_sums *sums)
{
    for (int64_t i = sums->first; i < sums->end; i++) {
        for (int64_t j = i + 1; j < sums->end; j++) {
            *entry(sums, j, i) = *entry(sums, i, j);
        }
    }
}

/* Add one number a candidate to the u of a block of the pool at home on rank home. */
static void add_candidate_sums(const growing_sums *sums, const cgm_segment *segment, int home,
                               const double *terms)
{
    const bool own = home == sums->comm->rank;
    omp_lock_t *lock = &sums->locks[segment->first / CGM_BLOCK_POINTS % sums->n_locks];
    omp_set_lock(lock);
    cgm_accumulators_add(own ? sums->home_candidate_sums : sums->guest_candidate_sums,
                         segment->first - sums->candidates->first[home], segment->n_points, terms);
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
    add_candidate_sums(sums, tile->row_segment, meeting->home_rows, row_sums);
    add_candidate_sums(sums, tile->columns->segments, meeting->home_columns, column_sums);
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
            add_candidate_sums(sums, segment, meeting->home_columns, column_sums + segment->begin);
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
    return entry(sums, pairs->first_own + (pairs->own_rows ? row : column),
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
    const int64_t guests = cgm_candidates_count(sums->candidates, met);
    const int64_t own = cgm_candidates_count(sums->candidates, sums->comm->rank);
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
    const int64_t own = cgm_candidates_count(sums->candidates, comm->rank);
    bool complete = allocate_sums(comm, own, &sums->home_candidate_sums) &&
                    allocate_sums(comm, alone ? 0 : longest, &sums->guest_candidate_sums) &&
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
}

/* ---- from accumulators to doubles ---- */

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

/* Rows that grew here as doubles, in place; their totals and diagonal. grown [N][4] own sum, row
 * total, t and X of every party, 0 for those of other ranks. t is the exact sum of the doubles S_ij
 * and X_i (MATH.md §2), so that it follows from them. */
static void convert_rows(const growing_sums *growing, char *rows, double *grown)
{
    const int64_t n = growing->shard->n_parties;
    for (int64_t i = growing->first; i < growing->end; i++) {
        cgm_accumulator total = {{0}};
        for (int64_t j = 0; j < n; j++) {
            const cgm_accumulator term = *entry(growing, i, j);
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
        mirror_party_sums(growing);
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

static cgm_status sums_create(cgm_comm *comm, const cgm_shard *shard,
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
        slice[c] = cgm_accumulators_value(growing->home_candidate_sums, c);
    }
    if (candidates->sliced) {
        return CGM_OK;
    }
    cgm_status status = cgm_shared_all_gather(comm, &sums->candidate_memory, slice,
                                              candidates->first, sizeof(double));
    free(slice);
    return status;
}

cgm_status cgm_kernel_sums_compute(cgm_comm *comm, const cgm_shard *shard,
                                   const cgm_candidates *candidates, const cgm_kernel *kernel,
                                   cgm_kernel_sums *sums)
{
    growing_sums growing = {
        .comm = comm, .shard = shard, .candidates = candidates, .kernel = kernel};
    const cgm_pair_visitor visitor = {
        .state = &growing, .tile = add_tile, .met = hand_over, .label = "kernel sums"};
    cgm_status status = sums_create(comm, shard, candidates, kernel, sums);
    if (status == CGM_OK) {
        status = cgm_agree(comm, growing_create(&growing));
    }
    if (status == CGM_OK) {
        status = cgm_pairs_visit(comm, shard, candidates, kernel, &visitor);
    }
    if (status == CGM_OK) {
        status = finish_candidate_sums(&growing, sums);
    }
    if (status == CGM_OK) {
        status = finish_party_sums(&growing, sums);
    }
    growing_destroy(&growing);
    return status;
}

void cgm_kernel_sums_destroy(cgm_kernel_sums *sums)
{
    free(sums->first_row);
    free(sums->party_sums);
    free(sums->own_sums);
    free(sums->row_totals);
    free(sums->reference_sums);
    free(sums->party_candidate_sums);
    free(sums->candidate_slice);
    cgm_shared_destroy(&sums->candidate_memory);
    *sums = (cgm_kernel_sums){0};
}
