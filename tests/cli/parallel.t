#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/cli/parallel.t - templates mean what they mean to GNU parallel
#
# The same generated command lines are given to both with --dry-run, and what
# the shell makes of each printed line is compared word by word.  Each template
# calls "say", which tells its words, each ended by a NUL.
. "$srcdir/tests/cli/lib.sh"

leave_out_if_brief "templates against GNU parallel"

parallel --version 2>/dev/null </dev/null | grep -q "^GNU parallel" || {
    skip_case "templates against GNU parallel" "no GNU parallel here"
    test_done
}
export PARALLEL_HOME=$test_root/parallel
mkdir -p "$PARALLEL_HOME" && : >"$PARALLEL_HOME/will-cite"

: "${PARALLEL_SEED:=1}"
# shellcheck disable=SC2016,SC2088
values=('' a 'a b' ' ' '  lead' 'trail  ' "it's" "'" "''" '"' '"x"' '\' 'a\b'
    '$HOME' '`id`' '$(id)' '*' '?' '[a]' '~' '~/x' 'a=b' '=' '#' '#x' '!' '!x'
    '&' ';' '|' '<' '>' '(' ')' '{}' '{' '}' '{1}' '{.}' '{a,b}' '-n' '--' '-'
    $'a\tb' 'é' '日本' $'\xff' '%s' '%' '^' ',' ':' '@' '+' 'x.tar.gz'
    'dir/f.txt' '/' '//' 'a/' 'a//' '.' '..' '.bashrc' 'd.d/f' './x' '../y.z'
    '/abs/p.q/r' 'd.e/' 'a/.b.c' 'a//b.c' 'x.' '0' '00' '1')
blanks=('a b.c' $'new\nline' $'\n' $'two\n\nlines.x' $'tail\n' 'last')
pieces=('{}' '{.}' '{/}' '{//}' '{/.}' '{#}' '{1}' '{2}' '{1.}' '{2/}' '{1//}'
    '{2/.}' '{-1}' '{-2.}' '{3}' '{-1//}' 'x{}y' 'a{1}b{2}c' '{{}}' '{1}{1}'
    'p={}' '{' '}' '{x}' '{a,b}' '-o' '--x={/.}' '{#}-{1}' '"{}"x' '{0}'
    '{-3}' '{1 }' plain)

# pick NAME...: one element of this array, in $picked.
pick() {
    local -n from=$1
    picked=${from[RANDOM % ${#from[@]}]}
}

# words FILE: what the shell makes of the commands in it, in FILE.words.
words() {
    # shellcheck disable=SC2016
    env -i PATH=/nonexistent "$BASH" -c '
        say() { printf "%s\0" "$@"; printf "<end>\0"; }
        eval "$(<"$1")"' - "$1" >"$1.words" 2>"$1.errors" </dev/null
}

# same [OPTION FOR parallel ALONE] -- WORDS: both print the same commands.
same() {
    local own=()
    while [ "$1" != -- ]; do
        own+=("$1")
        shift
    done
    shift
    PARALLEL='' parallel --dry-run -k -j1 "${own[@]}" "$@" \
        >theirs 2>theirs.err </dev/null || fail "parallel: $(cat theirs.err)"
    "$DISTRIBUTEX" run --dry-run "$@" >ours 2>ours.err </dev/null ||
        fail "ours: $(cat ours.err): $(printf '%q ' "$@")"
    words theirs
    words ours
    if ! cmp -s theirs.words ours.words; then
        printf '%q ' "$@"
        echo
        diff -a <(cat -A theirs) <(cat -A ours) | head -n 20
        exit 1
    fi
    compared=$((compared + $(tr -dc '\0' <ours.words | wc -c)))
}

# template N: say and N pieces, in the array template.
template() {
    local i
    template=(say)
    for ((i = 0; i < $1; i++)); do
        pick pieces
        template+=("$picked")
    done
}

# sources N MAX ARRAY: N ':::' sources of up to MAX values, in the array given.
sources() {
    local i k
    given=()
    for ((i = 0; i < $1; i++)); do
        given+=(':::')
        [ "$i" -eq 0 ] || [ $((RANDOM % 3)) -gt 0 ] || given[-1]=':::+'
        for ((k = RANDOM % $2; k >= 0; k--)); do
            pick "$3"
            given+=("$picked")
        done
    done
}

test_case "every value through every form" '
    compared=0
    same -- say {} {.} {/} {//} {/.} {#} {1} {1.} {1/} {1//} {1/.} {-1} {2} \
        x{}y a={} ::: "${values[@]}"
    same -- say ::: "${values[@]}"
    same -- --quote say "a  b" "\$x" {} "" "{.};{/}" ::: "${values[@]}" \
        ::: 1 "2 3"
    same -0 -- say {} {1}-{2} ::: "${blanks[@]}" ::: "${blanks[@]}"
    [ "$compared" -gt 1000 ] || fail "only $compared words"
'

test_case "generated templates and sources" '
    RANDOM=$PARALLEL_SEED compared=0
    for round in $(seq 24); do
        template $((RANDOM % 5))
        sources $((1 + RANDOM % 3)) 8 values
        option=()
        [ $((RANDOM % 4)) -gt 0 ] || option=(--quote)
        same -- "${option[@]}" "${template[@]}" "${given[@]}"
    done
    echo "$compared words"
    [ "$compared" -gt 2000 ] || fail "only $compared words"
'

test_case "files, columns and headers" '
    RANDOM=$PARALLEL_SEED compared=0
    printf "%s\n" "${values[@]}" >lines
    printf "n,v.w , x\n1,a.b, c d\n2,,\n,3\n\n" >table
    printf "n\tm\na b\tc/d.e\n1\t2\t3\n" >tabs
    same -- say {} {.} :::: lines
    same -- -a lines say {/} {//}
    same -- -a table -a tabs say {1}-{2}
    same -- -a table say {} ::: 1 2 :::: tabs
    same -- say ::: a b c ::::+ table ::: z
    same -- say {1} {2} {} {3.} {-1} --colsep , :::: table
    same -- --colsep , say {1} {2} {} {3.} {-1} :::: table
    same -- --colsep " *, *" say {1} {2} {#} :::: table ::: x,y z
    same -- --colsep "\t" say {1} {2} {3} :::: tabs
    same -- -C "[,.]" say {1} {2} {3} {4} :::: table
    same -- --header : say {n} {f/} {n.} {1} {2/.} {x} ::: n 1.2 3 ::: f a/b.c
    same -- --header : say {a} {b/} {2} {} ::: a "x	y" " z " ::: b 1
    same -- --header : --colsep "\t" say {m} {m.} {m//} {n} {q} :::: tabs
    same -- --header : --colsep , say {n} {} ::: z 1 2 :::: table
    for round in 1 2 3; do
        template 4
        same -- --colsep "[ /]" "${template[@]}" :::: lines
    done
    [ "$compared" -gt 1000 ] || fail "only $compared words"
'

test_case "values that are commands" '
    compared=0
    same -- ::: "say a b" "say \"c d\""
    same -- {} x ::: "say a b" "say \"c d\""
    same -- s{}y "{}" ::: a a
    same -- V={} say {} ::: "a b" c
    same -- "say {} ; say x" ::: "a b" c
    same -- "say {%} {}" ::: a
'

test_done
