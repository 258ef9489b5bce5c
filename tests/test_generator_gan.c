/* The generative network: batches, candidates against each other and against the parameters in the
 * output, data at the edge. */
// without: valgrind
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../src/gan_training.h"
#include "../src/writer.h"
#include "cgm/rng.h"
#include "cgm/tolerance.h"
#include "gan_toys.h"
#include "harness.h"

/* ---- batches ---- */

/* A step looks at as many points of a party as its share in all of them asks for, up to one, and at
 * every part of its points alike. */
static void test_batches_follow_the_parties(void **state)
{
    cgm_comm *comm = *state;
    enum { PARTIES = 4, STEPS = 40 };
    const int64_t sizes[PARTIES] = {1, 1300, 40, 700};
    test_case made;
    toy_open(comm, PARTIES, sizes, &made);
    double mean[TOY_FEATURES] = {0.0};
    double scale[TOY_FEATURES] = {0.0};
    const cgm_gan_network network = {
        TOY_FEATURES, 1, 0, {1, 1, 0, TOY_FEATURES}, {TOY_FEATURES, 1, 0, 1}, mean, scale};
    const cgm_gan_classes none = {0};
    cgm_gan_training training;
    toy_drop_labels(&made);
    assert_all_ranks(comm, cgm_gan_training_create(comm, &made.shard, &network, &none, &toy_options,
                                                   3, &training) == CGM_OK);
    int64_t total[PARTIES] = {0};
    for (int64_t s = 0; s < STEPS; s++) {
        int64_t rows[PARTIES] = {0};
        cgm_gan_training_step(comm, &training, false);
        for (int64_t k = 0; k < training.n_leaves; k++) {
            rows[made.shard.share_party[training.leaves[k].share]] += training.leaves[k].n_rows;
        }
        cgm_comm_sum(comm, rows, PARTIES);
        int64_t batch = 0;
        bool even = true;
        for (int64_t i = 0; i < PARTIES; i++) {
            const double fair =
                (double)toy_options.batch * (double)sizes[i] / (double)made.shard.n_points;
            even = even && fabs((double)rows[i] - fair) < 1.0;
            batch += rows[i];
            total[i] += rows[i];
        }
        assert_all_ranks(comm, even && batch == toy_options.batch);
    }
    for (int64_t i = 0; i < PARTIES; i++) { /* rounded down and up in turn */
        const double fair =
            (double)(STEPS * toy_options.batch) * (double)sizes[i] / (double)made.shard.n_points;
        assert_all_ranks(comm, fabs((double)total[i] - fair) < 0.25 * STEPS);
    }
    cgm_gan_training_destroy(&training);
    case_close(&made);
}

/* ---- candidates ---- */

static void test_any_slice_is_part_of_the_whole(void **state)
{
    cgm_comm *comm = *state;
    enum { COUNT = 300 };
    const int64_t slices[][2] = {{0, 1}, {63, 2}, {64, 64}, {1, 130}, {299, 1}, {17, 283}};
    test_case made;
    cgm_model model;
    toy_open(comm, 2, (int64_t[]){90, 40}, &made);
    assert_all_ranks(comm, cgm_gan_train(comm, &made.shard, &toy_options, CGM_SHARE_POOL, 3, NULL,
                                         &model) == CGM_OK);
    toy_drawing whole = toy_draw(comm, &model, TOY_FEATURES, 0, COUNT);
    for (size_t k = 0; k < sizeof slices / sizeof slices[0]; k++) {
        const int64_t first = slices[k][0];
        const int64_t count = slices[k][1];
        toy_drawing part = toy_draw(comm, &model, TOY_FEATURES, first, count);
        assert_all_ranks(comm, memcmp(part.points, whole.points + first * TOY_FEATURES,
                                      (size_t)(count * TOY_FEATURES) * sizeof(double)) == 0);
        assert_all_ranks(
            comm, memcmp(part.labels, whole.labels + first, (size_t)count * sizeof(int64_t)) == 0);
        toy_discard(&part);
    }
    toy_drawing again = toy_draw(comm, &model, TOY_FEATURES, 0, COUNT);
    memset(again.points, 0, (size_t)(COUNT * TOY_FEATURES) * sizeof(double));
#pragma omp parallel for num_threads(4)
    for (int64_t k = 0; k < COUNT; k += 10) {
        model.draw(model.state, 4, k, 10, again.points + k * TOY_FEATURES, again.labels + k);
    }
    assert_all_ranks(comm, memcmp(again.points, whole.points,
                                  (size_t)(COUNT * TOY_FEATURES) * sizeof(double)) == 0);
    toy_discard(&again);
    toy_discard(&whole);
    model.destroy(model.state);
    case_close(&made);
}

/* ---- the parameters in the output ---- */

/* A file that all ranks write, read back on each. */
static void put_model(cgm_comm *comm, const cgm_model *model, char *path, size_t size)
{
    int64_t process = getpid();
    cgm_comm_broadcast(comm, &process, sizeof process, 0);
    snprintf(path, size, "/tmp/cgm-test-gan-%lld.h5", (long long)process);
    cgm_h5_file file;
    assert_all_ranks(comm, cgm_h5_create(comm, path, true, &file) == CGM_OK);
    cgm_writer to = {.comm = comm, .file = &file};
    model->put(model->state, &to);
    assert_all_ranks(comm, to.status == CGM_OK);
    assert_all_ranks(comm, cgm_h5_finish(&file) == CGM_OK);
}

static double *read_layer(cgm_comm *comm, const cgm_h5_file *file, const char *what, int layer,
                          cgm_h5_info *info)
{
    char path[64];
    snprintf(path, sizeof path, "/generator/%s_%d", what, layer);
    double *data = cgm_h5_read(file, path, NULL, CGM_H5_DOUBLE, info);
    assert_all_ranks(comm, data != NULL);
    return data;
}

/* units [64], filled from 0 on, through one layer of the file by plain loops. */
static void apply_layer(cgm_comm *comm, const cgm_h5_file *file, int layer, bool last,
                        double *units)
{
    cgm_h5_info info;
    double *weights = read_layer(comm, file, "weights", layer, &info);
    double *biases = read_layer(comm, file, "biases", layer, NULL);
    double next[64] = {0.0};
    for (int64_t j = 0; j < info.dims[1]; j++) {
        next[j] = biases[j];
        for (int64_t i = 0; i < info.dims[0]; i++) {
            next[j] += weights[i * info.dims[1] + j] * units[i];
        }
        next[j] = last || next[j] > 0.0 ? next[j] : 0.2 * next[j];
    }
    memcpy(units, next, (size_t)info.dims[1] * sizeof *units);
    free(weights);
    free(biases);
}

/* Candidate number c as anybody would draw it who has the file and the random numbers. */
static int64_t draw_by_hand(cgm_comm *comm, const cgm_h5_file *file, uint64_t c, double *point)
{
    const cgm_rng rng = {4, 0, CGM_RNG_GAN_CANDIDATE};
    uint64_t words[4];
    double units[64];
    double *shares = cgm_h5_read(file, "/generator/class_share", NULL, CGM_H5_DOUBLE, NULL);
    int64_t *labels = cgm_h5_read(file, "/generator/label", NULL, CGM_H5_INT64, NULL);
    double *mean = cgm_h5_read(file, "/generator/mean", NULL, CGM_H5_DOUBLE, NULL);
    double *scale = cgm_h5_read(file, "/generator/scale", NULL, CGM_H5_DOUBLE, NULL);
    assert_all_ranks(comm, shares != NULL && labels != NULL && mean != NULL && scale != NULL);
    cgm_rng_words(&rng, c, 1, 0, words);
    const int64_t class = cgm_rng_uniform(words[0]) < shares[0] ? 0 : 1;
    cgm_rng_words(&rng, c, 0, 0, words);
    for (int k = 0; k < 4; k += 2) {
        cgm_rng_normal(words + k, units + k);
    }
    units[3] = class == 0 ? 1.0 : 0.0; /* after three latent numbers */
    units[4] = class == 1 ? 1.0 : 0.0;
    for (int layer = 0; layer < 3; layer++) {
        apply_layer(comm, file, layer, layer == 2, units);
    }
    for (int64_t f = 0; f < TOY_FEATURES; f++) {
        point[f] = mean[f] + scale[f] * units[f];
    }
    const int64_t label = labels[class];
    free(shares);
    free(labels);
    free(mean);
    free(scale);
    return label;
}

static void test_output_holds_the_model(void **state)
{
    cgm_comm *comm = *state;
    enum { COUNT = 70 };
    test_case made;
    cgm_model model;
    char path[64];
    cgm_h5_file file;
    toy_open(comm, 2, (int64_t[]){90, 40}, &made);
    assert_all_ranks(comm, cgm_gan_train(comm, &made.shard, &toy_options, CGM_SHARE_POOL, 3, NULL,
                                         &model) == CGM_OK);
    put_model(comm, &model, path, sizeof path);
    toy_drawing drawn = toy_draw(comm, &model, TOY_FEATURES, 0, COUNT);
    assert_all_ranks(comm, cgm_h5_open(comm, path, &file) == CGM_OK);
    for (int64_t c = 0; c < COUNT; c += 3) {
        double point[TOY_FEATURES];
        const int64_t label = draw_by_hand(comm, &file, (uint64_t)c, point);
        assert_all_ranks(comm, drawn.labels[c] == label);
        assert_close_array(comm, drawn.points + c * TOY_FEATURES, point, TOY_FEATURES, 0.0,
                           CGM_TEST_GAN_CANDIDATE * made.spread.deviation[0]);
    }
    cgm_h5_close(&file);
    cgm_comm_barrier(comm);
    if (comm->rank == 0) {
        remove(path);
    }
    toy_discard(&drawn);
    model.destroy(model.state);
    case_close(&made);
}

/* ---- data at the edge ---- */

static void test_constant_feature_stays(void **state)
{
    cgm_comm *comm = *state;
    test_case made;
    toy_open(comm, 2, (int64_t[]){90, 40}, &made);
    for (int64_t i = 0; i < made.shard.n_local_points; i++) {
        made.shard.points[i * TOY_FEATURES + 1] = 0.1;
    }
    toy_drawing drawn = toy_train_and_draw(comm, &made, &toy_options, CGM_SHARE_POOL, 100);
    bool constant = true;
    for (int64_t i = 0; i < 100; i++) {
        constant = constant && drawn.points[i * TOY_FEATURES + 1] == 0.1;
    }
    assert_all_ranks(comm, constant && drawn.points[0] != drawn.points[TOY_FEATURES]);
    toy_discard(&drawn);
    case_close(&made);
}

/* What a point of a party becomes. */
typedef void changed_point(int64_t party, int64_t row, double *point, int64_t *label);

static void change_points(test_case *made, changed_point *change)
{
    const cgm_shard *shard = &made->shard;
    for (int64_t k = 0; k < shard->n_shares; k++) {
        for (int64_t i = shard->share_first[k]; i < shard->share_first[k + 1]; i++) {
            change(shard->share_party[k], shard->share_offset[k] + i - shard->share_first[k],
                   shard->points + i * TOY_FEATURES, &shard->labels[i]);
        }
    }
}

/* The first party alone has class -3, the second alone class 8 and the one point of class 9; the
 * first two rows of each are class 4, and one place. */
static void make_odd_classes(int64_t party, int64_t row, double *point, int64_t *label)
{
    *label = party == 0 ? -3 : 8;
    if (row < 2) {
        *label = 4;
        point[0] = 0.1;
        point[1] = -7.0;
    } else if (party == 1 && row == 20) {
        *label = 9;
    }
}

static void test_outcome_describes_the_points(void **state)
{
    cgm_comm *comm = *state;
    const cgm_gan_class expected[] = {
        {-3, 88, 0, false}, {4, 4, -1, true}, {8, 37, 1, false}, {9, 1, 1, true}};
    test_case made;
    cgm_model model;
    toy_open(comm, 2, (int64_t[]){90, 40}, &made);
    change_points(&made, make_odd_classes);
    assert_all_ranks(comm, cgm_gan_train(comm, &made.shard, &toy_options, CGM_SHARE_POOL, 3, NULL,
                                         &model) == CGM_OK);
    const cgm_gan_outcome *outcome = model.state;
    assert_all_ranks(comm, outcome->n_features == 2 && outcome->n_constant == 0);
    assert_all_ranks(comm, outcome->n_parameters[0] == 8 * 6 + 7 * 6 + 7 * 2 &&
                               outcome->n_parameters[1] == 7 * 6 + 7 * 6 + 7 * 1);
    assert_all_ranks(comm, outcome->step >= 0 && outcome->step <= toy_options.steps &&
                               outcome->mmd2 <= outcome->untrained);
    assert_all_ranks(comm, outcome->n_classes == 4);
    for (int k = 0; k < 4; k++) {
        const cgm_gan_class *class = &outcome->classes[k];
        assert_all_ranks(comm, class->label == expected[k].label &&
                                   class->n_points == expected[k].n_points &&
                                   class->only_party == expected[k].only_party &&
                                   class->is_one_place == expected[k].is_one_place);
    }
    model.destroy(model.state);
    case_close(&made);
}

/* Nothing but the same point: no feature varies, and all candidates are that point. */
static void make_same(int64_t party, int64_t row, double *point, int64_t *label)
{
    (void)row;
    *label = party;
    point[0] = 0.1;
    point[1] = -1e5;
}

static void test_all_points_are_the_same(void **state)
{
    cgm_comm *comm = *state;
    test_case made;
    cgm_model model;
    toy_open(comm, 2, (int64_t[]){90, 40}, &made);
    change_points(&made, make_same);
    assert_all_ranks(comm, cgm_gan_train(comm, &made.shard, &toy_options, CGM_SHARE_POOL, 3, NULL,
                                         &model) == CGM_OK);
    const cgm_gan_outcome *outcome = model.state;
    assert_all_ranks(comm, outcome->n_constant == 2 && fabs(outcome->mmd2) < 1e-9);
    toy_drawing drawn = toy_draw(comm, &model, TOY_FEATURES, 0, 100);
    bool same = true;
    for (int64_t i = 0; i < 100; i++) {
        same = same && drawn.points[2 * i] == 0.1 && drawn.points[2 * i + 1] == -1e5;
    }
    assert_all_ranks(comm, same);
    toy_discard(&drawn);
    model.destroy(model.state);
    case_close(&made);
}

static void test_too_many_classes_are_refused(void **state)
{
    cgm_comm *comm = *state;
    test_case made;
    cgm_model model;
    toy_open(comm, 2, (int64_t[]){900, 300}, &made);
    for (int64_t i = 0; i < made.shard.n_local_points; i++) {
        made.shard.labels[i] = made.shard.first_point[comm->rank] + i;
    }
    assert_all_ranks(comm, cgm_gan_train(comm, &made.shard, &toy_options, CGM_SHARE_POOL, 3, NULL,
                                         &model) == CGM_ERR_INPUT);
    assert_all_ranks(comm, model.state == NULL);
    comm->error = (cgm_error){0};
    case_close(&made);
}

/* ---- a pause ---- */

/* Due on one rank when it has been asked so often; then kept: the training stops, or goes on. */
typedef struct pausing {
    int64_t looks_left;
    int64_t kept;
    cgm_status answer;
} pausing;

static bool is_due(cgm_comm *comm, void *state)
{
    pausing *of = state;
    return of->looks_left-- == 0 && comm->rank == comm->size - 1;
}

static cgm_status keep(cgm_comm *comm, void *state, const void *partial)
{
    pausing *of = state;
    (void)comm;
    of->kept++;
    return partial == NULL ? of->answer : CGM_ERR_BUG;
}

/* Whether there was a pause: then all ranks stop, or go on to the candidates of whole. */
static bool pause_training(cgm_comm *comm, const test_case *made, int64_t looks, cgm_status answer,
                           const toy_drawing *whole)
{
    pausing of = {looks, 0, answer};
    const cgm_pause pause = {&of, is_due, keep};
    cgm_model model;
    const cgm_status status =
        cgm_gan_train(comm, &made->shard, &toy_options, CGM_SHARE_POOL, 3, &pause, &model);
    assert_all_ranks(comm, of.kept <= 1 && status == (of.kept == 1 ? answer : CGM_OK));
    if (status == CGM_OK) {
        toy_drawing drawn = toy_draw(comm, &model, TOY_FEATURES, 0, whole->count);
        assert_all_ranks(comm, memcmp(drawn.points, whole->points,
                                      (size_t)(whole->count * TOY_FEATURES) * sizeof(double)) == 0);
        toy_discard(&drawn);
        model.destroy(model.state);
    } else {
        assert_all_ranks(comm, model.state == NULL);
    }
    return of.kept == 1;
}

/* While points are embedded, and between steps. */
static void test_pauses(void **state)
{
    cgm_comm *comm = *state;
    test_case made;
    int64_t pauses = 0;
    toy_open(comm, 2, (int64_t[]){700, 600}, &made);
    toy_drawing whole = toy_train_and_draw(comm, &made, &toy_options, CGM_SHARE_POOL, 20);
    while (pause_training(comm, &made, 3 * pauses, CGM_STOPPED, &whole)) {
        assert_all_ranks(comm, pause_training(comm, &made, 3 * pauses, CGM_OK, &whole));
        pauses++;
    }
    assert_all_ranks(comm, pauses >= 2);
    toy_discard(&whole);
    case_close(&made);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches_follow_the_parties),
        cmocka_unit_test(test_any_slice_is_part_of_the_whole),
        cmocka_unit_test(test_output_holds_the_model),
        cmocka_unit_test(test_constant_feature_stays),
        cmocka_unit_test(test_outcome_describes_the_points),
        cmocka_unit_test(test_all_points_are_the_same),
        cmocka_unit_test(test_too_many_classes_are_refused),
        cmocka_unit_test(test_pauses),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
