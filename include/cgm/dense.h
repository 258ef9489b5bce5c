/**
 * @file dense.h
 * Dense linear algebra: the only door to BLAS, LAPACK and ScaLAPACK. Always one thread a rank
 * inside BLAS, so that a product depends on its operands alone.
 */
#ifndef CGM_DENSE_H
#define CGM_DENSE_H

#include <stdbool.h>
#include <stdint.h>

/** Local. Must run once before any product: sets BLAS to one thread. */
void cgm_dense_initialise(void);

/** Local. c [rows][columns] = a [rows][inner] · b [inner][columns], all row-major and contiguous.
 */
void cgm_dense_multiply(int64_t rows, int64_t columns, int64_t inner, const double *a,
                        const double *b, double *c);

/** Local. Versions of BLAS and ScaLAPACK as the libraries report them. */
const char *cgm_dense_blas_version(void);
void cgm_dense_scalapack_version(char text[32]);

/** Local. c [rows][columns] = a [rows][inner] · bᵀ, b [columns][inner], all row-major and
 * contiguous. */
void cgm_dense_multiply_by_transposed(int64_t rows, int64_t columns, int64_t inner, const double *a,
                                      const double *b, double *c);

/** Local. In place: Lᵀ of a = L·Lᵀ, a [n][n] symmetric, in the upper triangle of the row-major
 * matrix; what is below is left as it is. @return false: a is not positive definite */
bool cgm_dense_cholesky(int64_t n, double *a);

/** Local. In place: the upper triangle of a⁻¹ from that of Lᵀ. */
void cgm_dense_invert(int64_t n, double *factor);

/** Local. Eigenvalues [n], ascending, and eigenvectors of a symmetric matrix, which they replace:
 * row k is the one of value k. work [CGM_DENSE_EIGEN_WORK·n] @return false: no convergence */
enum { CGM_DENSE_EIGEN_WORK = 34 };
bool cgm_dense_eigen(int64_t n, double *a, double *values, double *work);

#endif
