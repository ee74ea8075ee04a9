#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/bench/hosts.sh - what another host costs
#
# What "make bench-hosts" runs: two pretend hosts over TCP, without a latency of
# their links and with some.  Ranks of other hosts cannot ring, so a rank naps
# for 0.1 to 1 ms at a time: that costs an idle one some of a core, and each
# step of a chain of tasks, which needs the master in between, some time.  It
# asserts nothing; only what could not run makes the exit status 1.
#
# In the environment: srcdir, builddir (absolute), DISTRIBUTEX; BENCH_ROUNDS (3).

# shellcheck source=tests/cli/lib.sh
. "$srcdir/tests/cli/lib.sh"
# shellcheck source=tests/cli/job.sh
. "$srcdir/tests/cli/job.sh"
# shellcheck source=tests/cli/hosts.sh
. "$srcdir/tests/cli/hosts.sh"
unset "${!DTX_@}" "${!SLURM_@}"
rounds=${BENCH_ROUNDS:-3}
steps=200

hosts_check
if [ -n "$no_hosts" ]; then
    skip_case "two hosts" "$no_hosts"
    test_done
fi
trap 'hosts_down; end_test' EXIT
figures=$test_root/figures
export figures steps

go() {
    sed -i 's/slots=2/slots=1/' hostfile # one rank on each
    begin ./on "${hosts_prefix}1" cd "$PWD" "&&" "$DISTRIBUTEX" run \
        --hostfile hostfile --ranks 2 -j 1 -q --no-show --run-dir d \
        --joblog joblog list
}

# ticks PID: of processor time, all its threads.
ticks() {
    cut -d' ' -f14,15 "/proc/$1/stat" | tr ' ' '+'
}

# The second rank has nothing to do.
idle() {
    local pid a
    echo 'echo >began; sleep 8' >list
    go
    wait_for 30 "[ -e began ]"
    pid=$(host_rank 2)
    [ -n "$pid" ] || fail "no rank on the second host"
    sleep 2 # the first PINGs and naps are over
    a=$(ticks "$pid")
    sleep 4
    echo "idle $1 $((($(ticks "$pid") - ($a)) * 100 /
        (4 * $(getconf CLK_TCK)))).$((($(ticks "$pid") - ($a)) * 1000 /
        (4 * $(getconf CLK_TCK)) % 10))" >>"$figures"
    ended 0
}

# chain HOLDER: the first task holds a slot, and in another one a chain runs.
chain() {
    local i
    echo "$1"
    echo "true"
    for i in $(seq 3 $((steps + 2))); do
        echo "#DTX after=$((i - 1))"
        echo "true"
    done
    echo "#DTX after=$((steps + 2))"
    echo "touch go"
}

# step_ms HOST: of the chain, by the joblog, if it ran there.
step_ms() {
    awk -F'\t' -v h="$1" -v n="$steps" '$1 == 2 { a = $3 + $4 }
        $1 == n + 2 { b = $3 + $4; if ($2 ~ h) good = 1 }
        END { if (!good) exit 1; printf "%.3f\n", (b - a) / n * 1000 }' joblog
}

far_chain() {
    chain 'while [ ! -e go ]; do sleep 0.05; done' >list
    go
    ended 0
    ms=$(step_ms "${hosts_prefix}2") || fail "it ran elsewhere"
    echo "step $1 $ms" >>"$figures"
    rm -rf d go joblog
    "$DISTRIBUTEX" run -j 2 -q --no-show --run-dir d --joblog joblog list
    echo "near $1 $(step_ms .)" >>"$figures"
}

for us in 0 200 2000; do
    for _ in $(seq "$rounds"); do
        export us
        if [ "$us" -gt 0 ] && [ -n "$(hosts_no_latency)" ]; then
            skip_case "$us us" "$(hosts_no_latency)"
            continue
        fi
        hosts_case "an idle rank, $us us away" '
            own_tmp
            hosts_up 2 $us
            idle $us
        '
        hosts_case "a chain of tasks, $us us away" '
            own_tmp
            hosts_up 2 $us
            far_chain $us
        '
    done
done

sed "s/^/# /" "$figures" # each: what, us, figure

# middle NAME US
middle() {
    awk -v n="$1" -v us="$2" '$1 == n && $2 == us { print $3 }' "$figures" |
        sort -n | awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)] }'
}

printf '\n%-12s %-22s %-24s %s\n' "one way" "idle rank, of a core" \
    "a step beyond a near one" "... and beyond the way and back"
for us in 0 200 2000; do
    step=$(middle step $us) near=$(middle near $us) idle=$(middle idle $us)
    [ -n "$step" ] && [ -n "$near" ] && [ -n "$idle" ] || continue
    awk -v us=$us -v s="$step" -v n="$near" -v i="$idle" 'BEGIN {
        printf "%-12s %-22s %-24s %s\n", us / 1000 " ms",
            i " % (target 2 %)", sprintf("%.2f ms", s - n),
            sprintf("%.2f ms (target 3 ms)", s - n - us / 500) }'
done
test_done
