#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kill -9 of one process of a job: a rank, its spawner, the launcher, the
# supervisor. The others go, no task lives on, and a resume finishes the job.

# shellcheck source=tests/cli/lib.sh
. "$srcdir/tests/cli/lib.sh"
# shellcheck source=tests/cli/job.sh
. "$srcdir/tests/cli/job.sh"
unset "${!DTX_@}" "${!SLURM_@}"
# MPI libraries leak by themselves, and what is killed leaks all it had
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

# stubborn: tasks that leave all kinds of children, and never end.
stubborn() {
    cat <<-'END'
	touch b1; sleep 63
	touch b2; trap "" TERM HUP INT; while :; do sleep 0.1; done
	touch b3; setsid sleep 64 & sleep 63
	touch b4; setsid sh -c "trap '' TERM; sleep 65 & sleep 66" & exit 0
	touch b5; (setsid sh -c "(setsid sleep 67 &) ; sleep 68" &) ; sleep 69
	END
}

test_case "a killed process: no task lives two seconds later" '
    stubborn >list
    begin "$DISTRIBUTEX" run -q -j 5 --run-dir d list
    wait_for 10 "[ -e b1 ] && [ -e b2 ] && [ -e b3 ] && [ -e b4 ] &&
        [ -e b5 ]"
    kill -KILL "$job"
    wait "$job" || true
    gone 2
'

# kill_named COMM: kill -9 the processes of this name.
kill_named() {
    local pid
    for pid in $(marked); do
        [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != "$1" ] ||
            kill -KILL "$pid"
    done
}

for name in dtx-spawner dtx-watcher; do
    export name
    test_case "a killed $name: the job ends, its tasks with it" '
        stubborn >list
        begin "$DISTRIBUTEX" run -j 5 --run-dir d list
        wait_for 10 "[ -e b1 ] && [ -e b2 ] && [ -e b3 ] && [ -e b4 ] &&
            [ -e b5 ]"
        kill_named "$name"
        ended 108
        grep -q "the process that runs the tasks has died" err
        gone 2
    '
done

test_case "a process and its spawner killed at once: no task lives on" '
    stubborn >list
    begin "$DISTRIBUTEX" run -q -j 5 --run-dir d list
    wait_for 10 "[ -e b1 ] && [ -e b2 ] && [ -e b3 ] && [ -e b4 ] && [ -e b5 ]"
    kill -STOP "$job"
    kill_named dtx-spawner
    kill -KILL "$job"
    wait "$job" || true
    gone 2
'

if [ -n "$no_mpi" ]; then
    skip_case "killing one of several ranks" "$no_mpi"
    test_done
fi

# kill_one RANK COMMAND...: kill -9 a rank in the middle of a job that mpirun
# ends then; it leaves nothing, and a resume finishes it.
kill_one() {
    local rank=$1 lines
    shift
    own_tmp
    bag 120 "$rank"
    echo 'echo 121 >>began; [ -e go ] || sleep 70; echo 121 >>ended' >>list
    begin "$@" -q -j 4 --run-dir d list
    wait_for 20 "[ -e ended ] && [ \$(wc -l <ended) -ge 40 ]"
    kill -KILL "$(rank_pid "$rank")"
    status=0
    wait "$job" || status=$?
    [ "$status" -ne 0 ]
    gone 3
    recorded >finished
    [ -s finished ]
    lines=$(wc -l <began)
    touch go
    timeout -k 5 40 "$DISTRIBUTEX" run -q --resume -j 4 --run-dir d
    tail -n +$((lines + 1)) began >later
    both finished later >again
    [ ! -s again ] || fail "finished tasks ran again: $(cat again)"
    sort -nu ended | diff - <(seq 121)
    recorded | sort -n | diff - <(seq 121)
}

for rank in 0 1; do
    export rank
    test_case "rank $rank of two is killed under mpirun" '
        kill_one "$rank" "$MPIRUN" -n 2 --oversubscribe --bind-to none \
            "$DISTRIBUTEX" run
    '
    # without recovery the supervisor is told that the job has ended
    test_case "rank $rank of two is killed under the supervisor" '
        export OMPI_MCA_orte_enable_recovery=0
        kill_one "$rank" "$DISTRIBUTEX" run --ranks 2 --relaunch 0
        [ "$status" -eq 108 ] || fail "status $status"
    '
done

test_case "a killed supervisor takes the job with it" '
    own_tmp
    for i in $(seq 40); do echo "echo $i >>began; sleep 0.2"; done >list
    begin "$DISTRIBUTEX" run -q --ranks 2 -j 2 --run-dir d list
    wait_for 20 "[ -e began ]"
    kill -KILL "$job"
    wait "$job" || true
    gone 8
    timeout -k 5 40 "$DISTRIBUTEX" run -q --resume -j 20 --run-dir d
    sort -nu began | diff - <(seq 40)
'

test_case "a killed mpirun takes the ranks and the tasks with it" '
    own_tmp
    for i in $(seq 40); do echo "echo $i >>began; sleep 0.2"; done >list
    begin "$MPIRUN" -n 2 --oversubscribe --bind-to none \
        "$DISTRIBUTEX" run -q -j 2 --run-dir d list
    wait_for 20 "[ -e began ]"
    kill -KILL "$job"
    wait "$job" || true
    gone 8
    timeout -k 5 40 "$DISTRIBUTEX" run -q --resume -j 20 --run-dir d
    sort -nu began | diff - <(seq 40)
'

test_done
