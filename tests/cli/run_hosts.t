#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/cli/run_hosts.t - jobs on three pretend hosts, over TCP: outputs, steals,
# and the loss of ranks, daemons, links and hosts
#
# DTX_KILL_ROUNDS (2) rounds of random misfortunes, from DTX_KILL_SEED (1);
# TEST_LONG=1 makes it 50, and adds the smaller latency.

rounds=${DTX_KILL_ROUNDS:-${TEST_LONG:+50}}
rounds=${rounds:-2}
first_seed=${DTX_KILL_SEED:-1}
# shellcheck source=tests/cli/lib.sh
. "$srcdir/tests/cli/lib.sh"
# shellcheck source=tests/cli/job.sh
. "$srcdir/tests/cli/job.sh"
# shellcheck source=tests/cli/hosts.sh
. "$srcdir/tests/cli/hosts.sh"
hosts_begin "several hosts"

# go OPTION...: begin the job, from the first host.
go() {
    begin ./on "${hosts_prefix}1" cd "$PWD" "&&" "$DISTRIBUTEX" run \
        --hostfile hostfile --ranks 6 -j 2 --lost-after "${lost_after:-2s}" \
        --run-dir d "$@" list
}

begun() {
    wait_for 30 "[ -e began ] && [ \$(wc -l <began) -ge $1 ]"
}

all_once() {
    recorded | sort -n | diff - <(seq "$1") || fail "not all recorded once"
    "$DISTRIBUTEX" output d "$1" | grep -qx "o$1" || fail "output of $1"
}

# survive 'MISFORTUNE': the job ends well all the same.
survive() {
    hosts_up 3
    held_bag 149 7
    go
    begun 30
    eval "$1"
    touch go
    ended 0
    all_once 150
}

# work_together [US]: on three hosts, with such a latency: all outputs, and
# steals between the hosts.
work_together() {
    own_tmp
    hosts_up 3 "${1:-0}"
    # after many short ones the first host becomes slow: it has too much then
    for i in $(seq 300); do
        [ "$i" -le 200 ] || printf "[ \$DTX_RANK -ge 2 ] || sleep 0.3; "
        echo "echo o$i"
    done >list
    go
    ended 0
    sort out | diff - <(seq 300 | sed s/^/o/ | sort) || fail "outputs differ"
    all_once 300
    grep -q "^balance .* [1-9][0-9]* steals* moved" err || fail "$(cat err)"
    [ "$(grep -c "^rank [0-9] *${hosts_prefix}[123]," err)" -eq 6 ]
}

# is_slow US: to the next host and back takes twice that.
is_slow() {
    local ns
    ns=$(./on "${hosts_prefix}1" 'a=$(date +%s%N)
        bash -c ": >/dev/tcp/10.77.0.2/9" 2>/dev/null
        echo $(($(date +%s%N) - a))')
    [ "$ns" -ge $((2 * $1 * 1000)) ] || fail "an answer after $ns ns"
}

hosts_case "three hosts: all outputs, and steals between them" work_together

for us in ${TEST_LONG:+200} 2000; do
    export us
    if [ -n "$(hosts_no_latency)" ]; then
        skip_case "with $us us from host to host" "$(hosts_no_latency)"
    else
        hosts_case "likewise with $us us from host to host" '
            work_together $us
            is_slow $us
        '
    fi
done

hosts_case "a killed rank on another host" '
    own_tmp
    survive "kill -KILL \$(host_rank 3)"
    grep -q "^lost       rank . on ${hosts_prefix}3 after" err ||
        fail "$(cat err)"
'

hosts_case "a stopped rank on another host" '
    own_tmp
    survive "kill -STOP \$(host_rank 2)"
    grep -q "^lost       rank . on ${hosts_prefix}2 after" err ||
        fail "$(cat err)"
'

hosts_case "a killed daemon" '
    own_tmp
    survive "kill -KILL \$(host_pids 3 orted)"
'

# Four tasks a host; those of the first two are let go when the third is cut off,
# so that its tasks begin anew there as soon as they are granted.
hosts_case "a cut link is noticed within 5 s, and its tasks end before" '
    own_tmp
    slow=2000
    [ -z "$(hosts_no_latency)" ] || slow=0
    hosts_up 3 $slow
    fence_bag 12
    lost_after=5s
    go -j 4
    begun 12
    cut_at=$(date +%s%N)
    cut_host 3
    let_go "[0-3]"
    begun 16
    ms=$((($(date +%s%N) - cut_at) / 1000000))
    echo "a cut link: its tasks began elsewhere after $ms ms" >"$test_root/told"
    touch go
    ended 0
    all_once 12
    [ ! -e both ] || fail "ran twice at a time: $(cat both)"
    grep -q "on ${hosts_prefix}3 lost after" err || fail "$(cat err)"
    [ "$ms" -lt 15000 ] || fail "after $ms ms"
'
sed "s/^/# /" "$test_root/told"

hosts_case "a killed host" '
    own_tmp
    hosts_up 3
    for i in $(seq 80); do # mpirun takes some seconds to give up
        echo "echo $i >>began; sleep 0.5; echo $i >>ended; echo o$i"
    done >list
    go
    begun 20
    kill_host 3
    cut_host 3
    ended 0
    all_once 80
    # mpirun may notice and give up, or the ranks go on without it
    grep -Eq "host ${hosts_prefix}3 does not answer|on ${hosts_prefix}3 after" \
        err || fail "$(cat err)"
'

# The hosts share one page cache, so what a dead one had not written is cut off.
hosts_case "what died with a host before it was on disk runs again, and no more" '
    own_tmp
    hosts_up 3
    held_bag 119 9
    go
    begun 70
    for host in 1 2 3; do kill_host $host; done
    wait "$job" || true
    "$JOURNAL_DUMP" d/journal | grep "^task .* final ok " >records
    sed "s/^task \([0-9]*\) .*/\1/" records >finished
    sed -n "s/^task \([0-9]*\) final ok [0-9]* [45] 1\$/\1/p" records >gone
    [ -s gone ] || fail "nothing ran on the third host"
    truncate -s 0 d/out/e1-r4 d/out/e1-r5
    mv began began.before
    touch go
    go --resume
    ended 0
    only finished gone >known
    both known began >again
    [ ! -s again ] || fail "ran again with their outputs there: $(cat again)"
    only gone began >missing
    [ ! -s missing ] || fail "did not run again: $(cat missing)"
    recorded | sort -nu | diff - <(seq 120)
    for i in $(cat gone) $(head -n 5 known); do
        "$DISTRIBUTEX" output d "$i" | grep -qx "o$i" || fail "output of $i"
    done
'

hosts_case "a host that is down: the job runs on those that answer" '
    own_tmp
    hosts_up 2
    echo "${hosts_prefix}9 slots=2" >>hostfile
    bag 60 8
    go
    ended 0
    all_once 60
    grep -q "host ${hosts_prefix}9 does not answer" err || fail "$(cat err)"
'

# hit: one random misfortune, told in the file $hits.
hit() {
    local host=$((1 + RANDOM % 3)) other=$((2 + RANDOM % 2)) what
    what=$((RANDOM % 7))
    recorded 2>/dev/null | sort -u >>all_finished || true
    cp began began.before
    case $what in
        0) echo "rank on host $host" && kill -KILL "$(host_rank $host)" ;;
        1) echo "stopped rank on host $host" &&
            kill -STOP "$(host_rank $host)" ;;
        2) echo "rank 0" && kill -KILL "$(rank_pid 0)" ;;
        3) echo "mpirun" && kill -KILL "$(launcher_pid)" ;;
        4) echo "daemon of host $other" &&
            kill -KILL "$(host_pids $other orted)" ;;
        5) echo "host $other" && kill_host $other && cut_host $other ;;
        6) echo "link of host $other" && cut_host $other ;;
    esac >>"$hits" 2>/dev/null || true
}

for round in $(seq "$rounds"); do
    seed=$((first_seed + round - 1))
    hits=$test_root/hits
    : >"$hits"
    export seed hits
    hosts_case "round $round: seed $seed" '
        echo "again: DTX_KILL_SEED=$seed DTX_KILL_ROUNDS=1" \
            "make check TESTS=tests/cli/run_hosts.t"
        own_tmp
        hosts_up 3
        bag 200 "$seed"
        touch began ended all_finished
        go --crash-limit 0
        begun 1
        for _ in $(seq $((1 + RANDOM % 2))); do
            sleep "$((RANDOM % 2)).$((RANDOM % 10))"
            hit
        done
        ended 0
        sort -u all_finished >known
        tail -n +$(($(wc -l <began.before) + 1)) began >later
        both known later >again
        [ ! -s again ] || fail "finished tasks ran again: $(cat again)"
        all_once 200
    '
    sed "s/^/# seed $seed: /" "$hits"
done

test_done
