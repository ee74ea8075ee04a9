#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/cli/simulate.t - imagined jobs on imagined machines
. "$srcdir/tests/cli/lib.sh"

# value FILE FIELD: of an object on one line
value() {
    sed -n "s/.*\"$2\": \([0-9.]*\)[,}].*/\1/p" "$1"
}
export -f value

# holds 'EXPRESSION': arithmetic that awk finds true
holds() {
    awk "BEGIN { exit !($1) }" || { echo "not so: $1"; return 1; }
}
export -f holds

test_case "an object with exactly the promised fields" '
    "$DISTRIBUTEX" simulate --workload constant:mean=10s,tasks=100 \
        --nodes 5 --slots 2 --json >out
    test "$(wc -l <out)" -eq 1
    grep -o "\"[a-z_]*\":" out | tr -d "\":" | paste -s -d" " >fields
    echo makespan lower_bound ideal_makespan efficiency steals messages \
        master_busy events seconds memory >wanted
    cmp fields wanted
    grep -qx "{.*}" out
    # ten rounds of ten seconds, and what it takes beside
    [ "$(value out lower_bound)" = 100.000000000 ]
    holds "$(value out makespan) > 100 && $(value out makespan) < 100.5"
    holds "$(value out ideal_makespan) >= 100"
    holds "$(value out ideal_makespan) < $(value out makespan)"
    holds "$(value out efficiency) > 0.99 && $(value out efficiency) < 1"
    holds "$(value out messages) >= 100"
    holds "$(value out master_busy) > 0 && $(value out master_busy) < 0.01"
    holds "$(value out events) > 300"
    holds "$(value out memory) > 1e6 && $(value out memory) < 1e9"
'

test_case "a seed is a run, byte for byte" '
    simulate() {
        "$DISTRIBUTEX" simulate --workload pareto:tasks=2000 --nodes 7 \
            --slots 3 --ranks-per-node 3 --jitter 1ms --noise 0.2 \
            --speed-sigma 0.1 --fail 0.1 --retries 3 --node-mtbf 1h \
            --order predicted --json "$@" | sed "s/, \"seconds\".*//"
    }
    simulate --seed 3 >a
    simulate --seed 3 >b
    simulate --seed 4 >c
    cmp a b
    ! cmp -s a c
'

test_case "a sweep over nodes and policies is a table" '
    "$DISTRIBUTEX" simulate --workload exponential:mean=1s,tasks=500 \
        --nodes 1,2,4-6 --slots 2 --policy self,steal >out
    test "$(wc -l <out)" -eq 11
    head -n 1 out | grep -q "nodes *slots *policy *makespan *ideal *efficiency"
    awk "NR > 1 { print \$1, \$2, \$3 }" out | paste -s -d, >rows
    echo "1 2 self,1 2 steal,2 4 self,2 4 steal,4 8 self,4 8 steal,5 10 self,5 \
10 steal,6 12 self,6 12 steal" >wanted
    cmp rows wanted
    "$DISTRIBUTEX" simulate --workload exponential:mean=1s,tasks=500 \
        --policy all --json >out
    for p in steal self guided factoring static; do
        grep -q "{\"nodes\": 1, \"policy\": \"$p\", \"makespan\": " out
    done
    head -c 1 out | grep -q "\[" && tail -n 1 out | grep -q "\]$"
    if command -v python3 >/dev/null; then
        python3 -c "import json; assert len(json.load(open(\"out\"))) == 5"
    fi
'

test_case "what costs makes it slower" '
    simulate() {
        "$DISTRIBUTEX" simulate --workload constant:mean=10ms,tasks=20000 \
            --nodes 50 --slots 4 --ranks-per-node 4 --spawn 0s --json "$@"
    }
    simulate >a
    simulate --master-task 100us >b
    holds "$(value b makespan) > 1.5 * $(value a makespan)"
    holds "$(value b master_busy) > 0.9 && $(value b efficiency) < 0.6"
    # what the master needs for it bounds the makespan from below
    holds "$(value b makespan) > 20000 * 0.0001"
    simulate --policy self --nap 100ms --latency 20ms >c
    simulate --policy self --nap 0s >d
    holds "$(value c makespan) > 2 * $(value d makespan)"
    simulate --bandwidth 100K >e
    holds "$(value e makespan) > 2 * $(value a makespan)"
'

test_case "longest first ends sooner than shortest first" '
    simulate() {
        "$DISTRIBUTEX" simulate --workload increasing:mean=10s,tasks=200 \
            --slots 16 --json --policy self "$@"
    }
    simulate >a
    simulate --order lpt >b
    simulate --order predicted >c
    holds "$(value b makespan) < $(value a makespan)"
    holds "$(value b makespan) < 1.05 * $(value b lower_bound)"
    holds "$(value c makespan) < $(value a makespan)"
    holds "$(value c makespan) >= $(value b makespan)"
'

test_case "layers wait for one another, and the chain bounds the makespan" '
    "$DISTRIBUTEX" simulate --workload constant:mean=2s,tasks=12,layers=6 \
        --slots 100 --json >out
    [ "$(value out lower_bound)" = 12.000000000 ]
    holds "$(value out makespan) > 12 && $(value out makespan) < 12.1"
'

test_case "failures, deaths and a deadline" '
    "$DISTRIBUTEX" simulate --workload constant:mean=1s,tasks=1000 \
        --slots 10 --fail 0.3 --retries 2 >out
    grep -q "^tasks  *9[0-9][0-9] succeeded, [1-9][0-9]* failed, 0 skipped, 0 l" out
    grep -q "^again  *[23][0-9][0-9] attempts after a failure, 0 after" out
    "$DISTRIBUTEX" simulate --workload constant:mean=10s,tasks=1000 \
        --nodes 20 --slots 2 --ranks-per-node 2 --rank-mtbf 10m --detect 2s >out
    ! grep -q "^tasks" out
    grep -q "^again  *0 attempts after a failure, [1-9]" out
    "$DISTRIBUTEX" simulate --workload constant:mean=10s,tasks=1000 \
        --nodes 10 --node-mtbf 30m >out
    grep -q "^again  *0 attempts after a failure, [1-9]" out
    "$DISTRIBUTEX" simulate --workload constant:mean=10s,tasks=1000 \
        --slots 10 --deadline 95s >out
    grep -q "^tasks  *100 succeeded, 0 failed, 0 skipped, 900 left" out
    grep -q "^makespan  *1m40s" out
'

test_case "wide tasks and slow nodes" '
    "$DISTRIBUTEX" simulate --workload constant:mean=1s,tasks=10,cpus=4 \
        --slots 8 --json >out
    holds "$(value out makespan) > 5 && $(value out makespan) < 5.1"
    "$DISTRIBUTEX" simulate --workload constant:mean=1s,tasks=300 --nodes 2 \
        --slots 1 --slow 1:2 --json >out
    holds "$(value out makespan) > 200 && $(value out makespan) < 203"
    [ "$(value out lower_bound)" = 200.000000000 ]
'

test_case "others use the processors of a node" '
    simulate() {
        "$DISTRIBUTEX" simulate --workload constant:mean=1s,tasks=300 \
            --nodes 2 --slots 1 --json "$@"
    }
    # half of one node from the start; then from the middle on; for a while
    simulate --others 1:0.5 >out
    holds "$(value out makespan) > 200 && $(value out makespan) < 203"
    simulate --others 1:0.5:75s >out
    holds "$(value out makespan) > 175 && $(value out makespan) < 178"
    simulate --others 1:0.5:75s:30s >out
    holds "$(value out makespan) > 157 && $(value out makespan) < 160"
    # long tasks: the node that has measured it leaves the last one to the other
    long() {
        "$DISTRIBUTEX" simulate --workload constant:mean=10m,tasks=9 \
            --order predicted --prediction-error 0 --nodes 2 --slots 1 --json \
            --others 1:0.75:25m "$@"
    }
    long >heeded
    long --equal-speeds >blind
    long --others-measured 5h >unknown
    holds "$(value heeded makespan) < 0.8 * $(value blind makespan)"
    holds "$(value heeded makespan) < 0.8 * $(value unknown makespan)"
'

test_case "tasks wait for memory and devices of their node" '
    w="constant:mean=1s,tasks=24,mem=4G,gpus=1"
    "$DISTRIBUTEX" simulate --workload $w --nodes 2 --slots 8 --spawn 0s \
        --gpus-per-node 8 >out
    grep -q "memory that tasks ask for is not looked at: say how much" out
    grep -q "^makespan   2.00 s" out
    "$DISTRIBUTEX" simulate --workload $w --nodes 2 --slots 8 --spawn 0s \
        --gpus-per-node 8 --mem-per-node 16G >out
    grep -q "^makespan   3.00 s; lower bound 3.00 s" out
    "$DISTRIBUTEX" simulate --workload $w --nodes 2 --slots 8 --spawn 0s \
        --gpus-per-node 3 --mem-per-node 64G >out
    grep -q "^makespan   4.00 s; lower bound 4.00 s" out
    "$DISTRIBUTEX" simulate --workload constant:mean=1s,tasks=24 --nodes 2 \
        --slots 8 --spawn 0s --mem 8G --mem-per-node 16G >out
    grep -q "^makespan   6.0[0-9] s; lower bound 6.00 s" out
    expect_status 1 "$DISTRIBUTEX" simulate --workload $w --slots 2 2>err
    grep -q "task 1 asks for gpus=1: say how many a node has (--gpus-per" err
'

test_case "no more than all of it is efficient" '
    for seed in 1 2 3 4 5 6; do
        "$DISTRIBUTEX" simulate --workload lognormal:mean=1s,sigma=1,tasks=60 \
            --nodes 2 --slots 4 --seed $seed --json
    done >out
    [ "$(grep -o "\"efficiency\": [0-9.]*" out |
        awk "\$2 > 1 || \$2 < 0.5" | wc -l)" = 0 ]
'

test_case "tasks that share memory slow one another" '
    simulate() {
        "$DISTRIBUTEX" simulate --workload constant:mean=1s,tasks=320 \
            --slots 16 --json --spawn 0s "$@"
    }
    simulate >alone
    # the four slots of a NUMA node are fed; where two would be, each takes
    # twice as long
    simulate --numa 4 --memory-bound 1 >four
    simulate --numa 4 --memory-bound 1 --numa-streams 2 >two
    simulate --numa 2 --memory-bound 0.5 --numa-streams 4 >half
    cmp <(sed "s/, .seconds.*//" alone) <(sed "s/, .seconds.*//" four)
    holds "$(value two makespan) > 39.9 && $(value two makespan) < 40.5"
    # half of the time is compute: 1 - 0.5 + 0.5 * max(1, 8 * 0.5 / 4)
    holds "$(value half makespan) < 20.5"
    simulate --numa 2 --memory-bound 0.5 --numa-streams 2 >half
    holds "$(value half makespan) > 29.9 && $(value half makespan) < 30.5"
    # some need no memory, and are not slowed
    simulate --numa 4 --memory-bound 1:0.5 --numa-streams 2 \
        --numa-spread no >some
    holds "$(value some makespan) > 20.5 && $(value some makespan) < 36"
'

test_case "memory-bound tasks are spread, and it says what that gained" '
    simulate() {
        "$DISTRIBUTEX" simulate --workload \
            lognormal:mean=10s,sigma=0.5,tasks=2000 --slots 64 --order lpt \
            --numa 4 --memory-bound 1:0.25 "$@"
    }
    simulate --json >spread
    simulate --json --numa-spread no >blind
    holds "$(value spread makespan) < 0.95 * $(value blind makespan)"
    holds "$(value spread makespan_not_spread) == $(value blind makespan)"
    ! grep -q makespan_not_spread blind
    simulate >out
    grep -q "^memory .* memory-bound tasks started where there was" out
    grep -q "not spread: .* % more" out
    # there is room for all: the very same run
    simulate --json --numa-streams 16 >roomy
    simulate --json --numa-streams 16 --numa-spread no >blind
    cmp <(sed "s/, .seconds.*//" roomy) <(sed "s/, .seconds.*//" blind)
'

test_case "neighbours are robbed where tasks have data" '
    simulate() {
        "$DISTRIBUTEX" simulate --workload gamma:mean=5ms,tasks=6000,layers=6 \
            --nodes 16 --slots 16 --ranks-per-node 4 --nodes-per-switch 4 \
            --bandwidth 1G --taper 10 --json "$@"
    }
    simulate --task-data 4M >near
    simulate --task-data 4M --blind-steals >blind
    simulate --task-data 0 --blind-steals >none
    holds "$(value near makespan) < 0.8 * $(value blind makespan)"
    holds "$(value none makespan) < 0.8 * $(value blind makespan)"
    # the trace says who is robbed, and why
    "$DISTRIBUTEX" simulate --workload gamma:mean=5ms,tasks=40 --nodes 4 \
        --slots 2 --ranks-per-node 2 --nodes-per-switch 2 --trace >out 2>trace
    grep -q "rank [0-9] robs rank [0-9], same node: +0\.[0-9]* s" trace
    grep -q "master > [0-9]: YIELD " trace
    ! grep -q YIELD out
'

test_case "a recorded run, with what waits for what" '
    cat >list <<END
#DTX name=a
sleep 0.2
#DTX name=a
sleep 0.1
#DTX after=a
sleep 0.3
#DTX after=3
false
#DTX after=4
sleep 0.1
END
    expect_status 2 "$DISTRIBUTEX" run -q -j 2 --run-dir rd list
    "$DISTRIBUTEX" simulate --from rd --slots 2 >out
    grep -q "^job  *5 tasks: rd" out
    grep -q "1 without a recorded time" out
    grep -q "^recorded  *[0-9.]* m*s$" out
    grep -q "^tasks  *3 succeeded, 1 failed, 1 skipped, 0 left" out
    "$DISTRIBUTEX" simulate --from rd --slots 2 --json >out
    holds "$(value out makespan) > 0.5 && $(value out makespan) < 5"
    # it speaks of what ran: 0.2 s, 0.3 s and a false
    holds "$(value out lower_bound) > 0.5"
    holds "$(value out lower_bound) < $(value out makespan)"
    (ln -s rd distributex-latest; "$DISTRIBUTEX" simulate --from latest) >out
    grep -q "^job  *5 tasks" out
'

test_case "in the order that the real predictor says" '
    # lengths by an argument: shortest first, the longest at the end
    awk "BEGIN { for (i = 1; i <= 60; i++) printf \"./w %d\\n\", i }" >args
    joblog() {
        echo "Seq	Host	Starttime	JobRuntime	Send	Receive	Exitval	Signal	C"
        awk -v scale="$1" "{ printf \"%d\\t:\\t%d.0\\t%.3f\\t0\\t0\\t0\\t0\\t%s\\n\",
            NR, 1700000000 + NR, scale * \$2, \$0 }"
    }
    awk "{ print \$1, (NR * 37) % 61 }" args | joblog 1 >past
    joblog 1.05 <args >log
    "$DISTRIBUTEX" history import --history h past
    simulate() {
        "$DISTRIBUTEX" simulate --from log --slots 8 --json "$@"
    }
    simulate >file
    simulate --order lpt >lpt
    simulate --order predicted --history h >predicted
    holds "$(value predicted makespan) < 0.97 * $(value file makespan)"
    holds "$(value predicted makespan) < 1.03 * $(value lpt makespan)"
    "$DISTRIBUTEX" simulate --from log --order predicted --history h >out
    grep -q "60 predicted from the history" out
    expect_status 104 simulate --order predicted --history nowhere 2>err
    grep -q "nowhere knows nothing" err
'

test_case "a joblog, also one that tells of several attempts" '
    h="Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand"
    {
        printf "$h\n"
        printf "2\t:\t1700000000.000\t     2.000\t0\t0\t0\t0\tb 1\n"
        printf "1\t:\t1700000000.000\t     1.000\t0\t0\t1\t0\ta\n"
        printf "1\t:\t1700000001.000\t     3.000\t0\t0\t0\t0\ta\n"
        printf "7\t:\t1700000004.000\t     4.000\t0\t0\t2\t0\tc\n"
    } >log
    "$DISTRIBUTEX" simulate --from log --spawn 0s >out
    grep -q "^job  *3 tasks: log" out
    grep -q "^recorded  *8.00 s" out
    # a twice, c twice since that many attempts were made
    grep -q "^makespan  *16.0[0-9] s; lower bound 9.00 s" out
    grep -q "^tasks  *2 succeeded, 1 failed" out
    grep -q "^again  *2 attempts after a failure" out
    "$DISTRIBUTEX" run -q --joblog ours -j 2 sleep ::: 0.2 0.1 0.1
    "$DISTRIBUTEX" simulate --from ours --slots 2 --json >out
    holds "$(value out makespan) > 0.2 && $(value out makespan) < 5"
'

test_case "what cannot be read is refused" '
    expect_status 104 "$DISTRIBUTEX" simulate --from nowhere 2>err
    grep -q "nowhere: No such file" err
    mkdir empty
    expect_status 104 "$DISTRIBUTEX" simulate --from empty 2>err
    grep -q "empty" err
    echo "not a joblog" >text
    expect_status 104 "$DISTRIBUTEX" simulate --from text 2>err
    grep -q "text:1: there are fewer than nine columns" err
    "$DISTRIBUTEX" run -q --run-dir rd -j 1 true ::: 1
    expect_status 104 "$DISTRIBUTEX" simulate --from rd/journal 2>err
    grep -q "rd/journal is a journal: name its run directory" err
'

refused() {
    local text=$1
    shift
    expect_status 102 "$DISTRIBUTEX" simulate "$@" >out 2>err
    test ! -s out
    grep -qF -- "$text" err || fail "$* says: $(cat err)"
}
export -f refused

test_case "what is wrong is named, and what would be right" '
    w="--workload constant"
    refused "simulate: which tasks? --workload lognormal:mean=10s,tasks=1000"
    refused "simulate: either --workload" $w --from latest
    refused "did you mean lognormal?" --workload lognornal
    refused "mean=" --workload lognormal:mean=x
    refused "must be a time from 1us to ten years" --workload lognormal:mean=x
    refused "did you mean --workload?" --workloda constant
    refused "--nodes needs a value" $w --nodes
    refused "must be yes or no" $w --numa-spread maybe
    refused "--nodes '\''0'\'' must be numbers from 1" $w --nodes 0
    refused "--slow 5:3 says more nodes than --nodes has: 2" $w --nodes 1,2 \
        --slow 5:3
    refused "--mem-per-node '\''much'\'' must be a size" $w --mem-per-node much
    refused "--gpus-per-node '\''65'\'' must be" $w --gpus-per-node 65
    refused "--nodes '\''4-2'\'' must be" $w --nodes 4-2
    refused "--nodes '\''1,'\'' must be" $w --nodes 1,
    refused "--nodes '\''1-999999'\'' must be" $w --nodes 1-999999
    refused "--slots '\''-1'\'' must be a whole number from 1" $w --slots -1
    refused "did you mean steal?" $w --policy stael
    refused "--order '\''size'\'' must be file, lpt or predicted" $w --order size
    refused "--seed '\''x'\'' must be a whole number" $w --seed=x
    refused "--fail '\''1'\'' must be a number from 0 to 0.99" $w --fail 1
    refused "--latency '\''fast'\'' must be a time" $w --latency fast
    refused "--bandwidth '\''0'\'' must be bytes a second" $w --bandwidth 0
    refused "--nap '\''2s'\'' must be a time from 0 to 1s" $w --nap 2s
    refused "--slow '\''3'\'' must be N:FACTOR" $w --slow 3
    refused "--slow '\''1:0.5'\'' must be N:FACTOR" $w --slow 1:0.5
    for o in 3 1:1 1:0.5x 1:0.5:soon 1:0.5:1m:2m:3m 1:-0.5; do
        refused "--others '\''$o'\'' must be N:SHARE" $w --others $o
    done
    refused "--memory-bound '\''2'\'' must be B or B:SHARE" $w --memory-bound 2
    refused "give both" $w --numa 2
    refused "--task-data '\''much'\'' must be bytes" $w --task-data much
    refused "--taper '\''0.5'\'' must be a number from 1" $w --taper 0.5
    refused "--blind-steals takes no value" $w --blind-steals=yes
    refused "give both" $w --order predicted --history h
    refused "give both" --from log --history h
    refused "--json takes no value" $w --json=yes
    refused "unexpected '\''constant'\''" constant
'

test_case "a machine that cannot be is refused" '
    expect_status 1 "$DISTRIBUTEX" simulate --workload constant --nodes 2 \
        --ranks-per-node 4 2>err
    grep -q "each of a node.s 4 ranks needs a slot, and it has 1" err
    expect_status 1 "$DISTRIBUTEX" simulate --workload constant:cpus=4 2>err
    grep -q "task 1 asks for cpus=4, and no rank has more than 1 slot:" err
    expect_status 1 "$DISTRIBUTEX" simulate \
        --workload constant:mean=3000d,tasks=1000 2>err
    grep -q "this job takes [0-9]* years" err
    expect_status 1 "$DISTRIBUTEX" simulate --workload constant \
        --others 1:0.5 --numa 2 --memory-bound 0.5 2>err
    grep -q "cannot take 0.5 of a node.s processors where tasks share" err
'

test_done
