#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/cli/parallel_results.t - --results and --tag as GNU parallel has them
#
# The same command lines are run by both, and the trees of files they leave,
# and what is in them, must be the same; so must be the tagged lines.
. "$srcdir/tests/cli/lib.sh"

leave_out_if_brief "--results and --tag against GNU parallel"

parallel --version 2>/dev/null </dev/null | grep -q "^GNU parallel" || {
    skip_case "--results and --tag against GNU parallel" "no GNU parallel here"
    test_done
}
export PARALLEL_HOME=$test_root/parallel
mkdir -p "$PARALLEL_HOME" && : >"$PARALLEL_HOME/will-cite"

: "${PARALLEL_SEED:=1}"
long=$(printf "%0300d" 7)
edge=$(printf "%0254d" 7)
# shellcheck disable=SC2016
values=('' a 'a b' ' ' '  lead' 'trail  ' "it's" '"' '\' 'a\b' '\t' '$HOME' '*'
    '~' '#' '&' ';' '{}' '{1}' '-n' '--' $'a\tb' $'\t' $'\\\t/' 'é' $'\xff' '%s'
    ',' 'x.tar.gz' 'dir/f.txt' '/' '//' 'a/' '.bashrc' '...' './x' '../y.z'
    '/abs/p.q/r' 0 00 1 2 stdin "$long" "$edge/$edge" "$edge"x "$edge"yz)
plain=(a b.c d/e ../f g. .h i/ "j k" "l'm" 1)
names=(b a 10 9 2b 2a -1 0x1f 1e2 inf nan .5 ' 3' x/y z a 11b 'n m')

# pick NAME...: one element of this array, in $picked.
pick() {
    local -n from=$1
    picked=${from[RANDOM % ${#from[@]}]}
}

# sources N MAX ARRAY [NAMES]: N ':::' sources of up to MAX values of the array,
# each behind one of NAMES, in the array given.
sources() {
    local i k
    given=()
    for ((i = 0; i < $1; i++)); do
        given+=(':::')
        [ "$i" -eq 0 ] || [ $((RANDOM % 3)) -gt 0 ] || given[-1]=':::+'
        [ -z "${4:-}" ] || { pick "$4"; given+=("$picked"); }
        for ((k = RANDOM % $2; k >= 0; k--)); do
            pick "$3"
            given+=("$picked")
        done
    done
}

# tell FILE...: what went wrong, and for which words.
tell() {
    printf '%q ' "${words[@]}"
    echo
    diff -a <(cat -A "$1") <(cat -A "$2") | head -n 20
    exit 1
}

# tree: names of all, and what is in the files.
tree() {
    find . -print0 | LC_ALL=C sort -z | tr '\0\n' '\n\1'
    find . -type f -print0 | LC_ALL=C sort -z | xargs -0r cksum |
        cut -d" " -f1,2
}

# same_files WORDS: both leave the same files in the directory they run in.
same_files() {
    words=("$@")
    rm -rf theirs ours
    mkdir -p theirs/w ours/w
    (cd theirs/w && PARALLEL='' parallel -j2 "$@" </dev/null) \
        >theirs.out 2>theirs.err || fail "parallel: $(cat theirs.err)"
    (cd ours/w && "$DISTRIBUTEX" run -q -j2 --no-show --run-dir "$PWD/../../d" \
        "$@" </dev/null) >ours.out 2>ours.err ||
        fail "ours: $(cat ours.err): $(printf '%q ' "$@")"
    rm -rf d ours/w/distributex-latest
    (cd theirs && tree) >theirs.tree
    (cd ours && tree) >ours.tree
    cmp -s theirs.tree ours.tree || tell theirs.tree ours.tree
    compared=$((compared + $(wc -l <ours.tree)))
}

# same_tags WORDS: both show the same lines.
same_tags() {
    words=("$@")
    PARALLEL='' parallel -k -j2 --tag "$@" </dev/null >theirs 2>theirs.err ||
        fail "parallel: $(cat theirs.err)"
    "$DISTRIBUTEX" run -q -j2 -k --tag --run-dir d "$@" </dev/null >ours \
        2>ours.err || fail "ours: $(cat ours.err): $(printf '%q ' "$@")"
    rm -rf d
    cmp -s theirs ours || tell theirs ours
    compared=$((compared + $(wc -l <ours)))
}

say='echo out-{#}; echo err-{#} >&2'

test_case "a tree of every value" '
    compared=0
    same_files --results r "$say" ::: "${values[@]}"
    same_files --results a/b/c "$say" ::: a b ::: 1 "2 3" ::: x/y
    same_files --results r/ "$say" ::: a b ::: c d ::: e f :::+ 1 2
    same_files --results "$PWD/theirs/../r" true ::: a
    [ "$compared" -gt 300 ] || fail "only $compared lines"
'

test_case "names of a header in the place of numbers, sorted" '
    compared=0
    same_files --header : --results r "$say" ::: b I II ::: a III IIII
    same_files --header : --results r "$say" ::: 11b 1 ::: 1b 2 ::: 11a 3 \
        ::: x 4 ::: 2 5 ::: -1 6
    same_files --header : --results r "$say" ::: x/y 1 ::: a/b/ 2 ::: /c 3
    rows=("1, 2 ,3" "4,5" 6 "7,8,9,10" "")
    printf "%s\n" "${rows[@]}" >table
    same_files --colsep , --results r "$say" :::: "$PWD/table"
    same_files --header : --colsep , --results r "$say" ::: n,m,a "${rows[@]}"
    same_files --header : --colsep , --results r "$say" ::: n,m "${rows[@]}" \
        ::: a 1 2
    same_files --header : --results r "$say" ::: "b	a" 1 "2	 3" "4	5	6"
    [ "$compared" -gt 60 ] || fail "only $compared lines"
'

test_case "replacement strings make the name" '
    compared=0
    same_files --results "r/{}" "$say" ::: a b/c d.e "f g"
    same_files --results "r/{}/" "$say" ::: a b/c d.e "f g"
    same_files --results "{1/.}_{2}.log" "$say" ::: x/a.b y/c.d ::: 1 2
    same_files --results "r/{2}/{1}/x{#}" "$say" ::: a b ::: 1 "2 3"
    same_files --results "r/s{%}-{#}" -j1 "$say" ::: a b
    same_files --results "../{//}/{/.}.out" "$say" ::: p/a.b q/r/c.d e
    same_files --header : --results "r/{a}-{b/}" "$say" ::: a 1 2 ::: b p/q
    same_files --colsep , --results "r/{2}{1}" "$say" ::: "a , b" "c,d"
    same_files --results "r/{x}" "$say" ::: a
    same_files --results "r/{-1}/{3}{.}" "$say" ::: a.b c ::: d
    [ "$compared" -gt 100 ] || fail "only $compared lines"
'

test_case "generated sources and headers" '
    RANDOM=$PARALLEL_SEED compared=0
    for round in 1 2 3; do # -j1: equal values write the same files
        sources $((1 + RANDOM % 3)) 4 values
        same_files -j1 --results r "$say" "${given[@]}"
        sources $((2 + RANDOM % 3)) 2 values names
        same_files -j1 --header : --results r "$say" "${given[@]}"
        sources $((1 + RANDOM % 2)) 2 plain
        same_files --results "r{#}/x{1/}{2.}/{/.}" "$say" "${given[@]}"
    done
    [ "$compared" -gt 60 ] || fail "only $compared lines"
'

test_case "tags are the arguments" '
    RANDOM=$PARALLEL_SEED compared=0
    same_tags echo {#} ::: "${values[@]}"
    same_tags "echo {1}; echo {2}" ::: a "b c" ::: 1 "" ::: x :::+ y
    printf "n,m\n1, 2 \n 3 4 ,5\n6\n,\n" >table
    same_tags --colsep , echo {2} :::: table ::: z
    same_tags --header : --colsep , echo {m} :::: table
    same_tags --header : echo {m} ::: m " a	b " c
    same_tags ::: "echo a" "printf b"
    for round in 1 2 3; do
        sources $((1 + RANDOM % 3)) 4 values
        same_tags printf "%s\\n" {#} {2} "${given[@]}"
    done
    [ "$compared" -gt 60 ] || fail "only $compared lines"
'

test_done
