# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# tests/slurm/cluster.sh - a real Slurm of several nodes on this machine
#
# Each node is a slurmd in namespaces of its own (network, host name, mounts),
# so that it has its own address, its own /dev/shm and its own name n1, n2 ...;
# n0 is where slurmctld runs and users log in.  Nothing of the machine's own
# Slurm or munge is touched: key, socket, ports, state and configuration are
# below one folder, namespaces carry this process's number.
#
#     . "$srcdir/tests/slurm/cluster.sh"
#     cluster_missing || echo "cannot be: $cluster_why"
#     cluster_up DIR 4 2          # four nodes of two cores
#     "$on" n0 sbatch job.sh      # a command on a node; words are kept
#     cluster_down                # always, also after a failed start
#
# Set: cluster (its folder), on (the command above), cluster_why.

cluster=
cluster_why=
cluster_net=10.78.0

# cluster_missing: true when all is here; else cluster_why says what is not.
cluster_missing() {
    local p
    PATH=$PATH:/usr/sbin:/sbin
    for p in slurmctld slurmd sbatch squeue scontrol srun munged ip nsenter \
        unshare mount; do
        command -v "$p" >/dev/null || {
            cluster_why="no $p here (Debian: slurmctld slurmd slurm-client"
            cluster_why="$cluster_why munge iproute2)"
            return 1
        }
    done
    [ "$(id -u)" -eq 0 ] || {
        cluster_why="namespaces with addresses of their own need root"
        return 1
    }
    unshare -n -u -m true 2>/dev/null || {
        cluster_why="no namespaces can be made here"
        return 1
    }
    case $(slurmctld -V) in
        'slurm-wlm 2'[2-9].* | 'slurm 2'[2-9].*) ;;
        *)
            cluster_why="$(slurmctld -V) is older than what this was tried with"
            return 1
            ;;
    esac
}

# A network of n0 to nN, joined by a bridge in a namespace of its own.
cluster_network() {
    local i ns
    ip netns add "$cluster_id-sw" || return 1
    ip -n "$cluster_id-sw" link add br0 type bridge &&
        ip -n "$cluster_id-sw" link set br0 up || return 1
    echo "127.0.0.1 localhost" >"$cluster/hosts"
    for i in $(seq 0 "$1"); do
        ns=$cluster_id-n$i
        echo "$cluster_net.$((10 + i)) n$i" >>"$cluster/hosts"
        ip netns add "$ns" &&
            ip link add e0 netns "$ns" type veth peer name "p$i" \
                netns "$cluster_id-sw" &&
            ip -n "$cluster_id-sw" link set "p$i" master br0 up &&
            ip -n "$ns" addr add "$cluster_net.$((10 + i))/24" dev e0 &&
            ip -n "$ns" link set e0 up && ip -n "$ns" link set lo up ||
            return 1
    done
}

# The command that runs another one on a node. Not "ip netns exec", which
# hides /sys/fs/cgroup from slurmd.
cluster_on() {
    on=$cluster/on
    cat >"$on" <<END
#!/bin/sh
host=\$1
shift
exec nsenter --net=/run/netns/$cluster_id-\$host unshare -u -m sh -c '
    host=\$1
    shift
    hostname "\$host" && mount --bind $cluster/hosts /etc/hosts &&
        mount -t tmpfs -o mode=1777 tmpfs /dev/shm || exit 125
    mkdir -p $cluster/tmp/\$host && chmod 1777 $cluster/tmp/\$host
    export TMPDIR=$cluster/tmp/\$host SLURM_CONF=$cluster/slurm.conf
    exec "\$@"' sh "\$host" "\$@"
END
    chmod +x "$on"
}

cluster_config() {
    cat >"$cluster/slurm.conf" <<END
ClusterName=$cluster_id
SlurmctldHost=n0
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$cluster/run/munge.sock,cred_expire=3
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool/%n
SlurmctldPidFile=$cluster/run/slurmctld.pid
SlurmdPidFile=$cluster/run/slurmd.%n.pid
SlurmctldLogFile=$cluster/log/slurmctld.log
SlurmdLogFile=$cluster/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SwitchType=switch/none
TmpFS=$cluster/tmp/%n
MpiDefault=pmix
ReturnToService=2
KillWait=5
Epilog=$srcdir/slurm/epilog.sh
SlurmdTimeout=10
SlurmctldTimeout=10
GresTypes=gpu
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
NodeName=n[1-$1] CPUs=$2 RealMemory=4000 Gres=gpu:2 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=20
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=9
END
    echo "CgroupAutomount=no" >"$cluster/cgroup.conf"
    # devices that are no GPUs, but are there and can be counted
    printf 'Name=gpu File=%s\n' /dev/null /dev/zero >"$cluster/gres.conf"
}

# cluster_node NODE: start its slurmd, also after cluster_kill.
cluster_node() {
    mkdir -p "$cluster/spool/$1"
    # nobody's process, should a case of a test start it
    env -u TEST_MARK "$on" "$1" slurmd -f "$cluster/slurm.conf" -N "$1" \
        >"$cluster/log/start" 2>&1 && return
    cluster_why="slurmd: $(tail -n1 "$cluster/log/start")"
    return 1
}

# Should the test be killed, what it started is ended all the same.
cluster_guard() {
    setsid bash -c '
        . "$1/tests/slurm/cluster.sh"
        cluster=$2 cluster_id=$3
        while kill -0 "$4" 2>/dev/null; do sleep 1; done
        cluster_down' guard "$srcdir" "$cluster" "$cluster_id" $$ \
        >/dev/null 2>&1 </dev/null &
    disown
}

# cluster_up DIR NODES CPUS: DIR is made; short, since sockets are in it.
cluster_up() {
    local nodes=$2 i
    cluster=$1
    cluster_id=dtx$$
    mkdir -p "$cluster"/state "$cluster"/spool "$cluster"/log "$cluster"/run \
        "$cluster"/munge "$cluster"/tmp || return 1
    chmod 711 "$cluster" "$cluster/run"
    chmod 700 "$cluster/munge" "$cluster/log"
    cluster_guard
    cluster_network "$nodes" 2>"$cluster/log/network" || {
        cluster_why="no network: $(tail -n1 "$cluster/log/network")"
        return 1
    }
    cluster_on
    cluster_config "$nodes" "$3"
    (umask 077 && head -c 1024 /dev/urandom >"$cluster/munge/key")
    munged --force --key-file="$cluster/munge/key" \
        --socket="$cluster/run/munge.sock" \
        --pid-file="$cluster/run/munged.pid" \
        --log-file="$cluster/log/munged.log" \
        --seed-file="$cluster/munge/seed" --num-threads=2 2>/dev/null || {
        cluster_why="munged: $(tail -n1 "$cluster/log/munged.log")"
        return 1
    }
    "$on" n0 slurmctld -f "$cluster/slurm.conf" >"$cluster/log/start" 2>&1 || {
        cluster_why="slurmctld: $(tail -n1 "$cluster/log/start")"
        return 1
    }
    for i in $(seq "$nodes"); do
        cluster_node "n$i" || return 1
    done
    for i in $(seq 200); do
        [ "$("$on" n0 sinfo -h -p debug -t idle -o %D 2>/dev/null)" != \
            "$nodes" ] || return 0
        sleep 0.1
    done
    cluster_why="the nodes did not come up: $("$on" n0 sinfo -h -N -o '%N %t' \
        2>&1 | tr '\n' ' ')"
    return 1
}

# cluster_kill NODE: as if its power had gone.
cluster_kill() {
    local pids
    for _ in 1 2 3; do
        pids=$(ip netns pids "$cluster_id-$1" 2>/dev/null)
        [ -n "$pids" ] || return 0
        # shellcheck disable=SC2086
        kill -KILL $pids 2>/dev/null
    done
}

# What was started, by number; what was made, by name.
cluster_down() {
    local ns pid
    [ -n "$cluster" ] || return 0
    for ns in $(ip netns list | awk '{ print $1 }' |
        grep -E "^$cluster_id-(n[0-9]+|sw)\$"); do
        cluster_kill "${ns#"$cluster_id-"}"
        ip netns del "$ns"
    done
    if [ -s "$cluster/run/munged.pid" ]; then
        pid=$(cat "$cluster/run/munged.pid")
        kill "$pid" 2>/dev/null
        for _ in $(seq 50); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.05
        done
    fi
    rm -rf "$cluster"
    cluster=
}
