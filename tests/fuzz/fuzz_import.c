/* CSV: the name of the label column, which may be empty, then files, each behind a separator. What
 * is imported must be input that a run accepts. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cgm/import.h"
#include "cgm/shard.h"
#include "fuzz.h"

enum { FILES_MAX = 3, OPTIONS = 4 };

static void check_output(const char *path)
{
    cgm_shard shard;
    cgm_comm *comm = fuzz_comm();
    if (cgm_shard_read(comm, path, &shard) != CGM_OK) {
        fprintf(stderr, "what was imported is refused: %s\n", comm->error.message);
        abort();
    }
    cgm_shard_destroy(&shard);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[FILES_MAX] = {"1.csv", "2.csv", "3.csv"};
    char out[FUZZ_PATH];
    char paths[FILES_MAX][FUZZ_PATH];
    fuzz_part rest = {data, size};
    char *label = fuzz_text(fuzz_next(&rest));
    char *arguments[OPTIONS + FILES_MAX] = {"--out", out, "--label-column", label};
    int count = 0;
    fuzz_path(out, "out.h5");
    do {
        fuzz_path(paths[count], names[count]);
        fuzz_write(paths[count], fuzz_next(&rest));
        arguments[OPTIONS + count] = paths[count];
        count++;
    } while (rest.size > 0 && count < FILES_MAX);
    if (cgm_import(fuzz_comm(), OPTIONS + count, arguments) == CGM_OK) {
        check_output(out);
        unlink(out);
    }
    for (int k = 0; k < count; k++) {
        unlink(paths[k]);
    }
    free(label);
    return 0;
}
