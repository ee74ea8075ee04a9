#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/cli/lib_hosts.t - a program on three pretend hosts: ranks that die on
# another host are noticed without help of MPI. See tests/mpi/lib_lost.c.
#
# TEST_LONG=1: all cases of the loss of a rank, and the loss of a link.
# shellcheck source=tests/cli/lib.sh
. "$srcdir/tests/cli/lib.sh"
# shellcheck source=tests/cli/job.sh
. "$srcdir/tests/cli/job.sh"
# shellcheck source=tests/cli/hosts.sh
. "$srcdir/tests/cli/hosts.sh"
hosts_begin "a program on several hosts" --enable-recovery

# lost CASE: a rank on each host
lost() {
    timeout -k 5 60 ./on "${hosts_prefix}1" cd "$PWD" "&&" LOST="$1" "$MPIRUN" \
        --enable-recovery -n 3 --hostfile hostfile --map-by node \
        --oversubscribe --bind-to none "$builddir/tests/mpi/lib_lost" \
        >out 2>err || fail "$1: $(cat out err)"
    grep -q "^$1 ok$" out || fail "$1: $(cat out err)"
}

hosts_case "a rank dies on another host: its chunks are done again" '
    hosts_up 3
    lost loop
    if [ -n "${TEST_LONG:-}" ]; then
        for what in between fac gather deliver tasks serve; do
            lost $what
        done
    fi
'

hosts_case "a tree ends with an error, and so does the loss of rank 0" '
    hosts_up 3
    lost tree
    lost root
'

if [ -n "${TEST_LONG:-}" ]; then
    hosts_case "a host that is cut off is noticed after lost-after" '
        hosts_up 3
        DTX_LOST_AFTER=2s LOST_BEGAN=$PWD/began
        export DTX_LOST_AFTER LOST_BEGAN
        (lost cut) &
        wait_for 30 "[ -e began ]"
        cut_host 3
        wait_for 40 "grep -q \"cut ok\" out" || fail "$(cat out err)"
    '
fi

test_done
