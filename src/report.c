#include "cgm/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/provenance.h"
#include "cgm/text.h"

/* Widest line; values of β in the table of rewards. */
enum { LINE_COLUMNS = 100, BETAS_MAX = 4 };
/* Parties that tables show all of, and of more those of the largest and of the smallest φ. */
enum { ROWS_MAX = 50, ROWS_LARGEST = 10, ROWS_SMALLEST = 5 };
enum { LABEL_COLUMNS = 14, NAME_COLUMNS = 20, CERTIFICATE_COLUMNS = 53 };

/* ---- text in columns ---- */

/* What follows the character, or the byte that is none, at text. */
static const char *next_character(const char *text)
{
    const size_t bytes = cgm_text_printable(text);
    return text + (bytes > 0 ? bytes : 1);
}

/* Columns of a text up to its end or, as a word, its next blank. */
static int64_t count_columns(const char *text, bool word)
{
    int64_t columns = 0;
    while (*text != '\0' && !(word && *text == ' ')) {
        text = next_character(text);
        columns++;
    }
    return columns;
}

/* At most so many columns of a text, with … for what is left out. Returns the columns printed. */
static int64_t print_cut(FILE *stream, const char *text, int64_t columns)
{
    const bool cut = count_columns(text, false) > columns;
    int64_t printed = 0;
    for (; *text != '\0' && printed < columns - cut; printed++) {
        text = cgm_text_print(stream, text);
    }
    if (cut) {
        fputs("…", stream);
        printed++;
    }
    return printed;
}

static void print_name(FILE *stream, const char *name)
{
    int64_t printed = print_cut(stream, name, NAME_COLUMNS);
    fprintf(stream, "%*s", (int)(NAME_COLUMNS - printed), "");
}

/* A label and as much of the rest as a line holds. */
static void print_line(FILE *stream, const char *label, const char *text)
{
    fprintf(stream, "%-*s", LABEL_COLUMNS, label);
    print_cut(stream, text, LINE_COLUMNS - LABEL_COLUMNS);
    fputc('\n', stream);
}

/* A text from a column on, over as many lines as it needs: broken at blanks, inside a word only if
 * no line holds it. */
static void print_wrapped(FILE *stream, int indent, const char *text)
{
    const int64_t room = LINE_COLUMNS - indent;
    int64_t column = 0;
    while (*text != '\0') {
        text += strspn(text, " ");
        const int64_t word = count_columns(text, true);
        if (column > 0 && column + 1 + word > room) {
            fprintf(stream, "\n%*s", indent, "");
            column = 0;
        } else if (column > 0 && word > 0) {
            fputc(' ', stream);
            column++;
        }
        for (int64_t k = 0; k < word; k++, column++) {
            if (column == room) {
                fprintf(stream, "\n%*s", indent, "");
                column = 0;
            }
            text = cgm_text_print(stream, text);
        }
    }
    fputc('\n', stream);
}

/* ---- before the work ---- */

static const char *plural(int64_t count)
{
    return count == 1 ? "" : "s";
}

static void print_input(const cgm_run *run, FILE *stream)
{
    const cgm_shard *shard = &run->shard;
    int64_t least = shard->n_parties > 0 ? shard->party_points[0] : 0;
    int64_t most = least;
    for (int64_t i = 1; i < shard->n_parties; i++) {
        least = shard->party_points[i] < least ? shard->party_points[i] : least;
        most = shard->party_points[i] > most ? shard->party_points[i] : most;
    }
    print_line(stream, "input", run->config->input_parties);
    fprintf(stream, "%-*s%lld %s of %lld", LABEL_COLUMNS, "", (long long)shard->n_parties,
            shard->n_parties == 1 ? "party" : "parties", (long long)least);
    if (least < most) {
        fprintf(stream, " .. %lld", (long long)most);
    }
    fprintf(stream, " point%s, %lld in all, %lld feature%s, %s\n", plural(most),
            (long long)shard->n_points, (long long)shard->n_features, plural(shard->n_features),
            shard->has_labels ? "labels" : "no labels");
    if (run->config->input_candidates[0] != '\0') {
        print_line(stream, "candidates", run->config->input_candidates);
    }
    fprintf(stream, "%-*s%lld candidate%s\n", LABEL_COLUMNS, "",
            (long long)run->candidates.n_points, plural(run->candidates.n_points));
}

static void print_options(cgm_comm *comm, const cgm_run *run, FILE *stream)
{
    char *text = cgm_config_text(comm, run->config, false);
    char *rest = text;
    /* The lines of the options that decide what is computed, in the words of the config. */
    static const char *const shown[] = {"lengthscale", "condition", "inv_temp", "patience", "seed"};
    for (char *line = rest != NULL ? strtok_r(text, "\n", &rest) : NULL; line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        size_t length = strcspn(line, " ");
        for (size_t k = 0; k < sizeof shown / sizeof shown[0]; k++) {
            if (strlen(shown[k]) == length && strncmp(line, shown[k], length) == 0) {
                print_line(stream, shown[k], line + length + strspn(line + length, " ="));
            }
        }
    }
    free(text);
}

void cgm_report_header(cgm_comm *comm, const cgm_run *run, FILE *stream)
{
    int64_t hosts = comm->node_rank == 0;
    cgm_comm_sum(comm, &hosts, 1);
    if (comm->rank != 0) {
        return;
    }
    fprintf(stream, "cgm %s (%s)\n", cgm_version(), cgm_git_revision());
    print_line(stream, "started", run->started);
    print_line(stream, "command", run->command);
    fprintf(stream, "%-*s%d on %lld host%s, the first on ", LABEL_COLUMNS, "ranks", comm->size,
            (long long)hosts, plural(hosts));
    print_cut(stream, comm->host, 50);
    fputc('\n', stream);
    print_input(run, stream);
    print_options(comm, run, stream);
    fputc('\n', stream);
    fflush(stream);
}

/* ---- after the work ---- */

/* The parties that a table shows: all, or those of the largest and of the smallest φ. */
typedef struct shown_parties {
    int64_t count;
    int64_t party[ROWS_MAX];
} shown_parties;

/* Keeps the most parties of the largest sign·φ in descending order, of equal ones the first. */
static void keep_largest(const double *phi, double sign, int64_t party, int64_t *kept,
                         int64_t *count, int64_t most)
{
    int64_t place = *count;
    while (place > 0 && sign * phi[party] > sign * phi[kept[place - 1]]) {
        place--;
    }
    if (place == most) {
        return;
    }
    int64_t last = *count < most ? (*count)++ : most - 1;
    memmove(&kept[place + 1], &kept[place], (size_t)(last - place) * sizeof *kept);
    kept[place] = party;
}

static bool are_all_shown(const cgm_run *run)
{
    return run->shard.n_parties <= ROWS_MAX;
}

static void choose_shown(const cgm_run *run, shown_parties *shown)
{
    const int64_t n = run->shard.n_parties;
    shown->count = are_all_shown(run) ? n : ROWS_LARGEST + ROWS_SMALLEST;
    for (int64_t i = 0; i < shown->count; i++) {
        shown->party[i] = i;
    }
    if (are_all_shown(run)) {
        return;
    }
    int64_t large = 0;
    int64_t small = 0;
    int64_t smallest[ROWS_SMALLEST] = {0};
    for (int64_t i = 0; i < n; i++) {
        keep_largest(run->shapley.phi, 1.0, i, shown->party, &large, ROWS_LARGEST);
        keep_largest(run->shapley.phi, -1.0, i, smallest, &small, ROWS_SMALLEST);
    }
    for (int64_t k = 0; k < ROWS_SMALLEST; k++) {
        shown->party[shown->count - 1 - k] = smallest[k];
    }
}

/* ---- how numbers are distributed over the parties ---- */

enum { N_QUANTILES = 7, COLUMNS_MAX = 2 * BETAS_MAX };
static const double quantiles[N_QUANTILES] = {0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0};
static const char *const quantile_names[N_QUANTILES] = {"smallest", "5 %",  "25 %",   "median",
                                                        "75 %",     "95 %", "largest"};

/* A number of party i in a column of a table. */
typedef double party_number(const cgm_run *run, int64_t column, int64_t i);

static int compare_numbers(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Lines of quantiles below a table that does not show all parties; formats [n_columns] of a double
 * each. sorted [n_parties] is work space, NULL: there was none. */
static void print_quantiles(const cgm_run *run, party_number *number, int64_t n_columns,
                            const char *const *formats, double *sorted, FILE *stream)
{
    const int64_t n = run->shard.n_parties;
    double table[N_QUANTILES][COLUMNS_MAX];
    if (are_all_shown(run) || sorted == NULL) {
        return;
    }
    for (int64_t c = 0; c < n_columns; c++) {
        for (int64_t i = 0; i < n; i++) {
            sorted[i] = number(run, c, i);
        }
        qsort(sorted, (size_t)n, sizeof *sorted, compare_numbers);
        for (int q = 0; q < N_QUANTILES; q++) {
            table[q][c] = sorted[llround(quantiles[q] * (double)(n - 1))];
        }
    }
    fprintf(stream, "over all %lld parties, each column by itself:\n", (long long)n);
    for (int q = 0; q < N_QUANTILES; q++) {
        fprintf(stream, "%-*s", NAME_COLUMNS, quantile_names[q]);
        for (int64_t c = 0; c < n_columns; c++) {
            fprintf(stream, formats[c], table[q][c]);
        }
        fputc('\n', stream);
    }
}

static double party_column(const cgm_run *run, int64_t column, int64_t i)
{
    const double *const columns[] = {run->values.single, run->values.ceiling, run->shapley.phi,
                                     run->shapley.alpha, run->reward.r};
    return column == 0 ? (double)run->shard.party_points[i] : columns[column - 1][i];
}

/* For each β the number of synthetic points, and v with them. */
static double reward_column(const cgm_run *run, int64_t column, int64_t i)
{
    const int64_t b = column / 2;
    const int64_t *offsets = run->sampling.sets[b].offsets;
    return column % 2 == 0 ? (double)(offsets[i + 1] - offsets[i])
                           : run->incentives.realised[b * run->shard.n_parties + i];
}

static int64_t n_shown_betas(const cgm_run *run)
{
    return run->sampling.n_sets < BETAS_MAX ? run->sampling.n_sets : BETAS_MAX;
}

static bool are_points_equal(const cgm_run *run)
{
    for (int64_t f = 0; f < run->shard.n_features; f++) {
        if (run->spread.range[f] > 0.0) {
            return false;
        }
    }
    return true;
}

static void print_lengthscale(const cgm_run *run, FILE *stream)
{
    const cgm_lengthscale *chosen = &run->lengthscale;
    if (run->kernel.feature_lengthscales != NULL) {
        print_line(stream, "lengthscale", "one a feature, given");
        return;
    }
    fprintf(stream, "%-*s%.10g, ", LABEL_COLUMNS, "lengthscale", chosen->value);
    if (chosen->rule == CGM_LENGTHSCALE_GIVEN) {
        fputs("given\n", stream);
    } else if (are_points_equal(run)) {
        fputs("any would do, as all points are the same\n", stream);
    } else if (chosen->rule == CGM_LENGTHSCALE_MEDIAN) {
        fputs("median distance between the parties' points\n", stream);
    } else {
        fprintf(stream, "%s, %lld passes over the points\n",
                chosen->always_valid ? "the lower bound, as no smaller one makes a value negative"
                                     : "above it no party's own value is negative",
                (long long)chosen->passes);
    }
}

static void print_projection(const cgm_run *run, FILE *stream)
{
    const cgm_features *features = &run->features;
    double explained = 0.0;
    for (int64_t k = 0; k < features->n_components; k++) {
        explained += features->explained_variance[k];
    }
    if (features->n_components > 0 && features->total_variance > 0.0) {
        fprintf(stream, "%-*s%lld projected on %lld component%s, with %.4g %% of the variance\n",
                LABEL_COLUMNS, "features", (long long)features->n_features,
                (long long)features->n_components, plural(features->n_components),
                100.0 * explained / features->total_variance);
    }
}

static void print_shapley(const cgm_run *run, FILE *stream)
{
    const cgm_shapley *shapley = &run->shapley;
    const cgm_semivalue *semivalue = &run->config->semivalue;
    const bool enumerated = shapley->method == CGM_SHAPLEY_ENUMERATE;
    const bool efficient = semivalue->kind == CGM_SEMIVALUE_SHAPLEY;
    char name[CGM_SEMIVALUE_TEXT];
    cgm_semivalue_text(semivalue, name);
    fprintf(stream, "%-*s", LABEL_COLUMNS, efficient ? "Shapley" : "semivalue");
    if (!efficient) {
        fprintf(stream, "%s, ", name);
    }
    fprintf(stream, "%s of %lld %s, error at most %.1e", enumerated ? "enumeration" : "quadrature",
            (long long)shapley->nodes, enumerated ? "coalitions" : "nodes",
            shapley->error_estimate);
    /* The others do not add up to the value of all parties, and need not. */
    if (efficient) {
        fprintf(stream, ", efficiency gap %.1e", shapley->efficiency_gap);
    }
    fputc('\n', stream);
}

static void print_summary(const cgm_run *run, FILE *stream)
{
    const cgm_reward *reward = &run->reward;
    print_projection(run, stream);
    print_lengthscale(run, stream);
    print_shapley(run, stream);
    fprintf(stream, "%-*s%s, %s", LABEL_COLUMNS, "reward",
            cgm_reward_condition_name(reward->condition), cgm_reward_status_name(reward->status));
    if (reward->status != CGM_REWARD_NO_CONTRIBUTION) {
        fprintf(stream, ": v* = %.10g, rho = %.10g", reward->v_star, reward->rho);
    }
    fputc('\n', stream);
    if (reward->binding[0] != '\0') {
        fprintf(stream, "%*s", LABEL_COLUMNS, "");
        print_wrapped(stream, LABEL_COLUMNS, reward->binding);
    }
}

static void print_subset_note(const cgm_run *run, FILE *stream)
{
    if (!are_all_shown(run)) {
        fprintf(stream,
                "(of %lld parties the %d of the largest and the %d of the smallest phi; all are in "
                "the output)\n",
                (long long)run->shard.n_parties, ROWS_LARGEST, ROWS_SMALLEST);
    }
}

static void print_parties(const cgm_run *run, const shown_parties *shown, double *work,
                          FILE *stream)
{
    static const char *const formats[] = {" %11.0f", " %12.6g", " %12.6g",
                                          " %12.6g", " %9.6f",  " %12.6g"};
    fprintf(stream, "\n%-*s %11s %12s %12s %12s %9s %12s\n", NAME_COLUMNS, "party", "points", "v",
            "ceiling", "phi", "alpha", "r");
    for (int64_t k = 0; k < shown->count; k++) {
        int64_t i = shown->party[k];
        print_name(stream, run->shard.names[i]);
        fprintf(stream, " %11lld %12.6g %12.6g %12.6g %9.6f %12.6g\n",
                (long long)run->shard.party_points[i], run->values.single[i],
                run->values.ceiling[i], run->shapley.phi[i], run->shapley.alpha[i],
                run->reward.r[i]);
    }
    print_subset_note(run, stream);
    print_quantiles(run, party_column, 6, formats, work, stream);
}

/* Name, then for each β the number of synthetic points and v with them. */
static void print_rewards(const cgm_run *run, const shown_parties *shown, double *work,
                          FILE *stream)
{
    static const char *const formats[COLUMNS_MAX] = {" %7.0f", " %9.5g ", " %7.0f", " %9.5g ",
                                                     " %7.0f", " %9.5g ", " %7.0f", " %9.5g "};
    const int64_t n_betas = n_shown_betas(run);
    bool short_of_target = false;
    fprintf(stream, "\n%-*s", NAME_COLUMNS, "synthetic points");
    for (int64_t b = 0; b < n_betas; b++) {
        char heading[32];
        snprintf(heading, sizeof heading, "beta %g", run->sampling.sets[b].inv_temp);
        fprintf(stream, " %18s", heading);
    }
    fprintf(stream, "\n%-*s", NAME_COLUMNS, "party");
    for (int64_t b = 0; b < n_betas; b++) {
        fprintf(stream, " %7s %10s", "number", "v ");
    }
    fputc('\n', stream);
    for (int64_t k = 0; k < shown->count; k++) {
        int64_t i = shown->party[k];
        print_name(stream, run->shard.names[i]);
        for (int64_t b = 0; b < n_betas; b++) {
            const cgm_reward_set *set = &run->sampling.sets[b];
            bool reached = set->reached[i] != 0;
            short_of_target = short_of_target || !reached;
            fprintf(stream, " %7lld %9.5g%c", (long long)(set->offsets[i + 1] - set->offsets[i]),
                    run->incentives.realised[b * run->shard.n_parties + i], reached ? ' ' : '*');
        }
        fputc('\n', stream);
    }
    if (short_of_target) {
        fputs("* target r not reached: the reward ends at the largest v found\n", stream);
    }
    print_subset_note(run, stream);
    print_quantiles(run, reward_column, 2 * n_betas, formats, work, stream);
    if (n_betas < run->sampling.n_sets) {
        fprintf(stream, "(the first %lld of %lld values of beta; all are in the output)\n",
                (long long)n_betas, (long long)run->sampling.n_sets);
    }
}

/* The incentives on r, then what the values reached make of them. */
static void print_certificate(const cgm_run *run, FILE *stream)
{
    fprintf(stream, "\n%-23s %-5s %10s %10s  %s\n", "incentive", "holds", "violation", "realised",
            "closest");
    for (int k = 0; k < CGM_N_INCENTIVES; k++) {
        const cgm_incentive_row *row = &run->incentives.rows[k];
        fprintf(stream, "%-23s %-5s %10.3g %10.3g  ", cgm_incentive_name((cgm_incentive)k),
                row->holds ? "yes" : "NO", row->violation, row->realised);
        print_wrapped(stream, CERTIFICATE_COLUMNS, row->detail);
    }
}

static void print_timings(const cgm_timer *timer, FILE *stream)
{
    double total = 0.0;
    for (int64_t k = 0; k < timer->n_stages; k++) {
        total += timer->stages[k].max;
    }
    fprintf(stream, "\n%-14s %9s %9s %9s %7s %6s %12s %9s %9s\n", "stage", "min s", "mean s",
            "max s", "slowest", "share", "evaluations", "sent MB", "peak MB");
    for (int64_t k = 0; k < timer->n_stages; k++) {
        const cgm_stage_time *stage = &timer->stages[k];
        fprintf(stream, "%-14s %9.3f %9.3f %9.3f %7lld %5.1f%% %12.4g %9.4g %9.4g\n", stage->name,
                stage->min, stage->mean, stage->max, (long long)stage->slowest_rank,
                total > 0.0 ? 100.0 * stage->max / total : 0.0,
                (double)stage->total_work.kernel_evaluations,
                1e-6 * (double)stage->total_work.bytes_sent,
                1e-6 * (double)stage->largest_peak_memory);
    }
    fprintf(stream, "%-14s %9s %9s %9.3f  (of each rank: /timings/rank_*)\n\n", "total", "", "",
            total);
}

void cgm_report_results(cgm_comm *comm, const cgm_run *run, FILE *stream)
{
    if (comm->rank != 0) {
        return;
    }
    shown_parties shown;
    choose_shown(run, &shown);
    double *work = malloc((size_t)run->shard.n_parties * sizeof *work);
    print_summary(run, stream);
    print_parties(run, &shown, work, stream);
    print_rewards(run, &shown, work, stream);
    free(work);
    print_certificate(run, stream);
    print_timings(&run->timer, stream);
    for (int64_t k = 0; k < run->warnings.count; k++) {
        fprintf(stream, "%-*s", LABEL_COLUMNS, "warning");
        print_wrapped(stream, LABEL_COLUMNS, run->warnings.text[k]);
    }
    print_line(stream, "results", run->config->output_file);
    fflush(stream);
}
