#include "verify_claims.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/text.h"
#include "features_file.h"

/* ---- the party's own data ---- */

static cgm_status find_group(const cgm_h5_file *file, const char *name, char group[CGM_CLAIMS_PATH])
{
    cgm_h5_kind kind;
    cgm_status status = cgm_h5_find(file, "/data", &kind);
    group[0] = '\0';
    if (status != CGM_OK || kind != CGM_H5_MISSING) {
        return status;
    }
    snprintf(group, CGM_CLAIMS_PATH, "/parties/%s", name);
    status = cgm_h5_find(file, group, &kind);
    if (status == CGM_OK && kind != CGM_H5_GROUP) {
        status = cgm_fail(file->comm, CGM_ERR_INPUT,
                          "file '%s' has neither '/data' nor '%.256s/data'; give the file with the "
                          "party's own data",
                          file->path, group);
    }
    return status;
}

static cgm_status read_points(const cgm_h5_file *file, const char *group, cgm_own_data *own)
{
    const cgm_points_shape *shape = &own->shape;
    own->points =
        cgm_alloc(file->comm, shape->n_points, (size_t)shape->n_features * sizeof(double));
    if (own->points == NULL) {
        return CGM_ERR_MEMORY;
    }
    if (shape->has_labels) {
        own->labels = cgm_alloc(file->comm, shape->n_points, sizeof *own->labels);
        if (own->labels == NULL) {
            return CGM_ERR_MEMORY;
        }
    }
    return cgm_points_read(file, group, shape, 0, shape->n_points, own->points, own->labels);
}

/* FILE is the party's alone, with /data, or an input file with /parties/NAME/data. */
static cgm_status read_own_data(cgm_comm *comm, const char *path, const char *name,
                                cgm_own_data *own)
{
    *own = (cgm_own_data){.path = path};
    cgm_h5_file file;
    char group[CGM_CLAIMS_PATH];
    cgm_status status = cgm_h5_open(comm, path, &file);
    if (status == CGM_OK) {
        status = find_group(&file, name, group);
    }
    if (status == CGM_OK) {
        status = cgm_points_describe(&file, group, &own->shape);
    }
    if (status == CGM_OK) {
        status = read_points(&file, group, own);
    }
    cgm_h5_close(&file);
    return status;
}

void cgm_own_data_destroy(cgm_own_data *own)
{
    free(own->points);
    free(own->labels);
    *own = (cgm_own_data){0};
}

/* ---- what does not depend on β ---- */

static cgm_status fail_damaged(const cgm_h5_file *file, const char *path, int64_t expected)
{
    return cgm_fail(file->comm, CGM_ERR_INPUT,
                    "file '%s', dataset '%s': it has not %lld rows; the result is damaged",
                    file->path, path, (long long)expected);
}

static cgm_status fail_features(const cgm_h5_file *file, const char *path, int64_t there,
                                const cgm_own_data *own)
{
    return cgm_fail(file->comm, CGM_ERR_INPUT,
                    "file '%s', dataset '%s' has %lld features, '%s' has %lld; verify with the "
                    "party's own data as it went into the run",
                    file->path, path, (long long)there, own->path,
                    (long long)own->shape.n_features);
}

/* One element of an array [count]. */
static cgm_status read_element(const cgm_h5_file *file, const char *path, cgm_h5_type type,
                               int64_t count, int64_t index, void *value)
{
    cgm_h5_info info;
    cgm_status status = cgm_h5_describe(file, path, NULL, &info);
    if (status == CGM_OK && (info.rank != 1 || info.dims[0] != count)) {
        return fail_damaged(file, path, count);
    }
    return status == CGM_OK ? cgm_h5_read_rows(file, path, type, index, 1, 1, value) : status;
}

static cgm_status find_party(const cgm_h5_file *file, cgm_claims *says)
{
    cgm_h5_texts names;
    cgm_status status = cgm_h5_read_texts(file, "/parties/name", NULL, &names);
    if (status != CGM_OK) {
        return status;
    }
    says->n_parties = names.count;
    says->party = -1;
    for (int64_t i = 0; i < names.count; i++) {
        if (strcmp(names.text[i], says->name) == 0) {
            says->party = i;
        }
    }
    if (says->party < 0) {
        const char *nearest =
            cgm_text_nearest(says->name, names.text, (size_t)names.count, sizeof names.text[0]);
        status = cgm_fail(file->comm, CGM_ERR_INPUT,
                          "file '%s': there is no party '%.128s' (did you mean '%.128s'?)",
                          file->path, says->name, nearest != NULL ? nearest : "");
    }
    cgm_h5_texts_destroy(&names);
    return status;
}

/* Whether a text attribute is a word. */
static cgm_status attribute_is(const cgm_h5_file *file, const char *path, const char *attribute,
                               const char *word, bool *equal)
{
    cgm_h5_texts text;
    cgm_status status = cgm_h5_read_texts(file, path, attribute, &text);
    *equal = status == CGM_OK && text.count == 1 && strcmp(text.text[0], word) == 0;
    cgm_h5_texts_destroy(&text);
    return status;
}

/* Of all candidates; a party's file has them of those that it was paid alone, beside its rewards.
 */
static cgm_status read_candidate_sums(const cgm_h5_file *file, cgm_claims *says)
{
    cgm_h5_kind kind;
    cgm_status status = cgm_h5_find(file, "/sums/candidate_sums", &kind);
    says->n_candidates = says->n_reference;
    if (status != CGM_OK || kind == CGM_H5_MISSING) {
        return status;
    }
    cgm_h5_info info;
    says->candidate_sums = cgm_h5_read(file, "/sums/candidate_sums", NULL, CGM_H5_DOUBLE, &info);
    says->n_candidates = info.count;
    return says->candidate_sums != NULL ? CGM_OK : file->comm->error.status;
}

static cgm_status read_numbers(const cgm_h5_file *file, cgm_claims *says)
{
    const struct {
        const char *path;
        const char *attribute; /* NULL: the party's element of the dataset */
        cgm_h5_type type;
        void *value;
    } numbers[] = {
        {"/parties/n_points", NULL, CGM_H5_INT64, &says->n_points},
        {"/parties/checksum", NULL, CGM_H5_UINT64, &says->checksum},
        {"/values/single", NULL, CGM_H5_DOUBLE, &says->single},
        {"/shapley/alpha", NULL, CGM_H5_DOUBLE, &says->alpha},
        {"/reward/r", NULL, CGM_H5_DOUBLE, &says->target},
        {"/sums/reference_sums", NULL, CGM_H5_DOUBLE, &says->reference_sum},
        {"/reward", "v_star", CGM_H5_DOUBLE, &says->v_star},
        {"/reward", "rho", CGM_H5_DOUBLE, &says->rho},
        {"/sums", "n_reference", CGM_H5_INT64, &says->n_reference},
    };
    cgm_status status = CGM_OK;
    for (size_t k = 0; k < sizeof numbers / sizeof numbers[0] && status == CGM_OK; k++) {
        status = numbers[k].attribute != NULL
                     ? cgm_h5_read_scalar(file, numbers[k].path, numbers[k].attribute,
                                          numbers[k].type, numbers[k].value)
                     : read_element(file, numbers[k].path, numbers[k].type, says->n_parties,
                                    says->party, numbers[k].value);
    }
    if (status == CGM_OK) {
        status = read_candidate_sums(file, says);
    }
    /* A Shapley value that counts as zero has α = 0 and no place in the reward program. */
    says->contributed = status == CGM_OK && !isnan(says->rho) && says->alpha > 0.0;
    return status;
}

/* Features that the kernel sees. */
static int64_t features_seen(const cgm_claims *says, const cgm_own_data *own)
{
    const int64_t k = says->features.n_components;
    return k > 0 ? k : own->shape.n_features;
}

/* One number, or one a feature; NULL and the cause recorded. */
static double *read_lengthscales(const cgm_h5_file *file, const cgm_own_data *own,
                                 const cgm_claims *says, int64_t *count)
{
    static const char path[] = "/kernel/lengthscale";
    cgm_h5_info info;
    double *numbers = cgm_h5_read(file, path, NULL, CGM_H5_DOUBLE, &info);
    if (numbers != NULL && info.count != features_seen(says, own) && info.count != 1) {
        fail_features(file, path, info.count, own);
        free(numbers);
        numbers = NULL;
    }
    *count = info.count;
    return numbers;
}

static cgm_status read_kernel(const cgm_h5_file *file, const cgm_own_data *own, cgm_claims *says)
{
    cgm_kernel *kernel = &says->kernel;
    kernel->instruction_set = cgm_instruction_set_best();
    static const cgm_kernel_type types[] = {CGM_KERNEL_SE, CGM_KERNEL_SE_SUM, CGM_KERNEL_RQ};
    bool known = false;
    cgm_status status = CGM_OK;
    for (size_t k = 0; k < sizeof types / sizeof types[0] && !known && status == CGM_OK; k++) {
        kernel->type = types[k];
        status = attribute_is(file, "/kernel", "type", cgm_kernel_name(types[k]), &known);
    }
    if (status == CGM_OK && !known) {
        status = cgm_fail(file->comm, CGM_ERR_INPUT,
                          "file '%s', attribute 'type' of '/kernel': this version of cgm does not "
                          "know the kernel",
                          file->path);
    }
    if (status != CGM_OK) {
        return status;
    }
    int64_t count;
    says->lengthscales = read_lengthscales(file, own, says, &count);
    if (says->lengthscales == NULL) {
        return file->comm->error.status;
    }
    kernel->n_features = features_seen(says, own);
    kernel->lengthscale = says->lengthscales[0];
    kernel->feature_lengthscales = count > 1 ? says->lengthscales : NULL;
    return CGM_OK;
}

static cgm_status read_exchange(const cgm_h5_file *file, cgm_claims *says)
{
    cgm_h5_kind kind;
    cgm_status status = cgm_h5_find(file, "/privacy", &kind);
    if (status == CGM_OK && kind != CGM_H5_MISSING) {
        status = attribute_is(file, "/privacy", "exchange", "embeddings", &says->embedded);
    }
    return status;
}

cgm_status cgm_claims_read(const cgm_h5_file *result, const char *name, const char *own_path,
                           cgm_claims *says, cgm_own_data *own)
{
    *says = (cgm_claims){.name = name};
    *own = (cgm_own_data){0};
    cgm_status status = find_party(result, says);
    if (status == CGM_OK) {
        status = read_own_data(result->comm, own_path, name, own);
    }
    if (status == CGM_OK) {
        status = read_numbers(result, says);
    }
    if (status == CGM_OK) {
        status = features_file_read(result, own->shape.n_features, &says->features);
    }
    if (status == CGM_OK) {
        status = read_kernel(result, own, says);
    }
    if (status == CGM_OK) {
        status = read_exchange(result, says);
    }
    return status;
}

void cgm_claims_destroy(cgm_claims *says)
{
    cgm_features_destroy(&says->features);
    free(says->lengthscales);
    free(says->candidate_sums);
    *says = (cgm_claims){0};
}

/* ---- the reward at one β ---- */

static const char *member(const cgm_claimed_reward *reward, const char *name,
                          char path[CGM_CLAIMS_PATH])
{
    snprintf(path, CGM_CLAIMS_PATH, "%.280s/%s", reward->group, name);
    return path;
}

static cgm_status find_rows(const cgm_h5_file *file, const cgm_claims *says,
                            cgm_claimed_reward *reward, int64_t *n_rows)
{
    char path[CGM_CLAIMS_PATH];
    cgm_h5_info info;
    int64_t *offsets =
        cgm_h5_read(file, member(reward, "offsets", path), NULL, CGM_H5_INT64, &info);
    if (offsets == NULL) {
        return file->comm->error.status;
    }
    bool sound = info.count == says->n_parties + 1;
    if (sound) {
        const int64_t first = offsets[says->party];
        const int64_t end = offsets[says->party + 1];
        *n_rows = offsets[says->n_parties];
        sound = first >= 0 && first <= end && end <= *n_rows;
        reward->first = first;
        reward->count = end - first;
    }
    free(offsets);
    return sound ? CGM_OK
                 : cgm_fail(file->comm, CGM_ERR_INPUT,
                            "file '%s', dataset '%s': these are no offsets; the result is damaged",
                            file->path, path);
}

/* The party's rows of a dataset of the reward; n_columns is 0 for a list. */
static cgm_status read_rows(const cgm_h5_file *file, const cgm_claimed_reward *reward,
                            const char *name, int64_t n_rows, const cgm_own_data *own,
                            cgm_h5_type type, void *data)
{
    char path[CGM_CLAIMS_PATH];
    cgm_h5_info info;
    const bool is_data = strcmp(name, "data") == 0;
    cgm_status status = cgm_h5_describe(file, member(reward, name, path), NULL, &info);
    if (status != CGM_OK) {
        return status;
    }
    if (info.rank != (is_data ? 2 : 1) || info.dims[0] != n_rows) {
        return fail_damaged(file, path, n_rows);
    }
    if (is_data && info.dims[1] != reward->n_features) {
        return fail_features(file, path, info.dims[1], own);
    }
    return cgm_h5_read_rows(file, path, type, reward->first, reward->count,
                            is_data ? reward->n_features : 1, data);
}

/* u of the party's rows: in its own file beside them, else what the pool has at their indices. */
static cgm_status find_sums(const cgm_h5_file *file, const cgm_claims *says, int64_t n_rows,
                            const cgm_own_data *own, cgm_claimed_reward *reward)
{
    if (says->candidate_sums == NULL) {
        return read_rows(file, reward, "candidate_sums", n_rows, own, CGM_H5_DOUBLE,
                         reward->candidate_sums);
    }
    for (int64_t k = 0; k < reward->count; k++) {
        const int64_t index = reward->indices[k];
        bool inside = index >= 0 && index < says->n_candidates;
        reward->candidate_sums[k] = inside ? says->candidate_sums[index] : NAN;
    }
    return CGM_OK;
}

cgm_status cgm_claimed_reward_read(const cgm_h5_file *result, const char *set,
                                   const cgm_claims *says, const cgm_own_data *own,
                                   cgm_claimed_reward *reward)
{
    cgm_comm *comm = result->comm;
    *reward = (cgm_claimed_reward){0};
    snprintf(reward->group, sizeof reward->group, "/sampling/%.256s", set);
    int64_t n_rows = 0;
    cgm_status status = find_rows(result, says, reward, &n_rows);
    if (status != CGM_OK) {
        return status;
    }
    reward->n_features =
        says->features.pool_projected ? says->features.n_components : own->shape.n_features;
    const size_t row_bytes = (size_t)reward->n_features * sizeof *reward->points;
    reward->points = cgm_alloc(comm, reward->count, row_bytes);
    reward->indices = cgm_alloc(comm, reward->count, sizeof *reward->indices);
    reward->values = cgm_alloc(comm, reward->count, sizeof *reward->values);
    reward->candidate_sums = cgm_alloc(comm, reward->count, sizeof *reward->candidate_sums);
    if (reward->points == NULL || reward->indices == NULL || reward->values == NULL ||
        reward->candidate_sums == NULL) {
        return CGM_ERR_MEMORY;
    }
    const struct {
        const char *name;
        cgm_h5_type type;
        bool rows; /* the reward's, else the party's element */
        void *data;
    } members[] = {
        {"data", CGM_H5_DOUBLE, true, reward->points},
        {"indices", CGM_H5_INT64, true, reward->indices},
        {"values", CGM_H5_DOUBLE, true, reward->values},
        {"start_value", CGM_H5_DOUBLE, false, &reward->start_value},
        {"target", CGM_H5_DOUBLE, false, &reward->target},
        {"reached", CGM_H5_INT64, false, &reward->reached},
    };
    for (size_t k = 0; k < sizeof members / sizeof members[0] && status == CGM_OK; k++) {
        char path[CGM_CLAIMS_PATH];
        status = members[k].rows
                     ? read_rows(result, reward, members[k].name, n_rows, own, members[k].type,
                                 members[k].data)
                     : read_element(result, member(reward, members[k].name, path), members[k].type,
                                    says->n_parties, says->party, members[k].data);
    }
    return status == CGM_OK ? find_sums(result, says, n_rows, own, reward) : status;
}

void cgm_claimed_reward_destroy(cgm_claimed_reward *reward)
{
    free(reward->points);
    free(reward->indices);
    free(reward->values);
    free(reward->candidate_sums);
    *reward = (cgm_claimed_reward){0};
}
