// CSV files to input: what is read, what labels become, and what is refused where.
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgm/h5.h"
#include "cgm/import.h"

enum { PATH_BYTES = 96, FILES_MAX = 2 };

/* A directory of its own for each test. */
typedef struct place {
    char directory[PATH_BYTES];
    char out[PATH_BYTES];
    char csv[FILES_MAX][PATH_BYTES];
} place;

static void make_place(cgm_comm *comm, place *where)
{
    int64_t process = getpid();
    cgm_comm_broadcast(comm, &process, sizeof process, 0);
    const long long id = process;
    snprintf(where->directory, PATH_BYTES, "/tmp/cgm-test-import-%lld", id);
    snprintf(where->out, PATH_BYTES, "/tmp/cgm-test-import-%lld/out.h5", id);
    for (int k = 0; k < FILES_MAX; k++) {
        snprintf(where->csv[k], PATH_BYTES, "/tmp/cgm-test-import-%lld/p%d.csv", id, k + 1);
    }
    if (comm->rank == 0) {
        mkdir(where->directory, 0700);
    }
}

static void remove_place(cgm_comm *comm, const place *where)
{
    cgm_comm_barrier(comm);
    if (comm->rank == 0) {
        remove(where->out);
        for (int k = 0; k < FILES_MAX; k++) {
            remove(where->csv[k]);
        }
        rmdir(where->directory);
    }
}

static void write_csv(cgm_comm *comm, const place *where, int file, const char *text, size_t bytes)
{
    if (comm->rank == 0) {
        FILE *stream = fopen(where->csv[file], "wb");
        fwrite(text, 1, bytes, stream);
        fclose(stream);
    }
    cgm_comm_barrier(comm);
}

/* Imports n_files files; label may be NULL. The cause stays in comm->error. */
static cgm_status import(cgm_comm *comm, place *where, int n_files, const char *label)
{
    char option[PATH_BYTES];
    char *arguments[3 + FILES_MAX] = {"--out", where->out};
    int count = 2;
    for (int k = 0; k < n_files; k++) {
        arguments[count++] = where->csv[k];
    }
    if (label != NULL) {
        snprintf(option, PATH_BYTES, "--label-column=%s", label);
        arguments[count++] = option;
    }
    comm->error = (cgm_error){.status = CGM_OK};
    cgm_status status = cgm_import(comm, count, arguments);
    cgm_comm_barrier(comm);
    return status;
}

static void check_numbers(cgm_comm *comm, const cgm_h5_file *file, const char *path,
                          const double *expected, int64_t count)
{
    cgm_h5_info info;
    double *found = cgm_h5_read(file, path, NULL, CGM_H5_DOUBLE, &info);
    assert_all_ranks(comm, found != NULL && info.count == count);
    assert_close_array(comm, found, expected, count, 0.0, 0.0);
    free(found);
}

static void check_texts(cgm_comm *comm, const cgm_h5_file *file, const char *path,
                        const char *const *expected, int64_t count)
{
    cgm_h5_texts texts;
    assert_all_ranks(comm, cgm_h5_read_texts(file, path, NULL, &texts) == CGM_OK);
    assert_all_ranks(comm, texts.count == count);
    for (int64_t k = 0; k < count; k++) {
        assert_all_ranks(comm, strcmp(texts.text[k], expected[k]) == 0);
    }
    cgm_h5_texts_destroy(&texts);
}

#define TEXT(literal) (literal), sizeof(literal) - 1

/* Byte order mark, CRLF and LF, quotes, a line break in a quoted cell, no newline at the end. */
static void test_text_labels(void **state)
{
    cgm_comm *comm = *state;
    place where = {.out = ""};
    cgm_h5_file file;
    make_place(comm, &where);
    write_csv(
        comm, &where, 0,
        TEXT("\xef\xbb\xbf"
             "age,grade,\"in\ncome\"\r\n1,B,2.5\r\n3, A ,\"4\"\r\n\r\n5,\"C \"\"x\"\"\",-6e1\r\n"));
    write_csv(comm, &where, 1, TEXT("age,grade,\"in\ncome\"\n1,B10,0.1\n-3,B2,4"));
    assert_all_ranks(comm, import(comm, &where, 2, "grade") == CGM_OK);
    assert_all_ranks(comm, cgm_h5_open(comm, where.out, &file) == CGM_OK);
    check_numbers(comm, &file, "/parties/p1/data", (double[]){1, 2.5, 3, 4, 5, -60}, 6);
    check_numbers(comm, &file, "/parties/p2/data", (double[]){1, 0.1, -3, 4}, 4);
    check_numbers(comm, &file, "/parties/p1/labels", (double[]){1, 0, 4}, 3);
    check_numbers(comm, &file, "/parties/p2/labels", (double[]){3, 2}, 2);
    check_texts(comm, &file, "/label_names",
                (const char *const[]){"A", "B", "B2", "B10", "C \"x\""}, 5);
    check_texts(comm, &file, "/feature_names", (const char *const[]){"age", "in\ncome"}, 2);
    cgm_h5_close(&file);
    remove_place(comm, &where);
}

static void test_whole_labels(void **state)
{
    cgm_comm *comm = *state;
    place where = {.out = ""};
    cgm_h5_file file;
    cgm_h5_kind kind;
    make_place(comm, &where);
    write_csv(comm, &where, 0, TEXT("y,a\n7,1\n-2,2\n"));
    write_csv(comm, &where, 1, TEXT("y,a\n100,3\n"));
    assert_all_ranks(comm, import(comm, &where, 2, "y") == CGM_OK);
    assert_all_ranks(comm, cgm_h5_open(comm, where.out, &file) == CGM_OK);
    check_numbers(comm, &file, "/parties/p1/labels", (double[]){7, -2}, 2);
    check_numbers(comm, &file, "/parties/p2/labels", (double[]){100}, 1);
    assert_all_ranks(comm, cgm_h5_find(&file, "/label_names", &kind) == CGM_OK);
    assert_all_ranks(comm, kind == CGM_H5_MISSING);
    cgm_h5_close(&file);
    remove_place(comm, &where);
}

/* More than one buffer of text, without a header and without labels. */
static void test_long_file(void **state)
{
    cgm_comm *comm = *state;
    enum { ROWS = 20000 };
    place where = {.out = ""};
    cgm_h5_file file;
    cgm_h5_kind kind;
    make_place(comm, &where);
    if (comm->rank == 0) {
        FILE *stream = fopen(where.csv[0], "w");
        for (int k = 0; k < ROWS; k++) {
            fprintf(stream, "%d,\"%d.25\",-1e-3\r\n", k, k);
        }
        fclose(stream);
    }
    assert_all_ranks(comm, import(comm, &where, 1, NULL) == CGM_OK);
    assert_all_ranks(comm, cgm_h5_open(comm, where.out, &file) == CGM_OK);
    cgm_h5_info info;
    double *points = cgm_h5_read(&file, "/parties/p1/data", NULL, CGM_H5_DOUBLE, &info);
    assert_all_ranks(comm, points != NULL && info.dims[0] == ROWS && info.dims[1] == 3);
    int64_t wrong = 0;
    for (int64_t k = 0; k < ROWS; k++) {
        wrong += points[3 * k] != (double)k || points[3 * k + 1] != (double)k + 0.25 ||
                 points[3 * k + 2] != -1e-3;
    }
    assert_all_ranks(comm, wrong == 0);
    free(points);
    assert_all_ranks(comm, cgm_h5_find(&file, "/feature_names", &kind) == CGM_OK);
    assert_all_ranks(comm, kind == CGM_H5_MISSING);
    cgm_h5_close(&file);
    remove_place(comm, &where);
}

static void test_bad_cells(void **state)
{
    cgm_comm *comm = *state;
    static const struct {
        const char *text;
        size_t bytes;
        const char *says;
    } wrong[] = {
        {TEXT("1,2\n3,NA\n"), "line 2, column 2: 'NA' is a missing"},
        {TEXT("1,2\n3,\n"), "line 2, column 2: '' is a missing"},
        {TEXT("1,2\n3,?\n"), "line 2, column 2"},
        {TEXT("1,2\n3,nan\n"), "line 2, column 2"},
        {TEXT("1,2\n3,inf\n"), "line 2, column 2: 'inf' is infinite"},
        {TEXT("1,2\n3,-1e151\n"), "too large"},
        {TEXT("1,2\n3,1e999\n"), "too large"},
        {TEXT("1,NA\n3,4\n"), "line 1, column 2"},
        {TEXT("a,b\n\n1,2\r\n\"x\ny\",3\n"), "line 4, column 1 ('a'): 'x?y' is not a number"},
        {TEXT("\"a\nb\",c\n\"1\n\",3\n"), "line 3, column 1"},
        {TEXT("1,2\n3\n"), "line 2: the row has 1 columns"},
        {TEXT("1,2\n3,4,5\n"), "line 2: the row has 3 columns"},
        {TEXT(""), "is empty"},
        {TEXT("a,b\n"), "no rows"},
        {TEXT("1,2\n\"3,4\n5,6\n"), "line 2: a quote is not closed"},
        {TEXT("1,2\n3,4\"5\n"), "line 2: a quote"},
        {TEXT(",b\n1,2\n"), "line 1, column 1"},
        {TEXT("1\0,2\n"), "a byte is 0"},
        {TEXT("\xff\xfe"
              "1\0"),
         "UTF-16"},
        {TEXT("a;b\n1;2\n"), "separated by commas"},
    };
    place where = {.out = ""};
    make_place(comm, &where);
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
        write_csv(comm, &where, 0, wrong[k].text, wrong[k].bytes);
        assert_all_ranks(comm, import(comm, &where, 1, NULL) == CGM_ERR_INPUT);
        if (strstr(comm->error.message, wrong[k].says) == NULL) {
            print_message("not '%s': %s\n", wrong[k].says, comm->error.message);
        }
        assert_all_ranks(comm, strstr(comm->error.message, wrong[k].says) != NULL);
        assert_all_ranks(comm, access(where.out, F_OK) != 0);
    }
    remove_place(comm, &where);
}

static void test_columns_that_differ(void **state)
{
    cgm_comm *comm = *state;
    static const struct {
        const char *other;
        const char *says;
    } wrong[] = {
        {"a,c\n1,2\n", "column 2 is 'b' in one and 'c'"},
        {"a,b,c\n1,2,3\n", "column 3"},
        {"a\n1\n", "column 2"},
        {"1,2\n", "header line"},
    };
    place where = {.out = ""};
    make_place(comm, &where);
    write_csv(comm, &where, 0, TEXT("a,b\n1,2\n"));
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
        write_csv(comm, &where, 1, wrong[k].other, strlen(wrong[k].other));
        assert_all_ranks(comm, import(comm, &where, 2, NULL) == CGM_ERR_INPUT);
        assert_all_ranks(comm, strstr(comm->error.message, wrong[k].says) != NULL);
        assert_all_ranks(comm, strstr(comm->error.message, where.csv[0]) != NULL &&
                                   strstr(comm->error.message, where.csv[1]) != NULL);
    }
    assert_all_ranks(comm, import(comm, &where, 1, "bb") == CGM_ERR_INPUT);
    assert_all_ranks(comm, strstr(comm->error.message, "'b'") != NULL);
    remove_place(comm, &where);
}

/* What stands at --out is not replaced. */
static void test_existing_output(void **state)
{
    cgm_comm *comm = *state;
    place where = {.out = ""};
    make_place(comm, &where);
    write_csv(comm, &where, 0, TEXT("1,2\n"));
    assert_all_ranks(comm, import(comm, &where, 1, NULL) == CGM_OK);
    assert_all_ranks(comm, import(comm, &where, 1, NULL) == CGM_ERR_OUTPUT);
    assert_all_ranks(comm, strstr(comm->error.message, where.out) != NULL);
    remove_place(comm, &where);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_labels),         cmocka_unit_test(test_whole_labels),
        cmocka_unit_test(test_long_file),           cmocka_unit_test(test_bad_cells),
        cmocka_unit_test(test_columns_that_differ), cmocka_unit_test(test_existing_output),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
