# Some cells of the table of faults (make check-faults has all of them).
# alone: yes
# timeout: 200
# without: asan valgrind
# checks: 14
BUILD_DIRECTORY=${BUILD_DIRECTORY:?run this with ONLY=cli/faults tests/run}
cd "$(dirname "$0")" || exit 1
exec bash ../faults.sh SIGKILL_to_a_rank:kernel_sums SIGKILL_to_mpirun:sampling \
    SIGTERM_to_mpirun:lengthscale SIGUSR1_checkpoint:kernel_sums SIGUSR1:sampling \
    file_size_limit:sampling file_size_shared:sampling directory_removed:sampling \
    input_removed:input input_truncated:input memory_0:lengthscale
