#include "cgm/generate.h"

#include <stdlib.h>
#include <string.h>

#include "cgm/pipeline.h"
#include "cgm/provenance.h"
#include "cgm/report.h"
#include "features_file.h"
#include "newfile.h"
#include "option.h"
#include "output_pool.h"
#include "report_tables.h"
#include "writer.h"

typedef struct generate_arguments {
    char *out;
} generate_arguments;

static const cgm_option options[] = {
    {"--out", NULL, &cgm_option_path, offsetof(generate_arguments, out), NULL, "a path; required",
     .help = "HDF5 file to write; an existing one is never replaced"},
};

enum { N_OPTIONS = sizeof options / sizeof options[0] };

/* ---- the command line ---- */

/* Options of this command have no section. */
static bool is_own(const char *argument)
{
    return strncmp(argument, "--", 2) == 0 && strcspn(argument, ".") >= strcspn(argument, "=");
}

/* Sorts the arguments into those of this command and those of the configuration.
 * own, others [n_arguments] */
static void sort_arguments(int n_arguments, char **arguments, char **own, int *n_own, char **others,
                           int *n_others)
{
    for (int k = 0; k < n_arguments; k++) {
        if (!is_own(arguments[k])) {
            others[(*n_others)++] = arguments[k];
            continue;
        }
        own[(*n_own)++] = arguments[k];
        if (strcmp(arguments[k], options[0].name) == 0 && k + 1 < n_arguments) {
            own[(*n_own)++] = arguments[++k];
        }
    }
}

/* Every rank has the same arguments. */
static cgm_status take_arguments(cgm_comm *comm, int n_arguments, char **arguments,
                                 generate_arguments *asked, cgm_config *config)
{
    char **own = cgm_alloc(comm, n_arguments, sizeof *own);
    char **others = cgm_alloc(comm, n_arguments, sizeof *others);
    int n_own = 0;
    int n_others = 0;
    cgm_status status = own != NULL && others != NULL ? CGM_OK : CGM_ERR_MEMORY;
    if (status == CGM_OK) {
        sort_arguments(n_arguments, arguments, own, &n_own, others, &n_others);
        status = cgm_option_take(comm, options, N_OPTIONS, n_own, own, asked, NULL, NULL);
    }
    status = cgm_agree(comm, status);
    if (status == CGM_OK) {
        status = cgm_config_load(comm, n_others, others, config);
    }
    free(own);
    free(others);
    return status;
}

/* Before any work, on rank 0. */
static cgm_status check_arguments(cgm_comm *comm, const generate_arguments *asked,
                                  const cgm_config *config)
{
    if (config->generator_type == CGM_GENERATOR_FILE) {
        return cgm_fail(comm, CGM_ERR_USAGE,
                        "generator.type is file, and there is nothing to generate; set it to %s or "
                        "%s",
                        cgm_generator_name(CGM_GENERATOR_GMM),
                        cgm_generator_name(CGM_GENERATOR_GAN));
    }
    cgm_status status = cgm_newfile_check(comm, asked->out, options[0].name);
    return status == CGM_OK ? cgm_newfile_check_directory(comm, asked->out, options[0].name)
                            : status;
}

/* ---- the file ---- */

/* How the pool came about: a run reads none of it. */
static void put_origin(cgm_writer *to, const cgm_run *run)
{
    char *text = cgm_config_text(to->comm, run->config, true);
    cgm_writer_put_attribute(to, "/", "program", CGM_H5_TEXT, "cgm generate");
    cgm_writer_put_attribute(to, "/", "version", CGM_H5_TEXT, cgm_version());
    cgm_writer_put_attribute(to, "/", "seed", CGM_H5_UINT64, &run->config->seed);
    cgm_writer_put_attribute(to, "/", "input_checksum", CGM_H5_UINT64, &run->input_checksum);
    if (cgm_writer_agree(to, text != NULL)) {
        cgm_writer_put_record(to, "results_config", text);
    }
    free(text);
}

static cgm_status write_content(cgm_h5_file *file, void *state, uint64_t *checksum)
{
    const cgm_run *run = state;
    cgm_writer to = {.comm = file->comm, .file = file};
    output_put_candidates(&to, &run->candidates);
    if (run->features.n_components > 0) {
        features_file_put(&to, &run->features);
    }
    output_put_generator(&to, run->config->generator_type, &run->model);
    put_origin(&to, run);
    cgm_writer_total(&to);
    *checksum = to.checksum;
    return to.status;
}

static cgm_status write_pool(cgm_comm *comm, const char *path, cgm_run *run)
{
    const cgm_newfile file = {
        .path = path,
        .option = options[0].name,
        .mode = 0640,
        .bytes = (int64_t)sizeof(double) * (output_pool_words(&run->candidates, &run->model) +
                                            features_file_words(&run->features)) +
                 (1 << 18),
        .write = write_content,
        .state = run,
    };
    cgm_status status = cgm_newfile_write_together(comm, &file);
    if (status == CGM_OK && comm->rank == 0) {
        printf("%s: %lld candidates of %lld %s, %s; use it as input.candidates\n", path,
               (long long)run->candidates.n_points, (long long)run->candidates.n_features,
               run->candidates.is_projected ? "components" : "features",
               run->candidates.has_labels ? "with labels" : "without labels");
    }
    return status;
}

/* ---- the command ---- */

static cgm_status warn(cgm_comm *comm, const cgm_run *run)
{
    cgm_warnings warnings;
    cgm_status status = cgm_warnings_of_generator(comm, run, &warnings);
    if (status == CGM_OK && comm->rank == 0) {
        cgm_report_print_warnings(warnings.count, warnings.text, stdout);
    }
    cgm_warnings_destroy(&warnings);
    return status;
}

static cgm_status generate(cgm_comm *comm, const char *path, const cgm_config *config)
{
    cgm_run run = {.config = config};
    comm->progress_interval = config->progress;
    comm->threads = cgm_int(config->threads);
    cgm_status status = cgm_pipeline_generate(comm, &run);
    if (status == CGM_OK) {
        cgm_report_generator(comm, &run, stdout);
        status = warn(comm, &run);
    }
    if (status == CGM_OK) {
        status = write_pool(comm, path, &run);
    }
    cgm_pipeline_release(&run);
    return status;
}

cgm_status cgm_generate(cgm_comm *comm, int n_arguments, char **arguments)
{
    generate_arguments asked = {0};
    cgm_config config = {.input_parties = NULL};
    cgm_status status = take_arguments(comm, n_arguments, arguments, &asked, &config);
    if (status == CGM_OK) {
        const bool first = comm->rank == 0;
        status = cgm_agree(comm, first ? check_arguments(comm, &asked, &config) : CGM_OK);
    }
    if (status == CGM_OK) {
        status = generate(comm, asked.out, &config);
    }
    cgm_config_destroy(&config);
    free(asked.out);
    return status;
}

void cgm_generate_print_help(FILE *stream)
{
    fputs("The options of CONFIG.ini count as far as they choose input, features, generator and\n"
          "run; `cgm run` of the same configuration draws the same pool. Beside them:\n\n",
          stream);
    for (int k = 0; k < N_OPTIONS; k++) {
        cgm_option_print(&options[k], stream);
    }
    fputc('\n', stream);
    cgm_config_print_help(stream);
}
