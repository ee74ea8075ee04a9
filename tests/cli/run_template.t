#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/cli/run_template.t - commands with arguments, and job arrays, as jobs
. "$srcdir/tests/cli/lib.sh"
. "$srcdir/tests/cli/job.sh"

test_case "each combination runs once, quoted" '
    "$DISTRIBUTEX" run -q --run-dir d "printf \"<%s>\\n\"" {1}-{2} \
        ::: "a b" "it'\''s" ::: "\$x" "" >out
    LC_ALL=C sort out >sorted
    printf "<%s>\n" "a b-" "a b-\$x" "it'\''s-" "it'\''s-\$x" | LC_ALL=C sort |
        cmp - sorted
'

test_case "{#} is the task, {%} its slot" '
    "$DISTRIBUTEX" run -q -j2 "echo {#} {%} \$DTX_TASK_ID \$DTX_SLOT" \
        ::: a b c d e f >out
    [ "$(wc -l <out)" -eq 6 ]
    awk "\$1 != \$3 || \$2 != \$4 || \$2 < 1 || \$2 > 2 { exit 1 }" out
'

test_case "arguments from files and standard input" '
    printf "a 1\nb 2\n" >table
    "$DISTRIBUTEX" run -q -a table -C " " echo {2}{1} | sort >out
    printf "1a\n2b\n" | cmp - out
    printf "x\ny\n" | "$DISTRIBUTEX" run -q echo :::: - table | sort >out
    printf "%s\n" "x a 1" "x b 2" "y a 1" "y b 2" | cmp - out
    printf "n\tm\n1\t2\n" >named
    "$DISTRIBUTEX" run -q --header : --colsep "\t" echo {m}{n} :::: named >out
    grep -qx 21 out
'

test_case "--dry-run prints, and makes nothing" '
    "$DISTRIBUTEX" run --dry-run echo {} {%} ::: "a b" c >out
    printf "echo '\''a b'\'' 1\necho c 1\n" | cmp - out
    printf "true\n# x\n  false  \n" >list
    "$DISTRIBUTEX" run --dry-run list >out
    printf "true\nfalse\n" | cmp - out
    "$DISTRIBUTEX" run --dry-run --ranks 3 echo ::: a >out
    printf "echo a\n" | cmp - out
    [ -z "$(find . -name "distributex-*")" ]
'

test_case "--shuf runs all, in another order" '
    "$DISTRIBUTEX" run --dry-run echo {} {#} --shuf ::: 1 >/dev/null
    "$DISTRIBUTEX" run --dry-run --shuf echo {} ::: $(seq 200) >a
    "$DISTRIBUTEX" run --dry-run --shuf echo {} ::: $(seq 200) >b
    ! cmp -s a b
    cmp <(sort a) <(sort b)
    "$DISTRIBUTEX" run --dry-run --shuf echo {} {#} ::: $(seq 50) >c
    cut -d" " -f3 c | cmp - <(seq 50)
'

test_case "a job array: the script finds its index and its companions" '
    cat >job.sh <<\END
#!/bin/sh
echo $SLURM_ARRAY_TASK_ID $SLURM_ARRAY_TASK_MIN $SLURM_ARRAY_TASK_MAX \
    $SLURM_ARRAY_TASK_STEP $SLURM_ARRAY_TASK_COUNT $SLURM_ARRAY_JOB_ID $*
END
    chmod +x job.sh
    export SLURM_JOB_ID=77
    "$DISTRIBUTEX" run -q --run-dir a --array 0-6:3 ./job.sh x {} | sort >out
    printf "%s\n" "0 0 6 3 3 77 x {}" "3 0 6 3 3 77 x {}" "6 0 6 3 3 77 x {}" |
        cmp - out
    "$DISTRIBUTEX" run -q --run-dir b --array 3,1,7-9,8 ./job.sh | sort |
        cut -c1-9 >out
    printf "%s\n" "1 1 9 1 5" "3 1 9 1 5" "7 1 9 1 5" "8 1 9 1 5" "9 1 9 1 5" |
        cmp - out
'

test_case "wrong arrays and templates are told, before anything runs" '
    for spec in 1-3%2 3-1 a 1- 1-3:0 5000000000 1,,2; do
        expect_status 102 "$DISTRIBUTEX" run --array "$spec" echo 2>err
        grep -q -- "--array: .*$spec" err || fail "$spec: $(cat err)"
    done
    expect_status 102 "$DISTRIBUTEX" run --array 1-3%2 echo 2>err
    grep -q -- "--jobs N" err
    expect_status 103 "$DISTRIBUTEX" run echo "{= \$_++ =}" ::: 1 2>err
    grep -q "Perl" err
    printf "a\n\0b\n" >bad
    expect_status 103 "$DISTRIBUTEX" run echo :::: bad 2>err
    grep -q "bad:2: a NUL byte" err
    expect_status 103 "$DISTRIBUTEX" run echo :::: missing 2>err
    grep -q "cannot open argument file missing" err
    [ -z "$(find . -name "distributex-*")" ]
'

test_case "a template is resumed by what its commands are" '
    expect_status 2 "$DISTRIBUTEX" run -q --run-dir d \
        "echo {} >>log; test -e ok" ::: a b
    : >ok
    "$DISTRIBUTEX" run -q --run-dir d --resume-failed \
        "echo {} >>log; test -e ok" ::: c b a
    sort log | tr "\n" " " | grep -qx "a a b b c "
    "$DISTRIBUTEX" run -q --run-dir d --resume \
        "echo {} >>log; test -e ok" ::: d c b a
    [ "$(wc -l <log)" -eq 6 ]
    "$DISTRIBUTEX" run -q --run-dir d --resume
    [ "$(wc -l <log)" -eq 6 ]
'

test_case "an array is resumed by its indices" '
    "$DISTRIBUTEX" run -q --run-dir d --array 2-3 \
        "echo \$SLURM_ARRAY_TASK_ID >>log"
    "$DISTRIBUTEX" run -q --run-dir d --resume --array 1-4 \
        "echo \$SLURM_ARRAY_TASK_ID >>log"
    sort log | tr "\n" " " | grep -qx "1 2 3 4 "
'

if [ -n "$no_mpi" ]; then
    skip_case "a template on ranks" "$no_mpi"
else
    test_case "a template on ranks, its arguments from standard input" '
        own_tmp
        seq 20 | timeout -k 5 60 "$DISTRIBUTEX" run -q --ranks 2 echo {} \
            :::: - >out
        sort -n out | cmp - <(seq 20)
    '
fi


test_case "a resume knows arguments and names without the template" '
    expect_status 2 "$DISTRIBUTEX" run -q --run-dir d --header : --colsep , \
        "test -e ok && echo {a}{b}" ::: "b,a" "1, x" "2,y/z" >out
    touch ok
    "$DISTRIBUTEX" run -q -k --run-dir d --retry-failed --tag --results r >out
    printf "1 x\tx1\n2 y/z\ty/z2\n" | cmp - out
    (cd r && find . -type f | LC_ALL=C sort) >files
    printf "./a/%s\n" " x/b/1/seq" " x/b/1/stderr" " x/b/1/stdout" \
        "y\\_z/b/2/seq" "y\\_z/b/2/stderr" "y\\_z/b/2/stdout" | cmp - files
    echo x1 | cmp - "r/a/ x/b/1/stdout"
    expect_status 1 "$DISTRIBUTEX" run -q --run-dir e "echo {}; test -e ok2" \
        ::: p/q >out
    touch ok2
    "$DISTRIBUTEX" run -q --run-dir e --retry-failed --results "s/{/}.log"
    printf 1 | cmp - s/q.log.seq
    echo p/q | cmp - s/q.log
'

test_case "--results: nothing leaves DIR" '
    "$DISTRIBUTEX" run -q --no-show --header : --results r/s echo {..} \
        ::: .. . .. ../x ::: a/../b ..
    (cd r && find . -name stdout | LC_ALL=C sort) >files
    printf "./s/%s/a/\\../b/\\../stdout\n" "\\../\\." "\\../\\.." \
        "\\../..\\_x" | LC_ALL=C sort | cmp - files
    [ "$(find . -name stdout | grep -vc ^./r/s/)" -eq 0 ]
'

test_case "--results: names for the tasks of a task file and of a stream" '
    printf "%s\n" "echo a" "echo b/c" >list
    "$DISTRIBUTEX" run -q --no-show --results "r/{#}.{/}" list
    echo a | cmp - "r/1.echo a"
    echo b/c | cmp - "r/2.c"
    "$DISTRIBUTEX" run -q --no-show --results "s/{#}.{/}/" - <list
    echo b/c | cmp - s/2.c/stdout
    "$DISTRIBUTEX" run -q --no-show --results t - <list
    printf 2 | cmp - t/2/seq
'

test_case "--results that cannot be is refused before anything runs" '
    long=$(printf "%0300d" 1)
    expect_status 102 "$DISTRIBUTEX" run --run-dir d --results "r/{}" \
        "touch ran" ::: a "$long" 2>err
    grep -q "task 2: .* file name of 304 bytes, more than the" err
    expect_status 102 "$DISTRIBUTEX" run --run-dir d --results "r{= 1 =}" \
        "touch ran" ::: a 2>err
    grep -q -e "--results: .*Perl" err
    expect_status 102 "$DISTRIBUTEX" run --run-dir d --results x.csv \
        "touch ran" ::: a 2>err
    grep -q -e "--joblog FILE" err
    [ ! -e ran ] && [ ! -e d ]
'

test_case "--results: tasks that write the same files are told" '
    "$DISTRIBUTEX" run --run-dir d --results "r/{1}" echo ::: a b ::: 1 2 \
        >out 2>err
    grep -q "warning: --results: task 2 writes the same files as task 1" err
    "$DISTRIBUTEX" run --run-dir e --results "s/{1}{#}" echo ::: a b ::: 1 2 \
        >out 2>err
    ! grep -q "warning" err
'

if [ -n "$no_mpi" ]; then
    skip_case "--results and --tag of a template over two ranks" "$no_mpi"
else
    test_case "--results and --tag of a template over two ranks" '
        own_tmp
        timeout -k 5 60 "$DISTRIBUTEX" run -q -k --tag --ranks 2 -j 2 \
            --run-dir d --results r "sleep 0.01; echo {2}" \
            ::: $(seq 10) ::: a/b c >out
        for i in $(seq 10); do
            printf "%s\t%s\n" "$i a/b" a/b "$i c" c
            echo a/b | cmp - "r/1/$i/2/a\\_b/stdout"
            echo c | cmp - "r/1/$i/2/c/stdout"
        done | cmp - out
        timeout -k 5 60 "$DISTRIBUTEX" run -q --no-show --ranks 2 -j 2 \
            --run-dir e --results "s/{%}.{}/" "sleep 0.01; echo {%}" \
            ::: $(seq 20)
        for f in s/*/stdout; do
            echo "$f $(cat "$f")"
        done | awk -F "[/. ]" "\$2 == \$5 { n++; seen[\$2] = 1 }
            END { exit n != 20 || !seen[1] || !seen[2] || length(seen) != 2 }"
    '
fi

test_done
