#include <math.h>

#include "cgm/dense.h"
#include "cost_model.h"

/* Counts of a digit of the keys by which points are chosen (significance.c), and what a point takes
 * while they are: its key. */
enum { DIGITS = 4, DIGIT_BYTES = (1 << 16) * 8, KEY_BYTES = sizeof(uint64_t) };

static int64_t significance_points(const cgm_cost_model *of)
{
    const int64_t all = of->shard->n_points + of->run->n_candidates;
    const int64_t most = of->run->config->significance_points;
    return all < most ? all : most;
}

/* Which points are chosen is random: on average every rank's share of them. */
static void count_chosen(cgm_cost_model *of, double chosen)
{
    const double all = (double)(of->shard->n_points + of->run->n_candidates);
    const double point = (double)of->n_features * sizeof(double);
    for (int r = 0; r < of->run->size && of->run->size > 1; r++) {
        const double own = chosen * (of->homes[r].points + of->homes[r].pool) / all;
        of->work[r].bytes_sent += own * point;
        of->work[r].bytes_received += (chosen - own) * point;
    }
}

/* Means of the matrix's columns, whole blocks a rank, its entries, and its reduction. */
static void count_spectrum(cgm_cost_model *of, int64_t n)
{
    const int size = of->run->size;
    const int64_t blocks = (n + CGM_DENSE_BLOCK - 1) / CGM_DENSE_BLOCK;
    for (int r = 0; r < size; r++) {
        const int64_t first_block = blocks * r / size;
        const int64_t end_block = blocks * (r + 1) / size;
        const double first = (double)(first_block * CGM_DENSE_BLOCK);
        const double end = fmin((double)(end_block * CGM_DENSE_BLOCK), (double)n);
        const double entries = (double)cgm_dense_entries(n, CGM_EIGEN_AUTO, size, r);
        cgm_cost_work *work = &of->work[r];
        work->kernel_evaluations += (end - first) * (double)n + entries;
        work->multiply_adds += 2.0 / 3.0 * (double)n * entries;
        if (size > 1) {
            work->bytes_sent += (end - first) * sizeof(double);
            work->bytes_received += ((double)n - end + first) * sizeof(double);
        }
    }
    cgm_cost_broadcast(of, 0, (double)n * sizeof(double));
}

void cgm_cost_count_significance(cgm_cost_model *of)
{
    const int64_t n = significance_points(of);
    const int size = of->run->size;
    cgm_cost_reduction(of, (double)DIGITS * DIGIT_BYTES + (2.0 * size + 1.0) * sizeof(int64_t));
    count_chosen(of, (double)n);
    count_spectrum(of, n);
    const double columns = 1.0 + (double)of->run->config->n_inv_temp;
    for (int r = 0; r < size && size > 1; r++) {
        const int64_t parties = of->shard->n_parties;
        const int64_t first = parties * r / size;
        const int64_t end = parties * (r + 1) / size;
        const double own = (double)(end - first);
        of->work[r].bytes_sent += own * columns * sizeof(double);
        of->work[r].bytes_received += ((double)parties - own) * columns * sizeof(double);
    }
}

/* Keys and counts, chosen points as they are and packed, and the matrix. */
double cgm_cost_significance_memory(const cgm_cost_model *of, int rank)
{
    const double n = (double)significance_points(of);
    const double own = of->homes[rank].points + of->homes[rank].pool;
    const double entries =
        (double)cgm_dense_entries((int64_t)n, CGM_EIGEN_AUTO, of->run->size, rank);
    return own * KEY_BYTES + DIGIT_BYTES +
           (2.0 * n * (double)of->n_features + entries + 8.0 * n) * sizeof(double);
}
