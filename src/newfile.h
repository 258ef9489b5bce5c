/**
 * @file newfile.h
 * Files that appear whole or not at all, and never in another one's place. Internal.
 */
#ifndef CGM_NEWFILE_H
#define CGM_NEWFILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "cgm/h5.h"

/** Local. CGM_OK, or CGM_ERR_OUTPUT if something stands at path already; option, for the message,
 * is what chooses it. */
cgm_status cgm_newfile_check(cgm_comm *comm, const char *path, const char *option);

/** Local. CGM_OK, or CGM_ERR_OUTPUT if path names a directory, or lies in one that is not there or
 * must not be written to. */
cgm_status cgm_newfile_check_directory(cgm_comm *comm, const char *path, const char *option);

/**
 * Remove the temporary files of path that runs which were killed have left, with a line each on
 * stderr.  Local.
 * Those of runs that may be alive stay, on other hosts for a day.  Every write of this header does
 * it before it begins.
 */
void cgm_newfile_remove_abandoned(const cgm_comm *comm, const char *path);

/** A file to write; where all ranks write it together, the same on every rank. */
typedef struct cgm_newfile {
    const char *path;   /**< final name */
    const char *option; /**< what chooses it, for messages */
    bool replace;       /**< an existing file gives way */
    const char *older;  /**< if not NULL, it gets this name first, with replace */
    mode_t mode;        /**< permissions, less the umask, but its owner can always use it */
    int64_t bytes;      /**< more than the file will take; unused by cgm_newfile_write */
    /**
     * Write the content.  Collective, or Local in cgm_newfile_write.
     * @param[out] checksum  what cgm_result_checksum has to find in the file, the sum over all
     *                       ranks; cgm_newfile_write does not look at it
     * @return the same code on every rank
     */
    cgm_status (*write)(cgm_h5_file *file, void *state, uint64_t *checksum);
    void *state; /**< for write */
} cgm_newfile;

/**
 * Write an HDF5 file by this process alone, under a temporary name beside path that no other
 * process takes, and rename it when it is complete.  Local.
 * At no moment is it readable by more than mode allows.
 * @return CGM_OK, CGM_ERR_OUTPUT (path exists or cannot be written), CGM_ERR_MEMORY, or what
 * write returned.  On error no file is left, neither under the final name nor under the temporary
 * one.
 */
cgm_status cgm_newfile_write(cgm_comm *comm, const cgm_newfile *file);

/** As cgm_newfile_write, of a text of so many bytes; file->write is not used. */
cgm_status cgm_newfile_write_text(cgm_comm *comm, const cgm_newfile *file, const char *text,
                                  size_t bytes);

/**
 * Write an HDF5 file by all ranks under a temporary name beside path that no other job takes, read
 * it back, and rename it.  Collective.
 * The space is taken beforehand, because a write that fails on one rank would leave the others
 * waiting inside MPI-IO, or pass unnoticed.  Where the file system takes none (NFS before 4.2), a
 * disk that fills up while the file is written may still end so.
 * @return the same code on every rank: CGM_OK, CGM_ERR_OUTPUT, CGM_ERR_MEMORY, or what write
 * returned.  On error no file is left, neither under the final name nor under the temporary one.
 */
cgm_status cgm_newfile_write_together(cgm_comm *comm, const cgm_newfile *file);

/**
 * As rename, but an existing file is not replaced.  Local.
 * Where the file system has no links, a file that appears in between would be replaced.
 * @return 0, or -1 and errno, EEXIST if something stands there
 */
int cgm_newfile_rename(const char *from, const char *to);

#endif
