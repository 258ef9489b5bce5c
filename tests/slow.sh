#!/usr/bin/env bash
# Runs that take minutes: many parties, from input to output. Called by make check-slow.
# Environment: BUILD (build), MPIRUN, RANKS (as many as there are cores).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=config/mpi.sh
. config/mpi.sh

build=${BUILD:-build}
mpirun=${MPIRUN:-mpirun}
ranks=${RANKS:-$(getconf _NPROCESSORS_ONLN)}
mpi_environment "$ranks"
work=$build/slow
failed=0
rm -rf "$work"
mkdir -p "$work"

# verdict LABEL COMMAND...
verdict()
{
    local label=$1
    shift
    if "$@"; then
        echo "ok   $label"
    else
        echo "FAIL $label"
        failed=$((failed + 1))
    fi
}

at_most()
{
    awk -v value="$1" -v limit="$2" 'BEGIN { exit !(value <= limit) }'
}

# whole_run LABEL SIMULATE-OPTION...: simulated data, all stages; seconds by stage; φ's error.
whole_run()
{
    local label=$1 data=$work/$1.h5 result=$work/$1.out.h5 start=$EPOCHREALTIME error
    shift
    "$mpirun" -n "$ranks" "$build/cgm" simulate --out "$data" "$@" || return
    printf '[input]\nparties = %s\n[reward]\ncondition = individual\n[sampling]\ninv_temp = 1\n[metrics]\nselect = none\n' \
        "$data" >"$work/$label.ini"
    start=$EPOCHREALTIME
    "$mpirun" -n "$ranks" "$build/cgm" run "$work/$label.ini" --output.file="$result" \
        --run.progress=60 >"$work/$label.log" || {
        tail -n 20 "$work/$label.log"
        return 1
    }
    awk -v label="$label" -v ranks="$ranks" -v seconds="$EPOCHREALTIME" -v start="$start" 'BEGIN {
        printf "%s at %d ranks: %.1f s\n", label, ranks, seconds - start }'
    sed -n '/^stage  /,/^total/p' "$work/$label.log"
    error=$("$build/tests/bench_result" "$result" | sed -n 's/^shapley_error //p')
    echo "error estimate over the largest phi: $error, 1e-12 allowed"
    at_most "$error" 1e-12
}

# Sizes from 5 on with a heavy tail, up to some hundreds.
verdict "1000 parties, heavy-tailed" whole_run heavy --parties 1000 --points 10 --sizes heavy \
    --features 4 --candidates 20000
verdict "10,000 parties of 10 points" whole_run many --parties 10000 --points 10 --features 4 \
    --candidates 5000
# The values against random orders of the parties, at sizes 5 .. 500.
verdict "1000 parties: phi against random orders" \
    "$mpirun" -n "$ranks" "$build/tests/slow_shapley" 1000 some 100
# The generative network on simulated ratings, three seeds: its points against fresh ones.
"$mpirun" -n "$ranks" "$build/cgm" simulate --out "$work/ratings.h5" --candidates 10000 --test 10000
for seed in 1 2 3; do
    verdict "generative network, seed $seed" \
        "$mpirun" -n "$ranks" "$build/tests/slow_gan" "$work/ratings.h5" "$seed"
done
echo "$failed failed"
[[ $failed -eq 0 ]]
