#include "output_embedding.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Room for what is outside a guarantee. */
enum { OUTSIDE_ROOM = 1024 };

/* What no noise hides, although it follows from the parties' points. */
static void tell_outside(const cgm_run *run, char outside[OUTSIDE_ROOM])
{
    const cgm_config *config = run->config;
    if (config->exchange != CGM_VALUES_EMBEDDINGS) {
        snprintf(outside, OUTSIDE_ROOM, "everything: ranks exchange the parties' points");
    } else if (!isfinite(config->epsilon)) {
        snprintf(outside, OUTSIDE_ROOM,
                 "everything: points stay on the rank that read them, but no noise is added to "
                 "what is told of them");
    } else {
        const bool scaled = config->scaling != CGM_SCALE_NONE;
        const bool projected = config->features_type == CGM_FEATURES_PCA;
        const bool drawn = config->generator_type != CGM_GENERATOR_FILE;
        const bool measured = (config->metrics & ~(unsigned)CGM_METRICS_OF_OTHERS) != 0;
        snprintf(outside, OUTSIDE_ROOM,
                 "the guarantee is for each party's mean embedding, told once%s; outside it are "
                 "the numbers of points and checksums in /parties, and the rewards, which a party "
                 "draws by its own points: /sampling%s%s%s%s",
                 scaled || projected ? ", of points as features.scale and features.type leave them"
                                     : "",
                 projected ? "; the components in /features, fitted on raw points"
                 : scaled  ? "; the scaling in /features, fitted on raw points"
                           : "",
                 drawn ? "; the generative model and its pool, fitted on raw points" : "",
                 measured ? "; /metrics, which are of raw points and rewards" : "",
                 run->candidates.n_points > 0 && !drawn
                     ? "; and what the pool that was read tells of the points it was made from"
                     : "");
    }
}

void output_put_privacy(cgm_writer *to, const cgm_run *run)
{
    const cgm_config *config = run->config;
    const cgm_embedding *embedding = &run->embedding;
    const int64_t n = run->shard.n_parties;
    const bool embedded = config->exchange == CGM_VALUES_EMBEDDINGS;
    const int64_t releases = embedded ? 1 : 0;
    char outside[OUTSIDE_ROOM];
    double *none = cgm_alloc(to->comm, n, sizeof *none);
    if (!cgm_writer_agree(to, none != NULL)) {
        free(none);
        return;
    }
    tell_outside(run, outside);
    cgm_writer_put_array(to, "/privacy/sigma", CGM_H5_DOUBLE, n,
                         embedded ? embedding->sigma : none);
    if (embedded) {
        cgm_writer_put_array(to, "/privacy/noise_error", CGM_H5_DOUBLE, n, embedding->noise_error);
        cgm_writer_put_attribute(to, "/privacy", "embedding_features", CGM_H5_INT64,
                                 &embedding->frequencies.n_frequencies);
    }
    cgm_writer_put_attribute(to, "/privacy", "exchange", CGM_H5_TEXT,
                             embedded ? "embeddings" : "shards");
    cgm_writer_put_attribute(to, "/privacy", "epsilon", CGM_H5_DOUBLE, &config->epsilon);
    cgm_writer_put_attribute(to, "/privacy", "delta", CGM_H5_DOUBLE, &config->delta);
    cgm_writer_put_attribute(to, "/privacy", "releases", CGM_H5_INT64, &releases);
    cgm_writer_put_attribute(to, "/privacy", "outside_guarantee", CGM_H5_TEXT, outside);
    free(none);
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
