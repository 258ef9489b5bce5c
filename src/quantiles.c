#include "quantiles.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Numbers ≥ 0 are in the order of their bits as integers, of which the last is infinity's. */
#define LAST_BITS UINT64_C(0x7ff0000000000000)
enum { BITS = 63 };
/* Counts that are added up at a time at the most, if there is a choice; bits that a round finds. */
enum { COUNTS = 1 << 16, MOST_BITS_A_ROUND = 8 };

/* The search for the two numbers that a group's quantile lies between. */
typedef struct target {
    uint64_t low; /* its leading bits, as far as they are known */
    int64_t rank; /* numbers that are at most as large, itself included */
} target;

static double number_of(uint64_t bits)
{
    double number;
    const uint64_t valid = bits < LAST_BITS ? bits : LAST_BITS;
    memcpy(&number, &valid, sizeof number);
    return number;
}

int64_t quantiles_count(const double *ascending, int64_t n, double x)
{
    int64_t low = 0;
    int64_t high = n;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (ascending[middle] <= x) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static int compare_numbers(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

void quantiles_sort(double *numbers, int64_t n)
{
    qsort(numbers, (size_t)n, sizeof *numbers, compare_numbers);
}

static double position(int64_t size, double share)
{
    return share * (double)(size - 1);
}

/* [n_groups][2] */
static void begin(const number_groups *groups, double share, target *targets)
{
    for (int64_t k = 0; k < groups->n_groups; k++) {
        const int64_t size = groups->sizes[k];
        const int64_t below = size > 0 ? (int64_t)position(size, share) : 0;
        targets[2 * k].rank = below + 1;
        targets[2 * k + 1].rank = below + 1 < size ? below + 2 : below + 1;
    }
}

/* The next bits of every target, of which `left` are not known: those of the smallest number that
 * enough numbers are at most as large as. counts [2 n_groups][2^bits - 1] */
static void find_bits(cgm_comm *comm, const number_groups *groups, int left, int bits,
                      target *targets, int64_t *counts)
{
    const int64_t n = 2 * groups->n_groups;
    const int64_t limits = ((int64_t)1 << bits) - 1;
    const uint64_t step = UINT64_C(1) << (left - bits);
    for (int64_t k = 0; k < n; k++) {
        for (int64_t j = 0; j < limits; j++) {
            counts[k * limits + j] = groups->count(
                groups->state, k / 2, number_of(targets[k].low + (uint64_t)(j + 1) * step - 1));
        }
    }
    cgm_comm_sum(comm, counts, n * limits);
    for (int64_t k = 0; k < n; k++) {
        int64_t j = 0;
        while (j < limits && counts[k * limits + j] < targets[k].rank) {
            j++;
        }
        targets[k].low += (uint64_t)j * step;
    }
}

static int bits_a_round(int64_t n_groups)
{
    int bits = 1;
    while (bits < MOST_BITS_A_ROUND && 2 * n_groups << (bits + 1) <= COUNTS) {
        bits++;
    }
    return bits;
}

double quantiles_bytes(int64_t n_groups)
{
    const int bits = bits_a_round(n_groups);
    const double rounds = ceil((double)BITS / bits);
    return rounds * 2.0 * (double)n_groups * (ldexp(1.0, bits) - 1.0) * sizeof(int64_t);
}

cgm_status quantiles_find(cgm_comm *comm, const number_groups *groups, double share,
                          double *quantiles)
{
    const int64_t n = groups->n_groups;
    const int most = bits_a_round(n);
    target *targets = cgm_alloc(comm, 2 * n, sizeof *targets);
    int64_t *counts = cgm_alloc(comm, 2 * n << most, sizeof *counts);
    const bool complete = targets != NULL && counts != NULL;
    cgm_status status = cgm_agree(comm, complete ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        begin(groups, share, targets);
        for (int left = BITS; left > 0; left -= most) {
            find_bits(comm, groups, left, left < most ? left : most, targets, counts);
        }
        for (int64_t k = 0; k < n; k++) {
            const double below = number_of(targets[2 * k].low);
            const double above = number_of(targets[2 * k + 1].low);
            const double h = position(groups->sizes[k], share);
            quantiles[k] = groups->sizes[k] > 0 ? below + (h - floor(h)) * (above - below) : NAN;
        }
    }
    free(targets);
    free(counts);
    return status;
}
