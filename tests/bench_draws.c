/* Microseconds that a draw of a reward takes, the start of its chain and the packing of the pool
 * included; the ranks draw for a party each. Prints a line of a name, a unit and REPEATS values for
 * each β alone and, where there are several, for all of them in one run:
 *
 *     mpirun -n P bench_draws CANDIDATES FEATURES β ... */
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/dense.h"
#include "cgm/rng.h"
#include "cgm/sampling.h"
#include "cgm/timer.h"

/* Points of a party; points of the pool that u is estimated from: computing it would take far
 * longer than the draws. No target is in reach, so that a chain ends when patience does. */
enum { PARTY_POINTS = 512, SAMPLE = 512, REPEATS = 5, BETAS_MOST = 16 };
#define TARGET 1e9
/* So many draws that a run takes about a second. */
#define PATIENCE_DRAWS(n_candidates) (1e9 / (double)(n_candidates))
#define LENGTHSCALE 0.5

static void fill(uint64_t stream, int64_t count, double *values)
{
    const cgm_rng rng = {1, stream, CGM_RNG_SIMULATE};
    for (int64_t k = 0; k < count; k++) {
        uint64_t words[4];
        cgm_rng_words(&rng, (uint64_t)k, 0, 0, words);
        values[k] = cgm_rng_uniform(words[0]);
    }
}

static void need(cgm_comm *comm, bool good, const char *what)
{
    if (cgm_agree(comm, good ? CGM_OK : CGM_ERR_MEMORY) != CGM_OK) {
        fprintf(stderr, "bench_draws: %s: %s\n", what, comm->error.message);
        MPI_Abort(comm->world, EXIT_FAILURE);
    }
}

/* Made-up parties, one a rank, and a pool. */
static void make_input(cgm_comm *comm, int64_t n_candidates, int64_t d, cgm_shard *shard,
                       cgm_candidates *pool)
{
    const int64_t n = comm->size;
    *shard = (cgm_shard){.n_parties = n, .n_features = d, .n_points = n * PARTY_POINTS};
    shard->names = cgm_alloc(comm, n, sizeof *shard->names);
    shard->party_points = cgm_alloc(comm, n, sizeof *shard->party_points);
    shard->checksums = cgm_alloc(comm, n, sizeof *shard->checksums);
    shard->points = cgm_alloc(comm, PARTY_POINTS * d, sizeof *shard->points);
    for (int64_t i = 0; i < n; i++) {
        shard->names[i] = cgm_alloc(comm, 32, 1);
        snprintf(shard->names[i], 32, "party%d", (int)i + 1);
        shard->party_points[i] = PARTY_POINTS;
    }
    need(comm, cgm_shard_place(comm, false, shard) == CGM_OK, "parties");
    fill((uint64_t)comm->rank, PARTY_POINTS * d, shard->points);
    const cgm_candidates_shape shape = {.n_points = n_candidates};
    need(comm, cgm_candidates_create(comm, shard, &shape, false, pool) == CGM_OK, "pool");
    if (comm->node_rank == 0) {
        fill(1000, n_candidates * d, pool->original);
    }
    cgm_shared_sync(comm, &pool->points_memory);
}

/* What sampling needs of the sums, estimated. */
static void make_sums(cgm_comm *comm, const cgm_shard *shard, const cgm_candidates *pool,
                      cgm_kernel_sums *sums)
{
    const int64_t d = shard->n_features;
    const double n = (double)(shard->n_points + pool->n_points);
    *sums = (cgm_kernel_sums){.n_parties = shard->n_parties,
                              .n_candidates = pool->n_points,
                              .n_reference = shard->n_points + pool->n_points,
                              .party_points = shard->party_points,
                              .diagonal = 1.0,
                              .held_end = pool->n_points};
    sums->own_sums = cgm_alloc(comm, shard->n_parties, sizeof(double));
    sums->reference_sums = cgm_alloc(comm, shard->n_parties, sizeof(double));
    need(comm,
         cgm_shared_create(comm, (size_t)pool->n_points * sizeof(double),
                           &sums->candidate_memory) == CGM_OK,
         "sums");
    sums->candidate_sums = sums->candidate_memory.data;
    double mean = 0.0;
    for (int64_t c = comm->node_rank; c < pool->n_points; c += comm->node_size) {
        double total = 0.0;
        for (int64_t s = 0; s < SAMPLE; s++) {
            double squared = 0.0;
            for (int64_t f = 0; f < d; f++) {
                const double off = pool->points[c * d + f] - pool->points[s * d + f];
                squared += off * off;
            }
            total += exp(-0.5 * squared / (LENGTHSCALE * LENGTHSCALE));
        }
        sums->candidate_sums[c] = n * total / SAMPLE;
        mean += total / SAMPLE / (double)pool->n_points * comm->node_size;
    }
    cgm_shared_sync(comm, &sums->candidate_memory);
    for (int64_t i = 0; i < shard->n_parties; i++) {
        sums->own_sums[i] = PARTY_POINTS * (1.0 + (PARTY_POINTS - 1) * mean);
        sums->reference_sums[i] = PARTY_POINTS * n * mean;
    }
}

/* Seconds of the slowest rank, and draws of all of them. */
static double draw(cgm_comm *comm, const cgm_shard *shard, const cgm_candidates *pool,
                   const cgm_kernel *kernel, const cgm_kernel_sums *sums, const cgm_reward *reward,
                   const double *inv_temp, int n_inv_temp, uint64_t seed, int64_t *draws)
{
    cgm_sampling sampling;
    cgm_comm_barrier(comm);
    const double started = cgm_timer_now();
    need(comm,
         cgm_sampling_draw(comm, shard, pool, kernel, sums, reward, inv_temp, n_inv_temp,
                           PATIENCE_DRAWS(pool->n_points) / (double)pool->n_points, seed, NULL,
                           &sampling) == CGM_OK,
         "draws");
    double seconds = cgm_timer_now() - started;
    cgm_comm_max(comm, &seconds, 1);
    *draws = 0;
    for (int64_t s = 0; s < sampling.n_sets; s++) {
        for (int64_t i = 0; i < shard->n_parties; i++) {
            *draws += sampling.sets[s].draws[i];
        }
    }
    cgm_sampling_destroy(&sampling);
    return seconds;
}

static void measure(cgm_comm *comm, const cgm_shard *shard, const cgm_candidates *pool,
                    const cgm_kernel *kernel, const cgm_kernel_sums *sums, const cgm_reward *reward,
                    const double *inv_temp, int n_inv_temp, const char *name)
{
    double us[REPEATS];
    for (int k = 0; k < REPEATS; k++) {
        int64_t draws;
        const double seconds = draw(comm, shard, pool, kernel, sums, reward, inv_temp, n_inv_temp,
                                    (uint64_t)k, &draws);
        /* Ranks draw at the same time: of a rank's own. */
        us[k] = 1e6 * seconds * comm->size / (double)draws;
    }
    if (comm->rank != 0) {
        return;
    }
    printf("draw_g%lld_d%lld_b%s_r%d\tus", (long long)pool->n_points, (long long)shard->n_features,
           name, comm->size);
    for (int k = 0; k < REPEATS; k++) {
        printf("\t%.6g", us[k]);
    }
    putchar('\n');
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    cgm_comm comm;
    cgm_comm_create(MPI_COMM_WORLD, &comm);
    cgm_dense_initialise();
    const int64_t n_candidates = argc > 3 ? strtoll(argv[1], NULL, 10) : 0;
    const int64_t d = argc > 3 ? strtoll(argv[2], NULL, 10) : 0;
    if (n_candidates < 1 || d < 1) {
        fprintf(stderr, "usage: bench_draws CANDIDATES FEATURES BETA ...\n");
        MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);
    }
    cgm_shard shard;
    cgm_candidates pool;
    cgm_kernel_sums sums;
    make_input(&comm, n_candidates, d, &shard, &pool);
    make_sums(&comm, &shard, &pool, &sums);
    double *centre = cgm_alloc(&comm, d, sizeof *centre);
    cgm_reward reward = {.r = cgm_alloc(&comm, shard.n_parties, sizeof *reward.r)};
    need(&comm, centre != NULL && reward.r != NULL, "memory");
    for (int64_t i = 0; i < shard.n_parties; i++) {
        reward.r[i] = TARGET;
    }
    const cgm_kernel kernel = {.type = CGM_KERNEL_SE,
                               .instruction_set = cgm_instruction_set_best(),
                               .n_features = d,
                               .lengthscale = LENGTHSCALE,
                               .centre = centre};
    double inv_temp[BETAS_MOST];
    const int n = argc - 3 < BETAS_MOST ? argc - 3 : BETAS_MOST;
    for (int b = 0; b < n; b++) {
        inv_temp[b] = strtod(argv[3 + b], NULL);
        measure(&comm, &shard, &pool, &kernel, &sums, &reward, &inv_temp[b], 1, argv[3 + b]);
    }
    if (n > 1) {
        measure(&comm, &shard, &pool, &kernel, &sums, &reward, inv_temp, n, "all");
    }
    free(centre);
    free(reward.r);
    cgm_kernel_sums_destroy(&sums);
    cgm_candidates_destroy(&pool);
    cgm_shard_destroy(&shard);
    cgm_comm_destroy(&comm);
    MPI_Finalize();
    return EXIT_SUCCESS;
}
