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

test_done
