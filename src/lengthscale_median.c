#include "lengthscale_median.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/rng.h"

/* Squared distances are ordered by their bits, so many of them at a time. */
enum { DIGIT_BITS = 16, DIGITS = 64 / DIGIT_BITS, BUCKETS = 1 << DIGIT_BITS };

/* A party's point and the random number that decides whether it is chosen. */
typedef struct ticket {
    uint64_t key;
    int64_t party;
    int64_t row;
} ticket;

/* Points of the sample, the same on every rank. */
typedef struct sample {
    int64_t n_points;
    int64_t n_features;
    double *points; /* [n_points][n_features] in the order of the parties and their rows */
} sample;

static int compare_tickets(const void *left, const void *right)
{
    const ticket *a = left;
    const ticket *b = right;
    if (a->key != b->key) {
        return a->key < b->key ? -1 : 1;
    }
    if (a->party != b->party) {
        return a->party < b->party ? -1 : 1;
    }
    return (a->row > b->row) - (a->row < b->row);
}

static ticket ticket_of(const cgm_shard *shard, uint64_t seed, int64_t party, int64_t row)
{
    const cgm_rng rng = {seed, cgm_rng_hash(shard->names[party]), CGM_RNG_SUBSAMPLE};
    uint64_t words[4];
    cgm_rng_words(&rng, (uint64_t)row, 0, 0, words);
    return (ticket){words[0], party, row};
}

/* The largest ticket among the lowest count of all parties' points: which points are chosen depends
 * on the seed, the parties' names and rows alone. */
static cgm_status find_last_ticket(cgm_comm *comm, const cgm_shard *shard, uint64_t seed,
                                   int64_t count, ticket *last)
{
    int64_t mine = 0;
    ticket *own = cgm_alloc(comm, shard->n_local_points + count, sizeof(ticket));
    ticket *all = cgm_alloc(comm, comm->rank == 0 ? comm->size * count : 0, sizeof(ticket));
    bool refused = own == NULL || all == NULL;
    cgm_status status = cgm_agree(comm, refused ? CGM_ERR_MEMORY : CGM_OK);
    if (status == CGM_OK) {
        for (int64_t k = 0; k < shard->n_shares; k++) {
            const int64_t rows = shard->share_first[k + 1] - shard->share_first[k];
            for (int64_t row = 0; row < rows; row++) {
                own[mine++] =
                    ticket_of(shard, seed, shard->share_party[k], shard->share_offset[k] + row);
            }
        }
        qsort(own, (size_t)mine, sizeof *own, compare_tickets);
        for (; mine < count; mine++) {
            own[mine] = (ticket){UINT64_MAX, INT64_MAX, INT64_MAX};
        }
        cgm_comm_gather(comm, own, all, (size_t)count * sizeof *own, 0);
        if (comm->rank == 0) {
            qsort(all, (size_t)(comm->size * count), sizeof *all, compare_tickets);
            *last = all[count - 1];
        }
        cgm_comm_broadcast(comm, last, sizeof *last, 0);
    }
    free(own);
    free(all);
    return status;
}

/* This rank's chosen points into chosen [n_chosen][n_features], or their number alone. */
static int64_t choose_own(const cgm_shard *shard, uint64_t seed, const ticket *last, double *chosen)
{
    const int64_t d = shard->n_features;
    int64_t count = 0;
    for (int64_t k = 0; k < shard->n_shares; k++) {
        for (int64_t i = shard->share_first[k]; i < shard->share_first[k + 1]; i++) {
            const ticket own = ticket_of(shard, seed, shard->share_party[k],
                                         shard->share_offset[k] + i - shard->share_first[k]);
            if (compare_tickets(&own, last) <= 0) {
                if (chosen != NULL) {
                    memcpy(chosen + count * d, shard->points + i * d, (size_t)d * sizeof *chosen);
                }
                count++;
            }
        }
    }
    return count;
}

static cgm_status draw_sample(cgm_comm *comm, const cgm_shard *shard, uint64_t seed, sample *drawn)
{
    const int64_t d = shard->n_features;
    const int64_t most = CGM_MEDIAN_POINTS;
    ticket last = {UINT64_MAX, INT64_MAX, INT64_MAX};
    drawn->n_features = d;
    drawn->n_points = shard->n_points < most ? shard->n_points : most;
    cgm_status status = CGM_OK;
    if (shard->n_points > most) {
        status = find_last_ticket(comm, shard, seed, most, &last);
    }
    if (status != CGM_OK) {
        return status;
    }
    int64_t *offset = cgm_alloc(comm, comm->size + 1, sizeof(int64_t));
    drawn->points = cgm_alloc(comm, drawn->n_points * d, sizeof(double));
    bool refused = offset == NULL || drawn->points == NULL;
    status = cgm_agree(comm, refused ? CGM_ERR_MEMORY : CGM_OK);
    if (status == CGM_OK) {
        offset[comm->rank + 1] = choose_own(shard, seed, &last, NULL);
        cgm_comm_sum(comm, offset, comm->size + 1);
        for (int r = 0; r < comm->size; r++) {
            offset[r + 1] += offset[r];
        }
        choose_own(shard, seed, &last, drawn->points + offset[comm->rank] * d);
        cgm_comm_all_gather(comm, drawn->points, offset, (size_t)d * sizeof(double));
    }
    free(offset);
    return status;
}

static uint64_t distance_bits(const sample *drawn, int64_t i, int64_t j)
{
    const double *x = drawn->points + i * drawn->n_features;
    const double *y = drawn->points + j * drawn->n_features;
    double squared = 0.0;
    for (int64_t f = 0; f < drawn->n_features; f++) {
        squared += (x[f] - y[f]) * (x[f] - y[f]);
    }
    uint64_t bits;
    memcpy(&bits, &squared, sizeof bits);
    return bits;
}

/* The distance of the given rank among all pairs i < j, digit by digit of its bits: no list of the
 * pairs is kept, and ranks add up whole numbers. histogram [BUCKETS] is work space. */
static double select_distance(cgm_comm *comm, const sample *drawn, int64_t order,
                              int64_t *histogram)
{
    uint64_t prefix = 0;
    for (int digit = 1; digit <= DIGITS; digit++) {
        const int shift = 64 - digit * DIGIT_BITS;
        memset(histogram, 0, BUCKETS * sizeof *histogram);
        for (int64_t i = comm->rank; i < drawn->n_points; i += comm->size) {
            for (int64_t j = i + 1; j < drawn->n_points; j++) {
                const uint64_t leading = distance_bits(drawn, i, j) >> shift;
                if (leading >> DIGIT_BITS == prefix) {
                    histogram[leading & (BUCKETS - 1)]++;
                }
            }
        }
        cgm_comm_sum(comm, histogram, BUCKETS);
        int64_t bucket = 0;
        while (order >= histogram[bucket]) {
            order -= histogram[bucket++];
        }
        prefix = prefix << DIGIT_BITS | (uint64_t)bucket;
    }
    double squared;
    memcpy(&squared, &prefix, sizeof squared);
    return sqrt(squared);
}

cgm_status cgm_median_distance(cgm_comm *comm, const cgm_shard *shard, uint64_t seed,
                               double *median)
{
    sample drawn = {0};
    int64_t *histogram = cgm_alloc(comm, BUCKETS, sizeof(int64_t));
    cgm_status status = cgm_agree(comm, histogram == NULL ? CGM_ERR_MEMORY : CGM_OK);
    if (status == CGM_OK) {
        status = draw_sample(comm, shard, seed, &drawn);
    }
    const int64_t pairs = drawn.n_points * (drawn.n_points - 1) / 2;
    *median = 0.0;
    if (status == CGM_OK && pairs > 0) {
        *median = select_distance(comm, &drawn, pairs / 2, histogram);
        if (pairs % 2 == 0) {
            *median = 0.5 * (*median + select_distance(comm, &drawn, pairs / 2 - 1, histogram));
        }
    }
    free(drawn.points);
    free(histogram);
    return status;
}
