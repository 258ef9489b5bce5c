#include "cgm/dense.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>

/* Fortran's. ScaLAPACK has no C header, and LAPACK's own is not installed with OpenBLAS. */
void pilaver_(int *major, int *minor, int *patch);
void dsyevd_(const char *job, const char *triangle, const int *n, double *a, const int *stride,
             double *values, double *work, const int *work_size, int *integers,
             const int *integers_size, int *info, size_t job_length, size_t triangle_length);
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

/* Fortran stores by columns: of a symmetric matrix that is the same, and its eigenvectors, which
 * are columns there, are rows here. */
static int eigen(int n, double *a, double *values, double *work, int work_size, int *integers,
                 int integers_size)
{
    int info = 0;
    dsyevd_("V", "L", &n, a, &n, values, work, &work_size, integers, &integers_size, &info, 1, 1);
    return info;
}

cgm_status cgm_dense_eigen(cgm_comm *comm, int64_t n, double *a, double *values)
{
    double work_size = 0.0;
    int integers_size = 0;
    int info = eigen(cgm_int(n), a, values, &work_size, -1, &integers_size, -1);
    double *work = cgm_alloc(comm, (int64_t)work_size, sizeof *work);
    int *integers = cgm_alloc(comm, integers_size, sizeof *integers);
    cgm_status status = work != NULL && integers != NULL ? CGM_OK : CGM_ERR_MEMORY;
    if (status == CGM_OK && info == 0) {
        info = eigen(cgm_int(n), a, values, work, cgm_int((int64_t)work_size), integers,
                     integers_size);
    }
    free(work);
    free(integers);
    if (status == CGM_OK && info != 0) {
        status = cgm_fail(comm, CGM_ERR_BUG,
                          "LAPACK finds no eigenvalues of a matrix of %lld rows (dsyevd: %d)",
                          (long long)n, info);
    }
    return status;
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

void cgm_dense_multiply_transposed(int64_t rows, int64_t columns, int64_t inner, const double *a,
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
