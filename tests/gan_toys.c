#include "gan_toys.h"

#include <math.h>
#include <stdlib.h>

#include "cgm/rng.h"
#include "harness.h"

const cgm_gan_options toy_options = {
    .hidden = 6, .layers = 2, .latent = 3, .steps = 5, .batch = 90, .learning_rate = 0.01};

void toy_point(uint64_t stream, uint64_t row, double *point, int64_t *label)
{
    const cgm_rng rng = {11, stream, CGM_RNG_SIMULATE};
    uint64_t words[4];
    double normal[2];
    cgm_rng_words(&rng, row, 0, 0, words);
    cgm_rng_normal(words, normal);
    const double which = cgm_rng_uniform(words[2]);
    *label = which < 0.7 ? -3 : 8;
    point[0] = which < 0.3 ? 10.0 : which < 0.7 ? -10.0 : 0.0;
    point[1] = which < 0.7 ? 0.0 : 0.5;
    point[0] += 2.0 * normal[0];
    point[1] += 0.1 * normal[1] + (which < 0.7 ? 0.0 : 0.04 * normal[0]);
}

void toy_open(cgm_comm *comm, int64_t n_parties, const int64_t *sizes, test_case *made)
{
    case_make(comm, n_parties, sizes, TOY_FEATURES, 8, 1.0, made);
    cgm_shard *shard = &made->shard;
    shard->has_labels = true;
    shard->labels = calloc((size_t)shard->n_local_points + 1, sizeof *shard->labels);
    assert_all_ranks(comm, shard->labels != NULL);
    for (int64_t k = 0; k < shard->n_shares; k++) {
        for (int64_t i = shard->share_first[k]; i < shard->share_first[k + 1]; i++) {
            const int64_t row = shard->share_offset[k] + i - shard->share_first[k];
            toy_point((uint64_t)shard->share_party[k], (uint64_t)row,
                      shard->points + i * TOY_FEATURES, &shard->labels[i]);
        }
    }
}

void toy_drop_labels(test_case *made)
{
    free(made->shard.labels);
    made->shard.labels = NULL;
    made->shard.has_labels = false;
}

toy_drawing toy_draw(cgm_comm *comm, const cgm_model *model, int64_t n_features, int64_t first,
                     int64_t count)
{
    toy_drawing made = {count, calloc((size_t)(count * n_features), sizeof(double)),
                        calloc((size_t)count, sizeof(int64_t))};
    assert_all_ranks(comm, made.points != NULL && made.labels != NULL);
    model->draw(model->state, 4, first, count, made.points, model->has_labels ? made.labels : NULL);
    return made;
}

void toy_discard(toy_drawing *made)
{
    free(made->points);
    free(made->labels);
}

toy_drawing toy_train_and_draw(cgm_comm *comm, const test_case *made,
                               const cgm_gan_options *options, cgm_class_share share, int64_t count)
{
    cgm_model model;
    assert_all_ranks(comm,
                     cgm_gan_train(comm, &made->shard, options, share, 3, NULL, &model) == CGM_OK);
    assert_all_ranks(comm, model.has_labels == made->shard.has_labels);
    const int64_t d = made->shard.n_features;
    const toy_drawing drawn = toy_draw(comm, &model, d, 0, count);
    bool finite = true;
    for (int64_t k = 0; k < count * d; k++) {
        finite = finite && isfinite(drawn.points[k]);
    }
    model.destroy(model.state);
    assert_all_ranks(comm, finite);
    assert_same_on_all_ranks(comm, drawn.points, (size_t)(count * d) * sizeof(double));
    assert_same_on_all_ranks(comm, drawn.labels, (size_t)count * sizeof(int64_t));
    return drawn;
}
