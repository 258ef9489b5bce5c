#include "cgm/kernel.h"

#include <math.h>

#include "kernel_operations.h"

/* √(log2(e)/2): k(x, y) = 2^-q with q the squared distance of packed points. */
#define PACK_SCALE 0.84932180028801904272

const char *cgm_instruction_set_name(cgm_instruction_set set)
{
    static const char *const names[CGM_INSTRUCTION_SETS] = {"portable", "avx2", "avx512"};
    return names[set];
}

#ifdef __x86_64__

cgm_instruction_set cgm_instruction_set_best(void)
{
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
        return CGM_PORTABLE;
    }
    return __builtin_cpu_supports("avx512f") ? CGM_AVX512 : CGM_AVX2;
}

const kernel_operations *kernel_operations_of(cgm_instruction_set set)
{
    static const kernel_operations *const sets[CGM_INSTRUCTION_SETS] = {
        &kernel_portable, &kernel_avx2, &kernel_avx512};
    return sets[set];
}

#else

cgm_instruction_set cgm_instruction_set_best(void)
{
    return CGM_PORTABLE;
}

const kernel_operations *kernel_operations_of(cgm_instruction_set set)
{
    (void)set;
    return &kernel_portable;
}

#endif

bool cgm_instruction_sets_agree(cgm_instruction_set a, cgm_instruction_set b)
{
    return (a == CGM_PORTABLE) == (b == CGM_PORTABLE);
}

const char *cgm_kernel_name(cgm_kernel_type type)
{
    static const char *const names[] = {"se", "se_sum", "rq"};
    return names[type];
}

double cgm_kernel_diagonal(const cgm_kernel *kernel)
{
    return kernel->type == CGM_KERNEL_SE ? 1.0 : 3.0;
}

cgm_kernel cgm_kernel_of_distances(int64_t n_features, double typical, const double *origin,
                                   cgm_instruction_set instruction_set)
{
    int exponent = 0;
    frexp(typical, &exponent);
    return (cgm_kernel){.type = CGM_KERNEL_SE,
                        .n_features = n_features,
                        .lengthscale = ldexp(PACK_SCALE, exponent),
                        .centre = origin,
                        .instruction_set = instruction_set};
}

void cgm_kernel_pack(const cgm_kernel *kernel, const double *points, const cgm_segment *segment,
                     cgm_block *block)
{
    const double *by_feature = kernel->feature_lengthscales;
    const int64_t d = kernel->n_features;
    const int64_t end = segment->begin + segment->n_points;
    for (int64_t f = 0; f < d; f++) {
        const double scale =
            PACK_SCALE / (by_feature != NULL ? by_feature[f] : kernel->lengthscale);
        double *feature = block->coordinates + f * CGM_LANES;
        for (int64_t i = 0; i < segment->n_points; i++) {
            feature[kernel_place(d, segment->begin + i)] =
                (points[i * d + f] - kernel->centre[f]) * scale;
        }
        for (int64_t i = end; end == block->n_points && i < block->stride; i++) {
            feature[kernel_place(d, i)] = INFINITY;
        }
    }
}

void cgm_kernel_look(const cgm_kernel *kernel, cgm_block *block)
{
    kernel_operations_of(kernel->instruction_set)->look(kernel, block);
}

void cgm_kernel_point(const cgm_kernel *kernel, const cgm_block *block, int64_t place,
                      double *point)
{
    const double *first = block->coordinates + kernel_place(kernel->n_features, place);
    for (int64_t f = 0; f < kernel->n_features; f++) {
        point[f] = first[f * CGM_LANES];
    }
}

void cgm_kernel_columns(const cgm_kernel *kernel, const cgm_tile *tile, double *column_sums)
{
    kernel_operations_of(kernel->instruction_set)->columns(kernel, tile, column_sums);
}

double cgm_kernel_segment_sum(const cgm_segment *segment, const double *column_sums)
{
    double total = 0.0;
    for (int64_t c = segment->begin; c < segment->begin + segment->n_points; c++) {
        total += column_sums[c];
    }
    return total;
}

void cgm_kernel_rows_and_columns(const cgm_kernel *kernel, const cgm_block *rows,
                                 const cgm_block *columns, double *row_sums, double *column_sums)
{
    kernel_operations_of(kernel->instruction_set)
        ->rows_and_columns(kernel, rows, columns, row_sums, column_sums);
}

void cgm_kernel_slopes(const cgm_kernel *kernel, const cgm_tile *tile, double *column_sums,
                       double *slope_sums)
{
    kernel_operations_of(kernel->instruction_set)->slopes(kernel, tile, column_sums, slope_sums);
}

void cgm_kernel_ladder(const cgm_kernel *kernel, const cgm_tile *tile, int n_rungs,
                       double *column_sums)
{
    kernel_operations_of(kernel->instruction_set)->ladder(kernel, tile, n_rungs, column_sums);
}

void cgm_kernel_distances(const cgm_kernel *kernel, const cgm_tile *tile, double *least,
                          double *most)
{
    kernel_operations_of(kernel->instruction_set)->distances(kernel, tile, least, most);
}

void cgm_kernel_nearest(const cgm_kernel *kernel, const cgm_tile *tile, double *nearest)
{
    kernel_operations_of(kernel->instruction_set)->nearest(kernel, tile, nearest);
}

int64_t cgm_kernel_place(int64_t n_features, int64_t point, int64_t f)
{
    return kernel_place(n_features, point) + f * CGM_LANES;
}

double cgm_kernel_at(const cgm_kernel *kernel, double squared_distance)
{
    return kernel_operations_of(kernel->instruction_set)->at(kernel, squared_distance);
}

void cgm_kernel_score(const cgm_kernel *kernel, const cgm_block *block,
                      const double *candidate_sums, int64_t n_scores, cgm_score *scores)
{
    kernel_operations_of(kernel->instruction_set)
        ->score(kernel, block, candidate_sums, n_scores, scores);
}

void cgm_kernel_exponential(const double *z, double *result, int64_t count)
{
    kernel_operations_of(cgm_instruction_set_best())->exponential(z, result, count);
}
