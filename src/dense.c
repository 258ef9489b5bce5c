#include "cgm/dense.h"

#include <cblas.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* LAPACK, ScaLAPACK and BLACS have no C headers. Fortran passes the lengths of texts at the end. */
void dsyevd_(const char *job, const char *triangle, const int *n, double *a, const int *stride,
             double *values, double *work, const int *n_work, int *integers, const int *n_integers,
             int *info, size_t job_length, size_t triangle_length);
void dpotrf_(const char *triangle, const int *n, double *a, const int *stride, int *info, size_t);
void dpotri_(const char *triangle, const int *n, double *a, const int *stride, int *info, size_t);
void dgeqrf_(const int *rows, const int *columns, double *a, const int *stride, double *factors,
             double *work, const int *n_work, int *info);
void dorgqr_(const int *rows, const int *columns, const int *n_factors, double *a,
             const int *stride, const double *factors, double *work, const int *n_work, int *info);
void pilaver_(int *major, int *minor, int *patch);
int numroc_(const int *n, const int *block, const int *place, const int *first, const int *places);
void descinit_(int *descriptor, const int *rows, const int *columns, const int *row_block,
               const int *column_block, const int *first_row, const int *first_column,
               const int *context, const int *stride, int *info);
void pdsyev_(const char *job, const char *triangle, const int *n, double *a, const int *row,
             const int *column, const int *descriptor, double *values, double *vectors,
             const int *vectors_row, const int *vectors_column, const int *vectors_descriptor,
             double *work, const int *n_work, int *info, size_t job_length, size_t triangle_length);
void pdsyevd_(const char *job, const char *triangle, const int *n, double *a, const int *row,
              const int *column, const int *descriptor, double *values, double *vectors,
              const int *vectors_row, const int *vectors_column, const int *vectors_descriptor,
              double *work, const int *n_work, int *integers, const int *n_integers, int *info,
              size_t job_length, size_t triangle_length);
int Csys2blacs_handle(MPI_Comm comm);
void Cfree_blacs_system_handle(int handle);
void Cblacs_gridinit(int *context, const char *order, int rows, int columns);
void Cblacs_gridexit(int context);
void Cblacs_exit(int go_on);

void cgm_dense_initialise(void)
{
    openblas_set_num_threads(1);
}

cgm_status cgm_dense_reserve(cgm_comm *comm)
{
    const size_t bytes = (size_t)160 << 20; /* OpenBLAS takes 128 MiB for a caller */
    if (!cgm_can_map(bytes)) {
        return cgm_fail(comm, CGM_ERR_MEMORY,
                        "no memory for the %zu MiB that BLAS works in; use fewer ranks a node, or "
                        "ask for more memory a rank (ulimit -v)",
                        bytes >> 20);
    }
    const double a[1] = {1.0};
    double y[1] = {0.0};
    cblas_dsymv(CblasRowMajor, CblasUpper, 1, 1.0, a, 1, a, 1, 0.0, y, 1);
    return CGM_OK;
}

void cgm_dense_multiply(int64_t rows, int64_t columns, int64_t inner, const double *a,
                        const double *b, double *c)
{
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, cgm_int(rows), cgm_int(columns),
                cgm_int(inner), 1.0, a, cgm_int(inner), b, cgm_int(columns), 0.0, c,
                cgm_int(columns));
}

void cgm_dense_multiply_columns(int64_t rows, int64_t columns, int64_t inner, const double *a,
                                const double *b, int64_t stride, double *c)
{
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, cgm_int(rows), cgm_int(columns),
                cgm_int(inner), 1.0, a, cgm_int(stride), b, cgm_int(stride), 0.0, c,
                cgm_int(columns));
}

/* ---- eigenproblems by LAPACK ---- */

static cgm_status fail_to_converge(cgm_comm *comm, const char *routine, int info)
{
    return cgm_fail(comm, CGM_ERR_BUG, "%s finds no eigenvalues: it ends with code %d", routine,
                    info);
}

/* With job "V" the eigenvectors come as Fortran's columns, which are rows here; with "N" what a
 * holds is lost. */
static cgm_status solve_local(cgm_comm *comm, const char *job, int64_t n, double *a, double *values)
{
    const int order = cgm_int(n);
    const int enquiry = -1;
    double most = 0.0;
    int n_integers = 0;
    int info = 0;
    dsyevd_(job, "U", &order, a, &order, values, &most, &enquiry, &n_integers, &enquiry, &info, 1,
            1);
    const int n_work = cgm_int((int64_t)most);
    double *work = cgm_alloc(comm, n_work, sizeof *work);
    int *integers = cgm_alloc(comm, n_integers, sizeof *integers);
    cgm_status status = CGM_ERR_MEMORY;
    if (work != NULL && integers != NULL) {
        dsyevd_(job, "U", &order, a, &order, values, work, &n_work, integers, &n_integers, &info, 1,
                1);
        status = info == 0 ? CGM_OK : fail_to_converge(comm, "dsyevd", info);
    }
    free(work);
    free(integers);
    return status;
}

cgm_status cgm_dense_eigen(cgm_comm *comm, int64_t n, double *a, double *values)
{
    return solve_local(comm, "V", n, a, values);
}

/* dorgqr wants no more work space than dgeqrf. */
cgm_status cgm_dense_rotation(cgm_comm *comm, int64_t n, double *a)
{
    const int order = cgm_int(n);
    const int enquiry = -1;
    double most = 0.0;
    int info = 0;
    dgeqrf_(&order, &order, a, &order, a, &most, &enquiry, &info);
    const int n_work = cgm_int((int64_t)most);
    double *factors = cgm_alloc(comm, 2 * n + n_work, sizeof *factors);
    if (factors == NULL) {
        return CGM_ERR_MEMORY;
    }
    double *signs = factors + n;
    dgeqrf_(&order, &order, a, &order, factors, signs + n, &n_work, &info);
    for (int64_t k = 0; k < n; k++) {
        signs[k] = a[k * n + k] < 0.0 ? -1.0 : 1.0;
    }
    dorgqr_(&order, &order, &order, a, &order, factors, signs + n, &n_work, &info);
    for (int64_t k = 0; k < n * n; k++) {
        a[k] *= signs[k / n];
    }
    free(factors);
    return CGM_OK;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Rows of a from the block row at first on. block [CGM_DENSE_BLOCK²] is work space. */
static void fill_rows(const cgm_symmetric *matrix, int64_t first, double *a, double *block)
{
    const int64_t n = matrix->n;
    const int64_t rows = least(n - first, CGM_DENSE_BLOCK);
    for (int64_t column = 0; column < n; column += CGM_DENSE_BLOCK) {
        const int64_t columns = least(n - column, CGM_DENSE_BLOCK);
        matrix->fill(matrix->state, first, rows, column, columns, block);
        for (int64_t i = 0; i < rows; i++) {
            memcpy(a + (first + i) * n + column, block + i * columns,
                   (size_t)columns * sizeof *block);
        }
    }
}

/* values ascending; vectors [n_vectors][n] from that of the largest on. */
static cgm_status solve_alone(cgm_comm *comm, const cgm_symmetric *matrix, int64_t n_vectors,
                              double *values, double *vectors)
{
    const int64_t n = matrix->n;
    double *a = cgm_alloc(comm, n * n, sizeof *a);
    double *block = cgm_alloc(comm, CGM_DENSE_BLOCK * CGM_DENSE_BLOCK, sizeof *block);
    cgm_status status = a != NULL && block != NULL ? CGM_OK : CGM_ERR_MEMORY;
    for (int64_t first = 0; first < n && status == CGM_OK; first += CGM_DENSE_BLOCK) {
        fill_rows(matrix, first, a, block);
    }
    if (status == CGM_OK) {
        status = solve_local(comm, n_vectors > 0 ? "V" : "N", n, a, values);
    }
    for (int64_t k = 0; k < n_vectors && status == CGM_OK; k++) {
        memcpy(vectors + k * n, a + (n - 1 - k) * n, (size_t)n * sizeof *vectors);
    }
    free(a);
    free(block);
    return status;
}

/* ---- eigenproblems by ScaLAPACK ---- */

static const int one = 1;
static const int zero = 0;
static const int block_rows = CGM_DENSE_BLOCK;

/* The ranks as a rectangle, and the part of a matrix that one of them has: block (i, j) lies at row
 * i mod rows and column j mod columns. In memory, columns of stride rows follow each other. */
typedef struct grid {
    int context; /* of BLACS; negative: this rank is left over */
    int rows, columns;
    int row, column;
    int64_t local_rows, local_columns;
    int descriptor[9];
} grid;

/* As square as may be: of 5 ranks one is left over rather than all in a row. */
static void choose_shape(int size, grid *on)
{
    on->rows = 1;
    while ((on->rows + 1) * (on->rows + 1) <= size) {
        on->rows++;
    }
    on->columns = size / on->rows;
}

/* What a rank has of n rows; rank by rank along the rows of the rectangle. */
static void choose_part(int64_t n, int rank, grid *on)
{
    const int order = cgm_int(n);
    on->row = rank / on->columns;
    on->column = rank % on->columns;
    on->local_rows = numroc_(&order, &block_rows, &on->row, &zero, &on->rows);
    on->local_columns = numroc_(&order, &block_rows, &on->column, &zero, &on->columns);
}

/* Collective. */
static void open_grid(cgm_comm *comm, int64_t n, int *handle, grid *on)
{
    const int order = cgm_int(n);
    choose_shape(comm->size, on);
    *handle = Csys2blacs_handle(comm->world);
    on->context = *handle;
    Cblacs_gridinit(&on->context, "Row", on->rows, on->columns);
    if (comm->rank >= on->rows * on->columns) {
        on->context = -1;
        return;
    }
    choose_part(n, comm->rank, on);
    const int stride = on->local_rows > 0 ? (int)on->local_rows : 1;
    int info = 0;
    descinit_(on->descriptor, &order, &order, &block_rows, &block_rows, &zero, &zero, &on->context,
              &stride, &info);
}

/* Collective. All that BLACS allocated goes, so that nothing is left when MPI ends. */
static void close_grid(int handle, const grid *on)
{
    if (on->context >= 0) {
        Cblacs_gridexit(on->context);
    }
    Cfree_blacs_system_handle(handle);
    Cblacs_exit(1);
}

/* Place in the matrix of local row or column number local, in a line of so many ranks. */
static int64_t global_place(int64_t local, int at, int ranks)
{
    const int64_t block = local / CGM_DENSE_BLOCK;
    return (block * ranks + at) * CGM_DENSE_BLOCK + local % CGM_DENSE_BLOCK;
}

/* This rank's part of the matrix. Being symmetric it is asked for with rows and columns exchanged,
 * so that blocks come in the order of memory. block [CGM_DENSE_BLOCK²] is work space. */
static void fill_part(const cgm_symmetric *matrix, const grid *on, double *part, double *block)
{
    for (int64_t j = 0; j < on->local_columns; j += CGM_DENSE_BLOCK) {
        const int64_t columns = least(on->local_columns - j, CGM_DENSE_BLOCK);
        for (int64_t i = 0; i < on->local_rows; i += CGM_DENSE_BLOCK) {
            const int64_t rows = least(on->local_rows - i, CGM_DENSE_BLOCK);
            matrix->fill(matrix->state, global_place(j, on->column, on->columns), columns,
                         global_place(i, on->row, on->rows), rows, block);
            for (int64_t c = 0; c < columns; c++) {
                memcpy(part + (j + c) * on->local_rows + i, block + c * rows,
                       (size_t)rows * sizeof *block);
            }
        }
    }
}

/* ScaLAPACK's arguments; what it needs to work with is asked first. */
typedef struct problem {
    const grid *on;
    int order;
    bool has_vectors;
    double *part;
    double *values;  /* [order] ascending */
    double *vectors; /* this rank's part of them */
    int n_work, n_integers;
    double *work;
    int *integers;
} problem;

static int call(problem *of, double *work, int n_work, int *integers, int n_integers)
{
    const int *descriptor = of->on->descriptor;
    int info = 0;
    if (of->has_vectors) {
        pdsyevd_("V", "U", &of->order, of->part, &one, &one, descriptor, of->values, of->vectors,
                 &one, &one, descriptor, work, &n_work, integers, &n_integers, &info, 1, 1);
    } else {
        pdsyev_("N", "U", &of->order, of->part, &one, &one, descriptor, of->values, of->vectors,
                &one, &one, descriptor, work, &n_work, &info, 1, 1);
    }
    return info;
}

/* Fortran counts in int: entries of a part, and of what ScaLAPACK works with. */
static cgm_status fail_too_long(cgm_comm *comm, int64_t n)
{
    return cgm_fail(comm, CGM_ERR_MEMORY,
                    "the parts of a matrix of %lld rows on %d ranks are too long for ScaLAPACK; "
                    "start more ranks",
                    (long long)n, comm->size);
}

/* Room for everything, on a rank of the grid. */
static cgm_status allocate(cgm_comm *comm, problem *of)
{
    const int64_t count = of->on->local_rows * of->on->local_columns;
    if (count > INT_MAX) {
        return fail_too_long(comm, of->order);
    }
    of->part = cgm_alloc(comm, count, sizeof *of->part);
    of->vectors = cgm_alloc(comm, of->has_vectors ? count : 0, sizeof *of->vectors);
    if (of->part == NULL || of->vectors == NULL) {
        return CGM_ERR_MEMORY;
    }
    double most = 0.0;
    int most_integers = 0;
    call(of, &most, -1, &most_integers, -1);
    /* For small matrices pdsyevd asks for less than the routine needs that it hands the rest to
     * (pdormtr), whose complaint it does not pass on. */
    most += CGM_DENSE_BLOCK *
            (double)(of->on->local_rows + of->on->local_columns + 2 * CGM_DENSE_BLOCK);
    if (most > INT_MAX) {
        return fail_too_long(comm, of->order);
    }
    of->n_work = (int)most;
    of->n_integers = most_integers;
    of->work = cgm_alloc(comm, of->n_work, sizeof *of->work);
    of->integers = cgm_alloc(comm, of->n_integers, sizeof *of->integers);
    return of->work != NULL && of->integers != NULL ? CGM_OK : CGM_ERR_MEMORY;
}

/* Collective. Each entry of the leading eigenvectors is on one rank: the union of its bits with the
 * others' zeros is the entry. */
static void gather_vectors(cgm_comm *comm, const problem *of, int64_t n_vectors, double *vectors)
{
    const int64_t n = of->order;
    const grid *on = of->on;
    memset(vectors, 0, (size_t)(n_vectors * n) * sizeof *vectors);
    for (int64_t j = 0; j < on->local_columns; j++) {
        const int64_t k = n - 1 - global_place(j, on->column, on->columns);
        for (int64_t i = 0; i < on->local_rows && k < n_vectors; i++) {
            vectors[k * n + global_place(i, on->row, on->rows)] =
                of->vectors[j * on->local_rows + i];
        }
    }
    void *words = vectors;
    cgm_comm_or(comm, words, n_vectors * n);
}

static cgm_status solve_together(cgm_comm *comm, const cgm_symmetric *matrix, int64_t n_vectors,
                                 double *values, double *vectors)
{
    int handle;
    grid on = {0};
    open_grid(comm, matrix->n, &handle, &on);
    problem of = {
        .on = &on, .order = cgm_int(matrix->n), .has_vectors = n_vectors > 0, .values = values};
    double *block = cgm_alloc(comm, CGM_DENSE_BLOCK * CGM_DENSE_BLOCK, sizeof *block);
    cgm_status status = block != NULL ? CGM_OK : CGM_ERR_MEMORY;
    if (status == CGM_OK && on.context >= 0) {
        status = allocate(comm, &of);
    }
    status = cgm_agree(comm, status);
    if (status == CGM_OK && on.context >= 0) {
        fill_part(matrix, &on, of.part, block);
        const int info = call(&of, of.work, of.n_work, of.integers, of.n_integers);
        status = info == 0 ? CGM_OK : fail_to_converge(comm, "ScaLAPACK", info);
    }
    status = cgm_agree(comm, status);
    if (status == CGM_OK && n_vectors > 0) {
        gather_vectors(comm, &of, n_vectors, vectors);
    }
    free(block);
    free(of.part);
    free(of.vectors);
    free(of.work);
    free(of.integers);
    close_grid(handle, &on);
    return status;
}

/* ---- either of them ---- */

bool cgm_dense_is_shared(int64_t n, cgm_eigensolver solver)
{
    return solver == CGM_EIGEN_SCALAPACK || (solver == CGM_EIGEN_AUTO && n > CGM_LAPACK_MOST);
}

int64_t cgm_dense_entries(int64_t n, cgm_eigensolver solver, int size, int rank)
{
    if (!cgm_dense_is_shared(n, solver)) {
        return rank == 0 ? n * n : 0;
    }
    grid on = {0};
    choose_shape(size, &on);
    if (rank >= on.rows * on.columns) {
        return 0;
    }
    choose_part(n, rank, &on);
    return on.local_rows * on.local_columns;
}

cgm_status cgm_dense_leading(cgm_comm *comm, const cgm_symmetric *matrix, cgm_eigensolver solver,
                             int64_t n_vectors, double *values, double *vectors)
{
    const int64_t n = matrix->n;
    cgm_status status = CGM_OK;
    if (cgm_dense_is_shared(n, solver)) {
        status = solve_together(comm, matrix, n_vectors, values, vectors);
    } else {
        if (comm->rank == 0) {
            status = solve_alone(comm, matrix, n_vectors, values, vectors);
        }
        status = cgm_agree(comm, status);
        if (status == CGM_OK && n_vectors > 0) {
            cgm_comm_broadcast(comm, vectors, (size_t)(n_vectors * n) * sizeof *vectors, 0);
        }
    }
    if (status != CGM_OK) {
        return status;
    }
    cgm_comm_broadcast(comm, values, (size_t)n * sizeof *values, 0);
    for (int64_t k = 0; k < n / 2; k++) {
        const double value = values[k];
        values[k] = values[n - 1 - k];
        values[n - 1 - k] = value;
    }
    return CGM_OK;
}

const char *cgm_dense_blas_version(void)
{
    return openblas_get_config();
}

void cgm_dense_scalapack_version(char text[32])
{
    int major = 0;
    int minor = 0;
    int patch = 0;
    pilaver_(&major, &minor, &patch);
    snprintf(text, 32, "%d.%d.%d", major, minor, patch);
}

void cgm_dense_multiply_by_transposed(int64_t rows, int64_t columns, int64_t inner, const double *a,
                                      const double *b, double *c)
{
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, cgm_int(rows), cgm_int(columns),
                cgm_int(inner), 1.0, a, cgm_int(inner), b, cgm_int(inner), 0.0, c,
                cgm_int(columns));
}

/* LAPACK's columns are our rows, so that its lower triangle is our upper one. */
bool cgm_dense_cholesky(int64_t n, double *a)
{
    const int order = cgm_int(n);
    int info = 0;
    dpotrf_("L", &order, a, &order, &info, 1);
    return info == 0;
}

void cgm_dense_invert(int64_t n, double *factor)
{
    const int order = cgm_int(n);
    int info = 0;
    dpotri_("L", &order, factor, &order, &info, 1);
}

void cgm_dense_multiply_transposed(int64_t rows, int64_t columns, int64_t inner, const double *a,
                                   const double *b, double *c)
{
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, cgm_int(rows), cgm_int(columns),
                cgm_int(inner), 1.0, a, cgm_int(rows), b, cgm_int(columns), 0.0, c,
                cgm_int(columns));
}
