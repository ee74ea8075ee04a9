# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# tests/cli/hosts.sh - pretend hosts, for the .t tests of several
#
# To be read after lib.sh and job.sh.  Each host is a network namespace of its
# own, with a host name, an address on one bridge and its own /dev/shm; they
# share the file system and the process numbers.  hosts_up N makes them and the
# files hostfile and on; on HOST COMMAND... runs something there, as ssh would.
# hosts_case is test_case, and removes them whatever came of it.  hosts_up N US
# has frames take US microseconds from host to host.  hosts_begin WHAT comes
# first, and ends the test where there can be no hosts.

: "${SLOW_SWITCH:=$builddir/tests/cli/slow_switch}"
hosts_prefix=dtx$$h
no_hosts=$no_mpi

# Can it be done here? Why not is in $no_hosts.
hosts_check() {
    [ -z "$no_hosts" ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        no_hosts="network namespaces need root"
    elif ! command -v ip >/dev/null || ! command -v unshare >/dev/null; then
        no_hosts="no ip or unshare here"
    elif ! ip netns add "${hosts_prefix}t" 2>/dev/null; then
        no_hosts="network namespaces cannot be made here"
    else
        ip -n "${hosts_prefix}t" link add br0 type bridge 2>/dev/null &&
            ip -n "${hosts_prefix}t" link add e0 type veth peer name p0 \
                2>/dev/null ||
            no_hosts="no bridge or veth here"
        ip netns del "${hosts_prefix}t"
    fi
}

# Why links cannot have a latency here, or nothing.
hosts_no_latency() {
    [ -c /dev/net/tun ] || echo "no /dev/net/tun here"
}

# A bridge, and a cable to each host.
hosts_bridge() {
    local i sw=${hosts_prefix}s
    ip netns add "$sw"
    ip -n "$sw" link add br0 type bridge
    ip -n "$sw" link set br0 up
    for i in $(seq "$1"); do
        ip link add e0 netns "$hosts_prefix$i" type veth peer name "p$i" \
            netns "$sw"
        ip -n "$sw" link set "p$i" master br0 up
    done
}

# hosts_slow_switch N US: a switch that takes its time; it ends with the case.
hosts_slow_switch() {
    # shellcheck disable=SC2046
    "$SLOW_SWITCH" "$2" $(seq -f "$hosts_prefix%g" "$1") >switch 2>&1 &
    wait_for 10 "grep -q ready switch" || fail "$(cat switch)"
}

# hosts_up N [US]
hosts_up() {
    local i h
    echo "127.0.0.1 localhost" >etc-hosts
    : >hostfile
    for i in $(seq "$1"); do
        h=$hosts_prefix$i
        echo "10.77.0.$i $h" >>etc-hosts
        echo "$h slots=2" >>hostfile
        ip netns add "$h"
    done
    if [ "${2:-0}" -gt 0 ]; then
        hosts_slow_switch "$1" "$2"
    else
        hosts_bridge "$1"
    fi
    for i in $(seq "$1"); do
        h=$hosts_prefix$i
        ip -n "$h" addr add "10.77.0.$i/24" dev e0
        ip -n "$h" link set e0 up
        ip -n "$h" link set lo up
    done
    cat >on <<-END
	#!/bin/sh
	h=\$1; shift
	exec ip netns exec \$h unshare -u -m sh -c 'hostname \$0
	    mount --bind $PWD/etc-hosts /etc/hosts
	    mount -t tmpfs -o mode=1777 tmpfs /dev/shm
	    eval "\$*"' \$h "\$@"
	END
    chmod +x on
    export OMPI_MCA_plm_rsh_agent=$PWD/on
}

# host_pids N [COMM]: the processes of a host, or those of a name.
host_pids() {
    local pid
    for pid in $(ip netns pids "$hosts_prefix$1"); do
        [ -n "${2:-}" ] &&
            [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != "$2" ] || echo "$pid"
    done
}

# host_rank N: a rank on a host that is not rank 0.
host_rank() {
    local pid
    for pid in $(host_pids "$1" distributex); do
        tr '\0' '\n' <"/proc/$pid/environ" |
            grep -q '^OMPI_COMM_WORLD_RANK=[1-9]' && echo "$pid" && return 0
    done
}

# kill_host N: everything on it, until nothing is left.
kill_host() {
    local pids
    for _ in 1 2 3 4; do
        pids=$(ip netns pids "$hosts_prefix$1")
        # shellcheck disable=SC2086
        [ -z "$pids" ] || kill -KILL $pids 2>/dev/null || true
    done
}

# cut_host N, join_host N: its link.
cut_host() {
    ip -n "$hosts_prefix$1" link set e0 down
}
join_host() {
    ip -n "$hosts_prefix$1" link set e0 up
}

hosts_down() {
    local n pids
    for n in $(ip netns list | cut -d' ' -f1 |
        grep -E "^$hosts_prefix([0-9]+|s)\$"); do
        pids=$(ip netns pids "$n")
        # shellcheck disable=SC2086
        [ -z "$pids" ] || kill -KILL $pids 2>/dev/null || true
        ip netns del "$n"
    done
}

# hosts_begin WHAT [MPIRUN OPTION]: a test of WHAT begins; mpirun must know the
# option.
hosts_begin() {
    unset "${!DTX_@}" "${!SLURM_@}"
    # MPI libraries leak by themselves, and what is killed leaks all it had
    export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
    case_seconds=100
    leave_out_if_brief "$1"
    hosts_check
    if [ -z "$no_hosts" ] && [ -n "${2:-}" ] &&
        ! "$MPIRUN" "$2" -n 1 --oversubscribe true >/dev/null 2>&1; then
        no_hosts="$MPIRUN knows no $2"
    fi
    if [ -n "$no_hosts" ]; then
        skip_case "$1" "$no_hosts"
        test_done
    fi
    trap 'hosts_down; end_test' EXIT
}

# hosts_case NAME 'COMMANDS'
hosts_case() {
    test_case "$1" "$2"
    hosts_down
}
