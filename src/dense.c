#include "cgm/dense.h"

#include <cblas.h>
#include <stdio.h>

#include "cgm/comm.h"

/* ScaLAPACK has no C header. */
void pilaver_(int *major, int *minor, int *patch);
/* LAPACK is part of OpenBLAS, but its header is another package's. Hidden lengths of the texts come
 * last. */
void dpotrf_(const char *triangle, const int *n, double *a, const int *stride, int *info, size_t);
void dpotri_(const char *triangle, const int *n, double *a, const int *stride, int *info, size_t);
void dsyev_(const char *job, const char *triangle, const int *n, double *a, const int *stride,
            double *values, double *work, const int *n_work, int *info, size_t, size_t);

void cgm_dense_initialise(void)
{
    openblas_set_num_threads(1);
}

void cgm_dense_multiply(int64_t rows, int64_t columns, int64_t inner, const double *a,
                        const double *b, double *c)
{
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, cgm_int(rows), cgm_int(columns),
                cgm_int(inner), 1.0, a, cgm_int(inner), b, cgm_int(columns), 0.0, c,
                cgm_int(columns));
}

const char *cgm_dense_blas_version(void)
{
    return openblas_get_config();
}

void cgm_dense_scalapack_version(char text[32])
{
    int major = 0;
    int minor = 0;
    int patch = 0;
    pilaver_(&major, &minor, &patch);
    snprintf(text, 32, "%d.%d.%d", major, minor, patch);
}

void cgm_dense_multiply_by_transposed(int64_t rows, int64_t columns, int64_t inner, const double *a,
                                      const double *b, double *c)
{
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, cgm_int(rows), cgm_int(columns),
                cgm_int(inner), 1.0, a, cgm_int(inner), b, cgm_int(inner), 0.0, c,
                cgm_int(columns));
}

/* LAPACK's columns are our rows, so that its lower triangle is our upper one. */
bool cgm_dense_cholesky(int64_t n, double *a)
{
    const int order = cgm_int(n);
    int info = 0;
    dpotrf_("L", &order, a, &order, &info, 1);
    return info == 0;
}

void cgm_dense_invert(int64_t n, double *factor)
{
    const int order = cgm_int(n);
    int info = 0;
    dpotri_("L", &order, factor, &order, &info, 1);
}

bool cgm_dense_eigen(int64_t n, double *a, double *values, double *work)
{
    const int order = cgm_int(n);
    const int n_work = cgm_int(CGM_DENSE_EIGEN_WORK * n);
    int info = 0;
    dsyev_("V", "L", &order, a, &order, values, work, &n_work, &info, 1, 1);
    return info == 0;
}
