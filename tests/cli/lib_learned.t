#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/cli/lib_learned.t - what kernels took is kept from run to run, and goes
# into a history. See tests/mpi/lib_learned.c.
. "$srcdir/tests/cli/lib.sh"
unset "${!DTX_@}"
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
export DTX_LEARNED=kept DTX_SLOTS

if ! command -v "$MPIRUN" >/dev/null 2>&1; then
    skip_case "learning from run to run" "no launcher ($MPIRUN)"
    test_done
fi
options=
case $("$MPIRUN" --version 2>/dev/null) in
    *'Open MPI'* | *OpenRTE* | *PRRTE* | *prte*)
        options='--oversubscribe --bind-to none' ;;
esac

# run RANKS N [...]: a slot on each rank
run() {
    DTX_SLOTS=$1
    # shellcheck disable=SC2086
    timeout -k 5 60 "$MPIRUN" -n "$1" $options \
        "$builddir/tests/mpi/lib_learned" "${@:2}" >out 2>err ||
        fail "$(cat out err)"
}

# dearest TEST NUMBER: so many ran before the dearest iteration
dearest() {
    read -r place _ < <(grep before out)
    [ "$place" "$1" "$2" ] || fail "$place ran before, not $1 $2"
}

test_case "the first sweep of the second run begins with the dearest" '
    run 2 400
    grep -q "^had 0 loops, 0 outcomes; left out 0; well" out || fail "$(cat out)"
    dearest -gt 100
    for ranks in 1 3; do
        run $ranks 400
        grep -q "^had 1 loops" out || fail "$(cat out)"
        dearest -lt 20 # were it not for other load, 0
    done
'

test_case "of another range it is scaled" '
    run 2 400
    run 2 1600
    dearest -lt 170
'

test_case "features tell loops apart" '
    run 2 400 features 1
    run 2 400
    dearest -gt 100
    run 2 400 features 1.5
    grep -q "^had 2 loops" out || fail "$(cat out)"
    dearest -lt 50
'

test_case "a guess of the cost serves before there is more" '
    DTX_LEARNED=
    run 2 400 cost
    dearest -eq 0
    [ ! -e kept ]
'

test_case "tasks: what took long comes first" '
    run 1 50 # learns while it runs, the sooner the slower the machine is
    run 1 50
    grep -q ", [34][0-9] outcomes" out || fail "$(cat out)"
    grep -Eq "^([6-9]|10) of the first 10" out || fail "$(cat out)"
    DTX_PREDICT=no run 1 50
    grep -q "^had 1 loops, 0 outcomes" out || fail "$(cat out)"
    grep -q "^[0-4] of the first 10" out || fail "$(cat out)"
'

test_case "dtx_for, too" '
    run 2 400 for
    run 2 400
    dearest -lt 20
'

test_case "what is damaged is left out, what is foreign is left alone" '
    run 2 400
    size=$(stat -c %s kept)
    printf X | dd of=kept bs=1 seek=40 conv=notrunc 2>/dev/null
    run 2 400
    grep -q "left out 1; damaged data: .*left out" out || fail "$(cat out)"
    head -c $((size / 3)) kept >part && mv part kept
    run 2 400
    grep -q "left out 1; damaged" out || fail "$(cat out)"
    echo "my own notes" >kept
    run 2 400
    grep -q "not ours.*kept: it is a text, not what" out || fail "$(cat out)"
    [ "$(cat kept)" = "my own notes" ] || fail "it was written over"
    "$DISTRIBUTEX" run --run-dir d -j 1 - <<<true
    cp d/journal kept
    run 2 400
    grep -q "not ours.*kept: it is the journal of a job of" out ||
        fail "$(cat out)"
    cmp d/journal kept
'

test_case "a folder that is not there is told at the start, on all ranks" '
    (DTX_LEARNED=no/such/folder/kept run 2 400) >/dev/null 2>&1 &&
        fail "it ran"
    [ "$(grep -c "rank 0: learned=.*/no/such/folder/kept: its folder" err)" \
        -ge 1 ] || fail "$(cat err)"
'

test_case "what only an import takes is said so" '
    run 2 400
    for what in score show; do
        "$DISTRIBUTEX" history $what --history h kept 2>err && fail "taken"
        grep -q "history $what: kept is what a program.*history import kept" \
            err || fail "$(cat err)"
    done
    "$DISTRIBUTEX" history --help | tr "\n" " " | grep -q "learned="
'

test_case "a history takes it, in place of what it took before" '
    run 2 400 features 3
    run 2 400
    "$DISTRIBUTEX" history import --history h kept >out
    grep -q "^kept: [4-8][0-9] outcomes, 2 loops$" out || fail "$(cat out)"
    read -r _ n _ <out
    cp kept h/other
    "$DISTRIBUTEX" history import --history h h/other kept >out
    "$DISTRIBUTEX" history list --history h | grep -q "^2 files, $((2 * n)) "
    "$DISTRIBUTEX" history merge --history h
    "$DISTRIBUTEX" history show --history h >out
    grep -q "^ *$((2 * n)) .* kernel task$" out || fail "$(cat out)"
    grep -q "^ *loop .* takes .* kernel skewed for 0 \.\. 400$" out ||
        fail "$(cat out)"
    grep -q "skewed for 0 \.\. 400, features 3$" out || fail "$(cat out)"
    [ "$(grep -c "^ *loop" out)" -eq 2 ] || fail "$(cat out)"
    "$DISTRIBUTEX" history show --json --history h skewed >out
    grep -q "{\"loop\": \"skewed\", \"begin\": 0, \"end\": 400, " out ||
        fail "$(cat out)"
    printf X | dd of=kept bs=1 seek=60 conv=notrunc 2>/dev/null
    "$DISTRIBUTEX" history import --history h kept >out 2>err
    grep -q "kept: 1 damaged or senseless parts are left out" err ||
        fail "$(cat out err)"
'

test_done
