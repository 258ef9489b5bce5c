#include "cgm/text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Letters of a word that count: no name in the program comes near this. */
enum { WORD_MAX = 63 };

/* Levenshtein distance, one row of the table at a time. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1];
    size_t length = strnlen(b, WORD_MAX);
    for (size_t j = 0; j <= length; j++) {
        row[j] = j;
    }
    for (size_t i = 0; i < WORD_MAX && a[i] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < length; j++) {
            size_t best = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            if (row[j] + 1 < best) {
                best = row[j] + 1;
            }
            if (diagonal + 1 < best) {
                best = diagonal + 1;
            }
            row[j + 1] = best;
        }
    }
    return row[length];
}

const char *cgm_text_nearest(const char *word, const void *table, size_t count, size_t stride)
{
    const char *nearest = NULL;
    size_t smallest = SIZE_MAX;
    for (size_t k = 0; k < count; k++) {
        const char *name;
        memcpy(&name, (const char *)table + k * stride, sizeof name);
        size_t distance = edit_distance(word, name);
        if (distance < smallest) {
            smallest = distance;
            nearest = name;
        }
    }
    return nearest;
}

/* Of well-formed bytes: none that fewer would spell, no half of a UTF-16 pair, nothing beyond the
 * last character, and neither of U+FFFE and U+FFFF, which no XML may hold. */
static bool is_character(const unsigned char *c, size_t length)
{
    if (length == 3) {
        const bool too_long = c[0] == 0xe0 && c[1] < 0xa0;
        const bool half = c[0] == 0xed && c[1] >= 0xa0;
        const bool none = c[0] == 0xef && c[1] == 0xbf && c[2] >= 0xbe;
        return !too_long && !half && !none;
    }
    return length != 4 || ((c[0] != 0xf0 || c[1] >= 0x90) && (c[0] != 0xf4 || c[1] < 0x90));
}

size_t cgm_text_printable(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    if (c[0] < 0x80) {
        return c[0] >= 0x20 && c[0] != 0x7f;
    }
    const size_t length = c[0] >= 0xf0 ? 4 : c[0] >= 0xe0 ? 3 : 2;
    /* Two bytes suffice for 0xc0 and 0xc1; 0xc2 begins the control characters 0x80 .. 0x9f. */
    if (c[0] < 0xc2 || c[0] > 0xf4 || (c[0] == 0xc2 && c[1] < 0xa0)) {
        return 0;
    }
    for (size_t k = 1; k < length; k++) {
        if ((c[k] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return is_character(c, length) ? length : 0;
}

const char *cgm_text_print(FILE *stream, const char *text)
{
    const size_t bytes = cgm_text_printable(text);
    if (bytes == 0) {
        fputc('?', stream);
        return text + 1;
    }
    fwrite(text, 1, bytes, stream);
    return text + bytes;
}

/* strtod and its kin skip blanks and take what they can: here nothing may stand before or after. */
static bool begins_number(const char *text)
{
    return text[0] != '\0' && !isspace((unsigned char)text[0]);
}

bool cgm_text_to_double(const char *text, double *value)
{
    char *end;
    errno = 0;
    double number = strtod(text, &end);
    bool overflow = errno == ERANGE && isinf(number);
    if (!begins_number(text) || *end != '\0' || overflow || isnan(number)) {
        return false;
    }
    *value = number;
    return true;
}

bool cgm_text_to_int64(const char *text, int64_t *value)
{
    char *end;
    errno = 0;
    intmax_t number = strtoimax(text, &end, 10);
    if (!begins_number(text) || *end != '\0' || errno == ERANGE) {
        return false;
    }
    *value = (int64_t)number;
    return true;
}

bool cgm_text_to_uint64(const char *text, uint64_t *value)
{
    char *end;
    errno = 0;
    uintmax_t number = strtoumax(text, &end, 10);
    /* strtoumax takes a minus sign and wraps. */
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno == ERANGE) {
        return false;
    }
    *value = (uint64_t)number;
    return true;
}

void cgm_text_from_double(double value, char text[CGM_TEXT_NUMBER])
{
    /* %g leaves out zeros at the end, and below six digits it would write 10 as 1e+01. */
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, CGM_TEXT_NUMBER, "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            return;
        }
    }
}
