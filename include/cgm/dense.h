/**
 * @file dense.h
 * Dense linear algebra: the only door to BLAS, LAPACK and ScaLAPACK. Always one thread a rank
 * inside BLAS, so that a product depends on its operands alone.
 */
#ifndef CGM_DENSE_H
#define CGM_DENSE_H

#include <stdint.h>

#include "cgm/comm.h"

/** Local. Must run once before any product: sets BLAS to one thread. */
void cgm_dense_initialise(void);

/** Local. c [rows][columns] = a [rows][inner] · b [inner][columns], all row-major and contiguous.
 */
void cgm_dense_multiply(int64_t rows, int64_t columns, int64_t inner, const double *a,
                        const double *b, double *c);

/**
 * Eigenvalues and eigenvectors of a symmetric matrix, by LAPACK's dsyevd.  Local.
 * @param[in,out] a       [n][n] row-major; after it row k is the unit eigenvector of values[k]
 * @param[out]    values  [n] ascending
 * @return CGM_OK, CGM_ERR_MEMORY, CGM_ERR_BUG (it does not converge).  Cost O(n³).
 */
cgm_status cgm_dense_eigen(cgm_comm *comm, int64_t n, double *a, double *values);

/** Local. Versions of BLAS and ScaLAPACK as the libraries report them. */
const char *cgm_dense_blas_version(void);
void cgm_dense_scalapack_version(char text[32]);

#endif
