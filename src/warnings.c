#include "cgm/warnings.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/pipeline.h"
#include "cgm/tolerance.h"

/* Conditions besides those of every β, and those; bytes of a text; parties that one names. */
enum { CONDITIONS = 21, CONDITIONS_OF_SET = 3, TEXT_ROOM = 2448, NAMED_MAX = 5 };

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

/* Parties that a text names, the first few of them; zeroed: none. */
typedef struct party_names {
    char text[NAMED_MAX * 210];
    int64_t count;
} party_names;

static void name_party(party_names *names, const char *name)
{
    const size_t length = strlen(names->text);
    if (names->count < NAMED_MAX) {
        snprintf(names->text + length, sizeof names->text - length, "%s'%.200s'",
                 names->count > 0 ? ", " : "", name);
    } else if (names->count == NAMED_MAX) {
        snprintf(names->text + length, sizeof names->text - length, ", ...");
    }
    names->count++;
}

/* ---- the points and the kernel ---- */

/* Ranges of features that the kernel takes as equally important. A constant feature has none. */
static void look_at_scales(const cgm_run *run, cgm_warnings *warnings)
{
    /* Of sealed shards the range is not known. */
    const bool sealed = run->shard.sealed;
    const bool projected = run->features.n_components > 0;
    const int64_t d = projected ? run->features.n_features : run->shard.n_features;
    const double *range = projected ? run->features.range
                          : sealed  ? run->spread.deviation
                                    : run->spread.range;
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
             "feature %lld has a %s of %.4g and feature %lld one of %.4g (counted from 0), so "
             "that %s hardly see the narrow ones; set features.scale%s",
             (long long)wide, sealed && !projected ? "deviation" : "range", range[wide],
             (long long)narrow, range[narrow], projected ? "components" : "distances",
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

/* ---- the mixtures ---- */

/* What can be wrong with the mixture of a class. */
typedef bool class_condition(const cgm_gmm_class *class);

static bool is_not_converged(const cgm_gmm_class *class)
{
    return !class->converged;
}

static bool is_scarce(const cgm_gmm_class *class)
{
    return class->is_scarce;
}

static bool is_widened(const cgm_gmm_class *class)
{
    return class->is_widened && !class->is_scarce;
}

static bool is_short(const cgm_gmm_class *class)
{
    return class->is_short;
}

/* Warns once of all classes like that, and names the first. */
static void warn_classes(const cgm_gmm *gmm, class_condition *condition, char *code,
                         const char *what, cgm_warnings *warnings)
{
    const cgm_gmm_class *first = NULL;
    int64_t count = 0;
    for (int64_t c = 0; c < gmm->n_classes; c++) {
        if (condition(&gmm->classes[c])) {
            first = first == NULL ? &gmm->classes[c] : first;
            count++;
        }
    }
    if (count > 0 && gmm->has_labels) {
        warn(warnings, code, "of %lld of %lld classes (the first: %lld, with %lld points) %s",
             (long long)count, (long long)gmm->n_classes, (long long)first->label,
             (long long)first->n_points, what);
    } else if (count > 0) {
        warn(warnings, code, "of all %lld points %s", (long long)first->n_points, what);
    }
}

static void look_at_mixtures(const cgm_gmm *gmm, cgm_warnings *warnings)
{
    warn_classes(gmm, is_not_converged, "mixture_not_converged",
                 "the mixture was still gaining more than generator.tolerance with the last of "
                 "generator.max_iterations; raise one of them",
                 warnings);
    warn_classes(gmm, is_scarce, "mixture_of_few_points",
                 "there are no more points than features, too few for a covariance: candidates lie "
                 "close to them or between them; join classes, or use features.type = pca, with "
                 "few components",
                 warnings);
    warn_classes(gmm, is_short, "mixture_of_fewer_components",
                 "the mixture has fewer components than generator.components, because there are "
                 "not so many different points, or too few for each; lower it",
                 warnings);
    warn_classes(gmm, is_widened, "mixture_widened",
                 "a component is kept as wide as a thousandth of the standard deviation of all "
                 "points: points repeat, lie on a line or plane, or outliers make all others "
                 "narrow; look for these, or use features.type = pca",
                 warnings);
}

/* ---- the generative network ---- */

/* What can be wrong with a class's points. */
typedef bool gan_condition(const cgm_gan_outcome *outcome, const cgm_gan_class *class);

static bool is_in_one_place(const cgm_gan_outcome *outcome, const cgm_gan_class *class)
{
    return class->is_one_place && outcome->n_constant < outcome->n_features;
}

static bool is_of_few_points(const cgm_gan_outcome *outcome, const cgm_gan_class *class)
{
    return class->n_points <= outcome->n_features && !is_in_one_place(outcome, class);
}

static bool is_of_one_party(const cgm_gan_outcome *outcome, const cgm_gan_class *class)
{
    return class->only_party >= 0 && outcome->n_classes > 1;
}

/* Warns once of all classes like that, and names the first and the party that has it. */
static void warn_of(const cgm_run *run, const cgm_gan_outcome *outcome, gan_condition *condition,
                    char *code, const char *what, cgm_warnings *warnings)
{
    const cgm_gan_class *first = NULL;
    int64_t count = 0;
    for (int64_t k = 0; k < outcome->n_classes; k++) {
        if (condition(outcome, &outcome->classes[k])) {
            first = first == NULL ? &outcome->classes[k] : first;
            count++;
        }
    }
    if (count > 0) {
        const bool alone = first->only_party >= 0;
        warn(warnings, code,
             "of %lld of %lld classes (the first: %lld, with %lld points%s%.200s) %s",
             (long long)count, (long long)outcome->n_classes, (long long)first->label,
             (long long)first->n_points, alone ? ", all of party " : "",
             alone ? run->shard.names[first->only_party] : "", what);
    }
}

static void look_at_points_of_network(const cgm_run *run, const cgm_gan_outcome *outcome,
                                      cgm_warnings *warnings)
{
    const int64_t batch = run->config->gan.batch;
    if (outcome->n_constant > 0) {
        warn(warnings, "network_of_constant_features",
             "%lld of %lld features are the same in all points of all parties, and so in all "
             "candidates%s",
             (long long)outcome->n_constant, (long long)outcome->n_features,
             outcome->n_constant == outcome->n_features ? ", which are all one point"
                                                        : "; leave them out");
    }
    if (run->shard.n_points < batch) {
        warn(warnings, "network_of_few_points",
             "all parties together have %lld points, fewer than the %lld that every step of the "
             "network's training looks at; lower generator.batch, or use generator.type = gmm",
             (long long)run->shard.n_points, (long long)batch);
    }
    if (run->shard.n_parties > 1) {
        warn_of(run, outcome, is_of_one_party, "network_class_of_one_party",
                "no other party has any point: candidates show what that party alone has",
                warnings);
    }
    warn_of(
        run, outcome, is_in_one_place, "network_class_in_one_place",
        "all points are the same: candidates lie around them, not on them; leave out the class, "
        "or join it with another",
        warnings);
    warn_of(run, outcome, is_of_few_points, "network_class_of_few_points",
            "there are no more points than features, too few to learn from: candidates may repeat "
            "them; join classes",
            warnings);
}

static void look_at_network(const cgm_run *run, cgm_warnings *warnings)
{
    const cgm_gan_outcome *outcome = run->model.state;
    look_at_points_of_network(run, outcome, warnings);
    if (outcome->mmd2 > CGM_GAN_FAR * outcome->untrained) {
        warn(warnings, "network_far_from_data",
             "the generative network came no closer to the parties' points than MMD² %.3g, where "
             "an untrained one is at %.3g; raise generator.steps, lower generator.learning_rate, "
             "or use generator.type = gmm",
             outcome->mmd2, outcome->untrained);
    }
}

static void look_at_generator(const cgm_run *run, cgm_warnings *warnings)
{
    if (run->config->generator_type == CGM_GENERATOR_GMM) {
        look_at_mixtures(run->model.state, warnings);
    } else if (run->config->generator_type == CGM_GENERATOR_GAN) {
        look_at_network(run, warnings);
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
    party_names zero = {0};
    for (int64_t i = 0; i < n; i++) {
        if (!(run->shapley.alpha[i] > 0.0)) {
            name_party(&zero, run->shard.names[i]);
        }
    }
    if (zero.count > 0 && zero.count < n) {
        warn(warnings, "zero_contribution",
             "%lld of %lld parties have a phi that counts as zero and get no reward: "
             "%s; look at their data, or leave them out",
             (long long)zero.count, (long long)n, zero.text);
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

/* ---- privacy ---- */

/* More of a reward's points than of held-out points lie near other parties' records, by more than
 * chance, which is that of counting both. */
static bool is_too_close(const cgm_run *run, const cgm_metric_set *set, int64_t party)
{
    const double held_out =
        (double)(run->testset.n_points > 0 ? run->testset.n_points : run->candidates.n_points);
    const double share = set->columns[CGM_PRIVACY_CLOSE][party];
    const double deviation = sqrt(CGM_CLOSE_QUANTILE * (1.0 - CGM_CLOSE_QUANTILE) *
                                  (1.0 / set->columns[CGM_N_REWARDS][party] + 1.0 / held_out));
    return share > CGM_CLOSE_QUANTILE + CGM_CLOSE_DEVIATIONS * deviation &&
           (share > CGM_CLOSE_SHARE || set->columns[CGM_PRIVACY_RATIO][party] < CGM_CLOSE_RATIO);
}

static void look_at_privacy(const cgm_run *run, cgm_warnings *warnings)
{
    const char *remedy = "use a generative model that repeats its training data less";
    for (int64_t s = 0; s < run->metrics.n_sets; s++) {
        const cgm_metric_set *set = &run->metrics.sets[s];
        party_names copied = {0};
        party_names close = {0};
        for (int64_t i = 0; i < run->shard.n_parties && set->columns[CGM_PRIVACY_COPIES] != NULL;
             i++) {
            if (set->columns[CGM_PRIVACY_COPIES][i] > 0.0) {
                name_party(&copied, run->shard.names[i]);
            }
            if (is_too_close(run, set, i)) {
                name_party(&close, run->shard.names[i]);
            }
        }
        if (copied.count > 0) {
            warn(warnings, "privacy_copies",
                 "at inverse temperature %g, the rewards of %lld of %lld parties hold exact copies "
                 "of other parties' records: %s; /metrics/beta_%g/privacy_copies tells the shares; "
                 "take them out of the pool, or %s",
                 set->inv_temp, (long long)copied.count, (long long)run->shard.n_parties,
                 copied.text, set->inv_temp, remedy);
        }
        if (close.count > 0) {
            warn(warnings, "privacy_close",
                 "at inverse temperature %g, the rewards of %lld of %lld parties lie closer to "
                 "other parties' records than points do that nobody trained on: %s; see "
                 "privacy_ratio and privacy_close in /metrics/beta_%g; %s",
                 set->inv_temp, (long long)close.count, (long long)run->shard.n_parties, close.text,
                 set->inv_temp, remedy);
        }
    }
}

/* ---- measures of the rewards ---- */

static void look_at_downstream(const cgm_run *run, cgm_warnings *warnings)
{
    const cgm_downstream_extent *extent = &run->metrics.downstream;
    if (extent->n_measured == 0) {
        return;
    }
    if (extent->n_measured < run->shard.n_parties) {
        warn(warnings, "downstream_parties",
             "downstream models were trained for %lld of %lld parties, chosen by run.seed; the "
             "others' accuracies are missing",
             (long long)extent->n_measured, (long long)run->shard.n_parties);
    }
    if (extent->training > extent->most || extent->others > extent->most ||
        extent->test > extent->most) {
        warn(warnings, "downstream_subsampled",
             "downstream models were trained and tested on at most %lld points, chosen by "
             "run.seed, where training sets have up to %lld, the other parties %lld and /test "
             "%lld; set metrics.downstream_points higher to use more",
             (long long)extent->most, (long long)extent->training, (long long)extent->others,
             (long long)extent->test);
    }
    if (extent->refused > 0) {
        warn(warnings, "downstream_classes",
             "%lld downstream models would have had to tell more than %d classes apart and were "
             "not trained; their accuracies are missing; use labels of fewer values",
             (long long)extent->refused, (int)CGM_DOWNSTREAM_CLASSES);
    }
}

/* What only a rank with points of several parties could measure. */
static void look_at_exchange(const cgm_run *run, cgm_warnings *warnings)
{
    const unsigned left_out = run->config->metrics & CGM_METRICS_OF_OTHERS;
    party_names names = {0};
    for (int k = 0; k < CGM_N_METRICS && run->shard.sealed; k++) {
        if ((left_out >> k & 1U) != 0) {
            name_party(&names, cgm_metric_name(k));
        }
    }
    if (names.count > 0) {
        warn(warnings, "metrics_left_out",
             "with values.exchange = embeddings no rank sees other parties' points, and measures "
             "that need them are missing: %s; leave them out of metrics.select",
             names.text);
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
        cgm_agree(comm, warnings_create(comm, CONDITIONS + CONDITIONS_OF_SET * run->sampling.n_sets,
                                        warnings));
    if (status == CGM_OK) {
        look_at_scales(run, warnings);
        look_at_components(run, warnings);
        look_at_lengthscale(run, warnings);
        look_at_pool(run, warnings);
        look_at_generator(run, warnings);
        look_at_shapley(run, warnings);
        look_at_contributions(run, warnings);
        look_at_reward(run, warnings);
        look_at_targets(run, warnings);
        look_at_privacy(run, warnings);
        look_at_downstream(run, warnings);
        look_at_exchange(run, warnings);
    }
    return status;
}

cgm_status cgm_warnings_of_generator(cgm_comm *comm, const cgm_run *run, cgm_warnings *warnings)
{
    cgm_status status = cgm_agree(comm, warnings_create(comm, CONDITIONS, warnings));
    if (status == CGM_OK) {
        look_at_generator(run, warnings);
    }
    return status;
}

void cgm_warnings_destroy(cgm_warnings *warnings)
{
    free(warnings->code);
    *warnings = (cgm_warnings){0};
}
