#include "report_data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/pipeline.h"
#include "cgm/provenance.h"

/* ---- memory ---- */

void *cgm_report_keep(cgm_report_data *data, void *memory)
{
    if (memory != NULL && data->n_kept == data->kept_room) {
        const int64_t room = 2 * data->kept_room + 64;
        void **larger = realloc(data->kept, (size_t)room * sizeof *larger);
        if (larger == NULL) {
            free(memory);
            return NULL;
        }
        data->kept = larger;
        data->kept_room = room;
    }
    if (memory != NULL) {
        data->kept[data->n_kept++] = memory;
    }
    return memory;
}

void *cgm_report_alloc(cgm_comm *comm, cgm_report_data *data, int64_t count, size_t size)
{
    void *memory = cgm_alloc(comm, count, size);
    if (memory == NULL) {
        return NULL;
    }
    memory = cgm_report_keep(data, memory);
    if (memory == NULL) {
        cgm_fail(comm, CGM_ERR_MEMORY, "no memory for a report");
    }
    return memory;
}

void cgm_report_data_destroy(cgm_report_data *data)
{
    for (int64_t k = 0; k < data->n_kept; k++) {
        free(data->kept[k]);
    }
    free(data->kept);
    cgm_h5_close(&data->file);
    *data = (cgm_report_data){0};
}

/* ---- from a run ---- */

static cgm_status take_sets(cgm_comm *comm, const cgm_run *run, cgm_report_data *data)
{
    const int64_t n = run->shard.n_parties;
    const cgm_metrics *metrics = &run->metrics;
    data->n_sets = run->sampling.n_sets;
    data->sets = cgm_report_alloc(comm, data, data->n_sets, sizeof *data->sets);
    if (data->sets == NULL) {
        return CGM_ERR_MEMORY;
    }
    for (int64_t s = 0; s < data->n_sets; s++) {
        const cgm_reward_set *from = &run->sampling.sets[s];
        cgm_report_set *set = &data->sets[s];
        *set = (cgm_report_set){.inv_temp = from->inv_temp,
                                .offsets = from->offsets,
                                .start_value = from->start_value,
                                .realised = run->incentives.realised + s * n,
                                .draws = from->draws,
                                .reached = from->reached};
        for (int c = 0; c < CGM_METRIC_COLUMNS && s < metrics->n_sets; c++) {
            set->columns[c] = metrics->sets[s].columns[c];
            set->correlation[c] = metrics->sets[s].correlation[c];
        }
    }
    memcpy(data->mean_correlation, metrics->mean_correlation, sizeof data->mean_correlation);
    memcpy(data->se_correlation, metrics->se_correlation, sizeof data->se_correlation);
    data->beta_n_rewards = metrics->beta_n_rewards;
    data->beta_mmd2_after = metrics->beta_mmd2_after;
    return CGM_OK;
}

static cgm_status take_rows(cgm_comm *comm, const cgm_run *run, cgm_report_data *data)
{
    data->n_incentives = CGM_N_INCENTIVES;
    data->n_stages = run->timer.n_stages;
    data->incentives = cgm_report_alloc(comm, data, CGM_N_INCENTIVES, sizeof *data->incentives);
    data->stages = cgm_report_alloc(comm, data, data->n_stages, sizeof *data->stages);
    if (data->incentives == NULL || data->stages == NULL) {
        return CGM_ERR_MEMORY;
    }
    for (int k = 0; k < CGM_N_INCENTIVES; k++) {
        const cgm_incentive_row *row = &run->incentives.rows[k];
        data->incentives[k] =
            (cgm_report_incentive){cgm_incentive_name((cgm_incentive)k), row->holds, row->violation,
                                   row->realised, row->detail};
    }
    for (int64_t k = 0; k < data->n_stages; k++) {
        const cgm_stage_time *stage = &run->timer.stages[k];
        data->stages[k] = (cgm_report_stage){
            .name = stage->name,
            .min = stage->min,
            .mean = stage->mean,
            .max = stage->max,
            .slowest_rank = stage->slowest_rank,
            .kernel_evaluations = stage->total_work.kernel_evaluations,
            .bytes_sent = stage->total_work.bytes_sent,
            .bytes_received = stage->total_work.bytes_received,
            .peak_memory = stage->largest_peak_memory,
        };
    }
    return CGM_OK;
}

static cgm_status take_words(cgm_comm *comm, const cgm_run *run, cgm_report_data *data)
{
    char *semivalue = cgm_report_alloc(comm, data, CGM_SEMIVALUE_TEXT, 1);
    data->options = cgm_report_keep(data, cgm_config_text(comm, run->config, false));
    if (semivalue == NULL || data->options == NULL) {
        return CGM_ERR_MEMORY;
    }
    cgm_semivalue_text(&run->shapley.semivalue, semivalue);
    data->semivalue = semivalue;
    const bool enumerated = run->shapley.method == CGM_SHAPLEY_ENUMERATE;
    const bool optimal = run->reward.status == CGM_REWARD_OPTIMAL;
    data->version = cgm_version();
    data->git = cgm_git_revision();
    data->command = run->command;
    data->hosts = comm->host;
    data->instruction_set = cgm_instruction_set_name(run->kernel.instruction_set);
    data->started = run->started;
    data->finished = "";
    data->reused = run->reuse.text[0] != '\0' ? run->reuse.text : "none";
    data->reward_status = cgm_reward_status_name(run->reward.status);
    data->status = optimal ? "complete" : data->reward_status;
    data->kernel_type = cgm_kernel_name(run->kernel.type);
    data->lengthscale_rule = cgm_lengthscale_rule_name(run->lengthscale.rule);
    data->method = enumerated ? "enumerate" : "quadrature";
    data->condition = cgm_reward_condition_name(run->reward.condition);
    data->binding = run->reward.binding;
    return CGM_OK;
}

static void take_parties(const cgm_run *run, cgm_report_data *data)
{
    data->n_parties = run->shard.n_parties;
    data->names = run->shard.names;
    data->n_points = run->shard.party_points;
    data->total_points = run->shard.n_points;
    data->n_features =
        run->features.n_components > 0 ? run->features.n_features : run->shard.n_features;
    data->n_stored = run->candidates.n_original_features;
    data->has_labels = run->shard.has_labels;
    data->n_candidates = run->candidates.n_points;
    data->reference_sums = run->sums.reference_sums;
    data->single = run->values.single;
    data->ceiling = run->values.ceiling;
    data->grand = run->values.grand;
    data->phi = run->shapley.phi;
    data->alpha = run->shapley.alpha;
    data->single_error = run->embedding.single_error;
    data->ceiling_error = run->embedding.ceiling_error;
    data->phi_error = run->embedding.phi_error;
    data->alpha_error = run->embedding.alpha_error;
    data->grand_error = run->embedding.grand_error;
    data->embedding_features = run->embedding.frequencies.n_frequencies;
    data->r = run->reward.r;
    data->stable = run->reward.stable;
    data->lower = run->reward.lower;
    data->lost = run->reward.lost;
    data->n_warnings = run->warnings.count;
    data->warning_codes = run->warnings.code;
    data->warning_texts = run->warnings.text;
    data->picture = run->picture.n_axes > 0 ? &run->picture : NULL;
}

static void take_numbers(const cgm_comm *comm, const cgm_run *run, cgm_report_data *data)
{
    const bool one = run->kernel.feature_lengthscales == NULL;
    data->seed = run->config->seed;
    data->input_checksum = run->input_checksum;
    data->mpi_size = comm->size;
    data->threads = comm->threads;
    data->n_lengthscales = one ? 1 : run->shard.n_features;
    data->lengthscales = one ? &run->kernel.lengthscale : run->kernel.feature_lengthscales;
    data->passes = run->lengthscale.passes;
    data->always_valid = run->lengthscale.always_valid;
    data->sufficient_condition = run->diagnostics.sufficient_condition;
    data->sufficient_unknown = run->diagnostics.sufficient_unknown;
    data->marginals = run->diagnostics.marginals;
    data->monotone_violations = run->diagnostics.monotone_violations;
    data->worst_marginal = run->diagnostics.worst_marginal;
    data->error_estimate = run->shapley.error_estimate;
    data->efficiency_gap = run->shapley.efficiency_gap;
    data->nodes = run->shapley.nodes;
    data->v_star = run->reward.v_star;
    data->rho = run->reward.rho;
    data->total_violation = run->reward.total_violation;
}

static void take_projection(const cgm_features *features, cgm_report_data *data)
{
    data->n_components = features->n_components;
    data->whitened = features->whiten;
    data->pool_projected = features->pool_projected;
    data->explained_variance = features->explained_variance;
    data->total_variance = features->total_variance;
}

cgm_status cgm_report_of_run(cgm_comm *comm, const cgm_run *run, cgm_report_data *data)
{
    *data = (cgm_report_data){.path = run->config->output_file};
    take_parties(run, data);
    take_numbers(comm, run, data);
    take_projection(&run->features, data);
    cgm_status status = take_words(comm, run, data);
    if (status == CGM_OK) {
        status = take_sets(comm, run, data);
    }
    return status == CGM_OK ? take_rows(comm, run, data) : status;
}

/* ---- what is looked up ---- */

int64_t cgm_report_rewards(const cgm_report_set *set, int64_t party)
{
    return set->offsets[party + 1] - set->offsets[party];
}

double cgm_report_explained(const cgm_report_data *data)
{
    double sum = 0.0;
    for (int64_t k = 0; k < data->n_components; k++) {
        sum += data->explained_variance[k];
    }
    return data->total_variance > 0.0 ? sum / data->total_variance : 0.0;
}

bool cgm_report_all_equal(const cgm_report_data *data)
{
    const double diagonal = strcmp(data->kernel_type, cgm_kernel_name(CGM_KERNEL_SE)) == 0 ? 1 : 3;
    const double n = (double)(data->total_points + data->n_candidates);
    bool equal = true;
    for (int64_t i = 0; i < data->n_parties && equal; i++) {
        equal = data->reference_sums[i] == diagonal * (double)data->n_points[i] * n;
    }
    return equal;
}

bool cgm_report_has_column(const cgm_report_data *data, const cgm_report_set *set,
                           cgm_metric_column column)
{
    const double *values = set->columns[column];
    for (int64_t i = 0; values != NULL && i < data->n_parties; i++) {
        if (!isnan(values[i])) {
            return true;
        }
    }
    return false;
}

bool cgm_report_next_option(const char **at, cgm_report_option *option)
{
    const char *line = *at;
    while (*line != '\0') {
        const size_t length = strcspn(line, "\n");
        const char *equals = memchr(line, '=', length);
        const char *next = line + length + (line[length] == '\n');
        if (line[0] == '[') {
            const char *end = memchr(line, ']', length);
            option->section = line + 1;
            option->section_length = end != NULL ? cgm_int(end - line - 1) : 0;
        } else if (equals != NULL && option->section != NULL) {
            const char *value = equals + 1 + (equals[1] == ' ');
            option->key = line;
            option->key_length = cgm_int(equals - line - (equals > line && equals[-1] == ' '));
            option->value = value;
            option->value_length = value < line + length ? cgm_int(line + length - value) : 0;
            *at = next;
            return true;
        }
        line = next;
    }
    *at = line;
    return false;
}
