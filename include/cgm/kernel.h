/**
 * @file kernel.h
 * The kernel k(x, y) (MATH.md §1) over tiles of packed points: the program's only hot loop.
 *
 * Points are packed once: centred, divided by the lengthscale, and stored by feature in blocks, so
 * that the inner loop runs over neighbouring points. Inside a tile the order of operations is
 * fixed; a tile's result depends on its points and on the instruction set alone.
 *
 * An evaluation has a relative error below 1e-14 (se; kernel_vectors.h). An exponential of 2^-1000
 * and below counts as 0; k(x, x) is exactly κ.
 */
#ifndef CGM_KERNEL_H
#define CGM_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "cgm/comm.h"

/** What the loops are compiled for. AVX2 and AVX-512 give the same bits, and so does portable code
 * where the compiler's target fuses a product and a sum. */
typedef enum cgm_instruction_set { CGM_PORTABLE, CGM_AVX2, CGM_AVX512 } cgm_instruction_set;
enum { CGM_INSTRUCTION_SETS = 3 };

/** Points of a full block. Part of what results mean bit for bit: changing it changes their last
 * digits. */
enum { CGM_BLOCK_POINTS = 512 };
/** Points are padded to a multiple of this inside a block; padded points lie at infinity, where k =
 * 0. */
enum { CGM_LANES = 8 };
/** Largest number of rungs of cgm_kernel_ladder. */
enum { CGM_LADDER_RUNGS = 10 };
/** Squared distances that cgm_kernel_nearest keeps of a column: to itself, where it is among the
 * rows, and to its six nearest neighbours. */
enum { CGM_NEAREST = 7 };

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
    cgm_instruction_set instruction_set; /**< one that the processor has */
} cgm_kernel;

/** Consecutive points of one owner (a party or the pool): the unit whose sums results are made of.
 * Every owner's points are cut into segments of CGM_BLOCK_POINTS from their start, so that segments
 * depend neither on ranks nor on other owners. */
typedef struct cgm_segment {
    int64_t owner;    /**< party, or the number of parties for the pool */
    int64_t first;    /**< first point, counted in the owner's points */
    int64_t n_points; /**< 1 .. CGM_BLOCK_POINTS */
    int64_t begin;    /**< place of that point in the block */
} cgm_segment;

/** Points in packed form: one segment, or several short ones side by side, so that tiles stay
 * efficient when parties have few points. */
typedef struct cgm_block {
    int64_t n_points;    /**< 1 .. CGM_BLOCK_POINTS */
    int64_t stride;      /**< n_points rounded up to CGM_LANES */
    double *coordinates; /**< [stride / CGM_LANES][n_features][CGM_LANES]; efficient when it begins
                            at a multiple of 64 bytes */
    int64_t n_segments;
    const cgm_segment *segments; /**< [n_segments] one after the other, all points */
    bool all_near; /**< known that all its points lie near the centre (cgm_kernel_look) */
} cgm_block;

/** What is evaluated together: one segment against the points of a block from a segment on. A
 * column's sum depends on the row segment and on the column's point alone. */
typedef struct cgm_tile {
    const cgm_block *rows;
    const cgm_segment *row_segment; /**< of rows */
    const cgm_block *columns;
    int64_t first_segment; /**< of columns: points before it are left out */
} cgm_tile;

/** Extremes of scores over candidates that are not taken. */
typedef struct cgm_extremes {
    double low, high; /**< INFINITY and -INFINITY over none */
} cgm_extremes;

/** One chain's part in a pass over the candidates of a block. */
typedef struct cgm_score {
    const double *point;   /**< [n_features] packed coordinates, or NULL: nothing is added */
    double factor;         /**< of candidate_sums */
    double *affinity;      /**< [n_points] of the block */
    cgm_extremes extremes; /**< widened to hold the block's scores */
} cgm_score;

/** Local. The word for an instruction set in options and output. */
const char *cgm_instruction_set_name(cgm_instruction_set set);

/** Local. The best one of this processor: it has that and all before it. */
cgm_instruction_set cgm_instruction_set_best(void);

/** Local. Do two instruction sets give the same bits? */
bool cgm_instruction_sets_agree(cgm_instruction_set a, cgm_instruction_set b);

/** Local. The word for a kernel type in options and output. */
const char *cgm_kernel_name(cgm_kernel_type type);

/** Local. κ = k(x, x) (MATH.md §1). */
double cgm_kernel_diagonal(const cgm_kernel *kernel);

/**
 * What packs points for their distances alone: as they are but for a power of two, so that they
 * keep all their digits and different points stay different.  Local.
 * @param[in] typical  a length that shall be about 1 in packed units, so that no square overflows
 *                     or vanishes; 0: there is none
 * @param[in] origin   [n_features] zeros, borrowed
 */
cgm_kernel cgm_kernel_of_distances(int64_t n_features, double typical, const double *origin,
                                   cgm_instruction_set instruction_set);

/**
 * Points [segment->n_points][n_features] row-major into the segment's place in a block.  Local.
 * The last segment of a block also fills the padding with points at infinity.
 */
void cgm_kernel_pack(const cgm_kernel *kernel, const double *points, const cgm_segment *segment,
                     cgm_block *block);

/** Local. Notes whether all points of a packed block lie so near the centre that k of any two such
 * points is far from underflow: scores take less time then. Cost O(points·n_features). */
void cgm_kernel_look(const cgm_kernel *kernel, cgm_block *block);

/** Local. Packed coordinates [n_features] of a point, given by its place in a block. */
void cgm_kernel_point(const cgm_kernel *kernel, const cgm_block *block, int64_t place,
                      double *point);

/**
 * Sums of k over the rows of a tile.  Local.  Cost rows·columns·(n_features + an exponential).
 * @param[out] column_sums  [columns->stride] Σ_x k(x, y); what stands before the first segment is
 *                          unspecified, padded points have 0
 */
void cgm_kernel_columns(const cgm_kernel *kernel, const cgm_tile *tile, double *column_sums);

/** Local. Σ of a segment's columns, in the order of its points: it depends on them alone. */
double cgm_kernel_segment_sum(const cgm_segment *segment, const double *column_sums);

/** As cgm_kernel_columns over all of two different blocks, with row_sums [rows->n_points] Σ_y k(x,
 * y) beside it.  Local. */
void cgm_kernel_rows_and_columns(const cgm_kernel *kernel, const cgm_block *rows,
                                 const cgm_block *columns, double *row_sums, double *column_sums);

/**
 * As cgm_kernel_columns, with the derivative by log ℓ (`se`: k·r²/ℓ²) beside it.  Local.  MATH.md
 * §3.
 * @param[out] slope_sums  [columns->stride] Σ_x ∂k(x, y)/∂(log ℓ)
 */
void cgm_kernel_slopes(const cgm_kernel *kernel, const cgm_tile *tile, double *column_sums,
                       double *slope_sums);

/**
 * As cgm_kernel_columns at ℓ, ℓ/√2, ℓ/2, …  Local.  MATH.md §3.
 * `se` squares one exponential again and again, the others evaluate each rung.
 * @param[out] column_sums  [n_rungs][CGM_BLOCK_POINTS]; n_rungs ≤ CGM_LADDER_RUNGS
 */
void cgm_kernel_ladder(const cgm_kernel *kernel, const cgm_tile *tile, int n_rungs,
                       double *column_sums);

/**
 * Smallest and largest squared distance of each column to the rows, in packed units; a point's
 * distance to itself (rows == columns) is left out.  Local.
 * @param[out] least, most  [columns->stride]; INFINITY and -INFINITY where no row is left
 */
void cgm_kernel_distances(const cgm_kernel *kernel, const cgm_tile *tile, double *least,
                          double *most);

/**
 * The smallest squared distances of each column to the rows of this and earlier tiles, in packed
 * units; a point's distance to itself is one of them, and is 0.  Local.
 * @param[in,out] nearest  laid out like CGM_NEAREST features of the columns, ascending; INFINITY
 *                         stands for a row that is still to come
 */
void cgm_kernel_nearest(const cgm_kernel *kernel, const cgm_tile *tile, double *nearest);

/** Local. Places in the layout of a block's coordinates, with n_features numbers a point: where
 * number f of a point stands. */
int64_t cgm_kernel_place(int64_t n_features, int64_t point, int64_t f);

/** Local. k at a squared distance in packed units. */
double cgm_kernel_at(const cgm_kernel *kernel, double squared_distance);

/**
 * For each of some chains, add one point to the affinities of a block's points and bring the
 * extremes of their scores up to date.  Local.  MATH.md §6. affinity[c] += k(point, c); score w =
 * factor·candidate_sums[c] − affinity[c]. A NaN affinity marks a taken candidate: it stays NaN and
 * has no part in the extremes. Each chain's results are those it would have alone; together they
 * cost fewer reads.
 * @param[in]     candidate_sums  [block->n_points]
 * @param[in,out] scores          [n_scores]
 */
void cgm_kernel_score(const cgm_kernel *kernel, const cgm_block *block,
                      const double *candidate_sums, int64_t n_scores, cgm_score *scores);

/**
 * exp(−z) element-wise for z ≥ 0, the same bits with every instruction set and on every machine.
 * Local. Relative error < 1e-15 beside z's own rounding by log2(e); exactly 1 at 0, exactly 0
 * beyond 707.
 */
void cgm_kernel_exponential(const double *z, double *result, int64_t count);

#endif
