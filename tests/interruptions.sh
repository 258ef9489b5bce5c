#!/usr/bin/env bash
# Runs that are interrupted at moments spread evenly over their time, half of them by SIGKILL to one
# rank and half by SIGUSR1 to mpirun, and started again on another number of ranks: each comes to
# the results of an undisturbed run. Called by make check-faults.
#
#     tests/interruptions.sh [SEED]
#
# Environment: BUILD (build), MPIRUN, CGM_SHARED (../shared).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=config/mpi.sh
. config/mpi.sh
mpi_choose
mpi_environment 1000
BUILD_DIRECTORY=$(realpath -m "${BUILD:-build}")
export BUILD_DIRECTORY WRAPPER='' SLOWDOWN=2
export OMPI_MCA_odls_base_sigkill_timeout=0
paper5=$(realpath -m "${CGM_SHARED:-../shared}/golden/paper5.h5")
cd tests/cli
# shellcheck source=tests/cli/lib.sh
. "$PWD/lib.sh"
RANDOM=${1:-1}

# Moments of each kind, and how often at the least the two long stages must have been met.
MOMENTS=10
LEAST=3
ranks=(2 3 1 5 2)
interval=0.2
declare -A met
declare -A expected=([SIGKILL]=$code_killed [SIGUSR1]=75)

# seconds_of INPUT: from the first line on stdout to the end, on 2 ranks, checkpoints included.
seconds_of()
{
    start 2 run "$1.ini" --output.file="$1.whole.h5" --checkpoint.file="$1.ck.h5"
    until_first_line
    local begun=$EPOCHREALTIME
    ended
    require "exit code $code" test "$code" -eq 0
    verdict "an undisturbed run of $1" >&2
    awk "BEGIN { print $EPOCHREALTIME - $begun }"
}

# Before that MPI starts, and a signal would find the launcher alone.
until_first_line()
{
    while running && [[ ! -s $out ]]; do
        sleep 0.01
    done
}

# The stage that the run was in: progress lines come every 0.05 s.
stage_met()
{
    local line
    line=$(grep -oE '^(lengthscale|kernel sums|sampling): [0-9]' "$out" | tail -n 1)
    if grep -qE '^(checkpoint: sampling, .*|Shapley .*)$' "$out"; then
        line=${line:-sampling}
    fi
    echo "${line%%:*}"
}

# interrupt FAULT INPUT NUMBER: at a moment of its own tenth of the run's time.
interrupt()
{
    local fault=$1 input=$2 number=$3 first second moment stage
    first=${ranks[number % ${#ranks[@]}]}
    second=${ranks[(number + 1) % ${#ranks[@]}]}
    moment=$(awk "BEGIN { print ${time[$input]} * ($number + $RANDOM / 32768) / $MOMENTS }")
    rm -f out.h5 out.h5.* ./*.ck.h5*
    start "$first" run "$input.ini" --output.file=out.h5 --checkpoint.file="$input.ck.h5"
    until_first_line
    sleep "$moment"
    if [[ $fault == SIGKILL ]]; then
        # shellcheck disable=SC2046 # one word each
        kill -KILL $(processes "$rank_variable=$((first - 1))") 2>/dev/null || true
    else
        signal_run
    fi
    ended
    stage=$(stage_met)
    stage=${stage:-input}
    if [[ -e out.h5 ]]; then
        stage=end # it came too late
        require "exit code $code" test "$code" -eq 0
    else
        require "exit code $code" test "$code" -eq "${expected[$fault]}"
    fi
    require "ranks are left" no_process_left
    met[$stage]=$((${met[$stage]:-0} + 1))
    local found=nothing
    run "$second" run "$input.ini" --output.file=out.h5 --checkpoint.file="$input.ck.h5"
    found=$(sed -nE 's/^going on from checkpoint .* \((.*)\)$/\1/p' "$out")
    require "exit code $code when it was started again" test "$code" -eq 0
    "$MPIRUN" -n 1 "$cgm" diff "$input.whole.h5" out.h5 >"$logs/diff" 2>&1 || code=1
    require "other results" test "$code" -eq 0
    printf '%-8s %-7s %5.2f s of %5.2f  in %-12s %d ranks; from %-12s on %d: %s\n' "$fault" \
        "$input" "$moment" "${time[$input]}" "$stage" "$first" "${found:-nothing}" "$second" \
        "$([[ -z $problem ]] && echo the same || echo "$problem")"
    verdict "$fault in $stage of $input"
}

if [[ ! -e $paper5 ]]; then
    paper5=p5.h5
    "$cgm" simulate --out p5.h5 --parties 5 --points 3000 --candidates 100000 >/dev/null
fi
"$cgm" simulate --out 300.h5 --parties 300 --points 120 --features 4 --candidates 60000 >/dev/null
configure input.parties="$paper5" sampling.inv_temp='1, 2, 4, 8' checkpoint.interval="$interval"
sed 's/^progress = 0$/progress = 0.05/' run.ini >paper5.ini
configure input.parties=300.h5 sampling.inv_temp='1, 8' checkpoint.interval="$interval"
sed 's/^progress = 0$/progress = 0.05/' run.ini >n300.ini

declare -A time
time[paper5]=$(seconds_of paper5)
time[n300]=$(seconds_of n300)
for number in $(seq 0 $((MOMENTS - 1))); do
    interrupt SIGKILL "$([[ $((number % 2)) -eq 0 ]] && echo paper5 || echo n300)" "$number"
    interrupt SIGUSR1 "$([[ $((number % 2)) -eq 1 ]] && echo paper5 || echo n300)" "$number"
done
for stage in "${!met[@]}"; do
    echo "$stage was met ${met[$stage]} times"
done
check "the kernel sums were met $LEAST times" test "${met[kernel sums]:-0}" -ge $LEAST
check "the sampling was met $LEAST times" test "${met[sampling]:-0}" -ge $LEAST
check "all interruptions were made" test $((n_passed + n_failed)) -eq $((2 * MOMENTS + 2))

code=0
finish || code=1
echo "$n_passed passed, $n_failed failed"
exit "$code"
