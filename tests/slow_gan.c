/* The generative network at its default options on the parties of a file: seconds, and how far the
 * points that it draws are from the file's /test, at the lengthscale that a run on it would take.
 *
 *     mpirun -n P slow_gan INPUT.h5 SEED [OUT.h5]
 *
 * INPUT.h5 has a pool and /test. Prints one line; unbiased MMD² by plain loops, of the network and
 * of one that was not trained. Exits with 1 where it is above CGM_TEST_GAN_MMD2, or above
 * CGM_TEST_GAN_MMD2_PART of the untrained one's, or where a class's share is off by more than a
 * factor of CGM_TEST_GAN_SHARE. The points go to /candidates of OUT.h5, for tests/gan_peers.py. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cgm/dense.h"
#include "cgm/generator_gan.h"
#include "cgm/h5.h"
#include "cgm/lengthscale.h"
#include "cgm/spread.h"
#include "cgm/testset.h"
#include "cgm/tolerance.h"
#include "harness.h"

enum { COUNT = 10000, STEPS = 5000, LABELS = 64, RANKS = 64 };

typedef struct cloud {
    int64_t n_points;
    int64_t n_features;
    double *points;
    int64_t *labels;
} cloud;

static double seconds_of_processor(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Σ k over all pairs of two clouds, or of two points of one.  Collective; the ranks share rows. */
static double sum_of(cgm_comm *comm, const cloud *a, const cloud *b, double lengthscale)
{
    double sum = 0.0;
    for (int64_t i = comm->rank; i < a->n_points; i += comm->size) {
        for (int64_t j = 0; j < b->n_points; j++) {
            double squared = 0.0;
            for (int64_t f = 0; f < a->n_features; f++) {
                const double difference =
                    a->points[i * a->n_features + f] - b->points[j * a->n_features + f];
                squared += difference * difference;
            }
            sum += a == b && i == j ? 0.0 : exp(-0.5 * squared / (lengthscale * lengthscale));
        }
    }
    double all[RANKS] = {0.0};
    assert_all_ranks(comm, comm->size <= RANKS);
    cgm_comm_gather(comm, &sum, all, sizeof sum, 0);
    sum = 0.0;
    for (int r = 0; r < comm->size; r++) {
        sum += all[r];
    }
    cgm_comm_broadcast(comm, &sum, sizeof sum, 0);
    return sum;
}

static double mmd2(cgm_comm *comm, const cloud *a, const cloud *b, double lengthscale)
{
    const double n = (double)a->n_points;
    const double m = (double)b->n_points;
    return sum_of(comm, a, a, lengthscale) / (n * (n - 1.0)) +
           sum_of(comm, b, b, lengthscale) / (m * (m - 1.0)) -
           2.0 * sum_of(comm, a, b, lengthscale) / (n * m);
}

/* What a run would choose. */
static double choose_lengthscale(cgm_comm *comm, const char *path, const cgm_shard *shard)
{
    cgm_candidates pool;
    cgm_spread spread;
    cgm_lengthscale choice;
    assert_all_ranks(comm, cgm_candidates_read(comm, path, shard, CGM_POOL_NODE, &pool) == CGM_OK);
    assert_all_ranks(comm, cgm_spread_measure(comm, shard, &pool, &spread) == CGM_OK);
    cgm_kernel kernel = {.type = CGM_KERNEL_SE,
                         .instruction_set = cgm_instruction_set_best(),
                         .n_features = shard->n_features,
                         .centre = spread.pool_centre};
    assert_all_ranks(comm, cgm_lengthscale_choose(comm, shard, &pool, spread.overall,
                                                  CGM_LENGTHSCALE_NONNEGATIVE, NULL, 0, 1, NULL,
                                                  &kernel, &choice) == CGM_OK);
    cgm_spread_destroy(&spread);
    cgm_candidates_destroy(&pool);
    return choice.value;
}

/* Trains, draws, and says what it took. */
static cloud draw(cgm_comm *comm, const cgm_shard *shard, int64_t steps, uint64_t seed,
                  double *wall, double *processor)
{
    const cgm_gan_options options = {.hidden = 128,
                                     .layers = 2,
                                     .latent = 16,
                                     .steps = steps,
                                     .batch = 256,
                                     .learning_rate = 1e-3};
    cgm_model model;
    cloud drawn = {COUNT, shard->n_features,
                   calloc((size_t)(COUNT * shard->n_features), sizeof(double)),
                   calloc(COUNT, sizeof(int64_t))};
    assert_all_ranks(comm, drawn.points != NULL && drawn.labels != NULL);
    *wall = -MPI_Wtime();
    *processor = -seconds_of_processor();
    assert_all_ranks(comm, cgm_gan_train(comm, shard, &options, seed, &model) == CGM_OK);
    *wall += MPI_Wtime();
    *processor += seconds_of_processor();
    cgm_comm_max(comm, processor, 1);
    model.draw(model.state, seed, 0, COUNT, drawn.points, drawn.labels);
    model.destroy(model.state);
    return drawn;
}

static int64_t count_label(const int64_t *labels, int64_t count, int64_t label)
{
    int64_t found = 0;
    for (int64_t i = 0; i < count; i++) {
        found += labels[i] == label;
    }
    return found;
}

/* The largest factor by which a class's share in the points is off; labels 0 .. LABELS - 1. */
static double worst_share(cgm_comm *comm, const cgm_shard *shard, const cloud *drawn)
{
    double worst = 1.0;
    for (int64_t label = 0; label < LABELS; label++) {
        int64_t own = count_label(shard->labels, shard->n_local_points, label);
        cgm_comm_sum(comm, &own, 1);
        const double real = (double)own / (double)shard->n_points;
        const double share = (double)count_label(drawn->labels, COUNT, label) / COUNT;
        if (own > 0) {
            worst = fmax(worst, fmax(share / real, real / share));
        }
    }
    return worst;
}

static void write_points(cgm_comm *comm, const char *path, const cloud *drawn)
{
    cgm_h5_file file;
    const int64_t dims[2] = {COUNT, drawn->n_features};
    assert_true(cgm_h5_create(comm, path, false, &file) == CGM_OK);
    cgm_h5_write(&file, "/candidates/data", CGM_H5_DOUBLE, 2, dims, 0, COUNT, drawn->points);
    cgm_h5_write(&file, "/candidates/labels", CGM_H5_INT64, 1, dims, 0, COUNT, drawn->labels);
    assert_true(cgm_h5_finish(&file) == CGM_OK);
}

/* True: nothing is wrong with the network. */
static bool judge(cgm_comm *comm, const char *path, uint64_t seed, const char *out)
{
    cgm_shard shard;
    cgm_testset test;
    double wall;
    double processor;
    assert_all_ranks(comm, cgm_shard_read(comm, path, &shard) == CGM_OK && shard.has_labels);
    assert_all_ranks(comm, cgm_testset_read(comm, path, shard.n_features, &test) == CGM_OK);
    assert_all_ranks(comm, test.n_points > 1);
    const cloud real = {test.n_points, shard.n_features, test.points, test.labels};
    const double lengthscale = choose_lengthscale(comm, path, &shard);
    cloud raw = draw(comm, &shard, 0, seed, &wall, &processor);
    const double before = mmd2(comm, &raw, &real, lengthscale);
    cloud drawn = draw(comm, &shard, STEPS, seed, &wall, &processor);
    const double after = mmd2(comm, &drawn, &real, lengthscale);
    const double share = worst_share(comm, &shard, &drawn);
    if (comm->rank == 0) {
        printf("seed %llu ranks %d seconds %.1f of_processor_a_rank %.1f lengthscale %.6g "
               "mmd2 %.3g untrained %.3g share_off %.3g\n",
               (unsigned long long)seed, comm->size, wall, processor, lengthscale, after, before,
               share);
        if (out != NULL) {
            write_points(comm, out, &drawn);
        }
    }
    free(raw.points);
    free(raw.labels);
    free(drawn.points);
    free(drawn.labels);
    cgm_testset_destroy(&test);
    cgm_shard_destroy(&shard);
    return after <= CGM_TEST_GAN_MMD2 && after <= CGM_TEST_GAN_MMD2_PART * before &&
           share <= CGM_TEST_GAN_SHARE;
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    cgm_comm comm;
    cgm_comm_create(MPI_COMM_WORLD, &comm);
    cgm_dense_initialise();
    int code = 2;
    if (argc < 3) {
        fprintf(stderr, "usage: slow_gan INPUT.h5 SEED [OUT.h5]\n");
    } else {
        code =
            judge(&comm, argv[1], strtoull(argv[2], NULL, 10), argc > 3 ? argv[3] : NULL) ? 0 : 1;
    }
    cgm_comm_destroy(&comm);
    MPI_Finalize();
    return code;
}
