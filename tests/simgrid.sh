#!/usr/bin/env bash
# Strong and weak scaling on simulated clusters (SimGrid): tables on stdout, BUILD/scaling.json, and
# the page BUILD/scaling.html. Called by make simulate-scaling.
#
#     tests/simgrid.sh [PART ...]      of: real strong weak; default: PARTS, or all
#
# Fails when an efficiency on the first of the clusters is lower than what the schedule is good for,
# or when the speed-up of real runs differs by more than 15 % from that of simulated ones.
#
# Environment: BUILD (build), MPIRUN, SMPIRUN, CC, SIZES (1 4 16 64 256 1024), PLATFORMS (fat_tree
# commodity), PARTIES (1024), POINTS (5000), CANDIDATES (1000000), STRIDE (1024: of so many draws
# one is simulated, and counts for all), REPEATS (7), RATES (a file of a core's seconds in place of
# make bench's, lines of a name and a number; tests/simgrid/rates.txt is that of README.md).
#
# The stages are the program's own (tests/simgrid/simulate.c); seconds of a core's work are from the
# records of make bench, draws a party from a real run of 1,024 parties of 200 points and 40,000
# candidates (tests/simgrid/draws.txt), in proportion to the points. A node has 16 cores. Weak
# scaling: parties and candidates grow with the root of the ranks, so that a rank's work does not;
# the mean of the draws stays, whoever the parties are.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=config/mpi.sh
. config/mpi.sh
mpi_environment 2

here=$PWD
build=$(realpath -m "${BUILD:-build}")
mpirun=${MPIRUN:-mpirun}
smpirun=${SMPIRUN:-smpirun}
sizes=${SIZES:-1 4 16 64 256 1024}
platforms=${PLATFORMS:-fat_tree commodity}
parties=${PARTIES:-1024}
points=${POINTS:-5000}
candidates=${CANDIDATES:-1000000}
stride=${STRIDE:-1024}
repeats=${REPEATS:-7}
parts=${*:-${PARTS:-real strong weak}}
# The longest runs come first.
largest_first=$(tr ' ' '\n' <<<"$sizes" | sort -nr)
node_cores=16
recorded_points=200
features=8
work=$build/scaling
page=$build/scaling.html
mkdir -p "$work"

wanted()
{
    [[ " $parts " == *" $1 "* ]]
}

# ---- rates ----

has_rates()
{
    [[ -r $build/bench.json ]] &&
        jq -e '[.records[].name] | contains(["columns_d8", "score_streamed_8_d8"])' \
            "$build/bench.json" >/dev/null
}

# Seconds for one of what make bench counts a second, at the best of its repeats: what a core does
# that nobody else disturbs. A slower one would make messages look cheaper.
write_rates()
{
    if [[ -n ${RATES:-} ]]; then
        cp "$RATES" "$work/rates"
        return
    fi
    has_rates || BUILD=$build MPIRUN=$mpirun tests/bench.sh kernel stages >"$work/bench.log"
    jq -r '
        (.records | map({(.name): .high}) | add) as $rate
        | {columns: "columns", both: "rows_and_columns", slopes: "slopes", ladder: "ladder",
           distances: "distances", pack: "pack", look: "look",
           score_cached_1: "score_cached_1", score_cached_8: "score_cached_8",
           score_streamed_1: "score_streamed_1", score_streamed_8: "score_streamed_8"}
        | to_entries[] | "\(.key) \(1 / $rate[.value + "_d8"])"' "$build/bench.json" >"$work/rates"
    # Packing reads and writes a point: 128 bytes.
    awk '$1 == "pack" { print "byte", $2 / 128 }' "$work/rates" >"$work/byte"
    cat "$work/byte" >>"$work/rates"
}

# ---- simulated runs ----

# simulate PLATFORM RANKS PARTIES POINTS CANDIDATES DRAWS SCALE STRIDE FILE
simulate()
{
    local platform=$1 ranks=$2 draws file=${*: -1} node
    draws=$(realpath "$6")
    for ((node = 0; node * node_cores < ranks; node++)); do
        echo "node-$node:$node_cores"
    done >"$file.hosts"
    # What makes a run what it is: one that is there already is not made again.
    local key
    key=$(cat "$build/simgrid/simulate" "$work/rates" "tests/simgrid/$platform.xml" "$6" |
        cksum)" ${*:1:8}"
    if [[ -r $file.key && "$(<"$file.key")" == "$key" ]]; then
        return
    fi
    # It leaves files where it runs when it is interrupted.
    (cd "$work" && "$smpirun" -platform "$here/tests/simgrid/$platform.xml" \
        -hostfile "$file.hosts" -np "$ranks" \
        --cfg=smpi/simulate-computation:no --cfg=smpi/privatization:no \
        --cfg=smpi/coll-selector:ompi --cfg=network/crosstraffic:0 --log=root.thresh:error \
        "$build/simgrid/simulate" "$3" "$4" "$features" "$5" "$work/rates" "$draws" "$7" "$8") \
        >"$file.part" 2>"$file.log" || {
        cat "$file.log" "$file.part" >&2
        exit 1
    }
    mv "$file.part" "$file"
    echo "$key" >"$file.key"
}

# scale_of PARTIES: so that the mean of their draws is in proportion to that of all recorded.
scale_of()
{
    awk -v n="$1" -v scale="$points" -v recorded="$recorded_points" '
        NR <= n { some += $1 }
        { all += $1 }
        END { printf "%.5f", scale / recorded * (all / NR) / (some / n) }' tests/simgrid/draws.txt
}

# Ranks of one node do not know what network there is.
network_of()
{
    if [[ $2 -le $node_cores ]]; then
        echo "${platforms%% *}"
    else
        echo "$1"
    fi
}

# run_of KIND PLATFORM RANKS: the file of a run. The largest is the same in both kinds.
run_of()
{
    local kind=$1
    [[ $3 != "${sizes##* }" ]] || kind=largest
    echo "$work/$kind.$(network_of "$2" "$3").$3"
}

measure_strong()
{
    local platform ranks
    for platform in $platforms; do
        for ranks in $largest_first; do
            simulate "$(network_of "$platform" "$ranks")" "$ranks" "$parties" "$points" \
                "$candidates" tests/simgrid/draws.txt \
                "$(scale_of "$parties")" "$stride" \
                "$(run_of strong "$platform" "$ranks")"
        done
    done
}

# root N
root()
{
    awk -v n="$1" 'BEGIN { printf "%d", sqrt(n) + 0.5 }'
}

measure_weak()
{
    local platform ranks most=${sizes##* } part few
    for platform in $platforms; do
        for ranks in $largest_first; do
            part=$(root "$ranks")
            few=$((parties * part / $(root "$most")))
            simulate "$(network_of "$platform" "$ranks")" "$ranks" "$few" "$points" \
                $((candidates * part / $(root "$most"))) tests/simgrid/draws.txt \
                "$(scale_of "$few")" "$stride" "$(run_of weak "$platform" "$ranks")"
        done
    done
}

# seconds FILE [STAGE]: of the slowest rank, or of the whole.
seconds()
{
    awk -v stage="${2:-}" '
        stage == "" && $1 == "whole" { print $2 }
        $1 == "stage" && $2 == stage { print $3 }' "$1"
}

# table KIND: ranks, seconds, speed-up or nothing, efficiency, then seconds a stage.
table()
{
    local kind=$1 platform ranks file whole first
    for platform in $platforms; do
        first=
        for ranks in $sizes; do
            file=$(run_of "$kind" "$platform" "$ranks")
            whole=$(seconds "$file")
            first=${first:-$whole}
            awk -v kind="$kind" -v platform="$platform" -v ranks="$ranks" -v first="$first" \
                -v whole="$whole" '
                $1 == "stage" { at[$2] = $3; waiting += $5 }
                END {
                    efficiency = first / whole / (kind == "strong" ? ranks : 1)
                    printf "%s\t%d\t%.3f\t%.1f\t%.4f", platform, ranks, whole, first / whole,
                        efficiency
                    printf "\t%.4f\t%.4f\t%.4f\t%.4f", at["lengthscale"], at["kernel_sums"],
                        at["diagnostics"], at["sampling"]
                    rest = whole
                    rest -= at["lengthscale"] + at["kernel_sums"]
                    rest -= at["diagnostics"] + at["sampling"]
                    printf "\t%.4f\n", rest
                }' "$file"
        done
    done >"$work/$kind.tsv"
}

print_table()
{
    echo
    echo "$1 scaling: seconds, speed-up and efficiency, seconds of the slowest rank by stage"
    printf '%-10s %6s %10s %8s %10s %12s %12s %12s %10s\n' cluster ranks seconds speed-up \
        efficiency lengthscale kernel_sums diagnostics sampling
    awk -F '\t' '{ printf "%-10s %6d %10.2f %8.1f %8.1f %% %12.3f %12.3f %12.3f %10.3f\n",
        $1, $2, $3, $4, 100 * $5, $6, $7, $8, $9 }' "$work/$1.tsv"
}

# speed_ups: of strong scaling, a line a cluster and number of ranks: those of the four stages.
speed_ups()
{
    awk -F '\t' '
        !($1 in known) { known[$1] = 1; for (k = 6; k <= 9; k++) one[$1, k] = $2 * $k }
        {
            printf "%s\t%d", $1, $2
            for (k = 6; k <= 9; k++) printf "\t%.1f", ($k > 0 ? one[$1, k] / $k : 0)
            print ""
        }' "$work/strong.tsv"
}

print_speed_ups()
{
    echo
    echo 'strong scaling: speed-up by stage'
    printf '%-10s %6s %12s %12s %12s %10s\n' cluster ranks lengthscale kernel_sums diagnostics \
        sampling
    speed_ups | awk -F '\t' '{ printf "%-10s %6d %12s %12s %12s %10s\n", $1, $2, $3, $4, $5, $6 }'
}

# The stage that loses most at the largest number of ranks.
print_bottleneck()
{
    awk -F '\t' -v OFS='\t' '
        { key = $1 }
        !(key in ranks) {
            ranks[key] = $2
            order[++n] = key
            for (k = 6; k <= 9; k++) one[key, k] = $k
        }
        { last[key] = $2; for (k = 6; k <= 9; k++) end[key, k] = $k; whole[key] = $3 }
        END {
            split("lengthscale kernel_sums diagnostics sampling", names, " ")
            for (c = 1; c <= n; c++) {
                key = order[c]; worst = 0
                for (k = 6; k <= 9; k++) {
                    lost = end[key, k] - one[key, k] * ranks[key] / last[key]
                    if (lost > worst) { worst = lost; name = names[k - 5] }
                }
                printf "%s, %d ranks: the first bottleneck is %s, %.2f of %.2f s above its share\n",
                    key, last[key], name, worst, whole[key]
            }
        }' "$work/strong.tsv"
}

# ---- real runs beside simulated ones ----

real_parties=64
real_points=500
real_candidates=12000
stages='lengthscale kernel_sums diagnostics sampling'

# real RANKS: seconds of the stages that are simulated.
real()
{
    "$mpirun" -n "$1" "$build/cgm" run "$work/real.ini" --output.file="$work/real.h5" \
        --output.overwrite=true >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        exit 1
    }
    "$build/tests/bench_result" "$work/real.h5" |
        awk -v stages=" $stages " '{ sub(/^seconds_/, "", $1) }
            index(stages, " " $1 " ") { sum += $2 } END { print sum }'
}

measure_real()
{
    local k ranks
    [[ -r $work/input.h5 ]] || "$build/cgm" simulate --out "$work/input.h5" \
        --parties $real_parties --points $real_points --features $features \
        --candidates $real_candidates --split dirichlet >"$work/log"
    printf '[input]\nparties = %s\n[metrics]\nselect = none\n[run]\nprogress = 0\n' \
        "$work/input.h5" >"$work/real.ini"
    : >"$work/real.tsv"
    for ((k = 0; k < repeats; k++)); do
        # One after the other, so that what else the machine does falls on both alike.
        printf '%s\t%s\n' "$(real 1)" "$(real 2)" >>"$work/real.tsv"
    done
    "$build/cgm" report "$work/real.h5" --json | jq -r '.rewards[0].draws[]' >"$work/real.draws"
    for ranks in 1 2; do
        simulate this_machine $ranks $real_parties $real_points $real_candidates \
            "$work/real.draws" 1 1 "$work/real.$ranks"
    done
}

# Medians of the real seconds and of the ratios of runs that followed each other, with the smallest
# and the largest ratio; the simulated one.
compare_real()
{
    awk -v one="$(seconds "$work/real.1")" -v two="$(seconds "$work/real.2")" '
        function median(v, n, i, j, t) {
            for (i = 2; i <= n; i++)
                for (j = i; j > 1 && v[j] < v[j - 1]; j--) {
                    t = v[j]
                    v[j] = v[j - 1]
                    v[j - 1] = t
                }
            return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
        }
        { a[NR] = $1; b[NR] = $2; ratio[NR] = $1 / $2 }
        END {
            middle = median(ratio, NR)
            printf "%.3f\t%.3f\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\n", median(a, NR), median(b, NR),
                middle, one / two, middle / (one / two) - 1, ratio[1], ratio[NR]
        }' "$work/real.tsv"
}

print_real()
{
    echo
    echo "1 to 2 ranks, $real_parties parties x $real_points points, $real_candidates candidates:"
    compare_real | awk -F '\t' '{
        printf "real %.2f s and %.2f s: %.2f times (%.2f .. %.2f); ", $1, $2, $3, $6, $7
        printf "simulated %.2f times; %+.1f %%\n", $4, 100 * $5 }'
}

# ---- what is expected ----

passed=0
failed=0

# expect WHAT PERCENT RELATION BOUND: prints it, and counts.
expect()
{
    local verdict=ok
    awk -v a="$2" -v b="$4" -v relation="$3" \
        'BEGIN { exit relation == ">=" ? a < b : a > b }' || verdict=MISSED
    [[ $verdict == ok ]] && passed=$((passed + 1)) || failed=$((failed + 1))
    printf '%-40s %8.1f %%   (%s %s %%)   %s\n' "$1" "$2" "$3" "$4" "$verdict"
}

# Strong scaling: 80 % as far as 256 ranks, 60 % beyond; weak: 85 %.
check_efficiencies()
{
    local cluster ranks efficiency least
    while IFS=$'\t' read -r cluster ranks _ _ efficiency _; do
        least=85
        [[ $1 == weak ]] || least=$((ranks <= 256 ? 80 : 60))
        efficiency=$(awk "BEGIN { print 100 * $efficiency }")
        [[ $cluster != "${platforms%% *}" || $ranks -eq 1 ]] ||
            expect "$1 scaling, $cluster, $ranks ranks" "$efficiency" '>=' $least
    done <"$work/$1.tsv"
}

check_real()
{
    expect 'real 1 to 2 ranks beside simulated' \
        "$(compare_real | awk -F '\t' '{ print 100 * ($5 < 0 ? -$5 : $5) }')" '<=' 15
}

# ---- the page ----

# figure KIND TITLE: efficiency over ranks.
figure()
{
    local platform plots=()
    for platform in $platforms; do
        awk -F '\t' -v p="$platform" '$1 == p { print $2, 100 * $5 }' "$work/$1.tsv" \
            >"$work/$1.$platform.dat"
        plots+=("'$work/$1.$platform.dat' with linespoints lw 2 pt 7 title '${platform/_/ }'")
    done
    local IFS=,
    gnuplot <<END
set terminal svg size 560,340 font 'sans-serif,13' background 'white'
set output '$work/$1.svg'
set logscale x 2
set xtics (${sizes// /,})
set yrange [0:110]
set xlabel 'ranks'
set ylabel 'efficiency, %'
set key bottom left
set grid
set title '$2'
plot ${plots[*]}
END
}

# stage_figure: what a run at each number of ranks consists of, times its ranks.
stage_figure()
{
    awk -F '\t' -v p="${platforms%% *}" '$1 == p {
        print $2, $2 * $6 / 3600, $2 * $7 / 3600, $2 * $8 / 3600, $2 * $9 / 3600 }' \
        "$work/strong.tsv" >"$work/stages.dat"
    gnuplot <<END
set terminal svg size 560,340 font 'sans-serif,13' background 'white'
set output '$work/stages.svg'
set style data histograms
set style histogram rowstacked
set style fill solid 0.8
set boxwidth 0.7
set xlabel 'ranks'
set ylabel 'core hours'
set yrange [0:*]
set key outside right
set title 'strong scaling, ${platforms%% *}: core hours by stage' noenhanced
plot '$work/stages.dat' using 2:xtic(1) title 'lengthscale', '' using 3 title 'kernel sums', \\
     '' using 4 title 'diagnostics', '' using 5 title 'sampling'
END
}

html_table()
{
    echo '<table><tr><th>cluster<th>ranks<th>seconds<th>speed-up<th>efficiency'
    echo '<th>lengthscale<th>kernel sums<th>diagnostics<th>sampling<th>rest</tr>'
    awk -F '\t' '{
        printf "<tr><td>%s<td>%d<td>%.2f<td>%.1f<td>%.1f %%", $1, $2, $3, $4, 100 * $5
        printf "<td>%.3f<td>%.3f<td>%.3f<td>%.3f<td>%.3f</tr>\n", $6, $7, $8, $9, $10 }' \
        "$work/$1.tsv"
    echo '</table>'
}

# svg FILE: without what stands before its element.
svg()
{
    sed -n '/<svg/,$p' "$1"
}

write_page()
{
    figure strong 'strong scaling'
    figure weak 'weak scaling'
    stage_figure
    {
        cat <<END
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>cgm: scaling on simulated clusters</title>
<style>
body { font: 15px/1.5 sans-serif; max-width: 62em; margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse; margin: 1em 0 }
td, th { border: 1px solid #ccc; padding: .2em .7em; text-align: right }
td:first-child, th:first-child { text-align: left }
pre { background: #f4f4f4; padding: 1em; overflow-x: auto }
</style></head><body>
<h1>Scaling on simulated clusters</h1>
<p>The program's own stages under SimGrid, from the lengthscale to the draws: who evaluates what,
and who sends what to whom and when, is decided by its code; evaluations are replaced by the seconds
that <code>make bench</code> measured a core to take for them. Draws a party are those of a real
run, in proportion to the points; one draw in $stride is simulated and counts for all. Files are
not read or written, metrics are not measured, the cores of a node do not share memory bandwidth,
and messages travel on while ranks work, as with hardware that sees to it.</p>
<p>fat_tree: nodes of $node_cores cores, 100 Gb/s, 1 µs from node to node. commodity: the same
nodes on 10 Gb/s Ethernet, 20 µs. Up to $node_cores ranks fit on one node, where the network plays
no part.</p>
<h2>Strong scaling</h2>
<p>$parties parties of $points points with $features features, $candidates candidates. Seconds by
stage are the slowest rank's.</p>
$(html_table strong)
<p>Speed-up by stage:</p>
<table><tr><th>cluster<th>ranks<th>lengthscale<th>kernel sums<th>diagnostics<th>sampling</tr>
$(speed_ups | sed 's,^,<tr><td>,; s,\t,<td>,g; s,$,</tr>,')
</table>
$(svg "$work/strong.svg")
$(svg "$work/stages.svg")
<pre>$(print_bottleneck)</pre>
<h2>Weak scaling</h2>
<p>Parties and candidates grow with the root of the ranks, points of a party stay: a rank's work is
the same at every number of ranks. Efficiency is the time of one rank divided by that of all.</p>
$(html_table weak)
$(svg "$work/weak.svg")
<h2>Real runs beside simulated ones</h2>
<pre>$(print_real)</pre>
<h2>Seconds that a core takes</h2>
<p>For an evaluation, of ten rungs in a ladder; for a point; for a candidate, for one and for eight
chains; for a byte.</p>
<pre>$(cat "$work/rates")</pre>
</body></html>
END
    } >"$page"
}

write_json()
{
    {
        printf '{"records": ['
        awk -F '\t' -v OFS='' '{
            kind = FILENAME; sub(/.*\//, "", kind); sub(/\.tsv/, "", kind)
            printf "%s\n  {\"kind\": \"%s\", \"cluster\": \"%s\", \"ranks\": %d, \"seconds\": %s, ",
                (NR > 1 ? "," : ""), kind, $1, $2, $3
            printf "\"efficiency\": %s, \"lengthscale\": %s, \"kernel_sums\": %s, ", $5, $6, $7
            printf "\"diagnostics\": %s, \"sampling\": %s}", $8, $9 }' \
            "$work/strong.tsv" "$work/weak.tsv"
        compare_real | awk -F '\t' '{
            printf "],\n\"real_speed_up\": %s, \"simulated_speed_up\": %s}\n", $3, $4 }'
    } >"$build/scaling.json"
}

write_rates
for part in real strong weak; do
    if wanted $part; then
        measure_$part
        if [[ $part == real ]]; then
            print_real
        else
            table $part
            print_table $part
            [[ $part == weak ]] || print_speed_ups
        fi
    fi
done
if [[ -r $work/strong.tsv && -r $work/weak.tsv && -r $work/real.tsv ]]; then
    echo
    print_bottleneck
    write_page
    write_json
    echo
    echo "page: $page    all values: $build/scaling.json"
fi
echo
for part in strong weak; do
    ! wanted $part || check_efficiencies $part
done
! wanted real || check_real
# One for every number of ranks but the smallest, and one for the real runs.
larger=$(wc -w <<<"${sizes#* }")
plan=0
for part in $parts; do
    plan=$((plan + $(if [[ $part == real ]]; then echo 1; else echo "$larger"; fi)))
done
[[ $((passed + failed)) -eq $plan ]] || failed=$((failed + 1))
echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]]
