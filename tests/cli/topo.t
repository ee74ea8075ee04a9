#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/cli/topo.t - this machine, drawn ones, and tasks placed on them
. "$srcdir/tests/cli/lib.sh"

drawn=$srcdir/tests/data/topo
export drawn
unset CUDA_VISIBLE_DEVICES ROCR_VISIBLE_DEVICES SLURM_TOPOLOGY_ADDR \
    SLURM_TOPOLOGY_ADDR_PATTERN HWLOC_XMLFILE HWLOC_SYNTHETIC

test_case "this machine" '
    "$DISTRIBUTEX" topo >out
    grep -q "^host      $(hostname)\$" out
    grep -q "^slots     [1-9]" out
    grep -q "^binding   tasks of several cpus are bound" out
    grep -q "^missing   switches: SLURM_TOPOLOGY_ADDR" out
    grep -Eq "^counters  of tasks: (perf-(hard|soft)ware|rusage)" out
    "$DISTRIBUTEX" topo --json >out
    test "$(wc -l <out)" -eq 1
    grep -q "^{.*\"real\": true.*\"switches\": null.*}\$" out
    grep -q "\"task_counters\": {\"provider\": \"[a-z-]*\", " out
    grep -q "\"slots\": [1-9].*\"binding\": \"wide\", \"picture\": null" out
    grep -q "\"missing\": \[.*{\"what\": \"switches\", \"why\": \"SLURM_T" out
    if command -v python3 >/dev/null; then
        python3 -c "import json; json.load(open(\"out\"))"
    fi
'

test_case "drawn machines are said to be pictures" '
    for name in laptop two-socket epyc gpu cgroup; do
        HWLOC_XMLFILE=$drawn/$name.xml "$DISTRIBUTEX" topo >out
        grep -q "^binding   none: the machine is a picture (HWLOC_XML" out
        grep "^machine" "$drawn/$name.expected" >want
        grep "^machine" out >got
        cmp want got
    done
    HWLOC_XMLFILE=$drawn/gpu.xml SLURM_TOPOLOGY_ADDR=s0.s3.n1 \
        "$DISTRIBUTEX" topo >out
    grep -q "^gpu       cuda 3, numa 3\$" out
    grep -q "^switches  s0.s3\$" out
    if grep "^missing" out; then false; fi
    HWLOC_XMLFILE=$drawn/gpu.xml SLURM_TOPOLOGY_ADDR=s0.s3.n1 \
        "$DISTRIBUTEX" topo --json >out
    grep -q "\"binding\": \"none\", \"picture\": \"HWLOC_XMLFILE\"" out
    grep -q "\"missing\": \[\]}\$" out
    HWLOC_SYNTHETIC="numa:2 core:2 pu:1" "$DISTRIBUTEX" topo --json >out
    grep -q "\"real\": false, .*\"usable_cores\": 4" out
'

test_case "a picture that hwloc cannot read is an error, not this machine" '
    echo "touch ran" >list
    for bad in HWLOC_SYNTHETIC=rubbish HWLOC_XMLFILE=/nonexistent \
        HWLOC_XMLFILE=list; do
        expect_status 102 env "$bad" "$DISTRIBUTEX" topo >out 2>err
        grep -q "$bad: .*unset it to use the real machine" err
        [ ! -s out ]
        expect_status 102 env "$bad" "$DISTRIBUTEX" run list 2>err
        grep -q "$bad: .*unset it to use the real machine" err
        [ ! -e ran ]
    done
    HWLOC_XMLFILE=/nonexistent HWLOC_SYNTHETIC="core:4 pu:1" \
        "$DISTRIBUTEX" topo >out
    grep -q "the machine is a picture (HWLOC_SYNTHETIC)" out
'

test_case "words it does not know" '
    expect_status 102 "$DISTRIBUTEX" topo here 2>err
    grep -q "unexpected .here.*topo --help" err
    expect_status 102 "$DISTRIBUTEX" topo --jsn 2>err
'

# Slot 1 is taken; twelve cores are whole in the other package only.
test_case "a wide task goes where it fits whole, on a drawn machine" '
    printf "%s\n" "while ! test -e go; do sleep 0.05; done" \
        "#DTX cpus=12" "echo slot \$DTX_SLOT; touch go" >list
    HWLOC_XMLFILE=$drawn/two-socket.xml timeout -k 5 60 \
        "$DISTRIBUTEX" run list >out 2>err
    grep -qx "slot 13" out
    grep -q "tasks are placed on the machine .* draws, but not bound" err
    rm go
    HWLOC_XMLFILE=$drawn/two-socket.xml timeout -k 5 60 \
        "$DISTRIBUTEX" run --bind none list >out 2>err
    grep -qx "slot 13" out
    if grep "not bound" err; then false; fi
'

test_case "devices: each task its own, near ones, none twice" '
    for i in 1 2 3 4 5 6 7 8; do
        echo "#DTX gpus=$((i % 2 + 1))"
        echo "echo \$CUDA_VISIBLE_DEVICES \$CUDA_DEVICE_ORDER; for g in" \
            "\$(echo \$CUDA_VISIBLE_DEVICES | tr , \" \"); do" \
            "mkdir gpu\$g; done; sleep 0.2; for g in" \
            "\$(echo \$CUDA_VISIBLE_DEVICES | tr , \" \"); do" \
            "rmdir gpu\$g; done"
    done >list
    echo "echo none: \${CUDA_VISIBLE_DEVICES-}" >>list
    HWLOC_XMLFILE=$drawn/gpu.xml timeout -k 5 60 \
        "$DISTRIBUTEX" run -q -j 8 list >out
    [ "$(grep -c "^[0-3] PCI_BUS_ID\$" out)" = 4 ]
    [ "$(grep -c "^[0-3],[0-3] PCI_BUS_ID\$" out)" = 4 ]
    grep -qx "none:" out
    CUDA_VISIBLE_DEVICES=GPU-a,GPU-b HWLOC_XMLFILE=$drawn/gpu.xml \
        timeout -k 5 60 "$DISTRIBUTEX" run -q --gpus 1 \
        "echo {}=\$CUDA_VISIBLE_DEVICES,\$CUDA_DEVICE_ORDER" ::: a b >out
    grep -qE "^a=GPU-[ab],\$" out
    expect_status 102 env HWLOC_XMLFILE=$drawn/gpu.xml \
        "$DISTRIBUTEX" run --gpus 5 "echo {}" ::: a 2>err
    grep -q "error: --gpus 5: the node with most (.*) has 4: " err
'

# Of 128 GiB two of 50 run at once; in one process and on two ranks.
test_case "memory: admitted on the node" '
    for i in 1 2 3 4 5 6; do
        echo "mkdir run/x\$DTX_TASK_ID; ls run | wc -l; sleep 0.2;" \
            "rmdir run/x\$DTX_TASK_ID"
    done >list
    for ranks in 1 2; do
        rm -rf run
        mkdir run
        set --
        [ $ranks = 1 ] || set -- --ranks $ranks
        HWLOC_XMLFILE=$drawn/two-socket.xml timeout -k 5 100 \
            "$DISTRIBUTEX" run -q "$@" --mem 50G list >out
        [ "$(wc -l <out)" = 6 ]
        [ "$(sort -n out | tail -n 1)" -le 2 ]
        grep -q 2 out
    done
    printf "%s\n" "echo a" "#DTX mem=129G" "echo b" >list
    expect_status 103 env HWLOC_XMLFILE=$drawn/two-socket.xml \
        "$DISTRIBUTEX" run list >out 2>err
    grep -q "list:3: task 2 asks for mem=129 GiB: the largest node (.*) has 128" err
    if grep -q a out; then false; fi
    printf "%s\n" "echo a" "#DTX mem=129G" "echo b" |
        expect_status 103 env HWLOC_XMLFILE=$drawn/two-socket.xml \
            timeout -k 5 60 "$DISTRIBUTEX" run - >out 2>err
    grep -q "3: task 2 asks for mem=129 GiB" err
    printf "%s\n" "#DTX mem=1000000G" "echo b" >list
    expect_status 103 "$DISTRIBUTEX" run list 2>err
    expect_status 102 env HWLOC_XMLFILE=$drawn/two-socket.xml \
        "$DISTRIBUTEX" run --mem 129G "echo {}" ::: a >out 2>err
    grep -q "error: --mem 129 GiB: the largest node (.*) has 128 GiB" err
    [ ! -s out ]
    expect_status 102 "$DISTRIBUTEX" run --mem much list 2>err
    grep -q "such as 512M or 2.5G" err
'

test_done
