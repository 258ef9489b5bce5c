/**
 * @file text.h
 * Words and numbers as people type them: strict reading, shortest writing, and the nearest known
 * word for a mistyped one.
 */
#ifndef CGM_TEXT_H
#define CGM_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Room for any double as cgm_text_from_double writes it. */
enum { CGM_TEXT_NUMBER = 32 };

/**
 * The entry of a table whose name is nearest to a word by edit distance.  Local.
 * @param[in] table  [count] entries of stride bytes, each of which begins with its name, a const
 * char *
 */
const char *cgm_text_nearest(const char *word, const void *table, size_t count, size_t stride);

/** Local. The whole text as a number; false when it is none, or NaN, or too large for its type.
 * Infinity is a number only when it is spelled so. */
bool cgm_text_to_double(const char *text, double *value);
bool cgm_text_to_int64(const char *text, int64_t *value);
bool cgm_text_to_uint64(const char *text, uint64_t *value);

/** Local. The shortest text that reads back as the same double; inf for infinity. */
void cgm_text_from_double(double value, char text[CGM_TEXT_NUMBER]);

#endif
