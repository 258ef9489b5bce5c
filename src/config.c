#include "cgm/config.h"

#include <ini.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cgm/text.h"
#include "config_table.h"

/* Longest line of a CONFIG.ini: a path of any length that exists fits with its key. */
enum { LINE_MAX_BYTES = 8192 };

/* What has been given for each option, and where. */
typedef struct setting {
    char *value;          /* NULL: not given */
    int line;             /* in the file; 0: not from there */
    const char *argument; /* the override; NULL: not from there */
} setting;

typedef struct loader {
    cgm_comm *comm;
    const char *file_name;
    FILE *file;
    int line_number;
    cgm_status status;
    setting settings[CGM_N_OPTIONS];
} loader;

/* Text that says where a value stands, for the beginning of a message. */
typedef struct place {
    char text[CGM_MESSAGE_MAX / 4];
} place;

static place place_of(const loader *load, int line, const char *argument)
{
    place at;
    if (argument != NULL) {
        snprintf(at.text, sizeof at.text, "argument '%.256s'", argument);
    } else if (line > 0) {
        snprintf(at.text, sizeof at.text, "file '%.400s', line %d", load->file_name, line);
    } else {
        snprintf(at.text, sizeof at.text, "default");
    }
    return at;
}

static size_t section_length(const char *name)
{
    return strcspn(name, ".");
}

/* The number of a key's row, or -1 with the cause recorded. */
static int find_option(loader *load, const char *name, const place *at)
{
    int row = cgm_option_find(cgm_options, CGM_N_OPTIONS, name);
    if (row >= 0) {
        return row;
    }
    const char *nearest = cgm_text_nearest(name, cgm_options, CGM_N_OPTIONS, sizeof cgm_options[0]);
    bool section_known = false;
    for (int k = 0; k < CGM_N_OPTIONS; k++) {
        size_t length = section_length(cgm_options[k].name);
        section_known |=
            length == section_length(name) && strncmp(name, cgm_options[k].name, length) == 0;
    }
    load->status = cgm_fail(load->comm, CGM_ERR_USAGE, "%s: unknown %s %s (did you mean %s?)",
                            at->text, section_known ? "key" : "section in", name, nearest);
    return -1;
}

static void assign(loader *load, const char *name, const char *value, int line,
                   const char *argument)
{
    place at = place_of(load, line, argument);
    int k = find_option(load, name, &at);
    if (k < 0) {
        return;
    }
    setting *chosen = &load->settings[k];
    /* The command line comes after the file and overrides it, but nothing overrides its own kind.
     */
    if (argument != NULL ? chosen->argument != NULL : chosen->line > 0) {
        place before = place_of(load, chosen->line, chosen->argument);
        load->status =
            cgm_fail(load->comm, CGM_ERR_USAGE, "%s: %s is given twice, first at %s; remove one",
                     at.text, name, before.text);
        return;
    }
    char *copy = cgm_alloc(load->comm, (int64_t)strlen(value) + 1, 1);
    if (copy == NULL) {
        load->status = CGM_ERR_MEMORY;
        return;
    }
    memcpy(copy, value, strlen(value));
    free(chosen->value);
    *chosen = (setting){copy, line, argument};
}

/* One line for inih, without leading blanks, which inih would take for a value's continuation. */
static char *read_line(char *text, int size, void *state)
{
    loader *load = state;
    const char *wrong = NULL;
    int length = 0;
    int c = getc(load->file);
    load->line_number += c != EOF;
    for (; c != EOF && wrong == NULL; c = c == '\n' ? EOF : getc(load->file)) {
        if (length == 0 && (c == ' ' || c == '\t')) {
            continue;
        }
        text[length++] = (char)c;
        wrong = c == '\0'            ? "a zero byte; this is no text file"
                : length == size - 1 ? "the line is longer than 8 KiB"
                                     : NULL;
    }
    text[length] = '\0';
    if (wrong != NULL) {
        load->status = cgm_fail(load->comm, CGM_ERR_USAGE, "file '%s', line %d: %s",
                                load->file_name, load->line_number, wrong);
    }
    return length > 0 && wrong == NULL ? text : NULL;
}

/* inih's handler: 1 to go on, 0 to stop. */
static int take_pair(void *state, const char *section, const char *key, const char *value)
{
    loader *load = state;
    if (section[0] == '\0') {
        load->status = cgm_fail(load->comm, CGM_ERR_USAGE,
                                "file '%s', line %d: key '%s' stands before any [section]",
                                load->file_name, load->line_number, key);
        return 0;
    }
    char name[128];
    snprintf(name, sizeof name, "%s.%s", section, key);
    assign(load, name, value, load->line_number, NULL);
    return load->status == CGM_OK;
}

static void read_file(loader *load)
{
    /* A named pipe would be waited for, a device may never end. */
    struct stat state;
    if (stat(load->file_name, &state) == 0 && !S_ISREG(state.st_mode)) {
        load->status =
            cgm_fail(load->comm, CGM_ERR_USAGE, "'%s' is not a regular file", load->file_name);
        return;
    }
    load->file = fopen(load->file_name, "r");
    int cause = errno;
    if (load->file != NULL) {
        ini_max_line = LINE_MAX_BYTES;
        ini_stop_on_first_error = true;
        int bad_line = ini_parse_stream(read_line, load, take_pair, load);
        cause = errno;
        if (load->status == CGM_OK && bad_line != 0) {
            load->status = cgm_fail(load->comm, CGM_ERR_USAGE,
                                    "file '%s', line %d: neither [section] nor key = value",
                                    load->file_name, load->line_number);
        }
    }
    if (load->file == NULL || ferror(load->file)) {
        load->status = cgm_fail(load->comm, CGM_ERR_USAGE, "cannot read the options in '%s': %s",
                                load->file_name, strerror(cause));
    }
    if (load->file != NULL) {
        fclose(load->file);
    }
}

static void read_override(loader *load, const char *argument)
{
    const char *name = argument + 2;
    size_t length = strcspn(name, "=");
    char key[128];
    snprintf(key, sizeof key, "%.*s", length < sizeof key ? (int)length : (int)sizeof key, name);
    if (name[length] == '=') {
        assign(load, key, name + length + 1, 0, argument);
        return;
    }
    place at = place_of(load, 0, argument);
    if (find_option(load, key, &at) >= 0) {
        load->status =
            cgm_fail(load->comm, CGM_ERR_USAGE, "%s: no value; write --%s=VALUE", at.text, key);
    }
}

static bool is_override(const char *argument)
{
    return strncmp(argument, "--", 2) == 0;
}

static void read_arguments(loader *load, int n_arguments, char **arguments)
{
    for (int k = 0; k < n_arguments; k++) {
        if (is_override(arguments[k])) {
            continue;
        }
        if (load->file_name != NULL) {
            load->status = cgm_fail(load->comm, CGM_ERR_USAGE,
                                    "two configurations, '%s' and '%s'; give one, and overrides as "
                                    "--section.key=VALUE",
                                    load->file_name, arguments[k]);
            return;
        }
        load->file_name = arguments[k];
    }
    if (load->file_name == NULL) {
        load->status = cgm_fail(load->comm, CGM_ERR_USAGE,
                                "no configuration; give a CONFIG.ini after the command");
        return;
    }
    read_file(load);
    for (int k = 0; k < n_arguments && load->status == CGM_OK; k++) {
        if (is_override(arguments[k])) {
            read_override(load, arguments[k]);
        }
    }
}

static const char *effective_value(const loader *load, int k)
{
    const char *given = load->settings[k].value;
    return given != NULL ? given : cgm_options[k].initial;
}

/* What ranks cannot do without points of others, or what is not there. */
static const char *refuse_with_embeddings(const cgm_config *config)
{
    return config->lengthscale_rule == CGM_LENGTHSCALE_MEDIAN
               ? "kernel.lengthscale = median needs distances between different parties' points; "
                 "use nonnegative or a number"
           : config->scaling == CGM_SCALE_MINMAX
               ? "features.scale = minmax needs the smallest and the largest value of each "
                 "feature, which are coordinates of points; use standard or none"
           : config->pool_placement == CGM_POOL_RANKS
               ? "every rank draws its own parties' rewards from the whole pool; use run.pool = "
                 "node or auto"
           : strcmp(config->reuse, "none") != 0
               ? "there are no kernel sums that a run could take over; use run.reuse = none"
           : isfinite(config->epsilon) && config->lengthscale_rule != CGM_LENGTHSCALE_GIVEN
               ? "with a finite values.epsilon the lengthscale must not depend on points; give "
                 "kernel.lengthscale a number"
               : NULL;
}

/* Options that are in order one by one, but not together. */
static cgm_status check_together(loader *load, const cgm_config *config)
{
    const bool embedded = config->exchange == CGM_VALUES_EMBEDDINGS;
    const char *refused = embedded ? refuse_with_embeddings(config) : NULL;
    if (refused != NULL) {
        return cgm_fail(load->comm, CGM_ERR_USAGE, "values.exchange = embeddings: %s", refused);
    }
    if (!embedded && isfinite(config->epsilon)) {
        return cgm_fail(load->comm, CGM_ERR_USAGE,
                        "values.epsilon = %g promises differential privacy, but with "
                        "values.exchange = shards ranks exchange the points themselves; leave "
                        "values.epsilon at inf",
                        config->epsilon);
    }
    return CGM_OK;
}

static cgm_status resolve(loader *load, cgm_config *config)
{
    for (int k = 0; k < CGM_N_OPTIONS; k++) {
        const cgm_option *row = &cgm_options[k];
        const setting *given = &load->settings[k];
        const char *value = effective_value(load, k);
        if (value == NULL) {
            return cgm_fail(load->comm, CGM_ERR_USAGE,
                            "%s is required: set it in file '%s' or as --%s=VALUE", row->name,
                            load->file_name, row->name);
        }
        place at = place_of(load, given->line, given->argument);
        cgm_status status = cgm_option_set(load->comm, row, at.text, value, config);
        if (status != CGM_OK) {
            return status;
        }
    }
    return check_together(load, config);
}

/* The values of all options as text, one after the other; none is NULL after resolve. */
static char *pack_settings(loader *load, int64_t *bytes)
{
    *bytes = 0;
    for (int k = 0; k < CGM_N_OPTIONS; k++) {
        *bytes += (int64_t)strlen(effective_value(load, k)) + 1;
    }
    char *packed = cgm_alloc(load->comm, *bytes, 1);
    char *next = packed;
    for (int k = 0; packed != NULL && k < CGM_N_OPTIONS; k++) {
        const char *value = effective_value(load, k);
        memcpy(next, value, strlen(value) + 1);
        next += strlen(value) + 1;
    }
    return packed;
}

static void unpack_settings(loader *load, char *packed)
{
    for (int k = 0; k < CGM_N_OPTIONS; k++) {
        load->settings[k].value = packed;
        packed += strlen(packed) + 1;
    }
}

/* Rank 0 has resolved its settings: the others do the same from the same texts. */
static cgm_status share(loader *load, cgm_config *config)
{
    cgm_comm *comm = load->comm;
    int64_t bytes = 0;
    char *packed = comm->rank == 0 ? pack_settings(load, &bytes) : NULL;
    cgm_comm_broadcast(comm, &bytes, sizeof bytes, 0);
    if (comm->rank != 0) {
        packed = cgm_alloc(comm, bytes, 1);
    }
    cgm_status status = cgm_agree(comm, packed == NULL ? CGM_ERR_MEMORY : CGM_OK);
    if (status == CGM_OK) {
        cgm_comm_broadcast(comm, packed, (size_t)bytes, 0);
        if (comm->rank != 0) {
            unpack_settings(load, packed);
            status = resolve(load, config);
        }
        status = cgm_agree(comm, status);
    }
    free(packed);
    return status;
}

cgm_status cgm_config_load(cgm_comm *comm, int n_arguments, char **arguments, cgm_config *config)
{
    *config = (cgm_config){.input_parties = NULL};
    loader load = {.comm = comm};
    if (comm->rank == 0) {
        read_arguments(&load, n_arguments, arguments);
        if (load.status == CGM_OK) {
            load.status = resolve(&load, config);
        }
    }
    cgm_status status = cgm_agree(comm, load.status);
    if (status == CGM_OK) {
        status = share(&load, config);
    }
    for (int k = 0; comm->rank == 0 && k < CGM_N_OPTIONS; k++) {
        free(load.settings[k].value);
    }
    if (status != CGM_OK) {
        cgm_config_destroy(config);
    }
    return status;
}

void cgm_config_destroy(cgm_config *config)
{
    free(config->input_parties);
    free(config->input_candidates);
    free(config->inv_temp);
    free(config->lengthscales);
    free(config->output_file);
    free(config->party_dir);
    free(config->checkpoint_file);
    free(config->reuse);
    *config = (cgm_config){.input_parties = NULL};
}

/* Whether a row begins another section than the row before it. */
static bool begins_section(const cgm_option *row, const cgm_option *before)
{
    size_t length = section_length(row->name);
    return before == NULL || section_length(before->name) != length ||
           strncmp(row->name, before->name, length) != 0;
}

int64_t cgm_config_components(const cgm_config *config)
{
    return config->features_type == CGM_FEATURES_PCA ? config->n_components : 0;
}

char *cgm_config_text(cgm_comm *comm, const cgm_config *config, bool results_only)
{
    char *text = NULL;
    size_t bytes;
    FILE *stream = open_memstream(&text, &bytes);
    const cgm_option *before = NULL;
    for (int k = 0; stream != NULL && k < CGM_N_OPTIONS; k++) {
        const cgm_option *row = &cgm_options[k];
        if (results_only && row->same_results) {
            continue;
        }
        int length = (int)section_length(row->name);
        if (begins_section(row, before)) {
            fprintf(stream, "%s[%.*s]\n", before == NULL ? "" : "\n", length, row->name);
        }
        fprintf(stream, "%s = ", row->name + length + 1);
        row->kind->write(row, config, stream);
        fputc('\n', stream);
        before = row;
    }
    if (stream == NULL || fclose(stream) != 0) {
        free(text);
        cgm_fail(comm, CGM_ERR_MEMORY, "no memory for the text of the options");
        return NULL;
    }
    return text;
}

void cgm_config_print_help(FILE *stream)
{
    fputs("Options, in CONFIG.ini as\n"
          "    [section]\n"
          "    key = value                 ; a comment\n"
          "or on the command line as --section.key=VALUE, which overrides the file.\n"
          "Relative paths are relative to the working directory, not to CONFIG.ini.\n",
          stream);
    for (int k = 0; k < CGM_N_OPTIONS; k++) {
        const cgm_option *row = &cgm_options[k];
        if (begins_section(row, k > 0 ? row - 1 : NULL)) {
            fputc('\n', stream);
        }
        cgm_option_print(row, stream);
    }
}

cgm_config_difference cgm_config_compare(const char *old, const char *new)
{
    cgm_config_difference differs = {.section = ""};
    for (;;) {
        const size_t n_old = strcspn(old, "\n");
        const size_t n_new = strcspn(new, "\n");
        if (n_old != n_new || strncmp(old, new, n_old) != 0) {
            differs.old = old;
            differs.new = new;
            differs.old_length = cgm_int((int64_t)n_old);
            differs.new_length = cgm_int((int64_t)n_new);
            return differs;
        }
        if (*new == '[') {
            differs.section = new;
            differs.section_length = cgm_int((int64_t)n_new);
        }
        old += n_old + (old[n_old] != '\0');
        new += n_new + (new[n_new] != '\0');
    }
}
