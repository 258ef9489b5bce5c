#!/usr/bin/env bash
# What becomes of a run that meets a fault: a table of faults by the stage in which they strike.
# Called by make check-faults.
#
#     tests/faults.sh [ROW:STAGE ...]     these cells, or all
#
# Environment: BUILD (build), MPIRUN.
#
# For every cell: the exit code is the documented one; stderr has exactly one line `cgm: error:` if
# the program could see the fault; within 10 s no rank is left; nothing stands under the final name,
# or else it is the right result; no temporary file is left, or else (the program was killed) the
# next run removes it.
#
# Stages are seen from outside: by progress lines, and for input and output by strace, which stops a
# rank at a system call until the fault has been brought about.
set -euo pipefail
if [[ -z ${BUILD_DIRECTORY:-} ]]; then
    cd "$(dirname "$0")/.."
    # shellcheck source=config/mpi.sh
    . config/mpi.sh
    mpi_choose
    mpi_environment 1000
    BUILD_DIRECTORY=$(realpath -m "${BUILD:-build}")
    export BUILD_DIRECTORY WRAPPER='' SLOWDOWN=1
    # mpirun would wait two seconds after each exit code that is not 0.
    export OMPI_MCA_odls_base_sigkill_timeout=0
    cd tests/cli
    # Only root may mount a small disk: at least in a name space of one's own one is.
    if [[ $(id -u) -ne 0 ]] && unshare -rm true 2>/dev/null; then
        exec unshare -rm "$PWD/../faults.sh" "$@"
    fi
fi
chosen=" $* "
# shellcheck source=tests/cli/lib.sh
. "$PWD/lib.sh"

# All cells, and the undisturbed run: fewer are a failure.
PLAN=73
stages="input lengthscale kernel_sums sampling output"
rows=()
said=()
declare -A cells

# ---- holding a run at a stage ----

# shellcheck disable=SC2034 # read through a name
declare -A label=([lengthscale]=lengthscale [kernel_sums]='kernel sums' [sampling]=sampling)

# traced STAGE: the command in front of cgm which stops ranks there.
traced()
{
    local trace="strace -D -A -o $logs/trace"
    case $1 in
    input)
        echo "$trace -P $held_file -e trace=pread64 -e inject=pread64:signal=STOP:when=$held_read"
        ;;
    output)
        # Rank 0, once the space of the file is reserved, or else for some seconds before that.
        echo "$trace -e trace=fallocate -e inject=fallocate:$held_reserving"
        ;;
    esac
}

a_rank_is_stopped()
{
    grep -q 'stopped by SIGSTOP' "$logs/trace" 2>/dev/null
}

# at STAGE: waits until the run is there.
at()
{
    local deadline=$((SECONDS + limit))
    while running && [[ $SECONDS -lt $deadline ]]; do
        case $1 in
        input) ! a_rank_is_stopped || return 0 ;;
        output)
            if a_rank_is_stopped || { [[ $held_reserving == delay* ]] && ! no_temporary; }; then
                return 0
            fi
            ;;
        *) ! grep -q "^${label[$1]}: " "$out" || return 0 ;;
        esac
        sleep 0.02
    done
    return 1
}

# Also the ranks that were stopped only now.
release()
{
    # shellcheck disable=SC2046 # one word each
    kill -CONT $(processes) 2>/dev/null || true
}

# ---- what is expected ----

is_one_of()
{
    [[ " $2 " == *" $1 "* ]]
}

no_temporary()
{
    ! compgen -G 'box/out/*.tmp-*' >"$logs/temporaries"
}

right_result()
{
    "$MPIRUN" -n 1 "$cgm" diff reference.h5 box/out/out.h5 >"$logs/diff" 2>&1
}

# The next run of the same output clears away what a killed one has left.
next_run_is_clean()
{
    local left
    left=$(compgen -G 'box/out/*.tmp-*' || true)
    "$MPIRUN" -n 1 "$cgm" run run.ini --input.parties=small.h5 --kernel.lengthscale=0.5 \
        >"$logs/next" 2>&1 || return 1
    no_temporary && [[ -z $left ]] || grep -q "^cgm: removed '$left'" "$logs/next"
}

# A run that stopped at its checkpoint goes on to the result on another number of ranks.
goes_on()
{
    "$MPIRUN" -n 3 "$cgm" run run.ini "${options[@]}" >"$logs/next" 2>&1 && right_result
}

# expect CODES REGEX: of the run that has ended; without a regular expression it was not the program
# that saw the fault, and a run that went well had none to see.
expect()
{
    require "exit code $code, not $1" is_one_of "$code" "$1"
    if [[ -z $2 || $code -eq 0 ]]; then
        require "an error line on stderr" error_lines 0
    else
        require "not exactly one line 'cgm: error: ...' on stderr" error_lines 1
        require "the error does not match '$2'" error_matches "$2"
    fi
    require "ranks are left after 10 s" no_process_left
    # MPICH's launcher now and then says 0 of what it ended.
    if [[ $code -eq 0 && $1 != "$codes_terminated" ]]; then
        require "the result is not that of an undisturbed run" right_result
    else
        require "a file has the final name" test ! -e box/out/out.h5
    fi
    if [[ $code -eq 75 ]]; then
        require "the next run does not go on to the result" goes_on
    fi
    if [[ -z $may_leave ]]; then
        require "a temporary file is left" no_temporary
    else
        require "the next run does not clear away what this one left" next_run_is_clean
    fi
}

# ---- the table ----

# record ROW STAGE TEXT
record()
{
    [[ " ${rows[*]} " == *" $1 "* ]] || rows+=("$1")
    cells[$1:$2]=$3
}

wanted()
{
    [[ $chosen == "  " || $chosen == *" $1 "* ]]
}

# left_out ROW STAGE WHY
left_out()
{
    record "$1" "$2" "$3"
    n_skipped=$((n_skipped + 1))
}

# Empties the box of the last cell; a disk of its own is unmounted.
empty_box()
{
    if mountpoint -q box/out 2>/dev/null; then
        umount box/out
    fi
    chmod -R u+w box 2>/dev/null || true
    rm -rf box "$logs/trace"
    mkdir -p box/out
}

# cell ROW STAGE RANKS CODES REGEX: a fault strikes a run in a stage. What the row does stands in
# the functions prepare_ROW (before the run, if there is one; prints options) and strike_ROW.
cell()
{
    local row=$1 stage=$2 ranks=$3 codes=$4 regex=$5 failed=$n_failed options=()
    wanted "$row:$stage" || return 0
    empty_box
    cp input.h5 box/in.h5
    before=
    may_leave=
    held_file=box/in.h5
    held_read=36
    held_reserving=signal=STOP:when=1
    if declare -F "prepare_$row" >/dev/null && ! "prepare_$row" "$stage"; then
        left_out "$row" "$stage" "$why"
        return 0
    fi
    WRAPPER="$before $(traced "$stage")"
    start "$ranks" run run.ini --run.progress=0.05 "${options[@]}"
    WRAPPER=
    if at "$stage"; then
        "strike_$row" "$stage"
    else
        problem="the stage was not met"
    fi
    ended release
    expect "$codes" "$regex"
    said+=("${row//_/ } in $stage: $(grep '^cgm:' "$err" || echo '(nothing)')")
    verdict "$row in $stage"
    if [[ $n_failed -eq $failed ]]; then
        record "$row" "$stage" "$code ok"
    else
        record "$row" "$stage" "$code FAIL"
    fi
}

# row NAME RANKS CODES REGEX [STAGES]
row()
{
    local stage
    for stage in ${5:-$stages}; do
        cell "$1" "$stage" "$2" "$3" "$4"
    done
}

print_table()
{
    local row stage
    printf '%-24s' 'exit code and verdict'
    printf '%-13s' $stages
    echo
    for row in "${rows[@]}"; do
        printf '%-24s' "${row//_/ }"
        for stage in $stages; do
            printf '%-13s' "${cells[$row:$stage]:--}"
        done
        echo
    done | sed 's/ *$//'
    printf '%s\n' "" "${said[@]}"
}

# ---- signals ----

strike_SIGKILL_to_a_rank()
{
    may_leave=1
    kill -KILL "$(processes "$rank_variable=1")"
}

strike_SIGKILL_to_mpirun()
{
    may_leave=1
    kill -KILL "$started"
}

strike_SIGTERM_to_mpirun()
{
    may_leave=1
    kill -TERM "$started"
}

prepare_SIGUSR1_checkpoint()
{
    options=(--checkpoint.file=box/out/checkpoint.h5)
    # Three checkpoints take their space first, in two steps each.
    held_reserving=signal=STOP:when=7
}

strike_SIGUSR1_checkpoint()
{
    signal_run
}

strike_SIGUSR1()
{
    signal_run
}

# ---- disk and directory ----

# small_disk: box/out becomes a disk of 16 MiB.
small_disk()
{
    why="no mount"
    mount -t tmpfs -o size=16m none box/out 2>/dev/null
}

fill_disk()
{
    head -c 100M /dev/zero >box/out/eaten 2>/dev/null || true
}

prepare_disk_fills()
{
    small_disk
}

strike_disk_fills()
{
    fill_disk
}

# In the last moment: rank 0 has created the file, but not yet reserved its space.
prepare_disk_fills_late()
{
    held_reserving=delay_enter=3000000
    small_disk
}

strike_disk_fills_late()
{
    fill_disk
}

# Enough for what ranks share after the sampling, not for the result.
strike_file_size_limit()
{
    limit_ranks --fsize=5000000
}

strike_file_size_shared()
{
    limit_ranks --fsize=1000000
}

limit_ranks()
{
    local process
    for process in $(processes); do
        prlimit --pid "$process" "$1"
    done
}

# Root writes anywhere: without this capability it is a user like any other.
prepare_directory_read_only()
{
    [[ $(id -u) -ne 0 ]] || before="setpriv --bounding-set=-dac_override,-dac_read_search"
}

strike_directory_read_only()
{
    chmod a-w box/out
    may_leave=1
}

strike_directory_removed()
{
    rm -r box/out
}

# ---- input ----

strike_input_removed()
{
    rm box/in.h5
}

strike_input_truncated()
{
    truncate -s 100000 box/in.h5
}

prepare_party_files()
{
    "$make_input" split input.h5 box/parties
    options=(--input.parties=box/parties --input.candidates=box/in.h5)
    held_file=box/parties/party2.h5
    held_read=5
}

prepare_party_removed()
{
    prepare_party_files
}

strike_party_removed()
{
    rm box/parties/party3.h5
}

prepare_party_truncated()
{
    prepare_party_files
}

strike_party_truncated()
{
    truncate -s 10000 box/parties/party2.h5
}

prepare_pool_removed()
{
    cp input.h5 box/pool.h5
    options=(--input.candidates=box/pool.h5)
}

strike_pool_removed()
{
    rm box/pool.h5
}

prepare_pool_truncated()
{
    prepare_pool_removed
    held_file=box/pool.h5
    held_read=6
}

strike_pool_truncated()
{
    truncate -s 1500000 box/pool.h5
}

# ---- memory ----

# The ranks get no memory any more but some MiB.
refuse_memory()
{
    local process size
    for process in $(processes); do
        size=$(sed -n 's/^VmSize: *\([0-9]*\) kB/\1/p' "/proc/$process/status")
        prlimit --pid "$process" --as=$((1024 * size + 1048576 * $1))
    done
}

strike_memory_0()
{
    refuse_memory 0
}
strike_memory_2()
{
    refuse_memory 2
}
strike_memory_8()
{
    refuse_memory 8
}

# ---- all of it ----

"$cgm" simulate --out input.h5 --parties 6 --points 3000 --features 8 --candidates 30000 >/dev/null
"$cgm" simulate --out small.h5 --parties 3 --points 20 --features 2 --candidates 200 >/dev/null
configure input.parties=box/in.h5 sampling.inv_temp=1,4,inf output.file=box/out/out.h5
run 2 run run.ini --input.parties=input.h5 --output.file=reference.h5
accepted "an undisturbed run"

row SIGKILL_to_a_rank 2 "$code_killed" ''
row SIGKILL_to_mpirun 2 137 ''
row SIGTERM_to_mpirun 2 "$codes_terminated" ''
row SIGUSR1_checkpoint 2 75 '' 'input lengthscale kernel_sums sampling'
cell SIGUSR1_checkpoint output 2 0 ''
row SIGUSR1 2 0 ''
row disk_fills 2 6 'out\.h5.*needs up to .* bytes on the disk: No space left' \
    'input lengthscale kernel_sums sampling'
cell disk_fills output 2 0 ''
for ranks in 1 2 3; do
    cell disk_fills_late output $ranks 6 'out\.h5.*No space left'
done
for ranks in 1 2 3; do
    cell file_size_limit sampling $ranks 6 'out\.h5.*File too large'
done
cell file_size_shared sampling 2 4 'share, as files may have at most 1000000 bytes'
row directory_read_only 2 6 'out\.h5.*Permission denied'
row directory_removed 2 6 'out\.h5.*cannot be (created|written)'
for what in input party pool; do
    cell ${what}_removed input 2 3 '\.h5.*(No such file|is no file)'
    cell ${what}_truncated input 2 3 '\.h5'
done
for what in input_removed input_truncated; do
    row $what 2 0 '' 'lengthscale sampling'
done
for what in memory_0 memory_2 memory_8; do
    row $what 2 '0 4' 'no memory'
done

# Of cells that were chosen each must have been met.
all_cells_met()
{
    local cell ran=$((n_passed + n_failed + n_skipped))
    for cell in $chosen; do
        [[ -n ${cells[$cell]:-} ]] || return 1
    done
    [[ $chosen != "  " || $ran -eq $PLAN ]]
}

empty_box
rm -rf box
print_table
if ! all_cells_met; then
    n_failed=$((n_failed + 1))
    echo "not all cells were met: $((n_passed + n_failed + n_skipped - 1)) checks ran"
fi
code=0
finish || code=1
echo "$n_passed passed, $n_failed failed, $n_skipped skipped"
exit "$code"
