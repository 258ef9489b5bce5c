/**
 * @file selection.h
 * Which parties are shown one by one where there is no room for all. Internal to the report and the
 * picture.
 */
#ifndef CGM_SELECTION_H
#define CGM_SELECTION_H

#include <stdint.h>

/**
 * All parties in their order while there are at most so many; else those of the largest φ and then
 * those of the smallest, both descending; of equal φ the first.  Local.
 * @param[in]  phi    [n_parties]; a NaN is neither large nor small
 * @param[out] party  [most], or [n_largest + n_smallest] if that is more
 * @return how many
 */
int64_t cgm_selection_choose(const double *phi, int64_t n_parties, int64_t most, int64_t n_largest,
                             int64_t n_smallest, int64_t *party);

#endif
