/**
 * @file columns.h
 * Foreign text on a terminal, in columns. Internal. All functions are Local; what is not to be
 * printed becomes '?' (text.h).
 */
#ifndef CGM_COLUMNS_H
#define CGM_COLUMNS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/** Widest line, and where what follows a label begins. */
enum { CGM_COLUMNS = 100, CGM_COLUMNS_LABEL = 14 };

/** Columns that a text takes. */
int64_t cgm_columns_count(const char *text);

/** At most so many columns of a text, with … for what is left out. @return the columns printed */
int64_t cgm_columns_print(FILE *stream, const char *text, int64_t columns);

/** As cgm_columns_print, and blanks up to the last column, behind the text or before it. */
void cgm_columns_print_left(FILE *stream, const char *text, int64_t columns);
void cgm_columns_print_right(FILE *stream, const char *text, int64_t columns);

/** A text from a column on, over as many lines as it needs: broken at blanks, inside a word only if
 * no line holds it. */
void cgm_columns_print_wrapped(FILE *stream, int64_t indent, const char *text);

/** A line of a label and as much of the text as it holds. */
void cgm_columns_print_line(FILE *stream, const char *label, const char *text);

#endif
