/* What each instruction set provides (kernel_loops.h, kernel_scores.h): the functions of
 * cgm/kernel.h that have loops, with the same arguments. */
#ifndef CGM_KERNEL_OPERATIONS_H
#define CGM_KERNEL_OPERATIONS_H

#include "cgm/kernel.h"

typedef struct kernel_operations {
    void (*look)(const cgm_kernel *kernel, cgm_block *block);
    void (*columns)(const cgm_kernel *kernel, const cgm_tile *tile, double *column_sums);
    void (*rows_and_columns)(const cgm_kernel *kernel, const cgm_block *rows,
                             const cgm_block *columns, double *row_sums, double *column_sums);
    void (*slopes)(const cgm_kernel *kernel, const cgm_tile *tile, double *column_sums,
                   double *slope_sums);
    void (*ladder)(const cgm_kernel *kernel, const cgm_tile *tile, int n_rungs,
                   double *column_sums);
    void (*distances)(const cgm_kernel *kernel, const cgm_tile *tile, double *least, double *most);
    void (*nearest)(const cgm_kernel *kernel, const cgm_tile *tile, double *nearest);
    void (*score)(const cgm_kernel *kernel, const cgm_block *block, const double *candidate_sums,
                  int64_t n_scores, cgm_score *scores);
    double (*at)(const cgm_kernel *kernel, double squared_distance);
    void (*exponential)(const double *z, double *result, int64_t count);
} kernel_operations;

extern const kernel_operations kernel_portable;
extern const kernel_operations kernel_avx2;
extern const kernel_operations kernel_avx512;

/* What stands for a set; where the processor's architecture has none but the portable one, that. */
const kernel_operations *kernel_operations_of(cgm_instruction_set set);

/* Beginning of a point's coordinates in a block; the next feature stands CGM_LANES further on. */
static inline int64_t kernel_place(int64_t n_features, int64_t point)
{
    const int64_t lane = point & (CGM_LANES - 1);
    return (point - lane) * n_features + lane;
}

#endif
