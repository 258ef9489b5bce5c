#include "cgm/downstream.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <svm.h>

#include "cgm/dense.h"

/* Support vectors, and points, whose kernel values are held at a time: they stay in a core's cache.
 */
enum { CHUNK = 128 };
/* Most decision values that are held at a time. */
enum { MOST_DECISIONS = 1 << 22 };
/* Of LIBSVM's cache of kernel values. More saves little time up to some ten features. */
enum { CACHE_BYTES = 256 << 20 };
/* What LIBSVM takes for a point and for a pair of classes, at most, beside coefficients. */
enum { POINT_BYTES = 256, PAIR_BYTES = 128 };

void cgm_downstream_library_version(char text[32])
{
    snprintf(text, 32, "%d.%02d", libsvm_version / 100, libsvm_version % 100);
}

static int64_t pairs_of(int64_t n_classes)
{
    return n_classes * (n_classes - 1) / 2;
}

/* ---- training ---- */

/* Points of a training set by class. */
typedef struct ordered_point {
    int64_t label;
    int64_t number;
} ordered_point;

static int compare_points(const void *left, const void *right)
{
    const ordered_point *a = left;
    const ordered_point *b = right;
    if (a->label != b->label) {
        return a->label < b->label ? -1 : 1;
    }
    return a->number < b->number ? -1 : a->number > b->number;
}

/* order [n_points] of the set's points; and the classes of the model. */
static cgm_status find_classes(cgm_comm *comm, const cgm_labelled *set, ordered_point *order,
                               cgm_downstream_model *model)
{
    for (int64_t k = 0; k < set->n_points; k++) {
        order[k] = (ordered_point){set->labels[k], k};
    }
    qsort(order, (size_t)set->n_points, sizeof *order, compare_points);
    int64_t count = 1;
    for (int64_t k = 1; k < set->n_points; k++) {
        count += order[k].label != order[k - 1].label;
    }
    model->classes = cgm_alloc(comm, count, sizeof *model->classes);
    if (model->classes == NULL) {
        return CGM_ERR_MEMORY;
    }
    for (int64_t k = 0; k < set->n_points; k++) {
        if (k == 0 || order[k].label != order[k - 1].label) {
            model->classes[model->n_classes++] = order[k].label;
        }
    }
    return CGM_OK;
}

/* Centre and kernel: γ = 1/(2ℓ²). @return √(d · mean feature variance), what points are divided by
 */
static double measure_spread(const cgm_labelled *set, cgm_downstream_model *model)
{
    const int64_t d = model->n_features;
    const double n = (double)set->n_points;
    double widest = 0.0;
    for (int64_t f = 0; f < d; f++) {
        double low = INFINITY;
        double high = -INFINITY;
        double sum = 0.0;
        for (int64_t k = 0; k < set->n_points; k++) {
            const double value = set->points[k][f];
            low = fmin(low, value);
            high = fmax(high, value);
            sum += value - set->points[0][f];
        }
        widest = fmax(widest, high - low);
        model->centre[f] = set->points[0][f] + sum / n;
    }
    double squares = 0.0; /* in units of the widest range, so that none overflows */
    for (int64_t k = 0; k < set->n_points && widest > 0.0; k++) {
        for (int64_t f = 0; f < d; f++) {
            const double part = (set->points[k][f] - model->centre[f]) / widest;
            squares += part * part;
        }
    }
    /* d · mean over features = Σ over features */
    const double scale = widest > 0.0 ? widest * sqrt(squares / n) : 1.0;
    model->kernel.lengthscale = scale * sqrt(0.5);
    return scale;
}

/* What LIBSVM is given. */
typedef struct svm_input {
    struct svm_problem problem;
    struct svm_parameter parameter;
    ordered_point *order; /* [n_points] */
} svm_input;

/* As LIBSVM wants points: [n_points][n_features + 1]. */
static void fill_nodes(const cgm_labelled *set, double scale, svm_input *input,
                       cgm_downstream_model *model)
{
    const int64_t d = model->n_features;
    int64_t at = 0; /* number of the class */
    for (int64_t k = 0; k < set->n_points; k++) {
        struct svm_node *node = model->nodes + k * (d + 1);
        const double *point = set->points[input->order[k].number];
        for (int64_t f = 0; f < d; f++) {
            node[f] = (struct svm_node){(int)f + 1, (point[f] - model->centre[f]) / scale};
        }
        node[d] = (struct svm_node){-1, 0.0};
        at += input->order[k].label != model->classes[at];
        input->problem.x[k] = node;
        input->problem.y[k] = (double)at;
    }
}

/* Points of the two largest classes. */
static int64_t largest_pair(const svm_input *input, int64_t n_points)
{
    int64_t largest = 0;
    int64_t second = 0;
    for (int64_t k = 0, first = 0; k < n_points; k++) {
        if (k + 1 == n_points || input->problem.y[k + 1] != input->problem.y[k]) {
            const int64_t count = k + 1 - first;
            second = count > largest ? largest : count > second ? count : second;
            largest = count > largest ? count : largest;
            first = k + 1;
        }
    }
    return largest + second;
}

/* LIBSVM uses what it is given without looking whether it is NULL. */
static cgm_status try_memory(cgm_comm *comm, const cgm_labelled *set, int64_t n_classes,
                             double cache_bytes)
{
    const double coefficients = (double)(2 * sizeof(double)) * (double)(n_classes - 1);
    const double bytes = cache_bytes + (coefficients + POINT_BYTES) * (double)set->n_points +
                         PAIR_BYTES * (double)pairs_of(n_classes);
    void *memory = cgm_alloc(comm, (int64_t)bytes, 1);
    free(memory);
    return memory == NULL ? CGM_ERR_MEMORY : CGM_OK;
}

static void say_nothing(const char *text)
{
    (void)text;
}

static cgm_status train_pairs(cgm_comm *comm, const cgm_labelled *set, double scale,
                              svm_input *input, cgm_downstream_model *model)
{
    const int64_t d = model->n_features;
    const int64_t n = set->n_points;
    model->nodes = cgm_alloc(comm, n, (size_t)(d + 1) * sizeof *model->nodes);
    input->problem.x = cgm_alloc(comm, n, sizeof(void *));
    input->problem.y = cgm_alloc(comm, n, sizeof *input->problem.y);
    if (model->nodes == NULL || input->problem.x == NULL || input->problem.y == NULL) {
        return CGM_ERR_MEMORY;
    }
    input->problem.l = cgm_int(n);
    fill_nodes(set, scale, input, model);
    const double pair = (double)largest_pair(input, n);
    const double cache_bytes = fmin(CACHE_BYTES, sizeof(float) * pair * pair);
    input->parameter = (struct svm_parameter){
        .svm_type = C_SVC,
        .kernel_type = RBF,
        .gamma = 1.0,
        .C = 1.0,
        .eps = 1e-3,
        .shrinking = 1,
        .cache_size = fmax(1.0, cache_bytes / (1 << 20)),
    };
    cgm_status status = try_memory(comm, set, model->n_classes, cache_bytes);
    if (status == CGM_OK) {
#pragma omp critical(cgm_downstream_print)
        svm_set_print_string_function(say_nothing);
        model->svm = svm_train(&input->problem, &input->parameter);
    }
    return status;
}

/* ---- points in packed form ---- */

/* A block of points, and room to copy them to. */
typedef struct packing {
    cgm_block block;
    cgm_segment segment;
    double *rows; /* [points][n_features] */
} packing;

static cgm_status packing_create(cgm_comm *comm, int64_t n_points, int64_t n_features, packing *to)
{
    *to = (packing){.rows = cgm_alloc(comm, n_points * n_features, sizeof *to->rows)};
    to->block.coordinates = cgm_alloc_aligned(comm, n_points * n_features);
    return to->rows == NULL || to->block.coordinates == NULL ? CGM_ERR_MEMORY : CGM_OK;
}

static void packing_destroy(packing *to)
{
    free(to->rows);
    free(to->block.coordinates);
}

static void pack(const cgm_kernel *kernel, const double *const *points, int64_t count, packing *to)
{
    const int64_t d = kernel->n_features;
    for (int64_t k = 0; k < count; k++) {
        memcpy(to->rows + k * d, points[k], (size_t)d * sizeof *to->rows);
    }
    to->segment = (cgm_segment){.n_points = count};
    to->block.n_points = count;
    to->block.stride = (count + CGM_LANES - 1) / CGM_LANES * CGM_LANES;
    to->block.n_segments = 1;
    to->block.segments = &to->segment;
    cgm_kernel_pack(kernel, to->rows, &to->segment, &to->block);
    cgm_kernel_look(kernel, &to->block);
}

/* Support vectors as cgm_kernel_score takes them. */
static cgm_status pack_support(cgm_comm *comm, const cgm_labelled *set, const ordered_point *order,
                               cgm_downstream_model *model)
{
    const int64_t d = model->n_features;
    const int64_t count = model->svm->l;
    packing one;
    cgm_status status = packing_create(comm, CGM_LANES, d, &one);
    model->support = cgm_alloc(comm, count * d, sizeof *model->support);
    if (model->support == NULL) {
        status = CGM_ERR_MEMORY;
    }
    for (int64_t k = 0; k < count && status == CGM_OK; k++) {
        const int64_t number = order[model->svm->sv_indices[k] - 1].number;
        pack(&model->kernel, &set->points[number], 1, &one);
        cgm_kernel_point(&model->kernel, &one.block, 0, model->support + k * d);
    }
    packing_destroy(&one);
    return status;
}

cgm_status cgm_downstream_train(cgm_comm *comm, const cgm_labelled *set, int64_t n_features,
                                cgm_instruction_set instruction_set, cgm_downstream_model *model)
{
    *model = (cgm_downstream_model){.n_features = n_features};
    svm_input input = {.order = cgm_alloc(comm, set->n_points, sizeof *input.order)};
    model->centre = cgm_alloc(comm, n_features, sizeof *model->centre);
    bool refused = input.order == NULL || model->centre == NULL;
    cgm_status status = refused ? CGM_ERR_MEMORY : find_classes(comm, set, input.order, model);
    if (status == CGM_OK) {
        model->kernel = (cgm_kernel){.type = CGM_KERNEL_SE,
                                     .n_features = n_features,
                                     .centre = model->centre,
                                     .instruction_set = instruction_set};
        const double scale = measure_spread(set, model);
        if (model->n_classes > 1 && model->n_classes <= CGM_DOWNSTREAM_CLASSES) {
            status = train_pairs(comm, set, scale, &input, model);
        }
    }
    if (model->svm != NULL) {
        status = pack_support(comm, set, input.order, model);
    }
    free(input.order);
    free(input.problem.x);
    free(input.problem.y);
    return status;
}

void cgm_downstream_model_destroy(cgm_downstream_model *model)
{
    if (model->svm != NULL) {
        svm_free_and_destroy_model(&model->svm);
    }
    free(model->classes);
    free(model->centre);
    free(model->nodes);
    free(model->support);
    *model = (cgm_downstream_model){0};
}

/* ---- prediction ---- */

/* Work space for a block of points. Columns are its points, padded to CGM_LANES. */
typedef struct prediction {
    const cgm_downstream_model *model;
    int64_t most_points; /* of a block */
    packing points;
    double *kernel_rows;  /* [CHUNK][columns] k of support vectors with the points */
    double *coefficients; /* [n_classes - 1][chunk] */
    double *products;     /* [n_classes - 1][columns] */
    double *decisions;    /* [pairs][columns] */
    double *zeros;        /* [columns] */
    int32_t *votes;       /* [n_classes][columns] */
} prediction;

static cgm_status prediction_create(cgm_comm *comm, const cgm_downstream_model *model,
                                    prediction *p)
{
    const int64_t k = model->n_classes;
    const int64_t most = MOST_DECISIONS / pairs_of(k) / CGM_LANES * CGM_LANES;
    const int64_t columns = most > CGM_BLOCK_POINTS ? CGM_BLOCK_POINTS : most;
    *p = (prediction){.model = model, .most_points = columns};
    cgm_status status = packing_create(comm, columns, model->n_features, &p->points);
    p->kernel_rows = cgm_alloc_aligned(comm, CHUNK * columns);
    p->coefficients = cgm_alloc(comm, (k - 1) * CHUNK, sizeof *p->coefficients);
    p->products = cgm_alloc(comm, (k - 1) * columns, sizeof *p->products);
    p->decisions = cgm_alloc(comm, pairs_of(k) * columns, sizeof *p->decisions);
    p->zeros = cgm_alloc_aligned(comm, columns);
    p->votes = cgm_alloc(comm, k * columns, sizeof *p->votes);
    bool complete = p->kernel_rows != NULL && p->coefficients != NULL && p->products != NULL &&
                    p->decisions != NULL && p->zeros != NULL && p->votes != NULL;
    return status == CGM_OK && complete ? CGM_OK : CGM_ERR_MEMORY;
}

static void prediction_destroy(prediction *p)
{
    packing_destroy(&p->points);
    free(p->kernel_rows);
    free(p->coefficients);
    free(p->products);
    free(p->decisions);
    free(p->zeros);
    free(p->votes);
}

/* k of support vectors first .. first + count - 1 with the block's points. */
static void evaluate_kernel(prediction *p, int64_t first, int64_t count)
{
    const cgm_downstream_model *model = p->model;
    const int64_t columns = p->points.block.stride;
    cgm_score scores[CHUNK];
    memset(p->kernel_rows, 0, (size_t)(count * columns) * sizeof *p->kernel_rows);
    for (int64_t k = 0; k < count; k++) {
        scores[k] = (cgm_score){.point = model->support + (first + k) * model->n_features,
                                .affinity = p->kernel_rows + k * columns,
                                .extremes = {INFINITY, -INFINITY}};
    }
    cgm_kernel_score(&model->kernel, &p->points.block, p->zeros, count, scores);
}

/* The row of the pair of classes a < b among decisions. */
static int64_t pair_row(int64_t n_classes, int64_t a, int64_t b)
{
    return a * n_classes - a * (a + 1) / 2 + b - a - 1;
}

/* What support vectors first .. first + count - 1, all of one class, add to the decisions between
 * it and each other class. */
static void add_chunk(prediction *p, int64_t own, int64_t first, int64_t count)
{
    const int64_t n_classes = p->model->n_classes;
    const int64_t columns = p->points.block.stride;
    evaluate_kernel(p, first, count);
    for (int64_t q = 0; q < n_classes - 1; q++) {
        memcpy(p->coefficients + q * count, p->model->svm->sv_coef[q] + first,
               (size_t)count * sizeof *p->coefficients);
    }
    cgm_dense_multiply(n_classes - 1, columns, count, p->coefficients, p->kernel_rows, p->products);
    for (int64_t q = 0; q < n_classes - 1; q++) {
        const int64_t pair =
            q < own ? pair_row(n_classes, q, own) : pair_row(n_classes, own, q + 1);
        double *decisions = p->decisions + pair * columns;
        const double *products = p->products + q * columns;
        for (int64_t c = 0; c < columns; c++) {
            decisions[c] += products[c];
        }
    }
}

/* Each pair of classes has a vote, which the first class gets for a decision above 0. */
static void count_votes(prediction *p)
{
    const int64_t n_classes = p->model->n_classes;
    const int64_t columns = p->points.block.stride;
    memset(p->votes, 0, (size_t)(n_classes * columns) * sizeof *p->votes);
    const double *decisions = p->decisions;
    for (int64_t a = 0; a < n_classes; a++) {
        for (int64_t b = a + 1; b < n_classes; b++, decisions += columns) {
            for (int64_t c = 0; c < columns; c++) {
                p->votes[a * columns + c] += decisions[c] > 0.0;
                p->votes[b * columns + c] += !(decisions[c] > 0.0);
            }
        }
    }
}

/* Of classes with as many votes the first. */
static int64_t winner(const prediction *p, int64_t column)
{
    int64_t best = 0;
    for (int64_t a = 1; a < p->model->n_classes; a++) {
        const int32_t *votes = p->votes + column;
        const int64_t columns = p->points.block.stride;
        best = votes[a * columns] > votes[best * columns] ? a : best;
    }
    return best;
}

static void predict_block(prediction *p, const double *const *points, int64_t count,
                          int64_t *predicted)
{
    const struct svm_model *svm = p->model->svm;
    pack(&p->model->kernel, points, count, &p->points);
    const int64_t columns = p->points.block.stride;
    double *decisions = p->decisions;
    for (int64_t pair = 0; pair < pairs_of(p->model->n_classes); pair++, decisions += columns) {
        for (int64_t c = 0; c < columns; c++) {
            decisions[c] = -svm->rho[pair];
        }
    }
    int64_t first = 0;
    for (int64_t own = 0; own < p->model->n_classes; own++) {
        const int64_t end = first + svm->nSV[own];
        for (; first < end; first += CHUNK) {
            add_chunk(p, own, first, end - first < CHUNK ? end - first : CHUNK);
        }
        first = end;
    }
    count_votes(p);
    for (int64_t c = 0; c < count; c++) {
        predicted[c] = p->model->classes[winner(p, c)];
    }
}

cgm_status cgm_downstream_predict(cgm_comm *comm, const cgm_downstream_model *model,
                                  const cgm_labelled *set, int64_t *predicted)
{
    if (model->svm == NULL) {
        for (int64_t k = 0; k < set->n_points; k++) {
            predicted[k] = model->classes[0];
        }
        return CGM_OK;
    }
    prediction p;
    cgm_status status = prediction_create(comm, model, &p);
    for (int64_t k = 0; k < set->n_points && status == CGM_OK; k += p.most_points) {
        const int64_t left = set->n_points - k;
        predict_block(&p, set->points + k, left < p.most_points ? left : p.most_points,
                      predicted + k);
    }
    prediction_destroy(&p);
    comm->counters.kernel_evaluations += set->n_points * model->svm->l;
    return status;
}
