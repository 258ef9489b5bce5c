# The same results, bit for bit, at every number of ranks.
# timeout: 600
# without: asan valgrind
# checks: 105
. "$(dirname "$0")/lib.sh"

configure input.parties=data.h5 'sampling.inv_temp=0, 2, inf'

# as_alone LABEL VARIANT RANKS OPTION...: a run with these options has the results of LABEL.h5.
as_alone()
{
    local label=$1 variant=$2 ranks=$3
    shift 3
    run "$ranks" run run.ini --output.file=other.h5 --output.overwrite=true "$@"
    accepted "$label, $variant, at $ranks ranks"
    run 1 diff "$label.h5" other.h5
    accepted "$label, $variant, at $ranks ranks: as one rank alone" 'the same results'
}

# same_at_all LABEL OPTION...: the results of one rank, left as LABEL.h5, are those of many ranks
# and threads, and of a pool in slices.
same_at_all()
{
    local label=$1 ranks
    shift
    run 1 run run.ini "--output.file=$label.h5" "$@"
    accepted "$label alone"
    for ranks in 2 3 5 8 16; do
        as_alone "$label" plain "$ranks" "$@"
    done
    for ranks in 1 3 8; do
        as_alone "$label" 'a slice a rank' "$ranks" --run.pool=ranks "$@"
    done
    as_alone "$label" '3 threads' 1 --run.threads=3 "$@"
    as_alone "$label" '2 threads and slices' 2 --run.threads=2 --run.pool=ranks "$@"
}

# Several blocks of points a party, unequal sizes, a pool that no number of ranks divides.
run 1 simulate --out data.h5 --parties 5 --points 700 --sizes heavy --candidates 1301 --seed 3
accepted "simulate: heavy"
run 3 simulate --out again.h5 --parties 5 --points 700 --sizes heavy --candidates 1301 --seed 3
accepted "simulate at 3 ranks"
run 1 simulate --out three.h5 --parties 3 --points 101 --candidates 300 --split unequal \
    --classes 5 --features 4 --seed 4
accepted "simulate: 3 parties"

run 2 simulate --out twenty.h5 --parties 20 --points 40 --sizes heavy --candidates 900 \
    --features 3 --split dirichlet --alpha 0.5 --seed 5
accepted "simulate: 20 parties"
run 2 simulate --out many.h5 --parties 300 --points 10 --sizes heavy --candidates 1000 \
    --features 4 --split dirichlet --alpha 0.5 --seed 6
accepted "simulate: 300 parties, packed"

same_at_all heavy
same_at_all few --input.parties=three.h5 --kernel.lengthscale=0.3
same_at_all middle --input.parties=twenty.h5
same_at_all packed --input.parties=many.h5 --sampling.inv_temp=2

run 3 run run.ini --input.parties=again.h5 --output.file=again.out.h5
accepted "run of the data simulated at 3 ranks"
run 1 diff heavy.h5 again.out.h5
accepted "simulate is the same at 3 ranks" 'the same results'

for ranks in 1 3; do
    run "$ranks" run run.ini --shapley.method=quadrature "--output.file=quadrature.$ranks.h5"
    accepted "quadrature at $ranks ranks"
done
run 1 diff quadrature.1.h5 quadrature.3.h5
accepted "quadrature: 3 ranks as 1" 'the same results'

run 3 run run.ini --run.seed=2 --output.file=seed.h5
accepted "another seed"
run 3 diff heavy.h5 seed.h5
answered "another seed gives other results" 1 '/'
run 1 diff heavy.h5 few.h5
answered "other data give other results" 1 '/'

# One file a party: the same data, the same results.
"$make_input" split data.h5 parties
for ranks in 1 3 7; do
    run "$ranks" run run.ini --input.parties=parties --input.candidates=data.h5 \
        "--output.file=directory.$ranks.h5"
    accepted "a directory of files at $ranks ranks"
    run 1 diff heavy.h5 "directory.$ranks.h5"
    accepted "a directory of files at $ranks ranks: as one file" 'the same results'
done
run 2 run run.ini '--input.parties=parties/*.h5' --input.candidates=data.h5 --output.file=glob.h5
accepted "a glob of files"
run 1 diff heavy.h5 glob.h5
accepted "a glob of files: as one file" 'the same results'

finish
