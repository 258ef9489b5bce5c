#!/usr/bin/env bash
# Static checks and the rules of the sources: tests/lint.sh FILE ... (make lint knows them).
# Tools that are not installed are named and left out; with CI=true that is a failure.
set -euo pipefail
shopt -s lastpipe
export LC_ALL=C.UTF-8
cd "$(dirname "$0")/.."

cppcheck=${CPPCHECK:-cppcheck}
clang_tidy=${CLANG_TIDY:-clang-tidy}
c_files=()
scripts=()
sources=()
for file in "$@"; do
    case $file in
    *.c) c_files+=("$file") && sources+=("$file") ;;
    *.h) c_files+=("$file") ;;
    *) scripts+=("$file") ;;
    esac
done
failed=0
# All checks below: fewer are a failure.
PLAN=22
checks=0

# verdict LABEL: what stands on stdin is what was found wrong.
verdict()
{
    local found
    found=$(cat)
    checks=$((checks + 1))
    if [[ -z $found ]]; then
        echo "ok   $1"
    else
        echo "FAIL $1"
        head -n 40 <<<"$found" | sed 's/^/    /'
        failed=$((failed + 1))
    fi
}

# tool PROGRAM COMMAND ARGUMENT...: the command, which needs the program, succeeds.
tool()
{
    local program=$1
    shift
    if ! command -v "$program" >/dev/null; then
        echo "---- $program is not installed"
        checks=$((checks + 1))
        [[ ${CI:-} != true ]] || failed=$((failed + 1))
        return
    fi
    local output code=0
    output=$("$@" 2>&1) || code=$?
    [[ $code -eq 0 ]] || echo "$output"$'\n'"exit code $code" | verdict "$program"
    [[ $code -ne 0 ]] || verdict "$program" </dev/null
}

# A few files at a time, so that all cores are busy. Of the tests it cannot know that a failing
# assert does not return.
run_clang_tidy()
{
    # shellcheck disable=SC2016 # expanded by the inner shell
    local code=0
    local flags
    flags="${COMPILE#* } $(pkg-config --cflags ompi-c 2>/dev/null || true)"
    printf '%s\0' src/*.c | xargs -0 -n 3 -P "$(nproc)" bash -c \
        'program=$0 flags=$1; shift; "$program" --quiet "$@" -- $flags' \
        "$clang_tidy" "$flags" 2>/dev/null | grep -vE '^ |: note: ' || code=${PIPESTATUS[1]}
    return "$code"
}

# pattern LABEL REGEX FILE...: no line is like that. The regular expressions below are written so
# that they do not match themselves.
pattern()
{
    local label=$1 regex=$2
    shift 2
    { grep -nE -- "$regex" "$@" /dev/null || true; } | verdict "$label"
}

# owner LABEL REGEX FILE ...: outside these files no C file has such a line.
owner()
{
    local label=$1 regex=$2 file
    shift 2
    for file in "${c_files[@]}"; do
        if [[ $file != tests/* && " $* " != *" $file "* ]]; then
            grep -HnE "$regex" "$file" || true
        fi
    done | verdict "$label"
}

pattern "no unfinished marks" '\b(TO[D]O|FIX[M]E|XX[X]|HAC[K])\b|^#if [0]' "$@" Makefile README.md
pattern "no sum of doubles over ranks" 'MPI_DOUBL[E] *, *MPI_SUM|MPI_FLOA[T]' "${c_files[@]}"
pattern "no flags that change results" '-ffast-mat[h]|-march=nativ[e]|-Ofas[t]' Makefile
pattern "no careless functions" '\b(atoi|atol|atof|gets|strcpy|strcat|sprintf|strtok|alloca) ?\(' \
    "${c_files[@]}"
pattern "no paths of one machine" '/(home|root)/[a-z]' "$@" Makefile README.md
pattern "no tabs, no blanks at line ends" $'\t|[ ]+$' "$@"
pattern "at most 100 columns" '^.{101,}' "$@"
wc -l "${c_files[@]}" | awk '$1 > 600 && $2 != "total"' | verdict "files of at most 600 lines"

owner "HDF5 in h5.c" '#include <hdf5' src/h5.c src/h5_write.c src/h5_common.h
owner "GLPK in reward_lp.c" '#include <glpk' src/reward_lp.c
owner "LIBSVM in downstream.c" '#include <svm\.h' src/downstream.c
owner "inih in config.c" '#include <ini\.h' src/config.c
owner "libcsv in import.c" '#include <csv\.h' src/import.c
owner "Random123 in rng.c" '#include <Random123' src/rng.c
owner "BLAS in dense.c" '#include <(cblas|lapacke|openblas)' src/dense.c
owner "gnuplot, a program of its own, in report_plots.c" \
    '\b(posix_spawnp?|exec[lv]p?e?|popen|system)\(' src/report_plots.c
owner "MPI in comm.c" '\bMPI_[A-Z][a-z]\w*\(' src/comm.c src/comm_start.c src/comm_window.c \
    src/main.c src/h5_write.c src/provenance.c
for header in include/cgm/*.h; do
    name=$(basename "$header" .h)
    [[ -f src/$name.c || $name =~ ^(status|tolerance|pause|model)$ ]] || echo "$header"
done | verdict "every header has its source"

for script in "${scripts[@]}"; do
    bash -n "$script" 2>&1 || true
done | verdict "scripts parse"
tool shellcheck shellcheck -S warning -s bash "${scripts[@]}"
# Leaks are for valgrind and the sanitizers to find, as cppcheck loses track of pointers kept in
# structs. h5.c reads pointers out of a buffer.
tool "$cppcheck" "$cppcheck" --quiet --enable=warning,performance,portability --std=c11 \
    --inline-suppr --error-exitcode=1 -Iinclude --suppress=missingIncludeSystem \
    --suppress=memleak --suppress=pointerSize:src/h5.c "${sources[@]}"
tool "$clang_tidy" run_clang_tidy
if [[ $checks -ne $PLAN ]]; then
    echo "$checks of $PLAN checks ran"
    failed=$((failed + 1))
fi
echo "$failed checks failed"
[[ $failed -eq 0 ]]
