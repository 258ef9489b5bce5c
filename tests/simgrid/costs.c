/* The clock of the simulation: work is owed until the next message, then passes at once. Ranks take
 * turns at messages alone, so that what is owed belongs to the rank that runs. */
#define CGM_SIMGRID_COSTS_C
#include "costs.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "cgm/sampling_team.h"

enum { SIZES = 24, RANKS = 1 << 14 };
/* Operations a second of a core in the descriptions of the clusters. */
#define CORE_SPEED 1e9
/* Bytes up to which what a sweep reads and writes stays in a core's cache. */
#define CACHE_BYTES 1048576.0
/* Bytes from which on what a rank of many takes while it draws is the start of a chain. */
enum { START_BYTES = 1 << 20, START_MOST = 1 << 26, START_RANKS = 64 };
/* Bytes of messages that are not copied; a longer one would not be of coordinates. */
enum { LONG_BYTES = 1 << 17, LONG_MOST = 1 << 30 };

sim_rates sim_rate;
int64_t sim_draw_stride = 1;
bool sim_is_sampling;

/* Of SimGrid: lets operations of the core that the rank runs on pass; memory that messages are not
 * copied from or to. */
void smpi_execute_flops(double flops);
void *smpi_shared_malloc(size_t size, const char *file, int line);

static double owed;

/* Seconds of a reduction among a team, by rank and the power of two of its bytes; 0: not known. */
static float team_seconds[RANKS][SIZES];

void sim_owe(double seconds)
{
    owed += seconds;
}

/* One pass over a part of the pool for some chains, as far as it has come. */
static struct {
    const double *first; /* sums of its first candidates */
    double candidates;
    double numbers; /* that it reads or writes of a candidate */
    int64_t n_chains;
} sweep;

static void settle_sweep(void)
{
    const bool cached = sweep.candidates * sweep.numbers * sizeof(double) <= CACHE_BYTES;
    const double *rate = cached ? sim_rate.score_cached : sim_rate.score_streamed;
    const double chains = (double)(sweep.n_chains - 1) / (CGM_TEAM_CHAINS - 1);
    owed += (double)sim_draw_stride * sweep.candidates * (rate[0] + chains * (rate[1] - rate[0]));
    sweep.candidates = 0.0;
}

void sim_score(const double *first, int64_t n_candidates, int64_t n_features, int64_t n_chains)
{
    if (sweep.candidates > 0.0 && (first <= sweep.first || n_chains != sweep.n_chains)) {
        settle_sweep();
    }
    sweep.first = sweep.candidates > 0.0 ? sweep.first : first;
    sweep.candidates += (double)n_candidates;
    sweep.numbers = (double)(n_features + 1 + n_chains);
    sweep.n_chains = n_chains;
}

void sim_flush(void)
{
    if (sweep.candidates > 0.0) {
        settle_sweep();
    }
    const double seconds = owed;
    owed = 0.0;
    if (seconds > 0.0) {
        smpi_execute_flops(seconds * CORE_SPEED);
    }
}

/* Seconds that a reduction takes by itself, when all ranks of the team begin it together: the same
 * number on all of them. Who has to wait for whom is not part of it. */
static double measure_team(const void *send, void *receive, int count, MPI_Datatype type, MPI_Op op,
                           MPI_Comm comm)
{
    MPI_Barrier(comm);
    const double began = MPI_Wtime();
    MPI_Allreduce(send, receive, count, type, op, comm);
    double seconds = MPI_Wtime() - began;
    MPI_Allreduce(MPI_IN_PLACE, &seconds, 1, MPI_DOUBLE, MPI_MAX, comm);
    return seconds;
}

int sim_allreduce(const void *send, void *receive, int count, MPI_Datatype type, MPI_Op op,
                  MPI_Comm comm)
{
    sim_flush();
    int ranks;
    int same = MPI_IDENT;
    MPI_Comm_size(comm, &ranks);
    MPI_Comm_compare(comm, MPI_COMM_WORLD, &same);
    if (!sim_is_sampling || sim_draw_stride == 1 || same == MPI_IDENT || type != MPI_DOUBLE) {
        return MPI_Allreduce(send, receive, count, type, op, comm);
    }
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    int power = 0;
    while (1 << power < count && power < SIZES - 1) {
        power++;
    }
    float *seconds = &team_seconds[rank % RANKS][power];
    if (*seconds == 0.0F) {
        *seconds = (float)measure_team(send, receive, count, type, op, comm);
    }
    const int code = MPI_Allreduce(send, receive, count, type, op, comm);
    sim_owe((double)(sim_draw_stride - 1) * (double)*seconds);
    return code;
}

int sim_sendrecv(const void *send, int send_count, MPI_Datatype send_type, int to, int send_tag,
                 void *receive, int receive_count, MPI_Datatype receive_type, int from,
                 int receive_tag, MPI_Comm comm, MPI_Status *status)
{
    sim_flush();
    sim_owe(receive_count * sim_rate.byte);
    return MPI_Sendrecv(send, send_count, send_type, to, send_tag, receive, receive_count,
                        receive_type, from, receive_tag, comm, status);
}

/* What is in memory of this kind is not copied. */
static void *long_message(void *data, int count)
{
    static void *nowhere;
    if (count < LONG_BYTES || count > LONG_MOST) {
        return data;
    }
    if (nowhere == NULL) {
        nowhere = smpi_shared_malloc(LONG_MOST, __FILE__, __LINE__);
    }
    return nowhere;
}

int sim_isend(const void *data, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm,
              MPI_Request *request)
{
    sim_flush();
    return MPI_Isend(long_message((void *)(uintptr_t)data, count), count, type, to, tag, comm,
                     request);
}

int sim_irecv(void *data, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm,
              MPI_Request *request)
{
    sim_flush();
    return MPI_Irecv(long_message(data, count), count, type, from, tag, comm, request);
}

/* Ranks are threads of one process: there is no other way to have the memory of all of them. */
static void *start_of_all;

void *sim_calloc(size_t count, size_t size)
{
    int ranks;
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    const size_t bytes = count * size;
    if (!sim_is_sampling || ranks < START_RANKS || bytes < START_BYTES || bytes > START_MOST) {
        return calloc(count, size);
    }
    if (start_of_all == NULL) {
        start_of_all = mmap(NULL, START_MOST, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    }
    return start_of_all != MAP_FAILED ? start_of_all : NULL;
}

void sim_free(void *memory)
{
    if (memory != start_of_all) {
        free(memory);
    }
}
