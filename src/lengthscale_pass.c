#include "lengthscale_pass.h"

#include <stdlib.h>
#include <string.h>

#include "cgm/embedding.h"

/* Sums for the parties' own values while they grow on this rank. A series is one lengthscale, or
 * the kernel and its slope; each has S_ii and t_i of every party. */
typedef struct own_sums {
    const cgm_kernel *kernel;
    void (*add)(cgm_accumulator *sum, double term); /* by threads, or by one */
    int64_t n_parties;
    int n_series;
    cgm_accumulator *party;     /* [n_series][n_parties] S_ii */
    cgm_accumulator *reference; /* [n_series][n_parties] t_i */
} own_sums;

/* Adds the columns of series s, segment by segment: what a party's sum gets does not depend on what
 * else is in the block. */
static void add_series(own_sums *sums, const cgm_tile *tile, int s, const double *columns)
{
    const int64_t n = sums->n_parties;
    const int64_t owner = tile->row_segment->owner;
    cgm_accumulator *party = sums->party + s * n;
    cgm_accumulator *reference = sums->reference + s * n;
    for (int64_t k = tile->first_segment; k < tile->columns->n_segments; k++) {
        const cgm_segment *segment = &tile->columns->segments[k];
        double term = cgm_kernel_segment_sum(segment, columns);
        if (segment->owner == owner) {
            term = segment == tile->row_segment ? term : 2.0 * term;
            sums->add(&party[owner], term);
        } else if (segment->owner < n) {
            sums->add(&reference[segment->owner], term);
        }
        sums->add(&reference[owner], term);
    }
}

static void add_slope_tile(void *state, const cgm_tile *tile, const cgm_meeting *meeting)
{
    (void)meeting;
    own_sums *sums = state;
    _Alignas(CGM_ALIGNMENT) double columns[CGM_BLOCK_POINTS];
    _Alignas(CGM_ALIGNMENT) double slopes[CGM_BLOCK_POINTS];
    cgm_kernel_slopes(sums->kernel, tile, columns, slopes);
    add_series(sums, tile, 0, columns);
    add_series(sums, tile, 1, slopes);
}

static void add_ladder_tile(void *state, const cgm_tile *tile, const cgm_meeting *meeting)
{
    (void)meeting;
    own_sums *sums = state;
    _Alignas(CGM_ALIGNMENT) double columns[CGM_LADDER_RUNGS * CGM_BLOCK_POINTS];
    cgm_kernel_ladder(sums->kernel, tile, sums->n_series, columns);
    for (int s = 0; s < sums->n_series; s++) {
        add_series(sums, tile, s, columns + (int64_t)s * CGM_BLOCK_POINTS);
    }
}

/* Does what the pass needs stand in what an earlier run found? */
static bool was_found(const cgm_lengthscale_search *search, int64_t count)
{
    const cgm_lengthscale_partial *begin = search->course->begin;
    return begin != NULL && search->n_values + count <= begin->n_values;
}

/* Notes what a pass found. */
static cgm_status note_values(cgm_lengthscale_search *search, const double *values, int64_t count)
{
    if (search->n_values + count > search->capacity) {
        const int64_t capacity = 2 * search->capacity + count;
        double *larger = cgm_alloc(search->comm, capacity, sizeof *larger);
        if (larger == NULL) {
            return CGM_ERR_MEMORY;
        }
        if (search->n_values > 0) {
            memcpy(larger, search->values, (size_t)search->n_values * sizeof *larger);
        }
        free(search->values);
        search->values = larger;
        search->capacity = capacity;
    }
    memcpy(search->values + search->n_values, values, (size_t)count * sizeof *values);
    search->n_values += count;
    return CGM_OK;
}

/* What is done of the pass under way is kept: sums on rank 0, which alone goes on from them. */
static cgm_status keep_pass(cgm_lengthscale_search *search, cgm_accumulator *sums, int64_t n_sums,
                            cgm_units *units)
{
    cgm_comm *comm = search->comm;
    const cgm_pause *pause = search->course->pause;
    cgm_accumulator_reduce(comm, sums, n_sums);
    if (comm->rank != 0) {
        memset(sums, 0, (size_t)n_sums * sizeof *sums);
    }
    cgm_units_share(comm, units);
    const cgm_lengthscale_partial partial = {search->n_values, search->values, n_sums, sums,
                                             *units};
    return pause->keep(comm, pause->state, &partial);
}

/* A pass begins where an earlier run left off, if this is the one that it was in. */
static cgm_status begin_pass(const cgm_lengthscale_search *search, cgm_accumulator *sums,
                             int64_t n_sums, cgm_units *units)
{
    const cgm_lengthscale_partial *begin = search->course->begin;
    cgm_status status = CGM_OK;
    if (search->course->pause != NULL || begin != NULL) {
        status = cgm_units_create(search->comm, search->shard, search->candidates->n_points, units);
    }
    if (status == CGM_OK && begin != NULL && search->n_values == begin->n_values &&
        begin->n_sums == n_sums && begin->units.n_words == units->n_words) {
        memcpy(units->done, begin->units.done, (size_t)units->n_words * sizeof *units->done);
        if (search->comm->rank == 0) {
            memcpy(sums, begin->sums, (size_t)n_sums * sizeof *sums);
        }
    }
    return status;
}

/* All pairs that the pass needs, with pauses. */
static cgm_status walk_pairs(cgm_lengthscale_search *search, const cgm_pair_visitor *visitor,
                             cgm_accumulator *sums, int64_t n_sums)
{
    cgm_units units = {0};
    bool complete = false;
    cgm_status status = cgm_agree(search->comm, begin_pass(search, sums, n_sums, &units));
    while (status == CGM_OK && !complete) {
        status =
            cgm_pairs_visit_undone(search->comm, search->shard, search->candidates, &search->kernel,
                                   visitor, &units, search->course->pause, &complete);
        if (status == CGM_OK && !complete) {
            status = keep_pass(search, sums, n_sums, &units);
        }
    }
    cgm_units_destroy(&units);
    return status;
}

/* Between two passes: what they found is kept, and no pair of points is done. */
static cgm_status pause_between(cgm_lengthscale_search *search)
{
    cgm_comm *comm = search->comm;
    const cgm_pause *pause = search->course->pause;
    int64_t due = pause != NULL && pause->due(comm, pause->state);
    if (pause == NULL) {
        return CGM_OK;
    }
    cgm_comm_sum(comm, &due, 1);
    if (due == 0) {
        return CGM_OK;
    }
    cgm_units units = {0};
    cgm_status status = cgm_agree(
        comm, cgm_units_create(comm, search->shard, search->candidates->n_points, &units));
    if (status == CGM_OK) {
        const cgm_lengthscale_partial partial = {search->n_values, search->values, 0, NULL, units};
        status = pause->keep(comm, pause->state, &partial);
    }
    cgm_units_destroy(&units);
    return status;
}

/* As evaluate_pass, from embeddings: a lengthscale after the other. */
static cgm_status evaluate_embeddings(cgm_lengthscale_search *search, int n_series, bool ladder,
                                      double *values)
{
    const int64_t n = search->shard->n_parties;
    cgm_kernel kernel = search->kernel;
    cgm_status status = pause_between(search);
    for (int s = 0; s < (ladder ? n_series : 1) && status == CGM_OK; s++) {
        kernel.lengthscale = cgm_lengthscale_rung(search->kernel.lengthscale, s);
        status = cgm_embedding_single_values(search->comm, search->shard, search->candidates,
                                             &kernel, search->course->frequencies, values + s * n,
                                             ladder ? NULL : values + n);
    }
    return status;
}

/* The pass itself. values [n_series][n_parties]. */
static cgm_status evaluate_pass(cgm_lengthscale_search *search, int n_series, bool ladder,
                                double *values)
{
    cgm_comm *comm = search->comm;
    const int64_t n = search->shard->n_parties;
    own_sums sums = {
        .kernel = &search->kernel,
        .add = comm->threads > 1 ? cgm_accumulator_add_shared : cgm_accumulator_add,
        .n_parties = n,
        .n_series = n_series,
    };
    sums.party = cgm_alloc(comm, 2 * n_series * n, sizeof(cgm_accumulator));
    cgm_status status = cgm_agree(comm, sums.party == NULL ? CGM_ERR_MEMORY : CGM_OK);
    if (status != CGM_OK) {
        free(sums.party);
        return status;
    }
    sums.reference = sums.party + n_series * n;
    const cgm_pair_visitor visitor = {.state = &sums,
                                      .tile = ladder ? add_ladder_tile : add_slope_tile,
                                      .skip_pool_pairs = true,
                                      .label = "lengthscale"};
    status = walk_pairs(search, &visitor, sums.party, 2 * n_series * n);
    if (status == CGM_OK) {
        cgm_accumulator_reduce(comm, sums.party, 2 * n_series * n);
        const double n_reference = (double)(search->shard->n_points + search->candidates->n_points);
        for (int64_t k = 0; k < n_series * n; k++) {
            const double m = (double)search->shard->party_points[k % n];
            values[k] = 2.0 * cgm_accumulator_value(&sums.reference[k]) / (n_reference * m) -
                        cgm_accumulator_value(&sums.party[k]) / (m * m);
        }
    }
    free(sums.party);
    return status;
}

cgm_status cgm_lengthscale_pass(cgm_lengthscale_search *search, int n_series, bool ladder,
                                double *values)
{
    const int64_t count = n_series * search->shard->n_parties;
    cgm_status status = CGM_OK;
    if (was_found(search, count)) {
        memcpy(values, search->course->begin->values + search->n_values,
               (size_t)count * sizeof *values);
    } else {
        status = search->course->frequencies != NULL
                     ? evaluate_embeddings(search, n_series, ladder, values)
                     : evaluate_pass(search, n_series, ladder, values);
        search->passes += status == CGM_OK;
    }
    return status == CGM_OK ? cgm_agree(search->comm, note_values(search, values, count)) : status;
}
