# The inputs that the fuzz targets begin with, each through its reader once.
# without: valgrind
# checks: 9
. "$(dirname "$0")/lib.sh"

sources=$OLDPWD/tests/fuzz
for target in "$BUILD_DIRECTORY"/tests/fuzz/fuzz_*; do
    [[ -x $target && -f $target ]] || continue
    name=${target##*/fuzz_}
    inputs=("$sources/corpus/$name"/*)
    command_line="$target ${inputs[*]}"
    code=0
    OMPI_MCA_ess_singleton_isolated=1 timeout -k 10 "$limit" "$target" "${inputs[@]}" >"$out" \
        2>"$err" </dev/null || code=$?
    check "the corpus of $name" test "$code" -eq 0
    check "all of it" grep -q "^${#inputs[@]} passed, 0 failed" "$err"
done
check "as many targets as sources" test "$((n_passed + n_failed))" -eq \
    $((2 * $(find "$sources" -name 'fuzz_*.c' | wc -l)))

finish
