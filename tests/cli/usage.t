#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/cli/usage.t - wrong command lines: status 102, one clear sentence
. "$srcdir/tests/cli/lib.sh"

# refused TEXT WORDS...: distributex WORDS is bad usage, told in these words
# (the beginning of stderr), and does nothing.
refused() {
    local text=$1
    shift
    expect_status 102 "$DISTRIBUTEX" "$@" >refused.out 2>refused.err
    [ ! -s refused.out ] || fail "stdout: $(cat refused.out)"
    [ "$(head -c $((13 + ${#text})) refused.err)" = "distributex: $text" ] ||
        fail "$*: $(cat refused.err)"
    rm refused.out refused.err
    [ -z "$(find . -name 'distributex-*')" ] || fail "a run directory was made"
}

test_case "commands" '
    refused "a command is missing"
    refused "unknown command '\''rum'\''; did you mean '\''run'\''?" rum
    refused "unknown command '\''frobnicate'\''; see" frobnicate
    refused "'\''top'\'' is not in this version" top
    echo true >sweep.txt
    refused "'\''sweep.txt'\'' is a file, not a command; to run it as a task file: distributex run sweep.txt" sweep.txt
'

test_case "task files" '
    echo true >a
    refused "no task file" run
    refused "exactly one task file, or arguments for the command behind" run a a
    refused "exactly one task file, and options before it: a -j 2" run a -j 2
    refused "--array: the command is missing" run --array 1-3
    refused "--colsep is for a command with" run --colsep , a
'

test_case "options" '
    echo true >a
    refused "unknown option --retri; did you mean --retries?" run --retri 1 a
    refused "unknown option --tagstring: it is not in this version" \
        run --tagstring x a
    refused "--ranks: '\''0'\'' is not a whole number" run --ranks 0 a
    refused "error: --ranks 1000000: at most " run --ranks 1000000 a
    refused "--timeout: '\''80%'\'' is not valid" run --timeout 80% a
    refused "--header: '\''2'\'' is not" run --header 2 echo ::: a
    refused "--pipe is an option of GNU parallel that is not here: split" \
        run --pipe wc
    refused "--group-by is an option of GNU parallel that is not here: split" \
        run --group-by 1 wc
    refused "-W is an option of GNU parallel that is not here: cd" run -W d a
    refused "-I is an option of GNU parallel that is not here: the" run -I , a
    refused "--citation is an option of GNU parallel that is not here: there" \
        run --citation
    refused "--run-dir needs a value" run --run-dir
    refused "--resume and --retry-failed exclude" run --resume --retry-failed
    refused "--bind: '\''cor'\'' is not auto, core or none; did you mean core?" \
        run --bind cor a
    refused "--policy: unknown policy '\''lifo'\''; there are: steal" \
        run --policy=lifo a
'

test_case "values from the environment are named" '
    echo true >a
    export DTX_RETRIES=many
    refused "environment variable DTX_RETRIES: '\''many'\'' is not" run a
'

test_case "a variable that looks like an option is warned of, once" '
    echo "echo hello" >a
    DTX_RETRYS=3 DTX_OTHER_PROGRAM=1 "$DISTRIBUTEX" run a >out 2>err
    grep -qx hello out
    grep -c "no option" err | grep -qx 1
    grep -q "warning: .* DTX_RETRYS is no .*; did you mean DTX_RETRIES?" err
    if command -v "${MPIRUN:-mpirun}" >/dev/null; then
        DTX_RETRYS=3 timeout -k 5 50 "$DISTRIBUTEX" run --ranks 2 a >out 2>err
        grep -c "no option" err | grep -qx 1
    fi
'

test_case "keys of the file have near words too" '
    echo true >a
    echo "retires = 3" >conf
    export DTX_CONFIG=conf
    refused "conf:1: unknown option '\''retires'\''; did you mean retries?" run a
'

test_case "values from the file are named by its line" '
    echo true >a
    printf "# mine\nretries = many\n" >conf
    export DTX_CONFIG=conf
    refused "conf:2: retries: '\''many'\'' is not" run a
    export DTX_CONFIG=missing
    refused "environment variable DTX_CONFIG: cannot open missing" run a
'

test_case "output and stop without a job" '
    expect_status 104 "$DISTRIBUTEX" stop 2>err
    grep -q "^distributex: " err
    expect_status 104 "$DISTRIBUTEX" output 1 2>err
    grep -q "^distributex: " err
    refused "output: no task" output
    refused "stop: at most one run directory" stop a b
'

test_done
