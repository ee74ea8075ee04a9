#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Stopping a job: what drains, what kills, what status it leaves with, that
# nothing is left running and that a resume goes on.

# shellcheck source=tests/cli/lib.sh
. "$srcdir/tests/cli/lib.sh"
# shellcheck source=tests/cli/job.sh
. "$srcdir/tests/cli/job.sh"
unset "${!DTX_@}" "${!SLURM_@}"

# tasks N SECONDS: a list of tasks that tell when they begin and end.
tasks() {
    local i
    for i in $(seq "$1"); do
        echo "echo $i >>began; sleep $2; echo $i >>done"
    done >list
}

began() {
    cat began 2>/dev/null | wc -l
}

# drained: something was begun, all of it has ended, not all tasks were begun.
drained() {
    [ "$(began)" -gt 0 ] && [ "$(began)" -lt "$(wc -l <list)" ] ||
        fail "begun: $(began): $(cat err)"
    sort began | diff - <(sort "done") || fail "not ended: $(cat err)"
    gone 1
}

# goes_on [OPTION...]: a resume runs the rest, each task once in all.
goes_on() {
    timeout -k 5 50 "$DISTRIBUTEX" run -q --resume --run-dir d "$@"
    sort -n began | diff - <(seq "$(wc -l <list)")
}

for sig in INT TERM USR1 HUP; do
    export sig
    test_case "one process: $sig drains" '
        tasks 12 0.5
        begin "$DISTRIBUTEX" run -j 2 --run-dir d list
        wait_for 10 "[ \$(began) -ge 2 ]"
        kill -"$sig" "$job"
        case $sig in USR1) ended 106 ;; *) ended 105 ;; esac
        drained
        grep -q "nothing new is started" err
        grep -q "left to do" err
        goes_on -j 12
    '
done

test_case "many TERM and USR1, one INT: still a drain" '
    tasks 12 0.8
    begin "$DISTRIBUTEX" run -j 2 --run-dir d list
    wait_for 10 "[ \$(began) -ge 2 ]"
    for i in 1 2 3; do
        kill -TERM "$job"
        sleep 0.05
        kill -USR1 "$job"
        sleep 0.05
    done
    kill -INT "$job"
    ended 105
    drained
'

test_case "a second INT kills at once; killed tasks run again" '
    for i in 1 2 3 4 5; do
        echo "echo $i >>began; [ -e go ] || sleep 71 & wait \$!"
    done >list
    begin "$DISTRIBUTEX" run -j 2 --run-dir d list
    wait_for 10 "[ \$(began) -eq 2 ]"
    kill -INT "$job"
    sleep 0.3
    kill -0 "$job"
    kill -INT "$job"
    ended 130
    gone 2
    "$JOURNAL_DUMP" d/journal | grep -c " final " | grep -qx 0
    touch go
    rm began
    goes_on
'

test_case "what ignores TERM is killed after the grace" '
    echo "trap \"\" TERM INT HUP; touch began; while :; do sleep 0.1; done" \
        >list
    begin "$DISTRIBUTEX" run --term-grace 300ms list
    wait_for 10 "[ -e began ]"
    kill -INT "$job"
    sleep 0.2
    kill -INT "$job"
    ended 130
    gone 2
'

test_case "a task that waits for its next attempt does not hold up a drain" '
    echo "echo x >>began; false" >list
    begin "$DISTRIBUTEX" run --retries 2 --retry-delay 40s --run-dir d list
    wait_for 10 "[ -e began ]"
    sleep 0.2
    start=$SECONDS
    kill -TERM "$job"
    ended 105
    [ $((SECONDS - start)) -lt 10 ]
'

test_case "distributex stop drains; without a job it says so" '
    tasks 12 0.5
    begin "$DISTRIBUTEX" run -j 2 --run-dir d list
    wait_for 10 "[ \$(began) -ge 2 ]"
    expect_status 0 "$DISTRIBUTEX" stop d >said
    grep -q "asked the job" said
    ended 105
    drained
    expect_status 104 "$DISTRIBUTEX" stop d 2>said
    grep -q "no job runs" said
    goes_on -j 12
'

test_case "a stop that came too late stops no resume" '
    tasks 3 0.1
    begin "$DISTRIBUTEX" run -j 3 --run-dir d list
    wait_for 10 "[ \$(began) -ge 3 ]"
    "$DISTRIBUTEX" stop d || true
    wait "$job" || true
    goes_on
'

test_case "a signal while a long list is built: heeded at once" '
    "$DISTRIBUTEX" run --run-dir d --array 1-20000000 true 2>err &
    pid=$!
    # TERM is caught from here on
    wait_for 20 "grep -q distributex /proc/$pid/comm &&
        grep -q SigCgt:.*[4-7c-f]...\$ /proc/$pid/status"
    kill -TERM $pid
    expect_status 130 wait $pid
    grep -q "stopped while the list was .*: nothing was run" err ||
        fail "$(cat err)"
    [ ! -e d ]
'

test_case "nohup: the end of the terminal does not stop the job" '
    tasks 4 0.2
    begin nohup "$DISTRIBUTEX" run -j 1 list
    wait_for 10 "[ \$(began) -ge 1 ]"
    kill -HUP "$job"
    ended 0
    [ "$(wc -l <done)" -eq 4 ]
'

test_case "a reader that does not read does not hold up a second INT" '
    mkfifo pipe
    sleep 45 <pipe &
    for i in $(seq 20); do echo "yes | head -c 100000"; done >list
    set -m
    "$DISTRIBUTEX" run --run-dir d list >pipe 2>err &
    job=$!
    set +m
    wait_for 10 "[ -s d/journal ] && [ \$(recorded | wc -l) -eq 20 ]"
    sleep 0.3
    kill -INT "$job"
    sleep 0.3
    kill -INT "$job"
    start=$SECONDS
    ended 0
    [ $((SECONDS - start)) -lt 10 ]
'

if [ -n "$no_mpi" ]; then
    skip_case "stopping several ranks" "$no_mpi"
    test_done
fi
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

for sig in INT TERM; do
    export sig
    test_case "--ranks 2: $sig drains" '
        tasks 16 0.5
        begin "$DISTRIBUTEX" run --ranks 2 -j 2 --run-dir d list
        wait_for 20 "[ \$(began) -ge 2 ]"
        kill -"$sig" "$job"
        ended 105
        drained
        goes_on -j 16
    '
done

test_case "--ranks 2: HUP drains" '
    tasks 16 0.5
    begin "$DISTRIBUTEX" run --ranks 2 -j 2 --run-dir d list
    wait_for 20 "[ \$(began) -ge 2 ]"
    kill -HUP "$job"
    ended 105
    drained
    goes_on -j 16
'

test_case "--ranks 2: a second INT kills" '
    for i in 1 2 3 4 5; do
        echo "echo $i >>began; [ -e go ] || sleep 72 & wait \$!"
    done >list
    begin "$DISTRIBUTEX" run --ranks 2 -j 2 --run-dir d list
    wait_for 20 "[ \$(began) -eq 2 ]"
    kill -INT "$job"
    sleep 0.5
    kill -INT "$job"
    ended 130
    gone 2
    [ -z "$(ls -A d | grep exit-)" ] || fail "$(ls -A d)"
    touch go
    rm began
    goes_on
'

test_case "--ranks 2: INT while the ranks are only being started" '
    tasks 40 0.5
    begin "$DISTRIBUTEX" run --ranks 2 -j 2 --run-dir d list
    sleep 0.1
    kill -INT "$job"
    ended 105
    gone 1
    [ "$(began)" -lt 40 ]
    [ ! -e done ] || sort began | diff - <(sort "done")
'

# mpi RANKS ARGUMENT...: begin it under the user's own mpirun.
mpi() {
    local ranks=$1
    shift
    begin "$MPIRUN" -n "$ranks" --oversubscribe --bind-to none \
        "$DISTRIBUTEX" run "$@"
}

test_case "mpirun: USR1 is passed on and drains" '
    tasks 16 0.5
    mpi 2 -j 2 --run-dir d list
    wait_for 20 "[ \$(began) -ge 2 ]"
    kill -USR1 "$job"
    ended 106
    drained
    goes_on -j 16
'

test_case "mpirun: distributex stop drains" '
    tasks 16 0.5
    mpi 3 -j 3 --run-dir d list
    wait_for 20 "[ \$(began) -ge 2 ]"
    "$DISTRIBUTEX" stop d
    ended 105
    drained
'

for sig in INT TERM; do
    export sig
    test_case "mpirun: $sig to it saves the state and leaves nothing" '
        for i in $(seq 30); do
            echo "echo $i >>began; sleep 0.1; echo $i >>done"
        done >list
        echo "echo 31 >>began; [ -e go ] || sleep 73; echo 31 >>done" >>list
        # the long task first
        sed -i "1{h;d};\${p;x}" list
        mpi 2 -j 2 --run-dir d list
        wait_for 20 "[ \$(began) -ge 6 ]"
        kill -"$sig" "$job"
        wait "$job" || true
        gone 3
        # all that ended before the signal is recorded; one more task a slot
        # may have ended in the meantime
        recorded >finished
        [ "$(wc -l <finished)" -ge $(($(wc -l <done) - 2)) ] ||
            fail "$(wc -l <finished) of $(wc -l <done) are recorded"
        touch go
        timeout -k 5 50 "$DISTRIBUTEX" run -q --resume -j 8 --run-dir d
        sort -un done | diff - <(seq 31)
        # what was recorded ran once
        while read -r task; do
            id=$(sed -n "${task}s/^echo \([0-9]*\) .*/\1/p" list)
            [ "$(grep -cx "$id" began)" -eq 1 ] || fail "task $task ran again"
        done <finished
    '
done

test_done
