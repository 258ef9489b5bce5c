# A result that is already there, whole and of the same options and input, is said to be and kept.
# without: valgrind
# checks: 11
. "$(dirname "$0")/lib.sh"

"$make_input" good good.h5
configure input.parties=good.h5 kernel.lengthscale=0.5 output.file=out.h5
run 3 run run.ini
accepted "first run"
check "it wrote the result" test -s out.h5
check "and nothing else" test "$(ls)" = "$(printf 'good.h5\nout.h5\nrun.ini')"
kept=$(sha256sum out.h5)
untouched()
{
    [[ $(sha256sum out.h5) == "$kept" ]]
}
run 3 run run.ini
accepted "again" 'out\.h5'
check "the file is untouched" untouched
run 1 run run.ini
accepted "again at another number of ranks" 'out\.h5'
check "the file is untouched at another number of ranks" untouched
run 1 run run.ini --run.progress=3 --output.overwrite=false
accepted "again with options that change no result" 'out\.h5'
check "the file is untouched by such options" untouched
run 3 run run.ini --output.overwrite=true
accepted "overwritten when told"

# single precision data are exact doubles once read, so that they are other data and another file
"$make_input" float32 float32.h5
run 3 run run.ini --input.parties=float32.h5 --output.file=float32.out.h5
accepted "float32 runs"

finish
