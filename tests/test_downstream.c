/* Downstream models against LIBSVM's own predictions. */
// ranks: 1 2
// timeout: 120
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "svm_oracle.h"

static cgm_downstream_model train(cgm_comm *comm, const svm_points *from)
{
    cgm_downstream_model model;
    assert_all_ranks(comm, cgm_downstream_train(comm, &from->set, from->n_features,
                                                cgm_instruction_set_best(), &model) == CGM_OK);
    return model;
}

static int64_t *predict(cgm_comm *comm, const cgm_downstream_model *model, const svm_points *tested)
{
    int64_t *predicted = calloc((size_t)tested->set.n_points, sizeof *predicted);
    assert_all_ranks(comm, cgm_downstream_predict(comm, model, &tested->set, predicted) == CGM_OK);
    return predicted;
}

/* What svm_predict says of the very model, whose points are centred and scaled. */
static int64_t predict_plainly(const cgm_downstream_model *model, const double *point)
{
    double scaled[SVM_FEATURES];
    struct svm_node nodes[SVM_FEATURES + 1];
    for (int64_t f = 0; f < model->n_features; f++) {
        scaled[f] = (point[f] - model->centre[f]) / (model->kernel.lengthscale * sqrt(2.0));
    }
    oracle_fill_nodes(scaled, model->n_features, nodes);
    return model->classes[(int64_t)svm_predict(model->svm, nodes)];
}

/* How many classes share the most votes at a point. */
static int64_t count_winners(const cgm_downstream_model *model, const double *point)
{
    const int n = (int)model->n_classes;
    double *decisions = calloc((size_t)(n * (n - 1) / 2), sizeof *decisions);
    int64_t *votes = calloc((size_t)n, sizeof *votes);
    double scaled[SVM_FEATURES];
    struct svm_node nodes[SVM_FEATURES + 1];
    for (int64_t f = 0; f < model->n_features; f++) {
        scaled[f] = (point[f] - model->centre[f]) / (model->kernel.lengthscale * sqrt(2.0));
    }
    oracle_fill_nodes(scaled, model->n_features, nodes);
    svm_predict_values(model->svm, nodes, decisions);
    for (int a = 0, pair = 0; a < n; a++) {
        for (int b = a + 1; b < n; b++) {
            votes[decisions[pair++] > 0.0 ? a : b]++;
        }
    }
    int64_t most = 0;
    int64_t winners = 0;
    for (int a = 0; a < n; a++) {
        winners = votes[a] > most ? 1 : winners + (votes[a] == most);
        most = votes[a] > most ? votes[a] : most;
    }
    free(decisions);
    free(votes);
    return winners;
}

/* Two, some and so many classes that a block holds fewer points; some votes are ties. */
static void test_predictions_as_libsvm(void **state)
{
    cgm_comm *comm = *state;
    const struct {
        recipe made;
        int64_t n_training, n_tested;
    } cases[] = {
        {{2, 2, 1.5, 0.0, 1}, 700, 1100},
        {{3, 5, 2.0, 5.0, 7}, 900, 600},
        {{5, 40, 3.0, 0.0, 3}, 900, 520},
        {{6, 150, 1.0, -2.0, 1}, 450, 500},
    };
    int64_t ties = 0;
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        svm_points training = svm_points_make(&cases[c].made, 0, cases[c].n_training);
        svm_points tested = svm_points_make(&cases[c].made, 1, cases[c].n_tested);
        cgm_downstream_model model = train(comm, &training);
        int64_t *predicted = predict(comm, &model, &tested);
        int64_t different = 0;
        for (int64_t k = 0; k < cases[c].n_tested; k++) {
            different += predicted[k] != predict_plainly(&model, tested.set.points[k]);
            ties += c == 2 && count_winners(&model, tested.set.points[k]) > 1;
        }
        assert_all_ranks(comm, model.svm->l > (c == 0 ? 128 : 200));
        assert_all_ranks(comm, different == 0);
        free(predicted);
        cgm_downstream_model_destroy(&model);
        svm_points_destroy(&training);
        svm_points_destroy(&tested);
    }
    assert_all_ranks(comm, ties > 5);
}

/* Centring and scaling change nothing, and neither does an offset that would cost LIBSVM digits. */
static void test_model_as_libsvm(void **state)
{
    cgm_comm *comm = *state;
    const recipe made = {3, 4, 1.8, 0.0, 1};
    recipe moved = made;
    moved.offset = 1048576.0;
    svm_points training = svm_points_make(&made, 3, 500);
    svm_points tested = svm_points_make(&made, 4, 700);
    svm_points moved_training = svm_points_make(&moved, 3, 500);
    svm_points moved_tested = svm_points_make(&moved, 4, 700);
    oracle by = oracle_train(&training);
    cgm_downstream_model model = train(comm, &training);
    cgm_downstream_model moved_model = train(comm, &moved_training);
    int64_t *predicted = predict(comm, &model, &tested);
    int64_t *moved_predicted = predict(comm, &moved_model, &moved_tested);
    int64_t different = 0;
    for (int64_t k = 0; k < 700; k++) {
        const int64_t expected = oracle_predict(&by, tested.set.points[k], 3);
        different += predicted[k] != expected || moved_predicted[k] != expected;
    }
    assert_all_ranks(comm, different == 0);
    free(predicted);
    free(moved_predicted);
    cgm_downstream_model_destroy(&model);
    cgm_downstream_model_destroy(&moved_model);
    oracle_destroy(&by);
    svm_points_destroy(&training);
    svm_points_destroy(&tested);
    svm_points_destroy(&moved_training);
    svm_points_destroy(&moved_tested);
}

/* Labels that no double tells apart; points in classes far from each other. */
static void test_separate_classes(void **state)
{
    cgm_comm *comm = *state;
    const int64_t labels[] = {INT64_MIN, -1, (INT64_C(1) << 60), (INT64_C(1) << 60) + 1, INT64_MAX};
    svm_points training = svm_points_create(100, 1);
    svm_points tested = svm_points_create(50, 1);
    for (int64_t k = 0; k < 100; k++) {
        const double at = (double)(k % 5) + 0.01 * recipe_number(9, k, 0);
        svm_points_add(&training, &at, labels[k % 5]);
        if (k < 50) {
            const double near = (double)(k % 5) - 0.02;
            svm_points_add(&tested, &near, labels[k % 5]);
        }
    }
    cgm_downstream_model model = train(comm, &training);
    int64_t *predicted = predict(comm, &model, &tested);
    assert_all_ranks(comm, memcmp(predicted, tested.set.labels, 50 * sizeof *predicted) == 0);
    free(predicted);
    cgm_downstream_model_destroy(&model);
    svm_points_destroy(&training);
    svm_points_destroy(&tested);
}

/* A single class is what is predicted; where all points are the same, the class of most of them. */
static void test_nothing_to_learn_from(void **state)
{
    cgm_comm *comm = *state;
    const double values[] = {0.3, 1e150, -4.0, 1e-170};
    for (int c = 0; c < 2; c++) {
        svm_points training = svm_points_create(7, 2);
        svm_points tested = svm_points_create(4, 2);
        for (int64_t k = 0; k < 7; k++) {
            svm_points_add(&training, c == 0 ? (double[]){(double)k, 1.0} : (double[]){0.1, 0.1},
                           c == 1 && k % 3 == 0 ? -5 : 8);
        }
        for (int64_t k = 0; k < 4; k++) {
            svm_points_add(&tested, (double[]){values[k], 0.1}, 8);
        }
        cgm_downstream_model model = train(comm, &training);
        int64_t *predicted = predict(comm, &model, &tested);
        assert_all_ranks(comm, (model.svm == NULL) == (c == 0));
        assert_all_ranks(comm, memcmp(predicted, tested.set.labels, 4 * sizeof *predicted) == 0);
        free(predicted);
        cgm_downstream_model_destroy(&model);
        svm_points_destroy(&training);
        svm_points_destroy(&tested);
    }
}

/* Neither squares that would overflow nor such that would vanish matter. */
static void test_extreme_coordinates(void **state)
{
    cgm_comm *comm = *state;
    const double units[] = {1.0, 3e149, 1e-200};
    const recipe made = {2, 3, 1.2, 0.0, 1};
    int64_t first[100] = {0};
    for (int c = 0; c < 3; c++) {
        svm_points training = svm_points_make(&made, 5, 200);
        svm_points tested = svm_points_make(&made, 6, 100);
        for (int64_t k = 0; k < 400; k++) {
            training.memory[k] *= units[c];
        }
        for (int64_t k = 0; k < 200; k++) {
            tested.memory[k] *= units[c];
        }
        cgm_downstream_model model = train(comm, &training);
        int64_t *predicted = predict(comm, &model, &tested);
        assert_all_ranks(comm, c == 0 || memcmp(predicted, first, sizeof first) == 0);
        if (c == 0) {
            memcpy(first, predicted, sizeof first);
        }
        free(predicted);
        cgm_downstream_model_destroy(&model);
        svm_points_destroy(&training);
        svm_points_destroy(&tested);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_predictions_as_libsvm), cmocka_unit_test(test_model_as_libsvm),
        cmocka_unit_test(test_separate_classes),      cmocka_unit_test(test_nothing_to_learn_from),
        cmocka_unit_test(test_extreme_coordinates),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
