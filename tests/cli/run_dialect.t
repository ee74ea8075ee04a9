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
