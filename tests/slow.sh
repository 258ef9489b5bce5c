#!/usr/bin/env bash
# Runs that take minutes: many parties, from input to output, and comparisons with other programs.
# Called by make check-slow.
# Environment: BUILD (build), MPIRUN, RANKS (as many as there are cores), PYTHON (python3),
# CGM_SHARED (../shared).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=config/mpi.sh
. config/mpi.sh

build=${BUILD:-build}
mpirun=${MPIRUN:-mpirun}
ranks=${RANKS:-$(getconf _NPROCESSORS_ONLN)}
mpi_environment "$ranks"
python=${PYTHON:-python3}
shared=${CGM_SHARED:-../shared}
work=$build/slow
failed=0
# All runs below, of which comparisons with other programs may be left out: fewer are a failure.
plan=20
ran=0
rm -rf "$work"
mkdir -p "$work"

# verdict LABEL COMMAND...
verdict()
{
    local label=$1
    shift
    ran=$((ran + 1))
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
    printf '[%s]\n%s = %s\n' input parties "$data" reward condition individual \
        sampling inv_temp 1 metrics select none >"$work/$label.ini"
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
# downstream_run NAME: accuracies on real data against scikit-learn's.
downstream_run()
{
    local data=$shared/data/$1.h5 result=$work/$1.out.h5
    printf '[%s]\n%s = %s\n' input parties "$data" sampling inv_temp '1, 8' \
        metrics select downstream metrics downstream_points 1000000 >"$work/$1.ini"
    "$mpirun" -n "$ranks" "$build/cgm" run "$work/$1.ini" --output.file="$result" \
        --run.progress=60 >"$work/$1.log" || {
        tail -n 20 "$work/$1.log"
        return 1
    }
    "$python" tests/downstream_peers.py "$result" "$data" >"$work/$1.peers" || {
        sort -t $'\t' -k 6 -r "$work/$1.peers" | head -n 20
        return 1
    }
    tail -n 1 "$work/$1.peers"
}

if ! "$python" -c 'import h5py, numpy, sklearn' 2>/dev/null; then
    echo "---- no comparison with scikit-learn: $python has no h5py, numpy or sklearn (PYTHON)"
    plan=$((plan - 8))
elif [[ ! -d $shared/data ]]; then
    echo "---- no comparison with scikit-learn: no data in $shared (CGM_SHARED)"
    plan=$((plan - 8))
else
    for name in lendingclub_grade_equaldisjoint lendingclub_grade_unequal \
        fashion_pca8_equaldisjoint_small fashion_pca8_unequal_small; do
        verdict "downstream accuracies of $name as scikit-learn's" downstream_run "$name"
    done
    "$mpirun" -n "$ranks" "$build/cgm" simulate --out "$work/ratings.h5" --candidates 1 \
        --test 10000
    verdict "points drawn by a generative network" "$python" tests/gan_peers.py \
        --launch "$mpirun -n $ranks" "$build/cgm" "$work/ratings.h5" \
        "$shared/data/fashion_pca8_equaldisjoint_small.h5"
    # Mixtures: likelihood of the test points, and time.
    for name in lendingclub_grade_equaldisjoint fashion_pca8_equaldisjoint \
        fashion_pca8_equaldisjoint_small; do
        verdict "mixtures of $name against scikit-learn's" \
            "$python" tests/gmm_peers.py --seeds 3 "$build/cgm" "$shared/data/$name.h5"
    done
fi
# components_run SOLVER RANKS: principal components of 25,000 raw images against numpy's.
components_run()
{
    local pool=$work/components.$1.$2.h5
    "$mpirun" -n "$2" "$build/cgm" generate config/fashion.ini --input.parties="$work/fashion.h5" \
        --out "$pool" --generator.size=1 --generator.components=1 --run.progress=0 \
        --features.eigensolver="$1" >"$work/components.log" || {
        tail -n 20 "$work/components.log"
        return 1
    }
    "$python" tests/fashion_mnist.py compare "$work/fashion.h5" "$pool"
}

# From raw images to rewards in one command; the stage that projects them takes seconds.
fashion_run()
{
    local log=$work/fashion.log
    "$mpirun" -n "$ranks" "$build/cgm" run config/fashion.ini --input.parties="$work/fashion.h5" \
        --output.file="$work/fashion.out.h5" --run.progress=60 >"$log" || {
        tail -n 20 "$log"
        return 1
    }
    grep -E '^(features|reward|mmd2_after|total) ' "$log"
    at_most "$(awk '$1 == "features" && NF > 6 && $4 ~ /^[0-9.]+$/ { print $4 }' "$log")" 10 &&
        at_most "$(awk '$1 == "mmd2_after" { print $2 }' "$log")" -0.9
}

if ! "$python" -c 'import h5py, numpy' 2>/dev/null; then
    plan=$((plan - 9))
    echo "---- no comparison with numpy: $python has no h5py or numpy (PYTHON)"
elif [[ ! -d /usr/share/datasets/fashion-mnist ]]; then
    plan=$((plan - 9))
    echo "---- no Fashion-MNIST: it is in Debian's package dataset-fashion-mnist"
else
    "$python" tests/fashion_mnist.py make "$work/fashion.h5"
    for solver in lapack scalapack; do
        for count in 1 2 4; do
            verdict "components by $solver at $count ranks as numpy's" \
                components_run "$solver" "$count"
        done
    done
    for count in 2 4; do
        verdict "components by LAPACK at $count ranks: as one rank alone" \
            cmp "$work/components.lapack.1.h5" "$work/components.lapack.$count.h5"
    done
    verdict "Fashion-MNIST from raw images to rewards" fashion_run
fi
if [[ $ran -ne $plan ]]; then
    echo "$ran of $plan runs were made"
    failed=$((failed + 1))
fi
echo "$failed failed"
[[ $failed -eq 0 ]]
