#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "report_tables.h"

enum { LABEL = CGM_COLUMNS_LABEL };

/* ---- input and options ---- */

static const char *plural(int64_t count)
{
    return count == 1 ? "" : "s";
}

void cgm_report_print_sizes(int64_t n_parties, const int64_t *party_points, int64_t n_features,
                            bool has_labels, FILE *stream)
{
    int64_t least = n_parties > 0 ? party_points[0] : 0;
    int64_t most = least;
    int64_t total = 0;
    for (int64_t i = 0; i < n_parties; i++) {
        least = party_points[i] < least ? party_points[i] : least;
        most = party_points[i] > most ? party_points[i] : most;
        total += party_points[i];
    }
    fprintf(stream, "%-*s%lld %s of %lld", LABEL, "", (long long)n_parties,
            n_parties == 1 ? "party" : "parties", (long long)least);
    if (least < most) {
        fprintf(stream, " .. %lld", (long long)most);
    }
    fprintf(stream, " point%s, %lld in all, %lld feature%s, %s\n", plural(most), (long long)total,
            (long long)n_features, plural(n_features), has_labels ? "labels" : "no labels");
}

/* The value of an option, which the caller frees. */
static char *copy_value(const cgm_report_option *option)
{
    return strndup(option->value, (size_t)option->value_length);
}

static bool is_option(const cgm_report_option *option, const char *key)
{
    return strlen(key) == (size_t)option->key_length &&
           strncmp(option->key, key, (size_t)option->key_length) == 0;
}

/* They come from a file, or from a model. */
void cgm_report_print_candidates(int64_t n_candidates, const char *options, FILE *stream)
{
    cgm_report_option option = {.section = NULL};
    fprintf(stream, "%-*s%lld candidate%s", LABEL, "", (long long)n_candidates,
            plural(n_candidates));
    while (cgm_report_next_option(&options, &option)) {
        const bool is_type =
            strncmp(option.section, "generator]", 10) == 0 && is_option(&option, "type");
        char *value = is_type ? copy_value(&option) : NULL;
        if (value != NULL && strcmp(value, "file") != 0) {
            fputs(", drawn from a ", stream);
            cgm_columns_print(stream, value, 20);
            fputs(" of all parties' points", stream);
        }
        free(value);
    }
    fputc('\n', stream);
}

void cgm_report_print_options(const char *options, FILE *stream)
{
    static const char *const shown[] = {"lengthscale", "condition", "inv_temp", "patience", "seed"};
    cgm_report_option option = {.section = NULL};
    while (cgm_report_next_option(&options, &option)) {
        for (size_t k = 0; k < sizeof shown / sizeof shown[0]; k++) {
            char *value = is_option(&option, shown[k]) ? copy_value(&option) : NULL;
            if (value != NULL) {
                cgm_columns_print_line(stream, shown[k], value);
            }
            free(value);
        }
    }
}

/* Values of a key of the options, whatever its section, as lines with a label. */
static void print_option(const char *options, const char *key, const char *label, FILE *stream)
{
    cgm_report_option option = {.section = NULL};
    while (cgm_report_next_option(&options, &option)) {
        char *value = is_option(&option, key) ? copy_value(&option) : NULL;
        if (value != NULL && value[0] != '\0') {
            cgm_columns_print_line(stream, label, value);
        }
        free(value);
    }
}

/* What the run said before it began, from its result. */
static void print_origin(const cgm_report_data *data, FILE *stream)
{
    fprintf(stream, "%-*s", LABEL, "made by");
    fputs("cgm ", stream);
    cgm_columns_print(stream, data->version, 20);
    fputs(" (", stream);
    cgm_columns_print(stream, data->git, 50);
    fputs(")\n", stream);
    cgm_columns_print_line(stream, "started", data->started);
    cgm_columns_print_line(stream, "finished", data->finished);
    cgm_columns_print_line(stream, "command", data->command);
    fprintf(stream, "%-*s%lld of %lld thread%s, on ", LABEL, "ranks", (long long)data->mpi_size,
            (long long)data->threads, plural(data->threads));
    cgm_columns_print(stream, data->hosts, 50);
    fputc('\n', stream);
    print_option(data->options, "parties", "input", stream);
    cgm_report_print_sizes(data->n_parties, data->n_points, data->n_features, data->has_labels,
                           stream);
    print_option(data->options, "candidates", "candidates", stream);
    cgm_report_print_candidates(data->n_candidates, data->options, stream);
    cgm_report_print_options(data->options, stream);
    fputc('\n', stream);
}

/* ---- what was computed ---- */

static bool is_word(const char *text, const char *word)
{
    return strcmp(text, word) == 0;
}

static void print_projection(const cgm_report_data *data, FILE *stream)
{
    if (data->n_components > 0) {
        fprintf(stream, "%-*s%lld projected on %lld component%s, with %.4g %% of the variance\n",
                LABEL, "features", (long long)data->n_features, (long long)data->n_components,
                plural(data->n_components), 100.0 * cgm_report_explained(data));
    }
    if (data->n_components > 0 && data->pool_projected) {
        fprintf(stream, "%-*sthe pool, and rewards with it, are coordinates on these\n", LABEL, "");
    }
}

static void print_lengthscale(const cgm_report_data *data, FILE *stream)
{
    if (data->n_lengthscales > 1) {
        cgm_columns_print_line(stream, "lengthscale", "one a feature, given");
        return;
    }
    fprintf(stream, "%-*s%.10g, ", LABEL, "lengthscale", data->lengthscales[0]);
    if (is_word(data->lengthscale_rule, "given")) {
        fputs("given\n", stream);
    } else if (cgm_report_all_equal(data)) {
        fputs("any would do, as all points are the same\n", stream);
    } else if (is_word(data->lengthscale_rule, "median")) {
        fputs("median distance between the parties' points\n", stream);
    } else {
        fprintf(stream, "%s, %lld passes over the points\n",
                data->always_valid ? "the lower bound, as no smaller one makes a value negative"
                                   : "above it no party's own value is negative",
                (long long)data->passes);
    }
}

static void print_shapley(const cgm_report_data *data, FILE *stream)
{
    const bool enumerated = is_word(data->method, "enumerate");
    const bool efficient = is_word(data->semivalue, "shapley");
    fprintf(stream, "%-*s", LABEL, efficient ? "Shapley" : "semivalue");
    if (!efficient) {
        cgm_columns_print(stream, data->semivalue, 24);
        fputs(", ", stream);
    }
    fprintf(stream, "%s of %lld %s, error at most %.1e", enumerated ? "enumeration" : "quadrature",
            (long long)data->nodes, enumerated ? "coalitions" : "nodes", data->error_estimate);
    /* The others do not add up to the value of all parties, and need not. */
    if (efficient) {
        fprintf(stream, ", efficiency gap %.1e", data->efficiency_gap);
    }
    fputc('\n', stream);
}

static void print_reward(const cgm_report_data *data, FILE *stream)
{
    fprintf(stream, "%-*s", LABEL, "reward");
    cgm_columns_print(stream, data->condition, 20);
    fputs(", ", stream);
    cgm_columns_print(stream, data->reward_status, 20);
    if (!is_word(data->reward_status, "no_contribution")) {
        fprintf(stream, ": v* = %.10g, rho = %.10g", data->v_star, data->rho);
    }
    fputc('\n', stream);
    if (data->binding[0] != '\0') {
        fprintf(stream, "%*s", LABEL, "");
        cgm_columns_print_wrapped(stream, LABEL, data->binding);
    }
}

/* ---- all of it ---- */

static void print_table(void (*fill)(const cgm_report_data *, cgm_table *),
                        const cgm_report_data *data, FILE *stream)
{
    cgm_table table;
    fill(data, &table);
    cgm_table_print(&table, stream);
    cgm_table_destroy(&table);
}

static void print_measures(const cgm_report_data *data, FILE *stream)
{
    for (int k = 0; k < cgm_report_n_measures; k++) {
        if (cgm_report_has_measure(data, &cgm_report_measures[k])) {
            cgm_table table;
            cgm_report_table_measure(data, &cgm_report_measures[k], &table);
            cgm_table_print(&table, stream);
            cgm_table_destroy(&table);
        }
    }
    if (cgm_report_has_measures(data)) {
        print_table(cgm_report_table_correlations, data, stream);
    }
    if (cgm_report_compares_betas(data)) {
        print_table(cgm_report_table_along_beta, data, stream);
    }
}

void cgm_report_print_warnings(int64_t n_warnings, char *const *texts, FILE *stream)
{
    for (int64_t k = 0; k < n_warnings; k++) {
        fprintf(stream, "%-*s", LABEL, "warning");
        cgm_columns_print_wrapped(stream, LABEL, texts[k]);
    }
}

void cgm_report_print(const cgm_report_data *data, bool origin, FILE *stream)
{
    if (origin) {
        print_origin(data, stream);
    }
    print_projection(data, stream);
    print_lengthscale(data, stream);
    print_shapley(data, stream);
    print_reward(data, stream);
    print_table(cgm_report_table_parties, data, stream);
    if (data->single_error != NULL) {
        print_table(cgm_report_table_errors, data, stream);
    }
    print_table(cgm_report_table_rewards, data, stream);
    print_measures(data, stream);
    print_table(cgm_report_table_incentives, data, stream);
    print_table(cgm_report_table_stages, data, stream);
    fputc('\n', stream);
    cgm_report_print_warnings(data->n_warnings, data->warning_texts, stream);
    cgm_columns_print_line(stream, "results", data->path);
    fflush(stream);
}
