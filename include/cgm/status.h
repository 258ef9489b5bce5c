/**
 * @file status.h
 * Status codes, which are also the program's exit codes, and the record of the first cause of a
 * failure.
 */
#ifndef CGM_STATUS_H
#define CGM_STATUS_H

/** What a function returns and what the program exits with. */
typedef enum cgm_status {
    CGM_OK = 0,
    CGM_DIFFERENT = 1,  /**< `diff` or `verify` says no */
    CGM_ERR_USAGE = 2,  /**< command line or option */
    CGM_ERR_INPUT = 3,  /**< input data */
    CGM_ERR_MEMORY = 4, /**< an allocation was refused */
    CGM_ERR_LP = 5,     /**< the reward linear program has no solution */
    CGM_ERR_OUTPUT = 6, /**< the result cannot be written, or would replace another one */
    CGM_ERR_BUG = 70,   /**< a condition that the program itself guarantees does not hold */
    CGM_STOPPED = 75    /**< stopped at a checkpoint: submit again */
} cgm_status;

/** Room for one error line, paths included. */
enum { CGM_MESSAGE_MAX = 2048 };

/** The first cause of a failure on a rank and, after a vote, the cause all ranks agreed on. */
typedef struct cgm_error {
    cgm_status status;
    int rank;                      /**< rank of MPI_COMM_WORLD that met the cause */
    char host[256];                /**< its host */
    char message[CGM_MESSAGE_MAX]; /**< one line: cause, path or key, what to do */
} cgm_error;

#endif
