#include "cgm/dense.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>

#include "cgm/comm.h"

/* ScaLAPACK has no C header, and LAPACK's is not installed with every BLAS. */
void pilaver_(int *major, int *minor, int *patch);
void dsyevd_(const char *job, const char *triangle, const int *n, double *a, const int *stride,
             double *values, double *work, const int *work_size, int *integers,
             const int *integers_size, int *info, size_t job_length, size_t triangle_length);

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

cgm_status cgm_dense_eigen(cgm_comm *comm, int64_t n, double *a, double *values)
{
    const int order = cgm_int(n);
    const int work_size = cgm_int(1 + 6 * n + 2 * n * n);
    const int integers_size = cgm_int(3 + 5 * n);
    double *work = cgm_alloc(comm, work_size, sizeof *work);
    int *integers = cgm_alloc(comm, integers_size, sizeof *integers);
    cgm_status status = CGM_ERR_MEMORY;
    if (work != NULL && integers != NULL) {
        int info = 0;
        /* Fortran's columns are rows here. */
        dsyevd_("V", "L", &order, a, &order, values, work, &work_size, integers, &integers_size,
                &info, 1, 1);
        status = info == 0 ? CGM_OK
                           : cgm_fail(comm, CGM_ERR_BUG,
                                      "LAPACK finds no eigenvectors of a matrix of order %d "
                                      "(dsyevd: %d); please report it",
                                      order, info);
    }
    free(work);
    free(integers);
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
