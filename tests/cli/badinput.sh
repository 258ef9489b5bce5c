# What is refused: one line that names the fault, the right exit code, no rank left waiting, no file
# left behind or touched.
# without: asan valgrind
# timeout: 600
# checks: 169
. "$(dirname "$0")/lib.sh"

"$make_input" all
configure input.parties=good.h5 kernel.lengthscale=0.5 output.file=out.h5

# bad LABEL CODE REGEX ARGUMENT...: refused so at 1 rank and at 3.
bad()
{
    local label=$1 expected=$2 regex=$3 ranks
    shift 3
    for ranks in 1 3; do
        run "$ranks" "$@"
        refused "$label at $ranks ranks" "$expected" "$regex"
    done
}

# option KEY=VALUE REGEX: an override of a sound configuration.
option()
{
    bad "--$1" 2 "$2" run run.ini "--$1"
}

# config NAME REGEX: the file NAME.ini.
config()
{
    bad "configuration $1" 2 "$1\\.ini.*$2" run "$1.ini"
}

# broken KIND REGEX [CODE]: the input KIND.h5.
broken()
{
    bad "input $1" "${3:-3}" "$2" run run.ini "--input.parties=$1.h5"
}

# ---- options ----

option run.sed=1 'run\.sed.*did you mean run\.seed'
option samplin.inv_temp=1 'section.*samplin\.inv_temp.*did you mean sampling\.inv_temp'
option run.seed=many "run\\.seed.*'many'.*accepted"
option reward.strict=perhaps "'perhaps'.*false.*true"
option sampling.patience=1.5 "sampling\\.patience.*'1\\.5'.*<= 1"
option sampling.inv_temp=1,2,1.0 'sampling\.inv_temp.*none twice'
option kernel.lengthscale=0.1,0.2,0.3 'kernel\.lengthscale.*3.*2'
option shapley.semivalue=beta:0.01,1 "shapley\\.semivalue.*'beta:0\\.01,1'.*beta:a,b"
option run.seed 'run\.seed.*no value'
bad "two configurations" 2 'two configurations.*run\.ini.*other\.ini' run run.ini other.ini
bad "missing configuration" 2 'none\.ini.*No such file' run none.ini
bad "simulate: no number" 2 "points.*'many'" simulate --out new.h5 --points many
bad "simulate: out of range" 2 "parties.*'0'" simulate --out new.h5 --parties 0
bad "simulate: unknown word" 2 "split.*'even'.*dirichlet" simulate --out new.h5 --split even
bad "simulate over a file" 6 'good\.h5' simulate --out good.h5
bad "simulate into no directory" 6 'nowhere' simulate --out nowhere/new.h5

# ---- configurations ----

printf '[input]\nparties good.h5\n' >syntax.ini
config syntax 'line 2'
printf '[input]\nparties = good.h5\n[run]\nseed = 1\n[input]\nparties = other.h5\n' >twice.ini
config twice '6.*input\.parties is given twice.*2'
printf 'parties = good.h5\n' >early.ini
config early "line 1.*'parties'.*before any \\[section\\]"
printf '[input]\nparties = %10240d\n' 1 >long.ini
config long 'line 2.*longer'
head -c 3000 good.h5 >binary.ini
config binary 'line 1'
printf '[kernel]\ntype = se\n' >required.ini
config required 'input\.parties'

# ---- input ----

broken nan "'nan\\.h5'.*/parties/p2/data.*row 3, column 1.*NaN"
broken inf "/parties/p3/data.*row 0, column 0.*value is Inf"
broken minus_inf "/parties/p3/data.*row 5, column 1.*value is -Inf"
broken huge "/parties/p1/data.*row 6, column 1.*1e\\+200.*rescale"
broken nan_candidates "/candidates/data.*row 17, column 0.*NaN"
broken no_parties "'no_parties\\.h5'.*neither /parties nor /packed"
broken both_layouts 'both /parties and /packed'
broken no_data "/parties/p2/data': there is no such"
broken no_candidates '/candidates/data.*input\.candidates'
broken features "'p1' has 2 features.*'p2' has 3"
broken candidate_features '/candidates/data.*3 features.*2'
broken empty_party '/parties/p2/data.*no points'
broken empty_pool '/candidates/data.*no points'
broken no_features '/parties/p2/data.*no features'
broken one_dimension '/parties/p2/data.*rank is 1'
broken three_dimensions '/parties/p2/data.*rank is 3'
broken text '/parties/p2/data.*float32 or float64'
broken integers '/parties/p2/data.*float32 or float64'
broken compound '/parties/p2/data.*float32 or float64'
broken impossible '/parties/p2/data.*impossibly large'
broken absurd 'does not fit the file' 3
broken external_link '/parties/p2/data.*external link'
broken external_party '/parties/p2.*external link'
broken loop '/parties/p2/data'
broken some_labels "'p1' has labels.*'p2' has none"
broken label_count '/parties/p2/labels.*4 labels for 5 points'
broken label_type '/parties/p2/labels.*not integer'
broken label_floats '/parties/p2/labels.*not integer'
broken packed_decreasing "/packed/offsets.*row 1.*'b'"
broken packed_short '/packed/offsets.*18.*17'
broken packed_count '/packed/offsets.*3 elements.*one more'
broken packed_names "two parties have the name 'a'"
broken none "'none\\.h5'.*No such file"
bad "no such pool" 3 "'none\\.h5' is no file.*input\\.candidates" \
    run run.ini --input.candidates=none.h5
bad "not HDF5" 3 "'run\\.ini'.*not an HDF5" run run.ini --input.parties=run.ini
head -c 3000 good.h5 >cut.h5
broken cut "'cut\\.h5'.*damaged"
mkdir empty
bad "directory without parties" 3 "'empty'.*no parties" \
    run run.ini --input.parties=empty --input.candidates=good.h5

# files KIND: one file a party in the directory files.KIND.
files()
{
    "$make_input" split "$1.h5" "files.$1"
}
files nan
bad "NaN in one file of several" 3 'p2\.h5.*row 3, column 1' \
    run run.ini --input.parties=files.nan --input.candidates=good.h5
files features
bad "other features in one file of several" 3 "'p1' has 2 features.*'p2' has 3" \
    run run.ini --input.parties=files.features --input.candidates=good.h5
files good
bad "a directory, but no pool" 3 "'files\\.good'.*input\\.candidates" \
    run run.ini --input.parties=files.good
cp files.good/p1.h5 files.good/p1.hdf5
bad "two files of one party" 3 "two parties have the name 'p1'.*p1\\.h5.*p1\\.hdf5" \
    run run.ini --input.parties=files.good --input.candidates=good.h5
cp good.h5 files.good/p1.h5
rm files.good/p1.hdf5
bad "all parties in one file of several" 3 'files\.good/p1\.h5' \
    run run.ini --input.parties=files.good --input.candidates=good.h5
cp good.h5 unreadable.h5
chmod a-r unreadable.h5
if [[ -r unreadable.h5 ]]; then
    # Root may read every file: without these capabilities it is a user like any other.
    WRAPPER="setpriv --bounding-set=-dac_override,-dac_read_search"
fi
broken unreadable "'unreadable\\.h5'.*permissions"
WRAPPER=

# ---- more ranks than parties, and check ----

run 7 run run.ini --input.parties=nan.h5
refused "NaN at more ranks than parties" 3 'nan\.h5.*p2/data.*row 3.*column 1'
run 7 run run.ini --input.parties=nan_candidates.h5
refused "NaN in the pool at more ranks than parties" 3 'row 17.*column 0'
run 3 check run.ini --input.parties=nan.h5
refused "check refuses what run refuses" 3 'nan\.h5.*p2/data.*row 3.*column 1'

# ---- CSV ----

printf 'x,y\n1,2\n3,4\n' >good.csv
# csv NAME CONTENT REGEX
csv()
{
    # shellcheck disable=SC2059 # the content has escapes
    printf "$2" >"$1.csv"
    bad "CSV: $1" 3 "$3" import --out new.h5 good.csv "$1.csv"
}
csv text 'x,y\n1,2\n3,four\n' "text\\.csv', line 3, column 2.*'four'"
csv missing 'x,y\n1,2\n,4\n' "missing\\.csv', line 3, column 1"
csv ragged 'x,y\n1,2\n3,4,5\n' "ragged\\.csv', line 3.*3 columns.*2"
csv header 'x,z\n1,2\n' "column 2 is 'y'.*'z'|column 2 is 'z'.*'y'"
csv empty '' "empty\\.csv' is empty"

# ---- output ----

bad "no such directory" 6 'nowhere.*No such file' run run.ini --output.file=nowhere/out.h5
bad "output is a directory" 6 "'empty'.*not a file" run run.ini --output.file=empty
bad "output is the input" 6 "'good\\.h5' is the input" run run.ini --output.file=good.h5
if [[ $(id -u) -ne 0 ]]; then
    chmod a-w empty
    bad "read-only directory" 6 'empty' run run.ini --output.file=empty/out.h5
fi
run 3 run run.ini
accepted "the sound file runs"
cp good.h5 input.h5
run 3 run run.ini --input.parties=input.h5 --output.file=changed.h5
accepted "a copy of it runs"
cp other.h5 input.h5
bad "exists from other options" 6 "'out\\.h5' exists.*seed = 1.*seed = 2" \
    run run.ini --run.seed=2
bad "exists from other input" 6 "'changed\\.h5' exists.*other input" \
    run run.ini --input.parties=input.h5 --output.file=changed.h5
bad "exists and is no result" 6 "'other\\.h5' exists.*not a result" \
    run run.ini --output.file=other.h5
bad "exists and is damaged" 6 "'cut\\.h5' exists.*not a result" run run.ini --output.file=cut.h5
run 3 run run.ini --output.file=cut.h5 --output.overwrite=true
accepted "replaced when told"
bad "diff with a missing file" 3 "'none\\.h5'.*No such file" diff out.h5 none.h5
bad "diff with no result" 3 "'good\\.h5'" diff out.h5 good.h5

# ---- what cannot be computed ----

bad "strict and infeasible" 5 "reward\\.condition = individual.*'p2'.*reward\\.strict" \
    run run.ini --input.parties=far_pool.h5 --output.file=new.h5 --reward.strict=true
run 1 simulate --out 21.h5 --parties 21 --points 2 --candidates 20
accepted "21 parties"
bad "enumerate 21 parties" 2 'shapley\.method = enumerate.*20 parties.*21' \
    run run.ini --input.parties=21.h5 --output.file=new.h5 --shapley.method=enumerate

finish
