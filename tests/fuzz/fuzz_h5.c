// libfuzzer: -detect_leaks=0
/* HDF5: a file as input of a run, and all that it holds read as if it were a
 * result. HDF5 keeps memory from one file to the next, and looking for leaks after each would take
 * nearly all the time. */
#include <unistd.h>

#include "cgm/generator.h"
#include "cgm/h5.h"
#include "cgm/result.h"
#include "cgm/shard.h"
#include "fuzz.h"

static void read_as_input(const char *path)
{
    cgm_shard shard;
    cgm_candidates candidates;
    cgm_comm *comm = fuzz_comm();
    if (cgm_shard_read(comm, path, &shard) != CGM_OK) {
        return;
    }
    if (cgm_candidates_read(comm, path, &shard, CGM_POOL_RANKS, &candidates) == CGM_OK) {
        cgm_candidates_destroy(&candidates);
    }
    cgm_shard_destroy(&shard);
}

static void read_as_result(const char *path)
{
    cgm_h5_file file;
    uint64_t checksum;
    if (cgm_h5_open(fuzz_comm(), path, &file) == CGM_OK) {
        cgm_result_checksum(&file, 0, 1, &checksum);
    }
    cgm_h5_close(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[FUZZ_PATH];
    fuzz_path(path, "input.h5");
    fuzz_write(path, (fuzz_part){data, size});
    read_as_input(path);
    read_as_result(path);
    unlink(path);
    return 0;
}
