#include "rewarded.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

void rewarded_begin(cgm_comm *comm, const test_case *from, unsigned selected, int64_t n_sets,
                    const double *inv_temp, rewarded_run *made)
{
    const size_t n = (size_t)from->shard.n_parties;
    *made = (rewarded_run){.config = {.metrics = selected}, .alpha = calloc(n, sizeof(double))};
    cgm_run *run = &made->run;
    run->config = &made->config;
    run->shard = from->shard;
    run->candidates = from->candidates;
    run->spread = from->spread;
    run->kernel = from->kernel;
    run->sums = from->sums;
    run->shapley.alpha = made->alpha;
    run->sampling.n_sets = n_sets;
    run->sampling.sets = calloc((size_t)n_sets, sizeof *run->sampling.sets);
    for (int64_t s = 0; s < n_sets; s++) {
        cgm_reward_set *set = &run->sampling.sets[s];
        set->inv_temp = inv_temp[s];
        set->offsets = calloc(n + 1, sizeof *set->offsets);
        set->start_value = calloc(n, sizeof *set->start_value);
    }
    assert_all_ranks(comm, made->alpha != NULL);
}

void rewarded_add(cgm_comm *comm, rewarded_run *made, int64_t set, int64_t party,
                  const int64_t *indices, int64_t count, double value)
{
    cgm_reward_set *to = &made->run.sampling.sets[set];
    const int64_t *kept = made->run.shard.first_party + comm->rank;
    to->offsets[party + 1] = to->offsets[party] + count;
    if (party < kept[0] || party >= kept[1] || count == 0) {
        return;
    }
    const int64_t before = to->offsets[party] - to->offsets[kept[0]];
    to->indices = realloc(to->indices, (size_t)(before + count) * sizeof *to->indices);
    to->values = realloc(to->values, (size_t)(before + count) * sizeof *to->values);
    memcpy(to->indices + before, indices, (size_t)count * sizeof *indices);
    for (int64_t k = before; k < before + count; k++) {
        to->values[k] = k == before + count - 1 ? value : NAN;
    }
}

void rewarded_measure(cgm_comm *comm, rewarded_run *made)
{
    cgm_metrics_destroy(&made->run.metrics);
    assert_all_ranks(comm, cgm_metrics_measure(comm, &made->run, &made->run.metrics) == CGM_OK);
    const cgm_metrics *found = &made->run.metrics;
    const int64_t count = found->n_sets * CGM_METRIC_COLUMNS * found->n_parties;
    assert_same_on_all_ranks(comm, found->values, (size_t)count * sizeof *found->values);
}

const double *rewarded_column(const rewarded_run *made, int64_t set, cgm_metric_column column)
{
    return made->run.metrics.sets[set].columns[column];
}

void rewarded_end(rewarded_run *made)
{
    cgm_metrics_destroy(&made->run.metrics);
    for (int64_t s = 0; s < made->run.sampling.n_sets; s++) {
        cgm_reward_set *set = &made->run.sampling.sets[s];
        free(set->offsets);
        free(set->start_value);
        free(set->indices);
        free(set->values);
    }
    free(made->run.sampling.sets);
    free(made->alpha);
    *made = (rewarded_run){0};
}
