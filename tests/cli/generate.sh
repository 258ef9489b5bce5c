# A pool that is drawn inside the run, or by `cgm generate`: the same at every number of ranks and
# threads, and the same results whichever way it comes.
# timeout: 400
# without: asan valgrind
# checks: 57
. "$(dirname "$0")/lib.sh"

run 2 simulate --out data.h5 --parties 4 --points 600 --sizes heavy --classes 3 --features 3 \
    --candidates 1 --test 50 --seed 3
accepted "simulate"
configure input.parties=data.h5 generator.type=gmm generator.size=1301 features.scale=standard \
    'sampling.inv_temp=1, inf'

# ---- help, and what is refused ----

run 3 generate --help
accepted "generate --help" 'usage: cgm generate CONFIG\.ini --out'
for option in --out generator.type generator.size generator.save generator.components \
    generator.max_iterations generator.tolerance generator.class_share; do
    check "generate --help names $option" grep -Fq -- "$option" "$out"
done
run 1 generate run.ini
refused "generate without --out" 2 '--out'
run 3 generate run.ini --out
refused "generate: --out without a path" 2 '--out'
run 1 generate --out pool.h5
refused "generate without a configuration" 2 'configuration'
run 2 generate run.ini --ou pool.h5
refused "generate: typo in an option" 2 'did you mean --out'
run 1 generate run.ini --out pool.h5 --generator.sise=3
refused "generate: typo in a key" 2 'generator\.sise.*generator\.size'
run 3 generate run.ini --out pool.h5 --generator.type=file
refused "nothing to generate" 2 'generator\.type.*gmm'
run 1 generate run.ini --out nowhere/pool.h5
refused "generate into no directory" 6 'nowhere'
run 2 generate run.ini --out data.h5
refused "generate over an existing file" 6 'data\.h5.*exists'
run 3 generate run.ini --out pool.h5 --input.parties=none.h5
refused "generate from a missing file" 3 'none\.h5'
run 1 generate run.ini --out pool.h5 --generator.components=0
refused "a number out of range" 2 'generator\.components.*auto'
# Labels that number the points are no classes.
awk 'BEGIN { print "x,id"; for (k = 0; k < 1100; k++) printf "%.6f,%d\n", sin(k), k }' >ids.csv
run 1 import --out ids.h5 --label-column id ids.csv
run 2 generate run.ini --out pool.h5 --input.parties=ids.h5
refused "too many classes" 3 'labels'

# ---- the same at every number of ranks ----

run 1 generate run.ini --out pool.h5
accepted "generate alone" 'pool\.h5: 1301 candidates of 3 features, with labels'
check "it tells of every class" test "$(grep -cE '^ +[0-2] +[0-9]+ +[0-9]+ +[0-9]+' "$out")" -eq 3
for ranks in 2 3 5; do
    run "$ranks" generate run.ini --out "pool.$ranks.h5" --run.threads=2
    accepted "generate at $ranks ranks"
    check "the pool at $ranks ranks" cmp pool.h5 "pool.$ranks.h5"
done
run 1 run run.ini --output.file=alone.h5
accepted "run alone" 'drawn from a gmm'
as_alone 2 --run.threads=2
as_alone 3 --run.pool=ranks
as_alone 5

# ---- the pool as a file ----

# same_but_for_pool LABEL A B: results that were drawn from the pool of A, which B read.
same_but_for_pool()
{
    cp "$2" stripped.h5
    "$make_input" drop stripped.h5 /candidates
    "$make_input" drop stripped.h5 /generator
    run 1 diff stripped.h5 "$3"
    accepted "$1" 'the same results'
}
from_file=(--generator.type=file --input.candidates=pool.h5)
run 3 run run.ini "${from_file[@]}" --output.file=read.h5
accepted "run of the pool as a file"
same_but_for_pool "the pool as a file: as drawn in the run" alone.h5 read.h5
run 2 run run.ini "${from_file[@]}" --run.reuse=alone.h5 --output.file=reused.h5
accepted "sums of the run that drew it are taken over" 'sums of the pool and of 4 parties'
run 2 run run.ini --generator.save=false --output.file=unsaved.h5
accepted "run without generator.save"
run 1 diff alone.h5 unsaved.h5
answered "the pool is not kept" 1 "/candidates is only in 'alone\.h5'"
"$make_input" drop alone.h5 /candidates
run 1 diff alone.h5 unsaved.h5
accepted "all else is the same" 'the same results'
run 1 verify alone.h5 --party party2 data.h5
accepted "a party checks its reward" '^0 of [0-9]+ checks are WRONG'
run 2 run run.ini --run.seed=2 --output.file=seed.h5
run 1 diff unsaved.h5 seed.h5
answered "another seed draws another pool" 1 '/'

# One file a party; a pool of its own class shares; a mixture of one size; points without labels.
"$make_input" split data.h5 parties
rm -f parties/candidates.h5 parties/test.h5
run 3 run run.ini --input.parties=parties --output.file=directory.h5
accepted "run of a directory"
cut -d, -f1 ids.csv >plain.csv
run 1 import --out plain.h5 plain.csv
run 2 run run.ini --input.parties=plain.h5 --generator.components=3 \
    --generator.class_share=balanced --output.file=plain.out.h5
accepted "run of points without labels"
run 2 check run.ini
accepted "check" 'candidates come from +gmm'
check "check writes nothing" no_file_added
run 3 check run.ini --input.parties=parties --generator.components=2 --run.pool=ranks
accepted "check of a directory" 'candidates +1301'

# A mixture that does not end, and classes that are too small.
run 2 run run.ini --generator.max_iterations=1 --generator.components=4 --output.file=short.h5
accepted "one iteration" 'warning +of [1-3] of 3 classes'
printf 'x,y,kind\n1,2,0\n2,1,0\n3,3,0\n4,5,0\n5,4,0\n7,7,1\n' >few.csv
run 1 import --out few.h5 --label-column kind few.csv
run 3 run run.ini --input.parties=few.h5 --output.file=few.out.h5
accepted "a class of one point" 'warning +of 1 of 2 classes \(the first: 1, with 1 points\)'
run 2 run run.ini --input.parties=few.h5 --generator.components=9 --output.file=few.9.h5
accepted "fewer points than components" 'fewer components than'
check "no number is missing in the mixtures" \
    test "$("$make_input" nans few.9.h5 | grep -c generator)" -eq 0

# ---- stop and go on ----

# Each start may take longer than the last; the mixtures are fitted again every time.
run 2 run run.ini --generator.size=12000 --output.file=whole.h5
accepted "without interruption"
stops=0
tenths=1
while [[ $stops -lt 40 ]]; do
    run $((1 + stops % 3)) run run.ini --generator.size=12000 --checkpoint.file=ck.h5 \
        --checkpoint.interval=0.05 --run.max_hours="$(awk "BEGIN { print $tenths / 36000 }")" \
        --output.file=continued.h5
    [[ $code -eq 75 ]] || break
    stops=$((stops + 1))
    tenths=$((tenths + 1 + tenths / 5))
done
accepted "run in pieces, after $stops stops"
check "it was stopped" test "$stops" -gt 0
run 1 diff whole.h5 continued.h5
accepted "in pieces: the same results" 'the same results'

finish
