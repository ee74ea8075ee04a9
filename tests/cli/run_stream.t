#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Standard input and FIFOs as live task lists.

# shellcheck source=tests/cli/lib.sh
. "$srcdir/tests/cli/lib.sh"
# shellcheck source=tests/cli/job.sh
. "$srcdir/tests/cli/job.sh"
unset "${!DTX_@}" "${!SLURM_@}"

run() {
    timeout -k 5 40 "$DISTRIBUTEX" run --run-dir d "$@"
}

# from_way [OPTION...]: a job in the background whose standard input is the FIFO
# way, which it opens itself.
from_way() {
    begin timeout -k 5 40 sh -c 'exec "$0" "$@" <way' "$DISTRIBUTEX" run \
        --run-dir d "$@" -
}

has_first() { [ -s first ]; }
is_on() { [ -e on ]; }
has_x() { grep -q x out; }
has_third() { grep -qx 3 ran; }

test_case "a task starts while the input is open" '
    mkfifo way
    from_way -q
    exec 7>way
    echo "echo first >first" >&7
    wait_for 20 has_first
    kill -0 "$job"
    echo "echo second" >&7
    exec 7>&-
    ended 0
    grep -qx second out
'

test_case "a FIFO is a live list too" '
    mkfifo way
    begin timeout -k 5 40 "$DISTRIBUTEX" run -q --run-dir d way
    exec 7>way
    echo "echo first >first" >&7
    wait_for 20 has_first
    exec 7>&-
    ended 0
'

# What came before the master has heard of it, and commands forgotten by the
# time their outputs are shown.
test_case "in order and with tags" '
    for round in 1 2 3 4 5 6 7 8; do
        rm -rf d
        seq 1 20 | sed "s/^/echo /" >list
        run -q -k - <list | diff - <(seq 1 20)
    done
    rm -rf d
    (sleep 1; echo "sleep 1; echo slow"; seq 1 3000 | sed "s/^/echo /") |
        run -q -k --tag - >out
    [ "$(head -n 1 out)" = "sleep 1; echo slow$(printf "\t")slow" ]
    tail -n 3000 out | diff - <(seq 1 3000 | sed "s/.*/echo &\t&/")
'

test_case "a reader that comes late gets every tag" '
    yes "echo x # $(printf %090d 0)" | head -n 20000 |
        run -q --tag - | (sleep 4; sort | uniq -c >out)
    [ "$(wc -l <out)" -eq 1 ] && grep -q "^ *20000 echo x # 0" out
'

test_case "no input at all" '
    run -q - </dev/null
'

test_case "what waits for earlier tasks waits, or is skipped" '
    printf "%s\n" "#DTX name=a" "sleep 0.3; echo a >>order" "#DTX after=a" \
        "echo b >>order" "exit 3" "#DTX after=3" "echo never" >list
    rc=0; run -q - <list >out || rc=$?
    [ "$rc" -eq 2 ]
    printf "a\nb\n" | diff - order
'

test_case "a bad line ends the reading, and what was read runs" '
    printf "%s\n" "echo one" "#DTX after=3" "echo two" "echo three" >list
    rc=0; run - <list >out 2>err || rc=$?
    [ "$rc" -eq 103 ] || fail "status $rc"
    echo one | diff - out
    grep -q "standard input:2: after=3" err
'

test_case "reading ahead is bounded" '
    begin timeout -k 5 50 "$DISTRIBUTEX" run -j 1 --run-dir d - < <(
        echo "touch on; until [ -e go ]; do sleep 0.1; done"
        seq 1 200000 | sed "s/.*/true & with a line long enough to fill pipes/")
    wait_for 20 is_on
    still() { # no more is read
        local size
        size=$(stat -c %s d/journal)
        sleep 0.7
        [ "$size" -gt 1000000 ] && [ "$size" = "$(stat -c %s d/journal)" ]
    }
    wait_for 40 still
    timeout 10 "$DISTRIBUTEX" stop d
    touch go
    ended 105
    read -r _ n _ < <(grep "^tasks " err)
    n=${n%+:}
    [ "$n" -ge 100000 ] && [ "$n" -le 105000 ] || fail "read $n"
'

test_case "a drain leaves the rest, and a resume runs what was read" '
    mkfifo way
    from_way -j 1
    exec 7>way
    printf "%s\n" "touch on; sleep 1; echo 1 >>ran" "echo 2 >>ran" \
        "echo 3 >>ran" >&7
    wait_for 20 is_on
    sleep 0.3
    timeout 10 "$DISTRIBUTEX" stop d
    ended 105
    exec 7>&-
    timeout -k 5 40 "$DISTRIBUTEX" run --resume --run-dir d >out2 2>err2
    grep -q "the tasks came from standard input: the 3 that were read" err2
    printf "1\n2\n3\n" | diff - <(sort ran)
'

test_case "a resume with a new stream goes by the commands" '
    printf "%s\n" "echo 1 >>ran" "echo 2 >>ran; exit 4" | run -q - >out || true
    printf "%s\n" "echo 0 >>ran" "echo 2 >>ran; exit 4" "echo 1 >>ran" \
        "echo 1 >>ran" >list
    rc=0; run -q --resume - <list || rc=$?
    [ "$rc" -eq 1 ]
    printf "0\n1\n1\n2\n" | diff - <(sort ran)
    rc=0; run -q --resume-failed - <list || rc=$?
    [ "$rc" -eq 1 ]
    printf "0\n1\n1\n2\n2\n" | diff - <(sort ran)
    rc=0; run -q --resume || rc=$?
    [ "$rc" -eq 1 ]
    rc=0; run -q --retry-failed - <list 2>err || rc=$?
    [ "$rc" -eq 102 ]
    grep -q "leave - out" err
'

test_case "a killed job has what was read in its journal" '
    mkfifo way
    from_way -q -j 1
    exec 7>way
    printf "%s\n" "echo 1 >>ran" "touch on; sleep 30" "echo 3 >>ran" >&7
    wait_for 20 is_on
    sleep 0.3
    kill_job
    exec 7>&-
    gone 10
    "$JOURNAL_DUMP" d/journal >/dev/null
    begin timeout -k 5 20 "$DISTRIBUTEX" run -q --resume -j 2 --run-dir d
    wait_for 15 has_third
    kill -INT -- "-$job"; kill -INT -- "-$job"
    wait "$job" || true
    printf "1\n3\n" | diff - ran
'

test_case "a producer that dies ends its stream" '
    mkfifo way
    from_way -q
    (while :; do echo "echo x"; sleep 0.05; done) >way &
    producer=$!
    wait_for 20 has_x
    kill -KILL "$producer"
    ended 0
'

if [ -n "$no_mpi" ]; then
    skip_case "under the launcher" "$no_mpi"
else
    test_case "under the launcher nothing of the input is lost" '
        own_tmp
        seq 1 2000 | sed "s/^/echo /" |
            timeout -k 5 50 "$DISTRIBUTEX" run -q --ranks 2 --run-dir d - >out
        sort -n out | diff - <(seq 1 2000)
    '
    test_case "under the launcher, by another name of standard input" '
        own_tmp
        seq 1 5 | sed "s/^/echo /" | timeout -k 5 50 "$DISTRIBUTEX" run -q \
            --ranks 2 -j 2 -k --run-dir d /dev/stdin >out
        diff out <(seq 1 5)
        seq 1 5 | timeout -k 5 50 "$DISTRIBUTEX" run -q --ranks 2 -j 2 -k \
            --run-dir e echo :::: /dev/stdin >out
        diff out <(seq 1 5)
    '
    test_case "under the launcher a task starts while the input is open" '
        own_tmp
        mkfifo way
        from_way -q --ranks 2
        exec 7>way
        echo "echo first >first" >&7
        wait_for 30 has_first
        exec 7>&-
        ended 0
    '
fi

test_case "a resume knows the variables of disBatch that came late" '
    mkfifo way
    from_way -q -j 1
    exec 7>way
    echo "touch early" >&7
    has_early() { [ -e early ]; }
    wait_for 20 has_early
    printf "%s\n" "#DISBATCH SUFFIX ; true" "touch on; sleep 30" \
        "echo id=\$DISBATCH_TASKID" >&7
    wait_for 20 is_on
    sleep 0.3
    kill_job
    exec 7>&-
    gone 10
    begin timeout -k 5 20 "$DISTRIBUTEX" run -q --resume -j 2 --run-dir d
    has_id() { grep -q "^id=" out; }
    wait_for 15 has_id
    kill -INT -- "-$job"; kill -INT -- "-$job"
    wait "$job" || true
    grep -qx id=2 out || fail "$(cat out)"
'

# Each of 2,000 tasks waits for the same 2,000: a line each in the journal.
test_case "what many wait for costs little, and is waited for" '
    (
        printf "#DTX name=prep\n%s\n" "sleep 0.3; echo prep"
        for ((i = 1; i < 2000; i++)); do printf "#DTX name=prep\ntrue\n"; done
        for ((i = 0; i < 2000; i++)); do
            printf "#DTX after=prep\n/bin/echo after\n"
        done
    ) | timeout -k 5 100 "$DISTRIBUTEX" run -q -j 8 --run-dir d - >out
    [ "$(head -n 1 out)" = prep ] || fail "$(head -n 1 out)"
    [ "$(grep -c after out)" -eq 2000 ]
    [ "$(stat -c %s d/journal)" -lt 2000000 ] || fail "$(ls -l d/journal)"
'

test_case "input that is closed, and a terminal under --ranks" '
    status=0
    timeout -k 5 20 "$DISTRIBUTEX" run -q - <&- 2>err || status=$?
    [ $status -eq 102 ] || fail "$status: $(cat err)"
    grep -q "standard input is closed" err
    command -v script >/dev/null || exit 0
    timeout -k 5 20 script -qec "\"$DISTRIBUTEX\" run --ranks 2 -" /dev/null \
        >err 2>&1 </dev/null || [ $? -eq 102 ]
    grep -q "standard input is a terminal" err || fail "$(cat err)"
'

test_done
