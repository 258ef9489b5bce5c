# The smallest and the oddest data that are sound: they run, give the same results at 1 rank and at
# 3, and no value is NaN but those that are said to be missing.
# without: asan valgrind
# timeout: 400
# checks: 116
. "$(dirname "$0")/lib.sh"

"$make_input" all
# Measures of rewards are missing where there is too little: their own tests say where.
configure kernel.lengthscale=0.5 metrics.select=none

# nans FILE NAME...: these datasets and attributes have a NaN, and no other.
nans()
{
    local file=$1
    shift
    "$make_input" nans "$file" >"$logs/nans" && [[ $(<"$logs/nans") == "$(printf '%s\n' "$@")" ]]
}

# edge LABEL KIND STATUS REGEX ARGUMENT...: the input KIND.h5 runs and ends in that state, with such
# a line on stdout; the result of 3 ranks stays in 3.h5.
edge()
{
    local label=$1 kind=$2 status=$3 regex=$4 ranks
    shift 4
    for ranks in 1 3; do
        rm -f "$ranks.h5"
        run "$ranks" run run.ini "--input.parties=$kind.h5" "--output.file=$ranks.h5" "$@"
        require "no status '$status'" grep -Eq "^reward .*, $status" "$out"
        accepted "$label at $ranks ranks" "$regex"
    done
    run 1 diff 1.h5 3.h5
    accepted "$label: the same results" 'the same results'
    local missing=()
    [[ $status != no_contribution ]] || missing=(reward@rho reward@v_star)
    check "$label: no NaN" nans 3.h5 "${missing[@]}"
}

chosen=--kernel.lengthscale=nonnegative
edge "one party" one_party optimal '1 party of 7 points' $chosen
edge "two parties" two_parties optimal '2 parties of 5 \.\. 7 points' $chosen
edge "one point a party" one_point optimal '3 parties of 1 point,' $chosen
edge "one feature" one_feature optimal ' 1 feature,' $chosen
edge "one candidate" one_candidate relaxed ' 1 candidate$' $chosen --reward.condition=stable
edge "one of everything" least no_contribution 'warning .*lengthscale down to' $chosen
edge "equal points" equal optimal 'any would do' $chosen
edge "equal points, median" equal optimal '' --kernel.lengthscale=median
edge "equal candidates" equal_pool optimal '' --sampling.inv_temp=0,1,inf
edge "ties everywhere" lattice optimal 'warning .*lengthscale down to' $chosen \
    --sampling.inv_temp=0,1,inf
edge "twins" twins optimal '' --sampling.inv_temp=0,inf
edge "an outlier" outlier optimal "warning .*1 of 3 parties.*phi"
edge "no contribution" large_far_pool no_contribution 'warning .*no rewards'
edge "individual, relaxed" far_pool relaxed 'warning .*no rewards'
edge "stable, relaxed" good relaxed 'warning .*no rewards' --reward.condition=stable
edge "labels" labels optimal ' labels'
edge "no labels" good optimal ' no labels'
edge "packed" packed optimal '3 parties of 5 \.\. 7 points'
edge "se_sum" good optimal '' --kernel.type=se_sum $chosen
edge "rq" good optimal '' --kernel.type=rq $chosen
edge "a lengthscale a feature" good optimal 'lengthscale .*one a feature' \
    --kernel.lengthscale=0.2,0.7
edge "median" good optimal 'lengthscale .*median' --kernel.lengthscale=median
edge "a party at its target" one_point optimal '^p3 +0 +0\.50121 $' --kernel.lengthscale=median
edge "standard" good optimal '' --features.scale=standard $chosen
edge "minmax of equal points" equal optimal '' --features.scale=minmax
edge "components" good optimal '^features +2 projected on 1 component, ' --features.type=pca \
    --features.components=1 $chosen
edge "components of equal points" equal optimal 'warning .*vary in 0 directions' \
    --features.type=pca --features.components=2
edge "a pool drawn on components" good optimal 'coordinates on these' --features.type=pca \
    --features.components=2 --generator.type=gmm --generator.size=30 $chosen
edge "a pool drawn on components of equal points" equal optimal 'vary in 0 directions' \
    --features.type=pca --features.components=2 --generator.type=gmm --generator.size=30
edge "banzhaf" good optimal '' --shapley.semivalue=banzhaf --shapley.method=quadrature
edge "beta" good optimal '' --shapley.semivalue=beta:0.05,100 --shapley.method=quadrature
edge "leave one out" good optimal 'semivalue .*leave_one_out' --shapley.semivalue=leave_one_out
edge "quadrature of one party" one_party optimal '' --shapley.method=quadrature

finish
