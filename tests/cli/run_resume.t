#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Going on with a job: what has finished stands, what has not runs, whatever
# has happened to the task file and to the run directory in between.

# shellcheck source=tests/cli/lib.sh
. "$srcdir/tests/cli/lib.sh"
# shellcheck source=tests/cli/job.sh
. "$srcdir/tests/cli/job.sh"
unset "${!DTX_@}" SLURM_JOB_ID

# dtx ARGUMENT...: "distributex run -q", not for ever.
dtx() {
    timeout -k 5 30 "$DISTRIBUTEX" run -q "$@"
}

# half_done: a job of ten tasks in d, of which 1 to 4 have run (number 2
# failed) and 5 to 10 have not; each notes its name in the file "ran".
half_done() {
    local i more
    for i in $(seq 10); do
        case $i in
            2) more='; [ -e good ]' ;;
            4) more='; [ -e go ] || { $DISTRIBUTEX stop d && sleep 2; }' ;;
            *) more= ;;
        esac
        echo "echo $i >>ran; echo out $i$more"
    done >list
    # the request is seen within 1.5 seconds; what 4 says of it is no output
    sed -i "s/stop d/& >\/dev\/null/" list
    expect_status 105 dtx -j 1 "$@" --run-dir d list >out1
    touch go
    # the slot may have been handed one more
    [ "$(wc -l <ran)" -ge 4 ] && [ "$(wc -l <ran)" -le 6 ]
    cp ran ran1
}

test_case "--resume runs what has not finished, without the task file" '
    half_done
    rm list
    expect_status 1 dtx --resume --run-dir d >out2
    sort -n ran | diff - <(seq 10)
    cat out1 out2 | sort -k2n | diff - <(seq -f "out %g" 10)
    # again: nothing is left to do, and the status is that of the whole job
    expect_status 1 dtx --resume --run-dir d >out3
    [ ! -s out3 ]
    [ "$(wc -l <ran)" -eq 10 ]
    "$DISTRIBUTEX" output d 1 | grep -qx "out 1"
    "$DISTRIBUTEX" output d 10 | grep -qx "out 10"
'

test_case "--resume finds the last run directory by its link" '
    half_done
    expect_status 1 dtx --resume
    sort -n ran | diff - <(seq 10)
'

test_case "--resume with the task file reordered and longer" '
    half_done
    { echo "echo new >>ran"; tac list; echo "echo last >>ran"; } >longer
    expect_status 1 dtx --resume --run-dir d longer
    { seq 10; echo last; echo new; } | sort | diff - <(sort ran)
    # numbers are those of the new list now
    "$DISTRIBUTEX" output d 11 | grep -qx "out 1"
    "$DISTRIBUTEX" output d 2 | grep -qx "out 10"
    # shorter: what is gone does not count any more
    grep -v "^echo 2 " list >shorter
    expect_status 0 dtx --resume --run-dir d shorter
    [ "$(wc -l <ran)" -eq 12 ]
'

test_case "the same command twice counts twice, in other places too" '
    printf "echo x >>ran\n%.0s" 1 2 3 >list
    expect_status 0 dtx --run-dir d list
    printf "echo x >>ran\n%.0s" 1 2 3 4 5 >list
    expect_status 0 dtx --resume --run-dir d list
    [ "$(wc -l <ran)" -eq 5 ]
    # the same words in another directory are another task
    mkdir sub
    printf "#DTX cwd=sub\necho x >>ran\n" >>list
    expect_status 0 dtx --resume --run-dir d list
    [ "$(wc -l <ran)" -eq 5 ] && [ "$(wc -l <sub/ran)" -eq 1 ]
'

test_case "a task whose command has changed runs again" '
    printf "echo %s >>ran\n" a b >list
    expect_status 0 dtx --run-dir d list
    sed -i "s/echo b/echo c/" list
    expect_status 0 dtx --resume --run-dir d list
    sort ran | diff - <(printf "%s\n" a b c)
'

test_case "--resume-failed runs the failed ones as well" '
    half_done
    touch good
    expect_status 0 dtx --resume-failed --run-dir d
    { seq 10; echo 2; } | sort -n | diff - <(sort -n ran)
    expect_status 0 dtx --resume --run-dir d
    [ "$(wc -l <ran)" -eq 11 ]
'

test_case "--retry-failed runs the failed ones and nothing else" '
    half_done
    touch good
    expect_status 105 dtx --retry-failed --run-dir d
    { cat ran1; echo 2; } | sort -n | diff - <(sort -n ran)
    expect_status 0 dtx --resume --run-dir d
    { seq 10; echo 2; } | sort -n | diff - <(sort -n ran)
'

test_case "skipped tasks run when what they wait for succeeds" '
    printf "%s\n" "echo 1 >>ran; [ -e good ]" "#DTX after=1" \
        "echo 2 >>ran" "#DTX after=2" "echo 3 >>ran" "echo 4 >>ran" >list
    expect_status 3 dtx --run-dir d list
    sort ran | diff - <(printf "%s\n" 1 4)
    # --resume leaves what failed as it is: skipped stays skipped
    expect_status 3 dtx --resume --run-dir d
    [ "$(wc -l <ran)" -eq 2 ]
    touch good
    expect_status 0 dtx --retry-failed --run-dir d
    sort ran | diff - <(printf "%s\n" 1 1 2 3 4)
'

test_case "attempts go on counting" '
    echo "echo \$DTX_ATTEMPT >>ran; [ -e good ]" >list
    expect_status 1 dtx --retries 2 --retry-delay 0 --run-dir d list
    touch good
    expect_status 0 dtx --resume-failed --run-dir d
    seq 3 | diff - ran
'

test_case "a directory that holds a job is refused without an option" '
    echo "echo x >>ran" >list
    expect_status 0 dtx --run-dir d list
    cp d/journal before
    expect_status 104 dtx --run-dir d list 2>err
    grep -q -e "--resume" err
    cmp before d/journal
    [ "$(wc -l <ran)" -eq 1 ]
    mkdir empty garbage
    echo "something else altogether" >garbage/journal
    expect_status 104 dtx --run-dir garbage list 2>err
    grep -q "garbage/journal is not a journal" err || fail "$(cat err)"
    expect_status 104 dtx --resume --run-dir empty 2>err
    expect_status 104 dtx --resume --run-dir nowhere 2>err
    [ ! -e nowhere ]
'

test_case "two jobs in one directory: refused, naming the owner" '
    echo "touch started; while [ ! -e go ]; do sleep 0.05; done" >list
    dtx --run-dir d list &
    first=$!
    wait_for 10 "[ -e started ]"
    expect_status 104 dtx --resume --run-dir d 2>err
    grep -q "$(hostname)" err || fail "$(cat err)"
    grep -q "pid $(cat d/lease | sed -n "s/^pid[ =]*//p")" err ||
        fail "$(cat err d/lease)"
    touch go
    wait "$first"
    expect_status 0 dtx --resume --run-dir d
'

test_case "a torn tail is cut, byte by byte" '
    for i in $(seq 6); do echo "echo $i >>ran; echo out $i"; done >list
    expect_status 0 dtx -j 1 --run-dir d list
    cp -r d whole
    size=$(stat -c %s whole/journal)
    for cut in 1 9 60 200 330; do
        rm -rf d ran
        cp -r whole d
        truncate -s $((size - cut)) d/journal
        finished=$("$JOURNAL_DUMP" d/journal | grep -c " final ok ") || true
        expect_status 0 dtx --resume --run-dir d
        [ "$(cat ran 2>/dev/null | wc -l)" -eq $((6 - finished)) ] ||
            fail "cut $cut: $finished finished, ran again: $(cat ran)"
        "$JOURNAL_DUMP" d/journal | grep " final ok " | cut -d" " -f2 |
            sort -n | diff - <(seq 6)
    done
    # rubbish instead of a record is cut as well
    rm -rf d ran
    cp -r whole d
    head -c 50 /dev/urandom >>d/journal
    expect_status 0 dtx --resume --run-dir d
    [ ! -e ran ]
'

test_case "a task that drops out of the list and comes back stands" '
    seq -f "echo %g >>ran" 3 >a
    seq -f "echo %g >>ran" 3 5 >b
    expect_status 0 dtx --run-dir d a
    expect_status 0 dtx --resume --run-dir d b
    expect_status 0 dtx --resume --run-dir d a
    seq 5 | diff - <(sort ran)
'

test_case "bytes turned in the middle cost what stood there" '
    for i in $(seq 6); do echo "echo $i >>ran; echo out $i"; done >list
    expect_status 0 dtx -j 1 --run-dir d list
    size=$(stat -c %s d/journal)
    printf "\377\377" | dd of=d/journal bs=1 seek=$((size - 300)) \
        conv=notrunc 2>/dev/null
    "$JOURNAL_DUMP" d/journal >dump
    grep -q "^damaged" dump && ! grep -q "^torn" dump || fail "$(cat dump)"
    finished=$(grep -c " final ok " dump)
    [ "$finished" -ge 4 ] && [ "$finished" -lt 6 ] || fail "$(cat dump)"
    head -c "$size" d/journal >before
    expect_status 0 timeout -k 5 30 "$DISTRIBUTEX" run --resume \
        --run-dir d 2>err
    grep -q "damaged.* at byte $(awk "/^damaged/ { print \$2 }" dump)" err ||
        fail "$(cat err)"
    [ "$(wc -l <ran)" -eq $((12 - finished)) ]
    # nothing was cut
    cmp before <(head -c "$size" d/journal)
    "$JOURNAL_DUMP" d/journal | grep " final ok " | cut -d" " -f2 |
        sort -n | diff - <(seq 6)
    expect_status 0 dtx --resume --run-dir d
    [ "$(wc -l <ran)" -eq $((12 - finished)) ]
'

test_case "a damaged task list: the file must be given again" '
    seq -f "echo %g >>ran" 3 >list
    expect_status 0 dtx -j 1 --run-dir d list
    at=$(grep -obUa "echo 2 >>ran" d/journal | cut -d: -f1)
    printf "X" | dd of=d/journal bs=1 seek="$at" conv=notrunc 2>/dev/null
    cp d/journal before
    expect_status 104 dtx --resume --run-dir d 2>err
    grep -q "task file again" err || fail "$(cat err)"
    cmp before d/journal
    expect_status 0 dtx --resume --run-dir d list
    expect_status 0 dtx --resume --run-dir d
    [ "$(wc -l <ran)" -eq 6 ]
'

test_case "outputs of every session without an end are checked by their sums" '
    printf "%s\n" "echo 1 >>ran; echo out 1" \
        "echo 2 >>ran; [ -e go ] || { kill -9 \$PPID; sleep 5; }" >list
    begin timeout -k 5 30 "$DISTRIBUTEX" run -q -j 1 --run-dir d list
    wait_for 10 "[ -e ran ] && [ \$(wc -l <ran) -eq 2 ]"
    sleep 1.5
    kill_job
    touch go
    expect_status 0 dtx --resume --run-dir d
    n=$(wc -l <ran)
    # same length, other bytes, in the first session
    for file in d/out/e1*; do
        sed -i "s/out 1/oXt 1/" "$file"
    done
    expect_status 0 dtx --resume --run-dir d
    [ "$(wc -l <ran)" -eq $((n + 1)) ] || fail "$n, $(cat ran)"
    "$DISTRIBUTEX" output d 1 | grep -qx "out 1"
'

test_case "a task file that is a pipe does not keep Ctrl-C out" '
    mkfifo list
    begin timeout --foreground -k 5 30 "$DISTRIBUTEX" run -q --run-dir d list
    reading() { # the pipe is open
        local pid
        for pid in $(job_pids); do
            ! ls -l "/proc/$pid/fd" | grep -q "/list$" || return 0
        done
        return 1
    }
    wait_for 10 reading
    kill -INT $(job_pids)
    rc=0; wait "$job" || rc=$?
    [ "$rc" -eq 105 ] || [ "$rc" -eq 130 ] || fail "status $rc: $(cat err)"
    rm -r d
    # and it is read as any other
    seq -f "echo %g >>ran" 3 >list &
    expect_status 0 dtx --run-dir d list
    sort ran | diff - <(seq 3)
    rm -r d
    expect_status 0 dtx --run-dir d <(sleep 0.3; seq -f "echo %g >>ran" 4 6)
    expect_status 0 dtx --resume --run-dir d <(seq -f "echo %g >>ran" 4 6)
    sort ran | diff - <(seq 6)
'

test_case "Ctrl-C while the lease of another host is watched" '
    echo "echo x >>ran" >list
    expect_status 0 dtx --run-dir d list
    sed -i "s/^host.*/host elsewhere/; s/^state.*/state held    /" d/lease
    begin timeout --foreground -k 5 30 "$DISTRIBUTEX" run --resume --run-dir d
    wait_for 5 "grep -q watching err"
    kill -INT $(job_pids)
    ended 130
    grep -q interrupted err || fail "$(cat err)"
'

test_case "a joblog that cannot be written is found out before all else" '
    echo "echo x >>ran" >list
    mkdir dir
    for log in nowhere/log dir; do
        expect_status 102 dtx --joblog $log --run-dir d list 2>err
        grep -q "joblog" err || fail "$(cat err)"
        [ ! -e d ] && [ ! -e ran ]
    done
    expect_status 0 dtx --joblog new --run-dir d list
    [ "$(wc -l <new)" -eq 2 ]
'

test_case "a stop that comes while the journal is read is not forgotten" '
    yes "sleep 0.01" | head -n 300000 >list
    begin timeout -k 5 50 "$DISTRIBUTEX" run -q -j 1 --run-dir d list
    wait_for 20 "[ -s d/journal ] && \"$DISTRIBUTEX\" stop d >/dev/null"
    ended 105
    begin timeout -k 5 50 "$DISTRIBUTEX" run -q -j 1 --resume --run-dir d
    wait_for 20 "grep -q \"^epoch[ =]*2\" d/lease"
    "$DISTRIBUTEX" stop d
    wait_for 10 "! kill -0 $job 2>/dev/null"
    ended 105
'

test_case "foreign and newer journals are refused and not touched" '
    echo true >list
    expect_status 0 dtx --run-dir d list
    echo "this is not a journal, but somebody might need it" >d/journal
    cp d/journal before
    expect_status 104 dtx --resume --run-dir d 2>err
    cmp before d/journal
    [ -s err ]
    rm -rf d
    expect_status 0 dtx --run-dir d list
    # version 9 with the right checksum of the header
    python=$(command -v python3 || true)
    [ -n "$python" ] || exit 0
    "$python" -c "
import struct, sys, zlib
data = open(\"d/journal\", \"rb\").read()
head = data[:8] + struct.pack(\"<I\", 9)
head += struct.pack(\"<I\", zlib.crc32(head))
open(\"d/journal\", \"wb\").write(head + data[16:])
"
    cp d/journal before
    expect_status 104 dtx --resume --run-dir d 2>err
    grep -qi "version" err || fail "$(cat err)"
    cmp before d/journal
'

test_case "output that is gone: the task runs again" '
    for i in $(seq 6); do echo "echo $i >>ran; echo out $i"; done >list
    echo "echo silent >>ran" >>list
    expect_status 0 dtx -j 1 --run-dir d list
    # as after the death of a node: the last bytes of out/ were not on disk
    for file in d/out/e*; do truncate -s 20 "$file"; done
    expect_status 0 timeout -k 5 30 "$DISTRIBUTEX" run --resume \
        --run-dir d 2>err
    { seq 6; echo 4; echo 5; echo 6; echo silent; } | sort |
        diff - <(sort ran)
    grep -q "3 finished tasks run again" err || fail "$(cat err)"
    for i in 1 4 6; do
        "$DISTRIBUTEX" output d $i | grep -qx "out $i"
    done
    expect_status 0 dtx --resume --run-dir d
    [ "$(wc -l <ran)" -eq 10 ]
'

test_case "a job that died before its list was written asks for the file" '
    seq -f "echo %g >>ran" 3 >list
    expect_status 0 dtx --run-dir d list
    rm ran
    truncate -s 60 d/journal
    expect_status 104 dtx --resume --run-dir d 2>err
    grep -q "task file" err || fail "$(cat err)"
    expect_status 0 dtx --resume --run-dir d list
    sort ran | diff - <(seq 3)
    rm ran
    : >d/journal
    expect_status 0 dtx --resume --run-dir d list
    sort ran | diff - <(seq 3)
'

test_case "the cwd of the job stays that of the task list" '
    mkdir a b
    seq -f "pwd >>ran%g; [ -e good ]" 2 >a/list
    cd a
    expect_status 2 dtx --run-dir ../d list
    cd ../b
    touch ../a/good
    expect_status 0 dtx --resume-failed --run-dir ../d
    sort -u ../a/ran1 | diff - <(cd ../a && pwd -P)
    [ "$(wc -l <../a/ran1)" -eq 2 ] && [ ! -e ran1 ]
'

test_case "the joblog of a resumed job goes on" '
    half_done --joblog log
    n=$(wc -l <log)
    expect_status 1 dtx --resume --joblog log --run-dir d
    [ "$(wc -l <log)" -eq 11 ] || fail "$n: $(cat log)"
    grep -c "^Seq" log | grep -qx 1
'

if [ -z "$no_mpi" ]; then
    export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
    test_case "a job of one process goes on with ranks, and back" '
        half_done
        expect_status 1 dtx --resume --ranks 2 --run-dir d
        sort -n ran | diff - <(seq 10)
        touch good
        expect_status 0 dtx --retry-failed --run-dir d
        [ "$(wc -l <ran)" -eq 11 ]
        for i in 1 2 9; do
            "$DISTRIBUTEX" output d $i | grep -qx "out $i"
        done
        "$JOURNAL_DUMP" d/journal | grep -c "^session" | grep -qx 3
    '
else
    skip_case "resuming with ranks" "$no_mpi"
fi

test_done
