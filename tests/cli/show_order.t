#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/cli/show_order.t - outputs in the order of the tasks, and tagged
. "$srcdir/tests/cli/lib.sh"
. "$srcdir/tests/cli/job.sh"

dtx() { timeout -k 5 "$1" "$DISTRIBUTEX" run -q --run-dir d "${@:2}"; }

# blocks N LINES: N tasks of that many lines, ended in any order; what they
# write is in want, and in errs.
blocks() {
    local i
    RANDOM=7
    for i in $(seq "$1"); do
        echo "sleep 0.0$((RANDOM % 3)); seq $i $((i + $2 - 1)); echo e$i >&2"
    done >list
    for i in $(seq "$1"); do seq "$i" $((i + $2 - 1)); done >want
    seq "$1" | sed s/^/e/ >errs
}

test_case "a million lines with --keep-order" '
    blocks 200 5000
    dtx 50 -j 4 -k list >out 2>err
    cmp want out
    cmp errs err
'

test_case "a million lines without it: each output in one piece" '
    blocks 200 5000
    dtx 50 -j 4 list >out 2>err
    # a piece begins where the next number is not one more
    awk "NR == 1 || \$1 != last + 1 { if (NR > 1) print n; n = 0 }
         { n++; last = \$1 } END { print n }" out | sort | uniq -c >pieces
    grep -Eqx " *200 5000" pieces
    cmp <(sort -n want) <(sort -n out)
    cmp <(sort errs) <(sort err)
'

if [ -n "${TEST_LONG:-}" ]; then
    case_seconds=600
    test_case "ten million lines with --keep-order, in bounded memory" '
        blocks 2000 5000
        (ulimit -v 1000000; dtx 500 -j 4 -k list) >out 2>err
        cmp want out
        cmp errs err
    '
    case_seconds=60
fi

test_case "the first task is the last to end" '
    { echo "sleep 1; echo 1"; seq 2 50 | sed "s/^/echo /"; } >list
    dtx 20 -j 2 --keep-order list >out
    seq 50 | cmp - out
'

test_case "of a task that is tried again the last attempt is shown" '
    cat >list <<END
echo first try \$DTX_ATTEMPT; test \$DTX_ATTEMPT = 3
echo second
END
    dtx 20 -j 2 --retries 3 --retry-delay 0 -k list >out
    printf "first try 3\nsecond\n" | cmp - out
'

test_case "skipped tasks, and tasks without output, hold up nothing" '
    cat >list <<END
#DTX name=bad
echo one; false
#DTX after=bad
echo never
true
#DTX after=2
echo never
echo five
until grep -q five early; do sleep 0.02; done; echo six
END
    touch early
    expect_status 3 dtx 20 -j 2 -k list >early 2>err
    printf "%s\n" one five six | cmp - early
'

test_case "what ended in an earlier session holds up nothing" '
    echo "echo 1; test -e go" >list
    seq 2 9 | sed "s/^/echo /" >>list
    sed -i "4s/.*/test -e go \&\& echo 4/" list
    expect_status 2 dtx 20 -j 2 -k list >out
    printf "%s\n" 1 2 3 5 6 7 8 9 | cmp - out
    touch go
    expect_status 0 dtx 20 -j 2 -k --retry-failed >out
    printf "%s\n" 1 4 | cmp - out
'

test_case "halted: what waited behind a gap is shown, in order" '
    cat >list <<END
sleep 30; echo 1
echo 2
sleep 0.1; echo 3
sleep 0.2; echo 4; false
echo 5
END
    expect_status 1 dtx 20 -j 4 -k --halt now,fail=1 list >out 2>err
    printf "%s\n" 2 3 4 >want
    head -n 3 out | cmp - want
'

if [ -n "$no_mpi" ]; then
    skip_case "--keep-order and --tag over two ranks" "$no_mpi"
else
    test_case "--keep-order and --tag over two ranks" '
        own_tmp
        blocks 60 200
        dtx 50 -j 2 --ranks 2 -k --tag list >out 2>err
        cut -f 2 out | cmp - want
        awk "{ for (i = 0; i < 200; i++) print }" list >tags
        cut -f 1 out | cmp - tags
    '
fi

test_case "--tag: names, lines without an end, both streams" '
    cat >list <<END
#DTX name=prep
printf "a\nb"; echo e >&2
printf "\n\nx\n"
END
    dtx 20 -j 1 --tag list >out 2>err
    printf "prep\ta\nprep\tbprintf \"\\\\n\\\\nx\\\\n\"\t\n" >want
    printf "printf \"\\\\n\\\\nx\\\\n\"\t\n" >>want
    printf "printf \"\\\\n\\\\nx\\\\n\"\tx\n" >>want
    cmp want out
    printf "prep\te\n" | cmp - err
'

if command -v parallel >/dev/null && parallel --version 2>/dev/null |
    grep -q "^GNU parallel"; then
    test_case "--keep-order and --tag as GNU parallel has them" '
        for i in $(seq 40); do
            echo "sleep 0.0$((i % 4)); seq $i; echo e$i >&2; printf x"
        done >list
        dtx 30 -j 4 -k --tag list >out 2>err
        HOME=$PWD parallel -k --tag -j 4 <list >want 2>errs
        cmp want out
        cmp <(grep -v Academic errs) err
    '
else
    skip_case "--keep-order and --tag as GNU parallel has them" \
        "no GNU parallel"
fi

test_case "--results: files of each task, silent ones and further attempts" '
    cat >list <<END
echo out; echo err >&2
true
echo try \$DTX_ATTEMPT; test \$DTX_ATTEMPT = 2
seq 100000
END
    dtx 20 -j 2 --retries 2 --retry-delay 0 --results a/b list >out 2>err
    echo out | cmp - a/b/1/stdout
    echo err | cmp - a/b/1/stderr
    for f in 2/stdout 2/stderr 3/stderr; do
        test -f a/b/$f
        test ! -s a/b/$f
    done
    echo try 2 | cmp - a/b/3/stdout
    seq 100000 | cmp - a/b/4/stdout
    printf 4 | cmp - a/b/4/seq
    "$DISTRIBUTEX" output 4 | cmp - a/b/4/stdout
'

test_case "--results that cannot be written later: the file is named" '
    mkdir r
    echo x >r/2
    printf "echo %s\n" 1 2 3 >list
    expect_status 107 dtx 20 -j 1 --results r list 2>err
    grep -q -- "--results: cannot write r/2" err
'

test_case "--results that cannot be written is refused before anything runs" '
    echo "touch ran" >list
    touch file
    expect_status 102 dtx 20 --results file/r list 2>err
    grep -q -- "--results: cannot make file/r" err
    test ! -e ran
    test ! -e d
'

if [ -n "$no_mpi" ]; then
    skip_case "--results over two ranks" "$no_mpi"
else
    test_case "--results over two ranks" '
        own_tmp
        for i in $(seq 40); do echo "sleep 0.01; echo $i"; done >list
        dtx 50 -j 2 --ranks 2 --results r list >/dev/null
        for i in $(seq 40); do cat "r/$i/stdout"; done | cmp - <(seq 40)
    '
fi

test_done
