#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/cli/help.t - what the program says about itself
. "$srcdir/tests/cli/lib.sh"

test_case "help, --help and -h say the same" '
    "$DISTRIBUTEX" help >a
    "$DISTRIBUTEX" --help >b
    "$DISTRIBUTEX" -h >c
    cmp a b && cmp a c
    for word in run stop output help version taskfile policies man; do
        grep -q "^  $word" a || fail "no $word"
    done
'

test_case "run --help, run -h and help run say the same" '
    "$DISTRIBUTEX" run --help >a 2>err
    "$DISTRIBUTEX" run -h >b
    "$DISTRIBUTEX" help run >c
    cmp a b && cmp a c
    test ! -s err
    grep -q "^usage: distributex run \[options\] TASKFILE" a
'

test_case "no line of help is wider than 79 columns" '
    for topic in "" run stop output help version taskfile resume policies \
        environment exit-status; do
        # shellcheck disable=SC2086
        "$DISTRIBUTEX" help $topic >out
        test -s out
        ! grep -nE "^.{80}" out
    done
'

test_case "each command explains itself" '
    for command in run stop output help version; do
        "$DISTRIBUTEX" "$command" --help >out 2>err
        grep -q "^usage: distributex $command" out
        test ! -s err
    done
'

test_case "the default policy is named once" '
    "$DISTRIBUTEX" help policies >out
    for policy in steal self guided factoring static; do
        grep -q "^  $policy " out || fail "no $policy"
    done
    tr "\n" " " <out | grep -q "the default"
'

test_case "exit statuses are listed" '
    "$DISTRIBUTEX" help exit-status >out
    grep -q "^  0 " out
    grep -q "^  1 to 100 " out
    grep -q "^  102 " out
'

test_case "an unknown topic is told with those there are" '
    expect_status 102 "$DISTRIBUTEX" help nonsense >out 2>err
    test ! -s out
    grep -q "^distributex: no help on .nonsense.; there is: .*taskfile" err
    expect_status 102 "$DISTRIBUTEX" help run stop 2>/dev/null
'

test_case "the man page has every option of the help" '
    "$DISTRIBUTEX" help man >page
    grep -q "^\.TH DISTRIBUTEX 1" page
    "$DISTRIBUTEX" run --help | grep -oE "^  (-., )?--[a-z-]+" |
        grep -oE -- "--[a-z-]+" | sed "s/-/\\\\-/g" >options
    test "$(wc -l <options)" -gt 20
    while read -r option; do
        grep -qF -- "$option" page || fail "no $option"
    done <<END
$(cat options)
END
'

if command -v groff >/dev/null; then
    test_case "groff has nothing to say against the man page" '
        "$DISTRIBUTEX" help man >page
        groff -man -ww -Tascii page >shown 2>complaints
        cat complaints
        test ! -s complaints
        test -s shown
    '
else
    skip_case "groff has nothing to say against the man page" "no groff here"
fi

test_case "the version, shortly and with libraries" '
    "$DISTRIBUTEX" version >a
    "$DISTRIBUTEX" --version >b
    "$DISTRIBUTEX" -V >c
    cmp a b && cmp a c
    grep -qE "^distributex [0-9]+\.[0-9]+" a
    test "$(wc -l <a)" -eq 1
    "$DISTRIBUTEX" version -v >a
    for library in MPI topology counters archive sums; do
        grep -qE "^$library +[^ ]" a || fail "no $library"
    done
    expect_status 102 "$DISTRIBUTEX" version -x 2>/dev/null
'

test_case "a full disk is an error, a reader gone away is none" '
    test -e /dev/full || exit 0
    expect_status 1 "$DISTRIBUTEX" help >/dev/full 2>err
    grep -q "^distributex: cannot write to standard output: No space" err
    (trap "" PIPE; "$DISTRIBUTEX" help man 2>err; echo $? >status) | true
    wait_for 5 "test -s status"
    grep -qx 0 status
    test ! -s err
'

test_done
