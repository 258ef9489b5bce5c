#include "party_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgm/output.h"
#include "cgm/verify.h"
#include "samples.h"

const int64_t party_sizes[N_PARTIES] = {151, 157, 163, 167, 173, 179, 181, 191};

#define TEN "xxxxxxxxxx"
#define NINETY TEN TEN TEN TEN TEN TEN TEN TEN TEN

const char *const party_names[N_PARTIES] = {
    "..evil",         ".hidden",   "100%2F",          "a b",
    "h\xc3\xb4pital", "tab there", NINETY NINETY "1", NINETY NINETY "2",
};

static void name_files(cgm_comm *comm, party_run *all)
{
    int64_t process = getpid();
    cgm_comm_broadcast(comm, &process, sizeof process, 0);
    *all = (party_run){0};
    snprintf(all->home, sizeof all->home, "/tmp/cgm-test-party-%lld", (long long)process);
    snprintf(all->data, PATH_BYTES, "%s/data.h5", all->home);
    snprintf(all->options, PATH_BYTES, "%s/run.ini", all->home);
    snprintf(all->result, PATH_BYTES, "%s/result.h5", all->home);
    snprintf(all->parties, PATH_BYTES, "%s/parties", all->home);
    snprintf(all->own, PATH_BYTES, "%s/own.h5", all->home);
}

void party_run_file(const party_run *all, int party, char path[PATH_BYTES])
{
    char file[CGM_PARTY_FILE_NAME];
    cgm_party_file_name(party_names[party], party, file);
    snprintf(path, PATH_BYTES, "%.200s/%s", all->parties, file);
}

static void remove_results(cgm_comm *comm, const party_run *all)
{
    cgm_comm_barrier(comm);
    if (comm->rank == 0) {
        remove(all->result);
        for (int i = 0; i < N_PARTIES; i++) {
            char path[PATH_BYTES];
            party_run_file(all, i, path);
            remove(path);
        }
        rmdir(all->parties);
    }
    cgm_comm_barrier(comm);
}

void party_run_remove(cgm_comm *comm, const party_run *all)
{
    remove_results(comm, all);
    if (comm->rank == 0) {
        remove(all->data);
        remove(all->options);
        remove(all->own);
        rmdir(all->home);
    }
    cgm_comm_barrier(comm);
}

/* ---- input ---- */

/* Points of party i, or of the pool for N_PARTIES, around a place of its own. */
void party_run_points(int i, int64_t count, double *points, int64_t *labels)
{
    for (int64_t k = 0; k < count; k++) {
        const uint64_t at = (uint64_t)(k * (D + 1));
        labels[k] = (int64_t)(4 * sample_number((uint64_t)i, at));
        const double spread = i == N_PARTIES ? 1.0 : 0.5;
        points[k * D] = spread * sample_number((uint64_t)i, at + 1) + 0.06 * (i % N_PARTIES);
        points[k * D + 1] = spread * sample_number((uint64_t)i, at + 2) + 0.5 * (i % 2);
    }
}

static void write_points(cgm_h5_file *file, const char *group, int64_t count, const double *points,
                         const int64_t *labels)
{
    const int64_t dims[2] = {count, D};
    char path[64];
    snprintf(path, sizeof path, "%s/data", group);
    cgm_h5_write(file, path, CGM_H5_DOUBLE, 2, dims, 0, count, points);
    snprintf(path, sizeof path, "%s/labels", group);
    cgm_h5_write(file, path, CGM_H5_INT64, 1, dims, 0, count, labels);
}

/* All parties in the packed layout, where a name may be anything.  On rank 0. */
static bool write_input(cgm_comm *comm, const party_run *all)
{
    int64_t offsets[N_PARTIES + 1] = {0};
    for (int i = 0; i < N_PARTIES; i++) {
        offsets[i + 1] = offsets[i] + party_sizes[i];
    }
    const int64_t total = offsets[N_PARTIES];
    double *points = malloc((size_t)(total + POOL) * D * sizeof *points);
    int64_t *labels = malloc((size_t)(total + POOL) * sizeof *labels);
    for (int i = 0; i < N_PARTIES; i++) {
        party_run_points(i, party_sizes[i], points + offsets[i] * D, labels + offsets[i]);
    }
    party_run_points(N_PARTIES, POOL, points + total * D, labels + total);
    cgm_h5_file file;
    cgm_h5_create(comm, all->data, false, &file);
    write_points(&file, "/packed", total, points, labels);
    write_points(&file, "/candidates", POOL, points + total * D, labels + total);
    const int64_t n_offsets = N_PARTIES + 1;
    cgm_h5_write(&file, "/packed/offsets", CGM_H5_INT64, 1, &n_offsets, 0, n_offsets, offsets);
    cgm_h5_write_texts(&file, "/packed/name", N_PARTIES, (char *const *)party_names);
    free(points);
    free(labels);
    return cgm_h5_finish(&file) == CGM_OK;
}

/* One party's data as it keeps them itself.  On rank 0. */
bool party_run_write_own(cgm_comm *comm, const party_run *all, int party)
{
    double points[256 * D];
    int64_t labels[256];
    party_run_points(party, party_sizes[party], points, labels);
    cgm_h5_file file;
    cgm_h5_create(comm, all->own, false, &file);
    write_points(&file, "", party_sizes[party], points, labels);
    return cgm_h5_finish(&file) == CGM_OK;
}

void party_run_begin(cgm_comm *comm, party_run *all)
{
    name_files(comm, all);
    bool written = true;
    if (comm->rank == 0) {
        mkdir(all->home, 0700);
        written = write_input(comm, all);
    }
    assert_all_ranks(comm, written);
}

/* Runs with more lines of options; the cause stays in comm->error. */
cgm_status party_run_with(cgm_comm *comm, const party_run *all, const char *more)
{
    if (comm->rank == 0) {
        FILE *options = fopen(all->options, "w");
        fprintf(options,
                "[input]\nparties = %s\n[output]\nfile = %s\nparty_dir = %s\n%s\n[run]\n"
                "progress = 0\n",
                all->data, all->result, all->parties, more);
        fclose(options);
    }
    cgm_comm_barrier(comm);
    comm->error = (cgm_error){.status = CGM_OK};
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s", all->options);
    char *arguments[] = {path};
    cgm_config config;
    assert_all_ranks(comm, cgm_config_load(comm, 1, arguments, &config) == CGM_OK);
    cgm_status status = cgm_pipeline_run(comm, &config, "the command line");
    cgm_config_destroy(&config);
    return status;
}

cgm_status party_run_verify(cgm_comm *comm, const char *result, const char *party, const char *own)
{
    char copies[4][PATH_BYTES];
    char *arguments[4];
    const char *given[4] = {result, "--party", party, own};
    for (int k = 0; k < 4; k++) {
        snprintf(copies[k], PATH_BYTES, "%s", given[k]);
        arguments[k] = copies[k];
    }
    comm->error = (cgm_error){.status = CGM_OK};
    cgm_comm_barrier(comm);
    cgm_status status = cgm_verify(comm, 4, arguments);
    cgm_comm_barrier(comm);
    return status;
}
