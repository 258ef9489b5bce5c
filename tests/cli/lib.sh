# Sourced by the scripts beside it, which tests/run starts: each works in an empty directory of its
# own, runs cgm with `run`, says with `accepted`, `answered`, `refused` or `check` what should have
# come of it, and ends with `finish`.
set -euo pipefail

: "${BUILD_DIRECTORY:?run this with ONLY=cli/NAME tests/run}"
cgm=$BUILD_DIRECTORY/cgm
# shellcheck disable=SC2034 # for the scripts
make_input=$BUILD_DIRECTORY/tests/make_input
limit=$((60 * ${PATIENCE:-$SLOWDOWN}))
script=$(basename "$0" .sh)
work=$BUILD_DIRECTORY/tests/cli/$script
logs=$BUILD_DIRECTORY/tests/cli/$script.logs
out=$logs/out
err=$logs/err
rm -rf "$work" "$logs"
mkdir -p "$work" "$logs"
cd "$work"

# Marks the processes of this script, so that those left over can be told from anybody else's.
export CGM_TEST_MARK=$script.$$
n_passed=0
n_failed=0
n_skipped=0
command_line=
code=0
problem=
# What mpirun itself says of an exit code that is not 0.
launcher='^-+$|Primary job|^a non-zero exit|mpirun detected|^the job to be|Process name:|Exit code:'
launcher+='|^=|^YOUR APPLICATION|^This typically|^Please see the FAQ'
# The rank of a process, in its environment; exit codes of mpirun when a rank was killed, and when
# it was ended itself.
# shellcheck disable=SC2034 # for the scripts
case $MPI_KIND in
openmpi) rank_variable=OMPI_COMM_WORLD_RANK code_killed=137 codes_terminated='1 143' ;;
mpich) rank_variable=PMI_RANK code_killed=9 codes_terminated='0 15' ;;
esac

# Names, and for files what changes when one is written or replaced.
listing()
{
    find . -type f -printf '%p %s bytes, inode %i, %T@\n' -o -printf '%p\n' | sort
}

# at_most_ranks RANKS: as many, or else as many as the machine has room for.
at_most_ranks()
{
    echo $(($1 < MOST_RANKS ? $1 : MOST_RANKS))
}

# run RANKS ARGUMENT...: exit code in $code, output in the files $out and $err.
run()
{
    local ranks
    ranks=$(at_most_ranks "$1")
    shift
    listing >"$logs/before"
    command_line="cd $work && $MPIRUN -n $ranks $WRAPPER $cgm ${*@Q}"
    code=0
    # shellcheck disable=SC2086 # WRAPPER is a command with its options
    timeout --foreground -k 10 "$limit" "$MPIRUN" -n "$ranks" $WRAPPER "$cgm" "$@" \
        >"$out" 2>"$err" </dev/null || code=$?
}

# start RANKS ARGUMENT...: as run, in the background; mpirun is $started.
start()
{
    local ranks
    ranks=$(at_most_ranks "$1")
    shift
    command_line="cd $work && $MPIRUN -n $ranks $WRAPPER $cgm ${*@Q}"
    : >"$out" # what the run before said is not this one's
    # shellcheck disable=SC2086 # WRAPPER is a command with its options
    "$MPIRUN" -n "$ranks" $WRAPPER "$cgm" "$@" >"$out" 2>"$err" </dev/null &
    started=$!
}

running()
{
    kill -0 "$started" 2>/dev/null
}

# ended [COMMAND]: waits for what was started, with the command at every turn: exit code in $code,
# 124 if it had to be killed.
ended()
{
    local deadline=$((SECONDS + limit))
    while running && [[ $SECONDS -lt $deadline ]]; do
        ${1:-true}
        sleep 0.1
    done
    if running; then
        # shellcheck disable=SC2046 # one word each
        kill -KILL "$started" $(processes) 2>/dev/null || true
        wait "$started" 2>/dev/null || true
        code=124
    else
        code=0
        wait "$started" 2>/dev/null || code=$?
    fi
}

# processes [VARIABLE=VALUE]: numbers of the running cgm of this script that have this in their
# environment.
# shellcheck disable=SC2120
processes()
{
    local file process
    for file in $(grep -lz "^CGM_TEST_MARK=$CGM_TEST_MARK\$" /proc/[0-9]*/environ 2>/dev/null); do
        process=${file//[!0-9]/}
        if [[ $(readlink "/proc/$process/exe") == "$cgm" ]] && grep -qz "^${1:-}" "$file"; then
            echo "$process"
        fi
    done 2>/dev/null
}

# signal_run: SIGUSR1 to the run that was started. mpirun passes it on; but MPICH's loses now and
# then the exit code of ranks after that, so that they are told themselves there.
signal_run()
{
    if [[ $MPI_KIND == mpich ]]; then
        # shellcheck disable=SC2046 # one word each
        kill -USR1 $(processes) 2>/dev/null || true
    else
        kill -USR1 "$started" 2>/dev/null || true
    fi
}

# configure SECTION.KEY=VALUE...: writes run.ini, of a run that pays `individual` rewards and is
# quiet, with these options.
configure()
{
    local option
    for option in reward.condition=individual run.progress=0 "$@"; do
        printf '[%s]\n%s = %s\n' "${option%%.*}" "$(sed 's/^[^.]*\.//; s/=.*//' <<<"$option")" \
            "${option#*=}"
    done >run.ini
}

# require DESCRIPTION COMMAND...: the running verdict's problem is the first requirement not met.
require()
{
    local what=$1
    shift
    if [[ -z $problem ]] && ! "$@"; then
        problem=$what
    fi
}

verdict()
{
    if [[ -z $problem ]]; then
        n_passed=$((n_passed + 1))
    else
        n_failed=$((n_failed + 1))
        echo "not ok: $1: $problem"
        echo "  $command_line"
        grep -hE . "$out" | tail -n 10 | sed 's/^/  | stdout: /' || true
        grep -hE . "$err" | grep -vE "$launcher" | tail -n 10 | sed 's/^/  | stderr: /' || true
    fi
    problem=
}

# check LABEL COMMAND...: passes if the command does.
check()
{
    require "false: ${*:2}" "${@:2}"
    verdict "$1"
}

error_lines()
{
    [[ $(grep -c '^cgm: error:' "$err") -eq $1 ]]
}

error_matches()
{
    grep '^cgm: error:' "$err" | grep -Eq -- "$1"
}

no_process_left()
{
    local attempt process
    local ours='/(cgm|memcheck-[^/]*|mpirun|orterun|mpiexec\.hydra|hydra_pmi_proxy)$'
    for attempt in {1..30}; do
        process=$(grep -lz "^CGM_TEST_MARK=$CGM_TEST_MARK\$" /proc/[0-9]*/environ 2>/dev/null |
            while read -r file; do
                readlink "${file%environ}exe" || true
            done | grep -E "$ours") || return 0
        [[ $attempt -eq 30 ]] || sleep 0.3
    done
    echo "still running: $process"
    return 1
}

no_file_added()
{
    listing | diff "$logs/before" - >"$logs/changed" || {
        sed 's/^/file: /' "$logs/changed"
        return 1
    }
}

# answered LABEL CODE REGEX: the last run exited so without an error, and stdout has such a line.
answered()
{
    require "exit code $code, not $2" test "$code" -eq "$2"
    require "an error line on stderr" error_lines 0
    [[ -z $3 ]] || require "no line like '$3' on stdout" grep -Eq -- "$3" "$out"
    require "processes are left" no_process_left
    verdict "$1"
}

# accepted LABEL [REGEX]
accepted()
{
    answered "$1" 0 "${2:-}"
}

# as_alone RANKS OPTION...: a run of run.ini has the results of alone.h5.
as_alone()
{
    run "$1" run run.ini "${@:2}" --output.file=other.h5 --output.overwrite=true
    accepted "run at $*"
    run 1 diff alone.h5 other.h5
    accepted "run at $*: as alone" 'the same results'
}

# refused LABEL CODE REGEX: the last run exited so, with exactly one error line, which looks like
# that, left neither a file nor a process, and changed no file.
refused()
{
    require "exit code $code, not $2" test "$code" -eq "$2"
    require "not exactly one line 'cgm: error: ...' on stderr" error_lines 1
    require "the error does not match '$3'" error_matches "$3"
    require "files were added, removed or changed" no_file_added
    require "processes are left" no_process_left
    verdict "$1"
}

# skipped LABEL WHY: a check that this machine has not what it takes for.
skipped()
{
    n_skipped=$((n_skipped + 1))
    echo "skipped: $1: $2"
}

finish()
{
    cd ..
    trap - EXIT
    [[ $n_failed -gt 0 ]] || rm -rf "$work" "$logs"
    echo "tests: $n_passed passed, $n_failed failed, $n_skipped skipped"
    [[ $n_failed -eq 0 ]]
}

ended_early()
{
    echo "not ok: the script ended early, after: $command_line"
    n_failed=$((n_failed + 1))
    finish
}
trap ended_early EXIT
