/**
 * @file check.h
 * `cgm check`: validate input and options and say what the run will need, without running it.
 */
#ifndef CGM_CHECK_H
#define CGM_CHECK_H

#include "cgm/config.h"

/**
 * `cgm check`: read and validate options and input, measure for a moment how fast this machine
 * evaluates the kernel, then print the resolved options, sizes, work and traffic by stage (cost.h),
 * memory, a range for the time, and the lines of a batch script that follow.  Collective.  The pool
 * is read in pieces, or, when it is very large, described alone.
 * @param[in] arguments  [n_arguments] as of cgm_config_load
 * @return the same code on every rank, as cgm_pipeline_run would return it for its input
 */
cgm_status cgm_check(cgm_comm *comm, int n_arguments, char **arguments);

#endif
