/**
 * @file h5_common.h
 * What reading and writing HDF5 files (h5.c, h5_write.c) have in common. Internal to them.
 */
#ifndef CGM_H5_COMMON_H
#define CGM_H5_COMMON_H

#include <hdf5.h>
#include <signal.h>
#include <sys/time.h>

#include "cgm/h5.h"

/** Local. Record the failure of a file at a path, or at an attribute of it unless that is NULL. */
cgm_status cgm_h5_fail(const cgm_h5_file *file, const char *path, const char *attribute,
                       const char *what);

/** Local. Numbers are stored as they stand in memory; a machine of the other byte order converts.
 */
hid_t cgm_h5_number_type(cgm_h5_type type);

/** Local. Closes whatever an id stands for; ids of open things are positive. */
void cgm_h5_drop(hid_t id);

/** Local. Selects rows first .. first + n_rows - 1 in space; returns the memory space that takes
 * them. */
hid_t cgm_h5_select_rows(hid_t space, int64_t first, int64_t n_rows);

/** Signals that a guard catches. */
enum { CGM_H5_SIGNALS = 6 };

/** What stood in a guard's place before. */
typedef struct cgm_h5_guard {
    struct sigaction actions[CGM_H5_SIGNALS];
    struct itimerval timer;
    stack_t stack;
} cgm_h5_guard;

/**
 * Let a crash or an endless loop end the process with one error line that blames the file, and with
 * CGM_ERR_INPUT.  Local.  Around calls of HDF5 that read a file, and around nothing else.
 * @param[in]  bytes  that the calls read: they may take long if those are many
 * @param[out] guard  for cgm_h5_guard_leave
 */
void cgm_h5_guard_enter(const cgm_h5_file *file, int64_t bytes, cgm_h5_guard *guard);

/** Local. Everything as it was before. */
void cgm_h5_guard_leave(const cgm_h5_guard *guard);

#endif
