#include "output_pool.h"

void output_put_candidates(cgm_writer *to, const cgm_candidates *candidates)
{
    const int64_t d = candidates->n_features;
    const int64_t dims[2] = {candidates->n_points, d};
    const int64_t first = candidates->first[to->comm->rank];
    const int64_t n_rows = candidates->first[to->comm->rank + 1] - first;
    const int64_t place = first - candidates->held_first;
    cgm_writer_put_rows(to, "/candidates/data", CGM_H5_DOUBLE, 2, dims, first, n_rows,
                        candidates->original + place * d);
    if (candidates->has_labels) {
        cgm_writer_put_rows(to, "/candidates/labels", CGM_H5_INT64, 1, dims, first, n_rows,
                            candidates->labels + place);
    }
}

void output_put_generator(cgm_writer *to, cgm_generator_type type, const cgm_model *model)
{
    model->put(model->state, to);
    cgm_writer_put_attribute(to, "/generator", "type", CGM_H5_TEXT, cgm_generator_name(type));
}

int64_t output_pool_words(const cgm_candidates *candidates, const cgm_model *model)
{
    /* Beside them, what HDF5 keeps of each object. */
    return candidates->n_points * (candidates->n_features + 1) + model->put_words + (1 << 13);
}
