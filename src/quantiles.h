/**
 * @file quantiles.h
 * Quantiles of many groups of numbers that are spread over the ranks. Internal to the metrics.
 *
 * The quantile q of n numbers is defined as by linear interpolation: with the numbers in ascending
 * order x_0 .. x_{n-1} and h = q (n − 1), it is x_⌊h⌋ + (h − ⌊h⌋)(x_⌊h⌋+1 − x_⌊h⌋).
 */
#ifndef CGM_QUANTILES_H
#define CGM_QUANTILES_H

#include "cgm/comm.h"

/** Groups of numbers, as far as they are on this rank. */
typedef struct number_groups {
    int64_t n_groups;
    const int64_t *sizes; /**< [n_groups] numbers of each on all ranks together */
    const void *state;
    /** Local. How many of a group's numbers on this rank are at most x. */
    int64_t (*count)(const void *state, int64_t group, double x);
} number_groups;

/**
 * Collective.  Finds numbers bit by bit: 8 rounds of counting for few groups, 63 for many, of which
 * each sends 16 bytes a group then.
 * @param[in]  groups     numbers ≥ 0, not NaN
 * @param[in]  share      q, 0 .. 1
 * @param[out] quantiles  [n_groups] the same on every rank; NaN of an empty group
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY
 */
cgm_status quantiles_find(cgm_comm *comm, const number_groups *groups, double share,
                          double *quantiles);

/** Local. Bytes that a rank sends for so many groups. */
double quantiles_bytes(int64_t n_groups);

/** Local. How many of ascending numbers are at most x. */
int64_t quantiles_count(const double *ascending, int64_t n, double x);

/** Local. Sorts numbers into ascending order. */
void quantiles_sort(double *numbers, int64_t n);

#endif
