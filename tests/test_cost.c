// The cost model against what whole runs count, stage by stage and rank by rank.
// ranks: 1 2 3 4 5 8
// timeout: 300
// without: valgrind
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgm/cost.h"
#include "cgm/h5.h"
#include "cgm/labels.h"
#include "cgm/pipeline.h"
#include "cgm/simulate.h"
#include "cgm/tolerance.h"

enum { PATH_BYTES = 96, ARGUMENTS = 8, SPLIT_MOST = 200 };

/* A run and the model of it. */
typedef struct costed {
    cgm_comm *comm;
    char data[PATH_BYTES];
    char options[PATH_BYTES];
    char result[PATH_BYTES];
    char parties[PATH_BYTES]; /* directory of the parties' own files, where there are any */
    bool split;               /* the parties are in such files */
    cgm_config config;
    cgm_shard shard;
    cgm_candidates pool;
    cgm_h5_file file;
    cgm_h5_texts stages;
    double *counted[3]; /* [stages][ranks] evaluations, bytes sent, bytes received */
    int64_t *draws;     /* [n_inv_temp][n_parties] */
    int64_t *points;    /* [n_inv_temp][n_parties] of rewards */
    double *candidates; /* [n_parties] different ones of them */
    double different;   /* of all parties */
    cgm_cost cost;
} costed;

static void name_party_file(const costed *at, int party, char path[2 * PATH_BYTES])
{
    snprintf(path, 2 * PATH_BYTES, "%s/party%d.h5", at->parties, party);
}

static void remove_files(const costed *at)
{
    cgm_comm_barrier(at->comm);
    if (at->comm->rank == 0) {
        for (int i = 1; i <= SPLIT_MOST; i++) {
            char path[2 * PATH_BYTES];
            name_party_file(at, i, path);
            remove(path);
        }
        rmdir(at->parties);
        remove(at->data);
        remove(at->options);
        remove(at->result);
    }
    cgm_comm_barrier(at->comm);
}

/* Copies /parties/party<number> of the data into a file of its own; false when there is none. */
static bool split_party(const costed *at, const cgm_h5_file *from, int party)
{
    static const char *const names[] = {"data", "labels"};
    char path[2 * PATH_BYTES];
    cgm_h5_kind kind;
    cgm_h5_file file;
    snprintf(path, sizeof path, "/parties/party%d", party);
    if (cgm_h5_find(from, path, &kind) != CGM_OK || kind == CGM_H5_MISSING) {
        return false;
    }
    name_party_file(at, party, path);
    cgm_status status = cgm_h5_create(at->comm, path, false, &file);
    for (int k = 0; k < 2; k++) {
        const cgm_h5_type type = k == 0 ? CGM_H5_DOUBLE : CGM_H5_INT64;
        cgm_h5_info info;
        snprintf(path, sizeof path, "/parties/party%d/%s", party, names[k]);
        void *numbers = cgm_h5_read(from, path, NULL, type, &info);
        assert_true(status == CGM_OK && numbers != NULL);
        snprintf(path, sizeof path, "/%s", names[k]);
        status = cgm_h5_write(&file, path, type, info.rank, info.dims, 0, info.dims[0], numbers);
        free(numbers);
    }
    return cgm_h5_finish(&file) == CGM_OK;
}

static void split(const costed *at)
{
    if (at->split && at->comm->rank == 0) {
        cgm_h5_file from;
        mkdir(at->parties, 0700);
        cgm_h5_open(at->comm, at->data, &from);
        for (int i = 1; i <= SPLIT_MOST && split_party(at, &from, i); i++) {
        }
        cgm_h5_close(&from);
    }
    cgm_comm_barrier(at->comm);
}

/* Simulates with simulate [≤ ARGUMENTS, NULL at the end] and runs with options of sections. */
static void make_result(costed *at, const char *const *simulate, const char *options)
{
    cgm_comm *comm = at->comm;
    int64_t process = getpid();
    cgm_comm_broadcast(comm, &process, sizeof process, 0);
    snprintf(at->data, PATH_BYTES, "/tmp/cgm-test-cost-%lld-data.h5", (long long)process);
    snprintf(at->options, PATH_BYTES, "/tmp/cgm-test-cost-%lld.ini", (long long)process);
    snprintf(at->result, PATH_BYTES, "/tmp/cgm-test-cost-%lld-result.h5", (long long)process);
    snprintf(at->parties, PATH_BYTES, "/tmp/cgm-test-cost-%lld-parties", (long long)process);
    remove_files(at); /* what a test that failed left */
    comm->error = (cgm_error){.status = CGM_OK};
    char copies[ARGUMENTS + 2][PATH_BYTES];
    char *arguments[ARGUMENTS + 2] = {copies[0], copies[1]};
    snprintf(copies[0], PATH_BYTES, "--out");
    snprintf(copies[1], PATH_BYTES, "%s", at->data);
    int count = 2;
    for (; simulate[count - 2] != NULL; count++) {
        snprintf(copies[count], PATH_BYTES, "%s", simulate[count - 2]);
        arguments[count] = copies[count];
    }
    assert_all_ranks(comm, cgm_simulate(comm, count, arguments) == CGM_OK);
    split(at);
    if (comm->rank == 0) {
        FILE *file = fopen(at->options, "w");
        fprintf(file,
                "[input]\nparties = %s\ncandidates = %s\n[output]\nfile = %s\n[reward]\ncondition "
                "= individual\n"
                "[run]\nprogress = 0\n%s",
                at->split ? at->parties : at->data, at->split ? at->data : "", at->result, options);
        fclose(file);
    }
    cgm_comm_barrier(comm);
    char *path[] = {at->options};
    assert_all_ranks(comm, cgm_config_load(comm, 1, path, &at->config) == CGM_OK);
    assert_all_ranks(comm, cgm_pipeline_run(comm, &at->config, "test") == CGM_OK);
}

/* Counters and draws from the result; sizes and placement from the input. */
static void read_result(costed *at)
{
    static const char *const names[] = {"/timings/rank_kernel_evaluations",
                                        "/timings/rank_bytes_sent", "/timings/rank_bytes_received"};
    cgm_comm *comm = at->comm;
    assert_all_ranks(comm, cgm_pipeline_read_parties(comm, &at->config, &at->shard) == CGM_OK);
    const bool is_read = at->config.generator_type == CGM_GENERATOR_FILE;
    assert_all_ranks(comm, cgm_candidates_read(comm, is_read ? at->data : at->result, &at->shard,
                                               at->config.pool_placement, &at->pool) == CGM_OK);
    assert_all_ranks(comm, cgm_h5_open(comm, at->result, &at->file) == CGM_OK);
    assert_all_ranks(comm,
                     cgm_h5_read_texts(&at->file, "/timings/stage", NULL, &at->stages) == CGM_OK);
    for (int k = 0; k < 3; k++) {
        cgm_h5_info info;
        at->counted[k] = cgm_h5_read(&at->file, names[k], NULL, CGM_H5_DOUBLE, &info);
        assert_all_ranks(comm, at->counted[k] != NULL && info.rank == 2 &&
                                   info.dims[0] == at->stages.count && info.dims[1] == comm->size);
    }
    const int64_t n = at->shard.n_parties;
    at->draws = calloc((size_t)(at->config.n_inv_temp * n), sizeof *at->draws);
    for (int64_t s = 0; s < at->config.n_inv_temp; s++) {
        char path[PATH_BYTES];
        snprintf(path, sizeof path, "/sampling/beta_%g/draws", at->config.inv_temp[s]);
        assert_all_ranks(comm, cgm_h5_read_rows(&at->file, path, CGM_H5_INT64, 0, n, 1,
                                                at->draws + s * n) == CGM_OK);
    }
}

/* Marks the candidates of one reward in both; what was not marked counts. */
static void mark_reward(costed *at, int64_t party, const int64_t *indices, int64_t count,
                        bool *of_party, bool *of_all)
{
    for (int64_t k = 0; k < count; k++) {
        at->candidates[party] += !of_party[indices[k]];
        at->different += !of_all[indices[k]];
        of_party[indices[k]] = of_all[indices[k]] = true;
    }
}

/* Which candidates the rewards hold. */
static void read_rewards(costed *at)
{
    const int64_t n = at->shard.n_parties;
    const size_t g = (size_t)at->pool.n_points;
    at->points = calloc((size_t)(at->config.n_inv_temp * n), sizeof *at->points);
    at->candidates = calloc((size_t)n, sizeof *at->candidates);
    bool *of_parties = calloc((size_t)n * g, sizeof *of_parties);
    bool *of_all = calloc(g, sizeof *of_all);
    for (int64_t s = 0; s < at->config.n_inv_temp; s++) {
        char path[PATH_BYTES];
        snprintf(path, sizeof path, "/sampling/beta_%g/offsets", at->config.inv_temp[s]);
        int64_t *offsets = cgm_h5_read(&at->file, path, NULL, CGM_H5_INT64, NULL);
        snprintf(path, sizeof path, "/sampling/beta_%g/indices", at->config.inv_temp[s]);
        int64_t *indices = cgm_h5_read(&at->file, path, NULL, CGM_H5_INT64, NULL);
        assert_all_ranks(at->comm, offsets != NULL && indices != NULL);
        for (int64_t i = 0; i < n; i++) {
            at->points[s * n + i] = offsets[i + 1] - offsets[i];
            mark_reward(at, i, indices + offsets[i], offsets[i + 1] - offsets[i],
                        of_parties + (size_t)i * g, of_all);
        }
        free(offsets);
        free(indices);
    }
    free(of_parties);
    free(of_all);
}

/* Classes that a generative model tells apart. */
static int64_t count_classes(costed *at)
{
    int64_t *labels = NULL;
    int64_t count = 0;
    assert_all_ranks(at->comm, cgm_labels_find(at->comm, &at->shard, &labels, &count) == CGM_OK);
    free(labels);
    return count;
}

/* A number of every class from /generator. */
static double *read_class_numbers(costed *at, const char *path, int64_t *count)
{
    cgm_h5_info info;
    double *numbers = cgm_h5_read(&at->file, path, NULL, CGM_H5_DOUBLE, &info);
    assert_all_ranks(at->comm, numbers != NULL);
    *count = info.count;
    return numbers;
}

/* How the mixtures came about. The caller frees it. */
static cgm_cost_class *read_classes(costed *at, int64_t *count)
{
    *count = count_classes(at);
    if (at->config.generator_type != CGM_GENERATOR_GMM) {
        return NULL;
    }
    double *points = read_class_numbers(at, "/generator/class_points", count);
    double *components = read_class_numbers(at, "/generator/components", count);
    double *starts = read_class_numbers(at, "/generator/starts", count);
    double *start_components = read_class_numbers(at, "/generator/start_components", count);
    double *passes = read_class_numbers(at, "/generator/passes", count);
    double *component_passes = read_class_numbers(at, "/generator/component_passes", count);
    cgm_cost_class *classes = calloc((size_t)*count, sizeof *classes);
    for (int64_t c = 0; c < *count; c++) {
        classes[c] = (cgm_cost_class){(int64_t)points[c],  components[c], starts[c],
                                      start_components[c], passes[c],     component_passes[c]};
    }
    free(points);
    free(components);
    free(starts);
    free(start_components);
    free(passes);
    free(component_passes);
    return classes;
}

static void count_model(costed *at)
{
    cgm_comm *comm = at->comm;
    cgm_spread spread;
    int64_t passes = 0;
    double lengthscale = 0.0;
    assert_all_ranks(
        comm, cgm_h5_read_scalar(&at->file, "/kernel", "passes", CGM_H5_INT64, &passes) == CGM_OK);
    assert_all_ranks(comm, cgm_h5_read_scalar(&at->file, "/kernel/lengthscale", NULL, CGM_H5_DOUBLE,
                                              &lengthscale) == CGM_OK);
    /* The deviation that the search began with is that of the scaled or projected features. */
    cgm_features features;
    cgm_testset none = {0};
    const int64_t d = at->shard.n_features;
    const cgm_projection_rules rules = {at->config.scaling, at->config.n_components,
                                        at->config.whiten, at->config.eigensolver};
    assert_all_ranks(
        comm, (at->config.features_type == CGM_FEATURES_PCA
                   ? cgm_projection_apply(comm, &rules, &at->shard, &at->pool, &none, &features)
                   : cgm_features_scale(comm, at->config.scaling, &at->shard, &at->pool, &none,
                                        &features)) == CGM_OK);
    assert_all_ranks(comm, cgm_spread_measure(comm, &at->shard, &at->pool, &spread) == CGM_OK);
    int64_t n_classes;
    cgm_cost_class *classes = read_classes(at, &n_classes);
    const int64_t n_features = at->shard.n_features;
    at->shard.n_features = d; /* as the model knows the input; it does not look at points */
    const cgm_cost_run run = {
        .size = comm->size,
        .n_classes = n_classes,
        .classes = classes,
        .config = &at->config,
        .shard = &at->shard,
        .files = at->split,
        .n_candidates = at->pool.n_points,
        .first_candidate = at->pool.first,
        .sliced = at->pool.sliced,
        .is_pool_projected = at->pool.is_projected,
        .has_candidate_labels = true,
        .search = cgm_cost_search_of(passes, lengthscale, spread.overall, n_features,
                                     at->split ? CGM_EMBEDDING_RUNGS : CGM_LADDER_RUNGS),
        .draws = at->draws,
        .rewards = {at->points, at->candidates, at->different},
    };
    assert_all_ranks(comm, cgm_cost_count(comm, &run, &at->cost) == CGM_OK);
    cgm_spread_destroy(&spread);
    cgm_features_destroy(&features);
    free(classes);
}

static double sum(const double *values, int64_t count)
{
    double total = 0.0;
    for (int64_t k = 0; k < count; k++) {
        total += values[k];
    }
    return total;
}

/* Of the sampling: evaluations of all ranks together are known, whoever draws. Where each rank
 * draws on its own, bytes lie between what everybody sends in any case, and that with all points
 * and rewards going to another rank. */
static void compare_sampling(costed *at, const double *const counted[3], const double *modelled[3])
{
    const int64_t size = at->comm->size;
    const double evaluations = sum(counted[0], size);
    assert_close(at->comm, evaluations, sum(modelled[0], size), CGM_TEST_COST, 0.0);
    const cgm_sampling_plan plan = cgm_sampling_plan_for(at->comm->size, at->shard.n_parties,
                                                         at->config.n_inv_temp, &at->pool);
    if (plan.n_teams < size) {
        return;
    }
    const double n = (double)(at->shard.n_parties * at->config.n_inv_temp);
    const double numbers = size > 1 ? 4.0 * n * sizeof(int64_t) * (double)size : 0.0;
    const double draws = (double)size * 2.0 * sizeof(double);
    double rewards = 0.0;
    for (int64_t k = 0; k < (int64_t)n; k++) {
        rewards += draws * (double)at->draws[k];
    }
    for (int k = 1; k < 3; k++) {
        const double bytes = sum(counted[k], size);
        const double points = (double)(size * at->shard.n_points * at->shard.n_features) *
                              (double)at->config.n_inv_temp * sizeof(double);
        const double most = numbers + (size > 1 ? rewards + points + 64.0 * n : 0.0);
        assert_all_ranks(at->comm, bytes >= numbers && bytes <= most);
    }
}

/* Of the measures: evaluations of all ranks together, and on each about its share of them. */
static void compare_metrics(costed *at, const double *const counted[3], const double *modelled[3])
{
    const int64_t size = at->comm->size;
    const double evaluations = sum(counted[0], size);
    assert_all_ranks(at->comm, evaluations > 0.0);
    assert_close(at->comm, evaluations, sum(modelled[0], size), CGM_TEST_COST, 0.0);
    for (int64_t r = 0; r < size; r++) {
        /* Candidates are shared out in runs of up to 512. */
        const double run = 512.0 * (double)(at->shard.n_points + at->pool.n_points);
        assert_close(at->comm, counted[0][r], modelled[0][r], CGM_TEST_COST, run);
    }
}

/* Every stage of /timings that the model knows, in the order of both. */
static void compare(costed *at)
{
    const int64_t size = at->comm->size;
    double *modelled[3];
    int64_t found = 0;
    for (int k = 0; k < 3; k++) {
        modelled[k] = calloc((size_t)size, sizeof *modelled[k]);
    }
    for (int stage = 0; stage < CGM_COST_OUTPUT; stage++) {
        for (int64_t k = 0; k < at->stages.count; k++) {
            if (strcmp(at->stages.text[k], cgm_cost_stage_name((cgm_cost_stage)stage)) != 0) {
                continue;
            }
            found++;
            const double *counted[3];
            for (int what = 0; what < 3; what++) {
                counted[what] = at->counted[what] + k * size;
            }
            for (int r = 0; r < size; r++) {
                const cgm_cost_work *work = cgm_cost_of(&at->cost, (cgm_cost_stage)stage, r);
                modelled[0][r] = work->kernel_evaluations;
                modelled[1][r] = work->bytes_sent;
                modelled[2][r] = work->bytes_received;
            }
            if (stage == CGM_COST_METRICS) {
                if (!at->split) { /* else nothing is evaluated */
                    compare_metrics(at, counted, (const double **)modelled);
                }
                continue;
            }
            if (stage == CGM_COST_SAMPLING && !at->split) {
                compare_sampling(at, counted, (const double **)modelled);
                continue;
            }
            for (int what = 0; what < 3; what++) {
                print_message("stage %s, %s\n", at->stages.text[k],
                              what == 0   ? "evaluations"
                              : what == 1 ? "bytes sent"
                                          : "bytes received");
                assert_close_array(at->comm, counted[what], modelled[what], size, CGM_TEST_COST,
                                   0.0);
            }
        }
    }
    assert_all_ranks(at->comm, found == CGM_COST_OUTPUT);
    for (int k = 0; k < 3; k++) {
        free(modelled[k]);
    }
}

static void cost_run_of(cgm_comm *comm, bool is_split, const char *const *simulate,
                        const char *options)
{
    costed at = {.comm = comm, .split = is_split};
    make_result(&at, simulate, options);
    read_result(&at);
    read_rewards(&at);
    count_model(&at);
    compare(&at);
    cgm_cost_destroy(&at.cost);
    for (int k = 0; k < 3; k++) {
        free(at.counted[k]);
    }
    free(at.draws);
    free(at.points);
    free(at.candidates);
    cgm_h5_texts_destroy(&at.stages);
    cgm_h5_close(&at.file);
    cgm_candidates_destroy(&at.pool);
    cgm_shard_destroy(&at.shard);
    cgm_config_destroy(&at.config);
    remove_files(&at);
}

static void cost_run(cgm_comm *comm, const char *const *simulate, const char *options)
{
    cost_run_of(comm, false, simulate, options);
}

#define OPTIONS(...)                                                                               \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

/* All measures but downstream models, whose work nobody knows beforehand. */
#define MEASURES "[metrics]\nselect = mmd2, kl, wasserstein2, imbalance, privacy"

/* Segments of a block and more; a pool that no number of ranks divides; several β. */
static void test_few_parties(void **state)
{
    cost_run(*state,
             OPTIONS("--parties=5", "--points=400", "--sizes=heavy", "--candidates=2601",
                     "--features=3"),
             "[sampling]\ninv_temp = 1, 2, inf\n[features]\nscale = standard\n" MEASURES "\n");
}

/* A rank's own slice of the pool alone, which then travels. */
static void test_sliced_pool(void **state)
{
    cost_run(*state, OPTIONS("--parties=5", "--points=300", "--candidates=2601", "--features=2"),
             "[run]\npool = ranks\n[kernel]\nlengthscale = 0.3\n" MEASURES
             ", significance\nsignificance_points = 1100\n");
}

/* A pool that is drawn: mixtures of one size, and of several. */
static void test_generated_pool(void **state)
{
    cost_run(*state, OPTIONS("--parties=3", "--points=700", "--classes=2", "--candidates=1"),
             "[generator]\ntype = gmm\nsize = 1300\ncomponents = 3\n[kernel]\nlengthscale = "
             "0.3\n" MEASURES "\n");
    cost_run(*state, OPTIONS("--parties=2", "--points=600", "--classes=2", "--candidates=1"),
             "[generator]\ntype = gmm\nsize = 1300\n[features]\nscale = minmax\n"
             "[kernel]\nlengthscale = 0.3\n" MEASURES "\n");
}

/* A pool that a network draws. */
static void test_pool_of_a_network(void **state)
{
    cost_run(*state, OPTIONS("--parties=3", "--points=700", "--classes=3", "--candidates=1"),
             "[generator]\ntype = gan\nsize = 1300\nsteps = 70\nhidden = 12\nbatch = 50\n"
             "[kernel]\nlengthscale = 0.3\n" MEASURES "\n");
}

/* More ranks than parties, which take their points in shares; more points than the median is taken
 * of. */
static void test_fewest_parties(void **state)
{
    cost_run(*state, OPTIONS("--parties=2", "--points=2600", "--candidates=1500"),
             "[kernel]\nlengthscale = median\n" MEASURES "\n");
    cost_run(*state, OPTIONS("--parties=1", "--points=900", "--candidates=600"), MEASURES "\n");
}

/* Raw features, the pool in slices, and components by either solver. */
static void test_projection(void **state)
{
    cost_run(*state, OPTIONS("--parties=3", "--points=600", "--candidates=1500", "--features=20"),
             "[features]\ntype = pca\ncomponents = 3\nscale = minmax\n[run]\npool = ranks\n");
    cost_run(*state, OPTIONS("--parties=2", "--points=300", "--candidates=700", "--features=300"),
             "[features]\ntype = pca\ncomponents = 5\neigensolver = scalapack\n"
             "[kernel]\nlengthscale = median\n");
}

/* A pool that is drawn among projected features. */
static void test_projected_pool(void **state)
{
    cost_run(
        *state,
        OPTIONS("--parties=3", "--points=500", "--classes=2", "--candidates=1", "--features=9"),
        "[features]\ntype = pca\ncomponents = 4\n[generator]\ntype = gmm\nsize = 1300\n"
        "components = 2\n[run]\npool = ranks\n[kernel]\nlengthscale = 0.9\n" MEASURES
        ", significance\nsignificance_points = 700\n");
}

/* More parties than a panel of rows of S holds, at home elsewhere than their rows; small blocks;
 * the quadrature; orders of the parties. */
static void test_many_parties(void **state)
{
    cost_run(*state, OPTIONS("--parties=150", "--points=4", "--sizes=heavy", "--candidates=700"),
             MEASURES ", significance\nsignificance_points = 200\n");
}

/* Without points: few parties and many, one lengthscale and a search for it. */
static void test_embeddings(void **state)
{
    cost_run_of(*state, true,
                OPTIONS("--parties=5", "--points=400", "--sizes=heavy", "--candidates=2601",
                        "--features=3"),
                "[values]\nexchange = embeddings\nembedding_features = 200\n[sampling]\n"
                "inv_temp = 1, inf\n[features]\nscale = standard\n");
    cost_run_of(*state, true,
                OPTIONS("--parties=70", "--points=9", "--sizes=heavy", "--candidates=700"),
                "[values]\nexchange = embeddings\nembedding_features = 50\n[kernel]\n"
                "type = rq\nlengthscale = 0.3\n");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_parties),    cmocka_unit_test(test_sliced_pool),
        cmocka_unit_test(test_generated_pool), cmocka_unit_test(test_pool_of_a_network),
        cmocka_unit_test(test_projection),     cmocka_unit_test(test_projected_pool),
        cmocka_unit_test(test_fewest_parties), cmocka_unit_test(test_many_parties),
        cmocka_unit_test(test_embeddings),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
