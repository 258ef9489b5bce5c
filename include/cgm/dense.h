/**
 * @file dense.h
 * Dense linear algebra: the only door to BLAS, LAPACK and ScaLAPACK. Always one thread a rank
 * inside BLAS, so that a product depends on its operands alone.
 */
#ifndef CGM_DENSE_H
#define CGM_DENSE_H

#include <stdbool.h>
#include <stdint.h>

#include "cgm/comm.h"

/** Who solves an eigenproblem. LAPACK, on rank 0 alone, gives the same bits at every number of
 * ranks; ScaLAPACK, which shares matrix and work among all of them, agrees with it to rounding. */
typedef enum cgm_eigensolver {
    CGM_EIGEN_AUTO, /**< LAPACK up to CGM_LAPACK_MOST rows */
    CGM_EIGEN_LAPACK,
    CGM_EIGEN_SCALAPACK
} cgm_eigensolver;
enum { CGM_LAPACK_MOST = 1024 };

/** Rows, and columns, of the blocks that a matrix is dealt out to the ranks in. */
enum { CGM_DENSE_BLOCK = 64 };

/** A symmetric matrix by its entries, which no rank need have all of. */
typedef struct cgm_symmetric {
    int64_t n; /**< rows, >= 1 */
    const void *state;
    /** One block.  Local; the same bits whoever asks.
     * @param[in]  first_row, first_column  multiples of CGM_DENSE_BLOCK
     * @param[in]  n_rows, n_columns        1 .. CGM_DENSE_BLOCK
     * @param[out] entries                  [n_rows][n_columns] */
    void (*fill)(const void *state, int64_t first_row, int64_t n_rows, int64_t first_column,
                 int64_t n_columns, double *entries);
} cgm_symmetric;

/** Local. Must run once before any product: sets BLAS to one thread. */
void cgm_dense_initialise(void);

/**
 * Has BLAS take its working memory now.  Local.  It does so at first use, and where it is refused
 * it tries again for ever, while other ranks wait. Threads that call it at a time take more later.
 * @return CGM_OK, CGM_ERR_MEMORY.  Address space of some 128 MiB, hardly any of it memory.
 */
cgm_status cgm_dense_reserve(cgm_comm *comm);

/** Local. c [rows][columns] = a [rows][inner] · b [inner][columns], all row-major and contiguous.
 */
void cgm_dense_multiply(int64_t rows, int64_t columns, int64_t inner, const double *a,
                        const double *b, double *c);

/** Local. c [rows][columns] = aᵀ·b, with a [inner][rows] and b [inner][columns] parts of arrays
 * whose rows begin stride numbers apart; c contiguous. */
void cgm_dense_multiply_columns(int64_t rows, int64_t columns, int64_t inner, const double *a,
                                const double *b, int64_t stride, double *c);

/**
 * Eigenvalues and eigenvectors of a symmetric matrix.  Local.  Cost O(n³).
 * @param[in,out] a       [n][n] the matrix in; row k is a unit eigenvector of values[k] out
 * @param[out]    values  [n] ascending
 * @return CGM_OK, CGM_ERR_MEMORY, CGM_ERR_BUG (LAPACK does not converge)
 */
cgm_status cgm_dense_eigen(cgm_comm *comm, int64_t n, double *a, double *values);

/**
 * Eigenvalues of a symmetric matrix, and eigenvectors of the largest.  Collective.  No ranks but
 * rank 0 with LAPACK hold more than a share of it. Cost O(n³): with ScaLAPACK / ranks, where memory
 * is 8 n²/ranks bytes a rank, or four times that with eigenvectors.
 * @param[in]  n_vectors  0 .. n; the same on every rank
 * @param[out] values     [n] descending, the same bits on every rank
 * @param[out] vectors    [n_vectors][n] row k is a unit eigenvector of values[k], the same bits on
 *                        every rank; may be NULL without any
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY, CGM_ERR_BUG (no convergence)
 */
cgm_status cgm_dense_leading(cgm_comm *comm, const cgm_symmetric *matrix, cgm_eigensolver solver,
                             int64_t n_vectors, double *values, double *vectors);

/** Local. Whether cgm_dense_leading gives a matrix of n rows to ScaLAPACK. */
bool cgm_dense_is_shared(int64_t n, cgm_eigensolver solver);

/** Local. Entries that a rank of size has of a matrix of n rows while cgm_dense_leading solves it;
 * with eigenvectors by ScaLAPACK it takes memory for four times as many. */
int64_t cgm_dense_entries(int64_t n, cgm_eigensolver solver, int size, int rank);

/**
 * In place: a rotation, orthogonal with determinant 1 or −1, from a square matrix: Q of its QR
 * decomposition, columns times the sign of R's diagonal, which is uniformly distributed where the
 * entries are independent normal numbers.  Local.
 * @param[in,out] a  [n][n] column-major or row-major: both are as random
 * @return CGM_OK, CGM_ERR_MEMORY
 */
cgm_status cgm_dense_rotation(cgm_comm *comm, int64_t n, double *a);

/** Local. Versions of BLAS and ScaLAPACK as the libraries report them. */
const char *cgm_dense_blas_version(void);
void cgm_dense_scalapack_version(char text[32]);

/** Local. c [rows][columns] = a [rows][inner] · bᵀ, b [columns][inner], all row-major and
 * contiguous. */
void cgm_dense_multiply_by_transposed(int64_t rows, int64_t columns, int64_t inner, const double *a,
                                      const double *b, double *c);

/** Local. c [rows][columns] = aᵀ · b [inner][columns], a [inner][rows]. As cgm_dense_multiply. */
void cgm_dense_multiply_transposed(int64_t rows, int64_t columns, int64_t inner, const double *a,
                                   const double *b, double *c);

/** Local. In place: Lᵀ of a = L·Lᵀ, a [n][n] symmetric, in the upper triangle of the row-major
 * matrix; what is below is left as it is. @return false: a is not positive definite */
bool cgm_dense_cholesky(int64_t n, double *a);

/** Local. In place: the upper triangle of a⁻¹ from that of Lᵀ. */
void cgm_dense_invert(int64_t n, double *factor);

#endif
