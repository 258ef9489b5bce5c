#include "cgm/report.h"

#include <stdlib.h>

#include "cgm/provenance.h"
#include "columns.h"
#include "option.h"
#include "report_data.h"
#include "report_json.h"
#include "report_page.h"
#include "report_tables.h"

enum { LABEL = CGM_COLUMNS_LABEL };

/* ---- of a run ---- */

void cgm_report_header(cgm_comm *comm, const cgm_run *run, FILE *stream)
{
    const cgm_shard *shard = &run->shard;
    int64_t hosts = comm->node_rank == 0;
    cgm_comm_sum(comm, &hosts, 1);
    if (comm->rank != 0) {
        return;
    }
    fprintf(stream, "cgm %s (%s)\n", cgm_version(), cgm_git_revision());
    cgm_columns_print_line(stream, "started", run->started);
    cgm_columns_print_line(stream, "command", run->command);
    fprintf(stream, "%-*s%d on %lld host%s, the first on ", LABEL, "ranks", comm->size,
            (long long)hosts, hosts == 1 ? "" : "s");
    cgm_columns_print(stream, comm->host, 50);
    fputc('\n', stream);
    cgm_columns_print_line(stream, "input", run->config->input_parties);
    cgm_report_print_sizes(shard->n_parties, shard->party_points, shard->n_features,
                           shard->has_labels, stream);
    if (run->config->input_candidates[0] != '\0') {
        cgm_columns_print_line(stream, "candidates", run->config->input_candidates);
    }
    char *options = cgm_config_text(comm, run->config, false);
    if (options != NULL) {
        cgm_report_print_candidates(run->candidates.n_points, options, stream);
        cgm_report_print_options(options, stream);
    }
    free(options);
    fputc('\n', stream);
    fflush(stream);
}

void cgm_report_results(cgm_comm *comm, const cgm_run *run, FILE *stream)
{
    if (comm->rank != 0) {
        return;
    }
    cgm_report_generator(comm, run, stream);
    /* The result is in place: what goes wrong now is no failure of the run. */
    cgm_comm probe = *comm;
    cgm_report_data data;
    if (cgm_report_of_run(&probe, run, &data) == CGM_OK) {
        cgm_report_print(&data, false, stream);
    } else {
        fprintf(stream, "%s; cgm report shows the tables\n", probe.error.message);
        cgm_columns_print_line(stream, "results", run->config->output_file);
    }
    cgm_report_data_destroy(&data);
    fflush(stream);
}

/* ---- of a result ---- */

typedef struct report_arguments {
    char *page;
    bool json;
} report_arguments;

static const cgm_option options[] = {
    {"--html", "", &cgm_option_path, offsetof(report_arguments, page), NULL, "a path",
     .help = "write a page for a browser into this file, which must not exist yet: one file that\n"
             "needs nothing else. Its figures are drawn by gnuplot; without it there are tables"},
    {"--json", "false", &cgm_option_flag, offsetof(report_arguments, json), NULL,
     "nothing, or =true, =false",
     .help = "write everything as JSON on standard output in place of tables; numbers that are\n"
             "missing are null, infinite ones are the texts \"inf\" and \"-inf\""},
};
enum { N_OPTIONS = sizeof options / sizeof options[0] };

static cgm_status show(cgm_comm *comm, const char *path, const report_arguments *asked)
{
    const bool wants_page = asked->page[0] != '\0';
    cgm_report_data data = {.path = path};
    cgm_status status = wants_page ? cgm_report_check_page(comm, asked->page) : CGM_OK;
    if (status == CGM_OK) {
        status = cgm_report_read(comm, path, &data);
    }
    if (status == CGM_OK && wants_page) {
        status = cgm_report_write_page(comm, &data, asked->page, asked->json ? NULL : stdout);
    }
    if (status == CGM_OK && asked->json) {
        cgm_report_write_json(&data, stdout);
    } else if (status == CGM_OK && !wants_page) {
        cgm_report_print(&data, true, stdout);
    }
    cgm_report_data_destroy(&data);
    return status;
}

/* Rank 0 alone. */
static cgm_status report_on_one(cgm_comm *comm, int n_arguments, char **given)
{
    report_arguments asked = {0};
    int n_files = 0;
    char **files = cgm_alloc(comm, n_arguments, sizeof *files);
    if (files == NULL) {
        return CGM_ERR_MEMORY;
    }
    cgm_status status =
        cgm_option_take(comm, options, N_OPTIONS, n_arguments, given, &asked, files, &n_files);
    if (status == CGM_OK && n_files != 1) {
        status = cgm_fail(comm, CGM_ERR_USAGE,
                          "report takes one result file: cgm report RESULT.h5 [--html FILE] "
                          "[--json]");
    }
    if (status == CGM_OK) {
        status = show(comm, files[0], &asked);
    }
    free(asked.page);
    free(files);
    return status;
}

cgm_status cgm_report(cgm_comm *comm, int n_arguments, char **arguments)
{
    const bool first = comm->rank == 0;
    return cgm_agree(comm, first ? report_on_one(comm, n_arguments, arguments) : CGM_OK);
}

void cgm_report_print_help(FILE *stream)
{
    fputs("RESULT.h5 is the output.file of a run. Without options the tables that the run printed\n"
          "are printed again. Options are --name VALUE or --name=VALUE.\n\n",
          stream);
    for (int k = 0; k < N_OPTIONS; k++) {
        cgm_option_print(&options[k], stream);
    }
}
