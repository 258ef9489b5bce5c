/**
 * @file h5_common.h
 * What reading and writing HDF5 files (h5.c, h5_write.c) have in common. Internal to them.
 */
#ifndef CGM_H5_COMMON_H
#define CGM_H5_COMMON_H

#include <hdf5.h>

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

#endif
