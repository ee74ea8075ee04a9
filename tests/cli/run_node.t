#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# --node-setup and --node-teardown: once on a node, before and after its tasks.

# shellcheck source=tests/cli/lib.sh
. "$srcdir/tests/cli/lib.sh"
# shellcheck source=tests/cli/job.sh
. "$srcdir/tests/cli/job.sh"
unset "${!DTX_@}" "${!SLURM_@}"
export DTX_CONFIG=/dev/null

# tasks N [COMMAND]: a list of N tasks.
tasks() {
    local i
    for i in $(seq "$1"); do
        echo "${2:-:}; echo task >>order"
    done >list
}

# in_order N: one set-up, N tasks, one tear-down.
in_order() {
    {
        echo up
        for _ in $(seq "$1"); do echo task; done
        echo down
    } | diff - order
}

up="echo up >>order"
down="echo down >>order"
export up down

test_case "one process: set-up before the first, tear-down after the last" '
    tasks 5
    timeout -k 5 50 "$DISTRIBUTEX" run -q --node-setup "sleep 0.3; $up" \
        --node-teardown "$down" list
    in_order 5
'

test_case "what they see" '
    tasks 1
    timeout -k 5 50 "$DISTRIBUTEX" run -q --run-dir d \
        --node-setup "env >up; pwd >>up" --node-teardown "env >down" list
    grep -qx DTX_NODE_SETUP=1 up
    grep -qx DTX_RANK=0 up
    grep -qx "DTX_RUN_DIR=$PWD/d" up
    grep -qx "$PWD" up
    ! grep -q "^DTX_TASK_ID=\|^PARALLEL_SEQ=\|^DTX_ATTEMPT=" up
    grep -qx DTX_NODE_TEARDOWN=1 down
    ! grep -q "^DTX_NODE_SETUP=" down
'

test_case "a failing task: torn down; each session sets up again" '
    printf "%s\n" "[ -e go ] && echo task >>order" >list
    expect_status 1 timeout -k 5 50 "$DISTRIBUTEX" run -q --run-dir d \
        --node-setup "$up" --node-teardown "$down" list
    in_order 0
    rm order
    touch go
    timeout -k 5 50 "$DISTRIBUTEX" run -q --resume-failed --run-dir d \
        --node-setup "$up" --node-teardown "$down"
    in_order 1
'

test_case "a set-up that fails on the only node: no task, a status of its own" '
    tasks 3
    expect_status 111 timeout -k 5 50 "$DISTRIBUTEX" run --run-dir d \
        --node-setup "echo to stdout; echo to stderr >&2; exit 7" \
        --node-teardown "$down" list 2>err
    [ "$(cat order)" = down ]
    grep -q "node-setup has failed on every node" err
    grep -q "node $(hostname): exit 7" err
    grep -q "node $(hostname): to stdout" err
    grep -q "node $(hostname): to stderr" err
    timeout -k 5 50 "$DISTRIBUTEX" run -q --resume --run-dir d
    [ "$(grep -c task order)" -eq 3 ]
'

test_case "a set-up that takes too long" '
    tasks 3
    expect_status 111 timeout -k 5 50 "$DISTRIBUTEX" run \
        --node-setup "sleep 91" --node-setup-timeout 300ms list 2>err
    grep -q "ended by --node-setup-timeout" err
    [ ! -e order ]
    gone 3
'

test_case "a tear-down that fails is a warning; -v shows what they print" '
    tasks 1
    timeout -k 5 50 "$DISTRIBUTEX" run -v --node-setup "echo hello up" \
        --node-teardown "echo bye; exit 3" list 2>err
    grep -q "warning: node $(hostname): --node-teardown has failed" err
    grep -q "node $(hostname): hello up" err
    grep -q "node $(hostname): bye" err
'

test_case "a drain: torn down" '
    tasks 20 "touch began; sleep 0.5"
    begin "$DISTRIBUTEX" run -j 2 --run-dir d --node-setup "$up" \
        --node-teardown "$down" list
    wait_for 10 "[ -e began ]"
    "$DISTRIBUTEX" stop d
    ended 105
    [ "$(head -1 order)" = up ] && [ "$(tail -1 order)" = down ]
    [ "$(grep -c task order)" -lt 20 ]
'

test_case "a drain while a node is set up ends the set-up" '
    tasks 2
    begin "$DISTRIBUTEX" run --run-dir d --node-setup "touch began; sleep 92" \
        --node-teardown "$down" list
    wait_for 10 "[ -e began ]"
    "$DISTRIBUTEX" stop d
    ended 105
    [ "$(cat order)" = down ]
    gone 3
'

test_case "a tear-down whose spawner dies is not waited for" '
    tasks 2
    begin timeout -k 5 50 "$DISTRIBUTEX" run --run-dir d \
        --node-teardown "touch began; sleep 94" list
    wait_for 10 "[ -e began ]"
    for pid in $(marked); do
        ! grep -qx dtx-spawner "/proc/$pid/comm" || kill -9 "$pid"
    done
    ended 108
'

test_case "a halt: torn down" '
    printf "%s\n" false "echo task >>order; sleep 50" >list
    expect_status 1 timeout -k 5 50 "$DISTRIBUTEX" run -q -j 2 \
        --halt now,fail=1 --node-setup "$up" --node-teardown "$down" list
    [ "$(tail -1 order)" = down ]
'

test_case "the set-up dies with the rank" '
    tasks 2
    begin "$DISTRIBUTEX" run --run-dir d --node-setup "touch began; sleep 93" \
        list
    wait_for 10 "[ -e began ]"
    kill_job
    gone 10
'

# with MPI: each case needs a launcher.
mpi_case() {
    if [ -n "$no_mpi" ]; then
        skip_case "$1" "$no_mpi"
    else
        test_case "$1" "own_tmp; $2"
    fi
}

mpi_case "three ranks on a node: once before any task, once after all" '
    tasks 12 "sleep 0.05"
    timeout -k 5 55 "$DISTRIBUTEX" run -q --ranks 3 -j 3 \
        --node-setup "sleep 0.5; $up" --node-teardown "$down" list
    in_order 12
'

mpi_case "three ranks: a set-up that fails" '
    tasks 3
    expect_status 111 timeout -k 5 55 "$DISTRIBUTEX" run --ranks 3 -j 3 \
        --node-setup "exit 4" --node-teardown "$down" list 2>err
    [ "$(cat order)" = down ]
    grep -q "node $(hostname): exit 4" err
    for rank in 0 1 2; do
        grep -q "^rank $rank .*$(hostname): took no part: --node-setup" err ||
            fail "$(cat err)"
    done
    ! grep -q "never came" err || fail "$(cat err)"
'

mpi_case "three ranks: a drain while the node is set up, and later" '
    tasks 40 "touch began; sleep 0.3"
    begin "$DISTRIBUTEX" run --ranks 3 -j 3 --run-dir d \
        --node-setup "touch setting; sleep 94" --node-teardown "$down" list
    wait_for 20 "[ -e setting ]"
    "$DISTRIBUTEX" stop d
    ended 105
    [ "$(cat order)" = down ]
    rm order
    begin "$DISTRIBUTEX" run --ranks 3 -j 3 --resume --run-dir d \
        --node-setup "$up" --node-teardown "$down"
    wait_for 20 "[ -e began ]"
    "$DISTRIBUTEX" stop d
    ended 105
    [ "$(head -1 order)" = up ] && [ "$(tail -1 order)" = down ]
'

test_done
