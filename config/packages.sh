#!/usr/bin/env bash
# Sees to it that what a build needs is there: config/packages.sh GROUP ..., of the groups below.
# With build comes the MPI that the variable MPI names, openmpi or mpich.
# Missing packages are installed with apt-get where root or sudo without a password allows it;
# otherwise they are named and the exit code is 1. Nothing is missing: silent.
#
# A line: group, package, how to look for it, what to look for, the Makefile variable which, when
# given by the user (say, for a cluster's modules), replaces the package.
set -euo pipefail

needs='
build gcc                      command   gcc
build libc6-dev                header    stdlib.h
build pkg-config               command   pkg-config          PKG_CONFIG
openmpi openmpi-bin            command   mpirun              MPIRUN
openmpi libopenmpi-dev         command   mpicc
openmpi libhdf5-openmpi-dev    pkgconfig hdf5-openmpi        HDF5_LIBS
openmpi libscalapack-openmpi-dev pkgconfig scalapack-openmpi SCALAPACK_LIBS
mpich mpich                    command   mpirun.mpich        MPIRUN
mpich libmpich-dev             command   mpicc.mpich
mpich libhdf5-mpich-dev        pkgconfig hdf5-mpich          HDF5_LIBS
mpich libscalapack-mpich-dev   pkgconfig scalapack-mpich     SCALAPACK_LIBS
build libopenblas-dev          pkgconfig openblas            BLAS_LIBS
build libglpk-dev              header    glpk.h              GLPK_LIBS
build libinih-dev              pkgconfig inih                INIH_LIBS
build libcsv-dev               header    csv.h               CSV_LIBS
build libsvm-dev               header    libsvm/svm.h        SVM_LIBS
build librandom123-dev         header    Random123/philox.h  RANDOM123_CFLAGS
test  libcmocka-dev            pkgconfig cmocka              CMOCKA_LIBS
test  strace                   command   strace
test  gnuplot-nox              command   gnuplot
test  jq                       command   jq
test  libxml2-utils            command   xmllint
demo  gnuplot-nox              command   gnuplot
slurm munge                    command   munged
slurm slurmctld                command   slurmctld
slurm slurmd                   command   slurmd
slurm slurm-client             command   sbatch
slurm iproute2                 command   ip
slurm jq                       command   jq
hosts openssh-server           command   sshd
hosts openssh-client           command   ssh
hosts iproute2                 command   ip
hosts jq                       command   jq
check clang-format             command   clang-format        CLANG_FORMAT
check clang-tidy               command   clang-tidy          CLANG_TIDY
check cppcheck                 command   cppcheck            CPPCHECK
check shellcheck               command   shellcheck
check valgrind                 command   valgrind            VALGRIND
clang clang                    command   clang               CLANG
clang libomp-dev               openmp    clang               CLANG
deb   dpkg-dev                 command   dpkg-shlibdeps
deb   fakeroot                 command   fakeroot
deb   lintian                  command   lintian
deb   man-db                   command   man
deb   groff-base               command   groff
deb   lmod                     file      /usr/share/lmod
simulate libsimgrid-dev        command   smpicc              SMPICC
simulate gnuplot-nox           command   gnuplot
simulate jq                    command   jq
fuzz  clang                    command   clang               CLANG
fuzz  libclang-rt-dev          fuzzer    clang               CLANG
fuzz  libomp-dev               openmp    clang               CLANG
fuzz  llvm                     command   llvm-symbolizer
'

is_there()
{
    local kind=$1 what=$2
    case $kind in
    command) command -v "$what" >/dev/null ;;
    file) [[ -e $what ]] ;;
    pkgconfig) "${PKG_CONFIG:-pkg-config}" --exists "$what" 2>/dev/null ;;
    fuzzer) echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' |
        "$what" -fsanitize=fuzzer,address,undefined -x c -o /dev/null - 2>/dev/null ;;
    openmp) echo 'int main(void) { return 0; }' |
        "$what" -fopenmp -include omp.h -x c -o /dev/null - 2>/dev/null ;;
    header) echo "#include <$what>" | gcc -E -x c -o /dev/null - 2>/dev/null ;;
    esac
}

# Names of the packages of the given groups that are not there, one a line.
missing_packages()
{
    local group package kind what variable
    while read -r group package kind what variable; do
        if [[ " $* " != *" $group "* || (-n $variable && -n ${!variable:-}) ]]; then
            continue
        fi
        is_there "$kind" "$what" || echo "$package"
    done < <(grep . <<<"$needs")
}

groups=("$@")
[[ " $* " != *" build "* ]] || groups+=("${MPI:-openmpi}")
missing=$(missing_packages "${groups[@]}" | sort -u | tr '\n' ' ')
if [[ -z $missing ]]; then
    exit 0
fi

as_root=()
if [[ $(id -u) -ne 0 ]]; then
    as_root=(sudo -n)
fi
if ! command -v apt-get >/dev/null || ! "${as_root[@]}" true 2>/dev/null; then
    cat >&2 <<END
Missing, by the names of Debian's packages: $missing
Install them (sudo apt-get install $missing),
or load your cluster's modules for them and give make the variables that \`make info\` lists.
END
    exit 1
fi

echo "installing: $missing"
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
"${apt[@]}" update
# shellcheck disable=SC2086 # one word a package
"${apt[@]}" install -y --no-install-recommends $missing
missing=$(missing_packages "${groups[@]}" | sort -u | tr '\n' ' ')
if [[ -n $missing ]]; then
    echo "still missing after installation: $missing" >&2
    exit 1
fi
