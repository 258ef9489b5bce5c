#include "cgm/reuse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/pipeline.h"
#include "cgm/result.h"
#include "kept_sums.h"

/* ---- what the earlier result says ---- */

static cgm_status read_word(const cgm_h5_file *file, const char *path, const char *attribute,
                            char *word, size_t bytes)
{
    cgm_h5_texts texts;
    cgm_status status = cgm_h5_read_texts(file, path, attribute, &texts);
    if (status == CGM_OK) {
        snprintf(word, bytes, "%s", texts.count == 1 ? texts.text[0] : "");
    }
    cgm_h5_texts_destroy(&texts);
    return status;
}

/* Numbers of a 1-D dataset; NULL and the cause recorded when there are not that many. */
static void *read_numbers(const cgm_h5_file *file, const char *path, cgm_h5_type type,
                          int64_t count)
{
    cgm_h5_info info;
    void *numbers = cgm_h5_read(file, path, NULL, type, &info);
    if (numbers != NULL && info.count != count) {
        cgm_fail(file->comm, CGM_ERR_INPUT, "file '%s', '%s': %lld numbers instead of %lld",
                 file->path, path, (long long)info.count, (long long)count);
        free(numbers);
        numbers = NULL;
    }
    return numbers;
}

/* Both lists of names are in natural order. */
static void match_names(const cgm_shard *shard, const cgm_h5_texts *names,
                        const uint64_t *checksums, cgm_reuse *reuse)
{
    int64_t k = 0;
    for (int64_t i = 0; i < shard->n_parties; i++) {
        while (k < names->count && cgm_shard_compare_names(names->text[k], shard->names[i]) < 0) {
            k++;
        }
        const bool same = k < names->count && strcmp(names->text[k], shard->names[i]) == 0 &&
                          checksums[k] == shard->checksums[i];
        reuse->kept[i] = same ? k : -1;
        reuse->n_same += same;
    }
}

static cgm_status read_parties(const cgm_h5_file *file, const cgm_shard *shard, cgm_reuse *reuse)
{
    cgm_h5_texts names;
    cgm_status status = cgm_h5_read_texts(file, "/parties/name", NULL, &names);
    if (status != CGM_OK) {
        return status;
    }
    uint64_t *checksums = read_numbers(file, "/parties/checksum", CGM_H5_UINT64, names.count);
    reuse->kept = cgm_alloc(file->comm, shard->n_parties, sizeof *reuse->kept);
    reuse->n_kept = names.count;
    if (checksums != NULL && reuse->kept != NULL) {
        match_names(shard, &names, checksums, reuse);
    } else {
        status = file->comm->error.status;
    }
    free(checksums);
    cgm_h5_texts_destroy(&names);
    return status;
}

/* Whether a dataset is there if and only if it is expected, and holds these numbers. */
static cgm_status compare_numbers(const cgm_h5_file *file, const char *path, bool expected,
                                  const double *numbers, int64_t count, bool *same)
{
    cgm_h5_kind kind;
    cgm_h5_info info;
    cgm_status status = cgm_h5_find(file, path, &kind);
    *same = (kind == CGM_H5_DATASET) == expected;
    if (status != CGM_OK || !expected || !*same) {
        return status;
    }
    double *earlier = cgm_h5_read(file, path, NULL, CGM_H5_DOUBLE, &info);
    status = earlier != NULL ? CGM_OK : file->comm->error.status;
    *same = status == CGM_OK && info.count == count &&
            memcmp(earlier, numbers, (size_t)count * sizeof *numbers) == 0;
    free(earlier);
    return status;
}

/* Whether the features were scaled and projected as they are now: by the same numbers, or not at
 * all. */
static cgm_status compare_features(const cgm_h5_file *file, const cgm_run *run, bool *same)
{
    const cgm_features *features = &run->features;
    const bool scaled = features->scaling != CGM_SCALE_NONE;
    const bool projected = features->n_components > 0;
    const int64_t d = features->n_features;
    const int64_t k = features->n_components;
    const struct {
        const char *path;
        bool expected;
        const double *numbers;
        int64_t count;
    } parts[] = {
        {"/features/mean", scaled || projected, features->mean, d},
        {"/features/scale", scaled || projected, features->scale, d},
        {"/features/components", projected, features->components, k * d},
        {"/features/explained_variance", projected, features->explained_variance, k},
    };
    cgm_status status = CGM_OK;
    *same = true;
    for (size_t p = 0; p < sizeof parts / sizeof parts[0] && *same && status == CGM_OK; p++) {
        status = compare_numbers(file, parts[p].path, parts[p].expected, parts[p].numbers,
                                 parts[p].count, same);
    }
    const struct {
        const char *attribute;
        bool value;
    } truths[] = {{"whitened", features->whiten}, {"pool_projected", features->pool_projected}};
    for (int t = 0; t < 2 && projected && *same && status == CGM_OK; t++) {
        int64_t value = 0;
        status = cgm_h5_read_scalar(file, "/features", truths[t].attribute, CGM_H5_INT64, &value);
        *same = status == CGM_OK && (value != 0) == truths[t].value;
    }
    return status;
}

static cgm_status read_exchange(const cgm_h5_file *file, cgm_reuse *reuse)
{
    char exchange[32] = "";
    cgm_h5_kind kind;
    cgm_status status = cgm_h5_find(file, "/privacy", &kind);
    if (status == CGM_OK && kind != CGM_H5_MISSING) {
        status = read_word(file, "/privacy", "exchange", exchange, sizeof exchange);
    }
    reuse->embedded = strcmp(exchange, "embeddings") == 0;
    return status;
}

/* Points, as the kernel sees them, are those of the earlier run but for the parties' own. */
static cgm_status compare_points(const cgm_h5_file *file, const cgm_run *run, cgm_reuse *reuse)
{
    uint64_t pool = 0;
    char instruction_set[32] = "";
    bool same_features = false;
    cgm_status status =
        cgm_h5_read_scalar(file, "/sums", "candidates_checksum", CGM_H5_UINT64, &pool);
    if (status == CGM_OK) {
        status = read_word(file, "/", "instruction_set", instruction_set, sizeof instruction_set);
    }
    if (status == CGM_OK) {
        status = compare_features(file, run, &same_features);
    }
    const char *portable = cgm_instruction_set_name(CGM_PORTABLE);
    const bool was_portable = status == CGM_OK && strcmp(instruction_set, portable) == 0;
    reuse->same_points = !reuse->embedded && pool == run->candidates.checksum && same_features &&
                         was_portable == (run->kernel.instruction_set == CGM_PORTABLE);
    return status;
}

static cgm_status read_kernel(const cgm_h5_file *file, cgm_reuse *reuse, char *rule, size_t bytes)
{
    int64_t always_valid = 0;
    cgm_h5_info info = {0};
    cgm_status status =
        read_word(file, "/kernel", "type", reuse->kernel_type, sizeof reuse->kernel_type);
    if (status == CGM_OK) {
        status = read_word(file, "/kernel", "rule", rule, bytes);
    }
    if (status == CGM_OK) {
        status = cgm_h5_read_scalar(file, "/kernel", "always_valid", CGM_H5_INT64, &always_valid);
    }
    if (status == CGM_OK) {
        reuse->lengthscales = cgm_h5_read(file, "/kernel/lengthscale", NULL, CGM_H5_DOUBLE, &info);
        status = reuse->lengthscales != NULL ? CGM_OK : file->comm->error.status;
    }
    reuse->n_lengthscales = info.count;
    reuse->choice.always_valid = always_valid != 0;
    return status;
}

/* The rule would choose the same lengthscale: it depends on all points, the median on the seed. */
static cgm_status compare_rule(const cgm_h5_file *file, const cgm_run *run, cgm_reuse *reuse)
{
    char rule[32];
    uint64_t seed = 0;
    cgm_status status = read_kernel(file, reuse, rule, sizeof rule);
    if (status == CGM_OK) {
        status = cgm_h5_read_scalar(file, "/", "seed", CGM_H5_UINT64, &seed);
    }
    if (status != CGM_OK) {
        return status;
    }
    const cgm_config *config = run->config;
    const bool same_seed =
        config->lengthscale_rule != CGM_LENGTHSCALE_MEDIAN || seed == config->seed;
    const int64_t n = run->shard.n_parties;
    reuse->same_all = reuse->same_points && same_seed && reuse->n_same == n && reuse->n_kept == n &&
                      reuse->n_lengthscales == 1 &&
                      strcmp(rule, cgm_lengthscale_rule_name(config->lengthscale_rule)) == 0 &&
                      strcmp(reuse->kernel_type, cgm_kernel_name(config->kernel_type)) == 0;
    reuse->choice.value = reuse->n_lengthscales == 1 ? reuse->lengthscales[0] : 0.0;
    return CGM_OK;
}

/* A result is whole if what it holds has the checksum that it says. */
static cgm_status verify_checksum(cgm_comm *comm, const char *path)
{
    cgm_h5_file file;
    uint64_t said = 0;
    uint64_t found = 0;
    cgm_status status = cgm_h5_open(comm, path, &file);
    if (status == CGM_OK) {
        status = cgm_h5_read_scalar(&file, "/", "result_checksum", CGM_H5_UINT64, &said);
    }
    if (status == CGM_OK) {
        status = cgm_result_checksum(&file, comm->rank, comm->size, &found);
    }
    cgm_h5_close(&file);
    status = cgm_agree(comm, status);
    cgm_comm_sum_unsigned(comm, &found, 1);
    if (status == CGM_OK && said != found) {
        status = cgm_fail(comm, CGM_ERR_INPUT,
                          "run.reuse: '%s' is damaged, its checksum is not that of its content; "
                          "reuse another result",
                          path);
    }
    return status;
}

static cgm_status read_earlier(cgm_comm *comm, const cgm_run *run, cgm_reuse *reuse)
{
    cgm_h5_file file;
    cgm_status status = cgm_h5_open(comm, reuse->path, &file);
    if (status == CGM_OK) {
        status = read_parties(&file, &run->shard, reuse);
    }
    if (status == CGM_OK) {
        status = read_exchange(&file, reuse);
    }
    if (status == CGM_OK) {
        status = compare_points(&file, run, reuse);
    }
    if (status == CGM_OK) {
        status = compare_rule(&file, run, reuse);
    }
    cgm_h5_close(&file);
    return cgm_agree(comm, status);
}

cgm_status cgm_reuse_open(cgm_comm *comm, const cgm_run *run, cgm_reuse *reuse)
{
    *reuse = (cgm_reuse){0};
    if (strcmp(run->config->reuse, "none") == 0) {
        return CGM_OK;
    }
    reuse->path = run->config->reuse;
    reuse->choice.rule = run->config->lengthscale_rule;
    cgm_status status = verify_checksum(comm, reuse->path);
    return status == CGM_OK ? read_earlier(comm, run, reuse) : status;
}

/* ---- what is taken over ---- */

const cgm_lengthscale *cgm_reuse_lengthscale(const cgm_reuse *reuse)
{
    return reuse->same_all && reuse->choice.rule != CGM_LENGTHSCALE_GIVEN ? &reuse->choice : NULL;
}

static cgm_status fill(cgm_comm *comm, void *state, cgm_partial_sums *partial)
{
    const cgm_reuse *reuse = state;
    const kept_parties parties = {reuse->n_kept, reuse->kept};
    return kept_sums_fill(comm, reuse->path, &parties, partial);
}

static bool is_same_kernel(const cgm_kernel *kernel, const cgm_reuse *reuse)
{
    const bool by_feature = kernel->feature_lengthscales != NULL;
    const double *lengthscales = by_feature ? kernel->feature_lengthscales : &kernel->lengthscale;
    const int64_t count = by_feature ? kernel->n_features : 1;
    return strcmp(reuse->kernel_type, cgm_kernel_name(kernel->type)) == 0 &&
           reuse->n_lengthscales == count &&
           memcmp(reuse->lengthscales, lengthscales, (size_t)count * sizeof(double)) == 0;
}

const cgm_sums_source *cgm_reuse_sums(const cgm_comm *comm, const cgm_kernel *kernel,
                                      cgm_reuse *reuse)
{
    if (reuse->path == NULL) {
        return NULL;
    }
    const bool same_kernel = is_same_kernel(kernel, reuse);
    const bool usable = reuse->same_points && same_kernel;
    if (usable) {
        snprintf(reuse->text, sizeof reuse->text, "%ssums of the pool and of %lld parties",
                 cgm_reuse_lengthscale(reuse) != NULL ? "lengthscale; " : "",
                 (long long)reuse->n_same);
    } else {
        snprintf(reuse->text, sizeof reuse->text, "nothing, as %s differ%s from that run's",
                 reuse->embedded      ? "values.exchange"
                 : reuse->same_points ? "the lengthscale"
                                      : "pool, scaling or instruction set",
                 reuse->embedded || reuse->same_points ? "s" : "");
    }
    if (comm->rank == 0) {
        printf("reused from %s: %s\n", reuse->path, reuse->text);
    }
    reuse->source = (cgm_sums_source){reuse, fill};
    return usable ? &reuse->source : NULL;
}

void cgm_reuse_close(cgm_reuse *reuse)
{
    free(reuse->kept);
    free(reuse->lengthscales);
    *reuse = (cgm_reuse){0};
}
