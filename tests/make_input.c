/* Writes input files for the tests of the command line: small ones, sound or broken in one way
 * each, and the parties of a sound one split into a file each. */
#include <hdf5.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { N_PARTIES = 3, N_FEATURES = 2, N_CANDIDATES = 20, VALUES_MAX = 256 };

static const char *const kinds[][2] = {
    {"good", "three parties with 7, 5 and 6 points of 2 features, 20 candidates, no labels"},
    {"float32", "the same in single precision"},
    {"other", "as good, one value of p2 a little larger"},
    {"nan", "p2 row 3 column 1 is NaN"},
    {"inf", "p3 row 0 column 0 is infinite"},
    {"huge", "p1 row 6 column 1 is 1e200"},
    {"nan_candidates", "candidates row 17 column 0 is NaN"},
    {"no_parties", "no group /parties"},
    {"no_data", "p2 has no dataset data"},
    {"no_candidates", "no /candidates/data"},
    {"features", "p2 has 3 features"},
    {"candidate_features", "the candidates have 3 features"},
    {"empty_party", "p2 has no points"},
    {"some_labels", "labels of p1 and p3 only"},
    {"label_count", "p2 has 4 labels for 5 points"},
    {"label_type", "the labels of p2 are text"},
    {"text", "the data of p2 are text"},
    {"one_dimension", "the data of p2 have one dimension"},
};

static hid_t need(hid_t id, const char *what)
{
    if (id < 0) {
        fprintf(stderr, "make_input: cannot %s\n", what);
        exit(EXIT_FAILURE);
    }
    return id;
}

static void write_dataset(hid_t file, const char *name, hid_t stored, hid_t memory, int rank,
                          hsize_t rows, hsize_t columns, const void *values)
{
    hid_t space = need(H5Screate_simple(rank, (const hsize_t[]){rows, columns}, NULL), name);
    hid_t links = need(H5Pcreate(H5P_LINK_CREATE), name);
    H5Pset_create_intermediate_group(links, 1);
    hid_t set = need(H5Dcreate2(file, name, stored, space, links, H5P_DEFAULT, H5P_DEFAULT), name);
    need(H5Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), name);
    H5Dclose(set);
    H5Pclose(links);
    H5Sclose(space);
}

static void write_text(hid_t file, const char *name, int rank, hsize_t rows, hsize_t columns)
{
    hid_t type = need(H5Tcopy(H5T_C_S1), "copy a type");
    H5Tset_size(type, 1);
    char text[VALUES_MAX];
    memset(text, 'a', sizeof text);
    write_dataset(file, name, type, type, rank, rows, columns, text);
    H5Tclose(type);
}

/* Points of no particular meaning, all different, in the unit square. */
static void fill(double *values, int count, int start)
{
    for (int k = 0; k < count; k++) {
        values[k] = fmod(0.5 + 0.6180339887498949 * (start + k), 1.0);
    }
}

static void write_party(hid_t file, const char *kind, int party)
{
    static const hsize_t n_points[N_PARTIES] = {7, 5, 6};
    bool broken = party == 1;
    hsize_t rows = broken && strcmp(kind, "empty_party") == 0 ? 0 : n_points[party];
    hsize_t columns = broken && strcmp(kind, "features") == 0 ? N_FEATURES + 1 : N_FEATURES;
    double values[VALUES_MAX];
    fill(values, VALUES_MAX, 100 * party);
    if (broken && strcmp(kind, "nan") == 0) {
        values[3 * N_FEATURES + 1] = NAN;
    } else if (broken && strcmp(kind, "other") == 0) {
        values[0] += 1e-9;
    } else if (party == 2 && strcmp(kind, "inf") == 0) {
        values[0] = INFINITY;
    } else if (party == 0 && strcmp(kind, "huge") == 0) {
        values[6 * N_FEATURES + 1] = 1e200;
    }
    char name[64];
    snprintf(name, sizeof name, "/parties/p%d/data", party + 1);
    int rank = broken && strcmp(kind, "one_dimension") == 0 ? 1 : 2;
    hid_t type = strcmp(kind, "float32") == 0 ? H5T_IEEE_F32LE : H5T_IEEE_F64LE;
    if (broken && strcmp(kind, "text") == 0) {
        write_text(file, name, 2, rows, columns);
    } else if (!broken || strcmp(kind, "no_data") != 0) {
        write_dataset(file, name, type, H5T_NATIVE_DOUBLE, rank, rows, columns, values);
    } else {
        H5Gclose(
            need(H5Gcreate2(file, "/parties/p2", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), kind));
    }
    snprintf(name, sizeof name, "/parties/p%d/labels", party + 1);
    int64_t labels[VALUES_MAX] = {0, 1, 2};
    if (broken && strcmp(kind, "label_type") == 0) {
        write_text(file, name, 1, rows, 0);
    } else if (strncmp(kind, "label_", 6) == 0 || (!broken && strcmp(kind, "some_labels") == 0)) {
        hsize_t count = broken && strcmp(kind, "label_count") == 0 ? rows - 1 : rows;
        write_dataset(file, name, H5T_STD_I64LE, H5T_NATIVE_INT64, 1, count, 0, labels);
    }
}

static void write_candidates(hid_t file, const char *kind)
{
    hsize_t columns = strcmp(kind, "candidate_features") == 0 ? N_FEATURES + 1 : N_FEATURES;
    double values[VALUES_MAX];
    fill(values, VALUES_MAX, 1000);
    if (strcmp(kind, "nan_candidates") == 0) {
        values[17 * N_FEATURES] = NAN;
    }
    write_dataset(file, "/candidates/data", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, 2, N_CANDIDATES,
                  columns, values);
}

static void write_kind(const char *kind, const char *path)
{
    hid_t file = need(H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), path);
    for (int party = 0; party < N_PARTIES && strcmp(kind, "no_parties") != 0; party++) {
        write_party(file, kind, party);
    }
    if (strcmp(kind, "no_candidates") != 0) {
        write_candidates(file, kind);
    }
    H5Fclose(file);
}

/* Copies what a group or file holds to the file `directory/name.h5`. */
static herr_t split_party(hid_t parties, const char *name, const H5L_info_t *info, void *directory)
{
    (void)info;
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.h5", (const char *)directory, name);
    hid_t file = need(H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), path);
    hid_t party = need(H5Gopen2(parties, name, H5P_DEFAULT), name);
    need(H5Ocopy(party, "data", file, "data", H5P_DEFAULT, H5P_DEFAULT), path);
    if (H5Lexists(party, "labels", H5P_DEFAULT) > 0) {
        need(H5Ocopy(party, "labels", file, "labels", H5P_DEFAULT, H5P_DEFAULT), path);
    }
    H5Gclose(party);
    H5Fclose(file);
    return 0;
}

static void split(const char *input, const char *directory)
{
    mkdir(directory, 0777);
    hid_t file = need(H5Fopen(input, H5F_ACC_RDONLY, H5P_DEFAULT), input);
    hid_t parties = need(H5Gopen2(file, "/parties", H5P_DEFAULT), "open /parties");
    char *target = strdup(directory);
    need(H5Literate(parties, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, split_party, target), directory);
    free(target);
    H5Gclose(parties);
    H5Fclose(file);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "split") == 0) {
        split(argv[2], argv[3]);
        return EXIT_SUCCESS;
    }
    const size_t n_kinds = sizeof kinds / sizeof kinds[0];
    for (size_t k = 0; argc == 3 && k < n_kinds; k++) {
        if (strcmp(argv[1], kinds[k][0]) == 0) {
            write_kind(argv[1], argv[2]);
            return EXIT_SUCCESS;
        }
    }
    fprintf(stderr, "usage: make_input split INPUT.h5 DIRECTORY\n       make_input KIND OUT.h5\n");
    for (size_t k = 0; k < n_kinds; k++) {
        fprintf(stderr, "  %-20s %s\n", kinds[k][0], kinds[k][1]);
    }
    return EXIT_FAILURE;
}
