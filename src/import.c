#include "cgm/import.h"

#include <csv.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "catalogue.h"
#include "cgm/h5.h"
#include "cgm/provenance.h"
#include "cgm/text.h"
#include "import_table.h"
#include "newfile.h"
#include "option.h"

/* Bytes read at a time; longest cell, which an unclosed quote would exceed; texts of labels that
 * are printed. */
enum { BUFFER_BYTES = 1 << 16, CELL_MAX = 1 << 20, LABELS_PRINTED = 40 };

typedef struct import_arguments {
    char *out;
    char *label_column;
} import_arguments;

static const cgm_option options[] = {
    {"--out", NULL, &cgm_option_path, offsetof(import_arguments, out), NULL, "a path; required",
     .help = "HDF5 file to write; an existing one is never replaced"},
    {"--label-column", "", &cgm_option_path, offsetof(import_arguments, label_column), NULL,
     "a name from the header line",
     .help = "column of the classes: whole numbers stay as they are, texts are numbered from 0 in\n"
             "natural order; empty: the points have no labels"},
};

enum { N_OPTIONS = sizeof options / sizeof options[0] };

/* All files. */
typedef struct import_job {
    cgm_comm *comm;
    const import_arguments *asked;
    int n_files;
    char **paths;      /* [n_files] borrowed */
    char **names;      /* [n_files] of the parties */
    int64_t *n_points; /* [n_files] found by the first reading */
    cgm_import_table table;
} import_job;

/* One file while it is read. */
typedef struct reader {
    cgm_import_rows rows;
    struct csv_parser parser;
    int64_t line; /* that is being read, from 1 */
    cgm_status status;
} reader;

/* ---- files ---- */

static void on_cell(void *text, size_t length, void *state)
{
    reader *in = state;
    if (in->status != CGM_OK) {
        return; /* the parser does not stop by itself */
    }
    in->status = strlen(text) == length
                     ? cgm_import_cell(&in->rows, text)
                     : cgm_import_fail(&in->rows, "a byte is 0; this is no text file in UTF-8");
}

static void on_record(int terminator, void *state)
{
    (void)terminator;
    reader *in = state;
    if (in->status == CGM_OK) {
        in->status = cgm_import_end_record(&in->rows);
    }
}

static cgm_status explain_parser(reader *in)
{
    if (csv_error(&in->parser) == CSV_EPARSE) {
        return cgm_import_fail(&in->rows,
                               "a quote is not closed, or stands inside a cell; write a quote "
                               "inside a quoted cell twice");
    }
    return cgm_fail(in->rows.comm, CGM_ERR_MEMORY, "file '%s': no memory for a cell",
                    in->rows.path);
}

/* Hands the parser one line at a time, so that lines can be counted. */
static cgm_status parse_bytes(reader *in, const char *bytes, size_t count)
{
    while (count > 0 && in->status == CGM_OK) {
        const char *end = memchr(bytes, '\n', count);
        size_t piece = end != NULL ? (size_t)(end - bytes) + 1 : count;
        if (csv_parse(&in->parser, bytes, piece, on_cell, on_record, in) != piece &&
            in->status == CGM_OK) {
            return explain_parser(in);
        }
        if (in->parser.entry_pos > CELL_MAX && in->status == CGM_OK) {
            return cgm_import_fail(&in->rows,
                                   "a cell is longer than 1 MiB; is a quote not closed?");
        }
        in->line += end != NULL;
        /* A quoted cell may go on over lines; its record began on the first of them. */
        if (end != NULL && !in->parser.quoted) {
            in->rows.record_line = in->line;
        }
        bytes += piece;
        count -= piece;
    }
    return in->status;
}

static cgm_status parse_stream(reader *in, FILE *stream)
{
    char buffer[BUFFER_BYTES];
    const char *path = in->rows.path;
    bool start = true;
    cgm_status status = CGM_OK;
    for (size_t count; status == CGM_OK && (count = fread(buffer, 1, sizeof buffer, stream)) > 0;) {
        size_t mark = start && count >= 3 && memcmp(buffer, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
        if (start && count >= 2 &&
            (memcmp(buffer, "\xff\xfe", 2) == 0 || memcmp(buffer, "\xfe\xff", 2) == 0)) {
            return cgm_import_fail(&in->rows, "the text is in UTF-16; save it in UTF-8");
        }
        start = false;
        status = parse_bytes(in, buffer + mark, count - mark);
    }
    if (status == CGM_OK && ferror(stream)) {
        status = cgm_fail(in->rows.comm, CGM_ERR_INPUT, "file '%s' cannot be read: %s", path,
                          strerror(errno));
    }
    if (status == CGM_OK && csv_fini(&in->parser, on_cell, on_record, in) != 0) {
        status = explain_parser(in);
    }
    status = status == CGM_OK ? in->status : status;
    if (status == CGM_OK && in->rows.n_points == 0) {
        status = cgm_fail(in->rows.comm, CGM_ERR_INPUT, "file '%s' %s; leave an empty party out",
                          path, in->rows.first_done ? "has a header line but no rows" : "is empty");
    }
    return status;
}

/* NULL and the cause recorded if the file cannot be read. */
static FILE *open_stream(const import_job *job, int file)
{
    struct stat state;
    const char *path = job->paths[file];
    /* A named pipe would be waited for. */
    if (stat(path, &state) == 0 && !S_ISREG(state.st_mode)) {
        cgm_fail(job->comm, CGM_ERR_INPUT, "'%s' is not a regular file, and is read twice", path);
        return NULL;
    }
    FILE *stream = fopen(path, "rb");
    if (stream == NULL) {
        cgm_fail(job->comm, CGM_ERR_INPUT, "file '%s' cannot be opened: %s", path, strerror(errno));
    }
    return stream;
}

/* Reads a file: to check it and to count its points, or also to keep them. */
static cgm_status read_file(import_job *job, int file, double *points, int64_t *labels,
                            int64_t *n_points)
{
    reader in = {.rows = {.comm = job->comm,
                          .table = &job->table,
                          .path = job->paths[file],
                          .record_line = 1,
                          .capacity = job->n_points[file],
                          .points = points,
                          .labels = labels},
                 .line = 1};
    FILE *stream = open_stream(job, file);
    if (stream == NULL) {
        return CGM_ERR_INPUT;
    }
    csv_init(&in.parser, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL);
    cgm_status status = parse_stream(&in, stream);
    csv_free(&in.parser);
    fclose(stream);
    cgm_text_list_destroy(&in.rows.first);
    *n_points = in.rows.n_points;
    return status;
}

/* ---- the parties' names ---- */

/* The name of a file without directories and without its extension. */
static cgm_status name_party(import_job *job, int file)
{
    const char *slash = strrchr(job->paths[file], '/');
    const char *base = slash != NULL ? slash + 1 : job->paths[file];
    const char *dot = strrchr(base, '.');
    size_t length = dot != NULL && dot != base ? (size_t)(dot - base) : strlen(base);
    if (length == 0) {
        return cgm_fail(job->comm, CGM_ERR_INPUT, "'%s' is no file", job->paths[file]);
    }
    job->names[file] = cgm_alloc(job->comm, (int64_t)length + 1, 1);
    if (job->names[file] == NULL) {
        return CGM_ERR_MEMORY;
    }
    memcpy(job->names[file], base, length);
    if (!cgm_catalogue_is_name(job->names[file])) {
        return cgm_fail(job->comm, CGM_ERR_INPUT, "'%s': no party can be named after it; %s",
                        job->paths[file], CGM_PARTY_NAME_RULE);
    }
    for (int k = 0; k < file; k++) {
        if (strcmp(job->names[k], job->names[file]) == 0) {
            return cgm_fail(job->comm, CGM_ERR_INPUT,
                            "files '%s' and '%s' are both of a party '%s'; rename one",
                            job->paths[k], job->paths[file], job->names[file]);
        }
    }
    return CGM_OK;
}

/* ---- the output ---- */

static cgm_status write_party(const import_job *job, int file, cgm_h5_file *output,
                              const double *points, const int64_t *labels)
{
    const size_t bytes = strlen(job->names[file]) + 32;
    const int64_t dims[2] = {job->n_points[file], cgm_import_features(&job->table)};
    char *path = cgm_alloc(job->comm, (int64_t)bytes, 1);
    if (path == NULL) {
        return CGM_ERR_MEMORY;
    }
    snprintf(path, bytes, "/parties/%s/data", job->names[file]);
    cgm_status status = cgm_h5_write(output, path, CGM_H5_DOUBLE, 2, dims, 0, dims[0], points);
    if (status == CGM_OK && labels != NULL) {
        snprintf(path, bytes, "/parties/%s/labels", job->names[file]);
        status = cgm_h5_write(output, path, CGM_H5_INT64, 1, dims, 0, dims[0], labels);
    }
    free(path);
    return status;
}

static cgm_status convert_party(import_job *job, int file, cgm_h5_file *output)
{
    const int64_t count = job->n_points[file];
    double *points =
        cgm_alloc(job->comm, count, (size_t)cgm_import_features(&job->table) * sizeof *points);
    int64_t *labels = job->table.label >= 0 ? cgm_alloc(job->comm, count, sizeof *labels) : NULL;
    cgm_status status = CGM_ERR_MEMORY;
    if (points != NULL && (labels != NULL || job->table.label < 0)) {
        int64_t found;
        status = read_file(job, file, points, labels, &found);
        if (status == CGM_OK && found != count) {
            status = cgm_fail(job->comm, CGM_ERR_INPUT, "file '%s' has changed while it was read",
                              job->paths[file]);
        }
    }
    if (status == CGM_OK) {
        status = write_party(job, file, output, points, labels);
    }
    free(points);
    free(labels);
    return status;
}

/* What the columns and the numbers of the labels mean: a run reads none of it. */
static cgm_status write_meaning(import_job *job, cgm_h5_file *output)
{
    cgm_status status = cgm_h5_write_attribute(output, "/", "program", CGM_H5_TEXT, "cgm import");
    if (status == CGM_OK) {
        status = cgm_h5_write_attribute(output, "/", "version", CGM_H5_TEXT, cgm_version());
    }
    if (status == CGM_OK && job->table.label >= 0) {
        status = cgm_h5_write_attribute(output, "/", "label_column", CGM_H5_TEXT,
                                        job->asked->label_column);
        if (status == CGM_OK && !job->table.labels_are_whole) {
            status = cgm_h5_write_texts(output, "/label_names", job->table.label_texts.count,
                                        job->table.label_texts.text);
        }
    }
    char **features = cgm_alloc(job->comm, job->table.n_columns, sizeof *features);
    status = features == NULL ? CGM_ERR_MEMORY : status;
    for (int64_t k = 0, n = 0; k < job->table.header.count && status == CGM_OK; k++) {
        if (k != job->table.label) {
            features[n++] = job->table.header.text[k];
        }
    }
    if (status == CGM_OK && job->table.has_header) {
        status = cgm_h5_write_texts(output, "/feature_names", cgm_import_features(&job->table),
                                    features);
    }
    free(features);
    return status;
}

static cgm_status write_content(cgm_h5_file *output, void *state, uint64_t *checksum)
{
    (void)checksum;
    import_job *job = state;
    cgm_status status = CGM_OK;
    for (int file = 0; file < job->n_files && status == CGM_OK; file++) {
        status = convert_party(job, file, output);
    }
    return status == CGM_OK ? write_meaning(job, output) : status;
}

/* Texts come from files: they must not move the terminal's cursor. */
static void print_text(const char *text)
{
    while (*text != '\0') {
        text = cgm_text_print(stdout, text);
    }
}

static void print_imported(const import_job *job)
{
    const char *out = job->asked->out;
    int64_t total = 0;
    for (int k = 0; k < job->n_files; k++) {
        printf("  %12lld points  ", (long long)job->n_points[k]);
        print_text(job->names[k]);
        putchar('\n');
        total += job->n_points[k];
    }
    print_text(out);
    printf(": %d parties with %lld points of %lld features, %s\n", job->n_files, (long long)total,
           (long long)cgm_import_features(&job->table),
           job->table.label < 0 ? "without labels" : "with labels");
    const cgm_text_list *texts = &job->table.label_texts;
    for (int64_t k = 0; k < texts->count && k < LABELS_PRINTED && !job->table.labels_are_whole;
         k++) {
        printf("  label %lld is '", (long long)k);
        print_text(texts->text[k]);
        puts("'");
    }
    if (texts->count > LABELS_PRINTED && !job->table.labels_are_whole) {
        printf("  ... all %lld texts are in /label_names\n", (long long)texts->count);
    }
    fputs("A run needs candidates too: set input.parties = ", stdout);
    print_text(out);
    puts(
        ", and input.candidates to an HDF5 file\nwith /candidates/data of the same features in the "
        "same order.");
}

/* ---- the command ---- */

static cgm_status import_files(import_job *job)
{
    cgm_comm *comm = job->comm;
    if (job->n_files == 0) {
        return cgm_fail(comm, CGM_ERR_USAGE,
                        "import takes CSV files, one a party: cgm import --out FILE.h5 PARTY.csv "
                        "...");
    }
    cgm_status status = cgm_newfile_check(comm, job->asked->out, "--out");
    job->names = cgm_alloc(comm, job->n_files, sizeof *job->names);
    job->n_points = cgm_alloc(comm, job->n_files, sizeof *job->n_points);
    if (job->names == NULL || job->n_points == NULL) {
        return CGM_ERR_MEMORY;
    }
    for (int k = 0; k < job->n_files && status == CGM_OK; k++) {
        status = name_party(job, k);
    }
    /* Every file is checked before anything is written, and all texts of labels are known. */
    for (int k = 0; k < job->n_files && status == CGM_OK; k++) {
        status = read_file(job, k, NULL, NULL, &job->n_points[k]);
    }
    if (status == CGM_OK) {
        const cgm_newfile file = {.path = job->asked->out,
                                  .option = "--out",
                                  .mode = 0640,
                                  .write = write_content,
                                  .state = job};
        status = cgm_newfile_write(comm, &file);
    }
    if (status == CGM_OK) {
        print_imported(job);
    }
    return status;
}

static cgm_status import_on_one(cgm_comm *comm, int n_arguments, char **given)
{
    import_arguments asked = {0};
    import_job job = {.comm = comm, .asked = &asked};
    job.table = (cgm_import_table){.label = -1, .labels_are_whole = true};
    job.paths = cgm_alloc(comm, n_arguments, sizeof *job.paths);
    cgm_status status = job.paths != NULL ? CGM_OK : CGM_ERR_MEMORY;
    if (status == CGM_OK) {
        status = cgm_option_take(comm, options, N_OPTIONS, n_arguments, given, &asked, job.paths,
                                 &job.n_files);
    }
    if (status == CGM_OK) {
        job.table.label_column = asked.label_column;
        status = import_files(&job);
    }
    for (int k = 0; job.names != NULL && k < job.n_files; k++) {
        free(job.names[k]);
    }
    free(job.names);
    free(job.n_points);
    free(job.paths);
    cgm_text_list_destroy(&job.table.header);
    cgm_text_list_destroy(&job.table.label_texts);
    free(asked.out);
    free(asked.label_column);
    return status;
}

cgm_status cgm_import(cgm_comm *comm, int n_arguments, char **arguments)
{
    return cgm_agree(comm, comm->rank == 0 ? import_on_one(comm, n_arguments, arguments) : CGM_OK);
}

void cgm_import_print_help(FILE *stream)
{
    fputs(
        "Each file is a party, named after it. Columns are separated by commas, a cell may be in\n"
        "double quotes. A first line with a cell that is text is the header, and must be the same\n"
        "in all files. All columns but the labels are features: numbers, none missing. Names of\n"
        "the features and texts of the labels are kept in /feature_names and /label_names.\n"
        "Options are --name VALUE or --name=VALUE.\n\n",
        stream);
    for (int k = 0; k < N_OPTIONS; k++) {
        cgm_option_print(&options[k], stream);
    }
}
