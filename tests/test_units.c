// The account of pairs of segments that are done, against a table of truths.
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#include "cgm/units.h"

enum { PARTIES = 4, SEGMENTS = 2 + 1 + 40 + 1 + 30, MARKS = 200 };

/* Segments: 2, 1, 40 and 1 of the parties, 30 of the pool. */
static void make_units(cgm_comm *comm, cgm_units *units)
{
    static int64_t points[PARTIES] = {CGM_BLOCK_POINTS + 1, 1, 40 * CGM_BLOCK_POINTS, 7};
    const cgm_shard shard = {.n_parties = PARTIES, .party_points = points};
    assert_all_ranks(comm,
                     cgm_units_create(comm, &shard, 30 * CGM_BLOCK_POINTS - 5, units) == CGM_OK);
    assert_all_ranks(comm, units->n_segments == SEGMENTS);
}

/* What cgm_units_find must say. */
static int64_t find(bool done[SEGMENTS][SEGMENTS], int64_t row, int64_t first, int64_t end,
                    bool wanted)
{
    for (int64_t column = first; column < end; column++) {
        if (done[row][column] == wanted) {
            return column;
        }
    }
    return end;
}

static bool agrees(const cgm_units *units, bool done[SEGMENTS][SEGMENTS])
{
    bool good = true;
    for (int64_t row = 0; row < SEGMENTS; row++) {
        for (int64_t first = row; first <= SEGMENTS; first++) {
            for (int64_t end = first; end <= SEGMENTS; end += 7) {
                for (int wanted = 0; wanted < 2; wanted++) {
                    good = good && cgm_units_find(units, row, first, end, wanted != 0) ==
                                       find(done, row, first, end, wanted != 0);
                }
            }
        }
    }
    return good;
}

static void test_marks(void **state)
{
    cgm_comm *comm = *state;
    static bool done[SEGMENTS][SEGMENTS];
    cgm_units units;
    make_units(comm, &units);
    memset(done, 0, sizeof done);
    uint64_t random = 1;
    for (int k = 0; k < MARKS; k++) {
        int64_t at[3];
        for (int i = 0; i < 3; i++) {
            random = random * UINT64_C(6364136223846793005) + 1;
            at[i] = (int64_t)(random >> 33) % SEGMENTS;
        }
        const int64_t row = at[0];
        const int64_t first = at[1] > row ? at[1] : row;
        const int64_t end = at[2] > first ? at[2] : first;
        cgm_units_mark(&units, row, first, end);
        for (int64_t column = first; column < end; column++) {
            done[row][column] = true;
        }
    }
    assert_all_ranks(comm, agrees(&units, done));
    assert_all_ranks(comm, !cgm_units_complete(&units));
    cgm_units_destroy(&units);
}

static void test_owners(void **state)
{
    cgm_comm *comm = *state;
    static const int64_t first[PARTIES + 2] = {0, 2, 3, 43, 44, SEGMENTS};
    static bool done[SEGMENTS][SEGMENTS];
    cgm_units units;
    make_units(comm, &units);
    memset(done, 0, sizeof done);
    for (int64_t a = 0; a <= PARTIES; a++) {
        for (int64_t b = a; b <= PARTIES; b++) {
            assert_all_ranks(comm, !cgm_units_complete(&units));
            cgm_units_mark_owners(&units, a, b);
            for (int64_t row = first[a]; row < first[a + 1]; row++) {
                for (int64_t column = first[b]; column < first[b + 1]; column++) {
                    done[row][column] = done[row][column] || column >= row;
                }
            }
            assert_all_ranks(comm, agrees(&units, done));
        }
    }
    assert_all_ranks(comm, cgm_units_complete(&units));
    cgm_units_destroy(&units);
}

/* Each rank does every so many-th row. */
static void test_share(void **state)
{
    cgm_comm *comm = *state;
    cgm_units units;
    make_units(comm, &units);
    for (int64_t row = comm->rank; row < SEGMENTS; row += comm->size) {
        cgm_units_mark(&units, row, row, SEGMENTS);
    }
    assert_all_ranks(comm, cgm_units_complete(&units) == (comm->size == 1));
    cgm_units_share(comm, &units);
    assert_all_ranks(comm, cgm_units_complete(&units));
    cgm_units_destroy(&units);
}

/* A segment is numbered by its owner and its first point. */
static void test_numbers(void **state)
{
    cgm_comm *comm = *state;
    cgm_units units;
    make_units(comm, &units);
    const cgm_segment segments[] = {{0, 0, CGM_BLOCK_POINTS, 0},
                                    {0, CGM_BLOCK_POINTS, 1, 0},
                                    {2, 39 * CGM_BLOCK_POINTS, CGM_BLOCK_POINTS, 0},
                                    {PARTIES, 29 * CGM_BLOCK_POINTS, CGM_BLOCK_POINTS - 5, 0}};
    static const int64_t numbers[] = {0, 1, 42, SEGMENTS - 1};
    for (int k = 0; k < 4; k++) {
        assert_all_ranks(comm, cgm_units_segment(&units, &segments[k]) == numbers[k]);
    }
    cgm_units_destroy(&units);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_owners),
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_numbers),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
