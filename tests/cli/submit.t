#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# "distributex submit": the script, what it refuses, what it sends to sbatch (a
# script of our own here; the real one is in tests/slurm).

# shellcheck source=tests/cli/lib.sh
. "$srcdir/tests/cli/lib.sh"
unset "${!DTX_@}" "${!SLURM_@}"
export DTX_CONFIG=/dev/null

# refused TEXT WORDS...: bad usage that begins so, and nothing is sent.
refused() {
    local text=$1
    shift
    expect_status 102 "$DISTRIBUTEX" submit "$@" >out 2>err
    [ ! -s out ] || fail "stdout: $(cat out)"
    grep -qF "distributex: $text" err || fail "$*: $(cat err)"
}

# sbatch_says STATUS TEXT: it keeps what it is sent.
sbatch_says() {
    mkdir -p bin
    printf '#!/bin/sh\ncat >"%s/sent"\nprintf "%%s\\n" "%s"\nexit %d\n' \
        "$PWD" "$2" "$1" >bin/sbatch
    chmod +x bin/sbatch
    PATH=$PWD/bin:$PATH
}

test_case "the script of --dry-run, whole" '
    echo "echo a" >"my list"
    "$DISTRIBUTEX" submit --dry-run -N 4 --time 1h30m --partition=short -A me \
        --qos high -J swp --gpus-per-node 2 --mem-per-node 4G \
        --sbatch=--constraint=ib --retries 3 "my list" >got
    cat >want <<END
#!/bin/bash
# Written by "distributex submit".
#SBATCH --job-name=swp
#SBATCH --output=distributex-%j.log
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --mem=4G
#SBATCH --gpus-per-node=2
#SBATCH --time=0-01:30:00
#SBATCH --partition=short
#SBATCH --account=me
#SBATCH --qos=high
# A node that is lost does not end the job.
#SBATCH --no-kill
# Started again, it goes on in the same log.
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --constraint=ib

exec $DISTRIBUTEX run --requeue --retries 3 '\''my list'\''
END
    diff want got
    bash -n got
'

test_case "a share of a node, no requeue; minutes; templates and arrays" '
    echo "echo a" >list
    "$DISTRIBUTEX" submit --dry-run --cpus-per-node 8 --no-requeue -t 90 list \
        >got
    grep -qx "#SBATCH --cpus-per-task=8" got
    grep -qx "#SBATCH --time=0-01:30:00" got
    grep -qx "#SBATCH --no-requeue" got
    ! grep -q -e "--exclusive" got || fail "$(cat got)"
    [ "$(tail -n1 got)" = "exec $DISTRIBUTEX run list" ]
    "$DISTRIBUTEX" submit --dry-run -t 2-00:00:00 "echo {}" ::: a "b c" >got
    [ "$(tail -n1 got)" = \
        "exec $DISTRIBUTEX run --requeue '\''echo {}'\'' ::: a '\''b c'\''" ]
    grep -qx "#SBATCH --time=2-00:00:00" got
    "$DISTRIBUTEX" submit --dry-run -- --array 1-3 ./job.sh >got
    [ "$(tail -n1 got)" = \
        "exec $DISTRIBUTEX run --requeue --array 1-3 ./job.sh" ]
'

test_case "sent to sbatch" '
    echo "echo a" >list
    sbatch_says 0 "4711;cluster"
    "$DISTRIBUTEX" submit --nodes 2 list >out
    head -n1 out | grep -qx "submitted Slurm job 4711"
    grep -q "squeue -j 4711 " out
    grep -q "distributex output --follow distributex-4711" out
    "$DISTRIBUTEX" submit --dry-run --nodes 2 list | diff - sent
    "$DISTRIBUTEX" submit --run-dir d list >out
    grep -q "distributex stop d " out || fail "$(cat out)"
    sbatch_says 0 "sbatch: warning: be nice
17"
    "$DISTRIBUTEX" submit list | grep -qx "submitted Slurm job 17"
    sbatch_says 1 "sbatch: error: invalid partition"
    expect_status 1 "$DISTRIBUTEX" submit list 2>err
    grep -q "sbatch (status 1): sbatch: error: invalid partition" err
    sbatch_says 0 "hello"
    expect_status 1 "$DISTRIBUTEX" submit list 2>err
    grep -q "sbatch (status 0): hello" err
'

test_case "what would fail in the job fails now" '
    printf "%s\n" "echo a" "#DTX after=nobody" "echo b" >bad
    echo "echo a" >list
    sbatch_says 0 17
    refused "submit: the task file is missing"
    refused "submit: --nodes: '\''0'\'' is not a whole number" --nodes 0 list
    refused "submit: --time: '\''30s'\'' is no time of at least" --time 30s list
    refused "submit: --time: '\''x'\'' is no time" -t x list
    refused "submit: --nodes needs a value" --nodes
    refused "submit: --dry-run takes no value" --dry-run=yes list
    refused "submit: --sbatch: '\''x'\'' is no option" --sbatch x list
    refused "submit: unknown option --retris; did you mean" --retris 3 list
    refused "submit: the job has a rank on each" --ranks 3 list
    refused "submit: the job cannot read this standard input" -
    refused "submit: an option for sbatch is more than one line" \
        --job-name "a
b" list
    expect_status 103 "$DISTRIBUTEX" submit bad 2>err
    grep -q "^distributex: bad:2: " err || fail "$(cat err)"
    expect_status 103 "$DISTRIBUTEX" submit none 2>err
    [ ! -e sent ] || fail "sent: $(cat sent)"
'

test_done
