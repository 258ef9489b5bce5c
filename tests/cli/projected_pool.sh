# A pool that is drawn among projected features, in the run or by `cgm generate`: the same results
# at every number of ranks and from a file; which file is refused; what verify, report and a
# party's file have of it; stop and go on; points that do not vary.
# without: asan valgrind
# timeout: 200
. "$(dirname "$0")/lib.sh"

configure input.parties=data.h5 features.type=pca features.components=3 features.scale=minmax \
    generator.type=gmm generator.size=1301 generator.components=2 generator.tolerance=1e-3 \
    metrics.select=mmd2,privacy kernel.lengthscale=0.9 'sampling.inv_temp=1, inf'
run 2 simulate --out data.h5 --parties 4 --points 300 --sizes heavy --candidates 1 --features 7 \
    --classes 2 --seed 9 --test 40
accepted "simulate"

run 1 run run.ini --output.file=alone.h5 --output.party_dir=alone
accepted "one rank alone" '^features +7 projected on 3 components, with [0-9.]+ % of the variance'
check "it says what rewards are" grep -q 'rewards with it, are coordinates' "$out"

as_alone 2 --run.threads=2
as_alone 3 --run.pool=ranks
as_alone 5

run 1 verify alone.h5 --party party2 data.h5
accepted "a party checks its reward" '^0 of [0-9]+ checks are WRONG'
run 1 verify alone/party2.h5 --party party2 data.h5
accepted "a party checks its file" '^0 of [0-9]+ checks are WRONG'
run 1 report alone.h5
accepted "report" '^features +7 projected on 3 components'
check "report: features of the input" grep -q ' 7 features' "$out"
run 1 report alone.h5 --json
accepted "report as JSON" '"pool_projected": true'
variances=$(tr -d '\n ' <"$out" | grep -Eo '"explained_variance":\[[^]]*\]')
check "JSON: a variance for each component" test "$(grep -o , <<<"$variances" | wc -l)" -eq 2
if command -v gnuplot >/dev/null; then
    run 1 report alone.h5 --html page.html
    accepted "report as a page"
    check "the page names the axes" grep -q 'Axes: pc1 and pc2, .*on which the features' page.html
fi
run 2 check run.ini
accepted "check" 'components that they are projected on +3$'

# ---- the pool as a file ----

run 3 generate run.ini --out pool.h5
accepted "generate" 'pool\.h5: 1301 candidates of 3 components, with labels'
run 2 generate run.ini --out pool.2.h5
check "the pool at 2 ranks" cmp pool.h5 pool.2.h5
from_file=(--generator.type=file --input.candidates=pool.h5)
run 3 run run.ini "${from_file[@]}" --output.file=read.h5 --run.pool=ranks
accepted "run of the pool as a file"
cp alone.h5 stripped.h5
"$make_input" drop stripped.h5 /candidates
"$make_input" drop stripped.h5 /generator
run 1 diff stripped.h5 read.h5
accepted "the pool as a file: as drawn in the run" 'the same results'
run 2 run run.ini "${from_file[@]}" --run.reuse=alone.h5 --output.file=reused.h5
accepted "sums of the run that drew it" '^reused .*sums of the pool and of 4 parties'
run 2 run run.ini --generator.type=file --input.candidates=alone.h5 --output.file=result.h5
accepted "the pool in a result"
run 1 diff stripped.h5 result.h5
accepted "the pool in a result: as drawn in the run" 'the same results'
run 2 run run.ini "${from_file[@]}" --features.eigensolver=scalapack --output.file=close.h5
accepted "components by ScaLAPACK are close enough"

# not_of_this_run REGEX OPTION...: the pool is refused by a run.
not_of_this_run()
{
    run 2 run run.ini "${from_file[@]}" --output.file=none.h5 "${@:2}"
    refused "pool.h5 with ${*:2}" 3 "$1"
}
not_of_this_run 'pool\.h5.*principal components.*set features\.type = pca' --features.type=none
not_of_this_run 'pool\.h5.* 3 principal components, features\.components is 2' \
    --features.components=2
run 2 check run.ini "${from_file[@]}" --output.file=none.h5 --features.components=2
refused "pool.h5: check with another number of components" 3 'features\.components is 2'
not_of_this_run 'pool\.h5.*the whitening in /features' --features.whiten=false
not_of_this_run 'pool\.h5.*the scales in /features' --features.scale=none
run 2 simulate --out others.h5 --parties 4 --points 300 --candidates 1 --features 7 --seed 10
not_of_this_run 'pool\.h5.*the means in /features' --input.parties=others.h5
"$make_input" drop pool.2.h5 /features/explained_variance
run 2 run run.ini --generator.type=file --input.candidates=pool.2.h5 --output.file=none.h5
refused "a pool without variances" 3 'pool\.2\.h5.*explained_variance'

# ---- stop and go on ----

# stopped SOLVER: a run of 2 ranks that was stopped at a checkpoint.
stopped()
{
    rm -f ck.h5 ck.h5.older
    run 2 run run.ini --features.eigensolver="$1" --checkpoint.file=ck.h5 --run.max_hours=1e-7 \
        --output.file="$1.h5"
    answered "$1: stopped" 75 ''
    check "$1: a checkpoint is there" test -s ck.h5
}
stopped lapack
run 3 run run.ini --features.eigensolver=lapack --checkpoint.file=ck.h5 --output.file=lapack.h5
accepted "LAPACK: continued at 3 ranks" 'going on from checkpoint'
run 1 diff alone.h5 lapack.h5
accepted "LAPACK: the same results" 'the same results'
stopped scalapack
run 1 run run.ini --features.eigensolver=scalapack --checkpoint.file=ck.h5 \
    --output.file=scalapack.h5
refused "ScaLAPACK, on fewer ranks" 3 'made by 2 ranks.*features\.eigensolver = lapack'
run 2 run run.ini --features.eigensolver=scalapack --checkpoint.file=ck.h5 \
    --output.file=scalapack.h5
accepted "ScaLAPACK, on as many" 'going on from checkpoint'
rm -f none.h5

# ---- points that do not vary, or hardly ----

printf 'x,y,z,kind\n1,5,2,0\n2,5,2,0\n1,5,2,0\n4,5,2,0\n3,5,2,1\n3,5,2,1\n' >flat.csv
cp flat.csv same.csv
run 1 import --out flat.h5 --label-column kind flat.csv same.csv
run 3 run run.ini --input.parties=flat.h5 --output.file=flat.out.h5
accepted "constant features and duplicates" 'warning +the parties. points vary in 1 directions only'
missing=$("$make_input" nans flat.out.h5 | grep -Ec 'features|candidates|generator|sampling' ||
    true)
check "no number of components, candidates or rewards is missing" test "$missing" -eq 0
printf 'x,y,z\n1,5,2\n2,4,7\n' >few.csv
run 1 import --out few.h5 few.csv
run 2 run run.ini --input.parties=few.h5 --output.file=none.h5
refused "fewer points than components" 2 'features\.components = 3: the parties have 2 points'
run 2 generate run.ini --out none.h5 --features.components=8
refused "more components than features" 2 'features\.components = 8.* 7 features'

finish
