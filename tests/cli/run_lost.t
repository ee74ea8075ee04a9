#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/cli/run_lost.t - what a job rests on is taken away while it runs
. "$srcdir/tests/cli/lib.sh"
. "$srcdir/tests/cli/job.sh"

# lose_directory OPTION...: the run directory of a running job is removed.
lose_directory() {
    local i
    for i in $(seq 8); do
        echo "echo $i >>began; sleep 0.3"
    done >list
    begin timeout -k 5 40 "$DISTRIBUTEX" run --run-dir d "$@" list
    wait_for 20 "test -s began"
    rm -rf d
    ended 107
    grep -q "error: $PWD/d: the journal has been removed" err ||
        fail "$(cat err)"
    ! grep -q "did not come up" err || fail "$(cat err)"
    gone 5
}

test_case "a run directory that is removed ends the job with an error" '
    lose_directory -j1
'

if [ -z "$no_mpi" ]; then
    test_case "likewise with two ranks" '
        own_tmp
        lose_directory --ranks 2
    '

    test_case "resume at once after kill -9 of the launcher" '
        own_tmp
        bag 40 7
        begin timeout -k 5 40 "$DISTRIBUTEX" run --ranks 2 --run-dir d list
        wait_for 20 "test -s ended"
        launcher=
        for pid in $(job_pids); do
            case $(readlink "/proc/$pid/exe") in
                */mpirun | */orterun | */prterun) launcher=$pid ;;
            esac
        done
        [ -n "$launcher" ] || fail "no launcher"
        kill -KILL "$launcher"
        start=$SECONDS
        timeout -k 5 30 "$DISTRIBUTEX" run --resume --run-dir d >again 2>err2 ||
            fail "status $?: $(cat err2)"
        [ $((SECONDS - start)) -le 20 ] || fail "$((SECONDS - start)) s"
        wait "$job" || true
        [ "$(recorded | sort -u | wc -l)" -eq 40 ] || fail "$(recorded)"
        gone 5
    '

    test_case "fewer jobs than ranks are warned of" '
        own_tmp
        echo "echo hello" >list
        timeout -k 5 40 "$DISTRIBUTEX" run --ranks 2 -j1 list >out 2>err
        grep -qx hello out
        grep -q "warning: every rank has at least one slot: 2, more than --jobs 1" err
    '
else
    skip_case "removal with two ranks, resume, jobs" "$no_mpi"
fi

test_done
