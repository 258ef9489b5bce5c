# Which files a run opens, by what the system says: a rank opens its own parties' files alone, and
# every file is new, exclusively its maker's and never readable by more than in the end.
# alone: yes
# without: asan valgrind
# checks: 31
. "$(dirname "$0")/lib.sh"

# The system calls of each rank that name a file, in trace.RANK.
cat >traced <<'END'
#!/bin/sh
exec strace -f -qq -e trace=%file,fchmod -s 4096 -o "trace.${OMPI_COMM_WORLD_RANK-$PMI_RANK}" "$@"
END
chmod +x traced
if ! strace -f -e trace=%file true 2>traces; then
    skipped "traces" "strace is missing or must not trace"
    finish
    exit
fi

run 1 simulate --out data.h5 --parties 7 --points 40 --candidates 90 --seed 5
accepted "simulate"
"$make_input" split data.h5 parties
run 1 simulate --out pool.h5 --parties 1 --points 1 --candidates 90
accepted "simulate a pool"
configure input.parties=parties input.candidates=pool.h5 run.pool=ranks
printf 'x,y\n0.1,0.2\n' >one.csv

# Three ranks even where they have to wait for cores.
[[ $MOST_RANKS -ge 3 ]] || MOST_RANKS=3

# numbers REGEX RANK: the parties in whose names the rank's calls of that kind have an argument.
numbers()
{
    grep -E "$1" "trace.$2" | grep -oE 'party[0-9]+' | sort -u | tr -d '\nparty'
}

# Rank 0 lists the directory and looks what kind each name is; others' files it leaves alone too.
look='stat(at64|at|x)?\(|readlink|getcwd'

for ranks in 2 3; do
    WRAPPER=$work/traced
    run "$ranks" run run.ini "--output.file=$ranks.h5" "--output.party_dir=mine$ranks"
    WRAPPER=
    accepted "run at $ranks ranks"
    for ((rank = 0; rank < ranks; rank++)); do
        own=
        for ((party = 7 * rank / ranks; party < 7 * (rank + 1) / ranks; party++)); do
            own+=$((party + 1))
        done
        label="rank $rank of $ranks"
        check "$label opens its parties' files" \
            test "$(numbers 'open.*"parties/' "$rank")" = "$own"
        check "$label writes its parties' files" \
            test "$(numbers 'open.*"mine./' "$rank")" = "$own"
        calls='"(parties|mine.)/'
        if [[ $rank -eq 0 ]]; then
            grep -Ev "$look" trace.0 >trace.rest
            check "$label touches no others" test "$(numbers "$calls" rest)" = "$own"
        else
            check "$label touches no others" test "$(numbers "$calls" "$rank")" = "$own"
        fi
    done
done

# made NAME MODE: whoever opens such a file first creates it exclusively, with that mode, which
# nobody changes; nobody creates it under its final name.
made()
{
    local first
    first=$(grep -hE "open.*\"$1\\.tmp-[^\"]*\"" trace.[0-9] | grep -v ENOENT | head -n 1)
    grep -Eq "O_EXCL.*, $2\\) = [0-9]" <<<"$first" &&
        ! grep -Eq "open[^\"]*\"$1\"[^\"]*O_CREAT" trace.[0-9] &&
        ! grep -Eq 'chmod(at)?\([^"]*"[^"]*\.h5' trace.[0-9] && ! grep -q 'fchmod(' trace.[0-9]
}

for party in 1 2 3 4 5 6 7; do
    check "the file of party$party" made "mine3/party$party\\.h5" 0600
done
check "output.file" made '3\.h5' 0640
WRAPPER=$work/traced
run 1 import --out imported.h5 one.csv
accepted "import"
check "the file of import" made 'imported\.h5' 0640
run 2 simulate --out simulated.h5 --parties 2 --points 5 --candidates 5
accepted "simulate, traced"
check "the file of simulate" made 'simulated\.h5' 0640

finish
