# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# tests/cli/lib.sh - helpers for the .t tests (bash)
#
#     #!/usr/bin/env bash
#     . "$srcdir/tests/cli/lib.sh"
#     test_case "echo runs" '
#         echo "echo hello" >list
#         "$DISTRIBUTEX" run list >out
#         grep -qx hello out
#     '
#     skip_case "needs Slurm" "no sbatch here"
#     test_done
#
# Each case runs under "set -e" in a directory of its own, with stdin from
# /dev/null and at most $case_seconds (60) of time; what it printed is shown
# only if it fails.  Whatever a case leaves running is killed, by process
# number: everything it started carries TEST_MARK in its environment.
# In the environment: srcdir, builddir (absolute), DISTRIBUTEX (the program).

: "${srcdir:?run me with make check, or set srcdir}"
: "${builddir:?run me with make check, or set builddir}"
: "${DISTRIBUTEX:=$builddir/distributex}"
export srcdir builddir DISTRIBUTEX
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_mpi_yield_when_idle=1
unset "${!SLURM_@}" # the tests may run in a job themselves

case_seconds=60
test_number=0
test_failures=0
test_finished=no
test_root=$(mktemp -d "${TMPDIR:-/tmp}/dtx-test.XXXXXX") || exit 99

# marked [MARK]: the process numbers that carry this case's mark.
marked() {
    local mark=${1:-$TEST_MARK} file pid
    # shellcheck disable=SC2013
    for file in $(grep -lzsx "TEST_MARK=$mark" /proc/[0-9]*/environ); do
        pid=${file#/proc/}
        pid=${pid%/environ}
        case $(cut -d' ' -f3 "/proc/$pid/stat" 2>/dev/null) in
            '' | Z) ;;
            *) echo "$pid" ;;
        esac
    done
}

# others: those of them that are not this shell: what the programs under test
# have left running.  Not in a pipe, whose other end would count as well.
others() {
    local pid
    for pid in $(marked); do
        [ "$pid" = "$BASHPID" ] || [ "$pid" = "$$" ] ||
            [ "$pid" = "${case_pid:-}" ] || [ ! -d "/proc/$pid" ] ||
            echo "$pid"
    done
}

# nothing_left: no process of this case runs any more but the case itself.
nothing_left() {
    [ -z "$(others)" ]
}

# wait_for SECONDS 'CONDITION': true as soon as the condition holds.
wait_for() {
    local end=$((SECONDS + $1 + 1))
    until eval "$2"; do
        if [ "$SECONDS" -ge "$end" ]; then
            echo "waited $1 s in vain for: $2"
            return 1
        fi
        sleep 0.05
    done
}

# expect_status N COMMAND...: the command ends with exactly this status.
expect_status() {
    local want=$1 got=0
    shift
    "$@" || got=$?
    [ "$got" -eq "$want" ] && return 0
    echo "status $got, expected $want: $*"
    return 1
}

# fail REASON...: end the case here.
fail() {
    echo "$*"
    exit 1
}

# kill_marked MARK: end what carries the mark, in rounds, since it may spawn.
kill_marked() {
    local pids
    for _ in 1 2 3 4 5; do
        pids=$(marked "$1")
        [ -n "$pids" ] || return 0
        # shellcheck disable=SC2086
        kill -KILL $pids 2>/dev/null
        sleep 0.02
    done
}

end_test() {
    local status=$?
    [ "$BASHPID" = "$$" ] || return 0 # a child that was stopped early
    trap - EXIT
    [ -z "${case_mark:-}" ] || kill_marked "$case_mark"
    rm -rf "$test_root"
    if [ "$test_finished" = no ]; then
        echo "not ok $((test_number + 1)) - script ended before test_done"
        [ "$status" -ne 0 ] || status=1
    fi
    exit "$status"
}
trap end_test EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# run_case LOG COMMANDS: status of the commands, 124 when out of time.
run_case() {
    local log=$1 alarm status=0
    set -m # a process group of its own
    (
        set +m -e
        trap - EXIT INT TERM HUP
        export TEST_MARK=$case_mark
        case_pid=$BASHPID
        eval "$2"
    ) >"$log" 2>&1 </dev/null &
    local pid=$!
    sleep "$case_seconds" >/dev/null 2>&1 &
    alarm=$!
    set +m
    wait -n
    if kill -0 "$alarm" 2>/dev/null; then
        kill "$alarm"
    else
        echo "out of time after $case_seconds s" >>"$log"
        kill -TERM -- "-$pid" 2>/dev/null
        status=124
    fi
    wait "$alarm" 2>/dev/null
    if [ "$status" -eq 0 ]; then
        wait "$pid"
        status=$?
    fi
    kill -KILL -- "-$pid" 2>/dev/null
    kill_marked "$case_mark"
    wait "$pid" 2>/dev/null
    return "$status"
} 2>/dev/null

# test_case NAME 'COMMANDS': with TEST_CASES=PATTERN only if the name matches
# it, and with TEST_REPEAT=N so many times.
test_case() {
    local i
    [[ $1 =~ ${TEST_CASES:-} ]] || return 0
    for i in $(seq "${TEST_REPEAT:-1}"); do
        one_case "$@"
    done
}

one_case() {
    local status dir
    test_number=$((test_number + 1))
    dir=$test_root/$test_number
    case_mark=${test_root##*/}.$test_number
    mkdir -p "$dir" && cd "$dir" || exit 99
    set +e # and no "||" here: either would void the case's "set -e"
    run_case "$test_root/log" "$2"
    status=$?
    cd "$test_root" || exit 99
    if [ "$status" -eq 0 ]; then
        echo "ok $test_number - $1"
    else
        test_failures=$((test_failures + 1))
        echo "not ok $test_number - $1"
        echo "# status $status; it printed:"
        tail -n 200 "$test_root/log" | sed 's/^/#   /'
    fi
    rm -rf "$dir"
}

# leave_out_if_brief NAME: with TEST_BRIEF=yes (the sanitizers' stage of
# ./bootstrap check) the slow tests that show nothing of our own memory end here.
leave_out_if_brief() {
    [ "${TEST_BRIEF:-}" = yes ] || return 0
    skip_case "$1" "TEST_BRIEF=yes"
    test_done
}

# skip_case NAME REASON
skip_case() {
    test_number=$((test_number + 1))
    echo "ok $test_number # SKIP $1: $2"
}

test_done() {
    test_finished=yes
    echo "1..$test_number"
    [ "$test_number" -gt 0 ] || exit 1
    [ "$test_failures" -eq 0 ] || exit 1
    exit 0
}
