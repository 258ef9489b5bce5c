# Input and output that a run refuses: one line that names the fault, the right exit code, no rank
# left waiting, no file left behind or touched.
# without: asan valgrind
. "$(dirname "$0")/lib.sh"

cat >run.ini <<END
[input]
parties = good.h5
[kernel]
lengthscale = 0.5
[reward]
condition = individual
[output]
file = out.h5
[run]
progress = 0
END
"$make_input" good good.h5

# broken KIND REGEX: the run of this kind of file is refused at 1 and 3 ranks.
broken()
{
    "$make_input" "$1" "$1.h5"
    local ranks
    for ranks in 1 3; do
        run "$ranks" run run.ini "--input.parties=$1.h5"
        refused "$1 at $ranks ranks" 3 "$1\\.h5.*$2"
    done
}
broken nan 'p2/data.*row 3.*column 1'
broken inf 'p3/data.*row 0.*column 0'
broken huge 'p1/data.*row 6.*column 1'
broken nan_candidates 'candidates/data.*row 17.*column 0'
broken no_parties 'parties'
broken no_data 'p2'
broken no_candidates 'candidates'
broken features 'p2.*3'
broken candidate_features 'candidates.*3'
broken empty_party 'p2'
broken some_labels 'p2.*labels|labels.*p2'
broken label_count 'p2/labels'
broken label_type 'p2/labels'
broken text 'p2/data'
broken one_dimension 'p2/data'

run 7 run run.ini --input.parties=nan.h5
refused "NaN at more ranks than parties" 3 'nan\.h5.*p2/data.*row 3.*column 1'
run 7 run run.ini --input.parties=nan_candidates.h5
refused "NaN in the pool at more ranks than parties" 3 'row 17.*column 0'
run 3 check run.ini --input.parties=nan.h5
refused "check refuses what run refuses" 3 'nan\.h5.*p2/data.*row 3.*column 1'

for ranks in 1 3; do
    run "$ranks" run run.ini --input.parties=none.h5
    refused "missing file at $ranks ranks" 3 'none\.h5'
    run "$ranks" run run.ini --input.candidates=none.h5
    refused "missing pool at $ranks ranks" 3 'none\.h5'
    run "$ranks" run run.ini --input.parties=run.ini
    refused "not HDF5 at $ranks ranks" 3 'run\.ini.*HDF5'
    run "$ranks" run run.ini --output.file=nowhere/out.h5
    refused "no such directory at $ranks ranks" 6 'nowhere'
done
head -c 3000 good.h5 >cut.h5
run 3 run run.ini --input.parties=cut.h5
refused "half a file" 3 'cut\.h5'

mkdir empty
run 3 run run.ini --input.parties=empty --input.candidates=good.h5
refused "a directory without files" 3 'empty'
"$make_input" split nan.h5 split
run 3 run run.ini --input.parties=split --input.candidates=good.h5
refused "NaN in one file of several" 3 'p2\.h5.*row 3.*column 1'
rm split/*
"$make_input" split features.h5 split
run 3 run run.ini --input.parties=split --input.candidates=good.h5
refused "another number of features in one file of several" 3 'p2'

# An existing file is never replaced unless told.
run 3 run run.ini
accepted "the sound file runs"
kept=$(sha256sum out.h5)
untouched()
{
    [[ $(sha256sum out.h5) == "$kept" ]]
}
for ranks in 1 3; do
    run "$ranks" run run.ini --run.seed=2
    refused "exists from other options at $ranks ranks" 6 'out\.h5'
    check "the other result is untouched" untouched
    "$make_input" other other.h5
    run "$ranks" run run.ini --input.parties=other.h5
    refused "exists from other input at $ranks ranks" 6 'out\.h5'
    check "the other input's result is untouched" untouched
done
cp good.h5 out.h5
kept=$(sha256sum out.h5)
run 3 run run.ini
refused "exists and is no result" 6 'out\.h5'
check "the other file is untouched" untouched
head -c 2000 good.h5 >out.h5
kept=$(sha256sum out.h5)
run 1 run run.ini
refused "exists and is damaged" 6 'out\.h5'
check "the damaged file is untouched" untouched
run 3 run run.ini --output.overwrite=true
accepted "replaced when told"
run 3 run run.ini --output.overwrite=true --output.file=empty
refused "the target is a directory" 6 'empty'
if [[ $(id -u) -ne 0 ]]; then
    chmod a-w empty
    run 3 run run.ini --output.file=empty/out.h5
    refused "read-only directory" 6 'empty'
fi

run 1 diff out.h5 none.h5
refused "diff with a missing file" 3 'none\.h5'
run 1 diff out.h5 good.h5
refused "diff with a file that is no result" 3 'good\.h5'
run 1 simulate --out good.h5
refused "simulate over an existing file" 6 'good\.h5'
run 1 simulate --out nowhere/x.h5
refused "simulate into no directory" 6 'nowhere'

finish
