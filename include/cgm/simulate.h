/**
 * @file simulate.h
 * `cgm simulate`: the paper's simulated credit ratings (INTERFACE.md).
 */
#ifndef CGM_SIMULATE_H
#define CGM_SIMULATE_H

#include <stdio.h>

#include "cgm/comm.h"

/** Collective; every rank draws and writes its part. Arguments are what follows the sub-command.
 * CGM_OK, CGM_ERR_USAGE, CGM_ERR_OUTPUT, CGM_ERR_MEMORY. */
cgm_status cgm_simulate(cgm_comm *comm, int n_arguments, char **arguments);

/** Local. */
void cgm_simulate_print_help(FILE *stream);

#endif
