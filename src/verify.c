#include "cgm/verify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/kernel_sums.h"
#include "cgm/pool.h"
#include "cgm/projection.h"
#include "cgm/provenance.h"
#include "cgm/sampling.h"
#include "cgm/tolerance.h"
#include "option.h"
#include "verify_claims.h"

typedef struct verify_arguments {
    char *party;
} verify_arguments;

static const cgm_option options[] = {
    {"--party", NULL, &cgm_option_path, offsetof(verify_arguments, party), NULL,
     "a name in the result; required", .help = "the party whose data FILE holds"},
};

enum { N_OPTIONS = sizeof options / sizeof options[0] };

/* One verification. Rank 0 is alone with it: ranks is a run of one rank, for stages that are
 * collective. */
typedef struct verification {
    cgm_comm *ranks;
    cgm_h5_file result;
    cgm_claims says;
    cgm_own_data own;
    double own_sum; /* S_ii, computed anew */
    int64_t n_checks;
    int64_t n_wrong;
} verification;

/* ---- verdicts ---- */

static void print_verdict(verification *check, bool holds, const char *what, const char *detail)
{
    check->n_checks++;
    check->n_wrong += !holds;
    printf("%-6s %-38s %s\n", holds ? "ok" : "WRONG", what, detail);
}

static bool agrees(double recomputed, double claimed)
{
    return fabs(recomputed - claimed) <= CGM_VERIFY_RELATIVE * fabs(claimed) + CGM_VERIFY_ABSOLUTE;
}

static void check_number(verification *check, const char *what, double recomputed, double claimed)
{
    char detail[128];
    snprintf(detail, sizeof detail, "%.17g here, %.17g in the result", recomputed, claimed);
    print_verdict(check, agrees(recomputed, claimed), what, detail);
}

/* Points as read become those that the kernel sees. */
static cgm_status transform(verification *check, const char *owner, int64_t n_points,
                            double **points)
{
    const cgm_features *features = &check->says.features;
    if (features->n_components == 0 && features->scale != NULL) {
        cgm_features_apply(features, n_points, features->n_features, *points, *points);
    }
    if (features->n_components == 0) {
        return CGM_OK;
    }
    double *projected =
        cgm_alloc(check->ranks, n_points, (size_t)features->n_components * sizeof *projected);
    cgm_status status = projected != NULL ? cgm_projection_points(check->ranks, features, owner,
                                                                  n_points, *points, projected)
                                          : CGM_ERR_MEMORY;
    if (status != CGM_OK) {
        free(projected);
        return status;
    }
    free(*points);
    *points = projected;
    return CGM_OK;
}

/* S_ii by the run's own stage, as the only party of a run without candidates. */
static cgm_status compute_own_sum(verification *check)
{
    cgm_comm *ranks = check->ranks;
    int64_t m = check->own.shape.n_points;
    int64_t keeper[2] = {0, 1};
    int64_t rows[2] = {0, m};
    int64_t zero[2] = {0, 0};
    const cgm_shard shard = {.n_parties = 1,
                             .n_features = check->says.kernel.n_features,
                             .n_points = m,
                             .party_points = &m,
                             .first_party = keeper,
                             .first_point = rows,
                             .whole = true,
                             .n_shares = 1,
                             .share_party = zero,
                             .share_offset = zero,
                             .share_first = rows,
                             .n_local_points = m,
                             .points = check->own.points};
    const cgm_candidates none = {.n_features = shard.n_features, .first = zero};
    cgm_kernel_sums sums;
    cgm_status status = cgm_kernel_sums_compute(ranks, &shard, &none, &check->says.kernel, &sums);
    if (status == CGM_OK) {
        check->own_sum = sums.own_sums[0];
    }
    cgm_kernel_sums_destroy(&sums);
    return status;
}

/* ---- checks whatever β ---- */

static void check_data(verification *check)
{
    const cgm_own_data *own = &check->own;
    const cgm_claims *says = &check->says;
    char detail[128];
    snprintf(detail, sizeof detail, "%lld here, %lld in the result", (long long)own->shape.n_points,
             (long long)says->n_points);
    print_verdict(check, own->shape.n_points == says->n_points, "number of points", detail);
    uint64_t checksum = cgm_points_checksum(own->points, own->labels, 0, own->shape.n_points,
                                            own->shape.n_points, own->shape.n_features);
    snprintf(detail, sizeof detail, "%016llx here, %016llx in the result",
             (unsigned long long)checksum, (unsigned long long)says->checksum);
    print_verdict(check, checksum == says->checksum, "checksum of the data", detail);
}

static void check_value(verification *check)
{
    const cgm_claims *says = &check->says;
    const double single = cgm_coalition_formula(
        says->n_reference, (double)check->own.shape.n_points, says->reference_sum, check->own_sum);
    if (says->embedded) {
        puts("       value v of the own data: not checked, the run took it from embeddings");
    } else {
        check_number(check, "value v of the own data", single, says->single);
    }
    /* MATH.md §5: without a place in the reward program the target is the party's own value. */
    check_number(check, "target r = alpha^rho v*",
                 says->contributed ? pow(says->alpha, says->rho) * says->v_star : says->single,
                 says->target);
}

/* ---- the reward at one β ---- */

static int compare_indices(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Indices inside the pool, each once. Without that there is no u to go on with. */
static cgm_status check_indices(verification *check, const cgm_claimed_reward *reward, bool *sound)
{
    int64_t *sorted = cgm_alloc(check->ranks, reward->count, sizeof *sorted);
    if (sorted == NULL) {
        return CGM_ERR_MEMORY;
    }
    memcpy(sorted, reward->indices, (size_t)reward->count * sizeof *sorted);
    qsort(sorted, (size_t)reward->count, sizeof *sorted, compare_indices);
    int64_t outside = 0;
    int64_t repeated = 0;
    for (int64_t k = 0; k < reward->count; k++) {
        outside += sorted[k] < 0 || sorted[k] >= check->says.n_candidates;
        repeated += k > 0 && sorted[k] == sorted[k - 1];
    }
    free(sorted);
    char detail[128];
    snprintf(detail, sizeof detail, "%lld of %lld outside, %lld repeated", (long long)outside,
             (long long)reward->count, (long long)repeated);
    print_verdict(check, outside == 0 && repeated == 0, "  rows of the pool", detail);
    *sound = outside == 0;
    return CGM_OK;
}

typedef struct hashed_row {
    uint64_t hash;
    int64_t row;
} hashed_row;

static int compare_hashes(const void *a, const void *b)
{
    const hashed_row *x = a;
    const hashed_row *y = b;
    if (x->hash != y->hash) {
        return x->hash < y->hash ? -1 : 1;
    }
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Points that are the same without being the same candidate: a pool may hold a point twice, but
 * then both have the same u. */
static cgm_status check_repeats(verification *check, const cgm_claimed_reward *reward)
{
    const int64_t d = reward->n_features;
    const double *u = reward->candidate_sums;
    hashed_row *rows = cgm_alloc(check->ranks, reward->count, sizeof *rows);
    if (rows == NULL) {
        return CGM_ERR_MEMORY;
    }
    for (int64_t k = 0; k < reward->count; k++) {
        rows[k] = (hashed_row){cgm_checksum_words(0, 0, reward->points + k * d, d), k};
    }
    qsort(rows, (size_t)reward->count, sizeof *rows, compare_hashes);
    int64_t repeated = 0;
    int64_t twins = 0;
    for (int64_t k = 1; k < reward->count; k++) {
        const int64_t a = rows[k - 1].row;
        const int64_t b = rows[k].row;
        if (memcmp(reward->points + a * d, reward->points + b * d, (size_t)d * sizeof(double)) ==
            0) {
            bool same = agrees(u[a], u[b]);
            twins += same;
            repeated += !same;
        }
    }
    free(rows);
    char detail[128];
    snprintf(detail, sizeof detail, "%lld of %lld repeated, %lld twice in the pool",
             (long long)repeated, (long long)reward->count, (long long)twins);
    print_verdict(check, repeated == 0, "  points of the reward", detail);
    return CGM_OK;
}

static void check_values(verification *check, const cgm_claimed_reward *reward,
                         const cgm_chain *chain, double start_value)
{
    check_number(check, "  value before the first draw", start_value, reward->start_value);
    const int64_t last = reward->count - 1;
    if (reward->count == 0) {
        return;
    }
    check_number(check, "  value after the last draw", chain->values[last], reward->values[last]);
    int64_t wrong = 0;
    int64_t worst = 0;
    double largest = -1.0;
    for (int64_t k = 0; k < reward->count; k++) {
        /* NaN in the result agrees with nothing, and is worse than any other number. */
        double off = fabs(chain->values[k] - reward->values[k]);
        off = isnan(off) ? INFINITY : off;
        wrong += !agrees(chain->values[k], reward->values[k]);
        worst = off > largest ? k : worst;
        largest = off > largest ? off : largest;
    }
    char detail[160];
    snprintf(detail, sizeof detail,
             "%lld of %lld wrong; draw %lld: %.17g here, %.17g in the result", (long long)wrong,
             (long long)reward->count, (long long)worst + 1, chain->values[worst],
             reward->values[worst]);
    print_verdict(check, wrong == 0, "  values after all draws", detail);
}

static void check_reached(verification *check, const cgm_claimed_reward *reward, double last)
{
    check_number(check, "  target", check->says.target, reward->target);
    const double target = check->says.target;
    /* On the target itself rounding decides: there both flags are right. */
    const bool close = agrees(last, target);
    const bool reached = last >= target - CGM_TARGET_REACHED * fabs(target);
    char detail[128];
    snprintf(detail, sizeof detail, "%s here, %s in the result",
             reached ? "reached" : "not reached", reward->reached == 1 ? "reached" : "not reached");
    bool flag = reward->reached == 0 || reward->reached == 1;
    print_verdict(check, flag && (close || reached == (reward->reached == 1)), "  target reached",
                  detail);
}

/* The draws once more, with the reward for the pool: each adds its own kernel terms and its u. */
static cgm_status replay(verification *check, const cgm_claimed_reward *reward)
{
    cgm_comm *ranks = check->ranks;
    const cgm_claims *says = &check->says;
    cgm_pool packed = {0};
    const cgm_candidates drawn = {.n_points = reward->count,
                                  .n_features = check->says.kernel.n_features,
                                  .sliced = true,
                                  .held_end = reward->count,
                                  .points = reward->points,
                                  .pool = &packed};
    const cgm_chain_start start = {.own_sum = check->own_sum,
                                   .reference_sum = says->reference_sum,
                                   .n_own = check->own.shape.n_points,
                                   .target = says->target,
                                   .patience = 1.0,
                                   .name = check->says.name};
    const cgm_kernel_sums sums = {.n_reference = says->n_reference,
                                  .candidate_sums = reward->candidate_sums};
    cgm_sampling_pool pool = {0};
    cgm_chain chain = {0};
    cgm_status status = cgm_sampling_pool_create(ranks, &drawn, &check->says.kernel, &sums, &pool);
    if (status == CGM_OK) {
        status = cgm_chain_create(ranks, &pool, &chain);
    }
    if (status == CGM_OK) {
        status = cgm_sampling_add_affinity(ranks, &pool, check->own.points,
                                           check->own.shape.n_points, chain.affinity);
    }
    if (status == CGM_OK) {
        cgm_chain_begin(&chain, &start);
        const double start_value = chain.value;
        for (int64_t k = 0; k < reward->count && status == CGM_OK; k++) {
            status = cgm_chain_add(ranks, &chain, k);
        }
        if (status == CGM_OK) {
            check_values(check, reward, &chain, start_value);
            check_reached(check, reward, chain.value);
        }
    }
    cgm_chain_destroy(&chain);
    cgm_pool_destroy(&packed);
    return status;
}

static cgm_status check_reward(verification *check, const char *set)
{
    cgm_claimed_reward reward;
    const cgm_features *features = &check->says.features;
    bool sound = false;
    cgm_status status =
        cgm_claimed_reward_read(&check->result, set, &check->says, &check->own, &reward);
    if (status == CGM_OK) {
        printf("reward %s: %lld points\n", set, (long long)reward.count);
        status = check_indices(check, &reward, &sound);
    }
    if (status == CGM_OK && sound) {
        status = check_repeats(check, &reward);
    }
    if (status == CGM_OK && sound) {
        if (!features->pool_projected) {
            status = transform(check, "the reward", reward.count, &reward.points);
        }
        if (status == CGM_OK) {
            status = replay(check, &reward);
        }
    }
    cgm_claimed_reward_destroy(&reward);
    return status;
}

/* ---- the command ---- */

static cgm_status check_rewards(verification *check)
{
    cgm_h5_texts sets;
    cgm_status status = cgm_h5_list(&check->result, "/sampling", false, &sets);
    for (int64_t k = 0; k < sets.count && status == CGM_OK; k++) {
        status = check_reward(check, sets.text[k]);
    }
    cgm_h5_texts_destroy(&sets);
    return status;
}

static cgm_status run_checks(verification *check)
{
    cgm_own_data *own = &check->own;
    check_data(check);
    cgm_status status = transform(check, own->path, own->shape.n_points, &own->points);
    if (status == CGM_OK) {
        check->says.kernel.centre = own->points;
        status = compute_own_sum(check);
    }
    if (status == CGM_OK) {
        check_value(check);
        status = check_rewards(check);
    }
    return status;
}

static cgm_status verify(verification *check, const char *path, const char *own_path,
                         const char *name)
{
    cgm_status status = cgm_h5_open(check->ranks, path, &check->result);
    if (status == CGM_OK) {
        status = cgm_claims_read(&check->result, name, own_path, &check->says, &check->own);
    }
    if (status == CGM_OK) {
        printf("computed here from '%s': the terms of the party's own data and of its reward\n"
               "taken from '%s' on trust: its sums t and u, n, alpha, rho, v* and r\n",
               own_path, path);
        status = run_checks(check);
    }
    if (status == CGM_OK) {
        printf("%lld of %lld checks are WRONG\n", (long long)check->n_wrong,
               (long long)check->n_checks);
    }
    cgm_claims_destroy(&check->says);
    cgm_own_data_destroy(&check->own);
    cgm_h5_close(&check->result);
    return status;
}

/* Rank 0 alone. */
static cgm_status verify_on_one(cgm_comm *comm, int n_arguments, char **given, bool *wrong)
{
    verify_arguments asked = {0};
    int n_files = 0;
    char **files = cgm_alloc(comm, n_arguments, sizeof *files);
    if (files == NULL) {
        return CGM_ERR_MEMORY;
    }
    cgm_status status =
        cgm_option_take(comm, options, N_OPTIONS, n_arguments, given, &asked, files, &n_files);
    if (status == CGM_OK && n_files != 2) {
        status = cgm_fail(comm, CGM_ERR_USAGE,
                          "verify takes a result and the party's own data: cgm verify RESULT.h5 "
                          "--party NAME FILE");
    }
    if (status == CGM_OK) {
        cgm_comm ranks;
        cgm_comm_create(MPI_COMM_SELF, &ranks);
        verification check = {.ranks = &ranks};
        status = verify(&check, files[0], files[1], asked.party);
        if (status != CGM_OK) {
            cgm_fail(comm, status, "%s", ranks.error.message);
        }
        *wrong = check.n_wrong > 0;
        cgm_comm_destroy(&ranks);
    }
    free(asked.party);
    free(files);
    return status;
}

cgm_status cgm_verify(cgm_comm *comm, int n_arguments, char **arguments)
{
    bool wrong = false;
    cgm_status status =
        comm->rank == 0 ? verify_on_one(comm, n_arguments, arguments, &wrong) : CGM_OK;
    status = cgm_agree(comm, status);
    /* A wrong number is an answer, not a failure: it is told to the ranks beside the vote. */
    cgm_comm_broadcast(comm, &wrong, sizeof wrong, 0);
    return status == CGM_OK && wrong ? CGM_DIFFERENT : status;
}

void cgm_verify_print_help(FILE *stream)
{
    fputs("RESULT.h5 is the result, or the party's own file of it from output.party_dir. FILE\n"
          "holds the party's data, in /data or in /parties/NAME/data, as it went into the run.\n"
          "What depends on it and on the reward alone is computed anew; the sums over other\n"
          "parties' data and over the pool are taken from the result. Each check is a line, ok or\n"
          "WRONG; exit code 0 if all are ok, else 1. Options are --name VALUE or --name=VALUE.\n\n",
          stream);
    for (int k = 0; k < N_OPTIONS; k++) {
        cgm_option_print(&options[k], stream);
    }
}
