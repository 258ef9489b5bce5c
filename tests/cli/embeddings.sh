# Values from embeddings: the same results at every number of ranks, through stops and in all
# commands; what does not go with them is refused.
# timeout: 400
# checks: 64
# without: asan valgrind
. "$(dirname "$0")/lib.sh"

run 1 simulate --out data.h5 --parties 4 --points 600 --sizes heavy --candidates 1100 --features 3 \
    --seed 3
accepted "simulate"
"$make_input" split data.h5 parties
configure input.parties=parties input.candidates=data.h5 values.exchange=embeddings \
    values.embedding_features=300 'sampling.inv_temp=2, inf'

# same_at_all LABEL RANKS OPTION...: the results of one rank, left as LABEL.h5, are those of more
# ranks, and of ranks beyond the parties, and of threads.
same_at_all()
{
    local label=$1 list=$2 ranks
    shift 2
    run 1 run run.ini "--output.file=$label.h5" "$@"
    accepted "$label alone"
    for ranks in $list; do
        run "$ranks" run run.ini --output.file=other.h5 --output.overwrite=true "$@" \
            --run.threads=$((ranks < 4 ? 2 : 1))
        accepted "$label at $ranks ranks"
        run 1 diff "$label.h5" other.h5
        accepted "$label at $ranks ranks: as one rank alone" 'the same results'
    done
}

same_at_all searched "2 3 5"
same_at_all plain "3 5" --values.orthogonal=false --kernel.lengthscale=0.2
same_at_all sum "3 5" --kernel.type=se_sum --values.embedding_features=70
same_at_all rational "2 5" --kernel.type=rq --kernel.lengthscale=0.2,0.3,0.4 \
    --values.embedding_features=70
same_at_all drawn "3 5" --generator.type=gmm --generator.size=900 --generator.components=2 \
    --features.scale=standard

# ---- what does not go together ----

# refuse LABEL CODE REGEX OPTION...
refuse()
{
    local label=$1 expected=$2 regex=$3 ranks
    shift 3
    for ranks in 1 3; do
        run "$ranks" run run.ini --output.file=none.h5 "$@"
        refused "$label at $ranks ranks" "$expected" "$regex"
    done
}
refuse "the median distance" 2 'embeddings: kernel\.lengthscale = median' \
    --kernel.lengthscale=median
refuse "ranges of features" 2 'embeddings: features\.scale = minmax' --features.scale=minmax
refuse "a sliced pool" 2 'embeddings:.*run\.pool' --run.pool=ranks
refuse "sums of an earlier run" 2 'embeddings:.*run\.reuse' --run.reuse=searched.h5
refuse "a lengthscale from points under noise" 2 'values\.epsilon.*kernel\.lengthscale a number' \
    --values.epsilon=1
refuse "no frequencies" 2 "values\\.embedding_features.*'0'" --values.embedding_features=0
refuse "all parties in one file" 3 "a file of its own for each party.*'data\\.h5'" \
    --input.parties=data.h5
run 2 check run.ini --input.parties=data.h5
refused "check: all parties in one file" 3 "a file of its own for each party"
run 2 check run.ini --kernel.lengthscale=median
refused "check: the median distance" 2 'median'

# ---- other commands ----

run 2 check run.ini
accepted "check" 'kernel_sums'
run 1 report searched.h5
accepted "report" 'Standard errors of values|batches of frequencies'
run 1 report searched.h5 --json
accepted "report as JSON" '"phi_error"'
check "measures of others' points are named" grep -q '"metrics_left_out"' "$out"
run 1 verify searched.h5 --party party2 data.h5
accepted "verify" 'ok'
run 2 run run.ini --output.file=with.h5 --output.party_dir=own
accepted "parties' own files"
run 1 verify own/party3.h5 --party party3 data.h5
accepted "verify a party's own file" 'ok'
run 2 run run.ini --values.exchange=shards --run.reuse=searched.h5 --output.file=exact.h5
accepted "exact sums take nothing over from embeddings" \
    "nothing, as values\\.exchange differs from that run's"

# ---- stop and go on ----

# until_done FILE OPTION...: started again and again, on changing numbers of ranks, until it ends;
# keeps a copy of the first checkpoint with embeddings.
until_done()
{
    local file=$1 tenths=1 stops=0
    shift
    while [[ $stops -lt 60 ]]; do
        run $((1 + stops % 3)) run run.ini --output.file="$file" --checkpoint.file=ck.h5 "$@" \
            --run.max_hours="$(awk "BEGIN { print $tenths / 360000 }")"
        [[ $code -eq 75 ]] || break
        if [[ ! -e kept.h5 ]] && grep -qE 'kernel sums|sampling' "$err"; then
            cp ck.h5 kept.h5
        fi
        stops=$((stops + 1))
        tenths=$((tenths + 1 + tenths / 5))
    done
    accepted "$file, after $stops stops"
    check "$file was stopped" test "$stops" -gt 0
}
until_done stopped.h5
run 1 diff searched.h5 stopped.h5
accepted "stopped: the same results" 'the same results'

# ---- noise ----

noise=(--values.epsilon=2 --kernel.lengthscale=0.3)
for copy in 1 2; do
    run 2 run run.ini "${noise[@]}" --output.file="noise.$copy.h5"
    accepted "noise, run $copy"
done
run 1 diff noise.1.h5 noise.2.h5
answered "noise is not the same twice" 1 '^different: /'
run 2 run run.ini "${noise[@]}" --output.file=noise.kept.h5 --checkpoint.file=all.h5 \
    --checkpoint.interval=1 --run.progress=10
check "means with noise are kept as soon as they are told, and with the sums" \
    test "$(grep -c '^checkpoint: kernel sums' "$out")" -eq 2
rm -f kept.h5
until_done noise.stopped.h5 "${noise[@]}"
if [[ -e kept.h5 ]]; then
    mv kept.h5 ck.h5
    run 2 run run.ini "${noise[@]}" --output.file=noise.again.h5 --checkpoint.file=ck.h5
    accepted "on from the same checkpoint" 'going on from checkpoint'
    run 1 diff noise.stopped.h5 noise.again.h5
    accepted "noise that a checkpoint keeps is not drawn again" 'the same results'
fi
check "there was such a checkpoint" test -e noise.again.h5

finish
