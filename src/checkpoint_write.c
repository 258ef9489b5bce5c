#include "checkpoint_file.h"

#include <string.h>

#include "cgm/pipeline.h"
#include "kept_sums.h"

static const char *const kept_names[] = {"nothing", "passes", "kernel",
                                         "partial", "sums",   "chains"};

/* ---- exact sums ---- */

typedef struct kept_rows {
    const cgm_accumulator *sums;
    int64_t first;
    int64_t columns; /* sums a row */
} kept_rows;

static void make_kept(void *state, int64_t first, int64_t n_rows, void *rows)
{
    const kept_rows *from = state;
    int64_t *words = rows;
    const cgm_accumulator *sums = from->sums + (first - from->first) * from->columns;
    for (int64_t k = 0; k < n_rows * from->columns; k++) {
        cgm_accumulator_keep(&sums[k], words + CGM_KEPT_WORDS * k);
    }
}

/* Rows first .. first + n_rows - 1 of a matrix of exact sums. */
static void put_exact(cgm_writer *to, const char *path, int64_t total_rows, int64_t columns,
                      int64_t first, int64_t n_rows, const cgm_accumulator *sums)
{
    const int64_t dims[2] = {total_rows, CGM_KEPT_WORDS * columns};
    kept_rows from = {sums, first, columns};
    cgm_writer_put_made(to, path, CGM_H5_INT64, 2, dims, first, n_rows, make_kept, &from);
}

static void put_units(cgm_writer *to, const char *path, const cgm_units *units)
{
    cgm_writer_put_array(to, path, CGM_H5_UINT64, units->n_words, units->done);
}

/* ---- what the stages hand over ---- */

static void put_passes(cgm_writer *to, const cgm_lengthscale_partial *passes)
{
    const bool first = to->comm->rank == 0;
    cgm_writer_put_array(to, "/lengthscale/values", CGM_H5_DOUBLE, passes->n_values,
                         passes->values);
    put_exact(to, "/lengthscale/sums", passes->n_sums, 1, 0, first ? passes->n_sums : 0,
              passes->sums);
    put_units(to, "/lengthscale/units", &passes->units);
}

static void put_kernel(cgm_writer *to, const cgm_lengthscale *choice)
{
    const int64_t always_valid = choice->always_valid;
    cgm_writer_put_array(to, "/kernel/lengthscale", CGM_H5_DOUBLE, 1, &choice->value);
    cgm_writer_put_attribute(to, "/kernel", "passes", CGM_H5_INT64, &choice->passes);
    cgm_writer_put_attribute(to, "/kernel", "always_valid", CGM_H5_INT64, &always_valid);
}

static void put_partial(cgm_writer *to, const cgm_partial_sums *partial)
{
    const int64_t n = partial->n_parties;
    const bool first = to->comm->rank == 0;
    put_exact(to, "/partial/party_sums", n, n, partial->first_row,
              partial->end_row - partial->first_row, partial->party_sums);
    put_exact(to, "/partial/party_candidate_sums", n + 1, 1, 0, first ? n + 1 : 0,
              partial->party_candidate_sums);
    kept_sums_put_layers(to, "/partial/candidate_layers", &partial->layers);
    put_units(to, "/partial/units", &partial->units);
}

static void put_embedding(cgm_writer *to, const cgm_shard *shard, const cgm_embedding *embedding)
{
    const int64_t dims[2] = {embedding->n_parties, embedding->n_numbers};
    const int64_t *first = shard->first_party + to->comm->rank;
    cgm_writer_put_rows(to, "/embedding/means", CGM_H5_DOUBLE, 2, dims, first[0],
                        first[1] - first[0], embedding->means + first[0] * embedding->n_numbers);
}

static void put_chains(cgm_writer *to, const cgm_sampling_partial *chains)
{
    const int64_t n = chains->n_chains;
    cgm_writer_put_array(to, "/sampling/finished", CGM_H5_INT64, n, chains->finished);
    cgm_writer_put_array(to, "/sampling/draws", CGM_H5_INT64, n, chains->draws);
    cgm_writer_put_array(to, "/sampling/reached", CGM_H5_INT64, n, chains->reached);
    cgm_writer_put_array(to, "/sampling/n_rows", CGM_H5_INT64, n, chains->n_rows);
    cgm_writer_put_array(to, "/sampling/first_row", CGM_H5_INT64, n, chains->first_row);
    cgm_writer_put_rows(to, "/sampling/indices", CGM_H5_INT64, 1, &chains->total_rows,
                        chains->first_local, chains->n_local, chains->indices);
    cgm_writer_put_rows(to, "/sampling/values", CGM_H5_DOUBLE, 1, &chains->total_rows,
                        chains->first_local, chains->n_local, chains->values);
}

/* ---- the file ---- */

static void put_head(cgm_writer *to, const checkpoint_content *content)
{
    const cgm_run *run = content->checkpoint->run;
    const int64_t kept = content->kept;
    cgm_writer_put_array(to, "/checkpoint/kept", CGM_H5_INT64, 1, &kept);
    cgm_writer_put_attribute(to, "/checkpoint", "kept", CGM_H5_TEXT, kept_names[content->kept]);
    cgm_writer_put_attribute(to, "/checkpoint", "options", CGM_H5_TEXT,
                             content->checkpoint->options);
    cgm_writer_put_attribute(to, "/checkpoint", "input_checksum", CGM_H5_UINT64,
                             &run->input_checksum);
    const int64_t instruction_set = content->kept > CGM_KEPT_NOTHING
                                        ? (int64_t)run->kernel.instruction_set
                                        : (int64_t)cgm_instruction_set_best();
    const int64_t size = to->comm->size;
    cgm_writer_put_attribute(to, "/checkpoint", "instruction_set", CGM_H5_INT64, &instruction_set);
    cgm_writer_put_attribute(to, "/checkpoint", "mpi_size", CGM_H5_INT64, &size);
}

cgm_status checkpoint_file_write(cgm_h5_file *file, void *state, uint64_t *checksum)
{
    const checkpoint_content *content = state;
    const cgm_run *run = content->checkpoint->run;
    cgm_writer to = {.comm = file->comm, .file = file};
    put_head(&to, content);
    if (content->kept == CGM_KEPT_PASSES) {
        put_passes(&to, content->partial);
    }
    if (content->kept >= CGM_KEPT_KERNEL) {
        put_kernel(&to, &run->lengthscale);
    }
    if (content->kept == CGM_KEPT_PARTIAL) {
        put_partial(&to, content->partial);
    }
    if (content->kept >= CGM_KEPT_SUMS && run->embedding.means != NULL) {
        put_embedding(&to, &run->shard, &run->embedding);
    } else if (content->kept >= CGM_KEPT_SUMS) {
        kept_sums_put(&to, &run->sums, run->candidates.first);
    }
    if (content->kept == CGM_KEPT_CHAINS) {
        put_chains(&to, content->partial);
    }
    cgm_writer_total(&to);
    cgm_writer_put_attribute(&to, "/", "result_checksum", CGM_H5_UINT64, &to.checksum);
    *checksum = to.checksum;
    return to.status;
}

int64_t checkpoint_file_bound(const checkpoint_content *content)
{
    const cgm_run *run = content->checkpoint->run;
    const int64_t n = run->shard.n_parties;
    const int64_t layers = cgm_candidate_layers_count(n, run->candidates.n_points);
    int64_t words = 1 << 16;
    if (content->kept == CGM_KEPT_PASSES) {
        const cgm_lengthscale_partial *passes = content->partial;
        words += passes->n_values + CGM_KEPT_WORDS * passes->n_sums + passes->units.n_words;
    } else if (content->kept == CGM_KEPT_PARTIAL) {
        const cgm_partial_sums *partial = content->partial;
        words += CGM_KEPT_WORDS * (n * n + n + 1) + partial->units.n_words;
    } else if (content->kept >= CGM_KEPT_SUMS) {
        words += n * run->embedding.n_numbers;
        words += n * n + 2 * n + run->candidates.n_points;
    }
    if (content->kept >= CGM_KEPT_PARTIAL) {
        words += 2 * layers * run->candidates.n_points;
    }
    if (content->kept == CGM_KEPT_CHAINS) {
        const cgm_sampling_partial *chains = content->partial;
        words += 5 * chains->n_chains + 2 * chains->total_rows;
    }
    return (int64_t)sizeof(int64_t) * words + (int64_t)strlen(content->checkpoint->options);
}
