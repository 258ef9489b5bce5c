#include "kept_sums.h"

#include <stdlib.h>
#include <string.h>

/* ---- writing ---- */

static void make_layers(void *state, int64_t first, int64_t n_rows, void *rows)
{
    const cgm_candidate_layers *layers = state;
    int64_t *words = rows;
    for (int64_t c = first - layers->first; c < first - layers->first + n_rows; c++) {
        for (int64_t k = 0; k < layers->n_layers; k++) {
            const int64_t place = k * layers->n_candidates + c;
            cgm_accumulators_normalise(layers->sums, place);
            *words++ = layers->sums.high[place];
            *words++ = layers->sums.low[place];
        }
    }
}

void kept_sums_put_layers(cgm_writer *to, const char *path, const cgm_candidate_layers *layers)
{
    const int64_t dims[2] = {layers->n_total, 2 * layers->n_layers};
    cgm_writer_put_made(to, path, CGM_H5_INT64, 2, dims, layers->first, layers->n_candidates,
                        make_layers, (void *)layers);
}

void kept_sums_put(cgm_writer *to, const cgm_kernel_sums *sums, const int64_t *first_candidate)
{
    const int rank = to->comm->rank;
    const int64_t square[2] = {sums->n_parties, sums->n_parties};
    cgm_writer_put_rows(to, "/sums/party_sums", CGM_H5_DOUBLE, 2, square, sums->first_row[rank],
                        sums->first_row[rank + 1] - sums->first_row[rank], sums->party_sums);
    cgm_writer_put_array(to, "/sums/reference_sums", CGM_H5_DOUBLE, sums->n_parties,
                         sums->reference_sums);
    cgm_writer_put_array(to, "/sums/party_candidate_sums", CGM_H5_DOUBLE, sums->n_parties,
                         sums->party_candidate_sums);
    /* Whether a rank can read all of u or its slice alone, the slice is what it writes. */
    cgm_writer_put_rows(to, "/sums/candidate_sums", CGM_H5_DOUBLE, 1, &sums->n_candidates,
                        first_candidate[rank], first_candidate[rank + 1] - first_candidate[rank],
                        sums->candidate_sums + (first_candidate[rank] - sums->held_first));
    if (sums->layers.n_layers > 0) { /* else u came from embeddings */
        kept_sums_put_layers(to, "/sums/candidate_layers", &sums->layers);
    }
    cgm_writer_put_attribute(to, "/sums", "candidate_sum", CGM_H5_DOUBLE, &sums->candidate_sum);
    cgm_writer_put_attribute(to, "/sums", "n_reference", CGM_H5_INT64, &sums->n_reference);
}

/* ---- reading ---- */

/* A dataset of numbers must have this shape. */
static cgm_status expect_shape(const cgm_h5_file *file, const char *path, int64_t rows,
                               int64_t columns)
{
    cgm_h5_info info;
    cgm_status status = cgm_h5_describe(file, path, NULL, &info);
    if (status == CGM_OK && (info.rank != (columns > 0 ? 2 : 1) || info.dims[0] != rows ||
                             (columns > 0 && info.dims[1] != columns))) {
        status = cgm_fail(file->comm, CGM_ERR_INPUT,
                          "file '%s', '%s': not of the shape it must have", file->path, path);
    }
    return status;
}

/* Rows of a slice, candidate by candidate, into layers: where layer k of the file goes. */
static cgm_status read_layers(const cgm_h5_file *file, const char *path,
                              const cgm_candidate_layers *layers, int64_t n_kept,
                              const int64_t *target)
{
    const int64_t piece = 1 + (1 << 20) / (2 * n_kept);
    int64_t *words = cgm_alloc(file->comm, piece * 2 * n_kept, sizeof *words);
    cgm_status status = words != NULL ? CGM_OK : CGM_ERR_MEMORY;
    for (int64_t done = 0; done < layers->n_candidates && status == CGM_OK; done += piece) {
        const int64_t left = layers->n_candidates - done;
        const int64_t count = left < piece ? left : piece;
        status = cgm_h5_read_rows(file, path, CGM_H5_INT64, layers->first + done, count, 2 * n_kept,
                                  words);
        for (int64_t c = 0; c < count && status == CGM_OK; c++) {
            for (int64_t k = 0; k < n_kept; k++) {
                const int64_t place = target[k] * layers->n_candidates + done + c;
                if (target[k] >= 0) {
                    layers->sums.high[place] += words[(c * n_kept + k) * 2];
                    layers->sums.low[place] += words[(c * n_kept + k) * 2 + 1];
                }
            }
        }
    }
    free(words);
    return status;
}

cgm_status kept_sums_read_layers(const cgm_h5_file *file, const char *path,
                                 const cgm_candidate_layers *layers)
{
    const int64_t n = layers->n_layers;
    int64_t *target = cgm_alloc(file->comm, n, sizeof *target);
    if (target == NULL) {
        return CGM_ERR_MEMORY;
    }
    for (int64_t k = 0; k < n; k++) {
        target[k] = k;
    }
    cgm_status status = read_layers(file, path, layers, n, target);
    free(target);
    return status;
}

/* What a file gives for a run of other parties. */
typedef struct kept_use {
    const kept_parties *parties;
    int64_t n_layers; /* in the file */
    int64_t *target;  /* [n_layers] layer of the run, or -1 */
    bool candidates;  /* parties × candidates can be told apart */
} kept_use;

/* Layer of the run that a layer of the file belongs to. Where all parties of the file are one layer
 * it is of use only if none of them changed, and if they are one layer of the run as well. */
static void match_layers(const cgm_partial_sums *partial, kept_use *use)
{
    const bool apart = use->n_layers == use->parties->n_kept + 1;
    const bool apart_here = partial->layers.n_layers == partial->n_parties + 1;
    int64_t n_same = 0;
    for (int64_t k = 0; k < use->n_layers; k++) {
        use->target[k] = k == 0 ? 0 : -1;
    }
    for (int64_t i = 0; i < partial->n_parties; i++) {
        const int64_t kept = use->parties->kept[i];
        n_same += kept >= 0;
        if (kept >= 0 && apart) {
            use->target[1 + kept] = apart_here ? 1 + i : 1;
        }
    }
    const bool all = n_same == use->parties->n_kept;
    use->candidates = apart || (all && !apart_here);
    if (use->candidates && !apart) {
        use->target[1] = 1;
    }
}

/* Rows of S that this rank has, as far as both parties are in the file. */
static cgm_status read_rows(const cgm_h5_file *file, const kept_use *use, cgm_partial_sums *partial)
{
    const int64_t n = partial->n_parties;
    const int64_t *kept = use->parties->kept;
    double *row = cgm_alloc(file->comm, use->parties->n_kept, sizeof *row);
    cgm_status status = row != NULL ? CGM_OK : CGM_ERR_MEMORY;
    for (int64_t i = partial->first_row; i < partial->end_row && status == CGM_OK; i++) {
        if (kept[i] < 0) {
            continue;
        }
        status = cgm_h5_read_rows(file, "/sums/party_sums", CGM_H5_DOUBLE, kept[i], 1,
                                  use->parties->n_kept, row);
        for (int64_t j = 0; j < n && status == CGM_OK; j++) {
            if (kept[j] >= 0) {
                cgm_accumulator_add(&partial->party_sums[(i - partial->first_row) * n + j],
                                    row[kept[j]]);
            }
        }
    }
    free(row);
    return status;
}

/* X and Γ, on rank 0. */
static cgm_status read_candidate_totals(const cgm_h5_file *file, const kept_use *use,
                                        cgm_partial_sums *partial)
{
    const int64_t n = partial->n_parties;
    double total;
    cgm_status status = cgm_h5_read_scalar(file, "/sums", "candidate_sum", CGM_H5_DOUBLE, &total);
    if (status != CGM_OK) {
        return status;
    }
    cgm_accumulator_add(&partial->party_candidate_sums[n], total);
    if (!use->candidates) {
        return CGM_OK;
    }
    double *sums = cgm_h5_read(file, "/sums/party_candidate_sums", NULL, CGM_H5_DOUBLE, NULL);
    for (int64_t i = 0; i < n && sums != NULL; i++) {
        if (use->parties->kept[i] >= 0) {
            cgm_accumulator_add(&partial->party_candidate_sums[i], sums[use->parties->kept[i]]);
        }
    }
    status = sums != NULL ? CGM_OK : file->comm->error.status;
    free(sums);
    return status;
}

static cgm_status read_sums(const cgm_h5_file *file, kept_use *use, cgm_partial_sums *partial)
{
    const int64_t n = use->parties->n_kept;
    cgm_h5_info info;
    cgm_status status = cgm_h5_describe(file, "/sums/candidate_layers", NULL, &info);
    if (status == CGM_OK && (info.rank != 2 || info.dims[0] != partial->layers.n_total ||
                             (info.dims[1] != 4 && info.dims[1] != 2 * (n + 1)))) {
        status = cgm_fail(file->comm, CGM_ERR_INPUT,
                          "file '%s', '/sums/candidate_layers': not of the shape it must have",
                          file->path);
    }
    if (status == CGM_OK) {
        status = expect_shape(file, "/sums/party_sums", n, n);
    }
    if (status == CGM_OK) {
        status = expect_shape(file, "/sums/party_candidate_sums", n, 0);
    }
    if (status != CGM_OK) {
        return status;
    }
    use->n_layers = info.dims[1] / 2;
    use->target = cgm_alloc(file->comm, use->n_layers, sizeof *use->target);
    if (use->target == NULL) {
        return CGM_ERR_MEMORY;
    }
    match_layers(partial, use);
    status =
        read_layers(file, "/sums/candidate_layers", &partial->layers, use->n_layers, use->target);
    if (status == CGM_OK) {
        status = read_rows(file, use, partial);
    }
    if (status == CGM_OK && file->comm->rank == 0) {
        status = read_candidate_totals(file, use, partial);
    }
    return status;
}

static void mark_done(const kept_use *use, cgm_partial_sums *partial)
{
    const int64_t n = partial->n_parties;
    cgm_units_mark_owners(&partial->units, n, n);
    for (int64_t i = 0; i < n; i++) {
        if (use->parties->kept[i] < 0) {
            continue;
        }
        for (int64_t j = i; j < n; j++) {
            if (use->parties->kept[j] >= 0) {
                cgm_units_mark_owners(&partial->units, i, j);
            }
        }
        if (use->candidates) {
            cgm_units_mark_owners(&partial->units, i, n);
        }
    }
}

cgm_status kept_sums_fill(cgm_comm *comm, const char *path, const kept_parties *parties,
                          cgm_partial_sums *partial)
{
    kept_use use = {.parties = parties};
    cgm_h5_file file;
    cgm_status status = cgm_h5_open(comm, path, &file);
    if (status == CGM_OK) {
        status = read_sums(&file, &use, partial);
    }
    cgm_h5_close(&file);
    status = cgm_agree(comm, status);
    if (status == CGM_OK) {
        mark_done(&use, partial);
    }
    free(use.target);
    return status;
}
