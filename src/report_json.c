#include "report_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "cgm/text.h"

/* ---- JSON ---- */

/* A document while it is written. */
typedef struct json {
    FILE *stream;
    bool begun; /* something stands before in the object or array at hand */
    int depth;
} json;

static void write_text(FILE *stream, const char *text, const char *end)
{
    fputc('"', stream);
    while (text != end && *text != '\0') {
        const unsigned char c = (unsigned char)*text;
        const size_t bytes = cgm_text_printable(text);
        if (c == '"' || c == '\\') {
            fprintf(stream, "\\%c", c);
        } else if (bytes > 0) {
            fwrite(text, 1, bytes, stream);
        } else {
            fprintf(stream, "\\u%04x", c < 0x80 ? c : 0xfffdU);
        }
        text += bytes > 0 ? bytes : 1;
    }
    fputc('"', stream);
}

/* What stands before a value: a comma, and on lines of their own, down to some depth, its key. */
static void begin_value(json *to, const char *key)
{
    fputs(to->begun ? "," : "", to->stream);
    if (to->depth > 0 && to->depth <= 3) {
        fprintf(to->stream, "\n%*s", 2 * to->depth, "");
    }
    if (key != NULL) {
        write_text(to->stream, key, NULL);
        fputs(": ", to->stream);
    }
    to->begun = true;
}

static void open_group(json *to, const char *key, char bracket)
{
    begin_value(to, key);
    fputc(bracket, to->stream);
    to->begun = false;
    to->depth++;
}

static void close_group(json *to, char bracket)
{
    to->depth--;
    if (to->begun && to->depth < 3) {
        fprintf(to->stream, "\n%*s", 2 * to->depth, "");
    }
    fputc(bracket, to->stream);
    to->begun = true;
}

static void put_text(json *to, const char *key, const char *text)
{
    begin_value(to, key);
    write_text(to->stream, text, NULL);
}

static void put_integer(json *to, const char *key, int64_t value)
{
    begin_value(to, key);
    fprintf(to->stream, "%" PRId64, value);
}

static void put_truth(json *to, const char *key, bool value)
{
    begin_value(to, key);
    fputs(value ? "true" : "false", to->stream);
}

static void put_number(json *to, const char *key, double value)
{
    char text[CGM_TEXT_NUMBER];
    begin_value(to, key);
    if (isnan(value)) {
        fputs("null", to->stream);
    } else if (isinf(value)) {
        fputs(value > 0.0 ? "\"inf\"" : "\"-inf\"", to->stream);
    } else {
        cgm_text_from_double(value, text);
        fputs(text, to->stream);
    }
}

/* As text: a reader of JSON may know no whole numbers beyond 2^53. */
static void put_checksum(json *to, const char *key, uint64_t value)
{
    begin_value(to, key);
    fprintf(to->stream, "\"%016" PRIx64 "\"", value);
}

static void put_numbers(json *to, const char *key, const double *values, int64_t count)
{
    open_group(to, key, '[');
    for (int64_t k = 0; k < count; k++) {
        put_number(to, NULL, values[k]);
    }
    close_group(to, ']');
}

/* ---- the parts ---- */

static void put_record(json *to, const cgm_report_data *data)
{
    put_text(to, "file", data->path);
    put_integer(to, "schema", 1);
    put_text(to, "status", data->status);
    put_text(to, "version", data->version);
    put_text(to, "git", data->git);
    put_text(to, "command", data->command);
    put_text(to, "started", data->started);
    put_text(to, "finished", data->finished);
    put_text(to, "hosts", data->hosts);
    put_integer(to, "mpi_size", data->mpi_size);
    put_integer(to, "threads", data->threads);
    put_text(to, "instruction_set", data->instruction_set);
    put_text(to, "reused", data->reused);
    begin_value(to, "seed");
    fprintf(to->stream, "\"%" PRIu64 "\"", data->seed);
    put_checksum(to, "input_checksum", data->input_checksum);
    put_checksum(to, "result_checksum", data->result_checksum);
}

static void put_options(json *to, const cgm_report_data *data)
{
    const char *at = data->options;
    cgm_report_option option = {.section = NULL};
    open_group(to, "options", '{');
    while (cgm_report_next_option(&at, &option)) {
        char key[CGM_MESSAGE_MAX];
        snprintf(key, sizeof key, "%.*s.%.*s", option.section_length, option.section,
                 option.key_length, option.key);
        begin_value(to, key);
        write_text(to->stream, option.value, option.value + option.value_length);
    }
    close_group(to, '}');
}

static void put_summary(json *to, const cgm_report_data *data)
{
    open_group(to, "input", '{');
    put_integer(to, "parties", data->n_parties);
    put_integer(to, "points", data->total_points);
    put_integer(to, "features", data->n_features);
    put_truth(to, "labels", data->has_labels);
    put_integer(to, "candidates", data->n_candidates);
    close_group(to, '}');

    if (data->n_components > 0) {
        open_group(to, "features", '{');
        put_integer(to, "components", data->n_components);
        put_truth(to, "whitened", data->whitened);
        put_truth(to, "pool_projected", data->pool_projected);
        put_numbers(to, "explained_variance", data->explained_variance, data->n_components);
        put_number(to, "total_variance", data->total_variance);
        close_group(to, '}');
    }

    open_group(to, "kernel", '{');
    put_text(to, "type", data->kernel_type);
    put_text(to, "rule", data->lengthscale_rule);
    put_numbers(to, "lengthscale", data->lengthscales, data->n_lengthscales);
    put_integer(to, "passes", data->passes);
    put_truth(to, "always_valid", data->always_valid);
    if (!data->sufficient_unknown) {
        put_truth(to, "sufficient_condition", data->sufficient_condition);
    }
    put_integer(to, "marginals", data->marginals);
    put_integer(to, "monotone_violations", data->monotone_violations);
    put_number(to, "worst_marginal", data->worst_marginal);
    close_group(to, '}');

    open_group(to, "shapley", '{');
    put_text(to, "method", data->method);
    put_text(to, "semivalue", data->semivalue);
    put_integer(to, "nodes", data->nodes);
    put_number(to, "error_estimate", data->error_estimate);
    put_number(to, "efficiency_gap", data->efficiency_gap);
    put_number(to, "grand", data->grand);
    if (data->single_error != NULL) {
        put_number(to, "grand_error", data->grand_error);
        put_integer(to, "embedding_features", data->embedding_features);
    }
    close_group(to, '}');

    open_group(to, "reward", '{');
    put_text(to, "condition", data->condition);
    put_text(to, "status", data->reward_status);
    put_number(to, "v_star", data->v_star);
    put_number(to, "rho", data->rho);
    put_text(to, "binding", data->binding);
    put_number(to, "total_violation", data->total_violation);
    close_group(to, '}');
}

static void put_parties(json *to, const cgm_report_data *data)
{
    open_group(to, "parties", '[');
    for (int64_t i = 0; i < data->n_parties; i++) {
        open_group(to, NULL, '{');
        put_text(to, "name", data->names[i]);
        put_integer(to, "points", data->n_points[i]);
        put_number(to, "v", data->single[i]);
        put_number(to, "ceiling", data->ceiling[i]);
        put_number(to, "stable", data->stable[i]);
        put_number(to, "lower", data->lower[i]);
        put_number(to, "phi", data->phi[i]);
        put_number(to, "alpha", data->alpha[i]);
        put_number(to, "r", data->r[i]);
        if (data->single_error != NULL) {
            put_number(to, "v_error", data->single_error[i]);
            put_number(to, "ceiling_error", data->ceiling_error[i]);
            put_number(to, "phi_error", data->phi_error[i]);
            put_number(to, "alpha_error", data->alpha_error[i]);
        }
        if (data->lost != NULL) {
            put_text(to, "lost", data->lost[i]);
        }
        close_group(to, '}');
    }
    close_group(to, ']');
}

static void put_columns(json *to, const cgm_report_data *data, const cgm_report_set *set)
{
    open_group(to, "measures", '{');
    for (int c = 0; c < CGM_METRIC_COLUMNS; c++) {
        if (set->columns[c] != NULL) {
            put_numbers(to, cgm_metric_column_name((cgm_metric_column)c), set->columns[c],
                        data->n_parties);
        }
    }
    close_group(to, '}');
    open_group(to, "correlation_with_alpha", '{');
    for (int c = 0; c < CGM_METRIC_COLUMNS; c++) {
        if (set->columns[c] != NULL) {
            put_number(to, cgm_metric_column_name((cgm_metric_column)c), set->correlation[c]);
        }
    }
    close_group(to, '}');
}

/* Arrays run over the parties, in their order. */
static void put_sets(json *to, const cgm_report_data *data)
{
    const int64_t n = data->n_parties;
    open_group(to, "rewards", '[');
    for (int64_t s = 0; s < data->n_sets; s++) {
        const cgm_report_set *set = &data->sets[s];
        open_group(to, NULL, '{');
        put_number(to, "beta", set->inv_temp);
        open_group(to, "synthetic_points", '[');
        for (int64_t i = 0; i < n; i++) {
            put_integer(to, NULL, set->offsets[i + 1] - set->offsets[i]);
        }
        close_group(to, ']');
        open_group(to, "draws", '[');
        for (int64_t i = 0; i < n; i++) {
            put_integer(to, NULL, set->draws[i]);
        }
        close_group(to, ']');
        put_numbers(to, "start_value", set->start_value, n);
        put_numbers(to, "v", set->realised, n);
        open_group(to, "reached", '[');
        for (int64_t i = 0; i < n; i++) {
            put_truth(to, NULL, set->reached[i] != 0);
        }
        close_group(to, ']');
        put_columns(to, data, set);
        close_group(to, '}');
    }
    close_group(to, ']');
}

static void put_over_betas(json *to, const cgm_report_data *data)
{
    if (data->n_sets < 2) {
        return;
    }
    const double *const numbers[] = {data->mean_correlation, data->se_correlation};
    static const char *const keys[] = {"mean_correlation_with_alpha",
                                       "standard_error_of_correlation"};
    for (int k = 0; k < 2; k++) {
        open_group(to, keys[k], '{');
        for (int c = 0; c < CGM_METRIC_COLUMNS; c++) {
            if (data->sets[0].columns[c] != NULL) {
                put_number(to, cgm_metric_column_name((cgm_metric_column)c), numbers[k][c]);
            }
        }
        close_group(to, '}');
    }
    if (data->beta_n_rewards != NULL) {
        put_numbers(to, "correlation_beta_n_rewards", data->beta_n_rewards, data->n_parties);
    }
    if (data->beta_mmd2_after != NULL) {
        put_numbers(to, "correlation_beta_mmd2_after", data->beta_mmd2_after, data->n_parties);
    }
}

static void put_rows(json *to, const cgm_report_data *data)
{
    open_group(to, "incentives", '[');
    for (int64_t k = 0; k < data->n_incentives; k++) {
        const cgm_report_incentive *row = &data->incentives[k];
        open_group(to, NULL, '{');
        put_text(to, "name", row->name);
        put_truth(to, "holds", row->holds);
        put_number(to, "violation", row->violation);
        put_number(to, "realised", row->realised);
        put_text(to, "detail", row->detail);
        close_group(to, '}');
    }
    close_group(to, ']');
    open_group(to, "warnings", '[');
    for (int64_t k = 0; k < data->n_warnings; k++) {
        open_group(to, NULL, '{');
        put_text(to, "code", data->warning_codes[k]);
        put_text(to, "text", data->warning_texts[k]);
        close_group(to, '}');
    }
    close_group(to, ']');
    open_group(to, "timings", '[');
    for (int64_t k = 0; k < data->n_stages; k++) {
        const cgm_report_stage *stage = &data->stages[k];
        open_group(to, NULL, '{');
        put_text(to, "stage", stage->name);
        put_number(to, "min", stage->min);
        put_number(to, "mean", stage->mean);
        put_number(to, "max", stage->max);
        put_integer(to, "slowest_rank", stage->slowest_rank);
        put_integer(to, "kernel_evaluations", stage->kernel_evaluations);
        put_integer(to, "bytes_sent", stage->bytes_sent);
        put_integer(to, "bytes_received", stage->bytes_received);
        put_integer(to, "peak_memory", stage->peak_memory);
        close_group(to, '}');
    }
    close_group(to, ']');
}

static void put_picture(json *to, const cgm_picture *picture)
{
    if (picture == NULL) {
        return;
    }
    open_group(to, "picture", '{');
    open_group(to, "axes", '[');
    for (int64_t a = 0; a < picture->n_axes; a++) {
        put_text(to, NULL, picture->axes[a]);
    }
    close_group(to, ']');
    put_numbers(to, "low", picture->low, picture->n_axes);
    put_numbers(to, "high", picture->high, picture->n_axes);
    put_integer(to, "bins", picture->bins);
    open_group(to, "party", '[');
    for (int64_t k = 0; k < picture->n_shown; k++) {
        put_integer(to, NULL, picture->party[k]);
    }
    close_group(to, ']');
    open_group(to, "counts", '[');
    for (int64_t k = 0; k <= picture->n_shown; k++) {
        open_group(to, NULL, '[');
        for (int64_t c = 0; c < picture->n_cells; c++) {
            put_integer(to, NULL, picture->counts[k * picture->n_cells + c]);
        }
        close_group(to, ']');
    }
    close_group(to, ']');
    close_group(to, '}');
}

void cgm_report_write_json(const cgm_report_data *data, FILE *stream)
{
    json to = {.stream = stream};
    open_group(&to, NULL, '{');
    put_record(&to, data);
    put_options(&to, data);
    put_summary(&to, data);
    put_parties(&to, data);
    put_sets(&to, data);
    put_over_betas(&to, data);
    put_rows(&to, data);
    put_picture(&to, data->picture);
    close_group(&to, '}');
    fputc('\n', stream);
}
