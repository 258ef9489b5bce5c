# Sourced by the scripts beside it, which are started from the top of the sources; a batch system
# runs a copy of them from elsewhere. They set $program, $modules and $threads.
# shellcheck disable=SC2154,SC2034

# begin_job: what a log must say to be understood later: where, when, what was loaded. The modules
# named by $modules are loaded first.
begin_job()
{
    if [[ -n ${modules:-} ]]; then
        set +u # the functions of modules are not written for it
        # shellcheck disable=SC2086 # one word a module
        module load $modules
        set -u
    fi
    echo "date          $(date -u +%FT%TZ)"
    echo "host          $(hostname)"
    if [[ -n ${SLURM_JOB_ID:-} ]]; then
        echo "job           $SLURM_JOB_ID${SLURM_ARRAY_TASK_ID:+, task $SLURM_ARRAY_TASK_ID of" \
            "${SLURM_ARRAY_JOB_ID:-it}}, start $((${SLURM_RESTART_COUNT:-0} + 1))"
        echo "nodes         $SLURM_JOB_NODELIST, $SLURM_NTASKS ranks"
    fi
    if declare -F module >/dev/null; then
        set +u
        module list 2>&1 | sed 's/^/modules       /'
        set -u
    else
        echo "modules       none on this machine"
    fi
    echo "program       $program"
    [[ -x $program ]] || {
        echo "$program is not there: make, or set CGM_PROGRAM" >&2
        exit 2
    }
    # Threads of the program, not of BLAS under them.
    export OMP_NUM_THREADS=${threads:-1} OPENBLAS_NUM_THREADS=1
}

# launcher RANKS THREADS: sets the array $launch to what starts so many ranks of the program: in a
# job mpirun, which the batch system tells the nodes; elsewhere jobs/local.sh.
launcher()
{
    local slots
    export OMP_NUM_THREADS=$2
    if [[ -z ${SLURM_JOB_ID:-} ]]; then
        launch=(env CGM_PROGRAM="$program" CGM_THREADS="$2" jobs/local.sh "$1")
        return
    fi
    launch=(mpirun -n "$1")
    if [[ $2 -gt 1 ]]; then
        # As many ranks a node as it has room for with their threads: 4(x2),3 is 4 on the first.
        slots=${SLURM_TASKS_PER_NODE%%[(,]*}
        slots=$((slots * ${SLURM_CPUS_PER_TASK:-1} / $2))
        launch+=(--map-by "ppr:$((slots > 0 ? slots : 1)):node" --bind-to none)
    fi
    launch+=("$program")
}
