// A party's own check of a result: what is sound passes, and each number that is tampered with is
// found. Also that the work `check` announces is the work that a run counts.
#include "harness.h"

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgm/h5.h"
#include "cgm/pipeline.h"
#include "cgm/simulate.h"
#include "cgm/verify.h"

enum { PATH_BYTES = 96, N_PARTIES = 3, PARTY = 1 };

/* Files of one test: data, options and result of a run. */
typedef struct files {
    char data[PATH_BYTES];
    char options[PATH_BYTES];
    char result[PATH_BYTES];
} files;

static void name_files(cgm_comm *comm, files *names)
{
    int64_t process = getpid();
    cgm_comm_broadcast(comm, &process, sizeof process, 0);
    const long long id = process;
    snprintf(names->data, PATH_BYTES, "/tmp/cgm-test-verify-%lld-data.h5", id);
    snprintf(names->options, PATH_BYTES, "/tmp/cgm-test-verify-%lld.ini", id);
    snprintf(names->result, PATH_BYTES, "/tmp/cgm-test-verify-%lld-result.h5", id);
}

static void remove_files(cgm_comm *comm, const files *names)
{
    cgm_comm_barrier(comm);
    if (comm->rank == 0) {
        remove(names->data);
        remove(names->options);
        remove(names->result);
    }
}

/* Simulates and runs; more lines of options may be given. */
static void make_result(cgm_comm *comm, files *names, const char *more)
{
    name_files(comm, names);
    remove_files(comm, names); /* what a test that failed left */
    comm->error = (cgm_error){.status = CGM_OK};
    char *simulate[] = {"--out",        names->data,        "--parties=3",
                        "--points=530", "--candidates=700", "--seed=5"};
    assert_all_ranks(comm, cgm_simulate(comm, 6, simulate) == CGM_OK);
    if (comm->rank == 0) {
        FILE *options = fopen(names->options, "w");
        fprintf(options,
                "[input]\nparties = %s\n[output]\nfile = %s\n[reward]\ncondition = individual\n"
                "[sampling]\ninv_temp = 2, inf\n[run]\nprogress = 0\n%s",
                names->data, names->result, more);
        fclose(options);
    }
    cgm_comm_barrier(comm);
    char *arguments[] = {names->options};
    cgm_config config;
    assert_all_ranks(comm, cgm_config_load(comm, 1, arguments, &config) == CGM_OK);
    assert_all_ranks(comm, cgm_pipeline_run(comm, &config, "test") == CGM_OK);
    cgm_config_destroy(&config);
}

/* The cause stays in comm->error. */
static cgm_status verify(cgm_comm *comm, const files *names, const char *party, const char *own)
{
    char copies[4][PATH_BYTES];
    char *arguments[4];
    const char *given[4] = {names->result, "--party", party, own};
    for (int k = 0; k < 4; k++) {
        snprintf(copies[k], PATH_BYTES, "%s", given[k]);
        arguments[k] = copies[k];
    }
    comm->error = (cgm_error){.status = CGM_OK};
    cgm_comm_barrier(comm);
    cgm_status status = cgm_verify(comm, 4, arguments);
    cgm_comm_barrier(comm);
    return status;
}

static void test_sound(void **state)
{
    cgm_comm *comm = *state;
    static const char *const options[] = {
        "",
        "[kernel]\ntype = se_sum\nlengthscale = 0.5\n",
        "[kernel]\ntype = rq\nlengthscale = 0.4, 0.7\n[features]\nscale = standard\n",
    };
    for (int k = 0; k < 3; k++) {
        files names = {.data = ""};
        make_result(comm, &names, options[k]);
        assert_all_ranks(comm, verify(comm, &names, "party1", names.data) == CGM_OK);
        assert_all_ranks(comm, verify(comm, &names, "party2", names.data) == CGM_OK);
        assert_all_ranks(comm, verify(comm, &names, "party3", names.data) == CGM_OK);
        remove_files(comm, &names);
    }
}

/* ---- tampering, on rank 0 ---- */

/* A dataset of numbers of 8 bytes read whole, to be changed and put back. */
typedef struct tampered {
    hid_t file;
    hid_t dataset;
    hid_t type;
    size_t bytes;
    void *numbers;
} tampered;

static void tamper_begin(const char *path, const char *name, tampered *what)
{
    what->file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    what->dataset = H5Dopen2(what->file, name, H5P_DEFAULT);
    hid_t stored = H5Dget_type(what->dataset);
    what->type = H5Tget_native_type(stored, H5T_DIR_DEFAULT);
    H5Tclose(stored);
    hid_t space = H5Dget_space(what->dataset);
    what->bytes = (size_t)H5Sget_simple_extent_npoints(space) * 8;
    H5Sclose(space);
    what->numbers = malloc(what->bytes);
    H5Dread(what->dataset, what->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, what->numbers);
}

static void tamper_end(tampered *what, bool write)
{
    if (write) {
        H5Dwrite(what->dataset, what->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, what->numbers);
    }
    H5Tclose(what->type);
    H5Dclose(what->dataset);
    H5Fclose(what->file);
    free(what->numbers);
}

/* First row of the party's reward. */
static int64_t first_row(const char *path, const char *offsets)
{
    tampered what;
    tamper_begin(path, offsets, &what);
    int64_t first = ((int64_t *)what.numbers)[PARTY];
    tamper_end(&what, false);
    return first;
}

/* How one element or row is changed: plus a number, or overwritten by the element or row before. */
typedef struct change {
    const char *dataset;
    int64_t row; /* after the party's first, or the party's own element for -1 */
    int64_t width;
    double add;
    bool is_integer;
    bool copy;
} change;

static void apply_change(const char *path, const change *how, bool restore)
{
    tampered what;
    int64_t row = how->row < 0 ? PARTY : first_row(path, "/sampling/beta_2/offsets") + how->row;
    tamper_begin(path, how->dataset, &what);
    double *numbers = what.numbers;
    int64_t *integers = what.numbers;
    if (how->copy) {
        memcpy(numbers + row * how->width, numbers + (row - 1) * how->width,
               (size_t)how->width * 8);
    } else if (how->is_integer) {
        integers[row] += (int64_t)(restore ? -how->add : how->add);
    } else {
        numbers[row] += restore ? -how->add : how->add;
    }
    tamper_end(&what, true);
}

static void test_tampered(void **state)
{
    cgm_comm *comm = *state;
    static const change changes[] = {
        {"/parties/n_points", -1, 1, 1, true, false},
        {"/parties/checksum", -1, 1, 1, true, false},
        {"/values/single", -1, 1, 1e-6, false, false},
        {"/shapley/alpha", -1, 1, 1e-6, false, false},
        {"/reward/r", -1, 1, 1e-6, false, false},
        {"/sums/reference_sums", -1, 1, 1e-3, false, false},
        {"/sampling/beta_2/start_value", -1, 1, 1e-8, false, false},
        {"/sampling/beta_2/target", -1, 1, 1e-8, false, false},
        {"/sampling/beta_2/reached", -1, 1, -1, true, false},
        {"/sampling/beta_2/values", 3, 1, 1e-8, false, false},
    };
    files names = {.data = ""};
    make_result(comm, &names, "");
    for (size_t k = 0; k < sizeof changes / sizeof changes[0]; k++) {
        if (comm->rank == 0) {
            apply_change(names.result, &changes[k], false);
        }
        assert_all_ranks(comm, verify(comm, &names, "party2", names.data) == CGM_DIFFERENT);
        if (comm->rank == 0) {
            apply_change(names.result, &changes[k], true);
        }
        assert_all_ranks(comm, verify(comm, &names, "party2", names.data) == CGM_OK);
    }
    remove_files(comm, &names);
}

/* A point paid twice, under two rows of the pool and under one, and a row outside the pool. */
static void test_repeated_points(void **state)
{
    cgm_comm *comm = *state;
    static const change changes[] = {
        {"/sampling/beta_2/data", 4, 2, 0, false, true},
        {"/sampling/beta_2/indices", 4, 1, 0, true, true},
        {"/sampling/beta_2/indices", 9, 1, 1e6, true, false},
    };
    for (int k = 0; k < 3; k++) {
        files names = {.data = ""};
        make_result(comm, &names, "");
        assert_all_ranks(comm, verify(comm, &names, "party2", names.data) == CGM_OK);
        if (comm->rank == 0) {
            apply_change(names.result, &changes[k], false);
        }
        assert_all_ranks(comm, verify(comm, &names, "party2", names.data) == CGM_DIFFERENT);
        /* The others' rewards are as they were. */
        assert_all_ranks(comm, verify(comm, &names, "party1", names.data) == CGM_OK);
        remove_files(comm, &names);
    }
}

static void test_other_data(void **state)
{
    cgm_comm *comm = *state;
    files names = {.data = ""};
    make_result(comm, &names, "");
    if (comm->rank == 0) {
        const change one = {"/parties/party2/data", -1, 1, 1e-3, false, false};
        apply_change(names.data, &one, false);
    }
    assert_all_ranks(comm, verify(comm, &names, "party2", names.data) == CGM_DIFFERENT);
    assert_all_ranks(comm, verify(comm, &names, "party1", names.data) == CGM_OK);
    remove_files(comm, &names);
}

static void test_refusals(void **state)
{
    cgm_comm *comm = *state;
    files names = {.data = ""};
    char other[PATH_BYTES];
    make_result(comm, &names, "");
    assert_all_ranks(comm, verify(comm, &names, "party22", names.data) == CGM_ERR_INPUT);
    assert_all_ranks(comm, strstr(comm->error.message, "'party2'") != NULL);
    assert_all_ranks(comm, verify(comm, &names, "party2", "/none.h5") == CGM_ERR_INPUT);
    assert_all_ranks(comm, verify(comm, &names, "party2", names.options) == CGM_ERR_INPUT);
    assert_all_ranks(comm, verify(comm, &names, "party2", names.result) == CGM_ERR_INPUT);
    assert_all_ranks(comm, strstr(comm->error.message, "/parties/party2/data") != NULL);

    snprintf(other, PATH_BYTES, "%.80s.other", names.data);
    char *simulate[] = {"--out",          other,         "--parties=3", "--points=9",
                        "--candidates=5", "--features=3"};
    comm->error = (cgm_error){.status = CGM_OK};
    assert_all_ranks(comm, cgm_simulate(comm, 6, simulate) == CGM_OK);
    assert_all_ranks(comm, verify(comm, &names, "party2", other) == CGM_ERR_INPUT);
    assert_all_ranks(comm, strstr(comm->error.message, "features") != NULL);
    cgm_comm_barrier(comm);
    if (comm->rank == 0) {
        remove(other);
    }
    comm->error = (cgm_error){.status = CGM_OK};
    char *without[] = {names.result, names.data};
    assert_all_ranks(comm, cgm_verify(comm, 2, without) == CGM_ERR_USAGE);
    assert_all_ranks(comm, strstr(comm->error.message, "--party") != NULL);
    remove_files(comm, &names);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound),           cmocka_unit_test(test_tampered),
        cmocka_unit_test(test_repeated_points), cmocka_unit_test(test_other_data),
        cmocka_unit_test(test_refusals),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
