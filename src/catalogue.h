/**
 * @file catalogue.h
 * All parties of a run before their points are read: names, files, sizes. Internal to the shard.
 */
#ifndef CGM_CATALOGUE_H
#define CGM_CATALOGUE_H

#include "cgm/points.h"

/** How the parties are stored. */
typedef enum cgm_storage { CGM_STORED_GROUPS, CGM_STORED_PACKED, CGM_STORED_FILES } cgm_storage;

/** Where a party's rows lie and how many there are: plain integers, because ranks send it. */
typedef struct cgm_place {
    int64_t first_row;
    int64_t n_points;
    int64_t n_features;
    int64_t has_labels;
} cgm_place;

/** All parties in natural order of their names. */
typedef struct cgm_catalogue {
    cgm_storage storage;
    int64_t count;
    char **names;      /**< [count] */
    char **files;      /**< [count], each party's own if stored as files, else empty texts */
    cgm_place *places; /**< [count]; of parties stored as files, filled by their home ranks */
} cgm_catalogue;

/**
 * Find all parties on rank 0 and tell every rank.  Collective.
 * @param[in]  path  as for cgm_shard_read
 * @param[out] all   the same on every rank; the pair is cgm_catalogue_destroy, after errors too
 * @return the same code on every rank: CGM_OK, CGM_ERR_INPUT, CGM_ERR_MEMORY
 */
cgm_status cgm_catalogue_create(cgm_comm *comm, const char *path, cgm_catalogue *all);

/** Local. Accepts a zeroed struct. */
void cgm_catalogue_destroy(cgm_catalogue *all);

/** Local. Check the points in a group of an open file ("" for the root), and say how many. */
cgm_status cgm_catalogue_describe(const cgm_h5_file *file, const char *group, cgm_place *where);

/** Longest name of a party, in bytes: a file can be named after it. */
enum { CGM_PARTY_NAME_MAX = 200 };

/** Local. Whether a party may have this name: text in UTF-8 without control characters that can be
 * part of a path, because results print it and name files and groups after it. */
bool cgm_catalogue_is_name(const char *name);

/** What a name must be, for messages. */
#define CGM_PARTY_NAME_RULE                                                                        \
    "a party's name is 1 to 200 bytes of UTF-8 without '/' and control characters, and not . or "  \
    ".."

/** Local. The group that holds a party's points; allocated, NULL when there is no memory. */
char *cgm_catalogue_group(cgm_comm *comm, cgm_storage storage, const char *name);

#endif
