#!/usr/bin/env bash
# Starts cgm on this machine, or on the hosts of a file, without a batch system:
#
#     jobs/local.sh RANKS run my.ini [--section.key=VALUE ...]
#     CGM_HOSTS=hosts jobs/local.sh 64 run my.ini
#
# A line of the file: `node1 slots=32`, a host and how many ranks it takes. All hosts need the
# program and the data under the same paths, and ssh from here without a password.
set -euo pipefail

hosts=${CGM_HOSTS:-}              # empty: this machine
program=${CGM_PROGRAM:-build/cgm} # the same path on every host
threads=${CGM_THREADS:-1}         # of each rank
silence=${CGM_SILENCE:-6}         # seconds without an answer after which a host is given up
ssh_options=${CGM_SSH_OPTIONS:-}  # more of them, such as -F FILE

if [[ $# -lt 2 || ! $1 =~ ^[1-9][0-9]*$ ]]; then
    echo 'usage: [CGM_HOSTS=FILE] jobs/local.sh RANKS COMMAND [ARGUMENT ...]' >&2
    exit 2
fi
ranks=$1
shift
[[ -x $program ]] || {
    echo "$program is not there: make, or set CGM_PROGRAM" >&2
    exit 2
}
export OMP_NUM_THREADS=$threads OPENBLAS_NUM_THREADS=1

if [[ -z $hosts ]]; then
    # shellcheck source=config/mpi.sh
    . config/mpi.sh
    mpi_environment $((ranks * threads))
    exec "${MPIRUN:-mpirun}" -n "$ranks" "$program" "$@"
fi
[[ -r $hosts ]] || {
    echo "$hosts, the file of the hosts, cannot be read" >&2
    exit 2
}
# Without questions to a host whose link is cut, mpirun would wait for it for ever.
keep_alive="-o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=$(((silence + 2) / 3))"
keep_alive+=" -o ServerAliveCountMax=3"
# Ranks with threads are not bound to one core.
binding=()
[[ $threads -eq 1 ]] || binding=(--bind-to none)
# Of this environment ssh passes nothing on. OpenBLAS rounds as its kernels do, which it chooses for
# each processor by itself unless told.
passed=(-x OMP_NUM_THREADS -x OPENBLAS_NUM_THREADS)
for name in OPENBLAS_CORETYPE OMP_WAIT_POLICY OMP_PLACES OMP_PROC_BIND; do
    [[ -z ${!name:-} ]] || passed+=(-x "$name")
done
exec "${MPIRUN:-mpirun}" --hostfile "$hosts" -n "$ranks" "${binding[@]}" "${passed[@]}" \
    --mca plm_rsh_args "$keep_alive $ssh_options" "$program" "$@"
