/**
 * @file labels.h
 * The classes that a generative model tells apart: the different labels of the parties' points.
 */
#ifndef CGM_LABELS_H
#define CGM_LABELS_H

#include "cgm/shard.h"

/** Most classes. */
enum { CGM_LABELS_MAX = 1000 };

/**
 * The labels that occur on any rank, in ascending order; without labels one, 0.  Collective.
 * @param[out] labels  [*n_labels] allocated, the caller frees it; NULL after an error
 * @return the same code on every rank: CGM_OK, CGM_ERR_INPUT (more than CGM_LABELS_MAX),
 *         CGM_ERR_MEMORY
 */
cgm_status cgm_labels_find(cgm_comm *comm, const cgm_shard *shard, int64_t **labels,
                           int64_t *n_labels);

#endif
