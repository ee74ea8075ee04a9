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
    "$DISTRIBUTEX" topo --json >out
    test "$(wc -l <out)" -eq 1
    grep -q "^{.*\"real\": true.*\"switches\": null.*}\$" out
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
    HWLOC_SYNTHETIC="numa:2 core:2 pu:1" "$DISTRIBUTEX" topo --json >out
    grep -q "\"real\": false, .*\"usable_cores\": 4" out
'

test_case "words it does not know" '
    expect_status 102 "$DISTRIBUTEX" topo here 2>err
    grep -q "unexpected .here" err
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

test_done
