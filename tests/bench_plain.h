/**
 * @file bench_plain.h
 * What tests/bench_kernel.c compares the program's kernel with; compiled for the machine at hand,
 * with the flags that tests/bench.sh prints.
 */
#ifndef CGM_TESTS_BENCH_PLAIN_H
#define CGM_TESTS_BENCH_PLAIN_H

#include <stdint.h>

/**
 * Sums of exp(-½ |x - y|²) over the rows x for every column y, as one would write it.  Local.
 * @param[in]  rows     [n_features][n_rows], divided by the lengthscale
 * @param[in]  columns  [n_features][n_columns]
 * @param[in,out] sums  [n_columns], added to
 * @param[out] work     [n_columns]
 */
void plain_columns(int64_t n_features, int64_t n_rows, const double *rows, int64_t n_columns,
                   const double *columns, double *restrict sums, double *restrict work);

/** Local. Fused multiply-adds of doubles a second that one core reaches, over so many seconds. */
double plain_peak_fma(double seconds);

#endif
