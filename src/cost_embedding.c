#include <math.h>

#include "cgm/accumulator.h"
#include "cgm/embedding.h"
#include "cost_model.h"
#include "embedding_points.h"
#include "embedding_pool.h"

/* Rows and columns of a tile of S (embedding_products.c). */
#define PANEL (double)CGM_ROW_PANEL

bool cgm_cost_is_embedded(const cgm_cost_model *of)
{
    return of->run->config->exchange == CGM_VALUES_EMBEDDINGS;
}

static double frequencies_of_component(const cgm_cost_model *of)
{
    const cgm_config *config = of->run->config;
    const cgm_embedding_options options = {config->embedding_features, config->orthogonal,
                                           config->epsilon, config->delta, config->seed};
    return (double)cgm_embedding_frequencies(of->shard, config->kernel_type, &options);
}

/* Frequencies of all components. */
static double frequencies(const cgm_cost_model *of)
{
    return (of->run->config->kernel_type == CGM_KERNEL_SE ? 1.0 : 3.0) *
           frequencies_of_component(of);
}

static double n_batches(const cgm_cost_model *of)
{
    return fmin(frequencies_of_component(of), CGM_EMBEDDING_BATCHES);
}

/* Cosines and sines of the parties' points, and of candidates. */
static void count_cosines(cgm_cost_model *of, double of_points, double of_pool)
{
    for (int r = 0; r < of->run->size; r++) {
        of->work[r].kernel_evaluations +=
            frequencies(of) * (of_points * of->homes[r].points + of_pool * of->homes[r].pool);
        of->work[r].multiply_adds +=
            frequencies(of) * (double)of->shard->n_features *
            (of_points * of->homes[r].points + of_pool * of->homes[r].pool);
    }
}

/* Pairs of the pool, passes times, and the series of sums over them. */
static void count_pool_pairs(cgm_cost_model *of, double passes, double series)
{
    const cgm_cost_run *run = of->run;
    for (int r = 0; r < run->size; r++) {
        of->work[r].kernel_evaluations +=
            passes * embedding_pool_pairs(run->n_candidates, run->config->seed, run->size, r);
    }
    cgm_cost_reduction(of, series * embedding_pool_sums(run->n_candidates) *
                               (double)sizeof(cgm_accumulator));
}

/* S from embeddings. */
static void count_products(cgm_cost_model *of)
{
    const double n = (double)of->shard->n_parties;
    for (int r = 0; r < of->run->size; r++) {
        of->work[r].multiply_adds +=
            (double)(of->held[r + 1] - of->held[r]) * n * 2.0 * frequencies(of);
    }
    cgm_cost_all_gather(of, of->held, 4.0 * sizeof(double));
}

/* Where a search is, every series takes an evaluation at a lengthscale, and slopes another. */
void cgm_cost_count_embedded_search(cgm_cost_model *of)
{
    const cgm_cost_search *search = &of->run->search;
    const double series = (double)search->series;
    const double numbers = 2.0 * frequencies(of);
    cgm_cost_broadcast(of, 0, frequencies(of) * (double)of->shard->n_features * sizeof(double));
    cgm_cost_broadcast(of, 0, (double)of->shard->n_parties * sizeof(double));
    if (of->run->config->lengthscale_rule == CGM_LENGTHSCALE_NONNEGATIVE) {
        count_cosines(of, series, series);
        count_pool_pairs(of, series - (double)search->trials, series);
        cgm_cost_reduction(of, (series - (double)search->trials) * sizeof(int64_t) +
                                   2.0 * series * numbers * sizeof(cgm_accumulator));
        cgm_cost_all_gather(of, of->shard->first_party, series * sizeof(double));
        cgm_cost_broadcast(of, 0, (double)search->trials * sizeof(double));
    }
}

void cgm_cost_count_embedded_sums(cgm_cost_model *of)
{
    const double numbers = 2.0 * frequencies(of);
    count_cosines(of, 1.0, 2.0);
    count_pool_pairs(of, 1.0, 1.0);
    cgm_cost_all_gather(of, of->shard->first_party, numbers * sizeof(double));
    cgm_cost_reduction(of, 2.0 * numbers * sizeof(int64_t));
    cgm_cost_all_gather(of, of->run->first_candidate, sizeof(double));
    count_products(of);
}

void cgm_cost_count_embedded_errors(cgm_cost_model *of, void (*values)(cgm_cost_model *),
                                    void (*shapley)(cgm_cost_model *))
{
    count_products(of);
    for (int b = 0; b < (int)n_batches(of) && of->status == CGM_OK; b++) {
        if (b > 0) {
            cgm_cost_all_gather(of, of->held, 4.0 * sizeof(double));
        }
        values(of);
        shapley(of);
    }
}

/* Every rank for its own parties: their own sums, and all candidates at every draw. */
void cgm_cost_count_embedded_sampling(cgm_cost_model *of)
{
    const cgm_cost_run *run = of->run;
    const int64_t n = of->shard->n_parties;
    const double pool = (double)run->n_candidates;
    for (int r = 0; r < run->size; r++) {
        for (int64_t i = of->shard->first_party[r]; i < of->shard->first_party[r + 1]; i++) {
            const double points = (double)of->shard->party_points[i];
            double sweeps = 0.0;
            double starts = 0.0;
            for (int64_t s = 0; s < run->config->n_inv_temp; s++) {
                const double draws = (double)run->draws[s * n + i];
                sweeps += fmax(draws - 1.0, 0.0);
                starts = fmax(starts, draws > 0.0);
            }
            of->work[r].kernel_evaluations +=
                floor(0.5 * points * points) + pool * (starts * points + sweeps);
        }
    }
    cgm_cost_all_gather(of, of->shard->first_party, sizeof(double));
    cgm_cost_reduction(of, 4.0 * (double)(run->config->n_inv_temp * n) * sizeof(int64_t));
}

/* ---- memory ---- */

double cgm_cost_frequency_bytes(const cgm_cost_model *of)
{
    return 2.0 * frequencies(of) * (1.0 + (double)of->shard->n_features) * sizeof(double);
}

double cgm_cost_means_bytes(const cgm_cost_model *of)
{
    return 2.0 * frequencies(of) * (double)of->shard->n_parties * sizeof(double);
}

/* Parties of a rank. */
static double parties(const cgm_cost_model *of, int rank)
{
    return (double)(of->shard->first_party[rank + 1] - of->shard->first_party[rank]);
}

double cgm_cost_embedded_search_bytes(const cgm_cost_model *of, int rank)
{
    const double numbers = 2.0 * frequencies(of);
    return embedding_work_bytes(of->shard->n_features, of->run->config->threads) +
           embedding_pool_bytes(of->shard->n_features, of->run->config->threads) +
           numbers * (2.0 * parties(of, rank) + 4.0) * sizeof(double) +
           numbers * (5.0 * sizeof(cgm_accumulator) + 2.0 * sizeof(int64_t));
}

double cgm_cost_embedded_sums_bytes(const cgm_cost_model *of, int rank)
{
    const double numbers = 2.0 * frequencies(of);
    double most = 0.0;
    for (int r = 0; r < of->run->size; r++) {
        most = fmax(most, parties(of, r));
    }
    const double threads = (double)of->run->config->threads;
    const double panels =
        threads * (2.0 * PANEL * (numbers / n_batches(of) + 1.0) + 2.0 * PANEL * PANEL);
    return embedding_work_bytes(of->shard->n_features, of->run->config->threads) +
           embedding_pool_bytes(of->shard->n_features, of->run->config->threads) +
           ((parties(of, rank) + most + 2.0) * numbers + panels) * sizeof(double);
}

double cgm_cost_embedded_errors_bytes(const cgm_cost_model *of, int rank)
{
    const double n = (double)of->shard->n_parties;
    return (double)(of->held[rank + 1] - of->held[rank]) * n * sizeof(double) +
           cgm_cost_embedded_sums_bytes(of, rank);
}
