// Simulated input: layout, distribution, what each number depends on, and what is refused.
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgm/h5.h"
#include "cgm/simulate.h"

enum { ARGUMENTS_MAX = 16, PATH_BYTES = 64 };

#define OPTIONS(...)                                                                               \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

static void path_of(cgm_comm *comm, const char *name, char path[PATH_BYTES])
{
    int64_t process = getpid();
    cgm_comm_broadcast(comm, &process, sizeof process, 0);
    snprintf(path, PATH_BYTES, "/tmp/cgm-test-simulate-%lld-%s.h5", (long long)process, name);
}

/* Simulates into a file that did not exist before; the cause stays in comm->error. */
static cgm_status simulate(cgm_comm *comm, const char *path, const char *const *options)
{
    char copies[ARGUMENTS_MAX][PATH_BYTES];
    char *arguments[ARGUMENTS_MAX];
    int count = 0;
    snprintf(copies[count], PATH_BYTES, "--out");
    snprintf(copies[count + 1], PATH_BYTES, "%s", path);
    for (count = 2; options[count - 2] != NULL; count++) {
        snprintf(copies[count], PATH_BYTES, "%s", options[count - 2]);
    }
    for (int k = 0; k < count; k++) {
        arguments[k] = copies[k];
    }
    comm->error = (cgm_error){.status = CGM_OK};
    return cgm_simulate(comm, count, arguments);
}

static void open_simulated(cgm_comm *comm, const char *name, const char *const *options,
                           char path[PATH_BYTES], cgm_h5_file *file)
{
    path_of(comm, name, path);
    assert_all_ranks(comm, simulate(comm, path, options) == CGM_OK);
    assert_all_ranks(comm, cgm_h5_open(comm, path, file) == CGM_OK);
}

static void close_simulated(cgm_comm *comm, const char *path, cgm_h5_file *file)
{
    cgm_h5_close(file);
    cgm_comm_barrier(comm);
    if (comm->rank == 0) {
        remove(path);
    }
}

/* Number of points of a class, and the sum of squares about its mean. */
static int64_t count_class(const int64_t *labels, const double *points, const double *means,
                           int64_t n_points, int64_t n_features, int64_t class, double *squares)
{
    int64_t count = 0;
    *squares = 0.0;
    for (int64_t row = 0; row < n_points; row++) {
        if (labels[row] != class) {
            continue;
        }
        count++;
        for (int64_t f = 0; f < n_features; f++) {
            double off = points[row * n_features + f] - means[class * n_features + f];
            *squares += off * off;
        }
    }
    return count;
}

static void test_distribution(void **state)
{
    cgm_comm *comm = *state;
    char path[PATH_BYTES];
    cgm_h5_file file;
    cgm_h5_info info;
    open_simulated(comm, "a", OPTIONS("--points=20000", "--candidates", "30000", "--features=3"),
                   path, &file);
    double *means = cgm_h5_read(&file, "/means", NULL, CGM_H5_DOUBLE, &info);
    assert_all_ranks(comm, means != NULL && info.dims[0] == 5 && info.dims[1] == 3);
    for (int k = 0; k < 15; k++) {
        assert_all_ranks(comm, means[k] >= 0.0 && means[k] < 1.0);
    }
    double *points = cgm_h5_read(&file, "/parties/party2/data", NULL, CGM_H5_DOUBLE, &info);
    assert_all_ranks(comm, points != NULL && info.dims[0] == 20000 && info.dims[1] == 3);
    int64_t *labels = cgm_h5_read(&file, "/parties/party2/labels", NULL, CGM_H5_INT64, &info);
    assert_all_ranks(comm, labels != NULL && info.dims[0] == 20000);
    double squares;
    int64_t total = 0;
    for (int64_t k = 0; k < 5; k++) {
        double share = k == 1 ? 0.96 : 0.01;
        int64_t count = count_class(labels, points, means, 20000, 3, k, &squares);
        total += count;
        /* Four and a half standard deviations. */
        assert_close(comm, (double)count / 20000.0, share, 0.0,
                     4.5 * sqrt(share * (1.0 - share) / 20000.0));
        double freedom = 3.0 * (double)count;
        assert_close(comm, squares / freedom, 1.0 / 200.0, 4.5 * sqrt(2.0 / freedom), 0.0);
    }
    assert_all_ranks(comm, total == 20000);
    free(points);
    free(labels);
    points = cgm_h5_read(&file, "/candidates/data", NULL, CGM_H5_DOUBLE, &info);
    labels = cgm_h5_read(&file, "/candidates/labels", NULL, CGM_H5_INT64, NULL);
    assert_all_ranks(comm, points != NULL && labels != NULL && info.dims[0] == 30000);
    for (int64_t k = 0; k < 5; k++) {
        int64_t count = count_class(labels, points, means, 30000, 3, k, &squares);
        assert_close(comm, (double)count / 30000.0, 0.2, 0.0, 4.5 * sqrt(0.16 / 30000.0));
    }
    cgm_h5_kind kind;
    assert_all_ranks(comm, cgm_h5_find(&file, "/test", &kind) == CGM_OK && kind == CGM_H5_MISSING);
    free(means);
    free(points);
    free(labels);
    close_simulated(comm, path, &file);
}

/* Whether 40 rows of two features are the same bits in two files. */
static bool same_rows(const cgm_h5_file *a, const char *a_path, int64_t a_first,
                      const cgm_h5_file *b, const char *b_path, int64_t b_first)
{
    double points[2][80];
    bool same = cgm_h5_read_rows(a, a_path, CGM_H5_DOUBLE, a_first, 40, 2, points[0]) == CGM_OK &&
                cgm_h5_read_rows(b, b_path, CGM_H5_DOUBLE, b_first, 40, 2, points[1]) == CGM_OK;
    for (int k = 0; k < 80 && same; k++) {
        same = points[0][k] == points[1][k];
    }
    return same;
}

/* A point depends on seed, party and row, not on how many there are or how they are stored. */
static void test_points_stay(void **state)
{
    cgm_comm *comm = *state;
    char few_path[PATH_BYTES];
    char many_path[PATH_BYTES];
    char other_path[PATH_BYTES];
    cgm_h5_file few;
    cgm_h5_file many;
    cgm_h5_file other;
    open_simulated(comm, "few", OPTIONS("--points=40", "--candidates=50", "--seed=7"), few_path,
                   &few);
    open_simulated(
        comm, "many",
        OPTIONS("--parties=300", "--points=60", "--candidates=10", "--test=5", "--seed=7"),
        many_path, &many);
    open_simulated(comm, "other", OPTIONS("--points=40", "--candidates=50", "--seed=8"), other_path,
                   &other);
    const int64_t offset = 180;
    assert_all_ranks(comm,
                     same_rows(&few, "/parties/party4/data", 0, &many, "/packed/data", offset));
    assert_all_ranks(
        comm, !same_rows(&few, "/parties/party4/data", 0, &other, "/parties/party4/data", 0));
    int64_t *offsets = cgm_h5_read(&many, "/packed/offsets", NULL, CGM_H5_INT64, NULL);
    assert_all_ranks(comm, offsets != NULL && offsets[0] == 0 && offsets[3] == offset &&
                               offsets[300] == 18000);
    cgm_h5_texts names;
    assert_all_ranks(comm, cgm_h5_read_texts(&many, "/packed/name", NULL, &names) == CGM_OK);
    assert_all_ranks(comm, names.count == 300 && strcmp(names.text[299], "party300") == 0);
    cgm_h5_info info;
    assert_all_ranks(comm, cgm_h5_describe(&many, "/test/data", NULL, &info) == CGM_OK);
    assert_all_ranks(comm, info.dims[0] == 5);
    free(offsets);
    cgm_h5_texts_destroy(&names);
    close_simulated(comm, few_path, &few);
    close_simulated(comm, many_path, &many);
    close_simulated(comm, other_path, &other);
}

static void check_shares(cgm_comm *comm, const char *split, const char *classes,
                         const double *expected)
{
    char path[PATH_BYTES];
    cgm_h5_file file;
    open_simulated(comm, split,
                   OPTIONS("--split", split, "--classes", classes, "--parties=8", "--points=5",
                           "--candidates=5"),
                   path, &file);
    cgm_h5_info info;
    double *shares = cgm_h5_read(&file, "/proportions", NULL, CGM_H5_DOUBLE, &info);
    assert_all_ranks(comm, shares != NULL && info.dims[0] == 8);
    /* The eighth party has the third row again. */
    const double *eighth = shares + 7 * info.dims[1];
    assert_close_array(comm, eighth, expected, info.dims[1], 1e-14, 0.0);
    free(shares);
    close_simulated(comm, path, &file);
}

static void test_splits(void **state)
{
    cgm_comm *comm = *state;
    check_shares(comm, "equaldisjoint", "5", (double[]){.01, .01, .96, .01, .01});
    check_shares(comm, "equaldisjoint", "1", (double[]){1.0});
    check_shares(comm, "equaldisjoint", "3", (double[]){.02, .96, .02});
    check_shares(comm, "unequal", "5", (double[]){.58, .39, .01, .01, .01});
    check_shares(comm, "unequal", "2", (double[]){.60, .40});
    check_shares(comm, "unequal", "7",
                 (double[]){.58 / 1.97, .39 / 1.97, .01 / 1.97, .01 / 1.97, .01 / 1.97, .58 / 1.97,
                            .39 / 1.97});
}

/* Mean 1/K and variance (K-1)/(K²(Kα+1)) of each share, also where a gamma variate underflows. */
static void test_dirichlet(void **state)
{
    cgm_comm *comm = *state;
    static const char *const alphas[] = {"0.001", "0.5", "3"};
    for (int a = 0; a < 3; a++) {
        char path[PATH_BYTES];
        cgm_h5_file file;
        open_simulated(comm, "dirichlet",
                       OPTIONS("--split=dirichlet", "--alpha", alphas[a], "--parties=20000",
                               "--points=1", "--candidates=1", "--classes=4", "--features=1"),
                       path, &file);
        double *shares = cgm_h5_read(&file, "/proportions", NULL, CGM_H5_DOUBLE, NULL);
        assert_all_ranks(comm, shares != NULL);
        double mean = 0.0;
        double variance = 0.0;
        for (int64_t i = 0; i < 20000; i++) {
            double off = shares[4 * i + 1] - 0.25;
            mean += shares[4 * i + 1] / 20000.0;
            variance += off * off / 20000.0;
        }
        double expected = 3.0 / (16.0 * (4.0 * strtod(alphas[a], NULL) + 1.0));
        assert_close(comm, mean, 0.25, 0.0, 4.5 * sqrt(expected / 20000.0));
        /* A share in [0, 1] has a fourth central moment below its variance. */
        assert_close(comm, variance, expected, 0.0, 4.5 * sqrt(expected / 20000.0));
        free(shares);
        close_simulated(comm, path, &file);
    }
}

static void test_heavy_sizes(void **state)
{
    cgm_comm *comm = *state;
    char path[PATH_BYTES];
    cgm_h5_file file;
    open_simulated(comm, "heavy",
                   OPTIONS("--sizes=heavy", "--parties=4000", "--points=40", "--candidates=1"),
                   path, &file);
    int64_t *offsets = cgm_h5_read(&file, "/packed/offsets", NULL, CGM_H5_INT64, NULL);
    assert_all_ranks(comm, offsets != NULL);
    int64_t above = 0;
    bool in_range = true;
    for (int64_t i = 0; i < 4000; i++) {
        int64_t size = offsets[i + 1] - offsets[i];
        in_range = in_range && size >= 20 && size <= 4000;
        above += size > 60;
    }
    assert_all_ranks(comm, in_range);
    /* P(size ≥ 60.5) = (20/60.5)². */
    double share = 400.0 / (60.5 * 60.5);
    assert_close(comm, (double)above / 4000.0, share, 0.0, 4.5 * sqrt(share / 4000.0));
    free(offsets);
    close_simulated(comm, path, &file);
}

static void test_refusals(void **state)
{
    cgm_comm *comm = *state;
    char path[PATH_BYTES];
    path_of(comm, "refused", path);
    static const struct {
        const char *option;
        const char *says;
    } wrong[] = {
        {"--partys=3", "--parties"},
        {"--parties=0", "1 .. 1000000"},
        {"--points=1e3", "'1e3'"},
        {"--split=even", "equaldisjoint, unequal, dirichlet"},
        {"--alpha=0", "> 0"},
        {"--seed=-1", "--seed"},
        {"--features", "--features VALUE"},
        {"parties=3", "--parties"},
        {"--out=x.h5", "twice"},
    };
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
        assert_all_ranks(comm, simulate(comm, path, OPTIONS(wrong[k].option)) == CGM_ERR_USAGE);
        assert_all_ranks(comm, strstr(comm->error.message, wrong[k].says) != NULL);
    }
    assert_all_ranks(comm, simulate(comm, path,
                                    OPTIONS("--parties=1000000", "--points=1000000000",
                                            "--features=2")) == CGM_ERR_USAGE);
    assert_all_ranks(comm, access(path, F_OK) != 0);
    comm->error = (cgm_error){.status = CGM_OK};
    assert_all_ranks(comm, cgm_simulate(comm, 0, NULL) == CGM_ERR_USAGE);
    assert_all_ranks(comm, strstr(comm->error.message, "--out") != NULL);

    const char *const *small = OPTIONS("--points=1", "--candidates=1");
    assert_all_ranks(comm, simulate(comm, path, small) == CGM_OK);
    assert_all_ranks(comm, simulate(comm, path, small) == CGM_ERR_OUTPUT);
    assert_all_ranks(comm, strstr(comm->error.message, path) != NULL);
    cgm_comm_barrier(comm);
    if (comm->rank == 0) {
        remove(path);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distribution), cmocka_unit_test(test_points_stay),
        cmocka_unit_test(test_splits),       cmocka_unit_test(test_dirichlet),
        cmocka_unit_test(test_heavy_sizes),  cmocka_unit_test(test_refusals),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
