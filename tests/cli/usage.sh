# Help, version and what is said of a command line or configuration that is not accepted.
# without: asan valgrind
# checks: 94
. "$(dirname "$0")/lib.sh"

# Direct, without mpirun, is one rank.
command_line="$cgm --help"
code=0
# shellcheck disable=SC2086
$WRAPPER "$cgm" --help >"$out" 2>"$err" || code=$?
accepted "--help without mpirun" '^usage: cgm '

run 3 --help
accepted "--help" '^usage: cgm '
check "--help speaks once" test "$(grep -c '^usage:' "$out")" -eq 1
for command in run check simulate generate diff report; do
    check "--help names $command" grep -Eq "cgm $command " "$out"
done
for command in run check simulate generate diff report; do
    run 1 "$command" --help
    accepted "$command --help" "usage: cgm $command"
done
run 1 run --help
keys='input.parties input.candidates generator.type generator.size generator.components
    kernel.type kernel.lengthscale shapley.method shapley.semivalue shapley.tolerance
    reward.condition reward.strict sampling.inv_temp
    sampling.patience output.file output.overwrite run.seed run.progress'
for key in $keys; do
    check "run --help names $key" grep -Fq "$key" "$out"
done
run 1 simulate --help
for option in out parties points features classes candidates split alpha sizes test seed; do
    check "simulate --help names --$option" grep -Fq -- "--$option" "$out"
done
run 3 --version
accepted "--version" '^cgm [0-9]+\.[0-9]+'
for word in git compiler flags MPI BLAS ScaLAPACK HDF5 GLPK LIBSVM; do
    check "--version tells $word" grep -q "$word.*[^ :]" "$out"
done
# Kernels of other sets are there on this kind of processor alone.
sets=portable
! grep -qw avx2 /proc/cpuinfo || sets='portable avx2'
check "--version tells the instruction sets" grep -q "instruction sets: $sets" "$out"

run 1
refused "no command" 2 'command'
run 3 runn config.ini
refused "unknown command" 2 "'runn'.*\brun\b"
run 1 run
refused "no configuration" 2 'configuration'
run 3 run none.ini
refused "missing configuration" 2 'none\.ini'
run 1 diff one.h5
refused "diff of one file" 2 ''
run 1 simulate
refused "simulate without --out" 2 'out'
run 1 simulate --out x.h5 --partys 3
refused "typo in an option of simulate" 2 'partys.*parties'
run 1 simulate --out x.h5 --parties 0
refused "no parties" 2 'parties'
run 1 simulate --out x.h5 --points many
refused "a number that is none" 2 'points.*many'
run 1 simulate --out x.h5 --split even
refused "unknown split" 2 'split.*equaldisjoint'

"$make_input" good good.h5
cat >good.ini <<END
[input]
parties = good.h5
[output]
file = never.h5
END
run 3 run good.ini --sampling.inv_tmp=1
refused "typo in a key" 2 'sampling\.inv_tmp.*sampling\.inv_temp'
run 1 run good.ini --samplin.inv_temp=1
refused "typo in a section" 2 'sampling'
for setting in sampling.inv_temp=-1 sampling.inv_temp=nan sampling.inv_temp=1,1 \
    sampling.inv_temp= sampling.patience=0 sampling.patience=1.5 shapley.tolerance=-1 \
    shapley.method=guess shapley.semivalue=none kernel.type=linear kernel.lengthscale=0 \
    kernel.lengthscale=-1 kernel.lengthscale=inf reward.condition=fair output.overwrite=maybe \
    values.epsilon=0 values.epsilon=-1 values.epsilon=1 values.delta=0 values.delta=1 \
    run.seed=-1 run.seed=1.5 run.seed=99999999999999999999 run.progress=-1 input.parties=; do
    run 1 run good.ini "--$setting"
    refused "$setting" 2 "${setting%%=*}"
done
run 1 run good.ini --run.seed
refused "no value" 2 'run\.seed'
run 1 run good.ini stray
refused "a second configuration" 2 'stray'

printf '[input]\nparties = good.h5\n[sampling]\npatience = 7\n' >range.ini
run 3 run range.ini
refused "out of range in a file: file and line" 2 'range\.ini.*4.*sampling\.patience'
printf '[input]\npartis = good.h5\n' >typo.ini
run 1 run typo.ini
refused "unknown key in a file: file, line, nearest" 2 'typo\.ini.*2.*input\.parties'
printf '[input]\nparties good.h5\n' >syntax.ini
run 1 run syntax.ini
refused "a line that is none: file and line" 2 'syntax\.ini.*2'
printf '[kernel]\ntype = se\n' >required.ini
run 1 run required.ini
refused "no input.parties" 2 'input\.parties'
run 1 check typo.ini
refused "check says the same" 2 'typo\.ini.*2.*input\.parties'

finish
