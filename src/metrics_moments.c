#include "metrics_moments.h"

#include <math.h>
#include <stdlib.h>

#include "cgm/accumulator.h"
#include "cgm/dense.h"

/* Rewards are summed up by runs of so many candidates: a run is on one rank (metrics_rewards.h). */
enum { RUN = 64 };

/* Groups while they are summed up. A pass goes over this rank's points in blocks that do not depend
 * on the ranks: of each block a sum in double precision, then all blocks exactly. */
typedef struct summing {
    cgm_comm *comm;
    const cgm_run *run;
    const reward_rows *rows; /* NULL: T */
    int64_t first, end;      /* parties */
    double scale;
    group_moments *moments;
    bool centred;                /* the second pass, about the means */
    double *points, *transposed; /* [CGM_BLOCK_POINTS][d] of a block, and [d][points of it] */
    double *square;              /* [d][d] */
    cgm_accumulator *sums;       /* [n_groups][d], or of the second pass [n_groups][d (d + 1)/2] */
} summing;

int moments_exponent(const cgm_run *run)
{
    int exponent = 0;
    frexp(run->spread.overall, &exponent);
    return exponent;
}

static int64_t triangle(int64_t d)
{
    return d * (d + 1) / 2;
}

int64_t moments_bytes(int64_t n_features)
{
    return (n_features + triangle(n_features)) * (int64_t)sizeof(cgm_accumulator) +
           (n_features + n_features * n_features) * (int64_t)sizeof(double);
}

/* ---- a block of points ---- */

/* Puts a point at a place of the block. */
static void put(const summing *of, int64_t place, const double *point)
{
    const int64_t d = of->run->shard.n_features;
    for (int64_t f = 0; f < d; f++) {
        of->points[place * d + f] = (point[f] - of->run->spread.mean[f]) * of->scale;
    }
}

static void add_sums(const summing *of, int64_t group, int64_t count)
{
    const int64_t d = of->run->shard.n_features;
    for (int64_t f = 0; f < d; f++) {
        double sum = 0.0;
        for (int64_t k = 0; k < count; k++) {
            sum += of->points[k * d + f];
        }
        cgm_accumulator_add(&of->sums[group * d + f], sum);
    }
}

static void add_squares(const summing *of, int64_t group, int64_t count)
{
    const int64_t d = of->run->shard.n_features;
    const double *mean = of->moments->means + group * d;
    for (int64_t k = 0; k < count; k++) {
        for (int64_t f = 0; f < d; f++) {
            const double z = of->points[k * d + f] - mean[f];
            of->points[k * d + f] = z;
            of->transposed[f * count + k] = z;
        }
    }
    cgm_dense_multiply(d, d, count, of->transposed, of->points, of->square);
    cgm_accumulator *sums = of->sums + group * triangle(d);
    for (int64_t f = 0; f < d; f++) {
        for (int64_t g = 0; g <= f; g++) {
            cgm_accumulator_add(sums++, of->square[f * d + g]);
        }
    }
}

static void add_block(const summing *of, int64_t group, int64_t count)
{
    if (count > 0) {
        (of->centred ? add_squares : add_sums)(of, group, count);
    }
}

/* ---- a pass ---- */

/* Points [count][d] one after the other. */
static void add_points(const summing *of, int64_t group, const double *points, int64_t count)
{
    const int64_t d = of->run->shard.n_features;
    for (int64_t first = 0; first < count; first += CGM_BLOCK_POINTS) {
        const int64_t left = count - first;
        const int64_t block = left < CGM_BLOCK_POINTS ? left : CGM_BLOCK_POINTS;
        for (int64_t k = 0; k < block; k++) {
            put(of, k, points + (first + k) * d);
        }
        add_block(of, group, block);
    }
}

static void add_rewards(const summing *of, int64_t party, int64_t set, int64_t group)
{
    const int64_t end = reward_rows_first(of->rows, party + 1);
    int64_t run = -1;
    int64_t count = 0;
    for (int64_t k = reward_rows_first(of->rows, party); k < end; k++) {
        const reward_row *row = &of->rows->rows[k];
        if (row->set != set) {
            continue;
        }
        if (row->candidate / RUN != run) {
            add_block(of, group, count);
            run = row->candidate / RUN;
            count = 0;
        }
        put(of, count++, reward_point(of->run, row->candidate));
    }
    add_block(of, group, count);
}

static void add_all(const summing *of)
{
    const cgm_shard *shard = &of->run->shard;
    const cgm_candidates *pool = &of->run->candidates;
    const int64_t n_sums = 1 + of->run->sampling.n_sets;
    for (int64_t k = 0; k < shard->n_shares; k++) {
        const int64_t party = shard->share_party[k];
        if (party >= of->first && party < of->end) {
            add_points(of, of->rows != NULL ? (party - of->first) * n_sums : 0,
                       shard->points + shard->share_first[k] * shard->n_features,
                       shard->share_first[k + 1] - shard->share_first[k]);
        }
    }
    if (of->rows == NULL) {
        const int64_t first = pool->first[of->comm->rank];
        const int64_t count = cgm_candidates_count(pool, of->comm->rank);
        if (count > 0) {
            add_points(of, 0, reward_point(of->run, first), count);
        }
        return;
    }
    for (int64_t i = of->first; i < of->end; i++) {
        for (int64_t s = 0; s < n_sums - 1; s++) {
            add_rewards(of, i, s, (i - of->first) * n_sums + 1 + s);
        }
    }
}

/* ---- both passes ---- */

static void read_means(const summing *of)
{
    const int64_t d = of->run->shard.n_features;
    for (int64_t k = 0; k < of->moments->n_groups * d; k++) {
        const double count = of->moments->counts[k / d];
        of->moments->means[k] = count > 0.0 ? cgm_accumulator_value(&of->sums[k]) / count : 0.0;
    }
}

static void read_scatters(const summing *of)
{
    const int64_t d = of->run->shard.n_features;
    const cgm_accumulator *sum = of->sums;
    for (int64_t k = 0; k < of->moments->n_groups; k++) {
        double *scatter = of->moments->scatters + k * d * d;
        for (int64_t f = 0; f < d; f++) {
            for (int64_t g = 0; g <= f; g++) {
                scatter[f * d + g] = cgm_accumulator_value(sum++);
                scatter[g * d + f] = scatter[f * d + g];
            }
        }
    }
}

static cgm_status pass(summing *of, bool centred)
{
    const int64_t d = of->run->shard.n_features;
    const int64_t count = of->moments->n_groups * (centred ? triangle(d) : d);
    of->centred = centred;
    of->sums = cgm_alloc(of->comm, count, sizeof *of->sums);
    cgm_status status = cgm_agree(of->comm, of->sums != NULL ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        add_all(of);
        cgm_accumulator_reduce(of->comm, of->sums, count);
        (centred ? read_scatters : read_means)(of);
    }
    free(of->sums);
    return status;
}

static cgm_status sum_up(summing *of, int64_t n_groups)
{
    cgm_comm *comm = of->comm;
    group_moments *to = of->moments;
    const int64_t d = of->run->shard.n_features;
    *to = (group_moments){.n_groups = n_groups,
                          .counts = cgm_alloc(comm, n_groups, sizeof(double)),
                          .means = cgm_alloc(comm, n_groups * d, sizeof(double)),
                          .scatters = cgm_alloc(comm, n_groups * d * d, sizeof(double))};
    of->scale = ldexp(1.0, -moments_exponent(of->run));
    of->points = cgm_alloc(comm, 2 * CGM_BLOCK_POINTS * d, sizeof(double));
    of->square = cgm_alloc(comm, d * d, sizeof(double));
    const bool refused = to->counts == NULL || to->means == NULL || to->scatters == NULL ||
                         of->points == NULL || of->square == NULL;
    cgm_status status = cgm_agree(comm, refused ? CGM_ERR_MEMORY : CGM_OK);
    if (status == CGM_OK) {
        of->transposed = of->points + CGM_BLOCK_POINTS * d;
        const int64_t n_sums = 1 + of->run->sampling.n_sets;
        for (int64_t k = 0; k < n_groups; k++) {
            const int64_t party = of->first + k / n_sums;
            const int64_t points = k % n_sums == 0 ? of->run->shard.party_points[party]
                                                   : reward_size(of->run, k % n_sums - 1, party);
            to->counts[k] = (double)(of->rows != NULL ? points : of->run->sums.n_reference);
        }
        status = pass(of, false);
    }
    if (status == CGM_OK) {
        status = pass(of, true);
    }
    free(of->points);
    free(of->square);
    return status;
}

cgm_status moments_of_reference(cgm_comm *comm, const cgm_run *run, group_moments *moments)
{
    summing of = {.comm = comm, .run = run, .end = run->shard.n_parties, .moments = moments};
    return sum_up(&of, 1);
}

cgm_status moments_of_parties(cgm_comm *comm, const cgm_run *run, const reward_rows *rows,
                              int64_t first, int64_t end, group_moments *moments)
{
    summing of = {
        .comm = comm, .run = run, .rows = rows, .first = first, .end = end, .moments = moments};
    return sum_up(&of, (end - first) * (1 + run->sampling.n_sets));
}

void moments_destroy(group_moments *moments)
{
    free(moments->counts);
    free(moments->means);
    free(moments->scatters);
    *moments = (group_moments){0};
}
