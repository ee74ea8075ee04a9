#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# "distributex run" in one process: what runs, in which order, what is shown,
# and what the exit status says.  What a task finds around it: run_task.t.

# shellcheck source=tests/cli/lib.sh
. "$srcdir/tests/cli/lib.sh"
# shellcheck source=tests/cli/job.sh
. "$srcdir/tests/cli/job.sh"
unset "${!DTX_@}" SLURM_JOB_ID

# dtx SECONDS ARGUMENT...: "distributex run", not for ever.
dtx() {
    local seconds=$1
    shift
    timeout -k 5 "$seconds" "$DISTRIBUTEX" run "$@"
}

# ids N: "echo id 1" ... one a line.
ids() {
    seq -f 'echo id %g' "$1"
}

test_case "outputs are shown whole, each task's in one piece" '
    for i in $(seq 20); do
        echo "echo a$i; sleep 0.00$((i % 7)); echo b$i"
    done >list
    dtx 20 list >out 2>err
    [ "$(wc -l <out)" -eq 40 ]
    # every a line is followed by its b line
    paste -d" " - - <out | while read -r a b; do
        [ "${a#a}" = "${b#b}" ] || fail "mixed: $a $b"
    done
    paste -d" " - - <out | sort -u | wc -l | grep -qx 20
'

test_case "stderr of tasks goes to stderr, the summary as well" '
    echo "echo to-out; echo to-err >&2" >list
    dtx 20 list >out 2>err
    grep -qx to-out out
    [ "$(wc -l <out)" -eq 1 ]
    grep -qx to-err err
    grep -q "^tasks  *1: 1 succeeded, 0 failed" err
    dtx 20 --quiet list >out 2>err
    grep -qx to-out out
    grep -qx to-err err
    [ "$(wc -l <err)" -eq 1 ]
'

test_case "output without a newline at its end, none, and binary" '
    printf "%s\n" "printf abc" "true" "head -c 100000 /dev/zero" >list
    dtx 20 -j 1 list >out 2>err
    [ "$(stat -c %s out)" -eq 100003 ]
    [ "$(tr -d "\000" <out)" = abc ]
'

test_case "exit status: 0, the number of failures, 101" '
    ids 5 >list
    expect_status 0 dtx 20 list
    printf "%s\n" "exit 3" true false "exit 255" >list
    expect_status 3 dtx 20 list
    yes false | head -n 100 >list
    expect_status 100 dtx 30 -q list
    yes false | head -n 101 >list
    expect_status 101 dtx 30 -q list
'

test_case "the summary names the failed tasks and why" '
    printf "%s\n" "echo gone wrong >&2; exit 7" "kill -9 \$\$" \
        "no-such-command-here" "./list" >list
    chmod 644 list
    expect_status 4 dtx 20 list 2>err
    grep -q "^failed  *task 1 (line 1): exit 7: " err
    grep -q "^  *gone wrong" err
    grep -q "^failed  *task 2 (line 2): ended by signal 9" err
    grep -q "^failed  *task 3 (line 3): exit 127 (command not found)" err
    grep -q "^failed  *task 4 (line 4): exit 126 (could not be exec" err
'

test_case "the summary tells balance: every rank, its slots, nobody lost" '
    for i in 1 2 3 4; do echo "sleep 0.1"; done >list
    dtx 20 -j 2 list 2>err
    grep -q "^makespan .*; lower bound " err
    grep -q "^balance .* grants*, .* steals*" err
    grep -q "^rank 0 .*, 2 slots: 4 tasks, .* % busy" err
    ! grep -q LOST err || fail "$(cat err)"
    # two waves of two: the bound is near 0.2 s
    grep -q "lower bound 2[0-9][0-9]" err || fail "$(cat err)"
'

test_case "signals, exit codes and timeouts in the joblog, nine columns" '
    printf "%s\n" "true" "exit 9" "kill -15 \$\$" "#DTX timeout=100ms" \
        "sleep 20" "echo out" >list
    expect_status 3 dtx 20 --joblog log list
    printf "%s\t" Seq Host Starttime JobRuntime Send Receive Exitval \
        Signal >want
    printf "Command\n" >>want
    head -n 1 log | diff want -
    [ "$(wc -l <log)" -eq 6 ]
    awk -F"\t" "NF != 9 { bad = 1 } END { exit bad }" log
    tail -n +2 log | sort -n | cut -f1,7,8,9 >got
    printf "%s\t%s\t%s\t%s\n" 1 0 0 true 2 9 0 "exit 9" 3 0 15 \
        "kill -15 \$\$" 4 -1 15 "sleep 20" 5 0 0 "echo out" >want
    diff want got
    grep -c "	$(hostname)	" log | grep -qx 5
'

test_case "a timeout ends the whole group, at its time" '
    printf "%s\n" "#DTX timeout=200ms" "sleep 31 & sleep 31; true" \
        "sleep 0.4" >list
    start=$(date +%s%N)
    expect_status 1 dtx 20 list 2>err
    took=$((($(date +%s%N) - start) / 1000000))
    [ "$took" -lt 5000 ] || fail "took $took ms"
    wait_for 3 nothing_left
    grep -q "ended by its timeout after" err
    # --timeout is for tasks that do not say; "none" says
    printf "%s\n" "sleep 31" "#DTX timeout=none" "sleep 0.5" >list
    expect_status 1 dtx 20 --timeout 0.2 -q list
'

test_case "a task that ignores TERM gets KILL after the grace" '
    echo "trap \"\" TERM; while :; do sleep 0.05; done" >list
    start=$(date +%s)
    expect_status 1 dtx 20 --timeout 100ms --term-grace 300ms -q list
    [ $(($(date +%s) - start)) -lt 10 ]
    wait_for 3 nothing_left
'

test_case "retries: attempts are counted, the last one decides" '
    printf "%s\n" "#DTX retries=3" \
        "echo try \$DTX_ATTEMPT; [ \$DTX_ATTEMPT = 3 ]" \
        "echo once \$DTX_ATTEMPT; false" >list
    expect_status 1 dtx 20 --retry-delay 10ms list >out 2>err
    printf "%s\n" "once 1" "try 1" "try 2" "try 3" >want
    sort out | diff want -
    grep -q "^attempts  *2 made again" err
    echo "[ \$DTX_ATTEMPT = 2 ]" >list
    expect_status 0 dtx 20 --retries 2 --retry-delay 0 -q --joblog log list
    [ "$(tail -n +2 log | wc -l)" -eq 1 ]
    expect_status 1 dtx 20 --retries 1 -q list
    DTX_RETRIES=2 DTX_RETRY_DELAY=10ms expect_status 0 dtx 20 -q list
'

test_case "larger priorities run first" '
    {
        echo "echo none"
        for i in 3 1 2; do
            printf "#DTX prio=%s\necho prio%s\n" $i $i
        done
        printf "#DTX prio=-1\necho last\n"
    } >list
    dtx 20 -j 1 -q list >out
    printf "%s\n" prio3 prio2 prio1 none last | diff - out
'

test_case "after=: successors wait, names and ranges, earlier and later" '
    cat >list <<-"END"
	#DTX name=end after=2-3,mid
	echo end
	#DTX name=mid
	sleep 0.1; echo mid
	#DTX name=mid
	sleep 0.2; echo mid
	#DTX after=end
	echo very end
	END
    dtx 20 -q list >out
    printf "%s\n" mid mid end "very end" | diff - out
'

test_case "what depends on a failure is skipped, counted and explained" '
    cat >list <<-"END"
	#DTX name=bad
	false
	#DTX after=1
	echo never >ran
	#DTX after=2
	echo never >ran
	echo fine
	END
    expect_status 3 dtx 20 list >out 2>err
    [ "$(cat out)" = fine ]
    [ ! -e ran ]
    grep -q "1 succeeded, 1 failed, 2 skipped because another failed" err
'

test_case "cycles, unknown names, unknown keys: file:line, and nothing ran" '
    ran() { [ ! -e ran ] || fail "something ran"; }
    printf "%s\n" "touch ran" "#DTX after=nobody" "true" >list
    expect_status 103 dtx 20 list 2>err
    grep -q "list:2: " err || fail "$(cat err)"
    ran
    printf "%s\n" "#DTX name=a after=b" "touch ran" "#DTX name=b after=a" \
        "touch ran" >list
    expect_status 103 dtx 20 list 2>err
    grep -q "list:[13]: " err || fail "$(cat err)"
    ran
    printf "%s\n" "touch ran" "" "# fine" "#DTX colour=red" "true" >list
    expect_status 103 dtx 20 list 2>err
    grep -q "list:4: " err || fail "$(cat err)"
    ran
    [ -z "$(ls -d distributex-* 2>/dev/null)" ] || fail "left: $(ls)"
'

test_case "no task file, two, one that is not there, an empty one" '
    expect_status 102 dtx 20 2>err
    grep -q "no task file" err
    echo true >a
    expect_status 102 dtx 20 a a 2>err
    expect_status 103 dtx 20 not-there 2>err
    grep -q "not-there" err
    expect_status 103 dtx 20 . 2>err
    [ -z "$(ls -d distributex-* 2>/dev/null)" ]
    : >empty
    expect_status 0 dtx 20 empty
    printf "# nothing\n\n" >comments
    expect_status 0 dtx 20 comments
'

test_case "options that are not known or not built are refused" '
    echo "touch ran" >list
    expect_status 102 dtx 20 --no-such list
    expect_status 102 dtx 20 --tagstring x list
    expect_status 102 dtx 20 -j none list
    expect_status 102 dtx 20 --timeout never-ever list
    expect_status 102 dtx 20 --policy fancy list
    DTX_JOBS=many expect_status 102 dtx 20 list
    [ ! -e ran ]
'

test_case "a task wider than any rank is an error before the start" '
    printf "%s\n" "touch ran" "#DTX cpus=60000" "true" >list
    expect_status 103 dtx 20 list 2>err
    grep -q "cpus=60000" err
    [ ! -e ran ]
'

test_case "-j: as many at a time, no more" '
    for i in $(seq 12); do
        echo "echo + >>seen; sleep 0.1; echo - >>seen"
    done >list
    dtx 20 -j 3 -q list
    awk "{ n += (\$1 == \"+\") ? 1 : -1; if (n > most) most = n }
         END { print most; exit !(most == 3) }" seen
'

export policies
policies=$("$DISTRIBUTEX" help policies |
    sed -n 's/^  \([a-z][a-z]*\) .*/\1/p')
test_case "all policies run every task once, with the same results" '
    ids 60 | sed "7s/.*/false/; 30s/.*/exit 4/" >list
    printf "#DTX after=1-60\ntouch never\n" >>list
    ids 60 | sed "7d; 30d" | cut -d" " -f2- | sort >want
    [ "$(echo "$policies" | wc -w)" -ge 5 ] || fail "few: $policies"
    for p in $policies; do
        expect_status 3 dtx 20 -q --policy "$p" list >out
        sort out | diff want - || fail "policy $p"
    done
'

test_case "--halt soon lets running tasks end, --halt now kills them" '
    printf "%s\n" "sleep 0.2; false" "sleep 0.6; echo end >ended" >list
    yes "echo x >>more" | head -n 100 >>list
    expect_status 1 dtx 20 -j 2 --halt soon,fail=1 list 2>err
    [ -e ended ] || fail "$(cat err)"
    # no more than what a slot was handed ahead
    [ "$(cat more 2>/dev/null | wc -l)" -le 8 ] || fail "$(cat err)"
    grep -q "left to do" err
    grep -q "distributex run --resume" err
    rm -f ended
    printf "%s\n" "sleep 0.2; false" "sleep 17; echo end >ended" true >list
    start=$(date +%s)
    expect_status 1 dtx 20 -j 2 --halt now,fail=1 -q list
    [ $(($(date +%s) - start)) -lt 10 ]
    [ ! -e ended ]
    wait_for 3 nothing_left
'

test_case "--halt by percent, after at least three" '
    printf "%s\n" false false "sleep 0.1" "sleep 0.2" "sleep 0.2" \
        "sleep 0.2" "sleep 0.2" "sleep 0.2" >list
    expect_status 2 dtx 20 -j 1 --halt soon,fail=50% list 2>err
    grep -Eq ", [345] left to do" err || fail "$(cat err)"
    expect_status 2 dtx 20 -j 1 --halt soon,fail=90% -q list
'

test_case "--halt success= and done=: stopped, and content with it" '
    printf "%s\n" false "echo found" "sleep 17" "sleep 17" >list
    expect_status 0 dtx 20 -j 1 --halt now,success=1 list >out 2>err
    grep -qx found out
    grep -q "1 succeeded, 1 failed, 2 left to do" err || fail "$(cat err)"
    printf "%s\n" true true "sleep 0.3" "sleep 0.3" "sleep 0.3" >list
    expect_status 0 dtx 20 -j 1 --halt soon,done=40% list 2>err
    grep -q "halted, as --halt asked for" err || fail "$(cat err)"
    grep -Eq "[12] left to do" err || fail "$(cat err)"
    printf "%s\n" false "sleep 17" >list
    expect_status 1 dtx 20 -j 1 --halt 2 -q list
'

test_case "-j 0, +1, -P and a share" '
    for i in $(seq 30); do echo "echo \$DTX_SLOT; sleep 0.5"; done >list
    expect_status 0 dtx 20 -q -j 0 list | sort -n | diff - <(seq 30)
    n=$(nproc)
    seq 3 >list
    sed -i "s/.*/true/" list
    for row in "+1 $((n + 1))" "-100 1" "200% $((2 * n))"; do
        expect_status 0 dtx 20 -P ${row% *} list 2>err
        grep -q "node, ${row#* } slot" err || fail "$(cat err)"
    done
'

test_case "| head -1: the job goes on, outputs stay" '
    for i in $(seq 40); do echo "echo line $i; seq 3000"; done >list
    dtx 30 -q --run-dir d list | head -n 1 >out
    [ "$(wc -l <out)" -eq 1 ]
    "$DISTRIBUTEX" output d 40 | head -n 1 | grep -qx "line 40"
    "$DISTRIBUTEX" output d 40 | wc -l | grep -qx 3001
'

test_case "closed stdin, stdout and stderr" '
    ids 10 >list
    expect_status 0 dtx 20 --run-dir a -q list >&-
    expect_status 0 dtx 20 --run-dir b list >&- 2>&- <&-
    for d in a b; do
        "$DISTRIBUTEX" output "$d" 10 | grep -qx "id 10"
    done
    dtx 20 --resume --run-dir b >out
    [ ! -s out ]
'

test_case "a directory of other things is no run directory" '
    mkdir mine
    echo x >mine/data
    echo true >list
    expect_status 104 dtx 20 --run-dir mine list 2>err
    grep -q "mine holds data and no job: name a run directory that is new" err
    [ "$(ls -A mine)" = data ]
    rm mine/data
    dtx 20 --run-dir mine list
'

test_case "a full stdout does not end the job" '
    [ -e /dev/full ] || exit 0
    ids 10 >list
    status=0
    dtx 20 --run-dir d -q list >/dev/full 2>err || status=$?
    [ "$status" -eq 107 ] || fail "status $status: $(cat err)"
    grep -q "cannot write to stdout" err
    "$DISTRIBUTEX" output d 7 | grep -qx "id 7"
'

recorded() { [ "$("$JOURNAL_DUMP" d/journal | grep -c "^task .* final")" = "$1" ]; }

test_case "a reader of stderr that stands still holds up no record" '
    for i in 1 2 3 4; do echo "sleep 2; echo $i"; done >list
    echo "yes x | head -c 300000 >&2" >>list
    mkfifo way
    exec 7<>way
    begin "$DISTRIBUTEX" run -j 5 --run-dir d list 2>&7
    wait_for 10 "recorded 1"
    kill -TERM "$job"
    wait_for 20 "recorded 5"
    cat <&7 >/dev/null 7<&- &
    ended 0
    kill $!
'

test_case "a run directory that was there stays" '
    mkdir ud && touch ud/mine && chmod 2770 ud && mkdir empty
    echo "#DTX cpus=3000" >list
    echo true >>list
    expect_status 103 dtx 20 -q --run-dir ud list 2>err || :
    expect_status 103 dtx 20 -q --run-dir empty list 2>err || :
    [ -d empty ] && [ -e ud/mine ] && [ "$(ls ud)" = mine ]
'

test_case "--no-show keeps outputs without showing them" '
    ids 5 >list
    dtx 20 -q --no-show --run-dir d list >out 2>err
    [ ! -s out ] || fail "$(cat out)"
    [ ! -s err ] || fail "$(cat err)"
    "$DISTRIBUTEX" output d 3 | grep -qx "id 3"
'

test_case "default run directories, the link, and Slurm job ids" '
    echo true >list
    dtx 20 -q list
    first=$(readlink distributex-latest)
    [ -f "$first/journal" ]
    dtx 20 -q list
    [ "$(readlink distributex-latest)" != "$first" ]
    SLURM_JOB_ID=42 dtx 20 -q list
    SLURM_JOB_ID=42 dtx 20 -q list
    [ -d distributex-42 ] && [ -d distributex-42-2 ]
    [ "$(readlink distributex-latest)" = distributex-42-2 ]
'

test_case "large outputs: whole, and the memory does not grow with them" '
    printf "%s\n" "yes 0123456789abcde | head -c 60000000" "echo small" >list
    dtx 50 -q -j 2 --run-dir d list >out
    [ "$(stat -c %s out)" -eq 60000006 ]
    "$DISTRIBUTEX" output d 1 | tail -c 16 | grep -qx 0123456789abcde
'

test_case "the last bytes are shown when a task leaves a child behind" '
    echo "echo before; sleep 29 & exit 0" >list
    start=$(date +%s)
    expect_status 0 dtx 20 -q list >out
    [ $(($(date +%s) - start)) -lt 10 ]
    [ "$(cat out)" = before ]
    wait_for 3 nothing_left
'

test_case "environment and configuration file give options" '
    echo "echo \$DTX_SLOT >>slots; sleep 0.2" >list
    for i in 1 2 3; do cat list; done >list3
    DTX_JOBS=1 DTX_RUN_DIR=fromenv dtx 20 -q list3
    [ -f fromenv/journal ]
    sort -u slots | diff - <(echo 1)
    echo "run-dir = fromfile" >conf
    DTX_CONFIG=$PWD/conf dtx 20 -q list
    [ -f fromfile/journal ]
    DTX_CONFIG=$PWD/conf DTX_RUN_DIR=e2 dtx 20 -q --run-dir line list
    [ -f line/journal ] && [ ! -e e2 ]
'

test_done
