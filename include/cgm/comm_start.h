/** @file
 * The start of MPI.
 */
#ifndef CGM_COMM_START_H
#define CGM_COMM_START_H

/**
 * Starts MPI, in a way in which memory can be reached on other hosts too.  Collective over all
 * ranks; the pair is MPI_Finalize. An MPI library that cannot start ends the process.
 */
void cgm_comm_start(int *argc, char ***argv);

#endif
