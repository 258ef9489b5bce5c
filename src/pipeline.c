#include "cgm/pipeline.h"

#include <math.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cgm/dense.h"
#include "cgm/output.h"
#include "cgm/provenance.h"
#include "cgm/report.h"
#include "cgm/rng.h"

/* A step of the run: collective, the same status on every rank. */
typedef struct stage {
    const char *name;
    cgm_status (*run)(cgm_comm *comm, cgm_run *run);
    cgm_kept kept; /* what a checkpoint keeps of it */
} stage;

/* Names in order, data, labels, pool and test points: equal for equal input, whatever files it came
 * in. A pool that will be drawn is no input: it follows from that, the options and the seed. */
static uint64_t input_checksum_of(const cgm_run *run)
{
    uint64_t checksum = run->candidates.checksum + run->testset.checksum;
    for (int64_t i = 0; i < run->shard.n_parties; i++) {
        checksum += cgm_checksum_text((uint64_t)i, run->shard.names[i]);
    }
    return checksum + cgm_checksum_words(cgm_rng_hash("parties"), 0, run->shard.checksums,
                                         run->shard.n_parties);
}

/* Whether the parties are in one file, which may hold more. */
static bool are_in_one_file(cgm_comm *comm, const cgm_config *config)
{
    struct stat state;
    bool answer = stat(config->input_parties, &state) == 0 && S_ISREG(state.st_mode);
    cgm_comm_broadcast(comm, &answer, sizeof answer, 0);
    return answer;
}

const char *cgm_pipeline_pool_path(const cgm_config *config)
{
    return config->input_candidates[0] != '\0' ? config->input_candidates : config->input_parties;
}

static cgm_status read_tests(cgm_comm *comm, const char *path, int64_t n_features, void *state,
                             int64_t *found)
{
    cgm_testset *testset = state;
    cgm_status status = cgm_testset_read(comm, path, n_features, testset);
    *found = testset->n_points;
    return status;
}

cgm_status cgm_pipeline_look_for_tests(cgm_comm *comm, const cgm_config *config, int64_t n_features,
                                       cgm_test_look *look, void *state)
{
    const bool is_named = config->input_candidates[0] != '\0';
    const bool is_generated = config->generator_type != CGM_GENERATOR_FILE;
    int64_t found = 0;
    cgm_status status = CGM_OK;
    if (is_named) {
        status = look(comm, config->input_candidates, n_features, state, &found);
    } else if (!is_generated) {
        status = look(comm, config->input_parties, n_features, state, &found);
    }
    if (status == CGM_OK && found == 0 && (is_named || is_generated) &&
        are_in_one_file(comm, config)) {
        status = look(comm, config->input_parties, n_features, state, &found);
    }
    return status;
}

static bool is_embedded(const cgm_config *config)
{
    return config->exchange == CGM_VALUES_EMBEDDINGS;
}

cgm_pool_placement cgm_pipeline_placement(const cgm_config *config)
{
    return is_embedded(config) ? CGM_POOL_NODE : config->pool_placement;
}

cgm_status cgm_pipeline_read_parties(cgm_comm *comm, const cgm_config *config, cgm_shard *shard)
{
    return is_embedded(config) ? cgm_shard_read_sealed(comm, config->input_parties, shard)
                               : cgm_shard_read(comm, config->input_parties, shard);
}

cgm_status cgm_pipeline_read(cgm_comm *comm, cgm_run *run)
{
    const cgm_config *config = run->config;
    const char *pool = cgm_pipeline_pool_path(config);
    cgm_status status = cgm_pipeline_read_parties(comm, config, &run->shard);
    if (status == CGM_OK && config->generator_type == CGM_GENERATOR_FILE) {
        status = cgm_candidates_read(comm, pool, &run->shard, cgm_pipeline_placement(config),
                                     &run->candidates);
        const cgm_candidates_shape shape = {.is_projected = run->candidates.is_projected,
                                            .n_features = run->candidates.n_features};
        if (status == CGM_OK) {
            status = cgm_projection_check_shape(comm, pool, cgm_config_components(config), &shape);
        }
    } else if (status == CGM_OK) {
        const cgm_candidates_shape shape = {.n_points = config->generator_size,
                                            .has_labels = run->shard.has_labels};
        cgm_candidates_announce(&shape, run->shard.n_features, &run->candidates);
    }
    if (status == CGM_OK) {
        status = cgm_pipeline_look_for_tests(comm, config, run->shard.n_features, read_tests,
                                             &run->testset);
    }
    if (status == CGM_OK) {
        run->input_checksum = input_checksum_of(run);
    }
    return status;
}

static cgm_status read_input(cgm_comm *comm, cgm_run *run)
{
    cgm_status status = cgm_pipeline_read(comm, run);
    if (status == CGM_OK) {
        status =
            cgm_output_is_complete(comm, run->config, run->input_checksum, &run->already_complete);
    }
    if (status == CGM_OK) {
        status = cgm_party_files_check(comm, run->config, &run->shard, run->already_complete);
    }
    if (status == CGM_OK && !run->already_complete) {
        status = cgm_checkpoint_open(comm, run, run->started_at, &run->checkpoint);
    }
    return status;
}

static cgm_status project_features(cgm_comm *comm, cgm_run *run)
{
    const cgm_config *config = run->config;
    const cgm_projection_rules rules = {.scaling = config->scaling,
                                        .n_components = config->n_components,
                                        .whiten = config->whiten,
                                        .solver = config->eigensolver};
    cgm_status status = cgm_projection_apply(comm, &rules, &run->shard, &run->candidates,
                                             &run->testset, &run->features);
    if (status == CGM_OK && run->candidates.is_projected) {
        status =
            cgm_projection_check_pool(comm, cgm_pipeline_pool_path(config), &rules, &run->features);
    }
    return status;
}

static cgm_status scale_features(cgm_comm *comm, cgm_run *run)
{
    const cgm_config *config = run->config;
    if (config->features_type == CGM_FEATURES_PCA) {
        return project_features(comm, run);
    }
    return cgm_features_scale(comm, config->scaling, &run->shard, &run->candidates, &run->testset,
                              &run->features);
}

/* No checkpoint holds a model: one that is made half-way keeps nothing. */
static cgm_status train_model(cgm_comm *comm, cgm_run *run)
{
    const cgm_config *config = run->config;
    const cgm_pause *pause = cgm_checkpoint_pause_of(&run->checkpoint, CGM_KEPT_NOTHING);
    if (config->generator_type == CGM_GENERATOR_GMM) {
        return cgm_gmm_train(comm, &run->shard, &config->gmm, config->class_share, config->seed,
                             pause, &run->model);
    }
    return cgm_gan_train(comm, &run->shard, &config->gan, config->class_share, config->seed, pause,
                         &run->model);
}

static cgm_status generate_pool(cgm_comm *comm, cgm_run *run)
{
    const cgm_config *config = run->config;
    if (config->generator_type == CGM_GENERATOR_FILE) {
        return CGM_OK;
    }
    cgm_status status = train_model(comm, run);
    if (status == CGM_OK) {
        status =
            cgm_candidates_draw(comm, &run->model, config->seed, &run->shard,
                                cgm_pipeline_placement(config), &run->features, &run->candidates);
    }
    return status;
}

cgm_status cgm_pipeline_generate(cgm_comm *comm, cgm_run *run)
{
    cgm_status status = cgm_agree(comm, cgm_dense_reserve(comm));
    if (status == CGM_OK) {
        status = cgm_pipeline_read(comm, run);
    }
    if (status == CGM_OK) {
        status = scale_features(comm, run);
    }
    return status == CGM_OK ? generate_pool(comm, run) : status;
}

/* What was begun with one rounding goes on with it. */
static cgm_status follow_checkpoint(cgm_comm *comm, const cgm_checkpoint *checkpoint,
                                    cgm_instruction_set *chosen)
{
    if (checkpoint->found == CGM_KEPT_NOTHING ||
        cgm_instruction_sets_agree(*chosen, checkpoint->instruction_set)) {
        return CGM_OK;
    }
    if (checkpoint->instruction_set <= *chosen) {
        *chosen = checkpoint->instruction_set;
        return CGM_OK;
    }
    return cgm_agree(comm, cgm_fail(comm, CGM_ERR_INPUT,
                                    "checkpoint '%s' was made with %s instructions, which not all "
                                    "processors have here; run it where they do",
                                    checkpoint->from,
                                    cgm_instruction_set_name(checkpoint->instruction_set)));
}

/* The ranks take one instruction set, because its rounding is part of the results. */
static cgm_status choose_instructions(cgm_comm *comm, const cgm_run *run,
                                      cgm_instruction_set *chosen)
{
    const cgm_instruction_choice choice = run->config->instruction_set;
    const cgm_instruction_set own = cgm_instruction_set_best();
    double least = (double)own;
    cgm_comm_min(comm, &least, 1);
    *chosen = choice == CGM_INSTRUCTIONS_AUTO ? (cgm_instruction_set)(int)least
                                              : (cgm_instruction_set)choice;
    if (*chosen > own) {
        cgm_fail(comm, CGM_ERR_USAGE,
                 "run.instruction_set = %s: the processor has nothing better than %s; use auto",
                 cgm_instruction_set_name(*chosen), cgm_instruction_set_name(own));
    }
    cgm_status status = cgm_agree(comm, *chosen > own ? CGM_ERR_USAGE : CGM_OK);
    return status == CGM_OK ? follow_checkpoint(comm, &run->checkpoint, chosen) : status;
}

/* Where noise hides the parties' points, the pool's alone are measured. */
static cgm_status measure_spread(cgm_comm *comm, cgm_run *run)
{
    cgm_shard shard = run->shard;
    if (isfinite(run->config->epsilon)) {
        shard.n_local_points = 0;
        shard.n_points = 0;
    }
    return cgm_spread_measure(comm, &shard, &run->candidates, &run->spread);
}

static cgm_status choose_lengthscale(cgm_comm *comm, cgm_run *run)
{
    const cgm_config *config = run->config;
    cgm_instruction_set instructions;
    cgm_status status = choose_instructions(comm, run, &instructions);
    if (status == CGM_OK) {
        status = measure_spread(comm, run);
    }
    if (status != CGM_OK) {
        return status;
    }
    run->kernel = (cgm_kernel){.type = config->kernel_type,
                               .instruction_set = instructions,
                               .n_features = run->shard.n_features,
                               .centre = run->spread.pool_centre};
    status = cgm_reuse_open(comm, run, &run->reuse);
    if (status == CGM_OK && is_embedded(config)) {
        const cgm_embedding_options options = {config->embedding_features, config->orthogonal,
                                               config->epsilon, config->delta, config->seed};
        status =
            cgm_embedding_create(comm, &run->shard, config->kernel_type, &options, &run->embedding);
    }
    if (status != CGM_OK) {
        return status;
    }
    const cgm_checkpoint *checkpoint = &run->checkpoint;
    const cgm_lengthscale_course course = {
        .known = checkpoint->found >= CGM_KEPT_KERNEL ? &checkpoint->choice
                                                      : cgm_reuse_lengthscale(&run->reuse),
        .begin = checkpoint->found == CGM_KEPT_PASSES ? &checkpoint->passes : NULL,
        .pause = cgm_checkpoint_pause_of(checkpoint, CGM_KEPT_PASSES),
        .frequencies = is_embedded(config) ? &run->embedding.frequencies : NULL};
    return cgm_lengthscale_choose(comm, &run->shard, &run->candidates, run->spread.overall,
                                  config->lengthscale_rule, config->lengthscales,
                                  config->n_lengthscales, config->seed, &course, &run->kernel,
                                  &run->lengthscale);
}

/* The parties' means, told to all ranks. Noise that is in them must not be drawn again, even if the
 * run is killed at once: then they are kept before anything else is done. */
static cgm_status tell_means(cgm_comm *comm, cgm_run *run)
{
    cgm_status status = cgm_embedding_measure(
        comm, &run->shard, &run->kernel, cgm_checkpoint_pause_of(&run->checkpoint, CGM_KEPT_KERNEL),
        &run->embedding);
    return status == CGM_OK && isfinite(run->config->epsilon)
               ? cgm_checkpoint_stage_ended(comm, &run->checkpoint, CGM_KEPT_SUMS)
               : status;
}

/* From the means that an earlier run told, if there are any. */
static cgm_status compute_embeddings(cgm_comm *comm, cgm_run *run)
{
    cgm_status status = run->checkpoint.found >= CGM_KEPT_SUMS
                            ? cgm_checkpoint_read_means(comm, &run->checkpoint, &run->embedding)
                            : tell_means(comm, run);
    if (status == CGM_OK) {
        status = cgm_embedding_sums(comm, &run->shard, &run->candidates, &run->kernel,
                                    cgm_checkpoint_pause_of(&run->checkpoint, CGM_KEPT_SUMS),
                                    &run->embedding, &run->sums);
    }
    return status;
}

static cgm_status compute_kernel_sums(cgm_comm *comm, cgm_run *run)
{
    if (is_embedded(run->config)) {
        return compute_embeddings(comm, run);
    }
    const cgm_checkpoint *checkpoint = &run->checkpoint;
    const cgm_sums_source *source = checkpoint->found >= CGM_KEPT_PARTIAL
                                        ? &checkpoint->sums
                                        : cgm_reuse_sums(comm, &run->kernel, &run->reuse);
    return cgm_kernel_sums_complete(comm, &run->shard, &run->candidates, &run->kernel, source,
                                    cgm_checkpoint_pause_of(checkpoint, CGM_KEPT_PARTIAL),
                                    &run->sums);
}

static cgm_status compute_values(cgm_comm *comm, cgm_run *run)
{
    return cgm_values_compute(comm, &run->sums, &run->values);
}

static cgm_status measure_diagnostics(cgm_comm *comm, cgm_run *run)
{
    return cgm_diagnostics_measure(comm, &run->shard, &run->candidates, &run->kernel, &run->sums,
                                   &run->values, run->config->seed, &run->diagnostics);
}

static cgm_status compute_shapley(cgm_comm *comm, cgm_run *run)
{
    const cgm_config *config = run->config;
    cgm_status status =
        cgm_shapley_compute(comm, &run->sums, &run->values, config->shapley_method,
                            &config->semivalue, config->shapley_tolerance, &run->shapley);
    if (status == CGM_OK && is_embedded(config)) {
        status = cgm_embedding_errors(comm, &run->shard, &run->sums, &run->values, &run->shapley,
                                      config->shapley_method, &config->semivalue,
                                      config->shapley_tolerance, &run->embedding);
    }
    return status;
}

static cgm_status solve_reward(cgm_comm *comm, cgm_run *run)
{
    return cgm_reward_solve(comm, run->shard.names, &run->sums, &run->values, &run->shapley,
                            run->config->reward_condition, run->config->reward_strict,
                            &run->reward);
}

static cgm_status draw_samples(cgm_comm *comm, cgm_run *run)
{
    const cgm_config *config = run->config;
    const cgm_checkpoint *checkpoint = &run->checkpoint;
    if (is_embedded(config)) {
        cgm_status status = cgm_embedding_own_sums(comm, &run->shard, &run->kernel, &run->sums);
        if (status != CGM_OK) {
            return status;
        }
    }
    const cgm_sampling_course course = {
        .begin = checkpoint->found == CGM_KEPT_CHAINS ? &checkpoint->chains : NULL,
        .pause = cgm_checkpoint_pause_of(checkpoint, CGM_KEPT_CHAINS)};
    return cgm_sampling_draw(comm, &run->shard, &run->candidates, &run->kernel, &run->sums,
                             &run->reward, config->inv_temp, config->n_inv_temp, config->patience,
                             config->seed, &course, &run->sampling);
}

static cgm_status draw_picture(cgm_comm *comm, cgm_run *run)
{
    return cgm_picture_draw(comm, &run->shard, &run->features, run->shapley.phi, &run->picture);
}

static cgm_status certify_incentives(cgm_comm *comm, cgm_run *run)
{
    cgm_status status = cgm_incentives_gather(comm, &run->shard, &run->sampling, &run->incentives);
    if (status == CGM_OK) {
        status = cgm_incentives_certify(comm, run->shard.names, &run->sums, &run->values,
                                        &run->shapley, &run->reward, &run->incentives);
    }
    return status;
}

static cgm_status measure_metrics(cgm_comm *comm, cgm_run *run)
{
    return cgm_metrics_measure(comm, run, &run->metrics);
}

static cgm_status collect_warnings(cgm_comm *comm, cgm_run *run)
{
    return cgm_warnings_collect(comm, run, &run->warnings);
}

static cgm_status write_output(cgm_comm *comm, cgm_run *run)
{
    cgm_timer_collect(comm, &run->timer);
    /* First, so that a complete output.file says that all is there. */
    cgm_status status = cgm_party_files_write(comm, run);
    if (status == CGM_OK) {
        status = cgm_output_write(comm, run);
        if (status != CGM_OK) {
            cgm_party_files_remove(comm, run);
        }
    }
    return status;
}

/* The order of the run. A stage reads what those above it left in the run and adds its own. */
static const stage stages[] = {
    {"input", read_input, CGM_KEPT_NOTHING},
    {"features", scale_features, CGM_KEPT_NOTHING},
    {"generator", generate_pool, CGM_KEPT_NOTHING},
    {"lengthscale", choose_lengthscale, CGM_KEPT_KERNEL},
    {"kernel_sums", compute_kernel_sums, CGM_KEPT_SUMS},
    {"coalition", compute_values, CGM_KEPT_NOTHING},
    {"diagnostics", measure_diagnostics, CGM_KEPT_NOTHING},
    {"shapley", compute_shapley, CGM_KEPT_NOTHING},
    {"reward_lp", solve_reward, CGM_KEPT_NOTHING},
    {"sampling", draw_samples, CGM_KEPT_CHAINS},
    {"picture", draw_picture, CGM_KEPT_NOTHING},
    {"incentives", certify_incentives, CGM_KEPT_NOTHING},
    {"metrics", measure_metrics, CGM_KEPT_NOTHING},
    {"warnings", collect_warnings, CGM_KEPT_NOTHING},
    {"output", write_output, CGM_KEPT_NOTHING},
};
enum { N_STAGES = sizeof stages / sizeof stages[0] };

void cgm_pipeline_release(cgm_run *run)
{
    cgm_reuse_close(&run->reuse);
    cgm_checkpoint_close(&run->checkpoint);
    cgm_warnings_destroy(&run->warnings);
    cgm_metrics_destroy(&run->metrics);
    cgm_incentives_destroy(&run->incentives);
    cgm_picture_destroy(&run->picture);
    cgm_sampling_destroy(&run->sampling);
    cgm_reward_destroy(&run->reward);
    cgm_shapley_destroy(&run->shapley);
    cgm_values_destroy(&run->values);
    cgm_kernel_sums_destroy(&run->sums);
    cgm_embedding_destroy(&run->embedding);
    cgm_spread_destroy(&run->spread);
    if (run->model.destroy != NULL) {
        run->model.destroy(run->model.state);
    }
    cgm_features_destroy(&run->features);
    cgm_testset_destroy(&run->testset);
    cgm_candidates_destroy(&run->candidates);
    cgm_shard_destroy(&run->shard);
}

static cgm_status run_stages(cgm_comm *comm, cgm_run *run)
{
    for (int k = 0; k < N_STAGES; k++) {
        cgm_timer_start(&run->timer, comm, stages[k].name);
        cgm_status status = stages[k].run(comm, run);
        if (status == CGM_OK && k < N_STAGES - 1) {
            status = cgm_checkpoint_stage_ended(comm, &run->checkpoint, stages[k].kept);
        }
        cgm_timer_stop(&run->timer, comm);
        if (status != CGM_OK) {
            return status;
        }
        if (run->already_complete) {
            if (comm->rank == 0) {
                printf("%s already holds the complete result of these options and this input\n",
                       run->config->output_file);
            }
            return CGM_OK;
        }
        if (k == 0) {
            cgm_report_header(comm, run, stdout);
        }
    }
    if (comm->rank == 0) {
        cgm_checkpoint_remove(&run->checkpoint);
    }
    cgm_timer_collect(comm, &run->timer);
    cgm_report_results(comm, run, stdout);
    return CGM_OK;
}

cgm_status cgm_pipeline_run(cgm_comm *comm, const cgm_config *config, const char *command)
{
    cgm_run run = {.config = config, .command = command, .started_at = cgm_timer_now()};
    comm->progress_interval = config->progress;
    comm->threads = cgm_int(config->threads);
    cgm_provenance_time(run.started);
    cgm_status status = cgm_agree(comm, cgm_dense_reserve(comm));
    if (status == CGM_OK) {
        status = cgm_output_check(comm, config);
    }
    if (status == CGM_OK) {
        status = cgm_party_files_check_directory(comm, config);
    }
    if (status == CGM_OK) {
        status = run_stages(comm, &run);
    }
    cgm_pipeline_release(&run);
    return status;
}
