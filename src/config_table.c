#include "config_table.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/text.h"

#define FIELD(member) offsetof(cgm_config, member)

static_assert(sizeof(cgm_kernel_type) == sizeof(int) && sizeof(cgm_shapley_method) == sizeof(int) &&
                  sizeof(cgm_reward_condition) == sizeof(int) &&
                  sizeof(cgm_instruction_set) == sizeof(int),
              "words are kept as int");

static const char *const lengthscale_words[] = {
    [CGM_LENGTHSCALE_NONNEGATIVE] = "nonnegative",
    NULL,
};

static cgm_status read_lengthscale(cgm_comm *comm, const cgm_option *row, const char *value,
                                   void *target)
{
    (void)comm;
    cgm_config *config = target;
    if (strcmp(value, lengthscale_words[CGM_LENGTHSCALE_NONNEGATIVE]) == 0) {
        config->lengthscale_rule = CGM_LENGTHSCALE_NONNEGATIVE;
        return CGM_OK;
    }
    config->lengthscale_rule = CGM_LENGTHSCALE_GIVEN;
    return cgm_option_in_range(row, value, &config->lengthscale) ? CGM_OK : CGM_ERR_USAGE;
}

static void write_lengthscale(const cgm_option *row, const void *target, FILE *stream)
{
    (void)row;
    const cgm_config *config = target;
    if (config->lengthscale_rule == CGM_LENGTHSCALE_GIVEN) {
        cgm_option_write_number(config->lengthscale, stream);
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
    if (!cgm_option_in_range(row, item, &number)) {
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
                                void *target)
{
    cgm_config *config = target;
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

static void write_inv_temp(const cgm_option *row, const void *target, FILE *stream)
{
    (void)row;
    const cgm_config *config = target;
    for (int64_t k = 0; k < config->n_inv_temp; k++) {
        fputs(k > 0 ? ", " : "", stream);
        cgm_option_write_number(config->inv_temp[k], stream);
    }
}

static const cgm_option_kind lengthscale = {read_lengthscale, write_lengthscale};
static const cgm_option_kind inv_temp = {read_inv_temp, write_inv_temp};

const cgm_option cgm_options[CGM_N_OPTIONS] = {
    {"input.parties", NULL, &cgm_option_path, FIELD(input_parties), NULL, "a path; required",
     .help = "an HDF5 file of all parties, in groups /parties/<name> or packed;\n"
             "or a directory or a glob of files, one a party and named after it"},
    {"input.candidates", "", &cgm_option_path, FIELD(input_candidates), NULL,
     "a path; empty: the file of input.parties",
     .help = "HDF5 file with /candidates/data, the pool of synthetic points"},

    {"features.scale", "none", &cgm_option_word, CGM_NO_FIELD, CGM_WORDS("none"), NULL,
     .help = "features are used in the unit they come in"},
    {"features.type", "none", &cgm_option_word, CGM_NO_FIELD, CGM_WORDS("none"), NULL,
     .help = "features are used as they come"},

    {"generator.type", "file", &cgm_option_word, CGM_NO_FIELD, CGM_WORDS("file"), NULL,
     .help = "where the pool of synthetic points comes from"},

    {"kernel.type", "se", &cgm_option_word, FIELD(kernel_type), CGM_WORDS([CGM_KERNEL_SE] = "se"),
     NULL, .help = "squared exponential"},
    {"kernel.lengthscale", "nonnegative", &lengthscale, CGM_NO_FIELD, NULL,
     "nonnegative, or a number > 0",
     .help = "nonnegative: the smallest above which no party's own value is negative;\n"
             "a number: in the features' unit",
     .high = 1e150},

    {"values.exchange", "shards", &cgm_option_word, CGM_NO_FIELD, CGM_WORDS("shards"), NULL,
     .help = "ranks exchange the parties' points, and values are exact"},

    {"shapley.method", "auto", &cgm_option_word, FIELD(shapley_method),
     CGM_WORDS([CGM_SHAPLEY_AUTO] = "auto", [CGM_SHAPLEY_ENUMERATE] = "enumerate",
               [CGM_SHAPLEY_QUADRATURE] = "quadrature"),
     NULL, .help = "auto: enumerate all coalitions up to 20 parties, quadrature above"},
    {"shapley.semivalue", "shapley", &cgm_option_word, CGM_NO_FIELD, CGM_WORDS("shapley"), NULL,
     .help = "how a party's contributions to coalitions are weighted"},
    {"shapley.tolerance", "1e-12", &cgm_option_number, FIELD(shapley_tolerance), NULL,
     "a number > 0 and <= 1",
     .help = "the quadrature is refined while its error exceeds this share of the largest value",
     .high = 1.0},

    {"reward.condition", "stable", &cgm_option_word, FIELD(reward_condition),
     CGM_WORDS([CGM_REWARD_STABLE] = "stable", [CGM_REWARD_INDIVIDUAL] = "individual"), NULL,
     .help =
         "a reward is worth at least as much as: individual: the party's own data; stable: also\n"
         "the joint data of all parties whose Shapley value does not exceed the party's"},

    {"sampling.inv_temp", "1", &inv_temp, CGM_NO_FIELD, NULL,
     "a comma list, each 0 .. inf, none twice",
     .help = "inverse temperature of the weighted sampling; 0: uniform; inf: greedy",
     .low_closed = true, .high = (double)INFINITY},
    {"sampling.patience", "0.1", &cgm_option_number, FIELD(patience), NULL, "a number > 0 and <= 1",
     .help = "fraction of the pool that is drawn without a new maximum before a party gives up",
     .high = 1.0},

    {"metrics.select", "none", &cgm_option_word, CGM_NO_FIELD, CGM_WORDS("none"), NULL,
     .help = "further measures of the rewards"},

    {"output.file", "results.h5", &cgm_option_path, FIELD(output_file), NULL, "a path",
     .help = "HDF5 file for the results", .same_results = true},
    {"output.overwrite", "false", &cgm_option_truth, FIELD(output_overwrite),
     cgm_option_truth_words, NULL, .help = "replace an existing output.file", .same_results = true},

    {"run.seed", "1", &cgm_option_unsigned, FIELD(seed), NULL,
     "a whole number, 0 .. 18446744073709551615", .help = "seed of all random numbers"},
    {"run.progress", "10", &cgm_option_number, FIELD(progress), NULL, "a number >= 0",
     .help = "seconds between progress lines; 0: none", .low_closed = true, .high = 1e9,
     .same_results = true},
    {"run.instruction_set", "auto", &cgm_option_word, FIELD(instruction_set),
     CGM_WORDS([CGM_INSTRUCTIONS_AUTO] = "auto", [CGM_INSTRUCTIONS_PORTABLE] = "portable"), NULL,
     .help = "machine code of the kernel evaluation; auto takes the best there is: portable"},
};
