/**
 * @file diff.h
 * `cgm diff`: compare the results of two runs bit by bit.
 */
#ifndef CGM_DIFF_H
#define CGM_DIFF_H

#include "cgm/comm.h"

/**
 * Compare the *results* of two result files (INTERFACE.md says which objects count).  Collective;
 * rank 0 works. Prints on stdout `the same results` or the first difference: object, index and both
 * values.
 * @return the same code on every rank: CGM_OK, CGM_DIFFERENT (no error line), CGM_ERR_USAGE,
 * CGM_ERR_INPUT
 */
cgm_status cgm_diff(cgm_comm *comm, int n_arguments, char **arguments);

#endif
