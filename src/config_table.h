/**
 * @file config_table.h
 * The table of options of `cgm run` and `cgm check`; internal to config.c.
 */
#ifndef CGM_CONFIG_TABLE_H
#define CGM_CONFIG_TABLE_H

#include "cgm/config.h"
#include "option.h"

enum { CGM_N_OPTIONS = 49 };

/** Names are section.key; rows of one section stand together; the target is a cgm_config. */
extern const cgm_option cgm_options[CGM_N_OPTIONS];

#endif
