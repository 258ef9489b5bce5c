/* Where parties' points and the pool's slices are at home. */
// ranks: 1 2 3 5 8 16
#include <math.h>
#include <stdlib.h>

#include "cases.h"
#include "cgm/pairs.h"
#include "harness.h"

static void free_placement(cgm_shard *shard)
{
    free(shard->first_party);
    free(shard->first_point);
    free(shard->share_party);
    free(shard->share_offset);
    free(shard->share_first);
}

static void place(cgm_comm *comm, bool by_count, int64_t n_parties, int64_t *sizes,
                  cgm_shard *shard)
{
    *shard = (cgm_shard){.n_parties = n_parties, .party_points = sizes};
    for (int64_t i = 0; i < n_parties; i++) {
        shard->n_points += sizes[i];
    }
    assert_all_ranks(comm, cgm_shard_place(comm, by_count, shard) == CGM_OK);
}

/* Shares are this rank's part of all points, cut at the parties' borders. */
static bool shares_are_sound(const cgm_comm *comm, const cgm_shard *shard)
{
    int64_t row = shard->first_point[comm->rank];
    bool sound = shard->share_first[0] == 0 &&
                 shard->share_first[shard->n_shares] == cgm_pairs_points(shard, comm->rank) &&
                 shard->n_local_points == shard->share_first[shard->n_shares];
    for (int64_t k = 0; k < shard->n_shares && sound; k++) {
        int64_t party_first = 0;
        for (int64_t i = 0; i < shard->share_party[k]; i++) {
            party_first += shard->party_points[i];
        }
        const int64_t rows = shard->share_first[k + 1] - shard->share_first[k];
        const int64_t size = shard->party_points[shard->share_party[k]];
        const int64_t end = shard->share_offset[k] + rows;
        sound = rows > 0 && row == party_first + shard->share_offset[k] && end <= size &&
                shard->share_offset[k] % CGM_BLOCK_POINTS == 0 &&
                (end == size || end % CGM_BLOCK_POINTS == 0);
        row += rows;
    }
    return sound && row == shard->first_point[comm->rank + 1];
}

static void check_placement(cgm_comm *comm, bool by_count, int64_t n_parties, int64_t *sizes)
{
    cgm_shard shard;
    place(comm, by_count, n_parties, sizes, &shard);
    bool sound = shard.whole == (n_parties >= comm->size) && shard.first_party[0] == 0 &&
                 shard.first_party[comm->size] == n_parties && shard.first_point[0] == 0 &&
                 shard.first_point[comm->size] == shard.n_points && shares_are_sound(comm, &shard);
    int64_t before = 0; /* points of the parties kept by ranks before */
    for (int r = 0; r < comm->size && sound; r++) {
        const int64_t kept = shard.first_party[r + 1] - shard.first_party[r];
        sound = shard.whole ? kept >= 1 && shard.first_point[r] == before : kept == 0 || kept == 1;
        for (int64_t i = shard.first_party[r]; i < shard.first_party[r + 1]; i++) {
            /* A keeper of a party in shares has its first points. */
            sound = sound && (shard.whole || shard.first_point[r] == before);
            before += sizes[i];
        }
    }
    assert_all_ranks(comm, sound);
    assert_same_on_all_ranks(comm, shard.first_point,
                             (size_t)(comm->size + 1) * sizeof *shard.first_point);
    free_placement(&shard);
}

static void test_every_point_has_one_home(void **state)
{
    enum { MANY = 40 };
    int64_t sizes[MANY];
    for (int64_t i = 0; i < MANY; i++) {
        sizes[i] = 1 + i * i * i % 1900;
    }
    for (int64_t n = 1; n <= MANY; n++) {
        check_placement(*state, false, n, sizes);
        check_placement(*state, true, n, sizes);
    }
}

static void test_few_large_parties(void **state)
{
    check_placement(*state, false, 2, (int64_t[]){100000, 3});
    check_placement(*state, false, 3, (int64_t[]){5, 100000, 5});
}

/* No cut can be closer to an even share than half of the largest party. */
static void test_whole_parties_are_even(void **state)
{
    enum { MANY = 500 };
    cgm_comm *comm = *state;
    int64_t sizes[MANY];
    for (int64_t i = 0; i < MANY; i++) {
        sizes[i] = i + 1; /* the later the larger */
    }
    cgm_shard shard;
    place(comm, false, MANY, sizes, &shard);
    bool even = true;
    for (int r = 0; r <= comm->size; r++) {
        const double share = (double)shard.n_points * r / comm->size;
        even = even && 2.0 * fabs((double)shard.first_point[r] - share) <= MANY;
    }
    assert_all_ranks(comm, even);
    free_placement(&shard);
}

/* As many ranks a party as its part of the points, to within one, but at least one. */
static void test_groups_are_proportional(void **state)
{
    cgm_comm *comm = *state;
    int64_t sizes[] = {8000, 4000, 2000};
    cgm_shard shard;
    if (comm->size <= 3) {
        return;
    }
    place(comm, false, 3, sizes, &shard);
    int64_t group[3] = {0};
    for (int r = 0; r < comm->size; r++) {
        group[shard.first_party[r + 1] - 1]++;
    }
    bool proportional = true;
    for (int i = 0; i < 3; i++) {
        const double share = (double)comm->size * (double)sizes[i] / 14000.0;
        proportional = proportional && group[i] >= 1 && fabs((double)group[i] - share) <= 1.0;
    }
    assert_all_ranks(comm, proportional);
    free_placement(&shard);
}

/* Slices are whole blocks, and fill every rank up to the same number of points. */
static void test_pool_fills_up(void **state)
{
    cgm_comm *comm = *state;
    test_case made;
    case_make(comm, 3, (int64_t[]){3000, 10, 700}, 1, 40000, 1.0, &made);
    const int64_t *first = made.candidates.first;
    const double level = 43710.0 / comm->size;
    bool sound = first[0] == 0 && first[comm->size] == 40000;
    for (int r = 0; r < comm->size && sound; r++) {
        const double points = (double)(first[r + 1] - first[r] + cgm_pairs_points(&made.shard, r));
        sound = first[r + 1] >= first[r] &&
                (first[r + 1] % CGM_BLOCK_POINTS == 0 || first[r + 1] == 40000) &&
                ((double)cgm_pairs_points(&made.shard, r) > level ||
                 fabs(points - level) <= CGM_BLOCK_POINTS);
    }
    assert_all_ranks(comm, sound);
    case_close(&made);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_point_has_one_home),
        cmocka_unit_test(test_few_large_parties),
        cmocka_unit_test(test_whole_parties_are_even),
        cmocka_unit_test(test_groups_are_proportional),
        cmocka_unit_test(test_pool_fills_up),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
