/**
 * @file config_table.h
 * The table of options, and how a value of each kind is read and written; internal to config.c.
 */
#ifndef CGM_CONFIG_TABLE_H
#define CGM_CONFIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "cgm/config.h"

typedef struct cgm_option cgm_option;

/** Values of one kind. Local. */
typedef struct cgm_option_kind {
    /** From text into the option's field: CGM_OK; CGM_ERR_USAGE, not recorded: the value is not
     * accepted; CGM_ERR_MEMORY. */
    cgm_status (*read)(cgm_comm *comm, const cgm_option *row, const char *value,
                       cgm_config *config);
    /** From the field to text that read takes. */
    void (*write)(const cgm_option *row, const cgm_config *config, FILE *stream);
} cgm_option_kind;

/** One row: everything there is to know about an option. */
struct cgm_option {
    const char *name;    /**< section.key; first, for cgm_text_nearest */
    const char *initial; /**< default as text; NULL: required */
    const cgm_option_kind *kind;
    size_t offset;            /**< of the field; unused where only one value exists */
    const char *const *words; /**< in the order of the enumerators, NULL at the end */
    const char *accepted;     /**< in words; NULL: the words above */
    const char *help;         /**< lines of at most 94 columns */
    double low, high;         /**< numbers: low < value <= high */
    bool low_closed;          /**< low itself, too */
    bool same_results;        /**< cannot change a result */
};

enum { CGM_N_OPTIONS = 20 };

/** Rows of one section stand together. */
extern const cgm_option cgm_options[CGM_N_OPTIONS];

#endif
