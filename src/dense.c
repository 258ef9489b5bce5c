#include "cgm/dense.h"

#include <cblas.h>
#include <stdio.h>

#include "cgm/comm.h"

/* ScaLAPACK has no C header. */
void pilaver_(int *major, int *minor, int *patch);

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

void cgm_dense_multiply_transposed(int64_t rows, int64_t columns, int64_t inner, const double *a,
                                   const double *b, double *c)
{
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, cgm_int(rows), cgm_int(columns),
                cgm_int(inner), 1.0, a, cgm_int(rows), b, cgm_int(columns), 0.0, c,
                cgm_int(columns));
}
