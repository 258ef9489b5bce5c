#!/usr/bin/env bash
# Measures this machine: tables on stdout, and all values in BUILD/bench.json. Called by make bench.
#
#     tests/bench.sh [PART ...]      of: kernel peers stages draws shapley runs; default: all
#
# Environment: BUILD (build), MPIRUN, CC, CGM_SHARED (../shared), REPEATS (5).
# Every figure is the median of REPEATS, with the smallest and the largest beside it. Stages are
# measured whole, packing of points included. Peers are timed where python3 finds them.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=config/mpi.sh
. config/mpi.sh
mpi_environment 2

build=${BUILD:-build}
mpirun=${MPIRUN:-mpirun}
shared=${CGM_SHARED:-../shared}
repeats=${REPEATS:-5}
parts=${*:-kernel peers stages draws shapley runs}
# What a user would give a plain loop; the program itself is built without any of them.
plain_flags='-O3 -march=native -ffast-math -ffp-contract=fast'
work=$build/bench
records=$work/records.tsv # name, unit, values
rm -rf "$work"
mkdir -p "$work"
: >"$records"

make BUILD="$build" ${CC:+CC="$CC"} PLAIN_CFLAGS="$plain_flags" "$build/cgm" \
    "$build"/tests/bench_{kernel,stages,draws,result} "$build/tests/slow_shapley" \
    >"$work/make.log" ||
    {
        cat "$work/make.log"
        exit 1
    }

# quietly COMMAND...: its output only where it fails.
quietly()
{
    "$@" >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        exit 1
    }
}

record()
{
    local IFS=$'\t'
    echo "$*" >>"$records"
}

wanted()
{
    [[ " $parts " == *" $1 "* ]]
}

# summary REGEX: of every record whose name matches: name, unit, median, smallest, largest.
summary()
{
    awk -F '\t' -v regex="$1" '
        $1 ~ regex {
            n = NF - 2
            for (i = 1; i <= n; i++) v[i] = $(i + 2) + 0
            for (i = 2; i <= n; i++)
                for (j = i; j > 1 && v[j] < v[j - 1]; j--) {
                    t = v[j]
                    v[j] = v[j - 1]
                    v[j - 1] = t
                }
            median = n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
            print $1 "\t" $2 "\t" median "\t" v[1] "\t" v[n]
        }' "$records"
}

# ---- the machine ----

cpu=$(sed -nE 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)
cores=$(getconf _NPROCESSORS_ONLN)
instructions=$("$build/tests/bench_kernel" name)
compiler=$("${CC:-mpicc}" --version | head -n 1)
load=$(cut -d ' ' -f 1 /proc/loadavg)
echo "machine        ${cpu:-unknown}, $cores cores, load $load when this began"
echo "program        $("$build/cgm" --version | head -n 1), instruction set: $instructions"
echo "compiler       $compiler"
echo "plain loop     $plain_flags"
echo "figures        medians of $repeats (smallest .. largest)"

# ---- the kernel ----

measure_kernel()
{
    OMP_NUM_THREADS=1 "$build/tests/bench_kernel" 0.2 >>"$records"
}

print_kernel()
{
    local d
    echo
    echo 'kernel se over 25,088 points, one core, in 10^9 a second.'
    echo 'sums: evaluations; limit: peak multiply-adds / (d + 6), measured in turns with them;'
    echo 'both: with sums of rows beside those of columns; plain: the plain loop'
    printf '%5s %7s %16s %7s %9s %16s %7s %7s %7s\n' d sums spread limit 'of limit' spread both \
        plain ratio
    for d in 2 4 8 32 128 784; do
        paste <(summary "^columns_d$d\$") <(summary "^rows_and_columns_d$d\$") \
            <(summary "^plain_d$d\$") <(summary "^peak_fma_d$d\$") <(summary "^of_limit_d$d\$") |
            awk -F '\t' -v d="$d" '{
                printf "%5d %7.3f %7.3f .. %5.3f %7.2f %7.0f %% %7.0f .. %3.0f %% %7.3f ",
                    d, $3 / 1e9, $4 / 1e9, $5 / 1e9, $18 / (d + 6) / 1e9, 100 * $23, 100 * $24,
                    100 * $25, $8 / 1e9
                printf "%7.3f %7.1f\n", $13 / 1e9, $3 / $13
            }'
    done
    summary '^columns_avx2_d' | awk -F '\t' '{
        sub(/.*_d/, "", $1)
        printf "AVX2, %d features %28.3f %7.3f .. %5.3f\n", $1, $3 / 1e9, $4 / 1e9, $5 / 1e9 }'
}

measure_peers()
{
    if command -v python3 >/dev/null; then
        # Temporaries kept in the process: given back after each operation, they cost the peers
        # up to 30 times the arithmetic in faults of fresh pages.
        OMP_NUM_THREADS=1 MALLOC_TRIM_THRESHOLD_=4000000000 MALLOC_MMAP_THRESHOLD_=4000000000 \
            python3 tests/bench_peers.py "$repeats" >>"$records"
    fi
}

print_peers()
{
    echo
    echo 'the same sums elsewhere, 10^9 evaluations a second, one thread'
    summary "^(torch|scikit-learn)_d" | awk -F '\t' '
        { printf "%-18s %7.3f (%.3f .. %.3f)\n", $1, $3 / 1e9, $4 / 1e9, $5 / 1e9; found = 1 }
        END { if (!found) print "neither torch nor scikit-learn is installed" }'
}

# ---- the other passes ----

measure_stages()
{
    OMP_NUM_THREADS=1 "$build/tests/bench_stages" 0.2 >>"$records"
}

print_stages()
{
    echo
    echo 'passes at 8 features, one core, in 10^9 a second: evaluations with slopes, of ten rungs'
    echo 'of the ladder, of distances; points packed and looked at; candidates swept for 1 and 8'
    echo 'chains, of 6,144 in the cache and of 10^6'
    summary '^(slopes|ladder|distances|pack|look|score_.*)_d8$' | awk -F '\t' '{
        sub(/_d8$/, "", $1)
        printf "%-20s %7.3f (%.3f .. %.3f)\n", $1, $3 / 1e9, $4 / 1e9, $5 / 1e9 }'
}

# ---- draws ----

measure_draws()
{
    "$build/tests/bench_draws" 100000 2 1 2 4 8 >>"$records"
    "$build/tests/bench_draws" 100000 8 1 2 4 8 >>"$records"
    quietly "$mpirun" -n 2 "$build/tests/bench_draws" 1000000 8 1
    grep -a "^draw" "$work/log" >>"$records"
}

print_draws()
{
    echo
    echo 'draws of a reward: microseconds each, for one beta or for all of them in one run,'
    echo 'and what a draw streams: d + 1 numbers a candidate, which betas share, and twice a sum'
    printf '%-42s %10s %20s %8s\n' 'candidates, features, beta, ranks' us spread GB/s
    summary '^draw_' | awk -F '\t' '{
        split($1, part, "_")
        g = substr(part[2], 2); d = substr(part[3], 2); ranks = substr(part[5], 2)
        sharing = part[4] == "ball" ? 4 : 1
        printf "%-42s %10.2f %9.2f .. %7.2f %8.1f\n",
            g ", " d ", " substr(part[4], 2) ", " ranks, $3, $4, $5,
            ranks * g * ((d + 1) / sharing + 2) * 8e-3 / $3 }'
}

# ---- Shapley values ----

measure_shapley()
{
    local n ranks k times
    for n in 1000 10000; do
        for ranks in 1 2; do
            times=()
            for ((k = 0; k < repeats; k++)); do
                quietly "$mpirun" -n "$ranks" "$build/tests/slow_shapley" "$n" some
                times+=("$(sed -nE 's/.* seconds ([0-9.]+) .*/\1/p' "$work/log")")
            done
            record "shapley_n${n}_r$ranks" s "${times[@]}"
        done
    done
}

print_shapley()
{
    echo
    echo 'Shapley values, seconds; sizes uniform on 5 .. 500'
    summary '^shapley_n' | awk -F '\t' '{
        split($1, part, "_")
        printf "%-42s %10.3f %9.3f .. %7.3f\n",
            substr(part[2], 2) " parties, " substr(part[3], 2) " ranks", $3, $4, $5 }'
}

# ---- whole runs ----

# measure_run NAME FILE LABEL RANKS OPTION...
measure_run()
{
    local name=$1 file=$2 label=$3 ranks=$4 k
    shift 4
    printf '[input]\nparties = %s\n[metrics]\nselect = none\n[run]\nprogress = 0\n' \
        "$file" >"$work/run.ini"
    for ((k = 0; k < repeats; k++)); do
        quietly "$mpirun" -n "$ranks" "$build/cgm" run "$work/run.ini" \
            --sampling.inv_temp=1,2,4,8 --output.file="$work/run.h5" --output.overwrite=true "$@"
        "$build/tests/bench_result" "$work/run.h5" | sed -n 's/^seconds_//p' >"$work/seconds.$k"
    done
    for stage in $(cut -d ' ' -f 1 "$work/seconds.0"); do
        # shellcheck disable=SC2046 # one word a run
        record "run_${name}_${label}_$stage" s $(sed -n "s/^$stage //p" "$work"/seconds.*)
    done
}

measure_runs()
{
    local name file
    for name in paper5 fashion; do
        file=$shared/golden/paper5.h5
        [[ $name == paper5 ]] || file=$shared/data/fashion_pca8_equaldisjoint.h5
        [[ -r $file ]] || continue
        measure_run "$name" "$file" r1t1 1
        measure_run "$name" "$file" r2t1 2
        measure_run "$name" "$file" r1t2 1 --run.threads=2
    done
}

print_runs()
{
    local name
    for name in paper5 fashion; do
        echo
        echo "$name: seconds of the slowest rank by stage, at beta 1, 2, 4 and 8"
        if ! grep -q "^run_${name}_" "$records"; then
            echo "its file is not below $shared; CGM_SHARED names the directory"
            continue
        fi
        summary "^run_${name}_" | awk -F '\t' '
            {
                name = $1
                sub(/^run_[a-z0-9]*_/, "", name)
                label = substr(name, 1, 4)
                stage = substr(name, 6)
                if (!(stage in seen)) { seen[stage] = 1; order[++n] = stage }
                median[label, stage] = $3
                spread[label, stage] = sprintf("(%.3f .. %.3f)", $4, $5)
                total[label] += $3
            }
            END {
                printf "%-14s %27s %27s %27s\n", "stage", "1 rank", "2 ranks", "1 rank, 2 threads"
                for (k = 1; k <= n; k++) {
                    printf "%-14s", order[k]
                    for (c = 1; c <= split("r1t1 r2t1 r1t2", labels, " "); c++)
                        if ((labels[c], order[k]) in median)
                            printf " %8.3f %18s", median[labels[c], order[k]],
                                spread[labels[c], order[k]]
                    print ""
                }
                printf "%-14s", "total"
                for (c = 1; c <= 3; c++)
                    if (labels[c] in total) printf " %8.3f %18s", total[labels[c]], ""
                print ""
            }'
    done
}

for part in kernel peers stages draws shapley runs; do
    if wanted "$part"; then
        "measure_$part"
        "print_$part"
    fi
done

# ---- everything, for programs ----

quote()
{
    sed 's/[\\"]/\\&/g' <<<"$1"
}
{
    printf '{"machine": {"cpu": "%s", "cores": %d, "load": %s, "instruction_set": "%s", ' \
        "$(quote "$cpu")" "$cores" "$load" "$instructions"
    printf '"compiler": "%s", "plain_flags": "%s", "program": "%s"},\n"records": [' \
        "$(quote "$compiler")" "$plain_flags" \
        "$(quote "$("$build/cgm" --version | head -n 2 | tr -s ' \n' ' ')")"
    paste <(summary .) <(cut -f 3- "$records" | tr '\t' ,) | awk -F '\t' '{
        printf "%s\n  {\"name\": \"%s\", \"unit\": \"%s\", ", (NR > 1 ? "," : ""), $1, $2
        printf "\"median\": %s, \"low\": %s, \"high\": %s, \"values\": [%s]}", $3, $4, $5, $6 }'
    printf '\n]}\n'
} >"$build/bench.json"
echo
echo "all values: $build/bench.json"
