#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A deadline: what is not started, what is ended, what tasks know. Bounds are
# loose: only a broken program misses them.

# shellcheck source=tests/cli/lib.sh
. "$srcdir/tests/cli/lib.sh"
# shellcheck source=tests/cli/job.sh
. "$srcdir/tests/cli/job.sh"
unset "${!DTX_@}" "${!SLURM_@}"
export DTX_CONFIG=/dev/null

test_case "tasks that cannot end in time are not started, and run after resume" '
    for i in $(seq 40); do
        echo "echo \$DTX_REMAINING_SECONDS >>left; sleep 0.5; echo $i >>ran"
    done >list
    expect_status 106 timeout -k 5 50 "$DISTRIBUTEX" run -j 2 --run-dir d \
        --deadline 14s --term-grace 1s list 2>err
    [ "$(wc -l <ran)" -ge 3 ] && [ "$(wc -l <ran)" -le 14 ] || fail "$(cat err)"
    [ "$(sort -n left | tail -n1)" -le 14 ]
    [ "$(sort -n left | head -n1)" -ge 5 ] || fail "$(cat left)"
    grep -q "deadline in 1[34]" err || fail "$(cat err)"
    grep -q "too little time is left" err || fail "$(cat err)"
    timeout -k 5 50 "$DISTRIBUTEX" run -j 20 --resume --run-dir d 2>err ||
        fail "$(cat err)"
    [ "$(sort -n ran | uniq | wc -l)" -eq 40 ]
    [ "$(wc -l <ran)" -eq 40 ] # none that had begun was ended
'

test_case "what runs too long is told with --term-signal, and runs again" '
    cat >task <<END
trap "echo told >>told; exit 0" USR1
echo begun >>begun
sleep 40 & wait
END
    printf "%s\n" "sh task" "sh task" "echo short >>short" >list
    expect_status 106 timeout -k 5 50 "$DISTRIBUTEX" run -j 2 --run-dir d \
        --deadline 12s --term-grace 1s --term-signal USR1 list 2>err
    [ "$(wc -l <told)" -eq 2 ] || fail "$(cat err)"
    ! grep -q "1 failed" err || fail "$(cat err)"
    grep -q "the time is nearly over: what still runs is ended" err ||
        fail "$(cat err)"
    sed "s/^sleep 40.*//" -i task
    timeout -k 5 50 "$DISTRIBUTEX" run --resume --run-dir d 2>err ||
        fail "$(cat err)"
    [ "$(wc -l <begun)" -eq 4 ]
    gone 5
'

test_case "timeouts count as long as nothing is known" '
    printf "%s\n" "sleep 3" "#DTX timeout=6s" "echo a >>ran" \
        "#DTX timeout=1s" "echo b >>ran" "#DTX timeout=10m" "echo c >>ran" >list
    # of 7 s 4 are left then: a may not end in time; 10 m tell nothing of c
    expect_status 106 timeout -k 5 50 "$DISTRIBUTEX" run -j 1 --run-dir d \
        --deadline 18s --term-grace 1s --no-show list 2>err
    sort ran >got
    printf "%s\n" b c | diff - got || fail "$(cat err)"
'

test_case "USR1 ends with the status that tells of time; TERM does not" '
    for i in $(seq 20); do echo "echo $i >>ran; sleep 0.2"; done >list
    begin "$DISTRIBUTEX" run --run-dir d -j 1 list
    wait_for 10 "[ -e ran ]"
    kill -USR1 "$job"
    ended 106
    rm ran
    begin "$DISTRIBUTEX" run --resume --run-dir d -j 1
    wait_for 10 "[ -e ran ]"
    kill -TERM "$job"
    kill -TERM "$job"
    ended 105
    "$DISTRIBUTEX" help exit-status | grep -q "106 "
'

# verdict FILE: its verdict at the start
verdict() {
    grep -E "finishes [0-9:]+ to [0-9:]+ \(90 %\)" "$1"
}
export -f verdict

test_case "with a history it says at the start whether it will be done, and is \
held to it" '
    for i in 1 2 3 4 5 6 7 8; do echo "sleep 0.4"; done >list
    "$DISTRIBUTEX" run -j 2 --history h list 2>err
    ! verdict err || fail "a claim out of nothing: $(cat err)"
    "$DISTRIBUTEX" run -j 2 --history h --deadline 10m list 2>err
    verdict err | grep -q "; the time ends .*, for tasks .*: 0 % risk of" ||
        fail "$(cat err)"
    grep -q "at the start it was to be done .* deadline was 0 %: it was met" err
    # 1.6 s of work, and 1 s for it
    expect_status 106 timeout -k 5 50 "$DISTRIBUTEX" run -j 2 --run-dir d \
        --history h --deadline 12s --term-grace 1s list 2>err
    verdict err | grep -q "warning: .* [1-9][0-9]* % risk of missing it, [1-9]" ||
        fail "$(cat err)"
    grep -q "(90 %): it was not; .* [1-9][0-9]* %: it was missed" err
    grep -q "too little time is left" err
'

test_case "--deadline-policy says which tasks are started" '
    for i in 1 2 3; do echo "sleep 3"; done >list
    "$DISTRIBUTEX" run -j 3 --history h list 2>err
    # there are 2 s for what takes 3
    expect_status 106 timeout -k 5 50 "$DISTRIBUTEX" run -j 3 --history h \
        --run-dir a --deadline 13s --term-grace 1s list 2>err
    grep -q "^tasks  *3: 0 succeeded, 0 failed, 3 left" err || fail "$(cat err)"
    ! grep -q "work  " err || fail "$(cat err)"
    expect_status 106 timeout -k 5 50 "$DISTRIBUTEX" run -j 3 --history h \
        --run-dir b --deadline 13s --term-grace 1s --deadline-policy start \
        list 2>err
    grep -q "what still runs is ended" err || fail "$(cat err)"
    expect_status 102 "$DISTRIBUTEX" run --deadline-policy maybe list 2>err
    grep -q "is not expected, safe, hopeful or start" err
'

test_case "a time that is over is refused before anything is made" '
    echo true >list
    for t in @1000000000 2001-01-01T00:00; do
        expect_status 102 "$DISTRIBUTEX" run --deadline "$t" list 2>err
        grep -q -- "--deadline: that time was over .* ago" err ||
            fail "$(cat err)"
        expect_status 102 "$DISTRIBUTEX" run --ranks 2 --run-dir d \
            --deadline "$t" list 2>err
        grep -q -- "--deadline: that time was over .* ago" err ||
            fail "$(cat err)"
    done
    [ "$(echo *)" = "err list" ] || fail "$(echo *)"
'

test_done
