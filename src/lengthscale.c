#include "cgm/lengthscale.h"

#include <math.h>
#include <stdlib.h>

#include "cgm/tolerance.h"
#include "lengthscale_median.h"
#include "lengthscale_pass.h"

const char *cgm_lengthscale_rule_name(cgm_lengthscale_rule rule)
{
    static const char *const names[] = {"nonnegative", "median", "given"};
    return names[rule];
}

/* Doublings of the top rung before the search gives up, and evaluations inside the bracket. */
enum { TOP_DOUBLINGS = 10, BRACKET_EVALUATIONS = 60 };
/* Rungs of the pass before that are kept beside those of the last one, and rungs of a cubic. */
enum { RUNGS_KEPT = 2, CUBIC_RUNGS = 4 };
/* Halvings that leave a root of a cubic in [0, 1] known to the last digit. */
enum { CROSSING_HALVINGS = 53 };

/* One end of the bracket: values and slopes of all parties at exp(log_lengthscale). */
typedef struct bracket_end {
    double lengthscale;
    double *values; /* [2][n_parties] v({i}), then ∂v({i})/∂(log ℓ) */
} bracket_end;

static double smallest(const double *values, int64_t count)
{
    double least = INFINITY;
    for (int64_t i = 0; i < count; i++) {
        least = values[i] < least ? values[i] : least;
    }
    return least;
}

static cgm_status evaluate_end(cgm_lengthscale_search *search, double lengthscale, bracket_end *end,
                               bool *valid)
{
    /* Ranks whose mathematical libraries differ in the last digit must not walk apart. */
    cgm_comm_broadcast(search->comm, &lengthscale, sizeof lengthscale, 0);
    search->kernel.lengthscale = lengthscale;
    end->lengthscale = lengthscale;
    cgm_status status = cgm_lengthscale_pass(search, 2, false, end->values);
    *valid = status == CGM_OK && smallest(end->values, search->shard->n_parties) >= 0.0;
    return status;
}

double cgm_lengthscale_rung(double top, int64_t rung)
{
    return ldexp(rung % 2 == 0 ? top : top * M_SQRT1_2, -(int)(rung / 2));
}

/* The rungs of the last pass down the ladder and up to RUNGS_KEPT before them. */
typedef struct ladder {
    double top;
    double floor;
    int64_t first; /* rung of the first row of values */
    int64_t n_rungs;
    double *values; /* [RUNGS_KEPT + CGM_LADDER_RUNGS][n_parties] v({i}) */
} ladder;

/* Walk down from rung first until one violates the condition or the floor is passed.
 * violating: that rung, or the first one below the floor when all above are valid. */
static cgm_status walk_down(cgm_lengthscale_search *search, ladder *rungs, int64_t first,
                            int64_t *violating)
{
    const int64_t n = search->shard->n_parties;
    cgm_status status = CGM_OK;
    int64_t rung = first;
    bool found = false;
    /* With embeddings each rung costs the same. */
    const int most = search->course->frequencies != NULL ? CGM_EMBEDDING_RUNGS : CGM_LADDER_RUNGS;
    rungs->n_rungs = 0;
    while (status == CGM_OK && !found && cgm_lengthscale_rung(rungs->top, rung) > rungs->floor) {
        const int64_t kept = rungs->n_rungs < RUNGS_KEPT ? rungs->n_rungs : RUNGS_KEPT;
        for (int64_t k = 0; k < kept * n; k++) {
            rungs->values[k] = rungs->values[(rungs->n_rungs - kept) * n + k];
        }
        int n_new = 1;
        while (n_new < most && cgm_lengthscale_rung(rungs->top, rung + n_new) > rungs->floor) {
            n_new++;
        }
        double *values = rungs->values + kept * n;
        rungs->first = rung - kept;
        rungs->n_rungs = kept + n_new;
        search->kernel.lengthscale = cgm_lengthscale_rung(rungs->top, rung);
        status = cgm_lengthscale_pass(search, n_new, true, values);
        for (int r = 0; r < n_new && status == CGM_OK && !found; r++) {
            found = smallest(values + r * n, n) < 0.0;
            rung += !found;
        }
    }
    *violating = rung;
    return status;
}

/* An end of the bracket as the ladder has it: the slope is that of the cubic through four rungs
 * from rung base on. */
static void end_from_ladder(const ladder *rungs, int64_t n, int64_t base, int64_t rung,
                            bracket_end *end)
{
    static const double weights[CUBIC_RUNGS][CUBIC_RUNGS] = {
        {-11.0, 18.0, -9.0, 2.0},
        {-2.0, -3.0, 6.0, -1.0},
        {1.0, -6.0, 3.0, 2.0},
        {-2.0, 9.0, -18.0, 11.0},
    };
    const double *values = rungs->values + (base - rungs->first) * n;
    const double *weight = weights[rung - base];
    const double step = -0.5 * M_LN2; /* of log ℓ, a rung */
    end->lengthscale = cgm_lengthscale_rung(rungs->top, rung);
    for (int64_t i = 0; i < n; i++) {
        double slope = 0.0;
        for (int64_t r = 0; r < CUBIC_RUNGS; r++) {
            slope += weight[r] * values[r * n + i];
        }
        end->values[i] = values[(rung - base) * n + i];
        end->values[n + i] = slope / (6.0 * step);
    }
}

/* The bracket from the ladder's own values, which saves both evaluations that would confirm it:
 * where the rung that violates and the one above it are further from zero than the squarings'
 * error can reach. */
static bool take_ladder(const ladder *rungs, int64_t n, int64_t violating, bracket_end *low,
                        bracket_end *high)
{
    int64_t base = violating - CUBIC_RUNGS / 2;
    base = base > rungs->first ? base : rungs->first;
    const int64_t last_base = rungs->first + rungs->n_rungs - CUBIC_RUNGS;
    base = base < last_base ? base : last_base;
    if (base < rungs->first || violating - 1 < base || violating >= base + CUBIC_RUNGS) {
        return false;
    }
    end_from_ladder(rungs, n, base, violating, low);
    end_from_ladder(rungs, n, base, violating - 1, high);
    return smallest(low->values, n) < -CGM_LADDER_MARGIN &&
           smallest(high->values, n) > CGM_LADDER_MARGIN;
}

/* Where party i's value crosses zero, in log ℓ: the root of the cubic that has its values and
 * slopes at both ends of the bracket (Hermite's). Its error is the product of the squared distances
 * to both ends, so that it takes the place of secant and Newton steps. */
static double crossing_of(const bracket_end *low, const bracket_end *high, int64_t n, int64_t i)
{
    const double x_low = log(low->lengthscale);
    const double width = log(high->lengthscale) - x_low;
    const double rise = high->values[i] - low->values[i];
    const double slope_low = width * low->values[n + i] - rise;
    const double slope_high = rise - width * high->values[n + i];
    double below = 0.0;
    double above = 1.0;
    for (int k = 0; k < CROSSING_HALVINGS; k++) {
        const double t = 0.5 * (below + above);
        const double value =
            low->values[i] + rise * t + t * (1.0 - t) * (slope_low * (1.0 - t) + slope_high * t);
        *(value < 0.0 ? &below : &above) = t;
    }
    return x_low + above * width;
}

/* The next lengthscale to try: just beyond the crossing of the party that crosses last, but never
 * closer to the valid end than the final probe. */
static double next_lengthscale(const bracket_end *low, const bracket_end *high, int64_t n,
                               bool bisect)
{
    const double x_low = log(low->lengthscale);
    const double x_high = log(high->lengthscale);
    double last = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        if (low->values[i] < 0.0) {
            last = fmax(last, crossing_of(low, high, n, i));
        }
    }
    double x = fmin(last + CGM_LENGTHSCALE_AIM, x_high - CGM_LENGTHSCALE_PROBE);
    if (bisect || !(x > x_low)) {
        x = 0.5 * (x_low + x_high);
    }
    return exp(x);
}

/* Shrink the bracket until its valid end is the result: it fails 2·CGM_LENGTHSCALE_PROBE below. */
static cgm_status close_bracket(cgm_lengthscale_search *search, bracket_end *low, bracket_end *high)
{
    const int64_t n = search->shard->n_parties;
    bracket_end middle = {0.0, cgm_alloc(search->comm, 2 * n, sizeof(double))};
    cgm_status status = cgm_agree(search->comm, middle.values == NULL ? CGM_ERR_MEMORY : CGM_OK);
    double width_before = INFINITY;
    for (int k = 0; status == CGM_OK && k < BRACKET_EVALUATIONS; k++) {
        const double width = high->lengthscale / low->lengthscale - 1.0;
        if (width <= 2.0 * CGM_LENGTHSCALE_PROBE) {
            break;
        }
        /* A step that does not halve the bracket in three goes is helped by bisection. */
        bool bisect = k % 3 == 2 && width > 0.5 * width_before;
        width_before = k % 3 == 2 ? width : width_before;
        bool valid;
        status = evaluate_end(search, next_lengthscale(low, high, n, bisect), &middle, &valid);
        bracket_end *replaced = valid ? high : low;
        bracket_end swap = *replaced;
        *replaced = middle;
        middle = swap;
    }
    free(middle.values);
    return status;
}

/* From the top down to a bracket: ends far from zero on the ladder, else confirmed by normal
 * evaluation. */
static cgm_status find_bracket(cgm_lengthscale_search *search, ladder *rungs, bracket_end *low,
                               bracket_end *high, bool *always_valid)
{
    int doublings = 0;
    int64_t rung = 0;
    bool low_valid = true;
    bool high_valid = false;
    *always_valid = false;
    while (low_valid || !high_valid) {
        if (low_valid) {
            cgm_status status = walk_down(search, rungs, rung, &rung);
            if (status != CGM_OK) {
                return status;
            }
            if (take_ladder(rungs, search->shard->n_parties, rung, low, high)) {
                return CGM_OK;
            }
        }
        if (rung == 0) {
            if (doublings++ == TOP_DOUBLINGS) {
                return cgm_fail(search->comm, CGM_ERR_INPUT,
                                "no lengthscale up to %g gives every party a value of at least 0; "
                                "give kernel.lengthscale a number",
                                rungs->top);
            }
            rungs->top *= 2.0;
            low_valid = true;
            continue;
        }
        const double below = fmax(cgm_lengthscale_rung(rungs->top, rung), rungs->floor);
        cgm_status status = evaluate_end(search, below, low, &low_valid);
        if (status == CGM_OK && low_valid && below == rungs->floor) {
            *always_valid = true;
            return CGM_OK;
        }
        if (status == CGM_OK && !low_valid) {
            status =
                evaluate_end(search, cgm_lengthscale_rung(rungs->top, rung - 1), high, &high_valid);
        }
        if (status != CGM_OK) {
            return status;
        }
        /* Squaring an exponential many times amplifies its error: a rung at the edge may turn out
         * to lie on the other side. */
        rung += low_valid ? 1 : high_valid ? 0 : -1;
    }
    return CGM_OK;
}

cgm_status cgm_lengthscale_evaluate(cgm_comm *comm, const cgm_shard *shard,
                                    const cgm_candidates *candidates, const cgm_kernel *kernel,
                                    double *values, double *slopes)
{
    const int64_t n = shard->n_parties;
    const cgm_lengthscale_course straight = {0};
    cgm_lengthscale_search search = {
        .comm = comm, .shard = shard, .candidates = candidates, .course = &straight};
    search.kernel = *kernel;
    double *both = cgm_alloc(comm, 2 * n, sizeof(double));
    cgm_status status = cgm_agree(comm, both == NULL ? CGM_ERR_MEMORY : CGM_OK);
    if (status == CGM_OK) {
        status = cgm_lengthscale_pass(&search, 2, false, both);
    }
    for (int64_t i = 0; i < n && status == CGM_OK; i++) {
        values[i] = both[i];
        slopes[i] = both[n + i];
    }
    free(search.values);
    free(both);
    return status;
}

/* The smallest ℓ above which no party's own value is negative. */
static cgm_status choose_nonnegative(cgm_comm *comm, const cgm_shard *shard,
                                     const cgm_candidates *candidates, double deviation,
                                     const cgm_lengthscale_course *course, const cgm_kernel *kernel,
                                     cgm_lengthscale *choice)
{
    const int64_t n = shard->n_parties;
    cgm_lengthscale_search search = {
        .comm = comm, .shard = shard, .candidates = candidates, .course = course};
    search.kernel = *kernel;
    bracket_end low = {0.0, cgm_alloc(comm, 2 * n, sizeof(double))};
    bracket_end high = {0.0, cgm_alloc(comm, 2 * n, sizeof(double))};
    ladder rungs = {
        .top = 16.0 * deviation * sqrt((double)shard->n_features),
        .floor = fmin(0.01, 1e-3 * deviation),
        .values = cgm_alloc(comm, (RUNGS_KEPT + CGM_LADDER_RUNGS) * n, sizeof(double)),
    };
    bool refused = low.values == NULL || high.values == NULL || rungs.values == NULL;
    cgm_status status = cgm_agree(comm, refused ? CGM_ERR_MEMORY : CGM_OK);
    if (status == CGM_OK) {
        status = find_bracket(&search, &rungs, &low, &high, &choice->always_valid);
    }
    if (status == CGM_OK && !choice->always_valid) {
        status = close_bracket(&search, &low, &high);
    }
    choice->value = choice->always_valid ? low.lengthscale : high.lengthscale;
    choice->passes = search.passes;
    free(search.values);
    free(low.values);
    free(high.values);
    free(rungs.values);
    return status;
}

static cgm_status choose_median(cgm_comm *comm, const cgm_shard *shard, uint64_t seed,
                                cgm_lengthscale *choice)
{
    cgm_status status = cgm_median_distance(comm, shard, seed, &choice->value);
    if (status == CGM_OK && choice->value <= 0.0) {
        status = cgm_fail(comm, CGM_ERR_INPUT,
                          "kernel.lengthscale = median: the median distance between the parties' "
                          "points is 0 (%s); use nonnegative or a number",
                          shard->n_points < 2 ? "there is only one point"
                                              : "half of the pairs or more coincide");
    }
    return status;
}

static cgm_status take_given(cgm_comm *comm, const double *given, int64_t n_given,
                             cgm_kernel *kernel, cgm_lengthscale *choice)
{
    if (n_given == 1) {
        choice->value = given[0];
        return CGM_OK;
    }
    if (n_given != kernel->n_features) {
        return cgm_fail(comm, CGM_ERR_USAGE,
                        "kernel.lengthscale has %lld numbers, the points have %lld features; give "
                        "one number, or one a feature",
                        (long long)n_given, (long long)kernel->n_features);
    }
    choice->value = NAN;
    kernel->feature_lengthscales = given;
    return CGM_OK;
}

cgm_status cgm_lengthscale_choose(cgm_comm *comm, const cgm_shard *shard,
                                  const cgm_candidates *candidates, double deviation,
                                  cgm_lengthscale_rule rule, const double *given, int64_t n_given,
                                  uint64_t seed, const cgm_lengthscale_course *course,
                                  cgm_kernel *kernel, cgm_lengthscale *choice)
{
    const cgm_lengthscale_course straight = {0};
    *choice = (cgm_lengthscale){.rule = rule, .value = 1.0};
    cgm_status status = CGM_OK;
    if (rule == CGM_LENGTHSCALE_GIVEN) {
        status = take_given(comm, given, n_given, kernel, choice);
    } else if (course != NULL && course->known != NULL) {
        choice->value = course->known->value;
        choice->always_valid = course->known->always_valid;
    } else if (deviation > 0.0) {
        /* Where all points coincide every lengthscale gives the same kernel: 1 stands. */
        status = rule == CGM_LENGTHSCALE_MEDIAN
                     ? choose_median(comm, shard, seed, choice)
                     : choose_nonnegative(comm, shard, candidates, deviation,
                                          course != NULL ? course : &straight, kernel, choice);
    }
    kernel->lengthscale = choice->value;
    return status;
}
