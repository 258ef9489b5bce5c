#include "newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgm/result.h"

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

/* Creates the file under its temporary name. */
static cgm_status claim_name(cgm_comm *comm, const cgm_newfile *file, const char *temporary)
{
    /* A limit on the size of files shall be an error like any other, not the end of the process. */
    signal(SIGXFSZ, SIG_IGN);
    int claimed = open(temporary, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, file->mode);
    if (claimed < 0) {
        return cgm_fail(comm, CGM_ERR_OUTPUT, "file '%s' cannot be created: %s; choose another %s",
                        temporary, strerror(errno), file->option);
    }
    /* A umask that takes the owner's own permissions would keep HDF5 from opening it. */
    struct stat state;
    if (fstat(claimed, &state) == 0 && (~state.st_mode & (S_IRUSR | S_IWUSR)) != 0) {
        fchmod(claimed, (state.st_mode & 0777) | S_IRUSR | S_IWUSR);
    }
    close(claimed);
    return CGM_OK;
}

/* From the temporary name to the final one. */
static cgm_status put_in_place(cgm_comm *comm, const cgm_newfile *file, const char *temporary)
{
    int code = 0;
    if (file->older != NULL && rename(file->path, file->older) != 0 && errno != ENOENT) {
        code = -1;
    } else {
        code = file->replace ? rename(temporary, file->path)
                             : cgm_newfile_rename(temporary, file->path);
    }
    return code == 0 ? CGM_OK
                     : cgm_fail(comm, CGM_ERR_OUTPUT,
                                "file '%s' cannot be put in place: %s; choose another %s",
                                file->path, strerror(errno), file->option);
}

/* ---- one process alone ---- */

static cgm_status write_alone(cgm_comm *comm, const cgm_newfile *file, const char *temporary)
{
    cgm_h5_file open_file;
    uint64_t unused = 0;
    cgm_status status = claim_name(comm, file, temporary);
    if (status != CGM_OK) {
        return status;
    }
    status = cgm_h5_create(comm, temporary, false, &open_file);
    if (status == CGM_OK) {
        status = file->write(&open_file, file->state, &unused);
    }
    cgm_status finished = cgm_h5_finish(&open_file);
    status = status == CGM_OK ? finished : status;
    if (status == CGM_OK) {
        status = put_in_place(comm, file, temporary);
    }
    if (status != CGM_OK) {
        unlink(temporary);
    }
    return status;
}

cgm_status cgm_newfile_write(cgm_comm *comm, const cgm_newfile *file)
{
    cgm_status status = file->replace ? CGM_OK : cgm_newfile_check(comm, file->path, file->option);
    if (status != CGM_OK) {
        return status;
    }
    size_t bytes = strlen(file->path) + sizeof comm->host + 32;
    char *temporary = cgm_alloc(comm, (int64_t)bytes, 1);
    if (temporary == NULL) {
        return CGM_ERR_MEMORY;
    }
    snprintf(temporary, bytes, "%s.tmp-%s-%lld", file->path, comm->host, (long long)getpid());
    status = write_alone(comm, file, temporary);
    free(temporary);
    return status;
}

/* ---- all ranks together ---- */

/* Takes the space on the disk, on rank 0. */
static cgm_status reserve_space(cgm_comm *comm, const cgm_newfile *file, const char *temporary)
{
    int reserved = open(temporary, O_RDWR | O_CLOEXEC);
    int code = reserved < 0 ? errno : posix_fallocate(reserved, 0, file->bytes);
    if (code == EOPNOTSUPP) {
        code = 0; /* then reading back has to find out */
    }
    if (code == 0 && fsync(reserved) != 0) {
        code = errno;
    }
    if (reserved >= 0) {
        close(reserved);
    }
    return code == 0 ? CGM_OK
                     : cgm_fail(comm, CGM_ERR_OUTPUT,
                                "file '%s' needs up to %lld bytes on the disk: %s; free some or "
                                "choose another %s",
                                temporary, (long long)file->bytes, strerror(code), file->option);
}

/* Writes the content into the file, which exists under its temporary name. */
static cgm_status write_content(cgm_comm *comm, const cgm_newfile *file, const char *temporary,
                                uint64_t *checksum)
{
    cgm_h5_file open_file;
    cgm_status status = cgm_h5_create(comm, temporary, true, &open_file);
    if (status == CGM_OK) {
        bool first = comm->rank == 0;
        status = cgm_agree(comm, first ? reserve_space(comm, file, temporary) : CGM_OK);
    }
    if (status == CGM_OK) {
        status = file->write(&open_file, file->state, checksum);
    }
    cgm_status closed = cgm_h5_finish(&open_file);
    return status != CGM_OK ? status : closed;
}

/* To the disk, on rank 0. */
static cgm_status synchronise(cgm_comm *comm, const char *temporary)
{
    int written = open(temporary, O_RDONLY | O_CLOEXEC);
    int code = written < 0 || fsync(written) != 0 ? errno : 0;
    if (written >= 0) {
        close(written);
    }
    return code == 0 ? CGM_OK
                     : cgm_fail(comm, CGM_ERR_OUTPUT, "file '%s' cannot be written to the disk: %s",
                                temporary, strerror(code));
}

/* An MPI library may drop the error of a write on a full disk: only what reads back is written.
 * Ranks share the reading. */
static cgm_status read_back(cgm_comm *comm, const char *temporary, uint64_t checksum)
{
    cgm_comm probe = *comm;
    cgm_h5_file file;
    uint64_t found = 0;
    cgm_status status = cgm_h5_open(&probe, temporary, &file);
    if (status == CGM_OK) {
        status = cgm_result_checksum(&file, comm->rank, comm->size, &found);
    }
    cgm_h5_close(&file);
    int64_t unreadable = status != CGM_OK;
    cgm_comm_sum(comm, &unreadable, 1);
    cgm_comm_sum_unsigned(comm, &found, 1);
    if (unreadable > 0 ? status != CGM_OK : found != checksum) {
        status = cgm_fail(comm, CGM_ERR_OUTPUT,
                          "file '%s' does not read back as it was written; is there room and quota "
                          "on the file system? %s",
                          temporary, probe.error.message);
    }
    return cgm_agree(comm, status);
}

static cgm_status write_and_publish(cgm_comm *comm, const cgm_newfile *file, const char *temporary)
{
    const bool first = comm->rank == 0;
    uint64_t checksum = 0;
    cgm_status status = write_content(comm, file, temporary, &checksum);
    if (status == CGM_OK) {
        status = cgm_agree(comm, first ? synchronise(comm, temporary) : CGM_OK);
    }
    if (status == CGM_OK) {
        status = read_back(comm, temporary, checksum);
    }
    if (status == CGM_OK) {
        status = cgm_agree(comm, first ? put_in_place(comm, file, temporary) : CGM_OK);
    }
    if (status != CGM_OK && first) {
        unlink(temporary);
    }
    return status;
}

cgm_status cgm_newfile_write_together(cgm_comm *comm, const cgm_newfile *file)
{
    /* Rank 0's host and process make the name, so that no other job takes the same one. */
    struct {
        char host[sizeof comm->host];
        int64_t process;
    } owner = {.process = getpid()};
    memcpy(owner.host, comm->host, sizeof owner.host);
    cgm_comm_broadcast(comm, &owner, sizeof owner, 0);
    const size_t bytes = strlen(file->path) + sizeof owner.host + 32;
    char *temporary = cgm_alloc(comm, (int64_t)bytes, 1);
    cgm_status status = cgm_agree(comm, temporary != NULL ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        snprintf(temporary, bytes, "%s.tmp-%s-%lld", file->path, owner.host,
                 (long long)owner.process);
        status = cgm_agree(comm, comm->rank == 0 ? claim_name(comm, file, temporary) : CGM_OK);
    }
    if (status == CGM_OK) {
        status = write_and_publish(comm, file, temporary);
    }
    free(temporary);
    return status;
}
