#include "leaks_units.h"

#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void *need_memory(size_t count, size_t size)
{
    void *memory = calloc(count + 1, size);
    if (memory == NULL) {
        fprintf(stderr, "make_leaks: no memory\n");
        exit(2);
    }
    return memory;
}

/* ---- points ---- */

/* Adds to *values what the dataset holds, as numbers of the type. @return rows; 0 without it */
static int64_t append(hid_t file, const char *path, hid_t type, size_t size, int64_t old,
                      void **values, int64_t *columns)
{
    if (H5Lexists(file, path, H5P_DEFAULT) <= 0) {
        return 0;
    }
    hid_t set = H5Dopen(file, path, H5P_DEFAULT);
    hid_t space = H5Dget_space(set);
    hsize_t dims[2] = {1, 1};
    H5Sget_simple_extent_dims(space, dims, NULL);
    char *all = need_memory((size_t)old + dims[0] * dims[1], size);
    if (old > 0) {
        memcpy(all, *values, (size_t)old * size);
    }
    if (set < 0 ||
        H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, all + (size_t)old * size) < 0) {
        fprintf(stderr, "make_leaks: cannot read %s\n", path);
        exit(2);
    }
    H5Sclose(space);
    H5Dclose(set);
    free(*values);
    *values = all;
    *columns = (int64_t)dims[1];
    return (int64_t)dims[0];
}

static hid_t open_file(const char *path)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file < 0) {
        fprintf(stderr, "make_leaks: cannot open %s\n", path);
        exit(2);
    }
    return file;
}

void add_points(const char *path, const char *group, points *to)
{
    char name[64];
    int64_t ignored;
    hid_t file = open_file(path);
    snprintf(name, sizeof name, "%s/data", group);
    const int64_t rows = append(file, name, H5T_NATIVE_DOUBLE, sizeof(double),
                                to->count * to->n_features, (void **)&to->x, &to->n_features);
    snprintf(name, sizeof name, "%s/labels", group);
    void *labels = to->labels;
    if (append(file, name, H5T_NATIVE_INT64, sizeof(int64_t), to->count, &labels, &ignored) == 0) {
        int64_t *none = need_memory((size_t)(to->count + rows), sizeof *none);
        if (to->count > 0) {
            memcpy(none, labels, (size_t)to->count * sizeof *none);
        }
        free(labels);
        labels = none;
    }
    to->labels = labels;
    to->count += rows;
    H5Fclose(file);
}

/* ---- units ---- */

static unit *add_unit(units *all, const char *name)
{
    if (all->count == UNITS_MAX) {
        fprintf(stderr, "make_leaks: too many units\n");
        exit(2);
    }
    unit *new = &all->of[all->count++];
    snprintf(new->name, sizeof new->name, "%s", name);
    new->origin = need_memory((size_t)all->n_features, sizeof(double));
    new->size = need_memory((size_t)all->n_features, sizeof(double));
    for (int64_t f = 0; f < all->n_features; f++) {
        new->size[f] = 1.0;
    }
    return new;
}

/* Mean and deviation of all parties' points, or of those of a label. */
static void add_standard(units *all, const points *everybody, bool of_label, int64_t label)
{
    char name[48] = "standard";
    if (of_label) {
        snprintf(name, sizeof name, "standard of %lld", (long long)label);
    }
    unit *new = add_unit(all, name);
    new->of_label = of_label;
    new->label = label;
    const int64_t d = all->n_features;
    for (int64_t f = 0; f < d; f++) {
        double count = 0.0;
        double sum = 0.0;
        double squares = 0.0;
        for (int pass = 0; pass < 2; pass++) {
            for (int64_t i = 0; i < everybody->count; i++) {
                if (!of_label || everybody->labels[i] == label) {
                    const double off = everybody->x[i * d + f] - (pass > 0 ? sum / count : 0.0);
                    count += pass == 0;
                    sum += pass == 0 ? off : 0.0;
                    squares += pass == 0 ? 0.0 : off * off;
                }
            }
        }
        new->origin[f] = sum / count;
        new->size[f] = squares > 0.0 ? sqrt(squares / count) : 1.0;
    }
}

/* What a result says of units. */
typedef struct told {
    int64_t n_lengthscales, n_axes;
    bool scaled, whitened;
    double *lengthscale, *mean, *scale, *components, *variance;
} told;

static int64_t append_numbers(hid_t file, const char *path, double **numbers)
{
    int64_t columns;
    void *values = NULL;
    const int64_t rows =
        append(file, path, H5T_NATIVE_DOUBLE, sizeof(double), 0, &values, &columns);
    *numbers = values;
    return rows;
}

static told read_result(const char *path, int64_t d)
{
    hid_t file = open_file(path);
    told says = {.n_lengthscales = 0};
    says.n_lengthscales = append_numbers(file, "/kernel/lengthscale", &says.lengthscale);
    if (H5Lexists(file, "/features", H5P_DEFAULT) > 0) {
        says.scaled = append_numbers(file, "/features/mean", &says.mean) == d &&
                      append_numbers(file, "/features/scale", &says.scale) == d;
        says.n_axes = append_numbers(file, "/features/components", &says.components);
        append_numbers(file, "/features/explained_variance", &says.variance);
    }
    if (says.n_axes > 0) {
        int64_t whitened = 0;
        hid_t attribute = H5Aopen_by_name(file, "/features", "whitened", H5P_DEFAULT, H5P_DEFAULT);
        H5Aread(attribute, H5T_NATIVE_INT64, &whitened);
        H5Aclose(attribute);
        says.whitened = whitened != 0;
    }
    H5Fclose(file);
    return says;
}

/* Scaled, and on components where there are some. */
static unit *add_told(units *all, const told *says, const char *name, bool on_components)
{
    const int64_t d = all->n_features;
    unit *new = add_unit(all, name);
    for (int64_t f = 0; f < d && says->scaled; f++) {
        new->origin[f] = says->mean[f];
        new->size[f] = says->scale[f];
    }
    if (on_components && says->n_axes > 0) {
        new->n_axes = says->n_axes;
        new->matrix = says->components;
        new->length = need_memory((size_t)says->n_axes, sizeof(double));
        for (int64_t k = 0; k < says->n_axes; k++) {
            new->length[k] = 1.0;
        }
    }
    return new;
}

static void whiten(const told *says, unit *in)
{
    for (int64_t k = 0; k < says->n_axes && says->whitened; k++) {
        in->length[k] *= sqrt(says->variance[k]);
    }
}

static void add_of_result(units *all, const char *path)
{
    const told says = read_result(path, all->n_features);
    const int64_t n_seen = says.n_axes > 0 ? says.n_axes : all->n_features;
    if (says.scaled) {
        add_told(all, &says, "features", false);
    }
    if (says.n_axes > 0) {
        add_told(all, &says, "rotated", true);
        whiten(&says, add_told(all, &says, "projected", true));
    }
    if (says.n_lengthscales == 1 || says.n_lengthscales == n_seen) {
        unit *kernel = add_told(all, &says, "kernel", true);
        whiten(&says, kernel);
        double *size = says.n_axes > 0 ? kernel->length : kernel->size;
        for (int64_t f = 0; f < n_seen; f++) {
            size[f] *= says.lengthscale[says.n_lengthscales == 1 ? 0 : f];
        }
    }
}

/* The first point of the same label. */
static int64_t first_alike(const points *everybody, int64_t i)
{
    for (int64_t j = 0; j < i; j++) {
        if (everybody->labels[j] == everybody->labels[i]) {
            return j;
        }
    }
    return i;
}

void add_units(const points *own, const points *parties, const char *result, units *all)
{
    all->n_features = own->n_features;
    add_unit(all, "raw");
    if (result != NULL) {
        add_of_result(all, result);
    }
    add_standard(all, parties, false, 0);
    for (int64_t i = 0; i < parties->count; i++) {
        if (first_alike(parties, i) == i && all->count < UNITS_MAX) {
            add_standard(all, parties, true, parties->labels[i]);
        }
    }
}

bool in_unit(const points *own, int64_t k, const unit *in, double *y)
{
    const int64_t d = own->n_features;
    const double *x = own->x + k / d * d;
    const int64_t axis = k % d;
    if ((in->of_label && own->labels[k / d] != in->label) ||
        (in->matrix != NULL && axis >= in->n_axes)) {
        return false;
    }
    if (in->matrix == NULL) {
        *y = (x[axis] - in->origin[axis]) / in->size[axis];
        return true;
    }
    *y = 0.0;
    for (int64_t f = 0; f < d; f++) {
        *y += in->matrix[axis * d + f] * ((x[f] - in->origin[f]) / in->size[f]);
    }
    *y /= in->length[axis];
    return true;
}
