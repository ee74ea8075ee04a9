#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/cli/completion.t - what the shells complete
. "$srcdir/tests/cli/lib.sh"

# completed WORDS...: what bash offers for the last of them, sorted.
completed() {
    bash -c '
        . ./script
        COMP_WORDS=("$@")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _distributex
        printf "%s\n" "${COMPREPLY[@]}"
    ' completed distributex "$@" | LC_ALL=C sort | tr '\n' ' '
}

# offers "A B " WORDS...: exactly these are offered.
offers() {
    local want=$1 got
    shift
    got=$(completed "$@")
    [ "$got" = "$want" ] || fail "$*: '$got', expected '$want'"
}

test_case "commands and options" '
    "$DISTRIBUTEX" completion bash >script
    bash -n script
    offers "run " ru
    offers "--policy " run --pol
    offers "--resume --resume-failed " run --resum
    offers "--stderr --stdout " output --std
    offers "bash zsh " completion ""
    offers "--halt " help --ha
    offers "--header --help " help --he
    "$DISTRIBUTEX" run --help | grep -oE "^  (-., )?--[a-z-]+" |
        grep -oE -- "--[a-z-]+" | LC_ALL=C sort | tr "\n" " " >want
    [ "$(completed run --)" = "$(cat want)" ] || fail "$(completed run --)"
'

test_case "values, as the next word and behind =" '
    "$DISTRIBUTEX" completion bash >script
    offers "self static steal " run --policy s
    offers "self static steal " run --policy = s
    offers "--policy=self --policy=static --policy=steal " run --policy=s
    offers "auto core none " run --bind ""
    offers "auto core none " run --bind =
    offers "auto off " run --counters ""
    offers "soon,done=50% soon,fail=1 soon,fail=10% soon,success=1 " \
        run --halt so
    offers " " run --retries ""
    offers " " run -j ""
'

test_case "files and run directories" '
    "$DISTRIBUTEX" completion bash >script
    mkdir done-1 done-2 other
    touch done-1/journal done-2/journal "two words.txt"
    offers "done-1 done-2 " output ""
    offers "done-1 done-2 " run --resume --run-dir d
    offers "other " stop o
    offers "two words.txt " run tw
    offers "done-1 done-2 other script two words.txt " run --joblog ""
'

test_case "topics" '
    "$DISTRIBUTEX" completion bash >script
    offers "environment examples exit-status " help e
    offers "taskfile " help ta
'

if command -v zsh >/dev/null; then
    test_case "zsh reads its script" '
        "$DISTRIBUTEX" completion zsh >_distributex
        zsh -n _distributex
        head -n 1 _distributex | grep -qx "#compdef distributex"
        zsh -fc "fpath=(\$PWD \$fpath); autoload -Uz compinit;
            compinit -u -d dump; autoload +X _distributex"
    '
else
    skip_case "zsh reads its script" "no zsh here"
fi

test_case "wrong shells" '
    expect_status 102 "$DISTRIBUTEX" completion 2>err
    expect_status 102 "$DISTRIBUTEX" completion fish 2>err
    grep -q "there are: bash, zsh" err
    expect_status 102 "$DISTRIBUTEX" completion bsh 2>err
    grep -q "did you mean bash?" err
'

test_done
