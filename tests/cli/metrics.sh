# Measures of the rewards: what is missing where, what is written, who is warned of.
# without: asan valgrind
# checks: 39
. "$(dirname "$0")/lib.sh"

"$make_input" all
configure kernel.lengthscale=0.5 metrics.select=mmd2,kl,wasserstein2,imbalance,privacy

# measured LABEL KIND "COLUMN..." ARGUMENT...: the input KIND.h5 runs with the same result at 1 rank
# and 3; of its measures these columns have a NaN, and no others.
measured()
{
    local label=$1 kind=$2 missing=$3 ranks
    shift 3
    for ranks in 1 3; do
        rm -f "$ranks.h5"
        run "$ranks" run run.ini "--input.parties=$kind.h5" "--output.file=$ranks.h5" "$@"
        accepted "$label at $ranks ranks"
    done
    "$make_input" nans 3.h5 | sed -n 's,^metrics/beta_1/,,p' >"$logs/nans"
    check "$label: exactly these are missing" test "$(paste -sd ' ' "$logs/nans")" = "$missing"
    run 1 diff 1.h5 3.h5
    accepted "$label: the same results" 'the same results'
}

kl='kl_after kl_before kl_excluded_after kl_excluded_before'
privacy='privacy_close privacy_copies privacy_ratio'
imbalance='imbalance_after imbalance_before'
# Parties of 7, 5 and 6 points, of which one gets too few for a divergence.
measured "labels of the parties" labels "imbalance_after $kl"
measured "no labels" good "$imbalance $kl"
measured "one party" one_party "$imbalance $privacy"
measured "one point a party" one_point "$imbalance $kl mmd2_before"
measured "equal points" equal "$imbalance $kl $privacy"
measured "no rewards" large_far_pool "$imbalance $kl $privacy"
measured "some coincide" lattice "$imbalance kl_before kl_excluded_before"
measured "one of everything" least "$imbalance $kl mmd2_before $privacy"

# Every candidate is a record of p2, which may have them.
run 3 run run.ini --input.parties=leak.h5 --output.file=leak.h5.out
accepted "copies" "warning .*inverse temperature 1, the rewards of 2 of 3 parties hold exact copies"
check "copies: whose" grep -Eq "records: 'p1', 'p3';" <(tr -s '\n ' ' ' <"$out")

run 2 simulate --out data.h5 --parties 4 --points 60 --candidates 700 --seed 2
accepted simulate
run 2 run run.ini --input.parties=data.h5 --output.file=all.h5 --sampling.inv_temp=1,4
accepted "several temperatures"
# No copies, and no points left out: what does not vary has no correlation.
check "several temperatures: all is there" test -z "$("$make_input" nans all.h5 |
    grep -Ev 'correlation_(privacy_copies|kl_excluded_before|kl_excluded_after)$')"
run 2 run run.ini --input.parties=data.h5 --output.file=one.h5 --metrics.select=mmd2
accepted "a measure alone"
check "nothing else is missing" test -z "$("$make_input" nans one.h5)"
finish
