#include <math.h>
#include <stdlib.h>

#include "cgm/log.h"
#include "downstream_points.h"

/* What a model is judged by, whole numbers that ranks add up. */
typedef enum outcome {
    OTHERS_RIGHT,
    OTHERS_TESTED,
    TEST_RIGHT,
    TEST_TESTED,
    REFUSED, /* 1: too many classes */
    OUTCOMES
} outcome;

/* A model to be trained. */
typedef struct task {
    int64_t k;   /* number of the measured party */
    int64_t set; /* and of its training set */
    int64_t n_points;
} task;

/* The models of all ranks, and those of this one. */
typedef struct work {
    const downstream_points *all;
    int64_t *outcomes; /* [n_measured][n_sets][OUTCOMES] */
    int64_t n_tasks;
    task *tasks; /* [n_tasks] of this rank, longest first */
    cgm_progress progress;
    double done, total; /* time of this rank's tasks, roughly */
} work;

static int64_t *outcomes_of(const work *w, int64_t k, int64_t set)
{
    return w->outcomes + (k * w->all->n_sets + set) * OUTCOMES;
}

static int64_t count_rewards(const downstream_points *all, int64_t k, int64_t set)
{
    const int64_t *offsets = all->run->sampling.sets[set - 1].offsets;
    return offsets[all->measured[k] + 1] - offsets[all->measured[k]];
}

/* ---- who trains what ---- */

static bool is_task(const downstream_points *all, int64_t k, int64_t set)
{
    return set == 0 || (all->run->candidates.has_labels && count_rewards(all, k, set) > 0);
}

static int compare_tasks(const void *left, const void *right)
{
    const task *a = left;
    const task *b = right;
    if (a->n_points != b->n_points) {
        return a->n_points > b->n_points ? -1 : 1;
    }
    if (a->k != b->k) {
        return a->k < b->k ? -1 : 1;
    }
    return a->set < b->set ? -1 : a->set > b->set;
}

/* Training takes about the square of the points. */
static double length_of(const task *one)
{
    return (double)one->n_points * (double)one->n_points;
}

/* The longest first, each to the rank that has least so far: every rank knows all without a
 * message. busy [size] zeroed is work space. */
static void choose_tasks(const cgm_comm *comm, double *busy, work *w)
{
    const downstream_points *all = w->all;
    int64_t n = 0;
    for (int64_t k = 0; k < all->n_measured; k++) {
        for (int64_t set = 0; set < all->n_sets; set++) {
            if (is_task(all, k, set)) {
                w->tasks[n++] = (task){k, set, downstream_points_count(all, k, set)};
            }
        }
    }
    qsort(w->tasks, (size_t)n, sizeof *w->tasks, compare_tasks);
    for (int64_t t = 0; t < n; t++) {
        int rank = 0;
        for (int r = 1; r < comm->size; r++) {
            rank = busy[r] < busy[rank] ? r : rank;
        }
        busy[rank] += length_of(&w->tasks[t]);
        if (rank == comm->rank) {
            w->tasks[w->n_tasks++] = w->tasks[t];
        }
    }
    w->total = busy[comm->rank];
}

/* ---- one of them ---- */

/* right[0] of right[1] points get the label that they have. */
static cgm_status test_model(cgm_comm *comm, const cgm_downstream_model *model,
                             const cgm_labelled *points, int64_t right[2])
{
    int64_t *predicted = cgm_alloc(comm, points->n_points, sizeof *predicted);
    cgm_status status =
        predicted == NULL ? CGM_ERR_MEMORY : cgm_downstream_predict(comm, model, points, predicted);
    for (int64_t k = 0; k < points->n_points && status == CGM_OK; k++) {
        right[0] += predicted[k] == points->labels[k];
        right[1]++;
    }
    free(predicted);
    return status;
}

static cgm_status test_on_all(cgm_comm *comm, const downstream_points *all, int64_t k,
                              const cgm_downstream_model *model, int64_t *outcomes)
{
    cgm_labelled others;
    cgm_status status = downstream_points_others(comm, all, k, &others);
    if (status == CGM_OK) {
        status = test_model(comm, model, &others, outcomes + OTHERS_RIGHT);
    }
    if (status == CGM_OK) {
        status = test_model(comm, model, &all->test, outcomes + TEST_RIGHT);
    }
    free(others.points);
    free(others.labels);
    return status;
}

static cgm_status run_task(cgm_comm *comm, const work *w, const task *one)
{
    const cgm_run *run = w->all->run;
    int64_t *outcomes = outcomes_of(w, one->k, one->set);
    cgm_downstream_model model = {0};
    cgm_labelled training;
    cgm_status status = downstream_points_train(comm, w->all, one->k, one->set, &training);
    if (status == CGM_OK) {
        status = cgm_downstream_train(comm, &training, run->shard.n_features,
                                      run->kernel.instruction_set, &model);
    }
    if (status == CGM_OK && model.n_classes > CGM_DOWNSTREAM_CLASSES) {
        outcomes[REFUSED] = 1;
    } else if (status == CGM_OK) {
        status = test_on_all(comm, w->all, one->k, &model, outcomes);
    }
    cgm_downstream_model_destroy(&model);
    free(training.points);
    free(training.labels);
    return status;
}

/* ---- all of them ---- */

/* Threads take this rank's tasks as they come free. */
static cgm_status run_tasks(cgm_comm *comm, work *w)
{
    cgm_status status = CGM_OK;
#pragma omp parallel for schedule(dynamic, 1) num_threads(comm->threads)
    for (int64_t t = 0; t < w->n_tasks; t++) {
        cgm_comm own = *comm;
        own.counters = (cgm_counters){0};
        cgm_status mine;
#pragma omp atomic read
        mine = status;
        if (mine == CGM_OK) {
            mine = run_task(&own, w, &w->tasks[t]);
        }
#pragma omp critical
        {
            cgm_comm_absorb(comm, &own);
            if (mine != CGM_OK) {
#pragma omp atomic write
                status = mine;
            }
            w->done += length_of(&w->tasks[t]);
            cgm_progress_report(comm, &w->progress, w->done, w->total);
        }
    }
    return status;
}

static double accuracy(const int64_t *outcomes, outcome right, outcome tested)
{
    return outcomes[tested] > 0 ? (double)outcomes[right] / (double)outcomes[tested] : NAN;
}

/* The columns of a party at one β; where it has no rewards, nothing changes after. */
static void fill_columns(const work *w, int64_t k, int64_t set, cgm_metric_set *columns)
{
    const cgm_run *run = w->all->run;
    const int64_t party = w->all->measured[k];
    const int64_t *before = outcomes_of(w, k, 0);
    const bool changes = !run->candidates.has_labels || is_task(w->all, k, set);
    const int64_t *after = changes ? outcomes_of(w, k, set) : before;
    double **column = columns->columns;
    column[CGM_DOWNSTREAM_OTHERS_BEFORE][party] = accuracy(before, OTHERS_RIGHT, OTHERS_TESTED);
    column[CGM_DOWNSTREAM_OTHERS_AFTER][party] = accuracy(after, OTHERS_RIGHT, OTHERS_TESTED);
    column[CGM_DOWNSTREAM_TEST_BEFORE][party] = accuracy(before, TEST_RIGHT, TEST_TESTED);
    column[CGM_DOWNSTREAM_TEST_AFTER][party] = accuracy(after, TEST_RIGHT, TEST_TESTED);
}

static cgm_downstream_extent extent_of(const work *w)
{
    const downstream_points *all = w->all;
    const cgm_shard *shard = &all->run->shard;
    const cgm_testset *test = &all->run->testset;
    cgm_downstream_extent extent = {.n_measured = all->n_measured,
                                    .most = all->run->config->downstream_points,
                                    .test = test->has_labels ? test->n_points : 0};
    for (int64_t k = 0; k < all->n_measured; k++) {
        const int64_t own = shard->party_points[all->measured[k]];
        const int64_t others = shard->n_points - own;
        extent.others = others > extent.others ? others : extent.others;
        for (int64_t set = 0; set < all->n_sets; set++) {
            const bool has_rewards = set > 0 && is_task(all, k, set);
            const int64_t count = own + (has_rewards ? count_rewards(all, k, set) : 0);
            extent.training = count > extent.training ? count : extent.training;
            extent.refused += outcomes_of(w, k, set)[REFUSED];
        }
    }
    return extent;
}

static cgm_status train_and_test(cgm_comm *comm, work *w, cgm_metrics *metrics)
{
    const downstream_points *all = w->all;
    const int64_t n_models = all->n_measured * all->n_sets;
    double *busy = cgm_alloc(comm, comm->size, sizeof *busy);
    w->tasks = cgm_alloc(comm, n_models, sizeof *w->tasks);
    w->outcomes = cgm_alloc(comm, n_models * OUTCOMES, sizeof *w->outcomes);
    bool complete = busy != NULL && w->tasks != NULL && w->outcomes != NULL;
    cgm_status status = cgm_agree(comm, complete ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        choose_tasks(comm, busy, w);
        status = cgm_agree(comm, run_tasks(comm, w));
    }
    if (status == CGM_OK) {
        cgm_comm_sum(comm, w->outcomes, n_models * OUTCOMES);
        for (int64_t b = 0; b < all->n_measured * metrics->n_sets; b++) {
            const int64_t s = b % metrics->n_sets;
            fill_columns(w, b / metrics->n_sets, s + 1, &metrics->sets[s]);
        }
        metrics->downstream = extent_of(w);
    }
    free(busy);
    free(w->tasks);
    free(w->outcomes);
    return status;
}

cgm_status cgm_downstream_measure(cgm_comm *comm, const cgm_run *run, cgm_metrics *metrics)
{
    if (!run->shard.has_labels) {
        return CGM_OK;
    }
    downstream_points all;
    cgm_status status = downstream_points_gather(comm, run, &all);
    if (status == CGM_OK) {
        work w = {.all = &all, .progress = cgm_progress_start(comm, "downstream models")};
        status = train_and_test(comm, &w, metrics);
    }
    downstream_points_destroy(&all);
    return status;
}
