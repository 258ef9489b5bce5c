#include "samples.h"

#include <math.h>
#include <stdlib.h>

#include "cgm/rng.h"

const cgm_kernel_type sample_types[3] = {CGM_KERNEL_SE, CGM_KERNEL_SE_SUM, CGM_KERNEL_RQ};

double sample_number(uint64_t stream, uint64_t k)
{
    const cgm_rng rng = {7, stream, CGM_RNG_SIMULATE};
    uint64_t words[4];
    cgm_rng_words(&rng, k, 0, 0, words);
    return cgm_rng_uniform(words[0]);
}

void sample_pack(const cgm_kernel *kernel, sample *s)
{
    for (int64_t k = 0; k < s->block.n_segments; k++) {
        const cgm_segment *segment = &s->segments[k];
        cgm_kernel_pack(kernel, s->points + segment->begin * kernel->n_features, segment,
                        &s->block);
    }
}

sample *sample_create(cgm_comm *comm, const cgm_kernel *kernel, int64_t n_points,
                      int64_t segment_points, uint64_t stream)
{
    const int64_t d = kernel->n_features;
    sample *s = cgm_alloc(comm, 1, sizeof *s);
    assert_all_ranks(comm, s != NULL);
    s->block.n_points = n_points;
    s->block.stride = (n_points + CGM_LANES - 1) / CGM_LANES * CGM_LANES;
    s->block.segments = s->segments;
    s->block.coordinates = cgm_alloc(comm, s->block.stride * d, sizeof(double));
    s->points = cgm_alloc(comm, n_points * d, sizeof(double));
    assert_all_ranks(comm, s->block.coordinates != NULL && s->points != NULL);
    for (int64_t first = 0; first < n_points; first += segment_points) {
        const int64_t left = n_points - first;
        s->segments[s->block.n_segments++] = (cgm_segment){
            .n_points = left < segment_points ? left : segment_points, .begin = first};
    }
    for (int64_t k = 0; k < n_points * d; k++) {
        s->points[k] = sample_number(stream, (uint64_t)k);
    }
    sample_pack(kernel, s);
    return s;
}

void sample_destroy(sample *s)
{
    free(s->block.coordinates);
    free(s->points);
    free(s);
}

cgm_kernel sample_kernel(cgm_kernel_type type, int64_t n_features, cgm_instruction_set set)
{
    static double centre[SAMPLE_FEATURES]; /* of zeros */
    return (cgm_kernel){.type = type,
                        .n_features = n_features,
                        .lengthscale = 0.22 * sqrt((double)n_features),
                        .centre = centre,
                        .instruction_set = set};
}
