#include "newfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

cgm_status cgm_newfile_check(cgm_comm *comm, const char *path, const char *option)
{
    if (access(path, F_OK) != 0) {
        return CGM_OK;
    }
    return cgm_fail(comm, CGM_ERR_OUTPUT, "file '%s' exists; remove it or choose another %s", path,
                    option);
}

int cgm_newfile_rename(const char *from, const char *to)
{
    if (link(from, to) == 0) {
        return unlink(from);
    }
    if (errno == EEXIST) {
        return -1;
    }
    if (access(to, F_OK) == 0) {
        errno = EEXIST;
        return -1;
    }
    return rename(from, to);
}

static cgm_status write_and_rename(cgm_comm *comm, const char *temporary, const char *path,
                                   cgm_newfile_content content, void *state)
{
    cgm_h5_file file;
    cgm_status status = cgm_h5_create(comm, temporary, false, &file);
    if (status != CGM_OK) {
        return status;
    }
    status = content(&file, state);
    cgm_status finished = cgm_h5_finish(&file);
    status = status == CGM_OK ? finished : status;
    if (status == CGM_OK && cgm_newfile_rename(temporary, path) != 0) {
        status = cgm_fail(comm, CGM_ERR_OUTPUT, "file '%s' cannot be put in place: %s", path,
                          strerror(errno));
    }
    if (status != CGM_OK) {
        unlink(temporary);
    }
    return status;
}

cgm_status cgm_newfile_write(cgm_comm *comm, const char *path, const char *option,
                             cgm_newfile_content content, void *state)
{
    cgm_status status = cgm_newfile_check(comm, path, option);
    if (status != CGM_OK) {
        return status;
    }
    size_t bytes = strlen(path) + sizeof comm->host + 32;
    char *temporary = cgm_alloc(comm, (int64_t)bytes, 1);
    if (temporary == NULL) {
        return CGM_ERR_MEMORY;
    }
    snprintf(temporary, bytes, "%s.tmp-%s-%lld", path, comm->host, (long long)getpid());
    status = write_and_rename(comm, temporary, path, content, state);
    free(temporary);
    return status;
}
