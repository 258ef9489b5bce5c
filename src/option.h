/**
 * @file option.h
 * One row of a table of options: how its value is read, checked, written and explained. The tables
 * of config.c and simulate.c are made of them.
 */
#ifndef CGM_OPTION_H
#define CGM_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cgm/comm.h"

typedef struct cgm_option cgm_option;

/** Values of one kind, kept in a field of the struct at target. Local. */
typedef struct cgm_option_kind {
    /** From text into the field: CGM_OK; CGM_ERR_USAGE, not recorded: the value is not accepted;
     * CGM_ERR_MEMORY. */
    cgm_status (*read)(cgm_comm *comm, const cgm_option *row, const char *value, void *target);
    /** From the field to text that read takes. */
    void (*write)(const cgm_option *row, const void *target, FILE *stream);
} cgm_option_kind;

/** One row: everything there is to know about an option. */
struct cgm_option {
    const char *name;    /**< as it is typed; first, for cgm_text_nearest */
    const char *initial; /**< default as text; NULL: required */
    const cgm_option_kind *kind;
    size_t offset;            /**< of the field in target; CGM_NO_FIELD: only one value exists */
    const char *const *words; /**< in the order of the enumerators, NULL at the end */
    const char *accepted;     /**< in words; NULL: the words above */
    const char *help;         /**< lines of at most 94 columns */
    double low, high;         /**< numbers: low < value <= high; integers: low <= value <= high */
    bool low_closed;          /**< numbers: low itself, too */
    bool same_results;        /**< cannot change a result */
};

#define CGM_NO_FIELD SIZE_MAX
#define CGM_WORDS(...)                                                                             \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

/* The fields are: an enum of int's size, bool, char * (allocated; an empty text only if that is the
 * default), double, uint64_t, int64_t. */
extern const cgm_option_kind cgm_option_word;
extern const cgm_option_kind cgm_option_truth;
extern const cgm_option_kind cgm_option_flag; /* bool: --name alone is true */
extern const cgm_option_kind cgm_option_path;
extern const cgm_option_kind cgm_option_number;
extern const cgm_option_kind cgm_option_unsigned;
extern const cgm_option_kind cgm_option_integer;

/** The words of cgm_option_truth. */
extern const char *const cgm_option_truth_words[];

/** Local. The row of a name, or -1. */
int cgm_option_find(const cgm_option *rows, int n_rows, const char *name);

/**
 * Read a value into its field.  Local.
 * @param[in] where  where the value stands, for the beginning of a message
 * @return CGM_OK, CGM_ERR_USAGE (the message names the accepted values), CGM_ERR_MEMORY
 */
cgm_status cgm_option_set(cgm_comm *comm, const cgm_option *row, const char *where,
                          const char *value, void *target);

/** Largest number of rows of a table that cgm_option_take reads. */
enum { CGM_OPTION_ROWS_MAX = 64 };

/**
 * Read `--name VALUE` and `--name=VALUE` from a command line, and the defaults of what is not
 * given.  Local.
 * @param[out] rest    [n_arguments] the arguments that do not begin with --, in order; NULL: such
 * an argument is an error
 * @param[out] n_rest  their number; not touched when rest is NULL
 * @return CGM_OK, CGM_ERR_USAGE (the message names the option and, for an unknown one, the
 * nearest), CGM_ERR_MEMORY
 */
cgm_status cgm_option_take(cgm_comm *comm, const cgm_option *rows, int n_rows, int n_arguments,
                           char **given, void *target, char **rest, int *n_rest);

/** Local. A row as help text. */
void cgm_option_print(const cgm_option *row, FILE *stream);

/** Local. For kinds of a table's own: a number in the row's range, and a number as text. */
bool cgm_option_in_range(const cgm_option *row, const char *value, double *number);
void cgm_option_write_number(double number, FILE *stream);

#endif
