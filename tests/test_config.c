// Options: defaults, file and command line, what is refused and how it is said, text that reads
// back.
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgm/config.h"
#include "cgm/text.h"

enum { ARGUMENTS_MAX = 8 };

/* A file of rank 0, which is the one that reads it. */
static void write_file(cgm_comm *comm, char path[64], const char *text)
{
    int64_t process = getpid();
    cgm_comm_broadcast(comm, &process, sizeof process, 0);
    snprintf(path, 64, "/tmp/cgm-test-config-%lld.ini", (long long)process);
    FILE *file = comm->rank == 0 ? fopen(path, "w") : NULL;
    assert_all_ranks(comm, comm->rank != 0 || file != NULL);
    if (file != NULL) {
        fputs(text, file);
        fclose(file);
    }
}

/* Loads text as the file, with the arguments up to NULL after it; the cause stays in comm->error.
 */
static cgm_status load(cgm_comm *comm, const char *text, const char *const *overrides,
                       cgm_config *config)
{
    char path[64];
    write_file(comm, path, text);
    char copies[ARGUMENTS_MAX][256];
    char *arguments[ARGUMENTS_MAX] = {path};
    int count = 1;
    for (; overrides != NULL && overrides[count - 1] != NULL; count++) {
        snprintf(copies[count], sizeof copies[count], "%s", overrides[count - 1]);
        arguments[count] = copies[count];
    }
    comm->error = (cgm_error){.status = CGM_OK};
    cgm_status status = cgm_config_load(comm, count, arguments, config);
    if (comm->rank == 0) {
        remove(path);
    }
    return status;
}

#define OVERRIDES(...)                                                                             \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

static void test_defaults(void **state)
{
    cgm_comm *comm = *state;
    cgm_config config;
    assert_all_ranks(comm, load(comm, "[input]\nparties = a.h5\n", NULL, &config) == CGM_OK);
    assert_all_ranks(comm, strcmp(config.input_parties, "a.h5") == 0);
    assert_all_ranks(comm, config.input_candidates[0] == '\0');
    assert_all_ranks(comm, config.kernel_type == CGM_KERNEL_SE);
    assert_all_ranks(comm, config.lengthscale_rule == CGM_LENGTHSCALE_NONNEGATIVE);
    assert_all_ranks(comm, config.shapley_method == CGM_SHAPLEY_AUTO);
    assert_all_ranks(comm, config.shapley_tolerance == 1e-12);
    assert_all_ranks(comm, config.reward_condition == CGM_REWARD_STABLE);
    assert_all_ranks(comm, config.n_inv_temp == 1 && config.inv_temp[0] == 1.0);
    assert_all_ranks(comm, config.patience == 0.1);
    assert_all_ranks(comm, isinf(config.epsilon) && config.delta == 1e-6);
    assert_all_ranks(comm, config.exchange == CGM_VALUES_SHARDS);
    assert_all_ranks(comm, config.embedding_features == 0 && config.orthogonal);
    assert_all_ranks(comm, strcmp(config.output_file, "results.h5") == 0);
    assert_all_ranks(comm, !config.output_overwrite);
    assert_all_ranks(comm, config.seed == 1 && config.progress == 10.0);
    assert_all_ranks(comm, config.generator_type == CGM_GENERATOR_FILE &&
                               config.generator_size == 100000 && config.generator_save);
    assert_all_ranks(comm, config.features_type == CGM_FEATURES_PLAIN && config.n_components == 8 &&
                               config.whiten && config.eigensolver == CGM_EIGEN_AUTO &&
                               cgm_config_components(&config) == 0);
    assert_all_ranks(comm, config.gmm.components == 0 && config.gmm.max_iterations == 200 &&
                               config.gmm.tolerance == 1e-6 &&
                               config.class_share == CGM_SHARE_POOL);
    cgm_config_destroy(&config);
}

static void test_file_and_command_line(void **state)
{
    cgm_comm *comm = *state;
    const char *text = "\xef\xbb\xbf# comment\n"
                       "[input]\r\n"
                       "  parties = some where.h5   ; the rest is comment\r\n"
                       "candidates=pool.h5\n"
                       "[reward]\ncondition = individual\n"
                       "[shapley]\nmethod = quadrature\n"
                       "[run]\nseed = 18446744073709551615";
    const char *const *overrides =
        OVERRIDES("--sampling.inv_temp=0, 1e1,inf", "--kernel.lengthscale=0.3", "--run.progress=0",
                  "--output.overwrite=true", "--reward.condition=stable");
    cgm_config config;
    assert_all_ranks(comm, load(comm, text, overrides, &config) == CGM_OK);
    assert_all_ranks(comm, strcmp(config.input_parties, "some where.h5") == 0);
    assert_all_ranks(comm, strcmp(config.input_candidates, "pool.h5") == 0);
    assert_all_ranks(comm, config.shapley_method == CGM_SHAPLEY_QUADRATURE);
    assert_all_ranks(comm, config.reward_condition == CGM_REWARD_STABLE);
    assert_all_ranks(comm, config.seed == UINT64_MAX);
    assert_all_ranks(comm, config.n_inv_temp == 3 && config.inv_temp[0] == 0.0 &&
                               config.inv_temp[1] == 10.0 && isinf(config.inv_temp[2]));
    assert_all_ranks(comm, config.lengthscale_rule == CGM_LENGTHSCALE_GIVEN);
    assert_all_ranks(comm, config.n_lengthscales == 1 && config.lengthscales[0] == 0.3);
    assert_all_ranks(comm, config.progress == 0.0 && config.output_overwrite);
    cgm_config_destroy(&config);
}

/* Text that is refused, and what the message must say. */
typedef struct refusal {
    const char *text; /* NULL: a file that is in order */
    const char *override;
    const char *says[3];
} refusal;

static const refusal refusals[] = {
    {"[input]\npartis = a\n", NULL, {"line 2", "unknown key", "input.parties"}},
    {"[inputs]\nparties = a\n", NULL, {"line 2", "unknown section", "input.parties"}},
    {"\n\n[input]\nparties a\n", NULL, {"line 4", "key = value", ""}},
    {"[input\nparties = a\n", NULL, {"line 1", "[section]", ""}},
    {"parties = a\n", NULL, {"line 1", "section", ""}},
    {"[input]\nparties =\n", NULL, {"line 2", "input.parties", "a path"}},
    {"[input]\nparties = a\n\nparties = b\n", NULL, {"line 4", "twice", "line 2"}},
    {"[input]\nparties = a\n[run]\nseed = 1.5\n", NULL, {"line 4", "run.seed", "whole number"}},
    {"[run]\nseed = 1\n", NULL, {"input.parties", "required", ""}},
    {NULL, "--kernel.lenghtscale=1", {"argument", "kernel.lengthscale", "did you mean"}},
    {NULL, "--kernel.lengthscale", {"--kernel.lengthscale=VALUE", "", ""}},
    {NULL, "--kernel.lengthscale=0", {"argument", "'0'", "nonnegative, median, or numbers > 0"}},
    {NULL, "--kernel.lengthscale=nan", {"'nan'", "nonnegative", ""}},
    {NULL, "--kernel.lengthscale=inf", {"'inf'", "nonnegative", ""}},
    {NULL, "--kernel.type=rbf", {"'rbf'", "accepted: se, se_sum, rq", ""}},
    {NULL, "--kernel.lengthscale=1,0", {"'1,0'", "numbers > 0", ""}},
    {NULL, "--shapley.semivalue=beta:1", {"beta:a,b", "", ""}},
    {NULL, "--shapley.semivalue=beta:1,101", {"beta:a,b", "", ""}},
    {NULL, "--shapley.method=exact", {"auto, enumerate, quadrature", "", ""}},
    {NULL, "--sampling.inv_temp=1,2,1.0", {"none twice", "", ""}},
    {NULL, "--sampling.inv_temp=1,1.0000001", {"none twice", "", ""}},
    {NULL, "--sampling.inv_temp=1,,2", {"comma list", "", ""}},
    {NULL, "--sampling.inv_temp=-1", {"comma list", "", ""}},
    {NULL, "--sampling.patience=0", {"> 0 and <= 1", "", ""}},
    {NULL, "--sampling.patience=1.01", {"> 0 and <= 1", "", ""}},
    {NULL, "--output.overwrite=yes", {"false, true", "", ""}},
    {NULL, "--output.file=a ; b", {"output.file", "", ""}},
    {NULL, "--run.seed=-1", {"run.seed", "", ""}},
    {NULL, "--run.seed=18446744073709551616", {"run.seed", "", ""}},
    {NULL, "--run.progress=1e400", {"run.progress", "", ""}},
    {NULL, "--values.epsilon=0", {"values.epsilon", ">= 1e-6", ""}},
    {NULL, "--values.epsilon=nan", {"values.epsilon", "", ""}},
    {NULL, "--values.epsilon=1", {"values.epsilon = 1", "values.exchange = shards", ""}},
    {NULL, "--values.delta=0", {"values.delta", "<= 0.5", ""}},
    {NULL, "--values.delta=1", {"values.delta", "<= 0.5", ""}},
    {NULL, "--values.exchange=points", {"shards, embeddings", "", ""}},
    {NULL, "--values.embedding_features=0", {"auto, or a whole number", "1 .. 1048576", ""}},
    {NULL, "--values.embedding_features=1048577", {"1 .. 1048576", "", ""}},
    {NULL, "--values.orthogonal=yes", {"false, true", "", ""}},
    {NULL, "--metrics.select=mmd", {"comma list of measures", "", ""}},
    {NULL, "--metrics.select=kl,kl", {"comma list of measures", "", ""}},
    {NULL, "--metrics.downstream_points=9", {">= 10", "", ""}},
    {NULL, "--generator.type=vae", {"file, gmm, gan", "", ""}},
    {NULL, "--generator.size=0", {"generator.size", "1 .. 1000000000", ""}},
    {NULL, "--generator.size=1e3", {"generator.size", "whole number", ""}},
    {NULL, "--generator.save=maybe", {"generator.save", "false, true", ""}},
    {NULL, "--features.type=svd", {"accepted: none, pca", "", ""}},
    {NULL, "--features.components=0", {"a whole number, 1 .. 1000000", "", ""}},
    {NULL, "--features.component=3", {"features.components", "", ""}},
    {NULL, "--features.whiten=perhaps", {"true", "false", ""}},
    {NULL, "--features.eigensolver=jacobi", {"auto, lapack, scalapack", "", ""}},
    {NULL, "--generator.components=0", {"auto, or a whole number", "", ""}},
    {NULL, "--generator.components=1001", {"auto, or a whole number", "", ""}},
    {NULL, "--generator.max_iterations=0", {"generator.max_iterations", "", ""}},
    {NULL, "--generator.tolerance=0", {"generator.tolerance", "> 0", ""}},
    {NULL, "--generator.tolerance=2", {"generator.tolerance", "<= 1", ""}},
    {NULL, "--generator.class_share=equal", {"pool, balanced", "", ""}},
    {NULL, "--generator.hidden=0", {"generator.hidden", "", ""}},
    {NULL, "--generator.layers=17", {"generator.layers", "1 .. 16", ""}},
    {NULL, "--generator.latent=0", {"generator.latent", "", ""}},
    {NULL, "--generator.steps=0", {"generator.steps", "", ""}},
    {NULL, "--generator.batch=0", {"generator.batch", "", ""}},
    {NULL, "--generator.learning_rate=0", {"generator.learning_rate", "", ""}},
    {NULL, "other.ini", {"two configurations", "other.ini", ""}},
};

static void test_refusals(void **state)
{
    cgm_comm *comm = *state;
    for (size_t k = 0; k < sizeof refusals / sizeof refusals[0]; k++) {
        const refusal *wrong = &refusals[k];
        const char *text = wrong->text != NULL ? wrong->text : "[input]\nparties = a\n";
        cgm_config config;
        cgm_status status = load(comm, text, OVERRIDES(wrong->override), &config);
        bool said = status == CGM_ERR_USAGE && config.input_parties == NULL;
        for (int s = 0; s < 3; s++) {
            said = said && strstr(comm->error.message, wrong->says[s]) != NULL;
        }
        if (!said) {
            print_error("refusal %zu: %s\n", k, comm->error.message);
        }
        assert_all_ranks(comm, said);
    }
}

static void test_long_lines(void **state)
{
    cgm_comm *comm = *state;
    static char text[10000];
    cgm_config config;
    /* As long as a path can be: taken. */
    snprintf(text, sizeof text, "[input]\nparties = %04000d\n", 7);
    assert_all_ranks(comm, load(comm, text, NULL, &config) == CGM_OK);
    assert_all_ranks(comm, strlen(config.input_parties) == 4000);
    cgm_config_destroy(&config);
    snprintf(text, sizeof text, "[input]\nparties = %09000d\n", 7);
    assert_all_ranks(comm, load(comm, text, NULL, &config) == CGM_ERR_USAGE);
    assert_all_ranks(comm, strstr(comm->error.message, "line 2") != NULL);
}

static void test_missing_file(void **state)
{
    cgm_comm *comm = *state;
    char name[] = "/tmp/no such options.ini";
    char directory[] = "/tmp";
    char *arguments[] = {name};
    cgm_config config;
    comm->error = (cgm_error){.status = CGM_OK};
    assert_all_ranks(comm, cgm_config_load(comm, 1, arguments, &config) == CGM_ERR_USAGE);
    assert_all_ranks(comm, strstr(comm->error.message, name) != NULL);
    arguments[0] = directory;
    comm->error = (cgm_error){.status = CGM_OK};
    assert_all_ranks(comm, cgm_config_load(comm, 1, arguments, &config) == CGM_ERR_USAGE);
    comm->error = (cgm_error){.status = CGM_OK};
    assert_all_ranks(comm, cgm_config_load(comm, 0, NULL, &config) == CGM_ERR_USAGE);
}

static void test_text_reads_back(void **state)
{
    cgm_comm *comm = *state;
    cgm_config config;
    const char *const *overrides =
        OVERRIDES("--sampling.inv_temp=0.1,0.30000000000000004,inf", "--kernel.lengthscale=1e-9",
                  "--output.file=some where.h5");
    assert_all_ranks(comm, load(comm, "[input]\nparties = a\n", overrides, &config) == CGM_OK);
    char *text = cgm_config_text(comm, &config, false);
    char *results = cgm_config_text(comm, &config, true);
    assert_all_ranks(comm, text != NULL && results != NULL);
    assert_all_ranks(comm, strstr(text, "inv_temp = 0.1, 0.30000000000000004, inf\n") != NULL);
    assert_all_ranks(comm, strstr(text, "progress = 10\n") != NULL);
    assert_all_ranks(comm, strstr(results, "[output]") == NULL);
    assert_all_ranks(comm, strstr(results, "progress") == NULL);
    assert_all_ranks(comm, strstr(results, "seed = 1\n") != NULL);
    cgm_config again;
    assert_all_ranks(comm, load(comm, text, NULL, &again) == CGM_OK);
    char *same = cgm_config_text(comm, &again, false);
    assert_all_ranks(comm, strcmp(text, same) == 0);
    assert_all_ranks(comm, again.inv_temp[1] == config.inv_temp[1]);
    free(text);
    free(results);
    free(same);
    cgm_config_destroy(&config);
    cgm_config_destroy(&again);
}

static void test_help_width(void **state)
{
    cgm_comm *comm = *state;
    char *text = NULL;
    size_t bytes;
    FILE *stream = open_memstream(&text, &bytes);
    cgm_config_print_help(stream);
    fclose(stream);
    size_t widest = 0;
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
        size_t width = strcspn(line, "\n");
        widest = width > widest ? width : widest;
    }
    assert_all_ranks(comm, widest > 60 && widest <= 100);
    assert_all_ranks(comm, strstr(text, "run.instruction_set") != NULL);
    assert_all_ranks(comm, strstr(text, "working directory") != NULL);
    free(text);
}

static void test_numbers_as_text(void **state)
{
    cgm_comm *comm = *state;
    const double values[] = {0.1, 1.0 / 3.0, 5e-324, 1.7976931348623157e308, 10.0, INFINITY};
    for (size_t k = 0; k < sizeof values / sizeof values[0]; k++) {
        char text[CGM_TEXT_NUMBER];
        double back = 0.0;
        cgm_text_from_double(values[k], text);
        assert_all_ranks(comm, cgm_text_to_double(text, &back) && back == values[k]);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),     cmocka_unit_test(test_file_and_command_line),
        cmocka_unit_test(test_refusals),     cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_missing_file), cmocka_unit_test(test_text_reads_back),
        cmocka_unit_test(test_help_width),   cmocka_unit_test(test_numbers_as_text),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
