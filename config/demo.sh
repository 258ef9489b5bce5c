#!/usr/bin/env bash
# make demo: simulates the paper's credit ratings and runs them on 5 ranks, one a party, or
# with MPICH on one a core at most.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=config/mpi.sh
. config/mpi.sh

build=${1:-build}
mpi_choose
ranks=$((MOST_RANKS < 5 ? MOST_RANKS : 5))
data=$build/demo/creditratings.h5
mkdir -p "$build/demo"
rm -f "$data"

settings=$(env | sort)
mpi_environment $ranks
comm -13 <(echo "$settings") <(env | sort) | sed 's/^/export /'

show_and_run()
{
    echo "\$ $*"
    "$@"
}
show_and_run "$MPIRUN" -n 1 "$build/cgm" simulate --out "$data"
show_and_run "$MPIRUN" -n $ranks "$build/cgm" run config/creditratings.ini \
    --output.overwrite=true

result=$(sed -n '/^\[output\]/,/^\[/s/^file *= *//p' config/creditratings.ini)
page=${result%.h5}.html
rm -f "$page"
show_and_run "$build/cgm" report "$result" --html "$page"
echo
echo "The results are in $result: h5dump -n $result lists them, README.md explains them."
echo "To look at them, open $page in a browser."
