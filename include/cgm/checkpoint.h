/**
 * @file checkpoint.h
 * What a run keeps of its work while it runs, and how the next one goes on from it.
 *
 * A checkpoint is written at the end of stages that take long and inside them whenever a pause is
 * due (stop.h), under another name, and renamed when it is whole; the one before stays as
 * PATH.older until the next. It says which options and input it belongs to, carries a checksum over
 * everything in it, and holds nothing that depends on the number of ranks or threads.
 *
 * HDF5: group /checkpoint with attributes kept (what it holds, below), options, input_checksum,
 * instruction_set; then, as far as the run had come:
 * - /lengthscale  values of finished passes; sums (exact, two words each) and units of the one
 * under way;
 * - /kernel       attributes value, passes, always_valid;
 * - /partial      kernel sums under way: party_sums, party_candidate_sums (exact, two words each),
 *   candidate_layers, units;
 * - /sums         kernel sums, as in a result; or /embedding with the parties' means, and the noise
 *   that is in them, which is never drawn again;
 * - /sampling     of every chain finished, draws, reached, n_rows, first_row; indices and values of
 *   all their rows.
 */
#ifndef CGM_CHECKPOINT_H
#define CGM_CHECKPOINT_H

#include "cgm/config.h"
#include "cgm/embedding.h"
#include "cgm/kernel_sums.h"
#include "cgm/lengthscale.h"
#include "cgm/sampling.h"
#include "cgm/stop.h"

struct cgm_run;

/** How far a run had come, in order. */
typedef enum cgm_kept {
    CGM_KEPT_NOTHING,
    CGM_KEPT_PASSES,  /**< inside the search for the lengthscale */
    CGM_KEPT_KERNEL,  /**< the lengthscale is chosen */
    CGM_KEPT_PARTIAL, /**< inside the kernel sums */
    CGM_KEPT_SUMS,    /**< the kernel sums are complete */
    CGM_KEPT_CHAINS   /**< inside the sampling, or after it */
} cgm_kept;

struct cgm_checkpoint;

/** A stage's pause: keep writes a checkpoint of that kind. */
typedef struct cgm_checkpoint_pause {
    struct cgm_checkpoint *checkpoint;
    cgm_kept kept;
    cgm_pause pause;
} cgm_checkpoint_pause;

/** Zeroed: there are no checkpoints. Must not move once opened. */
typedef struct cgm_checkpoint {
    const struct cgm_run *run; /**< what the stages have left so far; borrowed */
    const char *path;          /**< NULL: none */
    char *older;               /**< the one before */
    char *options;             /**< of the run, those that matter for results */
    cgm_stop stop;
    cgm_checkpoint_pause pauses[CGM_KEPT_CHAINS + 1];

    cgm_kept found;                      /**< what there was to go on from */
    const char *from;                    /**< path or older, NULL if nothing was found */
    cgm_instruction_set instruction_set; /**< that the found one was made with */
    cgm_lengthscale choice;              /**< found, from CGM_KEPT_KERNEL on */
    cgm_lengthscale_partial passes;      /**< found, at CGM_KEPT_PASSES */
    cgm_sampling_partial chains;         /**< found, at CGM_KEPT_CHAINS */
    cgm_sums_source sums;                /**< found, from CGM_KEPT_PARTIAL on */

    cgm_kept last;  /**< what the last one written by this run holds */
    int64_t count;  /**< of them */
    int64_t bytes;  /**< of the last one */
    double seconds; /**< for all of them */
    bool warned;    /**< that one could not be written */
} cgm_checkpoint;

/**
 * After the input: look for a checkpoint of this run, and watch clock and signals from now on.
 * Collective.  Without checkpoint.file nothing happens, and SIGUSR1 is ignored.
 * @param[in]  run      config, shard, candidates and input_checksum stand
 * @param[in]  started  of the run, cgm_timer_now
 * @return the same code on every rank: CGM_OK, CGM_ERR_INPUT (it is of other options or input, or
 *         both generations are damaged), CGM_ERR_OUTPUT (it cannot be written), CGM_ERR_USAGE
 *         (run.max_hours without checkpoint.file), CGM_ERR_MEMORY
 */
cgm_status cgm_checkpoint_open(cgm_comm *comm, const struct cgm_run *run, double started,
                               cgm_checkpoint *checkpoint);

/** Local. The pause of a stage; NULL without checkpoints. */
const cgm_pause *cgm_checkpoint_pause_of(const cgm_checkpoint *checkpoint, cgm_kept kept);

/**
 * A stage has ended.  Collective.  Keeps what it made, if it is one that takes long; ends the run
 * if a stop is wanted.
 * @param[in] kept  what there is to be kept: CGM_KEPT_KERNEL, CGM_KEPT_SUMS, CGM_KEPT_CHAINS (all
 *                  of them drawn); CGM_KEPT_NOTHING: nothing new
 * @return the same code on every rank: CGM_OK, CGM_STOPPED, CGM_ERR_OUTPUT, CGM_ERR_MEMORY
 */
cgm_status cgm_checkpoint_stage_ended(cgm_comm *comm, cgm_checkpoint *checkpoint, cgm_kept kept);

/** The means of an embedding that was found, from CGM_KEPT_SUMS on.  Collective.
 * @param[in,out] embedding  created; sigma must be that of then
 * @return the same code on every rank: CGM_OK, CGM_ERR_INPUT, CGM_ERR_MEMORY */
cgm_status cgm_checkpoint_read_means(cgm_comm *comm, const cgm_checkpoint *checkpoint,
                                     cgm_embedding *embedding);

/** Local, on rank 0. The run is complete: its checkpoints are removed. */
void cgm_checkpoint_remove(const cgm_checkpoint *checkpoint);

/** Local. Accepts a zeroed struct. */
void cgm_checkpoint_close(cgm_checkpoint *checkpoint);

#endif
