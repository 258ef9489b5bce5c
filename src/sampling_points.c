#include <stdlib.h>
#include <string.h>

#include "cgm/sampling.h"

/* Rows asked for, in the order of the ranks that are home to them, and asked of this rank. */
typedef struct enquiry {
    cgm_comm *comm;
    const cgm_candidates *candidates;
    int64_t *begin;  /* [size + 1] the rows of rank r's slice among those below */
    int64_t *asked;  /* [n_rows] indices of candidates, by home */
    int64_t *place;  /* [n_rows] which of the caller's rows each of them is */
    int64_t *others; /* [size] how many rows rank r asks of this one */
    int64_t *theirs; /* what one of them asks for, then the labels that answer it */
    double *out;     /* the points that answer it */
    double *in;      /* points that answer this rank */
    int64_t *labels; /* and labels */
} enquiry;

static int home_of(const cgm_comm *comm, const cgm_candidates *candidates, int64_t index)
{
    int low = 0;
    int high = comm->size;
    while (high - low > 1) {
        const int middle = low + (high - low) / 2;
        if (candidates->first[middle] <= index) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

static void sort_by_home(enquiry *of, const int64_t *indices, int64_t n_rows)
{
    const int size = of->comm->size;
    for (int64_t k = 0; k < n_rows; k++) {
        of->begin[home_of(of->comm, of->candidates, indices[k]) + 1]++;
    }
    for (int r = 0; r < size; r++) {
        of->begin[r + 1] += of->begin[r];
    }
    /* Filling moves each begin to the next one's; then all move back. */
    for (int64_t k = 0; k < n_rows; k++) {
        const int home = home_of(of->comm, of->candidates, indices[k]);
        of->asked[of->begin[home]] = indices[k];
        of->place[of->begin[home]++] = k;
    }
    for (int r = size; r > 0; r--) {
        of->begin[r] = of->begin[r - 1];
    }
    of->begin[0] = 0;
}

static int64_t rows_of(const enquiry *of, int home)
{
    return of->begin[home + 1] - of->begin[home];
}

/* Points and labels of candidates that this rank can read. labels may be NULL, or indices itself */
static void copy_rows(const cgm_candidates *candidates, const int64_t *indices, int64_t n_rows,
                      double *points, int64_t *labels)
{
    const int64_t d = candidates->n_original_features;
    for (int64_t k = 0; k < n_rows; k++) {
        const int64_t row = indices[k] - candidates->held_first;
        memcpy(points + k * d, candidates->original + row * d, (size_t)d * sizeof *points);
        if (labels != NULL) {
            labels[k] = candidates->labels[row];
        }
    }
}

/* Everybody learns how much is asked of it. */
static void exchange_counts(enquiry *of)
{
    cgm_comm *comm = of->comm;
    for (int shift = 0; shift < comm->size; shift++) {
        const int to = (comm->rank + shift) % comm->size;
        const int from = (comm->rank - shift + comm->size) % comm->size;
        const int64_t count = rows_of(of, to);
        if (shift == 0) {
            of->others[from] = count;
        } else {
            cgm_comm_exchange(comm, &count, sizeof count, to, &of->others[from], sizeof count,
                              from);
        }
    }
}

/* Asks one rank, answers another, and puts what was answered in its place. */
static void ask(enquiry *of, int to, int from, double *points, int64_t *labels)
{
    const cgm_candidates *candidates = of->candidates;
    const int64_t d = candidates->n_original_features;
    const int64_t n_asked = rows_of(of, to);
    const int64_t n_theirs = of->others[from];
    const size_t row_bytes = (size_t)d * sizeof *points;
    const size_t n_out = (size_t)n_theirs;
    const size_t n_in = (size_t)n_asked;
    cgm_comm_exchange(of->comm, of->asked + of->begin[to], n_in * sizeof(int64_t), to, of->theirs,
                      n_out * sizeof(int64_t), from);
    copy_rows(candidates, of->theirs, n_theirs, of->out, labels != NULL ? of->theirs : NULL);
    cgm_comm_exchange(of->comm, of->out, n_out * row_bytes, from, of->in, n_in * row_bytes, to);
    if (labels != NULL) {
        cgm_comm_exchange(of->comm, of->theirs, n_out * sizeof *labels, from, of->labels,
                          n_in * sizeof *labels, to);
    }
    for (int64_t k = 0; k < n_asked; k++) {
        const int64_t place = of->place[of->begin[to] + k];
        memcpy(points + place * d, of->in + k * d, row_bytes);
        if (labels != NULL) {
            labels[place] = of->labels[k];
        }
    }
}

static cgm_status enquire(enquiry *of, const int64_t *indices, int64_t n_rows)
{
    cgm_comm *comm = of->comm;
    const int64_t d = of->candidates->n_original_features;
    of->begin = cgm_alloc(comm, comm->size + 1, sizeof *of->begin);
    of->others = cgm_alloc(comm, comm->size, sizeof *of->others);
    of->asked = cgm_alloc(comm, n_rows, sizeof *of->asked);
    of->place = cgm_alloc(comm, n_rows, sizeof *of->place);
    bool complete =
        of->begin != NULL && of->others != NULL && of->asked != NULL && of->place != NULL;
    cgm_status status = cgm_agree(comm, complete ? CGM_OK : CGM_ERR_MEMORY);
    if (status != CGM_OK) {
        return status;
    }
    sort_by_home(of, indices, n_rows);
    exchange_counts(of);
    int64_t most_asked = 0;
    int64_t most_theirs = 0;
    for (int r = 0; r < comm->size; r++) {
        most_asked = rows_of(of, r) > most_asked ? rows_of(of, r) : most_asked;
        most_theirs = of->others[r] > most_theirs ? of->others[r] : most_theirs;
    }
    of->theirs = cgm_alloc(comm, most_theirs, sizeof *of->theirs);
    of->out = cgm_alloc(comm, most_theirs * d, sizeof *of->out);
    of->in = cgm_alloc(comm, most_asked * d, sizeof *of->in);
    of->labels = cgm_alloc(comm, most_asked, sizeof *of->labels);
    complete = of->theirs != NULL && of->out != NULL && of->in != NULL && of->labels != NULL;
    return cgm_agree(comm, complete ? CGM_OK : CGM_ERR_MEMORY);
}

cgm_status cgm_sampling_points(cgm_comm *comm, const cgm_candidates *candidates,
                               const int64_t *indices, int64_t n_rows, double *points,
                               int64_t *labels)
{
    if (!candidates->sliced) {
        copy_rows(candidates, indices, n_rows, points, labels);
        return CGM_OK;
    }
    enquiry of = {.comm = comm, .candidates = candidates};
    cgm_status status = enquire(&of, indices, n_rows);
    for (int shift = 0; shift < comm->size && status == CGM_OK; shift++) {
        ask(&of, (comm->rank + shift) % comm->size, (comm->rank - shift + comm->size) % comm->size,
            points, labels);
    }
    free(of.begin);
    free(of.asked);
    free(of.place);
    free(of.others);
    free(of.theirs);
    free(of.out);
    free(of.in);
    free(of.labels);
    return status;
}
