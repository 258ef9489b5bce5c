/**
 * @file features_file.h
 * /features of a result, of a party's file and of a file that `cgm generate` writes: what was done
 * to the points (features.h, projection.h). Internal.
 */
#ifndef CGM_FEATURES_FILE_H
#define CGM_FEATURES_FILE_H

#include "cgm/features.h"
#include "cgm/h5.h"
#include "writer.h"

/** Collective. Nothing where points are as they were read. */
void features_file_put(cgm_writer *to, const cgm_features *features);

/** Local. More words of 8 bytes than it takes. */
int64_t features_file_words(const cgm_features *features);

/** Local. The same of a file that one rank writes by itself. */
cgm_status features_file_write(cgm_h5_file *file, const cgm_features *features);

/**
 * Read it back.  Local.
 * @param[in]  n_features  of the parties' points
 * @param[out] features    zeroed where the file has none, as when points were not touched; scaling
 *                         is none or standard, as which of them it was makes no difference to
 *                         applying it, and range is not there; the pair is cgm_features_destroy,
 *                         after errors too
 * @return CGM_OK, CGM_ERR_INPUT (damaged, or of other features), CGM_ERR_MEMORY
 */
cgm_status features_file_read(const cgm_h5_file *file, int64_t n_features, cgm_features *features);

#endif
