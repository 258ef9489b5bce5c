# Who may read what: modes of files whatever the umask, a party's own file in place of the result,
# and no number of anybody's data on the screen, whatever goes right or wrong.
# without: asan valgrind
# timeout: 400
# checks: 121
. "$(dirname "$0")/lib.sh"

mode()
{
    stat -c %a "$@" | tr '\n' ' '
}

# ---- data with digits to look for ----

# Numbers of 10 digits whose rounding to 6 digits cuts them off.
awk 'BEGIN {
    x = 20240607
    for (party = 1; party <= 3; party++) {
        file = "p" party ".csv"
        print "x,y,kind" >file
        for (k = 0; k < 14 + 3 * party; k++) {
            line = ""
            for (j = 0; j < 2; j++) {
                x = (16807 * x) % 2147483647
                line = line sprintf("0.%06d2345,", 100000 + x % 900000)
            }
            print line (k % 2 ? "A" : "B") >file
        }
    }
}'
# digits FILE...: patterns of the first 6 digits of all numbers there, as any format prints them.
digits()
{
    cat "$@" | grep -oE '0\.[0-9]{6,}' | sed -E 's/^0\.(0*)([1-9])([0-9]{5}).*/\1 \2 \3/' |
        awk '{ n = $1 == $1 + 0 && NF == 3 ? $1 : ""; d = $(NF - 1); r = $NF
               print "(^|[^0-9])0?\\." n d r; print "(^|[^0-9])" d "\\." r "[0-9]*e-" }'
}
digits p?.csv >patterns

# quiet_about LABEL: the last run's output shows none of the numbers.
quiet_about()
{
    if grep -hE -f patterns "$out" "$err" >"$logs/shown"; then
        problem="it shows data: $(head -n 1 "$logs/shown")"
    fi
    verdict "$1 shows no data"
}

check "the patterns find what is in the data" test "$(grep -cE -f patterns p1.csv)" -eq 17

# said LABEL CODE ARGUMENT...: exits so, and shows no data.
said()
{
    local label=$1 expected=$2
    shift 2
    run "$@"
    require "exit code $code, not $expected" test "$code" -eq "$expected"
    verdict "$label"
    quiet_about "$label"
}

run 1 simulate --out pool.h5 --parties 1 --points 1 --candidates 120
accepted "simulate a pool"
configure input.parties=data.h5 input.candidates=pool.h5 'sampling.inv_temp=1, 2, inf'
sed -i 's/^progress.*/progress = 0.001/' run.ini
said "import" 0 1 import --out data.h5 --label-column kind p1.csv p2.csv p3.csv
said "check" 0 2 check run.ini
for ranks in 1 3; do
    said "run at $ranks ranks" 0 "$ranks" run run.ini "--output.file=$ranks.h5" \
        "--output.party_dir=mine$ranks"
done
said "run again" 0 3 run run.ini --output.file=3.h5 --output.party_dir=mine3
said "run, other seed" 0 2 run run.ini --output.file=other.h5 --run.seed=2
said "run of scaled features" 0 2 run run.ini --output.file=scaled.h5 --features.scale=standard \
    --kernel.type=rq --output.party_dir=scaled
said "diff, the same" 0 1 diff 1.h5 3.h5
said "diff, other draws" 1 1 diff 1.h5 other.h5
said "diff, all other" 1 1 diff 1.h5 scaled.h5
said "diff of a party's files, the same" 0 1 diff mine1/p1.h5 mine3/p1.h5
said "diff of a party's files" 1 1 diff mine1/p1.h5 mine1/p2.h5
said "diff of what is no result" 3 1 diff 1.h5 data.h5

# ---- a party's file in place of the result ----

"$make_input" split data.h5 own
# same_verdict RESULT DIRECTORY PARTY: verify says the same with both, but for the name.
same_verdict()
{
    local taken="^taken from '[^']*'"
    run 1 verify "$1" --party "$3" "own/$3.h5"
    [[ $code -eq 0 ]] && sed "s,$taken,," "$out" >"$logs/whole"
    run 1 verify "$2/$3.h5" --party "$3" "own/$3.h5"
    [[ $code -eq 0 ]] && sed "s,$taken,," "$out" | cmp - "$logs/whole"
}
for party in p1 p2 p3; do
    check "$party: the same with its file" same_verdict 1.h5 mine3 "$party"
    quiet_about "verify $party"
    check "$party: the same with its file, scaled" same_verdict scaled.h5 scaled "$party"
done
check "verify has checked all three rewards" test "$(grep -c '^reward beta' "$out")" -eq 3
said "verify with another party's data" 1 1 verify mine1/p1.h5 --party p1 own/p2.h5
said "verify of another party" 3 1 verify mine1/p1.h5 --party p2 own/p2.h5
said "verify without data" 3 1 verify 1.h5 --party p1 1.h5

# ---- what is wrong with input ----

# broken LABEL REGEX SCRIPT: p2.csv changed by sed is refused so.
broken()
{
    sed -E "$3" p2.csv >bad.csv
    said "import: $1" 3 1 import --out bad.h5 --label-column kind p1.csv bad.csv
    check "import: $1: the message" error_matches "$2"
}
broken "no number" "line 4, column 2.*'many'" '4s/,[^,]*,/,many,/'
broken "missing" 'line 4, column 1.*missing' '4s/^[^,]*//'
broken "infinite" 'line 5, column 2.*infinite' '5s/,[^,]*,/,inf,/'
broken "too many columns" 'line 6.*4 columns' '6s/$/,1/'
broken "a quote" 'bad\.csv' '7s/^/"/'
broken "no header" "column 1 is 'x'.*'\\(a number\\)'" 1d
broken "other separators" 'column 1 is' 's/,/;/g'
broken "another header" "column 2.*'z'" '1s/y/z/'
broken "other separators, no header" "column 1 is 'x'.*'\\(a number\\)'" '1d; s/,/;/g'
sed 1d p1.csv >headless.csv
said "import: label column of no header" 3 1 import --out bad.h5 --label-column kind headless.csv
sed 's/,[^,]*$//; s/,/;/' p1.csv >semicolons.csv
said "import: one column of semicolons" 3 1 import --out bad.h5 semicolons.csv

# The simple inputs hold numbers of a formula.
awk 'BEGIN {
    for (k = 0; k < 300; k++) {
        v = 0.5 + 0.6180339887498949 * k
        printf "%.12f\n%.6f0\n", v - int(v), v - int(v)
    }
}' >good.txt
digits good.txt >patterns
"$make_input" all
for kind in nan inf huge no_data features empty_party one_dimension text integers compound \
    some_labels label_count packed_decreasing packed_names; do
    said "run of $kind" 3 2 run run.ini "--input.parties=$kind.h5" --output.file=bad.h5
done
said "check of nan" 3 1 check run.ini --input.parties=nan.h5
said "run of a party far away" 0 2 run run.ini --input.parties=outlier.h5 --output.file=bad.h5

# ---- modes ----

for mask in 000 077; do
    expected=$([[ $mask == 000 ]] && echo 640 || echo 600)
    umask "$mask"
    run 2 run run.ini "--output.file=mode.$mask.h5" "--output.party_dir=modes.$mask"
    accepted "run under umask $mask"
    run 2 simulate --out "simulated.$mask.h5" --parties 2 --points 3 --candidates 4
    accepted "simulate under umask $mask"
    run 1 import --out "imported.$mask.h5" --label-column kind p1.csv
    accepted "import under umask $mask"
    umask 022
    check "modes of results and data under umask $mask" test \
        "$(mode "mode.$mask.h5" "simulated.$mask.h5" "imported.$mask.h5")" = \
        "$expected $expected $expected "
    check "modes of party files under umask $mask" test \
        "$(mode "modes.$mask" "modes.$mask/p1.h5" "modes.$mask/p2.h5" "modes.$mask/p3.h5")" = \
        '700 600 600 600 '
done

# ---- a failure leaves none of them ----

# directory LENGTH: a new directory whose path is so long.
directory()
{
    local path=deep name
    name=$(printf 'd%.0s' {1..240})
    while ((${#path} + 242 < $1)); do
        path+=/$name
    done
    path+=/${name:0:$1 - ${#path} - 1}
    mkdir -p "$path"
    echo "$path"
}

# A path has 4095 bytes at most: the file of the party with the long name can be there, its
# temporary one cannot.
name=$(printf 'z%.0s' {1..100})
cp p3.csv "$name.csv"
run 1 import --out long.h5 --label-column kind p1.csv p2.csv "$name.csv"
accepted "import of a long name"
deep=$(directory $((4095 - 5 - 104)))
run 3 run run.ini --input.parties=long.h5 --output.file=long.out.h5 "--output.party_dir=$deep"
refused "a party's file that cannot be written" 6 "file 'deep/ddd"
run 3 run run.ini --output.party_dir=undone "--output.file=$deep/$name.h5"
require "exit code $code, not 6" test "$code" -eq 6
verdict "a result that cannot be written"
check "it leaves no party's file" test -z "$(ls undone)"

finish
