/* Shapley values: enumeration against hand values, quadrature against enumeration and the closed
 * form, and the axioms. */
// timeout: 240
// without: valgrind (which computes long double in double precision)
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "cgm/shapley.h"
#include "cgm/tolerance.h"
#include "games.h"
#include "harness.h"

enum { LARGEST_ENUMERATED = 16, LARGEST_SEMIVALUE = 14 };

static const cgm_semivalue shapley_value = {CGM_SEMIVALUE_SHAPLEY, 1.0, 1.0};

static cgm_shapley solve_semivalue(cgm_comm *comm, const test_game *game, cgm_shapley_method method,
                                   const cgm_semivalue *semivalue)
{
    cgm_shapley shapley;
    assert_all_ranks(comm, cgm_shapley_compute(comm, &game->sums, &game->values, method, semivalue,
                                               1e-12, &shapley) == CGM_OK);
    return shapley;
}

static cgm_shapley solve(cgm_comm *comm, const test_game *game, cgm_shapley_method method)
{
    return solve_semivalue(comm, game, method, &shapley_value);
}

static double largest_magnitude(const double *values, int64_t count)
{
    double largest = 0.0;
    for (int64_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs(values[i]));
    }
    return largest;
}

/* The quadrature against known values: within the tolerance and within its own error estimate, and
 * efficient. */
static void check_against(cgm_comm *comm, const test_game *game, const double *expected)
{
    const int64_t n = game->sums.n_parties;
    cgm_shapley shapley = solve(comm, game, CGM_SHAPLEY_QUADRATURE);
    const double largest = largest_magnitude(expected, n);
    double error = 0.0;
    double magnitude = 0.0;
    for (int64_t i = 0; i < n; i++) {
        error = fmax(error, fabs(shapley.phi[i] - expected[i]));
        magnitude += fabs(shapley.phi[i]);
    }
    assert_all_ranks(comm, shapley.method == CGM_SHAPLEY_QUADRATURE);
    assert_close_array(comm, shapley.phi, expected, n, 0.0, CGM_TEST_QUADRATURE * largest);
    assert_all_ranks(comm, error <= shapley.error_estimate);
    assert_all_ranks(comm, shapley.error_estimate <= CGM_TEST_QUADRATURE * largest);
    assert_all_ranks(comm, shapley.efficiency_gap <= CGM_EFFICIENCY * magnitude);
    assert_same_on_all_ranks(comm, shapley.phi, (size_t)n * sizeof(double));
    cgm_shapley_destroy(&shapley);
}

static void test_two_parties_by_hand(void **state)
{
    cgm_comm *comm = *state;
    test_game game;
    game_create(comm, 2, (int64_t[]){3, 5}, 1, &game);
    cgm_shapley shapley = solve(comm, &game, CGM_SHAPLEY_ENUMERATE);
    const double *v = game.values.single;
    const double grand = game.values.grand;
    const double expected[] = {0.5 * (v[0] + grand - v[1]), 0.5 * (v[1] + grand - v[0])};
    assert_close_array(comm, shapley.phi, expected, 2, 0.0, CGM_TEST_VALUES);
    cgm_shapley_destroy(&shapley);
    game_destroy(&game);
}

static void test_one_party_gets_everything(void **state)
{
    cgm_comm *comm = *state;
    test_game game;
    game_create(comm, 1, (int64_t[]){4}, 1, &game);
    const cgm_shapley_method methods[] = {CGM_SHAPLEY_ENUMERATE, CGM_SHAPLEY_QUADRATURE};
    for (int k = 0; k < 2; k++) {
        cgm_shapley shapley = solve(comm, &game, methods[k]);
        assert_all_ranks(comm, shapley.phi[0] == game.values.grand && shapley.alpha[0] == 1.0);
        cgm_shapley_destroy(&shapley);
    }
    game_destroy(&game);
}

/* v of every coalition that is not the party's alone, by the definition. */
static void test_coalitions_by_definition(void **state)
{
    cgm_comm *comm = *state;
    test_game game;
    int64_t sizes[7];
    game_mixed_sizes(7, 1e6, 5, sizes);
    game_create(comm, 7, sizes, 5, &game);
    double *square = case_party_sums(comm, &game.sums);
    for (int mask = 0; mask < 1 << 7 && comm->rank == 0; mask++) {
        bool member[7];
        for (int i = 0; i < 7; i++) {
            member[i] = (mask >> i & 1) != 0;
        }
        double expected = game_value(&game.sums, square, member);
        assert_true(fabs(game.values.coalitions[mask] - expected) <= CGM_TEST_VALUES);
    }
    free(square);
    game_destroy(&game);
}

static void test_quadrature_against_enumeration(void **state)
{
    cgm_comm *comm = *state;
    const double largest_sizes[] = {1.0, 10.0, 1e3, 1e6};
    for (int64_t n = 2; n <= LARGEST_ENUMERATED; n++) {
        for (int k = 0; k < 4; k++) {
            test_game game;
            int64_t sizes[LARGEST_ENUMERATED];
            game_mixed_sizes(n, largest_sizes[k], (uint64_t)(10 * n + k), sizes);
            game_create(comm, n, sizes, (uint64_t)(n + k), &game);
            cgm_shapley exact = solve(comm, &game, CGM_SHAPLEY_ENUMERATE);
            check_against(comm, &game, exact.phi);
            cgm_shapley_destroy(&exact);
            game_destroy(&game);
        }
    }
}

/* MATH.md §4c: parties of equal size. */
static void closed_form(const cgm_kernel_sums *sums, double *phi)
{
    const int64_t n = sums->n_parties;
    const long double m = sums->party_points[0];
    const long double reference = sums->n_reference;
    long double sum_t = 0.0L;
    long double trace = 0.0L;
    long double total = 0.0L;
    for (int64_t i = 0; i < n; i++) {
        sum_t += sums->reference_sums[i];
        trace += sums->own_sums[i];
        total += sums->row_totals[i];
    }
    for (int64_t i = 0; i < n; i++) {
        const long double t = sums->reference_sums[i];
        const long double s = sums->own_sums[i];
        const long double row = sums->row_totals[i];
        long double sum = 0.0L;
        for (int64_t c = 0; c < n; c++) {
            const long double one = (long double)c / (long double)(n - 1);
            const long double two = c < 2 ? 0.0L
                                          : (long double)c * (long double)(c - 1) /
                                                ((long double)(n - 1) * (long double)(n - 2));
            const long double linear = one * (sum_t - t);
            const long double cross = one * (row - s);
            const long double square =
                one * (trace - s) + two * (total - 2.0L * row + s - (trace - s));
            const long double k = (long double)(c + 1);
            sum += 2.0L * (t + linear) / (reference * m * k) -
                   (s + 2.0L * cross + square) / (m * k * m * k);
            if (c > 0) {
                const long double mc = m * (long double)c;
                sum -= 2.0L * linear / (reference * mc) - square / (mc * mc);
            }
        }
        phi[i] = (double)(sum / (long double)n);
    }
}

static void check_closed_form(cgm_comm *comm, int64_t n, int64_t size)
{
    test_game game;
    int64_t *sizes = malloc((size_t)n * sizeof *sizes);
    double *expected = malloc((size_t)n * sizeof *expected);
    assert_all_ranks(comm, sizes != NULL && expected != NULL);
    for (int64_t i = 0; i < n; i++) {
        sizes[i] = size;
    }
    game_create(comm, n, sizes, 3, &game);
    closed_form(&game.sums, expected);
    check_against(comm, &game, expected);
    game_destroy(&game);
    free(sizes);
    free(expected);
}

static void test_quadrature_against_closed_form(void **state)
{
    check_closed_form(*state, 3, 10);
    check_closed_form(*state, 100, 1);
    check_closed_form(*state, 500, 10);
    check_closed_form(*state, 2000, 57);
}

/* Parties that the game cannot tell apart get the same, and α ties. */
static void test_symmetry_and_duplicates(void **state)
{
    cgm_comm *comm = *state;
    enum { N = 30, COPY = 11, ORIGINAL = 4 };
    test_game game;
    int64_t sizes[N];
    game_mixed_sizes(N, 1e4, 8, sizes);
    sizes[COPY] = sizes[ORIGINAL];
    game_create(comm, N, sizes, 8, &game);
    double *s = case_party_sums(comm, &game.sums);
    double t[N];
    memcpy(t, game.sums.reference_sums, sizeof t);
    for (int j = 0; j < N; j++) {
        s[COPY * N + j] = s[ORIGINAL * N + j];
    }
    s[COPY * N + COPY] = s[ORIGINAL * N + ORIGINAL];
    s[COPY * N + ORIGINAL] = s[ORIGINAL * N + ORIGINAL];
    for (int j = 0; j < N; j++) {
        s[j * N + COPY] = s[COPY * N + j];
    }
    t[COPY] = t[ORIGINAL];
    game_replace(comm, s, t, &game);
    free(s);
    cgm_shapley shapley = solve(comm, &game, CGM_SHAPLEY_AUTO);
    const double largest = largest_magnitude(shapley.phi, N);
    assert_close(comm, shapley.phi[COPY], shapley.phi[ORIGINAL], 0.0,
                 CGM_TEST_QUADRATURE * largest);
    assert_all_ranks(comm, shapley.tie[COPY] == shapley.tie[ORIGINAL]);
    assert_all_ranks(comm, shapley.alpha[COPY] == shapley.alpha[ORIGINAL]);
    cgm_shapley_destroy(&shapley);
    game_destroy(&game);
}

/* Relabelling the parties relabels the values. */
static void test_order_does_not_matter(void **state)
{
    cgm_comm *comm = *state;
    enum { N = 25 };
    test_game game;
    int64_t sizes[N];
    game_mixed_sizes(N, 1e3, 9, sizes);
    game_create(comm, N, sizes, 9, &game);
    cgm_shapley straight = solve(comm, &game, CGM_SHAPLEY_AUTO);
    double *given = case_party_sums(comm, &game.sums);
    double s[N * N];
    double t[N];
    for (int i = 0; i < N; i++) {
        t[i] = game.sums.reference_sums[N - 1 - i];
        game.sizes[i] = sizes[N - 1 - i];
        for (int j = 0; j < N; j++) {
            s[i * N + j] = given[(N - 1 - i) * N + N - 1 - j];
        }
    }
    game_replace(comm, s, t, &game);
    free(given);
    cgm_shapley reversed = solve(comm, &game, CGM_SHAPLEY_AUTO);
    const double largest = largest_magnitude(straight.phi, N);
    for (int i = 0; i < N; i++) {
        assert_close(comm, reversed.phi[i], straight.phi[N - 1 - i], 0.0,
                     CGM_TEST_QUADRATURE * largest);
    }
    cgm_shapley_destroy(&straight);
    cgm_shapley_destroy(&reversed);
    game_destroy(&game);
}

static void test_too_many_parties_to_enumerate(void **state)
{
    cgm_comm *comm = *state;
    enum { N = CGM_ENUMERATE_MAX + 1 };
    test_game game;
    int64_t sizes[N];
    cgm_shapley shapley;
    game_mixed_sizes(N, 10.0, 2, sizes);
    game_create(comm, N, sizes, 2, &game);
    assert_all_ranks(comm,
                     cgm_shapley_compute(comm, &game.sums, &game.values, CGM_SHAPLEY_ENUMERATE,
                                         &shapley_value, 1e-12, &shapley) == CGM_ERR_USAGE);
    comm->error = (cgm_error){0};
    cgm_shapley_destroy(&shapley);
    game_destroy(&game);
}

/* Weight of a coalition of c of the n − 1 others, here by lgamma in long double. */
static long double define_weight(const cgm_semivalue *semivalue, int n, int c)
{
    const long double a = semivalue->a;
    const long double b = semivalue->b;
    switch (semivalue->kind) {
    case CGM_SEMIVALUE_BANZHAF:
        return powl(0.5L, n - 1);
    case CGM_SEMIVALUE_LEAVE_ONE_OUT:
        return c == n - 1 ? 1.0L : 0.0L;
    default:
        return expl(lgammal(b + c) + lgammal(a + n - 1 - c) - lgammal(a + b + n - 1) - lgammal(a) -
                    lgammal(b) + lgammal(a + b));
    }
}

/* A semivalue from its definition: marginal contributions with weights that depend on the size of
 * the coalition alone. */
static void define_semivalue(const test_game *game, const cgm_semivalue *semivalue, double *phi)
{
    const int n = (int)game->sums.n_parties;
    const double *v = game->values.coalitions;
    long double weight[LARGEST_SEMIVALUE];
    for (int c = 0; c < n; c++) {
        weight[c] = define_weight(semivalue, n, c);
    }
    for (int i = 0; i < n; i++) {
        long double sum = 0.0L;
        for (int mask = 0; mask < 1 << n; mask++) {
            if ((mask >> i & 1) == 0) {
                sum += weight[__builtin_popcount((unsigned)mask)] *
                       ((long double)v[mask | 1 << i] - (long double)v[mask]);
            }
        }
        phi[i] = (double)sum;
    }
}

/* Enumeration and quadrature of one semivalue against its definition. */
static void check_semivalue(cgm_comm *comm, const test_game *game, const cgm_semivalue *semivalue)
{
    const int64_t n = game->sums.n_parties;
    double expected[LARGEST_SEMIVALUE];
    if (comm->rank == 0) {
        define_semivalue(game, semivalue, expected);
    }
    cgm_comm_broadcast(comm, expected, sizeof expected, 0);
    const double allowed = CGM_TEST_QUADRATURE * largest_magnitude(expected, n);
    const cgm_shapley_method methods[] = {CGM_SHAPLEY_ENUMERATE, CGM_SHAPLEY_QUADRATURE};
    for (int k = 0; k < 2; k++) {
        cgm_shapley found = solve_semivalue(comm, game, methods[k], semivalue);
        assert_close_array(comm, found.phi, expected, n, 0.0, allowed);
        bool bounded = true;
        for (int64_t i = 0; i < n; i++) {
            bounded = bounded && fabs(found.phi[i] - expected[i]) <= found.error_estimate;
        }
        assert_all_ranks(comm, bounded);
        cgm_shapley_destroy(&found);
    }
}

static void test_semivalues_against_their_definition(void **state)
{
    cgm_comm *comm = *state;
    const double ends[] = {0.05, 0.7, 1.0, 4.0, 16.0, 100.0};
    for (int64_t n = 2; n <= LARGEST_SEMIVALUE; n++) {
        test_game game;
        int64_t sizes[LARGEST_SEMIVALUE];
        game_mixed_sizes(n, 1e4, (uint64_t)n, sizes);
        game_create(comm, n, sizes, (uint64_t)n, &game);
        check_semivalue(comm, &game, &(cgm_semivalue){CGM_SEMIVALUE_BANZHAF, 1.0, 1.0});
        check_semivalue(comm, &game, &(cgm_semivalue){CGM_SEMIVALUE_LEAVE_ONE_OUT, 1.0, 1.0});
        for (int a = 0; a < 6; a++) {
            for (int b = 0; b < 6; b++) {
                const cgm_semivalue beta = {CGM_SEMIVALUE_BETA, ends[a], ends[b]};
                check_semivalue(comm, &game, &beta);
            }
        }
        game_destroy(&game);
    }
}

/* Leave-one-out of more parties than are enumerated, from values of coalitions. */
static void test_leave_one_out_of_many(void **state)
{
    cgm_comm *comm = *state;
    enum { N = 140 };
    test_game game;
    int64_t sizes[N];
    bool member[N];
    double expected[N];
    game_mixed_sizes(N, 1e3, 4, sizes);
    game_create(comm, N, sizes, 4, &game);
    double *square = case_party_sums(comm, &game.sums);
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            member[j] = j != i;
        }
        expected[i] = game.values.grand - game_value(&game.sums, square, member);
    }
    free(square);
    const cgm_semivalue semivalue = {CGM_SEMIVALUE_LEAVE_ONE_OUT, 1.0, 1.0};
    cgm_shapley found = solve_semivalue(comm, &game, CGM_SHAPLEY_AUTO, &semivalue);
    assert_close_array(comm, found.phi, expected, N, 0.0, found.error_estimate);
    assert_all_ranks(comm, found.error_estimate <= CGM_TEST_QUADRATURE * game.values.grand);
    cgm_shapley_destroy(&found);
    game_destroy(&game);
}

/* What one rank alone computes from the same game.  Local. */
static void solve_alone(int64_t n, const int64_t *sizes, const cgm_semivalue *semivalue,
                        double *phi)
{
    cgm_comm self;
    test_game game;
    cgm_comm_create(MPI_COMM_SELF, &self);
    game_create(&self, n, sizes, 7, &game);
    cgm_shapley shapley = solve_semivalue(&self, &game, CGM_SHAPLEY_QUADRATURE, semivalue);
    memcpy(phi, shapley.phi, (size_t)n * sizeof *phi);
    cgm_shapley_destroy(&shapley);
    game_destroy(&game);
    cgm_comm_destroy(&self);
}

/* More and fewer distinct sizes than half the parties, no row, a part of a panel or several panels
 * a rank: the same bits as on one rank. */
static void test_same_bits_at_every_number_of_ranks(void **state)
{
    cgm_comm *comm = *state;
    enum { LARGEST = 300 };
    const int64_t counts[] = {3, 20, 130, LARGEST};
    const double largest_sizes[] = {8.0, 1e6};
    const cgm_semivalue semivalues[] = {shapley_value, {CGM_SEMIVALUE_BETA, 4.0, 1.0}};
    for (int k = 0; k < 16; k++) {
        const int64_t n = counts[k % 4];
        const cgm_semivalue *semivalue = &semivalues[k / 8];
        int64_t sizes[LARGEST];
        double alone[LARGEST];
        test_game game;
        game_mixed_sizes(n, largest_sizes[k / 4 % 2], 7, sizes);
        solve_alone(n, sizes, semivalue, alone);
        game_create(comm, n, sizes, 7, &game);
        cgm_shapley together = solve_semivalue(comm, &game, CGM_SHAPLEY_QUADRATURE, semivalue);
        assert_all_ranks(comm, memcmp(together.phi, alone, (size_t)n * sizeof *alone) == 0);
        cgm_shapley_destroy(&together);
        game_destroy(&game);
    }
}

/* As many distinct sizes as parties, thousands, so that rows of S are used as they are: there is no
 * exact value to compare with, but two shifted grids and efficiency agree. */
static void test_thousands_of_distinct_sizes(void **state)
{
    cgm_comm *comm = *state;
    enum { N = 4200 };
    test_game game;
    int64_t *sizes = malloc(N * sizeof *sizes);
    assert_all_ranks(comm, sizes != NULL);
    game_distinct_sizes(N, 2, sizes);
    game_create(comm, N, sizes, 2, &game);
    cgm_shapley shapley = solve(comm, &game, CGM_SHAPLEY_AUTO);
    const double largest = largest_magnitude(shapley.phi, N);
    double magnitude = 0.0;
    for (int64_t i = 0; i < N; i++) {
        magnitude += fabs(shapley.phi[i]);
    }
    assert_all_ranks(comm, shapley.method == CGM_SHAPLEY_QUADRATURE);
    assert_all_ranks(comm, shapley.error_estimate <= CGM_TEST_QUADRATURE * largest);
    assert_all_ranks(comm, shapley.efficiency_gap <= CGM_EFFICIENCY * magnitude);
    assert_same_on_all_ranks(comm, shapley.phi, N * sizeof(double));
    cgm_shapley_destroy(&shapley);
    game_destroy(&game);
    free(sizes);
}

/* The order of the two parameters: beta:16,1 looks at small coalitions, where a party adds more. */
static void test_beta_favours_small_coalitions(void **state)
{
    cgm_comm *comm = *state;
    enum { N = 8 };
    test_game game;
    int64_t sizes[N] = {10, 10, 10, 10, 10, 10, 10, 10};
    game_create(comm, N, sizes, 6, &game);
    const cgm_semivalue small = {CGM_SEMIVALUE_BETA, 16.0, 1.0};
    const cgm_semivalue large = {CGM_SEMIVALUE_BETA, 1.0, 16.0};
    cgm_shapley towards_small = solve_semivalue(comm, &game, CGM_SHAPLEY_AUTO, &small);
    cgm_shapley towards_large = solve_semivalue(comm, &game, CGM_SHAPLEY_AUTO, &large);
    for (int i = 0; i < N; i++) {
        const double alone = game.values.single[i];
        assert_all_ranks(comm,
                         fabs(towards_small.phi[i] - alone) < fabs(towards_large.phi[i] - alone));
    }
    cgm_shapley_destroy(&towards_small);
    cgm_shapley_destroy(&towards_large);
    game_destroy(&game);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_parties_by_hand),
        cmocka_unit_test(test_one_party_gets_everything),
        cmocka_unit_test(test_coalitions_by_definition),
        cmocka_unit_test(test_quadrature_against_enumeration),
        cmocka_unit_test(test_quadrature_against_closed_form),
        cmocka_unit_test(test_symmetry_and_duplicates),
        cmocka_unit_test(test_order_does_not_matter),
        cmocka_unit_test(test_too_many_parties_to_enumerate),
        cmocka_unit_test(test_semivalues_against_their_definition),
        cmocka_unit_test(test_leave_one_out_of_many),
        cmocka_unit_test(test_beta_favours_small_coalitions),
        cmocka_unit_test(test_same_bits_at_every_number_of_ranks),
        cmocka_unit_test(test_thousands_of_distinct_sizes),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
