# p-values are the same at every number of ranks, of LAPACK's eigenvalues and of ScaLAPACK's.
# without: asan valgrind
# checks: 20
. "$(dirname "$0")/lib.sh"

configure input.parties=data.h5 'sampling.inv_temp=1, inf' metrics.select=significance

run 2 simulate --out data.h5 --parties 4 --points 130 --sizes heavy --candidates 1000 \
    --split dirichlet --alpha 0.5 --seed 8
accepted "simulate"

# same_at_all LABEL OPTION...
same_at_all()
{
    local label=$1 ranks
    shift
    run 1 run run.ini "--output.file=$label.h5" "$@"
    accepted "$label alone"
    for ranks in 2 3 5 7; do
        run "$ranks" run run.ini --output.file=other.h5 --output.overwrite=true \
            "--run.pool=$([[ $ranks -eq 3 ]] && echo ranks || echo node)" "$@"
        accepted "$label at $ranks ranks"
        run 1 diff "$label.h5" other.h5
        accepted "$label at $ranks ranks: as one rank alone" 'the same results'
    done
}

same_at_all lapack --metrics.significance_points=400
same_at_all scalapack

run 1 diff lapack.h5 scalapack.h5
answered "a part of the points gives other p-values" 1 '/metrics.*p_value'

finish
