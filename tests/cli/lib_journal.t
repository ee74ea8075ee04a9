#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/cli/lib_journal.t - a program that is killed finds what it has done: a
# loop and tasks with a journal. See tests/mpi/lib_journal.c.
. "$srcdir/tests/cli/lib.sh"
unset "${!DTX_@}"
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

if ! command -v "$MPIRUN" >/dev/null 2>&1; then
    skip_case "journals of programs" "no launcher ($MPIRUN)"
    test_done
fi
options=
case $("$MPIRUN" --version 2>/dev/null) in
    *'Open MPI'* | *OpenRTE* | *PRRTE* | *prte*)
        options='--oversubscribe --bind-to none' ;;
esac

# journal RANKS KIND [DIE]
journal() {
    # shellcheck disable=SC2086
    timeout -k 5 60 "$MPIRUN" -n "$1" $options \
        "$builddir/tests/mpi/lib_journal" "$2" file "${@:3}" >out 2>err
}

# resumed KIND: killed after 200 outcomes, and later all is there; what was
# known is not run again, and a third run runs nothing.
resumed() {
    journal 2 "$1" 200 && fail "it was not killed"
    before=$(stat -c %s file.calls)
    journal 3 "$1" || fail "$(cat err)"
    read -r ran _ <out
    [ "$ran" -le 410 ] || fail "$ran of 600 ran again"
    [ "$(stat -c %s file.calls)" -eq $((before + ran)) ]
    journal 2 "$1" || fail "$(cat err)"
    grep -qx "0 ran" out || fail "$(cat out)"
    [ "$(stat -c %s file.calls)" -eq $((before + ran)) ]
}

test_case "a loop: iterations in the journal are not run again" '
    resumed loop
'

test_case "tasks: likewise, though they come in another order" '
    resumed tasks
'

test_case "a journal of another loop, or of no program, is refused" '
    journal 2 loop || fail "$(cat err)"
    journal 2 other || fail "$(cat err)"
    grep -q "^refused: .*file is of another run" out || fail "$(cat out err)"
    journal 2 tasks && fail "taken"
    grep -q "file is the journal of a program.s loops.* is of tasks" err ||
        fail "$(cat err)"
    rm file
    journal 2 tasks || fail "$(cat err)"
    journal 2 loop && fail "taken"
    grep -q "file is the journal of a program.s tasks.* is of loops" err ||
        fail "$(cat err)"
    echo "no journal of ours" >file
    journal 2 loop && fail "taken"
    grep -q "file is not a journal" err || fail "$(cat err)"
'

test_done
