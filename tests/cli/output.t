#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/cli/output.t - what tasks wrote is found again
. "$srcdir/tests/cli/lib.sh"

test_case "stdout and stderr of each task" '
    cat >list <<END
echo one
echo two; echo two-err >&2
true
printf "a\0b"
END
    "$DISTRIBUTEX" run --run-dir d list >/dev/null 2>&1
    test "$("$DISTRIBUTEX" output d 1)" = one
    "$DISTRIBUTEX" output 2 >out 2>err
    echo two | cmp - out
    echo two-err | cmp - err
    "$DISTRIBUTEX" output --stderr latest 2 >out 2>err
    test ! -s out
    echo two-err | cmp - err
    "$DISTRIBUTEX" output d 3 >out 2>err
    test ! -s out
    test ! -s err
    "$DISTRIBUTEX" output d 4 | od -An -c | grep -qE "a +\\\\0 +b"
    expect_status 1 "$DISTRIBUTEX" output d 5 2>err
    grep -q "there is no task 5: the job has 4" err
'

test_case "the last attempt is shown, with and without the index" '
    echo "echo try \$DTX_ATTEMPT; test \$DTX_ATTEMPT = 2" >list
    "$DISTRIBUTEX" run --retries 2 --retry-delay 0 --run-dir d list \
        >/dev/null 2>&1
    test "$("$DISTRIBUTEX" output d 1)" = "try 2"
    rm -f d/out/index
    test "$("$DISTRIBUTEX" output d 1)" = "try 2"
'

test_case "a large output, of which the reader takes a line" '
    echo "seq 1 2000000" >list
    "$DISTRIBUTEX" run --no-show --run-dir d list >/dev/null 2>&1
    "$DISTRIBUTEX" output d 1 | cmp - <(seq 1 2000000)
    { "$DISTRIBUTEX" output d 1 2>err; echo $? >status; } | head -n 1 >line
    wait_for 10 "test -s status"
    grep -qx 1 line
    grep -qx 0 status
    test ! -s err
'

test_case "by range, name and state" '
    cat >list <<END
#DTX name=prep
echo one
#DTX name=prep
echo two; false
#DTX name=last
echo three
kill -9 \$\$
END
    expect_status 2 "$DISTRIBUTEX" run -q --no-show --run-dir d list
    "$DISTRIBUTEX" output 3,1-2 | cmp - <(printf "%s\n" one two three)
    "$DISTRIBUTEX" output prep | cmp - <(printf "%s\n" one two)
    "$DISTRIBUTEX" output d last 1 | cmp - <(printf "%s\n" one three)
    "$DISTRIBUTEX" output --state failed | cmp - <(echo two)
    "$DISTRIBUTEX" output --state ok latest prep | cmp - <(echo one)
    "$DISTRIBUTEX" output --state killed >out
    test ! -s out
    "$DISTRIBUTEX" output --state timeout >out
    test ! -s out
'

test_case "--follow prints outputs as tasks end, until the job does" '
    cat >list <<END
#DTX name=first
echo one
until test -e go; do sleep 0.02; done; echo two; false
echo three
END
    timeout -k 5 50 "$DISTRIBUTEX" run -q -j 2 --no-show --run-dir d list &
    wait_for 10 "test -e d/journal"
    timeout -k 5 50 "$DISTRIBUTEX" output --follow d >out &
    timeout -k 5 50 "$DISTRIBUTEX" output --follow d first,2 >some &
    wait_for 20 "grep -q one out && grep -q three out"
    ! grep -q two out
    touch go
    wait
    sort out | cmp - <(printf "%s\n" one three two)
    cmp some <(printf "%s\n" one two)
    "$DISTRIBUTEX" output --follow --state failed d | cmp - <(echo two)
'

test_case "--follow of what there is not is an error, as without it" '
    printf "%s\n" "#DTX name=one" "false" "#DTX after=one" "echo two" >list
    expect_status 2 timeout -k 5 50 "$DISTRIBUTEX" run -q --run-dir d list
    for task in 7 nobody 2; do
        expect_status 1 "$DISTRIBUTEX" output d $task 2>want
        expect_status 1 timeout -k 5 20 "$DISTRIBUTEX" output --follow d \
            $task >out 2>err
        cmp want err && [ ! -s out ]
    done
    echo "echo x" | expect_status 0 timeout -k 5 20 "$DISTRIBUTEX" run -q \
        --run-dir live -
    expect_status 1 timeout -k 5 20 "$DISTRIBUTEX" output --follow live 5 2>err
    grep -q "there is no task 5" err
'

test_case "--follow ends when the job was killed" '
    echo "echo one" >list
    echo "sleep 40" >>list
    "$DISTRIBUTEX" run -q -j 2 --no-show --run-dir d list &
    job=$!
    wait_for 10 "grep -aq one d/out/e1-r0 2>/dev/null"
    { timeout -k 5 30 "$DISTRIBUTEX" output --follow d >out 2>err ||
        echo $? >status; } &
    wait_for 10 "test -s out"
    kill -KILL "$job"
    wait_for 20 "test -s status"
    grep -qx 1 status
    grep -q "does not run any more" err
    grep -qx one out
'

test_done
