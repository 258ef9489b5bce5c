// No byte of a party's file is another party's.
#include "party_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Words of 8 bytes: numbers, or pairs of float32. Shorter ones would be found by chance. */
typedef struct words {
    int64_t count;
    uint64_t *word;
} words;

static int compare_words(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a;
    const uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void add_words(words *list, int64_t count, const void *numbers)
{
    list->word = realloc(list->word, (size_t)(list->count + count) * sizeof *list->word);
    memcpy(list->word + list->count, numbers, (size_t)count * sizeof *list->word);
    list->count += count;
}

/* All bytes of a file, at any place of which a word may begin. */
typedef struct content {
    int64_t size;
    char *bytes;
} content;

static content read_content(const char *path)
{
    content all = {0};
    FILE *file = fopen(path, "rb");
    if (file != NULL) {
        fseek(file, 0, SEEK_END);
        all.size = ftell(file);
        all.bytes = malloc((size_t)all.size);
        rewind(file);
        all.size = (int64_t)fread(all.bytes, 1, (size_t)all.size, file);
        fclose(file);
    }
    return all;
}

static int64_t count_words(const content *in, words *list)
{
    int64_t found = 0;
    qsort(list->word, (size_t)list->count, sizeof *list->word, compare_words);
    for (int64_t k = 0; k + 8 <= in->size; k++) {
        uint64_t word;
        memcpy(&word, in->bytes + k, sizeof word);
        found +=
            bsearch(&word, list->word, (size_t)list->count, sizeof word, compare_words) != NULL;
    }
    return found;
}

static bool has_text(const content *in, const char *text)
{
    const size_t length = strlen(text);
    for (int64_t k = 0; k + (int64_t)length <= in->size; k++) {
        if (memcmp(in->bytes + k, text, length) == 0) {
            return true;
        }
    }
    return false;
}

/* The points of a party: coordinates, and whole points in single precision. */
static void add_points(words *wide, words *narrow, int party)
{
    double points[256 * D];
    float single[256 * D];
    int64_t labels[256];
    party_run_points(party, party_sizes[party], points, labels);
    for (int64_t k = 0; k < party_sizes[party] * D; k++) {
        single[k] = (float)points[k];
    }
    add_words(wide, party_sizes[party] * D, points);
    add_words(narrow, party_sizes[party], single);
}

/* A party's element of an array of the result, unless it is no secret: v*, or α of the best. */
static void add_number(words *list, const cgm_h5_file *result, const char *path, int party,
                       double known)
{
    double number = known;
    cgm_h5_read_rows(result, path, CGM_H5_DOUBLE, party, 1, 1, &number);
    if (number != known && number != 0.0) {
        add_words(list, 1, &number);
    }
}

/* Points that a party was paid at one inverse temperature, and v after each of them. */
typedef struct payment {
    int64_t count;
    double points[POOL * D];
    double values[POOL];
} payment;

static void read_payment(const cgm_h5_file *result, const char *set, int party, payment *paid)
{
    int64_t offsets[2];
    char path[64];
    snprintf(path, sizeof path, "/sampling/%s/offsets", set);
    cgm_h5_read_rows(result, path, CGM_H5_INT64, party, 2, 1, offsets);
    paid->count = offsets[1] - offsets[0];
    snprintf(path, sizeof path, "/sampling/%s/data", set);
    cgm_h5_read_rows(result, path, CGM_H5_DOUBLE, offsets[0], paid->count, D, paid->points);
    snprintf(path, sizeof path, "/sampling/%s/values", set);
    cgm_h5_read_rows(result, path, CGM_H5_DOUBLE, offsets[0], paid->count, 1, paid->values);
}

static bool has_point(const payment *paid, const double *point)
{
    bool found = false;
    for (int64_t k = 0; k < paid->count && !found; k++) {
        found = memcmp(paid->points + k * D, point, D * sizeof *point) == 0;
    }
    return found;
}

/* Another party's reward, but for points that the party was paid as well. */
static void add_reward(words *list, const cgm_h5_file *result, int party, int other)
{
    static const char *const sets[] = {"beta_2", "beta_inf"};
    payment own[2];
    payment paid;
    read_payment(result, sets[0], party, &own[0]);
    read_payment(result, sets[1], party, &own[1]);
    for (int s = 0; s < 2; s++) {
        read_payment(result, sets[s], other, &paid);
        add_words(list, paid.count, paid.values);
        for (int64_t k = 0; k < paid.count; k++) {
            const double *point = paid.points + k * D;
            bool shared = has_point(&own[0], point) || has_point(&own[1], point);
            add_words(list, shared ? 0 : D, point);
        }
    }
}

static void add_party(words *list, const cgm_h5_file *result, int party, int other)
{
    double v_star = NAN;
    uint64_t checksum = 0;
    double square[N_PARTIES] = {0};
    cgm_h5_read_scalar(result, "/reward", "v_star", CGM_H5_DOUBLE, &v_star);
    cgm_h5_read_rows(result, "/parties/checksum", CGM_H5_UINT64, other, 1, 1, &checksum);
    cgm_h5_read_rows(result, "/sums/party_sums", CGM_H5_DOUBLE, other, 1, N_PARTIES, square);
    add_words(list, 1, &checksum);
    add_words(list, N_PARTIES, square);
    add_number(list, result, "/values/single", other, 0.0);
    add_number(list, result, "/values/ceiling", other, v_star);
    add_number(list, result, "/values/stable", other, 0.0);
    add_number(list, result, "/shapley/phi", other, 0.0);
    add_number(list, result, "/shapley/alpha", other, 1.0);
    add_number(list, result, "/reward/r", other, v_star);
    add_number(list, result, "/sums/reference_sums", other, 0.0);
    add_reward(list, result, party, other);
}

/* What must not be in the file of a party, whose own numbers must. */
static bool holds_nothing_else(const party_run *all, const cgm_h5_file *result, int party)
{
    char path[PATH_BYTES];
    party_run_file(all, party, path);
    content mine = read_content(path);
    content whole = read_content(all->result);
    content data = read_content(all->data);
    words own = {0};
    words others = {0};
    words points = {0};
    words narrow = {0};
    bool sound = has_text(&mine, party_names[party]);
    for (int i = 0; i < N_PARTIES; i++) {
        add_points(&points, &narrow, i);
        if (i != party) {
            add_party(&others, result, party, i);
            sound = sound && !has_text(&mine, party_names[i]) && has_text(&whole, party_names[i]);
        }
    }
    add_number(&own, result, "/shapley/phi", party, 0.0);
    add_number(&own, result, "/sums/reference_sums", party, 0.0);
    /* The search finds what is there: each of the other numbers in the result, the points in the
     * input. */
    sound = sound && count_words(&whole, &others) >= others.count &&
            count_words(&data, &points) >= points.count && count_words(&mine, &own) >= own.count;
    const int64_t found =
        count_words(&mine, &others) + count_words(&mine, &points) + count_words(&mine, &narrow);
    sound = sound && found == 0;
    sound = sound && !has_text(&mine, "command") && !has_text(&mine, "warning") &&
            !has_text(&mine, "hosts") && !has_text(&mine, all->home);
    free(own.word);
    free(others.word);
    free(points.word);
    free(narrow.word);
    free(mine.bytes);
    free(whole.bytes);
    free(data.bytes);
    return sound;
}

/* How many integers of a value are some party's size. */
static int64_t count_sizes(const cgm_h5_file *file, const char *path, const char *attribute)
{
    cgm_h5_info info;
    int64_t found = 0;
    if (cgm_h5_describe(file, path, attribute, &info) != CGM_OK ||
        info.type_class > CGM_H5_UNSIGNED || info.type_class == CGM_H5_FLOAT) {
        return 0;
    }
    int64_t *numbers = cgm_h5_read(file, path, attribute, CGM_H5_INT64, NULL);
    for (int64_t k = 0; numbers != NULL && k < info.count; k++) {
        for (int i = 0; i < N_PARTIES; i++) {
            found += numbers[k] == party_sizes[i];
        }
    }
    free(numbers);
    return found;
}

/* The same of all datasets and attributes from a group ("" for the root) on; n_values counts them.
 */
static int64_t count_all_sizes(const cgm_h5_file *file, const char *group, int64_t *n_values)
{
    const char *path = group[0] != '\0' ? group : "/";
    cgm_h5_kind kind;
    cgm_h5_texts names;
    int64_t found = 0;
    cgm_h5_list(file, path, true, &names);
    for (int64_t k = 0; k < names.count; k++, ++*n_values) {
        found += count_sizes(file, path, names.text[k]);
    }
    cgm_h5_texts_destroy(&names);
    cgm_h5_find(file, path, &kind);
    if (kind != CGM_H5_GROUP) {
        ++*n_values;
        return found + count_sizes(file, path, NULL);
    }
    cgm_h5_list(file, path, false, &names);
    for (int64_t k = 0; k < names.count; k++) {
        char member[128];
        snprintf(member, sizeof member, "%s/%s", group, names.text[k]);
        found += count_all_sizes(file, member, n_values);
    }
    cgm_h5_texts_destroy(&names);
    return found;
}

/* Of all numbers in the file, and there are no more than documented, its own size alone is a size.
 */
static bool holds_one_size(cgm_comm *comm, const party_run *all, int party)
{
    char path[PATH_BYTES];
    cgm_h5_file file;
    int64_t n_values = 0;
    party_run_file(all, party, path);
    bool opened = cgm_h5_open(comm, path, &file) == CGM_OK;
    int64_t found = opened ? count_all_sizes(&file, "", &n_values) : 0;
    bool own = opened && count_sizes(&file, "/parties/n_points", NULL) == 1;
    cgm_h5_close(&file);
    return own && found == 1 && n_values == 6 + 3 + 1 + 2 + 1 + 2 + 2 + 1 + 1 + 1 + 2 * 10;
}

static void test_content(void **state)
{
    cgm_comm *comm = *state;
    party_run all = {.home = ""};
    party_run_begin(comm, &all);
    assert_all_ranks(comm, party_run_with(comm, &all, REWARDS) == CGM_OK);
    bool sound[N_PARTIES];
    if (comm->rank == 0) {
        cgm_h5_file result;
        sound[0] = cgm_h5_open(comm, all.result, &result) == CGM_OK;
        for (int i = 0; i < N_PARTIES && sound[0]; i++) {
            sound[i] = holds_nothing_else(&all, &result, i) && holds_one_size(comm, &all, i);
        }
        cgm_h5_close(&result);
    }
    cgm_comm_broadcast(comm, sound, sizeof sound, 0);
    for (int i = 0; i < N_PARTIES; i++) {
        assert_all_ranks(comm, sound[i]);
    }
    party_run_remove(comm, &all);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_content)};
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
