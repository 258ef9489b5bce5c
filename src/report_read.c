#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report_reader.h"

/* Stages that a report takes from a file, at most. */
enum { STAGES_MOST = 1024 };

/* ---- the groups ---- */

static void read_root(cgm_reader *from)
{
    cgm_report_data *data = from->data;
    const struct {
        const char **text;
        const char *attribute;
    } texts[] = {
        {&data->version, "version"},   {&data->git, "git"},
        {&data->command, "command"},   {&data->options, "config"},
        {&data->hosts, "hosts"},       {&data->started, "started"},
        {&data->finished, "finished"}, {&data->reused, "reused"},
        {&data->status, "status"},     {&data->instruction_set, "instruction_set"},
    };
    for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++) {
        *texts[k].text = cgm_reader_take_text(from, "/", texts[k].attribute);
    }
    cgm_reader_take_number(from, "/", "seed", CGM_H5_UINT64, &data->seed);
    cgm_reader_take_number(from, "/", "input_checksum", CGM_H5_UINT64, &data->input_checksum);
    cgm_reader_take_number(from, "/", "result_checksum", CGM_H5_UINT64, &data->result_checksum);
    cgm_reader_take_number(from, "/", "mpi_size", CGM_H5_INT64, &data->mpi_size);
    cgm_reader_take_number(from, "/", "threads", CGM_H5_INT64, &data->threads);
}

static void read_parties(cgm_reader *from)
{
    cgm_report_data *data = from->data;
    int64_t n_reference = 0;
    data->names = cgm_reader_take_texts(from, "/parties/name", CGM_READER_ANY, &data->n_parties);
    if (from->status == CGM_OK && data->n_parties < 1) {
        cgm_reader_damaged(from, "/parties/name", "there are no parties");
    }
    data->n_points = cgm_reader_take_integers(from, "/parties/n_points", data->n_parties);
    cgm_reader_take_number(from, "/sums", "n_reference", CGM_H5_INT64, &n_reference);
    for (int64_t i = 0; i < data->n_parties && from->status == CGM_OK; i++) {
        if (data->n_points[i] < 1 || data->n_points[i] > n_reference - data->total_points) {
            cgm_reader_damaged(from, "/parties/n_points", "these are no numbers of points");
            return;
        }
        data->total_points += data->n_points[i];
    }
    data->n_candidates = n_reference - data->total_points;
}

static void read_projection(cgm_reader *from)
{
    cgm_report_data *data = from->data;
    int64_t whitened = 0;
    int64_t pool_projected = 0;
    if (!cgm_reader_is_there(from, "/features/components")) {
        return;
    }
    cgm_reader_take_array(from, "/features/mean", CGM_H5_DOUBLE, CGM_READER_ANY, 0,
                          &data->n_features);
    data->explained_variance =
        cgm_reader_take_array(from, "/features/explained_variance", CGM_H5_DOUBLE, CGM_READER_ANY,
                              0, &data->n_components);
    if (from->status == CGM_OK && (data->n_components < 1 || data->n_features < 1)) {
        cgm_reader_damaged(from, "/features", "there are no components");
    }
    cgm_reader_take_number(from, "/features", "total_variance", CGM_H5_DOUBLE,
                           &data->total_variance);
    cgm_reader_take_number(from, "/features", "whitened", CGM_H5_INT64, &whitened);
    cgm_reader_take_number(from, "/features", "pool_projected", CGM_H5_INT64, &pool_projected);
    data->whitened = whitened != 0;
    data->pool_projected = pool_projected != 0;
    data->n_stored = data->pool_projected ? data->n_components : data->n_features;
}

static void read_kernel(cgm_reader *from)
{
    cgm_report_data *data = from->data;
    int64_t always_valid = 0;
    int64_t sufficient = 0;
    data->lengthscales = cgm_reader_take_array(from, "/kernel/lengthscale", CGM_H5_DOUBLE,
                                               CGM_READER_ANY, 0, &data->n_lengthscales);
    if (from->status == CGM_OK && data->n_lengthscales < 1) {
        cgm_reader_damaged(from, "/kernel/lengthscale", "it has no element");
    }
    data->kernel_type = cgm_reader_take_text(from, "/kernel", "type");
    data->lengthscale_rule = cgm_reader_take_text(from, "/kernel", "rule");
    cgm_reader_take_number(from, "/kernel", "passes", CGM_H5_INT64, &data->passes);
    cgm_reader_take_number(from, "/kernel", "always_valid", CGM_H5_INT64, &always_valid);
    cgm_reader_take_number(from, "/kernel", "sufficient_condition", CGM_H5_INT64, &sufficient);
    cgm_reader_take_number(from, "/kernel", "marginals", CGM_H5_INT64, &data->marginals);
    cgm_reader_take_number(from, "/kernel", "monotone_violations", CGM_H5_INT64,
                           &data->monotone_violations);
    cgm_reader_take_number(from, "/kernel", "worst_marginal", CGM_H5_DOUBLE, &data->worst_marginal);
    data->always_valid = always_valid != 0;
    data->sufficient_condition = sufficient > 0;
    data->sufficient_unknown = sufficient < 0;
}

static void read_values(cgm_reader *from)
{
    cgm_report_data *data = from->data;
    const int64_t n = data->n_parties;
    data->reference_sums = cgm_reader_take_doubles(from, "/sums/reference_sums", n);
    data->single = cgm_reader_take_doubles(from, "/values/single", n);
    data->ceiling = cgm_reader_take_doubles(from, "/values/ceiling", n);
    data->stable = cgm_reader_take_doubles(from, "/values/stable", n);
    data->lower = cgm_reader_take_doubles(from, "/values/lower", n);
    cgm_reader_take_number(from, "/values", "grand", CGM_H5_DOUBLE, &data->grand);
    data->phi = cgm_reader_take_doubles(from, "/shapley/phi", n);
    data->alpha = cgm_reader_take_doubles(from, "/shapley/alpha", n);
    data->method = cgm_reader_take_text(from, "/shapley", "method");
    data->semivalue = cgm_reader_take_text(from, "/shapley", "semivalue");
    cgm_reader_take_number(from, "/shapley", "error_estimate", CGM_H5_DOUBLE,
                           &data->error_estimate);
    cgm_reader_take_number(from, "/shapley", "efficiency_gap", CGM_H5_DOUBLE,
                           &data->efficiency_gap);
    cgm_reader_take_number(from, "/shapley", "nodes", CGM_H5_INT64, &data->nodes);
    data->r = cgm_reader_take_doubles(from, "/reward/r", n);
    data->condition = cgm_reader_take_text(from, "/reward", "condition");
    data->reward_status = cgm_reader_take_text(from, "/reward", "status");
    data->binding = cgm_reader_take_text(from, "/reward", "binding");
    cgm_reader_take_number(from, "/reward", "v_star", CGM_H5_DOUBLE, &data->v_star);
    cgm_reader_take_number(from, "/reward", "rho", CGM_H5_DOUBLE, &data->rho);
    cgm_reader_take_number(from, "/reward", "total_violation", CGM_H5_DOUBLE,
                           &data->total_violation);
    if (cgm_reader_is_there(from, "/reward/lost")) {
        data->lost = cgm_reader_take_texts(from, "/reward/lost", n, NULL);
    }
}

/* Standard errors, where values come from embeddings. */
static void read_errors(cgm_reader *from)
{
    cgm_report_data *data = from->data;
    const int64_t n = data->n_parties;
    if (!cgm_reader_is_there(from, "/values/single_error")) {
        return;
    }
    data->single_error = cgm_reader_take_doubles(from, "/values/single_error", n);
    data->ceiling_error = cgm_reader_take_doubles(from, "/values/ceiling_error", n);
    cgm_reader_take_number(from, "/values", "grand_error", CGM_H5_DOUBLE, &data->grand_error);
    data->phi_error = cgm_reader_take_doubles(from, "/shapley/phi_error", n);
    data->alpha_error = cgm_reader_take_doubles(from, "/shapley/alpha_error", n);
    cgm_reader_take_number(from, "/privacy", "embedding_features", CGM_H5_INT64,
                           &data->embedding_features);
}

static void read_incentives(cgm_reader *from)
{
    cgm_report_data *data = from->data;
    char *const *names =
        cgm_reader_take_texts(from, "/incentives/name", CGM_READER_ANY, &data->n_incentives);
    const int64_t count = data->n_incentives;
    const int64_t *holds = cgm_reader_take_integers(from, "/incentives/holds", count);
    const double *violation = cgm_reader_take_doubles(from, "/incentives/violation", count);
    const double *realised = cgm_reader_take_doubles(from, "/incentives/realised", count);
    char *const *details = cgm_reader_take_texts(from, "/incentives/detail", count, NULL);
    if (from->status == CGM_OK) {
        data->incentives = cgm_report_alloc(from->comm, data, count, sizeof *data->incentives);
        from->status = data->incentives != NULL ? CGM_OK : CGM_ERR_MEMORY;
    }
    for (int64_t k = 0; k < count && from->status == CGM_OK; k++) {
        data->incentives[k] =
            (cgm_report_incentive){names[k], holds[k] != 0, violation[k], realised[k], details[k]};
    }
}

static void read_stages(cgm_reader *from)
{
    cgm_report_data *data = from->data;
    int64_t count = 0;
    char *const *names = cgm_reader_take_texts(from, "/timings/stage", CGM_READER_ANY, &count);
    if (count > STAGES_MOST) {
        cgm_reader_damaged(from, "/timings/stage", "no run has so many stages");
    }
    const double *seconds[3] = {cgm_reader_take_doubles(from, "/timings/min", count),
                                cgm_reader_take_doubles(from, "/timings/mean", count),
                                cgm_reader_take_doubles(from, "/timings/max", count)};
    static const char *const paths[] = {"/timings/slowest_rank", "/timings/kernel_evaluations",
                                        "/timings/bytes_sent", "/timings/bytes_received",
                                        "/timings/peak_memory"};
    const int64_t *work[5];
    for (int k = 0; k < 5; k++) {
        work[k] = cgm_reader_take_integers(from, paths[k], count);
    }
    if (from->status == CGM_OK) {
        data->stages = cgm_report_alloc(from->comm, data, count, sizeof *data->stages);
        from->status = data->stages != NULL ? CGM_OK : CGM_ERR_MEMORY;
    }
    for (int64_t k = 0; k < count && from->status == CGM_OK; k++) {
        data->stages[k] =
            (cgm_report_stage){names[k],   seconds[0][k], seconds[1][k], seconds[2][k], work[0][k],
                               work[1][k], work[2][k],    work[3][k],    work[4][k]};
        data->n_stages = count;
    }
}

static void read_warnings(cgm_reader *from)
{
    cgm_report_data *data = from->data;
    data->warning_codes =
        cgm_reader_take_texts(from, "/warnings/code", CGM_READER_ANY, &data->n_warnings);
    data->warning_texts = cgm_reader_take_texts(from, "/warnings/text", data->n_warnings, NULL);
}

/* ---- the picture ---- */

static bool is_sound(const cgm_picture *picture, int64_t n_parties)
{
    bool sound = true;
    for (int64_t a = 0; a < picture->n_axes; a++) {
        sound = sound && isfinite(picture->low[a]) && isfinite(picture->high[a]) &&
                picture->low[a] < picture->high[a];
    }
    for (int64_t k = 0; k < picture->n_shown; k++) {
        sound = sound && picture->party[k] >= 0 && picture->party[k] < n_parties;
    }
    for (int64_t k = 0; k < (picture->n_shown + 1) * picture->n_cells; k++) {
        sound = sound && picture->counts[k] >= 0;
    }
    return sound;
}

static void read_picture(cgm_reader *from)
{
    cgm_report_data *data = from->data;
    if (!cgm_reader_is_there(from, "/picture")) {
        return;
    }
    const int64_t d = data->n_stored;
    int64_t axes = 0;
    int64_t shown = 0;
    char *const *names = cgm_reader_take_texts(from, "/picture/axes", CGM_READER_ANY, &axes);
    const int64_t *party =
        cgm_reader_take_array(from, "/picture/party", CGM_H5_INT64, CGM_READER_ANY, 0, &shown);
    int64_t bins = 0;
    cgm_reader_take_number(from, "/picture", "bins", CGM_H5_INT64, &bins);
    if (from->status == CGM_OK && (axes < 1 || axes > CGM_PICTURE_AXES || shown < 1 ||
                                   shown > CGM_PICTURE_PARTIES || bins < 1 || bins > 1024)) {
        cgm_reader_damaged(from, "/picture", "its size does not go with the rest");
    }
    const double *low = cgm_reader_take_doubles(from, "/picture/low", axes);
    const double *high = cgm_reader_take_doubles(from, "/picture/high", axes);
    const double *mean = cgm_reader_take_doubles(from, "/picture/mean", d);
    const double *projection =
        cgm_reader_take_array(from, "/picture/projection", CGM_H5_DOUBLE, axes, d, NULL);
    const int64_t n_cells = axes == 1 ? bins : bins * bins;
    const int64_t *counts =
        cgm_reader_take_array(from, "/picture/counts", CGM_H5_INT64, shown + 1, n_cells, NULL);
    if (from->status != CGM_OK) {
        return;
    }
    cgm_picture *picture = cgm_report_alloc(from->comm, data, 1, sizeof *picture);
    if (picture == NULL) {
        from->status = CGM_ERR_MEMORY;
        return;
    }
    /* Nothing writes to what lies behind a picture in a report. */
    *picture = (cgm_picture){.n_axes = axes,
                             .n_features = d,
                             .projection = (double *)projection,
                             .mean = (double *)mean,
                             .bins = bins,
                             .n_cells = n_cells,
                             .n_shown = shown,
                             .counts = (int64_t *)counts};
    memcpy(picture->low, low, (size_t)axes * sizeof *low);
    memcpy(picture->high, high, (size_t)axes * sizeof *high);
    memcpy(picture->party, party, (size_t)shown * sizeof *party);
    for (int64_t a = 0; a < axes; a++) {
        snprintf(picture->axes[a], CGM_PICTURE_AXIS, "%s", names[a]);
    }
    if (!is_sound(picture, data->n_parties)) {
        cgm_reader_damaged(from, "/picture", "these are no counts of points");
    }
    data->picture = picture;
}

/* ---- the file ---- */

static cgm_status open_result(cgm_comm *comm, cgm_report_data *data)
{
    cgm_status status = cgm_h5_open(comm, data->path, &data->file);
    if (status != CGM_OK) {
        return status;
    }
    /* What is no result may lack anything: then that is not what is wrong with it. */
    cgm_comm probe = *comm;
    cgm_h5_file same = data->file;
    same.comm = &probe;
    int64_t schema = 0;
    cgm_h5_kind kind = CGM_H5_MISSING;
    if (cgm_h5_read_scalar(&same, "/", "schema", CGM_H5_INT64, &schema) != CGM_OK) {
        return cgm_fail(comm, CGM_ERR_INPUT, "file '%s' is not a result of cgm", data->path);
    }
    if (schema != 1) {
        return cgm_fail(comm, CGM_ERR_INPUT,
                        "file '%s' has schema %lld, and this version of cgm knows 1", data->path,
                        (long long)schema);
    }
    if (cgm_h5_find(&same, "/incentives", &kind) != CGM_OK || kind == CGM_H5_MISSING) {
        return cgm_fail(comm, CGM_ERR_INPUT,
                        "file '%s' holds no whole result; report takes the output.file of a run, "
                        "not a party's own file",
                        data->path);
    }
    return CGM_OK;
}

cgm_status cgm_report_read(cgm_comm *comm, const char *path, cgm_report_data *data)
{
    *data = (cgm_report_data){.path = path};
    cgm_reader from = {.comm = comm, .data = data};
    from.status = open_result(comm, data);
    static void (*const parts[])(cgm_reader *) = {
        read_root,     read_parties, read_projection,      read_kernel,
        read_values,   read_errors,  cgm_reader_read_sets, read_incentives,
        read_warnings, read_stages,  read_picture};
    for (size_t k = 0; k < sizeof parts / sizeof parts[0] && from.status == CGM_OK; k++) {
        parts[k](&from);
    }
    return from.status;
}
