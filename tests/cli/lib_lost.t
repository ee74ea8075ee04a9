#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/cli/lib_lost.t - ranks of a program that die while the library works:
# loops and tasks come to the same result, a tree and the loss of rank 0 are
# told, and nobody hangs. See tests/mpi/lib_lost.c.
. "$srcdir/tests/cli/lib.sh"
unset "${!DTX_@}"
# MPI libraries leak by themselves, and what is killed leaks all it had
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

if ! "$MPIRUN" --enable-recovery -n 1 --oversubscribe true >/dev/null 2>&1; then
    skip_case "losing ranks of a program" "$MPIRUN knows no --enable-recovery"
    test_done
fi

# lost CASE RANKS
lost() {
    LOST=$1 timeout -k 5 60 "$MPIRUN" --enable-recovery -n "$2" \
        --oversubscribe --bind-to none "$builddir/tests/mpi/lib_lost" \
        >out 2>err || fail "$1 on $2 ranks: $(cat err)"
    grep -q "^$1 ok$" out || fail "$1 on $2 ranks: $(cat out err)"
}

test_case "loops are done again: dealt out, cut by a schedule, one after it" '
    lost loop 3
    lost between 3
    lost fac 3
'

test_case "each result comes once" '
    lost deliver 2
    lost gather 3
'

test_case "submitted tasks end once, those that wait after the others" '
    lost tasks 3
    lost serve 3
'

test_case "a tree ends with an error, and so does the loss of rank 0" '
    lost tree 3
    DTX_SLOTS=6 lost tree 3
    lost root 3
'

test_done
