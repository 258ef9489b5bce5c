#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgm/h5.h"
#include "cgm/output.h"
#include "cgm/provenance.h"
#include "features_file.h"
#include "newfile.h"

/* Bytes of a name that its file's name has at most: the temporary one adds a host and a process,
 * and file systems take 255. Room for a path inside a file. */
enum { NAME_BYTES = 128, PATH_ROOM = 96 };

#define OPTION "output.party_dir"
#define REMEDY "choose another " OPTION " or set output.overwrite = true"

static bool is_wanted(const cgm_config *config)
{
    return strcmp(config->party_dir, "none") != 0;
}

/* ---- names of files ---- */

static bool is_plain(char c, bool first)
{
    return (unsigned char)c >= 0x20 && c != 0x7f && c != '/' && c != '%' && !(first && c == '.');
}

void cgm_party_file_name(const char *name, int64_t party, char file[CGM_PARTY_FILE_NAME])
{
    size_t length = 0;
    size_t whole = 0; /* up to the last character that fits */
    for (const char *c = name; *c != '\0' && length <= NAME_BYTES; c++) {
        whole = ((unsigned char)*c & 0xc0) != 0x80 ? length : whole;
        if (is_plain(*c, c == name)) {
            file[length++] = *c;
        } else {
            length += (size_t)snprintf(file + length, 4, "%%%02X", (unsigned)(unsigned char)*c);
        }
    }
    if (length <= NAME_BYTES) {
        snprintf(file + length, CGM_PARTY_FILE_NAME - length, ".h5");
    } else {
        snprintf(file + whole, CGM_PARTY_FILE_NAME - whole, "%%n%lld.h5", (long long)party);
    }
}

/* Of the party's file, allocated; NULL when there is no memory. */
static char *create_path(cgm_comm *comm, const char *directory, const char *name, int64_t party)
{
    char file[CGM_PARTY_FILE_NAME];
    cgm_party_file_name(name, party, file);
    const size_t bytes = strlen(directory) + strlen(file) + 2;
    char *path = cgm_alloc(comm, (int64_t)bytes, 1);
    if (path != NULL) {
        snprintf(path, bytes, "%s/%s", directory, file);
    }
    return path;
}

/* The directory that a path is in, allocated; NULL when there is no memory. */
static char *create_parent(cgm_comm *comm, const char *path)
{
    const size_t bytes = strlen(path) + 2; /* dirname may answer "." */
    char *copy = cgm_alloc(comm, (int64_t)bytes, 1);
    char *parent = cgm_alloc(comm, (int64_t)bytes, 1);
    if (copy != NULL && parent != NULL) {
        snprintf(copy, bytes, "%s", path);
        snprintf(parent, bytes, "%s", dirname(copy));
    } else {
        free(parent);
        parent = NULL;
    }
    free(copy);
    return parent;
}

/* ---- before any work ---- */

static bool is_same(const char *a, const char *b)
{
    struct stat in_a;
    struct stat in_b;
    return stat(a, &in_a) == 0 && stat(b, &in_b) == 0 && in_a.st_dev == in_b.st_dev &&
           in_a.st_ino == in_b.st_ino;
}

static cgm_status check_directory(cgm_comm *comm, const cgm_config *config)
{
    const char *directory = config->party_dir;
    struct stat state;
    const bool exists = stat(directory, &state) == 0;
    if (exists ? !S_ISDIR(state.st_mode) : errno != ENOENT || directory[0] == '\0') {
        return cgm_fail(comm, CGM_ERR_OUTPUT, OPTION " '%s' cannot be used: %s", directory,
                        exists ? "it is no directory" : strerror(errno));
    }
    if (is_same(directory, config->input_parties)) {
        return cgm_fail(comm, CGM_ERR_OUTPUT,
                        OPTION " '%s' holds the input as well; choose another", directory);
    }
    char *parent = exists ? NULL : create_parent(comm, directory);
    if (!exists && parent == NULL) {
        return CGM_ERR_MEMORY;
    }
    cgm_status status = CGM_OK;
    if (access(exists ? directory : parent, W_OK | X_OK) != 0) {
        status = cgm_fail(comm, CGM_ERR_OUTPUT, OPTION " '%s' cannot be %s: %s", directory,
                          exists ? "written" : "created", strerror(errno));
    }
    free(parent);
    return status;
}

cgm_status cgm_party_files_check_directory(cgm_comm *comm, const cgm_config *config)
{
    const bool looks = comm->rank == 0 && is_wanted(config);
    return cgm_agree(comm, looks ? check_directory(comm, config) : CGM_OK);
}

/* Whether path holds an earlier file of the party: nothing else is replaced. */
static bool is_of_party(const cgm_comm *comm, const char *path, const char *name)
{
    cgm_comm probe = *comm; /* what is wrong with another file is no cause of failure */
    cgm_h5_file file;
    cgm_h5_texts names = {0};
    bool is_own = cgm_h5_open(&probe, path, &file) == CGM_OK &&
                  cgm_h5_read_texts(&file, "/parties/name", NULL, &names) == CGM_OK &&
                  names.count == 1 && strcmp(names.text[0], name) == 0;
    cgm_h5_texts_destroy(&names);
    cgm_h5_close(&file);
    return is_own;
}

/* Whether output.file is the file as well; it need not exist yet. */
static bool is_output_file(const cgm_config *config, const char *parent, const char *path)
{
    const char *slash = strrchr(config->output_file, '/');
    const char *base = slash != NULL ? slash + 1 : config->output_file;
    return strcmp(base, strrchr(path, '/') + 1) == 0 && is_same(parent, config->party_dir);
}

/* parent: the directory of output.file */
static cgm_status check_file(cgm_comm *comm, const cgm_config *config, const char *parent,
                             const char *name, int64_t party, bool complete)
{
    char *path = create_path(comm, config->party_dir, name, party);
    if (path == NULL) {
        return CGM_ERR_MEMORY;
    }
    struct stat state;
    const bool exists = lstat(path, &state) == 0;
    cgm_status status = CGM_OK;
    if (!exists && errno != ENOENT) {
        status =
            cgm_fail(comm, CGM_ERR_OUTPUT, "file '%s' cannot be used: %s; choose another " OPTION,
                     path, strerror(errno));
    } else if (complete && !exists) {
        status = cgm_fail(comm, CGM_ERR_OUTPUT,
                          "output.file '%s' is complete, but there is no '%s'; set "
                          "output.overwrite = true to run again",
                          config->output_file, path);
    } else if (is_output_file(config, parent, path)) {
        status = cgm_fail(
            comm, CGM_ERR_OUTPUT,
            "file '%s' would be output.file and that of party '%s'; choose another " OPTION, path,
            name);
    } else if (exists && !complete && !config->output_overwrite) {
        status = cgm_fail(comm, CGM_ERR_OUTPUT, "file '%s' exists; " REMEDY, path);
    } else if (exists && !complete && !is_of_party(comm, path, name)) {
        status = cgm_fail(comm, CGM_ERR_OUTPUT,
                          "file '%s' exists and is no earlier file of party '%s', so that it is "
                          "not replaced; choose another " OPTION,
                          path, name);
    }
    free(path);
    return status;
}

cgm_status cgm_party_files_check(cgm_comm *comm, const cgm_config *config, const cgm_shard *shard,
                                 bool complete)
{
    if (!is_wanted(config)) {
        return CGM_OK;
    }
    char *parent = create_parent(comm, config->output_file);
    cgm_status status = parent != NULL ? CGM_OK : CGM_ERR_MEMORY;
    const int64_t end = shard->first_party[comm->rank + 1];
    for (int64_t i = shard->first_party[comm->rank]; i < end && status == CGM_OK; i++) {
        status = check_file(comm, config, parent, shard->names[i], i, complete);
    }
    free(parent);
    return cgm_agree(comm, status);
}

/* ---- the content ---- */

/* What the pool has of the party's reward at one β. */
typedef struct drawn {
    int64_t count;
    const int64_t *indices;
    const double *values;
    double *points;         /* [count][n_original_features] as read */
    int64_t *labels;        /* [count], or NULL */
    double *candidate_sums; /* u [count] */
} drawn;

/* A party's file while it is written. */
typedef struct writer {
    const cgm_run *run;
    int64_t party;
    drawn *rewards; /* [n_sets] */
    cgm_h5_file *file;
    cgm_status status; /* after a failure nothing more is put */
} writer;

static void put_array(writer *to, const char *path, cgm_h5_type type, int64_t count,
                      const void *data)
{
    if (to->status == CGM_OK) {
        to->status = cgm_h5_write(to->file, path, type, 1, &count, 0, count, data);
    }
}

static void put_attribute(writer *to, const char *path, const char *name, cgm_h5_type type,
                          const void *value)
{
    if (to->status == CGM_OK) {
        to->status = cgm_h5_write_attribute(to->file, path, name, type, value);
    }
}

/* No options, command or hosts: they may name others. No checksum of input or results either: it
 * would let a party try guesses of the others' data. */
static void put_root(writer *to)
{
    const cgm_reward_status reward = to->run->reward.status;
    const int64_t schema = 1;
    put_attribute(to, "/", "schema", CGM_H5_INT64, &schema);
    put_attribute(to, "/", "program", CGM_H5_TEXT, "cgm");
    put_attribute(to, "/", "version", CGM_H5_TEXT, cgm_version());
    put_attribute(to, "/", "git", CGM_H5_TEXT, cgm_git_revision());
    put_attribute(to, "/", "started", CGM_H5_TEXT, to->run->started);
    put_attribute(to, "/", "status", CGM_H5_TEXT,
                  reward == CGM_REWARD_OPTIMAL ? "complete" : cgm_reward_status_name(reward));
}

/* What is the party's own: its element of what the result has of all. */
static void put_party(writer *to)
{
    const cgm_run *run = to->run;
    const int64_t i = to->party;
    if (to->status == CGM_OK) {
        to->status = cgm_h5_write_texts(to->file, "/parties/name", 1, &run->shard.names[i]);
    }
    put_array(to, "/parties/n_points", CGM_H5_INT64, 1, &run->shard.party_points[i]);
    put_array(to, "/parties/checksum", CGM_H5_UINT64, 1, &run->shard.checksums[i]);
    put_array(to, "/values/single", CGM_H5_DOUBLE, 1, &run->values.single[i]);
    put_array(to, "/shapley/phi", CGM_H5_DOUBLE, 1, &run->shapley.phi[i]);
    put_array(to, "/shapley/alpha", CGM_H5_DOUBLE, 1, &run->shapley.alpha[i]);
    put_array(to, "/reward/r", CGM_H5_DOUBLE, 1, &run->reward.r[i]);
    put_attribute(to, "/reward", "v_star", CGM_H5_DOUBLE, &run->reward.v_star);
    put_attribute(to, "/reward", "rho", CGM_H5_DOUBLE, &run->reward.rho);
    put_array(to, "/sums/reference_sums", CGM_H5_DOUBLE, 1, &run->sums.reference_sums[i]);
    put_attribute(to, "/sums", "n_reference", CGM_H5_INT64, &run->sums.n_reference);
    const int64_t square[2] = {1, 1};
    if (to->status == CGM_OK) {
        to->status = cgm_h5_write(to->file, "/sums/party_sums", CGM_H5_DOUBLE, 2, square, 0, 1,
                                  &run->sums.own_sums[i]);
    }
}

/* What turns points into values. */
static void put_kernel(writer *to)
{
    const cgm_run *run = to->run;
    const cgm_kernel *kernel = &run->kernel;
    const bool one = kernel->feature_lengthscales == NULL;
    put_array(to, "/kernel/lengthscale", CGM_H5_DOUBLE, one ? 1 : kernel->n_features,
              one ? &kernel->lengthscale : kernel->feature_lengthscales);
    put_attribute(to, "/kernel", "type", CGM_H5_TEXT, cgm_kernel_name(kernel->type));
    if (run->config->exchange == CGM_VALUES_EMBEDDINGS) {
        put_array(to, "/privacy/sigma", CGM_H5_DOUBLE, 1, &run->embedding.sigma[to->party]);
        put_attribute(to, "/privacy", "exchange", CGM_H5_TEXT, "embeddings");
    }
}

static void put_features(writer *to)
{
    if (to->status == CGM_OK) {
        to->status = features_file_write(to->file, &to->run->features);
    }
}

static void put_reward(writer *to, const cgm_reward_set *set, const drawn *reward)
{
    const int64_t i = to->party;
    const int64_t offsets[2] = {0, reward->count};
    const int64_t dims[2] = {reward->count, to->run->candidates.n_original_features};
    const struct {
        const char *name;
        cgm_h5_type type;
        int64_t count;
        const void *data; /* NULL: not there */
    } members[] = {
        {"offsets", CGM_H5_INT64, 2, offsets},
        {"indices", CGM_H5_INT64, reward->count, reward->indices},
        {"values", CGM_H5_DOUBLE, reward->count, reward->values},
        {"labels", CGM_H5_INT64, reward->count, reward->labels},
        {"candidate_sums", CGM_H5_DOUBLE, reward->count, reward->candidate_sums},
        {"start_value", CGM_H5_DOUBLE, 1, &set->start_value[i]},
        {"target", CGM_H5_DOUBLE, 1, &to->run->reward.r[i]},
        {"reached", CGM_H5_INT64, 1, &set->reached[i]},
        {"draws", CGM_H5_INT64, 1, &set->draws[i]},
    };
    char path[PATH_ROOM];
    for (size_t k = 0; k < sizeof members / sizeof members[0]; k++) {
        snprintf(path, sizeof path, "/sampling/beta_%g/%s", set->inv_temp, members[k].name);
        if (members[k].data != NULL) {
            put_array(to, path, members[k].type, members[k].count, members[k].data);
        }
    }
    snprintf(path, sizeof path, "/sampling/beta_%g/data", set->inv_temp);
    if (to->status == CGM_OK) {
        to->status =
            cgm_h5_write(to->file, path, CGM_H5_DOUBLE, 2, dims, 0, dims[0], reward->points);
    }
}

static cgm_status write_content(cgm_h5_file *file, void *state, uint64_t *checksum)
{
    (void)checksum;
    writer *to = state;
    to->file = file;
    put_root(to);
    put_party(to);
    put_features(to);
    put_kernel(to);
    for (int64_t s = 0; s < to->run->sampling.n_sets; s++) {
        put_reward(to, &to->run->sampling.sets[s], &to->rewards[s]);
    }
    return to->status;
}

static cgm_status write_file(cgm_comm *comm, writer *to)
{
    const cgm_config *config = to->run->config;
    char *path = create_path(comm, config->party_dir, to->run->shard.names[to->party], to->party);
    if (path == NULL) {
        return CGM_ERR_MEMORY;
    }
    const cgm_newfile file = {.path = path,
                              .option = OPTION,
                              .replace = config->output_overwrite,
                              .mode = 0600,
                              .write = write_content,
                              .state = to};
    cgm_status status = cgm_newfile_write(comm, &file);
    free(path);
    return status;
}

/* ---- all files ---- */

/* Every rank makes it: where another one just did, a node may not have seen that yet. */
static cgm_status create_directory(cgm_comm *comm, const char *directory)
{
    bool there = mkdir(directory, 0700) == 0 ? chmod(directory, 0700) == 0 : errno == EEXIST;
    return there ? CGM_OK
                 : cgm_fail(comm, CGM_ERR_OUTPUT, OPTION " '%s' cannot be created: %s", directory,
                            strerror(errno));
}

/* The rewards of a party that this rank keeps, or of none (-1), from whichever rank has them.
 * Collective. */
static cgm_status fetch_rewards(cgm_comm *comm, const cgm_run *run, int64_t party, drawn *rewards)
{
    const cgm_candidates *pool = &run->candidates;
    /* u lies as the points do: as points of one feature, the same question fetches it. */
    cgm_candidates sums = *pool;
    sums.n_original_features = 1;
    sums.held_first = run->sums.held_first;
    sums.original = run->sums.candidate_sums;
    const int64_t keeps_from = run->shard.first_party[comm->rank];
    cgm_status status = CGM_OK;
    for (int64_t s = 0; s < run->sampling.n_sets && status == CGM_OK; s++) {
        const cgm_reward_set *set = &run->sampling.sets[s];
        const int64_t first = party < 0 ? 0 : set->offsets[party] - set->offsets[keeps_from];
        const int64_t count = party < 0 ? 0 : set->offsets[party + 1] - set->offsets[party];
        drawn *to = &rewards[s];
        *to = (drawn){count, set->indices + first, set->values + first, NULL, NULL, NULL};
        to->points = cgm_alloc(comm, count, (size_t)pool->n_original_features * sizeof *to->points);
        to->labels = pool->has_labels ? cgm_alloc(comm, count, sizeof *to->labels) : NULL;
        to->candidate_sums = cgm_alloc(comm, count, sizeof *to->candidate_sums);
        bool complete = to->points != NULL && to->candidate_sums != NULL &&
                        (to->labels != NULL || !pool->has_labels);
        status = cgm_agree(comm, complete ? CGM_OK : CGM_ERR_MEMORY);
        if (status == CGM_OK) {
            status = cgm_sampling_points(comm, pool, to->indices, count, to->points, to->labels);
        }
        if (status == CGM_OK) {
            status = cgm_sampling_points(comm, &sums, to->indices, count, to->candidate_sums, NULL);
        }
    }
    return status;
}

/* Every rank writes the file of a party of its own, or none (-1).  Collective. */
static cgm_status write_round(cgm_comm *comm, const cgm_run *run, int64_t party, bool *written)
{
    drawn *rewards = cgm_alloc(comm, run->sampling.n_sets, sizeof *rewards);
    cgm_status status = cgm_agree(comm, rewards != NULL ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        status = fetch_rewards(comm, run, party, rewards);
    }
    *written = false;
    if (status == CGM_OK && party >= 0) {
        writer to = {.run = run, .party = party, .rewards = rewards};
        status = write_file(comm, &to);
        *written = status == CGM_OK;
    }
    for (int64_t s = 0; rewards != NULL && s < run->sampling.n_sets; s++) {
        free(rewards[s].points);
        free(rewards[s].labels);
        free(rewards[s].candidate_sums);
    }
    free(rewards);
    return cgm_agree(comm, status);
}

/* Those of the first count parties that this rank keeps. */
static void remove_files(cgm_comm *comm, const cgm_run *run, int64_t count)
{
    const int64_t first = run->shard.first_party[comm->rank];
    for (int64_t i = first; i < first + count; i++) {
        char *path = create_path(comm, run->config->party_dir, run->shard.names[i], i);
        if (path != NULL) {
            unlink(path);
        }
        free(path);
    }
}

cgm_status cgm_party_files_write(cgm_comm *comm, const cgm_run *run)
{
    if (!is_wanted(run->config)) {
        return CGM_OK;
    }
    const int64_t *first = run->shard.first_party;
    int64_t rounds = 0;
    for (int r = 0; r < comm->size; r++) {
        rounds = first[r + 1] - first[r] > rounds ? first[r + 1] - first[r] : rounds;
    }
    cgm_status status = cgm_agree(comm, create_directory(comm, run->config->party_dir));
    int64_t n_written = 0;
    for (int64_t k = 0; k < rounds && status == CGM_OK; k++) {
        const int64_t party = first[comm->rank] + k;
        bool written;
        status = write_round(comm, run, party < first[comm->rank + 1] ? party : -1, &written);
        n_written += written;
    }
    if (status != CGM_OK) {
        remove_files(comm, run, n_written);
    }
    return status;
}

void cgm_party_files_remove(cgm_comm *comm, const cgm_run *run)
{
    if (is_wanted(run->config)) {
        const int64_t *first = run->shard.first_party + comm->rank;
        remove_files(comm, run, first[1] - first[0]);
    }
}
