#!/bin/bash
# SPDX-License-Identifier: MIT
# slurm/epilog.sh - for administrators: what a killed job may leave on a node
#
#     Epilog=/etc/slurm/epilog.d/distributex.sh          # in slurm.conf
#
# With ProctrackType=proctrack/cgroup Slurm itself ends all processes of a job,
# and this has little to do. Otherwise daemons that tasks have started may live
# on. Runs as root on each node at the end of each job; looks only at processes
# that carry this job's number and cluster in their environment, and at shared
# memory that Open MPI names after node, user and job. It never fails: a node
# would be drained because of it.

PATH=/usr/sbin:/usr/bin:/sbin:/bin
[ -n "$SLURM_JOB_ID" ] && [ -n "$SLURM_JOB_UID" ] || exit 0
cluster=${SLURM_CLUSTER_NAME:-}

# belongs ENVIRON: is this the environment of a process of this job?
belongs() {
    tr '\0' '\n' <"$1" 2>/dev/null | grep -qx "SLURM_JOB_ID=$SLURM_JOB_ID" &&
        tr '\0' '\n' <"$1" 2>/dev/null |
        grep -qx "SLURM_CLUSTER_NAME=$cluster"
}

# here PID: is it on this node? (Where several share a machine, as in tests.)
here() {
    [ "$(readlink "/proc/$1/ns/net")" = "$(readlink /proc/self/ns/net)" ]
}

for dir in /proc/[0-9]*; do
    pid=${dir#/proc/}
    case $(cat "$dir/comm" 2>/dev/null) in
        slurmstepd | slurmd) continue ;;
    esac
    [ "$pid" != $$ ] && [ "$pid" != "$PPID" ] || continue
    [ "$(stat -c %u "$dir" 2>/dev/null)" = "$SLURM_JOB_UID" ] || continue
    belongs "$dir/environ" && here "$pid" && kill -KILL "$pid" 2>/dev/null
done

# Shared memory of MPI programs that were killed: nobody has it open any more.
for file in /dev/shm/vader_segment."$(hostname -s)"."$SLURM_JOB_UID".*; do
    [ -e "$file" ] || continue
    grep -lqF "$file" /proc/[0-9]*/maps 2>/dev/null || rm -f "$file"
done
exit 0
