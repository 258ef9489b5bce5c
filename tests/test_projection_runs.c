/* Runs on projected features: what rewards, party files and the picture hold, and what a party
 * finds when it checks its own; the pool read from a file, and drawn. */
// ranks: 1 3 5
// without: valgrind
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/tolerance.h"
#include "party_run.h"

/* /features and one reward of a result, or of a party's own file. */
typedef struct claimed {
    int64_t n_components;
    int64_t pool_projected;
    int64_t count;
    double mean[D], scale[D], components[D * D], variance[D];
    double *points; /* [count][n_stored] */
    int64_t n_stored;
    int64_t *indices;
} claimed;

static bool take(const cgm_h5_file *file, const char *path, int64_t count, double *numbers)
{
    cgm_h5_info info;
    double *found = cgm_h5_read(file, path, NULL, CGM_H5_DOUBLE, &info);
    const bool good = found != NULL && info.count == count;
    if (good) {
        memcpy(numbers, found, (size_t)count * sizeof *numbers);
    }
    free(found);
    return good;
}

static bool read_claims(cgm_comm *comm, const char *path, int64_t n_components, claimed *says)
{
    cgm_h5_file file;
    cgm_h5_info info = {0};
    const int64_t k = n_components;
    *says = (claimed){.n_components = k};
    bool good = cgm_h5_open(comm, path, &file) == CGM_OK &&
                take(&file, "/features/mean", D, says->mean) &&
                take(&file, "/features/scale", D, says->scale) &&
                take(&file, "/features/components", k * D, says->components) &&
                take(&file, "/features/explained_variance", k, says->variance) &&
                cgm_h5_read_scalar(&file, "/features", "pool_projected", CGM_H5_INT64,
                                   &says->pool_projected) == CGM_OK;
    if (good) {
        says->points = cgm_h5_read(&file, "/sampling/beta_2/data", NULL, CGM_H5_DOUBLE, &info);
        says->indices = cgm_h5_read(&file, "/sampling/beta_2/indices", NULL, CGM_H5_INT64, NULL);
    }
    cgm_h5_close(&file);
    says->count = info.dims[0];
    says->n_stored = info.dims[1];
    return good && says->points != NULL && says->indices != NULL && says->count > 0;
}

static void discard_claims(claimed *says)
{
    free(says->points);
    free(says->indices);
}

/* By the formula of the README, whitened. */
static double coordinate(const claimed *says, const double *point, int64_t component)
{
    double sum = 0.0;
    for (int64_t f = 0; f < D; f++) {
        sum += says->components[component * D + f] * (point[f] - says->mean[f]) / says->scale[f];
    }
    return sum / sqrt(says->variance[component]);
}

/* The picture's axes are the components, for rewards as they are stored. */
static bool is_pictured(cgm_comm *comm, const char *path, const claimed *says)
{
    cgm_h5_file file;
    cgm_h5_texts axes = {0};
    double mean[D];
    double rows[D * D];
    const int64_t d = says->n_stored;
    const int64_t k = says->n_components;
    bool good = cgm_h5_open(comm, path, &file) == CGM_OK && take(&file, "/picture/mean", d, mean) &&
                take(&file, "/picture/projection", k * d, rows) &&
                cgm_h5_read_texts(&file, "/picture/axes", NULL, &axes) == CGM_OK &&
                axes.count == k && strcmp(axes.text[0], "pc1") == 0;
    for (int64_t r = 0; r < says->count && good; r++) {
        const double *point = says->points + r * d;
        for (int64_t c = 0; c < k; c++) {
            double sum = 0.0;
            for (int64_t f = 0; f < d; f++) {
                sum += rows[c * d + f] * (point[f] - mean[f]);
            }
            const double expected =
                says->pool_projected != 0 ? point[c] : coordinate(says, point, c);
            good = good && fabs(sum - expected) <= CGM_TEST_EIGEN;
        }
    }
    cgm_h5_texts_destroy(&axes);
    cgm_h5_close(&file);
    return good;
}

/* The party is content with both files; a record changed by little is noticed. */
static void check_verify(cgm_comm *comm, const party_run *files, const char *own)
{
    const char *const results[] = {files->result, own};
    for (int k = 0; k < 2; k++) {
        bool written = comm->rank != 0 || party_run_write_own(comm, files, 2);
        assert_all_ranks(comm, written);
        assert_all_ranks(comm,
                         party_run_verify(comm, results[k], party_names[2], files->own) == CGM_OK);
        written = comm->rank != 0 || party_run_write_own(comm, files, 3);
        assert_all_ranks(comm, written);
        assert_all_ranks(comm, party_run_verify(comm, results[k], party_names[2], files->own) ==
                                   CGM_DIFFERENT);
    }
}

#define PROJECTED "[features]\ntype = pca\nscale = standard\n"

/* A pool that came in raw features: rewards are its rows. */
static void test_run_of_raw_pool(void **state)
{
    cgm_comm *comm = *state;
    party_run files = {.home = ""};
    char own[PATH_BYTES];
    double points[POOL * D];
    int64_t labels[POOL];
    party_run_begin(comm, &files);
    party_run_file(&files, 2, own);
    party_run_points(N_PARTIES, POOL, points, labels);
    assert_all_ranks(comm,
                     party_run_with(comm, &files,
                                    REWARDS PROJECTED "components = 1\n"
                                                      "[metrics]\nselect = none\n") == CGM_OK);
    const char *const paths[] = {files.result, own};
    for (int k = 0; k < 2; k++) {
        claimed says;
        assert_all_ranks(comm, read_claims(comm, paths[k], 1, &says));
        bool original = says.n_stored == D && says.pool_projected == 0;
        for (int64_t r = 0; r < says.count && original; r++) {
            original =
                memcmp(says.points + r * D, points + says.indices[r] * D, D * sizeof *points) == 0;
        }
        assert_all_ranks(comm, original);
        assert_all_ranks(comm, k > 0 || is_pictured(comm, paths[k], &says));
        discard_claims(&says);
    }
    check_verify(comm, &files, own);
    party_run_remove(comm, &files);
}

/* A pool that was drawn: rewards are its rows too, coordinates, also where there are as many of
 * them as features; in a party's file they are no others. */
static void test_run_of_drawn_pool(void **state)
{
    cgm_comm *comm = *state;
    party_run files = {.home = ""};
    char own[PATH_BYTES];
    cgm_h5_file file;
    party_run_begin(comm, &files);
    party_run_file(&files, 2, own);
    assert_all_ranks(comm, party_run_with(comm, &files,
                                          REWARDS PROJECTED
                                          "components = 2\n[generator]\ntype = gmm\nsize = 150\n"
                                          "components = 1\n[metrics]\nselect = none\n") == CGM_OK);
    assert_all_ranks(comm, cgm_h5_open(comm, files.result, &file) == CGM_OK);
    double pool[POOL * 2];
    assert_all_ranks(comm, take(&file, "/candidates/data", POOL * 2, pool));
    cgm_h5_close(&file);
    const char *const paths[] = {files.result, own};
    for (int k = 0; k < 2; k++) {
        claimed says;
        assert_all_ranks(comm, read_claims(comm, paths[k], 2, &says));
        bool drawn = says.n_stored == 2 && says.pool_projected == 1;
        for (int64_t r = 0; r < says.count && drawn; r++) {
            drawn = memcmp(says.points + r * 2, pool + says.indices[r] * 2, 2 * sizeof *pool) == 0;
        }
        assert_all_ranks(comm, drawn);
        assert_all_ranks(comm, k > 0 || is_pictured(comm, paths[k], &says));
        discard_claims(&says);
    }
    check_verify(comm, &files, own);
    party_run_remove(comm, &files);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_of_raw_pool),
        cmocka_unit_test(test_run_of_drawn_pool),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
