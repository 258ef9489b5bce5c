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
#include <stdio.h>

/** Room for any double as cgm_text_from_double writes it. */
enum { CGM_TEXT_NUMBER = 32 };

/**
 * The entry of a table whose name is nearest to a word by edit distance.  Local.
 * @param[in] table  [count] entries of stride bytes, each of which begins with its name, a const
 * char *
 */
const char *cgm_text_nearest(const char *word, const void *table, size_t count, size_t stride);

/** Local. Bytes of the UTF-8 character that text begins with; 0 at a control character, of two
 * bytes too, and at what is no UTF-8: those could move a terminal's cursor. */
size_t cgm_text_printable(const char *text);

/** Local. Print the character that text begins with, or '?' for a byte that is none to print; text
 * is not empty. @return what follows it */
const char *cgm_text_print(FILE *stream, const char *text);

/** Local. The whole text as a number; false when it is none, or NaN, or too large for its type.
 * Infinity is a number only when it is spelled so. */
bool cgm_text_to_double(const char *text, double *value);
bool cgm_text_to_int64(const char *text, int64_t *value);
bool cgm_text_to_uint64(const char *text, uint64_t *value);

/** Local. The shortest text that reads back as the same double; inf for infinity. */
void cgm_text_from_double(double value, char text[CGM_TEXT_NUMBER]);

#endif
