/**
 * @file costs.h
 * What the program's sources are compiled with for a simulated cluster: put before each of them
 * (-include), it lets the seconds that work would have taken pass before the next message.
 */
#ifndef CGM_SIMGRID_COSTS_H
#define CGM_SIMGRID_COSTS_H

#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

/** Seconds that a core takes, by what it does: rates that make bench measured. */
typedef struct sim_rates {
    double columns, both, slopes, ladder, distances; /**< an evaluation; ladder: of ten rungs */
    double pack, look;                               /**< a point */
    double score_cached[2], score_streamed[2]; /**< a candidate, for one chain and for eight */
    double byte;                               /**< of memory that is added up or copied */
} sim_rates;

/** The rates of this simulation; set before the first rank begins to work. */
extern sim_rates sim_rate;

/** Draws that one simulated draw stands for: its sweep and its messages count so many times. */
extern int64_t sim_draw_stride;

/** Local. Work of this rank, by the clock of the simulation, when it next sends or receives. */
void sim_owe(double seconds);

/** Local. A block of candidates, whose sums begin at first, is swept for some chains. */
void sim_score(const double *first, int64_t n_candidates, int64_t n_features, int64_t n_chains);

/** Local. Let what is owed pass. */
void sim_flush(void);

/** As MPI_Allreduce; where a team of ranks tells each other about a draw, it counts for all draws
 * that this one stands for. */
int sim_allreduce(const void *send, void *receive, int count, MPI_Datatype type, MPI_Op op,
                  MPI_Comm comm);

/** As MPI_Sendrecv; who receives sums adds them up. */
int sim_sendrecv(const void *send, int send_count, MPI_Datatype send_type, int to, int send_tag,
                 void *receive, int receive_count, MPI_Datatype receive_type, int from,
                 int receive_tag, MPI_Comm comm, MPI_Status *status);

/** As MPI_Isend and MPI_Irecv; of a long message the length alone counts, so that nothing is
 * copied: nobody looks at coordinates. */
int sim_isend(const void *data, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm,
              MPI_Request *request);
int sim_irecv(void *data, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm,
              MPI_Request *request);

/** As calloc; what one rank's chains begin with is in memory that all ranks share, because it holds
 * zeros for all of them. */
void *sim_calloc(size_t count, size_t size);

/** As free. */
void sim_free(void *memory);

/** The stage that begins is sampling. */
extern bool sim_is_sampling;

#ifndef CGM_SIMGRID_COSTS_C
#undef calloc
#undef free
#undef clock_gettime
#define clock_gettime(clock, time) (sim_flush(), smpi_clock_gettime(clock, time))
#define calloc(count, size) sim_calloc(count, size)
#define free(memory) sim_free(memory)
#define MPI_Allreduce(...) sim_allreduce(__VA_ARGS__)
#define MPI_Sendrecv(...) sim_sendrecv(__VA_ARGS__)
#define MPI_Barrier(...) (sim_flush(), MPI_Barrier(__VA_ARGS__))
#define MPI_Bcast(...) (sim_flush(), MPI_Bcast(__VA_ARGS__))
#define MPI_Allgatherv(...) (sim_flush(), MPI_Allgatherv(__VA_ARGS__))
#define MPI_Comm_split(...) (sim_flush(), MPI_Comm_split(__VA_ARGS__))
#define MPI_Fetch_and_op(...) (sim_flush(), MPI_Fetch_and_op(__VA_ARGS__))
#define MPI_Gather(...) (sim_flush(), MPI_Gather(__VA_ARGS__))
#define MPI_Get(...) (sim_flush(), MPI_Get(__VA_ARGS__))
#define MPI_Irecv(...) sim_irecv(__VA_ARGS__)
#define MPI_Isend(...) sim_isend(__VA_ARGS__)
#define MPI_Waitall(...) (sim_flush(), MPI_Waitall(__VA_ARGS__))
/* The simulated network carries messages on by itself: looking after them takes no time. */
#define MPI_Testall(count, requests, flag, statuses) ((void)(requests), *(flag) = 0)
#define MPI_Iprobe(source, tag, comm, flag, status) (*(flag) = 0)
#endif

#endif
