#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/cli/line_buffer.t - lines shown while their task runs
. "$srcdir/tests/cli/lib.sh"
. "$srcdir/tests/cli/job.sh"

dtx() { timeout -k 5 "$1" "$DISTRIBUTEX" run -q --run-dir d "${@:2}"; }

# resident: how much memory the ranks of the job have, in KiB.
resident() {
    local pid sum=0
    for pid in $(job_pids); do
        case $(readlink "/proc/$pid/exe") in
            *distributex*)
                sum=$((sum + $(awk '/^VmRSS/ { print $2 }' \
                    "/proc/$pid/status")))
                ;;
        esac
    done
    echo "$sum"
}

test_case "lines appear while their task runs, on both streams" '
    cat >list <<END
echo one; echo uno >&2; until [ -e go ]; do sleep 0.05; done; printf "two\nend"
until [ -e go ]; do echo x; sleep 0.2; done; echo last
END
    begin dtx 50 -j 2 --line-buffer list
    wait_for 30 "grep -qx one out && grep -qx uno err && grep -qx x out"
    grep -q two out && fail "it has not written that yet"
    touch go
    ended 0
    # what comes behind "end" goes on in its line, as without the option
    grep -o x out | wc -l >n
    for line in one two last end; do [ "$(grep -c $line out)" = 1 ]; done
    printf "uno\n" | cmp - err
    "$DISTRIBUTEX" output d 1 2>/dev/null >one
    printf "one\ntwo\nend" | cmp - one
    "$DISTRIBUTEX" output d 2 2>/dev/null | grep -o x | wc -l | cmp - n
'

test_case "half a line waits for its end" '
    cat >list <<END
printf "be"; until [ -e go ]; do sleep 0.05; done; sleep 0.3; printf "gin\nend\n"
echo other; until grep -q other out; do sleep 0.05; done; sleep 0.3; touch go
END
    begin dtx 50 -j 2 --lb list
    ended 0
    sort out >sorted
    printf "begin\nend\nother\n" | cmp - sorted
'

test_case "--tag: each line behind its tag, also in a long line that comes in parts" '
    printf "#DTX name=a\necho 1; sleep 0.4; echo 2\n#DTX name=b\n" >list
    printf "sleep 0.2; head -c 700000 /dev/zero | tr \"\\\\0\" x; sleep 0.4; " >>list
    printf "echo y\n#DTX name=c\nsleep 0.2; echo 1; sleep 0.3; echo 2\n" >>list
    # parts of long lines may stand among others: one task at a time, and each
    # when what the last one wrote has come
    dtx 50 -j 1 --lb --tag list >out
    { printf "a\t1\na\t2\nb\t"; head -c 700000 /dev/zero | tr "\\0" x
      printf "y\nc\t1\nc\t2\n"; } | cmp - out
'

# what N: a task that writes whole lines in bits, with pauses, on both streams
what='for i in 1 2 3 4 5 6; do printf "n%s " $DTX_TASK_ID; sleep 0.05; echo $i;
      echo e$DTX_TASK_ID $i >&2; seq 3000; done'

test_case "the lines are those shown without it" '
    for i in 1 2 3 4 5 6; do echo "$what" | tr "\n" " "; echo; done >list
    dtx 50 -j 6 list >plain 2>plain.err
    rm -r d
    dtx 50 -j 6 --lb list >out 2>err
    cmp <(sort plain) <(sort out)
    cmp <(sort plain.err) <(sort err)
    rm -r d
    dtx 50 -j 6 --lb --keep-outputs none list >out 2>err
    cmp <(sort plain) <(sort out)
    cmp <(sort plain.err) <(sort err)
    rm -r d
    dtx 50 -j 6 --lb -k list >out 2>err
    cmp <(sort plain) <(sort out)
    awk "/^n/ { print \$1 }" out | uniq | tr -d "\n" | grep -qx n1n2n3n4n5n6
    rm -r d
    dtx 50 -j 6 --lb --no-show list >out 2>err
    [ ! -s out ] && [ ! -s err ]
'

test_case "200,000 lines of one task, in order" '
    echo "seq 100000; sleep 0.3; seq 100001 200000" >list
    dtx 50 -j 2 --lb list >out
    seq 200000 | cmp - out
    "$DISTRIBUTEX" output d 1 | cmp - out
'

test_case "a file that its task empties is shown from its new beginning" '
    echo "echo old; sleep 0.4; echo new >/dev/stdout; sleep 0.3" >list
    dtx 50 --lb list >out
    printf "old\nnew\n" | cmp - out
'

test_case "an attempt that fails has shown its lines, and the next its own" '
    cat >list <<END
echo try \$DTX_ATTEMPT; sleep 0.3; echo over \$DTX_ATTEMPT; test \$DTX_ATTEMPT = 2
END
    dtx 50 --lb --retries 2 --retry-delay 0 list >out
    printf "%s\n" "try 1" "over 1" "try 2" "over 2" | cmp - out
'

test_case "behind a reader that stalls lines wait in the files" '
    mkfifo pipe
    # 70 MB, of which the first are more than may be under way
    echo "seq 900000; touch early; until [ -e more ]; do sleep 0.05; done" >list
    echo "; seq 900001 9000000; touch written" >>list
    echo "$(tr -d "\n" <list)" >list
    (exec 3<pipe; until [ -e read ]; do sleep 0.1; done; cat <&3 >out) &
    reader=$!
    set -m
    dtx 100 -j 1 --lb list >pipe &
    job=$!
    set +m
    wait_for 50 "[ -e early ]"
    sleep 0.5
    before=$(resident)
    touch more
    wait_for 50 "[ -e written ]"
    sleep 0.5
    after=$(resident)
    echo "$before KiB, then $after KiB"
    [ "$before" -gt 0 ]
    [ "$after" -lt $((before + 20000)) ]
    touch read
    wait "$job"
    wait "$reader"
    seq 9000000 | cmp - out
'

if [ -n "$no_mpi" ]; then
    skip_case "lines of two ranks" "$no_mpi"
else
    test_case "lines of two ranks, while their tasks run" '
        own_tmp
        for i in 1 2; do
            echo "echo \$DTX_TASK_ID; until [ -e go ]; do sleep 0.05; done"
            echo "$what" | tr "\n" " "
            echo
        done >list
        begin dtx 50 -j 4 --ranks 2 --lb --tag list
        wait_for 30 "[ \$(grep -c \"^echo .*	[13]\$\" out) = 2 ]"
        touch go
        ended 0
        [ "$(wc -l <out)" = 36014 ]
        grep -v "^[^	]*	[0-9n][0-9 ]*$" out && fail "half a line"
        cut -f 2 out | sort >got
        { printf "%s\n" 1 3; for i in 1 2 3 4 5 6; do
            for t in 2 4; do echo "n$t $i"; seq 3000; done; done; } |
            sort | cmp - got
    '

    test_case "two ranks and a reader that stalls" '
        own_tmp
        mkfifo pipe
        echo "seq 3000000; touch one" >list
        echo "seq 3000000; touch two" >>list
        (exec 3<pipe; until [ -e read ]; do sleep 0.1; done; cat <&3 >out) &
        reader=$!
        set -m
        dtx 100 -j 2 --ranks 2 --lb list >pipe &
        job=$!
        set +m
        wait_for 50 "[ -e one ] && [ -e two ]"
        touch read
        wait "$job"
        wait "$reader"
        cmp <(sort -n out) <(seq 3000000 | awk "{ print; print }")
    '
fi

test_done
