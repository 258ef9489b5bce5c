#include "checkpoint_file.h"

#include <stdlib.h>
#include <string.h>

#include "cgm/pipeline.h"
#include "kept_sums.h"

static cgm_status fail_content(const cgm_h5_file *file, const char *path)
{
    return cgm_fail(file->comm, CGM_ERR_INPUT, "file '%s', '%s': not what a checkpoint holds",
                    file->path, path);
}

/* All numbers of a 1-D dataset of count (or, if count is negative, any number of) elements. */
static cgm_status read_array(const cgm_h5_file *file, const char *path, cgm_h5_type type,
                             int64_t count, void *target, int64_t *found)
{
    cgm_h5_info info;
    void *numbers = NULL;
    cgm_status status = cgm_h5_describe(file, path, NULL, &info);
    if (status == CGM_OK && (info.rank != 1 || (count >= 0 && info.count != count))) {
        status = fail_content(file, path);
    }
    if (status == CGM_OK) {
        numbers = cgm_h5_read(file, path, NULL, type, NULL);
        status = numbers != NULL ? CGM_OK : file->comm->error.status;
    }
    if (status == CGM_OK && found != NULL) {
        *found = info.count;
    }
    memcpy(target, &numbers, sizeof numbers);
    return status;
}

/* ---- the head ---- */

static cgm_status read_text(const cgm_h5_file *file, const char *name, char **text)
{
    cgm_h5_texts texts;
    cgm_status status = cgm_h5_read_texts(file, "/checkpoint", name, &texts);
    if (status == CGM_OK && texts.count != 1) {
        status = fail_content(file, "/checkpoint");
    }
    if (status == CGM_OK) {
        *text = texts.text[0];
        texts.text[0] = NULL;
    }
    cgm_h5_texts_destroy(&texts);
    return status;
}

cgm_status checkpoint_file_read_head(const cgm_h5_file *file, checkpoint_head *head)
{
    *head = (checkpoint_head){0};
    int64_t kept = 0;
    int64_t instruction_set = 0;
    cgm_status status = cgm_h5_read_scalar(file, "/checkpoint/kept", NULL, CGM_H5_INT64, &kept);
    if (status == CGM_OK) {
        status = cgm_h5_read_scalar(file, "/checkpoint", "instruction_set", CGM_H5_INT64,
                                    &instruction_set);
    }
    if (status == CGM_OK) {
        status = cgm_h5_read_scalar(file, "/checkpoint", "mpi_size", CGM_H5_INT64, &head->size);
    }
    if (status == CGM_OK) {
        status = cgm_h5_read_scalar(file, "/checkpoint", "input_checksum", CGM_H5_UINT64,
                                    &head->input_checksum);
    }
    if (status == CGM_OK) {
        status = cgm_h5_read_scalar(file, "/", "result_checksum", CGM_H5_UINT64, &head->checksum);
    }
    if (status == CGM_OK) {
        status = read_text(file, "options", &head->options);
    }
    if (status == CGM_OK && (kept < CGM_KEPT_NOTHING || kept > CGM_KEPT_CHAINS ||
                             instruction_set < CGM_PORTABLE || instruction_set > CGM_AVX512)) {
        status = fail_content(file, "/checkpoint");
    }
    head->kept = (cgm_kept)kept;
    head->instruction_set = (cgm_instruction_set)instruction_set;
    return status;
}

void checkpoint_head_destroy(checkpoint_head *head)
{
    free(head->options);
    *head = (checkpoint_head){0};
}

/* ---- exact sums ---- */

/* Rows first .. first + n_rows - 1 of a matrix of exact sums. */
static cgm_status read_exact(const cgm_h5_file *file, const char *path, int64_t total_rows,
                             int64_t columns, int64_t first, int64_t n_rows, cgm_accumulator *sums)
{
    cgm_h5_info info;
    cgm_status status = cgm_h5_describe(file, path, NULL, &info);
    if (status == CGM_OK && (info.rank != 2 || info.dims[0] != total_rows ||
                             info.dims[1] != CGM_KEPT_WORDS * columns)) {
        status = fail_content(file, path);
    }
    int64_t *words = cgm_alloc(file->comm, CGM_KEPT_WORDS * columns, sizeof *words);
    if (status == CGM_OK && words == NULL) {
        status = CGM_ERR_MEMORY;
    }
    for (int64_t i = 0; i < n_rows && status == CGM_OK; i++) {
        status = cgm_h5_read_rows(file, path, CGM_H5_INT64, first + i, 1, CGM_KEPT_WORDS * columns,
                                  words);
        for (int64_t k = 0; k < columns && status == CGM_OK; k++) {
            sums[i * columns + k] = cgm_accumulator_from_kept(words + CGM_KEPT_WORDS * k);
        }
    }
    free(words);
    return status;
}

static cgm_status read_units(const cgm_h5_file *file, const char *path, int64_t n_words,
                             uint64_t *done)
{
    uint64_t *words = NULL;
    cgm_status status = read_array(file, path, CGM_H5_UINT64, n_words, &words, NULL);
    if (status == CGM_OK) {
        memcpy(done, words, (size_t)n_words * sizeof *done);
    }
    free(words);
    return status;
}

cgm_status checkpoint_file_read_partial(const cgm_h5_file *file, cgm_partial_sums *partial)
{
    const int64_t n = partial->n_parties;
    cgm_status status =
        read_units(file, "/partial/units", partial->units.n_words, partial->units.done);
    if (status == CGM_OK) {
        status = read_exact(file, "/partial/party_sums", n, n, partial->first_row,
                            partial->end_row - partial->first_row, partial->party_sums);
    }
    if (status == CGM_OK && file->comm->rank == 0) {
        status = read_exact(file, "/partial/party_candidate_sums", n + 1, 1, 0, n + 1,
                            partial->party_candidate_sums);
    }
    if (status == CGM_OK) {
        status = kept_sums_read_layers(file, "/partial/candidate_layers", &partial->layers);
    }
    return status;
}

/* ---- the lengthscale ---- */

static cgm_status read_passes(const cgm_h5_file *file, const cgm_run *run,
                              cgm_lengthscale_partial *passes)
{
    cgm_h5_info info;
    cgm_status status = read_array(file, "/lengthscale/values", CGM_H5_DOUBLE, -1, &passes->values,
                                   &passes->n_values);
    if (status == CGM_OK) {
        status = cgm_h5_describe(file, "/lengthscale/sums", NULL, &info);
    }
    if (status == CGM_OK) {
        status =
            cgm_units_create(file->comm, &run->shard, run->candidates.n_points, &passes->units);
    }
    if (status == CGM_OK) {
        passes->n_sums = info.rank > 0 ? info.dims[0] : 0;
        passes->sums = cgm_alloc(file->comm, passes->n_sums, sizeof *passes->sums);
        status = passes->sums != NULL ? CGM_OK : CGM_ERR_MEMORY;
    }
    if (status == CGM_OK) {
        status = read_exact(file, "/lengthscale/sums", passes->n_sums, 1, 0, passes->n_sums,
                            passes->sums);
    }
    if (status == CGM_OK) {
        status = read_units(file, "/lengthscale/units", passes->units.n_words, passes->units.done);
    }
    return status;
}

static cgm_status read_kernel(const cgm_h5_file *file, cgm_lengthscale *choice)
{
    int64_t always_valid = 0;
    cgm_status status =
        cgm_h5_read_scalar(file, "/kernel/lengthscale", NULL, CGM_H5_DOUBLE, &choice->value);
    if (status == CGM_OK) {
        status = cgm_h5_read_scalar(file, "/kernel", "always_valid", CGM_H5_INT64, &always_valid);
    }
    choice->always_valid = always_valid != 0;
    return status;
}

cgm_status checkpoint_file_read_means(const cgm_h5_file *file, const cgm_embedding *embedding,
                                      int64_t first, int64_t count, double *means)
{
    cgm_h5_info info;
    cgm_status status = cgm_h5_describe(file, "/embedding/means", NULL, &info);
    if (status == CGM_OK && (info.rank != 2 || info.dims[0] != embedding->n_parties ||
                             info.dims[1] != embedding->n_numbers)) {
        status = fail_content(file, "/embedding/means");
    }
    if (status == CGM_OK && count > 0) {
        status = cgm_h5_read_rows(file, "/embedding/means", CGM_H5_DOUBLE, first, count,
                                  embedding->n_numbers, means);
    }
    return status;
}

/* ---- the sampling ---- */

static bool is_chain_sound(const cgm_sampling_partial *chains, int64_t k, int64_t n_candidates)
{
    const int64_t rows = chains->n_rows[k];
    const int64_t draws = chains->draws[k];
    const bool finished = chains->finished[k] != 0;
    return rows >= 0 && draws <= n_candidates && (finished ? rows <= draws : rows == draws) &&
           chains->first_row[k] >= 0 && chains->first_row[k] <= chains->total_rows - rows;
}

/* The rows of the chains whose parties this rank keeps, one chain after the other; first_row
 * becomes what it is when every rank has done so. */
static cgm_status read_rows(const cgm_h5_file *file, const cgm_run *run,
                            cgm_sampling_partial *chains)
{
    const int64_t n = run->shard.n_parties;
    const cgm_comm *comm = file->comm;
    cgm_status status = CGM_OK;
    int64_t next = 0;
    for (int r = 0; r < comm->size; r++) {
        const bool own = r == comm->rank;
        chains->first_local = own ? next : chains->first_local;
        for (int64_t k = 0; k < chains->n_chains; k++) {
            const int64_t party = k % n;
            if (party < run->shard.first_party[r] || party >= run->shard.first_party[r + 1]) {
                continue;
            }
            const int64_t rows = chains->n_rows[k];
            const int64_t place = next - chains->first_local;
            if (own && rows > 0 && status == CGM_OK) {
                status = cgm_h5_read_rows(file, "/sampling/indices", CGM_H5_INT64,
                                          chains->first_row[k], rows, 1, chains->indices + place);
            }
            if (own && rows > 0 && status == CGM_OK) {
                status = cgm_h5_read_rows(file, "/sampling/values", CGM_H5_DOUBLE,
                                          chains->first_row[k], rows, 1, chains->values + place);
            }
            chains->first_row[k] = next;
            next += rows;
        }
        chains->n_local = own ? next - chains->first_local : chains->n_local;
    }
    for (int64_t k = 0; k < chains->n_local && status == CGM_OK; k++) {
        if (chains->indices[k] < 0 || chains->indices[k] >= run->candidates.n_points) {
            status = fail_content(file, "/sampling/indices");
        }
    }
    chains->total_rows = next;
    return status;
}

static int64_t count_local_rows(const cgm_comm *comm, const cgm_run *run,
                                const cgm_sampling_partial *chains)
{
    int64_t rows = 0;
    for (int64_t k = 0; k < chains->n_chains; k++) {
        const int64_t party = k % run->shard.n_parties;
        const bool own = party >= run->shard.first_party[comm->rank] &&
                         party < run->shard.first_party[comm->rank + 1];
        rows += own ? chains->n_rows[k] : 0;
    }
    return rows;
}

static cgm_status read_chains(const cgm_h5_file *file, const cgm_run *run,
                              cgm_sampling_partial *chains)
{
    const struct {
        const char *path;
        int64_t **numbers;
    } arrays[] = {
        {"/sampling/finished", &chains->finished},   {"/sampling/draws", &chains->draws},
        {"/sampling/reached", &chains->reached},     {"/sampling/n_rows", &chains->n_rows},
        {"/sampling/first_row", &chains->first_row},
    };
    cgm_h5_info indices;
    cgm_h5_info values;
    cgm_status status = cgm_h5_describe(file, "/sampling/indices", NULL, &indices);
    if (status == CGM_OK) {
        status = cgm_h5_describe(file, "/sampling/values", NULL, &values);
    }
    if (status == CGM_OK &&
        (indices.rank != 1 || values.rank != 1 || indices.count != values.count)) {
        status = fail_content(file, "/sampling/indices");
    }
    chains->n_chains = run->config->n_inv_temp * run->shard.n_parties;
    for (size_t k = 0; k < sizeof arrays / sizeof arrays[0] && status == CGM_OK; k++) {
        status = read_array(file, arrays[k].path, CGM_H5_INT64, chains->n_chains, arrays[k].numbers,
                            NULL);
    }
    if (status != CGM_OK) {
        return status;
    }
    chains->total_rows = indices.count;
    for (int64_t k = 0; k < chains->n_chains; k++) {
        if (!is_chain_sound(chains, k, run->candidates.n_points)) {
            return fail_content(file, "/sampling");
        }
    }
    const int64_t rows = count_local_rows(file->comm, run, chains);
    chains->indices = cgm_alloc(file->comm, rows, sizeof *chains->indices);
    chains->values = cgm_alloc(file->comm, rows, sizeof *chains->values);
    if (chains->indices == NULL || chains->values == NULL) {
        return CGM_ERR_MEMORY;
    }
    return read_rows(file, run, chains);
}

cgm_status checkpoint_file_read(const cgm_h5_file *file, cgm_checkpoint *checkpoint)
{
    cgm_status status = CGM_OK;
    if (checkpoint->found == CGM_KEPT_PASSES) {
        status = read_passes(file, checkpoint->run, &checkpoint->passes);
    }
    if (checkpoint->found >= CGM_KEPT_KERNEL) {
        checkpoint->choice.rule = checkpoint->run->config->lengthscale_rule;
        status = read_kernel(file, &checkpoint->choice);
    }
    if (status == CGM_OK && checkpoint->found == CGM_KEPT_CHAINS) {
        status = read_chains(file, checkpoint->run, &checkpoint->chains);
    }
    return status;
}

void checkpoint_file_release(cgm_checkpoint *checkpoint)
{
    cgm_sampling_partial_destroy(&checkpoint->chains);
    free(checkpoint->passes.values);
    free(checkpoint->passes.sums);
    cgm_units_destroy(&checkpoint->passes.units);
}
