#include "generator_gmm_gaussian.h"

#include <math.h>
#include <string.h>

#include "cgm/dense.h"

/* Least weight whose logarithm is taken. */
#define LEAST_WEIGHT 1e-300

/* Raises variances to the least one, in whatever direction. a [n][n] is whole; other [n][n], eigen
 * [n] are work space */
static void widen(cgm_comm *comm, int64_t n, const double *least, double *a, double *other,
                  double *eigen)
{
    /* Where the least variance is 1 in every direction it is the least eigenvalue. */
    for (int64_t f = 0; f < n; f++) {
        for (int64_t g = 0; g < n; g++) {
            other[f * n + g] = a[f * n + g] / sqrt(least[f] * least[g]);
        }
    }
    if (cgm_dense_eigen(comm, n, other, eigen) != CGM_OK) {
        /* Never seen: then the variances of the features, one by one. */
        for (int64_t k = 0; k < n * n; k++) {
            a[k] = k % (n + 1) == 0 ? fmax(a[k], least[k / n]) : 0.0;
        }
        return;
    }
    double *turned = a; /* column k: eigenvector k times the root of its value */
    for (int64_t k = 0; k < n; k++) {
        const double root = sqrt(fmax(eigen[k], 1.0));
        for (int64_t f = 0; f < n; f++) {
            turned[f * n + k] = root * other[k * n + f];
        }
    }
    cgm_dense_multiply_by_transposed(n, n, n, turned, turned, other);
    for (int64_t f = 0; f < n; f++) {
        for (int64_t g = 0; g < n; g++) {
            a[f * n + g] = other[f * n + g] * sqrt(least[f] * least[g]);
        }
    }
}

/* Lᵀ of a covariance in the upper triangle of factor, zeros below. Where it is too narrow in some
 * direction, the covariance is widened first. Returns whether it was. */
static bool factorise(cgm_comm *comm, int64_t n, const double *least, double *covariance,
                      double *factor, double *work)
{
    const size_t bytes = (size_t)(n * n) * sizeof *covariance;
    double *other = work;
    memcpy(other, covariance, bytes);
    for (int64_t f = 0; f < n; f++) {
        other[f * n + f] -= least[f];
    }
    const bool narrow = !cgm_dense_cholesky(n, other);
    if (narrow) {
        widen(comm, n, least, covariance, other, work + n * n);
    }
    memcpy(factor, covariance, bytes);
    for (double more = 1.0; !cgm_dense_cholesky(n, factor); more *= 10.0) {
        for (int64_t f = 0; f < n; f++) {
            covariance[f * n + f] += more * least[f]; /* rounding alone can ask for it */
        }
        memcpy(factor, covariance, bytes);
    }
    for (int64_t f = 0; f < n; f++) {
        memset(factor + f * n, 0, (size_t)f * sizeof *factor);
    }
    return narrow;
}

bool gmm_take_moments(cgm_comm *comm, int64_t n, const double *sums, const double *least,
                      gmm_gaussian *of, double *work)
{
    const double *second = sums + 1 + n;
    for (int64_t f = 0; f < n; f++) {
        of->mean[f] = sums[1 + f] / sums[0];
    }
    for (int64_t f = 0; f < n; f++) {
        for (int64_t g = f; g < n; g++) {
            const double value = *second++ / sums[0] - of->mean[f] * of->mean[g];
            of->covariance[f * n + g] = value;
            of->covariance[g * n + f] = value;
        }
    }
    return n > 0 && factorise(comm, n, least, of->covariance, of->factor, work);
}

void gmm_score_gaussian(int64_t n, double weight, const gmm_gaussian *of, double *coefficients,
                        double *work)
{
    const double log_two_pi = 1.837877066409345483561;
    double *linear = coefficients + 1;
    double *quadratic = linear + n;
    double *inverse = work;
    double constant = log(fmax(weight, LEAST_WEIGHT)) - 0.5 * (double)n * log_two_pi;
    memset(linear, 0, (size_t)n * sizeof *linear);
    if (n > 0) {
        memcpy(inverse, of->factor, (size_t)(n * n) * sizeof *inverse);
        cgm_dense_invert(n, inverse);
    }
    for (int64_t f = 0; f < n; f++) {
        constant -= log(of->factor[f * n + f]);
        for (int64_t g = f; g < n; g++) {
            const double value = inverse[f * n + g];
            *quadratic++ = f == g ? -0.5 * value : -value;
            linear[f] += value * of->mean[g];
            linear[g] += f == g ? 0.0 : value * of->mean[f];
        }
    }
    for (int64_t f = 0; f < n; f++) {
        constant -= 0.5 * linear[f] * of->mean[f];
    }
    coefficients[0] = constant;
}
