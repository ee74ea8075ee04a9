#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A joblog read back: --resume --joblog FILE LIST where there is no run
# directory to go on with.

# shellcheck source=tests/cli/lib.sh
. "$srcdir/tests/cli/lib.sh"
# shellcheck source=tests/cli/job.sh
. "$srcdir/tests/cli/job.sh"
unset "${!DTX_@}" "${!SLURM_@}"
export DTX_CONFIG=/dev/null

# tasks: five of them, the third fails.
tasks() {
    local i
    for i in 1 2 3 4 5; do
        [ $i -eq 3 ] && echo "echo $i >>ran; false" || echo "echo $i >>ran"
    done >list
}

# recorded_log: what GNU parallel (20221122) has written of tasks 1 to 3.
recorded_log() {
    printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' Seq Host Starttime \
        JobRuntime Send Receive Exitval Signal Command \
        1 : 1763946000.123 "     0.004" 0 0 0 0 "echo 1 >>ran" \
        3 : 1763946000.130 "     0.005" 0 0 1 0 "echo 3 >>ran; false" \
        2 : 1763946000.126 "     0.004" 0 0 0 0 "echo 2 >>ran" >log
}

# ran TASK...: exactly these have run.
ran() {
    sort ran | diff - <(printf '%s\n' "$@")
}

resume() {
    timeout -k 5 50 "$DISTRIBUTEX" run -q "$@" --joblog log list
}

test_case "--resume: half a line that a killed job has left does not stay" '
    tasks
    recorded_log
    printf "4\t:\t17639" >>log
    expect_status 1 resume --resume --run-dir first
    ran 4 5
    [ "$(wc -l <log)" -eq 6 ]
    expect_status 1 resume --resume --run-dir second
    ran 4 5
'

test_case "--resume: what the log tells of stands, failures as well" '
    tasks
    recorded_log
    expect_status 1 resume --resume
    ran 4 5
    [ "$(wc -l <log)" -eq 6 ]
    [ "$(grep -c "^Seq" log)" -eq 1 ]
'

test_case "from then on the journal is the truth" '
    tasks
    recorded_log
    expect_status 1 resume --resume --run-dir d
    ran 4 5
    rm ran
    # now there is a job: the log is only appended to
    expect_status 1 resume --resume --run-dir d
    [ ! -e ran ]
    expect_status 1 resume --resume-failed --run-dir d
    ran 3
'

test_case "--resume-failed and --retry-failed" '
    tasks
    recorded_log
    cp log saved
    expect_status 1 resume --resume-failed
    ran 3 4 5
    rm -r ran distributex-*
    cp saved log
    expect_status 105 resume --retry-failed
    ran 3
'

test_case "our own log; another order; a longer list" '
    tasks
    expect_status 1 timeout -k 5 50 "$DISTRIBUTEX" run -q --joblog log list
    rm -r ran distributex-*
    { echo "echo 6 >>ran"; tac list; } >other
    mv other list
    expect_status 1 resume --resume
    ran 6
'

# What an argument holds makes no line: neither of a task that has not run.
test_case "a command of several lines is one line, and read back" '
    args=("$(printf "one\n2\t:\t0\t0\t0\t0\t0\t0\techo two")" two)
    log_of() {
        timeout -k 5 50 "$DISTRIBUTEX" run -q --joblog log "$@" \
            "echo {} | grep -o ^[ot][a-z]* >>ran" ::: "${args[@]}"
    }
    expect_status 0 log_of
    [ "$(wc -l <log)" -eq 3 ] || fail "$(cat -A log)"
    [ "$(tr -dc "\\000" <log | wc -c)" -eq 1 ] || fail "$(cat -A log)"
    ran one two
    rm -r ran distributex-*
    sed -i "/echo two . grep/d" log
    expect_status 0 log_of --resume
    ran two
'

test_case "an empty log or none: all run" '
    tasks
    expect_status 1 resume --resume
    ran 1 2 3 4 5
'

test_case "a bad line is an error before anything ran" '
    tasks
    recorded_log
    echo "what is this" >>log
    expect_status 102 resume --resume 2>err
    grep -q "log:5: there are fewer than nine columns" err
    [ ! -e ran ]
    [ -z "$(ls -d distributex-* 2>/dev/null)" ]
'

test_case "the latest run directory of another job is not taken over" '
    "$DISTRIBUTEX" run -q echo ::: other
    tasks
    recorded_log
    cp log before
    expect_status 104 timeout -k 5 50 "$DISTRIBUTEX" run -q --resume \
        --joblog log list 2>err
    grep -q "knows no task of list: name the one meant with --run-dir" err
    cmp log before
    expect_status 1 timeout -k 5 50 "$DISTRIBUTEX" run -q --resume \
        --run-dir new --joblog log list
    ran 4 5
'

if [ -n "$no_mpi" ]; then
    skip_case "under mpirun" "$no_mpi"
else
    test_case "under mpirun" '
        own_tmp
        tasks
        recorded_log
        expect_status 1 resume --resume --ranks 2
        ran 4 5
    '
fi

if ! command -v parallel >/dev/null ||
    ! parallel --version 2>/dev/null | grep -q "GNU parallel"; then
    skip_case "a log that GNU parallel writes here" "no GNU parallel"
else
    test_case "a log that GNU parallel writes here" '
        tasks
        export HOME=$PWD
        head -3 list | parallel --joblog log 2>/dev/null </dev/stdin || true
        rm ran
        expect_status 1 resume --resume
        ran 4 5
    '
fi

test_done
