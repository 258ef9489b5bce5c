#include "cgm/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/h5.h"
#include "cgm/provenance.h"
#include "cgm/result.h"
#include "newfile.h"

/* Room for the path of a dataset. */
enum { PATH_ROOM = 96 };

/* A result file while it is written. */
typedef struct writer {
    cgm_comm *comm;
    const cgm_run *run;
    cgm_h5_file file;
    uint64_t checksum; /* of the results: this rank's contribution, in the end their sum */
    cgm_status status; /* the same on every rank; after a failure nothing more is put */
} writer;

/* ---- putting one object ---- */

/* Rows first .. first + n_rows - 1 from this rank; numbers of 8 bytes. */
static void put_rows(writer *to, const char *path, cgm_h5_type type, int rank, const int64_t *dims,
                     int64_t first, int64_t n_rows, const void *data)
{
    if (to->status != CGM_OK) {
        return;
    }
    to->status = cgm_h5_write(&to->file, path, type, rank, dims, first, n_rows, data);
    to->checksum += cgm_result_checksum_rows(path, rank, dims, first, n_rows, data);
    if (to->comm->rank == 0) {
        to->checksum += cgm_result_checksum_shape(path, rank, dims);
    }
}

/* A small array that rank 0 holds, or every rank. */
static void put_array(writer *to, const char *path, cgm_h5_type type, int64_t count,
                      const void *data)
{
    put_rows(to, path, type, 1, &count, 0, to->comm->rank == 0 ? count : 0, data);
}

static void put_texts(writer *to, const char *path, int64_t count, char *const *texts)
{
    if (to->status != CGM_OK) {
        return;
    }
    to->status = cgm_h5_write_texts(&to->file, path, count, texts);
    if (to->comm->rank == 0) {
        to->checksum += cgm_result_checksum_texts(path, count, texts);
    }
}

/* value: a number of 8 bytes or a text. */
static void put_attribute(writer *to, const char *path, const char *name, cgm_h5_type type,
                          const void *value)
{
    if (to->status != CGM_OK) {
        return;
    }
    to->status = cgm_h5_write_attribute(&to->file, path, name, type, value);
    if (to->comm->rank == 0) {
        to->checksum += cgm_result_checksum_attribute(path, name, type == CGM_H5_TEXT, value);
    }
}

/* A text attribute of the root that is rank 0's alone (time, command): the others' is not looked
 * at. */
static void put_record(writer *to, const char *name, const char *text)
{
    cgm_comm *comm = to->comm;
    int64_t bytes = comm->rank == 0 ? (int64_t)strlen(text) + 1 : 0;
    cgm_comm_broadcast(comm, &bytes, sizeof bytes, 0);
    char *copy = cgm_alloc(comm, bytes, 1);
    cgm_status status = cgm_agree(comm, copy != NULL ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        if (comm->rank == 0) {
            memcpy(copy, text, (size_t)bytes);
        }
        cgm_comm_broadcast(comm, copy, (size_t)bytes, 0);
        put_attribute(to, "/", name, CGM_H5_TEXT, copy);
    } else if (to->status == CGM_OK) {
        to->status = status;
    }
    free(copy);
}

/* Votes on memory that every rank needs; after it all ranks go on, or none. */
static bool have_all(writer *to, bool complete)
{
    cgm_status status = cgm_agree(to->comm, complete ? CGM_OK : CGM_ERR_MEMORY);
    if (to->status == CGM_OK) {
        to->status = status;
    }
    return status == CGM_OK;
}

/* ---- the groups of schema 1 ---- */

static int compare_hosts(const void *a, const void *b)
{
    return cgm_shard_compare_names(a, b);
}

/* Distinct names of the ranks' hosts, separated by commas. */
static void put_hosts(writer *to)
{
    cgm_comm *comm = to->comm;
    const size_t bytes = sizeof comm->host;
    char *hosts = cgm_alloc(comm, comm->rank == 0 ? comm->size : 0, bytes);
    char *joined = cgm_alloc(comm, comm->rank == 0 ? comm->size : 0, bytes + 1);
    if (have_all(to, hosts != NULL && joined != NULL)) {
        cgm_comm_gather(comm, comm->host, comm->rank == 0 ? hosts : NULL, bytes, 0);
        if (comm->rank == 0) {
            qsort(hosts, (size_t)comm->size, bytes, compare_hosts);
            char *end = joined;
            for (int r = 0; r < comm->size; r++) {
                const char *host = hosts + (size_t)r * bytes;
                if (r == 0 || strcmp(host, host - bytes) != 0) {
                    end = stpcpy(stpcpy(end, r == 0 ? "" : ","), host);
                }
            }
        }
        put_record(to, "hosts", joined);
    }
    free(hosts);
    free(joined);
}

static void put_options(writer *to)
{
    char *all = cgm_config_text(to->comm, to->run->config, false);
    char *results_only = cgm_config_text(to->comm, to->run->config, true);
    if (have_all(to, all != NULL && results_only != NULL)) {
        put_record(to, "config", all);
        put_record(to, "results_config", results_only);
    }
    free(all);
    free(results_only);
}

static void put_root(writer *to)
{
    const cgm_run *run = to->run;
    const bool optimal = run->reward.status == CGM_REWARD_OPTIMAL;
    const int64_t schema = 1;
    put_attribute(to, "/", "schema", CGM_H5_INT64, &schema);
    put_attribute(to, "/", "seed", CGM_H5_UINT64, &run->config->seed);
    put_attribute(to, "/", "status", CGM_H5_TEXT,
                  optimal ? "complete" : cgm_reward_status_name(run->reward.status));

    const int64_t size = to->comm->size;
    const int64_t threads = to->comm->threads;
    put_attribute(to, "/", "program", CGM_H5_TEXT, "cgm");
    put_attribute(to, "/", "version", CGM_H5_TEXT, cgm_version());
    put_attribute(to, "/", "git", CGM_H5_TEXT, cgm_git_revision());
    put_attribute(to, "/", "mpi_size", CGM_H5_INT64, &size);
    put_attribute(to, "/", "threads", CGM_H5_INT64, &threads);
    put_attribute(to, "/", "instruction_set", CGM_H5_TEXT,
                  cgm_instruction_set_name(run->kernel.instruction_set));
    put_attribute(to, "/", "input_checksum", CGM_H5_UINT64, &run->input_checksum);
    put_record(to, "command", run->command);
    put_record(to, "started", run->started);
    put_hosts(to);
    put_options(to);
}

static void put_warnings(writer *to)
{
    const cgm_warnings *warnings = &to->run->warnings;
    put_texts(to, "/warnings/code", warnings->count, warnings->code);
    put_texts(to, "/warnings/text", warnings->count, warnings->text);
}

static void put_parties(writer *to)
{
    const cgm_shard *shard = &to->run->shard;
    put_texts(to, "/parties/name", shard->n_parties, shard->names);
    put_array(to, "/parties/n_points", CGM_H5_INT64, shard->n_parties, shard->party_points);
    put_array(to, "/parties/checksum", CGM_H5_UINT64, shard->n_parties, shard->checksums);
}

static void put_kernel(writer *to)
{
    const cgm_lengthscale *choice = &to->run->lengthscale;
    const cgm_kernel *kernel = &to->run->kernel;
    const cgm_diagnostics *diagnostics = &to->run->diagnostics;
    const int64_t sufficient = diagnostics->sufficient_condition;
    if (kernel->feature_lengthscales != NULL) {
        put_array(to, "/kernel/lengthscale", CGM_H5_DOUBLE, kernel->n_features,
                  kernel->feature_lengthscales);
    } else {
        put_array(to, "/kernel/lengthscale", CGM_H5_DOUBLE, 1, &kernel->lengthscale);
    }
    put_attribute(to, "/kernel", "type", CGM_H5_TEXT, cgm_kernel_name(kernel->type));
    put_attribute(to, "/kernel", "rule", CGM_H5_TEXT, cgm_lengthscale_rule_name(choice->rule));
    put_attribute(to, "/kernel", "passes", CGM_H5_INT64, &choice->passes);
    put_attribute(to, "/kernel", "sufficient_condition", CGM_H5_INT64, &sufficient);
    put_attribute(to, "/kernel", "monotone_violations", CGM_H5_INT64,
                  &diagnostics->monotone_violations);
    put_attribute(to, "/kernel", "marginals", CGM_H5_INT64, &diagnostics->marginals);
    put_attribute(to, "/kernel", "worst_marginal", CGM_H5_DOUBLE, &diagnostics->worst_marginal);
}

/* What scaling did to the features, if it did anything. */
static void put_features(writer *to)
{
    const cgm_features *features = &to->run->features;
    const int64_t d = to->run->shard.n_features;
    if (features->scaling != CGM_SCALE_NONE) {
        put_array(to, "/features/mean", CGM_H5_DOUBLE, d, features->mean);
        put_array(to, "/features/scale", CGM_H5_DOUBLE, d, features->scale);
    }
}

static void put_sums(writer *to)
{
    const cgm_kernel_sums *sums = &to->run->sums;
    const int64_t square[2] = {sums->n_parties, sums->n_parties};
    const int64_t first_row = sums->first_row[to->comm->rank];
    put_rows(to, "/sums/party_sums", CGM_H5_DOUBLE, 2, square, first_row,
             sums->first_row[to->comm->rank + 1] - first_row, sums->party_sums);
    put_array(to, "/sums/reference_sums", CGM_H5_DOUBLE, sums->n_parties, sums->reference_sums);
    put_array(to, "/sums/party_candidate_sums", CGM_H5_DOUBLE, sums->n_parties,
              sums->party_candidate_sums);
    /* Whether a rank can read all of u or its slice alone, the slice is what it writes. */
    const int64_t *slice = to->run->candidates.first + to->comm->rank;
    put_rows(to, "/sums/candidate_sums", CGM_H5_DOUBLE, 1, &sums->n_candidates, slice[0],
             slice[1] - slice[0], sums->candidate_sums + (slice[0] - sums->held_first));
    put_attribute(to, "/sums", "candidate_sum", CGM_H5_DOUBLE, &sums->candidate_sum);
    put_attribute(to, "/sums", "n_reference", CGM_H5_INT64, &sums->n_reference);
}

static void put_values(writer *to)
{
    const cgm_run *run = to->run;
    const int64_t n_parties = run->shard.n_parties;
    put_array(to, "/values/single", CGM_H5_DOUBLE, n_parties, run->values.single);
    put_array(to, "/values/ceiling", CGM_H5_DOUBLE, n_parties, run->values.ceiling);
    put_array(to, "/values/stable", CGM_H5_DOUBLE, n_parties, run->reward.stable);
    put_array(to, "/values/lower", CGM_H5_DOUBLE, n_parties, run->reward.lower);
    if (n_parties <= CGM_ENUMERATE_MAX) {
        put_array(to, "/values/coalitions", CGM_H5_DOUBLE, INT64_C(1) << n_parties,
                  run->values.coalitions);
    }
    put_attribute(to, "/values", "grand", CGM_H5_DOUBLE, &run->values.grand);
}

static void put_shapley(writer *to)
{
    const cgm_shapley *shapley = &to->run->shapley;
    const int64_t n_parties = to->run->shard.n_parties;
    char semivalue[CGM_SEMIVALUE_TEXT];
    cgm_semivalue_text(&shapley->semivalue, semivalue);
    put_array(to, "/shapley/phi", CGM_H5_DOUBLE, n_parties, shapley->phi);
    put_array(to, "/shapley/alpha", CGM_H5_DOUBLE, n_parties, shapley->alpha);
    put_attribute(to, "/shapley", "method", CGM_H5_TEXT,
                  shapley->method == CGM_SHAPLEY_ENUMERATE ? "enumerate" : "quadrature");
    put_attribute(to, "/shapley", "semivalue", CGM_H5_TEXT, semivalue);
    put_attribute(to, "/shapley", "error_estimate", CGM_H5_DOUBLE, &shapley->error_estimate);
    put_attribute(to, "/shapley", "efficiency_gap", CGM_H5_DOUBLE, &shapley->efficiency_gap);
    put_attribute(to, "/shapley", "nodes", CGM_H5_INT64, &shapley->nodes);
}

static void put_reward(writer *to)
{
    const cgm_reward *reward = &to->run->reward;
    put_array(to, "/reward/r", CGM_H5_DOUBLE, to->run->shard.n_parties, reward->r);
    put_attribute(to, "/reward", "condition", CGM_H5_TEXT,
                  cgm_reward_condition_name(reward->condition));
    put_attribute(to, "/reward", "v_star", CGM_H5_DOUBLE, &reward->v_star);
    put_attribute(to, "/reward", "rho", CGM_H5_DOUBLE, &reward->rho);
    put_attribute(to, "/reward", "status", CGM_H5_TEXT, cgm_reward_status_name(reward->status));
    put_attribute(to, "/reward", "binding", CGM_H5_TEXT, reward->binding);
    put_attribute(to, "/reward", "total_violation", CGM_H5_DOUBLE, &reward->total_violation);
    if (reward->lost != NULL) {
        put_texts(to, "/reward/lost", to->run->shard.n_parties, reward->lost);
    }
}

static void put_incentives(writer *to)
{
    const cgm_incentive_row *rows = to->run->incentives.rows;
    char *names[CGM_N_INCENTIVES];
    char *details[CGM_N_INCENTIVES];
    int64_t holds[CGM_N_INCENTIVES];
    double violation[CGM_N_INCENTIVES];
    double realised[CGM_N_INCENTIVES];
    for (int k = 0; k < CGM_N_INCENTIVES; k++) {
        names[k] = (char *)cgm_incentive_name((cgm_incentive)k);
        details[k] = (char *)rows[k].detail;
        holds[k] = rows[k].holds;
        violation[k] = rows[k].violation;
        realised[k] = rows[k].realised;
    }
    put_texts(to, "/incentives/name", CGM_N_INCENTIVES, names);
    put_array(to, "/incentives/holds", CGM_H5_INT64, CGM_N_INCENTIVES, holds);
    put_array(to, "/incentives/violation", CGM_H5_DOUBLE, CGM_N_INCENTIVES, violation);
    put_array(to, "/incentives/realised", CGM_H5_DOUBLE, CGM_N_INCENTIVES, realised);
    put_texts(to, "/incentives/detail", CGM_N_INCENTIVES, details);
}

/* beta_<%g> and a dataset in it. */
static const char *set_path(const cgm_reward_set *set, const char *name, char path[PATH_ROOM])
{
    snprintf(path, PATH_ROOM, "/sampling/beta_%g/%s", set->inv_temp, name);
    return path;
}

/* The rewards of the parties that this rank keeps: points and labels are looked up in the pool. */
static void put_rewards(writer *to, const cgm_reward_set *set, int64_t first, int64_t n_rows)
{
    const cgm_candidates *pool = &to->run->candidates;
    const size_t row_bytes = (size_t)pool->n_features * sizeof *pool->original;
    const int64_t total = set->offsets[to->run->shard.n_parties];
    const int64_t dims[2] = {total, pool->n_features};
    char path[PATH_ROOM];
    double *points = cgm_alloc(to->comm, n_rows, row_bytes);
    int64_t *labels = cgm_alloc(to->comm, n_rows, sizeof *labels);
    if (have_all(to, points != NULL && labels != NULL)) {
        cgm_status status = cgm_sampling_points(to->comm, pool, set->indices, n_rows, points,
                                                pool->has_labels ? labels : NULL);
        to->status = to->status != CGM_OK ? to->status : status;
        put_rows(to, set_path(set, "data", path), CGM_H5_DOUBLE, 2, dims, first, n_rows, points);
        if (pool->has_labels) {
            put_rows(to, set_path(set, "labels", path), CGM_H5_INT64, 1, dims, first, n_rows,
                     labels);
        }
    }
    free(points);
    free(labels);
    put_rows(to, set_path(set, "indices", path), CGM_H5_INT64, 1, dims, first, n_rows,
             set->indices);
    put_rows(to, set_path(set, "values", path), CGM_H5_DOUBLE, 1, dims, first, n_rows, set->values);
}

static void put_sampling(writer *to)
{
    const cgm_run *run = to->run;
    const int64_t n_parties = run->shard.n_parties;
    for (int64_t s = 0; s < run->sampling.n_sets; s++) {
        const cgm_reward_set *set = &run->sampling.sets[s];
        const int64_t first = set->offsets[run->shard.first_party[to->comm->rank]];
        const int64_t end = set->offsets[run->shard.first_party[to->comm->rank + 1]];
        char path[PATH_ROOM];
        put_array(to, set_path(set, "offsets", path), CGM_H5_INT64, n_parties + 1, set->offsets);
        put_rewards(to, set, first, end - first);
        put_array(to, set_path(set, "start_value", path), CGM_H5_DOUBLE, n_parties,
                  set->start_value);
        put_array(to, set_path(set, "target", path), CGM_H5_DOUBLE, n_parties, run->reward.r);
        put_array(to, set_path(set, "reached", path), CGM_H5_INT64, n_parties, set->reached);
        put_array(to, set_path(set, "draws", path), CGM_H5_INT64, n_parties, set->draws);
    }
}

/* One number of every stage and rank, [stages][ranks]. mine [stages] */
static void put_by_rank(writer *to, const char *path, cgm_h5_type type, const void *mine)
{
    cgm_comm *comm = to->comm;
    const int64_t stages = to->run->timer.n_stages;
    const int64_t dims[2] = {stages, comm->size};
    const int64_t room = comm->rank == 0 ? stages * comm->size : 0;
    uint64_t *by_rank = cgm_alloc(comm, room, sizeof *by_rank);
    uint64_t *by_stage = cgm_alloc(comm, room, sizeof *by_stage);
    if (have_all(to, by_rank != NULL && by_stage != NULL)) {
        cgm_comm_gather(comm, mine, by_rank, (size_t)stages * sizeof *by_rank, 0);
        for (int64_t k = 0; k < room; k++) {
            by_stage[k] = by_rank[k % comm->size * stages + k / comm->size];
        }
        put_rows(to, path, type, 2, dims, 0, comm->rank == 0 ? stages : 0, by_stage);
    }
    free(by_rank);
    free(by_stage);
}

static void put_rank_timings(writer *to)
{
    const cgm_timer *timer = &to->run->timer;
    double seconds[CGM_TIMER_STAGES];
    double waiting[CGM_TIMER_STAGES];
    int64_t work[4][CGM_TIMER_STAGES];
    for (int64_t k = 0; k < timer->n_stages; k++) {
        const cgm_stage_time *stage = &timer->stages[k];
        seconds[k] = stage->seconds;
        waiting[k] = 1e-9 * (double)stage->work.waiting;
        work[0][k] = stage->work.kernel_evaluations;
        work[1][k] = stage->work.bytes_sent;
        work[2][k] = stage->work.bytes_received;
        work[3][k] = stage->peak_memory;
    }
    put_by_rank(to, "/timings/rank_seconds", CGM_H5_DOUBLE, seconds);
    put_by_rank(to, "/timings/rank_waiting", CGM_H5_DOUBLE, waiting);
    put_by_rank(to, "/timings/rank_kernel_evaluations", CGM_H5_INT64, work[0]);
    put_by_rank(to, "/timings/rank_bytes_sent", CGM_H5_INT64, work[1]);
    put_by_rank(to, "/timings/rank_bytes_received", CGM_H5_INT64, work[2]);
    put_by_rank(to, "/timings/rank_peak_memory", CGM_H5_INT64, work[3]);
}

static void put_timings(writer *to)
{
    const cgm_timer *timer = &to->run->timer;
    const int64_t count = timer->n_stages;
    char *names[CGM_TIMER_STAGES];
    double seconds[3][CGM_TIMER_STAGES];
    int64_t work[5][CGM_TIMER_STAGES];
    for (int64_t k = 0; k < count; k++) {
        const cgm_stage_time *stage = &timer->stages[k];
        names[k] = (char *)stage->name;
        seconds[0][k] = stage->min;
        seconds[1][k] = stage->mean;
        seconds[2][k] = stage->max;
        work[0][k] = stage->slowest_rank;
        work[1][k] = stage->total_work.kernel_evaluations;
        work[2][k] = stage->total_work.bytes_sent;
        work[3][k] = stage->total_work.bytes_received;
        work[4][k] = stage->largest_peak_memory;
    }
    put_texts(to, "/timings/stage", count, names);
    put_array(to, "/timings/min", CGM_H5_DOUBLE, count, seconds[0]);
    put_array(to, "/timings/mean", CGM_H5_DOUBLE, count, seconds[1]);
    put_array(to, "/timings/max", CGM_H5_DOUBLE, count, seconds[2]);
    put_array(to, "/timings/slowest_rank", CGM_H5_INT64, count, work[0]);
    put_array(to, "/timings/kernel_evaluations", CGM_H5_INT64, count, work[1]);
    put_array(to, "/timings/bytes_sent", CGM_H5_INT64, count, work[2]);
    put_array(to, "/timings/bytes_received", CGM_H5_INT64, count, work[3]);
    put_array(to, "/timings/peak_memory", CGM_H5_INT64, count, work[4]);
    put_rank_timings(to);
}

/* Last: what is only known when all else is written. */
static void put_end(writer *to)
{
    cgm_comm_sum_unsigned(to->comm, &to->checksum, 1);
    put_attribute(to, "/", "result_checksum", CGM_H5_UINT64, &to->checksum);
    char finished[32];
    cgm_provenance_time(finished);
    put_record(to, "finished", finished);
}

/* Texts of a dataset are padded to the longest. */
static int64_t bound_texts(int64_t count, char *const *texts)
{
    size_t longest = 0;
    for (int64_t k = 0; k < count; k++) {
        const size_t length = strlen(texts[k]);
        longest = length > longest ? length : longest;
    }
    return count * ((int64_t)longest + 1);
}

/* More than the file will take: all arrays, and room for what HDF5 keeps beside them. */
static int64_t bound_bytes(const cgm_comm *comm, const cgm_run *run)
{
    const int64_t n_parties = run->shard.n_parties;
    int64_t words = n_parties * (n_parties + 32) + run->candidates.n_points;
    if (n_parties <= CGM_ENUMERATE_MAX) {
        words += INT64_C(1) << n_parties;
    }
    for (int64_t s = 0; s < run->sampling.n_sets; s++) {
        const int64_t n_rows = run->sampling.sets[s].offsets[n_parties];
        words += n_rows * (run->candidates.n_features + 3) + 8 * n_parties + 4096;
    }
    words += (int64_t)CGM_TIMER_STAGES * (5 * comm->size + 16);
    int64_t texts = (int64_t)strlen(run->command) + comm->size * (int64_t)sizeof comm->host;
    texts += bound_texts(run->warnings.count, run->warnings.text);
    texts += run->reward.lost != NULL ? bound_texts(n_parties, run->reward.lost) : 0;
    texts += bound_texts(n_parties, run->shard.names);
    return (int64_t)sizeof(double) * words + texts + (1 << 18);
}

/* The content of the file. */
static cgm_status write_content(cgm_h5_file *file, void *state, uint64_t *checksum)
{
    static void (*const parts[])(writer *) = {
        put_root,    put_warnings, put_parties,    put_features, put_kernel,  put_sums, put_values,
        put_shapley, put_reward,   put_incentives, put_sampling, put_timings, put_end,
    };
    writer to = {.comm = file->comm, .run = state, .file = *file};
    for (size_t k = 0; k < sizeof parts / sizeof parts[0] && to.status == CGM_OK; k++) {
        parts[k](&to);
    }
    *checksum = to.checksum;
    return to.status;
}

cgm_status cgm_output_write(cgm_comm *comm, const cgm_run *run)
{
    const cgm_newfile file = {
        .path = run->config->output_file,
        .option = "output.file",
        .replace = run->config->output_overwrite,
        .mode = 0640,
        .bytes = bound_bytes(comm, run),
        .write = write_content,
        .state = (void *)run,
    };
    return cgm_newfile_write_together(comm, &file);
}
