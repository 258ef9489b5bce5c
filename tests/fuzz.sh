#!/usr/bin/env bash
# Runs every fuzz target for FUZZ_SECONDS (60) on top of the inputs kept in tests/fuzz/corpus.
# Called by make fuzz after the build. FUZZ_ONLY names the targets to run, such as "fuzz_h5".
#
# Inputs that make a target crash, hang or take too much memory stay in $BUILD/findings. Each is run
# again: the first frame of its stack that is of the program or of libhdf5 says whose fault it is.
# libhdf5 is known to trust damaged files, and a run contains that (src/h5_guard.c): its findings
# are listed by function, and only others make a target fail.
set -euo pipefail
shopt -s nullglob
cd "$(dirname "$0")/.."
# shellcheck source=config/mpi.sh
. config/mpi.sh

build=$(realpath "${BUILD:-build/fuzz}")
seconds=${FUZZ_SECONDS:-60}
TMPDIR=$(mktemp -d /dev/shm/cgm-fuzz-XXXXXX)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
passed=0
failed=0
mpi_environment 1
# Singletons start no daemon of their own. A refused allocation is an answer, not a crash.
export OMPI_MCA_ess_singleton_isolated=1
ASAN_OPTIONS=allocator_may_return_null=1:max_allocation_size_mb=512:handle_abort=1
export ASAN_OPTIONS+=:leak_check_at_exit=0
export UBSAN_OPTIONS=print_stacktrace=1
{ cat config/lsan.supp && echo leak:libhdf5; } >"$build/lsan.supp"
export LSAN_OPTIONS=suppressions=$build/lsan.supp:print_suppressions=0
limits=(-timeout=20 -rss_limit_mb=2048 -malloc_limit_mb=1024 -max_len=65536)

# What the target's source asks of libFuzzer in a comment line `// libfuzzer: OPTION ...`.
options()
{
    sed -nE 's,^// libfuzzer: *(.*)$,\1,p' "tests/fuzz/${target##*/}.c"
}

# Whose fault the finding in FILE is, and where.
classify()
{
    local log=$1.log code=0
    timeout 120 "$target" "${limits[@]}" "$1" >"$log" 2>&1 </dev/null || code=$?
    if [[ $code -eq 0 ]]; then
        echo "none not again by itself"
        return
    fi
    awk '$1 ~ /^#[0-9]+$/ && /libhdf5/ { print "libhdf5", $4; exit }
         $1 ~ /^#[0-9]+$/ && /\/(src|tests)\/[a-z0-9_\/]+\.[ch]:/ { print "cgm", $4, $NF; exit }
         END { if (NR == 0) print "cgm no report" }' "$log" | grep . || echo "cgm unknown place"
}

# Findings of a target, counted by whose fault and where.
list_findings()
{
    local file
    for file in "$findings"/*-*; do
        [[ $file == *.log ]] || classify "$file"
    done | sort | uniq -c | sort -rn
}

fuzz()
{
    local name log runs listed
    name=$(basename "$target")
    findings=$build/findings/$name
    log=$build/$name.log
    rm -rf "$findings"
    mkdir -p "$findings" "$build/corpus/$name"
    # Jobs one after another, each a process: a crash ends one and not the fuzzing.
    # shellcheck disable=SC2046 # one word an option
    timeout $((seconds * 2 + 120)) "$target" $(options) -fork=1 -ignore_crashes=1 \
        -ignore_timeouts=1 -ignore_ooms=1 -max_total_time="$seconds" "${limits[@]}" \
        -artifact_prefix="$findings/" \
        "$build/corpus/$name" "tests/fuzz/corpus/${name#fuzz_}" >"$log" 2>&1 </dev/null || true
    runs=$(sed -nE 's/^#([0-9]+): .*/\1/p' "$log" | tail -n 1)
    listed=$(list_findings)
    echo "$name: ${runs:-0} executions in $seconds s"
    [[ -z $listed ]] || sed 's/^/    /' <<<"$listed"
    if [[ ${runs:-0} -eq 0 ]] || grep -qE '^ *[0-9]+ cgm ' <<<"$listed"; then
        failed=$((failed + 1))
        echo "    FAIL; inputs and reports are in $findings, the log is $log"
    else
        passed=$((passed + 1))
    fi
}

for target in "$build"/tests/fuzz/fuzz_*; do
    only=" ${FUZZ_ONLY:-${target##*/}} "
    if [[ -x $target && -f $target && $only == *" ${target##*/} "* ]]; then
        fuzz
    fi
done
planned=(tests/fuzz/fuzz_*.c)
[[ -z ${FUZZ_ONLY:-} ]] || read -ra planned <<<"$FUZZ_ONLY"
if [[ $((passed + failed)) -ne ${#planned[@]} ]]; then
    echo "$((passed + failed)) of ${#planned[@]} targets ran"
    failed=$((failed + 1))
fi
echo "$passed passed, $failed failed"
[[ $failed -eq 0 && $passed -gt 0 ]]
