#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# "distributex run" on several ranks: under the user's mpirun, and launched by
# --ranks.  Stopping and killing: run_stop.t, run_kill.t.

# shellcheck source=tests/cli/lib.sh
. "$srcdir/tests/cli/lib.sh"
unset "${!DTX_@}" "${!SLURM_@}"
: "${MPIRUN:=mpirun}"
# MPI libraries leak by themselves
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

if ! command -v "$MPIRUN" >/dev/null; then
    skip_case "several ranks" "no launcher ($MPIRUN)"
    test_done
fi

# mpi RANKS ARGUMENT...: "distributex run" under mpirun, not for ever.
mpi() {
    local ranks=$1
    shift
    timeout -k 5 40 "$MPIRUN" -n "$ranks" --oversubscribe --bind-to none \
        "$DISTRIBUTEX" run "$@"
}

# dtx ARGUMENT...: "distributex run" without mpirun, not for ever.
dtx() {
    timeout -k 5 40 "$DISTRIBUTEX" run "$@"
}

for ranks in 2 3 5; do
    export ranks
    test_case "$ranks ranks: every task once, every rank works" '
        for i in $(seq $((8 * ranks))); do
            echo "echo $i \$DTX_RANK; echo $i >>ran; sleep 0.08"
        done >list
        expect_status 0 mpi "$ranks" -j "$ranks" list >out 2>err
        sort -n ran | diff - <(seq $((8 * ranks)))
        cut -d" " -f1 out | sort -n | diff - <(seq $((8 * ranks)))
        cut -d" " -f2 out | sort -un | diff - <(seq 0 $((ranks - 1)))
        grep -q "on $ranks ranks, 1 node, $ranks slots" err
        grep -c "^rank " err | grep -qx "$ranks"
        ! grep -E "LOST|never came" err || exit 1
        "$DISTRIBUTEX" output $((8 * ranks)) | grep -q "^$((8 * ranks)) "
    '
done

test_case "more ranks than cores: one slot each" '
    for i in $(seq 20); do echo "echo \$DTX_SLOT; sleep 0.1"; done >list
    n=$(($(nproc) + 1))
    [ "$n" -le 5 ] || n=5
    expect_status 0 mpi "$n" list >out 2>err
    [ "$(sort -un out | wc -l)" -eq "$(sed -n \
        "s/.* nodes*, \([0-9]*\) slots.*/\1/p" err)" ] || fail "$(cat err)"
    sort -un out | diff - <(seq "$(sort -n out | tail -n 1)")
'

test_case "-j is divided among the ranks of a node, slots are unique" '
    for i in $(seq 10); do
        echo "mkdir s\$DTX_SLOT && sleep 0.15 && rmdir s\$DTX_SLOT &&" \
            "echo \$DTX_SLOT"
    done >list
    expect_status 0 mpi 2 -q -j 5 list >out
    sort -un out | diff - <(seq 5)
'

test_case "steals move tasks away from behind a long one" '
    echo "sleep 1.2" >list
    for i in 1 2 3 4 5; do echo "sleep 0.1; echo \$DTX_RANK"; done >>list
    expect_status 0 mpi 2 -j 2 list >out 2>err
    grep -Eq "[1-9][0-9]* steals? moved [1-9]" err || fail "$(cat err)"
    # all five on the rank that had not the long one
    [ "$(sort -u out | wc -l)" -eq 1 ] || fail "$(cat out err)"
    grep -q "^rank .*: 1 task, .* gave [1-9]" err || fail "$(cat err)"
    grep -q "^rank .*: 5 tasks, .* stole [1-9]" err || fail "$(cat err)"
'

test_case "steals among three ranks, by distance and blindly" '
    echo "sleep 1.2" >list
    for i in $(seq 8); do echo "sleep 0.1; echo \$DTX_RANK"; done >>list
    for option in "" --blind-steals; do
        # shellcheck disable=SC2086 # none, or one
        expect_status 0 mpi 3 -j 3 $option list >out 2>err
        grep -Eq "[1-9][0-9]* steals? moved [1-9]" err || fail "$(cat err)"
        [ "$(sort -u out | wc -l)" -eq 2 ] || fail "$(cat out err)"
    done
'

policies=$("$DISTRIBUTEX" help policies |
    sed -n 's/^  \([a-z][a-z]*\) .*/\1/p')
test_case "all policies run every task once on three ranks" '
    for i in $(seq 60); do echo "echo $i >>ran"; done >list
    printf "#DTX after=1-60\nwc -l <ran\n" >>list
    for p in $policies; do
        rm -f ran
        expect_status 0 mpi 3 -q --policy "$p" list >out
        sort -n ran | diff - <(seq 60) || fail "policy $p"
        grep -qx 60 out || fail "policy $p"
    done
'

test_case "the status comes through mpirun; nothing is doubled on stdout" '
    printf "%s\n" "echo a; false" "echo b; exit 9" "echo c" >list
    expect_status 2 mpi 2 -q list >out 2>err
    # mpirun may have its own words on a status that is not 0
    printf "%s\n" a b c | diff - <(grep -x "[abc]" out | sort)
'

test_case "dependencies, retries and timeouts across ranks" '
    cat >list <<-"END"
	#DTX name=a
	sleep 0.2; touch a1
	#DTX name=a
	sleep 0.1; touch a2
	#DTX name=b after=a retries=3
	[ -e a1 ] && [ -e a2 ] && [ $DTX_ATTEMPT = 3 ]
	#DTX after=b timeout=200ms
	sleep 30
	#DTX after=4
	touch never
	END
    expect_status 2 mpi 3 --retry-delay 10ms list 2>err
    [ ! -e never ]
    grep -q "3 succeeded, 1 failed, 1 skipped" err || fail "$(cat err)"
'

if command -v script >/dev/null; then
    test_case "--ranks on a terminal: a progress line, as wide as it" '
        yes "sleep 0.2" | head -n 12 >list
        for options in "" "--bar -q"; do
            timeout -k 5 40 script -qec "stty cols 40; exec \"$DISTRIBUTEX\" \
                run --ranks 2 $options list" /dev/null >out 2>&1 </dev/null
            tr "\r" "\n" <out | sed -n "s/^.\[K\([0-9]\)/\1/p" >lines
            grep -q "^[0-9]* of 12 done" lines || fail "$(cat -A out)"
            awk "length > 39 { exit 1 }" lines || fail "$(cat -A lines)"
        done
        timeout -k 5 40 "$DISTRIBUTEX" run --ranks 2 list >out 2>&1
        ! grep -q "running" out || fail "$(cat out)"
    '
else
    skip_case "--ranks on a terminal" "no script(1)"
fi

# Two ranks on a core each, as mpirun binds them; what tasks start with mpirun
# stays on its task's core.
if [ "$(nproc)" -ge 2 ]; then
    test_case "mpirun in a task stays on the cores of the task" '
        for i in 1 2 3 4; do
            echo "grep ^Cpus_allowed_list: /proc/self/status; $MPIRUN -n 2" \
                "--oversubscribe grep ^Cpus_allowed_list: /proc/self/status"
        done >list
        expect_status 0 timeout -k 5 40 "$MPIRUN" -n 2 --bind-to core \
            "$DISTRIBUTEX" run -q --keep-order --policy static list >out
        [ "$(wc -l <out)" -eq 12 ] || fail "$(cat out)"
        # three lines of each task, all the same; but not of all tasks
        awk "NR % 3 == 1 { first = \$2 } \$2 != first { exit 1 }" out ||
            fail "$(cat out)"
        [ "$(sort -u out | wc -l)" -eq 2 ] || fail "$(cat out)"
    '
else
    skip_case "mpirun in a task" "one core"
fi

test_case "large outputs of all ranks are shown whole" '
    for i in 1 2 3 4; do
        echo "yes $i$i$i$i$i$i$i | head -c 8000000; sleep 0.1"
    done >list
    expect_status 0 mpi 2 -q --run-dir d list >out
    [ "$(stat -c %s out)" -eq 32000000 ]
    # in one piece each: three changes of line
    [ "$(uniq out | wc -l)" -eq 4 ]
    "$DISTRIBUTEX" output d 3 | uniq | grep -qx 3333333
'

test_case "errors before the start, once and without a run" '
    printf "%s\n" "touch ran" "#DTX after=nobody" true >bad
    expect_status 103 mpi 2 bad >out 2>&1
    grep -c "bad:2: " out | grep -qx 1 || fail "$(cat out)"
    echo "touch ran" >list
    expect_status 102 mpi 2 --no-such list >out 2>&1
    printf "#DTX cpus=60000\ntouch ran\n" >wide
    expect_status 103 mpi 2 wide >out 2>&1
    grep -c cpus=60000 out | grep -qx 1 || fail "$(cat out)"
    mpi 2 -q --run-dir d list
    rm ran
    expect_status 104 mpi 2 --run-dir d list >out 2>&1
    grep -c "holds a job already" out | grep -qx 1 || fail "$(cat out)"
    [ ! -e ran ]
'

test_case "--ranks launches mpirun and knows the status by its marker" '
    printf "%s\n" "echo a \$DTX_RANK" "echo b \$DTX_RANK" "exit 4" \
        false >list
    expect_status 2 dtx --ranks 2 --run-dir d list >out 2>err
    grep -q "^a " out && grep -q "^b " out
    grep -q "on 2 ranks" err
    # mpirun has nothing to say about it
    ! grep -iE "mpirun|primary job" err out || exit 1
    [ -z "$(ls -A d | grep exit-)" ] || fail "$(ls -A d)"
    yes false | head -n 110 >list
    expect_status 101 dtx --ranks 2 -q list
    printf "%s\n" "#DTX nonsense" >bad
    expect_status 103 dtx --ranks 2 -q --run-dir e bad
    [ ! -e e ] || fail "left: $(ls -A e)"
'

test_case "--ranks takes a launcher by option and by variable" '
    echo "echo fine" >list
    expect_status 110 dtx --ranks 2 --mpirun ./not-there list 2>err
    grep -q "cannot run ./not-there" err
    printf "#!/bin/sh\necho launched >&2\nexec %s \"\$@\"\n" \
        "$(command -v "$MPIRUN")" >my-mpirun
    chmod +x my-mpirun
    expect_status 0 dtx --ranks 2 -q --mpirun ./my-mpirun list >out 2>err
    grep -q launched err && grep -qx fine out
'

test_case "a batch shell with SLURM_PROCID set is not a rank" '
    printf "echo x >>ran\n" >list
    SLURM_PROCID=0 SLURM_NTASKS=8 SLURM_JOB_ID=7 SLURM_LOCALID=0 \
        expect_status 0 dtx -q list
    [ "$(wc -l <ran)" -eq 1 ]
    [ -d distributex-7 ]
'

test_case "N copies without a common MPI are refused with the remedy" '
    echo "touch ran" >list
    SLURM_STEP_NUM_TASKS=2 SLURM_PROCID=0 expect_status 110 dtx list 2>err
    grep -q -e "--mpi=pmix" err || fail "$(cat err)"
    SLURM_STEP_NUM_TASKS=2 SLURM_PROCID=1 expect_status 110 dtx list 2>err
    [ ! -s err ] || fail "one of them speaks: $(cat err)"
    PMI_SIZE=4 PMI_RANK=0 expect_status 110 dtx list 2>err
    [ ! -e ran ]
'

test_case "a task may itself call mpirun" '
    unset OMPI_MCA_rmaps_base_oversubscribe
    printf "%s\n" "$MPIRUN -n 2 --oversubscribe hostname" \
        "#DTX cpus=2" "$MPIRUN -n 2 hostname" >list
    expect_status 0 dtx -q -j 2 list >out
    [ "$(wc -l <out)" -eq 4 ]
    [ "$(sort -u out)" = "$(hostname)" ] || fail "$(cat out)"
    expect_status 0 mpi 2 -q -j 4 list >out
    [ "$(wc -l <out)" -eq 4 ] || fail "$(cat out)"
'

test_case "a task may itself call distributex, with ranks and without" '
    seq -f "echo in %g" 4 >in
    printf "%s\n" "$DISTRIBUTEX run -q in" \
        "$DISTRIBUTEX run -q --ranks 2 in" \
        "$MPIRUN -n 2 --oversubscribe $DISTRIBUTEX run -q in" >list
    expect_status 0 mpi 2 -q list >out
    sort out | uniq -c | awk "{ print \$1 }" | sort -u | grep -qx 3 ||
        fail "$(cat out)"
    [ "$(wc -l <out)" -eq 12 ]
'

test_case "a job without work to do ends soon, whoever comes late" '
    : >empty
    start=$SECONDS
    for i in 1 2 3 4 5; do
        expect_status 0 mpi 3 -q empty
    done
    [ $((SECONDS - start)) -lt 15 ] || fail "took $((SECONDS - start)) s"
'

test_case "--ranks: | head -1: the job goes on, mpirun is spared" '
    for i in $(seq 60); do echo "echo line $i; seq 3000"; done >list
    {
        code=0
        dtx --ranks 2 -q --run-dir d list || code=$?
        echo "$code" >status
    } 2>err | head -n 1 >out
    [ "$(cat status)" = 0 ] || fail "status $(cat status): $(cat err)"
    [ ! -s err ] || fail "$(cat err)"
    "$DISTRIBUTEX" output d 60 | wc -l | grep -qx 3001
'

test_case "nothing is left behind after all this" '
    printf "%s\n" "setsid sleep 33 & true" "sleep 34 & true" >list
    expect_status 0 mpi 2 -q list
    wait_for 2 nothing_left
'

test_done
