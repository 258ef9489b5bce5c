#include <math.h>
#include <stdlib.h>

#include "careful_sum.h"
#include "metrics_parts.h"
#include "metrics_rewards.h"

/* Σ_{T,T} k */
static double reference_square(const cgm_kernel_sums *sums)
{
    cgm_careful_sum total = {0};
    for (int64_t i = 0; i < sums->n_parties; i++) {
        cgm_careful_add(&total, sums->reference_sums[i]);
        cgm_careful_add(&total, sums->party_candidate_sums[i]);
    }
    cgm_careful_add(&total, sums->candidate_sum);
    return cgm_careful_value(&total);
}

/* The unbiased MMD² of Y, m points, to T: own = Σ_{Y,Y} k, reference = Σ_{Y,T} k. */
static double unbiased(const cgm_kernel_sums *sums, double square, double m, double own,
                       double reference)
{
    const double n = (double)sums->n_reference;
    return (own - sums->diagonal * m) / (m * (m - 1.0)) +
           (square - sums->diagonal * n) / (n * (n - 1.0)) - 2.0 * reference / (m * n);
}

/* Σ u over every reward, [n_sets][n_parties], in whatever order. */
static void sum_rewards(cgm_comm *comm, const cgm_run *run, const reward_rows *rows,
                        cgm_accumulator *added)
{
    const int64_t n = run->shard.n_parties;
    for (int64_t k = 0; k < rows->n_rows; k++) {
        const reward_row *row = &rows->rows[k];
        cgm_accumulator_add(&added[row->set * n + row->party],
                            run->sums.candidate_sums[row->candidate - run->sums.held_first]);
    }
    cgm_accumulator_reduce(comm, added, run->sampling.n_sets * n);
}

/* v after the last point of every reward, [n_sets][n_parties], from the ranks that keep it. */
static void gather_values(cgm_comm *comm, const cgm_run *run, double *last)
{
    const int64_t *kept = run->shard.first_party + comm->rank;
    for (int64_t s = 0; s < run->sampling.n_sets; s++) {
        const cgm_reward_set *set = &run->sampling.sets[s];
        double *values = last + s * run->shard.n_parties;
        for (int64_t i = kept[0]; i < kept[1]; i++) {
            const bool empty = set->offsets[i] == set->offsets[i + 1];
            values[i] = empty ? set->start_value[i]
                              : set->values[set->offsets[i + 1] - 1 - set->offsets[kept[0]]];
        }
        cgm_comm_all_gather(comm, values, run->shard.first_party, sizeof *values);
    }
}

/* v = 2 σ_YT/(n m) − σ_YY/m² (MATH.md §6) gives σ_YY back: nothing is evaluated again. */
static double after(const cgm_kernel_sums *sums, double square, double m, double value,
                    double reference)
{
    const double own = m * (2.0 * reference / (double)sums->n_reference - m * value);
    return unbiased(sums, square, m, own, reference);
}

static void fill_in(const cgm_run *run, const double *last, const cgm_accumulator *added,
                    cgm_metrics *metrics)
{
    const cgm_kernel_sums *sums = &run->sums;
    const int64_t n = run->shard.n_parties;
    const double square = reference_square(sums);
    for (int64_t s = 0; s < metrics->n_sets; s++) {
        double *const *columns = metrics->sets[s].columns;
        for (int64_t i = 0; i < n; i++) {
            const double m = (double)sums->party_points[i];
            if (m > 1.0) {
                columns[CGM_MMD2_BEFORE][i] = unbiased(
                    sums, square, m, cgm_kernel_sums_start(sums, i), sums->reference_sums[i]);
            }
            if (columns[CGM_N_REWARDS][i] == 0.0) {
                columns[CGM_MMD2_AFTER][i] = columns[CGM_MMD2_BEFORE][i];
            } else {
                columns[CGM_MMD2_AFTER][i] =
                    after(sums, square, metrics_points(run, metrics, s, i), last[s * n + i],
                          sums->reference_sums[i] + cgm_accumulator_value(&added[s * n + i]));
            }
        }
    }
}

cgm_status metrics_measure_mmd2(cgm_comm *comm, const cgm_run *run, cgm_metrics *metrics)
{
    const int64_t count = metrics->n_sets * metrics->n_parties;
    const reward_shares shares = {0};
    reward_rows rows;
    cgm_status status = reward_rows_spread(comm, run, &shares, &rows);
    if (status == CGM_OK) {
        double *last = cgm_alloc(comm, count, sizeof *last);
        cgm_accumulator *added = cgm_alloc(comm, count, sizeof *added);
        const bool complete = last != NULL && added != NULL;
        status = cgm_agree(comm, complete ? CGM_OK : CGM_ERR_MEMORY);
        if (status == CGM_OK) {
            sum_rewards(comm, run, &rows, added);
            gather_values(comm, run, last);
            fill_in(run, last, added, metrics);
        }
        free(last);
        free(added);
    }
    reward_rows_destroy(&rows);
    return status;
}
