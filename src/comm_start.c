#include "cgm/comm_start.h"

#include <mpi.h>
#include <stdlib.h>
#include <string.h>

/* Open MPI alone has this setting, and MPICH does not survive to be asked before it starts. */
#ifdef OPEN_MPI
enum { VALUE_BYTES = 64 };

/* A text among the variables that control the MPI library, or an empty one. */
static void read_control(const char *name, char value[VALUE_BYTES])
{
    MPI_T_cvar_handle handle;
    int index = 0;
    int count = 0;
    value[0] = '\0';
    if (MPI_T_init_thread(MPI_THREAD_SINGLE, &(int){0}) != MPI_SUCCESS) {
        return;
    }
    if (MPI_T_cvar_get_index(name, &index) == MPI_SUCCESS &&
        MPI_T_cvar_handle_alloc(index, NULL, &handle, &count) == MPI_SUCCESS) {
        char *text = count > 0 ? calloc((size_t)count + 1, 1) : NULL;
        if (text != NULL && MPI_T_cvar_read(handle, text) == MPI_SUCCESS &&
            strlen(text) < VALUE_BYTES) {
            memcpy(value, text, strlen(text) + 1);
        }
        free(text);
        MPI_T_cvar_handle_free(&handle);
    }
    MPI_T_finalize();
}

/* Debian sets up Open MPI without the one component, pt2pt, by which windows work between hosts on
 * plain Ethernet: there MPI_Win_allocate fails. What anybody else has set up stays as it is. */
static void allow_windows_between_hosts(void)
{
    char components[VALUE_BYTES];
    read_control("osc", components);
    if (strcmp(components, "^ucx,pt2pt") == 0) {
        setenv("OMPI_MCA_osc", "^ucx", 0);
    }
}
#else
static void allow_windows_between_hosts(void)
{
}
#endif

void cgm_comm_start(int *argc, char ***argv)
{
    allow_windows_between_hosts();
    MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &(int){0});
}
