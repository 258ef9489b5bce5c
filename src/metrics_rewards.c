#include "metrics_rewards.h"

#include <stdlib.h>
#include <string.h>

/* Candidates are shared out in runs of so many: those of a word of bits. */
enum { RUN = 64 };

/* Rows on their way from the ranks that keep the parties. */
typedef struct spreading {
    cgm_comm *comm;
    const cgm_run *run;
    uint64_t *held;  /* bits of the candidates that any reward holds */
    int64_t *bound;  /* [size + 1] rank r accounts for bound[r] .. bound[r + 1] - 1 */
    int64_t *begin;  /* [size + 1] rows for rank r among out */
    int64_t *theirs; /* [size] rows that rank r has for this one */
    reward_row *out;
} spreading;

int64_t reward_size(const cgm_run *run, int64_t set, int64_t party)
{
    const int64_t *offsets = run->sampling.sets[set].offsets;
    return offsets[party + 1] - offsets[party];
}

int64_t reward_rows_of_party(const cgm_run *run, int64_t party)
{
    int64_t count = 0;
    for (int64_t s = 0; s < run->sampling.n_sets; s++) {
        count += reward_size(run, s, party);
    }
    return count;
}

const double *reward_point(const cgm_run *run, int64_t candidate)
{
    const cgm_candidates *pool = &run->candidates;
    return pool->points + (candidate - pool->held_first) * pool->n_features;
}

/* ---- who accounts for what ---- */

/* Calls with every row of the parties that this rank keeps. */
static void visit_kept(const spreading *of, void (*visit)(const spreading *of, reward_row row))
{
    const int64_t *kept = of->run->shard.first_party + of->comm->rank;
    for (int64_t s = 0; s < of->run->sampling.n_sets; s++) {
        const cgm_reward_set *set = &of->run->sampling.sets[s];
        for (int64_t i = kept[0]; i < kept[1]; i++) {
            for (int64_t k = set->offsets[i]; k < set->offsets[i + 1]; k++) {
                visit(of, (reward_row){i, set->indices[k - set->offsets[kept[0]]], s});
            }
        }
    }
}

static void mark(const spreading *of, reward_row row)
{
    of->held[row.candidate / RUN] |= UINT64_C(1) << (row.candidate % RUN);
}

static int64_t work_of_run(const spreading *of, bool all, int64_t run)
{
    const int64_t left = of->run->candidates.n_points - run * RUN;
    const int64_t count = left < RUN ? left : RUN;
    return all ? count : __builtin_popcountll(of->held[run]);
}

/* The level up to which ranks that have so much work of their own can be filled up. */
static double fill_level(const int64_t *own_work, int size, int64_t work)
{
    double level = 0.0;
    for (bool changed = true; changed;) {
        double filled = (double)work;
        double ranks = 0.0;
        for (int r = 0; r < size; r++) {
            if (level == 0.0 || (double)own_work[r] < level) {
                filled += (double)own_work[r];
                ranks += 1.0;
            }
        }
        const double next = ranks > 0.0 ? filled / ranks : level;
        changed = next != level;
        level = next;
    }
    return level;
}

/* own_work [size] */
static void share_out(const spreading *of, const int64_t *own_work, bool all)
{
    const int size = of->comm->size;
    const int64_t g = of->run->candidates.n_points;
    const int64_t n_runs = (g + RUN - 1) / RUN;
    int64_t work = 0;
    for (int64_t k = 0; k < n_runs; k++) {
        work += work_of_run(of, all, k);
    }
    const double level = fill_level(own_work, size, work);
    double until = 0.0;
    int64_t done = 0;
    int64_t run = 0;
    for (int r = 0; r < size; r++) {
        const double room = level - (double)own_work[r];
        until += room > 0.0 ? room : 0.0;
        while (run < n_runs && (double)done + 0.5 * (double)work_of_run(of, all, run) < until) {
            done += work_of_run(of, all, run++);
        }
        of->bound[r + 1] = run * RUN < g ? run * RUN : g;
    }
    of->bound[size] = g;
}

static cgm_status place(spreading *of, const reward_shares *shares)
{
    cgm_comm *comm = of->comm;
    const cgm_candidates *pool = &of->run->candidates;
    const int64_t words = pool->sliced ? 0 : (pool->n_points + RUN - 1) / RUN;
    int64_t *own_work = cgm_alloc(comm, comm->size, sizeof *own_work);
    of->bound = cgm_alloc(comm, comm->size + 1, sizeof *of->bound);
    of->held = cgm_alloc(comm, words, sizeof *of->held);
    const bool complete = own_work != NULL && of->bound != NULL && of->held != NULL;
    cgm_status status = cgm_agree(comm, complete ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK && pool->sliced) {
        memcpy(of->bound, pool->first, (size_t)(comm->size + 1) * sizeof *of->bound);
    } else if (status == CGM_OK) {
        own_work[comm->rank] = shares->own_work;
        cgm_comm_sum(comm, own_work, comm->size);
        visit_kept(of, mark);
        cgm_comm_or(comm, of->held, words);
        share_out(of, own_work, shares->all);
    }
    free(own_work);
    return status;
}

/* ---- from the keepers ---- */

static int home_of(const spreading *of, int64_t candidate)
{
    int low = 0;
    int high = of->comm->size;
    while (high - low > 1) {
        const int middle = low + (high - low) / 2;
        if (of->bound[middle] <= candidate) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

static void count_row(const spreading *of, reward_row row)
{
    of->begin[home_of(of, row.candidate) + 1]++;
}

static void put_row(const spreading *of, reward_row row)
{
    of->out[of->begin[home_of(of, row.candidate)]++] = row;
}

/* Rows in the order of the ranks that they are for. */
static cgm_status sort_out(spreading *of)
{
    const int size = of->comm->size;
    of->begin = cgm_alloc(of->comm, size + 1, sizeof *of->begin);
    of->theirs = cgm_alloc(of->comm, size, sizeof *of->theirs);
    if (of->begin == NULL || of->theirs == NULL) {
        return CGM_ERR_MEMORY;
    }
    visit_kept(of, count_row);
    for (int r = 0; r < size; r++) {
        of->begin[r + 1] += of->begin[r];
    }
    of->out = cgm_alloc(of->comm, of->begin[size], sizeof *of->out);
    if (of->out == NULL) {
        return CGM_ERR_MEMORY;
    }
    /* Filling moves each begin to the next one's; then all move back. */
    visit_kept(of, put_row);
    for (int r = size; r > 0; r--) {
        of->begin[r] = of->begin[r - 1];
    }
    of->begin[0] = 0;
    return CGM_OK;
}

/* Everybody learns how much the others have for it. */
static int64_t exchange_counts(spreading *of)
{
    cgm_comm *comm = of->comm;
    int64_t total = 0;
    for (int shift = 0; shift < comm->size; shift++) {
        const int to = (comm->rank + shift) % comm->size;
        const int from = (comm->rank - shift + comm->size) % comm->size;
        const int64_t count = of->begin[to + 1] - of->begin[to];
        of->theirs[from] = count;
        if (shift > 0) {
            cgm_comm_exchange(comm, &count, sizeof count, to, &of->theirs[from], sizeof count,
                              from);
        }
        total += of->theirs[from];
    }
    return total;
}

static void exchange_rows(spreading *of, reward_row *rows)
{
    cgm_comm *comm = of->comm;
    for (int shift = 0; shift < comm->size; shift++) {
        const int to = (comm->rank + shift) % comm->size;
        const int from = (comm->rank - shift + comm->size) % comm->size;
        const reward_row *out = of->out + of->begin[to];
        const size_t bytes = (size_t)(of->begin[to + 1] - of->begin[to]) * sizeof *out;
        if (shift == 0) {
            memcpy(rows, out, bytes);
        } else {
            cgm_comm_exchange(comm, out, bytes, to, rows, (size_t)of->theirs[from] * sizeof *rows,
                              from);
        }
        rows += of->theirs[from];
    }
}

static int compare_integers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_rows(const void *a, const void *b)
{
    const reward_row *x = a;
    const reward_row *y = b;
    if (x->party != y->party) {
        return compare_integers(x->party, y->party);
    }
    return x->candidate != y->candidate ? compare_integers(x->candidate, y->candidate)
                                        : compare_integers(x->set, y->set);
}

static int compare_candidates(const void *a, const void *b)
{
    return compare_integers(*(const int64_t *)a, *(const int64_t *)b);
}

static void list_candidates(reward_rows *rows)
{
    for (int64_t k = 0; k < rows->n_rows; k++) {
        rows->candidates[k] = rows->rows[k].candidate;
    }
    qsort(rows->candidates, (size_t)rows->n_rows, sizeof *rows->candidates, compare_candidates);
    for (int64_t k = 0; k < rows->n_rows; k++) {
        if (k == 0 || rows->candidates[k] != rows->candidates[rows->n_candidates - 1]) {
            rows->candidates[rows->n_candidates++] = rows->candidates[k];
        }
    }
}

cgm_status reward_rows_spread(cgm_comm *comm, const cgm_run *run, const reward_shares *shares,
                              reward_rows *rows)
{
    spreading of = {.comm = comm, .run = run};
    *rows = (reward_rows){0};
    cgm_status status = place(&of, shares);
    if (status == CGM_OK) {
        status = cgm_agree(comm, sort_out(&of));
    }
    if (status == CGM_OK) {
        rows->first = of.bound[comm->rank];
        rows->end = of.bound[comm->rank + 1];
        rows->n_rows = exchange_counts(&of);
        rows->rows = cgm_alloc(comm, rows->n_rows, sizeof *rows->rows);
        rows->candidates = cgm_alloc(comm, rows->n_rows, sizeof *rows->candidates);
        const bool complete = rows->rows != NULL && rows->candidates != NULL;
        status = cgm_agree(comm, complete ? CGM_OK : CGM_ERR_MEMORY);
    }
    if (status == CGM_OK) {
        exchange_rows(&of, rows->rows);
        qsort(rows->rows, (size_t)rows->n_rows, sizeof *rows->rows, compare_rows);
        list_candidates(rows);
    }
    free(of.held);
    free(of.bound);
    free(of.begin);
    free(of.theirs);
    free(of.out);
    return status;
}

int64_t reward_rows_find(const reward_rows *rows, int64_t candidate)
{
    int64_t low = 0;
    int64_t high = rows->n_candidates - 1;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (rows->candidates[middle] < candidate) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

int64_t reward_rows_first(const reward_rows *rows, int64_t party)
{
    int64_t low = 0;
    int64_t high = rows->n_rows;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (rows->rows[middle].party < party) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void reward_rows_destroy(reward_rows *rows)
{
    free(rows->rows);
    free(rows->candidates);
    *rows = (reward_rows){0};
}
