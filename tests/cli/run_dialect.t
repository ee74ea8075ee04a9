#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Task files written for other launchers, as they are, in one process and under
# the supervisor.

# shellcheck source=tests/cli/lib.sh
. "$srcdir/tests/cli/lib.sh"
unset "${!DTX_@}" "${!DISBATCH_@}" SLURM_JOB_ID
# MPI libraries leak by themselves
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

# dtx SECONDS ARGUMENT...: "distributex run", not for ever.
dtx() {
    local seconds=$1
    shift
    timeout -k 5 "$seconds" "$DISTRIBUTEX" run "$@"
}

# The ways to run a file; words of options each.
ways=("-j 2")
command -v "${MPIRUN:-mpirun}" >/dev/null 2>&1 && ways+=("--ranks 2")

greasy_file() {
    cat >greasy.txt <<'END'
# the third line waits for the second
echo two >>log
[# -1 #] echo three >>log

[# 2-3 #] [@ sub @] echo five >>../log
[@ sub @][#-1,2#] pwd && false
[# 6 #] echo never >>log
END
}

disbatch_file() {
    cat >disbatch.txt <<'END'
echo "$DISBATCH_TASKID $DISBATCH_REPEAT_INDEX $DISBATCH_NAMETASKS" >>log
#DISBATCH PREFIX ( 
#DISBATCH SUFFIX  ; echo "$DISBATCH_TASKID $DISBATCH_REPEAT_INDEX" ) >>rep
#DISBATCH REPEAT 3 start 10 step 5 true
#DISBATCH BARRIER
#DISBATCH PREFIX
#DISBATCH SUFFIX
wc -l <rep >>log; false
#DISBATCH BARRIER all
echo anyway >>log
#DISBATCH BARRIER CHECK
echo never >>log
#DISBATCH BARRIER
echo never >>log
END
}

test_case "a GREASY file: lines counted, dependencies, directories" '
    greasy_file
    for way in "${ways[@]}"; do
        rm -rf log sub d && mkdir sub
        expect_status 2 dtx 60 --run-dir d -q $way greasy.txt >out 2>err
        printf "%s\n" two three five | diff - log
        grep -q "/sub\$" out || fail "$way: $(cat out err)"
    done
'

test_case "a disBatch file: repetition, variables, barriers" '
    disbatch_file
    for way in "${ways[@]}"; do
        rm -rf log rep d
        expect_status 3 dtx 60 --run-dir d -q $way disbatch.txt >out 2>err
        printf "%s\n" "0 -1 disbatch.txt" 3 anyway | diff - log
        sort rep >got
        printf "%s\n" "1 10" "2 15" "3 20" | diff - got
    done
'

test_case "a resume knows barriers" '
    disbatch_file
    expect_status 3 dtx 60 --run-dir d -q disbatch.txt
    expect_status 3 dtx 60 --run-dir d -q --resume
    test "$(grep -c anyway log)" = 1 || fail "ran twice"
    grep -q never log && fail "ran behind a failed one"
    true
'

test_case "what is left of a GREASY file goes on from its restart file" '
    printf "%s\n" "echo a >>log" "[# 1 #] test -e go" "# c" \
        "[#2#] [@ sub @] echo d >>../log" "[# 1,2-2,-1 #] true" \
        "echo e >>log" >f.txt
    sed -i "s/2-2,-1/2,-1/" f.txt
    mkdir -p sub
    rm -rf log d e go
    expect_status 3 dtx 60 --run-dir d f.txt >out 2>err
    printf "%s\n" "# distributex: tasks that are left" "test -e go" \
        "[# 2 #] [@ sub @] echo d >>../log" "[# 2-3 #] true" | diff - f.txt.rst
    grep -q "restart file f.txt.rst holds the 3 tasks" err || fail "$(cat err)"
    touch go
    expect_status 0 dtx 60 --run-dir e f.txt.rst >out 2>err
    printf "%s\n" a d e | diff - <(sort log)
    test ! -e f.txt.rst.rst
    rm go && echo mine >f.txt.rst
    expect_status 3 dtx 60 --run-dir g f.txt >out 2>err
    grep -q "f.txt.rst is not a restart file" err || fail "$(cat err)"
    test "$(cat f.txt.rst)" = mine
'

test_case "a restart file goes when nothing is left" '
    for again in "--resume-failed" "--resume-failed r.txt" "--retry-failed"; do
        rm -rf d go
        printf "%s\n" true "[# 1 #] test -e go" "[# 1 #] test -e go" >r.txt
        expect_status 2 dtx 60 --run-dir d r.txt >out 2>err
        test -e r.txt.rst
        touch go
        expect_status 0 dtx 60 --run-dir d $again >out 2>err
        test ! -e r.txt.rst || fail "$again: $(cat err)"
        grep -q "restart file .*r.txt.rst is removed" err || fail "$(cat err)"
    done
    rm -rf d go
    expect_status 2 dtx 60 --run-dir d r.txt >out 2>err
    echo mine >r.txt.rst
    touch go
    expect_status 0 dtx 60 --run-dir d --resume-failed >out 2>err
    test "$(cat r.txt.rst)" = mine
'

test_case "a drained GREASY job leaves a restart file" '
    rm -rf d
    printf "%s\n" "\"$DISTRIBUTEX\" stop d; sleep 2" "[# 1 #] true" >s.txt
    expect_status 105 dtx 60 --run-dir d -j 1 s.txt >out 2>err || cat err
    printf "%s\n" "# distributex: tasks that are left" true | diff - s.txt.rst
'

test_case "PERENGINE runs once on each node" '
    printf "%s\n" "#DISBATCH PERENGINE START echo begin >>nodes" \
        "#DISBATCH PERENGINE STOP echo end >>nodes" "cat nodes" >p.txt
    for way in "${ways[@]}"; do
        rm -rf d nodes
        expect_status 0 dtx 60 --run-dir d $way p.txt >out 2>err
        test "$(cat out)" = begin || fail "$way: $(cat out err)"
        printf "%s\n" begin end | diff - nodes
    done
    expect_status 103 dtx 60 --run-dir n --node-setup true p.txt 2>err
    grep -q "PERENGINE START and --node-setup both" err || fail "$(cat err)"
    test ! -e n || fail "$(ls -a n)"
'

test_case "LAUNCHER_JOB_FILE names the task file" '
    printf "%s\n" "echo \$LAUNCHER_JID \$LAUNCHER_TSK_ID \$LAUNCHER_NJOBS \
\$LAUNCHER_NHOSTS \$LAUNCHER_NPROCS \$LAUNCHER_PPN" "pwd >&2; \
echo \$LAUNCHER_JID" | sed -e :a -e "/\\\\$/N; s/\\\\\n//; ta" >jobs
    mkdir -p work
    export LAUNCHER_JOB_FILE=$PWD/jobs LAUNCHER_WORKDIR=$PWD/work
    for way in "${ways[@]}"; do
        rm -rf d
        expect_status 0 dtx 60 --run-dir d $way >out 2>err
        sort out | cut -d" " -f1,3-6 >got
        printf "%s\n" "1 2 1 2 2" 2 | diff - got
        grep -q "/work\$" err || fail "$way: $(cat err)"
        grep -q "is LAUNCHER_JOB_FILE: $PWD/jobs" err || fail "$(cat err)"
    done
    for way in "${ways[@]}"; do
        rm -rf d
        printf "%s\n" "pwd; echo \$LAUNCHER_JID \$LAUNCHER_NPROCS." \
            "#DTX cwd=/" "pwd" "#DISBATCH SUFFIX  # x" \
            "echo \$LAUNCHER_JID.\$DISBATCH_TASKID" |
            expect_status 0 dtx 60 -k --run-dir d $way - >out 2>err
        printf "%s\n" "$PWD/work" "1 2." / 3.2 | diff - out
    done
    LAUNCHER_WORKDIR=nowhere expect_status 103 dtx 20 2>err
    LAUNCHER_WORKDIR=nowhere expect_status 103 dtx 20 - </dev/null 2>err
    grep -q "LAUNCHER_WORKDIR=nowhere is no directory" err || fail "$(cat err)"
    DTX_TASK_ID=1 expect_status 102 dtx 20 2>err
    grep -q "no task file" err
    unset LAUNCHER_JOB_FILE LAUNCHER_WORKDIR
'

test_case "errors name file and line before anything runs" '
    printf "%s\n" "touch ran" "" "[# 2 #] touch ran" >bad
    expect_status 103 dtx 20 bad 2>err
    grep -q "bad:3: \[# 2 #\]: line 2 holds no task" err || fail "$(cat err)"
    printf "%s\n" "touch ran" "#DISBATCH BARIER" >bad
    expect_status 103 dtx 20 bad 2>err
    grep -q "bad:2: .*did you mean BARRIER?" err || fail "$(cat err)"
    test ! -e ran
'

test_done
