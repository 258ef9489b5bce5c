/**
 * @file incentives_alike.h
 * Parties that no coalition tells apart, which symmetry is about (MATH.md §5, "Certificate").
 * Internal to the certificate.
 */
#ifndef CGM_INCENTIVES_ALIKE_H
#define CGM_INCENTIVES_ALIKE_H

#include "cgm/kernel_sums.h"

/**
 * Find parties with equal size, t, S_ii and S_ik for all third parties k, within CGM_ALIKE.
 * Collective: rows of S are compared where they are, with one that is broadcast.
 * @param[out] alike  [n_parties] the first party that party i is like, i itself if none; the same
 * on every rank
 * @return the same code on every rank: CGM_OK, CGM_ERR_MEMORY.  Cost O(N²) comparisons of three
 * numbers; a broadcast and O(N²/ranks) for a party that others might be like.
 */
cgm_status cgm_alike_find(cgm_comm *comm, const cgm_kernel_sums *sums, int64_t *alike);

#endif
