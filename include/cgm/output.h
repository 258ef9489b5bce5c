/**
 * @file output.h
 * The result file, schema 1, by parallel HDF5 (INTERFACE.md), and one file a party: exclusive
 * temporary name beside the target, renamed when complete.
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

/*
 * Party files (output.party_dir): what `cgm verify` needs for one party in place of the result, and
 * nothing that is another party's. Each is written by the rank that keeps the party, mode 0600.
 * Where output.party_dir is `none` all of these do nothing.
 *
 * They are in the layout of the result, with this party alone:
 *   /           schema, program, version, git, started, status
 *   /parties    name, n_points, checksum
 *   /values     single: v of its own data
 *   /shapley    phi, alpha
 *   /reward     r; v_star and rho, which are the program's, not a party's
 *   /sums       party_sums [1][1]: S_ii; reference_sums: t_i; n_reference: n
 *   /kernel     lengthscale [1 or d]; type
 *   /privacy    sigma [1]; exchange, where values come from embeddings
 *   /features   mean, scale [d], where features were scaled: of all parties together
 *   /sampling/beta_<beta>  offsets [2], data, labels, indices, values, start_value, target,
 * reached, draws: the party's own; and candidate_sums: u of the points that it was paid
 */

/** Room for the name of a party's file. */
enum { CGM_PARTY_FILE_NAME = 192 };

/**
 * The name of a party's file: the party's, with `%XX` (two hexadecimal digits) in place of `/`,
 * `%`, control characters and a `.` in front, and `.h5` after it.  Local.
 * Of a name that would be longer than 128 bytes the first characters, then `%n` and the party's
 * number: the whole name is inside. No two parties of a run have the same.
 */
void cgm_party_file_name(const char *name, int64_t party, char file[CGM_PARTY_FILE_NAME]);

/**
 * Before any work: refuse a directory that cannot be used.  Collective.
 * @return the same code on every rank: CGM_OK, CGM_ERR_OUTPUT (no directory, not writable, cannot
 * be created, the directory of the input), CGM_ERR_MEMORY
 */
cgm_status cgm_party_files_check_directory(cgm_comm *comm, const cgm_config *config);

/**
 * After reading the input: refuse files that are in the way.  Collective; every rank looks at those
 * of the parties that it keeps. With output.overwrite a party's earlier file gives way, and nothing
 * else does.
 * @param[in] complete  output.file is complete and nothing will be written: then each party's file
 *                      must be there instead
 * @return the same code on every rank: CGM_OK, CGM_ERR_OUTPUT, CGM_ERR_MEMORY
 */
cgm_status cgm_party_files_check(cgm_comm *comm, const cgm_config *config, const cgm_shard *shard,
                                 bool complete);

/**
 * Write the parties' files.  Collective; the memory of a rank is that of one party's rewards.
 * @return the same code on every rank: CGM_OK, CGM_ERR_OUTPUT, CGM_ERR_MEMORY.  On error none of
 * them is left.
 */
cgm_status cgm_party_files_write(cgm_comm *comm, const cgm_run *run);

/** Local. Remove what cgm_party_files_write wrote on this rank, when what follows it fails. */
void cgm_party_files_remove(cgm_comm *comm, const cgm_run *run);

#endif
