/* Changes result files for the tests of reports: puts made-up measures or strange texts into one,
 * breaks one in one way each, and prints numbers of one. */
#include <hdf5.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MOST = 64 };

static hid_t need(hid_t id, const char *what)
{
    if (id < 0) {
        fprintf(stderr, "make_result: cannot %s\n", what);
        exit(EXIT_FAILURE);
    }
    return id;
}

/* Numbers of no particular meaning, all different, in -1 .. 1. */
static double made_up(int k)
{
    return 2.0 * fmod(0.5 + 0.6180339887498949 * k, 1.0) - 1.0;
}

static void write_set(hid_t file, const char *path, hid_t type, int rank, const hsize_t *dims,
                      hid_t memory, const void *values)
{
    if (H5Lexists(file, path, H5P_DEFAULT) > 0) {
        need(H5Ldelete(file, path, H5P_DEFAULT), path);
    }
    hid_t space = need(H5Screate_simple(rank, dims, NULL), path);
    hid_t set =
        need(H5Dcreate2(file, path, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), path);
    if (values != NULL) {
        need(H5Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), path);
    }
    H5Dclose(set);
    H5Sclose(space);
}

static void write_number(hid_t object, const char *name, double value)
{
    if (H5Aexists(object, name) > 0) {
        need(H5Adelete(object, name), name);
    }
    hid_t space = need(H5Screate(H5S_SCALAR), name);
    hid_t attribute =
        need(H5Acreate2(object, name, H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT), name);
    need(H5Awrite(attribute, H5T_NATIVE_DOUBLE, &value), name);
    H5Aclose(attribute);
    H5Sclose(space);
}

static hsize_t count_of(hid_t file, const char *path)
{
    hid_t set = need(H5Dopen2(file, path, H5P_DEFAULT), path);
    hid_t space = need(H5Dget_space(set), path);
    const hsize_t count = (hsize_t)H5Sget_simple_extent_npoints(space);
    H5Sclose(space);
    H5Dclose(set);
    return count;
}

/* ---- measures ---- */

static const char *const columns[] = {"mmd2_before",
                                      "mmd2_after",
                                      "kl_before",
                                      "kl_after",
                                      "wasserstein2_before",
                                      "wasserstein2_after",
                                      "privacy_close",
                                      "downstream_others_before",
                                      "downstream_others_after"};
enum { N_COLUMNS = sizeof columns / sizeof columns[0] };

/* The names of the groups of a group, in the order of their bytes. */
typedef struct names {
    int count;
    char name[NAMES_MOST][64];
} names;

static herr_t note_name(hid_t group, const char *name, const H5L_info_t *info, void *list)
{
    (void)group;
    (void)info;
    names *all = list;
    if (all->count < NAMES_MOST) {
        snprintf(all->name[all->count++], sizeof all->name[0], "%.63s", name);
    }
    return 0;
}

/* kl is missing at the first party, privacy_close at all of them. */
static void put_columns(hid_t file, const char *group, int number, hsize_t n_parties)
{
    double *values = calloc((size_t)n_parties, sizeof *values);
    hid_t object = need(H5Gopen2(file, group, H5P_DEFAULT), group);
    for (int c = 0; c < N_COLUMNS; c++) {
        char path[192];
        char name[96];
        const bool before = strstr(columns[c], "before") != NULL;
        for (hsize_t i = 0; i < n_parties; i++) {
            const double part = 0.5 + 0.5 * made_up(c + 7 * (int)i);
            values[i] = before ? 0.1 + 0.1 * part : 0.1 * part / (number + 2.0);
        }
        values[0] = strncmp(columns[c], "kl", 2) == 0 ? NAN : values[0];
        for (hsize_t i = 0; i < n_parties && strcmp(columns[c], "privacy_close") == 0; i++) {
            values[i] = NAN;
        }
        snprintf(path, sizeof path, "%s/%s", group, columns[c]);
        write_set(file, path, H5T_IEEE_F64LE, 1, &n_parties, H5T_NATIVE_DOUBLE, values);
        snprintf(name, sizeof name, "correlation_%s", columns[c]);
        write_number(object, name, isnan(values[n_parties - 1]) ? NAN : made_up(31 * number + c));
    }
    H5Gclose(object);
    free(values);
}

static void put_measures(const char *path)
{
    names all = {0};
    hid_t file = need(H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), path);
    const hsize_t n_parties = count_of(file, "/parties/name");
    hid_t metrics = need(H5Gopen2(file, "/metrics", H5P_DEFAULT), "/metrics");
    need(H5Literate(metrics, H5_INDEX_NAME, H5_ITER_INC, NULL, note_name, &all), "/metrics");
    for (int k = 0; k < all.count; k++) {
        char group[128];
        snprintf(group, sizeof group, "/metrics/%s", all.name[k]);
        if (strncmp(all.name[k], "beta_", 5) == 0) {
            put_columns(file, group, k, n_parties);
        }
    }
    for (int c = 0; c < N_COLUMNS; c++) {
        char name[96];
        snprintf(name, sizeof name, "mean_correlation_%s", columns[c]);
        write_number(metrics, name, made_up(1000 + c));
        snprintf(name, sizeof name, "se_correlation_%s", columns[c]);
        write_number(metrics, name, fabs(made_up(2000 + c)));
    }
    H5Gclose(metrics);
    H5Fclose(file);
}

/* ---- strange texts ---- */

#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN

/* What means something elsewhere: in the script of a figure, to a shell, to a page, on a terminal,
 * in JSON; bytes that are no text; and 200 bytes. */
static const char strange[][201] = {
    "\"; exec \"touch touched\"; ' . system('touch touched')\n!touch touched\n#",
    "$(touch touched) `touch touched` @FOO %s%n {/:Bold x} \\",
    "<script>alert(1)</script><b title='x' & \"y\">&amp;",
    "Z\xc3\xbcrich \xe5\x8c\x97\xe4\xba\xac \xf0\x9f\x98\x80 \xd7\x90\xd7\x91",
    "]]>--><!-- \x1b[2J \x9b \xff\xfe \xed\xa0\x80 \xef\xbf\xbf \t",
    FIFTY FIFTY FIFTY FIFTY,
};
enum { N_STRANGE = sizeof strange / sizeof strange[0] };

static void put_strange_set(hid_t file, const char *path)
{
    const hsize_t count = count_of(file, path);
    char(*texts)[sizeof strange[0]] = calloc((size_t)count, sizeof *texts);
    hid_t type = need(H5Tcopy(H5T_C_S1), "copy a type");
    H5Tset_size(type, sizeof *texts);
    for (hsize_t k = 0; k < count; k++) {
        memcpy(texts[k], strange[k % N_STRANGE], sizeof *texts);
    }
    if (count > 0) {
        write_set(file, path, type, 1, &count, type, texts);
    }
    H5Tclose(type);
    free(texts);
}

static void put_strange_attribute(hid_t file, const char *path, const char *name, const char *text)
{
    hid_t object = need(H5Oopen(file, path, H5P_DEFAULT), path);
    hid_t type = need(H5Tcopy(H5T_C_S1), "copy a type");
    H5Tset_size(type, strlen(text) + 1);
    hid_t space = need(H5Screate(H5S_SCALAR), name);
    need(H5Adelete(object, name), name);
    hid_t attribute = need(H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT), name);
    need(H5Awrite(attribute, type, text), name);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
    H5Oclose(object);
}

static void put_strange(const char *path)
{
    static const char *const sets[] = {"/parties/name",    "/warnings/code",     "/warnings/text",
                                       "/incentives/name", "/incentives/detail", "/timings/stage",
                                       "/picture/axes"};
    static const char *const attributes[] = {"version", "git",     "command",
                                             "hosts",   "started", "finished",
                                             "reused",  "status",  "instruction_set"};
    hid_t file = need(H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), path);
    for (size_t k = 0; k < sizeof sets / sizeof sets[0]; k++) {
        put_strange_set(file, sets[k]);
    }
    for (size_t k = 0; k < sizeof attributes / sizeof attributes[0]; k++) {
        put_strange_attribute(file, "/", attributes[k], strange[k % N_STRANGE]);
    }
    put_strange_attribute(
        file, "/", "config",
        "[a<b>]\n\"k & 'k = <i>`touch touched`</i>\nno option\n[open\nx =\n= y\n");
    put_strange_attribute(file, "/reward", "binding", strange[2]);
    put_strange_attribute(file, "/kernel", "type", strange[1]);
    put_strange_attribute(file, "/shapley", "semivalue", strange[4]);
    put_strange_attribute(file, "/reward", "condition", strange[5]);
    H5Fclose(file);
}

/* ---- damage ---- */

/* A dataset that has another number of elements, or another meaning, or is not there. */
static void damage(const char *path, const char *set, const char *how)
{
    hid_t file = need(H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), path);
    const hsize_t count = count_of(file, set);
    if (strcmp(how, "remove") == 0) {
        need(H5Ldelete(file, set, H5P_DEFAULT), set);
    } else if (strcmp(how, "shorten") == 0) {
        const hsize_t less = count - 1;
        write_set(file, set, H5T_STD_I64LE, 1, &less, 0, NULL);
    } else if (strcmp(how, "flatten") == 0) {
        write_set(file, set, H5T_STD_I64LE, 1, &count, 0, NULL);
    } else if (strcmp(how, "negate") == 0) {
        int64_t *values = malloc((size_t)count * sizeof *values);
        for (hsize_t k = 0; k < count; k++) {
            values[k] = -1 - (int64_t)k;
        }
        write_set(file, set, H5T_STD_I64LE, 1, &count, H5T_NATIVE_INT64, values);
        free(values);
    } else {
        need(-1, how);
    }
    H5Fclose(file);
}

/* ---- numbers ---- */

/* All elements of a dataset or, as PATH@NAME, of an attribute, a line each. */
static void print_numbers(const char *path, char *what)
{
    hid_t file = need(H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), path);
    char *at = strchr(what, '@');
    hid_t attribute = 0;
    if (at != NULL) {
        *at = '\0';
        attribute = need(H5Aopen_by_name(file, what, at + 1, H5P_DEFAULT, H5P_DEFAULT), at + 1);
    }
    hid_t object = attribute > 0 ? attribute : need(H5Dopen2(file, what, H5P_DEFAULT), what);
    hid_t space = attribute > 0 ? H5Aget_space(object) : H5Dget_space(object);
    const hssize_t count = H5Sget_simple_extent_npoints(space);
    double *values = calloc((size_t)count, sizeof *values);
    need(attribute > 0 ? H5Aread(object, H5T_NATIVE_DOUBLE, values)
                       : H5Dread(object, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values),
         what);
    for (hssize_t k = 0; k < count; k++) {
        printf(isnan(values[k]) ? "null\n" : "%.17g\n", values[k]);
    }
    free(values);
    H5Sclose(space);
    if (attribute > 0) {
        H5Aclose(object);
    } else {
        H5Dclose(object);
    }
    H5Fclose(file);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "measures") == 0) {
        put_measures(argv[2]);
    } else if (argc == 3 && strcmp(argv[1], "strange") == 0) {
        put_strange(argv[2]);
    } else if (argc == 5 && strcmp(argv[1], "damage") == 0) {
        damage(argv[2], argv[3], argv[4]);
    } else if (argc == 4 && strcmp(argv[1], "numbers") == 0) {
        print_numbers(argv[2], argv[3]);
    } else {
        fprintf(stderr,
                "usage: make_result measures|strange RESULT.h5\n"
                "       make_result damage RESULT.h5 DATASET remove|shorten|flatten|negate\n"
                "       make_result numbers RESULT.h5 DATASET|OBJECT@ATTRIBUTE\n");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
