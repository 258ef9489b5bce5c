#include "cgm/warnings.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cgm/pipeline.h"
#include "cgm/tolerance.h"

/* Conditions besides those of every β; bytes of a text; parties that one names. */
enum { CONDITIONS = 8, TEXT_ROOM = 2048, NAMED_MAX = 5 };

static void warn(cgm_warnings *warnings, char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void warn(cgm_warnings *warnings, char *code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(warnings->text[warnings->count], TEXT_ROOM, format, arguments);
    va_end(arguments);
    warnings->code[warnings->count++] = code;
}

/* ---- the points and the kernel ---- */

/* Ranges of features that the kernel takes as equally important. A constant feature has none. */
static void look_at_scales(const cgm_run *run, cgm_warnings *warnings)
{
    const bool projected = run->features.n_components > 0;
    const int64_t d = projected ? run->features.n_features : run->shard.n_features;
    const double *range = projected ? run->features.range : run->spread.range;
    int64_t wide = -1;
    int64_t narrow = -1;
    for (int64_t f = 0; f < d; f++) {
        if (range[f] > 0.0) {
            wide = wide < 0 || range[f] > range[wide] ? f : wide;
            narrow = narrow < 0 || range[f] < range[narrow] ? f : narrow;
        }
    }
    const bool apart = run->kernel.feature_lengthscales != NULL && !projected;
    if (run->config->scaling == CGM_SCALE_NONE && !apart && wide >= 0 &&
        range[wide] > CGM_SCALES_DIFFER * range[narrow]) {
        warn(warnings, "scales_differ",
             "feature %lld has a range of %.4g and feature %lld one of %.4g (counted from 0), so "
             "that %s hardly see the narrow ones; set features.scale%s",
             (long long)wide, range[wide], (long long)narrow, range[narrow],
             projected ? "components" : "distances",
             projected ? "" : ", or give kernel.lengthscale one number a feature");
    }
}

static void look_at_components(const cgm_run *run, cgm_warnings *warnings)
{
    int64_t varying = 0;
    while (varying < run->features.n_components &&
           run->features.explained_variance[varying] > 0.0) {
        varying++;
    }
    if (varying < run->features.n_components) {
        warn(warnings, "zero_variance",
             "the parties' points vary in %lld directions only, so that %lld of %lld components "
             "are 0 for all points; set features.components = %lld",
             (long long)varying, (long long)(run->features.n_components - varying),
             (long long)run->features.n_components, (long long)(varying > 0 ? varying : 1));
    }
}

static void look_at_lengthscale(const cgm_run *run, cgm_warnings *warnings)
{
    if (run->lengthscale.always_valid) {
        warn(warnings, "always_valid",
             "no lengthscale down to %g makes a party's own value negative, so the data did not "
             "choose one and this bound was used; set kernel.lengthscale = median, or to a number "
             "near the distances between points",
             run->lengthscale.value);
    }
}

/* Mean of the kernel over pairs of points of a party and the pool, and over pairs of different
 * points of the parties, whose κ with themselves would hide a small lengthscale. */
static bool is_pool_far(const cgm_kernel_sums *sums, double *to_pool, double *among)
{
    double cross = 0.0;
    double within = 0.0;
    double points = 0.0;
    for (int64_t i = 0; i < sums->n_parties; i++) {
        points += (double)sums->party_points[i];
        cross += sums->party_candidate_sums[i];
        within += sums->row_totals[i];
    }
    *to_pool = cross / (points * (double)sums->n_candidates);
    *among = (within - sums->diagonal * points) / (points * (points - 1.0));
    return points > 1.0 && *to_pool < CGM_POOL_FAR * *among;
}

static void look_at_pool(const cgm_run *run, cgm_warnings *warnings)
{
    const char *remedy = "check that the pool has the features and units of the parties, and draw "
                         "one from a model of their data";
    int64_t worse_off = 0;
    int64_t first = -1;
    for (int64_t i = run->shard.n_parties - 1; i >= 0; i--) {
        if (run->values.ceiling[i] < run->values.single[i]) {
            worse_off++;
            first = i;
        }
    }
    double to_pool;
    double among;
    if (worse_off > 0) {
        warn(warnings, "pool_far_from_data",
             "the whole pool makes %lld of %lld parties worth less than their own data (party "
             "'%.200s': %.6g, own %.6g); %s",
             (long long)worse_off, (long long)run->shard.n_parties, run->shard.names[first],
             run->values.ceiling[first], run->values.single[first], remedy);
    } else if (is_pool_far(&run->sums, &to_pool, &among)) {
        warn(warnings, "pool_far_from_data",
             "the kernel between parties and pool is %.3g on average, between points of the "
             "parties %.3g; %s",
             to_pool, among, remedy);
    }
}

/* ---- Shapley values and rewards ---- */

static void look_at_shapley(const cgm_run *run, cgm_warnings *warnings)
{
    const cgm_shapley *shapley = &run->shapley;
    double largest = 0.0;
    for (int64_t i = 0; i < run->shard.n_parties; i++) {
        largest = fmax(largest, fabs(shapley->phi[i]));
    }
    const double limit = run->config->shapley_tolerance * largest;
    /* What was enumerated cannot be refined. */
    if (shapley->method == CGM_SHAPLEY_QUADRATURE && shapley->error_estimate > limit) {
        warn(warnings, "shapley_not_converged",
             "the Shapley values are known to %.2g only, where shapley.tolerance asks for %.2g; "
             "allow a larger shapley.tolerance%s",
             shapley->error_estimate, limit,
             run->shard.n_parties <= CGM_ENUMERATE_MAX ? ", or use shapley.method = enumerate"
                                                       : "");
    }
}

static void look_at_contributions(const cgm_run *run, cgm_warnings *warnings)
{
    const int64_t n = run->shard.n_parties;
    char names[NAMED_MAX * 210] = "";
    int length = 0;
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) {
        if (run->shapley.alpha[i] > 0.0) {
            continue;
        }
        if (count < NAMED_MAX) {
            length += snprintf(names + length, sizeof names - (size_t)length, "%s'%.200s'",
                               count > 0 ? ", " : "", run->shard.names[i]);
        }
        count++;
    }
    if (count > 0 && count < n) {
        warn(warnings, "zero_contribution",
             "%lld of %lld parties have a phi that counts as zero and get no reward: "
             "%s%s; look at their data, or leave them out",
             (long long)count, (long long)n, names, count > NAMED_MAX ? ", ..." : "");
    }
}

static int64_t count_lost(const cgm_run *run)
{
    int64_t count = 0;
    for (int64_t i = 0; i < run->shard.n_parties; i++) {
        count += run->reward.lost[i][0] != '\0';
    }
    return count;
}

static void look_at_reward(const cgm_run *run, cgm_warnings *warnings)
{
    const cgm_reward *reward = &run->reward;
    if (reward->status == CGM_REWARD_RELAXED) {
        warn(warnings, "relaxed",
             "no rewards satisfy reward.condition = %s: %s; it was relaxed by %.4g in all, and "
             "/reward/lost tells what %lld of %lld parties lose; %s, or draw a larger or closer "
             "pool",
             cgm_reward_condition_name(reward->condition), reward->binding, reward->total_violation,
             (long long)count_lost(run), (long long)run->shard.n_parties,
             reward->condition == CGM_REWARD_STABLE ? "use reward.condition = individual"
                                                    : "choose another kernel.lengthscale");
    } else if (reward->status == CGM_REWARD_NO_CONTRIBUTION) {
        warn(warnings, "no_contribution",
             "there are no rewards, as %s; check the data, or choose another kernel.lengthscale",
             reward->binding);
    }
}

static void look_at_targets(const cgm_run *run, cgm_warnings *warnings)
{
    for (int64_t s = 0; s < run->sampling.n_sets; s++) {
        const cgm_reward_set *set = &run->sampling.sets[s];
        int64_t short_of = 0;
        for (int64_t i = 0; i < run->shard.n_parties; i++) {
            short_of += !set->reached[i];
        }
        if (short_of > 0) {
            warn(warnings, "target_not_reached",
                 "at inverse temperature %g, %lld of %lld parties got less than their target; use "
                 "a larger pool, a larger sampling.inv_temp or a larger sampling.patience",
                 set->inv_temp, (long long)short_of, (long long)run->shard.n_parties);
        }
    }
}

/* The texts follow the pointers, in one allocation. */
static cgm_status warnings_create(cgm_comm *comm, int64_t most, cgm_warnings *warnings)
{
    *warnings = (cgm_warnings){.code = cgm_alloc(comm, most, 2 * sizeof(char *) + TEXT_ROOM)};
    if (warnings->code == NULL) {
        return CGM_ERR_MEMORY;
    }
    warnings->text = warnings->code + most;
    for (int64_t k = 0; k < most; k++) {
        warnings->text[k] = (char *)(warnings->text + most) + k * TEXT_ROOM;
    }
    return CGM_OK;
}

cgm_status cgm_warnings_collect(cgm_comm *comm, const cgm_run *run, cgm_warnings *warnings)
{
    cgm_status status =
        cgm_agree(comm, warnings_create(comm, CONDITIONS + run->sampling.n_sets, warnings));
    if (status == CGM_OK) {
        look_at_scales(run, warnings);
        look_at_components(run, warnings);
        look_at_lengthscale(run, warnings);
        look_at_pool(run, warnings);
        look_at_shapley(run, warnings);
        look_at_contributions(run, warnings);
        look_at_reward(run, warnings);
        look_at_targets(run, warnings);
    }
    return status;
}

void cgm_warnings_destroy(cgm_warnings *warnings)
{
    free(warnings->code);
    *warnings = (cgm_warnings){0};
}
