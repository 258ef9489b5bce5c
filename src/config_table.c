#include "config_table.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/text.h"

#define FIELD(member) offsetof(cgm_config, member)

static_assert(
    sizeof(cgm_kernel_type) == sizeof(int) && sizeof(cgm_shapley_method) == sizeof(int) &&
        sizeof(cgm_reward_condition) == sizeof(int) &&
        sizeof(cgm_features_scaling) == sizeof(int) && sizeof(cgm_generator_type) == sizeof(int) &&
        sizeof(cgm_class_share) == sizeof(int) && sizeof(cgm_features_type) == sizeof(int) &&
        sizeof(cgm_eigensolver) == sizeof(int) && sizeof(cgm_pool_placement) == sizeof(int) &&
        sizeof(cgm_values_exchange) == sizeof(int) && sizeof(cgm_instruction_choice) == sizeof(int),
    "words are kept as int");

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

/* Cuts the next item of a comma list off *rest, which becomes NULL after the last one. */
static char *next_item(char **rest)
{
    char *item = *rest + strspn(*rest, " \t");
    size_t length = strcspn(item, ",");
    *rest = item[length] == ',' ? item + length + 1 : NULL;
    while (length > 0 && isblank((unsigned char)item[length - 1])) {
        length--;
    }
    item[length] = '\0';
    return item;
}

/* A comma list of numbers in the row's range. *list is allocated, also when the value is refused.
 */
static cgm_status read_list(cgm_comm *comm, const cgm_option *row, const char *value, bool distinct,
                            double **list, int64_t *count)
{
    int64_t most = 1;
    for (const char *c = value; *c != '\0'; c++) {
        most += *c == ',';
    }
    *list = cgm_alloc(comm, most, sizeof **list);
    char *copy = cgm_alloc(comm, (int64_t)strlen(value) + 1, 1);
    if (*list == NULL || copy == NULL) {
        free(copy);
        return CGM_ERR_MEMORY;
    }
    memcpy(copy, value, strlen(value));
    bool accepted = true;
    *count = 0;
    for (char *rest = copy; accepted && rest != NULL;) {
        double number;
        accepted = cgm_option_in_range(row, next_item(&rest), &number);
        if (accepted) {
            number += 0.0; /* -0 is 0 */
            accepted = !distinct || !named_before(*list, *count, number);
            (*list)[(*count)++] = number;
        }
    }
    free(copy);
    return accepted ? CGM_OK : CGM_ERR_USAGE;
}

static void write_list(const double *list, int64_t count, FILE *stream)
{
    for (int64_t k = 0; k < count; k++) {
        fputs(k > 0 ? ", " : "", stream);
        cgm_option_write_number(list[k], stream);
    }
}

static cgm_status read_lengthscale(cgm_comm *comm, const cgm_option *row, const char *value,
                                   void *target)
{
    cgm_config *config = target;
    for (int rule = 0; rule < CGM_LENGTHSCALE_GIVEN; rule++) {
        if (strcmp(value, cgm_lengthscale_rule_name((cgm_lengthscale_rule)rule)) == 0) {
            config->lengthscale_rule = (cgm_lengthscale_rule)rule;
            return CGM_OK;
        }
    }
    config->lengthscale_rule = CGM_LENGTHSCALE_GIVEN;
    return read_list(comm, row, value, false, &config->lengthscales, &config->n_lengthscales);
}

static void write_lengthscale(const cgm_option *row, const void *target, FILE *stream)
{
    (void)row;
    const cgm_config *config = target;
    if (config->lengthscale_rule == CGM_LENGTHSCALE_GIVEN) {
        write_list(config->lengthscales, config->n_lengthscales, stream);
    } else {
        fputs(cgm_lengthscale_rule_name(config->lengthscale_rule), stream);
    }
}

static cgm_status read_inv_temp(cgm_comm *comm, const cgm_option *row, const char *value,
                                void *target)
{
    cgm_config *config = target;
    return read_list(comm, row, value, true, &config->inv_temp, &config->n_inv_temp);
}

static void write_inv_temp(const cgm_option *row, const void *target, FILE *stream)
{
    (void)row;
    const cgm_config *config = target;
    write_list(config->inv_temp, config->n_inv_temp, stream);
}

/* A word, or beta:a,b with both numbers in the row's range. */
static cgm_status read_semivalue(cgm_comm *comm, const cgm_option *row, const char *value,
                                 void *target)
{
    cgm_semivalue *semivalue = &((cgm_config *)target)->semivalue;
    *semivalue = (cgm_semivalue){CGM_SEMIVALUE_SHAPLEY, 1.0, 1.0};
    for (int kind = 0; kind < CGM_SEMIVALUE_BETA; kind++) {
        if (strcmp(value, cgm_semivalue_name((cgm_semivalue_kind)kind)) == 0) {
            semivalue->kind = (cgm_semivalue_kind)kind;
            return CGM_OK;
        }
    }
    const char *prefix = "beta:";
    if (strncmp(value, prefix, strlen(prefix)) != 0) {
        return CGM_ERR_USAGE;
    }
    double *parameters;
    int64_t count;
    cgm_status status = read_list(comm, row, value + strlen(prefix), false, &parameters, &count);
    if (status == CGM_OK && count == 2) {
        *semivalue = (cgm_semivalue){CGM_SEMIVALUE_BETA, parameters[0], parameters[1]};
    }
    free(parameters);
    return status == CGM_OK && count != 2 ? CGM_ERR_USAGE : status;
}

static void write_semivalue(const cgm_option *row, const void *target, FILE *stream)
{
    (void)row;
    char text[CGM_SEMIVALUE_TEXT];
    cgm_semivalue_text(&((const cgm_config *)target)->semivalue, text);
    fputs(text, stream);
}

/* auto: what the launcher or the batch script set for OpenMP programs. */
static cgm_status read_threads(cgm_comm *comm, const cgm_option *row, const char *value,
                               void *target)
{
    cgm_config *config = target;
    if (strcmp(value, "auto") == 0) {
        const char *text = getenv("OMP_NUM_THREADS");
        double number;
        const bool sound =
            text != NULL && cgm_option_in_range(row, text, &number) && number == floor(number);
        config->threads = sound ? (int64_t)number : 1;
        return CGM_OK;
    }
    return cgm_option_integer.read(comm, row, value, target);
}

static const cgm_option_kind lengthscale = {read_lengthscale, write_lengthscale};
static void write_threads(const cgm_option *row, const void *target, FILE *stream)
{
    cgm_option_integer.write(row, target, stream);
}

/* none is kept as infinitely many hours. */
static cgm_status read_hours(cgm_comm *comm, const cgm_option *row, const char *value, void *target)
{
    cgm_config *config = target;
    if (strcmp(value, "none") == 0) {
        config->max_hours = (double)INFINITY;
        return CGM_OK;
    }
    return cgm_option_number.read(comm, row, value, target);
}

static void write_hours(const cgm_option *row, const void *target, FILE *stream)
{
    const cgm_config *config = target;
    if (isinf(config->max_hours)) {
        fputs("none", stream);
    } else {
        cgm_option_number.write(row, target, stream);
    }
}

/* all, none, or a list of words, each once. */
static cgm_status read_metrics(cgm_comm *comm, const cgm_option *row, const char *value,
                               void *target)
{
    (void)row;
    cgm_config *config = target;
    char *copy = cgm_alloc(comm, (int64_t)strlen(value) + 1, 1);
    if (copy == NULL) {
        return CGM_ERR_MEMORY;
    }
    memcpy(copy, value, strlen(value));
    const bool is_word = strcmp(value, "all") == 0 || strcmp(value, "none") == 0;
    bool accepted = true;
    config->metrics = strcmp(value, "all") == 0 ? CGM_METRICS_ALL : CGM_METRICS_NONE;
    for (char *rest = is_word ? NULL : copy; accepted && rest != NULL;) {
        const char *item = next_item(&rest);
        int k = 0;
        while (k < CGM_N_METRICS && strcmp(item, cgm_metric_name(k)) != 0) {
            k++;
        }
        accepted = k < CGM_N_METRICS && (config->metrics >> k & 1U) == 0;
        config->metrics |= accepted ? 1U << k : 0U;
    }
    free(copy);
    return accepted ? CGM_OK : CGM_ERR_USAGE;
}

static void write_metrics(const cgm_option *row, const void *target, FILE *stream)
{
    (void)row;
    const unsigned selected = ((const cgm_config *)target)->metrics;
    const char *separator = "";
    for (int k = 0; k < CGM_N_METRICS; k++) {
        if ((selected >> k & 1U) != 0 && selected != CGM_METRICS_ALL) {
            fprintf(stream, "%s%s", separator, cgm_metric_name(k));
            separator = ", ";
        }
    }
    if (selected == CGM_METRICS_ALL || selected == CGM_METRICS_NONE) {
        fputs(selected == CGM_METRICS_ALL ? "all" : "none", stream);
    }
}

/* auto is kept as 0. */
static cgm_status read_frequencies(cgm_comm *comm, const cgm_option *row, const char *value,
                                   void *target)
{
    if (strcmp(value, "auto") == 0) {
        ((cgm_config *)target)->embedding_features = 0;
        return CGM_OK;
    }
    return cgm_option_integer.read(comm, row, value, target);
}

static void write_frequencies(const cgm_option *row, const void *target, FILE *stream)
{
    if (((const cgm_config *)target)->embedding_features == 0) {
        fputs("auto", stream);
    } else {
        cgm_option_integer.write(row, target, stream);
    }
}

static cgm_status read_components(cgm_comm *comm, const cgm_option *row, const char *value,
                                  void *target)
{
    if (strcmp(value, "auto") == 0) {
        ((cgm_config *)target)->gmm.components = 0;
        return CGM_OK;
    }
    return cgm_option_integer.read(comm, row, value, target);
}

static void write_components(const cgm_option *row, const void *target, FILE *stream)
{
    if (((const cgm_config *)target)->gmm.components == 0) {
        fputs("auto", stream);
    } else {
        cgm_option_integer.write(row, target, stream);
    }
}

static const cgm_option_kind frequencies = {read_frequencies, write_frequencies};
static const cgm_option_kind components = {read_components, write_components};
static const cgm_option_kind metrics = {read_metrics, write_metrics};
static const cgm_option_kind hours = {read_hours, write_hours};
static const cgm_option_kind threads = {read_threads, write_threads};
static const cgm_option_kind inv_temp = {read_inv_temp, write_inv_temp};
static const cgm_option_kind semivalue = {read_semivalue, write_semivalue};

const cgm_option cgm_options[CGM_N_OPTIONS] = {
    {"input.parties", NULL, &cgm_option_path, FIELD(input_parties), NULL, "a path; required",
     .help = "an HDF5 file of all parties, in groups /parties/<name> or packed;\n"
             "or a directory or a glob of files, one a party and named after it"},
    {"input.candidates", "", &cgm_option_path, FIELD(input_candidates), NULL,
     "a path; empty: the file of input.parties",
     .help = "HDF5 file with /candidates/data, the pool of synthetic points, and /test; where the\n"
             "pool is generated only /test is looked for"},

    {"features.scale", "none", &cgm_option_word, FIELD(scaling),
     CGM_WORDS([CGM_SCALE_NONE] = "none", [CGM_SCALE_STANDARD] = "standard",
               [CGM_SCALE_MINMAX] = "minmax"),
     NULL,
     .help = "fitted on all parties together and applied to the pool too; standard: mean 0 and\n"
             "standard deviation 1; minmax: 0 .. 1; rewards keep the unit of the input"},
    {"features.type", "none", &cgm_option_word, FIELD(features_type),
     CGM_WORDS([CGM_FEATURES_PLAIN] = "none", [CGM_FEATURES_PCA] = "pca"), NULL,
     .help = "none: features are used as they come, or scaled; pca: then projected on the\n"
             "principal components of all parties' points; rewards keep the unit of a pool in a\n"
             "file, and are coordinates on the components where the pool was drawn on them"},
    {"features.components", "8", &cgm_option_integer, FIELD(n_components), NULL,
     "a whole number, 1 .. 1000000", .help = "how many, of features.type = pca", .low = 1.0,
     .high = 1e6},
    {"features.whiten", "true", &cgm_option_truth, FIELD(whiten), cgm_option_truth_words, NULL,
     .help = "whether components are divided by their standard deviation"},
    {"features.eigensolver", "auto", &cgm_option_word, FIELD(eigensolver),
     CGM_WORDS([CGM_EIGEN_AUTO] = "auto", [CGM_EIGEN_LAPACK] = "lapack",
               [CGM_EIGEN_SCALAPACK] = "scalapack"),
     NULL,
     .help = "of the components; auto: lapack up to 1,024 features, scalapack above, which shares\n"
             "the work among the ranks, and whose last digits depend on their number"},

    {"generator.type", "file", &cgm_option_word, FIELD(generator_type),
     CGM_WORDS([CGM_GENERATOR_FILE] = "file", [CGM_GENERATOR_GMM] = "gmm",
               [CGM_GENERATOR_GAN] = "gan"),
     NULL,
     .help = "where the pool of synthetic points comes from; file: input.candidates; gmm: a\n"
             "Gaussian mixture for each class, trained on the points of all parties; gan: a\n"
             "generative adversarial network that knows the classes, trained on them"},
    {"generator.size", "100000", &cgm_option_integer, FIELD(generator_size), NULL,
     "a whole number, 1 .. 1000000000", .help = "points to draw from what was trained", .low = 1.0,
     .high = 1e9},
    {"generator.save", "true", &cgm_option_truth, FIELD(generator_save), cgm_option_truth_words,
     NULL, .help = "keep the pool that was drawn in the output"},
    {"generator.components", "auto", &components, FIELD(gmm.components), NULL,
     "auto, or a whole number, 1 .. 1000",
     .help = "gmm: Gaussians of each class; auto: 1, 2, 3, 4, 6, 8, 12 or 16, by the Bayesian\n"
             "information criterion",
     .low = 1.0, .high = CGM_GMM_COMPONENTS_MAX},
    {"generator.max_iterations", "200", &cgm_option_integer, FIELD(gmm.max_iterations), NULL,
     "a whole number, 1 .. 1000000", .help = "gmm: most passes over the points for a mixture",
     .low = 1.0, .high = 1e6},
    {"generator.tolerance", "1e-6", &cgm_option_number, FIELD(gmm.tolerance), NULL,
     "a number > 0 and <= 1",
     .help = "gmm: a mixture is found when a pass raises the mean log-likelihood by less",
     .high = 1.0},
    {"generator.class_share", "pool", &cgm_option_word, FIELD(class_share),
     CGM_WORDS([CGM_SHARE_POOL] = "pool", [CGM_SHARE_BALANCED] = "balanced"), NULL,
     .help =
         "how often a class is drawn; pool: as in the points of all parties together; balanced:\n"
         "as often as any other"},
    {"generator.hidden", "128", &cgm_option_integer, FIELD(gan.hidden), NULL,
     "a whole number, 1 .. 65536", .help = "gan: units of a hidden layer", .low = 1.0,
     .high = 65536.0},
    {"generator.layers", "2", &cgm_option_integer, FIELD(gan.layers), NULL,
     "a whole number, 1 .. 16", .help = "gan: hidden layers of each network", .low = 1.0,
     .high = 16.0},
    {"generator.latent", "16", &cgm_option_integer, FIELD(gan.latent), NULL,
     "a whole number, 1 .. 65536", .help = "gan: dimensions of the noise that points are made of",
     .low = 1.0, .high = 65536.0},
    {"generator.steps", "5000", &cgm_option_integer, FIELD(gan.steps), NULL,
     "a whole number, 1 .. 1000000000", .help = "gan: steps of the training", .low = 1.0,
     .high = 1e9},
    {"generator.batch", "256", &cgm_option_integer, FIELD(gan.batch), NULL,
     "a whole number, 1 .. 1048576", .help = "gan: points of a step, of all ranks together",
     .low = 1.0, .high = 1048576.0},
    {"generator.learning_rate", "1e-3", &cgm_option_number, FIELD(gan.learning_rate), NULL,
     "a number > 0 and <= 1", .help = "gan: of Adam", .high = 1.0},

    {"kernel.type", "se", &cgm_option_word, FIELD(kernel_type),
     CGM_WORDS([CGM_KERNEL_SE] = "se", [CGM_KERNEL_SE_SUM] = "se_sum", [CGM_KERNEL_RQ] = "rq"),
     NULL,
     .help = "squared exponential; the sum of three, at 0.1, 1 and 10 lengthscales; the sum of\n"
             "three rational quadratic ones, of shape 0.1, 1 and 10"},
    {"kernel.lengthscale", "nonnegative", &lengthscale, CGM_NO_FIELD, NULL,
     "nonnegative, median, or numbers > 0",
     .help = "nonnegative: the smallest above which no party's own value is negative; median:\n"
             "median distance between the parties' points, of at most 5000; numbers: in the\n"
             "features' unit, one for all features or one each",
     .high = 1e150},

    {"values.exchange", "shards", &cgm_option_word, FIELD(exchange),
     CGM_WORDS([CGM_VALUES_SHARDS] = "shards", [CGM_VALUES_EMBEDDINGS] = "embeddings"), NULL,
     .help =
         "shards: ranks exchange the parties' points, and values are exact; embeddings: points\n"
         "stay on the rank that read them, and values come from random Fourier features"},
    {"values.embedding_features", "auto", &frequencies, FIELD(embedding_features), NULL,
     "auto, or a whole number, 1 .. 1048576",
     .help = "random frequencies of an embedding, of each kernel where three are summed; auto: "
             "4096, or\n"
             "as many as suit the noise of values.epsilon",
     .low = 1.0, .high = CGM_EMBEDDING_FREQUENCIES_MAX},
    {"values.orthogonal", "true", &cgm_option_truth, FIELD(orthogonal), cgm_option_truth_words,
     NULL, .help = "frequencies of an embedding come in orthogonal blocks, which errs less"},
    {"values.epsilon", "inf", &cgm_option_number, FIELD(epsilon), NULL,
     "a number >= 1e-6; inf: no noise",
     .help = "differential privacy of the embedding that a party gives away, against the exchange\n"
             "of one of its points; less takes more noise; not with values.exchange = shards",
     .low = 1e-6, .low_closed = true, .high = (double)INFINITY},
    {"values.delta", "1e-6", &cgm_option_number, FIELD(delta), NULL, "a number > 0 and <= 0.5",
     .help = "probability with which the guarantee of values.epsilon may not hold", .high = 0.5},

    {"shapley.method", "auto", &cgm_option_word, FIELD(shapley_method),
     CGM_WORDS([CGM_SHAPLEY_AUTO] = "auto", [CGM_SHAPLEY_ENUMERATE] = "enumerate",
               [CGM_SHAPLEY_QUADRATURE] = "quadrature"),
     NULL, .help = "auto: enumerate all coalitions up to 20 parties, quadrature above"},
    {"shapley.semivalue", "shapley", &semivalue, CGM_NO_FIELD, NULL,
     "shapley, banzhaf, leave_one_out, beta:a,b",
     .help = "how a party's contributions to coalitions are weighted; beta:16,1 favours small\n"
             "coalitions, beta:1,16 large ones; 0.05 <= a, b <= 100",
     .low = 0.05, .low_closed = true, .high = 100.0},
    {"shapley.tolerance", "1e-12", &cgm_option_number, FIELD(shapley_tolerance), NULL,
     "a number > 0 and <= 1",
     .help = "the quadrature is refined while its error exceeds this share of the largest value",
     .high = 1.0},

    {"reward.condition", "stable", &cgm_option_word, FIELD(reward_condition),
     CGM_WORDS([CGM_REWARD_STABLE] = "stable", [CGM_REWARD_INDIVIDUAL] = "individual"), NULL,
     .help =
         "a reward is worth at least as much as: individual: the party's own data; stable: also\n"
         "the joint data of all parties whose Shapley value does not exceed the party's"},
    {"reward.strict", "false", &cgm_option_truth, FIELD(reward_strict), cgm_option_truth_words,
     NULL,
     .help =
         "what happens when no rewards satisfy the condition; false: it is relaxed as little as\n"
         "possible, and the output says what each party loses; true: an error"},

    {"sampling.inv_temp", "1", &inv_temp, CGM_NO_FIELD, NULL,
     "a comma list, each 0 .. inf, none twice",
     .help = "inverse temperature of the weighted sampling; 0: uniform; inf: greedy",
     .low_closed = true, .high = (double)INFINITY},
    {"sampling.patience", "0.1", &cgm_option_number, FIELD(patience), NULL, "a number > 0 and <= 1",
     .help = "fraction of the pool that is drawn without a new maximum before a party gives up",
     .high = 1.0},

    {"metrics.select", "all", &metrics, CGM_NO_FIELD, NULL,
     "all, none, or a comma list of measures",
     .help = "measures of the rewards: mmd2, kl, wasserstein2, imbalance, downstream, privacy,\n"
             "significance; all: everything but significance"},
    {"metrics.downstream_points", "20000", &cgm_option_integer, FIELD(downstream_points), NULL,
     "a whole number >= 10",
     .help = "most points that a downstream model is trained on, or tested on; of more, a part is\n"
             "chosen by the seed",
     .low = 10.0, .low_closed = true, .high = 1e9},
    {"metrics.significance_points", "5000", &cgm_option_integer, FIELD(significance_points), NULL,
     "a whole number, 10 .. 100000",
     .help = "most points whose kernel matrix gives the distribution of the test of significance",
     .low = 10.0, .low_closed = true, .high = 1e5},

    {"output.file", "results.h5", &cgm_option_path, FIELD(output_file), NULL, "a path",
     .help = "HDF5 file for the results", .same_results = true},
    {"output.overwrite", "false", &cgm_option_truth, FIELD(output_overwrite),
     cgm_option_truth_words, NULL, .help = "replace an existing output.file", .same_results = true},
    {"output.party_dir", "none", &cgm_option_path, FIELD(party_dir), NULL, "a path, or none",
     .help = "directory for one file a party, readable by its owner alone, with its own reward",
     .same_results = true},

    {"checkpoint.file", "none", &cgm_option_path, FIELD(checkpoint_file), NULL, "a path, or none",
     .help = "where a run that stops keeps what it has done; the next run with the same options\n"
             "and input goes on from it, on any number of ranks",
     .same_results = true},
    {"checkpoint.interval", "300", &cgm_option_number, FIELD(checkpoint_interval), NULL,
     "a number > 0", .help = "seconds between checkpoints", .high = 1e9, .same_results = true},

    {"run.seed", "1", &cgm_option_unsigned, FIELD(seed), NULL,
     "a whole number, 0 .. 18446744073709551615", .help = "seed of all random numbers"},
    {"run.progress", "10", &cgm_option_number, FIELD(progress), NULL, "a number >= 0",
     .help = "seconds between progress lines; 0: none", .low_closed = true, .high = 1e9,
     .same_results = true},
    {"run.threads", "auto", &threads, FIELD(threads), NULL, "auto, or a whole number, 1 .. 1024",
     .help = "of each rank; auto: OMP_NUM_THREADS, or 1", .low = 1.0, .low_closed = true,
     .high = 1024.0, .same_results = true},
    {"run.max_hours", "none", &hours, FIELD(max_hours), NULL, "none, or a number > 0",
     .help = "the run stops at a checkpoint before it has taken so many hours", .high = 1e6,
     .same_results = true},
    {"run.reuse", "none", &cgm_option_path, FIELD(reuse), NULL, "a path, or none",
     .help = "an earlier result: kernel sums of parties that are in it, with the same data, pool\n"
             "and lengthscale, are taken from there",
     .same_results = true},
    {"run.pool", "auto", &cgm_option_word, FIELD(pool_placement),
     CGM_WORDS([CGM_POOL_AUTO] = "auto", [CGM_POOL_NODE] = "node", [CGM_POOL_RANKS] = "ranks"),
     NULL,
     .help =
         "where the pool lies; node: one copy a node, in memory that its ranks share; ranks: a\n"
         "slice on each, which takes more messages; auto: ranks if a node has no room for it",
     .same_results = true},
    {"run.instruction_set", "auto", &cgm_option_word, FIELD(instruction_set),
     CGM_WORDS([CGM_INSTRUCTIONS_PORTABLE] = "portable", [CGM_INSTRUCTIONS_AVX2] = "avx2",
               [CGM_INSTRUCTIONS_AVX512] = "avx512", [CGM_INSTRUCTIONS_AUTO] = "auto"),
     NULL,
     .help =
         "machine code of the kernel evaluation; auto: the best one that the processors of all\n"
         "ranks have. Results of avx2 and avx512 are the same, those of portable differ by\n"
         "rounding"},
};
