#include "weighted_squares.h"

#include <complex.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

/* With K(s) = −½ Σ log(1 − 2 w_k s), the logarithm of the moment generating function,
 *
 *     P(Σ w_k z_k² > x) = 1/(2πi) ∫ exp(K(s) − s x)/s ds
 *
 * from below to above past the real axis at 0 < c < 1/(2 w_1); at c < 0 it is less by 1. Through
 * the saddle point c of the integrand the path s = c + i y + a y² follows the steepest descent to
 * third order, so that the integrand is smooth and falls off fast, and the sum at even steps h of y
 * converges as exp(−const/h): what halving the step changes is about the square root of the error
 * left (Helstrom 1978; Trefethen & Weideman 2014). */

/* Terms of the series of log(1 − z), and up to where it is used: the first one left out is below
 * 1e-16 of the first. */
enum { SERIES = 12 };
#define SERIES_REACH (1.0 / 16.0)
/* Halving ends when it changes no more than this fraction. */
#define HALVING 1e-8
enum { HALVINGS_MOST = 12, STEPS_MOST = 100000 };
/* Terms below this fraction of the first end the sum; all that follow are smaller. */
#define NEGLIGIBLE 1e-17
/* Bisections for the saddle point, near which any path will do. */
enum { BISECTIONS = 60 };

typedef struct squares {
    int64_t n;
    const double *weights;
    double x;
    double reach;          /* the series stands for the weights that it holds for up to |s| */
    int64_t n_large;       /* the others */
    double powers[SERIES]; /* Σ (2w)^j / (2j) of those small weights, j = 1 .. */
} squares;

/* Takes as many weights as hold for |s| into the series. */
static void extend_reach(squares *of, double reach)
{
    of->reach = reach;
    for (int j = 0; j < SERIES; j++) {
        of->powers[j] = 0.0;
    }
    of->n_large = of->n;
    for (; of->n_large > 0; of->n_large--) {
        const double twice = 2.0 * of->weights[of->n_large - 1];
        if (twice * reach > SERIES_REACH) {
            return;
        }
        double power = 0.5;
        for (int j = 0; j < SERIES; j++) {
            power *= twice;
            of->powers[j] += power / (j + 1);
        }
    }
}

static double complex cumulant(squares *of, double complex s)
{
    if (cabs(s) > of->reach) {
        extend_reach(of, 2.0 * cabs(s));
    }
    double complex sum = 0.0;
    for (int j = SERIES; j > 0; j--) {
        sum = s * (of->powers[j - 1] + sum);
    }
    for (int64_t k = 0; k < of->n_large; k++) {
        sum -= 0.5 * clog(1.0 - 2.0 * of->weights[k] * s);
    }
    return sum;
}

/* d/ds of K(s) − s x − log|s| on the real axis: it grows with s. */
static double slope(const squares *of, double s)
{
    double sum = -of->x - 1.0 / s;
    for (int64_t k = 0; k < of->n; k++) {
        sum += of->weights[k] / (1.0 - 2.0 * of->weights[k] * s);
    }
    return sum;
}

static double find_saddle(const squares *of, bool above)
{
    double low = above ? 0.0 : -1.0 / of->x;
    double high = above ? 0.5 / of->weights[0] : 0.0;
    while (!above && slope(of, low) > 0.0) {
        low *= 2.0;
    }
    for (int k = 0; k < BISECTIONS; k++) {
        const double middle = 0.5 * (low + high);
        *(slope(of, middle) > 0.0 ? &high : &low) = middle;
    }
    return 0.5 * (low + high);
}

/* The path: where it starts, how it bends, and the logarithm of the integrand there. */
typedef struct path {
    double start;
    double bend;
    double peak;
    double step; /* about the width of the integrand */
} path;

static path choose_path(squares *of, bool above)
{
    path along = {.start = find_saddle(of, above)};
    double second = 0.0; /* derivatives of K */
    double third = 0.0;
    for (int64_t k = 0; k < of->n; k++) {
        const double ratio = 2.0 * of->weights[k] / (1.0 - 2.0 * of->weights[k] * along.start);
        second += 0.5 * ratio * ratio;
        third += ratio * ratio * ratio;
    }
    second += 1.0 / (along.start * along.start);
    along.bend = third / (6.0 * second);
    along.step = 1.0 / sqrt(second);
    along.peak = creal(cumulant(of, along.start)) - along.start * of->x - log(fabs(along.start));
    return along;
}

/* CMPLX, which the C library has for gcc alone. */
static double complex complex_of(double real, double imaginary)
{
    const double parts[2] = {real, imaginary};
    double complex made;
    memcpy(&made, parts, sizeof made);
    return made;
}

/* The integrand by y over its peak. */
static double complex integrand(squares *of, const path *along, double y)
{
    const double complex s = complex_of(along->start + along->bend * y * y, y);
    const double complex signed_s = along->start < 0.0 ? -s : s;
    return cexp(cumulant(of, s) - s * of->x - clog(signed_s) - along->peak) *
           complex_of(1.0, -2.0 * along->bend * y);
}

/* Twice the integral over half of the path, which the other half mirrors. */
static double integrate(squares *of, const path *along)
{
    double step = along->step;
    double total = 0.5 * creal(integrand(of, along, 0.0));
    int64_t steps = 1;
    for (double size = 1.0; size > NEGLIGIBLE && steps < STEPS_MOST; steps++) {
        const double complex term = integrand(of, along, (double)steps * step);
        total += creal(term);
        size = cabs(term);
    }
    for (int k = 0; k < HALVINGS_MOST; k++) {
        double between = 0.0;
        for (int64_t j = 0; j < steps; j++) {
            between += creal(integrand(of, along, ((double)j + 0.5) * step));
        }
        const double change = fabs(between - total);
        total += between;
        step *= 0.5;
        steps *= 2;
        if (change <= HALVING * fabs(total)) {
            break;
        }
    }
    return total * step;
}

double weighted_squares_tail(int64_t n, const double *weights, double x)
{
    squares of = {.n = n, .weights = weights, .x = x};
    double mean = 0.0;
    for (int64_t k = 0; k < n; k++) {
        mean += weights[k];
    }
    /* On the side of the mean where the result, or 1 less it, is small. */
    const bool above = x >= mean;
    const path along = choose_path(&of, above);
    const double part = exp(along.peak) * integrate(&of, &along) / acos(-1.0);
    return above ? part : 1.0 - part;
}
