/* Writes input files for the tests of the command line: small ones, sound, at an edge of what is
 * sound, or broken in one way each, and the parties of a sound one split into a file each. Lists
 * what of a result is NaN, too, and takes an object out of a file. */
#include <hdf5.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PARTIES_MAX = 3, RANK_MAX = 3, VALUES_MAX = 512 };

typedef enum number_type { FLOAT64, FLOAT32, INTEGER, TEXT, COMPOUND } number_type;

/* A file: three parties with 7, 5 and 6 points of 2 features and 20 candidates, but for what the
 * kind sets. */
typedef struct input_kind {
    const char *name;
    const char *about;
    /* 0: as usual */
    hsize_t parties, points, features, candidates;
    number_type type;
    void (*change)(hid_t file, const struct input_kind *kind);
    /* What change works on. */
    const char *path;
    double value;
    hsize_t row, column;
    number_type new_type;
    int rank;
    hsize_t dims[RANK_MAX];
} input_kind;

static hid_t need(hid_t id, const char *what)
{
    if (id < 0) {
        fprintf(stderr, "make_input: cannot %s\n", what);
        exit(EXIT_FAILURE);
    }
    return id;
}

/* An id that the caller closes. */
static hid_t stored_type(number_type type)
{
    hid_t id = H5Tcopy(type == FLOAT32   ? H5T_IEEE_F32LE
                       : type == INTEGER ? H5T_STD_I64LE
                       : type == TEXT    ? H5T_C_S1
                                         : H5T_IEEE_F64LE);
    if (type == COMPOUND) {
        hid_t pair = need(H5Tcreate(H5T_COMPOUND, 16), "create a type");
        H5Tinsert(pair, "x", 0, id);
        H5Tinsert(pair, "y", 8, id);
        H5Tclose(id);
        id = pair;
    }
    return id;
}

/* A new dataset, without data: an absurd shape takes no room then. */
static hid_t create_dataset(hid_t file, const char *path, number_type type, int rank,
                            const hsize_t *dims)
{
    hid_t stored = stored_type(type);
    hid_t space = need(H5Screate_simple(rank, dims, NULL), path);
    hid_t links = need(H5Pcreate(H5P_LINK_CREATE), path);
    hid_t creation = need(H5Pcreate(H5P_DATASET_CREATE), path);
    const hsize_t chunk[RANK_MAX] = {1, 1, 1};
    H5Pset_create_intermediate_group(links, 1);
    if (dims[0] > VALUES_MAX) {
        H5Pset_chunk(creation, rank, chunk);
    }
    hid_t set = need(H5Dcreate2(file, path, stored, space, links, creation, H5P_DEFAULT), path);
    H5Pclose(creation);
    H5Pclose(links);
    H5Sclose(space);
    H5Tclose(stored);
    return set;
}

/* Numbers of type memory, converted to those of the dataset. */
static void write_dataset(hid_t file, const char *path, number_type type, int rank,
                          const hsize_t *dims, hid_t memory, const void *values)
{
    hid_t set = create_dataset(file, path, type, rank, dims);
    need(H5Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), path);
    H5Dclose(set);
}

static void write_integers(hid_t file, const char *path, hsize_t count, const int64_t *values)
{
    write_dataset(file, path, INTEGER, 1, &count, H5T_NATIVE_INT64, values);
}

/* Points of no particular meaning, all different, in the unit cube. */
static void write_points(hid_t file, const char *path, number_type type, hsize_t rows,
                         hsize_t columns, int start)
{
    double values[VALUES_MAX];
    for (int k = 0; k < VALUES_MAX; k++) {
        values[k] = fmod(0.5 + 0.6180339887498949 * (start + k), 1.0);
    }
    write_dataset(file, path, type, 2, (const hsize_t[]){rows, columns}, H5T_NATIVE_DOUBLE, values);
}

static void write_labels(hid_t file, int party, hsize_t count)
{
    const int64_t labels[VALUES_MAX] = {0, 1, 2};
    char path[64];
    snprintf(path, sizeof path, "/parties/p%d/labels", party);
    write_integers(file, path, count, labels);
}

/* ---- changes ---- */

static void remove_path(hid_t file, const input_kind *kind)
{
    need(H5Ldelete(file, kind->path, H5P_DEFAULT), kind->path);
}

/* Another type or shape, no data. */
static void replace(hid_t file, const input_kind *kind)
{
    if (H5Lexists(file, kind->path, H5P_DEFAULT) > 0) {
        remove_path(file, kind);
    }
    H5Dclose(create_dataset(file, kind->path, kind->new_type, kind->rank, kind->dims));
}

static void change_points(hid_t file, const char *path, void (*change)(hsize_t, double *))
{
    double values[VALUES_MAX] = {0};
    hid_t set = need(H5Dopen2(file, path, H5P_DEFAULT), path);
    hid_t space = H5Dget_space(set);
    hsize_t count = (hsize_t)H5Sget_simple_extent_npoints(space);
    need(H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), path);
    change(count, values);
    need(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), path);
    H5Sclose(space);
    H5Dclose(set);
}

static void set_value(hid_t file, const input_kind *kind)
{
    hid_t set = need(H5Dopen2(file, kind->path, H5P_DEFAULT), kind->path);
    hid_t space = H5Dget_space(set);
    hid_t one = H5Screate(H5S_SCALAR);
    const hsize_t where[2] = {kind->row, kind->column};
    H5Sselect_elements(space, H5S_SELECT_SET, 1, where);
    need(H5Dwrite(set, H5T_NATIVE_DOUBLE, one, space, H5P_DEFAULT, &kind->value), kind->path);
    H5Sclose(one);
    H5Sclose(space);
    H5Dclose(set);
}

/* Labels of all parties, and one set of them spoilt. */
static void add_labels(hid_t file, const input_kind *kind)
{
    write_labels(file, 1, 7);
    write_labels(file, 2, 5);
    write_labels(file, 3, 6);
    if (kind->rank > 0) {
        replace(file, kind);
    } else if (kind->path != NULL) {
        remove_path(file, kind);
    }
}

static void add_external_link(hid_t file, const input_kind *kind)
{
    remove_path(file, kind);
    need(H5Lcreate_external("good.h5", kind->path, file, kind->path, H5P_DEFAULT, H5P_DEFAULT),
         kind->path);
}

static void add_loop(hid_t file, const input_kind *kind)
{
    remove_path(file, kind);
    need(H5Lcreate_soft(kind->path, file, kind->path, H5P_DEFAULT, H5P_DEFAULT), kind->path);
}

/* The packed layout of 18 points; value: what is wrong with it. */
enum { PACKED_DECREASING = 1, PACKED_SHORT, PACKED_COUNT, PACKED_NAMES };

static void pack(hid_t file, const input_kind *kind)
{
    const int fault = (int)kind->value;
    int64_t offsets[] = {0, 7, 12, 18};
    offsets[2] = fault == PACKED_DECREASING ? 6 : offsets[2];
    offsets[3] = fault == PACKED_SHORT ? 17 : offsets[3];
    need(H5Ldelete(file, "/parties", H5P_DEFAULT), "delete /parties");
    write_points(file, "/packed/data", FLOAT64, 18, 2, 0);
    write_integers(file, "/packed/offsets", fault == PACKED_COUNT ? 3 : 4, offsets);
    hid_t type = stored_type(TEXT);
    const hsize_t count = 3;
    write_dataset(file, "/packed/name", TEXT, 1, &count, type,
                  fault == PACKED_NAMES ? "aca" : "abc");
    H5Tclose(type);
}

static void add_packed(hid_t file, const input_kind *kind)
{
    (void)kind;
    write_points(file, "/packed/data", FLOAT64, 18, 2, 0);
}

static void set_equal(hsize_t count, double *values)
{
    for (hsize_t k = 0; k < count; k++) {
        values[k] = 0.5;
    }
}

static void move_far(hsize_t count, double *values)
{
    for (hsize_t k = 0; k < count; k++) {
        values[k] += 100.0;
    }
}

/* To the corners of a lattice of 3 steps. */
static void move_to_lattice(hsize_t count, double *values)
{
    for (hsize_t k = 0; k < count; k++) {
        values[k] = floor(3.0 * values[k]);
    }
}

static void equal_points(hid_t file, const input_kind *kind)
{
    (void)kind;
    change_points(file, "/parties/p1/data", set_equal);
    change_points(file, "/parties/p2/data", set_equal);
    change_points(file, "/parties/p3/data", set_equal);
    change_points(file, "/candidates/data", set_equal);
}

static void lattice_points(hid_t file, const input_kind *kind)
{
    (void)kind;
    change_points(file, "/parties/p1/data", move_to_lattice);
    change_points(file, "/parties/p2/data", move_to_lattice);
    change_points(file, "/parties/p3/data", move_to_lattice);
    change_points(file, "/candidates/data", move_to_lattice);
}

static void equal_at_path(hid_t file, const input_kind *kind)
{
    change_points(file, kind->path, set_equal);
}

static void far_at_path(hid_t file, const input_kind *kind)
{
    change_points(file, kind->path, move_far);
}

/* Every candidate becomes a point of p2. */
static void leak_party(hid_t file, const input_kind *kind)
{
    double values[VALUES_MAX] = {0};
    hid_t from = need(H5Dopen2(file, "/parties/p2/data", H5P_DEFAULT), "open p2");
    hid_t to = need(H5Dopen2(file, kind->path, H5P_DEFAULT), kind->path);
    need(H5Dread(from, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), "read p2");
    for (int k = 10; k < 40; k++) {
        values[k] = values[k % 10];
    }
    need(H5Dwrite(to, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), kind->path);
    H5Dclose(from);
    H5Dclose(to);
}

/* p2 becomes p1 under its own name. */
static void copy_party(hid_t file, const input_kind *kind)
{
    remove_path(file, kind);
    need(H5Ocopy(file, "/parties/p1/data", file, kind->path, H5P_DEFAULT, H5P_DEFAULT), kind->path);
}

/* ---- kinds ---- */

#define P1_DATA "/parties/p1/data"
#define P2_DATA "/parties/p2/data"
#define P2_LABELS "/parties/p2/labels"
#define P3_DATA "/parties/p3/data"
#define POOL "/candidates/data"

static const input_kind kinds[] = {
    {"good", "three parties with 7, 5 and 6 points of 2 features, 20 candidates, no labels",
     .type = FLOAT64},
    {"float32", "the same in single precision", .type = FLOAT32},
    {"other", "as good, one value of p2 another", .change = set_value, .path = P2_DATA},
    {"labels", "as good, with labels", .change = add_labels},
    {"packed", "18 points of three parties in the packed layout", .change = pack},

    {"one_party", "p1 alone", .parties = 1},
    {"two_parties", "p1 and p2 alone", .parties = 2},
    {"one_point", "one point a party", .points = 1},
    {"one_feature", "one feature", .features = 1},
    {"one_candidate", "one candidate", .candidates = 1},
    {"least", "one party of one point of one feature, one candidate", .parties = 1, .points = 1,
     .features = 1, .candidates = 1},
    {"equal", "all points are the same", .change = equal_points},
    {"equal_pool", "all candidates are the same", .change = equal_at_path, .path = POOL},
    {"lattice", "all points on 9 places", .change = lattice_points},
    {"leak", "the candidates are points of p2", .change = leak_party, .path = POOL},
    {"twins", "p2 has the data of p1", .change = copy_party, .path = P2_DATA},
    {"outlier", "p2 is far from all other points", .change = far_at_path, .path = P2_DATA},
    {"far_pool", "5 candidates, far from the parties", .candidates = 5, .change = far_at_path,
     .path = POOL},
    {"large_far_pool", "200 candidates, far from the parties", .candidates = 200,
     .change = far_at_path, .path = POOL},

    {"nan", "p2 row 3 column 1 is NaN", .change = set_value, .path = P2_DATA, .value = NAN,
     .row = 3, .column = 1},
    {"inf", "p3 row 0 column 0 is infinite", .change = set_value, .path = P3_DATA,
     .value = INFINITY},
    {"minus_inf", "p3 row 5 column 1 is infinite and negative", .change = set_value,
     .path = P3_DATA, .value = -INFINITY, .row = 5, .column = 1},
    {"huge", "p1 row 6 column 1 is 1e200", .change = set_value, .path = P1_DATA, .value = 1e200,
     .row = 6, .column = 1},
    {"nan_candidates", "candidates row 17 column 0 is NaN", .change = set_value, .path = POOL,
     .value = NAN, .row = 17},

    {"no_parties", "no group /parties", .change = remove_path, .path = "/parties"},
    {"both_layouts", "/parties and /packed", .change = add_packed},
    {"no_data", "p2 has no dataset data", .change = remove_path, .path = P2_DATA},
    {"no_candidates", "no /candidates/data", .change = remove_path, .path = POOL},
    {"features", "p2 has 3 features", .change = replace, .path = P2_DATA, .rank = 2,
     .dims = {5, 3}},
    {"candidate_features", "the candidates have 3 features", .change = replace, .path = POOL,
     .rank = 2, .dims = {20, 3}},
    {"empty_party", "p2 has no points", .change = replace, .path = P2_DATA, .rank = 2,
     .dims = {0, 2}},
    {"empty_pool", "no candidates", .change = replace, .path = POOL, .rank = 2, .dims = {0, 2}},
    {"no_features", "p2 has no features", .change = replace, .path = P2_DATA, .rank = 2,
     .dims = {5, 0}},
    {"one_dimension", "the data of p2 have one dimension", .change = replace, .path = P2_DATA,
     .rank = 1, .dims = {5}},
    {"three_dimensions", "the data of p2 have three", .change = replace, .path = P2_DATA, .rank = 3,
     .dims = {5, 2, 1}},
    {"text", "the data of p2 are text", .change = replace, .path = P2_DATA, .new_type = TEXT,
     .rank = 2, .dims = {5, 2}},
    {"integers", "the data of p2 are integers", .change = replace, .path = P2_DATA,
     .new_type = INTEGER, .rank = 2, .dims = {5, 2}},
    {"compound", "the data of p2 are pairs", .change = replace, .path = P2_DATA,
     .new_type = COMPOUND, .rank = 2, .dims = {5, 2}},
    {"absurd", "p2 has more points than fit in memory", .change = replace, .path = P2_DATA,
     .rank = 2, .dims = {(hsize_t)1 << 45, 2}},
    {"impossible", "p2 has more points than can be counted in bytes", .change = replace,
     .path = P2_DATA, .rank = 2, .dims = {(hsize_t)1 << 61, 2}},
    {"external_link", "the data of p2 are in good.h5", .change = add_external_link,
     .path = P2_DATA},
    {"external_party", "p2 is in good.h5", .change = add_external_link, .path = "/parties/p2"},
    {"loop", "the data of p2 are a link to themselves", .change = add_loop, .path = P2_DATA},

    {"some_labels", "labels of p1 and p3 only", .change = add_labels, .path = P2_LABELS},
    {"label_count", "p2 has 4 labels for 5 points", .change = add_labels, .path = P2_LABELS,
     .new_type = INTEGER, .rank = 1, .dims = {4}},
    {"label_type", "the labels of p2 are text", .change = add_labels, .path = P2_LABELS,
     .new_type = TEXT, .rank = 1, .dims = {5}},
    {"label_floats", "the labels of p2 are no integers", .change = add_labels, .path = P2_LABELS,
     .rank = 1, .dims = {5}},

    {"packed_decreasing", "packed, the offsets decrease", .change = pack,
     .value = PACKED_DECREASING},
    {"packed_short", "packed, the offsets end before the rows", .change = pack,
     .value = PACKED_SHORT},
    {"packed_count", "packed, as many offsets as names", .change = pack, .value = PACKED_COUNT},
    {"packed_names", "packed, two parties of one name", .change = pack, .value = PACKED_NAMES},
};

static void write_kind(const input_kind *kind, const char *path)
{
    static const hsize_t n_points[PARTIES_MAX] = {7, 5, 6};
    const hsize_t columns = kind->features > 0 ? kind->features : 2;
    const hsize_t n_parties = kind->parties > 0 ? kind->parties : PARTIES_MAX;
    hid_t file = need(H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), path);
    for (int party = 0; party < (int)n_parties; party++) {
        char name[64];
        snprintf(name, sizeof name, "/parties/p%d/data", party + 1);
        write_points(file, name, kind->type, kind->points > 0 ? kind->points : n_points[party],
                     columns, 100 * party);
    }
    write_points(file, POOL, FLOAT64, kind->candidates > 0 ? kind->candidates : 20, columns, 1000);
    if (kind->change != NULL) {
        kind->change(file, kind);
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

/* ---- what is NaN ---- */

/* Whether a dataset or an attribute of floating-point numbers holds a NaN. Closes the space. */
static bool holds_nan(hid_t id, hid_t type, hid_t space, bool is_attribute)
{
    hssize_t count = H5Sget_simple_extent_npoints(space);
    H5Sclose(space);
    bool found = false;
    if (H5Tget_class(type) == H5T_FLOAT && count > 0) {
        double *values = calloc((size_t)count, sizeof *values);
        if (values == NULL) {
            need(-1, "allocate memory");
        }
        need(is_attribute ? H5Aread(id, H5T_NATIVE_DOUBLE, values)
                          : H5Dread(id, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values),
             "read");
        for (hssize_t k = 0; k < count; k++) {
            found = found || isnan(values[k]);
        }
        free(values);
    }
    H5Tclose(type);
    return found;
}

static herr_t look_at_attribute(hid_t object, const char *name, const H5A_info_t *info, void *path)
{
    (void)info;
    hid_t attribute = need(H5Aopen(object, name, H5P_DEFAULT), name);
    if (holds_nan(attribute, H5Aget_type(attribute), H5Aget_space(attribute), true)) {
        printf("%s@%s\n", (const char *)path, name);
    }
    H5Aclose(attribute);
    return 0;
}

static herr_t look_at_object(hid_t file, const char *name, const H5O_info_t *info, void *unused)
{
    (void)unused;
    char path[256];
    snprintf(path, sizeof path, "%s", name);
    hid_t object = need(H5Oopen(file, name, H5P_DEFAULT), name);
    if (info->type == H5O_TYPE_DATASET &&
        holds_nan(object, H5Dget_type(object), H5Dget_space(object), false)) {
        puts(path);
    }
    H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, look_at_attribute, path);
    H5Oclose(object);
    return 0;
}

static void list_nans(const char *path)
{
    hid_t file = need(H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), path);
    need(H5Ovisit(file, H5_INDEX_NAME, H5_ITER_INC, look_at_object, NULL), path);
    H5Fclose(file);
}

static void drop(const char *path, const char *object)
{
    hid_t file = need(H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), path);
    need(H5Ldelete(file, object, H5P_DEFAULT), object);
    H5Fclose(file);
}

/* Each kind in a file KIND.h5 of the working directory. */
static void write_all(void)
{
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        char path[64];
        snprintf(path, sizeof path, "%s.h5", kinds[k].name);
        write_kind(&kinds[k], path);
    }
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "split") == 0) {
        split(argv[2], argv[3]);
        return EXIT_SUCCESS;
    }
    if (argc == 4 && strcmp(argv[1], "drop") == 0) {
        drop(argv[2], argv[3]);
        return EXIT_SUCCESS;
    }
    if (argc == 3 && strcmp(argv[1], "nans") == 0) {
        list_nans(argv[2]);
        return EXIT_SUCCESS;
    }
    if (argc == 2 && strcmp(argv[1], "all") == 0) {
        write_all();
        return EXIT_SUCCESS;
    }
    const size_t n_kinds = sizeof kinds / sizeof kinds[0];
    for (size_t k = 0; argc == 3 && k < n_kinds; k++) {
        if (strcmp(argv[1], kinds[k].name) == 0) {
            write_kind(&kinds[k], argv[2]);
            return EXIT_SUCCESS;
        }
    }
    fprintf(stderr, "usage: make_input split INPUT.h5 DIRECTORY\n       make_input all\n"
                    "       make_input nans RESULT.h5\n"
                    "       make_input drop FILE.h5 OBJECT\n"
                    "       make_input KIND OUT.h5\n");
    for (size_t k = 0; k < n_kinds; k++) {
        fprintf(stderr, "  %-20s %s\n", kinds[k].name, kinds[k].about);
    }
    return EXIT_FAILURE;
}
