# Sourced by scripts that start ranks on this one machine. Jobs on a cluster need none of it.

# mpi_choose: exports MPIRUN (mpirun), MPI_KIND, openmpi or mpich, to which it belongs, and
# MOST_RANKS. Ranks of MPICH that wait keep their core, so that there may be one a core.
mpi_choose()
{
    export MPIRUN=${MPIRUN:-mpirun} MPI_KIND=openmpi MOST_RANKS=1000
    if [[ $("$MPIRUN" --version 2>/dev/null) == *HYDRA* ]]; then
        MPI_KIND=mpich
        MOST_RANKS=$(nproc)
    fi
}

# mpi_environment RANKS: sets what Open MPI and BLAS need for so many ranks.
mpi_environment()
{
    export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} OPENBLAS_NUM_THREADS=${OPENBLAS_NUM_THREADS:-1}
    if [[ $(id -u) -eq 0 ]]; then
        export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
        # Containers, where one is root, forbid the kernel call that copies between processes.
        export OMPI_MCA_btl_vader_single_copy_mechanism=none
    fi
    if [[ $1 -gt $(nproc) ]]; then
        # Without yielding, a rank that waits keeps the core from the one it waits for.
        export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_mpi_yield_when_idle=1
    fi
    # Several runs at a time would all be bound to the same first cores.
    export OMPI_MCA_hwloc_base_binding_policy=none
}
