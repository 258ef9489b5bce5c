#include "perceptron.h"

#include <stdbool.h>

#include "cgm/dense.h"

int64_t cgm_perceptron_units(const cgm_perceptron *shape, int64_t layer)
{
    return layer == 0                 ? shape->n_inputs
           : layer <= shape->n_hidden ? shape->width
                                      : shape->n_outputs;
}

cgm_perceptron_map cgm_perceptron_map_of(const cgm_perceptron *shape, int64_t layer)
{
    int64_t first = 0;
    for (int64_t l = 0;; l++) {
        const int64_t inputs = cgm_perceptron_units(shape, l);
        const int64_t outputs = cgm_perceptron_units(shape, l + 1);
        if (l == layer) {
            return (cgm_perceptron_map){first, first + inputs * outputs, inputs, outputs};
        }
        first += (inputs + 1) * outputs;
    }
}

int64_t cgm_perceptron_parameters(const cgm_perceptron *shape)
{
    const cgm_perceptron_map last = cgm_perceptron_map_of(shape, shape->n_hidden);
    return last.biases + last.outputs;
}

int64_t cgm_perceptron_trace_units(const cgm_perceptron *shape)
{
    return shape->n_inputs + shape->n_hidden * shape->width + shape->n_outputs;
}

double *cgm_perceptron_layer(const cgm_perceptron *shape, int64_t rows, double *trace,
                             int64_t layer)
{
    const int64_t before = layer == 0 ? 0 : shape->n_inputs + (layer - 1) * shape->width;
    return trace + rows * before;
}

static const double *layer_of(const cgm_perceptron *shape, int64_t rows, const double *trace,
                              int64_t layer)
{
    return cgm_perceptron_layer(shape, rows, (double *)trace, layer);
}

/* numbers [rows][columns]: adds the biases and lets the leaky ReLU act. */
static void activate(int64_t rows, int64_t columns, const double *restrict biases, bool leaky,
                     double *restrict numbers)
{
    const double slope = leaky ? CGM_PERCEPTRON_SLOPE : 1.0;
    for (int64_t i = 0; i < rows; i++) {
        double *restrict row = numbers + i * columns;
        for (int64_t k = 0; k < columns; k++) {
            const double input = row[k] + biases[k];
            row[k] = input > 0.0 ? input : slope * input;
        }
    }
}

/* numbers [count] times the leaky ReLU's derivative where its outputs were values: it keeps the
 * sign of what goes in. */
static void differentiate(int64_t count, const double *restrict values, double *restrict numbers)
{
    for (int64_t k = 0; k < count; k++) {
        numbers[k] *= values[k] > 0.0 ? 1.0 : CGM_PERCEPTRON_SLOPE;
    }
}

void cgm_perceptron_forward(const cgm_perceptron *shape, const double *parameters, int64_t rows,
                            double *values)
{
    for (int64_t l = 0; l <= shape->n_hidden; l++) {
        const cgm_perceptron_map map = cgm_perceptron_map_of(shape, l);
        double *to = cgm_perceptron_layer(shape, rows, values, l + 1);
        cgm_dense_multiply(rows, map.outputs, map.inputs,
                           cgm_perceptron_layer(shape, rows, values, l), parameters + map.weights,
                           to);
        activate(rows, map.outputs, parameters + map.biases, l < shape->n_hidden, to);
    }
}

void cgm_perceptron_backward(const cgm_perceptron *shape, const double *parameters, int64_t rows,
                             const double *values, double *slopes)
{
    for (int64_t l = shape->n_hidden; l >= 0; l--) {
        const cgm_perceptron_map map = cgm_perceptron_map_of(shape, l);
        double *to = cgm_perceptron_layer(shape, rows, slopes, l);
        cgm_dense_multiply_by_transposed(rows, map.inputs, map.outputs,
                                         cgm_perceptron_layer(shape, rows, slopes, l + 1),
                                         parameters + map.weights, to);
        if (l > 0) {
            differentiate(rows * map.inputs, layer_of(shape, rows, values, l), to);
        }
    }
}

void cgm_perceptron_tangent(const cgm_perceptron *shape, const double *parameters, int64_t rows,
                            const double *values, double *tangents)
{
    for (int64_t l = 0; l <= shape->n_hidden; l++) {
        const cgm_perceptron_map map = cgm_perceptron_map_of(shape, l);
        double *to = cgm_perceptron_layer(shape, rows, tangents, l + 1);
        cgm_dense_multiply(rows, map.outputs, map.inputs,
                           cgm_perceptron_layer(shape, rows, tangents, l), parameters + map.weights,
                           to);
        if (l < shape->n_hidden) {
            differentiate(rows * map.outputs, layer_of(shape, rows, values, l + 1), to);
        }
    }
}

void cgm_perceptron_gradient(const cgm_perceptron *shape, int64_t rows, const double *values,
                             const double *units, const double *slopes, double *gradient)
{
    for (int64_t l = 0; l <= shape->n_hidden; l++) {
        const cgm_perceptron_map map = cgm_perceptron_map_of(shape, l);
        const double *from = layer_of(shape, rows, values, l);
        const double *slope = layer_of(shape, rows, slopes, l + 1);
        cgm_dense_multiply_transposed(map.inputs, map.outputs, rows, from, slope,
                                      gradient + map.weights);
        cgm_dense_multiply(1, map.outputs, rows, units, slope, gradient + map.biases);
    }
}
