#include "generator_gmm_start.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/accumulator.h"
#include "cgm/generator_gmm.h"
#include "cgm/kernel.h"
#include "cgm/rng.h"

/* One for each word of a block of random numbers. */
enum { TRIALS = CGM_GMM_TRIALS };
#define ABOVE_ROUNDING 0x1.0000000000008p0

typedef struct search {
    cgm_comm *comm;
    const cgm_shard *shard;
    const gmm_points *points;
    uint64_t seed;
    int64_t start;
    double *nearest; /* [n_local] squared distance to the nearest centre */
    double *drawn;   /* [TRIALS][n_features] */
    uint64_t *words; /* the same, bit for bit */
} search;

/* The least E/w of a trial and its point, as far as they are known; number counts all parties'
 * points, exactly. */
typedef struct draw {
    double key;
    double number;
    int64_t block, place;
} draw;

/* Squared distances of a block's points to a point. */
static void measure(const gmm_points *points, const gmm_block *block, const double *point,
                    double *squares)
{
    const double *x = gmm_block_coordinates(points, block);
    for (int64_t i = 0; i < block->n_points; i++) {
        squares[i] = 0.0;
    }
    for (int64_t f = 0; f < points->n_features; f++, x += block->n_points) {
        for (int64_t i = 0; i < block->n_points; i++) {
            const double difference = x[i] - point[f];
            squares[i] += difference * difference;
        }
    }
}

/* Takes part in the draws with one point. */
static void enter(const uint64_t words[TRIALS], double weight, double number, int64_t b, int64_t i,
                  draw best[TRIALS])
{
    for (int t = 0; t < TRIALS; t++) {
        const double u = cgm_rng_uniform(words[t]);
        /* −ln(1 − u) is at least u: mostly that settles it, beyond any rounding. */
        if (u > best[t].key * weight * ABOVE_ROUNDING) {
            continue;
        }
        const double key = -log1p(-u) / weight;
        if (key < best[t].key || (key == best[t].key && number < best[t].number)) {
            best[t] = (draw){key, number, b, i};
        }
    }
}

/* This rank's best points of all trials for centre k. */
static void draw_locally(const search *of, int64_t k, draw best[TRIALS])
{
    const gmm_points *points = of->points;
    int64_t party = -1;
    double before = 0.0; /* points of the parties before */
    cgm_rng rng = {of->seed, 0, CGM_RNG_CENTRES};
    for (int64_t b = 0; b < points->n_blocks; b++) {
        const gmm_block *block = &points->blocks[b];
        while (party < block->party) {
            before += party >= 0 ? (double)of->shard->party_points[party] : 0.0;
            rng.stream = cgm_rng_hash(of->shard->names[++party]);
        }
        for (int64_t i = block->first; i < block->first + block->n_points; i++) {
            if (of->nearest[i] > 0.0) {
                uint64_t words[TRIALS];
                cgm_rng_words(&rng, (uint64_t)points->rows[i], (uint64_t)k, (uint64_t)of->start,
                              words);
                enter(words, of->nearest[i], before + (double)points->rows[i], b, i - block->first,
                      best);
            }
        }
    }
}

/* The points drawn become known to all ranks, exactly: whoever has one shows it, the others are
 * silent. @return whether there was any */
static bool draw_points(search *of, int64_t k)
{
    cgm_comm *comm = of->comm;
    const gmm_points *points = of->points;
    const int64_t d = points->n_features;
    draw best[TRIALS];
    double keys[TRIALS];
    double numbers[TRIALS];
    for (int t = 0; t < TRIALS; t++) {
        best[t] = (draw){INFINITY, INFINITY, -1, 0};
    }
    draw_locally(of, k, best);
    for (int t = 0; t < TRIALS; t++) {
        keys[t] = best[t].key;
    }
    cgm_comm_min(comm, keys, TRIALS);
    for (int t = 0; t < TRIALS; t++) {
        numbers[t] = best[t].key == keys[t] ? best[t].number : INFINITY;
    }
    cgm_comm_min(comm, numbers, TRIALS);
    memset(of->drawn, 0, (size_t)(TRIALS * d) * sizeof *of->drawn);
    for (int t = 0; t < TRIALS; t++) {
        if (best[t].block >= 0 && best[t].number == numbers[t]) {
            const gmm_block *block = &points->blocks[best[t].block];
            const double *x = gmm_block_coordinates(points, block) + best[t].place;
            for (int64_t f = 0; f < d; f++) {
                of->drawn[t * d + f] = x[f * block->n_points];
            }
        }
    }
    memcpy(of->words, of->drawn, (size_t)(TRIALS * d) * sizeof *of->words);
    cgm_comm_or(comm, of->words, TRIALS * d);
    memcpy(of->drawn, of->words, (size_t)(TRIALS * d) * sizeof *of->words);
    return isfinite(numbers[0]);
}

/* The trial that leaves the least sum of squared distances. */
static int choose_trial(const search *of)
{
    const gmm_points *points = of->points;
    cgm_accumulator sums[TRIALS] = {{{0}}};
    double squares[CGM_BLOCK_POINTS];
    for (int64_t b = 0; b < points->n_blocks; b++) {
        const gmm_block *block = &points->blocks[b];
        for (int t = 0; t < TRIALS; t++) {
            double sum = 0.0;
            measure(points, block, of->drawn + t * points->n_features, squares);
            for (int64_t i = 0; i < block->n_points; i++) {
                sum += fmin(squares[i], of->nearest[block->first + i]);
            }
            cgm_accumulator_add(&sums[t], sum);
        }
    }
    cgm_accumulator_reduce(of->comm, sums, TRIALS);
    int best = 0;
    for (int t = 1; t < TRIALS; t++) {
        best = cgm_accumulator_value(&sums[t]) < cgm_accumulator_value(&sums[best]) ? t : best;
    }
    return best;
}

static void add_centre(search *of, const double *centre)
{
    const gmm_points *points = of->points;
    double squares[CGM_BLOCK_POINTS];
    for (int64_t b = 0; b < points->n_blocks; b++) {
        const gmm_block *block = &points->blocks[b];
        measure(points, block, centre, squares);
        for (int64_t i = 0; i < block->n_points; i++) {
            of->nearest[block->first + i] = fmin(squares[i], of->nearest[block->first + i]);
        }
    }
}

static void choose(search *of, int64_t most, double *centres, int64_t *n_found)
{
    const int64_t d = of->points->n_features;
    /* The first one is any of them, each with the same probability. */
    for (int64_t i = 0; i < of->points->n_local; i++) {
        of->nearest[i] = 1.0;
    }
    *n_found = 0;
    for (int64_t k = 0; k < most && draw_points(of, k); k++) {
        const int chosen = k > 0 ? choose_trial(of) : 0;
        double *centre = centres + k * d;
        memcpy(centre, of->drawn + chosen * d, (size_t)d * sizeof *centre);
        for (int64_t i = 0; k == 0 && i < of->points->n_local; i++) {
            of->nearest[i] = INFINITY;
        }
        add_centre(of, centre);
        *n_found = k + 1;
    }
}

cgm_status gmm_choose_centres(cgm_comm *comm, const cgm_shard *shard, const gmm_points *points,
                              uint64_t seed, int64_t start, int64_t most, double *centres,
                              int64_t *n_found)
{
    search of = {.comm = comm, .shard = shard, .points = points, .seed = seed, .start = start};
    of.nearest = cgm_alloc(comm, points->n_local, sizeof *of.nearest);
    of.drawn = cgm_alloc(comm, TRIALS * points->n_features, sizeof *of.drawn);
    of.words = cgm_alloc(comm, TRIALS * points->n_features, sizeof *of.words);
    const bool complete = of.nearest != NULL && of.drawn != NULL && of.words != NULL;
    cgm_status status = cgm_agree(comm, complete ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        choose(&of, most, centres, n_found);
    }
    free(of.nearest);
    free(of.drawn);
    free(of.words);
    return status;
}
