#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/result.h"
#include "cgm/text.h"
#include "report_reader.h"

/* Room for a path or the name of an attribute; names of groups are cut to what leaves room. */
enum { PATH_ROOM = 192, GROUP_BYTES = 64 };

static const char *path_of(const cgm_report_set *set, const char *parent, const char *name,
                           char path[PATH_ROOM])
{
    snprintf(path, PATH_ROOM, "%s/%.*s/%s", parent, GROUP_BYTES, set->group, name);
    return path;
}

static void check_offsets(cgm_reader *from, const cgm_report_set *set, int64_t n_rows)
{
    const int64_t n = from->data->n_parties;
    bool sound = set->offsets[0] == 0 && set->offsets[n] == n_rows;
    for (int64_t i = 0; i < n; i++) {
        sound = sound && set->offsets[i] <= set->offsets[i + 1];
    }
    if (!sound) {
        char path[PATH_ROOM];
        cgm_reader_damaged(from, path_of(set, "/sampling", "offsets", path),
                           "these are no offsets");
    }
}

/* v that each party reached: after its last draw, or where it began. */
static void read_realised(cgm_reader *from, cgm_report_set *set)
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

static void read_rewards(cgm_reader *from, cgm_report_set *set)
{
    cgm_report_data *data = from->data;
    const int64_t n = data->n_parties;
    char path[PATH_ROOM];
    cgm_h5_info info = {0};
    set->offsets =
        cgm_reader_take_integers(from, path_of(set, "/sampling", "offsets", path), n + 1);
    set->start_value =
        cgm_reader_take_doubles(from, path_of(set, "/sampling", "start_value", path), n);
    set->draws = cgm_reader_take_integers(from, path_of(set, "/sampling", "draws", path), n);
    set->reached = cgm_reader_take_integers(from, path_of(set, "/sampling", "reached", path), n);
    path_of(set, "/sampling", "data", path);
    if (from->status == CGM_OK) {
        from->status = cgm_h5_describe(&data->file, path, NULL, &info);
    }
    const bool known = data->n_stored > 0;
    if (from->status == CGM_OK &&
        (info.rank != 2 || info.dims[1] < 1 || (known && info.dims[1] != data->n_stored))) {
        cgm_reader_damaged(from, path, "these are no points of the same features everywhere");
    }
    if (from->status == CGM_OK) {
        data->n_stored = info.dims[1];
        data->n_features = data->n_components > 0 ? data->n_features : data->n_stored;
        data->has_labels = cgm_reader_is_there(from, path_of(set, "/sampling", "labels", path));
        check_offsets(from, set, info.dims[0]);
    }
    if (from->status == CGM_OK) {
        read_realised(from, set);
    }
}

static void read_columns(cgm_reader *from, cgm_report_set *set)
{
    char path[PATH_ROOM];
    char group[PATH_ROOM];
    char name[PATH_ROOM];
    snprintf(group, sizeof group, "/metrics/%.*s", GROUP_BYTES, set->group);
    for (int c = 0; c < CGM_METRIC_COLUMNS; c++) {
        const char *column = cgm_metric_column_name((cgm_metric_column)c);
        set->correlation[c] = NAN;
        if (!cgm_reader_is_there(from, group) ||
            !cgm_reader_is_there(from, path_of(set, "/metrics", column, path))) {
            continue;
        }
        set->columns[c] = cgm_reader_take_doubles(from, path, from->data->n_parties);
        snprintf(name, sizeof name, "correlation_%s", column);
        cgm_reader_take_number(from, group, name, CGM_H5_DOUBLE, &set->correlation[c]);
    }
}

/* What the measures at several β have in common. */
static void read_over_betas(cgm_reader *from)
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
        cgm_reader_take_number(from, "/metrics", name, CGM_H5_DOUBLE, &data->mean_correlation[c]);
        snprintf(name, sizeof name, "se_correlation_%s", column);
        cgm_reader_take_number(from, "/metrics", name, CGM_H5_DOUBLE, &data->se_correlation[c]);
    }
    if (cgm_reader_is_there(from, "/metrics/correlation_beta_n_rewards")) {
        data->beta_n_rewards =
            cgm_reader_take_doubles(from, "/metrics/correlation_beta_n_rewards", data->n_parties);
    }
    if (cgm_reader_is_there(from, "/metrics/correlation_beta_mmd2_after")) {
        data->beta_mmd2_after =
            cgm_reader_take_doubles(from, "/metrics/correlation_beta_mmd2_after", data->n_parties);
    }
}

static int compare_sets(const void *a, const void *b)
{
    const double x = ((const cgm_report_set *)a)->inv_temp;
    const double y = ((const cgm_report_set *)b)->inv_temp;
    return (x > y) - (x < y);
}

/* Groups beta_<number> of /sampling. */
static void name_sets(cgm_reader *from, cgm_h5_texts *groups)
{
    cgm_report_data *data = from->data;
    data->sets = cgm_report_alloc(from->comm, data, groups->count, sizeof *data->sets);
    from->status = data->sets != NULL ? CGM_OK : CGM_ERR_MEMORY;
    for (int64_t s = 0; s < groups->count && from->status == CGM_OK; s++) {
        const char *name = groups->text[s];
        cgm_report_set *set = &data->sets[data->n_sets];
        if (strncmp(name, "beta_", 5) != 0 || strlen(name) > GROUP_BYTES ||
            !cgm_text_to_double(name + 5, &set->inv_temp)) {
            cgm_reader_damaged(from, "/sampling", "a group is not named after a beta");
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

void cgm_reader_read_sets(cgm_reader *from)
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
    const bool has_metrics = cgm_reader_is_there(from, "/metrics");
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

/* ---- what is too large to keep ---- */

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
                            first, count, data->n_stored, points);
}
