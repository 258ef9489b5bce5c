#include "report_svg.h"

#include <stdlib.h>
#include <string.h>

#include "cgm/text.h"

enum { DEPTH_MOST = 32 };

void cgm_html_write(FILE *page, const char *text)
{
    while (*text != '\0') {
        const size_t bytes = cgm_text_printable(text);
        const char *entity = *text == '&'    ? "&amp;"
                             : *text == '<'  ? "&lt;"
                             : *text == '>'  ? "&gt;"
                             : *text == '"'  ? "&quot;"
                             : *text == '\'' ? "&#39;"
                             : bytes == 0    ? "\xef\xbf\xbd"
                                             : NULL;
        if (entity != NULL) {
            fputs(entity, page);
        } else {
            fwrite(text, 1, bytes, page);
        }
        text += bytes > 0 ? bytes : 1;
    }
}

/* ---- a figure ---- */

/* A part of the text, not ended by a null character. */
typedef struct part {
    const char *text;
    size_t length;
} part;

/* An element that was opened. */
typedef struct element {
    part name, attributes;
    bool written; /* a group is written when something stands in it */
} element;

typedef struct embedding {
    FILE *page;
    const char *name;
    const char *title, *description;
    element open[DEPTH_MOST];
    int depth;
    int dropped; /* depth of the outermost element that is left out, or 0 */
} embedding;

static bool is_one_of(const part *word, const char *const *words)
{
    for (int k = 0; words[k] != NULL; k++) {
        if (strlen(words[k]) == word->length && memcmp(words[k], word->text, word->length) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_word(const part *word, const char *expected)
{
    return is_one_of(word, (const char *const[]){expected, NULL});
}

static bool begins_with(const part *word, const char *beginning)
{
    const size_t length = strlen(beginning);
    return word->length >= length && memcmp(word->text, beginning, length) == 0;
}

/* The role of a colour that the script named, or NULL. */
static const cgm_plot_ink *find_ink(const part *value)
{
    int rgb[3];
    char text[32];
    snprintf(text, sizeof text, "%.*s", value->length < 31 ? (int)value->length : 31, value->text);
    if (sscanf(text, "rgb(%d,%d,%d)", &rgb[0], &rgb[1], &rgb[2]) != 3) {
        return NULL;
    }
    for (int k = 0; k < CGM_PLOT_COLOURS; k++) {
        const long hex = strtol(cgm_plot_inks[k].light + 1, NULL, 16);
        if (hex == ((long)rgb[0] << 16 | (long)rgb[1] << 8 | (long)rgb[2])) {
            return &cgm_plot_inks[k];
        }
    }
    return NULL;
}

static void write_part(FILE *page, const part *text)
{
    fwrite(text->text, 1, text->length, page);
}

static void write_colour(FILE *page, const part *attribute, const part *value)
{
    const cgm_plot_ink *ink = find_ink(value);
    fputc(' ', page);
    write_part(page, attribute);
    if (ink != NULL) {
        fprintf(page, "=\"var(--%s)\"", ink->name);
    } else {
        fputs(is_word(value, "none") ? "=\"none\"" : "=\"currentColor\"", page);
    }
}

/* Figures on one page must not name two things alike. */
static bool write_reference(const embedding *to, const part *attribute, const part *value)
{
    const bool is_id = is_word(attribute, "id");
    const part target = {value->text + !is_id, value->length - (is_id ? 0 : 1)};
    if (!is_id && (value->length == 0 || value->text[0] != '#')) {
        return false;
    }
    if (begins_with(&target, "gpPt") || begins_with(&target, "gpDot")) {
        fprintf(to->page, is_id ? " id=\"%s-" : " href=\"#%s-", to->name);
        write_part(to->page, &target);
        fputc('"', to->page);
    }
    return true;
}

static bool write_attribute(const embedding *to, const part *attribute, const part *value)
{
    static const char *const colours[] = {"fill", "stroke", "color", NULL};
    static const char *const references[] = {"id", "xlink:href", NULL};
    static const char *const kept[] = {
        "d",         "points",      "transform",       "x",
        "y",         "width",       "height",          "cx",
        "cy",        "r",           "stroke-width",    "stroke-dasharray",
        "font-size", "text-anchor", "shape-rendering", NULL};
    if (is_one_of(attribute, colours)) {
        write_colour(to->page, attribute, value);
        return true;
    }
    if (is_one_of(attribute, references)) {
        return write_reference(to, attribute, value);
    }
    if (is_one_of(attribute, kept)) {
        if (memchr(value->text, '"', value->length) != NULL ||
            memchr(value->text, '<', value->length) != NULL ||
            memchr(value->text, '&', value->length) != NULL) {
            return false;
        }
        fputc(' ', to->page);
        write_part(to->page, attribute);
        fputs("=\"", to->page);
        write_part(to->page, value);
        fputc('"', to->page);
    }
    return true;
}

static const char *skip_blanks(const char *text, const char *end)
{
    while (text < end && strchr(" \t\r\n", *text) != NULL) {
        text++;
    }
    return text;
}

/* The next attribute of name = 'value'; false at the end, and when there is something else, which
 * leaves text in front of the end. */
static bool next_attribute(const char **at, const char *end, part *name, part *value)
{
    const char *text = skip_blanks(*at, end);
    *at = text;
    name->text = text;
    while (text < end && strchr(" \t\r\n=", *text) == NULL) {
        text++;
    }
    name->length = (size_t)(text - name->text);
    text = skip_blanks(text, end);
    if (text == end || *text != '=') {
        return false;
    }
    text = skip_blanks(text + 1, end);
    if (text == end || (*text != '"' && *text != '\'')) {
        return false;
    }
    const char *close = memchr(text + 1, *text, (size_t)(end - text - 1));
    if (close == NULL) {
        return false;
    }
    *value = (part){text + 1, (size_t)(close - text - 1)};
    *at = close + 1;
    return true;
}

/* The outermost element, with what a figure is called. */
static bool write_root(const embedding *to, const element *root)
{
    const char *at = root->attributes.text;
    const char *end = at + root->attributes.length;
    part name;
    part value = {"0 0 1 1", 7};
    part view = value;
    while (next_attribute(&at, end, &name, &value)) {
        view = is_word(&name, "viewBox") ? value : view;
    }
    for (size_t k = 0; k < view.length; k++) {
        if (strchr("0123456789. -", view.text[k]) == NULL) {
            return false;
        }
    }
    fprintf(to->page,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" "
            "aria-labelledby=\"%s-title %s-description\" viewBox=\"",
            to->name, to->name);
    write_part(to->page, &view);
    fprintf(to->page, "\">\n<title id=\"%s-title\">", to->name);
    cgm_html_write(to->page, to->title);
    fprintf(to->page, "</title>\n<desc id=\"%s-description\">", to->name);
    cgm_html_write(to->page, to->description);
    fputs("</desc>\n", to->page);
    return true;
}

/* The beginning of an element without the bracket that ends it. */
static bool write_element(const embedding *to, const element *opened)
{
    const char *at = opened->attributes.text;
    const char *end = at + opened->attributes.length;
    part name;
    part value;
    fputc('<', to->page);
    write_part(to->page, &opened->name);
    while (next_attribute(&at, end, &name, &value)) {
        if (!write_attribute(to, &name, &value)) {
            return false;
        }
    }
    return at == end;
}

/* Elements that were opened and are not empty after all. */
static bool write_open(embedding *to)
{
    for (int k = 0; k < to->depth; k++) {
        element *opened = &to->open[k];
        if (opened->written) {
            continue;
        }
        opened->written = true;
        if (!(k == 0 ? write_root(to, opened) : write_element(to, opened))) {
            return false;
        }
        fputs(k == 0 ? "" : ">", to->page);
    }
    return true;
}

static bool take_text(embedding *to, const part *text)
{
    const char *begin = skip_blanks(text->text, text->text + text->length);
    const part rest = {begin, text->length - (size_t)(begin - text->text)};
    if (rest.length == 0 || to->dropped > 0) {
        return true;
    }
    if (to->depth == 0 || !write_open(to)) {
        return false;
    }
    /* gnuplot escapes & and <; an entity that it did not write ends the figure. */
    for (const char *at = rest.text; at < rest.text + rest.length; at++) {
        const part left = {at, (size_t)(rest.text + rest.length - at)};
        if (*at == '&' && !begins_with(&left, "&amp;") && !begins_with(&left, "&lt;") &&
            !begins_with(&left, "&gt;") && !begins_with(&left, "&quot;") &&
            !begins_with(&left, "&#39;")) {
            return false;
        }
        if (*at == '>') {
            fputs("&gt;", to->page);
        } else {
            fputc(*at, to->page);
        }
    }
    return true;
}

static bool take_end(embedding *to, const part *name)
{
    if (to->depth == 0 || to->open[to->depth - 1].name.length != name->length ||
        memcmp(to->open[to->depth - 1].name.text, name->text, name->length) != 0) {
        return false;
    }
    const bool dropped = to->dropped > 0;
    to->dropped = to->depth == to->dropped ? 0 : to->dropped;
    to->depth--;
    if (!dropped && to->open[to->depth].written) {
        fputs("</", to->page);
        write_part(to->page, name);
        fputs(">\n", to->page);
    }
    return true;
}

static bool take_element(embedding *to, const element *opened, bool is_empty)
{
    static const char *const drawn[] = {"svg",  "g",       "path",     "rect", "circle", "use",
                                        "text", "polygon", "polyline", "defs", NULL};
    static const char *const left_out[] = {"title", "desc", "filter", NULL};
    const bool is_known = is_one_of(&opened->name, drawn);
    if (to->dropped == 0 && !is_known && !is_one_of(&opened->name, left_out)) {
        return false;
    }
    if (!is_empty) {
        if (to->depth == DEPTH_MOST) {
            return false;
        }
        to->open[to->depth++] = *opened;
        to->dropped = to->dropped == 0 && !is_known ? to->depth : to->dropped;
        return to->depth == 1 ? is_word(&opened->name, "svg") : true;
    }
    if (to->dropped > 0 || !is_known) {
        return to->depth > 0;
    }
    if (to->depth == 0 || !write_open(to) || !write_element(to, opened)) {
        return false;
    }
    fputs("/>\n", to->page);
    return true;
}

/* One tag, of which text is the inside of the brackets. */
static bool take_tag(embedding *to, part text)
{
    if (text.length > 0 && (text.text[0] == '?' || text.text[0] == '!')) {
        return to->depth == 0;
    }
    if (text.length > 0 && text.text[0] == '/') {
        part name = {text.text + 1, 0};
        while (name.length < text.length - 1 && strchr(" \t\r\n", name.text[name.length]) == NULL) {
            name.length++;
        }
        return take_end(to, &name);
    }
    const bool is_empty = text.length > 0 && text.text[text.length - 1] == '/';
    text.length -= is_empty;
    element opened = {.name = {text.text, 0}};
    while (opened.name.length < text.length &&
           strchr(" \t\r\n", text.text[opened.name.length]) == NULL) {
        opened.name.length++;
    }
    opened.attributes = (part){text.text + opened.name.length, text.length - opened.name.length};
    return take_element(to, &opened, is_empty);
}

static bool take_all(embedding *to, const char *svg)
{
    bool ended = false;
    while (*svg != '\0') {
        const part text = {svg, strcspn(svg, "<")};
        if (!take_text(to, &text)) {
            return false;
        }
        svg += text.length;
        if (*svg == '\0') {
            break;
        }
        const char *close = strchr(svg, '>');
        if (close == NULL || ended || !take_tag(to, (part){svg + 1, (size_t)(close - svg - 1)})) {
            return false;
        }
        ended = to->depth == 0 && begins_with(&(part){svg, 6}, "</svg>");
        svg = close + 1;
    }
    return ended;
}

bool cgm_svg_write(FILE *page, const char *svg, const char *name, const char *title,
                   const char *description)
{
    char *text = NULL;
    size_t bytes = 0;
    embedding to = {.page = open_memstream(&text, &bytes),
                    .name = name,
                    .title = title,
                    .description = description};
    if (to.page == NULL) {
        return false;
    }
    bool sound = take_all(&to, svg);
    sound = fclose(to.page) == 0 && sound && bytes > 0;
    if (sound) {
        fwrite(text, 1, bytes, page);
    }
    free(text);
    return sound;
}

/* ---- legends ---- */

void cgm_svg_write_swatch(FILE *page, const cgm_plot_style *style, bool line, bool marker)
{
    static const char *const shapes[CGM_PLOT_MARKERS] = {
        "M15,2 a4,4 0 1 0 0.01,0 z",  "M11.5,2.5 h7 v7 h-7 z",
        "M15,1.2 L19.2,8.8 H10.8 z",  "M15,1 L19.6,6 L15,11 L10.4,6 z",
        "M15,10.8 L19.2,3.2 H10.8 z", "M15,1.5 L19.3,4.6 L17.6,9.6 H12.4 L10.7,4.6 z",
    };
    const char *colour = cgm_plot_inks[style->colour].name;
    fputs("<svg class=\"swatch\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 30 12\" "
          "aria-hidden=\"true\">",
          page);
    if (line) {
        fprintf(page,
                "<path d=\"M1,6 H29\" fill=\"none\" stroke=\"var(--%s)\" stroke-width=\"2\" "
                "stroke-dasharray=\"%s\"/>",
                colour, style->dash > 0 ? cgm_plot_dashes[style->dash] : "none");
    }
    if (marker) {
        fprintf(page, "<path d=\"%s\" fill=\"%s%s%s\" stroke=\"var(--%s)\"/>",
                shapes[style->marker], style->hollow ? "none" : "var(--",
                style->hollow ? "" : colour, style->hollow ? "" : ")", colour);
    }
    fputs("</svg>", page);
}
