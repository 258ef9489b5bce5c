// One file a party: its name, what `verify` says with it, and what is in its way.
// timeout: 120
#include "party_run.h"

#include <hdf5.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgm/output.h"

/* ---- names ---- */

static void test_names(void **state)
{
    cgm_comm *comm = *state;
    static const struct {
        const char *name;
        const char *file;
    } cases[] = {
        {"north", "north.h5"},
        {"north 2 (new)", "north 2 (new).h5"},
        {"h\xc3\xb4pital", "h\xc3\xb4pital.h5"},
        {"a.b", "a.b.h5"},
        {"..", "%2E..h5"},
        {".hidden", "%2Ehidden.h5"},
        {"../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd.h5"},
        {"/", "%2F.h5"},
        {"100%", "100%25.h5"},
        {"a/b", "a%2Fb.h5"},
        {"a%2Fb", "a%252Fb.h5"},
        {"tab\tnew\nline\x7f", "tab%09new%0Aline%7F.h5"},
    };
    char file[CGM_PARTY_FILE_NAME];
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        cgm_party_file_name(cases[k].name, 7, file);
        assert_string_equal(file, cases[k].file);
    }
    /* The longest that is kept whole, and longer ones that differ at the end alone. */
    char name[1024];
    memset(name, 'x', sizeof name);
    name[128] = '\0';
    cgm_party_file_name(name, 7, file);
    assert_int_equal(strlen(file), 131);
    name[128] = 'x';
    name[sizeof name - 1] = '\0';
    cgm_party_file_name(name, 7, file);
    assert_string_equal(file + 128, "%n7.h5");
    /* Cut between characters, however many bytes they have; nothing overflows. */
    for (size_t k = 0; k + 3 < sizeof name; k += 3) {
        memcpy(name + k, "\xe2\x82\xac", 3);
    }
    cgm_party_file_name(name, INT64_MAX, file);
    assert_int_equal(strchr(file, '%') - file, 126);
    memset(name, '\n', sizeof name - 1);
    cgm_party_file_name(name, INT64_MAX, file);
    assert_true(strlen(file) < CGM_PARTY_FILE_NAME);
    assert_all_ranks(comm, strchr(file, '\n') == NULL);
}

/* ---- verify ---- */

static bool has_mode(const char *path, mode_t mode)
{
    struct stat found;
    return stat(path, &found) == 0 && (found.st_mode & 07777) == mode;
}

static void test_verify(void **state)
{
    cgm_comm *comm = *state;
    static const struct {
        mode_t mask;
        const char *options;
    } cases[] = {
        {0000, REWARDS},
        {0077, REWARDS "[kernel]\ntype = se_sum\nlengthscale = 0.5\n[output]\noverwrite = true\n"},
        {0777, REWARDS "[kernel]\ntype = rq\nlengthscale = 0.4, 0.7\n[features]\nscale = "
                       "standard\n[run]\npool = ranks\n"},
    };
    for (int c = 0; c < 3; c++) {
        party_run all = {.home = ""};
        party_run_begin(comm, &all);
        mode_t before = umask(cases[c].mask);
        cgm_status status = party_run_with(comm, &all, cases[c].options);
        umask(before);
        assert_all_ranks(comm, status == CGM_OK);
        assert_all_ranks(comm, has_mode(all.parties, 0700));
        assert_all_ranks(comm, has_mode(all.result, (0640 & ~cases[c].mask) | 0600));
        for (int i = 0; i < N_PARTIES; i++) {
            char path[PATH_BYTES];
            party_run_file(&all, i, path);
            assert_all_ranks(comm, has_mode(path, 0600));
            assert_all_ranks(comm, comm->rank != 0 || party_run_write_own(comm, &all, i));
            cgm_status whole = party_run_verify(comm, all.result, party_names[i], all.own);
            cgm_status own = party_run_verify(comm, path, party_names[i], all.own);
            cgm_status other = party_run_verify(comm, path, party_names[i == 0], all.own);
            assert_all_ranks(comm, whole == CGM_OK && own == CGM_OK && other == CGM_ERR_INPUT);
        }
        party_run_remove(comm, &all);
    }
}

/* ---- tampering ---- */

/* Adds to a number of a party's file, or writes back its negative.  On rank 0. */
static void add_to(const char *path, const char *dataset, int64_t row, double add, bool is_integer)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t set = H5Dopen2(file, dataset, H5P_DEFAULT);
    hid_t type = is_integer ? H5T_NATIVE_INT64 : H5T_NATIVE_DOUBLE;
    int64_t integers[POOL * D];
    double numbers[POOL * D];
    void *data = is_integer ? (void *)integers : (void *)numbers;
    H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
    integers[row] += is_integer ? (int64_t)add : 0;
    numbers[row] += is_integer ? 0.0 : add;
    H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
    H5Dclose(set);
    H5Fclose(file);
}

static void test_tampered(void **state)
{
    cgm_comm *comm = *state;
    static const struct {
        const char *dataset;
        int64_t row;
        double add;
        bool is_integer;
    } changes[] = {
        {"/parties/n_points", 0, 1, true},
        {"/values/single", 0, 1e-6, false},
        {"/shapley/alpha", 0, -1e-6, false},
        {"/reward/r", 0, 1e-6, false},
        {"/sums/reference_sums", 0, 1e-3, false},
        {"/sampling/beta_2/candidate_sums", 1, 1e-3, false},
        {"/sampling/beta_inf/candidate_sums", 0, 1e-3, false},
        {"/sampling/beta_2/values", 1, 1e-8, false},
        {"/sampling/beta_2/data", 2, 1e-3, false},
        {"/sampling/beta_2/indices", 1, 1e6, true},
        {"/sampling/beta_2/indices", 1, -1e6, true},
    };
    party_run all = {.home = ""};
    char path[PATH_BYTES];
    const int party = 3;
    party_run_begin(comm, &all);
    assert_all_ranks(comm, party_run_with(comm, &all, REWARDS) == CGM_OK);
    assert_all_ranks(comm, comm->rank != 0 || party_run_write_own(comm, &all, party));
    party_run_file(&all, party, path);
    for (size_t k = 0; k < sizeof changes / sizeof changes[0]; k++) {
        for (int sign = 1; sign >= -1; sign -= 2) {
            if (comm->rank == 0) {
                add_to(path, changes[k].dataset, changes[k].row, sign * changes[k].add,
                       changes[k].is_integer);
            }
            assert_all_ranks(comm, party_run_verify(comm, path, party_names[party], all.own) ==
                                       (sign > 0 ? CGM_DIFFERENT : CGM_OK));
        }
    }
    party_run_remove(comm, &all);
}

/* ---- what is in the way ---- */

static bool matches(cgm_comm *comm, const char *text)
{
    return strstr(comm->error.message, text) != NULL;
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static void test_refusals(void **state)
{
    cgm_comm *comm = *state;
    party_run all = {.home = ""};
    char path[PATH_BYTES];
    party_run_begin(comm, &all);
    party_run_file(&all, 5, path);
    assert_all_ranks(comm, party_run_with(comm, &all, REWARDS) == CGM_OK);
    /* The same run again: all is there. */
    assert_all_ranks(comm, party_run_with(comm, &all, REWARDS) == CGM_OK);
    cgm_comm_barrier(comm);
    if (comm->rank == 0) {
        remove(path);
    }
    assert_all_ranks(comm, party_run_with(comm, &all, REWARDS) == CGM_ERR_OUTPUT);
    assert_all_ranks(comm, matches(comm, "tab there.h5"));
    cgm_comm_barrier(comm);
    if (comm->rank == 0) {
        remove(all.result);
    }
    /* Others of them, without a result. */
    assert_all_ranks(comm, party_run_with(comm, &all, REWARDS) == CGM_ERR_OUTPUT);
    assert_all_ranks(comm, matches(comm, "output.overwrite = true"));
    assert_all_ranks(comm, !exists(path) && !exists(all.result));
    const char *overwriting = REWARDS "[output]\noverwrite = true\n";
    assert_all_ranks(comm, party_run_with(comm, &all, overwriting) == CGM_OK);
    assert_all_ranks(comm, exists(path) && exists(all.result));
    /* A file that is none of the party's is not replaced, told or not. */
    cgm_comm_barrier(comm);
    if (comm->rank == 0) {
        rename(all.result, path);
    }
    assert_all_ranks(comm, party_run_with(comm, &all, overwriting) == CGM_ERR_OUTPUT);
    assert_all_ranks(comm, matches(comm, "tab there.h5") && matches(comm, "not replaced"));
    assert_all_ranks(comm, !exists(all.result));
    party_run_remove(comm, &all);
}

static void test_directories(void **state)
{
    cgm_comm *comm = *state;
    party_run all = {.home = ""};
    party_run_begin(comm, &all);
    char parties[PATH_BYTES];
    snprintf(parties, sizeof parties, "%s", all.parties);
    snprintf(all.parties, PATH_BYTES, "%.100s/nowhere/parties", all.home);
    assert_all_ranks(comm, party_run_with(comm, &all, REWARDS) == CGM_ERR_OUTPUT);
    assert_all_ranks(comm, matches(comm, "nowhere/parties' cannot be created"));
    snprintf(all.parties, PATH_BYTES, "%s", all.data);
    assert_all_ranks(comm, party_run_with(comm, &all, REWARDS) == CGM_ERR_OUTPUT);
    assert_all_ranks(comm, matches(comm, "no directory"));
    /* output.file in the same directory: under a party's name it would be in that one's place. */
    snprintf(all.parties, PATH_BYTES, "%s", all.home);
    snprintf(all.result, PATH_BYTES, "%s/a b.h5", all.home);
    assert_all_ranks(comm, party_run_with(comm, &all, REWARDS) == CGM_ERR_OUTPUT);
    assert_all_ranks(comm, matches(comm, "'a b'") && !exists(all.result));
    snprintf(all.result, PATH_BYTES, "%s/result.h5", all.home);
    assert_all_ranks(comm, party_run_with(comm, &all, REWARDS) == CGM_OK);
    party_run_remove(comm, &all);
    assert_all_ranks(comm, !exists(all.home) && !exists(parties));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),       cmocka_unit_test(test_verify),
        cmocka_unit_test(test_tampered),    cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_directories),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
