// HDF5 files that are damaged, or made to do harm: truncated at every few bytes, with bits flipped,
// with shapes, types, links and names that no input has. Each is read, or refused for a cause.
// ranks: 1 2
// timeout: 240
// without: valgrind
#include "harness.h"

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../src/catalogue.h"
#include "cgm/result.h"
#include "cgm/shard.h"

enum { PATH_BYTES = 128, BYTES_MAX = 1 << 16, TRUNCATIONS = 150, FLIPS = 200 };

/* A file of this test, the same on every rank. */
static void make_path(cgm_comm *comm, char path[PATH_BYTES], const char *name)
{
    int64_t process = getpid();
    cgm_comm_broadcast(comm, &process, sizeof process, 0);
    snprintf(path, PATH_BYTES, "/tmp/cgm-test-hostile-%lld-%s", (long long)process, name);
}

static void write_bytes(const char *path, const unsigned char *bytes, size_t count)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, count, file) != count || fclose(file) != 0) {
        perror(path);
        abort();
    }
}

static const double numbers[64] = {0.5, 0.25, 0.125};

static hid_t create_set(hid_t file, const char *path, hid_t type, hid_t creation, int rank,
                        const hsize_t *dims, const hsize_t *largest)
{
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    hid_t space = H5Screate_simple(rank, dims, largest);
    hid_t set = H5Dcreate2(file, path, type, space, links, creation, H5P_DEFAULT);
    H5Sclose(space);
    H5Pclose(links);
    return set;
}

static void add_points(hid_t file, const char *path, hsize_t rows)
{
    hid_t set = create_set(file, path, H5T_IEEE_F64LE, H5P_DEFAULT, 2, (hsize_t[]){rows, 2}, NULL);
    H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers);
    H5Dclose(set);
}

/* A small sound file: parties a and b. */
static hid_t create_sound(const char *path, bool latest)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (latest) {
        H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
    }
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    add_points(file, "/parties/a/data", 5);
    add_points(file, "/parties/b/data", 4);
    return file;
}

static size_t read_sound(const char *path, bool latest, unsigned char bytes[BYTES_MAX])
{
    H5Fclose(create_sound(path, latest));
    FILE *file = fopen(path, "rb");
    size_t count = file != NULL ? fread(bytes, 1, BYTES_MAX, file) : 0;
    if (file != NULL) {
        fclose(file);
    }
    return count;
}

/* As input, by all ranks of comm, without the record of an earlier failure. */
static cgm_status read_input(cgm_comm *comm, const char *path)
{
    cgm_shard shard;
    comm->error = (cgm_error){.status = CGM_OK};
    cgm_status status = cgm_shard_read(comm, path, &shard);
    cgm_shard_destroy(&shard);
    return status;
}

static void check_truncations(cgm_comm *comm, bool latest)
{
    char path[PATH_BYTES];
    static unsigned char bytes[BYTES_MAX];
    make_path(comm, path, "cut.h5");
    int64_t count = comm->rank == 0 ? (int64_t)read_sound(path, latest, bytes) : 0;
    cgm_comm_broadcast(comm, &count, sizeof count, 0);
    for (int64_t k = 0; k <= TRUNCATIONS; k++) {
        int64_t length = count * k / TRUNCATIONS;
        if (comm->rank == 0) {
            write_bytes(path, bytes, (size_t)length);
        }
        cgm_comm_barrier(comm);
        cgm_status expected = length < count ? CGM_ERR_INPUT : CGM_OK;
        assert_all_ranks(comm, read_input(comm, path) == expected);
        assert_all_ranks(comm, expected == CGM_OK || strstr(comm->error.message, path) != NULL);
    }
    comm->error = (cgm_error){.status = CGM_OK};
    remove(path);
}

static void test_truncated(void **state)
{
    check_truncations(*state, false);
    check_truncations(*state, true);
}

/* How a process ends that reads the file alone, as input and as a result: HDF5 may crash. */
static int read_in_child(cgm_comm *comm, const char *path)
{
    pid_t child = fork();
    if (child == 0) {
        cgm_comm alone = *comm;
        cgm_h5_file file;
        uint64_t checksum;
        alone.world = MPI_COMM_SELF;
        alone.rank = 0;
        alone.size = 1;
        alarm(100);
        if (freopen("/dev/null", "w", stderr) == NULL) {
            _exit(EXIT_FAILURE);
        }
        cgm_status status = read_input(&alone, path);
        if (cgm_h5_open(&alone, path, &file) == CGM_OK) {
            cgm_result_checksum(&file, 0, 1, &checksum);
        }
        cgm_h5_close(&file);
        _exit((int)status);
    }
    int state = 0;
    waitpid(child, &state, 0);
    return WIFEXITED(state) ? WEXITSTATUS(state) : -WTERMSIG(state);
}

/* Ranks share the trials. */
static void check_flips(cgm_comm *comm, bool latest)
{
    char path[PATH_BYTES];
    static unsigned char bytes[BYTES_MAX];
    int64_t ends[2] = {0, 0}; /* read, refused */
    int64_t others = 0;
    snprintf(path, sizeof path, "/tmp/cgm-test-hostile-%lld-flip.h5", (long long)getpid());
    const size_t count = read_sound(path, latest, bytes);
    for (int64_t k = comm->rank; k < FLIPS; k += comm->size) {
        const size_t place = count * (size_t)k / FLIPS;
        const unsigned char sound = bytes[place];
        bytes[place] ^= (unsigned char)(k % 3 == 0 ? 0xff : 1 << k % 8);
        write_bytes(path, bytes, count);
        const int code = read_in_child(comm, path);
        ends[0] += code == CGM_OK;
        ends[1] += code == CGM_ERR_INPUT;
        others += code != CGM_OK && code != CGM_ERR_INPUT && code != CGM_ERR_MEMORY;
        if (code != CGM_OK && code != CGM_ERR_INPUT) {
            print_message("byte %zu: %d\n", place, code);
        }
        bytes[place] = sound;
    }
    remove(path);
    cgm_comm_sum(comm, ends, 2);
    cgm_comm_sum(comm, &others, 1);
    assert_all_ranks(comm, others == 0 && ends[0] > 0 && ends[1] > 0);
}

static void test_flipped_bytes(void **state)
{
    check_flips(*state, false);
    check_flips(*state, true);
}

/* ---- files made to do harm: the party c ---- */

#define C_DATA "/parties/c/data"
#define TERA ((hsize_t)1 << 40)

static void add_set(hid_t file, hid_t type, hsize_t rows, hsize_t columns, hsize_t chunk,
                    bool extensible, int deflates)
{
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    if (chunk > 0) {
        H5Pset_chunk(creation, 2, (hsize_t[]){chunk, columns < chunk ? columns : chunk});
    }
    for (int k = 0; k < deflates; k++) {
        H5Pset_deflate(creation, 9);
    }
    const hsize_t unlimited[2] = {H5S_UNLIMITED, H5S_UNLIMITED};
    hid_t set = create_set(file, C_DATA, type, creation, 2, (hsize_t[]){rows, columns},
                           extensible ? unlimited : NULL);
    H5Dclose(set);
    H5Pclose(creation);
}

static void add_contiguous(hid_t file, const char *pipe)
{
    (void)pipe;
    add_set(file, H5T_IEEE_F64LE, TERA, 2, 0, false, 0);
}

static void add_square(hid_t file, const char *pipe)
{
    (void)pipe;
    add_set(file, H5T_IEEE_F64LE, TERA, TERA, 64, false, 0);
}

static void add_unwritten(hid_t file, const char *pipe)
{
    (void)pipe;
    add_set(file, H5T_IEEE_F64LE, TERA, 2, 1024, false, 0);
}

static void add_compressed(hid_t file, const char *pipe)
{
    (void)pipe;
    add_set(file, H5T_IEEE_F64LE, TERA, 2, 1024, false, 1);
}

static void add_large_chunk(hid_t file, const char *pipe)
{
    (void)pipe;
    add_set(file, H5T_IEEE_F64LE, 5, 2, 1 << 22, true, 1);
}

static void add_layers(hid_t file, const char *pipe)
{
    (void)pipe;
    add_set(file, H5T_IEEE_F64LE, 5, 2, 4, false, 3);
}

static void add_nothing(hid_t file, const char *pipe)
{
    (void)pipe;
    add_set(file, H5T_IEEE_F64LE, 0, 0, 0, false, 0);
}

static void add_type(hid_t file, hid_t type)
{
    add_set(file, type, 5, 2, 0, false, 0);
    H5Tclose(type);
}

static void add_opaque(hid_t file, const char *pipe)
{
    (void)pipe;
    add_type(file, H5Tcreate(H5T_OPAQUE, 8));
}

static void add_variable(hid_t file, const char *pipe)
{
    (void)pipe;
    add_type(file, H5Tvlen_create(H5T_NATIVE_DOUBLE));
}

static void add_enum(hid_t file, const char *pipe)
{
    (void)pipe;
    const int zero = 0;
    hid_t type = H5Tenum_create(H5T_NATIVE_INT);
    H5Tenum_insert(type, "zero", &zero);
    add_type(file, type);
}

static void add_reference(hid_t file, const char *pipe)
{
    (void)pipe;
    add_type(file, H5Tcopy(H5T_STD_REF_OBJ));
}

/* Opening the pipe would wait for ever. */
static void add_external(hid_t file, const char *pipe)
{
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(creation, pipe, 0, 80);
    H5Dclose(create_set(file, C_DATA, H5T_IEEE_F64LE, creation, 2, (hsize_t[]){5, 2}, NULL));
    H5Pclose(creation);
}

static void add_virtual(hid_t file, const char *pipe)
{
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(2, (hsize_t[]){5, 2}, NULL);
    H5Pset_virtual(creation, space, pipe, "x", space);
    H5Dclose(create_set(file, C_DATA, H5T_IEEE_F64LE, creation, 2, (hsize_t[]){5, 2}, NULL));
    H5Sclose(space);
    H5Pclose(creation);
}

static void add_link_outside(hid_t file, const char *pipe)
{
    H5Lcreate_external(pipe, "/x", file, "/parties/c", H5P_DEFAULT, H5P_DEFAULT);
}

static void add_soft_loop(hid_t file, const char *pipe)
{
    (void)pipe;
    H5Lcreate_soft("/parties/d", file, "/parties/c", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/parties/c", file, "/parties/d", H5P_DEFAULT, H5P_DEFAULT);
}

static void add_hard_loop(hid_t file, const char *pipe)
{
    (void)pipe;
    H5Lcreate_hard(file, "/parties", file, "/parties/c", H5P_DEFAULT, H5P_DEFAULT);
}

/* The data are an attribute, and the data are a group. */
static void add_attribute(hid_t file, const char *pipe)
{
    (void)pipe;
    hid_t group = H5Gcreate2(file, "/parties/c", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate_simple(2, (hsize_t[]){5, 2}, NULL);
    H5Aclose(H5Acreate2(group, "data", H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(space);
    H5Gclose(group);
}

static void add_group(hid_t file, const char *pipe)
{
    add_attribute(file, pipe);
    H5Gclose(H5Gcreate2(file, C_DATA, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

static void replace_parties(hid_t file, const char *pipe)
{
    (void)pipe;
    H5Ldelete(file, "/parties", H5P_DEFAULT);
    add_points(file, "/parties", 3);
}

static void add_name(hid_t file, const char *name)
{
    hid_t parties = H5Gopen2(file, "/parties", H5P_DEFAULT);
    hid_t group = H5Gcreate2(parties, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    add_points(group, "data", 3);
    H5Gclose(group);
    H5Gclose(parties);
}

static void add_newline(hid_t file, const char *pipe)
{
    (void)pipe;
    add_name(file, "c\ncgm: error: forged");
}

static void add_escape(hid_t file, const char *pipe)
{
    (void)pipe;
    add_name(file, "c\x1b[2J");
}

static void add_no_text(hid_t file, const char *pipe)
{
    (void)pipe;
    add_name(file, "c\xff\xfe");
}

static void add_long_name(hid_t file, const char *pipe)
{
    (void)pipe;
    static char name[(1 << 16) - 2];
    memset(name, 'n', sizeof name - 1);
    add_name(file, name);
}

static void add_dots(hid_t file, const char *pipe)
{
    (void)pipe;
    add_name(file, "..");
}

static void add_many_attributes(hid_t file, const char *pipe)
{
    add_attribute(file, pipe);
    add_points(file, C_DATA, 3);
    hid_t space = H5Screate(H5S_SCALAR);
    for (int k = 0; k < 1000; k++) {
        char name[32];
        snprintf(name, sizeof name, "attribute %d", k);
        H5Aclose(H5Acreate2(file, name, H5T_NATIVE_INT, space, H5P_DEFAULT, H5P_DEFAULT));
    }
    H5Sclose(space);
}

static const struct {
    const char *name;
    void (*add)(hid_t file, const char *pipe);
    const char *says; /* NULL: it is read */
} harms[] = {
    {"contiguous", add_contiguous, "does not fit the file"},
    {"square", add_square, "impossibly large"},
    {"unwritten", add_unwritten, "does not fit the file"},
    {"compressed", add_compressed, "does not fit the file"},
    {"large_chunk", add_large_chunk, "does not fit the file"},
    {"layers", add_layers, "compressed more than once"},
    {"nothing", add_nothing, "no points"},
    {"opaque", add_opaque, "float32 or float64"},
    {"variable", add_variable, "float32 or float64"},
    {"enum", add_enum, "float32 or float64"},
    {"reference", add_reference, "float32 or float64"},
    {"external", add_external, "lie in other files"},
    {"virtual", add_virtual, "lie in other files"},
    {"link_outside", add_link_outside, "external link"},
    {"soft_loop", add_soft_loop, "no such dataset"},
    {"hard_loop", add_hard_loop, "no such dataset"},
    {"attribute", add_attribute, "no such dataset"},
    {"group", add_group, "not a dataset"},
    {"parties", replace_parties, "cannot be listed"},
    {"newline", add_newline, "name 'c?cgm: error: forged' cannot be used"},
    {"escape", add_escape, "name 'c?[2J' cannot be used"},
    {"no_text", add_no_text, "name 'c\?\?' cannot be used"},
    {"long_name", add_long_name, "cannot be used"},
    {"dots", add_dots, "name '..' cannot be used"},
    {"many_attributes", add_many_attributes, NULL},
};

static void test_harm(void **state)
{
    cgm_comm *comm = *state;
    char path[PATH_BYTES];
    char pipe[PATH_BYTES];
    make_path(comm, path, "harm.h5");
    make_path(comm, pipe, "pipe");
    if (comm->rank == 0) {
        mkfifo(pipe, 0600);
    }
    for (size_t k = 0; k < sizeof harms / sizeof harms[0]; k++) {
        if (comm->rank == 0) {
            hid_t file = create_sound(path, false);
            harms[k].add(file, pipe);
            H5Fclose(file);
        }
        cgm_comm_barrier(comm);
        cgm_status status = read_input(comm, path);
        bool good = harms[k].says == NULL ? status == CGM_OK
                                          : status == CGM_ERR_INPUT &&
                                                strstr(comm->error.message, harms[k].says) != NULL;
        if (!good) {
            print_message("%s: %d, %s\n", harms[k].name, status, comm->error.message);
        }
        assert_all_ranks(comm, good);
    }
    comm->error = (cgm_error){.status = CGM_OK};
    remove(path);
    remove(pipe);
}

/* ---- files that change ---- */

static void test_cut_while_open(void **state)
{
    cgm_comm *comm = *state;
    char path[PATH_BYTES];
    double points[10];
    cgm_h5_file file;
    snprintf(path, sizeof path, "/tmp/cgm-test-hostile-%lld-open.h5", (long long)getpid());
    H5Fclose(create_sound(path, false));
    comm->error = (cgm_error){.status = CGM_OK};
    assert_all_ranks(comm, cgm_h5_open(comm, path, &file) == CGM_OK);
    /* Room for three columns where there are two, for two where the rows are fewer. */
    assert_all_ranks(comm, cgm_h5_read_rows(&file, "/parties/a/data", CGM_H5_DOUBLE, 0, 3, 3,
                                            points) == CGM_ERR_INPUT);
    assert_all_ranks(comm, cgm_h5_read_rows(&file, "/parties/a/data", CGM_H5_DOUBLE, 2, 4, 2,
                                            points) == CGM_ERR_INPUT);
    comm->error = (cgm_error){.status = CGM_OK};
    assert_all_ranks(
        comm, cgm_h5_read_rows(&file, "/parties/a/data", CGM_H5_DOUBLE, 0, 5, 2, points) == CGM_OK);
    assert_all_ranks(comm, truncate(path, file.bytes - 8) == 0);
    assert_all_ranks(comm, cgm_h5_read_rows(&file, "/parties/b/data", CGM_H5_DOUBLE, 0, 4, 2,
                                            points) == CGM_ERR_INPUT);
    cgm_h5_close(&file);
    comm->error = (cgm_error){.status = CGM_OK};
    remove(path);
}

/* ---- names ---- */

static void test_names(void **state)
{
    cgm_comm *comm = *state;
    static const char *const good[] = {"a", "party 1", "\xc3\xa9t\xc3\xa9", "...", "a.b", ";x"};
    static const char *const bad[] = {"", ".", "..", "a/b", "/", "a\n", "\x7f", "\xff", "\xc2\x9b"};
    char longest[CGM_PARTY_NAME_MAX + 2];
    memset(longest, 'n', sizeof longest);
    longest[CGM_PARTY_NAME_MAX + 1] = '\0';
    for (size_t k = 0; k < sizeof good / sizeof good[0]; k++) {
        assert_all_ranks(comm, cgm_catalogue_is_name(good[k]));
    }
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        assert_all_ranks(comm, !cgm_catalogue_is_name(bad[k]));
    }
    assert_all_ranks(comm, !cgm_catalogue_is_name(longest));
    longest[CGM_PARTY_NAME_MAX] = '\0';
    assert_all_ranks(comm, cgm_catalogue_is_name(longest));
}

int main(int argc, char **argv)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truncated), cmocka_unit_test(test_flipped_bytes),
        cmocka_unit_test(test_harm),      cmocka_unit_test(test_cut_while_open),
        cmocka_unit_test(test_names),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
