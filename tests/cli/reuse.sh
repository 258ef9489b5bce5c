# What an earlier result says of parties and pool that did not change is taken over, to the same
# results as without, and costs no kernel evaluation.
# without: asan valgrind
# checks: 48
. "$(dirname "$0")/lib.sh"

run 2 simulate --out all.h5 --parties 6 --points 900 --features 3 --candidates 8000 --seed 5
run 2 simulate --out other.h5 --parties 6 --points 800 --features 3 --candidates 100 --seed 6
"$make_input" split all.h5 parties
"$make_input" split other.h5 others
rm -f parties/candidates.h5 parties/test.h5
party=(parties/*)
configure input.parties=parties input.candidates=all.h5 kernel.lengthscale=0.3

# evaluations STAGE: as the table of times says, of the last run, all ranks together.
evaluations()
{
    awk -v stage="$1" '$1 == stage && NF == 9 { print $7 }' "$out"
}

# costs LABEL STAGE PERCENT: the last run evaluated at most so many percent of what `fresh` did.
costs()
{
    require "$(evaluations "$2") evaluations, fresh $fresh" \
        awk "BEGIN { exit !($(evaluations "$2") <= $fresh * $3 / 100) }"
    verdict "$1 costs at most $3 % in $2"
}

# both LABEL REGEX OPTION...: the same results with run.reuse=old.h5 and without.
both()
{
    run 3 run run.ini "${@:3}" --output.file=fresh.h5
    accepted "$1: fresh"
    fresh=$(evaluations kernel_sums)
    run 2 run run.ini "${@:3}" --output.file=reused.h5 --run.reuse=old.h5
    accepted "$1: reused" "reused from old.h5: $2"
    cp "$out" "$logs/reused"
    run 1 diff fresh.h5 reused.h5
    accepted "$1: the same results"
    cp "$logs/reused" "$out"
    rm fresh.h5 reused.h5
}

run 1 run run.ini --output.file=old.h5
accepted "an earlier run"
fresh=$(evaluations kernel_sums)

both "nothing changed" 'sums of the pool and of 6 parties'
costs "nothing changed" kernel_sums 0
both "another temperature, condition, seed and semivalue" 'sums of the pool and of 6 parties' \
    --sampling.inv_temp=8 --reward.condition=stable --run.seed=9 --shapley.semivalue=banzhaf
costs "other options" kernel_sums 0

# 900 of 13,400 points against all of them, of half the square of 13,400.
mv "${party[2]}" aside.h5
both "a party left" 'sums of the pool and of 5 parties'
costs "a party left" kernel_sums 0
run 2 run run.ini --output.file=old.h5 --output.overwrite=true
accepted "an earlier run without it"
mv aside.h5 "${party[2]}"
both "a party joined" 'sums of the pool and of 5 parties'
costs "a party joined" kernel_sums 14
run 5 run run.ini --output.file=old.h5 --output.overwrite=true
mv "${party[3]}" aside.h5
cp "others/$(basename "${party[3]}")" "${party[3]}"
both "a party changed" 'sums of the pool and of 5 parties'
costs "a party changed" kernel_sums 14
mv aside.h5 "${party[3]}"

# The lengthscale is that of the same points by the same rule.
run 2 run run.ini --kernel.lengthscale=nonnegative --output.file=old.h5 --output.overwrite=true
accepted "an earlier run that chose the lengthscale"
both "the lengthscale" 'lengthscale; sums of the pool and of 6 parties' \
    --kernel.lengthscale=nonnegative --sampling.inv_temp=2
costs "the lengthscale" lengthscale 0
costs "the lengthscale" kernel_sums 0
both "another lengthscale" 'nothing, as the lengthscale' --kernel.lengthscale=0.31
both "another kernel" 'nothing, as the lengthscale' --kernel.lengthscale=0.3 --kernel.type=rq
both "another scaling" 'nothing, as pool, scaling' --features.scale=standard
both "another pool" 'nothing, as pool, scaling' --input.candidates=other.h5

# 3000 parties: their shares of u are one layer.
run 2 simulate --out many.h5 --parties 3000 --points 4 --features 2 --candidates 2000 --seed 7
run 3 run run.ini --input.parties=many.h5 --input.candidates=many.h5 --output.file=old.h5 \
    --output.overwrite=true
accepted "an earlier run of many parties"
both "many parties" 'sums of the pool and of 3000 parties' --input.parties=many.h5 \
    --input.candidates=many.h5 --sampling.inv_temp=2
costs "many parties" kernel_sums 0

# What is no result.
run 2 run run.ini --output.file=new.h5 --run.reuse=all.h5
refused "the input" 3 "'all.h5'"
run 2 run run.ini --output.file=new.h5 --run.reuse=nothing.h5
refused "a file that is not there" 3 "'nothing.h5'"
printf 'damaged!' | dd of=old.h5 bs=1 seek=$(($(stat -c %s old.h5) / 2)) conv=notrunc status=none
run 3 run run.ini --output.file=new.h5 --run.reuse=old.h5
refused "a damaged result" 3 "'old.h5'.*(damaged|cannot be read)"

finish
