#include "cgm/embedding.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/privacy.h"
#include "embedding_points.h"
#include "embedding_pool.h"
#include "embedding_products.h"
#include "kernel_sums_growing.h"

/* ---- room ---- */

static double *cut(double **rest, int64_t count)
{
    double *piece = *rest;
    *rest += count;
    return piece;
}

double cgm_embedding_sigma(cgm_kernel_type type, const cgm_embedding_options *options,
                           int64_t n_points)
{
    const cgm_kernel kernel = {.type = type};
    const double sensitivity = 2.0 * sqrt(cgm_kernel_diagonal(&kernel)) / (double)n_points;
    return cgm_privacy_sigma(options->epsilon, options->delta, sensitivity);
}

int64_t cgm_embedding_frequencies(const cgm_shard *shard, cgm_kernel_type type,
                                  const cgm_embedding_options *options)
{
    int64_t fewest = shard->party_points[0];
    for (int64_t i = 1; i < shard->n_parties; i++) {
        fewest = shard->party_points[i] < fewest ? shard->party_points[i] : fewest;
    }
    const double sigma = cgm_embedding_sigma(type, options, fewest);
    const double suitable = fmax(CGM_EMBEDDING_FREQUENCIES_LEAST, floor(0.05 / (sigma * sigma)));
    return options->n_frequencies > 0 ? options->n_frequencies
                                      : (int64_t)fmin(suitable, CGM_EMBEDDING_FREQUENCIES);
}

cgm_status cgm_embedding_create(cgm_comm *comm, const cgm_shard *shard, cgm_kernel_type type,
                                const cgm_embedding_options *options, cgm_embedding *embedding)
{
    const int64_t n = shard->n_parties;
    *embedding = (cgm_embedding){.n_parties = n};
    cgm_status status = cgm_frequencies_draw(
        comm, type, shard->n_features, cgm_embedding_frequencies(shard, type, options),
        options->orthogonal, options->seed, &embedding->frequencies);
    if (status != CGM_OK) {
        return status;
    }
    const int64_t numbers = cgm_frequencies_numbers(&embedding->frequencies);
    double *rest = cgm_alloc(comm, 6 * n + numbers, sizeof *rest);
    status = cgm_agree(comm, rest != NULL ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        embedding->n_numbers = numbers;
        embedding->sigma = cut(&rest, n);
        embedding->single_error = cut(&rest, n);
        embedding->ceiling_error = cut(&rest, n);
        embedding->phi_error = cut(&rest, n);
        embedding->alpha_error = cut(&rest, n);
        embedding->noise_error = cut(&rest, n);
        embedding->pool = cut(&rest, numbers);
        for (int64_t i = 0; i < n; i++) {
            embedding->sigma[i] = cgm_embedding_sigma(type, options, shard->party_points[i]);
        }
        /* Ranks whose mathematical libraries differ in the last digit must not walk apart. */
        cgm_comm_broadcast(comm, embedding->sigma, (size_t)n * sizeof(double), 0);
    } else {
        free(rest);
    }
    return status;
}

void cgm_embedding_destroy(cgm_embedding *embedding)
{
    cgm_frequencies_destroy(&embedding->frequencies);
    free(embedding->sigma);
    cgm_shared_destroy(&embedding->means_memory);
    *embedding = (cgm_embedding){0};
}

/* ---- the parties' means ---- */

static bool allocate_sums(cgm_comm *comm, int64_t count, cgm_accumulators *sums)
{
    sums->high = cgm_alloc(comm, 2 * count, sizeof(int64_t));
    sums->low = sums->high != NULL ? sums->high + count : NULL;
    return sums->high != NULL;
}

/* Points between looks whether a pause is due. */
enum { PIECE = 16 * CGM_BLOCK_POINTS };

/* Where a rank is in its part of the work. */
typedef struct walk {
    const cgm_pause *pause;
    int64_t share; /* the one at hand */
    int64_t done;  /* points of it, or of the pool */
    bool due;      /* a pause: more is left */
} walk;

static int64_t piece_of(int64_t left)
{
    return left < PIECE ? left : PIECE;
}

static bool is_due(cgm_comm *comm, const cgm_pause *pause)
{
    return pause != NULL && pause->due(comm, pause->state);
}

/* Where every rank has come to an end, or to a pause.  Collective. again: it was a pause, after
 * which the work goes on. */
static cgm_status settle(cgm_comm *comm, const walk *at, cgm_status status, bool *again)
{
    int64_t n_due = at->due;
    status = cgm_agree(comm, status);
    if (status == CGM_OK && at->pause != NULL) {
        cgm_comm_sum(comm, &n_due, 1);
        status = n_due > 0 ? at->pause->keep(comm, at->pause->state, NULL) : CGM_OK;
    }
    *again = status == CGM_OK && n_due > 0;
    return status;
}

/* The mean embedding of share k, a whole party, from the sums over its points; what leaves the rank
 * afterwards is what it is made here. */
static cgm_status finish_share(const embedding_work *work, const cgm_shard *shard, int64_t k,
                               cgm_accumulators sums, const cgm_embedding *embedding, double *mean)
{
    const double count = (double)(shard->share_first[k + 1] - shard->share_first[k]);
    const double divisor = sqrt((double)work->frequencies->n_frequencies) * count;
    for (int64_t f = 0; f < embedding->n_numbers; f++) {
        mean[f] = cgm_accumulators_value(sums, f) / divisor;
    }
    cgm_status status = embedding_work_check(work);
    return status == CGM_OK
               ? cgm_privacy_release(work->comm, embedding->sigma[shard->share_party[k]],
                                     embedding->n_numbers, mean)
               : status;
}

/* Means of this rank's parties, until they are complete or a pause is due. */
static cgm_status measure_own(const embedding_work *work, const cgm_shard *shard,
                              const cgm_embedding *embedding, cgm_accumulators sums, walk *at,
                              double *means)
{
    const int64_t numbers = embedding->n_numbers;
    cgm_status status = CGM_OK;
    for (at->due = false; at->share < shard->n_shares && status == CGM_OK && !at->due;) {
        const int64_t k = at->share;
        const int64_t first = shard->share_first[k] + at->done;
        const int64_t count = piece_of(shard->share_first[k + 1] - first);
        if (at->done == 0) {
            memset(sums.high, 0, 2 * (size_t)numbers * sizeof *sums.high);
        }
        embedding_add_points(work, count, shard->points + first * shard->n_features, sums);
        at->done += count;
        if (first + count == shard->share_first[k + 1]) {
            status = finish_share(work, shard, k, sums, embedding, means + k * numbers);
            at->share++;
            at->done = 0;
        }
        at->due = is_due(work->comm, at->pause);
    }
    return status;
}

cgm_status cgm_embedding_take_means(cgm_comm *comm, const int64_t *first_party, const double *means,
                                    cgm_embedding *embedding)
{
    const size_t bytes = (size_t)embedding->n_numbers * sizeof *means;
    cgm_status status =
        cgm_shared_create(comm, (size_t)embedding->n_parties * bytes, &embedding->means_memory);
    if (status == CGM_OK) {
        status = cgm_shared_all_gather(comm, &embedding->means_memory, means, first_party, bytes);
        embedding->means = embedding->means_memory.data;
    }
    return status;
}

cgm_status cgm_embedding_measure(cgm_comm *comm, const cgm_shard *shard, const cgm_kernel *kernel,
                                 const cgm_pause *pause, cgm_embedding *embedding)
{
    const size_t bytes = (size_t)embedding->n_numbers * sizeof(double);
    walk at = {.pause = pause};
    embedding_work work;
    cgm_accumulators sums;
    cgm_frequencies_scale(kernel, &embedding->frequencies);
    cgm_status status = embedding_work_create(comm, kernel, &embedding->frequencies, &work);
    const bool has_sums = allocate_sums(comm, embedding->n_numbers, &sums);
    double *means = cgm_alloc(comm, shard->n_shares, bytes);
    status = status == CGM_OK && has_sums && means != NULL ? CGM_OK : CGM_ERR_MEMORY;
    bool again;
    do {
        status = status == CGM_OK ? measure_own(&work, shard, embedding, sums, &at, means) : status;
        status = settle(comm, &at, status, &again);
    } while (again);
    if (status == CGM_OK) {
        status = cgm_embedding_take_means(comm, shard->first_party, means, embedding);
    }
    embedding_work_destroy(&work);
    free(sums.high);
    free(means);
    return status;
}

/* ---- the pool ---- */

/* Σ z over the candidates, in whatever order: pool [numbers]. */
static cgm_status measure_pool(const embedding_work *work, const cgm_candidates *candidates,
                               const cgm_pause *pause, int64_t numbers, double *pool)
{
    cgm_comm *comm = work->comm;
    walk at = {.pause = pause};
    int64_t count;
    const double *points = embedding_pool_slice(comm, candidates, &count);
    cgm_accumulators sums;
    cgm_status status =
        cgm_agree(comm, allocate_sums(comm, numbers, &sums) ? CGM_OK : CGM_ERR_MEMORY);
    for (bool again = true; again && status == CGM_OK;) {
        for (at.due = false; at.done < count && !at.due; at.due = is_due(comm, pause)) {
            const int64_t piece = piece_of(count - at.done);
            embedding_add_points(work, piece, points + at.done * candidates->n_features, sums);
            at.done += piece;
        }
        status = settle(comm, &at, embedding_work_check(work), &again);
    }
    if (status == CGM_OK) {
        const double root = sqrt((double)work->frequencies->n_frequencies);
        cgm_comm_sum(comm, sums.high, 2 * numbers);
        for (int64_t f = 0; f < numbers; f++) {
            pool[f] = cgm_accumulators_value(sums, f) / root;
        }
    }
    free(sums.high);
    return status;
}

/* u of this rank's slice, then of all: u_c = z(c)ᵀ(ΣZ + z_G), less what is taken off each. weights
 * [numbers] */
static cgm_status measure_candidates(const embedding_work *work, const cgm_candidates *candidates,
                                     const cgm_pause *pause, const double *weights, double less,
                                     cgm_kernel_sums *sums)
{
    cgm_comm *comm = work->comm;
    walk at = {.pause = pause};
    int64_t count;
    const double *points = embedding_pool_slice(comm, candidates, &count);
    double *slice =
        candidates->sliced ? sums->candidate_slice : cgm_alloc(comm, count, sizeof *slice);
    cgm_status status = cgm_agree(comm, slice != NULL ? CGM_OK : CGM_ERR_MEMORY);
    for (bool again = true; again && status == CGM_OK;) {
        for (at.due = false; at.done < count && !at.due; at.due = is_due(comm, pause)) {
            const int64_t piece = piece_of(count - at.done);
            embedding_multiply_points(work, piece, points + at.done * candidates->n_features,
                                      weights, slice + at.done);
            for (int64_t c = at.done; c < at.done + piece; c++) {
                slice[c] -= less;
            }
            at.done += piece;
        }
        status = settle(comm, &at, CGM_OK, &again);
    }
    if (status == CGM_OK && !candidates->sliced) {
        status = cgm_shared_all_gather(comm, &sums->candidate_memory, slice, candidates->first,
                                       sizeof *slice);
    }
    if (!candidates->sliced) {
        free(slice);
    }
    return status;
}

/* (ΣZ + z_G)/√F */
static void sum_all(const cgm_embedding *embedding, const cgm_shard *shard, double *weights)
{
    const double root = sqrt((double)embedding->frequencies.n_frequencies);
    memcpy(weights, embedding->pool, (size_t)embedding->n_numbers * sizeof *weights);
    for (int64_t i = 0; i < shard->n_parties; i++) {
        const double m = (double)shard->party_points[i];
        const double *mean = embedding->means + i * embedding->n_numbers;
        for (int64_t f = 0; f < embedding->n_numbers; f++) {
            weights[f] += m * mean[f];
        }
    }
    for (int64_t f = 0; f < embedding->n_numbers; f++) {
        weights[f] /= root;
    }
}

static cgm_status sum_pool(cgm_comm *comm, const cgm_candidates *candidates,
                           const cgm_kernel *kernel, cgm_embedding *embedding)
{
    embedding_pool_sum sum;
    cgm_status status =
        embedding_sum_pool(comm, candidates, kernel, embedding->frequencies.seed, false, &sum);
    if (status == CGM_OK) {
        embedding->pool_sum = sum.value;
        embedding->pool_sum_error = sum.error;
    }
    return status;
}

cgm_status cgm_embedding_sums(cgm_comm *comm, const cgm_shard *shard,
                              const cgm_candidates *candidates, const cgm_kernel *kernel,
                              const cgm_pause *pause, cgm_embedding *embedding,
                              cgm_kernel_sums *sums)
{
    embedding_work work;
    cgm_frequencies_scale(kernel, &embedding->frequencies);
    cgm_status status = kernel_sums_create(comm, shard, candidates, kernel, sums);
    if (status != CGM_OK) {
        return status;
    }
    double *weights = cgm_alloc(comm, embedding->n_numbers, sizeof *weights);
    status = embedding_work_create(comm, kernel, &embedding->frequencies, &work);
    status = cgm_agree(comm, weights != NULL ? status : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        status = measure_pool(&work, candidates, pause, embedding->n_numbers, embedding->pool);
    }
    if (status == CGM_OK) {
        status = sum_pool(comm, candidates, kernel, embedding);
    }
    if (status == CGM_OK) {
        sum_all(embedding, shard, weights);
        const double level = embedding_level(embedding, candidates->n_points);
        status = measure_candidates(&work, candidates, pause, weights,
                                    level * (double)sums->n_reference, sums);
    }
    if (status == CGM_OK) {
        status = embedding_party_sums(comm, shard, embedding, -1, sums);
    }
    embedding_work_destroy(&work);
    free(weights);
    return status;
}

/* ---- the lengthscale ---- */

/* Embeddings of this rank's parties and of the pool, and their derivatives: exact sums, so that a
 * single number of a party never leaves. */
typedef struct own_embeddings {
    embedding_work work;
    const cgm_shard *shard;
    int64_t numbers;
    int n_series;           /* 1, or 2 with the derivatives */
    cgm_accumulators sums;  /* [numbers] */
    cgm_accumulator *exact; /* [numbers] of derivatives */
    cgm_accumulator *all;   /* [2][n_series][numbers] Σ over the parties' points, and the pool's */
    double *own;            /* [n_shares][n_series][numbers] */
    double *total;          /* [2][n_series][numbers] of all points, and the pool's */
    double level[2];        /* by what products of two points' embeddings are too large */
    double *values;         /* [n_parties][n_series] */
} own_embeddings;

static cgm_status allocate_own(own_embeddings *of)
{
    cgm_comm *comm = of->work.comm;
    const int64_t both = of->n_series * of->numbers;
    const bool first = allocate_sums(comm, of->numbers, &of->sums);
    of->exact = cgm_alloc(comm, of->numbers, sizeof *of->exact);
    of->all = cgm_alloc(comm, 2 * both, sizeof *of->all);
    of->own = cgm_alloc(comm, of->shard->n_shares * both, sizeof *of->own);
    of->total = cgm_alloc(comm, 2 * both, sizeof *of->total);
    of->values = cgm_alloc(comm, of->shard->n_parties * of->n_series, sizeof *of->values);
    const bool complete = first && of->exact != NULL && of->all != NULL && of->own != NULL &&
                          of->total != NULL && of->values != NULL;
    return complete ? CGM_OK : CGM_ERR_MEMORY;
}

/* Adds points to the sums all; and, unless own is NULL, as doubles of their own. */
static void add_owner(own_embeddings *of, int64_t n_points, const double *points,
                      cgm_accumulator *all, double *own)
{
    memset(of->sums.high, 0, 2 * (size_t)of->numbers * sizeof *of->sums.high);
    embedding_add_points(&of->work, n_points, points, of->sums);
    if (of->n_series > 1) {
        memset(of->exact, 0, (size_t)of->numbers * sizeof *of->exact);
        embedding_add_slopes(&of->work, n_points, points, of->exact);
    }
    for (int64_t k = 0; k < of->n_series * of->numbers; k++) {
        const int64_t f = k % of->numbers;
        const cgm_accumulator sum = k < of->numbers
                                        ? (cgm_accumulator){{of->sums.low[f], of->sums.high[f], 0}}
                                        : of->exact[f];
        cgm_accumulator_merge(&all[k], &sum);
        if (own != NULL) {
            own[k] = cgm_accumulator_value(&sum);
        }
    }
}

/* v = 2 zᵀt/(n m) − zᵀz/m² of a sum z over m points, and its derivative where z and t have one. */
static void make_values(const own_embeddings *of, double n_reference, double m, const double *own,
                        double *values)
{
    const double frequencies = (double)of->work.frequencies->n_frequencies;
    double products[4] = {0.0};
    for (int64_t f = 0; f < of->numbers; f++) {
        products[0] += own[f] * of->total[f];
        products[1] += own[f] * own[f];
        if (of->n_series > 1) {
            const double slope = own[of->numbers + f];
            products[2] += slope * of->total[f] + own[f] * of->total[of->numbers + f];
            products[3] += 2.0 * own[f] * slope;
        }
    }
    for (int s = 0; s < of->n_series; s++) {
        values[s] = (2.0 * products[2 * s] / (n_reference * m) - products[2 * s + 1] / (m * m)) /
                        frequencies -
                    of->level[s];
    }
}

static void measure_all(own_embeddings *of, const cgm_candidates *candidates)
{
    const cgm_shard *shard = of->shard;
    const int64_t both = of->n_series * of->numbers;
    for (int64_t k = 0; k < shard->n_shares; k++) {
        add_owner(of, shard->share_first[k + 1] - shard->share_first[k],
                  shard->points + shard->share_first[k] * shard->n_features, of->all,
                  of->own + k * both);
    }
    int64_t count;
    const double *points = embedding_pool_slice(of->work.comm, candidates, &count);
    add_owner(of, count, points, of->all + both, NULL);
}

/* What the pool's embedding errs by, and its slope, from Γ and its own. */
static void find_level(own_embeddings *of, const embedding_pool_sum *sum, double n_candidates)
{
    const double frequencies = (double)of->work.frequencies->n_frequencies;
    const double *pool = of->total + of->n_series * of->numbers;
    double products[2] = {0.0};
    for (int64_t f = 0; f < of->numbers; f++) {
        products[0] += pool[f] * pool[f];
        products[1] += of->n_series > 1 ? 2.0 * pool[f] * pool[of->numbers + f] : 0.0;
    }
    of->level[0] = (products[0] / frequencies - sum->value) / (n_candidates * n_candidates);
    of->level[1] = (products[1] / frequencies - sum->slope) / (n_candidates * n_candidates);
}

static void share_values(own_embeddings *of, const embedding_pool_sum *sum, double n_candidates)
{
    cgm_comm *comm = of->work.comm;
    const cgm_shard *shard = of->shard;
    const int64_t both = of->n_series * of->numbers;
    const double n_reference = (double)shard->n_points + n_candidates;
    cgm_accumulator_reduce(comm, of->all, 2 * both);
    for (int64_t k = 0; k < both; k++) {
        of->total[both + k] = cgm_accumulator_value(&of->all[both + k]);
        cgm_accumulator_merge(&of->all[k], &of->all[both + k]);
        of->total[k] = cgm_accumulator_value(&of->all[k]);
    }
    find_level(of, sum, n_candidates);
    for (int64_t k = 0; k < shard->n_shares; k++) {
        const int64_t party = shard->share_party[k];
        make_values(of, n_reference, (double)shard->party_points[party], of->own + k * both,
                    of->values + party * of->n_series);
    }
    cgm_comm_all_gather(comm, of->values, shard->first_party,
                        (size_t)of->n_series * sizeof *of->values);
}

cgm_status cgm_embedding_single_values(cgm_comm *comm, const cgm_shard *shard,
                                       const cgm_candidates *candidates, const cgm_kernel *kernel,
                                       cgm_frequencies *frequencies, double *values, double *slopes)
{
    own_embeddings of = {.shard = shard,
                         .numbers = cgm_frequencies_numbers(frequencies),
                         .n_series = slopes != NULL ? 2 : 1};
    embedding_pool_sum sum;
    cgm_frequencies_scale(kernel, frequencies);
    cgm_status status = embedding_work_create(comm, kernel, frequencies, &of.work);
    status = cgm_agree(comm, status == CGM_OK ? allocate_own(&of) : status);
    if (status == CGM_OK) {
        measure_all(&of, candidates);
        status = cgm_agree(comm, embedding_work_check(&of.work));
    }
    if (status == CGM_OK) {
        status =
            embedding_sum_pool(comm, candidates, kernel, frequencies->seed, slopes != NULL, &sum);
    }
    if (status == CGM_OK) {
        share_values(&of, &sum, (double)candidates->n_points);
        for (int64_t i = 0; i < shard->n_parties; i++) {
            values[i] = of.values[i * of.n_series];
            if (slopes != NULL) {
                slopes[i] = of.values[i * of.n_series + 1];
            }
        }
    }
    embedding_work_destroy(&of.work);
    free(of.sums.high);
    free(of.exact);
    free(of.all);
    free(of.own);
    free(of.total);
    free(of.values);
    return status;
}
