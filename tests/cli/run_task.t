#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a task of "distributex run" finds around it: directory, variables,
# cores, stdin, descriptors, signals; and what it may start itself.

# shellcheck source=tests/cli/lib.sh
. "$srcdir/tests/cli/lib.sh"
unset "${!DTX_@}" SLURM_JOB_ID OMP_NUM_THREADS

# dtx SECONDS ARGUMENT...: "distributex run", not for ever.
dtx() {
    local seconds=$1
    shift
    timeout -k 5 "$seconds" "$DISTRIBUTEX" run "$@"
}

test_case "cwd: the job's, an absolute one, a relative one, one not there" '
    mkdir sub
    printf "%s\n" pwd "#DTX cwd=sub" pwd "#DTX cwd=/" pwd \
        "#DTX cwd=nowhere" "echo not here" >list
    expect_status 1 dtx 20 --joblog log -q list >out 2>err
    printf "%s\n" / "$(pwd -P)" "$(pwd -P)/sub" | sort >want
    sort out | diff want -
    grep -q nowhere err || fail "$(cat err)"
'

test_case "DTX_* and PARALLEL_* variables" '
    printf "%s\n" true "#DTX name=alpha retries=2" \
        "env | grep -E \"^(DTX|PARALLEL)_\" | sort >vars" >list
    dtx 20 -q -j 1 --run-dir d list
    cat >want <<END
DTX_ATTEMPT=1
DTX_RANK=0
DTX_RUN_DIR=$(pwd -P)/d
DTX_SLOT=1
DTX_TASK_ID=2
DTX_TASK_NAME=alpha
PARALLEL_JOBSLOT=1
PARALLEL_SEQ=2
END
    diff want vars
'

test_case "DTX_SLOT: unique among tasks that run at the same time" '
    for i in $(seq 8); do
        echo "mkdir s\$DTX_SLOT && sleep 0.1 && rmdir s\$DTX_SLOT"
    done >list
    dtx 20 -q -j 4 list
    echo "echo \$DTX_SLOT; sleep 0.2" >one
    cat one one one >list
    dtx 20 -q -j 3 list | sort | diff - <(seq 3)
'

test_case "OMP_NUM_THREADS is the number of cpus, unless it was set" '
    printf "%s\n" "echo \$OMP_NUM_THREADS" "#DTX cpus=2" \
        "echo \$OMP_NUM_THREADS" >list
    dtx 20 -q -j 2 list | sort | diff - <(printf "1\n2\n")
    OMP_NUM_THREADS=7 dtx 20 -q -j 2 list | sort | diff - <(printf "7\n7\n")
'

test_case "--cpus: of tasks that do not say, from wherever they come" '
    say="echo \$OMP_NUM_THREADS"
    printf "%s\n" "$say" "#DTX cpus=1" "$say" "#DTX prio=1" "$say" \
        "#DTX cpus=3" "$say" >list
    dtx 20 -q -j 3 --cpus 2 list | sort | diff - <(printf "%s\n" 1 2 2 3)
    dtx 20 -q -j 3 --cpus 2 - <list | sort | diff - <(printf "%s\n" 1 2 2 3)
    DTX_CPUS=2 dtx 20 -q -j 2 list 2>err && fail "three cpus on two slots"
    grep -q "task 4" err || grep -q "list:7" err || fail "$(cat err)"
    echo "$say" >say.sh
    dtx 20 -q -j 3 --cpus 3 --array 1-2 sh say.sh |
        diff - <(printf "3\n3\n")
    dtx 20 -q -j 2 --cpus 2 sh say.sh ::: a b | diff - <(printf "2\n2\n")
    echo "mkdir d && sleep 0.1 && rmdir d" >alone.sh # two do not fit
    dtx 20 -q -j 3 --cpus 2 sh alone.sh ::: 1 2 3
    dtx 20 -q --cpus 0 list 2>err && fail "no cpus"
    grep -q -e "--cpus" err
'

test_case "--cpus: a resume keeps what tasks were given, and says so" '
    echo "echo \$OMP_NUM_THREADS; test -e ok" >list
    ! dtx 20 -q -j 2 --cpus 2 --run-dir kept list >out
    touch ok
    dtx 20 -j 2 --cpus 1 --run-dir kept --resume-failed >out 2>err
    echo 2 | diff - out
    grep -q -e "--cpus: tasks keep" err || fail "$(cat err)"
'

cores=$(nproc)
allowed='sed -n "s/^Cpus_allowed_list:[[:space:]]*//p" /proc/self/status'
if [ "$cores" -ge 2 ]; then
    export allowed
    test_case "a task of two cores gets two adjacent ones" '
        printf "%s\n" "#DTX cpus=2" "$allowed" >list
        dtx 20 -q list >out
        grep -Eqx "[0-9]+[-,][0-9]+" out || fail "$(cat out)"
    '
    test_case "--bind core: one core a task; none: all of them" '
        all=$(eval "$allowed")
        for i in $(seq 6); do echo "$allowed; sleep 0.05"; done >list
        dtx 20 -q --bind core list | sort -u >out
        ! grep -qx "$all" out || fail "$(cat out)"
        dtx 20 -q --bind none list | sort -u | diff - <(echo "$all")
        printf "#DTX cpus=2\n%s\n" "$allowed" >wide
        dtx 20 -q --bind none wide | diff - <(echo "$all")
    '
    test_case "within the cores that were given" '
        first=$(sed -n "s/^Cpus_allowed_list:[[:space:]]*\([0-9]*\).*/\1/p" \
            /proc/self/status)
        for i in 1 2 3; do echo "$allowed"; done >list
        timeout -k 5 20 taskset -c "$first" "$DISTRIBUTEX" run list \
            >out 2>err
        [ "$(sort -u out)" = "$first" ] || fail "$(cat out)"
        grep -q "1 slot," err || fail "$(cat err)"
    '
else
    skip_case "cores of tasks" "only one core here"
fi

test_case "stdin is /dev/null, even when the job has one" '
    printf "%s\n" "readlink /proc/self/fd/0" "cat; echo end" >list
    echo not for the tasks | dtx 20 -q list | sort |
        diff - <(printf "/dev/null\nend\n")
'

test_case "no descriptor, blocked or ignored signal is inherited" '
    printf "%s\n" "ls -l /proc/self/fd >fds" \
        "grep -E \"^Sig(Blk|Ign)\" /proc/self/status >sigs" >list
    exec 7<list
    dtx 20 -q list
    exec 7<&-
    grep -oE "[0-9]+ -> " fds | grep -vE "^([012]|3) -> " >more || true
    [ ! -s more ] || fail "$(cat fds)"
    # 3 is the directory that ls reads
    # signals 32 and 33 are the C library\047s: they may come in ignored
    [ "$(grep -cE "^Sig(Blk|Ign):.0{7}[01][08]0{7}\$" sigs)" = 2 ] ||
        fail "$(cat sigs)"
'

test_case "a group of its own, away from the terminal" '
    echo "cut -d\" \" -f1,5,6,7 /proc/self/stat" >list
    dtx 20 -q list >out
    read -r pid group session tty <out
    [ "$pid" = "$group" ] || fail "$(cat out)"
    [ "$tty" = 0 ] || fail "$(cat out)"
    [ "$session" != "$$" ]
'

test_case "lines of words need no shell, others get one" '
    # a line of words is executed directly: its parent is no shell
    cat >list <<-"END"
	echo "quoted  words" plain
	echo $((6 * 7)) | cat
	A=b env | grep ^A=
	cd / && pwd
	printf %s\\n a\ b
	exit 0
	END
    dtx 20 -q -j 1 list >out
    printf "%s\n" "quoted  words plain" 42 A=b / "a b" | diff - out
    echo "echo \$0 \$BASH_VERSION" >list
    dtx 20 -q --shell /bin/bash list | grep -q "bash [0-9]"
'

test_case "long lines, many arguments" '
    {
        printf "echo"
        seq -f " word%06g" 9000 | tr -d "\n"
        echo
    } >list
    dtx 20 -q list | wc -w | grep -qx 9000
'

test_case "an outer job's options do not reach a job inside a task" '
    ids=$(seq 1 3)
    for i in $ids; do echo "echo inner $i"; done >inner
    echo "$DISTRIBUTEX run -q --run-dir in inner" >outer
    DTX_RUN_DIR=out DTX_POLICY=self DTX_RETRIES=9 \
        dtx 30 -q outer >seen
    sort seen | diff - <(printf "inner %s\n" $ids)
    [ -f in/journal ] && [ -f out/journal ]
    # without a name the inner job makes a directory of its own
    echo "$DISTRIBUTEX run -q inner" >outer
    DTX_RUN_DIR=out2 dtx 30 -q outer | wc -l | grep -qx 3
    [ "$(ls -d distributex-2* | wc -l)" -eq 1 ]
'

test_case "no task process outlives the job" '
    printf "%s\n" "sleep 41 & true" "setsid sleep 42 & true" \
        "setsid sh -c \"sleep 43 & sleep 43\" & true" \
        "(trap \"\" TERM HUP; setsid sleep 44) & true" >list
    expect_status 0 dtx 30 -q list
    wait_for 2 nothing_left
'

test_done
