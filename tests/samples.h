/**
 * @file samples.h
 * Made-up blocks of points and kernels for the tests of the kernel's loops.
 */
#ifndef CGM_TESTS_SAMPLES_H
#define CGM_TESTS_SAMPLES_H

#include "cgm/kernel.h"
#include "harness.h"

/** Largest number of features of a sample. */
enum { SAMPLE_FEATURES = 300 };

/** All kernel types. */
extern const cgm_kernel_type sample_types[3];

/** A block of points, cut into segments of up to segment_points, and those points. */
typedef struct sample {
    cgm_block block;
    cgm_segment segments[CGM_BLOCK_POINTS];
    double *points; /**< [block.n_points][n_features] */
} sample;

/** Local. Number k of a stream, uniform on (0, 1). */
double sample_number(uint64_t stream, uint64_t k);

/** Local. A lengthscale at which kernel values are neither all alike nor all 0. */
cgm_kernel sample_kernel(cgm_kernel_type type, int64_t n_features, cgm_instruction_set set);

/** Collective (a failed allocation fails the test). Points uniform on the unit cube, packed. */
sample *sample_create(cgm_comm *comm, const cgm_kernel *kernel, int64_t n_points,
                      int64_t segment_points, uint64_t stream);

/** Local. Packs the points again after they were changed. */
void sample_pack(const cgm_kernel *kernel, sample *s);

/** Local. */
void sample_destroy(sample *s);

#endif
