# Sourced by scaling_strong.sbatch and scaling_weak.sbatch: measures runs and leaves, for
# scaling_collect, in the directory $records of each of them
#     KIND.pPARTIES.rRANKS.tTHREADS.kREPEAT.json    what `cgm report --json` says
#     KIND.pPARTIES.rRANKS.tTHREADS.check           what `cgm check` expected
# They set $records, $features and $options, and take $launch of common.sh and $cores of this.
# shellcheck disable=SC2154,SC2034

# powers_up_to N: 1 2 4 ..., and N.
powers_up_to()
{
    local n
    for ((n = 1; n < $1; n *= 2)); do
        echo -n "$n "
    done
    echo "$1"
}

# Those of the job, or of this machine.
cores=${CGM_CORES:-$((${SLURM_NTASKS:-$(nproc)} * ${SLURM_CPUS_PER_TASK:-1}))}

# simulate_input FILE PARTIES POINTS CANDIDATES
simulate_input()
{
    rm -f "$1"
    launcher 1 1
    "${launch[@]}" simulate --out "$1" --parties "$2" --points "$3" --candidates "$4" \
        --features "$features" --seed 1 >"$records/log" || {
        cat "$records/log" >&2
        exit 1
    }
}

# measure KIND PARTIES RANKS THREADS REPEAT INPUT
measure()
{
    local name=$1.p$2.r$3.t$4 result=$records/result.h5 seconds
    printf '[input]\nparties = %s\n[run]\nprogress = 0\n' "$6" >"$records/run.ini"
    launcher "$3" "$4"
    if [[ $5 -eq 1 ]]; then
        # shellcheck disable=SC2086 # one word an option
        "${launch[@]}" check "$records/run.ini" $options >"$records/$name.check"
    fi
    # shellcheck disable=SC2086 # one word an option
    "${launch[@]}" run "$records/run.ini" $options --output.file="$result" \
        --output.overwrite=true --run.threads="$4" >"$records/log" 2>&1 || {
        cat "$records/log" >&2
        exit 1
    }
    seconds=$(awk '$1 == "total" { print $NF }' "$records/log")
    launcher 1 1
    "${launch[@]}" report "$result" --json >"$records/$name.k$5.json"
    rm -f "$result"
    echo "$1: $2 parties, $3 ranks of $4 threads, run $5: $seconds s"
}

# finish_scaling: the page, where there is what makes it.
finish_scaling()
{
    rm -f "$records"/{log,run.ini} "$records"/*.h5
    if command -v jq >/dev/null; then
        jobs/scaling_collect "$records"
    else
        echo "jq is not here: run jobs/scaling_collect $records where it is"
    fi
}
