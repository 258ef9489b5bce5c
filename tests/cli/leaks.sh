# What leaves a rank. A shared object that is preloaded records all that goes out through MPI and
# through windows that others read; in that, and in the files of a run, make_leaks searches for the
# coordinates of the parties that the rank has read: as they are, in the units of features, kernel
# and generator, as 8 and as 4 bytes, as exact sums of one. Where ranks exchange points they must be
# found, where points stay they must not.
# without: asan valgrind
# timeout: 400
# checks: 60
. "$(dirname "$0")/lib.sh"

preload=$BUILD_DIRECTORY/tests/preload_leaks.so
make_leaks=$BUILD_DIRECTORY/tests/make_leaks
record=$work/record
n_features=4

run 1 simulate --out all.h5 --parties 5 --points 40 --features "$n_features" --candidates 100
accepted "simulate"
run 1 simulate --out alike.h5 --parties 5 --points 40 --features "$n_features" --classes 1 \
    --candidates 100 --seed 2
accepted "simulate, one class"
"$make_input" split all.h5 own
"$make_input" split alike.h5 alike
configure input.parties=own input.candidates=all.h5

# recorded RANKS ARGUMENT...: as run, with what leaves the ranks in the directory $record.
recorded()
{
    local outer=$WRAPPER
    rm -rf "$record"
    mkdir "$record"
    WRAPPER="env LD_PRELOAD=$preload CGM_LEAKS=$record" run "$@"
    WRAPPER=$outer
}

# search OWN... -- FILE...: for coordinates of these parties' files; the directory's others are the
# other parties.
search()
{
    local own=() others=() file
    while [[ $1 != -- ]]; do
        own+=("$1")
        shift
    done
    shift
    for file in "$(dirname "${own[0]}")"/*.h5; do
        [[ " ${own[*]} " == *" $file "* ]] || others+=("$file")
    done
    "$make_leaks" --own "${own[@]}" --others "${others[@]}" --pool all.h5 \
        ${result:+--result "$result"} --in "$@" >"$logs/found" 2>&1
}

# parties RANK: the parties' files that it opened.
parties()
{
    grep -E '^(own|alike)/' "$record/opened.$1" | sort -u
}

# number FORM UNIT: of coordinates that the last search found.
number()
{
    sed -nE "s/^(ok|LEAK) +$2 +$1 +([0-9]+) found.*/\\2/p" "$logs/found"
}

# each_rank COMMAND...: after a search in what left each rank that has read parties, of $ranks
# ranks for 5 parties.
each_rank()
{
    local file rank mine n_searched=0
    for file in "$record"/sent.*; do
        rank=${file##*.}
        mapfile -t mine < <(parties "$rank")
        [[ ${#mine[@]} -gt 0 ]] || continue
        n_searched=$((n_searched + 1))
        search "${mine[@]}" -- "$file" || [[ $? -eq 1 ]] || return 1
        "$@" || { echo "rank $rank: $(cat "$logs/found")" && return 1; }
    done
    [[ $n_searched -eq $(at_most_ranks $((ranks < 5 ? ranks : 5))) ]]
}

# all_found FORM UNIT: every coordinate that was looked for.
all_found()
{
    local looked_for
    looked_for=$(sed -nE 's/^([0-9]+) coordinates of .*/\1/p' "$logs/found")
    [[ $looked_for -ge 160 && $(number "$1" "$2") -eq $looked_for ]]
}

none_found()
{
    grep -q '^[0-9]* coordinates' "$logs/found" && ! grep -q '^LEAK' "$logs/found"
}

# At most those of a smallest and a largest value of each feature.
extremes_alone()
{
    [[ $(number '8 bytes' raw) -le $((2 * n_features)) ]]
}

# clean_files FILE...: neither has a coordinate of a party, its own file for it excepted.
clean_files()
{
    local party file files
    for party in own/*.h5; do
        files=()
        for file in "$@"; do
            [[ $(basename "$file") == $(basename "$party") ]] || files+=("$file")
        done
        search "$party" -- "${files[@]}" && none_found || {
            cat "$logs/found"
            return 1
        }
    done
}

# ---- the means ----

# Functions of MPI that the program and its libraries call, but those that send nothing of the
# caller's memory, or only what is recorded as a window. File_read_at_all is recorded as an event.
not_recorded()
{
    local silent='Abort|Barrier|Comm_\w+|Error_\w+|Finalized|Get|Get_\w+|Group_\w+|Imrecv|Info_\w+'
    silent+='|Initialized|I?[Pp]robe|Mprobe|I?[Rr]ecv|Op_\w+|Pack\w*|Request_\w+|Test\w*|Type_\w+'
    silent+='|T_\w+|Unpack|Wait\w*|Wtime|Win_flush|Win_shared_query'
    silent+='|File_(close|get_\w+|open|read_at|set_\w+|sync)'
    {
        echo "$cgm"
        ldd "$cgm" | awk '/hdf5|scalapack/ { print $3 }'
    } | xargs nm -D | grep -oE ' U MPI_\w+' | sed 's/.* U //' | sort -u |
        grep -vxE "MPI_($silent)" >"$logs/called"
    nm -D --defined-only "$preload" | grep -oE '\bMPI_\w+' | sort -u |
        comm -23 "$logs/called" - | grep .
}
check "what is called is recorded" eval '! not_recorded'
check "and there is something" test "$(wc -l <"$logs/called")" -gt 12

# As many components as features, so that all units have as many numbers.
run 2 run run.ini --output.file=plain.h5 --features.scale=standard --features.type=pca \
    "--features.components=$n_features"
accepted "a result with all units"
result=plain.h5
"$make_leaks" --own own/*.h5 --result plain.h5 --plant planted
everything_found()
{
    search own/*.h5 -- planted || [[ $? -eq 1 ]]
    # Numbers of 4 bytes that end in zero bits are left out, of one coordinate in a thousand.
    sed -nE 's/^[0-9]+ coordinates of ([0-9]+) .*/\1/p' "$logs/found" >"$logs/total"
    awk -v total="$(cat "$logs/total")" '/found,/ {
        for (k = 1; $k != "found,"; k++) { n = $k }
        lines++
        sum += n
        bad += !/standard of/ && n < 0.98 * total
        bad += /standard of/ && n < 10
    } END { exit bad || lines < 20 || total != 800 }' "$logs/found"
}
check "what is planted is found in every form" everything_found
result=

# ---- ranks exchange points ----

for ranks in 2 3 5; do
    recorded "$ranks" run run.ini "--output.file=exact.$ranks.h5" "--output.party_dir=exact.$ranks"
    accepted "shards at $ranks ranks"
    check "shards at $ranks ranks: all points leave" each_rank all_found '8 bytes' raw
done
check "shards: files hold none" clean_files exact.3.h5 exact.3/*.h5
ranks=3
recorded "$ranks" run run.ini --output.file=scaled.h5 --features.scale=standard
accepted "shards, scaled"
result=scaled.h5
check "shards, scaled: all points leave" each_rank all_found '8 bytes, rounded' features
result=

recorded "$ranks" run run.ini --output.file=projected.h5 --features.type=pca --features.components=3
accepted "shards, projected"
result=projected.h5
most_found()
{
    awk -v n="$(number '8 bytes, rounded' projected)" 'BEGIN { exit !(n > 0.7 * 160) }'
}
check "shards, projected: points leave" each_rank most_found
result=

# ---- a mixture is fitted ----

recorded "$ranks" generate run.ini --generator.type=gmm --generator.size=200 --out pool.h5
accepted "generate"
check "generate: no point leaves as it is" each_rank extremes_alone

# ---- points stay ----

# stay LABEL RANKS OPTION...: a run with embeddings gives no coordinate away.
stay()
{
    local label="embeddings at $2 ranks, $1"
    ranks=$2
    shift 2
    result=
    rm -rf stay stay.h5
    recorded "$ranks" run run.ini --values.exchange=embeddings --values.embedding_features=64 \
        --metrics.select=mmd2,imbalance --output.file=stay.h5 --output.party_dir=stay "$@"
    accepted "$label"
    result=stay.h5
    check "$label: nothing leaves" each_rank none_found
    check "$label: nothing is read together" eval "! grep -q read_at_all $record/calls.*"
    check "$label: a party's file is opened on one rank" test \
        "$(for file in "$record"/opened.*; do parties "${file##*.}"; done | sort | uniq -d)" = ""
}
for n in 2 3 5; do
    stay "a lengthscale" "$n" --kernel.lengthscale=0.4
done
check "embeddings: files hold none" clean_files stay.h5 stay/*.h5
stay "no lengthscale" 3
stay "scaled" 3 --features.scale=standard --kernel.type=rq
stay "projected" 3 --features.type=pca --features.components=3
check "embeddings, projected: files hold none" clean_files stay.h5 stay/*.h5
stay "noise" 3 --kernel.lengthscale=0.4 --values.epsilon=1
check "embeddings, noise: files hold none" clean_files stay.h5 stay/*.h5
# Of one class and few components, none of which comes to have a single point.
stay "a mixture" 3 --kernel.lengthscale=0.4 --input.parties=alike --generator.type=gmm \
    --generator.size=100 --generator.components=2
stay "more ranks than parties" 7 --kernel.lengthscale=0.4

result=
n_checkpoints=0
# The first is over before the run begins to look at the clock.
for tenths in 0.0001 0.1 0.2 0.4 0.8 1 2 4 8 16 32 64; do
    run 3 run run.ini --values.exchange=embeddings --values.embedding_features=64 \
        --output.file=stopped.h5 --checkpoint.file=state \
        --run.max_hours="$(awk "BEGIN { print $tenths / 36000 }")"
    [[ $code -eq 75 ]] || break
    n_checkpoints=$((n_checkpoints + 1))
    cp state "state.$n_checkpoints"
done
check "there are checkpoints" test "$n_checkpoints" -gt 0
check "embeddings: checkpoints hold none" clean_files state.*

finish
