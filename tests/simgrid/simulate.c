/* The program's stages on a simulated cluster: who evaluates what, and who sends what when, is
 * their own doing; evaluations are replaced by the seconds that they take (kernel.c, costs.c).
 * Started by tests/simgrid.sh under smpirun:
 *
 *     simulate PARTIES POINTS FEATURES CANDIDATES RATES DRAWS SCALE STRIDE [STAGE]
 *
 * RATES: lines of a name and a number (sim_rates). DRAWS: how many draws each party's reward took
 * in a real run, a line a party; here SCALE times as many, of which one in STRIDE is simulated.
 * STAGE: that one alone, with estimates of the sums. Prints a line a stage: its name, and seconds
 * of the slowest rank, of the mean, and of waiting in the mean; then the whole. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/coalition.h"
#include "cgm/diagnostics.h"
#include "cgm/lengthscale.h"
#include "cgm/pool.h"
#include "cgm/sampling.h"
#include "cgm/shapley.h"
#include "cgm/spread.h"
#include "cgm/timer.h"
#include "cgm/tolerance.h"
#include "costs.h"

enum { ARGUMENTS = 9, NAME_BYTES = 32, RANDOM_SEED = 1 };

/* All that stages leave for the next. */
typedef struct simulation {
    int64_t n_parties, n_points, n_features, n_candidates;
    const char *draws_path;
    double draws_scale;
    cgm_shard shard;
    cgm_candidates candidates;
    cgm_spread spread;
    cgm_kernel kernel;
    cgm_lengthscale lengthscale;
    cgm_kernel_sums sums;
    cgm_values values;
    cgm_diagnostics diagnostics;
    cgm_shapley shapley;
    cgm_reward reward;
    cgm_sampling sampling;
} simulation;

static void need(cgm_comm *comm, bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "simulate: rank %d: %s: %s\n", comm->rank, what, comm->error.message);
        MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);
    }
}

static bool read_rates(const char *path)
{
    const struct {
        const char *name;
        double *rate;
    } rates[] = {
        {"columns", &sim_rate.columns},
        {"both", &sim_rate.both},
        {"slopes", &sim_rate.slopes},
        {"ladder", &sim_rate.ladder},
        {"distances", &sim_rate.distances},
        {"pack", &sim_rate.pack},
        {"look", &sim_rate.look},
        {"score_cached_1", &sim_rate.score_cached[0]},
        {"score_cached_8", &sim_rate.score_cached[1]},
        {"score_streamed_1", &sim_rate.score_streamed[0]},
        {"score_streamed_8", &sim_rate.score_streamed[1]},
        {"byte", &sim_rate.byte},
    };
    enum { N_RATES = sizeof rates / sizeof rates[0] };
    FILE *file = fopen(path, "r");
    size_t found = 0;
    char name[NAME_BYTES];
    double value;
    while (file != NULL && fscanf(file, "%31s %lf", name, &value) == 2) {
        for (size_t k = 0; k < N_RATES; k++) {
            if (strcmp(name, rates[k].name) == 0) {
                *rates[k].rate = value;
                found++;
            }
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return found == N_RATES;
}

/* ---- the input ---- */

static cgm_status make_parties(cgm_comm *comm, simulation *of)
{
    const int64_t n = of->n_parties;
    cgm_shard *shard = &of->shard;
    *shard =
        (cgm_shard){.n_parties = n, .n_features = of->n_features, .n_points = n * of->n_points};
    shard->names = cgm_alloc(comm, n, sizeof *shard->names);
    shard->party_points = cgm_alloc(comm, n, sizeof *shard->party_points);
    shard->checksums = cgm_alloc(comm, n, sizeof *shard->checksums);
    need(comm, shard->names != NULL && shard->party_points != NULL, "parties");
    for (int64_t i = 0; i < n; i++) {
        shard->names[i] = cgm_alloc(comm, NAME_BYTES, 1);
        need(comm, shard->names[i] != NULL, "names");
        snprintf(shard->names[i], NAME_BYTES, "party%lld", (long long)i + 1);
        shard->party_points[i] = of->n_points;
    }
    need(comm, cgm_shard_place(comm, false, shard) == CGM_OK, "placement");
    const int64_t count = shard->n_local_points * of->n_features;
    shard->points = cgm_alloc(comm, count, sizeof *shard->points);
    need(comm, shard->points != NULL, "points");
    for (int64_t k = 0; k < count; k++) {
        shard->points[k] = (double)(k * 7919 % 1009) / 1009.0;
    }
    return CGM_OK;
}

static cgm_status make_input(cgm_comm *comm, simulation *of)
{
    const cgm_candidates_shape shape = {.n_points = of->n_candidates};
    const cgm_status status = make_parties(comm, of);
    return status == CGM_OK
               ? cgm_candidates_create(comm, &of->shard, &shape, false, &of->candidates)
               : status;
}

/* ---- stages ---- */

static cgm_status choose_lengthscale(cgm_comm *comm, simulation *of)
{
    double least = (double)cgm_instruction_set_best();
    cgm_comm_min(comm, &least, 1);
    cgm_status status = cgm_spread_measure(comm, &of->shard, &of->candidates, &of->spread);
    if (status != CGM_OK) {
        return status;
    }
    of->kernel = (cgm_kernel){.type = CGM_KERNEL_SE,
                              .instruction_set = cgm_instruction_set_best(),
                              .n_features = of->n_features,
                              .centre = of->spread.pool_centre};
    return cgm_lengthscale_choose(comm, &of->shard, &of->candidates, of->spread.overall,
                                  CGM_LENGTHSCALE_NONNEGATIVE, NULL, 0, RANDOM_SEED, NULL,
                                  &of->kernel, &of->lengthscale);
}

static cgm_status compute_kernel_sums(cgm_comm *comm, simulation *of)
{
    return cgm_kernel_sums_compute(comm, &of->shard, &of->candidates, &of->kernel, &of->sums);
}

static cgm_status compute_values(cgm_comm *comm, simulation *of)
{
    return cgm_values_compute(comm, &of->sums, &of->values);
}

static cgm_status measure_diagnostics(cgm_comm *comm, simulation *of)
{
    return cgm_diagnostics_measure(comm, &of->shard, &of->candidates, &of->kernel, &of->sums,
                                   &of->values, RANDOM_SEED, &of->diagnostics);
}

static cgm_status compute_shapley(cgm_comm *comm, simulation *of)
{
    const cgm_semivalue semivalue = {.kind = CGM_SEMIVALUE_SHAPLEY, .a = 1.0, .b = 1.0};
    return cgm_shapley_compute(comm, &of->sums, &of->values, CGM_SHAPLEY_AUTO, &semivalue, 1e-12,
                               &of->shapley);
}

/* The value that a party has after so many draws: where candidates are alike and have no affinity
 * to the party, as in kernel.c. */
static double value_after(const simulation *of, int64_t party, int64_t draws)
{
    double own = of->sums.own_sums[party];
    double reference = of->sums.reference_sums[party];
    for (int64_t k = 0; k < draws; k++) {
        own += of->sums.diagonal;
        reference += of->sums.candidate_sums[0];
    }
    return cgm_coalition_formula(of->sums.n_reference, (double)(of->n_points + draws), reference,
                                 own);
}

/* Targets that are reached after the draws wanted. */
static cgm_status set_targets(cgm_comm *comm, simulation *of)
{
    of->reward.r = cgm_alloc(comm, of->n_parties, sizeof *of->reward.r);
    FILE *file = fopen(of->draws_path, "r");
    need(comm, file != NULL && of->reward.r != NULL, "the file of draws");
    for (int64_t i = 0; i < of->n_parties; i++) {
        long long draws;
        need(comm, fscanf(file, "%lld", &draws) == 1, "too few lines in the file of draws");
        of->reward.r[i] = value_after(
            of, i, (int64_t)((double)draws * of->draws_scale / (double)sim_draw_stride));
    }
    fclose(file);
    return CGM_OK;
}

static cgm_status draw_samples(cgm_comm *comm, simulation *of)
{
    const double inv_temp = 1.0;
    need(comm, set_targets(comm, of) == CGM_OK, "targets");
    sim_is_sampling = true;
    return cgm_sampling_draw(comm, &of->shard, &of->candidates, &of->kernel, &of->sums, &of->reward,
                             &inv_temp, 1, 0.1, RANDOM_SEED, NULL, &of->sampling);
}

/* What a stage needs of the sums and the kernel, where nobody has computed them. */
static cgm_status estimate_sums(cgm_comm *comm, simulation *of)
{
    cgm_kernel_sums *sums = &of->sums;
    const int64_t g = of->n_candidates;
    const double n = (double)(of->shard.n_points + g);
    const double m = (double)of->n_points;
    *sums = (cgm_kernel_sums){.n_parties = of->n_parties,
                              .n_candidates = g,
                              .n_reference = of->shard.n_points + g,
                              .party_points = of->shard.party_points,
                              .diagonal = 1.0,
                              .held_end = g};
    of->kernel = (cgm_kernel){.n_features = of->n_features, .lengthscale = 1.0};
    sums->first_row = cgm_alloc(comm, comm->size + 1, sizeof(int64_t));
    need(comm, sums->first_row != NULL, "rows");
    cgm_kernel_sums_share_rows(of->n_parties, comm->size, sums->first_row);
    const int64_t rows = sums->first_row[comm->rank + 1] - sums->first_row[comm->rank];
    sums->party_sums = cgm_alloc(comm, rows * of->n_parties, sizeof(double));
    need(comm, sums->party_sums != NULL, "rows");
    sums->own_sums = cgm_alloc(comm, of->n_parties, sizeof(double));
    sums->reference_sums = cgm_alloc(comm, of->n_parties, sizeof(double));
    cgm_status status =
        cgm_shared_create(comm, (size_t)g * sizeof(double), &sums->candidate_memory);
    sums->candidate_sums = sums->candidate_memory.data;
    need(comm, sums->own_sums != NULL && sums->reference_sums != NULL && status == CGM_OK, "sums");
    for (int64_t c = comm->node_rank; c < g; c += comm->node_size) {
        sums->candidate_sums[c] = 0.3 * n;
    }
    for (int64_t i = 0; i < of->n_parties; i++) {
        sums->own_sums[i] = 0.5 * m * m;
        sums->reference_sums[i] = 0.3 * m * n;
    }
    cgm_shared_sync(comm, &sums->candidate_memory);
    return status;
}

static const struct {
    const char *name;
    cgm_status (*run)(cgm_comm *comm, simulation *of);
} stages[] = {
    {"lengthscale", choose_lengthscale}, {"kernel_sums", compute_kernel_sums},
    {"coalition", compute_values},       {"diagnostics", measure_diagnostics},
    {"shapley", compute_shapley},        {"sampling", draw_samples},
};
enum { N_STAGES = sizeof stages / sizeof stages[0] };

/* ---- the run ---- */

static void print_stages(const cgm_comm *comm, const cgm_timer *timer, double whole,
                         const simulation *of)
{
    if (comm->rank != 0) {
        return;
    }
    for (int64_t k = 0; k < timer->n_stages; k++) {
        const cgm_stage_time *stage = &timer->stages[k];
        printf("stage %s %.6f %.6f %.6f\n", stage->name, stage->max, stage->mean,
               1e-9 * (double)stage->total_work.waiting / comm->size);
    }
    int64_t draws = 0;
    for (int64_t i = 0; i < of->n_parties && of->sampling.n_sets > 0; i++) {
        draws += of->sampling.sets[0].draws[i];
    }
    printf("whole %.6f\n", whole);
    printf("passes %lld\ndraws %lld\n", (long long)of->lengthscale.passes,
           (long long)(draws * sim_draw_stride));
}

static void run(cgm_comm *comm, simulation *of, const char *stage)
{
    cgm_timer timer = {0};
    need(comm, make_input(comm, of) == CGM_OK, "input");
    need(comm, stage == NULL || estimate_sums(comm, of) == CGM_OK, "sums");
    cgm_comm_barrier(comm);
    const double began = cgm_timer_now();
    for (int k = 0; k < N_STAGES; k++) {
        if (stage != NULL && strcmp(stages[k].name, stage) != 0) {
            continue;
        }
        cgm_timer_start(&timer, comm, stages[k].name);
        need(comm, stages[k].run(comm, of) == CGM_OK, stages[k].name);
        sim_flush();
        cgm_timer_stop(&timer, comm);
    }
    cgm_comm_barrier(comm);
    const double whole = cgm_timer_now() - began;
    cgm_timer_collect(comm, &timer);
    print_stages(comm, &timer, whole, of);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    cgm_comm comm;
    cgm_comm_create(MPI_COMM_WORLD, &comm);
    need(&comm, argc >= ARGUMENTS && read_rates(argv[5]),
         "usage: simulate PARTIES POINTS FEATURES CANDIDATES RATES DRAWS SCALE STRIDE [STAGE]");
    simulation of = {.n_parties = strtoll(argv[1], NULL, 10),
                     .n_points = strtoll(argv[2], NULL, 10),
                     .n_features = strtoll(argv[3], NULL, 10),
                     .n_candidates = strtoll(argv[4], NULL, 10),
                     .draws_path = argv[6],
                     .draws_scale = strtod(argv[7], NULL)};
    sim_draw_stride = strtoll(argv[8], NULL, 10);
    sim_is_sampling = false;
    run(&comm, &of, argc > ARGUMENTS ? argv[ARGUMENTS] : NULL);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Finalize();
    return EXIT_SUCCESS;
}
