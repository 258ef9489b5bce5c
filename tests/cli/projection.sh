# Projected features, the pool in a file of raw ones: the same results at every number of ranks,
# wherever points come from; what is refused; what is taken over from an earlier result.
# without: asan valgrind
# timeout: 120
. "$(dirname "$0")/lib.sh"

configure input.parties=data.h5 features.type=pca features.components=3 metrics.select=none \
    kernel.lengthscale=0.9 'sampling.inv_temp=1, inf'

# Several blocks of points a party; a pool that no number of ranks divides.
run 2 simulate --out data.h5 --parties 4 --points 600 --sizes heavy --candidates 1301 \
    --features 7 --seed 9
accepted "simulate"
"$make_input" split data.h5 parties

run 1 run run.ini --output.file=alone.h5
accepted "one rank alone" '^features +7 projected on 3 components, with [0-9.]+ % of the variance'

# as_alone LABEL RANKS OPTION...
as_alone()
{
    local label=$1 ranks=$2
    shift 2
    run "$ranks" run run.ini --output.file=other.h5 --output.overwrite=true "$@"
    accepted "$label at $ranks ranks"
    run 1 diff alone.h5 other.h5
    accepted "$label at $ranks ranks: as one rank alone" 'the same results'
}

as_alone "one copy of the pool" 2
as_alone "a slice of the pool a rank" 3 --run.pool=ranks
as_alone "one file a party" 5 --input.parties=parties --input.candidates=data.h5

run 3 run run.ini --output.file=other.h5 --output.overwrite=true --features.eigensolver=scalapack
accepted "components by ScaLAPACK"
for option in whiten=false components=2; do
    run 3 run run.ini --output.file=other.h5 --output.overwrite=true "--features.$option"
    accepted "features.$option"
    run 1 diff alone.h5 other.h5
    answered "features.$option gives other results" 1 '/features'
done

run 2 check run.ini
accepted "check" 'components that they are projected on +3$'
for command in run check; do
    run 2 "$command" run.ini --output.file=none.h5 --features.components=8
    refused "$command: more components than features" 2 'features.components = 8.* 7 features'
    run 2 "$command" run.ini --output.file=none.h5 --features.components=0
    refused "$command: no component" 2 'features.components'
done
"$make_input" one_point one_point.h5
run 2 run run.ini --input.parties=one_point.h5 --output.file=none.h5 --features.components=2
accepted "as many components as points less one"
rm none.h5
run 2 run run.ini --output.file=none.h5 --features.eigensolver=jacobi
refused "another solver" 2 'lapack'

run 2 run run.ini --output.file=other.h5 --output.overwrite=true --sampling.inv_temp=2 \
    --run.reuse=alone.h5
accepted "sums of the same projection" '^reused .*sums of the pool and of 4 parties'
run 2 run run.ini --output.file=fresh.h5 --sampling.inv_temp=2
run 1 diff other.h5 fresh.h5
accepted "as without them" 'the same results'
for option in type=none whiten=false; do
    run 2 run run.ini --output.file=other.h5 --output.overwrite=true "--features.$option" \
        --run.reuse=alone.h5
    accepted "not with features.$option" '^reused .*nothing, as pool, scaling'
done

finish
