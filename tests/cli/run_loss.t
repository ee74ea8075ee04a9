#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/cli/run_loss.t - ranks and launchers that die or hang, and the job that
# ends well all the same

# shellcheck source=tests/cli/lib.sh
. "$srcdir/tests/cli/lib.sh"
# shellcheck source=tests/cli/job.sh
. "$srcdir/tests/cli/job.sh"
unset "${!DTX_@}" "${!SLURM_@}"
# MPI libraries leak by themselves, and what is killed leaks all it had
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

if [ -n "$no_mpi" ]; then
    skip_case "losing ranks" "$no_mpi"
    test_done
fi

# Open MPI 5 goes on without a rank with ULFM only, where this is built with it.
recovery=
if "$MPIRUN" --enable-recovery -n 1 --oversubscribe true >/dev/null 2>&1; then
    recovery=--enable-recovery
elif grep -q MPIX_Comm_failure_ack "$DISTRIBUTEX" &&
    "$MPIRUN" --with-ft ulfm -n 1 true >/dev/null 2>&1; then
    recovery="--with-ft ulfm"
fi

# shellcheck disable=SC2086
own_mpirun() {
    "$MPIRUN" $recovery -n "$1" --oversubscribe --bind-to none \
        "${@:2}"
}

# began N: wait until so many tasks have begun.
begun() {
    wait_for 20 "[ -e began ] && [ \$(wc -l <began) -ge $1 ]"
}

# all_once N: each of the N tasks has one recorded outcome; no file in lost/.
all_once() {
    recorded | sort -n | diff - <(seq "$1") || fail "not all recorded once"
    [ ! -e d/lost ] || fail "left: $(ls d/lost)"
}

if [ -n "$recovery" ]; then
    test_case "a worker rank that is killed: its tasks run elsewhere" '
        own_tmp
        held_bag 119 1
        begin "$DISTRIBUTEX" run --ranks 3 -j 6 --run-dir d list
        begun 30
        kill -KILL "$(rank_pid 2)"
        touch go
        ended 0
        all_once 120
        grep -q "^lost       rank 2 on .* after .*: " err || fail "$(cat err)"
        grep -q "LOST$" err
        gone 2
    '

    test_case "likewise under an mpirun of the user" '
        own_tmp
        held_bag 119 2
        begin own_mpirun 3 "$DISTRIBUTEX" run -j 6 --run-dir d list
        begun 30
        kill -SEGV "$(rank_pid 1)"
        touch go
        ended 0
        all_once 120
        grep -q "^lost       rank 1 on " err || fail "$(cat err)"
        gone 2
    '

    test_case "a rank that hangs is lost, and its tasks end before they run again" '
        own_tmp
        fence_bag 4
        begin "$DISTRIBUTEX" run --ranks 2 -j 4 --lost-after 2s --run-dir d list
        begun 4
        stopped=$(rank_pid 1)
        kill -STOP "$stopped"
        let_go 0 # its slots are free from now on
        begun 6  # the other two begin there, while there is no file go
        touch go
        ended 0
        all_once 4
        [ ! -e both ] || fail "ran twice at a time: $(cat both)"
        grep -Eq "rank 1 on .*(silent for|it stood still|signal 9)" err ||
            fail "$(cat err)"
        [ ! -e "/proc/$stopped" ] || fail "it lives"
        gone 2
    '

    test_case "what a rank says after it was given up is refused" '
        own_tmp
        fence_bag 4
        begin "$DISTRIBUTEX" run --ranks 2 -j 4 --lost-after 2s --run-dir d list
        begun 4
        spawner=$(spawner_pid 1)
        watcher=$(($(cut -d" " -f4 "/proc/$spawner/stat")))
        all="$(rank_pid 1) $watcher $spawner"
        kill -STOP $all # as if its machine was frozen, but for its tasks
        wait_for 20 "grep -q silent err"
        touch go
        wait_for 20 "[ \$(wc -l <began) -eq 6 ]"
        kill -CONT $all # it wakes up with two ends to tell
        ended 0
        "$JOURNAL_DUMP" d/journal | sort >records
        # task, whether final, how, attempt, rank: each once, by rank 0
        [ "$(grep -c "^task . final ok . 0 1$" records)" -eq 4 ] ||
            fail "$(cat records)"
        [ "$(grep -c "^task . final ok 2 0 1$" records)" -eq 2 ] ||
            fail "$(cat records)"
        [ "$(grep -c "^task . again lost 1 1 1$" records)" -eq 2 ]
        [ "$(grep -c "^task" records)" -eq 6 ]
        gone 4
    '

    test_case "the spawner of a rank dies: the rank leaves, the job goes on" '
        own_tmp
        held_bag 119 3
        begin "$DISTRIBUTEX" run --ranks 2 -j 4 --run-dir d list
        begun 20
        kill -KILL "$(spawner_pid 1)"
        touch go
        ended 0
        all_once 120
        grep -q "rank 1 on .* lost after" err || fail "$(cat err)"
        gone 2
    '

    # Task 1 ends whatever rank runs it but rank 0, where it fails and is tried
    # again; rank 0 is kept busy by another one until that is over.
    test_case "a task that ends its rank is set aside, and the others run" '
        own_tmp
        cat >killer <<-"END"
	#!/bin/sh
	[ "$DTX_RANK" != 0 ] || exit 1
	echo "$DTX_RANK" >>killed
	# above the task are the spawner, its watcher and the rank
	w=$(ps -o ppid= -p $PPID | tr -d " ")
	kill -KILL $(ps -o ppid= -p $w | tr -d " ")
	sleep 60
	END
        chmod +x killer
        bag 40 4
        sed -i "1s|.*|exec $PWD/killer|" list
        sed -i "2,\$s|^|while [ \$DTX_RANK = 0 ] \&\& [ ! -e go ]; do sleep 0.1; done; |" list
        begin "$DISTRIBUTEX" run --ranks 4 -j 4 --crash-limit 2 --retries 99 \
            --run-dir d list
        wait_for 30 "[ -e killed ] && [ \$(wc -l <killed) -ge 2 ] &&
            [ \$(grep -c \" lost after\" err) -ge 2 ]"
        touch go
        ended 1
        [ "$(wc -l <killed)" -eq 2 ] || fail "ran on $(cat killed)"
        recorded | sort -n | diff - <(seq 2 40)
        grep -q "failed     task 1 (line 1): set aside: it was running" err ||
            fail "$(cat err)"
        [ "$(grep -c "^lost       rank" err)" -eq 2 ] || fail "$(cat err)"
        gone 2
    '
else
    skip_case "worker ranks that die" "$MPIRUN does not go on without them"
fi

test_case "rank 0 is killed: the job is launched again and ends well" '
    own_tmp
    held_bag 119 5
    begin "$DISTRIBUTEX" run --ranks 2 -j 4 --run-dir d list
    begun 40
    recorded >before
    kill -KILL "$(rank_pid 0)"
    touch go
    ended 0
    all_once 120
    grep -q "supervisor: launching the rest of the job in 1.00 s (1 of 5)" err
    sort began | uniq -c | awk "\$1 > 1 {print \$2}" >twice
    both before twice >again
    [ ! -s again ] || fail "finished tasks ran again: $(cat again)"
    gone 2
'

test_case "rank 0 hangs: likewise" '
    own_tmp
    held_bag 119 6
    begin "$DISTRIBUTEX" run --ranks 2 -j 4 --lost-after 1s --run-dir d list
    begun 40
    kill -STOP "$(rank_pid 0)"
    touch go
    ended 0
    all_once 120
    gone 2
'

test_case "mpirun is killed: likewise; failed tasks stay failed" '
    own_tmp
    held_bag 119 7
    sed -i "3s|.*|exit 3|" list
    begin "$DISTRIBUTEX" run --ranks 2 -j 4 --run-dir d list
    begun 40
    kill -KILL "$(launcher_pid)"
    touch go
    ended 1
    recorded | sort -n | diff - <(seq 120 | grep -vx 3)
    gone 2
'

test_case "--relaunch 0: the loss of rank 0 ends the job, a resume finishes it" '
    own_tmp
    held_bag 119 8
    begin "$DISTRIBUTEX" run --ranks 2 -j 4 --relaunch 0 --run-dir d list
    begun 40
    kill -KILL "$(rank_pid 0)"
    touch go
    ended 108
    gone 4
    timeout -k 5 40 "$DISTRIBUTEX" run -q --resume -j 4 --run-dir d
    all_once 120
'

test_done
