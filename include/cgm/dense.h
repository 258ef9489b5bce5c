/**
 * @file dense.h
 * Dense linear algebra: the only door to BLAS, LAPACK and ScaLAPACK. Always one thread a rank
 * inside BLAS, so that a product depends on its operands alone.
 */
#ifndef CGM_DENSE_H
#define CGM_DENSE_H

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

/** Local. c [rows][columns] = a [rows][inner] · bᵀ, b [columns][inner]. As cgm_dense_multiply. */
void cgm_dense_multiply_by_transposed(int64_t rows, int64_t columns, int64_t inner, const double *a,
                                      const double *b, double *c);

/** Local. c [rows][columns] = aᵀ · b [inner][columns], a [inner][rows]. As cgm_dense_multiply. */
void cgm_dense_multiply_transposed(int64_t rows, int64_t columns, int64_t inner, const double *a,
                                   const double *b, double *c);

#endif
