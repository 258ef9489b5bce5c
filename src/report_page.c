#include "report_page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/provenance.h"
#include "newfile.h"
#include "report_figures.h"
#include "report_svg.h"
#include "report_tables.h"

static const char OPTION[] = "--html";

/* ---- tables ---- */

static void write_groups(const cgm_table *table, FILE *page)
{
    bool any = false;
    for (int c = 0; c < table->n_columns; c++) {
        any = any || table->columns[c].group[0] != '\0';
    }
    if (!any) {
        return;
    }
    fputs("<tr class=\"groups\">", page);
    for (int c = 0; c < table->n_columns;) {
        int span = 1;
        const char *group = table->columns[c].group;
        while (c + span < table->n_columns && strcmp(table->columns[c + span].group, group) == 0) {
            span++;
        }
        if (group[0] == '\0') {
            fprintf(page, "<td colspan=\"%d\"></td>", span);
        } else {
            fprintf(page, "<th scope=\"colgroup\" colspan=\"%d\">", span);
            cgm_html_write(page, group);
            fputs("</th>", page);
        }
        c += span;
    }
    fputs("</tr>\n", page);
}

static void write_headings(const cgm_table *table, FILE *page)
{
    fputs("<thead>\n", page);
    write_groups(table, page);
    fputs("<tr>", page);
    for (int c = 0; c < table->n_columns; c++) {
        fprintf(page, "<th scope=\"col\"%s>", table->columns[c].is_text ? " class=\"text\"" : "");
        cgm_html_write(page, table->columns[c].heading);
        fputs("</th>", page);
    }
    fputs("</tr>\n</thead>\n", page);
}

static void write_cell(const cgm_table_column *column, const char *text, FILE *page)
{
    const bool no = column->is_text && strcmp(text, "NO") == 0;
    const char *kind = no                                      ? " class=\"text no\""
                       : column->is_text && column->width == 0 ? " class=\"text long\""
                       : column->is_text                       ? " class=\"text\""
                                                               : "";
    fprintf(page, "<td%s>", kind);
    cgm_html_write(page, text);
    fputs("</td>", page);
}

static void write_row(const cgm_table *table, const cgm_table_row *row, FILE *page)
{
    if (row->kind == CGM_TABLE_SECTION) {
        fprintf(page, "<tr class=\"section\"><th scope=\"rowgroup\" colspan=\"%d\">",
                table->n_columns);
        cgm_html_write(page, row->cells[0]);
        fputs("</th></tr>\n", page);
        return;
    }
    fprintf(page, "<tr%s><th scope=\"row\"><bdi>",
            row->kind == CGM_TABLE_TOTAL ? " class=\"total\"" : "");
    cgm_html_write(page, row->cells[0]);
    fputs("</bdi></th>", page);
    for (int c = 1; c < table->n_columns; c++) {
        write_cell(&table->columns[c], row->cells[c] != NULL ? row->cells[c] : "", page);
    }
    fputs("</tr>\n", page);
}

void cgm_report_write_table(const cgm_table *table, FILE *page)
{
    fputs("<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"", page);
    cgm_html_write(page, table->title);
    fputs("\">\n<table>\n<caption>", page);
    cgm_html_write(page, table->title);
    fputs("</caption>\n", page);
    write_headings(table, page);
    fputs("<tbody>\n", page);
    for (int64_t k = 0; k < table->n_rows; k++) {
        if (table->rows[k].kind == CGM_TABLE_SECTION && k > 0) {
            fputs("</tbody>\n<tbody>\n", page);
        }
        write_row(table, &table->rows[k], page);
    }
    fputs("</tbody>\n</table>\n</div>\n", page);
    for (int k = 0; k < table->n_notes; k++) {
        fputs("<p class=\"notes\">", page);
        cgm_html_write(page, table->notes[k]);
        fputs("</p>\n", page);
    }
}

static void put_table(const cgm_figures *to, void (*fill)(const cgm_report_data *, cgm_table *))
{
    cgm_table table;
    fill(to->data, &table);
    cgm_report_write_table(&table, to->page);
    cgm_table_destroy(&table);
}

/* ---- the head ---- */

static void write_text(FILE *page, const char *before, const char *text, const char *after)
{
    fputs(before, page);
    cgm_html_write(page, text);
    fputs(after, page);
}

static void write_fact(FILE *page, const char *term, const char *format, double number)
{
    char text[64];
    snprintf(text, sizeof text, format, number);
    fprintf(page, "<div><dt>%s</dt><dd>%s</dd></div>\n", term, isnan(number) ? "–" : text);
}

static void write_status(const cgm_report_data *data, FILE *page)
{
    const bool complete = strcmp(data->status, "complete") == 0;
    int64_t holding = 0;
    for (int64_t k = 0; k < data->n_incentives; k++) {
        holding += data->incentives[k].holds;
    }
    fprintf(page, "<div><dt>Rewards</dt><dd%s>", complete ? "" : " class=\"no\"");
    cgm_html_write(page, strcmp(data->status, "no_contribution") == 0 ? "none" : data->status);
    fprintf(page, "</dd></div>\n<div><dt>Incentives that hold</dt><dd%s>%lld of %lld</dd></div>\n",
            holding == data->n_incentives ? "" : " class=\"no\"", (long long)holding,
            (long long)data->n_incentives);
}

static void write_head(const cgm_report_data *data, FILE *page)
{
    const char *plural = data->n_parties == 1 ? "party" : "parties";
    fputs("<!DOCTYPE html>\n"
          "<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n"
          "<meta charset=\"utf-8\"/>\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
          "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
          /* Even what should not be there could load nothing. */
          "<meta http-equiv=\"Content-Security-Policy\" "
          "content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n",
          page);
    fprintf(page, "<title>Rewards of %lld %s</title>\n", (long long)data->n_parties, plural);
    cgm_report_write_style(page);
    fputs("</head>\n<body>\n<header>\n", page);
    fprintf(page, "<h1>Rewards of %lld %s</h1>\n", (long long)data->n_parties, plural);
    write_text(page, "<p class=\"origin\"><bdi>", data->path, "</bdi>, ");
    write_text(page, "made by cgm ", data->version, "");
    write_text(page, " (", data->git, ") on ");
    cgm_html_write(page, data->started);
    fputs("</p>\n<dl class=\"facts\">\n", page);
    write_fact(page, "Parties", "%.0f", (double)data->n_parties);
    write_fact(page, "Points", "%.0f", (double)data->total_points);
    write_fact(page, "Features", "%.0f", (double)data->n_features);
    if (data->n_components > 0) {
        write_fact(page, "Components", "%.0f", (double)data->n_components);
    }
    write_fact(page, "Candidates", "%.0f", (double)data->n_candidates);
    write_fact(page, "Largest reward v*", "%.4g", data->v_star);
    write_fact(page, "Fairness ρ", "%.4g", data->rho);
    write_status(data, page);
    fputs("</dl>\n</header>\n", page);
}

static void write_navigation(const cgm_report_data *data, FILE *page)
{
    fputs("<nav aria-label=\"Sections\">\n<ul>\n"
          "<li><a href=\"#summary\">Summary</a></li>\n"
          "<li><a href=\"#contributions\">Contributions and rewards</a></li>\n"
          "<li><a href=\"#sampling\">Sampling</a></li>\n",
          page);
    if (data->picture != NULL) {
        fputs("<li><a href=\"#points\">Data and rewards</a></li>\n", page);
    }
    if (cgm_report_has_measures(data)) {
        fputs("<li><a href=\"#measures\">Measures</a></li>\n", page);
    }
    fputs("<li><a href=\"#certificate\">Certificate</a></li>\n"
          "<li><a href=\"#time\">Time</a></li>\n"
          "<li><a href=\"#run\">Options and run</a></li>\n"
          "</ul>\n</nav>\n",
          page);
}

static void open_section(FILE *page, const char *name, const char *heading)
{
    fprintf(page,
            "<section id=\"%s\" aria-labelledby=\"%s-heading\">\n<h2 id=\"%s-heading\">%s</h2>\n",
            name, name, name, heading);
}

static void close_section(FILE *page)
{
    fputs("</section>\n", page);
}

/* ---- sections ---- */

static void put_summary(cgm_figures *to)
{
    const cgm_report_data *data = to->data;
    FILE *page = to->page;
    open_section(page, "summary", "Summary");
    cgm_report_write_summary(data, page);
    if (data->n_warnings > 0) {
        fputs("<h3>Warnings</h3>\n<ul class=\"warnings\">\n", page);
        for (int64_t k = 0; k < data->n_warnings; k++) {
            write_text(page, "<li>", data->warning_texts[k], " <code>");
            write_text(page, "", data->warning_codes[k], "</code></li>\n");
        }
        fputs("</ul>\n", page);
    }
    close_section(page);
}

static void put_lost(const cgm_report_data *data, FILE *page)
{
    int64_t shown = 0;
    for (int64_t i = 0; data->lost != NULL && i < data->n_parties && shown < 20; i++) {
        if (data->lost[i][0] == '\0') {
            continue;
        }
        fputs(shown++ == 0 ? "<h3>What parties lose</h3>\n<ul>\n" : "", page);
        write_text(page, "<li><bdi>", data->names[i], "</bdi>: ");
        write_text(page, "", data->lost[i], "</li>\n");
    }
    fputs(shown > 0 ? "</ul>\n" : "", page);
    if (shown == 20) {
        fputs("<p class=\"notes\">The first 20; /reward/lost of the result has all.</p>\n", page);
    }
}

static void put_contributions(cgm_figures *to)
{
    open_section(to->page, "contributions", "Contributions and rewards");
    cgm_figure_rewards(to);
    cgm_figure_shapley(to);
    put_table(to, cgm_report_table_parties);
    if (to->data->single_error != NULL) {
        put_table(to, cgm_report_table_errors);
    }
    put_lost(to->data, to->page);
    close_section(to->page);
}

static void put_sampling(cgm_figures *to)
{
    open_section(to->page, "sampling", "Sampling");
    cgm_figure_draws(to);
    put_table(to, cgm_report_table_rewards);
    close_section(to->page);
}

static void put_points(cgm_figures *to)
{
    const cgm_picture *picture = to->data->picture;
    if (picture == NULL) {
        return;
    }
    open_section(to->page, "points", "Data and rewards");
    fprintf(to->page,
            "<p>No record of a party is shown: its data appear as numbers of points in cells of a "
            "coarse grid, and a cell with fewer than %d of them is left blank. Synthetic points "
            "appear as they are.",
            CGM_PICTURE_LEAST);
    if (to->data->n_parties > picture->n_shown) {
        fprintf(to->page,
                " Of %lld parties, %lld are shown: those of the largest φ and those of the "
                "smallest.",
                (long long)to->data->n_parties, (long long)picture->n_shown);
    }
    write_text(to->page, " Axes: ", picture->axes[0], "");
    write_text(to->page, picture->n_axes > 1 ? " and " : "",
               picture->n_axes > 1 ? picture->axes[1] : "",
               strncmp(picture->axes[0], "pc", 2) == 0
                   ? ", the leading principal components of all parties’ data together"
               : to->data->n_features > 2 ? ", those of the largest variance"
                                          : "");
    fputs(to->data->n_components > 0
              ? ", on which the features were projected.</p>\n"
              : ", in the unit of the input; features are counted from 0.</p>\n",
          to->page);
    cgm_figure_points(to);
    close_section(to->page);
}

static void put_measures(cgm_figures *to)
{
    if (!cgm_report_has_measures(to->data)) {
        return;
    }
    open_section(to->page, "measures", "Measures");
    cgm_figure_measures(to);
    put_table(to, cgm_report_table_correlations);
    fputs("<details>\n<summary>Measures of each party</summary>\n", to->page);
    for (int k = 0; k < cgm_report_n_measures; k++) {
        if (cgm_report_has_measure(to->data, &cgm_report_measures[k])) {
            cgm_table table;
            cgm_report_table_measure(to->data, &cgm_report_measures[k], &table);
            cgm_report_write_table(&table, to->page);
            cgm_table_destroy(&table);
        }
    }
    if (cgm_report_compares_betas(to->data)) {
        put_table(to, cgm_report_table_along_beta);
    }
    fputs("</details>\n", to->page);
    close_section(to->page);
}

static void put_certificate(cgm_figures *to)
{
    open_section(to->page, "certificate", "Certificate");
    fputs("<p>Whether an incentive holds is about the rewards r that were set. The last synthetic "
          "point drawn overshoots them, so what was reached stands beside it and is no judgement."
          "</p>\n",
          to->page);
    put_table(to, cgm_report_table_incentives);
    close_section(to->page);
}

static void put_time(cgm_figures *to)
{
    open_section(to->page, "time", "Time");
    cgm_figure_stages(to);
    put_table(to, cgm_report_table_stages);
    close_section(to->page);
}

/* ---- options and run ---- */

static void put_value(FILE *page, const char *key, const char *text)
{
    write_text(page, "<tr><th scope=\"row\">", key, "</th><td class=\"value\"><bdi>");
    write_text(page, "", text, "</bdi></td></tr>\n");
}

static void put_checksum(FILE *page, const char *key, uint64_t checksum)
{
    char text[32];
    snprintf(text, sizeof text, "%016llx", (unsigned long long)checksum);
    put_value(page, key, text);
}

static void put_record(const cgm_report_data *data, FILE *page)
{
    char text[128];
    fputs("<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"The run\">\n<table>\n"
          "<caption>The run</caption>\n<tbody>\n",
          page);
    put_value(page, "command", data->command);
    put_value(page, "started", data->started);
    put_value(page, "finished", data->finished);
    snprintf(text, sizeof text, "%lld of %lld threads", (long long)data->mpi_size,
             (long long)data->threads);
    put_value(page, "ranks", text);
    put_value(page, "hosts", data->hosts);
    put_value(page, "instruction set", data->instruction_set);
    put_value(page, "taken over", data->reused);
    put_checksum(page, "checksum of the input", data->input_checksum);
    put_checksum(page, "checksum of the result", data->result_checksum);
    fputs("</tbody>\n</table>\n</div>\n", page);
}

static void put_options(const cgm_report_data *data, FILE *page)
{
    const char *at = data->options;
    cgm_report_option option = {.section = NULL};
    fputs("<details>\n<summary>Options</summary>\n"
          "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"Options\">\n<table>\n"
          "<caption>Options of the run</caption>\n<tbody>\n",
          page);
    while (cgm_report_next_option(&at, &option)) {
        char key[CGM_MESSAGE_MAX];
        snprintf(key, sizeof key, "%.*s.%.*s", option.section_length, option.section,
                 option.key_length, option.key);
        char *value = strndup(option.value, (size_t)option.value_length);
        put_value(page, key, value != NULL ? value : "");
        free(value);
    }
    fputs("</tbody>\n</table>\n</div>\n</details>\n", page);
}

static void put_run(cgm_figures *to)
{
    open_section(to->page, "run", "Options and run");
    put_options(to->data, to->page);
    put_record(to->data, to->page);
    close_section(to->page);
}

static void write_foot(const cgm_figures *to)
{
    if (to->n_missing > 0) {
        fprintf(to->page,
                "<p id=\"no-figures\" class=\"notes\">%lld figures are missing, because %s.</p>\n",
                (long long)to->n_missing,
                to->no_gnuplot ? "gnuplot, which draws them, is not installed; with it (Debian: "
                                 "gnuplot-nox) cgm report draws them"
                               : "gnuplot could not draw them");
    }
    fprintf(to->page,
            "</main>\n<footer>\n<p>Written by cgm report %s (%s). The page is complete "
            "in itself and loads nothing.</p>\n</footer>\n</body>\n</html>\n",
            cgm_version(), cgm_git_revision());
}

/* ---- the file ---- */

static void (*const sections[])(cgm_figures *) = {
    put_summary,  put_contributions, put_sampling, put_points,
    put_measures, put_certificate,   put_time,     put_run,
};

cgm_status cgm_report_check_page(cgm_comm *comm, const char *path)
{
    cgm_status status = cgm_newfile_check_directory(comm, path, OPTION);
    return status == CGM_OK ? cgm_newfile_check(comm, path, OPTION) : status;
}

static void tell(const cgm_figures *to, const char *path, FILE *said)
{
    fprintf(said, "page          %s, %lld figures", path, (long long)to->n_drawn);
    if (to->n_missing > 0) {
        fprintf(said, "; %lld are missing, %s", (long long)to->n_missing,
                to->no_gnuplot ? "as gnuplot is not installed (Debian: gnuplot-nox)"
                               : "as gnuplot could not draw them");
    }
    fputc('\n', said);
}

cgm_status cgm_report_write_page(cgm_comm *comm, cgm_report_data *data, const char *path,
                                 FILE *said)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *page = open_memstream(&text, &bytes);
    if (page == NULL) {
        return cgm_fail(comm, CGM_ERR_MEMORY, "no memory for a page");
    }
    cgm_figures figures;
    cgm_figures_begin(comm, data, page, &figures);
    write_head(data, page);
    write_navigation(data, page);
    fputs("<main>\n", page);
    for (size_t k = 0; k < sizeof sections / sizeof sections[0] && figures.status == CGM_OK; k++) {
        sections[k](&figures);
    }
    write_foot(&figures);
    cgm_status status = figures.status;
    if (fclose(page) != 0 && status == CGM_OK) {
        status = cgm_fail(comm, CGM_ERR_MEMORY, "no memory for a page");
    }
    if (status == CGM_OK) {
        const cgm_newfile file = {.path = path, .option = OPTION, .mode = 0640};
        status = cgm_newfile_write_text(comm, &file, text, bytes);
    }
    free(text);
    if (status == CGM_OK && said != NULL) {
        tell(&figures, path, said);
    }
    return status;
}
