#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kill -9 of a whole job at random moments, then a resume: nothing that was
# recorded as finished runs again, nothing is missing, no orphan lives.
#
# DTX_KILL_ROUNDS (20) rounds, from DTX_KILL_SEED (1); round n has the seed
# DTX_KILL_SEED + n - 1 and says so when it fails.

# shellcheck source=tests/cli/lib.sh
. "$srcdir/tests/cli/lib.sh"
rounds=${DTX_KILL_ROUNDS:-20}
first_seed=${DTX_KILL_SEED:-1}
unset "${!DTX_@}" "${!SLURM_@}"
: "${MPIRUN:=mpirun}"
: "${JOURNAL_DUMP:=$builddir/tests/cli/journal_dump}"
# MPI libraries leak by themselves, and what is killed leaks all it had
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

command -v "$MPIRUN" >/dev/null || no_mpi="no launcher ($MPIRUN)"

# What a killed mpirun leaves in shared memory and in /tmp goes with the case.
own_tmp() {
    mkdir tmp
    export TMPDIR=$PWD/tmp
    export OMPI_MCA_btl_vader_backing_directory=$TMPDIR
}

# begin COMMAND...: in the background, in a process group of its own.
begin() {
    set -m
    "$@" >>out 2>>err &
    set +m
    job=$!
}

# job_pids: the processes of the job itself: launcher and ranks, but neither
# the spawners, which must clean up, nor the tasks.
job_pids() {
    local pid exe
    for pid in $(marked); do
        exe=$(readlink "/proc/$pid/exe") || continue
        case ${exe##*/} in
            *distributex* | mpirun* | orte* | prte* | timeout) ;;
            *) continue ;;
        esac
        [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != dtx-spawner ] || continue
        [ "$pid" = "$BASHPID" ] || echo "$pid"
    done
}

# kill_job: all of them at once, and whoever was being forked meanwhile.
kill_job() {
    local pids
    for _ in 1 2; do
        pids=$(job_pids)
        # shellcheck disable=SC2086
        [ -z "$pids" ] || kill -KILL $pids 2>/dev/null || true
    done
    wait "$job" || true
}

# recorded: the numbers of the tasks that are finished, as the journal has it.
recorded() {
    "$JOURNAL_DUMP" d/journal | sed -n 's/^task \([0-9]*\) final ok .*/\1/p' |
        sort -n
}

# bag N SEED: a list of N tasks of 0 to 30 ms that note when they begin and
# end. Some leave daemons behind.
bag() {
    local i more
    RANDOM=$2
    for i in $(seq "$1"); do
        more=
        case $((RANDOM % 25)) in
            0) more='setsid sleep 61 & ' ;;
            1) more='(trap "" TERM; setsid sleep 62) & ' ;;
        esac
        printf '%secho %d >>began; sleep 0.0%02d; echo %d >>ended; echo o%d\n' \
            "$more" "$i" $((RANDOM % 31)) "$i" "$i"
    done >list
}

# after LINE: what began after that line of the log, as numbers.
after() {
    tail -n +"$(($1 + 1))" began | sort -n
}

# A round: run, kill, look; resume, perhaps kill and look again; resume.
kill_and_resume() {
    local seed=$1 ranks=$2 kills=1 most=650 how=() lines again
    own_tmp
    bag 150 "$seed"
    # about as long as it takes
    [ "$ranks" = 1 ] || { how=(--ranks "$ranks") && most=1100; }
    [ $((RANDOM % 3)) -ne 0 ] || kills=2
    begin "$DISTRIBUTEX" run -q -j 4 --run-dir d "${how[@]}" list
    for _ in $(seq $kills); do
        kill_at=$((RANDOM % most))
        sleep "$((kill_at / 1000)).$(printf %03d $((kill_at % 1000)))"
        kill_job
        wait_for 2 nothing_left || fail "orphans: $(others | xargs ps -fp)"
        : >done_before
        [ ! -s d/journal ] || recorded >done_before
        cp -r d d.killed 2>/dev/null || true
        lines=$(cat began 2>/dev/null | wc -l)
        touch ended
        sort -n ended | comm -23 done_before - | grep . &&
            fail "recorded, but they had not ended"
        if [ -e d/journal ]; then
            begin "$DISTRIBUTEX" run -q -j 4 --run-dir d "${how[@]}" \
                --resume list
        else
            rm -rf d
            begin "$DISTRIBUTEX" run -q -j 4 --run-dir d "${how[@]}" list
        fi
    done
    wait "$job" || fail "the resumed job ended with $?: $(tail -n 20 err)"
    again=$(after "$lines" | comm -12 done_before -)
    [ -z "$again" ] || fail "finished tasks ran again: $again"
    sort -nu ended | diff - <(seq 150) || fail "not all tasks ran"
    recorded | diff - <(seq 150) || fail "not all recorded once"
    for i in 1 $((RANDOM % 150 + 1)) 150; do
        "$DISTRIBUTEX" output d "$i" | grep -qx "o$i" || fail "output of $i"
    done
    wait_for 2 nothing_left
}

# what comm compares has to be sorted as comm sorts
comm() {
    local a b
    a=$(mktemp) && b=$(mktemp)
    LC_ALL=C sort "${2/#-/\/dev/stdin}" >"$a"
    LC_ALL=C sort "${3/#-/\/dev/stdin}" >"$b"
    LC_ALL=C command comm "$1" "$a" "$b"
    rm -f "$a" "$b"
}

for round in $(seq "$rounds"); do
    seed=$((first_seed + round - 1))
    ranks=$((1 + round % 2))
    [ -z "${no_mpi:-}" ] || ranks=1
    export seed ranks
    test_case "round $round: $ranks rank(s), seed $seed" '
        echo "again: DTX_KILL_SEED=$seed DTX_KILL_ROUNDS=1" \
            "make check TESTS=tests/cli/run_kill.t"
        kill_and_resume "$seed" "$ranks"
    '
done

# ---- one process of many ----

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
    wait_for 10 "[ -e b1 ] && [ -e b2 ] && [ -e b3 ] && [ -e b4 ] && [ -e b5 ]"
    kill -KILL "$job"
    wait "$job" || true
    wait_for 2 nothing_left || fail "$(others | xargs ps -fp)"
'

test_case "a killed spawner: the job ends, its tasks with it" '
    stubborn | head -n 3 >list
    begin "$DISTRIBUTEX" run -j 3 --run-dir d list
    wait_for 10 "[ -e b1 ] && [ -e b2 ] && [ -e b3 ]"
    for pid in $(marked); do
        [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != dtx-spawner ] ||
            kill -KILL "$pid"
    done
    expect_status 108 wait "$job"
    grep -q "the process that runs the tasks has died" err
    # what had left its group cannot be found by anybody any more
    wait_for 2 "! marked | xargs -r ps -o args= -p | grep -q \"sleep 63\""
'

if [ -n "${no_mpi:-}" ]; then
    skip_case "killing one of several ranks" "$no_mpi"
    test_done
fi

# rank_pid N: the process of rank N.
rank_pid() {
    local pid
    for pid in $(job_pids); do
        ! tr '\0' '\n' <"/proc/$pid/environ" |
            grep -qx "OMPI_COMM_WORLD_RANK=$1" || echo "$pid"
    done
}

# kill_one LAUNCH...: kill -9 a rank in the middle; the job ends, leaves
# nothing, and a resume finishes it.
kill_one() {
    local rank=$1 before lines
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
    wait_for 3 nothing_left || fail "$(others | xargs ps -fp)"
    recorded >done_before
    [ -s done_before ]
    lines=$(wc -l <began)
    touch go
    timeout -k 5 40 "$DISTRIBUTEX" run -q --resume -j 4 --run-dir d
    before=$(after "$lines" | comm -12 done_before -)
    [ -z "$before" ] || fail "finished tasks ran again: $before"
    sort -nu ended | diff - <(seq 121)
    recorded | diff - <(seq 121)
}

for rank in 0 1; do
    export rank
    test_case "rank $rank of two is killed under mpirun" '
        kill_one "$rank" "$MPIRUN" -n 2 --oversubscribe --bind-to none \
            "$DISTRIBUTEX" run
    '
    test_case "rank $rank of two is killed under the supervisor" '
        kill_one "$rank" "$DISTRIBUTEX" run --ranks 2
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
    wait_for 8 nothing_left || fail "$(others | xargs ps -fp)"
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
    wait_for 8 nothing_left || fail "$(others | xargs ps -fp)"
    timeout -k 5 40 "$DISTRIBUTEX" run -q --resume -j 20 --run-dir d
    sort -nu began | diff - <(seq 40)
'

test_done
