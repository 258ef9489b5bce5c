#include "quantiles.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Numbers ≥ 0 are in the order of their bits as integers, of which the last is infinity's. */
#define LAST_BITS UINT64_C(0x7ff0000000000000)
enum { ROUNDS = 63 };

/* The search for the two numbers that a group's quantile lies between. */
typedef struct bracket {
    uint64_t low, high; /* the number's bits are among these */
    int64_t rank;       /* numbers that are at most as large, itself included */
} bracket;

static double number_of(uint64_t bits)
{
    double number;
    memcpy(&number, &bits, sizeof number);
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
static void begin(const number_groups *groups, double share, bracket *brackets)
{
    for (int64_t k = 0; k < groups->n_groups; k++) {
        const int64_t size = groups->sizes[k];
        const int64_t below = size > 0 ? (int64_t)position(size, share) : 0;
        for (int64_t side = 0; side < 2; side++) {
            const int64_t place = below + side < size ? below + side : below;
            brackets[2 * k + side] = (bracket){0, LAST_BITS, place + 1};
        }
    }
}

/* The smallest number that enough numbers are at most as large as. counts [2 n_groups] */
static void halve(cgm_comm *comm, const number_groups *groups, bracket *brackets, int64_t *counts)
{
    const int64_t n = 2 * groups->n_groups;
    for (int64_t k = 0; k < n; k++) {
        const bracket *at = &brackets[k];
        counts[k] =
            groups->count(groups->state, k / 2, number_of(at->low + (at->high - at->low) / 2));
    }
    cgm_comm_sum(comm, counts, n);
    for (int64_t k = 0; k < n; k++) {
        bracket *at = &brackets[k];
        const uint64_t middle = at->low + (at->high - at->low) / 2;
        if (counts[k] >= at->rank) {
            at->high = middle;
        } else {
            at->low = middle + 1;
        }
    }
}

cgm_status quantiles_find(cgm_comm *comm, const number_groups *groups, double share,
                          double *quantiles)
{
    const int64_t n = groups->n_groups;
    bracket *brackets = cgm_alloc(comm, 2 * n, sizeof *brackets);
    int64_t *counts = cgm_alloc(comm, 2 * n, sizeof *counts);
    const bool complete = brackets != NULL && counts != NULL;
    cgm_status status = cgm_agree(comm, complete ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        begin(groups, share, brackets);
        for (int round = 0; round < ROUNDS; round++) {
            halve(comm, groups, brackets, counts);
        }
        for (int64_t k = 0; k < n; k++) {
            const double below = number_of(brackets[2 * k].high);
            const double above = number_of(brackets[2 * k + 1].high);
            const double h = position(groups->sizes[k], share);
            quantiles[k] = groups->sizes[k] > 0 ? below + (h - floor(h)) * (above - below) : NAN;
        }
    }
    free(brackets);
    free(counts);
    return status;
}
