#!/bin/sh
# SPDX-License-Identifier: MIT
# tests/check-docs.sh - what is written about the program is true
#
# - help and manual tell of every row of the option table, with its letter, and
#   of every command, exit status, policy and key of directives;
# - examples run, and end as examples/README.md says; scripts are well formed;
# - documents and scripts name no option that does not exist, and no file that
#   is not there.
# (doc/protocol.md is held by tests/unit/test_wire_doc.)

cd "${srcdir:-.}" || exit 99
top=$PWD
: "${DISTRIBUTEX:=${builddir:-$top}/distributex}"
[ -x "$DISTRIBUTEX" ] || { echo "no program: $DISTRIBUTEX"; exit 99; }
export LC_ALL=C
number=0
failures=0
scratch=$(mktemp -d "${TMPDIR:-/tmp}/dtx-docs.XXXXXX") || exit 99
trap 'rm -rf "$scratch"' EXIT
trap 'exit 143' TERM INT HUP
help=$scratch/help
man=$scratch/man

# verdict NAME TEXT: a check is passed when TEXT, its complaints, is empty.
verdict() {
    number=$((number + 1))
    if [ -z "$2" ]; then
        echo "ok $number - $1"
    else
        failures=$((failures + 1))
        echo "not ok $number - $1"
        echo "$2" | sed 's/^/#   /'
    fi
}

documents() {
    find . -name '*.md' ! -path './build*' ! -path './.*' \
        ! -path './distributex-*'
}

# --- help and manual ---------------------------------------------------------

bad=$(
    "$DISTRIBUTEX" run --help >"$help" || echo "run --help fails"
    "$DISTRIBUTEX" help man >"$man.roff" || echo "help man fails"
    # hyphens and backslashes as people read them
    sed 's/\\-/-/g; s/\\f[BRI]//g; s/\\&//g; s/\\e/\\/g' "$man.roff" >"$man"
)
verdict "help and manual can be had" "$bad"

# Each row as "name letter", the letter 0 when there is none.
sed -n "s/^ *X(\"\([a-z-]*\)\", *\('.'\|0\),.*/\1 \2/p" \
    src/run/options_table.h | tr -d "'" >"$scratch/options"

bad=$(
    [ "$(wc -l <"$scratch/options")" -ge 20 ] ||
        echo "the option table cannot be read from here"
    while read -r name letter; do
        for page in "$help" "$man"; do
            grep -Eq -- "(^|[ ,])--$name([ ,=]|\$)" "$page" ||
                echo "--$name is not in the ${page##*/} page"
            [ "$letter" = 0 ] || grep -q -- "-$letter, --$name" "$page" ||
                echo "-$letter of --$name is not in the ${page##*/} page"
        done
    done <"$scratch/options"
)
verdict "help and manual tell of every option" "$bad"

bad=$(sed -n 's/^ *X("\([a-z-]*\)".*/\1/p' src/run/options_table.h |
    sort | uniq -d)
verdict "no option is there twice" "$bad"

bad=$(
    topics=$scratch/topics
    for t in taskfile resume policies environment exit-status; do
        "$DISTRIBUTEX" help $t || echo "help $t fails" >&2
    done >"$topics" 2>&1
    for word in name= after= cpus= prio= timeout= retries= cwd= \
        $(sed -n 's/^    {"\([a-z]*\)",.*/\1/p' src/sched/policy.c); do
        grep -q -- "$word" "$topics" || echo "$word is in no help topic"
        grep -q -- "$word" "$man" || echo "$word is not in the manual"
    done
    sed -n 's/^ *X([A-Z_]*, \([0-9]*\), \([0-9]*\),.*/\1/p' src/run/status.h |
        while read -r status; do
            grep -qw -- "$status" "$man" ||
                echo "exit status $status is not in the manual"
        done
)
verdict "directives, policies and exit statuses are told" "$bad"

# --- examples ----------------------------------------------------------------

# example NAME STATUS OPTION...
example() {
    name=$1 want=$2 got=0
    shift 2
    mkdir "$scratch/$name" && cd "$scratch/$name" || exit 99
    timeout -k 5 50 "$DISTRIBUTEX" run -q "$@" \
        "$top/examples/$name.tasks" >out 2>err </dev/null || got=$?
    cd "$top" || exit 99
    [ $got -eq "$want" ] && return
    echo "examples/$name.tasks ended with $got, not $want"
    tail -n 5 "$scratch/$name/err"
}

bad=$(
    example sweep 0
    example pipeline 0
    example faults 3 --retry-delay 10ms
    for f in examples/*.tasks; do
        grep -q "($(basename "$f"))" examples/README.md ||
            echo "$f is not in examples/README.md"
        [ -d "$scratch/$(basename "$f" .tasks)" ] ||
            echo "$f is not run here"
    done
)
verdict "examples run and end as they should" "$bad"

bad=$(for f in slurm/*.sbatch slurm/*.sh examples/demo/run.sh \
    tests/bench/run.sh tests/bench/sim.sh bootstrap
do
    bash -n "$f" 2>&1
done)
verdict "scripts are well formed" "$bad"

bad=$(
    unset SLURM_JOB_ID
    status=0
    bash slurm/distributex.sbatch x >/dev/null 2>&1 || status=$?
    [ $status -eq 102 ] || echo "outside a job it ends with $status, not 102"
    status=0
    export DISTRIBUTEX
    SLURM_JOB_ID=1 bash slurm/distributex.sbatch >/dev/null 2>&1 || status=$?
    [ $status -eq 102 ] || echo "without a task file: $status, not 102"
    status=0
    SLURM_JOB_ID=1 bash slurm/distributex.sbatch "$scratch/none" \
        >/dev/null 2>&1 || status=$?
    [ $status -eq 103 ] || echo "with one that is not there: $status, not 103"
    for f in slurm/*.sbatch slurm/*.sh; do
        grep -q "(${f#slurm/})" slurm/README.md ||
            echo "$f is not in slurm/README.md"
        grep -q "${f#slurm/}" tests/slurm/slurm.t tests/slurm/cluster.sh ||
            echo "$f is not run by tests/slurm"
    done
)
verdict "the batch script says what is wrong" "$bad"

# --- documents ---------------------------------------------------------------

# Options behind "distributex run" up to the end of a command.
# shellcheck disable=SC2046
bad=$(grep -no "distributex run [^]#|&;>'\"\`[]*" $(documents) slurm/* \
    examples/*.tasks examples/demo/run.sh |
    while IFS= read -r hit; do
        for word in ${hit#*distributex run }; do
            case $word in
                --) break ;; # the task file follows
                --[a-z]*) word=${word#--} word=${word%%[=.,:)]*} ;;
                *) continue ;;
            esac
            grep -q "^$word " "$scratch/options" ||
                echo "${hit%%distributex*}--$word is no option"
        done
    done)
verdict "documents name options that exist" "$bad"

bad=$(for f in $(documents); do
    grep -o '](\([^)#: ]*\)[)#]' "$f" | sed 's/^](//; s/[)#]$//' |
        while read -r target; do
            [ -z "$target" ] || [ -e "$(dirname "$f")/$target" ] ||
                echo "$f: there is no $target"
        done
done)
verdict "links lead somewhere" "$bad"

# shellcheck disable=SC2016,SC2046
bad=$(grep -no '`\(src\|tests\|doc\|examples\|slurm\)/[A-Za-z0-9_./-]*`' \
    $(documents) | tr -d '`' | sort -u | while IFS=: read -r f line path; do
    case $path in *NAME* | *.log) continue ;; esac # not meant so
    for p in "$path" "$path".?; do
        [ -e "$p" ] && continue 2
    done
    echo "$f:$line: there is no $path"
done)
verdict "files that documents name are there" "$bad"

echo "1..$number"
[ "$failures" -eq 0 ]
