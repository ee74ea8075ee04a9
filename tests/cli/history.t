#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/cli/history.t - distributex history and distributex predict
#
# A small log of our own: 60 tasks whose time is a power of an argument, and 20
# whose time follows the size of a file that another task writes.
. "$srcdir/tests/cli/lib.sh"

# log SEED FIRST: a joblog and sizes.tsv
log() {
    awk -v seed="$1" 'BEGIN {
        OFS = "\t"
        srand(seed)
        print "Seq", "Host", "Starttime", "JobRuntime", "Send", "Receive",
            "Exitval", "Signal", "Command" >"joblog"
        for (i = 1; i <= 60; i++) {
            n = 100 + int(rand() * 900)
            t = 0.001 * n ^ 1.5 * (0.98 + 0.04 * rand())
            printf "%d\tn%d\t%d.5\t%10.3f\t0\t0\t0\t0\t./grow -n %d o%d.dat\n",
                i, i % 2, 1700000000 + i, t, n, i >"joblog"
            print "o" i ".dat", n * 1000, i >"sizes.tsv"
        }
        for (i = 61; i <= 80; i++) {
            printf "%d\tn0\t%d\t%10.3f\t0\t0\t0\t0\t./use o%d.dat\n", i,
                1700000000 + i, i / 10, i - 60 >"joblog"
        }
    }'
}

test_case "score replays a log, better than the medians" '
    log 1
    "$DISTRIBUTEX" history score --json --sizes sizes.tsv joblog >out
    grep -q "\"total\": {\"n\": 79, " out
    grep -q "\"class\": \"grow -n # \*.dat\"" out
    awk -F"[:,}]" "/total/ { w = \$5 } /program_median/ && !p { p = \$4 }
        END { exit !(w > 0 && p > 0 && w < 0.6 * p) }" out
    "$DISTRIBUTEX" history score joblog | grep -q " total$"
'

test_case "what was imported is known, once" '
    log 2
    "$DISTRIBUTEX" history import --history h --sizes sizes.tsv joblog >out
    grep -qx "joblog: 80 outcomes" out
    "$DISTRIBUTEX" history import --history h joblog | grep -q "before"
    "$DISTRIBUTEX" history list --history h | grep -q "^1 file, 80 outcomes"
    "$DISTRIBUTEX" history show --history h grow | grep -q "grow -n # \*.dat"
    "$DISTRIBUTEX" history show --history h --json |
        grep -q "\"class\": \"use \*.dat\", \"n\": 20"
    # not measured is not 0
    if "$DISTRIBUTEX" history show --history h --json | grep "\"cores\""; then
        fail "cores, from a log"
    fi
    echo "./grow -n 400 x.dat" >list
    "$DISTRIBUTEX" predict --history h list >out
    # 0.001 * 400 ^ 1.5 = 8
    awk "NR == 1 { exit !(\$2 > 6.5 && \$2 < 9.5) }" out
    DTX_HISTORY=h "$DISTRIBUTEX" predict --json list |
        grep -q "\"basis\": \"class\", \"class\": \"grow -n # "
'

test_case "what show does not find is an error that names what there is" '
    log 2
    "$DISTRIBUTEX" history import --history h joblog >out
    expect_status 1 "$DISTRIBUTEX" history show --history h nosuch >out 2>err
    [ ! -s out ]
    grep -q "no class in h has .nosuch. in its name; there are: .*grow -n #" err
    expect_status 1 "$DISTRIBUTEX" history show --history h --json nosuch >out
    [ ! -s out ]
    "$DISTRIBUTEX" history show --history empty >out 2>err
    [ ! -s out ]
    grep -q "nothing is known yet" err
    "$DISTRIBUTEX" history show --history empty --json 2>err | grep -qx "\[\]"
    expect_status 1 "$DISTRIBUTEX" history show --history empty x 2>err
    grep -q "it knows none yet" err
'

test_case "a list without tasks is no error, as for a run" '
    echo "# nothing" >list
    "$DISTRIBUTEX" predict --history none list >out 2>err
    grep -q "warning: there are no tasks in it" err
    grep -q "^       0 .*0 s  (0 to 0)  in all" out
'

test_case "without a history there is no claim" '
    echo true >list
    "$DISTRIBUTEX" predict --history none list | grep -q "nothing is known"
    "$DISTRIBUTEX" predict --history nowhere --json list 2>err |
        grep -q "\"seconds\": null"
    grep -q "warning: history: there is no nowhere" err
    "$DISTRIBUTEX" history list --history nowhere 2>err
    grep -q "warning: history: there is no nowhere" err
'

test_case "merge makes one file that knows as much" '
    log 3
    "$DISTRIBUTEX" history import --history h joblog
    mv joblog first
    log 4
    "$DISTRIBUTEX" history import --history h joblog first
    "$DISTRIBUTEX" history list --history h | grep -q "^2 files, 160 outcomes"
    "$DISTRIBUTEX" history merge --history h | grep -q "merged 2 files"
    "$DISTRIBUTEX" history list --history h | grep -q "^1 file, 160 outcomes"
    "$DISTRIBUTEX" history show --history h grow | grep -q " 120 "
    "$DISTRIBUTEX" history prune --history h --older 1h | grep -q "removed 0"
    "$DISTRIBUTEX" history prune --history h --older 0s | grep -q "removed 1"
'

test_case "a run directory is a log as well" '
    for i in 1 2 3; do echo "sleep 0.0$i"; done >list
    "$DISTRIBUTEX" run --run-dir r list
    "$DISTRIBUTEX" history score r | grep -q "sleep #"
    "$DISTRIBUTEX" history import --history h r | grep -qx "r: 3 outcomes"
    test ! -e r/run.h5
    "$DISTRIBUTEX" history show --history h --json sleep |
        grep -q "\"cores\": 0[.][0-9]*, \"peak_bytes\": [1-9]"
    "$DISTRIBUTEX" history runfile r | grep -q "/r/run.h5$"
    "$DISTRIBUTEX" history score r >out1
    "$DISTRIBUTEX" history score r/run.h5 >out2
    cmp out1 out2
'

test_case "a template is predicted as its task file is" '
    log 5
    "$DISTRIBUTEX" history import --history h joblog
    command=$(tail -n 1 joblog | cut -f9)
    for i in 3 5 7; do echo "${command% *} $i"; done >list
    "$DISTRIBUTEX" predict --history h list --json >want
    "$DISTRIBUTEX" predict --history h --json -j 2 "${command% *} {}" \
        ::: 3 5 7 >out
    diff want out
    "$DISTRIBUTEX" predict --json --history h --array 1-4 ./none >out
    grep -q "\"n\": 4, " out
    expect_status 102 "$DISTRIBUTEX" predict --history h --no-such ./a ::: 1 \
        2>err
    grep -q "^distributex: predict: .*no-such" err || fail "$(cat err)"
    expect_status 102 "$DISTRIBUTEX" predict --history h list list 2>err
    grep -q ":::" err
'

test_case "damaged and foreign files are skipped by name" '
    log 5
    "$DISTRIBUTEX" history import --history h joblog
    echo nonsense >h/bad.h5
    head -c 3000 h/[0-9a-f]*.h5 >h/cut.h5
    "$DISTRIBUTEX" history list --history h >out 2>err
    grep -q "^1 file, 80 outcomes" out
    grep -q "h/bad.h5 is not an HDF5 file" err
    grep -q "h/cut.h5" err
'

test_case "mistakes are told, with the line" '
    printf "a\t1\n" >sizes.tsv
    printf "1\tx\n" >joblog
    ! "$DISTRIBUTEX" history score --sizes sizes.tsv joblog 2>err
    grep -q "sizes.tsv:1: there are not three columns" err
    ! "$DISTRIBUTEX" history score joblog 2>err
    grep -q "joblog:1: there are fewer than nine columns" err
    ! "$DISTRIBUTEX" history scor joblog 2>err
    grep -q "there is no .scor" err
    ! "$DISTRIBUTEX" history score --jsn joblog 2>err
    grep -q "did you mean --json" err
    ! "$DISTRIBUTEX" history import --history none joblog 2>err
    grep -q "say --history DIR" err
    ! "$DISTRIBUTEX" predict nolist 2>err
    grep -q "nolist" err
'

test_done
