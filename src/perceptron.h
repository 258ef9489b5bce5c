/**
 * @file perceptron.h
 * A multilayer perceptron: its passes forwards, backwards and along a direction (generator_gan.h).
 * Internal.
 *
 * Every hidden layer is an affine map and a leaky ReLU, the last layer an affine map. Rows are
 * points; all arrays of rows are row-major. All functions are Local; a result depends on the
 * operands and the number of rows alone.
 */
#ifndef CGM_PERCEPTRON_H
#define CGM_PERCEPTRON_H

#include <stdint.h>

/** Slope of the leaky ReLU below 0. */
#define CGM_PERCEPTRON_SLOPE 0.2

/** Layers are numbered from the inputs, 0, over the hidden ones to the outputs, n_hidden + 1. */
typedef struct cgm_perceptron {
    int64_t n_inputs;
    int64_t width;    /**< of every hidden layer */
    int64_t n_hidden; /**< hidden layers, >= 0 */
    int64_t n_outputs;
} cgm_perceptron;

/** Numbers of one layer: where they begin, and how many there are. */
typedef struct cgm_perceptron_map {
    int64_t weights; /**< first of [inputs][outputs] */
    int64_t biases;  /**< first of [outputs] */
    int64_t inputs;
    int64_t outputs;
} cgm_perceptron_map;

/** The affine map from a layer to the next, within the parameters. layer 0 .. n_hidden */
cgm_perceptron_map cgm_perceptron_map_of(const cgm_perceptron *shape, int64_t layer);

/** Number of all parameters. */
int64_t cgm_perceptron_parameters(const cgm_perceptron *shape);

/** Units of a layer. */
int64_t cgm_perceptron_units(const cgm_perceptron *shape, int64_t layer);

/** Number of units of all layers together: a trace of rows has so many numbers a row. */
int64_t cgm_perceptron_trace_units(const cgm_perceptron *shape);

/** A layer within a trace: [rows][units of the layer]. */
double *cgm_perceptron_layer(const cgm_perceptron *shape, int64_t rows, double *trace,
                             int64_t layer);

/** From layer 0 of values, which is filled in, to all others.
 * @param[in,out] values  a trace: what the units of each layer put out */
void cgm_perceptron_forward(const cgm_perceptron *shape, const double *parameters, int64_t rows,
                            double *values);

/**
 * From the last layer of slopes, the derivatives of some number a row by its outputs, to all
 * others: by what goes into a hidden unit before the leaky ReLU, and, in layer 0, by the inputs.
 * @param[in]     values  of the same rows, by cgm_perceptron_forward
 * @param[in,out] slopes  a trace
 */
void cgm_perceptron_backward(const cgm_perceptron *shape, const double *parameters, int64_t rows,
                             const double *values, double *slopes);

/**
 * From layer 0 of tangents, a direction in the space of the inputs a row, to the derivatives of
 * all units along it.  The network is piecewise linear: with slopes of the outputs themselves, the
 * derivative of ½|∂output/∂inputs|² by a weight is the product of a slope and of a tangent whose
 * direction is that gradient (the second-order term of a gradient penalty).
 */
void cgm_perceptron_tangent(const cgm_perceptron *shape, const double *parameters, int64_t rows,
                            const double *values, double *tangents);

/**
 * Derivatives by the parameters, added up over the rows: Σ value·slope for a weight, Σ unit·slope
 * for a bias.
 * @param[in]  units     [rows] what stands for the constant 1 that biases multiply
 * @param[out] gradient  [parameters]
 */
void cgm_perceptron_gradient(const cgm_perceptron *shape, int64_t rows, const double *values,
                             const double *units, const double *slopes, double *gradient);

#endif
