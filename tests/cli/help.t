#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/cli/help.t - what the program says about itself
. "$srcdir/tests/cli/lib.sh"

test_case "help, --help and -h say the same" '
    "$DISTRIBUTEX" help >a
    "$DISTRIBUTEX" --help >b
    "$DISTRIBUTEX" -h >c
    cmp a b && cmp a c
    for word in run stop output simulate help version taskfile policies man
    do
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
        environment exit-status joblog files examples completion --halt \
        -j policy simulate simulation; do
        # shellcheck disable=SC2086
        "$DISTRIBUTEX" help $topic >out
        test -s out
        ! grep -nE "^.{80}" out
    done
'

test_case "each command explains itself" '
    for command in run stop output simulate help completion version; do
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

test_case "each option is a topic, and topics have near words" '
    "$DISTRIBUTEX" run --help | grep -oE "^  (-., )?--[a-z-]+" |
        grep -oE -- "--[a-z-]+" | grep -vx -- --help >options
    while read -r option; do
        "$DISTRIBUTEX" help "$option" >out
        grep -qE "^  (-., )?$option( |$)" out || fail "$option: $(cat out)"
    done <options
    "$DISTRIBUTEX" help -j >a
    "$DISTRIBUTEX" help --jobs >b
    cmp a b
    grep -q DTX_JOBS a
    "$DISTRIBUTEX" help --halt | grep -q "soon,fail=1"
    for row in --hlat/halt taskfil/taskfile polices/policies ouput/output; do
        expect_status 102 "$DISTRIBUTEX" help "${row%/*}" 2>err
        grep -q "did you mean .${row#*/}.?" err || fail "$row: $(cat err)"
    done
'

test_case "commands tell the near option" '
    expect_status 102 "$DISTRIBUTEX" output --stdot 1 2>err
    grep -q "did you mean --stdout?" err
    expect_status 102 "$DISTRIBUTEX" version --verbos 2>err
    grep -q "did you mean --verbose?" err
'

test_case "the man page has every chapter, command and difference" '
    "$DISTRIBUTEX" help man >page
    for chapter in NAME SYNOPSIS DESCRIPTION COMMANDS "OPTIONS OF RUN" \
        RESUME ENVIRONMENT FILES "EXIT STATUS" EXAMPLES "SEE ALSO"; do
        grep -qx "\.SH $chapter" page || fail "no $chapter"
    done
    for command in run stop output simulate help completion version; do
        grep -q "^distributex $command " page || fail "no $command"
    done
    grep -q "GNU parallel" page
'

printf '.TH A 1\n.SH NAME\na \\- b\n' >"$test_root/page"
if man -l "$test_root/page" </dev/null 2>/dev/null | grep -q .; then
    test_case "man has no warnings" '
        "$DISTRIBUTEX" help man >page
        MANPAGER=cat man --warnings -l page >shown 2>complaints
        cat complaints
        test ! -s complaints
        grep -q "EXIT STATUS" shown
    '
else
    skip_case "man has no warnings" "no man -l here"
fi

if command -v mandoc >/dev/null; then
    test_case "mandoc finds no error in the man page" '
        "$DISTRIBUTEX" help man >page
        mandoc -Tlint -Wwarning page
    '
else
    skip_case "mandoc finds no error in the man page" "no mandoc here"
fi

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
