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
    int64_t *first_party; /**< [size + 1] rank r keeps what is known of parties first_party[r] ..
                             first_party[r + 1] - 1, each party on one rank */
    int64_t *first_point; /**< [size + 1] rank r is home to these of all parties' points, counted
                             from the first point of the first party */
    bool whole; /**< every party is at home on its keeper alone: so while there are at least as many
                   parties as ranks, or where shards are sealed */
    bool sealed; /**< no point, nor any of its coordinates, may leave the rank that read it */

    int64_t n_shares;      /**< parties at home here, in whole or in part */
    int64_t *share_party;  /**< [n_shares] ascending */
    int64_t *share_offset; /**< [n_shares] first point of the share, counted in its party's points;
                              a multiple of CGM_BLOCK_POINTS */
    int64_t *share_first;  /**< [n_shares + 1] first row of each share in points */
    int64_t n_local_points;
    double *points;  /**< [n_local_points][n_features] row-major, finite, |value| <= 1e150 */
    int64_t *labels; /**< [n_local_points], or NULL without labels */
} cgm_shard;

/**
 * Place parties on ranks: sets first_party, first_point, whole and the shares from n_parties and
 * party_points.  Local, the same on every rank.
 *
 * With at least as many parties as ranks each rank gets whole parties, at least one, so that points
 * are even; with more ranks each party gets a group of ranks in proportion to its points, each a
 * run of whole segments of it.
 * @param[in] by_count  place whole parties by their number, as long as sizes are not known
 * @return CGM_OK, CGM_ERR_MEMORY
 */
cgm_status cgm_shard_place(cgm_comm *comm, bool by_count, cgm_shard *shard);

/**
 * Read the parties.  Collective.
 * @param[in]  path   an HDF5 file with groups /parties/<name> or with the packed layout; or a
 * directory, or a glob, of files, one a party (then a rank opens only the files of its own parties)
 * @param[out] shard  owned by the caller; the pair is cgm_shard_destroy
 * @return the same code on every rank: CGM_OK, CGM_ERR_INPUT, CGM_ERR_MEMORY
 */
cgm_status cgm_shard_read(cgm_comm *comm, const char *path, cgm_shard *shard);

/**
 * As cgm_shard_read, but what is read stays: each party is whole on its keeper, ranks beyond the
 * parties have none, and the parties must be in files of their own, so that no rank reads what is
 * not its own.  Collective.
 * @return as cgm_shard_read; CGM_ERR_INPUT also where all parties are in one file
 */
cgm_status cgm_shard_read_sealed(cgm_comm *comm, const char *path, cgm_shard *shard);

/**
 * Natural order of names: runs of digits compare as numbers, party2 before party10.  Local.
 * A total order: 0 only for equal names.
 * @return negative, 0 or positive, as strcmp
 */
int cgm_shard_compare_names(const char *a, const char *b);

/** Local. Accepts a zeroed struct. */
void cgm_shard_destroy(cgm_shard *shard);

#endif
