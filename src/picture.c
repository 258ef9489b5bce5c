#include "cgm/picture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/accumulator.h"
#include "cgm/dense.h"
#include "cgm/projection.h"
#include "cgm/spread.h"
#include "cgm/tolerance.h"
#include "selection.h"

/* Strips reach so many standard deviations to either side: few points are beyond, whatever their
 * distribution. */
#define STRIP_DEVIATIONS 6.0
enum { STRIPS = CGM_PICTURE_STRIPS, BINS_LEAST = 8, BINS_MOST = 32 };

/* What the picture is made of. */
typedef struct painter {
    cgm_comm *comm;
    const cgm_shard *shard;
    const cgm_features *features;
    cgm_spread spread; /* of the parties' points, as they are in the shard */
    cgm_picture *picture;
    double centre[CGM_PICTURE_AXES];    /* mean of a coordinate over all points */
    double deviation[CGM_PICTURE_AXES]; /* and its standard deviation */
} painter;

double cgm_picture_coordinate(const cgm_picture *picture, const double *point, int64_t axis)
{
    const double *row = picture->projection + axis * picture->n_features;
    double sum = 0.0;
    for (int64_t f = 0; f < picture->n_features; f++) {
        sum += row[f] * (point[f] - picture->mean[f]);
    }
    return sum;
}

static bool is_projected(const painter *of)
{
    return of->features->n_components > 0;
}

/* ---- from the unit of the shard to that of the input ---- */

static double unit(const painter *of, int64_t f)
{
    return of->features->scaling != CGM_SCALE_NONE ? of->features->scale[f] : 1.0;
}

static double in_unit(const painter *of, int64_t f, double value)
{
    return of->features->scaling != CGM_SCALE_NONE
               ? value * of->features->scale[f] + of->features->mean[f]
               : value;
}

/* Coordinates of a point of the shard. point [n_features] is work space. */
static void project(const painter *of, const double *scaled, double *point,
                    double coordinates[CGM_PICTURE_AXES])
{
    if (is_projected(of)) {
        memcpy(coordinates, scaled, (size_t)of->picture->n_axes * sizeof *coordinates);
        return;
    }
    for (int64_t f = 0; f < of->picture->n_features; f++) {
        point[f] = in_unit(of, f, scaled[f]);
    }
    for (int64_t a = 0; a < of->picture->n_axes; a++) {
        coordinates[a] = cgm_picture_coordinate(of->picture, point, a);
    }
}

/* ---- axes ---- */

static void take_feature(painter *of, int64_t axis, int64_t f)
{
    of->picture->projection[axis * of->picture->n_features + f] = 1.0;
    snprintf(of->picture->axes[axis], CGM_PICTURE_AXIS, "feature %lld", (long long)f);
    of->centre[axis] = in_unit(of, f, of->spread.mean[f]);
    of->deviation[axis] = unit(of, f) * of->spread.deviation[f];
}

/* The two features of the largest variance, in their order; of equal ones the first. */
static void take_widest(painter *of)
{
    int64_t chosen[2] = {0, 1};
    for (int64_t rank = 0; rank < 2; rank++) {
        double widest = -1.0;
        for (int64_t f = 0; f < of->picture->n_features; f++) {
            const double deviation = unit(of, f) * of->spread.deviation[f];
            if (deviation > widest && (rank == 0 || f != chosen[0])) {
                widest = deviation;
                chosen[rank] = f;
            }
        }
    }
    const bool in_order = chosen[0] < chosen[1];
    take_feature(of, 0, chosen[in_order ? 0 : 1]);
    take_feature(of, 1, chosen[in_order ? 1 : 0]);
}

/* Exact sums over all parties' points of products of two features, each less its mean and divided
 * by its range: terms of at most 1. sums [d (d + 1)/2], row by row of the lower triangle. */
static void sum_products(const painter *of, double *point, cgm_accumulator *sums)
{
    const int64_t d = of->picture->n_features;
    for (int64_t i = 0; i < of->shard->n_local_points; i++) {
        for (int64_t f = 0; f < d; f++) {
            const double range = of->spread.range[f];
            const double value = of->shard->points[i * d + f];
            point[f] = range > 0.0 ? (value - of->spread.mean[f]) / range : 0.0;
        }
        cgm_accumulator *next = sums;
        for (int64_t f = 0; f < d; f++) {
            for (int64_t g = 0; g <= f; g++) {
                cgm_accumulator_add(next++, point[f] * point[g]);
            }
        }
    }
    cgm_accumulator_reduce(of->comm, sums, d * (d + 1) / 2);
}

/* The covariance of the points in the unit of the input, divided by the square of the widest range
 * there, which is returned, so that none overflows. */
static double fill_covariance(const painter *of, const cgm_accumulator *sums, double *covariance)
{
    const int64_t d = of->picture->n_features;
    double widest = 0.0;
    for (int64_t f = 0; f < d; f++) {
        widest = fmax(widest, unit(of, f) * of->spread.range[f]);
    }
    const double divisor = widest > 0.0 ? widest : 1.0;
    for (int64_t f = 0; f < d; f++) {
        for (int64_t g = 0; g <= f; g++) {
            const double both = unit(of, f) * of->spread.range[f] / divisor *
                                (unit(of, g) * of->spread.range[g] / divisor);
            const double mean = cgm_accumulator_value(sums++) / (double)of->shard->n_points;
            covariance[f * d + g] = both * mean;
            covariance[g * d + f] = both * mean;
        }
    }
    return divisor;
}

/* Axis a along an eigenvector, whose sign is free: its largest entry is positive. */
static void take_component(painter *of, int64_t axis, const double *vector, double variance)
{
    const int64_t d = of->picture->n_features;
    int64_t largest = 0;
    for (int64_t f = 1; f < d; f++) {
        largest = fabs(vector[f]) > fabs(vector[largest]) ? f : largest;
    }
    const double sign = vector[largest] < 0.0 ? -1.0 : 1.0;
    for (int64_t f = 0; f < d; f++) {
        of->picture->projection[axis * d + f] = sign * vector[f];
    }
    snprintf(of->picture->axes[axis], CGM_PICTURE_AXIS, "pc%d", (int)axis + 1);
    of->centre[axis] = 0.0;
    of->deviation[axis] = sqrt(fmax(variance, 0.0));
}

/* Rank 0 finds the eigenvectors for all: another machine's LAPACK might round otherwise. */
static cgm_status take_components(painter *of)
{
    const int64_t d = of->picture->n_features;
    const int64_t n_products = d * (d + 1) / 2;
    cgm_comm *comm = of->comm;
    cgm_accumulator *sums = cgm_alloc(comm, n_products, sizeof *sums);
    double *work = cgm_alloc(comm, d * d + d, sizeof *work);
    double *covariance = work;
    double *values = work + d * d;
    const bool complete = sums != NULL && work != NULL;
    cgm_status status = cgm_agree(comm, complete ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        sum_products(of, values, sums);
        const double divisor = fill_covariance(of, sums, covariance);
        const bool first = comm->rank == 0;
        status = cgm_agree(comm, first ? cgm_dense_eigen(comm, d, covariance, values) : CGM_OK);
        cgm_comm_broadcast(comm, work, (size_t)(d * d + d) * sizeof *work, 0);
        for (int64_t a = 0; a < of->picture->n_axes && status == CGM_OK; a++) {
            const int64_t k = d - 1 - a;
            take_component(of, a, covariance + k * d, values[k] * divisor * divisor);
        }
        for (int64_t f = 0; f < d; f++) {
            of->picture->mean[f] = in_unit(of, f, of->spread.mean[f]);
        }
    }
    free(sums);
    free(work);
    return status;
}

/* The first coordinates of the shard's points; how rewards come to them depends on what these
 * are. */
static void take_coordinates(painter *of)
{
    const cgm_features *features = of->features;
    const int64_t d = of->picture->n_features;
    for (int64_t a = 0; a < of->picture->n_axes; a++) {
        double *row = of->picture->projection + a * d;
        const double divisor = cgm_projection_unit(features, a);
        if (features->pool_projected) {
            row[a] = 1.0;
        }
        for (int64_t f = 0; f < d && !features->pool_projected; f++) {
            row[f] = features->components[a * d + f] / divisor / features->scale[f];
        }
        snprintf(of->picture->axes[a], CGM_PICTURE_AXIS, "pc%d", (int)a + 1);
        of->centre[a] = of->spread.mean[a];
        of->deviation[a] = of->spread.deviation[a];
    }
    if (!features->pool_projected) {
        memcpy(of->picture->mean, features->mean, (size_t)d * sizeof *features->mean);
    }
}

static cgm_status choose_axes(painter *of)
{
    const int64_t d = of->picture->n_features;
    if (is_projected(of)) {
        take_coordinates(of);
        return CGM_OK;
    }
    if (d > CGM_PICTURE_COMPONENTS) {
        take_widest(of);
        return CGM_OK;
    }
    if (d > CGM_PICTURE_AXES) {
        return take_components(of);
    }
    for (int64_t a = 0; a < d; a++) {
        take_feature(of, a, a);
    }
    return CGM_OK;
}

/* ---- edges ---- */

/* The strip of a value among STRIPS within low .. high; -1 and STRIPS: beyond. */
static int64_t find_strip(double value, double low, double high, int64_t strips)
{
    const double place = floor((value - low) / (high - low) * (double)strips);
    return place < 0.0              ? -1
           : place < (double)strips ? (int64_t)place
           : value <= high          ? strips - 1
                                    : strips;
}

static double strip_edge(const painter *of, int64_t axis, int64_t strip)
{
    const double half = STRIP_DEVIATIONS * of->deviation[axis];
    return of->centre[axis] - half + 2.0 * half * (double)strip / STRIPS;
}

/* Edges from the points in each strip and beyond them on either side, counts [STRIPS + 2]. */
static void trim(painter *of, int64_t axis, const int64_t *counts)
{
    int64_t first = 0;
    int64_t last = STRIPS + 1;
    for (int64_t sum = counts[0]; sum < CGM_PICTURE_LEAST;) {
        sum += counts[++first];
    }
    for (int64_t sum = counts[last]; sum < CGM_PICTURE_LEAST;) {
        sum += counts[--last];
    }
    of->picture->low[axis] = strip_edge(of, axis, first > 0 ? first - 1 : 0);
    of->picture->high[axis] = strip_edge(of, axis, last <= STRIPS ? last : STRIPS);
}

/* counts [n_axes][STRIPS + 2], point [n_features] are work space. */
static void find_edges(painter *of, int64_t *counts, double *point)
{
    const int64_t d = of->shard->n_features;
    const int64_t n_axes = of->picture->n_axes;
    for (int64_t i = 0; i < of->shard->n_local_points; i++) {
        double at[CGM_PICTURE_AXES];
        project(of, of->shard->points + i * d, point, at);
        for (int64_t a = 0; a < n_axes; a++) {
            const int64_t strip =
                find_strip(at[a], strip_edge(of, a, 0), strip_edge(of, a, STRIPS), STRIPS);
            counts[a * (STRIPS + 2) + 1 + strip]++;
        }
    }
    cgm_comm_sum(of->comm, counts, n_axes * (STRIPS + 2));
    for (int64_t a = 0; a < n_axes; a++) {
        trim(of, a, counts + a * (STRIPS + 2));
    }
}

/* Strips have a width also where all points have the same coordinate, or, of a component, the same
 * but for rounding. */
static void widen(painter *of)
{
    for (int64_t a = 0; a < of->picture->n_axes; a++) {
        const bool component = of->picture->n_features > CGM_PICTURE_AXES && of->centre[a] == 0.0;
        const double least = CGM_PICTURE_WIDTH * fabs(component ? of->deviation[0] : of->centre[a]);
        of->deviation[a] = fmax(of->deviation[a], least);
        of->deviation[a] = of->deviation[a] > 0.0 ? of->deviation[a] : 1.0;
    }
}

/* ---- counts ---- */

int64_t cgm_picture_bins(const cgm_shard *shard, int64_t n_features)
{
    const double mean = (double)shard->n_points / (double)shard->n_parties;
    const double points = fmax(mean, (double)shard->n_points / 16.0);
    const int64_t half = (int64_t)llround(0.25 * sqrt(points));
    const int64_t bins = n_features == 1 ? 4 * half : 2 * half;
    return bins < BINS_LEAST ? BINS_LEAST : bins > BINS_MOST ? BINS_MOST : bins;
}

/* The cell of a point, or -1. */
static int64_t find_cell(const cgm_picture *picture, const double at[CGM_PICTURE_AXES])
{
    int64_t cell = 0;
    for (int64_t a = 0; a < picture->n_axes; a++) {
        const int64_t bin = find_strip(at[a], picture->low[a], picture->high[a], picture->bins);
        if (bin < 0 || bin >= picture->bins) {
            return -1;
        }
        cell = cell * picture->bins + bin;
    }
    return cell;
}

static int64_t row_of(const cgm_picture *picture, int64_t party)
{
    for (int64_t k = 0; k < picture->n_shown; k++) {
        if (picture->party[k] == party) {
            return k;
        }
    }
    return -1;
}

/* point [n_features] is work space */
static void count_cells(const painter *of, double *point)
{
    const cgm_shard *shard = of->shard;
    const cgm_picture *picture = of->picture;
    int64_t *all = picture->counts + picture->n_shown * picture->n_cells;
    for (int64_t k = 0; k < shard->n_shares; k++) {
        const int64_t row = row_of(picture, shard->share_party[k]);
        for (int64_t i = shard->share_first[k]; i < shard->share_first[k + 1]; i++) {
            double at[CGM_PICTURE_AXES];
            project(of, shard->points + i * shard->n_features, point, at);
            const int64_t cell = find_cell(picture, at);
            if (cell >= 0) {
                all[cell]++;
            }
            if (cell >= 0 && row >= 0) {
                picture->counts[row * picture->n_cells + cell]++;
            }
        }
    }
    cgm_comm_sum(of->comm, picture->counts, (picture->n_shown + 1) * picture->n_cells);
}

/* No cell tells of fewer points than CGM_PICTURE_LEAST, nor does the difference between what is
 * told of all parties and of those shown: where all are shown, all together are what is told of
 * each. */
static void suppress(const cgm_shard *shard, cgm_picture *picture)
{
    const bool all_shown = picture->n_shown == shard->n_parties;
    int64_t *all = picture->counts + picture->n_shown * picture->n_cells;
    for (int64_t cell = 0; cell < picture->n_cells; cell++) {
        int64_t told = 0;
        for (int64_t k = 0; k < picture->n_shown; k++) {
            int64_t *count = &picture->counts[k * picture->n_cells + cell];
            *count = *count < CGM_PICTURE_LEAST ? 0 : *count;
            told += *count;
        }
        if (all_shown || all[cell] - told < CGM_PICTURE_LEAST) {
            all[cell] = told;
        }
    }
}

/* ---- all of it ---- */

static cgm_status allocate(cgm_comm *comm, const cgm_shard *shard, const cgm_features *features,
                           cgm_picture *picture)
{
    const int64_t seen = shard->n_features;
    const bool apart = features->n_components > 0 && !features->pool_projected;
    const int64_t d = apart ? features->n_features : seen;
    picture->n_features = d;
    picture->n_axes = seen < CGM_PICTURE_AXES ? seen : CGM_PICTURE_AXES;
    picture->bins = cgm_picture_bins(shard, seen);
    picture->n_cells = picture->n_axes == 1 ? picture->bins : picture->bins * picture->bins;
    picture->projection = cgm_alloc(comm, picture->n_axes * d, sizeof(double));
    picture->mean = cgm_alloc(comm, d, sizeof(double));
    picture->counts = cgm_alloc(comm, (picture->n_shown + 1) * picture->n_cells, sizeof(int64_t));
    const bool complete =
        picture->projection != NULL && picture->mean != NULL && picture->counts != NULL;
    return complete ? CGM_OK : CGM_ERR_MEMORY;
}

static cgm_status draw(painter *of)
{
    cgm_comm *comm = of->comm;
    int64_t *strips = cgm_alloc(comm, CGM_PICTURE_AXES * (STRIPS + 2), sizeof *strips);
    double *point = cgm_alloc(comm, of->shard->n_features, sizeof *point);
    const bool complete = strips != NULL && point != NULL;
    cgm_status status = cgm_agree(comm, complete ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        status = choose_axes(of);
    }
    if (status == CGM_OK) {
        widen(of);
        find_edges(of, strips, point);
        count_cells(of, point);
        suppress(of->shard, of->picture);
    }
    free(strips);
    free(point);
    return status;
}

cgm_status cgm_picture_draw(cgm_comm *comm, const cgm_shard *shard, const cgm_features *features,
                            const double *phi, cgm_picture *picture)
{
    *picture = (cgm_picture){0};
    if (shard->n_points < CGM_PICTURE_POINTS || shard->sealed) {
        return CGM_OK;
    }
    picture->n_shown =
        cgm_selection_choose(phi, shard->n_parties, CGM_PICTURE_PARTIES, CGM_PICTURE_PARTIES / 2,
                             CGM_PICTURE_PARTIES / 2, picture->party);
    painter of = {.comm = comm, .shard = shard, .features = features, .picture = picture};
    cgm_status status = cgm_agree(comm, allocate(comm, shard, features, picture));
    if (status == CGM_OK) {
        status = cgm_spread_measure(comm, shard, NULL, &of.spread);
    }
    if (status == CGM_OK) {
        status = draw(&of);
    }
    cgm_spread_destroy(&of.spread);
    return status;
}

void cgm_picture_destroy(cgm_picture *picture)
{
    free(picture->projection);
    free(picture->mean);
    free(picture->counts);
    *picture = (cgm_picture){0};
}
