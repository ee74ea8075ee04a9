# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# tests/cli/job.sh - helpers for the .t tests that stop, kill and resume jobs
#
# To be read after lib.sh.  The job of a case runs in d, of the task file list;
# what it prints is in out and err.

: "${MPIRUN:=mpirun}"
: "${JOURNAL_DUMP:=$builddir/tests/cli/journal_dump}"

# Why there is no MPI here, or nothing.
no_mpi=
command -v "$MPIRUN" >/dev/null || no_mpi="no launcher ($MPIRUN)"

# own_tmp: what a killed mpirun leaves in shared memory and in /tmp goes with
# the case.
own_tmp() {
    mkdir tmp
    export TMPDIR=$PWD/tmp
    export OMPI_MCA_btl_vader_backing_directory=$TMPDIR
}

# begin COMMAND...: in the background, in a process group of its own and with
# INT not ignored, as from an interactive shell; its number is in $job.
begin() {
    set -m
    "$@" >>out 2>>err &
    set +m
    job=$!
}

# ended STATUS: what was begun last ends with this status.
ended() {
    local got=0
    wait "$job" || got=$?
    [ "$got" -eq "$1" ] || fail "status $got, expected $1: $(cat err)"
}

# job_pids: the processes of the job itself: launcher and ranks, but neither
# the spawners nor the tasks.
job_pids() {
    local pid exe
    for pid in $(marked); do
        exe=$(readlink "/proc/$pid/exe") || continue
        case ${exe##*/} in
            *distributex* | mpirun* | orte* | prte* | timeout) ;;
            *) continue ;;
        esac
        case $(cat "/proc/$pid/comm" 2>/dev/null) in
            dtx-*) continue ;; # a spawner and whoever watches it
        esac
        [ "$pid" = "$BASHPID" ] || echo "$pid"
    done
}

# kill_job: all of them at once, and whoever was being forked meanwhile; not
# the spawners, which must clean up.
kill_job() {
    local pids
    for _ in 1 2; do
        pids=$(job_pids)
        # shellcheck disable=SC2086
        [ -z "$pids" ] || kill -KILL $pids 2>/dev/null || true
    done
    wait "$job" || true
}

# rank_pid N: the process of rank N.
rank_pid() {
    local pid
    for pid in $(job_pids); do
        ! tr '\0' '\n' <"/proc/$pid/environ" |
            grep -qx "OMPI_COMM_WORLD_RANK=$1" || echo "$pid"
    done
}

# recorded: the numbers of the tasks that have finished, as the journal has it.
recorded() {
    "$JOURNAL_DUMP" d/journal | sed -n 's/^task \([0-9]*\) final ok .*/\1/p'
}

# both A B: lines that are in both files, each once; only A B: those in A alone.
both() {
    LC_ALL=C comm -12 <(LC_ALL=C sort -u "$1") <(LC_ALL=C sort -u "$2")
}
only() {
    LC_ALL=C comm -23 <(LC_ALL=C sort -u "$1") <(LC_ALL=C sort -u "$2")
}

# bag N SEED: a list of N tasks of 0 to 30 ms that note when they begin and
# end. Some leave daemons behind.
bag() {
    local i more
    RANDOM=$2
    for i in $(seq "$1"); do
        more=
        case $((RANDOM % 25)) in
            0) more='setsid sleep 61 & ' ;;
            1) more='(trap "" TERM; setsid sleep 62) & ' ;;
        esac
        printf '%secho %d >>began; sleep 0.0%02d; echo %d >>ended; echo o%d\n' \
            "$more" "$i" $((RANDOM % 31)) "$i" "$i"
    done >list
}

# held_bag N SEED: the same, and one more, which lasts until there is a file go.
held_bag() {
    local n=$(($1 + 1))
    bag "$1" "$2"
    echo "echo $n >>began; while [ ! -e go ]; do sleep 0.05; done;" \
        "echo $n >>ended; echo o$n" >>list
}

# fence_bag N: N tasks that last until there is a file go, or go.1 for the first.
# A further attempt notes in the file both that the earlier one still runs.
fence_bag() {
    local i
    cat >fenced <<-"END"
	#!/bin/sh
	n=$DTX_TASK_ID
	read -r old rank <"at.$n" 2>/dev/null && [ -e "/proc/$old" ] &&
	    ! grep -q ") Z" "/proc/$old/stat" && echo "$n: $old" >>both
	echo "$$ $DTX_RANK" >"at.$n"
	echo "$n" >>began
	i=0
	while [ ! -e go ] && [ ! -e "go.$n" ] && [ $i -lt 600 ]; do
	    sleep 0.1
	    i=$((i + 1))
	done
	echo "o$n"
	END
    chmod +x fenced
    for i in $(seq "$1"); do
        echo "./fenced $i"
    done >list
}

# let_go RANKS: end those that run on ranks of these numbers ([01]).
let_go() {
    local file
    for file in $(grep -l " $1\$" at.*); do
        touch "go${file#at}"
    done
}

# gone SECONDS: within that time no process of the job or its tasks is left.
gone() {
    # shellcheck disable=SC2046
    wait_for "$1" nothing_left || fail "left: $(ps -o pid,ppid,args \
        -p "$(others | tr '\n' ',')0")"
}

# launcher_pid: the process of mpirun.
launcher_pid() {
    local pid
    for pid in $(job_pids); do
        case $(readlink "/proc/$pid/exe") in
            */mpirun* | */orterun* | */prte | */prterun*) echo "$pid" ;;
        esac
    done
}

# ended_any: what was begun last has ended; its status is in $status.
ended_any() {
    status=0
    wait "$job" || status=$?
}

# spawner_pid RANK: the process that starts the tasks of a rank.
spawner_pid() {
    local pid
    for pid in $(marked); do
        [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != dtx-spawner ] ||
            ! tr '\0' '\n' <"/proc/$pid/environ" |
            grep -qx "OMPI_COMM_WORLD_RANK=$1" || echo "$pid"
    done
}
