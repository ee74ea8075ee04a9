#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/cli/plan.t - how long on how many nodes, from a history
#
# Histories are imported from joblogs made here, so that tasks of hours take no
# time; one case runs short tasks for real.
. "$srcdir/tests/cli/lib.sh"
unset "${!DTX_@}"
export DTX_CONFIG=/dev/null

# value FILE FIELD [N]: the N-th of this name.
value() {
    grep -o "\"$2\": [0-9.]*" "$1" | sed -n "${3:-1}s/.* //p"
}
export -f value

holds() {
    awk "BEGIN { exit !($1) }" || { echo "not so: $1"; return 1; }
}
export -f holds

# known FILE: a joblog of 200 tasks "./solve N" that took 10 N + 600 s, some
# per cent more or less.
known() {
    awk 'BEGIN {
        print "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\t" \
            "Signal\tCommand"
        for (i = 1; i <= 200; i++) {
            n = i * 83 % 211
            printf "%d\t:\t%.3f\t%10.3f\t0\t0\t0\t0\t./solve %d\n", i,
                1700000000 + i, (600 + 10 * n) * (1 + (i * 37 % 11 - 5) / 100),
                n
        }
    }' >log
    "$DISTRIBUTEX" history import --history h log >/dev/null
    seq 201 -2 3 | sed "s/^/.\/solve /" >list
}
export -f known

refused() {
    local status=$1 text=$2
    shift 2
    expect_status "$status" "$DISTRIBUTEX" plan "$@" >out 2>err
    test ! -s out
    grep -qF -- "$text" err || fail "$* says: $(cat err)"
}
export -f refused

test_case "rows, a recommendation with its reason, and how sure" '
    known
    "$DISTRIBUTEX" plan --history h --slots 4 list >out
    head -n 1 out | grep -q "^100 tasks on nodes of 4 slots; history h"
    grep -q "^ *nodes *slots *makespan *nine times of ten *time (90 %)" out
    [ "$(grep -c "^[* ] *[0-9][0-9]* .* %$" out)" -ge 6 ]
    [ "$(grep -c "^\*" out)" = 1 ]
    grep -q "^recommended: [0-9]* nodes*, and --time=[0-9]*:[0-9][0-9]:00 (99" \
        out
    grep -q "^how sure: times drawn 200 times" out
'

test_case "figures that can be told by hand" '
    known
    # 1620 s on average, 100 of them on 4, 8 and 400 slots
    "$DISTRIBUTEX" plan --history h --slots 4 --nodes 1,2,100 --json list >out
    holds "$(value out makespan) > 38000 && $(value out makespan) < 43000"
    holds "$(value out low) < $(value out makespan)"
    holds "$(value out high) > $(value out makespan)"
    holds "$(value out high) < 1.2 * $(value out low)"
    holds "$(value out walltime_90) >= $(value out makespan) + 30"
    holds "$(value out walltime_99) >= $(value out walltime_90)"
    holds "$(value out walltime_99) % 60 == 0"
    holds "$(value out core_hours) > 42 && $(value out core_hours) < 48"
    holds "$(value out efficiency) > 0.97"
    holds "$(value out makespan 2) > 19000 && $(value out makespan 2) < 22000"
    # as long as the longest, 2610 s and some
    holds "$(value out makespan 3) > 2400 && $(value out makespan 3) < 3000"
    [ "$(grep -c "\"limit\": \"longest task\"" out)" = 1 ]
    grep -q "\"recommended\": {\"nodes\": [0-9]*, \"reason\": \"beyond" out
    if command -v python3 >/dev/null; then
        python3 -c "import json; assert len(json.load(open(\"out\"))[\"plans\"]) == 3"
    fi
'

test_case "beyond some nodes the longest task decides" '
    known
    { cat list; echo "./solve 2000"; } >more
    "$DISTRIBUTEX" plan --history h --slots 4 more >out
    grep -q "beyond [0-9]* nodes the longest task decides (task 101, " out
'

test_case "the fewest nodes within a time" '
    known
    "$DISTRIBUTEX" plan --history h --slots 4 --within 200m --json list >out
    grep -q "\"nodes\": 4, \"reason\": \"the fewest nodes" out
    "$DISTRIBUTEX" plan --history h --slots 4 --within 200m list >out
    grep -q "recommended: 4 nodes, and --time=[0-9:]* (90 %)" out
    "$DISTRIBUTEX" plan --history h --slots 4 --within 200m --sbatch list |
        sed -n "s/^#SBATCH --time=//p" >time
    grep -qF -- "--time=$(sed "s/^0-0*//" time) (90 %)" out || {
        cat out time
        fail "another time is asked for"
    }
    "$DISTRIBUTEX" plan --history h --slots 4 --within 10m list >out
    grep -q "no number of nodes looked at ends within 10m00s nine times" out
'

test_case "a seed is a plan" '
    known
    "$DISTRIBUTEX" plan --history h --nodes 3 --slots 2 --json list >a
    "$DISTRIBUTEX" plan --history h --nodes 3 --slots 2 --json list >b
    "$DISTRIBUTEX" plan --history h --nodes 3 --slots 2 --seed 2 --json list >c
    cmp a b
    ! cmp -s a c
'

test_case "the script, and submit takes it" '
    known
    "$DISTRIBUTEX" plan --history h -j 4 --retries 2 --sbatch list >script
    bash -n script
    "$DISTRIBUTEX" plan --history h -j 4 list >out
    nodes=$(sed -n "s/^recommended: \([0-9]*\) .*/\1/p" out)
    grep -qx "#SBATCH --nodes=$nodes" script
    time=$(sed -n "s/.*--time=\([0-9:]*\) .*/\1/p" out)
    grep -qE "^#SBATCH --time=0-0?$time$" script
    [ "$(tail -n 1 script)" = \
        "exec $DISTRIBUTEX run --requeue --history h -j 4 --retries 2 list" ]
    sed 2d script >rest
    "$DISTRIBUTEX" submit --plan --dry-run --history h -j 4 --retries 2 list \
        2>err | sed 2d | cmp - rest
    grep -q "^distributex: plan: $nodes nodes for [0-9]* minutes: beyond" err
    # the options of plan and of run in any order
    "$DISTRIBUTEX" plan -j 4 --retries 2 --sbatch --history h list | cmp - script
    "$DISTRIBUTEX" plan --history h -j 4 --sbatch --confidence 90 list >less
    grep -c time= less | grep -qx 1
    # what is given is kept
    "$DISTRIBUTEX" submit --plan --dry-run -N 3 -t 9h --history h list 2>/dev/null \
        >out
    grep -qx "#SBATCH --nodes=3" out && grep -qx "#SBATCH --time=0-09:00:00" out
    # templates as well
    "$DISTRIBUTEX" plan --history h -j 4 --sbatch "./solve {}" ::: 3 4 >out
    tail -n 1 out | grep -q "run --requeue --history h -j 4 .*solve {}.* ::: 3 4"
'

test_case "the script has the slots that were planned with" '
    known
    "$DISTRIBUTEX" plan --history h --slots 2 --sbatch list >script
    sed -n 2p script | grep -qx "# Written by \"distributex plan --sbatch\"."
    tail -n 1 script | grep -q "run --requeue --history h -j 2 list$"
    "$DISTRIBUTEX" plan --history h --slots 2 -j 2 --sbatch list |
        tail -n 1 | grep -q "run --requeue --history h -j 2 list$"
    # a time that cannot be met is told, and the script is for what comes nearest
    "$DISTRIBUTEX" plan --history h --slots 2 --within 10m --sbatch list \
        >script 2>err
    grep -q "warning: plan: no number of nodes looked at ends within 10m00s" err
    bash -n script
'

test_case "memory and devices of the nodes" '
    known
    { echo "#DTX mem=4G"; echo "./solve 3"; sed "s/^/#DTX gpus=1\n/" list; } >needy
    "$DISTRIBUTEX" plan --history h --slots 4 --gpus-per-node 2 --nodes 1 \
        needy >out
    grep -q "memory that tasks ask for is not looked at: say how much" out
    grep -q "^each node with 2 GPUs$" out
    "$DISTRIBUTEX" plan --history h --slots 4 --gpus-per-node 2 --nodes 1 \
        --mem-per-node 8G --json needy >out
    holds "$(value out makespan) > 76000 && $(value out makespan) < 88000"
    grep -q "\"limit\": \"gpus\"" out
    "$DISTRIBUTEX" plan --history h --slots 4 --gpus-per-node 2 \
        --mem-per-node 8G --sbatch needy >out
    grep -qx "#SBATCH --gpus-per-node=2" out
    grep -qx "#SBATCH --mem=8388608K" out
    refused 1 "needy:2: task 1 asks for 4.0 GiB of memory, and a node has 2.0 GiB" \
        --history h --slots 4 --gpus-per-node 2 --mem-per-node 2G needy
    refused 1 "task 2 asks for gpus=1: say how many a node has" --history h \
        --slots 4 --nodes 1 needy
'

test_case "no claim without a history" '
    echo "./other" >list
    expect_status 1 "$DISTRIBUTEX" plan --history nowhere list 2>err >out
    test ! -s out
    grep -q "nowhere knows nothing of these tasks: run some of them first" err
    expect_status 1 "$DISTRIBUTEX" plan --history none list 2>err
    grep -q "a plan needs a history" err
    known
    echo "./other" >list
    expect_status 1 "$DISTRIBUTEX" plan --history h list 2>err
    grep -q "h knows nothing of these tasks" err
    expect_status 1 "$DISTRIBUTEX" submit --plan --dry-run --history h list \
        2>err >out
    test ! -s out
    # a few strangers among them are named, and widen it
    { for i in 1 2 3; do echo "./solve $i"; done; echo ./other; } >list
    "$DISTRIBUTEX" plan --history h --slots 4 --nodes 1 list >out
    grep -q "^1 of them are like none seen before (the first: task 4)" out
'


test_case "what is wrong is named" '
    known
    refused 102 "plan: the task file is missing"
    refused 102 "--nodes '\''0'\'' must be numbers from 1" --nodes 0 list
    refused 102 "--slots '\''x'\'' must be a whole number" --slots x list
    refused 102 "--draws '\''3'\'' must be a whole number from 20" --draws 3 list
    refused 102 "--within '\''soon'\'' must be a time" --within soon list
    refused 102 "--confidence must be 90|99" --confidence 95 list
    refused 102 "either --json or --sbatch" --json --sbatch list
    refused 102 "did you mean --retries?" --retris 3 list
    refused 103 "list: No such file" --history h nolist
    printf "#DTX cpus=8\n./solve 3\n" >wide
    refused 1 "wide:2: task 1 asks for cpus=8, and no rank has more than 4 slots" \
        --history h --slots 4 wide
    refused 102 "plan: --slots 2 and -j both say how many slots" --history h \
        --slots 2 -j 4 list
    refused 102 "--mem-per-node '\''0'\'' must be a size above 0" \
        --mem-per-node 0 list
    refused 102 "--gpus-per-node '\''65'\'' must be a whole number" \
        --gpus-per-node 65 list
    : >empty
    refused 103 "there are no tasks in empty" --history h empty
'

# What is looked at is whether it is right at all: on a machine that does other
# things meanwhile a job may take half as long again.
test_case "a bag with a history runs as planned" '
    for i in 1 2 3 4 5 6; do
        for s in 0.05 0.1 0.15 0.2; do echo "sleep $s"; done
    done >list
    "$DISTRIBUTEX" run -q --history h -j 4 --run-dir a list
    "$DISTRIBUTEX" plan --history h -j 4 --nodes 1 --json list >out
    "$DISTRIBUTEX" run -q --history h -j 4 --run-dir b --joblog log list
    took=$(awk "NR > 1 {
        if (!first || \$3 < first) first = \$3
        if (\$3 + \$4 > last) last = \$3 + \$4
    } END { print last - first }" log)
    echo "took $took s; planned $(value out low) to $(value out high) s"
    holds "$took > $(value out low) / 1.5 && $took < 1.5 * $(value out high)"
'

test_done
