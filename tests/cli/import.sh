# CSV files to input, a run of it, and a party's check of its reward.
# without: asan valgrind
# checks: 41
. "$(dirname "$0")/lib.sh"

run 1 import --help
accepted "import --help" '--label-column'
run 1 verify --help
accepted "verify --help" '--party'

# Three parties on a curve; the pool is the simulated one of two features.
mkdir csv
for party in 1 2 3; do
    awk -v p="$party" 'BEGIN {
        print "x,kind,\"y\"\"\""
        for (k = 0; k < 40 + p; k++) {
            printf "%.6f,%s,%.6f\r\n", (k + p / 3) / 40, k % 2 ? "low" : "high", (k % 7) / 7
        }
    }' >"csv/p$party.csv"
done
for ranks in 1 2 3; do
    run "$ranks" import "--out=in.$ranks.h5" --label-column kind csv/p1.csv csv/p2.csv csv/p3.csv
    accepted "import at $ranks ranks" "in\\.$ranks\\.h5: 3 parties with 126 points of 2 features"
    check "import at $ranks ranks: labels" grep -Eq "label 1 is 'low'" "$out"
    check "import at $ranks ranks: what is next" grep -q 'input.candidates' "$out"
done
run 1 simulate --out pool.h5 --parties 1 --points 1 --candidates 150
accepted "simulate a pool"
configure input.parties=in.1.h5 input.candidates=pool.h5 'sampling.inv_temp=1, inf'
run 2 run run.ini
accepted "run of imported data"
run 2 run run.ini --input.parties=in.3.h5 --output.file=again.h5
accepted "run of data imported at 3 ranks"
run 1 diff results.h5 again.h5
accepted "import is the same at 3 ranks" 'the same results'
for ranks in 1 3; do
    for party in p1 p2 p3; do
        run "$ranks" verify results.h5 --party "$party" in.1.h5
        accepted "verify $party at $ranks ranks" '^0 of [0-9]+ checks are WRONG'
    done
done
check "verify says what it trusts" grep -Eq 'taken from .results\.h5. on trust' "$out"
"$make_input" split in.1.h5 own
run 1 verify results.h5 --party=p2 own/p2.h5
accepted "verify with the party's own file" '^ok .*checksum'
for ranks in 1 3; do
    run "$ranks" verify results.h5 --party p2 own/p1.h5
    answered "verify with another party's data at $ranks ranks" 1 '^WRONG .*checksum'
done
check "the value is wrong, too" grep -Eq '^WRONG .*value v' "$out"
run 3 verify results.h5 --party p4 in.1.h5
refused "verify of no party" 3 "'p4'.*'p[123]'"
run 1 verify results.h5 --part p1 in.1.h5
refused "verify: typo in an option" 2 'did you mean --party'
run 1 verify results.h5 --party p1
refused "verify without data" 2 'verify RESULT'
run 1 verify in.1.h5 --party p1 in.1.h5
refused "verify of what is no result" 3 'in\.1\.h5'

kept=$(sha256sum in.1.h5)
for ranks in 1 3; do
    run "$ranks" import --out in.1.h5 csv/p1.csv
    refused "import over an existing file at $ranks ranks" 6 'in\.1\.h5'
done
check "the existing file is untouched" test "$(sha256sum in.1.h5)" = "$kept"
run 1 import --out new.h5
refused "import of no file" 2 'PARTY\.csv'
run 1 import csv/p1.csv
refused "import without --out" 2 '--out'
run 3 import --out new.h5 --label-colum kind csv/p1.csv
refused "import: typo in an option" 2 'did you mean --label-column'
run 3 import --out new.h5 csv/p1.csv
refused "text in a feature" 3 "p1\\.csv', line 2, column 2 \\('kind'\\)"
run 3 import --out new.h5 --label-column kind csv/p1.csv own/p1.h5
refused "a file that is no text" 3 'own/p1\.h5'
run 3 import --out new.h5 --label-column kind csv/p1.csv none.csv
refused "a missing file" 3 'none\.csv'
cp csv/p1.csv p1.csv
run 1 import --out new.h5 --label-column kind csv/p1.csv p1.csv
refused "two files of one party" 3 "csv/p1\\.csv' and 'p1\\.csv'"
run 1 import --out nowhere/new.h5 --label-column kind csv/p1.csv
refused "into no directory" 6 'nowhere'

finish
