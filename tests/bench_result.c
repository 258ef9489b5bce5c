/* What tests/bench.sh and tests/slow.sh want to know of a result file, each as a line of a name and
 * a number: seconds and kernel evaluations of every stage, draws over all parties and inverse
 * temperatures, and error estimate of the Shapley values over the largest.
 *
 *     bench_result RESULT.h5 */
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

#include "cgm/h5.h"

static void print_stages(const cgm_h5_file *file)
{
    cgm_h5_texts names;
    double *seconds = cgm_h5_read(file, "/timings/max", NULL, CGM_H5_DOUBLE, NULL);
    double *work = cgm_h5_read(file, "/timings/kernel_evaluations", NULL, CGM_H5_DOUBLE, NULL);
    if (cgm_h5_read_texts(file, "/timings/stage", NULL, &names) == CGM_OK && seconds != NULL &&
        work != NULL) {
        for (int64_t k = 0; k < names.count; k++) {
            printf("seconds_%s %.6g\nevaluations_%s %.17g\n", names.text[k], seconds[k],
                   names.text[k], work[k]);
        }
        cgm_h5_texts_destroy(&names);
    }
    free(seconds);
    free(work);
}

static void print_draws(const cgm_h5_file *file)
{
    cgm_h5_texts sets;
    double total = 0.0;
    if (cgm_h5_list(file, "/sampling", false, &sets) != CGM_OK) {
        return;
    }
    for (int64_t s = 0; s < sets.count; s++) {
        char path[128];
        cgm_h5_info info;
        snprintf(path, sizeof path, "/sampling/%s/draws", sets.text[s]);
        double *draws = cgm_h5_read(file, path, NULL, CGM_H5_DOUBLE, &info);
        for (int64_t i = 0; draws != NULL && i < info.count; i++) {
            total += draws[i];
        }
        free(draws);
    }
    printf("draws %.17g\n", total);
    cgm_h5_texts_destroy(&sets);
}

static void print_shapley(const cgm_h5_file *file)
{
    cgm_h5_info info;
    double error = NAN;
    double largest = 0.0;
    double *phi = cgm_h5_read(file, "/shapley/phi", NULL, CGM_H5_DOUBLE, &info);
    cgm_h5_read_scalar(file, "/shapley", "error_estimate", CGM_H5_DOUBLE, &error);
    for (int64_t i = 0; phi != NULL && i < info.count; i++) {
        largest = fmax(largest, fabs(phi[i]));
    }
    free(phi);
    printf("shapley_error %.6g\n", error / largest);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    cgm_comm comm;
    cgm_comm_create(MPI_COMM_WORLD, &comm);
    cgm_h5_file file = {0};
    cgm_status status = argc == 2 ? cgm_h5_open(&comm, argv[1], &file) : CGM_ERR_USAGE;
    if (status == CGM_OK) {
        print_stages(&file);
        print_draws(&file);
        print_shapley(&file);
        status = comm.error.status;
    }
    if (status != CGM_OK) {
        fprintf(stderr, "bench_result: %s\n", argc == 2 ? comm.error.message : "one file, please");
    }
    cgm_h5_close(&file);
    cgm_comm_destroy(&comm);
    MPI_Finalize();
    return (int)status;
}
