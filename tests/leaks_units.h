/**
 * @file leaks_units.h
 * Points of files, and the units that their coordinates may be told in; for make_leaks.
 */
#ifndef CGM_TESTS_LEAKS_UNITS_H
#define CGM_TESTS_LEAKS_UNITS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

enum { UNITS_MAX = 40 };

typedef struct points {
    int64_t count, n_features;
    double *x;
    int64_t *labels; /**< 0 where there are none */
} points;

/** x is kept as y = (x − origin)/size, of all points or of those of a label; or as matrix · y,
 * number by number over length. */
typedef struct unit {
    char name[48];
    bool of_label;
    int64_t label;
    double *origin, *size; /**< [n_features] */
    int64_t n_axes;
    double *matrix; /**< [n_axes][n_features]; NULL: as it is */
    double *length; /**< [n_axes] */
} unit;

typedef struct units {
    int64_t n_features;
    int count;
    unit of[UNITS_MAX];
} units;

/** Zeroed; ends the program where there is none. */
void *need_memory(size_t count, size_t size);

/** Adds what a file has in a group. */
void add_points(const char *path, const char *group, points *to);

/** Raw; those that the result names, unless it is NULL, of its features, its components and its
 * kernel; mean and deviation of all parties' points, and of those of each label. */
void add_units(const points *own, const points *parties, const char *result, units *all);

/** Number k of own's coordinates in a unit. @return whether it has one there */
bool in_unit(const points *own, int64_t k, const unit *in, double *y);

#endif
