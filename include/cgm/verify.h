/**
 * @file verify.h
 * `cgm verify`: a party checks its value and its reward from its own data (MATH.md §2, §6).
 */
#ifndef CGM_VERIFY_H
#define CGM_VERIFY_H

#include <stdio.h>

#include "cgm/comm.h"

/**
 * Check what a result says of one party.  Collective; rank 0 works.
 * Terms of the party's own data are computed anew from its file and the synthetic points in the
 * result; t_i, u, n, and what the shares and targets follow from, are taken from the result. Prints
 * one line a check on stdout, `ok` or `WRONG`.
 * @param[in] arguments  [n_arguments] RESULT.h5 --party NAME FILE
 * @return the same code on every rank: CGM_OK, CGM_DIFFERENT (a check says WRONG; no error line),
 * CGM_ERR_USAGE, CGM_ERR_INPUT, CGM_ERR_MEMORY.  Cost O((m² + (m + R) R) d) for m own points and R
 * synthetic ones.
 */
cgm_status cgm_verify(cgm_comm *comm, int n_arguments, char **arguments);

/** Local. */
void cgm_verify_print_help(FILE *stream);

#endif
