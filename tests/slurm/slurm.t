#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/slurm/slurm.t - on a real Slurm of four nodes, which is started here
#
# One start for all cases (tests/slurm/cluster.sh). TEST_SLURM=no leaves them
# out, TEST_LONG=1 adds those that wait for Slurm's own clocks.
. "$srcdir/tests/cli/lib.sh"
. "$srcdir/tests/cli/job.sh"
. "$srcdir/tests/slurm/cluster.sh"

case_seconds=$((120 * ${TEST_TIME_FACTOR:-1}))
export PATH=${DISTRIBUTEX%/*}:$PATH

leave_out_if_brief "a real Slurm"
if [ "${TEST_SLURM:-}" = no ]; then
    skip_case "a real Slurm" "TEST_SLURM=no"
    test_done
elif ! cluster_missing; then
    skip_case "a real Slurm" "$cluster_why"
    test_done
elif [ -n "$no_mpi" ]; then
    skip_case "a real Slurm" "$no_mpi"
    test_done
fi

end_all() {
    local status=$?
    [ "$BASHPID" = "$$" ] || return 0
    cluster_down
    (exit "$status")
    end_test
}
trap end_all EXIT
if ! cluster_up "$test_root/s" 4 2; then
    [ -z "${TEST_SLURM:-}" ] || tail -n 20 "$cluster"/log/* >&2
    skip_case "a real Slurm" "$cluster_why"
    test_done
fi

# slurm COMMAND...: as from a login node.
slurm() {
    timeout -k 5 "${slurm_seconds:-60}" "$on" n0 "$@"
}

# submit OPTION... SCRIPT [ARGUMENT...]: its number is in $id.
submit() {
    id=$(slurm sbatch --parsable --output=log "$@") || fail "sbatch: $id"
}

# state: of the job $id; how it ended, for a while after that.
state() {
    slurm scontrol show job "$id" 2>/dev/null |
        sed -n 's/.*JobState=\([A-Z_]*\).*/\1/p'
}

# over: the job has ended, and its nodes are free again.
over() {
    case $(state) in
        PENDING | RUNNING | COMPLETING | CONFIGURING | SUSPENDED) false ;;
    esac
}

# ended_with STATUS [SECONDS]: the job ends with this status of its script.
ended_with() {
    wait_for "${2:-40}" over || fail "$(slurm scontrol show job "$id") $(cat log)"
    slurm scontrol show job "$id" | grep -q "ExitCode=$1:0" ||
        fail "$(slurm scontrol show job "$id" | grep -E 'State|Exit') $(cat log)"
}

# script FILE: what is on standard input, behind the first line.
script() {
    { echo '#!/bin/bash' && cat; } >"$1"
}

# where N: a list of N tasks that tell where they ran.
where() {
    local i
    for i in $(seq "$1"); do
        echo "sleep 0.2; echo \$DTX_RANK \$(hostname) >>where"
    done >list
}

# long_case NAME COMMANDS: one whose end hangs on Slurm's own clocks, and that a
# busy machine may miss.
long_case() {
    if [ -n "${TEST_LONG:-}" ]; then
        test_case "$@"
    else
        skip_case "$1" "TEST_LONG=1 runs it"
    fi
}

test_case "distributex.sbatch: a rank on each of four nodes" '
    where 24
    submit --nodes=4 --time=5 "$srcdir/slurm/distributex.sbatch" list
    ended_with 0
    [ "$(wc -l <where)" -eq 24 ] || fail "$(cat where log)"
    [ "$(cut -d" " -f2 where | sort -u | tr "\n" " ")" = "n1 n2 n3 n4 " ] ||
        fail "$(cat where log)"
    grep -q "24 tasks on 4 ranks, 4 nodes, 8 slots" log || fail "$(cat log)"
    test -s "distributex-$id/journal"
'

test_case "plainly in a batch script: the whole allocation" '
    where 24
    script job <<END
exec distributex run list
END
    submit --nodes=4 --exclusive --time=5 --mem=100 job
    ended_with 0
    [ "$(wc -l <where)" -eq 24 ] || fail "$(cat where log)"
    [ "$(cut -d" " -f2 where | sort -u | tr "\n" " ")" = "n1 n2 n3 n4 " ] ||
        fail "$(cat where log)"
    grep -q "Slurm job $id: 4 nodes, 8 cpus, 100 MiB on each" log ||
        fail "$(cat log)"
    grep -q "24 tasks on 4 ranks, 4 nodes, 8 slots" log || fail "$(cat log)"
    ! grep -q "warning" log || fail "$(cat log)"
    test -s "distributex-$id/journal"
'

test_case "submitted with --export=NONE" '
    where 8
    script job <<END
export PATH=$PATH
exec distributex run list
END
    submit --nodes=2 --exclusive --export=NONE --time=5 job
    ended_with 0
    [ "$(cut -d" " -f2 where | sort -u | wc -l)" -eq 2 ] ||
        fail "$(cat where log)"
'

test_case "from salloc, on a login node" '
    where 4
    slurm salloc --nodes=1 --exclusive distributex run --run-dir d list \
        >out 2>err || fail "$(cat err)"
    [ "$(cut -d" " -f2 where | sort -u)" != n0 ] || fail "$(cat where)"
    [ "$(wc -l <where)" -eq 4 ] || fail "$(cat where err)"
'

test_case "tasks use mpirun and threads within their own cores" '
    echo "echo \$OMPI_COMM_WORLD_SIZE \$(hostname)" >show
    cat >list <<END
mpirun -n 2 sh show >m1
mpirun sh show >m2
#DTX cpus=2
mpirun -n \$SLURM_CPUS_PER_TASK sh show >m3
echo \$OMP_NUM_THREADS \$SLURM_CPUS_PER_TASK \$SLURM_NTASKS >t1
#DTX cpus=2
echo \$OMP_NUM_THREADS \$SLURM_CPUS_PER_TASK \$SLURM_NTASKS >t2
END
    script job <<END
exec distributex run list
END
    submit --nodes=2 --ntasks-per-node=2 --time=5 job
    ended_with 0
    [ "$(cut -d" " -f1 m1 | tr "\n" " ")" = "2 2 " ] || fail "$(cat m1)"
    [ "$(cut -d" " -f2 m1 | sort -u | wc -l)" -eq 1 ] || fail "$(cat m1)"
    [ "$(cut -d" " -f2 m2 | sort -u | wc -l)" -eq 1 ] || fail "$(cat m2)"
    [ "$(cut -d" " -f1 m3 | tr "\n" " ")" = "2 2 " ] || fail "$(cat m3)"
    [ "$(cat t1 t2 | tr "\n" " ")" = "1 1 1 2 2 1 " ] || fail "$(cat t1 t2)"
'

test_case "a wrong MPI plugin is told in one sentence, and nothing runs" '
    where 8
    script job <<END
srun --mpi=none distributex run --run-dir d list
END
    submit --nodes=4 --ntasks=4 --time=5 job
    ended_with 110
    [ "$(grep -c "^distributex:" log)" -eq 1 ] || fail "$(cat log)"
    grep -q "srun started 4 copies.*--mpi=pmix" log || fail "$(cat log)"
    test ! -e where && test ! -e d
'

test_case "cores that stay idle are told" '
    where 2
    script job <<END
mpirun -n 1 distributex run --run-dir d list
END
    submit --nodes=4 --exclusive --time=5 job
    ended_with 0
    grep -q "using 1 of 8 cores, 1 of 4 nodes of the Slurm job" log ||
        fail "$(cat log)"
'

test_case "srun with PMIx" '
    where 8
    script job <<END
srun --mpi=pmix distributex run --run-dir d list
END
    submit --nodes=2 --ntasks=2 --exclusive --time=5 job
    ended_with 0
    [ "$(wc -l <where)" -eq 8 ] || fail "$(cat log)"
    grep -q "8 tasks on 2 ranks, 2 nodes" log || fail "$(cat log)"
'

test_case "scancel in the middle: what has finished stands" '
    for i in $(seq 24); do
        echo "sleep 0.3; echo $i >>ended; echo o$i"
    done >list
    submit --nodes=4 --time=5 "$srcdir/slurm/distributex.sbatch" list
    wait_for 30 "test -s ended"
    slurm scancel "$id"
    wait_for 30 over
    distributex run --resume --run-dir "distributex-$id" >out 2>err ||
        fail "$(cat log err)"
    mv "distributex-$id" d
    [ "$(recorded | wc -l)" -eq 24 ] || fail "$(recorded)"
    [ "$(recorded | sort -u | wc -l)" -eq 24 ] || fail "$(recorded)"
'

# Ranks that have no supervisor: what runs may be run again, four slots of it.
test_case "signals twice; TERM, and KILL a second later: nothing is lost" '
    for i in $(seq 24); do
        echo "sleep 0.3; echo $i >>ran"
    done >list
    script job <<END
srun --mpi=pmix distributex run --run-dir \$1 list
END
    submit --nodes=2 --ntasks=2 --exclusive --time=5 job a
    wait_for 20 "test -s ran"
    slurm scancel --signal=USR1 "$id"
    slurm scancel --signal=USR1 "$id" || true # it may have gone by then
    wait_for 30 over
    grep -q "resume  " log || fail "$(cat log)"
    distributex run --resume --run-dir a >out 2>err || fail "$(cat log err)"
    [ "$(sort -u ran | wc -l)" -eq 24 ] && [ "$(wc -l <ran)" -eq 24 ] ||
        fail "$(sort ran | uniq -d) $(cat log err)"
    : >ran
    submit --nodes=2 --ntasks=2 --exclusive --time=5 job d
    wait_for 20 "test -s ran"
    slurm scancel --signal=TERM "$id"
    sleep 1
    slurm scancel --signal=KILL "$id" || true # it may have gone by then
    wait_for 30 over
    distributex run --resume --run-dir d >out 2>err || fail "$(cat log err)"
    [ "$(recorded | wc -l)" -eq 24 ] || fail "$(recorded)"
    [ "$(recorded | sort -u | wc -l)" -eq 24 ] || fail "$(recorded)"
    [ "$(wc -l <ran)" -le 28 ] || fail "$(sort ran | uniq -d) $(cat log err)"
'

# again: Slurm starts a job that was queued again after two minutes; now.
again() {
    wait_for 90 "grep -q \"queueing Slurm job $id again\" log" ||
        fail "$(state) $(cat log)"
    wait_for 30 '[ "$(state)" = PENDING ]' || fail "$(state) $(cat log)"
    slurm scontrol update "jobid=$id" StartTime=now || true
    wait_for 20 '[ "$(state)" != PENDING ]' || fail "$(state)"
}

# exactly N: each of N tasks has one recorded outcome.
exactly() {
    mv "distributex-$id" d
    [ "$(recorded | wc -l)" -eq "$1" ] || fail "$(recorded | wc -l)"
    [ "$(recorded | sort -u | wc -l)" -eq "$1" ] || fail "$(recorded)"
}

# Of the minute 43 s are a grace that no task needs, and 10 s to leave: nothing
# starts that would end after the seventh second.
test_case "before the walltime: drain, queue again, go on" '
    for i in $(seq 70); do
        echo "sleep 0.4; echo \$DTX_REMAINING_SECONDS >>left; echo $i >>ran"
    done >list
    script job <<END
exec distributex run --requeue --term-grace 43s list
END
    submit --nodes=2 --exclusive --time=1 --open-mode=append job
    again
    test -s ran && [ "$(wc -l <ran)" -lt 70 ] || fail "$(cat log)"
    grep -q "deadline in 5[0-9]" log || fail "$(cat log)"
    grep -q "too little time is left" log || fail "$(cat log)"
    [ "$(sort -n left | head -n1)" -ge 50 ] || fail "$(sort -n left | head)"
    [ "$(sort -n left | tail -n1)" -le 60 ] || fail "$(sort -n left | tail)"
    ended_with 0
    grep -q "start 2 of Slurm job $id: going on with distributex-$id" log ||
        fail "$(cat log)"
    [ "$(wc -l <ran)" -eq 70 ] || fail "$(wc -l <ran) $(cat log)"
    exactly 70
'

test_case "USR1 to the script says that the time is over" '
    for i in $(seq 40); do
        echo "sleep 0.3; echo $i >>ran"
    done >list
    script job <<END
exec distributex run list
END
    submit --nodes=2 --time=5 job
    wait_for 20 "test -s ran"
    slurm scancel --batch --signal=USR1 "$id"
    ended_with 106
    [ "$(wc -l <ran)" -lt 40 ] || fail "$(cat log)"
    distributex run --resume --run-dir "distributex-$id" >out 2>err ||
        fail "$(cat err)"
    [ "$(wc -l <ran)" -eq 40 ]
    exactly 40
'

test_case "no requeue without progress" '
    echo "sleep 50" >list
    script job <<END
exec distributex run --requeue --deadline 13s --term-grace 1s list
END
    submit --nodes=1 --time=2 job
    ended_with 106
    grep -q "not queued again: no task has ended" log || fail "$(cat log)"
'

test_case "preemption: told by TERM, queued again, goes on" '
    for i in $(seq 60); do
        echo "sleep 0.3; echo $i >>ran"
    done >list
    script job <<END
exec distributex run list
END
    submit --nodes=4 --exclusive --time=5 --open-mode=append job
    wait_for 20 "test -s ran"
    first=$id
    submit --partition=urgent --output=urgent --nodes=4 --exclusive --time=1 \
        --wrap="sleep 1"
    ended_with 0
    id=$first
    again
    ended_with 0
    grep -q "preempted: queueing" log || fail "$(cat log)"
    exactly 60
'

test_case "array.sbatch: a job-array script that knows nothing of us" '
    script job.sh <<END
#SBATCH --array=1-999
#SBATCH --cpus-per-task=4
set -eu
[ "\$SLURM_ARRAY_TASK_MIN" = 2 ] && [ "\$SLURM_ARRAY_TASK_MAX" = 10 ]
echo "\$SLURM_ARRAY_JOB_ID \$SLURM_ARRAY_TASK_ID \$SLURM_ARRAY_TASK_COUNT" \
    "\$SLURM_CPUS_PER_TASK \$SLURM_JOB_ID" >"out.\$SLURM_ARRAY_TASK_ID"
END
    chmod +x job.sh
    submit --nodes=2 --time=5 "$srcdir/slurm/array.sbatch" 2-10:4 ./job.sh
    ended_with 0
    cat out.* | sort -k2n >got
    printf "%s\n" "$id 2 3 1 $id" "$id 6 3 1 $id" "$id 10 3 1 $id" |
        diff - got || fail "$(cat log)"
'

# A minute less 42 s of grace and 10 to leave: the long one is told at 8 s.
test_case "checkpoint.sbatch: long tasks go on from their checkpoints" '
    cat >long <<END
state=0
[ ! -s state ] || state=\$(cat state)
trap "echo \$((state + 1)) >state; exit 0" USR1
[ "\$state" -lt 1 ] || exit 0
while :; do sleep 0.1; done
END
    echo "sh long" >list
    export GRACE=42s
    submit --nodes=1 --time=1 --open-mode=append \
        "$srcdir/slurm/checkpoint.sbatch" list
    again
    ended_with 0
    [ "$(cat state)" -eq 1 ] || fail "$(cat state log)"
    exactly 1
'

test_case "ranks.sbatch: a rank for each core, by srun" '
    where 16
    submit --nodes=2 --time=5 "$srcdir/slurm/ranks.sbatch" list
    ended_with 0
    [ "$(cut -d" " -f1 where | sort -un | tr "\n" " ")" = "0 1 2 3 " ] ||
        fail "$(cat where log)"
    grep -q "16 tasks on 4 ranks, 2 nodes" log || fail "$(cat log)"
'

test_case "cores-gpus.sbatch: a device for each task, and its share of cores" '
    for i in $(seq 8); do
        echo "echo \$(hostname) \$DTX_SLOT \$CUDA_VISIBLE_DEVICES \$OMP_NUM_THREADS >>got; sleep 0.2"
    done >list
    submit --nodes=2 --gpus-per-node=2 --time=5 \
        "$srcdir/slurm/cores-gpus.sbatch" list
    ended_with 0
    [ "$(wc -l <got)" -eq 8 ] || fail "$(cat got log)"
    [ "$(cut -d" " -f2-3 got | sort -u | tr "\n" ,)" = "1 0,2 1," ] ||
        fail "$(cat got log)"
    [ "$(cut -d" " -f4 got | sort -u)" = 1 ] || fail "$(cat got)"
'

test_case "epilog.sh: what escapes from a job is ended" '
    echo "echo o" >list
    script job <<END
(setsid sh -c "echo \\\$\\\$ >daemon; exec sleep 299" &)
while [ ! -s daemon ]; do sleep 0.1; done
exec distributex run list
END
    submit --nodes=1 --time=5 job
    ended_with 0
    pid=$(cat daemon)
    [ "$pid" -gt 1 ] || fail "$(cat log)"
    wait_for 15 "! kill -0 $pid 2>/dev/null" || fail "$(cat log)"
'

test_case "submit: written, sent, watched" '
    where 12
    "$DISTRIBUTEX" submit --dry-run --nodes 3 --time 10m -k list >script
    grep -qx "#SBATCH --nodes=3" script
    grep -qx "#SBATCH --time=0-00:10:00" script
    slurm distributex submit --nodes 3 --time 10m --job-name swp -k list >said
    id=$(sed -n "s/^submitted Slurm job //p" said)
    grep -q "squeue -j $id" said
    grep -q "distributex-$id.log" said
    slurm squeue -h -j "$id" -o "%j %D %l" | grep -qx "swp 3 10:00"
    ended_with 0
    grep -q "12 tasks on 3 ranks, 3 nodes" "distributex-$id.log" ||
        fail "$(cat "distributex-$id.log")"
    [ "$(wc -l <where)" -eq 12 ]
    expect_status 1 slurm distributex submit --partition none list 2>err
    grep -q "sbatch (status 1): .*invalid partition" err || fail "$(cat err)"
'

# back NODE: that was killed is in service again.
back() {
    cluster_node "$1"
    wait_for 30 '[ "$(slurm sinfo -h -p debug -n '"$1"' -o %t)" = idle ]' ||
        fail "$(slurm sinfo)"
}

# busy FOR...: a list of so many tasks of 0.4 s, which say that they ran.
busy() {
    local i
    for i in $(seq "$1"); do
        echo "sleep 0.4; echo $i >>ran"
    done >list
}

test_case "a node is killed in the middle: the others go on" '
    busy 60
    submit --nodes=4 --time=5 "$srcdir/slurm/distributex.sbatch" \
        --lost-after 2s list
    wait_for 20 "test -s ran"
    cluster_kill n3
    ended_with 0
    grep -q "rank 2 on n3 lost after" log || fail "$(cat log)"
    ! grep -q "launching the rest" log || fail "$(cat log)"
    exactly 60
    back n3
'

long_case "the same, and Slurm takes the node out of the job meanwhile" '
    busy 500
    submit --nodes=4 --time=5 "$srcdir/slurm/distributex.sbatch" list
    wait_for 20 "test -s ran"
    cluster_kill n3
    ended_with 0 90
    grep -q "rank 2 on n3 lost after" log || fail "$(cat log)"
    grep -q "Removing failed node n3 from JobId=$id" \
        "$cluster/log/slurmctld.log" || fail "$(cat log)"
    exactly 500
    back n3
'

long_case "a node and mpirun are killed: launched again on the other nodes" '
    busy 80
    submit --nodes=4 --time=5 "$srcdir/slurm/distributex.sbatch" list
    wait_for 20 "test -s ran"
    cluster_kill n3
    for pid in $(marked); do
        [ "$(cat "/proc/$pid/comm")" != mpirun ] || kill -KILL "$pid"
    done
    ended_with 0 60
    grep -q "host n3 does not answer: going on without it" log ||
        fail "$(cat log)"
    grep -q "80 tasks on 3 ranks, 3 nodes, 6 slots" log || fail "$(cat log)"
    ! grep -q "warning: using" log || fail "$(cat log)"
    exactly 80
    back n3
'

# The supervisor is in the shell of salloc, on another node.
long_case "the node of rank 0 is killed: launched again on the others" '
    busy 80
    (slurm_seconds=100 slurm salloc --nodes=4 --exclusive --no-kill distributex run \
        --run-dir d list >out 2>log; echo $? >status) &
    wait_for 20 "test -s ran"
    cluster_kill n1
    wait_for 80 "test -s status" || fail "$(cat log)"
    [ "$(cat status)" -eq 0 ] || fail "$(cat status log)"
    grep -q "host n1 does not answer: going on without it" log ||
        fail "$(cat log)"
    [ "$(recorded | sort -u | wc -l)" -eq 80 ] || fail "$(recorded)"
    [ "$(recorded | wc -l)" -eq 80 ] || fail "$(recorded)"
    back n1
'

# Slurm leaves the job as it is: the guard on the second node has it queued
# again, within a minute of Slurm's knowing.
case_seconds=$((200 * ${TEST_TIME_FACTOR:-1}))
long_case "the node of the batch script is killed: queued again, goes on" '
    busy 60
    submit --nodes=2 --time=5 \
        "$srcdir/slurm/distributex.sbatch" list
    wait_for 20 "test -s ran"
    cluster_kill n1
    wait_for 110 '\''[ "$(state)" = PENDING ]'\'' || fail "$(state) $(cat log)"
    slurm scontrol update "jobid=$id" StartTime=now ||
        fail "$(slurm scontrol show job "$id")"
    ended_with 0 60
    grep -q "start 2 of Slurm job $id: going on" log || fail "$(cat log)"
    exactly 60
    back n1
'

test_done
