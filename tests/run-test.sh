#!/bin/sh
# SPDX-License-Identifier: MIT
# tests/run-test.sh SECONDS PROGRAM [ARGUMENT...] - run one test, not for ever
#
# TEST_TIME_FACTOR multiplies the time, TEST_WRAPPER (the like of valgrind)
# goes before the program.  A test that is out of time fails.

limit=$(($1 * ${TEST_TIME_FACTOR:-1}))
shift
# Check's own limit of 4 s is too short where other work is done as well.
: "${CK_DEFAULT_TIMEOUT:=30}"
export CK_DEFAULT_TIMEOUT
# Whoever started make may have had signals ignored, which tests would inherit.
fresh=
if env --default-signal=INT true 2>/dev/null; then
    fresh='env --default-signal=HUP,INT,QUIT,PIPE,TERM'
fi
# shellcheck disable=SC2086
timeout -k 5 "$limit" $fresh ${TEST_WRAPPER:-} "$@" </dev/null
status=$?
case $status in
    124 | 137) echo "run-test: out of time after $limit s (status $status)" ;;
    0 | 77 | 99) ;;
    *) echo "run-test: ended with status $status" ;;
esac
exit "$status"
