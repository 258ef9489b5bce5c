#!/usr/bin/env bash
# What make install and make deb put on a machine: it is all there, it works from there, and it is
# gone when it is removed. Called by make check-install, which builds the package.
#
# Environment: BUILD (build), MPI (openmpi), MPIRUN. Only root can install the package; others
# unpack it into a directory.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=config/mpi.sh
. config/mpi.sh

mpi_choose
mpi_environment 2
build=$(realpath "${BUILD:-build}")
mpi=${MPI:-openmpi}
version=$(sed -n 's/^VERSION = //p' Makefile)
package=$(echo "$build"/cgm_"${version}"_*.deb)
work=$build/install
log=$work/log
prefix=/opt/cgm-$version
# All checks below: fewer are a failure.
PLAN=47
n_passed=0
n_failed=0
rm -rf "$work"
mkdir -p "$work"
export MANWIDTH=100 LC_ALL=C.UTF-8

# check LABEL COMMAND...
check()
{
    local label=$1
    shift
    if "$@" >"$log" 2>&1; then
        n_passed=$((n_passed + 1))
        echo "ok   $label"
    else
        n_failed=$((n_failed + 1))
        echo "FAIL $label: $*"
        tail -n 20 "$log" | sed 's/^/    /'
    fi
}

# silent COMMAND...: succeeds and says nothing.
silent()
{
    local said
    said=$("$@" 2>&1) && [[ -z $said ]] || { echo "$said" && false; }
}

says()
{
    local regex=$1
    shift
    "$@" 2>&1 | tee "$log.said" | grep -E -- "$regex" || { cat "$log.said" && false; }
}

# on_two_ranks DIRECTORY CGM SHARE: simulates and runs there, as the installed configuration says.
on_two_ranks()
{
    local share=$3
    (
        set -e
        rm -rf "$1"
        mkdir -p "$1/build/demo"
        cd "$1"
        "$2" simulate --out build/demo/creditratings.h5 --points 50 --candidates 2000
        "$MPIRUN" -n 2 "$2" run "$share/config/creditratings.ini" --reward.condition=individual
        "$2" report build/demo/results.h5 | grep -E '^party5'
    )
}

# ---- make install ----

target=$work/root$prefix
make_install()
{
    make --silent BUILD="$build" MPI="$mpi" PREFIX="$prefix" DESTDIR="$work/root" "$@"
}

check "make install" make_install install
for file in bin/cgm share/man/man1/cgm.1 share/doc/cgm/README.md share/doc/cgm/LICENSE \
    share/cgm/config/creditratings.ini share/cgm/config/party_files.ini \
    share/cgm/jobs/run.sbatch "share/cgm/modulefiles/cgm/$version.lua"; do
    check "$file is installed" test -s "$target/$file"
done
nothing_unfilled()
{
    ! grep -rnE '@[A-Z]+@' "$target/share/cgm" "$target/share/man"
}
check "no place is left open" nothing_unfilled
check "nobody else may write" silent find "$target" -perm /022 -type f
check "a run where it was installed" on_two_ranks "$work/run" "$target/bin/cgm" "$target/share/cgm"
job=$target/share/cgm/jobs/run.sbatch
check "a job script names the program" grep -qF "$prefix/bin/cgm" "$job"
check "it parses" silent bash -n "$job"

# ---- the manual page ----

page=$target/share/man/man1/cgm.1
check "groff has no warnings" silent groff -man -ww -z -Tutf8 "$page"
man_warnings()
{
    man --warnings -E UTF-8 -l "$page" >"$work/page"
}
check "man has no warnings" silent man_warnings
check "a name for whatis" says '"cgm - .*rewards' lexgrog "$page"

# in_page REGEX NAME...: lines like that are there for all names, of which there are some.
in_page()
{
    local regex=$1 name
    shift
    [[ $# -gt 0 ]] || return 1
    for name in "$@"; do
        grep -Eq "^ *${regex/NAME/$name}" "$work/page" || { echo "no $name" && return 1; }
    done
}

cgm=$target/bin/cgm
# shellcheck disable=SC2207 # one word each
{
    commands=($("$cgm" --help | sed -nE 's/^  cgm ([a-z]+) .*/\1/p'))
    options=($("$cgm" run --help | sed -nE 's/^  ([a-z_.]+) +default .*/\1/p'))
    codes=($("$cgm" --help | sed -n '/^Exit codes/,$p' | grep -oE '\b[0-9]+ ' || true))
}
check "all commands" in_page 'cgm NAME ' "${commands[@]}"
check "all options" in_page 'NAME( |$)' "${options[@]}"
check "all exit codes" in_page 'NAME +[a-z]' "${codes[@]}"
check "as many as there are" test "${#commands[@]} ${#codes[@]}" = "8 9"
check "more than forty options" test "${#options[@]}" -gt 40
check "files" in_page 'NAME' FILES ENVIRONMENT SIGNALS EXAMPLES "$prefix/share/cgm/jobs"

# ---- the modulefile ----

# The module leads into the root of make install.
sed "s|$prefix|$target|" "$target/share/cgm/modulefiles/cgm/$version.lua" >"$work/lua"
mkdir -p "$work/modules/cgm"
mv "$work/lua" "$work/modules/cgm/$version.lua"
# in_module COMMANDS: what a shell says that has loaded the module.
in_module()
{
    # shellcheck disable=SC2016 # expanded by the inner shell
    env -u MODULEPATH bash -c 'set -e; shopt -s expand_aliases; . /usr/share/lmod/lmod/init/bash
        module use "$1"; module load cgm; eval "$2"' bash "$work/modules" "$1" 2>&1
}
check "module: the program" says "^$target/bin/cgm$" in_module 'command -v cgm'
check "module: it runs" says "^cgm $version" in_module 'cgm --version'
check "module: its page" says "^$page$" in_module 'man -w cgm'
# An empty part of the path stands for all others.
check "module: other pages" says '^man:.*(::|:$)' in_module 'echo "man:$MANPATH"'
check "module: files" says "creditratings.ini" in_module 'ls $CGM_SHARE/config'
check "module: help" says 'mpirun -n 5 cgm run' in_module 'module help cgm'
check "module: version" says "Version.*$version" in_module 'module whatis cgm'
# shellcheck disable=SC2016 # expanded by the inner shell
check "module: unloaded" says '^none$' in_module \
    'module unload cgm; command -v cgm || echo "${CGM_SHARE:-none}"'

# ---- the Spack recipe ----

check "spack: python" python3 -m py_compile config/spack/package.py
rm -rf config/spack/__pycache__
recipe_fits()
{
    local name
    for name in $(grep -oE '"[A-Z][A-Z0-9_]+=' config/spack/package.py | tr -d '"=') \
        HDF5_CFLAGS BLAS_CFLAGS GLPK_CFLAGS; do
        grep -qE "^$name =|pkg_config,$name," Makefile || { echo "no variable $name" && return 1; }
    done
    # Every library of the Makefile is given.
    for name in $(sed -n 's/^LIBRARIES = //p' Makefile); do
        grep -qE "\"${name}(_CFLAGS|_LIBS)?[\"=]" config/spack/package.py ||
            { echo "no library $name" && return 1; }
    done
    grep -q "version(\"$version\"" config/spack/package.py
}
check "spack: variables and version of the Makefile" recipe_fits

check "make uninstall" make_install uninstall
check "nothing is left" silent find "$work/root" -type f
check "no directory of its own is left" silent find "$work/root" -name 'cgm'

# ---- the Debian package ----

check "lintian" lintian --fail-on error,warning "$package"
depends_on_libraries()
{
    local library
    for library in libc6 libhdf5 libscalapack libglpk libinih libcsv libsvm; do
        says "^ Depends:.*\\b$library" dpkg-deb -I "$package" || { echo "$library" && return 1; }
    done
}
check "package: depends on libraries" depends_on_libraries
launcher=openmpi-bin
[[ $mpi == openmpi ]] || launcher=$mpi
check "package: depends on the launcher" says "^ Depends:.*\\b$launcher\\b" dpkg-deb -I "$package"

# left_of FILE: the names in it that are still there.
left_of()
{
    local name
    while read -r name; do
        [[ ! -e $name ]] || echo "$name"
    done <"$1"
}

# in_debian DIRECTORY: checks of what the package put there.
in_debian()
{
    check "package: --version" says "^cgm $version" "$1/usr/bin/cgm" --version
    check "package: a run" on_two_ranks "$work/run" "$1/usr/bin/cgm" "$1/usr/share/cgm"
    check "package: the page" says '^CGM\(1\)' man -M "$1/usr/share/man" cgm
    check "package: license and changes" test -s "$1/usr/share/doc/cgm/copyright" -a \
        -s "$1/usr/share/doc/cgm/changelog.gz"
}

if [[ $(id -u) -ne 0 ]]; then
    check "package: unpacked" dpkg-deb -x "$package" "$work/debian"
    in_debian "$work/debian"
    PLAN=$((PLAN - 2))
elif dpkg -s cgm >/dev/null 2>&1; then
    check "package: another cgm is installed here, dpkg -r cgm first" false
else
    check "package: dpkg -i" dpkg -i "$package"
    check "package: the one on PATH" says '^/usr/bin/cgm$' command -v cgm
    in_debian ""
    dpkg -L cgm | grep -E '/cgm' >"$work/files"
    check "package: dpkg -P" dpkg -P cgm
    check "package: nothing is left" silent left_of "$work/files"
fi

if [[ $((n_passed + n_failed)) -ne $PLAN ]]; then
    echo "$((n_passed + n_failed)) of $PLAN checks ran"
    n_failed=$((n_failed + 1))
fi
echo "$n_passed passed, $n_failed failed"
[[ $n_failed -eq 0 ]]
