/**
 * @file import.h
 * `cgm import`: CSV files, one a party, to the input layout (INTERFACE.md).
 */
#ifndef CGM_IMPORT_H
#define CGM_IMPORT_H

#include <stdio.h>

#include "cgm/comm.h"

/**
 * Read and check all files, then write one HDF5 file.  Collective; rank 0 works.
 * @param[in] arguments  [n_arguments] what follows the sub-command: options and CSV files
 * @return the same code on every rank: CGM_OK, CGM_ERR_USAGE, CGM_ERR_INPUT (the message names
 * file, line and column), CGM_ERR_OUTPUT, CGM_ERR_MEMORY.  On error no file is left.  Cost: each
 * file is read twice; memory for the points of the largest party.
 */
cgm_status cgm_import(cgm_comm *comm, int n_arguments, char **arguments);

/** Local. */
void cgm_import_print_help(FILE *stream);

#endif
