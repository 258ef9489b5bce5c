/**
 * @file generate.h
 * `cgm generate`: the generative model alone, and the pool drawn from it as a file.
 */
#ifndef CGM_GENERATE_H
#define CGM_GENERATE_H

#include <stdio.h>

#include "cgm/comm.h"

/**
 * Train the model that a configuration chooses, draw the pool, and write it in the layout of the
 * input, for input.candidates.  Collective.
 * A run of the same configuration has the same pool, to the last bit.
 * @param[in] arguments  [n_arguments] CONFIG.ini, overrides, --out FILE, in any order
 * @return the same code on every rank: CGM_OK, CGM_ERR_USAGE, CGM_ERR_INPUT, CGM_ERR_OUTPUT,
 *         CGM_ERR_MEMORY
 */
cgm_status cgm_generate(cgm_comm *comm, int n_arguments, char **arguments);

/** Local. */
void cgm_generate_print_help(FILE *stream);

#endif
