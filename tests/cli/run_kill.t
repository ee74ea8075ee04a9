#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kill -9 of a whole job at random moments, then a resume: nothing that was
# recorded as finished runs again, nothing is missing, no orphan lives.
#
# DTX_KILL_ROUNDS (20) rounds, from DTX_KILL_SEED (1); round n has the seed
# DTX_KILL_SEED + n - 1 and says so when it fails.

rounds=${DTX_KILL_ROUNDS:-${TEST_LONG:+200}}
rounds=${rounds:-20}
first_seed=${DTX_KILL_SEED:-1}
# shellcheck source=tests/cli/lib.sh
. "$srcdir/tests/cli/lib.sh"
# shellcheck source=tests/cli/job.sh
. "$srcdir/tests/cli/job.sh"
unset "${!DTX_@}" "${!SLURM_@}"
# MPI libraries leak by themselves, and what is killed leaks all it had
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

# go RANKS [OPTION...]: begin the job, or go on with it.
go() {
    local how=(-q -j 4 --run-dir d)
    [ "$1" = 1 ] || how+=(--ranks "$1")
    begin "$DISTRIBUTEX" run "${how[@]}" "${@:2}" list
}

# look: what is true of a job that was killed; what is recorded as finished
# goes into the file finished, the lines of the log so far into $lines.
look() {
    gone 2
    : >finished
    [ ! -s d/journal ] || recorded >finished
    touch began ended
    lines=$(wc -l <began)
    only finished ended >wrong
    [ ! -s wrong ] || fail "recorded, but had not ended: $(cat wrong)"
}

# A round: run, kill, look, perhaps once more; resume.
kill_and_resume() {
    local ranks=$1 kills=1 most=650 at i
    own_tmp
    [ "$ranks" = 1 ] || most=1100 # about as long as it takes
    [ $((RANDOM % 3)) -ne 0 ] || kills=2
    go "$ranks"
    for _ in $(seq $kills); do
        at=$((RANDOM % most))
        sleep "$((at / 1000)).$(printf %03d $((at % 1000)))"
        kill_job
        look
        if [ -e d/journal ]; then
            go "$ranks" --resume
        else
            rm -rf d
            go "$ranks"
        fi
    done
    ended 0
    tail -n +$((lines + 1)) began >later
    both finished later >again
    [ ! -s again ] || fail "finished tasks ran again: $(cat again)"
    sort -nu ended | diff - <(seq 150) || fail "not all tasks ran"
    recorded | sort -n | diff - <(seq 150) || fail "not all recorded once"
    for i in 1 $((RANDOM % 150 + 1)) 150; do
        "$DISTRIBUTEX" output d "$i" | grep -qx "o$i" || fail "output of $i"
    done
    gone 2
}

for round in $(seq "$rounds"); do
    seed=$((first_seed + round - 1))
    ranks=$((1 + seed % 2))
    [ -z "$no_mpi" ] || ranks=1
    export seed ranks
    test_case "round $round: $ranks rank(s), seed $seed" '
        echo "again: DTX_KILL_SEED=$seed DTX_KILL_ROUNDS=1" \
            "make check TESTS=tests/cli/run_kill.t"
        bag 150 "$seed"
        kill_and_resume "$ranks"
    '
done

test_done
