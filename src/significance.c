#include "cgm/significance.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "careful_sum.h"
#include "cgm/pipeline.h"
#include "cgm/rng.h"
#include "cgm/tolerance.h"
#include "weighted_squares.h"

/* ---- the statistic ---- */

double cgm_significance_reference_total(const cgm_kernel_sums *sums)
{
    cgm_careful_sum total = {sums->candidate_sum, 0.0};
    for (int64_t i = 0; i < sums->n_parties; i++) {
        cgm_careful_add(&total, sums->reference_sums[i]);
        cgm_careful_add(&total, sums->party_candidate_sums[i]);
    }
    return cgm_careful_value(&total);
}

/* The mean embedding of T lies on the line between those of Y and of T ∖ Y, so that the distance of
 * these two is n/(n − m) times that of Y and T. */
double cgm_significance_statistic(double total, int64_t n, int64_t m, double value)
{
    if (m >= n) {
        return NAN;
    }
    const double mean = total / ((double)n * (double)n);
    const double mmd2 = mean - value;
    if (mmd2 <= CGM_MMD2_ROUNDING * fmax(fabs(mean), fabs(value))) {
        return 0.0;
    }
    return mmd2 * (double)m * (double)n / (double)(n - m);
}

double cgm_significance_p_value(int64_t n_values, const double *values, double statistic)
{
    if (isnan(statistic)) {
        return NAN;
    }
    if (statistic <= 0.0) {
        return 1.0;
    }
    if (n_values == 0 || values[0] <= 0.0) {
        return 0.0; /* points that are all the same do not differ by chance */
    }
    char digits[32];
    snprintf(digits, sizeof digits, "%.*e", CGM_P_VALUE_DIGITS - 1,
             weighted_squares_tail(n_values, values, statistic));
    return strtod(digits, NULL);
}

/* ---- the spectrum ---- */

/* Points in packed blocks as large as those of the matrix. */
typedef struct gram {
    cgm_comm *comm;
    const cgm_kernel *kernel;
    int64_t n_points;
    int64_t n_blocks;
    cgm_block *blocks;     /* [n_blocks] */
    cgm_segment *segments; /* [n_blocks] */
    double *coordinates;
    double *means;     /* [n_points] of k(x, y) over all x, for every y */
    double grand_mean; /* over all pairs */
    int64_t *first;    /* [size + 1] points whose means a rank evaluates, whole blocks */
} gram;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static cgm_status allocate_gram(gram *of)
{
    cgm_comm *comm = of->comm;
    of->n_blocks = (of->n_points + CGM_DENSE_BLOCK - 1) / CGM_DENSE_BLOCK;
    of->blocks = cgm_alloc(comm, of->n_blocks, sizeof *of->blocks);
    of->segments = cgm_alloc(comm, of->n_blocks, sizeof *of->segments);
    of->coordinates =
        cgm_alloc_aligned(comm, of->n_blocks * CGM_DENSE_BLOCK * of->kernel->n_features);
    of->means = cgm_alloc(comm, of->n_points, sizeof *of->means);
    of->first = cgm_alloc(comm, comm->size + 1, sizeof *of->first);
    return of->blocks != NULL && of->segments != NULL && of->coordinates != NULL &&
                   of->means != NULL && of->first != NULL
               ? CGM_OK
               : CGM_ERR_MEMORY;
}

static void pack(const double *points, gram *of)
{
    const int64_t d = of->kernel->n_features;
    for (int64_t b = 0; b < of->n_blocks; b++) {
        const int64_t first = b * CGM_DENSE_BLOCK;
        const int64_t count = least(of->n_points - first, CGM_DENSE_BLOCK);
        of->segments[b] = (cgm_segment){0, first, count, 0};
        of->blocks[b] = (cgm_block){.n_points = count,
                                    .stride = (count + CGM_LANES - 1) / CGM_LANES * CGM_LANES,
                                    .coordinates = of->coordinates + first * d,
                                    .n_segments = 1,
                                    .segments = &of->segments[b]};
        cgm_kernel_pack(of->kernel, points + first * d, &of->segments[b], &of->blocks[b]);
    }
}

/* Means of a block's points: rows are added up in one order whoever does it. */
static void add_means(const gram *of, int64_t b)
{
    const cgm_block *columns = &of->blocks[b];
    double *means = of->means + b * CGM_DENSE_BLOCK;
    for (int64_t r = 0; r < of->n_blocks; r++) {
        double sums[CGM_DENSE_BLOCK];
        const cgm_tile tile = {&of->blocks[r], &of->segments[r], columns, 0};
        cgm_kernel_columns(of->kernel, &tile, sums);
        for (int64_t j = 0; j < columns->n_points; j++) {
            means[j] += sums[j];
        }
        cgm_comm_count_work(of->comm, of->blocks[r].n_points * columns->n_points);
    }
    for (int64_t j = 0; j < columns->n_points; j++) {
        means[j] /= (double)of->n_points;
    }
}

/* Collective. */
static void measure_means(gram *of)
{
    cgm_comm *comm = of->comm;
    for (int r = 0; r < comm->size; r++) {
        of->first[r] = of->n_blocks * r / comm->size * CGM_DENSE_BLOCK;
    }
    of->first[comm->size] = of->n_points;
    for (int64_t p = of->first[comm->rank]; p < of->first[comm->rank + 1]; p += CGM_DENSE_BLOCK) {
        add_means(of, p / CGM_DENSE_BLOCK);
    }
    cgm_comm_all_gather(comm, of->means, of->first, sizeof *of->means);
    of->grand_mean = 0.0;
    for (int64_t j = 0; j < of->n_points; j++) {
        of->grand_mean += of->means[j] / (double)of->n_points;
    }
}

/* A block of the centred matrix over its points. Rows one by one: each is its points' kernel. */
static void fill_centred(const void *state, int64_t first_row, int64_t n_rows, int64_t first_column,
                         int64_t n_columns, double *entries)
{
    const gram *of = state;
    const cgm_block *rows = &of->blocks[first_row / CGM_DENSE_BLOCK];
    const cgm_block *columns = &of->blocks[first_column / CGM_DENSE_BLOCK];
    for (int64_t i = 0; i < n_rows; i++) {
        double kernels[CGM_DENSE_BLOCK];
        const cgm_segment row = {0, first_row + i, 1, i};
        const cgm_tile tile = {rows, &row, columns, 0};
        cgm_kernel_columns(of->kernel, &tile, kernels);
        for (int64_t j = 0; j < n_columns; j++) {
            /* The means first: their sum does not depend on which of both comes first. */
            const double means = of->means[first_row + i] + of->means[first_column + j];
            entries[i * n_columns + j] =
                ((kernels[j] - means) + of->grand_mean) / (double)of->n_points;
        }
    }
    cgm_comm_count_work(of->comm, n_rows * n_columns);
}

cgm_status cgm_significance_spectrum(cgm_comm *comm, const cgm_kernel *kernel, int64_t n_points,
                                     const double *points, cgm_eigensolver solver, double *values)
{
    gram of = {.comm = comm, .kernel = kernel, .n_points = n_points};
    cgm_status status = cgm_agree(comm, allocate_gram(&of));
    if (status == CGM_OK) {
        pack(points, &of);
        measure_means(&of);
        const cgm_symmetric matrix = {n_points, &of, fill_centred};
        status = cgm_dense_leading(comm, &matrix, solver, 0, values, NULL);
    }
    /* None is negative but by rounding, which also stands for all of them if none varies. */
    const double floor = CGM_MMD2_ROUNDING * cgm_kernel_diagonal(kernel);
    for (int64_t k = 0; k < n_points && status == CGM_OK; k++) {
        values[k] = values[0] <= floor ? 0.0 : fmax(values[k], 0.0);
    }
    free(of.blocks);
    free(of.segments);
    free(of.coordinates);
    free(of.means);
    free(of.first);
    return status;
}

/* ---- the points that it is taken from ---- */

/* Keys are ordered by their bits, so many of them at a time. */
enum { DIGIT_BITS = 16, DIGITS = 64 / DIGIT_BITS, BUCKETS = 1 << DIGIT_BITS };

/* Points of T, the same on every rank, while they are chosen: those with the smallest of random
 * keys. A rank looks at the points at home on it, its parties' and its slice of the pool. */
typedef struct sample {
    int64_t n_own[2]; /* parties' points at home here, candidates of this rank's slice */
    uint64_t *keys;   /* [n_own[0] + n_own[1]] */
    int64_t *counts;  /* [BUCKETS] */
    int64_t *offset;  /* [2·size + 1] chosen points of parties rank by rank, then of the pool */
    int64_t n_points;
    double *points; /* [n_points][n_features] */
} sample;

/* Depends on the seed, the party's name and the row, or on the candidate's number alone. */
static void draw_keys(const cgm_comm *comm, const cgm_run *run, sample *of)
{
    const cgm_shard *shard = &run->shard;
    uint64_t words[4];
    for (int64_t k = 0; k < shard->n_shares; k++) {
        const uint64_t name = cgm_rng_hash(shard->names[shard->share_party[k]]);
        const cgm_rng rng = {run->config->seed, name, CGM_RNG_SIGNIFICANCE};
        for (int64_t i = shard->share_first[k]; i < shard->share_first[k + 1]; i++) {
            const int64_t row = shard->share_offset[k] + i - shard->share_first[k];
            cgm_rng_words(&rng, (uint64_t)row, 0, 0, words);
            of->keys[i] = words[0];
        }
    }
    const cgm_rng rng = {run->config->seed, 0, CGM_RNG_SIGNIFICANCE};
    for (int64_t k = 0; k < of->n_own[1]; k++) {
        cgm_rng_words(&rng, (uint64_t)(run->candidates.first[comm->rank] + k), 1, 0, words);
        of->keys[of->n_own[0] + k] = words[0];
    }
}

/* Collective. The key that count keys of all ranks do not exceed, digit by digit. */
static uint64_t find_last_key(cgm_comm *comm, const sample *of, int64_t count)
{
    int64_t order = count - 1;
    uint64_t prefix = 0;
    for (int digit = 1; digit <= DIGITS; digit++) {
        const int shift = 64 - digit * DIGIT_BITS;
        memset(of->counts, 0, BUCKETS * sizeof *of->counts);
        for (int64_t k = 0; k < of->n_own[0] + of->n_own[1]; k++) {
            const uint64_t leading = of->keys[k] >> shift;
            if (leading >> DIGIT_BITS == prefix) {
                of->counts[leading & (BUCKETS - 1)]++;
            }
        }
        cgm_comm_sum(comm, of->counts, BUCKETS);
        int64_t bucket = 0;
        while (order >= of->counts[bucket]) {
            order -= of->counts[bucket++];
        }
        prefix = prefix << DIGIT_BITS | (uint64_t)bucket;
    }
    return prefix;
}

/* Own points of a part whose key is not larger than last, into chosen unless that is NULL. Returns
 * their number. */
static int64_t copy_chosen(const cgm_comm *comm, const cgm_run *run, const sample *of, int part,
                           uint64_t last, double *chosen)
{
    const int64_t d = run->shard.n_features;
    const int64_t slice = run->candidates.first[comm->rank] - run->candidates.held_first;
    const double *points = part == 0 ? run->shard.points : run->candidates.points + slice * d;
    const uint64_t *keys = of->keys + (part == 0 ? 0 : of->n_own[0]);
    int64_t count = 0;
    for (int64_t k = 0; k < of->n_own[part]; k++) {
        if (keys[k] <= last) {
            if (chosen != NULL) {
                memcpy(chosen + count * d, points + k * d, (size_t)d * sizeof *chosen);
            }
            count++;
        }
    }
    return count;
}

/* Collective. How many points are chosen, and where each rank's stand among them. */
static void count_chosen(cgm_comm *comm, const cgm_run *run, uint64_t last, sample *of)
{
    for (int part = 0; part < 2; part++) {
        of->offset[part * comm->size + comm->rank + 1] =
            copy_chosen(comm, run, of, part, last, NULL);
    }
    cgm_comm_sum(comm, of->offset, 2 * comm->size + 1);
    for (int k = 0; k < 2 * comm->size; k++) {
        of->offset[k + 1] += of->offset[k];
    }
    of->n_points = of->offset[2 * comm->size];
}

static cgm_status draw_sample(cgm_comm *comm, const cgm_run *run, sample *of)
{
    const int64_t d = run->shard.n_features;
    const int64_t most = least(run->config->significance_points, run->sums.n_reference);
    of->n_own[0] = run->shard.n_local_points;
    of->n_own[1] = cgm_candidates_count(&run->candidates, comm->rank);
    of->keys = cgm_alloc(comm, of->n_own[0] + of->n_own[1], sizeof *of->keys);
    of->counts = cgm_alloc(comm, BUCKETS, sizeof *of->counts);
    of->offset = cgm_alloc(comm, 2 * comm->size + 1, sizeof *of->offset);
    bool refused = of->keys == NULL || of->counts == NULL || of->offset == NULL;
    cgm_status status = cgm_agree(comm, refused ? CGM_ERR_MEMORY : CGM_OK);
    if (status != CGM_OK) {
        return status;
    }
    draw_keys(comm, run, of);
    const uint64_t last = find_last_key(comm, of, most);
    count_chosen(comm, run, last, of);
    of->points = cgm_alloc(comm, of->n_points, (size_t)d * sizeof *of->points);
    status = cgm_agree(comm, of->points == NULL ? CGM_ERR_MEMORY : CGM_OK);
    for (int part = 0; part < 2 && status == CGM_OK; part++) {
        const int64_t *offset = of->offset + part * comm->size;
        copy_chosen(comm, run, of, part, last, of->points + offset[comm->rank] * d);
        cgm_comm_all_gather(comm, of->points, offset, (size_t)d * sizeof *of->points);
    }
    return status;
}

/* ---- all parties ---- */

/* p-values of all parties, each rank's from first[rank] on; with their rewards at β number set, or
 * without any for -1. */
static void fill_column(cgm_comm *comm, const cgm_run *run, int64_t n_values, const double *values,
                        int64_t set, const int64_t *first, double *column)
{
    const int64_t n = run->shard.n_parties;
    const double total = cgm_significance_reference_total(&run->sums);
    for (int64_t i = first[comm->rank]; i < first[comm->rank + 1]; i++) {
        int64_t m = run->shard.party_points[i];
        double value = run->values.single[i];
        if (set >= 0) {
            const int64_t *offsets = run->sampling.sets[set].offsets;
            m += offsets[i + 1] - offsets[i];
            value = run->incentives.realised[set * n + i];
        }
        column[i] = cgm_significance_p_value(
            n_values, values, cgm_significance_statistic(total, run->sums.n_reference, m, value));
    }
    cgm_comm_all_gather(comm, column, first, sizeof *column);
}

static void fill_columns(cgm_comm *comm, const cgm_run *run, int64_t n_values, const double *values,
                         int64_t *first, cgm_metrics *metrics)
{
    for (int r = 0; r <= comm->size; r++) {
        first[r] = metrics->n_parties * r / comm->size;
    }
    for (int64_t s = 0; s < metrics->n_sets; s++) {
        double *const *columns = metrics->sets[s].columns;
        if (s == 0) {
            fill_column(comm, run, n_values, values, -1, first, columns[CGM_P_VALUE_BEFORE]);
        } else {
            memcpy(columns[CGM_P_VALUE_BEFORE], metrics->sets[0].columns[CGM_P_VALUE_BEFORE],
                   (size_t)metrics->n_parties * sizeof(double));
        }
        fill_column(comm, run, n_values, values, s, first, columns[CGM_P_VALUE_AFTER]);
    }
}

cgm_status cgm_significance_measure(cgm_comm *comm, const cgm_run *run, cgm_metrics *metrics)
{
    sample of = {0};
    double *values = NULL;
    int64_t *first = NULL;
    cgm_status status = draw_sample(comm, run, &of);
    if (status == CGM_OK) {
        values = cgm_alloc(comm, of.n_points, sizeof *values);
        first = cgm_alloc(comm, comm->size + 1, sizeof *first);
        status = cgm_agree(comm, values != NULL && first != NULL ? CGM_OK : CGM_ERR_MEMORY);
    }
    if (status == CGM_OK) {
        status = cgm_significance_spectrum(comm, &run->kernel, of.n_points, of.points,
                                           CGM_EIGEN_AUTO, values);
    }
    if (status == CGM_OK) {
        fill_columns(comm, run, of.n_points, values, first, metrics);
    }
    free(of.keys);
    free(of.counts);
    free(of.offset);
    free(of.points);
    free(values);
    free(first);
    return status;
}
