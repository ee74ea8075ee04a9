#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/bench/run.sh [--quick] [--peers] [DISTRIBUTEX] - how fast and how small
#
# What "make bench" runs: the program against a bare posix_spawn and pidfd loop
# with as many commands in flight, and what it promises about waiting, latency
# and memory.  Rounds are interleaved, so that whatever else the machine does
# meets all alike; ratios are taken within a round, and the median of the
# rounds counts.  It asserts nothing: a missed target is shown, and only what
# could not run makes the exit status 1.
#
#   --quick   three rounds of smaller sizes: to see that everything works
#   --peers   also xargs, make -j and GNU parallel, for orientation
#
# Environment: BENCH_ROUNDS (9), BENCH_BIN (where the programs of this folder
# are built: $builddir/tests/bench), DISTRIBUTEX, TMPDIR.

set -u
export LC_ALL=C
cores=2 # in flight, and ranks: what the targets are for

quick=no peers=no program=${DISTRIBUTEX:-}
for word in "$@"; do
    case $word in
        --quick) quick=yes ;;
        --peers) peers=yes ;;
        -*) echo "usage: run.sh [--quick] [--peers] [DISTRIBUTEX]" >&2
            exit 2 ;;
        *) program=$word ;;
    esac
done
case $program in
    '') echo "run.sh: which program? give its path" >&2; exit 2 ;;
    /*) ;;
    *) program=$PWD/$program ;;
esac
bin=${BENCH_BIN:-${builddir:-$PWD}/tests/bench}
for p in "$program" "$bin/bare_loop" "$bin/burn" "$bin/stamp" "$bin/bag" \
    "$bin/engine" "$bin/expand" "$bin/lane" "$bin/store"; do
    [ -x "$p" ] || { echo "run.sh: $p is missing: make bench" >&2; exit 1; }
done

# On a larger machine, on two of its cores.
if [ "$(nproc)" -gt $cores ] && [ -z "${BENCH_PINNED:-}" ] &&
    command -v taskset >/dev/null; then
    pair=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status |
        tr ',' '\n' | awk -F- '{ for (i = $1; i <= ($2 ? $2 : $1); i++)
            print i }' | head -n $cores | paste -s -d, -)
    BENCH_PINNED=$pair exec taskset -c "$pair" bash "$0" "$@"
fi

if [ $quick = yes ]; then
    rounds=3 small=3
    ntrue=1000 nbag=100 mean=10 nchain=100 nlines=100000 ranks='1000 10000'
    nrecords=100000
else
    rounds=${BENCH_ROUNDS:-9} small=5
    ntrue=5000 nbag=400 mean=20 nchain=300 nlines=1000000
    ranks='1000 10000 100000' nrecords=1000000
fi
[ "$rounds" -lt "$small" ] && small=$rounds

# What users and batch systems set must not change what is measured.
for name in $(env | sed -n 's/^\(DTX_[A-Z_]*\)=.*/\1/p'); do
    unset "$name"
done
export DTX_CONFIG=/dev/null
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

tmp=$(mktemp -d "${TMPDIR:-/tmp}/dtx-bench.XXXXXX") || exit 1
started='' # the job in the background, if there is one
bad=0
# shellcheck disable=SC2317
clean_up() {
    [ -z "$started" ] || kill -KILL "$started" 2>/dev/null
    rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
cd "$tmp" || exit 1

say() {
    printf '%s\n' "$*" >&2
}

# could_not WHAT [LOG]: it did not run; go on with the rest. Said once.
could_not() {
    bad=1
    grep -qxF "$1" said 2>/dev/null && return
    printf '%s\n' "$1" >>said
    say "could not run: $1"
    [ -z "${2:-}" ] || tail -n 5 "$2" | sed 's/^/    /' >&2
}

# sample NAME VALUE
sample() {
    printf '%s %s\n' "$1" "$2" >>samples
}

# ratio NAME VALUE BASE
ratio() {
    sample "$1" "$(awk -v a="$2" -v b="$3" \
        'BEGIN { print (b > 0 ? a / b : 0) }')"
}

minus() {
    awk -v a="$1" -v b="$2" 'BEGIN { printf "%.6f\n", a - b }'
}

# --- running things --------------------------------------------------------

# bare LIST [OPTION...]: seconds of the bare loop, in $inner and $wall.
bare() {
    local list=$1 begin=$EPOCHREALTIME
    shift
    inner=0 wall=0
    if ! "$bin/bare_loop" -k $cores -t time "$@" "$list" >bare.out 2>log; then
        could_not "bare loop of $list" log
        return 1
    fi
    wall=$(minus "$EPOCHREALTIME" "$begin")
    inner=$(cat time)
}

# launch LIST [OPTION...]: a job, in the foreground; all of it in $wall.
launch() {
    local list=$1 begin
    shift
    wall=0
    rm -rf run
    begin=$EPOCHREALTIME
    if ! timeout -k 5 300 "$program" run --run-dir run "$@" "$list" \
        >job.out 2>log </dev/null; then
        could_not "distributex run $* $list" log
        return 1
    fi
    wall=$(minus "$EPOCHREALTIME" "$begin")
}

# job LIST [OPTION...]: the same, and its makespan in $inner.
job() {
    launch "$@" || return
    inner=$(awk '$1 == "makespan" {
        if ($3 == "us;") print $2 / 1e6
        else if ($3 == "ms;") print $2 / 1e3
        else if ($3 == "s;") print $2
        else { split($2, t, "m"); print 60 * t[1] + t[2] + 0 } }' log)
    if [ -z "$inner" ]; then
        could_not "distributex run $*: no makespan" log
        return 1
    fi
}

# --- throughput and balance ------------------------------------------------

# against NAME LIST: one round of the list, the bare loop between the others.
against() {
    local name=$1 list=$2 base whole
    job "$list" -j $cores || return
    local one=$inner one_wall=$wall
    bare "$list" || return
    base=$inner whole=$wall
    job "$list" --ranks 2 -j $cores || return
    ratio "$name-wall" "$one_wall" "$whole"
    ratio "$name-one" "$one" "$base"
    ratio "$name-two" "$inner" "$base"
}

bag_round() {
    local self steal base
    job bag --ranks 2 -j $cores --policy self || return
    self=$inner
    bare bag || return
    base=$inner
    job bag --ranks 2 -j $cores --policy steal || return
    steal=$inner
    job bag -j $cores || return
    ratio bag-self "$self" "$base"
    ratio bag-steal "$steal" "$base"
    ratio bag-one "$inner" "$base"
    sample bag-seconds "$base"
}

# What showing in order with tags, the joblog and files of results add.  With
# files of results the bare loop makes those, too: four new names a task, which
# cost what the file system takes for them.
shown_round() {
    local base shown="-k --tag --joblog joblog"
    rm -rf joblog results bare.results
    job list.echo -j $cores || return
    base=$inner
    # shellcheck disable=SC2086
    job list.echo -j $cores $shown || return
    ratio shown "$inner" "$base"
    bare list.echo -r bare.results || return
    base=$inner
    # shellcheck disable=SC2086
    job list.echo -j $cores $shown --results results || return
    ratio results "$inner" "$base"
    rm -rf results bare.results
    sync -f .
}

make_lists() {
    yes /bin/true | head -n $ntrue >list.true
    yes '/bin/echo one line of output' | head -n $ntrue >list.echo
    "$bin/bag" "$bin/burn" $nbag $mean 2 7 >bag
    yes "$bin/stamp 2000" | head -n $nchain >stamps
    awk -v c="$bin/stamp 2000" -v n=$nchain 'BEGIN {
        for (i = 1; i <= n; i++) {
            if (i > 1) print "#DTX after=" i - 1
            print c
        } }' >chain
    echo /bin/true >single
    # shellcheck disable=SC2016
    echo 'echo "$DTX_RANK" >started; sleep 5' >sleeper
    awk -v c="$bin/stamp" -v n=$nlines 'BEGIN {
        print c
        for (i = 2; i <= n; i++) printf "sleep 2 0.%07d\n", i }' >lines
}

# --- from an end to the next start -----------------------------------------

# gaps MODE FILE: milliseconds from each task's end to the next one's start,
# of all (chain) or of those in one slot (slot), in order of size.
gaps() {
    sort -k2,2n "$2" | awk -v mode="$1" '{
        s = mode == "slot" ? $1 : 0
        if (s in end) printf "%.4f\n", ($2 - end[s]) / 1e6
        end[s] = $3 }' | sort -n
}

# quantile Q: of the sorted numbers on standard input.
quantile() {
    awk -v q="$1" '{ v[NR] = $1 }
        END { i = int(q * NR) + 1; if (i > NR) i = NR; print v[i] }'
}

# latency NAME MODE BASE: from job.out.
latency() {
    gaps "$2" job.out >sorted
    sample "$1-median" "$(minus "$(quantile 0.5 <sorted)" "$3")"
    sample "$1-p99" "$(minus "$(quantile 0.99 <sorted)" "$3")"
}

latency_round() {
    local base
    bare chain -k 1 || return
    base=$(gaps chain bare.out | quantile 0.5)
    sample start-cost "$base"
    job chain -j $cores && latency chain-one chain "$base"
    job chain --ranks 2 -j $cores && latency chain-two chain "$base"
    job stamps --ranks 2 -j $cores --policy self &&
        latency slot-two slot "$base"
}

# --- waiting ---------------------------------------------------------------

# spent PID: nanoseconds its threads have run.
spent() {
    cat "/proc/$1"/task/*/schedstat 2>/dev/null |
        awk '{ s += $1 } END { printf "%.0f\n", s }'
}

# parts RANK: the processes of this rank of our job: itself and its spawner.
# Without a rank, those of a job that has no ranks.
parts() {
    local file pid
    # shellcheck disable=SC2013
    for file in $(grep -lzsx "BENCH_MARK=$tmp" /proc/[0-9]*/environ); do
        pid=${file#/proc/}
        pid=${pid%/environ}
        [ "$(readlink "/proc/$pid/exe")" = "$(readlink -f "$program")" ] ||
            continue
        case $(tr '\0' '\n' <"/proc/$pid/environ" |
            sed -n 's/^OMPI_COMM_WORLD_RANK=//p') in
            "$1") echo "$pid" ;;
        esac
    done
}

# shares SECONDS NAME PIDS...: a sample of each NAME: percent of a core that
# its PIDS use together.
shares() {
    local pid i seconds=$1 begin=$EPOCHREALTIME
    local -a name=() pids=() before=()
    shift
    while [ $# -gt 1 ]; do
        name+=("$1") pids+=("$2") before+=(0)
        shift 2
    done
    for i in "${!name[@]}"; do
        for pid in ${pids[i]}; do
            before[i]=$((before[i] - $(spent "$pid")))
        done
    done
    sleep "$seconds"
    for i in "${!name[@]}"; do
        for pid in ${pids[i]}; do
            before[i]=$((before[i] + $(spent "$pid")))
        done
        sample "${name[i]}" "$(awk -v ns="${before[i]}" \
            -v s="$(minus "$EPOCHREALTIME" "$begin")" \
            'BEGIN { printf "%.3f\n", ns / s / 1e7 }')"
    done
}

# end_job: ask the job in the background to leave, and wait for it.
end_job() {
    kill -TERM "$started" 2>/dev/null
    for _ in $(seq 200); do
        kill -0 "$started" 2>/dev/null || break
        sleep 0.05
    done
    kill -KILL "$started" 2>/dev/null && could_not "the end of a job" log
    wait "$started" 2>/dev/null
    started=''
}

# await FILE: until it has a line; false after a minute.
await() {
    for _ in $(seq 6000); do
        [ -s "$1" ] && return 0
        kill -0 "$started" 2>/dev/null || return 1
        sleep 0.01
    done
    return 1
}

# idle_job OPTION...: begin a job whose only task sleeps for some seconds.
idle_job() {
    rm -rf run started
    BENCH_MARK=$tmp "$program" run -q --run-dir run "$@" sleeper \
        >job.out 2>log </dev/null &
    started=$!
    if await started; then
        sleep 0.7
        return 0
    fi
    could_not "an idle job ($*)" log
    end_job
    return 1
}

idle_round() {
    local with a b
    if idle_job --ranks 2 -j $cores; then
        with=$(cat started)
        a=$(parts $((1 - with)) | paste -s -d' ' -)
        b=$(parts "$with" | paste -s -d' ' -)
        if [ -n "$a" ] && [ -n "$b" ]; then
            shares 3 idle-rank "$a" idle-with "$b"
        else
            could_not "the processes of an idle job were not found"
        fi
        end_job
    fi
    if idle_job -j $cores; then
        shares 3 idle-one "$(parts '' | paste -s -d' ' -)"
        end_job
    fi
}

# --- small and large -------------------------------------------------------

single_round() {
    launch single -q -j $cores || return
    sample single "$(awk -v s="$wall" 'BEGIN { print s * 1000 }')"
}

# memory PID NAME: VmHWM or VmRSS in bytes.
memory() {
    awk -v n="$2:" '$1 == n { printf "%.0f\n", $2 * 1024 }' "/proc/$1/status"
}

# A job of many lines, up to its first task; of one line, to compare with.
lines_round() {
    local base text t0 first begin
    idle_job -j $cores || return
    base=$(memory "$started" VmRSS)
    end_job
    rm -rf run job.out
    text=$(($(wc -c <lines) - nlines))
    t0=$("$bin/stamp" | cut -d' ' -f3)
    "$program" run -q --run-dir run -j $cores lines >job.out 2>log \
        </dev/null &
    started=$!
    if ! await job.out; then
        could_not "$nlines lines" log
        end_job
        return
    fi
    first=$(cut -d' ' -f2 job.out | head -n 1)
    sample lines-first "$(awk -v a="$first" -v b="$t0" \
        'BEGIN { printf "%.4f\n", (a - b) / 1e9 }')"
    sleep 1
    per_line lines-peak VmHWM "$base" "$text"
    per_line lines-rss VmRSS "$base" "$text"
    begin=$EPOCHREALTIME
    end_job
    sample lines-stop "$(minus "$EPOCHREALTIME" "$begin")"
}

# per_line NAME WHAT BASE TEXT
per_line() {
    sample "$1" "$(awk -v m="$(memory "$started" "$2")" -v b="$3" -v t="$4" \
        -v n=$nlines 'BEGIN { printf "%.1f\n", (m - b - t) / n }')"
}

# --- peers -----------------------------------------------------------------

# peer NAME COMMAND: against the bare loop, per task.
peer() {
    local peer=$1 tasks=$2 begin
    shift 2
    head -n "$tasks" list.true >some
    bare some || return
    begin=$EPOCHREALTIME
    if ! timeout -k 5 300 bash -c "$*" >/dev/null 2>log </dev/null; then
        could_not "$peer" log
        return
    fi
    ratio "peer-$peer" "$(minus "$EPOCHREALTIME" "$begin")" "$inner"
}

peers_round() {
    local n=$((ntrue / 5))
    peer xargs $n "seq $n | xargs -P $cores -n 1 /bin/true"
    if command -v make >/dev/null; then
        { printf 'all: '; seq -f 't%.0f' $n | paste -s -d' ' -
          printf '.PHONY: all '; seq -f 't%.0f' $n | paste -s -d' ' -
          seq -f 't%.0f:; @/bin/true' $n; } >Makefile
        peer make $n "make -s -j $cores"
    fi
    ! parallel --version 2>/dev/null | grep -q GNU ||
        peer parallel $((n / 4)) "seq $((n / 4)) | parallel -j $cores /bin/true"
}

# --- the table -------------------------------------------------------------

# row NAME LABEL UNIT [TARGET]
row() {
    sed -n "s/^$1 //p" samples 2>/dev/null | sort -n >values
    [ -s values ] || return
    awk -v label="$2" -v unit="$3" -v target="${4:-}" '{ v[NR] = $1 }
        END {
            m = (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2
            if (target != "") {
                verdict = m <= target + 0 ? "met" : "MISSED"
                target = "<= " target
            }
            f = unit == "B" ? "%.0f" : unit ~ /[xs]$/ ? "%.3f" : "%.2f"
            printf "%-48s " f " %-2s  (" f " .. " f ")  %s  %s\n",
                label, m, unit, v[1], v[NR], target, verdict
        }' values
}

table() {
    printf '%-48s %s\n' '' 'median (min .. max) target'
    row true-wall "true x $ntrue, one process, whole / bare loop" x 1.05
    row true-one "  makespan alone" x 1.05
    row true-two "true x $ntrue, two ranks, makespan / bare loop" x 1.10
    row echo-wall "echo x $ntrue, one process, whole / bare loop" x 1.05
    row echo-one "  makespan alone" x 1.05
    row echo-two "echo x $ntrue, two ranks, makespan / bare loop" x 1.10
    row shown "  with -k --tag --joblog / without" x 1.03
    row results "  and with --results / bare loop that makes them" x 1.08
    row bag-self "skewed bag of $nbag, two ranks, self / bare loop" x 1.01
    row bag-steal "skewed bag of $nbag, two ranks, steal / bare loop" x 1.01
    row bag-one "skewed bag of $nbag, one process / bare loop" x 1.01
    row bag-seconds "  the bare loop's own time" s
    row idle-rank "idle rank and its spawner, of a core" % 2
    row idle-with "rank whose only task sleeps, of a core" % 2
    row idle-one "one process whose only task sleeps, of a core" % 2
    row start-cost "end to next start in the bare loop" ms
    row chain-one-median "more than that: after=, one process, median" ms 1
    row chain-one-p99 "  99th percentile" ms 10
    row chain-two-median "after=, two ranks, median" ms 1
    row chain-two-p99 "  99th percentile" ms 10
    row slot-two-median "same slot, two ranks, self, median" ms 1
    row slot-two-p99 "  99th percentile" ms 10
    row single "a job of one task, all of it" ms 30
    row lines-first "$nlines lines: first task starts after" s 1
    row lines-peak "$nlines lines: peak beyond the text, a task" B 300
    row lines-rss "  resident a second later" B
    row lines-stop "  from TERM to the end" s
    row peer-make "make -j$cores, true / bare loop" x
    row peer-xargs "xargs -P$cores, true / bare loop" x
    row peer-parallel "GNU parallel -j$cores, true / bare loop" x
}

# --- whole -----------------------------------------------------------------

make_lists
say "$rounds rounds on $cores cores, load $(cut -d' ' -f1 /proc/loadavg)" \
    "at the start${BENCH_PINNED:+, pinned to $BENCH_PINNED}"
awk '{ exit $1 <= 1 }' /proc/loadavg &&
    say "other work is running here: what follows is worth little"
begin=$SECONDS
for round in $(seq "$rounds"); do
    against true list.true
    against echo list.echo
    shown_round
    bag_round
    if [ "$round" -le "$small" ]; then
        latency_round
        for _ in 1 2 3; do single_round; done
    fi
    if [ "$round" -le 3 ]; then
        idle_round
        lines_round
        [ $peers = no ] || peers_round
    fi
    say "round $round of $rounds, $((SECONDS - begin)) s"
done

table
printf '\nthe master, without I/O (per task; step work: per frame):\n'
# shellcheck disable=SC2086
"$bin/engine" $ranks || could_not "$bin/engine"
printf 'with predicted costs:\n'
# shellcheck disable=SC2086
"$bin/engine" -c $ranks || could_not "$bin/engine -c"
printf '\nparsing and expanding (%s of each):\n' "$nrecords"
"$bin/expand" "$nrecords" || could_not "$bin/expand"

printf '\nthe store thread:\n'
mkdir store
"$bin/store" store $nrecords || could_not "$bin/store"
printf '\nthe kernel lane (%s rounds in each shape):\n' "$rounds"
for ranks in 2 1; do
    DTX_SLOTS=$cores OMPI_MCA_mpi_yield_when_idle=1 "${MPIRUN:-mpirun}" \
        -n $ranks --oversubscribe --bind-to none "$bin/lane" "$rounds" ||
        could_not "$bin/lane"
done
printf '\nthe kernel lane, with more ranks than cores:\n'
for ranks in 3 4; do
    DTX_SLOTS=$ranks OMPI_MCA_mpi_yield_when_idle=1 "${MPIRUN:-mpirun}" \
        -n $ranks --oversubscribe --bind-to none "$bin/lane" 3 \
        'x 10 us' skewed 'UTS T3' 'one by one' || could_not "$bin/lane"
done
[ $bad = 0 ] || printf '\nsome of it could not run: see above\n'
exit $bad
