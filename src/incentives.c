#include "cgm/incentives.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cgm/tolerance.h"
#include "incentives_alike.h"

/* What the rows are checked against. */
typedef struct certificate {
    char *const *names;
    const cgm_kernel_sums *sums;
    const cgm_values *values;
    const cgm_shapley *shapley;
    const cgm_reward *reward;
    int64_t n;
    int64_t *alike; /* [n] the first party that party i is symmetric to; i itself if none */
    bool *above;    /* [n][n] party i is strictly more desirable than j; NULL when not enumerated */
    int64_t *by_tie;      /* [n] parties by class of tied φ, or NULL when enumerated */
    int64_t *single_rank; /* [n] 1 .. n: place of v({i}), the same for equal values; or NULL */
    int64_t *work;        /* [2][n + 1] of a check */
} certificate;

/* The party or pair that comes closest to a violation, or violates most. */
typedef struct finding {
    int64_t i; /* -1: there is nothing to check */
    int64_t j; /* -1: no pair */
    double value;
    double bound;
    double gap; /* by which value is on the wrong side of bound; negative: on the right one */
    bool violated;
} finding;

static const finding nothing = {.i = -1, .j = -1, .gap = -INFINITY};

static void keep_worse(finding *worst, finding next)
{
    const bool harder = next.violated && !worst->violated;
    if (harder || (next.violated == worst->violated && next.gap > worst->gap)) {
        *worst = next;
    }
}

/* sign 1: value must be at least bound; −1: at most. */
static void require(const certificate *c, finding *worst, double sign, int64_t i, int64_t j,
                    double value, double bound)
{
    const double gap = sign * (bound - value);
    const bool violated = cgm_reward_shortfall(c->reward->status, sign * value, sign * bound) > 0.0;
    keep_worse(worst, (finding){i, j, value, bound, gap, violated});
}

static void require_more(finding *worst, int64_t i, int64_t j, double value, double than)
{
    keep_worse(worst, (finding){i, j, value, than, than - value, !(value > than)});
}

/* A party that has a place in the program. */
static bool contributes(const certificate *c, int64_t i)
{
    return c->shapley->alpha[i] > 0.0;
}

/* ---- the rows: v [n] are values of the parties, promised or reached ---- */

static finding check_non_negativity(const certificate *c, const double *v)
{
    finding worst = nothing;
    for (int64_t i = 0; i < c->n; i++) {
        require(c, &worst, 1.0, i, -1, v[i], 0.0);
    }
    return worst;
}

static finding check_at_least(const certificate *c, const double *v, const double *bounds)
{
    finding worst = nothing;
    for (int64_t i = 0; i < c->n; i++) {
        require(c, &worst, 1.0, i, -1, v[i], bounds[i]);
    }
    return worst;
}

static finding check_individual_rationality(const certificate *c, const double *v)
{
    return check_at_least(c, v, c->values->single);
}

static finding check_stability(const certificate *c, const double *v)
{
    return check_at_least(c, v, c->reward->stable);
}

/* A party outside the program keeps what it has, whatever the pool could do for it. */
static finding check_feasibility(const certificate *c, const double *v)
{
    finding worst = nothing;
    for (int64_t i = 0; i < c->n; i++) {
        if (contributes(c, i)) {
            require(c, &worst, -1.0, i, -1, v[i], c->values->ceiling[i]);
        }
    }
    return worst;
}

static finding check_weak_efficiency(const certificate *c, const double *v)
{
    finding worst = nothing;
    int64_t best = -1;
    for (int64_t i = 0; i < c->n; i++) {
        if (contributes(c, i) && (best < 0 || v[i] > v[best])) {
            best = i;
        }
    }
    if (best >= 0) {
        require(c, &worst, 1.0, best, -1, v[best], c->reward->v_star);
        require(c, &worst, -1.0, best, -1, v[best], c->reward->v_star);
    }
    return worst;
}

static finding check_uselessness(const certificate *c, const double *v)
{
    finding worst = nothing;
    int64_t least = -1;
    for (int64_t j = 0; j < c->n; j++) {
        if (contributes(c, j) && (least < 0 || v[j] < v[least])) {
            least = j;
        }
    }
    for (int64_t i = 0; i < c->n; i++) {
        if (contributes(c, i)) {
            continue;
        }
        require(c, &worst, -1.0, i, -1, v[i], fmax(0.0, c->values->single[i]));
        if (least >= 0) {
            require(c, &worst, -1.0, i, least, v[i], v[least]);
        }
    }
    return worst;
}

static finding check_symmetry(const certificate *c, const double *v)
{
    finding worst = nothing;
    int64_t *least = c->work; /* of every class, at its first party */
    int64_t *most = c->work + c->n + 1;
    for (int64_t i = 0; i < c->n; i++) {
        const int64_t first = c->alike[i];
        if (first == i) {
            least[i] = most[i] = i;
        } else if (v[i] < v[least[first]]) {
            least[first] = i;
        } else if (v[i] > v[most[first]] || most[first] == least[first]) {
            /* Where all are equal too, a pair is named. */
            most[first] = i;
        }
    }
    for (int64_t i = 0; i < c->n; i++) {
        if (c->alike[i] == i && most[i] != least[i]) {
            require(c, &worst, 1.0, least[i], most[i], v[least[i]], v[most[i]]);
        }
    }
    return worst;
}

/* Leave-one-out looks at one coalition alone: there, dominance does not imply a larger φ. */
static bool sees_all_coalitions(const certificate *c)
{
    return c->shapley->semivalue.kind != CGM_SEMIVALUE_LEAVE_ONE_OUT;
}

static finding check_enumerated(const certificate *c, const double *v)
{
    finding worst = nothing;
    for (int64_t i = 0; i < c->n; i++) {
        for (int64_t j = 0; j < c->n; j++) {
            if (c->above[i * c->n + j]) {
                require_more(&worst, i, j, v[i], v[j]);
            }
        }
    }
    return worst;
}

/* A party more in a binary indexed tree (Fenwick) by single_rank, whose nodes keep the party of
 * largest v; tree [n + 1], −1: none. */
static void insert_party(const certificate *c, const double *v, int64_t *tree, int64_t j)
{
    for (int64_t k = c->single_rank[j]; k <= c->n; k += k & -k) {
        if (tree[k] < 0 || v[j] > v[tree[k]]) {
            tree[k] = j;
        }
    }
}

/* The inserted party of largest v with v({j}) ≤ v({i}), or −1. */
static int64_t find_party(const certificate *c, const double *v, const int64_t *tree, int64_t i)
{
    int64_t best = -1;
    for (int64_t k = c->single_rank[i]; k > 0; k -= k & -k) {
        if (tree[k] >= 0 && (best < 0 || v[tree[k]] > v[best])) {
            best = tree[k];
        }
    }
    return best;
}

/* Beyond enumeration the rewards owe a party more by what is known of both: dominance in every
 * coalition implies φ_i > φ_j and v({i}) ≥ v({j}). Every party against the best off of those that
 * it is owed more than: O(N log N), where pair by pair the rows of 10,000 parties take seconds. */
static finding check_sufficient(const certificate *c, const double *v)
{
    finding worst = nothing;
    int64_t *tree = c->work;
    const int64_t *tie = c->shapley->tie;
    for (int64_t k = 0; k <= c->n; k++) {
        tree[k] = -1;
    }
    for (int64_t first = 0; first < c->n;) {
        int64_t end = first;
        for (; end < c->n && tie[c->by_tie[end]] == tie[c->by_tie[first]]; end++) {
            const int64_t i = c->by_tie[end];
            const int64_t j = find_party(c, v, tree, i);
            if (j >= 0) {
                require_more(&worst, i, j, v[i], v[j]);
            }
        }
        for (; first < end; first++) {
            insert_party(c, v, tree, c->by_tie[first]);
        }
    }
    return worst;
}

static finding check_strict_desirability(const certificate *c, const double *v)
{
    if (c->above != NULL) {
        return check_enumerated(c, v);
    }
    if (!sees_all_coalitions(c)) {
        finding unknown = nothing;
        unknown.gap = 0.0;
        unknown.violated = true;
        return unknown;
    }
    return check_sufficient(c, v);
}

/* It compares this game with one in which a party contributes more: r grows with α when ρ > 0. */
static finding check_strict_monotonicity(const certificate *c, const double *v)
{
    (void)v;
    finding none = nothing;
    none.gap = 0.0;
    none.violated = !(c->reward->rho > CGM_LP_AGREEMENT) || !sees_all_coalitions(c);
    return none;
}

static finding check_group_welfare(const certificate *c, const double *v)
{
    (void)c, (void)v;
    finding none = nothing;
    none.gap = 0.0;
    return none;
}

/* ---- the table ---- */

static const struct row_kind {
    const char *name;
    finding (*check)(const certificate *c, const double *v);
    bool needs_rewards; /* makes no sense without any */
    const char *bound;  /* what a single party's value is held against */
    const char *none;   /* when there is nothing to check */
} row_kinds[CGM_N_INCENTIVES] = {
    [CGM_NON_NEGATIVITY] = {"non_negativity", check_non_negativity, false, "at least", ""},
    [CGM_INDIVIDUAL_RATIONALITY] = {"individual_rationality", check_individual_rationality, false,
                                    "own value", ""},
    [CGM_STABILITY] = {"stability", check_stability, true, "its coalition's", ""},
    [CGM_FEASIBILITY] = {"feasibility", check_feasibility, true, "ceiling", ""},
    [CGM_WEAK_EFFICIENCY] = {"weak_efficiency", check_weak_efficiency, true, "v*", ""},
    [CGM_USELESSNESS] = {"uselessness", check_uselessness, true, "own value",
                         "no party's phi counts as zero"},
    [CGM_SYMMETRY] = {"symmetry", check_symmetry, false, "", "no two parties are alike"},
    [CGM_STRICT_DESIRABILITY] = {"strict_desirability", check_strict_desirability, true, "",
                                 "no party is more desirable than another"},
    [CGM_STRICT_MONOTONICITY] = {"strict_monotonicity", check_strict_monotonicity, true, "", ""},
    [CGM_GROUP_WELFARE] = {"group_welfare", check_group_welfare, false, "", ""},
};

const char *cgm_incentive_name(cgm_incentive incentive)
{
    return row_kinds[incentive].name;
}

static double sum_of(const double *values, int64_t count)
{
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++) {
        sum += values[i];
    }
    return sum;
}

static void describe_welfare(const certificate *c, const cgm_incentives *incentives, char *text)
{
    const double promised = sum_of(c->reward->r, c->n);
    const double ceilings = sum_of(c->values->ceiling, c->n);
    int length =
        snprintf(text, CGM_INCENTIVE_DETAIL, "sum of r %.8g, %.6g of the ceilings' sum %.8g",
                 promised, promised / ceilings, ceilings);
    double least = INFINITY;
    for (int64_t s = 0; s < incentives->n_sets; s++) {
        least = fmin(least, sum_of(incentives->realised + s * c->n, c->n));
    }
    if (incentives->n_sets > 0) {
        snprintf(text + length, (size_t)(CGM_INCENTIVE_DETAIL - length), "; reached %.8g", least);
    }
}

static void describe_finding(const certificate *c, cgm_incentive k, const finding *found,
                             char *text)
{
    const char *prefix =
        k == CGM_STRICT_DESIRABILITY && c->above == NULL ? "by a sufficient condition: " : "";
    if (found->i < 0) {
        snprintf(text, CGM_INCENTIVE_DETAIL, "%s%s", prefix, row_kinds[k].none);
    } else if (found->j < 0) {
        snprintf(text, CGM_INCENTIVE_DETAIL, "party '%.200s': %.8g, %s %.8g", c->names[found->i],
                 found->value, row_kinds[k].bound, found->bound);
    } else {
        snprintf(text, CGM_INCENTIVE_DETAIL, "%sparty '%.200s': %.8g, party '%.200s': %.8g", prefix,
                 c->names[found->i], found->value, c->names[found->j], found->bound);
    }
}

static void describe(const certificate *c, const cgm_incentives *incentives, cgm_incentive k,
                     const finding *found, char *text)
{
    const bool one_coalition = !sees_all_coalitions(c);
    if (k == CGM_GROUP_WELFARE) {
        describe_welfare(c, incentives, text);
    } else if (k == CGM_STRICT_MONOTONICITY) {
        snprintf(text, CGM_INCENTIVE_DETAIL, "%s",
                 !found->violated ? "by construction, as rho > 0"
                 : one_coalition  ? "not with leave_one_out, which sees one coalition alone"
                                  : "rho is 0: every reward is v*, whatever a party contributes");
    } else if (k == CGM_STRICT_DESIRABILITY && c->above == NULL && one_coalition) {
        snprintf(text, CGM_INCENTIVE_DETAIL, "cannot be shown with leave_one_out above %d parties",
                 (int)CGM_ENUMERATE_MAX);
    } else {
        describe_finding(c, k, found, text);
    }
}

static void fill_row(const certificate *c, cgm_incentive k, cgm_incentives *incentives)
{
    const struct row_kind *kind = &row_kinds[k];
    cgm_incentive_row *row = &incentives->rows[k];
    *row = (cgm_incentive_row){.holds = true, .realised = incentives->n_sets > 0 ? 0.0 : NAN};
    if (kind->needs_rewards && c->reward->status == CGM_REWARD_NO_CONTRIBUTION) {
        snprintf(row->detail, sizeof row->detail, "there are no rewards");
        return;
    }
    const finding found = kind->check(c, c->reward->r);
    row->holds = !found.violated;
    row->violation = found.violated ? found.gap : 0.0;
    for (int64_t s = 0; s < incentives->n_sets; s++) {
        const finding reached = kind->check(c, incentives->realised + s * c->n);
        row->realised = reached.violated ? fmax(row->realised, reached.gap) : row->realised;
    }
    describe(c, incentives, k, &found, row->detail);
}

/* ---- what follows from the game alone ---- */

/* v(Q ∪ i) ≥ v(Q ∪ j), up to rounding, for every Q without both, and clearly more for one. */
static bool is_strictly_above(const double *coalitions, int64_t n, int64_t i, int64_t j)
{
    const size_t bit_i = (size_t)1 << i;
    const size_t bit_j = (size_t)1 << j;
    bool clearly = false;
    for (size_t mask = 0; mask < (size_t)1 << n; mask++) {
        if ((mask & (bit_i | bit_j)) != 0) {
            continue;
        }
        const double with_i = coalitions[mask | bit_i];
        const double with_j = coalitions[mask | bit_j];
        const double scale = fmax(fabs(with_i), fabs(with_j));
        if (with_i - with_j < -CGM_ALIKE * scale) {
            return false;
        }
        clearly = clearly || with_i - with_j > CGM_INCENTIVE * scale;
    }
    return clearly;
}

static void fill_above(certificate *c)
{
    for (int64_t i = 0; i < c->n; i++) {
        for (int64_t j = 0; j < c->n; j++) {
            c->above[i * c->n + j] = i != j && is_strictly_above(c->values->coalitions, c->n, i, j);
        }
    }
}

typedef struct ranked_party {
    double value;
    int64_t party;
} ranked_party;

static int compare_ranked(const void *left, const void *right)
{
    const ranked_party *a = left;
    const ranked_party *b = right;
    if (a->value != b->value) {
        return a->value < b->value ? -1 : 1;
    }
    return (a->party > b->party) - (a->party < b->party);
}

/* by_tie and single_rank. ranked [n] is work space. */
static void fill_ranks(certificate *c, ranked_party *ranked)
{
    for (int64_t i = 0; i < c->n; i++) {
        ranked[i] = (ranked_party){(double)c->shapley->tie[i], i};
    }
    qsort(ranked, (size_t)c->n, sizeof *ranked, compare_ranked);
    for (int64_t k = 0; k < c->n; k++) {
        c->by_tie[k] = ranked[k].party;
    }
    for (int64_t i = 0; i < c->n; i++) {
        ranked[i] = (ranked_party){c->values->single[i], i};
    }
    qsort(ranked, (size_t)c->n, sizeof *ranked, compare_ranked);
    int64_t rank = 0;
    for (int64_t k = 0; k < c->n; k++) {
        rank += k == 0 || ranked[k].value > ranked[k - 1].value;
        c->single_rank[ranked[k].party] = rank;
    }
}

/* What strict desirability is judged by. */
static cgm_status compare_parties(cgm_comm *comm, certificate *c)
{
    if (c->n <= CGM_ENUMERATE_MAX) {
        c->above = cgm_alloc(comm, c->n * c->n, sizeof *c->above);
        if (c->above == NULL) {
            return CGM_ERR_MEMORY;
        }
        fill_above(c);
        return CGM_OK;
    }
    ranked_party *ranked = cgm_alloc(comm, c->n, sizeof *ranked);
    c->by_tie = cgm_alloc(comm, c->n, sizeof *c->by_tie);
    c->single_rank = cgm_alloc(comm, c->n, sizeof *c->single_rank);
    const bool refused = ranked == NULL || c->by_tie == NULL || c->single_rank == NULL;
    if (!refused) {
        fill_ranks(c, ranked);
    }
    free(ranked);
    return refused ? CGM_ERR_MEMORY : CGM_OK;
}

/* Rank 0: all rows, from alike on. */
static cgm_status certify_root(cgm_comm *comm, certificate *c, cgm_incentives *incentives)
{
    c->work = cgm_alloc(comm, 2 * (c->n + 1), sizeof *c->work);
    const cgm_status status = c->work == NULL ? CGM_ERR_MEMORY : compare_parties(comm, c);
    for (int k = 0; k < CGM_N_INCENTIVES && status == CGM_OK; k++) {
        fill_row(c, (cgm_incentive)k, incentives);
    }
    free(c->above);
    free(c->by_tie);
    free(c->single_rank);
    free(c->work);
    return status;
}

cgm_status cgm_incentives_certify(cgm_comm *comm, char *const *names, const cgm_kernel_sums *sums,
                                  const cgm_values *values, const cgm_shapley *shapley,
                                  const cgm_reward *reward, cgm_incentives *incentives)
{
    certificate c = {.names = names,
                     .sums = sums,
                     .values = values,
                     .shapley = shapley,
                     .reward = reward,
                     .n = sums->n_parties};
    c.alike = cgm_alloc(comm, c.n, sizeof *c.alike);
    cgm_status status = cgm_agree(comm, c.alike == NULL ? CGM_ERR_MEMORY : CGM_OK);
    if (status == CGM_OK) {
        status = cgm_alike_find(comm, sums, c.alike);
    }
    if (status == CGM_OK) {
        status = cgm_agree(comm, comm->rank == 0 ? certify_root(comm, &c, incentives) : CGM_OK);
    }
    if (status == CGM_OK) {
        cgm_comm_broadcast(comm, incentives->rows, sizeof incentives->rows, 0);
    }
    free(c.alike);
    return status;
}

cgm_status cgm_incentives_gather(cgm_comm *comm, const cgm_shard *shard,
                                 const cgm_sampling *sampling, cgm_incentives *incentives)
{
    const int64_t n = shard->n_parties;
    const int64_t first = shard->first_party[comm->rank];
    const int64_t end = shard->first_party[comm->rank + 1];
    *incentives = (cgm_incentives){.n_sets = sampling->n_sets};
    incentives->realised = cgm_alloc(comm, sampling->n_sets * n, sizeof(double));
    cgm_status status = cgm_agree(comm, incentives->realised != NULL ? CGM_OK : CGM_ERR_MEMORY);
    if (status != CGM_OK) {
        return status;
    }
    for (int64_t s = 0; s < sampling->n_sets; s++) {
        const cgm_reward_set *set = &sampling->sets[s];
        for (int64_t i = 0; i < n; i++) {
            /* The rank that keeps a reward has its last value: the maximum over ranks is that. */
            const int64_t last = set->offsets[i + 1] - 1;
            double *value = &incentives->realised[s * n + i];
            *value = i < first || i >= end     ? -INFINITY
                     : last >= set->offsets[i] ? set->values[last - set->offsets[first]]
                                               : set->start_value[i];
        }
    }
    cgm_comm_max(comm, incentives->realised, sampling->n_sets * n);
    return CGM_OK;
}

void cgm_incentives_destroy(cgm_incentives *incentives)
{
    free(incentives->realised);
    *incentives = (cgm_incentives){0};
}
