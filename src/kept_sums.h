/**
 * @file kept_sums.h
 * Kernel sums in a file, as a result and a checkpoint hold them: written by all ranks, and read
 * back as what later sums begin with. Internal.
 */
#ifndef CGM_KEPT_SUMS_H
#define CGM_KEPT_SUMS_H

#include "cgm/kernel_sums.h"
#include "writer.h"

/** Collective. /sums of complete kernel sums. first_candidate [size + 1] of the slices. */
void kept_sums_put(cgm_writer *to, const cgm_kernel_sums *sums, const int64_t *first_candidate);

/** Collective. Candidate layers as a dataset [g][2 n_layers], high and low. */
void kept_sums_put_layers(cgm_writer *to, const char *path, const cgm_candidate_layers *layers);

/** Local. The other way round; layers are allocated and those of the file. */
cgm_status kept_sums_read_layers(const cgm_h5_file *file, const char *path,
                                 const cgm_candidate_layers *layers);

/** Whose sums a file holds. */
typedef struct kept_parties {
    int64_t n_kept;      /**< parties in the file */
    const int64_t *kept; /**< [n_parties] place of each party in the file, or -1: not there, or its
                            data differ */
} kept_parties;

/**
 * What /sums of a file says of parties and pool that did not change becomes what is done.
 * Collective.  The pool is that of the file. Sums that cannot be told from those of parties that
 * are gone or changed are left to be evaluated again.
 * @return the same code on every rank: CGM_OK, CGM_ERR_INPUT, CGM_ERR_MEMORY
 */
cgm_status kept_sums_fill(cgm_comm *comm, const char *path, const kept_parties *parties,
                          cgm_partial_sums *partial);

#endif
