# Sourced by slurm.sh and hosts.sh: machines of a cluster, each a network namespace with a host name
# and /dev/shm of its own, on one bridge; they share the files, as nodes of a cluster do.
#
# All of it lives in namespaces of processes, mounts and networks that begin and end with the
# script: when its first process is gone, by whatever, so is everything that it started.
set -euo pipefail

: "${BUILD:=build}"
suite=$(basename "$0" .sh)
work=$PWD/$BUILD/tests/$suite
verdicts=$work/verdicts
cgm=$PWD/$BUILD/cgm

# ---- outside ----

# needs COMMAND...: stops with one line where the suite cannot run.
needs()
{
    local command missing=
    if [[ $(id -u) -ne 0 ]]; then
        echo "make check-$suite makes network namespaces: it must be run as root" >&2
        exit 1
    fi
    for command in "$@"; do
        [[ -n $(command -v "$command") ]] || missing+=" $command"
    done
    if [[ -n $missing ]]; then
        echo "make check-$suite needs, and this machine has not:$missing" >&2
        exit 1
    fi
    if ! unshare --net --mount --pid --uts --ipc --fork mount --make-rprivate / 2>/dev/null; then
        echo "make check-$suite: the kernel refuses namespaces to root here (in a container: give" \
            "it the capabilities SYS_ADMIN and NET_ADMIN)" >&2
        exit 1
    fi
}

# What a suite could leave behind: processes that have its mark, but for this script's own tools.
leftovers()
{
    local file
    for file in $(grep -lz "^CGM_CLUSTER=$CGM_CLUSTER\$" /proc/[0-9]*/environ 2>/dev/null); do
        sed -E '/^(bash|grep|sed)$/d; s/^/process /' "${file%environ}comm" 2>/dev/null || true
    done
    awk '{ print "mount " $5 }' /proc/self/mountinfo | sort
    ip -o link show | sed -E 's/^[0-9]+: ([^:@]+).*/link \1/' | sort
    ls /run/netns 2>/dev/null | sed 's/^/namespace /' || true
}

# enclose PLAN: runs the script again inside, and counts what it says against the plan.
enclose()
{
    local plan=$1 code=0 inside good bad
    rm -rf "$work"
    mkdir -p "$work"
    : >"$verdicts"
    export CGM_CLUSTER=$suite.$$
    leftovers >"$work/before"
    trap 'kill -KILL "$inside" 2>/dev/null || true; exit 143' INT TERM HUP
    CGM_INSIDE=yes unshare --net --mount --pid --uts --ipc --fork --kill-child \
        bash "$0" </dev/null &
    inside=$!
    wait "$inside" || code=$?
    trap - INT TERM HUP
    [[ $code -eq 0 ]] || echo "exit code $code inside"
    leftovers >"$work/after"
    check "no process, mount, link or namespace is left" diff "$work/before" "$work/after"
    good=$(grep -c '^ok ' "$verdicts" || true)
    bad=$(grep -c '^FAIL ' "$verdicts" || true)
    if [[ $((good + bad)) -ne $plan ]]; then
        echo "$((good + bad)) of $plan checks ran"
        bad=$((good + bad < plan ? plan - good : bad + 1))
    fi
    echo "$good passed, $bad failed"
    [[ $bad -eq 0 && $code -eq 0 ]]
}

# ---- inside ----

nodes=(node1 node2 node3)
declare -A node_pid
started=() # pids to end

# begin_inside: from here on the machine is the head of a cluster.
begin_inside()
{
    mount --make-rprivate /
    mount -t proc proc /proc
    mount -t tmpfs tmpfs /run
    mkdir -p /run/cgm
    hostname head
    {
        echo '127.0.0.1 localhost'
        echo '10.77.0.10 head'
        for k in 1 2 3; do echo "10.77.0.1$k node$k"; done
    } >/run/cgm/hosts
    mount --bind /run/cgm/hosts /etc/hosts
    ip link set lo up
    ip link add bridge0 type bridge
    ip addr add 10.77.0.10/24 dev bridge0
    ip link set bridge0 up
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    export OMPI_MCA_btl_vader_single_copy_mechanism=none OMPI_MCA_hwloc_base_binding_policy=none
    # All nodes together have the cores of one machine.
    export OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_rmaps_base_oversubscribe=1
    export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 OMP_WAIT_POLICY=passive
    trap end_inside EXIT
    for node in "${nodes[@]}"; do
        add_node "$node"
    done
}

# on NODE COMMAND...
on()
{
    nsenter -t "${node_pid[$1]}" --net --uts --mount --wd="$PWD" -- "${@:2}"
}

add_node()
{
    local address
    address=$(awk -v node="$1" '$2 == node { print $1 }' /run/cgm/hosts)
    unshare --net --uts --mount sleep infinity &
    node_pid[$1]=$!
    started+=($!)
    # The namespaces are there as soon as the command that stays in them is.
    until [[ $(cat "/proc/${node_pid[$1]}/comm") == sleep ]]; do sleep 0.02; done
    ip link add "$1" type veth peer name eth0 netns "${node_pid[$1]}"
    ip link set "$1" master bridge0 up
    on "$1" hostname "$1"
    on "$1" mount -t tmpfs tmpfs /dev/shm
    on "$1" ip link set lo up
    on "$1" ip addr add "$address/24" dev eth0
    on "$1" ip link set eth0 up
}

cut_link()
{
    ip link set "$1" down
}

join_link()
{
    ip link set "$1" up
}

# processes: of this cluster but the script's own, one a line, as pid and command.
processes()
{
    local file pid
    for file in /proc/[0-9]*/stat; do
        pid=${file#/proc/}
        pid=${pid%/stat}
        [[ $pid -ne 1 && $pid -ne $BASHPID && $pid -ne $$ ]] || continue
        sed -nE "s/^([0-9]+) \((.*)\) ([^Z]) .*/\1 \2/p" "$file" 2>/dev/null || true
    done
}

# programs [PATTERN]: pids of cgm whose environment has such a line.
programs()
{
    local pid name
    while read -r pid name; do
        [[ $name == cgm ]] || continue
        [[ -z ${1:-} ]] || grep -qzE -- "$1" "/proc/$pid/environ" 2>/dev/null || continue
        echo "$pid"
    done < <(processes)
}

no_program_left()
{
    within 15 no_program "$@"
}
no_program()
{
    [[ -z $(programs "$@") ]]
}

# Ends everything by its pid, the daemons first, so that they can end what is theirs.
end_inside()
{
    local code=$? pid name round
    trap - EXIT
    declare -F stop_daemons >/dev/null && stop_daemons || true
    for ((round = 0; round < 50; round++)); do
        while read -r pid name; do
            [[ $name =~ ^(sed|bash)$ ]] ||
                kill "-$([[ $round -lt 20 ]] && echo TERM || echo KILL)" "$pid" 2>/dev/null || true
        done < <(processes)
        [[ -n $(processes | grep -vE ' (sed|bash)$') ]] || break
        sleep 0.1
    done
    check "everything inside has ended" no_process_inside
    exit "$code"
}
no_process_inside()
{
    local left
    left=$(processes | grep -vE ' (sed|grep|bash)$' || true)
    [[ -z $left ]] || {
        echo "$left"
        return 1
    }
}

# ---- verdicts ----

begun=$SECONDS

# check LABEL COMMAND...: passes if the command does; its output is shown if not.
check()
{
    local label=$1 code=0 verdict=ok
    shift
    "$@" >"$work/said" 2>&1 || code=$?
    [[ $code -eq 0 ]] || verdict=FAIL
    printf '%-4s %s (%d s)\n' "$verdict" "$label" $((SECONDS - begun)) | tee -a "$verdicts"
    begun=$SECONDS
    if [[ $code -ne 0 ]]; then
        echo "    ${*@Q}: exit code $code"
        tail -n 20 "$work/said" | sed 's/^/    | /'
        declare -F explain >/dev/null && explain || true
    fi
}

# within SECONDS COMMAND...: the command succeeds before they are over.
within()
{
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [[ $SECONDS -lt $deadline ]] || return 1
        sleep 0.2
    done
}

# hold FILE REGEX: it has such a line.
hold()
{
    grep -qE -- "$2" "$1"
}

# same A B: the same results, of two files that are there.
same()
{
    "$cgm" diff "$1" "$2"
}

# ran_on RESULT NODE...: its ranks were on these.
ran_on()
{
    local hosts
    hosts=$("$cgm" report "$1" --json | jq -r .hosts | tr ', ' '\n\n' | grep . | sort -u | xargs)
    [[ $hosts == "${*:2}" ]] || {
        echo "ran on $hosts"
        return 1
    }
}

# configure FILE INPUT: what the runs have in common.
configure()
{
    printf '[input]\nparties = %s\n[reward]\ncondition = individual\n' "$2" >"$1"
    printf '[metrics]\nselect = mmd2, wasserstein2, imbalance\n[run]\nprogress = 0\n' >>"$1"
}

# alone ARGUMENT...: cgm on one rank here; what it says is shown only if it fails.
alone()
{
    "$cgm" "$@" >"$work/alone.log" 2>&1 || {
        cat "$work/alone.log"
        return 1
    }
}

# betas SECONDS RESULT: so many inverse temperatures that a run of them takes about so long, going
# by a run of one.
betas()
{
    "$cgm" report "$2" --json | jq -r --argjson seconds "$1" \
        '([.timings[] | select(.stage == "sampling" or .stage == "metrics").max] | add) as $one |
        [range(1; [[$seconds / $one, 4] | max, 60] | min | ceil + 1)] | join(",")'
}
