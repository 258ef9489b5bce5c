#include "svm_oracle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/rng.h"

/* A number on [0, 1) of a point. */
double recipe_number(int64_t owner, int64_t row, int64_t which)
{
    const cgm_rng rng = {11, (uint64_t)owner, CGM_RNG_SIMULATE};
    uint64_t words[4];
    cgm_rng_words(&rng, (uint64_t)row, (uint64_t)which, 0, words);
    return cgm_rng_uniform(words[0]);
}

int64_t recipe_label(const recipe *of, int64_t owner, int64_t row)
{
    /* Parties see more of one class than of the others. */
    const double share = recipe_number(owner, row, 0);
    const int64_t own = owner % of->n_classes;
    const int64_t any = (int64_t)(recipe_number(owner, row, 1) * (double)of->n_classes);
    return of->label_step * (share < 0.4 ? own : any);
}

void recipe_point(const recipe *of, int64_t owner, int64_t row, double *point)
{
    int64_t place = recipe_label(of, owner, row) / of->label_step;
    for (int64_t f = 0; f < of->n_features; f++) {
        const double noise = recipe_number(owner, row, 2 + f) - 0.5;
        point[f] = of->offset + (double)(place % 3) + of->spread * noise;
        place /= 3;
    }
}

svm_points svm_points_create(int64_t most, int64_t n_features)
{
    const size_t n = (size_t)(most > 0 ? most : 1);
    return (svm_points){.set = {.points = calloc(n, sizeof(double *)), .labels = calloc(n, 8)},
                        .memory = calloc(n * (size_t)n_features, sizeof(double)),
                        .n_features = n_features};
}

void svm_points_destroy(svm_points *all)
{
    free(all->set.points);
    free(all->set.labels);
    free(all->memory);
}

void svm_points_add(svm_points *to, const double *point, int64_t label)
{
    const int64_t k = to->set.n_points++;
    double *own = to->memory + k * to->n_features;
    memcpy(own, point, (size_t)to->n_features * sizeof *own);
    to->set.points[k] = own;
    to->set.labels[k] = label;
}

void svm_points_add_made(svm_points *to, const recipe *of, int64_t owner, int64_t row)
{
    double point[SVM_FEATURES];
    recipe_point(of, owner, row, point);
    svm_points_add(to, point, recipe_label(of, owner, row));
}

svm_points svm_points_make(const recipe *of, int64_t owner, int64_t count)
{
    svm_points made = svm_points_create(count, of->n_features);
    for (int64_t row = 0; row < count; row++) {
        svm_points_add_made(&made, of, owner, row);
    }
    return made;
}

static int compare_labels(const void *left, const void *right)
{
    const int64_t a = *(const int64_t *)left;
    const int64_t b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

static void silence(const char *text)
{
    (void)text;
}

void oracle_fill_nodes(const double *point, int64_t n_features, struct svm_node *nodes)
{
    for (int64_t f = 0; f < n_features; f++) {
        nodes[f] = (struct svm_node){(int)f + 1, point[f]};
    }
    nodes[n_features].index = -1;
}

static double gamma_of(const svm_points *from)
{
    const double n = (double)from->set.n_points;
    double variances = 0.0;
    for (int64_t f = 0; f < from->n_features; f++) {
        double mean = 0.0;
        double squares = 0.0;
        for (int64_t k = 0; k < from->set.n_points; k++) {
            mean += from->set.points[k][f] / n;
        }
        for (int64_t k = 0; k < from->set.n_points; k++) {
            squares += (from->set.points[k][f] - mean) * (from->set.points[k][f] - mean);
        }
        variances += squares / n;
    }
    const double d = (double)from->n_features;
    return 1.0 / (d * (variances / d));
}

/* Points of a class stand together, as the order of classes is that of their first points. */
oracle oracle_train(const svm_points *from)
{
    const int64_t n = from->set.n_points;
    const int64_t d = from->n_features;
    oracle made = {.nodes = calloc((size_t)(n * (d + 1)), sizeof(struct svm_node)),
                   .rows = calloc((size_t)n, sizeof(struct svm_node *)),
                   .y = calloc((size_t)n, sizeof(double)),
                   .classes = calloc((size_t)n, 8)};
    memcpy(made.classes, from->set.labels, (size_t)n * 8);
    qsort(made.classes, (size_t)n, 8, compare_labels);
    int64_t placed = 0;
    for (int64_t k = 0; k < n; k++) {
        if (k > 0 && made.classes[k] == made.classes[made.n_classes - 1]) {
            continue;
        }
        made.classes[made.n_classes++] = made.classes[k];
        for (int64_t row = 0; row < n; row++) {
            if (from->set.labels[row] == made.classes[made.n_classes - 1]) {
                made.rows[placed] = made.nodes + placed * (d + 1);
                oracle_fill_nodes(from->set.points[row], d, made.rows[placed]);
                made.y[placed++] = (double)(made.n_classes - 1);
            }
        }
    }
    const struct svm_problem problem = {(int)n, made.y, made.rows};
    const struct svm_parameter parameter = {.svm_type = C_SVC,
                                            .kernel_type = RBF,
                                            .gamma = gamma_of(from),
                                            .C = 1.0,
                                            .eps = 1e-3,
                                            .shrinking = 1,
                                            .cache_size = 50.0};
    svm_set_print_string_function(silence);
    made.model = svm_train(&problem, &parameter);
    return made;
}

int64_t oracle_predict(const oracle *by, const double *point, int64_t n_features)
{
    struct svm_node nodes[SVM_FEATURES + 1];
    oracle_fill_nodes(point, n_features, nodes);
    return by->classes[(int64_t)svm_predict(by->model, nodes)];
}

void oracle_destroy(oracle *made)
{
    svm_free_and_destroy_model(&made->model);
    free(made->nodes);
    free(made->rows);
    free(made->y);
    free(made->classes);
}

double oracle_accuracy(const svm_points *training, const svm_points *tested)
{
    if (tested->set.n_points == 0) {
        return NAN;
    }
    oracle by = oracle_train(training);
    int64_t right = 0;
    for (int64_t k = 0; k < tested->set.n_points; k++) {
        right +=
            oracle_predict(&by, tested->set.points[k], tested->n_features) == tested->set.labels[k];
    }
    oracle_destroy(&by);
    return (double)right / (double)tested->set.n_points;
}
