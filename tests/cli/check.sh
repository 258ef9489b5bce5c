# What check announces.
# without: valgrind
. "$(dirname "$0")/lib.sh"

configure input.parties=data.h5 'sampling.inv_temp=1, inf' output.file=never.h5
run 1 simulate --out data.h5 --parties 3 --points 600 --candidates 900 --seed 5
accepted "simulate"

# announced NAME: the number after it on stdout.
announced()
{
    sed -nE "s,^ *$1 +([0-9.e+]+).*,\\1,p" "$out"
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
    check "kernel sums at $ranks ranks" test "$(announced 'kernel sums')" = 4256176
    check "a pass at $ranks ranks" \
        test "$(announced 'one pass of the choice of the lengthscale')" = 3644832
    check "passes at $ranks ranks" grep -Eq '^ *passes +5 \.\. 9$' "$out"
    # 1800 · 900, and 9 to 900 draws of 3 parties at 2 β.
    check "sampling at $ranks ranks" grep -Eq '^ *sampling +1668600 \.\. 6480000$' "$out"
    check "memory of a rank at $ranks ranks" grep -Eq '^ *a rank, together +[0-9.]+ MiB' "$out"
    check "time at $ranks ranks" grep -Eq '^ *seconds +[0-9.e+]+ \.\. [0-9.e+]+$' "$out"
    check "--ntasks at $ranks ranks" test "$(batch ntasks)" = "$ranks"
    check "--mem-per-cpu at $ranks ranks" test "$(batch mem-per-cpu)" = 192M
    check "--time at $ranks ranks" test "$(batch time)" = 00:05:00
done
run 1 check run.ini --kernel.lengthscale=0.5
accepted "check with a lengthscale"
check "no passes with a lengthscale" test "$(announced passes)" = 0
run 1 simulate --out many.h5 --parties 200 --points 500 --candidates 100000 --features 20
accepted "simulate: many"
run 2 check run.ini --input.parties=many.h5
accepted "check of many"
# 200 parties · 2 β · 10^5 draws · 10^5 candidates, and 10^5 points · 10^5 candidates at the start.
check "draws of many" grep -Eq '^ *sampling +50000000000 \.\. 4010000000000$' "$out"
# --time is the upper end of the range, which is printed with three digits, rounded up to 5 minutes.
seconds=$(sed -nE 's,^ *seconds +[0-9.e+]+ \.\. ([0-9.e+]+)$,\1,p' "$out")
check "--time is the upper end" awk -v upper="$seconds" -v time="$(batch time)" 'BEGIN {
    split(time, part, ":")
    limit = 3600 * part[1] + 60 * part[2]
    exit !(limit >= 0.99 * upper && limit <= 1.01 * upper + 300 && limit > 300)
}'
# Rewards of a rank: 100 · 10^5 · (2 · 16 + 168) bytes.
check "--mem-per-cpu grows" test "$(batch mem-per-cpu | tr -d M)" -gt 2300
check "rewards in MiB" grep -Eq 'rewards, if all of the pool is drawn +1907\.35 MiB' "$out"
run 3 check run.ini --input.parties=none.h5
refused "check of a missing file" 3 'none\.h5'

finish
