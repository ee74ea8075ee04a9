#!/bin/sh
# SPDX-License-Identifier: MIT
# tests/replay.sh SECONDS tests/fuzz/NAME.replay - replay a corpus
#
# The fuzz target NAME reads every file of tests/fuzz/corpus/NAME.

name=${2##*/}
name=${name%.replay}
here=${srcdir:-.}/tests
exec "$here/run-test.sh" "$1" "$2" "$here/fuzz/corpus/$name"
