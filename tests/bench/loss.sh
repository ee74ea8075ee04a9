#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/bench/loss.sh - how soon a loss is noticed, and work goes on
#
# What "make bench-loss" runs: a job on three pretend hosts, with the defaults,
# to which one thing happens.  Noticed: from the signal to the line that says
# so.  At work again: to the next task that begins, where a launch is lost.  It
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

hosts_check
if [ -n "$no_hosts" ]; then
    skip_case "three hosts" "$no_hosts"
    test_done
fi
trap 'hosts_down; end_test' EXIT
figures=$test_root/figures
export figures
: >"$figures"

# said REGEXP: when err has such a line, in us; nothing after a minute.
said() {
    for _ in $(seq 10000); do
        grep -Eq "$1" err && echo "${EPOCHREALTIME/[.,]/}" && return 0
        sleep 0.005
    done
    return 1
}

# begins: when a task does whose spawner is not one of those in known.
begins() {
    wait_for 60 "grep -qvxFf known began"
    echo "${EPOCHREALTIME/[.,]/}"
}

# happens NAME VICTIM 'WHAT' 'LINE': what happens, and the line that says so.
happens() {
    local t0 t1 t2= victim
    own_tmp
    hosts_up 3
    yes 'echo $PPID >>began; sleep 0.05' | head -n 20000 >list
    begin ./on "${hosts_prefix}1" cd "$PWD" "&&" "$DISTRIBUTEX" run \
        --hostfile hostfile --ranks 6 -j 2 --no-show --run-dir d list
    wait_for 30 "[ -e began ] && [ \$(wc -l <began) -ge 60 ]"
    sort -u began >known
    victim=$(eval "$2") # takes a while to find
    t0=${EPOCHREALTIME/[.,]/}
    eval "$3"
    t1=$(said "$4") || fail "nobody said $4: $(cat err)"
    if [ "${5:-}" = launch ]; then
        said "launching the rest" >/dev/null || fail "$(cat err)"
        t2=$(begins)
    fi
    echo "$1	$(((t1 - t0) / 1000))${t2:+ $(((t2 - t0) / 1000))}" >>"$figures"
    # what is left is of no interest
    kill -KILL "$job" 2>/dev/null || true
}

# row NAME VICTIM 'WHAT' 'LINE' [launch]
row() {
    local name=$1
    export name victim="$2" what="$3" line="$4" launch="${5:-}"
    for _ in $(seq "$rounds"); do
        hosts_case "$name" \
            'happens "$name" "$victim" "$what" "$line" "$launch"'
    done
}

lost3="on ${hosts_prefix}3 lost after"
# shellcheck disable=SC2016
{
    kill='kill -KILL $victim' stop='kill -STOP $victim'
    row "worker rank killed, rank 0's node" 'rank_pid 1' "$kill" \
        "on ${hosts_prefix}1 lost after"
    row "worker rank killed, another host" 'host_rank 3' "$kill" "$lost3"
    row "worker rank stopped, another host" 'host_rank 3' "$stop" "$lost3"
    row "link of a host cut" true 'cut_host 3' "$lost3"
    row "daemon killed" 'host_pids 3 orted' "$kill" "$lost3"
    row "host killed, link and all" 'host_pids 3' "cut_host 3; $kill" \
        "$lost3|launching the rest"
    row "rank 0 killed" 'rank_pid 0' "$kill" "rank 0 is lost" launch
    row "rank 0 stopped" 'rank_pid 0' "$stop" "rank 0 is lost" launch
    row "mpirun killed" launcher_pid "$kill" "without a completion marker" \
        launch
}

printf '\n%-36s %-28s %s\n' "what" "noticed after, ms" "at work again, ms"
cut -f1 "$figures" | uniq | while read -r name; do
    awk -F'\t' -v n="$name" '$1 == n {
            split($2, v, " ")
            a = a (a ? ", " : "") v[1]
            if (v[2]) b = b (b ? ", " : "") v[2]
        } END { printf "%-36s %-28s %s\n", n, a, b ? b : "at once" }' "$figures"
done
test_done
