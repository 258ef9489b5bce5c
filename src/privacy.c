#include "cgm/privacy.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

/* ---- calibration ---- */

/* ln Φ(x), without underflow in the lower tail. */
static double log_normal_cdf(double x)
{
    if (x > 0.0) {
        return log1p(-0.5 * erfc(x * M_SQRT1_2));
    }
    if (x > -20.0) {
        return log(0.5 * erfc(-x * M_SQRT1_2));
    }
    /* Laplace's continued fraction of density / Φ(x). */
    double hazard = -x;
    for (int k = 30; k > 0; k--) {
        hazard = -x + k / hazard;
    }
    return -0.5 * x * x - log(hazard) - 0.5 * log(2.0 * M_PI);
}

/* Whether noise of ratio times the sensitivity gives (ε, δ). What is rounded counts against it. */
static bool is_enough(double ratio, double epsilon, double log_delta)
{
    const double half = 0.5 / ratio;
    const double shift = epsilon * ratio;
    const double upper = log_normal_cdf(half - shift);
    if (upper <= log_delta) {
        return true;
    }
    const double lower = log_normal_cdf(-half - shift);
    const double rounding = 16.0 * DBL_EPSILON * (epsilon - upper - lower);
    const double gap = fmin(epsilon + lower - upper - rounding, -DBL_EPSILON);
    return upper + log(-expm1(gap)) <= log_delta;
}

double cgm_privacy_sigma(double epsilon, double delta, double sensitivity)
{
    if (!(epsilon > 0.0 && delta > 0.0 && delta < 1.0 && sensitivity >= 0.0) ||
        isinf(sensitivity)) {
        return (double)NAN;
    }
    if (isinf(epsilon) || sensitivity == 0.0) {
        return 0.0;
    }
    const double log_delta = log(delta);
    double high = 1.0;
    while (isfinite(high) && !is_enough(high, epsilon, log_delta)) {
        high *= 2.0;
    }
    if (isinf(high)) {
        return (double)NAN;
    }
    double low = 0.5 * high;
    while (is_enough(low, epsilon, log_delta)) {
        high = low;
        low *= 0.5;
    }
    for (double middle = 0.5 * (low + high); middle > low && middle < high;
         middle = 0.5 * (low + high)) {
        *(is_enough(middle, epsilon, log_delta) ? &high : &low) = middle;
    }
    return nextafter(high * sensitivity, (double)INFINITY);
}

/* ---- random numbers ---- */

/* Fetched at once: more than a few numbers take, little more than a call costs. */
enum { N_WORDS = 64 };

typedef unsigned __int128 wide;

typedef struct source {
    uint64_t words[N_WORDS];
    int next;  /* word; N_WORDS: none is left */
    int cause; /* errno of a failure; then all numbers are 0, and loops end */
} source;

static void refill(source *random)
{
    char *bytes = (char *)random->words;
    size_t done = 0;
    while (done < sizeof random->words && random->cause == 0) {
        const ssize_t more = getrandom(bytes + done, sizeof random->words - done, 0);
        if (more > 0) {
            done += (size_t)more;
        } else if (more == 0 || errno != EINTR) {
            random->cause = more == 0 ? EIO : errno;
        }
    }
    random->next = 0;
}

static uint64_t next_word(source *random)
{
    if (random->next == N_WORDS && random->cause == 0) {
        refill(random);
    }
    return random->cause == 0 ? random->words[random->next++] : 0;
}

/* Uniform among 0 .. below − 1. */
static wide uniform(source *random, wide below)
{
    const wide largest = below - 1;
    wide mask = largest;
    for (int shift = 1; shift < 128; shift *= 2) {
        mask |= mask >> shift;
    }
    wide number;
    do {
        number = next_word(random);
        if (mask >> 64 != 0) {
            number = number << 64 | next_word(random);
        }
        number &= mask;
    } while (number > largest);
    return number;
}

/* True with probability exp(−numerator/denominator), numerator <= denominator: the first k at which
 * an event of probability numerator/(k denominator) fails is odd (Canonne, Kamath & Steinke,
 * algorithm 1). */
static bool survives_part(source *random, wide numerator, wide denominator)
{
    wide k = 1;
    while (random->cause == 0 && uniform(random, k * denominator) < numerator) {
        k++;
    }
    return (k & 1) != 0;
}

static bool survives(source *random, wide numerator, wide denominator)
{
    while (numerator > denominator) {
        if (!survives_part(random, 1, 1)) {
            return false;
        }
        numerator -= denominator;
    }
    return survives_part(random, numerator, denominator);
}

/* An integer y with probability in proportion to exp(−y²/2σ²), for an integer σ < 2^41: a discrete
 * Laplace variable of scale σ, kept with probability exp(−(|y| − σ)²/2σ²) (their algorithms 2 and
 * 3). */
static __int128 discrete_gaussian(source *random, wide sigma)
{
    while (random->cause == 0) {
        const wide rest = uniform(random, sigma);
        if (!survives_part(random, rest, sigma)) {
            continue;
        }
        wide size = rest;
        while (random->cause == 0 && survives_part(random, 1, 1)) {
            size += sigma;
        }
        const bool negative = (next_word(random) & 1) != 0;
        if (negative && size == 0) {
            continue;
        }
        const wide off = size > sigma ? size - sigma : sigma - size;
        if (survives(random, off * off, 2 * sigma * sigma)) {
            return negative ? -(__int128)size : (__int128)size;
        }
    }
    return 0;
}

/* ---- release ---- */

/* σ is so many steps of the grid or up to twice as few; a value at most 2^120 steps. */
enum { LOG_STEPS = 40, LOG_STEPS_MAX = 120 };

static cgm_status release(cgm_comm *comm, double sigma, int64_t n, double *values)
{
    const int exponent = ilogb(sigma) + 1 - LOG_STEPS;
    const wide sigma_steps = (wide)ceil(ldexp(sigma, -exponent) * (1.0 + 0x1p-20));
    source random = {.next = N_WORDS};
    for (int64_t k = 0; k < n; k++) {
        const double steps = rint(ldexp(values[k], -exponent));
        if (!(fabs(steps) <= ldexp(1.0, LOG_STEPS_MAX))) {
            return cgm_fail(comm, CGM_ERR_INPUT,
                            "a number is not finite, or too large for noise of %g to hide anything "
                            "in it",
                            sigma);
        }
        values[k] =
            ldexp((double)((__int128)steps + discrete_gaussian(&random, sigma_steps)), exponent);
    }
    if (random.cause != 0) {
        return cgm_fail(comm, CGM_ERR_INPUT,
                        "the system gives no random numbers for the noise that values.epsilon "
                        "takes: %s",
                        strerror(random.cause));
    }
    return CGM_OK;
}

cgm_status cgm_privacy_release(cgm_comm *comm, double sigma, int64_t n, double *values)
{
    cgm_status status = CGM_OK;
    if (!(sigma >= 0.0) || isinf(sigma)) {
        status = cgm_fail(comm, CGM_ERR_BUG, "noise of deviation %g", sigma);
    } else if (sigma > 0.0) {
        status = release(comm, sigma, n, values);
    }
    if (status != CGM_OK) {
        memset(values, 0, (size_t)n * sizeof *values);
    }
    return status;
}
