#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/bench/sim.sh [--quick | --scale | --PART] [DISTRIBUTEX] - does the
# simulator tell the truth?
#
# What "make bench-sim" runs:
#
#   service    what rank 0 spends on a message and on a task, by the real
#              master, transport and journal: the simulator's defaults
#   replay     short real runs, under every policy, on as many ranks as there
#              are cores; the simulator replays each from its run directory and
#              the two makespans are compared
#   plans      a bag runs and is learned from; 'distributex plan' says how long
#              it will take, and it runs again: inside the interval? Lists of
#              fixed lengths, and bags whose tasks take as long as chance says
#   speed      events a second, and 100,000 slots with 10 tasks each
#
# A replay that is more than 5 % off is marked and makes the exit status 1, as
# do more plans than one in four that do not hold, and what could not run.
#
#   --quick    shorter runs, fewer slots: to see that everything works
#   --scale    instead of all that, the table of doc/scale.md
#   --service, --replays, --plans, --speed    that part alone
#
# Environment: BENCH_BIN (where the programs of this folder are built:
# $builddir/tests/bench), DISTRIBUTEX, MPIRUN, TMPDIR.

set -u
export LC_ALL=C
limit=5 # per cent

quick=no parts='service replays plans speed' program=${DISTRIBUTEX:-}
for word in "$@"; do
    case $word in
        --quick) quick=yes ;;
        --scale) parts=scales ;;
        --service | --replays | --plans | --speed) parts=${word#--} ;;
        -*) echo "usage: sim.sh [--quick | --scale | --service | --replays |" \
                "--plans | --speed] [DISTRIBUTEX]" >&2
            exit 2 ;;
        *) program=$word ;;
    esac
done
case $program in
    '') echo "sim.sh: which program? give its path" >&2; exit 2 ;;
    /*) ;;
    *) program=$PWD/$program ;;
esac
bin=${BENCH_BIN:-${builddir:-$PWD}/tests/bench}
for p in "$program" "$bin/burn" "$bin/service"; do
    [ -x "$p" ] || { echo "sim.sh: $p is missing: make bench-sim" >&2; exit 1; }
done

for name in $(env | sed -n 's/^\(DTX_[A-Z_]*\)=.*/\1/p'); do
    unset "$name"
done
export DTX_CONFIG=/dev/null
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

tmp=$(mktemp -d "${TMPDIR:-/tmp}/dtx-bench.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
cd "$tmp" || exit 1
bad=0

could_not() {
    bad=1
    echo "could not run: $1" >&2
    [ -z "${2:-}" ] || tail -n 5 "$2" | sed 's/^/    /' >&2
}

# --- service ------------------------------------------------------------------

service() {
    local tasks=500000
    [ $quick = yes ] && tasks=50000
    mkdir service
    echo "service time of the master (2 ranks, bound):"
    timeout -k 5 120 "${MPIRUN:-mpirun}" -n 2 --bind-to core "$bin/service" \
        service $tasks 2>log || could_not "$bin/service" log
}

# --- replay -------------------------------------------------------------------

# lengths COUNT MEAN SIGMA SEED: lognormal seconds, one a line.
lengths() {
    awk -v n="$1" -v mean="$2" -v sigma="$3" -v seed="$4" 'BEGIN {
        srand(seed)
        for (i = 0; i < n; i++) {
            z = sqrt(-2 * log(1 - rand())) * cos(6.2831853 * rand())
            printf "%.4f\n", mean * exp(sigma * z - sigma * sigma / 2)
        }
    }'
}

make_lists() {
    local n=80
    [ $quick = yes ] && n=24
    lengths $n 0.1 1.0 1 | sed 's/^/sleep /' >skewed
    lengths $n 0.1 0.5 2 | awk -v p="$bin/burn" \
        '{ printf "%s %d\n", p, $1 * 1e6 }' >burning
    lengths $((2 * n)) 0.1 0.7 3 | sort -n | sed 's/^/sleep /' >rising
    lengths $n 0.1 0.7 4 | awk -v n=$n '
        NR <= n / 2 { print "#DTX name=first" }
        NR > n / 2 { print "#DTX after=first" }
        { print "sleep " $1 }' >layered
    lengths $n 0.1 0.7 5 | awk '
        NR % 5 == 0 { print "#DTX cpus=2" }
        { print "sleep " $1 }' >wide
}

# replay LIST RANKS SLOTS POLICY: SLOTS in all.
replay() {
    local list=$1 ranks=$2 slots=$3 policy=$4 real sim
    local options=(--policy "$policy" -j "$slots")
    [ "$ranks" -eq 1 ] || options+=(--ranks "$ranks")
    rm -rf run
    if ! timeout -k 5 120 "$program" run --run-dir run "${options[@]}" \
        "$list" >/dev/null 2>log </dev/null; then
        could_not "distributex run ${options[*]} $list" log
        return
    fi
    real=$(awk '$1 == "makespan" { print $2 * ($3 ~ /^ms/ ? 0.001 : 1) }' log)
    sim=$("$program" simulate --from run --slots "$slots" \
        --ranks-per-node "$ranks" --policy "$policy" --json 2>log |
        sed -n 's/.*"makespan": \([0-9.]*\),.*/\1/p')
    if [ -z "$real" ] || [ -z "$sim" ]; then
        could_not "distributex simulate --from run" log
        return
    fi
    awk -v list="$list" -v ranks="$ranks" -v slots="$slots" \
        -v policy="$policy" -v real="$real" -v sim="$sim" -v limit=$limit '
        BEGIN {
            off = 100 * (sim / real - 1)
            size = off < 0 ? -off : off
            printf "  %-8s %5d %5d  %-9s %9.2f %9.2f  %+5.1f %%%s\n", list,
                ranks, slots, policy, real, sim, off,
                (size > limit) ? "   MORE THAN " limit " %" : ""
            exit (size > limit)
        }' || bad=1
}

replays() {
    local policy
    printf '\nmakespans, in seconds:\n'
    printf '  %-8s %5s %5s  %-9s %9s %9s\n' list ranks slots policy real \
        simulated
    for policy in steal self guided factoring static; do
        replay skewed 1 2 "$policy"
        replay skewed 2 2 "$policy"
        replay burning 2 2 "$policy"
        replay rising 2 4 "$policy"
        replay layered 2 2 "$policy"
        replay wide 1 4 "$policy"
    done
}

# --- plans ---

# bag KIND: a list, the same each time. What its tasks take is not, but for
# the first kind.
#   even    all alike
#   noisy   lognormal, sigma 0.4, whatever the argument
#   tail    one in five takes up to seven times as long as the others
#   law     as the argument says, and 20 per cent more or less
bag() {
    local n=60 i
    [ $quick = yes ] && n=20
    for ((i = 1; i <= n; i++)); do
        case $1 in
            even) echo "$bin/burn 100000" ;;
            law) echo "./lasts law $((20 + i * 37 % 61 * 3))" ;;
            *) echo "./lasts $1 $i" ;;
        esac
    done
}

make_lasts() {
    cat >lasts <<'EOF'
#!/bin/bash
z=$((RANDOM % 1000 + RANDOM % 1000 + RANDOM % 1000 + RANDOM % 1000 - 1998))
case $1 in
    noisy) us=$(awk "BEGIN { print int(80000 * exp(0.4 * $z / 577)) }") ;;
    tail) us=$((RANDOM % 5 ? 70000 : 70000 + RANDOM * 12)) ;;
    law) us=$(awk "BEGIN { print int(1000 * $2 * exp(0.2 * $z / 577)) }") ;;
esac
EOF
    echo "exec $bin/burn \$us" >>lasts
    chmod +x lasts
}

# plan_one LIST SLOTS [LATER]: one line; false when it (or LATER) ran outside of
# the interval.
plan_one() {
    local list=$1 slots=$2 later=${3:-$1} real low high
    rm -rf run history
    if ! timeout -k 5 120 "$program" run -q --history history --run-dir run \
        -j "$slots" "$list" >/dev/null 2>log </dev/null; then
        could_not "distributex run $list" log
        return
    fi
    "$program" plan --history history -j "$slots" --nodes 1 --json "$later" \
        >plan 2>log || could_not "distributex plan $later" log
    low=$(grep -o '"low": [0-9.]*' plan | cut -d' ' -f2)
    high=$(grep -o '"high": [0-9.]*' plan | cut -d' ' -f2)
    rm -rf run
    timeout -k 5 120 "$program" run --history history --run-dir run \
        -j "$slots" "$later" >/dev/null 2>log </dev/null
    real=$(awk '$1 == "makespan" { print $2 * ($3 ~ /^ms/ ? 0.001 : 1) }' log)
    awk -v list="$later" -v slots="$slots" -v low="$low" -v high="$high" \
        -v real="$real" 'BEGIN {
            inside = real >= low && real <= high
            printf "  %-8s %5d %9.2f %9.2f %9.2f%s\n", list, slots, low, high,
                real, inside ? "" : "   outside"
            exit !inside
        }'
}

plans() {
    local outside=0 all=0 list slots kind
    make_lasts
    printf '\nplans, in seconds:\n  %-8s %5s %9s %9s %9s\n' list slots low \
        high real
    for list in skewed burning rising layered; do
        for slots in 2 4; do
            # more burning than there are cores is another load than a plan's
            [ $list = burning ] && [ $slots -gt 2 ] && continue
            plan_one $list $slots || outside=$((outside + 1))
            all=$((all + 1))
        done
    done
    for kind in even noisy tail law; do
        bag $kind >$kind
        plan_one $kind 2 || outside=$((outside + 1))
        plan_one $kind 2 || outside=$((outside + 1))
        all=$((all + 2))
    done
    # other arguments than those that are known
    awk '{ $3 += 2; print }' law >others
    plan_one law 2 others || outside=$((outside + 1))
    all=$((all + 1))
    printf '  %d of %d inside the interval of nine in ten\n' \
        $((all - outside)) $all
    [ $((4 * outside)) -le $all ] || bad=1
}

# --- speed --------------------------------------------------------------------

# simulated ORDER MEAN NODES RANKS_PER_NODE TASKS: a row of what it took, with
# nodes of 100 slots.
simulated() {
    local options=(--workload "lognormal:mean=$2,sigma=0.5,tasks=$5"
        --order "$1" --nodes "$3" --slots 100 --ranks-per-node "$4" --json)
    if ! "$program" simulate "${options[@]}" >out 2>log; then
        could_not "distributex simulate ${options[*]}" log
        return
    fi
    sed 's/[{}",:]/ /g' out | awk -v order="$1" -v mean="$2" \
        -v slots=$((100 * $3)) -v each=$((100 / $4)) '
        {
            for (i = 1; i < NF; i++)
                v[$i] = $(i + 1)
            printf "%8d %6d %6s %5s %9d %7.2f %6d %10.2f\n", slots, each, mean,
                order, v["events"], v["seconds"], v["memory"] / 1048576,
                v["events"] / v["seconds"] / 1e6
        }'
}

# All shapes of doc/scale.md of 100,000 slots, and one of few ranks.
speed() {
    local tasks=1000000 nodes=1000 ranks mean order
    [ $quick = yes ] && tasks=100000 nodes=100
    printf '\nspeed, %d tasks:\n' $tasks
    printf '%8s %6s %6s %5s %9s %7s %6s %10s\n' slots 'a rank' mean order \
        events seconds MiB 'M events/s'
    simulated file 10s 10 1 $tasks
    for ranks in 1 100; do
        for order in file lpt; do
            for mean in 1s 10s 100s; do
                simulated $order $mean $nodes $ranks $tasks
            done
        done
    done
}

# --- scale --------------------------------------------------------------------

# cell SLOTS RANKS_PER_NODE MEAN FACTOR [OPTION...]: efficiency and the share of
# the time in which rank 0 is the master, nodes of 100 slots, ten tasks a slot.
# Longest first, or chance at the end of the job would hide what is looked for.
cell() {
    local slots=$1 ranks=$2 mean=$3 factor=$4 task
    shift 4
    # as src/sim/scenario.c has it for so many ranks, in nanoseconds
    case $((slots * ranks / 100)) in
        100000) task=2200 ;;
        10000) task=1100 ;;
        *) task=800 ;;
    esac
    "$program" simulate --slots 100 --nodes $((slots / 100)) \
        --ranks-per-node "$ranks" \
        --workload "lognormal:mean=$mean,sigma=0.5,tasks=$((10 * slots))" \
        --master-message "$(awk "BEGIN { print 0.22 * $factor }")us" \
        --master-task "$(awk "BEGIN { print $task / 1000 * $factor }")us" \
        --order lpt --json "$@" 2>log | sed 's/[{}",:]/ /g' | awk '
        {
            for (i = 1; i < NF; i++)
                v[$i] = $(i + 1)
            printf " %5.1f (%3.0f) |", 100 * v["efficiency"],
                100 * v["master_busy"]
        }'
    [ -s log ] && could_not "distributex simulate" log
}

# table 'SLOTS...' FACTOR [OPTION...]
table() {
    local all=$1 slots ranks mean
    shift
    echo '| slots | slots a rank | 1 s | 10 s | 100 s |'
    echo '|---|---|---|---|---|'
    for slots in $all; do
        for ranks in 1 100; do
            printf '| %d | %d |' $slots $((100 / ranks))
            for mean in 1s 10s 100s; do
                cell $slots $ranks $mean "$@"
            done
            printf '\n'
        done
    done
}

scales() {
    printf 'service time as measured:\n\n'
    table '1000 10000 100000' 1
    printf '\nten times the service time:\n\n'
    table '1000 10000 100000' 10
    printf '\nas measured, policy self:\n\n'
    table '10000 100000' 1 --policy self
}

make_lists
for part in $parts; do
    $part
done
exit $bad
