#include "cgm/cost.h"

#include <stdio.h>
#include <stdlib.h>

#include "cgm/accumulator.h"
#include "cgm/generator.h"
#include "cgm/output.h"
#include "cgm/pairs.h"
#include "cgm/shard.h"

/* The input, as cgm_pipeline_run reads it. */
typedef struct read_input {
    cgm_shard shard;
    cgm_candidates candidates;
    cgm_layout layout;
} read_input;

/* Kernel evaluations of the stages, over all ranks. Doubles: exact far beyond any feasible run. */
typedef struct evaluations {
    double kernel_sums;
    double lengthscale_pass;
    double sampling_start;
    double draw;
} evaluations;

/* Bytes: the largest of a rank's own, and what the ranks of a node share. */
typedef struct memory {
    double points;
    double packed;
    double candidate_sums;
    double party_sums;
    double coalitions;
    double chain;
    double shared_pool;
} memory;

/* Σ over blocks of their points squared: a block with itself is evaluated as the full square. */
static double block_squares(int64_t n_points)
{
    int64_t full = n_points / CGM_BLOCK_POINTS;
    double rest = (double)(n_points % CGM_BLOCK_POINTS);
    return (double)full * CGM_BLOCK_POINTS * CGM_BLOCK_POINTS + rest * rest;
}

static evaluations count_evaluations(const read_input *input)
{
    double points = (double)input->shard.n_points;
    double pool = (double)input->candidates.n_points;
    double squares = 0.0;
    for (int64_t i = 0; i < input->shard.n_parties; i++) {
        squares += block_squares(input->shard.party_points[i]);
    }
    double all = points + pool;
    /* The pool's slices are whole blocks, so that its blocks do not depend on the ranks. */
    double pool_squares = block_squares(input->candidates.n_points);
    return (evaluations){
        .kernel_sums = 0.5 * (all * all + squares + pool_squares),
        .lengthscale_pass = 0.5 * (points * points + squares) + points * pool,
        .sampling_start = points * pool,
        .draw = pool,
    };
}

static double largest_of(double a, double b)
{
    return a > b ? a : b;
}

static memory count_memory(const cgm_comm *comm, const read_input *input)
{
    const cgm_layout *layout = &input->layout;
    const double row = (double)layout->n_features * sizeof(double);
    const double label = input->shard.has_labels ? sizeof(int64_t) : 0.0;
    const double n = (double)layout->n_parties;
    const double pool = (double)layout->n_candidates;
    double own_points = 0.0;
    double home_points = 0.0;
    double slice = 0.0;
    for (int r = 0; r < comm->size; r++) {
        double points = 0.0;
        for (int64_t i = layout->first_party[r]; i < layout->first_party[r + 1]; i++) {
            points += (double)layout->party_points[i];
        }
        double candidates = (double)(layout->first_candidate[r + 1] - layout->first_candidate[r]);
        own_points = largest_of(own_points, points);
        home_points = largest_of(home_points, points + candidates);
        slice = largest_of(slice, candidates);
    }
    /* With other ranks there are two buffers for blocks that travel, and accumulators for the
     * candidates met and for what comes back. */
    const double copies = comm->size > 1 ? 3.0 : 1.0;
    return (memory){
        .points = own_points * (row + label),
        .packed = copies * home_points * row,
        .candidate_sums = copies * slice * sizeof(cgm_accumulator),
        .party_sums = n * n * sizeof(double) + 0.5 * n * (n + 1.0) * sizeof(cgm_accumulator),
        .coalitions = layout->n_parties <= CGM_ENUMERATE_MAX
                          ? 4.0 * sizeof(double) * (double)((int64_t)1 << layout->n_parties)
                          : 0.0,
        .chain = pool * 5.0 * sizeof(double),
        .shared_pool = pool * (2.0 * row + sizeof(double) +
                               (input->candidates.has_labels ? sizeof(int64_t) : 0.0)),
    };
}

static void print_evaluations(const evaluations *work, FILE *stream)
{
    fputs("\nkernel evaluations, all ranks together\n", stream);
    fprintf(stream, "  %-44s %15.0f\n", "kernel sums", work->kernel_sums);
    fprintf(stream, "  %-44s %15.0f\n", "one pass of the choice of the lengthscale",
            work->lengthscale_pass);
    fprintf(stream, "  %-44s %15.0f\n", "start of the sampling", work->sampling_start);
    fprintf(stream, "  %-44s %15.0f\n", "one draw of one party", work->draw);
}

static void print_bytes(FILE *stream, const char *what, double bytes)
{
    fprintf(stream, "  %-44s %12.2f MB\n", what, 1e-6 * bytes);
}

static void print_memory(const cgm_comm *comm, const memory *need, FILE *stream)
{
    double rank =
        need->points + need->packed + need->candidate_sums + need->party_sums + need->chain;
    fputs("\nmemory of the rank that needs most, at most\n", stream);
    print_bytes(stream, "its parties' points", need->points);
    print_bytes(stream, "packed points", need->packed);
    print_bytes(stream, "sums of the candidates", need->candidate_sums);
    print_bytes(stream, "sums of the parties", need->party_sums);
    print_bytes(stream, "sampling", need->chain);
    print_bytes(stream, "together", rank);
    print_bytes(stream, "coalitions, on rank 0 alone", need->coalitions);
    fputs("memory of a node, shared by its ranks\n", stream);
    print_bytes(stream, "candidates", need->shared_pool);
    fprintf(stream, "  %-44s %12.2f MB\n", "together with the ranks of the first node",
            1e-6 * (need->shared_pool + need->coalitions + comm->node_size * rank));
}

static void print_check(const cgm_comm *comm, const read_input *input, const char *options)
{
    const cgm_shard *shard = &input->shard;
    const cgm_candidates *candidates = &input->candidates;
    const evaluations work = count_evaluations(input);
    const memory need = count_memory(comm, input);
    printf("options\n\n%s\ninput\n", options);
    printf("  %-44s %15lld\n", "parties", (long long)shard->n_parties);
    printf("  %-44s %15lld\n", "points", (long long)shard->n_points);
    printf("  %-44s %15lld\n", "features", (long long)shard->n_features);
    printf("  %-44s %15lld\n", "candidates", (long long)candidates->n_points);
    printf("  %-44s %15s\n", "labels of points", shard->has_labels ? "yes" : "no");
    printf("  %-44s %15s\n", "labels of candidates", candidates->has_labels ? "yes" : "no");
    printf("  %-44s %15d\n", "ranks", comm->size);
    print_evaluations(&work, stdout);
    print_memory(comm, &need, stdout);
}

static cgm_status read_all(cgm_comm *comm, const cgm_config *config, read_input *input)
{
    const char *pool =
        config->input_candidates[0] != '\0' ? config->input_candidates : config->input_parties;
    cgm_status status = cgm_shard_read(comm, config->input_parties, &input->shard);
    if (status == CGM_OK) {
        status = cgm_candidates_read(comm, pool, input->shard.n_features, &input->candidates);
    }
    if (status == CGM_OK) {
        status = cgm_agree(
            comm, cgm_layout_create(comm, &input->shard, &input->candidates, &input->layout));
    }
    return status;
}

cgm_status cgm_cost_check(cgm_comm *comm, const cgm_config *config)
{
    read_input input = {0};
    cgm_status status = cgm_output_check(comm, config);
    if (status == CGM_OK) {
        status = read_all(comm, config, &input);
    }
    if (status == CGM_OK) {
        char *options = cgm_config_text(comm, config, false);
        if (options != NULL && comm->rank == 0) {
            print_check(comm, &input, options);
        }
        status = cgm_agree(comm, options != NULL ? CGM_OK : CGM_ERR_MEMORY);
        free(options);
    }
    cgm_layout_destroy(&input.layout);
    cgm_candidates_destroy(&input.candidates);
    cgm_shard_destroy(&input.shard);
    return status;
}
