/**
 * @file kernel.h
 * The kernel k(x, y) (MATH.md §1) over tiles of packed points: the program's only hot loop.
 *
 * Points are packed once: centred, divided by the lengthscale, and stored by feature in blocks, so
 * that the inner loop runs over neighbouring points. Inside a tile the order of operations is
 * fixed; a tile's result depends on its points alone.
 */
#ifndef CGM_KERNEL_H
#define CGM_KERNEL_H

#include <stdint.h>

#include "cgm/comm.h"

/** Points of a full block. Part of what results mean bit for bit: changing it changes their last
 * digits. */
enum { CGM_BLOCK_POINTS = 512 };
/** Points are padded to a multiple of this inside a block; padded points lie at infinity, where k =
 * 0. */
enum { CGM_LANES = 8 };
/** Largest number of rungs of cgm_kernel_ladder. */
enum { CGM_LADDER_RUNGS = 10 };

typedef enum cgm_kernel_type { CGM_KERNEL_SE, CGM_KERNEL_SE_SUM, CGM_KERNEL_RQ } cgm_kernel_type;

/** A kernel and its lengthscale; centre is what packing subtracts, which no kernel value depends
 * on.
 */
typedef struct cgm_kernel {
    cgm_kernel_type type;
    int64_t n_features;
    double lengthscale;                 /**< ℓ, in the points' unit, > 0 */
    const double *feature_lengthscales; /**< [n_features] ℓ_f instead of ℓ, or NULL */
    const double *centre; /**< [n_features], near the middle of the data, so that differences keep
                               their digits */
} cgm_kernel;

/** Consecutive points of one owner (a party or the pool) in packed form. */
typedef struct cgm_block {
    int64_t owner;       /**< party, or the number of parties for the pool */
    int64_t first;       /**< first point, counted in the owner's points */
    int64_t n_points;    /**< 1 .. CGM_BLOCK_POINTS */
    int64_t stride;      /**< n_points rounded up to CGM_LANES */
    double *coordinates; /**< [n_features][stride] */
} cgm_block;

/** Local. The word for a kernel type in options and output. */
const char *cgm_kernel_name(cgm_kernel_type type);

/** Local. κ = k(x, x) (MATH.md §1). */
double cgm_kernel_diagonal(const cgm_kernel *kernel);

/** Local. Points [n_points][n_features] row-major to block->coordinates; owner, first and stride
 * stand already. */
void cgm_kernel_pack(const cgm_kernel *kernel, const double *points, cgm_block *block);

/**
 * Sums of k over a tile.  Local.
 * @param[out] row_sums     [a->n_points] Σ_y k(x, y) over b
 * @param[out] column_sums  [b->stride] Σ_x k(x, y) over a
 * @return Σ_{x,y} k(x, y), the sum of row_sums in a fixed order.  Cost a·b·(n_features + an
 * exponential).
 */
double cgm_kernel_tile(const cgm_kernel *kernel, const cgm_block *a, const cgm_block *b,
                       double *row_sums, double *column_sums);

/**
 * Sum over a tile of k and of its derivative by log ℓ (`se`: k·r²/ℓ²).  Local.  MATH.md §3.
 * @param[out] slope  Σ_{x,y} ∂k/∂(log ℓ)
 */
double cgm_kernel_slope(const cgm_kernel *kernel, const cgm_block *a, const cgm_block *b,
                        double *slope);

/**
 * Sums over a tile of k at ℓ, ℓ/√2, ℓ/2, …  Local.  MATH.md §3.
 * `se` squares one exponential again and again, the others evaluate each rung.
 * @param[out] sums  [n_rungs]; n_rungs ≤ CGM_LADDER_RUNGS
 */
void cgm_kernel_ladder(const cgm_kernel *kernel, const cgm_block *a, const cgm_block *b,
                       int n_rungs, double *sums);

/**
 * Smallest and largest squared distance between the points of two blocks, in packed units; of a
 * block with itself (a == b) between different points.  Local.
 * @param[in,out] least, most  brought up to date
 */
void cgm_kernel_distances(const cgm_kernel *kernel, const cgm_block *a, const cgm_block *b,
                          double *least, double *most);

/** Local. k at a squared distance in packed units. */
double cgm_kernel_at(const cgm_kernel *kernel, double squared_distance);

/**
 * k between one point of a block and all points of another.  Local.
 * @param[out] row  [b->stride]; 0 at padded points
 */
void cgm_kernel_row(const cgm_kernel *kernel, const cgm_block *a, int64_t point, const cgm_block *b,
                    double *row);

/**
 * exp(−z) element-wise for z ≥ 0, by the same polynomial as the kernel and so the same bits on
 * every machine.  Local. Relative error < 1e-15; exactly 1 at 0, exactly 0 beyond 707.
 */
void cgm_kernel_exponential(const double *z, double *result, int64_t count);

#endif
