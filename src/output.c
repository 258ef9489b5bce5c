#include "cgm/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/provenance.h"
#include "cgm/result.h"
#include "features_file.h"
#include "kept_sums.h"
#include "newfile.h"
#include "output_embedding.h"
#include "output_metrics.h"
#include "output_pool.h"
#include "writer.h"

/* Room for the path of a dataset. */
enum { PATH_ROOM = 96 };

/* A result file while it is written. */
typedef struct writer {
    cgm_writer out;
    const cgm_run *run;
} writer;

/* ---- the groups of schema 1 ---- */

static int compare_hosts(const void *a, const void *b)
{
    return cgm_shard_compare_names(a, b);
}

/* Distinct names of the ranks' hosts, separated by commas. */
static void put_hosts(writer *to)
{
    cgm_comm *comm = to->out.comm;
    const size_t bytes = sizeof comm->host;
    char *hosts = cgm_alloc(comm, comm->rank == 0 ? comm->size : 0, bytes);
    char *joined = cgm_alloc(comm, comm->rank == 0 ? comm->size : 0, bytes + 1);
    if (cgm_writer_agree(&to->out, hosts != NULL && joined != NULL)) {
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
        cgm_writer_put_record(&to->out, "hosts", joined);
    }
    free(hosts);
    free(joined);
}

static void put_options(writer *to)
{
    char *all = cgm_config_text(to->out.comm, to->run->config, false);
    char *results_only = cgm_config_text(to->out.comm, to->run->config, true);
    if (cgm_writer_agree(&to->out, all != NULL && results_only != NULL)) {
        cgm_writer_put_record(&to->out, "config", all);
        cgm_writer_put_record(&to->out, "results_config", results_only);
    }
    free(all);
    free(results_only);
}

static void put_root(writer *to)
{
    const cgm_run *run = to->run;
    const bool optimal = run->reward.status == CGM_REWARD_OPTIMAL;
    const int64_t schema = 1;
    cgm_writer_put_attribute(&to->out, "/", "schema", CGM_H5_INT64, &schema);
    cgm_writer_put_attribute(&to->out, "/", "seed", CGM_H5_UINT64, &run->config->seed);
    cgm_writer_put_attribute(&to->out, "/", "status", CGM_H5_TEXT,
                             optimal ? "complete" : cgm_reward_status_name(run->reward.status));

    const int64_t size = to->out.comm->size;
    const int64_t threads = to->out.comm->threads;
    cgm_writer_put_attribute(&to->out, "/", "program", CGM_H5_TEXT, "cgm");
    cgm_writer_put_attribute(&to->out, "/", "version", CGM_H5_TEXT, cgm_version());
    cgm_writer_put_attribute(&to->out, "/", "git", CGM_H5_TEXT, cgm_git_revision());
    cgm_writer_put_attribute(&to->out, "/", "mpi_size", CGM_H5_INT64, &size);
    cgm_writer_put_attribute(&to->out, "/", "threads", CGM_H5_INT64, &threads);
    cgm_writer_put_attribute(&to->out, "/", "instruction_set", CGM_H5_TEXT,
                             cgm_instruction_set_name(run->kernel.instruction_set));
    cgm_writer_put_attribute(&to->out, "/", "input_checksum", CGM_H5_UINT64, &run->input_checksum);
    cgm_writer_put_record(&to->out, "command", run->command);
    cgm_writer_put_record(&to->out, "reused",
                          run->reuse.text[0] != '\0' ? run->reuse.text : "none");
    cgm_writer_put_record(&to->out, "started", run->started);
    put_hosts(to);
    put_options(to);
}

static void put_warnings(writer *to)
{
    const cgm_warnings *warnings = &to->run->warnings;
    cgm_writer_put_texts(&to->out, "/warnings/code", warnings->count, warnings->code);
    cgm_writer_put_texts(&to->out, "/warnings/text", warnings->count, warnings->text);
}

static void put_parties(writer *to)
{
    const cgm_shard *shard = &to->run->shard;
    cgm_writer_put_texts(&to->out, "/parties/name", shard->n_parties, shard->names);
    cgm_writer_put_array(&to->out, "/parties/n_points", CGM_H5_INT64, shard->n_parties,
                         shard->party_points);
    cgm_writer_put_array(&to->out, "/parties/checksum", CGM_H5_UINT64, shard->n_parties,
                         shard->checksums);
}

static void put_kernel(writer *to)
{
    const cgm_lengthscale *choice = &to->run->lengthscale;
    const cgm_kernel *kernel = &to->run->kernel;
    const cgm_diagnostics *diagnostics = &to->run->diagnostics;
    /* -1: it was not looked at. */
    const int64_t sufficient =
        diagnostics->sufficient_unknown ? -1 : diagnostics->sufficient_condition;
    const int64_t always_valid = choice->always_valid;
    if (kernel->feature_lengthscales != NULL) {
        cgm_writer_put_array(&to->out, "/kernel/lengthscale", CGM_H5_DOUBLE, kernel->n_features,
                             kernel->feature_lengthscales);
    } else {
        cgm_writer_put_array(&to->out, "/kernel/lengthscale", CGM_H5_DOUBLE, 1,
                             &kernel->lengthscale);
    }
    cgm_writer_put_attribute(&to->out, "/kernel", "type", CGM_H5_TEXT,
                             cgm_kernel_name(kernel->type));
    cgm_writer_put_attribute(&to->out, "/kernel", "rule", CGM_H5_TEXT,
                             cgm_lengthscale_rule_name(choice->rule));
    cgm_writer_put_attribute(&to->out, "/kernel", "passes", CGM_H5_INT64, &choice->passes);
    cgm_writer_put_attribute(&to->out, "/kernel", "always_valid", CGM_H5_INT64, &always_valid);
    cgm_writer_put_attribute(&to->out, "/kernel", "sufficient_condition", CGM_H5_INT64,
                             &sufficient);
    cgm_writer_put_attribute(&to->out, "/kernel", "monotone_violations", CGM_H5_INT64,
                             &diagnostics->monotone_violations);
    cgm_writer_put_attribute(&to->out, "/kernel", "marginals", CGM_H5_INT64,
                             &diagnostics->marginals);
    cgm_writer_put_attribute(&to->out, "/kernel", "worst_marginal", CGM_H5_DOUBLE,
                             &diagnostics->worst_marginal);
}

/* What was done to the features, if anything was. */
static void put_features(writer *to)
{
    features_file_put(&to->out, &to->run->features);
}

static bool is_pool_generated(const cgm_run *run)
{
    return run->config->generator_type != CGM_GENERATOR_FILE;
}

/* A pool that came from a file is there already. */
static void put_pool(writer *to)
{
    const cgm_run *run = to->run;
    if (is_pool_generated(run) && run->config->generator_save) {
        output_put_candidates(&to->out, &run->candidates);
    }
    if (is_pool_generated(run)) {
        output_put_generator(&to->out, run->config->generator_type, &run->model);
    }
}

static void put_sums(writer *to)
{
    const cgm_kernel_sums *sums = &to->run->sums;
    kept_sums_put(&to->out, sums, to->run->candidates.first);
    cgm_writer_put_attribute(&to->out, "/sums", "candidates_checksum", CGM_H5_UINT64,
                             &to->run->candidates.checksum);
}

static void put_values(writer *to)
{
    const cgm_run *run = to->run;
    const int64_t n_parties = run->shard.n_parties;
    cgm_writer_put_array(&to->out, "/values/single", CGM_H5_DOUBLE, n_parties, run->values.single);
    cgm_writer_put_array(&to->out, "/values/ceiling", CGM_H5_DOUBLE, n_parties,
                         run->values.ceiling);
    cgm_writer_put_array(&to->out, "/values/stable", CGM_H5_DOUBLE, n_parties, run->reward.stable);
    cgm_writer_put_array(&to->out, "/values/lower", CGM_H5_DOUBLE, n_parties, run->reward.lower);
    if (n_parties <= CGM_ENUMERATE_MAX) {
        cgm_writer_put_array(&to->out, "/values/coalitions", CGM_H5_DOUBLE, INT64_C(1) << n_parties,
                             run->values.coalitions);
    }
    cgm_writer_put_attribute(&to->out, "/values", "grand", CGM_H5_DOUBLE, &run->values.grand);
}

static void put_shapley(writer *to)
{
    const cgm_shapley *shapley = &to->run->shapley;
    const int64_t n_parties = to->run->shard.n_parties;
    char semivalue[CGM_SEMIVALUE_TEXT];
    cgm_semivalue_text(&shapley->semivalue, semivalue);
    cgm_writer_put_array(&to->out, "/shapley/phi", CGM_H5_DOUBLE, n_parties, shapley->phi);
    cgm_writer_put_array(&to->out, "/shapley/alpha", CGM_H5_DOUBLE, n_parties, shapley->alpha);
    cgm_writer_put_attribute(&to->out, "/shapley", "method", CGM_H5_TEXT,
                             shapley->method == CGM_SHAPLEY_ENUMERATE ? "enumerate" : "quadrature");
    cgm_writer_put_attribute(&to->out, "/shapley", "semivalue", CGM_H5_TEXT, semivalue);
    cgm_writer_put_attribute(&to->out, "/shapley", "error_estimate", CGM_H5_DOUBLE,
                             &shapley->error_estimate);
    cgm_writer_put_attribute(&to->out, "/shapley", "efficiency_gap", CGM_H5_DOUBLE,
                             &shapley->efficiency_gap);
    cgm_writer_put_attribute(&to->out, "/shapley", "nodes", CGM_H5_INT64, &shapley->nodes);
}

static void put_reward(writer *to)
{
    const cgm_reward *reward = &to->run->reward;
    cgm_writer_put_array(&to->out, "/reward/r", CGM_H5_DOUBLE, to->run->shard.n_parties, reward->r);
    cgm_writer_put_attribute(&to->out, "/reward", "condition", CGM_H5_TEXT,
                             cgm_reward_condition_name(reward->condition));
    cgm_writer_put_attribute(&to->out, "/reward", "v_star", CGM_H5_DOUBLE, &reward->v_star);
    cgm_writer_put_attribute(&to->out, "/reward", "rho", CGM_H5_DOUBLE, &reward->rho);
    cgm_writer_put_attribute(&to->out, "/reward", "status", CGM_H5_TEXT,
                             cgm_reward_status_name(reward->status));
    cgm_writer_put_attribute(&to->out, "/reward", "binding", CGM_H5_TEXT, reward->binding);
    cgm_writer_put_attribute(&to->out, "/reward", "total_violation", CGM_H5_DOUBLE,
                             &reward->total_violation);
    if (reward->lost != NULL) {
        cgm_writer_put_texts(&to->out, "/reward/lost", to->run->shard.n_parties, reward->lost);
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
    cgm_writer_put_texts(&to->out, "/incentives/name", CGM_N_INCENTIVES, names);
    cgm_writer_put_array(&to->out, "/incentives/holds", CGM_H5_INT64, CGM_N_INCENTIVES, holds);
    cgm_writer_put_array(&to->out, "/incentives/violation", CGM_H5_DOUBLE, CGM_N_INCENTIVES,
                         violation);
    cgm_writer_put_array(&to->out, "/incentives/realised", CGM_H5_DOUBLE, CGM_N_INCENTIVES,
                         realised);
    cgm_writer_put_texts(&to->out, "/incentives/detail", CGM_N_INCENTIVES, details);
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
    const size_t row_bytes = (size_t)pool->n_original_features * sizeof *pool->original;
    const int64_t total = set->offsets[to->run->shard.n_parties];
    const int64_t dims[2] = {total, pool->n_original_features};
    char path[PATH_ROOM];
    double *points = cgm_alloc(to->out.comm, n_rows, row_bytes);
    int64_t *labels = cgm_alloc(to->out.comm, n_rows, sizeof *labels);
    if (cgm_writer_agree(&to->out, points != NULL && labels != NULL)) {
        cgm_status status = cgm_sampling_points(to->out.comm, pool, set->indices, n_rows, points,
                                                pool->has_labels ? labels : NULL);
        to->out.status = to->out.status != CGM_OK ? to->out.status : status;
        cgm_writer_put_rows(&to->out, set_path(set, "data", path), CGM_H5_DOUBLE, 2, dims, first,
                            n_rows, points);
        if (pool->has_labels) {
            cgm_writer_put_rows(&to->out, set_path(set, "labels", path), CGM_H5_INT64, 1, dims,
                                first, n_rows, labels);
        }
    }
    free(points);
    free(labels);
    cgm_writer_put_rows(&to->out, set_path(set, "indices", path), CGM_H5_INT64, 1, dims, first,
                        n_rows, set->indices);
    cgm_writer_put_rows(&to->out, set_path(set, "values", path), CGM_H5_DOUBLE, 1, dims, first,
                        n_rows, set->values);
}

static void put_sampling(writer *to)
{
    const cgm_run *run = to->run;
    const int64_t n_parties = run->shard.n_parties;
    for (int64_t s = 0; s < run->sampling.n_sets; s++) {
        const cgm_reward_set *set = &run->sampling.sets[s];
        const int64_t first = set->offsets[run->shard.first_party[to->out.comm->rank]];
        const int64_t end = set->offsets[run->shard.first_party[to->out.comm->rank + 1]];
        char path[PATH_ROOM];
        cgm_writer_put_array(&to->out, set_path(set, "offsets", path), CGM_H5_INT64, n_parties + 1,
                             set->offsets);
        put_rewards(to, set, first, end - first);
        cgm_writer_put_array(&to->out, set_path(set, "start_value", path), CGM_H5_DOUBLE, n_parties,
                             set->start_value);
        cgm_writer_put_array(&to->out, set_path(set, "target", path), CGM_H5_DOUBLE, n_parties,
                             run->reward.r);
        cgm_writer_put_array(&to->out, set_path(set, "reached", path), CGM_H5_INT64, n_parties,
                             set->reached);
        cgm_writer_put_array(&to->out, set_path(set, "draws", path), CGM_H5_INT64, n_parties,
                             set->draws);
    }
}

/* Shapes of at most two dimensions: the cells of a party are one row. */
static void put_picture(writer *to)
{
    const cgm_picture *picture = &to->run->picture;
    const int64_t axes = picture->n_axes;
    if (axes == 0) {
        return;
    }
    char *names[CGM_PICTURE_AXES];
    for (int64_t a = 0; a < axes; a++) {
        names[a] = (char *)picture->axes[a];
    }
    const int64_t projection[2] = {axes, picture->n_features};
    const int64_t counts[2] = {picture->n_shown + 1, picture->n_cells};
    const bool first = to->out.comm->rank == 0;
    cgm_writer_put_texts(&to->out, "/picture/axes", axes, names);
    cgm_writer_put_rows(&to->out, "/picture/projection", CGM_H5_DOUBLE, 2, projection, 0,
                        first ? axes : 0, picture->projection);
    cgm_writer_put_array(&to->out, "/picture/mean", CGM_H5_DOUBLE, picture->n_features,
                         picture->mean);
    cgm_writer_put_array(&to->out, "/picture/low", CGM_H5_DOUBLE, axes, picture->low);
    cgm_writer_put_array(&to->out, "/picture/high", CGM_H5_DOUBLE, axes, picture->high);
    cgm_writer_put_array(&to->out, "/picture/party", CGM_H5_INT64, picture->n_shown,
                         picture->party);
    cgm_writer_put_rows(&to->out, "/picture/counts", CGM_H5_INT64, 2, counts, 0,
                        first ? counts[0] : 0, picture->counts);
    cgm_writer_put_attribute(&to->out, "/picture", "bins", CGM_H5_INT64, &picture->bins);
}

/* After /values and /shapley, which it adds to. */
static void put_exchange(writer *to)
{
    output_put_errors(&to->out, to->run);
    output_put_privacy(&to->out, to->run);
}

static void put_metrics(writer *to)
{
    output_put_metrics(&to->out, &to->run->metrics);
}

/* One number of every stage and rank, [stages][ranks]. mine [stages] */
static void put_by_rank(writer *to, const char *path, cgm_h5_type type, const void *mine)
{
    cgm_comm *comm = to->out.comm;
    const int64_t stages = to->run->timer.n_stages;
    const int64_t dims[2] = {stages, comm->size};
    const int64_t room = comm->rank == 0 ? stages * comm->size : 0;
    uint64_t *by_rank = cgm_alloc(comm, room, sizeof *by_rank);
    uint64_t *by_stage = cgm_alloc(comm, room, sizeof *by_stage);
    if (cgm_writer_agree(&to->out, by_rank != NULL && by_stage != NULL)) {
        cgm_comm_gather(comm, mine, by_rank, (size_t)stages * sizeof *by_rank, 0);
        for (int64_t k = 0; k < room; k++) {
            by_stage[k] = by_rank[k % comm->size * stages + k / comm->size];
        }
        cgm_writer_put_rows(&to->out, path, type, 2, dims, 0, comm->rank == 0 ? stages : 0,
                            by_stage);
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
    cgm_writer_put_texts(&to->out, "/timings/stage", count, names);
    cgm_writer_put_array(&to->out, "/timings/min", CGM_H5_DOUBLE, count, seconds[0]);
    cgm_writer_put_array(&to->out, "/timings/mean", CGM_H5_DOUBLE, count, seconds[1]);
    cgm_writer_put_array(&to->out, "/timings/max", CGM_H5_DOUBLE, count, seconds[2]);
    cgm_writer_put_array(&to->out, "/timings/slowest_rank", CGM_H5_INT64, count, work[0]);
    cgm_writer_put_array(&to->out, "/timings/kernel_evaluations", CGM_H5_INT64, count, work[1]);
    cgm_writer_put_array(&to->out, "/timings/bytes_sent", CGM_H5_INT64, count, work[2]);
    cgm_writer_put_array(&to->out, "/timings/bytes_received", CGM_H5_INT64, count, work[3]);
    cgm_writer_put_array(&to->out, "/timings/peak_memory", CGM_H5_INT64, count, work[4]);
    put_rank_timings(to);
}

/* Last: what is only known when all else is written. */
static void put_end(writer *to)
{
    cgm_writer_total(&to->out);
    cgm_writer_put_attribute(&to->out, "/", "result_checksum", CGM_H5_UINT64, &to->out.checksum);
    char finished[32];
    cgm_provenance_time(finished);
    cgm_writer_put_record(&to->out, "finished", finished);
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
    int64_t words = n_parties * (n_parties + 40) + run->candidates.n_points;
    words += 2 * run->sums.layers.n_layers * run->candidates.n_points;
    words += is_pool_generated(run) ? output_pool_words(&run->candidates, &run->model) : 0;
    words += features_file_words(&run->features);
    if (n_parties <= CGM_ENUMERATE_MAX) {
        words += INT64_C(1) << n_parties;
    }
    for (int64_t s = 0; s < run->sampling.n_sets; s++) {
        const int64_t n_rows = run->sampling.sets[s].offsets[n_parties];
        words += n_rows * (run->candidates.n_original_features + 3) + 8 * n_parties + 4096;
        words += run->metrics.n_sets > 0 ? CGM_METRIC_COLUMNS * (n_parties + 256) : 0;
    }
    words += run->picture.n_axes > 0
                 ? (run->picture.n_shown + 1) * run->picture.n_cells + 4 * run->picture.n_features
                 : 0;
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
        put_root,    put_warnings, put_parties,  put_features, put_pool,       put_kernel,
        put_sums,    put_values,   put_shapley,  put_reward,   put_incentives, put_sampling,
        put_picture, put_metrics,  put_exchange, put_timings,  put_end,
    };
    writer to = {.out = {.comm = file->comm, .file = file}, .run = state};
    for (size_t k = 0; k < sizeof parts / sizeof parts[0] && to.out.status == CGM_OK; k++) {
        parts[k](&to);
    }
    *checksum = to.out.checksum;
    return to.out.status;
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
