#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Pace and limits: --delay, --memfree, --timeout N%, --eta.  Bounds are loose: only a
# broken program misses them.

# shellcheck source=tests/cli/lib.sh
. "$srcdir/tests/cli/lib.sh"
# shellcheck source=tests/cli/job.sh
. "$srcdir/tests/cli/job.sh"
unset "${!DTX_@}" "${!SLURM_@}"
export DTX_CONFIG=/dev/null

test_case "--delay keeps starts apart, over all slots" '
    for i in 1 2 3 4 5; do echo "date +%s%N >>began; sleep 1"; done >list
    timeout -k 5 50 "$DISTRIBUTEX" run -q -j 5 --delay 200ms list
    [ "$(wc -l <began)" -eq 5 ]
    sort -n began | {
        read -r last
        while read -r at; do
            [ $((at - last)) -ge 150000000 ] || fail "$((at - last)) ns apart"
            last=$at
        done
    }
'

test_case "--delay: further attempts, successors and wide tasks end as well" '
    {
        echo "#DTX name=a"
        echo "echo a; false"
        echo "#DTX cpus=2"
        echo "echo wide"
        echo "echo b"
        echo "#DTX after=3"
        echo "echo c"
    } >list
    expect_status 1 timeout -k 5 50 "$DISTRIBUTEX" run -q -j 2 --delay 50ms \
        --retries 2 --retry-delay 0 list >out
    sort out | uniq -c | sed "s/^ *//" >got
    printf "%s\n" "2 a" "1 b" "1 c" "1 wide" | diff - got
'

test_case "--delay: a drain does not wait for the pace" '
    for i in $(seq 20); do echo "echo $i >>began"; done >list
    begin "$DISTRIBUTEX" run --run-dir d --delay 100s list
    wait_for 10 "[ -e began ]"
    kill -TERM "$job"
    ended 105
    [ "$(wc -l <began)" -eq 1 ]
'

test_case "--memfree: what would not fit waits, and the job can be stopped" '
    printf "echo %s\n" a b c >list
    expect_status 0 timeout -k 5 50 "$DISTRIBUTEX" run -k --memfree 1M list >out
    printf "%s\n" a b c | diff - out
    rm out
    expect_status 102 timeout -k 5 50 "$DISTRIBUTEX" run --memfree 7000P list \
        >out 2>err
    grep -q "error: --memfree .* PiB: the largest node (.*) has .* in all" err
    [ ! -s out ]
    rm out
    all=$("$DISTRIBUTEX" topo --json |
        sed "s/.*\"memory_bytes\": \([0-9]*\).*/\1/")
    least=$("$DISTRIBUTEX" topo --json |
        sed -n "s/.*\"memory_limit_bytes\": \([0-9]\{1,\}\).*/\1/p")
    [ -z "$least" ] || [ "$least" -ge "$all" ] || all=$least
    begin "$DISTRIBUTEX" run --run-dir d --memfree "$all" list
    wait_for 10 "grep -q \"starts no task for now: .* MiB of memory are free\" err"
    kill -TERM "$job"
    ended 105
    [ ! -s out ]
    expect_status 0 timeout -k 5 50 "$DISTRIBUTEX" run --run-dir d -k --resume \
        >out
    printf "%s\n" a b c | diff - out
'

test_case "--timeout 200%: what runs by then is ended, a timeout= of its own wins" '
    {
        echo "sleep 83"
        echo "#DTX timeout=50s"
        echo "sleep 2; echo own"
        for i in 1 2 3 4 5 6; do echo "sleep 0.2"; done
    } >list
    expect_status 1 timeout -k 5 50 "$DISTRIBUTEX" run -j 4 --timeout 200% \
        --joblog log list >out 2>err
    grep -qx own out
    grep -q "task 1 .*ended by its timeout" err
    [ "$(awk "\$7 == -1 && \$8 == 15" log | wc -l)" -eq 1 ]
'

test_case "--timeout 200%: fewer than three successes limit nothing" '
    printf "%s\n" "sleep 0.01" "sleep 0.01" "sleep 1" >list
    timeout -k 5 50 "$DISTRIBUTEX" run -q -j 3 --timeout 101% list
'

if [ -n "$no_mpi" ]; then
    skip_case "--timeout 200% and --delay under mpirun" "$no_mpi"
else
    test_case "--timeout 200% and --delay under mpirun" '
        own_tmp
        echo "sleep 83" >list
        for i in 1 2 3 4 5 6 7; do echo "sleep 0.3"; done >>list
        expect_status 1 timeout -k 5 55 "$DISTRIBUTEX" run --ranks 3 -j 3 \
            --delay 50ms --timeout 300% list 2>err
        grep -q "task 1 .*ended by its timeout" err
    '
fi

test_case "--eta is an option, and a summary follows" '
    echo true >list
    timeout -k 5 50 "$DISTRIBUTEX" run --eta list 2>err
    grep -q "run dir" err
'

test_case "others who use the processors are named" '
    for i in $(seq "$(nproc)"); do
        timeout 8 sh -c "while :; do :; done" &
    done
    for i in $(seq "$(nproc)"); do echo "sleep 5"; done >list
    "$DISTRIBUTEX" run --equal-speeds list 2>err &
    "$DISTRIBUTEX" run --ranks 2 list 2>err2
    wait $!
    grep "^others     node .*: others used [0-9]* % of the processors .*heeded" \
        err || fail "$(cat err)"
    grep "^others     node .*: others used [1-9][0-9] % of the .* that its" err2 ||
        fail "$(cat err2)"
    kill $(jobs -p) 2>/dev/null || :
'

test_done
