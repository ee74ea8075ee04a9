#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Tasks that are bound by memory bandwidth go to different NUMA nodes, and those
# for which there is none left wait while others are ready. The machine is drawn
# over the first two processors of this one, and so is what its counters count
# (tests/cli/fake_counters.c).

# shellcheck source=tests/cli/lib.sh
. "$srcdir/tests/cli/lib.sh"
# shellcheck source=tests/cli/job.sh
. "$srcdir/tests/cli/job.sh"
unset "${!DTX_@}" "${!SLURM_@}"
export DTX_CONFIG=/dev/null

# Two NUMA nodes of one core. Each task has missed the last cache 26 million
# times: in 0.2 s that is 8 GB/s, in 0.9 s 1.8.
export HWLOC_SYNTHETIC="numa:2 core:1 pu:1" HWLOC_THISSYSTEM=1
export FAKE_COUNTERS="1000000000 4000000000 26000000"
small="--numa-bandwidth 2G"

# counted COMMAND...: with these counters; the sanitizers need not come first.
counted() {
    LD_PRELOAD=$builddir/tests/cli/.libs/fake_counters.so \
        ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0" \
        timeout -k 5 60 "$DISTRIBUTEX" "$@"
}

reason=
taskset -c 0,1 true 2>/dev/null || reason="no processors 0 and 1"
counted topo | grep -q "of tasks: perf-hardware (instructions, " ||
    reason="counters cannot be feigned here"
if [ -n "$reason" ]; then
    skip_case "memory-bound tasks are spread" "$reason"
    test_done
fi

# job NAME OPTION...: 40 tasks of the one kind, then 6 of the other; what each
# says is in NAME.out: kind, begin and end in 1/100 s, processors.
job() {
    local name=$1
    shift
    counted run --run-dir "$name" -j 4 "$@" list >"$name.out" 2>"$name.err" ||
        fail "$(cat "$name.err")"
    [ "$(wc -l <"$name.out")" -eq 46 ]
}

make_list() {
    for kind in "triad 0.2" "sort 0.9"; do
        cat >"${kind% *}" <<EOF
#!/bin/sh
cpus=\$(awk "/^Cpus_allowed_list/ {print \\\$2}" /proc/self/status)
read -r begin rest </proc/uptime
sleep ${kind#* }
read -r end rest </proc/uptime
echo ${kind% *} \$begin \$end \$cpus | tr -d .
EOF
        chmod +x "${kind% *}"
    done
    seq -f "./triad %g" 40 >list
    seq -f "./sort %g" 6 >>list
}

# while_others_wait NAME: of the memory-bound tasks that began after the first
# and before the last of the others (so that some were ready all the time): how
# many there are, how many of them began beside two more, and how many beside
# one bound to the same processors.
while_others_wait() {
    awk '$1 == "sort" && (!first || $2 < first) {first = $2}
         $1 == "sort" && $2 > last {last = $2}
         $1 == "triad" {n++; from[n] = $2; to[n] = $3; cpus[n] = $4}
         END {
             for (i = 1; i <= n; i++) {
                 if (from[i] <= first || from[i] >= last) continue
                 count++
                 at_once = same = 0
                 for (k = 1; k <= n; k++)
                     if (k != i && from[k] > first && from[k] <= from[i] &&
                         to[k] > from[i]) {
                         at_once++
                         same += cpus[k] == cpus[i]
                     }
                 third += at_once > 1
                 beside += same > 0
             }
             print count + 0, third + 0, beside + 0
         }' "$1.out"
}

test_case "memory-bound tasks are spread, unless that is switched off" '
    make_list
    job on $small &
    job off $small --numa-spread no
    wait $!
    read -r count third beside < <(while_others_wait on)
    [ "$count" -ge 4 ] || fail "$count are spread: $(sort on.out)"
    [ "$third" -eq 0 ] || fail "$third are beside two: $(sort on.out)"
    [ "$beside" -eq 0 ] || fail "$beside are crowded: $(sort on.out)"
    grep -q "^memory     [1-9][0-9]* memory-bound tasks started where there" \
        on.err || fail "$(cat on.err)"
    [ "$(grep -c "^triad .* 0$" on.out)" -ge 2 ]
    [ "$(grep -c "^triad .* 1$" on.out)" -ge 2 ]
    read -r count third beside < <(while_others_wait off)
    [ "$count" -le 3 ] || fail "$count are held back: $(sort off.out)"
    if grep "^triad .* [01]$" off.out; then fail "they are bound"; fi
    if grep "^memory" off.err; then fail "it is told all the same"; fi
'

# Nobody is slowed down by others here, which is learned.
test_case "with enough bandwidth, or without counters, nobody is" '
    make_list
    job roomy &
    job blind $small --counters off
    wait $!
    for name in roomy blind; do
        read -r count third beside < <(while_others_wait $name)
        [ "$count" -le 3 ] || fail "$count are held back: $(sort $name.out)"
        if grep "^triad .* [01]$" $name.out; then fail "$name binds"; fi
        if grep "^memory" $name.err; then fail "$name tells"; fi
    done
'

test_done
