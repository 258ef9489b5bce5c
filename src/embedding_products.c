#include "embedding_products.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/dense.h"

enum { PANEL = CGM_ROW_PANEL };

int embedding_count_batches(const cgm_frequencies *frequencies)
{
    const int64_t all = frequencies->n_frequencies;
    return (int)(all < CGM_EMBEDDING_BATCHES ? all : CGM_EMBEDDING_BATCHES);
}

embedding_batch embedding_batch_of(const cgm_frequencies *frequencies, int b)
{
    const int64_t all = frequencies->n_frequencies;
    const int64_t n_batches = embedding_count_batches(frequencies);
    const int64_t d = frequencies->n_features;
    const int64_t block = frequencies->orthogonal && all / d >= n_batches ? d : 1;
    const int64_t blocks = all / block;
    const int64_t first = blocks * b / n_batches * block;
    const int64_t end = b + 1 < n_batches ? blocks * (b + 1) / n_batches * block : all;
    return (embedding_batch){first, end - first};
}

/* ---- a tile of S ---- */

/* What products are made of. */
typedef struct product {
    cgm_comm *comm;
    const cgm_shard *shard;
    const cgm_embedding *embedding;
    int first_batch, end_batch;
    double scale;    /* all frequencies over those used */
    double level;    /* by what products of two points' embeddings are too large */
    double *space;   /* of every thread: [2][PANEL][longest], [2][PANEL][PANEL] */
    int64_t longest; /* numbers of a batch */
} product;

static int64_t numbers_of(const product *of, int b)
{
    return 2 * of->embedding->frequencies.n_components *
           embedding_batch_of(&of->embedding->frequencies, b).count;
}

/* A batch's numbers of an embedding, one after the other. */
static void take_batch(const product *of, int b, const double *from, double *to)
{
    const cgm_frequencies *frequencies = &of->embedding->frequencies;
    const embedding_batch batch = embedding_batch_of(frequencies, b);
    for (int64_t k = 0; k < 2 * frequencies->n_components; k++) {
        memcpy(to + k * batch.count, from + k * frequencies->n_frequencies + batch.first,
               (size_t)batch.count * sizeof *to);
    }
}

static void take_panel(const product *of, int b, int64_t first, int64_t rows, double *to)
{
    for (int64_t i = 0; i < rows; i++) {
        take_batch(of, b, of->embedding->means + (first + i) * of->embedding->n_numbers,
                   to + i * numbers_of(of, b));
    }
}

static int64_t rows_of_panel(const product *of, int64_t first)
{
    const int64_t left = of->shard->n_parties - first;
    return left < PANEL ? left : PANEL;
}

/* μ_iᵀμ_j of panels from parties a and b on, a <= b: tile [PANEL][PANEL]. Of two parties of one
 * panel the upper triangle counts. */
static void multiply_panels(const product *of, int64_t a, int64_t b, double *space, double *tile)
{
    const int64_t rows = rows_of_panel(of, a);
    const int64_t columns = rows_of_panel(of, b);
    double *left = space;
    double *right = left + PANEL * of->longest;
    double *part = right + PANEL * of->longest;
    memset(tile, 0, PANEL * PANEL * sizeof *tile);
    for (int k = of->first_batch; k < of->end_batch; k++) {
        take_panel(of, k, a, rows, left);
        take_panel(of, k, b, columns, right);
        cgm_dense_multiply_by_transposed(rows, columns, numbers_of(of, k), left, right, part);
        for (int64_t i = 0; i < rows; i++) {
            for (int64_t j = 0; j < columns; j++) {
                tile[i * PANEL + j] += part[i * columns + j];
            }
        }
    }
}

/* What noise adds to |μ_i|² on average, of the frequencies used. */
static double noise_of(const product *of, int64_t i)
{
    const double sigma = of->embedding->sigma[i];
    double numbers = 0.0;
    for (int b = of->first_batch; b < of->end_batch; b++) {
        numbers += (double)numbers_of(of, b);
    }
    return numbers * sigma * sigma;
}

/* Puts a tile of panels a <= b, or mirrored, into rows of S from party first on. */
static void put_tile(const product *of, int64_t a, int64_t b, const double *tile, bool mirrored,
                     int64_t first, double *party_sums)
{
    const int64_t n = of->shard->n_parties;
    for (int64_t i = 0; i < rows_of_panel(of, a); i++) {
        for (int64_t j = 0; j < rows_of_panel(of, b); j++) {
            const bool lower = a == b && j < i;
            const double *entry = &tile[lower ? j * PANEL + i : i * PANEL + j];
            const double own = a + i == b + j ? noise_of(of, a + i) : 0.0;
            const double sum = (double)of->shard->party_points[a + i] *
                               (double)of->shard->party_points[b + j] *
                               (of->scale * (*entry - own) - of->level);
            const int64_t row = (mirrored ? b + j : a + i) - first;
            party_sums[row * n + (mirrored ? a + i : b + j)] = sum;
        }
    }
}

/* This rank's rows of S, panel by panel: each entry is made in the same way wherever it is. */
static void multiply_parties(const product *of, int64_t first, int64_t end, double *party_sums)
{
    const int64_t n = of->shard->n_parties;
    const int64_t panels = (n + PANEL - 1) / PANEL;
    const int64_t own_panels = (end - first + PANEL - 1) / PANEL;
    const int64_t room = 2 * PANEL * of->longest + 2 * PANEL * PANEL;
#pragma omp parallel num_threads(of->comm->threads)
    {
        double *space = of->space + omp_get_thread_num() * room;
        double *tile = space + room - PANEL * PANEL;
#pragma omp for schedule(dynamic)
        for (int64_t k = 0; k < own_panels * panels; k++) {
            const int64_t row = first + k / panels * PANEL;
            const int64_t column = k % panels * PANEL;
            const bool mirrored = column < row;
            const int64_t a = mirrored ? column : row;
            const int64_t b = mirrored ? row : column;
            multiply_panels(of, a, b, space, tile);
            put_tile(of, a, b, tile, mirrored, first, party_sums);
        }
    }
}

/* ---- all sums ---- */

/* xᵀy over the frequencies used, x of a party and y of the pool, or both of the pool. */
static double multiply_numbers(const product *of, const double *x, const double *y)
{
    const cgm_frequencies *frequencies = &of->embedding->frequencies;
    double sum = 0.0;
    for (int b = of->first_batch; b < of->end_batch; b++) {
        const embedding_batch batch = embedding_batch_of(frequencies, b);
        double part = 0.0;
        for (int64_t k = 0; k < 2 * frequencies->n_components; k++) {
            const int64_t first = k * frequencies->n_frequencies + batch.first;
            for (int64_t f = first; f < first + batch.count; f++) {
                part += x[f] * y[f];
            }
        }
        sum += part;
    }
    return of->scale * sum;
}

/* By what the pool's embedding errs, a pair of its points. */
static double level_of(const product *of, double n_candidates)
{
    const double *pool = of->embedding->pool;
    return (multiply_numbers(of, pool, pool) - of->embedding->pool_sum) /
           (n_candidates * n_candidates);
}

double embedding_level(const cgm_embedding *embedding, int64_t n_candidates)
{
    const product of = {.embedding = embedding,
                        .end_batch = embedding_count_batches(&embedding->frequencies),
                        .scale = 1.0};
    return level_of(&of, (double)n_candidates);
}

/* What follows from the rows of S held here: grown [N][4] own sum, row total, t and X. t is the
 * exact sum of the doubles S_ij and X_i, as it is of kernel sums. */
static void add_up_rows(const product *of, const cgm_kernel_sums *sums, double *grown)
{
    const int64_t n = of->shard->n_parties;
    const int rank = of->comm->rank;
    for (int64_t i = sums->first_row[rank]; i < sums->first_row[rank + 1]; i++) {
        const double *row = cgm_kernel_sums_row(of->comm, sums, i);
        cgm_accumulator total = {{0}};
        for (int64_t j = 0; j < n; j++) {
            cgm_accumulator_add(&total, row[j]);
        }
        grown[4 * i] = row[i];
        grown[4 * i + 1] = cgm_accumulator_value(&total);
        const double *mean = of->embedding->means + i * of->embedding->n_numbers;
        grown[4 * i + 3] =
            (double)of->shard->party_points[i] * (multiply_numbers(of, mean, of->embedding->pool) -
                                                  (double)sums->n_candidates * of->level);
        cgm_accumulator_add(&total, grown[4 * i + 3]);
        grown[4 * i + 2] = cgm_accumulator_value(&total);
    }
    cgm_comm_all_gather(of->comm, grown, sums->first_row, 4 * sizeof *grown);
}

static cgm_status allocate(product *of, const cgm_kernel_sums *sums, double **party_sums,
                           double **grown)
{
    cgm_comm *comm = of->comm;
    const int64_t n = of->shard->n_parties;
    const int64_t held = sums->first_row[comm->rank + 1] - sums->first_row[comm->rank];
    for (int b = of->first_batch; b < of->end_batch; b++) {
        const int64_t numbers = numbers_of(of, b);
        of->longest = numbers > of->longest ? numbers : of->longest;
    }
    of->space = cgm_alloc(comm, comm->threads * (2 * PANEL * of->longest + 2 * PANEL * PANEL),
                          sizeof *of->space);
    *grown = cgm_alloc(comm, 4 * n, sizeof **grown);
    if (*party_sums == NULL) {
        *party_sums = cgm_alloc(comm, held * n, sizeof **party_sums);
    }
    const bool complete = of->space != NULL && *grown != NULL && *party_sums != NULL;
    return complete ? CGM_OK : CGM_ERR_MEMORY;
}

cgm_status embedding_party_sums(cgm_comm *comm, const cgm_shard *shard,
                                const cgm_embedding *embedding, int batch, cgm_kernel_sums *sums)
{
    const cgm_frequencies *frequencies = &embedding->frequencies;
    product of = {.comm = comm,
                  .shard = shard,
                  .embedding = embedding,
                  .first_batch = batch < 0 ? 0 : batch,
                  .end_batch = batch < 0 ? embedding_count_batches(frequencies) : batch + 1,
                  .scale = 1.0};
    if (batch >= 0) {
        of.scale = (double)frequencies->n_frequencies /
                   (double)embedding_batch_of(frequencies, batch).count;
    }
    double *grown = NULL;
    cgm_status status = cgm_agree(comm, allocate(&of, sums, &sums->party_sums, &grown));
    if (status == CGM_OK) {
        of.level = level_of(&of, (double)sums->n_candidates);
        multiply_parties(&of, sums->first_row[comm->rank], sums->first_row[comm->rank + 1],
                         sums->party_sums);
        add_up_rows(&of, sums, grown);
        sums->candidate_sum = embedding->pool_sum;
        for (int64_t i = 0; i < shard->n_parties; i++) {
            sums->own_sums[i] = grown[4 * i];
            sums->row_totals[i] = grown[4 * i + 1];
            sums->reference_sums[i] = grown[4 * i + 2];
            sums->party_candidate_sums[i] = grown[4 * i + 3];
        }
    }
    free(of.space);
    free(grown);
    return status;
}
