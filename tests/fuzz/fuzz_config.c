/* Options: CONFIG.ini, then arguments, each behind a separator. What is accepted must come back the
 * same from the text that a result keeps of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgm/config.h"
#include "fuzz.h"

enum { ARGUMENTS_MAX = 16 };

/* The options as text, of a configuration that must be sound. */
static char *read_again(const char *text)
{
    char path[FUZZ_PATH];
    char *argument = path;
    cgm_config config;
    fuzz_path(path, "again.ini");
    fuzz_write(path, (fuzz_part){(const uint8_t *)text, strlen(text)});
    char *again = NULL;
    cgm_comm *comm = fuzz_comm();
    if (cgm_config_load(comm, 1, &argument, &config) == CGM_OK) {
        again = cgm_config_text(comm, &config, false);
        cgm_config_destroy(&config);
    }
    unlink(path);
    return again;
}

static void check_text(const cgm_config *config)
{
    char *text = cgm_config_text(fuzz_comm(), config, false);
    char *again = text != NULL ? read_again(text) : NULL;
    if (again == NULL || strcmp(text, again) != 0) {
        fprintf(stderr, "does not read back: %s\n--\n%s\n%s", fuzz_comm()->error.message, text,
                again != NULL ? again : "");
        abort();
    }
    free(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_part rest = {data, size};
    char path[FUZZ_PATH];
    char *arguments[ARGUMENTS_MAX] = {path};
    int count = 1;
    fuzz_path(path, "input.ini");
    fuzz_write(path, fuzz_next(&rest));
    while (rest.size > 0 && count < ARGUMENTS_MAX) {
        arguments[count++] = fuzz_text(fuzz_next(&rest));
    }
    cgm_config config;
    if (cgm_config_load(fuzz_comm(), count, arguments, &config) == CGM_OK) {
        check_text(&config);
        cgm_config_destroy(&config);
    }
    for (int k = 1; k < count; k++) {
        free(arguments[k]);
    }
    unlink(path);
    return 0;
}
