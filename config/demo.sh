#!/usr/bin/env bash
# make demo: simulates the paper's credit ratings and runs them on 5 ranks, one a party.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=config/mpi.sh
. config/mpi.sh

build=${1:-build}
ranks=5
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
show_and_run "${MPIRUN:-mpirun}" -n 1 "$build/cgm" simulate --out "$data"
show_and_run "${MPIRUN:-mpirun}" -n $ranks "$build/cgm" run config/creditratings.ini \
    --output.overwrite=true

result=$(sed -n '/^\[output\]/,/^\[/s/^file *= *//p' config/creditratings.ini)
page=${result%.h5}.html
rm -f "$page"
show_and_run "$build/cgm" report "$result" --html "$page"
echo
echo "The results are in $result: h5dump -n $result lists them, README.md explains them."
echo "To look at them, open $page in a browser."
