/**
 * @file output.h
 * The result file, schema 1, by parallel HDF5 (INTERFACE.md): exclusive temporary name beside the
 * target, renamed when complete.
 */
#ifndef CGM_OUTPUT_H
#define CGM_OUTPUT_H

#include "cgm/pipeline.h"

/**
 * Before any work: refuse a target that cannot be written or that holds something else. Collective.
 * Compares the options kept in an existing file with this run's; the input is compared by
 * cgm_output_is_complete.
 * @return the same code on every rank: CGM_OK, CGM_ERR_OUTPUT (exists from other options; directory
 * missing or read-only)
 */
cgm_status cgm_output_check(cgm_comm *comm, const cgm_config *config);

/**
 * After reading the input: does the target already hold the complete result of these options and
 * this input?  Collective.
 * @param[out] complete  true: nothing is left to do
 * @return the same code on every rank: CGM_OK, CGM_ERR_OUTPUT (exists from other input, or
 * incomplete, or no result file)
 */
cgm_status cgm_output_is_complete(cgm_comm *comm, const cgm_config *config, uint64_t input_checksum,
                                  bool *complete);

/**
 * Write the results.  Collective; every rank writes the rows of its own parties.
 * @return the same code on every rank: CGM_OK, CGM_ERR_OUTPUT, CGM_ERR_MEMORY.  On error no file is
 * left, neither under the final name nor under the temporary one.
 */
cgm_status cgm_output_write(cgm_comm *comm, const cgm_run *run);

#endif
