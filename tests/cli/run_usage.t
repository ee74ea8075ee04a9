#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What classes of tasks use: one that waits is named, one that works is not.

# shellcheck source=tests/cli/lib.sh
. "$srcdir/tests/cli/lib.sh"
# shellcheck source=tests/cli/job.sh
. "$srcdir/tests/cli/job.sh"
unset "${!DTX_@}" "${!SLURM_@}"
export DTX_CONFIG=/dev/null

test_case "a class that waits is named, without a history as well" '
    for i in 1 2 3 4 5 6; do echo "sleep 0.2$i"; done >list
    timeout -k 5 50 "$DISTRIBUTEX" run -j 6 list 2>err
    grep "^usage      class \"sleep #\" uses [0-9]* % of its core: it waits" err ||
        fail "$(cat err)"
    grep -q "^usage .*more slots than cores may help (-j)" err
    timeout -k 5 50 "$DISTRIBUTEX" run -q -j 6 list 2>err
    if grep "^usage" err; then fail "-q tells"; fi
'

test_case "short tasks, and too few of them, are not spoken of" '
    yes true | head -n 50 >list
    timeout -k 5 50 "$DISTRIBUTEX" run -j 2 list 2>err
    echo "sleep 0.2" >list
    timeout -k 5 50 "$DISTRIBUTEX" run -j 2 list 2>>err
    if grep "^usage" err; then fail "it is"; fi
'

test_case "profile tells what classes and tasks used" '
    for i in 1 2 3; do echo "sleep 0.0$i"; done >list
    echo "sh -c '"'"'i=0; while [ \$i -lt 50000 ]; do i=\$((i+1)); done'"'"'" >>list
    echo false >>list
    timeout -k 5 50 "$DISTRIBUTEX" run -j 2 list 2>err && fail "all went well"
    "$DISTRIBUTEX" profile >out
    head -n 1 out | grep "^class .*cores .*IPC .*memory$" || fail "$(cat out)"
    grep "^sleep #  *3  *[0-9.]* ms  *0\.[0-9]*  .* [KM]iB$" out ||
        fail "$(cat out)"
    grep "^sh -c.* 1 .* [KM]iB$" out || fail "$(cat out)"
    grep "^1 of 5 attempts are left out" out || fail "$(cat out)"
    "$DISTRIBUTEX" profile --json >out
    grep "\"class\": \"sleep #\", \"n\": 3, \"mean\": 0\.[0-9]*, \"cores\": 0\.[0-9]*, .*\"peak_bytes\": [0-9]" out ||
        fail "$(cat out)"
    grep "^{\"attempts\": 5, .*" out && grep "\"left_out\": 1}$" out
'

test_case "profile of tasks: each attempt, absent is null" '
    for i in 1 2 3; do echo "sleep 0.0$i"; done >list
    timeout -k 5 50 "$DISTRIBUTEX" run --run-dir r --counters off list 2>err
    "$DISTRIBUTEX" profile r 2-3 >out
    grep -c "^task [23], attempt 1: ok, .* on " out | grep -qx 2 ||
        fail "$(cat out)"
    grep "^  processor user .*, system .*: 0\.[0-9]* cores$" out
    grep "^  counters  by rusage: none$" out || fail "$(cat out)"
    "$DISTRIBUTEX" profile --json r 1 >out
    grep "^ {\"task\": 1, .*\"nvcsw\": [1-9].*, \"counter\": \"rusage\", .*\"iowait_ns\": null, \"clock_ns\": null" out ||
        fail "$(cat out)"
    for what in "r 7" "r 0" "r 2-1" "nosuch" "r 1x"; do
        if "$DISTRIBUTEX" profile $what >out 2>&1; then fail "$what"; fi
        grep "^distributex: " out || fail "$what: $(cat out)"
    done
'

test_done
