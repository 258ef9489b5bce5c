/* The Shapley stage alone, on made-up games of any size: its time and accuracy, and, where asked
 * for, its values against random orders of the parties.
 *
 *     mpirun -n P slow_shapley N equal|some|distinct [ROUNDS]
 *
 * Sizes: all 57, or uniform on 5 .. 500, or all different. Prints one line, whose checksum of φ is
 * the same at every number of ranks; with ROUNDS (at least 50, for the normal distribution to hold)
 * also how far φ is from the mean marginals at most, in standard errors, and exits with 1 where
 * that is more than 5. A round is a random order in all its N rotations, so that every party comes
 * at every place once: its mean varies little, while in independent orders a rare event, to be
 * among the first, makes most of φ. S must fit in the memory of every rank then. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "cgm/dense.h"
#include "cgm/provenance.h"
#include "cgm/rng.h"
#include "cgm/shapley.h"
#include "games.h"
#include "harness.h"

enum { ALLOWED_DEVIATIONS = 5, SEED = 1 };

/* Of the mean marginals of a party in rounds, less φ. */
typedef struct moments {
    double sum;
    double square;
} moments;

static bool choose_sizes(const char *kind, int64_t n, int64_t *sizes)
{
    if (strcmp(kind, "distinct") == 0) {
        game_distinct_sizes(n, SEED, sizes);
        return true;
    }
    const bool equal = strcmp(kind, "equal") == 0;
    for (int64_t i = 0; i < n; i++) {
        const cgm_rng rng = {SEED, (uint64_t)i, CGM_RNG_SIMULATE};
        uint64_t words[4];
        cgm_rng_words(&rng, 0, 0, 0, words);
        sizes[i] = equal ? 57 : 5 + (int64_t)(cgm_rng_uniform(words[0]) * 496.0);
    }
    return equal || strcmp(kind, "some") == 0;
}

/* Number's order of the parties, a function of it alone. */
static void shuffle(uint64_t number, int64_t n, int64_t *order)
{
    const cgm_rng rng = {SEED, number, CGM_RNG_ORDER};
    for (int64_t i = 0; i < n; i++) {
        uint64_t words[4];
        cgm_rng_words(&rng, (uint64_t)i, 0, 0, words);
        const int64_t j = (int64_t)(cgm_rng_uniform(words[0]) * (double)(i + 1));
        order[i] = order[j];
        order[j] = i;
    }
}

/* Adds the marginals along an order of the parties, from its start-th on and round. cross [n] is
 * work space: Σ S_ij over the parties before. */
static void walk(const cgm_kernel_sums *sums, const double *square, const int64_t *order,
                 int64_t start, double *restrict cross, double *marginals)
{
    const int64_t n = sums->n_parties;
    double size = 0.0;
    double linear = 0.0;
    double quadratic = 0.0;
    double before = 0.0;
    memset(cross, 0, (size_t)n * sizeof *cross);
    for (int64_t k = 0; k < n; k++) {
        const int64_t i = order[(start + k) % n];
        const double *restrict row = square + i * n;
        size += (double)sums->party_points[i];
        linear += sums->reference_sums[i];
        quadratic += row[i] + 2.0 * cross[i];
        const double value =
            2.0 * linear / ((double)sums->n_reference * size) - quadratic / (size * size);
        marginals[i] += value - before;
        before = value;
        for (int64_t j = 0; j < n; j++) {
            cross[j] += row[j];
        }
    }
}

/* Adds what one round says to the moments. order, cross, marginals [n] are work space. */
static void add_round(const cgm_kernel_sums *sums, const double *square, const double *phi,
                      uint64_t number, int64_t *order, double *cross, double *marginals,
                      moments *found)
{
    const int64_t n = sums->n_parties;
    shuffle(number, n, order);
    memset(marginals, 0, (size_t)n * sizeof *marginals);
    for (int64_t start = 0; start < n; start++) {
        walk(sums, square, order, start, cross, marginals);
    }
    for (int64_t i = 0; i < n; i++) {
        const double excess = marginals[i] / (double)n - phi[i];
        found[i].sum += excess;
        found[i].square += excess * excess;
    }
}

/* all [n_ranks][n]: the largest |φ − mean marginal| in standard errors of the mean. */
static double largest_deviation(const moments *all, int64_t n_ranks, int64_t n, double n_rounds)
{
    double worst = 0.0;
    for (int64_t i = 0; i < n; i++) {
        moments total = {0.0, 0.0};
        for (int64_t r = 0; r < n_ranks; r++) {
            total.sum += all[r * n + i].sum;
            total.square += all[r * n + i].square;
        }
        const double mean = total.sum / n_rounds;
        const double variance = (total.square / n_rounds - mean * mean) / (n_rounds - 1.0);
        worst = fmax(worst, fabs(mean) / sqrt(variance));
    }
    return worst;
}

/* φ against orders shared among the ranks.  Collective. */
static double deviation_from_orders(cgm_comm *comm, const cgm_kernel_sums *sums, const double *phi,
                                    int64_t n_rounds)
{
    const int64_t n = sums->n_parties;
    double *square = case_party_sums(comm, sums);
    int64_t *order = calloc((size_t)n, sizeof *order);
    double *work = calloc((size_t)n * 2, sizeof *work);
    moments *found = calloc((size_t)n, sizeof *found);
    moments *all = calloc((size_t)(n * comm->size), sizeof *all);
    assert_all_ranks(comm, order != NULL && work != NULL && found != NULL && all != NULL);
    for (int64_t k = comm->rank; k < n_rounds; k += comm->size) {
        add_round(sums, square, phi, (uint64_t)k, order, work, work + n, found);
    }
    cgm_comm_gather(comm, found, comm->rank == 0 ? all : NULL, (size_t)n * sizeof *found, 0);
    double worst = comm->rank == 0 ? largest_deviation(all, comm->size, n, (double)n_rounds) : 0.0;
    cgm_comm_broadcast(comm, &worst, sizeof worst, 0);
    free(square);
    free(order);
    free(work);
    free(found);
    free(all);
    return worst;
}

/* True: nothing is wrong with the values. */
static bool measure(cgm_comm *comm, int64_t n, const char *kind, const int64_t *sizes,
                    int64_t n_rounds)
{
    test_game game;
    cgm_shapley shapley;
    const cgm_semivalue semivalue = {CGM_SEMIVALUE_SHAPLEY, 1.0, 1.0};
    game_create(comm, n, sizes, SEED, &game);
    cgm_comm_barrier(comm);
    const double start = MPI_Wtime();
    const cgm_status status = cgm_shapley_compute(comm, &game.sums, &game.values, CGM_SHAPLEY_AUTO,
                                                  &semivalue, 1e-12, &shapley);
    double seconds = MPI_Wtime() - start;
    assert_all_ranks(comm, status == CGM_OK);
    cgm_comm_max(comm, &seconds, 1);
    double largest = 0.0;
    for (int64_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs(shapley.phi[i]));
    }
    if (comm->rank == 0) {
        printf("parties %lld sizes %s ranks %d seconds %.3f nodes %lld largest_phi %.17g "
               "error_estimate %.3g relative_error %.3g efficiency_gap %.3g checksum %016llx\n",
               (long long)n, kind, comm->size, seconds, (long long)shapley.nodes, largest,
               shapley.error_estimate, shapley.error_estimate / largest, shapley.efficiency_gap,
               (unsigned long long)cgm_checksum_words(0, 0, shapley.phi, n));
    }
    bool good = true;
    if (n_rounds > 0) {
        const double worst = deviation_from_orders(comm, &game.sums, shapley.phi, n_rounds);
        good = worst <= ALLOWED_DEVIATIONS;
        if (comm->rank == 0) {
            printf("rounds %lld largest_deviation %.3g standard errors, %d allowed\n",
                   (long long)n_rounds, worst, ALLOWED_DEVIATIONS);
        }
    }
    cgm_shapley_destroy(&shapley);
    game_destroy(&game);
    return good;
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    cgm_comm comm;
    cgm_comm_create(MPI_COMM_WORLD, &comm);
    cgm_dense_initialise();
    const int64_t n = argc >= 3 ? strtoll(argv[1], NULL, 10) : 0;
    const int64_t n_rounds = argc >= 4 ? strtoll(argv[3], NULL, 10) : 0;
    int64_t *sizes = calloc(n > 0 ? (size_t)n : 1, sizeof *sizes);
    int code = 2;
    if (n < 1 || sizes == NULL || !choose_sizes(argv[2], n, sizes)) {
        fprintf(stderr, "usage: slow_shapley N equal|some|distinct [ROUNDS]\n");
    } else {
        code = measure(&comm, n, argv[2], sizes, n_rounds) ? 0 : 1;
    }
    free(sizes);
    cgm_comm_destroy(&comm);
    MPI_Finalize();
    return code;
}
