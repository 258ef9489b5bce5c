#include "report_plots.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgm/text.h"

extern char **environ;

/* Pixels between numbers on an axis, and of the text in a figure. */
enum { TIC_COLUMNS = 62, TIC_ROWS = 38, FONT_PIXELS = 12 };
/* A larger figure is none of ours. */
enum { SVG_BYTES_MOST = 1 << 28 };

/* Okabe and Ito's hues, or near them, as dark or as light as their ground asks for. */
const cgm_plot_ink cgm_plot_inks[CGM_PLOT_COLOURS] = {
    {"s1", "#0072b2", "#4ea5e0"},
    {"s2", "#d55e00", "#ff8f4d"},
    {"s3", "#008f6b", "#2fc79a"},
    {"s4", "#b04a8a", "#e48cc0"},
    {"s5", "#b07a00", "#e8b93a"},
    {"s6", "#00535e", "#7fd3dd"},
    {"s7", "#6b5b4f", "#b9a796"},
    [CGM_PLOT_INK] = {"ink", "#1b1f24", "#e6e8eb"},
    [CGM_PLOT_MUTED] = {"muted", "#565e68", "#a3abb5"},
    [CGM_PLOT_GRID] = {"grid", "#dfe3e8", "#343a42"},
    [CGM_PLOT_SHADE] = {"d1", "#e6eff8", "#172838"},
    {"d2", "#c9dff1", "#1b3850"},
    {"d3", "#9cc6e6", "#214b6d"},
    {"d4", "#69a8d7", "#2a6391"},
    {"d5", "#3584c1", "#3b80b8"},
};

const char *const cgm_plot_dashes[CGM_PLOT_DASHES] = {"", "8,4", "2,3", "10,3,2,3", "15,5"};

/* Numbers of gnuplot's filled markers; the hollow ones come before them. */
static const int markers[CGM_PLOT_MARKERS] = {7, 5, 9, 13, 11, 15};

/* ---- the script ---- */

/* A string in single quotes, inside which nothing has a meaning but the quote itself, which is
 * doubled. What is no character becomes '?', so that it ends neither line nor string. */
static void write_string(FILE *stream, const char *text)
{
    fputc('\'', stream);
    while (*text != '\0') {
        fputs(*text == '\'' ? "'" : "", stream);
        text = cgm_text_print(stream, text);
    }
    fputc('\'', stream);
}

static const char *light(cgm_plot_colour colour)
{
    return cgm_plot_inks[colour].light;
}

void cgm_plot_begin(cgm_plot *plot, int width, int height)
{
    *plot = (cgm_plot){.width = width, .height = height, .script = tmpfile()};
    if (plot->script == NULL) {
        return;
    }
    fprintf(plot->script,
            "set encoding utf8\n"
            "set terminal svg size %d,%d dynamic noenhanced font 'sans-serif,%d'\n"
            "set multiplot\n"
            "unset key\n"
            "set style fill solid noborder\n"
            "set tics nomirror scale 0.4\n"
            "set border 3 lc rgb '%s' lw 0.8\n"
            "set grid lt 1 lc rgb '%s' lw 0.8 dt solid\n",
            width, height, FONT_PIXELS, light(CGM_PLOT_MUTED), light(CGM_PLOT_GRID));
}

/* A step of 1, 2, 2.5 or 5 times a power of ten that divides a range into no more parts than these.
 */
static double choose_step(double range, double parts)
{
    const double least = range / fmax(parts, 1.0);
    const double power = pow(10.0, floor(log10(least)));
    const double digit = least / power;
    return power * (digit <= 1.0   ? 1.0
                    : digit <= 2.0 ? 2.0
                    : digit <= 2.5 ? 2.5
                    : digit <= 5.0 ? 5.0
                                   : 10.0);
}

static void write_axis(FILE *script, char axis, double low, double high, double parts, bool hide,
                       const char *label)
{
    fprintf(script, "set %crange [%.17g:%.17g]\n", axis, low, high);
    if (hide) {
        fprintf(script, "unset %ctics\n", axis);
    } else {
        fprintf(script, "set %ctics %.17g textcolor rgb '%s'\n", axis,
                choose_step(high - low, parts), light(CGM_PLOT_MUTED));
    }
    fprintf(script, "set grid %s%ctics\n", hide ? "no" : "", axis);
    if (label == NULL) {
        fprintf(script, "unset %clabel\n", axis);
        return;
    }
    fprintf(script, "set %clabel ", axis);
    write_string(script, label);
    fprintf(script, " offset %s textcolor rgb '%s'\n", axis == 'x' ? "0,0.4" : "0.8,0",
            light(CGM_PLOT_INK));
}

/* The plot command waits until all data of the panel have been written. */
static void end_panel(cgm_plot *plot)
{
    if (!plot->in_panel) {
        return;
    }
    plot->in_panel = false;
    if (plot->stream == NULL || fclose(plot->stream) != 0) {
        free(plot->commands);
        plot->commands = NULL;
        fclose(plot->script);
        plot->script = NULL;
        return;
    }
    /* Axes are drawn also around nothing. */
    fprintf(plot->script, "plot %s%s\n", plot->n_series > 0 ? "" : "NaN", plot->commands);
    free(plot->commands);
    plot->commands = NULL;
}

/* A range that gnuplot can divide. */
static void widen(double *low, double *high)
{
    const double size = fmax(fabs(*low), fabs(*high));
    if (!(*high - *low > 1e-10 * size) || *high <= *low) {
        const double half = size > 0.0 ? 0.05 * size : 0.5;
        *low -= half;
        *high += half;
    }
}

void cgm_plot_begin_panel(cgm_plot *plot, const cgm_plot_panel *given)
{
    end_panel(plot);
    if (plot->script == NULL) {
        return;
    }
    cgm_plot_panel panel = *given;
    widen(&panel.x_low, &panel.x_high);
    widen(&panel.y_low, &panel.y_high);
    fputs(panel.logarithmic ? "set logscale y\n" : "unset logscale y\n", plot->script);
    fprintf(plot->script,
            "set lmargin screen %.6f\nset rmargin screen %.6f\n"
            "set bmargin screen %.6f\nset tmargin screen %.6f\nunset label\nunset title\n",
            panel.left / plot->width, panel.right / plot->width, panel.bottom / plot->height,
            panel.top / plot->height);
    write_axis(plot->script, 'x', panel.x_low, panel.x_high,
               (panel.right - panel.left) / TIC_COLUMNS, panel.hide_x_tics, panel.x_label);
    write_axis(plot->script, 'y', panel.y_low, panel.y_high, (panel.top - panel.bottom) / TIC_ROWS,
               panel.hide_y_tics, panel.y_label);
    fputs(panel.logarithmic ? "set ytics 10\n" : "", plot->script);
    if (panel.title != NULL) {
        fputs("set title ", plot->script);
        write_string(plot->script, panel.title);
        fprintf(plot->script, " offset 0,-0.4 textcolor rgb '%s'\n", light(CGM_PLOT_INK));
    }
    plot->n_series = 0;
    plot->in_panel = true;
    plot->stream = open_memstream(&plot->commands, &plot->commands_bytes);
}

void cgm_plot_label(cgm_plot *plot, double x, double y, cgm_plot_align align,
                    cgm_plot_colour colour, const char *text)
{
    static const char *const words[] = {"left", "right", "centre"};
    if (plot->script == NULL || !isfinite(x) || !isfinite(y)) {
        return;
    }
    fputs("set label ", plot->script);
    write_string(plot->script, text);
    fprintf(plot->script, " at %.10g,%.10g %s front textcolor rgb '%s'\n", x, y, words[align],
            light(colour));
}

/* ---- data ---- */

/* Numbers of columns, which lie side by side or, with a stride, in rows, as a block of data. Rows
 * with what is not finite are left out. @return whether there is a row */
static bool write_block(cgm_plot *plot, int64_t n, int n_columns, const double *const *columns,
                        int64_t stride)
{
    bool any = false;
    if (plot->script == NULL || plot->stream == NULL) {
        return false;
    }
    fprintf(plot->script, "$d%lld << END\n", (long long)plot->n_blocks++);
    for (int64_t k = 0; k < n; k++) {
        bool finite = true;
        for (int c = 0; c < n_columns; c++) {
            finite = finite && isfinite(columns[c][k * stride]);
        }
        for (int c = 0; c < n_columns && finite; c++) {
            fprintf(plot->script, "%.8g%c", columns[c][k * stride], c + 1 < n_columns ? ' ' : '\n');
        }
        any = any || finite;
    }
    fputs("END\n", plot->script);
    return any;
}

/* A series of the last block of data. */
static void add_series(cgm_plot *plot, const char *columns, const char *with)
{
    fprintf(plot->stream, "%s$d%lld using %s with %s notitle", plot->n_series > 0 ? ", " : "",
            (long long)plot->n_blocks - 1, columns, with);
    plot->n_series++;
}

void cgm_plot_points(cgm_plot *plot, const cgm_plot_style *style, int64_t n, const double *x,
                     const double *y)
{
    char with[128];
    snprintf(with, sizeof with, "points pt %d ps %.3g lw %.3g lc rgb '%s'",
             markers[style->marker] - style->hollow, style->size, style->hollow ? 1.3 : 1.0,
             light(style->colour));
    if (write_block(plot, n, 2, (const double *const[]){x, y}, 1)) {
        add_series(plot, "1:2", with);
    }
}

static void describe_line(const cgm_plot_style *style, char *with, size_t room, const char *kind)
{
    const char *dashes = cgm_plot_dashes[style->dash];
    snprintf(with, room, "%s lw %.3g lc rgb '%s' dt %s%s%s", kind, style->size,
             light(style->colour), dashes[0] != '\0' ? "(" : "solid", dashes,
             dashes[0] != '\0' ? ")" : "");
}

void cgm_plot_line(cgm_plot *plot, const cgm_plot_style *style, int64_t n, const double *x,
                   const double *y)
{
    char with[128];
    describe_line(style, with, sizeof with, "lines");
    if (write_block(plot, n, 2, (const double *const[]){x, y}, 1)) {
        add_series(plot, "1:2", with);
    }
}

void cgm_plot_spans(cgm_plot *plot, const cgm_plot_style *style, int64_t n, const double *x,
                    const double *low, const double *high)
{
    char with[128];
    describe_line(style, with, sizeof with, "vectors nohead");
    if (write_block(plot, n, 3, (const double *const[]){x, low, high}, 1)) {
        add_series(plot, "1:2:(0):($3-$2)", with);
    }
}

void cgm_plot_area(cgm_plot *plot, cgm_plot_colour colour, int64_t n, const double *x,
                   const double *low, const double *high)
{
    char with[128];
    snprintf(with, sizeof with, "filledcurves fc rgb '%s'", light(colour));
    if (write_block(plot, n, 3, (const double *const[]){x, low, high}, 1)) {
        add_series(plot, "1:2:3", with);
    }
}

void cgm_plot_boxes(cgm_plot *plot, cgm_plot_colour colour, int64_t n, const double (*boxes)[4])
{
    char with[128];
    snprintf(with, sizeof with, "boxxyerror fc rgb '%s'", light(colour));
    const double *first = (const double *)boxes;
    if (n > 0 && write_block(plot, n, 4,
                             (const double *const[]){first, first + 1, first + 2, first + 3}, 4)) {
        add_series(plot, "1:3:1:2:3:4", with);
    }
}

/* ---- gnuplot ---- */

/* Runs gnuplot without the settings of its user. @return 0, ENOENT where there is none, or another
 * number */
static int run_gnuplot(int script, int drawing)
{
    char name[] = "gnuplot";
    char defaults[] = "-d";
    char *arguments[] = {name, defaults, NULL};
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0) {
        return ENOMEM;
    }
    pid_t child = 0;
    int code = posix_spawn_file_actions_adddup2(&actions, script, STDIN_FILENO);
    code = code != 0 ? code : posix_spawn_file_actions_adddup2(&actions, drawing, STDOUT_FILENO);
    code = code != 0 ? code
                     : posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null",
                                                        O_WRONLY, 0);
    code = code != 0 ? code : posix_spawnp(&child, name, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (code != 0) {
        return code;
    }
    int state = 0;
    while (waitpid(child, &state, 0) < 0) {
        if (errno != EINTR) {
            return errno;
        }
    }
    /* A shell's code for a command that it does not find. */
    const bool missing = WIFEXITED(state) && WEXITSTATUS(state) == 127;
    return missing ? ENOENT : WIFEXITED(state) && WEXITSTATUS(state) == 0 ? 0 : ECHILD;
}

/* All that stands in a file, which the caller frees, or NULL. */
static char *read_all(FILE *stream)
{
    if (fseek(stream, 0, SEEK_END) != 0) {
        return NULL;
    }
    const long bytes = ftell(stream);
    char *text = bytes > 0 && bytes < SVG_BYTES_MOST ? malloc((size_t)bytes + 1) : NULL;
    rewind(stream);
    if (text != NULL && fread(text, 1, (size_t)bytes, stream) != (size_t)bytes) {
        free(text);
        return NULL;
    }
    if (text != NULL) {
        text[bytes] = '\0';
    }
    return text;
}

cgm_plot_outcome cgm_plot_finish(cgm_plot *plot, char **svg)
{
    *svg = NULL;
    end_panel(plot);
    if (plot->script == NULL) {
        return CGM_PLOT_FAILED;
    }
    fputs("unset multiplot\n", plot->script);
    FILE *drawing = tmpfile();
    int code = ENOMEM;
    if (drawing != NULL && fflush(plot->script) == 0 &&
        lseek(fileno(plot->script), 0, SEEK_SET) == 0) {
        code = run_gnuplot(fileno(plot->script), fileno(drawing));
    }
    if (code == 0) {
        *svg = read_all(drawing);
    }
    if (drawing != NULL) {
        fclose(drawing);
    }
    fclose(plot->script);
    plot->script = NULL;
    return code == ENOENT ? CGM_PLOT_NO_GNUPLOT : *svg != NULL ? CGM_PLOT_DRAWN : CGM_PLOT_FAILED;
}
