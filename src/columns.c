#include "columns.h"

#include <string.h>

#include "cgm/text.h"

/* What follows the character, or the byte that is none, at text. */
static const char *next_character(const char *text)
{
    const size_t bytes = cgm_text_printable(text);
    return text + (bytes > 0 ? bytes : 1);
}

/* Columns of a text up to its end or, as a word, its next blank. */
static int64_t count(const char *text, bool word)
{
    int64_t columns = 0;
    while (*text != '\0' && !(word && *text == ' ')) {
        text = next_character(text);
        columns++;
    }
    return columns;
}

int64_t cgm_columns_count(const char *text)
{
    return count(text, false);
}

int64_t cgm_columns_print(FILE *stream, const char *text, int64_t columns)
{
    const bool cut = count(text, false) > columns;
    int64_t printed = 0;
    for (; *text != '\0' && printed < columns - cut; printed++) {
        text = cgm_text_print(stream, text);
    }
    if (cut) {
        fputs("…", stream);
        printed++;
    }
    return printed;
}

void cgm_columns_print_left(FILE *stream, const char *text, int64_t columns)
{
    const int64_t printed = cgm_columns_print(stream, text, columns);
    fprintf(stream, "%*s", (int)(columns - printed), "");
}

void cgm_columns_print_right(FILE *stream, const char *text, int64_t columns)
{
    const int64_t wanted = count(text, false);
    fprintf(stream, "%*s", (int)(wanted < columns ? columns - wanted : 0), "");
    cgm_columns_print(stream, text, columns);
}

void cgm_columns_print_wrapped(FILE *stream, int64_t indent, const char *text)
{
    const int64_t room = CGM_COLUMNS - indent;
    int64_t column = 0;
    while (*text != '\0') {
        text += strspn(text, " ");
        const int64_t word = count(text, true);
        if (column > 0 && column + 1 + word > room) {
            fprintf(stream, "\n%*s", (int)indent, "");
            column = 0;
        } else if (column > 0 && word > 0) {
            fputc(' ', stream);
            column++;
        }
        for (int64_t k = 0; k < word; k++, column++) {
            if (column == room) {
                fprintf(stream, "\n%*s", (int)indent, "");
                column = 0;
            }
            text = cgm_text_print(stream, text);
        }
    }
    fputc('\n', stream);
}

void cgm_columns_print_line(FILE *stream, const char *label, const char *text)
{
    fprintf(stream, "%-*s", CGM_COLUMNS_LABEL, label);
    cgm_columns_print(stream, text, CGM_COLUMNS - CGM_COLUMNS_LABEL);
    fputc('\n', stream);
}
