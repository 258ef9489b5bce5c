#define _GNU_SOURCE /* fallocate */
#include "newfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
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

cgm_status cgm_newfile_check_directory(cgm_comm *comm, const char *path, const char *option)
{
    const char *slash = strrchr(path, '/');
    if (slash != NULL && slash[1] == '\0') {
        return cgm_fail(comm, CGM_ERR_OUTPUT, "%s '%s' names a directory; add a name", option,
                        path);
    }
    size_t length = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    char *directory = cgm_alloc(comm, (int64_t)length + 2, 1);
    if (directory == NULL) {
        return CGM_ERR_MEMORY;
    }
    memcpy(directory, length > 0 ? path : ".", length > 0 ? length : 1);
    cgm_status status = CGM_OK;
    if (access(directory, W_OK | X_OK) != 0) {
        status = cgm_fail(comm, CGM_ERR_OUTPUT, "%s '%s' cannot be written, its directory '%s': %s",
                          option, path, directory, strerror(errno));
    }
    free(directory);
    return status;
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

/* ---- temporary names ---- */

/* Between a path and the host and process that write it. */
#define INFIX ".tmp-"
/* By so much the clocks of this host and of a file server may differ. */
#define CLOCK_SECONDS 60.0
/* Whether a process of another host is alive cannot be seen from here, and no file takes so long to
 * write. */
#define FOREIGN_SECONDS (24.0 * 3600.0)

/* The name under which a process writes path, allocated. */
static char *temporary_name(cgm_comm *comm, const char *path, const char *host, int64_t process)
{
    const size_t bytes = strlen(path) + strlen(INFIX) + strlen(host) + 32;
    char *name = cgm_alloc(comm, (int64_t)bytes, 1);
    if (name != NULL) {
        snprintf(name, bytes, "%s" INFIX "%s-%lld", path, host, (long long)process);
    }
    return name;
}

/* Seconds since a process of this host began: 0 if there is none, as many as you like if that
 * cannot be told. */
static double process_age(pid_t process)
{
    const double unknown = 1e300;
    char path[64];
    char line[1024];
    if (kill(process, 0) != 0 && errno == ESRCH) {
        return 0.0;
    }
    snprintf(path, sizeof path, "/proc/%lld/stat", (long long)process);
    FILE *stream = fopen(path, "r");
    if (stream == NULL) {
        return unknown;
    }
    const char *end = fgets(line, sizeof line, stream) != NULL ? strrchr(line, ')') : NULL;
    fclose(stream);
    /* Behind the command's name: the state and, 19 fields on, the start in ticks since boot. */
    char state = '\0';
    unsigned long long start = 0;
    if (end == NULL || sscanf(end,
                              ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
                              "%*s %*s %*s %llu",
                              &state, &start) != 2) {
        return unknown;
    }
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return state == 'Z' ? 0.0 : (double)now.tv_sec - (double)start / (double)sysconf(_SC_CLK_TCK);
}

/* Whether the writer of a temporary file is certainly gone. owner: HOST-PROCESS; idle: seconds
 * since the file was changed.
 *
 * A lock held on the file while it is written would tell more simply, but on NFS every lock is one
 * of bytes, which MPI-IO takes and waits for from all ranks: a lock of ours would be in its way.
 * Numbers of processes come again, so the process must have been there when the file was changed.
 */
static bool is_abandoned(const char *owner, const char *host, double idle)
{
    const char *dash = strrchr(owner, '-');
    if (dash == NULL || dash == owner || dash[1] < '1' || dash[1] > '9') {
        return false;
    }
    char *end;
    const long long process = strtoll(dash + 1, &end, 10);
    if (*end != '\0' || process > INT_MAX) {
        return false;
    }
    const size_t length = (size_t)(dash - owner);
    if (length != strlen(host) || strncmp(owner, host, length) != 0) {
        return idle > FOREIGN_SECONDS;
    }
    const double age = process_age((pid_t)process);
    return age <= 0.0 || age + CLOCK_SECONDS < idle;
}

/* Removes a file of an open directory, shown as being in the directory of path, if it is abandoned.
 * A symbolic link is nothing that this program made. */
static void remove_if_abandoned(int directory, const char *path, size_t directory_length,
                                const char *name, const char *owner, const char *host)
{
    struct stat file;
    if (fstatat(directory, name, &file, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(file.st_mode) ||
        !is_abandoned(owner, host, difftime(time(NULL), file.st_mtime)) ||
        unlinkat(directory, name, 0) != 0) {
        return;
    }
    fprintf(stderr, "cgm: removed '%.*s%s', which a run that was killed left behind\n",
            cgm_int((int64_t)directory_length), path, name);
}

void cgm_newfile_remove_abandoned(const cgm_comm *comm, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash != NULL ? slash + 1 : path;
    const size_t directory_length = (size_t)(base - path);
    const size_t base_length = strlen(base);
    char *directory_path = strdup(path);
    if (directory_path == NULL) {
        return;
    }
    directory_path[directory_length] = '\0';
    DIR *directory = opendir(directory_length > 0 ? directory_path : ".");
    free(directory_path);
    if (directory == NULL) {
        return;
    }
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        const char *infix = entry->d_name + base_length;
        if (strncmp(entry->d_name, base, base_length) == 0 &&
            strncmp(infix, INFIX, strlen(INFIX)) == 0) {
            remove_if_abandoned(dirfd(directory), path, directory_length, entry->d_name,
                                infix + strlen(INFIX), comm->host);
        }
    }
    closedir(directory);
}

/* ---- parts of both ways ---- */

/* Creates the file under its temporary name. */
static cgm_status claim_name(cgm_comm *comm, const cgm_newfile *file, const char *temporary)
{
    cgm_newfile_remove_abandoned(comm, file->path);
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
    char *temporary = temporary_name(comm, file->path, comm->host, getpid());
    if (temporary == NULL) {
        return CGM_ERR_MEMORY;
    }
    status = write_alone(comm, file, temporary);
    free(temporary);
    return status;
}

/* ---- text ---- */

/* To the disk. @return 0 or an error number */
static int write_bytes(const char *path, const char *text, size_t bytes)
{
    const int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) {
        return errno;
    }
    int code = 0;
    for (size_t done = 0; done < bytes && code == 0;) {
        const ssize_t written = write(file, text + done, bytes - done);
        code = written < 0 && errno != EINTR ? errno : 0;
        done += written > 0 ? (size_t)written : 0;
    }
    if (code == 0 && fsync(file) != 0 && errno != EINVAL) {
        code = errno;
    }
    return close(file) != 0 && code == 0 ? errno : code;
}

cgm_status cgm_newfile_write_text(cgm_comm *comm, const cgm_newfile *file, const char *text,
                                  size_t bytes)
{
    cgm_status status = file->replace ? CGM_OK : cgm_newfile_check(comm, file->path, file->option);
    char *temporary =
        status == CGM_OK ? temporary_name(comm, file->path, comm->host, getpid()) : NULL;
    if (temporary == NULL) {
        return status == CGM_OK ? CGM_ERR_MEMORY : status;
    }
    status = claim_name(comm, file, temporary);
    if (status == CGM_OK) {
        const int code = write_bytes(temporary, text, bytes);
        if (code != 0) {
            status = cgm_fail(comm, CGM_ERR_OUTPUT, "file '%s' cannot be written: %s", temporary,
                              strerror(code));
        }
        if (status == CGM_OK) {
            status = put_in_place(comm, file, temporary);
        }
        if (status != CGM_OK) {
            unlink(temporary);
        }
    }
    free(temporary);
    return status;
}

/* ---- all ranks together ---- */

/* Takes the space for an empty file on the disk, of which it stays empty: creating the HDF5 file
 * would give back what lies inside of it. @return 0 or an error number */
static int take_space(int file, int64_t bytes)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < (rlim_t)bytes) {
        return EFBIG;
    }
    if (fallocate(file, FALLOC_FL_KEEP_SIZE, 0, bytes) == 0) {
        return 0;
    }
    if (errno != EOPNOTSUPP && errno != ENOSYS) {
        return errno;
    }
    struct statvfs disk; /* cannot be reserved, but seen to be there */
    const bool is_known = fstatvfs(file, &disk) == 0 && disk.f_frsize > 0;
    return is_known && (uint64_t)bytes / disk.f_frsize >= disk.f_bavail ? ENOSPC : 0;
}

static cgm_status fail_space(cgm_comm *comm, const cgm_newfile *file, const char *temporary,
                             int code)
{
    return cgm_fail(comm, CGM_ERR_OUTPUT,
                    "file '%s' needs up to %lld bytes on the disk: %s; free some or choose another "
                    "%s",
                    temporary, (long long)file->bytes, strerror(code), file->option);
}

/* Creates the file under its temporary name and takes its space, on rank 0. What fails here fails
 * before HDF5 has the file: it cannot close one for which there is no room, but waits or crashes.
 */
static cgm_status claim_name_and_space(cgm_comm *comm, const cgm_newfile *file,
                                       const char *temporary)
{
    cgm_status status = claim_name(comm, file, temporary);
    if (status != CGM_OK) {
        return status;
    }
    const int claimed = open(temporary, O_WRONLY | O_CLOEXEC);
    const int code = claimed < 0 ? errno : take_space(claimed, file->bytes);
    if (claimed >= 0) {
        close(claimed);
    }
    if (code == 0) {
        return CGM_OK;
    }
    unlink(temporary);
    return fail_space(comm, file, temporary, code);
}

/* Gives the file its size within the space taken, on rank 0; where none could be taken, this
 * writes. */
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
    return code == 0 ? CGM_OK : fail_space(comm, file, temporary, code);
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
    char *temporary = temporary_name(comm, file->path, owner.host, owner.process);
    cgm_status status = cgm_agree(comm, temporary != NULL ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        status =
            cgm_agree(comm, comm->rank == 0 ? claim_name_and_space(comm, file, temporary) : CGM_OK);
    }
    if (status == CGM_OK) {
        status = write_and_publish(comm, file, temporary);
    }
    free(temporary);
    return status;
}
