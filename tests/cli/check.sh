# What check announces.
# without: valgrind
# checks: 40
. "$(dirname "$0")/lib.sh"

configure input.parties=data.h5 'sampling.inv_temp=1, inf' output.file=never.h5
run 1 simulate --out data.h5 --parties 3 --points 600 --candidates 900 --seed 5
accepted "simulate"

# work STAGE RANGE: what check announces for a stage, over all ranks.
work()
{
    grep -Eq "^ *$1 +$2 " "$out"
}
# batch NAME: a line of the batch script.
batch()
{
    sed -nE "s,^#SBATCH --$1=,,p" "$out"
}
for ranks in 1 2 3; do
    run "$ranks" check run.ini
    accepted "check at $ranks ranks" '^parties = data\.h5'
    check "check at $ranks ranks writes nothing" no_file_added
    # Blocks of 512: (2700² + 3 (512² + 88²) + 512² + 388²) / 2, and without pairs of the pool.
    check "kernel sums at $ranks ranks" work kernel_sums 4256176
    check "4 to 9 passes of 3644832 at $ranks ranks" \
        work lengthscale '1\.457933e\+07 \.\. 3\.280349e\+07'
    # 1800 · 900, and 9 to 900 draws of 3 parties at 2 β, of which the last needs no evaluations.
    check "sampling at $ranks ranks" work sampling '1663200 \.\. 6474600'
    check "memory of a rank at $ranks ranks" grep -Eq '^ *a rank of its own +[0-9.]+ MiB' "$out"
    check "time at $ranks ranks" grep -Eq '^ *seconds +[0-9.e+]+ \.\. [0-9.e+]+$' "$out"
    check "--ntasks at $ranks ranks" test "$(batch ntasks)" = "$(at_most_ranks "$ranks")"
    check "--mem-per-cpu at $ranks ranks" test "$(batch mem-per-cpu)" = 192M
    check "--time at $ranks ranks" test "$(batch time)" = 00:05:00
done
run 1 check run.ini --kernel.lengthscale=0.5
accepted "check with a lengthscale"
check "no passes with a lengthscale" work lengthscale 0
run 1 simulate --out many.h5 --parties 200 --points 500 --candidates 100000 --features 20
accepted "simulate: many"
run 2 check run.ini --input.parties=many.h5
accepted "check of many"
# 200 parties · 2 β · 10^5 - 1 draws · 10^5 candidates, and 10^5 points · 10^5 candidates at the
# start.
check "draws of many" work sampling '4\.996e\+10 \.\. 4\.00996e\+12'
# --time is the upper end of the range, which is printed with three digits, rounded up to 5 minutes.
seconds=$(sed -nE 's,^ *seconds +[0-9.e+]+ \.\. ([0-9.e+]+)$,\1,p' "$out")
check "--time is the upper end" awk -v upper="$seconds" -v time="$(batch time)" 'BEGIN {
    split(time, part, ":")
    limit = 3600 * part[1] + 60 * part[2]
    exit !(limit >= 0.99 * upper && limit <= 1.01 * upper + 300 && limit > 300)
}'
# Rewards of a rank, while they are written: 100 · 10^5 · (2 · 16 + 168) bytes.
check "--mem-per-cpu grows" test "$(batch mem-per-cpu | tr -d M)" -gt 2300
# A value that is not finite is found, though the pool is not kept.
"$make_input" nan_candidates bad.h5
run 2 check run.ini --input.parties=bad.h5
refused "check of a pool that is not finite" 3 'candidates/data.*row 17.*NaN'
run 3 check run.ini --input.parties=none.h5
refused "check of a missing file" 3 'none\.h5'

finish
