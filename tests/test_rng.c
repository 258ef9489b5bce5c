// Philox against its published answers, and the distributions that are made of it.
#include "harness.h"

#include <math.h>
#include <string.h>

#include "cgm/rng.h"

enum { N_NUMBERS = 1 << 18, N_CELLS = 64 };

/* From the kat_vectors of Random123. */
static void test_known_answers(void **state)
{
    cgm_comm *comm = *state;
    const uint64_t clear[4] = {0};
    const uint64_t set[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    const uint64_t of_clear[4] = {0x16554d9eca36314c, 0xdb20fe9d672d0fdc, 0xd7e772cee186176b,
                                  0x7e68b68aec7ba23b};
    const uint64_t of_set[4] = {0x87b092c3013fe90b, 0x438c3c67be8d0224, 0x9cc7d7c69cd777b6,
                                0xa09caebf594f0ba0};
    uint64_t words[4];
    cgm_rng_block(clear, clear, words);
    assert_all_ranks(comm, memcmp(words, of_clear, sizeof words) == 0);
    cgm_rng_block(set, set, words);
    assert_all_ranks(comm, memcmp(words, of_set, sizeof words) == 0);
}

/* Every argument reaches the generator, each in its own place. */
static void test_words_depend_on_everything(void **state)
{
    cgm_comm *comm = *state;
    const cgm_rng rng = {1, 2, CGM_RNG_PROPOSAL};
    const uint64_t key[2] = {1, 2};
    const uint64_t counter[4] = {3, 4, 5, CGM_RNG_PROPOSAL};
    uint64_t words[4];
    uint64_t expected[4];
    cgm_rng_words(&rng, 3, 4, 5, words);
    cgm_rng_block(key, counter, expected);
    assert_all_ranks(comm, memcmp(words, expected, sizeof words) == 0);
}

static void test_hash(void **state)
{
    cgm_comm *comm = *state;
    assert_all_ranks(comm, cgm_rng_hash("") == 0xcbf29ce484222325);
    assert_all_ranks(comm, cgm_rng_hash("foobar") == 0x85944171f73967e8);
}

static void test_uniform(void **state)
{
    cgm_comm *comm = *state;
    assert_all_ranks(comm, cgm_rng_uniform(0) == 0.0);
    assert_all_ranks(comm, cgm_rng_uniform(UINT64_MAX) == 1.0 - 0x1p-53);
    const cgm_rng rng = {7, cgm_rng_hash("uniform"), CGM_RNG_SIMULATE};
    int64_t cells[N_CELLS] = {0};
    for (uint64_t k = 0; k < N_NUMBERS / 4; k++) {
        uint64_t words[4];
        cgm_rng_words(&rng, k, 0, 0, words);
        for (int w = 0; w < 4; w++) {
            cells[(int)(cgm_rng_uniform(words[w]) * N_CELLS)]++;
        }
    }
    double expected = (double)N_NUMBERS / N_CELLS;
    double chi_square = 0.0;
    for (int c = 0; c < N_CELLS; c++) {
        double off = (double)cells[c] - expected;
        chi_square += off * off / expected;
    }
    /* Quantiles 0.0001 and 0.9999 of chi square with 63 degrees of freedom. */
    assert_all_ranks(comm, chi_square > 29.5 && chi_square < 113.5);
}

/* Moments of n standard normal numbers deviate by a few of their own standard deviations. */
static void test_normal(void **state)
{
    cgm_comm *comm = *state;
    const uint64_t extreme[2] = {UINT64_MAX, 0};
    double pair[2];
    cgm_rng_normal(extreme, pair);
    assert_all_ranks(comm, isfinite(pair[0]) && pair[0] > 8.0);
    const cgm_rng rng = {7, cgm_rng_hash("normal"), CGM_RNG_SIMULATE};
    double power[5] = {0};
    double product = 0.0;
    for (uint64_t k = 0; k < N_NUMBERS / 2; k++) {
        uint64_t words[4];
        cgm_rng_words(&rng, k, 0, 0, words);
        cgm_rng_normal(words, pair);
        product += pair[0] * pair[1];
        for (int p = 1; p < 5; p++) {
            power[p] += (pow(pair[0], p) + pow(pair[1], p)) / N_NUMBERS;
        }
    }
    double unit = 4.0 / sqrt((double)N_NUMBERS);
    assert_close(comm, power[1], 0.0, 0.0, unit);
    assert_close(comm, power[2], 1.0, 0.0, unit * sqrt(2.0));
    assert_close(comm, power[3], 0.0, 0.0, unit * sqrt(15.0));
    assert_close(comm, power[4], 3.0, 0.0, unit * sqrt(96.0));
    assert_close(comm, 2.0 * product / N_NUMBERS, 0.0, 0.0, unit * sqrt(2.0));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers), cmocka_unit_test(test_words_depend_on_everything),
        cmocka_unit_test(test_hash),          cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_normal),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
