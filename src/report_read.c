#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/result.h"
#include "cgm/shard.h"
#include "cgm/text.h"
#include "report_data.h"

/* Room for a path or the name of an attribute; names of groups are cut to what leaves room. */
enum { PATH_ROOM = 192, GROUP_BYTES = 64, ANY_COUNT = -1 };
/* Stages that a report takes from a file, at most. */
enum { STAGES_MOST = 1024 };

/* A result file while it is read; after a failure nothing more is. */
typedef struct reader {
    cgm_comm *comm;
    cgm_report_data *data;
    cgm_status status;
} reader;

static void damaged(reader *from, const char *path, const char *what)
{
    from->status = cgm_fail(from->comm, CGM_ERR_INPUT, "file '%s', '%s': %s; the result is damaged",
                            from->data->path, path, what);
}

/* ---- values ---- */

/* Numbers of 8 bytes of a dataset of one dimension, or of two with columns > 0. count [rows], or
 * ANY_COUNT. */
static const void *take_array(reader *from, const char *path, cgm_h5_type type, int64_t count,
                              int64_t columns, int64_t *found)
{
    if (from->status != CGM_OK) {
        return NULL;
    }
    cgm_h5_info info;
    void *array = cgm_h5_read(&from->data->file, path, NULL, type, &info);
    if (array == NULL) {
        from->status = from->comm->error.status;
        return NULL;
    }
    const int rank = columns > 0 ? 2 : 1;
    const bool fits = info.rank == rank && (count == ANY_COUNT || info.dims[0] == count) &&
                      (columns <= 0 || info.dims[1] == columns);
    array = cgm_report_keep(from->data, array);
    if (array == NULL) {
        from->status = cgm_fail(from->comm, CGM_ERR_MEMORY, "no memory for a report");
    } else if (!fits) {
        damaged(from, path, "its size does not go with the rest");
    }
    if (found != NULL) {
        *found = info.dims[0];
    }
    return from->status == CGM_OK ? array : NULL;
}

static const double *take_doubles(reader *from, const char *path, int64_t count)
{
    return take_array(from, path, CGM_H5_DOUBLE, count, 0, NULL);
}

static const int64_t *take_integers(reader *from, const char *path, int64_t count)
{
    return take_array(from, path, CGM_H5_INT64, count, 0, NULL);
}

/* Texts of a dataset. */
static char *const *take_texts(reader *from, const char *path, int64_t count, int64_t *found)
{
    cgm_h5_texts texts = {0};
    if (from->status == CGM_OK) {
        from->status = cgm_h5_read_texts(&from->data->file, path, NULL, &texts);
    }
    if (from->status != CGM_OK) {
        return NULL;
    }
    const int64_t n_texts = texts.count;
    /* A list of its own where there are none: what follows may ask for it. */
    char **list = cgm_report_keep(from->data, calloc((size_t)n_texts + 1, sizeof *list));
    for (int64_t k = 0; k < n_texts && list != NULL; k++) {
        list[k] = cgm_report_keep(from->data, texts.text[k]);
        texts.text[k] = NULL;
        if (list[k] == NULL) {
            list = NULL;
        }
    }
    cgm_h5_texts_destroy(&texts);
    if (list == NULL) {
        from->status = cgm_fail(from->comm, CGM_ERR_MEMORY, "no memory for a report");
    } else if (count != ANY_COUNT && n_texts != count) {
        damaged(from, path, "its size does not go with the rest");
    }
    if (found != NULL) {
        *found = n_texts;
    }
    return list;
}

/* A text attribute; an empty one where it has no element. */
static const char *take_text(reader *from, const char *path, const char *attribute)
{
    cgm_h5_texts texts = {0};
    if (from->status == CGM_OK) {
        from->status = cgm_h5_read_texts(&from->data->file, path, attribute, &texts);
    }
    if (from->status != CGM_OK || texts.count == 0) {
        return "";
    }
    const char *text = cgm_report_keep(from->data, texts.text[0]);
    texts.text[0] = NULL;
    cgm_h5_texts_destroy(&texts);
    if (text == NULL) {
        from->status = cgm_fail(from->comm, CGM_ERR_MEMORY, "no memory for a report");
        return "";
    }
    return text;
}

/* An attribute of 8 bytes. */
static void take_number(reader *from, const char *path, const char *attribute, cgm_h5_type type,
                        void *value)
{
    if (from->status == CGM_OK) {
        from->status = cgm_h5_read_scalar(&from->data->file, path, attribute, type, value);
    }
}

static bool is_there(reader *from, const char *path)
{
    cgm_h5_kind kind = CGM_H5_MISSING;
    if (from->status == CGM_OK) {
        from->status = cgm_h5_find(&from->data->file, path, &kind);
    }
    return kind != CGM_H5_MISSING;
}

/* ---- the groups ---- */

static void read_root(reader *from)
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
        *texts[k].text = take_text(from, "/", texts[k].attribute);
    }
    take_number(from, "/", "seed", CGM_H5_UINT64, &data->seed);
    take_number(from, "/", "input_checksum", CGM_H5_UINT64, &data->input_checksum);
    take_number(from, "/", "result_checksum", CGM_H5_UINT64, &data->result_checksum);
    take_number(from, "/", "mpi_size", CGM_H5_INT64, &data->mpi_size);
    take_number(from, "/", "threads", CGM_H5_INT64, &data->threads);
}

static void read_parties(reader *from)
{
    cgm_report_data *data = from->data;
    int64_t n_reference = 0;
    data->names = take_texts(from, "/parties/name", ANY_COUNT, &data->n_parties);
    if (from->status == CGM_OK && data->n_parties < 1) {
        damaged(from, "/parties/name", "there are no parties");
    }
    data->n_points = take_integers(from, "/parties/n_points", data->n_parties);
    take_number(from, "/sums", "n_reference", CGM_H5_INT64, &n_reference);
    for (int64_t i = 0; i < data->n_parties && from->status == CGM_OK; i++) {
        if (data->n_points[i] < 1 || data->n_points[i] > n_reference - data->total_points) {
            damaged(from, "/parties/n_points", "these are no numbers of points");
            return;
        }
        data->total_points += data->n_points[i];
    }
    data->n_candidates = n_reference - data->total_points;
}

static void read_kernel(reader *from)
{
    cgm_report_data *data = from->data;
    int64_t always_valid = 0;
    int64_t sufficient = 0;
    data->lengthscales =
        take_array(from, "/kernel/lengthscale", CGM_H5_DOUBLE, ANY_COUNT, 0, &data->n_lengthscales);
    if (from->status == CGM_OK && data->n_lengthscales < 1) {
        damaged(from, "/kernel/lengthscale", "it has no element");
    }
    data->kernel_type = take_text(from, "/kernel", "type");
    data->lengthscale_rule = take_text(from, "/kernel", "rule");
    take_number(from, "/kernel", "passes", CGM_H5_INT64, &data->passes);
    take_number(from, "/kernel", "always_valid", CGM_H5_INT64, &always_valid);
    take_number(from, "/kernel", "sufficient_condition", CGM_H5_INT64, &sufficient);
    take_number(from, "/kernel", "marginals", CGM_H5_INT64, &data->marginals);
    take_number(from, "/kernel", "monotone_violations", CGM_H5_INT64, &data->monotone_violations);
    take_number(from, "/kernel", "worst_marginal", CGM_H5_DOUBLE, &data->worst_marginal);
    data->always_valid = always_valid != 0;
    data->sufficient_condition = sufficient != 0;
}

static void read_values(reader *from)
{
    cgm_report_data *data = from->data;
    const int64_t n = data->n_parties;
    data->reference_sums = take_doubles(from, "/sums/reference_sums", n);
    data->single = take_doubles(from, "/values/single", n);
    data->ceiling = take_doubles(from, "/values/ceiling", n);
    data->stable = take_doubles(from, "/values/stable", n);
    data->lower = take_doubles(from, "/values/lower", n);
    take_number(from, "/values", "grand", CGM_H5_DOUBLE, &data->grand);
    data->phi = take_doubles(from, "/shapley/phi", n);
    data->alpha = take_doubles(from, "/shapley/alpha", n);
    data->method = take_text(from, "/shapley", "method");
    data->semivalue = take_text(from, "/shapley", "semivalue");
    take_number(from, "/shapley", "error_estimate", CGM_H5_DOUBLE, &data->error_estimate);
    take_number(from, "/shapley", "efficiency_gap", CGM_H5_DOUBLE, &data->efficiency_gap);
    take_number(from, "/shapley", "nodes", CGM_H5_INT64, &data->nodes);
    data->r = take_doubles(from, "/reward/r", n);
    data->condition = take_text(from, "/reward", "condition");
    data->reward_status = take_text(from, "/reward", "status");
    data->binding = take_text(from, "/reward", "binding");
    take_number(from, "/reward", "v_star", CGM_H5_DOUBLE, &data->v_star);
    take_number(from, "/reward", "rho", CGM_H5_DOUBLE, &data->rho);
    take_number(from, "/reward", "total_violation", CGM_H5_DOUBLE, &data->total_violation);
    if (is_there(from, "/reward/lost")) {
        data->lost = take_texts(from, "/reward/lost", n, NULL);
    }
}

static void read_incentives(reader *from)
{
    cgm_report_data *data = from->data;
    char *const *names = take_texts(from, "/incentives/name", ANY_COUNT, &data->n_incentives);
    const int64_t count = data->n_incentives;
    const int64_t *holds = take_integers(from, "/incentives/holds", count);
    const double *violation = take_doubles(from, "/incentives/violation", count);
    const double *realised = take_doubles(from, "/incentives/realised", count);
    char *const *details = take_texts(from, "/incentives/detail", count, NULL);
    if (from->status == CGM_OK) {
        data->incentives = cgm_report_alloc(from->comm, data, count, sizeof *data->incentives);
        from->status = data->incentives != NULL ? CGM_OK : CGM_ERR_MEMORY;
    }
    for (int64_t k = 0; k < count && from->status == CGM_OK; k++) {
        data->incentives[k] =
            (cgm_report_incentive){names[k], holds[k] != 0, violation[k], realised[k], details[k]};
    }
}

static void read_stages(reader *from)
{
    cgm_report_data *data = from->data;
    int64_t count = 0;
    char *const *names = take_texts(from, "/timings/stage", ANY_COUNT, &count);
    if (count > STAGES_MOST) {
        damaged(from, "/timings/stage", "no run has so many stages");
    }
    const double *seconds[3] = {take_doubles(from, "/timings/min", count),
                                take_doubles(from, "/timings/mean", count),
                                take_doubles(from, "/timings/max", count)};
    static const char *const paths[] = {"/timings/slowest_rank", "/timings/kernel_evaluations",
                                        "/timings/bytes_sent", "/timings/bytes_received",
                                        "/timings/peak_memory"};
    const int64_t *work[5];
    for (int k = 0; k < 5; k++) {
        work[k] = take_integers(from, paths[k], count);
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

static void read_warnings(reader *from)
{
    cgm_report_data *data = from->data;
    data->warning_codes = take_texts(from, "/warnings/code", ANY_COUNT, &data->n_warnings);
    data->warning_texts = take_texts(from, "/warnings/text", data->n_warnings, NULL);
}

/* ---- rewards and measures of a β ---- */

static const char *path_of(const cgm_report_set *set, const char *parent, const char *name,
                           char path[PATH_ROOM])
{
    snprintf(path, PATH_ROOM, "%s/%.*s/%s", parent, GROUP_BYTES, set->group, name);
    return path;
}

static void check_offsets(reader *from, const cgm_report_set *set, int64_t n_rows)
{
    const int64_t n = from->data->n_parties;
    bool sound = set->offsets[0] == 0 && set->offsets[n] == n_rows;
    for (int64_t i = 0; i < n; i++) {
        sound = sound && set->offsets[i] <= set->offsets[i + 1];
    }
    if (!sound) {
        char path[PATH_ROOM];
        damaged(from, path_of(set, "/sampling", "offsets", path), "these are no offsets");
    }
}

/* v that each party reached: after its last draw, or where it began. */
static void read_realised(reader *from, cgm_report_set *set)
{
    const int64_t n = from->data->n_parties;
    double *realised = cgm_report_alloc(from->comm, from->data, n, sizeof *realised);
    double *values = cgm_alloc(from->comm, CGM_RESULT_PIECE, sizeof *values);
    from->status = realised != NULL && values != NULL ? CGM_OK : CGM_ERR_MEMORY;
    int64_t first = 0;
    int64_t end = 0;
    for (int64_t i = 0; i < n && from->status == CGM_OK; i++) {
        const int64_t last = set->offsets[i + 1] - 1;
        if (last < set->offsets[i]) {
            realised[i] = set->start_value[i];
            continue;
        }
        if (last >= end) {
            const int64_t rest = set->offsets[n] - last;
            first = last;
            end = last + (rest < CGM_RESULT_PIECE ? rest : CGM_RESULT_PIECE);
            from->status = cgm_report_read_values(from->data, set, first, end - first, values);
        }
        realised[i] = values[last - first];
    }
    free(values);
    set->realised = realised;
}

static void read_rewards(reader *from, cgm_report_set *set)
{
    cgm_report_data *data = from->data;
    const int64_t n = data->n_parties;
    char path[PATH_ROOM];
    cgm_h5_info info = {0};
    set->offsets = take_integers(from, path_of(set, "/sampling", "offsets", path), n + 1);
    set->start_value = take_doubles(from, path_of(set, "/sampling", "start_value", path), n);
    set->draws = take_integers(from, path_of(set, "/sampling", "draws", path), n);
    set->reached = take_integers(from, path_of(set, "/sampling", "reached", path), n);
    path_of(set, "/sampling", "data", path);
    if (from->status == CGM_OK) {
        from->status = cgm_h5_describe(&data->file, path, NULL, &info);
    }
    const bool known = data->n_features > 0;
    if (from->status == CGM_OK &&
        (info.rank != 2 || info.dims[1] < 1 || (known && info.dims[1] != data->n_features))) {
        damaged(from, path, "these are no points of the same features everywhere");
    }
    if (from->status == CGM_OK) {
        data->n_features = info.dims[1];
        data->has_labels = is_there(from, path_of(set, "/sampling", "labels", path));
        check_offsets(from, set, info.dims[0]);
    }
    if (from->status == CGM_OK) {
        read_realised(from, set);
    }
}

static void read_columns(reader *from, cgm_report_set *set)
{
    char path[PATH_ROOM];
    char group[PATH_ROOM];
    char name[PATH_ROOM];
    snprintf(group, sizeof group, "/metrics/%.*s", GROUP_BYTES, set->group);
    for (int c = 0; c < CGM_METRIC_COLUMNS; c++) {
        const char *column = cgm_metric_column_name((cgm_metric_column)c);
        set->correlation[c] = NAN;
        if (!is_there(from, group) || !is_there(from, path_of(set, "/metrics", column, path))) {
            continue;
        }
        set->columns[c] = take_doubles(from, path, from->data->n_parties);
        snprintf(name, sizeof name, "correlation_%s", column);
        take_number(from, group, name, CGM_H5_DOUBLE, &set->correlation[c]);
    }
}

/* What the measures at several β have in common. */
static void read_over_betas(reader *from)
{
    cgm_report_data *data = from->data;
    char name[PATH_ROOM];
    for (int c = 0; c < CGM_METRIC_COLUMNS; c++) {
        data->mean_correlation[c] = NAN;
        data->se_correlation[c] = NAN;
        if (data->n_sets < 2 || data->sets[0].columns[c] == NULL) {
            continue;
        }
        const char *column = cgm_metric_column_name((cgm_metric_column)c);
        snprintf(name, sizeof name, "mean_correlation_%s", column);
        take_number(from, "/metrics", name, CGM_H5_DOUBLE, &data->mean_correlation[c]);
        snprintf(name, sizeof name, "se_correlation_%s", column);
        take_number(from, "/metrics", name, CGM_H5_DOUBLE, &data->se_correlation[c]);
    }
    if (is_there(from, "/metrics/correlation_beta_n_rewards")) {
        data->beta_n_rewards =
            take_doubles(from, "/metrics/correlation_beta_n_rewards", data->n_parties);
    }
    if (is_there(from, "/metrics/correlation_beta_mmd2_after")) {
        data->beta_mmd2_after =
            take_doubles(from, "/metrics/correlation_beta_mmd2_after", data->n_parties);
    }
}

static int compare_sets(const void *a, const void *b)
{
    const double x = ((const cgm_report_set *)a)->inv_temp;
    const double y = ((const cgm_report_set *)b)->inv_temp;
    return (x > y) - (x < y);
}

/* Groups beta_<number> of /sampling. */
static void name_sets(reader *from, cgm_h5_texts *groups)
{
    cgm_report_data *data = from->data;
    data->sets = cgm_report_alloc(from->comm, data, groups->count, sizeof *data->sets);
    from->status = data->sets != NULL ? CGM_OK : CGM_ERR_MEMORY;
    for (int64_t s = 0; s < groups->count && from->status == CGM_OK; s++) {
        const char *name = groups->text[s];
        cgm_report_set *set = &data->sets[data->n_sets];
        if (strncmp(name, "beta_", 5) != 0 || strlen(name) > GROUP_BYTES ||
            !cgm_text_to_double(name + 5, &set->inv_temp)) {
            damaged(from, "/sampling", "a group is not named after a beta");
            return;
        }
        set->group = cgm_report_keep(data, groups->text[s]);
        groups->text[s] = NULL;
        data->n_sets += set->group != NULL;
        from->status = set->group != NULL ? CGM_OK : CGM_ERR_MEMORY;
    }
    if (from->status == CGM_OK && data->n_sets > 0) {
        qsort(data->sets, (size_t)data->n_sets, sizeof *data->sets, compare_sets);
    }
}

static void read_sets(reader *from)
{
    cgm_report_data *data = from->data;
    cgm_h5_texts groups = {0};
    if (from->status != CGM_OK) {
        return;
    }
    from->status = cgm_h5_list(&data->file, "/sampling", false, &groups);
    if (from->status == CGM_OK) {
        name_sets(from, &groups);
    }
    cgm_h5_texts_destroy(&groups);
    const bool has_metrics = is_there(from, "/metrics");
    for (int64_t s = 0; s < data->n_sets && from->status == CGM_OK; s++) {
        read_rewards(from, &data->sets[s]);
        for (int c = 0; c < CGM_METRIC_COLUMNS; c++) {
            data->sets[s].correlation[c] = NAN;
        }
        if (has_metrics) {
            read_columns(from, &data->sets[s]);
        }
    }
    if (from->status == CGM_OK && has_metrics) {
        read_over_betas(from);
    }
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

static void read_picture(reader *from)
{
    cgm_report_data *data = from->data;
    if (!is_there(from, "/picture")) {
        return;
    }
    const int64_t d = data->n_features;
    int64_t axes = 0;
    int64_t shown = 0;
    char *const *names = take_texts(from, "/picture/axes", ANY_COUNT, &axes);
    const int64_t *party = take_array(from, "/picture/party", CGM_H5_INT64, ANY_COUNT, 0, &shown);
    int64_t bins = 0;
    take_number(from, "/picture", "bins", CGM_H5_INT64, &bins);
    if (from->status == CGM_OK && (axes < 1 || axes > CGM_PICTURE_AXES || shown < 1 ||
                                   shown > CGM_PICTURE_PARTIES || bins < 1 || bins > 1024)) {
        damaged(from, "/picture", "its size does not go with the rest");
    }
    const double *low = take_doubles(from, "/picture/low", axes);
    const double *high = take_doubles(from, "/picture/high", axes);
    const double *mean = take_doubles(from, "/picture/mean", d);
    const double *projection =
        take_array(from, "/picture/projection", CGM_H5_DOUBLE, axes, d, NULL);
    const int64_t n_cells = axes == 1 ? bins : bins * bins;
    const int64_t *counts =
        take_array(from, "/picture/counts", CGM_H5_INT64, shown + 1, n_cells, NULL);
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
        damaged(from, "/picture", "these are no counts of points");
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
    reader from = {.comm = comm, .data = data};
    from.status = open_result(comm, data);
    static void (*const parts[])(reader *) = {read_root,     read_parties, read_kernel,
                                              read_values,   read_sets,    read_incentives,
                                              read_warnings, read_stages,  read_picture};
    for (size_t k = 0; k < sizeof parts / sizeof parts[0] && from.status == CGM_OK; k++) {
        parts[k](&from);
    }
    return from.status;
}

cgm_status cgm_report_read_values(const cgm_report_data *data, const cgm_report_set *set,
                                  int64_t first, int64_t count, double *values)
{
    char path[PATH_ROOM];
    return cgm_h5_read_rows(&data->file, path_of(set, "/sampling", "values", path), CGM_H5_DOUBLE,
                            first, count, 1, values);
}

cgm_status cgm_report_read_points(const cgm_report_data *data, const cgm_report_set *set,
                                  int64_t first, int64_t count, double *points)
{
    char path[PATH_ROOM];
    return cgm_h5_read_rows(&data->file, path_of(set, "/sampling", "data", path), CGM_H5_DOUBLE,
                            first, count, data->n_features, points);
}
