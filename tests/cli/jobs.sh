# The scripts of jobs/ without a batch system: scaling, its table and page, and a run that is taken
# up again. What Slurm does with them is for tests/slurm.sh.
# alone: yes
# without: asan valgrind
sources=$(cd "$(dirname "$0")/../.." && pwd)
. "$(dirname "$0")/lib.sh"
export CGM_PROGRAM=$cgm CGM_OPTIONS=--metrics.select=mmd2

# by_hand COMMAND...: from the top of the sources.
by_hand()
{
    command_line="cd $sources && ${*@Q}"
    code=0
    (cd "$sources" && exec timeout --foreground -k 10 "$limit" "$@") >"$out" 2>"$err" \
        </dev/null || code=$?
}

# ---- the table, of records whose numbers are known ----

# record KIND RANKS REPEAT A_SECONDS B_SECONDS A_EVALUATIONS
record()
{
    cat >"planted/$1.p4.r$2.t1.k$3.json" <<END
{"version": "1", "git": "<b>&", "instruction_set": "avx2", "hosts": "h", "started": "2026-01-01",
 "finished": "2026-01-02", "input": {"parties": 4, "points": 9, "candidates": 7}, "timings": [
 {"stage": "a", "max": $4, "kernel_evaluations": $6, "bytes_sent": 10},
 {"stage": "b", "max": $5, "kernel_evaluations": 0, "bytes_sent": 0}]}
END
}

# expected KIND RANKS A_RANK MB: as cgm check says it, with ranges whose upper ends are a rank's.
expected()
{
    cat >"planted/$1.p4.r$2.t1.check" <<END
work: all ranks together; and of the rank that has most, at most
  stage                  kernel evaluations       a rank              MB sent     a rank      MiB
  a                               1 .. 1000         $3          0.5 .. 2000       $4      0.1
  b                                       0            0                    0          0      0.1
  (assumed: nothing)

memory, at most
  a rank of its own                                       17.78 MiB
END
}

# value KIND RANKS STAGE COLUMN EXPECTED
value()
{
    check "$1, $2 ranks, $3: $4" awk -F , -v column="$4" -v kind="$1" -v ranks="$2" -v stage="$3" \
        -v expected="$5" '
        NR == 1 { for (k = 1; k <= NF; k++) if ($k == column) at = k }
        $1 == kind && $6 == ranks && $9 == stage { found = 1; error = $at - expected }
        END { exit !(found && at && error < 1e-6 && error > -1e-6) }' planted/scaling.csv
}

mkdir planted
record strong 1 1 8 2 100
record strong 1 2 6 5 100
record strong 1 3 10 1 100
record strong 2 1 5 2 100
expected strong 1 100 0
expected strong 2 60 500
record weak 1 1 8 2 100
record weak 2 1 9 3 300
by_hand jobs/scaling_collect "$work/planted"
check "a table of planted records" test "$code" -eq 0
value strong 1 a seconds 8
value strong 1 a seconds_min 6
value strong 1 total seconds_max 11
value strong 1 total efficiency 1
value strong 2 a ideal_seconds 4
value strong 2 a model_seconds 5.3 # 8 · 60 / 100 and 500 MB at 1000 MB a second
value strong 2 b model_seconds 2
value strong 2 b ideal_seconds 1
# The whole of the first took 10, 11 and 11 s.
value strong 2 total speedup 1.571428571 # 11 / 7
value strong 2 total efficiency 0.785714286
value strong 2 total model_efficiency 0.684931507 # 5 / 7.3
value weak 2 a ideal_seconds 12 # 8 · 300 / 100 / 2
value weak 2 b ideal_seconds 2
value weak 2 total efficiency 1.166666667 # 14 / 12
value weak 2 total cores 2
check "without cgm check there is no model" grep -q '^weak,4,.*,total,.*,$' planted/scaling.csv
check "the page is well-formed" xmllint --noout planted/scaling.html
check "texts of records are escaped" grep -q '&lt;b&gt;&amp;' planted/scaling.html
check "figures: two of each kind, and its stages" \
    test "$(grep -c '<img alt=' planted/scaling.html)" -eq 6

mkdir tools
for tool in bash jq awk sed cut sort head tail tr wc base64 mktemp mv rm cat; do
    ln -s "$(command -v $tool)" tools/
done
by_hand env PATH="$work/tools" bash jobs/scaling_collect "$work/planted"
check "without gnuplot" test "$code" -eq 0
check "  it says so" grep -q 'Without gnuplot' planted/scaling.html
check "  and has tables only" test "$(grep -c '<img' planted/scaling.html)" -eq 0
rm tools/jq
by_hand env PATH="$work/tools" bash jobs/scaling_collect "$work/planted"
check "without jq" grep -q 'needs jq' "$err"
by_hand jobs/scaling_collect "$work/tools"
check "no records" test "$code" -eq 3

# ---- measured here ----

export CGM_RANKS='1 2' CGM_CORES=2 CGM_REPEATS=2 CGM_POINTS=200 CGM_CANDIDATES=2000
for kind in strong weak; do
    CGM_RECORDS=$work/$kind by_hand bash jobs/scaling_$kind.sbatch
    check "scaling_$kind.sbatch on 1 and 2 ranks" test "$code" -eq 0
    check "  totals of both" test "$(grep -c ",total,2," $kind/scaling.csv)" -eq 2
    check "  the page is well-formed" xmllint --noout $kind/scaling.html
    check "  no input or result is left" test -z "$(find $kind -name '*.h5')"
done
check "parties grow with the cores" grep -q '^weak,4,8,.*,2,1,2,total' weak/scaling.csv

# ---- a run that is taken up again ----

run 1 simulate --out in.h5 --parties 6 --points 1500 --candidates 30000 --features 3
configure input.parties="$work/in.h5" sampling.inv_temp='1, 4'
run 2 run run.ini $CGM_OPTIONS --output.file=whole.h5
accepted "without interruption"
export CGM_CONFIG=$work/run.ini CGM_RESULT=$work/resumed.h5 CGM_INTERVAL=0.2 SLURM_NTASKS=2

# begun: run_resumable.sbatch in the background, which has a checkpoint, unless it is over.
begun()
{
    command_line="cd $sources && bash jobs/run_resumable.sbatch"
    : >"$out"
    (cd "$sources" && exec bash jobs/run_resumable.sbatch) >"$out" 2>"$err" </dev/null &
    script=$!
    while kill -0 "$script" 2>/dev/null; do
        ! grep -q '^seed ' "$out" || [[ ! -e resumed.h5.parts/checkpoint.by_hand.0.h5 ]] || break
        sleep 0.05
    done
}

done_with()
{
    code=0
    wait "$script" || code=$?
}

begun
kill -USR1 "$script"
done_with
answered "USR1 to run_resumable.sbatch" 75 'exit code +75'
check "  the result is not there" test ! -e resumed.h5
begun
echo 7.0 >resumed.h5.parts/owner
done_with
check "a start that was replaced fails" test "$code" -eq 1
check "  and says so" grep -q 'start 7.0 has taken over' "$err"
check "  and leaves no result" test ! -e resumed.h5
begun
done_with
answered "it completes" 0 'results +.*resumed\.h5$'
run 1 diff whole.h5 resumed.h5
accepted "  the same results"
check "  nothing but the result is left" test ! -e resumed.h5.parts
begun
done_with
answered "there already" 0 'nothing to do'

finish
