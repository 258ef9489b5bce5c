#include <stdlib.h>
#include <string.h>

#include "metrics_parts.h"
#include "metrics_rewards.h"

/* Counters of labels that are held at a time, unless a single party needs more. */
enum { COUNTERS = 1 << 20 };

/* Labels are numbered by their place among all that there are, ascending. */
typedef struct classes {
    int64_t count; /* K */
    int64_t *labels;
} classes;

/* Labels of Y, batch by batch of parties. */
typedef struct label_counts {
    const cgm_run *run;
    const reward_rows *rows;
    classes classes;
    int64_t first, end; /* parties of the batch */
    int64_t n_sums;     /* a party's: its data, and the reward of each set */
    int64_t *counts;    /* [end - first][n_sums][K] */
} label_counts;

/* ---- the classes ---- */

static int compare_labels(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Sorts labels and drops those that are there already. Returns how many are left. */
static int64_t make_unique(int64_t *labels, int64_t count)
{
    int64_t kept = 0;
    qsort(labels, (size_t)count, sizeof *labels, compare_labels);
    for (int64_t k = 0; k < count; k++) {
        if (k == 0 || labels[k] != labels[kept - 1]) {
            labels[kept++] = labels[k];
        }
    }
    return kept;
}

/* Different labels of this rank's points and of its slice of the pool. */
static cgm_status list_own(cgm_comm *comm, const cgm_run *run, classes *own)
{
    const cgm_candidates *pool = &run->candidates;
    const int64_t first = pool->first[comm->rank];
    const int64_t slice = pool->has_labels ? pool->first[comm->rank + 1] - first : 0;
    const int64_t points = run->shard.n_local_points;
    *own = (classes){.labels = cgm_alloc(comm, points + slice, sizeof *own->labels)};
    if (own->labels == NULL) {
        return CGM_ERR_MEMORY;
    }
    if (points > 0) {
        memcpy(own->labels, run->shard.labels, (size_t)points * sizeof *own->labels);
    }
    if (slice > 0) {
        memcpy(own->labels + points, pool->labels + (first - pool->held_first),
               (size_t)slice * sizeof *own->labels);
    }
    own->count = make_unique(own->labels, points + slice);
    return CGM_OK;
}

/* Those of all ranks, ascending. */
static cgm_status list_classes(cgm_comm *comm, const cgm_run *run, classes *all)
{
    classes own = {0};
    int64_t *offset = cgm_alloc(comm, comm->size + 1, sizeof *offset);
    cgm_status status =
        cgm_agree(comm, offset != NULL ? list_own(comm, run, &own) : CGM_ERR_MEMORY);
    if (status != CGM_OK) {
        free(own.labels);
        free(offset);
        return status;
    }
    offset[comm->rank + 1] = own.count;
    cgm_comm_sum(comm, offset, comm->size + 1);
    for (int r = 0; r < comm->size; r++) {
        offset[r + 1] += offset[r];
    }
    all->labels = cgm_alloc(comm, offset[comm->size], sizeof *all->labels);
    status = cgm_agree(comm, all->labels != NULL ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        memcpy(all->labels + offset[comm->rank], own.labels,
               (size_t)own.count * sizeof *all->labels);
        cgm_comm_all_gather(comm, all->labels, offset, sizeof *all->labels);
        all->count = make_unique(all->labels, offset[comm->size]);
    }
    free(own.labels);
    free(offset);
    return status;
}

/* ---- the counts ---- */

/* One point of a party of the batch. */
static void count(const label_counts *of, int64_t party, int64_t sum, int64_t label)
{
    const classes *all = &of->classes;
    const int64_t *found =
        bsearch(&label, all->labels, (size_t)all->count, sizeof *all->labels, compare_labels);
    of->counts[((party - of->first) * of->n_sums + sum) * all->count + (found - all->labels)]++;
}

static void count_batch(cgm_comm *comm, const label_counts *of)
{
    const cgm_shard *shard = &of->run->shard;
    const cgm_candidates *pool = &of->run->candidates;
    const int64_t total = (of->end - of->first) * of->n_sums * of->classes.count;
    memset(of->counts, 0, (size_t)total * sizeof *of->counts);
    for (int64_t k = 0; k < shard->n_shares; k++) {
        const int64_t party = shard->share_party[k];
        const bool wanted = party >= of->first && party < of->end;
        for (int64_t p = shard->share_first[k]; p < shard->share_first[k + 1] && wanted; p++) {
            count(of, party, 0, shard->labels[p]);
        }
    }
    const int64_t end = reward_rows_first(of->rows, of->end);
    for (int64_t k = reward_rows_first(of->rows, of->first); k < end && pool->has_labels; k++) {
        const reward_row *row = &of->rows->rows[k];
        count(of, row->party, 1 + row->set, pool->labels[row->candidate - pool->held_first]);
    }
    cgm_comm_sum(comm, of->counts, total);
}

/* (1/K) Σ p², of one or two lots of counts together. */
static double imbalance(const int64_t *counts, const int64_t *more, int64_t n_classes)
{
    double points = 0.0;
    double squares = 0.0;
    for (int64_t k = 0; k < n_classes; k++) {
        const double both = (double)(counts[k] + (more != NULL ? more[k] : 0));
        points += both;
        squares += both * both;
    }
    return squares / (points * points) / (double)n_classes;
}

static void fill_in(const label_counts *of, cgm_metrics *metrics)
{
    const int64_t n_classes = of->classes.count;
    for (int64_t i = of->first; i < of->end; i++) {
        const int64_t *counts = of->counts + (i - of->first) * of->n_sums * n_classes;
        for (int64_t s = 0; s < metrics->n_sets; s++) {
            double *const *columns = metrics->sets[s].columns;
            columns[CGM_IMBALANCE_BEFORE][i] = imbalance(counts, NULL, n_classes);
            if (of->run->candidates.has_labels || columns[CGM_N_REWARDS][i] == 0.0) {
                columns[CGM_IMBALANCE_AFTER][i] =
                    imbalance(counts, counts + (1 + s) * n_classes, n_classes);
            }
        }
    }
}

/* ---- in batches ---- */

static cgm_status count_all(cgm_comm *comm, label_counts *of, cgm_metrics *metrics)
{
    const int64_t n = of->run->shard.n_parties;
    const int64_t of_party = of->n_sums * of->classes.count;
    int64_t batch = of_party > 0 && of_party < COUNTERS ? COUNTERS / of_party : 1;
    batch = batch > n ? n : batch;
    of->counts = cgm_alloc(comm, batch * of_party, sizeof *of->counts);
    cgm_status status = cgm_agree(comm, of->counts != NULL ? CGM_OK : CGM_ERR_MEMORY);
    for (; of->first < n && status == CGM_OK; of->first = of->end) {
        of->end = of->first + batch < n ? of->first + batch : n;
        count_batch(comm, of);
        fill_in(of, metrics);
    }
    free(of->counts);
    return status;
}

cgm_status metrics_measure_imbalance(cgm_comm *comm, const cgm_run *run, cgm_metrics *metrics)
{
    if (!run->shard.has_labels) {
        return CGM_OK;
    }
    const reward_shares shares = {0};
    reward_rows rows;
    label_counts of = {.run = run, .rows = &rows, .n_sums = 1 + metrics->n_sets};
    cgm_status status = reward_rows_spread(comm, run, &shares, &rows);
    if (status == CGM_OK) {
        status = list_classes(comm, run, &of.classes);
    }
    if (status == CGM_OK) {
        status = count_all(comm, &of, metrics);
    }
    free(of.classes.labels);
    reward_rows_destroy(&rows);
    return status;
}
