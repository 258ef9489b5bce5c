/**
 * @file checkpoint_file.h
 * The content of a checkpoint file: what checkpoint.c has written and read. Internal.
 */
#ifndef CGM_CHECKPOINT_FILE_H
#define CGM_CHECKPOINT_FILE_H

#include "cgm/checkpoint.h"
#include "cgm/h5.h"

/** What a checkpoint is of. */
typedef struct checkpoint_head {
    cgm_kept kept;
    char *options;
    uint64_t input_checksum;
    cgm_instruction_set instruction_set;
    int64_t size;      /**< ranks that made it */
    uint64_t checksum; /**< over all results of the file, as result.h says */
} checkpoint_head;

/** A checkpoint to be written: what kind, and what the stage handed over for it. */
typedef struct checkpoint_content {
    const cgm_checkpoint *checkpoint;
    cgm_kept kept;
    const void *partial; /**< cgm_lengthscale_partial, _partial_sums or _sampling_partial */
} checkpoint_content;

/** Writes a checkpoint_content; the write of a cgm_newfile.  Collective. */
cgm_status checkpoint_file_write(cgm_h5_file *file, void *content, uint64_t *checksum);

/** Local. More bytes than the file will take. */
int64_t checkpoint_file_bound(const checkpoint_content *content);

/** Local. @return CGM_OK, CGM_ERR_INPUT (it is no checkpoint, or damaged), CGM_ERR_MEMORY */
cgm_status checkpoint_file_read_head(const cgm_h5_file *file, checkpoint_head *head);

/** Local. Accepts a zeroed struct. */
void checkpoint_head_destroy(checkpoint_head *head);

/** What is found in a file whose head is sound, but for the kernel sums: choice, passes, chains.
 * Local. @param[in] rank  of size: the chains' rows of the parties that it keeps are read */
cgm_status checkpoint_file_read(const cgm_h5_file *file, cgm_checkpoint *checkpoint);

/** Local. Kernel sums under way: this rank's rows and slice. */
cgm_status checkpoint_file_read_partial(const cgm_h5_file *file, cgm_partial_sums *partial);

/** Local. Rows first .. first + count - 1 of an embedding's means, [count][n_numbers]. */
cgm_status checkpoint_file_read_means(const cgm_h5_file *file, const cgm_embedding *embedding,
                                      int64_t first, int64_t count, double *means);

/** Local. Frees what was read. */
void checkpoint_file_release(cgm_checkpoint *checkpoint);

#endif
