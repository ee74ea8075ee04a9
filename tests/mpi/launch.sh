#!/bin/sh
# SPDX-License-Identifier: MIT
# tests/mpi/launch.sh SECONDS PROGRAM - run a program on ranks
#
# How many ranks is written in the program's source ("RANKS: 2 3 5": one run
# each; 2 and 4 when it says nothing).  Status 77 (skipped) where there is no
# launcher; the leak detector is off, since MPI libraries leak by themselves.

seconds=$1
program=$2
case $program in
    /*) ;;
    *) program=./$program ;;
esac
source=${srcdir:-.}/tests/mpi/$(basename "$program" .mpi).c
: "${MPIRUN:=mpirun}"

if ! command -v "$MPIRUN" >/dev/null 2>&1; then
    echo "ok 1 # SKIP $program: no launcher ($MPIRUN)"
    exit 77
fi

ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
OMPI_ALLOW_RUN_AS_ROOT=1
OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
OMPI_MCA_mpi_yield_when_idle=1
export ASAN_OPTIONS OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM
export OMPI_MCA_mpi_yield_when_idle
CK_FORK=no # forking test frameworks and MPI do not mix
export CK_FORK

options=
case $("$MPIRUN" --version 2>/dev/null) in
    *'Open MPI'* | *OpenRTE* | *PRRTE* | *prte*)
        options='--oversubscribe --bind-to none' ;;
esac

counts=$(sed -n 's/.*RANKS:\([ 0-9]*\).*/\1/p' "$source" 2>/dev/null |
    head -n 1)
result=0
for n in ${counts:-2 4}; do
    echo "# $program on $n ranks"
    # shellcheck disable=SC2086
    "${srcdir:-.}/tests/run-test.sh" "$seconds" \
        "$MPIRUN" -np "$n" $options "$program"
    status=$?
    [ "$status" -eq 0 ] || echo "# failed on $n ranks: status $status"
    [ "$status" -eq 0 ] || result=$status
done
exit "$result"
