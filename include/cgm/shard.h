/**
 * @file shard.h
 * The parties' data: who there is, how many points each has, and the points of the parties at home
 * on this rank.
 */
#ifndef CGM_SHARD_H
#define CGM_SHARD_H

#include <stdbool.h>
#include <stdint.h>

#include "cgm/comm.h"

/** The first part is the same on every rank; the second is this rank's own. */
typedef struct cgm_shard {
    int64_t n_parties;  /**< N */
    int64_t n_features; /**< d */
    int64_t n_points;   /**< Σ m_i */
    bool has_labels;
    char **names;          /**< [n_parties] in natural order: party2 before party10 */
    int64_t *party_points; /**< [n_parties] m_i */
    uint64_t *checksums; /**< [n_parties] of data and labels, independent of where they were read */
    int64_t *first_party; /**< [size + 1] rank r is home to parties first_party[r] .. first_party[r
                             + 1] - 1 */

    int64_t n_local_parties;
    int64_t n_local_points;
    int64_t *local_first; /**< [n_local_parties + 1] first row of each local party in points */
    double *points;       /**< [n_local_points][n_features] row-major, finite, |value| <= 1e150 */
    int64_t *labels;      /**< [n_local_points], or NULL without labels */
} cgm_shard;

/**
 * Read the parties.  Collective.
 * @param[in]  path   an HDF5 file with groups /parties/<name> or with the packed layout; or a
 * directory, or a glob, of files, one a party (then a rank opens only the files of its own parties)
 * @param[out] shard  owned by the caller; the pair is cgm_shard_destroy
 * @return the same code on every rank: CGM_OK, CGM_ERR_INPUT, CGM_ERR_MEMORY
 */
cgm_status cgm_shard_read(cgm_comm *comm, const char *path, cgm_shard *shard);

/**
 * Natural order of names: runs of digits compare as numbers, party2 before party10.  Local.
 * A total order: 0 only for equal names.
 * @return negative, 0 or positive, as strcmp
 */
int cgm_shard_compare_names(const char *a, const char *b);

/** Local. Accepts a zeroed struct. */
void cgm_shard_destroy(cgm_shard *shard);

#endif
