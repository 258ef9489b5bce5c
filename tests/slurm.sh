#!/usr/bin/env bash
# The scripts of jobs/ on a real Slurm: munge, slurmctld and three slurmd on three nodes, which are
# namespaces (tests/cluster.sh). Called by make check-slurm, as root; needs no daemon of the
# machine's own, and touches none.
#
# Environment: BUILD (build).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/cluster.sh
. tests/cluster.sh

if [[ -z ${CGM_INSIDE:-} ]]; then
    needs munged slurmctld slurmd sbatch ip unshare nsenter jq mpirun
    enclose 52
    exit
fi

# ---- the cluster ----

write_settings()
{
    cat >/run/cgm/slurm.conf <<END
ClusterName=cgm
SlurmctldHost=head(10.77.0.10)
AuthType=auth/munge
AuthInfo=socket=/run/cgm/munge.socket,cred_expire=5
SlurmUser=root
SlurmdUser=root
StateSaveLocation=/run/cgm/state
SlurmdSpoolDir=/run/cgm/spool-%n
TmpFS=/run/cgm/tmp-%n
SlurmctldPidFile=/run/cgm/slurmctld.pid
SlurmdPidFile=/run/cgm/slurmd-%n.pid
SlurmctldLogFile=/run/cgm/slurmctld.log
SlurmdLogFile=/run/cgm/slurmd-%n.log
JobCompType=jobcomp/filetxt
JobCompLoc=/run/cgm/jobcomp.txt
JobAcctGatherType=jobacct_gather/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=pmix
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
# More cores than the machine has.
SlurmdParameters=config_overrides
PropagateResourceLimits=NONE
ReturnToService=2
SlurmdTimeout=10
KillWait=3
MinJobAge=3600
SchedulerParameters=batch_sched_delay=0,sched_min_interval=100000,bf_interval=1
NodeName=node1 NodeAddr=10.77.0.11 CPUs=8 RealMemory=64000 State=UNKNOWN
NodeName=node2 NodeAddr=10.77.0.12 CPUs=8 RealMemory=64000 State=UNKNOWN
NodeName=node3 NodeAddr=10.77.0.13 CPUs=8 RealMemory=64000 State=UNKNOWN
PartitionName=all Nodes=node[1-3] Default=YES MaxTime=UNLIMITED OverSubscribe=NO State=UP
END
    echo 'CgroupPlugin=cgroup/v1' >/run/cgm/cgroup.conf
    export SLURM_CONF=/run/cgm/slurm.conf
}

start_daemons()
{
    mkdir -p /run/cgm/state "${nodes[@]/#//run/cgm/tmp-}"
    (umask 077 && head -c 1024 /dev/urandom >/run/cgm/munge.key)
    munged --foreground --force --key-file=/run/cgm/munge.key --socket=/run/cgm/munge.socket \
        --pid-file=/run/cgm/munged.pid --log-file=/run/cgm/munged.log \
        --seed-file=/run/cgm/munge.seed >/run/cgm/munged.out 2>&1 &
    within 5 test -S /run/cgm/munge.socket
    slurmctld -c -D >/run/cgm/slurmctld.out 2>&1 &
    for node in "${nodes[@]}"; do
        on "$node" slurmd -D -N "$node" >"/run/cgm/slurmd-$node.out" 2>&1 &
    done
}

stop_daemons()
{
    timeout 10 scancel --user=root 2>/dev/null || true
    within 10 no_program || true
}

# Nodes that stand idle.
idle()
{
    [[ $(sinfo -h -N -t idle -o %N 2>/dev/null | xargs) == "$*" ]]
}

# ---- jobs ----

# submit OPTION...: the job's number is $job, its log $log.
submit()
{
    job=$(sbatch --parsable --output="$work/job-%j.log" "$@")
    log=$work/job-$job.log
}

# The job's; of an array all that its tasks have.
state()
{
    scontrol -o show job "$job" 2>/dev/null | sed -nE 's/.* JobState=([A-Z_]+) .*/\1/p' |
        sort -u | xargs
}

restarts()
{
    scontrol -o show job "$job" | sed -nE 's/.* Restarts=([0-9]+) .*/\1/p'
}

# ends STATE SECONDS: the job ends so before they are over.
ends()
{
    local deadline=$((SECONDS + $2)) otherwise=0 now
    while [[ $SECONDS -lt $deadline && $otherwise -lt 10 ]]; do
        now=$(state)
        [[ $now != "$1" ]] || return 0
        # A job that is queued again may seem to be over for a moment.
        case $now in
        '' | *PENDING* | *RUNNING* | *COMPLETING* | *CONFIGURING*) otherwise=0 ;;
        *) otherwise=$((otherwise + 1)) ;;
        esac
        sleep 0.3
    done
    scontrol show job "$job"
    return 1
}

explain()
{
    local file
    for file in ${log:+"$log"} /run/cgm/slurmctld.log; do
        [[ ! -r $file ]] || { echo "    $file:" && tail -n 12 "$file" | sed 's/^/    | /'; }
    done
}

# keeps PARTS: a checkpoint of it is there.
keeps()
{
    [[ -n $(find "$1" -name 'checkpoint.*.h5' 2>/dev/null) ]]
}

# ---- the checks ----

begin_inside
write_settings
start_daemons
check "three nodes stand idle" within 60 idle "${nodes[@]}"

export CGM_PROGRAM=$cgm
alone simulate --out "$work/in.h5" --parties 6 --points 1200 --candidates 30000 --features 4
configure "$work/run.ini" "$work/in.h5"
configure "$work/long.ini" "$work/in.h5"
alone run "$work/run.ini" --output.file="$work/one.h5"
printf '[sampling]\ninv_temp = %s\n' "$(betas 25 "$work/one.h5")" >>"$work/long.ini"
check "the run that is interrupted below, uninterrupted on one host" \
    "$PWD/jobs/local.sh" 2 run "$work/long.ini" --output.file="$work/whole.h5"

one_run()
{
    CGM_CONFIG=$work/run.ini CGM_OPTIONS=--output.file=$work/three.h5 \
        submit --nodes=3 --ntasks=6 --ntasks-per-node=2 --time=5 jobs/run.sbatch
    check "run.sbatch on three nodes" ends COMPLETED 90
    check "  on all three" ran_on "$work/three.h5" node1 node2 node3
    check "  the same results as on one host" same "$work/one.h5" "$work/three.h5"
    check "  its log says which modules were loaded" hold "$log" '^modules '
    CGM_CONFIG=$work/run.ini CGM_OPTIONS=--output.file=$work/threads.h5 \
        submit --nodes=3 --ntasks=3 --cpus-per-task=2 --time=5 jobs/run.sbatch
    check "run.sbatch with two threads a rank" ends COMPLETED 90
    check "  on all three" ran_on "$work/threads.h5" node1 node2 node3
    check "  the same results" same "$work/one.h5" "$work/threads.h5"
    check "srun in place of mpirun" srun --nodes=3 --ntasks=3 -K "$cgm" run "$work/run.ini" \
        --output.file="$work/srun.h5"
    check "  the same results" same "$work/one.h5" "$work/srun.h5"
}

sweep()
{
    local beta seed
    CGM_CONFIG=$work/run.ini CGM_BETAS='2 inf' CGM_SEEDS='1 7' CGM_RESULTS=$work/sweep \
        submit --array=0-3 --output="$work/array-%A_%a.log" --ntasks=2 --time=5 \
        jobs/sweep_beta.sbatch
    check "sweep_beta.sbatch, an array of four" ends COMPLETED 120
    for beta in 2 inf; do
        for seed in 1 7; do
            alone run "$work/run.ini" --sampling.inv_temp=$beta --run.seed=$seed \
                --output.file="$work/$beta.$seed.h5"
            check "  beta $beta, seed $seed: the same results as on one host" \
                same "$work/$beta.$seed.h5" "$work/sweep/beta_${beta}_seed_$seed.h5"
        done
    done
    CGM_CONFIG=$work/run.ini CGM_BETAS='2 inf' CGM_REUSE=$work/one.h5 \
        CGM_RESULTS=$work/reused submit --array=1,2 --output="$work/array-%a.log" \
        --ntasks=2 --time=5 jobs/sweep_beta.sbatch
    check "an index too many fails" ends "COMPLETED FAILED" 60
    check "  and says what there is" hold "$work/array-2.log" '2 inverse temperatures'
    check "  the other, on kernel sums of before: the same results" \
        same "$work/inf.1.h5" "$work/reused/beta_inf_seed_1.h5"
}

# The batch system looks for jobs to signal twice a minute: 50 is soon after the start.
time_limit()
{
    CGM_CONFIG=$work/long.ini CGM_RESULT=$work/limit.h5 \
        submit --nodes=3 --ntasks=3 --time=1 --signal=B:USR1@50 jobs/run_resumable.sbatch
    check "run_resumable.sbatch under a limit of a minute" ends COMPLETED 240
    check "  it was stopped and queued again" test "$(restarts)" -ge 1
    check "  at a checkpoint" hold "$log" 'stopped at a checkpoint: the job is queued again'
    check "  and went on from it" hold "$log" '^going on from checkpoint'
    check "  the same results as without interruption" same "$work/whole.h5" "$work/limit.h5"
    check "  nothing but the result is left" test ! -e "$work/limit.h5.parts"
}

# A job on the lost node and another, and one on the lost node alone, whose ranks go on there as if
# nothing had happened.
lost_node()
{
    local both both_log orphan
    scontrol update nodename=node1 state=drain reason=test
    CGM_CONFIG=$work/long.ini CGM_RESULT=$work/both.h5 CGM_INTERVAL=1 \
        submit --nodes=2 --ntasks=2 --time=10 jobs/run_resumable.sbatch
    both=$job both_log=$log
    within 30 keeps "$work/both.h5.parts" || true
    scontrol update nodename=node2 state=drain reason=test
    CGM_CONFIG=$work/run.ini CGM_OPTIONS=--sampling.inv_temp=1,2,3,4 CGM_RESULT=$work/lost.h5 \
        CGM_INTERVAL=0.2 submit --nodes=1 --ntasks=1 --time=10 jobs/run_resumable.sbatch
    within 30 keeps "$work/lost.h5.parts" || true
    cut_link node3
    # It stands still until the job has begun elsewhere, and then goes on.
    orphan=$(programs "^SLURM_JOB_ID=$job\$")
    kill -STOP "$orphan"
    scontrol update nodename=node1 state=resume
    scontrol update nodename=node2 state=resume
    check "a node's link is cut: the batch system gives it up" within 60 hold \
        /run/cgm/slurmctld.log 'node3 not responding, setting DOWN'
    check "  a job that was on it alone begins again" within 60 hold "$log" 'start 2$'
    kill -CONT "$orphan"
    check "  and completes" ends COMPLETED 120
    check "  from its checkpoint" hold "$log" '^going on from checkpoint'
    check "  what goes on there finds that it has been replaced" within 60 hold "$log" \
        'has taken over: this one, [0-9]+\.0, leaves everything to it'
    alone run "$work/run.ini" --sampling.inv_temp=1,2,3,4 --output.file="$work/four.h5"
    check "  the same results" same "$work/four.h5" "$work/lost.h5"
    job=$both log=$both_log
    check "  a job that was on it and another runs again" ends COMPLETED 180
    check "  from its checkpoint" hold "$log" '^going on from checkpoint'
    check "  on the nodes that are left" ran_on "$work/both.h5" node1 node2
    check "  the same results" same "$work/whole.h5" "$work/both.h5"
    join_link node3
    check "  the node comes back" within 60 idle "${nodes[@]}"
}

killed_rank()
{
    CGM_CONFIG=$work/long.ini CGM_RESULT=$work/killed.h5 CGM_INTERVAL=1 \
        submit --nodes=2 --ntasks=4 --ntasks-per-node=2 --time=10 jobs/run_resumable.sbatch
    within 60 keeps "$work/killed.h5.parts" || true
    kill -KILL "$(programs "^SLURM_JOB_ID=$job\$" | tail -n 1)"
    check "a rank is killed: the job fails" ends FAILED 60
    check "  and leaves no other rank running" no_program_left "^SLURM_JOB_ID=$job\$"
    check "  and no result" test ! -e "$work/killed.h5"
    CGM_CONFIG=$work/long.ini CGM_RESULT=$work/killed.h5 CGM_INTERVAL=1 \
        submit --nodes=3 --ntasks=3 --time=10 jobs/run_resumable.sbatch
    within 60 hold "$log" '^going on from checkpoint' || true
    scancel "$job"
    check "  submitted again and cancelled, it is not queued again" ends CANCELLED 30
    check "  nor leaves a rank running" no_program_left "^SLURM_JOB_ID=$job\$"
    CGM_CONFIG=$work/long.ini CGM_RESULT=$work/killed.h5 \
        submit --nodes=3 --ntasks=3 --time=10 jobs/run_resumable.sbatch
    check "  submitted again, it completes" ends COMPLETED 180
    check "  from the checkpoint" hold "$log" '^going on from checkpoint'
    check "  the same results" same "$work/whole.h5" "$work/killed.h5"
}

scaling()
{
    export CGM_POINTS=300 CGM_CANDIDATES=3000 CGM_REPEATS=1 CGM_RANKS='1 2' CGM_THREADS='1 2'
    local kind
    for kind in strong weak; do
        CGM_RECORDS=$work/$kind submit --nodes=2 --ntasks=4 --time=5 jobs/scaling_$kind.sbatch
        check "scaling_$kind.sbatch" ends COMPLETED 90
        check "  makes the table of four sizes" \
            test "$(grep -c ",total," "$work/$kind/scaling.csv")" -eq 4
        check "  and the page" test -s "$work/$kind/scaling.html"
    done
}

one_run
sweep
time_limit
lost_node
killed_rank
scaling
