#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgm/h5.h"
#include "cgm/output.h"
#include "newfile.h"

#define REMEDY "choose another output.file or set output.overwrite = true"

/* What an existing result file says about the run it came from. */
typedef struct earlier {
    char *options; /* those that matter for the results; NULL: not a result file */
    char *status;
    uint64_t input_checksum;
} earlier;

static void destroy_earlier(earlier *run)
{
    free(run->options);
    free(run->status);
    *run = (earlier){0};
}

/* A text attribute of the root, allocated; NULL when there is none. */
static char *read_root_text(const cgm_h5_file *file, const char *name)
{
    cgm_h5_texts texts;
    if (cgm_h5_read_texts(file, "/", name, &texts) != CGM_OK) {
        return NULL;
    }
    char *text = NULL;
    if (texts.count == 1) {
        text = texts.text[0];
        texts.text[0] = NULL;
    }
    cgm_h5_texts_destroy(&texts);
    return text;
}

/* Fills run as far as the file goes. What is wrong with a file that is no result is no cause of
 * failure in itself, so it is recorded in a copy of comm. */
static void read_earlier(const cgm_comm *comm, const char *path, earlier *run)
{
    *run = (earlier){0};
    cgm_comm probe = *comm;
    cgm_h5_file file;
    if (cgm_h5_open(&probe, path, &file) == CGM_OK) {
        run->options = read_root_text(&file, "results_config");
        run->status = read_root_text(&file, "status");
        if (cgm_h5_read_scalar(&file, "/", "input_checksum", CGM_H5_UINT64, &run->input_checksum) !=
            CGM_OK) {
            destroy_earlier(run);
        }
    }
    cgm_h5_close(&file);
}

/* Whether the target exists; what is in its way otherwise is an error. */
static cgm_status find_target(cgm_comm *comm, const char *path, bool *exists)
{
    struct stat state;
    *exists = stat(path, &state) == 0;
    if (*exists && !S_ISREG(state.st_mode)) {
        return cgm_fail(comm, CGM_ERR_OUTPUT,
                        "output.file '%s' exists and is not a file; choose another", path);
    }
    if (!*exists && errno != ENOENT) {
        return cgm_fail(comm, CGM_ERR_OUTPUT, "output.file '%s' cannot be used: %s", path,
                        strerror(errno));
    }
    return CGM_OK;
}

/* Whether two paths lead to one file; false for an empty path or a missing file. */
static bool is_same_file(const char *a, const char *b)
{
    struct stat in_a;
    struct stat in_b;
    return stat(a, &in_a) == 0 && stat(b, &in_b) == 0 && in_a.st_dev == in_b.st_dev &&
           in_a.st_ino == in_b.st_ino;
}

static cgm_status check_options(cgm_comm *comm, const cgm_config *config)
{
    const char *path = config->output_file;
    char *options = cgm_config_text(comm, config, true);
    if (options == NULL) {
        return CGM_ERR_MEMORY;
    }
    earlier run;
    read_earlier(comm, path, &run);
    cgm_status status = CGM_OK;
    if (run.options == NULL) {
        status = cgm_fail(comm, CGM_ERR_OUTPUT,
                          "output.file '%s' exists and is not a result of cgm; " REMEDY, path);
    } else if (strcmp(run.options, options) != 0) {
        const cgm_config_difference differs = cgm_config_compare(run.options, options);
        status = cgm_fail(comm, CGM_ERR_OUTPUT,
                          "output.file '%s' exists and was made with other options: '%.*s %.*s' "
                          "there, '%.*s' now; " REMEDY,
                          path, differs.section_length, differs.section, differs.old_length,
                          differs.old, differs.new_length, differs.new);
    }
    destroy_earlier(&run);
    free(options);
    return status;
}

static cgm_status check_target(cgm_comm *comm, const cgm_config *config)
{
    bool exists = false;
    cgm_status status = cgm_newfile_check_directory(comm, config->output_file, "output.file");
    if (status == CGM_OK) {
        status = find_target(comm, config->output_file, &exists);
    }
    if (status != CGM_OK || !exists) {
        return status;
    }
    if (is_same_file(config->output_file, config->input_parties) ||
        is_same_file(config->output_file, config->input_candidates)) {
        return cgm_fail(comm, CGM_ERR_OUTPUT,
                        "output.file '%s' is the input as well; choose another output.file",
                        config->output_file);
    }
    return config->output_overwrite ? CGM_OK : check_options(comm, config);
}

cgm_status cgm_output_check(cgm_comm *comm, const cgm_config *config)
{
    return cgm_agree(comm, comm->rank == 0 ? check_target(comm, config) : CGM_OK);
}

static cgm_status check_input(cgm_comm *comm, const cgm_config *config, uint64_t input_checksum,
                              bool *complete)
{
    const char *path = config->output_file;
    bool exists;
    cgm_newfile_remove_abandoned(comm, path);
    cgm_status status = find_target(comm, path, &exists);
    if (status != CGM_OK || !exists || config->output_overwrite) {
        return status;
    }
    earlier run;
    read_earlier(comm, path, &run);
    if (run.options == NULL || run.status == NULL) {
        status =
            cgm_fail(comm, CGM_ERR_OUTPUT,
                     "output.file '%s' exists and is not a complete result of cgm; " REMEDY, path);
    } else if (run.input_checksum != input_checksum) {
        status = cgm_fail(comm, CGM_ERR_OUTPUT,
                          "output.file '%s' exists and was made from other input; " REMEDY, path);
    } else {
        *complete = true;
    }
    destroy_earlier(&run);
    return status;
}

cgm_status cgm_output_is_complete(cgm_comm *comm, const cgm_config *config, uint64_t input_checksum,
                                  bool *complete)
{
    bool answer = false;
    bool first = comm->rank == 0;
    cgm_status status =
        cgm_agree(comm, first ? check_input(comm, config, input_checksum, &answer) : CGM_OK);
    cgm_comm_broadcast(comm, &answer, sizeof answer, 0);
    *complete = answer && status == CGM_OK;
    return status;
}
