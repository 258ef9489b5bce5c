// libfuzzer: -detect_leaks=0
/* A checkpoint of a small run: its head, and all that it may hold, whatever its checksum says. HDF5
 * keeps memory from one file to the next, and looking for leaks after each would take nearly all
 * the time. */
#include <stdlib.h>
#include <unistd.h>

#include "../../src/checkpoint_file.h"
#include "../../src/kept_sums.h"
#include "cgm/pipeline.h"
#include "fuzz.h"

enum { PARTIES = 2, POINTS = 5, CANDIDATES = 20, INV_TEMPS = 2 };

/* The parts of a run that a checkpoint is read against. */
static cgm_run small_run(const cgm_config *config)
{
    static int64_t points[PARTIES] = {POINTS, POINTS};
    static int64_t first_party[2] = {0, PARTIES};
    static int64_t first_candidate[2] = {0, CANDIDATES};
    return (cgm_run){
        .config = config,
        .shard = {.n_parties = PARTIES, .party_points = points, .first_party = first_party},
        .candidates = {.n_points = CANDIDATES, .first = first_candidate},
    };
}

static void allocate_partial(const cgm_run *run, cgm_partial_sums *partial)
{
    cgm_comm *comm = fuzz_comm();
    const int64_t layers = cgm_candidate_layers_count(PARTIES, CANDIDATES);
    *partial = (cgm_partial_sums){.n_parties = PARTIES, .end_row = PARTIES};
    cgm_units_create(comm, &run->shard, CANDIDATES, &partial->units);
    partial->party_sums = cgm_alloc(comm, PARTIES * PARTIES, sizeof(cgm_accumulator));
    partial->party_candidate_sums = cgm_alloc(comm, PARTIES + 1, sizeof(cgm_accumulator));
    partial->layers = (cgm_candidate_layers){
        .n_layers = layers, .n_total = CANDIDATES, .n_candidates = CANDIDATES};
    partial->layers.sums.high = cgm_alloc(comm, 2 * layers * CANDIDATES, sizeof(int64_t));
    partial->layers.sums.low = partial->layers.sums.high + layers * CANDIDATES;
}

static void release_partial(cgm_partial_sums *partial)
{
    cgm_units_destroy(&partial->units);
    free(partial->party_sums);
    free(partial->party_candidate_sums);
    free(partial->layers.sums.high);
}

/* As a run goes on from it. */
static void read_sums(const cgm_run *run, const char *path, cgm_kept kept)
{
    static const int64_t places[PARTIES] = {0, 1};
    const kept_parties parties = {PARTIES, places};
    cgm_partial_sums partial;
    cgm_h5_file file;
    allocate_partial(run, &partial);
    if (kept >= CGM_KEPT_SUMS) {
        kept_sums_fill(fuzz_comm(), path, &parties, &partial);
    } else if (cgm_h5_open(fuzz_comm(), path, &file) == CGM_OK) {
        checkpoint_file_read_partial(&file, &partial);
        cgm_h5_close(&file);
    }
    release_partial(&partial);
}

static void read_checkpoint(const char *path)
{
    static double inv_temp[INV_TEMPS] = {1.0, 2.0};
    const cgm_config config = {.inv_temp = inv_temp, .n_inv_temp = INV_TEMPS};
    const cgm_run run = small_run(&config);
    cgm_checkpoint checkpoint = {.run = &run};
    checkpoint_head head;
    cgm_h5_file file;
    if (cgm_h5_open(fuzz_comm(), path, &file) != CGM_OK) {
        return;
    }
    const cgm_status status = checkpoint_file_read_head(&file, &head);
    checkpoint.found = head.kept;
    if (status == CGM_OK) {
        checkpoint_file_read(&file, &checkpoint);
        checkpoint_file_release(&checkpoint);
    }
    cgm_h5_close(&file);
    checkpoint_head_destroy(&head);
    if (status == CGM_OK && checkpoint.found >= CGM_KEPT_PARTIAL) {
        read_sums(&run, path, checkpoint.found);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[FUZZ_PATH];
    fuzz_path(path, "checkpoint.h5");
    fuzz_write(path, (fuzz_part){data, size});
    read_checkpoint(path);
    unlink(path);
    return 0;
}
