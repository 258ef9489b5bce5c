# A run that is stopped goes on where it was, on any number of ranks, to the same results; and what
# is not a checkpoint of this run is told from one.
# alone: yes
# timeout: 400
# without: valgrind
# checks: 26
. "$(dirname "$0")/lib.sh"

# Some seconds of work, also under a checker.
sizes=(--parties 7 --points $((2500 / SLOWDOWN)) --features 3 --candidates $((40000 / SLOWDOWN)))
run 2 simulate --out in.h5 "${sizes[@]}" --seed 3
configure input.parties=in.h5 sampling.inv_temp='1, 4' output.file=out.h5
run 2 run run.ini --output.file=whole.h5
accepted "without interruption"

# same LABEL RESULT: it is that of the run without interruption.
same()
{
    run 1 diff whole.h5 "$2"
    accepted "$1: the same results"
}

keeps=(--checkpoint.file=ck.h5 --checkpoint.interval=0.05)

# until_done LABEL FIRST_SECONDS RANKS...: starts the run again until it ends, on these numbers of
# ranks by turns. Each start may take longer than the last, so that slow machines come to an end.
until_done()
{
    local label=$1 tenths=$2 stops=0
    shift 2
    local ranks=("$@")
    while [[ $stops -lt 40 ]]; do
        run "${ranks[stops % ${#ranks[@]}]}" run run.ini "${keeps[@]}" \
            --run.threads=$((1 + stops % 2)) \
            --run.max_hours="$(awk "BEGIN { print $tenths / 36000 }")"
        [[ $code -eq 75 ]] || break
        require "no line about the checkpoint" grep -q "^cgm: stopped at checkpoint 'ck.h5'" "$err"
        stops=$((stops + 1))
        tenths=$((tenths + 1 + tenths / 5))
    done
    accepted "$label, after $stops stops"
    require "it was never stopped" test "$stops" -gt 0
    require "the checkpoint is still there" test ! -e ck.h5
    require "the older one is still there" test ! -e ck.h5.older
    verdict "$label was stopped, and cleaned up after itself"
}

until_done "run.max_hours" 3 2 3 1 5
same "run.max_hours" out.h5
rm out.h5

# stop_by_signal: SIGUSR1 once the first checkpoint is there.
stop_by_signal()
{
    start "$1" run run.ini "${keeps[@]}" "${@:2}"
    command_line="SIGUSR1 to $command_line"
    for _ in $(seq 600); do
        [[ ! -e ck.h5 ]] || break
        sleep 0.05
    done
    signal_run
    ended
}

stop_by_signal 3
answered "SIGUSR1" 75 ''
check "it says where" grep -q "^cgm: stopped at checkpoint 'ck.h5'" "$err"
check "the checkpoint is whole" test -s ck.h5
check "nobody else may read it" test "$(stat -c %a ck.h5)" -le 640
cp ck.h5 kept.h5

run 2 run run.ini --checkpoint.file=ck.h5
accepted "after SIGUSR1" 'going on from checkpoint ck.h5'
same "SIGUSR1" out.h5
rm out.h5

# A damaged one gives way to the one before. damage FILE PERCENT: two fifths of the file from there
# on, as HDF5 keeps nothing in some parts of a small one.
damage()
{
    local bytes
    bytes=$(stat -c %s "$1")
    dd of="$1" bs=64K seek=$((bytes * $2 / 100)) oflag=seek_bytes conv=notrunc status=none \
        < <(yes 'damaged!' | head -c $((bytes * 2 / 5)))
}

# run_damaged RANKS ARGUMENT...: as run; HDF5 leaks where it reads damage, and that is its own.
run_damaged()
{
    ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 run "$@"
}
cp kept.h5 ck.h5.older
cp kept.h5 ck.h5
damage ck.h5 50
run_damaged 2 run run.ini --checkpoint.file=ck.h5
accepted "a damaged checkpoint" 'going on from checkpoint ck.h5.older'
check "it is told of" grep -q "^cgm: warning: checkpoint 'ck.h5' is damaged" "$err"
same "a damaged checkpoint" out.h5
rm out.h5
cp kept.h5 ck.h5.older
head -c 3000 kept.h5 >ck.h5
run_damaged 3 run run.ini --checkpoint.file=ck.h5
accepted "a truncated checkpoint" 'going on from checkpoint ck.h5.older'
rm out.h5
cp kept.h5 ck.h5.older
run 2 run run.ini --checkpoint.file=ck.h5
accepted "only the older one is there" 'going on from checkpoint ck.h5.older'
rm out.h5
for part in 1 30 60; do
    cp kept.h5 ck.h5
    damage ck.h5 "$part"
    cp ck.h5 ck.h5.older
    run_damaged 2 run run.ini --checkpoint.file=ck.h5
    refused "both damaged at $part %" 3 "checkpoint 'ck.h5' is damaged and there is no other"
done
rm ck.h5.older

# One of another run is refused, and names what differs.
cp kept.h5 ck.h5
run 2 run run.ini --checkpoint.file=ck.h5 --run.seed=2
refused "other options" 3 "other options: '\[run\] seed = 1' there, 'seed = 2' now"
run 2 simulate --out other.h5 "${sizes[@]}" --seed 4
run 2 run run.ini --checkpoint.file=ck.h5 --input.parties=other.h5
refused "other input" 3 'other (options|input)'
mv in.h5 first.h5
mv other.h5 in.h5
run 3 run run.ini --checkpoint.file=ck.h5
refused "other input under the same name" 3 'other input'
mv first.h5 in.h5
cp in.h5 ck.h5
run 2 run run.ini --checkpoint.file=ck.h5
refused "no checkpoint at all" 3 "'ck.h5'.*(checkpoint|damaged)"
rm ck.h5
run 2 run run.ini --run.max_hours=1
refused "a limit and nowhere to stop" 2 'run\.max_hours needs a checkpoint\.file'
run 2 run run.ini --checkpoint.file=missing/ck.h5
refused "a directory that is not there" 6 "checkpoint\.file 'missing/ck\.h5'.*'missing'"

# Where there is nothing to stop at the run goes on.
keeps=()
start 2 run run.ini --run.progress=0.05
for _ in $(seq 600); do
    ! grep -qE '^(lengthscale|kernel sums):' "$out" || break
    sleep 0.02
done
signal_run
ended
accepted "SIGUSR1 without checkpoint.file"
same "SIGUSR1 without checkpoint.file" out.h5

finish
