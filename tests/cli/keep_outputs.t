#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/cli/keep_outputs.t - outputs that are shown and not kept
. "$srcdir/tests/cli/lib.sh"
. "$srcdir/tests/cli/job.sh"

# Open MPI leaves memory to the system; leaks of ours are looked for elsewhere.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

dtx() { timeout -k 5 "$1" "$DISTRIBUTEX" run -q --run-dir d "${@:2}"; }
output() { "$DISTRIBUTEX" output "$@"; }

# segments: how many files of outputs that are not kept there are.
segments() {
    find d/out -name "*.p*" | wc -l
}

mixed() {
    cat >list <<END
echo good; echo said >&2
echo bad; echo why >&2; false
true
echo good too
END
}

test_case "only failures: shown, found, and told of" '
    mixed
    expect_status 1 dtx 20 -k --keep-outputs failed list >out 2>err
    printf "%s\n" good bad "good too" | cmp - out
    printf "%s\n" said why | cmp - err
    [ "$(cat d/out/e1-r0)" = "$(printf "%s\n" bad why)" ]
    [ "$(segments)" -eq 0 ]
    output d 2 >o 2>e
    [ "$(cat o)" = bad ] && [ "$(cat e)" = why ]
    expect_status 1 output d 1 >o 2>e
    [ ! -s o ]
    grep -q "output of task 1 (10 bytes) was not kept" e
    output d 3 >o 2>e # there was none
    [ ! -s o ] && [ ! -s e ]
    expect_status 1 output d 1-4 >o 2>e
    [ "$(cat o)" = bad ]
    grep -q "2 outputs were not kept" e
    expect_status 1 output --follow d >o 2>e
    [ "$(cat o)" = bad ]
    output --state failed d >o 2>e
    [ "$(cat o)" = bad ]
'

test_case "none, and nothing shown: nothing is written at all" '
    mixed
    expect_status 1 dtx 20 --no-show --keep-outputs none --results r list >out
    [ ! -s out ]
    [ -z "$(find d/out -name "e*")" ]
    [ "$(cat r/1/stdout r/2/stderr)" = "$(printf "%s\n" good why)" ]
    expect_status 1 output d 2
'

test_case "all is the default, and other words are refused" '
    mixed
    expect_status 1 dtx 20 --keep-outputs all list >out 2>err
    output d 1 | grep -qx good
    expect_status 102 "$DISTRIBUTEX" run --keep-outputs fail list 2>err
    grep -q "is not all, failed or none; did you mean failed?" err
    DTX_KEEP_OUTPUTS=none expect_status 102 dtx 20 --keep-outputs= list
'

test_case "a resume does not run again what was not kept" '
    for i in $(seq 20); do echo "echo $i >>ran; echo o$i"; done >list
    echo "test -e go || { echo no; false; }" >>list
    expect_status 1 dtx 20 --keep-outputs none list >out
    [ "$(wc -l <out)" -eq 21 ]
    touch go
    dtx 20 --resume-failed list
    [ "$(wc -l <ran)" -eq 20 ]
    dtx 20 --resume
    [ "$(wc -l <ran)" -eq 20 ]
'

test_case "killed and resumed: what is recorded stands, segments are swept" '
    own_tmp
    for i in $(seq 300); do
        echo "echo $i >>ran; sleep 0.01; echo $i >>ended; echo o$i"
    done >list
    begin timeout -k 5 50 "$DISTRIBUTEX" run -q -j 4 --keep-outputs none \
        --run-dir d list
    wait_for 30 "[ \"\$(cat ended 2>/dev/null | wc -l)\" -ge 100 ]"
    kill_job
    gone 30
    recorded >before
    [ -s before ] && [ "$(segments)" -gt 0 ]
    : >ran
    dtx 50 -j 4 --resume --keep-outputs failed >out2
    [ -z "$(both before ran)" ]
    [ "$(cat before ran | sort -n | uniq | wc -l)" -eq 300 ]
    [ "$(segments)" -eq 0 ]
'

# lots N: N tasks that write 4 MB each.
lots() {
    local i
    for i in $(seq "$1"); do
        echo "seq -f \"$i %012.0f line of the output of a task\" 85000"
    done >list
}

# one_by_one N: the same, each after the one before it has been shown; they note
# what out/ takes then.
one_by_one() {
    local i
    for i in $(seq "$1"); do
        echo "until [ $i = 1 ] || tail -n 1 out | grep -q \"^$((i - 1)) \"; \
do sleep 0.01; done; du -sk d/out >>sizes; \
seq -f \"$i %012.0f line of the output of a task\" 85000"
    done >list
}

test_case "space is given back while the job runs" '
    one_by_one 50
    begin timeout -k 5 55 "$DISTRIBUTEX" run -q -j 2 --keep-outputs none \
        --run-dir d list
    ended 0
    [ "$(wc -l <out)" -eq 4250000 ]
    awk "{ print \$1 }" out | uniq | cmp - <(seq 50)
    [ "$(segments)" -eq 0 ]
    # two segments and an output; it all is 200 MB
    [ "$(sort -n sizes | tail -n 1 | cut -f 1)" -lt 60000 ]
'

test_case "where nobody reads any more it is given back as well" '
    lots 30
    dtx 50 -j 2 --keep-outputs none list | head -n 1 >out
    [ "$(segments)" -eq 0 ]
'

if [ -n "$no_mpi" ]; then
    skip_case "two ranks" "$no_mpi"
else
    test_case "two ranks" '
        lots 20
        echo "echo bad; false" >>list
        expect_status 1 dtx 50 --ranks 2 -j 2 -k --keep-outputs failed list \
            >out 2>err
        [ "$(wc -l <out)" -eq 1700001 ]
        awk "{ print \$1 }" out | uniq | cmp - <(seq 20; echo bad)
        [ "$(segments)" -eq 0 ]
        [ "$(cat d/out/e1-r*)" = bad ]
        output d 21 | grep -qx bad
        expect_status 1 output d 7
        dtx 50 --ranks 2 --resume >again 2>&1 || [ $? -eq 1 ]
        [ ! -s again ]
    '
fi

# far: runs a rank under a host name of its own, as on a node of its own.
make_far() {
    cat >far <<"END"
#!/bin/sh
exec unshare --uts sh -c 'hostname n$OMPI_COMM_WORLD_RANK && exec "$@"' x "$@"
END
    chmod +x far
}

if [ -n "$no_mpi" ]; then
    skip_case "ranks on other nodes" "$no_mpi"
elif ! unshare --uts hostname n0 2>/dev/null; then
    skip_case "ranks on other nodes" "host names cannot be given here"
else
    test_case "ranks on other nodes" '
        own_tmp
        make_far
        lots 20
        timeout -k 5 50 "$MPIRUN" -n 3 --oversubscribe --bind-to none ./far \
            "$DISTRIBUTEX" run -v -j 1 -k --keep-outputs none --run-dir d list \
            >out 2>err || fail "$(cat err)"
        grep -q "rank 2 *n2" err
        [ "$(wc -l <out)" -eq 1700000 ]
        awk "{ print \$1 }" out | uniq | cmp - <(seq 20)
        [ "$(segments)" -eq 0 ]
    '
fi

# Where a small file system can be mounted, seen by nobody else.
small="mkdir -p m && mount -t tmpfs -o size=100k none m"
if unshare -m sh -c "cd \"$PWD\" && $small" 2>/dev/null; then
    export small
    test_case "an output that may be cut by a full --tmp-dir is no success" '
        for i in 1 2 3; do echo "seq 1 100000 2>/dev/null; :"; done >list
        expect_status 107 timeout -k 5 50 unshare -m sh -c "
            $small && exec \"$DISTRIBUTEX\" run -j 1 --run-dir d \
                --tmp-dir m list" >out 2>err
        grep -q "outputs of tasks cannot gather in .*--tmp-dir names" err
        expect_status 0 timeout -k 5 50 "$DISTRIBUTEX" run --run-dir d \
            --resume >out
        [ "$(wc -l <out)" -eq 300000 ]
    '
else
    skip_case "a full --tmp-dir" "no file system can be mounted here"
fi

test_done
