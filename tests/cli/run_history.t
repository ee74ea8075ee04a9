#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/cli/run_history.t - a job that learns, and one that knows
#
# Tasks are sleeps of a few hundredths of a second: nothing is timed; what is
# looked at is their order and what is told.
. "$srcdir/tests/cli/lib.sh"

# list: the long ones last
list() {
    for i in 1 2 3 4 5 6; do echo "sleep 0.0$i"; done
    echo "sleep 0.3"
    echo "sleep 0.4"
}

# started: task numbers by when they started
started() {
    tail -n +2 "$1" | sort -n -k3,3 | cut -f1 | head -n "$2" | tr '\n' ' '
}

test_case "the second run starts the longest first" '
    list >list
    "$DISTRIBUTEX" run --history h -j1 --run-dir a --joblog a.log list 2>err
    grep -q "^prediction 0 tasks known before, from 0 outcomes" err
    test "$(started a.log 2)" = "1 2 "
    "$DISTRIBUTEX" run --history h -j1 --run-dir b --joblog b.log list 2>err
    grep -q "^prediction 8 tasks known before, from 8 outcomes" err
    test "$(started b.log 2)" = "8 7 "
    grep -q "gained" err
    "$DISTRIBUTEX" history list --history h | grep -q "^2 files, 16 outcomes"
    "$DISTRIBUTEX" history score a/run.h5 | grep -q "  7 .*sleep #"
'

test_case "what waits is predicted anew while the job runs" '
    for i in 1 2 3 4 5 6 7 8 9; do echo "sleep 0.1$i"; done >list
    "$DISTRIBUTEX" run --history h -j1 list 2>err
    grep -q "predictions changed while tasks waited: [1-9]" err ||
        fail "$(cat err)"
'

# wide: how many times its low the high of the first task is
wide() {
    "$DISTRIBUTEX" predict --history "$1" --json list | head -n 2 |
        sed -n "s/.*\"low\": \([0-9.e+-]*\), \"high\": \([0-9.e+-]*\),.*/\1 \2/p" |
        awk "{ print \$2 / \$1 }"
}

test_case "a program that has changed is less certain, unless nobody looks" '
    printf "#!/bin/sh\nsleep 0.0\$1\n" >job.sh
    chmod +x job.sh
    for i in 1 2 3 4 5 6 7 8 9; do echo "./job.sh $i"; done >list
    "$DISTRIBUTEX" run --history h --run-dir a -j2 list
    "$DISTRIBUTEX" run --history blind --no-look --run-dir b -j2 list
    before=$(wide h) blind=$(wide blind)
    test "$before" = "$(wide h)"
    echo "# another one" >>job.sh
    awk "BEGIN { exit !($(wide h) > 1.3 * $before) }" ||
        fail "$before before, $(wide h) after"
    test "$blind" = "$(wide blind)"
'

test_case "over ranks as well" '
    list >list
    DTX_HISTORY=$PWD/h "$DISTRIBUTEX" run --ranks 2 --run-dir a list 2>err
    DTX_HISTORY=$PWD/h "$DISTRIBUTEX" run --ranks 2 --run-dir b \
        --joblog b.log list 2>err
    grep -q "^prediction 8 tasks known before" err
    started b.log 3 | grep -qw 8
'

test_case "a resumed job has one file, with all its outcomes" '
    list >list
    echo false >>list
    ! "$DISTRIBUTEX" run --history h --run-dir a list
    ! "$DISTRIBUTEX" run --history h --run-dir a --resume-failed 2>err
    "$DISTRIBUTEX" history list --history h >out
    grep -q "^1 file, 10 outcomes" out
    "$DISTRIBUTEX" history import --history h a
    "$DISTRIBUTEX" history list --history h | grep -q "^1 file, 10 outcomes"
'

test_case "none, or one that cannot be had, stops nothing" '
    echo "echo hello" >list
    "$DISTRIBUTEX" run --history none list 2>err | grep -qx hello
    ! grep -q "^prediction" err
    "$DISTRIBUTEX" run --history /proc/no/h list 2>err | grep -qx hello
    grep -q "the job runs without it" err
    mkdir h && echo nonsense >h/x.h5
    "$DISTRIBUTEX" run --history h list 2>err | grep -qx hello
    grep -q "h/x.h5 is not an HDF5 file" err
'

test_case "a live list is learned from" '
    list | "$DISTRIBUTEX" run --history h - 2>err
    "$DISTRIBUTEX" history list --history h | grep -q "^1 file, 8 outcomes"
'

test_case "a live list is predicted as it comes, the longest first" '
    list | "$DISTRIBUTEX" run --history h - 2>err
    # the first batch starts when all of it has come
    list >list
    "$DISTRIBUTEX" run --history h -j1 --run-dir b --joblog b.log \
        --deadline 1h - <list 2>err
    test "$(started b.log 2)" = "8 7 " || fail "$(cat b.log)"
    grep -q "^prediction 8 tasks known before, from 8 outcomes" err
    grep -q "the list is complete; it finishes .* 0 % risk of missing" err ||
        fail "$(cat err)"
    grep -q "when the list had ended it was to be done .*: it was met" err
'

test_case "a rank that takes longer is named" '
    for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24; do
        echo "if [ \$DTX_RANK = 1 ]; then sleep 0.12; else sleep 0.03; fi; : $i"
    done >list
    cat list list list >more
    "$DISTRIBUTEX" run --history h --ranks 2 -j2 list 2>err
    "$DISTRIBUTEX" run --history h --ranks 2 -j2 more 2>err
    grep "^slow       rank 1 takes [2-9].* it was given that much less" err ||
        fail "$(cat err)"
    "$DISTRIBUTEX" run --history h --ranks 2 -j2 --equal-speeds more 2>err
    grep "^slow       rank 1 .* not heeded (--equal-speeds)" err
'

test_case "a history that is a file is an error before anything runs" '
    echo "touch ran" >list
    for bad in list list/h; do
        expect_status 102 "$DISTRIBUTEX" run --history $bad --run-dir d list \
            2>err
        grep -q "error: --history $bad: not a directory" err
    done
    [ ! -e ran ]
    [ ! -e d ]
'

test_case "what ends faster than is learned from is kept all the same" '
    yes "true 7" | head -n 1500 >list
    "$DISTRIBUTEX" run --history h --run-dir a list 2>err
    "$DISTRIBUTEX" run --history h - <list 2>err
    "$DISTRIBUTEX" history list --history h | grep -q "^2 files, 3000 outcomes"
    "$DISTRIBUTEX" history show --history h | grep -q "3000 .*true #" ||
        fail "$("$DISTRIBUTEX" history show --history h)"
'

test_done
