#include "cgm/output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgm/h5.h"
#include "cgm/provenance.h"
#include "cgm/result.h"

/* Room for the path of a dataset, and for a warning. */
enum { PATH_ROOM = 96, WARNING_ROOM = 512 };

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

/* A large array of doubles that every rank holds: each writes a slice. */
static void put_sliced(writer *to, const char *path, int rank, const int64_t *dims,
                       const double *data)
{
    const int64_t columns = rank > 1 ? dims[1] : 1;
    const int64_t first = dims[0] * to->comm->rank / to->comm->size;
    const int64_t end = dims[0] * (to->comm->rank + 1) / to->comm->size;
    put_rows(to, path, CGM_H5_DOUBLE, rank, dims, first, end - first, data + first * columns);
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
    const bool paid = run->reward.status != CGM_REWARD_NO_CONTRIBUTION;
    const int64_t schema = 1;
    put_attribute(to, "/", "schema", CGM_H5_INT64, &schema);
    put_attribute(to, "/", "seed", CGM_H5_UINT64, &run->config->seed);
    put_attribute(to, "/", "status", CGM_H5_TEXT,
                  paid ? "complete" : cgm_reward_status_name(run->reward.status));

    const int64_t size = to->comm->size;
    const int64_t threads = 1;
    put_attribute(to, "/", "program", CGM_H5_TEXT, "cgm");
    put_attribute(to, "/", "version", CGM_H5_TEXT, cgm_version());
    put_attribute(to, "/", "git", CGM_H5_TEXT, cgm_git_revision());
    put_attribute(to, "/", "mpi_size", CGM_H5_INT64, &size);
    put_attribute(to, "/", "threads", CGM_H5_INT64, &threads);
    put_attribute(to, "/", "instruction_set", CGM_H5_TEXT, "portable");
    put_attribute(to, "/", "input_checksum", CGM_H5_UINT64, &run->input_checksum);
    put_record(to, "command", run->command);
    put_record(to, "started", run->started);
    put_hosts(to);
    put_options(to);
}

/* Doubtful conditions, each with what to do about it. */
static void put_warnings(writer *to)
{
    const cgm_run *run = to->run;
    const int64_t most = 1 + run->sampling.n_sets;
    char **codes = cgm_alloc(to->comm, most, sizeof *codes);
    char **texts = cgm_alloc(to->comm, most, sizeof *texts);
    char *lines = cgm_alloc(to->comm, most, WARNING_ROOM);
    if (have_all(to, codes != NULL && texts != NULL && lines != NULL)) {
        int64_t count = 0;
        for (int64_t k = 0; k < most; k++) {
            texts[k] = lines + k * WARNING_ROOM;
        }
        if (run->lengthscale.always_valid) {
            codes[count] = "always_valid";
            snprintf(texts[count++], WARNING_ROOM,
                     "no lengthscale down to %g makes a party's own value negative, so the data "
                     "did not choose one and this bound was used; set kernel.lengthscale to a "
                     "number near the median distance between points",
                     run->lengthscale.value);
        }
        for (int64_t s = 0; s < run->sampling.n_sets; s++) {
            const cgm_reward_set *set = &run->sampling.sets[s];
            int64_t short_of = 0;
            for (int64_t i = 0; i < run->shard.n_parties; i++) {
                short_of += !set->reached[i];
            }
            if (short_of > 0) {
                codes[count] = "target_not_reached";
                snprintf(texts[count++], WARNING_ROOM,
                         "at inverse temperature %g, %lld of %lld parties got less than their "
                         "target; use a larger pool, a larger sampling.inv_temp or a larger "
                         "sampling.patience",
                         set->inv_temp, (long long)short_of, (long long)run->shard.n_parties);
            }
        }
        put_texts(to, "/warnings/code", count, codes);
        put_texts(to, "/warnings/text", count, texts);
    }
    free(codes);
    free(texts);
    free(lines);
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
    put_array(to, "/kernel/lengthscale", CGM_H5_DOUBLE, 1, &choice->value);
    put_attribute(to, "/kernel", "type", CGM_H5_TEXT, "se");
    put_attribute(to, "/kernel", "rule", CGM_H5_TEXT,
                  choice->rule == CGM_LENGTHSCALE_GIVEN ? "given" : "nonnegative");
    put_attribute(to, "/kernel", "passes", CGM_H5_INT64, &choice->passes);
}

static void put_sums(writer *to)
{
    const cgm_kernel_sums *sums = &to->run->sums;
    const int64_t square[2] = {sums->n_parties, sums->n_parties};
    put_sliced(to, "/sums/party_sums", 2, square, sums->party_sums);
    put_array(to, "/sums/reference_sums", CGM_H5_DOUBLE, sums->n_parties, sums->reference_sums);
    put_array(to, "/sums/party_candidate_sums", CGM_H5_DOUBLE, sums->n_parties,
              sums->party_candidate_sums);
    put_sliced(to, "/sums/candidate_sums", 1, &sums->n_candidates, sums->candidate_sums);
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
    put_array(to, "/shapley/phi", CGM_H5_DOUBLE, n_parties, shapley->phi);
    put_array(to, "/shapley/alpha", CGM_H5_DOUBLE, n_parties, shapley->alpha);
    put_attribute(to, "/shapley", "method", CGM_H5_TEXT,
                  shapley->method == CGM_SHAPLEY_ENUMERATE ? "enumerate" : "quadrature");
    put_attribute(to, "/shapley", "semivalue", CGM_H5_TEXT, "shapley");
    put_attribute(to, "/shapley", "error_estimate", CGM_H5_DOUBLE, &shapley->error_estimate);
    put_attribute(to, "/shapley", "efficiency_gap", CGM_H5_DOUBLE, &shapley->efficiency_gap);
    put_attribute(to, "/shapley", "nodes", CGM_H5_INT64, &shapley->nodes);
}

static void put_reward(writer *to)
{
    const cgm_reward *reward = &to->run->reward;
    const double total_violation = 0;
    put_array(to, "/reward/r", CGM_H5_DOUBLE, to->run->shard.n_parties, reward->r);
    put_attribute(to, "/reward", "condition", CGM_H5_TEXT,
                  cgm_reward_condition_name(reward->condition));
    put_attribute(to, "/reward", "v_star", CGM_H5_DOUBLE, &reward->v_star);
    put_attribute(to, "/reward", "rho", CGM_H5_DOUBLE, &reward->rho);
    put_attribute(to, "/reward", "status", CGM_H5_TEXT, cgm_reward_status_name(reward->status));
    put_attribute(to, "/reward", "binding", CGM_H5_TEXT, reward->binding);
    put_attribute(to, "/reward", "total_violation", CGM_H5_DOUBLE, &total_violation);
}

/* beta_<%g> and a dataset in it. */
static const char *set_path(const cgm_reward_set *set, const char *name, char path[PATH_ROOM])
{
    snprintf(path, PATH_ROOM, "/sampling/beta_%g/%s", set->inv_temp, name);
    return path;
}

/* The rewards of this rank's parties: points and labels are looked up in the pool. */
static void put_rewards(writer *to, const cgm_reward_set *set, int64_t first, int64_t n_rows)
{
    const cgm_candidates *pool = &to->run->candidates;
    const size_t row_bytes = (size_t)pool->n_features * sizeof *pool->points;
    const int64_t total = set->offsets[to->run->shard.n_parties];
    const int64_t dims[2] = {total, pool->n_features};
    char path[PATH_ROOM];
    double *points = cgm_alloc(to->comm, n_rows, row_bytes);
    int64_t *labels = cgm_alloc(to->comm, n_rows, sizeof *labels);
    if (have_all(to, points != NULL && labels != NULL)) {
        for (int64_t k = 0; k < n_rows; k++) {
            const int64_t row = set->indices[k];
            memcpy(points + k * pool->n_features, pool->points + row * pool->n_features, row_bytes);
            labels[k] = pool->has_labels ? pool->labels[row] : 0;
        }
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
    int64_t texts = (int64_t)strlen(run->command) + comm->size * (int64_t)sizeof comm->host;
    size_t longest = 0;
    for (int64_t i = 0; i < n_parties; i++) {
        size_t length = strlen(run->shard.names[i]);
        longest = length > longest ? length : longest;
    }
    return (int64_t)sizeof(double) * words + texts + n_parties * (int64_t)longest + (1 << 18);
}

/* Takes the space on the disk before ranks write together: a write that fails on one of them would
 * leave the others waiting inside MPI-IO, or pass unnoticed. */
static cgm_status reserve_space(cgm_comm *comm, const char *path, int64_t bytes)
{
    /* A limit on the size of files shall be an error like any other, not the end of the process. */
    signal(SIGXFSZ, SIG_IGN);
    int file = open(path, O_RDWR | O_CLOEXEC);
    int code = file < 0 ? errno : posix_fallocate(file, 0, bytes);
    if (code == EOPNOTSUPP) {
        code = 0; /* then reading back has to find out */
    }
    if (code == 0 && fsync(file) != 0) {
        code = errno;
    }
    if (file >= 0) {
        close(file);
    }
    return code == 0 ? CGM_OK
                     : cgm_fail(comm, CGM_ERR_OUTPUT,
                                "file '%s' needs up to %lld bytes on the disk: %s; free some or "
                                "choose another output.file",
                                path, (long long)bytes, strerror(code));
}

static cgm_status write_file(cgm_comm *comm, const cgm_run *run, const char *path,
                             uint64_t *checksum)
{
    static void (*const parts[])(writer *) = {
        put_root,    put_warnings, put_parties,  put_kernel,  put_sums, put_values,
        put_shapley, put_reward,   put_sampling, put_timings, put_end,
    };
    writer to = {.comm = comm, .run = run};
    to.status = cgm_h5_create(comm, path, true, &to.file);
    if (to.status == CGM_OK) {
        bool first = comm->rank == 0;
        to.status =
            cgm_agree(comm, first ? reserve_space(comm, path, bound_bytes(comm, run)) : CGM_OK);
    }
    for (size_t k = 0; k < sizeof parts / sizeof parts[0] && to.status == CGM_OK; k++) {
        parts[k](&to);
    }
    *checksum = to.checksum;
    cgm_status closed = cgm_h5_finish(&to.file);
    return to.status != CGM_OK ? to.status : closed;
}

/* ---- from the temporary name to the final one, on rank 0 ---- */

static cgm_status claim_name(cgm_comm *comm, const char *path)
{
    int file = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0640);
    if (file < 0) {
        return cgm_fail(comm, CGM_ERR_OUTPUT, "file '%s' cannot be created: %s", path,
                        strerror(errno));
    }
    close(file);
    return CGM_OK;
}

/* Puts the file in its place without replacing another one. Where the file system has no links, a
 * file that appears in between would be replaced. */
static int rename_exclusively(const char *from, const char *to)
{
    if (link(from, to) == 0) {
        return unlink(from);
    }
    if (errno == EEXIST) {
        return -1;
    }
    if (access(to, F_OK) == 0) {
        errno = EEXIST;
        return -1;
    }
    return rename(from, to);
}

static int synchronise(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return -1;
    }
    int code = fsync(file);
    close(file);
    return code;
}

/* An MPI library may drop the error of a write on a full disk: only what reads back is written. */
static cgm_status read_back(cgm_comm *comm, const char *path, uint64_t checksum)
{
    cgm_comm probe = *comm;
    cgm_h5_file file;
    uint64_t found = 0;
    cgm_status status = cgm_h5_open(&probe, path, &file);
    if (status == CGM_OK) {
        status = cgm_result_checksum(&file, &found);
    }
    cgm_h5_close(&file);
    if (status == CGM_OK && found == checksum) {
        return CGM_OK;
    }
    return cgm_fail(comm, CGM_ERR_OUTPUT,
                    "file '%s' does not read back as it was written; is there room and quota on "
                    "the file system? %s",
                    path, status != CGM_OK ? probe.error.message : "");
}

static cgm_status publish(cgm_comm *comm, const cgm_config *config, const char *temporary,
                          uint64_t checksum)
{
    const char *target = config->output_file;
    if (synchronise(temporary) != 0) {
        return cgm_fail(comm, CGM_ERR_OUTPUT, "file '%s' cannot be written to the disk: %s",
                        temporary, strerror(errno));
    }
    cgm_status status = read_back(comm, temporary, checksum);
    if (status != CGM_OK) {
        return status;
    }
    int code = config->output_overwrite ? rename(temporary, target)
                                        : rename_exclusively(temporary, target);
    if (code != 0) {
        return cgm_fail(comm, CGM_ERR_OUTPUT,
                        "file '%s' cannot be put in place: %s; choose another output.file", target,
                        strerror(errno));
    }
    return CGM_OK;
}

/* Writes the file under its temporary name, which exists already, and moves it to the final one. */
static cgm_status write_and_publish(cgm_comm *comm, const cgm_run *run, const char *temporary)
{
    uint64_t checksum = 0;
    bool first = comm->rank == 0;
    cgm_status status = write_file(comm, run, temporary, &checksum);
    if (status == CGM_OK) {
        status = cgm_agree(comm, first ? publish(comm, run->config, temporary, checksum) : CGM_OK);
    }
    if (status != CGM_OK && first) {
        unlink(temporary);
    }
    return status;
}

cgm_status cgm_output_write(cgm_comm *comm, const cgm_run *run)
{
    /* Rank 0's host and process make the name, so that no other run takes the same one. */
    struct {
        char host[sizeof comm->host];
        int64_t process;
    } owner = {.process = getpid()};
    memcpy(owner.host, comm->host, sizeof owner.host);
    cgm_comm_broadcast(comm, &owner, sizeof owner, 0);
    const size_t bytes = strlen(run->config->output_file) + sizeof owner.host + 32;
    char *temporary = cgm_alloc(comm, (int64_t)bytes, 1);
    cgm_status status = cgm_agree(comm, temporary != NULL ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        snprintf(temporary, bytes, "%s.tmp-%s-%lld", run->config->output_file, owner.host,
                 (long long)owner.process);
        status = cgm_agree(comm, comm->rank == 0 ? claim_name(comm, temporary) : CGM_OK);
    }
    if (status == CGM_OK) {
        status = write_and_publish(comm, run, temporary);
    }
    free(temporary);
    return status;
}
