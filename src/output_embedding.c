#include "output_embedding.h"

#include <math.h>
#include <stdlib.h>

void output_put_privacy(cgm_writer *to, const cgm_run *run)
{
    const bool embedded = run->config->exchange == CGM_VALUES_EMBEDDINGS;
    const double epsilon = (double)INFINITY;
    const int64_t releases = embedded ? 1 : 0;
    const int64_t frequencies = run->embedding.frequencies.n_frequencies;
    double *none = cgm_alloc(to->comm, run->shard.n_parties, sizeof *none);
    if (!cgm_writer_agree(to, none != NULL)) {
        free(none);
        return;
    }
    cgm_writer_put_array(to, "/privacy/sigma", CGM_H5_DOUBLE, run->shard.n_parties,
                         embedded ? run->embedding.sigma : none);
    free(none);
    cgm_writer_put_attribute(to, "/privacy", "exchange", CGM_H5_TEXT,
                             embedded ? "embeddings" : "shards");
    cgm_writer_put_attribute(to, "/privacy", "epsilon", CGM_H5_DOUBLE, &epsilon);
    cgm_writer_put_attribute(to, "/privacy", "releases", CGM_H5_INT64, &releases);
    if (embedded) {
        cgm_writer_put_attribute(to, "/privacy", "embedding_features", CGM_H5_INT64, &frequencies);
    }
    cgm_writer_put_attribute(
        to, "/privacy", "outside_guarantee", CGM_H5_TEXT,
        embedded ? "everything: points stay on the rank that read them, but no noise is added to "
                   "what is told of them"
                 : "everything: ranks exchange the parties' points");
}

void output_put_errors(cgm_writer *to, const cgm_run *run)
{
    const cgm_embedding *embedding = &run->embedding;
    const int64_t n = run->shard.n_parties;
    if (run->config->exchange != CGM_VALUES_EMBEDDINGS) {
        return;
    }
    cgm_writer_put_array(to, "/values/single_error", CGM_H5_DOUBLE, n, embedding->single_error);
    cgm_writer_put_array(to, "/values/ceiling_error", CGM_H5_DOUBLE, n, embedding->ceiling_error);
    cgm_writer_put_attribute(to, "/values", "grand_error", CGM_H5_DOUBLE, &embedding->grand_error);
    cgm_writer_put_array(to, "/shapley/phi_error", CGM_H5_DOUBLE, n, embedding->phi_error);
    cgm_writer_put_array(to, "/shapley/alpha_error", CGM_H5_DOUBLE, n, embedding->alpha_error);
}
