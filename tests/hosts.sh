#!/usr/bin/env bash
# jobs/local.sh over three hosts with an sshd each, which are namespaces (tests/cluster.sh). Called
# by make check-hosts, as root; the machine's own ssh and its keys have no part in it.
#
# Environment: BUILD (build).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/cluster.sh
. tests/cluster.sh

if [[ -z ${CGM_INSIDE:-} ]]; then
    needs /usr/sbin/sshd ssh ssh-keygen ip unshare nsenter jq mpirun
    enclose 28
    exit
fi

# ---- the hosts ----

start_sshd()
{
    mkdir -p /run/sshd /run/cgm/ssh
    ssh-keygen -q -t ed25519 -N '' -f /run/cgm/ssh/host
    ssh-keygen -q -t ed25519 -N '' -f /run/cgm/ssh/user
    cp /run/cgm/ssh/user.pub /run/cgm/ssh/allowed
    # A root whose account is locked may not log in, not even with a key.
    sed 's/^root:[^:]*/root:*/' /etc/shadow >/run/cgm/shadow
    chmod 600 /run/cgm/shadow
    mount --bind /run/cgm/shadow /etc/shadow
    cat >/run/cgm/ssh/sshd_config <<END
Port 2222
HostKey /run/cgm/ssh/host
AuthorizedKeysFile /run/cgm/ssh/allowed
PermitRootLogin prohibit-password
PasswordAuthentication no
StrictModes no
UsePAM no
PidFile none
END
    cat >/run/cgm/ssh/config <<END
Port 2222
User root
IdentityFile /run/cgm/ssh/user
IdentitiesOnly yes
UserKnownHostsFile /run/cgm/ssh/known
StrictHostKeyChecking yes
END
    for node in "${nodes[@]}"; do
        echo "[$node]:2222 $(cut -d ' ' -f 1,2 /run/cgm/ssh/host.pub)"
    done >/run/cgm/ssh/known
    for node in "${nodes[@]}"; do
        on "$node" unshare --mount bash -c 'mount --make-rprivate / && exec "$@"' - \
            /usr/sbin/sshd -D -e -f /run/cgm/ssh/sshd_config >"/run/cgm/ssh/$node.log" 2>&1 &
        echo "$node slots=2" >>"$work/hosts"
    done
}

answers()
{
    ssh -F /run/cgm/ssh/config -o BatchMode=yes -o ConnectTimeout=2 "$1" true 2>/dev/null
}

# ---- runs ----

# start RANKS ARGUMENT...: in the background, as $launcher.
start()
{
    jobs/local.sh "$@" >"$work/out" 2>&1 </dev/null &
    launcher=$!
}

running()
{
    kill -0 "$launcher" 2>/dev/null
}

ended()
{
    ! running
}

# ends_within SECONDS CODE|failure: what was started last; one that does not end is killed.
ends_within()
{
    local code=0
    if ! within "$1" ended; then
        kill -KILL "$launcher"
        echo "not over after $1 s"
        return 1
    fi
    wait "$launcher" || code=$?
    [[ $2 == "$code" || ($2 == failure && $code -ne 0) ]] || {
        echo "exit code $code"
        return 1
    }
}

explain()
{
    [[ ! -r $work/out ]] || tail -n 15 "$work/out" | sed 's/^/    | /'
}

# On hosts that are reached no rank is left.
no_rank_but_on()
{
    local pid
    for pid in $(programs); do
        [[ $(readlink "/proc/$pid/ns/net") == "$(readlink "/proc/${node_pid[$1]}/ns/net")" ]] ||
            return 1
    done
}

# ---- the checks ----

begin_inside
start_sshd
for node in "${nodes[@]}"; do
    check "sshd of $node answers" within 10 answers "$node"
done
export CGM_PROGRAM=$cgm CGM_HOSTS=$work/hosts CGM_SSH_OPTIONS="-F /run/cgm/ssh/config"
alone simulate --out "$work/in.h5" --parties 6 --points 1200 --candidates 30000 --features 4
configure "$work/run.ini" "$work/in.h5"
alone run "$work/run.ini" --output.file="$work/one.h5"
printf '[sampling]\ninv_temp = %s\n' "$(betas 10 "$work/one.h5")" | cat "$work/run.ini" - \
    >"$work/long.ini"
alone run "$work/long.ini" --output.file="$work/whole.h5"

three_hosts()
{
    check "6 ranks on three hosts" "$local" 6 run "$work/run.ini" --output.file="$work/six.h5"
    check "  on all three" ran_on "$work/six.h5" node1 node2 node3
    check "  the same results as on one host" same "$work/one.h5" "$work/six.h5"
    check "3 ranks of 2 threads" env CGM_THREADS=2 "$local" 3 run "$work/run.ini" \
        --output.file="$work/threads.h5"
    check "  the same results" same "$work/one.h5" "$work/threads.h5"
}

stopped()
{
    start 6 run "$work/long.ini" --output.file="$work/stopped.h5" \
        --checkpoint.file="$work/ck.h5" --checkpoint.interval=0.5
    within 60 test -e "$work/ck.h5" || true
    kill -USR1 "$launcher"
    check "USR1 to jobs/local.sh stops ranks on all hosts" ends_within 20 75
    check "  and none is left" no_program_left
    check "  it goes on from the checkpoint" "$local" 3 run "$work/long.ini" \
        --output.file="$work/stopped.h5" --checkpoint.file="$work/ck.h5"
    check "  the same results as without interruption" same "$work/whole.h5" "$work/stopped.h5"
}

killed_rank()
{
    start 6 run "$work/long.ini" --output.file="$work/killed.h5" --run.progress=0.2
    within 60 hold "$work/out" '^(sampling|kernel sums):' || true
    kill -KILL "$(programs | tail -n 1)"
    check "a rank is killed: the run fails" ends_within 20 137
    check "  no rank is left on any host" no_program_left
    check "  and no result" test ! -e "$work/killed.h5"
}

cut_host()
{
    start 6 run "$work/long.ini" --output.file="$work/cut.h5" \
        --checkpoint.file="$work/cut.ck.h5" --checkpoint.interval=0.5
    within 60 test -e "$work/cut.ck.h5" || true
    cut_link node3
    check "a host's link is cut: the run fails in time" ends_within 30 failure
    check "  no rank is left on the hosts that are reached" within 10 no_rank_but_on node3
    check "  and no result" test ! -e "$work/cut.h5"
    start 6 run "$work/run.ini" --output.file="$work/never.h5"
    check "a host that is not reached: the run fails in time" ends_within 30 failure
    check "  and none is left" within 10 no_rank_but_on node3
    grep -v node3 "$work/hosts" >"$work/two"
    check "it goes on on the other two hosts" env CGM_HOSTS="$work/two" "$local" 4 run \
        "$work/long.ini" --output.file="$work/cut.h5" --checkpoint.file="$work/cut.ck.h5"
    check "  the same results" same "$work/whole.h5" "$work/cut.h5"
    join_link node3
    check "  the host answers again" within 10 answers node3
    check "  and ends what was left there" no_program_left
}

scaling()
{
    check "scaling_strong.sbatch over the hosts" env CGM_CORES=6 CGM_RANKS='1 6' CGM_POINTS=300 \
        CGM_CANDIDATES=3000 CGM_REPEATS=1 CGM_RECORDS="$work/strong" bash jobs/scaling_strong.sbatch
    check "  makes the page" test -s "$work/strong/scaling.html"
}

local=$PWD/jobs/local.sh
three_hosts
stopped
killed_rank
cut_host
scaling
