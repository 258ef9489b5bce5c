# Simulated input that all ranks write: the same file at any number of them, or none.
# without: asan valgrind
# checks: 34
. "$(dirname "$0")/lib.sh"

# same_at_all RANKS LABEL OPTION...: the same bytes at all numbers of ranks, whose first is 1.
same_at_all()
{
    local ranks list=$1 label=$2
    shift 2
    for ranks in $list; do
        run "$ranks" simulate --out "$label.$ranks.h5" "$@"
        accepted "$label at $ranks ranks"
        check "$label: $ranks ranks as 1" cmp "$label.1.h5" "$label.$ranks.h5"
    done
}

# Groups of fewer rows than ranks; the packed layout, which begins above 256 parties; rows that take
# more than one piece of 32 MiB of a rank.
same_at_all "1 2 3 5 8" groups --parties 3 --points 4 --candidates 7 --test 2 --features 5 \
    --sizes heavy
same_at_all "1 3" most_groups --parties 256 --points 2 --candidates 10
same_at_all "1 2 3 5 8" packed --parties 257 --points 9 --candidates 3001 --sizes heavy \
    --split dirichlet
same_at_all "1 3" pieces --parties 2 --points 10 --candidates 50000 --features 200
check "256 parties are groups" grep -aq parties most_groups.1.h5
check "257 parties are packed" grep -aq packed packed.1.h5
rm ./*.h5

run 2 simulate --out nowhere/data.h5
refused "no such directory" 6 'nowhere/data\.h5.*No such file'
echo mine >data.h5
run 3 simulate --out data.h5
refused "an existing file" 6 'data\.h5.*exists'
# A file that outgrows a limit is like one on a full disk. So would be the ranks' shared memory.
printf '#!/bin/bash\nulimit -f 2000\nexec "$@"\n' >limited
chmod +x limited
export WRAPPER=./limited OMPI_MCA_btl=self,tcp UCX_TLS=self,tcp
for ranks in 1 3; do
    run "$ranks" simulate --out limited.h5 --candidates 100000
    refused "no room at $ranks ranks" 6 'limited\.h5.*needs up to [0-9]+ bytes on the disk'
done

finish
