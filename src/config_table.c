#include "config_table.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/text.h"

/* Longest path that is taken. */
enum { PATH_MAX_BYTES = 4096 };

#define NO_FIELD SIZE_MAX
#define FIELD(member) offsetof(cgm_config, member)
#define WORDS(...)                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

static void *field(const cgm_option *row, cgm_config *config)
{
    return (char *)config + row->offset;
}

static const void *const_field(const cgm_option *row, const cgm_config *config)
{
    return (const char *)config + row->offset;
}

static_assert(sizeof(cgm_kernel_type) == sizeof(int) && sizeof(cgm_shapley_method) == sizeof(int) &&
                  sizeof(cgm_reward_condition) == sizeof(int) &&
                  sizeof(cgm_instruction_set) == sizeof(int),
              "words are kept as int");

static cgm_status read_word(cgm_comm *comm, const cgm_option *row, const char *value,
                            cgm_config *config)
{
    (void)comm;
    for (int k = 0; row->words[k] != NULL; k++) {
        if (strcmp(value, row->words[k]) == 0) {
            if (row->offset != NO_FIELD) {
                memcpy(field(row, config), &k, sizeof k);
            }
            return CGM_OK;
        }
    }
    return CGM_ERR_USAGE;
}

static void write_word(const cgm_option *row, const cgm_config *config, FILE *stream)
{
    int k = 0;
    if (row->offset != NO_FIELD) {
        memcpy(&k, const_field(row, config), sizeof k);
    }
    fputs(row->words[k], stream);
}

static const char *const truth_words[] = {"false", "true", NULL};

static cgm_status read_truth(cgm_comm *comm, const cgm_option *row, const char *value,
                             cgm_config *config)
{
    (void)comm;
    bool truth = strcmp(value, truth_words[true]) == 0;
    if (!truth && strcmp(value, truth_words[false]) != 0) {
        return CGM_ERR_USAGE;
    }
    *(bool *)field(row, config) = truth;
    return CGM_OK;
}

static void write_truth(const cgm_option *row, const cgm_config *config, FILE *stream)
{
    fputs(truth_words[*(const bool *)const_field(row, config)], stream);
}

/* A path must come back the same from the INI text that the result file keeps: no control
 * characters, no blank at an end, and no ';' where INI begins a comment. */
static bool survives_ini(const char *value)
{
    size_t length = strlen(value);
    bool blank = true;
    for (size_t k = 0; k < length; k++) {
        if (iscntrl((unsigned char)value[k]) || (blank && value[k] == ';')) {
            return false;
        }
        blank = value[k] == ' ';
    }
    return length == 0 || (length < PATH_MAX_BYTES && value[0] != ' ' && !blank);
}

static cgm_status read_path(cgm_comm *comm, const cgm_option *row, const char *value,
                            cgm_config *config)
{
    bool may_be_empty = row->initial != NULL && row->initial[0] == '\0';
    if (!survives_ini(value) || (value[0] == '\0' && !may_be_empty)) {
        return CGM_ERR_USAGE;
    }
    char *copy = cgm_alloc(comm, (int64_t)strlen(value) + 1, 1);
    if (copy == NULL) {
        return CGM_ERR_MEMORY;
    }
    memcpy(copy, value, strlen(value));
    *(char **)field(row, config) = copy;
    return CGM_OK;
}

static void write_path(const cgm_option *row, const cgm_config *config, FILE *stream)
{
    fputs(*(char *const *)const_field(row, config), stream);
}

static bool number_in_range(const cgm_option *row, const char *value, double *number)
{
    return cgm_text_to_double(value, number) && *number <= row->high &&
           (*number > row->low || (row->low_closed && *number == row->low));
}

static void write_double(double number, FILE *stream)
{
    char text[CGM_TEXT_NUMBER];
    cgm_text_from_double(number, text);
    fputs(text, stream);
}

static cgm_status read_number(cgm_comm *comm, const cgm_option *row, const char *value,
                              cgm_config *config)
{
    (void)comm;
    return number_in_range(row, value, field(row, config)) ? CGM_OK : CGM_ERR_USAGE;
}

static void write_number(const cgm_option *row, const cgm_config *config, FILE *stream)
{
    write_double(*(const double *)const_field(row, config), stream);
}

static cgm_status read_unsigned(cgm_comm *comm, const cgm_option *row, const char *value,
                                cgm_config *config)
{
    (void)comm;
    return cgm_text_to_uint64(value, field(row, config)) ? CGM_OK : CGM_ERR_USAGE;
}

static void write_unsigned(const cgm_option *row, const cgm_config *config, FILE *stream)
{
    fprintf(stream, "%llu", (unsigned long long)*(const uint64_t *)const_field(row, config));
}

static const char *const lengthscale_words[] = {
    [CGM_LENGTHSCALE_NONNEGATIVE] = "nonnegative",
    NULL,
};

static cgm_status read_lengthscale(cgm_comm *comm, const cgm_option *row, const char *value,
                                   cgm_config *config)
{
    (void)comm;
    if (strcmp(value, lengthscale_words[CGM_LENGTHSCALE_NONNEGATIVE]) == 0) {
        config->lengthscale_rule = CGM_LENGTHSCALE_NONNEGATIVE;
        return CGM_OK;
    }
    config->lengthscale_rule = CGM_LENGTHSCALE_GIVEN;
    return number_in_range(row, value, &config->lengthscale) ? CGM_OK : CGM_ERR_USAGE;
}

static void write_lengthscale(const cgm_option *row, const cgm_config *config, FILE *stream)
{
    (void)row;
    if (config->lengthscale_rule == CGM_LENGTHSCALE_GIVEN) {
        write_double(config->lengthscale, stream);
    } else {
        fputs(lengthscale_words[config->lengthscale_rule], stream);
    }
}

/* Values are compared as %g prints them, because that is what names their group in the output. */
static bool named_before(const double *values, int64_t count, double value)
{
    char name[CGM_TEXT_NUMBER];
    snprintf(name, sizeof name, "%g", value);
    for (int64_t k = 0; k < count; k++) {
        char other[CGM_TEXT_NUMBER];
        snprintf(other, sizeof other, "%g", values[k]);
        if (strcmp(name, other) == 0) {
            return true;
        }
    }
    return false;
}

static bool next_inv_temp(const cgm_option *row, char **rest, cgm_config *config)
{
    char *item = *rest + strspn(*rest, " \t");
    size_t length = strcspn(item, ",");
    *rest = item[length] == ',' ? item + length + 1 : NULL;
    while (length > 0 && isblank((unsigned char)item[length - 1])) {
        length--;
    }
    item[length] = '\0';
    double number;
    if (!number_in_range(row, item, &number)) {
        return false;
    }
    number += 0.0; /* -0 is 0 */
    if (named_before(config->inv_temp, config->n_inv_temp, number)) {
        return false;
    }
    config->inv_temp[config->n_inv_temp++] = number;
    return true;
}

static cgm_status read_inv_temp(cgm_comm *comm, const cgm_option *row, const char *value,
                                cgm_config *config)
{
    int64_t most = 1;
    for (const char *c = value; *c != '\0'; c++) {
        most += *c == ',';
    }
    config->inv_temp = cgm_alloc(comm, most, sizeof *config->inv_temp);
    char *copy = cgm_alloc(comm, (int64_t)strlen(value) + 1, 1);
    if (config->inv_temp == NULL || copy == NULL) {
        free(copy);
        return CGM_ERR_MEMORY;
    }
    memcpy(copy, value, strlen(value));
    bool accepted = true;
    for (char *rest = copy; accepted && rest != NULL;) {
        accepted = next_inv_temp(row, &rest, config);
    }
    free(copy);
    return accepted ? CGM_OK : CGM_ERR_USAGE;
}

static void write_inv_temp(const cgm_option *row, const cgm_config *config, FILE *stream)
{
    (void)row;
    for (int64_t k = 0; k < config->n_inv_temp; k++) {
        fputs(k > 0 ? ", " : "", stream);
        write_double(config->inv_temp[k], stream);
    }
}

static const cgm_option_kind word = {read_word, write_word};
static const cgm_option_kind truth = {read_truth, write_truth};
static const cgm_option_kind path = {read_path, write_path};
static const cgm_option_kind number = {read_number, write_number};
static const cgm_option_kind whole = {read_unsigned, write_unsigned};
static const cgm_option_kind lengthscale = {read_lengthscale, write_lengthscale};
static const cgm_option_kind inv_temp = {read_inv_temp, write_inv_temp};

const cgm_option cgm_options[CGM_N_OPTIONS] = {
    {"input.parties", NULL, &path, FIELD(input_parties), NULL, "a path; required",
     .help = "an HDF5 file of all parties, in groups /parties/<name> or packed;\n"
             "or a directory or a glob of files, one a party and named after it"},
    {"input.candidates", "", &path, FIELD(input_candidates), NULL,
     "a path; empty: the file of input.parties",
     .help = "HDF5 file with /candidates/data, the pool of synthetic points"},

    {"features.scale", "none", &word, NO_FIELD, WORDS("none"), NULL,
     .help = "features are used in the unit they come in"},
    {"features.type", "none", &word, NO_FIELD, WORDS("none"), NULL,
     .help = "features are used as they come"},

    {"generator.type", "file", &word, NO_FIELD, WORDS("file"), NULL,
     .help = "where the pool of synthetic points comes from"},

    {"kernel.type", "se", &word, FIELD(kernel_type), WORDS([CGM_KERNEL_SE] = "se"), NULL,
     .help = "squared exponential"},
    {"kernel.lengthscale", "nonnegative", &lengthscale, NO_FIELD, NULL,
     "nonnegative, or a number > 0",
     .help = "nonnegative: the smallest above which no party's own value is negative;\n"
             "a number: in the features' unit",
     .high = 1e150},

    {"values.exchange", "shards", &word, NO_FIELD, WORDS("shards"), NULL,
     .help = "ranks exchange the parties' points, and values are exact"},

    {"shapley.method", "auto", &word, FIELD(shapley_method),
     WORDS([CGM_SHAPLEY_AUTO] = "auto", [CGM_SHAPLEY_ENUMERATE] = "enumerate",
           [CGM_SHAPLEY_QUADRATURE] = "quadrature"),
     NULL, .help = "auto: enumerate all coalitions up to 20 parties, quadrature above"},
    {"shapley.semivalue", "shapley", &word, NO_FIELD, WORDS("shapley"), NULL,
     .help = "how a party's contributions to coalitions are weighted"},
    {"shapley.tolerance", "1e-12", &number, FIELD(shapley_tolerance), NULL, "a number > 0 and <= 1",
     .help = "the quadrature is refined while its error exceeds this share of the largest value",
     .high = 1.0},

    {"reward.condition", "stable", &word, FIELD(reward_condition),
     WORDS([CGM_REWARD_STABLE] = "stable", [CGM_REWARD_INDIVIDUAL] = "individual"), NULL,
     .help =
         "a reward is worth at least as much as: individual: the party's own data; stable: also\n"
         "the joint data of all parties whose Shapley value does not exceed the party's"},

    {"sampling.inv_temp", "1", &inv_temp, NO_FIELD, NULL,
     "a number >= 0 or inf, or a comma list, none twice",
     .help = "inverse temperature of the weighted sampling; 0: uniform; inf: greedy",
     .low_closed = true, .high = (double)INFINITY},
    {"sampling.patience", "0.1", &number, FIELD(patience), NULL, "a number > 0 and <= 1",
     .help = "fraction of the pool that is drawn without a new maximum before a party gives up",
     .high = 1.0},

    {"metrics.select", "none", &word, NO_FIELD, WORDS("none"), NULL,
     .help = "further measures of the rewards"},

    {"output.file", "results.h5", &path, FIELD(output_file), NULL, "a path",
     .help = "HDF5 file for the results", .same_results = true},
    {"output.overwrite", "false", &truth, FIELD(output_overwrite), truth_words, NULL,
     .help = "replace an existing output.file", .same_results = true},

    {"run.seed", "1", &whole, FIELD(seed), NULL, "a whole number, 0 .. 18446744073709551615",
     .help = "seed of all random numbers"},
    {"run.progress", "10", &number, FIELD(progress), NULL, "a number >= 0",
     .help = "seconds between progress lines; 0: none", .low_closed = true, .high = 1e9,
     .same_results = true},
    {"run.instruction_set", "auto", &word, FIELD(instruction_set),
     WORDS([CGM_INSTRUCTIONS_AUTO] = "auto", [CGM_INSTRUCTIONS_PORTABLE] = "portable"), NULL,
     .help = "machine code of the kernel evaluation; auto takes the best there is: portable"},
};
