# Each command once, on little data: short enough for valgrind.
# checks: 20
. "$(dirname "$0")/lib.sh"

configure input.parties=data.h5 'sampling.inv_temp=1, inf'
run 1 simulate --out data.h5 --parties 3 --points 23 --candidates 60 --test 11 --seed 5
accepted "simulate"
run 1 check run.ini
accepted "check"
for ranks in 1 3; do
    run "$ranks" run run.ini "--output.file=$ranks.h5"
    accepted "run at $ranks ranks"
done
run 1 diff 1.h5 3.h5
accepted "diff" 'the same results'
run 3 run run.ini --output.file=1.h5
accepted "run again" '1\.h5'
run 1 verify 1.h5 --party party1 data.h5
accepted "verify" '^ok'
printf 'x,y,grade\n1,2,A\n3,4,B\n' >one.csv
printf 'x,y,grade\n5,6,B\n' >two.csv
run 1 import --out imported.h5 --label-column grade one.csv two.csv
accepted "import"
run 1 import --out refused.h5 --label-column grade one.csv data.h5
refused "import of no text" 3 'data\.h5'
"$make_input" split data.h5 parties
run 3 run run.ini --input.parties=parties --input.candidates=data.h5 --output.file=split.h5 \
    --shapley.method=quadrature
accepted "run of one file a party"
run 1 diff 1.h5 split.h5
answered "diff of other results" 1 '/'
run 3 run run.ini --input.parties=parties --input.candidates=data.h5 --output.file=stay.h5 \
    --values.exchange=embeddings --values.embedding_features=40 --values.epsilon=4 \
    --kernel.lengthscale=0.4 --metrics.select=mmd2,imbalance
accepted "run of points that stay, under noise" '^results'
for kind in nan nan_candidates some_labels no_data; do
    "$make_input" "$kind" "$kind.h5"
    run 3 run run.ini "--input.parties=$kind.h5" "--output.file=$kind.out.h5"
    refused "$kind" 3 "$kind\\.h5"
done
run 3 run run.ini --output.file=1.h5 --run.seed=2
refused "exists from other options" 6 '1\.h5'
run 1 run run.ini --output.file=nowhere/1.h5
refused "no such directory" 6 'nowhere'
run 1 run run.ini --sampling.inv_temp=-1
refused "out of range" 2 'sampling\.inv_temp'
run 1 --version
accepted "--version" '^cgm'

finish
