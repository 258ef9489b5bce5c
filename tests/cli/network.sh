# A pool that a generative network draws, inside the run or by `cgm generate`: the same at every
# number of ranks and threads, and the same results whichever way it comes.
# timeout: 300
# without: asan valgrind
. "$(dirname "$0")/lib.sh"

run 2 simulate --out data.h5 --parties 4 --points 500 --sizes heavy --classes 3 --features 3 \
    --candidates 1 --test 50 --seed 3
accepted "simulate"
configure input.parties=data.h5 generator.type=gan generator.size=701 generator.hidden=16 \
    generator.steps=90 generator.batch=64 generator.learning_rate=2e-2 features.scale=standard \
    metrics.select=mmd2

# ---- help, and what is refused ----

run 1 generate --help
for option in generator.hidden generator.layers generator.latent generator.steps generator.batch \
    generator.learning_rate; do
    check "generate --help names $option" grep -Fq -- "$option" "$out"
done
check "generate --help names the type" grep -Eq 'file, gmm, gan' "$out"
run 2 generate run.ini --out pool.h5 --generator.type=can
refused "typo in the type" 2 'file, gmm, gan'
run 1 generate run.ini --out pool.h5 --generator.learning_rate=2
refused "a number out of range" 2 'generator\.learning_rate.*<= 1'
run 3 generate run.ini --out pool.h5 --generator.hidden=65536 --generator.layers=16
refused "networks that no memory holds" 4 'memory'
awk 'BEGIN { print "x,id"; for (k = 0; k < 1100; k++) printf "%.6f,%d\n", sin(k), k }' >ids.csv
run 1 import --out ids.h5 --label-column id ids.csv
run 2 generate run.ini --out pool.h5 --input.parties=ids.h5
refused "too many classes" 3 'labels'

# ---- the same at every number of ranks ----

run 1 generate run.ini --out pool.h5
accepted "generate alone" 'pool\.h5: 701 candidates of 3 features, with labels'
check "it tells of the network" grep -Eq \
    '^generator +generative network of [0-9]+ parameters, judged by one of .*; 3 classes$' "$out"
run 3 generate run.ini --out pool.3.h5 --run.threads=2
accepted "generate at 3 ranks"
check "the pool at 3 ranks" cmp pool.h5 pool.3.h5
run 1 run run.ini --output.file=alone.h5
accepted "run alone" 'drawn from a gan'
as_alone 2 --run.threads=2
as_alone 3 --run.pool=ranks
as_alone 5
run 1 report alone.h5
accepted "report" 'drawn from a gan'
run 1 report alone.h5 --json
accepted "report as JSON" '"gan"|type = gan'
run 1 verify alone.h5 --party party2 data.h5
accepted "a party checks its reward" '^0 of [0-9]+ checks are WRONG'

# ---- the pool as a file, and an earlier result ----

from_file=(--generator.type=file --input.candidates=pool.h5)
run 3 run run.ini "${from_file[@]}" --output.file=read.h5
accepted "run of the pool as a file"
cp alone.h5 stripped.h5
"$make_input" drop stripped.h5 /candidates
"$make_input" drop stripped.h5 /generator
run 1 diff stripped.h5 read.h5
accepted "the pool as a file: as drawn in the run" 'the same results'
run 2 run run.ini --run.reuse=alone.h5 --output.file=reused.h5
accepted "sums of an earlier run are taken over" 'sums of the pool and of 4 parties'
run 1 diff alone.h5 reused.h5
accepted "taken over: the same results" 'the same results'
run 2 run run.ini --generator.class_share=balanced --output.file=balanced.h5
accepted "run of balanced classes"
run 1 diff alone.h5 balanced.h5
answered "another pool" 1 '/'
run 2 check run.ini
accepted "check" 'candidates come from +gan'
check "check writes nothing" no_file_added

# ---- odd data ----

# nothing_missing LABEL FILE: there are numbers where there should be.
nothing_missing()
{
    check "$1: no number is missing" \
        test "$("$make_input" nans "$2" | grep -cE 'generator|candidates')" -eq 0
}
printf 'x,y,z,kind\n1,2,5,0\n2,1,5,0\n3,3,5,0\n4,5,5,0\n5,4,5,0\n7,7,5,1\n' >few.csv
printf 'x,y,z,kind\n2,2,5,0\n2,2,5,0\n9,9,5,3\n9,9,5,3\n' >more.csv
run 1 import --out few.h5 --label-column kind few.csv more.csv
run 3 run run.ini --input.parties=few.h5 --output.file=few.out.h5
accepted "few points" 'warning +all parties together have 10 points, fewer than the 64'
check "a constant feature" grep -q '1 of 3 features are the same in all points' "$out"
check "a class of one party" grep -q 'of 2 of 3 classes (the first: 1, with 1 points, all of' "$out"
nothing_missing "few points" few.out.h5
run 2 generate run.ini --out few.pool.h5 --input.parties=few.h5
accepted "generate from few points" 'warning +all parties together have 10 points'
printf 'x\n4\n' >one.csv
run 1 import --out one.h5 one.csv
run 2 run run.ini --input.parties=one.h5 --output.file=one.out.h5
accepted "one point without a label" 'which are all one point'
nothing_missing "one point" one.out.h5

# ---- stop and go on ----

# The network is trained again after every stop.
run 2 run run.ini --checkpoint.file=ck.h5 --generator.steps=1000000 --run.max_hours=0.0004 \
    --output.file=continued.h5
check "run.max_hours ends the training" test "$code" -eq 75
rm -f ck.h5*
run 3 run run.ini --checkpoint.file=ck.h5 --checkpoint.interval=0.05 --run.max_hours=0.00001 \
    --output.file=continued.h5
check "a run that is stopped" test "$code" -eq 75
run 2 run run.ini --checkpoint.file=ck.h5 --checkpoint.interval=0.05 --output.file=continued.h5
accepted "and goes on"
run 1 diff alone.h5 continued.h5
accepted "in pieces: the same results" 'the same results'
# A signal in a training that would take hours.
start 2 run run.ini --generator.steps=1000000000 --checkpoint.file=signal.h5 --output.file=no.h5
interrupt()
{
    sleep 1
    signal_run
}
ended interrupt
check "SIGUSR1 ends the training at a checkpoint" test "$code" -eq 75

finish
